"""The chapters of the book: which there are and whose studies they tell, as ``book/chapters.yml`` says."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from pathlib import Path
from typing import TypeVar

import pydantic
import yaml

from genbook import studies
from genbook.base.errors import ForeseenError
from genbook.base.files import checkout, repository
from genbook.base.spec import ParameterError, nearest
from genbook.studies import Study

_Entries = TypeVar("_Entries")


class ChaptersError(ForeseenError):
    """``book/chapters.yml`` or ``book/primary.yml`` is not what it must be; the message says where."""


class Entry(pydantic.BaseModel):
    """One chapter: its notebook's stem, which begins with its number, its title, its part and the studies it tells."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str = pydantic.Field(pattern=r"^[0-9]{2}_[a-z0-9_]+$")
    title: str = pydantic.Field(min_length=1)
    part: str = pydantic.Field(min_length=1)
    studies: tuple[str, ...] = pydantic.Field(min_length=1)


def entries() -> tuple[Entry, ...]:
    """The chapters in the order of the book; raises `NotACheckout`, or `ChaptersError` naming what is wrong."""
    return _read(_installed_list() if checkout() is None else repository() / "book" / "chapters.yml")


def _installed_list() -> Path:
    """The copy of the list that was installed with the package, so that a notebook alone can be run with that.

    Raises `NotACheckout` where there is none.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("genbook") or ():
            if file.name == "chapters.yml" and (path := Path(str(file.locate()))).is_file():
                return path
    return repository() / "book" / "chapters.yml"


@functools.cache
def _read(path: Path) -> tuple[Entry, ...]:
    found = listed(path, pydantic.TypeAdapter(tuple[Entry, ...]))
    for kind, names in (
        ("chapter", [entry.name for entry in found]),
        ("study", [name for entry in found for name in entry.studies]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ChaptersError(f"{path}: {kind} {twice[0]} stands twice")
    for name in (name for entry in found for name in entry.studies):
        if name not in studies.names():
            raise ChaptersError(f"{path}: {nearest(name, studies.names(), 'study')}")
    return found


def listed(path: Path, entries: pydantic.TypeAdapter[_Entries]) -> _Entries:
    """What a list in YAML holds; raises `ChaptersError` with the path where it cannot be read, or is no such list."""
    try:
        return entries.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, pydantic.ValidationError) as error:
        raise ChaptersError(f"{path}: {error}") from None


def chapters() -> list[str]:
    """The chapters' names (stems of their notebooks) in the order of the book; raises `NotACheckout`."""
    return [entry.name for entry in entries()]


def chapter_title(chapter: str) -> str:
    """The chapter's title."""
    return entry(chapter).title


def studies_of(chapter: str) -> list[Study]:
    """The studies that the chapter tells, in its order; raises `ParameterError` with the nearest name and the list."""
    return [studies.get(name) for name in entry(chapter).studies]


def entry(chapter: str) -> Entry:
    """What is said of the chapter; raises `ParameterError` with the nearest name and the list."""
    for found in entries():
        if found.name == chapter:
            return found
    raise ParameterError(nearest(chapter, chapters(), "chapter"))


def chapter_of(study: str) -> str | None:
    """The chapter that tells the study; None where none does, or where there is no book around this package."""
    told = entries() if checkout() is not None else ()
    return next((entry.name for entry in told if study in entry.studies), None)
