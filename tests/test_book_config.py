"""The book's configuration and own pages: a small book builds without a warning, and no page of it needs the network.

Its one chapter is a notebook made here; the chapters of the real book are tested where they are executed.
"""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
import yaml
from pybtex.database import parse_file

from genbook.base.claims import NOT_RUN, Claim
from genbook.book import maths, reference
from genbook.book.build import BuildError, lay_out_code
from genbook.book.generated import table_of_contents
from genbook.book.pictures import draw_pictures
from genbook.figures import claims_table, html, page
from genbook.figures.html import VERDICTS
from genbook.training import minimal

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
BIN = Path(sys.executable).parent

#: The reference of one package stands for all: each page is one of the same kind.
LIBRARY = {where: text for where, text in reference.pages().items() if where.startswith("reference/models")}
LIBRARY = {reference.FIRST: "# Library reference", **LIBRARY}
#: The pages with the sources of statistics, which the build writes.
STATISTICS = ["evidence/index", "evidence/random_labels"]

#: Where the small book says that it lies.
REPOSITORY = "https://github.com/someone/genbook"

#: A figure with nothing in it.
IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="660" height="360"></svg>'


class Page(HTMLParser):
    """What a browser would load for a page, and its figures and anchors."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.anchors, self.images = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        if tag == "img":
            self.images.append(attributes)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.loads.append(attributes.get("src"))
        if tag == "link" and attributes.get("rel") in ("stylesheet", "icon", "preload", "preconnect", "dns-prefetch"):
            self.loads.append(attributes.get("href"))


def figure_cell(name, caption):
    about = {
        "kind": "figure",
        "name": name,
        "caption": caption,
        "alt": f"Alt text of {name}.",
        "provenance": "a study · quick",
        "rerun": "genbook run 02 -p steps 7",
        "tables": [["rows.csv", "../tables/rows.csv"]],
    }
    image = nbformat.v4.new_output(
        "display_data",
        data={"image/svg+xml": IMAGE, "text/plain": "text"},
        metadata={"genbook": about},
    )
    footer = nbformat.v4.new_output(
        "display_data", data={"text/markdown": "FOOTER OF THE NOTEBOOK"}, metadata={"genbook": {"kind": "footer"}}
    )
    return nbformat.v4.new_code_cell("draw()", outputs=[image, footer], metadata={"tags": ["hide-input"]})


def chapter():
    claim = Claim("a-claim", "It is so.", "zhang-et-al-2017", lambda table, spec: table, ">", 1, "nothing")
    row = html.Shown(claim, {"Discovery": html.Cell(NOT_RUN)})
    table = nbformat.v4.new_output("display_data", data={"text/html": claims_table([row])})
    sentence = nbformat.v4.new_output("display_data", data={"text/markdown": "As {numref}`fig-two`: $x = 3$."})
    cells = [
        nbformat.v4.new_markdown_cell("# A chapter\n\nSee {numref}`fig-one` and {cite:t}`chatterjee-zielinski-2022`."),
        figure_cell("fig-one", "First, at $\\alpha = 1$, after {cite:t}`zhang-et-al-2017`."),
        figure_cell("fig-two", "Second."),
        nbformat.v4.new_code_cell("say()", outputs=[sentence], metadata={"tags": ["remove-input"]}),
        nbformat.v4.new_code_cell("verdicts()", outputs=[table], metadata={"tags": ["remove-input"]}),
        nbformat.v4.new_markdown_cell(":::{admonition} Solution\n:class: solution dropdown\nIt doubles.\n:::"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def toc_files():
    toc = yaml.safe_load(contents())
    return [toc["root"], *(file for part in toc["parts"] for entry in part["chapters"] for file in files_of(entry))]


def files_of(entry):
    yield entry["file"]
    for section in entry.get("sections", []):
        yield from files_of(section)


def contents():
    return table_of_contents((BOOK / "_toc.yml").read_text(encoding="utf-8"), reference.listed(LIBRARY), STATISTICS)


def stage(folder):
    """Lay out the book as the build does, with one small notebook as every chapter and stubs for generated pages."""
    shutil.copytree(BOOK, folder, ignore=shutil.ignore_patterns("_build", "*.parquet"))
    (folder / "_toc.yml").write_text(contents(), encoding="utf-8")
    (folder / "tables").mkdir()
    (folder / "tables" / "rows.csv").write_text("seed,step\n0,1\n", encoding="utf-8")
    (folder / "chapters").mkdir()
    (folder / "extra").mkdir()
    (folder / "live").mkdir()
    for part in ("contents", "primary", "live/front", "live/six-gradients"):
        (folder / f"{part}.md").write_text("Generated.\n", encoding="utf-8")
    index = folder / "index.md"
    index.write_text(re.sub(r"\{claim\}`[^`]+`", "a number", index.read_text(encoding="utf-8")), encoding="utf-8")
    reference.lay_out(folder, LIBRARY)
    draw_pictures(folder / "pictures")
    first = True
    for name in toc_files():
        if name.startswith("chapters/"):
            notebook = page.annotate(chapter()) if first else nbformat.v4.new_notebook(cells=[_heading(name)])
            nbformat.write(notebook, folder / f"{name}.ipynb")
            first = False
        elif not (folder / f"{name}.md").is_file():
            (made := folder / f"{name}.md").parent.mkdir(exist_ok=True)
            made.write_text(f"# {name}\n\nGenerated.\n", encoding="utf-8")
    lay_out_code(folder)
    return folder


def _heading(name):
    return nbformat.v4.new_markdown_cell(f"# {name}")


def run(*command, cwd=ROOT):
    command = [BIN / command[0], *map(str, command[1:])]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    source = stage(folder / "source")
    config = folder / "_config.yml"
    written = re.sub("book_repository:.*", f"book_repository: {REPOSITORY}", (ROOT / "_config.yml").read_text())
    config.write_text(written, encoding="utf-8")
    where = ["--config", config, "--toc", source / "_toc.yml", "--path-output", folder]
    run("jupyter-book", "build", source, *where, "-W", "-n", "--keep-going", "--all", "-q")
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def chapter_page(built):
    return built / f"{first_chapter()}.html"


def first_chapter():
    return next(name for name in toc_files() if name.startswith("chapters/"))


def test_no_page_loads_anything_from_elsewhere(built):
    pages = [path for path in built.rglob("*.html") if "_static" not in path.parts]
    assert len(pages) > len(toc_files())
    for path in pages:
        loads = [address for address in Page(path).loads if address]
        assert not [address for address in loads if re.match(r"(\w+:)?//", address)], path.name
        assert not re.search(r"unpkg|jsdelivr|cdnjs|googleapis", path.read_text(encoding="utf-8")), path.name
        for address in loads:
            if not address.startswith("data:"):
                target = (path.parent / re.sub(r"[?#].*", "", address)).resolve()
                assert target.is_file(), f"{path.name} asks for {address}"
    for path in built.rglob("*.css"):
        assert not re.search(r"""(url\(|@import)\s*["']?(https?:)?//""", path.read_text(encoding="utf-8")), path.name


def test_equations_are_set_and_no_script_is_loaded_for_them_or_for_icons(built, chapter_page):
    text = chapter_page.read_text(encoding="utf-8")
    assert text.count("<math") >= 2  # in a caption and in a sentence
    assert "\\(" not in text
    for path in built.rglob("*.html"):
        assert not [
            address for address in Page(path).loads if re.search("mathjax|fontawesome|bootstrap", address or "")
        ]
    assert not list(built.rglob("*fontawesome*"))
    assert (built / "_static/fonts/LICENSE").is_file()


def test_a_page_says_once_how_wide_it_is_and_what_it_is_about(built, chapter_page):
    for path in (built / "index.html", chapter_page, built / "method" / "coherence.html"):
        text = path.read_text(encoding="utf-8")
        assert len(re.findall('<meta[^>]*name="viewport"', text)) == 1, path.name
    assert len(re.findall('<meta name="description" content="[^"]{40,}"', text)) == 1
    assert "<title>Why neural networks generalize</title>" in (built / "index.html").read_text(encoding="utf-8")
    assert "Coherence &#8212; Why neural networks generalize" in text


def test_images_have_their_place_before_they_are_there(built, chapter_page):
    images = Page(chapter_page).images + Page(built / "index.html").images
    assert len(images) >= 2
    assert all(image.get("width") and image.get("height") and image.get("loading") == "lazy" for image in images)


def test_solutions_open_without_a_script(chapter_page):
    text = chapter_page.read_text(encoding="utf-8")
    solution = r'<details class="[^"]*solution[^"]*"[^>]*>\s*<summary class="admonition-title">Solution</summary>'
    assert re.search(solution, text)


def test_every_page_links_to_the_repository_that_the_configuration_names(built, chapter_page):
    for path in (built / "index.html", chapter_page, built / "method" / "coherence.html"):
        text = path.read_text(encoding="utf-8")
        assert f'href="{REPOSITORY}">Source</a>' in text, path.name
        assert f'href="{REPOSITORY}/issues/new?title=Error%20on%20the%20page%20' in text, path.name
        assert ("Open in Colab" in text) is (path == chapter_page)
        assert 'cite.html">Cite this book</a>' in text
        assert "MIT licence" in text


def test_the_search_page_has_all_sections_at_hand(built):
    data = (built / "search-data.js").read_text(encoding="utf-8")
    rows = json.loads(data.removeprefix("window.bookSections = ").removesuffix(";\n"))
    assert any("α" in text for page, *_, text in rows if page == "method/coherence.html")
    assert {"zhang-et-al-2017", "definition"} <= {anchor for _, anchor, *_ in rows}
    assert "search-data.js" in (built / "search.html").read_text(encoding="utf-8")
    assert "search-data.js" not in (built / "index.html").read_text(encoding="utf-8")


def test_figures_are_numbered_captioned_and_described(chapter_page):
    text = chapter_page.read_text(encoding="utf-8")
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) == 2
    for number, (figure, name) in enumerate(zip(figures, ("fig-one", "fig-two"), strict=True), start=1):
        assert f'id="{name}"' in figure
        assert f'<span class="caption-number">Fig. {number} </span>' in figure
        assert f'alt="Alt text of {name}."' in figure
        assert '<p class="provenance">a study · quick</p>' in figure
        assert "genbook" in figure
        assert re.search(r'<a class="reference download internal"[^>]*href="[^"]*rows\.csv"', figure)
    assert maths.mathml(r"\alpha = 1") in figures[0]
    assert "FOOTER OF THE NOTEBOOK" not in text
    assert re.findall(r'href="#(fig-\w+)"><span class="std std-numref">Fig. (\d)', text) == [
        ("fig-one", "1"),
        ("fig-two", "2"),
    ]


def test_every_claim_links_to_its_entry_in_the_bibliography(built, chapter_page):
    links = re.findall(r'href="\.\./references\.html#([^"]*)"', chapter_page.read_text(encoding="utf-8"))
    assert "zhang-et-al-2017" in links
    anchors = Page(built / "references.html").anchors
    assert set(links) <= anchors
    assert set(parse_file(BOOK / "references.bib").entries) <= anchors


def test_the_page_on_replicas_shows_the_code_of_an_experiment_as_it_is_now(built):
    text = (built / "method" / "replicas.html").read_text(encoding="utf-8")
    shown = [unescape(re.sub("<[^>]+>", "", code)) for code in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]
    assert Path(minimal.__file__).read_text(encoding="utf-8").strip() in [code.strip() for code in shown]


def test_a_page_that_shows_code_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("```{literalinclude} /genbook/training/maximal.py\n```\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"page\.md shows genbook/training/maximal\.py"):
        lay_out_code(tmp_path)


def test_there_is_one_search_box(built):
    assert (built / "index.html").read_text(encoding="utf-8").count('type="search"') <= 1


def test_images_have_alt_text(built):
    images = [image for name in toc_files() for image in Page(built / f"{name}.html").images]
    assert images
    assert all(image.get("alt") and not image["alt"].endswith((".svg", ".png")) for image in images)


def test_plain_sphinx_builds_the_same_pages(built, tmp_path):
    source = stage(tmp_path / "source")
    shutil.copy(ROOT / "_config.yml", source)  # conf.py is written beside it
    run("jupyter-book", "config", "sphinx", source)
    run("sphinx-build", "-b", "html", "-W", "-n", "--keep-going", "-q", source, tmp_path / "html")
    for name in toc_files():
        assert (tmp_path / "html" / f"{name}.html").is_file()
    one, other = (
        (folder / f"{first_chapter()}.html").read_text(encoding="utf-8") for folder in (built, tmp_path / "html")
    )
    figures = [re.findall(r"<figure.*?</figure>", text, re.DOTALL) for text in (one, other)]
    assert figures[0] == figures[1]


# --- sources that need no build ------------------------------------------------------------------------------------


def _plain(name):
    """A last name in small letters, without the accents that LaTeX writes as commands: Jastrz{\\k{e}}bski."""
    return re.sub(r"\\[a-zA-Z](?=\{)|[^a-z]", "", name.replace("\\l", "l").lower())


def test_keys_of_the_bibliography_read_as_their_authors_and_year():
    entries = parse_file(BOOK / "references.bib").entries
    assert list(entries) == sorted(entries)
    for key, entry in entries.items():
        names = [_plain(" ".join(person.last_names)) for person in entry.persons["author"]]
        assert key.endswith("-" + entry.fields["year"]), key
        stem = key.removesuffix("-" + entry.fields["year"])
        if stem.endswith("-et-al"):
            assert len(names) > 2, key
            assert names[0] == stem.removesuffix("-et-al").replace("-", ""), key
        else:
            assert stem.replace("-", "") == "".join(names), key
        assert html.citation(key) != key


def test_every_verdict_has_a_look_of_its_own():
    style = (BOOK / "assets" / "book.css").read_text(encoding="utf-8")
    for verdict in VERDICTS:
        if verdict != "not judged":  # the plain badge
            assert f".verdict.{verdict.replace(' ', '-')} {{" in style


def test_the_dark_page_turns_figures_over_as_their_colours_expect():
    style = (BOOK / "assets" / "book.css").read_text(encoding="utf-8")
    assert "filter: invert(1) hue-rotate(180deg);" in style
