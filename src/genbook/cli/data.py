"""Commands on the data sets."""

from __future__ import annotations

import click


@click.group("data")
def data_group() -> None:
    """List the data sets, or fetch one."""


@data_group.command("list")
def data_list() -> None:
    """Say which data sets are there."""
    from genbook import data

    for name in data.NAMES:
        click.echo(f"{name}\t{'there' if data.available(name) else 'not there: genbook data fetch ' + name}")


@data_group.command("fetch")
@click.argument("name")
def data_fetch(name: str) -> None:
    """Download the data set NAME into GENBOOK_DATA."""
    from genbook import data

    data.fetch(name)
    click.echo(f"{name}: there, SHA-256 {data.fingerprint(name)}")
