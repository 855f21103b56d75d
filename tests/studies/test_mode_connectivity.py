"""Mode connectivity: orders of units, matching against brute force, agreement, the path, the statistics."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import generator
from genbook.experiments.run import Drawn
from genbook.models import mlp
from genbook.studies import get
from genbook.studies.landscape.mode_connectivity import claims, matching, run
from genbook.studies.landscape.mode_connectivity.figure import paths
from genbook.studies.landscape.mode_connectivity.spec import ModeConnectivitySpec
from genbook.studies.landscape.shared import layers_of
from tests.known import Answer, Known

STUDY = get("mode_connectivity")
SMOKE = STUDY.build("smoke", {})
PLACES = [0.0, 0.25, 0.5, 0.75, 1.0]


def network(sizes, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(out, 1 + into)) for into, out in itertools.pairwise(sizes)]


def outputs(layers, inputs):
    for place, layer in enumerate(layers):
        inputs = inputs @ layer[:, 1:].T + layer[:, 0]
        inputs = np.maximum(inputs, 0) if place < len(layers) - 1 else inputs
    return inputs


def test_another_order_of_units_computes_the_same():
    layers, draw = network((5, 7, 6, 3)), np.random.default_rng(1)
    inputs = draw.normal(size=(20, 5))
    moved = matching.permuted(layers, matching.shuffled(layers, draw))
    assert not np.allclose(moved[1], layers[1])
    assert outputs(moved, inputs) == pytest.approx(outputs(layers, inputs), rel=1e-12)
    # and as a module
    model = run.load(mlp((5, 7, 6, 3)).double(), moved)
    assert model(torch.from_numpy(inputs)).detach().numpy() == pytest.approx(outputs(layers, inputs), rel=1e-12)
    assert all(np.array_equal(a, b) for a, b in zip(layers_of(model), moved, strict=True))


@pytest.mark.parametrize("sizes", [(5, 12, 3), (5, 12, 9, 3)])
def test_matching_undoes_a_shuffle(sizes):
    layers, draw = network(sizes), np.random.default_rng(2)
    shuffles = matching.shuffled(layers, draw)
    found = matching.matched(layers, matching.permuted(layers, shuffles), draw)
    for shuffle, order in zip(shuffles, found, strict=True):
        assert np.array_equal(shuffle[order], np.arange(len(order)))
    again = matching.permuted(matching.permuted(layers, shuffles), found)
    assert matching.distance(layers, again) == 0


def test_a_network_and_its_shuffled_self_have_no_barrier_once_matched():
    torch.manual_seed(0)
    model, draw = mlp((6, 10, 8, 3)), np.random.default_rng(3)
    layers = layers_of(model)
    shuffled = matching.permuted(layers, matching.shuffled(layers, draw))
    near = matching.permuted(shuffled, matching.matched(layers, shuffled, draw))
    inputs = torch.randn(40, 6)
    labels = model(inputs).argmax(1)
    sets = {on: run.Examples(inputs, labels) for on in ("train", "test")}
    losses = {
        order: run.Path(model, layers, end, np.array(PLACES), "cpu").losses(sets, 10)
        for order, end in (("shuffled", shuffled), ("matched", near))
    }
    assert losses["matched"]["train loss"].numpy() == pytest.approx(float(losses["matched"]["train loss"][0]), rel=1e-6)
    assert (losses["matched"]["test error"] == 0).all()
    shuffled_losses = losses["shuffled"]["train loss"]
    assert float(shuffled_losses[4]) == pytest.approx(float(shuffled_losses[0]), rel=1e-5)
    assert float(shuffled_losses[2]) > 1.01 * float(shuffled_losses[0])


@pytest.mark.parametrize("seed", range(8))
def test_one_hidden_layer_is_matched_best_of_all_orders(seed):
    one, other = network((3, 5, 4), 2 * seed), network((3, 5, 4), 2 * seed + 1)
    (found,) = matching.matched(one, other, np.random.default_rng(0))
    distances = {
        order: matching.distance(one, matching.permuted(other, [np.array(order)]))
        for order in itertools.permutations(range(5))
    }
    assert min(distances, key=distances.get) == tuple(found)


@pytest.mark.parametrize("seed", range(4))
def test_with_more_layers_no_layer_alone_could_do_better(seed):
    one, other = network((3, 4, 4, 2), 2 * seed), network((3, 4, 4, 2), 2 * seed + 1)
    found = matching.matched(one, other, np.random.default_rng(0))
    reached = matching.distance(one, matching.permuted(other, found))
    for at, order in itertools.product(range(2), itertools.permutations(range(4))):
        tried = [np.array(order) if place == at else kept for place, kept in enumerate(found)]
        assert matching.distance(one, matching.permuted(other, tried)) >= reached - 1e-12
    assert reached < matching.distance(one, other)


def test_agreement_of_singular_directions():
    draw = np.random.default_rng(8)
    layers = network((6, 8, 4), 8)
    assert matching.aligned(layers, layers, 0.5) == pytest.approx((1, 1))
    # orthogonal matrices have equal singular values: the agreement is their cosine, and there is no rest
    a, b = (np.linalg.qr(draw.normal(size=(5, 5)))[0] for _ in range(2))
    bias = np.zeros((5, 1))
    leading, rest = matching.aligned([np.hstack([bias, a])], [np.hstack([bias, 3 * b])], 0.5)
    assert leading == pytest.approx((a * b).sum() / 5)
    assert np.isnan(rest)
    # two directions, one of which is the other network's with the opposite sign
    u, v = a, b
    values = np.diag([4.0, 3, 1, 0.5, 0.2])
    signs = np.diag([1.0, -1, 1, 1, -1])
    one, other = (np.hstack([bias, u @ values @ s @ v.T]) for s in (np.eye(5), signs))
    assert matching.aligned([one], [other], 0.5) == pytest.approx((0, 1 / 3))


def test_orders_change_singular_directions_and_no_singular_value():
    layers = network((6, 8, 4), 9)
    moved = matching.permuted(layers, matching.shuffled(layers, np.random.default_rng(0)))
    for a, b in zip(layers, moved, strict=True):
        values = (np.linalg.svd(layer[:, 1:], compute_uv=False) for layer in (a, b))
        assert next(values) == pytest.approx(next(values))
    assert matching.aligned(layers, moved, 0.5)[0] < 0.9


def test_a_path_holds_the_networks_between():
    torch.manual_seed(1)
    model = mlp((4, 6, 3))
    one, other = network((4, 6, 3), 10), network((4, 6, 3), 11)
    inputs, labels = torch.randn(30, 4), torch.randint(3, (30,))
    sets = {on: run.Examples(inputs, labels) for on in ("train", "test")}
    found = run.Path(model, one, other, np.array([0, 0.3, 1]), "cpu").losses(sets, 30)
    for place, at in enumerate((0, 0.3, 1)):
        there = outputs([(1 - at) * a + at * b for a, b in zip(one, other, strict=True)], inputs.double().numpy())
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(there), labels)
        assert float(found["train loss"][place]) == pytest.approx(float(loss), rel=1e-5)
        wrong = (there.argmax(1) != labels.numpy()).mean()
        assert float(found["test error"][place]) == pytest.approx(wrong)
    # m-coherence against the gradients one by one
    plain, gradients = run.load(model, one), []
    for x, label in zip(inputs, labels, strict=True):
        plain.zero_grad()
        torch.nn.functional.cross_entropy(plain(x[None]), label[None]).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in plain.parameters()]).double())
    rows = torch.stack(gradients)
    expected = rows.sum(0).square().sum() / rows.square().sum()
    assert float(found["m-coherence"][0]) == pytest.approx(float(expected), rel=1e-4)


def test_the_second_network_has_a_start_of_its_own_or_shares_the_first_ones():
    first = Drawn().replica(SMOKE.condition(8), 3)
    own = run.second(first, SMOKE)
    shared = run.second(first, STUDY.changed(SMOKE, {"start": "shared"}))
    a, b, c = (run.initial_layers(one) for one in (first, own, shared))
    assert matching.distance(a, b) > 1
    orders = matching.matched(a, c, np.random.default_rng(0))
    assert matching.distance(a, matching.permuted(c, orders)) == 0
    assert matching.distance(a, c) > 0.1
    assert own.seed == shared.seed != first.seed


def test_a_random_order_is_one_of_the_seed():
    draws = [matching.shuffled(network((4, 8, 8, 2)), generator(seed, "order of layers"))[0] for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


SPEC = ModeConnectivitySpec.build(widths=[8, 32], points=5)
_OWN = 0.01 * np.arange(3)


def known(left=(0.2, 0.1), error=0.0, distance=0.8, far=0.9, leading=0.5, rest=0.1, coherent=4.0):
    """Three seeds, 0.01 apart: a barrier of 2 nats of which matching leaves ``left`` by width, and so on.

    Both networks' losses differ, so that the line between the ends is not level.
    """
    rows = []
    for seed, own in enumerate(_OWN):
        for width, part in zip(SPEC.widths, left, strict=True):
            part, bump = part + (2 * own if width == SPEC.widths[0] else own), np.array([0, 0.5, 1, 0.5, 0])
            line = 0.1 + 0.2 * np.array(PLACES)
            for order, height in (("as trained", 2.0), ("matched", 2 * part)):
                values = {
                    "train loss": line + height * bump,
                    "test error": 0.1 + (error + own / 5) * bump,
                    "m-coherence": 1 + bump * (coherent + own - 1) if order == "as trained" else np.ones(5),
                }
                for quantity, course in values.items():
                    rows += [(seed, width, order, *told) for told in zip(PLACES, [quantity] * 5, course, strict=True)]
                matched = order == "matched"
                told = {
                    "distance": 10 * (distance + own) if matched else 10.0,
                    "leading agreement": 0.05 + (leading + own) * matched,
                    "other agreement": rest * matched,
                }
                rows += [(seed, width, order, 0.0, *one) for one in told.items()]
            as_far = {"place as far": 0.4, "loss as far": 0.1 + 0.2 * 0.4 + 2 * (far + 2 * own)}
            rows += [(seed, width, "as trained", 0.0, *one) for one in as_far.items()]
    return pd.DataFrame(rows, columns=run.COLUMNS)


def answer(values, **changed):
    return Answer(known(**changed), values, SPEC)


KNOWN = {
    "barrier-falls": Known(answer(0.1 + _OWN), answer(0.9 + _OWN, left=(0.9, 0.9))),
    "path-without-barrier": Known(answer(_OWN / 5, error=0.0), answer(0.1 + _OWN / 5, error=0.1)),
    "wider-is-flatter": Known(answer(0.1 + _OWN), answer(_OWN - 0.1, left=(0.1, 0.2))),
    "distance-stays": Known(answer(0.8 + _OWN), answer(0.2 + _OWN, distance=0.2)),
    "not-by-distance": Known(answer(0.8 + _OWN), answer(0.1 + _OWN, far=0.2)),
    "leading-directions-align": Known(answer(0.5 + _OWN), answer(0.1 + _OWN, leading=0.1)),
    "leading-more-than-rest": Known(answer(0.4 + _OWN), answer(_OWN, rest=0.5)),
    "top-is-coherent": Known(answer(4 + _OWN), answer(1 + _OWN, coherent=1.0)),
}


def test_a_path_below_the_line_has_no_barrier():
    table = known(left=(-0.5, 0.1))
    assert claims.barrier(table, "train loss", "matched")[8].tolist() == [0, 0, 0]
    assert claims.left(table)[32].tolist() == pytest.approx([0.1, 0.11, 0.12])


def test_what_the_figure_is_drawn_from():
    rows = paths({"digits": known(), "fashion-small": known(error=0.2)})
    assert len(rows) == 2 * 2 * 2 * len(PLACES)
    told = rows.set_index(["images", "width", "units", "place"])
    assert told.loc[("fashion-small", 32, "units matched", 0.5), "estimate"] == pytest.approx(0.302)
    assert told.loc[("digits", 8, "as trained", 0.5), "coherence"] == pytest.approx(4.01)
    assert told.loc[("digits", 8, "units matched", 0.5), "coherence"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["untrained"])
def test_claims_fail_in_the_controls_that_take_seconds(name):
    control = STUDY.changed(STUDY.build("full", {"widths": [16, 64]}), STUDY.controls[name])
    table = STUDY.run(control, range(4), "cpu")
    for claim in claims.CLAIMS:
        if claim.control == name:
            assert judge(claim, table, control).verdict == "fails", claim.id
