"""The matrix of settings: what it holds on which processor, and that nothing red passes for green."""

import subprocess

import pytest

from tests import processors
from tests.processors import Processor, Setting, farthest, main, run, settings, this_processor

DEFAULT = Setting(1, "ATEN_CPU_CAPABILITY", "default")
INTEL = Processor("AVX512", mkl=True, intel=True)
HELD = [
    ("ATEN_CPU_CAPABILITY", "default"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("ATEN_CPU_CAPABILITY", "avx512"),
    ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"),
    ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
    ("MKL_ENABLE_INSTRUCTIONS", "AVX512"),
    ("MKL_CBWR", "COMPATIBLE"),
]


@pytest.mark.parametrize(
    ("processor", "held"),
    [
        (INTEL, HELD),
        (Processor("AVX2", mkl=True, intel=True), [pair for pair in HELD if pair[1].lower() != "avx512"]),
        (Processor("AVX512", mkl=True, intel=False), [pair for pair in HELD if "ENABLE" not in pair[0]]),
        (Processor("SVE256", mkl=False, intel=False), [HELD[0], ("ATEN_CPU_CAPABILITY", "sve256")]),
        (Processor("DEFAULT", mkl=False, intel=False), HELD[:1]),
    ],
    ids=["intel", "intel-avx2", "amd", "arm", "mac"],
)
def test_each_processor_is_held_to_all_that_it_has_with_one_thread_and_with_two(processor, held):
    found = [(setting.threads, setting.variable, setting.value) for setting in settings(processor)]
    assert found == [(threads, *pair) for threads in (1, 2) for pair in held]


def test_a_run_has_the_variables_of_its_setting_and_no_others(monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("GENBOOK_THREADS", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for setting in settings(INTEL):
        environment = setting.environment
        assert environment["GENBOOK_THREADS"] == str(setting.threads)
        assert str(setting).startswith("1 thread," if setting.threads == 1 else "2 threads,")
        variables = {name: environment[name] for name, _ in HELD if name in environment}
        assert variables == {setting.variable: setting.value}
        assert "OMP_NUM_THREADS" not in environment


@pytest.mark.parametrize(
    ("content", "green"),
    [
        ("def test(): assert True", True),
        ("def test(): assert False", False),
        ("import nothing_of_this_name", False),
        ("import os; os.kill(os.getpid(), 9)", False),
        ("", False),
    ],
    ids=["green", "failed", "broken", "killed", "no test"],
)
def test_a_run_is_green_only_where_tests_ran_and_passed(content, green, tmp_path):
    (tmp_path / "test_it.py").write_text(content)
    assert run(DEFAULT, [str(tmp_path)])[0] is green


@pytest.mark.parametrize("red", [(), (0,), (1,), (2,), (0, 2)])
def test_a_red_setting_is_said_and_counts_wherever_it_stands(red, monkeypatch, capsys):
    three = [DEFAULT, Setting(1, "MKL_CBWR", "COMPATIBLE"), Setting(2, "MKL_CBWR", "COMPATIBLE")]
    monkeypatch.setattr(processors, "run", lambda setting, tests: (three.index(setting) not in red, "1 test in 0.1s"))
    assert main(three) == bool(red)
    lines = capsys.readouterr().out.splitlines()
    for place, setting in enumerate(three):
        (line,) = [line for line in lines if str(setting) in line]
        assert line.startswith("RED" if place in red else "green")
    assert lines[-1] == f"{3 - len(red)} of 3 settings are green"


def test_a_matrix_without_a_setting_is_red():
    assert main([], []) == 1


@pytest.mark.parametrize("status", [0, 1])
def test_make_ends_as_the_matrix_does(status, tmp_path):
    for name in ("Makefile", "requirements.lock.txt", "pyproject.toml"):
        (tmp_path / name).write_text((processors.ROOT / name).read_text())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$*" = "-m tests.processors" ] || exit 9\nexit {status}\n')
    python.chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    done = subprocess.run(["make", "-C", str(tmp_path), "test-processors"], capture_output=True, text=True)
    assert ("Error" in done.stderr, done.returncode != 0) == (bool(status), bool(status))
    assert "Error 9" not in done.stderr


def test_the_engine_keeps_its_promises_in_the_setting_that_is_farthest_from_the_default():
    setting = farthest(this_processor())
    promises = ["tests/test_setting.py", "tests/training/test_engine.py", "tests/gradients/test_gradients_coherence.py"]
    green, said = run(
        setting, [*promises, "-k", "test_setting or gram_is or ((same_alone or on_their_paths) and nullcontext)"]
    )
    assert green, f"{setting}:\n{said}"
