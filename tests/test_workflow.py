"""What lies in ``workflow/``: each script takes every shard once; profiles and job are what their programs read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from genbook import studies
from genbook.base.files import repository
from genbook.results.costs import Costs
from genbook.results.requests import Request
from genbook.results.shards import pending
from tests.mock_kubernetes import kubernetes

WORKFLOW = repository() / "workflow"
SHARDS = [f"study.full.discovery.{seed}.00000000-00000000-00000000" for seed in range(7)]


@pytest.fixture
def place(tmp_path):
    """A folder with a list of shards, and a genbook that notes what it was asked and exports a file."""
    (tmp_path / "shards").write_text("".join(f"{shard}\n" for shard in SHARDS))
    (tmp_path / "genbook").write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nif [ "$2" = export ]; then echo parts > "$3"; fi\n'
    )
    (tmp_path / "genbook").chmod(0o755)
    return tmp_path


def run(place, script, *words, **environment):
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, **{name: str(value) for name, value in environment.items()}}
    subprocess.run([*words, script], cwd=place, env=given, check=True, capture_output=True)


def computed(place):
    asked = [line.split() for line in (place / "asked").read_text().splitlines()]
    return [shard for command, *names in asked if command == "compute" for shard in names]


@pytest.mark.parametrize("tasks", [1, 3, 7, 9])
def test_tasks_of_slurms_array_take_every_shard_once(place, tasks):
    for task in range(1, tasks + 1):
        words = ["bash", str(WORKFLOW / "array.sbatch")]
        run(place, "shards", *words, SLURM_ARRAY_TASK_COUNT=tasks, SLURM_ARRAY_TASK_ID=task)
    assert sorted(computed(place)) == SHARDS


def job():
    """The job of kubernetes.yaml as its first lines say that it is sent."""
    text = (WORKFLOW / "kubernetes.yaml").read_text()
    return yaml.safe_load(text.replace("COUNT", str(len(SHARDS))).replace("IMAGE", "registry/genbook:commit"))


def test_pods_of_the_indexed_job_take_every_shard_once(place):
    (container,) = job()["spec"]["template"]["spec"]["containers"]
    shell, option, script = container["command"]
    for index in range(job()["spec"]["completions"]):
        run(place, script.replace("/list/shards", "shards"), shell, option, JOB_COMPLETION_INDEX=index)
    assert computed(place) == SHARDS


def test_the_indexed_job_is_one_that_kubernetes_takes():
    spec = job()["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {volume["name"] for volume in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    # a limit of failures for each index is for indexed jobs alone, and wants pods that are never restarted
    assert (spec["completionMode"], pod["restartPolicy"]) == ("Indexed", "Never")
    kubernetes_validate.validate(job(), "1.33", strict=True)


@pytest.mark.parametrize("nodes", [1, 4])
def test_skypilots_nodes_take_every_shard_once_and_hand_in_whole_archives(place, nodes):
    script = yaml.safe_load((WORKFLOW / "skypilot.yaml").read_text())["run"]
    (place / "parts").mkdir()
    for rank in range(nodes):
        given = {"SKYPILOT_NUM_NODES": nodes, "SKYPILOT_NODE_RANK": rank}
        run(place, script.replace("/parts", str(place / "parts")), "bash", "-c", **given)
    assert sorted(computed(place)) == SHARDS
    assert {path.name for path in (place / "parts").iterdir()} == {f"{rank}.tar" for rank in range(nodes)}


needs_snakemake = pytest.mark.skipif(shutil.which("snakemake") is None, reason="Snakemake is not installed here")


def snakemake(place, profile, *words, **environment):
    flow = ("--snakefile", "workflow/Snakefile", "--workflow-profile", str(profile))
    given = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    command = ["snakemake", *flow, "--directory", str(place), *words]
    done = subprocess.run(command, cwd=repository(), env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_snakemake
@pytest.mark.parametrize("profile", ["local", "slurm", "kubernetes"])
def test_every_profile_is_one_that_snakemake_reads(tmp_path, profile):
    rows = [{"id": shard, "mib": 100, "minutes": 1.0} for shard in SHARDS]
    (tmp_path / "shards.json").write_text(json.dumps(rows))
    words = ("--dry-run", "--config", f"shards={tmp_path / 'shards.json'}")
    said = snakemake(tmp_path, WORKFLOW / "profiles" / profile, *words, GENBOOK_STORE=tmp_path / "store")
    assert f"compute {len(SHARDS):>10}".split() in [line.split() for line in said.splitlines()]


@needs_snakemake
@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed here")
def test_a_mock_of_kubernetes_computes_what_is_pending(tmp_path, monkeypatch):
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.setenv("GENBOOK_STORE", str(store))
    request = Request.build(studies.get("linear_teacher"), "smoke", {"seeds": 1})
    rows = [shard.as_dict() for one in pending([request], Costs()) for shard in one.shards(60)][:1]
    (store / "shards.json").write_text(json.dumps(rows))
    (tmp_path / "profile").mkdir()
    said = (WORKFLOW / "profiles" / "kubernetes" / "config.yaml").read_text()
    (tmp_path / "profile" / "config.yaml").write_text(said.replace("/store", str(store)))
    # the pod's python is Snakemake's, as in an image; genbook is found after it
    programs = [Path(shutil.which("snakemake")).parent, Path(sys.executable).parent, os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, programs)))
    with kubernetes(tmp_path) as sent:
        words = ("--config", f"shards={store / 'shards.json'}")
        with monkeypatch.context() as patch:
            patch.setenv("KUBECONFIG", str(tmp_path / "config"))
            flow = ("--snakefile", "workflow/Snakefile", "--workflow-profile", str(tmp_path / "profile"))
            done = subprocess.run(
                ["snakemake", *flow, *words], cwd=repository(), capture_output=True, text=True, check=False
            )
    assert done.returncode == 0, done.stdout + done.stderr
    (one,) = sent
    pod = one["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "1000M"
    assert {"name": "genbook-store", "mountPath": str(store)} in pod["containers"][0]["volumeMounts"]
    assert len(list(store.glob("tables/linear_teacher/*/seed-*.parquet"))) == 1
