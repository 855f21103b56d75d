"""What a shell offers for a word that is begun, asked as the shells ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def offered(line):
    """The words that bash offers at the end of ``line``."""
    words = line.split(" ")
    environment = {**ENVIRONMENT, "COMP_WORDS": line.strip(), "COMP_CWORD": str(len(words) - 1)}
    environment["_GENBOOK_COMPLETE"] = "bash_complete"
    done = subprocess.run(["genbook"], env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr
    return [row.partition(",")[2] for row in done.stdout.split()]


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("genbook pa", ["params"]),
        ("genbook run ", ["01", "08"]),
        ("genbook run large", ["large_learning_rates"]),
        ("genbook claims random_", ["random_labels", "random_features"]),
        ("genbook run 05 --profile ", ["smoke", "quick", "full"]),
        ("genbook run 02 -p learn", ["learning_rate"]),
        ("genbook table random_labels --setting ", ["discovery", "replication"]),
        ("genbook verify random_labels/all", ["random_labels/all-fit"]),
        ("genbook store show two_", ["two_gaussians"]),
    ],
)
def test_commands_chapters_studies_parameters_profiles_and_settings_are_offered(line, among):
    assert set(among) <= set(offered(line))


@pytest.mark.parametrize(
    "line", ["genbook run 99 -p x", "genbook table nothing --setting ", "genbook run 02 -p steps 5"]
)
def test_where_nothing_can_be_told_nothing_is_offered_and_nothing_said(line):
    assert offered(line) == []


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        (
            "bash",
            'eval "$(_GENBOOK_COMPLETE=bash_source genbook)"; COMP_WORDS=(genbook run 0); COMP_CWORD=2; '
            '_genbook_completion genbook; echo "${COMPREPLY[@]}"',
        ),
        ("fish", '_GENBOOK_COMPLETE=fish_source genbook | source; complete -C "genbook run 0"'),
        (
            "zsh",
            "autoload -Uz compinit && compinit -u -D; "
            'eval "$(_GENBOOK_COMPLETE=zsh_source genbook)"; '
            'compadd() { print -r -- "$@" }; _describe() { print -r -- ${(P)3} }; '
            "words=(genbook run 0); CURRENT=3; _genbook_completion genbook",
        ),
    ],
)
def test_a_real_shell_offers_the_chapters(shell, script, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([shell, *plain, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "01" in done.stdout, done.stderr
    assert "Large learning rates" in done.stdout or shell == "bash"
