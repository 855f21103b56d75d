"""Going on from where networks were stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from genbook.probes import Accuracy, AtSteps, GradientCoherence, MeanLoss
from genbook.training import Recipe, TrainingResult, train


def go_on(
    stopped: TrainingResult, places: Sequence[int], recipe: Recipe, shares: np.ndarray, device: str
) -> TrainingResult:
    """Train the networks at ``places`` of a training on by another recipe, each from its final weights.

    Accuracy, loss and m-coherence on the training set are measured at the beginning and after ``shares`` of the steps.
    """
    going = [
        replace(stopped.replicas[place], recipe=recipe, initialise=_loader(stopped.states[place])) for place in places
    ]
    at = AtSteps(tuple(sorted({0, *np.round(shares * recipe.steps).astype(int).tolist()})))
    return train(going, [Accuracy(at=at), MeanLoss(at=at), GradientCoherence(at=at)], device)


def _loader(state: dict[str, Tensor]) -> Callable[[nn.Module], object]:
    return lambda model: model.load_state_dict(state)
