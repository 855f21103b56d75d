"""One network in time: statistics on known curves, the settings as they are trained, the table against its schema."""

import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.studies.descent.epoch_descent.run import replicas_of
from genbook.studies.descent.epoch_descent.spec import SETTINGS, EpochDescentSpec
from genbook.training import SGD, Adam

STUDY = studies.get("epoch_descent")
STEPS = (0, 50, *range(100, 1100, 100))
SPEC = EpochDescentSpec()
RISE, LEVEL = (0.1, 0.1, 0.1, 0.4, 0.7, 0.4), (0.3, 0.3, 0.3, 0.3)


def known_table(test=(0.05, 0.9, *RISE, *LEVEL), train=(0.9, 0.5, *[0.4] * 4, *[0.0] * 6)):
    """Ten steps an epoch; the first points, before the tenth epoch, would make another peak."""
    rows = []
    for seed in range(3):
        for setting in SPEC.watched:
            for step, error, own in zip(STEPS, test, train, strict=True):
                rows.append((seed, setting, step, step / 10, "test accuracy", 1 - error))
                rows.append((seed, setting, step, step / 10, "train accuracy", 1 - own))
    return pd.DataFrame(rows, columns=["seed", "setting", "step", "epoch", "quantity", "value"])


def statistic(claim, table):
    return next(one for one in STUDY.claims if one.id == claim).statistic(table, SPEC)


def test_statistics_on_known_curves():
    assert statistic("falls-again-in-time", known_table()).to_numpy() == pytest.approx(0.5 - 0.3)
    assert statistic("peak-when-fitted", known_table()).to_numpy() == pytest.approx(1.0)
    assert statistic("early-stopping-wins", known_table()).to_numpy() == pytest.approx(0.3 / 0.05)


def test_an_error_that_only_rises_does_not_fall_again():
    table = known_table(test=(0.9, 0.5, *np.linspace(0.1, 0.4, 10)))
    assert (statistic("falls-again-in-time", table) <= 0).all()


def test_a_single_step_that_sticks_out_counts_by_a_third():
    level = np.array([0.9, 0.5, 0.1, 0.1, 0.1, *[0.3] * 7])
    spike = level.copy()
    spike[8] += 0.3
    heights = statistic("falls-again-in-time", known_table(test=tuple(spike)))
    assert heights.to_numpy() == pytest.approx(0.1)


def test_what_is_never_fitted_has_no_moment_of_fitting():
    table = known_table(train=(0.9, 0.5, *[0.2] * 10))
    assert statistic("peak-when-fitted", table).isna().all()


def test_the_settings_are_trained_as_their_names_say():
    spec = EpochDescentSpec.build(watched=list(SETTINGS), epoch_examples=60, epoch_batch=30)
    replicas = {r.condition["setting"]: r for r in replicas_of(spec, data.load("digits"), 0)}
    assert list(replicas) == list(SETTINGS)
    for name, setting in SETTINGS.items():
        replica, words = replicas[name], {"one": 1, "two": 2, "three": 3, "four": 4}
        hidden = (len(replica.model) - 1) // 2
        assert hidden == words[name.partition(" ")[0]] == setting.layers
        assert isinstance(replica.recipe.optimiser, Adam if "Adam" in name else SGD)
        assert ("no momentum" in name) == (getattr(replica.recipe.optimiser, "momentum", 0.9) == 0)
        examples = replica.data["train"]
        wrong = float((examples.labels != examples.true_labels).double().mean())
        assert wrong == pytest.approx(0.2 if "less noise" in name else 0.4, abs=0.01)


def test_without_noise_all_labels_are_right():
    spec = STUDY.world(STUDY.build("smoke", {}), STUDY.nulls["no noise"])
    for replica in replicas_of(spec, data.load("digits"), 0):
        examples = replica.data["train"]
        assert (examples.labels == examples.true_labels).all()


def test_a_setting_is_watched_once_and_must_be_known():
    with pytest.raises(ValueError, match="want each setting once"):
        EpochDescentSpec.build(watched=["two layers", "two layers"])
    with pytest.raises(ValueError, match="watched"):
        EpochDescentSpec.build(watched=["two layers", "five layers"])
