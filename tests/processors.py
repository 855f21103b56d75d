"""The tests of all arithmetic, once for each way in which this processor can do it: ``make test-processors``.

PyTorch and Intel's MKL choose their kernels by the processor's instruction set, and other kernels form sums in another
order. Each setting holds one of them to a smaller set or to a rule, with one thread and with two.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: What decides how sums are formed; a setting says them all, whatever the surrounding shell says.
VARIABLES = (
    *("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"),
    *("GENBOOK_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"),
)
#: The tests of engine and checkpoints, gradients, curvature and probes, and whether the setting took hold.
TESTS = (
    *("tests/test_setting.py", "tests/training", "tests/gradients"),
    *("tests/test_curvature.py", "tests/test_probes.py"),
)
#: x86's instruction sets as PyTorch names them, from the least to the largest, with MKL's names.
X86 = {"DEFAULT": "SSE4_2", "AVX2": "AVX2", "AVX512": "AVX512"}


def untold() -> dict[str, str]:
    """The surrounding environment without the variables that decide how sums are formed."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


@dataclass(frozen=True)
class Processor:
    """What this machine's arithmetic can be held to."""

    capability: str
    """PyTorch's name of the largest instruction set that it uses here: 'AVX512', 'SVE256'."""
    mkl: bool
    """Whether PyTorch multiplies with MKL (not on Arm)."""
    intel: bool
    """Whether MKL heeds MKL_ENABLE_INSTRUCTIONS; on other makers' processors it does not."""


@dataclass(frozen=True)
class Setting:
    """Threads and one variable of a run of the tests."""

    threads: int
    variable: str
    value: str

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{threads}, {self.variable}={self.value}"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the run."""
        own = {self.variable: self.value, "GENBOOK_THREADS": str(self.threads)}
        # Threads that spin while they wait take the cores from those that work, where something else runs.
        return {**untold(), **own, "OMP_WAIT_POLICY": "PASSIVE"}


def this_processor() -> Processor:
    """What PyTorch finds here, asked of a process that nothing has been said to."""
    ask = "import torch; print(torch.backends.cpu.get_cpu_capability(), torch.backends.mkl.is_available())"
    done = subprocess.run([sys.executable, "-c", ask], env=untold(), capture_output=True, text=True, check=True)
    capability, mkl = done.stdout.split()
    information = Path("/proc/cpuinfo")
    maker = information.read_text(encoding="utf-8") if information.exists() else platform.processor()
    return Processor(capability, mkl == "True", "GenuineIntel" in maker)


def settings(processor: Processor) -> Iterator[Setting]:
    """Every setting that means something on this processor, with one thread and with two."""
    names = list(X86)
    if processor.capability in X86:
        names = names[: names.index(processor.capability) + 1]
    else:
        names = ["DEFAULT", processor.capability]
    for threads in (1, 2):
        for name in names:
            yield Setting(threads, "ATEN_CPU_CAPABILITY", name.lower())
        if processor.mkl and processor.intel:
            for name in names:
                yield Setting(threads, "MKL_ENABLE_INSTRUCTIONS", X86[name])
        if processor.mkl:
            yield Setting(threads, "MKL_CBWR", "COMPATIBLE")


def farthest(processor: Processor) -> Setting:
    """The setting whose sums are farthest from the default's: two threads, the least that every processor has."""
    return list(settings(processor))[-1]


def run(setting: Setting, tests: Sequence[str] = TESTS) -> tuple[bool, str]:
    """Run `tests` in `setting`; whether all passed, and what pytest said."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-p", "no:nbval", *tests]
    done = subprocess.run(
        command, cwd=ROOT, env=setting.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode == 0, done.stdout


def main(chosen: Sequence[Setting] | None = None, tests: Sequence[str] = TESTS) -> int:
    """Run `tests` in every setting, by default all of this processor's; one line each, and 1 where any is red."""
    if chosen is None:
        processor = this_processor()
        chosen = list(settings(processor))
        heeds = "; MKL_ENABLE_INSTRUCTIONS is for Intel's processors" if processor.mkl and not processor.intel else ""
        print(f"{processor.capability}, {'with' if processor.mkl else 'without'} MKL{heeds}", flush=True)
    red = 0
    for setting in chosen:
        start = time.monotonic()
        green, said = run(setting, tests)
        counts = re.findall(r"^=* ?(\d+ .*) in [\d.]+s", said, re.MULTILINE)
        print(
            f"{'green' if green else 'RED  '} {time.monotonic() - start:4.0f} s  {setting}: {''.join(counts[-1:])}",
            flush=True,
        )
        if not green:
            red += 1
            print(said, flush=True)
    print(f"{len(chosen) - red} of {len(chosen)} settings are green")
    return 1 if red or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
