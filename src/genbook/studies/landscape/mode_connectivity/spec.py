"""Parameters of pairs of networks and of the straight path between them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.recipes import Adam, Recipe
from genbook.base.spec import parameter
from genbook.experiments import MLP, Condition, Dataset, Growing, Images


class ModeConnectivitySpec(Dataset):
    """Two networks of each width on one training set, and what lies on the straight path between them."""

    n_train: int = parameter(1000, "training examples", "examples", ge=20, le=60_000)
    widths: Growing[Annotated[int, Field(ge=2, le=2048)]] = parameter(
        (12, 32, 96), "widths of the hidden layers", "units", min_length=2, max_length=8
    )
    layers: int = parameter(2, "hidden layers", "layers", ge=1, le=6)
    learning_rate: float = parameter(0.002, "Adam's learning rate", "", gt=0, le=1)
    batch_size: int = parameter(50, "examples in one step", "examples", ge=1, le=1000)
    steps: int = parameter(600, "steps of either network", "steps", ge=1, le=10**6)
    order: Literal["matched", "random"] = parameter(
        "matched",
        "how the second network's units are put in order: 'matched' to the first, or at 'random' (a control)",
    )
    start: Literal["own", "shared"] = parameter(
        "own",
        "first weights of the second network: its 'own', or 'shared' with the first network up to the order of units "
        "(a control)",
    )
    leading: float = parameter(
        0.5, "a singular direction is leading from this fraction of its layer's largest singular value", "", gt=0, lt=1
    )
    points: Literal[5, 9, 17, 33] = parameter(9, "places on the path, its ends included", "places")
    examples: int = parameter(200, "training examples over which coherence is measured", "examples", ge=2, le=10_000)

    def condition(self, width: int) -> Condition:
        """The networks of one width."""
        recipe = Recipe(self.steps, Adam(self.learning_rate), min(self.batch_size, self.n_train))
        return Condition(
            {"width": width}, Images(self.dataset, self.n_train), MLP((width,) * self.layers), recipe, watch=()
        )
