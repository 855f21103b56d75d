"""Stopping rules: signals in closed form, each rule on runs whose best step is known, the null world."""

import numpy as np
import pandas as pd
import pytest

from genbook.studies import get
from genbook.studies.stopping.stopping_rules import claims
from genbook.studies.stopping.stopping_rules.rules import RULES
from genbook.studies.stopping.stopping_rules.run import _disparity
from genbook.studies.stopping.stopping_rules.spec import StoppingRulesSpec

STUDY = get("stopping_rules")


def test_cosine_of_halves_is_coherence_in_other_words():
    """(κ − 1)/(κ + 1) against many random halves of one set of vectors."""
    rng = np.random.default_rng(2)
    for shift in (0.05, 0.3, 1.0):
        g = rng.standard_normal((200, 8)) + shift
        kappa = np.square(g.sum(0)).sum() / np.square(g).sum()
        signs = np.array([rng.permutation(200) < 100 for _ in range(8000)])
        one, other = signs @ g, ~signs @ g
        lengths = np.square(one).sum(1).mean() * np.square(other).sum(1).mean()
        cosine = (one * other).sum(1).mean() / np.sqrt(lengths)
        assert cosine == pytest.approx((kappa - 1) / (kappa + 1), abs=0.02)


def test_gradient_disparity_is_the_mean_over_pairs():
    """With batches of one example, against all pairs of twenty gradients."""
    g = np.random.default_rng(1).standard_normal((20, 3)) + 0.5
    spec = StoppingRulesSpec.build(n_train=20, batch_size=1, decoys=2, n_validation=10)
    known = {"gradient norm": np.linalg.norm(g.mean(0)), "m-coherence": np.square(g.sum(0)).sum() / np.square(g).sum()}
    rows = [{"seed": 0, "noise": 0.1, "step": 1, "epoch": 1, "quantity": q, "value": v} for q, v in known.items()]
    pairs = [np.square(g[i] - g[j]).sum() for i in range(20) for j in range(i)]
    assert _disparity(pd.DataFrame(rows), spec)["value"].item() == pytest.approx(np.sqrt(np.mean(pairs)))


def rules_table(accuracy, signal):
    """Every signal the same curve, so that rules differ only by the end they look for."""
    steps = np.arange(1, len(accuracy) + 1)
    quantities = STUDY.quantities
    return pd.DataFrame(
        [
            {"seed": seed, "noise": 0.4, "step": s, "epoch": s, "quantity": q, "value": v}
            for seed in (0, 1)
            for q in quantities
            for s, v in zip(steps, accuracy if q == "test accuracy" else signal, strict=True)
        ]
    )


def test_a_rule_that_finds_the_peak_avoids_all_and_one_that_finds_the_end_nothing():
    x = np.linspace(-1, 1, 41)
    table = rules_table(0.9 - 0.3 * x**2, 1 - x**2)
    assert claims.avoided(table, "held-out accuracy").tolist() == pytest.approx([1, 1])
    assert claims.avoided(table, "held-out loss").max() <= 0.1  # its least is at an end, which costs all
    outcomes = claims.outcomes(table)
    assert set(outcomes["rule"]) == {rule.name for rule in RULES} | {"oracle", "never"}
    assert (outcomes["lost"] >= 0).all()


def test_shifted_signals_leave_the_test_accuracy():
    spec = STUDY.build("smoke", {})
    table = STUDY.run(spec, [0, 1], "cpu")
    shifted = STUDY.run(STUDY.world(spec, STUDY.nulls["shifted signals"]), [0, 1], "cpu")
    own, other = claims.signals(table), claims.signals(shifted)
    np.testing.assert_allclose(own["test accuracy"], other["test accuracy"])
    loss = own["held-out loss"]
    np.testing.assert_allclose(np.roll(loss, loss.shape[1] // 2, axis=1), other["held-out loss"], rtol=1e-5)


def tent(peak, steps):
    """Highest at ``peak`` and falling by 1/40 a step on either side: averaging neighbours leaves the peak in place."""
    return 1 - np.abs(steps - peak) / 40


def known_table():
    """The test accuracy is best at step 21 and each rule's signal ends elsewhere, on runs of 41 steps."""
    steps = np.arange(1, 42)
    disparity = tent(31, steps)
    curves = {
        "held-out accuracy": tent(23, steps),
        "held-out loss": -tent(25, steps),
        "m-coherence": -tent(27, steps),
        "cosine of halves": -tent(29, steps),
        "gradient disparity": disparity,
        "loss spread": disparity / (2 - tent(33, steps)),
        "train loss": 1 / steps,
        "decoy loss": 1 / steps + tent(35, steps),
    }
    # where all labels are right, a tenth of that is lost
    accuracy = {0.0: 0.9 + tent(21, steps) / 10, 0.4: tent(21, steps)}
    return pd.DataFrame(
        [
            {"seed": seed, "noise": noise, "step": step, "quantity": quantity, "value": value}
            for seed in (0, 1)
            for noise in (0.0, 0.4)
            for quantity, curve in {**curves, "test accuracy": accuracy[noise]}.items()
            for step, value in zip(steps, curve, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        # a rule that stops k steps off the best loses k/40 of the 20/40 that training to the end loses
        ("stop-by-held-out-accuracy", 0.9),
        ("stop-by-held-out-loss", 0.8),
        ("stop-by-coherence", 0.7),
        ("stop-by-halves", 0.6),
        ("stop-by-disparity", 0.5),
        ("stop-by-rescaled-disparity", 0.4),
        ("stop-by-decoys", 0.3),
        ("disparity-over-held-out", -0.5),
        ("no-noise-no-gain", 0.1),
    ],
)
def test_statistics_on_a_table_with_known_answers(claim, value):
    statistic = next(known.statistic for known in claims.CLAIMS if known.id == claim)
    values = statistic(known_table(), StoppingRulesSpec())
    assert values.tolist() == pytest.approx([value, value])


def test_where_training_on_costs_nothing_a_rule_has_nothing_to_avoid():
    table = known_table()
    accuracy = table["quantity"] == "test accuracy"
    table.loc[accuracy & (table["seed"] == 1), "value"] = table["step"] / 41
    assert claims.avoided(table, "held-out accuracy").isna().tolist() == [False, True]
