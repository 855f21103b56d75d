"""A figure in which the reader stops the linear student, changes the noise, and adds a ridge."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook import figures
from genbook.figures.moving import Live, Slider
from genbook.figures.stills import still
from genbook.studies.descent.linear_teacher import theory
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec
from genbook.tables import tidy

SNRS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
RIDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
RATIOS = (0.25, 0.35, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0)


def student(table: pd.DataFrame, spec: LinearTeacherSpec) -> Live:
    """Test error against samples per weight, by the formula; the stored students where noise and ridge are theirs."""
    found = tidy.select(table, quantity="test error, small start", size=spec.inputs[-1])
    logs = np.log(found["value"]).groupby([found["at"], found["ratio"]]).mean()
    means = np.exp(logs).unstack("ratio").sort_index()
    times, snrs = [float(f"{time:.4g}") for time in means.index], sorted({*SNRS, spec.snr})
    ridges = sorted({*RIDGES, spec.weight_decay})
    last = len(times) - 1
    first = _first(means, spec)
    data = {
        "times": times,
        "snrs": snrs,
        "ridges": ridges,
        "ratios": list(RATIOS),
        "measured": {
            "ratios": [float(ratio) for ratio in means.columns],
            "errors": [[float(f"{value:.4g}") for value in row] for row in means.to_numpy()],
        },
        "at": {"snr": spec.snr, "decay": spec.weight_decay},
    }
    return Live(
        "student",
        ("d3.js", "plots.js", "student.js"),
        still(first),
        [
            Slider(
                "time", "stopped at time", times, [f"{time:,.3g}" if time < 1e3 else f"{time:,.0f}" for time in times]
            ),
            Slider("snr", "signal over noise", snrs, [f"{snr:g}" for snr in snrs], snrs.index(spec.snr)),
            Slider("ridge", "ridge", ridges, [f"{ridge:g}" for ridge in ridges], ridges.index(spec.weight_decay)),
            Slider("ratio", "modes shown at α =", RATIOS, [f"{ratio:g}" for ratio in RATIOS], RATIOS.index(1.0)),
        ],
        student_in_words(times[last], 1.0, spec),
        data,
        numbers=True,
    )


def student_in_words(time: float, ratio: float, spec: LinearTeacherSpec) -> str:
    """What is seen where noise and ridge are the study's; `student.js` says the same."""
    error = float(theory.generalization_error(ratio, time, spec.snr, 0.0, spec.weight_decay)[0])
    return (
        f"At time {_short(time)} and α = {_short(ratio)} the error is {_short(error)} times the noise; dots: students "
        "that were trained."
    )


def _short(value: float) -> str:
    """Three digits, as d3 writes ',.3~r'."""
    return f"{float(f'{value:.3g}'):,.10g}"


def _first(means: pd.DataFrame, spec: LinearTeacherSpec):
    """The error at the last time."""
    figure, ax = figures.subplots(height=2.53)
    ratios = 2 ** np.linspace(-2, 2, 161)
    curve = [theory.generalization_error(a, means.index[-1], spec.snr, 0.0, spec.weight_decay)[0] for a in ratios]
    ax.plot(ratios, curve, color=figures.COLORS["theory"], linewidth=1.6)
    ax.plot(means.columns, means.iloc[-1], "o", color=figures.COLORS["test"], markersize=5)
    figures.log_axis(ax)
    figures.log_axis(ax, "y")
    figures.ticks(ax, (0.25, 0.5, 1, 2, 4), labels=("1/4", "1/2", "1", "2", "4"))
    ax.set(xlabel="samples per weight, α", ylabel="test error, in units of the noise")
    return figure
