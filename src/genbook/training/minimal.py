"""One replica in plain PyTorch, from top to bottom: what the engine computes for many at once.

The engine is fast, this is short. Both take the same settings and draw from the same random streams, and the tests hold
them equal to twelve digits; so whoever has read this file knows what was run for any table of the book.
"""

import copy
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize
from torch.optim import lr_scheduler

from genbook.base.recipes import (
    SGD,
    Constant,
    Cosine,
    EarlyLearning,
    InverseSquareRoot,
    Linear,
    Listed,
    Optimiser,
    Recipe,
    Step,
)
from genbook.base.seeding import INITIALISATION, ORDER, generator
from genbook.gradients import robust_average
from genbook.models import initialise
from genbook.models.dropout import dropout_at, tell_streams
from genbook.training.batches import moves
from genbook.training.losses import EARLY_MARGIN, HingeLoss, PartiallyHuberisedLoss
from genbook.training.noise import noise_at
from genbook.training.projection import DECAY
from genbook.training.replica import Examples, Replica

CRITERIA = {
    "cross-entropy": nn.CrossEntropyLoss(),
    "squared": nn.MSELoss(),
    "logistic": nn.SoftMarginLoss(),
    "hinge": HingeLoss(),
    "partially Huberised": PartiallyHuberisedLoss(),
}


@dataclass
class Outcome:
    """The network after `steps` updates, why it stopped, and rows (step, set of examples, quantity, value)."""

    model: nn.Module
    steps: int
    fitted: bool
    diverged: bool
    rows: list[tuple[int, str, str, float]]


def train(replica: Replica, measured_at: Collection[int] = ()) -> Outcome:
    """Train one network; after the steps `measured_at` (0: at the start) take accuracy and loss on all its sets."""
    recipe, train_set = replica.recipe, replica.data["train"]
    model = initial_network(replica)
    outputs = model(train_set.inputs[:1]).shape[1]
    targets = {on: targets_of(examples, recipe.loss, outputs, replica.dtype) for on, examples in replica.data.items()}
    criterion = CRITERIA[recipe.loss]
    robust = None if recipe.average is None else robust_average(recipe.average)
    answers = torch.zeros(len(train_set), outputs, dtype=replica.dtype)
    parameters = [p for p in model.parameters() if p.requires_grad]
    projected = recipe.optimiser.projected
    plain = recipe.optimiser if projected is None else replace(recipe.optimiser, projected=None, weight_decay=0.0)
    optimiser = plain.of_torch(parameters)
    schedule = learning_rate_schedule(recipe, optimiser)
    check_every = recipe.check_every or replica.steps_per_epoch
    outcome = Outcome(model, 0, fitted=False, diverged=False, rows=[])
    for step in range(recipe.steps + 1):
        outcome.steps = step
        if step in measured_at:
            for on, examples in replica.data.items():
                accuracy, loss = evaluate(model, criterion, examples.inputs, targets[on])
                outcome.rows += [(step, on, "accuracy", accuracy), (step, on, "loss", loss)]
        if recipe.stop_at_accuracy and step and (step % check_every == 0 or step == recipe.steps):
            accuracy, _ = evaluate(model, criterion, train_set.inputs, targets["train"])
            outcome.fitted = accuracy >= recipe.stop_at_accuracy
        if outcome.fitted or step == recipe.steps:
            break
        batch = batch_of(replica, step)
        inputs = augmented(replica, step, batch)
        tell_streams(model.train(), generator(replica.seed, dropout_at(step)))
        optimiser.zero_grad()
        if robust is None:
            answer = model(inputs)
            loss = criterion(answer, targets["train"][batch])
            if recipe.early_learning is not None:
                loss = loss + early_learning_penalty(recipe.early_learning, answer, answers, batch)
            loss.backward()
        else:
            robust.backward(model, criterion, inputs, targets["train"][batch])
        if not all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None):
            outcome.diverged = True
            break
        gradients = [p.grad for p in parameters if p.grad is not None]
        if recipe.gradient_noise is not None:
            add_noise(gradients, recipe.gradient_noise.deviation(step), generator(replica.seed, noise_at(step)))
        before = [] if projected is None else [p.detach().clone() for p in parameters]
        optimiser.step()
        if projected is not None:
            rate = optimiser.param_groups[0]["lr"]
            project_step(parameters, gradients, before, recipe.optimiser, projected, rate)
        schedule.step()
    return outcome


def initial_network(replica: Replica) -> nn.Module:
    """The network with weights from its seed's stream, in the precision of its inputs."""
    seed = replica.seed if replica.init_seed is None else replica.init_seed
    model = copy.deepcopy(replica.model).to(replica.dtype)
    initialise(model, generator(seed, INITIALISATION), replica.recipe.init_scale)
    if replica.initialise is not None:
        with torch.no_grad():
            replica.initialise(model)
    return model.eval()


def batch_of(replica: Replica, step: int) -> Tensor:
    """Which examples a step sees: each epoch permutes them anew and leaves the last incomplete batch out."""
    seed = replica.seed if replica.order_seed is None else replica.order_seed
    epoch, place = divmod(step, replica.steps_per_epoch)
    order = generator(seed, f"{ORDER}, epoch {epoch}").permutation(len(replica.data["train"]))
    return torch.from_numpy(order[place * replica.batch_size : (place + 1) * replica.batch_size])


def augmented(replica: Replica, step: int, batch: Tensor) -> Tensor:
    """The inputs of a step; images are padded, cropped and flipped by the stream of the epoch."""
    inputs, augmentation = replica.data["train"].inputs, replica.recipe.augmentation
    if augmentation is None:
        return inputs[batch]
    seed = replica.seed if replica.order_seed is None else replica.order_seed
    drawn = moves(augmentation, seed, step // replica.steps_per_epoch, len(inputs))
    pad, (height, width) = augmentation.crop, inputs.shape[2:]
    images = []
    for example in batch.tolist():
        down, right, flip = drawn[example]
        padded = nn.functional.pad(inputs[example], (pad, pad, pad, pad))
        image = padded[:, pad + down : pad + down + height, pad + right : pad + right + width]
        images.append(image.flip(2) if flip else image)
    return torch.stack(images)


def early_learning_penalty(rule: EarlyLearning, outputs: Tensor, answers: Tensor, batch: Tensor) -> Tensor:
    """λ log(1 − ⟨p, t⟩), mean over the batch; `answers` holds each training example's t, and p is added to it here."""
    p = outputs.softmax(1).clamp(EARLY_MARGIN, 1 - EARLY_MARGIN)
    answers[batch] = rule.memory * answers[batch] + (1 - rule.memory) * (p / p.sum(1, keepdim=True)).detach()
    return rule.weight * (1 - (answers[batch] * p).sum(1)).log().mean()


def add_noise(gradients: Sequence[Tensor], deviation: float, stream: np.random.Generator) -> None:
    """Gaussian noise on every gradient, in the order of the parameters."""
    for gradient in gradients:
        gradient += deviation * torch.from_numpy(stream.standard_normal(tuple(gradient.shape))).to(gradient.dtype)


@torch.no_grad()
def project_step(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    before: Sequence[Tensor],
    setting: Optimiser,
    delta: float,
    rate: float,
) -> None:
    """Make of a step of SGD or Adam one of SGDP or AdamP: no radial part where a weight looks scale-invariant."""
    decay = rate * setting.weight_decay / (1 - setting.momentum if isinstance(setting, SGD) else 1)
    for parameter, by_parameter, old in zip(parameters, gradients, before, strict=True):
        step, shrinking = parameter - old, decay
        for rows in (len(old), 1) if old.dim() > 1 else ():
            weight, gradient, update = (t.reshape(rows, -1) for t in (old, by_parameter, step))
            if cosine_similarity(weight, gradient).abs().max() < delta / math.sqrt(weight.shape[1]):
                direction = normalize(weight)
                step = (update - direction * (direction * update).sum(1, keepdim=True)).view_as(old)
                shrinking = DECAY * decay
                break
        parameter.copy_((1 - shrinking) * old + step)


def learning_rate_schedule(recipe: Recipe, optimiser: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
    """The recipe's schedule as PyTorch's."""
    match recipe.schedule:
        case Constant():
            return lr_scheduler.LambdaLR(optimiser, lambda step: 1.0)
        case Cosine(final):
            return lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps, eta_min=final * recipe.optimiser.lr)
        case Linear(first, last):
            return lr_scheduler.LambdaLR(optimiser, lambda step: first + (last - first) * step / recipe.steps)
        case Step(every, gamma):
            return lr_scheduler.StepLR(optimiser, every, gamma)
        case InverseSquareRoot(every):
            return lr_scheduler.LambdaLR(optimiser, lambda step: (1 + step // every) ** -0.5)
        case Listed(factors):
            return lr_scheduler.LambdaLR(optimiser, lambda step: (*factors, 0.0)[step])


def targets_of(examples: Examples, loss: str, outputs: int, dtype: torch.dtype) -> Tensor:
    """Classes [n] for cross-entropy; else real targets [n, outputs], class labels as one-hot rows."""
    labels = examples.labels
    if loss in ("cross-entropy", "partially Huberised"):
        return labels.long()
    if labels.dim() == 1 and outputs > 1:
        labels = nn.functional.one_hot(labels, outputs)
    return labels.to(dtype).reshape(-1, outputs)


@torch.no_grad()
def evaluate(model: nn.Module, criterion: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Accuracy and mean loss; a single output counts by its sign."""
    outputs = model.eval()(inputs)
    if outputs.shape[1] == 1:
        correct = outputs.sign() == targets.sign()
    else:
        correct = outputs.argmax(1) == (targets if targets.dim() == 1 else targets.argmax(1))
    return float(correct.double().mean()), float(criterion(outputs, targets))
