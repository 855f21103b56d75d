"""Claims world by world: what each comes out as in main, confirmation and null world."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genbook import data
from genbook.base.claims import NOT_RUN, Claim, Judgement, judge
from genbook.base.progress import Progress
from genbook.base.spec import ParameterError, nearest
from genbook.results import judged
from genbook.results.chapters import chapter_of
from genbook.results.compute import has_data
from genbook.results.requests import Request, World
from genbook.results.table import dataset_of, fingerprint_of


@dataclass(frozen=True)
class Row:
    """One claim and, by the name of each world in which it is judged, what it comes out as there."""

    request: Request
    claim: Claim
    judgements: Mapping[str, Judgement]
    data_fingerprint: str

    @property
    def main(self) -> Judgement:
        """What the claim comes out as in the main world."""
        return self.judgements["main"]

    @property
    def confirm(self) -> Judgement:
        """What it comes out as in the confirmation; 'not run' where it is not judged there."""
        return self.judgements.get("confirm", NOT_RUN)

    @property
    def null(self) -> Judgement:
        """What it comes out as in the null world that it names."""
        return self.judgements[self.claim.null]

    @property
    def confirm_dataset(self) -> str | None:
        """The data set of the confirmation; None where the claim is not judged there."""
        return dataset_of(self.request.world("confirm").spec) if "confirm" in self.judgements else None

    def as_dict(self) -> dict[str, Any]:
        """The row as plain JSON values: the keys that ``genbook claims --json`` documents."""
        study, claim = self.request.study, self.claim
        return {
            "chapter": chapter_of(study.name),
            "study": study.name,
            "id": claim.id,
            "statement": claim.statement,
            "source": claim.source,
            "kind": claim.kind,
            "origin": None,
            "relation": claim.relation,
            "threshold": claim.threshold,
            "primary": None,
            "profile": self.request.profile,
            "params": self.request.main.spec.model_dump(mode="json"),
            "settings": {
                "discovery": self._setting("main"),
                "replication": self._setting("confirm"),
                "control": self._setting(claim.null),
            },
        }

    def _setting(self, name: str) -> dict[str, Any]:
        """What the claim comes out as in one world, as plain JSON values; null where the study has no such world."""
        found = self.judgements.get(name, NOT_RUN)
        world = None if name == "confirm" and self.request.study.confirm is None else self.request.world(name)
        return {
            "name": name if world else None,
            "dataset": dataset_of(world.spec) if world else None,
            "data_fingerprint": self._fingerprint(world) if world else None,
            "seeds": list(world.seeds) if world else [],
            "estimate": _plain(found.estimate),
            "low": _plain(found.low),
            "high": _plain(found.high),
            "verdict": found.verdict,
            "reason": self._reason(name, found),
        }

    def _fingerprint(self, world: World) -> str | None:
        """SHA-256 of the world's data; None where they are not there."""
        if world.name == "main":
            return self.data_fingerprint
        return fingerprint_of(world.spec) if has_data(world.spec) else None

    def _reason(self, name: str, found: Judgement) -> str | None:
        """Why there is no verdict for or against the claim; None where there is one."""
        if found.verdict == "not judged":
            return f"profile {self.request.profile} judges nothing"
        if found.verdict == "undecided":
            if found.censored:
                return f"{found.censored} of {found.n + found.censored} values are censored"
            return "no interval" if math.isnan(found.low) else "the interval lies on both sides of what is claimed"
        if found.verdict != "not run":
            return None
        if name in self.judgements:
            return "the data set is not there"
        if self.request.study.confirm is None:
            return "the study has no replication"
        return "left alone" if self.claim.confirms else "the claim is not judged there"


def _plain(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def evaluate(
    request: Request, ids: Sequence[str] | None = None, tell: Progress | None = None, *, blind: bool = False
) -> list[Row]:
    """Every claim of the study (or those named) in main, confirmation and null world; missing tables are computed.

    A world whose data are neither stored nor available gets the verdict 'not run'. In the main world that is an error
    (`genbook.data.DataNotFound`): the reader asked for it. ``blind`` leaves the confirmation 'not run' too: whoever
    still chooses settings must not see it.
    """
    study = request.study
    known = [claim.id for claim in study.claims]
    for name in ids or ():
        if name not in known:
            raise ParameterError(nearest(name, known, "claim"))
    claims = [claim for claim in study.claims if ids is None or claim.id in ids]

    def worlds(claim: Claim) -> list[str]:
        confirming = study.confirm is not None and claim.confirms and not blind
        return ["main", *(["confirm"] if confirming else []), claim.null]

    asked: dict[str, list[Claim]] = {}
    for claim in claims:
        for name in worlds(claim):
            asked.setdefault(name, []).append(claim)
    found = {name: _judged(request, name, those, tell) for name, those in asked.items()}
    spec = request.main.spec
    fingerprint = fingerprint_of(spec) if has_data(spec) else request.table().fingerprint
    return [
        Row(request, claim, {name: found[name][claim.id] for name in worlds(claim)}, fingerprint) for claim in claims
    ]


def _judged(request: Request, name: str, claims: Sequence[Claim], tell: Progress | None) -> dict[str, Judgement]:
    """By id, what ``claims`` come out as in the world called ``name``: as kept, or judged on its table."""
    study, world = request.study, request.world(name)
    trusts = study.profile(request.profile).judged
    key = judged.key(study, world.spec, world.seeds, trusts)
    kept = judged.read(study, key) if key is not None else {}
    if all(claim.id in kept for claim in claims):
        return kept
    try:
        table = request.table(name, tell)
    except data.DataNotFound:
        if name == "main":
            raise
        return {claim.id: NOT_RUN for claim in claims}
    made = {claim.id: judge(claim, table.frame, table.spec, trusts) for claim in claims}
    if (key := judged.key(study, world.spec, world.seeds, trusts)) is not None:  # now that the parts are there
        judged.keep(study, key, made)
    return made


def unfailed_nulls(rows: Sequence[Row]) -> list[str]:
    """A sentence for each claim that does not come out as 'fails' in its null world, where the profile judges.

    'undecided' and 'not run' are no better than 'holds': only 'fails' shows that the check can fail.
    """
    judged = [row for row in rows if row.request.study.profile(row.request.profile).judged]
    return [_unfailed(row) for row in judged if row.null.verdict != "fails"]


def _unfailed(row: Row) -> str:
    request, claim, null = row.request, row.claim, row.null
    return (
        f"study {request.study.name}, profile {request.profile}: in its null world {claim.null!r} the claim {claim.id} "
        f"came out as {null.verdict!r}: {null.estimate:.4g}, interval {null.low:.4g} to {null.high:.4g} over {null.n} "
        f"values with {null.censored} censored, where {claim.relation} {claim.threshold:.4g} is claimed; it must come "
        "out as 'fails'"
    )
