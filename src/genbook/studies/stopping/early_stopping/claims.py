"""What is claimed of early stopping, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.stopping.early_stopping.spec import EarlyStoppingSpec
from genbook.tables import tidy

#: A moment is read off as the mean over the measured steps within this factor of it: single steps wobble.
WINDOW = 1.25
#: Part of the initial loss that must be gone before coherence means something.
LEARNING_STARTS = 0.9


def curve(table: pd.DataFrame, quantity: str, group: str = "all", layer: str = "all") -> pd.DataFrame:
    """One quantity over training: rows seeds, columns steps."""
    return tidy.wide(table, "seed", "step", quantity=quantity, group=group, layer=layer)


def best_steps(table: pd.DataFrame) -> pd.Series:
    """By seed, the step at which the mean test accuracy of the *other* seeds is best: no seed chooses for itself.

    It needs the test set all the same, so it is an oracle. With one seed alone it is that seed's own best step.
    """
    accuracy = curve(table, "test accuracy")
    if len(accuracy) == 1:
        return accuracy.idxmax(axis=1)
    others = (accuracy.sum() - accuracy) / (len(accuracy) - 1)
    return others.idxmax(axis=1)


def at_best(table: pd.DataFrame, quantity: str, group: str = "all", layer: str = "all") -> pd.Series:
    """A quantity at the best step of each seed, averaged over the measured steps within a factor `WINDOW` of it."""
    values, best = curve(table, quantity, group, layer), best_steps(table)
    steps = np.asarray(values.columns, dtype=float)
    near = {seed: (steps >= best[seed] / WINDOW) & (steps <= best[seed] * WINDOW) for seed in values.index}
    return pd.Series({seed: values.loc[seed, near[seed]].mean() for seed in values.index})


def descent_share(table: pd.DataFrame, early: bool, layer: str = "all") -> pd.Series:
    """Share of the descent driven by clean examples, summed over the steps before or after the best one, by seed."""
    clean, total = curve(table, "clean descent", "clean", layer), curve(table, "descent", "both", layer)
    best = best_steps(table)
    steps = np.asarray(total.columns, dtype=float)
    shares = {}
    for seed in total.index:
        chosen = steps <= best[seed] if early else steps >= best[seed]
        # a measured step stands for those up to its neighbours
        whole = _integral(total.loc[seed], steps, chosen)
        # Where the network has come to rest there is no descent to share.
        shares[seed] = _integral(clean.loc[seed], steps, chosen) / whole if whole else np.nan
    return pd.Series(shares)


def _integral(values: pd.Series, steps: np.ndarray, chosen: np.ndarray) -> float:
    return float(np.trapezoid(values.to_numpy()[chosen], steps[chosen])) if chosen.sum() > 1 else np.nan


def share_of_clean(spec: EarlyStoppingSpec) -> float:
    """The share of clean examples: what their share of the descent would be if all examples pulled alike."""
    return 1 - np.floor(spec.noise * spec.n_train + 0.5) / spec.n_train


def running_descent_share(table: pd.DataFrame, layer: str = "all", width: int = 3) -> pd.DataFrame:
    """The clean examples' share of the descent along training, over ``width`` neighbouring measured steps either side.

    Tidy rows for a figure: ``seed``, ``step``, ``clean share of descent``.
    """
    window = {"window": 2 * width + 1, "center": True, "min_periods": 1}
    clean = curve(table, "clean descent", "clean", layer).T.rolling(**window).sum()
    total = curve(table, "descent", "both", layer).T.rolling(**window).sum()
    return (clean / total).stack().rename("clean share of descent").reset_index()


def _overtraining(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    """Test error at the end over the test error at the best step."""
    accuracy, best = curve(table, "test accuracy"), best_steps(table)
    return pd.Series({seed: (1 - row.iloc[-1]) / (1 - row[best[seed]]) for seed, row in accuracy.iterrows()})


def _early_share(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    return descent_share(table, early=True) / share_of_clean(spec)


def _late_share(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    return descent_share(table, early=False) / share_of_clean(spec)


def _opposed(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    return at_best(table, "gradient cosine", "both")


def _length_ratio(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    """How far from equally long the two summed gradients are at the best step: the longer over the shorter."""
    ratio = at_best(table, "gradient length", "clean") / at_best(table, "gradient length", "corrupted")
    return np.maximum(ratio, 1 / ratio)


def learning_coherence(table: pd.DataFrame) -> pd.DataFrame:
    """Geometric mean m-coherence of each group from a loss fallen by a tenth until the best step: rows seeds."""
    loss, best = curve(table, "train loss"), best_steps(table)
    steps = np.asarray(loss.columns, dtype=float)
    result = {}
    for seed, row in loss.iterrows():
        started = (row <= LEARNING_STARTS * row.iloc[0]).cummax().to_numpy()
        chosen = started & (steps <= best[seed])
        result[seed] = {
            group: np.exp(np.log(curve(table, "m-coherence", group).loc[seed][chosen].clip(lower=1e-3)).mean())
            for group in ("clean", "corrupted")
        }
    return pd.DataFrame.from_dict(result, orient="index")


def _coherence_ratio(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    coherence = learning_coherence(table)
    return coherence["clean"] / coherence["corrupted"]


def distance_at_half(table: pd.DataFrame) -> pd.DataFrame:
    """Distance from initialisation when half of a group's labels are first fitted, NaN if never: rows seeds."""
    distance = curve(table, "distance")
    result = {}
    for group in ("clean", "corrupted"):
        fitted = curve(table, "train accuracy", group) >= 0.5
        first = fitted.idxmax(axis=1).where(fitted.any(axis=1))
        result[group] = pd.Series({s: distance.loc[s, step] if step == step else np.nan for s, step in first.items()})
    return pd.DataFrame(result)


def _distance_ratio(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    distance = distance_at_half(table)
    return distance["corrupted"] / distance["clean"]


def layers_of(table: pd.DataFrame) -> list[str]:
    """Names of the layers, from the input on."""
    return sorted((name for name in table["layer"].unique() if name != "all"), key=lambda name: int(name.split()[1]))


def late_shares(table: pd.DataFrame) -> pd.DataFrame:
    """The corrupted examples' share of each layer's descent, summed over the steps after the best: rows seeds."""
    return pd.DataFrame({layer: 1 - descent_share(table, False, layer) for layer in layers_of(table)})


def _output_over_first(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    shares = late_shares(table)
    return shares.iloc[:, -1] / shares.iloc[:, 0]


CLAIMS = (
    Claim(
        id="overtraining",
        statement="Under label noise, training on past the best moment costs test accuracy.",
        source="liu-et-al-2023",
        statistic=_overtraining,
        relation=">",
        threshold=1.5,
        threshold_text="times the test error of the best step, at the end",
        scale="log",
        null="clean labels",
    ),
    Claim(
        id="clean-drive-early",
        statement="Until the best moment, clean examples drive more of the descent than is their share.",
        source="chatterjee-2020",
        statistic=_early_share,
        relation=">",
        threshold=1.1,
        threshold_text="times their share of the examples",
        scale="log",
        null="shuffled tags",
    ),
    Claim(
        id="corrupted-drive-late",
        statement="After it, clean examples drive less of the descent than is their share: corrupted ones take over.",
        source="chatterjee-2020",
        statistic=_late_share,
        relation="<",
        threshold=0.9,
        threshold_text="times their share of the examples",
        scale="log",
        null="shuffled tags",
    ),
    Claim(
        id="opposed-at-best",
        statement="At the best moment the summed gradients of clean and of corrupted examples pull against each other.",
        source="liu-et-al-2023",
        statistic=_opposed,
        relation="<",
        threshold=-0.25,
        threshold_text="cosine of the two sums",
        null="shuffled tags",
    ),
    Claim(
        id="equal-at-best",
        statement="At the best moment the two summed gradients are about equally long, unequal as the groups are.",
        source="liu-et-al-2023",
        statistic=_length_ratio,
        relation="<",
        threshold=1.5,
        threshold_text="the longer over the shorter",
        scale="log",
        null="shuffled tags",
    ),
    Claim(
        id="clean-more-coherent",
        statement="Until the best moment, gradients of clean examples agree more than as many of corrupted ones.",
        source="zielinski-et-al-2020",
        statistic=_coherence_ratio,
        relation=">",
        threshold=1.3,
        threshold_text="times the m-coherence of corrupted examples, at equal m",
        scale="log",
        null="shuffled tags",
    ),
    Claim(
        id="memorising-is-far",
        statement="To fit corrupted labels the weights must go much farther from their start than to fit clean ones.",
        source="li-et-al-2020",
        statistic=_distance_ratio,
        relation=">",
        threshold=3,
        threshold_text="times the distance, when half of the labels are fitted",
        scale="log",
        null="shuffled tags",
    ),
    Claim(
        id="output-layer-turns-most",
        statement="When corrupted examples take over, they take over the output layer more than the first.",
        source="bai-et-al-2021",
        statistic=_output_over_first,
        relation=">",
        threshold=1.05,
        threshold_text="times the first layer's share of descent driven by corrupted examples",
        scale="log",
        null="shuffled tags",
        note="The paper judges layers by what freezing and retraining them does to test accuracy; this is who drives "
        "the descent.",
    ),
)
