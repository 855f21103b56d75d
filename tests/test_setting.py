"""Whether the setting in which the tests run took hold: each run of `make test-processors` begins with these."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

TASKS = Path("/proc/self/task")
#: MKL's own numbers of its branches (mkl_cbwr_get, mkl_cbwr_get_auto_branch).
BRANCHES = {"AUTO": 2, "COMPATIBLE": 3, "SSE4_2": 8, "AVX2": 10, "AVX512": 12}


def told(name):
    """What the variable `name` tells; skips where it tells nothing."""
    if name not in os.environ:
        pytest.skip(f"{name} is not set")
    return os.environ[name]


def mkl(function):
    """A function of MKL that says what it does, once it has multiplied; skips where PyTorch has no MKL to ask."""
    torch.ones(64, 64) @ torch.ones(64, 64)
    try:
        return getattr(ctypes.CDLL("libtorch_cpu.so"), f"mkl_serv_{function}")
    except (OSError, AttributeError):
        pytest.skip("PyTorch has no MKL here, or does not show it")


def processor_time():
    """Nanoseconds on a processor, for each thread of this process."""
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in TASKS.iterdir()}


def wait_for_the_others():
    """Until no other thread is at work: one of NumPy's BLAS spins for some milliseconds before it first sleeps."""
    for _ in range(100):
        before = processor_time()
        time.sleep(0.05)
        if all(after == before.get(task) for task, after in processor_time().items() if task != str(os.getpid())):
            return
    pytest.fail("other threads of this process are at work all the time")


@pytest.mark.skipif(not (TASKS / str(os.getpid()) / "schedstat").exists(), reason="Linux tells the time of each thread")
def test_a_large_product_is_computed_by_as_many_threads_as_the_tests_were_told():
    square = torch.ones(1000, 1000)
    square @ square
    wait_for_the_others()
    before = processor_time()
    for _ in range(5):
        square @ square
    spent = [after - before.get(task, 0) for task, after in processor_time().items()]
    working = sum(time > max(spent) / 10 for time in spent)
    assert working == torch.get_num_threads() == int(os.environ.get("GENBOOK_THREADS", "1"))


def test_pytorch_uses_the_instructions_that_it_was_told():
    assert torch.backends.cpu.get_cpu_capability() == told("ATEN_CPU_CAPABILITY").upper()


def test_mkl_uses_the_instructions_that_it_was_told():
    assert mkl("cbwr_get_auto_branch")() == BRANCHES[told("MKL_ENABLE_INSTRUCTIONS")]


def test_mkl_keeps_the_rule_that_it_was_told_or_the_one_that_genbook_sets():
    rule = told("MKL_CBWR")
    if rule not in BRANCHES:
        pytest.skip(f"MKL_CBWR={rule} is someone's own choice")
    assert mkl("cbwr_get")(1) == BRANCHES[rule]


@pytest.mark.parametrize(("own", "kept"), [(None, "AUTO"), ("COMPATIBLE", "COMPATIBLE")])
def test_genbook_tells_mkl_to_repeat_itself_unless_the_user_says_otherwise(own, kept):
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    if own is not None:
        environment["MKL_CBWR"] = own
    # Before torch is there: what it brings reads the variable at its first product.
    ask = "import sys, genbook, os; print(os.environ['MKL_CBWR'], 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [kept, "False"]
