import textwrap

import pytest

from genbook import syntax


def code(text):
    return textwrap.dedent(text)


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
    assert syntax.normalised(same) == syntax.normalised(BASE)


@pytest.mark.parametrize("other", [BASE.replace("0.1", "0.2"), BASE.replace("RATE * x", "x * RATE")])
def test_code_counts(other):
    assert syntax.normalised(other) != syntax.normalised(BASE)


def test_a_string_that_is_no_docstring_counts():
    assert syntax.normalised("x = 1\n'a'") != syntax.normalised("x = 1\n'b'")


def test_a_function_of_a_docstring_alone_stays_a_function():
    compile(syntax.normalised('def f():\n    """Only this."""'), "f", "exec")


@pytest.fixture
def package(tmp_path, monkeypatch):
    files = {
        "__init__.py": "",
        "a.py": "from genbook.b import g\n",
        "b.py": "def g():\n    from genbook import c\n    return c.X\n",
        "c.py": "X = 1\n",
        "alone.py": "Y = 1\n",
        "sub/__init__.py": "from .inner import Z\n",
        "sub/inner.py": "from ..c import X\nZ = X\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(syntax, "__file__", str(tmp_path / "syntax.py"))
    caches = (syntax.source_of, syntax._imported)  # by name of the module, which is another's here
    for function in caches:
        function.cache_clear()
    yield tmp_path
    for function in caches:
        function.cache_clear()


def test_modules_used_follows_imports_nested_in_functions_and_relative_ones(package):
    assert syntax.modules_used("genbook.a") == ["genbook", "genbook.a", "genbook.b", "genbook.c"]
    assert syntax.modules_used("genbook.sub") == ["genbook.c", "genbook.sub", "genbook.sub.inner"]


def test_a_changed_constant_in_a_used_module_changes_the_hash_and_in_an_unused_one_does_not(package):
    before = syntax.code_hash("genbook.a")
    (package / "alone.py").write_text("Y = 2\n")
    (package / "c.py").write_text("X = 1  # one\n")
    assert syntax.code_hash("genbook.a") == before
    (package / "c.py").write_text("X = 2\n")
    assert syntax.code_hash("genbook.a") != before


def test_the_study_depends_on_the_engine_and_not_on_claims_or_figures():
    used = syntax.modules_used("genbook.studies.random_labels.run")
    assert {"genbook.studies.random_labels.spec", "genbook.models.networks", "genbook.data.splits"} <= set(used)
    assert not {name for name in used if "claims" in name or "figures" in name or "results" in name}
