"""How well an example's score tells that it belongs to a group, such as that of the corrupted ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy
import torch

from genbook.gradients import error_norms, gradient_norms
from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View


def auc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: the chance that a positive example scores above a negative one, ties counting half.

    Args:
        scores: [R, n].
        positive: [R, n], boolean; NaN comes back for a row with examples of one kind only.
    """
    ranks = scipy.stats.rankdata(scores, axis=1)
    above, below = positive.sum(1), (~positive).sum(1)
    area = (ranks * positive).sum(1) - above * (above + 1) / 2
    return area / np.where(above * below > 0, above * below, np.nan)


@dataclass(frozen=True)
class ExampleScores(Probe):
    """AUC of each example's EL2N, gradient norm and loss for being in ``group``; quantities "AUC of ...".

    EL2N and the gradient norm are the scores of Paul et al. (2021), definitions 2.2 and 2.1, of one network.
    """

    on: str = "train"
    group: str = "corrupted"

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward and one backward pass over the examples."""
        inputs, targets = view.sets.inputs(self.on), view.sets.targets(self.on)
        scores = {
            "EL2N": error_norms(view.outputs(self.on).transpose(1, 2), targets),
            "gradient norm": gradient_norms(view.model, view.loss.module(), inputs, targets, allow_nonfinite=True),
            "loss": view.values(self.on),
        }
        positive = view.sets.groups(self.on)[self.group].cpu().numpy()
        for name, values in scores.items():
            found = torch.from_numpy(auc(values.detach().cpu().numpy(), positive))
            yield Measurement(f"AUC of {name}", found, self.on, "given", self.group)
