"""XOR clusters: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.xor.shared import QUANTITIES
from genbook.studies.xor.xor_clusters.claims import CLAIMS
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec
from genbook.tables.quantities import COLUMNS, meanings


def _replication(spec: XorClustersSpec) -> Mapping[str, Any]:
    """Other data of the kind: more examples and dimensions, clusters at random, of unequal weight, with noise ±1."""
    return {
        "n_train": spec.n_train * 3 // 2,
        "dimension": spec.dimension * 3 // 4 * 2,
        "dimensions": [dimension * 3 // 4 * 2 for dimension in spec.dimensions],
        "counts": "at random",
        "first_pair": 0.6,
        "input_noise": "signs",
        "noise": 0.2,
    }


#: For controls in which only the trainings of the base run matter.
_SHORT = {"strengths": [], "tilts": [0.0], "margins": [0.05], "init_scales": [0.001]}

STUDY = Study(
    name="xor_clusters",
    title="XOR clusters",
    version=2,
    spec=XorClustersSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 20,
                "dimension": 600,
                "width": 40,
                "strength": 8.0,
                "weak_strength": 5.0,
                "steps": 6,
                "strengths": [3.0, 6.0, 12.0],
                "dimensions": [200, 400, 600],
                "diagram_steps": 4,
                "margins": [0.05, 20.0],
                "tilts": [0.0, 0.4],
                "init_scales": [0.001, 3.0],
                "init_scale_steps": 30,
                "n_test": 60,
            },
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=20),
        "full": Profile(
            seeds=20,
            parameters={
                "strengths": [4.0, 5.0, 6.0, 7.0, 8.5, 10.0, 12.0, 14.0, 17.0, 20.0, 24.0, 29.0, 35.0],
                "dimensions": [500, 1000, 2000, 4000, 8000, 16_000],
                "init_scales": [0.001, 0.3, 1.0, 3.0, 10.0, 30.0],
                "init_scale_steps": 400,
                "margins": [0.05, 0.5, 1.0, 2.0, 5.0, 20.0],
            },
            seconds=160,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "run": "'base'; 'weak' clusters; 'separable' labels; 'no flips'; 'counts at random'; a comparison by "
        "'tilt', by 'margin' (the learning rate) or by 'init scale'; 'diagram' of strength and dimension",
        "dimension": "dimensions of an input, p",
        "strength": "length of the cluster means, ‖μ‖",
        "margin": "learning rate, as the margin y f that one step gives to a training example",
        "init scale": "size of the initial pre-activations over what the first step adds",
        "tilt": "fraction by which +μ has more training examples than −μ",
        "step": "full-batch steps taken",
        "item": "number of the fresh point or unit, −1 for what concerns all",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        **QUANTITIES,
        "even fraction": "mean square of the even part over that of the output, on fresh points",
        "likeness to the formula": "squared cosine between outputs and (η/8n) Σ y_i ⟨x_i, x⟩ over fresh points",
        "agreement with the formula": "fraction of the fresh points on which the two have one sign",
        "margin from the linear part, clean": "mean of y times the linear part over clean training examples",
        "margin from the linear part, flipped": "the same over flipped ones",
        "margin from the even part, clean": "mean of y times the even part over clean training examples",
        "margin from the even part, flipped": "the same over flipped ones",
        "cosine with own mean": "mean |cosine| of units' weights with μ₁ (units of the + sign) or μ₂ (of the − sign)",
        "cosine with other mean": "mean |cosine| with the other of the two",
        **meanings("m-coherence"),
        "coherence, clean": "mean product of two clean examples' gradients over their mean square length, "
        "in units of ‖μ‖²/‖x‖²",
        "coherence, flipped": "the same for two flipped ones",
        "coherence, clean with flipped": "the same for a clean and a flipped one",
        "output": "output on one fresh point",
        "formula": "(η/8n) Σ y_i ⟨x_i, x⟩ at that point",
        "unit along first mean": "cosine of one unit's weights with μ₁; units of sign + and − in turn",
        "unit along second mean": "the same with μ₂",
    },
    replication=_replication,
    controls={
        "large init scale": {**_SHORT, "init_scale": 100.0},
        "separable": {"labels": "separable", "strengths": []},
        "labels at random": {**_SHORT, "labels": "at random"},
        "few dimensions": {**_SHORT, "dimension": 10},
        "noise of one length": {
            **_SHORT,
            "strengths": [8.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0],
            "dimensions": [1000, 2000, 4000],
            "input_noise_length": "fixed",
        },
    },
    # Statistics were changed after the replication on the usual seeds had been looked at.
    replication_seed=2000,
    varies=("training points", "test points", "clusters where at random", "initialisation"),
)
