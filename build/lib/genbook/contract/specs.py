"""Checks of a study's spec: what it refuses and how, and that what it accepts can be computed in every setting."""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import annotated_types
import numpy as np
import pydantic

from genbook.base.seeding import generator
from genbook.base.spec import ParameterError, Spec
from genbook.contract.errors import CheckError, require
from genbook.contract.smoke import settings
from genbook.results import published
from genbook.results.table import dataset_of
from genbook.studies import Study

_BOUNDS = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt)
_SAMPLES = 400


def unknown_names_are_refused(study: Study) -> None:
    """A parameter that the study does not have is refused, with the nearest that it has."""
    for name in study.spec.model_fields:
        _refused(study, {f"{name}_": 1}, f"{name}_", f"did you mean '{name}'")


def wrong_types_are_refused(study: Study) -> None:
    """A value of another type is refused in a message that names the parameter."""
    for name, field in study.spec.model_fields.items():
        for value in _wrong(field.annotation):
            _refused(study, {name: value}, name)


def bounds_are_kept(study: Study) -> None:
    """Every number has a bound, and what lies beyond is refused in a message that names the parameter."""
    for name, field in study.spec.model_fields.items():
        kind, metadata, entries = _kind(field)
        if kind not in (int, float):
            continue
        bounds = [item for item in metadata if isinstance(item, _BOUNDS)]
        require(
            bool(bounds),
            f"{study.name}: parameter {name} has no bound; give the least that makes sense (ge, gt) and the most",
        )
        for bound in bounds:
            value = _beyond(bound, kind)
            _refused(study, {name: [value, *field.default[1:]] if entries else value}, name)
    for name, field in study.spec.model_fields.items():
        for item in field.metadata:
            if isinstance(item, annotated_types.MinLen) and item.min_length > 0:
                _refused(study, {name: list(field.default[: item.min_length - 1])}, name)
            if isinstance(item, annotated_types.MaxLen) and field.default:
                longer = list(field.default) * (item.max_length // len(field.default) + 1)
                _refused(study, {name: longer[: item.max_length + 1]}, name)


def parameters_are_documented(study: Study) -> None:
    """Every parameter has a default and one line of meaning."""
    for name, field in study.spec.model_fields.items():
        require(
            not field.is_required(), f"{study.name}: parameter {name} has no default; give one that shows the effect"
        )
        meaning = field.description or ""
        require(
            bool(meaning.strip()) and "\n" not in meaning,
            f"{study.name}: parameter {name} wants one line of meaning, got {meaning!r}",
        )


#: Data that have to be fetched: a study of these may stand in the book before anybody has run it.
_FETCHED = ("cifar10", "fashion-mnist", "mnist")


def _decided_elsewhere(study: Study) -> bool:
    """Whether quick may be a demonstration.

    It may where a table of the discovery setting is published, and where the full profile wants data that do not come
    with the book, so that its claims are not run until it is.
    """
    decides = any(name.endswith(published.ending("discovery")) for name in published.names(study))
    return decides or dataset_of(study.build("full", {})) in _FETCHED


def profiles_have_all_settings(study: Study) -> None:
    """Each profile builds in every setting, and no setting is discovery under another name."""
    require(
        {"smoke", "quick", "full"} <= set(study.profiles),
        f"{study.name}: want the profiles smoke, quick and full, got {list(study.profiles)}",
    )
    for profile, preset in study.profiles.items():
        require(
            preset.judged == (profile != "smoke") or (profile == "quick" and _decided_elsewhere(study)),
            f"{study.name}: profile {profile}: judged = {preset.judged}; smoke alone judges nothing, and quick where a "
            "published table of the discovery setting decides, or the full profile's data have to be fetched",
        )
        main, *others = _settings(study, study.build(profile, {}), lambda profile=profile: f"profile {profile}")
        for setting in others:
            require(
                setting.spec != main.spec or setting.name == "replication",
                f"{study.name}, profile {profile}: setting {setting.name!r} has the spec of discovery; let it change "
                "what the claim is about",
            )


def accepted_specs_have_all_settings(study: Study) -> None:
    """What the study accepts, its replication and every control can have too; what it refuses, it names."""
    random, accepted = generator(0, f"specs of {study.name}"), 0
    for changes in _samples(study, random):
        try:
            spec = study.accept(study.spec.build(**changes))
        except ParameterError as error:
            _names_a_parameter(study, changes, str(error))
        except Exception as error:
            raise CheckError(f"{study.name}: {changes} ends in {error!r}; refuse it in a ParameterError") from error
        else:
            _settings(study, spec, lambda spec=spec: _least(study, spec))
            accepted += 1
    require(
        accepted > 0, f"{study.name}: of {_SAMPLES} parameter sets none is accepted; widen what is refused too much"
    )


def _settings(study: Study, spec: Spec, words: Callable[[], str]) -> list[Any]:
    """All settings of ``spec``, which ``words`` describes where one is refused: finding them takes long."""
    found = []
    try:
        for setting in settings(study, spec, (0,)):
            study.fits(setting.spec)
            found.append(setting)
    except Exception as error:
        number = len(found) - (1 if study.replication else 0)
        name = "replication" if study.replication and len(found) == 1 else list(study.controls)[number - 1]
        raise CheckError(
            f"{study.name}: {words()} is accepted, but its setting {name!r} is refused: "
            f"{error if isinstance(error, ParameterError) else repr(error)}; cap or change what the "
            "setting cannot have, or refuse the spec"
        ) from error
    return found


def _least(study: Study, spec: Spec) -> str:
    """What a spec that has not all its settings changes, without what does not matter for it, in words."""
    changes = spec.changed()
    for name in list(changes):
        fewer = {key: value for key, value in changes.items() if key != name}
        if _lacks_a_setting(study, fewer):
            changes = fewer
    return ", ".join(f"{name} = {value}" for name, value in changes.items()) or "the default"


def _lacks_a_setting(study: Study, changes: Mapping[str, Any]) -> bool:
    try:
        spec = study.accept(study.spec.build(**changes))
    except Exception:
        return False
    try:
        list(settings(study, spec, (0,)))
    except Exception:
        return True
    return False


def _samples(study: Study, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Parameters over a profile: one or two of them, or all, at their bounds, near the default, or equal to another."""
    names = list(study.spec.model_fields)
    presets = [dict(profile.parameters) for profile in study.profiles.values()]
    numbers = [f.default for f in study.spec.model_fields.values() if type(f.default) in (int, float)]
    for _ in range(_SAMPLES):
        count = int(random.choice([1, 2, 3, len(names)]))
        chosen = random.choice(len(names), min(count, len(names)), replace=False)
        drawn = {names[k]: _drawn(study.spec.model_fields[names[k]], numbers, random) for k in chosen}
        yield {**presets[random.integers(len(presets))], **drawn}


def _drawn(field: pydantic.fields.FieldInfo, numbers: list[float], random: np.random.Generator) -> Any:
    kind, metadata, entries = _kind(field)
    if not entries:
        return _value(kind, metadata, field.default, numbers, random)
    default = list(field.default)
    least = max((item.min_length for item in field.metadata if isinstance(item, annotated_types.MinLen)), default=0)
    most = min((item.max_length for item in field.metadata if isinstance(item, annotated_types.MaxLen)), default=8)
    length = int(random.integers(least, min(most, max(least, len(default)) + 2) + 1))
    values = [_value(kind, metadata, random.choice(default) if default else 1, numbers, random) for _ in range(length)]
    return sorted(values) if random.random() < 0.8 and kind in (int, float) else values


def _value(kind: Any, metadata: list[Any], default: Any, numbers: list[float], random: np.random.Generator) -> Any:
    """A choice, or a number within its bounds: one of them, some multiple of the default, another's default."""
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)[random.integers(len(typing.get_args(kind)))]
    if kind not in (int, float):
        return default
    low, high = _range(metadata, kind)
    near = float(default or 1) * 10 ** random.uniform(-2, 2)
    options = [near, float(default), float(random.choice(numbers or [1])), low, high]
    value = min(max(options[random.integers(len(options))], low), high)
    value = near if math.isinf(value) else value
    return round(value) if kind is int else float(value)


def _range(metadata: list[Any], kind: type) -> tuple[float, float]:
    """The least and the largest value that the bounds allow; infinite where there is none."""
    low, high = -math.inf, math.inf
    for item in metadata:
        match item:
            case annotated_types.Ge():
                low = item.ge
            case annotated_types.Gt():
                low = item.gt + 1 if kind is int else math.nextafter(item.gt, math.inf)
            case annotated_types.Le():
                high = item.le
            case annotated_types.Lt():
                high = item.lt - 1 if kind is int else math.nextafter(item.lt, -math.inf)
    return low, high


def _beyond(bound: Any, kind: type) -> float:
    """The value nearest to ``bound`` that it excludes."""
    match bound:
        case annotated_types.Ge():
            return bound.ge - 1 if kind is int else math.nextafter(bound.ge, -math.inf)
        case annotated_types.Le():
            return bound.le + 1 if kind is int else math.nextafter(bound.le, math.inf)
        case annotated_types.Gt():
            return kind(bound.gt)
        case _:
            return kind(bound.lt)


def _kind(field: pydantic.fields.FieldInfo) -> tuple[Any, list[Any], bool]:
    """Type and constraints of a parameter, or of its entries (then the third is True)."""
    annotation = field.annotation
    if typing.get_origin(annotation) is not tuple:
        return annotation, list(field.metadata), False
    entry, metadata = typing.get_args(annotation)[0], []
    if typing.get_origin(entry) is typing.Annotated:
        entry, *parts = typing.get_args(entry)
        for part in parts:
            metadata += part.metadata if isinstance(part, pydantic.fields.FieldInfo) else [part]
    return entry, metadata, True


def _wrong(annotation: Any) -> list[Any]:
    """Values of other types than ``annotation``."""
    if annotation is int:
        return ["1", 1.5, True, None, [1]]
    if annotation is float:
        return ["1", None, [1.0], math.nan, math.inf]
    if annotation is bool:
        return ["yes", 1, None]
    if typing.get_origin(annotation) is tuple:
        return [1, None, "text", [None], [["nested"]]]
    return ["no such choice", 1, None]


def _refused(study: Study, changes: dict[str, Any], *words: str) -> None:
    """Require that ``changes`` are refused in a message with all of ``words``."""
    try:
        study.spec.build(**changes)
    except ParameterError as error:
        missing = [word for word in words if word not in str(error)]
        require(not missing, f"{study.name}: {changes} is refused, but the message does not say {missing}: {error}")
    except Exception as error:
        raise CheckError(f"{study.name}: {changes} ends in {error!r}; refuse it in a ParameterError") from error
    else:
        raise CheckError(f"{study.name}: {changes} is accepted; refuse it in a ParameterError that names {words[0]}")


def _names_a_parameter(study: Study, changes: Mapping[str, Any], message: str) -> None:
    named = set(re.findall(r"\w+", message)) & set(study.spec.model_fields)
    require(
        bool(named),
        f"{study.name}: {dict(changes)} is refused with {message!r}; begin with the parameter at fault and its value",
    )
