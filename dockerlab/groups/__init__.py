"""The groups of a Lab, such as `lab.container`: one thin method per operation of the Engine API."""
