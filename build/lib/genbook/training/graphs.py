"""A step's work on the device, captured once as a CUDA graph and replayed: one launch in the place of twenty.

A graph is the list of kernels of one step with their memory and their numbers. Replayed it does the same to what lies
there now, and runs no Python. So what a step reads is put into its place before, a learning rate that changes is read
from the device, and whoever moves the memory says so by `forget`.
"""

import contextlib
from collections.abc import Callable
from typing import Protocol

import torch

#: Steps that run as they come before one is captured: libraries set themselves up, and buffers are made.
_WARM = 3


class Graph(Protocol):
    """What a device captures a step in."""

    def beside(self) -> contextlib.AbstractContextManager:
        """Where what will be captured runs before."""

    def capture(self, work: Callable[[], None]) -> None:
        """Note what `work` launches, without doing it."""

    def replay(self) -> None:
        """Do it."""


class CudaGraph:
    """One `torch.cuda.CUDAGraph` with its stream."""

    def __init__(self) -> None:
        """Nothing captured yet."""
        self._graph, self._stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()

    @contextlib.contextmanager
    def beside(self):
        """On the stream of the capture, after what was launched so far and before what follows."""
        usual = torch.cuda.current_stream()
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            yield
        usual.wait_stream(self._stream)

    def capture(self, work: Callable[[], None]) -> None:
        """Note what `work` launches, without doing it."""
        with torch.cuda.graph(self._graph, stream=self._stream):
            work()

    def replay(self) -> None:
        """Do it, in the order of the current stream."""
        self._graph.replay()


def graph_for(device: torch.device) -> Graph | None:
    """A graph to capture in, where the device has such."""
    return CudaGraph() if device.type == "cuda" else None


class Steps:
    """Runs the work of one step after the other, captured where the device and the work allow it."""

    def __init__(self, device: torch.device, capturable: bool):
        """`capturable` is work that launches the same kernels on the same memory at each step."""
        self._device, self._capturable = device, capturable
        self.forget()

    def forget(self) -> None:
        """Memory has moved: what was captured is of no use."""
        self._graph = graph_for(self._device) if self._capturable else None
        self._warmed, self._captured = 0, False

    @property
    def captures(self) -> bool:
        """Whether steps are captured, once warm."""
        return self._graph is not None

    def run(self, work: Callable[[], None], hold_still: Callable[[], None]) -> None:
        """Do `work`; before it is captured `hold_still` is called, from when on its inputs stay where they are."""
        if self._graph is None:
            work()
        elif self._captured:
            self._graph.replay()
        elif self._warmed < _WARM:
            with self._graph.beside():
                work()
            self._warmed += 1
        else:
            hold_still()
            self._capture(self._graph, work)

    def _capture(self, graph: Graph, work: Callable[[], None]) -> None:
        try:
            graph.capture(work)
        except RuntimeError:  # a layer that waits for the device in its forward pass, say
            self._capturable, self._graph = False, None
            work()
            return
        self._captured = True
        graph.replay()
