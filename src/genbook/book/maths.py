r"""A Sphinx extension that sets every equation while the book is built, as MathML: a page needs no script for them.

Temml (``temml/``, by Ron Kok) reads the TeX, in a JavaScript engine of its own. What it cannot read is a warning at the
equation, and so ends the build. `book/assets/maths.css` and the font beside it belong to what it writes.

Equations come from two sides: as nodes that Sphinx knows, and as ``\(...\)`` in HTML that cells print (claims tables).
"""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path
from typing import Any

_TEMML = Path(__file__).with_name("temml") / "temml.min.js"
_SET = "function set(tex, display) { return temml.renderToString(tex, {displayMode: display, throwOnError: true}) }"
#: What `genbook.figures.html` writes for maths in a claim.
_IN_HTML = re.compile(r'<span class="math notranslate nohighlight">\\\((.+?)\\\)</span>', re.DOTALL)
_SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
#: Least height and depth under a root, in em: TeX lifts the root of a small letter so, MathML leaves it hanging.
_STRUT = {"width": "0", "height": "0.68em", "depth": "0.12em"}


class MathsError(ValueError):
    """TeX that cannot be set; the message quotes it and says where it goes wrong."""


@functools.cache
def mathml(tex: str, display: bool = False) -> str:
    """Return TeX as a ``<math>`` element; raises `MathsError` for what cannot be read."""
    from py_mini_racer import JSEvalException

    try:
        math = ET.fromstring(_engine().call("set", tex, display))
    except JSEvalException as error:
        said = re.search(r"ParseError:\s*(.*)", str(error))
        raise MathsError(f"cannot set {tex!r}: {said[1] if said else error}") from None
    _tighten(math)
    return ET.tostring(math, encoding="unicode")


@functools.cache
def _engine() -> Any:
    from py_mini_racer import MiniRacer

    engine = MiniRacer()
    engine.eval(_TEMML.read_text(encoding="utf-8"))
    engine.eval(_SET)
    return engine


def _tighten(math: ET.Element) -> None:
    """Set as TeX does what browsers set too loosely: operators in indices and exponents, and the roots of letters."""
    for element in math.iter():
        if element.tag in _SCRIPTS:
            for script in list(element)[1:]:
                for operator in script.iter("mo"):
                    operator.attrib = {"lspace": "0", "rspace": "0", **operator.attrib}
        if element.tag == "msqrt":
            element.append(ET.Element("mspace", _STRUT))


#: An equation within a line, and the signs right after it.
_WITH_SIGNS = re.compile(r"(<math>(?:(?!</math>).)*</math>)([.,;:!?)\]]+)", re.DOTALL)


def kept_whole(html: str) -> str:
    """Return HTML in which no line begins with the sign that ends a sentence or its part after an equation."""
    return _WITH_SIGNS.sub(r'<span class="whole">\1\2</span>', html)


def in_html(html: str) -> str:
    r"""Return HTML with the ``\(...\)`` in its spans of the class ``math`` set; raises `MathsError`."""
    return _IN_HTML.sub(lambda found: mathml(unescape(found[1])), html)


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    app.connect("html-page-context", _set_in_html)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _set(node: Any, display: bool) -> str:
    from sphinx.util import logging

    tex = node.astext().strip()
    try:
        return mathml(tex, display)
    except MathsError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
        return ""


def _visit_inline(writer: Any, node: Any) -> None:
    from docutils import nodes

    writer.body.append(_set(node, display=False))
    raise nodes.SkipNode


def _visit_block(writer: Any, node: Any) -> None:
    from docutils import nodes
    from sphinx.util.math import get_node_equation_number

    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    writer.body.append(_set(node, display=True))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def _set_in_html(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    from sphinx.util import logging

    if "body" in context:
        try:
            context["body"] = kept_whole(in_html(context["body"]))
        except MathsError as error:
            logging.getLogger(__name__).warning(str(error), location=pagename)
