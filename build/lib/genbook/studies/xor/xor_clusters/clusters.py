"""XOR clusters as descent needs them: inner products, drawn once for a seed and dimension, used at every strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbook.base.seeding import INITIALISATION, TRAINING_SUBSET, generator
from genbook.studies.xor.shared import Problem
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec


@dataclass(frozen=True)
class Draw:
    """Noise and weights of one seed in p dimensions: N points, the first n for training, and m units.

    ``products`` [N, n]: of the points' noise. ``along`` [N, 2]: noise along the unit means. ``hidden`` [N, m]: noise
    times weights of variance 1. ``weights_along`` [m, 2] and ``weights_square`` [m]: those weights along the unit means
    and their squared lengths. ``tested`` [N - n, 2]: clusters of the test points, the signs with which the means enter.
    """

    dimension: int
    products: np.ndarray
    along: np.ndarray
    hidden: np.ndarray
    weights_along: np.ndarray
    weights_square: np.ndarray
    tested: np.ndarray


def unit_means(dimension: int) -> np.ndarray:
    """Two orthogonal unit vectors without a preferred axis, [2, p]: all entries alike, and alternating ones."""
    return np.stack([np.ones(dimension), np.resize([1.0, -1.0], dimension)]) / np.sqrt(dimension)


def draw_clusters(count: int, first_pair: float, draw: np.random.Generator) -> np.ndarray:
    """A cluster for each of ``count`` points at random, as the sign with which each mean enters, [count, 2]."""
    second = draw.random(count) >= first_pair
    signs = draw.choice([-1.0, 1.0], count)
    return np.stack([signs * ~second, signs * second], 1)


def spread_out(spec: XorClustersSpec, count: int) -> np.ndarray:
    """Clusters for ``count`` training points in the wanted proportions, as equal as whole numbers allow, [count, 2]."""
    pairs, halves = (spec.first_pair, 1 - spec.first_pair), ((1 + spec.tilt) / 2, (1 - spec.tilt) / 2)
    upto = np.round(count * np.cumsum([pair * half for pair in pairs for half in halves])).astype(int)
    return np.repeat([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], np.diff(upto, prepend=0), axis=0)


def training_clusters(spec: XorClustersSpec, draw: np.random.Generator) -> np.ndarray:
    """The training points' clusters, [n, 2], those of the flipped points first."""
    if spec.counts == "at random":
        return draw_clusters(spec.n_train, spec.first_pair, draw)
    flipped = spec.flipped()
    return np.concatenate([spread_out(spec, flipped), spread_out(spec, spec.n_train - flipped)])


def draw(spec: XorClustersSpec, dimension: int, seed: int) -> Draw:
    """Training points, test points and initial weights of one seed."""
    tests = generator(seed, "test points")
    tested = draw_clusters(spec.n_test, spec.first_pair, tests)
    sizes = ((generator(seed, TRAINING_SUBSET), spec.n_train), (tests, spec.n_test))
    noise = np.concatenate([_noise(spec, (count, dimension), stream) for stream, count in sizes])
    if spec.input_noise_length == "fixed":
        noise *= np.float32(np.sqrt(spec.dimension / dimension))
    weights = generator(seed, INITIALISATION).standard_normal((spec.width, dimension), dtype=np.float32)
    means = unit_means(dimension).astype(np.float32)
    return Draw(
        dimension,
        (noise @ noise[: spec.n_train].T).astype(float),
        (noise @ means.T).astype(float),
        (noise @ weights.T).astype(float),
        (weights @ means.T).astype(float),
        np.square(weights).sum(1, dtype=float),
        tested,
    )


def _noise(spec: XorClustersSpec, shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray:
    if spec.input_noise == "signs":
        return stream.integers(0, 2, shape, dtype=np.int8).astype(np.float32) * 2 - 1
    return stream.standard_normal(shape, dtype=np.float32)


@dataclass(frozen=True)
class Task:
    """A draw with its clusters at a given strength, labelled: what descent sees and what its result is read with.

    ``places`` [N, 2]: the clusters. ``truth`` [N]: labels before flips. ``flipped`` [n]. ``scale``: standard deviation
    of the initial weights. ``learning_rate``: the one that gives a training example the wanted margin.
    """

    draw: Draw
    strength: float
    places: np.ndarray
    problem: Problem
    truth: np.ndarray
    flipped: np.ndarray
    scale: float
    learning_rate: float


def labels(spec: XorClustersSpec, places: np.ndarray, seed: int) -> np.ndarray:
    """±1 for each point, [N]."""
    if spec.labels == "at random":
        # Called so since the published tables were drawn: by another name the labels would be others.
        return generator(seed, "labels by lot").choice([-1.0, 1.0], len(places))
    return np.abs(places) @ [1.0, -1.0] if spec.labels == "xor" else places.sum(1)


def task(spec: XorClustersSpec, drawn: Draw, seed: int) -> Task:
    """The means enter the inner products of the noise by two terms; scale and learning rate get their meaning."""
    n, strength = spec.n_train, spec.strength
    places = np.concatenate([training_clusters(spec, generator(seed, "clusters")), drawn.tested])
    along = drawn.along
    crossed = along @ places[:n].T + places @ along[:n].T
    products = drawn.products + strength * crossed + strength**2 * places @ places[:n].T
    square = spec.dimension if spec.input_noise_length == "fixed" else drawn.dimension  # of the noise of one input
    scale = spec.init_deviation(square)
    first = scale * (drawn.hidden + strength * places @ drawn.weights_along.T)
    truth = labels(spec, places, seed)
    flipped = np.arange(n) < spec.flipped()
    given = np.where(flipped, -truth[:n], truth[:n])
    problem = Problem(*(values.astype(np.float32) for values in (products, first, given)))
    return Task(drawn, strength, places, problem, truth, flipped, scale, spec.learning_rate(square))


def cosines(task: Task, coefficients: np.ndarray) -> np.ndarray:
    """Cosines of the units' weights W = W_0 + A X with the two means, [m, 2]; ``coefficients`` is A, [m, n]."""
    n, drawn, coefficients = len(task.problem.labels), task.draw, coefficients.astype(float)
    inputs_along = drawn.along[:n] + task.strength * task.places[:n]
    along = task.scale * drawn.weights_along + coefficients @ inputs_along
    square = (
        task.scale**2 * drawn.weights_square
        + 2 * (coefficients * task.problem.first[:n].T).sum(1)
        + (coefficients @ task.problem.products[:n] * coefficients).sum(1)
    )
    return along / np.sqrt(square)[:, None]
