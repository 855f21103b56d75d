"""How large the data sets are, known without loading them, so that what cannot be drawn is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from genbook.base.spec import ParameterError
from genbook.data.sources import DatasetName

#: Examples in the training pool.
POOL: Final[dict[DatasetName, int]] = {
    "digits": 1300,
    "fashion-small": 4000,
    "mnist1d": 4000,
    "fashion-mnist": 60_000,
    "mnist": 60_000,
    "cifar10": 50_000,
}
#: Examples of the rarest class in pool and test part together.
RAREST_CLASS: Final[dict[DatasetName, int]] = {
    "digits": 174,
    "fashion-small": 600,
    "mnist1d": 500,
    "fashion-mnist": 7000,
    "mnist": 6313,
    "cifar10": 6000,
}


def check_pool(dataset: DatasetName, drawn: Mapping[str, int]) -> None:
    """Refuse to draw more from the training pool than it has.

    Args:
        dataset: the data set.
        drawn: by parameter, the number of examples; all of them are drawn apart from one another.

    Raises:
        ParameterError: naming the parameters and what the data set has.
    """
    if sum(drawn.values()) > POOL[dataset]:
        asked = ", ".join(f"{name} = {number}" for name, number in drawn.items())
        together = " together" if len(drawn) > 1 else ""
        raise ParameterError(
            f"parameter{'s' if len(drawn) > 1 else ''} {asked}: want at most {POOL[dataset]}{together}, "
            f"which is what the training pool of {dataset} has"
        )
