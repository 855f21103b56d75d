"""Commands on the store of computed tables."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from genbook.cli import completing
from genbook.cli.asking import specs, studies
from genbook.cli.printing import print_table


@click.group("store")
def store_group() -> None:
    """Look at the store of computed tables, tidy it, hand its tables on or take them from others."""


@store_group.command("ls")
@click.argument("names", nargs=-1, metavar="[STUDY]...", shell_complete=completing.a_study)
def store_list(names: tuple[str, ...]) -> None:
    """Say what the store holds of each STUDY (all without one): parts that serve, and parts of older code."""
    from genbook.results import shared_store

    counts: dict[str, list[int]] = {}
    for part in shared_store.kept(names):
        row = counts.setdefault(part.study, [0, 0, 0, 0])
        row[2 if part.wrong else 0] += 1
        row[3 if part.wrong else 1] += part.bytes
    whole = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0, 0]
    print_table(
        ("study", "parts that serve", "MiB", "others", "MiB"),
        (
            (name, str(here), f"{size / 2**20:.1f}", str(others), f"{rest / 2**20:.1f}")
            for name, (here, size, others, rest) in [*counts.items(), ("in all", whole)]
        ),
    )


@store_group.command("show")
@click.argument("study", shell_complete=completing.a_study)
def store_show(study: str) -> None:
    """List every part of STUDY: key, seed, what its parameters change, when and how long it was computed."""
    from genbook.results import shared_store

    spec = studies.get(study).spec

    def row(part: Any) -> tuple[str, ...]:
        said = part.provenance or {}
        usual = spec().model_dump(mode="json")
        changed = {name: value for name, value in said.get("spec", {}).items() if value != usual.get(name)}
        words = json.dumps(changed) if said else ""
        seconds = f"{said['wall_seconds']:.1f} s" if "wall_seconds" in said else ""
        return part.path.parent.name, part.path.stem, words, str(said.get("created", "")), seconds, part.wrong

    columns = ("key", "seed", "changes to the defaults", "computed", "in", "serves no more because it")
    print_table(columns, map(row, shared_store.kept((study,))))


@store_group.command("prune")
@click.argument("names", nargs=-1, metavar="[STUDY]...", shell_complete=completing.a_study)
def store_prune(names: tuple[str, ...]) -> None:
    """Remove the parts of each STUDY (all without one) that the present code would not read."""
    from genbook.results import shared_store

    gone = shared_store.prune(names)
    parts, size = len(gone) + len(shared_store.paths(names)), sum(part.bytes for part in gone)
    click.echo(f"{len(gone)} of {parts} parts removed, {size / 2**20:.1f} MiB")


@store_group.command("export")
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, metavar="[STUDY]...", shell_complete=completing.a_study)
def store_export(archive: Path, names: tuple[str, ...]) -> None:
    """Write the parts of each STUDY (all without one) that serve into ARCHIVE, a new .tar file."""
    from genbook.results import shared_store

    if os.path.lexists(archive):
        raise specs.ParameterError(f"{archive} is there; name a new file")
    click.echo(f"{shared_store.export(archive, names)} parts, {archive.stat().st_size / 2**20:.1f} MiB: {archive}")


@store_group.command("import")
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def store_import(archive: Path) -> None:
    """Take from ARCHIVE the parts that prove themselves and serve here; status 1 where one is refused."""
    from genbook.results import shared_store

    taken = shared_store.take(archive)
    for name, wrong in taken.refused.items():
        click.echo(f"refused {name}: {wrong}", err=True)
    click.echo(f"{len(taken.new)} parts taken, {len(taken.there)} were there, {len(taken.refused)} refused")
    sys.exit(1 if taken.refused else 0)
