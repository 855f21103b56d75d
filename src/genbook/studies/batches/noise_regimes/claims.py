"""What is claimed of temperature: it sets how far the weights go before all fits, and how long that takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from genbook.studies.batches.noise_regimes import theory
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec
from genbook.studies.measured import half_test_image
from genbook.tables import readings, tidy
from genbook.tables.statistics import Statistic, claim, difference, ratio, slope

_SOURCE = "sclocchi-et-al-2023"
#: The abstract of a talk by the same authors on the same work, which alone says how the time goes with temperature.
_TALK = "sclocchi-geiger-wyart-2023"
#: A network has left the lazy regime once so many of its units' answers to test images have changed.
LEFT = 0.1


def networks(
    table: pd.DataFrame, quantity: str, *, scale: float | None = None, size: int | None = None
) -> pd.DataFrame:
    """What was measured of the networks of one scale or one size: rows (seed, the other), columns temperatures."""
    where = {"model": "network", "quantity": quantity}
    where |= {name: value for name, value in (("scale", scale), ("size", size)) if value is not None}
    other = [name for name, value in (("scale", scale), ("size", size)) if value is None]
    return tidy.wide(table, ["seed", *other], "temperature", **where)


def perceptrons(table: pd.DataFrame, quantity: str, density: float) -> pd.DataFrame:
    """What was measured of the perceptrons of one density: rows seeds, columns sizes."""
    return tidy.wide(table, "seed", "size", model="perceptron", density=density, quantity=quantity)


def whole_power(values: pd.DataFrame) -> pd.Series:
    """A row's power of its columns; NaN where a value is missing: what never fitted is censored."""
    return readings.power(values).where(values.notna().all(axis=1))


def low(spec: NoiseRegimesSpec) -> list[float]:
    """The lower half of the temperatures, at least two: there lazy networks stay lazy."""
    return list(spec.temperatures[: max(2, (len(spec.temperatures) + 1) // 2)])


def large(spec: NoiseRegimesSpec) -> list[int]:
    """The larger half of the sizes, at least two."""
    return list(spec.train_sizes[-max(2, (len(spec.train_sizes) + 1) // 2) :])


def by_temperature(table: pd.DataFrame, spec: NoiseRegimesSpec, quantity: str) -> pd.Series:
    """The power of low temperatures with which it grows in lazy networks, the mean over sizes; one a seed."""
    found = networks(table, quantity, scale=spec.lazy)[low(spec)]
    return whole_power(found).unstack("size")[list(spec.train_sizes)].mean(axis=1, skipna=False)


def by_size(table: pd.DataFrame, spec: NoiseRegimesSpec, quantity: str) -> pd.Series:
    """The power of P with which it grows in lazy networks, the mean over low temperatures; one a seed."""
    found = networks(table, quantity, scale=spec.lazy)[low(spec)].unstack("size")
    powers = [whole_power(found[one][list(spec.train_sizes)]) for one in low(spec)]
    return pd.concat(powers, axis=1).mean(axis=1, skipna=False)


def leaving(table: pd.DataFrame, spec: NoiseRegimesSpec, level: float = LEFT) -> pd.DataFrame:
    """The temperature at which lazy networks leave the lazy regime: rows seeds, columns sizes."""
    flipped = networks(table, "flipped units", scale=spec.lazy)
    found = readings.interpolated_crossing(flipped, level, first=True).unstack("size")
    return found[list(spec.train_sizes)]


def error_by_noise(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.DataFrame:
    """Test error at the highest temperature over that at the lowest of the diagram: rows seeds, columns scales."""
    found = networks(table, "test error", size=spec.diagram_size)[spec.diagram_temperatures]
    return (found.iloc[:, -1] / found.iloc[:, 0]).unstack("scale")


def perceptron_power(table: pd.DataFrame, spec: NoiseRegimesSpec, quantity: str, density: float) -> pd.Series:
    """The power of P with which it grows in perceptrons."""
    return whole_power(perceptrons(table, quantity, density))


def _half_image(table: pd.DataFrame, spec: NoiseRegimesSpec) -> float:
    """Half of a test image, as a part of the mean test error."""
    return float(np.log1p(half_test_image(table, spec) / tidy.select(table, quantity="test error")["value"].mean()))


def _follows(words: str, read: Callable[..., pd.Series], quantity: str) -> Statistic:
    return slope(words, lambda table, spec: read(table, spec, quantity))


@slope("the power of the size with which it grows")
def leaving_power(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.Series:
    """The power of P with which the temperature of leaving grows; negative where it falls."""
    return whole_power(leaving(table, spec))


@ratio("times that at the lowest temperature, the mean over the larger half of the sizes", continuity=_half_image)
def lazy_error(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.Series:
    """What the highest temperature makes of the test error of lazy networks."""
    found = networks(table, "test error", scale=spec.lazy)[list(spec.temperatures)]
    factors = np.log(found.iloc[:, -1] / found.iloc[:, 0]).unstack("size")[large(spec)]
    return np.exp(factors.mean(axis=1, skipna=False))


@ratio("times that at the lowest temperature, at the scale where noise harms most", continuity=_half_image)
def worst_error(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.Series:
    """The same at the scale with the largest factor on the other seeds."""
    found = error_by_noise(table, spec)
    return np.exp(readings.on_other_seeds(np.log(found).T)).reindex(found.index)


@difference("the power of P at the flattest density less that at the steepest")
def density_matters(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.Series:
    """The signal's power of P where points lie nearest to the boundary, less that where they lie farthest."""
    flat, steep = (perceptron_power(table, spec, "signal", spec.densities[place]) for place in (0, -1))
    return flat - steep


@difference("the power of P less that of theory, the mean over densities")
def signal_beyond(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.Series:
    """The signal's power of P less `theory.signal_power`."""
    found = {one: perceptron_power(table, spec, "signal", one) - theory.signal_power(one) for one in spec.densities}
    return pd.DataFrame(found).mean(axis=1, skipna=False)


@difference("the power of P less so many times that of the weight, the mean over densities")
def time_beyond(table: pd.DataFrame, spec: NoiseRegimesSpec) -> pd.Series:
    """The training time's power of P less `theory.times_signal` times that of the signal."""
    found = {
        one: perceptron_power(table, spec, "training time", one)
        - theory.times_signal(one) * perceptron_power(table, spec, "signal", one)
        for one in spec.densities
    }
    return pd.DataFrame(found).mean(axis=1, skipna=False)


CLAIMS = (
    claim(
        "weights-follow-temperature",
        "The change of a lazy network's weights, once it fits, grows in proportion to the temperature.",
        _SOURCE,
        _follows("the power of the temperature with which it grows", by_temperature, "weight change"),
        equals=1,
        within=0.15,
        control="a wide margin",
        origin="paper",
        reported="A power law of the temperature.",
    ),
    claim(
        "time-follows-temperature",
        "The time that a lazy network needs to fit grows in proportion to the temperature.",
        _TALK,
        _follows("the power of the temperature with which it grows", by_temperature, "training time"),
        equals=1,
        within=0.15,
        control="a wide margin",
        origin="paper",
        reported="In proportion to the temperature, times a power of the size of the training set.",
    ),
    claim(
        "weights-grow-with-data",
        "That change of the weights grows as a power of the size of the training set.",
        _SOURCE,
        _follows("the power of the size with which it grows", by_size, "weight change"),
        above=0.2,
        control="copies",
        origin="paper",
    ),
    claim(
        "time-grows-with-data",
        "That time grows as a power of the size of the training set, and faster than the size.",
        _SOURCE,
        _follows("the power of the size with which it grows", by_size, "training time"),
        above=1,
        control="copies",
        origin="paper",
        note="That it is faster than the size follows from the derivation for the perceptron.",
    ),
    claim(
        "temperature-falls-with-data",
        "The temperature at which noise takes a network out of the lazy regime falls as a power of that size.",
        _SOURCE,
        leaving_power,
        below=-0.15,
        control="copies",
        origin="paper",
        note="Out of it is where a tenth of the units' answers to test images have changed.",
    ),
    claim(
        "noise-helps-lazy",
        "Noise lowers the test error of lazy networks that have many examples.",
        _SOURCE,
        lazy_error,
        below=0.9,
        control="little more noise",
        origin="paper",
        reported="Noise can be detrimental or instead useful, depending on the training regime.",
    ),
    claim(
        "noise-harms-somewhere",
        "There is a scale of initialisation at which noise raises the test error.",
        _SOURCE,
        worst_error,
        above=1.1,
        control="little more noise",
        origin="paper",
        reported="Noise can be detrimental or instead useful, depending on the training regime.",
        note="The scale is chosen on the other seeds. These networks have one hidden layer, those of the paper many.",
    ),
    claim(
        "density-sets-power",
        "The denser a perceptron's points lie near its boundary, the faster its informative weight grows with their "
        "number.",
        _SOURCE,
        density_matters,
        above=0.25,
        control="a gap",
        origin="paper",
        reported="The exponents depend on the density of data near the decision boundary.",
    ),
    claim(
        "signal-as-predicted",
        "That weight, at the end, grows with the number of points by the power that the argument gives.",
        _SOURCE,
        signal_beyond,
        equals=0,
        within=0.15,
        control="a gap",
        origin="consequence",
        note="The powers are those of the page's own derivation, for many points.",
    ),
    claim(
        "time-as-predicted",
        "The perceptron's training time is the power $3 + \\chi$ of that weight.",
        _SOURCE,
        time_beyond,
        equals=0,
        within=0.25,
        control="a gap",
        origin="consequence",
        note="The power is that of the page's own derivation.",
    ),
)
