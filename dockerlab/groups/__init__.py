"""One thin method per operation, in groups: `lab.container`, `lab.image`, `lab.system`."""
