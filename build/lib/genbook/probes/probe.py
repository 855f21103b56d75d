"""What a probe is: a quantity with its schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from genbook.base.when import Epochs, MeasuringSchedule

if TYPE_CHECKING:
    from genbook.training.view import View


@dataclass
class Measurement:
    """One quantity of R replicas: `values` [R], and what tells it from others of its kind.

    Rows whose `present` [R] is false are left out: the replica has no such group.
    """

    quantity: str
    values: Tensor
    on: str = ""
    labels: str = ""
    group: str = ""
    layer: str = ""
    present: Tensor | None = None


@dataclass(frozen=True)
class Probe:
    """A quantity with its schedule; a subclass measures it on a `View`."""

    at: MeasuringSchedule = field(default_factory=Epochs, kw_only=True)

    def measure(self, view: View) -> Iterable[Measurement]:
        """What there is to say of the replicas in view."""
        raise NotImplementedError(f"{type(self).__name__} must define measure(view)")
