"""The curvature of batches at the edge: the probe on a training against brute force, the statistics."""

import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import INITIALISATION, generator
from genbook.experiments.run import Drawn
from genbook.models import initialise
from genbook.studies import get
from genbook.studies.steps.stochastic_edge import claims
from genbook.studies.steps.stochastic_edge.design import StochasticEdgeSpec, design
from tests.known import Answer, Known

STUDY = get("stochastic_edge")
SMALL = StochasticEdgeSpec.build(n_train=20, hidden=[3], steps=20, n_measurements=5, batch_sizes=[1, 8])


@pytest.fixture(scope="module")
def table():
    return design(SMALL).run([0, 1], "cpu")


@pytest.mark.parametrize(("place", "size"), [(0, 1), (1, 8), (2, 20)])
def test_batch_sharpness_at_the_start_is_that_of_dense_hessians(table, place, size):
    replica = Drawn().replica(design(SMALL).conditions[place], 1)
    model = initialise(replica.model.double(), generator(1, INITIALISATION), SMALL.init_scale)
    inputs, labels = replica.data["train"].inputs.double(), replica.data["train"].labels
    targets = torch.nn.functional.one_hot(labels, 10).double()
    shapes = [(name, p.shape) for name, p in model.named_parameters()]
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])

    def loss(flat, batch):
        parts = flat.split([shape.numel() for _, shape in shapes])
        values = {name: part.reshape(shape) for (name, shape), part in zip(shapes, parts, strict=True)}
        return (torch.func.functional_call(model, values, (inputs[batch],)) - targets[batch]).square().mean()

    order = torch.from_numpy(generator(1, "batch sharpness").permutation(20))
    curved = []
    for batch in order[: 20 // size * size].reshape(-1, size):
        gradient = torch.func.grad(loss)(flat, batch)
        curved.append(gradient @ torch.func.hessian(loss)(flat, batch) @ gradient / (gradient @ gradient))
    rows = table[(table["seed"] == 1) & (table["batch size"] == size) & (table["step"] == 0)]
    found = rows.set_index("quantity")["value"]["batch sharpness"]
    assert found == pytest.approx(float(torch.stack(curved).mean()), rel=1e-4)


def test_the_whole_set_is_there_once():
    assert [c.columns["batch size"] for c in design(SMALL).conditions] == [1, 8, 20]
    whole = StochasticEdgeSpec.build(n_train=20, batch_sizes=[10**6])
    assert [c.columns["batch size"] for c in design(whole).conditions] == [20]


SPEC = StochasticEdgeSpec.build(learning_rate=0.5, steps=100, batch_sizes=[5])


def synthetic(batches, loss):
    """Curvatures in units of 2 / learning rate (4 here) that are twice as large before the late part."""
    rows = []
    for seed in (0, 1, 2):
        for size, scale in ((5, 1), (100, 3)):
            for step, times in ((0, 2), (50, 2), (70, 0.9), (100, 1.1)):
                for quantity, value in (("batch sharpness", batches), ("sharpness", loss)):
                    grown = 1 + 0.01 * seed * (quantity == "batch sharpness")
                    rows.append((seed, size, 0.5, step, quantity, 4 * value * times * scale * grown))
    return pd.DataFrame(rows, columns=["seed", "batch size", "learning rate", "step", "quantity", "value"])


def spread(table):
    """The same with sharpnesses that differ between seeds: without any spread nothing is judged."""
    own = table["seed"].map({0: 0.99, 1: 1.0, 2: 1.01})
    return table.assign(value=table["value"].where(table["quantity"] != "sharpness", table["value"] * own))


AS_SAID, CONTRARY = spread(synthetic(1.0, 0.5)), spread(synthetic(0.5, 1.0))
KNOWN = {
    "batch-sharpness-at-edge": Known(
        Answer(AS_SAID, [1, 1.01, 1.02], SPEC), Answer(CONTRARY, [0.5, 0.505, 0.51], SPEC)
    ),
    "sharpness-held-below": Known(Answer(AS_SAID, [0.495, 0.5, 0.505], SPEC), Answer(CONTRARY, [0.99, 1, 1.01], SPEC)),
    "batches-curve-more": Known(
        Answer(AS_SAID, [1 / 0.495, 1.01 / 0.5, 1.02 / 0.505], SPEC),
        Answer(CONTRARY, [0.5 / 0.99, 0.505, 0.51 / 1.01], SPEC),
    ),
}


def test_a_diverged_run_is_censored():
    gone = (AS_SAID["seed"] == 1) & (AS_SAID["batch size"] == 5) & (AS_SAID["step"] > 50)
    for claim in claims.CLAIMS:
        assert judge(claim, AS_SAID[~gone], SPEC).censored == 1
