"""What became of provoked faults, as figures with their date and machine."""

import contextlib
import datetime
import os
import platform
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from genbook.base.files import repository
from genbook.results import published
from genbook.tables import manifest


@dataclass
class Figures:
    """Of one kind of fault: how many were tried, how many went well, how many lost or falsified something.

    What neither survived nor lost anything said it in another way than one message: ``said`` tells the first of them.
    """

    fault: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    seconds: float = 0.0
    said: list = field(default_factory=list)

    def count(self, well, lost=False, said=""):
        """One more trial."""
        self.tried += 1
        self.survived += bool(well) and not lost
        self.lost += bool(lost)
        if (lost or not well) and len(self.said) < 5:
            self.said.append(said)

    @contextlib.contextmanager
    def timed(self):
        """Add the time that the block takes."""
        start = time.monotonic()
        yield
        self.seconds += time.monotonic() - start

    @property
    def well(self):
        """Whether something was tried, and all of it survived."""
        return self.tried > 0 and self.survived == self.tried and not self.lost

    def line(self):
        """For a terminal."""
        said = "".join(f"\n       {word}" for word in self.said)
        mark = "ok    " if self.well else "FAILED"
        return f"{mark} {self.tried:6} tried, {self.survived:6} survived, {self.lost} lost  {self.fault}{said}"


def file() -> Path:
    """Where the figures lie: with the benchmarks, for the page to show and `make check` to print."""
    return published.root() / "benchmarks" / "faults.csv"


def write(found):
    """Enter figures, each in the place of older ones of the same fault."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    commit = subprocess.run(
        ["git", "-C", str(repository()), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    new = pd.DataFrame(
        {
            "fault": [one.fault for one in found],
            "tried": [one.tried for one in found],
            "survived": [one.survived for one in found],
            "lost": [one.lost for one in found],
            "seconds": [round(one.seconds) for one in found],
            "date": today,
            "commit": commit.stdout.strip(),
            "machine": machine,
        }
    )
    old = read()
    kept = old[~old["fault"].isin(new["fault"])] if old is not None else None
    whole = new if kept is None else pd.concat([kept, new])
    file().parent.mkdir(parents=True, exist_ok=True)
    whole.sort_values("fault", kind="stable").to_csv(file(), index=False)
    manifest.enter(published.root(), file())


def read():
    """The figures that were written last; None where there are none."""
    return pd.read_csv(file(), dtype={"commit": str}) if file().is_file() else None
