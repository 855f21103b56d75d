"""All that a book is built from, as hashes of its content: where they are the same, so are the pages."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

from genbook.base.files import content, data_root, repository, sha256, store_root


def of_sources() -> str:
    """A hash of what people write and install: notebooks, pages, published tables, this package, software, data."""
    root, package, data = repository(), Path(__file__).resolve().parents[1], data_root()
    files = [root / "_config.yml", root / "CITATION.cff", *(package / "book").rglob("*.js")]
    files += [*package.rglob("*.py"), *(root / "notebooks").glob("*.ipynb")]
    files += [path for path in (root / "book").rglob("*") if "_build" not in path.relative_to(root).parts]
    # Arrays are large: their size and time stand for them. What is noted beside them in the folder follows from them.
    arrays = [path for path in sorted(data.glob("*/**/*")) if path.is_file()]
    downloaded = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in arrays]
    return sha256(json.dumps([installed(), downloaded]).encode(), content(files, root).encode())


def of_results(profile: str) -> str:
    """A hash of what was computed: the tables in the store and the executed chapters."""
    store = store_root()
    return content([*(store / "executed" / profile).glob("*.ipynb"), *(store / "tables").rglob("*.parquet")], store)


def installed() -> list[str]:
    """This Python and the packages beside Jupyter Book, with their versions."""
    found = importlib.util.find_spec("jupyter_book")
    assert found is not None
    assert found.origin is not None
    return [sys.version, *sorted(path.name for path in Path(found.origin).parents[1].glob("*.dist-info"))]
