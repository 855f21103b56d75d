"""Per-example gradients without writing them down: coherence, Gram matrices, robust averages, scores."""

from genbook.gradients.coherence import coherence
from genbook.gradients.measured import Coherence, Groups

__all__ = ["Coherence", "Groups", "coherence"]
