"""Commands on chapters and the whole book: run, build, compare, params."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genbook.base import progress
from genbook.cli import completing, kept
from genbook.cli.asking import DEVICE, PARAMETER, PROFILE, named_seeds, option, read_parameters, studies
from genbook.cli.printing import print_table, verdict_cell

if TYPE_CHECKING:
    from genbook.results import Request
    from genbook.studies import Study


@click.command()
@click.argument("chapter", shell_complete=completing.a_chapter)
@PROFILE
@DEVICE
@option("--seeds", metavar="N", help="A number of seeds, or a list of them such as 3,5,8.")
@option("--out", type=click.Path(path_type=Path), help="The executed notebook: a new file, or an older copy.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@PARAMETER
def run(
    chapter: str,
    profile: str | None,
    device: str | None,
    seeds: str | None,
    out: Path | None,
    quiet: bool,
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Execute CHAPTER (a number or a name) with papermill.

    \b
    genbook run 02                                        as the book has it
    genbook run 02 -p learning_rate 0.1 --seeds 3         with another rate
    genbook run 02 --profile full --out mine.ipynb        the sizes of the papers
    """
    from genbook.book.execute import check_out, execute, executed_path, find_chapter
    from genbook.results.chapters import studies_of
    from genbook.results.requests import requests
    from genbook.results.side_by_side import fill_all

    name = find_chapter(chapter)
    given = read_parameters((*parameters, *named_seeds(seeds)), studies_of(name), profile, device)
    asked = requests(name, given)
    chosen = given.get("profile", "quick")
    if out is None and set(given) <= {"profile"}:
        out = executed_path(name, chosen)  # in the store, which is genbook's own
    else:
        out = out if out is not None else Path(f"{name}.executed.ipynb")
        check_out(out)
    if not quiet:
        click.echo(f"{name} ({chosen}): {_to_compute(asked.values())}, then a few seconds to execute", err=True)
    fill_all(asked.values())
    with progress.bar(name) as tell:
        execute(name, given, Path(os.path.realpath(out)), None if quiet else tell)
    if not quiet:
        click.echo(str(out))


def _to_compute(asked: Collection[Request]) -> str:
    """How long computing will take in words; 'nothing' only where every table is there."""
    missing = sum(sum(request.missing().values()) for request in asked)
    seconds = sum(request.seconds() for request in asked)
    if not missing:
        return "nothing to compute"
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s to compute"
    return (
        f"about {round(seconds / 60)} min to compute" if seconds < 5400 else f"about {seconds / 3600:.1f} h to compute"
    )


@click.command()
@PROFILE
@option("--out", type=click.Path(path_type=Path), help="The build folder: a new or an empty one, or an older build.")
@option(
    "--jobs", type=click.IntRange(1, 64), help="Tables computed, and then notebooks executed, at a time (default: 2)."
)
@click.option("--pdf", is_flag=True, help="Print the whole book as a PDF, too (needs Chromium).")
def build(profile: str | None, out: Path | None, jobs: int | None, pdf: bool) -> None:
    """Build the book from executed copies of the chapters."""
    from genbook.book.build import build as build_book
    from genbook.book.pdf import print_book, required

    if pdf:
        required()  # before minutes are spent on what it would print
    index = build_book(profile or "quick", out, jobs or 2, say=click.echo)
    if pdf:
        click.echo(f"printed: {print_book(index.parent)}")


@click.command()
@click.argument("first", metavar="A", shell_complete=completing.a_run)
@click.argument("second", metavar="B", shell_complete=completing.a_run)
@click.option("--all", "everything", is_flag=True, help="Every claim, not only those that came out otherwise.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on standard output and nothing else.")
def compare(first: str, second: str, everything: bool, as_json: bool) -> None:
    """Put two runs of a chapter side by side: executed copies (of genbook run or papermill), or a chapter of the book.

    \b
    genbook run 05 -p learning_rates 0.1,0.4 --out mine.ipynb
    genbook compare 05 mine.ipynb
    """
    from genbook.book.compare import differing, run_of

    runs = run_of(first), run_of(second)
    changed = differing(*runs)
    told = []
    for run in runs:
        with progress.bar(run.name) as tell:
            told.append(run.rows(tell))
    pairs = list(zip(*told, strict=True))
    if as_json:
        said = [{"id": a.claim.id, "study": a.request.study.name, "a": a.as_dict(), "b": b.as_dict()} for a, b in pairs]
        click.echo(json.dumps({"parameters": changed, "claims": said}, indent=1, ensure_ascii=False))
        return
    for name, values in changed.items():
        click.echo(f"{name}: {json.dumps(values[0])} -> {json.dumps(values[1])}")
    otherwise = [(a, b) for a, b in pairs if _outcome(a) != _outcome(b)]
    _print_pairs(pairs if everything else otherwise, first, second)
    alike = len(pairs) - len(otherwise)
    click.echo(
        f"{alike} of {len(pairs)} claims come out alike" + ("" if changed else "; the runs have the same parameters")
    )


def _outcome(row: Any) -> tuple[str, str]:
    return row.discovery.verdict, row.replication.verdict


def _print_pairs(pairs: Collection[tuple[Any, Any]], first: str, second: str) -> None:
    """Claims of two runs: their verdicts in each."""
    if not pairs:
        return
    columns = ("study", "claim", "wanted", first, "replication", second, "replication")
    print_table(
        columns,
        (
            (
                a.request.study.name,
                a.claim.id,
                f"{a.claim.relation} {a.claim.threshold:.3g}",
                *(
                    verdict_cell(found.verdict, found.estimate)
                    for row in (a, b)
                    for found in (row.discovery, row.replication)
                ),
            )
            for a, b in pairs
        ),
    )


@click.command()
@click.argument("chapter", shell_complete=completing.a_chapter_or_study)
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
@click.option("--schema", is_flag=True, help="A JSON schema on standard output, for a program that checks requests.")
def params(chapter: str, as_json: bool, schema: bool) -> None:
    """List every parameter of CHAPTER (or of a study): type, bounds, default and meaning."""
    click.echo(kept.of_sources(["params", chapter, as_json, schema], lambda: _parameters(chapter, as_json, schema)))


def _parameters(chapter: str, as_json: bool, schema: bool) -> str:
    from genbook.book.execute import find_chapter
    from genbook.results.chapters import studies_of

    told = [studies.get(chapter)] if chapter in studies.names() else studies_of(find_chapter(chapter))
    if schema:
        return json.dumps(_schema(chapter, told), indent=1, ensure_ascii=False)
    if as_json:
        rows = [{"study": study.name, **row} for study in told for row in study.spec.described()]
        return json.dumps(rows, indent=1, ensure_ascii=False)
    lines = [line for study in told for line in _described(study)]
    return "\n".join([*lines, "of every run: profile, seeds (a number or a list), device (auto, cpu, cuda)"])


def _described(study: Study) -> Iterator[str]:
    yield f"{study.name}: {study.title}"
    for row in study.spec.described():
        unit = f" [{row['unit']}]" if row["unit"] else ""
        bounds = f", {row['bounds']}" if row["bounds"] else ""
        yield f"  {row['name']} = {json.dumps(row['default'])}  ({row['type']}{bounds})"
        yield f"      {row['meaning']}{unit}"
    for name, preset in study.profiles.items():
        values = ", ".join(f"{key} = {json.dumps(value)}" for key, value in preset.parameters.items())
        yield f"  profile {name}: seeds = {preset.seeds}{', ' if values else ''}{values}"


def _schema(chapter: str, told: Collection[Study]) -> dict[str, Any]:
    """A JSON schema of what a run can be told: the run's own parameters, and ``study.name`` for every study's."""
    properties: dict[str, Any] = {
        "profile": {"type": "string", "enum": sorted({name for study in told for name in study.profiles})},
        "seeds": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "integer"}}]},
        "device": {"type": "string", "enum": ["auto", "cpu", "cuda"]},
    }
    for study in told:
        described = study.spec.model_json_schema()["properties"]
        properties |= {f"{study.name}.{name}": row for name, row in described.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Parameters of {chapter}",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
