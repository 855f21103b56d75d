"""The loop: every stack of replicas through its steps, probes and ends."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from genbook.models import unstack
from genbook.probes import Probe
from genbook.training.batches import Batches
from genbook.training.optimisers import FlatOptimiser
from genbook.training.programs import StackedProgram, WrittenProgram
from genbook.training.recipe import Replica
from genbook.training.result import Ending, Records, Training, assemble
from genbook.training.view import Sets, View
from genbook.training.wide import WideProgram


def train(replicas: Sequence[Replica], probes: Sequence[Probe] = (), device: str | torch.device = "cpu") -> Training:
    """Train replicas together, watched by probes.

    Replicas of equal architecture, batch size, kind of optimiser and number of examples form a stack, which is one
    tensor program; learning rate, weight decay, seed and data are each replica's own. A replica's path does not depend
    on which others train beside it, up to the order of floating-point sums. One that is fitted or whose gradient is no
    longer finite leaves its stack and is frozen there; the others go on, the same to the bit.

    Args:
        replicas: a grid over seeds and settings, as a list.
        probes: what to measure, each at its own schedule.
        device: where to train; all draws happen on the CPU.

    Returns:
        A `Training`: the tidy table, how each replica ended, and its final state.

    Raises:
        ValueError: for a grid without a replica, or data that do not fit the network or the loss.
    """
    replicas = list(replicas)
    if not replicas:
        raise ValueError("the grid has no replica; train() needs at least one")
    records, endings = Records(), {}
    for members in stacks(replicas):
        run = StackRun([replicas[r] for r in members], members, list(probes), torch.device(device), records, endings)
        while run.advance():
            pass
    return assemble(replicas, records, endings)


def stacks(replicas: Sequence[Replica]) -> list[list[int]]:
    """Which replicas train as one tensor program."""
    together: dict[tuple, list[int]] = {}
    described: dict[int, str] = {}  # many replicas are handed one and the same model
    for place, replica in enumerate(replicas):
        if id(replica.model) not in described:
            described[id(replica.model)] = _architecture(replica.model)
        together.setdefault((described[id(replica.model)], *_settings(replica)), []).append(place)
    # Equal settings side by side, so that the optimiser steps through them in one call.
    stacked = [sorted(members, key=lambda r: repr(replicas[r].recipe.optimiser)) for members in together.values()]
    return _widened(replicas, stacked)


def _architecture(model: nn.Module) -> str:
    return f"{model} {[(tuple(p.shape), p.requires_grad) for p in model.parameters()]}"


def _widened(replicas: Sequence[Replica], stacked: list[list[int]]) -> list[list[int]]:
    """Join stacks that differ in hidden width alone where their replicas share batches."""
    rest: list[list[int]] = []
    wide: dict[tuple, list[int]] = {}
    for members in stacked:
        first = replicas[members[0]]
        if WideProgram.fits(first.model):
            ends = (first.model[0].in_features, repr(first.model[1]), first.model[2].out_features)
            wide.setdefault((ends, *_settings(first)), []).extend(members)
        else:
            rest.append(members)
    for members in wide.values():
        if 2 * len({replicas[r].batch_key for r in members}) <= len(members):
            rest.append(sorted(members, key=lambda r: WideProgram.order(replicas[r])))
        else:
            places = set(members)
            rest += [s for s in stacked if s[0] in places]
    return rest


def _settings(replica: Replica) -> tuple:
    recipe, inputs = replica.recipe, replica.data["train"].inputs
    kind = tuple(v for k, v in vars(recipe.optimiser).items() if k not in ("lr", "weight_decay"))
    settings = (recipe.steps, recipe.schedule, recipe.loss, recipe.stop_at_accuracy, recipe.check_every)
    sets = tuple((name, tuple(examples.inputs.shape)) for name, examples in sorted(replica.data.items()))
    return type(recipe.optimiser), kind, settings, replica.batch_size, sets, inputs.dtype


def outputs_of(replica: Replica) -> int:
    """The number of outputs C of a replica's network, by its answer to one example."""
    examples = replica.data["train"].inputs[:1]
    model = copy.deepcopy(replica.model).to("cpu", examples.dtype).eval()
    with torch.no_grad():
        outputs = model(examples)
    if outputs.dim() != 2:
        raise ValueError(f"the network answers one example with shape {tuple(outputs.shape)}; it must be [1, C]")
    return outputs.shape[1]


def program_for(replicas: Sequence[Replica], device: torch.device) -> StackedProgram | WideProgram:
    """The fastest program for replicas that `stacks` put together."""
    model = replicas[0].model
    shared = 2 * len({replica.batch_key for replica in replicas}) <= len(replicas)
    if shared and WideProgram.fits(model):
        return WideProgram(replicas, device)
    return (WrittenProgram if WrittenProgram.fits(model) else StackedProgram)(replicas, device)


class StackRun:
    """One stack on its way: the state between two steps, and how to get to the next."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        members: Sequence[int],
        probes: Sequence[Probe],
        device: torch.device,
        records: Records,
        endings: dict[int, Ending],
    ):
        """`members` are the places of `replicas` in the whole grid."""
        self.replicas, self.members, self.probes = list(replicas), list(members), probes
        self.device, self.records, self.endings = device, records, endings
        first = self.replicas[0]
        self.recipe, self.outputs = first.recipe, outputs_of(first)
        self.steps_per_epoch = first.steps_per_epoch
        self.step = 0
        self.batches = Batches(self.replicas, self.outputs, device)
        self.program = program_for(self.replicas, device)
        self.initial = self.program.parameters.clone()
        optimisers = [r.recipe.optimiser for r in self.replicas]
        self.optimiser = FlatOptimiser(optimisers, self.program.layout, self.program.parameters)
        self._load_sets()
        self.due = [probe.at.due(self.recipe.steps, self.steps_per_epoch) for probe in probes]

    def advance(self) -> bool:
        """Look at the state after `step` updates, then make the next; false when no replica is left."""
        self._look()
        if not self.members:
            return False
        self.program.compute_gradient(self.batches, self.step)
        self._freeze_diverged()
        if not self.members:
            return False
        self.optimiser.step(
            self.program.parameters,
            self.program.gradient,
            self.recipe.schedule.factor(self.step, self.recipe.steps),
        )
        self.step += 1
        return True

    def _look(self) -> None:
        last = self.step == self.recipe.steps
        check = self._check_due()
        due = [probe for probe, steps in zip(self.probes, self.due, strict=True) if self.step in steps]
        if not (last or check or due):
            return
        ends = [probe for probe in self.probes if probe.at.end and probe not in due]
        fitted = np.zeros(len(self.members), bool)
        for places, view in self._views():
            if check:
                fitted[places] = self._fitted(view)
            for probe in due:
                self._measure(probe, view, places)
            leaving = np.flatnonzero(fitted[places] | last).tolist()
            if ends and leaving:
                leavers = view if len(leaving) == len(places) else view.substack(leaving)
                for probe in ends:
                    self._measure(probe, leavers, [places[p] for p in leaving])
            view.model.train()
        if last or fitted.any():
            self._leave(fitted | last, fitted=fitted)

    def _check_due(self) -> bool:
        if self.recipe.stop_at_accuracy is None or self.step == 0:
            return False
        return self.step % (self.recipe.check_every or self.steps_per_epoch) == 0 or self.step == self.recipe.steps

    def _fitted(self, view: View) -> np.ndarray:
        accuracy = view.correct("train").to(torch.float64).mean(1)
        return (accuracy >= self.recipe.stop_at_accuracy).cpu().numpy()

    def _load_sets(self) -> None:
        self.sets = [
            Sets([self.replicas[place] for place in places], self.outputs, self.device)
            for places, _ in self.program.modules
        ]

    def _views(self) -> Iterator[tuple[list[int], View]]:
        parts = zip(self.program.modules, self.sets, self.program.trained(self.initial), strict=True)
        for (places, module), sets, initial in parts:
            yield places, View(module.eval(), sets, self.step, initial)

    def _measure(self, probe: Probe, view: View, places: Sequence[int]) -> None:
        places = np.array([self.members[place] for place in places])
        for m in probe.measure(view):
            values = m.values.detach().to("cpu", torch.float64).numpy()
            present = np.ones(len(places), bool) if m.present is None else m.present.cpu().numpy()
            kind = (m.quantity, m.on, m.labels, m.group, m.layer)
            self.records.add(places[present], self.step, kind, values[present])

    def _freeze_diverged(self) -> None:
        gradient = self.program.gradient
        if bool(torch.isfinite(gradient.sum())):
            return
        # The sum of finite numbers may overflow, so look at each entry before a verdict.
        wrong = self.program.layout.by_replica((~torch.isfinite(gradient)).to(gradient.dtype), len(self.members))
        diverged = (wrong > 0).cpu().numpy()
        if diverged.any():
            self._leave(diverged, diverged=diverged)

    def _leave(self, leaving: np.ndarray, **why: np.ndarray) -> None:
        flags = {"fitted": np.zeros(len(self.members), bool), "diverged": np.zeros(len(self.members), bool), **why}
        for places, module in self.program.modules:
            for row, place in enumerate(places):
                if leaving[place]:
                    state = {k: v.detach().cpu() for k, v in unstack(module, row).state_dict().items()}
                    ending = Ending(self.step, bool(flags["fitted"][place]), bool(flags["diverged"][place]), state)
                    self.endings[self.members[place]] = ending
        self._keep(np.flatnonzero(~leaving).tolist())

    def _keep(self, keep: list[int]) -> None:
        self.members = [self.members[p] for p in keep]
        self.replicas = [self.replicas[p] for p in keep]
        if not keep:
            return
        entries: Tensor = self.program.keep(keep)
        self.initial = self.initial[entries]
        self.optimiser.keep(keep, self.program.layout, entries)
        self.batches.keep(keep)
        self._load_sets()
