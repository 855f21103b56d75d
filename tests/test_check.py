"""``make check`` runs all its steps and ends by them."""

import importlib.util
import pathlib

from genbook.base.files import repository
from tests import check


def test_every_step_is_run_and_one_that_fails_is_shown_with_what_it_said(monkeypatch, capsys):
    steps = (
        check.Step("fine", ("-c", "print('said nothing of note')")),
        check.Step("astray", ("-c", "print('what is wrong'); raise SystemExit(3)")),
        check.Step("whole", ("-c", "import os; raise SystemExit(os.environ['GENBOOK_WHOLE'] != '1')")),
    )
    monkeypatch.setattr(check, "STEPS", steps)
    assert check.main() == 1
    out = capsys.readouterr().out
    assert "what is wrong" in out
    assert "of note" not in out
    assert out.endswith("2 of 3 checks are well\n")
    monkeypatch.setattr(check, "STEPS", steps[::2])
    assert check.main() == 0


def test_what_the_steps_name_is_there():
    files = [word for step in check.STEPS for word in step.command if word.startswith("tests/")]
    modules = [step.command[1] for step in check.STEPS if step.command[1].startswith("tests.")]
    assert files
    assert modules
    for name in files:
        assert (repository() / pathlib.PurePosixPath(name)).is_file()
    for module in modules:
        assert importlib.util.find_spec(module) is not None
