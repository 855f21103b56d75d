"""The book: executed copies and generated pages staged, built by Jupyter Book, and put in place when whole."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from genbook.base.files import content, disk_errors, make_folder, repository, sha256, store_root, write_text
from genbook.base.processes import signals_held
from genbook.base.scratch import scratch
from genbook.base.spec import ParameterError
from genbook.book import cards, inputs, reference, render
from genbook.book.crate import crate
from genbook.book.execute import KERNELS, execute, executed_path, execution_key, is_current, notebooks_root
from genbook.book.front import contents, filled, headed, live_figure, primary_claims
from genbook.book.generated import computing_seconds, run_statistics, table_of_contents
from genbook.book.one_page import one_page
from genbook.book.pictures import draw_pictures, live_pages
from genbook.book.render import BuildError
from genbook.book.said import marked
from genbook.book.scoreboard import scoreboard, statistics
from genbook.book.wording import reword
from genbook.results import published
from genbook.results.chapters import chapters, studies_of
from genbook.results.requests import Request
from genbook.results.side_by_side import fill
from genbook.results.verdicts import Row, evaluate, unfailed_controls
from genbook.results.workers import workers
from genbook.studies import Study
from genbook.tables import manifest
from genbook.tables.store import Store

#: Marks a folder that a build made: what lies in it may be replaced.
_MARK = ".genbook-build"
#: Beside pages: the hashes of what they were made of.
_INPUTS = ".genbook-inputs"


def build(profile: str = "quick", out: Path | None = None, jobs: int = 2, say: Callable[[str], None] = print) -> Path:
    """Build the book from executed copies of all chapters; returns the path of its first page.

    Chapters whose copy is current are not executed again, ``jobs`` others at a time. Warnings are errors. The finished
    pages replace the old ones in one step: a build that fails leaves the old book as it was. Raises `ManifestError`
    where a file in ``book/results`` is not the one that its list vouches for.
    """
    manifest.check(published.root())
    usual = repository() / "book" / "_build"
    out = _own_folder(Path(os.path.realpath(out))) if out is not None else make_folder(usual)
    index, mark, sources = out / "html" / "index.html", out / "html" / _INPUTS, inputs.of_sources()
    if _is_of(mark, sources, inputs.of_results(profile)):
        say(f"nothing changed: {index}")
        return index
    _execute_all(profile, jobs, say)
    rows = judged(profile)
    results = inputs.of_results(profile)
    with render.gone_at_the_end(out / "staged"):
        staged = stage(profile, out / "staged", rows)
        made = crate(profile)
        key = sha256(_content_key(staged).encode(), made.record.encode())
        if changed := not index.is_file() or render.said(out / "html") != key:
            render.mirror(staged, out / "source")
    if changed:
        render.render(out, key, made.write)
    say(f"the book: {index}" if changed else f"nothing changed: {index}")
    if inputs.of_results(profile) == results:  # and not another's since it was read
        write_text(mark, f"{sources} {results}")
    return index


def _is_of(mark: Path, sources: str, results: str) -> bool:
    """Whether the pages beside ``mark`` were made of these."""
    return mark.is_file() and mark.read_text(encoding="utf-8") == f"{sources} {results}"


def _own_folder(out: Path) -> Path:
    """``out``, made and marked as a folder of ours; raises `ParameterError` for one that holds anything else."""
    if out == repository() / "book" / "_build":
        return make_folder(out)
    ours = os.path.isfile(out / _MARK) or (os.path.isdir(out) and not os.listdir(out))
    if os.path.lexists(out) and not ours:
        raise ParameterError(f"--out {out} is there and is no folder of a build; name an empty or a new one")
    write_text(out / _MARK, "genbook build may replace what lies here\n")
    return out


def _execute_all(profile: str, jobs: int, say: Callable[[str], None]) -> None:
    """Execute the chapters that are not current, ``jobs`` at a time; give the others the words of their notebooks.

    First all tables are computed that they will ask for: otherwise everybody waits for the longest chapter. A chapter
    of which a table could not be computed is not executed.
    """
    failures = fill([Request.build(study, profile) for study in _told()], jobs, say)
    mistakes = [f"{failure}" for failure in failures]
    failed = {failure.work.study for failure in failures}
    waiting = []
    for chapter in chapters():
        copy = executed_path(chapter, profile)
        if is_current(copy, execution_key(chapter, {"profile": profile})):
            reword(copy, notebooks_root() / f"{chapter}.ipynb")
        elif not failed.intersection(study.name for study in studies_of(chapter)):
            waiting.append(chapter)

    # The longest first: a long one that is begun last is what everybody waits for.
    waiting.sort(key=lambda chapter: -_seconds(chapter, profile))
    for chapter in waiting:
        say(f"executing {chapter} ({profile})")
    if waiting:
        with scratch() as folder, _workers(min(jobs, len(waiting)), folder) as pool:
            with signals_held():
                running = [pool.submit(_execute_one, chapter, profile, folder) for chapter in waiting]
            concurrent.futures.wait(running)
        mistakes += [f"{job.exception()}" for job in running if job.exception() is not None]
    if mistakes:
        raise BuildError("\n".join(dict.fromkeys(mistakes)))


def _seconds(chapter: str, profile: str) -> float:
    """What computing the chapter's tables is said to take."""
    return sum(study.profile(profile).seconds for study in studies_of(chapter))


def _workers(count: int, folder: Path) -> contextlib.AbstractContextManager[concurrent.futures.Executor]:
    """A few processes for all chapters: importing what executes a notebook takes longer than many a notebook.

    With them end their kernels and the run's ``folder``.
    """
    return workers(count, functools.partial(_tidy, folder))


def _tidy(folder: Path) -> None:
    KERNELS.end(patience=1.0)
    shutil.rmtree(folder, ignore_errors=True)


def _execute_one(chapter: str, profile: str, folder: Path) -> None:
    execute(chapter, {"profile": profile}, executed_path(chapter, profile), within=folder)


def _told() -> list[Study]:
    """The studies that the chapters tell, in the order of the book."""
    return [study for chapter in chapters() for study in studies_of(chapter)]


def judged(profile: str) -> list[Row]:
    """All claims of the chapters with their verdicts; what is missing for them is computed.

    Raises `BuildError` where the profile judges and a claim does not come out as 'fails' in its control: a check
    that finds something where there is nothing to find says nothing of the discovery setting either.
    """
    rows = [row for study in _told() for row in evaluate(Request.build(study, profile))]
    if unfailed := unfailed_controls(rows):
        raise BuildError("\n".join(unfailed))
    return rows


def stage(profile: str, folder: Path, rows: Sequence[Row]) -> Path:
    """Lay out below ``folder`` what Jupyter Book reads: pages, executed chapters, generated pages, tables, code."""
    shutil.rmtree(folder, ignore_errors=True)
    book = repository() / "book"
    render.copy_tree(book, folder, ignore=shutil.ignore_patterns("_build", ".*", "*.parquet"))
    parts = list(Store().provenances())
    seconds = computing_seconds(parts)
    for chapter in chapters():
        text = executed_path(chapter, profile).read_text(encoding="utf-8")
        needed = sum(seconds.get(study.name, 0) for study in studies_of(chapter))
        write_text(
            folder / "chapters" / f"{chapter}.ipynb",
            json.dumps(marked(headed(json.loads(text), chapter, needed), chapter)),
        )
        for file in set(re.findall(r"\.\./tables/([\w.-]+\.csv)", text)):
            with disk_errors(folder):
                shutil.copyfile(store_root() / "csv" / file, make_folder(folder / "tables") / file)
    library = reference.kept_pages()
    reference.lay_out(folder, library)
    toc = (book / "_toc.yml").read_text(encoding="utf-8")
    sources = statistics(study for name in chapters() for study in studies_of(name))
    for place, page in sources.items():
        write_text(folder / f"{place}.md", page)
    write_text(folder / "_toc.yml", table_of_contents(toc, reference.listed(library), list(sources)))
    write_text(folder / "contents.md", contents(rows, profile, make_folder(folder / "covers")))
    write_text(folder / "primary.md", primary_claims())
    for name, page in {"front": live_figure(profile), **live_pages()}.items():
        write_text(folder / "live" / f"{name}.md", page)
    draw_pictures(folder / "pictures")
    write_text(folder / cards.FOLDER / cards.FILE, cards.card_data(rows, book))
    write_text(folder / "index.md", filled((book / "index.md").read_text(encoding="utf-8"), rows))
    write_text(folder / "scoreboard.md", scoreboard(rows, profile))
    write_text(folder / "one-page.md", one_page(library))
    write_text(folder / "run-statistics.md", run_statistics(profile, parts))
    lay_out_code(folder)
    return folder


def lay_out_code(folder: Path) -> None:
    """Copy below ``folder`` the files that its pages show: this package's, as ``{literalinclude} /genbook/build.py``.

    Raises `BuildError` for a file that is not in the package.
    """
    package = Path(__file__).resolve().parents[1]
    with disk_errors(folder):
        shutil.copyfile(repository() / "CITATION.cff", folder / "CITATION.cff")
    for page in [*folder.rglob("*.md"), *folder.rglob("*.ipynb")]:
        for file in re.findall(r"\{literalinclude\} /genbook/([^\s\"\\]+)", page.read_text(encoding="utf-8")):
            if not (package / file).is_file():
                raise BuildError(f"{page.relative_to(folder)} shows genbook/{file}, and the package has no such file")
            target = folder / "genbook" / file
            make_folder(target.parent)
            with disk_errors(target):
                shutil.copyfile(package / file, target)


def _content_key(folder: Path) -> str:
    """A hash of all that Jupyter Book will read."""
    return content([repository() / "_config.yml", *folder.rglob("*")], folder)
