"""`python -m nogil_df`: the same as the command `nogil-df`."""

from __future__ import annotations

import sys

from nogil_df.cli import main

if __name__ == "__main__":
    sys.exit(main())
