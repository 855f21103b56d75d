"""Checkpoints: killed at any step, a training goes on to the table of an undisturbed one.

Both run the same program on the same shapes on one machine with as many threads: here tables are equal bit for bit.
"""

import dataclasses
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch

from genbook import models
from genbook.gradients import RunningMedian
from genbook.probes import Accuracy, DistanceFromInitialisation, Every, MeanLoss
from genbook.training import (
    SGD,
    Adam,
    Average,
    Cosine,
    Examples,
    Recipe,
    Replica,
    TrainingError,
    checkpoint,
    engine,
    train,
)
from genbook.training.run import StackRun

PROBES = [Accuracy(at=Every(3)), MeanLoss("test", at=Every(4)), DistanceFromInitialisation(at=Every(10))]


def grid():
    """Several stacks: momentum, a wide network under Adam, BatchNorm with running statistics; some leave early."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(24, 6, generator=draw)
    easy = Examples(inputs, (inputs[:, 0] > 0).long())
    hard = Examples(torch.randn(24, 6, generator=draw), torch.randint(3, (24,), generator=draw))
    images = Examples(torch.randn(12, 3, 32, 32, generator=draw), torch.arange(12) % 3)

    def replicas(seeds, model, examples, **recipe):
        settings = Recipe(**{"steps": 30, "batch_size": 5, "optimiser": SGD(0.1), **recipe})
        return [
            Replica(seed, model, settings, {"train": examples, "test": examples}, {"lr": settings.optimiser.lr})
            for seed in seeds
        ]

    momentum = {"optimiser": SGD(0.2, momentum=0.9), "stop_at_accuracy": 1.0, "schedule": Cosine()}
    return [
        *replicas((0, 1), models.mlp((6, 20, 9, 3)), easy, **momentum),
        *replicas((2,), models.mlp((6, 20, 9, 3)), hard, **momentum),
        *(r for width in (3, 8) for r in replicas((0, 0), models.mlp((6, width, 3)), hard, optimiser=Adam(0.02))),
        *replicas((0, 1), models.mlp((6, 7, 3), "squared-relu"), hard, loss="squared", optimiser=SGD(0.01)),
        *replicas((0, 1), models.mlp((6, 7, 3), "squared-relu"), hard, loss="squared", optimiser=SGD(1e11)),
        *replicas((0, 1), models.mlp((6, 9, 3)), easy, average=Average(RunningMedian), stop_at_accuracy=0.9, steps=20),
        *replicas((0, 1), models.five_layer_cnn(1, 3, norm="batch"), images, steps=4, batch_size=6),
    ]  # fmt: skip


def assert_same(actual, expected):
    pd.testing.assert_frame_equal(actual.table, expected.table, check_exact=True)
    pd.testing.assert_frame_equal(actual.endings, expected.endings, check_exact=True)
    for a, b in zip(actual.states, expected.states, strict=True):
        assert list(a) == list(b)
        assert all(torch.equal(a[k], b[k]) for k in a)


def killed(path, advances, while_writing):
    """A child process that trains and is killed -9 after some steps, or in the midst of the write that follows."""
    child = os.fork()
    if child == 0:
        count = 0
        advance, save_file = StackRun.advance, checkpoint.save_file

        def counting(run):
            nonlocal count
            count += 1
            if count > advances and not while_writing:
                os.kill(os.getpid(), signal.SIGKILL)
            return advance(run)

        def writing(tensors, path, metadata):
            save_file(tensors, path, metadata)
            if count > advances:
                os.truncate(path, path.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        StackRun.advance, checkpoint.save_file = counting, writing
        try:
            train(grid(), PROBES, checkpoint=path, checkpoint_every=0.0)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_killed_ten_times_it_goes_on_to_the_same_table(tmp_path):
    expected = train(grid(), PROBES)
    assert expected.endings.fitted.any()
    assert expected.endings.diverged.any()
    path = tmp_path / "run.safetensors"
    draw = np.random.default_rng(0)
    kills = [killed(path, int(draw.integers(1, 20)), while_writing=bool(place % 2)) for place in range(10)]
    assert sum(kills) >= 6  # the later ones may find little left to do
    assert path.exists() or not all(kills)
    assert_same(train(grid(), PROBES, checkpoint=path), expected)
    assert list(tmp_path.iterdir()) == []


def interrupted(path, monkeypatch, after):
    """A checkpoint as an interrupted training leaves it."""
    advance = StackRun.advance
    count = 0

    def stopping(run):
        nonlocal count
        count += 1
        if count > after:
            raise KeyboardInterrupt
        return advance(run)

    with monkeypatch.context() as patch:
        patch.setattr(StackRun, "advance", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(grid(), PROBES, checkpoint=path, checkpoint_every=0.0)


@pytest.mark.parametrize("after", [1, 17, 31, 45, 70])
def test_interrupted_anywhere_it_goes_on_without_doing_again_what_was_done(after, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    interrupted(path, monkeypatch, after)
    expected_steps = []
    advance = StackRun.advance
    monkeypatch.setattr(StackRun, "advance", lambda run: expected_steps.append(1) or advance(run))
    resumed = train(grid(), PROBES, checkpoint=path)
    monkeypatch.undo()
    assert_same(resumed, train(grid(), PROBES))
    undisturbed = []
    monkeypatch.setattr(StackRun, "advance", lambda run: undisturbed.append(1) or advance(run))
    train(grid(), PROBES)
    # The last call of a stack advances nothing, so what it had done before the interruption may be looked at again.
    assert len(undisturbed) - after <= len(expected_steps) <= len(undisturbed) - after + 1


def test_a_checkpoint_of_another_training_is_refused_and_stays(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    interrupted(path, monkeypatch, 12)
    content = path.read_bytes()
    others = grid()
    others[0] = dataclasses.replace(others[0], seed=5)
    relabelled = grid()
    relabelled[0].data["train"].labels[0] += 1
    for replicas, probes in ((others, PROBES), (relabelled, PROBES), (grid()[1:], PROBES), (grid(), PROBES[1:])):
        with pytest.raises(TrainingError, match="is of another training"):
            train(replicas, probes, checkpoint=path)
    assert path.read_bytes() == content
    assert_same(train(grid(), PROBES, checkpoint=path), train(grid(), PROBES))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused_and_stays(share, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    interrupted(path, monkeypatch, 12)
    content = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"run\.safetensors is damaged"):
        train(grid(), PROBES, checkpoint=path)
    assert path.read_bytes() == content


def test_nothing_is_written_before_its_time(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(checkpoint.Checkpoint, "save", lambda *args: saved.append(args[1:3]))
    train(grid()[:3], PROBES, checkpoint=tmp_path / "run.safetensors", checkpoint_every=3600.0)
    assert saved == []
    assert engine.Checkpoint is checkpoint.Checkpoint
