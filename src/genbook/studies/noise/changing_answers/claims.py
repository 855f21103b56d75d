"""What is claimed of the answers that networks give to single examples, and how they are read off the table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.noise.changing_answers.spec import ANSWER, GIVEN, TRUE, ChangingAnswersSpec
from genbook.tables import tidy
from genbook.tables.statistics import Statistic, claim, difference, fraction, half_example

_PLACE = ["seed", "noise", "group"]


def answers(table: pd.DataFrame) -> pd.DataFrame:
    """The class given to each example along training: rows (seed, noise, example), columns steps."""
    given = tidy.select(table, quantity=ANSWER)
    return given.set_index([*_PLACE, "step"])["value"].unstack("step").astype(int)


def labels(table: pd.DataFrame, which: str) -> pd.Series:
    """The examples' labels, `GIVEN` or `TRUE`, in the order of `answers`."""
    found = tidy.select(table, quantity=which).set_index(_PLACE)["value"].astype(int)
    return found.reindex(answers(table).index)


def courses(table: pd.DataFrame) -> pd.DataFrame:
    """What became of each example: rows as in `answers`.

    ``wrong``: whether its given label is not the true one. ``memorised``: whether that is the answer at the last step.
    ``true on the way``: whether the true label was the answer at two measured steps in a row. ``straight``: whether the
    last other answer before the given label, for good, was the true label.
    """
    seen = answers(table)
    given, true = (labels(table, which).to_numpy()[:, None] for which in (GIVEN, TRUE))
    said = seen.to_numpy()
    right, as_given = said == true, said == given
    # the last measured step at which the answer is not the given label; -1 where it has been so from the start
    others = np.where(as_given, -1, np.arange(said.shape[1])).max(1)
    before = said[np.arange(len(said)), others]
    return pd.DataFrame(
        {
            "wrong": (given != true)[:, 0],
            "memorised": as_given[:, -1],
            "true on the way": (right[:, 1:] & right[:, :-1]).any(1),
            "straight": (others >= 0) & (before == true[:, 0]),
        },
        index=seen.index,
    )


def of_memorised(table: pd.DataFrame, what: str, noise: float) -> pd.Series:
    """Fraction of the examples whose wrong label is memorised of which ``what`` is true, by seed; NaN without any."""
    found = courses(table)
    found = found[found["wrong"] & found["memorised"] & (found.index.get_level_values("noise") == noise)]
    return found[what].astype(float).groupby("seed").mean().reindex(np.sort(table["seed"].unique()))


def _half_wrong(table: pd.DataFrame, spec: ChangingAnswersSpec) -> float:
    """Half of the step of a fraction of the mislabelled examples at the lowest noise."""
    return half_example(max(1.0, spec.watched * spec.noise_levels[1]))


def _at_lowest(what: str) -> Statistic:
    return fraction(
        "of the mislabelled examples",
        lambda table, spec: of_memorised(table, what, spec.noise_levels[1]),
        continuity=_half_wrong,
    )


@difference("of the mislabelled examples more than where all labels are drawn anew")
def _more_than_by_chance(table: pd.DataFrame, spec: ChangingAnswersSpec) -> pd.Series:
    some, most = (of_memorised(table, "true on the way", spec.noise_levels[k]) for k in (1, -1))
    return some - most


CLAIMS = (
    claim(
        "true-on-the-way",
        "On the way to a wrong label, a network gives most mislabelled examples their true one.",
        "liu-et-al-2020",
        _at_lowest("true on the way"),
        origin="consequence",
        above=0.6,
        control="shuffled labels",
        note="Twice in a row, of the examples whose wrong label is memorised. The paper shows it for all such examples "
        "together; here each has its own course.",
    ),
    claim(
        "straight-from-true-to-given",
        "Most of them go straight from the true label to the wrong one: no third class comes in between.",
        "liu-et-al-2020",
        _at_lowest("straight"),
        origin="ours",
        above=0.4,
        control="shuffled labels",
        note="Where answers wander among ten classes it would be one in nine.",
    ),
    claim(
        "not-by-chance",
        "Where all labels are drawn at random, the true label comes up on the way much less often.",
        "arpit-et-al-2017",
        _more_than_by_chance,
        origin="consequence",
        above=0.3,
        control="shuffled labels",
    ),
)
