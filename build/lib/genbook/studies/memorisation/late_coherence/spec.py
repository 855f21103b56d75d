"""Parameters of the study of late coherence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.experiments import MLP, Condition, Growing, Images, Labels
from genbook.studies.memorisation.shared import StoppedSpec

_RANDOM = 1.0
#: For each choice of `LateCoherenceSpec.labels`, what is given as "real" and as "random" labels.
_GIVEN = {
    "real": (Labels(), Labels().redrawn(_RANDOM)),
    "shuffled": (Labels().shuffled(), Labels().redrawn(_RANDOM)),
    "kept": (Labels(), Labels()),
}


class LateCoherenceSpec(StoppedSpec):
    """Networks stopped at one training accuracy, then watched as they go on as before or in small steps."""

    labels: Literal["real", "shuffled", "kept"] = parameter(
        "real",
        "what the two sets of labels are: 'real' compares real with random ones; 'shuffled' makes both random, 'kept' "
        "keeps both real (both are controls)",
    )
    factors: Growing[Annotated[float, Field(gt=0, le=100)]] = parameter(
        (0.5, 1.0, 3.0), "learning rates compared, 1 among them", "of learning_rate", min_length=1, max_length=8
    )
    directions: int = parameter(
        9,
        "sharpest directions that are projected out; about one less than classes stand out",
        "",
        ge=1,
        le=100,
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """The plain learning rate is one of those compared."""
        if 1.0 not in self.factors:
            raise ValueError(f"parameter factors = {list(self.factors)}: want 1 among them")
        return self

    def conditions(self) -> Iterator[Condition]:
        """Two sets of labels for one training set, each with all learning rates, as they are until they are stopped."""
        for given, labels in zip(("real", "random"), _GIVEN[self.labels], strict=True):
            images = Images(self.dataset, self.n_train, labels)
            for factor in self.factors:
                columns = {"given": given, "factor": factor}
                yield Condition(columns, images, MLP(self.hidden), self.stopped(factor), watch=())
