"""The replica engine: a whole experiment is one tensor program.

A grid is a list of replicas; what differs between them is each one's own, the engine stacks what can be stacked:

    >>> import torch
    >>> from genbook.models import mlp
    >>> from genbook.probes import Accuracy, Epochs, LogSpaced, Sharpness
    >>> from genbook.training import SGD, Examples, Recipe, Replica, train
    >>> recipe = Recipe(steps=200, batch_size=16, optimiser=SGD(lr=0.5), stop_at_accuracy=1.0)
    >>> model = mlp((4, 32, 3))
    >>> replicas = []
    >>> for seed in range(5):
    ...     draw = torch.Generator().manual_seed(seed)
    ...     inputs = torch.randn(64, 4, generator=draw)  # one tensor a seed: its replicas share it in memory
    ...     labels = inputs[:, :3].argmax(1)
    ...     for fraction in (0.0, 0.5, 1.0):
    ...         wrong = torch.rand(64, generator=draw) < fraction
    ...         given = torch.where(wrong, torch.randint(3, (64,), generator=draw), labels)
    ...         groups = {"clean": given == labels, "corrupted": given != labels}
    ...         data = {"train": Examples(inputs, given, labels, groups), "test": Examples(inputs, labels)}
    ...         replicas.append(Replica(seed, model, recipe, data, {"random labels": fraction}))
    >>> result = train(replicas, [Accuracy("train", at=Epochs()), Accuracy("test", at=LogSpaced(20))])
    >>> list(result.table)
    ['replica', 'seed', 'random labels', 'step', 'epoch', 'quantity', 'on', 'labels', 'group', 'layer', 'value']
    >>> list(result.endings)  # fitted_step is NaN where it was not: censored
    ['replica', 'seed', 'random labels', 'steps', 'epochs', 'fitted', 'fitted_step', 'diverged', 'diverged_step']
    >>> result.model(3)[2]  # of the plain network of replica 3 at its end
    Linear(in_features=32, out_features=3, bias=True)
    >>> len(result.measure(Sharpness(), at=[0, 3]))  # rows as in the table, of final networks
    2
    >>> later = result.continued(Recipe(steps=10, optimiser=SGD(lr=0.005)))  # trained on from there: another result

`genbook.training.minimal` is one replica's training in plain PyTorch, to be read.
"""

from genbook.base.errors import TrainingError
from genbook.base.recipes import (
    SGD,
    Adam,
    Augmentation,
    Average,
    Constant,
    Cosine,
    EarlyLearning,
    GradientNoise,
    InverseSquareRoot,
    Linear,
    Listed,
    Recipe,
    Step,
)
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
    "Augmentation",
    "Average",
    "Constant",
    "Cosine",
    "EarlyLearning",
    "Examples",
    "GradientNoise",
    "InverseSquareRoot",
    "Linear",
    "Listed",
    "Recipe",
    "Replica",
    "Step",
    "TrainingError",
    "TrainingResult",
    "View",
    "stacks",
    "train",
]
