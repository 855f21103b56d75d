"""The package installed elsewhere, without the repository around it, and used from inside another repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import genbook
from genbook.tables.store import Store


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy of the package alone, and a function that runs its command in a folder of another repository."""
    root = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(Path(genbook.__file__).parent, root / "lib" / "python" / "site" / "genbook")
    other = root / "other"
    (other / "deeper").mkdir(parents=True)
    identity = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    for words in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "Theirs"]):
        subprocess.run(["git", "-C", str(other), *words], check=True)
    settings = {"PYTHONPATH": str(root / "lib" / "python" / "site"), "XDG_DATA_HOME": str(root / "data")}
    environment = {name: value for name, value in os.environ.items() if name != "GENBOOK_STORE"} | settings

    def call(*words, cwd=other):
        command = [sys.executable, "-m", "genbook", *words]
        return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)

    return root, call


@pytest.mark.parametrize("words", [["run", "02"], ["params", "02"], ["build"]], ids=" ".join)
def test_what_needs_the_book_says_where_the_book_is(installed, words):
    done = installed[1](*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("genbook: the chapters and the book's pages lie in genbook's repository")
    assert "clone the repository, type `make book` there" in done.stderr


def test_studies_and_their_parameters_are_there(installed):
    assert "perceptron_limit" in installed[1]("studies").stdout
    assert "learning_rates" in installed[1]("params", "perceptron_limit").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux keeps the data of a user")
def test_the_store_is_one_wherever_one_stands_and_the_commit_is_not_another_repositorys(installed):
    root, call = installed
    words = ["table", "perceptron_limit", "--profile", "smoke", "-p", "seeds", "1"]
    first, second = call(*words), call(*words, cwd=root / "other" / "deeper")
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    (part,) = root.rglob("*.parquet")
    assert part.is_relative_to(root / "data" / "genbook")
    (provenance,) = Store(root / "data" / "genbook").provenances()
    assert provenance["commit"] is None
    assert not [path for path in (root / "other").rglob("*") if ".git" not in path.parts and path.name != "deeper"]
