"""What tells programs of the book, in step with what the repository says once, and of the form that it claims."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from genbook.base.files import repository
from genbook.book import about
from genbook.results.chapters import chapters

ROOT = repository()
CONTEXT = json.loads((Path(__file__).parent / "contexts" / "codemeta-3.0.jsonld").read_text())["@context"]
#: Types that CodeMeta's own context names.
TYPES = {name for name in CONTEXT if name[0].isupper()}


@pytest.mark.parametrize("name", ["codemeta.json", "codecheck.yml", "CITATION.cff"])
def test_a_file_says_what_the_repository_says(name):
    assert (ROOT / name).read_text() == about.texts(ROOT)[name], "python -m genbook.book.about writes it anew"


def unknown(value):
    """All names in a document that CodeMeta 3 does not define."""
    if isinstance(value, list):
        return set().union(*map(unknown, value))
    if not isinstance(value, dict):
        return set()
    names = {name for name in value if name not in CONTEXT and not name.startswith("@")}
    kinds = {value["@type"]} - TYPES if "@type" in value else set()
    return names | kinds | set().union(*map(unknown, value.values()))


def test_every_term_is_one_of_codemeta_3():
    said = json.loads((ROOT / "codemeta.json").read_text())
    assert said["@context"] == "https://w3id.org/codemeta/3.0"
    assert unknown(said) == set()
    assert unknown({**said, "licence": "MIT"}) == {"licence"}
    assert unknown({**said, "author": [{"@type": "Collective"}]}) == {"Collective"}


def test_version_authors_and_licence_are_the_same_everywhere():
    said = json.loads((ROOT / "codemeta.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert said["version"] == project["version"] == str(cited["version"])
    assert said["license"].rpartition("/")[2] == project["license"] == cited["license"]
    assert [one["name"] for one in said["author"]] == [one["name"] for one in cited["authors"]]


@pytest.mark.parametrize("address", ["", "https://github.com/someone/genbook"])
def test_the_repositorys_address_stands_in_one_place_and_goes_from_there_to_all_others(tmp_path, address):
    for name in ("pyproject.toml", "_config.yml", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    config = tmp_path / "_config.yml"
    for written in (address + "/" if address else "", address):
        config.write_text(re.sub("book_repository:.*", f'book_repository: "{written}"', config.read_text()))
        texts = about.texts(tmp_path)
        assert json.loads(texts["codemeta.json"]).get("codeRepository", "") == address
        assert yaml.safe_load(texts["CITATION.cff"]).get("repository-code", "") == address
        (tmp_path / "CITATION.cff").write_text(texts["CITATION.cff"])
    config.write_text(re.sub("book_repository:.*", 'book_repository: ""', config.read_text()))
    assert "repository" not in about.citation(tmp_path)


def test_no_other_file_names_another_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project.get("urls", {}).values()) <= {about.repository_address(ROOT)}


def broken_rules(text):
    """Which rules of CODECHECK's configuration 2.0 a file breaks, of those that its authors can keep."""
    said = yaml.safe_load(text)
    paper, manifest = said.get("paper", {}), said.get("manifest") or []
    paths = [Path(item.get("file", "/")) for item in manifest]
    rules = {
        "explicit-document": text.startswith("---\n"),
        "manifest-present": bool(manifest),
        "manifest-item-file": all("file" in item for item in manifest),
        "manifest-path-relative": not any(path.is_absolute() or ".." in path.parts for path in paths),
        "manifest-item-comment": all(item.get("comment") for item in manifest),
        "version-known": said.get("version") == "https://codecheck.org.uk/spec/config/2.0/",
        "paper-title": bool(paper.get("title")),
        "paper-author-name": bool(paper.get("authors")) and all(author.get("name") for author in paper["authors"]),
        "no-placeholder-values": not any(word in text for word in ("FIXME", "TODO", "XXXX")),
    }
    return {rule for rule, kept in rules.items() if not kept}


def test_codecheck_keeps_the_rules_that_authors_can_keep():
    text = (ROOT / "codecheck.yml").read_text()
    assert broken_rules(text) == set()
    assert broken_rules(text.replace("---\n", "", 1).replace("  comment:", "  remark:")) == {
        "explicit-document",
        "manifest-item-comment",
    }
    assert broken_rules(text.replace("- file: book", "- file: /book", 1)) == {"manifest-path-relative"}


def test_the_manifest_lists_every_chapter():
    files = {item["file"] for item in yaml.safe_load((ROOT / "codecheck.yml").read_text())["manifest"]}
    assert {f"book/_build/html/chapters/{name}.html" for name in chapters()} < files
