"""What is known of the data sets without loading them: how large they are, and how well they can be learned."""

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
#: Examples in the test part.
TEST: Final[dict[DatasetName, int]] = {
    "digits": 497,
    "fashion-small": 2000,
    "mnist1d": 1000,
    "fashion-mnist": 10_000,
    "mnist": 10_000,
    "cifar10": 10_000,
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
#: Test accuracy that is reached with the whole training pool: by a support vector machine on digits and fashion-small
#: (measured), by a convolutional network on MNIST-1D (Greydanus & Kobak, 2024). Of a data set that is not named nothing
#: is known, and everything is asked.
REACHED: Final[dict[DatasetName, float]] = {"digits": 0.98, "fashion-small": 0.84, "mnist1d": 0.94}


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
