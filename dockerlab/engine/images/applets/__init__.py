"""`httpd` and `wget` as busybox has them, for images made from this machine's own programs.

They run inside containers on a copied interpreter that has almost no standard library: only `os`, `sys` and `_socket`.
"""
