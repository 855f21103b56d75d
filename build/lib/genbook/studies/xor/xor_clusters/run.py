"""Descent on XOR clusters: along training, by strength and dimension, by learning rate and by initial scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from genbook.base.progress import report
from genbook.studies.xor.shared import State, accuracies, descend, gradient_gram, measured_steps, one_step, parts
from genbook.studies.xor.xor_clusters.clusters import Draw, Task, cosines, draw, task
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec

COLUMNS = ("seed", "run", "dimension", "strength", "margin", "init scale", "tilt", "step", "item", "quantity", "value")
#: Points and units of which every one is kept, for the figures that show them one by one.
_ONE_BY_ONE = 120
_NOT_ONE = -1


def run(spec: XorClustersSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: matrices are small."""
    rows = []
    for place, seed in enumerate(seeds):
        own = draw(spec, spec.dimension, seed)
        for name, changed in conditions(spec):
            rows += _one(changed, own, seed, name)
        for dimension in spec.dimensions if spec.has_diagram() else ():
            other = own if dimension == spec.dimension else draw(spec, dimension, seed)
            for strength in spec.strengths:
                rows += _one(changes(spec, strength=strength, steps=spec.diagram_steps), other, seed, "diagram")
        report((place + 1) / len(seeds), f"seed {seed}")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def changes(spec: XorClustersSpec, **changed: object) -> XorClustersSpec:
    """The spec with some parameters changed."""
    return spec.build(**{**spec.model_dump(), **changed})


def conditions(spec: XorClustersSpec) -> Iterator[tuple[str, XorClustersSpec]]:
    """The trainings of one seed in its own dimension, by name."""
    yield "base", spec
    yield "weak", changes(spec, strength=spec.weak_strength)
    yield "separable", changes(spec, labels="separable")
    yield "no flips", changes(spec, noise=0.0)
    yield "counts at random", changes(spec, counts="at random")
    for tilt in spec.tilts:
        yield "tilt", changes(spec, counts="equal", tilt=tilt)
    for margin in spec.margins:
        yield "margin", changes(spec, margin=margin)
    for scale in spec.init_scales:
        changed = {"margin": spec.init_scale_margin, "steps": spec.init_scale_steps}
        yield "init scale", changes(spec, init_scale=scale, **changed)


def _one(spec: XorClustersSpec, drawn: Draw, seed: int, name: str) -> Iterator[tuple]:
    one = task(spec, drawn, seed)
    named = (seed, name, drawn.dimension, spec.strength, spec.margin, spec.init_scale, spec.tilt)
    for state in descend(one.problem, one.learning_rate, measured_steps(spec.steps)):
        found = accuracies(one.problem, state, one.truth, one.flipped)
        if name == "diagram":  # many runs, of which the turn and the first step's fit are asked
            found = {key: found[key] for key in ("test accuracy", *(["train accuracy"] if state.step == 1 else []))}
        elif name not in ("tilt", "margin", "init scale"):
            found |= measured(one, state)
        if name in ("base", "separable"):
            found |= gradients(one, state)
        for quantity, value in found.items():
            yield (*named, state.step, _NOT_ONE, quantity, float(value))
        if name == "base":
            for quantity, values in one_by_one(one, state, spec.steps).items():
                for item, value in enumerate(values[:_ONE_BY_ONE]):
                    yield (*named, state.step, item, quantity, float(value))


def measured(one: Task, state: State) -> dict[str, float]:
    """What the linear and the even part contribute, likeness to the one-step formula, and alignment."""
    n, labels = len(one.problem.labels), one.problem.labels
    linear, even = parts(state.hidden, one.problem.head)
    fresh, formula = (linear + even)[n:], one_step(one.problem, one.learning_rate)[n:]
    found = {
        "even fraction": np.square(even[n:]).mean() / np.square(fresh).mean(),
        "likeness to the formula": (fresh @ formula) ** 2 / (np.square(fresh).sum() * np.square(formula).sum()),
        "agreement with the formula": np.mean(fresh * formula > 0),
    }
    for group, mask in (("clean", ~one.flipped), ("flipped", one.flipped)):
        if mask.any():
            found[f"margin from the linear part, {group}"] = np.mean((linear[:n] * labels)[mask])
            found[f"margin from the even part, {group}"] = np.mean((even[:n] * labels)[mask])
    positive = one.problem.head > 0
    sizes = np.abs(cosines(one, state.coefficients))
    found["cosine with own mean"] = np.where(positive, sizes[:, 0], sizes[:, 1]).mean()
    found["cosine with other mean"] = np.where(positive, sizes[:, 1], sizes[:, 0]).mean()
    return found


def gradients(one: Task, state: State) -> dict[str, float]:
    """m-coherence of all examples, and off-diagonal coherence within and between clean and flipped ones.

    The off-diagonal forms are means of g_i · g_k over pairs, relative to the mean square length in the groups, and are
    given in units of ‖μ‖²/‖x‖², the cosine of two inputs of one cluster.
    """
    gram, flipped = gradient_gram(one.problem, state), one.flipped
    squares = gram.diagonal()
    own, length = one.strength**2, one.problem.products.diagonal().mean()
    unit = own / length if own else 1.0
    found = {"m-coherence": _ratio(gram.sum(), squares.sum())}
    for group, mask in (("clean", ~flipped), ("flipped", flipped)):
        if mask.sum() > 1:
            pairs = (gram[np.ix_(mask, mask)].sum() - squares[mask].sum()) / (mask.sum() - 1)
            found[f"coherence, {group}"] = _ratio(pairs, squares[mask].sum() * unit)
    if 0 < flipped.sum() < len(flipped):
        between = gram[np.ix_(~flipped, flipped)].mean()
        sizes = np.sqrt(squares[flipped].mean() * squares[~flipped].mean())
        found["coherence, clean with flipped"] = _ratio(between, sizes * unit)
    return found


def _ratio(value: float, over: float) -> float:
    """NaN where gradients have vanished."""
    return value / over if over > 0 else np.nan


def one_by_one(one: Task, state: State, last: int) -> dict[str, np.ndarray]:
    """Fresh points' outputs, by the network and by the formula, and units' cosines with the means, signs in turn."""
    n = len(one.problem.labels)
    found: dict[str, np.ndarray] = {}
    if state.step in (1, last):
        found["output"] = sum(parts(state.hidden, one.problem.head))[n:]
        found["formula"] = one_step(one.problem, one.learning_rate)[n:]
    if state.step in (0, 1, 2, 5, last):
        first, second = cosines(one, state.coefficients).T
        found |= {"unit along first mean": first, "unit along second mean": second}
    return found
