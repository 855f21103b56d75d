import subprocess
import sys

import pytest

from genbook.recipes import LOSS_NAMES, SGD, Recipe
from genbook.training import LOSSES
from genbook.when import AtFractions


def test_a_recipe_knows_the_losses_that_the_engine_has():
    assert set(LOSS_NAMES) == set(LOSSES)
    for name in LOSS_NAMES:
        assert Recipe(1, SGD(0.1), loss=name).loss == name
    with pytest.raises(ValueError, match="it must be one of cross-entropy, squared, logistic"):
        Recipe(1, SGD(0.1), loss="hinge")


def test_settings_import_no_torch():
    check = "import sys, genbook.recipes, genbook.when; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_fractions_are_rounded_to_steps_and_begin_with_the_start():
    assert AtFractions((0.005, 0.5, 1.0)).due(100, 3) == {0, 50, 100}
    assert AtFractions((1.0,)).due(7, 3) == {0, 7}
