"""Checkpoints: killed at any step, a training goes on to the table of an undisturbed one.

Both run the same program on the same shapes on one machine with as many threads: here tables are equal bit for bit.
"""

import dataclasses
import json
import multiprocessing
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from genbook import models
from genbook.base.files import StorageError
from genbook.probes import Accuracy, DistanceFromInitialisation, Every, MeanLoss
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
    TrainingError,
    checkpoint,
    engine,
    train,
)
from genbook.training.run import StackRun

# A child forked from a process whose threads have computed waits for ever for threads that it does not have. The server
# that forks these has imported what they need, and has computed nothing.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["genbook.training", "genbook.probes", "genbook.models"])

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
        *replicas((0, 1), models.mlp((6, 9, 3)), easy, early_learning=EarlyLearning(), stop_at_accuracy=0.9, steps=20),
        *replicas((0, 1), models.mlp((6, 9, 3)), easy, average=Average("running mean"), stop_at_accuracy=0.9, steps=20),
        *replicas((0, 1), models.mlp((6, 9, 3)), easy, gradient_noise=GradientNoise(0.1), steps=10),
        *replicas((0, 1), models.mlp((6, 9, 3), norm="batch", ghost=3), easy, batch_size=6, steps=10),
        *replicas((0, 1), models.five_layer_cnn(1, 3, norm="batch"), images, steps=4, batch_size=6),
    ]  # fmt: skip


def assert_same(actual, expected):
    pd.testing.assert_frame_equal(actual.table, expected.table, check_exact=True)
    pd.testing.assert_frame_equal(actual.endings, expected.endings, check_exact=True)
    for a, b in zip(actual.states, expected.states, strict=True):
        assert list(a) == list(b)
        assert all(torch.equal(a[k], b[k]) for k in a)


def train_until_killed(path, advances, while_writing, threads):
    """Train, and be killed -9 after some steps, or in the midst of the write that follows."""
    torch.set_num_threads(threads)
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
    train(grid(), PROBES, checkpoint=path, checkpoint_every=0.0)


def killed(path, advances, while_writing):
    """Whether a process that trains was killed before it was done."""
    told = (path, advances, while_writing, torch.get_num_threads())
    child = SERVER.Process(target=train_until_killed, args=told)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == -signal.SIGKILL


def test_killed_five_times_it_goes_on_to_the_same_table(tmp_path):
    expected = train(grid(), PROBES)
    assert expected.endings.fitted.any()
    assert expected.endings.diverged.any()
    path = tmp_path / "run.safetensors"
    draw = np.random.default_rng(0)
    kills = [killed(path, int(draw.integers(1, 20)), while_writing=bool(place % 2)) for place in range(5)]
    assert sum(kills) >= 3  # the later ones may find little left to do; `make faults` kills two hundred
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


def test_what_goes_back_to_a_saved_step_is_not_looked_at_twice(tmp_path):
    """A network diverges after a write, and the run goes back to the step of that write, which a probe has seen."""
    probes = [MeanLoss(at=Every(1))]
    replicas = [replica for replica in grid() if replica.recipe.loss == "squared"]
    found = train(replicas, probes, checkpoint=tmp_path / "run.safetensors", checkpoint_every=0.0)
    assert found.endings.diverged.any()
    assert not found.table.duplicated(["replica", "step"]).any()
    assert_same(found, train(replicas, probes))


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


@pytest.mark.parametrize("values", [torch.ones(3), torch.ones(3, 4).T, torch.tensor(1).expand(5), torch.ones(0, 2)])
def test_the_content_of_a_tensor_is_its_values_however_they_lie(values):
    laid_out = torch.tensor(values.tolist(), dtype=values.dtype).reshape(values.shape)
    assert checkpoint._content(values) == checkpoint._content(laid_out)
    assert checkpoint._content(values) != checkpoint._content(values + 1) or not values.numel()


def test_one_value_that_was_expanded_has_a_content():
    assert checkpoint._content(torch.tensor(7).expand(1)) == checkpoint._content(torch.tensor([7]))


def loading(value):
    """A way to start from weights of one value: every one has the same name."""

    def load(model):
        model.load_state_dict({name: torch.full_like(entry, value) for name, entry in model.state_dict().items()})

    return load


class Loading:
    """The same as an object that can be called."""

    def __init__(self, value):
        self.load = loading(value)

    def __call__(self, model):
        self.load(model)


def one(**changes):
    """One replica, with what is named changed; data, recipe and network are made anew each time."""
    draw = torch.Generator().manual_seed(1)
    inputs, labels = torch.randn(20, 4, generator=draw), torch.arange(20) % 3
    sets = {
        "train": Examples(inputs, labels, labels.flip(0), {"clean": labels == labels.flip(0)}),
        "test": Examples(inputs + 1, labels),
    }
    recipe = Recipe(12, SGD(0.1, momentum=0.5), batch_size=5, stop_at_accuracy=1.0)
    settings = {"seed": 0, "model": models.mlp((4, 6, 3)), "recipe": recipe, "data": sets, "condition": {"lr": 0.1}}
    return Replica(**{**settings, **changes})


def _recipe(**changes):
    return {"recipe": dataclasses.replace(one().recipe, **changes)}


def _data(name, change):
    return {"data": {**one().data, name: change(one().data[name])}}


def _one_more(tensor):
    changed = tensor.clone()
    changed.view(-1)[-1] += 1
    return changed


def _deeper():
    return torch.nn.Sequential(*models.mlp((4, 6, 3)), torch.nn.Linear(3, 3))


OTHERS = {
    "seed": {"seed": 1},
    "order": {"order_seed": 1},
    "initial seed": {"init_seed": 1},
    "condition": {"condition": {"lr": 0.2}},
    "condition's name": {"condition": {"rate": 0.1}},
    "start": {"initialise": loading(0.25)},
    "start from an object": {"initialise": Loading(0.25)},
    "width": {"model": models.mlp((4, 7, 3))},
    "depth": {"model": _deeper()},
    "activation": {"model": models.mlp((4, 6, 3), "tanh")},
    "steps": _recipe(steps=13),
    "learning rate": _recipe(optimiser=SGD(0.1000001, momentum=0.5)),
    "momentum": _recipe(optimiser=SGD(0.1, momentum=0.6)),
    "nesterov": _recipe(optimiser=SGD(0.1, momentum=0.5, nesterov=True)),
    "weight decay": _recipe(optimiser=SGD(0.1, momentum=0.5, weight_decay=0.1)),
    "optimiser": _recipe(optimiser=Adam(0.1)),
    "batch size": _recipe(batch_size=4),
    "full batch": _recipe(batch_size=None),
    "schedule": _recipe(schedule=Cosine()),
    "schedule's end": _recipe(schedule=Cosine(0.1)),
    "loss": _recipe(loss="squared"),
    "average": _recipe(optimiser=SGD(0.1), average=Average("running median")),
    "early learning": _recipe(early_learning=EarlyLearning()),
    "noise": _recipe(gradient_noise=GradientNoise(0.1)),
    "projection": _recipe(optimiser=SGD(0.1, projected=0.1)),
    "scale": _recipe(init_scale=2.0),
    "level": _recipe(stop_at_accuracy=0.9),
    "looks": _recipe(check_every=2),
    "inputs": _data("train", lambda e: dataclasses.replace(e, inputs=_one_more(e.inputs))),
    "labels": _data("train", lambda e: dataclasses.replace(e, labels=e.labels.flip(0))),
    "true labels": _data("train", lambda e: dataclasses.replace(e, true_labels=e.labels)),
    "no true labels": _data("train", lambda e: dataclasses.replace(e, true_labels=None)),
    "groups": _data("train", lambda e: dataclasses.replace(e, groups={"clean": ~e.groups["clean"]})),
    "group's name": _data("train", lambda e: dataclasses.replace(e, groups={"wrong": e.groups["clean"]})),
    "test inputs": _data("test", lambda e: dataclasses.replace(e, inputs=_one_more(e.inputs))),
    "precision": _data("train", lambda e: dataclasses.replace(e, inputs=e.inputs.double())),
    "another set": {"data": {**one().data, "extra": one().data["test"]}},
    "a set less": {"data": {"train": one().data["train"]}},
}  # fmt: skip


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Begin to train replicas, and stop after five steps with a checkpoint."""

    def begin(replicas):
        path = tmp_path / "one.safetensors"
        advance, count = StackRun.advance, 0

        def stopping(run):
            nonlocal count
            count += 1
            if count > 5:
                raise KeyboardInterrupt
            return advance(run)

        with monkeypatch.context() as patch:
            patch.setattr(StackRun, "advance", stopping)
            with pytest.raises(KeyboardInterrupt):
                train(replicas, [Accuracy("train")], checkpoint=path, checkpoint_every=0.0)
        return path

    return begin


def assert_refused(path, replicas):
    content = path.read_bytes()
    with pytest.raises(TrainingError, match="is of another training"):
        train(replicas, [Accuracy("train")], checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("change", OTHERS)
def test_whatever_decides_a_training_makes_its_checkpoint_anothers(begun, change):
    assert_refused(begun([one()]), [one(**OTHERS[change])])


@pytest.mark.parametrize("way", [loading, Loading])
def test_a_continuation_from_other_weights_is_refused_and_from_equal_ones_goes_on(begun, way):
    path = begun([one(initialise=way(0.25))])
    assert_refused(path, [one(initialise=way(0.5))])
    assert_refused(path, [one()])
    # An equal start goes on, however it is made: the weights count, not the function.
    resumed = train([one(initialise=loading(0.25))], [Accuracy("train")], checkpoint=path)
    assert not path.exists()
    assert_same(resumed, train([one(initialise=way(0.25))], [Accuracy("train")]))


def test_a_start_drawn_from_the_global_generator_is_the_same_with_a_checkpoint_and_without(tmp_path):
    def start(model):
        torch.nn.init.normal_(model[0].weight)

    torch.manual_seed(3)
    expected = train([one(initialise=start)], [Accuracy("train")])
    torch.manual_seed(3)
    assert_same(train([one(initialise=start)], [Accuracy("train")], checkpoint=tmp_path / "one"), expected)


def test_a_flipped_bit_anywhere_is_a_training_error_or_changes_nothing(begun):
    path = begun([one(), one(seed=1)])
    content, draw = path.read_bytes(), np.random.default_rng(0)
    said = checkpoint.fingerprint([one(), one(seed=1)], [Accuracy("train")])
    whole = checkpoint.Checkpoint(path, said).load()
    header = 8 + int.from_bytes(content[:8], "little")
    places, noticed = [*range(header), *range(header, len(content), 11)], 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(flipped)
        try:
            found = checkpoint.Checkpoint(path, said).load()
        except TrainingError as error:
            assert "is damaged" in str(error)  # noqa: PT017
            noticed += 1
        else:
            assert_equal_states(found, whole)
    assert noticed > 0.95 * len(places)


def assert_equal_states(found, whole):
    assert (found[0], found[1], found[3].kinds) == (whole[0], whole[1], whole[3].kinds)
    assert list(found[2]) == list(whole[2])
    assert all(torch.equal(found[2][name], whole[2][name]) for name in whole[2])
    for name, column in whole[3].arrays().items():
        np.testing.assert_array_equal(found[3].arrays()[name], column)
    assert found[4] == whole[4] == {}


def test_a_checkpoint_of_one_training_does_not_hold_another_ones_tensors(begun):
    """Every tensor and every entry is under the checksum."""
    path = begun([one()])
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        save_file({**tensors, name: tensor + 1}, path, metadata=metadata)
        with pytest.raises(TrainingError, match="does not have the checksum"):
            train([one()], [Accuracy("train")], checkpoint=path)
    about = json.loads(metadata["training"])
    for name in about:
        said = json.dumps({**about, name: "changed"})
        save_file(tensors, path, metadata={**metadata, "training": said})
        with pytest.raises(TrainingError, match="does not have the checksum"):
            train([one()], [Accuracy("train")], checkpoint=path)
    save_file(tensors, path, metadata={"training": metadata["training"]})
    with pytest.raises(TrainingError, match="is damaged"):
        train([one()], [Accuracy("train")], checkpoint=path)


def test_a_training_that_writes_nothing_more_still_clears_up_after_a_killed_write(tmp_path):
    (tmp_path / ".one.safetensors.abc.part").write_text("half")
    train([one()], checkpoint=tmp_path / "one.safetensors", checkpoint_every=3600.0)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_refused_in_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("genbook.training.checkpoint.save_file", full)
    with pytest.raises(StorageError, match="the disk is full"):
        train(grid(), PROBES, checkpoint=tmp_path / "run.safetensors", checkpoint_every=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_a_checkpoints_place_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="is damaged"):
        train([one()], checkpoint=tmp_path)


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
