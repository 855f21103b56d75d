"""Stopping rules: signals in closed form, each rule on runs whose best step is known, the control."""

import numpy as np
import pandas as pd
import pytest

from genbook.studies.stopping.shared import RULES, disparity, first_at_one, rises
from genbook.studies.stopping.stopping_rules import claims
from genbook.studies.stopping.stopping_rules.design import StoppingRulesSpec
from tests.known import Answer, Known


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
    found = disparity(pd.DataFrame([[coherence]]), pd.DataFrame([[norm]]), spec.n_train, spec.batch_size)
    assert found.to_numpy().item() == pytest.approx(np.sqrt(np.mean(pairs)))


PAIR = ("gradient cosine", "one half, other half")
KINDS = {
    "decoy loss": ("train loss", "decoys"),
    "cosine of halves": PAIR,
    "chosen on": ("test accuracy", "first half"),
    "read on": ("test accuracy", "second half"),
}
#: Batches as large as the training set: a measured step is an epoch.
SPEC = StoppingRulesSpec.build(batch_size=500, noise_levels=[0.0, 0.4])


def tidied(curves):
    """{(seed, noise): {signal or (quantity, group): values at steps 1, 2, …}} as the study's table."""
    return pd.DataFrame(
        [
            {"seed": seed, "noise": noise, "step": step, "value": value}
            | dict(zip(("quantity", "group"), KINDS.get(signal, (signal, "all")), strict=True))
            for (seed, noise), signals in curves.items()
            for signal, values in signals.items()
            for step, value in enumerate(values, 1)
        ]
    )


STEPS = np.arange(1, 42)


def tent(peak):
    """Highest at ``peak`` and falling by 1/40 a step on either side: averaging neighbours leaves the peak in place."""
    return 1 - np.abs(STEPS - peak) / 40


def one_run(best, stops, scale=1.0):
    """A run whose test accuracy is a tent at ``best``, and whose signals end where ``stops`` says of each rule."""
    # five rises that end where the rule is to stop; before and after, it falls
    rise = (stops["gradient disparity"] - 5 < STEPS) & (stops["gradient disparity"] >= STEPS)
    disparity = 5 + 0.01 * np.cumsum(np.where(rise, 1, -1))
    return {
        "held-out accuracy": tent(stops["held-out accuracy"]),
        "held-out loss": -tent(stops["held-out loss"]),
        "cosine of halves": tent(1),
        "loss spread": disparity / (2 - tent(stops["rescaled disparity"])),
        "train loss": 1 / STEPS,
        "decoy loss": 1 / STEPS + tent(stops["decoys"]),
        "chosen on": tent(best),
        "read on": 0.9 * scale * tent(best),
    } | _gradients(3 - tent(stops["m-coherence"]), disparity)


def _gradients(coherence, disparity):
    """m-coherence, and the gradient's norm with which it gives this disparity."""
    m = SPEC.n_train
    norm = disparity * np.sqrt((m - 1) * SPEC.batch_size / 2 / (1 / coherence - 1 / m)) / m
    return {"m-coherence": coherence, "gradient norm": norm}


def runs(offsets, clean=0.1):
    """Two seeds with their best steps at 11 and 31, so that the step which is best for the other is 20 steps off.

    ``offsets``: by rule, how many steps off the best it stops. With right labels, ``clean`` of what is lost by the end
    with noise is lost.
    """
    curves = {}
    for seed, (best, sign) in enumerate(((11, 1), (31, -1))):
        stops = {rule.name: best + sign * offsets.get(rule.name, 0) for rule in RULES}
        noisy = one_run(best, stops, scale=1 - seed / 100)
        lost_by_end = noisy["read on"][best - 1] - noisy["read on"][-1]
        flat = 0.9 - clean * (1 - seed / 100) * lost_by_end * (best != STEPS)
        curves[seed, 0.4], curves[seed, 0.0] = noisy, {**noisy, "read on": flat}
    return tidied(curves)


def noise_runs(stop_of_seed):
    """Two seeds as in `runs`, with an m-coherence that, smoothed or not, first comes down to 1 where it is told."""
    table = runs({})
    values = {
        seed: np.where(stop >= STEPS, 1 + (stop - STEPS) / 10, 0.5 + 1e-9 * STEPS)
        for seed, stop in enumerate(stop_of_seed)
    }
    which = table["quantity"] == "m-coherence"
    table.loc[which, "value"] = [
        values[s][step - 1] for s, step in zip(table[which]["seed"], table[which]["step"], strict=True)
    ]
    return table


def answer(table, per_step):
    """Twenty steps nearer to the best, or farther, are worth so much: 0.9/40 a step, and 1/100 less for seed 1."""
    return Answer(table, [per_step * 0.9 / 40, per_step * 0.9 / 40 * 0.99], SPEC)


def stop_at(rule, offset):
    return answer(runs({rule: offset}), 20 - abs(offset))


#: The constant step is 20 steps off; a rule stops 2 steps off the best, or 24.
KNOWN = {
    f"stop-by-{name}": Known(stop_at(rule, 2), stop_at(rule, 24))
    for name, rule in {
        "held-out-accuracy": "held-out accuracy",
        "held-out-loss": "held-out loss",
        "coherence": "m-coherence",
        "disparity": "gradient disparity",
        "rescaled-disparity": "rescaled disparity",
        "decoys": "decoys",
    }.items()
} | {
    "stop-by-gradient-noise": Known(answer(noise_runs((13, 29)), 20 - 2), answer(noise_runs((35, 7)), 20 - 24)),
    "disparity-over-held-out": Known(
        answer(runs({"gradient disparity": 2, "held-out loss": 12}), 10),
        answer(runs({"gradient disparity": 12, "held-out loss": 2}), -10),
    ),
    "no-noise-no-gain": Known(Answer(runs({}, 0.1), [0.1, 0.099], SPEC), Answer(runs({}, 0.8), [0.8, 0.792], SPEC)),
}


def test_stops_that_see_no_signal_are_known_beforehand():
    found = claims.outcomes(runs({}), SPEC)
    found = found[found["noise"] > 0].set_index(["rule", "seed"])
    assert found["step"].xs(claims.CONSTANT).tolist() == [31, 11]
    assert found["step"].xs(claims.ORACLE).tolist() == [11, 31]
    assert found["lost"].xs(claims.ORACLE).tolist() == [0, 0]
    assert found["accuracy"].xs(claims.ANY).tolist() == pytest.approx(
        [0.9 * tent(11).mean(), 0.9 * 0.99 * tent(31).mean()]
    )
    assert set(found.index.unique("rule")) == {rule.name for rule in RULES} | {
        claims.ORACLE,
        claims.NEVER,
        claims.CONSTANT,
        claims.ANY,
    }


def test_what_is_avoided_is_a_fraction_of_what_the_end_costs():
    """Never stopping loses .9 (30 + .99 · 10) / 80; a rule ten steps off: .9 (10 + .99 · 10) / 80."""
    found = claims.avoided(runs({"decoys": 10}), SPEC)
    assert found["decoys"] == pytest.approx(1 - (10 + 9.9) / (30 + 9.9))
    assert found[claims.NEVER] == 0
    assert found["held-out loss"] == pytest.approx(1)


def test_the_oracle_and_the_constant_step_are_chosen_on_one_half_of_the_test_set_and_read_on_the_other():
    table = runs({})
    first = table["group"] == "first half"
    table.loc[first, "value"] = 1 - (table["step"] - 20).abs() / 40
    found = claims.outcomes(table, SPEC)
    found = found[found["noise"] > 0].set_index(["rule", "seed"])
    assert found["step"].xs(claims.ORACLE).tolist() == found["step"].xs(claims.CONSTANT).tolist() == [20, 20]
    assert found["accuracy"].xs(claims.ORACLE)[0] == pytest.approx(0.9 * (1 - 9 / 40))
    assert found["lost"].xs("held-out loss")[0] == pytest.approx(-0.9 * 9 / 40)


def test_a_rise_counts_only_where_steps_are_an_epoch_apart():
    spec = StoppingRulesSpec.build(batch_size=50, noise_levels=[0.4])
    columns = claims.signals(runs({}), spec)["gradient disparity by epoch"].columns
    assert columns.tolist() == [10, 20, 30, 40]


def test_what_never_happens_stops_at_the_end():
    falling = pd.DataFrame([[5.0, 4.0, 3.0, 2.5, 2.2, 2.1, 2.0]], columns=range(7))
    assert rises(falling).tolist() == first_at_one(falling).tolist() == [6]


def test_shuffled_signals_are_the_same_values_at_other_steps_and_leave_the_accuracy():
    table, shuffled = runs({}), SPEC.model_copy(update={"signals": "shuffled"})
    own, other = claims.signals(table, SPEC), claims.signals(table, shuffled)
    for name in ("held-out loss", "gradient disparity"):
        np.testing.assert_allclose(np.sort(own[name]), np.sort(other[name]))
        assert (own[name] != other[name]).mean(axis=None) > 0.8
    moved = np.argsort(other["train loss"].to_numpy(), axis=1)
    np.testing.assert_array_equal(
        np.take_along_axis(other["held-out loss"].to_numpy(), moved, 1),
        np.take_along_axis(own["held-out loss"].to_numpy(), np.argsort(own["train loss"].to_numpy(), axis=1), 1),
    )
    alone = claims.signals(table[table["seed"] == 1], shuffled)
    pd.testing.assert_frame_equal(alone["held-out loss"], other["held-out loss"].loc[[1]])
