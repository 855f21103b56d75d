"""Checkpoints: the whole state of a training in one safetensors file, from which it goes on to the same table.

Batches are drawn anew from (seed, epoch), so a state is the vectors of parameters and optimiser, where each replica
stands, and what has been measured. The file names the training that it belongs to and carries a checksum of all of it.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import genbook
from genbook.base.errors import TrainingError
from genbook.base.files import atomic, remove_abandoned, sha256
from genbook.training.programs import initial_model
from genbook.training.replica import Replica
from genbook.training.result import Ending, Records
from genbook.training.run import StackRun

_FORMAT = "2"


def _content(tensor: Tensor) -> str:
    """Type, shape and SHA-256 of the values of a tensor."""
    # A copy: one value that was expanded is contiguous, and yet has no stride by which its bytes could be viewed.
    values = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    digest = hashlib.sha256(values.view(-1).view(torch.uint8).numpy().data).hexdigest()
    return f"{values.dtype} {tuple(values.shape)} {digest}"


def _start(replica: Replica) -> str:
    """The network and all the weights and buffers that it starts from, whoever set them."""
    with torch.random.fork_rng(devices=[]):  # in case `initialise` draws from the global generator
        model = initial_model(replica)
    kinds = [f"{type(module).__module__}.{type(module).__qualname__}" for module in model.modules()]
    weights = [(name, p.requires_grad, _content(p)) for name, p in model.named_parameters()]
    return repr((model, kinds, weights, [(name, _content(buffer)) for name, buffer in model.named_buffers()]))


def fingerprint(replicas: Sequence[Replica], probes: Sequence[object]) -> str:
    """SHA-256 of all that decides the table: settings, starting weights, data, probes, version; not the device."""
    digest = hashlib.sha256(f"{_FORMAT} {genbook.__version__} {list(probes)!r}".encode())
    hashed: dict[int, str] = {}

    def of(tensor: Tensor | None) -> str:
        if tensor is None:
            return "none"
        if id(tensor) not in hashed:  # replicas share their inputs
            hashed[id(tensor)] = _content(tensor)
        return hashed[id(tensor)]

    for replica in replicas:
        settings = (replica.seed, replica.order_seed, replica.init_seed, dict(replica.condition), replica.recipe)
        digest.update(f"{settings!r} {_start(replica)}".encode())
        for name, examples in sorted(replica.data.items()):
            tensors = {"inputs": examples.inputs, "labels": examples.labels, "true": examples.true_labels}
            tensors.update({f"group {g}": mask for g, mask in sorted(examples.groups.items())})
            digest.update(repr((name, {k: of(t) for k, t in tensors.items()})).encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    """What the system refuses safetensors to write, as the `OSError` that it was: only its words come through."""
    try:
        yield
    except SafetensorError as error:
        found = re.search(r"\(os error (\d+)\)", str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def _checksum(about: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that a checkpoint says."""
    return sha256(about.encode(), *(f"{name} {_content(tensors[name])}".encode() for name in sorted(tensors)))


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
        said = json.dumps(about)
        metadata = {"training": said, "checksum": _checksum(said, tensors)}
        with atomic(self.path) as temporary, _system_errors():
            save_file(tensors, temporary, metadata=metadata)

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
                metadata = file.metadata()
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if metadata["checksum"] != _checksum(metadata["training"], tensors):
                raise ValueError("its content does not have the checksum that it names")
            about = json.loads(metadata["training"])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(
                f"checkpoint {self.path} is damaged ({error}); move it away to start anew, or put back a whole copy"
            ) from error
        if about["fingerprint"] != self.fingerprint:
            raise TrainingError(
                f"checkpoint {self.path} is of another training (other replicas, starting weights, data, probes or "
                "version); name another file, or move this one away to start anew"
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
