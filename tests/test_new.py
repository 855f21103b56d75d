"""``genbook new``: what it writes is a study that keeps its promises, and it writes nothing where it is refused."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml

from genbook.base.files import repository
from genbook.book.new import _filled
from genbook.results.chapters import chapters, entry

ROOT = repository()
COPIED = ("src", "tests", "notebooks", "book", "pyproject.toml", "_config.yml")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of this checkout, and a function that runs its own code in it."""
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("_build", "__pycache__", ".genbook")
    for name in COPIED:
        source = ROOT / name
        shutil.copytree(source, root / name, ignore=ignored) if source.is_dir() else shutil.copy(source, root)
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "GENBOOK_STORE": str(root / "store")}

    def run(*words):
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)

    return root, run


def files(root):
    return {path: path.read_bytes() for part in COPIED[:4] for path in (root / part).rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Label-Noise"], "want lower-case letters"),
        (["two__words"], "want lower-case letters"),
        (["random_labels"], "is there already"),
        (["label_noise", "--chapter", "99"], "or by number: 01"),
    ],
)
def test_what_cannot_be_a_new_study_is_refused_and_nothing_is_written(checkout, words, said):
    root, run = checkout
    before = files(root)
    done = run("genbook", "new", *words)
    assert done.returncode == 2
    assert said in done.stderr
    changed = {path for path, content in files(root).items() if before.get(path) != content}
    assert {path for path in changed if "__pycache__" not in path.parts} == set()


@pytest.mark.parametrize("part", sorted({entry(name).part for name in chapters()}))
@pytest.mark.parametrize("template", ["study.py", "design.py", "claims.py", "test.py"])
def test_imports_are_in_order_whatever_the_part_is_called(part, template):
    words = {"name": "label_noise", "Name": "LabelNoise", "id": "label-noise", "part": part, "title": "Noise"}
    # The modules of a study that is not there are nobody's to ruff, which looks for them.
    own = 'lint.isort.known-first-party = ["genbook"]'
    words_of_ruff = ["check", "--select=I", "--no-cache", "--stdin-filename=it.py", "--config"]
    command = [sys.executable, "-m", "ruff", *words_of_ruff, own, "-"]
    text = _filled(template, words)
    done = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_new_study_keeps_every_promise_passes_its_test_and_stands_in_its_chapter(checkout):
    root, run = checkout
    chapters = (root / "book" / "chapters.yml").read_text()
    done = run("genbook", "new", "label_noise", "--chapter", "01", "--title", "Noise in labels")
    assert done.returncode == 0, done.stderr
    assert "claims label_noise --blind" in done.stderr  # nobody sees a replication before the settings stand
    written = {path.removeprefix(f"{root}/") for path in done.stdout.split()}
    folder = "src/genbook/studies/coherence/label_noise"
    assert written == {
        *(f"{folder}/{name}.py" for name in ("__init__", "claims", "design", "study")),
        "tests/studies/test_label_noise.py",
        "notebooks/01_two_data_sets_one_difference.ipynb",
        "book/chapters.yml",
    }

    before, after = (yaml.safe_load(text) for text in (chapters, (root / "book" / "chapters.yml").read_text()))
    (entry,) = [new for old, new in zip(before, after, strict=True) if old != new]
    assert entry["name"] == "01_two_data_sets_one_difference"
    assert entry["studies"][-1] == "label_noise"
    assert (root / "book" / "chapters.yml").read_text().startswith(chapters.splitlines()[0])

    cells = nbformat.read(root / "notebooks" / "01_two_data_sets_one_difference.ipynb", as_version=4).cells
    nbformat.validate(nbformat.read(root / "notebooks" / "01_two_data_sets_one_difference.ipynb", as_version=4))
    place = [cell.id for cell in cells].index("label-noise")
    assert cells[place].source.startswith("## Noise in labels")
    assert cells[place + 5].source.startswith("## All verdicts")
    assert 'chapter.parameters("label_noise")' in cells[-1].source

    style = run("ruff", "check", "--no-cache", ".")
    assert style.returncode == 0, style.stdout
    assert run("ruff", "format", "--check", "--no-cache", folder, "tests/studies/test_label_noise.py").returncode == 0
    promises = run("genbook", "check", "label_noise")
    assert promises.returncode == 0, promises.stdout
    tested = run("pytest", "-q", "-p", "no:cacheprovider", "tests/studies/test_label_noise.py")
    assert tested.returncode == 0, tested.stdout
    executed = run("genbook", "run", "01", "--profile", "smoke", "--quiet", "--out", str(root / "out.ipynb"))
    assert executed.returncode == 0, executed.stderr
    assert "fig-label-noise" in (root / "out.ipynb").read_text()
