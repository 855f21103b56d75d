"""The quantities that are measured, in one catalogue: name, meaning, unit and the scale on which each varies by nature.

A table has one row per (seed, condition, step, quantity); the names here are those of its column ``quantity``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genbook.base.stats import Scale

#: The columns that every table of an experiment has besides those of its conditions, with their meanings.
COLUMNS: Mapping[str, str] = {
    "seed": "the seed of the replica",
    "phase": "'training', or the continuation that the training was followed by",
    "step": "gradient steps taken in this phase",
    "epoch": "passes through the training set in this phase",
    "quantity": "what was measured (see the quantities)",
    "group": "'all', or the examples that were measured: 'clean', 'corrupted', 'decoys', a half of a set, or one "
    "example by its place",
    "layer": "'all', or the layer that was measured",
    "value": "the measured value, in the quantity's unit",
}


@dataclass(frozen=True)
class Quantity:
    """What is measured: its name in tables, its meaning in one line, its unit ('' for a pure number), its scale."""

    name: str
    meaning: str
    unit: str = ""
    scale: Scale = "identity"


_ALL = (
    Quantity("train accuracy", "fraction of the training labels, as given, that are predicted", "fraction", "logit"),
    Quantity(
        "train accuracy on true labels", "fraction of the training set's true labels predicted", "fraction", "logit"
    ),
    Quantity("test accuracy", "fraction of the test set's labels that are predicted", "fraction", "logit"),
    Quantity(
        "test accuracy on true labels",
        "fraction of the test set's labels before corruption predicted",
        "fraction",
        "logit",
    ),
    Quantity("train loss", "mean loss on the training labels as given (cross-entropy: in nats)", "nats", "log"),
    Quantity("test loss", "mean loss on the test set (cross-entropy: in nats)", "nats", "log"),
    Quantity(
        "loss spread", "standard deviation of the training examples' losses (cross-entropy: in nats)", "nats", "log"
    ),
    Quantity("example loss", "loss on one training example's label as given (cross-entropy: in nats)", "nats", "log"),
    Quantity("held-out accuracy", "fraction of the held-out labels, as given, that are predicted", "fraction", "logit"),
    Quantity("held-out loss", "mean loss on the held-out labels as given (cross-entropy: in nats)", "nats", "log"),
    Quantity(
        "held-out loss on true labels",
        "mean loss on the held-out examples' true labels (cross-entropy: in nats)",
        "nats",
        "log",
    ),
    Quantity(
        "m-coherence", "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over the training set: how many examples an average example helps", "", "log"
    ),
    Quantity(
        "m-coherence at equal size", "m-coherence of as many examples of the group as the smallest group has", "", "log"
    ),
    Quantity("off-diagonal coherence", "mean gᵢ·gⱼ over pairs i ≠ j, over the mean ‖gᵢ‖²: coherence without 1/m bias"),
    Quantity(
        "fresh coherence",
        "⟨ḡ', ḡ⟩ / ‖ḡ‖² with the held-out mean gradient ḡ': fall of held-out loss for each unit of training loss",
    ),
    Quantity("fresh cosine", "cosine of the mean gradients over the training set and over the held-out examples"),
    Quantity("gradient norm", "norm of the mean gradient over the training set", "", "log"),
    Quantity("largest gradient", "largest norm of a training example's gradient", "", "log"),
    Quantity("gradient cosine", "cosine of the summed gradients of two groups of training examples"),
    Quantity("gradient length", "‖S_g‖, norm of the summed gradients of a group of training examples", "", "log"),
    Quantity("descent", "⟨S, S_g⟩, what a group of training examples contributes to the descent ⟨S, S⟩ of all"),
    Quantity("margin", "median over the training set of the label's output less the largest other one"),
    Quantity(
        "path norm",
        "root of the sum, over all paths from input or bias to output, of the product of their squared weights",
        "",
        "log",
    ),
    Quantity("weight norm", "Euclidean norm of the trained parameters", "", "log"),
    Quantity("distance", "Euclidean distance of the trained parameters from where they started", "", "log"),
    Quantity("sharpness", "largest eigenvalue of the training loss's Hessian", "", "log"),
    Quantity(
        "batch sharpness", "mean over batches of the curvature of the batch's loss along its own gradient", "", "log"
    ),
    Quantity("Hessian trace", "trace of the training loss's Hessian, by Hutchinson's estimator", "", "log"),
    Quantity(
        "AUC of EL2N",
        "chance that a corrupted example's softmax less one-hot is longer than a clean one's; missing without both",
        "fraction",
        "logit",
    ),
    Quantity(
        "AUC of gradient norm",
        "chance that a corrupted example's gradient is longer than a clean one's; missing without both",
        "fraction",
        "logit",
    ),
    Quantity(
        "AUC of loss",
        "chance that a corrupted example's loss is larger than a clean one's; missing without both",
        "fraction",
        "logit",
    ),
    Quantity(
        "AUC of fresh alignment",
        "chance that a corrupted example's gradient is less along the held-out mean gradient than a clean one's",
        "fraction",
        "logit",
    ),
    Quantity(
        "AUC of training alignment",
        "chance that a corrupted example's gradient is less along the other training examples' than a clean one's",
        "fraction",
        "logit",
    ),
    Quantity(
        "steps to fit",
        "steps until the accuracy at which training stops; missing where it was not reached",
        "steps",
        "log",
    ),
    Quantity("wrong labels", "fraction of the training labels that differ from the true ones", "fraction"),
    Quantity("classes", "number of classes", "classes"),
    Quantity("parameters", "number of trained parameters", "parameters", "log"),
)

CATALOGUE: Mapping[str, Quantity] = {quantity.name: quantity for quantity in _ALL}

#: What there is one number of per network, known without measuring along the way.
FACTS = ("steps to fit", "wrong labels", "classes", "parameters")


def check(names: Iterable[str]) -> None:
    """Refuse a name that is not in the catalogue; raises `ValueError` with the names that are."""
    for name in names:
        if name not in CATALOGUE:
            raise ValueError(f"no quantity is called {name!r}; the catalogue has {', '.join(CATALOGUE)}")


def meanings(*names: str) -> dict[str, str]:
    """The quantities' meanings by name, for a study's documentation; raises `ValueError` for an unknown name."""
    check(names)
    return {name: CATALOGUE[name].meaning for name in names}


def name_of(quantity: str, on: str, labels: str) -> str:
    """The catalogue's name of what a probe calls ``quantity``, measured on a set of examples by labels given or true.

    ``name_of("accuracy", "train", "true")`` is ``"train accuracy on true labels"``; what is always measured on the
    training set, or on no examples, has its own name alone.
    """
    if quantity not in ("accuracy", "loss"):
        return quantity if on in ("", "train") else f"{on} {quantity}"
    return f"{on} {quantity}" + (" on true labels" if labels == "true" else "")
