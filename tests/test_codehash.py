import re
import textwrap

import pytest

from genbook import studies
from genbook.tables import codehash, sources


def code(text):
    return textwrap.dedent(text)


def normalised(text):
    return sources.read(text).code


BASE = code(
    '''
    """A module."""
    RATE = 0.1

    class Net:
        """A network."""

        def forward(self, x):
            """Apply."""
            return RATE * x  # scale
    '''
)


@pytest.mark.parametrize(
    "same",
    [
        BASE.replace('"""Apply."""', '"""Apply it to x."""'),
        BASE.replace("  # scale", ""),
        BASE.replace('    """A network."""\n\n', ""),
        BASE.replace("RATE * x", "(RATE  *  x)"),
    ],
)
def test_docstrings_comments_and_layout_do_not_count(same):
    assert same != BASE
    assert normalised(same) == normalised(BASE)


@pytest.mark.parametrize("other", [BASE.replace("0.1", "0.2"), BASE.replace("RATE * x", "x * RATE")])
def test_code_counts(other):
    assert normalised(other) != normalised(BASE)


@pytest.mark.parametrize(
    "same",
    [
        BASE.replace("forward(self, x)", "forward(self, x: float) -> float"),
        BASE.replace("return RATE * x", "y: float\n        return RATE * x"),
        BASE.replace("RATE = 0.1", "from typing import Any\nRATE = 0.1"),
        BASE.replace("RATE = 0.1", "if TYPE_CHECKING:\n    import numpy\nRATE = 0.1"),
    ],
)
def test_the_types_of_functions_do_not_count(same):
    assert same != BASE
    assert normalised(same) == normalised(BASE)


def test_a_value_keeps_its_place_without_its_type_and_a_field_keeps_its_type():
    assert normalised("def f():\n    y: int = 1") == normalised("def f():\n    y = 1")
    fields = "class A:\n    x: int = 1\n    def f(self, a: int): ..."
    assert normalised(fields) != normalised(fields.replace("x: int", "x: float"))
    assert normalised(fields) == normalised(fields.replace("a: int", "a: float"))


def test_a_string_that_is_no_docstring_counts():
    assert normalised("x = 1\n'a'") != normalised("x = 1\n'b'")


def test_a_function_of_a_docstring_alone_stays_a_function():
    found = {}
    exec(normalised('def f():\n    """Only this."""'), found)
    assert found["f"]() is None


FILES = {
    "__init__.py": "",
    "a.py": "from genbook.b import g\n",
    "b.py": "def g():\n    from genbook import c\n    return c.X\n",
    "c.py": "X = 1\n",
    "alone.py": "Y = 1\n",
    "sub/__init__.py": "from .inner import Z\nfrom genbook.sub.other import W as V\nOWN = 1\n",
    "sub/inner.py": "from ..c import X\nZ = X\n",
    "sub/other.py": "W = 2\n",
    "named.py": "from genbook.sub import V\n",
    "spaced.py": "from genbook import sub\nprint(sub.Z)\n",
    "whole.py": "from genbook import sub\nprint(vars(sub))\n",
    "own.py": "from genbook.sub import OWN\n",
    "outer/__init__.py": "from genbook.sub import V as U\n",
    "twice.py": "from genbook.outer import U\n",
    "typed.py": "if TYPE_CHECKING:\n    from genbook.c import X\nelse:\n    import genbook.alone\n",
    "watched.py": "from genbook.base.progress import bar\nfrom genbook.c import X\n",
    "base/__init__.py": "",
    "base/progress.py": "from genbook.alone import Y\ndef bar(): pass\n",
}


@pytest.fixture
def package(tmp_path, store, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(codehash, "__file__", str(tmp_path / "tables" / "codehash.py"))
    caches = (codehash.source_of, codehash._faced, codehash.code_hash)  # by name of the module, which is another's here
    for function in caches:
        function.cache_clear()
    yield tmp_path
    for function in caches:
        function.cache_clear()


@pytest.mark.parametrize(
    ("module", "used"),
    [
        ("a", ["a", "b", "c"]),
        ("sub", ["c", "sub", "sub.inner", "sub.other"]),
        ("named", ["named", "sub.other"]),
        ("spaced", ["c", "spaced", "sub.inner"]),
        ("whole", ["c", "sub", "sub.inner", "sub.other", "whole"]),
        ("own", ["c", "own", "sub", "sub.inner", "sub.other"]),
        ("twice", ["sub.other", "twice"]),
        ("typed", ["alone", "typed"]),
        ("watched", ["c", "watched"]),
    ],
)
def test_a_name_leads_to_the_module_that_defines_it(package, module, used):
    assert codehash.modules_used(f"genbook.{module}") == [f"genbook.{name}" for name in used]


def test_a_programs_text_uses_what_its_imports_lead_to(package):
    assert codehash.modules_used_by_code("from genbook.sub import Z\nimport os\n") == ["genbook.c", "genbook.sub.inner"]


def later_hash(root):
    """The hash in a process that begins now: what one has imported stays as it is."""
    codehash._faced.cache_clear()
    codehash.code_hash.cache_clear()
    return codehash.code_hash(root)


def test_a_changed_constant_in_a_used_module_changes_the_hash_and_in_an_unused_one_does_not(package):
    before = later_hash("genbook.a")
    (package / "alone.py").write_text("Y = 2\n")
    (package / "c.py").write_text("X = 1  # one\n")
    assert later_hash("genbook.a") == before
    (package / "c.py").write_text("X = 2\n")
    assert later_hash("genbook.a") != before


def test_what_cannot_change_a_number_outdates_nothing(package):
    before = later_hash("genbook.watched")
    (package / "base/progress.py").write_text("def bar(): return 'another colour'\n")
    assert later_hash("genbook.watched") == before


def test_another_face_that_leads_to_the_same_code_outdates_nothing(package):
    before = later_hash("genbook.named")
    (package / "sub/__init__.py").write_text("from genbook.sub.other import W as V\nfrom genbook.alone import Y\n")
    assert later_hash("genbook.named") == before


def test_a_module_that_is_not_there_is_refused():
    with pytest.raises(ModuleNotFoundError, match=r"genbook\.nowhere is not a module"):
        codehash.code_hash("genbook.nowhere")


def test_modules_that_cannot_change_a_number_exist():
    assert all(codehash.source_of(name) for name in codehash.NEUTRAL)


@pytest.mark.parametrize("name", studies.names())
def test_no_studys_numbers_depend_on_claims_figures_or_results(name):
    module = studies.get(name).module
    used = codehash.modules_used(module)
    assert module in used
    assert not {module for module in used if re.search("claims|figures|results|study$", module)}


def test_the_study_depends_on_the_engine_and_an_option_of_gram_outdates_only_its_callers():
    used = {name: codehash.modules_used(studies.get(name).module) for name in studies.names()}
    needed = {"genbook.experiments.run", "genbook.models.networks", "genbook.data.splits", "genbook.training.wide"}
    assert needed <= set(used["random_labels"])
    calls = {
        name
        for name, modules in used.items()
        if any(
            re.search(r"\bgram\(", codehash.source_of(module).read_text())
            for module in modules
            if ".studies." in module
        )
    }
    assert {name for name, modules in used.items() if "genbook.gradients.gram_matrix" in modules} == calls
    assert 0 < len(calls) < 5
