"""Commands on what studies computed: claims, table, publish, ship."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import click

from genbook.base import progress
from genbook.base.files import atomic
from genbook.cli import completing, kept
from genbook.cli.asking import DEVICE, JOBS, PARAMETER, PROFILE, option, request_of, specs, studies
from genbook.cli.printing import interval_cell, print_table, verdict_cell


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY]...", shell_complete=completing.a_study)
@PROFILE
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output and nothing else.")
@click.option("--blind", is_flag=True, help="Leave the replication alone, while settings are still being chosen.")
@JOBS
@PARAMETER
def claims(
    names: tuple[str, ...],
    profile: str | None,
    device: str | None,
    as_json: bool,
    blind: bool,
    jobs: int | None,
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Compute what is missing and print every claim of each STUDY (all without one) with its verdicts."""
    asked = ["claims", names, profile, device, blind, parameters]
    rows = kept.of_tables(asked, lambda: _rows(names, profile, device, blind, jobs, parameters))
    if as_json:
        click.echo(rows)
    else:
        _print_rows(json.loads(rows))


def _rows(
    names: tuple[str, ...],
    profile: str | None,
    device: str | None,
    blind: bool,
    jobs: int | None,
    parameters: tuple[tuple[str, str], ...],
) -> str:
    """The rows as JSON, once all tables are there."""
    from genbook.results import evaluate
    from genbook.results.side_by_side import fill_all
    from genbook.results.verdicts import settings_judged

    asked = [request_of(studies.get(name), parameters, profile, device) for name in names or studies.names()]
    fill_all(asked, jobs or 2, settings=functools.partial(settings_judged, blind=blind))
    rows = []
    for request in asked:
        with progress.bar(request.study.title) as tell:
            rows += evaluate(request, tell=tell, blind=blind)
    return json.dumps([row.as_dict() for row in rows], indent=1, ensure_ascii=False)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """Rows as `genbook claims --json` has them, in a terminal."""
    columns = ("study", "claim", "discovery", "95 % interval", "wanted", "replication", "control")

    def cells(row: dict[str, Any]) -> list[str]:
        discovery, replication, control = (row["settings"][name] for name in ("discovery", "replication", "control"))
        return [
            row["study"],
            row["id"],
            verdict_cell(discovery["verdict"], discovery["estimate"]),
            interval_cell(discovery["low"], discovery["high"]),
            f"{row['relation']} {row['threshold']:.3g}",
            verdict_cell(replication["verdict"], replication["estimate"]),
            verdict_cell(control["verdict"], control["estimate"]),
        ]

    print_table(columns, map(cells, rows))


@click.command()
@click.argument("study", shell_complete=completing.a_study)
@option(
    "--setting",
    help="discovery (the default), replication, or the name of a control.",
    shell_complete=completing.a_setting,
)
@PROFILE
@DEVICE
@click.option("--columns", is_flag=True, help="Say what the columns and quantities mean instead.")
@option("--out", type=click.Path(path_type=Path), help="A new file, .csv or .parquet, instead of standard output.")
@PARAMETER
def table(
    study: str,
    setting: str | None,
    profile: str | None,
    device: str | None,
    columns: bool,
    out: Path | None,
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Print the table of STUDY as CSV; what is missing is computed."""
    chosen = studies.get(study)
    if columns:
        for name, meaning in {**chosen.columns, **chosen.quantities}.items():
            click.echo(f"{name}\t{meaning}")
        return
    if out is not None:
        _check_new(out)
    request = request_of(chosen, parameters, profile, device)
    with progress.bar(chosen.title) as tell:
        found = request.table(setting or "discovery", tell)
    if out is None:
        click.echo(found.frame.to_csv(index=False), nl=False)
        return
    with atomic(out) as temporary:
        (found.frame.to_csv if out.suffix == ".csv" else found.frame.to_parquet)(temporary, index=False)
    click.echo(str(out))


def _check_new(out: Path) -> None:
    """Refuse, before anything is computed, a file that is there and a form that is none of ours."""
    if out.suffix not in (".csv", ".parquet"):
        raise specs.ParameterError(f"--out {out}: want a name that ends in .csv or .parquet")
    if os.path.lexists(out):
        raise specs.ParameterError(f"--out {out} is there; name a new file")


@click.command()
@click.argument("study", shell_complete=completing.a_study)
@PROFILE
@DEVICE
@option("--name", help="Name of the files in book/results/STUDY (default: the profile).")
@click.option(
    "--setting",
    "chosen_settings",
    multiple=True,
    help="Publish this setting alone; may be repeated.",
    shell_complete=completing.a_setting,
)
@PARAMETER
def publish(
    study: str,
    profile: str | None,
    device: str | None,
    name: str | None,
    chosen_settings: tuple[str, ...],
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Compute the settings of STUDY (all; profile full unless told) and publish their tables in book/results/."""
    from genbook.results import published

    chosen = studies.get(study)
    request = request_of(chosen, parameters, profile, device, usual="full")
    name = request.profile if name is None else name
    for setting in map(request.setting, chosen_settings) if chosen_settings else request.settings():
        if not request.runnable(setting):
            click.echo(f"{setting.name}: data not there, not published", err=True)
            continue
        file = published.name_of(name, setting.name)  # checked before anything is computed
        with progress.bar(f"{chosen.title}, {setting.name}") as tell:
            found = request.table(setting.name, tell)
        click.echo(str(published.publish(found, file)))


@click.command()
def ship() -> None:
    """Let the dearest tables of the profile quick come with the book, in book/results/tables; missing are computed.

    They serve whoever has exactly this code and these data; what came before is removed.
    """
    from genbook.results import shipped
    from genbook.results.side_by_side import fill_all
    from genbook.results.verdicts import is_demonstration

    every = [request_of(studies.get(name), (), None, None) for name in studies.names()]
    dear = [request for request in every if request.study.profile(request.profile).seconds >= shipped.DEAR]
    dear = [request for request in dear if not is_demonstration(request)]
    fill_all(dear)
    found = []
    for request in dear:
        for setting in request.settings():
            with progress.bar(f"{request.study.title}, {setting.name}") as tell:
                table = request.table(setting.name, tell)
            if not table.published:
                found.append(table)
    written = shipped.ship(found)
    click.echo(f"{len(written)} parts, {sum(path.stat().st_size for path in written) / 2**20:.1f} MiB")
