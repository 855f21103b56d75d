"""What is claimed of one network on growing training sets."""

from __future__ import annotations

import numpy as np

from genbook.studies.descent.shared import end_error
from genbook.tables import peaks
from genbook.tables.readings import final
from genbook.tables.statistics import claim, difference, ratio

CLAIMS = (
    claim(
        "more-data-hurts",
        "For one network there is a range of sizes of the training set in which more data raise test error.",
        "nakkiran-et-al-2020",
        difference(
            "of test error above both sides; the place is chosen on the other seeds",
            lambda table, spec: peaks.left_out(end_error(table, "examples"))["height"],
        ),
        above=0.02,
        control="no noise",
    ),
    claim(
        "more-data-hurts-loss",
        "In that range more data raise the test loss as well.",
        "nakkiran-et-al-2020",
        ratio(
            "times the test loss on the higher side",
            lambda table, spec: np.exp(peaks.left_out(np.log(final(table, "test loss", "examples")))["height"]),
        ),
        above=1.1,
        control="no noise",
    ),
)
