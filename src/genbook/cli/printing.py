"""Tables in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from typing import Any


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


def verdict_cell(judgement: Any) -> str:
    """A judgement in a cell of such a table: its estimate, and its verdict in colour."""
    colour = {"holds": "green", "fails": "red", "undecided": "yellow"}.get(judgement.verdict, "dim")
    number = f"{judgement.estimate:.3g} " if judgement.estimate == judgement.estimate else ""
    return f"{number}[{colour}]{judgement.verdict}[/{colour}]"
