"""What a result can do after the training: its final networks measured, and trained on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from genbook import models
from genbook.probes import (
    Accuracy,
    AtEnd,
    AtSteps,
    DistanceFromInitialisation,
    Epochs,
    Every,
    GradientCoherence,
    MeanLoss,
    Measurement,
    Probe,
    Sharpness,
)
from genbook.training import SGD, Adam, Examples, Recipe, Replica, TrainingError, train
from genbook.training.stacks import alike, stacks


def examples(seed, n=21):
    """Real examples with some labels at random, so that there are groups."""
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 5, generator=draw, dtype=torch.float64)
    true = inputs[:, :3].argmax(1)
    given = torch.where(torch.arange(n) < 3 * (seed % 2), (true + 1) % 3, true)
    return Examples(inputs, given, true, {"clean": given == true, "wrong": given != true})


def grid(**recipe):
    """Mixed widths and seeds, on training sets of their own and one test set, some with the sets of another."""
    settings = {"steps": 60, "batch_size": 7, "optimiser": Adam(0.02), **recipe}
    test, replicas = examples(99, 11), []
    for seed in range(3):
        data = {"train": examples(seed), "test": test}
        for width in (6, 3, 6):
            replica = Replica(seed, models.mlp((5, width, 3), "tanh"), Recipe(**settings), data, {"width": width})
            replicas.append(replica)
    return replicas


PROBES = [
    Accuracy("test"),
    MeanLoss("train", "true"),
    GradientCoherence(groups=("clean",)),
    Sharpness(tolerance=1e-10),
    DistanceFromInitialisation(),
]


def assert_equal(actual, expected):
    expected = expected.reset_index(drop=True)
    pd.testing.assert_frame_equal(actual.drop(columns="value"), expected.drop(columns="value"))
    np.testing.assert_allclose(actual["value"], expected["value"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: type(probe).__name__)
@pytest.mark.parametrize("at", [None, [7], [5, 0, 1, 5]], ids=["all", "one", "some"])
def test_measured_afterwards_is_measured_at_the_end(probe, at):
    result = train(grid(stop_at_accuracy=0.9), [replace(probe, at=AtEnd())])
    assert result.endings["steps"].nunique() > 2
    expected = result.table if at is None else result.table[result.table["replica"].isin(at)]
    assert_equal(result.measure(probe, at), expected)


def diverging():
    """Replicas 0 and 10 diverge, in one stack with others that do not."""
    settled = grid(optimiser=SGD(0.1), loss="squared")
    recipe = replace(settled[0].recipe, optimiser=SGD(1e200))
    return [replace(settled[0], recipe=recipe), *settled, replace(settled[1], recipe=recipe)]


def test_what_diverged_has_no_rows():
    result = train(diverging(), [MeanLoss(at=AtEnd())])
    assert result.endings["diverged"].tolist() == [True, *[False] * 9, True]
    measured = result.measure(MeanLoss())
    assert_equal(measured, result.table)
    assert sorted(set(measured["replica"])) == list(range(1, 10))
    nothing = result.measure(MeanLoss(), [0, 10])
    assert nothing.empty
    assert list(nothing.columns) == list(measured.columns)


def test_replicas_whose_sets_differ_in_size_are_measured_apart():
    unequal = [replace(r, data={**r.data, "train": examples(r.seed, 14 + 7 * r.seed)}) for r in grid(steps=3)]
    result = train(unequal, [MeanLoss(at=AtEnd())])
    assert_equal(result.measure(MeanLoss()), result.table)


def test_convolutions_and_running_statistics_are_measured_as_at_the_end():
    draw = torch.Generator().manual_seed(0)
    images = Examples(torch.randn(12, 3, 32, 32, generator=draw, dtype=torch.float64), torch.arange(12) % 3)
    model, recipe = models.five_layer_cnn(1, 3, norm="batch"), Recipe(4, SGD(0.1), 6)
    result = train([Replica(seed, model, recipe, {"train": images}) for seed in (0, 1)], [MeanLoss(at=AtEnd())])
    assert_equal(result.measure(MeanLoss()), result.table)


def test_a_start_that_is_not_drawn_is_where_the_distance_is_from():
    def initialise(model):
        model[0].weight.fill_(0.5)

    replicas = [replace(replica, initialise=initialise) for replica in grid()]
    result = train(replicas, [DistanceFromInitialisation(at=AtEnd())])
    assert_equal(result.measure(DistanceFromInitialisation()), result.table)


def test_a_probe_of_ones_own_sees_where_each_replica_ended():
    seen = []

    class Own(Probe):
        def measure(self, view):
            seen.append((view.step, view.epoch, len(view.replicas), view.model.training))
            yield Measurement("own", torch.zeros(len(view.replicas)))

    result = train(grid(stop_at_accuracy=0.9))
    measured = result.measure(Own(at=Epochs()))
    assert [count for *_, count, _ in seen] == [len(group) for group in alike(result.replicas)] == [6, 3]
    for (step, epoch, _, training), group in zip(seen, alike(result.replicas), strict=True):
        assert step.tolist() == result.endings["steps"][group].tolist()
        assert epoch.tolist() == result.endings["epochs"][group].tolist()
        assert not training
    assert measured["step"].tolist() == result.endings["steps"].tolist()
    assert len(stacks(result.replicas)) == 1  # trained as one wide network


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ([0, 9, -1], r"at has \[9, -1\]; the result has 9 replicas, at places 0 to 8"),
        (np.ones(9, bool), r"np\.flatnonzero\(mask\)"),
    ],
)
def test_places_that_are_none_are_refused(at, message):
    result = train(grid(steps=1))
    with pytest.raises(TrainingError, match=message):
        result.measure(Accuracy(), at)


def assert_states(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert list(a) == list(b)
        for key, value in b.items():
            torch.testing.assert_close(a[key], value, rtol=1e-12, atol=1e-12, msg=key)


def full_batch(steps, lr=0.3):
    return Recipe(steps, SGD(lr))


def test_two_trainings_one_after_the_other_are_one_longer_training():
    whole = train(grid(steps=20, batch_size=None, optimiser=SGD(0.3)), [MeanLoss(at=Every(4))])
    first = train(grid(steps=8, batch_size=None, optimiser=SGD(0.3)))
    second = first.continued(full_batch(12), [MeanLoss(at=Every(4)), DistanceFromInitialisation(at=AtSteps((0,)))])
    assert_states(second.states, whole.states)
    expected = whole.table[whole.table["step"] >= 8]
    loss = second.table[second.table["quantity"] == "loss"]
    assert_equal(loss.assign(step=loss["step"] + 8, epoch=loss["epoch"] + 8).reset_index(drop=True), expected)
    assert (second.table.query("quantity == 'distance'")["value"] == 0).all()
    assert second.endings[["seed", "width"]].equals(first.endings[["seed", "width"]])
    # The first training's networks stay as they were, and so do the plain networks that were handed in.
    assert_states(first.states, train(grid(steps=8, batch_size=None, optimiser=SGD(0.3))).states)


def test_some_networks_go_on_from_their_own_ends_and_another_time():
    first = train(grid(stop_at_accuracy=0.9))
    at = [7, 0, 4]
    second = first.continued(full_batch(5, 0.1), [MeanLoss(at=AtSteps((0,)))], at)
    assert second.endings["width"].tolist() == [3, 6, 3]
    assert second.endings["seed"].tolist() == [2, 0, 1]
    begun = second.table[second.table["group"] == "all"]["value"]
    ended = first.measure(MeanLoss(), at)
    ended = ended[ended["group"] == "all"].set_index("replica")["value"]
    np.testing.assert_allclose(begun, ended[at], rtol=1e-12)
    third = second.continued(full_batch(7, 0.1))
    assert_states(third.states, first.continued(full_batch(12, 0.1), at=at).states)


def test_running_statistics_go_on_too():
    draw = torch.Generator().manual_seed(0)
    images = Examples(torch.randn(6, 3, 32, 32, generator=draw, dtype=torch.float64), torch.arange(6) % 3)
    model = models.five_layer_cnn(1, 3, norm="batch")

    def trained(steps):
        return train([Replica(seed, model, full_batch(steps), {"train": images}) for seed in (0, 1)])

    assert_states(trained(1).continued(full_batch(2)).states, trained(3).states)


def test_batches_of_a_continuation_are_those_of_its_seeds_first_epochs():
    first = train(grid(optimiser=SGD(0.1), steps=9))
    second = first.continued(Recipe(4, SGD(0.2), 7))
    start = {"initialise": lambda model: model.load_state_dict(first.states[3])}
    alone = train([replace(first.replicas[3], recipe=Recipe(4, SGD(0.2), 7), **start)])
    assert_states(second.states[3:4], alone.states)


def test_what_diverged_cannot_go_on():
    result = train(diverging())
    with pytest.raises(TrainingError, match=r"replicas \[0, 10\] diverged"):
        result.continued(full_batch(5))
    with pytest.raises(TrainingError, match=r"replicas \[10\] diverged"):
        result.continued(full_batch(5), at=[3, 10])
    going = result.continued(full_batch(5), at=np.flatnonzero(~result.endings["diverged"]))
    assert len(going.replicas) == 9


def test_a_continuation_takes_the_options_of_train(tmp_path):
    told = []
    first = train(grid(steps=4))
    path = tmp_path / "state"
    first.continued(full_batch(5), progress=lambda share, words: told.append(share), checkpoint=path)
    assert told[-1] == 1
    assert not path.exists()
