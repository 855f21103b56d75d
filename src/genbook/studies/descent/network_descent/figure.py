"""What the figures are drawn from in which the reader stops all networks, or follows a single one."""

from __future__ import annotations

import pandas as pd

from genbook.tables.readings import curve


def every_run(table: pd.DataFrame) -> pd.DataFrame:
    """Every network at every measured step: ``loss``, ``train`` and ``error`` (on its labels and on new images)."""
    found = {
        "loss": curve(table, "train loss", "width"),
        "train": 1 - curve(table, "train accuracy", "width"),
        "error": 1 - curve(table, "test accuracy", "width"),
    }
    return pd.concat(found, axis=1).dropna().reset_index()


def numbered(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """The runs after their first step, each with its number ``run`` and that of its step ``place``.

    And by number, what run it is: width and seed.
    """
    runs = runs[runs["step"] > 0]
    pairs = sorted(runs[["width", "seed"]].drop_duplicates().itertuples(index=False, name=None))
    steps = sorted(runs["step"].unique())
    return (
        runs.assign(
            run=[pairs.index(pair) for pair in zip(runs["width"], runs["seed"], strict=True)],
            place=[steps.index(step) for step in runs["step"]],
        ),
        [(int(width), int(seed)) for width, seed in pairs],
    )
