"""What became of claims, counted: each in one place, replication first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from genbook.results.verdicts import Row

Fate = Literal[
    "replicated",
    "fails in the replication",
    "undecided in the replication",
    "not testable",
    "not run",
    "undecided in discovery",
    "fails in discovery",
]
FATES: tuple[Fate, ...] = get_args(Fate)

#: How a verdict in the replication is told of a claim that holds in discovery.
_REPLICATION: dict[str, Fate] = {
    "holds": "replicated",
    "fails": "fails in the replication",
    "undecided": "undecided in the replication",
    "not testable": "not testable",
    "not run": "not run",
}
_DISCOVERY: dict[str, Fate] = {"fails": "fails in discovery", "undecided": "undecided in discovery"}


def fate(row: Row) -> Fate | None:
    """What became of one claim; None where nothing was judged, which is counted nowhere."""
    if row.discovery.verdict != "holds":
        return _DISCOVERY.get(row.discovery.verdict)
    return _REPLICATION.get(row.replication.verdict)


@dataclass(frozen=True)
class Kind:
    """Claims that are counted together, and their title."""

    title: str
    rows: Sequence[Row]

    @property
    def counts(self) -> Counter[Fate]:
        """How many claims came to each fate."""
        return Counter(found for row in self.rows if (found := fate(row)) is not None)


def kinds(rows: Iterable[Row]) -> list[Kind]:
    """The claims by what their replication is worth: on other data, on a variation of the same, identities.

    An identity, or an agreement with a closed form, is true or not; it says nothing of a paper's finding. A replication
    by the same generator, or on the same data set with other sizes, is a variation. Kinds without a claim are left out.
    """
    exact, empirical = _split(rows, _is_exact)
    other, varied = _split(empirical, lambda row: row.on_other_data)
    found = [Kind("on other data", other), Kind("on a variation of the same data", varied), Kind("identities", exact)]
    return [kind for kind in found if kind.rows]


def _is_exact(row: Row) -> bool:
    return row.claim.kind == "exact"


def _split(rows: Iterable[Row], where: Callable[[Row], bool]) -> tuple[list[Row], list[Row]]:
    """The rows where that is so, and the others."""
    rows = list(rows)
    return [row for row in rows if where(row)], [row for row in rows if not where(row)]


def origins(rows: Iterable[Row]) -> list[Kind]:
    """The claims that are no identities by their origin: what papers say, what follows from it, the book's own."""
    _, empirical = _split(rows, _is_exact)
    titles = {"paper": "said by the paper", "consequence": "a consequence of it", "ours": "this book's own"}
    found = [Kind(title, [row for row in empirical if row.claim.origin == key]) for key, title in titles.items()]
    return [kind for kind in found if kind.rows]


def counts(rows: Iterable[Row]) -> dict[Fate, int]:
    """How many claims came to each fate, in the order of `FATES`."""
    found = Kind("", list(rows)).counts
    return {fate: found[fate] for fate in FATES}


def occurring(rows: Iterable[Row]) -> list[Fate]:
    """The fates that some claim has come to, in the order of `FATES`."""
    return [fate for fate, count in counts(rows).items() if count]


def in_words(rows: Iterable[Row]) -> str:
    """'**6** of 23 claims replicated; 7 fail in the replication, 2 undecided in discovery'; nothing without any."""
    counts = Kind("", list(rows)).counts
    if not counts:
        return ""
    rest = [
        f"{counts[fate]} {fate.replace('fails', 'fail') if counts[fate] > 1 else fate}"
        for fate in FATES[1:]
        if counts[fate]
    ]
    whole = f"**{counts['replicated']}** of {counts.total()} claims replicated"
    return whole + (f"; {', '.join(rest)}" if rest else "")
