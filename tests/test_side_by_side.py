"""Missing tables computed by a few processes: the same tables as by one, within the memory, every error told once."""

import concurrent.futures
import errno
import json
import os
import signal

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbook import studies
from genbook.base.files import StorageError
from genbook.book import build
from genbook.book.render import BuildError
from genbook.results import side_by_side
from genbook.results.compute import obtain
from genbook.results.requests import Request
from genbook.results.side_by_side import USUAL_MIB, Failure, NotComputed, Work, fill, first_that_fits, missing
from genbook.results.verdicts import settings_judged, settings_read
from genbook.tables.store import Store

#: Two studies whose smallest tables take a second.
SMALL = ("sample_descent", "linear_teacher")


def requests(*names):
    return [Request.build(studies.get(name), "smoke") for name in names or SMALL]


@pytest.fixture
def at_once(store, monkeypatch):
    """An empty store, and no table so cheap that it is left to its reader."""
    monkeypatch.setattr(side_by_side, "WORTH_SECONDS", 0.0)
    return store


def rows_in(store):
    """By the name of each part, the digest of its rows."""
    paths = Store(store).paths()
    seals = (json.loads(pq.read_metadata(path).metadata[b"genbook.seal"]) for path in paths)
    return {path.relative_to(store).as_posix(): seal["rows"] for path, seal in zip(paths, seals, strict=True)}


def test_tables_computed_side_by_side_are_those_of_one_process_bit_for_bit(at_once, tmp_path, monkeypatch):
    said = []
    assert fill(requests(), 2, said.append) == []
    wanted = [(request.study, setting) for request in requests() for setting in settings_read(request)]
    assert len(said) == 1
    assert said[0].startswith(f"computing {len(wanted)} tables, 2 at a time")
    assert missing(requests(), settings_read) == []
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "alone"))
    for study, setting in wanted:
        obtain(study, setting.spec, setting.seeds)
    assert rows_in(at_once) == rows_in(tmp_path / "alone")
    assert len(rows_in(at_once)) == sum(len(setting.seeds) for _, setting in wanted)
    assert fill(requests(), 2, said.append) == []
    assert len(said) == 1, "nothing is missing any more"


def test_the_longest_table_comes_first_and_what_is_stored_not_at_all(store, monkeypatch):
    (request,) = requests("linear_teacher")
    obtain(request.study, request.discovery.spec, request.discovery.seeds)
    works = missing(requests(), settings_read)
    assert [work.seconds for work in works] == sorted((work.seconds for work in works), reverse=True)
    named = [(work.study, work.setting.name) for work in works]
    assert ("linear_teacher", "discovery") not in named
    assert sorted(named) == sorted(
        (request.study.name, setting.name)
        for request in requests()
        for setting in settings_read(request)
        if (request.study.name, setting.name) != ("linear_teacher", "discovery")
    )


def test_recorded_seconds_beat_those_of_the_profile(store):
    (request,) = requests("linear_teacher")
    table = obtain(request.study, request.discovery.spec, request.discovery.seeds)
    dearest = max(provenance["wall_seconds"] for provenance in table.provenances)
    priced = {work.setting.name: work for work in missing([request], settings_read)}
    for work in priced.values():
        assert work.seconds <= dearest * len(work.setting.seeds)
        assert work.mib == max(provenance["peak_mib"] for provenance in table.provenances)


def test_a_blind_request_leaves_its_replication_uncomputed(store):
    (request,) = requests("linear_teacher")
    names = {work.setting.name for work in missing([request], lambda one: settings_judged(one, blind=True))}
    assert "replication" not in names
    assert {work.setting.name for work in missing([request], settings_judged)} - names == {"replication"}


def works_of(*needs):
    setting = requests("linear_teacher")[0].discovery
    return [Work(f"study-{number}", setting, "cpu", 1.0, mib) for number, mib in enumerate(needs)]


NEEDS = st.lists(st.none() | st.integers(1, 9000), max_size=6)


@settings(deadline=None)
@given(
    NEEDS, NEEDS, st.floats(0, 20000), st.floats(0, 20000), st.dictionaries(st.just("study-0"), st.integers(1, 9000))
)
def test_nothing_is_begun_beside_others_that_needs_more_memory_than_there_is(waiting, running, room, free, seen):
    waiting, running = works_of(*waiting), works_of(*running)
    chosen = first_that_fits(waiting, running, seen, room, free)
    if not running:
        assert chosen == (waiting[0] if waiting else None)
    elif chosen is not None:
        assert sum(work.needs(seen) for work in [*running, chosen]) <= room + 1e-6
        assert chosen.needs(seen) <= free
    passed_over = waiting[: waiting.index(chosen)] if chosen is not None else waiting
    for work in passed_over:
        assert sum(one.needs(seen) for one in [*running, work]) > room - 1e-6 or work.needs(seen) > free


def test_what_nobody_has_measured_needs_what_its_study_has_needed_since():
    known, unknown = works_of(300, None)
    assert known.needs({"study-0": 5000}) == 300
    assert unknown.needs({}) == USUAL_MIB
    assert unknown.needs({"study-1": 700}) == 700


def pretended(work):
    """In a worker, instead of computing: what becomes of a table, as its study and setting say."""
    if work.study == "linear_teacher" and work.setting.name == "discovery":
        os.kill(os.getpid(), signal.SIGKILL)
    if work.study == "sample_descent":
        return Failure(work, "TypeError: a mistake", "Traceback ...")
    part = Store().root / f"{work.study} {work.setting.name}"
    part.parent.mkdir(exist_ok=True)
    part.touch()
    return 100


def test_the_errors_of_a_study_are_told_once_and_other_studies_go_on(at_once, monkeypatch):
    monkeypatch.setattr(side_by_side, "_compute", pretended)
    names = (*SMALL, "perceptron_limit")
    found = fill(requests(*names), 2)
    first = {}
    for work in missing(requests(*names), settings_read):
        first.setdefault(work.study, work)
    said = {failure.work.study: str(failure) for failure in found}
    assert len(found) == len(said)
    descent = first["sample_descent"].setting.name
    assert said["sample_descent"].endswith(f"study sample_descent, {descent} setting: TypeError: a mistake")
    assert said["sample_descent"].startswith("chapter 0")
    assert "its process was killed" in said["linear_teacher"]
    assert "discovery setting" in said["linear_teacher"]
    there = {path.name for path in at_once.iterdir()}
    assert {f"perceptron_limit {one.name}" for one in settings_read(requests("perceptron_limit")[0])} <= there
    with pytest.raises(NotComputed, match=r"a mistake\nTraceback \.\.\."):
        side_by_side.fill_all(requests("sample_descent"), 2)


class Here:
    """Workers that do their work at once, in this process."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, *arguments):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments))
        return future


def test_a_store_that_takes_no_more_ends_it_all_with_the_systems_refusal(at_once, monkeypatch):
    monkeypatch.setattr(side_by_side, "workers", Here)
    works = missing(requests(), settings_read)
    at_once.write_text("a file where the store's folder is wanted")
    with pytest.raises(StorageError, match=r"cannot write .*: part of the path is a file") as refused:
        side_by_side._computed(works, 2, lambda fraction, words: None)
    assert refused.value.errno in (errno.ENOTDIR, errno.EEXIST)


def test_a_chapter_without_one_of_its_tables_is_told_of_and_not_executed(monkeypatch, tmp_path):
    failure = Failure(Work("linear_teacher", requests("linear_teacher")[0].discovery, "cpu", 1.0, None), "a mistake")
    executed = []
    monkeypatch.setattr(build, "fill", lambda *words: [failure])
    monkeypatch.setattr(build, "is_current", lambda copy, key: False)
    monkeypatch.setattr(build, "execution_key", lambda chapter, parameters: "key")

    monkeypatch.setattr(build, "_workers", Here)
    monkeypatch.setattr(build, "_execute_one", lambda chapter, profile, folder: executed.append(chapter))
    with pytest.raises(BuildError, match="study linear_teacher, discovery setting: a mistake"):
        build._execute_all("smoke", 2, lambda line: None)
    telling = {name for name in build.chapters() if "linear_teacher" in [one.name for one in build.studies_of(name)]}
    assert telling
    assert sorted(executed) == sorted(set(build.chapters()) - telling)
