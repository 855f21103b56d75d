"""A reworded chapter is not executed, and its executed copy shows the new words; for changed code it is."""

import concurrent.futures
import contextlib
import copy
import json

import pytest

from genbook.book import build
from genbook.book.wording import reworded, without_words

CHAPTER = "42_toy"


def cell(kind, name, source, **more):
    shown = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **shown, **more}


def notebook():
    cells = [
        cell("markdown", "title", "# A chapter"),
        cell("code", "parameters", "x = 1", metadata={"tags": ["parameters"]}),
        cell("markdown", "text", ["One line\n", "and another."]),
        cell("code", "figure", "show(x)"),
        cell("code", "numbers", "say(x)"),
    ]
    return {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}


def executed(source):
    """As papermill and `genbook.figures.annotate` leave it: a cell injected, one split off, every cell marked."""
    done = copy.deepcopy(source)
    for one in done["cells"]:
        one["metadata"] = {**one["metadata"], "papermill": {"duration": 1.0}, "tags": one["metadata"].get("tags", [])}
        if one["cell_type"] == "code":
            one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"shown by {one['id']}"}]
    done["cells"].insert(2, cell("code", "injected", "x = 2", metadata={"tags": ["injected-parameters"]}))
    done["cells"].insert(5, cell("code", "figure-rest", ""))
    return done


def names(cells):
    return [cell["id"] for cell in cells]


def test_words_are_put_among_the_executed_cells_wherever_they_stand_now():
    source = notebook()
    title, parameters, text, figure, numbers = source["cells"]
    now = [parameters, {**title, "source": "# Another"}, figure, cell("markdown", "new", "More."), numbers, text]
    found = reworded(executed(source)["cells"], now)
    assert names(found) == ["parameters", "injected", "title", "figure", "figure-rest", "new", "numbers", "text"]
    assert found[2]["source"] == "# Another"
    assert found[3]["outputs"][0]["text"] == "shown by figure"


def with_markdown(found):
    found["cells"][2]["source"] = "Other words."


def without_markdown(found):
    del found["cells"][0]


def shown_in_a_lab(found):
    found["cells"][3].update(execution_count=3, outputs=[{"output_type": "stream", "text": "1"}])


def with_code(found):
    found["cells"][3]["source"] = "show(x + 1)"


def with_a_tag(found):
    found["cells"][3]["metadata"] = {"tags": ["hide-input"]}


def with_an_id(found):
    found["cells"][3]["id"] = "another"


def in_another_order(found):
    found["cells"][3:] = found["cells"][:2:-1]


WORDS = [with_markdown, without_markdown, shown_in_a_lab]
CODE = [with_code, with_a_tag, with_an_id, in_another_order]


@pytest.mark.parametrize("change", [*WORDS, *CODE])
def test_an_execution_depends_on_code_cells_alone(change):
    changed = notebook()
    change(changed)
    assert (without_words(changed) == without_words(notebook())) == (change in WORDS)


class Here(concurrent.futures.Executor):
    """Executes at once, in this process."""

    def submit(self, function, *arguments):
        done = concurrent.futures.Future()
        done.set_result(function(*arguments))
        return done


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A chapter's notebook, its executed copy, and the names of the chapters that were executed."""
    source, copied, executions = tmp_path / f"{CHAPTER}.ipynb", tmp_path / "copy.ipynb", []

    def key(*_):
        return without_words(json.loads(source.read_text())).hex()

    def execute(name, profile, folder):
        executions.append(name)
        done = executed(json.loads(source.read_text()))
        done["metadata"]["genbook"] = {"key": key()}
        copied.write_text(json.dumps(done))

    source.write_text(json.dumps(notebook()))
    monkeypatch.setattr(build, "chapters", lambda: [CHAPTER])
    monkeypatch.setattr(build, "studies_of", lambda chapter: [])
    monkeypatch.setattr(build, "notebooks_root", lambda: tmp_path)
    monkeypatch.setattr(build, "executed_path", lambda chapter, profile: copied)
    monkeypatch.setattr(build, "execution_key", key)
    monkeypatch.setattr(build, "_execute_one", execute)
    monkeypatch.setattr(build, "_workers", lambda count, folder: contextlib.nullcontext(Here()))
    return source, copied, executions


@pytest.mark.parametrize("change", [*WORDS, *CODE])
def test_a_build_executes_changed_code_and_takes_new_words_in(chapter, change):
    source, copied, executions = chapter
    build._execute_all("quick", 1, lambda text: None)
    assert executions == [CHAPTER]
    before = copied.stat().st_mtime_ns
    build._execute_all("quick", 1, lambda text: None)
    assert executions == [CHAPTER]
    assert copied.stat().st_mtime_ns == before, "what has its words already is left alone"
    changed = notebook()
    change(changed)
    source.write_text(json.dumps(changed))
    build._execute_all("quick", 1, lambda text: None)
    assert executions == [CHAPTER] * (1 if change in WORDS else 2)
    now = json.loads(copied.read_text())["cells"]
    words = [
        ["".join(one["source"]) for one in cells if one["cell_type"] == "markdown"] for cells in (now, changed["cells"])
    ]
    assert words[0] == words[1]
    assert [one["outputs"][0]["text"] for one in now if one.get("outputs")] == [
        f"shown by {one['id']}" for one in changed["cells"] if one["cell_type"] == "code"
    ]
