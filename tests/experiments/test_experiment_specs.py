"""Parts of specs: their checks, and the recipes that they come to."""

import pytest

from genbook.base.recipes import SGD, Cosine
from genbook.base.spec import ParameterError, parameter
from genbook.experiments import CNN, CNN1D, MLP, Architecture, Dataset, Descent, Fraction, Growing


class OneSize(Dataset, Descent):
    n_train: int = parameter(100, "examples", "examples", ge=1)


class Sizes(Dataset, Descent):
    n_train: Growing[int] = parameter((60, 100), "examples", "examples")
    levels: Growing[Fraction] = parameter((0.0, 0.5), "levels")


def test_a_batch_is_part_of_every_training_set():
    with pytest.raises(ParameterError, match="batch_size = 101: want at most the smallest training set's size, 100"):
        OneSize.build(batch_size=101)
    with pytest.raises(ParameterError, match=r"batch_size = 61: .* 60"):
        Sizes.build(batch_size=61)
    assert Sizes.build(batch_size=60).batch_size == 60


@pytest.mark.parametrize("values", [[100, 60], [60, 60], [60, 100, 80]])
def test_values_grow(values):
    with pytest.raises(ParameterError, match=r"parameter n_train = .*want values that grow; want list of int"):
        Sizes.build(n_train=values)


def test_entries_keep_their_bounds():
    with pytest.raises(ParameterError, match=r"parameter levels = .*less than or equal to 1"):
        Sizes.build(levels=[0.5, 1.5])
    row = next(row for row in Sizes.described() if row["name"] == "levels")
    assert (row["type"], row["bounds"]) == ("list of float", "each >= 0, each <= 1")


def test_a_recipe_is_what_the_parameters_say_unless_told_otherwise():
    spec = OneSize.build(learning_rate=0.2, momentum=0.5, weight_decay=0.01, batch_size=20, steps=30)
    recipe = spec.recipe()
    assert (recipe.steps, recipe.batch_size) == (30, 20)
    assert recipe.optimiser == SGD(0.2, 0.5, weight_decay=0.01)
    other = spec.recipe(learning_rate=0.4, schedule=Cosine(), batch_size=None)
    assert other.optimiser == SGD(0.4, 0.5, weight_decay=0.01)
    assert (other.schedule, other.batch_size) == (Cosine(), None)


def test_the_network_fits_the_data():
    assert Architecture.build(hidden=[3]).architecture() == MLP((3,))
    assert Architecture.build(network="cnn", channels=4).architecture() == CNN(4)
    assert Architecture.build(network="cnn1d", dataset="mnist1d").architecture() == CNN1D(8)
    with pytest.raises(ParameterError, match="network = 'cnn': wants images; dataset is 'mnist1d'"):
        Architecture.build(network="cnn", dataset="mnist1d")
    with pytest.raises(ParameterError, match=r"network = 'cnn1d': wants signals \(mnist1d\); dataset is 'digits'"):
        Architecture.build(network="cnn1d")
