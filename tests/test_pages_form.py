"""What pages are made of: style sheets without what no page uses, search data, images, descriptions."""

import io
import json
import re

import jinja2
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from genbook.base.files import repository
from genbook.book import html_pages, pdf
from genbook.book.search_data import sections
from genbook.book.stylesheets import names_used, pruned, with_fonts
from genbook.figures.images import compressed

# --- style sheets ---


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".here { color: red }", ".here{color: red}\n"),
        (".gone { color: red }", ""),
        (".here, .gone, p { margin: 0 }", ".here,p{margin: 0}\n"),
        (".here .gone { margin: 0 }", ""),
        ("p:not(.gone) { margin: 0 }", "p:not(.gone){margin: 0}\n"),
        (":is(.gone, .here) { margin: 0 }", ":is(.gone, .here){margin: 0}\n"),
        ("#gone { margin: 0 } #there { margin: 0 }", "#there{margin: 0}\n"),
        ('a[href=".gone"] { margin: 0 }', 'a[href=".gone"]{margin: 0}\n'),
        (".one\\:two { margin: 0 }", ".one\\:two{margin: 0}\n"),
        ("@media print { .gone { margin: 0 } }", ""),
        ("@media print { .gone { margin: 0 } .here { margin: 0 } }", "@media print{.here{margin: 0}\n}\n"),
        (
            "@keyframes k { from { opacity: 0 } to { opacity: 1 } }",
            "@keyframes k{from { opacity: 0 } to { opacity: 1 }}\n",
        ),
        ('.here::before { content: "}.gone{" }', '.here::before{content: "}.gone{"}\n'),
        ("/* .here { } */ p { margin: 0 }", "p{margin: 0}\n"),
        ('@charset "UTF-8"; p { margin: 0 }', '@charset "UTF-8";p{margin: 0}\n'),
    ],
)
def test_a_rule_stays_where_a_page_uses_all_of_its_names(css, left):
    assert pruned(css, {"here", "there", "one:two"}) == left


def test_names_come_from_pages_and_from_the_scripts_that_they_load(tmp_path):
    (tmp_path / "used.js").write_text('box.classList.add("opened")')
    (tmp_path / "unused.js").write_text('box.classList.add("shut")')
    (tmp_path / "page.html").write_text('<p class="one two" id="three"><script src="used.js?v=1"></script>')
    names = names_used(tmp_path)
    assert {"one", "two", "three", "opened"} <= names
    assert "shut" not in names


def test_fonts_are_written_into_the_sheet(tmp_path):
    (tmp_path / "a.woff2").write_bytes(b"wOF2")
    css = with_fonts('@font-face { src: url("a.woff2") } p { background: url(b.png) }', tmp_path)
    assert css == "@font-face { src: url(data:font/woff2;base64,d09GMg==) } p { background: url(b.png) }"


# --- search ---

PAGE = """<html><body><nav>not this</nav><article class="bd-article"><section id="top">
<h1>Title<a class="headerlink">#</a></h1>
<p>First <em>wo</em>rds.</p><section id="sub"><h2>Sub</h2><pre>code</pre><p>It is <math><mi>α</mi></math>.</p>
<table><tbody><tr id="claim-study-one"><th>It holds. <code>one</code></th></tr></tbody></table>
<figure id="fig-a"><img src="x"><figcaption>Fig. 3 Seen.<div class="legend">cpu</div></figcaption></figure>
</section></section>
</article></body></html>"""


def test_sections_claims_and_figures_can_be_found_and_code_cannot():
    assert sections(PAGE) == [
        ("top", "Title", "First words."),
        ("sub", "Sub", "It is α."),
        ("claim-study-one", "It holds", "It holds. one"),
        ("fig-a", "Fig. 3", "Fig. 3 Seen."),
    ]


def test_rows_are_left_to_the_page_that_tells_them():
    assert [anchor for anchor, *_ in sections(PAGE, rows=False)] == ["top", "sub", "fig-a"]


# --- images ---


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, format="png")
    return buffer.getvalue()


def colours(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def drawn(draw):
    fig, ax = plt.subplots(figsize=(4, 3), dpi=200)
    draw(ax)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", transparent=True)
    plt.close(fig)
    return buffer.getvalue()


def test_a_drawing_becomes_small_and_looks_the_same():
    before = drawn(lambda ax: [ax.plot(range(9), np.sin(np.arange(9) + k), label=str(k)) for k in range(4)])
    after = compressed(before)
    assert len(after) < len(before) / 2
    assert colours(after).shape == colours(before).shape
    assert (np.abs(colours(after) - colours(before))[..., 3].max(axis=1) > 60).mean() < 0.01


def test_an_image_of_many_colours_loses_nothing():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    noise[..., 3] = 255
    before = png(Image.fromarray(noise, "RGBA"))
    assert (colours(compressed(before)) == colours(before)).all()


# --- code ---


def test_code_keeps_the_classes_that_have_a_colour_and_its_text():
    plain = html_pages.uncoloured(["github-light", "github-dark"])
    assert "p" in plain
    assert not plain & {"k", "s2", "n", "o"}
    code = '<pre><span></span><span class="n">a</span><span class="p">(</span><span class="w"> </span>'
    code += '<span class="o">*</span><span class="o">*</span>b&gt;</pre><span class="p">(</span>'
    lean = html_pages.lean(code, plain)
    assert lean == '<pre><span class="n">a</span>( <span class="o">**</span>b&gt;</pre><span class="p">(</span>'


def test_pieces_of_one_class_are_joined_with_what_is_between_them():
    code = '<pre><span class="c1"># a</span>\n<span class="c1"># b</span>\n<span class="c1"># c</span>\n</pre>'
    assert html_pages.lean(code, frozenset()) == '<pre><span class="c1"># a\n# b\n# c</span>\n</pre>'
    apart = '<pre><span class="n">a</span>.<span class="n">b</span></pre>'
    assert html_pages.lean(apart, frozenset()) == apart


# --- the one figure of a chapter ---

SUMMARY = '<div class="one-figure"><a href="#fig-a"></a></div>'


def test_the_one_figure_is_the_file_of_the_figure_itself():
    image = '<img width="660" height="360" loading="lazy" alt="It falls." class="dark-light" src="../_images/a.svg">'
    number = '<span class="caption-number">Fig. 3 </span>'
    figure = f'<figure class="plot" id="fig-a">{image}<figcaption>{number}It.</figcaption></figure>'
    small, _, rest = html_pages.with_one_figure(f"{SUMMARY}\n{figure}").partition("\n")
    assert rest == figure
    assert small == f'<div class="one-figure"><a href="#fig-a">{image.replace("It falls.", "Fig. 3, small")}</a></div>'


@pytest.mark.parametrize("image", ["<svg></svg>", '<img alt="" src="data:image/png;base64,AA==">'])
def test_a_figure_that_is_no_file_is_not_shown_twice(image):
    figure = f'<figure id="fig-b"><img src="b.svg"></figure><figure id="fig-a">{image}</figure>'
    assert html_pages.with_one_figure(SUMMARY + figure) == figure


# --- the rest of a page ---


@pytest.mark.parametrize(
    ("titles", "row", "stacks"),
    [
        (
            ("schedule", "last iterate", "average of all", "bound", "best peak", "of it"),
            ("inverse", *["0.0351"] * 5),
            True,
        ),
        (("density", "signal", "theory", "training time", "theory"), ("χ = 0.5", *["0.63"] * 4), False),
        (
            ("density", "signal", "theory"),
            ("χ = 0.5", "0.63", "a cell that is as long as a sentence of some words"),
            True,
        ),
    ],
)
def test_a_table_too_wide_for_a_telephone_is_shown_there_cell_under_cell(titles, row, stacks):
    head = "".join(f"<th>{title}</th>" for title in titles)
    cells = "".join(f"<td>{cell}</td>" for cell in row)
    table = f'<table class="table"><thead><tr>{head}</tr></thead><tbody><tr>{cells}</tr></tbody></table>'
    found = html_pages.stacked(table)
    assert ('class="stacks ' in found) is stacks
    assert re.findall('data-label="([^"]*)"', found) == (list(titles) if stacks else [])


def test_headers_that_say_nothing_are_cells_and_buttons_are_named_by_what_they_show():
    html = '<th></th><th class="x"> </th><th>a</th><summary aria-label="Toggle hidden content"><p>Show</p></summary>'
    assert html_pages._named(html) == "<td></td><td></td><th>a</th><summary><p>Show</p></summary>"


def footer(address, pagename="chapters/02_random_vs_real_labels"):
    template = jinja2.Template((repository() / "book" / "templates" / "extra-footer.html").read_text(encoding="utf-8"))
    named = {"repository": address, "pagename": pagename, "licence": "MIT"}
    return template.render(**named, pathto=lambda name: f"{name}.html")


def test_a_chapter_can_be_opened_in_colab_where_it_lies_on_github():
    text = footer("https://github.com/someone/genbook")
    link = "https://colab.research.google.com/github/someone/genbook/blob/main/notebooks/02_random_vs_real_labels.ipynb"
    assert f'href="{link}"' in text
    assert '%pip install --quiet "genbook[book] @ git+https://github.com/someone/genbook"' in text
    for other in (footer(""), footer("https://codeberg.org/a/b"), footer("https://github.com/a/b", "references")):
        assert "Colab" not in other


@pytest.mark.parametrize("page", ["index", "chapters/02_random_vs_real_labels"])
def test_where_no_repository_is_known_a_page_speaks_of_none(page):
    text = footer("", page)
    assert re.sub(r"\s+", " ", re.sub("<[^>]+>", "", text)).strip() == "MIT · Cite this book"
    assert re.findall('href="([^"]*)"', text) == ["cite.html"]


# --- the PDF ---


def test_pages_are_joined_with_links_between_them(tmp_path):
    (tmp_path / "sub").mkdir()
    article = '<html><head><title>Book</title>{}</head><body><article class="bd-article">{}</article></body></html>'
    sheet = '<link rel="stylesheet" href="{}s.css?v=1"/>'
    first = '<h1 id="a">A</h1><a href="sub/two.html#b">two</a><a href="t.csv">table</a><a href="https://x.y/z">out</a>'
    second = '<h1 id="b">B</h1><a href="../index.html">one</a><a href="#b">here</a><img src="../i.png" loading="lazy"/>'
    second += '<img src="data:image/png;base64,a//b/../c="/>'
    (tmp_path / "index.html").write_text(article.format(sheet.format(""), first))
    (tmp_path / "sub" / "two.html").write_text(article.format(sheet.format("../"), second))
    whole = pdf.joined(tmp_path, ["index.html", "sub/two.html"])
    assert whole.count('<link rel="stylesheet" href="s.css"/>') == 1
    for piece in (
        'id="index:a"',
        'href="#sub/two:b"',
        'href="https://x.y/z"',
        'href="#index:"',
        'src="i.png"',
        'src="data:image/png;base64,a//b/../c="',
        "<a>table</a>",
    ):
        assert piece in whole, piece
    assert 'loading="lazy"' not in whole


def test_without_chromium_a_pdf_is_refused_before_anything_is_built(monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pdf.PdfError, match="none of chromium"):
        pdf.required()


def test_search_data_is_a_script_that_a_page_read_from_a_file_may_load(tmp_path):
    from types import SimpleNamespace

    from genbook.book import search_data

    (tmp_path / "one.html").write_text(PAGE)
    app = SimpleNamespace(
        outdir=tmp_path, builder=SimpleNamespace(format="html"), env=SimpleNamespace(found_docs={"one"})
    )
    search_data._write(app, None)
    said = (tmp_path / search_data.FILE).read_text(encoding="utf-8")
    rows = json.loads(said.removeprefix("window.bookSections = ").removesuffix(";\n"))
    assert rows[0] == ["one.html", "top", "Title", "Title", "First words."]


# --- tables on a phone ---


def table(head, *rows):
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}><p>{cell}</p></{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<table class="table"><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table>'


SENTENCE = "what is too long for a column of a few letters"


def test_a_table_too_wide_for_a_phone_has_its_titles_in_its_cells():
    page = html_pages.stacked(table(("name", "a & b", "what"), ("one", "", SENTENCE), ("two", "2", "short")))
    assert page.startswith('<table class="stacks table">')
    assert '<td data-label="what"><p>' + SENTENCE in page
    assert '<td data-label="a &amp; b" class="empty"><p></p></td>' in page.replace("&amp;amp;", "&amp;")
    assert page.count("data-label") == 6
    assert "data-label" not in page.partition("</thead>")[0]


@pytest.mark.parametrize(
    "plain",
    [
        table(("name", "what"), ("one", SENTENCE)),
        table(("a", "b", "c"), ("1", "2", "3")),
        table(("a", "b", "c"), ("1", SENTENCE)),
        table(("name", "a", "what"), ("one", "2", SENTENCE)).replace('class="table"', 'class="claims"'),
    ],
    ids=["two columns", "narrow", "cells that are missing", "of claims"],
)
def test_any_other_table_stays_as_it_is(plain):
    assert html_pages.stacked(plain) == plain


def test_words_that_cannot_be_broken_make_a_table_wide():
    long = table(("a" * 30, "b" * 30, "c"), ("1", "2", "3"))
    assert "stacks" in html_pages.stacked(long)
