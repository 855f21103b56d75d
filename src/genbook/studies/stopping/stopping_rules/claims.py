"""What is claimed of stopping rules, as statistics of the study's table."""

from __future__ import annotations

import functools

import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.stopping.stopping_rules.rules import BY_NAME, RULES
from genbook.studies.stopping.stopping_rules.spec import StoppingRulesSpec


def signals(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By quantity: rows runs (seed, noise), columns steps."""
    return {
        str(quantity): rows.pivot(index=["seed", "noise"], columns="step", values="value").sort_index()
        for quantity, rows in table.groupby("quantity")
    }


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """What each rule came to in each run: columns ``seed``, ``noise``, ``rule``, ``step``, ``accuracy``, ``lost``.

    ``lost`` is test accuracy against the oracle, which stops where the test accuracy itself is largest. The rules
    "oracle" and "never" (the last moment) are among them.
    """
    found = signals(table)
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


def avoided(table: pd.DataFrame, rule: str) -> pd.Series:
    """Share of what training to the end would cost that a rule avoids, over all noise levels above 0, by seed.

    1 is as good as the oracle, 0 as bad as not to stop, below 0 worse than that. NaN where not stopping costs nothing.
    """
    lost = outcomes(table)
    lost = lost[lost["noise"] > 0].pivot_table(index="seed", columns="rule", values="lost", aggfunc="sum")
    return (1 - lost[rule] / lost["never"]).where(lost["never"] > 0)


def _avoided(table: pd.DataFrame, spec: StoppingRulesSpec, rule: str) -> pd.Series:
    return avoided(table, rule)


def _over_held_out(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.Series:
    return avoided(table, "rescaled disparity") - avoided(table, "held-out accuracy")


def _gain_without_noise(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.Series:
    """What not to stop costs at the least noise, over what it costs at the most."""
    lost = outcomes(table)
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
        Claim(
            id=name,
            statement=f"{subject} tells when to stop, without a clean label.",
            source=source,
            statistic=functools.partial(_avoided, rule=BY_NAME[rule].name),
            relation=">",
            threshold=0.5,
            threshold_text="of what overtraining costs is avoided",
            null="shifted signals",
        )
        for rule, name, subject, source in _JUDGED
    ),
    Claim(
        id="disparity-over-held-out",
        statement="Under label noise gradient disparity is a better signal to stop than held-out examples.",
        source="forouzesh-thiran-2021",
        statistic=_over_held_out,
        relation=">",
        threshold=0.02,
        threshold_text="of what overtraining costs more avoided than by held-out accuracy",
        null="shifted signals",
    ),
    Claim(
        id="no-noise-no-gain",
        statement="Where all labels are right there is little to gain by stopping early.",
        source="nakkiran-et-al-2020",
        statistic=_gain_without_noise,
        relation="<",
        threshold=0.25,
        threshold_text="times what overtraining costs at the most noise",
        null="noise everywhere",
    ),
)
