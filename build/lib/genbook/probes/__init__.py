"""What can be watched while replicas train: each probe is one class with its schedule, and costs nothing otherwise.

    probes = [Accuracy("train", at=Epochs()), Accuracy("test", at=LogSpaced(20)), WeightNorm(at=Every(100))]

A probe of one's own is a frozen dataclass that derives from `Probe` and yields a `Measurement` for each quantity.
"""

from genbook.base.when import AtEnd, AtEpochs, AtFractions, AtSteps, Epochs, Every, LogSpaced
from genbook.probes.coherence import GradientCoherence, LargestGradient
from genbook.probes.curvature import BatchSharpness, HessianTrace, Sharpness
from genbook.probes.fresh import FreshCoherence, FreshScores
from genbook.probes.outputs import Accuracy, ExampleLoss, LossSpread, Margin, MeanLoss
from genbook.probes.probe import Measurement, Probe
from genbook.probes.scores import ExampleScores
from genbook.probes.weights import DistanceFromInitialisation, PathNorm, WeightNorm

__all__ = [
    "Accuracy",
    "AtEnd",
    "AtEpochs",
    "AtFractions",
    "AtSteps",
    "BatchSharpness",
    "DistanceFromInitialisation",
    "Epochs",
    "Every",
    "ExampleLoss",
    "ExampleScores",
    "FreshCoherence",
    "FreshScores",
    "GradientCoherence",
    "HessianTrace",
    "LargestGradient",
    "LogSpaced",
    "LossSpread",
    "Margin",
    "MeanLoss",
    "Measurement",
    "PathNorm",
    "Probe",
    "Sharpness",
    "WeightNorm",
]
