"""The student simulated: gradient flow, exact through the singular values of the inputs, all in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from genbook.base.progress import report
from genbook.base.seeding import CORRUPTION, INITIALISATION, TRAINING_SUBSET, generator
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec

#: Times a decade at which the errors are measured, ridges on either side of 1/SNR, and samples beyond N for the
#: spectra next to the threshold.
PER_DECADE, RIDGES, NEXT = 4, np.logspace(-3, 2, 21), (3, 5, 10, 20)
#: Ratio and steps of the student whose steps are really taken, to see what they leave alone.
FEW, REAL_STEPS = 0.5, 1000


class Problem(NamedTuple):
    """What a seed draws at one size N: inputs [P, N] of its own, and R teachers, each with its noise and start.

    ``teacher`` and ``start``: [N, R]. ``noise``: [P, R], of variance 1. ``variances``: [N], of the inputs' entries,
    times N.
    """

    inputs: np.ndarray
    teacher: np.ndarray
    noise: np.ndarray
    start: np.ndarray
    variances: np.ndarray

    def answers(self, samples: int) -> np.ndarray:
        """The noisy answers [samples, R] to the first inputs."""
        return self.inputs[:samples] @ self.teacher + self.noise[:samples]


def run(spec: LinearTeacherSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are small matrices."""
    rows = []
    for done, seed in enumerate(seeds):
        report(done / len(seeds), f"seed {seed}")
        for size in spec.inputs:
            problem = drawn(spec, seed, size)
            for ratio in spec.samples_per_weight:
                rows += [(seed, size, ratio, *row) for row in _errors(spec, problem, ratio)]
        for size in spec.inputs[:-1]:  # the largest would cost more than all the rest
            rows += [(seed, size, *row) for row in _spectra(spec, seed, size)]
        rows += [(seed, spec.inputs[0], FEW, *row) for row in _real_steps(spec, drawn(spec, seed, spec.inputs[0]))]
    return pd.DataFrame(rows, columns=["seed", "size", "ratio", "at", "quantity", "value"])


def times(spec: LinearTeacherSpec) -> np.ndarray:
    """Times at which errors are measured, from the earliest to the latest."""
    count = max(2, round(PER_DECADE * np.log10(spec.latest / spec.earliest)) + 1)
    return np.geomspace(spec.earliest, spec.latest, count)


def drawn(spec: LinearTeacherSpec, seed: int, size: int) -> Problem:
    """The problem of a seed: a larger α adds samples to those of a smaller one."""
    most = samples(spec.samples_per_weight[-1], size)
    draw = generator(seed, TRAINING_SUBSET)
    inputs, variances = _inputs(spec, draw, most, size)
    teacher = np.sqrt(spec.snr) * _directions(draw, size, spec.teachers)
    noise = generator(seed, CORRUPTION).standard_normal((most, spec.teachers))
    return Problem(inputs, teacher, noise, _directions(generator(seed, INITIALISATION), size, spec.teachers), variances)


def samples(ratio: float, size: int) -> int:
    """P for a ratio α at size N, at least 1."""
    return max(1, round(ratio * size))


class Modes(NamedTuple):
    """Singular values [r] of the inputs, right singular vectors [r, N], the answers along the left ones [r, R]."""

    singular: np.ndarray
    right: np.ndarray
    answers: np.ndarray


def modes(inputs: np.ndarray, answers: np.ndarray) -> Modes:
    """The singular value decomposition of ``inputs`` [P, N], with the ``answers`` [P, R] seen in it."""
    left, singular, right = np.linalg.svd(inputs, full_matrices=False)
    return Modes(singular, right, left.T @ answers)


def trajectories(found: Modes, start: np.ndarray, at: np.ndarray, decay: float) -> np.ndarray:
    """Weights [N, T, R] at the times ``at`` [T] of gradient flow on ½‖y − Xw‖² + ½γ‖w‖² from ``start`` [N, R].

    Along each right singular vector v of X, with eigenvalue λ = s², the weight tends to s⟨u, y⟩/(λ + γ), and what is
    missing shrinks like e^{−(λ + γ)t}; across all of them only the decay acts. Descent with a small learning
    rate η does the same in t/η steps.
    """
    singular, right, seen = found
    rates = singular**2 + decay
    ends = (singular / rates)[:, None] * seen
    along = right @ start
    remaining = np.exp(-rates[:, None] * at)[:, :, None]
    across = (start - right.T @ along)[:, None] * np.exp(-decay * at)[:, None]
    return np.tensordot(right.T, ends[:, None] + (along - ends)[:, None] * remaining, 1) + across


def _directions(draw: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Entries [size, count] of variance 1; lengths are fixed, for they would blur what is learned at small sizes."""
    entries = draw.standard_normal((size, count))
    return entries * np.sqrt(size) / np.linalg.norm(entries, axis=0)


def _inputs(spec: LinearTeacherSpec, draw: np.random.Generator, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    variances = np.ones(size)
    if spec.law == "signs":
        return draw.choice([-1.0, 1.0], (count, size)) / np.sqrt(size), variances
    if spec.law == "uneven":
        variances = 1 / np.arange(1, size + 1)
        variances *= size / variances.sum()
    return draw.standard_normal((count, size)) * np.sqrt(variances / size), variances


def _errors(spec: LinearTeacherSpec, problem: Problem, ratio: float) -> list[tuple[float, str, float]]:
    """Errors over time from both starts, and of ridge regression, at one α."""
    size = len(problem.teacher)
    count = samples(ratio, size)
    inputs, answers = problem.inputs[:count], problem.answers(count)
    found = modes(inputs, answers)
    at = times(spec)
    rows = []
    for name, inr in (("small", spec.small_start), ("large", spec.large_start)):
        start = np.sqrt(spec.snr * inr) * problem.start
        weights = trajectories(found, start, at, spec.weight_decay)
        errors = _test_error(problem, weights)
        rows += [(t, f"test error, {name} start", error) for t, error in zip(at, errors, strict=True)]
        if name == "small":
            residuals = ((answers[:, None] - np.tensordot(inputs, weights, 1)) ** 2).mean((0, 2))
            rows += [(t, "training error", error) for t, error in zip(at, residuals, strict=True)]
    ridges = np.append(RIDGES, spec.guess) / spec.snr
    singular, right, seen = found
    gains = singular[:, None] / (singular[:, None] ** 2 + ridges)
    weights = np.tensordot(right.T, gains[:, :, None] * seen[:, None], 1)
    errors = _test_error(problem, weights)
    rows += [(ridge, "ridge error", error) for ridge, error in zip(ridges[:-1], errors[:-1], strict=True)]
    return [*rows, (ridges[-1], "guessed ridge error", errors[-1])]


def _test_error(problem: Problem, weights: np.ndarray) -> np.ndarray:
    """Squared error [T] expected on a new noisy answer, the mean over teachers; exact, no test set is drawn."""
    distance = ((weights - problem.teacher[:, None]) ** 2).mean(2)
    return 1 + problem.variances @ distance / len(distance)


def _spectra(spec: LinearTeacherSpec, seed: int, size: int) -> list[tuple[float, float, str, float]]:
    """Mean over fresh input matrices of (1/N) Σ 1/λ, what the noise adds in the end, next to P = N."""
    draw = generator(seed, "spectra")
    rows = []
    for beyond in NEXT:
        values = []
        for _ in range(spec.draws):
            inputs, _ = _inputs(spec, draw, size + beyond, size)
            values.append((1 / np.linalg.eigvalsh(inputs.T @ inputs)).mean())
        rows.append((1 + beyond / size, float(beyond), "noise at the end", float(np.mean(values))))
    return rows


def _real_steps(spec: LinearTeacherSpec, problem: Problem) -> list[tuple[float, str, float]]:
    """Take the steps of a student with few samples one by one, and see how far it moves where it has no data."""
    count = samples(FEW, len(problem.teacher))
    inputs, answers = problem.inputs[:count], problem.answers(count)[:, 0]
    start = weights = np.sqrt(spec.snr * spec.large_start) * problem.start[:, 0]
    for _ in range(REAL_STEPS):
        weights = weights - spec.learning_rate * (inputs.T @ (inputs @ weights - answers) + spec.weight_decay * weights)
    _, _, right = np.linalg.svd(inputs, full_matrices=False)
    moved = weights - start
    frozen = moved - right.T @ (right @ moved)
    at = REAL_STEPS * spec.learning_rate
    return [(at, "moved in the frozen subspace", float(np.linalg.norm(frozen) / np.linalg.norm(moved)))]
