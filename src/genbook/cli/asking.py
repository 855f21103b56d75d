"""What commands are asked by: options that may stand once, parameters with the types of the specs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from genbook.cli import completing

if TYPE_CHECKING:
    from types import ModuleType

    from genbook.results import Request
    from genbook.studies import Study


def when_used(name: str) -> ModuleType:
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


studies = when_used("genbook.studies")
specs = when_used("genbook.base.spec")


def _once(context: click.Context, asked: click.Parameter, values: tuple[Any, ...]) -> Any:
    """The value of an option that may stand once; None where it does not stand at all."""
    if len(values) > 1:
        raise click.BadParameter(f"given {len(values)} times; give it once", context, asked)
    return values[0] if values else None


def option(*names: str, **words: Any) -> Callable[[Any], Any]:
    """An option that is refused where it stands twice: click takes the last one and says nothing."""
    return click.option(*names, multiple=True, callback=_once, **words)


PARAMETER = click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter; may be repeated.",
    shell_complete=completing.a_parameter,
)
PROFILE = option(
    "--profile", metavar="P", help="smoke, quick or full (default: quick).", shell_complete=completing.a_profile
)
DEVICE = option("--device", metavar="D", help="auto (the default), cpu or cuda.", shell_complete=completing.a_device)

JOBS = option("--jobs", type=click.IntRange(1, 64), help="Tables computed at a time (default: 2).")


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


def named_seeds(seeds: str | None) -> tuple[tuple[str, str], ...]:
    """What ``--seeds`` says as the parameter that it is: a number, or with commas a list."""
    return () if seeds is None else (("seeds", f"[{seeds}]" if "," in seeds else seeds),)


def request_of(
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
