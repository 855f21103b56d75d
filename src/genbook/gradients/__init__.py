"""Per-example gradients without writing them down: coherence, Gram matrices, robust averages, scores.

>>> c = coherence(model, nn.CrossEntropyLoss(), inputs, targets, groups=corrupted)
>>> c.m_coherence, c.layers["0"].m_coherence, c.groups.between
"""

from genbook.gradients.gram_matrix import Gram, gram
from genbook.gradients.lens import coherence
from genbook.gradients.measured import Coherence, Groups
from genbook.gradients.refusals import Refused
from genbook.gradients.robust import (
    Clipped,
    Mean,
    MedianOfMeans,
    RunningMean,
    RunningMedian,
    Winsorized,
    robust_average,
)
from genbook.gradients.rules import rule
from genbook.gradients.scores import el2n, error_norms, gradient_norms, grand, signal_to_noise

__all__ = [
    "Clipped",
    "Coherence",
    "Gram",
    "Groups",
    "Mean",
    "MedianOfMeans",
    "Refused",
    "RunningMean",
    "RunningMedian",
    "Winsorized",
    "coherence",
    "el2n",
    "error_norms",
    "gradient_norms",
    "gram",
    "grand",
    "robust_average",
    "rule",
    "signal_to_noise",
]
