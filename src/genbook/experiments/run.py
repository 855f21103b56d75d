"""From a design to its table: draw the data, train all seeds of all conditions, name what was measured."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from genbook import data
from genbook.base.seeding import generator
from genbook.data.stratified import stratified_order
from genbook.experiments.design import CNN, CNN1D, MLP, Condition, Design, Pretraining, Watch
from genbook.experiments.labels import Given, Labels
from genbook.models import cnn1d, mlp, parameter_count, small_cnn
from genbook.probes import (
    Accuracy,
    BatchSharpness,
    DistanceFromInitialisation,
    ExampleLoss,
    ExampleScores,
    FreshCoherence,
    FreshScores,
    GradientCoherence,
    HessianTrace,
    LargestGradient,
    LossSpread,
    Margin,
    MeanLoss,
    PathNorm,
    Probe,
    Sharpness,
    WeightNorm,
)
from genbook.tables import quantities
from genbook.training import Examples, Replica, TrainingResult, train

_HALVES = ("first half", "second half")
#: What a training set's seed does not draw: above the largest seed, so that these are nobody's training labels.
_HELD_OUT, _TEST = 2**32, 2**33
_SUMS = {"gradient length", "descent"}
_FRESH = {"fresh coherence", "fresh cosine"}
_SCORES = {f"AUC of {score}" for score in ("EL2N", "gradient norm", "loss")}
_ALIGNMENTS = {f"AUC of {kind} alignment" for kind in ("fresh", "training")}
_COHERENCE = {
    *_SUMS,
    *("m-coherence", "m-coherence at equal size", "off-diagonal coherence", "gradient norm", "gradient cosine"),
}


def run(design: Design, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train every condition of ``design`` for every seed and return the tidy table (see `Design.run`)."""
    drawn = Drawn()
    names = list(design.conditions[0].columns)
    tables = []
    learned = _pretrained(design, seeds, drawn, device)
    for conditions in design.together():
        placed = [(condition, seed) for seed in seeds for condition in conditions]
        placed = [place for place in placed if learned.get(_before(*place), True)]
        if not placed:
            continue
        replicas = [_going_on(drawn.replica(*place), learned.get(_before(*place))) for place in placed]
        result = train(replicas, _probes(conditions[0].watch), device)
        tables += [_rows(result.table, conditions[0].watch), _facts(result, [condition for condition, _ in placed])]
        tables += _at_end(result, [condition for condition, _ in placed], device)
        for continuation in conditions[0].continued:
            goes_on = result.endings["fitted"] if continuation.only_fitted else ~result.endings["diverged"]
            if goes_on.any():
                at = np.flatnonzero(goes_on).tolist()
                on = result.continued(continuation.recipe, _probes(continuation.watch), at=at, device=device)
                tables.append(_rows(on.table, continuation.watch, continuation.phase))
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return table[["seed", *names, *list(quantities.COLUMNS)[1:]]]


#: What conditions that are pretrained alike have in common: how, which network, which first weights, which seed.
_Before = tuple[Pretraining | None, MLP | CNN | CNN1D, int, int]


def _before(condition: Condition, seed: int) -> _Before:
    return condition.pretraining, condition.network, condition.first_weights, seed


def _pretrained(
    design: Design, seeds: Sequence[int], drawn: Drawn, device: str
) -> dict[_Before, dict[str, torch.Tensor]]:
    """The weights to which each pretraining comes, once for all conditions that begin with it; empty where diverged."""
    asked = {
        _before(condition, seed): (
            replace(condition, images=condition.pretraining.images, recipe=condition.pretraining.recipe),
            seed,
        )
        for condition in design.conditions
        if condition.pretraining is not None
        for seed in seeds
    }
    if not asked:
        return {}
    result = train([drawn.replica(*place) for place in asked.values()], [], device)
    ends = zip(asked, result.states, result.endings["diverged"], strict=True)
    return {before: {} if diverged else state for before, state, diverged in ends}


def _going_on(replica: Replica, weights: dict[str, torch.Tensor] | None) -> Replica:
    """The replica with the weights to which its pretraining came, if it had one."""
    if weights is None:
        return replica
    return replace(replica, initialise=lambda model: model.load_state_dict(weights))


class Drawn:
    """What has been drawn so far: networks that share examples share them in memory."""

    def __init__(self) -> None:
        """Nothing is drawn until it is asked for."""
        self._split = functools.cache(lambda dataset, *drawn: data.split(data.load(dataset), *drawn, flat=True))
        self._inputs = functools.cache(
            lambda rounds, erased, *split: _erased(self._split(*split).train.inputs.repeat(rounds, 1), erased, split[1])
        )
        self._network = functools.cache(_network)
        # One tensor for all replicas of a set: those that are handed the same share their batches.
        self._whole = functools.cache(lambda inputs, *shape: inputs.unflatten(1, shape))

    def replica(self, condition: Condition, seed: int) -> Replica:
        """The network of one condition and seed, with its training set and the test set in halves."""
        images = condition.images
        key = images.dataset, seed, images.n_train, images.held_out
        split = self._split(*key)
        given = _given(images.labels, split.train, seed, split.n_classes)
        changed = given.rounds, images.erased
        inputs = split.train.inputs if changed == (1, 0) else self._inputs(*changed, *key)
        wanted = {name for watch in condition.watches for name in watch.groups}
        groups = {name: mask for name, mask in _groups(given, seed).items() if name in wanted}
        tested = _given(images.test_labels, split.test, seed + _TEST, split.n_classes)
        sets = {
            "train": Examples(inputs, torch.from_numpy(given.labels), torch.from_numpy(given.true), groups),
            "test": Examples(
                split.test.inputs, torch.from_numpy(tested.labels), split.test.labels, _halves(split.test.labels)
            ),
        }
        if images.held_out:
            own = _given(images.held_out_labels, split.validation, seed + _HELD_OUT, split.n_classes)
            labels, true = torch.from_numpy(own.labels), torch.from_numpy(own.true)
            sets["held-out"] = Examples(split.validation.inputs, labels, true)
        shape = data.load(images.dataset).shape
        if not isinstance(condition.network, MLP):
            shape = shape if len(shape) == 3 else (1, *shape)
            sets = {on: replace(part, inputs=self._whole(part.inputs, *shape)) for on, part in sets.items()}
        model = self._network(condition.network, shape, split.n_classes)
        first = _first_weights(seed, condition.first_weights)
        return Replica(seed, model, condition.recipe, sets, condition.columns, init_seed=first)


def _erased(inputs: torch.Tensor, fraction: float, seed: int) -> torch.Tensor:
    """Inputs [n, d] with a fraction of each one's entries at zero, another draw for each."""
    if not fraction:
        return inputs
    ranks = generator(seed, "erased pixels").random(inputs.shape).argsort(1)
    return inputs.masked_fill(torch.from_numpy(ranks < round(fraction * inputs.shape[1])), 0)


def _first_weights(seed: int, draw: int) -> int | None:
    """The seed of a network's first weights: by default the replica's own, else a stream of it."""
    return int(generator(seed, f"first weights, draw {draw}").integers(2**62)) if draw else None


def _network(network: MLP | CNN | CNN1D, shape: Sequence[int], n_classes: int) -> nn.Module:
    """The plain network for inputs of a shape."""
    outputs = network.outputs or n_classes
    if isinstance(network, MLP):
        sizes = (math.prod(shape), *network.hidden, outputs)
        return mlp(sizes, network.activation, norm=network.norm, ghost=network.ghost)
    if isinstance(network, CNN):
        if len(shape) != 3 or shape[1] != shape[2]:
            raise ValueError(f"a CNN needs square images; those of this data set have shape {tuple(shape)}")
        return small_cnn(shape[0], network.width, outputs, shape[1])
    if len(shape) != 2:
        raise ValueError(f"a CNN1D needs signals; the inputs of this data set have shape {tuple(shape)}")
    return cnn1d(shape[0], network.width, outputs, shape[1])


def _given(labels: Labels, examples: data.Examples, seed: int, n_classes: int) -> Given:
    return labels.given(examples.inputs.numpy(), examples.labels.numpy(), seed, n_classes)


def _groups(given: Given, seed: int) -> dict[str, torch.Tensor]:
    """All groups of training examples that a watch may name."""
    n = len(given.labels)
    half = np.isin(np.arange(n), generator(seed, "halves").permutation(n)[: n // 2])
    decoys = np.zeros(n, dtype=bool) if given.decoys is None else given.decoys
    labels = {"clean": given.clean, "corrupted": ~given.clean, "decoys": decoys}
    masks = {**labels, "one half": half, "other half": ~half}
    return {name: torch.from_numpy(mask) for name, mask in masks.items()}


def _halves(labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Two stratified halves of a test set, the same for every seed: what is chosen on one is judged on the other."""
    order = stratified_order(labels.numpy(), generator(0, "test halves"))
    first = torch.zeros(len(labels), dtype=torch.bool)
    first[order[: len(order) // 2]] = True
    return dict(zip(_HALVES, (first, ~first), strict=True))


def _probes(watched: Sequence[Watch]) -> list[Probe]:
    """The probes that measure what is watched."""
    return [probe for watch in watched for probe in _probes_of(watch)]


def _probes_of(watch: Watch) -> list[Probe]:
    wanted, at = set(watch.quantities), watch.at
    of_gradients = {"on": "train", "examples": watch.examples, "at": at}
    sets = ("train", "test", "held-out")
    made = {
        **{f"{on} accuracy": Accuracy(on, at=at) for on in sets},
        **{f"{on} loss": MeanLoss(on, at=at) for on in sets},
        **{f"{on} accuracy on true labels": Accuracy(on, "true", at=at) for on in ("train", "test")},
        "held-out loss on true labels": MeanLoss("held-out", "true", at=at),
        "loss spread": LossSpread(at=at),
        "margin": Margin(at=at),
        "example loss": ExampleLoss(at=at),
        "largest gradient": LargestGradient(**of_gradients),
        "weight norm": WeightNorm(at=at),
        "path norm": PathNorm(at=at),
        "distance": DistanceFromInitialisation(at=at),
        "sharpness": Sharpness(tolerance=watch.tolerance, max_iterations=watch.max_iterations, **of_gradients),
        "Hessian trace": HessianTrace(samples=watch.samples, **of_gradients),
        "batch sharpness": BatchSharpness(at=at),
    }
    probes = [probe for name, probe in made.items() if name in wanted]
    if wanted & _COHERENCE:
        sums = bool(wanted & _SUMS)
        probes.append(GradientCoherence(groups=watch.groups, layers=watch.layers, sums=sums, **of_gradients))
    if wanted & _FRESH:
        probes.append(FreshCoherence(layers=watch.layers, **of_gradients))
    probes += [
        kind(group=group, at=at)
        for kind, told in ((ExampleScores, _SCORES), (FreshScores, _ALIGNMENTS))
        for group in watch.groups
        if wanted & told
    ]
    if not watch.groups and (lacking := wanted & (_SCORES | _ALIGNMENTS)):
        raise ValueError(f"{', '.join(sorted(lacking))} tell a group from the rest: name it in groups")
    if unknown := wanted - set(made) - _COHERENCE - _FRESH - _SCORES - _ALIGNMENTS:
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be watched; facts are told once, as `Condition.facts`")
    return probes


def _rows(table: pd.DataFrame, watched: Sequence[Watch], phase: str = "training") -> pd.DataFrame:
    """What was measured, under the catalogue's names: of the groups and layers that are watched."""
    kinds = table[["quantity", "on", "labels", "group", "layer"]].drop_duplicates()
    names = {kind: quantities.name_of(*kind[:3]) for kind in kinds.itertuples(index=False, name=None)}
    kept = {kind: name for kind, name in names.items() if any(_is_watched(w, name, *kind[3:]) for w in watched)}
    found = [kept.get(kind) for kind in zip(*(table[name] for name in kinds), strict=True)]
    named = {name: table[name].replace("", "all") for name in ("group", "layer")}
    return table.assign(quantity=found, phase=phase, **named).dropna(subset="quantity")


def _is_watched(watch: Watch, name: str, group: str, layer: str) -> bool:
    groups = {"", "all", *_HALVES, *watch.groups, ", ".join(watch.groups)}
    told = group in groups or name == "example loss"
    return name in watch.quantities and told and (watch.layers or layer in ("", "all"))


def _at_end(result: TrainingResult, conditions: Sequence[Condition], device: str) -> list[pd.DataFrame]:
    """What is measured once training has ended, of the conditions that ask for it."""
    wanted = dict.fromkeys(watch for condition in conditions for watch in condition.at_end)
    tables = []
    for watch in wanted:
        places = [place for place, condition in enumerate(conditions) if watch in condition.at_end]
        tables += [_rows(result.measure(probe, places, device), [watch]) for probe in _probes_of(watch)]
    return tables


def _facts(result: TrainingResult, conditions: Sequence[Condition]) -> pd.DataFrame:
    """One number per network, at the step at which its training ended."""
    sets = [replica.data["train"] for replica in result.replicas]
    told = {
        "steps to fit": result.endings["fitted_step"].tolist(),
        "wrong labels": [float((s.labels != s.true_labels).double().mean()) for s in sets],
        "classes": [float(replica.data["test"].labels.unique().numel()) for replica in result.replicas],
        "parameters": [float(parameter_count(replica.model)) for replica in result.replicas],
    }
    asked = dict.fromkeys(name for condition in conditions for name in condition.facts)
    ends = result.endings.rename(columns={"steps": "step", "epochs": "epoch"})
    ends = ends.assign(phase="training", group="all", layer="all")
    rows = []
    for name in asked:
        asking = [place for place, condition in enumerate(conditions) if name in condition.facts]
        rows.append(ends.assign(quantity=name, value=told[name]).iloc[asking])
    return pd.concat(rows) if rows else pd.DataFrame()
