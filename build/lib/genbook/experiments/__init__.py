"""An experiment as data: which networks train on which labels by which recipe, and what is watched; imports no torch.

    def design(spec):
        return Design(
            Condition({"noise": noise}, Images(spec.dataset, spec.n_train, Labels().wrong(noise)), MLP(spec.hidden),
                      spec.recipe(), watch=(Watch(("train accuracy", "test accuracy"), LogSpaced(20)),))
            for noise in spec.noises
        )

`Design.run` trains every condition for every seed and returns the tidy table. What does not fit a design writes a
``run(spec, seeds, device)`` of its own. `genbook.training.minimal` is the same training as a plain loop.
"""

from genbook.experiments.design import CNN, CNN1D, MLP, Condition, Continuation, Design, Images, Pretraining, Watch
from genbook.experiments.labels import Labels
from genbook.experiments.specs import Architecture, Dataset, Descent, Fraction, Growing, HiddenWidths

__all__ = [
    "CNN",
    "CNN1D",
    "MLP",
    "Architecture",
    "Condition",
    "Continuation",
    "Dataset",
    "Descent",
    "Design",
    "Fraction",
    "Growing",
    "HiddenWidths",
    "Images",
    "Labels",
    "Pretraining",
    "Watch",
]
