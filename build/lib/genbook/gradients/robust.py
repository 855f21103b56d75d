"""Robust averages in the place of the mean gradient, for a plain loop and for stacks of replicas.

A rule takes the place of `loss(model(inputs), targets).backward()`:

    >>> model, inputs, targets = nn.Linear(5, 3), torch.randn(8, 5), torch.randint(3, (8,))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> rule = Winsorized(2)
    >>> losses = rule.backward(model, nn.CrossEntropyLoss(), inputs, targets)  # sets or overwrites every p.grad
    >>> optimizer.step()
    >>> losses.shape
    torch.Size([8])

Every rule averages the gradients of the examples' own losses, whatever the reduction of the loss. For a stack, inputs
are [R, m, ...] and each replica is averaged by itself.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from genbook.base.recipes import Average
from genbook.gradients import winsorize
from genbook.gradients.arguments import Inputs
from genbook.gradients.batch import Batch
from genbook.gradients.capture import Capture
from genbook.gradients.forms import Form, Outer
from genbook.gradients.losses import Loss

Gradients = dict[str, Tensor]

_AT_ONCE = 1 << 26  # values that an accelerator sorts at a time


class Mean:
    """The mean gradient: plain stochastic gradient descent, through the same interface."""

    def gradients(self, model: nn.Module, loss: Loss, inputs: Inputs, targets: Tensor) -> tuple[Tensor, Gradients]:
        """The examples' losses, [m] or [R, m], and the average gradient by parameter name.

        Arguments and errors as for `genbook.gradients.coherence`, without an iterable of batches: a step averages one.
        The dictionary is empty in a step that has no average yet.
        """
        averages: Gradients = {}

        def sink(name: str, form: Form) -> None:
            averages[name] = self.average(form, batch.m)

        with Capture(model, loss) as capture:
            batch = Batch(capture.replicas, inputs, targets, devices=capture.devices)
            self.refuse(batch.m)
            capture.prepare(batch)
            losses = capture.run(batch.whole, sink)
            averages = self.finish(averages)
        if batch.replicas:
            return losses, averages
        return losses[0], {name: gradient[0] for name, gradient in averages.items()}

    def backward(self, model: nn.Module, loss: Loss, inputs: Inputs, targets: Tensor) -> Tensor:
        """Write the average into every trained parameter's `.grad`, in place where there is one; returns the losses.

        In a step without an average `.grad` becomes zero, or stays None.
        """
        losses, averages = self.gradients(model, loss, inputs, targets)
        for name, parameter in model.named_parameters():
            if name in averages and parameter.grad is not None:
                parameter.grad.copy_(averages[name])
            elif name in averages:
                parameter.grad = averages[name].to(parameter.dtype).contiguous()
            elif parameter.grad is not None:
                parameter.grad.zero_()
        return losses

    def combined(self, forms: Mapping[str, Form], m: int) -> Gradients:
        """The average by parameter name, [R, *shape], of gradients that are at hand; empty as in `gradients`."""
        return self.finish({name: self.average(form, m) for name, form in forms.items()})

    def refuse(self, m: int) -> None:
        """Raise ValueError for a batch of m examples that the rule cannot average."""

    def average(self, form: Form, m: int) -> Tensor:
        """The average of one parameter's gradients over m examples, [R, *shape]."""
        return form.total().div_(m)

    def finish(self, averages: Gradients) -> Gradients:
        """What becomes of a step's averages once all parameters have theirs."""
        return averages

    def check_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Raise ValueError for an optimiser with which the rule is unstable."""

    def state(self) -> Gradients:
        """The tensors that the rule carries from step to step, to be saved with a checkpoint."""
        return {}

    def restore(self, state: Gradients) -> None:
        """Go on from a saved `state`."""


class Winsorized(Mean):
    """Coordinate-wise winsorised mean: the c largest and c smallest values are moved to the next ones.

    Chatterjee and Zielinski (2022), section on suppressing weak directions; for batches of 100 their level in per cent.
    c = 0 is the mean.
    """

    def __init__(self, c: int):
        """`c` values a side.

        Raises:
            ValueError: if c is not a whole number from 0 on.
        """
        if int(c) != c or c < 0:
            raise ValueError(f"c is {c}; it must be a whole number of values a side, from 0 on")
        self.c = int(c)

    def refuse(self, m: int) -> None:
        """Need 2c + 2 examples."""
        if m < 2 * self.c + 2:
            raise ValueError(f"a batch of {m} examples cannot lose {self.c} values a side; it needs {2 * self.c + 2}")

    def average(self, form: Form, m: int) -> Tensor:
        """Winsorise the outer products of a dense layer as they are formed, other gradients written down."""
        if self.c == 0:
            return super().average(form, m)
        if isinstance(form, Outer):
            return _winsorised_outer(form.a, form.b, self.c)
        gradients = form.explicit()
        if gradients.device.type != "cpu":
            return _clamped(gradients.flatten(2), self.c).view(len(gradients), *form.shape)
        ones = gradients.new_ones(*gradients.shape[:2], 1)
        return _winsorised(ones, gradients, self.c).view(len(gradients), *form.shape)


def _winsorised_outer(a: Tensor, b: Tensor, c: int) -> Tensor:
    """[R, q, p]; the factor with more zeros goes outside, where an example with a zero costs nothing."""
    if a.device.type != "cpu":
        rows = max(1, _AT_ONCE // (a.shape[0] * a.shape[1] * a.shape[2]))
        return torch.cat([_clamped(some.unsqueeze(3) * a.unsqueeze(2), c) for some in b.split(rows, dim=2)], 1)
    if a.count_nonzero() * b.numel() < b.count_nonzero() * a.numel():
        return _winsorised(a, b, c).mT
    return _winsorised(b, a, c)


def _clamped(gradients: Tensor, c: int) -> Tensor:
    """Winsorised means over the examples of gradients [R, m, ...] on an accelerator, where sorting is quick."""
    ordered = gradients.sort(1).values
    return gradients.clamp(ordered[:, c : c + 1], ordered[:, -c - 1].unsqueeze(1)).mean(1)


def _winsorised(u: Tensor, v: Tensor, c: int) -> Tensor:
    """Winsorised means over i of u_ip v_iq, [R, P, Q], for u [R, m, P] and v [R, m, Q], on the CPU."""
    replicas, m, columns = v.shape
    padded = v.new_zeros(replicas, m, -(-columns // winsorize.BLOCK) * winsorize.BLOCK)
    padded[..., :columns] = v
    rows = u.detach().contiguous()
    out = torch.empty(replicas, u.shape[2], padded.shape[2], dtype=v.dtype)
    mean = winsorize.kernel(c)
    for r in range(replicas):
        mean(rows[r].numpy(), padded[r].numpy(), out[r].numpy())
    return out[..., :columns]


class MedianOfMeans(Mean):
    """M3: the coordinate-wise median of the means of three consecutive parts of the batch.

    Chatterjee and Zielinski (2022); median of means with k = 3. Parts differ by one example at most.
    """

    def refuse(self, m: int) -> None:
        """Need three examples."""
        if m < 3:
            raise ValueError(f"a batch of {m} examples has no three parts; M3 needs at least 3 examples")

    def average(self, form: Form, m: int) -> Tensor:
        """Three partial sums cost what one whole sum costs."""
        edges = [0, m // 3 + (m % 3 > 0), 2 * (m // 3) + (m % 3), m]
        parts = [form[:, i:j].total().div_(j - i) for i, j in itertools.pairwise(edges)]
        return median_of_three(parts)


class RunningMean(Mean):
    """RA3: the mean of the last three gradients, the control of RM3. No update until there are three."""

    def __init__(self) -> None:
        """Nothing seen so far."""
        self.past: deque[Gradients] = deque(maxlen=3)

    def finish(self, averages: Gradients) -> Gradients:
        """Combine with the two gradients before."""
        self.past.append(averages)
        if len(self.past) < 3:
            return {}
        return {name: self.combine([gradients[name] for gradients in self.past]) for name in averages}

    def combine(self, last: Sequence[Tensor]) -> Tensor:
        """The mean of three tensors."""
        return sum(last[1:], last[0]) / len(last)

    def state(self) -> Gradients:
        """The gradients of the last steps."""
        return {f"{step}.{name}": g for step, gradients in enumerate(self.past) for name, g in gradients.items()}

    def restore(self, state: Gradients) -> None:
        """Go on from a saved `state`."""
        self.past.clear()
        for step in range(3):
            gradients = {key.partition(".")[2]: g for key, g in state.items() if key.startswith(f"{step}.")}
            if gradients:
                self.past.append(gradients)


class RunningMedian(RunningMean):
    """RM3: the coordinate-wise median of the last three gradients. No update until there are three.

    Chatterjee and Zielinski (2022); unstable with momentum, which is refused.
    """

    def combine(self, last: Sequence[Tensor]) -> Tensor:
        """The median of three tensors."""
        return median_of_three(last)

    def check_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse momentum and running averages of gradients."""
        for group in optimizer.param_groups:
            if group.get("momentum", 0) or "betas" in group:
                raise ValueError(
                    f"the running median is unstable with momentum, which {type(optimizer).__name__} has here; use "
                    "torch.optim.SGD with momentum=0"
                )


class Clipped(Mean):
    """Per-example clipping: the mean of g_i · min(1, C/‖g_i‖), with ghost norms (Li et al. 2022; Abadi et al. 2016)."""

    def __init__(self, max_norm: float):
        """`max_norm` C > 0.

        Raises:
            ValueError: if C is not positive and finite.
        """
        if not (math.isfinite(max_norm) and max_norm > 0):
            raise ValueError(f"max_norm is {max_norm}; it must be positive and finite")
        self.max_norm = float(max_norm)

    def gradients(self, model: nn.Module, loss: Loss, inputs: Inputs, targets: Tensor) -> tuple[Tensor, Gradients]:
        """As `Mean.gradients`; keeps the factors of all layers until the norms are known."""
        forms: dict[str, Form] = {}
        with Capture(model, loss) as capture:
            batch = Batch(capture.replicas, inputs, targets, devices=capture.devices)
            capture.prepare(batch)
            losses = capture.run(batch.whole, forms.__setitem__)
        averages = self.combined(forms, batch.m)
        if batch.replicas:
            return losses, averages
        return losses[0], {name: gradient[0] for name, gradient in averages.items()}

    def combined(self, forms: Mapping[str, Form], m: int) -> Gradients:
        """As `Mean.combined`; an example's norm is over all its parameters."""
        squared = torch.stack([form.squared_norms for form in forms.values()]).sum(0)
        weights = (self.max_norm / squared.sqrt()).clamp_(max=1).div_(m)
        return {name: form.total(weights) for name, form in forms.items()}


class LengthOnly(Clipped):
    """The mean gradient at the length of another rule's average: its step without its direction, for comparison.

    The length is over all parameters.
    """

    def __init__(self, rule: Mean):
        """`rule`, whose average gives the length.

        Raises:
            ValueError: if the rule remembers earlier steps.
        """
        if isinstance(rule, RunningMean):
            raise ValueError(f"{type(rule).__name__} averages over steps; want a rule that takes one batch")
        self.rule = rule

    def refuse(self, m: int) -> None:
        """As the rule does."""
        self.rule.refuse(m)

    def combined(self, forms: Mapping[str, Form], m: int) -> Gradients:
        """As `Mean.combined`; needs the gradients of all layers at once."""
        wanted = _squared_length(self.rule.combined(forms, m))
        means = {name: form.total().div_(m) for name, form in forms.items()}
        squared = _squared_length(means)
        factor = (wanted / squared.clamp(min=torch.finfo(squared.dtype).tiny)).sqrt()
        return {name: mean.mul_(factor.view(-1, *[1] * (mean.dim() - 1))) for name, mean in means.items()}


def _squared_length(gradients: Gradients) -> Tensor:
    """Over all parameters, by replica, [R]."""
    return torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)


def median_of_three(values: Sequence[Tensor]) -> Tensor:
    """Coordinate-wise median of three tensors of one shape."""
    a, b, c = values
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))


_RULES: Mapping[str, Callable[..., Mean]] = {
    "mean": Mean,
    "winsorised": Winsorized,
    "median of means": MedianOfMeans,
    "running mean": RunningMean,
    "running median": RunningMedian,
    "clipped": Clipped,
}


def robust_average(setting: Average) -> Mean:
    """The rule that a recipe's ``average`` names, with nothing seen so far; `TypeError` where its argument is wrong."""
    make = _RULES[setting.rule]
    rule = make() if setting.argument is None else make(setting.argument)
    return LengthOnly(rule) if setting.length_only else rule
