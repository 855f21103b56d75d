"""XOR clusters: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.xor.xor_clusters.claims import CLAIMS
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec


def _confirmation(spec: XorClustersSpec) -> Mapping[str, Any]:
    """Other data of the kind: more examples and dimensions, clusters by lot, of unequal weight, with noise ±1."""
    return {
        "examples": spec.examples * 3 // 2,
        "dimension": spec.dimension * 3 // 4 * 2,
        "dimensions": [dimension * 3 // 4 * 2 for dimension in spec.dimensions],
        "counts": "by lot",
        "first_pair": 0.6,
        "noise": "signs",
        "flips": 0.2,
    }


#: For null worlds in which only the main trainings matter.
_SHORT = {"strengths": [], "tilts": [0.0], "margins": [0.05], "starts": [0.001]}

STUDY = Study(
    name="xor_clusters",
    title="XOR clusters",
    version=1,
    spec=XorClustersSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "examples": 20,
                "dimension": 600,
                "units": 40,
                "strength": 8.0,
                "weak_strength": 5.0,
                "steps": 6,
                "strengths": [3.0, 6.0, 12.0],
                "dimensions": [200, 400, 600],
                "diagram_steps": 4,
                "margins": [0.05, 20.0],
                "tilts": [0.0, 0.4],
                "starts": [0.001, 3.0],
                "start_steps": 30,
                "test_points": 60,
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
                "starts": [0.001, 0.3, 1.0, 3.0, 10.0, 30.0],
                "start_steps": 400,
                "margins": [0.05, 0.5, 1.0, 2.0, 5.0, 20.0],
            },
            seconds=160,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "run": "'base'; 'weak' clusters; 'separable' labels; 'no flips'; counts 'by lot'; a comparison by 'tilt', "
        "'step size' or 'start'; 'diagram' of strength and dimension",
        "dimension": "dimensions of an input, p",
        "strength": "length of the cluster means, ‖μ‖",
        "margin": "step size, as the margin y f that one step gives to a training example",
        "start": "size of the initial pre-activations over what the first step adds",
        "tilt": "share by which +μ has more training examples than −μ",
        "step": "steps taken",
        "item": "number of the fresh point or unit, −1 for what concerns all",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "train accuracy": "share of the training examples classified as given",
        "train accuracy, clean": "the same, of those with their true label",
        "train accuracy, flipped": "the same, of those with a flipped label",
        "train loss": "mean logistic loss on the training examples",
        "test accuracy": "share of the fresh points classified as their cluster says",
        "test accuracy, linear part": "the same, by the linear part of the network alone",
        "test accuracy, even part": "the same, by the even part alone",
        "even share": "mean square of the even part over that of the output, on fresh points",
        "likeness to the formula": "squared cosine between outputs and (η/8n) Σ y_i ⟨x_i, x⟩ over fresh points",
        "agreement with the formula": "share of the fresh points on which the two have one sign",
        "margin from the linear part, clean": "mean of y times the linear part over clean training examples",
        "margin from the linear part, flipped": "the same over flipped ones",
        "margin from the even part, clean": "mean of y times the even part over clean training examples",
        "margin from the even part, flipped": "the same over flipped ones",
        "cosine with own mean": "mean |cosine| of units' weights with μ₁ (units of the + sign) or μ₂ (of the − sign)",
        "cosine with other mean": "mean |cosine| with the other of the two",
        "m-coherence": "m-coherence of the per-example gradients of all training examples",
        "coherence, clean": "mean product of two clean examples' gradients over their mean square length, "
        "in units of ‖μ‖²/‖x‖²",
        "coherence, flipped": "the same for two flipped ones",
        "coherence, clean with flipped": "the same for a clean and a flipped one",
        "output": "output on one fresh point",
        "formula": "(η/8n) Σ y_i ⟨x_i, x⟩ at that point",
        "unit along first mean": "cosine of one unit's weights with μ₁; units of sign + and − in turn",
        "unit along second mean": "the same with μ₂",
    },
    confirm=_confirmation,
    nulls={
        "large start": {**_SHORT, "start": 100.0},
        "separable": {"labels": "separable", "strengths": []},
        "by lot": {**_SHORT, "labels": "by lot"},
        "few dimensions": {**_SHORT, "dimension": 10},
        "noise of one length": {
            **_SHORT,
            "strengths": [8.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0],
            "dimensions": [1000, 2000, 4000],
            "noise_length": "fixed",
        },
    },
    varies=("training points", "test points", "clusters where by lot", "initialisation"),
)
