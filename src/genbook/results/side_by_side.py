"""Missing tables computed by a few processes at once, before anybody reads them.

A table is one piece of work. Its missing seeds are computed together, as `genbook.results.compute.obtain` would do it
where the table is read: the arrays have the same shapes, and so the numbers the same bits, whichever table is finished
first. The longest are begun first, by the seconds that were recorded, so that no process waits long for the last one;
none is begun beside others that would need more memory than is free. Each is stored when it is finished: what was
computed when the command is killed is there for the next.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import math
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from genbook import data, studies
from genbook.base import progress
from genbook.base.errors import ForeseenError
from genbook.base.files import StorageError
from genbook.base.processes import signals_held
from genbook.base.progress import Progress
from genbook.results.chapters import chapter_of
from genbook.results.compute import has_data, missing_seeds, obtain, resolve_device
from genbook.results.costs import Costs
from genbook.results.judged import is_the_codes
from genbook.results.requests import Request, Setting
from genbook.results.shards import Pending, pending
from genbook.results.table import dataset_of
from genbook.results.verdicts import settings_read
from genbook.results.workers import workers

#: Tables computed at a time unless told: the book is made for two cores.
JOBS = 2
#: Where all that is missing takes less, whoever reads a table computes it: a process would have to import torch first.
WORTH_SECONDS = 20.0
#: MiB that a process is taken to need for a table as long as none of its study has been measured.
USUAL_MIB = 2000
#: What is said of a table whose process died: nothing else ends one that way.
_KILLED = "its process was killed, as a system does that is short of memory"


class NotComputed(ForeseenError):
    """Tables that could not be computed; the message says why, with the traceback of what nobody foresaw."""


@dataclass(frozen=True)
class Work:
    """The missing seeds of a setting: what computing them costs, as far as that is known."""

    study: str
    setting: Setting
    device: str
    seconds: float
    mib: int | None

    def needs(self, seen: Mapping[str, int]) -> int:
        """MiB: as recorded, or else the most that any table of its study has needed since, or else the usual."""
        return self.mib if self.mib is not None else seen.get(self.study, USUAL_MIB)


@dataclass(frozen=True)
class Failure:
    """Why a table could not be computed.

    ``trace``: the traceback of an error that nobody foresaw, '' of others. ``refused``: the system's number of the
    error where the store takes no more, 0 otherwise.
    """

    work: Work
    said: str
    trace: str = ""
    refused: int = 0

    def __str__(self) -> str:
        """The chapter, the study, the setting, and what went wrong."""
        chapter = chapter_of(self.work.study)
        where = f"study {self.work.study}, {self.work.setting.name} setting"
        return f"{f'chapter {chapter}, ' if chapter else ''}{where}: {self.said}"


def fill(
    requests: Iterable[Request],
    jobs: int = JOBS,
    say: Callable[[str], None] = lambda line: None,
    settings: Callable[[Request], Sequence[Setting]] = settings_read,
) -> list[Failure]:
    """Compute the missing tables of ``requests``, ``jobs`` at a time, into the store; returns what went wrong.

    That is one failure a study: after it no more tables of that study are begun. ``say`` is told once how many tables
    there are. Nothing is done where it would not pay (`WORTH_SECONDS`), with one job, or on a GPU: then tables are
    computed where they are read. Raises `StorageError` as soon as the store takes no more.
    """
    works = missing(requests, settings) if jobs > 1 else []
    seconds = sum(work.seconds for work in works)
    if len(works) < 2 or seconds < WORTH_SECONDS or resolve_device(works[0].device) != "cpu":
        return []
    jobs = min(jobs, len(works))
    minutes = max(1, round(seconds / jobs / 60))
    say(f"computing {len(works)} tables, {jobs} at a time (about {minutes} min)")
    with progress.bar("tables") as tell:
        return _computed(works, jobs, tell)


def fill_all(
    requests: Iterable[Request],
    jobs: int = JOBS,
    settings: Callable[[Request], Sequence[Setting]] = settings_read,
) -> None:
    """`fill` for whoever needs every table; raises `NotComputed` where one could not be computed.

    Raises `genbook.data.DataNotFound`, before anything is computed, where what was asked for is of data that are not
    there.
    """
    asked = list(requests)
    for request in asked:
        _need_data(request, settings)
    if failures := fill(asked, jobs, settings=settings):
        raise NotComputed("\n".join(f"{failure}\n{failure.trace}".strip() for failure in failures))


def _need_data(request: Request, settings: Callable[[Request], Sequence[Setting]]) -> None:
    """Replications can be left out; the discovery setting, where it is to be read, has to be stored or computed."""
    for setting in settings(request):
        absent = setting.name == "discovery" and not has_data(setting.spec)
        if absent and missing_seeds(request.study, setting.spec, setting.seeds):
            data.load(str(dataset_of(setting.spec)))


def missing(requests: Iterable[Request], settings: Callable[[Request], Sequence[Setting]]) -> list[Work]:
    """The missing tables of ``requests``, the longest first: as recorded, or by what the profile is said to take.

    Left out is what another process could not compute: studies made up by a test, data that are not there.
    """
    known = [request for request in requests if is_the_codes(request.study)]
    works = [_priced(one) for one in pending(known, Costs(), settings) if not one.absent]
    return sorted(works, key=lambda work: (-work.seconds, work.study, work.setting.name))


def _priced(one: Pending) -> Work:
    request = one.request
    preset = request.study.profile(request.profile)
    said = preset.seconds / (preset.seeds * len(request.settings()))
    each = said if one.cost.seconds is None else one.cost.seconds
    seeds = len(one.setting.seeds)
    return Work(request.study.name, one.setting, request.device, seeds * each, one.cost.mib)


def first_that_fits(
    waiting: Iterable[Work], running: Collection[Work], seen: Mapping[str, int], room: float, free: float
) -> Work | None:
    """The first of ``waiting`` for which there is memory while ``running`` has its own; with nothing running any.

    ``seen``: MiB that tables have needed, by study. ``room``, ``free``: MiB that were free before anything ran, and
    that are free now, when what runs may not have taken its own yet, and other programs theirs. A table that needs
    more than there is is computed alone: where even that is too much, its training says so.
    """
    left = min(room - sum(work.needs(seen) for work in running), free)
    return next((work for work in waiting if not running or work.needs(seen) <= left), None)


def _computed(works: Sequence[Work], jobs: int, tell: Progress) -> list[Failure]:
    """All ``works``, begun in their order. Each process is a pool of its own: so it is known which one died."""
    waiting, seen, failures = list(works), dict[str, int](), list[Failure]()
    room, whole, done = free_mib(), sum(work.seconds for work in works), 0.0
    with contextlib.ExitStack() as held:
        idle = [held.enter_context(workers(1)) for _ in range(jobs)]
        running: dict[concurrent.futures.Future[int | Failure], tuple[Work, concurrent.futures.Executor]] = {}
        while waiting or running:
            begun = [work for work, _ in running.values()]
            while idle and (work := first_that_fits(waiting, begun, seen, room, free_mib())):
                waiting.remove(work)
                begun.append(work)
                process = idle.pop()
                with signals_held():
                    running[process.submit(_compute, work)] = work, process
            for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                work, process = running.pop(future)
                done += work.seconds
                tell(done / whole, work.study)
                try:
                    found = future.result()
                except BrokenProcessPool:
                    found, process = Failure(work, _KILLED), held.enter_context(workers(1))
                idle.append(process)
                if isinstance(found, int):
                    seen[work.study] = max(found, seen.get(work.study, 0))
                    continue
                if found.refused:
                    raise StorageError(found.refused, found.said)
                failures.append(found)
                waiting = [other for other in waiting if other.study != work.study]
    first: dict[str, Failure] = {}  # of a study, in the order of beginning: the same one whatever was finished first
    for failure in sorted(failures, key=lambda failure: works.index(failure.work)):
        first.setdefault(failure.work.study, failure)
    return list(first.values())


def _compute(work: Work) -> int | Failure:
    """In a worker: compute and store a table; gives the MiB that it needed, 0 where that is not known."""
    try:
        table = obtain(studies.get(work.study), work.setting.spec, work.setting.seeds, work.device)
    except StorageError as error:
        return Failure(work, str(error), refused=error.errno or errno.EIO)
    except ForeseenError as error:
        return Failure(work, f"{type(error).__name__}: {error}")
    except Exception as error:
        return Failure(work, f"{type(error).__name__}: {error}", traceback.format_exc())
    return max(provenance.get("peak_mib") or 0 for provenance in table.provenances)


def free_mib() -> float:
    """MiB of memory that are free, within the limit that the system sets; infinite where it does not say."""
    import torch

    from genbook.training.memory import free_bytes

    free = free_bytes(torch.device("cpu"))
    return math.inf if free is None else free / 2**20
