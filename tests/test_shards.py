"""Work cut into shards: each seed once, named alike everywhere, refused where it is of something else."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbook.base.spec import ParameterError
from genbook.results import published, shards
from genbook.results.compute import obtain
from genbook.results.costs import UNKNOWN, Cost, Costs
from genbook.results.requests import Request
from genbook.tables import codehash, manifest
from genbook.tables.store import Store
from tests.toy import ToyStudy


def listed(study, profile="quick", seeds=5):
    return list(shards.pending([Request.build(study, profile, {"seeds": seeds})], Costs()))


def cut(found, minutes):
    return [shard for one in found for shard in one.shards(minutes)]


@pytest.fixture
def book(toy, tmp_path, monkeypatch):
    """A place where tables are published."""
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    return tmp_path / "results"


def test_shards_hold_every_missing_seed_of_every_setting_once(toy):
    obtain(toy, toy.build("quick", {}), [1, 3])
    found = [(shard.setting.name, seed) for shard in cut(listed(toy), 0) for seed in shard.setting.seeds]
    wanted = [("discovery", seed) for seed in (0, 2, 4)]
    wanted += [("replication", 1000 + seed) for seed in range(5)] + [("nothing", seed) for seed in range(5)]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(("seconds", "minutes", "sizes"), [
    (60, 2, [2, 2, 2, 1]),
    (60, 30, [7]),
    (60, 0.1, [1] * 7),
    (100, 6, [2, 3, 2]),
    (None, 30, [1] * 7),
])  # fmt: skip
def test_a_shard_takes_at_most_its_minutes_and_one_seed_where_nothing_is_known(toy, seconds, minutes, sizes):
    (one, *_) = listed(toy, seeds=7)
    found = shards.Pending(one.request, one.setting, Cost(seconds)).shards(minutes)
    assert sorted(len(shard.setting.seeds) for shard in found) == sorted(sizes)
    assert [seed for shard in found for seed in shard.setting.seeds] == list(range(7))
    if seconds is not None and seconds <= 60 * minutes:
        assert all(shard.minutes <= minutes for shard in found)


@given(st.sets(st.integers(0, 2**32 - 1) | st.integers(0, 30), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_seeds_are_written_so_that_they_come_back(seeds):
    assert shards._read(shards._written(sorted(seeds))) == sorted(seeds)


def test_a_name_leads_back_to_its_shard_and_minds_no_shell(toy):
    for shard in cut(listed(toy), 0):
        again = shards.find(shard.id)
        assert (again.study, again.profile, again.setting) == (shard.study, shard.profile, shard.setting)
        assert again.id == shard.id
        assert re.fullmatch(r"[A-Za-z0-9._+-]+", shard.id)


@pytest.mark.parametrize(
    "name", ["", "toy", "toy.quick.discovery.0", "../../x", "toy.quick.discovery.0.k", "toy quick"]
)
def test_what_names_no_shard_is_refused(toy, name):
    with pytest.raises(ParameterError, match="names no shard"):
        shards.find(name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (".quick.", ".quik.", "did you mean 'quick'"),
        (".discovery.", ".discover.", "did you mean 'discovery'"),
        ("toy.", "toi.", "toi"),
        (".0.", ".5-3.", "FIRST-LAST"),
        (".0.", ".0-99999999.", "at most"),
        (".0.", f".{10**40}.", "seeds"),
        (".0.", ".0+0.", "stands twice"),
    ],
)
def test_a_wrong_word_in_a_name_is_named(toy, old, new, said):
    name = cut(listed(toy), 0)[0].id
    assert old in name
    with pytest.raises(ParameterError, match=re.escape(said)):
        shards.find(name.replace(old, new, 1))


@pytest.mark.parametrize("what", ["parameters", "data", "code"])
def test_a_shard_of_something_else_is_refused_with_what_differs(toy, monkeypatch, what):
    name = cut(listed(toy), 0)[0].id
    if what == "parameters":
        monkeypatch.setitem(toy.profiles["quick"].parameters, "effect", 2.0)
    elif what == "data":
        monkeypatch.setattr("genbook.data.fingerprint", lambda name: "e" * 64)
    else:
        monkeypatch.setattr(codehash, "code_hash", lambda *roots: "0123456789" * 6)
    with pytest.raises(shards.OtherShard, match=rf"other {what} \(") as error:
        shards.find(name)
    assert sum(word in str(error.value).split(" here)")[0] for word in ("parameters", "data (", "code (")) == 1


def test_a_shard_that_is_run_again_computes_nothing_and_one_that_overlaps_the_rest(toy):
    (whole, *_) = listed(toy)
    first, second = shards.Pending(whole.request, whole.setting, Cost(60)).shards(3)
    assert shards.compute(first) == len(first.setting.seeds)
    assert shards.compute(first) == 0
    assert shards.compute(shards.Shard(toy, "quick", whole.setting)) == len(second.setting.seeds)
    computed = [seed for spec, seeds in ToyStudy.computed if spec == whole.setting.spec for seed in seeds]
    assert sorted(computed) == list(whole.setting.seeds)


def test_costs_are_what_was_measured_with_the_same_parameters_and_unknown_without(toy):
    request = Request.build(toy, "quick", {})
    assert Costs().of(request, request.discovery) is UNKNOWN
    obtain(toy, toy.build("quick", {"effect": 3.0}), [0])
    assert Costs().of(request, request.discovery) is UNKNOWN, "other parameters say nothing"
    obtain(toy, request.discovery.spec, [0, 1])
    part = Store().read(*_place(toy, request.discovery.spec, 0))
    cost = Costs().of(request, request.discovery)
    assert (cost.seconds, cost.measured_on) == (part.provenance["wall_seconds"], "discovery")
    assert cost.mib == part.provenance["peak_mib"]
    assert Costs().of(request, request.setting("replication")).measured_on == "discovery"
    assert Costs("cuda").of(request, request.discovery) is UNKNOWN, "another device says nothing"


def _place(study, spec, seed):
    from genbook.results.table import identity_of, key_of

    return key_of(study, spec), seed, identity_of(study, spec)


def test_costs_of_other_code_count(toy, monkeypatch):
    request = Request.build(toy, "quick", {})
    obtain(toy, request.discovery.spec, [0])
    monkeypatch.setattr(codehash, "code_hash", lambda *roots: "0" * 64)
    assert Costs().of(request, request.discovery).seconds is not None


def test_the_peak_is_that_of_the_block():
    script = (
        "from genbook.results.footprint import peak\n"
        "big = bytearray(600 * 2**20); del big\n"
        "with peak() as mib:\n    small = bytearray(50 * 2**20); low = mib()\n"
        "with peak() as mib:\n    large = bytearray(400 * 2**20); high = mib()\n"
        "print(low, high)"
    )
    low, high = map(int, subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.split())
    assert 350 < high - low < 450
    if sys.platform == "linux":
        assert 50 <= low < 400


def test_gathering_publishes_what_is_whole_names_what_is_missing_and_computes_nothing(book, toy):
    request = Request.build(toy, "quick", {})
    obtain(toy, request.discovery.spec, [0, 1, 2, 3, 4])
    obtain(toy, request.setting("nothing").spec, [0, 2])
    ToyStudy.computed.clear()
    found = {setting.name: outcome for setting, outcome in shards.gather(request)}
    assert found == {
        "discovery": book / "toy" / "quick-discovery.parquet",
        "replication": [1000, 1001, 1002, 1003, 1004],
        "nothing": [1, 3, 4],
    }
    assert manifest.read(book)
    assert ToyStudy.computed == []
    table = published.table(toy, "quick-discovery")
    local = obtain(toy, request.discovery.spec, request.discovery.seeds)
    assert table.frame.equals(local.frame)
    assert {s.name: outcome for s, outcome in shards.gather(request)}["discovery"] is None, "once is enough"


def test_parts_of_several_machines_are_published_with_what_differs(book, toy, monkeypatch):
    spec = toy.build("quick", {})
    obtain(toy, spec, [0, 1])
    monkeypatch.setattr("genbook.results.provenance._commit", lambda: "another")
    monkeypatch.setattr("genbook.results.provenance._device_name", lambda device: "cpu of another machine")
    table = obtain(toy, spec, [0, 1, 2])
    published.publish(table, "mixed")
    (said,) = published.provenances(toy)
    assert set(said["varied"]) == {"commit", "device"}
    assert said["varied"]["device"] == ["cpu", "cpu of another machine"]


def test_the_commands_list_compute_and_gather(genbook, toy, book):
    status, out, err = genbook("pending", "--profile", "quick", "--shards")
    assert (status, err) == (0, "")
    names = out.split()
    assert len(names) == 15
    status, out, _ = genbook("pending", "--profile", "quick")
    assert "unknown" in out
    assert (
        out.splitlines()[-1]
        == "15 seeds pending, 0.0 h as measured; 15 of unknown cost: --measure computes one of each setting"
    )
    status, _, err = genbook("gather", "--profile", "quick")
    assert (status, "15 seeds missing" in err) == (1, True)
    assert genbook("compute", *names[:7])[0] == 0
    status, out, _ = genbook("pending", "--profile", "quick", "--json")
    rows = json.loads(out)
    assert all(
        set(row) == {"id", "study", "profile", "setting", "seeds", "minutes", "mib", "measured_on"} for row in rows
    )
    assert sum(len(row["seeds"]) for row in rows) == 8
    assert all(row["minutes"] is not None for row in rows)
    assert genbook("compute", *(row["id"] for row in rows))[0] == 0
    assert genbook("pending", "--profile", "quick", "--shards")[1] == ""
    status, out, err = genbook("gather", "--profile", "quick")
    assert (status, err) == (0, "")
    assert len(list(book.rglob("*.parquet"))) == 3


def test_measuring_computes_one_seed_of_each_setting_and_keeps_it(genbook, toy):
    status, out, _ = genbook("pending", "--profile", "quick", "--measure")
    assert status == 0
    assert "unknown" not in out
    assert [len(seeds) for _, seeds in ToyStudy.computed] == [1, 1, 1]
    assert out.splitlines()[-1] == "12 seeds pending, 0.0 h as measured"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pending", "toy", "--minutes", "3"], "want --shards or --json"),
        (["pending", "toi"], "toi"),
        (["pending", "toy", "--seeds", "0"], "seeds"),
        (["pending", "toy", "--minutes", "-1", "--shards"], "--minutes"),
        (["compute"], "SHARD"),
        (["compute", "toy.quick.discovery.0.00000000-00000000-00000000"], "was listed with other parameters ("),
        (["compute", "toy"], "names no shard"),
        (["gather", "toy", "--profile", "quik"], "did you mean 'quick'"),
    ],
)
def test_a_mistake_is_one_message(genbook, toy, words, said):
    status, out, err = genbook(
        *(w if w != "toy" or words[0] == "compute" else "toy" for w in words),
        *(["--profile", "quick"] if words[0] == "pending" else []),
    )
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
