"""The replica engine: a whole experiment is one tensor program.

A grid is a list of replicas; what differs between them is each one's own, the engine stacks what can be stacked:

    >>> from genbook.models import mlp
    >>> from genbook.probes import Accuracy, Epochs, LogSpaced, Sharpness
    >>> from genbook.training import SGD, Examples, Recipe, Replica, train
    >>> recipe = Recipe(steps=20_000, batch_size=50, optimiser=SGD(lr=0.05), stop_at_accuracy=1.0)
    >>> model = mlp((64, 128, 128, 10))
    >>> replicas = []
    >>> for seed in range(5):
    ...     inputs, labels, test = draw(seed)                    # one tensor a seed: its replicas share it in memory
    ...     for share in (0.0, 0.5, 1.0):
    ...         given = corrupted(labels, share, seed)
    ...         groups = {"clean": given == labels, "corrupted": given != labels}
    ...         data = {"train": Examples(inputs, given, labels, groups), "test": test}
    ...         replicas.append(Replica(seed, model, recipe, data, {"random labels": share}))
    >>> result = train(replicas, [Accuracy("train", at=Epochs()), Accuracy("test", at=LogSpaced(20))])
    >>> result.table      # replica, seed, random labels, step, epoch, quantity, on, labels, group, layer, value
    >>> result.endings    # replica, seed, random labels, steps, fitted, fitted_step (NaN: censored), diverged, ...
    >>> result.model(3)   # the plain network of replica 3 at its end
    >>> result.measure(Sharpness(), at=[0, 3])      # rows as in the table, of final networks
    >>> result.continued(Recipe(steps=1_000, optimiser=SGD(lr=0.005)))    # trained on from there: another result

`genbook.training.minimal` is one replica's training in plain PyTorch, to be read.
"""

from genbook.base.errors import TrainingError
from genbook.base.recipes import SGD, Adam, Average, Constant, Cosine, InverseSquareRoot, Linear, Recipe, Step
from genbook.training.engine import train
from genbook.training.losses import LOSSES
from genbook.training.replica import Examples, Replica
from genbook.training.result import TrainingResult
from genbook.training.stacks import stacks
from genbook.training.view import View

__all__ = [
    "LOSSES",
    "SGD",
    "Adam",
    "Average",
    "Constant",
    "Cosine",
    "Examples",
    "InverseSquareRoot",
    "Linear",
    "Recipe",
    "Replica",
    "Step",
    "TrainingError",
    "TrainingResult",
    "View",
    "stacks",
    "train",
]
