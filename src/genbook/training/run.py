"""One stack of replicas on its way through its steps."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbook.models import StackedLayer, unstack
from genbook.probes import Probe
from genbook.training.batches import Batches
from genbook.training.optimisers import FlatOptimiser
from genbook.training.replica import Replica
from genbook.training.result import Ending, Records
from genbook.training.stacks import outputs_of, program_for
from genbook.training.view import Sets, View

#: Steps between two questions whether all is finite: on an accelerator each is a wait.
_ASKED = 20


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
        self._closely_until = 0
        self._trust()

    def advance(self) -> bool:
        """Look at the state after `step` updates, then make the next; false when no replica is left."""
        due = self._look_due()
        asked = due or self.step >= self._trusted["step"] + _ASKED
        if not (asked and self.settle()) and due:  # what was looked at where it goes on from is not looked at again
            self._look()
        if not self.members:
            return False
        self.program.compute_gradient(self.batches, self.step)
        if self.step < self._closely_until:
            self._freeze_diverged()
        else:
            self._sum += self.program.gradient.sum()
        if not self.members:
            return False
        self.optimiser.step(
            self.program.parameters,
            self.program.gradient,
            self.recipe.schedule.factor(self.step, self.recipe.steps),
        )
        self.step += 1
        return True

    def settle(self) -> bool:
        """Where a gradient since the last question was not finite, go back there, to go on asking at every step.

        So whatever diverges leaves at the same step as if each had been asked about, and hardly any waits for the
        answer. Returns whether it went back.
        """
        if bool(torch.isfinite(self._sum)):
            self._trust()
            return False
        self._closely_until = self.step
        self.resume(self._trusted, self._trusted_state)
        return True

    def _trust(self) -> None:
        """All was finite up to here: keep the state to come back to."""
        self._trusted = self.position()
        self._trusted_state = {name: t if name == "initial" else t.clone() for name, t in self.state().items()}
        self._sum = self.program.gradient.new_zeros(())

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
        self._trust()

    def position(self) -> dict[str, Any]:
        """Where the stack stands: updates made, replicas left, and the optimiser's own count."""
        return {"step": self.step, "members": self.members, "updates": self.optimiser.step_count}

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
        self.step = position["step"]
        for name, tensor in self.state().items():
            if not name.startswith("extra/"):
                tensor.copy_(state[name])
        self.optimiser.count_from(position["updates"])
        extra = {k.removeprefix("extra/"): v for k, v in state.items() if k.startswith("extra/")}
        self.program.restore_extra_state(extra)
        self._trust()
