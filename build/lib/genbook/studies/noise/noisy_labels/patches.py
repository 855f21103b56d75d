"""Features of photographs that no label went into: how much each quarter of an image looks like random patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SIZE, STRIDE = 6, 2
#: Patches that the whitening is estimated from, and what is added to their variances, by contrast and by component.
SAMPLE, CONTRAST, RIDGE = 20_000, (10 / 255) ** 2, 0.1
#: A response below this counts as none.
THRESHOLD = 0.25
#: Images at a time.
_CHUNK = 100


@dataclass(frozen=True)
class PatchFilters:
    """Whitened random patches as filters, their rectified responses averaged over the four quarters of an image.

    Coates, Ng and Lee (2011), with random patches in the place of learned ones (Coates and Ng, 2011): fixed features
    under which a network of dense layers reads photographs far better than from pixels.
    """

    mean: np.ndarray
    filters: np.ndarray

    @classmethod
    def draw(cls, images: np.ndarray, number: int, rng: np.random.Generator) -> PatchFilters:
        """``number`` filters from ``images`` [n, channels, height, width]."""
        windows = _windows(images, 1)
        places = [rng.integers(0, size, SAMPLE) for size in windows.shape[:3]]
        patches = _contrast_normalised(windows[tuple(places)].reshape(SAMPLE, -1))
        mean = patches.mean(0)
        variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
        whitening = axes / np.sqrt(variances + RIDGE) @ axes.T
        chosen = (patches[:number] - mean) @ whitening
        chosen /= np.linalg.norm(chosen, axis=1, keepdims=True)
        return cls(mean.astype(np.float32), (whitening @ chosen.T).astype(np.float32))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features [n, 8 * number]: for each quarter of an image, mean positive and mean negative responses."""
        return np.concatenate([self._of(images[k : k + _CHUNK]) for k in range(0, len(images), _CHUNK)])

    def _of(self, images: np.ndarray) -> np.ndarray:
        windows = _windows(images, STRIDE)
        n, rows, columns = windows.shape[:3]
        patches = _contrast_normalised(windows.reshape(n * rows * columns, -1))
        responses = ((patches - self.mean) @ self.filters).reshape(n, rows, columns, -1)
        top, left = rows // 2, columns // 2
        quarters = [
            responses[:, down, across]
            for down in (slice(top), slice(top, None))
            for across in (slice(left), slice(left, None))
        ]
        pooled = [np.maximum(sign * part - THRESHOLD, 0).mean((1, 2)) for sign in (1, -1) for part in quarters]
        return np.concatenate(pooled, axis=1)


def features(
    images: np.ndarray, others: np.ndarray, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Standardised features [n, 8 * number] of ``images``, which the filters are drawn from, and of ``others``."""
    respond = PatchFilters.draw(images, number, rng)
    own, other = respond(images), respond(others)
    mean, std = own.mean(0), own.std(0) + 1e-6
    return (own - mean) / std, (other - mean) / std


def _windows(images: np.ndarray, stride: int) -> np.ndarray:
    """Every patch of ``images`` as a view, [n, rows, columns, channels, SIZE, SIZE]."""
    windows = sliding_window_view(images, (SIZE, SIZE), axis=(2, 3))[:, :, ::stride, ::stride]
    return windows.transpose(0, 2, 3, 1, 4, 5)


def _contrast_normalised(patches: np.ndarray) -> np.ndarray:
    """Patches [n, d] of mean zero and, up to a constant against division by zero, of variance one."""
    centred = patches - patches.mean(1, keepdims=True)
    return centred / np.sqrt(centred.var(1, keepdims=True) + CONTRAST)
