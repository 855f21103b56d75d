"""The built book as an RO-Crate: beside its pages the tables that it reads, and how each was made.

The crate keeps the Process Run Crate profile: one ``CreateAction`` for each file of a table, with the program
(``instrument``), the parameters, data and seeds (``object``), the file with its SHA-256 (``result``), the environment
and the times, all as the table's provenance says. Equal tables give an equal record, whenever it is written.
"""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from genbook.base.files import disk_errors, make_folder, repository, sha256, write_text
from genbook.results import published
from genbook.results.chapters import chapters, studies_of
from genbook.results.compute import has_data
from genbook.results.requests import Request
from genbook.results.table import key_of
from genbook.results.verdicts import settings_read
from genbook.studies import Study
from genbook.tables.store import Store, read_provenance

#: The record's name, by which a folder is known as a crate.
RECORD = "ro-crate-metadata.json"
#: Where the tables lie beside the pages: parts as in the store, published tables as in ``book/results``.
TABLES, PUBLISHED = "tables", "published"

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"


@dataclass(frozen=True)
class File:
    """A file of a table: its place in the crate, where it lies now, what it is, and its provenance."""

    place: str
    path: Path
    name: str
    digest: str
    provenance: Mapping[str, Any]


def files_read(profile: str) -> list[File]:
    """The files of the tables that the book of a profile reads: parts of the store, then published tables."""
    told = [study for chapter in chapters() for study in studies_of(chapter)]
    found = [file for study in told for file in _parts(Request.build(study, profile))]
    found += [file for study in told for file in _published(study)]
    return list({file.place: file for file in found}.values())


def _parts(request: Request) -> Iterator[File]:
    """The parts in the store of all settings that are read; those that are published tables' are not there."""
    store = Store()
    for setting in settings_read(request):
        if not has_data(setting.spec):
            continue
        key = key_of(request.study, setting.spec)
        for seed in setting.seeds:
            path = store.part_path(key, seed)
            if path.is_file():
                digest = sha256(path.read_bytes())
                said = read_provenance(path, key, {"seed": seed}, digest)
                name = f"{request.study.name}, {setting.name}, seed {seed}"
                yield File(f"{TABLES}/{key}/{path.name}", path, name, digest, said)


def _published(study: Study) -> Iterator[File]:
    for name in published.names(study):
        path, digest, said = published.listed(study, name)
        yield File(f"{PUBLISHED}/{study.name}/{path.name}", path, f"{study.name}, {name}", digest, said)


@dataclass(frozen=True)
class Crate:
    """The record as text, and the files that it speaks of."""

    record: str
    files: tuple[File, ...]

    def write(self, pages: Path) -> None:
        """Put record and files beside the pages, and nothing that an older crate had besides."""
        for folder in (TABLES, PUBLISHED):
            shutil.rmtree(pages / folder, ignore_errors=True)
        for file in self.files:
            make_folder((pages / file.place).parent)
            with disk_errors(pages):
                shutil.copyfile(file.path, pages / file.place)
        write_text(pages / RECORD, self.record)


def crate(profile: str) -> Crate:
    """The crate of a profile's book; all its tables must be there."""
    files = files_read(profile)
    return Crate(json.dumps(described(files), indent=1, ensure_ascii=False) + "\n", tuple(files))


def described(files: list[File]) -> dict[str, Any]:
    """The record of these files as JSON-LD."""
    from rocrate.rocrate import ROCrate  # takes half a second, which a command that builds nothing should not pay

    made = ROCrate(version="1.1")
    made.metadata.extra_contexts.append(_TERMS)
    cited = yaml.safe_load((repository() / "CITATION.cff").read_text(encoding="utf-8"))
    root = made.root_dataset
    root["name"], root["description"] = cited["title"], cited["abstract"]
    root["version"] = str(cited["version"])
    # the day of the youngest table: a record of the same tables is the same on every day
    root["datePublished"] = max((file.provenance["created"] for file in files), default="1970-01-01")[:10]
    root["license"] = _entity(made, f"https://spdx.org/licenses/{cited['license']}", "CreativeWork", name="MIT Licence")
    authors = ", ".join(author["name"] for author in cited["authors"])
    root["author"] = _entity(made, "#authors", "Organization", name=authors)
    root["conformsTo"] = _entity(made, _PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    first = made.add_file(dest_path="index.html", properties={"name": "The book", "encodingFormat": "text/html"})
    root["mainEntity"] = first
    root["mentions"] = [_action(made, file) for file in files]
    return made.metadata.generate()


def _entity(made: Any, place: str, kind: str, /, **properties: Any) -> Any:
    """The entity of that ``@id``, made where it is not there: what many actions share is said once."""
    from rocrate.model.contextentity import ContextEntity

    return made.get(place) or made.add(ContextEntity(made, place, properties={"@type": kind, **properties}))


def _action(made: Any, file: File) -> Any:
    """How a file was made."""
    said = file.provenance
    seeds = said["seeds"] if "seeds" in said else [said["seed"]]
    result = made.add_file(
        dest_path=file.place,
        properties={
            "name": file.name,
            "encodingFormat": "application/vnd.apache.parquet",
            "contentSize": str(file.path.stat().st_size),
            "sha256": file.digest,
        },
    )
    action = _entity(made, f"#made/{file.place}", "CreateAction", name=file.name, description=_in_words(said, seeds))
    action["instrument"] = _program(made, said)
    action["object"] = [*_inputs(made, said), _value(made, "seed", ", ".join(map(str, seeds)))]
    action["result"] = result
    action["environment"] = [
        _value(made, name, str(value))
        for name, value in (
            ("GENBOOK_THREADS", said["threads"]),
            ("MKL_CBWR", said.get("arithmetic", {}).get("MKL_CBWR")),
        )
        if value is not None
    ]
    end = datetime.datetime.fromisoformat(said["created"])
    if len(seeds) == 1:  # what was published in one file need not have been computed in one go
        action["startTime"] = (end - datetime.timedelta(seconds=said["wall_seconds"])).isoformat(timespec="seconds")
    action["endTime"] = end.isoformat(timespec="seconds")
    return action


def _in_words(said: Mapping[str, Any], seeds: list[int]) -> str:
    each = f"{said['wall_seconds']:.1f} s a seed on {said['device']}"
    together = (
        "" if len(seeds) > 1 else "; seeds of a setting are computed together, and this is one's part of the time"
    )
    return f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} of {said['study']}, {each}{together}"


def _program(made: Any, said: Mapping[str, Any]) -> Any:
    """The study's code, as part of the genbook that ran it."""
    genbook = _genbook(made, said)
    identifier = f"#code/{said['study']}/{said['code'][:12]}{genbook.id.removeprefix('#genbook')}"
    return made.get(identifier) or _entity(
        made,
        identifier,
        "SoftwareSourceCode",
        name=f"genbook: study {said['study']}",
        version=str(said["version"]),
        identifier=f"hash of the syntax trees: {said['code']}",
        isPartOf=genbook,
    )


def _genbook(made: Any, said: Mapping[str, Any]) -> Any:
    """The installed package with its commit, what it needs, and the machine that it ran on."""
    versions, commit = dict(said["versions"]), said["commit"] or "unknown"
    capability = said.get("arithmetic", {}).get("capability")
    processor = ", ".join(word for word in (said["device"], capability) if word)
    mark = sha256(json.dumps([versions, said["platform"], processor], sort_keys=True).encode())[:8]
    identifier = f"#genbook/{versions['genbook']}/{commit}/{mark}"
    if found := made.get(identifier):
        return found
    return _entity(
        made,
        identifier,
        "SoftwareApplication",
        name="genbook",
        softwareVersion=versions.pop("genbook"),
        identifier=f"commit {commit}" + (", with changes" if commit.endswith("+") else ""),
        operatingSystem=said["platform"],
        processorRequirements=processor,
        softwareRequirements=[_package(made, name, version) for name, version in sorted(versions.items())],
    )


def _package(made: Any, name: str, version: str) -> Any:
    """A package of Python's index, by its address there as the profile has it, or Python itself."""
    url = "https://www.python.org" if name == "python" else f"https://pypi.org/project/{name}/{version}/"
    place = f"{url}/downloads/#{version}" if name == "python" else url
    return _entity(made, place, "SoftwareApplication", name=name, url=url, softwareVersion=version)


def _inputs(made: Any, said: Mapping[str, Any]) -> list[Any]:
    """The whole spec, and the data set with the hash of its arrays, where there is one."""
    spec = json.dumps(said["spec"], sort_keys=True)
    name = f"{said['study']}/{sha256(spec.encode())[:12]}"
    found = [_entity(made, f"#spec/{name}", "PropertyValue", name=f"parameters of {said['study']}", value=spec)]
    if said["dataset"]:
        identifier = f"#data/{said['dataset']}/{said['data'][:12]}"
        found.append(_entity(made, identifier, "CreativeWork", name=said["dataset"], sha256=said["data"]))
    return found


def _value(made: Any, name: str, value: str) -> Any:
    return _entity(made, f"#{name}/{sha256(value.encode())[:8]}", "PropertyValue", name=name, value=value)
