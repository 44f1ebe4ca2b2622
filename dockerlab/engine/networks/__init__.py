"""Networks: addresses, endpoints of containers, published ports, names and DNS, and the switch that joins them."""
