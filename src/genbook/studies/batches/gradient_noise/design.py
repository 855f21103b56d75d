"""Deep, narrow networks from a poor and a good start, with annealed noise on the gradient, constant noise or none."""

from __future__ import annotations

from genbook.base.recipes import GradientNoise
from genbook.base.spec import parameter
from genbook.base.when import AtFractions
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Images, Watch

#: Fractions of the steps at which networks are measured: closely at the beginning, all that constant noise has.
_MEASURED = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, *(part / 20 for part in range(2, 21)))
_LEARNED = Watch(("train loss", "train accuracy", "test accuracy"), AtFractions(_MEASURED, end=True))
#: From the norms of a layer's weights follows what it does to the size of a signal.
_NORMS = Watch(("weight norm",), AtFractions((0.01, 0.03, 0.05, *(part / 10 for part in range(1, 11)))), layers=True)


class GradientNoiseSpec(Dataset, Descent):
    """A network of many layers, whose first weights do or do not keep the signal's size."""

    n_train: int = parameter(500, "size of the training set, the same number of each class", "examples", ge=20)
    depth: int = parameter(20, "hidden layers", "layers", ge=1, le=50)
    width: int = parameter(32, "width of every hidden layer", "units", ge=2, le=256)
    learning_rate: float = parameter(0.03, "learning rate of stochastic gradient descent", "", gt=0, le=10)
    steps: int = parameter(2000, "gradient steps", "steps", ge=10, le=10**6)
    eta: float = parameter(
        1.0, "variance η of the noise at the first step; 1e-12 is a negative control", "", gt=0, le=100
    )
    gamma: float = parameter(0.55, "power with which annealed noise loses variance", "", ge=0, le=5)
    poor: float = parameter(1.0, "the poor start, as a multiple of PyTorch's default weights", "", ge=0, le=10)
    good: float = parameter(
        2.45, "the good start, likewise; √6 keeps the size of a signal through ReLUs", "", gt=0, le=10
    )


def design(spec: GradientNoiseSpec) -> Design:
    """Five trainings of a seed on the same batches; those from one start have the same first weights."""
    annealed, constant = GradientNoise(spec.eta, spec.gamma), GradientNoise(spec.eta, 0.0)
    runs = [
        ("poor", "none", None),
        ("poor", "annealed", annealed),
        ("poor", "constant", constant),
        ("good", "none", None),
        ("good", "annealed", annealed),
    ]
    scales = {"poor": spec.poor, "good": spec.good}
    return Design(
        Condition(
            {"start": start, "noise": name},
            Images(spec.dataset, spec.n_train),
            MLP((spec.width,) * spec.depth),
            spec.recipe(init_scale=scales[start], gradient_noise=noise),
            (_LEARNED, _NORMS),
        )
        for start, name, noise in runs
    )
