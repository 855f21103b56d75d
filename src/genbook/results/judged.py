"""Judgements that were made before, kept in the store by all that they follow from.

Judging all claims in all settings takes longer than anything else that an unchanged book has to do. What a claim comes
out as in one setting follows from the bytes of its table's parts, from the spec, from the code of the study's claims
and from the libraries that they use: the same key is the same judgement, and no table need be read for it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genbook import studies
from genbook.base.claims import Judgement, judge_all
from genbook.base.files import checkout, sha256, store_root, write_text
from genbook.base.spec import ParameterError, Spec
from genbook.results import published
from genbook.results.compute import has_data
from genbook.results.table import key_of
from genbook.studies import Study
from genbook.tables import codehash
from genbook.tables.store import Store

_LIBRARIES = ("numpy", "pandas", "scipy")


def key(study: Study, spec: Spec, seeds: Sequence[int], judged: bool, preconditioned: bool = False) -> str | None:
    """What the judgements of a study's claims in one setting follow from, as a hash.

    ``judged``: whether the profile judges; ``preconditioned``: whether the data must meet the study's precondition.
    None where that cannot be told: where a part is neither in the store nor published, or for a study that is not the
    one of its name (its claims are then not those of the code).
    """
    if not is_the_codes(study) or not has_data(spec):
        return None
    store, table, parts = Store(), key_of(study, spec), dict[int, str]()
    for seed in seeds:
        with contextlib.suppress(OSError):
            parts[seed] = sha256(store.part_path(table, seed).read_bytes())
    if rest := [seed for seed in seeds if seed not in parts]:
        parts.update(published.digests(study, spec, rest))
    if len(parts) < len(seeds):
        return None
    ordered = [parts[seed] for seed in seeds]
    whole = [table, list(seeds), ordered, judged, preconditioned, _code(study.name), _versions()]
    return sha256(json.dumps(whole).encode())


def of_published(study: Study, name: str) -> dict[str, Judgement] | None:
    """By id, what the study's claims come out as on the table published under ``name``; None where it is outdated.

    None, too, where the package was installed without the book and its tables.

    The data of a replication, which the name tells, must meet the study's precondition.

    Raises `ParameterError` for a name that is none, `DamagedTable` for a file that is not as it was published.
    """
    if checkout() is None and name not in published.names(study):
        return None
    digest, key = published.digest(study, name), None
    if is_the_codes(study):
        key = sha256(json.dumps([name, digest, study.version, _code(study.name), _versions()]).encode())
        if kept := read(study, key):
            return kept
    if (table := published.table(study, name)) is None:
        return None
    asked = study.precondition if name.endswith(published.ending("replication")) else None
    made = judge_all(study.claims, table.frame, table.spec, precondition=asked)
    if key is not None:
        keep(study, key, made)
    return made


def is_the_codes(study: Study) -> bool:
    """Whether ``study`` is the one that the package holds under its name."""
    try:
        package = studies.package(study.name)
    except ParameterError:
        return False
    return importlib.import_module(f"{package}.study").STUDY is study


@functools.cache
def _code(study: str) -> str:
    """A hash of the code that judges the study's claims."""
    return codehash.code_hash(f"{studies.package(study)}.study", "genbook.base.claims")


@functools.cache
def _versions() -> list[str]:
    return [platform.python_version(), *(importlib.metadata.version(name) for name in _LIBRARIES)]


def read(study: Study, key: str) -> dict[str, Judgement]:
    """By the claim's id, what was kept under ``key``; empty where nothing was, or it is not as it was written."""
    try:
        said = json.loads(_path(study, key).read_text(encoding="utf-8"))
        if said["digest"] != _digest(key, said["judgements"]):
            return {}
        return {claim: _restored(fields) for claim, fields in said["judgements"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep(study: Study, key: str, judgements: Mapping[str, Judgement]) -> None:
    """Keep what the claims came out as, with what was kept of others before."""
    plain = {claim: _plain(found) for claim, found in sorted({**read(study, key), **judgements}.items())}
    write_text(_path(study, key), json.dumps({"digest": _digest(key, plain), "judgements": plain}))


def _path(study: Study, key: str) -> Path:
    return store_root() / "judgements" / study.name / f"{key[:24]}.json"


def _digest(key: str, judgements: Mapping[str, Any]) -> str:
    return sha256(key.encode(), json.dumps(judgements, sort_keys=True).encode())


def _plain(judgement: Judgement) -> dict[str, Any]:
    """A judgement as JSON values: those of single seeds or trials as pairs, since their names need not be text."""
    values = [[_label(name), float(value)] for name, value in judgement.values.items()]
    return {**asdict(judgement), "values": values}


def _label(name: Any) -> Any:
    """The name of a seed or trial without NumPy's types."""
    if isinstance(name, tuple):
        return [_label(part) for part in name]
    return name.item() if hasattr(name, "item") else name


def _restored(fields: Mapping[str, Any]) -> Judgement:
    named = ((tuple(name) if isinstance(name, list) else name, value) for name, value in fields["values"])
    return Judgement(**{**fields, "values": dict(named)})
