"""Tables that come with the book serve for exactly the code and data that they were computed by."""

import os

import pytest

from genbook.results import published, shipped
from genbook.results.compute import missing_seeds, obtain
from genbook.tables import codehash, manifest
from genbook.tables.store import DamagedTable, Store
from tests.toy import ToyStudy, toy_study


@pytest.fixture
def study(store, tmp_path, monkeypatch):
    """A study whose quick tables of two seeds come with the book, and an empty store."""
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    monkeypatch.delenv("GENBOOK_FRESH", raising=False)
    study = toy_study()
    shipped.ship([obtain(study, study.build("quick", {}), [0, 1])])
    (store / "tables").rename(tmp_path / "put-away")
    monkeypatch.setattr(ToyStudy, "computed", [])
    return study


def files():
    return sorted((published.root() / "tables").glob("*/*/*.parquet"))


def test_they_are_put_into_the_store_and_only_the_rest_is_computed(study):
    spec = study.build("quick", {})
    assert missing_seeds(study, spec, [0, 1, 2]) == [2]
    table = obtain(study, spec, [0, 1, 2])
    assert [seeds for _, seeds in ToyStudy.computed] == [(2,)]
    assert table.frame["seed"].tolist() == [0, 1, 2]
    assert not table.published  # they are what this code computes, and no table of its own
    assert len(list(Store().provenances())) == 3


def test_other_code_another_spec_and_a_wish_for_fresh_ones_compute(study, monkeypatch):
    spec = study.build("quick", {})
    obtain(study, study.build("quick", {"effect": 2.0}), [0])
    with monkeypatch.context() as changed:
        changed.setattr(codehash, "code_hash", lambda module: "other")
        obtain(study, spec, [0])
    monkeypatch.setenv("GENBOOK_FRESH", "1")
    assert missing_seeds(study, spec, [0, 1]) == [0, 1]
    obtain(study, spec, [0, 1])
    assert [seeds for _, seeds in ToyStudy.computed] == [(0,), (0,), (0, 1)]


def test_one_that_is_not_listed_or_not_as_listed_is_not_believed(study):
    first, second = files()
    spec = study.build("quick", {})
    first.write_bytes(second.read_bytes())
    with pytest.raises(DamagedTable, match="SHA-256"):
        obtain(study, spec, [0])
    manifest.enter(published.root(), first)  # whoever lists it has still to say which table it is
    with pytest.raises(DamagedTable, match="its seed is 1, not 0"):
        obtain(study, spec, [0])
    (published.root() / manifest.NAME).unlink()
    with pytest.raises(DamagedTable, match="is not listed"):
        obtain(study, spec, [1])
    assert ToyStudy.computed == []


def test_those_of_now_take_the_place_of_all_before_and_other_files_stay_listed(study):
    before, root = files(), published.root()
    published.publish(obtain(study, study.build("quick", {}), [0]), "full-discovery")
    listed = manifest.read(root)
    (after,) = shipped.ship([obtain(study, study.build("quick", {"effect": 3.0}), [5])])
    assert files() == [after]
    assert not set(before) & {after}
    manifest.check(root)
    assert manifest.read(root)["toy/full-discovery.parquet"] == listed["toy/full-discovery.parquet"]


def test_where_the_disk_refuses_one_those_of_before_stay(study, monkeypatch):
    """A part that is there stays as it is; of the new ones, the second of which does not fit, none is left."""
    before, stamps = files(), [path.stat().st_mtime_ns for path in files()]
    spec, root, whole = study.build("quick", {"effect": 3.0}), published.root(), shipped.encoded

    def encoded(rows, provenance, key):
        if provenance["seed"] == 6:
            raise OSError(28, "No space left on device")
        return whole(rows, provenance, key)

    tables = [obtain(study, study.build("quick", {}), [0, 1]), obtain(study, spec, [5, 6])]
    with monkeypatch.context() as full:
        full.setattr(shipped, "encoded", encoded)
        with pytest.raises(OSError, match="No space"):
            shipped.ship(tables)
    assert files() == before
    assert [path.stat().st_mtime_ns for path in before] == stamps
    manifest.check(root)
    assert len(shipped.ship(tables)) == 4
    manifest.check(root)


def test_what_else_was_changed_in_the_folder_is_not_vouched_for(study):
    root = published.root()
    path = published.publish(obtain(study, study.build("quick", {}), [0]), "full-discovery")
    os.truncate(path, 100)
    shipped.ship([obtain(study, study.build("quick", {}), [0])])
    with pytest.raises(manifest.ManifestError, match="full-discovery"):
        manifest.check(root)
