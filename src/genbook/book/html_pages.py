"""A Sphinx extension that gives pages their last form: what they load, how large images are, what they are about.

A page loads the scripts and styles that something on it uses, and images when they come near. A box of the class
``dropdown`` is the browser's own ``<details>``. The page says in which repository the book lies where the configuration
does (``book_repository``), and nothing of it where that is empty.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.images import get_image_size

#: Scripts that a page does without unless what stands beside them occurs on it; None: always.
_NEEDED_BY = {
    "doctools.js": None,
    "sphinx_highlight.js": None,
    "design-tabs.js": "sd-tab",
    "clipboard.min.js": 'class="highlight',
    "copybutton.js": 'class="highlight',
    "moving.js": 'class="moving"',
    "predictions.js": 'class="prediction admonition"',
}
_STYLES_NEEDED_BY = {
    "sphinx-design.min.css": "sd-",
    "copybutton.css": 'class="highlight',
    "mystnb": 'class="cell',
    "maths.css": "<math",
    "moving.css": 'class="moving"',
}
#: The theme's own, for menus that the book does not have.
_UNUSED_SETTINGS = re.compile(r"^DOCUMENTATION_OPTIONS\.\w+ = .*;$")
_IMAGE = re.compile(r"<img\b[^>]*>")
#: A table of a page, but those of claims, which have a form of their own.
_TABLE = re.compile(r'<table class="(?=[^"]*\b(?:table|dataframe)\b)[^"]*"[^>]*>.*?</table>', re.DOTALL)
#: What a phone has room for, in letters: a row of words, the space between two columns; and a cell that is a sentence.
_PHONE, _GUTTER, _SENTENCE = 53, 3, 40
#: Code as Pygments writes it; a piece of it with a class, or with none; pieces of one class side by side.
_CODE = re.compile(r"<pre\b[^>]*>.*?</pre>", re.DOTALL)
_SPAN = re.compile(r'<span(?: class="(\w+)")?>([^<]*)</span>')
_NEIGHBOURS = re.compile(r'(<span class="\w+">)[^<]*</span>(?:\s*\1[^<]*</span>)+')
_STYLES_OF_CODE = ("pygments_light_style", "pygments_dark_style")
_DESCRIPTION = 160  # characters: what a search engine shows


class disclosure(nodes.General, nodes.Element):
    """A box that opens when it is asked to."""


class Disclose(SphinxPostTransform):
    """Make of each admonition of the class ``dropdown`` what the browser itself can open and close."""

    default_priority = 400
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace them."""
        for box in list(self.document.findall(nodes.admonition)):
            if "dropdown" in box["classes"]:
                kept = [name for name in box["classes"] if name != "dropdown"]
                title, *content = box.children
                about = {"classes": ["admonition", *kept], "ids": box["ids"], "summary": title.astext()}
                box.replace_self(disclosure("", *content, **about))


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_config_value("book_repository", "", "html", str)
    app.add_config_value("book_licence", "", "html", str)
    app.add_node(disclosure, html=(_open_disclosure, _close_disclosure))
    app.add_post_transform(Disclose)
    # after the extensions that add scripts to a page, and before the maths are looked for
    app.connect("html-page-context", _give_form, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _open_disclosure(writer: Any, node: Any) -> None:
    writer.body.append(writer.starttag(node, "details"))
    writer.body.append(f'<summary class="admonition-title">{writer.encode(node["summary"])}</summary>\n')


def _close_disclosure(writer: Any, node: Any) -> None:
    writer.body.append("</details>\n")


def _give_form(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    context["repository"], context["licence"] = app.config.book_repository.rstrip("/"), app.config.book_licence
    context["description"] = _description(doctree)
    # the theme says it, and Sphinx, and docutils
    context["metatags"] = re.sub(r'<meta\b[^>]*name="viewport"[^>]*>', "", context.get("metatags") or "")
    body = context.get("body") or ""
    context["script_files"] = [_deferred(file) for file in context["script_files"] if _script_is_used(file, body)]
    context["css_files"] = [file for file in context["css_files"] if _is_used(file, _STYLES_NEEDED_BY, body)]
    if body:
        plain = uncoloured(app.config.html_theme_options.get(name, "default") for name in _STYLES_OF_CODE)
        context["body"] = with_one_figure(stacked(_sized(_named(lean(body, plain)), app)))


def _description(doctree: Any) -> str:
    """The first sentences of the page's first paragraph that has some."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree is not None else ():
        text = " ".join(paragraph.astext().split())
        if len(text) > 40:
            return text if len(text) <= _DESCRIPTION else text[: _DESCRIPTION - 1].rpartition(" ")[0] + "…"
    return ""


def _script_is_used(file: Any, body: str) -> bool:
    written = file.attributes.get("body", "")
    return not _UNUSED_SETTINGS.match(written) and _is_used(file, _NEEDED_BY, body)


def _is_used(file: Any, needed_by: dict[str, Any], body: str) -> bool:
    for name, needs in needed_by.items():
        if name in str(file.filename or ""):
            return needs is not None and needs in body
    return True


def _deferred(file: Any) -> Any:
    """The script, run when the page is there; one that is written on the page itself runs at once."""
    if file.filename:
        file.attributes.setdefault("defer", "defer")
    return file


def uncoloured(styles: Iterable[str]) -> frozenset[str]:
    """The classes of code that look in all of these styles of Pygments like code without a class."""
    from pygments.styles import get_style_by_name
    from pygments.token import STANDARD_TYPES, Token

    seen = [dict(get_style_by_name(name)) for name in styles]
    return frozenset(
        short for token, short in STANDARD_TYPES.items() if short and all(one[token] == one[Token.Text] for one in seen)
    )


def lean(body: str, plain: frozenset[str]) -> str:
    """Return a page's body whose code has no more markup than its colours need; ``plain``: see `uncoloured`."""

    def stripped(found: re.Match[str]) -> str:
        code = _SPAN.sub(lambda span: span[2] if not span[2].strip() or span[1] in plain else span[0], found[0])
        return _NEIGHBOURS.sub(lambda run: run[1] + _SPAN.sub(r"\2", run[0]) + "</span>", code)

    return _CODE.sub(stripped, body)


def _named(body: str) -> str:
    """Return a page's body without names and roles that say something else than what is seen, or nothing."""
    for said in (' aria-label="Toggle hidden content"', ' role="doc-biblioentry"', ' role="list"'):
        body = body.replace(said, "")
    return re.sub(r"<th\b[^>]*>\s*</th>", "<td></td>", body)


def stacked(body: str) -> str:
    """Return a page's body whose tables that a phone is too narrow for can be shown there row by row, cell under cell.

    Such a table gets the class ``stacks``, each cell the title of its column as ``data-label``; an empty cell gets the
    class ``empty``. The style sheet does the rest.
    """
    return _TABLE.sub(lambda found: _stacked(found[0]), body)


def _stacked(table: str) -> str:
    head, _, rows = table.partition("</thead>")
    titles = [_text(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", head, re.DOTALL)]
    cells = [re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows.split("</tr>")[:-1]]
    if len(titles) < 3 or not cells or any(len(row) != len(titles) for row in cells):
        return table
    texts = [[_text(cell) for cell in column] for column in zip(titles, *cells, strict=True)]
    words = sum(max(len(word) for text in column for word in [*text.split(), ""]) + _GUTTER for column in texts)
    if words <= _PHONE and max(len(text) for column in texts for text in column) <= _SENTENCE:
        return table
    count = 0

    def labelled(found: re.Match[str]) -> str:
        nonlocal count
        title, text = titles[count % len(titles)], _text(found[3])
        count += 1
        empty = "" if text else ' class="empty"'
        return f'<{found[1]}{found[2]} data-label="{html.escape(title)}"{empty}>{found[3]}</{found[1]}>'

    rows = re.sub(r"<(t[hd])\b([^>]*)>(.*?)</\1>", labelled, rows, flags=re.DOTALL)
    return re.sub(r'^<table class="', '<table class="stacks ', head, count=1) + "</thead>" + rows


def _text(cell: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", cell)).split())


def with_one_figure(body: str) -> str:
    """Return a page's body with the summary's figure small beside it: the same file, which the browser asks for once.

    A figure that is drawn in the page has no file, and the summary then only names it.
    """

    def small(found: re.Match[str]) -> str:
        figure = re.search(rf'<figure\b[^>]*\bid="{found[1]}".*?</figure>', body, re.DOTALL)
        image = re.search(r'<img\b[^>]*\bsrc="(?!data:)[^>]*>', figure[0]) if figure else None
        if figure is None or image is None:
            return ""
        said = re.search(r'class="caption-number">([^<]*)<', figure[0])
        alt = html.escape(f"{said[1].strip()}, small" if said else "The figure, small")
        one = re.sub(r' alt="[^"]*"', f' alt="{alt}"', image[0])
        return f'<div class="one-figure"><a href="#{found[1]}">{one}</a></div>'

    return re.sub(r'<div class="one-figure"><a href="#([\w-]+)"></a></div>', small, body)


def _sized(body: str, app: Any) -> str:
    """Return a page's body whose images are asked for when they come near, and have their place before that."""
    sources = {name: uri for uri, name in app.builder.images.items()}

    def size(found: re.Match[str]) -> str:
        tag = found[0]
        source = re.search(r'src="([^"]*/)?([^"/]+)"', tag)
        uri = sources.get(source[2]) if source else None
        natural = get_image_size(str(Path(app.srcdir, uri))) if uri else None
        tag = tag.replace("<img", '<img loading="lazy" decoding="async"', 1)
        if natural is None:
            return tag
        asked = re.search(r'\s*style="width: ?(\d+)(?:px)?;?"', tag)
        width = int(asked[1]) if asked else natural[0]
        tag = tag.replace(asked[0], "") if asked else tag
        return tag.replace("<img", f'<img width="{width}" height="{round(width * natural[1] / natural[0])}"', 1)

    return _IMAGE.sub(size, body)
