"""Random features of a seed, and everything full-batch descent needs to know of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from genbook import data
from genbook.base.seeding import INITIALISATION, generator
from genbook.studies.descent.random_features.spec import FeatureMap, RandomFeaturesSpec

#: Modes whose singular value is below this fraction of the largest are rounding errors.
_RANK = 1e-10
#: Ratio of the largest to the smallest scale of uneven features.
_SPREAD = 100.0


@dataclass(frozen=True)
class Sample:
    """Inputs and one-hot targets of a seed: training ones with the wrong labels among them, validation, test.

    ``inputs``: by part, [., d], centred on the training inputs, of mean square 1. ``targets``: by part, [., C], centred
    and scaled so that their squared length is 1. ``labels``: the true ones by part, [.]. ``clean_targets``: of the
    training inputs' true labels, [n, C].
    """

    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    clean_targets: np.ndarray


@dataclass(frozen=True)
class Modes:
    """Features in the coordinates of their singular vectors, in which descent moves each coordinate by itself.

    ``left``: [n, r]. ``singular``: [r], descending. ``elsewhere``: by part, features of other inputs along the right
    singular vectors, [m, r]. ``right``: [k, r]. ``others``: by part, those features themselves, [m, k].
    """

    left: np.ndarray
    singular: np.ndarray
    right: np.ndarray
    elsewhere: dict[str, np.ndarray]
    others: dict[str, np.ndarray]

    @property
    def eigenvalues(self) -> np.ndarray:
        """Of the Hessian of the loss ½ mean‖ΦW − Y‖², the zeros left out, [r] descending."""
        return self.singular**2 / len(self.left)

    @property
    def condition(self) -> float:
        """Largest over smallest nonzero eigenvalue."""
        return float((self.singular[0] / self.singular[-1]) ** 2)

    @property
    def unit(self) -> float:
        """What a ridge is measured in: the mean over the n examples of the Hessian's eigenvalues."""
        return float(self.eigenvalues.sum() / len(self.left))

    def outputs(self, moved: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs [., C] on training and test inputs of a network with these coefficients [r, C] along the modes."""
        return {"train": (self.left * self.singular) @ moved, "test": self.elsewhere["test"] @ moved}


def drawn(spec: RandomFeaturesSpec, seed: int, examples: int) -> Sample:
    """The sample of a seed; more examples contain the fewer."""
    dataset = data.load(spec.dataset)
    found = data.split(dataset, seed, examples, spec.held_out, flat=True, standardise="none")
    parts = {"train": found.train, "validation": found.validation, "test": found.test}
    inputs = {name: part.inputs.numpy().astype(np.float64) for name, part in parts.items()}
    centre = inputs["train"].mean(0)
    scale = np.sqrt(((inputs["train"] - centre) ** 2).mean())
    labels = {name: part.labels.numpy() for name, part in parts.items()}
    classes = dataset.n_classes
    noisy = data.corrupt(labels["train"], spec.noise, "uniform", seed, classes).labels

    def one_hot(those: np.ndarray) -> np.ndarray:
        return (np.eye(classes)[those] - 1 / classes) / np.sqrt(1 - 1 / classes)

    targets = {name: one_hot(those) for name, those in {**labels, "train": noisy}.items()}
    centred = {name: (part - centre) / scale for name, part in inputs.items()}
    return Sample(centred, targets, labels, one_hot(labels["train"]))


def mapped(sample: Sample, seed: int, width: int, how: FeatureMap, member: int = 0) -> dict[str, np.ndarray]:
    """Features [., width] by part: ReLU of Gaussian projections; fewer features are the first of more.

    ``how``: as they are; each centred with unit variance over the training inputs ('standardised'); each times a scale
    of its own, log-uniform over a factor of 100 ('uneven'). Whitening is done to the modes.
    """
    draw = generator(seed, INITIALISATION if member == 0 else f"member {member}")
    dimension = sample.inputs["train"].shape[1]
    weights = draw.standard_normal((width, dimension)).T / np.sqrt(dimension)
    features = {name: np.maximum(part @ weights, 0) for name, part in sample.inputs.items()}
    if how == "standardised":
        centre, spread = features["train"].mean(0), features["train"].std(0)
        spread = np.where(spread > 0, spread, 1)
        features = {name: (part - centre) / spread for name, part in features.items()}
    if how == "uneven":
        scales = _SPREAD ** -generator(seed, "feature scales").random(width)
        features = {name: part * scales for name, part in features.items()}
    return {name: part / np.sqrt(width) for name, part in features.items()}


def decomposed(features: dict[str, np.ndarray]) -> Modes:
    """The modes of the training features; those that are rounding errors are left out."""
    left, singular, right = np.linalg.svd(features["train"], full_matrices=False)
    kept = singular > _RANK * singular[0]
    others = {name: part for name, part in features.items() if name != "train"}
    elsewhere = {name: part @ right[kept].T for name, part in others.items()}
    return Modes(left[:, kept], singular[kept], right[kept].T, elsewhere, others)


def whitened(modes: Modes) -> Modes:
    """The modes after the linear map of the features that makes all singular values 1."""
    elsewhere = {name: part / modes.singular for name, part in modes.elsewhere.items()}
    others = {name: part @ modes.right.T for name, part in elsewhere.items()}
    return Modes(modes.left, np.ones_like(modes.singular), modes.right, elsewhere, others)


def all_modes(
    sample: Sample, seed: int, width: int, maps: Iterable[FeatureMap], member: int = 0
) -> dict[FeatureMap, Modes]:
    """The modes of each of the ``maps`` at one width; another ``member`` has another random first layer."""
    found: dict[FeatureMap, Modes] = {}
    for how in sorted(set(maps) - {"whitened"} | ({"raw"} if "whitened" in maps else set())):
        found[how] = decomposed(mapped(sample, seed, width, how, member))
    if "whitened" in maps:
        found["whitened"] = whitened(found["raw"])
    return {how: found[how] for how in maps}
