"""What the studies of stability share: small networks that learn images at a constant learning rate."""

from __future__ import annotations

import pandas as pd

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.experiments import Dataset, HiddenWidths


class ConstantRateSpec(Dataset):
    """Small networks that begin at less than the usual weights and learn at a constant learning rate."""

    n_train: int = parameter(100, "size of the training set, the same number of each class", "examples", ge=20)
    hidden: HiddenWidths = parameter((24,), "widths of the hidden layers", "units", min_length=1, max_length=6)
    init_scale: float = parameter(0.7, "multiple of the default initial weights", "", gt=0, le=10)

    def recipe(self, steps: int, learning_rate: float, batch_size: int | None = None, loss: str = "squared") -> Recipe:
        """Descent at a constant learning rate, by default on the squared loss and all examples."""
        return Recipe(steps, SGD(learning_rate), batch_size, loss=loss, init_scale=self.init_scale)


def in_units_of_edge(rows: pd.DataFrame) -> pd.DataFrame:
    """Tidy rows of a curvature (sharpness, trace) with values in units of 2 / learning rate: 1 is the edge."""
    return rows.assign(value=rows["value"] * rows["learning rate"] / 2)
