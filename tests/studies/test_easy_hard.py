import numpy as np
import pandas as pd
import pytest
import torch

from genbook import studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.easy_hard import claims
from genbook.studies.noise.easy_hard.run import COLUMNS, _agreement, _halves, run

STUDY = studies.get("easy_hard")
SPEC = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SPEC, [0, 1], "cpu")


def test_every_image_is_counted_once(table):
    fractions = claims.counts(table, SPEC.initialisations)
    np.testing.assert_allclose(fractions.sum(axis=1), 1, atol=1e-6)
    mean = (fractions * np.arange(SPEC.initialisations + 1)).sum(axis=1) / SPEC.initialisations
    np.testing.assert_allclose(mean, claims.told(table, "early accuracy"), atol=1e-6)


def test_halves_are_split_by_score_and_cover_the_pool():
    score = torch.rand(SPEC.n_train, generator=torch.Generator().manual_seed(0))
    parts = _halves(SPEC, 7, score)
    assert score[parts["easy"]].max() < score[parts["hard"]].min()
    assert sorted(np.concatenate([parts["easy"], parts["hard"]])) == list(range(SPEC.n_train))
    assert len(set(parts["mixed"])) == SPEC.n_train // 2


def test_juries_that_rank_in_reverse_disagree():
    errors = torch.stack([torch.arange(6.0), torch.arange(6.0), -torch.arange(6.0), -torch.arange(6.0)])
    rows = _agreement(0, errors, errors > 2)
    found = {quantity: value for *_, quantity, _, value in rows}
    assert found["agreement of two juries"] == pytest.approx(-1)
    assert found["right in 0"] == pytest.approx(0.5)
    assert found["right in 2"] == pytest.approx(0.5)
    assert found["early accuracy"] == pytest.approx(0.25)


def test_coherence_is_compared_only_while_all_images_are_learned():
    steps = [0, 1, 2, 3]
    curves = {
        ("train loss", "all"): [2.0, 1.9, 1.0, 0.1],
        ("train accuracy", "all"): [0.1, 0.2, 0.5, 0.95],
        ("m-coherence", "easy"): [50, 30, 8, 1],
        ("m-coherence", "hard"): [1, 1, 2, 5],
    }
    table = pd.DataFrame(
        [
            {"seed": 0, "trained on": "all", "step": step, "quantity": quantity, "group": group, "value": value}
            for (quantity, group), values in curves.items()
            for step, value in zip(steps, values, strict=True)
        ]
    )
    assert claims.coherence_ratio(table)[0] == pytest.approx(4)


def test_halves_are_compared_by_what_is_left_of_their_accuracy_elsewhere():
    accuracy = {"train": (1.0, 0.9), "own kind": (0.95, 0.6), "test": (0.7, 0.8)}
    table = pd.DataFrame(
        [
            {"seed": 0, "trained on": half, "step": 9, "quantity": f"{on} accuracy", "group": "all", "value": value}
            for on, values in accuracy.items()
            for half, value in zip(("easy", "hard"), values, strict=True)
        ]
    )
    found = {claim.id: claim.statistic for claim in STUDY.claims}
    assert found["easy-generalize"](table, SPEC)[0] == pytest.approx(0.3 - 0.05)
    assert found["easy-suffice"](table, SPEC)[0] == pytest.approx(-0.1)


def test_what_diverged_on_a_half_is_missing():
    rows = [(0, half, 9, "test accuracy", "all", 0.5) for half in ("easy", "mixed")]
    table = pd.DataFrame(rows, columns=COLUMNS)
    assert claims.values(table, "test accuracy").loc[0].isna().to_dict() == {
        "easy": False,
        "hard": True,
        "mixed": False,
        "all": True,
    }
    (statistic,) = (claim.statistic for claim in STUDY.claims if claim.id == "easy-suffice")
    assert statistic(table, SPEC).isna().all()


@pytest.mark.parametrize("control", ["shuffled labels", "random halves"])
def test_claims_fail_in_their_controls(control):
    spec = STUDY.changed(STUDY.build("quick", {}), STUDY.controls[control])
    table = run(spec, range(5), "cpu")
    for claim in (claim for claim in STUDY.claims if claim.control == control):
        judgement = judge(claim, table, spec)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


@pytest.mark.parametrize("wrong", [{"n_train": 1201}, {"initialisations": 7}, {"n_train": 160}])
def test_a_spec_that_cannot_be_halved_is_refused(wrong):
    with pytest.raises(ParameterError, match=r"multiple of four|at most the smallest"):
        STUDY.build("quick", wrong)
