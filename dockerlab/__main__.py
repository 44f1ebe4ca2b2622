"""`python -m dockerlab` is the `dockerlab` command."""

import sys

from dockerlab.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
