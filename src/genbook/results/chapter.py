"""What a chapter's notebook calls: its parameters, tables, figures, sentences and verdicts."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from IPython import get_ipython
from IPython.display import HTML, Markdown, display

from genbook import figures
from genbook.base import progress
from genbook.base.claims import NOT_RUN, Judgement, judge_all
from genbook.base.files import atomic, store_root
from genbook.base.spec import ParameterError, nearest
from genbook.figures import html
from genbook.figures.html import Cell, Shown
from genbook.results import published as published_tables
from genbook.results import tally
from genbook.results.chapters import studies_of
from genbook.results.judged import of_published
from genbook.results.pages import COMPUTES, control_notes, in_short, in_words, provenance_line, shown, why
from genbook.results.requests import Request, requests, shortest, target
from genbook.results.table import Table
from genbook.results.verdicts import Row, evaluate
from genbook.studies import Study, get

#: The comment with which papermill heads the cell that it injects.
_INJECTED = "# Parameters"
#: What a parameters cell may assign; a module or a table that is called as a parameter is none.
_CONSTANTS = (type(None), bool, int, float, str, list, tuple)


def notebooks_parameters(chapter: str) -> dict[str, Any]:
    """What the running notebook's parameters cell says, and over it the one that papermill injected.

    Both are read from the history of executed cells: they assign and do nothing else, and the first one assigns
    ``profile``. Only so a misspelt parameter is told from a variable of the notebook, and a variable that a later cell
    has overwritten from a parameter. Where a kernel keeps no history (nbval's), the constants that are called as
    parameters of the ``chapter`` are. Outside a notebook, empty.
    """
    shell = get_ipython()
    variables = {} if shell is None else shell.user_ns
    found: dict[str, Any] = {}
    for cell in variables.get("In", []):
        assigned = _assignments(cell)
        if "profile" in assigned or cell.startswith(_INJECTED + "\n"):
            found |= assigned
    if found or "profile" not in variables:
        return found
    told = studies_of(chapter)
    constants = {name: value for name, value in variables.items() if isinstance(value, _CONSTANTS)}
    return {name: value for name, value in constants.items() if _is_parameter(name, told)}


def _is_parameter(name: str, told: Sequence[Study]) -> bool:
    try:
        target(name, told)
    except ParameterError:
        return False
    return True


def _assignments(cell: str) -> dict[str, Any]:
    """What a cell assigns to names, where it assigns constants and does nothing else; empty where it does more."""
    found = {}
    try:
        for statement in ast.parse(cell).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found[name] = ast.literal_eval(value)
                case _:
                    return {}
    except (SyntaxError, ValueError):
        return {}
    return found


def _file(study: Study, name: str) -> str:
    """The published table called ``name``, or the discovery table of those published under it."""
    return name if name in published_tables.names(study) else published_tables.name_of(name, "discovery")


class Chapter:
    """The running chapter: resolves its parameters once and hands out tables, figures, sentences and verdicts.

    ``name``: the notebook's stem. In a notebook, its parameters cell says what the chapter runs with, and what
    papermill injected beats it; both beat the profile. ``parameters`` beat all: they are for use without a notebook.
    Raises `genbook.base.spec.ParameterError` with the nearest valid name and the list.
    """

    def __init__(self, name: str, **parameters: Any) -> None:
        """Validate everything before anything is computed."""
        self.name = name
        self.requests = requests(name, {**notebooks_parameters(name), **parameters})
        self._tables: dict[tuple[str, str], Table] = {}
        #: The last figure shown, and the claims shown so far, in their order.
        self._figure = ""
        self._told: dict[str, None] = {}
        figures.style.use()

    def request(self, study: str | None = None) -> Request:
        """The request of ``study``, or of the chapter's only one."""
        if study is None and len(self.requests) == 1:
            return next(iter(self.requests.values()))
        if study not in self.requests:
            raise ParameterError(nearest(str(study), self.requests, "study of this chapter"))
        return self.requests[study]

    def spec(self, study: str | None = None) -> Any:
        """The discovery setting's parameters."""
        return self.request(study).discovery.spec

    @property
    def profile(self) -> str:
        """The profile that the chapter runs with."""
        return next(iter(self.requests.values())).profile

    def result(self, study: str | None = None, setting: str = "discovery") -> Table:
        """The table of a setting with its provenance; computed, with a progress line, where it is missing."""
        request = self.request(study)
        key = (request.study.name, setting)
        if key not in self._tables:
            with progress.file(f"{request.study.title}, {setting} setting") as tell:
                self._tables[key] = request.table(setting, tell)
        return self._tables[key]

    def elsewhere(self, study: str) -> Table:
        """The discovery table of a study that another chapter tells, as the profile has it, for a figure here."""
        key = (study, "discovery")
        if key not in self._tables:
            with progress.file(f"{get(study).title}, discovery setting") as tell:
                self._tables[key] = Request.build(get(study), self.profile).table("discovery", tell)
        return self._tables[key]

    def table(self, study: str | None = None, setting: str = "discovery") -> pd.DataFrame:
        """The tidy rows of a setting: one row per (seed, condition, step, quantity)."""
        return self.result(study, setting).frame

    def show(self, figure: Any, *, name: str, caption: str, alt: str, tables: list[Table] | None = None) -> None:
        """Show a figure with its name, caption, alt text, provenance, the lines that compute it again, and its tables.

        ``tables``: what the figure was drawn from; by default the discovery table of the chapter's only study.
        """
        used = tables if tables is not None else [self.result()]
        self._figure = name
        figures.show(
            figure,
            name=name,
            caption=in_words(caption),
            alt=in_words(alt),
            provenance="; ".join(dict.fromkeys(provenance_line(table) for table in used)),
            rerun="\n".join(dict.fromkeys([self.rerun(), *(line for table in used for line in self._verified(table))])),
            tables=[self._csv(table) for table in used],
        )

    def _verified(self, table: Table) -> list[str]:
        """The command that trains a seed of a published table again, which rerunning a chapter does not do."""
        published = [key for key, known in self._tables.items() if known is table and key[1].startswith("published ")]
        return (
            [f"genbook verify {table.study.name}@{Path(table.provenances[0]['published']).stem}"] if published else []
        )

    def finding(self, claim: str, holds: str, fails: str = "") -> str:
        """A caption's first sentence, and a space, by what became of a claim in discovery; nothing where undecided."""
        text = {"holds": holds, "fails": fails}.get(self.row(claim).discovery.verdict, "")
        return f"{text} " if text else ""

    def say(self, text: str) -> None:
        """A sentence of prose whose numbers come from tables: put it into a cell whose input is hidden."""
        display(Markdown(in_words(text)))

    def rerun(self, **changes: Any) -> str:
        """The command that reruns this chapter as it stands, with ``changes`` over its parameters."""
        words = ["genbook", "run", self.name.partition("_")[0]]
        if self.profile != "quick":
            words += ["--profile", self.profile]
        changed = {
            name: request.discovery.spec.changed(request.study.build(self.profile, {}))
            for name, request in self.requests.items()
        }
        shown = shortest(changed, [request.study for request in self.requests.values()])
        for request in self.requests.values():
            if len(request.discovery.seeds) != request.study.profile(self.profile).seeds:
                shown["seeds"] = len(request.discovery.seeds)
        for parameter, value in {**shown, **changes}.items():
            words += ["-p", parameter, value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))]
        return shlex.join(words)

    @functools.cached_property
    def rows(self) -> list[Row]:
        """Every claim of the chapter in its settings."""
        found = []
        for request in self.requests.values():
            with progress.file(f"{request.study.title}, its other settings") as tell:
                found += evaluate(request, tell=tell)
        return found

    def row(self, claim: str) -> Row:
        """One claim by its id; raises `ParameterError`."""
        by_id = {row.claim.id: row for row in self.rows}
        if claim not in by_id:
            raise ParameterError(nearest(claim, by_id, "claim"))
        return by_id[claim]

    def summary(self, *claims: str, figure: str) -> None:
        """Show in three lines what the chapter found: the figure to look at, what replicated, what did not.

        With the boxes of question and answer they make five. ``claims``: those that the answer rests on, and those that
        speak against it, in the order of weight; of each kind the heaviest are named.
        """
        display(Markdown(in_words(in_short([self.row(claim) for claim in claims], self.rows, figure))))

    def verdict(self, *claims: str) -> None:
        """Show the verdicts of these claims where the argument needs them."""
        self._show_claims([self.row(claim) for claim in claims])

    def verdicts(self) -> None:
        """Show the tally of the chapter, the claims that it has not shown before, and a list of all."""
        if told := tally.in_words(self.rows):
            display(Markdown(f"{told}."))
        self._show_claims([row for row in self.rows if row.claim.id not in self._told])
        by_id = {row.claim.id: row for row in self.rows}
        display(HTML(html.overview([shown(by_id[claim]) for claim in self._told])))

    def _show_claims(self, rows: Sequence[Row]) -> None:
        """Show claims whole; the first row of a claim on the page is the one that links lead to."""
        if not rows:
            return
        display(HTML(figures.claims_table([self._whole(row.claim.id) for row in rows])))

    def _whole(self, claim: str) -> Shown:
        """A claim as a row with all that belongs to it; the first one of a claim bears its address on the page."""
        figure = f"#{self._figure}" if self._figure else ""
        row = shown(self.row(claim), figure=figure, anchored=claim not in self._told)
        self._told[claim] = None
        return row

    def published(self, study: str, name: str) -> Table | None:
        """A table of the study as ``genbook publish`` wrote it, for a figure of its own.

        ``name``: the one under which it was published, for the discovery table, or the name of one table, such as
        'full-replication'. None where the table belongs to another version of the study.
        """
        told = self.request(study).study
        table = published_tables.table(told, _file(told, name))
        if table is not None:
            self._tables[study, f"published {name}"] = table
        return table

    def beside(self, study: str, published: Mapping[str, str], *ids: str) -> dict[str, Mapping[str, Judgement]]:
        """Show the study's claims, or those named, on this page's table and on published ones, side by side.

        ``published``: by the title of a column, the name under which ``genbook publish`` wrote the tables, such as
        'fashion-mnist' for ``book/results/STUDY/fashion-mnist-discovery.parquet`` and its controls, or the name of one
        table, such as 'full-replication'. Under the claims stands where each table comes from, and which claims did not
        fail in their controls there. Tables of another version of the study are outdated: 'not run'. Returns what
        was shown: by column, by claim.
        """
        request = self.request(study)
        known = {claim.id: claim for claim in request.study.claims}
        if unknown := [name for name in ids if name not in known]:
            raise ParameterError(nearest(unknown[0], known, "claim"))
        claims = [known[name] for name in ids] or list(request.study.claims)
        here = self.result(study)
        trusted = request.study.profile(request.profile).judged
        columns: dict[str, Mapping[str, Judgement]] = {"this page": judge_all(claims, here.frame, here.spec, trusted)}
        notes = [f"this page: {provenance_line(here)}"]
        for title, name in published.items():
            file = _file(request.study, name)
            table = published_tables.table(request.study, file)
            found = of_published(request.study, file)
            columns[title] = {claim.id: NOT_RUN if found is None else found[claim.id] for claim in claims}
            notes.append(f"{title}: " + ("outdated" if table is None else provenance_line(table)))
            notes += control_notes(request.study, title, name)
        cells = {
            claim.id: {title: Cell(found[claim.id], why(found[claim.id])) for title, found in columns.items()}
            for claim in claims
        }
        # Where this page's table judges nothing the others decide, and the page need not list these claims once more.
        whole = not trusted
        rows = [self._whole(claim.id) if whole else Shown(claim, {}) for claim in claims]
        rows = [dataclasses.replace(row, cells=cells[row.claim.id]) for row in rows]
        display(HTML(figures.claims_table(rows, notes, brief=not whole)))
        return columns

    def source(self, study: str | None = None, of: Callable[..., Any] | None = None) -> None:
        """Show where the code stands that computes a study's tables or, folded, the function ``of``."""
        if of is None:
            told = self.request(study).study
            link = f'<a href="../evidence/{told.name}.html#{COMPUTES}"><code>{escape(told.module)}</code></a>'
            display(HTML(f'<p class="genbook-source">The code: {link}</p>'))
            return
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        title, code = f"{of.__module__}.{of.__qualname__}", inspect.getsource(of)
        listing = highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight"))
        display(
            HTML(
                f'<details class="genbook-source"><summary>The code: <code>{escape(title)}</code></summary>'
                f'<div class="highlight-python notranslate">{listing}</div></details>'
            )
        )

    def parameters(self, study: str | None = None) -> None:
        """Show, folded, the parameters that this page was computed with, each with its meaning."""
        request = self.request(study)
        values = request.discovery.spec.model_dump(mode="json")
        rows = [
            {
                "parameter": f"<code>{escape(row['name'])}</code>",
                "value": f"<code>{escape(json.dumps(values[row['name']]), quote=False)}</code>",
                "meaning": escape(row["meaning"], quote=False),
            }
            for row in type(request.discovery.spec).described()
        ]
        listing = (
            pd.DataFrame(rows)
            .to_html(index=False, escape=False, border=0, justify="unset")
            .replace("dataframe", "table")
        )
        title = f"Parameters: {escape(request.study.title)}, <code>{request.study.name}</code>"
        display(HTML(f'<details class="genbook-source"><summary>{title}</summary>{listing}</details>'))

    def _csv(self, table: Table) -> tuple[str, str]:
        """Label and book-relative path of a table as CSV; the file waits in the store for the book to be built."""
        settings = [f"{key[1]} setting" for key, known in self._tables.items() if known is table]
        # A table that is no setting of this page was published under a name of its own.
        label = settings[0] if settings else Path(table.provenances[0]["published"]).stem
        file = f"{table.study.name}-{label.removesuffix(' setting').replace(' ', '-')}-{table.digest[:8]}.csv"
        with atomic(store_root() / "csv" / file) as temporary:
            table.frame.to_csv(temporary, index=False)
        return f"{table.study.name}, {label}", f"../tables/{file}"
