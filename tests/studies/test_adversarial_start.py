"""An adversarial start: its conditions, and its statistics on tables whose answers are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.recipes import Augmentation
from genbook.base.spec import ParameterError
from genbook.experiments import CNN, Labels
from genbook.experiments.run import Drawn
from genbook.studies.memorisation.adversarial_start import claims
from genbook.studies.memorisation.adversarial_start.design import (
    ALL,
    CROPS,
    DECAY,
    MOMENTUM,
    PLAIN,
    UNTIL_MOST,
    AdversarialStartSpec,
    design,
)
from tests.known import Answer, Known

STUDY = studies.get("adversarial_start")
SEEDS = range(3)
EXAMPLES = 10
LOST = {PLAIN: 0.3, CROPS: 0.1, DECAY: 0.1, MOMENTUM: 0.1, ALL: 0.02}


def known_table(fitted=0.99, coherence=0.5, order=-1, **lost):
    """From first weights .9 of the test images, from the pretrained ones less by what is ``lost``, and a bit by seed.

    ``coherence``: of the pretrained network over that from first weights, which has 4, at every loss. ``order``: 1, the
    pretrained network finds the examples as easy as first weights do and other first weights reverse them; -1, the
    other way round. Seed s exchanges s pairs of neighbours.
    """
    lost = {**LOST, **{name.replace("_", " "): value for name, value in lost.items()}}
    rows = []
    for seed in SEEDS:
        for learned, less in lost.items():
            for start in (claims.FIRST, claims.PRETRAINED):
                end = 0.9 - (less + 0.01 * seed * (learned == PLAIN)) * (start == claims.PRETRAINED)
                for step, accuracy in ((0, 0.1), (10, end)):
                    rows.append((seed, start, learned, step, "test accuracy", "all", accuracy))
        for start in (claims.FIRST, claims.PRETRAINED):
            pretrained = start == claims.PRETRAINED
            for step in range(0, 101, 5):
                rows.append((seed, start, PLAIN, step, "train loss", "all", (2.0 + 3 * pretrained) * 0.97**step))
                accuracy = min(step / 100, fitted - 0.002 * seed) if pretrained else step / 100
                rows.append((seed, start, PLAIN, step, "train accuracy", "all", accuracy))
                mine = 4 * coherence * 1.02**seed if pretrained else 4
                rows.append((seed, start, PLAIN, step, "m-coherence", "all", mine))
        forward = np.arange(1.0, EXAMPLES + 1)
        swapped = forward.copy()
        for pair in range(seed):
            swapped[2 * pair : 2 * pair + 2] = swapped[2 * pair : 2 * pair + 2][::-1].copy()
        same, reverse = (claims.PRETRAINED, claims.OTHER)[:: int(order)]
        for start, losses in ((claims.FIRST, forward), (same, swapped), (reverse, EXAMPLES + 1 - swapped)):
            rows += [(seed, start, UNTIL_MOST, 7, "example loss", str(k), loss) for k, loss in enumerate(losses)]
    return pd.DataFrame(rows, columns=["seed", "start", "with", "step", "quantity", "group", "value"])


def answer(*values, **changes):
    return Answer(known_table(**changes), values, AdversarialStartSpec())


#: What each pair of neighbours among ten ranks that changed places takes off Spearman's ρ: 6 · 2 / (10 · 99).
SWAP = 12 / 990
KNOWN = {
    "adversarial-start-hurts": Known(answer(0.3, 0.31, 0.32), answer(0.01, 0.02, 0.03, nothing=0.01)),
    "bad-minimum-fits": Known(answer(0.99, 0.988, 0.986), answer(0.5, 0.498, 0.496, fitted=0.5)),
    "regularisers-undo": Known(answer(0.02, 0.02, 0.02), answer(0.2, 0.2, 0.2, all_three=0.2)),
    "crops-undo": Known(answer(0.2, 0.21, 0.22), answer(-0.1, -0.09, -0.08, crops=0.4)),
    "decay-undoes": Known(answer(0.2, 0.21, 0.22), answer(-0.1, -0.09, -0.08, weight_decay=0.4)),
    "momentum-undoes": Known(answer(0.2, 0.21, 0.22), answer(-0.1, -0.09, -0.08, momentum=0.4)),
    "adversarial-start-incoherent": Known(answer(0.5, 0.51, 0.5202), answer(1.5, 1.53, 1.5606, coherence=1.5)),
    "other-examples-last": Known(
        answer(*(2 - 1.5 * SWAP * s for s in SEEDS)), answer(*(1.5 * SWAP * s - 1 for s in SEEDS), order=1)
    ),
}


def test_networks_differ_in_their_start_and_in_what_regularises_alone():
    spec = AdversarialStartSpec.build(n_train=60, channels=3, crop=2, weight_decay=0.02, momentum=0.8)
    found = {(c.columns["with"], c.columns["start"]): c for c in design(spec).conditions}
    assert len(found) == 13
    assert {(c.images.dataset, c.images.n_train, c.images.labels, c.network) for c in found.values()} == {
        ("digits", 60, Labels(), CNN(3))
    }
    said = {
        name: (r.optimiser.lr, r.optimiser.momentum, r.optimiser.weight_decay, r.augmentation)
        for name, r in spec.recipes().items()
    }
    crops = Augmentation(2)
    assert said == {
        PLAIN: (0.05, 0, 0, None),
        CROPS: (0.05, 0, 0, crops),
        DECAY: (0.05, 0, 0.02, None),
        MOMENTUM: (0.01, 0.8, 0, None),
        ALL: (0.01, 0.8, 0.02, crops),
    }
    for (_, start), condition in found.items():
        assert (condition.pretraining is not None) == (start == claims.PRETRAINED)
        assert condition.first_weights == (start == claims.OTHER)


def test_copies_have_labels_of_their_own_before_and_real_ones_in_the_control():
    for before, right in (("random", 0.1), ("real", 1.0)):
        spec = AdversarialStartSpec.build(n_train=100, copies=3, erased=0.25, before=before)
        pretrained = next(c for c in design(spec).conditions if c.pretraining is not None)
        replica = Drawn().replica(replace(pretrained, images=pretrained.pretraining.images), 0)
        train, plain = replica.data["train"], Drawn().replica(pretrained, 0).data["train"]
        assert train.inputs.shape == (300, 1, 8, 8)
        assert (train.labels == plain.labels.repeat(3)).double().mean() == pytest.approx(right, abs=0.06)
        assert (train.inputs == 0).flatten(1).double().mean(1).min() >= 0.25


def test_signals_are_refused():
    with pytest.raises(ParameterError, match="dataset = 'mnist1d': want images, which can be cropped"):
        AdversarialStartSpec.build(dataset="mnist1d")


def test_nothing_but_the_learning_rate_is_left_where_nothing_regularises():
    spec = AdversarialStartSpec.build(**STUDY.controls["no regularisers"])
    left = {replace(recipe, optimiser=replace(recipe.optimiser, lr=1.0)) for recipe in spec.recipes().values()}
    assert len(left) == 1


def test_an_order_is_not_told_where_a_network_has_no_losses():
    table = known_table()
    gone = table[(table["start"] != claims.PRETRAINED) | (table["with"] != UNTIL_MOST) | (table["seed"] != 1)]
    assert claims.agreement(gone, claims.FIRST, claims.PRETRAINED).isna().tolist() == [False, True, False]
