"""Parameters of a network that is trained with several schedules of the learning rate, one made of gradients."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from genbook.base.recipes import SGD, Listed, Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtFractions, AtSteps
from genbook.experiments import MLP, Condition, Dataset, Fraction, Growing, HiddenWidths, Images, Labels, Watch
from genbook.studies.batches.shared import check_batch

#: Steps of the first run at which gradients are measured, as a number of equal parts of it.
MEASURED = 100


class NetworkSchedulesSpec(Dataset):
    """A small network on images some of whose labels are wrong, so that its gradients never die."""

    n_train: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=20)
    hidden: HiddenWidths = parameter((16,), "widths of the hidden layers", "units", min_length=1, max_length=4)
    noise: Fraction = parameter(0.05, "fraction of wrong training labels", "fraction")
    batch_size: int = parameter(20, "examples in one gradient step, at most the training set", "examples", ge=1)
    steps: int = parameter(1000, "gradient steps", "steps", ge=20, le=10**5)
    peaks: Growing[Annotated[float, Field(gt=0, le=1e3)]] = parameter(
        (0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8, 1.12),
        "learning rates that schedules multiply; far smaller ones are a negative control",
        "",
        min_length=2,
    )
    window: Fraction = parameter(0.1, "width of the running median of gradient norms, over the steps", "fraction")

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        check_batch(self, "batch_size")
        return self

    def condition(self, schedule: str, factors: tuple[float, ...], peak: float, watch: Watch) -> Condition:
        """A network trained with a schedule, one factor for each step, at a peak."""
        return Condition(
            {"schedule": schedule, "peak": peak},
            Images(self.dataset, self.n_train, Labels().wrong(self.noise)),
            MLP(self.hidden),
            Recipe(self.steps, SGD(peak), self.batch_size, schedule=Listed(factors)),
            (watch,),
        )


#: What is measured of gradients along the first run, and of what was learned at the end of every run.
GRADIENTS = Watch(
    ("gradient norm", "m-coherence", "train loss"),
    AtFractions(tuple(part / MEASURED for part in range(MEASURED + 1)), end=True),
)
LEARNED = Watch(("train loss", "test loss", "test accuracy"), AtSteps((), end=True))
