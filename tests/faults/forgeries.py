"""Damaged and forged tables (stored, published, shipped), archives and checkpoints, as the tests make them."""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from genbook.base.files import repository
from tests.faults.report import Figures

FILES = ("tests/test_store.py", "tests/test_shared_store.py", "tests/test_shipped.py", "tests/test_manifest.py")
#: In these, the tests whose names say that something is damaged, forged, or in another's place.
CHOSEN = {
    "tests/test_results.py": "damaged or anothers or another_table or listed or published_table or leads_elsewhere",
    "tests/training/test_checkpoint.py": "refused or flipped or truncated or another or folder or killed",
}


def tried():
    """Run them, and count."""
    figures = Figures("damaged and forged tables, archives and checkpoints")
    with figures.timed(), tempfile.TemporaryDirectory() as folder:
        for place, words in enumerate([FILES, *((name, "-k", chosen) for name, chosen in CHOSEN.items())]):
            out = Path(folder) / f"{place}.xml"
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={out}", *words]
            subprocess.run(command, cwd=repository(), capture_output=True, check=False)
            for case in ElementTree.parse(out).iter("testcase"):
                if case.find("skipped") is None:
                    bad = case.find("failure") is not None or case.find("error") is not None
                    figures.count(not bad, bad, f"{case.get('classname')} {case.get('name')}")
    return figures
