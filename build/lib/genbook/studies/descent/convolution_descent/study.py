"""Convolutional networks by their channels: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import ParameterError, Profile
from genbook.data import SIGNALS
from genbook.data.sizes import check_pool
from genbook.studies import Study, other_images
from genbook.studies.descent.convolution_descent.claims import CLAIMS
from genbook.studies.descent.convolution_descent.design import ConvolutionDescentSpec, design
from genbook.studies.learning import LEARNS


def _fits(spec: ConvolutionDescentSpec) -> None:
    """Refuse more examples than the pool has, and smaller sets that are no smaller."""
    if len(set(spec.training_sets())) < len(spec.training_sets()):
        raise ParameterError(
            f"parameter smaller = {list(spec.smaller)}: want sizes that differ from one another and from n_train, got "
            f"{list(spec.training_sets())}"
        )
    check_pool(spec.dataset, {"n_train": spec.n_train})


def _replication(spec: ConvolutionDescentSpec) -> Mapping[str, Any]:
    """Images, on which a network with half as many channels has about as many parameters as one on signals."""
    changes = dict(other_images(spec))
    if spec.dataset in SIGNALS:
        halves = {channels: max(1, channels // 2) for channels in spec.channels}
        changes |= {"channels": sorted(set(halves.values())), "critical": halves[spec.critical]}
    return changes


#: Small enough to be seen on every page; too few examples, steps and seeds to judge by.
_SHOWN = {
    "n_train": 800,
    "channels": [3, 6, 12, 24],
    "critical": 12,
    "smaller": [0.5, 0.75],
    "steps": 800,
    "n_measurements": 10,
}

STUDY = Study.designed(
    design,
    name="convolution_descent",
    title="Convolutions by channels",
    version=1,
    spec=ConvolutionDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 60,
                "channels": [2, 4, 6, 8],
                "critical": 4,
                "smaller": [0.5, 0.75],
                "batch_size": 30,
                "steps": 20,
                "n_measurements": 6,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=2, parameters=_SHOWN, seconds=25, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=12_000),
    },
    claims=CLAIMS,
    conditions={
        "channels": "channels of the first convolution",
        "examples": "size of the training set",
    },
    fits=_fits,
    replication=_replication,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "no noise": {"noise": 0.0},
        # Networks that are wide enough to fit labels without meaning, as those compared have fitted the wrong ones.
        "shuffled labels": {"labels": "shuffled", "channels": [20, 28, 40, 60], "critical": 20, "smaller": [0.5, 0.75]},
    },
)
