import contextlib
import dataclasses
import json
import os
import re
import subprocess
import types
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from threadpoolctl import threadpool_info

import genbook.tables.store
from genbook import data, studies
from genbook.base.claims import JUDGES_NOTHING, Precondition
from genbook.base.spec import ParameterError, Profile
from genbook.results import chapter, compute, judged, provenance, published, tally
from genbook.results.chapter import Chapter
from genbook.results.chapters import studies_of
from genbook.results.compute import check_seeds, missing_seeds, obtain
from genbook.results.pages import in_words
from genbook.results.requests import Request, requests
from genbook.results.table import Table, identity_of, key_of
from genbook.results.verdicts import evaluate, unfailed_controls
from genbook.results.verify import numbers
from genbook.tables import codehash, manifest
from genbook.tables.store import DamagedTable, DamagedTableWarning, Part, Store
from tests.toy import ToyStudy, toy_study


@pytest.fixture
def study(store, monkeypatch):
    monkeypatch.setattr(ToyStudy, "computed", [])
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    monkeypatch.setattr(data, "available", lambda name: True)
    return toy_study()


def seeds_computed():
    return [seeds for _, seeds in ToyStudy.computed]


def test_a_table_is_computed_once_and_more_seeds_cost_only_the_new_ones(study):
    spec = study.build("quick", {})
    first = obtain(study, spec, [0, 1])
    again = obtain(study, spec, [0, 1])
    more = obtain(study, spec, [0, 1, 2])
    assert seeds_computed() == [(0, 1), (2,)]
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert list(more.frame["seed"]) == [0, 1, 2]


@pytest.mark.parametrize(
    "change", [{"effect": 2.0}, {"levels": [0.5]}, {"dataset": "mnist1d"}, "version", "code", "data"]
)
def test_whatever_a_number_depends_on_makes_another_table(study, monkeypatch, change):
    spec = study.build("quick", {})
    key = key_of(study, spec)
    if change == "version":
        study = toy_study(version=2)
    elif change == "code":
        monkeypatch.setattr(codehash, "code_hash", lambda module: "other code")
    elif change == "data":
        monkeypatch.setattr(data, "fingerprint", lambda name: "other data")
    else:
        spec = study.build("quick", change)
    assert key_of(study, spec) != key


def test_a_study_computes_with_as_many_threads_as_its_provenance_says(study, monkeypatch):
    found = []

    def run(spec, seeds, device):
        found.extend(library["num_threads"] for library in threadpool_info())
        found.append(torch.get_num_threads())
        return pd.DataFrame({"seed": list(seeds), "quantity": "effect", "value": 1.0})

    monkeypatch.setattr(ToyStudy, "run", lambda self, *given: run(*given))
    table = obtain(study, study.build("quick", {}), [0])
    assert len(found) > 1
    assert set(found) == {table.provenances[0]["threads"]}


def test_a_reworded_claim_changes_no_key(study):
    spec = study.build("quick", {})
    assert key_of(toy_study(title="Another", claims=()), spec) == key_of(study, spec)


def test_a_part_carries_all_of_its_provenance(study, monkeypatch):
    monkeypatch.setattr(compute, "time", SimpleNamespace(perf_counter=iter([10.0, 12.5]).__next__))
    obtain(study, study.build("quick", {"effect": 2.0}), [4])
    (told,) = Store().provenances()
    assert told["spec"] == {"dataset": "digits", "effect": 2.0, "levels": [0.0, 1.0]}
    assert (told["seed"], told["study"], told["device"], told["threads"]) == (4, "toy", "cpu", 1)
    assert told["data"] == "fingerprint of digits"
    assert told["arithmetic"] == {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "MKL_CBWR": os.environ["MKL_CBWR"],
    }
    assert {"python", "torch", "numpy"} <= set(told["versions"])
    assert told["wall_seconds"] == 2.5
    assert told["varies"]
    assert {"commit", "code", "created", "platform"} <= set(told)


def test_a_damaged_part_is_computed_anew_and_the_others_are_not(study):
    spec = study.build("quick", {})
    before = obtain(study, spec, [0, 1])
    path = Store().part_path(key_of(study, spec), 1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(DamagedTableWarning, match=path.name):
        after = obtain(study, spec, [0, 1])
    assert seeds_computed() == [(0, 1), (1,)]
    pd.testing.assert_frame_equal(before.frame, after.frame)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_part_in_anothers_place_is_computed_anew(study, seed):
    """Another seed's, a control's, another study's: named, and the table is what it was."""
    spec, nothing = study.build("quick", {}), study.build("quick", {"effect": 0.0})
    other = toy_study(name="other")
    before = obtain(study, spec, [0, 1])
    obtain(study, nothing, [0, 1])
    obtain(other, spec, [0, 1])
    store, key = Store(), key_of(study, spec)
    path = store.part_path(key, seed)
    for source, said in (
        (store.part_path(key, 1 - seed), f"its seed is {1 - seed}, not {seed}"),
        (store.part_path(key_of(study, nothing), seed), "is the table of toy/"),
        (store.part_path(key_of(other, spec), seed), "is the table of other/"),
    ):
        ToyStudy.computed.clear()
        path.write_bytes(source.read_bytes())
        with pytest.warns(DamagedTableWarning, match=said):
            after = obtain(study, spec, [0, 1])
        assert seeds_computed() == [(seed,)]
        pd.testing.assert_frame_equal(after.frame, before.frame)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("study", "other"),
        ("version", 2),
        ("spec", {"dataset": "digits", "effect": 2.0, "levels": [0.0, 1.0]}),
        ("seed", 1),
        ("dataset", "mnist1d"),
        ("data", "other data"),
        ("code", "other code"),
    ],
)
def test_a_part_that_says_it_is_of_another_table_is_computed_anew(study, name, value):
    """Each entry of the identity, in a file that is sealed as it should be."""
    spec, store = study.build("quick", {}), Store()
    before = obtain(study, spec, [0])
    key = key_of(study, spec)
    part = store.read(key, 0, identity_of(study, spec))
    store.write(key, 0, Part(2 * part.frame[["value"]], {**part.provenance, name: value}))
    with pytest.warns(DamagedTableWarning, match=f"another table than was asked for: its {name} is "):
        after = obtain(study, spec, [0])
    pd.testing.assert_frame_equal(after.frame, before.frame)


def test_what_another_writer_stored_while_this_one_waited_is_read_and_not_computed_again(study, monkeypatch):
    spec, claim = study.build("quick", {}), Store.claim

    @contextlib.contextmanager
    def waited(store, key, seeds):
        with monkeypatch.context() as patch:
            patch.setattr(Store, "claim", claim)
            obtain(study, spec, [1, 2])  # the other writer has its turn first
        with claim(store, key, seeds):
            yield

    monkeypatch.setattr(Store, "claim", waited)
    table = obtain(study, spec, [0, 1, 2])
    assert seeds_computed() == [(1, 2), (0,)]
    monkeypatch.undo()
    assert list(table.frame["seed"]) == [0, 1, 2]


def test_a_column_without_a_meaning_is_refused(study):
    with pytest.raises(RuntimeError, match="quantity"):
        obtain(toy_study(columns={"seed": "", "value": ""}), study.build("quick", {}), [0])


def test_a_published_table_serves_the_same_spec_and_version_alone(study, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    spec = study.build("quick", {})
    path = published.publish(obtain(study, spec, [0, 1]), "quick-discovery")
    assert path == tmp_path / "results" / "toy" / "quick-discovery.parquet"
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "another store"))
    assert missing_seeds(study, spec, [0, 1, 2]) == [2]
    found = obtain(study, spec, [0, 1])
    assert seeds_computed() == [(0, 1)]
    assert found.published
    assert not found.code_changed
    monkeypatch.setattr(codehash, "code_hash", lambda module: "other code")
    assert obtain(study, spec, [0, 1]).code_changed
    obtain(toy_study(version=2), spec, [0])
    assert seeds_computed() == [(0, 1), (0,)]


def test_a_published_table_serves_where_its_data_are_not(study, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    request = Request.build(study, "quick", {"dataset": "fashion-mnist", "seeds": 2})
    published.publish(request.table(), "fashion")
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "another store"))
    monkeypatch.setattr(data, "available", lambda name: False)
    assert request.runnable(request.discovery)
    assert not request.runnable(request.setting("nothing"))
    assert request.table().published
    assert request.table().fingerprint == "fingerprint of fashion-mnist"


def test_a_published_table_is_found_by_its_name_unless_it_is_outdated(study, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    spec = study.build("quick", {"effect": 2.0})
    published.publish(obtain(study, spec, [3, 5]), "larger")
    found = published.table(study, "larger")
    assert (found.spec, found.seeds, found.published) == (spec, (3, 5), True)
    assert [provenance["seed"] for provenance in found.provenances] == [3, 5]
    pd.testing.assert_frame_equal(found.frame, obtain(study, spec, [3, 5]).frame)
    assert published.table(toy_study(version=2), "larger") is None
    with monkeypatch.context() as patch:
        patch.setattr(published, "checkout", lambda: None)
        assert published.table(study, "not installed with the package") is None
    with pytest.raises(ParameterError, match="did you mean 'larger'"):
        published.table(study, "large")


@pytest.fixture
def listed(study, tmp_path, monkeypatch):
    """A published table beside another one, and a store in which neither is."""
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    for name, effect in (("quick-discovery", 1.0), ("larger", 2.0)):
        published.publish(obtain(study, study.build("quick", {"effect": effect}), [0, 1]), name)
    manifest.check(tmp_path / "results")
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "another store"))
    return tmp_path / "results" / "toy"


def forged(path):
    """Double a published table's values and keep its provenance."""
    table = pq.read_table(path)
    values = table.set_column(2, "value", pa.array(2 * table["value"].to_numpy()))
    pq.write_table(values.replace_schema_metadata(table.schema.metadata), path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda folder: forged(folder / "quick-discovery.parquet"),
            "quick-discovery.parquet is not as it was published",
        ),
        (
            lambda folder: (folder / "quick-discovery.parquet").unlink(),
            "quick-discovery.parquet is missing, but .* lists it",
        ),
        (lambda folder: (folder.parent / manifest.NAME).unlink(), "is not listed in .*SHA256SUMS"),
        (
            lambda folder: (folder / "larger.parquet").rename(folder / "quick-discovery.parquet"),
            "larger.parquet is missing|quick-discovery.parquet is not as it was published",
        ),
    ],
    ids=["forged", "missing", "no list", "another"],
)
def test_a_published_table_that_is_not_as_listed_is_an_error_that_names_it(study, listed, change, said):
    change(listed)
    with pytest.raises(DamagedTable, match=said):
        published.table(study, "quick-discovery")
    with pytest.raises(DamagedTable, match=said):
        obtain(study, study.build("quick", {}), [0, 1])
    assert seeds_computed() == [(0, 1), (0, 1)]


def test_a_published_table_that_is_not_listed_is_an_error_that_names_it(study, listed):
    (listed / "mine.parquet").write_bytes((listed / "larger.parquet").read_bytes())
    with pytest.raises(DamagedTable, match=r"mine\.parquet is not listed"):
        published.table(study, "mine")


def test_a_published_table_under_anothers_name_is_an_error_even_where_it_is_listed(study, listed):
    (listed / "mine.parquet").write_bytes((listed / "larger.parquet").read_bytes())
    manifest.list_anew(listed.parent)
    with pytest.raises(DamagedTable, match=r"mine\.parquet is the table of toy/larger, not of toy/mine"):
        published.table(study, "mine")


def test_a_table_that_was_published_before_tables_were_sealed_is_vouched_for_by_the_list_alone(study, listed):
    path = listed / "larger.parquet"
    table = pq.read_table(path)
    bare = {name: value for name, value in table.schema.metadata.items() if name != b"genbook.seal"}
    pq.write_table(table.replace_schema_metadata(bare), path)
    manifest.enter(listed.parent, path)
    assert published.table(study, "larger").seeds == (0, 1)


def test_a_published_file_is_read_once_whatever_is_asked_of_it(study, listed, monkeypatch):
    published._said.cache_clear()
    opened = []
    content = genbook.tables.store._content
    monkeypatch.setattr(genbook.tables.store, "_content", lambda path: opened.append(path.name) or content(path))
    specs = [study.build("quick", {"effect": effect}) for effect in (1.0, 2.0, 3.0)]
    for spec in specs * 2:
        missing_seeds(study, spec, [0, 1, 2])
    assert sorted(opened) == ["larger.parquet", "quick-discovery.parquet"], (
        "what each says is enough to look for a spec"
    )
    opened.clear()
    for _ in range(3):
        assert set(published.parts(study, specs[1], [0, 1, 2])) == {0, 1}
        assert published.table(study, "larger").seeds == (0, 1)
    assert opened == ["larger.parquet"], "only the file with these rows"
    assert published.seeds_held(study, specs[1], [1, 2]) == {1}


def test_a_published_file_that_is_written_anew_is_read_anew(study, listed):
    spec = study.build("quick", {"effect": 3.0})
    assert published.parts(study, spec, [0]) == {}
    assert published.table(study, "larger").spec.effect == 2.0
    published.publish(obtain(study, spec, [0]), "larger")
    assert set(published.parts(study, spec, [0])) == {0}
    assert published.table(study, "larger").spec.effect == 3.0


def test_who_changes_a_published_tables_rows_changes_them_for_no_one_else(study, listed):
    frame = published.table(study, "larger").frame
    before = frame.copy()
    frame["value"] = 0.0
    pd.testing.assert_frame_equal(published.table(study, "larger").frame, before)


@pytest.mark.parametrize("name", ["../../..", "../larger", "/tmp/x", "a/b", "", ".hidden", "..", "a\nb", "ä", "a b"])
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(study, listed, tmp_path, name):
    table = obtain(study, study.build("quick", {}), [0])
    before = sorted(tmp_path.rglob("*"))
    for use in (lambda: published.publish(table, name), lambda: published.name_of(name, "discovery")):
        with pytest.raises(ParameterError, match=r"want letters, digits, '-', '\.' and '_'"):
            use()
    assert sorted(tmp_path.rglob("*")) == before


def test_every_setting_has_a_name_under_which_it_can_be_published():
    for study in map(studies.get, studies.names()):
        for setting in ("discovery", "replication", *study.controls):
            assert published.name_of("quick", setting)


def test_a_table_that_is_too_large_to_publish_leaves_the_one_that_stands_there(study, listed):
    content = (listed / "larger.parquet").read_bytes()
    found = published.table(study, "larger")
    noise = np.random.default_rng(0).normal(size=400_000)
    large = pd.DataFrame({"seed": 0, "quantity": "effect", "value": noise})
    with pytest.raises(ParameterError, match=r"larger\.parquet would be .* MiB"):
        published.publish(dataclasses.replace(found, frame=large), "larger")
    assert (listed / "larger.parquet").read_bytes() == content
    manifest.check(listed.parent)


def git(folder, *words):
    identity = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.mark.parametrize("where", ["its own", "another"])
def test_the_commit_is_that_of_the_packages_own_repository(tmp_path, monkeypatch, where):
    own = tmp_path if where == "its own" else tmp_path / "unpacked"
    (own / "notebooks").mkdir(parents=True)
    (own / "pyproject.toml").write_text("one")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "All")
    monkeypatch.setattr(provenance, "checkout", lambda: own)
    commit = provenance._commit.__wrapped__()
    if where == "another":
        assert commit is None
        return
    assert re.fullmatch("[0-9a-f]{12}", commit)
    (own / "pyproject.toml").write_text("two")
    assert provenance._commit.__wrapped__() == commit + "+"
    monkeypatch.setattr(provenance, "checkout", lambda: None)
    assert provenance._commit.__wrapped__() is None


@pytest.mark.parametrize(
    "seeds",
    [0, -1, [], [0, 0], [1.5], True, "three", [-1], 1001, 10**30, list(range(1001)), [2**32], [10**30], {}],
)
def test_seeds_that_are_none_are_refused(study, seeds):
    with pytest.raises(ParameterError, match="parameter seeds"):
        Request.build(study, "quick", {"seeds": seeds})


def test_the_largest_seed_is_computed_stored_and_read_as_it_is(study):
    table = obtain(study, study.build("quick", {}), check_seeds([compute.LARGEST_SEED]))
    again = obtain(study, study.build("quick", {}), [compute.LARGEST_SEED])
    assert again.frame["seed"].tolist() == [2**32 - 1]
    assert again.frame.equals(table.frame)
    assert len(ToyStudy.computed) == 1


def test_a_setting_that_cannot_be_had_is_named_when_the_request_is_made(study):
    study = dataclasses.replace(study, replication=lambda spec: {"effect": 5 * spec.effect})
    assert Request.build(study, "quick", {"effect": 2.0}).setting("replication").spec.effect == 10
    with pytest.raises(ParameterError, match=r"study toy: .* its replication .* effect = 15.0: .* <= 10"):
        Request.build(study, "quick", {"effect": 3.0})
    study = dataclasses.replace(study, controls={"nothing": {"effect": -1.0}})
    with pytest.raises(ParameterError, match=r"control 'nothing' .* effect = -1.0: .* >= 0"):
        Request.build(study, "quick", {"effect": 1.0})


@pytest.mark.parametrize("device", [None, 0, b"cpu", ["cpu"], np.array(["cpu", "auto"]), np.array("cpu")], ids=repr)
def test_a_device_that_is_no_word_is_refused(study, device):
    with pytest.raises(ParameterError, match="want one of: auto, cpu, cuda"):
        Request.build(study, "quick", {}, device)


def test_settings_have_their_own_specs_and_the_replication_fresh_seeds(study):
    request = Request.build(study, "quick", {"seeds": 3, "effect": 2.0})
    settings = {setting.name: setting for setting in request.settings()}
    assert set(settings) == {"discovery", "replication", "nothing"}
    assert settings["discovery"].seeds == settings["nothing"].seeds == (0, 1, 2)
    assert settings["replication"].seeds == (1000, 1001, 1002)
    assert settings["replication"].spec.dataset == "mnist1d"
    assert (settings["nothing"].spec.effect, settings["replication"].spec.effect) == (0.0, 2.0)
    with pytest.raises(ParameterError, match="unknown setting 'nothin': did you mean 'nothing'"):
        request.setting("nothin")


def test_a_claim_is_judged_in_its_three_settings(study):
    (row,) = evaluate(Request.build(study))
    assert (row.discovery.verdict, row.replication.verdict, row.control.verdict) == ("holds", "holds", "fails")
    told = row.as_dict()
    assert list(told) == [
        "chapter", "study", "id", "statement", "source", "kind", "origin", "relation", "threshold", "primary",
        "replicates_on", "profile", "params", "settings",
    ]  # fmt: skip
    assert json.loads(json.dumps(told)) == told
    settings = told["settings"]
    assert list(settings) == ["discovery", "replication", "control"]
    fields = ["name", "dataset", "data_fingerprint", "seeds", "estimate", "low", "high", "verdict", "reason"]
    assert all(list(setting) == fields for setting in settings.values())
    assert [setting["name"] for setting in settings.values()] == ["discovery", "replication", "nothing"]
    assert [setting["dataset"] for setting in settings.values()] == ["digits", "mnist1d", "digits"]
    assert [setting["verdict"] for setting in settings.values()] == ["holds", "holds", "fails"]
    assert [setting["reason"] for setting in settings.values()] == [None] * 3
    assert settings["discovery"]["seeds"] == [0, 1, 2, 3, 4]
    assert settings["replication"]["seeds"] == [1000, 1001, 1002, 1003, 1004]
    assert settings["discovery"]["estimate"] != settings["control"]["estimate"]


def test_a_setting_without_a_verdict_says_why(study):
    def reasons(study, profile="quick", **words):
        (row,) = evaluate(Request.build(study, profile), **words)
        return [setting["reason"] for setting in row.as_dict()["settings"].values()]

    assert reasons(study, "smoke") == ["this profile judges nothing"] * 3
    assert reasons(study, blind=True) == [None, "left alone", None]
    assert reasons(dataclasses.replace(study, replication=None)) == [None, "the study has no replication", None]


def test_a_study_whose_settings_changed_late_draws_its_replication_anew(study):
    fresh = dataclasses.replace(study, replication_seed=2000)
    request = Request.build(fresh, "quick", {"seeds": 3})
    assert request.setting("replication").seeds == (2000, 2001, 2002)
    assert request.setting("nothing").seeds == request.discovery.seeds == (0, 1, 2)


def test_a_blind_evaluation_computes_no_replication(study):
    (row,) = evaluate(Request.build(study), blind=True)
    assert (row.discovery.verdict, row.replication.verdict, row.control.verdict) == ("holds", "not run", "fails")
    assert seeds_computed() == [(0, 1, 2, 3, 4)] * 2


def test_only_the_replications_data_must_meet_the_precondition(study):
    asked = Precondition("the effect", lambda table, spec: table.set_index("seed")["value"], ">", 1.5)
    study = dataclasses.replace(study, precondition=asked)
    request = Request.build(study)
    (row,) = evaluate(request)
    assert (row.discovery.verdict, row.replication.verdict, row.control.verdict) == ("holds", "not testable", "fails")
    told = row.as_dict()["settings"]["replication"]
    assert told["verdict"] == "not testable"
    assert told["reason"].startswith(f"the effect must be > 1.5, and is {told['estimate']:.3g} [")
    assert unfailed_controls([row]) == []
    (row,) = evaluate(Request.build(study, "quick", {"effect": 2.0}))
    assert row.replication.verdict == "holds"
    (row,) = evaluate(Request.build(study, "smoke"))
    assert row.replication.verdict == "not judged"


def test_a_published_replication_must_meet_the_precondition_too_and_other_tables_need_not(study, monkeypatch):
    asked = Precondition("the effect", lambda table, spec: table.set_index("seed")["value"], ">", 1.5)
    study = dataclasses.replace(study, precondition=asked)
    table = Request.build(study).table("replication")
    monkeypatch.setattr(published, "digest", lambda study, name: name)
    monkeypatch.setattr(judged, "_code", lambda study: "code")
    monkeypatch.setattr(published, "table", lambda study, name: table)
    verdicts = {
        name: judged.of_published(study, name)["above-half"].verdict
        for name in ("full-replication", "full-discovery", "full-nothing")
    }
    assert verdicts == {"full-replication": "not testable", "full-discovery": "holds", "full-nothing": "holds"}


def test_smoke_judges_nothing(study):
    (row,) = evaluate(Request.build(study, "smoke"))
    assert {row.discovery.verdict, row.replication.verdict, row.control.verdict} == {"not judged"}


def test_a_setting_without_its_data_is_not_run_and_discovery_says_what_to_do(study, monkeypatch):
    def load(name):
        raise data.DataNotFound(f"{name} is not there: genbook data fetch {name}")

    monkeypatch.setattr(data, "load", load)
    monkeypatch.setattr(data, "available", lambda name: name == "digits")
    (row,) = evaluate(Request.build(study))
    assert (row.discovery.verdict, row.replication.verdict) == ("holds", "not run")
    replication = row.as_dict()["settings"]["replication"]
    assert (replication["estimate"], replication["reason"]) == (None, "the data set is not there")
    with pytest.raises(data.DataNotFound, match="fetch"):
        evaluate(Request.build(study, "quick", {"dataset": "mnist1d"}))


def test_the_time_said_beforehand_falls_to_nothing_once_everything_is_stored(study):
    request = Request.build(study)
    assert request.seconds() == pytest.approx(10)
    evaluate(request)
    assert request.seconds() == 0


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"learning_rat": 0.1}, "did you mean 'learning_rate'"),
        ({"profile": "quik"}, "unknown profile 'quik': did you mean 'quick'"),
        ({"profile": 3}, "want its name"),
        ({"learning_rate": "1e-3"}, "learning_rate = '1e-3'"),
        ({"noise_levels": [0.5, 1.0]}, "0 \\(real labels\\) first"),
        ({"batch_size": 501}, "at most the smallest training set's size, 300"),
        ({"seeds": 0}, "parameter seeds"),
    ],
)
def test_a_chapters_parameters_are_checked_before_anything_runs(parameters, words):
    with pytest.raises(ParameterError, match=words):
        requests("02_random_vs_real_labels", parameters)


def test_none_means_as_the_profile_says():
    request = requests("02_random_vs_real_labels", {"profile": "smoke", "n_train": None})["random_labels"]
    assert request.discovery.spec.n_train == request.study.profile("smoke").parameters["n_train"]


CHAPTER = "02_random_vs_real_labels"
OTHERS = [study.name for study in studies_of(CHAPTER) if study.name != "random_labels"]


def test_a_parameter_belongs_to_its_study_and_a_bare_one_to_all_that_have_it():
    found = requests(CHAPTER, {"steps": 700, "random_labels.steps": 500, "late_coherence__n_train": 200})
    assert {name: request.discovery.spec.steps for name, request in found.items()} == {
        "random_labels": 500,
        **dict.fromkeys(OTHERS, 700),
    }
    usual = studies.get("random_labels").build("quick", {}).n_train
    assert found["late_coherence"].discovery.spec.n_train == 200
    assert found["random_labels"].discovery.spec.n_train == usual


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"random_label.steps": 5}, "random_label.steps: unknown study 'random_label': did you mean 'random_labels'"),
        ({"random_labels.step": 5}, "unknown parameter of random_labels 'step': did you mean 'steps'"),
        ({"random_labels__step": 5}, "unknown parameter of random_labels 'step': did you mean 'steps'"),
        ({"random_labels.steps": 500, "random_labels__steps": 600}, "random_labels.steps was given twice"),
        ({"early_stopping.steps": 500}, "unknown study 'early_stopping'"),
        ({"steps": -1}, "study [a-z_]*: parameter steps = -1"),
        ({"late_coherence.steps": -1}, "study late_coherence: parameter steps = -1"),
        ({"random_labels.seeds": 3}, "unknown parameter of random_labels 'seeds'"),
    ],
)
def test_a_studys_parameter_that_there_is_not_is_named(parameters, words):
    with pytest.raises(ParameterError, match=words):
        requests(CHAPTER, parameters)


def test_a_study_asked_for_alone_takes_its_own_name_or_none(study):
    assert Request.build(study, "quick", {"toy.effect": 2.0}).discovery.spec.effect == 2.0
    assert Request.build(study, "quick", {"toy__effect": 2.0, "seeds": 3}).discovery.seeds == (0, 1, 2)
    with pytest.raises(ParameterError, match="effect was given twice"):
        Request.build(study, "quick", {"toy.effect": 2.0, "effect": 3.0})
    with pytest.raises(ParameterError, match="unknown study 'random_labels'"):
        Request.build(study, "quick", {"random_labels.steps": 500})


def test_a_hyphen_before_a_number_becomes_a_minus_sign_outside_code_and_equations():
    kept = "5-fold, in 2010-12; `-p rate -1`, $x^{-1}$, [a](b-1 -2), <a href='-1'>1 - 2</a>."
    assert in_words(f"It fell by -0.2 (-3%), {kept}") == f"It fell by \u22120.2 (\u22123%), {kept}"


def test_percents_are_closed_up_and_a_data_set_has_its_name_but_not_in_code():
    said = in_words("95 % of mnist1d, 5\u00a0% more, `-p dataset mnist1d` and $5 % 3$")
    assert said == "95% of MNIST-1D, 5% more, `-p dataset mnist1d` and $5 % 3$"


def test_a_caption_begins_with_what_became_of_its_claim(monkeypatch):
    page = Chapter(CHAPTER, profile="smoke")
    begins = {}
    for verdict in ("holds", "fails", "undecided", "not judged"):
        judged = types.SimpleNamespace(discovery=types.SimpleNamespace(verdict=verdict))
        monkeypatch.setattr(page, "row", lambda claim, judged=judged: judged)
        begins[verdict] = page.finding("all-fit", "It does.", "It does not."), page.finding("all-fit", "It does.")
    assert begins == {
        "holds": ("It does. ", "It does. "),
        "fails": ("It does not. ", ""),
        "undecided": ("", ""),
        "not judged": ("", ""),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 700}, "-p steps 700"),
        ({"random_labels.steps": 500}, "-p random_labels.steps 500"),
        ({"control_start": 2.0}, "-p control_start 2.0"),
        ({"random_labels__control_start": 2.0}, "-p control_start 2.0"),
        ({"steps": 700, "random_labels.steps": 500, "seeds": 3},
         " ".join(["-p random_labels.steps 500", *(f"-p {name}.steps 700" for name in OTHERS), "-p seeds 3"])),
    ],
)  # fmt: skip
def test_the_command_that_reruns_a_chapter_means_what_ran(given, said):
    command = Chapter(CHAPTER, **given).rerun()
    assert command == f"genbook run 02 {said}"
    words = command.split()[3:]
    asked = {name: json.loads(value) for name, value in zip(words[1::3], words[2::3], strict=True)}
    again = requests(CHAPTER, asked)
    assert {name: request.discovery for name, request in again.items()} == {
        name: request.discovery for name, request in requests(CHAPTER, given).items()
    }


def test_under_a_figure_of_a_published_table_stands_how_a_seed_of_it_is_trained_again(monkeypatch):
    shown = []
    monkeypatch.setattr(chapter.figures, "show", lambda figure, **about: shown.append(about["rerun"].split("\n")))
    page = Chapter("09_batches_noise_schedules")
    tables = [page.published("gradient_noise", name) for name in ("full", "full-replication")]
    about = {"name": "fig-a", "caption": "It.", "alt": "That."}
    page.show(None, **about, tables=[*tables, tables[0]])
    names = [f"gradient_noise@full-{setting}" for setting in ("discovery", "replication")]
    assert shown == [["genbook run 09", *(f"genbook verify {name}" for name in names)]]
    assert [numbers(name)[0].table.seeds for name in names] == [table.seeds for table in tables]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ([], {}),
        (['# words\nprofile = "quick"  # type: str\nsteps = None\n'], {"profile": "quick", "steps": None}),
        (['profile = "quick"\nsteps = None', '# Parameters\nsteps = 500\nwidhts = [1]\n'],
         {"profile": "quick", "steps": 500, "widhts": [1]}),
        (['profile = "quick"', "chapter = Chapter(x)", "steps = 3", "%matplotlib inline", "profile = f(3)"],
         {"profile": "quick"}),
        (['profile = "quick"\nsteps = 1', 'profile = "quick"\nsteps = 2'], {"profile": "quick", "steps": 2}),
    ],
    ids=["no notebook", "its own cell", "papermill's beats it", "later cells are no parameters", "run again"],
)  # fmt: skip
def test_a_chapter_reads_its_notebooks_own_cell(monkeypatch, cells, found):
    shell = SimpleNamespace(user_ns={"In": ["", *cells]})
    monkeypatch.setattr(chapter, "get_ipython", lambda: shell)
    assert chapter.notebooks_parameters(CHAPTER) == found


def test_in_a_kernel_without_a_history_a_chapter_reads_its_variables(monkeypatch):
    variables = {
        "In": [""],
        "profile": "smoke",
        "random_labels__steps": 50,
        "steps": None,
        "_": 3,
        "hidden": np,
        "x": 1,
    }
    monkeypatch.setattr(chapter, "get_ipython", lambda: SimpleNamespace(user_ns=variables))
    found = {"profile": "smoke", "random_labels__steps": 50, "steps": None}
    assert chapter.notebooks_parameters(CHAPTER) == found


def test_a_demonstration_is_its_discovery_alone_and_smoke_runs_every_setting(store, monkeypatch):
    monkeypatch.setattr(data, "available", lambda name: True)
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    shown = Profile(seeds=2, parameters={}, seconds=1, judged=False)
    study = toy_study(profiles={**toy_study().profiles, "quick": shown})
    (row,) = evaluate(Request.build(study, "quick"))
    assert (row.discovery.verdict, row.replication.verdict, row.control.verdict) == ("not judged", "not run", "not run")
    assert {part["seed"] for part in Store().provenances()} == {0, 1}
    settings = row.as_dict()["settings"]
    assert settings["control"]["reason"] == settings["replication"]["reason"] == JUDGES_NOTHING
    (row,) = evaluate(Request.build(study, "smoke"))
    assert set(row.judgements) == {"discovery", "replication", "nothing"}


def test_published_tables_of_the_full_profile_decide_the_claims_of_a_demonstration(store, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "available", lambda name: True)
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    shown = Profile(seeds=2, parameters={"effect": 0.1}, seconds=1, judged=False)
    full = Profile(seeds=5, parameters={}, seconds=1)
    study = toy_study(profiles={**toy_study().profiles, "quick": shown, "full": full})
    whole = Request.build(study, "full", {"seeds": 3})
    for setting in ("discovery", "replication"):
        published.publish(whole.table(setting), published.name_of("full", setting))
    monkeypatch.setattr(ToyStudy, "computed", [])
    (row,) = evaluate(Request.build(study, "quick"))
    assert (row.discovery.verdict, row.replication.verdict, row.control.verdict) == ("holds", "holds", "not run")
    assert row.published
    assert tally.fate(row) == "replicated"
    said = row.as_dict()
    assert said["profile"] == "full"
    assert [said["settings"][name]["seeds"] for name in ("discovery", "replication", "control")] == [
        [0, 1, 2],
        [1000, 1001, 1002],
        [],
    ]
    assert said["settings"]["control"]["reason"] == "no table of it is published"
    assert unfailed_controls([row]) == []
    assert ToyStudy.computed == []

    # A published control in which the claim does not fail ends the build like any other.
    holding = Table(
        study, *(getattr(whole.table(), name) for name in ("spec", "seeds", "frame", "provenances", "digest"))
    )
    published.publish(holding, published.name_of("full", "nothing"))
    (row,) = evaluate(Request.build(study, "quick"))
    assert len(unfailed_controls([row])) == 1

    # Other parameters are another matter, and so is a profile that has changed since.
    (row,) = evaluate(Request.build(study, "quick", {"effect": 0.2}))
    assert row.discovery.verdict == "not judged"
    other = toy_study(profiles={**study.profiles, "full": Profile(seeds=5, parameters={"effect": 3.0}, seconds=1)})
    (row,) = evaluate(Request.build(other, "quick"))
    assert row.discovery.verdict == "not judged"
