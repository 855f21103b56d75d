"""What is claimed of training towards flat places, and whether it is flatness that helps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from genbook.studies.landscape.sharpness_aware.spec import SharpnessAwareSpec
from genbook.studies.measured import half_test_image
from genbook.tables import tidy
from genbook.tables.statistics import claim, identity, ratio

_SAM, _SAF, _DINH = "foret-et-al-2021", "du-et-al-2022", "dinh-et-al-2017"
#: Within this factor of one another two losses count as near.
NEAR = 2.0
_FIT = 3  # points that a line is fitted to at least


def ends(table: pd.DataFrame, quantity: str, noise: float) -> pd.DataFrame:
    """A quantity at the end of training: rows seeds, columns methods."""
    rows = tidy.select(table, quantity=quantity, noise=noise, scale=1.0).sort_values("gradients", kind="stable")
    return rows.groupby(["seed", "method"])["value"].last().unstack("method")


def by_scale(table: pd.DataFrame, quantity: str, method: str) -> pd.DataFrame:
    """A quantity of the rescaled networks of a method: rows seeds, columns scales."""
    return tidy.wide(table, "seed", "scale", quantity=quantity, method=method, noise=0.0)


def stopped(table: pd.DataFrame, noise: float, level: pd.Series) -> pd.Series:
    """Test error of plain descent where its training loss is ``level``, one a seed.

    From batch to batch both jump, so that error is a line in the logarithm of the loss, fitted to all looks at the
    training whose loss is within a factor of `NEAR`; NaN where these are fewer than three.
    """
    found = {}
    for seed, rows in tidy.select(table, method="SGD", noise=noise, scale=1.0).groupby("seed"):
        course = rows[rows["quantity"].isin(["train loss", "test error"])]
        course = course.pivot(index="gradients", columns="quantity", values="value")
        away = np.log(course["train loss"] / level[seed])
        near = away.abs() <= np.log(NEAR)
        found[seed] = np.polyfit(away[near], course["test error"][near], 1)[1] if near.sum() >= _FIT else np.nan
    return pd.Series(found).rename_axis("seed")


def _half_image(table: pd.DataFrame, spec: SharpnessAwareSpec) -> float:
    """Half a test image, as a part of the mean test error."""
    error, half = ends(table, "test error", spec.noise).to_numpy().mean(), half_test_image(table, spec)
    return float(np.log1p(half / max(error, half)))


def _over(quantity: str, method: str, other: str, noisy: bool = False) -> Callable[..., pd.Series]:
    def found(table: pd.DataFrame, spec: SharpnessAwareSpec) -> pd.Series:
        values = ends(table, quantity, spec.noise if noisy else 0.0)
        return values[method] / values[other]

    return found


def _error_over(method: str) -> Callable[..., pd.Series]:
    """Test error with wrong labels over that of plain descent, half an image in place of none."""

    def found(table: pd.DataFrame, spec: SharpnessAwareSpec) -> pd.Series:
        errors = ends(table, "test error", spec.noise).clip(lower=half_test_image(table, spec))
        return errors[method] / errors["SGD"]

    return found


@ratio("times the test error of plain descent stopped at as low a training loss", continuity=_half_image)
def over_stopped(table: pd.DataFrame, spec: SharpnessAwareSpec) -> pd.Series:
    """SAM's test error with wrong labels over that of plain descent at the loss with which SAM ends."""
    least = half_test_image(table, spec)
    earlier = stopped(table, spec.noise, ends(table, "train loss", spec.noise)["SAM"])
    return ends(table, "test error", spec.noise)["SAM"].clip(lower=least) / earlier.clip(lower=least)


@ratio("times that of plain descent, each where rescaling makes it least")
def balanced(table: pd.DataFrame, spec: SharpnessAwareSpec) -> pd.Series:
    """The least largest eigenvalue over all scales, of SAM over that of plain descent."""
    found = {method: by_scale(table, "sharpness", method).min(axis=1) for method in ("SAM", "SGD")}
    return found["SAM"] / found["SGD"]


@identity("changes of outputs, of the largest")
def outputs_kept(table: pd.DataFrame, spec: SharpnessAwareSpec) -> pd.Series:
    """What rescaling changes of the outputs; one for each network and scale."""
    return tidy.series(table, ["seed", "method", "noise", "scale"], quantity="change of outputs")


CLAIMS = (
    claim(
        "sam-ends-flatter",
        "With as many gradient evaluations SAM ends where the largest eigenvalue of the Hessian is smaller.",
        _SAM,
        ratio("times the largest eigenvalue of plain descent", _over("sharpness", "SAM", "SGD")),
        below=0.7,
        control="tiny radius",
        origin="paper",
        reported="SAM seeks neighbourhoods of uniformly low loss (abstract).",
    ),
    claim(
        "saf-ends-flatter",
        "SAF ends where the largest eigenvalue is smaller than after plain descent.",
        _SAF,
        ratio("times the largest eigenvalue of plain descent", _over("sharpness", "SAF", "SGD")),
        below=0.9,
        control="no trajectory",
        origin="paper",
        reported="Sharp minima are avoided at almost no additional cost (abstract).",
        note="Networks here are small and have one learning rate for all methods; the paper's are deep.",
    ),
    claim(
        "sam-resists-wrong-labels",
        "Where some labels are wrong, SAM has a lower test error than plain descent.",
        _SAM,
        ratio("times the test error of plain descent", _error_over("SAM"), _half_image),
        below=0.7,
        control="tiny radius",
        origin="paper",
        note="With as many gradients SAM takes half as many steps, which helps by itself; more than that is asked.",
        reported="Robustness to label noise on a par with methods made for it (abstract).",
    ),
    claim(
        "saf-resists-wrong-labels",
        "Where some labels are wrong, SAF has a lower test error than plain descent.",
        _SAF,
        ratio("times the test error of plain descent", _error_over("SAF"), _half_image),
        below=0.95,
        control="no trajectory",
        origin="consequence",
    ),
    claim(
        "sam-beats-stopping",
        "That is more than to end at a higher loss: plain descent that stops there has a higher test error.",
        _SAM,
        over_stopped,
        below=0.9,
        control="tiny radius",
    ),
    claim(
        "ascent-decides",
        "A step as long in a random direction does not flatten: it takes the direction of the gradient.",
        _SAM,
        ratio("times the largest eigenvalue with random directions", _over("sharpness", "SAM", "random")),
        below=0.7,
        control="tiny radius",
    ),
    claim(
        "flatter-when-balanced",
        "SAM is flatter still where each network is rescaled to be as flat as its function lets it.",
        _DINH,
        balanced,
        below=0.8,
        control="tiny radius",
    ),
    claim(
        "rescaling-keeps-function",
        "The layers of a ReLU network can be rescaled against one another without a change of its outputs.",
        _DINH,
        outputs_kept,
        equals=0,
        within=1e-3,
        control="tanh",
        origin="paper",
        reported="Flat and sharp minima can be parametrisations of one function.",
    ),
)
