"""Label permutations: blocks of images exchange their labels, from whole classes down to single examples."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import parameter
from genbook.base.when import AtEnd
from genbook.data import N_CLASSES
from genbook.experiments import MLP, Condition, Design, Growing, Images, Labels, Watch
from genbook.studies.memorisation.shared import StoppedSpec

FACTS = ("steps to fit", "wrong labels")


class LabelPermutationsSpec(StoppedSpec):
    """Networks trained on labels permuted over blocks of images, stopped at one accuracy and watched going on."""

    blocks: Growing[Annotated[int, Field(ge=1, le=10_000)]] = parameter(
        (1, 3, 10, 30),
        "blocks that a class is cut into before labels are permuted over all blocks: with 1 whole classes exchange "
        "their names; with as many as the class has images, every label is drawn at random",
        "per class",
        min_length=2,
        max_length=8,
    )
    cut: Literal["like images", "at random"] = parameter(
        "like images", "what a block holds: 'like images' of one class, or images 'at random' (a negative control)"
    )
    time: float = parameter(4.0, "how long it is watched from there: steps times the learning rate", "", gt=0)


def design(spec: LabelPermutationsSpec) -> Design:
    """The real labels (0 blocks) and a condition for each cut, all stopped at one accuracy and continued twice."""
    cuts = {min(count, spec.n_train // N_CLASSES) for count in spec.blocks}
    return Design(
        Condition(
            {"blocks": count},
            Images(spec.dataset, spec.n_train, _labels(count, spec.cut)),
            MLP(spec.hidden),
            spec.stopped(),
            watch=(Watch(("test accuracy",), AtEnd()),),
            continued=(spec.as_before(), spec.small_steps()),
            facts=FACTS,
        )
        for count in (0, *sorted(cuts))
    )


def _labels(count: int, cut: str) -> Labels:
    return Labels().exchanged(count, alike=cut == "like images") if count else Labels()
