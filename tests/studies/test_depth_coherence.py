"""Depth and coherence: its conditions, and its statistics on tables whose answers are known."""

import pandas as pd

from genbook import studies
from genbook.experiments import MLP, Labels
from genbook.studies.memorisation.depth_coherence import claims
from genbook.studies.memorisation.depth_coherence.design import DepthCoherenceSpec, design
from tests.known import Answer, Known

STUDY = studies.get("depth_coherence")
SEEDS = range(3)
SPREAD = [1.02**seed for seed in SEEDS]
SPEC = DepthCoherenceSpec.build(hidden_layers=[1, 2, 4])


def known_table(real=(4.0, 4.0, 4.0), random=(1.0, 1.0, 1.0)):
    """m-coherence at every loss by depth, on real and on random labels.

    The deepest network of seed s has 1.02ˢ as much on random labels, and the square of that on real ones. A deeper
    network starts at a higher loss: only losses that all of them pass are read.
    """
    rows = []
    for seed, spread in zip(SEEDS, SPREAD, strict=True):
        for labels, values in (("real", real), ("random", random)):
            for depth, value in zip(SPEC.hidden_layers, values, strict=True):
                for step in range(0, 101, 5):
                    place = (seed, depth, labels, step)
                    rows.append((*place, "train loss", (2.0 + 0.1 * depth) * 0.97**step))
                    rows.append((*place, "train accuracy", step / 100))
                    rows.append(
                        (*place, "m-coherence", value * (spread ** (1 + (labels == "real")) if depth == 4 else 1))
                    )
    return pd.DataFrame(rows, columns=["seed", "hidden layers", "trained on", "step", "quantity", "value"])


def answer(value, power=1, **changes):
    return Answer(known_table(**changes), [value * spread**power for spread in SPREAD], SPEC)


DEEPER = {"real": (4.0, 9.0, 12.0), "random": (1.0, 0.1, 0.5)}
KNOWN = {
    "depth-amplifies-contrast": Known(answer(6, **DEEPER), answer(0.25, random=(1.0, 1.0, 4.0))),
    "depth-raises-random": Known(answer(4, random=(1.0, 9.0, 4.0)), answer(0.5, **DEEPER)),
    "depth-lowers-real": Known(answer(0.5, 2, real=(4.0, 9.0, 2.0)), answer(3, 2, **DEEPER)),
}


def test_networks_differ_in_depth_and_labels_alone():
    spec = DepthCoherenceSpec.build(hidden_layers=[1, 3], width=5, random=0.5)
    found = {tuple(c.columns.values()): c for c in design(spec).conditions}
    assert {place: (c.network, c.images.labels) for place, c in found.items()} == {
        (1, "random"): (MLP((5,)), Labels().redrawn(0.5)),
        (1, "real"): (MLP((5,)), Labels()),
        (3, "random"): (MLP((5, 5, 5)), Labels().redrawn(0.5)),
        (3, "real"): (MLP((5, 5, 5)), Labels()),
    }
    assert len({(c.images.n_train, c.recipe, c.watch) for c in found.values()}) == 1


def test_a_seed_that_lacks_a_network_is_not_read():
    table = known_table()
    lacking = table[(table["seed"] != 1) | (table["hidden layers"] != 4) | (table["trained on"] != "random")]
    assert claims.contrasts(lacking).isna().all(axis=1).tolist() == [False, True, False]
    assert claims.contrasts(table[table["hidden layers"] != 4].assign(seed=7)).shape == (1, 2)
