"""Judgements that are kept: believed only as long as all that they follow from is the same."""

import dataclasses
import json

import pytest

from genbook import studies
from genbook.base.claims import Judgement
from genbook.results import judged, published, verdicts
from genbook.results.requests import Request
from genbook.results.table import key_of
from genbook.tables.store import Part, Store


@pytest.fixture
def request_(store):
    """A study that takes no time; its smoke profile computes numbers, which is enough to tell judgements apart."""
    return Request.build(studies.get("perceptron_limit"), "smoke")


def estimates(rows):
    return {(row.claim.id, name): found.estimate for row in rows for name, found in row.judgements.items()}


def refuse(*_):
    raise AssertionError("judged again")


def test_what_was_judged_is_not_judged_again_and_is_the_same(request_, monkeypatch):
    first = verdicts.evaluate(request_)
    monkeypatch.setattr(verdicts, "judge_all", refuse)
    monkeypatch.setattr(Request, "table", refuse)
    again = verdicts.evaluate(request_)
    assert [repr(row.judgements) for row in again] == [repr(row.judgements) for row in first]
    assert [found.values for row in again for found in row.judgements.values()] == [
        found.values for row in first for found in row.judgements.values()
    ]
    assert [row.data_fingerprint for row in again] == [row.data_fingerprint for row in first]


def test_what_a_published_table_decides_is_not_judged_again_until_another_is_published(request_, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    study, discovery = request_.study, request_.discovery
    table = request_.table()
    published.publish(table, "some-discovery")
    first = estimates(verdicts.evaluate(request_))
    for seed in discovery.seeds:
        Store().part_path(key_of(study, discovery.spec), seed).unlink()
    key = judged.key(study, discovery.spec, discovery.seeds, judged=False)
    assert estimates(verdicts.evaluate(request_)) == pytest.approx(first, nan_ok=True)
    assert judged.read(study, key)
    with monkeypatch.context() as patch:
        patch.setattr(verdicts, "judge_all", refuse)
        patch.setattr(Request, "table", refuse)
        assert estimates(verdicts.evaluate(request_)) == pytest.approx(first, nan_ok=True)
    frame = table.frame.assign(value=table.frame["value"] ** 2 + 1)
    published.publish(dataclasses.replace(table, frame=frame), "some-discovery")
    assert judged.key(study, discovery.spec, discovery.seeds, judged=False) != key
    assert estimates(verdicts.evaluate(request_)) != pytest.approx(first, nan_ok=True)


def test_a_claim_that_was_asked_for_alone_does_not_hide_the_others(request_):
    ids = [claim.id for claim in request_.study.claims]
    assert len(ids) > 1
    alone = estimates(verdicts.evaluate(request_, ids[:1]))
    everything = estimates(verdicts.evaluate(request_))
    assert {claim for claim, _ in everything} == set(ids)
    assert everything == pytest.approx({**everything, **alone}, nan_ok=True)


def test_another_table_is_judged_anew(request_):
    before = estimates(verdicts.evaluate(request_))
    study, discovery = request_.study, request_.discovery
    key, store = key_of(study, discovery.spec), Store()
    part = store.read(key, discovery.seeds[0], {})
    frame = part.frame.assign(value=part.frame["value"] ** 2 + 1)
    store.write(key, discovery.seeds[0], Part(frame, part.provenance))
    after = estimates(verdicts.evaluate(request_))
    changed = {name for name in before if before[name] != pytest.approx(after[name], nan_ok=True)}
    assert changed
    assert {setting for _, setting in changed} == {"discovery"}


def test_other_code_of_claims_other_libraries_and_another_profile_are_other_keys(request_, monkeypatch):
    verdicts.evaluate(request_)
    study, discovery = request_.study, request_.discovery
    key = judged.key(study, discovery.spec, discovery.seeds, judged=False)
    assert judged.read(study, key)
    assert judged.key(study, discovery.spec, discovery.seeds, judged=True) != key
    assert judged.key(study, discovery.spec, discovery.seeds[:1], judged=False) != key
    monkeypatch.setattr(judged, "_versions", lambda: ["another pandas"])
    assert judged.key(study, discovery.spec, discovery.seeds, judged=False) != key
    monkeypatch.undo()
    monkeypatch.setattr(judged, "_code", lambda name: "another threshold")
    assert judged.key(study, discovery.spec, discovery.seeds, judged=False) != key


def test_nothing_is_kept_where_the_code_does_not_say_what_is_claimed_or_a_part_is_missing(request_):
    study, discovery = request_.study, request_.discovery
    assert judged.key(study, discovery.spec, discovery.seeds, judged=False) is None, "no part is there yet"
    verdicts.evaluate(request_)
    assert judged.key(study, discovery.spec, discovery.seeds, judged=False) is not None
    other = dataclasses.replace(study, claims=study.claims[:1])
    assert judged.key(other, discovery.spec, discovery.seeds, judged=False) is None


@pytest.mark.parametrize("damage", ["verdict", "another key", "truncated", "gone"])
def test_what_is_not_as_it_was_written_is_not_believed(request_, store, monkeypatch, damage):
    first = estimates(verdicts.evaluate(request_))
    for file in (store / "judgements").rglob("*.json"):
        said = json.loads(file.read_text())
        if damage == "verdict":
            for found in said["judgements"].values():
                found.update(estimate=12345.0, verdict="holds")
        if damage == "another key":
            said["digest"] = judged._digest("another key", said["judgements"])
        text = json.dumps(said)
        file.write_text(text[:-9] if damage == "truncated" else text)
        if damage == "gone":
            file.unlink()
    asked = []
    judge_all = verdicts.judge_all
    monkeypatch.setattr(verdicts, "judge_all", lambda claims, *words: asked.extend(claims) or judge_all(claims, *words))
    assert estimates(verdicts.evaluate(request_)) == pytest.approx(first, nan_ok=True)
    assert len(asked) == len(first)


def test_values_come_back_with_the_names_they_had(store):
    study = studies.get("perceptron_limit")
    trials = Judgement(0.5, 0.1, 0.9, "undecided", n=2, values={(0, 0.25): 1.0, (1, 0.25): 0.0})
    seeds = Judgement(float("nan"), 0.1, float("inf"), "fails", n=2, values={7: float("nan"), 8: 2.5})
    judged.keep(study, "k" * 64, {"trials": trials})
    judged.keep(study, "k" * 64, {"seeds": seeds})
    found = judged.read(study, "k" * 64)
    assert repr(found["trials"]) == repr(trials)
    assert found["trials"].values == trials.values
    assert repr(found["seeds"]) == repr(seeds)
    assert list(found["seeds"].values) == [7, 8]
