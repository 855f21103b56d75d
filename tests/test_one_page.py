"""All of genbook on one page: every command with its options, every study, every public name, once."""

import re

import click
import pytest

from genbook.book import reference
from genbook.book.one_page import one_page
from genbook.cli import cli
from genbook.results.chapters import chapters, studies_of

LIBRARY = [reference.FIRST, "reference/models", "reference/models/mlp", "reference/gradients/Coherence-class"]


@pytest.fixture(scope="module")
def rows():
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in one_page(LIBRARY).splitlines()]


def commands_of(group):
    for command in group.commands.values():
        yield from commands_of(command) if isinstance(command, click.Group) else [command]


def test_every_command_is_there_with_its_options(rows):
    told = [row for row in rows if len(row) == 3 and row[0].startswith("`")]
    listed = {row[0].strip("`").partition(" ")[0] for row in told}
    assert listed == set(cli.commands)
    assert len(told) == len(list(commands_of(cli)))
    for command in commands_of(cli):
        (row,) = [row for row in told if command.name in row[0].strip("`").split()]
        assert row[1]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert f"`{parameter.opts[-1]}`" in row[2], command.name


def test_every_study_is_there_with_its_claims(rows):
    told = {row[1]: row[2] for row in rows if len(row) == 4}
    for chapter in chapters():
        for study in studies_of(chapter):
            assert told[f"[`{study.name}`](evidence/{study.name})"] == str(len(study.claims))


def test_names_lead_to_their_pages(rows):
    told = {row[0]: row[1] for row in rows if len(row) == 2}
    assert told["`genbook.models`"] == "[`mlp`](reference/models/mlp)"
    assert told["`genbook.gradients`"] == "[`Coherence`](reference/gradients/Coherence-class)"
