"""Chapters executed by papermill: found by number or name, checked beforehand, whole afterwards or not there."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

from genbook import spec, studies, syntax
from genbook.errors import ForeseenError
from genbook.files import atomic, repository, sha256, store_root
from genbook.results.progress import PROGRESS_FILE
from genbook.results.requests import requests
from genbook.results.tables import Progress, published_root
from genbook.spec import ParameterError, nearest
from genbook.studies import Study


class ExecutionError(ForeseenError):
    """A notebook that raised, stopped early, or whose kernel died; the message says where."""


def notebooks_root() -> Path:
    """The folder of the source notebooks."""
    return repository() / "notebooks"


def chapters() -> list[str]:
    """The chapters' names (stems of their notebooks) in the order of their numbers."""
    return sorted(path.stem for path in notebooks_root().glob("[0-9][0-9]_*.ipynb"))


def chapter_title(chapter: str) -> str:
    """The heading of the chapter's notebook; its name where there is none."""
    cells = json.loads((notebooks_root() / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^# (.+)$", prose, flags=re.MULTILINE)
    return heading.group(1) if heading else chapter


def find_chapter(name: str) -> str:
    """The chapter with this number ('2', '02'), name ('random_vs_real_labels') or both; raises `ParameterError`."""
    found = chapters()
    wanted = Path(name).stem
    for chapter in found:
        number, _, rest = chapter.partition("_")
        if wanted in (chapter, rest, rest.replace("_", "-")) or (wanted.isdigit() and int(wanted) == int(number)):
            return chapter
    numbers = [chapter.partition("_")[0] for chapter in found]
    raise ParameterError(f"{nearest(name, found, 'chapter')} (or by number: {', '.join(numbers)})")


def execution_key(chapter: str, parameters: Mapping[str, Any]) -> str:
    """What an executed copy depends on: the notebook, its parameters, the code and published tables it uses, versions.

    Two executions with one key show the same, but for what the store has computed in between. Another chapter's
    studies do not enter.
    """
    source = (notebooks_root() / f"{chapter}.ipynb").read_bytes()
    told = studies.of_chapter(chapter)
    code = syntax.hash_of(sorted(_modules_shown(json.loads(source), told)))
    published = (
        path.read_bytes() for study in told for path in sorted((published_root() / study.name).glob("*.parquet"))
    )
    versions = [importlib.metadata.version(name) for name in ("torch", "numpy", "pandas", "matplotlib", "seaborn")]
    given = json.dumps([dict(parameters), versions, code], sort_keys=True).encode()
    return sha256(source, given, *published)


def _modules_shown(notebook: Mapping[str, Any], told: Sequence[Study]) -> set[str]:
    """The modules that decide what a chapter shows: what its cells import, its studies, and this one.

    A spec's module cannot change a number, but the page says with which parameters to rerun it.
    """
    cells = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    declared = (f"{studies.__name__}.{study.name}.study" for study in told)
    computed = (study.module for study in told)
    shown = syntax.modules_used_by_code("\n".join(cells)), syntax.modules_used(__name__, *declared, *computed)
    return {spec.__name__}.union(*shown)


def executed_path(chapter: str, profile: str) -> Path:
    """Where the build keeps its executed copy of a chapter."""
    return store_root() / "executed" / profile / f"{chapter}.ipynb"


def is_current(path: Path, key: str) -> bool:
    """Whether ``path`` is an executed copy with this `execution_key`."""
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError):
        return False
    return metadata.get("genbook", {}).get("key") == key


def execute(chapter: str, parameters: Mapping[str, Any], out: Path, progress: Progress | None = None) -> Path:
    """Execute ``chapter`` with ``parameters`` (what papermill injects) and write the whole copy to ``out``.

    The copy carries what Jupyter Book needs to number and caption its figures. Raises `ParameterError` before anything
    runs, `ExecutionError` where a cell raised, the kernel died, or cells were left unrun; then ``out`` stays as it was.
    """
    from papermill.exceptions import PapermillException, PapermillExecutionError
    from papermill.execute import execute_notebook

    from genbook import figures

    for request in requests(chapter, parameters).values():
        request.require_data()
    _register_engine()
    source = notebooks_root() / f"{chapter}.ipynb"
    with tempfile.TemporaryDirectory(prefix="genbook-") as folder, _watched(Path(folder), progress) as engine_progress:
        scratch = Path(folder) / f"{chapter}.ipynb"
        try:
            execute_notebook(
                str(source),
                str(scratch),
                parameters=dict(parameters),
                engine_name="genbook",
                kernel_name="python3",
                cwd=str(source.parent),
                progress_bar=False,
                cell_complete=engine_progress,
                sockets=str(Path(folder) / "kernel"),
            )
        except PapermillExecutionError as error:
            raise ExecutionError(f"chapter {chapter}, cell {error.exec_count}: {error.ename}: {error.evalue}") from None
        except (PapermillException, RuntimeError, TimeoutError) as error:
            raise ExecutionError(f"chapter {chapter}: {type(error).__name__}: {error}") from None
        notebook = nbformat.read(scratch, as_version=4)
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


def _check_complete(chapter: str, notebook: nbformat.NotebookNode) -> None:
    """A killed kernel, or ``sys.exit(0)`` in a cell, leaves cells unrun though the file looks clean."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise ExecutionError(f"chapter {chapter}: cell {number} never ran; the kernel stopped before it")


@functools.cache
def _register_engine() -> None:
    """Papermill's own engine, telling after each cell how many are done."""
    from papermill.engines import NBClientEngine, papermill_engines
    from traitlets.config import Config

    class Engine(NBClientEngine):
        """NBClientEngine with a callback per completed cell."""

        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, sockets: str, cell_complete: Any = None, **words: Any
        ) -> Any:
            """Execute, calling ``cell_complete(done, total)``; the kernel's sockets are files that begin so."""
            total, done, complete = len(nb_man.nb.cells), 0, nb_man.cell_complete

            def completed(cell: Any, *arguments: Any, **options: Any) -> None:
                nonlocal done
                complete(cell, *arguments, **options)
                done += 1
                if cell_complete is not None:
                    cell_complete(done, total)

            nb_man.cell_complete = completed
            # Sockets in a folder of this run: no ports to clash, and nothing that others on the machine could read.
            config = Config({"KernelManager": {"transport": "ipc", "ip": sockets}})
            return super().execute_managed_notebook(nb_man, kernel_name, config=config, **words)

    papermill_engines.register("genbook", Engine)


@contextmanager
def _watched(folder: Path, progress: Progress | None) -> Iterator[Any]:
    """A callback for completed cells that reports their share, joined with what the kernel says of a long cell."""
    if progress is None:
        yield None
        return
    import threading

    state, stop = {"done": 0, "total": 1}, threading.Event()
    file = folder / "progress.json"

    def watch() -> None:
        while not stop.wait(0.3):
            within, what = 0.0, ""
            try:
                said = json.loads(file.read_text(encoding="utf-8"))
                if time.time() - file.stat().st_mtime < 5:
                    within, what = said["share"], said["title"]
            except (OSError, ValueError):
                pass
            progress(min((state["done"] + within) / state["total"], 1.0), what)

    before = os.environ.get(PROGRESS_FILE)
    os.environ[PROGRESS_FILE] = str(file)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda done, total: state.update(done=done, total=total)
    finally:
        stop.set()
        thread.join()
        os.environ.pop(PROGRESS_FILE)
        if before is not None:
            os.environ[PROGRESS_FILE] = before
