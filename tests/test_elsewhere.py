"""The package installed elsewhere, without the repository around it, and used from inside another repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import genbook
from genbook.base.files import repository
from genbook.tables.store import Store
from tests.test_dependencies import ROOMS


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
    settings = {"PYTHONPATH": str(root / "lib" / "python" / "site"), "XDG_CACHE_HOME": str(root / "cache")}
    environment = {name: value for name, value in os.environ.items() if name != "GENBOOK_STORE"} | settings

    def call(*words, cwd=other, program=("-m", "genbook")):
        command = [sys.executable, *program, *words]
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


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux keeps the cache of a user")
def test_the_store_is_one_wherever_one_stands_and_the_commit_is_not_another_repositorys(installed):
    root, call = installed
    words = ["table", "perceptron_limit", "--profile", "smoke", "-p", "seeds", "1"]
    first, second = call(*words), call(*words, cwd=root / "other" / "deeper")
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    (part,) = root.rglob("*.parquet")
    store = root / "cache" / "genbook" / "store"
    assert part.is_relative_to(store)
    (provenance,) = Store(store).provenances()
    assert provenance["commit"] is None
    assert not [path for path in (root / "other").rglob("*") if ".git" not in path.parts and path.name != "deeper"]


EVERY_MODULE = """
import importlib, pkgutil
package = importlib.import_module("genbook.{room}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
"""
TRAINED = """
import sys, torch
from genbook.models import mlp
from genbook.training import SGD, Examples, Recipe, Replica, train
sys.stderr.isatty = lambda: True
data = {"train": Examples(torch.randn(8, 2), torch.randint(2, (8,)))}
train([Replica(0, mlp((2, 3, 2)), Recipe(steps=2, batch_size=4, optimiser=SGD(lr=0.1)), data)])
print("trained")
"""

#: An environment without the book: no module of its extras can be imported, as if they were not installed.
WITHOUT = """
import sys
class Finder:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in {absent!r}
        return None if absent else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Finder(finder) for finder in sys.meta_path]
"""
ABSENT = ("IPython", "PIL", "click", "matplotlib", "mnist1d", "papermill", "rich", "sklearn", "yaml")


def without_the_book(code):
    return "-c", WITHOUT.format(absent=ABSENT) + code


def test_the_readmes_lines_measure_a_model_of_torchvision_without_the_book(installed):
    pytest.importorskip("torchvision")
    (lines,) = re.findall(r"```python\n(.*?)```", (repository() / "README.md").read_text(), re.DOTALL)
    code = [line for line in lines.splitlines() if line]
    assert len(code) <= 6
    absent = tuple(name for name in ABSENT if name != "PIL")  # which torchvision itself needs
    done = installed[1](program=("-c", WITHOUT.format(absent=absent) + lines))
    assert done.returncode == 0, done.stderr
    whole, layer = re.findall(r"tensor\(([\d.]+)", done.stdout)
    assert 0 < float(whole) <= 32
    assert 0 < float(layer) <= 32


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_of_the_library_can_be_imported_without_the_book(installed, room):
    done = installed[1](program=without_the_book(EVERY_MODULE.format(room=room)))
    assert done.returncode == 0, done.stderr


def test_training_needs_no_book_in_a_terminal_either(installed):
    done = installed[1](program=without_the_book(TRAINED))
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr


def test_the_command_says_what_to_install(installed):
    code = "from genbook.__main__ import main; main()"
    done = installed[1](program=without_the_book(code))
    said = "genbook: the command needs click, which comes with the book: pip install 'genbook[book]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
