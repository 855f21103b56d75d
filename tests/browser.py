"""The built book in a real browser: what Chromium shows, loads and says, page by page.

``python -m tests.browser`` looks at every page of the built book in light and dark and in three widths, and prints the
whole as a PDF (minutes). Where there is no Chromium it says so in one line.
"""

import itertools
import multiprocessing
import re
import sys
import tempfile
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from genbook.base.files import repository
from genbook.book.pdf import browser, browser_options, print_book

WIDTHS = (1280, 390, 360)
THEMES = ("light", "dark")
#: What a page may weigh before anybody scrolls, in bytes.
HEAVIEST = 1_500_000
#: The Web Content Accessibility Guidelines 2.1, level AA.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
#: What is sought, and on which page it must be found.
SEARCHES = {"alpha": "method/coherence.html", "\\alpha": "method/coherence.html", "Zhang": "references.html"}

#: What a page shows that it must not, seen from within.
_SEEN = r"""() => {
  const found = [], root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
    const named = wide.slice(-1).map(e => `${e.tagName.toLowerCase()}.${e.className}`);
    found.push(`wider than the window: ${root.scrollWidth} > ${innerWidth} ${named}`);
  }
  const text = document.createTreeWalker(document.querySelector("article, main"), NodeFilter.SHOW_TEXT);
  for (let node = text.nextNode(); node; node = text.nextNode()) {
    const tex = /\\[([]|\\(frac|sum|alpha|eta|lVert|mathbb)\b|\$\$/.exec(node.data);
    const shown = tex && !node.parentElement.closest("pre, code, script, style");
    if (shown) found.push(`TeX is shown: ${node.data.slice(0, 60)}`);
  }
  for (const math of document.querySelectorAll("math")) {
    const box = math.getBoundingClientRect();
    const empty = !(box.width > 0 && box.height > 0);
    if (math.checkVisibility() && empty) found.push(`not set: ${math.textContent.slice(0, 40)}`);
  }
  const maths = document.querySelector("math");
  if (maths && !document.fonts.check("16px 'Book Math'")) found.push("the font of the maths is missing");
  for (const image of document.images) {
    if (image.complete && image.loading !== "lazy" && !image.naturalWidth) found.push(`no image: ${image.src}`);
    const sized = image.getAttribute("width") && image.getAttribute("height");
    if (!sized) found.push(`an image without a size: ${image.src}`);
  }
  return found;
}"""


class _Anchors(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids |= {named.get("id"), named.get("name")}
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])


def pages_of(html):
    """The pages below ``html``, as addresses relative to it."""
    names = (path.relative_to(html).as_posix() for path in sorted(html.rglob("*.html")))
    return [name for name in names if not name.startswith(("_static/", "_sources/"))]


def dead_links(html):
    """The links between pages that lead to no file, or to no place in it."""
    read = {name: _Anchors((html / name).read_text(encoding="utf-8")) for name in pages_of(html)}
    dead = []
    for name, page in read.items():
        for link in page.links:
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (html / name).parent / unquote(path.partition("?")[0]) if path else html / name
            target = target.resolve().relative_to(html.resolve()).as_posix()
            if not (html / target).is_file() or (anchor and target in read and unquote(anchor) not in read[target].ids):
                dead.append(f"{name}: {link} leads nowhere")
    return dead


@contextmanager
def chromium():
    """A running browser; None where the machine has none."""
    program = browser()
    if program is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = [option for option in browser_options() if option != "--headless"]
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


def looked_at(running, html, names, theme="light", width=1280, contrast=True, audited=None):
    """What is wrong with the pages ``names`` below ``html`` as the browser shows them in this theme and width.

    ``contrast``: of all text with its ground, too, which takes most of the time. ``audited``: the pages on which axe
    looks for barriers, by default all.
    """
    from axe_playwright_python.sync_playwright import Axe

    context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
    page, axe, wrong, here, asked_for = context.new_page(), Axe(), [], "", set()

    def note(said):
        wrong.append(f"{here} ({theme}, {width}): {said}")

    page.on("console", lambda message: message.type == "error" and note(f"console: {message.text}"))
    page.on("pageerror", lambda error: note(f"script: {error}"))
    # What is given up because the next page is asked for has not failed: a file that is not there says so.
    page.on(
        "requestfailed",
        lambda request: (
            request.failure != "net::ERR_ABORTED" and note(f"not loaded: {request.url} ({request.failure})")
        ),
    )
    page.on("request", lambda request: _is_inside(request.url, html) or note(f"asks for {request.url}"))
    page.on("request", lambda request: asked_for.add(request.url))
    asked = {"runOnly": {"type": "tag", "values": list(RULES)}, "resultTypes": ["violations"], "preload": False}
    asked["rules"] = {"color-contrast": {"enabled": contrast}}
    for here in names:
        asked_for.clear()
        page.goto((html / here).as_uri(), wait_until="load")
        if (bytes_of := weight(asked_for)) > HEAVIEST:
            note(f"weighs {bytes_of / 1e6:.2f} MB before anybody scrolls")
        for said in page.evaluate(_SEEN):
            note(said)
        if audited is not None and here not in audited:
            continue
        for violation in axe.run(page, options=asked).response["violations"]:
            first, *others = violation["nodes"]
            why = " ".join(first["failureSummary"].split())[:250]
            note(f"axe {violation['id']} ({1 + len(others)}): {first['html'][:150]} {why}")
    context.close()
    return wrong


def weight(addresses):
    """The bytes of the files at these addresses, each counted once."""
    files = {unquote(urlsplit(address).path) for address in addresses if address.startswith("file:")}
    return sum(Path(file).stat().st_size for file in files if Path(file).is_file())


def _is_inside(address, html):
    return address.startswith((html.as_uri(), "data:", "blob:", "about:"))


def unmoved(running, html, names):
    """What is wrong with the moving figures of the pages ``names``: one does not answer, or is not there without it."""
    wrong = []
    with_figure = [name for name in names if 'class="moving"' in (html / name).read_text(encoding="utf-8")]
    plain = running.new_context(java_script_enabled=False)
    page, unscripted = running.new_page(viewport={"width": 1280, "height": 900}), plain.new_page()
    for here in with_figure:
        for one in (page, unscripted):
            one.goto((html / here).as_uri(), wait_until="load")
        for k in range(page.locator(".moving").count()):
            said = [
                *_not_moved(page, page.locator(".moving").nth(k)),
                *_not_there(unscripted.locator(".moving").nth(k)),
            ]
            name = page.locator(".moving").nth(k).evaluate("one => one.closest('figure')?.id ?? 'a figure'")
            wrong += [f"{here}, {name}: {what}" for what in said]
    page.close()
    plain.close()
    return wrong


def _not_there(figure):
    """Without scripts."""
    drawn = figure.locator(".panels svg, .panels img")
    hidden = not drawn.count() or not all(drawn.nth(k).is_visible() for k in range(drawn.count()))
    wrong = ["nothing is drawn without scripts"] if hidden else []
    wrong += ["it says nothing without scripts"] if not figure.locator(".seen").inner_text().strip() else []
    return wrong + (["controls without scripts"] if figure.locator(".controls").is_visible() else [])


def _not_moved(page, figure):
    """By the keyboard, by the pointer, and printed."""
    figure.scroll_into_view_if_needed()
    try:
        page.wait_for_function("figure => figure.dataset.alive", arg=figure.element_handle(), timeout=20_000)
    except Exception as error:
        return [f"it does not come alive ({error.__class__.__name__})"]
    wrong = []
    for kind, keys in (("range", ("Home", "End")), ("radio", ("Space", "ArrowDown")), ("checkbox", ("Space",))):
        for control in figure.locator(f"input[type={kind}]").all()[:3]:
            before = _state(figure)
            control.focus()
            for key in keys:
                page.keyboard.press(key)
                page.wait_for_timeout(150)
                if _state(figure) != before:
                    break
            else:
                wrong.append(f"{control.evaluate('input => input.outerHTML')} moves nothing")
            if kind == "checkbox":
                page.keyboard.press("Space")  # or the next one might be the last that is left
            if kind == "range" and not control.get_attribute("aria-valuetext"):
                wrong.append("a slider does not say where it stands")
    for panel in figure.locator("[data-moves]").all():
        before, box = _state(figure), panel.bounding_box()
        for place in (0.3, 0.8):
            page.mouse.click(box["x"] + place * box["width"], box["y"] + 0.5 * box["height"])
            page.wait_for_timeout(150)
            if _state(figure) != before:
                break
        else:
            wrong.append("pointing into a panel moves nothing")
    page.emulate_media(media="print")
    drawn = figure.locator(".panels svg, .panels img")
    if not drawn.count() or not all(drawn.nth(k).is_visible() for k in range(drawn.count())):
        wrong.append("it is not printed")
    if figure.locator(".controls").is_visible():
        wrong.append("its controls are printed")
    page.emulate_media(media="screen")
    return wrong


def _state(figure):
    """All that is seen of a figure."""
    return figure.locator(".panels").inner_html() + figure.locator(".seen").inner_html()


def not_found(running, html, searches):
    """Which of ``searches``, {what is typed: where it must be found}, the search page does not find there."""
    page, missing = running.new_page(), []
    page.goto((html / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("coherence")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results li")
    for typed, where in searches.items():
        page.fill("main form input", typed)
        page.press("main form input", "Enter")
        links = page.eval_on_selector_all("#results a", "links => links.map(link => link.getAttribute('href'))")
        if not any(link.partition("#")[0] == where for link in links):
            missing.append(f"search: {typed!r} is not found on {where}, but on {links[:5]}")
    page.close()
    return missing


def _all_looked_at(html, theme, width):
    with chromium() as running:
        return looked_at(running, html, pages_of(html), theme, width, contrast=width == WIDTHS[0])


def main():
    """Look at all; 1 where something is wrong."""
    html = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else repository() / "book" / "_build" / "html"
    if browser() is None:
        print("browser: no Chromium here, the pages are not looked at")
        return 0
    wrong = dead_links(html)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for found in pool.starmap(_all_looked_at, itertools.product([html], THEMES, WIDTHS), chunksize=1):
            wrong += found
    with chromium() as running:
        wrong += unmoved(running, html, pages_of(html))
        wrong += not_found(running, html, SEARCHES)
    with tempfile.TemporaryDirectory() as folder:
        wrong += wrong_with_pdf(print_book(html, Path(folder) / "book.pdf"))
    print(*wrong, sep="\n")
    print(f"browser: {len(pages_of(html))} pages, {len(wrong)} mistakes")
    return 1 if wrong else 0


def wrong_with_pdf(path):
    """What is wrong with a PDF: it cannot be read, or has no bookmarks or no text."""
    from pypdf import PdfReader

    reader = PdfReader(path)
    wrong = [] if len(reader.pages) > 1 else ["PDF: it has one page"]
    wrong += [] if reader.outline else ["PDF: it has no bookmarks"]
    return wrong + ([] if "generalize" in reader.pages[0].extract_text() else ["PDF: its first page has no title"])


if __name__ == "__main__":
    sys.exit(main())
