"""The five-layer network, which no condition of a design names, trained on a design's images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from genbook.base.when import LogSpaced
from genbook.data import load
from genbook.experiments import CNN, Condition, Images, Labels, Watch
from genbook.experiments.run import Drawn
from genbook.models import five_layer_cnn
from genbook.probes import Accuracy
from genbook.studies.descent.cnn_epoch_descent.spec import CnnEpochDescentSpec
from genbook.tables.quantities import name_of
from genbook.training import train

COLUMNS = ["seed", "phase", "step", "epoch", "quantity", "group", "layer", "value"]


def run(spec: CnnEpochDescentSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network a seed, and return its errors over training as a tidy table (see the study's columns)."""
    drawn, at = Drawn(), LogSpaced(spec.n_measurements)
    images = Images(spec.dataset, spec.n_train, Labels().wrong(spec.noise))
    condition = Condition({}, images, CNN(1), spec.training(), (Watch(("train accuracy", "test accuracy"), at),))
    channels, side, _ = load(spec.dataset).shape
    model = five_layer_cnn(spec.planes, channels=channels, norm=spec.norm, image=side)
    replicas = [replace(drawn.replica(condition, seed), model=model) for seed in seeds]
    found = train(replicas, [Accuracy("train", at=at), Accuracy("test", at=at)], device).table
    kinds = zip(found["quantity"], found["on"], found["labels"], strict=True)
    names = [name_of(*kind) for kind in kinds]
    group = found["group"].replace("", "all")
    return found.assign(quantity=names, phase="training", group=group, layer="all")[COLUMNS]
