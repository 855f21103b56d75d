"""Networks that see images, signals and tokens, alone and in parts of a stack, in float64 against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models
from genbook.probes import AtSteps, Every, GradientCoherence, MeanLoss
from genbook.training import (
    SGD,
    Augmentation,
    Average,
    Examples,
    Recipe,
    Replica,
    TrainingError,
    minimal,
    programs,
    stacks,
    train,
)
from genbook.training.batches import moved, moves
from genbook.training.programs import initial_model
from genbook.training.stacks import program_for
from tests.sums import UP_TO_SUMS


def with_dropout():
    layers = list(models.small_cnn(1, 2, 3, image=8))
    return nn.Sequential(*layers[:3], models.Dropout(0.3), *layers[3:7], models.Dropout(0.5), layers[7])


#: A network, the shape of its examples, and what else its recipe says.
NETWORKS = {
    "cnn": (lambda: models.small_cnn(1, 3, 3, image=8), (1, 8, 8), {}),
    "odd cnn": (lambda: models.small_cnn(2, 2, 3, image=7), (2, 7, 7), {}),
    "cnn1d": (lambda: models.cnn1d(1, 4, 3, length=16), (1, 16), {}),
    "transformer": (lambda: models.transformer(7, 5, 8, 2, 3).double(), None, {}),
    "dropout": (with_dropout, (1, 8, 8), {}),
    "mlp with dropout": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), models.Dropout(0.5), nn.Linear(6, 3)),
        (5,),
        {},
    ),
    "augmented": (lambda: models.small_cnn(1, 2, 3, image=8), (1, 8, 8), {"augmentation": Augmentation(2, flip=True)}),
    "augmented full batch": (
        lambda: models.small_cnn(1, 2, 3, image=8),
        (1, 8, 8),
        {"augmentation": Augmentation(1), "batch_size": None},
    ),
    "augmented with dropout": (with_dropout, (1, 8, 8), {"augmentation": Augmentation(flip=True)}),
}


def examples(seed, shape, n=20, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    if shape is None:
        return Examples(torch.randint(7, (n, 5), generator=draw), torch.randint(3, (n,), generator=draw))
    inputs = torch.randn(n, *shape, generator=draw, dtype=dtype)
    return Examples(inputs, torch.randint(3, (n,), generator=draw))


def replica(seed, name, data=None, model=None, **recipe):
    build, shape, settings = NETWORKS[name]
    chosen = {"steps": 8, "batch_size": 6, "optimiser": SGD(0.1, momentum=0.5), **settings, **recipe}
    data = examples(seed, shape) if data is None else data
    return Replica(seed, build() if model is None else model, Recipe(**chosen), {"train": data})


def grid(name, **settings):
    """Five replicas: three with a set of their own, two that share one, its batches and what is drawn for them."""
    shared, model = examples(9, NETWORKS[name][1]), NETWORKS[name][0]()
    own = [replica(seed, name, model=model, **settings) for seed in range(3)]
    rates = [{"optimiser": SGD(lr)} for lr in (0.05, 0.1)]
    return own + [replica(7, name, shared, model, **{**rate, **settings}) for rate in rates]


@pytest.fixture(params=["together", "in twos", "apart"])
def parts(request, monkeypatch):
    """How many replicas pass at once, whatever their size."""
    together = {"together": 1 << 40, "in twos": 2 * 6 * 1000, "apart": 1}[request.param]
    monkeypatch.setattr(programs, "_APART", 1 << 40)
    monkeypatch.setattr(programs, "_TOGETHER", together)
    monkeypatch.setattr(programs, "layer_outputs", lambda replica: [1000])
    return request.param


def assert_same(actual, expected, dtype=torch.float64):
    assert list(actual) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(actual[key], value, **UP_TO_SUMS[dtype], msg=lambda m, k=key: f"{k}: {m}")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_replica_trains_as_in_a_plain_loop(name, parts):
    replicas = grid(name)
    result = train(replicas, [MeanLoss(at=AtSteps([0, 8]))])
    for place, one in enumerate(replicas):
        assert_same(result.states[place], minimal.train(one).model.state_dict())
    start, end = (result.table[result.table.step == step].value for step in (0, 8))
    assert not np.allclose(start, end)


@pytest.mark.parametrize(
    ("name", "sizes"), [("cnn", {"together": [3, 2], "in twos": [2, 1, 2], "apart": [1] * 5}), ("mlp with dropout", {})]
)
def test_a_stack_passes_in_the_parts_that_it_is_said_to(name, sizes, parts):
    replicas = grid(name)
    found = [
        len(places)
        for members in stacks(replicas)
        for places, _ in programs.StackedProgram([replicas[r] for r in members], torch.device("cpu")).modules
    ]
    assert sum(found) == 5
    assert found == sizes.get(parts, [3, 2])


def test_wide_convolutions_pass_one_after_another_and_narrow_ones_together():
    def parts(width, side, **settings):
        data = examples(0, (1, side, side), n=40, dtype=torch.float32)
        model = models.small_cnn(1, width, 3, image=side)
        replicas = [replica(seed, "cnn", data, model, **settings) for seed in range(3)]
        return [len(places) for places, _ in program_for(replicas, torch.device("cpu")).modules]

    assert parts(32, 14, batch_size=40) == [1, 1, 1]
    assert parts(2, 8, batch_size=10) == [3]
    assert parts(32, 14, batch_size=40, average=Average("clipped", 1.0)) == [3], "a rule takes all at once"


def test_replicas_of_unequal_width_are_stacks_by_width_and_train_as_alone(parts):
    replicas = [
        replica(seed, "cnn", model=models.small_cnn(1, width, 3, image=8)) for seed in range(2) for width in (2, 5, 3)
    ]
    assert sorted(stacks(replicas)) == [[0, 3], [1, 4], [2, 5]]
    result = train(replicas)
    for place, one in enumerate(replicas):
        assert_same(result.states[place], minimal.train(one).model.state_dict())


@pytest.mark.parametrize("name", ["cnn", "augmented with dropout"])
def test_those_that_stay_go_on_as_before(name, parts):
    model, shape, _ = NETWORKS[name]
    sets = [examples(seed, shape) for seed in range(5)]
    for place in (1, 4):  # by their inputs: of unequal rates those that stay would stand before those that leave
        sets[place] = replace(sets[place], inputs=1e200 * sets[place].inputs)
    model = model()
    replicas = [replica(s, name, data, model, loss="squared", optimiser=SGD(0.05)) for s, data in enumerate(sets)]
    assert stacks(replicas) == [[0, 1, 2, 3, 4]]
    result = train(replicas)
    assert result.endings.diverged.tolist() == [False, True, False, False, True]
    for place in (0, 2, 3):
        assert_same(result.states[place], minimal.train(replicas[place]).model.state_dict())


@pytest.mark.parametrize("name", ["cnn1d", "augmented with dropout"])
def test_a_resumed_training_is_the_undisturbed_one(name, parts, tmp_path):
    class Stopped(Exception):
        pass

    def stop(fraction, said):
        if fraction > 0.6:
            raise Stopped

    probes, path = [MeanLoss(at=Every(2))], tmp_path / "checkpoint"
    undisturbed = train(grid(name), probes)
    with pytest.raises(Stopped):
        train(grid(name), probes, checkpoint=path, checkpoint_every=0, progress=stop)
    assert path.exists()
    resumed = train(grid(name), probes, checkpoint=path, progress=False)
    assert resumed.table.equals(undisturbed.table)
    for found, expected in zip(resumed.states, undisturbed.states, strict=True):
        assert all(found[key].equal(value) for key, value in expected.items())


@pytest.mark.parametrize("name", ["cnn", "cnn1d", "dropout"])
def test_coherence_by_layer_is_that_of_a_gradient_for_each_example(name, parts):
    replicas = grid(name)
    table = train(replicas, [GradientCoherence(at=AtSteps([0]), examples=9)]).table
    table = table[table.quantity == "m-coherence"].set_index(["replica", "layer"]).value
    for place, one in enumerate(replicas):
        model, data = initial_model(one).eval(), one.data["train"]
        gradients = []
        for x, y in zip(data.inputs[:9], data.labels[:9], strict=True):
            model.zero_grad()
            nn.functional.cross_entropy(model(x[None]), y[None]).backward()
            gradients.append({name: p.grad.flatten().clone() for name, p in model.named_parameters()})
        for layer in table[place].index:
            names = [n for n in gradients[0] if layer in ("all", n.rpartition(".")[0])]
            g = torch.stack([torch.cat([one[n] for n in names]) for one in gradients])
            expected = g.sum(0).square().sum() / g.square().sum()
            np.testing.assert_allclose(table[place, layer], expected, rtol=1e-10)
        assert len(table[place]) == 1 + len({n.rpartition(".")[0] for n in gradients[0]})


def test_moved_images_are_cropped_from_padded_ones_and_flipped():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    for down, right, flip, expected in (
        (0, 0, 0, image[0, 0]),
        (0, 0, 1, image[0, 0].flip(1)),
        (1, 0, 0, torch.tensor([[4.0, 5, 6, 7], [8, 9, 10, 11], [0, 0, 0, 0]])),
        (0, -1, 0, torch.tensor([[0.0, 0, 1, 2], [0, 4, 5, 6], [0, 8, 9, 10]])),
        (-1, 1, 1, torch.tensor([[0.0, 0, 0, 0], [0, 3, 2, 1], [0, 7, 6, 5]])),
    ):
        assert moved(image, torch.tensor([[down, right, flip]]))[0, 0].equal(expected)


def test_augmentations_are_drawn_anew_each_epoch_and_evenly():
    drawn = moves(Augmentation(2, flip=True), 0, 0, 3000)
    assert not np.array_equal(drawn, moves(Augmentation(2, flip=True), 0, 1, 3000))
    assert not np.array_equal(drawn, moves(Augmentation(2, flip=True), 1, 0, 3000))
    for axis, values in enumerate((range(-2, 3), range(-2, 3), range(2))):
        counts = np.array([(drawn[:, axis] == value).sum() for value in values])
        expected = 3000 / len(counts)
        assert counts.sum() == 3000
        assert ((counts - expected) ** 2 / expected).sum() < 25  # χ² of at most 4 degrees of freedom: beyond 1 in 10⁴
    assert not moves(Augmentation(1), 0, 0, 50)[:, 2].any()


def test_dropout_keeps_a_fraction_and_its_mean_and_rests_in_evaluation():
    layer = models.Dropout(0.25)
    with pytest.raises(ValueError, match="has no stream"):
        layer(torch.ones(3))
    layer.draw_from(np.random.default_rng(0))
    outputs = layer(torch.ones(40_000, dtype=torch.float64))
    assert set(outputs.tolist()) == {0.0, 1 / 0.75}
    assert abs(float(outputs.mean()) - 1) < 5 * (0.25 / 0.75 / 40_000) ** 0.5
    assert layer.eval()(torch.ones(5)).equal(torch.ones(5))
    with pytest.raises(ValueError, match=r"p is 1; want a probability in \[0, 1\)"):
        models.Dropout(1)


def test_what_no_image_network_does_is_refused():
    with pytest.raises(TrainingError, match="crop of at least one pixel or flip"):
        Augmentation()
    with pytest.raises(TrainingError, match=r"inputs have shape \(1, 16\); an augmentation needs images"):
        replica(0, "cnn1d", augmentation=Augmentation(1))
    with pytest.raises(TrainingError, match="compares the examples of one network; leave its Dropout out"):
        train([replica(0, "dropout", average=Average("clipped", 1.0))])
    with pytest.raises(TrainingError, match=r"genbook\.models\.Dropout draws from its own"):
        train([replica(0, "mlp with dropout", model=nn.Sequential(nn.Linear(5, 3), nn.Dropout()))])
    with pytest.raises(ValueError, match="length is 2; a kernel of 5 with padding 1 needs at least 3"):
        models.cnn1d(length=2)
    with pytest.raises(ValueError, match="width is 5; want a multiple of heads = 2"):
        models.transformer(7, 5, 5, 2)
