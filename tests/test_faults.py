"""A sample of the faults that ``make faults`` provokes, and that its figures cannot say more than happened."""

import os
import subprocess
import sys

import pytest

from genbook import studies
from genbook.base.files import repository
from genbook.results import published
from tests.faults import __main__ as faults
from tests.faults import fuzz, report
from tests.faults.report import Figures


def sample(*names):
    """The command's status and what it printed; a process of its own, for it forks."""
    words = [sys.executable, "-m", "tests.faults", "--sample", *names]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=repository(), env=environment, capture_output=True, text=True, check=False)


def test_a_sample_of_each_fault_is_survived():
    done = sample("kills", "disks", "writers", "clock")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") >= 2


def test_parameter_sets_drawn_at_random_are_refused_or_taken_as_they_are():
    figures = fuzz.parameters(3)
    assert figures.well, figures.said


@pytest.mark.parametrize(
    ("outcomes", "well"),
    [([(True, False)], True), ([], False), ([(True, False), (False, False)], False), ([(True, True)], False)],
)
def test_figures_are_well_only_where_all_that_was_tried_survived(outcomes, well):
    figures = Figures("a fault")
    for good, lost in outcomes:
        figures.count(good, lost, "what happened")
    assert figures.well is well
    assert figures.tried == len(outcomes)


def test_what_is_kept_is_printed_and_one_that_lost_something_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(published, "root", lambda: tmp_path)
    assert faults.printed() == 1
    report.write([Figures("first", tried=3, survived=3), Figures("second", tried=2, survived=2)])
    assert faults.printed() == 0
    report.write([Figures("second", tried=5, survived=4, lost=1)])
    assert faults.printed() == 1
    kept = report.read().set_index("fault")
    assert list(kept.index) == ["first", "second"]
    assert kept.loc["second", ["tried", "survived", "lost"]].tolist() == [5, 4, 1]
    assert set(kept.columns) >= {"date", "commit", "machine", "seconds"}
    assert "second" in capsys.readouterr().out


def test_a_default_that_nobody_chose_is_noticed():
    study = studies.get("linear_teacher")
    spec = study.build("smoke", {})
    assert fuzz._astray(study, "smoke", {}, spec) == ""
    assert "inputs" in fuzz._astray(study, "quick", {}, spec), "the profile's value was not taken"
    assert "draws = " in fuzz._astray(study, "smoke", {"draws": spec.draws + 1}, spec)
