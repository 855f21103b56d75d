"""Gradient descent on the logistic loss at many learning rates at once, and the batch perceptron; all in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from genbook.base.seeding import CORRUPTION, TRAINING_SUBSET, generator
from genbook.studies.steps.perceptron_limit.spec import PerceptronLimitSpec


def run(spec: PerceptronLimitSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are a few thousand numbers."""
    return pd.concat([_one_seed(spec, seed) for seed in seeds], ignore_index=True)


def signed_points(spec: PerceptronLimitSpec, seed: int) -> np.ndarray:
    """y_i x_i, [n_train, inputs]: Gaussian points pushed off a random plane by the margin, each times its label."""
    draw = generator(seed, TRAINING_SUBSET)
    normal = draw.standard_normal(spec.inputs)
    normal /= np.linalg.norm(normal)
    inputs = draw.standard_normal((spec.n_train, spec.inputs))
    labels = np.sign(inputs @ normal)
    inputs += spec.margin * labels[:, None] * normal
    if spec.separable == "no":
        labels = generator(seed, CORRUPTION).choice([-1.0, 1.0], spec.n_train)
    return labels[:, None] * inputs


def missing_confidence(margins: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """1 − P(y | x), the weight of each point in the gradient, for margins of w/η; η = inf is the perceptron's rule.

    σ(−η z) tends to 1 where z < 0, to 0 where z > 0, and is 1/2 at z = 0 for every η.
    """
    with np.errstate(invalid="ignore"):
        scaled = np.where(margins == 0, 0.0, rates[:, None] * margins)
    return expit(-scaled)


def _one_seed(spec: PerceptronLimitSpec, seed: int) -> pd.DataFrame:
    """All learning rates of one seed; the last row of the weights is the perceptron, the limit of infinite rates."""
    points = signed_points(spec, seed)
    rates = np.array([*spec.learning_rates, np.inf])
    scaled = np.zeros((len(rates), spec.inputs))  # w/η, which stays finite as η grows
    first = np.full(len(rates), np.nan)
    highest = np.zeros(len(rates))
    apart = np.zeros(len(rates))
    rows = []
    for step in range(spec.steps + 1):
        margins = scaled @ points.T
        errors = (margins <= 0).mean(1)
        first[(errors == 0) & np.isnan(first)] = step
        losses = np.logaddexp(0, -rates[:-1, None] * margins[:-1]).mean(1)
        searching = np.isnan(first)
        highest[:-1] = np.where(searching[:-1], np.maximum(highest[:-1], losses), highest[:-1])
        if searching[-1]:
            length = np.linalg.norm(scaled[-1]) or 1.0
            apart = np.maximum(apart, np.linalg.norm(scaled - scaled[-1], axis=1) / length)
        if step <= spec.shown_steps:
            rows += [(seed, rate, step, "error", error) for rate, error in zip(rates, errors, strict=True)]
            rows += [(seed, rate, step, "loss", loss) for rate, loss in zip(rates[:-1], losses, strict=True)]
        if not searching.any() and step >= spec.shown_steps:
            break
        scaled = scaled + missing_confidence(margins, rates) @ points / spec.n_train
    summary = {"steps to zero error": first, "highest loss": highest, "distance from the perceptron": apart}
    for quantity, values in summary.items():
        kept = len(rates) if quantity == "steps to zero error" else len(rates) - 1
        rows += [(seed, rate, 0, quantity, v) for rate, v in zip(rates[:kept], values[:kept], strict=True)]
    return pd.DataFrame(rows, columns=["seed", "learning rate", "step", "quantity", "value"])
