"""What is claimed of massive label noise."""

from __future__ import annotations

import pandas as pd

from genbook.studies.measured import half_test_image
from genbook.studies.noise.massive_noise.design import MassiveNoiseSpec
from genbook.tables.readings import chance, curve, final
from genbook.tables.statistics import claim, difference, ratio

#: The part of the training, of the steps, in which gradients are those of random first weights; it is left out.
BEGINNING = 0.05


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at the end: rows seeds, columns (images, copies, batch size)."""
    return final(table, "test accuracy", "images", "copies", "batch size")


def coherence(table: pd.DataFrame, group: str) -> pd.DataFrame:
    """m-coherence of as many clean or corrupted labels: rows seeds, columns steps; may be empty."""
    return curve(table, "m-coherence at equal size", group=group).unstack("step")


def more_lost(table: pd.DataFrame, spec: MassiveNoiseSpec, worse: tuple[int, int]) -> pd.Series:
    """By seed, what a worse condition (images, batch size) costs under dilution, beyond what it costs without."""
    ends, usual = at_end(table), (spec.n_train, spec.batch_size)

    def cost(copies: int) -> pd.Series:
        better, poorer = ((images, copies, batch) for images, batch in (usual, worse))
        return ends[better] - ends[poorer]

    return cost(spec.dilution) - cost(0)


@ratio("times the m-coherence of as many random labels")
def agreement(table: pd.DataFrame, spec: MassiveNoiseSpec) -> pd.Series:
    """By seed, mean m-coherence of right labels over that of as many random ones, after the beginning of training."""
    clean, corrupted = coherence(table, "clean"), coherence(table, "corrupted")
    later = [step for step in clean.columns if step > BEGINNING * spec.steps]
    return clean[later].mean(axis=1) / corrupted[later].mean(axis=1)


def _half_example_of_right(table: pd.DataFrame, spec: MassiveNoiseSpec) -> float:
    """Half an example over those classified rightly, in which the logarithm of an accuracy is measured."""
    accuracy = float(at_end(table)[spec.n_train, spec.dilution, spec.batch_size].mean())
    step = half_test_image(table, spec)
    return step / max(accuracy, step) if accuracy == accuracy else step


CLAIMS = (
    claim(
        "survives-dilution",
        "With many random labels for each right one, a network still classifies new images far above chance.",
        "rolnick-et-al-2017",
        ratio(
            "times chance, at the end of training",
            lambda table, spec: at_end(table)[spec.n_train, spec.dilution, spec.batch_size] / chance(table),
            continuity=_half_example_of_right,
        ),
        origin="paper",
        reported="more than 9 times, on MNIST with 100 random labels for each right one",
        above=3,
        control="shuffled labels",
    ),
    claim(
        "dilution-needs-images",
        "Diluted labels need more images: fewer of them cost much more than they cost without random labels.",
        "rolnick-et-al-2017",
        difference(
            "difference of the losses in test accuracy",
            lambda table, spec: more_lost(table, spec, (min(spec.training_sets()), spec.batch_size)),
            continuity=half_test_image,
        ),
        origin="paper",
        above=0.05,
        control="right copies",
    ),
    claim(
        "dilution-needs-batches",
        "Diluted labels need larger batches: small ones cost much more than they cost without random labels.",
        "rolnick-et-al-2017",
        difference(
            "difference of the losses in test accuracy",
            lambda table, spec: more_lost(table, spec, (spec.n_train, min((spec.batch_size, *spec.other_batches)))),
            continuity=half_test_image,
        ),
        origin="paper",
        above=0.05,
        control="right copies",
    ),
    claim(
        "right-labels-agree",
        "Gradients of the few right labels agree with each other, those of as many random ones do not.",
        "chatterjee-zielinski-2022",
        agreement,
        origin="consequence",
        above=3,
        control="shuffled labels",
    ),
)
