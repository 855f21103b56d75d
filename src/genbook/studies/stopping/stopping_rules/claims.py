"""What is claimed of stopping rules."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.stopping.stopping_rules.design import HALVES, StoppingRulesSpec
from genbook.studies.stopping.stopping_rules.rules import RULES
from genbook.tables.readings import curve
from genbook.tables.statistics import claim, difference

#: The rules' signals by their names: quantity and group of examples.
_SIGNALS = {
    **{name: (name, "all") for name in ("test accuracy", "held-out accuracy", "held-out loss", "train loss")},
    **{name: (name, "all") for name in ("loss spread", "m-coherence", "gradient norm")},
    "decoy loss": ("train loss", "decoys"),
    "cosine of halves": ("gradient cosine", ", ".join(HALVES)),
}


def signals(table: pd.DataFrame, spec: StoppingRulesSpec) -> dict[str, pd.DataFrame]:
    """By name of the signal: rows runs (seed, noise), columns steps.

    Where the spec has it so, every signal but the test accuracy is that of another step of the same run, half of the
    measured ones away.
    """
    found = {
        name: curve(table, quantity, "noise", group=group).unstack("step")
        for name, (quantity, group) in _SIGNALS.items()
    }
    found["gradient disparity"] = _disparity(found["m-coherence"], found["gradient norm"], spec)
    if spec.signals == "shifted":
        for name in found.keys() - {"test accuracy"}:
            values = found[name]
            moved = np.roll(values.columns, -(values.shape[1] // 2))
            found[name] = values.set_axis(pd.Index(moved, name="step"), axis=1)[values.columns]
    return found


def _disparity(coherence: pd.DataFrame, norm: pd.DataFrame, spec: StoppingRulesSpec) -> pd.DataFrame:
    """Gradient disparity (Forouzesh and Thiran, 2021): the distance of two random batches' gradients, exactly.

    The mean square of ‖g_B − g_B'‖ over all pairs of disjoint batches of b examples is 2/b times the variance of the
    per-example gradients, (Q − ‖S‖²/m) / (m − 1), so that no batch has to be drawn.
    """
    m = spec.n_train
    summed = (m * norm) ** 2
    return np.sqrt(2 / spec.batch_size * (summed / coherence - summed / m) / (m - 1))


def outcomes(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.DataFrame:
    """What each rule came to in each run: columns ``seed``, ``noise``, ``rule``, ``step``, ``accuracy``, ``lost``.

    ``lost`` is test accuracy against the oracle, which stops where the test accuracy itself is largest. The rules
    "oracle" and "never" (the last step) are among them.
    """
    found = signals(table, spec)
    accuracy = found["test accuracy"]
    stops = {rule.name: rule.stop(found) for rule in RULES}
    stops["oracle"] = accuracy.idxmax(axis=1)
    stops["never"] = pd.Series(accuracy.columns[-1], index=accuracy.index)
    best = accuracy.max(axis=1)
    rows = []
    for rule, steps in stops.items():
        reached = pd.Series({run: accuracy.at[run, step] for run, step in steps.items()})
        rows.append(
            pd.DataFrame({"rule": rule, "step": steps, "accuracy": reached, "lost": best - reached}, index=steps.index)
        )
    return pd.concat(rows).rename_axis(["seed", "noise"]).reset_index()


def avoided(table: pd.DataFrame, spec: StoppingRulesSpec, rule: str) -> pd.Series:
    """Fraction of what training to the end would cost that a rule avoids, over all noise levels above 0, by seed.

    1 is as good as the oracle, 0 as bad as not to stop, below 0 worse than that. NaN where not stopping costs nothing.
    """
    lost = outcomes(table, spec)
    lost = lost[lost["noise"] > 0].pivot_table(index="seed", columns="rule", values="lost", aggfunc="sum")
    return (1 - lost[rule] / lost["never"]).where(lost["never"] > 0)


@difference("times what overtraining costs at the most noise")
def _lost_without_noise(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.Series:
    """What not to stop costs at the least noise, over what it costs at the most."""
    lost = outcomes(table, spec)
    lost = lost[lost["rule"] == "never"].pivot(index="seed", columns="noise", values="lost")
    return lost.iloc[:, 0] / lost.iloc[:, -1].mean()


#: Rule, its claim's id, how the statement begins, source.
_JUDGED = (
    (
        "held-out accuracy",
        "stop-by-held-out-accuracy",
        "Accuracy on held-out examples with noisy labels",
        "prechelt-1998",
    ),
    ("held-out loss", "stop-by-held-out-loss", "Loss on held-out examples with noisy labels", "prechelt-1998"),
    ("m-coherence", "stop-by-coherence", "The least coherence of the training gradients", "mahsereci-et-al-2017"),
    ("cosine of halves", "stop-by-halves", "The least cosine of two random halves' gradients", "mahsereci-et-al-2017"),
    ("gradient disparity", "stop-by-disparity", "Gradient disparity at its largest", "forouzesh-thiran-2021"),
    (
        "rescaled disparity",
        "stop-by-rescaled-disparity",
        "Gradient disparity over the spread of the losses, at its smallest,",
        "forouzesh-thiran-2021",
    ),
    ("decoys", "stop-by-decoys", "The gap in loss between planted wrong labels and the rest", "garg-et-al-2021"),
)

CLAIMS = (
    *(
        claim(
            name,
            f"{subject} tells when to stop, without a clean label.",
            source,
            difference(
                "of what overtraining costs is avoided", lambda table, spec, rule=rule: avoided(table, spec, rule)
            ),
            above=0.5,
            control="shifted signals",
        )
        for rule, name, subject, source in _JUDGED
    ),
    claim(
        "disparity-over-held-out",
        "Under label noise gradient disparity is a better signal to stop than held-out examples.",
        "forouzesh-thiran-2021",
        difference(
            "of what overtraining costs more avoided than by held-out accuracy",
            lambda table, spec: avoided(table, spec, "rescaled disparity") - avoided(table, spec, "held-out accuracy"),
        ),
        above=0.02,
        control="shifted signals",
    ),
    claim(
        "no-noise-no-gain",
        "Where all labels are right there is little to gain by stopping early.",
        "nakkiran-et-al-2020",
        _lost_without_noise,
        below=0.25,
        control="noise everywhere",
    ),
)
