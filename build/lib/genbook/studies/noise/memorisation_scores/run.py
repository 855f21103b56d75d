"""Memorisation scores: networks on random parts, the gradients of networks on the whole, and networks on what is left.

No design: what is removed depends on networks that were trained before, and what is told is told of each example.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from genbook import data
from genbook.base.seeding import generator
from genbook.gradients import coherence, error_norms
from genbook.models import mlp, stack
from genbook.studies.noise.memorisation_scores.kinds import Drawn, draw
from genbook.studies.noise.memorisation_scores.scores import memorisation, own_share, parts, within_classes
from genbook.studies.noise.memorisation_scores.spec import FREQUENT, RARE, MemorisationScoresSpec
from genbook.training import Examples, Replica, TrainingResult, train
from genbook.training.programs import initial_model

COLUMNS = ["seed", "labels", "removed", "example", "seen", "group", "quantity", "value"]
#: Scores need no more than this many digits.
DIGITS = 4


@dataclass(frozen=True)
class World:
    """One seed's images with right or with partly wrong labels: inputs [n, d], labels [n], and which are wrong."""

    seed: int
    name: str
    drawn: Drawn
    inputs: torch.Tensor
    labels: torch.Tensor
    wrong: np.ndarray

    def examples(self, members: np.ndarray | slice = slice(None)) -> Examples:
        """Some of the examples, all by default."""
        if isinstance(members, slice):
            return Examples(self.inputs, self.labels)
        return Examples(self.inputs[members], self.labels[members])

    def rng(self, purpose: str) -> np.random.Generator:
        """The seed's stream of this name for these labels."""
        return generator(self.seed, f"{purpose}, {self.name}")


def run(spec: MemorisationScoresSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Score every seed's examples and train without the highest scores; the tidy table (see the study's columns)."""
    rows: list[tuple] = []
    for seed in seeds:
        for world in _worlds(spec, seed):
            rows += _scored_and_removed(spec, world, device)
    return pd.DataFrame(rows, columns=COLUMNS)


def _worlds(spec: MemorisationScoresSpec, seed: int) -> Iterator[World]:
    """The seed's images, once with the labels right, and once with some of them wrong."""
    drawn = draw(spec, seed)
    inputs, n_classes = torch.from_numpy(drawn.inputs), data.load(spec.dataset).n_classes
    noisy = data.corrupt(drawn.labels, spec.noise, "uniform", seed, n_classes).labels
    for name, labels in (("right", drawn.labels), ("partly wrong", noisy)):
        yield World(seed, name, drawn, inputs, torch.from_numpy(labels), labels != drawn.labels)


def _scored_and_removed(spec: MemorisationScoresSpec, world: World, device: str) -> Iterator[tuple]:
    n = len(world.labels)
    right, trained_on = _answers(spec, world, device)
    found, half = memorisation(right, trained_on), spec.networks // 2
    halves = [memorisation(right[part], trained_on[part]).memorisation for part in (slice(half), slice(half, None))]
    scores = {"memorisation": found.memorisation, "of one half": halves[0], "of the other half": halves[1]}
    if spec.scores == "shuffled":
        deal = world.rng("shuffled scores")
        scores = {name: within_classes(values, world.labels.numpy(), deal) for name, values in scores.items()}
    told = {**scores, **_observed(spec, world, device)}
    seen, group = world.drawn.counts[world.drawn.kind], np.where(world.wrong, "corrupted", "clean")
    for quantity, values in told.items():
        places = zip(range(n), seen.tolist(), group.tolist(), values.round(DIGITS).tolist(), strict=True)
        yield from ((world.seed, world.name, "nothing", i, s, g, quantity, value) for i, s, g, value in places)
    means = {"standard error": found.error, "accuracy with it": found.with_it, "accuracy without it": found.without_it}
    for quantity, values in means.items():
        yield (world.seed, world.name, "nothing", -1, 0, "all", quantity, float(np.nanmean(values)))
    yield from _without(spec, world, scores["memorisation"], device)


def _network(spec: MemorisationScoresSpec, world: World) -> nn.Module:
    return mlp((world.inputs.shape[1], spec.width, int(world.drawn.labels.max()) + 1))


def _trained(
    spec: MemorisationScoresSpec, world: World, sets: Sequence[Examples], purpose: str, device: str
) -> TrainingResult:
    """A network on each of the sets, each from a start and in an order of its own."""
    model, draw = _network(spec, world), world.rng(purpose)
    keys = [int(key) for key in draw.integers(2**62, size=len(sets))]
    replicas = [
        Replica(world.seed, model, spec.recipe(), {"train": examples}, {}, order_seed=key, init_seed=key)
        for examples, key in zip(sets, keys, strict=True)
    ]
    return train(replicas, [], device)


@torch.no_grad()
def _classes(result: TrainingResult, inputs: torch.Tensor) -> np.ndarray:
    """The class that each network gives each of the inputs [n, d], [networks, n]."""
    return np.stack([result.model(k)(inputs).argmax(1).numpy() for k in range(len(result.replicas))])


def _answers(spec: MemorisationScoresSpec, world: World, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each network whether it gives each example its label, and whether it was trained on it, [networks, n]."""
    n = len(world.labels)
    chosen = parts(n, round(spec.part * n), spec.networks, world.rng("parts"))
    result = _trained(spec, world, [world.examples(part) for part in chosen], "scoring", device)
    trained_on = np.zeros((spec.networks, n), dtype=bool)
    np.put_along_axis(trained_on, chosen, True, axis=1)
    return _classes(result, world.inputs) == world.labels.numpy(), trained_on


def _observed(spec: MemorisationScoresSpec, world: World, device: str) -> dict[str, np.ndarray]:
    """By quantity, means over networks on the whole training set, followed through training, [n].

    The networks are trained anew to each step: by the same streams they take the same path.
    """
    early = spec.early_epochs * (len(world.labels) // spec.batch_size)
    steps = sorted({0, early, *np.geomspace(1, spec.steps, spec.n_measurements).round().astype(int).tolist()})
    squares, pulls, found = [], [], {}
    for step in steps:
        networks = _at(spec, world, device, step)
        gradients = _gradients(networks, world.inputs, world.labels)
        squares.append(gradients[0])
        pulls.append(gradients[1])
        if step == early:
            found = _early(networks, world, *gradients)
    by_network = zip(np.swapaxes(squares, 0, 1), np.swapaxes(pulls, 0, 1), strict=True)
    shares = [own_share(np.array(steps, dtype=float), *sides) for sides in by_network]
    return {**found, "own share": np.mean(shares, axis=0)}


def _at(spec: MemorisationScoresSpec, world: World, device: str, step: int) -> list[nn.Module]:
    """The networks on the whole training set after some steps."""
    model, draw = _network(spec, world), world.rng("observed")
    keys = [int(key) for key in draw.integers(2**62, size=spec.observed)]
    sets, recipe = {"train": world.examples()}, spec.recipe(steps=max(1, step))
    replicas = [Replica(world.seed, model, recipe, sets, {}, order_seed=key, init_seed=key) for key in keys]
    if step == 0:
        return [initial_model(replica).eval() for replica in replicas]
    result = train(replicas, [], device)
    return [result.model(k) for k in range(spec.observed)]


def _gradients(
    networks: Sequence[nn.Module], inputs: torch.Tensor, labels: torch.Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """‖gᵢ‖² and gᵢ·Σⱼ gⱼ of every example in every network, [networks, n] each."""
    shape = (len(networks), *inputs.shape)
    measured = coherence(stack(list(networks)), nn.CrossEntropyLoss(), inputs.expand(shape), labels.expand(shape[:2]))
    return measured.squared_norms.double().numpy(), len(labels) * measured.alignments.double().numpy()


def _early(
    networks: Sequence[nn.Module], world: World, squares: np.ndarray, pulls: np.ndarray
) -> dict[str, np.ndarray]:
    """EL2N, and the cosines of each gradient with the sum of the others' and with that of the new images', [n]."""
    n = len(world.labels)
    new, new_labels = torch.from_numpy(world.drawn.new_inputs), torch.from_numpy(world.drawn.new_labels)
    both = torch.cat([world.inputs, new]), torch.cat([world.labels, new_labels])
    _, with_new = _gradients(networks, *both)
    # ‖S - gᵢ‖² from ‖S‖² = Σᵢ gᵢ·S, and of the new images alone by what they add.
    others = pulls.sum(1, keepdims=True) - 2 * pulls + squares
    by_new = with_new[:, :n] - pulls
    whole = with_new.sum(1, keepdims=True)
    of_new = whole - pulls.sum(1, keepdims=True) - 2 * by_new.sum(1, keepdims=True)
    with torch.no_grad():
        errors = [error_norms(network(world.inputs), world.labels).numpy() for network in networks]
    norms = np.sqrt(np.maximum(squares, 1e-30))
    return {
        "EL2N": np.mean(errors, axis=0),
        "cosine with the others": ((pulls - squares) / norms / np.sqrt(others)).mean(0),
        "cosine with new images": (by_new / norms / np.sqrt(of_new)).mean(0),
    }


def _without(spec: MemorisationScoresSpec, world: World, scores: np.ndarray, device: str) -> Iterator[tuple]:
    """Test accuracy of networks trained without nothing, without the highest scores and without as many at random."""
    n, drawn = len(world.labels), world.drawn
    fewer = round(spec.removed * n)
    ranked = [np.argsort(-dealt, kind="stable") for dealt in _dealt(spec, world, scores)]
    lot = [world.rng(f"removed at random, {k}").permutation(n) for k in range(spec.judges)]
    left = {
        "nothing": ranked,
        "the most memorised": [order[fewer:] for order in ranked],
        "as many at random": [order[fewer:] for order in lot],
    }
    count = drawn.counts[drawn.new_kind]
    weights = {"all": drawn.weights, "rare": 1.0 * (count <= RARE), "frequent": 1.0 * (count >= FREQUENT)}
    for removed, members in left.items():
        sets = [world.examples(np.sort(part)) for part in members]
        # All three by the same starts: what differs is what they are trained on.
        result = _trained(spec, world, sets, "judging", device)
        right = (_classes(result, torch.from_numpy(drawn.new_inputs)) == drawn.new_labels).mean(0)
        for group, weight in weights.items():
            if weight.sum():
                accuracy = float((right * weight).sum() / weight.sum())
                yield (world.seed, world.name, removed, -1, 0, group, "test accuracy", accuracy)


def _dealt(spec: MemorisationScoresSpec, world: World, scores: np.ndarray) -> list[np.ndarray]:
    """The scores by which examples are removed for each network that judges; shuffled ones are dealt out anew."""
    if spec.scores == "measured":
        return [scores] * spec.judges
    labels = world.labels.numpy()
    return [within_classes(scores, labels, world.rng(f"shuffled scores, {k}")) for k in range(spec.judges)]
