"""The long tail: networks that memorise and rules that do not, on a mixture of frequent and rare clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import cdist

from genbook.models import mlp
from genbook.probes import Accuracy, LogSpaced
from genbook.studies.noise.long_tail.mixtures import Drawn, draw
from genbook.studies.noise.long_tail.spec import LongTailSpec
from genbook.studies.noise.long_tail.theory import SEEN, group_of
from genbook.training import Average, Examples, Replica, train

COLUMNS = ["seed", "learner", "step", "quantity", "seen", "value"]


def run(spec: LongTailSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and rule, ask the neighbours, and return the tidy table (see the study's columns)."""
    mixtures = {seed: draw(spec, seed) for seed in seeds}
    rows = [row for seed, drawn in mixtures.items() for row in _summary(seed, drawn)]
    if spec.dataset is None:
        rows += [row for seed, drawn in mixtures.items() for row in _neighbours(spec, seed, drawn)]
    replicas = [replica for seed, drawn in mixtures.items() for replica in _replicas(spec, seed, drawn)]
    at = LogSpaced(spec.n_measurements)
    table = train(replicas, [Accuracy("train", at=at), Accuracy("test", at=at)], device).table
    table = table.assign(quantity=table["on"] + " accuracy", seen=table["group"])
    return pd.concat([table[COLUMNS], pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)


def _replicas(spec: LongTailSpec, seed: int, drawn: Drawn) -> list[Replica]:
    """One network per rule, all with the same first weights and the same order of the batches."""
    sets = {
        "train": _examples(drawn.inputs, drawn.labels, drawn.counts[drawn.cluster]),
        "test": _examples(drawn.new_inputs, drawn.new_labels, drawn.counts[drawn.new_cluster]),
    }
    model = mlp((drawn.inputs.shape[1], spec.width, drawn.n_classes))
    decaying = spec.recipe(batch_size=min(spec.batch_size, len(drawn.labels)))
    plain = replace(decaying, optimiser=replace(decaying.optimiser, weight_decay=0.0))
    rules = {
        "plain": plain,
        "weight decay": decaying,
        "winsorised": replace(plain, average=Average("winsorised", spec.winsorised)),
        "clipped": replace(plain, average=Average("clipped", spec.clip)),
    }
    return [
        Replica(seed, model, recipe, sets, {"learner": rule}) for rule, recipe in rules.items() if rule in spec.learners
    ]


def _examples(inputs: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> Examples:
    seen = group_of(counts)
    groups = {name: torch.from_numpy(seen == name) for name in SEEN}
    return Examples(torch.from_numpy(inputs), torch.from_numpy(labels), groups=groups)


def neighbours(drawn: Drawn, needed: int, radius: float) -> float:
    """Expected accuracy on new examples of a vote of the training examples within ``radius``, if they are enough.

    Where fewer than ``needed`` are near, or the vote is tied, the rule guesses: at random among all classes, or
    among those tied.
    """
    near = (cdist(drawn.new_inputs, drawn.inputs) <= radius).astype(float)
    votes = near @ np.eye(drawn.n_classes)[drawn.labels]
    first = votes == votes.max(1, keepdims=True)
    right = first[np.arange(len(votes)), drawn.new_labels] / first.sum(1)
    return float(np.where(near.sum(1) >= needed, right, 1 / drawn.n_classes).mean())


def _neighbours(spec: LongTailSpec, seed: int, drawn: Drawn) -> list[tuple]:
    """Votes that ask for more and more examples; the radius lies between distances within and across clusters."""
    within, across = spec.spread_within, np.hypot(1, spec.spread_within)
    radius = np.sqrt(2 * spec.point_dimension * within * across)
    return [
        (seed, f"vote of {needed}", 0, "test accuracy", "all", neighbours(drawn, needed, radius))
        for needed in spec.needed
    ]


def _summary(seed: int, drawn: Drawn) -> list[tuple]:
    """Probability of what was seen so often, fraction of the training examples in it, and the number of classes."""
    seen = group_of(drawn.counts)
    rows = [(seed, "all", 0, "classes", "all", float(drawn.n_classes))]
    for name in SEEN:
        rows.append((seed, "all", 0, "mass", name, float(drawn.p[seen == name].sum())))
        rows.append((seed, "all", 0, "examples", name, float(drawn.counts[seen == name].sum() / drawn.counts.sum())))
    return rows
