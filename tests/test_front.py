"""The first page: numbers put into its text, chapters with their answers, and the line under a chapter's title."""

import re

import pytest

from genbook.base.claims import Judgement
from genbook.book import front
from genbook.book.render import BuildError
from genbook.figures.html import interval
from genbook.results.chapters import chapters
from genbook.results.primary import Primary, entries
from genbook.results.requests import Request
from genbook.results.verdicts import Row
from genbook.studies import get


def markdown(text):
    return {"cell_type": "markdown", "source": text.splitlines(keepends=True)}


def row(study, claim, **judgements):
    (found,) = [one for one in get(study).claims if one.id == claim]
    return Row(Request.build(get(study), "quick"), found, {**judgements, found.control: judgements["control"]}, "")


JUDGED = row(
    "random_labels",
    "all-fit",
    discovery=Judgement(0.99, 0.98, 1.0, "holds"),
    replication=Judgement(0.5, 0.4, 0.6, "fails"),
    control=Judgement(0.1, 0.05, 0.2, "fails"),
)


@pytest.mark.parametrize("setting", ["discovery", "replication", "control"])
def test_a_number_in_the_text_is_the_claims_in_that_setting_and_leads_to_it(setting, monkeypatch):
    monkeypatch.setattr(front, "primaries", list)
    text = front.filled(f"It is {{claim}}`random_labels/all-fit@{setting}` here.", [JUDGED])
    found = getattr(JUDGED, setting)
    assert interval(found.estimate, found.low, found.high) in text
    assert 'href="scoreboard.html#claim-random_labels-all-fit"' in text
    assert text.startswith("It is <a ")
    assert text.endswith("</a> here.")


def test_a_number_of_a_claim_that_is_not_there_stops_the_build(monkeypatch):
    monkeypatch.setattr(front, "primaries", list)
    with pytest.raises(BuildError, match="did you mean 'random_labels/all-fit'"):
        front.filled("{claim}`random_labels/all-fits@discovery`", [JUDGED])
    with pytest.raises(BuildError, match="primary"):
        front.filled("{claim}`random_labels/all-fit@primary`", [JUDGED])


def test_what_did_not_hold_comes_first_on_the_first_page(monkeypatch):
    named = entries()[:3]
    found = [
        Primary(
            entry,
            get(entry.study),
            next(claim for claim in get(entry.study).claims if claim.id == entry.claim),
            Judgement(1.0, 0.9, 1.1, verdict),
            0.01,
        )
        for entry, verdict in zip(named, ("holds", "undecided", "fails"), strict=True)
    ]
    monkeypatch.setattr(front, "primaries", lambda: found)
    said, _, *lines = front.primary_claims().splitlines()
    assert said == "Of 3, 1 held, 1 could not be decided, 1 failed."
    assert [re.search(r">(holds|fails|undecided)<", line)[1] for line in lines] == ["fails", "undecided", "holds"]


def test_minutes_count_words_that_are_read():
    words = "word " * 220
    table = "| a | b |\n" * 500
    code = "```sh\n" + "run it " * 500 + "\n```"
    said = {"cell_type": "code", "outputs": [{"data": {"text/markdown": [words]}}]}
    assert front.minutes({"cells": [markdown(words)]}) == 1
    assert front.minutes({"cells": [markdown(f"{table}\n{words}\n{code}\n{words}"), said]}) == 3


def test_the_line_under_the_title_says_number_minutes_and_computing():
    chapter = chapters()[1]
    made = front.headed({"cells": [markdown("# A title\n\nText."), markdown("more")]}, chapter, 130.0)
    assert made["cells"][0]["source"].startswith(
        "# A title\n\n{.chapter-head}\nChapter 2 · 1 minute to read · 2 minutes"
    )
    assert made["cells"][0]["source"].endswith("\nText.")
    assert made["cells"][1] == markdown("more")


def test_the_summary_says_what_its_figure_shows():
    summary = {"data": {"text/markdown": "- **In one figure:** {numref}`fig-a`.\n- **Replicated** (1 of 2 claims): A."}}
    figure = {"name": "fig-a", "caption": "It falls at $x$. Lines: means.\n\n:::{admonition} Where\n:::"}
    cells = [
        markdown("# T"),
        {"cell_type": "code", "outputs": [summary], "metadata": {}},
        {"cell_type": "code", "outputs": [], "metadata": {"mystnb": {"figure": figure}}},
    ]
    made = front.headed({"cells": cells}, chapters()[0], 1.0)
    said = made["cells"][1]["outputs"][0]["data"]["text/markdown"]
    assert said == "- **In one figure:** It falls at $x$ ({numref}`fig-a`).\n- **Replicated** (1 of 2 claims): A."
    unknown = front.headed({"cells": cells[:2]}, chapters()[0], 1.0)
    assert unknown["cells"][1]["outputs"] == [summary]


def test_a_card_ends_with_the_first_sentence_of_the_answer():
    assert front.first_sentence("It is so, e.g. here. It is not.") == "It is so, e.g. here."
    assert front.first_sentence("") == ""
    box = ":::{admonition} Answer\n:class: answer\nYes,\nit is. No.\n:::"
    assert front._box({"cells": [markdown(f"# T\n\n{box}\n")]}, "Answer") == "Yes,\nit is. No."
