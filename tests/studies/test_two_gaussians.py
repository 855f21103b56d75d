"""Two Gaussians: closed forms against the descent, statistics on a table with known answers, controls."""

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import judge
from genbook.studies import get
from genbook.studies.stopping.two_gaussians import claims
from genbook.studies.stopping.two_gaussians.run import draw, first_step_accuracy
from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec

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
MEASURED = {
    (0.9, "test accuracy", "all"): ([0.9, 0.85, 0.6], [0.8, 0.9, 0.7]),
    (9.0, "test accuracy", "all"): ([0.9, 0.8, 0.81], [0.9, 0.8, 0.9]),
    (0.9, "train accuracy on true labels", "corrupted"): ([0.8, 0.5, 0.1], [0.9, 0.5, 0.2]),
    (0.9, "coefficient", "corrupted"): ([0.5, 0.5, 0.6], [0.5, 0.5, 0.5]),
    (0.9, "coefficient", "clean"): ([0.5, 0.3, 0.2], [0.5, 0.3, 0.25]),
}


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("early-true", [0.8, 0.9]),
        ("late-memorised", [0.1, 0.2]),
        ("wrong-pull-more", [3, 2]),
        ("memorising-costs", [0.25, 0.1]),  # the other seed is best at step 10, and at step 1
        ("benign-in-many-dimensions", [0.09 / 0.175, 0]),
    ],
)
def test_statistics_on_a_table_with_known_answers(claim, values):
    rows = [
        {"seed": seed, "dimensions": ratio, "step": step, "quantity": quantity, "group": group, "value": value}
        for (ratio, quantity, group), seeds in MEASURED.items()
        for seed, curve in enumerate(seeds)
        for step, value in zip((1, 10, 100), curve, strict=True)
    ]
    spec = TwoGaussiansSpec.build(dimensions=[0.9, 9.0])
    statistic = next(known.statistic for known in claims.CLAIMS if known.id == claim)
    assert statistic(pd.DataFrame(rows), spec).tolist() == pytest.approx(values)
