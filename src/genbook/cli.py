"""The command ``genbook``: run, build, check and list, with one message and no traceback where something is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genbook import __version__
from genbook.base import progress
from genbook.base.errors import ForeseenError
from genbook.base.files import atomic
from genbook.base.processes import interruptible

if TYPE_CHECKING:
    from types import ModuleType

    from genbook.results import Request
    from genbook.studies import Study


def _when_used(name: str) -> ModuleType:
    """The module ``name``, imported at its first use: help is there at once, and pydantic and pandas take long."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"no module named {name}", name=name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


studies = _when_used("genbook.studies")
specs = _when_used("genbook.base.spec")


def _once(context: click.Context, option: click.Parameter, values: tuple[Any, ...]) -> Any:
    """The value of an option that may stand once; None where it does not stand at all."""
    if len(values) > 1:
        raise click.BadParameter(f"given {len(values)} times; give it once", context, option)
    return values[0] if values else None


def _option(*names: str, **words: Any) -> Callable[[Any], Any]:
    """An option that is refused where it stands twice: click takes the last one and says nothing."""
    return click.option(*names, multiple=True, callback=_once, **words)


_PARAMETER = click.option(
    "-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; may be repeated."
)
_PROFILE = _option("--profile", metavar="P", help="smoke, quick or full (default: quick).")
_DEVICE = _option("--device", metavar="D", help="auto (the default), cpu or cuda.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 something went wrong, 2 asked wrongly, 130 interrupted (what was stored stays).",
)
@click.version_option(__version__, prog_name="genbook")
def cli() -> None:
    """A reproducible study book on why neural networks generalize."""


def main() -> None:
    """Run the command line; a foreseen mistake is one message and status 2 (asked wrongly) or 1 (went wrong)."""
    with interruptible():
        try:
            cli(standalone_mode=False)
        except click.exceptions.Exit as stop:
            sys.exit(stop.exit_code)
        except click.Abort:  # how click passes an interrupt on
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except ForeseenError as error:
            click.echo(f"genbook: {error}", err=True)
            sys.exit(error.status)
        except BrokenPipeError:
            sys.exit(0)


def read_parameters(
    parameters: tuple[tuple[str, str], ...], told: list[Study], profile: str | None, device: str | None
) -> dict[str, Any]:
    """All that was asked for by name, profile and device among it; raises `ParameterError` for two values of one.

    Values are as the specs' types say; an unknown name is kept for the validation to name.
    """
    named = [("profile", profile), ("device", device), *parameters]
    pairs = [(name, text) for name, text in named if text is not None]
    types: dict[str, Any] = {"profile": str, "device": str}
    for study in told:
        fields = {name: field.annotation for name, field in study.spec.model_fields.items()}
        types.update(fields)
        types.update({f"{study.name}{mark}{name}": kind for mark in (".", "__") for name, kind in fields.items()})
    asked: dict[str, Any] = {}
    for name, text in pairs:
        if name in asked:
            values = " and ".join(repr(value) for other, value in pairs if other == name)
            raise specs.ParameterError(f"parameter {name} was given twice, as {values}: give it once")
        asked[name] = specs.read_value(text, types.get(name))
    return asked


def _request(
    study: Study,
    parameters: tuple[tuple[str, str], ...],
    profile: str | None,
    device: str | None,
    usual: str = "quick",
) -> Request:
    """What a command asks of one study."""
    from genbook.results import Request

    given = read_parameters(parameters, [study], profile, device)
    return Request.build(study, given.pop("profile", usual), given, given.pop("device", "auto"))


@cli.command()
@click.argument("chapter")
@_PROFILE
@_DEVICE
@_option("--seeds", metavar="N", help="A number of seeds, or a list of them such as 3,5,8.")
@_option("--out", type=click.Path(path_type=Path), help="The executed notebook: a new file, or an older copy.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@_PARAMETER
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

    name = find_chapter(chapter)
    named = parameters if seeds is None else (*parameters, ("seeds", seeds if "," not in seeds else f"[{seeds}]"))
    given = read_parameters(named, studies_of(name), profile, device)
    asked = requests(name, given)
    chosen = given.get("profile", "quick")
    if out is None and set(given) <= {"profile"}:
        out = executed_path(name, chosen)  # in the store, which is genbook's own
    else:
        out = out if out is not None else Path(f"{name}.executed.ipynb")
        check_out(out)
    if not quiet:
        click.echo(f"{name} ({chosen}): {_to_compute(asked.values())}, then a few seconds to execute", err=True)
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


@cli.command()
@_PROFILE
@_option("--out", type=click.Path(path_type=Path), help="The build folder: a new or an empty one, or an older build.")
@_option("--jobs", type=click.IntRange(1, 64), help="Notebooks executed at a time (default: 2).")
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


@cli.command()
@click.argument("names", nargs=-1, metavar="[STUDY]...")
@_PROFILE
@_DEVICE
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output and nothing else.")
@click.option("--blind", is_flag=True, help="Leave the replication alone, while settings are still being chosen.")
@_PARAMETER
def claims(
    names: tuple[str, ...],
    profile: str | None,
    device: str | None,
    as_json: bool,
    blind: bool,
    parameters: tuple[tuple[str, str], ...],
) -> None:
    """Compute what is missing and print every claim of each STUDY (all without one) with its verdicts."""
    from genbook.results import evaluate

    asked = [_request(studies.get(name), parameters, profile, device) for name in names or studies.names()]
    rows = []
    for request in asked:
        with progress.bar(request.study.title) as tell:
            rows += evaluate(request, tell=tell, blind=blind)
    if as_json:
        click.echo(json.dumps([row.as_dict() for row in rows], indent=1, ensure_ascii=False))
        return
    _print_rows(rows)


def _told(judgement: Any) -> str:
    """A judgement in a cell of a terminal's table."""
    colour = {"holds": "green", "fails": "red", "undecided": "yellow"}.get(judgement.verdict, "dim")
    number = f"{judgement.estimate:.3g} " if judgement.estimate == judgement.estimate else ""
    return f"{number}[{colour}]{judgement.verdict}[/{colour}]"


def _print_table(columns: Collection[str], rows: Iterable[Collection[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def _print_pairs(pairs: Collection[tuple[Any, Any]], first: str, second: str) -> None:
    """Claims of two runs: their verdicts in each."""
    if not pairs:
        return
    columns = ("study", "claim", "wanted", first, "replication", second, "replication")
    _print_table(
        columns,
        (
            (
                a.request.study.name,
                a.claim.id,
                f"{a.claim.relation} {a.claim.threshold:.3g}",
                *(_told(found) for row in (a, b) for found in (row.discovery, row.replication)),
            )
            for a, b in pairs
        ),
    )


def _print_rows(rows: list[Any]) -> None:
    columns = ("study", "claim", "discovery", "95 % interval", "wanted", "replication", "control")
    _print_table(
        columns,
        (
            (
                row.request.study.name,
                row.claim.id,
                _told(row.discovery),
                f"{row.discovery.low:.3g} to {row.discovery.high:.3g}",
                f"{row.claim.relation} {row.claim.threshold:.3g}",
                _told(row.replication),
                _told(row.control),
            )
            for row in rows
        ),
    )


@cli.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
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


@cli.command()
@click.argument("names", nargs=-1, metavar="[STUDY/CLAIM@SETTING]...")
@_option("--seed", type=click.IntRange(min=0), help="Retrain this seed (default: one at random).")
@_DEVICE
@click.option("--all", "everything", is_flag=True, help="Every study's discovery setting, a seed each (minutes).")
@click.option("--checksums", "sums", is_flag=True, help="Check every published and stored file; train nothing.")
def verify(names: tuple[str, ...], seed: int | None, device: str | None, everything: bool, sums: bool) -> None:
    """Retrain one seed behind a number of the book, and see whether the number comes out again; status 1 if not.

    \b
    genbook verify random_labels/all-fit               in discovery
    genbook verify random_labels/all-fit@replication   on other data; also @control, or a published table:
    genbook verify random_labels@primary-replication   all claims that are judged on it
    genbook verify --all --checksums                   every file, in seconds
    """
    from genbook.results import verify as verifying

    if sums:
        if names or seed is not None:
            raise specs.ParameterError("--checksums checks every file; leave out the names and --seed")
        found = list(verifying.checksums())
        wrong = [f"{path}: {what}" for path, what in found if what]
        click.echo("\n".join([*wrong, f"{len(found) - len(wrong)} of {len(found)} files are as they were written"]))
        sys.exit(1 if wrong else 0)
    if everything == bool(names):
        raise specs.ParameterError(
            "want one STUDY/CLAIM@SETTING or more, such as random_labels/all-fit@control, or --all"
        )
    asked = [one for name in (studies.names() if everything else names) for one in verifying.numbers(name)]
    matches = True
    for one in asked:
        with progress.bar(f"{one.table.study.title}, {one.setting}") as tell:
            again = verifying.retrain(one, seed, device or "auto", tell)
        matches &= again.matches
        click.echo(f"{one.table.study.name}, {one.setting}: seed {again.seed} in {again.seconds:.0f} s, {again.rows}")
        for number in again.numbers:
            said = "ok     " if number.matches else "DIFFERS"
            verdict = number.verdicts[1] if len(set(number.verdicts)) == 1 else " became ".join(number.verdicts)
            click.echo(f"{said} {number.name}: {number.again:.4g}, in the book {number.stored:.4g} ({verdict})")
    sys.exit(0 if matches else 1)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="STUDY...")
def check(names: tuple[str, ...]) -> None:
    """Check that each STUDY keeps what every study promises; status 1 where one does not."""
    chosen = [studies.get(name) for name in names]
    from genbook import contract

    said: set[str] = set()
    for study in chosen:
        for promise, error in contract.check(study):
            if error is None:
                click.echo(f"ok      {study.name}: {promise}")
            elif isinstance(error, contract.NotApplicableError):
                click.echo(f"--      {study.name}: {promise} ({error})")
            else:
                reason = str(error) if isinstance(error, contract.CheckError) else repr(error)
                click.echo(f"BROKEN  {study.name}: {promise}\n        {'as above' if reason in said else reason}")
                said.add(reason)
    if said:
        sys.exit(1)


@cli.command("new")
@click.argument("name", metavar="STUDY")
@_option("--chapter", help="The chapter that is to tell it, by number or name (default: the last one).")
@_option("--title", help="Its title (default: its name in words).")
def new(name: str, chapter: str | None, title: str | None) -> None:
    """Write a new STUDY to be filled: folder, test, section of a chapter, line in book/chapters.yml."""
    from genbook.book.execute import find_chapter
    from genbook.book.new import new_study

    for path in new_study(name, None if chapter is None else find_chapter(chapter), title):
        click.echo(str(path))
    click.echo(f"now: genbook check {name}, genbook claims {name} --blind; then fill what is to be filled", err=True)


@cli.command("studies")
def list_studies() -> None:
    """List the studies with their chapters."""
    from genbook.results.chapters import chapter_of

    for name in studies.names():
        click.echo(f"{name}\t{chapter_of(name) or '-'}\t{studies.get(name).title}")


@cli.command()
@click.argument("chapter")
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
@click.option("--schema", is_flag=True, help="A JSON schema on standard output, for a program that checks requests.")
def params(chapter: str, as_json: bool, schema: bool) -> None:
    """List every parameter of CHAPTER (or of a study): type, bounds, default and meaning."""
    from genbook.book.execute import find_chapter
    from genbook.results.chapters import studies_of

    told = [studies.get(chapter)] if chapter in studies.names() else studies_of(find_chapter(chapter))
    if schema:
        click.echo(json.dumps(_schema(chapter, told), indent=1, ensure_ascii=False))
        return
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


@cli.command()
@click.argument("study")
@_option("--setting", help="discovery (the default), replication, or the name of a control.")
@_PROFILE
@_DEVICE
@click.option("--columns", is_flag=True, help="Say what the columns and quantities mean instead.")
@_option("--out", type=click.Path(path_type=Path), help="A new file, .csv or .parquet, instead of standard output.")
@_PARAMETER
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
    request = _request(chosen, parameters, profile, device)
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


@cli.command()
@click.argument("study")
@_PROFILE
@_DEVICE
@_option("--name", help="Name of the files in book/results/STUDY (default: the profile).")
@click.option("--setting", "chosen_settings", multiple=True, help="Publish this setting alone; may be repeated.")
@_PARAMETER
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
    request = _request(chosen, parameters, profile, device, usual="full")
    name = request.profile if name is None else name
    for setting in map(request.setting, chosen_settings) if chosen_settings else request.settings():
        if not request.runnable(setting):
            click.echo(f"{setting.name}: data not there, not published", err=True)
            continue
        file = published.name_of(name, setting.name)  # checked before anything is computed
        with progress.bar(f"{chosen.title}, {setting.name}") as tell:
            found = request.table(setting.name, tell)
        click.echo(str(published.publish(found, file)))


@cli.command()
def ship() -> None:
    """Let the dearest tables of the profile quick come with the book, in book/results/tables; missing are computed.

    They serve whoever has exactly this code and these data; what came before is removed.
    """
    from genbook.results import shipped
    from genbook.results.verdicts import is_demonstration

    found = []
    for study in map(studies.get, studies.names()):
        request = _request(study, (), None, None)
        if study.profile(request.profile).seconds < shipped.DEAR or is_demonstration(request):
            continue
        for setting in request.settings():
            with progress.bar(f"{study.title}, {setting.name}") as tell:
                table = request.table(setting.name, tell)
            if not table.published:
                found.append(table)
    written = shipped.ship(found)
    click.echo(f"{len(written)} parts, {sum(path.stat().st_size for path in written) / 2**20:.1f} MiB")


@cli.group("store")
def store_group() -> None:
    """Look at the store of computed tables, tidy it, hand its tables on or take them from others."""


@store_group.command("ls")
@click.argument("names", nargs=-1, metavar="[STUDY]...")
def store_list(names: tuple[str, ...]) -> None:
    """Say what the store holds of each STUDY (all without one): parts that serve, and parts of older code."""
    from genbook.results import shared_store

    counts: dict[str, list[int]] = {}
    for part in shared_store.kept(names):
        row = counts.setdefault(part.study, [0, 0, 0, 0])
        row[2 if part.wrong else 0] += 1
        row[3 if part.wrong else 1] += part.bytes
    whole = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0, 0]
    _print_table(
        ("study", "parts that serve", "MiB", "others", "MiB"),
        (
            (name, str(here), f"{size / 2**20:.1f}", str(others), f"{rest / 2**20:.1f}")
            for name, (here, size, others, rest) in [*counts.items(), ("in all", whole)]
        ),
    )


@store_group.command("show")
@click.argument("study")
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
    _print_table(columns, map(row, shared_store.kept((study,))))


@store_group.command("prune")
@click.argument("names", nargs=-1, metavar="[STUDY]...")
def store_prune(names: tuple[str, ...]) -> None:
    """Remove the parts of each STUDY (all without one) that the present code would not read."""
    from genbook.results import shared_store

    gone = shared_store.prune(names)
    parts, size = len(gone) + len(shared_store.paths(names)), sum(part.bytes for part in gone)
    click.echo(f"{len(gone)} of {parts} parts removed, {size / 2**20:.1f} MiB")


@store_group.command("export")
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, metavar="[STUDY]...")
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
