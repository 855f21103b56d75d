"""Late coherence: stop networks on their way, and see what small steps and sharp directions have to do with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genbook import data
from genbook.curvature import Hessian, top_eigenpairs
from genbook.gradients import gram
from genbook.models import mlp, stack
from genbook.probes import Accuracy, AtFractions, GradientCoherence, MeanLoss
from genbook.studies.memorisation.late_coherence.spec import LateCoherenceSpec
from genbook.training import SGD, Examples, Recipe, Replica, TrainingResult, train

_POINTS = 24  # of each path on which coherence is measured
_EDGE = 0.1  # a direction at the edge of stability counts as if 2 - ηλ were this, so that a prediction stays finite


def run(spec: LateCoherenceSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train to one accuracy, then branch: on as before, on in small steps, and the curvature there.

    Returns the tidy table (see the study's columns).
    """
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    branched = train(replicas, device=device)
    alive = [place for place, gone in enumerate(branched.endings["diverged"]) if not gone]
    calm = [place for place in alive if replicas[place].condition["factor"] == 1]
    tables = [_started(branched)]
    for factor in spec.step_factors:
        mine = [place for place in alive if replicas[place].condition["factor"] == factor]
        step = factor * spec.learning_rate
        on = Recipe(steps=max(1, round(spec.time / step)), optimiser=SGD(lr=step), batch_size=spec.batch_size)
        tables.append(_path(branched, mine, on, np.linspace(0, 1, _POINTS), "as before", device)[0])
    small = Recipe(steps=max(1, round(spec.time / spec.small_step)), optimiser=SGD(lr=spec.small_step))
    table, ends = _path(branched, calm, small, np.geomspace(0.005, 1, _POINTS), "small steps", device)
    tables += [table, _pairs(branched, calm, "at the start", device), _pairs(ends, None, "small steps", device)]
    tables.append(_sharp(spec, branched, alive, device))
    return pd.concat(tables, ignore_index=True)


def _replicas(spec: LateCoherenceSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """Two sets of labels for one subset, each with all step sizes; one initialisation and order of batches."""
    split = data.split(dataset, seed, spec.n_train, flat=True)
    inputs, true = split.train.inputs, split.train.labels
    model = mlp((inputs.shape[1], *spec.hidden, split.n_classes))
    random = torch.from_numpy(data.corrupt(true.numpy(), 1.0, "uniform-any", seed, split.n_classes).labels)
    shuffled = torch.from_numpy(data.shuffle_labels(true.numpy(), seed))
    given = {"real": (true, random), "shuffled": (shuffled, random), "kept": (true, true)}[spec.labels]
    for name, labels in zip(("real", "random"), given, strict=True):
        for factor in spec.step_factors:
            recipe = Recipe(
                steps=spec.steps,
                optimiser=SGD(lr=factor * spec.learning_rate),
                batch_size=spec.batch_size,
                stop_at_accuracy=spec.level,
                check_every=10,
            )
            condition = {"labels given": name, "factor": factor}
            yield Replica(seed, model, recipe, {"train": Examples(inputs, labels, true)}, condition)


def _rows(replica: Replica, values: dict[tuple[str, str], float], path: str, time: float = 0.0) -> list[dict]:
    """Rows of one replica from {(quantity, part): value}."""
    about = {"seed": replica.seed, "labels": replica.condition["labels given"], "factor": replica.condition["factor"]}
    about |= {"path": path, "time": time}
    return [{**about, "quantity": quantity, "part": part, "value": value} for (quantity, part), value in values.items()]


def _started(branched: TrainingResult) -> pd.DataFrame:
    rows = []
    for replica, ending in zip(branched.replicas, branched.endings.itertuples(), strict=True):
        rows += _rows(replica, {("steps", "all"): ending.fitted_step}, "at the start")
    return pd.DataFrame(rows)


def _path(
    branched: TrainingResult, places: Sequence[int], recipe: Recipe, shares: np.ndarray, name: str, device: str
) -> tuple[pd.DataFrame, TrainingResult | None]:
    """Go on from where the networks were stopped, and measure after the ``shares`` of the steps."""
    if not places:
        return pd.DataFrame(), None
    at = AtFractions(tuple(shares))
    probes = [Accuracy(at=at), MeanLoss(at=at), GradientCoherence(at=at)]
    trained = branched.continued(recipe, probes, places, device)
    table = trained.table[trained.table["quantity"].isin(["accuracy", "loss", "m-coherence"])]
    part = table["layer"].replace("", "all")
    rows = pd.DataFrame(
        {
            "seed": table["seed"],
            "labels": table["labels given"],
            "factor": table["factor"],
            "path": name,
            "time": table["step"] * recipe.optimiser.lr,
            "quantity": table["quantity"],
            "part": part,
            "value": table["value"],
        }
    )
    return rows, trained


def _pairs(training: TrainingResult | None, places: Sequence[int] | None, path: str, device: str) -> pd.DataFrame:
    """What pairs of examples with one given label, and pairs with two, add to m-coherence, their sum plus one."""
    if training is None:
        return pd.DataFrame()
    rows = []
    for place in range(len(training.replicas)) if places is None else places:
        replica = training.replicas[place]
        examples = replica.data["train"]
        inputs, labels = examples.inputs.to(device), examples.labels.to(device)
        products = gram(training.model(place).to(device), nn.CrossEntropyLoss(), inputs, labels).matrix.double()
        norms = products.diagonal().sum()
        same = labels.unsqueeze(1) == labels
        off = ~torch.eye(len(labels), dtype=torch.bool, device=same.device)
        kinds = {"one label": same & off, "two labels": ~same}
        values = {("pairs", kind): float(products[mask].sum() / norms) for kind, mask in kinds.items()}
        values |= {("share of pairs", kind): float(mask.sum() / off.sum()) for kind, mask in kinds.items()}
        rows += _rows(replica, values, path)
    return pd.DataFrame(rows)


def _sharp(spec: LateCoherenceSpec, branched: TrainingResult, places: Sequence[int], device: str) -> pd.DataFrame:
    """m-coherence without the sharpest directions of the Hessian, and what the noise of the batches makes of it."""
    if not places:
        return pd.DataFrame()
    replicas = [branched.replicas[place] for place in places]
    models = [branched.model(place).to(device) for place in places]
    inputs, labels = (
        torch.stack([getattr(replica.data["train"], name) for replica in replicas]).to(device)
        for name in ("inputs", "labels")
    )
    hessian = Hessian(stack(models), nn.CrossEntropyLoss(), inputs, labels)
    top = min(spec.directions, hessian.size)
    pairs = top_eigenpairs(hessian, top, tolerance=1e-2, max_iterations=15)
    rows = []
    for row, (replica, model) in enumerate(zip(replicas, models, strict=True)):
        gradients = per_example_gradients(model, inputs[row], labels[row])
        along = gradients @ pairs.vectors[row].mT
        coherences = without_directions(gradients, along)
        shares = (along.square().sum(0) / gradients.square().sum()).double()
        step = replica.recipe.optimiser.lr
        predicted = noise_coherence(shares, pairs.values[row], step, spec.batch_size, spec.n_train)
        values = {("m-coherence", f"{k} removed"): float(value) for k, value in enumerate(coherences)}
        values[("predicted m-coherence", "all")] = float(predicted)
        values[("sharpness", "all")] = float(pairs.values[row, 0])
        values[("share of squares", "sharp directions")] = float(shares.sum())
        rows += _rows(replica, values, "at the start")
    return pd.DataFrame(rows)


def per_example_gradients(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """The gradient of each example's cross-entropy, [m, P], parameters in the order of ``named_parameters()``."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(values: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(model, values, (x[None],)), label[None])

    found = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, inputs, labels)
    return torch.cat([found[name].flatten(1) for name in parameters], 1)


def without_directions(gradients: Tensor, along: Tensor) -> Tensor:
    """m-coherence of gradients [m, P] after removing the first 0, 1, …, K orthonormal directions, [K + 1] float64.

    ``along``: the gradients' components in these directions, [m, K].
    """
    gradients, along = gradients.double(), along.double()
    none = along.new_zeros(1)
    removed_sum = torch.cat([none, along.sum(0).square().cumsum(0)])
    removed_squares = torch.cat([none, along.square().sum(0).cumsum(0)])
    return (gradients.sum(0).square().sum() - removed_sum) / (gradients.square().sum() - removed_squares)


def noise_coherence(shares: Tensor, eigenvalues: Tensor, step: float, batch: int, m: int) -> Tensor:
    r"""m-coherence that the noise of small batches keeps up in sharp directions, where nothing else pulls.

    Along a direction of curvature λ, SGD's noise of variance q (m - b) / (m b) on the gradient (q: mean square of the
    examples' components) and the pull back balance at a displacement whose mean gradient has the square
    q (m - b) / (m b) · ηλ / (2 - ηλ) (Mandt et al., 2017). So m-coherence is (m - b) / b · Σ_k f_k ηλ_k / (2 - ηλ_k),
    with f_k = q_k / Σ q the direction's share of the squared gradients.

    Args:
        shares: f_k, [K].
        eigenvalues: λ_k, [K]; negative ones count as 0.
        step: η.
        batch: b.
        m: number of examples.
    """
    curved = step * eigenvalues.double().clamp(min=0)
    return (m - batch) / batch * (shares * curved / (2 - curved).clamp(min=_EDGE)).sum()
