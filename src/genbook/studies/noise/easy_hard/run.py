"""Easy and hard examples: rank images by early errors, then train on either half and on a mixed one.

No design: what is trained on depends on networks that were trained before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from genbook import data
from genbook.base.seeding import generator
from genbook.gradients import error_norms
from genbook.models import mlp
from genbook.probes import Accuracy, AtEnd, GradientCoherence, LogSpaced, MeanLoss, Probe
from genbook.studies.noise.easy_hard.spec import EasyHardSpec
from genbook.tables.quantities import name_of
from genbook.training import Examples, Replica, train

COLUMNS = ["seed", "trained on", "step", "quantity", "group", "value"]
#: Parts of the images, each read by one who learned from the others.
FOLDS = 5
MEASURED = ("train accuracy", "own kind accuracy", "test accuracy", "train loss", "m-coherence")


def run(spec: EasyHardSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Rank each seed's images, then train on the halves, and on all; the tidy table (see the study's columns)."""
    pools, tests = {}, {}
    for seed in seeds:
        split = data.split(data.load(spec.dataset), seed, spec.n_train, flat=True)
        labels = split.train.labels
        if spec.labels == "shuffled":
            labels = torch.from_numpy(data.shuffle_labels(labels.numpy(), seed))
        pools[seed], tests[seed] = Examples(split.train.inputs, labels), Examples(split.test.inputs, split.test.labels)
    model = mlp((split.train.inputs.shape[1], *spec.hidden, split.n_classes))
    early = _early(spec, model, pools, device)
    summary = [row for seed in seeds for row in _agreement(seed, *early[seed])]
    halves = {seed: _halves(spec, seed, early[seed][0].mean(0)) for seed in seeds}

    apart = [
        Replica(seed, model, spec.recipe(), _apart(pools[seed], tests[seed], members), {"trained on": half})
        for seed in seeds
        for half, members in halves[seed].items()
    ]
    read = {seed: _halves(spec, seed, -_read(pools[seed], seed))["easy"] for seed in seeds}
    whole = [
        Replica(seed, model, spec.recipe(), _whole(pools[seed], read[seed]), {"trained on": "all"}) for seed in seeds
    ]
    at = LogSpaced(spec.n_measurements)
    coherence = GradientCoherence(groups=("easy", "hard"), layers=False, at=at)
    tables = (
        pd.DataFrame(summary, columns=COLUMNS),
        _measured(apart, [Accuracy(on, at=AtEnd()) for on in ("train", "own kind", "test")], device),
        _measured(whole, [coherence, Accuracy(at=at), MeanLoss(at=at)], device),
    )
    return pd.concat(tables, ignore_index=True)


def _early(
    spec: EasyHardSpec, model: torch.nn.Module, pools: Mapping[int, Examples], device: str
) -> dict[int, tuple[Tensor, Tensor]]:
    """By seed, EL2N [K, n] of every image in K networks trained for a few steps, and whether each is right [K, n]."""
    recipe = spec.recipe(steps=spec.early_steps)
    replicas = [
        Replica(seed, model, recipe, {"train": pool}, {"network": k}, order_seed=(key := _key(seed, k)), init_seed=key)
        for seed, pool in pools.items()
        for k in range(spec.initialisations)
    ]
    training = train(replicas, [], device)
    found: dict[int, list[tuple[Tensor, Tensor]]] = {seed: [] for seed in pools}
    for place, replica in enumerate(replicas):
        inputs, labels = replica.data["train"].inputs, replica.data["train"].labels
        outputs = training.model(place)(inputs).detach()
        found[replica.seed].append((error_norms(outputs, labels), outputs.argmax(1) == labels))
    return {seed: tuple(map(torch.stack, zip(*own, strict=True))) for seed, own in found.items()}


def _key(seed: int, k: int) -> int:
    """The seed of one of a seed's networks: their draws are a stream of the seed's own."""
    return int(generator(seed, f"network {k}").integers(2**62))


def _agreement(seed: int, errors: Tensor, right: Tensor) -> Iterable[tuple]:
    """How many networks are right on an image, and how far two juries of them agree on the ranking."""
    juries = [part.mean(0).numpy() for part in errors.chunk(2)]
    counts = torch.bincount(right.sum(0), minlength=len(right) + 1) / right.shape[1]
    told = {
        "agreement of two juries": float(scipy.stats.spearmanr(*juries).statistic),
        "early accuracy": float(right.double().mean()),
        **{f"right in {k}": float(fraction) for k, fraction in enumerate(counts)},
    }
    return [(seed, "all", 0, quantity, "all", value) for quantity, value in told.items()]


def _halves(spec: EasyHardSpec, seed: int, score: Tensor) -> dict[str, np.ndarray]:
    """The images [n/2] of the easy, the hard and a mixed half, each in random order."""
    rng = generator(seed, "halves")
    order = np.argsort(score.numpy(), kind="stable") if spec.halves == "ranked" else rng.permutation(spec.n_train)
    easy, hard = np.split(order, 2)
    mixed = rng.permutation(spec.n_train)[: spec.n_train // 2]
    return {"easy": rng.permutation(easy), "hard": rng.permutation(hard), "mixed": mixed}


def _read(pool: Examples, seed: int) -> Tensor:
    """The probability [n] of each image's label, by a linear reader that learned from the others, a fifth left out.

    No network has a part in this: what is easy for the reader was not selected by the gradients of any.
    """
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(generator(seed, "reader").integers(2**31)))
    inputs, labels = pool.inputs.numpy(), pool.labels.numpy()
    probabilities = np.zeros(len(labels))
    for learned, asked in folds.split(inputs, labels):
        reader = LogisticRegression(C=0.1, max_iter=1000).fit(inputs[learned], labels[learned])
        columns = np.searchsorted(reader.classes_, labels[asked])
        probabilities[asked] = reader.predict_proba(inputs[asked])[np.arange(len(asked)), columns]
    return torch.from_numpy(probabilities)


def _apart(pool: Examples, test: Examples, members: np.ndarray) -> dict[str, Examples]:
    """To train on half of a half; the rest of it; and the test set."""
    own, rest = (Examples(pool.inputs[part], pool.labels[part]) for part in np.split(members, 2))
    return {"train": own, "own kind": rest, "test": test}


def _whole(pool: Examples, members: np.ndarray) -> dict[str, Examples]:
    """To train on all images, those that are easy and hard to read told apart."""
    easy = torch.zeros(len(pool), dtype=torch.bool)
    easy[members] = True
    return {"train": Examples(pool.inputs, pool.labels, groups={"easy": easy, "hard": ~easy})}


def _measured(replicas: Sequence[Replica], probes: Sequence[Probe], device: str) -> pd.DataFrame:
    table = train(replicas, probes, device).table
    names = [name_of(*kind) for kind in zip(table["quantity"], table["on"], table["labels"], strict=True)]
    return table.assign(quantity=names)[COLUMNS].query("quantity in @MEASURED")
