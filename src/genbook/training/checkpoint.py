"""Checkpoints: the whole state of a training in one safetensors file, from which it goes on to the same table.

Batches are drawn anew from (seed, epoch), so a state is the vectors of parameters and optimiser, where each replica
stands, and what has been measured.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import genbook
from genbook.errors import TrainingError
from genbook.files import atomic, remove_abandoned
from genbook.training.replica import Replica
from genbook.training.result import Ending, Records
from genbook.training.run import StackRun

_FORMAT = "1"


def fingerprint(replicas: Sequence[Replica], probes: Sequence[object]) -> str:
    """SHA-256 of all that decides the table: settings, networks, data, probes, version; not the device."""
    digest = hashlib.sha256(f"{_FORMAT} {genbook.__version__} {list(probes)!r}".encode())
    hashed: dict[int, str] = {}

    def of(tensor: Tensor | None) -> str:
        if tensor is None:
            return "none"
        if id(tensor) not in hashed:
            values = tensor.detach().cpu().contiguous()
            content = hashlib.sha256(values.view(-1).view(torch.uint8).numpy()).hexdigest()
            hashed[id(tensor)] = f"{values.dtype} {tuple(values.shape)} {content}"
        return hashed[id(tensor)]

    for replica in replicas:
        model = [(k, tuple(p.shape), p.requires_grad) for k, p in replica.model.named_parameters()]
        start = getattr(replica.initialise, "__qualname__", replica.initialise)
        settings = (replica.seed, replica.order_seed, replica.init_seed, dict(replica.condition), replica.recipe)
        digest.update(f"{settings!r} {replica.model!r} {model!r} {start!r}".encode())
        for name, examples in sorted(replica.data.items()):
            tensors = {"inputs": examples.inputs, "labels": examples.labels, "true": examples.true_labels}
            tensors.update({f"group {g}": mask for g, mask in sorted(examples.groups.items())})
            digest.update(repr((name, {k: of(t) for k, t in tensors.items()})).encode())
    return digest.hexdigest()


class Checkpoint:
    """One file with the state of one training."""

    def __init__(self, path: str | os.PathLike, fingerprint: str):
        """`fingerprint` tells this training from others; see `fingerprint`."""
        self.path, self.fingerprint = Path(path), fingerprint

    def save(self, stack: int, run: StackRun | None, records: Records, endings: dict[int, Ending]) -> None:
        """Write the state whole or not at all; `run` is under way in the stack of that number."""
        columns = records.arrays()
        tensors = {f"records/{name}": torch.from_numpy(column) for name, column in columns.items()}
        for r, ending in endings.items():
            tensors |= {f"endings/{r}/{key}": value.contiguous() for key, value in ending.state.items()}
        if run is not None:
            tensors |= {f"run/{name}": value.detach().cpu().contiguous() for name, value in run.state().items()}
        about = {
            "fingerprint": self.fingerprint,
            "stack": stack,
            "run": None if run is None else run.position(),
            "kinds": records.kinds,
            "endings": {r: (e.steps, e.fitted, e.diverged, list(e.state)) for r, e in endings.items()},
        }
        with atomic(self.path) as temporary:
            save_file(tensors, temporary, metadata={"training": json.dumps(about)})

    def load(self) -> tuple[int, dict | None, dict[str, Tensor], Records, dict[int, Ending]] | None:
        """What `save` was given, the run as its position and its tensors; `None` where there is no file.

        Raises:
            TrainingError: for a file that is damaged, or of another training; it stays as it is.
        """
        remove_abandoned(self.path)  # the rest of the training may be too short for another write
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                about = json.loads(file.metadata()["training"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(
                f"checkpoint {self.path} is damaged ({error}); move it away to start anew, or put back a whole copy"
            ) from error
        if about["fingerprint"] != self.fingerprint:
            raise TrainingError(
                f"checkpoint {self.path} is of another training (other replicas, data, probes or version); "
                "name another file, or move this one away to start anew"
            )
        columns = {n: [tensors[f"records/{n}"].numpy()] for n in Records().columns}
        records = Records([tuple(kind) for kind in about["kinds"]], columns)
        endings = {
            int(r): Ending(steps, fitted, diverged, {key: tensors[f"endings/{r}/{key}"] for key in keys})
            for r, (steps, fitted, diverged, keys) in about["endings"].items()
        }
        state = {key.removeprefix("run/"): value for key, value in tensors.items() if key.startswith("run/")}
        return about["stack"], about["run"], state, records, endings

    def remove(self) -> None:
        """The training is complete."""
        self.path.unlink(missing_ok=True)
