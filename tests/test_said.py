"""The numbers of a chapter's sentences, made again: what of the notebook is executed for it, and what may differ."""

import ast

import numpy as np
import pytest

from genbook.base.spec import ParameterError
from genbook.base.stats import t_interval
from genbook.book import said


def needed(code, own):
    return [ast.unparse(one) for one in said._needed(ast.parse(code).body, ast.parse(own).body)]


def test_of_a_notebook_only_what_a_sentence_follows_from_is_executed():
    code = """
import numpy as np
import pandas as pd
rows = np.arange(3)
other = pd.Series(rows)
def doubled(other): return 2 * other + offset
offset = 1
"""
    assert needed(code, "chapter.say(f'{doubled(rows)}')") == [
        "import numpy as np",
        "rows = np.arange(3)",
        "def doubled(other):\n    return 2 * other + offset",
        "offset = 1",
    ]


@pytest.mark.parametrize(
    ("code", "own", "kept"),
    [
        ("x = 1\nx = 2", "say(x)", ["x = 2"]),
        ("x = 1\nx += 1", "say(x)", ["x = 1", "x += 1"]),
        ("x = []\nx.append(1)", "say(x)", ["x = []", "x.append(1)"]),
        ("x = {}\nx['a'] = 1", "say(x)", ["x = {}", "x['a'] = 1"]),
        ("x = 1\nif far:\n    x = 2", "say(x)", ["x = 1", "if far:\n    x = 2"]),
        ("x = 1\ny = 2", "say([x for x in range(3)])", []),
        ("x = 1\ny = 2", "x = 3\nsay(x)", []),
        (
            "chapter = Chapter('a')\nchapter.show(1)\ny = chapter.table()",
            "say(y)",
            ["chapter = Chapter('a')", "y = chapter.table()"],
        ),
    ],
    ids=["the last", "added to", "in place", "an item", "perhaps", "a loop's own", "its own", "shown"],
)
def test_a_name_is_what_was_last_made_of_it(code, own, kept):
    assert needed(code, own) == kept


def test_numbers_are_read_off_a_sentence_and_its_words_compared():
    text = "It is 1,200 of `width 64`, 12.5 % or −0.5, [Fig. 3](#fig-3)."
    assert [(value, place) for _, value, place in said._values(text)] == [(1200, 1), (12.5, 0.1), (-0.5, 0.1), (3, 1)]
    assert said._template("0.5 of 3") == said._template("0.7 of 4")
    assert said._template("0.5 of 3") != said._template("0.5 and 3")


def test_the_jackknife_of_a_mean_is_its_t_interval():
    values = np.random.default_rng(0).normal(size=9)
    left_out = [np.delete(values, place).mean() for place in range(9)]
    found = t_interval(values)
    assert said.half_width(left_out, 9) == pytest.approx((found.high - found.low) / 2)


def test_a_number_may_move_by_its_interval_and_one_in_the_last_place():
    left_out = ["at 2.00", "at 2.02", "at 1.98", "in other words 2"]
    (near,) = said._numbers("at 2.00", "at 2.01", left_out, 3)
    (far,) = said._numbers("at 2.00", "at 2.50", left_out, 3)
    assert (near.matches, far.matches) == (True, False)
    (exact,) = said._numbers("at 2.00", "at 2.02", [], 1)
    assert not exact.matches


@pytest.fixture
def weights(store):
    """A sentence that follows from a study which trains in a moment, in an empty store."""
    return said.reading("01_two_data_sets_one_difference", "weights-said")


def test_a_sentence_comes_out_again_with_a_seed_trained_anew(weights):
    found = said.verify(weights, "two_data_sets", None, 1, "cpu", None)
    assert (found.name, found.again.seed) == ("two_data_sets/weights-said@discovery", 1)
    assert len(found.numbers) >= 8
    assert found.matches


def test_a_seed_that_says_something_else_is_noticed(weights, monkeypatch):
    def train(table, setting, seed, device, tell):
        frame = table.frame.copy()
        here = frame["seed"] == seed
        frame.loc[here, "value"] = 2 * frame.loc[here, "value"] + 1
        return said.Again(seed, frame, 1.0, 0.0)

    monkeypatch.setattr(said, "train_again", train)
    found = said.verify(weights, "two_data_sets", "discovery", 1, "cpu", None)
    assert not found.matches
    assert sum(not number.matches for number in found.numbers) >= 4


def test_a_table_that_a_sentence_does_not_follow_from_is_refused(weights):
    with pytest.raises(ParameterError, match="but from two_data_sets@discovery"):
        said.verify(weights, "two_data_sets", "replication", None, "cpu", None)


def test_every_cell_that_says_something_can_be_asked_for():
    from genbook.results.chapters import chapters

    for chapter in chapters():
        names = said.readings(chapter)
        assert len(set(names)) == len(names)
        for name in names:
            compile(said.reading(chapter, name).before, name, "exec")


def test_a_reading_that_is_none_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="real-said"):
        said.reading("05_large_learning_rates", "reals-said")
    assert said.found("large_steps/real-said@discovery")[1:] == ("large_steps", "discovery")
    assert said.found("05/real-said")[0].chapter == "05_large_learning_rates"
    for wrong in ("99/real-said", "05/reals-said"):
        with pytest.raises(ParameterError, match="unknown"):
            said.found(wrong)
    assert said.found("large_steps/reals-said") is None
    assert said.found("no_study/real-said") is None


def cell(name, source, text):
    output = {"output_type": "display_data", "data": {"text/markdown": text}, "metadata": {}}
    return {"cell_type": "code", "id": name, "source": source, "outputs": [output]}


def test_a_sentence_bears_its_name_on_the_page_and_nothing_else_does():
    cells = [cell("real-said", "chapter.say(x)", "It is 3."), cell("a", "chapter.say(x)", "| a |\n|---|\n| 3 |")]
    link = 'Stop <span class="moves" data-set="[3]">at the end</span>.'
    cells += [
        cell("b", "chapter.summary(x)", "It is 3."),
        cell("d", "chapter.say(x)", link),
        {"cell_type": "markdown", "id": "c", "source": "It is."},
    ]
    marked = said.marked({"cells": cells}, "05_large_learning_rates")["cells"]
    assert 'title="genbook verify 05/real-said"' in marked[0]["outputs"][0]["data"]["text/markdown"]
    assert marked[1:] == cells[1:]
    assert cells[0]["outputs"][0]["data"]["text/markdown"] == "It is 3."
