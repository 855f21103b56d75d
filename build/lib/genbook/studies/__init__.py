"""The studies: one folder a phenomenon, in the part it belongs to; nothing else has to be told about a new one.

What several studies of a part share lies in the part's ``shared.py``. A study's folder holds ``design.py`` (its
parameters, and ``design(spec)``: the networks that train, as data),
``claims.py`` and ``study.py`` (a `Study` named ``STUDY``: profiles, settings, claims). What does not fit a design has a
``spec.py`` and a ``run.py`` (``run(spec, seeds, device) -> table``) in its place. All but ``run.py`` import no torch,
so that listing, checking and explaining answer at once; the tables of a study depend on ``design.py`` or ``run.py`` and
what that uses, and on nothing else: a reworded claim recomputes no table.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from genbook.base.claims import Claim, Precondition
from genbook.base.spec import ParameterError, Profile, Spec, nearest
from genbook.data.sizes import check_pool
from genbook.experiments import Design
from genbook.tables.quantities import COLUMNS, meanings

#: The columns of every table and those that the engine adds while it trains: no condition is told apart by these.
TAKEN = frozenset(COLUMNS) | frozenset(
    ("replica", "on", "labels", "steps", "epochs", "fitted", "fitted_step", "diverged", "diverged_step")
)

#: First of the seeds that a replication uses instead of discovery's: nothing was ever chosen on these.
REPLICATION_SEED = 1000


@dataclass(frozen=True)
class Study:
    """One phenomenon as a computation: its parameters, settings and claims.

    ``name``: its folder, in that of its part; no two studies have the same. ``version``: raised when the meaning of the
    table changes. ``columns``: meaning and unit of each column of the table. ``quantities``: the same for each value of
    the column ``quantity``. ``replication``: from discovery's spec, the parameters that it replaces. ``controls``: by
    name, the parameters that turn discovery into a control. ``varies``: what a seed draws.
    ``fits``: raises `ParameterError` for a spec whose data set has not what the study draws from it.
    ``drawn``: columns that say of a row what its seed drew, such as whether an example's label is wrong.
    ``precondition``: what the data of the replication must allow; where they do not, its claims are 'not testable'.
    ``replication_seed``: first seed of the replication; another one than usual where a setting was changed after
    the usual seeds had been looked at, so that the replication is again on draws that nobody has seen.
    """

    name: str
    title: str
    version: int
    spec: type[Spec]
    profiles: Mapping[str, Profile]
    claims: tuple[Claim, ...]
    columns: Mapping[str, str]
    quantities: Mapping[str, str]
    replication: Callable[[Any], Mapping[str, Any]] | None
    controls: Mapping[str, Mapping[str, Any]]
    varies: tuple[str, ...] = field(
        default=("training subset", "corruption", "order", "initialisation"),
    )
    fits: Callable[[Any], None] = lambda spec: None
    drawn: tuple[str, ...] = ()
    replication_seed: int = REPLICATION_SEED
    precondition: Precondition | None = None

    @classmethod
    def designed(cls, design: Callable[[Any], Design], conditions: Mapping[str, str], **fields: Any) -> Self:
        """A study that is a design of conditions: columns, quantities and what it draws follow from the design.

        ``design``: the function of the study's ``design.py``. ``conditions``: meanings of the columns that tell the
        conditions apart. ``fields``: the others.

        Raises:
            ParameterError: a column of the conditions is called as one that the tables have already.
        """
        if taken := TAKEN.intersection(conditions):
            raise ParameterError(
                f"study {fields['name']}: no column of its conditions can be called {' or '.join(sorted(taken))}; "
                f"taken are {', '.join(sorted(TAKEN))}"
            )
        measured = design(fields["spec"]()).quantities
        fields = {"fits": _fits_design(design), **fields}
        return cls(columns={**conditions, **COLUMNS}, quantities=meanings(*measured), **fields)

    def profile(self, name: str) -> Profile:
        """The profile called ``name``; raises `ParameterError` with the nearest name and the list."""
        if name not in self.profiles:
            raise ParameterError(nearest(name, self.profiles, "profile"))
        return self.profiles[name]

    def build(self, profile: str, parameters: Mapping[str, Any]) -> Spec:
        """The spec of discovery: ``parameters`` over the profile over the defaults."""
        return self.spec.build(**{**self.profile(profile).parameters, **parameters})

    def changed(self, spec: Spec, changes: Mapping[str, Any]) -> Spec:
        """``spec`` with ``changes``: a control or the replication's."""
        return self.spec.build(**{**spec.model_dump(), **changes})

    def accept(self, spec: Spec) -> Spec:
        """``spec`` where it, its replication and every control can be had; raises `ParameterError` where not.

        What the discovery setting can have and another one cannot is refused too: nothing could be judged in the end.
        """
        self.fits(spec)
        changes = {"replication": lambda: self.replication(spec)} if self.replication is not None else {}
        changes |= {f"control {name!r}": lambda name=name: self.controls[name] for name in self.controls}
        for which, changed in changes.items():
            try:
                self.fits(self.changed(spec, changed()))
            except ParameterError as error:
                raise ParameterError(
                    f"study {self.name}: with these parameters its {which} could not be computed, where {error}"
                ) from None
        return spec

    def run(self, spec: Spec, seeds: Sequence[int], device: str) -> Any:
        """Compute the table (imports torch); `genbook.base.progress.context` around it is told how far it is."""
        module = importlib.import_module(self.module)
        return module.run(spec, seeds, device) if hasattr(module, "run") else module.design(spec).run(seeds, device)

    @property
    def module(self) -> str:
        """Dotted name of the module whose code, with all that it uses, decides whether a table is current."""
        written = (folder(self.name) / "run.py").is_file()
        return f"{package(self.name)}.{'run' if written else 'design'}"


def other_images(spec: Any) -> Mapping[str, Any]:
    """The usual replication's images: fashion-small, or digits, of which there are fewer, for Fashion-MNIST's own."""
    if not spec.dataset.startswith("fashion"):
        return {"dataset": "fashion-small"}
    return {"dataset": "digits", **({"n_train": min(spec.n_train, 1000)} if isinstance(spec.n_train, int) else {})}


def from_pool(*parameters: str) -> Callable[[Any], None]:
    """For `Study.fits`: these parameters are numbers of examples drawn from the data set's training pool, together.

    Of a list of numbers the largest counts.
    """

    def fits(spec: Any) -> None:
        values = {name: getattr(spec, name) for name in parameters}
        check_pool(spec.dataset, {name: max(v) if isinstance(v, tuple) else v for name, v in values.items()})

    return fits


def _fits_design(design: Callable[[Any], Design]) -> Callable[[Any], None]:
    def fits(spec: Any) -> None:
        for images in {condition.images for condition in design(spec).conditions}:
            held_out = {"held_out": images.held_out} if images.held_out else {}
            check_pool(images.dataset, {"n_train": images.n_train, **held_out})

    return fits


@functools.cache
def _packages() -> Mapping[str, str]:
    """By study, in alphabetical order, the dotted name of its package."""
    found = {
        file.parent.name: f"{__name__}.{file.parent.parent.name}.{file.parent.name}"
        for file in Path(__path__[0]).glob("*/*/study.py")
    }
    return dict(sorted(found.items()))


def names() -> tuple[str, ...]:
    """The studies' names in alphabetical order."""
    return tuple(_packages())


def package(name: str) -> str:
    """Dotted name of a study's package; raises `ParameterError` with the nearest name and the list."""
    if name not in _packages():
        raise ParameterError(nearest(name, names(), "study"))
    return _packages()[name]


def folder(name: str) -> Path:
    """Where the study called ``name`` lies; raises `ParameterError` with the nearest name and the list."""
    return Path(__path__[0]).joinpath(*package(name).split(".")[-2:])


def get(name: str) -> Study:
    """The study called ``name``; raises `ParameterError` with the nearest name and the list."""
    return importlib.import_module(f"{package(name)}.study").STUDY
