"""What the studies of wrong labels share."""

from __future__ import annotations

from math import floor


def check_some_wrong(noise: float, n_train: int) -> None:
    """Refuse a fraction of wrong labels that leaves a training set without a wrong label, or without a right one."""
    wrong = floor(noise * n_train + 0.5)
    if not 0 < wrong < n_train:
        raise ValueError(
            f"parameter noise = {noise:g}: of n_train = {n_train} labels {wrong} would be wrong; want from "
            f"{1 / n_train:.2g} to {1 - 1 / n_train:.4g}, so that some are wrong and some right"
        )
