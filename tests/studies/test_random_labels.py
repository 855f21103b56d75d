"""Random versus real labels: the table against its schema, statistics on tables with known answers, controls."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.studies.memorisation.random_labels import claims
from tests.known import Answer, Known

STUDY = studies.get("random_labels")
NOISES = (0.0, 0.5, 1.0)


SEEDS = range(3)
#: By how much the seeds' coherences differ: seeds that agree exactly would not be judged.
SPREAD = [1.02**seed for seed in SEEDS]


def _table(
    *,
    ratio: float = 4.0,
    first: float = 2.0,
    late: float = 1.0,
    norm: float = 2.0,
    learned: float = 1.0,
    drawn: float = 0.9,
    fitted: float = 1.0,
) -> pd.DataFrame:
    """Coherence at every loss ``ratio`` times higher on real labels, and ``first`` times that in the first layer.

    That of random labels is ``late`` times as high in the second half of training. Test accuracy is ``learned`` on real
    labels and lower by ``drawn`` on random ones, by .4 of it with half of them random; ``fitted`` is training accuracy
    on random labels. With a larger start measures are ``norm`` times as large; larger steps halve all but the norm.
    """
    rows = []

    def add(seed, noise, quantity, value, step=100, layer="all", network="base"):
        rows.append((seed, noise, network, step, step / 10, quantity, layer, value))

    for seed in SEEDS:
        for noise in NOISES:
            for step in range(0, 101, 5):
                add(seed, noise, "train loss", 2.0 * 0.97**step, step)
                add(seed, noise, "train accuracy", (fitted if noise == 1 else 1) * step / 100, step)
                part = 1 - noise  # geometric between random and real
                rise = (late * SPREAD[seed]) ** noise if step > 45 and late != 1 else 1
                add(seed, noise, "m-coherence", 1.5 * (ratio * first * SPREAD[seed] ** 2) ** part, step, "0")
                add(seed, noise, "m-coherence", 1.5 * (ratio * SPREAD[seed]) ** part * rise, step)
            add(seed, noise, "test accuracy", learned - drawn * (0.4 if noise == 0.5 else noise))
            add(seed, noise, "steps to fit", 100 * (1 + noise) if seed else np.nan)
            add(seed, noise, "classes", 10.0)
        for measure in ("weight norm", "sharpness", "distance"):
            add(seed, 0.0, measure, 1.0)
            add(seed, 1.0, measure, 1.0)
            for network in ("larger start", "larger steps"):
                for noise in (0.0, 1.0):
                    other = 1.0 if measure == "weight norm" else 0.5
                    add(seed, noise, measure, norm if network == "larger start" else other, network=network)
        for network in ("larger start", "larger steps"):
            for noise in (0.0, 1.0):
                add(seed, noise, "train accuracy", 1.0, network=network)
                add(seed, noise, "test accuracy", learned - noise * drawn, network=network)
    return pd.DataFrame(rows, columns=["seed", "noise", "network", "step", "epoch", "quantity", "layer", "value"])


def _answer(values, **changes):
    spread = SPREAD if isinstance(values, float) else [1] * len(SEEDS)
    values = [values] * len(SEEDS) if isinstance(values, float) else values
    return Answer(_table(**changes), [v * f for v, f in zip(values, spread, strict=True)], STUDY.build("quick", {}))


def _all(value):
    return [value] * len(SEEDS)


NOTHING = {"learned": 0.1, "drawn": 0.0}
KNOWN = {
    "all-fit": Known(_answer(_all(1.0)), _answer(_all(0.5), fitted=0.5)),
    "real-above-chance": Known(_answer(_all(10.0)), _answer(_all(1.0), **NOTHING)),
    "random-at-chance": Known(_answer(_all(1.0)), _answer(_all(10.0), drawn=0.0)),
    "gap-orders": Known(_answer(_all(0.9 * 0.4)), _answer(_all(0.0), **NOTHING)),
    "coherence-real-above-random": Known(_answer(4.0), _answer(1.0, ratio=1.0)),
    "random-rises-late": Known(_answer(3.0, late=3.0), _answer(0.5, late=0.5)),
    "first-layer-tells-more": Known(_answer(2.0), _answer(1.0, first=1.0)),
    "weight-norm-misleads": Known(_answer(_all(0.9)), _answer(_all(-0.9), norm=0.4)),
    "sharpness-misleads": Known(_answer(_all(0.9)), _answer(_all(0.0), **NOTHING)),
    "distance-misleads": Known(_answer(_all(0.9), norm=0.4), _answer(_all(-0.9))),
    # with a larger start norm³, with larger steps half: .7 is the sharper, .7³ is not
    "relative-sharpness-misleads": Known(_answer(_all(0.9)), _answer(_all(-0.9), norm=0.7)),
}


def test_what_was_not_fitted_is_censored():
    values = claims.slowdown(_table())
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
