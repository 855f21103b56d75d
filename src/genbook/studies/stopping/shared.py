"""What the studies of early stopping share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.studies import other_images


def other_images_that_suffice(spec: Any) -> Mapping[str, Any]:
    """The replication's data: other images, and no more for training than digits have, where it is digits."""
    changes = other_images(spec)
    return {**changes, "n_train": min(spec.n_train, 1000)} if changes["dataset"] == "digits" else changes
