"""The command ``genbook``: run, build, check and list, with one message and no traceback where something is wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

import click

from genbook import __version__
from genbook.base.errors import ForeseenError
from genbook.base.processes import interruptible
from genbook.cli import chapters, checking, data, making, shards, store, tables


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 something went wrong, 2 asked wrongly, 130 interrupted (what was stored stays).",
)
@click.version_option(__version__, prog_name="genbook")
def cli() -> None:
    """A reproducible study book on why neural networks generalize."""


for _command in (
    chapters.run,
    chapters.build,
    tables.claims,
    chapters.compare,
    checking.verify,
    checking.check,
    making.new,
    making.list_studies,
    chapters.params,
    tables.table,
    tables.publish,
    tables.ship,
    shards.pending,
    shards.compute,
    shards.gather,
    store.store_group,
    data.data_group,
):
    cli.add_command(_command)


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
            _print_no_more()
            sys.exit(0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            _print_no_more()
            where = error.filename or "standard output or a file"
            click.echo(f"genbook: cannot write {where}: the disk is full; free some space", err=True)
            sys.exit(1)


def _print_no_more() -> None:
    """Drop what standard output would not take, which Python would try, and complain of, once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
