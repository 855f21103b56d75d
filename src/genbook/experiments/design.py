"""The conditions of an experiment, as frozen data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genbook.base.recipes import Recipe
from genbook.base.when import MeasuringSchedule
from genbook.experiments.labels import Labels
from genbook.tables import quantities

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Images:
    """A training set drawn by the seed from a data set, with its labels; a larger one contains the smaller.

    Attributes:
        dataset: the images and their real labels.
        n_train: size of the training set, the same number of each class.
        labels: what is done to its real labels.
        erased: the fraction of its pixels that are set to zero, drawn for each image, and for each copy of one anew.
        held_out: how many images are held out of the training pool.
        held_out_labels, test_labels: what is done to the labels of those held out, and of the test set, by draws of
            their own.
    """

    dataset: str
    n_train: int
    labels: Labels = field(default_factory=Labels)
    erased: float = 0.0
    held_out: int = 0
    held_out_labels: Labels = field(default_factory=Labels)
    test_labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True)
class MLP:
    """A fully connected network: widths of its hidden layers, activation, number of outputs (None: of classes).

    ``norm="batch"``: hidden layers are normalised by batch before the activation, in ghost batches of ``ghost``
    examples where that is a number.
    """

    hidden: tuple[int, ...]
    activation: str = "relu"
    outputs: int | None = None
    norm: str | None = None
    ghost: int | None = None


@dataclass(frozen=True)
class CNN:
    """Two 3×3 convolutions of ``width`` and twice ``width`` channels with pooling, and a dense layer; for images."""

    width: int
    outputs: int | None = None


@dataclass(frozen=True)
class CNN1D:
    """Three convolutions of ``width`` channels along a signal, with stride 2, and a dense layer; for MNIST-1D."""

    width: int
    outputs: int | None = None


@dataclass(frozen=True)
class Watch:
    """Quantities that are measured at the same steps.

    Attributes:
        quantities: names of the catalogue.
        at: the steps at which they are measured.
        layers: whether they are told of each layer too.
        groups: groups of training examples that they are told of too: "clean" and "corrupted", "decoys", "one half" and
            "other half" (drawn at random). An AUC is of a score for being in each of them.
        examples: how many of the training set gradients and curvature are measured on, the first ones; None is all.
        tolerance, max_iterations: of the sharpness: relative, and the Hessian-vector products that it costs at most.
        samples: random vectors of which the Hessian's trace is estimated.
    """

    quantities: tuple[str, ...]
    at: MeasuringSchedule
    layers: bool = False
    groups: tuple[str, ...] = ()
    examples: int | None = None
    tolerance: float = 1e-3
    max_iterations: int = 100
    samples: int = 100

    def __post_init__(self) -> None:
        """Refuse a name that is not in the catalogue."""
        quantities.check(self.quantities)


@dataclass(frozen=True)
class Continuation:
    """How training goes on from the networks as they were left, and what is watched on the way.

    ``only_fitted``: from those alone that had come to the accuracy at which they were to stop. What has diverged never
    goes on.
    """

    phase: str
    recipe: Recipe
    watch: tuple[Watch, ...]
    only_fitted: bool = False


@dataclass(frozen=True)
class Pretraining:
    """What a network learns before it is trained: other images or labels, by a recipe of its own; nothing is watched.

    Conditions of one network that are pretrained alike go on from the same weights. What has diverged does not go on:
    its conditions have no rows.
    """

    images: Images
    recipe: Recipe


@dataclass(frozen=True)
class Condition:
    """One network's setting, the same for every seed.

    Attributes:
        columns: what tells it from the other conditions, by name of column.
        images: what it is trained on; the test set is the data set's.
        network: its architecture.
        recipe: how it is trained.
        watch: what is measured along the way. Conditions that watch the same train as one tensor program.
        at_end: what is measured once training has ended (the schedule is not used).
        continued: how training goes on from there, each time from the same weights.
        pretraining: what the network has learned before, if anything.
        first_weights: which of the seed's draws of first weights it begins with; another number is another draw.
        facts: what there is one number of: names of `quantities.FACTS`.
    """

    columns: Mapping[str, object]
    images: Images
    network: MLP | CNN | CNN1D
    recipe: Recipe
    watch: tuple[Watch, ...]
    at_end: tuple[Watch, ...] = ()
    continued: tuple[Continuation, ...] = ()
    pretraining: Pretraining | None = None
    first_weights: int = 0
    facts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse columns that every table has, and facts that are none."""
        taken = set(self.columns) & set(quantities.COLUMNS)
        if taken:
            raise ValueError(f"condition {dict(self.columns)}: every table has {', '.join(sorted(taken))} already")
        if unknown := set(self.facts) - set(quantities.FACTS):
            raise ValueError(f"no fact is called {', '.join(sorted(unknown))}; want {', '.join(quantities.FACTS)}")

    @property
    def watches(self) -> tuple[Watch, ...]:
        """All that is measured, along the way, at the end and in the continuations."""
        return (*self.watch, *self.at_end, *(watch for phase in self.continued for watch in phase.watch))


class Design:
    """All conditions of an experiment."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        """Refuse conditions with unequal columns, and two that the columns do not tell apart."""
        self.conditions = tuple(conditions)
        names = {tuple(condition.columns) for condition in self.conditions}
        if len(names) != 1:
            raise ValueError(f"a design needs conditions with the same columns, got {sorted(names)}")
        places = Counter(tuple(condition.columns.values()) for condition in self.conditions)
        if twice := [place for place, count in places.items() if count > 1]:
            raise ValueError(f"two conditions of {', '.join(*names)} are {min(twice)}")

    @property
    def quantities(self) -> tuple[str, ...]:
        """Everything that is measured of some condition, each once."""
        watched = [name for c in self.conditions for watch in c.watches for name in watch.quantities]
        return tuple(dict.fromkeys([*watched, *(fact for c in self.conditions for fact in c.facts)]))

    def together(self) -> Iterator[list[Condition]]:
        """The conditions that watch the same, in the order of the design: each group trains at once."""
        groups: dict[object, list[Condition]] = {}
        for condition in self.conditions:
            groups.setdefault((condition.watch, condition.continued), []).append(condition)
        yield from groups.values()

    def run(self, seeds: Sequence[int], device: str) -> pd.DataFrame:
        """Train every condition for every seed and return the tidy table: `quantities.COLUMNS` and the conditions'."""
        from genbook.experiments.run import run

        return run(self, seeds, device)
