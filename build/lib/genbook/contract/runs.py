"""Checks of a study's run: what it trains on, what it leaves behind, and whether it can be interrupted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch

from genbook.base import progress
from genbook.contract.errors import NotApplicableError, few, require
from genbook.contract.smoke import smoke
from genbook.contract.tables import differing
from genbook.studies import Study
from genbook.tables import codehash
from genbook.training import engine
from genbook.training.run import StackRun

#: Share of a test set's examples that may be in the training set too: data sets hold some images twice.
_TWICE = 0.02
_CHECKPOINTS = 50


def test_sets_are_held_out(study: Study) -> None:
    """No network is tested on examples that it was trained on."""
    trained = [replica for replica in smoke(study).seen.replicas if {"train", "test"} <= set(replica.data)]
    if not trained:
        raise NotApplicableError("trains no network of the engine that has a test set")
    pairs = {(id(r.data["train"].inputs), id(r.data["test"].inputs)): r for r in trained}
    for replica in pairs.values():
        seen = set(_rows(replica.data["train"].inputs))
        test = _rows(replica.data["test"].inputs)
        shared = sum(row in seen for row in test)
        require(
            shared <= _TWICE * len(test),
            f"{study.name}, seed {replica.seed}, {dict(replica.condition)}: {shared} of {len(test)} test examples are "
            "in the training set; take the test set of genbook.data.split, which no training set shares",
        )


def _rows(inputs: torch.Tensor) -> list[bytes]:
    return [row.numpy().tobytes() for row in inputs.detach().cpu().reshape(len(inputs), -1)]


def global_state_is_left_alone(study: Study) -> None:
    """A run leaves the global random generators and settings of Python, NumPy and PyTorch as it found them."""
    changed = smoke(study).seen.changed
    require(
        not changed,
        f"{study.name}: the run changed {few(changed)}; draw from genbook.base.seeding.generator(seed, purpose), "
        "hand it on where a library asks for a generator, and put back what must be set for a while",
    )


def code_hash_counts_what_runs(study: Study) -> None:
    """The code hash in a table's key counts every module of the package that the run executes."""
    counted = {*codehash.modules_used(study.module), *codehash.NEUTRAL}
    own = ("genbook.contract", "genbook.studies")  # who calls the run
    missed = {
        name
        for name in smoke(study).seen.modules - counted
        if name.startswith("genbook.") and name not in own and not name.startswith("genbook.contract.")
    }
    require(
        not missed,
        f"{study.name}: the run executes {few(sorted(missed))}, which the code hash of {study.module} does not count, "
        "so that a change there would leave stored tables in use; import it by name at the head of a module that "
        "counts, not by a name made while running",
    )


class _Interrupted(BaseException):
    """Stops a training in the midst, as Ctrl-C does."""


def resumed_equals_undisturbed(study: Study) -> None:
    """Interrupted twice in the midst and gone on from the kept state, a study has the same table to the bit."""
    steps = smoke(study).seen.steps
    if steps < 3:
        raise NotApplicableError("trains no network of the engine, which keeps the state")
    setting = smoke(study).settings["discovery"]
    kept = []
    with tempfile.TemporaryDirectory(prefix="genbook-") as folder:
        for _ in range(2):
            with contextlib.suppress(_Interrupted), _stepping(Path(folder), steps, stop=steps // 3):
                smoke(study).run(setting.spec, setting.seeds)
            kept += Path(folder).iterdir()
        with _stepping(Path(folder), steps):
            resumed = smoke(study).run(setting.spec, setting.seeds)
    require(
        bool(kept),
        f"{study.name}: interrupted after a third and after two thirds of its {steps} steps, it had kept no state; "
        "train by genbook.training.train without a checkpoint of its own",
    )
    difference = differing(smoke(study).table(), resumed, rtol=0, atol=0)
    require(
        difference is None,
        f"{study.name}: interrupted and resumed, the table has {difference}; let the run depend on nothing but spec "
        "and seeds, and a probe keep nothing between two measurements",
    )


@contextlib.contextmanager
def _stepping(folder: Path, steps: int, stop: int | None = None) -> Iterator[SimpleNamespace]:
    """Keep state in ``folder``, some fifty times in ``steps``; stop before the step ``stop``, and count those taken."""
    taken, advance = SimpleNamespace(steps=0), StackRun.advance
    every = max(1, steps // _CHECKPOINTS)

    def advancing(run: StackRun) -> bool:
        if taken.steps == stop:
            raise _Interrupted
        taken.steps += 1
        return advance(run)

    clock = SimpleNamespace(monotonic=lambda: 60.0 * (taken.steps // every))  # the engine saves once a minute
    with (
        mock.patch.object(StackRun, "advance", advancing),
        mock.patch.object(engine, "time", clock),
        progress.context(folder=folder),
    ):
        yield taken
