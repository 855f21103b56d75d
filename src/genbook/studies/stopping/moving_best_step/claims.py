"""What is claimed of stopping rules where the best step moves from run to run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Origin
from genbook.data.sizes import TEST
from genbook.studies.stopping.moving_best_step.design import CURVES, GRADIENTS, SETTING, MovingBestStepSpec
from genbook.studies.stopping.shared import RULES, Rule, an_epoch_apart, dealt_anew, disparity, smallest
from genbook.tables.readings import curve, geometric_mean
from genbook.tables.statistics import Statistic, claim, difference, half_example, ratio

#: What the rules are called that see held-out examples, with labels as noisy as the training set's and with true ones.
NOISY, CLEAN = "held-out loss", "held-out loss on true labels"
_ASKED = {NOISY, "gradient noise", "m-coherence", "gradient disparity"}
#: Those rules of `genbook.studies.stopping.shared` that are asked here, and one that is told the truth.
ASKED = (
    *(rule for rule in RULES if rule.name in _ASKED),
    Rule(CLEAN, lambda signals: signals[CLEAN], smallest, "smallest", held_out=True),
)
#: Stops that no signal tells: the best, none, one step or one time (step times learning rate) for all settings, and the
#: step that was best in the same setting.
ORACLE, NEVER, CONSTANT, TIME, OWN = "oracle", "never", "constant step", "constant time", "own setting's step"


def accuracy_on(table: pd.DataFrame, half: str) -> pd.DataFrame:
    """Accuracy on the "first half" or the "second half" of the test set: rows runs (seed, setting), columns steps.

    On the first the stops without a signal are chosen, on the second all stops are compared.
    """
    return curve(table, "test accuracy", *SETTING, group=half).unstack("step")


def signal_stops(table: pd.DataFrame, spec: MovingBestStepSpec) -> dict[str, pd.Series]:
    """By rule, the step at which it stops each run."""
    measured = {name: curve(table, name, *SETTING).unstack("step") for name in (*CURVES[1:], *GRADIENTS)}
    stops: dict[str, list[pd.Series]] = {rule.name: [] for rule in ASKED}
    for n in spec.n_train:
        found = {name: values[values.index.get_level_values("examples") == n] for name, values in measured.items()}
        found["gradient disparity"] = disparity(found["m-coherence"], found["gradient norm"], n, spec.batch_size)
        if spec.signals == "shuffled":
            found = {name: dealt_anew(values) for name, values in found.items()}
        looks = an_epoch_apart(found["gradient disparity"].columns, max(1, n // spec.batch_size))
        found["gradient disparity by epoch"] = found["gradient disparity"][looks]
        for rule in ASKED:
            stops[rule.name].append(rule.stop(found))
    return {name: pd.concat(parts).sort_index() for name, parts in stops.items()}


def constant_stops(table: pd.DataFrame) -> dict[str, pd.Series]:
    """The stops without a signal: of `CONSTANT` and `TIME`, chosen on the other settings of the other seeds.

    `OWN` is chosen on the other seeds of the run's own setting. NaN where there are no such runs.
    """
    accuracy = accuracy_on(table, "first half")
    steps = accuracy.columns.to_numpy(dtype=float)
    rates = accuracy.index.get_level_values("learning rate").to_numpy(dtype=float)
    times = np.geomspace(rates.min(), rates.max() * steps[-1], 4 * len(steps))
    # [runs, times]: which measured step is nearest to a time, on a log scale
    nearest = np.abs(np.log1p(times[None, :] / rates[:, None])[..., None] - np.log1p(steps)).argmin(2)
    by_time = np.take_along_axis(accuracy.to_numpy(), nearest, 1)
    seeds = accuracy.index.get_level_values("seed")
    settings = accuracy.index.droplevel("seed")
    found: dict[str, list[float]] = {CONSTANT: [], TIME: [], OWN: []}
    for place, (seed, setting) in enumerate(zip(seeds, settings, strict=True)):
        alike = np.array([other == setting for other in settings])
        elsewhere, here = (seeds != seed) & ~alike, (seeds != seed) & alike
        found[CONSTANT].append(_best(accuracy.to_numpy()[elsewhere], steps))
        found[TIME].append(_best(by_time[elsewhere], steps[nearest[place]]))
        found[OWN].append(_best(accuracy.to_numpy()[here], steps))
    return {name: pd.Series(values, accuracy.index) for name, values in found.items()}


def _best(scores: np.ndarray, steps: np.ndarray) -> float:
    """The step of the column whose mean is highest; NaN where there is no row."""
    return float(steps[scores.mean(0).argmax()]) if len(scores) else np.nan


def outcomes(table: pd.DataFrame, spec: MovingBestStepSpec) -> pd.DataFrame:
    """What each rule came to in each run: columns ``seed``, those of the setting, ``rule``, ``step``, ``accuracy``.

    The oracle stops where accuracy on the other half of the test set is largest.
    """
    accuracy = accuracy_on(table, "second half")
    stops = signal_stops(table, spec) | constant_stops(table)
    stops[ORACLE] = accuracy_on(table, "first half").idxmax(axis=1)
    stops[NEVER] = pd.Series(accuracy.columns[-1], accuracy.index)
    parts = [
        pd.DataFrame(
            {
                "rule": rule,
                "step": steps,
                "accuracy": [accuracy.at[run, step] if step == step else np.nan for run, step in steps.items()],
            },
            index=accuracy.index,
        )
        for rule, steps in stops.items()
    ]
    return pd.concat(parts).reset_index()


def mean_accuracy(table: pd.DataFrame, spec: MovingBestStepSpec) -> pd.DataFrame:
    """Test accuracy of each rule, mean over the settings: rows seeds, columns rules; NaN where a run has none."""
    return (
        outcomes(table, spec)
        .groupby(["rule", "seed"])["accuracy"]
        .agg(lambda runs: runs.mean(skipna=False))
        .unstack("rule")
    )


def best_steps(table: pd.DataFrame) -> pd.DataFrame:
    """The best step of each setting on the other seeds: rows seeds, columns settings."""
    return constant_stops(table)[OWN].unstack(list(SETTING))


def _half_example(table: pd.DataFrame, spec: MovingBestStepSpec) -> float:
    """Half of the step in which the mean of accuracies on half of the test set, over the settings, is measured."""
    return half_example(TEST[spec.dataset] // 2 * len(spec.settings()))


def _half_rung(table: pd.DataFrame, spec: MovingBestStepSpec) -> float:
    """Half of the logarithm of the factor between two measured steps."""
    return float(np.log(spec.steps) / (spec.n_measurements - 1) / 2)


@ratio("times the least", continuity=_half_rung)
def _range_of_best(table: pd.DataFrame, spec: MovingBestStepSpec) -> pd.Series:
    best = best_steps(table).clip(lower=1)
    return best.max(axis=1, skipna=False) / best.min(axis=1, skipna=False)


def over(rule: str, other: str, words: str) -> Statistic:
    """The statistic that one rule's test accuracy exceeds another's by, mean over the settings."""

    def gained(table: pd.DataFrame, spec: MovingBestStepSpec) -> pd.Series:
        found = mean_accuracy(table, spec)
        return found[rule] - found[other]

    return difference(words, gained, continuity=_half_example)


#: Rule, its claim's id, how the statement begins, source, origin, note.
_GRADIENT_RULES: tuple[tuple[str, str, str, str, Origin, str], ...] = (
    (
        "gradient noise",
        "gradient-noise-over-constant-step",
        "The first step at which the gradient is no longer than its noise would make it",
        "mahsereci-et-al-2017",
        "consequence",
        "With one variance for all parameters: where m-coherence is 1.",
    ),
    (
        "gradient disparity",
        "disparity-over-constant-step",
        "A gradient disparity that has risen five times in a row",
        "forouzesh-thiran-2021",
        "consequence",
        "Looked at where measured steps are an epoch apart at least, later ones more.",
    ),
    (
        "m-coherence",
        "coherence-over-constant-step",
        "The least coherence of the training gradients",
        "chatterjee-zielinski-2022",
        "ours",
        "",
    ),
)


@ratio("times the step at which the same loss by the noisy labels is least", continuity=_half_rung)
def _clean_later(table: pd.DataFrame, spec: MovingBestStepSpec) -> pd.Series:
    """Where the held-out loss by the true labels is least, over where that by the noisy ones is: mean of logarithms."""
    stops = signal_stops(table, spec)
    return geometric_mean(stops[CLEAN].clip(lower=1) / stops[NOISY].clip(lower=1), "seed")


_ACCURACY = "of test accuracy, mean over the settings"

CLAIMS = (
    claim(
        "best-step-moves",
        "Between settings that differ in size, noise and learning rate the best step moves several-fold.",
        "prechelt-1998",
        _range_of_best,
        above=4,
        control="alike settings",
        note="What follows is asked where a constant step could lose.",
    ),
    claim(
        "constant-step-costs",
        "One step for all settings, chosen on the others, loses accuracy that the step of each setting would keep.",
        "prechelt-1998",
        over(OWN, CONSTANT, _ACCURACY),
        above=0.02,
        control="alike settings",
    ),
    claim(
        "held-out-over-constant-step",
        "Loss on held-out examples with noisy labels tells better when to stop than one step for all settings.",
        "prechelt-1998",
        over(NOISY, CONSTANT, _ACCURACY),
        origin="consequence",
        above=0.02,
        control="alike settings",
    ),
    claim(
        "clean-held-out-over-constant-step",
        "Loss on held-out examples with their true labels tells better when to stop than one step for all settings.",
        "prechelt-1998",
        over(CLEAN, CONSTANT, _ACCURACY),
        origin="consequence",
        above=0.02,
        control="alike settings",
    ),
    claim(
        "held-out-over-constant-time",
        "Loss on held-out examples with noisy labels also beats one training time, step times learning rate, for all.",
        "prechelt-1998",
        over(NOISY, TIME, _ACCURACY),
        above=0,
        control="shuffled signals",
        note="A stop that knows the learning rate and nothing else.",
    ),
    claim(
        "clean-stops-later",
        "On held-out examples the loss by true labels is least at a later step than the loss by noisy ones.",
        "prechelt-1998",
        _clean_later,
        above=1.75,
        control="hardly a wrong label",
        note="Seen on the first seeds: what learns from wrong labels is less sure of the true ones than it should be, "
        "and that is mended by training on. Its first control, shuffled signals, came out undecided.",
    ),
    *(
        claim(
            name,
            f"{subject} tells better when to stop than one step for all settings.",
            source,
            over(rule, CONSTANT, _ACCURACY),
            origin=origin,
            above=0,
            control="shuffled signals",
            note=note,
        )
        for rule, name, subject, source, origin, note in _GRADIENT_RULES
    ),
)
