"""How well an example's score tells that its label is wrong, watched while training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import rankdata

from genbook.gradients import gradient_norms
from genbook.probes import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training import View


def auc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: the chance that a positive example scores above a negative one, ties counting half.

    Args:
        scores: [R, n].
        positive: [R, n], boolean; NaN comes back for a row with examples of one kind only.
    """
    ranks = rankdata(scores, axis=1)
    above, below = positive.sum(1), (~positive).sum(1)
    area = (ranks * positive).sum(1) - above * (above + 1) / 2
    return area / np.where(above * below > 0, above * below, np.nan)


@dataclass(frozen=True)
class FindsCorrupted(Probe):
    """AUC of each example's EL2N, gradient norm and loss for being in ``group``; quantities "AUC of ...".

    EL2N is the length of softmax output less one-hot label, of one network at one moment (Paul et al., 2021,
    definition 2.2 without the mean over initialisations); the gradient norm is definition 2.1 without it.
    """

    on: str = "train"
    group: str = "corrupted"

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward and one backward pass over the examples."""
        targets = view.sets.targets(self.on)
        error = view.outputs(self.on).softmax(1)
        error.scatter_add_(1, targets.unsqueeze(1), -torch.ones_like(error[:, :1]))
        scores = {
            "EL2N": torch.linalg.vector_norm(error, dim=1),
            "gradient norm": self._norms(view),
            "loss": view.values(self.on),
        }
        positive = view.sets.groups(self.on)[self.group].cpu().numpy()
        for name, values in scores.items():
            found = torch.from_numpy(auc(values.detach().cpu().numpy(), positive))
            yield Measurement(f"AUC of {name}", found, self.on, "given", self.group)

    def _norms(self, view: View) -> torch.Tensor:
        """Gradient norms [R, n]; NaN for a replica that has diverged and is about to leave the stack."""
        losses = view.values(self.on)
        norms = torch.full_like(losses, torch.nan)
        finite = torch.nonzero(losses.isfinite().all(1)).flatten().tolist()
        if finite:
            part = view if len(finite) == len(losses) else view.substack(finite)
            inputs, targets = part.sets.inputs(self.on), part.sets.targets(self.on)
            norms[finite] = gradient_norms(part.model, part.loss.module(), inputs, targets)
        return norms
