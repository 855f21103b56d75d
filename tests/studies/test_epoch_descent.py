"""One network in time: statistics on known curves, the settings as they are trained, the table against its schema."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.recipes import SGD, Adam
from genbook.experiments import Labels
from genbook.studies.descent.epoch_descent.design import SETTINGS, EpochDescentSpec, design
from genbook.studies.descent.epoch_descent.study import PREREGISTERED
from tests.known import Answer, Known, in_halves

STUDY = studies.get("epoch_descent")
STEPS = (0, 50, *range(100, 1100, 100))
SPEC = EpochDescentSpec()
RISE, LEVEL = (0.1, 0.1, 0.1, 0.4, 0.7, 0.4), (0.3, 0.3, 0.3, 0.3)


def known_table(test=(0.05, 0.9, *RISE, *LEVEL), train=(0.9, 0.5, *[0.4] * 4, *[0.0] * 6)):
    """Ten steps an epoch; the first points, before the tenth epoch, would make another peak."""
    rows = []
    for seed in range(3):
        for setting in SPEC.settings:
            for step, error, own in zip(STEPS, test, train, strict=True):
                rows.append((seed, setting, step, step / 10, "test accuracy", 1 - error))
                rows.append((seed, setting, step, step / 10, "train accuracy", 1 - own))
    return in_halves(pd.DataFrame(rows, columns=["seed", "setting", "step", "epoch", "quantity", "value"]))


def statistic(claim, table):
    return next(one for one in STUDY.claims if one.id == claim).statistic(table, SPEC)


#: Fitted long before the peak.
EARLY = (0.9, 0.5, *[0.0] * 10)
KNOWN = {
    "falls-again-in-time": Known(
        holds=Answer(known_table(), [0.5 - 0.3] * 3, SPEC),
        fails=Answer(known_table((0.9, 0.5, *np.linspace(0.1, 0.4, 10))), [0.1 / 3 - 0.1 / 3 * 2] * 3, SPEC),
    ),
    "peak-when-fitted": Known(
        holds=Answer(known_table(), [1.0] * 3, SPEC), fails=Answer(known_table(train=EARLY), [5.0] * 3, SPEC)
    ),
    "early-stopping-wins": Known(
        holds=Answer(known_table(), [0.3 / 0.05] * 3, SPEC),
        fails=Answer(known_table((0.9, 0.5, *[0.4] * 9, 0.2)), [1.0] * 3, SPEC),
    ),
}


def test_an_error_that_only_rises_does_not_fall_again():
    table = known_table(test=(0.9, 0.5, *np.linspace(0.1, 0.4, 10)))
    assert (statistic("falls-again-in-time", table) <= 0).all()


def test_a_single_step_that_sticks_out_counts_by_a_third():
    level = np.array([0.9, 0.5, 0.1, 0.1, 0.1, *[0.3] * 7])
    spike = level.copy()
    spike[8] += 0.3
    heights = statistic("falls-again-in-time", known_table(test=tuple(spike)))
    assert heights.to_numpy() == pytest.approx(0.1)


def test_what_is_never_fitted_has_no_step_of_fitting():
    table = known_table(train=(0.9, 0.5, *[0.2] * 10))
    assert statistic("peak-when-fitted", table).isna().all()


def test_the_settings_are_trained_as_their_names_say():
    conditions = {c.columns["setting"]: c for c in design(EpochDescentSpec.build(settings=list(SETTINGS))).conditions}
    assert list(conditions) == list(SETTINGS)
    words = {"one": 1, "two": 2, "three": 3, "four": 4}
    for name, condition in conditions.items():
        optimiser = condition.recipe.optimiser
        assert len(condition.network.hidden) == words[name.partition(" ")[0]]
        assert isinstance(optimiser, Adam if "Adam" in name else SGD)
        assert ("no momentum" in name) == (getattr(optimiser, "momentum", 0.9) == 0)
        assert condition.images.labels == Labels().wrong(0.2 if "less noise" in name else 0.4)


def test_without_noise_all_labels_are_right():
    spec = STUDY.changed(STUDY.build("smoke", {}), STUDY.controls["no noise"])
    assert {condition.images.labels for condition in design(spec).conditions} == {Labels().wrong(0)}


def test_a_setting_is_trained_once_and_must_be_known():
    with pytest.raises(ValueError, match="want each setting once"):
        EpochDescentSpec.build(settings=["two layers", "two layers"])
    with pytest.raises(ValueError, match="settings"):
        EpochDescentSpec.build(settings=["two layers", "five layers"])


def test_what_was_preregistered_was_searched_and_is_on_fresh_seeds():
    assert set(PREREGISTERED["settings"]) <= set(SETTINGS)
    assert min(PREREGISTERED["seeds"]) > STUDY.replication_seed + len(PREREGISTERED["seeds"])
    STUDY.accept(STUDY.build("full", {k: v for k, v in PREREGISTERED.items() if k != "seeds"}))
