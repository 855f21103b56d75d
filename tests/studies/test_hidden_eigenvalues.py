"""The hidden layer's least eigenvalue: the spectrum against closed forms, descent against its modes, the statistics."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from genbook import data, studies
from genbook.base.recipes import SGD
from genbook.models import mlp
from genbook.studies.descent.hidden_eigenvalues.run import COLUMNS, TRAINED, _replicas, hidden, run, spectrum
from genbook.training import train
from tests.known import Answer, Known

STUDY = studies.get("hidden_eigenvalues")
SPEC = STUDY.build("smoke", {})


def test_the_spectrum_of_a_known_matrix():
    left, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 3)))
    right, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 3)))
    found = spectrum(torch.from_numpy(left @ np.diag([5.0, 2.0, 1e-3]) @ right.T))
    assert found["rank"] == 3
    assert found["largest eigenvalue"] == pytest.approx(25 / 6, rel=1e-12)
    assert found["least eigenvalue"] == pytest.approx(1e-6 / 6, rel=1e-9)


@pytest.mark.parametrize(("rows", "units"), [(30, 12), (12, 30)])
def test_units_that_are_dead_and_rows_that_stand_twice_add_no_eigenvalue(rows, units):
    activations = torch.randn(rows, units, generator=torch.Generator().manual_seed(2), dtype=torch.float64).relu()
    alone = spectrum(activations)
    assert alone["rank"] == min(rows, units)
    dead = spectrum(torch.cat([activations, torch.zeros(rows, 5, dtype=torch.float64)], dim=1))
    assert dead == pytest.approx(alone, rel=1e-9)
    # Twice as many rows and twice the sums: the means are as they were.
    assert spectrum(activations.repeat(2, 1)) == pytest.approx(alone, rel=1e-9)


def test_activations_are_those_of_the_network():
    model, inputs = mlp((7, 5, 3)), torch.randn(4, 7, generator=torch.Generator().manual_seed(3))
    assert hidden(model.state_dict(), inputs).float().numpy() == pytest.approx(
        model[:2](inputs).detach().numpy(), abs=1e-6
    )


def test_the_last_layer_alone_descends_along_the_modes_of_the_activations():
    """The training loss of the table, from its definition: heavy-ball steps on the squared loss in float64."""
    spec = SPEC.model_copy(update={"momentum": 0.0, "steps": (4, 9), "noise": 0.0})
    table = run(spec, [5], "cpu")
    split = data.split(data.load(spec.dataset), 5, spec.n_train, flat=True)
    told = table[(table["trained"] == "last layer") & (table["quantity"] == "largest eigenvalue")]
    assert told.groupby("width")["value"].nunique().eq(1).all()  # the first layer stays as it was drawn
    whole = table[(table["trained"] == "whole") & (table["quantity"] == "largest eigenvalue")]
    assert whole.groupby("width")["value"].nunique().eq(2).all()

    replicas = [replica for replica in _replicas(spec, 5) if replica.condition["trained"] == "last layer"]
    begun = train([_stopped(replica) for replica in replicas], [], "cpu").states
    targets = torch.eye(10, dtype=torch.float64)[split.train.labels]
    for replica, state in zip(replicas, begun, strict=True):
        weights = [state["2.weight"].double().clone(), state["2.bias"].double().clone()]
        activations = hidden(state, split.train.inputs)
        for _ in range(9):
            errors = activations @ weights[0].T + weights[1] - targets
            gradient = 2 * errors / errors.numel()
            weights[0] -= spec.learning_rate * gradient.T @ activations
            weights[1] -= spec.learning_rate * gradient.sum(0)
        errors = activations @ weights[0].T + weights[1] - targets
        wanted = float(errors.square().sum(1).mean())
        found = table[
            (table["trained"] == "last layer")
            & (table["quantity"] == "train loss")
            & (table["step"] == 9)
            & (table["width"] == replica.condition["width"])
        ]["value"].item()
        assert found == pytest.approx(wanted, rel=1e-5)


def _stopped(replica):

    return replace(replica, recipe=replace(replica.recipe, steps=1, optimiser=SGD(0.0)))


def test_copies_of_an_image_stand_in_the_training_set_as_one():
    spec = SPEC.model_copy(update={"copies": 2, "steps": (1, 2)})
    table = run(spec, [1], "cpu")
    ranks = table[(table["quantity"] == "rank") & (table["width"] == 4.0)]["value"]
    assert set(ranks) == {spec.n_train / 2}


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"0\.125, 0\.25, 1 and 4"):
        STUDY.build("smoke", {"widths": [0.25, 0.5, 1.0, 4.0]})
    with pytest.raises(ValueError, match="divisor"):
        STUDY.build("smoke", {"copies": 3})


WIDTHS = (0.125, 0.25, 1.0, 4.0)


def known_table(
    eigenvalues=(3.0, 2.0, 0.01, 1.0), whole=(1.5, 1.0, 2.0, 0.5), last=((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 3.0, 2.0))
):
    """Two seeds; the second's test losses and eigenvalue with as many units as examples are 1.01 times the first's."""
    rows = []
    for seed in (0, 1):
        for place, width in enumerate(WIDTHS):
            off = 1.01**seed if width == 1.0 else 1.0
            for number, step in enumerate(SPEC.steps):
                # Earlier eigenvalues and losses of whole networks are told wrong: only the last ones count.
                late = step == SPEC.steps[-1]
                rows.append((seed, "whole", width, step, "least eigenvalue", eigenvalues[place] * off if late else 1.0))
                rows.append((seed, "whole", width, step, "test loss", whole[place] * off if late else 9.0 - place))
                rows.append((seed, "last layer", width, step, "test loss", last[number][place] * (off if late else 1)))
                rows.append((seed, "last layer", width, step, "least eigenvalue", 7.0))
    return pd.DataFrame(rows, columns=COLUMNS)


def answer(values, **told):
    return Answer(known_table(**told), values, SPEC)


FLAT = ((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 0.5, 2.0))
KNOWN = {
    "eigenvalue-dips-at-n": Known(
        holds=answer([0.01, 0.0101]), fails=answer([2.0, 2.02], eigenvalues=(0.001, 1.0, 2.0, 4.0))
    ),
    "peak-over-fixed-layer": Known(holds=answer([1.5, 1.515]), fails=answer([0.25, 0.2525], last=FLAT)),
    "peak-grows-over-fixed-layer": Known(holds=answer([1.5, 1.515]), fails=answer([0.25, 0.2525], last=FLAT)),
    "peak-trained-whole": Known(holds=answer([2.0, 2.02]), fails=answer([0.5, 0.505], whole=(3.0, 2.0, 1.0, 0.5))),
    "whole-is-past-its-peak": Known(
        holds=answer([0.5, 0.505], whole=(2.0, 1.5, 1.0, 0.5)), fails=answer([2.0, 2.02], whole=(1.0, 1.0, 2.0, 1.0))
    ),
}


def test_the_networks_are_named_as_the_claims_ask_for_them():
    assert TRAINED == ("whole", "last layer")
