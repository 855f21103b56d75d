"""The numbers in a chapter's sentences, made again: what a cell says by ``chapter.say``, with a seed trained anew.

Such a reading is named ``STUDY/READING@SETTING``: READING is the id of the notebook's cell, STUDY@SETTING the table of
which a seed is trained again; or ``05/READING``, by its chapter. Of the notebook only the statements are executed that
the cell's own follow from, and nothing is drawn.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import json
import math
import random
import re
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genbook.base.progress import Progress
from genbook.base.spec import ParameterError, nearest
from genbook.base.stats import t_interval
from genbook.book.execute import find_chapter, notebooks_root
from genbook.results.chapter import Chapter
from genbook.results.chapters import chapter_of
from genbook.results.table import Table
from genbook.results.verify import Again, train_again

_NAME = re.compile(r"(?P<study>\w+)/(?P<reading>[\w-]+)(@(?P<setting>.+))?")
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?")
#: What is named in code or leads somewhere is no number of a sentence.
_NO_WORDS = re.compile(r"`[^`]*`|<[^>]*>|\]\([^)]*\)")
#: Of how many seeds it is asked what the sentences were without them.
_LEFT_OUT = 6
#: What a chapter shows besides its sentences, and what is not to be drawn here.
_SHOWN = ("show", "verdict", "verdicts", "summary", "source", "parameters")


@dataclass(frozen=True)
class Reading:
    """A cell that says numbers: its chapter, its id, its code, and the statements that it follows from."""

    chapter: str
    cell: str
    before: str
    code: str

    def say(self, tables: Mapping[tuple[str, str], Table] | None = None) -> tuple[list[str], dict[Any, Table]]:
        """What the cell says with these tables, by study and setting, in the place of the book's; and all it asked for.

        In what was asked for a published table stands under its study and its name.
        """
        chapter = _Listening(self.chapter, tables or {})
        variables = {"__name__": "__main__", "Chapter": lambda name: chapter}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(self.before, f"{self.chapter}, before {self.cell}", "exec"), variables)
            chapter.said.clear()
            exec(compile(self.code, f"{self.chapter}, {self.cell}", "exec"), variables)
        return chapter.said, chapter.asked


class _Listening(Chapter):
    """A chapter that keeps what is said and which tables were asked for, and shows nothing."""

    def __init__(self, name: str, tables: Mapping[tuple[str, str], Table]) -> None:
        super().__init__(name)
        self._given = tables
        self.said: list[str] = []
        self.asked: dict[tuple[str, str], Table] = {}
        for method in _SHOWN:
            setattr(self, method, lambda *words, **named: None)

    def say(self, text: str) -> None:
        self.said.append(text)

    def result(self, study: str | None = None, setting: str = "discovery") -> Table:
        name = self.request(study).study.name
        found = self._given.get((name, setting)) or super().result(study, setting)
        self.asked[name, setting] = found
        return found

    def published(self, study: str, name: str) -> Table | None:
        file = f"{name}-discovery"
        found = self._given.get((study, file)) or super().published(study, name)
        if found is not None:
            self.asked[study, file] = found
        return found


def readings(chapter: str) -> list[str]:
    """The ids of the chapter's cells that say something."""
    return [cell for cell, code in _cells(chapter) if "chapter.say(" in code]


def _cells(chapter: str) -> list[tuple[str, str]]:
    notebook = json.loads((notebooks_root() / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    return [(cell["id"], "".join(cell["source"])) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def reading(chapter: str, cell: str) -> Reading:
    """The cell of that id with what it follows from; raises `ParameterError` where it says nothing."""
    if cell not in (known := readings(chapter)):
        raise ParameterError(nearest(cell, known, f"reading of chapter {chapter[:2]}"))
    before: list[ast.stmt] = []
    for name, code in _cells(chapter):
        statements = ast.parse(code).body
        if name == cell:
            needed, own = _needed(before, statements), ast.unparse(ast.Module(statements, []))
            return Reading(chapter, cell, ast.unparse(ast.Module(needed, [])), own)
        before += statements
    raise AssertionError("readings are cells")


def _needed(before: Sequence[ast.stmt], own: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Of ``before``, in their order, the statements that give or change a name that what follows uses."""
    late: set[str] = set()
    while True:
        chosen = _followed(before, own, late)
        # What a function uses may be given after it was defined.
        inner = set().union(*(_used(one) for one in chosen if isinstance(one, ast.FunctionDef)))
        if inner <= late:
            return chosen
        late |= inner


def _followed(before: Sequence[ast.stmt], own: Sequence[ast.stmt], late: set[str]) -> list[ast.stmt]:
    """As `_needed`, where the names ``late`` are used at the end, too."""
    wanted: set[str] = set()
    for statement in reversed(own):
        wanted = wanted - _bound(statement) | _used(statement)
    wanted |= late
    chosen: list[ast.stmt] = []
    for statement in reversed(before):
        if (_bound(statement) | _changed(statement)) & wanted and not _imports_chapter(statement):
            chosen.insert(0, statement)
            wanted = wanted - (_bound(statement) if isinstance(statement, _ALWAYS) else set()) | _used(statement)
    return chosen


#: What binds its names whatever happens: what they were before does not matter any more.
_ALWAYS = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def _imports_chapter(statement: ast.stmt) -> bool:
    """Whether it brings the class that `_Listening` stands for here."""
    return isinstance(statement, ast.ImportFrom) and statement.module == Chapter.__module__


def _used(statement: ast.stmt) -> set[str]:
    """The notebook's names that a statement uses, in functions and comprehensions too, but for their own."""
    return {name.get_name() for name in _names(_table(statement)) if name.is_referenced()}


def _bound(statement: ast.stmt) -> set[str]:
    """The notebook's names that a statement binds."""
    return {name.get_name() for name in _table(statement).get_symbols() if name.is_assigned() or name.is_imported()}


def _table(statement: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(statement), "cell", "exec")


def _names(table: symtable.SymbolTable, inner: bool = False) -> Iterator[symtable.Symbol]:
    yield from (name for name in table.get_symbols() if not inner or name.is_global())
    for child in table.get_children():
        yield from _names(child, inner=True)


def _changed(statement: ast.stmt) -> set[str]:
    """The names whose values a statement may change in place: an item, an attribute, ``rows.append(...)``."""
    found: set[str] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                found |= _root(node)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=value))):
                found |= _root(value) - {"chapter"}
    return found


def _root(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


@dataclass(frozen=True)
class Number:
    """A number of a sentence: as the book has it, with a seed trained anew, and by how much it may differ."""

    text: str
    stored: float
    again: float
    allowed: float

    @property
    def matches(self) -> bool:
        """Whether it came out again."""
        return abs(self.again - self.stored) <= self.allowed


@dataclass(frozen=True)
class Verified:
    """What became of a reading when a seed of one of its tables was trained anew.

    ``words``: the sentences where they came out in other words, empty where only numbers moved, if anything did.
    """

    name: str
    again: Again
    numbers: tuple[Number, ...]
    words: str

    @property
    def matches(self) -> bool:
        """Whether every number came out again, in the same words."""
        return not self.words and all(number.matches for number in self.numbers)


def found(name: str) -> tuple[Reading, str | None, str | None] | None:
    """The reading, study and setting that ``STUDY/READING@SETTING`` names; None where it is the name of no reading.

    A chapter's number may stand for the study: ``05/real-said``, as the page has it. The study is then None, and a
    chapter or a reading that is none raises `ParameterError`: such a name names nothing else.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    number = re.fullmatch("[0-9]{1,2}", match["study"])
    chapter = find_chapter(match["study"]) if number else chapter_of(match["study"])
    if chapter is None or (not number and match["reading"] not in readings(chapter)):
        return None
    return reading(chapter, match["reading"]), None if number else match["study"], match["setting"]


def verify(
    one: Reading, study: str | None, setting: str | None, seed: int | None, device: str, tell: Progress | None
) -> Verified:
    """Train a seed of the table anew and let the cell say its sentences with it.

    Of several tables that the cell asks for, ``study`` and ``setting`` choose one; else one is taken at random. A
    number may move by half of its interval over seeds, by the jackknife: how much it moves when a seed is left out;
    and by one in its last place. Raises `ParameterError` where the cell asks for no such table.
    """
    before, asked = one.say()
    chosen = [place for place in asked if study in (None, place[0]) and setting in (None, place[1])]
    if not chosen:
        wanted = "@".join(word for word in (study or "", setting or "") if word)
        tables = ", ".join(f"{told}@{name}" for told, name in asked) or "no table"
        raise ParameterError(f"{one.cell} does not follow from {wanted or 'a table'}, but from {tables}")
    if study is not None and (study, "discovery") in chosen:
        chosen = [(study, "discovery")]
    elif study is None:
        chosen = [place for place in chosen if _moves(one, before, place, asked[place])] or chosen
    study, setting = random.SystemRandom().choice(chosen)
    table = asked[study, setting]
    again = train_again(table, setting, seed, device, tell)

    def said(changed: Table) -> str:
        return "\n".join(one.say({(study, setting): changed})[0])

    after = said(dataclasses.replace(table, frame=again.frame))
    text = "\n".join(before)
    left_out = [said(_without(table, other)) for other in table.seeds[:_LEFT_OUT]] if len(table.seeds) > 2 else []
    name = f"{study}/{one.cell}@{setting}"
    if _template(after) != _template(text):
        return Verified(name, again, (), f"{text}\nbecame\n{after}")
    return Verified(name, again, tuple(_numbers(text, after, left_out, len(table.seeds))), "")


def _moves(one: Reading, before: list[str], place: tuple[str, str], table: Table) -> bool:
    """Whether what the cell says is otherwise without the first seed of a table, which takes no day to train again."""
    return place[1] in ("discovery", "replication") and one.say({place: _without(table, table.seeds[0])})[0] != before


def _without(table: Table, seed: int) -> Table:
    frame = table.frame[table.frame["seed"] != seed].reset_index(drop=True)
    kept = [(one, said) for one, said in zip(table.seeds, table.provenances, strict=True) if one != seed]
    return dataclasses.replace(
        table, frame=frame, seeds=tuple(one for one, _ in kept), provenances=tuple(said for _, said in kept)
    )


def _template(text: str) -> str:
    """The words without the numbers."""
    return _NUMBER.sub("#", _NO_WORDS.sub("", text))


def _values(text: str) -> Iterator[tuple[str, float, float]]:
    """Of each number its text, its value, and one in its last place."""
    for match in _NUMBER.finditer(_NO_WORDS.sub("", text)):
        digits = match[0].replace("−", "-").replace(",", "").removesuffix("%")
        mantissa, _, exponent = digits.partition("e")
        place = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        yield match[0], float(digits), place


def _numbers(text: str, after: str, left_out: Sequence[str], seeds: int) -> Iterator[Number]:
    others = [list(_values(one)) for one in left_out if _template(one) == _template(text)]
    for place, ((written, stored, last), (_, again, _)) in enumerate(zip(_values(text), _values(after), strict=True)):
        moved = half_width([one[place][1] for one in others], seeds) if len(others) > 2 else 0.0
        yield Number(written, stored, again, max(moved, last) + 1e-9)


def half_width(left_out: Sequence[float], seeds: int) -> float:
    """Half of a number's 95 % interval over ``seeds`` seeds, by what it is without each of some of them (jackknife)."""
    of_mean = t_interval(np.asarray(left_out))
    half = (of_mean.high - of_mean.low) / 2
    return half * math.sqrt(len(left_out) / seeds) * (seeds - 1) if math.isfinite(half) else 0.0


def marked(notebook: dict[str, Any], chapter: str) -> dict[str, Any]:
    """The executed notebook with a mark, name and link, behind each sentence whose numbers `Reading` makes again."""
    return {**notebook, "cells": [_with_mark(cell, chapter) for cell in notebook["cells"]]}


def _with_mark(cell: dict[str, Any], chapter: str) -> dict[str, Any]:
    said = [one for one in cell.get("outputs", []) if "text/markdown" in one.get("data", {})]
    if not said or "chapter.say(" not in "".join(cell["source"]):
        return cell
    texts = ["".join(one["data"]["text/markdown"]).rstrip() for one in said]
    text = texts[-1]
    if not any(list(_values(one)) for one in texts):  # words with which a figure is set, say
        return cell
    if re.search(r"(^|\n)([|:`]|\s*[-*] ).*$", text):  # no paragraph: a table, a list, a block
        return cell
    command = f"genbook verify {chapter[:2]}/{cell['id']}"
    mark = f'<a class="again" href="../method/check.html#sentences" title="{command}" aria-label="{command}">↻</a>'
    last = {**said[-1], "data": {**said[-1]["data"], "text/markdown": f"{text}&nbsp;{mark}"}}
    return {**cell, "outputs": [last if one is said[-1] else one for one in cell["outputs"]]}
