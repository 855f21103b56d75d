"""Training and test sets whose examples are noisy images, patches that tell the class, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from genbook import data
from genbook.base.seeding import generator
from genbook.studies.steps.memorisable_patches.spec import MemorisablePatchesSpec

#: What an example shows: the image, the patch, or both.
Shown = Literal["image", "patch", "both"]
KINDS: tuple[Shown, ...] = ("image", "patch", "both")
#: Rows of the strip above the image that holds the patch.
ROWS = 2


@dataclass(frozen=True)
class Drawn:
    """The sets of one seed: inputs [n, d] of the strip's pixels and then the image's, labels [n].

    Attributes:
        inputs, labels: the training set with patches.
        shown: which of `KINDS` each of its examples is, by place.
        unpatched: its images without any patch; where an example shows no image, zeros.
        tests: by kind, all test images shown so.
        test_labels: their labels.
        shape: of an image with the strip above it.
    """

    inputs: np.ndarray
    labels: np.ndarray
    shown: np.ndarray
    unpatched: np.ndarray
    tests: dict[Shown, np.ndarray]
    test_labels: np.ndarray
    shape: tuple[int, int]


def draw(spec: MemorisablePatchesSpec, seed: int) -> Drawn:
    """The training set and the test sets of one seed.

    A patch is z + s ζ of the class, with z of all and the ζ of the ten classes drawn once a seed and the sign s for
    each example: no linear function of the patch tells the class.
    """
    dataset = data.load(spec.dataset)
    split = data.split(dataset, seed, spec.n_train, flat=True)
    noise, rng = generator(seed, "pixel noise"), generator(seed, "patches")
    images = [_noisy(part.inputs.numpy(), spec, noise) for part in (split.train, split.test)]
    labels, test_labels = split.train.labels.numpy(), split.test.labels.numpy()
    strip = ROWS * dataset.shape[-1]
    common = spec.common * rng.standard_normal(strip)
    own = spec.own * rng.standard_normal((split.n_classes, strip))
    shown = rng.permutation(_kinds(spec))

    def patched(images: np.ndarray, labels: np.ndarray, shown: np.ndarray) -> np.ndarray:
        sign = rng.choice([-1.0, 1.0], len(labels))
        patches = common + sign[:, None] * own[labels]
        return _side_by_side(patches * (shown != "image")[:, None], images * (shown != "patch")[:, None])

    return Drawn(
        patched(images[0], labels, shown),
        labels,
        shown,
        _side_by_side(np.zeros((len(labels), strip)), images[0] * (shown != "patch")[:, None]),
        {kind: patched(images[1], test_labels, np.full(len(test_labels), kind)) for kind in KINDS},
        test_labels,
        (ROWS + dataset.shape[-2], dataset.shape[-1]),
    )


def _kinds(spec: MemorisablePatchesSpec) -> np.ndarray:
    """What each training example shows, before they are mixed."""
    images, patches = round(spec.bare * spec.n_train), round(spec.alone * spec.n_train)
    return np.repeat(KINDS, (images, patches, spec.n_train - images - patches))


def _noisy(images: np.ndarray, spec: MemorisablePatchesSpec, rng: np.random.Generator) -> np.ndarray:
    """Standardised images with noise, scaled so that their pixels vary by the contrast."""
    scale = spec.contrast / np.hypot(1, spec.pixel_noise)
    return scale * (images + spec.pixel_noise * rng.standard_normal(images.shape))


def _side_by_side(patches: np.ndarray, images: np.ndarray) -> np.ndarray:
    return np.hstack([patches, images]).astype(np.float32)
