"""The book's primary claims: few, named in one file before their replication, judged on twenty seeds.

All other claims are descriptive. What a primary claim comes out as is read off the replication's table that is
published under the name `NAME`; Holm's correction is over all of them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import pydantic

from genbook import studies
from genbook.base import stats
from genbook.base.claims import NOT_RUN, Claim, Judgement
from genbook.base.files import checkout
from genbook.base.spec import nearest
from genbook.results import judged, published
from genbook.results.chapters import ChaptersError, listed
from genbook.studies import Study

#: Under which the replications of primary claims are published: ``book/results/STUDY/primary-replication.parquet``.
NAME = "primary"
MOST = 12


class Entry(pydantic.BaseModel):
    """One primary claim: the phenomenon and direction that it stands for, its study and its id."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    phenomenon: str = pydantic.Field(min_length=1)
    study: str
    claim: str


@dataclass(frozen=True)
class Primary:
    """A primary claim with what it comes out as, and its p-value after Holm's correction (NaN where it has none)."""

    entry: Entry
    study: Study
    claim: Claim
    judgement: Judgement
    adjusted: float

    @property
    def stays(self) -> bool:
        """Whether it holds after the correction, the family-wise error rate being 2.5 % on the claim's side."""
        return self.judgement.verdict == "holds" and self.adjusted < 0.025


def entries() -> tuple[Entry, ...]:
    """What ``book/primary.yml`` names; nothing where there is no book around this package.

    Raises:
        ChaptersError: the file is not what it must be, or names a study or claim that is none.
    """
    root = checkout()
    return () if root is None else _read(root / "book" / "primary.yml")


@functools.cache
def _read(path: Path) -> tuple[Entry, ...]:
    found = listed(path, pydantic.TypeAdapter(tuple[Entry, ...]))
    if len(found) > MOST:
        raise ChaptersError(f"{path}: {len(found)} primary claims; want at most {MOST}")
    for entry in found:
        if entry.study not in studies.names():
            raise ChaptersError(f"{path}: {nearest(entry.study, studies.names(), 'study')}")
        known = [claim.id for claim in studies.get(entry.study).claims]
        if entry.claim not in known:
            raise ChaptersError(f"{path}: {nearest(entry.claim, known, f'claim of {entry.study}')}")
    return found


def is_primary(study: str, claim: str) -> bool:
    """Whether the study's claim is one of the primary ones."""
    return any((entry.study, entry.claim) == (study, claim) for entry in entries())


def primaries() -> list[Primary]:
    """The primary claims as their published tables judge them, with Holm's correction for all that have a p-value."""
    found = []
    for entry in entries():
        study = studies.get(entry.study)
        claim = next(claim for claim in study.claims if claim.id == entry.claim)
        found.append((entry, study, claim, _judged(study, claim)))
    tested = [index for index, (*_, judgement) in enumerate(found) if math.isfinite(judgement.p)]
    adjusted = dict(zip(tested, stats.holm([found[index][-1].p for index in tested]), strict=True))
    return [Primary(*fields, float(adjusted.get(index, math.nan))) for index, fields in enumerate(found)]


def _judged(study: Study, claim: Claim) -> Judgement:
    name = published.name_of(NAME, "replication")
    found = judged.of_published(study, name) if name in published.names(study) else None
    return NOT_RUN if found is None else found[claim.id]
