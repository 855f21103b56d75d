"""A new study: its folder, its test, its section of a chapter and its line in ``book/chapters.yml``, to be filled.

What is written is a small study that keeps every promise (``genbook check``), so that there is something that runs at
each moment until it says what its author wants.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from genbook import studies
from genbook.base.files import repository, write_text
from genbook.base.spec import ParameterError
from genbook.results.chapters import chapters, entry

_TEMPLATES = Path(__file__).parent / "new_study"


def new_study(name: str, chapter: str | None = None, title: str | None = None) -> list[Path]:
    """Write a study called ``name`` into the part of ``chapter`` and return what was written or changed.

    Args:
        name: the study's folder: lower-case letters, digits, underscores.
        chapter: the chapter that is to tell it; the last one where not given.
        title: the study's; made of its name where not given.

    Raises:
        ParameterError: a name that is none or is taken, or an unknown chapter; nothing is written then.
        NotACheckout: there is no book around this package.
    """
    root = repository()
    chapter = chapter or chapters()[-1]
    part = entry(chapter).part
    if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise ParameterError(
            f"study {name!r}: want lower-case letters, digits and underscores, such as 'sample_descent'"
        )
    if name in studies.names():
        raise ParameterError(f"study {name!r} is there already, in {studies.folder(name)}")
    title = title or name.replace("_", " ").capitalize()
    words = {
        "name": name,
        "Name": "".join(word.capitalize() for word in name.split("_")),
        "id": name.replace("_", "-"),
        "part": part,
        "title": title,
    }
    package = root / "src" / "genbook" / "studies" / part
    files = {package / name / f"{kind}.py": f"{kind}.py" for kind in ("design", "claims", "study")}
    files[root / "tests" / "studies" / f"test_{name}.py"] = "test.py"
    texts = {path: _filled(template, words) for path, template in files.items()}
    texts[package / name / "__init__.py"] = f'"""{title}."""\n'
    texts[_chapters_file()] = _told(_chapters_file().read_text(encoding="utf-8"), chapter, name)
    notebook = root / "notebooks" / f"{chapter}.ipynb"
    texts[notebook] = _with_section(notebook, words)
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def _chapters_file() -> Path:
    return repository() / "book" / "chapters.yml"


def _filled(template: str, words: dict[str, str]) -> str:
    return _in_order(Template((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(words))


def _in_order(text: str) -> str:
    """Imports from the package by their modules' names, among which the name of the part has its place."""
    blocks = r"(^from genbook[\w.]* import [^(\n]+\n)+"
    return re.sub(
        blocks,
        lambda block: "".join(sorted(block[0].splitlines(keepends=True), key=str.split)),
        text,
        flags=re.MULTILINE,
    )


def _told(text: str, chapter: str, study: str) -> str:
    """``chapters.yml`` with the study at the end of the chapter's; all else, the comments too, stays as it is."""
    head, mark, rest = text.partition(f"- name: {chapter}\n")
    entry, closing, after = rest.partition("]")
    return f"{head}{mark}{entry}, {study}{closing}{after}"


def _with_section(path: Path, words: dict[str, str]) -> str:
    """The chapter's notebook with a section on the study before its verdicts, or at its end; last, what was run."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    hidden, removed = {"tags": ["hide-input"]}, {"tags": ["remove-input"]}
    name = words["name"].replace("_", "-")
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    section = [
        markdown(_filled("section.md", words).rstrip("\n"), id=name),
        code(_filled("figure.py", words).rstrip("\n"), id=f"{name}-figure", metadata=hidden),
        code(_filled("said.py", words).rstrip("\n"), id=f"{name}-said", metadata=removed),
        code(f'chapter.verdict("{name}-costs")', id=f"{name}-verdict", metadata=removed),
        markdown(_filled("change.md", words).rstrip("\n"), id=f"{name}-change"),
    ]
    places = [number for number, cell in enumerate(notebook.cells) if cell.source.startswith("## All verdicts")]
    place = places[0] if places else len(notebook.cells)
    notebook.cells[place:place] = section
    notebook.cells.append(code(_filled("run.py", words).rstrip("\n"), id=f"{name}-run", metadata=removed))
    return nbformat.writes(notebook, indent=1, ensure_ascii=False).rstrip("\n") + "\n"
