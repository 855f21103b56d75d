"""Coherence with fresh examples: its conditions, and its statistics on tables whose answers are known."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook import studies
from genbook.experiments import CNN, MLP, Labels
from genbook.experiments.run import Drawn
from genbook.results import published
from genbook.results.requests import Request
from genbook.studies.stopping.fresh_coherence import claims
from genbook.studies.stopping.fresh_coherence.design import MINIBATCHES, SMALL, FreshCoherenceSpec, design
from genbook.studies.stopping.fresh_coherence.study import CONVOLUTIONS
from tests.known import Answer, Known

STUDY = studies.get("fresh_coherence")
WIDTHS = (10, 20, 40, 80)
SEEDS = range(3)
TURN, STEPS = 150.0, np.expm1(0.2 * np.arange(36))  # even in log(1 + step)


def known_table(crossing=1.0, error=1.0, hidden=0.6, fresh=1, coherent=1, start=0.72, gained=0.4):
    """Test losses that turn at `TURN`; coherence with fresh examples crosses zero at ``crossing`` times that.

    The accuracy is best at ``error`` times the turn, and the wider the better. ``fresh`` and ``coherent`` are 1 where
    the wider network has more of that coherence, -1 where it has less. In minibatches coherence with fresh examples is
    ``hidden``. Alignment has the AUC ``start``, and EL2N ``gained`` more. Each seed has a little more of each.
    """
    rows = []
    for seed in SEEDS:
        more = 1.01**seed
        for rank, width in enumerate(WIDTHS):
            log = np.log1p(STEPS)
            best = np.log1p(error * TURN * more)
            zero = crossing * TURN * more
            curves = {
                "train loss": ("all", 2 * np.exp(-log / 4)),
                "test loss": ("all", 1.5 + 0.1 * (log - np.log1p(TURN)) ** 2),
                claims.ACCURACY: ("all", 0.7 + 0.05 * rank - 0.01 * (log - best) ** 2),
                "fresh coherence": ("all", (3 + fresh * rank) * np.log(zero / np.maximum(STEPS, 1e-9))),
                "m-coherence": ("all", np.full(len(STEPS), 3.0 + coherent * rank)),
                "AUC of fresh alignment": ("corrupted", np.full(len(STEPS), start * more)),
                "AUC of EL2N": ("corrupted", np.full(len(STEPS), (start + gained) * more)),
            }
            noisy = {**curves, "fresh coherence": ("all", np.full(len(STEPS), hidden * more))}
            for descent, found in ((SMALL, curves), (MINIBATCHES, noisy)):
                for quantity, (group, values) in found.items():
                    for step, value in zip(STEPS, values, strict=True):
                        rows.append((seed, width, descent, step, quantity, group, value))
    return pd.DataFrame(rows, columns=["seed", "width", "descent", "step", "quantity", "group", "value"])


def answer(value, power=1, **changes):
    return Answer(known_table(**changes), [value * 1.01 ** (power * seed) for seed in SEEDS], FreshCoherenceSpec())


KNOWN = {
    "turns-where-it-vanishes": Known(answer(1.0), answer(0.5, crossing=0.5)),
    "error-turns-there": Known(answer(0.8, 0, error=1.25), answer(0.4, 0, error=2.5)),
    "minibatches-hide-turn": Known(answer(0.6), answer(0.05, hidden=0.05)),
    "fresh-tells-more": Known(answer(2, 0, coherent=-0.5), answer(-2, 0, fresh=-0.5)),
    "wrong-at-the-start": Known(answer(0.72), answer(0.5, start=0.5)),
    "error-norm-tells-more": Known(answer(0.25, gained=0.25), answer(0.02, gained=0.02)),
}


def test_each_width_descends_in_small_steps_and_in_minibatches_for_the_same_time():
    spec = FreshCoherenceSpec.build(widths=[5, 9], steps=500, learning_rate=0.02, minibatch=10, n_train=100)
    found = {tuple(c.columns.values()): c for c in design(spec).conditions}
    assert list(found) == [(width, descent) for width in (5, 9) for descent in (SMALL, MINIBATCHES)]
    for (width, descent), condition in found.items():
        recipe = condition.recipe
        assert condition.network == MLP((width, width))
        assert recipe.steps * recipe.optimiser.lr == pytest.approx(10)
        assert recipe.batch_size == (None if descent == SMALL else 10)
    assert len({condition.images for condition in found.values()}) == 1


def test_fresh_examples_are_as_noisy_as_those_trained_on_and_only_theirs_are_shuffled_in_the_control():
    spec = FreshCoherenceSpec.build(noise=0.3)
    plain, control = (design(s).conditions[0] for s in (spec, STUDY.changed(spec, {"fresh_labels": "shuffled"})))
    assert plain.images.labels == plain.images.held_out_labels == plain.images.test_labels == Labels().wrong(0.3)
    assert control.images.held_out_labels == Labels().wrong(0.3).shuffled()
    assert (control.images.labels, control.images.test_labels) == (plain.images.labels, plain.images.test_labels)
    sets = Drawn().replica(plain, 3).data
    wrong = (sets["test"].labels != sets["test"].true_labels).double().mean().item()
    assert wrong == pytest.approx(0.3, abs=0.002)
    assert not torch.equal(sets["held-out"].labels, Drawn().replica(control, 3).data["held-out"].labels)


def test_a_cnn_has_its_widths_in_channels_and_sees_no_signals():
    assert {c.network for c in design(FreshCoherenceSpec.build(network="cnn", widths=[2, 3])).conditions} == {
        CNN(2),
        CNN(3),
    }
    with pytest.raises(ValueError, match="wants images"):
        FreshCoherenceSpec.build(network="cnn", dataset="mnist1d")


@pytest.mark.parametrize("setting", ["discovery", "replication", "shuffled fresh labels"])
def test_the_published_tables_of_convolutions_are_of_the_settings_that_the_study_names(setting):
    request = Request.build(STUDY, "full", {**CONVOLUTIONS, "seeds": 6})
    table = published.table(STUDY, published.name_of("cnn", setting))
    assert (table.spec, table.seeds) == (request.setting(setting).spec, request.setting(setting).seeds)


def test_a_curve_that_does_not_turn_has_no_turn():
    falls = pd.DataFrame([1 - 0.01 * STEPS / STEPS[-1]], columns=STEPS)
    assert claims.turns(falls).isna().all()


def test_a_turn_is_found_between_the_measured_steps():
    log = np.log1p(STEPS)
    for step in (20.0, 47.0, 200.0):
        found = claims.turns(pd.DataFrame([(log - np.log1p(step)) ** 2], columns=STEPS))
        assert found.iloc[0] == pytest.approx(step, rel=1e-9)


def test_a_width_that_does_not_learn_leaves_its_seed_without_an_order():
    table = known_table()
    stuck = (table["seed"] == 1) & (table["width"] == 20) & (table["quantity"] == "train loss")
    table.loc[stuck, "value"] = 2.0
    assert claims.order_of(table, "m-coherence").isna().tolist() == [False, True, False]


def test_in_small_steps_coherence_with_fresh_examples_is_the_slope_of_their_loss():
    """The identity that the page states, in a run of the study: dL'/dL by differences between neighbouring steps."""
    spec = STUDY.build("smoke", {"learning_rate": 0.02, "minibatch_learning_rate": 0.02, "steps": 12})
    table = STUDY.run(spec, [0], "cpu")
    slope, own, fresh = (claims.curves(table, name) for name in ("fresh coherence", "train loss", "held-out loss"))
    steps = slope.columns
    between = (slope[steps[:-1]].to_numpy() + slope[steps[1:]].to_numpy()) / 2
    integral = (between * own.diff(axis=1)[steps[1:]].to_numpy()).sum(axis=1)
    assert integral == pytest.approx((fresh[steps[-1]] - fresh[steps[0]]).to_numpy(), rel=3e-2)
