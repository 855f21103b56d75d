"""What code asks a module of the package for, the module has: in notebooks, too, which nothing imports."""

import ast
import importlib

import nbformat
import pytest

from genbook.base.files import repository

ROOT = repository()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOURCES = sorted(path for folder in ("src/genbook", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def code(path):
    """A notebook's cells as one module, without IPython's own commands."""
    if path.suffix == ".py":
        return path.read_text()
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return "\n".join(line for cell in cells for line in cell.splitlines() if not line.lstrip().startswith(("%", "!")))


def submodule(package, name):
    """The module of that name in a package, None where the name is something else's."""
    try:
        return importlib.import_module(f"{package}.{name}")
    except ModuleNotFoundError:
        return None


def imported(tree):
    """Local name: module, of the package's modules that a file imports by `from … import …` or `import … as …`."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.asname: alias.name for alias in node.names if alias.asname}
            found |= {name: importlib.import_module(of) for name, of in names.items() if of.startswith("genbook")}
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("genbook"):
            found |= {alias.asname or alias.name: submodule(node.module, alias.name) for alias in node.names}
    return {name: module for name, module in found.items() if module}


def bound(tree):
    """Names that a file binds in another way as well: a parameter, a variable, a loop's."""
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    return stored | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def unknown(source):
    """`module.name` for each name that a file asks a module of the package for and that is not there."""
    tree = ast.parse(source)
    modules = {name: module for name, module in imported(tree).items() if name not in bound(tree)}
    asked = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    return sorted(
        f"{node.value.id}.{node.attr}"
        for node in asked
        if node.value.id in modules and not hasattr(modules[node.value.id], node.attr)
    )


@pytest.mark.parametrize("path", NOTEBOOKS + SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_asks_modules_for_names_that_they_have(path):
    assert unknown(code(path)) == []


def test_a_name_that_moved_away_is_found_and_a_parameter_of_the_same_name_is_not():
    source = "from genbook.tables import readings\nreadings.layers(1)\nreadings.no_such(2)\n"
    assert unknown(source) == ["readings.no_such"]
    assert unknown(source + "def f(readings):\n    return readings.other\n") == []
