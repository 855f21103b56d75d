"""The reference has a page for each public name, and its Markdown says what the docstring says."""

import importlib
import pkgutil
import re

import pytest

import genbook
from genbook.book import reference
from genbook.gradients import Coherence, Mean, coherence

PAGES = reference.pages()
LISTED = reference.listed(PAGES)
#: Packages whose `__all__` is for the book's own use: their names are told where the book uses them.
THE_BOOKS = {"contract", "experiments", "figures", "results"}


def faces():
    """The packages that have an `__all__`, by their names without 'genbook.'."""
    found = [module.name for module in pkgutil.iter_modules(genbook.__path__) if module.ispkg]
    return {name for name in found if hasattr(importlib.import_module(f"genbook.{name}"), "__all__")}


def test_every_room_with_public_names_is_in_the_reference_or_is_the_books():
    assert faces() - THE_BOOKS == set(reference.ROOMS)


@pytest.mark.parametrize("room", reference.ROOMS)
def test_every_public_name_has_a_page_that_says_how_to_import_it(room):
    for name in importlib.import_module(f"genbook.{room}").__all__:
        page = PAGES[reference.place(room, name)]
        assert f"from genbook.{room} import {name}" in page
        assert f"](/{reference.place(room, name)})" in PAGES[f"reference/{room}"]
        assert len(page.splitlines()) > 6, "a name without a docstring"


def test_what_is_listed_is_written_and_what_is_written_listed():
    rooms = LISTED["sections"]
    names = [section["file"] for room in rooms for section in room["sections"]]
    assert sorted([LISTED["file"], *(room["file"] for room in rooms), *names]) == sorted(PAGES)
    assert len({place.casefold() for place in PAGES}) == len(PAGES), "one file where capitals do not count"


def test_a_page_that_is_gone_is_gone_from_the_table_of_contents():
    (room,) = [room for room in reference.listed(PAGES)["sections"] if room["file"] == "reference/models"]
    gone = room["sections"][0]["file"]
    kept = [where for where in PAGES if where != gone]
    (later,) = [room for room in reference.listed(kept)["sections"] if room["file"] == "reference/models"]
    assert later["sections"] == room["sections"][1:]


@pytest.fixture
def package(store, tmp_path, monkeypatch):
    """A small package as the library, whose pages are its files' texts, and how often they were generated."""
    for name in ("book/reference.py", "models/stacked.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text('"""Stacks."""')
    generated = []

    def pages():
        generated.append(1)
        return {path.stem: path.read_text() for path in (tmp_path / "models").glob("*.py")}

    monkeypatch.setattr(reference, "__file__", str(tmp_path / "book" / "reference.py"))
    monkeypatch.setattr(reference, "pages", pages)
    assert reference.kept_pages() == {"stacked": '"""Stacks."""'}
    return tmp_path / "models", generated


def test_pages_are_kept_and_a_changed_docstring_changes_its_page(package):
    folder, generated = package
    assert reference.kept_pages() == {"stacked": '"""Stacks."""'}
    assert len(generated) == 1
    (folder / "stacked.py").write_text('"""Stocks."""')
    assert reference.kept_pages() == {"stacked": '"""Stocks."""'}
    (folder / "kinds.py").write_text("new")
    assert set(reference.kept_pages()) == {"stacked", "kinds"}
    (folder / "stacked.py").unlink()
    assert set(reference.kept_pages()) == {"kinds"}


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"key": "0", "pages": {}}'])
def test_kept_pages_that_are_damaged_or_of_another_library_are_generated_anew(package, store, damage):
    (store / "reference.json").write_text(damage)
    assert reference.kept_pages() == {"stacked": '"""Stacks."""'}


def test_links_lead_to_pages():
    for where, text in PAGES.items():
        for target in re.findall(r"\]\(/(\S+?)\)", text):
            assert target in PAGES, where


def test_pages_are_the_same_in_every_build():
    for where, text in PAGES.items():
        assert not re.search(r"\b0x[0-9a-f]{6,}", text), f"{where} shows an address in memory"


def test_a_page_has_the_signature_the_sections_and_the_members():
    page = PAGES[reference.place("gradients", "coherence")]
    assert "    chunk_size: int | None = None,\n" in page
    assert "\n- `targets`: \\[m, ...\\]; for a stack \\[R, m, ...\\].\n" in page
    assert f"A [`Coherence`](/{reference.place('gradients', 'Coherence')})" in page
    of_class = PAGES[reference.place("gradients", "Coherence")]
    shown = re.findall(r"^## (.+)$", of_class, re.MULTILINE)
    assert "m\\_coherence" in shown
    assert not [name for name in shown if name.startswith("_") or not hasattr(Coherence, name.replace("\\", ""))]


def prose(docstring):
    return "\n".join(reference._prose(docstring, "gradients"))


def test_markdown_in_a_docstring_is_text_code_and_names_are_what_they_are():
    assert (
        prose("Σ g_i * h_i in [R, *shape], `a_b` and <c>.")
        == "Σ g\\_i \\* h\\_i in \\[R, \\*shape\\], `a_b` and \\<c\\>.\n"
    )
    assert prose("See `Mean`.") == f"See [`Mean`](/{reference.place('gradients', 'Mean')}).\n"
    assert prose("See `genbook.models.stack`.").startswith("See [`genbook.models.stack`](/reference/models/stack).")
    assert prose("So:\n\n    >>> f(x)\n    1\n\nand on.") == "So:\n\n```python\n>>> f(x)\n1\n```\n\nand on.\n"


def test_a_long_signature_has_a_line_for_each_argument_and_a_short_one_none():
    assert reference._signature("f", lambda x, y=2: x) == "f(x, y=2)"
    lines = reference._signature("coherence", coherence).splitlines()
    assert lines[0] == "coherence("
    assert lines[5] == "    *,"
    assert lines[-1] == ") -> Coherence"
    assert "self" not in reference._signature("backward", Mean.backward)
