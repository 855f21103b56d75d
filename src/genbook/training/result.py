"""What a training returns: a tidy table of what was measured, and each replica's end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from torch import Tensor, nn

from genbook.training.replica import Replica

LABELS = ("quantity", "on", "labels", "group", "layer")


@dataclass
class Records:
    """Measurements by columns; `kinds` are the distinct tuples of `LABELS`."""

    kinds: list[tuple[str, ...]] = field(default_factory=list)
    columns: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {"replica": [], "step": [], "kind": [], "value": []}
    )

    def add(self, members: np.ndarray, step: int, kind: tuple[str, ...], values: np.ndarray) -> None:
        """One measurement of some replicas."""
        if kind not in self.kinds:
            self.kinds.append(kind)
        count = len(members)
        added = (members, np.full(count, step), np.full(count, self.kinds.index(kind)), values)
        for column, entries in zip(self.columns.values(), added, strict=True):
            column.append(entries)

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
        import copy

        settings = self.replicas[replica]
        model = copy.deepcopy(settings.model).to("cpu", settings.data["train"].inputs.dtype)
        model.load_state_dict(self.states[replica])
        return model.eval()


def _conditions(replicas: Sequence[Replica]) -> pd.DataFrame:
    described = pd.DataFrame([dict(r.condition) for r in replicas], index=range(len(replicas)))
    described.insert(0, "seed", [r.seed for r in replicas])
    described.insert(0, "replica", range(len(replicas)))
    return described


def assemble(replicas: Sequence[Replica], records: Records, endings: dict[int, Ending]) -> TrainingResult:
    """The tables from what was recorded."""
    conditions = _conditions(replicas)
    columns = records.arrays()
    order = np.lexsort((columns["kind"], columns["step"], columns["replica"]))
    columns = {name: column[order] for name, column in columns.items()}
    per_epoch = np.array([r.steps_per_epoch for r in replicas])
    table = conditions.iloc[columns["replica"]].reset_index(drop=True)
    table["step"] = columns["step"]
    table["epoch"] = columns["step"] / per_epoch[columns["replica"]]
    labels = np.array(records.kinds, dtype=object).reshape(-1, len(LABELS))[columns["kind"]]
    for place, name in enumerate(LABELS):
        table[name] = pd.array(labels[:, place], dtype="str")
    table["value"] = columns["value"]

    ends = [endings[r] for r in range(len(replicas))]
    steps = np.array([e.steps for e in ends])
    ended = conditions.assign(steps=steps, epochs=steps / per_epoch)
    for name in ("fitted", "diverged"):
        flags = np.array([getattr(e, name) for e in ends])
        ended[name] = flags
        ended[f"{name}_step"] = np.where(flags, steps, np.nan)
    return TrainingResult(table, ended, [e.state for e in ends], list(replicas))
