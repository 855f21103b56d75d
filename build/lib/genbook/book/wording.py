"""The words of a chapter, its Markdown cells: an executed copy takes new ones in, and nothing is executed for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genbook.base.files import write_text

Cell = Mapping[str, Any]


def without_words(notebook: Mapping[str, Any]) -> bytes:
    """All that an execution of the notebook depends on: its metadata, and its code cells, but for what they showed."""
    cells = [
        {"id": cell.get("id"), "metadata": cell["metadata"], "source": "".join(cell["source"])}
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    return json.dumps({**notebook, "cells": cells}, sort_keys=True).encode()


def reword(copy: Path, notebook: Path) -> None:
    """Put the Markdown cells of ``notebook`` into its executed ``copy``, which stays as it is where it has them.

    The code cells of the two are the same, by `without_words`.
    """
    executed, source = (json.loads(path.read_text(encoding="utf-8")) for path in (copy, notebook))
    cells = reworded(executed["cells"], source["cells"])
    if [_text(cell) for cell in cells] != [_text(cell) for cell in executed["cells"]]:
        write_text(copy, json.dumps({**executed, "cells": cells}, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def reworded(executed: Sequence[Cell], source: Sequence[Cell]) -> list[Cell]:
    """The cells of ``source``, the code cells as they were executed, each with what the execution put after it."""
    known = {cell.get("id") for cell in source if cell["cell_type"] == "code"}
    blocks: list[list[Cell]] = [[]]  # what was put before the first code cell, and a block for each of them
    for cell in executed:
        if cell["cell_type"] == "code":
            if cell.get("id") in known:
                blocks.append([])
            blocks[-1].append(cell)
    cells, rest = blocks[0], iter(blocks[1:])
    for cell in source:
        cells += next(rest) if cell["cell_type"] == "code" else [cell]
    return cells


def _text(cell: Cell) -> dict[str, Any]:
    """What a reader may see of a cell, however its lines are kept and whatever papermill has noted of it."""
    metadata = {name: value for name, value in cell["metadata"].items() if value and name != "papermill"}
    return {**cell, "source": "".join(cell["source"]), "metadata": metadata}
