"""The same network on images with patches, without, and on the bare images alone, at a small and at a large rate.

No design: what an example shows is drawn here, and a test image is asked about with and without a patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from genbook.base.recipes import SGD, Recipe, Step
from genbook.models import mlp
from genbook.probes import Accuracy, AtFractions, MeanLoss
from genbook.studies.steps.memorisable_patches.patches import KINDS, Drawn, draw
from genbook.studies.steps.memorisable_patches.spec import MemorisablePatchesSpec
from genbook.training import Examples, Replica, train

COLUMNS = ["seed", "trained on", "rate", "step", "quantity", "shown", "value"]
#: What is measured of test examples, by what they show.
TESTED = {"image": "test accuracy", "patch": "test accuracy on patches", "both": "test accuracy on both"}
#: Fractions of a training at which everything is measured; the one before a half is the last at the large rate.
_AT = (0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.49, 0.52, 0.56, 0.6, 0.7, 0.8, 0.9, 1.0)


def run(spec: MemorisablePatchesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train every network of every seed at once and return the tidy table (see the study's columns)."""
    replicas = [replica for seed in seeds for replica in _replicas(spec, seed)]
    at = AtFractions(_AT)
    table = train(
        replicas, [*(Accuracy(on, at=at) for on in ("train", *KINDS)), MeanLoss("train", at=at)], device
    ).table
    trained = "train " + table["quantity"]
    quantity = np.where(table["on"] == "train", trained, table["on"].map(TESTED))
    return table.assign(quantity=quantity, shown=table["group"].replace("", "all"))[COLUMNS]


def recipes(spec: MemorisablePatchesSpec) -> dict[str, Recipe]:
    """By name of the rate: small, large and then small, large throughout, and small for longer."""
    steps, half = spec.steps, -(-spec.steps // 2)
    lowered = Step(half, spec.small_rate / spec.large_rate)
    small, large = SGD(spec.small_rate), SGD(spec.large_rate)
    return {
        "small": Recipe(steps, small, spec.batch_size),
        "lowered": Recipe(steps, large, spec.batch_size, schedule=lowered),
        "large": Recipe(steps, large, spec.batch_size),
        "small for longer": Recipe(spec.longer * steps, small, spec.batch_size),
    }


def _replicas(spec: MemorisablePatchesSpec, seed: int) -> Iterator[Replica]:
    """One seed's networks, all from the same first weights."""
    drawn = draw(spec, seed)
    labels = torch.from_numpy(drawn.test_labels)
    tests = {kind: Examples(torch.from_numpy(inputs), labels) for kind, inputs in drawn.tests.items()}
    model = mlp((drawn.inputs.shape[1], spec.hidden, 10), "tanh")
    every = recipes(spec)
    for name, examples in _training_sets(drawn).items():
        for rate in every if name == "patches" else ("small", "lowered"):
            yield Replica(seed, model, every[rate], {"train": examples, **tests}, {"trained on": name, "rate": rate})


def _training_sets(drawn: Drawn) -> dict[str, Examples]:
    """All examples; all that show an image, without their patches; those alone that never had one."""

    def examples(inputs: np.ndarray, kept: np.ndarray) -> Examples:
        masks = {kind: torch.from_numpy(drawn.shown[kept] == kind) for kind in KINDS}
        groups = {kind: mask for kind, mask in masks.items() if mask.any()}
        return Examples(torch.from_numpy(inputs[kept]), torch.from_numpy(drawn.labels[kept]), groups=groups)

    return {
        "patches": examples(drawn.inputs, drawn.shown != ""),
        "no patches": examples(drawn.unpatched, drawn.shown != "patch"),
        "bare images": examples(drawn.unpatched, drawn.shown == "image"),
    }
