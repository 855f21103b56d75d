"""Chapter 01: L and M against paper and pencil, products against their conserved quantity, statistics, controls."""

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import judge
from genbook.studies import get
from genbook.studies.coherence.two_data_sets import claims, theory
from genbook.studies.coherence.two_data_sets.run import inputs_of, m_coherence, run

STUDY = get("two_data_sets")


@pytest.fixture(scope="module")
def settings():
    spec = STUDY.build("quick", {"dimension": 100})
    specs = {"discovery": spec, **{name: STUDY.changed(spec, changes) for name, changes in STUDY.controls.items()}}
    return {name: (run(one, range(3), "cpu"), one) for name, one in specs.items()}


def test_l_ends_at_the_least_norm_solution():
    inputs, labels = inputs_of("L"), np.array([1.0, -1.0, -1.0, 1.0])
    solution = np.linalg.pinv(inputs) @ labels
    np.testing.assert_allclose(solution, [0.2, 0.2, 0.2, 0.2, 0, 0.8], atol=1e-12)
    np.testing.assert_allclose(theory.shared_part(4, 1.0), solution[5])
    np.testing.assert_allclose(theory.own_weight(1, 0.1), solution[0])


@pytest.mark.parametrize(("data", "strength"), [("L", 1.0), ("M", 0.0)])
def test_descent_follows_the_closed_form_step_by_step(settings, data, strength):
    table, spec = settings["discovery"]
    for quantity in ("train output", "test output", "m-coherence"):
        found = claims.mean_course(table, data, quantity)
        expected = theory.expected(quantity, found.index, 4, strength, spec.learning_rate)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert claims.ends(table, data)[quantity] == pytest.approx(expected[-1])


@pytest.mark.parametrize(("m", "s"), [(4, 1.0), (4, 0.0), (7, 0.3), (20, 2.0)])
def test_coherence_of_written_out_gradients(m, s):
    gradients = np.hstack([np.eye(m), np.full((m, 1), s)])
    np.testing.assert_allclose(m_coherence(gradients), theory.coherence(m, s))
    assert np.isnan(m_coherence(0 * gradients))
    fraction = theory.shared_part(m, s)
    np.testing.assert_allclose(fraction, 1 - 1 / ((1 + s**2) * theory.coherence(m, s)), atol=1e-12)


def test_half_is_reached_at_the_strength_for_half():
    assert theory.shared_part(20, theory.half_strength(20)) == pytest.approx(0.5)


@pytest.mark.parametrize(("depth", "init", "m", "s"), [(2, 0.1, 4, 1.0), (3, 0.2, 4, 1.0), (4, 0.3, 5, 0.6)])
def test_products_follow_gradient_flow(depth, init, m, s):
    own = shared = init
    for _ in range(60_000):  # small steps on the two factors that symmetry leaves
        residual = 1 - own**depth - s * shared**depth
        grow_own, grow_shared = residual / m * own ** (depth - 1), residual * s * shared ** (depth - 1)
        own, shared = own + 0.005 * grow_own, shared + 0.005 * grow_shared
    assert own**depth + s * shared**depth == pytest.approx(1, abs=1e-6)
    assert theory.own_weight(depth, init, m, s) == pytest.approx(own**depth, rel=0.02)
    powers = np.array([own, shared]) ** (2 * depth - 2)
    expected = (powers[0] + m * s**2 * powers[1]) / (powers[0] + s**2 * powers[1])
    assert theory.product_coherence(depth, init, m, s) == pytest.approx(expected, rel=0.01)


def test_closed_forms_on_l_are_missing_where_a_start_is_beyond_the_output():
    assert theory.on_l(theory.own_weight, 2, [0.1, 0.8]).tolist() == [
        theory.own_weight(2, 0.1),
        pytest.approx(np.nan, nan_ok=True),
    ]
    found = theory.on_l(theory.product_coherence, 2, 0.5, [0.4, 0.6])
    assert np.isnan(found[0])
    assert found[1] == theory.product_coherence(2, 0.5, output=0.6)
    assert theory.on_l(theory.own_weight, 1, [0.1, 0.8]).tolist() == [0.2, 0.2]


def test_a_start_beyond_the_solution_is_refused():
    with pytest.raises(ValueError, match="want less than output"):
        theory.own_weight(2, 0.8)


def test_statistics_of_a_table_with_known_answers():
    rows = [
        {"seed": 0, "data": "family", "strength": s, "quantity": q, "value": v}
        for s, c, loss in ((0.0, 1.0, 0.5), (0.2, 2.0, 0.1), (0.4, 3.0, 0.2))
        for q, v in (("m-coherence", c), ("test loss", loss), ("test output", float(theory.shared_part(20, s)) + 0.25))
    ]
    table, spec = pd.DataFrame(rows), STUDY.build("quick", {"strengths": [0.0, 0.2, 0.4]})
    by_id = {claim.id: claim for claim in STUDY.claims}
    assert by_id["family-order"].statistic(table, spec)[0] == pytest.approx(1 / 3)
    assert by_id["family-closed-form"].statistic(table, spec)[0] == pytest.approx(0.25)


def test_products_with_known_own_weights_and_coherence():
    """Own weights 2 · start^1.5 against 0.5; m-coherence rises from 1 to 4 as the output goes from 0 to 1, or is 2."""
    places = [(1, 0.0, 0.5), *((depth, scale, 2 * scale**1.5) for depth in (2, 3) for scale in (0.4, 0.1))]
    rows = [
        {"seed": 0, "data": "L", "depth": depth, "init scale": scale, "step": step, "quantity": q, "value": v}
        for depth, scale, own in places
        for step, output in ((0, 0.0), (1, 1.0))
        for q, v in (
            ("own weight", own * output),
            ("train output", output),
            ("m-coherence", 2.0 if depth == 1 else 1 + 3 * output),
        )
    ]
    table, spec = pd.DataFrame(rows), STUDY.build("quick", {"init_scales": [0.4, 0.1]})
    by_id = {claim.id: claim for claim in STUDY.claims}
    assert by_id["depth-starves"].statistic(table, spec)[0] == pytest.approx(2 * 0.1**1.5 / 0.5)
    assert by_id["smaller-starves-more"].statistic(table, spec)[0] == pytest.approx(1.5)
    assert by_id["depth-makes-coherence"].statistic(table, spec)[0] == pytest.approx(2.5 / 2)


@pytest.mark.parametrize("claim", STUDY.claims, ids=lambda claim: claim.id)
def test_claims_fail_in_their_controls_and_differ_from_discovery(settings, claim):
    discovery, control = judge(claim, *settings["discovery"]), judge(claim, *settings[claim.control])
    assert control.verdict == "fails"
    assert np.isfinite([control.estimate, control.low, control.high]).all()
    assert abs(discovery.estimate - control.estimate) > 1e-3


def test_products_that_start_past_half_leave_the_claim_undecided():
    spec = STUDY.build("quick", {"init_scales": [0.9, 0.85], "depths": [2], "dimension": 20})
    claim = next(claim for claim in STUDY.claims if claim.id == "depth-makes-coherence")
    assert judge(claim, run(spec, range(2), "cpu"), spec).verdict == "undecided"
