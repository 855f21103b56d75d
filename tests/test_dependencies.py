"""What is imported, or used in another way, stands in pyproject.toml, and what stands there is used."""

import ast
import importlib.metadata
import json
import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from genbook.base.files import repository

ROOT = repository()
#: By module, the distributions that bring it; read once, for it reads every installed distribution.
BRINGING = importlib.metadata.packages_distributions()

#: What is used without an import of ours: by distribution, how its use looks in the sources.
USED_OTHERWISE = {
    "import-linter": r"\blint-imports\b",  # a command
    "ipykernel": r"kernel_name=\"python3\"",  # the chapters' kernel
    "jupyter-book": r"from jupyter_book\b",  # the program that the build starts
    "jupyterlab": r"\bjupyter lab\b",  # a command
    "mypy": r"\bmypy\b",  # a command
    "nbval": r"--nbval\b",  # a plugin of pytest
    "pyarrow": r"\.(to|read)_parquet\(",  # the engine of pandas
    "pytest-xdist": r"--dist loadscope",  # a plugin of pytest
    "ruff": r"\bruff check\b",  # a command
    "sphinx": r"\"-m\", \"sphinx\"",  # the program of a test
    "tabulate": r"\.to_markdown\(",  # pandas imports it there
}


def sources(*folders):
    """Python of the files and notebooks below the folders given: (path, code)."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).glob("*.ipynb")):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            yield path, "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def imported(code):
    """The top-level names of all modules that Python code imports, wherever in it."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=module, level=0):
                yield module.partition(".")[0]
            case ast.Call(
                func=ast.Attribute(attr="import_module" | "importorskip"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name.partition(".")[0]


def foreign(path, code):
    """The names that ``path`` imports and that are neither Python's own, nor ours, nor a file beside it."""
    beside = {other.stem for other in path.parent.glob("*.py")} if "src" not in path.parts else set()
    return set(imported(code)) - sys.stdlib_module_names - beside - {"genbook", "tests"}


def distributions(name):
    """The distributions that bring the module ``name``, by their canonical names; its own name where it is absent."""
    return {canonicalize_name(found) for found in BRINGING.get(name, [name])}


def named(lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


def undeclared(path, code, declared):
    """What ``path`` needs and ``declared`` does not name, in words."""
    missing = [f"imports {name}" for name in foreign(path, code) if not distributions(name) & declared]
    uses = {name: re.search(pattern, code) for name, pattern in USED_OTHERWISE.items()}
    return missing + [f"uses {name}: {found[0]}" for name, found in uses.items() if found and name not in declared]


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIBRARY = named(PROJECT["dependencies"])
BOOK = LIBRARY | named(PROJECT["optional-dependencies"]["book"])
DECLARED = (BOOK | named(PROJECT["optional-dependencies"]["dev"])) - {"genbook"}
#: What `pip install genbook` alone is for.
ROOMS = ("base", "tables", "models", "gradients", "curvature", "training", "probes")
#: What a room uses only where it is installed.
IF_INSTALLED = {"progress.py": {"rich"}}
PEERS = named(
    line
    for line in (ROOT / "benchmarks" / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
EVERYWHERE = [
    (path, code) for path, code in sources("src", "tests", "notebooks") if path.name != "test_dependencies.py"
]


def declared_for(path):
    """What may be imported there: the library's in its rooms, the book's in the rest of it, all of it in the tests."""
    folder, *rest = path.relative_to(ROOT).parts
    if folder == "src" and rest[1] in ROOMS:
        return LIBRARY | IF_INSTALLED.get(path.name, set())
    return DECLARED if folder == "tests" else BOOK


def test_what_is_imported_or_used_is_declared_for_who_needs_it():
    assert {"src", "tests", "notebooks"} <= {path.relative_to(ROOT).parts[0] for path, _ in EVERYWHERE}
    missing = {str(path.relative_to(ROOT)): undeclared(path, code, declared_for(path)) for path, code in EVERYWHERE}
    assert not {path: words for path, words in missing.items() if words}


def test_the_library_imports_all_that_it_has_installed():
    mine = [(path, code) for path, code in EVERYWHERE if declared_for(path) >= LIBRARY and set(ROOMS) & set(path.parts)]
    used = set().union(*(distributions(name) for path, code in mine for name in foreign(path, code)))
    assert not LIBRARY - used, "no room of the library needs it: it belongs into an extra"


def test_the_extras_share_nothing_and_contain_one_another():
    book, dev = (named(PROJECT["optional-dependencies"][extra]) for extra in ("book", "dev"))
    assert not LIBRARY & book | LIBRARY & dev | book & dev
    assert "genbook[book]" in PROJECT["optional-dependencies"]["dev"]


def test_the_library_sets_no_upper_bound_that_it_does_not_need():
    capped = {Requirement(line).name for line in PROJECT["dependencies"] if "<" in line}
    assert capped == {"pydantic"}
    assert "<" not in PROJECT["requires-python"]


def test_benchmarks_import_what_is_declared_or_a_peer_of_theirs():
    missing = {path.name: undeclared(path, code, DECLARED | PEERS) for path, code in sources("benchmarks")}
    assert missing
    assert not {path: words for path, words in missing.items() if words}


def test_what_is_declared_is_used():
    used = set().union(*(distributions(name) for path, code in EVERYWHERE for name in foreign(path, code)))
    text = "\n".join([(ROOT / "Makefile").read_text(), *(code for _, code in EVERYWHERE)])
    used |= {name for name, pattern in USED_OTHERWISE.items() if re.search(pattern, text)}
    assert not DECLARED - used, "declared, and used by nothing: drop it, or say in USED_OTHERWISE how it is used"
    assert not set(USED_OTHERWISE) - DECLARED


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import yaml.nodes", "imports yaml"),
        ("def f():\n    from PIL import Image", "imports PIL"),
        ("if TYPE_CHECKING:\n    import nowhere_to_be_found as n", "imports nowhere_to_be_found"),
        ("pytest.importorskip('sklearn.svm')", "imports sklearn"),
        ("frame.to_markdown(index=False)", "uses tabulate: .to_markdown("),
    ],
)
def test_what_is_not_declared_is_named(code, said):
    path = ROOT / "src" / "genbook" / "planted.py"
    assert undeclared(path, code, {"numpy"}) == [said]
    assert undeclared(path, code, DECLARED | {"nowhere-to-be-found"}) == []


def test_pythons_own_modules_ours_and_files_beside_need_no_declaration():
    code = "import json, os.path\nfrom genbook import stats\nfrom per_example import flat\nfrom . import sources"
    assert foreign(ROOT / "tests" / "gradients" / "planted.py", code) == set()
    assert foreign(ROOT / "src" / "genbook" / "planted.py", code) == {"per_example"}
