import json
import subprocess
import sys
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from genbook.base.spec import ParameterError, Spec, nearest, parameter, read_value


class Toy(Spec):
    steps: int = parameter(10, "length of the training", "steps", ge=1)
    rate: float = parameter(0.1, "step size", gt=0, le=10)
    levels: tuple[Annotated[float, Field(ge=0, le=1)], ...] = parameter((0.0, 1.0), "shares", min_length=1)
    kind: Literal["a", "b"] = parameter("a", "which")


def test_equal_specs_have_one_digest_whatever_the_order_and_the_container():
    assert Toy.build(steps=3, levels=[0, 0.5]).digest() == Toy.build(levels=(0.0, 0.5), steps=3).digest()


@given(st.integers(1, 10**6), st.floats(0.001, 10), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_every_parameter_enters_the_digest(steps, rate, levels):
    spec = Toy.build(steps=steps, rate=rate, levels=levels)
    assert Toy(**{**json.loads(spec.canonical()), "levels": tuple(levels)}) == spec
    for change in ({"steps": steps + 1}, {"rate": rate / 2}, {"levels": [*levels, 0.5]}, {"kind": "b"}):
        assert Toy.build(**{**spec.model_dump(), **change}).digest() != spec.digest()


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"step": 3}, ["unknown parameter 'step'", "did you mean 'steps'", "steps, rate, levels, kind"]),
        ({"steps": 0}, ["steps = 0", ">= 1", "length of the training"]),
        ({"steps": 2.5}, ["steps = 2.5", "int"]),
        ({"steps": True}, ["steps = True", "int"]),
        ({"rate": "1e-3"}, ["rate = '1e-3'", "float"]),
        ({"rate": float("nan")}, ["rate = nan", "finite"]),
        ({"levels": [0.5, 2.0]}, ["levels", "less than or equal to 1"]),
        ({"levels": []}, ["levels", "at least 1"]),
        ({"cls": 1}, ["unknown parameter 'cls'"]),
        ({"values": 1}, ["unknown parameter 'values'"]),
        ({"kind": "c"}, ["kind = 'c'", "'a' or 'b'"]),
    ],
)
def test_a_mistake_is_told_in_one_message_that_names_what_would_be_right(given_, words):
    with pytest.raises(ParameterError) as caught:
        Toy.build(**given_)
    for word in words:
        assert word in str(caught.value)


def test_described_gives_type_bounds_default_meaning_and_unit():
    rows = {row["name"]: row for row in Toy.described()}
    assert rows["steps"] == {
        "name": "steps",
        "type": "int",
        "bounds": ">= 1",
        "default": 10,
        "meaning": "length of the training",
        "unit": "steps",
    }
    assert rows["rate"]["bounds"] == "> 0, <= 10"
    assert rows["levels"]["type"] == "list of float"
    assert rows["levels"]["bounds"] == "at least 1 entries, each >= 0, each <= 1"
    assert rows["kind"]["type"] == "one of: a, b"


def test_changed_names_only_what_differs():
    assert Toy.build(steps=3, levels=[0.0, 1.0]).changed() == {"steps": 3}
    assert Toy.build(steps=3).changed(Toy.build(steps=3, kind="b")) == {"kind": "a"}


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("5", int, 5),
        ("1e-3", float, 0.001),
        (".5", float, 0.5),
        ("5", str, "5"),
        ("true", bool, True),
        ("[0, 0.5]", tuple[float, ...], [0, 0.5]),
        ("0,0.5", tuple[float, ...], [0, 0.5]),
        ("a", Literal["a", "b"], "a"),
        ("none", float | None, None),
        ("high", float, "high"),
        ("-.5e+2", float, -50.0),
        ("+3.", float, 3.0),
        ("1_000", float, "1_000"),
        ("٣", float, "٣"),
        ("inf", float, "inf"),
    ],
)
def test_text_from_the_command_line_becomes_a_value(text, annotation, value):
    assert read_value(text, annotation) == value


def test_nearest_without_a_near_name_still_lists_the_valid_ones():
    assert nearest("zzz", ["alpha", "beta"], "study") == "unknown study 'zzz': valid: alpha, beta"


def test_listing_studies_and_their_parameters_imports_no_torch():
    code = (
        "import sys, genbook.cli, genbook.book.execute, genbook.results\n"
        "from genbook import studies\n"
        "[study.spec.described() for study in map(studies.get, studies.names())]\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
