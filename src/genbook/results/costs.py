"""What a seed of a setting costs, as it was measured: nothing is estimated from the size of anything.

Every part says how long it took and how much memory. A setting's cost is that of parts with the very same parameters,
whatever code computed them; where there is none, that of the dearest other setting of the same request, which trains as
much on other data. Where that is not known either, nothing is.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genbook.results import published
from genbook.results.requests import Request, Setting
from genbook.tables.store import Store


@dataclass(frozen=True)
class Cost:
    """Of one seed: seconds, and the memory of the whole process in MiB; None where nobody has measured it.

    ``measured_on``: the setting that was measured, '' where none was.
    """

    seconds: float | None = None
    mib: int | None = None
    measured_on: str = ""


#: Nobody has measured it.
UNKNOWN = Cost()


class Costs:
    """All that the store and the published tables say of costs, read once, when it is first asked for."""

    def __init__(self, device: str = "cpu") -> None:
        """``device``: 'cpu' or 'cuda'; what was computed on the other one says nothing."""
        self._device = device

    @functools.cached_property
    def _said(self) -> dict[str, list[Mapping[str, Any]]]:
        said: dict[str, list[Mapping[str, Any]]] = {}
        for store in (Store(), Store(published.root())):
            for provenance in store.provenances():
                said.setdefault(provenance["study"], []).append(provenance)
        return said

    def of(self, request: Request, setting: Setting) -> Cost:
        """What a seed of ``setting`` costs."""
        said = [*self._said.get(request.study.name, ()), *published.provenances(request.study)]
        said = [one for one in said if str(one.get("device", "")).startswith(self._device)]
        if (own := _median(said, setting, setting.name)) is not None:
            return own
        others = [_median(said, other, other.name) for other in request.settings()]
        return max((cost for cost in others if cost is not None), key=lambda cost: cost.seconds or 0.0, default=UNKNOWN)


def _median(said: Iterable[Mapping[str, Any]], setting: Setting, name: str) -> Cost | None:
    """The median seconds and the largest memory of what was computed with the setting's parameters."""
    spec = setting.spec.model_dump(mode="json")
    same = [one for one in said if one.get("spec") == spec and "wall_seconds" in one]
    if not same:
        return None
    memory = [one["peak_mib"] for one in same if one.get("peak_mib")]
    return Cost(statistics.median(one["wall_seconds"] for one in same), max(memory, default=None), name)
