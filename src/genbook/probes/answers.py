"""The class that the network gives single examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View


@dataclass(frozen=True)
class Answer(Probe):
    """The class given to each of the ``first`` examples of a set; quantity "answer", the place as the group."""

    on: str = "train"
    first: int = 100

    def measure(self, view: View) -> Iterable[Measurement]:
        """As many measurements as examples are asked about."""
        answers = view.outputs(self.on)[:, :, : self.first].argmax(1).to(torch.float64)
        for place, values in enumerate(answers.unbind(1)):
            yield Measurement("answer", values, self.on, "given", str(place))
