"""Designs: what they refuse, what they say is measured, and the table that they come to."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from genbook import data
from genbook.base.recipes import SGD, Recipe
from genbook.base.when import AtFractions, Every
from genbook.experiments import CNN, CNN1D, MLP, Condition, Continuation, Design, Images, Labels, Pretraining, Watch
from genbook.experiments.run import Drawn
from genbook.probes import Accuracy, AtEnd, GradientCoherence, MeanLoss, Sharpness
from genbook.tables.quantities import COLUMNS
from genbook.training import train

RECIPE = Recipe(20, SGD(0.1), 10)
LOSS = Watch(("train loss", "test accuracy"), Every(10))


def condition(noise=0.0, watch=(LOSS,), **settings):
    images = Images("digits", settings.pop("n_train", 40), Labels().wrong(noise))
    return Condition({"noise": noise}, images, MLP((8,)), settings.pop("recipe", RECIPE), watch, **settings)


def test_designs_are_data_without_torch():
    check = (
        "import sys; from genbook import studies;"
        "[s.spec() for s in map(studies.get, studies.names())]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_what_cannot_be_measured_or_told_apart_is_refused():
    with pytest.raises(ValueError, match="no quantity is called 'accuracy'; the catalogue has train accuracy"):
        Watch(("accuracy",), AtEnd())
    with pytest.raises(ValueError, match="every table has step already"):
        replace(condition(), columns={"step": 1})
    with pytest.raises(ValueError, match="no fact is called loss; want steps to fit"):
        condition(facts=("loss",))
    with pytest.raises(ValueError, match="two conditions of noise are"):
        Design([condition(0.1), condition(0.1)])
    with pytest.raises(ValueError, match="conditions with the same columns"):
        Design([condition(0.1), replace(condition(0.2), columns={"width": 3})])
    with pytest.raises(ValueError, match="AUC of EL2N tell a group from the rest"):
        Design([condition(watch=(Watch(("AUC of EL2N",), AtEnd()),))]).run([0], "cpu")
    with pytest.raises(ValueError, match="classes cannot be watched"):
        Design([condition(watch=(Watch(("classes",), AtEnd()),))]).run([0], "cpu")


def test_a_design_knows_what_is_measured():
    phase = Continuation("later", RECIPE, (Watch(("m-coherence",), AtEnd()),))
    design = Design([condition(0.0, facts=("classes",)), condition(0.5, continued=(phase,))])
    assert design.quantities == ("train loss", "test accuracy", "m-coherence", "classes")
    assert [len(group) for group in design.together()] == [1, 1]


def test_a_table_has_the_conditions_columns_and_those_of_all_tables():
    table = Design([condition(0.0), condition(0.5)]).run([3, 4], "cpu")
    assert list(table.columns) == ["seed", "noise", *list(COLUMNS)[1:]]
    assert table.groupby(["seed", "noise", "quantity", "group", "step"]).size().eq(1).all()
    assert set(zip(table["quantity"], table["group"], strict=True)) == {
        ("train loss", "all"),
        ("test accuracy", "all"),
        ("test accuracy", "first half"),
        ("test accuracy", "second half"),
    }
    assert set(table["step"]) == {0, 10, 20}


def test_the_halves_of_the_test_set_are_one_stratified_partition_for_all_seeds():
    drawn = Drawn()
    sets = [drawn.replica(condition(), seed).data["test"] for seed in (0, 1)]
    first, second = sets[0].groups["first half"], sets[0].groups["second half"]
    assert (first ^ second).all()
    assert abs(int(first.sum()) - int(second.sum())) <= 1
    counts = [torch.bincount(sets[0].labels[half], minlength=10) for half in (first, second)]
    assert (counts[0] - counts[1]).abs().max() <= 1
    assert torch.equal(first, sets[1].groups["first half"])


def test_the_halves_average_to_the_whole():
    table = Design([condition(0.2)]).run([0], "cpu")
    accuracy = table[table["quantity"] == "test accuracy"].pivot(index="step", columns="group", values="value")
    sizes = [int(mask.sum()) for mask in Drawn().replica(condition(), 0).data["test"].groups.values()]
    halves = np.average(accuracy[["first half", "second half"]], axis=1, weights=sizes)
    np.testing.assert_allclose(accuracy["all"], halves, rtol=1e-12)


def test_the_table_is_that_of_the_engine_by_hand():
    watch = (
        Watch(("train accuracy", "train accuracy on true labels"), Every(10)),
        Watch(("m-coherence", "gradient cosine"), Every(20), layers=True, groups=("clean", "corrupted"), examples=30),
    )
    sharpness = Watch(("sharpness",), AtEnd(), tolerance=1e-4)
    wrong = condition(0.4, watch, at_end=(sharpness,), facts=("wrong labels", "classes", "parameters", "steps to fit"))
    table = Design([wrong]).run([2], "cpu").set_index(["quantity", "step", "group", "layer"])["value"]

    split = data.split(data.load("digits"), 2, 40, flat=True)
    given = data.corrupt(split.train.labels.numpy(), 0.4, "uniform", 2, 10)
    replica = Drawn().replica(wrong, 2)
    assert torch.equal(replica.data["train"].labels, torch.from_numpy(given.labels))
    probes = [
        *(Accuracy("train", at=Every(10)), Accuracy("train", "true", at=Every(10))),
        GradientCoherence(examples=30, groups=("clean", "corrupted"), at=Every(20)),
        Sharpness(tolerance=1e-4, at=AtEnd()),
    ]
    rows = train([replica], probes).table

    def by_hand(quantity, step=20, labels="given", group="all", layer="all"):
        kind = {"quantity": quantity, "step": step, "labels": labels, "group": group}
        own = rows[(rows[list(kind)] == pd.Series(kind)).all(axis=1) & rows.layer.isin([layer, ""])]
        return pytest.approx(own.value.item(), rel=1e-3 if quantity == "sharpness" else 1e-6)

    assert table["train accuracy on true labels", 10, "all", "all"] == pytest.approx(
        rows[
            (rows.quantity == "accuracy") & (rows.labels == "true") & (rows.group == "all") & (rows.step == 10)
        ].value.item()
    )
    for group, layer in (("all", "all"), ("all", "0"), ("clean", "all")):
        assert table["m-coherence", 20, group, layer] == pytest.approx(
            by_hand("m-coherence", 20, "given", group, layer)
        )
    pair = "clean, corrupted"
    assert table["gradient cosine", 0, pair, "all"] == by_hand("gradient cosine", 0, "given", pair)
    assert table["sharpness", 20, "all", "all"] == by_hand("sharpness")
    assert table["wrong labels", 20, "all", "all"] == given.changed.mean() == 0.4
    assert table["classes", 20, "all", "all"] == 10
    assert table["parameters", 20, "all", "all"] == 64 * 8 + 8 + 8 * 10 + 10
    assert np.isnan(table["steps to fit", 20, "all", "all"])


def test_test_and_training_quantities_are_those_of_the_networks_on_their_own_sets():
    watch = Watch(("train accuracy", "test accuracy", "train loss", "test loss"), AtEnd())
    noisy = condition(0.3, (watch,))
    table = Design([noisy]).run([1], "cpu").query("group == 'all'").set_index("quantity")["value"]
    replica = Drawn().replica(noisy, 1)
    model = train([replica]).model(0)
    for on, examples in replica.data.items():
        outputs = model(examples.inputs)
        right = (outputs.argmax(1) == examples.labels).double().mean().item()
        assert table[f"{on} accuracy"] == pytest.approx(right, abs=1e-9)
        loss = torch.nn.functional.cross_entropy(outputs, examples.labels).item()
        assert table[f"{on} loss"] == pytest.approx(loss, rel=1e-5)
    assert abs(table["train accuracy"] - table["test accuracy"]) > 0.01


def test_continuations_begin_at_the_weights_that_training_ended_with():
    watch = (Watch(("train loss",), AtFractions((0.5, 1.0))),)
    phases = tuple(Continuation(name, Recipe(6, SGD(lr)), watch) for name, lr in (("small", 0.01), ("none", 1e-9)))
    table = Design([condition(0.2, continued=phases)]).run([0, 1], "cpu")
    loss = table[table["quantity"] == "train loss"].set_index(["phase", "seed", "step"])["value"]
    for seed in (0, 1):
        start = loss["training", seed, 20]
        assert loss["small", seed, 0] == pytest.approx(start, rel=1e-6)
        assert loss["none", seed, 6] == pytest.approx(start, rel=1e-5)
        assert loss["small", seed, 6] < start
    assert set(table.loc[table["phase"] == "small", "step"]) == {0, 3, 6}


def test_networks_that_diverged_do_not_go_on():
    watch = (Watch(("train loss",), AtEnd()),)
    wild = condition(
        0.2, recipe=Recipe(20, SGD(1e6), 10, loss="squared"), continued=(Continuation("on", RECIPE, watch),)
    )
    assert set(Design([wild]).run([0], "cpu")["phase"]) == {"training"}


def test_conditions_share_their_examples_in_memory():
    drawn = Drawn()
    first, second = (drawn.replica(condition(noise), 0).data["train"].inputs for noise in (0.0, 0.5))
    assert first is second
    copies = [replace(condition(), images=Images("digits", 40, Labels().diluted(c))) for c in (2, 2, 3)]
    inputs = [drawn.replica(c, 0).data["train"].inputs for c in copies]
    assert inputs[0] is inputs[1]
    assert len(inputs[2]) == 160
    assert torch.equal(inputs[2][40:80], first)


def test_held_out_and_test_images_have_labels_of_their_own():
    images = Images("digits", 40, held_out=30, held_out_labels=Labels().wrong(0.5), test_labels=Labels().shuffled())
    watch = Watch(("held-out accuracy", "held-out loss", "test accuracy"), AtEnd())
    told = replace(condition(watch=(watch,)), images=images)
    sets = Drawn().replica(told, 3).data
    split = data.split(data.load("digits"), 3, 40, 30, flat=True)
    assert torch.equal(sets["held-out"].inputs, split.validation.inputs)
    assert (sets["held-out"].labels != split.validation.labels).sum() == 15
    assert torch.equal(sets["train"].labels, split.train.labels)
    assert torch.equal(sets["test"].labels.bincount(), split.test.labels.bincount())
    assert (sets["test"].labels == split.test.labels).double().mean() < 0.3
    own = data.corrupt(split.validation.labels.numpy(), 0.5, "uniform", 3, 10).labels
    assert (sets["held-out"].labels.numpy() != own).any(), "drawn apart from the training labels of the same seed"
    found = Design([told]).run([3], "cpu").set_index(["quantity", "group"])["value"]
    assert 0 <= found["held-out accuracy", "all"] <= 1
    assert found["held-out loss", "all"] > 0


def test_groups_that_a_watch_names_are_told_apart():
    groups = ("decoys", "one half", "other half")
    images = Images("digits", 40, Labels().decoys(7))
    told = replace(condition(watch=(Watch(("train loss",), AtEnd(), groups=groups),)), images=images)
    masks = Drawn().replica(told, 3).data["train"].groups
    assert set(masks) == set(groups)
    assert (masks["one half"] ^ masks["other half"]).all()
    assert masks["one half"].sum() == 20
    given = images.labels.given(np.zeros((40, 1)), data.split(data.load("digits"), 3, 40).train.labels.numpy(), 3, 10)
    assert (masks["decoys"].numpy() == given.decoys).all()
    assert set(Design([told]).run([3], "cpu")["group"]) == {"all", *groups}


def test_one_real_output_learns_parity_by_the_squared_loss():
    images = Images("digits", 40, Labels().parity())
    recipe = Recipe(60, SGD(0.1), None, loss="squared")
    told = condition(watch=(Watch(("train loss", "sharpness"), AtEnd()), Watch(("train loss",), Every(60))))
    told = replace(told, images=images, network=MLP((8,), "tanh", outputs=1), recipe=recipe)
    loss = Design([told]).run([0], "cpu").query("quantity == 'train loss'").set_index("step")["value"]
    replica = Drawn().replica(told, 0)
    assert replica.model(replica.data["train"].inputs).shape == (40, 1)
    assert loss[60].max() < 0.5 * loss[0].max()


def test_a_sharpness_is_taken_after_as_many_products_as_are_granted():
    """A single product gives the Rayleigh quotient of the first vector: less than the largest eigenvalue."""

    def sharpness(**settings):
        watch = (Watch(("sharpness",), AtEnd(), tolerance=1e-6, **settings),)
        return Design([condition(watch=watch)]).run([0], "cpu")["value"].item()

    assert sharpness(max_iterations=1) < 0.5 * sharpness()


def test_a_continuation_goes_on_from_those_alone_that_came_to_their_accuracy():
    onward = Continuation("later", Recipe(5, SGD(0.1), 10), (Watch(("train loss",), AtEnd()),), only_fitted=True)
    reached = replace(RECIPE, stop_at_accuracy=0.05, check_every=1)
    unreached = replace(RECIPE, stop_at_accuracy=1.0, check_every=1)
    both = [condition(0.0, recipe=reached, continued=(onward,)), condition(0.9, recipe=unreached, continued=(onward,))]
    later = Design(both).run([0, 1], "cpu").query("phase == 'later'")
    assert set(later["noise"]) == {0.0}
    assert set(later["seed"]) == {0, 1}
    none = Design([condition(0.9, recipe=unreached, continued=(onward,))]).run([0], "cpu")
    assert set(none["phase"]) == {"training"}


@pytest.mark.parametrize(
    ("dataset", "network", "shape"), [("digits", CNN(2), (1, 8, 8)), ("mnist1d", CNN1D(3), (1, 40))]
)
def test_convolutions_see_the_images_as_they_are(dataset, network, shape):
    drawn, watch = Drawn(), (Watch(("train loss", "m-coherence"), Every(10), layers=True),)
    conditions = [
        Condition({"noise": noise}, Images(dataset, 40, Labels().wrong(noise)), network, RECIPE, watch)
        for noise in (0.0, 0.5)
    ]
    clean, noisy = (drawn.replica(condition, 3) for condition in conditions)
    assert clean.data["train"].inputs is noisy.data["train"].inputs, "on one batch"
    assert clean.data["train"].inputs.shape == (40, *shape)
    flat = drawn.replica(replace(conditions[0], network=MLP((4,))), 3)
    assert clean.data["test"].inputs.flatten(1).equal(flat.data["test"].inputs)
    table = Design(conditions).run([3], "cpu")
    assert {"0", "all"} < set(table[table.quantity == "m-coherence"].layer)
    expected = train([clean], [GradientCoherence(at=Every(10))]).table
    expected = expected[(expected.quantity == "m-coherence") & (expected.layer == "all")].value
    found = table[(table.noise == 0) & (table.quantity == "m-coherence") & (table.layer == "all")].value
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_convolutions_that_do_not_fit_the_data_are_refused():
    for dataset, network, wrong in (("mnist1d", CNN(2), "a CNN needs square"), ("digits", CNN1D(2), "needs signals")):
        with pytest.raises(ValueError, match=wrong):
            Drawn().replica(Condition({"noise": 0}, Images(dataset, 40), network, RECIPE, (LOSS,)), 0)


BEFORE = Pretraining(Images("digits", 40, Labels().redrawn(1.0)), Recipe(12, SGD(0.2, 0.9), 8))


def test_pretraining_is_a_training_that_goes_on_with_other_labels():
    """By hand: train on the one set, load the weights, train on the other; and the plain network is as it was."""
    watch = (Watch(("train loss", "distance"), Every(10)),)
    pretrained, plain = replace(condition(0.1, watch), pretraining=BEFORE), condition(0.2, watch)
    table = Design([pretrained, plain]).run([3], "cpu")
    found = table.query("group == 'all'").set_index(["noise", "quantity", "step"])["value"]

    learned = replace(pretrained, images=BEFORE.images, recipe=BEFORE.recipe, pretraining=None)
    first = train([Drawn().replica(learned, 3)])
    begun = replace(Drawn().replica(pretrained, 3), initialise=lambda model: model.load_state_dict(first.states[0]))
    second = train([begun], [MeanLoss(at=Every(10))]).table
    assert [found[0.1, "train loss", step] for step in (0, 10, 20)] == pytest.approx(second["value"].tolist(), rel=1e-5)
    assert found[0.1, "distance", 0] == 0
    alone = Design([plain]).run([3], "cpu").query("group == 'all'").set_index(["quantity", "step"])["value"]
    assert found[0.2].to_dict() == pytest.approx(alone.to_dict(), rel=1e-5)


def test_conditions_that_are_pretrained_alike_begin_with_the_same_weights():
    watch = Watch(("train loss",), Every(10))
    alike = [replace(condition(noise, (watch,)), columns={"place": noise}, pretraining=BEFORE) for noise in (0.0, 0.1)]
    alike = [replace(one, images=alike[0].images) for one in alike]
    other = replace(alike[0], columns={"place": 0.2}, pretraining=replace(BEFORE, recipe=replace(RECIPE, steps=3)))
    plain = replace(alike[0], columns={"place": 0.3}, pretraining=None)
    table = Design([*alike, other, plain]).run([0], "cpu").query("step == 0").set_index("place")["value"]
    assert table[0.0] == table[0.1]
    assert len({table[0.1], table[0.2], table[0.3]}) == 3


def test_what_diverged_before_has_no_rows_and_the_others_have_theirs():
    wild = Pretraining(BEFORE.images, Recipe(40, SGD(1e20), 8))
    conditions = [condition(0.1), replace(condition(0.2), pretraining=wild)]
    assert set(Design(conditions).run([0], "cpu")["noise"]) == {0.1}
    watch = (Watch(("train loss",), AtEnd()),)
    assert set(Design([conditions[0], replace(conditions[1], watch=watch)]).run([0], "cpu")["noise"]) == {0.1}


def test_other_first_weights_are_another_draw_and_change_nothing_else():
    watch = (Watch(("train loss",), Every(10)),)
    table = Design([replace(condition(n, watch), first_weights=k) for k, n in enumerate((0.0, 0.1, 0.2))])
    replicas = [Drawn().replica(one, 5) for one in table.conditions]
    assert replicas[0].init_seed is None
    assert len({replica.init_seed for replica in replicas}) == 3
    assert {replica.order_seed for replica in replicas} == {None}
    assert replicas[1].init_seed != Drawn().replica(table.conditions[1], 6).init_seed


def test_erased_copies_lack_another_fraction_of_pixels_each():
    images = Images("digits", 40, Labels().diluted(2).redrawn(1.0), erased=0.25)
    one = replace(condition(), images=images)
    inputs = Drawn().replica(one, 1).data["train"].inputs
    whole = Drawn().replica(condition(), 1).data["train"].inputs
    copies = inputs.unflatten(0, (3, 40))
    for copy in copies:
        gone = (copy == 0) & (whole != 0)
        assert torch.equal(torch.where(gone, whole, copy), whole)
        assert (gone.sum(1) <= 16).all()
        assert (copy == 0).sum(1).ge(16).all()
    assert not torch.equal(copies[0] == 0, copies[1] == 0)
    assert torch.equal(
        Drawn().replica(replace(one, images=replace(images, erased=0.0)), 1).data["train"].inputs[40:80], whole
    )


def test_losses_of_single_examples_average_to_the_mean_loss():
    watch = Watch(("train loss", "example loss"), AtEnd())
    table = Design([condition(0.2, (watch,))]).run([4], "cpu")
    single = table[table["quantity"] == "example loss"].set_index("group")["value"]
    assert set(single.index) == {str(place) for place in range(40)}
    assert single.mean() == pytest.approx(table.set_index("quantity")["value"]["train loss"])
    replica = Drawn().replica(condition(0.2, (watch,)), 4)
    model, own = train([replica]).model(0), replica.data["train"]
    by_hand = torch.nn.functional.cross_entropy(model(own.inputs), own.labels, reduction="none")
    np.testing.assert_allclose([single[str(k)] for k in range(40)], by_hand.detach(), rtol=1e-4, atol=1e-6)


def test_held_out_examples_have_true_labels_too():
    watch = Watch(("held-out loss", "held-out loss on true labels"), AtEnd())
    images = Images("digits", 40, held_out=30, held_out_labels=Labels().wrong(0.5))
    noisy = replace(condition(0.0, (watch,)), images=images)
    table = Design([noisy]).run([0], "cpu").set_index("quantity")["value"]
    replica = Drawn().replica(noisy, 0)
    model, held = train([replica]).model(0), replica.data["held-out"]
    for name, labels in (("held-out loss", held.labels), ("held-out loss on true labels", held.true_labels)):
        wanted = torch.nn.functional.cross_entropy(model(held.inputs), labels)
        assert table[name] == pytest.approx(wanted.item(), rel=1e-4)
    assert (held.labels != held.true_labels).double().mean() == 0.5


def test_networks_normalised_by_ghost_batches_are_measured_by_layer():
    watch = Watch(("weight norm", "distance", "m-coherence", "train loss"), AtEnd(), layers=True)
    norms = {"none": {}, "batch": {"norm": "batch"}, "ghost batches": {"norm": "batch", "ghost": 5}}
    networks = {name: MLP((8, 6), **how) for name, how in norms.items()}
    design = Design(
        replace(condition(watch=(watch,)), columns={"norm": name}, network=network)
        for name, network in networks.items()
    )
    table = design.run([0, 1], "cpu")
    assert np.isfinite(table.value).all()
    layers = {name: set(part.layer) for name, part in table[table.quantity == "weight norm"].groupby("norm")}
    assert {"all", "0.weight", "0.bias", "2.weight"} <= layers["none"]
    assert {"all", "0.weight", "1.weight", "3.weight"} <= layers["batch"]
    assert {"all", "0.weight", "1.norm.weight", "3.weight"} <= layers["ghost batches"]
    losses = table[table.quantity == "train loss"].set_index(["seed", "norm"]).value.unstack()
    assert (losses["batch"] != losses["ghost batches"]).all()


def test_batches_that_ghost_batches_do_not_divide_are_refused():
    one = replace(condition(), network=MLP((8,), norm="batch", ghost=4))
    with pytest.raises(ValueError, match="10 examples is no whole number of ghost batches of 4"):
        Design([one]).run([0], "cpu")
