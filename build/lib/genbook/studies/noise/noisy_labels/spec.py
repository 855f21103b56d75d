"""Parameters of the study of noisy labels."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from genbook.base.spec import parameter
from genbook.data import HumanKind
from genbook.experiments import Dataset, Descent, HiddenWidths
from genbook.studies.noise.shared import check_some_wrong

Mistakes = Literal["uniform", "confused", "lookalike", "human"]


class NoisyLabelsSpec(Dataset, Descent):
    """Networks trained on the same images with the same ones mislabelled, by mistakes that look more and more human."""

    n_train: int = parameter(600, "size of the training set, the same number of each class", "examples", ge=50)
    mistakes: tuple[Mistakes, ...] = parameter(
        ("uniform", "confused", "lookalike"),
        "how a wrong label is drawn, from the least to the most like a person's: 'uniform' over the wrong classes; "
        "'confused', by how often an annotator confuses the classes; 'lookalike', by what an annotator finds most like "
        "the image; 'human', what a person said (CIFAR-10 only)",
        min_length=2,
        max_length=4,
    )
    noise: float = parameter(
        0.3,
        "fraction of the training labels that are wrong; with 'human', as many as people got wrong",
        "fraction",
        gt=0,
        lt=1,
    )
    people: HumanKind = parameter(
        "random1", "whose labels 'human' means: one person's, the majority's, or the worst of three (CIFAR-10N)"
    )
    annotator: Literal["trained", "uninformed"] = parameter(
        "trained",
        "whom 'confused' and 'lookalike' ask: one 'trained' on other images, or an 'uninformed' one (a control)",
    )
    annotator_examples: int = parameter(
        100, "images that the annotator learned from, none of them trained on", "examples", ge=20
    )
    features: Literal["pixels", "patches"] = parameter(
        "pixels",
        "what the network sees: 'pixels', or responses to random 'patches' of the training images, which no label "
        "went into (photographs are read much better so)",
    )
    filters: int = parameter(100, "patches that 'patches' responds to; eight features each", "", ge=1, le=2000)
    n_test: int = parameter(10_000, "size of the test set, or all if there are fewer", "examples", ge=100)
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what is corrupted: 'real' labels, or 'shuffled' ones that mean nothing (a control)"
    )
    hidden: HiddenWidths = parameter((64,), "widths of the hidden layers", "units", min_length=1, max_length=6)
    learning_rate: float = parameter(0.2, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(2000, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(40, "log-spaced steps at which everything is measured", "", ge=5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Uniform mistakes are one side of every comparison, and people labelled only one of the data sets."""
        check_some_wrong(self.noise, self.n_train)
        if self.mistakes[0] != "uniform" or len(set(self.mistakes)) < len(self.mistakes):
            raise ValueError(
                f"parameter mistakes = {list(self.mistakes)}: want 'uniform' first, then others, each once"
            )
        if "human" in self.mistakes and self.dataset != "cifar10":
            raise ValueError(f"parameter mistakes has 'human', but people labelled cifar10 only, not {self.dataset}")
        if self.features == "patches" and self.dataset == "mnist1d":
            raise ValueError("parameter features = 'patches' is for images; mnist1d has signals: use 'pixels'")
        return self
