"""All of genbook on one page: its commands with their options, its studies, the library's public names."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence

import click

from genbook.book.front import number_of
from genbook.results.chapters import chapter_title, chapters, studies_of


def one_page(library: Iterable[str]) -> str:
    """The page; ``library``: the places of the reference's pages."""
    # The commands are a floor above: they are looked up by name, as a shell does.
    cli = importlib.import_module("genbook.cli").cli
    return "\n".join(
        [
            "# All of genbook on one page\n",
            "## Commands\n",
            "`genbook COMMAND --help` says more.\n",
            *_table(("command", "what it does", "options"), _commands(cli)),
            "\n## Chapters and studies\n",
            "The number is what `genbook run` and `genbook params` take; a study's name is what `genbook claims`, "
            "`check`, `table` and `publish` take. Seconds are those of the profile `quick` on one core, all settings "
            "together.\n",
            *_table(("chapter", "study", "claims", "seconds"), _studies()),
            "\n## Names of the library\n",
            "Each leads to its page of the [library reference](reference/index).\n",
            *_table(("from", "import"), _names(library)),
            "\n## What surrounds a run\n",
            *_table(
                ("variable", "what it sets"),
                [
                    ("`GENBOOK_STORE`", "the folder of computed tables, by default `.genbook`"),
                    ("`GENBOOK_DATA`", "the folder of downloaded data"),
                    ("`GENBOOK_THREADS`", "threads of the arithmetic on a CPU, by default 1"),
                    ("`GENBOOK_FRESH`", "1: read no table that comes with the book"),
                    ("`CHROMIUM`", "the browser that prints the PDF and looks at pages"),
                ],
            ),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, str, str]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")
            continue
        taken = " ".join(argument.human_readable_name for argument in _kind(command, click.Argument))
        options = " ".join(f"`{option.opts[-1]}`" for option in _kind(command, click.Option))
        yield f"`{f'{before}{name} {taken}'.strip()}`", _first_sentence(command.help or ""), options


def _kind(command: click.Command, kind: type) -> list:
    return [parameter for parameter in command.params if isinstance(parameter, kind)]


def _first_sentence(text: str) -> str:
    first = re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
    return first.replace("|", "\\|").replace("<", "&lt;")


def _studies() -> Iterator[tuple[str, str, str, str]]:
    for chapter in chapters():
        for place, study in enumerate(studies_of(chapter)):
            title = f"{number_of(chapter):02} [{chapter_title(chapter)}](chapters/{chapter})" if not place else ""
            seconds = study.profile("quick").seconds
            yield title, f"[`{study.name}`](evidence/{study.name})", str(len(study.claims)), f"{seconds:g}"


def _names(library: Iterable[str]) -> Iterator[tuple[str, str]]:
    rooms: dict[str, list[str]] = {}
    for where in library:
        parts = where.split("/")
        if len(parts) == 3:
            rooms.setdefault(parts[1], []).append(where)
    for room, places in rooms.items():
        names = (f"[`{where.split('/')[-1].removesuffix('-class')}`]({where})" for where in places)
        yield f"`genbook.{room}`", " ".join(names)
