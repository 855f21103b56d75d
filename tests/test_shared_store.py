"""The store handed on: what proves itself is taken, and nothing else; what serves no more is tidied away."""

import io
import json
import tarfile

import pytest

from genbook import cli, studies
from genbook.base.files import StorageError
from genbook.base.spec import ParameterError
from genbook.results import shared_store
from genbook.results.compute import obtain
from genbook.results.table import key_of
from genbook.tables import codehash
from genbook.tables.store import Part, Store, encoded
from tests.toy import ToyStudy, toy_study


@pytest.fixture
def study(store, monkeypatch):
    """A study with two seeds of its quick discovery in the store."""
    study = toy_study()
    monkeypatch.setattr(studies, "get", lambda name: study)
    monkeypatch.setattr(studies, "names", lambda: ("toy",))
    monkeypatch.setattr(ToyStudy, "computed", [])
    obtain(study, study.build("quick", {}), [0, 1])
    return study


def serving():
    return [part.path.stem for part in shared_store.kept() if not part.wrong]


def members(archive):
    with tarfile.open(archive) as file:
        return {member.name: file.extractfile(member).read() for member in file}


def archive_of(path, contents):
    with tarfile.open(path, "w") as file:
        for name, content in contents.items():
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_what_is_exported_serves_elsewhere_without_computing(study, tmp_path, monkeypatch):
    archive, again = tmp_path / "a.tar", tmp_path / "b.tar"
    assert shared_store.export(archive) == shared_store.export(again) == 2
    assert archive.read_bytes() == again.read_bytes()
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "elsewhere"))
    taken = shared_store.take(archive)
    assert (len(taken.new), taken.there, taken.refused) == (2, (), {})
    assert len(shared_store.take(archive).there) == 2
    obtain(study, study.build("quick", {}), [0, 1])
    assert [seeds for _, seeds in ToyStudy.computed] == [(0, 1)]


def test_what_does_not_prove_itself_is_refused_and_the_rest_is_taken(study, tmp_path, monkeypatch):
    shared_store.export(tmp_path / "a.tar")
    (first, content), (second, other) = members(tmp_path / "a.tar").items()
    key = first.rpartition("/")[0]
    spec = study.build("quick", {"effect": 9.0})
    table = obtain(study, spec, [0])
    link = tarfile.TarInfo(f"{key}/seed-00007.parquet")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    contents = {
        second: other,
        f"{key}/seed-00005.parquet": content,  # another seed's
        "../../outside/seed-00000.parquet": content,
        "/absolute/seed-00000.parquet": content,
        f"{key}/seed-00006.parquet": content[:-40],
        f"toy/{'0' * 24}/seed-00000.parquet": encoded(table.frame, table.provenances[0], f"toy/{'0' * 24}"),
        f"other/{'1' * 24}/seed-00000.parquet": encoded(table.frame, table.provenances[0], f"other/{'1' * 24}"),
        "notes.txt": b"import os",
        link: b"",
    }
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "elsewhere"))
    taken = shared_store.take(archive_of(tmp_path / "b.tar", contents))
    assert taken.new == (second,)
    assert len(taken.refused) == 8
    for name, said in (
        (f"{key}/seed-00005.parquet", "its seed is 0, not 5"),
        ("../../outside/seed-00000.parquet", "is not named"),
        (f"{key}/seed-00006.parquet", "is damaged"),
        (f"toy/{'0' * 24}/seed-00000.parquet", "other code"),
        (f"other/{'1' * 24}/seed-00000.parquet", "this book has not"),
        (f"{key}/seed-00007.parquet", "no plain file"),
    ):
        assert said in taken.refused[name]
    assert [path.name for path in (tmp_path / "elsewhere").rglob("*.parquet")] == ["seed-00001.parquet"]
    assert not (tmp_path / "outside").exists()


def test_what_is_no_archive_is_refused(store, tmp_path):
    (tmp_path / "a.tar").write_bytes(b"not a tar file at all")
    with pytest.raises(ParameterError, match="cannot be read as an archive"):
        shared_store.take(tmp_path / "a.tar")
    with pytest.raises(ParameterError, match="no part"):
        shared_store.export(tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize("writer", ["pathlib.Path.write_bytes", "os.fsync"], ids=["on the way", "in the store"])
def test_a_disk_that_takes_no_more_is_not_the_archives_fault(study, tmp_path, monkeypatch, writer):
    def full(*words):
        raise OSError(28, "No space left on device")

    shared_store.export(tmp_path / "a.tar")
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "elsewhere"))
    with monkeypatch.context() as patch:
        patch.setattr(writer, full)
        with pytest.raises(StorageError, match=r"^cannot write .*the disk is full; free some space"):
            shared_store.take(tmp_path / "a.tar")
    assert len(shared_store.take(tmp_path / "a.tar").new) == 2


def test_pruning_removes_what_the_present_code_would_not_read_and_nothing_else(study, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(codehash, "code_hash", lambda module: "older")
        obtain(study, study.build("quick", {}), [0, 3])
    obtain(study, study.build("quick", {"effect": 2.0}), [4])  # a reader's own parameters
    assert sorted(serving()) == ["seed-00000", "seed-00001", "seed-00004"]
    gone = shared_store.prune()
    assert sorted(part.path.stem for part in gone) == ["seed-00000", "seed-00003"]
    assert {part.wrong for part in gone} == {"is of other code, another version or other data"}
    assert len(Store().paths()) == 3
    assert {folder.name for folder in (Store().root / "tables" / "toy").iterdir()} == {
        key_of(study, study.build("quick", {"effect": effect})).partition("/")[2] for effect in (1.0, 2.0)
    }
    assert shared_store.prune() == []


def test_a_part_of_parameters_that_are_no_more_serves_no_more(study):
    table = obtain(study, study.build("quick", {}), [0])
    said = {**table.provenances[0], "spec": {"gone": 1}}
    Store().write(f"toy/{'2' * 24}", 0, Part(table.frame, said))
    wrong = [part.wrong for part in shared_store.kept() if part.path.parent.name == "2" * 24]
    assert wrong == ["was computed with parameters that its study no longer takes"]


def test_the_commands_say_what_they_did(study, tmp_path, monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["genbook", "store", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code
        return status, capsys.readouterr()

    archive = str(tmp_path / "a.tar")
    assert "toy" in run("ls")[1].out
    assert "seed-00001" in run("show", "toy")[1].out
    assert run("export", archive)[1].out.startswith("2 parts")
    assert run("export", archive)[0] == 2
    assert run("prune")[1].out.startswith("0 of 2 parts removed")
    assert run("import", archive) == (0, ("0 parts taken, 2 were there, 0 refused\n", ""))
    bad = archive_of(tmp_path / "b.tar", {"notes.txt": b"1"})
    status, said = run("import", str(bad))
    assert status == 1
    assert "refused notes.txt" in said.err
    assert json.dumps(str(tmp_path)) not in said.out
