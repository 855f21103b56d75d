"""Where a part of a table comes from: what decided its numbers, and on what it was computed, when and how long."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from genbook.base.files import checkout
from genbook.base.spec import Spec
from genbook.results.table import identity_of
from genbook.studies import Study


def provenance(
    study: Study, spec: Spec, seed: int, device: str, threads: int, wall: float, peak: int | None = None
) -> dict[str, Any]:
    """Everything that says where a part comes from, as plain JSON values.

    ``wall``: seconds a seed. ``peak``: MiB of the process that computed it, of all seeds that trained side by side.
    """
    return {
        **identity_of(study, spec),
        "seed": seed,
        "varies": list(study.varies),
        "device": _device_name(device),
        "threads": threads,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("genbook", "torch", "numpy", "pandas")},
        },
        "platform": f"{platform.system()} {platform.machine()}",
        "arithmetic": _arithmetic(),
        "commit": _commit(),
        "wall_seconds": round(wall, 3),
        "peak_mib": peak,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _arithmetic() -> dict[str, str | None]:
    """What decides the order of sums on the CPU besides the threads: PyTorch's instruction set and MKL's rule."""
    from torch.backends import cpu

    return {"capability": cpu.get_cpu_capability(), "MKL_CBWR": os.environ.get("MKL_CBWR")}


def _device_name(device: str) -> str:
    if device == "cuda":
        import torch

        return f"cuda ({torch.cuda.get_device_name()})"
    return "cpu"


@functools.cache
def _commit() -> str | None:
    """The checkout's commit, with '+' where files differ from it; None outside a checkout of its own or without git."""
    root = checkout()
    if root is None:
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None  # unpacked inside another repository, whose commit says nothing about this code
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
