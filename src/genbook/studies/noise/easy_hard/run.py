"""Easy and hard examples: rank images by early errors, then train on either half and on a mixed one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor

from genbook import data
from genbook.base.seeding import generator
from genbook.models import mlp
from genbook.probes import Accuracy, AtEnd, GradientCoherence, LogSpaced, MeanLoss
from genbook.studies.noise.easy_hard.spec import EasyHardSpec
from genbook.training import Examples, Replica, train

COLUMNS = ["seed", "half", "step", "quantity", "value"]


def run(spec: EasyHardSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Rank each seed's images, then train on the halves, and on all; the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    pools, tests = {}, {}
    for seed in seeds:
        split = data.split(dataset, seed, spec.n_train, flat=True)
        labels = split.train.labels
        if spec.labels == "shuffled":
            labels = torch.from_numpy(data.shuffle_labels(labels.numpy(), seed))
        pools[seed], tests[seed] = Examples(split.train.inputs, labels), Examples(split.test.inputs, split.test.labels)
    model = mlp((pools[seeds[0]].inputs.shape[1], *spec.hidden, split.n_classes))

    errors, right = _early(spec, model, pools, device)
    summary = [row for seed in seeds for row in _agreement(seed, errors[seed], right[seed])]
    halves = {seed: _halves(spec, seed, errors[seed].mean(0)) for seed in seeds}
    return pd.concat(
        [
            pd.DataFrame(summary, columns=COLUMNS),
            _apart(spec, model, pools, tests, halves, device),
            _together(spec, model, pools, halves, device),
        ],
        ignore_index=True,
    )


def _early(
    spec: EasyHardSpec, model: torch.nn.Module, pools: dict[int, Examples], device: str
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """By seed, EL2N [K, n] of every image in K networks trained for a few steps, and whether each is right."""
    recipe = spec.recipe(steps=spec.early_steps)
    replicas = [
        Replica(seed, model, recipe, {"train": pool}, {"network": k}, init_seed=_key(seed, k), order_seed=_key(seed, k))
        for seed, pool in pools.items()
        for k in range(spec.initialisations)
    ]
    training = train(replicas, [], device)
    errors: dict[int, list[Tensor]] = {seed: [] for seed in pools}
    right: dict[int, list[Tensor]] = {seed: [] for seed in pools}
    for place, replica in enumerate(replicas):
        pool = pools[replica.seed]
        with torch.no_grad():
            outputs = training.model(place)(pool.inputs)
        one_hot = torch.nn.functional.one_hot(pool.labels, outputs.shape[1])
        errors[replica.seed].append(torch.linalg.vector_norm(outputs.softmax(1) - one_hot, dim=1))
        right[replica.seed].append(outputs.argmax(1) == pool.labels)
    return {s: torch.stack(e) for s, e in errors.items()}, {s: torch.stack(r) for s, r in right.items()}


def _key(seed: int, k: int) -> int:
    """The seed of one of a seed's networks: their draws are a stream of the seed's own."""
    return int(generator(seed, f"network {k}").integers(2**62))


def _agreement(seed: int, errors: Tensor, right: Tensor) -> list[tuple]:
    """How many networks are right on an image, and how far two juries of them agree on the ranking."""
    juries = [part.mean(0).numpy() for part in errors.chunk(2)]
    counts = torch.bincount(right.sum(0), minlength=len(right) + 1) / right.shape[1]
    return [
        (seed, "all", 0, "agreement of two juries", float(spearmanr(*juries).statistic)),
        (seed, "all", 0, "early accuracy", float(right.double().mean())),
        *((seed, "all", 0, f"right in {k}", float(fraction)) for k, fraction in enumerate(counts)),
    ]


def _halves(spec: EasyHardSpec, seed: int, score: Tensor) -> dict[str, np.ndarray]:
    """The images [n/2] of the easy, the hard and a mixed half, each in random order."""
    rng = generator(seed, "halves")
    order = np.argsort(score.numpy(), kind="stable") if spec.halves == "ranked" else rng.permutation(spec.n_train)
    easy, hard = order[: spec.n_train // 2], order[spec.n_train // 2 :]
    mixed = rng.permutation(spec.n_train)[: spec.n_train // 2]
    return {"easy": rng.permutation(easy), "hard": rng.permutation(hard), "mixed": mixed}


def _apart(spec: EasyHardSpec, model: torch.nn.Module, pools: dict, tests: dict, halves: dict, device: str):
    """Train on half of a half; accuracy on it, on the rest of it, and on the test set."""
    replicas = []
    for seed, parts in halves.items():
        inputs, labels = pools[seed].inputs, pools[seed].labels
        for half, members in parts.items():
            own, rest = np.split(members, 2)
            sets = {
                "train": Examples(inputs[own], labels[own]),
                "own kind": Examples(inputs[rest], labels[rest]),
                "test": tests[seed],
            }
            replicas.append(Replica(seed, model, spec.recipe(), sets, {"half": half}))
    table = train(replicas, [Accuracy(on, at=AtEnd()) for on in ("train", "own kind", "test")], device).table
    return table.assign(quantity=table["on"] + " accuracy")[COLUMNS]


def _together(spec: EasyHardSpec, model: torch.nn.Module, pools: dict, halves: dict, device: str) -> pd.DataFrame:
    """Train on all images and measure the coherence of the easy and of the hard ones, at equal number."""
    replicas = []
    for seed, pool in pools.items():
        easy = torch.zeros(spec.n_train, dtype=torch.bool)
        easy[halves[seed]["easy"]] = True
        replicas.append(
            Replica(
                seed,
                model,
                spec.recipe(),
                {"train": Examples(pool.inputs, pool.labels, groups={"easy": easy, "hard": ~easy})},
            )
        )
    at = LogSpaced(spec.n_measurements)
    probes = [GradientCoherence(groups=("easy", "hard"), layers=False, at=at), Accuracy(at=at), MeanLoss(at=at)]
    table = train(replicas, probes, device).table
    kept = table["quantity"].isin(["m-coherence", "accuracy", "loss", "off-diagonal coherence"])
    table = table[kept].rename(columns={"group": "half"})
    return table.assign(quantity="together: " + table["quantity"])[COLUMNS]
