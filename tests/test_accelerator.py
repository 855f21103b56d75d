"""The tests of `tests/on_accelerator.py`, in a process of their own: in it the pretended device stays registered."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_all_is_well_on_a_pretended_accelerator():
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-p", "no:nbval"]
    done = subprocess.run([*command, "tests/on_accelerator.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 10, done.stdout
