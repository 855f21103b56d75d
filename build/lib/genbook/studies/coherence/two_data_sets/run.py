"""Gradient descent on L and M, on products of factors, and on random data sets between the two; all in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genbook.base.seeding import CORRUPTION, INITIALISATION, TRAINING_SUBSET, generator
from genbook.studies.coherence.two_data_sets.spec import TwoDataSetsSpec

_LABELS = np.array([1.0, -1.0, -1.0, 1.0])
_TEST, _TEST_LABEL = np.array([0.0, 0.0, 0.0, 0.0, -1.0, -1.0]), -1.0
#: The sixth input where it is hardly shared: four times this is between 1 and 2, so that own weights shrink more slowly
#: than in proportion to the start of two factors, with the power 2 - 2 / (4 · 0.3) in the limit of small ones.
HARDLY = 0.3
_FITTED = 1e-4
_MOST_STEPS = 5000
_FAMILY_STEPS = 1000
_TEST_EXAMPLES = 500


def run(spec: TwoDataSetsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are a few hundred numbers."""
    rows = [row for data in ("L", "M") for seed in seeds for row in _one_layer(spec, data, seed)]
    for depth in spec.depths:
        rows += _products(spec, depth, seeds)
    rows += [row for seed in seeds for row in _family(spec, seed)]
    return pd.DataFrame(rows)


def inputs_of(data: str, shared: str = "as published") -> np.ndarray:
    """Training inputs [4, 6] of L or M: four own features, a fifth that only the test point has, the sixth."""
    sixth = {"as published": float(data == "L"), "hardly": HARDLY * (data == "L"), "nowhere": 0.0, "everywhere": 1.0}
    own = np.hstack([np.eye(4), np.zeros((4, 1)), np.full((4, 1), sixth[shared])])
    return _LABELS[:, None] * own


def m_coherence(gradients: np.ndarray) -> np.ndarray:
    """‖Σ g_i‖² / Σ ‖g_i‖² of gradients [..., m, p]; NaN where all of them are zero."""
    total, squares = np.square(gradients.sum(-2)).sum(-1), np.square(gradients).sum((-2, -1))
    return total / np.where(squares > 0, squares, np.nan)


def _one_layer(spec: TwoDataSetsSpec, data: str, seed: int) -> Iterator[dict[str, Any]]:
    """Plain gradient descent from 0; nothing is drawn."""
    inputs, weights = inputs_of(data, spec.shared), np.zeros(6)
    common = {"seed": seed, "data": data, "depth": 1, "init scale": 0.0, "strength": np.nan}
    for step in range(spec.steps + 1):
        outputs = inputs @ weights
        gradients = (outputs - _LABELS)[:, None] * inputs
        measured = {
            "m-coherence": m_coherence(gradients),
            "train loss": 0.5 * np.square(outputs - _LABELS).mean(),
            "train output": (_LABELS * outputs).mean(),
            "test output": _TEST_LABEL * (_TEST @ weights),
            "own weight": weights[:4].mean(),
            "shared weight": weights[5],
        }
        yield from ({**common, "step": step, "quantity": name, "value": float(v)} for name, v in measured.items())
        weights = weights - spec.learning_rate * gradients.mean(0)


def _products(spec: TwoDataSetsSpec, depth: int, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """L with each weight a product of ``depth`` factors, for all seeds and starts at once, until fitted."""
    inputs = inputs_of("L", spec.shared)
    draws = np.stack([generator(seed, INITIALISATION).uniform(-1, 1, (depth, 6)) for seed in seeds])
    start = 1 + spec.spread * draws
    factors = start[:, None] * np.array(spec.init_scales)[:, None, None]  # [seeds, inits, depth, 6]
    measured_at = {0, *np.geomspace(1, _MOST_STEPS, 120).round().astype(int).tolist()}
    open_ = np.ones(factors.shape[:2], bool)
    for step in range(_MOST_STEPS + 1):
        weights = factors.prod(2)
        outputs = weights @ inputs.T
        residuals = outputs - _LABELS
        loss = 0.5 * np.square(residuals).mean(-1)
        ending = open_ & ((loss < _FITTED) | (step == _MOST_STEPS))
        others = weights[:, :, None] / factors
        if step in measured_at or ending.any():
            due = open_ if step in measured_at else ending
            # by example: ∂ℓ_i/∂factor_k = r_i x_i · the product of the other factors
            gradients = residuals[..., None, None] * inputs[:, None] * others[:, :, None]
            measured = {
                "m-coherence": m_coherence(gradients.reshape(*gradients.shape[:3], -1)),
                "train loss": loss,
                "train output": (_LABELS * outputs).mean(-1),
                "test output": _TEST_LABEL * (weights @ _TEST),
                "own weight": weights[..., :4].mean(-1),
                "shared weight": weights[..., 5],
            }
            for s, i in zip(*np.nonzero(due), strict=True):
                common = {"seed": seeds[s], "data": "L", "depth": depth, "init scale": spec.init_scales[i]}
                for name, values in measured.items():
                    yield {**common, "strength": np.nan, "step": step, "quantity": name, "value": float(values[s, i])}
        open_ &= ~ending
        if not open_.any():
            return
        update = ((residuals @ inputs) / len(_LABELS))[:, :, None] * others
        factors = np.where(open_[:, :, None, None], factors - spec.learning_rate * update, factors)


def _family(spec: TwoDataSetsSpec, seed: int) -> Iterator[dict[str, Any]]:
    """Random data sets x = y s u + ξ with ξ ~ N(0, I/d): own features drawn, almost orthogonal, almost of length 1.

    One for each strength s, all drawn apart from one another.
    """
    m, d = spec.n_train, spec.dimension
    rng, strengths = generator(seed, TRAINING_SUBSET), np.array(spec.strengths)
    inputs = rng.normal(size=(len(strengths), m + _TEST_EXAMPLES, d)) / np.sqrt(d)
    signs = rng.choice([-1.0, 1.0], inputs.shape[:2])
    labels = generator(seed, CORRUPTION).permuted(signs, axis=1) if spec.labels == "shuffled" else signs
    inputs[:, :, 0] += strengths[:, None] * signs
    train, train_labels = inputs[:, :m], labels[:, :m]
    weights = np.zeros((len(strengths), d))
    learning_rates = 1 / np.linalg.eigvalsh(train @ train.transpose(0, 2, 1))[:, -1:]
    at_start = m_coherence(train_labels[..., None] * train)
    for _ in range(_FAMILY_STEPS):
        residuals = (train @ weights[:, :, None])[..., 0] - train_labels
        weights = weights - learning_rates * (residuals[:, None] @ train)[:, 0]
    margins = labels[:, m:] * (inputs[:, m:] @ weights[:, :, None])[..., 0]
    measured = {
        "m-coherence": at_start,
        "train loss": 0.5 * np.square((train @ weights[:, :, None])[..., 0] - train_labels).mean(-1),
        "test output": margins.mean(-1),
        "test loss": 0.5 * np.square(margins - 1).mean(-1),
        "test accuracy": (margins > 0).mean(-1),
    }
    common = {"seed": seed, "data": "family", "depth": 1, "init scale": 0.0, "step": _FAMILY_STEPS}
    for name, values in measured.items():
        for strength, value in zip(spec.strengths, values, strict=True):
            yield {**common, "strength": strength, "quantity": name, "value": float(value)}
