import io
import json
import os
import stat
import sys

import pandas as pd
import pytest

from genbook import cli, data, manifest, studies
from genbook.results import tables
from tests.toy import ToyStudy, toy_study


@pytest.fixture
def genbook(monkeypatch, capsys):
    """Run the command line in this process: (status, standard output, standard error)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["genbook", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


@pytest.fixture
def toy(store, monkeypatch):
    """The toy as the only study."""
    study = toy_study()
    monkeypatch.setattr(ToyStudy, "computed", [])
    monkeypatch.setattr(studies, "names", lambda: ("toy",))
    monkeypatch.setattr(studies, "get", lambda name: study if name == "toy" else studies_get(name))
    monkeypatch.setattr(data, "available", lambda name: True)
    monkeypatch.setattr(data, "fingerprint", lambda name: "f" * 64)
    monkeypatch.setattr(data, "load", lambda name: None)
    return study


studies_get = studies.get


def test_help_names_every_command(genbook):
    status, out, _ = genbook("--help")
    assert status == 0
    for command in ("run", "build", "claims", "studies", "params", "table", "check", "data", "publish"):
        assert f"  {command} " in out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "random_vs_real_label"], 2, "did you mean '02_random_vs_real_labels'"),
        (["run", "77"], 2, "unknown chapter '77'"),
        (["run", "2", "--profile", "quik"], 2, "unknown profile 'quik': did you mean 'quick'"),
        (["run", "2", "-p", "learning_rat", "1"], 2, "did you mean 'learning_rate'? valid: profile, seeds, device"),
        (["run", "2", "-p", "learning_rate", "high"], 2, "learning_rate = 'high'"),
        (["run", "2", "-p", "learning_rate", "-1"], 2, "> 0, <= 100"),
        (["run", "2", "-p", "seeds", "0"], 2, "parameter seeds = 0"),
        (["run", "2", "--device", "tpu"], 2, "want one of: auto, cpu, cuda"),
        (["run", "2", "--out", "."], 2, "is a folder"),
        (["claims", "random_label"], 2, "did you mean 'random_labels'"),
        (["claims", "random_labels", "-p", "n_train", "many"], 2, "n_train = 'many'"),
        (["table", "random_labels", "--world", "mane"], 2, "unknown world 'mane': did you mean 'main'"),
        (["params", "9"], 2, "unknown chapter '9'"),
        (["data", "fetch", "minst"], 2, "did you mean"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_a_mistake_ends_with_one_message_and_no_traceback(genbook, store, words, status, said):
    found, out, err = genbook(*words)
    assert found == status
    assert said in err
    assert "Traceback" not in err
    assert out == ""
    assert not store.exists() or not list(store.rglob("*.parquet"))


def test_data_that_are_not_there_are_named_with_what_to_type(genbook, store, tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path / "no data"))
    for words in (["claims", "random_labels", "--json"], ["run", "2"], ["table", "random_labels"]):
        status, out, err = genbook(*words, "-p", "dataset", "fashion-mnist")
        assert (status, out) == (1, "")
        assert "genbook data fetch fashion-mnist" in err
        assert "Traceback" not in err


def test_claims_as_json_are_json_alone(genbook, toy):
    status, out, _ = genbook("claims", "--json", "-p", "seeds", "3", "-p", "effect", "2")
    assert status == 0
    (row,) = json.loads(out)
    assert (row["study"], row["id"], row["verdict"], row["null_verdict"]) == ("toy", "above-half", "holds", "fails")
    assert row["seeds"] == [0, 1, 2]
    assert row["params"]["effect"] == 2.0
    assert row["profile"] == "quick"


def test_claims_in_a_terminal_name_verdict_and_interval(genbook, toy):
    status, out, _ = genbook("claims", "toy")
    assert status == 0
    assert "above-half" in out
    assert "holds" in out
    assert "fails" in out


def test_a_table_is_csv_alone(genbook, toy):
    status, out, _ = genbook("table", "toy", "-p", "seeds", "[4, 6]", "--world", "nothing")
    assert status == 0
    frame = pd.read_csv(io.StringIO(out))
    assert frame["seed"].tolist() == [4, 6]
    assert abs(frame["value"]).max() < 0.5
    assert "the seed" in genbook("table", "toy", "--columns")[1]


def test_studies_and_params_tell_names_types_bounds_defaults_and_meanings(genbook):
    assert "random_labels\t02_random_vs_real_labels" in genbook("studies")[1]
    status, out, _ = genbook("params", "02")
    assert status == 0
    for word in ("learning_rate", "float, > 0, <= 100", "step size", "profile smoke: seeds = 2"):
        assert word in out
    rows = json.loads(genbook("params", "02", "--json")[1])
    assert {"study", "name", "type", "bounds", "default", "meaning", "unit"} == set(rows[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_is_told_in_one_message(genbook, toy, store):
    store.mkdir()
    store.chmod(stat.S_IRUSR | stat.S_IXUSR)
    status, _, err = genbook("claims", "toy")
    store.chmod(stat.S_IRWXU)
    assert status == 1
    assert "not permitted" in err


def test_a_store_that_is_a_file_is_told_in_one_message(genbook, toy, store):
    store.write_text("")
    status, out, err = genbook("claims", "toy", "--json")
    assert (status, out) == (1, "")
    assert "GENBOOK_STORE" in err
    assert "Traceback" not in err


def test_publish_writes_every_world_and_lists_it(genbook, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "published_root", lambda: tmp_path / "results")
    status, out, _ = genbook("publish", "toy", "--profile", "quick", "--name", "mine.2")
    assert status == 0
    written = [tmp_path / "results" / "toy" / f"mine.2-{world}.parquet" for world in ("main", "confirm", "nothing")]
    assert out.split() == [str(path) for path in written]
    assert list(manifest.read(tmp_path / "results")) == sorted(f"toy/{path.name}" for path in written)
    manifest.check(tmp_path / "results")


@pytest.mark.parametrize("name", ["../../..", "/tmp/mine", "a/b"])
def test_publish_refuses_a_name_that_leads_elsewhere_before_it_computes(genbook, toy, store, name):
    status, _, err = genbook("publish", "toy", "--profile", "quick", "--name", name)
    assert status == 2
    assert err == f"genbook: name {name!r}: want letters, digits, '-', '.' and '_', a letter or digit first\n"
    assert toy.computed == []
    assert not store.exists()
