"""The boxes that ask for a prediction: each can be answered, in words without a script, and keeps what was answered."""

import json
import re

import pytest

from genbook.base.files import repository
from genbook.results.chapters import chapters

BOX = re.compile(r":::\{admonition\} Your prediction\n:class: prediction\n(.*?)\n:::", re.DOTALL)


def boxes(chapter):
    notebook = json.loads((repository() / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    prose = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return [box for text in prose for box in BOX.findall(text)]


@pytest.mark.parametrize("chapter", chapters())
def test_every_box_offers_answers_of_which_no_two_are_alike(chapter):
    found = boxes(chapter)
    assert found
    for box in found:
        question, _, listed = box.partition("\n\n- ")
        answers = listed.split("\n- ")
        assert question.rstrip().endswith(("?", ".")), box
        assert len(set(answers)) == len(answers), box
        assert len(answers) >= 2 or re.fullmatch(r"[^…]+ … [^…]+", answers[0]), box
    assert len(set(found)) == len(found)


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<script src="assets/predictions.js" defer></script></head><body><article class="bd-article">
<div class="prediction admonition"><p class="admonition-title">Your prediction</p><p>Which way?</p>
<ul class="simple"><li><p>up</p></li><li><p>down, by <em>half</em></p></li></ul></div>
<figure id="first"><figcaption>Up.</figcaption></figure>
<div class="prediction admonition"><p class="admonition-title">Your prediction</p><p>How many?</p>
<ul class="simple"><li><p>none of them … all of them</p></li></ul></div>
<div class="claims-frame"><table class="claims"><tbody><tr><td>holds</td></tr></tbody></table></div>
</article></body></html>"""


@pytest.fixture
def address(tmp_path):
    (tmp_path / "assets").symlink_to(repository() / "book" / "assets")
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    return (tmp_path / "page.html").as_uri()


def test_a_choice_stands_beside_the_next_result_is_remembered_and_can_be_taken_back(running, address):
    page = running.new_page()
    page.goto(address)
    note = page.locator(".predicted").first
    assert not note.is_visible()
    page.focus(".prediction input >> nth=0")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    assert note.inner_text() == "You predicted: down, by half (change it)."
    assert page.locator(".predicted + figure#first").count() == 1
    assert page.locator("[role=status] >> nth=0").inner_text().startswith("Noted")
    page.reload()
    assert page.locator(".predicted").first.inner_text() == "You predicted: down, by half (change it)."
    assert page.is_checked(".prediction input >> nth=1")
    page.click("text=take it back")
    assert not page.locator(".predicted").first.is_visible()
    page.reload()
    assert not page.locator(".prediction input:checked").count()
    page.close()


def test_a_place_between_two_ends_is_told_in_words(running, address):
    page = running.new_page()
    page.goto(address)
    page.focus("input[type=range]")
    for key, words in (
        ("End", "all of them"),
        ("Home", "none of them"),
        ("ArrowRight", "5% of the way from “none of them” to “all of them”"),
    ):
        page.keyboard.press(key)
        assert page.get_attribute("input[type=range]", "aria-valuetext") == words
        assert page.locator(".predicted").nth(1).inner_text() == f"You predicted: {words} (change it)."
    assert page.locator(".predicted + .claims-frame").count() == 1
    page.reload()
    assert page.input_value("input[type=range]") == "1"
    page.close()


def test_without_a_script_the_answers_are_a_list(running, address):
    plain = running.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(address)
    assert page.locator(".prediction li").first.is_visible()
    assert not page.locator("input").count()
    plain.close()
