"""The chapter on early stopping: closed forms against simulation, tables against their schema, statistics on toys."""

import numpy as np
import pandas as pd
import pytest

from genbook.studies import get
from genbook.studies.early_stopping import claims as gradient_claims
from genbook.studies.early_stopping.spec import EarlyStoppingSpec
from genbook.studies.stopping_rules import claims as rule_claims
from genbook.studies.stopping_rules.rules import RULES
from genbook.studies.stopping_rules.run import _disparity
from genbook.studies.stopping_rules.spec import StoppingRulesSpec
from genbook.studies.two_gaussians import claims as gaussian_claims
from genbook.studies.two_gaussians.run import draw, first_step_accuracy
from genbook.studies.two_gaussians.spec import TwoGaussiansSpec

STUDIES = ("early_stopping", "stopping_rules", "two_gaussians")


@pytest.fixture(scope="module")
def smoke():
    """Spec and main table of each study in the smoke profile."""
    found = {}
    for name in STUDIES:
        spec = get(name).build("smoke", {})
        found[name] = spec, get(name).run(spec, [0, 1], "cpu")
    return found


def test_descent_of_the_groups_is_that_of_autograd():
    """The last moment's descents, from one gradient of the summed loss of each group in float64."""
    study = get("early_stopping")
    spec = study.build("smoke", {"steps": 10, "probes": 5})
    table = study.run(spec, [3], "cpu")
    row = table[(table["layer"] == "all") & (table["step"] == table["step"].max())].set_index(["quantity", "group"])
    value = row["value"]
    total = value["gradient length", "clean"] ** 2 + value["gradient length", "corrupted"] ** 2
    product = value["gradient cosine", "both"]
    product *= value["gradient length", "clean"] * value["gradient length", "corrupted"]
    assert value["descent", "both"] == pytest.approx(total + 2 * product, rel=1e-5)
    clean = value["gradient length", "clean"] ** 2 + product
    assert value["clean descent", "clean"] == pytest.approx(clean, rel=1e-5)


def test_layers_make_up_the_whole_descent(smoke):
    _, table = smoke["early_stopping"]
    descent = table[table["quantity"] == "descent"].pivot_table(index=["seed", "step"], columns="layer", values="value")
    layers = gradient_claims.layers_of(table)
    assert layers == ["layer 1", "layer 2"]
    np.testing.assert_allclose(descent[layers].sum(axis=1), descent["all"], rtol=1e-5)


def test_tags_and_labels_of_the_null_worlds():
    """Shuffled tags leave training as it is; clean labels leave nothing to be corrupted."""
    study = get("early_stopping")
    spec = study.build("smoke", {"steps": 50, "probes": 5})
    main = study.run(spec, [0], "cpu")
    shuffled = study.run(study.world(spec, study.nulls["shuffled tags"]), [0], "cpu")
    clean = study.run(study.world(spec, study.nulls["clean labels"]), [0], "cpu")

    def curve(table, quantity, group="all"):
        return gradient_claims.curve(table, quantity, group).to_numpy()

    np.testing.assert_allclose(curve(main, "test accuracy"), curve(shuffled, "test accuracy"))
    assert np.abs(curve(main, "train accuracy", "clean") - curve(shuffled, "train accuracy", "clean")).max() > 0.02
    np.testing.assert_allclose(curve(clean, "train accuracy", "corrupted"), curve(clean, "true accuracy", "corrupted"))


def toy(curves, step=(1, 10, 100, 1000)):
    """A table of early stopping: {(quantity, group, layer): {seed: values}}."""
    return pd.DataFrame(
        [
            {"seed": seed, "step": s, "epoch": s, "quantity": q, "group": g, "layer": layer, "value": v}
            for (q, g, layer), seeds in curves.items()
            for seed, values in seeds.items()
            for s, v in zip(step, values, strict=True)
        ]
    )


def test_best_step_is_chosen_on_the_other_seeds():
    table = toy({("test accuracy", "all", "all"): {0: [0, 1.0, 0, 0], 1: [0, 0, 0.9, 0], 2: [0, 0, 0.8, 0]}})
    assert gradient_claims.best_steps(table).to_dict() == {0: 100, 1: 10, 2: 10}


def test_descent_share_weighs_steps_by_their_descent():
    accuracy = {0: [0.1, 0.9, 0.5, 0.4], 1: [0.1, 0.9, 0.5, 0.4]}
    descent = {0: [4.0, 4.0, 1.0, 1.0], 1: [4.0, 4.0, 1.0, 1.0]}
    clean = {0: [4.0, 4.0, 0.25, 0.25], 1: [2.0, 2.0, 0.5, 0.5]}
    table = toy(
        {
            ("test accuracy", "all", "all"): accuracy,
            ("descent", "both", "all"): descent,
            ("clean descent", "clean", "all"): clean,
        }
    )
    early, late = gradient_claims.descent_share(table, True), gradient_claims.descent_share(table, False)
    assert early.tolist() == [1.0, 0.5]
    # from step 10 to 100 descent falls from 4 to 1, then stays: 225 + 900, of which the clean make 191.25 + 225
    assert late[0] == pytest.approx((191.25 + 225) / (225 + 900))


def test_share_of_clean_examples_is_what_the_corruption_leaves():
    assert gradient_claims.share_of_clean(EarlyStoppingSpec.build(noise=0.3, n_train=500)) == pytest.approx(0.7)
    assert gradient_claims.share_of_clean(
        EarlyStoppingSpec.build(noise=0.3, n_train=25, batch_size=5)
    ) == pytest.approx(17 / 25)


def test_first_step_in_closed_form():
    """The mean over draws of the exact accuracy after one step, at a signal at which it is far from 0 and 1."""
    spec = TwoGaussiansSpec.build(points=1000, random_share=0.4, spread=40.0, dimensions=[0.9, 3.0])
    table = get("two_gaussians").run(spec.model_copy(update={"descent_steps": 10, "moments": 5}), range(6), "cpu")
    for ratio in spec.dimensions:
        measured = gaussian_claims.curve(table, "test accuracy", ratio)[1].mean()
        dimension = round(ratio * spec.points)
        theory = first_step_accuracy(spec.points, dimension, spec.random_share, spec.spread / dimension**0.5)
        assert 0.55 < theory < 0.9
        assert measured == pytest.approx(theory, abs=0.01)


def test_descent_in_the_span_is_descent_on_the_weights():
    """The recorded accuracies against plain gradient descent on w in p dimensions."""
    spec = TwoGaussiansSpec.build(points=40, dimensions=[0.5, 2.0], descent_steps=30, moments=10, descent_rate=0.7)
    table = get("two_gaussians").run(spec, [5], "cpu")
    points, true, given = draw(spec, 5, 2.0)
    w = np.zeros(points.shape[1])
    for _ in range(30):
        coefficients = 1 / (1 + np.exp(given * (points @ w)))
        w += spec.descent_rate / 40 * points.T @ (given * coefficients)
    wrong = given != true
    coefficients = 1 / (1 + np.exp(given * (points @ w)))
    last = table[(table["dimensions"] == 2.0) & (table["step"] == 30)].set_index("quantity")["value"]
    assert last["wrong coefficient"] == pytest.approx(coefficients[wrong].mean(), rel=1e-9)
    assert last["train accuracy"] == (given * (points @ w) > 0).mean()
    # a new point's margin: w·v over σ‖w‖, by Monte Carlo
    rng = np.random.default_rng(0)
    new = w[0] + spec.spread / 80**0.5 * rng.standard_normal((20_000, 80)) @ w
    assert last["test accuracy"] == pytest.approx((new > 0).mean(), abs=0.012)


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
    quantities = get("stopping_rules").quantities
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
    assert rule_claims.avoided(table, "held-out accuracy").tolist() == pytest.approx([1, 1])
    assert rule_claims.avoided(table, "held-out loss").max() <= 0.1  # its least is at an end, which costs all
    outcomes = rule_claims.outcomes(table)
    assert set(outcomes["rule"]) == {rule.name for rule in RULES} | {"oracle", "never"}
    assert (outcomes["lost"] >= 0).all()


def test_shifted_signals_leave_the_test_accuracy(smoke):
    spec, table = smoke["stopping_rules"]
    study = get("stopping_rules")
    shifted = study.run(study.world(spec, study.nulls["shifted signals"]), [0, 1], "cpu")
    own, other = rule_claims.signals(table), rule_claims.signals(shifted)
    np.testing.assert_allclose(own["test accuracy"], other["test accuracy"])
    loss = own["held-out loss"]
    np.testing.assert_allclose(np.roll(loss, loss.shape[1] // 2, axis=1), other["held-out loss"], rtol=1e-5)


def test_null_worlds_of_the_two_gaussians_fail():
    """On quick tables, which take a second."""
    from genbook.claims import judge

    study = get("two_gaussians")
    spec = study.build("quick", {})
    tables = {name: study.run(study.world(spec, study.nulls[name]), range(5), "cpu") for name in study.nulls}
    for claim in study.claims:
        world = study.world(spec, study.nulls[claim.null])
        judgement = judge(claim, tables[claim.null], world)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)
