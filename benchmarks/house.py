"""The two commands on a fresh clone: wall seconds of make book (cold, unchanged, a caption changed) and make test.

    python benchmarks/house.py [--json]

Clones this checkout's HEAD into a temporary directory, with an empty package cache and an empty store of its own, and
runs the commands there one after the other. Promised on two cores: make book 300 s with the installation, again with
nothing changed 20 s, make test after it 240 s. The download depends on the network.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROMISED = {"make book, fresh clone": 300, "make book, nothing changed": 20, "make test": 240}


def timed(clone: Path, what: str, command: list[str], environment: dict[str, str]) -> dict[str, object]:
    """Run a command in the clone; its wall time in seconds. Raises where it fails."""
    print(f"{what} ...", file=sys.stderr)
    start = time.perf_counter()
    subprocess.run(command, cwd=clone, env=environment, check=True, stdout=sys.stderr)
    return {"what": what, "seconds": round(time.perf_counter() - start, 1), "promised": PROMISED.get(what)}


def tables(clone: Path) -> dict[str, int]:
    """The stored tables with the time of their last change."""
    return {str(path): path.stat().st_mtime_ns for path in (clone / ".genbook" / "tables").rglob("*.parquet")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "UV_CACHE_DIR": f"{folder}/uv", "PIP_CACHE_DIR": f"{folder}/pip"}
        for name in ("GENBOOK_STORE", "MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV"):
            environment.pop(name, None)
        rows = [timed(clone, "make book, fresh clone", ["make", "book"], environment)]
        rows.append(timed(clone, "make book, nothing changed", ["make", "book"], environment))
        before = tables(clone)
        notebook = next((clone / "notebooks").glob("*.ipynb"))
        notebook.write_text(notebook.read_text().replace("caption=(", "caption=('Changed. ' ", 1))
        rows.append(timed(clone, "make book, a caption changed", ["make", "book"], environment))
        assert tables(clone) == before, "a caption recomputed a table"
        subprocess.run(["git", "-C", str(clone), "checkout", "--quiet", "."], check=True)
        rows.append(timed(clone, "make test", ["make", "test"], environment))
    if arguments.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            promised = f"  (promised: at most {row['promised']} s)" if row["promised"] else ""
            print(f"{row['what']:30} {row['seconds']:7.1f} s{promised}")


if __name__ == "__main__":
    main()
