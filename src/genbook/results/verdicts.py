"""Claims setting by setting: what each comes out as in discovery, replication and control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from genbook import data
from genbook.base.claims import JUDGES_NOTHING, NOT_RUN, Claim, Judgement, judge_all
from genbook.base.progress import Progress
from genbook.base.spec import ParameterError, nearest
from genbook.results import judged, published
from genbook.results.chapters import chapter_of
from genbook.results.compute import has_data
from genbook.results.primary import is_primary
from genbook.results.requests import Request, Setting
from genbook.results.table import dataset_of, fingerprint_of
from genbook.studies import Study


@dataclass(frozen=True)
class Row:
    """One claim and, by the name of each setting in which it is judged, what it comes out as there.

    ``published``: whether published tables of the request's profile decide it, and nothing was computed.
    """

    request: Request
    claim: Claim
    judgements: Mapping[str, Judgement]
    data_fingerprint: str
    published: bool = False

    @property
    def discovery(self) -> Judgement:
        """What the claim comes out as in the discovery setting."""
        return self.judgements["discovery"]

    @property
    def replication(self) -> Judgement:
        """What it comes out as in the replication; 'not run' where it is not judged there."""
        return self.judgements.get("replication", NOT_RUN)

    @property
    def control(self) -> Judgement:
        """What it comes out as in the control that it names; 'not run' in a demonstration."""
        return self.judgements.get(self.claim.control, NOT_RUN)

    @property
    def replication_dataset(self) -> str | None:
        """The data set of the replication; None where the claim is not judged there."""
        return dataset_of(self.request.setting("replication").spec) if "replication" in self.judgements else None

    @property
    def on_other_data(self) -> bool:
        """Whether the replication is on another data set: the same generator, or other sizes, make a variation."""
        return self.replication_dataset not in (None, dataset_of(self.request.discovery.spec))

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
            "origin": claim.origin,
            "relation": claim.relation,
            "threshold": claim.threshold,
            "primary": is_primary(study.name, claim.id),
            "replicates_on": "other data" if self.on_other_data else "a variation",
            "profile": self.request.profile,
            "params": self.request.discovery.spec.model_dump(mode="json"),
            "settings": {
                "discovery": self._setting("discovery"),
                "replication": self._setting("replication"),
                "control": self._setting(claim.control),
            },
        }

    def _setting(self, name: str) -> dict[str, Any]:
        """What the claim comes out as in one setting, as JSON values; null where the study has no such setting."""
        found = self.judgements.get(name, NOT_RUN)
        setting = (
            None if name == "replication" and self.request.study.replication is None else self.request.setting(name)
        )
        return {
            "name": name if setting else None,
            "dataset": dataset_of(setting.spec) if setting else None,
            "data_fingerprint": self._fingerprint(setting) if setting else None,
            "seeds": list(self._seeds(setting)) if setting else [],
            "estimate": _plain(found.estimate),
            "low": _plain(found.low),
            "high": _plain(found.high),
            "verdict": found.verdict,
            "reason": self._reason(name, found),
        }

    def _seeds(self, setting: Setting) -> tuple[int, ...]:
        """The seeds of a setting; of a published table those that it holds, none where it is not published."""
        if not self.published:
            return setting.seeds
        name = published.name_of(self.request.profile, setting.name)
        there = name in published.names(self.request.study)
        table = published.table(self.request.study, name) if there else None
        return table.seeds if table is not None else ()

    def _fingerprint(self, setting: Setting) -> str | None:
        """SHA-256 of the setting's data; None where they are not there."""
        if setting.name == "discovery":
            return self.data_fingerprint
        return fingerprint_of(setting.spec) if has_data(setting.spec) else None

    def _reason(self, name: str, found: Judgement) -> str | None:
        """Why there is no verdict for or against the claim; None where there is one."""
        if found.reason:
            return found.reason
        if found.verdict != "not run":
            return None
        if name in self.judgements:
            return "no table of it is published" if self.published else "the data set is not there"
        if self.request.study.replication is None and name == "replication":
            return "the study has no replication"
        if is_demonstration(self.request):
            return JUDGES_NOTHING
        return "left alone" if self.claim.replicates else "the claim is not judged there"


def _plain(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def is_demonstration(request: Request) -> bool:
    """Whether the profile judges nothing and is there to be looked at; 'smoke' is there to run every setting."""
    return request.profile != "smoke" and not request.study.profile(request.profile).judged


def evaluate(
    request: Request, ids: Sequence[str] | None = None, tell: Progress | None = None, *, blind: bool = False
) -> list[Row]:
    """Every claim of the study (or those named) in discovery, replication and control; missing tables are computed.

    A setting whose data are neither stored nor available gets the verdict 'not run'. In discovery that is an error
    (`genbook.data.DataNotFound`): the reader asked for it. ``blind`` leaves the replication 'not run' too: whoever
    still chooses settings must not see it. A demonstration computes its discovery alone, since nothing would be judged
    by the other settings (`is_demonstration`); with the profile's own parameters its claims are decided by the
    published tables of the profile 'full', where there are any.
    """
    study = request.study
    known = [claim.id for claim in study.claims]
    for name in ids or ():
        if name not in known:
            raise ParameterError(nearest(name, known, "claim"))
    claims = [claim for claim in study.claims if ids is None or claim.id in ids]
    decided = decided_elsewhere(request)
    demonstrates = decided is None and is_demonstration(request)

    def settings(claim: Claim) -> list[str]:
        return ["discovery"] if demonstrates else _judged_in(study, claim, blind)

    asked: dict[str, list[Claim]] = {}
    for claim in claims:
        for name in settings(claim):
            asked.setdefault(name, []).append(claim)
    if decided is None:
        found = {name: _judged(request, name, those, tell) for name, those in asked.items()}
        spec = request.discovery.spec
        fingerprint = fingerprint_of(spec) if has_data(spec) else request.table().fingerprint
    else:
        found = {name: _judged_as_published(decided.request, name, those) for name, those in asked.items()}
        fingerprint = decided.fingerprint
    told = request if decided is None else decided.request
    return [
        Row(told, claim, {name: found[name][claim.id] for name in settings(claim)}, fingerprint, decided is not None)
        for claim in claims
    ]


def _judged_in(study: Study, claim: Claim, blind: bool) -> list[str]:
    """The names of the settings in which a claim is judged."""
    replicating = study.replication is not None and claim.replicates and not blind
    return ["discovery", *(["replication"] if replicating else []), claim.control]


def settings_judged(request: Request, *, blind: bool = False) -> list[Setting]:
    """The settings whose tables `evaluate` reads: none where published tables decide."""
    if decided_elsewhere(request) is not None:
        return []
    if is_demonstration(request):
        return [request.discovery]
    names = [name for claim in request.study.claims for name in _judged_in(request.study, claim, blind)]
    return [request.setting(name) for name in dict.fromkeys(names)]


def settings_read(request: Request) -> list[Setting]:
    """The settings whose tables `evaluate` and a chapter's page read: all, of a demonstration the discovery alone."""
    return [request.discovery] if is_demonstration(request) else request.settings()


class Decided(NamedTuple):
    """What was asked of a study when its published tables were made, and the fingerprint of its data."""

    request: Request
    fingerprint: str


def decided_elsewhere(request: Request) -> Decided | None:
    """What decides the claims of a demonstration with its profile's own parameters; None where nothing does."""
    study, profile = request.study, "full"
    own = request.discovery.spec == study.build(request.profile, {})
    name = published.name_of(profile, "discovery")
    if not own or not is_demonstration(request) or name not in published.names(study):
        return None
    table = published.table(study, name)
    if table is None or table.spec != study.build(profile, {}):
        return None
    return Decided(Request(study, profile, Setting("discovery", table.spec, table.seeds)), table.fingerprint)


def _judged_as_published(request: Request, name: str, claims: Sequence[Claim]) -> dict[str, Judgement]:
    """By id, what ``claims`` come out as in the published table of a setting; 'not run' where there is none."""
    file = published.name_of(request.profile, name)
    found = judged.of_published(request.study, file) if file in published.names(request.study) else None
    return {claim.id: NOT_RUN if found is None else found[claim.id] for claim in claims}


def _judged(request: Request, name: str, claims: Sequence[Claim], tell: Progress | None) -> dict[str, Judgement]:
    """By id, what ``claims`` come out as in the setting called ``name``: as kept, or judged on its table."""
    study, setting = request.study, request.setting(name)
    trusts = study.profile(request.profile).judged
    precondition = study.precondition if name == "replication" else None
    told = study, setting.spec, setting.seeds, trusts, precondition is not None
    key = judged.key(*told)
    kept = judged.read(study, key) if key is not None else {}
    if all(claim.id in kept for claim in claims):
        return kept
    try:
        table = request.table(name, tell)
    except data.DataNotFound:
        if name == "discovery":
            raise
        return {claim.id: NOT_RUN for claim in claims}
    made = judge_all(claims, table.frame, table.spec, trusts, precondition)
    if (key := judged.key(*told)) is not None:  # now that the parts are there
        judged.keep(study, key, made)
    return made


def unfailed_controls(rows: Sequence[Row]) -> list[str]:
    """A sentence for each claim that does not come out as 'fails' in its control, where the profile judges.

    'undecided' and 'not run' are no better than 'holds': only 'fails' shows that the check can fail. A control of which
    no table is published is another matter: the page says so.
    """
    judged = [
        row
        for row in rows
        if row.request.study.profile(row.request.profile).judged
        and not (row.published and row.control.verdict == "not run")
    ]
    return [_unfailed(row) for row in judged if row.control.verdict != "fails"]


def _unfailed(row: Row) -> str:
    request, claim, found = row.request, row.claim, row.control
    return (
        f"study {request.study.name}, profile {request.profile}: in its control {claim.control!r} the claim {claim.id} "
        f"came out as {found.verdict!r}: {found.estimate:.4g}, interval {found.low:.4g} to {found.high:.4g} "
        f"over {found.n} values with {found.censored} censored, where {claim.relation} {claim.threshold:.4g} is "
        "claimed; it must come out as 'fails'"
    )
