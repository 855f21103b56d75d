"""What a careful reader would do before believing the book: ``make check``. Prints a table, and ends by it.

Each step is a command of its own, in the order of what it costs; all are run, whatever an earlier one said. What a step
that fails has printed is shown.
"""

import os
import subprocess
import sys
import time
from typing import NamedTuple

from genbook.base.files import repository


class Step(NamedTuple):
    """What is checked, the command that ends with status 0 where all is well, and whether what it prints is shown."""

    what: str
    command: tuple[str, ...]
    shown: bool = False


def pytest(*words):
    return ("-m", "pytest", "-q", "-p", "no:cacheprovider", *words)


STEPS = (
    Step("every published and stored file is as it was written", ("-m", "genbook", "verify", "--all", "--checksums")),
    Step("every claim fails in its control; tables are what their names say", pytest("tests/test_controls.py")),
    Step(
        "the environment files are in step, and say what is used",
        pytest("tests/test_setup.py", "tests/test_dependencies.py"),
    ),
    Step("citations are used and exist, plain Sphinx builds the pages", pytest("tests/test_book_config.py")),
    Step("what provoked faults have lost: nothing", ("-m", "tests.faults", "--print"), shown=True),
    Step("one seed of every study comes out again", ("-m", "genbook", "verify", "--all")),
    Step("every exercise comes out as its solution says", ("-m", "tests.exercises")),
    Step("every study on a pretended accelerator", ("-m", "tests.accelerator")),
    Step("every page in a browser: light, dark, three widths; links; PDF", ("-m", "tests.browser")),
    Step(
        "every chapter executed twice, compared by nbval; with other parameters",
        pytest("tests/test_book.py", "tests/test_changes.py"),
    ),
)


def checked(steps, show=print):
    """Run all steps; returns for each (what, whether all was well, seconds)."""
    environment = {**os.environ, "GENBOOK_WHOLE": "1"}
    rows = []
    for step in steps:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, *step.command],
            cwd=repository(),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        rows.append((step.what, done.returncode == 0, time.monotonic() - start))
        show(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {rows[-1][2]:6.0f} s  {step.what}")
        if step.shown and not done.returncode:
            show(done.stdout.rstrip())
        if done.returncode:
            show(f"       {' '.join(step.command)}\n{done.stdout[-6000:]}")
    return rows


def main():
    """1 where a step fails."""
    rows = checked(STEPS)
    failed = [what for what, well, _ in rows if not well]
    print(f"{len(rows) - len(failed)} of {len(rows)} checks are well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
