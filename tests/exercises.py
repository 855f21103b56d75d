"""The exercises of the chapters, run as they ask: what is said to change with other parameters changes.

``book/exercises.yml`` says for each exercise which parameters it changes and what then becomes of which claims.
``python -m tests.exercises 05`` runs those of a chapter (seconds to minutes), without a chapter all of them.
"""

import json
import re
import shlex
import sys
import time
from functools import cache
from typing import Any, Literal

import pydantic
import yaml

from genbook.base.claims import Judgement, judge_all
from genbook.base.files import repository
from genbook.book.execute import find_chapter
from genbook.results.requests import Request, requests

#: An exercise that names commands, with its solution.
_BOX = re.compile(r":::\{admonition\} Exercise (\d+)\n:class: exercise\n(.*?\n:class: solution.*?)\n:::", re.DOTALL)
_CODE = re.compile(r"`([^`]*)`")


class Exercise(pydantic.BaseModel):
    """An exercise with parameters to try, and what comes out with them in the discovery setting.

    ``becomes``: by STUDY/CLAIM, its verdict. ``moves``: by STUDY/CLAIM, whether its estimate is higher or lower than
    with the parameters of the book.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    chapter: str
    exercise: int
    parameters: dict[str, Any]
    becomes: dict[str, Literal["holds", "fails", "undecided"]] = {}
    moves: dict[str, Literal["higher", "lower"]] = {}

    @property
    def claims(self) -> list[tuple[str, str]]:
        """Study and id of each claim that something is said of."""
        return [tuple(name.split("/")) for name in dict.fromkeys([*self.becomes, *self.moves])]

    def wrong(self) -> list[str]:
        """What is said of a claim and is not so."""
        chapter = find_chapter(self.chapter)
        usual, changed = requests(chapter, {}), requests(chapter, self.parameters)
        found = []
        for study, claim in self.claims:
            before, after = (_judged(one[study])[claim] for one in (usual, changed))
            name = f"{study}/{claim}"
            said = f"{name}: {after.estimate:.4g} [{after.low:.4g}, {after.high:.4g}], {after.verdict}"
            if name in self.becomes and after.verdict != self.becomes[name]:
                found.append(f"{said}, not {self.becomes[name]}")
            if name in self.moves and not _moved(before, after, self.moves[name]):
                found.append(f"{said}, not {self.moves[name]} than {before.estimate:.4g}")
        return found


def _moved(before: Judgement, after: Judgement, where: str) -> bool:
    return after.estimate > before.estimate if where == "higher" else after.estimate < before.estimate


_KEPT: dict[str, dict[str, Judgement]] = {}


def _judged(request: Request) -> dict[str, Judgement]:
    """By id, what all claims of the study come out as in the discovery setting."""
    key = f"{request.study.name} {request.discovery.spec!r} {request.discovery.seeds}"
    if key not in _KEPT:
        table = request.table("discovery")
        _KEPT[key] = judge_all(request.study.claims, table.frame, table.spec, True)
    return _KEPT[key]


@cache
def listed() -> tuple[Exercise, ...]:
    """What ``book/exercises.yml`` says."""
    text = (repository() / "book" / "exercises.yml").read_text(encoding="utf-8")
    return tuple(Exercise.model_validate(entry) for entry in yaml.safe_load(text))


def told(chapter: str) -> dict[int, dict[str, list[Any]]]:
    """By the number of a chapter's exercise, the parameters that its text names, each with the values named for it."""
    notebook = json.loads((repository() / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    found: dict[int, dict[str, list[Any]]] = {}
    for number, text in _BOX.findall(prose):
        named: dict[str, list[Any]] = {}
        for code in _CODE.findall(text):
            words = shlex.split(code.replace("\n", " "))
            for place, word in enumerate(words):
                if word == "-p":
                    named.setdefault(words[place + 1], []).append(_read(words[place + 2]))
        found[int(number)] = named
    return found


def _read(text: str) -> Any:
    """A value as the command line reads it, as far as exercises need it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> int:
    """Run the exercises of the chapters that are named; 1 where one comes out in another way than is said."""
    asked = {find_chapter(name) for name in sys.argv[1:]}
    astray = 0
    for one in listed():
        if asked and find_chapter(one.chapter) not in asked:
            continue
        start = time.process_time()
        wrong = one.wrong()
        astray += bool(wrong)
        parameters = " ".join(f"-p {name} {json.dumps(value)}" for name, value in one.parameters.items())
        print(f"{one.chapter}.{one.exercise} {parameters}: {time.process_time() - start:.0f} s", *wrong, sep="\n  ")
    print(f"exercises: {astray} of {len(listed())} come out in another way than is said")
    return 1 if astray else 0


if __name__ == "__main__":
    sys.exit(main())
