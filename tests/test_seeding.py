"""Random streams: reproducible, distinct by seed and by purpose, independent, and picky about their keys."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from genbook.base.seeding import PURPOSES, generator


@pytest.mark.parametrize("purpose", PURPOSES)
def test_same_key_gives_the_same_stream(purpose):
    np.testing.assert_array_equal(generator(7, purpose).random(50), generator(7, purpose).random(50))


def test_the_stream_is_the_same_in_another_process():
    code = "from genbook.base.seeding import generator; print(generator(3, 'order').integers(2**62))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == generator(3, "order").integers(2**62)


def test_other_draws_leave_a_stream_as_it_is():
    expected = generator(1, "corruption").permutation(20)
    np.random.seed(0)
    generator(1, "order").random(1000)
    np.testing.assert_array_equal(generator(1, "corruption").permutation(20), expected)


def test_neighbouring_keys_give_different_streams():
    first = {
        (seed, purpose): generator(seed, purpose).integers(2**62)
        for seed, purpose in itertools.product([*range(50), 2**32, 2**32 + 1, 2**64, 2**200], [*PURPOSES, "order "])
    }
    assert len(set(first.values())) == len(first)


def test_streams_of_different_keys_are_uncorrelated_and_uniform():
    keys = list(itertools.product(range(8), PURPOSES))
    draws = np.stack([generator(*key).random(4000) for key in keys])
    correlations = np.corrcoef(draws)[np.triu_indices(len(keys), 1)]
    # 780 pairs; each correlation is close to normal with standard deviation 1/sqrt(4000).
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)
    assert np.std(correlations) == pytest.approx(1 / np.sqrt(4000), rel=0.15)
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-3


def test_a_numpy_integer_is_the_same_seed():
    assert generator(np.int64(5), "order").random() == generator(5, "order").random()


@pytest.mark.parametrize("seed", [-1, np.int64(-3)])
def test_negative_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="non-negative integer, got -"):
        generator(seed, "order")


@pytest.mark.parametrize("seed", [1.0, "1", None, True, np.True_, [1]])
def test_seeds_that_are_no_integers_are_refused(seed):
    with pytest.raises(TypeError, match="non-negative integer"):
        generator(seed, "order")


def test_purposes_that_are_no_words_are_refused():
    with pytest.raises(ValueError, match=r"must not be empty.*'training subset'"):
        generator(0, "  ")
    with pytest.raises(TypeError, match="a purpose is a text"):
        generator(0, 3)


def test_the_module_needs_no_torch():
    code = "import sys, genbook.base.seeding; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
