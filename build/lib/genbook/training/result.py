"""What a training returns: a tidy table of what was measured, and each replica's end."""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genbook.base.recipes import Recipe, refuse
from genbook.models import stack
from genbook.probes import Measurement, Probe
from genbook.training.precision import full_precision
from genbook.training.programs import initial_model, outputs_of
from genbook.training.replica import Replica
from genbook.training.stacks import alike
from genbook.training.view import Sets, View

LABELS = ("quantity", "on", "labels", "group", "layer")


@dataclass
class Records:
    """Measurements by columns; `kinds` are the distinct tuples of `LABELS`."""

    kinds: list[tuple[str, ...]] = field(default_factory=list)
    columns: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {"replica": [], "step": [], "kind": [], "value": []}
    )

    def add(self, members: np.ndarray, steps: np.ndarray, measurements: Iterable[Measurement]) -> None:
        """What was measured of some replicas, each after its number of steps."""
        for m in measurements:
            values = m.values.detach().to("cpu", torch.float64).numpy()
            present = np.ones(len(members), bool) if m.present is None else m.present.cpu().numpy()
            kind = (m.quantity, m.on, m.labels, m.group, m.layer)
            if kind not in self.kinds:
                self.kinds.append(kind)
            kinds = np.full(len(members), self.kinds.index(kind))
            for column, entries in zip(self.columns.values(), (members, steps, kinds, values), strict=True):
                column.append(entries[present])

    def arrays(self) -> dict[str, np.ndarray]:
        """Each column as one array."""
        types = {"replica": np.int64, "step": np.int64, "kind": np.int64, "value": np.float64}
        return {n: np.concatenate([np.zeros(0, types[n]), *c]).astype(types[n]) for n, c in self.columns.items()}


@dataclass
class Ending:
    """How a replica ended: after `steps` updates, fitted, diverged or neither, with its state dict on the CPU."""

    steps: int
    fitted: bool
    diverged: bool
    state: dict[str, Tensor]


@dataclass
class TrainingResult:
    """What a training returns.

    Attributes:
        table: tidy rows: replica, seed, the conditions' columns, step, epoch, quantity, on (the set of examples),
            labels ("given" or "true"), group, layer, value. Columns that do not apply to a quantity are empty.
        endings: one row a replica: replica, seed, the conditions, steps, epochs, fitted, fitted_step (NaN where it was
            not fitted within the steps: censored), diverged, diverged_step (NaN where it was not).
        states: each replica's final state dict, on the CPU.
        replicas: as they were handed in; "replica" in the tables is the place in this list.
    """

    table: pd.DataFrame
    endings: pd.DataFrame
    states: list[dict[str, Tensor]]
    replicas: list[Replica]

    def model(self, replica: int) -> nn.Module:
        """The plain network of one replica at its end, in evaluation mode."""
        settings = self.replicas[replica]
        model = copy.deepcopy(settings.model).to("cpu", settings.dtype)
        model.load_state_dict(self.states[replica])
        return model.eval()

    def measure(
        self, probe: Probe, at: Sequence[int] | None = None, device: str | torch.device = "cpu"
    ) -> pd.DataFrame:
        """Measure a probe once on the final networks, whatever its schedule.

        Networks that can be stacked are measured together. The start from which `DistanceFromInitialisation` measures
        is drawn again.

        Args:
            probe: what to measure.
            at: places of replicas; all by default.
            device: where to measure.

        Returns:
            Rows in the format of `table`, "step" being where the replica ended. As in `table` there is none of a
            replica that diverged: its last network is no result.

        Raises:
            TrainingError: for places that are not the result's, and for sets of examples that the replicas lack.
        """
        device, steps = torch.device(device), self.endings["steps"].to_numpy()
        places = [place for place in self._places(at) if not self.endings["diverged"][place]]
        records = Records()
        with full_precision(device):
            for group in alike([self.replicas[place] for place in places]):
                members = np.array(places)[group]
                view = self._view(members.tolist(), steps[members], device)
                records.add(members, steps[members], probe.measure(view))
        return _tidy(self.replicas, records)

    def continued(
        self,
        recipe: Recipe,
        probes: Sequence[Probe] = (),
        at: Sequence[int] | None = None,
        device: str | torch.device = "cpu",
        **options: Any,
    ) -> "TrainingResult":
        """Train the final networks on by another recipe, each on its own data; conditions and seeds stay.

        Parameters and buffers go on from where they ended. Steps are counted from 0 again, with the batches of the
        seed's first epochs; momentum and averages begin anew.

        Args:
            recipe: how to train on, for all.
            probes: what to measure.
            at: places of replicas; all by default.
            device: where to train.
            options: `checkpoint`, `checkpoint_every` and `progress` of `genbook.training.train`.

        Returns:
            The continuation's result, the replicas in the order of `at`.

        Raises:
            TrainingError: for places that are not the result's, and for replicas that diverged: there is no network
                to go on from, and `at=np.flatnonzero(~result.endings["diverged"])` are the others.
        """
        from genbook.training.engine import train  # which makes results

        places = self._places(at)
        gone = [place for place in places if self.endings["diverged"][place]]
        refuse(
            bool(gone),
            f"replicas {gone} diverged and cannot go on; of the others the places are "
            'at=np.flatnonzero(~result.endings["diverged"])',
        )
        going = [replace(self.replicas[p], recipe=recipe, initialise=self._load(p)) for p in places]
        return train(going, probes, device, **options)

    def _load(self, place: int) -> Callable[[nn.Module], object]:
        state = self.states[place]
        return lambda model: model.load_state_dict(state)

    def _view(self, members: Sequence[int], steps: np.ndarray, device: torch.device) -> View:
        replicas = [self.replicas[place] for place in members]
        start = stack([initial_model(replica) for replica in replicas]).to(device)
        initial = [p.detach() for p in start.parameters() if p.requires_grad]
        sets = Sets(replicas, outputs_of(replicas[0]), device)
        return View(stack([self.model(place) for place in members]).to(device), sets, steps, initial)

    def _places(self, at: Sequence[int] | None) -> list[int]:
        """The places in `at`, each once."""
        places, count = np.arange(len(self.replicas)) if at is None else np.asarray(at), len(self.replicas)
        refuse(places.dtype == bool, "at is a mask; it takes places, which are np.flatnonzero(mask)")
        outside = [int(place) for place in places if not 0 <= place < count]
        refuse(bool(outside), f"at has {outside}; the result has {count} replicas, at places 0 to {count - 1}")
        return list(dict.fromkeys(places.tolist()))


def _conditions(replicas: Sequence[Replica]) -> pd.DataFrame:
    described = pd.DataFrame([dict(r.condition) for r in replicas], index=range(len(replicas)))
    described.insert(0, "seed", [r.seed for r in replicas])
    described.insert(0, "replica", range(len(replicas)))
    return described


def assemble(replicas: Sequence[Replica], records: Records, endings: dict[int, Ending]) -> TrainingResult:
    """The tables from what was recorded."""
    ends = [endings[r] for r in range(len(replicas))]
    steps = np.array([e.steps for e in ends])
    ended = _conditions(replicas).assign(steps=steps, epochs=steps / _steps_per_epoch(replicas))
    for name in ("fitted", "diverged"):
        flags = np.array([getattr(e, name) for e in ends])
        ended[name] = flags
        ended[f"{name}_step"] = np.where(flags, steps, np.nan)
    return TrainingResult(_tidy(replicas, records), ended, [e.state for e in ends], list(replicas))


def _tidy(replicas: Sequence[Replica], records: Records) -> pd.DataFrame:
    """What was recorded, by replica, step and kind."""
    columns = records.arrays()
    order = np.lexsort((columns["kind"], columns["step"], columns["replica"]))
    columns = {name: column[order] for name, column in columns.items()}
    table = _conditions(replicas).iloc[columns["replica"]].reset_index(drop=True)
    table["step"] = columns["step"]
    table["epoch"] = columns["step"] / _steps_per_epoch(replicas)[columns["replica"]]
    labels = np.array(records.kinds, dtype=object).reshape(-1, len(LABELS))[columns["kind"]]
    for place, name in enumerate(LABELS):
        table[name] = pd.array(labels[:, place], dtype="str")
    table["value"] = columns["value"]
    return table


def _steps_per_epoch(replicas: Sequence[Replica]) -> np.ndarray:
    return np.array([replica.steps_per_epoch for replica in replicas])
