"""A number of the book made again: one seed is trained anew, and what it says is held to what the book says.

A number is named ``STUDY/CLAIM@SETTING``: a claim in discovery, in the replication, in its control, or in a published
table, such as ``primary-replication``. Nothing that is stored is used for the seed that is computed, and nothing that
is computed is stored.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from genbook import studies
from genbook.base import stats
from genbook.base.claims import Claim, judge
from genbook.base.files import sha256
from genbook.base.progress import Progress
from genbook.base.scratch import scratch
from genbook.base.spec import ParameterError, nearest
from genbook.results import published
from genbook.results.compute import computed, missing_seeds
from genbook.results.requests import Request
from genbook.results.table import Table
from genbook.results.verdicts import decided_elsewhere, settings_read
from genbook.studies import Study
from genbook.tables import manifest
from genbook.tables.store import DamagedTable, Store, read_table

_NAME = re.compile(r"(?P<study>\w+)(/(?P<claim>[\w-]+))?(@(?P<setting>.+))?")

#: By how much a statistic may move, relatively, where its seeds give no interval: float32 sums in another order.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Numbers:
    """Claims in one setting, as the book has them, with the table that decides them."""

    setting: str
    table: Table
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Verified:
    """What became of a number when one seed was trained anew.

    ``name``: the number's. ``stored``, ``again``: the statistic of that seed (of several checks a seed, the one
    that moved most). ``allowed``: by how much it may move, on the claim's scale. ``verdicts``: the claim's with the
    stored seed, and with the new one in its place.
    """

    name: str
    stored: float
    again: float
    allowed: float
    verdicts: tuple[str, str]
    matches: bool


@dataclass(frozen=True)
class Retrained:
    """One seed trained anew: the numbers that rest on it.

    ``astray``: largest relative difference between a number of its rows and the stored one; 0 where they are equal to
    the bit, infinite where the rows are others. ``seconds``: wall time.
    """

    seed: int
    astray: float
    seconds: float
    numbers: tuple[Verified, ...]

    @property
    def rows(self) -> str:
        """How the seed's rows compare with the stored ones, in words."""
        if not self.astray:
            return "its rows equal to the bit"
        if math.isinf(self.astray):
            return "some rows at other steps: at large learning rates the order of sums decides when a network is done"
        return f"its rows within {self.astray:.0e} of the stored ones, relatively"

    @property
    def matches(self) -> bool:
        """Whether every number came out again."""
        return all(number.matches for number in self.numbers)


def numbers(name: str) -> list[Numbers]:
    """What ``STUDY/CLAIM@SETTING`` names: without a claim all that are judged in the setting, without it discovery.

    One entry for each table that decides some of them: ``@control`` is the control that each claim names. Raises
    `ParameterError` for a name that is none, and where the book has no table yet.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ParameterError(
            f"{name!r} names no number: want STUDY/CLAIM@SETTING, as random_labels/all-fit@replication"
        )
    study, setting = studies.get(found["study"]), found["setting"] or "discovery"
    claims = [claim for claim in study.claims if found["claim"] in (None, claim.id)]
    if not claims:
        raise ParameterError(nearest(found["claim"], [claim.id for claim in study.claims], f"claim of {study.name}"))
    if setting in (known := published.names(study)):
        return [Numbers(setting, _published(study, setting), tuple(claims))]
    settings = ["discovery", *(["replication"] if study.replication else []), "control", *study.controls]
    if setting not in settings:
        raise ParameterError(nearest(setting, [*settings, *known], f"setting or published table of {study.name}"))
    asked = Request.build(study, "quick")
    decided = decided_elsewhere(asked)
    request = asked if decided is None else decided.request
    judged: dict[str, list[Claim]] = {}
    for claim in claims:
        where = claim.control if setting == "control" else setting
        if where == "discovery" or where == claim.control or (where == "replication" and claim.replicates):
            judged.setdefault(where, []).append(claim)
    if not judged:
        raise ParameterError(f"{name}: not judged in that setting")
    return [Numbers(where, _stored(request, where), tuple(those)) for where, those in judged.items()]


def retrain(asked: Numbers, seed: int | None = None, device: str = "auto", tell: Progress | None = None) -> Retrained:
    """Train one seed of a table anew (one at random, or ``seed``) and hold the claims on it to the stored ones.

    A statistic matches where it moved by no more than half of the claim's interval over seeds, on its scale: so little
    would not be seen in the number that the book prints. A truth must be the same; an identity must lie within its
    tolerance. Raises `ParameterError` for a seed that the table does not hold.
    """
    table = asked.table
    again = train_again(table, asked.setting, seed, device, tell)
    found = tuple(
        _compared(claim, f"{table.study.name}/{claim.id}@{asked.setting}", table, again.frame, again.seed)
        for claim in asked.claims
    )
    return Retrained(again.seed, again.astray, again.seconds, found)


class Again(NamedTuple):
    """A table with the rows of one seed computed anew in the place of those that it had; else as `Retrained` says."""

    seed: int
    frame: pd.DataFrame
    astray: float
    seconds: float


def train_again(table: Table, setting: str, seed: int | None, device: str, tell: Progress | None) -> Again:
    """Compute one seed of a table anew: ``seed``, or one at random. Raises `ParameterError` for one that it has not."""
    if seed is None:
        seed = random.SystemRandom().choice(table.seeds)
    elif seed not in table.seeds:
        raise ParameterError(f"seed {seed}: the book's table of {setting} holds {', '.join(map(str, table.seeds))}")
    start = time.perf_counter()
    with scratch() as folder:
        ((_, part),) = computed(table.study, table.spec, [seed], device, tell, folder)
    seconds = time.perf_counter() - start
    here = table.frame["seed"] == seed
    changed = pd.concat([table.frame[~here], part.frame.astype(table.frame.dtypes)], ignore_index=True)
    return Again(seed, changed, _astray(table.frame[here], part.frame), seconds)


def _published(study: Study, name: str) -> Table:
    table = published.table(study, name)
    if table is None:
        raise ParameterError(f"the published table {name} belongs to another version of {study.name}")
    return table


def _stored(request: Request, setting: str) -> Table:
    """The table of a setting, where nothing of it would have to be computed."""
    chosen = request.setting(setting)
    if missing_seeds(request.study, chosen.spec, chosen.seeds):
        where = f"{request.study.name}, {setting}"
        if setting not in [one.name for one in settings_read(request)]:
            raise ParameterError(
                f"{where}: the book has no table of it, it was not run; "
                f'genbook publish {request.study.name} --setting "{setting}" would'
            )
        raise ParameterError(f"{where}: the book has no table of it here yet; make book makes it")
    return request.table(setting)


def _compared(claim: Claim, name: str, table: Table, changed: pd.DataFrame, seed: int) -> Verified:
    before, after = (judge(claim, frame, table.spec) for frame in (table.frame, changed))
    old, new = (_of_seed(found.values, seed) for found in (before, after))
    verdicts = before.verdict, after.verdict
    if len(old) != len(new) or not old:
        return Verified(name, math.nan, math.nan, 0.0, verdicts, matches=len(old) == len(new))
    moved = [_distance(claim, a, b) for a, b in zip(old, new, strict=True)]
    worst = max(range(len(moved)), key=moved.__getitem__)
    allowed = _allowed(claim, before.estimate, before.low, before.high)
    return Verified(name, old[worst], new[worst], allowed, verdicts, matches=moved[worst] <= allowed)


def _of_seed(values, seed: int) -> list[float]:
    """The values of a seed: one, or one for each of its checks."""
    return [value for label, value in values.items() if (label[0] if isinstance(label, tuple) else label) == seed]


def _distance(claim: Claim, old: float, new: float) -> float:
    """How far a value moved, on the claim's scale; 0 where it is undefined both times, infinite where once."""
    if math.isnan(old) or math.isnan(new) or math.isinf(old) or math.isinf(new):
        return 0.0 if old == new or (math.isnan(old) and math.isnan(new)) else math.inf
    if claim.kind not in ("mean", "equal") or old == new:
        return abs(float(new) - float(old))
    return float(np.abs(np.subtract(*_scaled(claim, [old, new]))))


def _allowed(claim: Claim, estimate: float, low: float, high: float) -> float:
    """Half of the claim's interval, on its scale; next to nothing where there is none."""
    if claim.kind == "exact":
        return claim.tolerance
    if claim.kind == "all":
        return 0.0
    if math.isnan(low) or math.isnan(high):
        return _ROUNDING * max(abs(estimate), 1.0)
    ends = _scaled(claim, [low, high])
    return max(float(ends[1] - ends[0]) / 2, _ROUNDING)


def _scaled(claim: Claim, values: Sequence[float]) -> np.ndarray:
    """The values on the claim's scale; a bounded scale's ends a little within it."""
    if claim.scale in ("logit", "atanh"):
        low = 0.0 if claim.scale == "logit" else -1.0
        return stats.to_scale(np.clip(values, low + _ROUNDING, 1 - _ROUNDING), claim.scale)
    return stats.to_scale(values, claim.scale)


def _astray(stored: pd.DataFrame, again: pd.DataFrame) -> float:
    """The largest relative difference between two tables' numbers; infinite where they have other rows."""
    labels = [column for column in stored.columns if column != "value"]
    left, right = stored.reset_index(drop=True), again.reset_index(drop=True)
    if list(left.columns) != list(right.columns) or len(left) != len(right):
        return math.inf
    if not all(_same(left[column], right[column]) for column in labels):
        return math.inf
    old, new = (frame["value"].to_numpy(dtype=float) for frame in (left, right))
    differ = ~((old == new) | (np.isnan(old) & np.isnan(new)))
    if not differ.any():
        return 0.0
    return float(np.nanmax(np.abs(new - old)[differ] / np.maximum(np.abs(old[differ]), 1e-12)))


def _same(left: pd.Series, right: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(left) and pd.api.types.is_numeric_dtype(right):
        return bool(np.allclose(left.astype(float), right.astype(float), equal_nan=True))
    return left.astype(str).equals(right.astype(str))


def checksums() -> Iterator[tuple[str, str]]:
    """Of every file of ``book/results`` and every stored part: its path, and what is wrong with it ('' if nothing).

    A listed file must have the SHA-256 of the list, and each table the rows, the key and the provenance that it was
    sealed with.
    """
    root, listed = published.root(), manifest.read(published.root())
    there = set(manifest.files(root))
    for name in sorted(there | set(listed)):
        path = root / name
        wrong = "is not listed" if name not in listed else "is missing" if name not in there else ""
        if not wrong and path.suffix == ".parquet":
            wrong = _damage(path, listed[name])
        elif not wrong and sha256(path.read_bytes()) != listed[name]:
            wrong = "is not the file that was listed"
        yield str(path), wrong
    for path in Store().paths():
        yield str(path), _damage(path)


def _damage(path: Path, digest: str | None = None) -> str:
    """What is wrong with a table's file, without its name; nothing where it can be believed.

    Its place says which it must be: ``STUDY/NAME.parquet`` is published, ``STUDY/KEY/seed-SEED.parquet`` a part.
    """
    part = re.fullmatch(r"seed-(\d+)", path.stem)
    key = f"{path.parent.parent.name}/{path.parent.name}" if part else f"{path.parent.name}/{path.stem}"
    try:
        read_table(path, key, {"seed": int(part[1])} if part else {}, digest)
    except (DamagedTable, FileNotFoundError) as damage:
        return str(damage).removeprefix(f"{path} ")
    return ""
