"""The convolutional network in time: its recipe and network as published, statistics on known curves."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from genbook import studies
from genbook.base.recipes import InverseSquareRoot
from genbook.models import five_layer_cnn
from genbook.studies.descent.cnn_epoch_descent.run import run
from tests.known import Answer, Known, in_halves

STUDY = studies.get("cnn_epoch_descent")
SPEC = STUDY.build("full", {})
STEPS = (0, 50, *range(100, 1100, 100))


def known_table(test, train=(0.9, 0.5, *[0.4] * 4, *[0.0] * 6)):
    """Ten steps an epoch; errors over training of three seeds."""
    rows = []
    for seed in range(3):
        for step, error, own in zip(STEPS, test, train, strict=True):
            rows.append((seed, step, step / 10, "test accuracy", 1 - error))
            rows.append((seed, step, step / 10, "train accuracy", 1 - own))
    return in_halves(pd.DataFrame(rows, columns=["seed", "step", "epoch", "quantity", "value"]))


FALLS = (0.9, 0.05, 0.1, 0.1, 0.1, 0.4, 0.7, 0.4, *[0.3] * 4)
ONLY_RISES = (0.9, 0.1, *np.linspace(0.1, 0.4, 10))
KNOWN = {
    "cnn-falls-again": Known(
        holds=Answer(known_table(FALLS), [0.5 - 0.3] * 3, SPEC),
        # means over three of a line, from the second measurement after the beginning on
        fails=Answer(known_table(ONLY_RISES), [-0.1 / 3] * 3, SPEC),
    ),
    "cnn-early-stopping-wins": Known(
        holds=Answer(known_table(FALLS), [0.3 / 0.05] * 3, SPEC),
        fails=Answer(known_table((0.9, 0.5, *[0.4] * 8, 0.39, 0.2)), [1.0] * 3, SPEC),
    ),
    "cnn-worst-before-fitted": Known(
        holds=Answer(known_table(FALLS, (0.9, 0.5, *[0.4] * 9, 0.0)), [500 / 1000] * 3, SPEC),
        fails=Answer(known_table(FALLS, (0.9, 0.5, *[0.0] * 10)), [5.0] * 3, SPEC),
    ),
}


def test_the_recipe_is_that_of_the_published_run():
    recipe = SPEC.training()
    assert (recipe.optimiser.lr, recipe.optimiser.momentum, recipe.optimiser.weight_decay) == (0.1, 0, 0)
    assert (recipe.batch_size, recipe.steps // (50_000 // 128)) == (128, 700)
    assert recipe.schedule == InverseSquareRoot(512)
    assert (recipe.augmentation.crop, recipe.augmentation.flip) == (4, True)


def test_the_network_has_five_layers_for_images_of_every_size():
    for channels, side in ((3, 32), (1, 28), (1, 14), (1, 8)):
        model = five_layer_cnn(2, channels=channels, norm="batch", image=side)
        weights = [m for m in model if isinstance(m, nn.Conv2d | nn.Linear)]
        assert [w.weight.shape[0] for w in weights] == [2, 4, 8, 16, 10]
        assert model(torch.zeros(3, channels, side, side)).shape == (3, 10)


def test_a_run_tells_errors_on_both_halves_of_the_test_set():
    spec = STUDY.build("smoke", {})
    table = run(spec, [0, 1], "cpu")
    assert set(table["quantity"]) == {"train accuracy", "test accuracy"}
    assert set(table.loc[table["quantity"] == "test accuracy", "group"]) == {"all", "first half", "second half"}
    assert table["step"].max() == spec.steps
