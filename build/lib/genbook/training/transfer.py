"""Between host and device without waiting: through pinned memory, in the order of the device's own queue."""

import torch
from torch import Tensor


def uploaded(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device; the host goes on before it is there."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


class Answer:
    """A number of the device's, asked for now and read steps later, when it has long come."""

    def __init__(self, number: Tensor):
        """Ask for `number` [] as it is now."""
        self._event = None
        if number.device.type == "cpu":
            self._number = number
            return
        self._number = torch.empty((), dtype=number.dtype).pin_memory()
        self._number.copy_(number, non_blocking=True)
        self._event = torch.Event(number.device)
        self._event.record()

    def read(self) -> float:
        """The number; a wait only where the device has not come so far."""
        if self._event is not None:
            self._event.synchronize()
        return self._number.item()
