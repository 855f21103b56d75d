"""What a reader sees of a claim: the numbers and verdicts of each setting, in the column of that setting."""

import math
import re
from dataclasses import replace

import pytest

from genbook import data, figures
from genbook.base.claims import Judgement
from genbook.book import scoreboard
from genbook.figures import html
from genbook.results.pages import in_a_line, in_short
from genbook.results.pages import shown as row_of
from genbook.results.requests import Request
from genbook.results.verdicts import evaluate
from tests.toy import toy_study


@pytest.fixture
def row(store, monkeypatch):
    """A claim that comes out as another number in every setting: 2, 0.4 on other data, 0 in the control."""
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    monkeypatch.setattr(data, "available", lambda name: True)
    study = toy_study(replication=lambda spec: {"dataset": "mnist1d", "effect": 0.4})
    (row,) = evaluate(Request.build(study, "quick", {"effect": 2.0}))
    return row


def cells(page):
    """By the label of its column, the content of each cell of the first row."""
    return dict(re.findall(r'<td data-label="([^"]+)"[^>]*>(.*?)</td>', page, flags=re.DOTALL))


def shown(judgement: Judgement):
    """How a judgement looks on a page."""
    numbers = html.interval(judgement.estimate, judgement.low, judgement.high)
    return f'{html.verdict_badge(judgement.verdict)}<span class="numbers">{numbers}</span>'


def assert_columns(page, row):
    discovery, replication, control = row.discovery, row.replication, row.control
    assert len({round(judgement.estimate, 1) for judgement in (discovery, replication, control)}) == 3
    assert (discovery.verdict, replication.verdict, control.verdict) == ("holds", "fails", "fails")
    found = cells(page)
    assert list(found) == ["Replication", "Discovery"]
    assert found["Discovery"] == shown(discovery) + '<span class="details">digits</span>'
    assert found["Replication"] == shown(replication) + '<span class="details">mnist1d</span>'
    numbers = html.interval(control.estimate, control.low, control.high)
    assert f"Control, <em>nothing</em>: {numbers}: fails, as it must" in page


def test_a_chapter_shows_each_setting_in_its_own_column(row):
    assert_columns(figures.claims_table([row_of(row)]), row)


def test_a_replication_that_could_not_be_tested_says_what_its_data_lack(row, monkeypatch):
    lacking = replace(
        row.replication, verdict="not testable", reason="what is asked must be > 1, and is 0.4", p=math.nan
    )
    row = replace(row, judgements={**row.judgements, "replication": lacking})
    expected = shown(lacking) + '<span class="details">mnist1d</span>'
    expected += '<span class="details">what is asked must be &gt; 1, and is 0.4</span>'
    assert cells(figures.claims_table([row_of(row)]))["Replication"] == expected
    monkeypatch.setattr(scoreboard, "chapter_title", lambda name: "A chapter")
    page = scoreboard.scoreboard([row], "quick")
    assert cells(page)["Replication"] == expected


def test_the_scoreboard_shows_each_setting_in_its_own_column_and_counts_the_claim(row, monkeypatch):
    monkeypatch.setattr(scoreboard, "chapter_title", lambda name: "A chapter")
    page = scoreboard.scoreboard([row], "quick")
    assert_columns(page, row)
    assert "**0** of 1 claims replicated; 1 fails in the replication" in page


def test_the_scoreboard_says_how_many_claims_are_not_judged(row, monkeypatch):
    monkeypatch.setattr(scoreboard, "chapter_title", lambda name: "A chapter")
    unjudged = replace(row, judgements={**row.judgements, "discovery": replace(row.discovery, verdict="not judged")})
    page = scoreboard.scoreboard([row, unjudged], "quick")
    assert "**0** of 1 claims replicated; 1 fails in the replication. 1 more is not judged yet. Each" in page
    assert "not judged yet" not in scoreboard.scoreboard([row], "quick")


def test_a_row_leads_to_its_statistic_and_between_chapter_and_scoreboard(row):
    study = row.request.study.name
    anchor = html.anchor_of(study, row.claim.id)
    in_chapter = row_of(row, figure="#fig-x").links
    assert in_chapter == {
        "its figure": "#fig-x",
        "its statistic": f"../evidence/{study}.html",
        "on the scoreboard": f"../scoreboard.html#{anchor}",
    }
    on_board = row_of(row, root="", page="chapters/01_one.html").links
    assert on_board == {"its statistic": f"evidence/{study}.html", "in its chapter": f"chapters/01_one.html#{anchor}"}
    assert row_of(row, anchored=False).anchor == ""


def test_a_line_says_the_numbers_of_what_did_not_replicate(row):
    line = in_a_line(row)
    assert line.startswith(f'<a href="#{html.anchor_of(row.request.study.name, row.claim.id)}">')
    replication = row.replication
    assert f"(fails: {html.interval(replication.estimate, replication.low, replication.high)}, asked " in line
    replicated = replace(row, judgements={**row.judgements, "replication": row.discovery})
    assert in_a_line(replicated).endswith("</a>")


def test_a_summary_has_three_lines_that_name_the_heaviest_and_count_all(row):
    held = replace(row, judgements={**row.judgements, "replication": row.discovery})
    picture, _, figure, replicated, not_replicated = in_short(
        [held, row, row, row], [held, row, row, row], "fig-x"
    ).split("\n")
    assert picture == '<div class="one-figure"><a href="#fig-x"></a></div>'
    assert figure == "- **In one figure:** {numref}`fig-x`."
    assert replicated.startswith("- **Replicated** (1 of 4 claims): <a ")
    assert not_replicated.startswith('- **Did not replicate** (<a href="#all-verdicts">3 of 4</a>): <a ')
    assert not_replicated.count("(fails: ") == 2
    *_, nothing = in_short([held], [held], "fig-x").split("\n")
    assert nothing.endswith('(<a href="#all-verdicts">0 of 1</a>): none of those that matter most here.')


def test_the_settings_are_those_that_were_asked_for(row):
    """Each judgement belongs to the table of its own setting."""
    for name, judgement in (("discovery", row.discovery), ("replication", row.replication), ("nothing", row.control)):
        values = row.request.table(name).frame.set_index("seed")["value"]
        assert judgement.estimate == pytest.approx(values.mean())
        assert judgement.values == dict(values)
