"""Every claim's statistic on a small table whose answer is known, and on one whose answer is the opposite."""

import importlib

import pytest

from genbook import studies
from tests.known import check


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
    assert not lacking, f"without known answers: {sorted(lacking)}"
    assert set(answers(study)) <= {claim.id for claim in studies.get(study).claims}
