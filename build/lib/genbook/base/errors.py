"""The common root of all foreseen errors."""

import contextlib
from collections.abc import Iterator


class ForeseenError(Exception):
    """Something asked wrongly or refused by the system; the message says what was wrong and what would be right.

    The command line prints the message without a traceback and ends with ``status``.
    """

    status = 1


class TrainingError(ForeseenError, ValueError):
    """Settings without meaning, data that do not fit them, too little memory, or a checkpoint of something else."""


class NotInstalled(ForeseenError, ModuleNotFoundError):
    """A package that comes with an extra of genbook is missing; the message says how to install it."""


@contextlib.contextmanager
def comes_with_the_book(what: str) -> Iterator[None]:
    """Raise `NotInstalled` where ``what`` needs a package that the library alone does not bring."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "a package").partition(".")[0]
        raise NotInstalled(
            f"{what} needs {missing}, which comes with the book: pip install 'genbook[book]'", name=error.name
        ) from error
