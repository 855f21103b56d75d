"""Sharpness along training: against the dense Hessian, at the edge of a quadratic valley, and as the claims read it."""

import pandas as pd
import pytest
import torch

from genbook import data
from genbook.base.claims import judge
from genbook.base.seeding import INITIALISATION, generator
from genbook.models import initialise
from genbook.studies import get
from genbook.studies.steps.edge_of_stability import claims
from genbook.studies.steps.edge_of_stability.run import replicas_of, run
from genbook.studies.steps.edge_of_stability.spec import EdgeOfStabilitySpec

STUDY = get("edge_of_stability")
SMALL = EdgeOfStabilitySpec.build(edge_examples=20, edge_hidden=4, edge_steps=20, edge_probes=5, edge_batches=[5])


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def dense_hessian(replica):
    """By torch.func in float64 at the initial weights."""
    model = initialise(replica.model.double(), generator(replica.seed, INITIALISATION), replica.recipe.init_scale)
    inputs, labels = replica.data["train"].inputs.double(), replica.data["train"].labels
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def loss(flat):
        parts = flat.split([shape.numel() for shape in shapes.values()])
        values = {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        outputs = torch.func.functional_call(model, values, (inputs,))
        if replica.recipe.loss == "cross-entropy":
            return torch.nn.functional.cross_entropy(outputs, labels)
        return (outputs - torch.nn.functional.one_hot(labels, outputs.shape[1])).square().mean()

    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    return torch.func.hessian(loss)(start)


@pytest.mark.parametrize("name", ["full batch", "ReLU", "other loss"])
def test_initial_sharpness_is_that_of_the_dense_hessian(table, name):
    replica = next(r for r in replicas_of(SMALL, data.load("digits"), 1) if r.condition["run"] == name)
    expected = float(torch.linalg.eigvalsh(dense_hessian(replica))[-1])
    rows = table[(table["seed"] == 1) & (table["run"] == name) & (table["quantity"] == "sharpness")]
    assert rows[rows["step"] == 0]["value"].iloc[0] == pytest.approx(expected, rel=0.03)


def synthetic(late):
    rows = [
        (seed, "full batch", "tanh", "squared", rate, 0, step, "sharpness", 2 / rate * (0.5 if step == 0 else late))
        for seed in (0, 1, 2)
        for rate in (0.5, 1.0)
        for step in (0, 5, 10)
    ]
    return pd.DataFrame(rows, columns=list(STUDY.columns))


def test_edge_and_sharpening_on_a_synthetic_table():
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    spec = EdgeOfStabilitySpec.build(edge_rates=[0.5, 1.0])
    assert by_id["edge"].statistic(synthetic(1.02), spec).tolist() == pytest.approx([0.02] * 3)
    assert by_id["progressive-sharpening"].statistic(synthetic(1.0), spec).tolist() == pytest.approx([2.0] * 3)
    assert judge(by_id["edge"], synthetic(0.4), spec).verdict == "fails"


def test_a_whole_batch_is_full_batch_descent():
    spec = EdgeOfStabilitySpec.build(**{**SMALL.model_dump(), "edge_batches": (10**6,)})
    table = run(spec, [0, 1], "cpu")
    batch = next(claim for claim in claims.CLAIMS if claim.id == "batch-moves-edge")
    assert batch.statistic(table, spec).to_numpy() == pytest.approx(1, rel=0.05)
