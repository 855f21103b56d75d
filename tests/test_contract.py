"""The contract itself: a sound study passes every check, and each planted error is found by the check for it."""

import importlib
import random
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import Field, model_validator

from genbook import cli, models, studies
from genbook.base.claims import Claim, Precondition
from genbook.base.seeding import generator
from genbook.base.spec import ParameterError, Profile, Spec, parameter
from genbook.contract import CHECKS, CheckError, check
from genbook.probes import Accuracy, Every, MeanLoss
from genbook.probes.probe import Measurement, Probe
from genbook.studies import Study
from genbook.training import SGD, Examples, Recipe, Replica, train
from genbook.training.replica import RESERVED


class PlantSpec(Spec):
    """A study of nothing: small networks on points that one coordinate tells apart."""

    size: int = parameter(12, "examples", "examples", ge=4, le=100)
    batch: int = parameter(3, "examples in a step", "examples", ge=1)
    rates: tuple[Annotated[float, Field(gt=0, le=10)], ...] = parameter((0.1, 0.3), "learning rates", min_length=1)
    labels: Literal["real", "shuffled"] = parameter("real", "which labels")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.batch > self.size:
            raise ValueError(f"parameter batch = {self.batch}: want at most size = {self.size}")
        return self


def examples(spec, seed, purpose):
    rng = generator(seed, purpose)
    inputs = torch.from_numpy(rng.normal(size=(spec.size, 3))).float()
    labels = (inputs[:, 0] > 0).long() if spec.labels == "real" else torch.from_numpy(rng.integers(2, size=spec.size))
    return Examples(inputs, labels)


def replicas(spec, seeds):
    for seed in seeds:
        sets = {"train": examples(spec, seed, "training subset"), "test": examples(spec, seed, "test set")}
        for rate in spec.rates:
            recipe = Recipe(30, SGD(rate), spec.batch)
            yield Replica(seed, models.mlp((3, 4, 2)), recipe, sets, {"rate": rate})


def sound(spec, seeds, device="cpu", probes=()):
    at = Every(10)
    measured = [MeanLoss("train", at=at), Accuracy("test", at=at), MeanLoss("test", at=at), *probes]
    return named(train(list(replicas(spec, seeds)), measured).table)


def named(table):
    names = (table["on"] + " " + table["quantity"]).str.strip()
    return table.assign(quantity=names)[["seed", "rate", "step", "quantity", "value"]]


def final(table, spec):
    return table[(table["quantity"] == "test loss") & (table["step"] == 30)].groupby("seed")["value"].mean()


@dataclass(frozen=True)
class Plant(Study):
    compute: Any = field(default=sound)
    gated: bool = True  # whether `accept` asks all settings
    code: str = studies.get("random_labels").module

    @property
    def module(self):
        return self.code

    def accept(self, spec):
        return super().accept(spec) if self.gated else spec

    def run(self, spec, seeds, device):
        return self.compute(spec, seeds, device)


def claim(**changes):
    settings = {
        "id": "learns",
        "statement": "It learns.",
        "source": "chatterjee-zielinski-2022",
        "statistic": final,
        "relation": "<",
        "threshold": 0.5,
        "control": "shuffled labels",
    }
    return Claim(**{**settings, **changes})


def demand(statistic):
    return Precondition("the test loss", statistic, "<", 0.7)


def plant(**changes):
    settings = {
        "name": "plant",
        "title": "A plant",
        "version": 1,
        "spec": PlantSpec,
        "profiles": {
            "smoke": Profile(seeds=2, parameters={}, seconds=1, judged=False),
            "quick": Profile(seeds=5, parameters={"size": 20}, seconds=1),
            "full": Profile(seeds=20, parameters={"size": 50}, seconds=1),
        },
        "claims": (claim(),),
        "columns": {name: name for name in ("seed", "rate", "step", "quantity", "value")},
        "quantities": {name: name for name in ("train loss", "test loss", "test accuracy")},
        "replication": lambda spec: {"size": max(spec.batch, min(40, spec.size))},
        "controls": {"shuffled labels": {"labels": "shuffled"}},
        "precondition": demand(final),
    }
    return Plant(**{**settings, **changes})


def changed(change):
    """A run whose table is the sound one after ``change``."""

    def compute(spec, seeds, device):
        return change(sound(spec, seeds))

    return compute


def with_global_noise(spec, seeds, device):
    table = sound(spec, seeds)
    return table.assign(value=table["value"] + np.random.default_rng().normal())


def with_reseeded_numpy(spec, seeds, device):
    np.random.seed(0)
    noise = {seed: np.random.normal() for seed in seeds}
    table = sound(spec, seeds)
    return table.assign(value=table["value"] + table["seed"].map(noise))


def scaled_by_the_mean_of_all_seeds(spec, seeds, device):
    table = sound(spec, seeds)
    return table.assign(value=table["value"] / table["value"].mean())


def ignoring_the_seed(spec, seeds, device):
    table = sound(spec, [0])
    return pd.concat([table.assign(seed=seed) for seed in seeds], ignore_index=True)


def with_python_random(spec, seeds, device):
    random.random()
    return sound(spec, seeds)


def with_a_module_by_name(spec, seeds, device):
    importlib.import_module("genbook.tables." + "peaks")
    return sound(spec, seeds)


def with_a_function_by_name(spec, seeds, device):
    sys.modules["genbook.base.claims"].decide(0.0, 1.0, ">", 0.5)
    return sound(spec, seeds)


def with_the_training_set_for_a_test_set(spec, seeds, device):
    at, grid = Every(10), []
    for r in replicas(spec, seeds):
        sets = {"train": r.data["train"], "test": Examples(r.data["train"].inputs, 1 - r.data["train"].labels)}
        grid.append(Replica(r.seed, r.model, r.recipe, sets, dict(r.condition)))
    return named(train(grid, [MeanLoss("train", at=at), Accuracy("test", at=at), MeanLoss("test", at=at)]).table)


def with_training_loss_told_as_test_loss(table):
    """As a probe on the wrong set, or a wrong name in the list of names, would give it."""
    rows = table[table["quantity"] == "train loss"]
    return pd.concat([table[table["quantity"] != "test loss"], rows.assign(quantity="test loss")], ignore_index=True)


class Remembering(Probe):
    """Counts its measurements, and forgets them when the training is interrupted."""

    def measure(self, view):
        object.__setattr__(self, "count", getattr(self, "count", 0) + 1)
        yield Measurement("measurements", torch.full((len(view.replicas),), float(self.count)), on="test")


def with_a_probe_that_remembers(spec, seeds, device):
    return sound(spec, seeds, probes=[Remembering(at=Every(1))])


@pytest.fixture(scope="module")
def outcomes():
    return dict(zip(CHECKS, check(plant()), strict=True))


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_study_keeps_the_contract(outcomes, name):
    _, error = outcomes[name]
    assert error is None, error


class Lax(PlantSpec):
    """Takes any name, and refuses without a reason."""

    model_config: ClassVar = {"extra": "ignore"}

    @classmethod
    def build(cls, **values):
        try:
            return cls(**values)
        except ValueError:
            raise ParameterError("something is wrong") from None


class Coercing(PlantSpec):
    """Takes the text '1' for the number."""

    model_config: ClassVar = {"strict": False}


class Unbounded(PlantSpec):
    batch: int = parameter(3, "examples in a step", "examples")


class Undocumented(PlantSpec):
    batch: int = parameter(3, "", "examples", ge=1)


class Wrong(PlantSpec):
    """Its validator divides by the number of examples beyond the batch."""

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.size % (self.size - self.batch) < 0:
            raise ValueError("no")
        return self


PLANTED = [
    ("unknown_names_are_refused", {"spec": Lax}, "is accepted"),
    ("wrong_types_are_refused", {"spec": Lax}, "does not say"),
    ("wrong_types_are_refused", {"spec": Coercing}, "is accepted; refuse it"),
    ("bounds_are_kept", {"spec": Lax}, "does not say"),
    ("bounds_are_kept", {"spec": Unbounded}, "batch has no bound"),
    ("parameters_are_documented", {"spec": Undocumented}, "batch wants one line of meaning"),
    ("profiles_have_all_settings", {"controls": {"shuffled labels": {"labels": "real"}}}, "the spec of discovery"),
    ("profiles_have_all_settings", {"controls": {"shuffled labels": {"batch": 1000}}}, "profile smoke is accepted"),
    ("profiles_have_all_settings", {"profiles": {"smoke": Profile(2, {}, 1)}}, "want the profiles"),
    (
        "accepted_specs_have_all_settings",
        {"replication": lambda spec: {"size": 8}, "gated": False},
        "'replication' is refused: parameter batch",
    ),
    ("accepted_specs_have_all_settings", {"replication": lambda spec: {"size": 1}}, "none is accepted"),
    ("accepted_specs_have_all_settings", {"spec": Lax}, "begin with the parameter"),
    ("accepted_specs_have_all_settings", {"spec": Wrong}, "ends in ZeroDivisionError"),
    ("claims_are_complete", {"claims": (claim(control="nothing"),)}, "no control 'nothing'"),
    ("claims_are_complete", {"claims": (claim(source="nobody-1900"),)}, "no source 'nobody-1900'"),
    ("claims_are_complete", {"claims": (claim(), claim())}, "an id|a claim's id is its own"),
    (
        "columns_are_documented",
        {"compute": changed(lambda table: table.assign(extra=1.0))},
        "without a meaning: 'extra'",
    ),
    (
        "columns_are_documented",
        {"compute": changed(lambda table: table.drop(columns="rate"))},
        "not in the table: 'rate'",
    ),
    ("quantities_are_documented", {"quantities": {"test loss": "loss"}}, "without a meaning: 'test accuracy'"),
    (
        "quantities_are_documented",
        {"quantities": {**plant().quantities, "right in k": "share"}},
        "in no smoke table: 'right in k'",
    ),
    (
        "rows_are_unique",
        {"compute": changed(lambda table: pd.concat([table, table.iloc[:1].assign(value=9.0)]))},
        "2 rows differ from another in their value at most",
    ),
    ("seeds_are_complete", {"compute": lambda spec, seeds, device: sound(spec, seeds[:1])}, "asked for the seeds"),
    (
        "seeds_are_complete",
        {"compute": changed(lambda table: table[~((table["rate"] == 0.3) & (table["seed"] == 1))])},
        "different",
    ),
    ("seeds_are_independent", {"compute": with_global_noise}, "computed alone, seed 1 has other values"),
    ("seeds_are_independent", {"compute": with_reseeded_numpy}, "computed alone, seed 1 has other values"),
    ("seeds_are_independent", {"compute": scaled_by_the_mean_of_all_seeds}, "computed alone, seed 1 has other values"),
    ("seeds_differ", {"compute": ignoring_the_seed}, "same values throughout"),
    (
        "values_are_finite_or_documented",
        {"compute": changed(lambda table: table.assign(value=table["value"].mask(table["step"] == 0)))},
        "NaN among the values",
    ),
    (
        "values_are_finite_or_documented",
        {"compute": changed(lambda table: table.assign(value=table["value"].mask(table["step"] == 0, np.inf)))},
        "infinite values",
    ),
    (
        "test_quantities_are_their_own",
        {"compute": changed(with_training_loss_told_as_test_loss)},
        "'train loss' and 'test loss' are equal in all",
    ),
    ("test_sets_are_held_out", {"compute": with_the_training_set_for_a_test_set}, "12 of 12 test examples"),
    (
        "statistics_have_a_value_per_seed",
        {"claims": (claim(statistic=lambda table, spec: final(table, spec).iloc[:1]),)},
        "want one for each of the seeds",
    ),
    (
        "statistics_have_a_value_per_seed",
        {"claims": (claim(statistic=lambda table, spec: final(table[table["seed"] < 100], spec)),)},
        "setting 'replication': values for no seed",
    ),
    (
        "statistics_have_a_value_per_seed",
        {"claims": (claim(statistic=lambda table, spec: float(final(table, spec).mean())),)},
        "a pandas Series, got float",
    ),
    (
        "statistics_ignore_the_order_of_rows",
        {"claims": (claim(statistic=lambda table, spec: table.groupby("seed")["value"].last()),)},
        "when the rows came in another order",
    ),
    (
        "preconditions_have_a_value_per_seed",
        {"precondition": demand(lambda table, spec: final(table, spec) * np.nan)},
        "want a number for each of the seeds",
    ),
    (
        "preconditions_have_a_value_per_seed",
        {"precondition": demand(lambda table, spec: final(table, spec).iloc[:1])},
        "want a number for each of the seeds",
    ),
    (
        "preconditions_have_a_value_per_seed",
        {"precondition": demand(lambda table, spec: float(final(table, spec).mean()))},
        "a pandas Series, got float",
    ),
    ("global_state_is_left_alone", {"compute": with_python_random}, "random's generator"),
    ("global_state_is_left_alone", {"compute": with_reseeded_numpy}, "NumPy's global generator"),
    ("code_hash_counts_what_runs", {"compute": with_a_module_by_name}, "genbook.tables.peaks"),
    ("code_hash_counts_what_runs", {"compute": with_a_function_by_name}, "genbook.base.claims"),
    (
        "resumed_equals_undisturbed",
        {"compute": with_a_probe_that_remembers},
        "interrupted and resumed, the table has other values",
    ),
]


@pytest.mark.parametrize(("name", "changes", "said"), PLANTED, ids=[f"{n}-{k}" for k, (n, *_) in enumerate(PLANTED)])
def test_a_planted_error_is_found_by_the_check_for_it(name, changes, said):
    with pytest.raises(CheckError, match=said):
        CHECKS[name](plant(**changes))


def test_every_check_has_an_error_that_it_finds():
    assert {name for name, *_ in PLANTED} == set(CHECKS)


@pytest.mark.parametrize(("changes", "status"), [({}, 0), ({"columns": {"seed": "the seed"}}, 1)])
def test_the_command_prints_a_line_a_check(changes, status, monkeypatch, capsys):
    monkeypatch.setattr(studies, "get", lambda name: plant(**changes))
    monkeypatch.setattr(sys, "argv", ["genbook", "check", "plant"])
    try:
        cli.main()
        found = 0
    except SystemExit as stop:
        found = stop.code
    out = capsys.readouterr().out
    assert found == status
    assert len([line for line in out.splitlines() if line.startswith(("ok ", "-- ", "BROKEN "))]) == len(CHECKS)
    assert ("columns without a meaning" in out) == bool(changes)


def test_what_stops_every_run_is_said_in_full_once(monkeypatch, capsys):
    def stops(spec, seeds, device):
        raise RuntimeError("no such network")

    monkeypatch.setattr(studies, "get", lambda name: plant(compute=stops))
    monkeypatch.setattr(sys, "argv", ["genbook", "check", "plant"])
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert out.count("no such network") == 1
    assert out.count("as above") == out.count("BROKEN") - 1 > 0


@pytest.mark.parametrize("column", sorted(studies.TAKEN))
def test_a_column_of_the_conditions_that_is_taken_is_refused_by_name(column):
    with pytest.raises(ParameterError, match=f"study plant: no column of its conditions can be called {column}; taken"):
        Study.designed(None, {"rate": "learning rate", column: "another"}, name="plant")


def test_what_the_engine_refuses_as_a_column_is_taken():
    assert RESERVED <= studies.TAKEN


def test_an_unknown_study_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["genbook", "check", "random_lables"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "did you mean 'random_labels'" in capsys.readouterr().err
