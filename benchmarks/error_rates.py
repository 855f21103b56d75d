"""How often the book's statistics are wrong: coverage and error rates of every procedure, by simulation.

    python benchmarks/error_rates.py [--draws N] [--json] [--out FILE]

Each row draws per-seed values from a known truth many times, lets the procedure of `genbook.base.claims` judge them,
and counts. What a row should be stands beside it. With 1,000 draws a rate of 2.5 % is known to one percent (two
standard errors).
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from genbook.base import stats
from genbook.base.claims import Judgement, judge
from genbook.base.seeding import generator
from genbook.base.spec import Spec
from genbook.tables import peaks
from genbook.tables.statistics import Statistic, claim, difference, fraction, half_example, order, ratio

Draw = Callable[[np.random.Generator, int], np.ndarray]  # and how many seeds
TEST_EXAMPLES = 1000


def judged(statistic: Statistic, values: np.ndarray, **relation: float) -> Judgement:
    """What a claim of this kind comes out as on these values, one a seed."""
    known = Statistic(
        lambda table, spec: pd.Series(values), statistic.kind, statistic.scale, statistic.words, statistic.continuity
    )
    return judge(claim("c", "So.", "s", known, control="none", **relation), pd.DataFrame(), Spec())


def row(procedure: str, case: str, seeds: int, what: str, rate: float, wanted: str) -> dict:
    return {
        "procedure": procedure,
        "case": case,
        "seeds": seeds,
        "what": what,
        "rate": f"{100 * rate:.1f} %",
        "should be": wanted,
    }


def coverage(draws: int) -> Iterator[dict]:
    """Of the 95 % interval of each scale, at five and at twenty seeds."""
    ranked = np.arange(5)

    def accuracies(p: float) -> Draw:
        return lambda rng, n: rng.binomial(TEST_EXAMPLES, expit(rng.normal(logit(p), 0.3, n))) / TEST_EXAMPLES

    def orders(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.array([stats.kendall_tau(ranked, ranked + rng.normal(0, 1.2, 5)) for _ in range(n)])

    half_order = order("τ", lambda table, spec: pd.Series(dtype=float), ranked=5)
    half = fraction("of them", continuity=half_example(TEST_EXAMPLES))(lambda table, spec: pd.Series(dtype=float))
    cases: list[tuple[str, Statistic, Draw, float]] = [
        ("difference", _of(difference), lambda rng, n: rng.normal(1, 2, n), 1.0),
        ("ratio, spread 1.6", _of(ratio), lambda rng, n: np.exp(rng.normal(0.7, 0.5, n)), float(np.exp(0.7))),
        *((f"accuracy {p} of {TEST_EXAMPLES}", half, accuracies(p), p) for p in (0.9, 0.98, 0.995)),
        ("Kendall's τ of 5", half_order, orders, _mean_order(orders)),
    ]
    for case, statistic, draw, truth in cases:
        for seeds in (5, 20):
            yield row(
                "t interval", case, seeds, "covers the truth", _covered(statistic, draw, truth, seeds, draws), "95 %"
            )


def grids(draws: int) -> Iterator[dict]:
    """Of a value that is read off a grid whose rungs lie farther apart than the seeds."""
    rung, truth, spread = 0.2565, 0.62, 0.08

    def on_grid(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.round(rng.normal(truth, spread, n) / rung) * rung

    told = difference("rungs", continuity=rung / 2)(lambda table, spec: pd.Series(dtype=float))
    for seeds in (5, 20):
        rate = _covered(told, on_grid, truth, seeds, draws)
        yield row("grid of rungs", "its step told", seeds, "covers the truth", rate, "95 % or more")
        silent = _rate(
            lambda rng, n: judged(_of(difference), on_grid(rng, n), above=0.5).verdict != "not judged", seeds, draws
        )
        yield row("grid of rungs", "its step not told", seeds, "is judged", silent, "0 %")


def equivalence(draws: int) -> Iterator[dict]:
    """Of the two one-sided tests of a signed difference, and of the folded distance that they replace."""
    bound, spread = 0.1, 0.16
    signed = _of(difference)
    for seeds in (5, 20):
        at_bound = _rate(lambda rng, n: _equal(signed, rng.normal(bound, spread, n), bound) == "holds", seeds, draws)
        yield row("equivalence", "truth at the bound", seeds, "holds", at_bound, "at most 2.5 %")
        at_zero = _rate(lambda rng, n: _equal(signed, rng.normal(0, spread, n), bound) == "fails", seeds, draws)
        yield row("equivalence", "truth equal", seeds, "fails", at_zero, "at most 2.5 %")
        power = _rate(lambda rng, n: _equal(signed, rng.normal(0, spread, n), bound) == "holds", seeds, draws)
        yield row("equivalence", "truth equal", seeds, "holds", power, "the more the better")
        folded = _rate(
            lambda rng, n: judged(signed, np.abs(rng.normal(0, spread, n)), below=bound).verdict == "fails",
            seeds,
            draws,
        )
        yield row("folded distance (not used)", "truth equal", seeds, "fails", folded, "–")


def selection(draws: int) -> Iterator[dict]:
    """Of a peak that is looked for where there is none, at ten widths: all seeds share the noise of one test set."""
    seed_noise, places = 2.0, 10
    for shared in (0.0, 1.0, 2.0):
        for seeds in (5, 20):

            def found(rng: np.random.Generator, n: int, halves: bool, shared: float = shared) -> bool:
                # One half of the test set has twice the variance of the whole; the seeds' own noise is in both.
                own = rng.normal(0, seed_noise, (n, places))
                width = np.sqrt(2) if halves else 1
                first, second = (own + rng.normal(0, width * shared, places) for _ in range(2))
                curves = pd.DataFrame(first)
                heights = peaks.left_out(curves, pd.DataFrame(second) if halves else None)["height"]
                return judged(_of(difference), heights.to_numpy(), above=0).verdict == "holds"

            case = f"flat curve, shared noise {shared / seed_noise:g} of a seed's"
            for halves, name in ((True, "peak, chosen on the other half"), (False, "peak, on one test set (not used)")):
                rate = _rate(lambda rng, n, halves=halves: found(rng, n, halves), seeds, draws)
                yield row(name, case, seeds, "holds", rate, "at most 2.5 %" if halves else "–")


def many(draws: int) -> Iterator[dict]:
    """Of Holm's correction over twelve claims whose truths all lie at their thresholds."""
    for seeds in (5, 20):

        def any_stays(rng: np.random.Generator, n: int) -> bool:
            p = [judged(_of(difference), rng.normal(0.3, 1, n), above=0.3).p for _ in range(12)]
            return bool((stats.holm(p) < 0.025).any())

        rate = _rate(any_stays, seeds, draws)
        yield row("Holm", "twelve claims at their thresholds", seeds, "any stays", rate, "at most 2.5 %")


def _rate(happens: Callable[[np.random.Generator, int], bool], seeds: int, draws: int) -> float:
    """In which part of the draws something happens."""
    rng = generator(seeds, "error rates")
    return float(np.mean([happens(rng, seeds) for _ in range(draws)]))


def _covered(statistic: Statistic, draw: Draw, truth: float, seeds: int, draws: int) -> float:
    def covers(rng: np.random.Generator, n: int) -> bool:
        found = judged(statistic, draw(rng, n), above=0.5 * truth)
        return found.low <= truth <= found.high

    return _rate(covers, seeds, draws)


def _of(make: Callable[..., Statistic]) -> Statistic:
    return make("so much", lambda table, spec: pd.Series(dtype=float))


def _equal(statistic: Statistic, values: np.ndarray, bound: float) -> str:
    return judged(statistic, values, equals=0, within=bound).verdict


def _mean_order(orders: Draw) -> float:
    """The mean of τ on its scale, kept from the ends as the interval keeps it."""
    rng = generator(0, "orders")
    values = orders(rng, 20_000)
    return float(stats.from_scale(stats.to_scale(values, "atanh", 0.1).mean(), "atanh"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="draws a row")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--out", type=Path, help="write the rows as CSV")
    arguments = parser.parse_args()
    if arguments.draws < 1:
        parser.error(f"--draws {arguments.draws}: want at least 1")
    rows = [
        found for procedure in (coverage, grids, equivalence, selection, many) for found in procedure(arguments.draws)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=1))
    with arguments.out.open("w", newline="") if arguments.out else sys.stdout as file:
        if arguments.out or not arguments.json:
            table = csv.DictWriter(file, rows[0], lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
