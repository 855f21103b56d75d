"""A figure in which the reader chooses how strongly examples share a feature, and how many there are."""

from __future__ import annotations

import numpy as np

from genbook import figures
from genbook.figures.moving import Live, Slider
from genbook.figures.stills import still
from genbook.studies.coherence.two_data_sets import theory

STRENGTHS = tuple(round(0.1 * k, 1) for k in range(21))
SIZES = tuple(range(1, 13))
STEPS = tuple(range(61))
#: What it shows at first: the data set L.
STRENGTH, SIZE, STEP = 1.0, 4, 60


def toy(learning_rate: float) -> Live:
    """Weights, gradients and outputs of m examples that share a feature of strength s, by the closed forms."""
    return Live(
        "toy",
        ("d3.js", "plots.js", "toy.js"),
        still(_first(learning_rate)),
        [
            Slider("strength", "strength of the shared feature", STRENGTHS, [f"{s:g}" for s in STRENGTHS], 10),
            Slider("examples", "number of examples", SIZES, [str(m) for m in SIZES], SIZES.index(SIZE)),
            Slider("step", "after", STEPS, [f"{step} step{'' if step == 1 else 's'}" for step in STEPS]),
        ],
        toy_in_words(STRENGTH, SIZE, STEP, learning_rate),
        {"strengths": STRENGTHS, "sizes": SIZES, "steps": STEPS, "rate": learning_rate},
        numbers=True,
    )


def toy_in_words(s: float, m: int, step: int, learning_rate: float) -> str:
    """What is seen; `toy.js` says the same."""
    output = float(theory.training_output(step, m, s, learning_rate))
    return (
        f"m-coherence is {float(theory.coherence(m, s)):.2f} of {m}. After {step} step{'' if step == 1 else 's'} the "
        f"training examples get {output:.2f} of their label and the new one "
        f"{float(theory.shared_part(m, s)) * output:.2f}."
    )


def _first(learning_rate: float):
    """The weights and the course of the outputs on L."""
    figure, (left, right) = figures.subplots(1, 2, height=3.0)
    output = float(theory.training_output(STEP, SIZE, STRENGTH, learning_rate))
    own = output / (1 + SIZE * STRENGTH**2)
    left.bar(range(SIZE), [own] * SIZE, color=figures.COLORS["train"])
    left.bar([SIZE + 0.5], [SIZE * STRENGTH * own], color=figures.COLORS["real"])
    left.set_xticks([(SIZE - 1) / 2, SIZE + 0.5], ["own features", "shared"])
    left.set(ylabel="weight", ylim=(0, 1.05))
    steps = np.array(STEPS)
    for quantity, shade, line, words in (
        ("train output", "train", figures.LINES["train"], "training examples"),
        ("test output", "test", "-", "new example"),
    ):
        course = theory.expected(quantity, steps, SIZE, STRENGTH, learning_rate)
        right.plot(steps, course, color=figures.COLORS[shade], linestyle=line)
        right.text(STEP, course[-1] + 0.03, words, ha="right", color=figures.style.legible(shade), fontsize=11)
    right.set(xlabel="steps", ylabel="output times label", ylim=(0, 1.12))
    return figure
