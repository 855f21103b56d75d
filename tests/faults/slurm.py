"""Many small shards on a Slurm of this machine: none lost, none done twice, and what each costs besides its work."""

import os
import time
from unittest import mock

import pandas as pd

from genbook import studies
from genbook.results import published
from genbook.results.costs import Costs
from genbook.results.requests import Request
from genbook.results.shards import pending
from genbook.tables import manifest
from genbook.tables.store import Store
from tests.faults.forked import place
from tests.faults.report import Figures
from tests.slurm_cluster import absent, cluster
from tests.test_slurm import STUDY, journal, states, submit, wait


def possible():
    """Whether Slurm is installed."""
    return not absent()


def file():
    """Where throughput and overhead are kept."""
    return published.root() / "benchmarks" / "slurm.csv"


def many(runs):
    """A shard for each seed of each setting, for each (seeds, nodes, tasks) of ``runs``."""
    figures, measured = Figures("small shards on Slurm"), []
    with figures.timed():
        for seeds, nodes, tasks in runs:
            with mock.patch.dict(os.environ):
                measured.append(_one_run(figures, seeds, nodes, tasks))
    new = pd.DataFrame(measured)
    if file().is_file():  # a run of the same size takes the place of its older one
        new = pd.concat([pd.read_csv(file()), new]).drop_duplicates(["workers", "shards", "tasks"], keep="last")
    file().parent.mkdir(parents=True, exist_ok=True)
    new.sort_values(["shards", "workers"]).to_csv(file(), index=False)
    manifest.enter(published.root(), file())
    return figures


def _one_run(figures, seeds, nodes, tasks):
    with place() as folder:
        os.environ["GENBOOK_STORE"] = str(folder / "store")
        found = pending([Request.build(studies.get(STUDY), "smoke", {"seeds": seeds})], Costs())
        names = [shard.id for one in found for shard in one.shards(0)]
        with cluster(folder / "cluster", nodes) as one:
            start = time.monotonic()
            submit(one, folder, "".join(f"{name}\n" for name in names), tasks, pause=0)
            wait(3600, lambda: journal(folder, "stored") and set(states(one)) == {"COMPLETED"})
            wall = time.monotonic() - start
        stored = journal(folder, "stored")
        for part in set(stored):
            figures.count(stored.count(part) == 1, False, f"{part} was stored {stored.count(part)} times")
        for _ in range(len(names) - len(set(stored))):
            figures.count(False, True, "a shard was lost")
        own = sum(said["wall_seconds"] for said in _said())
    return {
        "workers": nodes,
        "shards": len(names),
        "tasks": tasks,
        "seconds": round(wall),
        "shards a minute": round(60 * len(names) / wall, 1),
        "own work, s a shard": round(own / len(names), 3),
        "overhead, s a shard": round((wall * nodes - own) / len(names), 3),
        "other processes": round(max(os.getloadavg()[0] - nodes, 0)),
    }


def _said():
    return Store().provenances()
