"""Networks that fit wrong labels, trained for long after they have fitted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import model_validator

from genbook.base.recipes import SGD, Adam, Recipe
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Design, Images, Labels, Watch

_USUAL = SGD(0.05, momentum=0.9)


@dataclass(frozen=True)
class Setting:
    """One network, how it is trained, and the fraction of wrong labels."""

    layers: int = 1
    width: int = 64
    noise: float = 0.4
    optimiser: SGD | Adam = _USUAL


#: Everything that was tried when a second descent in time was looked for, in the order in which it was tried.
SETTINGS = {
    "one layer": Setting(width=128),
    "one layer, less noise": Setting(width=128, noise=0.2),
    "one layer, Adam": Setting(width=256, optimiser=Adam(1e-3)),
    "two layers": Setting(layers=2),
    "two layers, wide": Setting(layers=2, width=128),
    "two layers, less noise": Setting(layers=2, noise=0.2),
    "two layers, small steps": Setting(layers=2, optimiser=SGD(0.01, momentum=0.9)),
    "two layers, Adam": Setting(layers=2, optimiser=Adam(1e-3)),
    "three layers": Setting(layers=3),
    "three layers, small steps": Setting(layers=3, optimiser=SGD(0.02, momentum=0.9)),
    "three layers, no momentum": Setting(layers=3, optimiser=SGD(0.2)),
    "three layers, narrow": Setting(layers=3, width=32),
    "four layers": Setting(layers=4),
}
SettingName = Literal[tuple(SETTINGS)]


class EpochDescentSpec(Dataset):
    """Networks that are wide enough to fit wrong labels, watched for a long time."""

    settings: tuple[SettingName, ...] = parameter(
        ("three layers", "three layers, small steps"),
        "the settings that are trained, of those that were tried; claims are about the first two",
        min_length=1,
        max_length=len(SETTINGS),
    )
    noise_factor: float = parameter(1.0, "multiple of each setting's fraction of wrong labels", "", ge=0, le=2)
    n_train: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=50)
    batch_size: int = parameter(100, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(3000, "gradient steps", "steps", ge=20, le=10**7)
    n_measurements: int = parameter(40, "points along the training at which errors are measured, log-spaced", "", ge=6)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """A setting is trained once, and a batch is part of the training set."""
        if len(set(self.settings)) < len(self.settings):
            raise ValueError(f"parameter settings = {list(self.settings)}: want each setting once")
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        return self


def design(spec: EpochDescentSpec) -> Design:
    """A condition for each setting, on one training set."""
    watch = Watch(("train accuracy", "train loss", "test accuracy", "test loss"), LogSpaced(spec.n_measurements))
    chosen = {name: SETTINGS[name] for name in spec.settings}
    return Design(
        Condition(
            {"setting": name},
            Images(spec.dataset, spec.n_train, Labels().wrong(min(0.9, spec.noise_factor * setting.noise))),
            MLP((setting.width,) * setting.layers),
            Recipe(spec.steps, setting.optimiser, spec.batch_size),
            (watch,),
        )
        for name, setting in chosen.items()
    )
