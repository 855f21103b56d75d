"""On a CUDA device: replica grids and ResNet-18 beside the usual loops, float32 beside the CPU, the price of a probe.

    python benchmarks/gpu.py [--json] [--steps N] [--rounds N]

Without a CUDA device it says so and ends well. Wall time with the device synchronised before and after, interleaved,
medians over rounds. Rows are (what, method, value, unit):

    width-grid, 2x64   networks x steps a second of 60 and 64 MLPs, as in benchmarks/replicas.py: dataloader (one after
                       another, from a DataLoader in pinned memory), indexing (data on the device, fused Adam), vmap
                       (torch.func), ours as the steps come, and ours captured as CUDA graphs
    resnet18           the same for 4 ResNet-18 (k = 64, GroupNorm) on random images 3 x 32 x 32, batch 128, SGD
    of peak            arithmetic of the layers' products over that of a product of 8,192 x 8,192 (TF32 off)
    float32            largest difference of weights after 100 steps, device and CPU, over the largest weight
    coherence          m-coherence over one forward and backward pass of the same examples
"""

import argparse
import copy
import json
import statistics
import sys
import time

import torch
from replicas import BATCH, LR, grids, multiply_adds
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from genbook.data import load
from genbook.gradients import coherence
from genbook.models import mlp, resnet18
from genbook.training import SGD, Adam, Examples, Recipe, Replica, graphs, stacks, train
from genbook.training.result import Records
from genbook.training.run import StackRun

LOSS = nn.CrossEntropyLoss()


class Clock:
    """Seconds of work on a device, and the device."""

    def __init__(self, device):
        self.device = torch.device(device)

    def __call__(self, work):
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class Problem:
    """A grid of networks on one training set, and what trains them."""

    def __init__(self, models, inputs, labels, batch, optimiser):
        self.models, self.inputs, self.labels, self.batch, self.optimiser = models, inputs, labels, batch, optimiser

    def torch_optimiser(self, parameters, fused):
        if isinstance(self.optimiser, Adam):
            return torch.optim.Adam(parameters, self.optimiser.lr, fused=fused)
        return torch.optim.SGD(parameters, self.optimiser.lr, fused=fused)


def one_after_another(problem, device, batches, fused):
    """Seconds of so many steps of all networks; networks of one kind take equally long."""
    kinds = {}
    for model in problem.models:
        kinds.setdefault(repr(model), []).append(model)
    loops = []
    for alike in kinds.values():
        model = copy.deepcopy(alike[0]).to(device)
        optimiser = problem.torch_optimiser(model.parameters(), fused)

        def run(steps, model=model, optimiser=optimiser):
            for _, (x, y) in zip(range(steps), batches(), strict=False):
                optimiser.zero_grad()
                LOSS(model(x), y).backward()
                optimiser.step()

        loops.append((len(alike), run))
    return lambda clock, steps: sum(copies * clock(lambda r=run: r(steps)) for copies, run in loops)


def dataloader(problem, device):
    pinned = device.type == "cuda"
    data = TensorDataset(problem.inputs, problem.labels)
    loader = DataLoader(data, problem.batch, shuffle=True, pin_memory=pinned)

    def batches():
        while True:
            yield from ((x.to(device, non_blocking=True), y.to(device, non_blocking=True)) for x, y in loader)

    return one_after_another(problem, device, batches, fused=False)


def indexing(problem, device):
    inputs, labels = problem.inputs.to(device), problem.labels.to(device)

    def batches():
        while True:
            for rows in torch.randperm(len(inputs), device=device).split(problem.batch):
                yield inputs[rows], labels[rows]

    return one_after_another(problem, device, batches, fused=True)


def vmap(problem, device):
    inputs, labels = problem.inputs.to(device), problem.labels.to(device)
    kinds = {}
    for model in problem.models:
        kinds.setdefault(repr(model), []).append(copy.deepcopy(model).to(device))
    runs = []
    for alike in kinds.values():
        parameters, _ = torch.func.stack_module_state(alike)
        optimiser = problem.torch_optimiser(parameters.values(), fused=True)

        def loss(parameters, x, y, model=alike[0]):
            return nn.functional.cross_entropy(torch.func.functional_call(model, parameters, x), y)

        gradients = torch.func.vmap(torch.func.grad(loss))

        def run(steps, parameters=parameters, optimiser=optimiser, gradients=gradients, alike=alike):
            for _ in range(steps):
                rows = torch.randint(len(inputs), (len(alike), problem.batch), device=device)
                found = gradients(parameters, inputs[rows], labels[rows])
                for name, parameter in parameters.items():
                    parameter.grad = found[name]
                optimiser.step()

        runs.append(run)
    return lambda clock, steps: sum(clock(lambda r=run: r(steps)) for run in runs)


def replicas_of(problem, steps=10**9):
    data = {"train": Examples(problem.inputs, problem.labels)}
    recipe = Recipe(steps=steps, batch_size=problem.batch, optimiser=problem.optimiser)
    return [Replica(seed, model, recipe, data) for seed, model in enumerate(problem.models)]


def ours(problem, device, captured=True):
    usual = graphs.graph_for
    graphs.graph_for = usual if captured else lambda device: None
    try:
        replicas = replicas_of(problem)
        grid = stacks(replicas)
        runs = [StackRun([replicas[r] for r in m], range(len(m)), [], device, Records(), {}) for m in grid]
    finally:
        graphs.graph_for = usual
    return lambda clock, steps: sum(clock(lambda r=run: [r.advance() for _ in range(steps)]) for run in runs)


METHODS = {
    "dataloader": dataloader,
    "indexing": indexing,
    "vmap": vmap,
    "ours, as it comes": lambda problem, device: ours(problem, device, captured=False),
    "ours, captured": ours,
}


def problems(networks, images, width):
    """The grids by name, with the multiply-adds of a step where a formula says them."""
    data = load("mnist1d")
    inputs, labels = torch.tensor(data.train_inputs), torch.tensor(data.train_labels)
    found = {}
    for name in ("width-grid", "2x64"):
        sizes = grids(networks, seeds=min(3, networks))[name]
        problem = Problem([mlp(one) for one in sizes], inputs, labels, BATCH, Adam(LR))
        found[name] = problem, sum(multiply_adds(one) for one in sizes)
    pictures = torch.randn(4 * images, 3, 32, 32), torch.randint(10, (4 * images,))
    found["resnet18"] = Problem([resnet18(width) for _ in range(4)], *pictures, images, SGD(0.01)), None
    return found


def peak(clock, size):
    """Multiply-adds a second of a large product in full float32."""
    a, b = (torch.randn(size, size, device=clock.device) for _ in range(2))
    clock(lambda: a @ b)
    return 4 * size**3 / clock(lambda: [a @ b for _ in range(4)])


def speeds(clock, rounds, steps, arguments):
    """Rows of networks x steps a second, and of the fraction of the peak."""
    rows, top = [], statistics.median(peak(clock, arguments.product) for _ in range(3))
    rows.append(("product", "peak", top / 1e9, "G multiply-adds/s"))
    for name, (problem, work) in problems(arguments.networks, arguments.images, arguments.width).items():
        runs = {method: make(problem, clock.device) for method, make in METHODS.items()}
        times = {method: [] for method in runs}
        for run in runs.values():
            run(clock, 10)  # warm, and captured where it is
        for _ in range(rounds):
            for method, run in runs.items():
                times[method].append(run(clock, steps) / steps)
        for method, seconds in times.items():
            step = statistics.median(seconds)
            rows.append((name, method, len(problem.models) / step, "networks x steps/s"))
            if work:
                rows.append((name, method, work / step / top, "of peak"))
    return rows


def float32(clock, arguments):
    """How far weights trained on the device are from those trained on the CPU."""
    found = problems(min(4, arguments.networks), 16, min(8, arguments.width))
    rows = []
    for name in ("2x64", "resnet18"):
        replicas = replicas_of(found[name][0], steps=100 if name == "2x64" else 4)
        there, here = train(replicas, device=clock.device), train(replicas)
        pairs = [(a[k], b[k]) for a, b in zip(there.states, here.states, strict=True) for k in b]
        worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
        rows.append((name, "device - cpu", worst, "of the largest weight"))
    return rows


def probes(clock, rounds, arguments):
    """The time of m-coherence over that of a plain pass."""
    rows = []
    nets = {
        "mlp784": (mlp((784, 512, 512, 10)), torch.randn(1024, 784)),
        "resnet18": (resnet18(arguments.width), torch.randn(arguments.images, 3, 32, 32)),
    }
    for name, (model, x) in nets.items():
        model, x = model.to(clock.device).eval(), x.to(clock.device)
        y = torch.randint(10, (len(x),), device=clock.device)

        def plain(model=model, x=x, y=y):
            model.zero_grad(set_to_none=True)
            LOSS(model(x), y).backward()

        def probe(model=model, x=x, y=y):
            coherence(model, LOSS, x, y, check=0)

        times = {plain: [], probe: []}
        for work in times:
            work()
        for _ in range(rounds):
            for work, seconds in times.items():
                seconds.append(clock(work))
        passes, measured = (statistics.median(seconds) for seconds in times.values())
        rows.append((name, "coherence", measured / passes, "plain passes"))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON alone")
    parser.add_argument("--device", default="cuda", help="cuda; any other tries the script out")
    parser.add_argument("--steps", type=int, default=200, help="steps a measurement (200)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all methods (5)")
    parser.add_argument("--networks", type=int, default=64, help="of 2x64 (64)")
    parser.add_argument("--images", type=int, default=128, help="a batch of ResNet-18 (128)")
    parser.add_argument("--width", type=int, default=64, help="k of ResNet-18 (64)")
    parser.add_argument("--product", type=int, default=8192, help="rows of the product whose speed is the peak (8192)")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("there is no CUDA device here: nothing was measured")
        return
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    clock = Clock(arguments.device)
    rows = speeds(clock, arguments.rounds, arguments.steps, arguments)
    rows += float32(clock, arguments)
    rows += probes(clock, arguments.rounds, arguments)
    if arguments.json:
        json.dump([dict(zip(("what", "method", "value", "unit"), row, strict=True)) for row in rows], sys.stdout)
        print()
        return
    for what, method, value, unit in rows:
        print(f"{what:<12}{method:<20}{value:>14,.4g} {unit}")


if __name__ == "__main__":
    main()
