"""What the studies of XOR share: a two-layer ReLU network and full-batch descent in the span of the training inputs.

The network is f(x) = Σ_j a_j max(⟨w_j, x⟩, 0) with a_j = ±1/√m frozen, trained on the mean logistic loss (Xu, Wang,
Frei, Vardi and Hu, 2024). Every gradient of w_j is a combination of the training inputs, so W_t = W_0 + A_t X with
A_t [m, n], and inner products of the inputs are all that descent needs: a step costs n² m operations whatever the
dimension is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from genbook.base.spec import Spec, parameter
from genbook.tables.quantities import meanings
from genbook.tables.readings import curve

#: Two labels, equally frequent.
CHANCE = 0.5

#: What `accuracies` measures, with meanings.
QUANTITIES = {
    **meanings("train accuracy"),
    "train accuracy, clean": "the same, of the examples with their true label",
    "train accuracy, flipped": "the same, of the examples with a flipped label",
    "train loss": "mean logistic loss on the training labels as given",
    "test accuracy": "fraction of fresh examples that are classified by the true rule",
    "test accuracy, linear part": "the same, by the linear part of the network alone",
    "test accuracy, even part": "the same, by the even part alone",
}


class XorSpec(Spec):
    """The network, how it starts and learns, and how many labels are wrong."""

    width: int = parameter(300, "hidden units, m, half of either sign", "units", ge=4, le=10_000, multiple_of=2)
    noise: float = parameter(0.15, "fraction of the training labels that are flipped", "fraction", ge=0, lt=0.5)
    margin: float = parameter(
        0.05, "learning rate, as the margin y f that one step gives to an average training example", ge=1e-5, le=1000
    )
    init_scale: float = parameter(
        0.001,
        "size of the initial pre-activations over what the first step adds to those of an example",
        ge=1e-5,
        le=1e4,
    )
    n_test: int = parameter(400, "test examples", "examples", ge=50, le=10**4)

    def learning_rate(self, square: float) -> float:
        """The learning rate that gives the wanted margin to ``n_train`` examples of squared length ``square``."""
        return 8 * self.n_train * self.margin / square  # n_train: of the study's own spec

    def init_deviation(self, square: float) -> float:
        """The standard deviation of the initial weights."""
        return self.init_scale * 4 * self.margin / np.sqrt(self.width * square)

    def flipped(self) -> int:
        """How many of the training labels are flipped."""
        return round(self.noise * self.n_train)


@dataclass(frozen=True)
class Problem:
    """What descent sees of N points of which the first n are trained on.

    ``products`` [N, n]: ⟨x, x_i⟩. ``first`` [N, m]: the pre-activations ⟨w_j, x⟩ at the start. ``labels`` [n]: ±1. All
    of one floating type, in which descent computes.
    """

    products: np.ndarray
    first: np.ndarray
    labels: np.ndarray

    @property
    def head(self) -> np.ndarray:
        """The frozen second layer a, [m]: +1/√m and −1/√m in turn."""
        m = self.first.shape[1]
        return (np.resize([1.0, -1.0], m) / np.sqrt(m)).astype(self.first.dtype)


@dataclass(frozen=True)
class State:
    """The network after ``step`` steps: the coefficients A [m, n] and all pre-activations [N, m]."""

    step: int
    coefficients: np.ndarray
    hidden: np.ndarray


def parts(hidden: np.ndarray, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear and even part of the output, [N] each: max(z, 0) is z/2 + |z|/2, and no term but these two."""
    return hidden @ head / 2, np.abs(hidden) @ head / 2


def slopes(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """−ℓ'(y f) of each example: 1/2 at f = 0, nothing where the margin is large, [n]."""
    return expit(-labels * outputs)


def measured_steps(steps: int) -> list[int]:
    """Steps at which to measure: the first five, then about eight a decade, and the last."""
    spaced = np.geomspace(1, steps, 1 + int(8 * np.log10(steps))).round().astype(int)
    return sorted({*range(min(6, steps + 1)), *spaced.tolist()})


def descend(problem: Problem, learning_rate: float, at: Sequence[int]) -> Iterator[State]:
    """Gradient descent with a constant learning rate; the states after the numbers of steps ``at``, ascending."""
    n, head = len(problem.labels), problem.head
    gram, first = problem.products[:n], problem.first[:n]
    coefficients = np.zeros((len(head), n), first.dtype)
    for step in range(max(at) + 1):
        hidden = first + gram @ coefficients.T
        if step in at:
            yield State(step, coefficients.copy(), problem.first + problem.products @ coefficients.T)
        pull = slopes(np.maximum(hidden, 0) @ head, problem.labels) * problem.labels / n
        coefficients += (learning_rate * head)[:, None] * ((hidden > 0) * pull[:, None]).T


def one_step(problem: Problem, learning_rate: float) -> np.ndarray:
    """What one step from a vanishing start gives in the limit of many units: (η/8n) Σ_i y_i ⟨x_i, x⟩, [N].

    Each unit moves by η a_j/(2n) Σ_i y_i 1[⟨w_j, x_i⟩ > 0] x_i. A unit of either sign sees each example with
    probability 1/2, and max(s, 0) − max(−s, 0) = s leaves the mean of s alone.
    """
    return learning_rate / (8 * len(problem.labels)) * problem.products @ problem.labels


def accuracies(problem: Problem, state: State, truth: np.ndarray, flipped: np.ndarray) -> dict[str, float]:
    """What the network, its linear and its even part get right: of the labels as given, and of the true fresh ones.

    ``truth`` [N]: labels before flips. ``flipped`` [n]. What comes after the first n is fresh.
    """
    n, labels = len(problem.labels), problem.labels
    linear, even = parts(state.hidden, problem.head)
    fitted, fresh = (linear + even)[:n] * labels, truth[n:]
    found = {
        "train accuracy": np.mean(fitted > 0),
        "train loss": np.logaddexp(0, -fitted).mean(),
        "test accuracy": np.mean((linear + even)[n:] * fresh > 0),
        "test accuracy, linear part": np.mean(linear[n:] * fresh > 0),
        "test accuracy, even part": np.mean(even[n:] * fresh > 0),
    }
    for group, mask in (("clean", ~flipped), ("flipped", flipped)):
        if mask.any():
            found[f"train accuracy, {group}"] = np.mean(fitted[mask] > 0)
    return found


def gradient_gram(problem: Problem, state: State) -> np.ndarray:
    """Inner products of the per-example gradients, [n, n]: (σ_i y_i)(σ_k y_k) ⟨x_i, x_k⟩ Σ_j a_j² 1[both active]."""
    n, head = len(problem.labels), problem.head
    hidden = state.hidden[:n]
    active = (hidden > 0) * np.abs(head)
    pull = slopes(np.maximum(hidden, 0) @ head, problem.labels) * problem.labels
    return np.outer(pull, pull) * problem.products[:n] * (active @ active.T)


def after(table: pd.DataFrame, quantity: str, step: int | None = None, **where: object) -> pd.Series:
    """A quantity after ``step`` steps, or at the end of the run, by seed; NaN where it was not measured."""
    values = curve(table, quantity, **where)
    if step is not None:
        values = values[values.index.get_level_values("step") == step]
    return values.groupby("seed").last().reindex(np.sort(table["seed"].unique()))


def mean_course(table: pd.DataFrame, quantity: str, **where: object) -> pd.Series:
    """A quantity along training, mean over seeds, by step; empty where it was not measured."""
    return curve(table, quantity, **where).groupby("step").mean()
