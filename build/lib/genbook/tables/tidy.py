"""Reading a study's tidy table: the rows of one quantity, a quantity as a wide table, its last value.

A tidy table has one row per (seed, condition, step, quantity); a statistic wants one quantity with the seeds in rows
and a condition, or the steps, in columns. Nothing here knows a study.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd


def select(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """The rows in which each named column has the given value: ``select(table, quantity="test accuracy")``.

    Raises:
        KeyError: a named column is not in the table.
    """
    kept = pd.Series(True, index=table.index)
    for column, value in where.items():
        if column not in table:
            raise KeyError(f"the table has no column {column!r}; it has {', '.join(map(str, table.columns))}")
        kept &= table[column] == value
    return table[kept]


def series(table: pd.DataFrame, by: Sequence[str], **where: Any) -> pd.Series:
    """The values of the selected rows, indexed and sorted by the columns ``by``."""
    return select(table, **where).set_index(list(by))["value"].sort_index()


def wide(table: pd.DataFrame, rows: str | Sequence[str], columns: str, **where: Any) -> pd.DataFrame:
    """The values of the selected rows, by ``rows`` (one column or several) down and ``columns`` across.

    Raises:
        ValueError: two of the selected rows have the same place (pandas names neither: select more narrowly).
    """
    index = rows if isinstance(rows, str) else list(rows)
    return select(table, **where).pivot(index=index, columns=columns, values="value").sort_index()


def long(values: pd.DataFrame, columns: str) -> pd.DataFrame:
    """A wide table as tidy rows, the inverse of `wide`: what names its rows (else the seed), ``columns``, ``value``.

    What is missing is left out.
    """
    named = values.rename_axis(index=[name or "seed" for name in values.index.names], columns=columns)
    return named.stack().dropna().rename("value").reset_index()


def last(table: pd.DataFrame, by: str | Sequence[str], **where: Any) -> pd.Series:
    """The last value over the steps that is not missing, by the columns ``by``; NaN where all are."""
    ordered = select(table, **where).sort_values("step", kind="stable")
    return ordered.groupby(by if isinstance(by, str) else list(by))["value"].last()
