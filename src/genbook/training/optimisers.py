"""Optimiser steps on the flat vector of all replicas, each replica with its own learning rate and weight decay."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from genbook.base.recipes import SGD, Adam, Optimiser
from genbook.training.layout import Layout


class FlatOptimiser:
    """State and steps of one kind of optimiser; the arithmetic is that of `torch.optim`, fused where there is a kernel.

    Replicas with equal settings that lie side by side are one tensor, so a stack of one setting is one call.
    """

    def __init__(self, optimisers: Sequence[Optimiser], layout: Layout, parameters: Tensor):
        """One setting a replica, of one kind."""
        self.optimisers = list(optimisers)
        self.step_count = 0
        first = self.optimisers[0]
        buffers = (1 if first.momentum else 0) if isinstance(first, SGD) else 2
        self.state = [torch.zeros_like(parameters) for _ in range(buffers)]
        self._device = parameters.device
        self._lay_out(layout)

    def _lay_out(self, layout: Layout) -> None:
        self._runs = layout.runs(self.optimisers)
        self.count_from(self.step_count)

    def count_from(self, updates: int) -> None:
        """Go on after so many updates: Adam corrects its averages by their number."""
        self.step_count = updates
        # On the device, where the kernels look for them: one a run, as each call counts its own on.
        self._steps = [torch.tensor(float(updates), device=self._device) for _ in self._runs]

    def keep(self, keep: Sequence[int], layout: Layout, entries: Tensor) -> None:
        """Forget the replicas that are not in `keep`."""
        self.optimisers = [self.optimisers[r] for r in keep]
        self.state = [buffer[entries] for buffer in self.state]
        self._lay_out(layout)

    @torch.no_grad()
    def step(self, parameters: Tensor, gradient: Tensor, factor: float) -> None:
        """One update in place at `factor` times each replica's learning rate."""
        for (start, stop, setting), steps in zip(self._runs, self._steps, strict=True):
            views = [t[start:stop] for t in (parameters, gradient, *self.state)]
            if isinstance(setting, SGD):
                self._sgd(setting, factor * setting.lr, *views)
            elif isinstance(setting, Adam):
                self._adam(setting, factor * setting.lr, steps, *views)
        self.step_count += 1

    def _sgd(self, setting: SGD, lr: float, parameters: Tensor, gradient: Tensor, *momentum: Tensor) -> None:
        # The first step of torch.optim.SGD starts the momentum at the gradient, as adding it to zeros does.
        sgd(
            [parameters],
            [gradient],
            list(momentum) or [None],
            foreach=False,
            fused=False,
            weight_decay=setting.weight_decay,
            momentum=setting.momentum,
            lr=lr,
            dampening=0.0,
            nesterov=setting.nesterov,
            maximize=False,
        )

    def _adam(self, setting: Adam, lr: float, steps: Tensor, parameters: Tensor, gradient: Tensor, *averages) -> None:
        mean, square = averages
        adam(
            [parameters],
            [gradient],
            [mean],
            [square],
            [],
            [steps],
            foreach=False,
            fused=True,
            amsgrad=False,
            beta1=setting.betas[0],
            beta2=setting.betas[1],
            lr=lr,
            weight_decay=setting.weight_decay,
            eps=setting.eps,
            maximize=False,
            decoupled_weight_decay=setting.decoupled,
        )
