"""Who hears how far a computation is, and how it is shown."""

import io
import json
import os

import pytest
import torch

from genbook.base import progress
from genbook.models import linear
from genbook.training import SGD, Examples, Recipe, Replica, train


def replicas():
    data = {"train": Examples(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)}
    return [Replica(seed, linear(3, 2), Recipe(30, SGD(0.1), batch_size=5), data) for seed in range(2)]


def test_a_context_hears_the_fraction_done_of_every_training_in_its_block():
    heard = []
    with progress.context(lambda fraction, words: heard.append(fraction)):
        train(replicas())
        assert heard[-1] == 1
        assert heard == sorted(heard)
        train(replicas())
    assert heard.count(1) >= 2
    told = len(heard)
    train(replicas())
    progress.report(0.5, "nobody hears this")
    assert len(heard) == told


def test_what_is_no_training_reports_by_itself():
    heard = []
    with progress.context(lambda *said: heard.append(said)):
        progress.report(0.25, "seed 3")
    assert heard == [(0.25, "seed 3")]


def test_trainings_in_turn_keep_their_state_in_files_of_their_own(tmp_path, monkeypatch):
    from genbook.training import engine

    asked = []
    checkpoint = engine.Checkpoint
    monkeypatch.setattr(engine, "Checkpoint", lambda path, *rest: asked.append(path) or checkpoint(path, *rest))
    for _ in range(2):  # a study that is run again asks for the same files in the same order
        with progress.context(folder=tmp_path):
            train(replicas())
            train(replicas())
    assert [path.name for path in asked] == ["training-0.safetensors", "training-1.safetensors"] * 2
    assert not list(tmp_path.iterdir())


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "show", "drawn"),
    [(Terminal, None, True), (io.StringIO, None, False), (Terminal, False, False)],
    ids=["in a terminal", "elsewhere", "not wanted"],
)
def test_the_bar_is_drawn_in_a_terminal_where_it_is_wanted(monkeypatch, stream, show, drawn):
    screen = stream()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bar("counting", show) as tell:
        for done in range(11):
            tell(done / 10, f"{done} of 10")
    assert bool(screen.getvalue()) is drawn
    assert ("counting: 10 of 10" in screen.getvalue()) is drawn


def test_a_function_is_told_in_the_place_of_a_bar():
    heard = []
    with progress.bar("counting", lambda *said: heard.append(said)) as tell:
        tell(0.1, "once")
        tell(0.2, "twice")
    assert heard == [(0.1, "once"), (0.2, "twice")]


def test_a_notebook_tells_through_a_file_what_whoever_waits_reads(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.delenv(progress.FILE_VARIABLE, raising=False)
    with progress.file("a chapter") as tell:
        tell(1.0, "into nothing")
    assert progress.read(path) == (0.0, "")
    monkeypatch.setenv(progress.FILE_VARIABLE, str(path))
    with progress.file("a chapter") as tell:
        tell(0.5, "half")
        tell(0.6, "too soon")
        assert progress.read(path) == (0.5, "a chapter")
        tell(1.0, "done")
    assert json.loads(path.read_text()) == {"title": "a chapter", "fraction": 1.0, "words": "done"}
    os.utime(path, (0, 0))
    assert progress.read(path) == (0.0, ""), "what was said long ago says nothing"
    path.write_text("{")
    assert progress.read(path) == (0.0, "")
