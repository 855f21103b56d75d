"""Study and store together: the table of a world, computed where it is missing."""

from __future__ import annotations

import datetime
import functools
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from genbook import data
from genbook.base.files import atomic, checkout, make_folder, sha256, store_root
from genbook.base.spec import ParameterError, Spec, nearest
from genbook.studies import CONFIRMATION_SEED, Study
from genbook.tables import codehash, manifest
from genbook.tables.store import DamagedTable, Part, Store, encoded, read_table

#: A progress callback: the share of the work that is done, and a word on what is being done.
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Table:
    """The tidy rows of one world with the provenance of each part."""

    study: Study
    spec: Spec
    seeds: tuple[int, ...]
    frame: pd.DataFrame
    provenances: tuple[dict[str, Any], ...]
    digest: str

    @property
    def wall_seconds(self) -> float:
        """Wall time that computing the rows took, in seconds, whenever that was."""
        return sum(provenance["wall_seconds"] for provenance in self.provenances)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data that the rows were computed from; 'generated' where the study makes its own."""
        return self.provenances[0]["data"]

    @property
    def published(self) -> bool:
        """Whether any of the rows come from a published table."""
        return any(provenance.get("published") for provenance in self.provenances)

    @property
    def code_changed(self) -> bool:
        """Whether the code has changed since a published part was computed."""
        return any(provenance["code"] != codehash.code_hash(self.study.module) for provenance in self.provenances)


def dataset_of(spec: Spec) -> str | None:
    """The data set that a spec names, or None for a study that makes its own data."""
    return getattr(spec, "dataset", None)


def fingerprint_of(spec: Spec) -> str:
    """SHA-256 of the arrays of the spec's data set; 'generated' for a study that makes its own data."""
    name = dataset_of(spec)
    return data.fingerprint(name) if name else "generated"


def identity_of(study: Study, spec: Spec) -> dict[str, Any]:
    """What decides the numbers of a table besides its seeds, as its provenance says it."""
    return {
        "study": study.name,
        "version": study.version,
        "spec": spec.model_dump(mode="json"),
        "dataset": dataset_of(spec),
        "data": fingerprint_of(spec),
        "code": codehash.code_hash(study.module),
    }


def key_of(study: Study, spec: Spec) -> str:
    """The store's key: whole spec, version, data and code; any difference is another key."""
    parts = (spec.canonical(), str(study.version), fingerprint_of(spec), codehash.code_hash(study.module))
    return f"{study.name}/{sha256('|'.join(parts).encode())[:24]}"


#: Seeds are one word of the entropy that `genbook.base.seeding` spreads, exact in every column and format.
LARGEST_SEED = 2**32 - 1
#: The seeds of a confirmation begin here, so that as many of 0, 1, 2, ... never meet them.
MOST_SEEDS = CONFIRMATION_SEED


def check_seeds(seeds: Any) -> tuple[int, ...]:
    """A list of seeds from a number of them or a list; raises `ParameterError`."""
    if isinstance(seeds, bool) or not isinstance(seeds, int | list | tuple):
        raise ParameterError(f"parameter seeds = {seeds!r}: want a number of seeds (>= 1) or a list of seeds")
    many = seeds if isinstance(seeds, int) else len(seeds)
    if many > MOST_SEEDS:
        raise ParameterError(f"parameter seeds: {many:.3g} are too many; want at most {MOST_SEEDS}")
    listed = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not listed or any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in listed):
        raise ParameterError(f"parameter seeds = {seeds!r}: want at least one seed, whole numbers >= 0")
    if max(listed) > LARGEST_SEED:
        raise ParameterError(f"parameter seeds = {seeds!r}: want seeds of at most 2^32 - 1 = {LARGEST_SEED}")
    if len(set(listed)) < len(listed):
        raise ParameterError(f"parameter seeds = {seeds!r}: a seed stands twice; a repeated seed adds no information")
    return listed


def has_data(spec: Spec) -> bool:
    """Whether the spec's data set is on this machine, or none is needed."""
    name = dataset_of(spec)
    return name is None or data.available(name)


def obtain(
    study: Study, spec: Spec, seeds: Sequence[int], device: str = "auto", progress: Progress | None = None
) -> Table:
    """The table of ``study`` with ``spec`` over ``seeds``: stored parts, then published ones, the rest computed.

    Where the data are not on this machine only published parts can serve; raises `genbook.data.DataNotFound` if some
    are missing.
    """
    if not has_data(spec):
        parts = _published_parts(study, spec, seeds)
        if len(parts) < len(seeds):
            data.load(dataset_of(spec))
        return _assembled(study, spec, seeds, parts, spec.digest())
    store, key, identity = Store(), key_of(study, spec), identity_of(study, spec)
    parts = {seed: part for seed in seeds if (part := store.read(key, seed, identity)) is not None}
    missing = [seed for seed in seeds if seed not in parts]
    if missing:
        parts.update(_published_parts(study, spec, missing))
        missing = [seed for seed in seeds if seed not in parts]
    if missing:
        with store.claim(key, missing):
            # Another process may have computed them while this one waited for its turn.
            parts.update({seed: part for seed in missing if (part := store.read(key, seed, identity)) is not None})
            missing = [seed for seed in seeds if seed not in parts]
            if missing:
                state = store.root / "checkpoints" / key / sha256(str(missing).encode())[:16]
                for seed, part in _compute(study, spec, missing, device, progress, state):
                    store.write(key, seed, part)
                    parts[seed] = part
                shutil.rmtree(state, ignore_errors=True)
    return _assembled(study, spec, seeds, parts, key.rpartition("/")[2])


def _assembled(study: Study, spec: Spec, seeds: Sequence[int], parts: dict[int, Part], digest: str) -> Table:
    """The parts one after the other, in the order of ``seeds``."""
    frame = pd.concat([parts[seed].frame for seed in seeds], ignore_index=True)
    return Table(study, spec, tuple(seeds), frame, tuple(parts[seed].provenance for seed in seeds), digest)


def missing_seeds(study: Study, spec: Spec, seeds: Sequence[int]) -> list[int]:
    """The seeds that `obtain` would have to compute."""
    stored = set(Store().seeds(key_of(study, spec))) if has_data(spec) else set()
    rest = [seed for seed in seeds if seed not in stored]
    found = _published_parts(study, spec, rest) if rest else {}
    return [seed for seed in rest if seed not in found]


def check_device(device: Any) -> None:
    """Refuse, with a `ParameterError`, what is neither 'auto', 'cpu' nor 'cuda', and 'cuda' where there is none.

    Only for 'cuda' is torch imported.
    """
    if not isinstance(device, str) or device not in ("auto", "cpu", "cuda"):
        raise ParameterError(f"parameter device = {device!r}: want one of: auto, cpu, cuda")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ParameterError("device 'cuda' is not available here: torch sees no GPU; use --device cpu or auto")


def resolve_device(device: str) -> str:
    """'cpu' or 'cuda' for 'auto', 'cpu' or 'cuda'; raises `ParameterError` where it is not there."""
    check_device(device)
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def threads() -> int:
    """Threads of the arithmetic on the CPU: ``GENBOOK_THREADS``, by default 1 (two chapters run side by side)."""
    text, cores = os.environ.get("GENBOOK_THREADS") or "1", os.cpu_count() or 1
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= cores:
        raise ParameterError(
            f"GENBOOK_THREADS = {text!r}: want a whole number from 1 to {cores}, the cores of this machine"
        )
    return int(text)


def _compute(
    study: Study, spec: Spec, seeds: Sequence[int], device: str, progress: Progress | None, state: Path
) -> Iterator[tuple[int, Part]]:
    """Run the study once for all ``seeds`` and cut the table into a part per seed.

    Long trainings keep their checkpoints in ``state``: after a kill, the same request goes on from there.
    """
    import torch
    from threadpoolctl import threadpool_limits

    from genbook.training import watched

    resolved, number = resolve_device(device), threads()
    importlib.import_module(study.module)  # NumPy's and SciPy's libraries can be held to a number once they are there
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    start = time.perf_counter()
    try:
        with watched(progress, make_folder(state)), threadpool_limits(number):
            frame = study.run(spec, seeds, resolved)
    finally:
        torch.set_num_threads(before)
    wall = (time.perf_counter() - start) / len(seeds)
    undocumented = set(frame.columns) - set(study.columns)
    if undocumented:
        raise RuntimeError(f"study {study.name}: columns without a documented meaning: {sorted(undocumented)}")
    for seed in seeds:
        rows = frame[frame["seed"] == seed].reset_index(drop=True)
        if rows.empty:
            raise RuntimeError(f"study {study.name} returned no rows for seed {seed}")
        yield seed, Part(rows, provenance(study, spec, seed, resolved, number, wall))


def provenance(study: Study, spec: Spec, seed: int, device: str, threads: int, wall: float) -> dict[str, Any]:
    """Everything that says where a part comes from, as plain JSON values."""
    return {
        **identity_of(study, spec),
        "seed": seed,
        "varies": list(study.varies),
        "device": _device_name(device),
        "threads": threads,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("genbook", "torch", "numpy", "pandas")},
        },
        "platform": f"{platform.system()} {platform.machine()}",
        "arithmetic": _arithmetic(),
        "commit": _commit(),
        "wall_seconds": round(wall, 3),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _arithmetic() -> dict[str, str | None]:
    """What decides the order of sums on the CPU besides the threads: PyTorch's instruction set and MKL's rule."""
    from torch.backends import cpu

    return {"capability": cpu.get_cpu_capability(), "MKL_CBWR": os.environ.get("MKL_CBWR")}


def _device_name(device: str) -> str:
    if device == "cuda":
        import torch

        return f"cuda ({torch.cuda.get_device_name()})"
    return "cpu"


@functools.cache
def _commit() -> str | None:
    """The checkout's commit, with '+' where files differ from it; None outside a checkout of its own or without git."""
    root = checkout()
    if root is None:
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None  # unpacked inside another repository, whose commit says nothing about this code
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def published_root() -> Path:
    """The folder of published tables, read-only to all but `publish`: in the checkout, else in the store."""
    return (checkout() or store_root()) / "book" / "results"


def published(study: Study) -> Iterator[tuple[Path, Part]]:
    """Every published table of ``study``, of whatever version; one that is not as listed is an error that names it."""
    for name in published_names(study):
        yield _published_path(study, name), _read_published(study, name)


def _published_path(study: Study, name: str) -> Path:
    return published_root() / study.name / f"{name}.parquet"


def _read_published(study: Study, name: str) -> Part:
    """A published table that is as the list of `genbook.tables.manifest` says; raises `DamagedTable`."""
    path, listed = _published_path(study, name), manifest.read(published_root())
    digest = listed.get(f"{study.name}/{path.name}")
    if digest is None:
        raise DamagedTable(
            f"{path} is not listed in {published_root() / manifest.NAME}: genbook publish lists what it writes"
        )
    try:
        return read_table(path, f"{study.name}/{name}", {"study": study.name}, digest)
    except FileNotFoundError:
        raise DamagedTable(f"{path} is missing, but {published_root() / manifest.NAME} lists it") from None


def _published_parts(study: Study, spec: Spec, seeds: Sequence[int]) -> dict[int, Part]:
    """Parts for ``seeds`` from published tables with the same spec and version."""
    wanted, found = spec.model_dump(mode="json"), {}
    for path, part in published(study):
        whole = part.provenance
        if whole["spec"] != wanted or whole["version"] != study.version:
            continue
        for seed in set(seeds) & set(whole["seeds"]):
            rows = part.frame[part.frame["seed"] == seed].reset_index(drop=True)
            single = {name: value for name, value in whole.items() if name != "seeds"}
            found[seed] = Part(rows, {**single, "seed": seed, "published": path.name})
    return found


def published_name(name: str, world: str) -> str:
    """What the published table of a world is called: 'full-shuffled-labels'; raises `ParameterError` for no name."""
    return f"{_plain(name)}-{re.sub('[^A-Za-z0-9._-]+', '-', world)}"


def _plain(name: str) -> str:
    """The name itself, where it is the name of a file and no path; raises `ParameterError`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ParameterError(f"name {name!r}: want letters, digits, '-', '.' and '_', a letter or digit first")
    return name


def published_names(study: Study) -> list[str]:
    """The names of the study's published tables, those included that are listed but not there."""
    listed = (Path(name) for name in manifest.read(published_root()))
    names = {path.stem for path in listed if path.parent.as_posix() == study.name and path.suffix == ".parquet"}
    return sorted(names | {path.stem for path in (published_root() / study.name).glob("*.parquet")})


def published_table(study: Study, name: str) -> Table | None:
    """The table that was published as ``book/results/STUDY/NAME.parquet``, with the spec and seeds it was computed for.

    None where it belongs to another version of the study: what its columns mean may have changed.
    """
    if name not in (known := published_names(study)):
        raise ParameterError(nearest(name, known, f"published table of {study.name}"))
    part = _read_published(study, name)
    whole = part.provenance
    if whole["version"] != study.version:
        return None
    spec, seeds = study.spec.build(**whole["spec"]), tuple(whole["seeds"])
    single = {key: value for key, value in whole.items() if key != "seeds"}
    provenances = tuple({**single, "seed": seed, "published": f"{name}.parquet"} for seed in seeds)
    return Table(study, spec, seeds, part.frame, provenances, spec.digest())


def publish(table: Table, name: str) -> Path:
    """Write ``table`` as ``book/results/STUDY/NAME.parquet``, all seeds in one file of at most 2 MiB, and list it."""
    first = table.provenances[0]
    whole = {
        **{key: value for key, value in first.items() if key not in ("seed", "published")},
        "seeds": list(table.seeds),
        "wall_seconds": round(table.wall_seconds / len(table.seeds), 3),
    }
    path = _published_path(table.study, _plain(name))
    content = encoded(table.frame, whole, f"{table.study.name}/{name}")
    if len(content) > 2 * 2**20:
        size = len(content) / 2**20
        raise ParameterError(
            f"{path.name} would be {size:.1f} MiB; a published table has at most 2: measure less often"
        )
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    manifest.enter(published_root(), path)
    return path
