"""Two Gaussians: gradient descent on the logistic loss in the span of the training points, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from genbook.base.seeding import CORRUPTION, TRAINING_SUBSET, generator
from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec


def run(spec: TwoGaussiansSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Draw the points of each seed and number of dimensions, descend, and return the tidy table."""
    rows = [row for seed in seeds for ratio in spec.dimensions for row in _descend(spec, seed, ratio)]
    return pd.DataFrame(rows, columns=["seed", "dimensions", "step", "quantity", "group", "value"])


def first_step_accuracy(n_train: int, dimension: int, noise: float, sigma: float) -> float:
    """Test accuracy after one step of gradient descent from 0, for many points, whatever the learning rate.

    The step goes along the mean of the points times their labels, (1 − Δ) v + σ z / √n with z standard normal in p
    dimensions. A new point is right with probability Φ(⟨w, v⟩ / (σ ‖w‖)), which gives
    Φ((1 − Δ) / (σ √((1 − Δ)² + σ² p / n))).
    """
    along = 1 - noise
    return float(ndtr(along / (sigma * math.sqrt(along**2 + sigma**2 * dimension / n_train))))


def draw(spec: TwoGaussiansSpec, seed: int, ratio: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points [n, p] with the centres at ±1 on the first axis, their true labels ±1 and their given labels ±1."""
    dimension = max(1, round(ratio * spec.n_train))
    rng = generator(seed, TRAINING_SUBSET)
    true = np.where(rng.random(spec.n_train) < 0.5, 1.0, -1.0)
    points = spec.spread / math.sqrt(dimension) * rng.standard_normal((spec.n_train, dimension))
    if spec.signal == "present":
        points[:, 0] += true
    rng = generator(seed, CORRUPTION)
    drawn = rng.random(spec.n_train) < spec.noise
    given = np.where(drawn, np.where(rng.random(spec.n_train) < 0.5, 1.0, -1.0), true)
    return points, true, given


def _descend(spec: TwoGaussiansSpec, seed: int, ratio: float) -> Iterator[tuple[int, float, int, str, str, float]]:
    points, true, given = draw(spec, seed, ratio)
    n, dimension = points.shape
    sigma = spec.spread / math.sqrt(dimension)
    wrong = given != true
    # From 0 the weights stay in the span of the points, w = Σ c_i x_i, so the n × n products are all that is needed.
    gram, along = points @ points.T, points[:, 0]
    weights, outputs = np.zeros(n), np.zeros(n)
    measured = {0, *np.geomspace(1, spec.steps, spec.n_measurements).round().astype(int).tolist()}
    yield seed, ratio, 0, "first step in theory", "all", first_step_accuracy(n, dimension, spec.noise, sigma)
    for step in range(spec.steps + 1):
        coefficients = expit(-given * outputs)
        if step in measured:
            length = math.sqrt(max(weights @ outputs, 0.0))
            margin = along @ weights / (sigma * length) if length and spec.signal == "present" else 0.0
            yield seed, ratio, step, "test accuracy", "all", float(ndtr(margin))
            yield seed, ratio, step, "train accuracy", "all", float((given * outputs > 0).mean())
            for group, mask in (("clean", ~wrong), ("corrupted", wrong)):
                if mask.any():
                    yield seed, ratio, step, "coefficient", group, float(coefficients[mask].mean())
                    right = float((true * outputs > 0)[mask].mean())
                    yield seed, ratio, step, "train accuracy on true labels", group, right
        weights += spec.learning_rate / n * given * coefficients
        outputs = gram @ weights
