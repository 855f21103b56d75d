"""Stopping rules: signals in closed form, each rule on runs whose best step is known, the control."""

import numpy as np
import pandas as pd
import pytest

from genbook.studies import get
from genbook.studies.stopping.stopping_rules import claims
from genbook.studies.stopping.stopping_rules.claims import _disparity
from genbook.studies.stopping.stopping_rules.design import StoppingRulesSpec
from genbook.studies.stopping.stopping_rules.rules import RULES

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
    spec = StoppingRulesSpec.build(n_train=20, batch_size=1, decoys=2, held_out=10)
    coherence, norm = np.square(g.sum(0)).sum() / np.square(g).sum(), np.linalg.norm(g.mean(0))
    pairs = [np.square(g[i] - g[j]).sum() for i in range(20) for j in range(i)]
    found = _disparity(pd.DataFrame([[coherence]]), pd.DataFrame([[norm]]), spec)
    assert found.to_numpy().item() == pytest.approx(np.sqrt(np.mean(pairs)))


PAIR = ("gradient cosine", "one half, other half")


def tidied(curves, seeds=(0, 1)):
    """{noise: {signal or (quantity, group): values at steps 1, 2, …}} as the study's table."""
    kinds = {"decoy loss": ("train loss", "decoys"), "cosine of halves": PAIR}
    return pd.DataFrame(
        [
            {"seed": seed, "noise": noise, "step": step, "value": value}
            | dict(zip(("quantity", "group"), kinds.get(signal, (signal, "all")), strict=True))
            for seed in seeds
            for noise, signals in curves.items()
            for signal, values in signals.items()
            for step, value in enumerate(values, 1)
        ]
    )


def rules_table(accuracy, signal):
    """Every signal the same curve, so that rules differ only by the end they look for."""
    names = ("held-out accuracy", "held-out loss", "m-coherence", "cosine of halves", "loss spread", "train loss")
    return tidied({0.4: {"test accuracy": accuracy} | dict.fromkeys((*names, "decoy loss", "gradient norm"), signal)})


def test_a_rule_that_finds_the_peak_avoids_all_and_one_that_finds_the_end_nothing():
    x = np.linspace(-1, 1, 41)
    table = rules_table(0.9 - 0.3 * x**2, 1 - x**2)
    assert claims.avoided(table, StoppingRulesSpec(), "held-out accuracy").tolist() == pytest.approx([1, 1])
    assert (
        claims.avoided(table, StoppingRulesSpec(), "held-out loss").max() <= 0.1
    )  # its least is at an end, which costs all
    outcomes = claims.outcomes(table, StoppingRulesSpec())
    assert set(outcomes["rule"]) == {rule.name for rule in RULES} | {"oracle", "never"}
    assert (outcomes["lost"] >= 0).all()


def test_shifted_signals_leave_the_test_accuracy():
    spec = STUDY.build("smoke", {})
    table = STUDY.run(spec, [0, 1], "cpu")
    setting = STUDY.changed(spec, STUDY.controls["shifted signals"])
    own, other = claims.signals(table, spec), claims.signals(STUDY.run(setting, [0, 1], "cpu"), setting)
    np.testing.assert_allclose(own["test accuracy"], other["test accuracy"])
    loss = own["held-out loss"]
    np.testing.assert_allclose(np.roll(loss, loss.shape[1] // 2, axis=1), other["held-out loss"], rtol=1e-5)


def tent(peak, steps):
    """Highest at ``peak`` and falling by 1/40 a step on either side: averaging neighbours leaves the peak in place."""
    return 1 - np.abs(steps - peak) / 40


def known_table(spec):
    """The test accuracy is best at step 21 and each rule's signal ends elsewhere, on runs of 41 steps."""
    steps = np.arange(1, 42)
    coherence, disparity, m = 2 - tent(27, steps), tent(31, steps), spec.n_train
    # the norm with which this m-coherence gives this disparity
    norm = disparity * np.sqrt((m - 1) * spec.batch_size / 2 / (1 / coherence - 1 / m)) / m
    curves = {
        "held-out accuracy": tent(23, steps),
        "held-out loss": -tent(25, steps),
        "m-coherence": coherence,
        "cosine of halves": -tent(29, steps),
        "gradient norm": norm,
        "loss spread": disparity / (2 - tent(33, steps)),
        "train loss": 1 / steps,
        "decoy loss": 1 / steps + tent(35, steps),
    }
    # where all labels are right, a tenth of that is lost
    accuracy = {0.0: 0.9 + tent(21, steps) / 10, 0.4: tent(21, steps)}
    return tidied({noise: {**curves, "test accuracy": values} for noise, values in accuracy.items()})


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
    values = statistic(known_table(StoppingRulesSpec()), StoppingRulesSpec())
    assert values.tolist() == pytest.approx([value, value])


def test_where_training_on_costs_nothing_a_rule_has_nothing_to_avoid():
    table = known_table(StoppingRulesSpec())
    accuracy = table["quantity"] == "test accuracy"
    table.loc[accuracy & (table["seed"] == 1), "value"] = table["step"] / 41
    assert claims.avoided(table, StoppingRulesSpec(), "held-out accuracy").isna().tolist() == [False, True]
