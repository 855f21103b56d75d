"""Small tables whose answers are known: what a claim's statistic must be on one, and on one that says the opposite.

A study's test names its own in ``KNOWN``, by the claim's id; `tests.studies.test_known_answers` holds every statistic
to them, and asks for those of every claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pytest

from genbook.base.claims import Claim, judge
from genbook.base.spec import Spec


@dataclass(frozen=True)
class Answer:
    """A table of at least two seeds, and a statistic's values on it, found by hand: one a seed, or one a check."""

    table: pd.DataFrame
    values: Sequence[float]
    spec: Spec


@dataclass(frozen=True)
class Known:
    """A table on which a claim holds, and one on which it fails."""

    holds: Answer
    fails: Answer


def check(claim: Claim, known: Known) -> None:
    """Hold a claim's statistic and its verdict to both of its known answers."""
    for verdict, answer in (("holds", known.holds), ("fails", known.fails)):
        found = claim.statistic(answer.table, answer.spec)
        assert found.astype(float).tolist() == pytest.approx(list(answer.values), nan_ok=True), verdict
        assert judge(claim, answer.table, answer.spec).verdict == verdict


def in_halves(table: pd.DataFrame) -> pd.DataFrame:
    """A table of all examples in which both halves of the test set came out as the whole did."""
    table = table if "group" in table else table.assign(group="all")
    tested = table[table["quantity"].str.startswith("test ")]
    return pd.concat([table, *(tested.assign(group=half) for half in ("first half", "second half"))], ignore_index=True)
