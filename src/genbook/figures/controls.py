"""What a reader moves a figure with: native inputs with their labels, and the same as parameters of a specification.

Each has a ``name``. On the page its input bears it as ``data-name``, and `book/assets/moving.js` hands its value to the
drawing; in a specification (`genbook.figures.moving.Panel`) it is a parameter of that name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Slider:
    """A slider over ``values`` in their order, which are told in ``words``; it begins at the place ``start``.

    The input's value is the place in the list. In a specification ``NAME_index`` is that, ``NAME`` the value there.
    """

    name: str
    label: str
    values: Sequence[float]
    words: Sequence[str]
    start: int = -1

    def __post_init__(self) -> None:
        """Refuse values without words."""
        if len(self.values) != len(self.words) or not len(self.values):
            raise ValueError(f"slider {self.name}: {len(self.values)} values and {len(self.words)} words for them")

    @property
    def choices(self) -> int:
        """How many."""
        return len(self.values)

    @property
    def place(self) -> int:
        """Where it begins, counted from the front."""
        return range(len(self.values))[self.start]

    def at(self, value: float) -> dict[str, Any]:
        """The state of its input at what comes nearest to a value; of two equally near the first."""
        return {f"{self.name}_index": min(range(len(self.values)), key=lambda k: abs(self.values[k] - value))}

    def parameters(self, bound: bool) -> list[dict[str, Any]]:
        """Of a Vega-Lite specification; ``bound``: with an input that Vega itself makes."""
        index: dict[str, Any] = {"name": f"{self.name}_index", "value": self.place}
        if bound:
            index["bind"] = {"input": "range", "min": 0, "max": len(self.values) - 1, "step": 1, "name": self.label}
        return [index, {"name": self.name, "expr": f"{json.dumps(list(self.values))}[{self.name}_index]"}]

    def html(self, prefix: str) -> str:
        """The input with its label and what it stands at."""
        at, words = f"{prefix}-{self.name}", self.words[self.place]
        attributes = {
            "id": at,
            "type": "range",
            "min": 0,
            "max": len(self.values) - 1,
            "step": 1,
            "value": self.place,
            "data-name": f"{self.name}_index",
            "data-words": json.dumps(list(self.words), ensure_ascii=False),
            "aria-valuetext": words,
        }
        told = f'<output for="{at}">{escape(words)}</output>'
        return f'<div class="control"><label for="{at}">{escape(self.label)}</label>{_input(attributes)}{told}</div>'


@dataclass(frozen=True)
class Choice:
    """One of several, by radio buttons: ``options`` from value to words. In a specification ``NAME`` is the value."""

    name: str
    label: str
    options: Mapping[str, str]
    start: str = ""

    @property
    def choices(self) -> int:
        """How many."""
        return len(self.options)

    @property
    def first(self) -> str:
        """What is chosen at the beginning."""
        return self.start or next(iter(self.options))

    def at(self, value: str) -> dict[str, Any]:
        """The state of its inputs at an option; raises `ValueError` where that is none."""
        if value not in self.options:
            raise ValueError(f"choice {self.name}: {value!r} is none of {', '.join(self.options)}")
        return {self.name: value}

    def parameters(self, bound: bool) -> list[dict[str, Any]]:
        """Of a Vega-Lite specification; ``bound``: with an input that Vega itself makes."""
        parameter: dict[str, Any] = {"name": self.name, "value": self.first}
        if bound:
            named = {"options": list(self.options), "labels": list(self.options.values())}
            parameter["bind"] = {"input": "radio", "name": self.label, **named}
        return [parameter]

    def html(self, prefix: str) -> str:
        """A group of radio buttons."""
        inputs = [
            _labelled(
                {"type": "radio", "name": f"{prefix}-{self.name}", "value": value, "data-name": self.name}
                | ({"checked": ""} if value == self.first else {}),
                words,
            )
            for value, words in self.options.items()
        ]
        return f'<fieldset class="control"><legend>{escape(self.label)}</legend>{"".join(inputs)}</fieldset>'


@dataclass(frozen=True)
class Ticks:
    """Any of several but not none, by check boxes; at the beginning all, or ``start``.

    In a specification ``NAME_0``, ``NAME_1``, ... are true or false, and `has` says whether a datum is among them.
    """

    name: str
    label: str
    options: Mapping[Hashable, str]
    start: Sequence[Hashable] | None = None

    @property
    def choices(self) -> int:
        """How many."""
        return len(self.options)

    def has(self, field: str) -> str:
        """An expression: whether what stands in ``datum.FIELD`` is ticked."""
        ticked = ", ".join(f"{self.name}_{k}" for k in range(len(self.options)))
        return f"[{ticked}][indexof({json.dumps(list(self.options))}, datum['{field}'])]"

    def at(self, values: Collection[Hashable]) -> dict[str, Any]:
        """The state of its inputs where these are ticked."""
        return {f"{self.name}_{k}": value in values for k, value in enumerate(self.options)}

    def parameters(self, bound: bool) -> list[dict[str, Any]]:
        """Of a Vega-Lite specification; ``bound``: with inputs that Vega itself makes."""
        found = []
        for k, (value, words) in enumerate(self.options.items()):
            parameter: dict[str, Any] = {"name": f"{self.name}_{k}", "value": self._begins(value)}
            found.append(parameter | ({"bind": {"input": "checkbox", "name": words}} if bound else {}))
        return found

    def html(self, prefix: str) -> str:
        """A group of check boxes of which one stays."""
        inputs = [
            _labelled(
                {"type": "checkbox", "data-name": f"{self.name}_{k}"}
                | ({"checked": ""} if self._begins(value) else {}),
                words,
            )
            for k, (value, words) in enumerate(self.options.items())
        ]
        head = f'<fieldset class="control" data-one-stays><legend>{escape(self.label)}</legend>'
        return f"{head}{''.join(inputs)}</fieldset>"

    def _begins(self, value: Hashable) -> bool:
        return self.start is None or value in self.start


Control = Slider | Choice | Ticks


def group(controls: Sequence[Control], prefix: str, label: str) -> str:
    """All controls of a figure, not to be used before its script has come (`genbook.controls` frees them)."""
    # one that leaves no choice would only look like one
    inner = "".join(control.html(prefix) for control in controls if control.choices > 1)
    if not inner:
        return ""
    return f'<fieldset class="controls" aria-label="{escape(label)}" disabled>{inner}</fieldset>'


def link(figure: str, words: str, *places: tuple[Control, Any]) -> str:
    """Words for a text (`genbook.results.chapter.Chapter.say`) that set a figure, plain ones where no script comes.

    ``places``: controls and what they are set to, a slider to what comes nearest:
    ``link("fig-noise-move", "half of them", (anew, 0.5))``. A control that leaves no choice is left out.
    """
    state = {name: value for control, place in places if control.choices > 1 for name, value in _at(control, place)}
    return f'<span class="sets" data-figure="{figure}" data-state="{escape(json.dumps(state))}">{escape(words)}</span>'


def task(figure: str, *places: tuple[Control, Collection[Any]]) -> str:
    """A button for a text by which readers learn whether they have set a figure's controls rightly.

    ``places``: controls and the values of each, read off the data, that are right; no button where none is.
    """
    if not all(values for _, values in places):
        return ""
    right: dict[str, list[Any]] = {}
    for control, values in places:
        for value in values:
            for name, at in _at(control, value):
                right.setdefault(name, []).append(at)
    return f'<span class="task" data-figure="{figure}" data-right="{escape(json.dumps(right))}" hidden></span>'


def _at(control: Control, value: Any) -> Iterable[tuple[str, Any]]:
    return control.at(value).items()


def _labelled(attributes: Mapping[str, Any], words: str) -> str:
    return f"<label>{_input(attributes)} {escape(words)}</label>"


def _input(attributes: Mapping[str, Any]) -> str:
    return "<input " + " ".join(f'{name}="{escape(str(value))}"' for name, value in attributes.items()) + ">"
