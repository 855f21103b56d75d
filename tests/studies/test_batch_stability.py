"""Batch size and stability: the bound on the trace in closed form, the Hessian of one output, the statistics."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import INITIALISATION, generator
from genbook.experiments.run import Drawn
from genbook.models import initialise
from genbook.studies.steps.batch_stability import claims
from genbook.studies.steps.batch_stability.design import BatchStabilitySpec, design
from tests.known import Answer, Known

SMALL = BatchStabilitySpec.build(
    n_train=20,
    hidden=[4],
    learning_rates=[0.01],
    climbing_rates=[0.02],
    steps=10,
    batch_sizes=[1, 20],
    n_tried=4,
    stable_steps=10,
)
BY_ID = {claim.id: claim for claim in claims.CLAIMS}


@pytest.fixture(scope="module")
def table():
    return design(SMALL).run([0, 1], "cpu")


def test_curvature_at_the_start_is_that_of_the_dense_hessian(table):
    replica = Drawn().replica(design(SMALL).conditions[0], 1)
    model = initialise(replica.model.double(), generator(1, INITIALISATION), SMALL.init_scale)
    inputs, labels = replica.data["train"].inputs.double(), replica.data["train"].labels.double()
    assert set(labels.tolist()) == {-1.0, 1.0}
    shapes = [(name, p.shape) for name, p in model.named_parameters()]

    def loss(flat):
        parts = flat.split([shape.numel() for _, shape in shapes])
        values = {name: part.reshape(shape) for (name, shape), part in zip(shapes, parts, strict=True)}
        return (torch.func.functional_call(model, values, (inputs,)).squeeze(1) - labels).square().mean()

    hessian = torch.func.hessian(loss)(torch.cat([p.detach().flatten() for p in model.parameters()]))
    rows = table[(table["seed"] == 1) & (table["run"] == "single") & (table["step"] == 0)]
    found = rows.set_index("quantity")["value"]
    assert found["sharpness"] == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=0.03)
    # twenty draws of Hutchinson's estimator miss the trace by √(2/20)·‖H‖_F on average
    assert found["Hessian trace"] == pytest.approx(float(hessian.trace()), abs=4 * float(hessian.norm()) / 10**0.5)


@pytest.mark.parametrize(("scale", "grows"), [(0.9, False), (1.1, True)])
def test_trace_decides_for_single_examples_of_equal_curvature(scale, grows):
    """With H_i = τ u_i u_iᵀ over an orthonormal basis, the mean square of a displacement grows past tr H = 2/η."""
    dimension, step = 6, 0.3
    curvature = scale * 2 / step  # of every example, and so the mean trace
    factors = []
    for i in range(dimension):
        hessian = torch.zeros(dimension, dimension, dtype=torch.float64)
        hessian[i, i] = curvature
        moved = torch.eye(dimension, dtype=torch.float64) - step * hessian
        factors.append(float(moved.square().sum()) / dimension)
    mean = sum(factors) / dimension
    assert (mean > 1) == grows
    # the whole set at the same step has a largest eigenvalue that is smaller by the number of examples
    assert step * curvature / dimension < 2


SPEC = BatchStabilitySpec.build(
    learning_rates=[0.01, 0.02],
    climbing_rates=[0.03, 0.04],
    steps=10,
    batch_sizes=[1, 2, 4, 100],
    stable_from=0.1,
    stable_to=3.2,
    n_tried=51,
)


def synthetic(single, whole, stable, left=0.001):
    """Ends with these traces in units of 2/step, and batches that are stable up to these steps, on a fine grid.

    The traces are those at the larger learning rate, twice those at the smaller. ``left``: what is left of the loss.
    """
    rows = []
    for seed in (0, 1, 2):
        own = 1 + 0.01 * seed
        for name, trace in (("single", single), ("whole", whole)):
            for rate in (0.01, 0.02):
                for step, loss in ((0, 2.0), (10, 2 * left)):
                    rows.append((seed, name, rate, 1, step, "train loss", loss))
                    rows += [
                        (seed, name, rate, 1, step, quantity, own * trace * (rate / 0.02) * 2 / rate)
                        for quantity in ("Hessian trace", "sharpness")
                    ]
        # at more rates the trace goes on growing in units of the border, and the largest does not come to rest
        for rate, scale, rest in ((0.03, 1.25, 1), (0.04, 1.5, 50)):
            for step, loss in ((0, 2.0), (10, 2 * left * rest)):
                rows.append((seed, "climbing", rate, 1, step, "train loss", loss))
                rows.append((seed, "climbing", rate, 1, step, "Hessian trace", own * single * scale * 2 / rate))
        for batch, last in stable.items():
            for rate in SPEC.tried:
                rows.append((seed, "batches", rate, batch, 0, "train loss", 1.0))
                if rate <= 2 * last:  # what is farther beyond diverged and has no end
                    rows.append((seed, "batches", rate, batch, 10, "train loss", 0.5 if rate <= last * 1.001 else 3.0))
    return pd.DataFrame(rows, columns=["seed", "run", "learning rate", "batch size", "step", "quantity", "value"])


AS_SAID = synthetic(0.5, 1.7, {1: 0.1 * 2**0.5, 2: 0.2 * 2**0.5, 4: 0.4 * 2**0.5, 100: 0.4 * 2**0.5})
CONTRARY = synthetic(1.7, 0.5, {1: 0.2, 2: 0.2, 4: 0.2, 100: 1.6})
AT_BORDER = synthetic(0.8, 1.7, {1: 0.1, 2: 0.2})
KNOWN = {
    "trace-comes-to-border": Known(
        Answer(AT_BORDER, [1, 1.01, 1.02], SPEC), Answer(AS_SAID, [0.625, 0.63125, 0.6375], SPEC)
    ),
    "single-examples-bound-trace": Known(
        Answer(AS_SAID, [0.5, 0.505, 0.51], SPEC), Answer(CONTRARY, [1.7, 1.717, 1.734], SPEC)
    ),
    "whole-set-bounds-sharpness-alone": Known(
        Answer(AS_SAID, [1.7, 1.717, 1.734], SPEC), Answer(CONTRARY, [0.5, 0.505, 0.51], SPEC)
    ),
    "stable-step-grows-with-batch": Known(Answer(AS_SAID, [1, 1, 1], SPEC), Answer(CONTRARY, [0, 0, 0], SPEC)),
    "stable-step-levels-off": Known(
        Answer(AS_SAID, [0, 0, 0], SPEC), Answer(CONTRARY, [3 * np.log(2) / np.log(25)] * 3, SPEC)
    ),
}


def test_the_largest_stable_rate_is_the_last_before_the_first_that_is_not():
    assert claims.largest_stable(AS_SAID).loc[0].tolist() == pytest.approx(
        [rate * 2**0.5 for rate in (0.1, 0.2, 0.4, 0.4)]
    )


def test_the_power_is_known_to_a_rung():
    """51 rates from .1 to 3.2: rungs of log 32 / 50, over log 4 for sizes 1 and 4, over log 25 for 4 and 100."""
    for name, sizes in (("stable-step-grows-with-batch", 4), ("stable-step-levels-off", 25)):
        found = judge(BY_ID[name], AS_SAID, SPEC)
        assert found.high - found.estimate == pytest.approx(np.log(32) / 50 / np.log(sizes))


def test_a_search_without_an_end_is_censored():
    made = synthetic(0.5, 1.7, {1: 0.05, 2: 3.2})
    assert np.isnan(claims.largest_stable(made)).all(axis=None)
    assert judge(BY_ID["stable-step-grows-with-batch"], made, SPEC).verdict == "undecided"


def test_the_bound_is_not_judged_away_from_minima_that_interpolate():
    made = synthetic(0.5, 1.7, {1: 0.1, 2: 0.2}, left=0.02)
    for name in ("single-examples-bound-trace", "whole-set-bounds-sharpness-alone"):
        assert judge(BY_ID[name], made, SPEC).censored == 3
    assert claims.left_of_loss(made, "single", 10).to_numpy() == pytest.approx(0.02)


def test_a_diverged_run_has_no_trace():
    made = synthetic(0.5, 1.7, {1: 0.1, 2: 0.2})
    gone = (made["run"] == "single") & (made["learning rate"] == 0.02) & (made["seed"] == 1) & (made["step"] == 10)
    assert judge(BY_ID["single-examples-bound-trace"], made[~gone], SPEC).verdict == "undecided"


def test_where_every_run_diverged_its_start_is_no_end():
    made = synthetic(0.5, 1.7, {1: 0.1, 2: 0.2})
    gone = made["run"].isin(["single", "whole"]) & (made["step"] == 10)
    for name in ("single-examples-bound-trace", "whole-set-bounds-sharpness-alone"):
        values = BY_ID[name].statistic(made[~gone], SPEC)
        assert len(values) == made["seed"].nunique()
        assert values.isna().all()


def test_steps_on_single_examples_in_its_control():
    """Trained on the whole set instead, both kinds of run are the same."""
    spec = BatchStabilitySpec.build(**{**SMALL.model_dump(), "single_batch": 10**6})
    made = design(spec).run([0], "cpu")
    ends = made[(made["quantity"] == "Hessian trace") & (made["step"] == 10)]
    traces = [ends[ends["run"] == name]["value"].to_numpy() for name in ("single", "whole")]
    assert traces[0] == pytest.approx(traces[1], rel=1e-4)


@pytest.mark.parametrize("name", ["stable-step-grows-with-batch", "stable-step-levels-off"])
def test_one_batch_size_has_no_power(name):
    rows = {"run": "batches", "batch size": 20, "learning rate": 0.2, "quantity": "train loss", "step": [0, 10]}
    table = pd.concat([pd.DataFrame({**rows, "seed": seed, "value": [1.0, 0.5]}) for seed in (0, 1)])
    claim = next(claim for claim in claims.CLAIMS if claim.id == name)
    found = judge(claim, table, BatchStabilitySpec())
    assert (found.verdict, found.n, found.censored) == ("undecided", 0, 2)
