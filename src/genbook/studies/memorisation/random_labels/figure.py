"""What the figure is drawn from in which the reader chooses the images, the fraction of random labels, and the step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.memorisation.random_labels import claims
from genbook.tables import readings

#: Fraction of the seeds that must come down to a loss for a mean to be drawn there.
_OFTEN = 0.8


def labels_move(tables: Mapping[str, pd.DataFrame], steps: int = 30) -> dict[str, pd.DataFrame]:
    """By data set, what networks have reached at some ``steps`` and how coherent they are on their way.

    ``reached``: accuracy on training labels and on new images, by step; ``courses``: m-coherence at equal losses;
    ``places``: where on them the networks stand at each step, by their mean loss.
    """
    last = max(table["step"].max() for table in tables.values())
    when = [0, *(int(step) for step in np.unique(np.geomspace(1, last, steps).round()))]
    reached, courses, places = [], [], []
    for name, table in tables.items():
        for on in ("train", "test"):
            reached.append(_up_to(table, f"{on} accuracy", when).reset_index().assign(set=name, on=on))
        drawn = _courses(table)
        courses.append(drawn.assign(set=name))
        places.append(_places(table, drawn, when).assign(set=name))
    return {
        "reached": summaries(pd.concat(reached), "step", "value", ["set", "on", "noise"]),
        "courses": pd.concat(courses),
        "places": pd.concat(places),
    }


def _up_to(table: pd.DataFrame, quantity: str, when: list[int]) -> pd.Series:
    """What networks have reached at each step, (seed, noise, step): one that has stopped stays as it is."""
    values = readings.curve(table, quantity, "noise", network="base").unstack("step").T
    return values.ffill().reindex(when, method="ffill").T.stack().rename("value")


def _courses(table: pd.DataFrame) -> pd.DataFrame:
    """Coherence at equal losses, where enough networks have a value; ``which`` kind of labels, and their ``name``."""
    equal_losses = readings.against_loss(claims.learning(table))
    seeds = equal_losses.groupby(["noise", "loss"])["seed"].transform("nunique")
    drawn = summaries(equal_losses[seeds >= _OFTEN * table["seed"].nunique()], "loss", "value", ["noise"], scale="log")
    names = ["real" if level == 0 else f"{level:.0%} random" for level in drawn["noise"]]
    return drawn.assign(which=_kind(drawn), name=names)


def _places(table: pd.DataFrame, drawn: pd.DataFrame, when: list[int]) -> pd.DataFrame:
    """The point of each course that lies at the mean loss of each step."""
    places = _up_to(table, "train loss", when).groupby(["noise", "step"]).mean().rename("loss").reset_index()
    for level, course in drawn.groupby("noise"):
        mine = places["noise"] == level
        at = places.loc[mine, "loss"].clip(course["loss"].min(), course["loss"].max())
        places.loc[mine, ["loss", "estimate"]] = np.column_stack(
            [at, np.interp(at, course["loss"], course["estimate"])]
        )
    if "estimate" not in places:
        return places.assign(estimate=np.nan, which="").iloc[:0]
    return places.dropna().assign(which=_kind)


def _kind(rows: pd.DataFrame) -> np.ndarray:
    return np.where(rows["noise"] == 0, "real", "random")
