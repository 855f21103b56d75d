"""Coherence on convolutions: its conditions, and its statistics on tables whose answers are known."""

import pandas as pd
import pytest

from genbook import studies
from genbook.experiments import CNN, CNN1D, Labels
from genbook.studies.memorisation.convolution_coherence.design import ConvolutionCoherenceSpec, design
from genbook.tables import readings
from tests.known import Answer, Known

STUDY = studies.get("convolution_coherence")
SEEDS = range(3)
SPREAD = [1.02**seed for seed in SEEDS]


def known_table(first=12.0, second=5.0, last=2.0, whole=3.0, random=2.0):
    """m-coherence of ``random`` on random labels in all layers, on real ones so many times as high in each.

    At every loss; a seed s has 1.02ˢ times as much on random labels, and the contrasts are larger by that too, in the
    convolutions by its square.
    """
    times = {"0": (first, 2), "3": (second, 2), "7": (last, 1), "all": (whole, 1)}
    rows = []
    for seed, spread in zip(SEEDS, SPREAD, strict=True):
        for labels in ("random", "real"):
            for step in range(0, 101, 5):
                rows.append((seed, labels, step, "train loss", "all", 2.0 * 0.97**step))
                rows.append((seed, labels, step, "train accuracy", "all", step / 100))
                for layer, (factor, power) in times.items():
                    contrast = factor * spread**power if labels == "real" else 1
                    rows.append((seed, labels, step, "m-coherence", layer, random * spread * contrast))
    return pd.DataFrame(rows, columns=["seed", "trained on", "step", "quantity", "layer", "value"])


def answer(value, power=1, **changes):
    return Answer(known_table(**changes), [value * spread**power for spread in SPREAD], ConvolutionCoherenceSpec())


ALIKE = {"first": 1.0, "second": 1.0, "last": 1.0, "whole": 1.0}
KNOWN = {
    "convolutions-real-above-random": Known(answer(3), answer(1, **ALIKE)),
    "first-convolution-tells": Known(answer(12, 2), answer(1, 2, **ALIKE)),
    "every-layer-tells": Known(answer(2), answer(0.5, last=0.5)),
    "first-tells-more-than-last": Known(answer(6), answer(1, first=2.0)),
    "convolutions-above-dense": Known(answer(2.5), answer(0.5, second=1.0)),
    "random-few-helped": Known(answer(2), answer(8, random=8.0)),
}


def test_two_networks_differ_in_their_labels_alone_and_see_the_same_images():
    spec = ConvolutionCoherenceSpec.build(n_train=60, measured=100, random=0.5, channels=3)
    random, real = design(spec).conditions
    assert (random.images.labels, real.images.labels) == (Labels().redrawn(0.5), Labels())
    for one in (random, real):
        assert (one.images.dataset, one.images.n_train, one.network) == ("fashion-small", 60, CNN(3))
        assert (one.recipe, one.watch[1].examples, one.watch[1].layers) == (real.recipe, 60, True)


def test_shuffled_labels_are_those_of_both_networks():
    random, real = design(ConvolutionCoherenceSpec.build(real_labels="shuffled")).conditions
    assert (random.images.labels, real.images.labels) == (Labels().shuffled().redrawn(1.0), Labels().shuffled())


def test_signals_are_convolved_in_one_dimension():
    assert {c.network for c in design(ConvolutionCoherenceSpec.build(dataset="mnist1d")).conditions} == {CNN1D(8)}


def test_labels_that_are_all_kept_make_both_networks_one():
    spec = STUDY.build("smoke", {"random": 0.0})
    values = (
        STUDY.run(spec, [0], "cpu")
        .query("quantity == 'm-coherence'")
        .pivot(index=["layer", "step"], columns="trained on", values="value")
    )
    assert values["real"].to_numpy() == pytest.approx(values["random"].to_numpy(), rel=1e-4)


def test_layers_are_told_in_their_order():
    assert readings.layers(known_table()) == ["0", "3", "7"]
