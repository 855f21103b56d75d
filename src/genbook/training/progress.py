"""A bar with steps per second and the time left, in a terminal; silence elsewhere, as under papermill."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_INTERVAL = 0.2  # seconds between two updates: the bar must cost nothing


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} steps/s" if task.speed else "")


@contextlib.contextmanager
def progress_bar(
    total: int, show: bool | Callable[[float, str], None] | None = None
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of steps done out of `total`.

    Args:
        total: steps of all stacks.
        show: whether to draw the bar, on standard error; `None` draws it in a terminal alone. A function is called
            instead, with the share done and the steps per second in words.
    """
    if callable(show):
        start = time.monotonic()
        yield lambda done: show(done / total, f"{done / max(time.monotonic() - start, 1e-9):,.0f} steps/s")
        return
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda done: None
        return
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task, last = progress.add_task("training", total=total), 0.0

        def update(done: int) -> None:
            nonlocal last
            if done >= total or time.monotonic() - last > _INTERVAL:
                progress.update(task, completed=done)
                last = time.monotonic()

        yield update
