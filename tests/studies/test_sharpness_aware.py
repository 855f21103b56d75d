"""Training towards flat places: SAM's and SAF's steps by brute force, rescaling, the statistics on known tables."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.base.seeding import ORDER, generator
from genbook.curvature import Hessian
from genbook.models import unstack
from genbook.studies import get
from genbook.studies.landscape.sharpness_aware import claims, figure, methods, run
from genbook.studies.landscape.sharpness_aware.spec import METHODS, SharpnessAwareSpec
from tests.known import Answer, Known

STUDY = get("sharpness_aware")
SMOKE = STUDY.build("smoke", {})


def last(spec, given, method, seeds=(0, 1)):
    return list(methods.trained(spec, list(seeds), given, method))[-1]


def by_hand(spec, given, replica, seed, method):
    """One network trained in plain PyTorch: the same batches, SAM's two gradients, SAF's memory of all epochs."""
    network = unstack(methods.begun(spec, [seed], given.inputs.shape[2]), 0)
    inputs, labels = given.inputs[replica], given.labels[replica]
    draw, memory = generator(seed, ORDER), []
    batches = spec.n_train // spec.batch_size
    for step in range(spec.gradients // (2 if method == "SAM" else 1)):
        if step % batches == 0:
            order = draw.permutation(spec.n_train)
            memory.append({})
        epoch, place = divmod(step, batches)
        batch = order[place * spec.batch_size : (place + 1) * spec.batch_size]
        weights = [one.detach().clone() for one in network.parameters()]
        if method == "SAM":
            nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            slopes = [one.grad for one in network.parameters()]
            length = torch.cat([one.flatten() for one in slopes]).norm()
            with torch.no_grad():
                for one, slope in zip(network.parameters(), slopes, strict=True):
                    one += spec.radius * slope / length
            network.zero_grad()
        outputs = network(inputs[batch])
        loss = nn.functional.cross_entropy(outputs, labels[batch])
        memory[epoch].update(zip(batch.tolist(), outputs.detach(), strict=True))
        if method == "SAF" and epoch >= spec.earlier:
            past = torch.stack([memory[epoch - spec.earlier][i] for i in batch.tolist()]) / spec.temperature
            now = (outputs / spec.temperature).log_softmax(1)
            loss = loss + spec.trajectory * nn.functional.kl_div(now, past.softmax(1), reduction="batchmean")
        loss.backward()
        with torch.no_grad():
            for one, before in zip(network.parameters(), weights, strict=True):
                one.copy_(before - spec.learning_rate * one.grad)
        network.zero_grad()
    return network


@pytest.mark.parametrize("method", ["SGD", "SAM", "SAF"])
def test_methods_are_those_of_their_papers(method):
    spec = STUDY.build("smoke", {"trajectory": 30.0, "earlier": 2, "gradients": 24, "radius": 0.5})
    given = methods.Given(spec, [0, 1], 0.2)
    gradients, network = last(spec, given, method)
    assert gradients == 24
    expected = by_hand(spec, given, 1, 1, method)
    for one, other in zip(unstack(network, 1).parameters(), expected.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)


def test_methods_differ():
    spec = STUDY.build("smoke", {"trajectory": 30.0, "earlier": 1, "gradients": 24, "radius": 0.5})
    given = methods.Given(spec, [0, 1], 0.0)
    ends = {one: nn.utils.parameters_to_vector(last(spec, given, one)[1].parameters()).detach() for one in METHODS}
    for one in METHODS:
        assert all((ends[one] - ends[other]).norm() > 1e-3 for other in METHODS if other != one)


def test_an_ascent_is_as_long_as_the_radius_and_is_taken_back():
    network = methods.begun(SMOKE, [0, 1], 5)
    before = [one.detach().clone() for one in network.parameters()]
    steps = methods.ascended(network, [torch.randn(one.shape) for one in network.parameters()], 0.7)
    moved = [one.detach() - other for one, other in zip(network.parameters(), before, strict=True)]
    assert methods.lengths(moved).tolist() == pytest.approx([0.7, 0.7], rel=1e-4)
    methods.moved(network, steps, -torch.ones(2))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(network.parameters(), before, strict=True))


def test_divergence_is_kullback_leiblers_in_each_network():
    torch.manual_seed(0)
    before, now = torch.randn(2, 2, 6, 4).double()
    found = methods.divergence(before, now, 3.0)
    for replica in range(2):
        p, q = ((one[replica] / 3).softmax(1) for one in (before, now))
        assert found[replica].item() == pytest.approx((p * (p / q).log()).sum(1).mean().item())
    assert methods.divergence(now, now, 3.0).tolist() == pytest.approx([0, 0])


def test_rescaling_keeps_outputs_and_moves_curvature_by_its_square():
    torch.manual_seed(0)
    network = methods.begun(SMOKE, [0, 1], 5).double()
    inputs, labels = torch.randn(2, 9, 5).double(), torch.randint(10, (2, 9))
    other = methods.rescaled(network, 3.0)
    assert torch.allclose(network(inputs), other(inputs))
    before, after = (Hessian(one, nn.CrossEntropyLoss(), inputs, labels).dense() for one in (network, other))
    first = 6 * SMOKE.width  # weights and biases of the first layer come first
    second = slice(first, first + 10 * SMOKE.width)
    assert torch.allclose(after[:, second, second], 9 * before[:, second, second])
    assert torch.allclose(after[:, :first, :first], before[:, :first, :first] / 9)


def test_a_seed_is_the_same_in_company():
    alone, both = (run.run(SMOKE, seeds, "cpu") for seeds in ([1], [0, 1]))
    for method in ("SGD", "SAM", "SAF"):
        one, other = (table[(table["seed"] == 1) & (table["method"] == method)]["value"] for table in (alone, both))
        assert one.to_numpy() == pytest.approx(other.to_numpy(), rel=2e-2, abs=1e-4)


def test_wrong_labels_are_those_of_the_second_training_set():
    spec = STUDY.build("full", {"n_train": 100})
    clean, noisy = (methods.Given(spec, [4], one) for one in (0.0, 0.2))
    assert (clean.labels != noisy.labels).float().mean().item() == pytest.approx(0.2)
    assert torch.equal(clean.inputs, noisy.inputs)


# --- statistics -----------------------------------------------------------------------------------------------------

SPEC = SharpnessAwareSpec.build(scales=[0.5, 1.0, 2.0])
GROWN = np.array([1, 1.01, 1.03])
TOPS = {"SGD": 1.0, "SAM": 0.4, "SAF": 0.6, "random": 1.0}
ERRORS = {"SGD": 0.3, "SAM": 0.12, "SAF": 0.2, "random": 0.3}


def known_table(tops=TOPS, errors=ERRORS, stopped=0.2, kept=1e-7, best=0.5):
    """Three seeds. Plain descent's error at a loss of 0.5, where SAM ends, is ``stopped``, on a line in log loss."""
    rows = []
    for seed, grown in enumerate(GROWN):
        for method in METHODS:
            own = {"SAM": grown, "SAF": grown}.get(method, 1.0)
            end = (seed, method, 0.0, 1.0, 100)
            rows += [(*end, "sharpness", tops[method] * own), (*end, "test error", 0.05)]
            noisy = (seed, method, 0.2, 1.0)
            rows += [(*noisy, 10, "test error", 0.9), (*noisy, 10, "train loss", 2.0)]
            rows += [(*noisy, 100, "test error", errors[method] * own)]
            rows += [(*noisy, 100, "train loss", {"SAM": 0.5}.get(method, 0.05))]
            if method in ("SGD", "SAM"):
                rows += [
                    (*end[:3], 0.5, 100, "sharpness", 9.0),
                    (*end[:3], 2.0, 100, "sharpness", best * tops[method] * own),
                ]
                rows += [(*end[:3], scale, 100, "change of outputs", kept) for scale in (0.5, 1.0, 2.0)]
        for step, loss in ((40, 0.8), (50, 0.5), (60, 0.3)):
            noisy = (seed, "SGD", 0.2, 1.0, step)
            error = stopped + 0.01 * np.log(loss / 0.5)
            rows += [(*noisy, "train loss", loss), (*noisy, "test error", error)]
    return pd.DataFrame(rows, columns=run.COLUMNS)


def known(holds, fails, **changed):
    return Known(
        holds=Answer(known_table(), list(holds), SPEC), fails=Answer(known_table(**changed), list(fails), SPEC)
    )


KNOWN = {
    "sam-ends-flatter": known(0.4 * GROWN, GROWN, tops={**TOPS, "SAM": 1.0}),
    "saf-ends-flatter": known(0.6 * GROWN, GROWN, tops={**TOPS, "SAF": 1.0}),
    "sam-resists-wrong-labels": known(0.4 * GROWN, GROWN, errors={**ERRORS, "SAM": 0.3}),
    "saf-resists-wrong-labels": known(2 / 3 * GROWN, GROWN, errors={**ERRORS, "SAF": 0.3}),
    "sam-beats-stopping": known(0.6 * GROWN, 1.2 * GROWN, stopped=0.1),
    "ascent-decides": known(0.4 * GROWN, GROWN, tops={**TOPS, "SAM": 1.0}),
    "flatter-when-balanced": known(0.4 * GROWN, GROWN, tops={**TOPS, "SAM": 1.0}),
    "rescaling-keeps-function": known([1e-7] * 18, [0.5] * 18, kept=0.5),
}


def test_where_plain_descent_is_not_looked_at_near_a_loss_there_is_no_error():
    level = pd.Series([0.5, 5.0, 0.5])
    assert claims.stopped(known_table(), 0.2, level).isna().tolist() == [False, True, False]


def test_what_the_figures_are_drawn_from():
    rows = figure.rescaled({"digits": (known_table(), SPEC)})
    found = rows.set_index(["method", "rung"])["estimate"]
    assert found["SGD", 2] == pytest.approx(0.5)
    assert found["SAM", 1] == pytest.approx(0.4 * np.exp(np.log(GROWN).mean()))
    errors = figure.compared(known_table(), SPEC)
    assert errors["stopped"].to_numpy() == pytest.approx([0.2] * 3)


def test_claims_about_rescaling_fail_with_tanh():
    spec = STUDY.build("smoke", STUDY.controls["tanh"])
    table = run.run(spec, [0, 1], "cpu")
    assert claims.outputs_kept(table, spec).max() > 0.01
