"""The table of one setting with its provenance, and what tells it from any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from genbook import data
from genbook.base.files import sha256
from genbook.base.spec import Spec
from genbook.studies import Study
from genbook.tables import codehash


@dataclass(frozen=True)
class Table:
    """The tidy rows of one setting with the provenance of each part."""

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
