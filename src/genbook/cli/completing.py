"""What a shell offers when a word of a command is completed; nothing where it cannot be told, and never an error."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, split_arg_string

_Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offering(offers: Callable[[click.Context, str], Iterable[tuple[str, str]]]) -> _Offer:
    """What click calls: the words of ``offers`` that go on from what is begun, each with what a shell may say of it."""

    @functools.wraps(offers)
    def found(context: click.Context, asked: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            words = list(offers(context, begun))
        except Exception:  # a traceback in the middle of a prompt helps nobody
            return []
        return [CompletionItem(word, help=said or None) for word, said in words if word.startswith(begun)]

    return found


@_offering
def a_study(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """The names of the studies."""
    from genbook import studies

    return [(name, "") for name in studies.names()]


@_offering
def a_chapter(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """The numbers of the chapters; their names once one is begun."""
    from genbook.results.chapters import entries

    return [
        *((entry.name[:2], entry.title) for entry in entries()),
        *((entry.name[3:], entry.title) for entry in entries() if begun),
    ]


def a_run(context: click.Context, asked: click.Parameter, begun: str) -> list[CompletionItem]:
    """A chapter, or a file."""
    return [*a_chapter(context, asked, begun), CompletionItem(begun, type="file")]


@_offering
def a_chapter_or_study(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """What parameters can be asked of."""
    from genbook import studies
    from genbook.results.chapters import entries

    return [*((entry.name[:2], entry.title) for entry in entries()), *((name, "") for name in studies.names())]


@_offering
def a_profile(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """The presets."""
    return [("smoke", "seconds, judges nothing"), ("quick", "as the book has it"), ("full", "the sizes of the papers")]


@_offering
def a_device(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """Where it is computed."""
    return [("auto", ""), ("cpu", ""), ("cuda", "")]


@_offering
def a_setting(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """The settings of the study that the command names."""
    (study,) = _told()
    return [
        ("discovery", ""),
        *([("replication", "")] if study.replication else []),
        *((c, "") for c in study.controls),
    ]


@_offering
def a_parameter(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """The parameters of what the command names; nothing where a value is begun."""
    words = split_arg_string(os.environ.get("COMP_WORDS", ""))
    if begun and words and words[-1] == begun:
        words.pop()
    if not words or words[-1] != "-p":
        return []
    told = _told()
    said = {name: field.description or "" for study in told for name, field in study.spec.model_fields.items()}
    return [*said.items(), ("seeds", "a number of seeds, or a list of them")]


@_offering
def a_number(context: click.Context, begun: str) -> Iterable[tuple[str, str]]:
    """Studies, and behind one its claims."""
    from genbook import studies

    name, slash, _ = begun.partition("/")
    if not slash:
        return [(f"{study}/", "") for study in studies.names()]
    return [(f"{name}/{claim.id}", claim.statement) for claim in studies.get(name).claims]


def _told() -> list[Any]:
    """The studies that the command's words name so far; click has read none of them where an option lacks its value."""
    from genbook import studies
    from genbook.base.spec import ParameterError
    from genbook.book.execute import find_chapter
    from genbook.results.chapters import studies_of

    for word in split_arg_string(os.environ.get("COMP_WORDS", ""))[2:]:
        if word in studies.names():
            return [studies.get(word)]
        with contextlib.suppress(ParameterError):
            return studies_of(find_chapter(word))
    return []
