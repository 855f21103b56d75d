"""Which replicas train as one tensor program, and which program that is."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from genbook.models import written
from genbook.training.programs import AveragedProgram, StackedProgram, WrittenAveragedProgram, WrittenProgram
from genbook.training.replica import Replica
from genbook.training.wide import WideProgram


def stacks(replicas: Sequence[Replica]) -> list[list[int]]:
    """Which replicas train as one tensor program."""
    # Equal settings side by side, so that the optimiser steps through them in one call.
    stacked = [sorted(members, key=lambda r: repr(replicas[r].recipe.optimiser)) for members in alike(replicas)]
    return _widened(replicas, stacked)


def alike(replicas: Sequence[Replica]) -> list[list[int]]:
    """Groups of places: replicas of one architecture, kind of recipe and shapes of sets, as `models.stack` takes."""
    together: dict[tuple, list[int]] = {}
    described: dict[int, str] = {}  # many replicas are handed one and the same model
    for place, replica in enumerate(replicas):
        if id(replica.model) not in described:
            described[id(replica.model)] = _architecture(replica.model)
        together.setdefault((described[id(replica.model)], *_settings(replica)), []).append(place)
    return list(together.values())


def _architecture(model: nn.Module) -> str:
    return f"{model} {[(tuple(p.shape), p.requires_grad) for p in model.parameters()]}"


def _widened(replicas: Sequence[Replica], stacked: list[list[int]]) -> list[list[int]]:
    """Join stacks that differ in hidden width alone where their replicas share batches."""
    rest: list[list[int]] = []
    wide: dict[tuple, list[int]] = {}
    for members in stacked:
        first = replicas[members[0]]
        if WideProgram.fits(first.model) and _only_a_loss(first):
            hidden, activation, output = list[Any](first.model)
            ends = (hidden.in_features, repr(activation), output.out_features)
            wide.setdefault((ends, *_settings(first)), []).extend(members)
        else:
            rest.append(members)
    for members in wide.values():
        # In the order of the grid, as a resumed run must find it again: a key itself is an address in memory.
        batches = list(dict.fromkeys(replicas[r].batch_key for r in sorted(members)))
        if 2 * len(batches) <= len(members):
            rest.append(sorted(members, key=lambda r: _wide_order(replicas[r], batches)))
        else:
            places = set(members)
            rest += [s for s in stacked if s[0] in places]
    return rest


def _only_a_loss(replica: Replica) -> bool:
    """Whether a step follows the mean gradient of a loss that remembers nothing: what the wide program knows."""
    recipe = replica.recipe
    rules = (recipe.average, recipe.early_learning, recipe.gradient_noise, recipe.optimiser.projected)
    return all(rule is None for rule in rules)


def _wide_order(replica: Replica, batches: Sequence[tuple]) -> tuple[int, int]:
    """Replicas on one batch side by side, in the order of ``batches``, and by width among them."""
    return batches.index(replica.batch_key), WideProgram.width(replica)


def _settings(replica: Replica) -> tuple:
    recipe, inputs = replica.recipe, replica.data["train"].inputs
    kind = tuple(v for k, v in vars(recipe.optimiser).items() if k not in ("lr", "weight_decay"))
    rules = (recipe.average, recipe.early_learning, recipe.augmentation, recipe.gradient_noise)
    settings = (recipe.steps, recipe.schedule, recipe.loss, recipe.stop_at_accuracy, recipe.check_every, *rules)
    sets = tuple((name, tuple(examples.inputs.shape)) for name, examples in sorted(replica.data.items()))
    return type(recipe.optimiser), kind, settings, replica.batch_size, sets, inputs.dtype, replica.dtype


def program_for(replicas: Sequence[Replica], device: torch.device) -> StackedProgram | WideProgram:
    """The fastest program for replicas that `stacks` put together."""
    model = replicas[0].model
    if replicas[0].recipe.average is not None:
        return (WrittenAveragedProgram if written.is_mlp(model) else AveragedProgram)(replicas, device)
    shared = 2 * len({replica.batch_key for replica in replicas}) <= len(replicas)
    if shared and WideProgram.fits(model) and _only_a_loss(replicas[0]):
        return WideProgram(replicas, device)
    return (WrittenProgram if written.is_mlp(model) else StackedProgram)(replicas, device)
