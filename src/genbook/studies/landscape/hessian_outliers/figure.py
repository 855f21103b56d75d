"""What the figures of spectra are drawn from: eigenvalues by rank, and the loss along straight paths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.landscape.hessian_outliers import claims
from genbook.studies.landscape.hessian_outliers.spec import HessianOutliersSpec
from genbook.tables import tidy

#: How many of the kept eigenvalues a figure shows.
SHOWN = 25


def spectra(tables: Mapping[str, tuple[pd.DataFrame, HessianOutliersSpec]]) -> pd.DataFrame:
    """The largest eigenvalues over the very largest, their geometric means over seeds with intervals.

    Args:
        tables: by what a page calls the images.

    Returns:
        Columns ``images``, ``classes``, ``rank``, ``estimate``, ``low``, ``high``, and its ``kind``: "outlier"
        from the fraction of the largest on that counts as one, else "bulk".
    """
    parts = []
    for called, (table, spec) in tables.items():
        rows = tidy.select(table, data="images", width=spec.width, quantity="eigenvalue")
        rows = rows[rows["classes"].isin(spec.classes)]
        first = rows[rows["place"] == 1].set_index(["seed", "classes"])["value"]
        over = first.reindex(pd.MultiIndex.from_frame(rows[["seed", "classes"]])).to_numpy()
        rows = rows.assign(rank=rows["place"].astype(int), part=rows["value"] / over)
        rows = rows[(rows["rank"] > 1) & (rows["rank"] <= SHOWN) & (rows["part"] > 0)]
        found = summaries(rows, "rank", "part", ["classes"], scale="log")
        kind = np.where(found["estimate"] >= spec.outlier, "outlier", "bulk")
        parts.append(found.assign(images=called, kind=kind))
    return pd.concat(parts, ignore_index=True)


def counts(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """Mean number of outliers by number of classes."""
    return claims.by_classes(table, spec, "outliers").mean()
