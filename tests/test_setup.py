import itertools
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from genbook.base.files import repository

ROOT = repository()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = [Requirement(line) for line in (ROOT / "requirements.lock.txt").read_text().split("\n") if line.strip()]
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "sys_platform": system,
        "platform_machine": machine,
    }
    | {"os_name": "posix", "implementation_name": "cpython", "platform_system": system.title(), "extra": ""}
    for python in ("3.11", "3.12")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]


def locked(environment):
    """Name to exact version of what the lock installs there."""
    lines = [line for line in LOCK if line.marker is None or line.marker.evaluate(environment)]
    names = [line.name.lower() for line in lines]
    assert len(names) == len(set(names)), "two versions of one package for one environment"
    return {line.name.lower(): str(line.specifier).removeprefix("==") for line in lines}


def test_the_lock_holds_exact_versions_and_neither_hosts_nor_hashes():
    for line in LOCK:
        assert re.fullmatch(r"==[\w.!+-]+", str(line.specifier)), line
        assert line.url is None
    assert not re.search(r"https?:|--|@", (ROOT / "requirements.lock.txt").read_text())


@pytest.mark.parametrize(
    "environment", ENVIRONMENTS, ids=lambda e: f"{e['python_version']}-{e['sys_platform']}-{e['platform_machine']}"
)
def test_the_lock_satisfies_every_bound_on_every_platform(environment):
    versions = locked(environment)
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    for text in itertools.chain(PYPROJECT["project"]["dependencies"], *extras):
        wanted = Requirement(text)
        if wanted.name == "genbook":
            continue
        assert wanted.name.lower() in versions, f"{wanted.name} is not locked"
        assert wanted.specifier.contains(Version(versions[wanted.name.lower()])), text
    assert (versions["torch"], versions["torchvision"]) == ("2.12.1", "0.27.1")


def test_conda_users_get_the_same_environment():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (python,) = [line for line in environment["dependencies"] if isinstance(line, str) and line.startswith("python")]
    assert python == "python>=3.11,<3.13", "the book's, as in the Makefile; the library bears later ones"
    assert python.removeprefix("python").startswith(PYPROJECT["project"]["requires-python"])
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert pip == ["-r requirements.lock.txt", "-e .[dev]"]


def test_what_is_installed_here_is_what_is_locked():
    import importlib.metadata

    import packaging.markers

    for name, version in locked(packaging.markers.default_environment()).items():
        assert Version(importlib.metadata.version(name)).public == Version(version).public, name


def test_make_help_lists_the_commands():
    said = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    for command in ("book", "test", "test-processors", "lab", "lock", "bench", "clean", "help"):
        assert re.search(rf"^  make {command} ", said, re.MULTILINE)


def test_a_python_that_is_too_old_or_missing_is_refused_in_one_sentence(tmp_path):
    for name in ("Makefile", "requirements.lock.txt", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    done = subprocess.run(["make", "-C", str(tmp_path), "book", "PYTHON="], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "genbook needs Python 3.11 or 3.12" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_nothing_on_disk_is_pickled():
    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "S301,S403", "--no-cache", str(ROOT / "src")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout
    for path in (ROOT / "src").rglob("*.py"):
        assert "allow_pickle=True" not in path.read_text(), path
        assert not re.search(r"torch\.(save|load)\(", path.read_text()), path
