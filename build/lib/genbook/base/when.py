"""At which steps of a training something is measured: frozen settings, no torch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Every:
    """Every `steps` steps, from step 0 on; with `end`, also where a replica stops."""

    steps: int
    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return set(range(0, total + 1, self.steps))


@dataclass(frozen=True)
class Epochs:
    """Every `every` epochs, from step 0 on; with `end`, also where a replica stops."""

    every: int = 1
    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return set(range(0, total + 1, self.every * steps_per_epoch))


@dataclass(frozen=True)
class LogSpaced:
    """Step 0 and `points` steps spaced evenly on a log scale up to the last; fewer where rounding makes them meet."""

    points: int
    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {0, *np.geomspace(1, total, self.points).round().astype(int).tolist()}


@dataclass(frozen=True)
class AtSteps:
    """The steps named; with `end`, also where a replica stops."""

    steps: tuple[int, ...]
    end: bool = False

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {step for step in self.steps if 0 <= step <= total}


@dataclass(frozen=True)
class AtFractions:
    """Step 0 and the fractions named of all steps, each rounded to a step; with `end`, also where a replica stops."""

    fractions: tuple[float, ...]
    end: bool = False

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {0, *np.round(np.multiply(self.fractions, total)).astype(int).tolist()}


@dataclass(frozen=True)
class AtEpochs:
    """The ends of the epochs named (0 is the start); with `end`, also where a replica stops."""

    epochs: tuple[int, ...]
    end: bool = False

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {e * steps_per_epoch for e in self.epochs if 0 <= e * steps_per_epoch <= total}


@dataclass(frozen=True)
class AtEnd:
    """Only where a replica stops: fitted, or at the last step."""

    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """None on the way."""
        return set()


MeasuringSchedule = Every | Epochs | LogSpaced | AtSteps | AtFractions | AtEpochs | AtEnd
