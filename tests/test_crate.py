"""The record that makes the built book an RO-Crate, held to its profile by the profile's own validator."""

import datetime
import json
import shutil

import pytest

from genbook import studies
from genbook.base.files import sha256
from genbook.book import crate
from genbook.results import published
from genbook.results.requests import Request
from tests.crates import broken_rules

#: A study with tables in the store and one with a published one.
COMPUTED, PUBLISHED = "two_gaussians", "random_labels"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A crate beside a page, from the smoke tables of one study and the published ones of another."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("crate")
        patch.setenv("GENBOOK_STORE", str(folder / "store"))
        patch.setattr(crate, "chapters", lambda: ["one", "other"])
        told = {"one": [studies.get(COMPUTED)], "other": [studies.get(PUBLISHED)]}
        patch.setattr(crate, "studies_of", told.__getitem__)
        request = Request.build(studies.get(COMPUTED), "smoke")
        for setting in request.settings():
            request.table(setting.name)
        pages = folder / "html"
        pages.mkdir()
        (pages / "index.html").write_text("<p>The book.</p>")
        (pages / "tables" / "of_an_older_build").mkdir(parents=True)
        made = crate.crate("smoke")
        assert crate.crate("smoke").record == made.record
        made.write(pages)
    return pages


@pytest.fixture(scope="module")
def graph(folder):
    return {entity["@id"]: entity for entity in json.loads((folder / crate.RECORD).read_text())["@graph"]}


def actions(graph, study):
    found = [entity for entity in graph.values() if entity["@type"] == "CreateAction"]
    return [action for action in found if f"/{study}/" in action["@id"]]


def test_it_keeps_every_rule_of_the_profile(folder, tmp_path):
    assert broken_rules(folder, tmp_path / "cache") == []


def _without(kind, name):
    def change(record):
        entity = next(one for one in record["@graph"] if one["@type"] == kind and name in one)
        del entity[name]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("CreateAction", "instrument"), "instrument"),
        (_without("Dataset", "license"), "license"),
        (_without("Dataset", "conformsTo"), "permalink of the profile"),
        (lambda record: record["@graph"].append({"@id": "lost.parquet", "@type": "File"}), "lost.parquet"),
    ],
    ids=["an action by nothing", "no licence", "no profile", "a file that is not there"],
)
def test_the_validator_names_what_is_wrong(folder, tmp_path, change, said):
    shutil.copytree(folder, tmp_path / "crate")
    record = json.loads((folder / crate.RECORD).read_text())
    change(record)
    (tmp_path / "crate" / crate.RECORD).write_text(json.dumps(record))
    assert said in " ".join(broken_rules(tmp_path / "crate", tmp_path / "cache"))


def test_every_file_of_a_table_is_there_as_it_was_hashed_and_nothing_else(folder, graph):
    told = {name: entity for name, entity in graph.items() if entity["@type"] == "File" and "sha256" in entity}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
    assert set(told) == there
    assert not (folder / "tables" / "of_an_older_build").exists()
    for name, entity in told.items():
        content = (folder / name).read_bytes()
        assert (entity["sha256"], entity["contentSize"]) == (sha256(content), str(len(content)))


def test_each_part_has_an_action_and_each_published_table(graph):
    request = Request.build(studies.get(COMPUTED), "smoke")
    specs = {(setting.spec.digest(), seed) for setting in request.settings() for seed in setting.seeds}
    assert len(actions(graph, COMPUTED)) == len(specs) > 1
    assert len(actions(graph, PUBLISHED)) == len(published.names(studies.get(PUBLISHED))) > 0
    results = [action["result"]["@id"] for action in actions(graph, COMPUTED) + actions(graph, PUBLISHED)]
    assert len(set(results)) == len(results)


def test_an_action_says_what_the_provenance_says(graph):
    action = next(one for one in actions(graph, COMPUTED) if one["name"] == f"{COMPUTED}, discovery, seed 0")
    spec, *_, seed = (graph[part["@id"]] for part in action["object"])
    study = studies.get(COMPUTED)
    assert study.spec.build(**json.loads(spec["value"])) == study.build("smoke", {})
    assert (seed["name"], seed["value"]) == ("seed", "0")
    program = graph[action["instrument"]["@id"]]
    genbook = graph[program["isPartOf"]["@id"]]
    assert genbook["identifier"].startswith("commit ")
    needed = {graph[one["@id"]]["name"] for one in genbook["softwareRequirements"]}
    assert needed == {"python", "torch", "numpy", "pandas"}
    assert {graph[one["@id"]]["name"] for one in action["environment"]} >= {"GENBOOK_THREADS"}
    start, end = (datetime.datetime.fromisoformat(action[name]) for name in ("startTime", "endTime"))
    assert start <= end <= datetime.datetime.now(datetime.UTC)


def test_data_are_named_with_the_hash_of_their_arrays(graph):
    assert published.names(studies.get(PUBLISHED))
    for name in published.names(studies.get(PUBLISHED)):
        _, _, said = published.listed(studies.get(PUBLISHED), name)
        (action,) = [one for one in actions(graph, PUBLISHED) if one["result"]["@id"].endswith(f"/{name}.parquet")]
        named = [graph[part["@id"]] for part in action["object"] if part["@id"].startswith("#data/")]
        assert [one["sha256"] for one in named] == [said["data"]]
        assert graph[action["object"][-1]["@id"]]["value"] == ", ".join(map(str, said["seeds"]))
