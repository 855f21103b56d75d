"""What is kept of the modules' sources serves only the texts that it was read off."""

import json

import pytest

from genbook.tables import sources

TEXT = "from genbook import sub\nfrom genbook.c import X as Y\nimport os\nprint(sub.Z, Y)\n"


@pytest.fixture
def fresh(store, monkeypatch):
    """Forget all that this process knows, as another process would begin."""
    store.mkdir()

    def forget():
        sources.read.cache_clear()
        sources._load.cache_clear()
        sources._digest.cache_clear()
        monkeypatch.setattr(sources, "_known", {})
        monkeypatch.setattr(sources, "_new", {})

    forget()
    yield forget
    monkeypatch.undo()
    forget()


@pytest.fixture
def kept(fresh, store):
    """The file in which `TEXT` was kept."""
    sources.of("genbook.a", TEXT)
    sources.keep()
    fresh()
    return store / "sources.json"


def refuse(*_):
    raise AssertionError("parsed")


def test_what_is_read_is_what_the_text_takes_from_elsewhere():
    source = sources.read(TEXT)
    assert source.imported == ("os",)
    assert [(name.module, name.name, name.here) for name in source.taken] == [
        ("genbook", "sub", "sub"),
        ("genbook.c", "X", "Y"),
    ]
    assert source.attributes == {"sub": ("Z",), "Y": None}


def test_what_was_kept_is_what_was_read_and_is_not_parsed_again(kept, monkeypatch):
    monkeypatch.setattr(sources, "read", refuse)
    source = sources.of("genbook.a", TEXT)
    monkeypatch.undo()
    assert source == sources.read(TEXT)


@pytest.mark.parametrize("other", [TEXT.replace("os", "re"), TEXT + " ", TEXT + "# a word"])
def test_another_text_under_the_same_name_is_read_anew(kept, monkeypatch, other):
    with monkeypatch.context() as patch:
        patch.setattr(sources, "read", refuse)
        with pytest.raises(AssertionError, match="parsed"):
            sources.of("genbook.a", other)
    assert sources.of("genbook.a", other) == sources.read(other)


def test_another_way_of_reading_reads_all_anew(kept, monkeypatch):
    monkeypatch.setattr(sources, "_reader", lambda: b"a later version")
    monkeypatch.setattr(sources, "read", refuse)
    with pytest.raises(AssertionError, match="parsed"):
        sources.of("genbook.a", TEXT)


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"genbook.a": 3}', '{"genbook.a": ["0", ["code"]]}', "\x00"])
def test_a_damaged_file_is_not_believed(kept, damage):
    kept.write_text(damage)
    assert sources.of("genbook.a", TEXT) == sources.read(TEXT)
    sources.keep()
    assert json.loads(kept.read_text())["genbook.a"][1][0] == sources.read(TEXT).code


def test_one_entry_is_kept_of_a_module_and_other_modules_stay(kept, fresh):
    sources.of("genbook.b", "B = 1")
    sources.of("genbook.a", "A = 1")
    sources.keep()
    assert {name: said[1][0] for name, said in json.loads(kept.read_text()).items()} == {
        "genbook.a": "A = 1",
        "genbook.b": "B = 1",
    }


def test_a_store_that_is_not_there_is_not_made_and_one_that_takes_no_file_goes_without(fresh, store):
    store.rmdir()
    sources.of("genbook.a", TEXT)
    sources.keep()
    assert not store.exists()
    (store / "sources.json").mkdir(parents=True)
    sources.keep()
    assert not sources._new
