"""What names of claims and words of the book lead to, and what their cards say."""

import json
import re
from types import SimpleNamespace

import pytest
from docutils import nodes

from genbook.base.files import repository
from genbook.book import cards, word_links
from tests.test_front import JUDGED

BOOK = repository() / "book"
TERMS = word_links.terms((BOOK / "method" / "glossary.md").read_text(encoding="utf-8"))


def linked(page, *children, of):
    """The links that an extension's function makes in a page's one paragraph, by address."""
    document = SimpleNamespace()
    paragraph = nodes.paragraph("", "", *children)
    document.findall = paragraph.findall
    section = nodes.section("", paragraph)
    document.findall = section.findall
    app = SimpleNamespace(
        srcdir=str(BOOK), builder=SimpleNamespace(get_relative_uri=lambda page, target: f"../{target}.html")
    )
    of(app, document, page)
    found = [(link["refuri"], link.astext()) for link in section.findall(nodes.reference)]
    return found, paragraph.astext()


def test_the_first_mention_of_a_word_leads_to_its_meaning_and_no_later_one():
    text = "Replication is one thing, a second replication another; sharpness, too."
    found, whole = linked("chapters/x", nodes.Text(text), of=word_links._link_terms)
    assert found == [
        ("../method/glossary.html#term-replication", "Replication"),
        ("../method/glossary.html#term-sharpness", "sharpness"),
    ]
    assert whole == text


def test_the_longest_word_is_linked_and_no_part_of_another_word():
    found, _ = linked("method/x", nodes.Text("A primary claim of reseeding."), of=word_links._link_terms)
    assert found == [("../method/glossary.html#term-primary-claim", "primary claim")]
    assert linked("method/glossary", nodes.Text("A seed."), of=word_links._link_terms)[0] == []
    assert linked("index", nodes.Text("A seed."), of=word_links._link_terms)[0] == []


def test_no_link_is_put_into_a_link_that_is_written_in_html():
    opening, closing = (nodes.raw("", text, format="html") for text in ('<a href="#x">', "</a>"))
    parts = [opening, nodes.Text("a control here"), closing, nodes.Text(" and a control there")]
    document = nodes.paragraph("", "", *parts)
    word_links._link_terms(
        SimpleNamespace(srcdir=str(BOOK), builder=SimpleNamespace(get_relative_uri=lambda page, target: target)),
        nodes.section("", document),
        "chapters/x",
    )
    (link,) = document.findall(nodes.reference)
    assert document.index(link) > document.index(closing)


def test_a_claims_name_leads_to_its_row_in_its_own_chapter_alone():
    literal = nodes.literal("", "all-fit")
    found, _ = linked("chapters/02_random_vs_real_labels", literal, of=word_links._link_claims)
    assert found == [("#claim-random_labels-all-fit", "all-fit")]
    elsewhere = nodes.literal("", "all-fit")
    assert linked("chapters/03_early_stopping", elsewhere, of=word_links._link_claims)[0] == []


@pytest.mark.parametrize("term", TERMS)
def test_a_meaning_is_a_sentence(term):
    assert TERMS[term].endswith(".")
    assert len(TERMS[term]) > 30


def test_the_data_of_cards_has_every_paper_with_its_claims_and_every_word():
    script = cards.card_data([JUDGED], BOOK)
    data = json.loads(re.fullmatch(r"window\.genbookCards = (.*);\n", script)[1])
    paper = data["papers"]["zhang-et-al-2017"]
    assert paper["title"].startswith("Zhang, Bengio, Hardt et al., 2017. Understanding deep learning")
    (claim,) = paper["claims"]
    assert (claim["verdict"], claim["setting"]) == ("fails", "replication")
    assert claim["address"] == "scoreboard.html#claim-random_labels-all-fit"
    assert set(data["terms"]) == set(TERMS)
    assert not re.search(r"[$\\]", "".join(data["terms"].values()))
