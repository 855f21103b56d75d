import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.long_tail import claims, theory
from genbook.studies.noise.long_tail.mixtures import draw
from genbook.studies.noise.long_tail.run import neighbours, run
from tests.known import Answer, Known

STUDY = studies.get("long_tail")
SPEC = STUDY.build("smoke", {})
#: What plain descent needs to learn the clusters, in a second.
SMALL = {"clusters": 300, "steps": 250, "n_measurements": 15, "learners": ["plain"]}


@pytest.fixture(scope="module")
def table():
    return run(SPEC, [0, 1], "cpu")


def test_clusters_are_told_apart_by_how_often_they_were_seen(table):
    assert set(table["seen"]) <= {"all", *theory.SEEN}


def test_masses_and_shares_of_the_training_set_are_distributions(table):
    np.testing.assert_allclose(claims.masses(table).sum(axis=1), 1)
    shares = claims.masses(table, "examples")
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares["never"] == 0).all()


def test_masses_of_the_clusters_seen_so_often_sum_to_one_and_are_what_samples_show():
    p = theory.frequencies("zipf", 60, 1.0)
    assert sum(theory.mass_seen(p, 80, times) for times in range(81)) == pytest.approx(1)
    assert theory.mass_at_least(p, 80, 0) == pytest.approx(1)
    assert theory.mass_at_least(p, 80, 2) == pytest.approx(1 - theory.mass_seen(p, 80, 0) - theory.mass_seen(p, 80, 1))
    counts = np.random.default_rng(0).multinomial(80, p, 4000)
    once = ((counts == 1) @ p).mean()
    assert once == pytest.approx(theory.mass_seen(p, 80, 1), abs=0.004)


def test_under_zipfs_law_clusters_seen_l_times_weigh_as_one_over_l():
    p = theory.frequencies("zipf", 20_000, 1.0)
    harmonic = (1 / np.arange(1, 20_001)).sum()
    for times in (1, 2, 5, 10):
        assert theory.mass_seen(p, 5000, times) * times * harmonic == pytest.approx(1, rel=0.05)


def test_the_price_of_asking_for_two_is_the_mass_of_what_was_seen_once():
    p = theory.frequencies("zipf", 100, 1.2)
    step = theory.price(p, 90, 2, 4) - theory.price(p, 90, 1, 4)
    assert step == pytest.approx(0.75 * theory.mass_seen(p, 90, 1))


def test_uniform_frequencies_have_no_tail():
    p = theory.frequencies("uniform", 20, 1.0)
    np.testing.assert_allclose(p, 0.05)
    assert theory.price(p, 400, 5, 10) < 1e-3


def test_the_vote_of_neighbours_on_separate_clusters_is_the_closed_form():
    spec = STUDY.build("quick", {"spread_within": 0.05, "n_test": 4000})
    p = theory.frequencies("zipf", spec.clusters, spec.exponent)
    for needed in (1, 3):
        errors = [1 - neighbours(draw(spec, seed), needed, 2.0) for seed in range(8)]
        assert np.mean(errors) == pytest.approx(theory.price(p, spec.n_train, needed, 10), abs=0.02)


def test_the_vote_of_neighbours_against_a_count_by_hand():
    spec = STUDY.build("smoke", {"n_train": 50, "n_test": 100})
    drawn, radius = draw(spec, 3), 3.0
    expected = []
    for x, y in zip(drawn.new_inputs, drawn.new_labels, strict=True):
        near = drawn.labels[np.linalg.norm(drawn.inputs - x, axis=1) <= radius]
        votes = np.bincount(near, minlength=10)
        best = np.flatnonzero(votes == votes.max())
        expected.append(0.1 if len(near) < 2 else (y in best) / len(best))
    assert neighbours(drawn, 2, radius) == pytest.approx(np.mean(expected))


def test_groups_of_counts():
    assert list(theory.group_of(np.array([0, 1, 2, 3, 4, 50]))) == [
        "never",
        "once",
        "2 or 3 times",
        "2 or 3 times",
        "4 times or more",
        "4 times or more",
    ]


def test_images_are_drawn_without_replacement_and_the_test_set_shares_none_with_them():
    spec = STUDY.build("quick", {"source": "digits", "clusters": 50, "n_train": 120})
    drawn = draw(spec, 0)
    seen = {row.tobytes() for row in drawn.inputs}
    assert len(seen) == len(drawn.inputs) <= 120
    assert not seen & {row.tobytes() for row in drawn.new_inputs}
    # within a cluster all images have one label
    assert len(set(zip(drawn.cluster.tolist(), drawn.labels.tolist(), strict=True))) == len(set(drawn.cluster.tolist()))
    shares = np.bincount(drawn.new_cluster, minlength=50) / spec.n_test
    assert np.abs(shares - drawn.p).max() < 0.04


def made(curves):
    """A table from {(quantity, seen): values at the steps 1, 2, 3, ...} for plain descent of seed 0."""
    rows = [
        (0, "plain", step, quantity, seen, value)
        for (quantity, seen), values in curves.items()
        for step, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows, columns=list(STUDY.columns))


def test_gains_are_counted_from_the_step_at_which_frequent_clusters_fit():
    table = made(
        {
            ("train accuracy", "all"): [0.4, 0.8, 1.0],
            ("train accuracy", "4 times or more"): [0.5, 0.99, 1.0],
            ("train accuracy", "once"): [0.0, 0.2, 1.0],
            ("test accuracy", "all"): [0.1, 0.6, 0.7],
            ("mass", "never"): [0.2],
            ("mass", "once"): [0.15],
            ("mass", "2 or 3 times"): [0.0],
            ("mass", "4 times or more"): [0.65],
        }
    )
    assert claims.stopping_step(table)[0] == 2
    assert claims.gained(table)[0] == pytest.approx(0.1)
    assert claims.predicted_gain(table)[0] == pytest.approx(0.15 * 0.8 + 0.65 * 0.01)
    read = claims.outcomes(table, ["all"]).set_index(["seen", "learner"])["value"]
    assert read.to_dict() == {("all", "plain"): 0.7, ("all", "plain, stopped"): 0.6}


def answer(values, nudge=None, spec=None, **changed):
    """Two seeds with known curves: at the second step what is frequent is fitted, there plain descent is stopped.

    Seed 1 has a thousandth more of the last value of the curve that ``nudge`` names.
    """
    curves = {
        "fit": ("plain", "train accuracy", "all", [0.4, 0.8, 1.0]),
        "fit_frequent": ("plain", "train accuracy", "4 times or more", [0.5, 0.99, 0.99]),
        "fit_rare": ("plain", "train accuracy", "once", [0.0, 0.2, 1.0]),
        "test": ("plain", "test accuracy", "all", [0.1, 0.6, 0.7]),
        "test_rare": ("plain", "test accuracy", "once", [0.1, 0.2, 0.9]),
        "test_frequent": ("plain", "test accuracy", "4 times or more", [0.1, 0.9, 0.9]),
        "winsorised": ("winsorised", "test accuracy", "all", [0.1, 0.2, 0.6]),
        "clipped": ("clipped", "test accuracy", "all", [0.1, 0.2, 0.6]),
        "mass_never": ("plain", "mass", "never", [0.2]),
        "mass_once": ("plain", "mass", "once", [0.125]),
        "mass_twice": ("plain", "mass", "2 or 3 times", [0.0]),
        "mass_frequent": ("plain", "mass", "4 times or more", [0.675]),
        "vote_1": ("vote of 1", "test accuracy", "all", [0.9]),
        "vote_2": ("vote of 2", "test accuracy", "all", [0.9]),
    }
    rows = []
    for seed in (0, 1):
        for name, (learner, quantity, seen, usual) in curves.items():
            curve = [*changed.get(name, usual)]
            curve[-1] *= 1 + 0.001 * seed * (name == nudge)
            rows += [(seed, learner, step, quantity, seen, value) for step, value in enumerate(curve, start=1)]
    return Answer(pd.DataFrame(rows, columns=list(STUDY.columns)), values, spec or STUDY.build("quick", {}))


#: Ten clusters alike and fifty examples of ten classes: one is not seen with 0.9 to the power of 50.
EVEN = STUDY.build(
    "quick", {"frequencies": "uniform", "clusters": 10, "n_train": 50, "batch_size": 20, "winsorised": 5}
)
NEVER, ONCE = 0.9**50, 50 * 0.1 * 0.9**49


def votes(off):
    """Votes whose errors are those of the closed form and so much more."""
    return answer([off, off], spec=EVEN, vote_1=[1 - 0.9 * NEVER - off], vote_2=[1 - 0.9 * (NEVER + ONCE) - off])


KNOWN = {
    "votes-pay-the-mass": Known(votes(0.02), votes(0.1)),
    "stopping-costs": Known(answer([0.1, 0.1007], "test"), answer([0.0, 0.0006], "test", test=[0.1, 0.6, 0.6])),
    "tail-pays": Known(
        answer([0.7, 0.7009], "test_rare"), answer([0.1, 0.1003], "test_rare", test_rare=[0.1, 0.2, 0.3])
    ),
    # the examples seen once, 0.125 of the mass, are fitted from 0.2 to 1: 0.1 is to be gained
    "price-is-mass": Known(answer([1, 1.007], "test"), answer([1.8, 1.8078], "test", test=[0.1, 0.6, 0.78])),
    "winsorising-costs-tail": Known(
        answer([0.1, 0.0994], "winsorised"), answer([0.0, -0.0007], "winsorised", winsorised=[0.1, 0.2, 0.7])
    ),
    "clipping-costs-tail": Known(
        answer([0.1, 0.0994], "clipped"), answer([0.0, -0.0007], "clipped", clipped=[0.1, 0.2, 0.7])
    ),
}


@pytest.mark.parametrize("fits", [{("train accuracy", "4 times or more"): [0.5, 0.6]}, {}])
def test_what_never_fits_is_stopped_at_the_end(fits):
    table = made({("train accuracy", "all"): [0.1, 0.2], ("test accuracy", "all"): [0.1, 0.2], **fits})
    assert claims.stopping_step(table)[0] == 2
    assert claims.gained(table)[0] == 0


@pytest.mark.parametrize(
    ("name", "judged"),
    [("uniform frequencies", ["stopping-costs"]), ("labels at random", ["tail-pays", "price-is-mass"])],
)
def test_stopping_costs_nothing_where_nothing_is_rare_or_nothing_learned_is_of_use(name, judged):
    main = STUDY.build("quick", SMALL)
    spec = STUDY.changed(main, STUDY.controls[name])
    table = run(spec, range(3), "cpu")
    claims_of_it = [claim for claim in STUDY.claims if claim.control == name and claim.id in judged]
    assert len(claims_of_it) == len(judged)
    for claim in claims_of_it:
        judgement = judge(claim, table, spec)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


def test_a_rule_that_was_not_trained_leaves_its_claim_open():
    table = run(STUDY.build("smoke", {"learners": ["plain"]}), [0, 1], "cpu")
    claim = next(claim for claim in STUDY.claims if claim.id == "clipping-costs-tail")
    assert judge(claim, table, SPEC).verdict == "undecided"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"needed": [2, 3]}, "from 1 on"),
        ({"learners": ["clipped"]}, "want 'plain'"),
        ({"winsorised": 30}, "can lose 24 a side"),
        ({"needed": [1, 1]}, "grow"),
        ({"batch_size": 1000}, "training set's size, 400"),
    ],
)
def test_a_spec_that_cannot_be_drawn_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        STUDY.build("quick", wrong)
