"""Label permutations: statistics on tables with known answers, and its conditions."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.studies.memorisation.label_permutations import claims
from genbook.studies.memorisation.label_permutations.design import design
from genbook.tables.readings import power
from tests.known import Answer, Known

STUDY = studies.get("label_permutations")


def table(time=0.8, calm=-1.0, added=0.7, renamed=1 / 1.2):
    """Times, calm coherence and what steps add as powers of the number of blocks; seed 1 never fits the last cut.

    The largest blocks take ``renamed`` times as long as real labels. Seed 1's powers are larger by a hundredth.
    """
    rows = []
    for seed in (0, 1):
        for blocks in (0, 1, 3, 10):
            scale = max(blocks, 1)
            time_, calm_, added_ = (power + 0.01 * seed for power in (time, calm, added))
            steps = np.nan if (seed, blocks) == (1, 10) else 100 * scale**time_ / (renamed if blocks == 0 else 1)
            rows.append((seed, blocks, "training", 0, "steps to fit", steps))
            quiet = 5 * scale**calm_ * (0.8 if blocks == 0 else 1)
            for fraction in (0.0, 0.05, 0.5, 1.0):
                loss = (2.0 if blocks < 3 else 1.5) * (1 - 0.4 * fraction)
                rows.append((seed, blocks, "small steps", 200 * fraction, "m-coherence", quiet))
                rows.append((seed, blocks, "small steps", 200 * fraction, "train loss", loss))
                rows.append((seed, blocks, "as before", 67 * fraction, "m-coherence", quiet * 2 * scale**added_))
    return pd.DataFrame(rows, columns=["seed", "blocks", "phase", "step", "quantity", "value"])


def _answer(*values, **changes):
    return Answer(table(**changes), values, STUDY.build("quick", {}))


KNOWN = {
    "renaming-costs-no-time": Known(_answer(1 / 1.2, 1 / 1.2), _answer(3.0, 3.0, renamed=3.0)),
    "annealed-coherence-follows-blocks": Known(_answer(-1.0, -0.99), _answer(0.0, 0.01, calm=0.0)),
    "steps-add-where-nothing-is-shared": Known(_answer(0.7, 0.71), _answer(0.0, 0.01, added=0.0)),
}


def test_time_is_a_power_of_the_number_of_blocks():
    assert power(claims.steps_to_level(table()).drop(columns=0)).tolist() == pytest.approx([0.8, 0.81])


def test_annealed_coherence_leaves_out_the_first_steps_and_is_missing_where_losses_are_not_shared():
    spec, rows = STUDY.build("quick", {}), table()
    first = (rows["step"] == 0) & (rows["quantity"] == "m-coherence")
    rows.loc[first, "value"] = 99.0
    assert claims.annealed_at_equal_loss(rows, spec)[1].to_numpy() == pytest.approx(5.0)
    assert claims.going_on(rows, spec, "small steps")[1].to_numpy() == pytest.approx(5.0)
    rows.loc[(rows["quantity"] == "train loss") & (rows["blocks"] == 10), "value"] /= 10
    assert claims.annealed_at_equal_loss(rows, spec).isna().all(axis=None)


def test_one_cut_leaves_powers_unknown():
    rows = table()
    assert power(claims.steps_to_level(rows[rows["blocks"].isin([0, 1])]).drop(columns=0)).isna().all()


def test_blocks_beyond_single_images_are_dropped():
    spec = STUDY.build("smoke", {"n_train": 40, "blocks": [1, 4, 6, 30], "batch_size": 20, "steps": 20})
    assert [condition.columns["blocks"] for condition in design(spec).conditions] == [0, 1, 4]


def test_both_continuations_take_the_same_time():
    spec = STUDY.build("quick", {})
    before, small = design(spec).conditions[0].continued
    assert before.recipe.steps * spec.learning_rate == pytest.approx(spec.time, rel=0.02)
    assert small.recipe.steps * spec.small_learning_rate == pytest.approx(spec.time, rel=0.02)
    assert (before.recipe.batch_size, small.recipe.batch_size) == (spec.batch_size, None)
