"""The frames between the engine and a shim, in the format of Docker's multiplexed streams.

A header of 8 bytes holds the kind and the length of the data. Towards the container: STDIN carries bytes of its input,
EOF ends the input, SIZE sets the size of its terminal. From the container: 1 is stdout, 2 is stderr.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct(">BxxxI")
STDIN, EOF, SIZE = 0, 1, 2
