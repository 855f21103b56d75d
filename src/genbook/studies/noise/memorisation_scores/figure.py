"""What the figure is drawn from in which the reader draws a line through the memorisation scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.studies.noise.memorisation_scores import claims

#: Scores of an example that memorisation can be held against.
OTHERS = ("own share", "EL2N", "cosine with the others", "cosine with new images")
CUTS = tuple(round(0.05 * k, 2) for k in range(21))


def line_through(table: pd.DataFrame, settings: Sequence[str]) -> dict[str, pd.DataFrame]:
    """``examples`` of the first seed with their scores, and what a threshold on memorisation takes out of them.

    ``counted``: by ``cut``, how many are ``taken`` of ``of``, and how many ``wrong`` labels among them of ``all
    wrong``; ``parts``: the same as fractions. By setting (``labels``).
    """
    seed = min(table["seed"])
    examples = pd.concat(
        claims.scores(table, labels).loc[seed].reset_index().assign(labels=labels) for labels in settings
    )[["labels", "example", "seen", "group", "memorisation", *OTHERS]]
    counts = []
    for labels, rows in examples.groupby("labels"):
        wrong = rows["group"] == "corrupted"
        for cut in CUTS:
            taken = rows["memorisation"] >= cut
            counts.append([labels, cut, int(taken.sum()), len(rows), int((taken & wrong).sum()), int(wrong.sum())])
    counted = pd.DataFrame(counts, columns=["labels", "cut", "taken", "of", "wrong", "all wrong"])
    parts = {
        "taken, of all": counted["taken"] / counted["of"],
        "corrupted, of those taken": counted["wrong"] / counted["taken"].replace(0, np.nan),
        "taken, of the corrupted": counted["wrong"] / counted["all wrong"].replace(0, np.nan),
    }
    tall = counted.assign(**parts).melt(["labels", "cut"], list(parts), "part", "value")
    return {"examples": examples, "counted": counted, "parts": tall}
