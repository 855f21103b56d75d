"""What a reader asks of a study or a chapter, validated and resolved into settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genbook import data, studies
from genbook.base.progress import Progress
from genbook.base.spec import ParameterError, Spec, nearest
from genbook.results.chapters import studies_of
from genbook.results.compute import check_device, check_seeds, has_data, missing_seeds, obtain, threads
from genbook.results.table import Table, dataset_of
from genbook.studies import Study

#: Parameters of a run that are not part of any spec.
RUN_PARAMETERS = ("profile", "seeds", "device")


@dataclass(frozen=True)
class Setting:
    """A named setting of a study: its spec and seeds."""

    name: str
    spec: Spec
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """What a reader asks of a study: profile, parameters and seeds, validated and resolved into settings."""

    study: Study
    profile: str
    discovery: Setting
    device: str = "auto"

    @classmethod
    def build(
        cls, study: Study, profile: str = "quick", parameters: Mapping[str, Any] | None = None, device: str = "auto"
    ) -> Request:
        """Validate ``parameters`` (spec fields, ``seeds``) for every setting of the study; raises `ParameterError`."""
        check_device(device)
        threads()
        given = _of_one(study, parameters or {})
        seeds = given.pop("seeds", None)
        preset = study.profile(profile)
        spec = study.accept(study.build(profile, given))
        return cls(
            study, profile, Setting("discovery", spec, check_seeds(preset.seeds if seeds is None else seeds)), device
        )

    def setting(self, name: str) -> Setting:
        """The setting called 'discovery', 'replication' or by a control's name; raises `ParameterError`."""
        study, discovery = self.study, self.discovery
        if name == "discovery":
            return discovery
        if name == "replication" and study.replication is not None:
            fresh = tuple(study.replication_seed + number for number in range(len(discovery.seeds)))
            return Setting(name, study.changed(discovery.spec, study.replication(discovery.spec)), fresh)
        if name in study.controls:
            return Setting(name, study.changed(discovery.spec, study.controls[name]), discovery.seeds)
        valid = ["discovery", *(["replication"] if study.replication else []), *study.controls]
        raise ParameterError(nearest(name, valid, "setting"))

    def settings(self) -> list[Setting]:
        """Discovery, replication, and every control that a claim names."""
        used = dict.fromkeys(claim.control for claim in self.study.claims)
        names = ["discovery", *(["replication"] if self.study.replication else []), *used]
        return [self.setting(name) for name in names]

    def runnable(self, setting: Setting) -> bool:
        """Whether the setting's data are there or its table is published."""
        return has_data(setting.spec) or not missing_seeds(self.study, setting.spec, setting.seeds)

    def require_data(self) -> None:
        """Raise `genbook.data.DataNotFound` where discovery has rows to compute and its data are not there."""
        if not self.runnable(self.discovery):
            data.load(str(dataset_of(self.discovery.spec)))

    def table(self, setting: str = "discovery", progress: Progress | None = None) -> Table:
        """The setting's table; what is missing is computed."""
        chosen = self.setting(setting)
        return obtain(self.study, chosen.spec, chosen.seeds, self.device, progress)

    def missing(self) -> dict[str, int]:
        """By setting, the number of seeds still to be computed (settings whose data are not there left out)."""
        runnable = [setting for setting in self.settings() if self.runnable(setting)]
        return {setting.name: len(missing_seeds(self.study, setting.spec, setting.seeds)) for setting in runnable}

    def seconds(self) -> float:
        """About how long `evaluate` will take: the profile's measured time, by what is missing of its parts."""
        missing = self.missing()
        total = len(self.discovery.seeds) * max(len(missing), 1)
        preset = self.study.profile(self.profile)
        return preset.seconds * (len(self.discovery.seeds) / preset.seeds) * (sum(missing.values()) / total)


def _of_one(study: Study, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of one study by bare names, or by its own name before them."""
    given: dict[str, Any] = {}
    for name, value in parameters.items():
        _, field = target(name, [study])
        if field in given:
            raise ParameterError(f"parameter {field} was given twice, with the study's name and without")
        given[field] = value
    return given


def split_parameters(chapter: str, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The run's own parameters and, by study, its own of the others; raises `ParameterError` for an unknown name.

    ``random_labels.steps`` is that study's; where a name must be an identifier, as in a notebook's cell, it is
    ``random_labels__steps``. The bare ``steps`` is of all studies of the chapter that have it, but for those to which
    it is given by their name. None means: as the profile says.
    """
    told = studies_of(chapter)
    run: dict[str, Any] = {}
    bare: dict[str, Any] = {}
    named: dict[str, dict[str, Any]] = {study.name: {} for study in told}
    for name, value in parameters.items():
        study, field = target(name, told)
        given = run if field in RUN_PARAMETERS and study is None else bare if study is None else named[study]
        if field in given:
            raise ParameterError(f"parameter {study}.{field} was given twice, as {study}.{field} and {study}__{field}")
        given[field] = value
    own = {
        study.name: _present({name: v for name, v in bare.items() if name in study.spec.model_fields})
        | _present(named[study.name])
        for study in told
    }
    return _present(run), own


def target(name: str, told: Sequence[Study]) -> tuple[str | None, str]:
    """The study (None: all that have it) and the field, or run parameter, that ``name`` is; raises `ParameterError`."""
    study, _, field = name.partition("." if "." in name else "__")
    if not field:
        valid = [*RUN_PARAMETERS, *dict.fromkeys(field for study in told for field in study.spec.model_fields)]
        if name not in valid:
            raise ParameterError(nearest(name, valid, "parameter"))
        return None, name
    fields = {one.name: one.spec.model_fields for one in told}
    if study not in fields:
        raise ParameterError(f"parameter {name}: {nearest(study, fields, 'study')}")
    if field not in fields[study]:
        raise ParameterError(f"parameter {name}: {nearest(field, fields[study], f'parameter of {study}')}")
    return study, field


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def shortest(changed: Mapping[str, Mapping[str, Any]], told: Sequence[Study]) -> dict[str, Any]:
    """By study, what its spec was changed to, as the fewest parameters that say so: bare where that means the same."""
    said: dict[str, Any] = {}
    for study in told:
        for field, value in changed[study.name].items():
            having = [other.name for other in told if field in other.spec.model_fields]
            alike = all(field in changed[name] and changed[name][field] == value for name in having)
            said[field if alike else f"{study.name}.{field}"] = value
    return said


def requests(chapter: str, parameters: Mapping[str, Any]) -> dict[str, Request]:
    """By study, the validated request that ``parameters`` make of a chapter; raises `ParameterError`."""
    run, own = split_parameters(chapter, parameters)
    profile, device = run.get("profile", "quick"), run.get("device", "auto")
    if not isinstance(profile, str):
        raise ParameterError(f"parameter profile = {profile!r}: want its name, such as 'quick'")
    seeds = {"seeds": run["seeds"]} if "seeds" in run else {}
    found = {}
    for name, changes in own.items():
        try:
            found[name] = Request.build(studies.get(name), profile, {**changes, **seeds}, device)
        except ParameterError as error:
            if not changes or str(error).startswith(f"study {name}:"):
                raise
            raise ParameterError(f"study {name}: {error}") from None
    return found
