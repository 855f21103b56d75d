"""``genbook`` and ``python -m genbook``: the command line, interruptible from its first line on."""

import contextlib
import os
import sys

from genbook.base.processes import INTERRUPTED, interruptible


def main() -> None:
    """Run the command line."""
    try:
        with interruptible():
            from genbook.cli import main as run

            run()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            # All is tidied up, and what libraries do at the end of a program (say goodbye to a dead kernel) takes long.
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(INTERRUPTED)
        raise


if __name__ == "__main__":
    main()
