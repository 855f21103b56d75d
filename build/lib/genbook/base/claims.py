"""Published statements as statistics of tables, and verdicts on them: pure functions, no input or output."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from genbook.base import stats
from genbook.base.spec import Spec

Verdict = Literal["holds", "fails", "undecided", "not testable", "not judged", "not run"]
Kind = Literal["mean", "equal", "all", "exact"]
Side = Literal[">", "<", "="]

Origin = Literal["paper", "consequence", "ours"]

#: A statistic: (table, spec) to one value per seed (kinds 'mean' and 'equal'), one truth per seed (kind 'all'), or one
#: number per check (kind 'exact').
Statistic = Callable[[pd.DataFrame, Spec], pd.Series]
#: Half of the step in which a statistic is measured: a number, or what tells it from (table, spec).
Continuity = float | Callable[[pd.DataFrame, Any], float]


@dataclass(frozen=True)
class Claim:
    """One published statement made checkable.

    ``id``: short name, unique in its study. ``statement``: in our words. ``source``: key of references.bib.
    ``statistic``: see `Statistic`; a value of NaN is a censored or undefined seed. ``relation`` and ``threshold``: the
    side on which the claim holds. ``kind``: 'mean' has a Student t interval over seeds on ``scale``, 'equal' the same
    interval, which must lie within ``tolerance`` of the threshold (a factor on the log scale), 'all' a Clopper-Pearson
    interval for the proportion of seeds in which the statement is true, 'exact' no interval but a ``tolerance``.
    ``control``: name of the study's control in which the claim must come out as 'fails'.
    ``origin``: whether the paper says it ('paper'), whether it follows from what the paper says ('consequence'), or
    whether the question is this book's ('ours'), the source then being what it starts from.
    ``reported``: the paper's own number, where it is known; ``note``: why ours differs. ``continuity``: half of the
    step in which the statistic is measured (see `genbook.base.stats.t_interval`), a number or a function of (table,
    spec); without it, seeds that agree exactly are not judged. ``replicates``: whether it is judged
    in the replication too. ``threshold_text``: the threshold in words, where a number says too little.
    """

    id: str
    statement: str
    source: str
    statistic: Statistic
    relation: Side
    threshold: float
    control: str
    kind: Kind = "mean"
    scale: stats.Scale = "identity"
    tolerance: float = 0.0
    continuity: Continuity | None = None
    origin: Origin = "ours"
    reported: str = ""
    note: str = ""
    replicates: bool = True
    threshold_text: str = ""

    def __post_init__(self) -> None:
        """Refuse a combination that could not be judged."""
        if (self.relation == "=") != (self.kind in ("exact", "equal")):
            raise ValueError(f"claim {self.id}: the relation '=' belongs to kinds 'exact' and 'equal', '>' and '<' not")
        if self.kind == "equal" and self.tolerance <= (self.scale == "log"):
            raise ValueError(f"claim {self.id}: equality needs a tolerance > 0, on the log scale a factor > 1")

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values a claim of kind 'equal' holds."""
        if self.scale == "log":
            return self.threshold / self.tolerance, self.threshold * self.tolerance
        return self.threshold - self.tolerance, self.threshold + self.tolerance


@dataclass(frozen=True)
class Judgement:
    """What a claim comes out as in one setting: estimate, interval, verdict.

    ``n``: seeds (or checks) that entered; ``censored``: those that had no value; ``p``: one-sided p-value against the
    threshold (NaN for exact claims, censored ones, and where there is no interval); ``reason``: why there is no verdict
    for or against the claim, empty where there is one.
    """

    estimate: float
    low: float
    high: float
    verdict: Verdict
    n: int = 0
    censored: int = 0
    p: float = math.nan
    values: Mapping[Any, float] = field(default_factory=dict, repr=False, compare=False)
    reason: str = ""


#: The reason of what a profile made for speed leaves unjudged.
JUDGES_NOTHING = "this profile judges nothing"
NOT_RUN = Judgement(math.nan, math.nan, math.nan, "not run")


def decide(low: float, high: float, relation: str, threshold: float) -> Verdict:
    """'holds' where the interval lies on the claim's side of the threshold, 'fails' on the other, else 'undecided'."""
    if math.isnan(low) or math.isnan(high):
        return "undecided"
    if relation == ">":
        return "holds" if low > threshold else "fails" if high < threshold else "undecided"
    return "holds" if high < threshold else "fails" if low > threshold else "undecided"


def judge(claim: Claim, table: pd.DataFrame, spec: Spec, judged: bool = True) -> Judgement:
    """Evaluate ``claim`` on one setting's ``table`` (tidy rows of the study, computed with ``spec``).

    With ``judged`` False the numbers are computed and the verdict is 'not judged' (smoke runs). A censored value keeps
    a claim from being decided: what was not observed supports neither side. Seeds that agree exactly, where the claim
    does not tell the step in which it measures, are no evidence of certainty: 'not judged'.

    Raises:
        ValueError: a claim of kind 'mean', 'equal' or 'all' whose statistic gives more than one value for a seed.
    """
    values = claim.statistic(table, spec)
    if claim.kind != "exact" and (values.index.nlevels > 1 or not values.index.is_unique):
        raise ValueError(f"claim {claim.id}: want one value per seed, got an index of {list(values.index[:4])} ...")
    present = _on_scale(claim, values.dropna().astype(float))
    censored = len(values) - len(present)
    step = claim.continuity
    if callable(step):  # a table on which nothing was observed need not tell in which step it would have been
        step = step(table, spec) if len(present) else None
    found = _JUDGES[claim.kind](claim, present, step)
    verdict, p, reason = found.verdict, found.p, ""
    if not judged:
        verdict, p, reason = "not judged", math.nan, JUDGES_NOTHING
    elif censored:
        verdict, p, reason = "undecided", math.nan, f"{censored} of {len(values)} values are censored"
    elif claim.kind in ("mean", "equal") and step is None and present.duplicated().any():
        verdict, p, reason = "not judged", math.nan, "seeds agree exactly, and the claim tells no measuring step"
    elif verdict == "undecided":
        unseen = math.isnan(found.low)
        reason = "no interval" if unseen else "the interval lies on both sides of what is claimed"
    return replace(
        found, verdict=verdict, p=p, reason=reason, n=len(present), censored=censored, values=dict(values.items())
    )


@dataclass(frozen=True)
class Precondition:
    """What data must allow for claims to be tested on them, as a statistic of the setting's own table.

    ``statement``: in words, with what is measured. ``statistic``, ``relation``, ``threshold``: as of `Claim`; it is met
    where the interval over seeds lies on its side of the threshold (of a seed alone, where the value does).
    """

    statement: str
    statistic: Statistic
    relation: Literal[">", "<"]
    threshold: float

    def measured(self, table: pd.DataFrame, spec: Spec) -> Judgement:
        """What the precondition comes out as on ``table``."""
        claim = Claim("precondition", self.statement, "", self.statistic, self.relation, self.threshold, control="")
        return judge(claim, table, spec)

    def lacking(self, found: Judgement) -> str:
        """What the data lack, with the measured value; nothing where they allow the claims to be tested."""
        low, high = (found.low, found.high) if found.n > 1 else (found.estimate, found.estimate)
        if not found.censored and decide(low, high, self.relation, self.threshold) == "holds":
            return ""
        value = f"{found.estimate:.3g} [{low:.3g}, {high:.3g}]" if found.n > 1 else f"{found.estimate:.3g}"
        return f"{self.statement} must be {self.relation} {self.threshold:g}, and is {value}"


def judge_all(
    claims: Sequence[Claim],
    table: pd.DataFrame,
    spec: Spec,
    judged: bool = True,
    precondition: Precondition | None = None,
) -> dict[str, Judgement]:
    """By id, what ``claims`` come out as on ``table``; 'not testable' where it misses the ``precondition``.

    What is exact asks nothing of the data, and is judged on any.
    """
    found = {claim.id: judge(claim, table, spec, judged) for claim in claims}
    if precondition is None or not judged:
        return found
    reason = precondition.lacking(precondition.measured(table, spec))
    if not reason:
        return found
    untestable = [claim.id for claim in claims if claim.kind != "exact"]
    lacked = {name: replace(found[name], verdict="not testable", p=math.nan, reason=reason) for name in untestable}
    return {**found, **lacked}


def _on_scale(claim: Claim, values: pd.Series) -> pd.Series:
    """The values that the claim's scale can show: a ratio of 0, or of something over 0, is as undefined as NaN."""
    if claim.kind not in ("mean", "equal"):
        return values
    values = values[values.abs() < math.inf]
    if claim.scale == "log":
        return values[values > 0]
    if claim.scale == "identity" or claim.continuity is not None:
        return values
    return values[(values > (0 if claim.scale == "logit" else -1)) & (values < 1)]


def _judge_exact(claim: Claim, values: pd.Series, step: float | None) -> Judgement:
    """The value farthest from the threshold decides: an identity has no exceptions."""
    if values.empty:
        return Judgement(math.nan, math.nan, math.nan, "undecided")
    worst = float(values.iloc[int((values - claim.threshold).abs().to_numpy().argmax())])
    verdict: Verdict = "holds" if abs(worst - claim.threshold) <= claim.tolerance else "fails"
    return Judgement(worst, worst, worst, verdict)


def _judge_proportion(claim: Claim, values: pd.Series, step: float | None) -> Judgement:
    if values.empty:
        return Judgement(math.nan, math.nan, math.nan, "undecided")
    interval = stats.clopper_pearson(int(values.sum()), len(values))
    verdict = decide(interval.low, interval.high, claim.relation, claim.threshold)
    p = stats.binomial_p_value(int(values.sum()), len(values), claim.threshold, claim.relation)
    return Judgement(interval.estimate, interval.low, interval.high, verdict, p=p)


def _judge_mean(claim: Claim, values: pd.Series, step: float | None) -> Judgement:
    if len(values) < 2:
        estimate = float(values.iloc[0]) if len(values) else math.nan
        return Judgement(estimate, math.nan, math.nan, "undecided")
    interval = stats.t_interval(values.to_numpy(), scale=claim.scale, continuity=step)
    verdict = decide(interval.low, interval.high, claim.relation, claim.threshold)
    p = stats.p_value(values.to_numpy(), claim.threshold, claim.relation, scale=claim.scale, continuity=step)
    return Judgement(interval.estimate, interval.low, interval.high, verdict, p=p)


def _judge_equal(claim: Claim, values: pd.Series, step: float | None) -> Judgement:
    """Equivalence: the interval inside the bounds holds, outside fails; the p-value is the larger of two one-sided.

    Schuirmann (1987). The values are signed: a folded distance could not come out near zero.
    """
    if len(values) < 2:
        estimate = float(values.iloc[0]) if len(values) else math.nan
        return Judgement(estimate, math.nan, math.nan, "undecided")
    low, high = claim.bounds
    measured = values.to_numpy()
    interval = stats.t_interval(measured, scale=claim.scale, continuity=step)
    sides = (decide(interval.low, interval.high, ">", low), decide(interval.low, interval.high, "<", high))
    verdict: Verdict = "fails" if "fails" in sides else "holds" if sides == ("holds", "holds") else "undecided"
    p = max(
        stats.p_value(measured, low, ">", scale=claim.scale, continuity=step),
        stats.p_value(measured, high, "<", scale=claim.scale, continuity=step),
    )
    return Judgement(interval.estimate, interval.low, interval.high, verdict, p=p)


_JUDGES: Mapping[Kind, Callable[[Claim, pd.Series, float | None], Judgement]] = {
    "exact": _judge_exact,
    "all": _judge_proportion,
    "equal": _judge_equal,
    "mean": _judge_mean,
}
