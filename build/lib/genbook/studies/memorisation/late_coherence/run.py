"""Late coherence: stop networks on their way, and see what small steps and sharp directions have to do with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genbook.curvature import Hessian, top_eigenpairs
from genbook.experiments import Continuation
from genbook.experiments.run import Drawn
from genbook.gradients import gram
from genbook.models import stack
from genbook.probes import Accuracy, GradientCoherence, MeanLoss
from genbook.studies.memorisation.late_coherence.spec import LateCoherenceSpec
from genbook.tables.quantities import name_of
from genbook.training import TrainingResult, train

_COLUMNS = ["seed", "given", "factor", "phase", "step", "quantity", "group", "layer", "removed", "value"]
#: What is left of a squared norm below this fraction of it is rounding, not gradient.
_ROUNDING = 1e-6
_EDGE = 0.1  # a direction at the edge of stability counts as if 2 - ηλ were this, so that a prediction stays finite


def run(spec: LateCoherenceSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train to one accuracy, then branch: on as before, on in small steps, and the curvature there.

    Returns the tidy table (see the study's columns).
    """
    drawn = Drawn()
    stopped = train([drawn.replica(one, seed) for seed in seeds for one in spec.conditions()], device=device)
    going = np.flatnonzero(~stopped.endings["diverged"]).tolist()
    of_factor = {f: [place for place in going if stopped.endings["factor"][place] == f] for f in spec.factors}
    tables = [
        _rows(stopped, place, {"steps to fit": step}) for place, step in enumerate(stopped.endings["fitted_step"])
    ]
    tables += [_rows(stopped, place, {"test accuracy": _test_accuracy(stopped, place, device)}) for place in going]
    if going:
        tables += _sharp(spec, stopped, going, device)
    for factor, places in of_factor.items():
        if places:
            tables.append(_going_on(stopped, places, spec.as_before(factor), device)[0])
    if plain := of_factor[1.0]:
        table, ends = _going_on(stopped, plain, spec.small_steps(), device)
        tables += [table, *_pairs(stopped, plain, "training", device)]
        tables += _pairs(ends, range(len(plain)), "small steps", device)
    return pd.concat(tables, ignore_index=True)[_COLUMNS]


def _rows(
    result: TrainingResult, place: int, values: dict[str, float], phase: str = "training", **where: object
) -> pd.DataFrame:
    """Rows of one network at its end from its quantities; ``where``: group, or sharp directions removed."""
    end = result.endings.loc[place, ["seed", "given", "factor"]]
    about = {
        **end,
        "phase": phase,
        "step": result.endings["steps"][place],
        "group": "all",
        "layer": "all",
        "removed": 0,
    }
    return pd.DataFrame([{**about, **where, "quantity": name, "value": value} for name, value in values.items()])


def _test_accuracy(stopped: TrainingResult, place: int, device: str) -> float:
    """Fraction of the test set that a network predicts as it was stopped."""
    test = stopped.replicas[place].data["test"]
    with torch.no_grad():
        predicted = stopped.model(place).to(device)(test.inputs.to(device)).argmax(1)
    return float((predicted.cpu() == test.labels.cpu()).double().mean())


def _going_on(
    stopped: TrainingResult, places: Sequence[int], how: Continuation, device: str
) -> tuple[pd.DataFrame, TrainingResult]:
    """Go on from where the networks were stopped, and measure on the way; the rows, and where that ended."""
    (watch,) = how.watch
    probes = [Accuracy(at=watch.at), MeanLoss(at=watch.at), GradientCoherence(at=watch.at)]
    result = stopped.continued(how.recipe, probes, places, device)
    kinds = zip(result.table["quantity"], result.table["on"], result.table["labels"], strict=True)
    names = pd.Series([name_of(*kind) for kind in kinds])
    layer = result.table["layer"].replace("", "all")
    table = result.table.assign(quantity=names, phase=how.phase, group="all", layer=layer, removed=0)
    return table[names.isin(watch.quantities)], result


def _pairs(result: TrainingResult, places: Iterable[int], phase: str, device: str) -> list[pd.DataFrame]:
    """What pairs of examples with one given label, and pairs with two, add to m-coherence, their sum plus one."""
    tables = []
    for place in places:
        examples = result.replicas[place].data["train"]
        inputs, labels = examples.inputs.to(device), examples.labels.to(device)
        products = gram(result.model(place).to(device), nn.CrossEntropyLoss(), inputs, labels).matrix.double()
        same = labels.unsqueeze(1) == labels
        itself = torch.eye(len(labels), dtype=torch.bool, device=same.device)
        for group, mask in {"one label": same & ~itself, "two labels": ~same}.items():
            added = float(products[mask].sum() / products.diagonal().sum())
            tables.append(_rows(result, place, {"pairs": added}, phase, group=group))
    return tables


def _sharp(spec: LateCoherenceSpec, stopped: TrainingResult, places: Sequence[int], device: str) -> list[pd.DataFrame]:
    """m-coherence without the sharpest directions of the Hessian, and what the noise of the batches makes of it."""
    models = [stopped.model(place).to(device) for place in places]
    sets = [stopped.replicas[place].data["train"] for place in places]
    inputs, labels = (torch.stack([getattr(one, name) for one in sets]).to(device) for name in ("inputs", "labels"))
    hessian = Hessian(stack(models), nn.CrossEntropyLoss(), inputs, labels)
    pairs = top_eigenpairs(hessian, min(spec.directions, hessian.size), tolerance=1e-2, max_iterations=15)
    tables = []
    for row, (place, model) in enumerate(zip(places, models, strict=True)):
        gradients = per_example_gradients(model, inputs[row], labels[row])
        along = gradients @ pairs.vectors[row].mT
        fractions = (along.square().sum(0) / gradients.square().sum()).double()
        rate = stopped.replicas[place].recipe.optimiser.lr
        predicted = noise_coherence(fractions, pairs.values[row], rate, spec.batch_size, spec.n_train)
        values = {"predicted m-coherence": float(predicted), "sharpness": float(pairs.values[row, 0])}
        tables.append(_rows(stopped, place, values))
        for removed, value in enumerate(without_directions(gradients, along)):
            tables.append(_rows(stopped, place, {"m-coherence": float(value)}, removed=removed))
    return tables


def per_example_gradients(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """The gradient of each example's cross-entropy, [m, P], parameters in the order of ``named_parameters()``."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(values: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(model, values, (x[None],)), label[None])

    found = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, inputs, labels)
    return torch.cat([found[name].flatten(1) for name in parameters], 1)


def without_directions(gradients: Tensor, along: Tensor) -> Tensor:
    """m-coherence of gradients [m, P] after removing the first 0, 1, …, K orthonormal directions, [K + 1] float64.

    NaN where the directions, which are known to float32, leave no more of the gradients than their rounding.

    Args:
        gradients: [m, P].
        along: the gradients' components in these directions, [m, K].
    """
    gradients, along = gradients.double(), along.double()
    none = along.new_zeros(1)
    removed_sum = torch.cat([none, along.sum(0).square().cumsum(0)])
    removed_squares = torch.cat([none, along.square().sum(0).cumsum(0)])
    left_sum, left_squares = gradients.sum(0).square().sum() - removed_sum, gradients.square().sum() - removed_squares
    known = (left_sum > _ROUNDING * left_sum[0]) & (left_squares > _ROUNDING * left_squares[0])
    return torch.where(known, left_sum / left_squares, torch.nan)


def noise_coherence(fractions: Tensor, eigenvalues: Tensor, learning_rate: float, batch: int, m: int) -> Tensor:
    r"""m-coherence that the noise of small batches keeps up in sharp directions, where nothing else pulls.

    Along a direction of curvature λ, SGD's noise of variance q (m - b) / (m b) on the gradient (q: mean square of the
    examples' components) and the pull back balance at a displacement whose mean gradient has the square
    q (m - b) / (m b) · ηλ / (2 - ηλ) (Mandt et al., 2017). So m-coherence is (m - b) / b · Σ_k f_k ηλ_k / (2 - ηλ_k),
    with f_k = q_k / Σ q the direction's fraction of the squared gradients.

    Args:
        fractions: f_k, [K].
        eigenvalues: λ_k, [K]; negative ones count as 0.
        learning_rate: η.
        batch: b.
        m: number of examples.
    """
    curved = learning_rate * eigenvalues.double().clamp(min=0)
    return (m - batch) / batch * (fractions * curved / (2 - curved).clamp(min=_EDGE)).sum()
