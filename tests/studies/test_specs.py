"""Every study's parameters under random requests: refused with a message, or accepted with all settings."""

import json
import random

import numpy as np
import pytest

from genbook import data, studies
from genbook.base.spec import ParameterError
from genbook.data.sizes import POOL, RAREST_CLASS, TEST
from genbook.results.compute import LARGEST_SEED, MOST_SEEDS
from genbook.results.requests import Request

STRANGE_NAMES = ["cls", "self", "values", "others", "model_config", "build", "learning_rat", "", "n train", "²"]
STRANGE = [None, True, "", "many", [], {}, (), b"1", float("nan"), float("inf"), -1, 0, 10**30, 1e308, [[1]], object()]
DEVICES = ["auto"] * 20 + [None, "tpu", "", 0, ["cpu"], np.array(["cpu", "auto"]), np.array("cpu"), b"cpu", object()]
SEEDS = [1, 3, [5], [0, LARGEST_SEED], 0, -1, [], [1, 1], [-1], True, 1.5, "3", [1.5], None, np.arange(3)]
SEEDS += [MOST_SEEDS, MOST_SEEDS + 1, 10**30, [10**30], [LARGEST_SEED + 1], list(range(MOST_SEEDS + 1)), [None], {}]
REQUESTS = 250


def near(draw, value):
    """A value about as large as ``value``, often at or beyond a bound; sometimes anything at all."""
    if draw.random() < 0.07:
        return draw.choice(STRANGE)
    if isinstance(value, list | tuple):
        changed = [near(draw, one) for one in value for _ in range(draw.choice([1, 1, 1, 1, 2]))]
        return draw.choice([list(value), changed, changed[: draw.randint(0, 3)], list(value)[::-1], list(value) * 2])
    if isinstance(value, bool | str) or value is None:
        return value
    scaled = value * draw.choice([0.1, 0.5, 1, 1, 1.5, 2, 4, 10, 30]) + draw.choice([0, 0, 0, 1, -1, 0.01])
    return round(scaled) if isinstance(value, int) and draw.random() < 0.95 else scaled


def random_parameters(draw, study):
    rows = {row["name"]: row for row in study.spec.described()}
    parameters = {}
    for name in draw.sample(sorted(rows), draw.choice([0, 1, 1, 1, 2, 2, 3])):
        choices = rows[name]["type"].removeprefix("one of: ").split(", ") if "one of" in rows[name]["type"] else []
        values = [preset.parameters.get(name, rows[name]["default"]) for preset in study.profiles.values()]
        parameters[name] = draw.choice([*choices, near(draw, draw.choice(values))])
    if draw.random() < 0.04:
        parameters[draw.choice(STRANGE_NAMES)] = draw.choice(STRANGE)
    if draw.random() < 0.15:
        parameters["seeds"] = draw.choice(SEEDS)
    return parameters


@pytest.mark.parametrize("name", studies.names())
def test_a_request_is_refused_with_a_message_or_has_all_its_settings(name):
    study, draw = studies.get(name), random.Random(name)
    refused = accepted = 0
    for _ in range(REQUESTS):
        profile, parameters = draw.choice(sorted(study.profiles)), random_parameters(draw, study)
        try:
            request = Request.build(study, profile, parameters, draw.choice(DEVICES))
        except ParameterError as error:
            refused += bool(str(error).strip())
            continue
        accepted += 1
        assert 1 <= len(request.discovery.seeds) <= MOST_SEEDS
        for setting in ["discovery", *(["replication"] if study.replication else []), *study.controls]:
            spec = request.setting(setting).spec
            study.fits(spec)
            assert study.spec.build(**json.loads(spec.canonical())) == spec
    assert refused + accepted == REQUESTS, "a refusal has a message"
    assert refused > REQUESTS / 20
    assert accepted > REQUESTS / 20


@pytest.mark.parametrize("name", studies.names())
@pytest.mark.parametrize("parameter", STRANGE_NAMES)
def test_a_name_that_is_no_parameter_is_refused_whatever_python_means_by_it(name, parameter):
    study = studies.get(name)
    with pytest.raises(ParameterError, match="unknown parameter"):
        Request.build(study, "smoke", {parameter: 1})
    with pytest.raises(ParameterError, match="unknown parameter"):
        study.spec.build(**{parameter: 1})


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("xor_clusters", {"dimension": 150_000}, ["replication", "dimension = 225000", "<= 200000"]),
        ("large_steps", {"batch_size": 500}, ["replication", "batch_size = 500", "at most n_train = 300"]),
        ("long_tail", {"batch_size": 200}, ["replication", "batch_size = 200", "training set's size, 150"]),
        ("linear_teacher", {"inputs": [100, 1900]}, ["replication", "inputs", "2000"]),
        ("linear_teacher", {"latest": 100.0}, ["control 'no stopping, wrong ridge'", "earliest", "latest = 100"]),
        (
            "network_descent",
            {"dataset": "fashion-mnist", "n_train": 2000, "batch_size": 1500},
            ["replication", ", 1000"],
        ),
        ("random_labels", {"dataset": "cifar10", "n_train": 5000}, ["replication", "at most 4000", "fashion-small"]),
    ],
)
def test_what_only_another_setting_cannot_have_is_refused_by_that_settings_name(name, parameters, words):
    study = studies.get(name)
    study.fits(study.build("quick", parameters))
    with pytest.raises(ParameterError) as caught:
        Request.build(study, "quick", parameters)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters", "most"),
    [
        ("random_labels", {"n_train": None}, 1300),
        ("sample_descent", {"n_train": [60, 70, 80, None]}, 1300),
        ("massive_noise", {"n_train": None}, 1300),
        ("stopping_rules", {"held_out": 200, "n_train": None}, 1100),
        ("noisy_labels", {"annotator_examples": 100, "n_train": None}, 1200),
        ("weak_directions", {"held_out": 200, "n_train": None}, 1100),
        ("random_features", {"held_out": 300, "n_train": None}, 1000),
        ("random_features", {"held_out": None}, 500),  # besides the 800 of sample_counts
        ("long_tail", {"source": "digits", "clusters": None}, 1749),
    ],
)
def test_no_more_is_accepted_than_the_data_have(name, parameters, most):
    study = studies.get(name)

    def asked(number):
        filled = {
            key: number
            if value is None
            else [number if one is None else one for one in value]
            if isinstance(value, list)
            else value
            for key, value in parameters.items()
        }
        return Request.build(study, "quick", filled)

    asked(most)
    with pytest.raises(ParameterError, match="want at most"):
        asked(most + 1)


@pytest.mark.parametrize("name", data.NAMES)
def test_the_sizes_known_beforehand_are_those_of_the_data(name):
    if not data.available(name):
        pytest.skip(f"{name} is not on this machine")
    dataset = data.load(name)
    assert len(dataset.train_labels) == POOL[name]
    assert len(dataset.test_labels) == TEST[name]
    assert np.bincount(np.concatenate([dataset.train_labels, dataset.test_labels])).min() == RAREST_CLASS[name]
    assert dataset.n_classes == 10


@pytest.mark.parametrize("name", studies.names())
def test_a_study_that_splits_a_data_set_knows_what_it_draws(name, monkeypatch):
    monkeypatch.setitem(POOL, "nothing", 0)
    code = [path.read_text(encoding="utf-8") for path in studies.folder(name).glob("*.py")]
    if not any("data.split(" in text for text in code):
        pytest.skip("it splits no data set")
    small = studies.get(name).build("smoke", {})
    with pytest.raises(ParameterError, match="training pool"):
        # Of a data set with nothing in it, it wants too much.
        studies.get(name).fits(small.model_copy(update={"dataset": "nothing"}))
