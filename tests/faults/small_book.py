"""A book of two pages, made by the steps of `genbook.book.build` with the real configuration: seconds, not minutes."""

import os
import shutil
from pathlib import Path

from genbook.base.files import repository, sha256, write_text
from genbook.book import build, render
from genbook.book.crate import Crate, File

_TOC = "format: jb-book\nroot: index\nchapters:\n- file: second\n"
_INDEX = "# A book\n\nIts {doc}`other page <second>`.\n"
_SECOND = "# Another\n\n{words}\n\n$x = 1$, as {{cite:t}}`advani-et-al-2020` say.\n\n```{{bibliography}}\n```\n"


def stand_in():
    """In a command's process: let it build this book, of the words in ``WORDS``, with the file ``TABLE`` beside it."""
    build.build = _built


def _built(profile, out, jobs, say):
    with render.gone_at_the_end(out / "staged"):
        _laid_out(out / "staged")
        render.mirror(out / "staged", out / "source")
    table = Path(os.environ["TABLE"])
    file = File("tables/toy/part.parquet", table, "a table", sha256(table.read_bytes()), {})
    render.render(out, sha256(os.environ["WORDS"].encode()), Crate("{}\n", (file,)).write)
    return out / "html" / "index.html"


def _laid_out(folder):
    book = repository() / "book"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("assets", "templates"):
        render.copy_tree(book / name, folder / name)
    write_text(folder / "references.bib", (book / "references.bib").read_text(encoding="utf-8"))
    write_text(folder / "extra" / "nothing.json", "{}")
    for name, text in {"_toc.yml": _TOC, "index.md": _INDEX}.items():
        write_text(folder / name, text)
    write_text(folder / "second.md", _SECOND.format(words=os.environ["WORDS"]))
