"""A network with normalised layers, trained without momentum, with it, and with momentum but for its radial part."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Design, Images, Watch
from genbook.experiments.specs import HiddenWidths
from genbook.studies.batches.shared import check_batch

_NORMS = Watch(("weight norm",), LogSpaced(24), layers=True)
_LEARNED = Watch(("train loss", "train accuracy", "test accuracy"), LogSpaced(24))


class ProjectedMomentumSpec(Dataset):
    """A fully connected network whose hidden layers are normalised by batch."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    hidden: HiddenWidths = parameter((16, 16), "widths of the hidden layers", "units", min_length=1, max_length=4)
    normalised: bool = parameter(True, "whether hidden layers are normalised by batch (off is a negative control)")
    batch_size: int = parameter(
        100, "examples in one gradient step, at most the training set (few are a negative control)", "examples", ge=2
    )
    learning_rate: float = parameter(
        1.0, "learning rate of momentum, over one minus momentum: that of plain descent", "", gt=0, le=100
    )
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    delta: float = parameter(
        0.1, "δ of the projection: the larger, the more weights count as scale-invariant", "", gt=0
    )
    steps: int = parameter(150, "gradient steps", "steps", ge=10, le=10**6)

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        check_batch(self, "batch_size")
        return self

    @property
    def hidden_weights(self) -> tuple[str, ...]:
        """Names of the weights of hidden layers: scale-invariant where these are normalised."""
        apart = 3 if self.normalised else 2
        return tuple(f"{apart * layer}.weight" for layer in range(len(self.hidden)))


def design(spec: ProjectedMomentumSpec) -> Design:
    """Three trainings of a seed, in which a constant gradient would move the weights equally fast."""
    rate = spec.learning_rate * (1 - spec.momentum)
    optimisers = {
        "plain": SGD(spec.learning_rate),
        "momentum": SGD(rate, spec.momentum),
        "projected": SGD(rate, spec.momentum, projected=spec.delta),
    }
    network = MLP(spec.hidden, norm="batch" if spec.normalised else None)
    images = Images(spec.dataset, spec.n_train)
    return Design(
        Condition({"run": run}, images, network, Recipe(spec.steps, optimiser, spec.batch_size), (_NORMS, _LEARNED))
        for run, optimiser in optimisers.items()
    )
