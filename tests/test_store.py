import multiprocessing
import os
import re
import signal
import stat
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genbook.base.files import StorageError
from genbook.tables.store import DamagedTable, DamagedTableWarning, Part, Store, read_table

SPAWN = multiprocessing.get_context("spawn")


def frame(seed, rows=4):
    return pd.DataFrame({"seed": seed, "quantity": "loss", "value": np.linspace(0, 1, rows)})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


KEY = "toy/abc"
SPEC = {"study": "toy", "spec": {"rate": 0.1, "levels": [0, 1]}, "code": "c0de"}


def put(store, seed=0, key=KEY, rows=4, **said):
    """A part as a computation would leave it."""
    return store.write(key, seed, Part(frame(seed, rows), {**SPEC, "seed": seed, **said}))


def test_a_part_comes_back_with_its_provenance(store):
    put(store, 3)
    part = store.read(KEY, 3, SPEC)
    pd.testing.assert_frame_equal(part.frame, frame(3))
    assert part.provenance == {**SPEC, "seed": 3}
    assert store.seeds(KEY) == [3]
    assert list(store.provenances()) == [part.provenance]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.5, np.nan, np.inf, -0.0]),
        pd.Series(["a", None, "ä", ""]),
        pd.Series([True, False, True, True]),
        pd.Series([1, None, 3, -(2**62)], dtype="Int64"),
        pd.Series([True, None, False, None], dtype="boolean"),
        pd.Series([0, 255, 3, 4], dtype="uint8"),
        pd.Series(pd.to_datetime(["2026-01-01", None, "2026-01-02", "1969-12-31"])),
        pd.Series([], dtype="float64"),
        pd.Series([], dtype="str"),
    ],
    ids=lambda column: f"{column.dtype}-{len(column)}",
)
def test_a_column_of_any_type_proves_itself(store, column):
    written = pd.DataFrame({"value": column})
    store.write(KEY, 0, Part(written, {**SPEC, "seed": 0}))
    pd.testing.assert_frame_equal(store.read(KEY, 0, SPEC).frame, written)


def test_categories_are_refused_because_parquet_keeps_no_more_than_their_texts(store):
    with pytest.raises(ValueError, match=r"column 'quantity' holds categories.*as text"):
        store.write(KEY, 0, Part(frame(0).astype({"quantity": "category"}), {**SPEC, "seed": 0}))


def test_a_part_of_many_row_groups_proves_itself(store):
    put(store, rows=1_100_000)
    assert len(store.read(KEY, 0, SPEC).frame) == 1_100_000


def test_a_missing_part_is_none_and_nothing_is_created(store):
    assert store.read(KEY, 0, SPEC) is None
    assert store.seeds(KEY) == []
    assert not store.root.exists()


@pytest.mark.parametrize(
    "key", ["../abc", "toy/..", "toy/../../x", "/toy/abc", "toy", "toy/abc/def", "toy/", "", "toy/a.b", "toy/abc\n"]
)
def test_a_key_that_leads_elsewhere_is_refused(store, key):
    for use in (lambda: put(store, key=key), lambda: store.read(key, 0, SPEC), lambda: store.seeds(key)):
        with pytest.raises(ValueError, match="is no key: want study/digest"):
            use()
    with pytest.raises(ValueError, match="is no key"), store.claim(key, [0]):
        pass
    assert not store.root.exists()


def not_believed(store, path, said, seed=0):
    """The part is named, set aside with the reason, and not there any more; nor do the run statistics count it."""
    there = path.is_symlink() or path.exists()
    with pytest.warns(DamagedTableWarning, match=said) as caught:
        assert store.read(KEY, seed, SPEC) is None
    assert path.name in str(caught[0].message)
    aside = path.with_name(path.name + ".damaged-1")
    assert there
    assert aside.is_symlink() or aside.exists()
    assert not path.is_symlink()
    assert not path.exists()
    assert store.read(KEY, seed, SPEC) is None


@pytest.mark.parametrize("damage", ["truncate", "empty", "text", "appended", "zeroed"])
def test_a_damaged_part_is_noticed_named_and_set_aside(store, damage):
    path = put(store, rows=2000)
    content = path.read_bytes()
    damaged = {
        "truncate": content[: len(content) // 2],
        "empty": b"",
        "text": b"a,b",
        "appended": content + b"x",
        "zeroed": bytes(len(content)),
    }
    path.write_bytes(damaged[damage])
    not_believed(store, path, "is damaged")


def test_a_flipped_page_is_refused_before_it_is_decoded(store):
    path = put(store, rows=2000)
    content = bytearray(path.read_bytes())
    values = pq.read_metadata(path).row_group(0).column(2)
    content[values.dictionary_page_offset + values.total_compressed_size - 1] ^= 0x10
    path.write_bytes(content)
    not_believed(store, path, "CRC checksum")


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(store):
    path = put(store)
    content, draw = path.read_bytes(), np.random.default_rng(0)
    written, noticed = frame(0), 0
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(flipped)
        try:
            part = read_table(path, KEY, SPEC)
        except DamagedTable:
            noticed += 1
        else:
            pd.testing.assert_frame_equal(part.frame, written, check_exact=True)
            assert part.provenance == {**SPEC, "seed": 0}
    assert noticed > len(content) / 2


@pytest.mark.parametrize("place", ["folder", "pipe"])
def test_what_is_no_file_is_set_aside(store, place):
    path = put(store)
    path.unlink()
    path.mkdir() if place == "folder" else os.mkfifo(path)
    not_believed(store, path, "is no plain file")


def test_another_seeds_part_is_not_believed(store):
    path = put(store)
    put(store, 1).replace(path)
    not_believed(store, path, r"its seed is 1, not 0")


def test_two_parts_that_were_swapped_are_not_believed(store, tmp_path):
    first, second = put(store), put(store, 1)
    first.replace(tmp_path / "kept")
    second.replace(first)
    (tmp_path / "kept").replace(second)
    assert list(store.provenances()) == []
    not_believed(store, first, "its seed is 1, not 0")
    not_believed(store, second, "its seed is 0, not 1", seed=1)


@pytest.mark.parametrize("key", ["toy/def", "other/abc"], ids=["a control's", "another study's"])
def test_a_part_of_another_key_is_not_believed(store, key):
    path = put(store)
    put(store, key=key).replace(path)
    assert list(store.provenances()) == []
    not_believed(store, path, f"is the table of {key}, not of toy/abc")


def test_a_link_to_another_part_is_not_believed_and_that_part_stays(store):
    path, other = put(store), put(store, 1)
    path.unlink()
    path.symlink_to(other.name)
    not_believed(store, path, "is a symbolic link")
    assert store.read(KEY, 1, SPEC) is not None


def test_a_link_that_leads_nowhere_is_set_aside(store):
    path = put(store)
    for number in (1, 2):
        path.unlink(missing_ok=True)
        path.symlink_to("nowhere")
        with pytest.warns(DamagedTableWarning, match=f"is a symbolic link.*damaged-{number}"):
            assert store.read(KEY, 0, SPEC) is None


def forge(path, change=lambda table: table, **metadata):
    """Rewrite a part with its columns changed, or entries of its metadata; what is not named is kept, seal included."""
    table = pq.read_table(path)
    kept = {**table.schema.metadata, **{f"genbook.{name}".encode(): value for name, value in metadata.items()}}
    kept = {name: value for name, value in kept.items() if value is not None}
    pq.write_table(change(table).replace_schema_metadata(kept), path, compression="zstd")


def column(name, values):
    """Replace or add a column."""

    def change(table):
        found = table.schema.get_field_index(name)
        return table.append_column(name, values) if found < 0 else table.set_column(found, name, values)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda table: column("value", pa.array(2 * table["value"].to_numpy()))(table),
        lambda table: column("value", pa.array([*table["value"].to_pylist()[:-1], None]))(table),
        lambda table: column("value", pa.array([*table["value"].to_pylist()[:-1], np.nan], from_pandas=False))(table),
        lambda table: column("value", table["value"].cast(pa.string()))(table),
        lambda table: column("value", table["value"].cast(pa.float32()))(table),
        lambda table: column("value", pa.array([b"0"] * 4))(table),
        lambda table: column("value", pa.array([[0.0]] * 4))(table),
        lambda table: column("value", pa.array([{"a": 0.0}] * 4))(table),
        lambda table: column("seed", pa.array([99] * 4))(table),
        lambda table: column("seed", table["seed"].cast(pa.int32()))(table),
        lambda table: column("quantity", table["quantity"].cast(pa.string()))(table),
        lambda table: column("quantity", table["quantity"].dictionary_encode())(table),
        lambda table: column("more", pa.array([0] * 4))(table),
        lambda table: table.drop_columns("quantity"),
        lambda table: table.select([2, 1, 0]),
        lambda table: table.rename_columns(["seed", "value", "quantity"]),
        lambda table: table.slice(0, 3),
        lambda table: table.slice(0, 0),
        lambda table: table.take([1, 0, 2, 3]),
        lambda table: pa.concat_tables([table, table]),
    ],
    ids=[
        "doubled", "null", "nan", "text", "float32", "bytes", "nested", "struct", "seed 99", "int32", "short strings",
        "dictionary", "a column more", "a column missing", "columns in another order", "columns renamed",
        "a row dropped", "no rows", "rows in another order", "rows twice",
    ],
)  # fmt: skip
def test_changed_rows_are_not_believed(store, change):
    path = put(store)
    forge(path, change)
    not_believed(store, path, "does not hold the rows that were written")


def test_a_number_in_the_place_of_none_is_not_believed(store):
    written = pd.DataFrame({"seed": [0, 0], "value": [np.nan, 1.0]})
    path = store.write(KEY, 0, Part(written, {**SPEC, "seed": 0}))
    forge(path, column("value", pa.array([0.0, 1.0])))
    not_believed(store, path, "does not hold the rows that were written")


def test_a_missing_number_in_another_row_is_not_believed(store):
    written = pd.DataFrame({"seed": [0, 0], "value": [np.nan, 1.0]})
    path = store.write(KEY, 0, Part(written, {**SPEC, "seed": 0}))
    forge(path, column("value", pa.array([1.0, None])))
    not_believed(store, path, "does not hold the rows that were written")


def test_numbers_in_the_place_of_truths_are_not_believed(store):
    written = pd.DataFrame({"seed": [0, 0], "value": [True, False]})
    path = store.write(KEY, 0, Part(written, {**SPEC, "seed": 0}))
    forge(path, column("value", pa.array([1, 0], pa.uint8())))
    not_believed(store, path, "does not hold the rows that were written")


@pytest.mark.parametrize(
    "provenance",
    [
        b"[]", b"{}", b"null", b"1", b"no json", b"\xff",
        b'{"code":"c0de","seed":0,"spec":{"levels":[0,1],"rate":0.2},"study":"toy"}',
    ],
)  # fmt: skip
def test_another_provenance_is_not_believed(store, provenance):
    path = put(store)
    forge(path, provenance=provenance)
    assert list(store.provenances()) == []
    not_believed(store, path, "its provenance, its key or the types of its columns changed")


def test_changed_types_are_not_believed(store):
    path = put(store)
    table = pq.read_table(path)
    about = table.schema.metadata[b"pandas"].replace(b'"numpy_type": "int64"', b'"numpy_type": "uint8"')
    assert about != table.schema.metadata[b"pandas"]
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"pandas": about}), path)
    not_believed(store, path, "the types of its columns changed")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"seal": None}, "an older version of genbook wrote it"),
        ({"seal": None, "provenance": None}, "no provenance, so it was not written by genbook"),
        ({"seal": b"{"}, "digest that cannot be read"),
        ({"seal": b"[]"}, "digest that cannot be read"),
        ({"seal": b'{"key": "toy/abc", "rows": "0", "whole": "0"}'}, "is not as it was written"),
    ],
)
def test_a_part_without_its_seal_is_not_believed(store, metadata, said):
    path = put(store)
    forge(path, **metadata)
    assert list(store.provenances()) == []
    not_believed(store, path, said)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"spec": {"rate": 0.2, "levels": [0, 1]}}, 'its spec is {"levels":[0,1],"rate":0.2}'),
        ({"study": "other"}, 'its study is "other", not "toy"'),
        ({"code": "0dd"}, 'its code is "0dd", not "c0de"'),
        ({"code": None}, 'its code is null, not "c0de"'),
    ],
)
def test_a_well_sealed_part_of_another_identity_is_not_believed(store, said, named):
    not_believed(store, put(store, **said), re.escape(named))


def test_a_part_that_does_not_say_what_it_is_of_is_not_believed(store):
    path = store.write(KEY, 0, Part(frame(0), {}))
    not_believed(store, path, "its study is missing")


def test_a_table_of_another_program_is_refused(tmp_path):
    frame(0).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DamagedTable, match=r"other\.parquet holds no provenance"):
        read_table(tmp_path / "other.parquet", KEY, {})


def _write_for_ever(root):
    while True:
        put(Store(root), rows=200_000)


def test_a_killed_writer_leaves_a_whole_table_or_none(store):
    path = store.part_path(KEY, 0)
    for wait in (0.0, 0.02, 0.05, 0.09):
        process = SPAWN.Process(target=_write_for_ever, args=(store.root,))
        process.start()
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert len(store.read(KEY, 0, SPEC).frame) == 200_000


def _claim_and_log(root, log, name):
    with Store(root).claim(KEY, [2, 1]):
        with log.open("a") as file:
            file.write(f"{name} in\n")
        time.sleep(0.2)
        with log.open("a") as file:
            file.write(f"{name} out\n")


def test_two_processes_that_want_one_part_take_turns(store, tmp_path):
    log = tmp_path / "log"
    processes = [SPAWN.Process(target=_claim_and_log, args=(store.root, log, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    lines = log.read_text().split("\n")
    assert lines[0][0] == lines[1][0] != lines[2][0] == lines[3][0]


def test_a_place_that_is_a_file_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "store"))
    (tmp_path / "store").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*GENBOOK_STORE"):
        put(Store(tmp_path / "store"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_in_one_sentence(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(StorageError, match="not permitted"):
            put(Store(tmp_path / "store"))
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_full_disk_is_refused_in_one_sentence_and_leaves_nothing(store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StorageError, match="the disk is full"):
        put(store)
    assert not list(store.root.rglob("*.part*"))
