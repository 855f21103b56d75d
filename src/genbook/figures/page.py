"""Figures on the page: shown in a notebook by `show`, numbered and captioned in the book by `annotate`.

`show` leaves two outputs in its cell: the image, with all that belongs to it in the output's metadata, and a footer in
Markdown for who reads the notebook itself. `annotate` drops the footer and writes the cell metadata from which MyST-NB
makes a numbered figure. MyST-NB wraps every rich output of such a cell in a figure of the same name, and takes what
follows the caption's first paragraph as the figure's legend: so the footer goes into the legend, and other rich outputs
into a cell of their own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from genbook.figures import labels, svg
from genbook.figures.moving import Live, Moving

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Key of an output's metadata under which `show` keeps what belongs to a figure.
_KEY = "genbook"
_SVG = "image/svg+xml"
_NAME = re.compile(r"fig-[a-z0-9]+(-[a-z0-9]+)*")


def show(
    fig: Figure | Moving | Live,
    *,
    name: str,
    caption: str,
    alt: str,
    provenance: str = "",
    rerun: str = "",
    tables: Sequence[tuple[str, str]] = (),
) -> None:
    """Display a figure in a notebook cell with its caption, provenance, rerun command and tables, and close it.

    Args:
        fig: the finished figure; the labels at its line ends are spread here. Or one that moves.
        name: of the figure in references, ``fig-`` and words in lower case: ``{numref}`fig-fit-curves```.
        caption: MyST in one paragraph; maths as ``$...$``. Says what is drawn and what is to be seen.
        alt: plain text for who does not see the image: the axes, and what is seen.
        provenance: one line: from which run the numbers come.
        rerun: the command that computes this figure again.
        tables: (label, path relative to the page) of the tables behind the figure, as CSV.

    Raises:
        ValueError: a name of another form, no caption, no alt text or one that repeats the caption.
    """
    _check(name, caption, alt)
    about: dict[str, Any] = {
        "kind": "figure",
        "name": name,
        "caption": _one_line(caption),
        "alt": _plain(alt),
        "provenance": _one_line(provenance),
        "rerun": rerun.strip(),
        "tables": [[label, path] for label, path in tables],
    }
    if isinstance(fig, Moving | Live):
        # the page's own form waits in the metadata: JupyterLab would show it, and has not the page's scripts
        about["html"] = fig.html(name, about["alt"])
        display({**fig.outputs(), "text/plain": about["alt"]}, metadata={_KEY: about}, raw=True)
    else:
        _display_image(fig, about)
    footer = "\n\n".join([f"**{about['caption']}**", *_footer(about, in_book=False)])
    display({"text/markdown": footer, "text/plain": about["caption"]}, metadata={_KEY: {"kind": "footer"}}, raw=True)


def _display_image(fig: Figure, about: dict[str, Any]) -> None:
    """Display a figure as an image, and close it."""
    labels.spread_labels(fig)
    image = svg.drawn(fig, about["name"])
    plt.close(fig)
    display(
        {_SVG: image, "text/plain": about["alt"]},
        metadata={"needs_background": "light", _KEY: about},
        raw=True,
    )


def annotate(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of an executed notebook whose figures the book numbers, captions and gives their alt text.

    Everything else stays as it is; annotating twice changes nothing more.

    Raises:
        ValueError: two figures in one cell, or two of one name or alt text in the notebook.
    """
    notebook = copy.deepcopy(notebook)
    cells = []
    seen: dict[str, int] = {}
    for number, cell in enumerate(notebook.cells, start=1):
        figures = [output for output in cell.get("outputs", []) if _kind(output) == "figure"]
        if len(figures) > 1:
            names = ", ".join(figure.metadata[_KEY]["name"] for figure in figures)
            raise ValueError(f"cell {number} shows {len(figures)} figures ({names}); show each in a cell of its own")
        cells.append(cell)
        if figures:
            about = figures[0].metadata[_KEY]
            _note_once(seen, about, number)
            cells.extend(_annotate_cell(cell, about))
    notebook.cells = cells
    return notebook


def _annotate_cell(cell: NotebookNode, about: Mapping[str, Any]) -> list[NotebookNode]:
    """Write a figure's metadata into its cell; return a cell with the other rich outputs, if there are any."""
    legend = "\n\n".join(_footer(about, in_book=True))
    # a box that the book folds (`genbook.book.html_pages`)
    folded = f":::{{admonition}} Where these numbers come from\n:class: behind dropdown\n\n{legend}\n:::"
    caption = f"{about['caption']}\n\n{folded}" if legend else about["caption"]
    cell.metadata["mystnb"] = {
        **cell.metadata.get("mystnb", {}),
        "figure": {"name": about["name"], "caption": caption, "classes": "plot"},
        # `dark-light` keeps the theme from dimming the image in the dark: it has colours for it
        "image": {"alt": about["alt"], "classes": "dark-light"},
    }
    for output in cell.outputs:
        if image := output.get("data", {}).get(_SVG):
            output["data"][_SVG] = svg.themed(image)
    outputs = [output for output in cell.outputs if _kind(output) != "footer"]
    for output in outputs:
        if _kind(output) == "figure" and "html" in about:
            # what the notebook showed stays where it can be found again
            html, output.metadata[_KEY]["notebook"] = output.metadata[_KEY].pop("html"), output["data"]
            output["data"] = {"text/html": html, "text/plain": about["alt"]}
    others = [output for output in outputs if _is_rich(output) and _kind(output) != "figure"]
    cell.outputs = [output for output in outputs if output not in others]
    if not others:
        return []
    import nbformat  # takes two seconds, which a notebook that only shows should not pay

    # with a line of source: MyST-NB leaves out a cell that has none, whatever it shows
    beside = nbformat.v4.new_code_cell("# beside the figure", metadata={"tags": ["remove-input"]}, outputs=others)
    beside["id"] = f"{cell.get('id', about['name'])}-rest"[:64]
    return [beside]


def _footer(about: Mapping[str, Any], in_book: bool) -> Iterable[str]:
    """Return the paragraphs under a caption, in MyST for the book and in plain Markdown for JupyterLab."""
    paragraphs = []
    if about["provenance"]:
        paragraphs.append(("{.provenance}\n" if in_book else "") + about["provenance"])
    if about["rerun"]:
        paragraphs.append(f"```sh\n{about['rerun']}\n```")
    if about["tables"]:
        links = [f"{{download}}`{label} <{path}>`" if in_book else label for label, path in about["tables"]]
        where = "Data (CSV): " if in_book else "In the book as CSV: "
        paragraphs.append(("{.tables}\n" if in_book else "") + where + " · ".join(links))
    return paragraphs


def _check(name: str, caption: str, alt: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a figure's name is 'fig-' and words of lower-case letters and digits, got {name!r}")
    if not caption.strip() or not alt.strip():
        raise ValueError(f"figure {name} needs a caption and an alt text")
    if _plain(caption) == _plain(alt):
        raise ValueError(f"the alt text of figure {name} repeats its caption; say what the axes are and what is seen")


def _note_once(seen: dict[str, int], about: Mapping[str, Any], number: int) -> None:
    for what in ("name", "alt"):
        text = f"{what} {about[what]!r}"
        if text in seen:
            raise ValueError(f"the figures in cells {seen[text]} and {number} have the same {text}; give each its own")
        seen[text] = number


def _kind(output: NotebookNode) -> str:
    return output.get("metadata", {}).get(_KEY, {}).get("kind", "")


def _is_rich(output: NotebookNode) -> bool:
    return output.output_type in ("display_data", "execute_result")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    r"""Return text without its maths' markup, as a screen reader says it: ``$\alpha_{2}$`` becomes ``alpha_2``."""
    return _one_line(re.sub(r"\\([A-Za-z]+) ?", r"\1 ", re.sub(r"[${}]", "", text)).replace("\\", ""))
