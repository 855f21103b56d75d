"""Chapters executed by papermill: found by number or name, checked beforehand, whole afterwards or not there."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import importlib.metadata
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbook import studies
from genbook.base import spec
from genbook.base.errors import ForeseenError
from genbook.base.files import atomic, check_writable, disk_errors, repository, sha256, store_root
from genbook.base.processes import Kernels
from genbook.base.progress import FILE_VARIABLE, Progress, read
from genbook.base.scratch import scratch, subfolder
from genbook.base.spec import ParameterError, nearest
from genbook.book.wording import without_words
from genbook.results import published
from genbook.results.chapters import chapters, studies_of
from genbook.results.requests import requests
from genbook.studies import Study
from genbook.tables import codehash

if TYPE_CHECKING:
    from nbformat import NotebookNode


class ExecutionError(ForeseenError):
    """A notebook that raised, stopped early, or whose kernel died; the message says where."""


def notebooks_root() -> Path:
    """The folder of the source notebooks."""
    return repository() / "notebooks"


def find_chapter(name: str) -> str:
    """The chapter with this number ('2', '02'), name ('random_vs_real_labels'), both, or source notebook.

    Raises `ParameterError` with the nearest name and the list.
    """
    found = chapters()
    number = int(name) if re.fullmatch("[0-9]{1,2}", name) else None
    for chapter in found:
        digits, _, rest = chapter.partition("_")
        if name in (chapter, rest, rest.replace("_", "-"), f"{chapter}.ipynb") or number == int(digits):
            return chapter
        if name.endswith(f"{os.sep}{chapter}.ipynb") and Path(name).resolve() == notebooks_root() / f"{chapter}.ipynb":
            return chapter
    numbers = [chapter.partition("_")[0] for chapter in found]
    raise ParameterError(f"{nearest(name, found, 'chapter')} (or by number: {', '.join(numbers)})")


def execution_key(chapter: str, parameters: Mapping[str, Any]) -> str:
    """What an executed copy depends on: the code cells, their parameters, the code and published tables used, versions.

    Two executions with one key show the same, but for what the store has computed in between, and the notebook's
    words: `genbook.book.wording.reword` puts them into a copy. Another chapter's studies do not enter.
    """
    notebook = json.loads((notebooks_root() / f"{chapter}.ipynb").read_bytes())
    told = studies_of(chapter)
    code = codehash.hash_of(sorted(_modules_shown(notebook, told)))
    folders = (published.root() / study.name for study in told)
    tables = [
        [path.parent.name, path.name, sha256(path.read_bytes())]
        for folder in folders
        for path in sorted(folder.glob("*.parquet"))
    ]
    versions = [importlib.metadata.version(name) for name in ("torch", "numpy", "pandas", "matplotlib")]
    given = json.dumps([dict(parameters), versions, code, tables], sort_keys=True).encode()
    return sha256(without_words(notebook), given)


def _modules_shown(notebook: Mapping[str, Any], told: Sequence[Study]) -> set[str]:
    """The modules that decide what a chapter shows: what its cells import, its studies, and this one.

    A spec's module cannot change a number, but the page says with which parameters to rerun it.
    """
    cells = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    declared = (f"{studies.package(study.name)}.study" for study in told)
    computed = (study.module for study in told)
    shown = codehash.modules_used_by_code("\n".join(cells)), codehash.modules_used(__name__, *declared, *computed)
    return {spec.__name__}.union(*shown)


def executed_path(chapter: str, profile: str) -> Path:
    """Where the build keeps its executed copy of a chapter."""
    return store_root() / "executed" / profile / f"{chapter}.ipynb"


def is_current(path: Path, key: str) -> bool:
    """Whether ``path`` is an executed copy with this `execution_key`."""
    return _mark(path).get("key") == key


def _mark(path: Path) -> dict[str, Any]:
    """What `execute` wrote into the metadata of ``path``; empty for whatever it did not write."""
    try:
        mark = json.loads(path.read_text(encoding="utf-8"))["metadata"]["genbook"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return mark if isinstance(mark, dict) else {}


def check_out(out: Path) -> None:
    """Refuse, before anything is computed, to write an executed copy over what is no executed copy.

    Raises `ParameterError` for that, `genbook.base.files.StorageError` where its folder takes no file.
    """
    if os.path.isdir(out):
        raise ParameterError(f"--out {out} is a folder; name a file such as {out / 'chapter.ipynb'}")
    if os.path.lexists(out) and not (os.path.isfile(out) and "key" in _mark(out)):
        raise ParameterError(f"--out {out} is there and is no executed copy that genbook wrote; name another file")
    check_writable(Path(os.path.realpath(out)).parent)


def execute(
    chapter: str,
    parameters: Mapping[str, Any],
    out: Path,
    progress: Progress | None = None,
    within: Path | None = None,
) -> Path:
    """Execute ``chapter`` with ``parameters`` (what papermill injects) and write the whole copy to ``out``.

    The copy carries what Jupyter Book needs to number and caption its figures. ``within``: the `scratch` folder of a
    run that this execution is part of; by default it has one of its own. Raises `ParameterError` before anything
    runs, `ExecutionError` where a cell raised, the kernel died, or cells were left unrun; then ``out`` stays as it was.
    """
    import nbformat  # takes a second, which a book without changes should not pay

    from genbook import figures

    for request in requests(chapter, parameters).values():
        request.require_data()
    with contextlib.nullcontext(within) if within is not None else scratch() as run:
        notebook = _executed(chapter, parameters, subfolder(run), progress)
    _check_complete(chapter, notebook)
    notebook = figures.annotate(notebook)
    for cell in notebook.cells:
        # What the book's own build injects says nothing to its reader.
        if "injected-parameters" in cell.metadata.get("tags", []) and set(parameters) <= {"profile"}:
            cell.metadata["tags"].append("remove-input")
    notebook.metadata["genbook"] = {"key": execution_key(chapter, parameters), "parameters": dict(parameters)}
    with atomic(out) as temporary:
        nbformat.write(notebook, temporary)
    return out


def _check_complete(chapter: str, notebook: NotebookNode) -> None:
    """A killed kernel, or ``sys.exit(0)`` in a cell, leaves cells unrun though the file looks clean."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise ExecutionError(f"chapter {chapter}: cell {number} never ran; the kernel stopped before it")


def _executed(chapter: str, parameters: Mapping[str, Any], folder: Path, progress: Progress | None) -> NotebookNode:
    """The chapter as papermill leaves it, with all temporary files in ``folder``; raises `ExecutionError`."""
    import nbformat
    from papermill.exceptions import PapermillException, PapermillExecutionError
    from papermill.execute import execute_notebook

    _register_engine()
    source, scratch_copy = notebooks_root() / f"{chapter}.ipynb", folder / f"{chapter}.ipynb"
    with disk_errors(folder), _watched(folder, progress) as cell_complete:
        try:
            _interruptibly(
                lambda: execute_notebook(
                    str(source),
                    str(scratch_copy),
                    parameters={name.replace(".", "__"): value for name, value in parameters.items()},
                    engine_name="genbook",
                    kernel_name="python3",
                    cwd=str(source.parent),
                    progress_bar=False,
                    cell_complete=cell_complete,
                    folder=folder,
                )
            )
        except PapermillExecutionError as error:
            raise ExecutionError(f"chapter {chapter}, cell {error.exec_count}: {error.ename}: {error.evalue}") from None
        except (PapermillException, RuntimeError, TimeoutError) as error:
            last = _last_words(folder / _KERNEL_LOG)
            if os.strerror(errno.ENOSPC) in last:
                raise OSError(errno.ENOSPC, last) from None  # told as any other refusal of the folder's disk
            raise ExecutionError(f"chapter {chapter}: {type(error).__name__}: {error}{last}") from None
    return nbformat.read(scratch_copy, as_version=4)


def _last_words(log: Path) -> str:
    """The end of what a kernel wrote that died, for the message; empty where it wrote nothing."""
    with contextlib.suppress(OSError):
        if lines := log.read_text(encoding="utf-8", errors="replace").split("\n")[-11:-1]:
            return "; the kernel said last:\n" + "\n".join(lines)
    return ""


#: The file, in an execution's folder, of what a kernel says that belongs to no cell.
_KERNEL_LOG = "kernel.log"
#: The kernels that this process has running, for whoever has to end it.
KERNELS = Kernels()


def _interruptibly(work: Callable[[], Any]) -> None:
    """Do ``work`` in a thread, so that an interrupt reaches the caller, ends the kernels and goes on its way.

    In the main thread nbclient takes SIGINT and SIGTERM for itself: it stops its kernel and returns as if all was well.
    """
    raised: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)
        finally:
            # nbclient makes an event loop for its thread and leaves it open.
            with contextlib.suppress(RuntimeError):
                asyncio.get_event_loop_policy().get_event_loop().close()

    thread = threading.Thread(target=target, daemon=True, name="papermill")
    thread.start()
    try:
        thread.join()
    except BaseException:
        KERNELS.end()
        thread.join(timeout=1)
        raise
    if raised:
        raise raised[0]


class _Injected(logging.Filter):
    """Keeps back papermill's warning about parameters that a chapter has, though its cell does not list them.

    Whether a chapter has a parameter is known before: `genbook.results.requests` has refused all others. Of a kernel
    that died at once the error itself tells.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to say it."""
        kept_back = "Passed unknown parameter", "Error occurred while starting new kernel client"
        return not record.getMessage().startswith(kept_back)


@functools.cache
def _register_engine() -> None:
    """Papermill's own engine, in a folder of its own, telling after each cell how many are done."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.log import logger
    from traitlets import default
    from traitlets.config import Config

    class Kernel(AsyncKernelManager):
        """This Python's kernel, known by `KERNELS`, with an IPython profile and a log of its own."""

        @default("kernel_spec_manager")
        def _this_python(self) -> KernelSpecManager:
            # No folder is searched: what is called 'python3' in a reader's home may be another Python.
            return KernelSpecManager(kernel_dirs=[], parent=self)

        # what it overrides is declared as a function that waits, and is a coroutine here
        async def start_kernel(self, **words: Any) -> None:  # type: ignore[override]
            folder = Path(self.connection_file).parent
            environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
            with (folder / _KERNEL_LOG).open("wb") as log:
                await super().start_kernel(**{**words, "env": environment, "stdout": log, "stderr": log})
            KERNELS.started(self._process())

        async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
            if (process := self._process()) is not None:
                KERNELS.stopped(process)
            await super().cleanup_resources(restart=restart)

        def _process(self) -> Any:
            """The kernel's process, as the provisioner of a local kernel knows it."""
            return getattr(self.provisioner, "pid", None)

    class Engine(NBClientEngine):
        """NBClientEngine with a callback per completed cell."""

        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, folder: Path, cell_complete: Any = None, **words: Any
        ) -> Any:
            """Execute, calling ``cell_complete(done, total)``; the kernel's files and sockets lie in ``folder``."""
            total, done, complete = len(nb_man.nb.cells), 0, nb_man.cell_complete

            def completed(cell: Any, *arguments: Any, **options: Any) -> None:
                nonlocal done
                complete(cell, *arguments, **options)
                done += 1
                if cell_complete is not None:
                    cell_complete(done, total)

            nb_man.cell_complete = completed
            # Sockets in a folder of this run: no ports to clash, and nothing that others on the machine could read.
            places = {"ip": str(folder / "kernel"), "connection_file": str(folder / "connection.json")}
            config = Config({"KernelManager": {"transport": "ipc", **places}})
            return super().execute_managed_notebook(
                nb_man, kernel_name, config=config, kernel_manager_class=Kernel, **words
            )

    logger.addFilter(_Injected())
    papermill_engines.register("genbook", Engine)


@contextlib.contextmanager
def _watched(folder: Path, progress: Progress | None) -> Iterator[Any]:
    """A callback for completed cells that reports the fraction, joined with what the kernel says of a long cell."""
    if progress is None:
        yield None
        return
    state, stop = {"done": 0, "total": 1}, threading.Event()
    file = folder / "progress.json"

    def watch() -> None:
        while not stop.wait(0.3):
            within, what = read(file)
            progress(min((state["done"] + within) / state["total"], 1.0), what)

    before = os.environ.get(FILE_VARIABLE)
    os.environ[FILE_VARIABLE] = str(file)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda done, total: state.update(done=done, total=total)
    finally:
        stop.set()
        thread.join()
        os.environ.pop(FILE_VARIABLE)
        if before is not None:
            os.environ[FILE_VARIABLE] = before
