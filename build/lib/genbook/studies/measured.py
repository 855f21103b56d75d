"""How finely a study of images measures: half of an example of its training or test set, for a `Statistic`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from genbook.data.sizes import TEST
from genbook.tables.statistics import half_example


def half_test_image(table: pd.DataFrame, spec: Any) -> float:
    """Half of the step in which an accuracy on the data set's whole test part is measured."""
    return half_example(TEST[spec.dataset])


def half_image_of_half(table: pd.DataFrame, spec: Any) -> float:
    """The same of an accuracy on half of it, where the other half chooses."""
    return half_example(TEST[spec.dataset] // 2)


def half_training_image(table: pd.DataFrame, spec: Any) -> float:
    """Half of the step in which an accuracy on the training set is measured."""
    return half_example(spec.n_train)
