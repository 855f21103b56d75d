"""Massive label noise: every image once with its own label, and many times with a random one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.recipes import Linear
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Growing, Images, Labels, Watch

Count = Annotated[int, Field(ge=1)]
Copies = Annotated[int, Field(ge=0, le=200)]

#: How many times the right labels the examples are whose gradients are compared: those with the right ones come first.
COMPARED = 4
COHERENCE = ("m-coherence at equal size", "gradient cosine")


class MassiveNoiseSpec(Dataset, Descent):
    """Images with their right labels, drowned in copies with random ones (Rolnick et al., 2017)."""

    n_train: int = parameter(1000, "images, each of them once with its own label", "examples", ge=50)
    fewer: Growing[Count] = parameter(
        (250,), "smaller numbers of images, compared at no dilution and at the one studied", "examples", max_length=4
    )
    copies: Growing[Copies] = parameter(
        (0, 1, 5, 20, 100), "copies of each image with a label drawn uniformly over all classes", "", min_length=1
    )
    dilution: int = parameter(20, "copies at which images, batches and gradients are compared", "", ge=0, le=200)
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what is diluted: 'real' labels, or 'shuffled' ones that mean nothing (a negative control)"
    )
    copy_labels: Literal["random", "right"] = parameter(
        "random", "what the copies are labelled with: 'random' labels, or the 'right' ones too (a negative control)"
    )
    width: int = parameter(32, "units of the one hidden layer", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.2, "first learning rate, from where it falls linearly to zero", "", gt=0, le=100)
    batch_size: int = parameter(250, "examples in one gradient step", "examples", ge=1)
    other_batches: Growing[Count] = parameter(
        (25,), "other batch sizes, compared at no dilution and at the one studied", "examples", max_length=4
    )
    steps: int = parameter(500, "gradient steps, however many examples there are", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(12, "log-spaced steps at which everything is measured", "", ge=5)

    def training_sets(self) -> Sequence[int]:
        """The numbers of images; a batch is not larger than any."""
        return (self.n_train, *self.fewer)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Fewer images are fewer, and every batch is part of every training set."""
        if self.fewer and self.fewer[-1] >= self.n_train:
            raise ValueError(f"parameter fewer = {list(self.fewer)}: want less than n_train = {self.n_train}")
        least, batches = min(self.training_sets()), self.other_batches
        if batches and batches[-1] > least:
            raise ValueError(f"parameter other_batches = {list(batches)}: want at most {least}, the fewest images")
        return self


def design(spec: MassiveNoiseSpec) -> Design:
    """A condition for each dilution, and at two of them for fewer images and for other batches."""
    at, dilutions = LogSpaced(spec.n_measurements), (0, spec.dilution)
    network, labels = MLP((spec.width,)), Labels().shuffled() if spec.labels == "shuffled" else Labels()
    compared = (spec.n_train, spec.dilution, spec.batch_size)
    accuracy = Watch(("test accuracy",), at)
    few = min(COMPARED, 1 + spec.dilution) * spec.n_train
    coherence = Watch(COHERENCE, at, groups=("clean", "corrupted"), examples=few)

    def diluted(copies: int) -> Labels:
        return labels.diluted(copies).corrected() if spec.copy_labels == "right" else labels.diluted(copies)

    def condition(images: int, copies: int, batch_size: int) -> Condition:
        watched = (images, copies, batch_size) == compared and spec.dilution
        return Condition(
            {"images": images, "copies": copies, "batch size": batch_size},
            Images(spec.dataset, images, diluted(copies)),
            network,
            spec.recipe(batch_size=batch_size, schedule=Linear()),
            watch=(accuracy, coherence) if watched else (accuracy,),
            facts=("classes",),
        )

    settings = [(spec.n_train, copies, spec.batch_size) for copies in spec.copies]
    settings += [(images, copies, spec.batch_size) for images in (*spec.fewer, spec.n_train) for copies in dilutions]
    settings += [(spec.n_train, copies, batch) for batch in spec.other_batches for copies in dilutions]
    return Design(condition(*setting) for setting in dict.fromkeys(settings))
