"""Parameters of the study of networks that train on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class Setting(Spec):
    """One network and how it is trained."""

    layers: int = Field(default=1, ge=1, le=6)
    width: int = Field(default=64, ge=1, le=1024)
    noise: float = Field(default=0.4, ge=0, le=0.9)
    optimiser: Literal["momentum", "sgd", "adam"] = "momentum"
    rate: float = Field(default=0.05, gt=0, le=100)


#: Everything that was tried when a second descent in time was looked for, in the order in which it was tried.
SETTINGS = {
    "one layer": Setting(width=128),
    "one layer, less noise": Setting(width=128, noise=0.2),
    "one layer, Adam": Setting(width=256, optimiser="adam", rate=1e-3),
    "two layers": Setting(layers=2),
    "two layers, wide": Setting(layers=2, width=128),
    "two layers, less noise": Setting(layers=2, noise=0.2),
    "two layers, small steps": Setting(layers=2, rate=0.01),
    "two layers, Adam": Setting(layers=2, optimiser="adam", rate=1e-3),
    "three layers": Setting(layers=3),
    "three layers, small steps": Setting(layers=3, rate=0.02),
    "three layers, no momentum": Setting(layers=3, optimiser="sgd", rate=0.2),
    "three layers, narrow": Setting(layers=3, width=32),
    "four layers": Setting(layers=4),
}
SettingName = Literal[tuple(SETTINGS)]


class EpochDescentSpec(Spec):
    """Networks that are wide enough to fit wrong labels, watched for a long time."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    watched: tuple[SettingName, ...] = parameter(
        ("three layers", "three layers, small steps"),
        "the settings that are trained, of those that were tried; claims are about the first two",
        min_length=1,
        max_length=len(SETTINGS),
    )
    noise_factor: float = parameter(1.0, "multiple of each setting's share of wrong labels", "", ge=0, le=2)
    epoch_examples: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=50)
    epoch_batch: int = parameter(100, "examples in one gradient step", "examples", ge=1)
    epoch_steps: int = parameter(3000, "gradient steps", "steps", ge=20, le=10**7)
    epoch_checks: int = parameter(40, "points along the training at which errors are measured, log-spaced", "", ge=6)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """A setting is watched once, and a batch is part of the training set."""
        if len(set(self.watched)) < len(self.watched):
            raise ValueError(f"parameter watched = {list(self.watched)}: want each setting once")
        if self.epoch_batch > self.epoch_examples:
            raise ValueError(
                f"parameter epoch_batch = {self.epoch_batch}: want at most epoch_examples = {self.epoch_examples}"
            )
        return self
