"""What is claimed of one network on growing training sets."""

from __future__ import annotations

from genbook.studies.descent.shared import CHOSEN, error_height, half_error_step, loss_factor
from genbook.tables.statistics import claim, difference, ratio

CLAIMS = (
    claim(
        "more-data-hurts",
        "For one network there is a range of sizes of the training set in which more data raise test error.",
        "nakkiran-et-al-2020",
        difference(
            f"of test error above both sides; {CHOSEN}",
            lambda table, spec: error_height(table, "examples"),
            half_error_step,
        ),
        above=0.02,
        origin="paper",
        control="no noise",
    ),
    claim(
        "more-data-hurts-loss",
        "For one network there is a range of sizes of the training set in which more data raise the test loss.",
        "nakkiran-et-al-2020",
        ratio(
            f"times the test loss on the higher side; {CHOSEN}",
            lambda table, spec: loss_factor(table, "examples"),
        ),
        above=1.1,
        origin="consequence",
        control="no noise",
    ),
)
