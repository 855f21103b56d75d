"""How well an example's score tells that it belongs to a group, such as that of the corrupted ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from genbook.gradients import gradient_norms
from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View


def el2n(outputs: Tensor, labels: Tensor) -> Tensor:
    """Length of softmax output less one-hot label, [..., n]: EL2N of one network (Paul et al., 2021, definition 2.2).

    Args:
        outputs: [..., C, n].
        labels: [..., n], classes.
    """
    error = outputs.softmax(-2)
    error.scatter_add_(-2, labels.unsqueeze(-2), -torch.ones_like(error[..., :1, :]))
    return torch.linalg.vector_norm(error, dim=-2)


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
class ExampleScores(Probe):
    """AUC of each example's EL2N, gradient norm and loss for being in ``group``; quantities "AUC of ...".

    The gradient norm is GraNd (Paul et al., 2021, definition 2.1) of one network, without the mean over several.
    """

    on: str = "train"
    group: str = "corrupted"

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward and one backward pass over the examples."""
        scores = {
            "EL2N": el2n(view.outputs(self.on), view.sets.targets(self.on)),
            "gradient norm": self._norms(view),
            "loss": view.values(self.on),
        }
        positive = view.sets.groups(self.on)[self.group].cpu().numpy()
        for name, values in scores.items():
            found = torch.from_numpy(auc(values.detach().cpu().numpy(), positive))
            yield Measurement(f"AUC of {name}", found, self.on, "given", self.group)

    def _norms(self, view: View) -> Tensor:
        """Gradient norms [R, n]; NaN for a replica that has diverged and is about to leave the stack."""
        losses = view.values(self.on)
        norms = torch.full_like(losses, torch.nan)
        finite = torch.nonzero(losses.isfinite().all(1)).flatten().tolist()
        if finite:
            part = view if len(finite) == len(losses) else view.substack(finite)
            inputs, targets = part.sets.inputs(self.on), part.sets.targets(self.on)
            norms[finite] = gradient_norms(part.model, part.loss.module(), inputs, targets)
        return norms
