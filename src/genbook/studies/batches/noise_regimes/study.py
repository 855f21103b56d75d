"""Noise, scale and size of the training set: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.data.sizes import POOL, check_pool
from genbook.studies import Study
from genbook.studies.batches.noise_regimes.claims import CLAIMS
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec
from genbook.tables.quantities import COLUMNS

#: What a control does not need, made small.
_FEW_PERCEPTRONS = {"perceptron_sizes": [8, 16], "densities": [3.0, 4.0]}
_FEW_NETWORKS = {
    "train_sizes": [16, 32],
    "temperatures": [0.125, 0.25],
    "diagram_scales": [1024.0],
    "diagram_size": 16,
}


def _replication(spec: NoiseRegimesSpec) -> Mapping[str, Any]:
    """Other images; and for perceptrons, whose points are made up whole, twice the dimensions."""
    other = {"inputs": min(2 * spec.inputs, 1000)}
    if not spec.dataset.startswith("fashion"):
        return {"dataset": "fashion-small", **other}
    most = POOL["digits"]  # of which there are fewer
    sizes = sorted({min(size, most - spared) for spared, size in enumerate(reversed(spec.train_sizes))})
    return {"dataset": "digits", "train_sizes": sizes, "diagram_size": min(spec.diagram_size, most), **other}


def _fits(spec: NoiseRegimesSpec) -> None:
    check_pool(spec.dataset, {"train_sizes": spec.train_sizes[-1]})
    check_pool(spec.dataset, {"diagram_size": spec.diagram_size})


STUDY = Study(
    name="noise_regimes",
    title="Noise, scale and size of the training set",
    version=1,
    spec=NoiseRegimesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={**_FEW_NETWORKS, **_FEW_PERCEPTRONS, "width": 4, "steps": 100},
            seconds=2,
            judged=False,
        ),
        # Too few seeds, sizes and temperatures to judge by: it shows what the published table says.
        "quick": Profile(
            seeds=2,
            parameters={
                "train_sizes": [64, 128, 256],
                "temperatures": [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4],
                "diagram_scales": [0.25, 16.0],
                "diagram_size": 128,
                "perceptron_sizes": [32, 64, 128],
            },
            seconds=12,
            judged=False,
        ),
        "full": Profile(seeds=20, parameters={}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "model": "'network' (one hidden layer, on images) or 'perceptron' (on points)",
        "density": "power χ with which the density of a perceptron's points rises from the boundary; 0 for networks",
        "scale": "scale of initialisation: one over the margin that every example must keep; 1 for perceptrons",
        "size": "examples in the training set, P",
        "temperature": "learning rate over batch size, T",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "training time": "learning rate times the steps until all examples are beyond the margin; missing where "
        "that was not reached",
        "weight change": "distance of a network's weights from the first ones, over the length of these; missing where "
        "it never fitted",
        "flipped units": "fraction of the hidden units' answers to test images, on or off, that are no longer the "
        "first ones; missing where it never fitted",
        "test error": "fraction of the test images on the wrong side; missing where it never fitted",
        "signal": "a perceptron's weight along the direction that decides the label; missing where it never fitted",
        "noise": "length of its weights across that direction; missing where it never fitted",
    },
    replication=_replication,
    replication_seed=2000,
    controls={
        "a wide margin": {
            "lazy": 0.25,
            "diagram_scales": [2.0],
            "train_sizes": [256, 512],
            "temperatures": [1 / 64, 1 / 32, 1 / 16],
            **_FEW_PERCEPTRONS,
        },
        "copies": {"distinct": 64, "diagram_size": 64, "diagram_scales": [1024.0], **_FEW_PERCEPTRONS},
        "little more noise": {
            "temperatures": [1 / 64, 1 / 32],
            **_FEW_PERCEPTRONS,
        },
        "a gap": {"gap": 2.0, **_FEW_NETWORKS},
    },
    varies=("training subset", "order", "initialisation"),
    fits=_fits,
)
