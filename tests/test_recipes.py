import subprocess
import sys

import pytest
import torch
from torch.optim import lr_scheduler

from genbook import gradients
from genbook.base.recipes import AVERAGES, LOSS_NAMES, SGD, Average, Cosine, Linear, Recipe, Step
from genbook.base.when import AtFractions
from genbook.training import LOSSES


def test_a_recipe_knows_the_losses_that_the_engine_has():
    assert set(LOSS_NAMES) == set(LOSSES)
    for name in LOSS_NAMES:
        assert Recipe(1, SGD(0.1), loss=name).loss == name
    with pytest.raises(ValueError, match="it must be one of cross-entropy, squared, logistic"):
        Recipe(1, SGD(0.1), loss="hinge")


def test_a_recipe_names_the_averages_that_the_library_has():
    arguments = {"winsorised": 2, "clipped": 0.5}
    made = [type(gradients.robust_average(Average(name, arguments.get(name)))) for name in AVERAGES]
    assert made == [
        gradients.Mean,
        gradients.Winsorized,
        gradients.MedianOfMeans,
        gradients.RunningMean,
        gradients.RunningMedian,
        gradients.Clipped,
    ]
    alone = gradients.robust_average(Average("clipped", 0.5, length_only=True))
    assert type(alone.rule) is gradients.Clipped
    with pytest.raises(ValueError, match="average is 'median'; it must be one of mean, winsorised, median of means"):
        Average("median")


def test_settings_import_no_torch():
    check = "import sys, genbook.base.recipes, genbook.base.when; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_fractions_are_rounded_to_steps_and_begin_with_the_start():
    assert AtFractions((0.005, 0.5, 1.0)).due(100, 3) == {0, 50, 100}
    assert AtFractions((1.0,)).due(7, 3) == {0, 7}


@pytest.mark.parametrize(
    ("schedule", "of_torch"),
    [
        (Cosine(0.2), lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, 30, eta_min=0.1)),
        (Linear(0.9, 0.1), lambda optimiser: lr_scheduler.LinearLR(optimiser, 0.9, 0.1, 30)),
        (Step(7, 0.3), lambda optimiser: lr_scheduler.StepLR(optimiser, 7, 0.3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_schedules_are_those_of_torch(schedule, of_torch):
    optimiser = SGD(0.5).of_torch([torch.zeros(1)])
    theirs = of_torch(optimiser)
    for step in range(30):
        assert theirs.get_last_lr()[0] == pytest.approx(0.5 * schedule.factor(step, 30), rel=1e-12)
        optimiser.step()
        theirs.step()
