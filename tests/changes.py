"""Legal changes of chapters' parameters, drawn at random: what the specs accept, a chapter runs through.

``tests/test_changes.py`` tries a few of them; ``python -m tests.changes 05 --draws 20`` searches further (minutes).
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genbook import data
from genbook.base.spec import ParameterError
from genbook.book.execute import ExecutionError, execute, find_chapter
from genbook.results.chapters import studies_of
from genbook.results.requests import requests
from genbook.studies import Study

#: By what numbers are multiplied: nothing gets much dearer than in the profile smoke.
_COUNTS = (0.05, 0.1, 0.5, 0.5, 1, 1.5, 2)
_SIZES = (0.001, 0.1, 0.3, 0.5, 0.9, 1.1, 2, 3, 30)


def draws(chapter: str, first: int = 0) -> Iterator[dict[str, Any]]:
    """Parameters of the chapter that differ from the profile smoke, without end, the same ones each time."""
    for number in itertools.count(first):
        yield _legal(chapter, random.Random(f"{chapter} {number}"))


def _legal(chapter: str, draw: random.Random) -> dict[str, Any]:
    """A few changes that the chapter's studies accept together."""
    told = studies_of(chapter)
    while True:
        changed = dict(_change(draw, draw.choice(told)) for _ in range(draw.choice([1, 2, 3, 4, 6])))
        given = {"profile": "smoke", "seeds": draw.choice([1, 2, 2]), **changed}
        try:
            requests(chapter, given)
        except ParameterError:
            continue
        return given


def _change(draw: random.Random, study: Study) -> tuple[str, Any]:
    """One parameter of the study, and a value that it may have."""
    usual = study.build("smoke", {}).model_dump()
    row = draw.choice(study.spec.described())
    name, kind = row["name"], row["type"]
    if not kind.startswith("one of: "):
        return f"{study.name}.{name}", _near(draw, usual[name])
    choices = [choice for choice in kind.removeprefix("one of: ").split(", ") if name != "dataset" or _there(choice)]
    return f"{study.name}.{name}", draw.choice(choices)


def _there(dataset: str) -> bool:
    """Whether a data set comes with genbook or a package that it installs."""
    return dataset in ("digits", "fashion-small", "mnist1d") and data.available(dataset)


def _near(draw: random.Random, value: Any) -> Any:
    """A value of the same type, seldom much larger; a list may lose entries or all."""
    if isinstance(value, list | tuple):
        near = [_near(draw, entry) for entry in value]
        rising = sorted(set(near))
        return draw.choice([rising, rising, near, rising[:1], rising[:2], rising[-2:], list(value)[:1], []])
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return round(value * draw.choice(_COUNTS)) + draw.choice([0, 0, 0, 1, -1])
    return value * draw.choice(_SIZES) + draw.choice([0, 0, 0, 1, 0.01])


def failure(chapter: str, given: dict[str, Any], folder: Path) -> str | None:
    """What papermill says where the chapter does not run through with these parameters."""
    try:
        execute(chapter, given, folder / f"{chapter}.ipynb", None)
    except ExecutionError as error:
        return str(error)
    return None


def main() -> int:
    """Say of each draw whether the chapter ran through; 1 where one did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapter")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--draws", type=int, default=10)
    asked = parser.parse_args()
    chapter, broken = find_chapter(asked.chapter), 0
    with tempfile.TemporaryDirectory() as folder:
        for number, given in enumerate(itertools.islice(draws(chapter, asked.first), asked.draws), asked.first):
            start = time.monotonic()
            said = failure(chapter, given, Path(folder))
            broken += said is not None
            print(f"{number}: {time.monotonic() - start:.0f} s, {given}: {said or 'ran through'}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
