"""The chapters: what ``book/chapters.yml`` may say, and that all of the book says the same."""

import importlib.metadata
from types import SimpleNamespace

import pytest
import yaml

from genbook import studies
from genbook.base import files
from genbook.base.files import repository
from genbook.base.spec import ParameterError
from genbook.book.generated import table_of_contents
from genbook.results import chapters


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A function that writes another ``chapters.yml`` and reads it."""
    monkeypatch.setattr(chapters, "repository", lambda: tmp_path)
    (tmp_path / "book").mkdir()

    def read(text):
        chapters._read.cache_clear()
        (tmp_path / "book" / "chapters.yml").write_text(text)
        return chapters.entries()

    yield read
    chapters._read.cache_clear()


TOY = "- {name: 01_toy, title: A toy, part: toys, studies: [two_data_sets]}\n"


def test_every_study_is_told_in_one_chapter_of_its_own_part():
    told = {name: entry for entry in chapters.entries() for name in entry.studies}
    assert set(told) == set(studies.names())
    for name, entry in told.items():
        assert studies.folder(name).parent.name == entry.part
        assert chapters.chapter_of(name) == entry.name


def test_the_table_of_contents_lists_the_chapters_in_their_order():
    text = (repository() / "book" / "_toc.yml").read_text(encoding="utf-8")
    toc = yaml.safe_load(table_of_contents(text, {"file": "reference/index"}, ["evidence/index", "evidence/some"]))
    assert "reference/index" in [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    (board,) = [entry for part in toc["parts"] for entry in part["chapters"] if entry["file"] == "scoreboard"]
    assert board["sections"] == [{"file": "evidence/index", "sections": [{"file": "evidence/some"}]}]
    assert [file for file in listed if file.startswith("chapters/")] == [f"chapters/{n}" for n in chapters.chapters()]


def test_studies_come_in_the_chapters_order(book):
    book("- {name: 02_toys, title: Toys, part: toys, studies: [xor_digits, two_data_sets]}\n")
    assert [study.name for study in chapters.studies_of("02_toys")] == ["xor_digits", "two_data_sets"]
    assert chapters.chapter_title("02_toys") == "Toys"
    assert chapters.chapter_of("random_labels") is None
    with pytest.raises(ParameterError, match="unknown chapter '02_toy': did you mean '02_toys'"):
        chapters.studies_of("02_toy")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOY + TOY.replace("01", "02"), "study two_data_sets stands twice"),
        (TOY + TOY.replace("two_data_sets", "xor_digits"), "chapter 01_toy stands twice"),
        (TOY.replace("two_data_sets", "two_data_set"), "unknown study 'two_data_set': did you mean 'two_data_sets'"),
        (TOY.replace("01_toy", "toy"), "name"),
        (TOY.replace("part: toys, ", ""), "part"),
        (TOY.replace("part", "parts"), "parts"),
        (TOY.replace("[two_data_sets]", "[]"), "studies"),
        ("- {", "chapters.yml"),
        ("nothing: at all", "chapters.yml"),
    ],
)
def test_what_is_wrong_is_named(book, text, said):
    with pytest.raises(chapters.ChaptersError, match=r"chapters\.yml") as raised:
        book(text)
    assert said in str(raised.value)


def test_without_a_book_around_the_package_a_study_has_no_chapter(monkeypatch):
    for module in (chapters, files):
        monkeypatch.setattr(module, "checkout", lambda: None)
    monkeypatch.setattr(chapters.importlib.metadata, "files", lambda name: [])
    assert chapters.chapter_of("random_labels") is None
    with pytest.raises(files.NotACheckout):
        chapters.chapters()


def test_the_list_that_is_installed_with_the_package_serves_where_there_is_no_book(monkeypatch):
    monkeypatch.setattr(chapters, "checkout", lambda: None)
    installed = importlib.metadata.PackagePath("book", "chapters.yml")
    installed.dist = SimpleNamespace(locate_file=lambda path: repository() / path)
    monkeypatch.setattr(chapters.importlib.metadata, "files", lambda name: [installed])
    assert chapters.studies_of("07_benign_overfitting_xor")[0].name == "xor_clusters"
