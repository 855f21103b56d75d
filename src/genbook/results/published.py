"""Tables that are published with the book, in ``book/results/STUDY/NAME.parquet``: all seeds of a setting in one file.

What the list of `genbook.tables.manifest` does not vouch for is an error that names it. A file is read once, not at
each question: its provenance in each process, its rows as long as they are among the last that were asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from genbook.base.files import checkout, store_root
from genbook.base.spec import ParameterError, Spec, nearest
from genbook.results.table import Table
from genbook.studies import Study
from genbook.tables import manifest
from genbook.tables.store import DamagedTable, Part, encoded, read_provenance, read_table

_MOST_BYTES = 2 * 2**20


def root() -> Path:
    """The folder of published tables, read-only to all but `publish`: in the checkout, else in the store."""
    return (checkout() or store_root()) / "book" / "results"


def name_of(name: str, setting: str) -> str:
    """What the published table of a setting is called: 'full-shuffled-labels'; raises `ParameterError` for no name."""
    return _plain(name) + ending(setting)


def ending(setting: str) -> str:
    """How the names of a setting's published tables end: '-shuffled-labels'."""
    return f"-{re.sub('[^A-Za-z0-9._-]+', '-', setting)}"


def names(study: Study) -> list[str]:
    """The names of the study's published tables, those included that are listed but not there."""
    found = {name for folder, name in _tables_listed(*_list()) if folder == study.name}
    return sorted(found | {path.stem for path in (root() / study.name).glob("*.parquet")})


def table(study: Study, name: str) -> Table | None:
    """The table that was published under ``name``, with the spec and seeds it was computed for.

    None where it belongs to another version of the study, since what its columns mean may have changed, and where the
    package was installed without the book. Raises `ParameterError` for a name that is none, `DamagedTable` for a file
    that is not as it was published.
    """
    if name not in (known := names(study)):
        if checkout() is None:
            return None
        raise ParameterError(nearest(name, known, f"published table of {study.name}"))
    file = _file(study, name)
    whole = _said(file)
    if whole["version"] != study.version:
        return None
    spec, seeds = study.spec.build(**whole["spec"]), tuple(whole["seeds"])
    provenances = tuple(_of_seed(whole, seed, file) for seed in seeds)
    return Table(study, spec, seeds, _rows(file).frame.copy(), provenances, spec.digest())


def digest(study: Study, name: str) -> str:
    """The SHA-256 that the list has of the table published under ``name``; raises as `table` does."""
    if name not in (known := names(study)):
        raise ParameterError(nearest(name, known, f"published table of {study.name}"))
    return _file(study, name).digest


def listed(study: Study, name: str) -> tuple[Path, str, Mapping[str, Any]]:
    """Of the table published under ``name`` the file, its SHA-256 by the list and its provenance.

    Raises as `table` does.
    """
    digest(study, name)
    file = _file(study, name)
    return file.path, file.digest, _said(file)


def parts(study: Study, spec: Spec, seeds: Sequence[int]) -> dict[int, Part]:
    """By seed, the parts that published tables with the same spec and version hold of ``seeds``."""
    found: dict[int, Part] = {}
    for file, whole, here in _holding(study, spec, seeds):
        frame = _rows(file).frame
        for seed in here:
            found[seed] = Part(frame[frame["seed"] == seed].reset_index(drop=True), _of_seed(whole, seed, file))
    return found


def provenances(study: Study) -> Iterator[Mapping[str, Any]]:
    """What each published table of ``study`` says of itself, whatever its parameters and version; no rows are read."""
    return (_said(_file(study, name)) for name in names(study))


def seeds_held(study: Study, spec: Spec, seeds: Sequence[int]) -> set[int]:
    """Which of ``seeds`` published tables with the same spec and version hold; no rows are read."""
    return set().union(*(here for _, _, here in _holding(study, spec, seeds)))


def digests(study: Study, spec: Spec, seeds: Sequence[int]) -> dict[int, str]:
    """By seed, the SHA-256 that the list has of the file from which `parts` takes it; no rows are read."""
    return {seed: file.digest for file, _, here in _holding(study, spec, seeds) for seed in here}


def publish(table: Table, name: str) -> Path:
    """Write ``table`` as ``book/results/STUDY/NAME.parquet``, at most 2 MiB, and enter it in the list.

    It says of itself what its first seed's part does; where others differ (another machine, say), it says in what.
    """
    first = table.provenances[0]
    whole = {
        **{key: value for key, value in first.items() if key not in ("seed", "published")},
        "seeds": list(table.seeds),
        "wall_seconds": round(table.wall_seconds / len(table.seeds), 3),
        **_varied(table.provenances),
    }
    path = _path(table.study, _plain(name))
    content = encoded(table.frame, whole, _key(table.study, name))
    if len(content) > _MOST_BYTES:
        size = len(content) / 2**20
        raise ParameterError(
            f"{path.name} would be {size:.1f} MiB; a published table has at most 2: measure less often"
        )
    manifest.put(root(), path, content)
    return path


def _varied(provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Under 'varied', what is not the same for all seeds, each value once; nothing where all are alike."""
    rest = set().union(*provenances) - {"seed", "wall_seconds", "peak_mib", "created", "published"}
    told = {name: [one.get(name) for one in provenances] for name in sorted(rest)}
    each = {name: [v for place, v in enumerate(values) if v not in values[:place]] for name, values in told.items()}
    varied = {name: values for name, values in each.items() if len(values) > 1}
    return {"varied": varied} if varied else {}


class _File(NamedTuple):
    """A published file as it stands: what is read of it once holds until its stamp or its line in the list changes."""

    path: Path
    key: str
    study: str
    digest: str
    stamp: tuple[int, int, int]


def _file(study: Study, name: str) -> _File:
    """The file of that name; raises `DamagedTable` where it is not listed or not there."""
    path, lines = _path(study, name), root() / manifest.NAME
    digest = _lines(*_list()).get(f"{study.name}/{path.name}")
    if digest is None:
        raise DamagedTable(f"{path} is not listed in {lines}: genbook publish lists what it writes")
    try:
        state = path.lstat()
    except FileNotFoundError:
        raise DamagedTable(f"{path} is missing, but {lines} lists it") from None
    return _File(path, _key(study, name), study.name, digest, (state.st_mtime_ns, state.st_size, state.st_ino))


def _list() -> tuple[Path, tuple[int, int, int] | None]:
    """The folder whose list is in force and the list's stamp: what was read of it holds while both are the same."""
    folder = root()
    try:
        state = (folder / manifest.NAME).lstat()
    except OSError:
        return folder, None
    return folder, (state.st_mtime_ns, state.st_size, state.st_ino)


@functools.lru_cache(maxsize=2)
def _lines(folder: Path, stamp: tuple[int, int, int] | None) -> Mapping[str, str]:
    """The list as `manifest.read` gives it."""
    return manifest.read(folder)


@functools.lru_cache(maxsize=2)
def _tables_listed(folder: Path, stamp: tuple[int, int, int] | None) -> tuple[tuple[str, str], ...]:
    """Of every table that the list names, the folder and the name without its ending."""
    paths = (Path(name) for name in _lines(folder, stamp))
    return tuple((path.parent.as_posix(), path.stem) for path in paths if path.suffix == ".parquet")


@functools.cache
def _said(file: _File) -> Mapping[str, Any]:
    return read_provenance(file.path, file.key, {"study": file.study}, file.digest)


@functools.lru_cache(maxsize=4)
def _rows(file: _File) -> Part:
    return read_table(file.path, file.key, {"study": file.study}, file.digest)


def _holding(study: Study, spec: Spec, seeds: Sequence[int]) -> list[tuple[_File, Mapping[str, Any], set[int]]]:
    """The files with the same spec and version that hold some of ``seeds``: what they say, and which they hold."""
    wanted = spec.model_dump(mode="json")
    told = [(file, _said(file)) for file in (_file(study, name) for name in names(study))]
    return [
        (file, whole, here)
        for file, whole in told
        if whole["spec"] == wanted and whole["version"] == study.version and (here := set(seeds) & set(whole["seeds"]))
    ]


def _of_seed(whole: Mapping[str, Any], seed: int, file: _File) -> dict[str, Any]:
    """The provenance of one seed's rows."""
    return {**{key: value for key, value in whole.items() if key != "seeds"}, "seed": seed, "published": file.path.name}


def _path(study: Study, name: str) -> Path:
    return root() / study.name / f"{name}.parquet"


def _key(study: Study, name: str) -> str:
    return f"{study.name}/{name}"


def _plain(name: str) -> str:
    """The name itself, where it is the name of a file and no path; raises `ParameterError`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ParameterError(f"name {name!r}: want letters, digits, '-', '.' and '_', a letter or digit first")
    return name
