"""What became of claims, counted once each, and the primary ones with Holm's correction."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import NOT_RUN, Claim, Judgement
from genbook.book import scoreboard
from genbook.results import primary, tally
from genbook.results.chapters import ChaptersError


@dataclasses.dataclass
class FakeRow:
    """A row of verdicts alone."""

    discovery: Judgement
    replication: Judgement
    claim: Claim
    on_other_data: bool = True


def row(discovery, replication="not run", kind="mean", origin="ours", on_other_data=True):
    claim = Claim("c", "So.", "a-paper-2020", lambda table, spec: table, ">", 0, "none", kind="mean", origin=origin)
    claim = dataclasses.replace(claim, kind=kind, relation="=" if kind == "exact" else ">", tolerance=1.0)
    judgements = (dataclasses.replace(NOT_RUN, verdict=verdict) for verdict in (discovery, replication))
    return FakeRow(*judgements, claim, on_other_data)


ROWS = [
    row("holds", "holds", origin="paper"),
    row("holds", "holds", kind="exact"),
    row("holds", "fails", origin="paper"),
    row("holds", "undecided", origin="consequence"),
    row("holds", "not testable"),
    row("holds", "not run", on_other_data=False),
    row("fails", "holds"),
    row("undecided", "fails", on_other_data=False),
    row("not judged", "not judged"),
]


def test_every_claim_that_was_judged_is_counted_once():
    counts = tally.Kind("all", ROWS).counts
    assert counts == {fate: 2 if fate == "replicated" else 1 for fate in tally.FATES}
    assert counts.total() == len(ROWS) - 1
    assert tally.fate(ROWS[-1]) is None


def test_kinds_and_origins_part_the_claims():
    kinds = {kind.title: len(kind.rows) for kind in tally.kinds(ROWS)}
    assert kinds == {"on other data": 6, "on a variation of the same data": 2, "identities": 1}
    origins = {kind.title: len(kind.rows) for kind in tally.origins(ROWS)}
    assert origins == {"said by the paper": 2, "a consequence of it": 1, "this book's own": 5}


def test_the_replication_comes_first_in_words():
    assert tally.in_words(ROWS).startswith("**2** of 8 claims replicated; 1 fails in the replication")
    assert tally.in_words([row("holds", "holds")]) == "**1** of 1 claims replicated"
    assert tally.in_words([row("not judged")]) == ""


def test_the_table_of_fates_has_the_columns_that_some_claim_has():
    table = scoreboard._fates([row("holds", "holds"), row("holds", "fails", origin="paper")])
    assert list(table) == ["claims", "replicated", "fails in the replication"]
    assert table.to_numpy().tolist() == [
        ["on other data", 1, 1],
        ["said by the paper", 0, 1],
        ["this book's own", 1, 0],
    ]


# --- primary claims


@pytest.fixture
def named(tmp_path):
    """Primary claims as a file names them; returns what reads it."""

    def read(text):
        path = tmp_path / "primary.yml"
        path.write_text(text, encoding="utf-8")
        primary._read.cache_clear()
        return primary._read(path)

    return read


ENTRY = "- {{phenomenon: descent, study: {study}, claim: {claim}}}\n"


def test_the_books_own_list_is_sound():
    entries = primary.entries()
    assert len(entries) <= primary.MOST
    assert len({(entry.study, entry.claim) for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (ENTRY.format(study="linear_teache", claim="closed-form"), "did you mean 'linear_teacher'"),
        (ENTRY.format(study="linear_teacher", claim="no-such-claim"), "unknown claim of linear_teacher"),
        ("- {study: linear_teacher, claim: threshold}\n", "phenomenon"),
        (ENTRY.format(study="linear_teacher", claim="closed-form") * 13, "13 primary claims; want at most 12"),
    ],
)
def test_a_list_that_names_what_is_not_there_is_refused(named, text, error):
    with pytest.raises(ChaptersError, match=error):
        named(text)


def test_holm_is_over_the_primary_claims_that_have_a_p_value(monkeypatch, named):
    entries = named("".join(ENTRY.format(study="linear_teacher", claim="closed-form") for _ in range(3)))
    found = iter([Judgement(2, 1, 3, "holds", n=20, p=0.01), NOT_RUN, Judgement(2, 1, 3, "holds", n=20, p=0.02)])
    monkeypatch.setattr(primary, "entries", lambda: entries)
    monkeypatch.setattr(primary, "_judged", lambda study, claim: next(found))
    ones = primary.primaries()
    np.testing.assert_array_equal([one.adjusted for one in ones], [0.02, np.nan, 0.02])
    assert [one.stays for one in ones] == [True, False, True]
    assert pd.Series([one.judgement.verdict for one in ones]).tolist() == ["holds", "not run", "holds"]
