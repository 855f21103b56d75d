"""Shards on a real Slurm: a node dies, the controller is killed and comes back; nothing is lost, nothing done twice."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from genbook import studies
from genbook.base.files import repository
from genbook.results.costs import Costs
from genbook.results.requests import Request
from genbook.results.shards import pending
from tests.slurm_cluster import absent, cluster

pytestmark = pytest.mark.skipif(bool(absent()), reason=f"Slurm is not installed here: {', '.join(absent())}")

STUDY = "linear_teacher"
SETTINGS = 5
#: Seeds of each setting, and tasks of the array that share the shards: the whole, or what takes some seconds.
SEEDS, TASKS = (10, 10) if os.environ.get("GENBOOK_WHOLE") else (1, 2)


@pytest.fixture
def place():
    """A folder with a short name: Munge's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def submit(one, place, shards, tasks, pause=1):
    """The array of workflow/array.sbatch, with a genbook that keeps a journal; returns its job's number."""
    (place / "bin").mkdir(exist_ok=True)
    (place / "logs").mkdir(exist_ok=True)
    (place / "shards").write_text(shards)
    shim = place / "bin" / "genbook"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {repository() / "tests" / "journalled.py"} "$@"\n')
    shim.chmod(0o755)
    one.environment |= {
        "PATH": f"{place / 'bin'}{os.pathsep}{one.environment['PATH']}",
        "PYTHONPATH": str(repository()),
        "GENBOOK_STORE": str(place / "store"),
        "JOURNAL": str(place / "journal"),
        "PAUSE": str(pause),
    }
    script = str(repository() / "workflow" / "array.sbatch")
    words = ("sbatch", "--parsable", "--mem=1500M", f"--array=1-{tasks}", script, str(place / "shards"))
    return one.run(*words, cwd=place).strip()


def journal(place, word):
    with contextlib.suppress(FileNotFoundError):
        lines = [line.split() for line in (place / "journal").read_text().splitlines()]
        return [(key, seed) for said, key, seed in lines if said == word]
    return []


def wait(seconds, reached):
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.3)


def states(one):
    return one.run("squeue", "-h", "-r", "-t", "all", "-o", "%T").split()


def lose(one, node):
    """What is left of a node whose power fails: nothing that runs."""
    lost = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            said = process.environ()
            if said.get("SLURMD_NODENAME") == node and said.get("SLURM_CONF") == one.environment["SLURM_CONF"]:
                lost += [process, *(parent for parent in process.parents() if parent.name() == "slurmstepd")]
    one.kill(node)
    for process in sorted(set(lost), key=lambda process: process.name() != "slurmstepd"):
        with contextlib.suppress(psutil.Error):
            process.kill()
    return len(lost)


def test_shards_outlive_a_node_and_the_controller(place, monkeypatch):
    names = [shard.id for one in left(place, monkeypatch) for shard in one.shards(0)]
    assert len(names) == len(set(names)) == SEEDS * SETTINGS
    with cluster(place / "cluster") as one:
        submit(one, place, "".join(f"{name}\n" for name in names), TASKS)
        wait(300, lambda: len(journal(place, "stored")) >= SEEDS)  # the rest is computed while the faults come
        assert lose(one, "n2"), "a shard was running there"
        one.kill("slurmctld", signal.SIGKILL)
        before = len(journal(place, "stored"))
        one.start("slurmctld")
        one.start("n2")
        wait(500, lambda: set(states(one)) == {"COMPLETED"})
        assert len(states(one)) == TASKS
        assert before < SEEDS * SETTINGS, "the faults came in the middle"
    stored = journal(place, "stored")
    assert len(set(stored)) == SEEDS * SETTINGS, "none is lost"
    assert len(stored) == len(set(stored)), "none is computed twice"
    assert not left(place, monkeypatch)
    gathered, local = (tables(place, store, monkeypatch) for store in ("store", "local"))
    pd.testing.assert_frame_equal(gathered, local, check_exact=False, rtol=1e-9)
    assert len(local)


def left(place, monkeypatch):
    """What is pending."""
    monkeypatch.setenv("GENBOOK_STORE", str(place / "store"))
    return list(pending([Request.build(studies.get(STUDY), "smoke", {"seeds": SEEDS})], Costs()))


def tables(place, store, monkeypatch):
    """All settings' tables, from the shards that came home or computed here in one go."""
    monkeypatch.setenv("GENBOOK_STORE", str(place / store))
    request = Request.build(studies.get(STUDY), "smoke", {"seeds": SEEDS})
    return pd.concat([request.table(setting.name).frame for setting in request.settings()])


def test_a_cluster_leaves_nothing_running(place):
    with cluster(place / "cluster", nodes=1) as one:
        assert one.run("sinfo", "-h", "-o", "%T").strip() == "idle"
        conf = one.environment["SLURM_CONF"]
    mine = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SLURM_CONF") == conf and process.status() != psutil.STATUS_ZOMBIE:
                mine.append(process)
    assert not mine


@pytest.mark.skipif(shutil.which("snakemake") is None, reason="Snakemake is not installed here")
def test_snakemake_computes_what_is_pending(place, monkeypatch):
    rows = [shard.as_dict() for one in left(place, monkeypatch) for shard in one.shards(60)]
    (place / "shards.json").write_text(json.dumps(rows))
    flow = repository() / "workflow"
    words = ("--snakefile", str(flow / "Snakefile"), "--workflow-profile", str(flow / "profiles" / "local"))
    subprocess.run(["snakemake", *words], cwd=place, check=True, capture_output=True)
    assert not left(place, monkeypatch)
