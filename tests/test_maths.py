r"""Equations are set while the book is built: what is written, what is refused, what the book's font has of it."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from fontTools.ttLib import TTFont

from genbook.base.files import repository
from genbook.book import maths
from genbook.book.maths import MathsError, in_html, mathml

ROOT = repository()
EQUATION = re.compile(r"```\{math\}\n(?::.*\n)*(.*?)```|\$\$(.+?)\$\$|(?<![\\$`])\$([^$\n`]+?)\$", re.DOTALL)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


def equations():
    """All equations of pages and notebooks, as (TeX, whether it stands by itself)."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*/*.md")]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    for text in texts:
        for block, display, inline in EQUATION.findall(text):
            yield (block or display or inline).strip(), not inline


def test_every_equation_of_the_book_is_set_in_the_fonts_characters():
    has = set(TTFont(ROOT / "book/assets/fonts/stix-two-math.woff2").getBestCmap())
    found = list(equations())
    assert len(found) > 300
    for tex, display in found:
        text = "".join(ET.fromstring(mathml(tex, display)).itertext())
        assert not re.search(r"[\\$]", text), tex
        assert {ord(character) for character in text if not character.isspace()} <= has, tex


def test_the_font_has_a_table_of_maths():
    font = TTFont(ROOT / "book/assets/fonts/stix-two-math.woff2")
    assert font["MATH"].table.MathVariants.VertGlyphConstruction


def shape(element):
    """An element as nested tuples: (tag, text or children)."""
    return element.tag, (element.text, *map(shape, element)) if len(element) else element.text


def test_tex_becomes_the_elements_that_it_names():
    fraction = shape(ET.fromstring(mathml(r"\frac{a}{2}", display=True)))
    assert fraction == ("math", (None, ("mfrac", (None, ("mi", "a"), ("mn", "2")))))
    assert 'display="block"' in mathml("x", display=True)
    assert "display" not in mathml("x")
    for tex, tag in ((r"x_i^2", "msubsup"), (r"\sqrt{x}", "msqrt"), (r"\begin{pmatrix}a\\b\end{pmatrix}", "mtable")):
        assert ET.fromstring(mathml(tex)).find(f".//{tag}") is not None


def test_operators_in_an_index_have_no_space_and_others_have_theirs():
    equation = ET.fromstring(mathml(r"a=\sum_{i=1} b"))
    (index,) = (one for one in equation.iter("mo") if one.text == "=" and one.get("lspace") == "0")
    assert index.get("rspace") == "0"
    assert [one.get("lspace") for one in equation.iter("mo") if one.text == "="] == [None, "0"]


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\foo x", r"\\foo"),
        (r"\frac{1}", "end of input"),
        ("x_1_2", "Double subscript"),
        ("a & b", "'&'"),
        ("x}", "'}'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_tex(tex, said):
    with pytest.raises(MathsError, match=said) as error:
        mathml(tex)
    assert repr(tex) in str(error.value)


def test_maths_in_html_is_set_and_the_rest_of_it_stays():
    html = r'<td>if <span class="math notranslate nohighlight">\(a &lt; b\)</span> &amp; <code>\(x\)</code></td>'
    assert in_html(html) == f"<td>if {mathml('a < b')} &amp; <code>\\(x\\)</code></td>"
    with pytest.raises(MathsError):
        in_html(r'<span class="math notranslate nohighlight">\(\foo\)</span>')


def build(folder, text):
    """A page built by Sphinx with its theme 'basic'; warnings are errors, as in the book's build."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    (folder / "source").mkdir()
    (folder / "source" / "index.rst").write_text(text)
    source, out, known = (str(folder / name) for name in ("source", "html", "known"))
    config = {"extensions": ["genbook.book.maths"], "html_math_renderer": "mathml", "html_theme": "basic"}
    with patch_docutils(source), docutils_namespace():
        app = Sphinx(source, None, out, known, "html", config, status=None, warning=None, warningiserror=True)
        app.build()
    return app.statuscode, (folder / "html" / "index.html").read_text(encoding="utf-8")


def test_a_page_has_its_equations_with_numbers_that_references_name(tmp_path):
    text = "Title\n=====\n\n.. math:: x^2\n   :label: one\n\n.. math:: y\n   :label: two\n\nBy :eq:`two`, :math:`z`.\n"
    status, html = build(tmp_path, text)
    assert status == 0
    assert mathml("x^2", display=True) in html
    assert mathml("z") in html
    assert "mathjax" not in html.lower()
    assert re.findall(r'<span class="eqno">\((\d)\)', html) == ["1", "2"]
    assert re.search(r'href="#equation-two">\(2\)</a>', html)


@pytest.mark.parametrize(
    "planted",
    [
        ":math:`\\foo`",
        ".. math:: \\frac{1}",
        '.. raw:: html\n\n   <span class="math notranslate nohighlight">\\(x}\\)</span>',
    ],
    ids=["in a line", "by itself", "in HTML"],
)
def test_an_equation_that_cannot_be_set_ends_the_build(tmp_path, planted):
    from sphinx.errors import SphinxWarning

    with pytest.raises(SphinxWarning, match="cannot set"):
        build(tmp_path, f"Title\n=====\n\nText.\n\n{planted}\n")


def test_temml_lies_with_its_licence():
    folder = maths._TEMML.parent
    assert "Ron Kok" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Open Font License" in (ROOT / "book/assets/fonts/LICENSE").read_text(encoding="utf-8").title()
