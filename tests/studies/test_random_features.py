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
from tests.known import Answer, Known

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


SPEC = RandomFeaturesSpec.build(steps=[1, 10, 100])
#: By setting, the peak over flanks at 1: high after many steps and where training comes far; and the other way round.
PEAKS = {"1": 0.5, "10": 2.0, "100": 4.0, "uneven": 1.5, "standardised": 3.3, "Adam 0.1": 1.2, "SGD": 0.6}
FITTED = {"1": 0.8, "10": 0.2, "100": 0.1, "uneven": 0.5, "standardised": 0.15, "Adam 0.1": 0.6, "SGD": 0.7}
OPPOSITE = {"1": 2.0, "10": 1.3, "100": 0.9, "uneven": 1.5, "standardised": 1.0, "Adam 0.1": 0.6, "SGD": 1.25}
#: By how much the peak of some settings is higher with the second seed.
HIGHER = {"1": 0.01, "100": 0.03, "standardised": 0.01, "Adam 0.1": 0.02}
FAMILIES = {"uneven": "features", "standardised": "features", "Adam 0.1": "optimiser", "SGD": "optimiser"}


def known_table(peaks=PEAKS, fitted=FITTED, tuned=(3.0, 2.0, 1.0), samples=9.0, apart=1.0):
    """Two seeds; tuned ridges along three places; ridge's answers ``apart`` times as large as private features'."""
    rows = []
    for seed in (0, 1):

        def run_of(group, family, setting, steps, peak, loss, size=1.0, seed=seed):
            for width in (0.25, 1.0, 4.0):
                told = peak if width == 1 else 1.0
                for quantity, value in (("test loss", told), ("training loss", loss), ("output size", size * told)):
                    yield (seed, group, family, setting, steps, width, 1.0, quantity, value)

        for setting, peak in peaks.items():
            family = FAMILIES.get(setting, "steps")
            steps = float(setting) if family == "steps" else 5.0
            peak *= 1 + seed * HIGHER.get(setting, 0)
            rows += run_of("optimiser", family, setting, steps, peak, fitted[setting])
        rows += run_of("problem", "private features", "each its own", np.inf, 0.93, 0.0)
        rows += run_of("problem", "ridge", f"{SPEC.private:g}", np.inf, 0.93, 0.3, apart)
        more = 1 + 0.01 * seed
        numbers = zip((0.25, 1.0, 4.0), (3.0, 9.0, 2.0), tuned, (3.0, samples * more, 2.0), strict=True)
        for place, number, ridge, loss in numbers:
            ridge = ridge * more if place >= 1 else ridge
            rows += [
                (seed, "features", "condition", "raw", np.nan, place, 1.0, "condition number", number),
                (seed, "tuned", "widths", "tuned ridge", np.inf, place, 1.0, "test loss", ridge),
                (seed, "tuned", "samples", "tuned ridge", np.inf, 1.0, place, "test loss", ridge),
                (seed, "samples", "steps", "last", 100.0, 1.0, place, "test loss", loss),
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def opposite():
    return known_table(OPPOSITE, OPPOSITE, (1.0, 2.0, 4.0), 2.0, np.e)


def both(first, second=None):
    """The values of the two seeds: one for each claim's table."""
    return [first, first if second is None else second]


def known(holds, fails):
    return Known(holds=Answer(known_table(), holds, SPEC), fails=Answer(opposite(), fails, SPEC))


def slopes(x, peaks):
    """Least squares by NumPy on the logarithms, of the peaks after 1, 10 and 100 steps."""
    losses = [[peaks[s] * (1 + seed * HIGHER.get(s, 0)) for s in ("1", "10", "100")] for seed in (0, 1)]
    return [np.polyfit(np.log(x), np.log(loss), 1)[0] for loss in losses]


STEPS, AT = [1, 10, 100], ("1", "10", "100")
KNOWN = {
    "peak-by-width": known(both(4, 4.12), both(0.9, 0.927)),
    "peak-by-samples": known(both(3, 3.03), both(2 / 3, 2.02 / 3)),
    "not-reached-no-peak": known(both(0.5, 0.505), both(2, 2.02)),
    "peak-grows": known(both(8, 4.12 / 0.505), both(0.45, 0.927 / 2.02)),
    "grows-like-root": known(slopes(STEPS, PEAKS), slopes(STEPS, OPPOSITE)),
    "peak-where-ill-conditioned": known(both(np.sqrt(2 / 3)), both(-np.sqrt(2 / 3))),
    "conditioning-brakes": known(both(2.2, 2.222), both(2 / 3, 1.01 / 1.5)),
    "loss-predicts-peak": known(both(-1), both(1)),
    "inverse-to-training-loss": known(
        slopes([FITTED[s] for s in AT], PEAKS), slopes([OPPOSITE[s] for s in AT], OPPOSITE)
    ),
    "private-is-ridge": known([0.0] * 6, [-1.0] * 6),
    "tuned-ridge-more-features": known(both(2 / 3, 2.02 / 3), both(4, 4.04)),
    "tuned-ridge-more-samples": known(both(2 / 3, 2.02 / 3), both(4, 4.04)),
}


def test_means_of_runs_over_seeds_are_geometric():
    table = known_table().query("seed == 0")
    means = claims.mean_runs(pd.concat([table, table.assign(seed=1, value=4 * table["value"])])).set_index("setting")
    assert means["training loss"].loc[["SGD", "each its own"]].to_list() == pytest.approx([1.4, 1e-30])
    assert means["peak"].loc["uneven"] == pytest.approx(1.5)


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
