"""A best step that moves: its conditions, each stop on runs whose best steps are known, the controls."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.experiments import MLP, Labels
from genbook.studies.stopping.moving_best_step import claims
from genbook.studies.stopping.moving_best_step.design import MovingBestStepSpec, design
from tests.known import Answer, Known

STUDY = studies.get("moving_best_step")
SEEDS = range(4)
STEPS = np.arange(1, 42)
#: Two settings that differ in the learning rate alone; a measured step is an epoch.
SPEC = MovingBestStepSpec.build(
    n_train=[100], noise_levels=[0.4], rate_factors=[1.0, 2.0], learning_rate=0.1, batch_size=100
)
RATES = (0.1, 0.2)
NAMES = ("held-out loss", "held-out loss on true labels", "m-coherence", "gradient norm")


def tent(peak):
    """Highest at ``peak`` and falling by 1/40 a step on either side: averaging neighbours leaves the peak in place."""
    return 1 - np.abs(STEPS - peak) / 40


def accuracy(best, seed):
    """.9 within two steps of the best one, else .5, and a thousandth more for each seed."""
    return np.where(np.abs(STEPS - best) <= 2, 0.9, 0.5) + seed / 1000


def rising(stop):
    """Rises five times in a row up to ``stop``, and falls everywhere else."""
    return 5 + 0.01 * np.cumsum(np.where((stop - 5 < STEPS) & (stop >= STEPS), 1, -1))


def known_table(bests=(33, 7), stops=None, noise_stops=None):
    """Runs of two learning rates with their best steps, and signals by which each rule stops where it is told.

    ``stops``: by rule, the steps of the two settings; by default the best. ``noise_stops``: the same of the rule by
    gradient noise, whose m-coherence then has its least value nowhere near.
    """
    stops = dict.fromkeys((*NAMES[:3], "gradient disparity"), bests) | (stops or {})
    rows = []
    for seed in SEEDS:
        for place, (rate, best) in enumerate(zip(RATES, bests, strict=True)):
            coherence = 3 - tent(stops["m-coherence"][place])
            if noise_stops:
                stop = noise_stops[place]
                coherence = np.where(stop >= STEPS, 1 + (stop - STEPS) / 10, 0.5 + 1e-9 * STEPS)
            m, b = 100, SPEC.batch_size
            # the norm with which this coherence gives the disparity that is wanted
            norm = rising(stops["gradient disparity"][place]) * np.sqrt((m - 1) * b / 2 / (1 / coherence - 1 / m)) / m
            curves = {
                ("test accuracy", "first half"): accuracy(best, seed),
                ("test accuracy", "second half"): accuracy(best, seed),
                ("held-out loss", "all"): -tent(stops["held-out loss"][place]),
                ("held-out loss on true labels", "all"): -tent(stops["held-out loss on true labels"][place]),
                ("m-coherence", "all"): coherence,
                ("gradient norm", "all"): norm,
            }
            for (quantity, group), values in curves.items():
                rows += [(seed, 100, 0.4, rate, s, quantity, group, v) for s, v in zip(STEPS, values, strict=True)]
    columns = ["seed", "examples", "noise", "learning rate", "step", "quantity", "group", "value"]
    return pd.DataFrame(rows, columns=columns)


def answer(value, **changes):
    return Answer(known_table(**changes), [value] * len(SEEDS), SPEC)


ALIKE, OFF = (33, 33), (15, 15)


def over_constant(rule):
    """A rule stops at the best steps, where one step for both is in neither; or off them, where it is in both."""
    return Known(answer(0.4), answer(-0.4, bests=ALIKE, stops={rule: OFF}))


KNOWN = {
    "best-step-moves": Known(answer(31 / 5), answer(1, bests=ALIKE)),
    "constant-step-costs": Known(answer(0.4), answer(0, bests=ALIKE)),
    "held-out-over-constant-step": over_constant("held-out loss"),
    "clean-held-out-over-constant-step": over_constant("held-out loss on true labels"),
    "held-out-over-constant-time": Known(answer(0.4), answer(-0.2, bests=(32, 16), stops={"held-out loss": (10, 10)})),
    "clean-stops-later": Known(
        answer(3, stops={"held-out loss": (10, 10), "held-out loss on true labels": (30, 30)}),
        answer(0.5, stops={"held-out loss": (20, 20), "held-out loss on true labels": (10, 10)}),
    ),
    "gradient-noise-over-constant-step": Known(
        answer(0.4, noise_stops=(33, 7)), answer(-0.4, bests=ALIKE, noise_stops=(20, 20))
    ),
    "disparity-over-constant-step": over_constant("gradient disparity"),
    "coherence-over-constant-step": over_constant("m-coherence"),
}


def test_runs_differ_in_size_noise_and_learning_rate_and_hold_out_the_same_images():
    spec = MovingBestStepSpec.build(
        n_train=[50, 80], noise_levels=[0.1, 0.3], rate_factors=[0.5, 2.0], learning_rate=0.2, held_out=30, hidden=[7]
    )
    conditions = design(spec).conditions
    assert [tuple(c.columns.values()) for c in conditions] == spec.settings()
    assert len({tuple(c.columns.values()) for c in conditions}) == 8
    for c in conditions:
        n, noise, rate = c.columns.values()
        assert (c.images.n_train, c.images.labels, c.recipe.optimiser.lr) == (n, Labels().wrong(noise), rate)
        assert (c.images.held_out, c.images.held_out_labels, c.network) == (30, Labels().wrong(noise), MLP((7,)))
    assert {c.columns["learning rate"] for c in conditions} == {0.1, 0.4}


def test_stops_without_a_signal_are_chosen_on_other_runs():
    """One step is that of the other setting, one time is its step by the ratio of the rates; both on other seeds."""
    table = known_table(bests=(32, 16))
    found = claims.constant_stops(table)
    by_rate = {name: stops.groupby("learning rate").unique() for name, stops in found.items()}
    assert [by_rate[claims.CONSTANT][rate].tolist() for rate in RATES] == [[14], [30]]
    assert [by_rate[claims.OWN][rate].tolist() for rate in RATES] == [[30], [14]]
    # times in the other's window: 14 to 18 at .2 are 28 to 36 at .1; the first of them is taken
    assert by_rate[claims.TIME][0.1].item() == pytest.approx(28, abs=2)
    assert by_rate[claims.TIME][0.2].item() == pytest.approx(15, abs=1)


def test_a_choice_is_blind_to_the_seed_and_to_the_setting_that_it_is_for():
    table = known_table()
    changed = table.copy()
    mine = (table["seed"] == 0) | (table["learning rate"] == RATES[0])
    changed.loc[mine & (table["quantity"] == "test accuracy"), "value"] = np.nan
    before, after = claims.constant_stops(table), claims.constant_stops(changed.fillna(0.0))
    run = (0, 100, 0.4, RATES[0])
    assert before[claims.CONSTANT][run] == after[claims.CONSTANT][run]
    assert before[claims.TIME][run] == after[claims.TIME][run]
    assert before[claims.OWN][run] != after[claims.OWN][run]


def test_one_seed_has_no_others():
    found = claims.constant_stops(known_table().query("seed == 0"))
    assert all(stops.isna().all() for stops in found.values())
    assert claims.mean_accuracy(known_table().query("seed == 0"), SPEC)[claims.CONSTANT].isna().all()


def test_all_stops_are_compared_on_the_half_on_which_none_was_chosen():
    table = known_table()
    table.loc[table["group"] == "first half", "value"] = 0.5 + (table["step"] == 20) / 10
    found = claims.outcomes(table, SPEC).set_index("rule")
    for stop in (claims.ORACLE, claims.OWN):
        assert found.loc[stop, "step"].unique().tolist() == [20]
        assert found.loc[stop, "accuracy"].tolist() == pytest.approx([0.5 + s / 1000 for s in SEEDS for _ in RATES])


def test_shuffled_signals_move_the_rules_and_leave_the_stops_without_a_signal():
    shuffled = SPEC.model_copy(update={"signals": "shuffled"})
    own, other = (claims.outcomes(known_table(), spec).set_index("rule")["step"] for spec in (SPEC, shuffled))
    for stop in (claims.CONSTANT, claims.TIME, claims.OWN, claims.ORACLE, claims.NEVER):
        assert own[stop].tolist() == other[stop].tolist()
    assert (own["held-out loss"].to_numpy() != other["held-out loss"].to_numpy()).any()
