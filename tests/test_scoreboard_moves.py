"""The scoreboard in the reader's hand: a threshold that moves takes verdicts, squares and counts with it."""

import dataclasses

import pytest

from genbook import figures
from genbook.base.claims import Judgement, decide
from genbook.base.files import repository
from genbook.figures import html
from genbook.results import tally
from tests.test_figures import CLAIM

#: By claim: the ends of discovery's and of the replication's interval; the threshold is 0.5.
INTERVALS = {
    "first-one": ((0.6, 0.8), (0.55, 0.7)),
    "second-one": ((0.3, 0.45), (0.52, 0.9)),
    "third-one": ((0.7, 0.9), (0.4, 0.6)),
}
FATES = {"first-one": "replicated", "second-one": "fails in discovery", "third-one": "undecided in the replication"}


@pytest.fixture
def board(running, tmp_path):
    """A scoreboard of three claims."""
    rows = [
        html.Shown(
            dataclasses.replace(CLAIM, id=name),
            {
                title: html.Cell(Judgement((low + high) / 2, low, high, decide(low, high, ">", 0.5)))
                for title, (low, high) in zip(("Discovery", "Replication"), ends, strict=True)
            },
            anchor=html.anchor_of("some_study", name),
            fate=FATES[name],
        )
        for name, ends in INTERVALS.items()
    ]
    squares = html.squares("A chapter", [(row.fate, f"#{row.anchor}", row.claim.id) for row in rows])
    table = figures.claims_table(rows, root="")
    legend = html.fates_legend([fate for fate in tally.FATES if fate in FATES.values()])
    page = f'<main><div class="unit-chart">{squares}{legend}</div>'
    page += f'<div id="scoreboard-tools" hidden></div><section>{table}</section></main><script>'
    page += (repository() / "book" / "assets" / "scoreboard.js").read_text(encoding="utf-8") + "</script>"
    (tmp_path / "board.html").write_text(f"<!doctype html><meta charset='utf-8'>{page}", encoding="utf-8")
    opened = running.new_page()
    opened.goto((tmp_path / "board.html").as_uri())
    yield opened
    opened.close()


def seen(page, name):
    """The verdicts of a claim, its fate, and the colour of its square."""
    row = page.locator(f"#{html.anchor_of('some_study', name)}")
    square = page.locator(f".unit-chart a[href='#{html.anchor_of('some_study', name)}']").get_attribute("class")
    return row.locator("td .verdict").all_text_contents(), row.get_attribute("data-fate"), square


def move_to(page, name, threshold):
    """Move the claim's slider, as near to the threshold as it goes; returns where it stands."""
    row = page.locator(f"#{html.anchor_of('some_study', name)}")
    if not row.locator(".threshold input").count():
        row.locator("details.evidence > summary").click()
    slider = row.locator(".threshold input")
    slider.wait_for()
    slider.focus()
    ends = [end for interval in INTERVALS[name] for end in interval] + [0.5]
    margin = 0.15 * (max(ends) - min(ends))
    low, high = min(ends) - margin, max(ends) + margin
    slider.fill(str(min(max(round(400 * (threshold - low) / (high - low)), 0), 400)))
    at = float(slider.get_attribute("aria-valuetext").removeprefix("> "))
    assert at == pytest.approx(min(max(threshold, low), high), abs=0.01)
    return at


def test_what_was_asked_is_what_is_seen_at_first(board):
    for name, ends in INTERVALS.items():
        verdicts = [decide(*one, ">", 0.5) for one in ends]
        assert seen(board, name) == (verdicts, FATES[name], FATES[name].replace(" ", "-"))


@pytest.mark.parametrize("threshold", [0.35, 0.58, 0.65, 0.85])
@pytest.mark.parametrize("name", list(INTERVALS))
def test_verdicts_fates_and_counts_follow_a_threshold(board, name, threshold):
    at = move_to(board, name, threshold)
    discovery, replication = (decide(*one, ">", at) for one in INTERVALS[name])
    fate = f"{discovery} in discovery"
    if discovery == "holds":
        fate = "replicated" if replication == "holds" else f"{replication} in the replication"
    assert seen(board, name) == ([discovery, replication], fate, fate.replace(" ", "-"))
    fates = [*(other for claim, other in FATES.items() if claim != name), fate]
    told = board.locator("#scoreboard-tools [role=status]").text_content()
    for one in set(fates):
        many = fates.count(one)
        assert f"{many} {one.replace('fails', 'fail') if many > 1 else one}" in told
    assert told.endswith("(with 1 threshold of yours).")
    assert fate in board.locator(".fates-legend li").all_text_contents()
    board.locator("button", has_text="as asked").locator("visible=true").click()
    assert seen(board, name)[1] == FATES[name]
    assert "yours" not in board.locator("#scoreboard-tools [role=status]").text_content()


def test_claims_that_nothing_judged_are_counted_as_such(board):
    row = board.locator(f"#{html.anchor_of('some_study', 'first-one')}")
    row.evaluate("row => { row.dataset.fate = ''; }")
    board.locator("#scoreboard-tools input[type=search]").fill("a")
    board.locator("#scoreboard-tools input[type=search]").fill("")
    told = board.locator("#scoreboard-tools [role=status]").text_content()
    assert told.startswith("3 of 3 claims: ")
    assert told.endswith(", 1 not judged.")


def test_a_threshold_is_moved_by_the_keyboard(board):
    move_to(board, "first-one", 0.5)
    board.keyboard.press("End")
    assert seen(board, "first-one")[0] == ["fails", "fails"]


@pytest.mark.parametrize(("setting", "place"), [("Discovery", 0), ("Replication", 1)])
def test_claims_are_counted_by_one_setting_alone(board, setting, place):
    judged = {name: decide(*ends[place], ">", 0.5) for name, ends in INTERVALS.items()}
    board.select_option("label:has-text('judged by') select", setting)
    counted = board.locator("#scoreboard-tools [role=status]").text_content()
    words = {"holds": "hold", "fails": "fail", "undecided": "undecided"}
    parts = [f"{list(judged.values()).count(one)} {words[one]}" for one in ("holds", "undecided", "fails")]
    assert counted == f"3 of 3 claims: {', '.join(part for part in parts if not part.startswith('0'))}."
    alike = {"holds": "replicated", "fails": "fails-in-discovery", "undecided": "undecided-in-discovery"}
    assert {name: seen(board, name)[2] for name in INTERVALS} == {name: alike[one] for name, one in judged.items()}
    board.select_option("label:has-text('judged by') select", "")
    assert {name: seen(board, name)[2] for name in INTERVALS} == {k: v.replace(" ", "-") for k, v in FATES.items()}
