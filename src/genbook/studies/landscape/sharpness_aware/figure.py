"""What the figures of flatness are drawn from: sharpness of rescaled networks, and errors of methods."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.landscape.sharpness_aware import claims
from genbook.studies.landscape.sharpness_aware.spec import METHODS, SharpnessAwareSpec
from genbook.tables import tidy

#: Colours of the methods.
INKS = {"SGD": "random", "SAM": "real", "SAF": "clean", "random": "control"}


def rescaled(tables: Mapping[str, tuple[pd.DataFrame, SharpnessAwareSpec]]) -> pd.DataFrame:
    """The largest eigenvalue of rescaled networks over seeds, and the test error that all of a method's have.

    Args:
        tables: by what a page calls the images.

    Returns:
        Columns ``images``, ``method``, ``scale``, ``rung`` (the scale's place), ``estimate``, ``low``, ``high`` and
        ``error``.
    """
    parts = []
    for called, (table, _) in tables.items():
        rows = tidy.select(table, quantity="sharpness", noise=0.0)
        rows = rows[rows["method"].isin(("SGD", "SAM"))]
        found = summaries(rows, "scale", "value", ["method"], scale="log")
        errors = claims.ends(table, "test error", 0.0).mean()
        rungs = {scale: rung for rung, scale in enumerate(sorted(found["scale"].unique()))}
        parts.append(
            found.assign(images=called, rung=found["scale"].map(rungs), error=found["method"].map(errors.to_dict()))
        )
    return pd.concat(parts, ignore_index=True)


def compared(table: pd.DataFrame, spec: SharpnessAwareSpec) -> pd.DataFrame:
    """Test error with wrong labels by method and for plain descent that stops as SAM ends: rows seeds."""
    errors = claims.ends(table, "test error", spec.noise)[list(METHODS)]
    level = claims.ends(table, "train loss", spec.noise)["SAM"]
    return errors.assign(stopped=claims.stopped(table, spec.noise, level))
