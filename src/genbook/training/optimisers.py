"""Optimiser steps on the flat vector of all replicas, each replica with its own learning rate and weight decay."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from genbook.base.recipes import SGD, Adam, Optimiser
from genbook.training.layout import Layout
from genbook.training.projection import DECAY, project


class FlatOptimiser:
    """State and steps of one kind of optimiser, with the arithmetic of `torch.optim`, fused where there is a kernel.

    A stack of one setting is one call. Where replicas differ, learning rates and weight decays are vectors beside the
    parameters, and a step is still one call or a few, however many settings there are.
    """

    def __init__(
        self, optimisers: Sequence[Optimiser], layout: Layout, parameters: Tensor, rates_on_device: bool = False
    ):
        """One setting a replica, of one kind; `rates_on_device` keeps them in tensors even where all are one."""
        self.optimisers, self._layout = list(optimisers), layout
        self.step_count = 0
        first = self.optimisers[0]
        buffers = (1 if first.momentum else 0) if isinstance(first, SGD) else 2
        self.state = [torch.zeros_like(parameters) for _ in range(buffers)]
        # On the device, where the kernels look for it.
        self._steps = torch.zeros((), device=parameters.device)
        # Decided once: the arithmetic of those that stay must not change when others leave.
        self._by_entry = rates_on_device or first.projected is not None or len(set(self.optimisers)) > 1
        self._factor = 1.0
        if self._by_entry:
            self._lay_out(layout, parameters)

    def _lay_out(self, layout: Layout, parameters: Tensor) -> None:
        """Rates and decays by entry of the flat vector, and memory for a step."""

        def by_entry(of: Callable[[Optimiser], float]) -> Tensor:
            return layout.by_entry([of(setting) for setting in self.optimisers], parameters)

        self._unscaled = by_entry(lambda setting: setting.lr)
        self._rates = self._unscaled * self._factor
        decays = any(setting.weight_decay for setting in self.optimisers)
        self._decays = by_entry(lambda setting: setting.weight_decay) if decays else None
        self._update = torch.zeros_like(parameters)

    def count_from(self, updates: int) -> None:
        """Go on after so many updates: Adam corrects its averages by their number."""
        self.step_count = updates
        self._steps.fill_(updates)

    def keep(self, keep: Sequence[int], layout: Layout, entries: Tensor) -> None:
        """Forget the replicas that are not in `keep`."""
        self.optimisers, self._layout = [self.optimisers[r] for r in keep], layout
        self.state = [buffer[entries] for buffer in self.state]
        if self._by_entry:
            self._unscaled, self._rates = self._unscaled[entries], self._rates[entries]
            self._decays = None if self._decays is None else self._decays[entries]
            self._update = self._update[entries]

    def scale(self, factor: float) -> None:
        """Take `factor` times each replica's learning rate from now on."""
        if factor != self._factor and self._by_entry:
            torch.mul(self._unscaled, factor, out=self._rates)
        self._factor = factor

    @torch.no_grad()
    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        """One update in place; `count` is told apart, as a step that is replayed runs no Python."""
        first = self.optimisers[0]
        if first.projected is not None:
            self._projected(first, first.projected, parameters, gradient)
        elif isinstance(first, SGD):
            (self._sgd_by_entry if self._by_entry else self._sgd)(first, parameters, gradient)
        else:
            (self._adam_by_entry if self._by_entry else self._adam)(first, parameters, gradient)

    def count(self) -> None:
        """One update more."""
        self.step_count += 1

    def _sgd(self, setting: SGD, parameters: Tensor, gradient: Tensor) -> None:
        # The first step of torch.optim.SGD starts the momentum at the gradient, as adding it to zeros does.
        sgd(
            [parameters],
            [gradient],
            list(self.state) or [None],
            foreach=False,
            fused=False,
            weight_decay=setting.weight_decay,
            momentum=setting.momentum,
            lr=self._factor * setting.lr,
            dampening=0.0,
            nesterov=setting.nesterov,
            maximize=False,
        )

    def _sgd_by_entry(self, setting: SGD, parameters: Tensor, gradient: Tensor) -> None:
        if self._decays is not None:
            gradient.addcmul_(parameters, self._decays)
        if setting.momentum:
            momentum = self.state[0].mul_(setting.momentum).add_(gradient)
            gradient = gradient.add_(momentum, alpha=setting.momentum) if setting.nesterov else momentum
        parameters.addcmul_(gradient, self._rates, value=-1)

    def _projected(self, setting: Optimiser, delta: float, parameters: Tensor, gradient: Tensor) -> None:
        update = self._unprojected(setting, gradient)
        decays = None if self._decays is None else self._rates * self._decays
        if decays is not None and isinstance(setting, SGD):
            decays.div_(1 - setting.momentum)
        for block in self._layout.blocks:
            if len(block.shape) < 2:
                continue
            weight, by_weight, step = (block.view(flat) for flat in (parameters, gradient, update))
            projected = project(weight, by_weight, step, delta)
            if decays is not None:
                decay = block.view(decays).flatten(1)
                decay.copy_(torch.where(projected.unsqueeze(1), DECAY * decay, decay))
        if decays is not None:
            parameters.mul_(1 - decays)
        parameters.addcmul_(update, self._rates, value=-1)

    def _unprojected(self, setting: Optimiser, gradient: Tensor) -> Tensor:
        """The direction against which a step goes, before it is projected, without weight decay."""
        if isinstance(setting, Adam):
            return self._adam_from_zero(setting, gradient).neg_()
        if not setting.momentum:
            return self._update.copy_(gradient)
        momentum = self.state[0].mul_(setting.momentum).add_(gradient)
        if setting.nesterov:
            return torch.add(gradient, momentum, alpha=setting.momentum, out=self._update)
        return self._update.copy_(momentum)

    def _adam(self, setting: Adam, parameters: Tensor, gradient: Tensor) -> None:
        decay = setting.weight_decay
        self._fused_adam(setting, parameters, gradient, self._factor * setting.lr, decay, setting.decoupled)

    def _adam_by_entry(self, setting: Adam, parameters: Tensor, gradient: Tensor) -> None:
        if self._decays is not None and not setting.decoupled:
            gradient.addcmul_(parameters, self._decays)
        update = self._adam_from_zero(setting, gradient)
        if self._decays is not None and setting.decoupled:
            update.addcmul_(parameters, self._decays, value=-1)
        parameters.addcmul_(update, self._rates)

    def _adam_from_zero(self, setting: Adam, gradient: Tensor) -> Tensor:
        """The update itself, for each entry's rate to scale: where the kernel goes from zero at the learning rate 1."""
        update = self._update.zero_()
        self._fused_adam(setting, update, gradient, 1.0, 0.0, decoupled=False)
        return update

    def _fused_adam(
        self, setting: Adam, parameters: Tensor, gradient: Tensor, lr: float, weight_decay: float, decoupled: bool
    ) -> None:
        mean, square = self.state
        adam(
            [parameters],
            [gradient],
            [mean],
            [square],
            [],
            [self._steps],
            foreach=False,
            fused=True,
            amsgrad=False,
            beta1=setting.betas[0],
            beta2=setting.betas[1],
            lr=lr,
            weight_decay=weight_decay,
            eps=setting.eps,
            maximize=False,
            decoupled_weight_decay=decoupled,
        )
