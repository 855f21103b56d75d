"""Every claim's statistic on a small table whose answer is known, and on one whose answer is the opposite."""

import importlib

import pytest

from genbook import studies
from tests.known import check

#: Studies whose claims do not all have known answers yet; the list only gets shorter.
OPEN = set(studies.names()) - {
    "batch_stability",
    "benign_oscillation",
    "coherence_laws",
    "early_stopping",
    "easy_hard",
    "edge_of_stability",
    "epoch_descent",
    "explicit_regularisation",
    "label_permutations",
    "large_steps",
    "late_coherence",
    "linear_teacher",
    "long_tail",
    "massive_noise",
    "network_descent",
    "noisy_labels",
    "perceptron_limit",
    "random_features",
    "random_labels",
    "sample_descent",
    "stability_bound",
    "stopping_rules",
    "two_data_sets",
    "two_gaussians",
    "weak_directions",
    "xor_clusters",
    "xor_digits",
}


def answers(study):
    """The ``KNOWN`` of the study's own test; empty where it has none."""
    return getattr(importlib.import_module(f"tests.studies.test_{study}"), "KNOWN", {})


CASES = [(name, claim) for name in studies.names() for claim in studies.get(name).claims if claim.id in answers(name)]


@pytest.mark.parametrize(("study", "claim"), CASES, ids=lambda value: getattr(value, "id", value))
def test_a_statistic_finds_what_is_known(study, claim):
    check(claim, answers(study)[claim.id])


@pytest.mark.parametrize("study", studies.names())
def test_every_claim_has_known_answers(study):
    lacking = {claim.id for claim in studies.get(study).claims} - set(answers(study))
    assert (study in OPEN) == bool(lacking), f"without known answers: {sorted(lacking)}"
    assert set(answers(study)) <= {claim.id for claim in studies.get(study).claims}
