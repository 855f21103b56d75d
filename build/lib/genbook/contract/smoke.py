"""A study's smoke tables, each computed once and shared by the checks, and what was seen while the first one ran."""

from __future__ import annotations

import contextlib
import functools
import importlib
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

import genbook
from genbook import data
from genbook.base.claims import Claim
from genbook.base.spec import Spec
from genbook.results.requests import Setting
from genbook.studies import Study
from genbook.training.run import StackRun

_PACKAGE = Path(genbook.__file__).parent
_STIRRED = 271_828_182


@dataclass
class Observation:
    """What was seen during a run.

    ``modules``: the package's modules that were executed, not counting what an import runs. ``replicas``: what the
    engine trained. ``steps``: gradient steps over all stacks. ``changed``: global states that the run did not leave as
    it had found them.
    """

    modules: set[str] = field(default_factory=set)
    replicas: list[Any] = field(default_factory=list)
    steps: int = 0
    changed: list[str] = field(default_factory=list)


def settings(study: Study, main: Spec, seeds: tuple[int, ...]) -> Iterator[Setting]:
    """Discovery, the replication and every control; raises `ParameterError` where one is refused."""
    yield Setting("discovery", main, seeds)
    if study.replication is not None:
        fresh = tuple(study.replication_seed + seed for seed in seeds)
        yield Setting("replication", study.changed(main, study.replication(main)), fresh)
    for name, changes in study.controls.items():
        yield Setting(name, study.changed(main, changes), seeds)


class Smoke:
    """The smoke tables of one study, over at least two seeds; what a caller gets is not to be changed."""

    def __init__(self, study: Study):
        """Nothing is computed yet."""
        self.study = study
        self.seeds = tuple(range(max(2, study.profile("smoke").seeds)))
        self.observation = Observation()
        self._tables: dict[str, pd.DataFrame] = {}
        self._values: dict[tuple[str, str | None], pd.Series] = {}

    @functools.cached_property
    def settings(self) -> dict[str, Setting]:
        """By name, the settings whose data are on this machine."""
        found = settings(self.study, self.study.build("smoke", {}), self.seeds)
        return {setting.name: setting for setting in found if _has_data(setting.spec)}

    def table(self, name: str = "discovery") -> pd.DataFrame:
        """The table of the setting called ``name``; that of discovery is observed while it is computed."""
        if name not in self._tables:
            setting = self.settings[name]
            if name == "discovery":
                importlib.import_module(self.study.module)
                _load(setting.spec)
                with observed() as self.observation:
                    self._tables[name] = self.run(setting.spec, setting.seeds)
            else:
                self._tables[name] = self.run(setting.spec, setting.seeds)
        return self._tables[name]

    def tables(self) -> dict[str, pd.DataFrame]:
        """By name, the tables of all settings."""
        return {name: self.table(name) for name in self.settings}

    @functools.cached_property
    def alone(self) -> pd.DataFrame:
        """Discovery's table of the last seed, computed without the others."""
        return self.run(self.settings["discovery"].spec, self.seeds[-1:])

    def values(self, claim: Claim, name: str | None) -> pd.Series:
        """The claim's statistic of the setting called ``name``, or with None of the last seed alone."""
        if (claim.id, name) not in self._values:
            table = self.alone if name is None else self.table(name)
            self._values[claim.id, name] = claim.statistic(table, self.settings[name or "discovery"].spec)
        return self._values[claim.id, name]

    @property
    def seen(self) -> Observation:
        """What was seen while discovery's table was computed."""
        self.table()
        return self.observation

    def run(self, spec: Spec, seeds: tuple[int, ...]) -> pd.DataFrame:
        """The study's table, computed on the CPU with one thread."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                return self.study.run(spec, seeds, "cpu")
        finally:
            torch.set_num_threads(threads)


_LAST: list[Smoke] = []


def smoke(study: Study) -> Smoke:
    """The smoke tables of ``study``, kept until another study is asked for."""
    if not _LAST or _LAST[0].study is not study:
        _LAST[:] = [Smoke(study)]
    return _LAST[0]


def _has_data(spec: Spec) -> bool:
    name = getattr(spec, "dataset", None)
    return name is None or data.available(name)


def _load(spec: Spec) -> None:
    """Load the spec's data set once: what it is read by is imported with it, and scikit-learn draws as it is."""
    name = getattr(spec, "dataset", None)
    if name is not None:
        data.load(name)


@contextlib.contextmanager
def observed() -> Iterator[Observation]:
    """Yield an `Observation` that fills while the block runs; the global generators are as before afterwards."""
    found, mine = Observation(), (random.getstate(), np.random.get_state(), torch.random.get_rng_state())
    random.seed(_STIRRED)  # a run that seeds a generator anew would else leave it as the run before it did
    np.random.seed(_STIRRED)
    torch.manual_seed(_STIRRED)
    before = _global_state()
    try:
        with _counted(found), _traced(found.modules):
            yield found
        after = _global_state()
        found.changed = [name for name in before if before[name] != after[name]]
    finally:
        random.setstate(mine[0])
        np.random.set_state(mine[1])
        torch.random.set_rng_state(mine[2])


def _global_state() -> dict[str, Any]:
    generator = np.random.get_state(legacy=False)["state"]
    return {
        "random's generator": random.getstate(),
        "NumPy's global generator": (generator["key"].tobytes(), generator["pos"]),
        "PyTorch's global generator": torch.random.get_rng_state().numpy().tobytes(),
        "PyTorch's default type": torch.get_default_dtype(),
        "NumPy's treatment of floating-point errors": np.geterr(),
    }


@contextlib.contextmanager
def _counted(found: Observation) -> Iterator[None]:
    """Note the replicas and the steps of every stack that is trained in the block."""
    begin, advance = StackRun.__init__, StackRun.advance

    def beginning(run: StackRun, replicas: Any, *rest: Any) -> None:
        found.replicas.extend(replicas)
        begin(run, replicas, *rest)

    def advancing(run: StackRun) -> bool:
        found.steps += 1
        return advance(run)

    with mock.patch.object(StackRun, "__init__", beginning), mock.patch.object(StackRun, "advance", advancing):
        yield


@contextlib.contextmanager
def _traced(modules: set[str]) -> Iterator[None]:
    """Add to ``modules`` those whose functions are called in the block, and those that are imported by name in it.

    What runs while a module is imported defines functions and computes nothing of the study, so it does not count.
    """
    importing = importlib.import_module.__code__
    codes: set[CodeType] = set()
    depth = 0

    def called(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal depth
        code = frame.f_code
        if code.co_name == "<module>":
            depth += 1
            frame.f_trace_lines = False
            return returned
        if not depth and code is importing:
            modules.add(str(frame.f_locals["name"]))
        elif not depth:
            codes.add(code)
        return None

    def returned(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal depth
        depth -= event == "return"
        return returned

    before = sys.gettrace()
    sys.settrace(called)  # sees calls alone, which costs half of what sys.setprofile does
    try:
        yield
    finally:
        sys.settrace(before)
    modules |= {name for code in codes if (name := _module_of(code.co_filename))}


@functools.cache
def _module_of(file: str) -> str | None:
    """The dotted name of the package's module in ``file``, or None where it is not of the package."""
    path = Path(file)
    if not path.is_relative_to(_PACKAGE):
        return None
    parts = path.relative_to(_PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
