"""The student simulated: gradient descent, exact for any number of steps, all in float64.

In the basis of the singular vectors of its inputs each of the student's weights goes its way by itself: after T steps
of learning rate η it has come the fraction 1 − (1 − ηλ)^T of it. So a million steps cost no more than one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from genbook import data
from genbook.base.progress import report
from genbook.base.seeding import CORRUPTION, TRAINING_SUBSET, generator
from genbook.studies.descent.two_scale_descent.spec import TwoScaleDescentSpec

#: Steps at which errors are measured, to a decade.
PER_DECADE = 12
#: What the learning rate of a feature is divided by: one for all, or one for each scale.
RATES = ("one", "one for each scale")


class Problem(NamedTuple):
    """What a seed draws.

    ``inputs``: [n, d], each feature of variance 1. ``second``: [d, d], their second moments over new inputs.
    ``teacher``: [d, R], of length 1 on average. ``noise``: [n, R], of variance 1. ``scale``: [d], standard deviation
    of each feature as the student sees it. ``order``: [d], the features in an order at random.
    """

    inputs: np.ndarray
    second: np.ndarray
    teacher: np.ndarray
    noise: np.ndarray
    scale: np.ndarray
    order: np.ndarray

    @property
    def slow(self) -> np.ndarray:
        """Which features are slow [d]."""
        return self.scale < self.scale.max()


def run(spec: TwoScaleDescentSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are small matrices."""
    rows = []
    for done, seed in enumerate(seeds):
        report(done / len(seeds), f"seed {seed}")
        problem = drawn(spec, seed)
        for rates in RATES:
            found = errors(spec, problem, rates)
            rows += [
                (seed, noise, rates, step, quantity, value)
                for quantity, by_noise in found.items()
                for noise, values in zip(spec.noises, by_noise, strict=True)
                for step, value in zip(steps(spec), values, strict=True)
            ]
    return pd.DataFrame(rows, columns=["seed", "noise", "rates", "step", "quantity", "value"])


def steps(spec: TwoScaleDescentSpec) -> np.ndarray:
    """Numbers of steps at which errors are measured, from one on."""
    last = max(2.0, spec.latest / spec.rate)
    return np.unique(np.geomspace(1, last, round(PER_DECADE * np.log10(last)) + 1).astype(int))


def rate_factors(spec: TwoScaleDescentSpec, problem: Problem, rates: str) -> np.ndarray:
    """What the learning rate of each feature [d] is multiplied by."""
    factors = np.ones(len(problem.scale))
    if rates == RATES[1]:
        chosen = problem.order[: spec.fast] if spec.slowed == "features at random" else np.arange(spec.fast)
        factors[chosen] = 1 / spec.kappa
    return factors


def errors(spec: TwoScaleDescentSpec, problem: Problem, rates: str) -> dict[str, np.ndarray]:
    """Squared errors on noiseless answers to new inputs [noises, steps], the mean over teachers: whole, and by scale.

    The answers are linear in the noise, so that what is learned from the teacher and what from the noise is found once.
    """
    # Descent with a rate of its own for each feature is descent with one rate on features that are scaled by its root.
    seen = problem.scale * np.sqrt(rate_factors(spec, problem, rates))
    taught = problem.inputs @ problem.teacher
    signal, learned = (
        _weights(spec, problem.inputs * seen, answers) * seen[:, None, None] for answers in (taught, problem.noise)
    )
    missed = signal - problem.teacher[:, None]
    found: dict[str, list[np.ndarray]] = {"test error": [], "error of fast features": [], "error of slow features": []}
    parts = (np.ones_like(problem.slow), ~problem.slow, problem.slow)
    for noise in spec.noises:
        distance = missed + noise * learned
        for name, part in zip(found, parts, strict=True):
            kept = distance[part]
            moved = np.tensordot(problem.second[np.ix_(part, part)], kept, 1)
            found[name].append((kept * moved).sum(0).mean(1))
    return {name: np.array(values) for name, values in found.items()}


def _weights(spec: TwoScaleDescentSpec, inputs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The student's weights [d, steps, R] on its inputs [n, d] as descent from zero goes; NaN where it diverges."""
    left, singular, right = np.linalg.svd(inputs, full_matrices=False)
    eigenvalues = singular**2 / len(inputs)
    left_over = 1 - spec.rate * eigenvalues[:, None]
    come = 1 - np.where(np.abs(left_over) <= 1, left_over, np.nan) ** steps(spec)  # beyond, descent diverges
    ends = (left.T @ answers) / singular[:, None]
    return np.tensordot(right.T, come[:, :, None] * ends[:, None], 1)


def drawn(spec: TwoScaleDescentSpec, seed: int) -> Problem:
    """The problem of a seed; more examples of the same seed contain the fewer."""
    d = spec.fast + spec.slow
    draw, order = generator(seed, TRAINING_SUBSET), generator(seed, "features").permutation(d)
    slow = np.arange(d) >= spec.fast
    if spec.dataset:
        pool, new, teacher = _components(spec.dataset, d)
        chosen = draw.permutation(len(pool))[: spec.examples]
        inputs, new, teacher = pool[chosen][:, order], new[:, order], teacher[order, : spec.teachers]
        second = new.T @ new / len(new)
    else:
        inputs, second = draw.standard_normal((spec.examples, d)), np.eye(d)
        teacher = generator(seed, "teacher").standard_normal((d, spec.teachers)) / np.sqrt(d)
    teacher = np.where(slow[:, None], np.sqrt(spec.slow_weight), 1) * teacher
    if spec.uneven:
        factor = np.exp(spec.uneven * generator(seed, "uneven").standard_normal((spec.examples, 1)))
        inputs = inputs * factor * np.exp(-(spec.uneven**2))
    noise = generator(seed, CORRUPTION).standard_normal((spec.examples, teacher.shape[1]))
    return Problem(inputs, second, teacher, noise, np.where(slow, spec.kappa**-0.5, 1.0), order)


@functools.cache
def _components(name: str, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first principal components of the training pool's images [N, d] and of the test images' [M, d], whitened over
    the pool, and the classes as teachers [d, 10]: the best linear answer to "is it of this class?", of length 1."""
    images = data.load(name)
    pool, new = (part.reshape(len(part), -1).astype(float) for part in (images.train_inputs, images.test_inputs))
    mean = pool.mean(0)
    _, singular, right = np.linalg.svd(pool - mean, full_matrices=False)
    axes = right[:count].T / singular[:count] * np.sqrt(len(pool))
    pool, new = (pool - mean) @ axes, (new - mean) @ axes
    classes = np.eye(images.n_classes)[images.train_labels]
    teachers = pool.T @ (classes - classes.mean(0))
    return pool, new, teachers / np.linalg.norm(teachers, axis=0)
