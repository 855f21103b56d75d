"""The examples in the docstrings run, and come out as they say."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import genbook

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(genbook.__path__, "genbook.")
    if not module.name.startswith(("genbook.studies.", "genbook.__main__"))
)
SHOWN = ("gradients", "gradients.robust", "models", "curvature", "data", "training")


def examples(name):
    """The examples of a module that it has itself, not by re-exporting a name."""
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    return [test for test in found if test.examples]


def test_what_shows_a_room_to_its_users_has_examples():
    assert {f"genbook.{name}" for name in SHOWN} <= {name for name in MODULES if examples(name)}


@pytest.mark.parametrize("name", [name for name in MODULES if examples(name)])
def test_the_examples_run(name):
    torch.manual_seed(0)
    for test in examples(name):
        said = []
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
        assert not said, "".join(said)
