"""Per-example gradients without writing them down: coherence, Gram matrices, robust averages, scores.

>>> import torch
>>> from torch import nn
>>> model, corrupted = nn.Sequential(nn.Linear(5, 3)), torch.tensor([True, False] * 4)
>>> c = coherence(model, nn.CrossEntropyLoss(), torch.ones(8, 5), torch.zeros(8, dtype=torch.long), groups=corrupted)
>>> round(float(c.m_coherence), 3)  # of eight examples that are all the same
8.0
>>> c.layers["0"].m_coherence.shape, c.groups.between.shape  # a value for each pair of groups
(torch.Size([]), torch.Size([2, 2]))
"""

from genbook.gradients.arguments import Shared
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
from genbook.gradients.scores import alignments, el2n, error_norms, gradient_norms, grand, signal_to_noise

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
    "Shared",
    "Winsorized",
    "alignments",
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
