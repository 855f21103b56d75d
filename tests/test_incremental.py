"""Pages written on top of an older build are those of a whole one, and a reworded page is written alone."""

import json
import shutil

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
PAGES = {
    "index.rst": "Book\n====\n\n.. toctree::\n\n   a\n   b\n",
    "a.rst": (
        "Apples\n======\n\nRed.\n\n.. _peel:\n\nPeel\n----\n\nThin.\n\n"
        ".. _core:\n\n.. figure:: core.svg\n\n   A core.\n\n.. math:: x = 1\n   :label: one\n"
    ),
    "b.rst": (
        "Pears\n=====\n\nSee :doc:`a`, :ref:`peel`, :numref:`core` and :eq:`one`.\n\n.. _stem:\n\n"
        ".. figure:: core.svg\n\n   A stem.\n"
    ),
}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A book of three pages, built."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "source").mkdir()
    (folder / "source" / "core.svg").write_text(PIXEL)
    for name, text in PAGES.items():
        (folder / "source" / name).write_text(text)
    built(folder)
    return folder


def built(folder):
    """The pages of the book in ``folder``, by Sphinx with its theme 'basic'."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    source, out, known = (str(folder / name) for name in ("source", "html", "known"))
    extensions = ["genbook.book.incremental", "genbook.book.search_data"]
    config = {"extensions": extensions, "numfig": True, "html_theme": "basic", "project": "book"}
    with patch_docutils(source), docutils_namespace():
        app = Sphinx(source, None, out, known, "html", config, status=None, warning=None, warningiserror=True)
        app.build()
    assert app.statuscode == 0
    return {name: (folder / "html" / f"{name}.html").read_text() for name in ("index", "a", "b")}


@pytest.fixture
def book(first, tmp_path):
    """The book built, to be changed: it is laid where Sphinx read it first, since it begins anew elsewhere."""
    kept = tmp_path / "kept"
    shutil.copytree(first, kept)
    yield first
    shutil.rmtree(first)
    shutil.copytree(kept, first)


def change(book, before, after):
    path = book / "source" / "a.rst"
    assert before in PAGES["a.rst"]
    path.write_text(PAGES["a.rst"].replace(before, after))


def test_a_reworded_page_is_written_alone(book):
    old = (book / "html" / "b.html").stat().st_mtime_ns
    change(book, "Thin.", "Thick.")
    assert "Thick." in built(book)["a"]
    assert (book / "html" / "b.html").stat().st_mtime_ns == old


def test_what_is_searched_in_is_whole_after_a_page_was_reworded(book):
    """Sphinx reads its index again for the pages that stay, and a warning that it cannot would end the build."""
    change(book, "Thin.", "Thick.")
    built(book)
    index = (book / "html" / "searchindex.js").read_text()
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert {"thick", "red", "stem"} <= set(terms)
    assert not terms.get("thin"), "no page says it any more"
    assert (book / "html" / "search-data.js").is_file()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Thin.", "Thick."),
        ("Apples\n======", "Oranges\n======="),
        ("Peel\n----", "Zest\n----"),
        ("Red.\n", "Red.\n\n.. figure:: core.svg\n\n   Another core.\n"),
        ("Red.\n", "Red.\n\n.. math:: y = 2\n   :label: two\n"),
    ],
    ids=["words", "a title", "a heading with a label", "a figure before others", "an equation before others"],
)
def test_a_book_built_again_is_the_one_that_is_built_anew(book, tmp_path, before, after):
    change(book, before, after)
    again = built(book)
    shutil.rmtree(book / "html")
    shutil.rmtree(book / "known")
    assert again == built(book)


def test_a_figure_that_no_page_shows_any_more_is_removed(book):
    (book / "source" / "red.svg").write_text(PIXEL)
    change(book, "Red.\n", "Red.\n\n.. image:: red.svg\n")
    built(book)
    assert (book / "html" / "_images" / "red.svg").is_file()
    change(book, "Red.", "Green.")
    built(book)
    assert {path.name for path in (book / "html" / "_images").iterdir()} == {"core.svg"}
