"""Convolutions by channels: conditions as data, statistics on tables whose answers are known."""

import pandas as pd
import pytest

from genbook import studies
from genbook.experiments import CNN, CNN1D, Labels
from genbook.studies.descent.convolution_descent.design import design
from tests.known import Answer, Known, in_halves

STUDY = studies.get("convolution_descent")
CHANNELS = (2, 4, 6, 8, 10, 12, 14, 16)
SPEC = STUDY.build(
    "smoke", {"channels": CHANNELS, "critical": 4, "smaller": [0.25, 0.5, 0.75], "n_train": 400, "batch_size": 30}
)
#: Wrong labels memorised at the steps of a known table.
STEPS, MEMORISED = (0, 1, 2), (0.0, 0.5, 0.95)


def known_table(by_channels=(0.3, 0.5, 0.2, 0.1), by_examples=(0.6, 0.2, 0.7), losses=None, middle=None):
    """Three seeds with these errors at the end; ``middle``: those on the way, by channels.

    What is not told of the widest ones is as of the last that is. The loss of a seed is a power of what is told: seeds
    that agree to the last digit would not be judged.
    """
    rows = []
    by_channels, losses, middle = (one and (*one, *[one[-1]] * (8 - len(one))) for one in (by_channels, losses, middle))
    places = [*zip(SPEC.channels, [400] * 8, by_channels, strict=True)]
    places += [*zip([4] * 3, SPEC.sizes(), by_examples, strict=True)]
    for seed in range(3):
        for number, (channels, examples, error) in enumerate(places):
            on_the_way = error if middle is None or number > 7 else middle[number]
            for step, memorised, value in zip(STEPS, MEMORISED, (0.9, on_the_way, error), strict=True):
                rows.append((seed, channels, examples, step, "test accuracy", "all", 1 - value))
                rows.append((seed, channels, examples, step, "train accuracy", "corrupted", memorised))
                loss = error if losses is None or number > 7 else losses[number]
                rows.append((seed, channels, examples, step, "test loss", "all", loss ** (1 + seed / 10)))
    return in_halves(pd.DataFrame(rows, columns=["seed", "channels", "examples", "step", "quantity", "group", "value"]))


FALLS = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
KNOWN = {
    "channels-peak": Known(
        holds=Answer(known_table(), [0.5 - 0.3] * 3, SPEC), fails=Answer(known_table(FALLS), [0.7 - 0.8] * 3, SPEC)
    ),
    "channels-peak-in-loss": Known(
        holds=Answer(known_table(losses=(1.0, 3.0, 2.0, 1.5)), [2.0, 2.0**1.1, 2.0**1.2], SPEC),
        fails=Answer(known_table(losses=[0.5**k for k in range(8)]), [0.5, 0.5**1.1, 0.5**1.2], SPEC),
    ),
    "narrow-beats-wide": Known(
        holds=Answer(known_table((0.2, 0.5, 0.4, 0.3)), [0.3 / 0.2] * 3, SPEC),
        fails=Answer(known_table(), [0.1 / 0.3] * 3, SPEC),
    ),
    "channels-at-equal-memory": Known(
        holds=Answer(known_table(FALLS, middle=FALLS), [-1.0] * 3, SPEC),
        fails=Answer(known_table(FALLS[::-1], middle=FALLS[::-1]), [1.0] * 3, SPEC),
    ),
    "more-signals-hurt": Known(
        # sizes 100, 200 and 300, and 400 with the error of four channels on all examples
        holds=Answer(known_table((0.3, 0.1, 0.2, 0.1), (0.3, 0.2, 0.6)), [0.6 - 0.2] * 3, SPEC),
        fails=Answer(known_table((0.3, 0.1, 0.2, 0.1), (0.4, 0.3, 0.2)), [0.3 - 0.4] * 3, SPEC),
    ),
}


def test_one_network_learns_from_smaller_sets_too():
    places = [(c.columns["channels"], c.columns["examples"], c.images.n_train) for c in design(SPEC).conditions]
    whole, smaller = places[:8], places[8:]
    assert whole == [(channels, 400, 400) for channels in CHANNELS]
    assert smaller == [(4, size, size) for size in (100, 200, 300)]


def test_signals_are_convolved_along_one_axis_and_images_along_two():
    replication = STUDY.changed(SPEC, STUDY.replication(SPEC))
    assert {type(c.network) for c in design(SPEC).conditions} == {CNN1D}
    assert {type(c.network) for c in design(replication).conditions} == {CNN}
    assert (replication.channels, replication.critical) == ((1, 2, 3, 4, 5, 6, 7, 8), 2)


def test_labels_are_drawn_anew_and_in_the_controls_not_or_without_meaning():
    labels = {
        name: {c.images.labels for c in design(STUDY.changed(SPEC, change)).conditions}
        for name, change in {"discovery": {}, **STUDY.controls}.items()
    }
    noise = SPEC.noise
    assert labels == {
        "discovery": {Labels().redrawn(noise)},
        "no noise": {Labels().redrawn(0.0)},
        "shuffled labels": {Labels().shuffled().redrawn(noise)},
    }


def test_the_critical_network_is_one_of_all():
    with pytest.raises(ValueError, match="want one of channels"):
        STUDY.build("smoke", {"critical": 5})
