"""What a check raises."""

from __future__ import annotations


class CheckError(AssertionError):
    """A study breaks the contract; the message says where, what is wrong, and what would be right."""


class NotApplicableError(Exception):
    """The study has nothing that the check could look at; the message says what it lacks."""


def require(holds: bool, message: str) -> None:
    """Raise `CheckError` with ``message`` unless it ``holds``."""
    if not holds:
        raise CheckError(message)


def few(items: object, most: int = 3) -> str:
    """The first ``most`` of ``items`` in words, and how many more there are."""
    found = list(items)  # type: ignore[call-overload]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(map(repr, found[:most])) + more
