"""The engine against plain PyTorch loops and closed forms, and its promises about company."""

import contextlib
import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models
from genbook.base.seeding import generator
from genbook.models import initialise
from genbook.probes import Accuracy, AtEnd, DistanceFromInitialisation, Every, MeanLoss, WeightNorm
from genbook.training import (
    SGD,
    Adam,
    Average,
    Constant,
    Cosine,
    EarlyLearning,
    Examples,
    GradientNoise,
    InverseSquareRoot,
    Linear,
    Listed,
    Recipe,
    Replica,
    Step,
    TrainingError,
    minimal,
    stacks,
    train,
)
from genbook.training.engine import full_precision
from genbook.training.layout import Layout
from genbook.training.noise import add_noise, noise_at
from genbook.training.stacks import program_for
from genbook.training.wide import WideProgram
from tests.sums import UP_TO_SUMS, AnotherOrderOfSums

#: A replica in other company is trained with sums in the order that they have here, and in another.
other_company = pytest.mark.parametrize(
    ("dtype", "order"),
    [
        (torch.float32, contextlib.nullcontext),
        (torch.float64, contextlib.nullcontext),
        (torch.float32, AnotherOrderOfSums),
        (torch.float64, AnotherOrderOfSums),
    ],
)


def examples(seed, n=24, shape=(5,), classes=3, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, *shape, generator=draw, dtype=dtype)
    return Examples(inputs, torch.randint(classes, (n,), generator=draw))


def replica(seed, model=None, data=None, **recipe):
    settings = {"steps": 12, "batch_size": 7, "optimiser": SGD(0.1), **recipe}
    data = {"train": examples(seed) if data is None else data}
    return Replica(seed, models.mlp((5, 8, 3)) if model is None else model, Recipe(**settings), data)


def plain_loop(replica):
    """The final state of the textbook loop: one network, torch.optim, one batch after the other."""
    return minimal.train(replica).model.state_dict()


def assert_states(actual, expected, tolerance):
    assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def assert_same_path(actual, expected, dtype):
    """The same path up to the order of sums."""
    assert_close(actual, expected, **UP_TO_SUMS[dtype])


def assert_close(actual, expected, **tolerance):
    assert list(actual) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(actual[key], value, **tolerance, msg=lambda m, k=key: f"{k}: {m}")


OPTIMISERS = {
    "gd": (SGD(0.1), None),
    "sgd": (SGD(0.1), 7),
    "momentum": (SGD(0.05, momentum=0.9), 7),
    "nesterov-decay": (SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01), 7),
    "adam": (Adam(0.01), 7),
    "adam-decay": (Adam(0.01, betas=(0.8, 0.99), weight_decay=0.1), 7),
    "adamw": (Adam(0.01, weight_decay=0.1, decoupled=True), 7),
    "sgdp": (SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01, projected=0.9), 7),
    "adamp": (Adam(0.01, weight_decay=0.1, projected=0.9), 7),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_are_those_of_torch(name):
    optimiser, batch_size = OPTIMISERS[name]
    grid = [replica(seed, optimiser=optimiser, batch_size=batch_size) for seed in range(3)]
    result = train(grid)
    for r in (0, 2):
        assert_states(result.states[r], plain_loop(grid[r]), 1e-12)


UNEQUAL = {
    "sgd": [SGD(lr) for lr in (0.1, 0.2, 0.05)],
    "momentum": [SGD(lr, momentum=0.9) for lr in (0.1, 0.2, 0.1)],
    "nesterov-decay": [SGD(lr, momentum=0.9, nesterov=True, weight_decay=lr / 5) for lr in (0.1, 0.2, 0.05)],
    "decay alone": [SGD(0.1, weight_decay=decay) for decay in (0.0, 0.1, 0.01)],
    "adam": [Adam(lr) for lr in (0.01, 0.02, 0.001)],
    "adam-decay": [Adam(lr, weight_decay=10 * lr) for lr in (0.01, 0.02, 0.001)],
    "adamw": [Adam(lr, weight_decay=10 * lr, decoupled=True) for lr in (0.01, 0.02, 0.001)],
    "sgdp": [SGD(lr, momentum=0.9, projected=0.9) for lr in (0.1, 0.2, 0.05)],
    "sgdp-decay": [SGD(lr, momentum=0.9, nesterov=True, weight_decay=lr / 5, projected=0.9) for lr in (0.1, 0.2, 0.05)],
    "sgdp without momentum": [SGD(lr, projected=0.9) for lr in (0.1, 0.2, 0.05)],
    "adamp-decay": [Adam(lr, weight_decay=10 * lr, projected=0.9) for lr in (0.01, 0.02, 0.001)],
}


@pytest.mark.parametrize("name", UNEQUAL)
@pytest.mark.parametrize("schedule", [Constant(), Cosine(0.1)])
@pytest.mark.parametrize("shared", [False, True], ids=["stack", "wide"])
def test_replicas_of_unequal_rates_train_each_as_in_a_plain_loop(name, schedule, shared):
    data = examples(0)
    grid = [
        replica(0 if shared else seed, data=data, optimiser=optimiser, schedule=schedule)
        for seed, optimiser in enumerate(UNEQUAL[name])
    ]
    result = train(grid)
    for r in range(3):
        assert_states(result.states[r], plain_loop(grid[r]), 1e-12)


LISTED = Listed(tuple(1 / (1 + (step - 5) ** 2) for step in range(12)))


@pytest.mark.parametrize(
    "schedule", [Constant(), Cosine(0.1), Linear(1.0, 0.2), Step(5, 0.3), InverseSquareRoot(4), LISTED]
)
@pytest.mark.parametrize("optimiser", [SGD(0.1, momentum=0.5), Adam(0.01)])
def test_schedules_are_those_of_torch(schedule, optimiser):
    grid = [replica(seed, optimiser=optimiser, schedule=schedule) for seed in range(2)]
    assert_states(train(grid).states[0], plain_loop(grid[0]), 1e-12)


NETWORKS = {
    "deep-tanh": (lambda: models.mlp((5, 6, 7, 3), "tanh"), (5,)),
    "squared-relu": (lambda: models.mlp((5, 6, 4, 3), "squared-relu", bias=False), (5,)),
    "frozen-output": (lambda: models.mlp((5, 6, 3), frozen=["2"]), (5,)),
    "batch-norm": (lambda: models.mlp((5, 6, 7, 3), norm="batch"), (5,)),
    "linear": (lambda: models.linear(5, 3), (5,)),
    "random-features": (lambda: models.random_features(5, 9, 3), (5,)),
    "small-cnn": (lambda: models.small_cnn(1, 2, 3, image=8), (1, 8, 8)),
    "five-layer-cnn": (lambda: models.five_layer_cnn(2, 3), (3, 32, 32)),
    "five-layer-cnn-batch-norm": (lambda: models.five_layer_cnn(2, 3, norm="batch"), (3, 32, 32)),
    "resnet18": (lambda: models.resnet18(2, 3), (3, 32, 32)),
}


class Gated(nn.Module):
    """A network from elsewhere: what it does with the axes is its own affair."""

    def __init__(self, gate):
        super().__init__()
        self.first, self.second, self.last, self.gate = nn.Linear(5, 6), nn.Linear(5, 6), nn.Linear(6, 3), gate

    def forward(self, inputs):
        return self.last(self.first(inputs) * self.gate(self.second(inputs)))


NETWORKS |= {
    "elsewhere": (lambda: Gated(lambda h: h.softmax(-1)), (5,)),
    "axes of layers": (
        lambda: nn.Sequential(
            nn.Linear(8, 4), nn.RMSNorm(4), nn.Softmax(1), nn.PReLU(6), nn.Flatten(), nn.Linear(24, 3)
        ),
        (6, 8),
    ),
    "decoder": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(1, 2, 3, 2), nn.GLU(1), nn.Upsample(scale_factor=2), nn.Flatten(), nn.Linear(196, 3)
        ),
        (1, 3, 3),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_as_in_a_plain_loop(name):
    build, shape = NETWORKS[name]
    model = build()
    steps = 4 if shape == (3, 32, 32) else 12
    grid = [replica(seed, model, examples(seed, shape=shape), steps=steps) for seed in range(2)]
    assert_states(train(grid).states[0], plain_loop(grid[0]), 1e-12)


SIGNS = ("logistic", "hinge")


@pytest.mark.parametrize("kind", ["cross-entropy", "squared", "squared-real", *SIGNS, "partially Huberised"])
@pytest.mark.parametrize("outputs", ["written", "autograd"])
def test_losses_are_those_of_torch(kind, outputs):
    data = examples(0)
    if kind in ("squared-real", *SIGNS):
        sign = torch.where(data.labels > 0, 1, -1)
        data = Examples(data.inputs, sign if kind in SIGNS else data.inputs[:, 0] ** 2)
    width = 1 if kind in ("squared-real", *SIGNS) else 3
    frozen = ["0"] if outputs == "autograd" else []
    grid = [replica(s, models.mlp((5, 8, width), frozen=frozen), data, loss=kind.split("-real")[0]) for s in (0, 1)]
    assert_states(train(grid).states[0], plain_loop(grid[0]), 1e-12)


AVERAGES = [
    Average("mean"),
    Average("winsorised", 1),
    Average("median of means"),
    Average("running median"),
    Average("running mean"),
    Average("clipped", 0.5),
    Average("winsorised", 1, length_only=True),
]


@pytest.mark.parametrize("average", AVERAGES, ids=str)
@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_robust_averages_are_those_of_a_plain_loop(average, loss):
    grid = [replica(s, models.mlp((5, 8, 3)), average=average, loss=loss) for s in (0, 1)]
    assert_states(train(grid).states[0], plain_loop(grid[0]), 1e-12)


@pytest.mark.parametrize("average", AVERAGES, ids=str)
def test_robust_averages_are_those_of_a_plain_loop_where_replicas_share_their_batches(average):
    data = examples(3)
    grid = [replica(3, data=data, average=average, optimiser=SGD(lr)) for lr in (0.1, 0.2)]
    result = train(grid)
    for state, one in zip(result.states, grid, strict=True):
        assert_states(state, plain_loop(one), 1e-12)


@pytest.mark.parametrize("average", AVERAGES, ids=str)
def test_robust_averages_of_any_network_are_those_of_a_plain_loop(average):
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(10, 2, 6, generator=draw, dtype=torch.float64)
    data = Examples(inputs, torch.where(inputs[:, 0, 0] > 0, 1.0, -1.0))
    grid = [replica(s, models.patch_network(6, 4), data, loss="squared", average=average) for s in (0, 1)]
    assert_states(train(grid).states[0], plain_loop(grid[0]), 1e-12)


@pytest.mark.parametrize("average", [None, Average("winsorised", 1)], ids=str)
@pytest.mark.parametrize("frozen", [[], ["0"]], ids=["written", "autograd"])
def test_noise_on_the_gradient_is_that_of_a_plain_loop(frozen, average):
    noise = GradientNoise(0.1)
    grid = [replica(s, models.mlp((5, 8, 3), frozen=frozen), average=average, gradient_noise=noise) for s in (0, 1)]
    result = train(grid)
    for state, one in zip(result.states, grid, strict=True):
        assert_states(state, plain_loop(one), 1e-12)
    quiet = train(
        [dataclasses.replace(one, recipe=dataclasses.replace(one.recipe, gradient_noise=None)) for one in grid]
    )
    assert not torch.allclose(result.states[0]["2.weight"], quiet.states[0]["2.weight"], atol=0.01)


def test_noise_is_drawn_parameter_by_parameter_by_whatever_each_replica_has():
    """Replicas of different parameters in one flat vector: each takes its own stream from the beginning."""
    layout, rule = Layout([((0, 2), (3, 2)), ((1,), (4,)), ((0, 1, 2), (2,))]), GradientNoise(0.3)
    seeds, gradient = (5, 5, 6), torch.arange(layout.size, dtype=torch.float64)
    noisy = gradient.clone()
    add_noise(noisy, layout, seeds, rule, 7)
    assert layout.entries(3) == [8, 6, 8]
    streams = [generator(seed, noise_at(7)) for seed in seeds]
    for block in layout.blocks:
        for row, replica in enumerate(block.replicas):
            expected = block.view(gradient)[row] + rule.deviation(7) * torch.from_numpy(
                streams[replica].standard_normal(block.shape)
            )
            torch.testing.assert_close(block.view(noisy)[row], expected, rtol=1e-14, atol=1e-14)


def test_noise_is_each_seeds_own_and_none_of_the_company():
    """Replicas of one seed get one noise, those of another get another, in whatever stack."""
    data, noise = examples(0), GradientNoise(1.0, gamma=0.0)
    together = train(
        [replica(s, data=data, gradient_noise=noise, steps=1, optimiser=SGD(lr)) for s in (0, 1) for lr in (0.1, 0.2)]
    )
    alone = train([replica(0, data=data, gradient_noise=noise, steps=1)])
    assert_states(together.states[0], alone.states[0], 1e-12)
    start, rates = train([replica(0, data=data, steps=1, optimiser=SGD(0.0))]).states[0], (0.1, 0.2)
    moved = [(state["0.weight"] - start["0.weight"]) / lr for state, lr in zip(together.states, rates, strict=False)]
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-9, atol=1e-9)
    other = train([replica(1, data=data, steps=1, optimiser=SGD(0.0))]).states[0]["0.weight"]
    assert not torch.allclose((together.states[2]["0.weight"] - other) / 0.1, moved[0], atol=0.1)


def test_noise_has_the_deviation_that_the_recipe_says():
    """With a learning rate of 1, inputs of zero and no bias the weights do a random walk of the noise alone."""
    still = Examples(torch.zeros(8, 40, dtype=torch.float64), torch.zeros(8, dtype=torch.long))
    steps, noise = 30, GradientNoise(0.3)
    walk = replica(0, models.mlp((40, 60, 3), bias=False), still, gradient_noise=noise, steps=steps, optimiser=SGD(1.0))
    start = train([dataclasses.replace(walk, recipe=dataclasses.replace(walk.recipe, optimiser=SGD(0.0)))]).states[0]
    moved = train([walk]).states[0]["0.weight"] - start["0.weight"]
    expected = math.sqrt(sum(0.3 / (1 + t) ** 0.55 for t in range(steps)))
    # 2,400 entries: their standard deviation is known to 1/√4800 of itself, of which this is four
    assert float(moved.std()) == pytest.approx(expected, rel=4 / math.sqrt(4800))
    assert abs(float(moved.mean())) < 4 * expected / math.sqrt(2400)


EARLY = EarlyLearning(weight=2.0, memory=0.6)


@pytest.mark.parametrize("frozen", [[], ["0"]], ids=["written", "autograd"])
def test_early_learning_is_that_of_a_plain_loop(frozen):
    grid = [replica(s, models.mlp((5, 8, 3), frozen=frozen), early_learning=EARLY, steps=30) for s in (0, 1)]
    result = train(grid)
    for state, one in zip(result.states, grid, strict=True):
        assert_states(state, plain_loop(one), 1e-12)


def test_early_learning_remembers_for_each_replica_where_they_share_their_batches():
    data = examples(3)
    grid = [replica(3, data=data, early_learning=EARLY, optimiser=SGD(lr), steps=30) for lr in (0.1, 0.5)]
    result = train(grid)
    for state, one in zip(result.states, grid, strict=True):
        assert_states(state, plain_loop(one), 1e-12)


def test_early_learning_of_a_convolutional_network_is_that_of_a_plain_loop_and_goes_in_parts():
    """Batches of 32 images of 32 × 32 are too many for all replicas to pass at once."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 1, 32, 32, generator=draw, dtype=torch.float64)
    data = Examples(inputs, (inputs.mean((1, 2, 3)) > 0).long())
    model = models.small_cnn(1, 16, 2, 32)
    grid = [replica(s, model, data, early_learning=EARLY, batch_size=32, steps=5) for s in range(3)]
    assert len(program_for(grid, torch.device("cpu")).modules) > 1
    result = train(grid)
    for state, one in zip(result.states, grid, strict=True):
        assert_states(state, plain_loop(one), 1e-11)


def test_early_learning_goes_on_for_those_that_stay():
    """What is remembered moves along when a fitted replica leaves."""
    easy, hard = (examples(0).inputs[:, :1].sign().long().flatten().add(1).div(2).long(), examples(0).labels)
    sets = [Examples(examples(0).inputs, labels) for labels in (easy, hard)]
    settings = {"early_learning": EARLY, "optimiser": SGD(0.5), "stop_at_accuracy": 0.85, "check_every": 2}
    grid = [replica(s, data=data, steps=40, **settings) for s, data in enumerate(sets)]
    result = train(grid)
    assert result.endings["steps"].nunique() == 2
    for state, one in zip(result.states, grid, strict=True):
        assert_states(state, plain_loop(one), 1e-12)


def test_early_learning_without_weight_is_plain_and_with_it_is_not():
    plain, none, some = (
        train([replica(0, early_learning=rule)]).states[0] for rule in (None, EarlyLearning(weight=0.0), EARLY)
    )
    assert_states(none, plain, 1e-12)
    assert not torch.allclose(some["0.weight"], plain["0.weight"], rtol=1e-3)


@pytest.mark.parametrize("other", [{"loss": "squared"}, {"average": Average("clipped", 1.0)}])
def test_early_learning_refuses_another_loss_and_a_robust_average(other):
    with pytest.raises(TrainingError, match="a part of the mean cross-entropy"):
        Recipe(10, SGD(0.1), early_learning=EARLY, **other)
    with pytest.raises(TrainingError, match=r"memory is 1; it must lie in \[0, 1\)"):
        EarlyLearning(memory=1)


def test_the_mean_as_a_robust_average_is_the_mean():
    average, plain = (train([replica(0, average=a)]).states[0] for a in (Average("mean"), None))
    assert_states(average, plain, 1e-12)


def test_robust_averages_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="unstable with momentum"):
        replica(0, average=Average("running median"), optimiser=Adam(0.1))
    with pytest.raises(ValueError, match="cannot lose 4 values a side"):
        replica(0, average=Average("winsorised", 4))


def test_the_patch_network_trains_as_in_a_plain_loop():
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(10, 2, 6, generator=draw, dtype=torch.float64)
    data = Examples(inputs, torch.where(inputs[:, 0, 0] > 0, 1.0, -1.0))
    grid = [replica(s, models.patch_network(6, 4), data, loss="squared", batch_size=1, init_scale=0.5) for s in (0, 1)]
    assert_states(train(grid).states[0], plain_loop(grid[0]), 1e-12)


def company(dtype):
    """A grid over seeds, learning rates, batch sizes and widths, and its replicas' own numbers."""
    grid = []
    for seed in range(3):
        data = examples(seed, n=30, dtype=dtype)
        for lr in (0.05, 0.1):
            for width, size in ((8, 7), (6, 7), (8, 10)):
                grid.append(
                    replica(seed, models.mlp((5, width, 3)), data, optimiser=SGD(lr), steps=50, batch_size=size)
                )
    return grid


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_another_order_of_sums_is_another_one_and_no_more(dtype):
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(4, n, 50, dtype=dtype, generator=draw) for n in (9, 7))
    start = a.sum(2, keepdim=True)
    products = [
        lambda start, a, b: a @ b.mT,
        lambda start, a, b: a[0] @ b[0].T,
        lambda start, a, b: torch.baddbmm(start, a, b.mT),
    ]
    for product in products:
        expected = product(start, a, b)
        with AnotherOrderOfSums():
            found = product(start, a, b)
        assert not found.equal(expected)
        # Any two orders of a sum of n terms differ by at most 2 n ε Σ|terms| (Higham 2002, section 4.2).
        terms = product(start.abs(), a.abs(), b.abs())
        assert ((found - expected).abs() <= 2 * 51 * torch.finfo(dtype).eps * terms).all()


@other_company
def test_a_replica_is_the_same_alone_and_in_company(dtype, order):
    grid = company(dtype)
    with order():
        together = train(grid, [MeanLoss("train", at=Every(10))])
    for r in (0, 4, 11, 17):
        alone = train([grid[r]], [MeanLoss("train", at=Every(10))])
        assert_same_path(together.states[r], alone.states[0], dtype)
        rows = together.table[together.table.replica == r]
        assert rows.step.tolist() == alone.table.step.tolist()
        np.testing.assert_allclose(rows.value, alone.table.value, **UP_TO_SUMS[dtype])


def test_long_runs_alone_and_in_company_agree_over_seeds():
    def grid():
        for seed in range(5):
            data = examples(seed, n=40, dtype=torch.float32)
            recipe = {"steps": 600, "batch_size": 4, "optimiser": SGD(0.7)}
            yield replica(seed, models.mlp((5, 12, 3)), data, **recipe)

    # Large steps take paths apart that rounding has parted; what they come to is the same on average.
    probes = [MeanLoss("train", at=Every(100))]
    last = [train(group, probes).table for group in (list(grid()), *([r] for r in grid()))]
    together, *alone = [t[t.step > 200].groupby("replica").value.mean().to_numpy() for t in last]
    difference = together - np.concatenate(alone)
    spread = together.std(ddof=1) / math.sqrt(len(together))
    assert abs(difference.mean()) < 3 * spread
    start = last[0][last[0].step == 0].value.mean()
    assert together.mean() < start - 3 * spread


def test_convolutions_on_cuda_are_not_rounded_to_tf32():
    before = torch.backends.cudnn.allow_tf32
    with full_precision(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_another_seed_is_another_path_and_frozen_streams_are_shared():
    data = examples(0)
    model, recipe = models.mlp((5, 8, 3)), Recipe(steps=5, batch_size=7, optimiser=SGD(0.1))
    same_start = [
        Replica(s, model, recipe, {"train": data}, init_seed=7, order_seed=o) for s, o in ((0, 3), (1, 3), (1, 4))
    ]
    states = [s["0.weight"] for s in train(same_start).states]
    torch.testing.assert_close(states[0], states[1], **UP_TO_SUMS[torch.float64])
    assert not torch.allclose(states[0], states[2])
    seeds = [s["0.weight"] for s in train([replica(0, data=data), replica(1, data=data)]).states]
    assert not torch.allclose(*seeds)


def diverging_grid(model, data, lrs, **recipe):
    return [replica(seed, model, data, optimiser=SGD(lr), steps=40, **recipe) for seed, lr in enumerate(lrs)]


@other_company
@pytest.mark.parametrize("kind", ["written", "autograd", "cnn"])
def test_a_diverging_replica_leaves_its_neighbours_on_their_paths(kind, dtype, order):
    shape = (1, 8, 8) if kind == "cnn" else (5,)
    data = examples(0, n=30, shape=shape, dtype=dtype)
    model = {
        "written": models.mlp((5, 19, 3), "squared-relu"),
        "autograd": models.mlp((5, 19, 7, 3), "squared-relu", frozen=["0"]),
        "cnn": models.small_cnn(1, 3, 3, image=8),
    }[kind]
    wild = 1e12
    calm = train(diverging_grid(model, data, (0.01, 0.01, 0.01, 0.01), loss="squared"))
    with order():
        mixed = train(diverging_grid(model, data, (0.01, wild, 0.01, wild), loss="squared"))
    assert mixed.endings.diverged.tolist() == [False, True, False, True]
    assert not calm.endings.diverged.any()
    for r in (0, 2):
        assert_same_path(mixed.states[r], calm.states[r], dtype)
    for r in (1, 3):
        assert 0 < mixed.endings.diverged_step[r] < 40
        assert mixed.endings.steps[r] == mixed.endings.diverged_step[r]
        assert math.isnan(mixed.endings.diverged_step[0])


def test_running_statistics_go_back_with_the_rest_where_replicas_diverge_one_after_another():
    """The run goes back to where the second left: what that step's pass has put into them is not put in twice."""
    data, model = examples(0, n=32), models.mlp((5, 8, 3), norm="batch", ghost=4)
    growing = {"steps": 60, "batch_size": 8, "loss": "squared", "schedule": Linear(0.0, 1.0)}
    rates = [(0, 1.0), (1, 30.0), (1, 9.0), (2, 7.0)]
    grid = [replica(seed, model, data, optimiser=SGD(rate), **growing) for seed, rate in rates]
    twins = [minimal.train(one) for one in grid]
    assert [twin.diverged for twin in twins] == [False, True, True, True]
    first, second, third = (twin.steps for twin in twins[1:])
    assert first < 20 < second < 40 < third < second + 20  # questions are asked every 20 steps
    result = train(grid)
    assert result.endings.steps.tolist() == [twin.steps for twin in twins]
    assert result.states[0]["1.norm.num_batches_tracked"] == 60 * 2
    assert_states(result.states[0], twins[0].model.state_dict(), 1e-12)


@pytest.mark.parametrize("lr", [1e12, 2.0, 1.5])
@pytest.mark.parametrize("watched", [[], [Accuracy(at=Every(13))]], ids=["", "watched"])
def test_divergence_is_noticed_at_its_very_step(lr, watched):
    """Whether all is finite is asked once in many steps, and answered later still."""
    data, model = examples(0, n=30), models.mlp((5, 19, 3), "squared-relu")
    grid = [
        replica(seed, model, data, optimiser=SGD(rate), steps=90, loss="squared")
        for seed, rate in enumerate((0.01, lr))
    ]
    alone = minimal.train(grid[1])
    result = train(grid, watched)
    assert alone.diverged
    assert result.endings.diverged_step[1] == alone.steps
    assert result.endings.steps[0] == 90


@other_company
def test_a_fitted_replica_leaves_and_its_neighbours_stay_on_their_paths(dtype, order):
    inputs = examples(0, n=21, dtype=dtype).inputs
    easy = Examples(inputs, (inputs[:, 0] > 0).long())
    hard = Examples(inputs[[0, *range(20)]], torch.arange(21) % 2)  # one input with two labels cannot be fitted
    settings = {"steps": 60, "optimiser": Adam(0.02), "stop_at_accuracy": 1.0}
    model = models.mlp((5, 33, 3))
    with order():
        mixed = train(
            [replica(s, model, d, **settings) for s, d in enumerate((hard, easy, hard, easy))], [Accuracy(at=AtEnd())]
        )
    calm = train([replica(s, model, hard, **settings) for s in range(4)])
    assert mixed.endings.fitted.tolist() == [False, True, False, True]
    assert mixed.endings.fitted_step[[0, 2]].isna().all()
    for r in (0, 2):
        assert_same_path(mixed.states[r], calm.states[r], dtype)
    for r in (1, 3):
        assert mixed.endings.fitted_step[r] % 3 == 0
        row = mixed.table[mixed.table.replica == r]
        assert row.value.tolist() == [1.0]
        assert row.step.tolist() == [mixed.endings.fitted_step[r]]
        before = train(
            [replica(r, model, easy, **{**settings, "steps": int(row.step.iloc[0]) - 3})], [Accuracy(at=AtEnd())]
        )
        assert before.table.value.item() < 1


def test_gradient_flow_of_a_linear_model_has_its_closed_form():
    draw = np.random.default_rng(0)
    inputs, targets = draw.standard_normal((20, 4)), draw.standard_normal(20)
    data = Examples(torch.from_numpy(inputs), torch.from_numpy(targets))
    lr, steps = 1e-4, 2000
    grid = [
        replica(
            s, models.linear(4, 1, bias=False), data, loss="squared", batch_size=None, steps=steps, optimiser=SGD(lr)
        )
        for s in (0, 1)
    ]
    result = train(grid)
    start = (
        initialise(models.linear(4, 1, bias=False).double(), generator(0, "initialisation"))[0]
        .weight.detach()
        .numpy()[0]
    )
    # Loss (1/n) |Xw − y|²: w(t) = w* + exp(−(2/n) XᵀX t) (w₀ − w*); the Euler error is of order lr.
    values, vectors = np.linalg.eigh(2 * inputs.T @ inputs / 20)
    best = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    flow = best + vectors @ (np.exp(-values * lr * steps) * (vectors.T @ (start - best)))
    discrete = best + vectors @ ((1 - lr * values) ** steps * (vectors.T @ (start - best)))
    trained = result.states[0]["0.weight"].numpy()[0]
    np.testing.assert_allclose(trained, discrete, rtol=1e-10)
    np.testing.assert_allclose(trained, flow, rtol=1e-3)
    assert np.abs(trained - start).max() > 0.01


def test_the_table_is_tidy_and_the_conditions_are_its_columns():
    data = {"train": examples(0), "test": examples(9)}
    recipe = Recipe(steps=6, batch_size=8, optimiser=SGD(0.1))
    grid = [Replica(s, models.mlp((5, 8, 3)), recipe, data, {"noise": n}) for s in (0, 1) for n in (0.0, 0.5)]
    table = train(grid, [Accuracy("test", at=Every(2)), WeightNorm(at=AtEnd())]).table
    assert list(table.columns) == [
        "replica", "seed", "noise", "step", "epoch", "quantity", "on", "labels", "group", "layer", "value",
    ]  # fmt: skip
    accuracy = table[table.quantity == "accuracy"]
    assert accuracy.groupby("replica").step.apply(list).tolist() == [[0, 2, 4, 6]] * 4
    assert accuracy.epoch.max() == 2
    assert set(zip(table.replica, table.seed, table.noise, strict=True)) == {
        (0, 0, 0),
        (1, 0, 0.5),
        (2, 1, 0),
        (3, 1, 0.5),
    }
    assert not table.duplicated(["replica", "step", "quantity", "on", "labels", "group", "layer"]).any()


@pytest.mark.parametrize(
    "gate",
    [
        lambda h: h.softmax(1),  # along the features of a network alone, along the batch of a stack
        lambda h: h - h.mean(1, keepdim=True),
        lambda h: torch.cat([h[:, :3], h[:, 3:]], 1).flip(1),
        lambda h: h.mean((1,), keepdim=True).expand(-1, 6),
    ],
    ids=["softmax", "mean", "flip", "shape"],
)
def test_networks_that_count_axes_from_the_front_are_refused(gate):
    with pytest.raises(TrainingError, match=r"Gated.*: the network gives other outputs in a stack"):
        train([replica(seed, Gated(gate)) for seed in range(2)])


class Doubled(nn.Linear):
    """A layer with parameters that only looks like one of PyTorch's."""

    def forward(self, inputs):
        return 2 * super().forward(inputs)


@pytest.mark.parametrize("layer", [nn.Dropout(), Doubled(5, 5)], ids=["random", "no form"])
def test_layers_that_no_stack_holds_are_refused_by_the_engine(layer):
    with pytest.raises(TrainingError, match=type(layer).__name__):
        train([replica(0, nn.Sequential(nn.Linear(5, 5), layer, nn.Linear(5, 3)))])


def test_bad_grids_say_what_is_wrong():
    with pytest.raises(ValueError, match="no replica"):
        train([])
    with pytest.raises(ValueError, match="lr is nan"):
        SGD(float("nan"))
    with pytest.raises(ValueError, match="lr is inf"):
        Adam(math.inf)
    with pytest.raises(ValueError, match=r"lr is -0\.1"):
        SGD(-0.1)
    with pytest.raises(ValueError, match="batch_size is 25, but there are 24"):
        replica(0, batch_size=25)
    with pytest.raises(ValueError, match="steps is 0"):
        replica(0, steps=0)
    with pytest.raises(ValueError, match="loss is 'exponential'"):
        replica(0, loss="exponential")
    with pytest.raises(ValueError, match="needs one called 'train'"):
        Replica(0, models.linear(5, 3), Recipe(1, SGD(0.1)), {"test": examples(0)})
    with pytest.raises(ValueError, match="condition has seed, step"):
        Replica(0, models.linear(5, 3), Recipe(1, SGD(0.1)), {"train": examples(0)}, {"seed": 1, "step": 2, "lr": 3})
    with pytest.raises(ValueError, match="labels has 3 entries for 4"):
        Examples(torch.zeros(4, 2), torch.zeros(3))
    with pytest.raises(ValueError, match="labels run from 0 to 2, but the network has 2 outputs"):
        train([replica(0, models.linear(5, 2))])
    with pytest.raises(ValueError, match="asks for examples 'test'"):
        train([replica(0)], [Accuracy("test")])
    with pytest.raises(ValueError, match="no trained parameter"):
        train([replica(0, models.freeze(models.linear(5, 3), ["0"]))])


def wide_grid(dtype=torch.float64, seeds=2, **recipe):
    """Unequal widths on shared batches."""
    activation = recipe.pop("activation", "relu")
    grid = []
    for seed in range(seeds):
        data = examples(seed, n=30, dtype=dtype)
        for width in (4, 9, 9, 2):
            grid.append(replica(seed, models.mlp((5, width, 3), activation), data, **recipe))
    return grid


@pytest.mark.parametrize("activation", ["relu", "tanh", "squared-relu"])
@pytest.mark.parametrize("batch_size", [7, None])
def test_the_wide_network_trains_each_replica_as_in_a_plain_loop(activation, batch_size):
    grid = wide_grid(activation=activation, batch_size=batch_size, optimiser=Adam(0.01))
    assert [len(s) for s in stacks(grid)] == [8]
    assert isinstance(program_for([grid[r] for r in stacks(grid)[0]], torch.device("cpu")), WideProgram)
    result = train(grid, [MeanLoss(at=Every(4)), DistanceFromInitialisation(at=AtEnd())])
    for r in (0, 2, 3, 5):
        assert_states(result.states[r], plain_loop(grid[r]), 1e-12)
        alone = train([grid[r]], [MeanLoss(at=Every(4)), DistanceFromInitialisation(at=AtEnd())]).table
        rows = result.table[result.table.replica == r]
        assert rows.layer.tolist() == alone.layer.tolist()
        np.testing.assert_allclose(rows.value, alone.value, rtol=1e-10)


@pytest.mark.parametrize("sizes", [(5, 3), (5, 6, 3), (5, 6, 4, 3)])
@pytest.mark.parametrize("batch_size", [7, None])
@pytest.mark.parametrize("bias", [True, False])
def test_replicas_on_one_batch_train_each_as_in_a_plain_loop(sizes, batch_size, bias):
    data, rates = examples(0, n=30), (0.05, 0.1, 0.2)
    grid = [replica(0, models.mlp(sizes, bias=bias), data, optimiser=SGD(lr), batch_size=batch_size) for lr in rates]
    result = train(grid)
    for r in range(3):
        assert_states(result.states[r], plain_loop(grid[r]), 1e-12)


@other_company
@pytest.mark.parametrize("frozen", [[], ["0"]])
def test_a_diverging_replica_on_the_same_batch_leaves_the_others_on_their_paths(frozen, dtype, order):
    data, model = examples(0, n=30, dtype=dtype), models.mlp((5, 9, 8, 3), "squared-relu", frozen=frozen)

    def grid(lrs):
        return [replica(0, model, data, optimiser=SGD(lr), loss="squared", steps=40) for lr in lrs]

    calm = train(grid((0.01, 0.02, 0.01)))
    with order():
        mixed = train(grid((1e12, 0.02, 1e13)))
    assert mixed.endings.diverged.tolist() == [True, False, True]
    assert_same_path(mixed.states[1], calm.states[1], dtype)


def test_the_order_in_a_wide_network_is_that_of_the_grid_wherever_its_tensors_lie():
    """A resumed run must find each replica in its place again."""
    sets = sorted((Examples(torch.randn(6, 4), torch.arange(6) % 2) for _ in range(4)), key=lambda e: id(e.inputs))
    recipe = Recipe(5, SGD(0.1), 3)
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        grid = [
            Replica(0, models.mlp((4, width, 2)), recipe, {"train": sets[k]}, {}) for width in (5, 3) for k in order
        ]
        assert stacks(grid) == [[4, 0, 5, 1, 6, 2, 7, 3]]


@other_company
def test_a_diverging_replica_leaves_the_rest_of_a_wide_network_on_their_paths(dtype, order):
    calm = wide_grid(dtype, activation="squared-relu", loss="squared", optimiser=SGD(0.01), steps=40)
    wild = list(calm)
    for r in (1, 4, 7):
        wild[r] = dataclasses.replace(calm[r], recipe=dataclasses.replace(calm[r].recipe, optimiser=SGD(1e12)))
    expected = train(calm)
    with order():
        result = train(wild)
    assert result.endings.diverged.tolist() == [r in (1, 4, 7) for r in range(8)]
    for r in (0, 2, 3, 5, 6):
        assert_same_path(result.states[r], expected.states[r], dtype)
