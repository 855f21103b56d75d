"""Networks and perceptrons trained until they fit, and what noise has made of them by then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from genbook.base.progress import report
from genbook.studies.batches.noise_regimes import networks, perceptrons
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec

COLUMNS = ["seed", "model", "density", "scale", "size", "temperature", "quantity", "value"]
Row = tuple[int, str, float, float, int, float, str, float]


def run(spec: NoiseRegimesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: a step has too little to do for it."""
    rows = list(_of_perceptrons(spec, seeds))
    for done, seed in enumerate(seeds):
        report(0.3 + 0.7 * done / len(seeds), f"networks of seed {seed}")
        rows += _of_networks(spec, seed)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["seed", *COLUMNS[1:-2]], kind="stable", ignore_index=True)


def _of_perceptrons(spec: NoiseRegimesSpec, seeds: Sequence[int]) -> Iterator[Row]:
    for one in perceptrons.trained(spec, seeds):
        fits = not np.isnan(one.steps)
        found = {
            "training time": one.steps * spec.perceptron_temperature * spec.perceptron_batch,
            "signal": one.weights[0] if fits else np.nan,
            "noise": float(np.linalg.norm(one.weights[1:])) if fits else np.nan,
        }
        for quantity, value in found.items():
            place = one.density, 1.0, one.size, spec.perceptron_temperature
            yield one.seed, "perceptron", *place, quantity, value


def _of_networks(spec: NoiseRegimesSpec, seed: int) -> Iterator[Row]:
    for size in spec.sizes:
        for one in networks.trained(spec, seed, size):
            fits = not np.isnan(one.steps)
            found = {
                "training time": one.steps * one.temperature * spec.batch_size,
                "weight change": one.change,
                "flipped units": one.flipped,
                "test error": one.error,
            }
            for quantity, value in found.items():
                value = value if fits else np.nan
                yield seed, "network", 0.0, one.scale, size, one.temperature, quantity, value
