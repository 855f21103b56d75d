"""What is still to be computed, cut into shards: work that any machine with the same code and data can take.

A shard is some seeds of one setting of a study. It is nothing but its name, STUDY.PROFILE.SETTING.SEEDS.KEY, which
holds no character that a shell, a file system or a scheduler minds. The key is the beginning of three hashes:
parameters, data and code. So a name means the same on every machine, and where one of the three differs the shard is
refused, and told which. Computing it puts parts into the store, where they are found by their content: a shard that is
run again, or at the same time on two machines that share a store, computes nothing twice.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbook import studies
from genbook.base.errors import ForeseenError
from genbook.base.files import sha256
from genbook.base.progress import Progress
from genbook.base.spec import ParameterError, nearest
from genbook.results import published
from genbook.results.compute import has_data, missing_seeds, obtain
from genbook.results.costs import UNKNOWN, Cost, Costs
from genbook.results.requests import Request, Setting
from genbook.results.table import dataset_of, fingerprint_of
from genbook.studies import Study
from genbook.tables import codehash

_SEEDS = r"[0-9]+(?:-[0-9]+)?(?:\+[0-9]+(?:-[0-9]+)?)*"
_NAME = re.compile(
    rf"(?P<study>\w+)\.(?P<profile>\w+)\.(?P<setting>[A-Za-z0-9._-]+)\.(?P<seeds>{_SEEDS})"
    r"\.(?P<key>[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})",
    re.ASCII,
)
_MOST_SEEDS = 1000  # a range in a name costs nothing to write: more than this was never listed


class OtherShard(ForeseenError):
    """A shard of other parameters, data or code than this machine has; the message says which."""

    status = 2


@dataclass(frozen=True)
class Shard:
    """Some seeds of a setting that are to be computed together, with what one of them costs."""

    study: Study
    profile: str
    setting: Setting
    cost: Cost = UNKNOWN

    @property
    def id(self) -> str:
        """Its name, by which any machine can take it."""
        written = (self.study.name, self.profile, _plain(self.setting.name), _written(self.setting.seeds))
        return ".".join((*written, "-".join(_key(self.study, self.setting).values())))

    @property
    def minutes(self) -> float | None:
        """How long it takes by what was measured; None where nothing was."""
        return None if self.cost.seconds is None else self.cost.seconds * len(self.setting.seeds) / 60

    def as_dict(self) -> dict[str, Any]:
        """For a program: name, study, setting, seeds, minutes, MiB and on what these were measured; null: unknown."""
        return {
            "id": self.id,
            "study": self.study.name,
            "profile": self.profile,
            "setting": self.setting.name,
            "seeds": list(self.setting.seeds),
            "minutes": None if self.minutes is None else round(self.minutes, 3),
            "mib": self.cost.mib,
            "measured_on": self.cost.measured_on or None,
        }


@dataclass(frozen=True)
class Pending:
    """Seeds of a setting that are still to be computed; ``absent``: its data set, where that is not on this machine."""

    request: Request
    setting: Setting
    cost: Cost
    absent: str = ""

    def shards(self, minutes: float) -> list[Shard]:
        """Its seeds in as few equal shards as take at most ``minutes`` each, one seed each where nothing is known."""
        seeds, seconds = self.setting.seeds, self.cost.seconds
        at_once = 1 if seconds is None else max(1, int(60 * minutes / max(seconds, 1e-3)))
        number = math.ceil(len(seeds) / at_once)
        bounds = [round(place * len(seeds) / number) for place in range(number + 1)]
        cut = [Setting(self.setting.name, self.setting.spec, seeds[a:b]) for a, b in itertools.pairwise(bounds)]
        return [Shard(self.request.study, self.request.profile, setting, self.cost) for setting in cut]


def pending(
    requests: Iterable[Request], costs: Costs, settings: Callable[[Request], Iterable[Setting]] = Request.settings
) -> Iterator[Pending]:
    """What is missing of each request's ``settings``, one by one; two settings with the same parameters are one."""
    for request in requests:
        seen: list[tuple[Any, tuple[int, ...]]] = []
        for setting in settings(request):
            if (setting.spec, setting.seeds) in seen:
                continue
            seen.append((setting.spec, setting.seeds))
            missing = missing_seeds(request.study, setting.spec, setting.seeds)
            if missing:
                absent = "" if has_data(setting.spec) else str(dataset_of(setting.spec))
                rest = Setting(setting.name, setting.spec, tuple(missing))
                yield Pending(request, rest, costs.of(request, setting), absent)


def find(name: str) -> Shard:
    """The shard of that name.

    Raises `ParameterError` where it is none, `OtherShard` where it is one of other parameters, data or code, and
    `genbook.data.DataNotFound` where its data are not here.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ParameterError(
            f"{name!r} names no shard: want STUDY.PROFILE.SETTING.SEEDS.KEY, as genbook pending --shards prints it"
        )
    study = studies.get(found["study"])
    request = Request.build(study, found["profile"], {"seeds": _read(found["seeds"])})
    settings = {_plain(setting.name): setting for setting in request.settings()}
    if found["setting"] not in settings:
        raise ParameterError(nearest(found["setting"], settings, f"setting of {study.name}"))
    setting = settings[found["setting"]]
    # The replication's seeds are fresh ones; a name says those that are meant, whichever setting it is.
    shard = Shard(study, request.profile, Setting(setting.name, setting.spec, request.discovery.seeds))
    here = _key(study, setting)
    says = dict(zip(here, found["key"].split("-"), strict=True))
    if other := [f"{what} ({says[what]} there, {here[what]} here)" for what in here if says[what] != here[what]]:
        raise OtherShard(
            f"shard {name} was listed with other {' and '.join(other)}: bring this machine to the same commit and data "
            "(git checkout, genbook data fetch), or list the shards anew with genbook pending --shards"
        )
    return shard


def compute(shard: Shard, device: str = "auto", progress: Progress | None = None) -> int:
    """Put the parts of ``shard`` that are missing into the store; returns how many were."""
    setting = shard.setting
    missing = missing_seeds(shard.study, setting.spec, setting.seeds)
    obtain(shard.study, setting.spec, setting.seeds, device, progress)
    return len(missing)


def gather(request: Request) -> Iterator[tuple[Setting, Path | list[int] | None]]:
    """Publish each setting whose parts are all there; with each the file, or the seeds that are missing.

    None: its table is published already. What is missing is not computed.
    """
    for setting in request.settings():
        missing = missing_seeds(request.study, setting.spec, setting.seeds)
        if missing:
            yield setting, missing
            continue
        if not published.seeds_held(request.study, setting.spec, setting.seeds) >= set(setting.seeds):
            table = obtain(request.study, setting.spec, setting.seeds)
            yield setting, published.publish(table, published.name_of(request.profile, setting.name))
        else:
            yield setting, None


def _key(study: Study, setting: Setting) -> dict[str, str]:
    """What decides the numbers of a shard, hashed one by one: the store's key (`table.key_of`), taken apart."""
    hashed = {
        "parameters": sha256(f"{setting.spec.canonical()}|{study.version}".encode()),
        "data": sha256(fingerprint_of(setting.spec).encode()),
        "code": codehash.code_hash(study.module),
    }
    return {what: digest[:8] for what, digest in hashed.items()}


def _plain(setting: str) -> str:
    """A setting's name without what a shell minds, as in the names of published tables."""
    return published.ending(setting).removeprefix("-")


def _written(seeds: Sequence[int]) -> str:
    """Seeds as ranges: '0-4+7'."""
    grouped = itertools.groupby(enumerate(sorted(seeds)), lambda placed: placed[1] - placed[0])
    runs = [[seed for _, seed in run] for _, run in grouped]
    return "+".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _read(text: str) -> list[int]:
    """The seeds of '0-4+7'; raises `ParameterError` for a range that runs backwards or is longer than any listed."""
    seeds: list[int] = []
    for run in text.split("+"):
        first, _, last = run.partition("-")
        ends = int(first[:11]), int((last or first)[:11])  # more digits are no seed, and are refused as such
        if not 0 <= ends[1] - ends[0] < _MOST_SEEDS or len(first) > 11 or len(last) > 11:
            raise ParameterError(f"seeds {run!r} of a shard: want FIRST-LAST, at most {_MOST_SEEDS} of them")
        seeds += range(ends[0], ends[1] + 1)
    return seeds
