"""A few processes that outlive no one: they end with the process that started them, however that ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from genbook.base.processes import end_with, leave_signals_to_the_parent, lifeline


def _nothing() -> None:
    pass


@contextlib.contextmanager
def workers(count: int, tidy: Callable[[], None] = _nothing) -> Iterator[concurrent.futures.Executor]:
    """``count`` processes, started one by one as work is handed in; `signals_held` must surround that.

    ``tidy``: what a worker does before it ends early; it must be one that can be sent to another process. An exception
    within the block ends the workers at once, whatever they are at.
    """
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as held:
        begin = (held.enter_context(lifeline()), tidy)
        pool = concurrent.futures.ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=begin)
        try:
            yield pool
        except BaseException:
            held.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(parent: Connection, tidy: Callable[[], None]) -> None:
    """What a worker does first."""
    leave_signals_to_the_parent()
    end_with(os.dup(parent.fileno()), tidy)
