"""Random features trained in every way, over widths and over samples; all in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genbook.base.progress import report
from genbook.base.seeding import INITIALISATION, generator
from genbook.studies.descent.random_features import conditions, descent
from genbook.studies.descent.random_features.conditions import SITES, Condition
from genbook.studies.descent.random_features.features import Modes, Sample, all_modes, drawn
from genbook.studies.descent.random_features.spec import RandomFeaturesSpec

COLUMNS = ["seed", "group", "family", "setting", "steps", "width", "samples", "quantity", "value"]
#: What tells the runs of a seed apart.
_RUN = ["group", "family", "setting", "steps"]
#: What is exchanged among the runs where tags are shuffled.
PREDICTORS = ("training loss", "output size")


def run(spec: RandomFeaturesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are small matrices."""
    rows: list[tuple] = []
    for done, seed in enumerate(seeds):
        report(done / len(seeds), f"seed {seed}")
        rows += [(seed, *row) for found in (_by_width, _by_samples) for row in found(spec, seed)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table if spec.tags == "kept" else shuffled(table)


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what predicts a peak exchanged among the runs of a seed at random, whole runs at a time."""
    table = table.copy()
    told = table[table["quantity"].isin(PREDICTORS) & table["group"].isin(("optimiser", "problem"))]
    for seed, rows in told.groupby("seed"):
        runs = [part.set_index(["width", "quantity"]) for _, part in rows.reset_index().groupby(_RUN, sort=False)]
        order = generator(int(seed), "shuffled tags").permutation(len(runs))
        for mine, other in zip(runs, order, strict=True):
            table.loc[mine["index"], "value"] = runs[other]["value"].reindex(mine.index).to_numpy()
    return table


def _by_width(spec: RandomFeaturesSpec, seed: int) -> Iterator[tuple]:
    """Every condition at every width (costly ones at the sites alone), and the tuned ridge."""
    sample = drawn(spec, seed, spec.n_train)
    groups = {"optimiser": conditions.of_the_optimiser(spec), "problem": conditions.of_the_problem(spec)}
    maps = sorted({condition.how for group in groups.values() for condition in group})
    for fraction in spec.widths:
        width = max(2, round(fraction * spec.n_train))
        known = all_modes(sample, seed, width, maps)
        for how, modes in known.items():
            yield ("features", "condition", how, np.nan, fraction, 1.0, "condition number", modes.condition)
        for group, members in groups.items():
            for condition in members:
                if fraction in SITES or not condition.sites_only:
                    outputs = _outputs(spec, seed, sample, known[condition.how], condition, width)
                    for quantity, value in _measured(sample, outputs, condition.clean).items():
                        yield (
                            group,
                            condition.family,
                            condition.setting,
                            condition.steps,
                            fraction,
                            1.0,
                            quantity,
                            value,
                        )
        yield from _tuned(spec, sample, known[spec.base_map], "widths", fraction, 1.0)


def _by_samples(spec: RandomFeaturesSpec, seed: int) -> Iterator[tuple]:
    """The longest descent and the tuned ridge at a fixed width, from few examples to many."""
    for fraction in spec.sample_counts:
        sample = drawn(spec, seed, max(2, round(fraction * spec.width)))
        modes = all_modes(sample, seed, spec.width, [spec.base_map])[spec.base_map]
        condition = Condition("steps", "last", spec.base_map, spec.steps[-1], spec.learning_rate)
        outputs = _outputs(spec, seed, sample, modes, condition, spec.width)
        for quantity, value in _measured(sample, outputs).items():
            yield ("samples", "steps", "last", condition.steps, 1.0, fraction, quantity, value)
        yield from _tuned(spec, sample, modes, "samples", 1.0, fraction)


def _outputs(
    spec: RandomFeaturesSpec, seed: int, sample: Sample, modes: Modes, condition: Condition, width: int
) -> dict[str, np.ndarray]:
    """Outputs of the trained network on training and test inputs."""
    targets = sample.clean_targets if condition.clean else sample.targets["train"]
    steps, rate, size = condition.steps, condition.learning_rate, condition.batch_size
    strength, decay = condition.strength * modes.unit, spec.weight_decay * modes.unit
    reduced = modes.left * modes.singular
    match condition.method:
        case "private":
            shared, outputs = descent.with_private_features(modes, targets, strength)
            return {"train": outputs, "test": modes.elsewhere["test"] @ shared}
        case "average":
            return _average(spec, seed, sample, condition, width)
        case "adam":
            trained = descent.adam(reduced @ modes.right.T, targets, int(steps), rate, size, seed, decay)
            return {"train": reduced @ (modes.right.T @ trained), "test": modes.others["test"] @ trained}
        case "stochastic":
            rate = descent.stable_learning_rate(modes, size)
            return modes.outputs(descent.stochastic(reduced, targets, int(steps), rate, size, seed, decay))
    if not condition.start:
        return modes.outputs(descent.along_modes(modes, targets, steps, rate, decay + strength))
    # what lies across all modes stays, but for the decay, and speaks on new inputs
    draw = generator(seed, INITIALISATION + " of the second layer")
    start = condition.start * draw.standard_normal((len(modes.right), targets.shape[1]))
    along = modes.right.T @ start
    outputs = modes.outputs(descent.along_modes(modes, targets, steps, rate, decay, along))
    kept = descent.remaining(np.array([rate * decay / (modes.eigenvalues[0] + decay)]), steps)[0]
    frozen = (start - modes.right @ along) * kept
    return {**outputs, "test": outputs["test"] + modes.others["test"] @ frozen}


def _average(
    spec: RandomFeaturesSpec, seed: int, sample: Sample, condition: Condition, width: int
) -> dict[str, np.ndarray]:
    """Mean output of several networks, each with a random first layer of its own."""
    total: dict[str, np.ndarray] = {}
    for member in range(1, spec.members + 1):
        modes = all_modes(sample, seed, width, [condition.how], member)[condition.how]
        decay = spec.weight_decay * modes.unit
        outputs = modes.outputs(
            descent.along_modes(modes, sample.targets["train"], condition.steps, condition.learning_rate, decay)
        )
        total = {name: total.get(name, 0) + part / spec.members for name, part in outputs.items()}
    return total


def _measured(sample: Sample, outputs: dict[str, np.ndarray], clean: bool = False) -> dict[str, float]:
    """Losses, error and size of a network's outputs."""
    targets = sample.clean_targets if clean else sample.targets["train"]
    test = outputs["test"]
    return {
        "test loss": _loss(test, sample.targets["test"]),
        "test error": float((test.argmax(1) != sample.labels["test"]).mean()),
        "training loss": _loss(outputs["train"], targets),
        "output size": float((test**2).sum(1).mean()),
    }


def _loss(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared distance; 1 for a network that answers 0."""
    return float(((outputs - targets) ** 2).sum(1).mean())


def _tuned(
    spec: RandomFeaturesSpec, sample: Sample, modes: Modes, along: str, width: float, samples: float
) -> Iterator[tuple[Any, ...]]:
    """Ridge regression with the ridge that is best on the validation examples."""
    targets = sample.targets["train"]
    found = []
    for strength in spec.ridges:
        moved = descent.along_modes(modes, targets, np.inf, 1.0, strength * modes.unit)
        found.append((_loss(modes.elsewhere["validation"] @ moved, sample.targets["validation"]), strength, moved))
    _, strength, moved = min(found, key=lambda one: one[0])
    for quantity, value in {**_measured(sample, modes.outputs(moved)), "ridge chosen": strength}.items():
        yield ("tuned", along, "tuned ridge", np.inf, width, samples, quantity, value)
