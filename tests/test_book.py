"""The book as a reader gets it, and its HTML: what `make book` built where that is current, else a smoke book.

`make check` builds a smoke book from an empty store, whatever is there.
"""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import nbformat
import pytest
import yaml

from genbook.base.files import repository, sha256, store_root
from genbook.book.execute import executed_path, execution_key, is_current
from genbook.figures.html import anchor_of
from genbook.figures.page import _footer
from genbook.results.chapters import chapter_title, chapters, studies_of
from tests import browser, figure_numbers
from tests.crates import broken_rules


class Page(HTMLParser):
    """What the tests ask of a page: its images, links, resources and text."""

    def __init__(self, path):
        super().__init__()
        self.path, self.images, self.links, self.resources, self.text = path, [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "img":
            self.images.append(named)
        if tag == "a":
            self.links.append(named.get("href", ""))
        if tag in ("script", "img", "iframe", "source") and named.get("src"):
            self.resources.append(named["src"])
        if tag == "link" and named.get("rel") in ("stylesheet", "preload", "icon", "shortcut icon"):
            self.resources.append(named["href"])

    def handle_data(self, data):
        self.text.append(data)


#: `make check` asks for everything anew; `make test` for the chapter whose networks train fastest, since executing all
#: chapters again takes minutes.
WHOLE = bool(os.environ.get("GENBOOK_WHOLE"))
EXECUTED_AGAIN = chapters() if WHOLE else ["07_benign_overfitting_xor"]


class Built(NamedTuple):
    """A book: where its store is, its pages, and the command that brings it up to date."""

    store: Path
    html: Path
    command: list[str]

    def again(self):
        """Build it once more."""
        environment = {**os.environ, "GENBOOK_STORE": str(self.store)}
        return subprocess.run(self.command, env=environment, capture_output=True, text=True, check=False)


def is_there(profile):
    """Whether the copies of all chapters that a build needs are current."""
    copies = ((executed_path(name, profile), execution_key(name, {"profile": profile})) for name in chapters())
    return all(is_current(path, key) for path, key in copies)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    command = [sys.executable, "-m", "genbook", "build"]
    if not WHOLE and is_there("quick"):
        book = Built(store_root(), repository() / "book" / "_build" / "html", command)
    else:
        folder = tmp_path_factory.mktemp("book")
        command += ["--profile", "smoke", "--out", str(folder / "out")]
        book = Built(folder / "store", folder / "out" / "html", command)
    done = book.again()
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(str(book.html / "index.html"))
    return book


@pytest.fixture(scope="session")
def smoke_copies(tmp_path_factory):
    """Some chapters executed in smoke from an empty store: (store, folder of the copies)."""
    folder = tmp_path_factory.mktemp("smoke")
    for chapter in EXECUTED_AGAIN:
        command = [sys.executable, "-m", "genbook", "run", chapter, "--profile", "smoke", "--out"]
        environment = {**os.environ, "GENBOOK_STORE": str(folder / "store")}
        out = folder / "copies" / f"{chapter}.ipynb"
        subprocess.run([*command, str(out)], env=environment, capture_output=True, text=True, check=True)
    return folder / "store", folder / "copies"


@pytest.fixture(scope="session")
def pages(built):
    names = [path.relative_to(built.html).as_posix() for path in sorted(built.html.rglob("*.html"))]
    return {name: Page(built.html / name) for name in names if not name.startswith("_static/")}


def test_every_page_of_the_contents_is_there(pages):
    listed = re.findall(r"file: (\S+)", (repository() / "book" / "_toc.yml").read_text())
    assert {f"{name}.html" for name in listed} | {"index.html"} <= set(pages)
    assert {f"chapters/{name}.html" for name in chapters()} <= set(pages)


@pytest.mark.parametrize("chapter", chapters())
def test_the_first_page_shows_every_chapter_with_a_picture_and_its_question(pages, chapter):
    index = pages["index.html"]
    assert f"chapters/{chapter}.html" in index.links
    (cover,) = [image for image in index.images if f"{chapter}.svg" in image["src"]]
    assert len(cover["alt"]) > 40
    question = pages[f"chapters/{chapter}.html"].path.read_text(encoding="utf-8").partition("Question</p>")[2]
    first_words = re.sub("<[^>]+>", " ", question)[:60].split()
    assert " ".join(first_words[:6]) in " ".join(" ".join(index.text).split())


def test_no_page_loads_anything_from_the_network(pages):
    for name, page in pages.items():
        outside = [source for source in page.resources if re.match(r"(https?:)?//", source)]
        assert not outside, name
        for source in page.resources:
            if not source.startswith("data:"):
                assert (page.path.parent / source.partition("?")[0]).exists(), (name, source)


def test_links_between_pages_lead_somewhere(pages):
    for name, page in pages.items():
        for link in page.links:
            target = link.partition("#")[0].partition("?")[0]
            if target and not re.match(r"[a-z]+:", target):
                assert (page.path.parent / target).exists(), (name, link)


@pytest.mark.parametrize("chapter", chapters())
def test_figures_have_alt_text_captions_provenance_a_rerun_line_and_their_table(pages, chapter):
    page = pages[f"chapters/{chapter}.html"]
    html = page.path.read_text(encoding="utf-8")
    figures = re.findall(r"<figure.*?</figure>", html, flags=re.DOTALL)
    assert len(figures) >= 3
    alts = []
    for figure in figures:
        # a figure of many images says as a whole what is seen
        alt, *_ = re.findall(r'<div class="panels"[^>]*? aria-label="([^"]*)"', figure) or re.findall(
            r'<img[^>]*?alt="([^"]*)"', figure
        )
        assert len(alt) > 40
        alts.append(alt)
        caption = re.sub(r"<[^>]+>", "", "".join(re.findall(r"<figcaption>.*?</figcaption>", figure, re.DOTALL)))
        assert re.search(r"Fig\. \d+", caption)
        assert "commit" in caption
        assert "genbook run" in caption
        links = set(re.findall(r'href="([^"]+\.csv)"', figure))
        assert links
        for link in links:
            assert len((page.path.parent / link).read_text().split("\n")) > 2
    assert len(set(alts)) == len(alts)


@pytest.mark.parametrize("chapter", chapters())
def test_every_claim_can_be_pointed_at_once_on_its_page_and_on_the_scoreboard(pages, chapter):
    page, board = (
        pages[name].path.read_text(encoding="utf-8") for name in (f"chapters/{chapter}.html", "scoreboard.html")
    )
    for study in studies_of(chapter):
        for claim in study.claims:
            row = f'<tr id="{anchor_of(study.name, claim.id)}"'
            for html in (page, board):
                assert html.count(row) == 1, claim.id
    assert 'class="verdict ' in page


def test_claims_named_in_the_text_lead_to_their_rows(pages):
    html = pages["chapters/02_random_vs_real_labels.html"].path.read_text(encoding="utf-8")
    assert re.search(r'<a class="claim-name[^"]*" href="#claim-random_labels-all-fit"><code', html)


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_says_its_answer_before_anything_else(pages, chapter):
    html = pages[f"chapters/{chapter}.html"].path.read_text(encoding="utf-8")
    places = [html.index(f">{words}<") for words in ("Question", "Answer", "In one figure:")]
    assert places == sorted(places)
    assert places[-1] < html.index("<h2>", places[0])
    assert re.search(r'<p class="chapter-head">Chapter \d+ · \d+ minutes? to read', html)


def test_links_within_and_between_pages_lead_to_what_is_there(pages):
    anchors = {
        name: set(re.findall(r'\bid="([^"]+)"', page.path.read_text(encoding="utf-8"))) for name, page in pages.items()
    }
    for name, page in pages.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            if not anchor or re.match(r"[a-z]+:", target):
                continue
            there = (page.path.parent / target).resolve() if target else page.path
            found = [other for other, one in pages.items() if one.path == there]
            assert found, (name, link)
            assert unquote(anchor) in anchors[found[0]], (name, link)


def test_no_page_shows_a_traceback_or_a_number_that_is_none(pages):
    for name, page in pages.items():
        text = re.sub(r"<pre.*?</pre>|<script.*?</script>", "", page.path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert "Traceback" not in text, name
        assert "Judgement(" not in page.path.read_text(encoding="utf-8"), f"{name} shows a value meant for its notebook"
        if name.startswith("chapters/"):
            assert not re.search(r"\bnan\b", text), name


def test_the_book_comes_with_its_tables_and_the_record_of_how_each_was_made(built, tmp_path):
    """An RO-Crate: its record speaks of every table beside the pages; `make check` holds the whole to its profile."""
    record = json.loads((built.html / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    told = {one["@id"]: one["sha256"] for one in record["@graph"] if one["@type"] == "File" and "sha256" in one}
    there = {path.relative_to(built.html).as_posix(): path for path in built.html.rglob("*.parquet")}
    assert set(told) == set(there)
    assert all(told[name] == sha256(path.read_bytes()) for name, path in there.items())
    actions = [one for one in record["@graph"] if one["@type"] == "CreateAction"]
    assert sorted(action["result"]["@id"] for action in actions) == sorted(told)
    assert {name.split("/")[1] for name in told} == {study.name for name in chapters() for study in studies_of(name)}
    if WHOLE:
        assert broken_rules(built.html, tmp_path / "cache") == []


def test_the_build_gives_every_file_that_codecheck_lists(built):
    listed = [item["file"] for item in yaml.safe_load((repository() / "codecheck.yml").read_text())["manifest"]]
    assert listed
    for file in listed:
        assert (built.html / Path(file).relative_to("book/_build/html")).is_file(), file


def test_run_statistics_name_chapters_and_versions(pages):
    text = " ".join(pages["run-statistics.html"].text)
    for word in (*map(chapter_title, chapters()), "torch", "cpu"):
        assert word in text


def test_the_data_of_a_pages_moving_figures_are_not_too_many(pages):
    for name, page in pages.items():
        html = page.path.read_text(encoding="utf-8")
        stored = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
        data = sum(len(json.dumps(json.loads(one).get("data"), separators=(",", ":"))) for one in stored)
        assert data <= 150_000, f"{name}: {data / 1000:.0f} kB"


def test_links_and_anchors_lead_to_a_place(built):
    assert not browser.dead_links(built.html)


def test_every_page_is_as_it_must_be_in_a_real_browser(built):
    """The library's names and the studies have pages all made alike; those, and contrast, `make check` looks at."""
    html = built.html
    names = browser.pages_of(html)
    alike = re.compile(r"(reference|evidence)/(?!index\.html)")
    names = [name for name in names if not alike.match(name)] + [f"evidence/{studies_of(chapters()[1])[0].name}.html"]
    claim = studies_of(chapters()[1])[0].claims[0].id
    with browser.chromium() as running:
        if running is None:
            pytest.skip("no Chromium here")
        audited = ["index.html", "search.html", "method/statistics.html", f"chapters/{chapters()[2]}.html"]
        wrong = browser.looked_at(running, html, names, contrast=False, audited=audited)
        wrong += browser.unmoved(running, html, names)
        wrong += browser.not_found(running, html, {**browser.SEARCHES, claim: f"chapters/{chapters()[1]}.html"})
    assert not wrong, "\n".join(wrong)


def test_every_moving_figure_draws_the_numbers_of_its_tables(built, monkeypatch):
    """As it is seen at first and after a move of its controls; a figure without its computation is one too many."""
    monkeypatch.setenv("GENBOOK_STORE", str(built.store))
    table = figure_numbers.tables("smoke" if "smoke" in built.command else "quick")
    wrong, compared = [], set()
    with browser.chromium() as running:
        if running is None:
            pytest.skip("no Chromium here")
        page = running.new_page()
        for chapter in chapters():
            page.goto((built.html / "chapters" / f"{chapter}.html").as_uri(), wait_until="load")
            there = page.eval_on_selector_all(
                ".moving[data-draw=grammar]", "all => all.map(one => one.closest('figure').id)"
            )
            assert set(there) <= set(figure_numbers.FIGURES), "add what it must show to tests/figure_numbers.py"
            for name in there:
                number, keys, compute, changes = figure_numbers.FIGURES[name]
                assert chapter.startswith(number)
                page.locator(f"#{name}").scroll_into_view_if_needed()
                page.wait_for_selector(f"#{name} .moving[data-alive]", timeout=20_000)
                for when in ("at first", "after a move"):
                    state, rows = figure_numbers.shown(page, name)
                    found = figure_numbers.differences(rows, keys, compute(table, state))
                    wrong += [f"{name}, {when}, at {state}: {one}" for one in found]
                    compared |= {name} if rows else set()
                    figure_numbers.change(page, name, changes)
    assert not wrong, "\n".join(wrong)
    if "smoke" not in built.command:
        assert compared == set(figure_numbers.FIGURES)


#: How long a table took to compute is all that two runs on one machine may say differently.
SANITIZED = r"""
[time]
regex: \d+ s · torch
replace: TIME · torch
"""


def as_shown(copy):
    """An executed copy with its figures' footers, which the build takes out, as running its cells shows them."""
    notebook = nbformat.read(copy, as_version=4)
    for cell in notebook.cells:
        assert not cell.id.endswith("-rest"), f"{copy.stem}, {cell.id}: what this cell shows was split from its figure"
        for output in list(cell.get("outputs", [])):
            about = output.get("metadata", {}).get("genbook", {})
            if about.get("kind") == "figure":
                output["data"] = about.get("notebook", output["data"])
                if image := output["data"].get("image/svg+xml"):
                    # the colours' meanings in light and dark are put in for the book
                    output["data"]["image/svg+xml"] = re.sub(r"<style>:root\{.*?</style>", "", image, count=1)
                text = "\n\n".join([f"**{about['caption']}**", *_footer(about, in_book=False)])
                shown = {"text/markdown": text, "text/plain": about["caption"]}
                cell.outputs.append(nbformat.v4.new_output("display_data", shown))
    return notebook


def nbval(folder, store, workers):
    """Execute the copies in ``folder`` again and compare all that their cells show, images included."""
    (folder / "sanitize.cfg").write_text(SANITIZED)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "120"]
    command += ["--nbval-sanitize-with", str(folder / "sanitize.cfg"), "-n", str(workers), "--dist", "loadscope"]
    command += ["-q", "-rf"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(folder), str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["GENBOOK_STORE"] = str(store)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_nbval_gets_the_same_from_a_second_empty_store(smoke_copies, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    for chapter in EXECUTED_AGAIN:
        nbformat.write(as_shown(smoke_copies[1] / f"{chapter}.ipynb"), folder / f"{chapter}.ipynb")
    done = nbval(folder, tmp_path / "store", workers=2)
    assert done.returncode == 0, done.stdout[-3000:]


def changed(text):
    """The text with its last digit that stands alone or ends a number turned into another one."""
    return re.sub(r"(.*)(\d)", lambda found: f"{found[1]}{(int(found[2]) + 1) % 10}", text, count=1, flags=re.DOTALL)


def test_nbval_notices_a_changed_number_in_prose_verdicts_captions_and_alternative_texts(smoke_copies, tmp_path):
    chapter = EXECUTED_AGAIN[0]
    store, copies = smoke_copies
    notebook = as_shown(copies / f"{chapter}.ipynb")
    planted = {}
    for cell in notebook.cells:
        for call, kind, place in (
            ("chapter.say(", "text/markdown", 0),
            ("chapter.verdict(", "text/html", 0),
            ("chapter.verdicts(", "text/html", 0),
            ("chapter.show(", "text/markdown", -1),
            ("chapter.show(", "text/plain", 0),
        ):
            unused = cell.cell_type == "code" and (call, kind) not in planted and cell.id not in planted.values()
            if unused and call in cell.source and kind in cell.outputs[place].data:
                before = cell.outputs[place].data[kind]
                cell.outputs[place].data[kind] = changed(before)
                if cell.outputs[place].data[kind] != before:
                    planted[call, kind] = cell.id
    assert len(planted) == 5
    folder = tmp_path / "copies"
    folder.mkdir()
    nbformat.write(notebook, folder / f"{chapter}.ipynb")
    done = nbval(folder, store, workers=0)
    numbers = [
        number
        for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code")
        if cell.id in planted.values()
    ]
    failed = [int(number) for number in re.findall(r"^FAILED \S+::Cell (\d+)", done.stdout, re.MULTILINE)]
    assert sorted(failed) == numbers, done.stdout[-3000:]


def test_a_second_build_with_nothing_changed_executes_nothing(built):
    done = built.again()
    assert done.returncode == 0
    assert "executing" not in done.stdout
    assert "nothing changed" in done.stdout
