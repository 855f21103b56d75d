"""Parameters of the study of noisy labels."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter

Noise = Literal["uniform", "confused", "lookalike", "human"]


class NoisyLabelsSpec(Spec):
    """Networks trained on the same images with the same ones mislabelled, by mistakes that look more and more human."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    n_train: int = parameter(600, "size of the training set, the same number of each class", "examples", ge=50)
    noises: tuple[Noise, ...] = parameter(
        ("uniform", "confused", "lookalike"),
        "how a wrong label is drawn, from the least to the most like a person's: 'uniform' over the wrong classes; "
        "'confused', by how often a reader confuses the classes; 'lookalike', by what a reader finds most like the "
        "image; 'human', what a person said (CIFAR-10 only)",
        min_length=2,
        max_length=4,
    )
    share: float = parameter(
        0.3,
        "share of the training labels that are wrong; with 'human', as many as people got wrong",
        "fraction",
        gt=0,
        lt=1,
    )
    people: Literal["aggregate", "random1", "random2", "random3", "worse"] = parameter(
        "random1", "whose labels 'human' means: one person's, the majority's, or the worst of three (CIFAR-10N)"
    )
    reader: Literal["trained", "blind"] = parameter(
        "trained", "what 'confused' and 'lookalike' ask: 'trained' on other images, or 'blind' (a null world)"
    )
    reader_examples: int = parameter(100, "images that the reader learned from, none of them trained on", "", ge=20)
    features: Literal["pixels", "patches"] = parameter(
        "pixels",
        "what the network sees: 'pixels', or responses to random 'patches' of the training images, which no label "
        "went into (photographs are read much better so)",
    )
    filters: int = parameter(100, "patches that 'patches' responds to; eight features each", "", ge=1, le=2000)
    test_images: int = parameter(10_000, "size of the test set, or all if there are fewer", "examples", ge=100)
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what is corrupted: 'real' labels, or 'shuffled' ones that mean nothing (a null world)"
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (64,), "widths of the hidden layers", "units", min_length=1, max_length=6
    )
    learning_rate: float = parameter(0.2, "step size of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(2000, "length of the training", "steps", ge=10)
    probes: int = parameter(40, "points along the training at which everything is measured, log-spaced", "", ge=5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Uniform noise is one side of every comparison, and people labelled only one of the data sets."""
        if self.noises[0] != "uniform" or len(set(self.noises)) < len(self.noises):
            raise ValueError(f"parameter noises = {list(self.noises)}: want 'uniform' first, then others, each once")
        if "human" in self.noises and self.dataset != "cifar10":
            raise ValueError(f"parameter noises has 'human', but people labelled cifar10 only, not {self.dataset}")
        if self.features == "patches" and self.dataset == "mnist1d":
            raise ValueError("parameter features = 'patches' is for images; mnist1d has signals: use 'pixels'")
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        return self
