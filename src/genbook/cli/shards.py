"""Commands for computing elsewhere: what is pending, in shards; a shard computed; what has come home gathered."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from genbook.base import progress
from genbook.cli.asking import DEVICE, named_seeds, option, request_of, specs, studies
from genbook.cli.printing import print_table

if TYPE_CHECKING:
    from genbook.results import Request
    from genbook.results.shards import Pending

_PROFILE = option("--profile", metavar="P", help="smoke, quick or full (default: full).")
_SEEDS = option(
    "--seeds", metavar="N", help="A number of seeds, or a list of them such as 3,5,8 (default: the profile's)."
)


def _requests(
    names: tuple[str, ...], profile: str | None, seeds: str | None, device: str | None = None
) -> list[Request]:
    chosen = [studies.get(name) for name in names or studies.names()]
    return [request_of(study, named_seeds(seeds), profile, device, usual="full") for study in chosen]


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY]...")
@_PROFILE
@_SEEDS
@DEVICE
@click.option("--shards", "in_shards", is_flag=True, help="Print one shard a line, for genbook compute.")
@option("--minutes", type=click.FloatRange(min=0), help="How long a shard may take (default: 30).")
@click.option(
    "--measure", is_flag=True, help="First compute one seed of each setting whose cost is unknown (it is kept)."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list of shards on standard output and nothing else.")
def pending(
    names: tuple[str, ...],
    profile: str | None,
    seeds: str | None,
    device: str | None,
    in_shards: bool,
    minutes: float | None,
    measure: bool,
    as_json: bool,
) -> None:
    """Say what of each STUDY (all without one) is still to be computed, and what that costs as far as it was measured.

    \b
    genbook pending random_labels                      seeds, minutes and memory of each setting
    genbook pending --profile full --shards > shards   a shard a line; then, anywhere:
    genbook compute $(sed -n 7p shards)
    """
    from genbook.results.compute import resolve_device
    from genbook.results.costs import Costs
    from genbook.results.shards import pending as found_pending

    if minutes is not None and not (in_shards or as_json):
        raise specs.ParameterError("--minutes cuts shards: want --shards or --json too")
    kind = "cpu" if (device or "auto") == "cpu" else resolve_device(device or "auto")
    requests = _requests(names, profile, seeds, device)
    found = list(found_pending(requests, Costs(kind)))
    if measure:
        _measure(found)
        found = list(found_pending(requests, Costs(kind)))
    for one in found:
        if one.absent:
            where = f"{one.request.study.name}, {one.setting.name}"
            click.echo(f"{where}: data not here, left out (genbook data fetch {one.absent})", err=True)
    found = [one for one in found if not one.absent]
    shards = [shard for one in found for shard in one.shards(30 if minutes is None else minutes)]
    if as_json:
        click.echo(json.dumps([shard.as_dict() for shard in shards], indent=1))
    elif in_shards:
        for shard in shards:
            click.echo(shard.id)
    else:
        _print_pending(found)


def _measure(found: list[Pending]) -> None:
    """Compute one seed of each setting of which nothing is known; the part stays."""
    from genbook.results.compute import obtain

    for one in found:
        if one.cost.seconds is None and not one.absent:
            study, seed = one.request.study, one.setting.seeds[0]
            with progress.bar(f"{study.title}, {one.setting.name}, seed {seed}") as tell:
                obtain(study, one.setting.spec, [seed], one.request.device, tell)


def _print_pending(found: list[Pending]) -> None:
    def row(one: Pending) -> tuple[str, ...]:
        seeds, cost = len(one.setting.seeds), one.cost
        minutes = "unknown" if cost.seconds is None else f"{cost.seconds * seeds / 60:.1f}"
        said = (minutes, "unknown" if cost.mib is None else str(cost.mib), cost.measured_on or "-")
        return one.request.study.name, one.setting.name, str(seeds), *said

    if found:
        print_table(("study", "setting", "seeds", "minutes", "MiB", "measured on"), map(row, found))
    known = [one.cost.seconds * len(one.setting.seeds) for one in found if one.cost.seconds is not None]
    unknown = sum(len(one.setting.seeds) for one in found if one.cost.seconds is None)
    said = f"{sum(len(one.setting.seeds) for one in found)} seeds pending, {sum(known) / 3600:.1f} h as measured"
    click.echo(said + (f"; {unknown} of unknown cost: --measure computes one of each setting" if unknown else ""))


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="SHARD...")
@DEVICE
def compute(names: tuple[str, ...], device: str | None) -> None:
    """Compute each SHARD that genbook pending lists, and put its parts into the store; what is there already stays.

    It may be killed and called again at any time, and by two machines that share a store. A shard that was listed with
    other code, data or parameters than are here is refused, before anything is computed.
    """
    from genbook.results import shards
    from genbook.results.compute import check_device

    check_device(device or "auto")
    for shard in [shards.find(name) for name in names]:
        with progress.bar(f"{shard.study.title}, {shard.setting.name}") as tell:
            missing = shards.compute(shard, device or "auto", tell)
        click.echo(f"{shard.id}: {missing} of {len(shard.setting.seeds)} seeds were missing, all are stored")


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY]...")
@_PROFILE
@_SEEDS
def gather(names: tuple[str, ...], profile: str | None, seeds: str | None) -> None:
    """Publish every setting of each STUDY (all without one) whose parts are all there; status 1 where some are missing.

    Parts of a machine with a store of its own come home by genbook store export and import. Nothing is computed.
    """
    from genbook.results import shards

    lacking = 0
    for request in _requests(names, profile, seeds):
        for setting, outcome in shards.gather(request):
            where = f"{request.study.name}, {setting.name}"
            if isinstance(outcome, list):
                lacking += len(outcome)
                click.echo(f"{where}: {len(outcome)} of {len(setting.seeds)} seeds missing")
            else:
                click.echo(f"{where}: {'published already' if outcome is None else outcome}")
    if lacking:
        click.echo(f"{lacking} seeds missing: genbook pending --shards lists them", err=True)
        sys.exit(1)
