"""Commands that check: a number of the book by training again, a study by the contract of all studies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from genbook.base import progress
from genbook.cli import completing
from genbook.cli.asking import DEVICE, option, specs, studies

if TYPE_CHECKING:
    from genbook.book.said import Reading
    from genbook.results.verify import Numbers


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY/NAME@SETTING]...", shell_complete=completing.a_number)
@option("--seed", type=click.IntRange(min=0), help="Retrain this seed (default: one at random).")
@DEVICE
@click.option("--all", "everything", is_flag=True, help="Every study's discovery setting, a seed each (minutes).")
@click.option("--checksums", "sums", is_flag=True, help="Check every published and stored file; train nothing.")
def verify(names: tuple[str, ...], seed: int | None, device: str | None, everything: bool, sums: bool) -> None:
    """Retrain one seed behind a number of the book, and see whether the number comes out again; status 1 if not.

    NAME is a claim, or a sentence with numbers, by the name that the mark at its end shows.

    \b
    genbook verify random_labels/all-fit               in discovery
    genbook verify random_labels/all-fit@replication   on other data; also @control, or a published table:
    genbook verify random_labels@primary-replication   all claims that are judged on it
    genbook verify 05/coherence-said                   the numbers of a sentence, by its mark on the page
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
            "want one STUDY/NAME@SETTING or more, such as random_labels/all-fit@control, or --all"
        )
    asked = [one for name in (studies.names() if everything else names) for one in _named(name)]
    came_out = [one(seed, device or "auto") for one in asked]
    sys.exit(0 if all(came_out) else 1)


def _named(name: str) -> list[Callable[[int | None, str], bool]]:
    """What verifies the numbers of that name, each prints what it found and says whether they came out again.

    All names are looked at before anything is trained.
    """
    from genbook.base.files import checkout
    from genbook.results import verify as verifying

    if "/" in name and checkout() is not None:
        from genbook.book import said

        if (found := said.found(name)) is not None:
            return [partial(_verify_reading, *found)]
    return [partial(_verify_claims, one) for one in verifying.numbers(name)]


def _verify_claims(one: Numbers, seed: int | None, device: str) -> bool:
    from genbook.results import verify as verifying

    with progress.bar(f"{one.table.study.title}, {one.setting}") as tell:
        again = verifying.retrain(one, seed, device, tell)
    click.echo(f"{one.table.study.name}, {one.setting}: seed {again.seed} in {again.seconds:.0f} s, {again.rows}")
    for number in again.numbers:
        verdict = number.verdicts[1] if len(set(number.verdicts)) == 1 else " became ".join(number.verdicts)
        _say_number(number.matches, f"{number.name}: {number.again:.4g}, in the book {number.stored:.4g} ({verdict})")
    return again.matches


def _verify_reading(one: Reading, study: str | None, setting: str | None, seed: int | None, device: str) -> bool:
    from genbook.book import said

    with progress.bar(one.cell) as tell:
        found = said.verify(one, study, setting, seed, device, tell)
    click.echo(f"{found.name}: seed {found.again.seed} in {found.again.seconds:.0f} s")
    if found.words:
        _say_number(False, f"{found.name} in other words:\n{found.words}")
    for number in found.numbers:
        _say_number(number.matches, f"{number.again:g}, in the book {number.text}; may differ by {number.allowed:.2g}")
    return found.matches


def _say_number(matches: bool, what: str) -> None:
    click.echo(f"{'ok     ' if matches else 'DIFFERS'} {what}")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="STUDY...", shell_complete=completing.a_study)
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
