"""``python -m ganfilters``."""

import sys

from ganfilters.cli import main

if __name__ == "__main__":
    sys.exit(main())
