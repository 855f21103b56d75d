"""The price of per-example gradients: ours against a loop, torch.func, Opacus, BackPACK and TorchJD.

    python benchmarks/coherence.py [--json] [--models mlp784 ...] [--device auto|cpu|cuda] [--rounds N] [--out FILE]

Every method measures the same batch of the same network; the rounds go through all methods in turn, and a time (CPU
time; wall time on a GPU) is the median over the rounds, over that of one plain forward and backward pass. Peak memory
comes from a process of its own per method: the growth of the resident set over that before the first pass (on a GPU,
of the allocator's peak), divided by the growth in one plain pass.

The peers are installed for this benchmark alone, into an environment of its own (see benchmarks/requirements.txt);
one that is missing is skipped. Threads: one, unless OMP_NUM_THREADS says otherwise.
"""

import argparse
import csv
import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from genbook import gradients as lens
from genbook import models
from genbook.models import stack

Step = Callable[[], object]
LOSS = nn.CrossEntropyLoss()


class BasicBlock(nn.Module):
    """Residual block of ResNet-18 with GroupNorm, its sums written so that every peer can hook it."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(32, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(32, outputs)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        same = stride == 1 and inputs == outputs
        shortcut = () if same else (nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.GroupNorm(32, outputs))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu1(self.norm1(self.conv1(x)))
        return self.relu2(self.norm2(self.conv2(hidden)) + self.shortcut(x))


def resnet18() -> nn.Module:
    blocks = []
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        blocks += [BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1)]
    stem = (nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.GroupNorm(32, 64), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Encoder(nn.Module):
    """Two layers of PyTorch's transformer encoder on 32 tokens of 128 features, their mean, and a dense layer."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean(1))


def problem(name: str, device: str) -> tuple[nn.Module, Tensor, Tensor]:
    """Network, inputs and targets of one of the five settings."""
    torch.manual_seed(0)
    model, m, shape = {
        "mlp784": (lambda: models.mlp((784, 512, 512, 10)), 1024, (784,)),
        "mlp40": (lambda: models.mlp((40, 256, 256, 10)), 4000, (40,)),
        "cnn28": (lambda: models.small_cnn(1, 16, 10, 28), 512, (1, 28, 28)),
        "resnet18": (resnet18, 16, (3, 32, 32)),
        "encoder": (Encoder, 128, (32, 128)),
    }[name]
    return model().to(device), torch.randn(m, *shape, device=device), torch.randint(0, 10, (m,), device=device)


MODELS = ("mlp784", "mlp40", "cnn28", "resnet18", "encoder")


# -- the methods: each builds a step that returns what its row promises ----------------------------------------------


def plain(model: nn.Module, x: Tensor, y: Tensor) -> Step:
    def step():
        model.zero_grad(set_to_none=True)
        LOSS(model(x), y).backward()

    return step


def ours_norms(model, x, y) -> Step:
    return lambda: lens.gradient_norms(model, LOSS, x, y)


def ours_dots(model, x, y) -> Step:
    """Norms, alignments and cosines of every example and layer, m-coherence of every layer."""

    def step():
        c = lens.coherence(model, LOSS, x, y)
        return [(part.norms, part.cosines, part.m_coherence) for part in c.layers.values()]

    return step


def ours_gram(model, x, y) -> Step:
    return lambda: lens.gram(model, LOSS, x, y).matrix


def summarise(gradients: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Norms and alignments by parameter from gradients [m, ...]."""
    rows = [g.flatten(1) for g in gradients]
    return [(torch.linalg.vector_norm(g, dim=1), g @ g.mean(0)) for g in rows]


def loop(model, x, y) -> Step:
    """One backward pass per example; the mean gradient in a pass before, so that no gradient is kept."""
    parameters = list(model.parameters())

    def step():
        mean = torch.autograd.grad(LOSS(model(x), y), parameters)
        norms, dots = [], []
        for i in range(len(x)):
            gradient = torch.autograd.grad(LOSS(model(x[i : i + 1]), y[i : i + 1]), parameters)
            norms.append([g.square().sum() for g in gradient])
            dots.append([(g * h).sum() for g, h in zip(gradient, mean, strict=True)])
        return norms, dots

    return step


def by_vmap(model, x, y) -> Callable[[], list[Tensor]]:
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, x, y):
        return LOSS(torch.func.functional_call(model, parameters, (x.unsqueeze(0),)), y.unsqueeze(0))

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    return lambda: list(each(parameters, x, y).values())


def vmap(model, x, y) -> Step:
    gradients = by_vmap(model, x, y)
    return lambda: summarise(gradients())


def vmap_gram(model, x, y) -> Step:
    gradients = by_vmap(model, x, y)

    def step():
        rows = torch.cat([g.flatten(1) for g in gradients()], 1)
        return rows @ rows.T

    return step


def opacus(model, x, y) -> Step:
    from opacus import GradSampleModule

    wrapped = GradSampleModule(model)

    def step():
        wrapped.zero_grad(set_to_none=True)
        LOSS(wrapped(x), y).backward()
        return summarise([p.grad_sample for p in wrapped.parameters()])

    return step


def opacus_clipping(ghost: bool):
    """Norms as Opacus' fast gradient clipping has them: by ghost norms, or from gradients that are dropped at once."""

    def build(model, x, y) -> Step:
        from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping

        wrapped = GradSampleModuleFastGradientClipping(model, max_grad_norm=1.0, use_ghost_clipping=ghost)

        def step():
            wrapped.zero_grad(set_to_none=True)
            LOSS(wrapped(x), y).backward()
            return wrapped.get_norm_sample()

        return step

    return build


def torchjd_gram(model, x, y) -> Step:
    from torchjd.autogram import Engine

    engine = Engine(model, batch_dim=0)
    return lambda: engine.compute_gramian(nn.functional.cross_entropy(model(x), y, reduction="none"))


def backpack_extension(name: str):
    def build(model, x, y) -> Step:
        import backpack
        from backpack import extensions

        extended = backpack.extend(model, use_converter=True)
        loss = backpack.extend(nn.CrossEntropyLoss())
        extension = getattr(extensions, name)()

        def step():
            extended.zero_grad(set_to_none=True)
            with backpack.backpack(extension):
                loss(extended(x), y).backward()
            # BackPACK knows no GroupNorm, LayerNorm or attention: on the ResNet-18 and the encoder it measures the
            # convolutions and the dense layers alone.
            known = [p for p in extended.parameters() if hasattr(p, extension.savefield)]
            if not known:
                raise RuntimeError("BackPACK left nothing on the parameters")
            values = [getattr(p, extension.savefield) for p in known]
            for p in known:
                delattr(p, extension.savefield)
            return values if name == "BatchL2Grad" else summarise(values)

        return step

    return build


METHODS = {
    ("ours", "norms"): ours_norms,
    ("ours", "dots"): ours_dots,
    ("ours", "gram"): ours_gram,
    ("loop", "dots"): loop,
    ("vmap", "dots"): vmap,
    ("vmap", "gram"): vmap_gram,
    ("opacus", "dots"): opacus,
    ("opacus-ghost", "norms"): opacus_clipping(ghost=True),
    ("opacus-fast", "norms"): opacus_clipping(ghost=False),
    ("backpack", "dots"): backpack_extension("BatchGrad"),
    ("backpack-l2", "norms"): backpack_extension("BatchL2Grad"),
    ("torchjd", "gram"): torchjd_gram,
}
"""(method, returns): a method that gives dots gives norms too."""


def winsorised_settings() -> dict[str, tuple[Step, Step]]:
    """The noisy-labels setting: five replicas, batches of 50 and 100; a plain step and a winsorised one for each c."""
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    x = torch.tensor((pictures - pictures.mean(0)) / pictures.std(0).clip(1e-6), dtype=torch.float32)
    y = torch.tensor(labels)
    settings = {}
    for sizes in ((64, 64, 10), (64, 128, 128, 10)):
        for batch in (50, 100):
            torch.manual_seed(0)
            replicas = stack([models.mlp(sizes) for _ in range(5)])
            rows = torch.stack([torch.randperm(len(x))[:batch] for _ in range(5)])
            for c in (1, 5):
                name = f"{'-'.join(map(str, sizes))}, batch {batch}, c = {c}"
                settings[name] = training_steps(replicas, x[rows], y[rows], c)
    return settings


def training_steps(replicas: nn.Module, x: Tensor, y: Tensor, c: int) -> tuple[Step, Step]:
    optimizer = torch.optim.SGD(replicas.parameters(), lr=0.0)
    rule = lens.Winsorized(c)
    summed = nn.CrossEntropyLoss(reduction="sum")

    def step():
        optimizer.zero_grad(set_to_none=True)
        (summed(replicas(x).flatten(0, 1), y.flatten()) / x.shape[1]).backward()
        optimizer.step()

    def winsorised():
        rule.backward(replicas, LOSS, x, y)
        optimizer.step()

    return step, winsorised


# -- measuring ---------------------------------------------------------------------------------------------------------


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(step: Step, device: str) -> float:
    """CPU time of one step, or wall time on a GPU: other programs on the machine then disturb a ratio little."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    wait(device)
    start = clock()
    step()
    wait(device)
    return clock() - start


def interleaved(steps: dict, rounds: int, device: str) -> dict:
    """Median time of each step, all in turn in every round; the first round warms up.

    A step that takes more than ten times the fastest takes part in the first round alone.
    """
    for step in steps.values():
        step()
    times = {name: [] for name in steps}
    for r in range(rounds):
        for name, step in steps.items():
            if r == 0 or times[name][0] <= 10 * min(values[0] for values in times.values()):
                times[name].append(seconds(step, device))
        gc.collect()
    return {name: statistics.median(values) for name, values in times.items()}


def build(name: str, method: Callable, device: str, examples: int | None = None) -> Step:
    model, x, y = problem(name, device)
    return method(model, x[:examples], y[:examples])


def resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def growth(step: Step, device: str) -> float:
    """Bytes by which one step raises the peak, the first step having loaded what is loaded once."""
    if device == "cuda":
        step()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    if not Path("/proc/self/statm").exists():
        return float("nan")
    before, peak, done = resident(), 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident())
            time.sleep(0.0002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    step()
    done.set()
    watcher.join()
    return max(peak, resident()) - before


def warm_up(device: str) -> None:
    """Load what a first pass loads (kernels, thread pools), on a network too small to be seen."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 10)).to(device)
    x, y = torch.randn(4, 1, 4, 4, device=device), torch.randint(0, 10, (4,), device=device)
    plain(model, x, y)()
    ours_dots(model, x, y)()


def memory_in_its_own_process(name: str, method: str, returns: str, device: str) -> float:
    command = [sys.executable, __file__, "--memory", name, method, returns, "--device", device]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} {method} {returns}: no memory figure, {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return float("nan")
    return float(done.stdout.split()[-1])


def measure_model(name: str, rounds: int, device: str, memory: bool) -> list[dict]:
    steps = {("plain", "gradient"): build(name, plain, device)}
    for key, method in METHODS.items():
        try:
            build(name, method, device, examples=2)()
            steps[key] = build(name, method, device)
        except ModuleNotFoundError as missing:
            print(f"{name} {key[0]}: skipped, {missing.name} is not installed", file=sys.stderr)
        except Exception as failed:
            if key[0] == "ours":
                raise
            said = str(failed).partition("\n")[0]
            print(f"{name} {key[0]} {key[1]}: skipped, {type(failed).__name__}: {said}", file=sys.stderr)
    times = interleaved(steps, rounds, device)
    base = times.pop(("plain", "gradient"))
    plain_memory = memory_in_its_own_process(name, "plain", "gradient", device) if memory else float("nan")
    rows = []
    for (method, returns), value in times.items():
        used = memory_in_its_own_process(name, method, returns, device) if memory else float("nan")
        rows.append(row(name, method, returns, value / base, used / plain_memory))
    return rows


def row(model: str, method: str, returns: str, time_ratio: float, memory_ratio: float | None) -> dict:
    known = memory_ratio is not None and memory_ratio == memory_ratio
    return {
        "model": model,
        "method": method,
        "returns": returns,
        "time_ratio": round(time_ratio, 3),
        "memory_ratio": round(memory_ratio, 3) if known else None,
    }


def measure_winsorised(rounds: int) -> list[dict]:
    rows = []
    for name, (step, winsorised) in winsorised_settings().items():
        times = interleaved({"plain": step, "winsorised": winsorised}, 3 * rounds, "cpu")
        rows.append(row(name, "ours", "winsorised", times["winsorised"] / times["plain"], None))
    return rows


def write_tables(rows: list[dict], out: Path) -> None:
    """The two tables of the method page, as CSV beside `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    named = [r for r in rows if r["returns"] != "winsorised"]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for r in named:
        memory = "" if r["memory_ratio"] is None else f" ({r['memory_ratio']:.1f})"
        cells.setdefault((r["returns"], r["method"]), {})[r["model"]] = f"{r['time_ratio']:.2f}{memory}"
    columns = [name for name in MODELS if any(name in cell for cell in cells.values())]
    with out.with_suffix(".csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["returns", "method", *columns])
        for key in sorted(cells, key=lambda key: (key[0], key[1] != "ours", key[1])):
            table.writerow([*key, *(cells[key].get(name, "–") for name in columns)])
    winsorised = [r for r in rows if r["returns"] == "winsorised"]
    if winsorised:
        with out.with_name(f"{out.stem}-winsorised.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["network", "batch", "c", "time"])
            for r in winsorised:
                network, batch, c = r["model"].split(", ")
                table.writerow([network, batch.split()[-1], c.split()[-1], f"{r['time_ratio']:.1f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="a list of rows on standard output, and nothing else")
    parser.add_argument("--out", type=Path, help="also write the rows and the environment to this file")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-memory", action="store_true", help="leave out the processes that measure memory")
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    cuda = torch.cuda.is_available() and arguments.device != "cpu"
    if arguments.memory:
        name, method, returns = arguments.memory
        step = build(name, plain if method == "plain" else METHODS[method, returns], arguments.device)
        warm_up(arguments.device)
        print(growth(step, arguments.device))
        return
    if arguments.device == "cuda" and not cuda:
        parser.error("--device cuda: torch sees no GPU here; use --device cpu")
    device = "cuda" if cuda else "cpu"
    rows = []
    for name in arguments.models:
        rows += measure_model(name, arguments.rounds, device, not arguments.no_memory)
    if device == "cpu":
        rows += measure_winsorised(arguments.rounds)
    if arguments.out:
        write_tables(rows, arguments.out)
        environment = {
            "device": torch.cuda.get_device_name() if cuda else platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "rounds": arguments.rounds,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'model':34s} {'method':14s} {'returns':12s} {'time':>7s} {'memory':>7s}   (one plain pass = 1)")
    for r in rows:
        memory = "" if r["memory_ratio"] is None else f"{r['memory_ratio']:7.2f}"
        print(f"{r['model']:34s} {r['method']:14s} {r['returns']:12s} {r['time_ratio']:7.2f} {memory}")


if __name__ == "__main__":
    main()
