"""Commands on the list of studies: a new one, all of them."""

from __future__ import annotations

import click

from genbook.cli.asking import option, studies


@click.command("new")
@click.argument("name", metavar="STUDY")
@option("--chapter", help="The chapter that is to tell it, by number or name (default: the last one).")
@option("--title", help="Its title (default: its name in words).")
def new(name: str, chapter: str | None, title: str | None) -> None:
    """Write a new STUDY to be filled: folder, test, section of a chapter, line in book/chapters.yml."""
    from genbook.book.execute import find_chapter
    from genbook.book.new import new_study

    for path in new_study(name, None if chapter is None else find_chapter(chapter), title):
        click.echo(str(path))
    click.echo(f"now: genbook check {name}, genbook claims {name} --blind; then fill what is to be filled", err=True)


@click.command("studies")
def list_studies() -> None:
    """List the studies with their chapters."""
    from genbook.results.chapters import chapter_of

    for name in studies.names():
        click.echo(f"{name}\t{chapter_of(name) or '-'}\t{studies.get(name).title}")
