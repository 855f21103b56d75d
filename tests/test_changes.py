"""Legal changes of chapters' parameters: the notebook runs through."""

import os
from itertools import islice

import pytest

from genbook.base.spec import ParameterError
from genbook.results.chapters import chapters
from genbook.results.requests import requests
from tests.changes import draws, failure

#: Legal changes that once ended in a traceback.
ONCE_BROKE = {
    "02_random_vs_real_labels": {"learning_rate": 10.0},
    "03_early_stopping": {"stopping_rules.signals": "shuffled", "seeds": 1},
}


def changed(chapter):
    """What once broke the chapter, with the first changes drawn at random that are legal beside it."""
    for given in draws(chapter):
        together = {**given, **ONCE_BROKE.get(chapter, {})}
        try:
            requests(chapter, together)
        except ParameterError:
            continue
        return together


#: `make check` tries all chapters; `make test` the two that are soonest done, one of which once broke.
TRIED = chapters() if os.environ.get("GENBOOK_WHOLE") else ["03_early_stopping", "07_benign_overfitting_xor"]


@pytest.mark.parametrize("chapter", TRIED)
def test_a_chapter_runs_through_with_other_parameters(chapter, store, tmp_path):
    given = changed(chapter)
    assert failure(chapter, given, tmp_path) is None, given


@pytest.mark.parametrize("chapter", chapters())
def test_changes_are_legal_and_come_again(chapter):
    first, again = (list(islice(draws(chapter), 12)) for _ in range(2))
    assert first == again
    assert len({str(given) for given in first}) > 6
    for given in first:
        requests(chapter, given)
        assert set(given) > {"profile", "seeds"}
