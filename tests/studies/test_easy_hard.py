import numpy as np
import pandas as pd
import pytest
import torch

from genbook import studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.easy_hard import claims
from genbook.studies.noise.easy_hard.run import COLUMNS, _agreement, _halves, _read, run
from genbook.training import Examples
from tests.known import Answer, Known

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


def test_a_reader_of_the_others_finds_a_wrong_label_hard():
    """Two far clusters, one example of each with the other's label: it alone is not read as labelled."""
    inputs = torch.cat([torch.randn(50, 3) - 5, torch.randn(50, 3) + 5])
    labels = torch.arange(100) // 50
    labels[[0, 99]] = labels[[99, 0]]
    found = _read(Examples(inputs, labels), 3)
    assert (found[[0, 99]] < 0.1).all()
    assert (found[1:99] > 0.8).all()


QUICK = STUDY.build("quick", {})


def answer(values, **changed):
    """Seed 1 has a thousandth more of the first value of what is changed, by ``(quantity, group or half)``."""
    curves = {
        "juries": ("agreement of two juries", "all", "all", [0.9]),
        "loss": ("train loss", "all", "all", [2.0, 1.9, 1.0, 0.1]),
        "fitted": ("train accuracy", "all", "all", [0.1, 0.2, 0.5, 0.95]),
        "easy": ("m-coherence", "all", "easy", [50, 30, 8, 1]),
        "hard": ("m-coherence", "all", "hard", [1, 1, 2, 5]),
        "train_easy": ("train accuracy", "easy", "all", [1.0]),
        "train_hard": ("train accuracy", "hard", "all", [0.9]),
        "own_easy": ("own kind accuracy", "easy", "all", [0.95]),
        "own_hard": ("own kind accuracy", "hard", "all", [0.6]),
        "test_easy": ("test accuracy", "easy", "all", [0.8]),
        "test_hard": ("test accuracy", "hard", "all", [0.7]),
    }
    rows = [
        (seed, trained_on, step, quantity, group, value * (1 + 0.001 * seed * (name in changed)))
        for seed in (0, 1)
        for name, (quantity, trained_on, group, usual) in curves.items()
        for step, value in enumerate(changed.get(name, usual))
    ]
    return Answer(pd.DataFrame(rows, columns=COLUMNS), values, QUICK)


KNOWN = {
    "same-are-easy": Known(answer([0.9, 0.9009], juries=[0.9]), answer([0.3, 0.3003], juries=[0.3])),
    # of the steps 0 to 3 the loss has not fallen by a tenth at 1, and at 3 the images are fitted
    "easy-agree-more": Known(answer([4, 4.004], easy=[50, 30, 8, 1]), answer([1, 1.001], easy=[50, 30, 2, 9])),
    # (0.9 - 0.6) - (1 - 0.95)
    "easy-generalize": Known(answer([0.25, 0.2494], own_hard=[0.6]), answer([-0.05, -0.0509], own_hard=[0.9])),
    "easy-suffice": Known(answer([0.1, 0.1008], test_easy=[0.8]), answer([-0.1, -0.0994], test_easy=[0.6])),
}


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
