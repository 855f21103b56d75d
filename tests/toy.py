"""A study that costs nothing, for tests of what surrounds studies."""

from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.base.seeding import generator
from genbook.base.spec import Profile, Spec, parameter
from genbook.studies import Study


class ToySpec(Spec):
    dataset: Literal["digits", "mnist1d", "fashion-mnist"] = parameter("digits", "the data")
    effect: float = parameter(1.0, "mean of the values", ge=0, le=10)
    levels: tuple[float, ...] = parameter((0.0, 1.0), "levels", min_length=1)


class ToyStudy(Study):
    """Counts its computations in ``computed``: a list of (spec, seeds)."""

    computed: ClassVar[list] = []

    @property
    def module(self):
        return "genbook.base.stats"

    def run(self, spec, seeds, device):
        self.computed.append((spec, tuple(seeds)))
        draws = {seed: spec.effect + 0.01 * generator(seed, "order").normal() for seed in seeds}
        return pd.DataFrame({"seed": list(seeds), "quantity": "effect", "value": np.array(list(draws.values()))})


def toy_study(**changes):
    settings = {
        "name": "toy",
        "title": "A toy",
        "version": 1,
        "spec": ToySpec,
        "profiles": {
            "smoke": Profile(seeds=2, parameters={"levels": [0.0]}, seconds=1, judged=False),
            "quick": Profile(seeds=5, parameters={}, seconds=10),
        },
        "claims": (
            Claim(
                id="above-half",
                statement="The effect is above one half.",
                source="student-1908",
                statistic=lambda table, spec: table.set_index("seed")["value"],
                relation=">",
                threshold=0.5,
                control="nothing",
            ),
        ),
        "columns": {"seed": "the seed", "quantity": "what", "value": "how much"},
        "quantities": {"effect": "the effect"},
        "replication": lambda spec: {"dataset": "mnist1d"},
        "controls": {"nothing": {"effect": 0.0}},
    }
    return ToyStudy(**{**settings, **changes})
