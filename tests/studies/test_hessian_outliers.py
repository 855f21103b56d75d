"""Outliers of the Hessian: data and spectra by brute force, the straight path, the statistics on known tables."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.models import unstack
from genbook.studies import get
from genbook.studies.landscape.hessian_outliers import claims, figure, problem, run
from genbook.studies.landscape.hessian_outliers.spec import HessianOutliersSpec
from tests.known import Answer, Known

STUDY = get("hessian_outliers")
SMOKE = STUDY.build("smoke", {})


def test_eigenvalues_are_those_of_the_hessian_by_autograd():
    """Of every replica, in float64, against the matrix of second derivatives of the loss of its own flat weights."""
    given = problem.images(SMOKE, [0, 1], 2)
    network = problem.begun(SMOKE, [0, 1], 2, 3).double()
    given = given._replace(inputs=given.inputs.double())
    found = run.eigenvalues(network, given)
    for replica in range(2):
        plain = unstack(network, replica)
        flat = nn.utils.parameters_to_vector(plain.parameters()).detach()
        shapes = {name: one.shape for name, one in plain.named_parameters()}

        def loss(weights, plain=plain, shapes=shapes, replica=replica):
            pieces = weights.split([shape.numel() for shape in shapes.values()])
            named = {name: piece.reshape(shapes[name]) for name, piece in zip(shapes, pieces, strict=True)}
            out = torch.func.functional_call(plain, named, given.inputs[replica])
            return nn.functional.cross_entropy(out, given.labels[replica])

        matrix = torch.autograd.functional.hessian(loss, flat)
        expected = torch.linalg.eigvalsh(matrix).flip(0)
        assert found[replica].numpy() == pytest.approx(expected.numpy(), abs=1e-10)


def test_images_are_of_the_drawn_classes_and_labels_their_places():
    spec = STUDY.build("full", {"per_class": 20})
    real, random = (problem.images(spec, [0, 5], 6, random=one) for one in (False, True))
    assert real.inputs.shape == (2, 120, 12)
    assert torch.equal(real.labels[0], torch.arange(6).repeat_interleave(20))
    assert real.inputs.square().mean((1, 2)).tolist() == pytest.approx([1, 1])
    assert torch.equal(real.inputs, random.inputs)
    assert torch.equal(random.labels.sort(1).values, real.labels)
    assert (random.labels != real.labels).float().mean() > 0.5
    merged = problem.images(spec.build(**{**spec.model_dump(), "merged": 2}), [0], 6)
    assert torch.equal(merged.labels[0], real.labels[0] % 2)
    fewer = problem.images(spec, [0], 3)
    assert torch.equal(torch.sign(fewer.inputs[0]), torch.sign(real.inputs[0, :60]))


def test_clusters_differ_in_their_spread_alone():
    spec = STUDY.build("full", {"per_class": 200})
    tight, wide = (problem.clusters(spec, [3], spread) for spread in (0.01, 1.0))
    within = [
        each.inputs.reshape(4, 200, -1).var(1).sum() / each.inputs.reshape(4, 200, -1).mean(1).var(0).sum()
        for each in (tight, wide)
    ]
    assert within[0] < 1e-3 < 0.3 < within[1]


def test_descent_is_that_of_pytorch():
    """Momentum on all examples, and on batches of places, against torch.optim on a plain network."""
    spec = SMOKE
    given = problem.images(spec, [0, 1], 2)
    for batches in (None, problem.small_batches(spec, [0, 1], given.labels.shape[1])):
        stacked = problem.begun(spec, [0, 1], 2, 3)
        plain = unstack(copy.deepcopy(stacked), 1)
        problem.descend(spec, stacked, given, batches)
        optimiser = torch.optim.SGD(plain.parameters(), spec.learning_rate, spec.momentum)
        for step in range(spec.steps):
            places = slice(None) if batches is None else batches[1, step]
            optimiser.zero_grad()
            nn.functional.cross_entropy(plain(given.inputs[1][places]), given.labels[1][places]).backward()
            optimiser.step()
        for one, other in zip(unstack(stacked, 1).parameters(), plain.parameters(), strict=True):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_path_leads_from_the_end_of_large_batches_to_that_of_small_ones():
    table = run.run(SMOKE, [0, 1], "cpu")
    path = claims.path(table)
    assert list(path) == pytest.approx([part / run.PARTS for part in range(run.PARTS + 1)])
    ends = claims.by_classes(table, SMOKE, "train loss")[SMOKE.compared]
    assert path[0.0].to_numpy() == pytest.approx(ends.to_numpy(), rel=1e-5)
    spec = SMOKE
    given = problem.images(spec, [1], spec.compared)
    network = problem.begun(spec, [1], spec.compared, spec.width)
    problem.descend(spec, network, given)
    problem.descend(spec, network, given, problem.small_batches(spec, [1], given.labels.shape[1]))
    assert path.loc[1, 1.0] == pytest.approx(given.loss(network).item(), rel=1e-4)


def test_another_start_is_another_one():
    elsewhere = SMOKE.build(**{**SMOKE.model_dump(), "other_start": True})
    ways = [
        one.loc[one["quantity"] == "way", "value"].mean()
        for one in (run.run(SMOKE, [0, 1], "cpu"), run.run(elsewhere, [0, 1], "cpu"))
    ]
    assert ways[1] > 2 * ways[0]


def test_counts_follow_from_the_eigenvalues_that_are_kept():
    table = run.run(SMOKE, [0], "cpu")
    places = ["data", "classes", "width"]
    kept = table[table["quantity"] == "eigenvalue"].sort_values("place")
    for place, values in kept.groupby(places)["value"]:
        here = (table[places] == list(place)).all(axis=1)
        (counted,) = table[here & (table["quantity"] == "outliers")]["value"]
        assert counted == (values >= SMOKE.outlier * values.iloc[0]).sum()


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ValueError, match="want at most the training set's size, 16"):
        HessianOutliersSpec.build(compared=2, per_class=8, small_batch=17)


# --- statistics -----------------------------------------------------------------------------------------------------

SPEC = HessianOutliersSpec.build(classes=[2, 4, 6], compared=4, width=16, widths=[8, 16, 32])
GROWN = np.array([1, 1.01, 1.03])


def known_table(slope=2.0, base=0.0, wider=1.0, zero=0.9, tops=None, between=0.9):
    """Three seeds; outliers base + slope · classes, times ``wider`` at the largest width; tops: largest eigenvalues."""
    rows = []
    for seed, grown in enumerate(GROWN):
        for classes in (2, 4, 6):
            place = (seed, "images", classes, 16, 0.0)
            rows.append((*place, "outliers", (base + slope * classes) * grown))
            rows.append((*place, "near zero", zero / grown))
            rows += [(*place[:4], float(r), "eigenvalue", 2.0 / r * grown) for r in (1, 2, 30) if classes != 4]
        narrow = (base + slope * 4) * grown
        rows += [(seed, "images", 4, w, 0.0, "outliers", n) for w, n in ((8, narrow), (32, narrow * wider * grown))]
        for data, top in {
            "images": 1.0,
            "random labels": 9.0,
            "separable": 1.0,
            "overlapping": 5.0,
            **(tops or {}),
        }.items():
            rows.append(
                (seed, data, 4, 16, 1.0, "eigenvalue", top * (grown if data in ("random labels", "overlapping") else 1))
            )
        for part, loss in ((0.0, 1.0), (0.5, between * grown), (1.0, 0.5)):
            rows.append((seed, "images", 4, 16, part, "loss on the path", loss))
    return pd.DataFrame(rows, columns=run.COLUMNS)


def known(holds, fails, **changed):
    return Known(
        holds=Answer(known_table(), list(holds), SPEC), fails=Answer(known_table(**changed), list(fails), SPEC)
    )


KNOWN = {
    "bulk-near-zero": known(0.9 / GROWN, 0.5 / GROWN, zero=0.5),
    "outliers-follow-classes": known(2 * GROWN, GROWN, slope=1.0),
    "as-many-as-classes": Known(
        holds=Answer(known_table(slope=1.1), list(1.1 * GROWN), SPEC),
        fails=Answer(known_table(), list(2 * GROWN), SPEC),
    ),
    "width-keeps-outliers": known(GROWN, 2 * GROWN, wider=2.0),
    "overlap-raises-outliers": known(5 * GROWN, GROWN, tops={"overlapping": 1.0}),
    "random-labels-raise-outliers": known(9 * GROWN, GROWN, tops={"random labels": 1.0}),
    "no-barrier": known(0.9 * GROWN, 20 * GROWN, between=20.0),
}


def test_what_the_figures_are_drawn_from():
    rows = figure.spectra({"digits": (known_table(), SPEC)})
    assert set(rows["rank"]) == {2}  # the largest is the unit, and what lies beyond the figure is left out
    assert rows["estimate"].tolist() == pytest.approx([0.5, 0.5])
    assert set(rows["kind"]) == {"outlier"}
    assert figure.counts(known_table(), SPEC).to_numpy() == pytest.approx(2 * np.array([2, 4, 6]) * GROWN.mean())
