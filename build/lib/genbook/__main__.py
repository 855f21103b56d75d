"""``genbook`` and ``python -m genbook``: the command line, interruptible from its first line on."""

import contextlib
import os
import sys
from collections.abc import Iterator

from genbook.base.processes import INTERRUPTED, interruptible


def main() -> None:
    """Run the command line."""
    try:
        with interruptible(), _book_installed():
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


@contextlib.contextmanager
def _book_installed() -> Iterator[None]:
    """Ends with one sentence where the library was installed alone: the command comes with the book."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "genbook").partition(".")[0]
        if missing == "genbook":
            raise
        sys.exit(f"genbook: the command needs {missing}, which comes with the book: pip install 'genbook[book]'")


if __name__ == "__main__":
    main()
