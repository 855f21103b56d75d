"""The plain-PyTorch twin and the engine: one path, one end and one table, in what `test_engine.py` does not compare."""

import pandas as pd
import pytest
import torch

from genbook import models
from genbook.probes import Accuracy, AtSteps, MeanLoss
from genbook.training import (
    SGD,
    Adam,
    Average,
    Cosine,
    EarlyLearning,
    Examples,
    GradientNoise,
    Linear,
    Recipe,
    Replica,
    minimal,
    train,
)

STEPS = (0, 1, 5, 12, 40)


def sets(kind="classes", shape=(5,), n=24):
    """A training and a test set of unequal size."""
    draw = torch.Generator().manual_seed(3)
    found = {}
    for name, size in (("train", n), ("test", n // 2 - 1)):
        inputs = torch.randn(size, *shape, generator=draw, dtype=torch.float64)
        summed = inputs.flatten(1).sum(1)
        labels = {
            "classes": (summed > 0).long() + (summed > 2).long(),
            "signs": torch.where(summed > 0, 1, -1),
            "real": summed.square(),
        }
        found[name] = Examples(inputs, labels[kind])
    return found


def replica(seed=0, model=None, data=None, streams=None, **recipe):
    settings = {"steps": 40, "batch_size": 7, "optimiser": SGD(0.2), **recipe}
    model = models.mlp((5, 8, 3), "tanh") if model is None else model
    return Replica(seed, model, Recipe(**settings), sets() if data is None else data, **streams or {})


def fill(model):
    model[0].weight.mul_(0.5)
    model[2].bias.fill_(0.1)


CASES = {
    "plain": [replica(0), replica(1)],
    "full-batch": [replica(batch_size=None, optimiser=Adam(0.01))],
    "schedule-from-zero": [replica(schedule=Linear(0.0, 2.0))],
    "streams": [replica(0, streams={"order_seed": 5, "init_seed": 6}), replica(1, streams={"initialise": fill})],
    "small-start": [replica(init_scale=0.1, schedule=Cosine(0.1))],
    "class-labels-squared": [replica(loss="squared")],
    "real-targets": [replica(model=models.mlp((5, 6, 1)), data=sets("real"), loss="squared", optimiser=Adam(0.01))],
    "logistic": [replica(model=models.mlp((5, 6, 1)), data=sets("signs"), loss="logistic")],
    "early-learning": [replica(seed, early_learning=EarlyLearning(2.0, 0.6)) for seed in range(2)],
    "early-learning-full-batch": [replica(early_learning=EarlyLearning(), batch_size=None)],
    "hinge": [replica(model=models.mlp((5, 6, 1)), data=sets("signs"), loss="hinge")],
    "noise": [replica(seed, gradient_noise=GradientNoise(0.05)) for seed in range(2)],
    "robust": [replica(average=Average("running median"))],
    "running-statistics": [
        replica(
            model=models.five_layer_cnn(2, 3, norm="batch"), data=sets(shape=(3, 32, 32), n=12), batch_size=4, steps=5
        )
    ],
    "batch-norm": [replica(seed, models.mlp((5, 8, 6, 3), norm="batch")) for seed in range(2)],
    "ghost-batches": [
        replica(seed, models.mlp((5, 8, 6, 3), norm="batch", ghost=4), batch_size=8, optimiser=SGD(0.2, momentum=0.9))
        for seed in range(2)
    ],
    "fitted": [replica(seed, stop_at_accuracy=0.9, check_every=4, optimiser=Adam(0.1)) for seed in range(3)],
    "fitted-by-epochs": [replica(seed, stop_at_accuracy=0.9, optimiser=Adam(0.1)) for seed in range(3)],
    "fitted-at-the-last-step": [replica(stop_at_accuracy=0.5, check_every=50)],
    "not-fitted": [replica(stop_at_accuracy=1.0, check_every=7, steps=12)],
    "diverged": [replica(loss="squared", optimiser=SGD(lr)) for lr in (1e40, 0.1, 1e60)],
}


@pytest.mark.parametrize("name", CASES)
def test_the_twin_is_the_engine(name):
    grid = CASES[name]
    probes = [p(on, at=AtSteps(STEPS)) for p in (Accuracy, MeanLoss) for on in ("train", "test")]
    result = train(grid, probes)
    for place, one in enumerate(grid):
        twin = minimal.train(one, STEPS)
        ending = result.endings.loc[place]
        assert (twin.steps, twin.fitted, twin.diverged) == (ending["steps"], ending["fitted"], ending["diverged"])
        if not twin.diverged:  # of what diverged, both keep what they had: numbers near the largest there are
            for key, value in twin.model.state_dict().items():
                torch.testing.assert_close(result.states[place][key], value, rtol=1e-12, atol=1e-12, msg=key)
        keys = ["step", "on", "quantity"]
        expected = pd.DataFrame(twin.rows, columns=[*keys, "value"]).set_index(keys).sort_index()
        actual = result.table[result.table["replica"] == place].set_index(keys)[["value"]].sort_index()
        assert len(expected) == 4 * sum(step <= twin.steps for step in STEPS)
        pd.testing.assert_frame_equal(actual, expected, rtol=1e-11, atol=1e-12)


def test_the_cases_end_in_all_ways():
    fitted, diverged, neither = (
        [minimal.train(one) for one in CASES[name]] for name in ("fitted", "diverged", "not-fitted")
    )
    assert all(twin.fitted for twin in fitted)
    assert len({twin.steps for twin in fitted}) > 1
    assert [twin.diverged for twin in diverged] == [True, False, True]
    assert not neither[0].fitted
