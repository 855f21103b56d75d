import contextlib
import dataclasses
import errno
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from genbook.base.spec import ParameterError
from genbook.book import execute
from genbook.cli import tables
from genbook.results import published, verify
from genbook.tables import manifest
from genbook.tables.store import Store
from tests.toy import ToyStudy


def test_help_names_every_command(genbook):
    status, out, _ = genbook("--help")
    assert status == 0
    for command in ("run", "build", "claims", "studies", "params", "table", "check", "data", "publish"):
        assert f"  {command} " in out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "random_vs_real_label"], 2, "did you mean '02_random_vs_real_labels'"),
        (["run", "77"], 2, "unknown chapter '77'"),
        (["run", "2", "--profile", "quik"], 2, "unknown profile 'quik': did you mean 'quick'"),
        (["run", "2", "-p", "learning_rat", "1"], 2, "did you mean 'learning_rate'? valid: profile, seeds, device"),
        (["run", "2", "-p", "learning_rate", "high"], 2, "learning_rate = 'high'"),
        (["run", "2", "-p", "learning_rate", "-1"], 2, "> 0, <= 100"),
        (["run", "2", "-p", "seeds", "0"], 2, "parameter seeds = 0"),
        (["run", "2", "--device", "tpu"], 2, "want one of: auto, cpu, cuda"),
        (["run", "2", "--out", "."], 2, "is a folder"),
        (["claims", "random_label"], 2, "did you mean 'random_labels'"),
        (["claims", "random_labels", "-p", "n_train", "many"], 2, "n_train = 'many'"),
        (
            ["table", "random_labels", "--setting", "discover"],
            2,
            "unknown setting 'discover': did you mean 'discovery'",
        ),
        (["params", "99"], 2, "unknown chapter '99'"),
        (["params", "²"], 2, "unknown chapter '²'"),
        (["params", "٢"], 2, "or by number: 01, 02"),
        (["params", "02/"], 2, "unknown chapter '02/'"),
        (["run", "elsewhere/02_random_vs_real_labels.ipynb"], 2, "unknown chapter"),
        (["run", "2", "-p", "learning_rate", "٠.١"], 2, "learning_rate = '٠.١'"),
        (["run", "2", "-p", "n_train", "1_00"], 2, "n_train = '1_00'"),
        (["run", "2", "-p", "noise_levels", "[" * 10**5], 2, "noise_levels"),
        (["run", "2", "-p", "n_train", "5000"], 2, "want at most 1300, which is what the training pool of digits has"),
        (["run", "2", "-p", "seeds", "[99999999999999999999999]"], 2, "at most 2^32 - 1"),
        (["table", "random_labels", "-p", "seeds", "[4294967296]"], 2, "at most 2^32 - 1"),
        (["claims", "random_labels", "-p", "seeds", "1000000000000"], 2, "want at most 1000"),
        (["run", "2", "--profile", "smoke", "-p", "profile", "quick"], 2, "given twice, as 'smoke' and 'quick'"),
        (["claims", "--device", "cpu", "-p", "device", "auto"], 2, "parameter device was given twice"),
        (["table", "random_labels", "-p", "seeds", "1", "-p", "seeds", "2"], 2, "parameter seeds was given twice"),
        (["run", "2", "-p", "n_train", "50", "-p", "n_train", "60"], 2, "parameter n_train was given twice"),
        (["run", "2", "--profile", "smoke", "--profile", "quick"], 2, "given 2 times"),
        (["build", "--profile", "quik"], 2, "did you mean 'quick'"),
        (["data", "fetch", "minst"], 2, "did you mean"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_a_mistake_ends_with_one_message_and_no_traceback(genbook, store, words, status, said):
    found, out, err = genbook(*words)
    assert found == status
    assert said in err
    assert "Traceback" not in err
    assert out == ""
    assert not store.exists() or not list(store.rglob("*.parquet"))


def test_data_that_are_not_there_are_named_with_what_to_type(genbook, store, tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path / "no data"))
    for words in (["claims", "random_labels", "--json"], ["run", "2"], ["table", "random_labels"]):
        status, out, err = genbook(*words, "-p", "dataset", "fashion-mnist")
        assert (status, out) == (1, "")
        assert "genbook data fetch fashion-mnist" in err
        assert "Traceback" not in err
        assert not list(store.rglob("*.parquet")), "nothing is computed before it is said"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write standard output or a file: the disk is full"),
        (OSError(errno.EDQUOT, "Quota", "/a/page"), "cannot write /a/page: the disk is full"),
    ],
)
def test_a_write_that_nobody_guards_is_told_in_one_message(genbook, monkeypatch, error, said):
    def full(*words):
        raise error

    monkeypatch.setattr("genbook.results.chapters.chapter_of", full)
    status, out, err = genbook("studies")
    assert (status, out) == (1, "")
    assert err == f"genbook: {said}; free some space\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_what_is_printed_onto_a_full_disk_is_one_message_too():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "genbook", "studies"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "genbook: cannot write standard output or a file: the disk is full; free some space\n"


def test_claims_as_json_are_json_alone(genbook, toy):
    status, out, _ = genbook("claims", "--json", "-p", "seeds", "3", "-p", "effect", "2")
    assert status == 0
    (row,) = json.loads(out)
    assert (row["study"], row["id"]) == ("toy", "above-half")
    discovery, control = row["settings"]["discovery"], row["settings"]["control"]
    assert (discovery["verdict"], control["verdict"]) == ("holds", "fails")
    assert discovery["seeds"] == [0, 1, 2]
    assert row["params"]["effect"] == 2.0
    assert row["profile"] == "quick"


def test_claims_in_a_terminal_name_verdict_and_interval(genbook, toy):
    status, out, _ = genbook("claims", "toy")
    assert status == 0
    assert "above-half" in out
    assert "holds" in out
    assert "fails" in out


def test_claims_whose_tables_are_there_are_not_judged_a_third_time(genbook, toy, monkeypatch):
    """The first time computes tables, the second knows that nothing is written meanwhile, the third reads."""
    genbook("claims", "toy")
    _, out, _ = genbook("claims", "toy", "--json")
    monkeypatch.setattr(tables, "_rows", lambda *asked: pytest.fail("judged again"))
    assert genbook("claims", "toy", "--json")[1] == out
    assert "above-half" in genbook("claims", "toy")[1]


def test_a_table_is_csv_alone(genbook, toy):
    status, out, _ = genbook("table", "toy", "-p", "seeds", "[4, 6]", "--setting", "nothing")
    assert status == 0
    frame = pd.read_csv(io.StringIO(out))
    assert frame["seed"].tolist() == [4, 6]
    assert abs(frame["value"]).max() < 0.5
    assert "the seed" in genbook("table", "toy", "--columns")[1]


def test_studies_and_params_tell_names_types_bounds_defaults_and_meanings(genbook):
    assert "random_labels\t02_random_vs_real_labels" in genbook("studies")[1]
    status, out, _ = genbook("params", "02")
    assert status == 0
    for word in ("learning_rate", "float, > 0, <= 100", "learning rate of stochastic", "profile smoke: seeds = 2"):
        assert word in out
    rows = json.loads(genbook("params", "02", "--json")[1])
    assert {"study", "name", "type", "bounds", "default", "meaning", "unit"} == set(rows[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_is_told_in_one_message(genbook, toy, store):
    store.mkdir()
    store.chmod(stat.S_IRUSR | stat.S_IXUSR)
    status, _, err = genbook("claims", "toy")
    store.chmod(stat.S_IRWXU)
    assert status == 1
    assert "not permitted" in err


def test_a_store_that_is_a_file_is_told_in_one_message(genbook, toy, store):
    store.write_text("")
    status, out, err = genbook("claims", "toy", "--json")
    assert (status, out) == (1, "")
    assert "GENBOOK_STORE" in err
    assert "Traceback" not in err


def test_publish_writes_every_setting_and_lists_it(genbook, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "root", lambda: tmp_path / "results")
    status, out, _ = genbook("publish", "toy", "--profile", "quick", "--name", "mine.2")
    assert status == 0
    written = [
        tmp_path / "results" / "toy" / f"mine.2-{setting}.parquet"
        for setting in ("discovery", "replication", "nothing")
    ]
    assert out.split() == [str(path) for path in written]
    assert list(manifest.read(tmp_path / "results")) == sorted(f"toy/{path.name}" for path in written)
    manifest.check(tmp_path / "results")


@pytest.mark.parametrize("name", ["../../..", "/tmp/mine", "a/b"])
def test_publish_refuses_a_name_that_leads_elsewhere_before_it_computes(genbook, toy, store, name):
    status, _, err = genbook("publish", "toy", "--profile", "quick", "--name", name)
    assert status == 2
    assert err == f"genbook: name {name!r}: want letters, digits, '-', '.' and '_', a letter or digit first\n"
    assert toy.computed == []
    assert not store.exists()


def test_help_says_what_the_exit_status_means(genbook):
    words = " ".join(genbook("--help")[1].split())
    assert "Exit status: 0 done, 1 something went wrong, 2 asked wrongly, 130 interrupted" in words


@pytest.mark.parametrize("command", ["claims", "table", "publish"])
@pytest.mark.parametrize("name", ["profile", "device", "seeds"])
def test_every_command_takes_the_parameters_of_a_run(genbook, toy, monkeypatch, tmp_path, command, name):
    monkeypatch.setattr("genbook.results.published.root", lambda: tmp_path)
    value = {"profile": "smoke", "device": "cpu", "seeds": "3"}[name]
    usual = ["--profile", "quick"] if (command, name) in (("publish", "seeds"), ("publish", "device")) else []
    status, _, err = genbook(command, "toy", *usual, "-p", name, value)
    assert (status, err) == (0, "")
    if name != "device":
        seeds = {len(seeds) for _, seeds in ToyStudy.computed}
        assert seeds == {2 if name == "profile" else 3}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_refused_though_its_tables_are_stored(genbook, toy, monkeypatch):
    assert genbook("claims", "toy")[0] == 0
    monkeypatch.setattr(execute, "find_chapter", lambda name: "99_toy")
    for words in (["claims", "toy"], ["table", "toy"], ["publish", "toy", "--profile", "quick"], ["run", "99"]):
        status, out, err = genbook(*words, "--device", "cuda")
        assert (status, out) == (2, "")
        assert "torch sees no GPU; use --device cpu or auto" in err
    assert len(ToyStudy.computed) == 3


@pytest.mark.parametrize("text", ["²", "abc", "0", "-1", "1.5", "1000000", "10" * 5000, str((os.cpu_count() or 1) + 1)])
def test_a_number_of_threads_that_is_none_or_too_large_is_refused(genbook, toy, monkeypatch, text):
    monkeypatch.setenv("GENBOOK_THREADS", text)
    status, out, err = genbook("claims", "toy")
    assert (status, out) == (2, "")
    assert f"want a whole number from 1 to {os.cpu_count()}, the cores of this machine" in err


@pytest.mark.parametrize("variable", ["GENBOOK_DATA", "GENBOOK_STORE"])
def test_a_folder_that_cannot_be_found_is_told_in_one_message(genbook, store, monkeypatch, tmp_path, variable):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for named in ("~nobody-of-this-name/data", str(tmp_path / "circle" / "data")):
        monkeypatch.setenv(variable, named)
        status, _, err = genbook("table", "random_labels", "--profile", "smoke")
        if status == 0:  # a newer Python takes a circle as it is
            continue
        assert (status, variable in err) == (1, True), err


@pytest.fixture
def chapter(monkeypatch):
    """Chapter 02 as a command runs it, with nothing executed: what would have been is listed."""
    executed = []
    monkeypatch.setattr("genbook.book.execute.execute", lambda *words: executed.append(words))
    monkeypatch.setattr("genbook.results.side_by_side.fill_all", lambda *asked, **named: None)
    return executed


def test_out_replaces_only_what_genbook_has_written(genbook, store, tmp_path, chapter):
    source = execute.notebooks_root() / "01_two_data_sets_one_difference.ipynb"
    before = source.read_bytes()
    pipe, words = tmp_path / "pipe", tmp_path / "words.ipynb"
    os.mkfifo(pipe)
    words.write_text('{"metadata": {"genbook": "mine"}}')
    dangling = tmp_path / "dangling.ipynb"
    dangling.symlink_to(tmp_path / "nowhere")
    for out in (source, "/dev/null", pipe, words, dangling):
        status, _, err = genbook("run", "01", "--out", str(out))
        assert status == 2
        assert "is no executed copy that genbook wrote" in err
    assert not chapter
    assert source.read_bytes() == before
    copy = tmp_path / "copy.ipynb"
    copy.write_text('{"metadata": {"genbook": {"key": "0"}}}')
    for out in (copy, tmp_path / "new folder" / "new.ipynb"):
        assert genbook("run", "01", "--out", str(out))[0] == 0
    assert [words[2] for words in chapter] == [copy, tmp_path / "new folder" / "new.ipynb"]


def test_the_copy_in_the_working_directory_is_no_exception(genbook, store, tmp_path, chapter, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "02_random_vs_real_labels.executed.ipynb").write_text("mine")
    assert genbook("run", "02", "-p", "seeds", "2")[0] == 2
    assert not chapter


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that refuses files to root too")
def test_an_out_whose_folder_takes_no_file_is_refused_before_anything_is_computed(genbook, store, chapter, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    circle = str(tmp_path / "circle" / "out.ipynb")
    for out in ("/proc/new/out.ipynb", "/proc/out.ipynb", "/sys/out.ipynb", "/tmp/" + 300 * "x" + "/out.ipynb", circle):
        status, _, err = genbook("run", "02", "--out", out)
        assert status == 1
        assert "cannot write" in err
    assert not chapter


def test_a_build_replaces_only_a_build(genbook, store, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "genbook.book.build._execute_all", lambda *words: (_ for _ in ()).throw(ParameterError("began"))
    )
    mine = tmp_path / "mine"
    (mine / "source").mkdir(parents=True)
    (mine / "source" / "letter").write_text("dear")
    file = tmp_path / "file"
    file.touch()
    for out in (mine, file, execute.repository()):
        status, _, err = genbook("build", "--out", str(out))
        assert status == 2
        assert "is no folder of a build" in err
    assert (mine / "source" / "letter").read_text() == "dear"
    empty = tmp_path / "empty"
    empty.mkdir()
    for out in (empty, empty, tmp_path / "new"):
        assert "began" in genbook("build", "--out", str(out))[2]


def test_nothing_to_compute_is_said_where_that_is_so(genbook, toy, monkeypatch, chapter):
    monkeypatch.setattr(execute, "find_chapter", lambda name: "99_toy")
    run = ["run", "99", "--profile", "smoke"]
    assert "99_toy (smoke): about 5 s to compute" in genbook(*run)[2]
    assert genbook("claims", "toy", "--profile", "smoke", "--blind")[0] == 0
    assert "about 5 s to compute" in genbook(*run)[2], "the replication is missing, though it takes no second"
    assert genbook("claims", "toy", "--profile", "smoke")[0] == 0
    assert "nothing to compute" in genbook(*run)[2]


def test_an_interrupt_that_a_library_swallows_is_an_interrupt_still(genbook, toy, monkeypatch):
    def swallowing(spec, seeds, device):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        return computed(spec, seeds, device)

    computed = toy.run
    monkeypatch.setattr(ToyStudy, "run", lambda self, *words: swallowing(*words))
    status, _, err = genbook("table", "toy")
    assert status == 130
    assert err.splitlines() == ["genbook: interrupted; what was stored stays, the next run goes on from there"]


def test_signals_are_as_they_were_when_the_command_is_over(genbook):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    genbook("studies")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_verify_retrains_a_seed_of_a_published_table_and_ends_by_what_came_out(genbook, store, monkeypatch):
    status, out, err = genbook("verify", "xor_clusters/benign-in-the-endd@primary-replication")
    assert (status, out) == (2, "")
    assert "did you mean 'benign-in-the-end'" in err
    assert genbook("verify")[0] == genbook("verify", "two_data_sets", "--all")[0] == 2
    assert genbook("verify", "two_data_sets", "--checksums")[0] == 2
    status, _, err = genbook("verify", "two_data_sets/l-generalizes")
    assert status == 2
    assert "make book" in err
    assert genbook("table", "two_data_sets")[0] == 0
    status, out, _ = genbook("verify", "two_data_sets/l-generalizes", "--seed", "1")
    assert status == 0
    assert "its rows equal to the bit" in out
    assert "ok      two_data_sets/l-generalizes@discovery: " in out

    moved = verify._compared
    monkeypatch.setattr(verify, "_compared", lambda *words: dataclasses.replace(moved(*words), matches=False))
    status, out, _ = genbook("verify", "two_data_sets/l-generalizes")
    assert status == 1
    assert "DIFFERS two_data_sets/l-generalizes" in out


def test_checksums_end_with_status_1_where_a_file_is_not_as_it_was_written(genbook, store):
    assert genbook("table", "two_data_sets")[0] == 0
    status, out, _ = genbook("verify", "--all", "--checksums")
    assert status == 0
    assert out.endswith("files are as they were written\n")
    part = Store().paths()[0]
    part.write_bytes(part.read_bytes() + b"1")
    status, out, _ = genbook("verify", "--checksums")
    assert status == 1
    assert out.startswith(f"{part}: is damaged")


def test_a_table_is_written_to_a_new_file_of_a_form_that_its_name_says(genbook, store, tmp_path):
    for name, read in (("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)):
        status, out, _ = genbook("table", "two_data_sets", "--out", str(tmp_path / name))
        assert (status, out.strip()) == (0, str(tmp_path / name))
        assert len(read(tmp_path / name)) > 100
    for place, said in ((tmp_path / "t.csv", "name a new file"), (tmp_path / "t.txt", "ends in .csv or .parquet")):
        status, _, err = genbook("table", "two_data_sets", "--out", str(place))
        assert status == 2
        assert said in err


def test_seeds_of_a_run_are_a_number_or_a_list_and_given_once(genbook, store, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(execute, "execute", lambda name, given, out, tell: asked.append(given))
    for seeds in ("4", "3,5,8"):
        out = tmp_path / f"{len(asked)}.ipynb"
        assert genbook("run", "01", "--profile", "smoke", "--seeds", seeds, "--out", str(out), "--quiet")[0] == 0
    assert [given["seeds"] for given in asked] == [4, [3, 5, 8]]
    status, _, err = genbook("run", "01", "--seeds", "4", "-p", "seeds", "5")
    assert status == 2
    assert "given twice" in err


def test_help_is_there_at_once_without_what_takes_long_to_import():
    code = """
import sys
from genbook import cli
sys.argv = ["genbook", "--help"]
try:
    cli.main()
finally:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert not {"pydantic", "numpy", "pandas", "scipy", "torch", "genbook.results"} & set(done.stdout.split())
