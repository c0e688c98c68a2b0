"""``python -m ganfilters``."""

from ganfilters.cli import main

if __name__ == "__main__":
    main()
