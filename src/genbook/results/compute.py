"""Study and store together: a table is read where it is stored or published, and computed where it is not."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genbook import data
from genbook.base.files import make_folder, sha256
from genbook.base.progress import Progress, context
from genbook.base.spec import ParameterError, Spec
from genbook.results import published, shipped
from genbook.results.footprint import peak
from genbook.results.provenance import provenance
from genbook.results.table import Table, dataset_of, identity_of, key_of
from genbook.studies import REPLICATION_SEED, Study
from genbook.tables.store import Part, Store

#: Seeds are one word of the entropy that `genbook.base.seeding` spreads, exact in every column and format.
LARGEST_SEED = 2**32 - 1
#: The seeds of a replication begin here, so that as many of 0, 1, 2, ... never meet them.
MOST_SEEDS = REPLICATION_SEED


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


def obtain(
    study: Study, spec: Spec, seeds: Sequence[int], device: str = "auto", progress: Progress | None = None
) -> Table:
    """The table of ``study`` with ``spec`` over ``seeds``: stored, published, shipped parts; the rest is computed.

    Where the data are not on this machine only published parts can serve; raises `genbook.data.DataNotFound` if some
    are missing.
    """
    if not has_data(spec):
        parts = published.parts(study, spec, seeds)
        if len(parts) < len(seeds):
            data.load(str(dataset_of(spec)))
        return _assembled(study, spec, seeds, parts, spec.digest())
    store, key, identity = Store(), key_of(study, spec), identity_of(study, spec)
    parts = {seed: part for seed in seeds if (part := store.read(key, seed, identity)) is not None}
    missing = [seed for seed in seeds if seed not in parts]
    if missing:
        parts.update(published.parts(study, spec, missing))
        missing = [seed for seed in seeds if seed not in parts]
    if missing:
        with store.claim(key, missing):
            # Another process may have computed them while this one waited for its turn.
            parts.update({seed: part for seed in missing if (part := store.read(key, seed, identity)) is not None})
            missing = [seed for seed in seeds if seed not in parts]
            for seed in missing:
                if (part := shipped.part(key, seed, identity)) is not None:
                    store.write(key, seed, part)
                    parts[seed] = part
            missing = [seed for seed in seeds if seed not in parts]
            if missing:
                state = store.root / "checkpoints" / key / sha256(str(missing).encode())[:16]
                for seed, part in computed(study, spec, missing, device, progress, state):
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
    key = key_of(study, spec) if has_data(spec) else None
    there = {*Store().seeds(key), *shipped.seeds(key)} if key is not None else set()
    rest = [seed for seed in seeds if seed not in there]
    found = published.seeds_held(study, spec, rest) if rest else set()
    return [seed for seed in rest if seed not in found]


def computed(
    study: Study, spec: Spec, seeds: Sequence[int], device: str, progress: Progress | None, state: Path
) -> Iterator[tuple[int, Part]]:
    """Run the study once for all ``seeds`` and cut the table into a part per seed.

    Long trainings keep their checkpoints in ``state``: after a kill, the same request goes on from there.
    """
    import torch
    from threadpoolctl import threadpool_limits

    resolved, number = resolve_device(device), threads()
    importlib.import_module(study.module)  # NumPy's and SciPy's libraries can be held to a number once they are there
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    start = time.perf_counter()
    try:
        with context(progress, make_folder(state)), threadpool_limits(number), peak() as mebibytes:
            frame = study.run(spec, seeds, resolved)
            memory = mebibytes()
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
        yield seed, Part(rows, provenance(study, spec, seed, resolved, number, wall, memory))
