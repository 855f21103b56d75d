"""The loop: every stack of replicas through its steps, with checkpoints and a progress bar."""

import os
import time
from collections.abc import Callable, Sequence

import torch

from genbook.base.errors import TrainingError
from genbook.base.progress import Progress, bar, current
from genbook.probes import Probe
from genbook.training.checkpoint import Checkpoint, fingerprint
from genbook.training.memory import refuse_too_many
from genbook.training.precision import full_precision
from genbook.training.replica import Replica
from genbook.training.result import Ending, Records, TrainingResult, assemble
from genbook.training.run import StackRun
from genbook.training.stacks import stacks


def train(
    replicas: Sequence[Replica],
    probes: Sequence[Probe] = (),
    device: str | torch.device = "cpu",
    *,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: float = 60.0,
    progress: bool | Progress | None = None,
) -> TrainingResult:
    """Train replicas together, watched by probes.

    Replicas of equal architecture, batch size, kind of optimiser and number of examples form a stack, which is one
    tensor program; learning rate, weight decay, seed and data are each replica's own. One that is fitted or whose
    gradient is no longer finite leaves its stack and is frozen there; the others go on.

    A replica's path does not depend on which others train with it, up to the order of floating-point sums: at a stable
    learning rate and over some hundred steps to 1e-5 relative in float32 (1e-6 absolute near zero) and to 1e-12 in
    float64. Libraries choose that order by the shapes of a batch of products, the instruction set and the threads, so
    bits are the same only where the same program runs the same shapes on the same machine with the same threads.

    Args:
        replicas: a grid over seeds and settings, as a list.
        probes: what to measure, each at its own schedule.
        device: where to train; all draws happen on the CPU.
        checkpoint: a file in which to keep the state. Where it exists, the training goes on from it, bit for bit to the
            same table on the same machine with the same threads; it is removed when the training is complete.
        checkpoint_every: seconds between two writes of it.
        progress: whether to draw a bar; by default in a terminal alone. A function is told the fraction done instead.

    Where `checkpoint` or `progress` is not given, that of the surrounding `genbook.base.progress.context` holds.

    Returns:
        A `TrainingResult`: the tidy table, how each replica ended, and its final state.

    Raises:
        TrainingError: for a grid without a replica or with more than memory holds, data that do not fit the network or
            the loss, and a checkpoint that is damaged or of another training.
    """
    replicas, probes, device = list(replicas), list(probes), torch.device(device)
    surrounding = current()
    checkpoint = surrounding.checkpoint() if checkpoint is None else checkpoint
    progress = surrounding.progress if progress is None else progress
    if not replicas:
        raise TrainingError("the grid has no replica; train() needs at least one")
    together = stacks(replicas)
    for members in together:
        refuse_too_many([replicas[r] for r in members], device)
    records, endings = Records(), dict[int, Ending]()
    saved = None if checkpoint is None else Checkpoint(checkpoint, fingerprint(replicas, probes))
    found = None if saved is None else saved.load()
    first, position = 0, None
    if found is not None:
        first, position, state, records, endings = found
    steps = [replicas[members[0]].recipe.steps for members in together]
    with bar("training", progress) as tell, full_precision(device):
        report = _in_steps(tell, sum(steps))
        for number, members in list(enumerate(together))[first:]:
            run = StackRun([replicas[r] for r in members], members, probes, device, records, endings)
            if position is not None:
                run.resume(position, state)
                position = None
            done = sum(steps[:number])
            last = time.monotonic()
            while run.advance():
                report(done + run.step)
                if saved is not None and time.monotonic() - last >= checkpoint_every:
                    run.settle()
                    saved.save(number, run, records, endings)
                    last = time.monotonic()
            report(done + steps[number])
            if saved is not None and number + 1 < len(together):
                saved.save(number + 1, None, records, endings)
    if saved is not None:
        saved.remove()
    return assemble(replicas, records, endings)


def _in_steps(tell: Progress, total: int) -> Callable[[int], None]:
    """Who hears of fractions, told of steps done out of ``total``, and how many a second."""
    start = time.monotonic()
    return lambda done: tell(done / total, f"{done / max(time.monotonic() - start, 1e-9):,.0f} steps/s")
