"""Figures of single images that answer the hand: each with its label, and with what the network says of it by then."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from genbook.figures.moving import Live, Slider
from genbook.studies.noise.changing_answers import claims
from genbook.studies.noise.changing_answers.run import images_of
from genbook.studies.noise.changing_answers.spec import ANSWER, GIVEN, TRUE, ChangingAnswersSpec
from genbook.tables import tidy

#: Drawn by, in `book/assets/moving/`.
SCRIPTS = ("answers.js",)
#: An image's width on the page, in pixels.
_SIZE = 44
_INK = 0x22


@dataclass(frozen=True)
class Told:
    """What one seed's networks say of its first examples: what the figures show.

    ``images`` [n, h, w]; ``true`` [n]; ``given`` [levels, n]; ``answers`` [levels, steps, n]; ``train`` and ``test``
    [levels, steps]: accuracies on all training labels as given and on new images.
    """

    images: np.ndarray
    true: np.ndarray
    given: np.ndarray
    answers: np.ndarray
    train: np.ndarray
    test: np.ndarray
    levels: tuple[float, ...]
    steps: tuple[int, ...]

    @classmethod
    def of(cls, table: pd.DataFrame, spec: ChangingAnswersSpec, seed: int) -> Told:
        """Read one seed off the study's table."""
        mine = table[table["seed"] == seed]
        levels, places = sorted(mine["noise"].unique()), [str(k) for k in range(spec.watched)]
        steps = sorted(tidy.select(mine, quantity=ANSWER)["step"].unique())

        def labels(which: str) -> np.ndarray:
            found = tidy.select(mine, quantity=which).pivot_table(index="noise", columns="group", values="value")
            return found.loc[levels, places].to_numpy(int)

        def accuracy(which: str) -> np.ndarray:
            found = tidy.select(mine, quantity=f"{which} accuracy", group="all")
            return found.pivot_table(index="noise", columns="step", values="value").loc[levels, steps].to_numpy()

        said = claims.answers(mine).loc[seed]
        answers = np.stack([said.loc[level].loc[places, steps].to_numpy().T for level in levels])
        true, given = labels(TRUE)[0], labels(GIVEN)
        images = images_of(spec, seed)
        return cls(
            images, true, given, answers, accuracy("train"), accuracy("test"), tuple(levels), tuple(map(int, steps))
        )


def kind(answer: int, given: int, true: int) -> str:
    """What an answer is: 'is-true' (the true label, whatever was given), 'is-given' (a wrong one), or 'is-other'."""
    return "is-true" if answer == true else "is-given" if answer == given else "is-other"


def twenty(told: Told, count: int = 20) -> Live:
    """The first images of a training set; the reader chooses how many labels are drawn at random, and when to stop."""
    levels, steps = len(told.levels) - 1, len(told.steps) - 1
    n = min(count, len(told.true))
    data = {
        **_stored(told, range(n)),
        "given": ["".join(map(str, row[:n])) for row in told.given],
        "answers": [["".join(map(str, row[:n])) for row in level] for level in told.answers],
        "train": told.train.round(4).tolist(),
        "test": told.test.round(4).tolist(),
    }
    tiles = [
        _tile(told.images[k], told.given[levels, k], told.true[k], told.answers[levels, steps, k]) for k in range(n)
    ]
    bars = "".join(
        f'<div class="meter"><span>{words}</span><span class="bar"><span class="{name}" style="width: {value:.1%}">'
        f'</span></span><span class="value">{value:.0%}</span></div>'
        for name, words, value in (
            ("train", "training labels given back", told.train[levels, steps]),
            ("test", "new images right", told.test[levels, steps]),
        )
    )
    return Live(
        "twenty",
        SCRIPTS,
        f'<div class="digits">{"".join(tiles)}</div><div class="meters">{bars}</div>',
        [
            Slider("noise", "labels drawn at random", told.levels, [f"{level:.0%}" for level in told.levels]),
            Slider("step", "stop after", told.steps, [_steps(step) for step in told.steps]),
        ],
        twenty_in_words(told, levels, steps, n),
        data,
        numbers=True,
    )


def twenty_in_words(told: Told, level: int, step: int, count: int) -> str:
    """What is seen at a place of both sliders; `answers.js` says the same."""
    given, true, said = told.given[level, :count], told.true[:count], told.answers[level, step, :count]
    wrong = given != true
    shown = (
        f"After {_steps(told.steps[step])} the network gives back {told.train[level, step]:.0%} of the labels that it "
        f"was shown, and is right on {told.test[level, step]:.0%} of new images."
    )
    if not wrong.any():
        return f"{shown} All of these labels are right."
    back, true_ones = (wrong & (said == given)).sum(), (wrong & (said == true)).sum()
    return (
        f"{shown} Of these {count} labels {wrong.sum()} are wrong: for {back} of them it gives the wrong label back, "
        f"for {true_ones} the true one."
    )


def mislabelled(told: Told, level: int = 1, count: int = 10) -> Live:
    """Mislabelled images at one level of noise: the answers at a step, and under each image its whole course."""
    wrong = np.flatnonzero(told.given[level] != told.true)[:count]
    start = telling_step(told, level)
    tiles = []
    for k in wrong:
        course = [kind(answer, told.given[level, k], told.true[k]) for answer in told.answers[level, :, k]]
        tiles.append(
            _tile(
                told.images[k],
                told.given[level, k],
                told.true[k],
                told.answers[level, start, k],
                _ribbon(course, start),
            )
        )
    data = {
        **_stored(told, wrong),
        "given": "".join(map(str, told.given[level, wrong])),
        "answers": ["".join(map(str, row[wrong])) for row in told.answers[level]],
    }
    key = "".join(
        f'<span class="answer {name}">{words}</span>'
        for name, words in (("is-true", "the true label"), ("is-given", "the label given"), ("is-other", "another"))
    )
    return Live(
        "mislabelled",
        SCRIPTS,
        f'<div class="digits">{"".join(tiles)}</div><p class="key">The network says {key}</p>',
        [Slider("step", "after", told.steps, [_steps(step) for step in told.steps], start)],
        mislabelled_in_words(told, level, start, count),
        data,
        numbers=True,
    )


def telling_step(told: Told, level: int) -> int:
    """The measured step at which most mislabelled examples are given their true label: its place."""
    wrong = told.given[level] != told.true
    return int((told.answers[level][:, wrong] == told.true[wrong]).sum(1).argmax())


def mislabelled_in_words(told: Told, level: int, step: int, count: int = 10) -> str:
    """What is seen at a place of the slider; `answers.js` says the same."""
    wrong = np.flatnonzero(told.given[level] != told.true)[:count]
    said, given, true = told.answers[level, step, wrong], told.given[level, wrong], told.true[wrong]
    return (
        f"After {_steps(told.steps[step])}: of {len(wrong)} mislabelled images the network gives "
        f"{(said == true).sum()} their true label, {(said == given).sum()} the wrong one that it was shown, and "
        f"{((said != true) & (said != given)).sum()} another."
    )


def _stored(told: Told, which) -> dict[str, object]:
    return {"steps": list(told.steps), "true": "".join(str(told.true[k]) for k in which)}


def _steps(step: int) -> str:
    return f"{step:,} step" + ("" if step == 1 else "s")


def _tile(image: np.ndarray, given: int, true: int, answer: int, more: str = "") -> str:
    marked = " wrong" if given != true else ""
    return (
        f'<div class="digit"><img class="ink" alt="" width="{_SIZE}" height="{_SIZE}" src="{_png(image)}">'
        f'<span class="label{marked}">labelled {given}</span>'
        f'<span class="answer {kind(answer, given, true)}">says {answer}</span>{more}</div>'
    )


def _ribbon(course: list[str], at: int) -> str:
    """An example's answers along training, a field for each measured step, and a mark at one of them."""
    fields = "".join(f'<rect class="{name}" x="{k}" y="0" width="1.05" height="6"/>' for k, name in enumerate(course))
    mark = f'<rect class="mark" x="{at + 0.2}" y="6.6" width="0.6" height="1.8"/>'
    return f'<svg class="course" viewBox="0 0 {len(course)} 8.4" preserveAspectRatio="none">{fields}{mark}</svg>'


def _png(image: np.ndarray) -> str:
    """An image of values in [0, 1] as ink on whatever lies below it."""
    from PIL import Image

    ink = (255 * image).round().astype(np.uint8)
    stacked = np.stack([np.full_like(ink, _INK), ink], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(stacked, "LA").save(buffer, format="png", optimize=True)
    return escape(f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}")
