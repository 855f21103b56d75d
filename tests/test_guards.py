"""The guards guard: what `make style` and CI must refuse is planted in a copy of the repository, and they refuse it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from genbook.base.files import repository

ROOT = repository()
#: The commands of the environment that runs the tests, whatever it is called.
BIN = Path(sys.executable).parent

#: Without what a make around the tests hands to the makes below it: its options, and variables such as PYTHON.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}

#: An import with which ruff finds no fault: what is red then is the floors alone.
FORBIDDEN = "\n\ndef _planted():\n    {}\n\n    return it\n"


@pytest.fixture
def copy(tmp_path):
    """The repository without its environment, store and book."""
    target = tmp_path / "genbook"
    left_out = shutil.ignore_patterns(".git", ".venv", ".genbook", "_build", ".*cache", "__pycache__", "*.parquet")
    shutil.copytree(ROOT, target, ignore=left_out)
    return target


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What mypy has seen of this checkout, kept from test to test: to see all for the first time takes half a minute.

    It compares what it has seen with the files by their content, so that a planted error is seen all the same.
    """
    folder = tmp_path_factory.mktemp("mypy")
    there = ROOT / ".mypy_cache"
    if there.is_dir():
        shutil.copytree(there, folder, dirs_exist_ok=True)
    return folder


def style(copy, seen):
    """`make style` in the copy, with this environment's commands and without setting one up."""
    command = ["make", "-C", str(copy), "-o", ".venv/.ready", "style", f"BIN={BIN}"]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(copy / "src"), "MYPY_CACHE_DIR": str(seen)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_style_says_nothing_of_a_tree_that_is_in_order(copy, seen):
    done = style(copy, seen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if not line.startswith("make:")] == []
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("file", "planted", "said"),
    [
        (
            "src/genbook/base/stats.py",
            FORBIDDEN.format("from genbook.tables import store as it"),
            "base.stats -> genbook.tables.store",
        ),
        ("src/genbook/figures/labels.py", FORBIDDEN.format("import torch as it"), "genbook.figures.labels -> torch"),
        ("src/genbook/tables/tidy.py", "import json\n", "F401"),
        ("tests/toy.py", "x  =  1\n", "tests/toy.py"),
        ("src/genbook/tables/tidy.py", '\n\ndef _planted() -> int:\n    return "one"\n', "tidy.py"),
    ],
    ids=["a floor above", "torch on the ground floor", "an unused import", "another format", "a wrong type"],
)
def test_style_is_red_where_a_rule_is_broken_and_says_by_what(copy, seen, file, planted, said):
    with (copy / file).open("a") as source:
        source.write(planted)
    done = style(copy, seen)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    if "_planted" in planted:
        ruff = [BIN / "ruff", "check", "--quiet", copy], [BIN / "ruff", "format", "--quiet", "--check", copy]
        assert [subprocess.run(command, check=False).returncode for command in ruff] == [0, 0]


def test_make_test_begins_with_the_style():
    said = subprocess.run(
        ["make", "-C", str(ROOT), "-n", "-o", ".venv/.ready", "test"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (
        said.index("lint-imports")
        < said.index("ruff check")
        < said.index("ruff format")
        < said.index("mypy")
        < said.index("-m pytest")
    )


def ci(copy, *failing):
    """`.ci/run` with a make that only says what it is asked for and fails at the targets ``failing``."""
    fake = copy.parent / "bin" / "make"
    fake.parent.mkdir()
    tests = "|".join(failing) or "nothing"
    fake.write_text(f'#!/bin/sh\necho "$*"\ncase "$*" in {tests}) exit 3;; esac\n')
    fake.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", str(copy / ".ci/run")], env=environment, capture_output=True, text=True, check=False)


def test_ci_builds_the_book_and_then_tests(copy):
    done = ci(copy)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["book", "test"]


@pytest.mark.parametrize(("target", "run"), [("book", ["book"]), ("test", ["book", "test"])])
def test_ci_is_red_where_the_book_or_the_tests_are(copy, target, run):
    done = ci(copy, target)
    assert done.returncode != 0
    assert done.stdout.splitlines() == run


def test_the_python_that_is_named_is_the_one_that_is_set_up(copy):
    python = copy.parent / "python3.11-named"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    environment = {**ENVIRONMENT, "PYTHON": str(python)}
    command = ["bash", str(copy / ".ci/run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"setting up .venv with {python}" in done.stdout


def test_each_leg_of_the_workflow_uses_its_own_python_and_may_read_the_repository():
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
    legs, publish = workflow["jobs"]["test"], workflow["jobs"]["publish"]
    (run,) = [step for step in legs["steps"] if step.get("run") == "bash .ci/run"]
    assert legs["env"]["PYTHON"] == "python${{ matrix.python }}"
    assert "'schedule'" in run["env"]["FRESH"]
    assert legs["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    for job in (legs, publish):
        permissions = job.get("permissions", workflow["permissions"])
        assert permissions["contents"] == "read", "checkout needs it, and a job's permissions replace the workflow's"
        assert 15 < job["timeout-minutes"] <= 60, "a cold run takes up to 15 minutes; a hung one should end"


def test_the_workflow_caches_what_the_lock_installs_and_goes_without_caches_every_week():
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
    steps = workflow["jobs"]["test"]["steps"]
    cached = {step["with"]["path"].split()[0]: step for step in steps if "/cache" in step.get("uses", "")}
    assert set(cached) == {".venv", ".genbook"}
    assert all("hashFiles('requirements.lock.txt'" in step["with"]["key"] for step in cached.values())
    assert all(step["if"] == "github.event_name != 'schedule'" for step in cached.values())
    (newest,) = [place for place, step in enumerate(steps) if step.get("run", "").startswith("make lock")]
    assert steps[newest]["if"] == "github.event_name == 'schedule'"
    assert newest < [step.get("run") for step in steps].index("bash .ci/run")
    asked = subprocess.run(["make", "-C", str(ROOT), "-n", "lock"], capture_output=True, text=True, check=True).stdout
    assert "--upgrade" in asked, "else the weekly run would have the versions of the lock again"


@pytest.mark.parametrize(
    "line",
    ['warnings.warn("soon gone", DeprecationWarning)', 'warnings.warn("look out")', "open(__file__)"],
    ids=["deprecated", "warned", "a file left open"],
)
def test_a_warning_in_a_test_is_an_error(tmp_path, line):
    (tmp_path / "test_planted.py").write_text(
        f"import gc\nimport warnings\n\n\ndef test_it():\n    {line}\n    gc.collect()\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
