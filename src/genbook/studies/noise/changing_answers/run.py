"""Networks that are asked about single training examples along the way.

No design: a design's quantities are of groups of examples, and here each example's own answer is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from genbook import data
from genbook.experiments import MLP, Condition, Images, Labels
from genbook.experiments.run import Drawn
from genbook.probes import Accuracy, Answer, LogSpaced
from genbook.studies.noise.changing_answers.spec import GIVEN, TRUE, ChangingAnswersSpec
from genbook.tables.quantities import name_of
from genbook.training import Replica, train

COLUMNS = ["seed", "noise", "step", "epoch", "quantity", "group", "value"]


def run(spec: ChangingAnswersSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and level of noise, all at once, and return the tidy table."""
    drawn = Drawn()
    replicas = [drawn.replica(condition, seed) for seed in seeds for condition in conditions(spec)]
    at = LogSpaced(spec.n_measurements)
    probes = [Accuracy("train", at=at), Accuracy("test", at=at), Answer(first=spec.watched, at=at)]
    table = train(replicas, probes, device).table
    table = table[~table["group"].str.contains("half")]
    kinds = zip(table["quantity"], table["on"], table["labels"], strict=True)
    table = table.assign(quantity=[name_of(*kind) for kind in kinds], group=table["group"].replace("", "all"))
    known = pd.DataFrame([row for replica in replicas for row in _labels(replica, spec.watched)], columns=COLUMNS)
    return pd.concat([table[COLUMNS], known], ignore_index=True)


def conditions(spec: ChangingAnswersSpec) -> Iterator[Condition]:
    """A network for each level of noise; a higher one holds the labels drawn anew at the lower ones."""
    base = Labels().shuffled() if spec.labels == "shuffled" else Labels()
    for noise in spec.noise_levels:
        images = Images(spec.dataset, spec.n_train, base.redrawn(noise))
        yield Condition({"noise": noise}, images, MLP(spec.hidden), spec.recipe(), watch=())


def _labels(replica: Replica, watched: int) -> Iterator[tuple]:
    """The labels of the watched examples, which no step changes."""
    examples = replica.data["train"]
    for quantity, labels in ((GIVEN, examples.labels), (TRUE, examples.true_labels)):
        for place, label in enumerate(labels[:watched].tolist()):
            yield replica.seed, replica.condition["noise"], 0, 0.0, quantity, str(place), float(label)


def images_of(spec: ChangingAnswersSpec, seed: int) -> np.ndarray:
    """The watched examples of a seed as images of values in [0, 1], [watched, height, width]; signals lie in a row."""
    dataset = data.load(spec.dataset)
    drawn = data.split(dataset, seed, spec.n_train).train.indices[: spec.watched]
    inputs = dataset.train_inputs[drawn].astype(float)
    grey = inputs.mean(1) if inputs.ndim == 4 else inputs[:, None]
    return (grey - grey.min()) / (grey.max() - grey.min())
