"""Two Gaussians: closed forms against the descent, statistics on a table with known answers, controls."""

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import judge
from genbook.studies import get
from genbook.studies.stopping.two_gaussians import claims
from genbook.studies.stopping.two_gaussians.run import draw, first_step_accuracy
from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec
from tests.known import Answer, Known

STUDY = get("two_gaussians")


def test_first_step_in_closed_form():
    """The mean over draws of the exact accuracy after one step, at a signal at which it is far from 0 and 1."""
    spec = TwoGaussiansSpec.build(n_train=1000, noise=0.4, spread=40.0, dimensions=[0.9, 3.0])
    table = STUDY.run(spec.model_copy(update={"steps": 10, "n_measurements": 5}), range(6), "cpu")
    for ratio in spec.dimensions:
        measured = claims.curve(table, "test accuracy", ratio)[1].mean()
        dimension = round(ratio * spec.n_train)
        theory = first_step_accuracy(spec.n_train, dimension, spec.noise, spec.spread / dimension**0.5)
        assert 0.55 < theory < 0.9
        assert measured == pytest.approx(theory, abs=0.01)


def test_descent_in_the_span_is_descent_on_the_weights():
    """The recorded accuracies against plain gradient descent on w in p dimensions."""
    spec = TwoGaussiansSpec.build(n_train=40, dimensions=[0.5, 2.0], steps=30, n_measurements=10, learning_rate=0.7)
    table = STUDY.run(spec, [5], "cpu")
    points, true, given = draw(spec, 5, 2.0)
    w = np.zeros(points.shape[1])
    for _ in range(30):
        coefficients = 1 / (1 + np.exp(given * (points @ w)))
        w += spec.learning_rate / 40 * points.T @ (given * coefficients)
    wrong = given != true
    coefficients = 1 / (1 + np.exp(given * (points @ w)))
    last = table[(table["dimensions"] == 2.0) & (table["step"] == 30)].set_index(["quantity", "group"])["value"]
    assert last["coefficient", "corrupted"] == pytest.approx(coefficients[wrong].mean(), rel=1e-9)
    assert last["train accuracy", "all"] == (given * (points @ w) > 0).mean()
    # a new point's margin: w·v over σ‖w‖, by Monte Carlo
    rng = np.random.default_rng(0)
    new = w[0] + spec.spread / 80**0.5 * rng.standard_normal((20_000, 80)) @ w
    assert last["test accuracy", "all"] == pytest.approx((new > 0).mean(), abs=0.012)


def test_controls_fail():
    """On quick tables, which take a second."""
    spec = STUDY.build("quick", {})
    tables = {name: STUDY.run(STUDY.changed(spec, STUDY.controls[name]), range(5), "cpu") for name in STUDY.controls}
    for claim in STUDY.claims:
        setting = STUDY.changed(spec, STUDY.controls[claim.control])
        judgement = judge(claim, tables[claim.control], setting)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


#: By dimensions, quantity and group, at the steps 1, 10 and 100, for two seeds.
CURVES = {
    (0.9, "test accuracy", "all"): ([0.9, 0.85, 0.6], [0.8, 0.9, 0.7]),
    (9.0, "test accuracy", "all"): ([0.9, 0.8, 0.81], [0.9, 0.8, 0.9]),
    (0.9, "train accuracy on true labels", "corrupted"): ([0.8, 0.5, 0.1], [0.9, 0.5, 0.2]),
    (0.9, "coefficient", "corrupted"): ([0.5, 0.5, 0.6], [0.5, 0.5, 0.5]),
    (0.9, "coefficient", "clean"): ([0.5, 0.3, 0.2], [0.5, 0.3, 0.25]),
}
SPEC = TwoGaussiansSpec.build(dimensions=[0.9, 9.0])
TRUE, FEW, MANY = (
    (0.9, "train accuracy on true labels", "corrupted"),
    *((p, "test accuracy", "all") for p in (0.9, 9.0)),
)
PULL = (0.9, "coefficient", "corrupted")


def answer(values, **curves):
    """`CURVES` with other ones, each of both seeds; ``values`` are the statistic's."""
    changed = CURVES | {globals()[name]: both for name, both in curves.items()}
    rows = [
        {"seed": seed, "dimensions": p, "step": step, "quantity": quantity, "group": group, "value": value}
        for (p, quantity, group), seeds in changed.items()
        for seed, curve in enumerate(seeds)
        for step, value in zip((1, 10, 100), curve, strict=True)
    ]
    return Answer(pd.DataFrame(rows), values, SPEC)


#: What is lost by the end: 0.3 and 0.302, from the step that is best for both.
LOST = ([0.9, 0.85, 0.6], [0.9, 0.85, 0.598])
KNOWN = {
    "early-true": Known(
        answer([0.85, 0.86], TRUE=([0.85, 0.5, 0.1], [0.86, 0.5, 0.1])),
        answer([0.5, 0.51], TRUE=([0.5, 0.9, 0.9], [0.51, 0.9, 0.9])),
    ),
    "late-memorised": Known(
        answer([0, 0.01], TRUE=([0.8, 0.5, 0.0], [0.8, 0.5, 0.01])),
        answer([0.5, 0.51], TRUE=([0.8, 0.1, 0.5], [0.8, 0.1, 0.51])),
    ),
    "wrong-pull-more": Known(
        answer([3, 3.04], PULL=([0, 0, 0.6], [0, 0, 0.76])), answer([1, 1.04], PULL=([9, 9, 0.2], [9, 9, 0.26]))
    ),
    "memorising-costs": Known(
        answer([0.3, 0.302], FEW=LOST), answer([0.01, 0.012], FEW=([0.9, 0.9, 0.89], [0.9, 0.9, 0.888]))
    ),
    "benign-in-many-dimensions": Known(
        answer([0.03 / 0.3, 0.0302 / 0.302], FEW=LOST, MANY=([0.9, 0.8, 0.87], [0.9, 0.8, 0.8698])),
        answer([0.24 / 0.3, 0.242 / 0.302], FEW=LOST, MANY=([0.9, 0.8, 0.66], [0.9, 0.8, 0.658])),
    ),
}


def test_the_best_step_is_chosen_on_the_other_seed():
    """It is best at step 10 for seed 1 and at step 1 for seed 0; and with one seed alone nothing is chosen."""
    table = answer([]).table
    assert claims.lost(table, 0.9).tolist() == pytest.approx([0.85 - 0.6, 0.8 - 0.7])
    assert claims.lost(table[table["seed"] == 0], 0.9).isna().all()


def test_where_nothing_is_lost_with_few_dimensions_the_ratio_is_censored():
    table = answer([], FEW=([0.6, 0.9, 0.7], [0.9, 0.85, 0.6])).table
    (statistic,) = (claim.statistic for claim in claims.CLAIMS if claim.id == "benign-in-many-dimensions")
    assert statistic(table, SPEC).isna().tolist() == [True, False]
