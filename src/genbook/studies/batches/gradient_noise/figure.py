"""What the figures of noise on gradients are drawn from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.recipes import GradientNoise
from genbook.figures.moving import summaries
from genbook.studies.batches.gradient_noise.design import GradientNoiseSpec
from genbook.studies.batches.gradient_noise.theory import weight_variance
from genbook.tables import readings, tidy

#: What a page calls the runs, and the shade of each.
CALLED = {
    ("poor", "none"): ("poor start", "control"),
    ("poor", "annealed"): ("poor, annealed noise", "real"),
    ("poor", "constant"): ("poor, constant noise", "random"),
    ("good", "none"): ("good start", "clean"),
    ("good", "annealed"): ("good, annealed noise", "theory"),
}
SHADES = dict(CALLED.values())


def lowest_so_far(table: pd.DataFrame) -> pd.DataFrame:
    """The lowest training loss until a step, which a run that diverges keeps: ``seed``, ``run``, ``step``, ``loss``."""
    losses = readings.curve(table, "train loss", "start", "noise").unstack("step")
    found = losses.cummin(axis=1).ffill(axis=1).stack().rename("loss").reset_index()
    return found.assign(run=_names(found))[["seed", "run", "step", "loss"]]


def kept(table: pd.DataFrame, spec: GradientNoiseSpec) -> pd.DataFrame:
    """What weights of a layer's norm leave on average of a signal's square, from the first hidden layer to each.

    A layer of m rectified units on m inputs multiplies it by ‖W‖² / (2 m).

    Returns:
        Columns ``seed``, ``run``, ``step``, ``layer`` (the first hidden is 1) and ``kept``; no row of what diverged.
    """
    norms = tidy.select(table, quantity="weight norm")
    norms = norms[norms["layer"].str.endswith(".weight") & (norms["value"] > 0) & np.isfinite(norms["value"])]
    norms = norms.assign(layer=norms["layer"].str.partition(".")[0].astype(int) // 2 + 1, run=_names(norms))
    norms = norms[norms["layer"] <= spec.depth].sort_values("layer")
    logs = np.log(norms["value"] ** 2 / (2 * spec.width)).where(norms["layer"] > 1, 0.0)
    summed = logs.groupby([norms[name] for name in ("seed", "run", "step")]).cumsum()
    return norms.assign(kept=np.exp(summed))[["seed", "run", "step", "layer", "kept"]]


def walked(spec: GradientNoiseSpec, steps: list[int]) -> pd.DataFrame:
    """The same where noise alone moves the weights of the poor start: at both ends of a line over the layers."""
    rows = []
    for noise, gamma in (("annealed", spec.gamma), ("constant", 0.0)):
        noisy = GradientNoise(spec.eta, gamma)
        variances = weight_variance(spec.poor, spec.width, spec.learning_rate, noisy, max(steps))
        for step in steps:
            gain = spec.width * variances[step] / 2
            rows += [(CALLED["poor", noise][0], step, layer, gain ** (layer - 1)) for layer in (1, spec.depth)]
    return pd.DataFrame(rows, columns=["run", "step", "layer", "kept"])


def moved(table: pd.DataFrame, spec: GradientNoiseSpec) -> dict[str, pd.DataFrame]:
    """By name: ``losses`` along training, ``signals`` by run, step and layer, both over seeds, and ``walks``."""
    each = kept(table, spec)
    return {
        "losses": summaries(lowest_so_far(table), "step", "loss", ["run"]),
        "signals": summaries(each, "layer", "kept", ["run", "step"], scale="log"),
        "walks": walked(spec, sorted(each["step"].unique())),
    }


def _names(rows: pd.DataFrame) -> list[str]:
    return [CALLED[run][0] for run in zip(rows["start"], rows["noise"], strict=True)]
