"""What the figures are drawn from: powers over seeds, and the phase diagram in which the reader moves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from genbook.base.stats import t_interval
from genbook.studies.batches.noise_regimes import claims
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec
from genbook.tables.readings import geometric_mean

#: What a page calls what grows and falls with the size of the training set.
NAMED = {"weight change": "change", "training time": "time", "temperature": "$T_c$"}
#: Numbers that are one part in at most so many are written so.
_AS_PARTS = 1024


def in_words(number: float) -> str:
    """1/64 for 0.015625: temperatures and scales are parts of one where they are."""
    whole = 1 / number
    return f"1/{whole:g}" if number < 1 and whole == int(whole) and whole <= _AS_PARTS else f"{number:,g}"


def against_size(table: pd.DataFrame, spec: NoiseRegimesSpec) -> dict[str, pd.Series]:
    """What lazy networks have at the lowest temperature, over what they have on the fewest examples: by size.

    ``weight change`` and ``training time``; ``temperature``: that at which they leave the lazy regime.
    """
    found = {
        quantity: claims.networks(table, quantity, scale=spec.lazy)[spec.temperatures[0]].unstack("size")
        for quantity in ("weight change", "training time")
    }
    means = {name: geometric_mean(values[list(spec.train_sizes)]) for name, values in found.items()}
    means["temperature"] = geometric_mean(claims.leaving(table, spec))
    return {name: values / values.iloc[0] for name, values in means.items()}


def diagram(tables: Mapping[str, tuple[pd.DataFrame, NoiseRegimesSpec]]) -> pd.DataFrame:
    """The phase diagram over seeds, by data set.

    Returns:
        A row for each ``images``, ``scale`` and ``temperature``, which are told by their places among the others too
        (``rung``, ``warmth``) and by what a page calls them (``called``, ``parts``): test error with its interval
        (``estimate``, ``low``, ``high``), the geometric mean of the ``change`` of weights, the mean fraction of
        ``flipped`` answers. None where no seed fits.
    """
    rows = []
    for images, (table, spec) in tables.items():
        read = {
            quantity: claims.networks(table, quantity, size=spec.diagram_size)[spec.diagram_temperatures]
            for quantity in ("test error", "weight change", "flipped units")
        }
        for rung, scale in enumerate(spec.scales):
            at = {quantity: values.xs(scale, level="scale") for quantity, values in read.items()}
            for warmth, temperature in enumerate(spec.diagram_temperatures):
                errors = at["test error"][temperature].dropna()
                if errors.empty:
                    continue
                found = t_interval(errors)
                ends = (found.low, found.high) if np.isfinite(found.low) else (found.estimate, found.estimate)
                change = geometric_mean(at["weight change"][temperature])
                flipped = at["flipped units"][temperature].mean()
                place = [images, scale, temperature, rung, warmth, in_words(scale), in_words(temperature)]
                rows.append([*place, found.estimate, *np.clip(ends, 0, 1), float(change), float(flipped)])
    told = ["images", "scale", "temperature", "rung", "warmth", "called", "parts"]
    return pd.DataFrame(rows, columns=[*told, "estimate", "low", "high", "change", "flipped"])
