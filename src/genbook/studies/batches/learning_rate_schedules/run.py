"""Descent with every schedule at every peak at once, first to see gradients, then to compare; all in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genbook.base.seeding import generator
from genbook.studies.batches.learning_rate_schedules import theory
from genbook.studies.batches.learning_rate_schedules.problem import LOSSES, best_weights, signed_points
from genbook.studies.batches.learning_rate_schedules.spec import LearningRateSchedulesSpec
from genbook.studies.batches.shared import factors, refined, smoothed

COLUMNS = ["seed", "schedule", "peak", "step", "quantity", "value"]
#: Steps at which schedules and gradients are kept for figures and statistics, as a number of equal parts of a run.
KEPT = 100


@dataclass(frozen=True)
class Course:
    """What came of schedules at peaks: losses at the end, and gradients on the way.

    Attributes:
        losses: mean over the repeats of the loss on the training set of the last iterate and of the average of all,
            by name, each [schedules, peaks].
        squares: mean over the repeats of the squared norm of the batch's gradient, [schedules, peaks, steps].
        norms: that norm in the first of the repeats, [schedules, peaks, steps].
        weights: of the first of the repeats, before each step, [steps, features], of the first schedule at each peak.
    """

    losses: dict[str, np.ndarray]
    squares: np.ndarray
    norms: np.ndarray
    weights: np.ndarray


def run(spec: LearningRateSchedulesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are a few thousand numbers."""
    rows = [row for seed in seeds for row in _one_seed(spec, seed)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _one_seed(spec: LearningRateSchedulesSpec, seed: int) -> Iterator[tuple[object, ...]]:
    points = signed_points(spec, seed)
    best = best_weights(points, spec.loss)
    least, distance = LOSSES[spec.loss][0](points @ best).mean(), float(np.linalg.norm(best))
    shapes = dict(factors(spec.steps))
    kept = np.unique(np.linspace(0, spec.steps - 1, KEPT + 1).round().astype(int))

    # The first run: linear decay, at whichever peak it ends lowest.
    first = descend(points, shapes["linear"][None], spec, generator(seed, "first runs"))
    peak = int(first.losses[spec.iterate][0].argmin())
    norms = smoothed(first.norms[0, peak], spec.window)
    shapes["refined"] = refined(norms)
    named = (seed, "linear", spec.peaks[peak])
    for step in kept:
        yield (*named, step, "gradient norm", norms[step])
        yield from ((*named, step, *found) for found in gradients(points, first.weights[step, peak], spec.loss).items())
        yield (seed, "refined", spec.peaks[peak], step, "factor", shapes["refined"][step])

    # The runs that are compared, on batches of their own.
    course = descend(points, np.array(list(shapes.values())), spec, generator(seed, "compared runs"))
    for i, (schedule, shape) in enumerate(shapes.items()):
        for j, at in enumerate(spec.peaks):
            named = (seed, schedule, at, spec.steps - 1)
            yield (*named, "excess loss", course.losses[spec.iterate][i, j] - least)
            yield (*named, "excess loss of the average", course.losses["average"][i, j] - least)
            yield (*named, "bound", theory.last_iterate_bound(at * shape, course.squares[i, j], distance))


def gradients(points: np.ndarray, weights: np.ndarray, loss: str) -> dict[str, float]:
    """The two numbers of coherence: the mean squared norm of the examples' gradients, and that of their mean."""
    each = LOSSES[loss][1](points @ weights)[:, None] * points
    return {
        "mean of squared norms": float((each**2).sum(1).mean()),
        "squared norm of the mean": float((each.mean(0) ** 2).sum()),
    }


def descend(
    points: np.ndarray, shapes: np.ndarray, spec: LearningRateSchedulesSpec, draws: np.random.Generator
) -> Course:
    """Run every schedule [schedules, steps] at every peak from zero weights; all see the same batches."""
    value, slope = LOSSES[spec.loss]
    peaks, n = np.array(spec.peaks), len(points)
    rates = (shapes[:, None] * peaks[:, None]).reshape(-1, spec.steps)
    runs, repeats = len(rates), spec.repeats
    weights = np.zeros((repeats, runs, points.shape[1]))
    total, squares = weights.copy(), np.empty((spec.steps, repeats, runs))
    way = np.empty((spec.steps, len(peaks), points.shape[1]))
    for step in range(spec.steps):
        total += weights
        way[step] = weights[0, : len(peaks)]
        first, last = _pool(step, spec, n)
        batch = points[draws.integers(first, last, (repeats, spec.batch_size))]
        gradient = slope(weights @ batch.swapaxes(1, 2)) @ batch / spec.batch_size
        squares[step] = (gradient**2).sum(-1)
        if step < spec.steps - 1:
            weights = weights - rates[:, step, None] * gradient
    iterates = {"last": weights, "average": total / spec.steps}
    by_run = (len(shapes), len(peaks))
    return Course(
        {name: value(w @ points.T).mean((0, 2)).reshape(by_run) for name, w in iterates.items()},
        squares.mean(1).T.reshape(*by_run, spec.steps),
        np.sqrt(squares[:, 0]).T.reshape(*by_run, spec.steps),
        way,
    )


def _pool(step: int, spec: LearningRateSchedulesSpec, n: int) -> tuple[int, int]:
    """From which to which of the points, sorted by label, a step draws: all, or a window that moves from end to end."""
    if spec.order == "random":
        return 0, n
    first = (n - spec.batch_size) * step // max(spec.steps - 1, 1)
    return first, first + spec.batch_size
