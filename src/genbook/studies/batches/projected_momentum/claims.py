"""What is claimed of momentum and normalised weights: how they grow, what that costs, what projection saves."""

from __future__ import annotations

import pandas as pd

from genbook.studies.batches.projected_momentum.design import ProjectedMomentumSpec
from genbook.studies.measured import half_test_image
from genbook.tables import readings, tidy
from genbook.tables.statistics import claim, difference, ratio


def theory(momentum: float) -> float:
    """1 + 2β / (1 − β): how much more ‖w‖² grows by updates of momentum β than by tangential ones as long."""
    return 1 + 2 * momentum / (1 - momentum)


def squares(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.DataFrame:
    """‖w‖² of the hidden layers together, at the measured steps in columns; rows are seeds and runs."""
    norms = tidy.select(table, quantity="weight norm")
    mine = norms[norms["layer"].isin(spec.hidden_weights)]
    return (mine["value"] ** 2).groupby([mine["seed"], mine["run"], mine["step"]]).sum().unstack("step")


def growth(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.DataFrame:
    """‖w‖² at the end of training less that at its start: seeds in rows, runs in columns."""
    found = squares(table, spec)
    return (found[spec.steps] - found[0]).unstack("run")


@ratio("times the growth of ‖w‖² by plain descent")
def momentum_over_plain(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.Series:
    """Growth with momentum over that without, at learning rates with which a constant gradient moves them equally."""
    found = growth(table, spec)
    return found["momentum"] / found["plain"]


@ratio("times the growth of ‖w‖² under projection")
def momentum_over_projected(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.Series:
    """Growth with momentum over that by momentum without its radial part."""
    found = growth(table, spec)
    return found["momentum"] / found["projected"]


@ratio("times the effective learning rate of momentum, at the end")
def effective_rate(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.Series:
    """η / ‖w‖² under projection over that of momentum, of one η."""
    end = squares(table, spec)[spec.steps].unstack("run")
    return end["momentum"] / end["projected"]


@ratio("times the training loss under projection")
def loss_over_projected(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.Series:
    """Training loss at the end with momentum over that under projection."""
    found = readings.complete(readings.final(table, "train loss", "run"), table, "run")
    return found["momentum"] / found["projected"]


def _error_above_projected(table: pd.DataFrame, spec: ProjectedMomentumSpec) -> pd.Series:
    found = readings.complete(1 - readings.final(table, "test accuracy", "run"), table, "run")
    return found["momentum"] - found["projected"]


error_above_projected = difference("of test error above that under projection", _error_above_projected, half_test_image)

CLAIMS = (
    claim(
        "momentum-inflates-weights",
        "Momentum lengthens scale-invariant weights more than plain descent that moves as fast.",
        "heo-et-al-2021",
        momentum_over_plain,
        above=1.5,
        origin="paper",
        control="small batches",
    ),
    claim(
        "projection-stops-growth",
        "Without the radial part of its updates momentum lengthens scale-invariant weights far less.",
        "heo-et-al-2021",
        momentum_over_projected,
        above=5,
        origin="paper",
        control="no normalisation",
    ),
    claim(
        "projection-keeps-rate",
        "At the end of training the effective learning rate is higher under projection.",
        "heo-et-al-2021",
        effective_rate,
        above=1.5,
        origin="paper",
        control="no normalisation",
    ),
    claim(
        "projection-lowers-loss",
        "After as many steps training loss is lower under projection.",
        "heo-et-al-2021",
        loss_over_projected,
        above=1.25,
        origin="consequence",
        control="small batches",
    ),
    claim(
        "projection-lowers-error",
        "Projection lowers the test error of momentum.",
        "heo-et-al-2021",
        error_above_projected,
        above=0.005,
        origin="paper",
        control="small batches",
    ),
)
