"""Degeneracy: what is counted against networks built to have it and against brute force, the statistics."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.base.claims import judge
from genbook.curvature import Hessian, spectrum
from genbook.models import mlp
from genbook.studies import get
from genbook.studies.landscape.degeneracy import claims, counts, run
from genbook.studies.landscape.degeneracy.figure import MEASURES, networks
from genbook.studies.landscape.degeneracy.spec import DegeneracySpec
from genbook.studies.landscape.shared import layers_of
from tests.known import Answer, Known

STUDY = get("degeneracy")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return mlp((4, 6, 5, 3)).double()


def inputs_of(n, size=4):
    return np.random.default_rng(1).normal(size=(n, size))


def test_activations_and_derivatives_are_those_of_autograd(model):
    layers, inputs = layers_of(model), inputs_of(7)
    given = counts.activations(layers, inputs)
    x = torch.from_numpy(inputs)
    for place, upto in enumerate((0, 2, 4)):
        assert given[place] == pytest.approx(model[:upto](x).detach().numpy())
    found = counts.backwards(layers, given)
    for place, after in enumerate((2, 4)):
        units = torch.from_numpy(given[place + 1])
        expected = torch.stack([torch.autograd.functional.jacobian(model[after:], unit) for unit in units])
        assert found[place] == pytest.approx(expected.numpy())
    before = torch.stack([torch.autograd.functional.jacobian(model[1:], model[:1](one).detach()) for one in x])
    assert counts.jacobians(layers, given)[0] == pytest.approx(before.numpy())


def test_behaviour_is_the_hessian_of_how_the_outputs_change(model):
    """½ Σ ‖f(θ) − f(θ₀)‖² / n at θ₀, whose whole spectrum `genbook.curvature.spectrum` has."""
    n = 8
    inputs = torch.from_numpy(inputs_of(n))
    there = model(inputs).detach()
    hessian = Hessian(model, lambda outputs, targets: (outputs - targets).square().sum() / (2 * n), inputs, there)
    whole = spectrum(hessian)[0].numpy()
    layers = layers_of(model)
    found = counts.behaviour(layers, counts.activations(layers, inputs.numpy()))[::-1]
    both = min(len(whole), len(found))
    assert found[:both] == pytest.approx(whole[:both], abs=1e-9)
    assert np.abs(whole[both:]).max(initial=0) < 1e-9
    assert np.abs(found[both:]).max(initial=0) < 1e-9


def test_two_units_that_are_copies_make_one_dependent_direction_and_fire_alike(model):
    layers, inputs = layers_of(model), inputs_of(50)
    before = counts.activations(layers, inputs)[1]
    layers[0][1] = 2 * layers[0][0]
    copied = counts.activations(layers, inputs)[1]
    assert counts.rank(before, 1e-9) - counts.rank(copied, 1e-9) == 1
    assert counts.firing_alike(copied, 0) - counts.firing_alike(before, 0) == 1


def test_a_direction_that_no_later_layer_reads_is_a_dependent_gradient():
    torch.manual_seed(1)
    layers, inputs = layers_of(mlp((4, 5, 6, 3)).double()), inputs_of(50)
    full = counts.backwards(layers, counts.activations(layers, inputs))[0].reshape(-1, 5)
    layers[1][:, 1 + 2] = layers[1][:, 1 + 3]  # what units 2 and 3 put out is read as their sum alone
    summed = counts.backwards(layers, counts.activations(layers, inputs))[0].reshape(-1, 5)
    assert counts.rank(full, 1e-9) == 5
    assert counts.rank(summed, 1e-9) == 4
    direction = np.array([0, 0, 1, -1, 0])
    assert summed @ direction == pytest.approx(0)
    # at the last hidden layer no more directions come back than there are outputs
    assert counts.rank(counts.backwards(layers, counts.activations(layers, inputs))[1].reshape(-1, 6), 1e-9) == 3


def test_ranks_are_relative_to_the_largest_eigenvalue():
    rows = np.diag([10.0, 1, 0.1, 0])
    assert [counts.rank(rows, threshold) for threshold in (1e-6, 1e-3, 0.1)] == [3, 2, 1]
    assert counts.rank(1e5 * rows, 1e-3) == 2
    assert counts.rank(0 * rows, 1e-3) == 0


def test_units_that_fire_alike():
    fires = np.array([[1, 1, 0, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 1, 0, 0, 1]], float)
    # the third and fourth never fire; the first two differ on one example of four, the last on two from any
    assert counts.firing_alike(fires, 0) == 1
    assert counts.firing_alike(fires, 0.25) == 2
    assert counts.firing_alike(np.tile(fires[:, :1], 6), 0) == 5


def test_dead_directions_change_nothing(model):
    """Moving the parameters along what the eigenvalues say is free leaves the outputs as they are, at first order."""
    inputs = torch.from_numpy(inputs_of(3))
    flat = nn.utils.parameters_to_vector(model.parameters()).detach()

    def outputs(vector):
        shapes = [p.shape for p in model.parameters()]
        parts = torch.split(vector, [shape.numel() for shape in shapes])
        values = {
            name: part.view(shape)
            for (name, _), part, shape in zip(model.named_parameters(), parts, shapes, strict=True)
        }
        return torch.func.functional_call(model, values, (inputs,)).flatten()

    jacobian = torch.autograd.functional.jacobian(outputs, flat)
    layers = layers_of(model)
    found = counts.behaviour(layers, counts.activations(layers, inputs.numpy()))
    assert found == pytest.approx(torch.linalg.eigvalsh(jacobian @ jacobian.T / 3).numpy(), abs=1e-10)
    assert counts.above(found, 1e-9) == torch.linalg.matrix_rank(jacobian)


def test_networks_on_real_labels_train_on_for_as_long_as_random_ones_need():
    spec = STUDY.build("smoke", {"steps": 2000})
    table = run.run(spec, [0, 1], "cpu")
    fitted = claims.of_network(table, "steps to fit")
    assert (fitted[0.0] < fitted[1.0]).all()
    longer = table[table["when"] == "as long"]
    assert longer["noise"].unique().tolist() == [0.0]
    assert longer["value"].notna().all()
    never = run.run(STUDY.build("smoke", {"steps": 2}), [0], "cpu")
    assert never[never["when"] != "start"]["value"].isna().all()


SPEC = DegeneracySpec.build(noises=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
_OWN = 0.01 * np.arange(3)


def known(activations=0.5, gradients=0.3, alike=0.2, effective=1.5, longer=0.4, order=1, flat=-1):
    """Three seeds, 0.01 apart: degeneracy falls with noise from a value to 0, or rises (``order`` -1).

    ``longer``: on real labels after as many steps. ``flat``: whether sharpness rises with noise (1) or falls (-1).
    """
    rows = []
    for seed, own in enumerate(_OWN):
        for noise in SPEC.noises:
            part = 1 - noise if order == 1 else noise
            kinds = {
                "dependent activations": (activations + own, longer),
                "dependent gradients": (gradients + own, longer),
                "firing alike": (alike + own, longer),
            }
            for layer in ("0", "1"):
                # of gradients the last layer is left out: what stands there must not count
                hidden = {"dependent gradients": 7.0} if layer == "1" else {}
                rows += [
                    (seed, "fitted", noise, layer, kind, hidden.get(kind, value * part))
                    for kind, (value, _) in kinds.items()
                ]
                if noise == 0:
                    rows += [
                        (seed, "as long", noise, layer, kind, hidden.get(kind, value + own))
                        for kind, (_, value) in kinds.items()
                    ]
            told = {
                "effective parameters": 100 * (1 + (effective + own - 1) * noise),
                "test accuracy": 0.9 - 0.8 * noise,
                "sharpness": 2 + flat * noise,
            }
            rows += [(seed, "fitted", noise, "all", *one) for one in told.items()]
    return pd.DataFrame(rows, columns=run.COLUMNS)


def answer(values, **changed):
    return Answer(known(**changed), values, SPEC)


KNOWN = {
    "activations-dependent": Known(answer(0.5 + _OWN), answer(_OWN, activations=0.0)),
    "gradients-dependent": Known(answer(0.3 + _OWN), answer(_OWN, gradients=0.0)),
    "firing-alike": Known(answer(0.2 + _OWN), answer(_OWN, alike=0.0)),
    "fewer-effective-parameters": Known(answer(1.5 + _OWN), answer(1 + _OWN, effective=1.0)),
    "degenerate-though-as-long": Known(answer(0.4 + _OWN), answer(_OWN, longer=0.0)),
    "degeneracy-orders": Known(answer([1.0] * 3), answer([-1.0] * 3, order=-1)),
    "orders-better-than-flatness": Known(answer([2.0] * 3), answer([0.0] * 3, flat=1)),
}


def test_order_of_what_is_missing_is_missing_and_of_what_is_all_the_same_none():
    table = known()
    of_one = (table["seed"] == 1) & (table["noise"] == 0.4) & (table["quantity"] == "test accuracy")
    table.loc[of_one, "value"] = np.nan
    assert claims.tau_degenerate(table, SPEC).tolist() == pytest.approx([1, np.nan, 1], nan_ok=True)
    assert claims.tau_flat(known(flat=0), SPEC).tolist() == [0, 0, 0]


def test_what_the_figure_is_drawn_from():
    rows = networks({"digits": known()})
    assert len(rows) == len(MEASURES) * len(SPEC.noises)
    told = rows.set_index(["measured", "noise"])
    assert told.loc[("dependent directions", 0.0), "value"] == pytest.approx(0.41)
    assert told.loc[("sharpness", 0.4), "value"] == pytest.approx(1.6)
    assert told.loc[("effective parameters", 1.0), "estimate"] == pytest.approx(0.1)


def test_claims_fail_on_shuffled_labels():
    control = STUDY.changed(STUDY.build("full", {"noises": [0.0, 0.5, 1.0]}), STUDY.controls["shuffled labels"])
    table = STUDY.run(control, range(6), "cpu")
    for claim in claims.CLAIMS[:5]:  # the order of three is no measure of chance
        assert judge(claim, table, control).verdict == "fails", claim.id
