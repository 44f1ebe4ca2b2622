"""Files: the trees of containers, volumes and mount points, changes, layers and tar archives."""
