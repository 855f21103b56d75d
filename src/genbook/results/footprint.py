"""How much memory a computation takes at its peak, as whoever has to reserve it for the whole process counts it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextlib.contextmanager
def peak() -> Iterator[Callable[[], int | None]]:
    """Gives a function that says the peak in MiB of this process's memory since the block began; None where unknown.

    Where the system cannot begin to count anew (other than Linux) it is the peak since the process began.
    """
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")
    yield _mebibytes


def _mebibytes() -> int | None:
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024)
    try:
        import resource
    except ModuleNotFoundError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
