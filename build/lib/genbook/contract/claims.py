"""Checks of a study's claims: complete, and with a statistic that says something of every seed."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd

from genbook.base.claims import Claim, judge
from genbook.base.files import repository
from genbook.base.spec import Spec
from genbook.contract.errors import NotApplicableError, few, require
from genbook.contract.smoke import smoke
from genbook.studies import Study

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def claims_are_complete(study: Study) -> None:
    """Every claim has a name of its own, a source in the bibliography, a threshold and a control of the study."""
    require(bool(study.claims), f"{study.name}: no claim; state what the study is to find, with a threshold")
    names = [claim.id for claim in study.claims]
    require(len(set(names)) == len(names), f"{study.name}: a claim's id is its own; twice among {names}")
    sources = _bibliography()
    for claim in study.claims:
        where = f"{study.name}, claim {claim.id!r}"
        require(bool(_NAME.fullmatch(claim.id)), f"{where}: an id has small letters, digits and hyphens")
        require(claim.statement.endswith("."), f"{where}: want a whole sentence, got {claim.statement!r}")
        require(
            claim.control in study.controls,
            f"{where}: no control {claim.control!r}; the study has {few(study.controls, 10)}",
        )
        require(
            sources is None or claim.source in sources,
            f"{where}: no source {claim.source!r} in book/references.bib; add the paper, or name its key",
        )
        require(math.isfinite(claim.threshold), f"{where}: the threshold is a number, got {claim.threshold}")
    idle = sorted(set(study.controls) - {claim.control for claim in study.claims})
    require(not idle, f"{study.name}: controls in which no claim must fail: {few(idle)}; name them in one or drop them")


@functools.cache
def _bibliography() -> frozenset[str] | None:
    """The keys of the book's bibliography, or None where the package runs without the book."""
    path = repository() / "book" / "references.bib"
    if not path.is_file():
        return None
    return frozenset(re.findall(r"^@\w+\{([^,\s]+),", path.read_text(encoding="utf-8"), re.MULTILINE))


def statistics_have_a_value_per_seed(study: Study) -> None:
    """Each claim's statistic has one value a seed wherever it is judged, and for a seed alone; checks may have more."""
    for claim in study.claims:
        for name, seeds in _judged(study, claim).items():
            _one_value_each(claim, smoke(study).values(claim, name), seeds, _where(study, claim, name))
            known = functools.partial(_known, smoke(study).values(claim, name))
            judge(replace(claim, statistic=known), smoke(study).table(name), smoke(study).settings[name].spec)
        _one_value_each(claim, smoke(study).values(claim, None), smoke(study).seeds[-1:], _where(study, claim, None))


def _known(values: pd.Series, table: pd.DataFrame, spec: Spec) -> pd.Series:
    """The values of a statistic that has been evaluated."""
    return values


def preconditions_have_a_value_per_seed(study: Study) -> None:
    """What the study demands of its replication's data has one value a seed there, and for a seed alone."""
    asked, known = study.precondition, smoke(study).settings
    if asked is None or "replication" not in known:
        raise NotApplicableError(f"{study.name} has no precondition, or no replication that can run here")
    setting, table = known["replication"], smoke(study).table("replication")
    for seeds in (setting.seeds, setting.seeds[-1:]):
        where = f"{study.name}, precondition {asked.statement!r}, seeds {list(seeds)} of the replication"
        values = asked.statistic(table[table["seed"].isin(seeds)], setting.spec)
        require(isinstance(values, pd.Series), f"{where}: a statistic is a pandas Series, got {type(values).__name__}")
        require(
            sorted(values.index) == sorted(seeds) and bool(np.isfinite(values.astype(float)).all()),
            f"{where}: {values.to_dict()}; want a number for each of the seeds {list(seeds)}",
        )


def _one_value_each(claim: Claim, values: pd.Series, seeds: tuple[int, ...], where: str) -> None:
    require(isinstance(values, pd.Series), f"{where}: a statistic is a pandas Series, got {type(values).__name__}")
    require(
        values.empty or all(isinstance(value, (bool, int, float, np.bool_, np.number)) for value in values),
        f"{where}: want numbers or truths, got the type {values.dtype}",
    )
    require(
        not values.index.has_duplicates,
        f"{where}: more than one value for {few(values.index[values.index.duplicated()])}; want one",
    )
    if claim.kind != "exact" or "seed" in values.index.names:
        level = values.index.get_level_values("seed" if "seed" in values.index.names else 0)
        require(
            set(level) == set(seeds) and (claim.kind == "exact" or values.index.nlevels == 1),
            f"{where}: values for {few(dict.fromkeys(level), 6) or 'no seed'}, want one for each of the seeds "
            f"{list(seeds)}, NaN where it has none",
        )
    if claim.kind == "all":
        truths = set(values.dropna().astype(float))
        require(truths <= {0.0, 1.0}, f"{where}: kind 'all' is of truths, got {few(truths)}")


def statistics_ignore_the_order_of_rows(study: Study) -> None:
    """A statistic is the same whatever the order of the table's rows."""
    for claim in study.claims:
        for name in {"discovery", claim.control} & set(smoke(study).settings):
            table = smoke(study).table(name)
            other_order = table.iloc[::-1] if name == "discovery" else table.sample(frac=1, random_state=1)
            other = claim.statistic(other_order, smoke(study).settings[name].spec).astype(float).sort_index()
            one = smoke(study).values(claim, name).astype(float).sort_index()
            same = one.index.equals(other.index) and np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True)
            require(
                same,
                f"{_where(study, claim, name)}: {one.to_dict()} became {other.to_dict()} when the rows came in another "
                "order; select and sort by columns, not by place",
            )


def _judged(study: Study, claim: Claim) -> dict[str, tuple[int, ...]]:
    """The settings in which ``claim`` is judged, where their data are on this machine, with their seeds."""
    names = ("discovery", claim.control, *(["replication"] if claim.replicates else []))
    known = smoke(study).settings
    return {name: known[name].seeds for name in names if name in known}


def _where(study: Study, claim: Claim, name: str | None) -> str:
    return f"{study.name}, claim {claim.id!r}, {'one seed alone' if name is None else f'setting {name!r}'}"
