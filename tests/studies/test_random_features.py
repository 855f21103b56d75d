"""Random features: the filter against real steps, private features against least norms; the table; the statistics."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import ORDER, generator
from genbook.studies import get
from genbook.studies.descent.random_features import claims, conditions, descent
from genbook.studies.descent.random_features.features import all_modes, decomposed, drawn, mapped, whitened
from genbook.studies.descent.random_features.run import COLUMNS, run, shuffled
from genbook.studies.descent.random_features.spec import RandomFeaturesSpec

STUDY = get("random_features")
SMALL = STUDY.build("smoke", {"steps": [10, 100, 1000]})


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


@pytest.fixture
def problem():
    """Features [12, k] as modes, their test features, and targets [12, 3]."""

    def make(width):
        draw = np.random.default_rng(width)
        features = {"train": draw.standard_normal((12, width)), "test": draw.standard_normal((5, width))}
        return features, decomposed(features), draw.standard_normal((12, 3))

    return make


@pytest.mark.parametrize("width", [5, 12, 30])
@pytest.mark.parametrize(("rate", "decay", "steps"), [(1.0, 0.0, 40), (1.7, 0.0, 41), (0.3, 0.2, 40)])
def test_the_filter_is_real_full_batch_descent(problem, width, rate, decay, steps):
    features, modes, targets = problem(width)
    start = np.random.default_rng(9).standard_normal((width, 3))
    learning_rate = rate / (modes.eigenvalues[0] + decay)
    weights = start.copy()
    for _ in range(steps):
        residual = features["train"] @ weights - targets
        weights -= learning_rate * (features["train"].T @ residual / 12 + decay * weights)
    moved = descent.along_modes(modes, targets, steps, rate, decay, modes.right.T @ start)
    assert modes.right.T @ weights == pytest.approx(moved, abs=1e-9)
    assert descent.along_modes(modes, targets, 0, rate, decay) == pytest.approx(0 * moved)


def test_remaining_keeps_small_fractions_and_signs():
    fractions = np.array([0.0, 1e-12, 0.3, 0.7, 1.0, 1.4, 1.9])
    for steps in (1, 2, 7):
        assert descent.remaining(fractions, steps) == pytest.approx((1 - fractions) ** steps, rel=1e-12, abs=1e-300)
    assert descent.remaining(fractions, 0).tolist() == [1.0] * 7
    assert 1 - descent.remaining(np.array([1e-20]), 1e15)[0] == pytest.approx(1e-5, rel=1e-4)


def test_infinite_steps_and_ridge_are_the_solutions(problem):
    features, modes, targets = problem(30)
    least = np.linalg.pinv(features["train"]) @ targets
    assert modes.right @ descent.along_modes(modes, targets, np.inf, 1.0) == pytest.approx(least)
    ridge = np.linalg.solve(
        features["train"].T @ features["train"] / 12 + 0.1 * np.eye(30), features["train"].T @ targets / 12
    )
    assert modes.right @ descent.along_modes(modes, targets, np.inf, 1.0, 0.1) == pytest.approx(ridge)


@pytest.mark.parametrize("width", [5, 30])
def test_private_features_are_the_least_norm_solution_with_a_feature_per_example(problem, width):
    features, modes, targets = problem(width)
    strength = 0.07
    augmented = np.hstack([features["train"], np.sqrt(12 * strength) * np.eye(12)])
    solution = np.linalg.pinv(augmented) @ targets
    shared, outputs = descent.with_private_features(modes, targets, strength)
    assert outputs == pytest.approx(targets)
    assert modes.right @ shared == pytest.approx(solution[:width])
    # on new inputs, which have no private feature, it is ridge regression
    assert shared == pytest.approx(descent.along_modes(modes, targets, np.inf, 1.0, strength))


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_real_steps_are_those_of_torch(problem, decay):
    features, _, targets = problem(7)
    draws = generator(4, ORDER).integers(0, 12, (30, 3))
    for ours, optimiser in ((descent.stochastic, torch.optim.SGD), (descent.adam, torch.optim.Adam)):
        weights = torch.zeros(7, 3, dtype=torch.float64, requires_grad=True)
        steps = optimiser([weights], lr=0.02, weight_decay=decay)
        inputs, wanted = torch.from_numpy(features["train"]), torch.from_numpy(targets)
        for chosen in draws:
            steps.zero_grad()
            (0.5 * (inputs[chosen] @ weights - wanted[chosen]).square().sum() / 3).backward()
            steps.step()
        found = ours(features["train"], targets, 30, 0.02, 3, 4, decay)
        assert found == pytest.approx(weights.detach().numpy(), rel=1e-6, abs=1e-9)


def test_the_stable_learning_rate_keeps_small_batches_from_diverging(problem):
    features, modes, targets = problem(30)
    weights = descent.stochastic(features["train"], targets, 3000, descent.stable_learning_rate(modes, 1), 1, 0)
    assert ((features["train"] @ weights - targets) ** 2).mean() < (targets**2).mean()
    assert descent.stable_learning_rate(modes, 10**9) == pytest.approx(1 / modes.eigenvalues[0])


def test_whitening_changes_no_function_that_fewer_features_than_examples_end_with(problem):
    _, modes, targets = problem(8)
    flat = whitened(modes)
    assert flat.condition == pytest.approx(1)
    ends = modes.elsewhere["test"] @ descent.along_modes(modes, targets, np.inf, 1.0)
    assert flat.elsewhere["test"] @ descent.along_modes(flat, targets, 1, 1.0) == pytest.approx(ends)
    assert flat.others["test"] @ flat.right == pytest.approx(flat.elsewhere["test"])


def test_samples_and_features_are_what_they_say():
    sample = drawn(SMALL, 3, 40)
    assert sample.inputs["train"].mean(0) == pytest.approx(np.zeros(64), abs=1e-6)
    assert (sample.inputs["train"] ** 2).mean() == pytest.approx(1, rel=1e-6)
    for targets in (sample.clean_targets, *sample.targets.values()):
        assert (targets**2).sum(1) == pytest.approx(np.ones(len(targets)))
    wrong = (sample.targets["train"] != sample.clean_targets).any(1).mean()
    assert wrong == pytest.approx(SMALL.noise)
    narrow, wide = (mapped(sample, 3, width, "raw") for width in (10, 40))
    assert narrow["test"] * np.sqrt(10) == pytest.approx(wide["test"][:, :10] * np.sqrt(40))
    standard = mapped(sample, 3, 10, "standardised")["train"] * np.sqrt(10)
    assert standard.std(0) == pytest.approx(np.ones(10))
    found = all_modes(sample, 3, 10, ["whitened"])
    assert list(found) == ["whitened"]
    assert found["whitened"].condition == 1


def test_every_condition_is_in_the_table(table):
    known = {(c.family, c.setting) for c in conditions.of_the_optimiser(SMALL) + conditions.of_the_problem(SMALL)}
    runs = table[table["group"].isin(("optimiser", "problem"))]
    assert set(zip(runs["family"], runs["setting"], strict=True)) == known


def test_shuffling_exchanges_whole_runs(table):
    moved = shuffled(table)
    same = ~table["quantity"].isin(("training loss", "output size"))
    assert moved[same].equals(table[same])
    place = {"quantity": "training loss", "width": 1.0, "seed": 0}
    before, after = (
        t[t["group"].isin(("optimiser", "problem"))].loc[lambda d: (d[list(place)] == pd.Series(place)).all(axis=1)]
        for t in (table, moved)
    )
    assert sorted(before["value"]) == pytest.approx(sorted(after["value"]))
    assert not np.allclose(before["value"], after["value"])


def test_statistics_on_known_tables():
    losses = pd.DataFrame({0.25: [1.0, 2.0], 0.5: [9.0, 9.0], 1.0: [6.0, 3.0], 4.0: [2.0, 1.0]})
    assert claims.height(losses).tolist() == [3, 1.5]
    rows = []
    for place, (loss, peak) in enumerate([(0.3, 1.0), (0.2, 2.0), (0.1, 4.0)]):
        for width in (0.25, 1.0, 4.0):
            values = {"test loss": peak if width == 1 else 1.0, "training loss": loss, "output size": 2.0 * width}
            for quantity, value in values.items():
                rows.append((0, "optimiser", "steps", str(place), 10.0**place, width, 1.0, quantity, value))
    table = pd.DataFrame(rows, columns=COLUMNS)
    assert claims.runs(table)["peak"].tolist() == [1, 2, 4]
    assert claims.agreement(table, "training loss", ("optimiser",)).tolist() == [-1]
    assert claims.agreement(table, "relative size", ("optimiser",)).tolist() == [0]
    spec = RandomFeaturesSpec.build(steps=[1, 10, 100])
    assert claims.growth(table, spec).to_numpy() == pytest.approx([np.log10(2)])
    table.loc[table["quantity"] == "training loss", "value"] **= 2
    expected = np.polyfit(2 * np.log([0.3, 0.2, 0.1]), np.log([1, 2, 4]), 1)[0]
    assert claims.growth(table, spec, "training loss").to_numpy() == pytest.approx([expected])


def test_claims_on_a_known_table():
    """Peaks of height 4 after the most steps and 0.5 after the fewest; conditions of one family at four heights."""
    spec = RandomFeaturesSpec.build(steps=[1, 10, 100])

    def run_of(group, family, setting, steps, peak, fitted=1.0):
        for width in (0.25, 1.0, 4.0):
            values = {
                "test loss": peak if width == 1 else 1.0,
                "training loss": fitted,
                "output size": peak if width == 1 else 1.0,
            }
            for quantity, value in values.items():
                yield (0, group, family, setting, steps, width, 1.0, quantity, value)

    rows = [
        *run_of("optimiser", "steps", "1", 1.0, 0.5, 0.8),
        *run_of("optimiser", "steps", "10", 10.0, 2.0, 0.4),
        *run_of("optimiser", "steps", "100", 100.0, 4.0, 0.2),
        *run_of("optimiser", "features", "uneven", 10.0, 1.5, 0.5),
        *run_of("optimiser", "features", "standardised", 10.0, 3.0, 0.3),
        *run_of("optimiser", "optimiser", "Adam 0.1", 5.0, 1.2, 0.6),
        *run_of("optimiser", "optimiser", "SGD", 5.0, 0.6, 0.7),
        *run_of("problem", "private features", "each its own", np.inf, 0.9, 0.0),
    ]
    for width, number in ((0.25, 3.0), (1.0, 9.0), (4.0, 2.0)):
        rows.append((0, "features", "condition", "raw", np.nan, width, 1.0, "condition number", number))
        rows.append((0, "tuned", "widths", "tuned ridge", np.inf, width, 1.0, "test loss", number))
        rows.append((0, "tuned", "samples", "tuned ridge", np.inf, 1.0, width, "test loss", 1 / number))
        rows.append((0, "samples", "steps", "last", 100.0, 1.0, width, "test loss", number))
    table = pd.DataFrame(rows, columns=COLUMNS)
    expected = {
        "peak-by-width": 4,
        "peak-by-samples": 3,
        "not-reached-no-peak": 0.5,
        "peak-grows": 8,
        "grows-like-root": 0.5 - np.log(8) / np.log(100),
        "peak-where-ill-conditioned": np.sqrt(2 / 3),
        "conditioning-brakes": 2,
        "adam-goes-further": 2,
        "loss-predicts-peak": -1,
        "inverse-to-training-loss": -np.polyfit(np.log([0.8, 0.4, 0.2]), np.log([0.5, 2, 4]), 1)[0] - 1,
        "equal-loss-no-peak": 0.9,
        "size-predicts-peak": 1,
        "tuned-ridge-more-features": 3,
        "tuned-ridge-more-samples": 4.5,
    }
    found = {claim.id: claim.statistic(table, spec).loc[0] for claim in STUDY.claims}
    assert found == pytest.approx(expected)
    means = claims.mean_runs(pd.concat([table, table.assign(seed=1, value=4 * table["value"])])).set_index("setting")
    assert means["training loss"].loc[["SGD", "each its own"]].to_list() == pytest.approx([1.4, 1e-30])
    assert means["peak"].loc["uneven"] == pytest.approx(1.5)
    worse = table["family"].eq("private features") & table["quantity"].eq("training loss")
    table.loc[worse, "value"] = 0.3
    assert next(c for c in STUDY.claims if c.id == "equal-loss-no-peak").statistic(table, spec).isna().all()


def test_controls_come_out_as_they_must():
    small = {
        "n_train": 120,
        "held_out": 80,
        "width": 80,
        "widths": [0.25, 0.5, 1.0, 2.0, 4.0],
        "sample_counts": [0.25, 1.0, 4.0],
    }
    for name, changes in STUDY.controls.items():
        spec = RandomFeaturesSpec.build(**{**small, **changes})
        table = run(spec, range(4), "cpu")
        for claim in STUDY.claims:
            if claim.control == name:
                judgement = judge(claim, table, spec)
                assert judgement.verdict == "fails", claim.id
                assert np.isfinite(judgement.estimate)
