"""What the figure is drawn from in which the reader's own stop is compared with the rules'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from genbook.studies.stopping.stopping_rules import claims


def priced(
    table: pd.DataFrame, outcomes: pd.DataFrame, steps: Sequence[int], called: Mapping[str, str]
) -> dict[str, pd.DataFrame]:
    """Test accuracy that is lost against the oracle, by level of noise, means over seeds.

    ``rules``: by each rule of ``outcomes`` (`claims.outcomes`), which the page may have ``called`` otherwise;
    ``yours``: by a stop of all runs at each of ``steps``.
    """
    by_rule = outcomes.groupby(["rule", "noise"])["lost"].mean().unstack("noise").drop(claims.ORACLE)
    accuracies = claims.accuracy_on(table, "second half")
    reached = outcomes[outcomes["rule"] == claims.ORACLE].set_index(["seed", "noise"])["accuracy"]
    by_step = accuracies.rsub(reached, axis=0).groupby(level="noise").mean().T.reindex(list(steps), method="nearest")
    return {
        "rules": by_rule.rename(index=called).stack().rename("lost").reset_index(),
        "yours": by_step.stack().rename("lost").rename_axis(["step", "noise"]).reset_index(),
    }
