"""Random versus real labels: the table against its schema, statistics on tables with known answers, controls."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.studies.memorisation.random_labels import claims

STUDY = studies.get("random_labels")
NOISES = (0.0, 0.5, 1.0)


def _table(*, ratio: float = 4.0, first: float = 2.0, norm: float = 2.0) -> pd.DataFrame:
    """Coherence at every loss ``ratio`` times higher on real labels, and ``first`` times that in the first layer.

    The gap is the fraction of random labels; real labels with a larger start have ``norm`` times the random ones' norm.
    """
    rows = []

    def add(seed, noise, quantity, value, step=100, layer="all", network="base"):
        rows.append((seed, noise, network, step, step / 10, quantity, layer, value))

    for seed in range(3):
        for noise in NOISES:
            for step in range(0, 101, 5):
                add(seed, noise, "train loss", 2.0 * 0.97**step, step)
                add(seed, noise, "train accuracy", min(1.0, step / 100), step)
                part = 1 - noise  # geometric between random and real
                add(seed, noise, "m-coherence", 1.5 * (ratio * first) ** part, step, "0")
                add(seed, noise, "m-coherence", 1.5 * ratio**part, step)
            add(seed, noise, "test accuracy", 1 - noise * 0.9)
            add(seed, noise, "steps to fit", 100 * (1 + noise) if seed else np.nan)
            add(seed, noise, "classes", 10.0)
        for measure in claims.MISLEADING:
            add(seed, 0.0, measure, 1.0)
            add(seed, 1.0, measure, 1.0)
            for network in ("larger start", "larger steps"):
                for noise in (0.0, 1.0):
                    add(seed, noise, measure, norm if network == "larger start" else 0.5, network=network)
        for network in ("larger start", "larger steps"):
            for noise in (0.0, 1.0):
                add(seed, noise, "train accuracy", 1.0, network=network)
                add(seed, noise, "test accuracy", 1 - noise * 0.9, network=network)
    return pd.DataFrame(rows, columns=["seed", "noise", "network", "step", "epoch", "quantity", "layer", "value"])


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("real-above-chance", 10.0),
        ("random-at-chance", 1.0),
        ("gap-orders", 1.0),
        ("coherence-real-above-random", 4.0),
        ("first-layer-tells-more", 2.0),
        ("random-rises-late", 1.0),
        ("weight-norm-misleads", 0.9),
        ("sharpness-misleads", 0.9),
        ("distance-misleads", -0.9),
    ],
)
def test_statistics_on_a_table_with_known_answers(claim, value):
    statistic = next(one.statistic for one in STUDY.claims if one.id == claim)
    assert statistic(_table(), STUDY.build("quick", {})).to_numpy() == pytest.approx(value)


def test_what_was_not_fitted_is_censored():
    slowdown = next(one.statistic for one in STUDY.claims if one.id == "random-slower")
    values = slowdown(_table(), STUDY.build("quick", {}))
    assert np.isnan(values[0])
    assert values[1:].to_numpy() == pytest.approx(2.0)


def test_learning_phase_leaves_out_the_start_and_what_is_fitted():
    phase = claims.learning(_table())
    assert phase["loss"].max() <= 0.9 * 2.0
    assert phase["loss"].min() > 2.0 * 0.97**90


@pytest.fixture(scope="module")
def table():
    changes = {"n_train": 60, "noise_levels": [0.0, 1.0], "hidden": [16], "steps": 300, "n_measurements": 8}
    return STUDY.run(STUDY.build("quick", changes), [0, 1], "cpu")


def test_controls_stand_beside_real_and_the_most_random_labels(table):
    assert set(table["network"]) == {"base", "larger start", "larger steps"}
    assert set(table.loc[table["quantity"] == "sharpness", "noise"]) == {0.0, 1.0}


def test_wrong_labels_are_what_chance_leaves_wrong(table):
    wrong = claims.final(table, "wrong labels")
    assert (wrong[0.0] == 0).all()
    assert (wrong[1.0] - 0.9).abs().max() < 4 * np.sqrt(0.09 / 60)


def test_a_larger_start_is_a_larger_norm_on_the_same_labels(table):
    for noise in (0, 1):
        norms = [claims.final(table, "weight norm", network).iloc[:, noise] for network in ("base", "larger start")]
        assert (norms[1] > norms[0]).all()


def test_kept_labels_make_all_conditions_one():
    changes = {
        "labels": "kept",
        "n_train": 60,
        "noise_levels": [0.0, 1.0],
        "hidden": [8],
        "steps": 60,
        "n_measurements": 5,
    }
    kept = STUDY.run(STUDY.build("quick", changes), [0], "cpu")
    loss = claims.final(kept, "train loss")
    assert float(loss[0.0].iloc[0]) == pytest.approx(float(loss[1.0].iloc[0]), rel=1e-4)
    assert (claims.final(kept, "wrong labels") == 0).all(axis=None)
