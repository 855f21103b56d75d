"""The whole book as one PDF with bookmarks: its built pages, one after the other, printed by Chromium.

The bookmarks are the pages' headings. A link between pages leads to the place in the PDF; one to a table leads nowhere
and so is text.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genbook.base.errors import ForeseenError
from genbook.base.files import atomic, write_text
from genbook.base.scratch import scratch

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

#: Under which names Chromium is installed.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Beside the folder of the pages.
FILE = "book.pdf"
#: Of the theme: a page within the frame.
_ARTICLE = "article.bd-article"
_SECONDS = 600


class PdfError(ForeseenError):
    """The PDF could not be made; the message says what is missing or what Chromium said."""


def browser() -> str | None:
    """The Chromium of this machine, named by ``CHROMIUM`` or found; None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)


def required() -> str:
    """The Chromium of this machine; raises `PdfError` where there is none."""
    program = browser()
    if program is None:
        raise PdfError(
            f"a PDF is printed by Chromium, and none of {', '.join(_BROWSERS)} is installed: install one, or name it "
            "in the environment variable CHROMIUM"
        )
    return program


def browser_options() -> list[str]:
    """What Chromium is started with: as root it starts only without its sandbox."""
    return ["--headless", "--disable-gpu", *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]


def reading_order(html: Path) -> list[str]:
    """The pages below ``html`` in the order in which one leads to the next, the library's reference left out."""
    page, order = "index.html", []
    while page and page not in order:
        order.append(page)
        said = re.search(r'<link rel="next"[^>]*href="([^"]+)"', (html / page).read_text(encoding="utf-8"))
        page = _below(page, said[1]) if said else ""
    return [page for page in order if not page.startswith("reference/")]


def print_book(html: Path, where: Path | None = None) -> Path:
    """Print the book whose pages lie below ``html`` into the PDF ``where``, by default beside them; returns it.

    Raises `PdfError` where this machine has no Chromium, or where it prints nothing.
    """
    program, where, pages = required(), where or html.with_name(FILE), reading_order(html)
    whole = html / "_whole.html"
    write_text(whole, joined(html, pages))
    try:
        with scratch() as profile, atomic(where) as temporary:
            command = [program, *browser_options(), f"--user-data-dir={profile}", "--generate-pdf-document-outline"]
            command += ["--no-pdf-header-footer", "--virtual-time-budget=60000", "--allow-file-access-from-files"]
            command += [f"--print-to-pdf={temporary}", whole.as_uri()]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
            if done.returncode or not Path(temporary).is_file() or not Path(temporary).stat().st_size:
                raise PdfError(f"Chromium printed no PDF:\n{done.stderr[-2000:]}")
    finally:
        whole.unlink()
    return where


def joined(html: Path, pages: Sequence[str]) -> str:
    """Return one page that has the articles of all ``pages``, whose links and anchors lead to each other there."""
    from bs4 import BeautifulSoup

    first = BeautifulSoup((html / pages[0]).read_text(encoding="utf-8"), "html.parser")
    body = first.new_tag("body")
    styles: dict[str, None] = {}
    frame = _frame(first, body)
    for name in pages:
        soup = BeautifulSoup((html / name).read_text(encoding="utf-8"), "html.parser")
        for sheet in soup.select('head link[rel="stylesheet"]'):
            styles.setdefault(_below(name, str(sheet["href"])), None)
        article = soup.select_one(_ARTICLE)
        if article is not None:
            _move(article, name, set(pages))
            article["style"] = "break-before: page" if name != pages[0] else ""
            frame.append(article)
    sheets = "".join(f'<link rel="stylesheet" href="{style}"/>' for style in styles)
    title = first.title.get_text() if first.title else ""
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8"/>'
        f"<title>{title}</title>{sheets}</head>{body}</html>"
    )


def _frame(soup: BeautifulSoup, body: Tag) -> Tag:
    """Lay into ``body`` what the theme has around an article, for its styles; returns the innermost."""
    inner = body
    for classes in ("bd-container", "bd-main", "bd-content", "bd-article-container"):
        box = soup.new_tag("div", attrs={"class": classes})
        inner.append(box)
        inner = box
    return inner


def _move(article: Tag, name: str, pages: set[str]) -> None:
    """Rewrite the ids, links and images of an article as seen from the one page that all are on."""
    for element in article.select("[id]"):
        element["id"] = _anchor(name, str(element["id"]))
    article["id"] = _anchor(name, "")
    for image in article.select("img[src]"):
        source = str(image["src"])
        image["src"] = source if source.startswith("data:") else _below(name, source)
        image["loading"] = "eager"
    for link in article.select("a[href]"):
        address = str(link["href"])
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = address.partition("#")
        target = _below(name, path) if path else name
        if target in pages:
            link["href"] = f"#{_anchor(target, anchor)}"
        else:
            del link["href"]
    for box in article.select("details:not(.hide)"):
        box["open"] = ""


def _anchor(page: str, anchor: str) -> str:
    return f"{page.removesuffix('.html')}:{anchor}"


def _below(page: str, address: str) -> str:
    """An address on ``page`` as seen from the folder of all pages."""
    return os.path.normpath(os.path.join(os.path.dirname(page), address.partition("?")[0]))
