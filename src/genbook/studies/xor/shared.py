"""Full-batch descent on the hidden layer of a two-layer ReLU network, in the span of the training inputs.

The network is f(x) = Σ_j a_j max(⟨w_j, x⟩, 0) with a_j = ±1/√m frozen, trained on the mean logistic loss (Xu, Wang,
Frei, Vardi and Hu, 2024). Every gradient of w_j is a combination of the training inputs, so W_t = W_0 + A_t X with
A_t [m, n], and inner products of the inputs are all that descent needs: a step costs n² m operations whatever the
dimension is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit


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


def shown_steps(steps: int) -> list[int]:
    """Steps at which to measure: the first five, then about eight a decade, and the last."""
    spaced = np.geomspace(1, steps, 1 + int(8 * np.log10(steps))).round().astype(int)
    return sorted({*range(min(6, steps + 1)), *spaced.tolist()})


def descend(problem: Problem, step_size: float, shown: Sequence[int]) -> Iterator[State]:
    """Gradient descent with a constant step size; the states after the ``shown`` numbers of steps, ascending."""
    n, head = len(problem.labels), problem.head
    gram, first = problem.products[:n], problem.first[:n]
    coefficients = np.zeros((len(head), n), first.dtype)
    for step in range(max(shown) + 1):
        hidden = first + gram @ coefficients.T
        if step in shown:
            yield State(step, coefficients.copy(), problem.first + problem.products @ coefficients.T)
        pull = slopes(np.maximum(hidden, 0) @ head, problem.labels) * problem.labels / n
        coefficients += (step_size * head)[:, None] * ((hidden > 0) * pull[:, None]).T


def one_step(problem: Problem, step_size: float) -> np.ndarray:
    """What one step from a vanishing start gives in the limit of many units: (η/8n) Σ_i y_i ⟨x_i, x⟩, [N].

    Each unit moves by η a_j/(2n) Σ_i y_i 1[⟨w_j, x_i⟩ > 0] x_i. A unit of either sign sees each example with
    probability 1/2, and max(s, 0) − max(−s, 0) = s leaves the mean of s alone.
    """
    return step_size / (8 * len(problem.labels)) * problem.products @ problem.labels


def accuracies(problem: Problem, state: State, truth: np.ndarray, flipped: np.ndarray) -> dict[str, float]:
    """What the network, its linear and its even part get right: of the labels as given, and of the true fresh ones.

    ``truth`` [N]: labels before flips. ``flipped`` [n]. The points after the first n are fresh.
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
