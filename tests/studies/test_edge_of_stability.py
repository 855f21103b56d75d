"""Sharpness along training: against the dense Hessian, at the edge of a quadratic valley, and as the claims read it."""

import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import INITIALISATION, generator
from genbook.experiments.run import Drawn
from genbook.models import initialise
from genbook.studies.steps.edge_of_stability import claims
from genbook.studies.steps.edge_of_stability.design import EdgeOfStabilitySpec, design
from genbook.studies.steps.edge_of_stability.study import STUDY

SMALL = EdgeOfStabilitySpec.build(n_train=20, hidden=[4], steps=20, n_measurements=5, batch_sizes=[5])


@pytest.fixture(scope="module")
def table():
    return design(SMALL).run([0, 1], "cpu")


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
    replica = Drawn().replica(next(c for c in design(SMALL).conditions if c.columns["run"] == name), 1)
    expected = float(torch.linalg.eigvalsh(dense_hessian(replica))[-1])
    rows = table[(table["seed"] == 1) & (table["run"] == name) & (table["quantity"] == "sharpness")]
    assert rows[rows["step"] == 0]["value"].iloc[0] == pytest.approx(expected, rel=0.03)


def synthetic(late):
    rows = [
        (seed, "full batch", rate, 100, step, "sharpness", 2 / rate * (0.5 if step == 0 else late))
        for seed in (0, 1, 2)
        for rate in (0.5, 1.0)
        for step in (0, 10, 20)
    ]
    return pd.DataFrame(rows, columns=["seed", "run", "learning rate", "batch size", "step", "quantity", "value"])


def test_edge_and_sharpening_on_a_synthetic_table():
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    spec = EdgeOfStabilitySpec.build(learning_rates=[0.5, 1.0], steps=20)
    assert by_id["edge"].statistic(synthetic(1.02), spec).tolist() == pytest.approx([0.02] * 3)
    assert by_id["progressive-sharpening"].statistic(synthetic(1.0), spec).tolist() == pytest.approx([2.0] * 3)
    assert judge(by_id["edge"], synthetic(0.4), spec).verdict == "fails"


def test_what_diverged_has_no_late_sharpness_and_no_trace():
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    spec = EdgeOfStabilitySpec.build(learning_rates=[0.5, 1.0], steps=20)
    whole = synthetic(1.0)
    larger = whole[(whole["learning rate"] == 0.5) | (whole["step"] < 20)]
    assert by_id["edge"].statistic(larger, spec).isna().all()
    assert by_id["progressive-sharpening"].statistic(larger, spec).tolist() == pytest.approx([2.0] * 3)
    every = whole[whole["step"] < 20]
    assert by_id["progressive-sharpening"].statistic(every, spec).isna().all()
    both = pd.concat([every, every.assign(run="mini-batch", **{"batch size": 5})])
    assert by_id["batch-lowers-trace"].statistic(both, spec).isna().all()
    assert len(by_id["batch-lowers-trace"].statistic(both, spec)) == 3


def test_a_whole_batch_is_full_batch_descent():
    spec = EdgeOfStabilitySpec.build(**{**SMALL.model_dump(), "batch_sizes": (10**6,)})
    table = design(spec).run([0, 1], "cpu")
    batch = next(claim for claim in claims.CLAIMS if claim.id == "batch-moves-edge")
    assert batch.statistic(table, spec).to_numpy() == pytest.approx(1, rel=0.05)


def test_trace_of_the_smallest_batches_over_the_whole_sets_at_the_smallest_rate():
    columns = ["seed", "run", "learning rate", "batch size", "step", "quantity", "value"]
    ends = [("full batch", 0.5, 100, 8.0), ("full batch", 1.0, 100, 5.0)]
    ends += [("mini-batch", 0.5, 5, 2.0), ("mini-batch", 0.5, 25, 6.0)]
    rows = [(seed, *end[:3], 10, "Hessian trace", end[3]) for seed in (0, 1) for end in ends]
    spec = EdgeOfStabilitySpec.build(learning_rates=[0.5, 1.0])
    assert claims.trace(pd.DataFrame(rows, columns=columns), spec).tolist() == [0.25, 0.25]


def test_the_other_losss_sharpness_over_its_highest():
    columns = ["seed", "run", "learning rate", "step", "quantity", "value"]
    values = ((0, 1.0), (8, 8.0), (14, 3.0), (20, 1.0))
    rows = [(seed, "other loss", 0.5, step, "sharpness", value) for seed in (0, 1) for step, value in values]
    assert claims.fall(pd.DataFrame(rows, columns=columns), EdgeOfStabilitySpec(steps=20)).tolist() == [0.25, 0.25]


def test_the_replication_stands_where_discovery_does_against_the_edge_at_the_start():
    """Learning rate times initial sharpness, on the replication's images within a half of what it is on discovery's."""
    main = STUDY.build("quick", {})
    other = STUDY.changed(main, STUDY.replication(main))
    assert (main.dataset, other.dataset) == ("digits", "fashion-small")
    places = []
    for spec in (main, other):
        first = spec.model_copy(update={"steps": 20, "batch_sizes": (50,), "learning_rates": spec.learning_rates[:2]})
        sharpness = (
            design(first).run([50], "cpu").query("quantity == 'sharpness' and step == 0 and run == 'full batch'")
        )
        places.append(sharpness["value"].mean() * spec.learning_rates[0])
    assert places[1] == pytest.approx(places[0], rel=0.5)
    back = STUDY.changed(other, STUDY.replication(other))
    assert (back.dataset, back.learning_rates) == ("digits", other.learning_rates)
