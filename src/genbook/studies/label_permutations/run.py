"""Label permutations: let blocks of images exchange their labels, train, and see what follows the blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans

from genbook import data
from genbook.models import mlp
from genbook.seeding import CORRUPTION, generator
from genbook.studies.label_permutations.spec import LabelPermutationsSpec
from genbook.studies.late_coherence.branch import go_on
from genbook.training import SGD, Examples, Recipe, Replica, TrainingResult, train

_POINTS = 24  # of each path on which coherence is measured


def run(spec: LabelPermutationsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train to one accuracy on every permutation, then go on as before and in small steps; the tidy table."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    stopped = train(replicas, device=device)
    alive = [place for place, gone in enumerate(stopped.endings["diverged"]) if not gone]
    step = spec.learning_rate
    before = Recipe(steps=max(1, round(spec.time / step)), optimiser=SGD(lr=step), batch_size=spec.batch_size)
    small = Recipe(steps=max(1, round(spec.time / spec.small_step)), optimiser=SGD(lr=spec.small_step))
    paths = [
        _path(go_on(stopped, alive, before, np.linspace(0, 1, _POINTS), device), "as before", step),
        _path(go_on(stopped, alive, small, np.geomspace(0.005, 1, _POINTS), device), "small steps", spec.small_step),
    ]
    return pd.concat([_stopped(stopped), *paths], ignore_index=True)


def _replicas(spec: LabelPermutationsSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """One subset, initialisation and order of batches; a replica on the real labels (0 blocks) and one per cut."""
    split = data.split(dataset, seed, spec.n_train, flat=True)
    inputs, real = split.train.inputs, split.train.labels
    model = mlp((inputs.shape[1], *spec.hidden, split.n_classes))
    recipe = Recipe(
        steps=spec.steps,
        optimiser=SGD(lr=spec.learning_rate),
        batch_size=spec.batch_size,
        stop_at_accuracy=spec.level,
        check_every=10,
    )
    images_a_class = spec.n_train // split.n_classes
    for count in (0, *sorted({min(count, images_a_class) for count in spec.blocks})):
        labels = real.numpy()
        if count:
            cut = like_images if spec.cut == "like images" else by_lot
            labels = exchange(*cut(inputs.numpy(), labels, count, seed), seed)
        examples = Examples(inputs, torch.from_numpy(labels), real)
        yield Replica(seed, model, recipe, {"train": examples}, {"blocks": count})


def like_images(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut each class into ``count`` blocks of like images by k-means; at most one block an image.

    ``images`` [n, d], ``labels`` [n]. Returns the block [n] of each image and the label of each block.
    """
    block, names = np.empty(len(labels), dtype=np.int64), []
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        if count < len(mine):
            state = int(generator(seed, "blocks").integers(2**31))
            found = KMeans(count, n_init=1, random_state=state).fit_predict(images[mine])
            block[mine] = len(names) + np.unique(found, return_inverse=True)[1]
        else:
            block[mine] = len(names) + np.arange(len(mine))
        names += [label] * (block[mine].max() + 1 - len(names))
    return block, np.array(names)


def by_lot(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many blocks with the same labels, but the images in them are drawn by lot from all classes."""
    block, names = like_images(images, labels, count, seed)
    return generator(seed, "images by lot").permutation(block), names


def exchange(block: np.ndarray, names: np.ndarray, seed: int) -> np.ndarray:
    """The labels [n] after all blocks have exchanged theirs: what shared a block shares a label."""
    return generator(seed, CORRUPTION).permutation(names)[block]


def _stopped(stopped: TrainingResult) -> pd.DataFrame:
    """Steps until the accuracy was reached, and the share of labels that differ from the real ones."""
    sets = [replica.data["train"] for replica in stopped.replicas]
    wrong = [float((s.labels != s.true_labels).double().mean()) for s in sets]
    rows = stopped.endings[["seed", "blocks"]].assign(
        path="until stopped", time=0.0, steps=stopped.endings["fitted_step"], changed=wrong
    )
    return rows.melt(id_vars=["seed", "blocks", "path", "time"], var_name="quantity", value_name="value")


def _path(training: TrainingResult, path: str, step: float) -> pd.DataFrame:
    """The whole network's accuracy, loss and m-coherence on one path."""
    table = training.table
    table = table[table["quantity"].isin(["accuracy", "loss", "m-coherence"]) & table["layer"].isin(["", "all"])]
    rows = table[["seed", "blocks", "quantity", "value"]]
    return rows.assign(path=path, time=table["step"] * step)
