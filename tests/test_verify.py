"""A number of the book made again: it comes out as it was, and one that was changed does not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.base.claims import Claim
from genbook.base.spec import ParameterError
from genbook.results import published, verify
from genbook.results.requests import Request
from genbook.tables import manifest
from genbook.tables.store import Store
from tests.toy import ToyStudy, toy_study


def of_effect(table, spec):
    return table.set_index("seed")["value"]


def claims():
    (mean,) = toy_study().claims
    checks = pd.Series
    return (
        mean,
        dataclasses.replace(mean, id="twice", statistic=lambda t, s: 2 * of_effect(t, s), scale="log"),
        dataclasses.replace(mean, id="each", kind="all", statistic=lambda t, s: of_effect(t, s) > 0.9),
        Claim(
            id="identity",
            statement="Twice a half is the whole.",
            source="student-1908",
            statistic=lambda t, s: checks(
                [value - round(value, 1) for value in t["value"]],
                index=pd.MultiIndex.from_arrays([t["seed"], t["quantity"]]),
            ),
            relation="=",
            threshold=0.0,
            control="nothing",
            kind="exact",
            tolerance=0.04,
        ),
    )


@pytest.fixture
def study(store, tmp_path, monkeypatch):
    """A study whose quick discovery is stored and whose replication is published."""
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    monkeypatch.setattr(data, "available", lambda name: True)
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    study = toy_study(claims=claims())
    monkeypatch.setattr(studies, "get", lambda name: study)
    request = Request.build(study, "quick")
    request.table()
    published.publish(request.table("replication"), "primary-replication")
    return study


def drifting(monkeypatch, by):
    run = ToyStudy.run

    def drifted(self, spec, seeds, device):
        table = run(self, spec, seeds, device)
        return table.assign(value=table["value"] + by)

    monkeypatch.setattr(ToyStudy, "run", drifted)


def test_a_seed_at_random_comes_out_again_and_nothing_is_stored(study):
    before = list(Store().paths())
    (asked,) = verify.numbers("toy")
    again = verify.retrain(asked)
    assert again.matches
    assert again.seed in range(5)
    assert again.astray == 0
    assert [number.name for number in again.numbers] == [f"toy/{claim.id}@discovery" for claim in claims()]
    assert all(number.stored == number.again for number in again.numbers)
    assert list(Store().paths()) == before


def test_what_moves_less_than_half_of_the_interval_matches_and_what_moves_more_differs(study, monkeypatch):
    (asked,) = verify.numbers("toy/above-half")
    values = asked.table.frame["value"].to_numpy()
    half = 2.7764 * values.std(ddof=1) / np.sqrt(5)  # Student's t for four degrees of freedom
    with monkeypatch.context() as little:
        drifting(little, 0.98 * half)
        again = verify.retrain(asked, 3)
    assert again.matches
    assert again.numbers[0].allowed == pytest.approx(half, rel=1e-3)
    assert again.numbers[0].again - again.numbers[0].stored == pytest.approx(0.98 * half)
    assert 0 < again.astray < np.inf
    drifting(monkeypatch, 1.02 * half)
    assert not verify.retrain(asked, 3).matches


def test_a_truth_must_stay_and_an_identity_within_its_tolerance(study, monkeypatch):
    drifting(monkeypatch, -0.2)
    by_name = {number.name: number for number in verify.retrain(verify.numbers("toy")[0], 1).numbers}
    assert not by_name["toy/each@discovery"].matches
    assert by_name["toy/identity@discovery"].matches  # the same distance from the next tenth
    drifting(monkeypatch, 0.05)
    assert not verify.retrain(verify.numbers("toy/identity")[0], 1).matches


def test_rows_of_another_kind_are_told(study, monkeypatch):
    run = ToyStudy.run
    monkeypatch.setattr(ToyStudy, "run", lambda *words: run(*words).assign(quantity="another"))
    again = verify.retrain(verify.numbers("toy/above-half")[0], 0)
    assert np.isinf(again.astray)
    assert "other steps" in again.rows


def test_a_published_table_is_verified_from_its_own_spec_and_seeds(study):
    (asked,) = verify.numbers("toy/above-half@primary-replication")
    assert asked.table.spec.dataset == "mnist1d"
    assert verify.retrain(asked).seed >= 1000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("toy above", "names no number"),
        ("toy/above-hlf", "did you mean 'above-half'"),
        ("toy@replicaton", "did you mean 'replication'"),
        ("toy@control", "no table of it here yet"),
        ("toy@replication", "no table of it here yet"),
    ],
)
def test_what_is_no_number_of_the_book_is_refused(study, name, said, monkeypatch):
    if name == "toy@replication":
        monkeypatch.setenv("GENBOOK_STORE", str(Store().root / "empty"))
        (published.root() / manifest.NAME).unlink()
        for path in published.root().glob("*/*.parquet"):
            path.unlink()
    with pytest.raises(ParameterError, match=said):
        verify.numbers(name)


def test_a_setting_that_no_build_computes_is_not_promised_by_one():
    with pytest.raises(ParameterError, match=r"was not run; genbook publish cnn_epoch_descent --setting"):
        verify.numbers("cnn_epoch_descent/cnn-early-stopping-wins@control")


def test_a_seed_that_the_table_lacks_is_refused(study):
    with pytest.raises(ParameterError, match="holds 0, 1, 2, 3, 4"):
        verify.retrain(verify.numbers("toy")[0], 7)


def test_checksums_name_every_file_that_is_not_as_it_was_written(study):
    found = dict(verify.checksums())
    assert len(found) >= 6
    assert set(found.values()) == {""}
    first, second = Store().paths()[:2]
    first.write_bytes(second.read_bytes())
    (table,) = published.root().glob("*/*.parquet")
    table.write_bytes(table.read_bytes()[:-9])
    stray = published.root() / "toy" / "stray.csv"
    stray.write_text("1")
    wrong = {path: said for path, said in verify.checksums() if said}
    assert set(wrong) == {str(first), str(table), str(stray)}
    assert "seed" in wrong[str(first)]
    assert "SHA-256" in wrong[str(table)]
    assert "not listed" in wrong[str(stray)]
