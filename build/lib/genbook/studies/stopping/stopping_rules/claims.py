"""What is claimed of stopping rules."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Origin
from genbook.data.sizes import TEST
from genbook.studies.stopping.shared import RULES, an_epoch_apart, dealt_anew, disparity
from genbook.studies.stopping.stopping_rules.design import HALVES, StoppingRulesSpec
from genbook.tables.readings import curve, mean_of_others
from genbook.tables.statistics import Statistic, claim, difference, half_example

#: The rules' signals by their names: quantity and group of examples.
_SIGNALS = {
    **{name: (name, "all") for name in ("held-out accuracy", "held-out loss", "train loss")},
    **{name: (name, "all") for name in ("loss spread", "m-coherence", "gradient norm")},
    "decoy loss": ("train loss", "decoys"),
    "cosine of halves": ("gradient cosine", ", ".join(HALVES)),
}
#: Stops that no signal tells: the oracle's, none, one for all runs, and any.
ORACLE, NEVER, CONSTANT, ANY = "oracle", "never", "constant step", "random checkpoint"


def accuracy_on(table: pd.DataFrame, half: str) -> pd.DataFrame:
    """Accuracy on the "first half" or the "second half" of the test set: rows runs (seed, noise), columns steps.

    On the first the oracle and the constant step are chosen, on the second all stops are compared.
    """
    return curve(table, "test accuracy", "noise", group=half).unstack("step")


def signals(table: pd.DataFrame, spec: StoppingRulesSpec) -> dict[str, pd.DataFrame]:
    """By name of the signal: rows runs (seed, noise), columns steps.

    Where the spec has it so, the steps of a run are dealt out anew to its signals, all alike: each is as large and as
    small as it was, at steps drawn at random.
    """
    found = {
        name: curve(table, quantity, "noise", group=group).unstack("step")
        for name, (quantity, group) in _SIGNALS.items()
    }
    found["gradient disparity"] = disparity(found["m-coherence"], found["gradient norm"], spec.n_train, spec.batch_size)
    if spec.signals == "shuffled":
        found = {name: dealt_anew(values) for name, values in found.items()}
    looks = an_epoch_apart(found["gradient disparity"].columns, max(1, spec.n_train // spec.batch_size))
    found["gradient disparity by epoch"] = found["gradient disparity"][looks]
    return found


def constant_steps(table: pd.DataFrame) -> pd.Series:
    """By seed, the one step at which the other seeds' noisy runs are best on average; NaN with one seed alone."""
    accuracy = accuracy_on(table, "first half")
    noisy = accuracy[accuracy.index.get_level_values("noise") > 0]
    scores = noisy.groupby(level="seed").mean().T
    others = {seed: mean_of_others(scores, seed) for seed in scores}
    return pd.Series({seed: np.nan if mean is None else mean.idxmax() for seed, mean in others.items()})


def outcomes(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.DataFrame:
    """What each rule came to in each run: columns ``seed``, ``noise``, ``rule``, ``step``, ``accuracy``, ``lost``.

    ``lost`` is test accuracy against the oracle, which stops where accuracy on the other half of the test set is
    largest. Among the rules are the stops that look at no signal; a random checkpoint has no step but the mean
    accuracy over all.
    """
    found, accuracy, chosen_on = (
        signals(table, spec),
        accuracy_on(table, "second half"),
        accuracy_on(table, "first half"),
    )
    runs = accuracy.index
    stops = {rule.name: rule.stop(found) for rule in RULES}
    stops[ORACLE] = chosen_on.idxmax(axis=1)
    stops[NEVER] = pd.Series(accuracy.columns[-1], index=runs)
    stops[CONSTANT] = pd.Series(runs.get_level_values("seed").map(constant_steps(table)), index=runs)
    reached = {
        rule: pd.Series({run: accuracy.at[run, step] if step == step else np.nan for run, step in steps.items()})
        for rule, steps in stops.items()
    }
    stops[ANY], reached[ANY] = pd.Series(np.nan, index=runs), accuracy.mean(axis=1)
    parts = [
        pd.DataFrame({"rule": rule, "step": stops[rule], "accuracy": mine, "lost": reached[ORACLE] - mine}, index=runs)
        for rule, mine in reached.items()
    ]
    return pd.concat(parts).rename_axis(["seed", "noise"]).reset_index()


def gained(table: pd.DataFrame, spec: StoppingRulesSpec, rule: str, over: str = CONSTANT) -> pd.Series:
    """Test accuracy of a rule less that of another, mean over the noise levels above 0, by seed."""
    found = outcomes(table, spec)
    found = found[found["noise"] > 0].pivot(index=["seed", "noise"], columns="rule", values="accuracy")
    return (found[rule] - found[over]).groupby(level="seed").mean()


def avoided(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.Series:
    """Fraction of what training to the end costs that each rule avoids: of the means over all noisy runs, by rule.

    1 is as good as the oracle, 0 as bad as not to stop, below 0 worse than that.
    """
    found = outcomes(table, spec)
    lost = found[found["noise"] > 0].groupby("rule")["lost"].mean()
    return 1 - lost / lost[NEVER]


def _half_example(table: pd.DataFrame, spec: StoppingRulesSpec) -> float:
    """Half of the step in which the mean of accuracies on half of the test set, over the noisy runs, is measured."""
    return half_example(TEST[spec.dataset] // 2 * sum(noise > 0 for noise in spec.noise_levels))


def _over_constant(rule: str) -> Statistic:
    return difference(
        "of test accuracy more than at a constant step, chosen on the other seeds",
        lambda table, spec: gained(table, spec, rule),
        continuity=_half_example,
    )


@difference("of test accuracy more than by held-out loss", continuity=_half_example)
def _disparity_over_held_out(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.Series:
    return gained(table, spec, "gradient disparity", over="held-out loss")


@difference("times what overtraining costs at the most noise")
def _lost_without_noise(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.Series:
    """What not to stop costs at the least noise, over what it costs at the most; it may be negative."""
    lost = outcomes(table, spec)
    lost = lost[lost["rule"] == NEVER].pivot(index="seed", columns="noise", values="lost")
    return (lost.iloc[:, 0] / lost.iloc[:, -1]).where(lost.iloc[:, -1] > 0)


_CHANGED = "Was judged against never stopping, of which any constant step avoids nine tenths here."
#: Rule, its claim's id, how the statement begins, source, origin, note.
_JUDGED: tuple[tuple[str, str, str, str, Origin, str], ...] = (
    (
        "held-out accuracy",
        "stop-by-held-out-accuracy",
        "Accuracy on held-out examples with noisy labels",
        "prechelt-1998",
        "consequence",
        "",
    ),
    (
        "held-out loss",
        "stop-by-held-out-loss",
        "Loss on held-out examples with noisy labels",
        "prechelt-1998",
        "consequence",
        "",
    ),
    (
        "gradient noise",
        "stop-by-gradient-noise",
        "The first step at which the gradient is no longer than its noise would make it",
        "mahsereci-et-al-2017",
        "paper",
        "The paper divides each parameter's squared gradient by its own variance; with one variance for all, its "
        "criterion is that m-coherence is 1. Steps are at most so close as the measured ones.",
    ),
    (
        "m-coherence",
        "stop-by-coherence",
        "The least coherence of the training gradients",
        "chatterjee-zielinski-2022",
        "ours",
        "",
    ),
    (
        "gradient disparity",
        "stop-by-disparity",
        "A gradient disparity that has risen five times in a row",
        "forouzesh-thiran-2021",
        "paper",
        "The paper stops where disparity rises; that it must have risen five times in a row is our reading. Looked at "
        "where measured steps are an epoch apart at least, later ones more.",
    ),
    (
        "rescaled disparity",
        "stop-by-rescaled-disparity",
        "Gradient disparity over the spread of the losses, at its smallest,",
        "forouzesh-thiran-2021",
        "ours",
        "",
    ),
    (
        "decoys",
        "stop-by-decoys",
        "The gap in loss between planted wrong labels and the rest",
        "garg-et-al-2021",
        "ours",
        "",
    ),
)

CLAIMS = (
    *(
        claim(
            name,
            f"{subject} tells better when to stop than a constant step does.",
            source,
            _over_constant(rule),
            origin=origin,
            above=0,
            control="shuffled signals",
            note=f"{note} {_CHANGED}".strip(),
        )
        for rule, name, subject, source, origin, note in _JUDGED
    ),
    claim(
        "disparity-over-held-out",
        "Under label noise gradient disparity is a better signal to stop than held-out examples.",
        "forouzesh-thiran-2021",
        _disparity_over_held_out,
        origin="paper",
        above=0.01,
        control="hardly any noise",
        note="Was judged with a rule of our own for the disparity; now with the paper's.",
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
