"""Captured steps, on a graph that is only recorded: they are the steps that come one by one, bit for bit."""

import dataclasses

import pandas as pd
import pytest
import torch
from torch import nn

from genbook import models
from genbook.probes import Accuracy, Every, MeanLoss
from genbook.training import (
    SGD,
    Adam,
    Average,
    Cosine,
    EarlyLearning,
    Examples,
    GradientNoise,
    Recipe,
    Replica,
    Step,
    graphs,
    train,
)
from genbook.training.batches import Batches
from genbook.training.result import Records
from genbook.training.run import StackRun
from tests.recorded import RecordedGraph


@pytest.fixture
def recorded(monkeypatch):
    """The CPU has graphs; they are listed as they are made."""
    made = []
    monkeypatch.setattr(graphs, "graph_for", lambda device: RecordedGraph(made))
    return made


class Elsewhere(nn.Module):
    """Layers in a class of its own, which no stack knows to launch the same at each step."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, inputs):
        return self.layer(inputs)


def grid(model=None, rates=(0.1, 0.1, 0.1), shape=(5,), shared=False, optimiser=SGD, **recipe):
    draw = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(30, *shape, generator=draw), torch.randint(3, (30,), generator=draw)
    easy = (inputs.flatten(1)[:, 0] > 0).long()
    settings = {"steps": 45, "batch_size": 8, **recipe}
    return [
        Replica(
            0 if shared else seed,
            models.mlp((5, 9, 7, 3)) if model is None else model,
            Recipe(optimiser=optimiser(rate), **settings),
            {"train": Examples(inputs, easy if seed == 1 else labels)},
            init_seed=seed,
        )
        for seed, rate in enumerate(rates)
    ]


def momentum(rate):
    return SGD(rate, momentum=0.9, nesterov=True, weight_decay=0.01)


def projected(rate):
    return SGD(rate, momentum=0.9, weight_decay=0.01, projected=0.9)


NOISE = {"gradient_noise": GradientNoise(0.1)}
GRIDS = {
    "MLP": {},
    "full batch": {"batch_size": None},
    "shared batches": {"shared": True},
    "wide": {"model": models.mlp((5, 9, 3)), "shared": True, "optimiser": Adam},
    "squared": {"loss": "squared", "optimiser": momentum},
    "Adam": {"optimiser": Adam, "rates": (0.01,) * 3},
    "rates": {"rates": (0.1, 0.2, 0.3), "optimiser": momentum},
    "rates, Adam": {"rates": (0.01, 0.02, 0.03), "optimiser": Adam},
    "AdamW": {"rates": (0.01, 0.02), "optimiser": lambda rate: Adam(rate, weight_decay=rate, decoupled=True)},
    "CNN": {"model": models.small_cnn(1, 2, 3, image=8), "shape": (1, 8, 8), "steps": 12},
    "BatchNorm": {"model": models.five_layer_cnn(1, 3, norm="batch"), "shape": (3, 32, 32), "steps": 8},
    "early learning": {"early_learning": EarlyLearning()},
    "median of means": {"average": Average("median of means")},
    "projected": {"optimiser": projected},
    "one diverges": {"rates": (0.01, 1e12, 0.01), "loss": "squared"},
    "one is fitted": {"optimiser": Adam, "rates": (0.03,) * 3, "stop_at_accuracy": 1.0},
}
PROBES = [Accuracy(at=Every(7)), MeanLoss(at=Every(5))]


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.table, expected.table, check_exact=True)
    pd.testing.assert_frame_equal(found.endings, expected.endings, check_exact=True)
    for a, b in zip(found.states, expected.states, strict=True):
        assert all(torch.equal(a[key], b[key]) for key in b)


@pytest.mark.parametrize("name", GRIDS)
def test_captured_steps_are_those_that_come_one_by_one(name, recorded, monkeypatch):
    found = train(grid(**GRIDS[name]), PROBES)
    assert sum(graph.replays for graph in recorded) > 2
    monkeypatch.setattr(graphs, "graph_for", lambda device: None)
    assert_same(found, train(grid(**GRIDS[name]), PROBES))


def test_the_grids_have_one_that_diverges_and_one_that_is_fitted_on_the_way():
    assert train(grid(**GRIDS["one diverges"])).endings.diverged.tolist() == [False, True, False]
    assert train(grid(**GRIDS["one is fitted"])).endings.fitted.tolist()[1]


@pytest.mark.parametrize("schedule", [Cosine(0.1), Step(9, 0.5)])
@pytest.mark.parametrize("optimiser", [momentum, Adam])
def test_a_schedule_reaches_a_captured_step(schedule, optimiser, recorded, monkeypatch):
    settings = {"schedule": schedule, "optimiser": optimiser, "rates": (0.02,) * 3}
    found = train(grid(**settings))
    assert [graph.replays for graph in recorded] == [45 - 3], "one graph, for all factors"
    monkeypatch.setattr(graphs, "graph_for", lambda device: None)
    for ours, theirs in zip(found.states, train(grid(**settings)).states, strict=True):
        for key, value in theirs.items():
            torch.testing.assert_close(ours[key], value, rtol=1e-5, atol=1e-6)


def test_a_captured_training_that_is_interrupted_goes_on_to_the_same_table(recorded, tmp_path, monkeypatch):
    expected = train(grid(), PROBES)
    path = tmp_path / "run.safetensors"

    def stopped(fraction, _):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("genbook.training.engine._in_steps", lambda *_: lambda done: stopped(done / 45, None))
        with pytest.raises(KeyboardInterrupt):
            train(grid(), PROBES, checkpoint=path, checkpoint_every=0.0)
    assert_same(train(grid(), PROBES, checkpoint=path), expected)


@pytest.mark.parametrize("optimiser", [momentum, Adam])
def test_a_captured_run_goes_back_to_where_it_was(optimiser, recorded):
    replicas = grid(optimiser=optimiser)
    run = StackRun(replicas, range(len(replicas)), [], torch.device("cpu"), Records(), {})
    for _ in range(10):
        run.advance()
    position, state = run.position(), {name: tensor.clone() for name, tensor in run.state().items()}
    ends = []
    for _ in range(2):
        for _ in range(7):
            run.advance()
        ends.append(run.program.parameters.clone())
        run.resume(position, state)
    assert torch.equal(*ends)
    assert [graph.replays for graph in recorded] == [7 + 14], "of one graph"


def test_a_batch_that_is_not_put_in_its_place_is_read_wrongly(recorded, monkeypatch):
    """The recorded graph can fail."""
    expected = train(grid())
    load = Batches.load
    monkeypatch.setattr(Batches, "load", lambda batches, step: None if batches._still else load(batches, step))
    assert not torch.equal(train(grid()).states[0]["0.weight"], expected.states[0]["0.weight"])


@pytest.mark.parametrize("settings", [{"model": Elsewhere()}, {"average": Average("running mean")}, NOISE])
def test_what_may_launch_something_else_at_the_next_step_is_not_captured(settings, recorded):
    train(grid(**settings))
    assert not any(graph.replays for graph in recorded)


def test_what_cannot_be_captured_runs_as_it_comes(recorded, monkeypatch):
    def refusing(graph, work):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(RecordedGraph, "capture", refusing)
    found = train(grid())
    monkeypatch.setattr(graphs, "graph_for", lambda device: None)
    assert_same(found, train(grid()))


def test_a_probe_between_captured_steps_changes_nothing(recorded):
    watched = train(grid(), [dataclasses.replace(PROBES[1], at=Every(1))])
    for ours, theirs in zip(watched.states, train(grid()).states, strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
