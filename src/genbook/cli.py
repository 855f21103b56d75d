"""The command ``genbook``: run, build, check and list, with one message and no traceback where something is wrong."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from genbook import __version__, studies
from genbook.errors import ForeseenError
from genbook.spec import ParameterError, read_value
from genbook.studies import Study

_PARAMETER = click.option(
    "-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; may be repeated."
)
_PROFILE = click.option("--profile", default=None, metavar="P", help="smoke, quick or full (default: quick).")
_DEVICE = click.option("--device", default="auto", metavar="D", help="auto, cpu or cuda.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="genbook")
def cli() -> None:
    """A reproducible study book on why neural networks generalize."""


def main() -> None:
    """Run the command line; every foreseen mistake ends with status 2 (asked wrongly) or 1 (went wrong)."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit("genbook: interrupted; what was stored stays, the next run goes on from there")
    except KeyboardInterrupt:
        sys.exit("genbook: interrupted; what was stored stays, the next run goes on from there")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ForeseenError as error:
        click.echo(f"genbook: {error}", err=True)
        sys.exit(error.status)
    except BrokenPipeError:
        sys.exit(0)


def _read_parameters(pairs: tuple[tuple[str, str], ...], told: list[Study]) -> dict[str, Any]:
    """Values as the specs' types say; an unknown name is kept for the validation to name."""
    types = {"profile": str, "device": str}
    for study in told:
        types.update({name: field.annotation for name, field in study.spec.model_fields.items()})
    return {name: read_value(text, types.get(name)) for name, text in pairs}


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Any]:
    from genbook.results.progress import terminal_progress

    with terminal_progress(title) as progress:
        yield progress


@cli.command()
@click.argument("chapter")
@_PROFILE
@_DEVICE
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The executed notebook.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@_PARAMETER
def run(
    chapter: str,
    profile: str | None,
    device: str,
    out: Path | None,
    quiet: bool,
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Execute CHAPTER (a number or a name) with papermill."""
    from genbook.execute import execute, executed_path, find_chapter
    from genbook.results.requests import requests

    name = find_chapter(chapter)
    given = _read_parameters(parameters, studies.of_chapter(name))
    if profile is not None:
        given["profile"] = profile
    if device != "auto":
        given["device"] = device
    asked = requests(name, given)
    chosen = given.get("profile", "quick")
    if out is None:
        out = executed_path(name, chosen) if set(given) <= {"profile"} else Path(f"{name}.executed.ipynb")
    if out.is_dir():
        raise ParameterError(f"--out {out} is a folder; name a file such as {out / (name + '.ipynb')}")
    if not quiet:
        seconds = sum(request.seconds() for request in asked.values())
        click.echo(f"{name} ({chosen}): {_about(seconds)} to compute, then a few seconds to execute", err=True)
    with _progress(name) as progress:
        execute(name, given, out.resolve(), None if quiet else progress)
    if not quiet:
        click.echo(str(out))


def _about(seconds: float) -> str:
    if seconds < 1:
        return "nothing"
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


@cli.command()
@_PROFILE
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The build folder.")
@click.option("--jobs", default=2, type=click.IntRange(1), help="Notebooks executed at a time.")
def build(profile: str | None, out: Path | None, jobs: int) -> None:
    """Build the book from executed copies of the chapters."""
    from genbook.build import build as build_book

    build_book(profile or "quick", out, jobs, say=click.echo)


@cli.command()
@click.argument("names", nargs=-1, metavar="[STUDY]...")
@_PROFILE
@_DEVICE
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output and nothing else.")
@click.option("--blind", is_flag=True, help="Leave the confirmation alone, while settings are still being chosen.")
@_PARAMETER
def claims(
    names: tuple[str, ...],
    profile: str | None,
    device: str,
    as_json: bool,
    blind: bool,
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Compute what is missing and print every claim of each STUDY (all without one) with its verdicts."""
    from genbook.results import Request, evaluate

    chosen = [studies.get(name) for name in names or studies.names()]
    asked = []
    for study in chosen:
        given = _read_parameters(parameters, [study])
        run_profile = profile or given.pop("profile", "quick")
        asked.append(Request.build(study, run_profile, given, given.pop("device", device)))
    rows = []
    for request in asked:
        with _progress(request.study.title) as progress:
            rows += evaluate(request, progress=progress, blind=blind)
    if as_json:
        click.echo(json.dumps([row.as_dict() for row in rows], indent=1, ensure_ascii=False))
        return
    _print_rows(rows)


def _print_rows(rows: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    colours = {"holds": "green", "fails": "red", "undecided": "yellow"}

    def shown(judgement: Any) -> str:
        colour = colours.get(judgement.verdict, "dim")
        number = f"{judgement.estimate:.3g} " if judgement.estimate == judgement.estimate else ""
        return f"{number}[{colour}]{judgement.verdict}[/{colour}]"

    table = Table(box=None, pad_edge=False)
    for column in ("study", "claim", "main", "95 % interval", "wanted", "confirm", "null"):
        table.add_column(column, overflow="fold")
    for row in rows:
        interval = f"{row.main.low:.3g} to {row.main.high:.3g}"
        wanted = f"{row.claim.relation} {row.claim.threshold:.3g}"
        study = row.request.study.name
        table.add_row(study, row.claim.id, shown(row.main), interval, wanted, shown(row.confirm), shown(row.null))
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="STUDY...")
def check(names: tuple[str, ...]) -> None:
    """Check that each STUDY keeps what every study promises; status 1 where one does not."""
    chosen = [studies.get(name) for name in names]
    from genbook import contract

    broken = False
    for study in chosen:
        for promise, error in contract.check(study):
            if error is None:
                click.echo(f"ok      {study.name}: {promise}")
            elif isinstance(error, contract.NotApplicableError):
                click.echo(f"--      {study.name}: {promise} ({error})")
            else:
                broken = True
                reason = str(error) if isinstance(error, contract.CheckError) else repr(error)
                click.echo(f"BROKEN  {study.name}: {promise}\n        {reason}")
    if broken:
        sys.exit(1)


@cli.command("studies")
def list_studies() -> None:
    """List the studies with their chapters."""
    for name in studies.names():
        study = studies.get(name)
        click.echo(f"{name}\t{study.chapter}\t{study.title}")


@cli.command()
@click.argument("chapter")
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
def params(chapter: str, as_json: bool) -> None:
    """List every parameter of CHAPTER (or of a study): type, bounds, default and meaning."""
    from genbook.execute import find_chapter

    told = [studies.get(chapter)] if chapter in studies.names() else studies.of_chapter(find_chapter(chapter))
    rows = [{"study": study.name, **row} for study in told for row in study.spec.described()]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for study in told:
        click.echo(f"{study.name}: {study.title}")
        for row in study.spec.described():
            unit = f" [{row['unit']}]" if row["unit"] else ""
            bounds = f", {row['bounds']}" if row["bounds"] else ""
            click.echo(f"  {row['name']} = {json.dumps(row['default'])}  ({row['type']}{bounds})")
            click.echo(f"      {row['meaning']}{unit}")
        for name, preset in study.profiles.items():
            values = ", ".join(f"{key} = {json.dumps(value)}" for key, value in preset.parameters.items())
            click.echo(f"  profile {name}: seeds = {preset.seeds}{', ' if values else ''}{values}")
    click.echo("of every run: profile, seeds (a number or a list), device (auto, cpu, cuda)")


@cli.command()
@click.argument("study")
@click.option("--world", default="main", help="main, confirm, or the name of a null world.")
@_PROFILE
@_DEVICE
@click.option("--columns", is_flag=True, help="Say what the columns and quantities mean instead.")
@_PARAMETER
def table(
    study: str, world: str, profile: str | None, device: str, columns: bool, parameters: tuple[tuple[str, str], ...]
) -> None:
    """Print the table of STUDY as CSV; what is missing is computed."""
    from genbook.results import Request

    chosen = studies.get(study)
    if columns:
        for name, meaning in {**chosen.columns, **chosen.quantities}.items():
            click.echo(f"{name}\t{meaning}")
        return
    request = Request.build(chosen, profile or "quick", _read_parameters(parameters, [chosen]), device)
    with _progress(chosen.title) as progress:
        found = request.table(world, progress)
    click.echo(found.frame.to_csv(index=False), nl=False)


@cli.command()
@click.argument("study")
@_PROFILE
@_DEVICE
@click.option("--name", default=None, help="Name of the files in book/results/STUDY (default: the profile).")
@click.option("--world", "chosen_worlds", multiple=True, help="Publish this world alone; may be repeated.")
@_PARAMETER
def publish(
    study: str,
    profile: str | None,
    device: str,
    name: str | None,
    chosen_worlds: tuple[str, ...],
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Compute the worlds of STUDY (all; profile full unless told) and publish their tables in book/results/."""
    from genbook.results import Request
    from genbook.results.tables import publish as publish_table
    from genbook.results.tables import published_name

    chosen = studies.get(study)
    preset = profile or "full"
    request = Request.build(chosen, preset, _read_parameters(parameters, [chosen]), device)
    for world in map(request.world, chosen_worlds) if chosen_worlds else request.worlds():
        if not request.runnable(world):
            click.echo(f"{world.name}: data not there, not published", err=True)
            continue
        file = published_name(name or preset, world.name)  # checked before anything is computed
        with _progress(f"{chosen.title}, {world.name}") as progress:
            found = request.table(world.name, progress)
        click.echo(str(publish_table(found, file)))


@cli.group("data")
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
