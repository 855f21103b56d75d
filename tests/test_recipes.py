import subprocess
import sys

import pytest
import torch
from torch.optim import lr_scheduler

from genbook import gradients
from genbook.base.recipes import (
    AVERAGES,
    LOSS_NAMES,
    SGD,
    Adam,
    Average,
    Cosine,
    GradientNoise,
    Linear,
    Listed,
    Recipe,
    Step,
)
from genbook.base.when import AtFractions
from genbook.training import LOSSES


def test_a_recipe_knows_the_losses_that_the_engine_has():
    assert set(LOSS_NAMES) == set(LOSSES)
    for name in LOSS_NAMES:
        assert Recipe(1, SGD(0.1), loss=name).loss == name
    with pytest.raises(ValueError, match="it must be one of cross-entropy, squared, logistic"):
        Recipe(1, SGD(0.1), loss="exponential")


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


def test_a_listed_schedule_has_a_factor_for_each_step():
    listed = Listed((0.5, 2.0, 0.0))
    assert [listed.factor(step, 3) for step in range(3)] == [0.5, 2.0, 0.0]
    assert Recipe(3, SGD(0.1), schedule=listed).schedule == listed
    with pytest.raises(ValueError, match="the schedule lists 3 factors; 4 steps need as many"):
        Recipe(4, SGD(0.1), schedule=listed)
    with pytest.raises(ValueError, match="factors is empty"):
        Listed(())
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"factors has {wrong}; all must be finite and not negative"):
            Listed((1.0, wrong))


def test_gradient_noise_anneals_as_in_the_paper():
    """Variance η/(1 + t)^γ."""
    noise = GradientNoise(0.3)
    assert [noise.deviation(t) ** 2 for t in (0, 1, 99)] == pytest.approx([0.3, 0.3 / 2**0.55, 0.3 / 100**0.55])
    assert GradientNoise(0.3, gamma=0).deviation(1000) ** 2 == pytest.approx(0.3)
    with pytest.raises(ValueError, match="eta is 0; it must be finite and positive"):
        GradientNoise(0)
    with pytest.raises(ValueError, match="gamma is -1; it must be finite and not negative"):
        GradientNoise(1.0, -1)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_projected_update_is_none_of_torch(kind):
    with pytest.raises(ValueError, match=r"projected is 0; it must be finite and positive, or None"):
        kind(0.1, projected=0)
    with pytest.raises(ValueError, match=r"torch\.optim has no projected update"):
        kind(0.1, projected=0.1).of_torch([torch.zeros(1)])
