"""Processes that end: on Ctrl-C or a signal, and when the one that started them has died, with all that they started.

What a killed process leaves, its children see as the end of a pipe that only it could write to. That holds for every
way to die and on every system, and needs no one to be asked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

#: The exit status of an interrupted command: what a shell gives to a program that Ctrl-C has ended.
INTERRUPTED = 130
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_inside = False


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP end the command: one message, status 130, everything that was started ended.

    The first of them raises KeyboardInterrupt where the program stands; a second one does not wait for what that has
    to tidy up. An interrupt that somebody's library has swallowed counts at the end all the same.
    """
    global _inside
    if _inside or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal came
        if came:
            os._exit(INTERRUPTED)
        came = True
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    ignored = {number for number, handler in before.items() if handler is signal.SIG_IGN}  # as nohup wants SIGHUP
    for number in set(_SIGNALS) - ignored:
        signal.signal(number, interrupt)
    _inside = True
    try:
        yield
        if came:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        with contextlib.suppress(OSError, ValueError):
            print("genbook: interrupted; what was stored stays, the next run goes on from there", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit:
        if came:
            sys.exit(INTERRUPTED)
        raise
    finally:
        _inside = False
        for number in set(_SIGNALS) - ignored:
            signal.signal(number, before[number] if before[number] is not None else signal.SIG_DFL)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started, so that none is hit before it has said what it does then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_signals_to_the_parent() -> None:
    """In a worker: Ctrl-C reaches the whole group, and it is the parent that ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def lifeline() -> Iterator[Connection]:
    """The reading end of a pipe for `end_with` in other processes; this one alone holds the other end, in this block.

    `multiprocessing` hands it to a worker, ``pass_fds`` of `subprocess` its ``fileno()``.
    """
    reading, held = Pipe(duplex=False)
    try:
        with reading:
            yield reading
    finally:
        held.close()


def end_with(lifeline: int, tidy: Callable[[], None] = lambda: None) -> None:
    """End this process, after ``tidy``, when the file descriptor ``lifeline`` (a pipe's reading end) comes to its end.

    The other end is held by the process to live with and by nobody else.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(lifeline, 1):
                pass
        try:
            tidy()
        finally:
            os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


class Kernels:
    """The kernels that this process has started, to be ended at once when it has to end."""

    def __init__(self) -> None:
        """None yet."""
        self._lock, self._ended = threading.Lock(), False
        self._running: set[int] = set()

    def started(self, group: int) -> None:
        """Note a kernel by its process group; one that comes too late is killed."""
        with self._lock:
            self._running.add(group)
            if self._ended:
                _signal(group, signal.SIGKILL)

    def stopped(self, group: int) -> None:
        """Forget a kernel that has ended by itself."""
        with self._lock:
            self._running.discard(group)

    def end(self, patience: float = 2.0) -> None:
        """Interrupt every kernel, so that cells can tidy up; kill what is left in ``patience`` s."""
        with self._lock:
            self._ended = True
            running = set(self._running)
        for group in running:
            _signal(group, signal.SIGINT)
        until = time.monotonic() + patience
        while running & self._running and time.monotonic() < until:
            time.sleep(0.05)
        for group in running & self._running:
            _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
