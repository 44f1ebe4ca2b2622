"""Programs that an image made from this machine's own programs lacks: `httpd` and `wget`, as busybox has them.

They run inside of containers, by a copied interpreter with next to no library: `os`, `sys`, `_socket` and nothing else.
"""
