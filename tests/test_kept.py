"""What a command keeps of what it has printed, and when that is no longer believed."""

import pytest

from genbook.base.files import write_text
from genbook.cli import kept


@pytest.fixture
def sources(store, tmp_path, monkeypatch):
    write_text(tmp_path / "package" / "one.py", "x = 1")
    monkeypatch.setattr(kept, "_python", lambda folder: sorted((tmp_path / "package").glob("*.py")))
    return tmp_path / "package"


def test_what_was_printed_is_printed_again_without_being_made(sources):
    assert kept.text(["params", "05"], lambda: "made") == "made"
    assert kept.text(["params", "05"], lambda: pytest.fail("made again")) == "made"
    assert kept.text(["params", "06"], lambda: "other") == "other"


@pytest.mark.parametrize("name", ["one.py", "two.py"])
def test_once_a_source_is_written_it_is_made_again(sources, name):
    kept.text(["a"], lambda: "old")
    write_text(sources / name, "x = 22")
    assert kept.text(["a"], lambda: "new") == "new"


def test_what_cannot_be_read_is_made_again(sources, store):
    kept.text(["a"], lambda: "old")
    (file,) = (store / "printed").glob("*.json")
    for damage in ("", "[]", "{}"):
        file.write_text(damage)
        assert kept.text(["a"], lambda: "new") == "new"


def test_a_store_that_takes_no_file_is_no_reason_not_to_answer(sources, store):
    store.write_text("no folder")
    assert kept.text(["a"], lambda: "made") == "made"
