"""Every exercise that changes parameters says in ``book/exercises.yml`` what comes out, and it comes out so."""

import os

import pytest

from genbook.book.execute import find_chapter
from genbook.results.chapters import chapters
from genbook.results.requests import requests
from tests.exercises import Exercise, listed, told

#: `make check` runs all; `make test` those that take about a second.
QUICK = ("two_data_sets", "two_gaussians", "linear_teacher")


@pytest.mark.parametrize("chapter", chapters())
def test_every_parameter_that_an_exercise_names_is_run_and_no_other(chapter):
    for number, named in told(chapter).items():
        runs = [one for one in listed() if find_chapter(one.chapter) == chapter and one.exercise == number]
        for name, values in named.items():
            assert all(any(run.parameters.get(name) == value for run in runs) for value in values), (number, name)
        for run in runs:
            assert run.parameters
            assert all(value in named.get(name, []) for name, value in run.parameters.items()), (number, run.parameters)


@pytest.mark.parametrize("one", listed(), ids=lambda one: f"{one.chapter}-{one.exercise}")
def test_what_an_exercise_asks_is_legal_and_its_claims_are_of_the_studies_that_change(one):
    chapter = find_chapter(one.chapter)
    usual, changed = requests(chapter, {}), requests(chapter, one.parameters)
    assert one.claims
    for study, claim in one.claims:
        assert claim in {known.id for known in changed[study].study.claims}
        assert changed[study].discovery.spec != usual[study].discovery.spec


def cheap(one):
    return {study for study, _ in one.claims} <= set(QUICK)


@pytest.mark.parametrize(
    "one",
    [one for one in listed() if cheap(one) and not os.environ.get("GENBOOK_WHOLE")],
    ids=lambda one: f"{one.chapter}-{one.exercise}",
)
def test_an_exercise_comes_out_as_is_said(one):
    assert not one.wrong()


def test_an_answer_that_is_not_so_is_found():
    (one,) = [one for one in listed() if one.chapter == "01" and one.exercise == 1]
    said = dict.fromkeys(one.becomes, "holds")
    assert "not holds" in Exercise(**{**one.model_dump(), "becomes": said, "moves": {}}).wrong()[0]
    turned = {"two_data_sets/depth-starves": "lower"}
    assert "not lower" in Exercise(**{**one.model_dump(), "becomes": {}, "moves": turned}).wrong()[0]
