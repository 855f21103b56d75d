"""One stack of replicas on its way through its steps."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbook.base.recipes import Constant
from genbook.models import StackedLayer, unstack
from genbook.probes import Probe
from genbook.training.batches import Batches
from genbook.training.graphs import Steps
from genbook.training.noise import add_noise
from genbook.training.optimisers import FlatOptimiser
from genbook.training.programs import outputs_of
from genbook.training.replica import Replica
from genbook.training.result import Ending, Records
from genbook.training.stacks import program_for
from genbook.training.transfer import Answer
from genbook.training.view import Sets, View

#: Steps between two questions whether all is finite; each is answered at the next one, when it is no wait any more.
_ASKED = 20


@dataclass(frozen=True)
class _Known:
    """A state to come back to, and whether all is finite in it."""

    position: dict[str, Any]
    state: dict[str, Tensor]
    sum: Answer

    @property
    def finite(self) -> bool:
        return math.isfinite(self.sum.read())


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
        # noise is drawn on the CPU, which is no part of a graph
        self.steps = Steps(device, self.program.capturable and self.recipe.gradient_noise is None)
        varies = self.steps.captures and self.recipe.schedule != Constant()
        self.optimiser = FlatOptimiser(optimisers, self.program.layout, self.program.parameters, varies)
        self._load_sets()
        self.due = [probe.at.due(self.recipe.steps, self.steps_per_epoch) for probe in probes]
        self._looked, self._closely_until = -1, 0
        self._candidate: _Known | None = None
        self._trust()

    def advance(self) -> bool:
        """Look at the state after `step` updates, then make the next; false when no replica is left."""
        if self._look_due():
            self.settle()
        elif self.step >= self._asked + _ASKED:
            self._ask()
        if self._look_due() and self.step != self._looked:  # not again, where it goes on from what was looked at
            self._looked = self.step
            self._look()
        if not self.members:
            return False
        self.optimiser.scale(self.recipe.schedule.factor(self.step, self.recipe.steps))
        self.batches.load(self.step)
        if self.step < self._closely_until:
            self.program.compute_gradient(self.batches, self.step)
            left = self._freeze_diverged()
            if not self.members:
                return False
            self._follow_gradient()
        else:
            left = False
            self.steps.run(self._update, self.batches.hold_still)
        self.optimiser.count()
        self.step += 1
        if left:  # not before the step: a pass forward has changed running statistics, and must not be made again
            self._trust()
        return True

    def _update(self) -> None:
        """The device's work of a step."""
        self.program.compute_gradient(self.batches, self.step)
        self._follow_gradient()

    def _follow_gradient(self) -> None:
        """The optimiser's step, along the gradient and the noise that the recipe adds to it."""
        gradient, noise = self.program.gradient, self.recipe.gradient_noise
        if noise is not None:
            add_noise(gradient, self.program.layout, [r.seed for r in self.replicas], noise, self.step)
        self.optimiser.step(self.program.parameters, gradient)

    def settle(self) -> None:
        """Where a gradient since the last question was not finite, go back there, to go on asking at every step.

        So whatever diverges leaves at the same step as if each had been asked about, and none waits for the answer. A
        number that is not finite stays in the parameters, so they are asked, once for many steps.
        """
        if self.step <= self._closely_until:  # all gradients so far were finite, each was asked about
            self._trust()
        elif self._confirmed():
            now = self._known()
            if now.finite:
                self._trust(now)
            else:
                self._go_back()

    def _ask(self) -> None:
        """Hear what the last question's answer is, and ask the next."""
        if self.step <= self._closely_until:
            self._trust()
        elif self._confirmed():
            self._asked, self._candidate = self.step, self._known()

    def _confirmed(self) -> bool:
        """Trust the state last asked about; go back to the one before and return false where it is not finite."""
        if self._candidate is None:
            return True
        if not self._candidate.finite:
            self._go_back()
            return False
        self._trusted, self._candidate = self._candidate, None
        return True

    def _go_back(self) -> None:
        self._closely_until = self.step
        self.resume(self._trusted.position, self._trusted.state)

    def _known(self) -> _Known:
        kept = {name: t if name == "initial" else t.clone() for name, t in self.state().items()}
        return _Known(self.position(), kept, Answer(self.program.parameters.sum()))

    def _trust(self, known: _Known | None = None) -> None:
        """All was finite up to here: keep the state to come back to, by default as it is now."""
        self._trusted, self._asked = known or self._known(), self.step
        self._candidate = None

    def measure(self, probe: Probe) -> None:
        """Record what a probe says of every replica that is left, whether it is due or not."""
        for places, view in self._views():
            self._measure(probe, view, places)
            view.model.train()

    def _look_due(self) -> bool:
        """Whether the state after `step` updates is looked at."""
        asked = self._check_due() or any(self.step in steps for steps in self.due)
        return asked or self.step == self.recipe.steps

    def _look(self) -> None:
        last = self.step == self.recipe.steps
        check = self._check_due()
        due = [probe for probe, steps in zip(self.probes, self.due, strict=True) if self.step in steps]
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
        wanted = self.recipe.stop_at_accuracy
        assert wanted is not None, "asked for only where there is an accuracy to stop at"
        accuracy = view.correct("train").to(torch.float64).mean(1)
        return (accuracy >= wanted).cpu().numpy()

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
        members = np.array([self.members[place] for place in places])
        self.records.add(members, np.full(len(members), self.step), probe.measure(view))

    def _freeze_diverged(self) -> bool:
        """Let those leave whose gradient is not finite; whether there were any."""
        gradient = self.program.gradient
        if bool(torch.isfinite(gradient.sum())):
            return False
        # The sum of finite numbers may overflow, so look at each entry before a verdict.
        wrong = self.program.layout.by_replica((~torch.isfinite(gradient)).to(gradient.dtype), len(self.members))
        diverged = (wrong > 0).cpu().numpy()
        if diverged.any():
            self._leave(diverged, diverged=diverged)
        return bool(diverged.any())

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
        self.steps.forget()
        self._load_sets()
        self._trust()

    def position(self) -> dict[str, Any]:
        """Where the stack stands: updates made, after which it was looked at, replicas left, the optimiser's count."""
        made = {"step": self.step, "looked": self._looked, "updates": self.optimiser.step_count}
        return {**made, "members": self.members}

    def state(self) -> dict[str, Tensor]:
        """Every tensor that changes with the steps."""
        tensors = {"parameters": self.program.parameters, "initial": self.initial}
        tensors |= {f"optimiser/{k}": buffer for k, buffer in enumerate(self.optimiser.state)}
        tensors |= {f"extra/{name}": values for name, values in self.program.extra_state().items()}
        return tensors | dict(self._buffers())

    def _buffers(self) -> Iterator[tuple[str, Tensor]]:
        for k, (_, module) in enumerate(self.program.modules):
            for name, layer in module.named_modules():
                if isinstance(layer, StackedLayer):
                    yield from ((f"buffers/{k}/{name}/{key}", buffer) for key, buffer in layer.named_buffers())

    def resume(self, position: dict, state: dict[str, Tensor]) -> None:
        """Go on from what `position` and `state` said."""
        if position["members"] != self.members:
            place = {member: p for p, member in enumerate(self.members)}
            self._keep([place[member] for member in position["members"]])
        self.step, self._looked = position["step"], max(self._looked, position["looked"])
        for name, tensor in self.state().items():
            if not name.startswith("extra/"):
                tensor.copy_(state[name])
        self.optimiser.count_from(position["updates"])
        extra = {k.removeprefix("extra/"): v for k, v in state.items() if k.startswith("extra/")}
        self.program.restore_extra_state(extra)
        self._trust()
