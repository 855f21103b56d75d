"""Two runs of a chapter side by side: their parameters, and what became of each claim."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbook.base.progress import Progress
from genbook.base.spec import ParameterError
from genbook.book.execute import find_chapter
from genbook.results.chapters import chapters
from genbook.results.requests import Request, requests
from genbook.results.verdicts import Row, evaluate


@dataclass(frozen=True)
class Run:
    """A chapter with the parameters of one run; ``name``: as it was asked for."""

    name: str
    chapter: str
    asked: Mapping[str, Request]

    def rows(self, tell: Progress | None = None) -> list[Row]:
        """Every claim of the run; tables that are missing are computed."""
        return [row for request in self.asked.values() for row in evaluate(request, tell=tell)]


def run_of(place: str) -> Run:
    """The run that ``place`` names: an executed copy, or a chapter as the book has it.

    Of an executed copy papermill's record says which notebook it is of and which parameters were injected. Raises
    `ParameterError` for what is neither, and for parameters that the chapter no longer takes.
    """
    if Path(place).suffix != ".ipynb":
        chapter = find_chapter(place)
        return Run(place, chapter, requests(chapter, {"profile": "quick"}))
    try:
        record = json.loads(Path(place).read_text(encoding="utf-8"))["metadata"]["papermill"]
        chapter, injected = Path(record["input_path"]).stem, dict(record["parameters"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{place} is no executed copy ({type(error).__name__}: {error}); genbook run or papermill writes one"
        ) from None
    if chapter not in chapters():
        raise ParameterError(f"{place} is of {chapter}, which is no chapter of this book")
    return Run(
        place, chapter, requests(chapter, {name: value for name, value in injected.items() if value is not None})
    )


def differing(first: Run, second: Run) -> dict[str, tuple[Any, Any]]:
    """The parameters in which two runs differ, as ``study.name``, with the value in each.

    Raises `ParameterError` for runs of two chapters.
    """
    if first.chapter != second.chapter:
        raise ParameterError(
            f"{first.name} is of {first.chapter}, {second.name} of {second.chapter}: compare one chapter"
        )
    found: dict[str, tuple[Any, Any]] = {}
    for name, one in first.asked.items():
        other = second.asked[name]
        left, right = ({**_plain(request), "seeds": len(request.discovery.seeds)} for request in (one, other))
        found |= {f"{name}.{key}": (left[key], right[key]) for key in left if left[key] != right[key]}
    return found


def _plain(request: Request) -> dict[str, Any]:
    return {"profile": request.profile, **request.discovery.spec.model_dump(mode="json")}
