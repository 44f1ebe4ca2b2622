"""Networks: endpoints, published ports, the switch, DNS."""
