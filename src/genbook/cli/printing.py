"""Tables in a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable


def print_table(columns: Collection[str], rows: Iterable[Collection[str]]) -> None:
    """Print a table under its columns' names; long cells are folded, and a pipe is 160 characters wide."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def verdict_cell(verdict: str, estimate: float | None) -> str:
    """A judgement in a cell of such a table: its estimate where it has one, and its verdict in colour."""
    colour = {"holds": "green", "fails": "red", "undecided": "yellow"}.get(verdict, "dim")
    number = "" if estimate is None or math.isnan(estimate) else f"{estimate:.3g} "
    return f"{number}[{colour}]{verdict}[/{colour}]"


def interval_cell(low: float | None, high: float | None) -> str:
    """An interval in such a cell, empty where there is none; a side on which it has no end is infinite."""
    if low is None and high is None:
        return ""
    return f"{-math.inf if low is None else low:.3g} to {math.inf if high is None else high:.3g}"
