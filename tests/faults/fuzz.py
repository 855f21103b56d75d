"""Parameter sets drawn at random, sensible and senseless: refused in one message, or taken as they were given."""

import json
import math
import random
import signal
import typing

from genbook import studies
from genbook.base.errors import ForeseenError
from genbook.base.spec import read_value
from genbook.contract import specs
from genbook.contract.errors import CheckError
from genbook.results.requests import Request
from tests.faults.report import Figures

#: Values that no parameter has, or that only look like one.
SENSELESS = (
    None, True, False, "", " ", "nan", "1", "0x10", "1e400", "²", "٠.١", "'; rm -rf /", "\0", "a" * 10_000, [], [[]],
    {}, {"a": 1}, [None], [[1]], math.nan, math.inf, -math.inf, 0, -1, 10**30, -(10**30), 1e308, 5e-324, 0.1, (),
    [1, "1"],
)  # fmt: skip
NAMES = (
    "",
    "seeds_",
    "self",
    "cls",
    "spec",
    "__class__",
    "model_fields",
    "profile",
    "device",
    "dataset",
    "a.b",
    "a__b",
)
#: Seconds that a set may take until it counts as one that hangs.
PATIENCE = 20


def parameters(sets, names=None):
    """As many sets of parameters for each study's spec."""
    figures = Figures("parameter sets drawn at random, all studies")
    before = signal.signal(signal.SIGALRM, _hangs)
    try:
        with figures.timed():
            for name in names or studies.names():
                study = studies.get(name)
                for number in range(sets):
                    _one_set(figures, study, random.Random(f"{name} {number}"))
    finally:
        signal.signal(signal.SIGALRM, before)
    return figures


def _hangs(number, frame):
    raise TimeoutError(f"more than {PATIENCE} s")


def _one_set(figures, study, draw):
    given = _drawn(study, draw)
    profile = draw.choice(list(study.profiles))
    signal.alarm(PATIENCE)
    try:
        request = Request.build(study, profile, {**given, "seeds": 1})
        wrong = _astray(study, profile, given, request.discovery.spec)
        figures.count(not wrong, bool(wrong), f"{study.name} {given}: {wrong}")
    except ForeseenError as error:
        figures.count(bool(str(error)), False, f"{study.name} {str(given)[:200]}: {str(error)[:200]}")
    except (Exception, CheckError) as error:
        figures.count(False, False, f"{study.name} {str(given)[:300]}: {error!r}")
    finally:
        signal.alarm(0)


def _drawn(study, draw):
    """A few parameters: near the default, at bounds, of another type or name, or as a command reads them."""
    fields = study.spec.model_fields
    numbers = [field.default for field in fields.values() if type(field.default) in (int, float)]
    given = {}
    for name in draw.sample(list(fields), draw.randint(1, min(4, len(fields)))):
        kind = draw.random()
        if kind < 0.7:
            value = specs._drawn(fields[name], numbers, _Numpy(draw))
            given[name] = value if kind < 0.5 else _read(json.dumps(value), fields[name].annotation, value)
        else:
            given[name] = draw.choice(SENSELESS)
    if draw.random() < 0.05:
        given[draw.choice(NAMES)] = draw.choice(SENSELESS)
    return given


def _read(text, annotation, value):
    """As the command line reads it: never another value than was written."""
    read = read_value(text, annotation)
    if json.dumps(read) != json.dumps(value) and not (isinstance(value, str) or float(read) == float(value)):
        raise AssertionError(f"{text} is read as {read!r}")
    return read


class _Numpy:
    """What the contract's generator asks of NumPy's, from Python's own."""

    def __init__(self, draw):
        self._draw = draw

    def random(self):
        return self._draw.random()

    def uniform(self, low, high):
        return self._draw.uniform(low, high)

    def integers(self, low, high=None):
        return self._draw.randrange(low) if high is None else self._draw.randrange(low, high)

    def choice(self, values):
        return self._draw.choice(list(values))


def _astray(study, profile, given, spec):
    """What the spec has that neither the set, nor the profile, nor a default has said; '' where nothing."""
    said = {name: field.default for name, field in study.spec.model_fields.items()}
    said |= dict(study.profile(profile).parameters) | given
    for name, value in said.items():
        taken = getattr(spec, name)
        if _plain(taken) != _plain(value):
            return f"{name} = {taken!r}, not {value!r}"
    return ""


def _plain(value: typing.Any):
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if type(value) is int and abs(value) > 2**53:
        return float(value)  # where a float is asked for it is the nearest one, and no other is to be had
    return value
