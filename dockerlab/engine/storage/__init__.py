"""Files: root file systems, volumes, changes, tar archives."""
