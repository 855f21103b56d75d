import re
import shlex

import nbformat
import pytest

from genbook import studies
from genbook.base.spec import ParameterError
from genbook.book.execute import notebooks_root
from genbook.cli.asking import read_parameters
from genbook.results.chapters import chapter_title, chapters, studies_of
from genbook.results.requests import requests

SOURCES = {name: nbformat.read(notebooks_root() / f"{name}.ipynb", as_version=4) for name in chapters()}

#: What may hold digits in prose: maths, code and settings, citations and references, links, names.
_ALLOWED = (
    r"```.*?```",
    r"\$\$.*?\$\$(?:\s*\([\w-]+\))?",
    r"\$[^$]+\$",
    r"\{[\w:]+\}`[^`]*`",
    r"`[^`]*`",
    r"\]\([^)]*\)",
    r"Exercise \d+",
    r"\b(?:MNIST-1D|CIFAR-10N?|R?M3|RA3|EL2N|ResNet-\d+)\b",
)


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_notebook_carries_no_outputs_and_the_standard_kernel(name):
    notebook = SOURCES[name]
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in cells(notebook, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_every_notebook_is_a_chapter_under_its_own_heading():
    assert sorted(path.stem for path in notebooks_root().glob("*.ipynb")) == sorted(SOURCES)
    for name, notebook in SOURCES.items():
        prose = "\n".join(cell.source for cell in cells(notebook, "markdown"))
        assert re.search(r"^# (.+)$", prose, flags=re.MULTILINE)[1] == chapter_title(name)


@pytest.mark.parametrize("name", SOURCES)
def test_a_notebook_declares_its_parameters_in_one_cell_and_only_valid_ones(name):
    (declared,) = [cell for cell in cells(SOURCES[name], "code") if "parameters" in cell.metadata.get("tags", [])]
    values = {}
    exec(declared.source, values)
    given = {key: value for key, value in values.items() if not key.startswith("__")}
    assert given["profile"] == "quick"
    requests(name, given)  # raises for a name that no study has
    assert not declared.source.startswith("# Parameters\n"), "that line marks the cell that papermill injects"


@pytest.mark.parametrize("name", SOURCES)
def test_every_command_that_prose_offers_is_legal(name):
    offered = [
        (cell.id, text)
        for cell in cells(SOURCES[name], "markdown")
        for text in re.findall(r"`([^`]*)`", " ".join(cell.source.split()))
        if re.search(r"(^|\s)-p ", text)
    ]
    assert offered
    for place, text in offered:
        words = shlex.split(text)
        pairs = [(words[at + 1], words[at + 2]) for at, word in enumerate(words) if word == "-p"]
        try:
            requests(name, read_parameters(tuple(pairs), studies_of(name), None, None))
        except ParameterError as error:
            pytest.fail(f"cell {place}: {text}: {error}")


@pytest.mark.parametrize("name", SOURCES)
def test_prose_holds_no_number_of_its_own(name):
    for cell in cells(SOURCES[name], "markdown"):
        text = cell.source
        for pattern in _ALLOWED:
            text = re.sub(pattern, "", text, flags=re.DOTALL)
        assert not re.search(r"\d", text), f"cell {cell.id}: {re.findall(r'.*[0-9].*', text)}"


def test_a_figures_name_and_an_equations_label_occur_once_in_the_book():
    named = [
        found
        for notebook in SOURCES.values()
        for cell in notebook.cells
        for found in re.findall(r'name="(fig-[a-z0-9-]+)"|^\$\$ \(([\w-]+)\)', cell.source, re.MULTILINE)
    ]
    names = [figure or equation for figure, equation in named]
    assert len(names) > 5 * len(SOURCES)
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", SOURCES)
def test_a_chapter_asks_for_predictions_and_sets_three_exercises_with_solutions(name):
    prose = "\n".join(cell.source for cell in cells(SOURCES[name], "markdown"))
    assert prose.count(":class: question") >= 1
    assert prose.count(":class: prediction") >= 1
    assert prose.count(":class: exercise") >= 3
    assert prose.count(":class: solution dropdown") >= 3


@pytest.mark.parametrize("name", SOURCES)
def test_a_chapter_has_six_claims_with_sources_and_controls(name):
    told = studies_of(name)
    claims = [(study, claim) for study in told for claim in study.claims]
    assert len(claims) >= 6
    ids = [claim.id for _, claim in claims]
    assert len(set(ids)) == len(ids)
    keys = set(re.findall(r"^@\w+\{([^,]+),", (notebooks_root().parent / "book/references.bib").read_text(), re.M))
    for study, claim in claims:
        assert claim.source in keys, claim.id
        assert claim.control in study.controls, claim.id


@pytest.mark.parametrize("name", studies.names())
def test_a_study_documents_its_parameters_and_has_the_three_profiles(name):
    study = studies.get(name)
    assert set(study.profiles) == {"smoke", "quick", "full"}
    assert not study.profiles["smoke"].judged
    for row in study.spec.described():
        assert row["meaning"], f"{name}.{row['name']}"
    for profile in study.profiles:
        for changes in study.controls.values():
            study.changed(study.build(profile, {}), changes)


@pytest.mark.parametrize("name", studies.names())
def test_a_control_is_another_setting_in_which_a_claim_must_fail(name):
    study = studies.get(name)
    assert {claim.control for claim in study.claims} == set(study.controls)
    for profile, preset in study.profiles.items():
        main = study.build(profile, {})
        for setting, changes in study.controls.items() if preset.judged else ():
            assert study.changed(main, changes) != main, f"{profile}: {setting}"
