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
from genbook.results.requests import Request
from genbook.results.table import Table, dataset_of


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
        study, claim, spec = self.request.study, self.claim, self.request.main.spec
        return {
            "chapter": study.chapter,
            "study": study.name,
            "id": claim.id,
            "statement": claim.statement,
            "source": claim.source,
            "kind": claim.kind,
            "relation": claim.relation,
            "profile": self.request.profile,
            "params": spec.model_dump(mode="json"),
            "dataset": dataset_of(spec),
            "data_fingerprint": self.data_fingerprint,
            "seeds": list(self.request.main.seeds),
            "estimate": _plain(self.main.estimate),
            "low": _plain(self.main.low),
            "high": _plain(self.main.high),
            "threshold": claim.threshold,
            "verdict": self.main.verdict,
            "confirm_dataset": self.confirm_dataset,
            "confirm_estimate": _plain(self.confirm.estimate),
            "confirm_verdict": self.confirm.verdict,
            "null_estimate": _plain(self.null.estimate),
            "null_low": _plain(self.null.low),
            "null_high": _plain(self.null.high),
            "null_verdict": self.null.verdict,
        }


def _plain(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def evaluate(
    request: Request, ids: Sequence[str] | None = None, progress: Progress | None = None, *, blind: bool = False
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
    judged = study.profile(request.profile).judged
    tables: dict[str, Table | None] = {}

    def judgement(claim: Claim, name: str) -> Judgement:
        if name not in tables:
            try:
                tables[name] = request.table(name, progress)
            except data.DataNotFound:
                if name == "main":
                    raise
                tables[name] = None
        table = tables[name]
        return NOT_RUN if table is None else judge(claim, table.frame, table.spec, judged)

    def worlds(claim: Claim) -> list[str]:
        confirming = study.confirm is not None and claim.confirms and not blind
        return ["main", *(["confirm"] if confirming else []), claim.null]

    found = [{name: judgement(claim, name) for name in worlds(claim)} for claim in claims]
    rows = zip(claims, found, strict=True)
    return [Row(request, claim, judgements, tables["main"].fingerprint) for claim, judgements in rows]


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
