"""Descent on pairs of images, bare and next to a canvas of noise, with two classes and with all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from genbook import data
from genbook.base.progress import report
from genbook.base.seeding import CORRUPTION, INITIALISATION, TRAINING_SUBSET, generator
from genbook.studies.xor.shared import Problem, accuracies, descend, measured_steps
from genbook.studies.xor.xor_digits.spec import XorDigitsSpec

COLUMNS = ("seed", "run", "canvas", "step", "quantity", "value")


def run(spec: XorDigitsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: matrices are small."""
    rows = []
    for place, seed in enumerate(seeds):
        for pixels in spec.canvas:
            rows += _one(spec, seed, "two classes", pixels)
        rows += _one(spec, seed, "odd and even", 0)
        report((place + 1) / len(seeds), f"seed {seed}")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sides(spec: XorDigitsSpec, part: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Images of one part of the data, "train" or "test", centred [M, d], and for each the side it stands for, ±1 [M].

    With two classes the centre is the middle between their training means, with all classes the training mean; the
    sides are then odd and even numbers of the class.
    """
    dataset = data.load(spec.dataset)
    train, labels = _flat(dataset.train_inputs), dataset.train_labels
    if kind == "odd and even":
        centre = train.mean(0)
    else:
        centre = np.mean([train[labels == number].mean(0) for number in spec.classes], axis=0)
    if part == "test":
        train, labels = _flat(dataset.test_inputs), dataset.test_labels
    if kind == "odd and even":
        return train - centre, 1.0 - 2 * (labels % 2)
    kept = np.isin(labels, spec.classes)
    return train[kept] - centre, np.where(labels[kept] == spec.classes[0], 1.0, -1.0)


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(float)


def draw_pairs(
    spec: XorDigitsSpec, part: str, kind: str, count: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs side by side, [count, 2 d], and their labels by the spec's rule before flips, ±1 [count].

    The side of either image is drawn first, so that all four combinations are equally likely.
    """
    images, side = sides(spec, part, kind)
    wanted = draw.choice([-1.0, 1.0], (count, 2))
    places = np.array([[draw.choice(np.flatnonzero(side == one)) for one in pair] for pair in wanted])
    rules = {"xor": wanted.prod(1), "separable": wanted[:, 0], "at random": draw.choice([-1.0, 1.0], count)}
    return images[places].reshape(count, -1), rules[spec.labels]


def problem(spec: XorDigitsSpec, seed: int, kind: str, pixels: int) -> tuple[Problem, np.ndarray, np.ndarray, float]:
    """What descent sees, labels before flips [N], which training labels are flipped [n], the learning rate."""
    streams = ((generator(seed, TRAINING_SUBSET), spec.n_train), (generator(seed, "test points"), spec.n_test))
    drawn = [draw_pairs(spec, part, kind, n, draw) for part, (draw, n) in zip(("train", "test"), streams, strict=True)]
    inputs, truth = (np.concatenate(both) for both in zip(*drawn, strict=True))
    noise = generator(seed, "canvas").standard_normal((len(inputs), pixels))
    inputs = np.hstack([inputs, spec.canvas_noise * noise])
    n, square = spec.n_train, np.square(inputs[: spec.n_train]).sum(1).mean()
    weights = generator(seed, INITIALISATION).standard_normal((spec.width, inputs.shape[1]))
    weights *= spec.init_deviation(square)
    flipped = np.isin(np.arange(n), generator(seed, CORRUPTION).permutation(n)[: spec.flipped()])
    found = Problem(inputs @ inputs[:n].T, inputs @ weights.T, np.where(flipped, -truth[:n], truth[:n]))
    return found, truth, flipped, spec.learning_rate(square)


def _one(spec: XorDigitsSpec, seed: int, kind: str, pixels: int) -> Iterator[tuple]:
    found, truth, flipped, learning_rate = problem(spec, seed, kind, pixels)
    for state in descend(found, learning_rate, measured_steps(spec.steps)):
        for quantity, value in accuracies(found, state, truth, flipped).items():
            yield (seed, kind, pixels, state.step, quantity, float(value))
