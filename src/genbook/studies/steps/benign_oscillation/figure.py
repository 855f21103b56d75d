"""A figure in which the reader chooses the learning rate and watches the recursion settle, bounce or escape."""

from __future__ import annotations

import numpy as np

from genbook import figures
from genbook.figures.moving import Live, Slider
from genbook.figures.stills import still
from genbook.studies.steps.benign_oscillation import theory

RATES = tuple(round(0.05 + 0.01 * k, 2) for k in range(37))
VISITS = tuple(range(5, 65, 5))
#: Visits over which the weak feature is followed, the output at the first of them, and the rate that is shown first.
LONG, START, RATE = 2000, 0.02, 0.3


def orbit(rate: float, ratio: float, visits: int = LONG) -> tuple[np.ndarray, np.ndarray]:
    """Outputs on ``visits`` visits, [visits + 1], and the logarithm of the weak feature's growth until each."""
    c, outputs = theory.curvature(rate), [START]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(visits):
            outputs.append(float(theory.recursion(np.float64(outputs[-1]), np.float64(c))))
        steps = np.log(np.abs(1 + ratio**2 * c * (1 - np.array(outputs[:-1]))))
    return np.array(outputs), np.concatenate([[0.0], np.cumsum(steps)])


def cobweb(ratio: float) -> Live:
    """The map, its orbit and the weak feature's growth at a rate; ``ratio``: the length of the weak feature."""
    data = {"rates": RATES, "visits": VISITS, "ratio": ratio, "start": START, "long": LONG}
    return Live(
        "cobweb",
        ("d3.js", "plots.js", "cobweb.js"),
        still(_first(ratio)),
        [
            Slider("rate", "scaled learning rate", RATES, [f"{r:.2f}" for r in RATES], RATES.index(RATE)),
            Slider("visits", "visits shown", VISITS, [str(v) for v in VISITS], VISITS.index(40)),
        ],
        cobweb_in_words(RATE, ratio),
        data,
        numbers=True,
    )


def cobweb_in_words(rate: float, ratio: float) -> str:
    """What is seen; `cobweb.js` says the same."""
    outputs, grown = orbit(rate, ratio)
    # beyond this projections change sign, and the recursion is no longer what descent does
    beyond = ~(outputs <= 1 + 1 / theory.curvature(rate))
    if beyond.any():
        return (
            f"At the rate {rate:.2f} the orbit escapes after {beyond.argmax():,} visits: a step goes so far that "
            "projections change sign."
        )
    late = outputs[-200:]
    goes = (
        "settles at its label"
        if theory.curvature(rate) <= theory.UNSTABLE
        else f"goes on between {late.min():.2f} and {late.max():.2f}"
    )
    factor = f"{float(f'{np.exp(grown[-1]):.3g}'):,g}"
    return (
        f"At the rate {rate:.2f} the output {goes}; in {LONG:,} visits the weak feature grows by a factor of {factor}."
    )


def _first(ratio: float):
    """The map with its web, and the growth of the weak feature."""
    figure, (left, right) = figures.subplots(1, 2, height=3.2)
    outputs, grown = orbit(RATE, ratio)
    line = np.linspace(0, 2.1, 200)
    left.plot(line, line, color=figures.COLORS["reference"], linewidth=1)
    left.plot(line, theory.recursion(line, theory.curvature(RATE)), color=figures.COLORS["theory"], linewidth=1.6)
    web = np.repeat(outputs[:41], 2)
    left.plot(web[:-1], web[1:], color=figures.COLORS["random"], linewidth=1.1)
    left.set(xlabel="output now", ylabel="output after a step", xlim=(0, 2.1), ylim=(0, 2.1))
    right.plot(grown, color=figures.COLORS["random"])
    right.set(xlabel="visits", ylabel="log growth of the weak feature", ylim=(-0.5, 6))
    return figure
