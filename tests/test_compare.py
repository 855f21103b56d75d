"""Two runs side by side: executed copies of genbook or papermill, or a chapter as the book has it."""

import json
import sys

import jsonschema
import pytest

from genbook import cli, data, studies
from genbook.base.spec import ParameterError
from genbook.book import compare
from genbook.results.requests import Request
from tests.toy import toy_study


@pytest.fixture
def chapter(store, monkeypatch):
    """A chapter '01_toy' of a study that costs nothing."""
    study = toy_study()
    monkeypatch.setattr(data, "available", lambda name: True)
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    monkeypatch.setattr(compare, "chapters", lambda: ["01_toy", "02_other"])
    monkeypatch.setattr(compare, "find_chapter", lambda name: {"01": "01_toy", "02": "02_other"}[name])

    def requests(name, given):
        given = dict(given)
        return {"toy": Request.build(study, given.pop("profile", "quick"), given)}

    monkeypatch.setattr(compare, "requests", requests)
    return study


def executed(path, **injected):
    """What papermill leaves of a run: the record in the notebook's metadata."""
    record = {"input_path": "/somewhere/notebooks/01_toy.ipynb", "parameters": injected}
    path.write_text(json.dumps({"cells": [], "metadata": {"papermill": record}, "nbformat": 4, "nbformat_minor": 5}))
    return str(path)


def run(capsys, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["genbook", *words])
    status = 0
    try:
        cli.main()
    except SystemExit as stop:
        status = stop.code
    out = capsys.readouterr()
    return status, out.out, out.err


def test_what_differs_is_told_parameter_by_parameter_and_claim_by_claim(chapter, tmp_path, capsys, monkeypatch):
    mine = executed(tmp_path / "mine.ipynb", effect=0.2, seeds=3)
    status, out, _ = run(capsys, monkeypatch, "compare", "01", mine)
    assert not status
    assert "toy.effect: 1.0 -> 0.2" in out
    assert "toy.seeds: 5 -> 3" in out
    (row,) = [line for line in out.splitlines() if "above-half" in line]
    assert row.index("holds") < row.index("fails")
    assert "0 of 1 claims come out alike" in out
    said = json.loads(run(capsys, monkeypatch, "compare", "01", mine, "--json")[1])
    assert said["parameters"]["toy.effect"] == [1.0, 0.2]
    (claim,) = said["claims"]
    assert claim["a"]["settings"]["discovery"]["verdict"] == "holds"
    assert claim["b"]["settings"]["discovery"]["verdict"] == "fails"


def test_a_run_of_the_same_parameters_says_so(chapter, tmp_path, capsys, monkeypatch):
    mine = executed(tmp_path / "mine.ipynb", effect=None, profile="quick")
    _, out, _ = run(capsys, monkeypatch, "compare", mine, "01")
    assert out.strip() == "1 of 1 claims come out alike; the runs have the same parameters"
    assert "above-half" in run(capsys, monkeypatch, "compare", mine, "01", "--all")[1]


def test_what_is_no_run_is_refused(chapter, tmp_path):
    (tmp_path / "plain.ipynb").write_text(json.dumps({"cells": [], "metadata": {}}))
    other = json.dumps({"metadata": {"papermill": {"input_path": "thesis.ipynb", "parameters": {}}}})
    (tmp_path / "other.ipynb").write_text(other)
    for place, said in (("plain", "is no executed copy"), ("none", "is no executed copy"), ("other", "is no chapter")):
        with pytest.raises(ParameterError, match=said):
            compare.run_of(str(tmp_path / f"{place}.ipynb"))
    with pytest.raises(ParameterError, match="compare one chapter"):
        compare.differing(compare.run_of("01"), compare.run_of("02"))
    with pytest.raises(ParameterError, match="effect"):
        compare.run_of(executed(tmp_path / "mine.ipynb", effect=-1.0))


@pytest.mark.parametrize("study", ["two_data_sets", "random_labels"])
def test_the_schema_takes_what_the_spec_takes_and_refuses_what_it_refuses(study, capsys, monkeypatch):
    schema = json.loads(run(capsys, monkeypatch, "params", study, "--schema")[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    usual = studies.get(study).build("quick", {}).model_dump(mode="json")
    jsonschema.validate({"profile": "quick", **{f"{study}.{name}": value for name, value in usual.items()}}, schema)
    name = next(name for name, value in usual.items() if isinstance(value, int))
    for wrong in ({f"{study}.{name}": "many"}, {f"{study}.{name}_": 1}, {"profile": "quickly"}, {"seeds": 0}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
