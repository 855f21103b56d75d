"""What the figure is drawn from in which the reader changes one thing about the descent at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.descent.random_features import claims
from genbook.tables import tidy

#: The family of runs that differ in how long they descend, and a training loss that counts as none.
LONGER = "steps"
_NOTHING = 1e-9


def interventions(table: pd.DataFrame, knobs: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
    """``drawn``: test loss against width in each setting; ``runs``: each setting's training loss and peak at k = n.

    ``knobs``: what is changed, and the families of runs in which it is (`genbook.studies.descent.random_features`).
    ``place`` tells the settings of a knob apart, from near 0 to 1 in their order; ``steps`` how long they descend.
    """
    of = {family: knob for knob, families in knobs.items() for family in families} | {LONGER: LONGER}
    rows = tidy.select(table, quantity="test loss")
    rows = rows[rows["group"].isin(("optimiser", "problem")) & rows["family"].isin(of)]
    rows = rows.assign(knob=rows["family"].map(of), steps=rows["steps"].replace(np.inf, np.nan))
    settings = {knob: list(mine["setting"].unique()) for knob, mine in rows.groupby("knob", sort=False)}
    drawn = summaries(rows, "width", "value", ["knob", "setting"], scale="log")
    drawn["place"] = [
        round((1 + settings[knob].index(name)) / len(settings[knob]), 2)
        for knob, name in zip(drawn["knob"], drawn["setting"], strict=True)
    ]
    taken = rows.groupby(["knob", "setting"])["steps"].first()
    drawn["steps"] = taken.reindex(pd.MultiIndex.from_frame(drawn[["knob", "setting"]])).to_numpy()
    runs = claims.mean_runs(table)
    runs = runs[runs["family"].isin(of) & (runs["training loss"] > _NOTHING)]
    runs = runs.assign(knob=runs["family"].map(of)).rename(columns={"training loss": "fitted"})
    return {"drawn": drawn, "runs": runs[["knob", "setting", "steps", "fitted", "peak"]].replace(np.inf, np.nan)}
