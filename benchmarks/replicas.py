"""The replica engine against the loops that people write, interleaved in one run.

    python benchmarks/replicas.py             # a table
    python benchmarks/replicas.py --json      # the rows alone, on standard output
    python benchmarks/replicas.py --probe     # what a coherence probe costs instead

Grids: 20 widths from 2 to 512 x 3 seeds of MLP 40-h-10 ("width-grid"), and 64 replicas of six nets with one or two
hidden layers ("1x16" to "2x256"), on 4,000 examples of MNIST-1D, batch 100, Adam, float32. As many of four small CNNs:
"cnn14x8" and "cnn14x16" with 8 and 16 channels on Fashion-MNIST at 14x14 pixels, "cnn28x8" at 28x28 (each pixel four
times), and "cnn1d" with 25 channels on MNIST-1D. Methods:

    dataloader         a DataLoader that shuffles, one network after another, torch.optim.Adam as it comes
    indexing           one network after another on tensors in memory, a permutation an epoch, fused Adam
    vmap               torch.func: vmap of grad over networks of one width, fused Adam
    one-after-another  this engine with one replica at a time
    ours               this engine, every replica with batches of its own
    ours-shared        this engine, all replicas on the same batches

Every round times each method on every grid for a few steps, in CPU time with one thread; a figure is the median over
rounds. `steps a second` counts steps times replicas, `speedup` is over dataloader in the same run, `share of peak` is
the arithmetic of the layers' products (3 multiply-adds a weight, position and example, 2 in the first layer) over the
measured peak of a large product.
"""

import argparse
import csv
import itertools
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from genbook.data import load
from genbook.models import cnn1d, mlp, small_cnn
from genbook.probes import GradientCoherence
from genbook.training import Adam, Examples, Recipe, Replica, stacks
from genbook.training.result import Records
from genbook.training.run import StackRun

BATCH, LR = 100, 1e-3
WIDTHS = (2, 4, 6, 8, 11, 16, 22, 32, 45, 64, 76, 91, 128, 152, 181, 256, 304, 362, 431, 512)
#: Side of the images and channels of the first convolution; channels along a signal.
CNNS = {"cnn14x8": ("cnn", 14, 8), "cnn14x16": ("cnn", 14, 16), "cnn28x8": ("cnn", 28, 8), "cnn1d": ("cnn1d", 25)}
NETS = {f"{depth}x{width}": [(40, *[width] * depth, 10)] for depth in (1, 2) for width in (16, 64, 256)}
METHODS = ("dataloader", "indexing", "vmap", "one-after-another", "ours", "ours-shared")


def grids(replicas, seeds=3):
    """Name of each grid to the layer sizes of its networks, one entry a replica."""
    width_grid = [(40, width, 10) for width in WIDTHS for _ in range(seeds)]
    nets = {name: sizes * replicas for name, sizes in NETS.items()}
    return {"width-grid": width_grid, **nets, **{name: [cnn] * replicas for name, cnn in CNNS.items()}}


def network(sizes):
    """The plain network: an MLP by its layers' sizes, or one of `CNNS`."""
    if sizes[0] == "cnn":
        return small_cnn(1, sizes[2], 10, image=sizes[1])
    return cnn1d(width=sizes[1]) if sizes[0] == "cnn1d" else mlp(sizes)


def data_for(sizes):
    """Inputs and labels that the network takes."""
    data = load("fashion-small" if sizes[0] == "cnn" else "mnist1d")
    inputs, labels = torch.tensor(data.train_inputs), torch.tensor(data.train_labels)
    if sizes[0] == "cnn1d":
        inputs = inputs.unsqueeze(1)
    elif sizes[0] == "cnn" and sizes[1] == 28:
        inputs = inputs.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return inputs, labels


def multiply_adds(sizes):
    """Of one step of one network: every layer forward, by weight, and by input except for the first."""
    products = []

    def count(layer, arguments, output):
        positions = output[0, 0].numel() if output.dim() > 2 else 1
        products.append(layer.weight.numel() * positions)

    model, (inputs, _) = network(sizes), data_for(sizes)
    for layer in model:
        if hasattr(layer, "weight"):
            layer.register_forward_hook(count)
    model(inputs[:1])
    return BATCH * (3 * sum(products) - products[0])


def peak(budget, size=1024):
    """Multiply-adds per second of a large matrix product, over as long a time as a method is timed."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    count = max(2, int(budget / min(timed(lambda: a @ b) for _ in range(2))))
    return count * size**3 / timed(lambda: [a @ b for _ in range(count)])


def timed(function):
    """Seconds; of CPU time with one thread, so that what else the machine does counts little."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    function()
    return clock() - start


class OneAfterAnother:
    """Times each distinct network alone and adds up: the networks of a grid are trained one by one."""

    def __init__(self, grid, inputs, labels):
        self.inputs, self.labels = inputs, labels
        self.counts = {sizes: grid.count(sizes) for sizes in grid}
        self.steps = {sizes: self.prepare(sizes) for sizes in self.counts}

    def seconds_per_step(self, count):
        return sum(copies * timed(lambda s=s: self.steps[s](count)) / count for s, copies in self.counts.items())


class DataLoaderLoop(OneAfterAnother):
    """The loop of the tutorials."""

    def prepare(self, sizes):
        model, loss = network(sizes), nn.CrossEntropyLoss()
        optimiser = torch.optim.Adam(model.parameters(), LR)
        loader = DataLoader(TensorDataset(self.inputs, self.labels), BATCH, shuffle=True)
        batches = itertools.chain.from_iterable(loader for _ in itertools.count())

        def run(count):
            for x, y in itertools.islice(batches, count):
                optimiser.zero_grad()
                loss(model(x), y).backward()
                optimiser.step()

        return run


class Indexing(OneAfterAnother):
    """Tensors in memory, a permutation an epoch, one fused optimiser step."""

    def prepare(self, sizes):
        model, loss = network(sizes), nn.CrossEntropyLoss()
        optimiser = torch.optim.Adam(model.parameters(), LR, fused=True)
        batches = itertools.chain.from_iterable(
            torch.randperm(len(self.inputs)).split(BATCH) for _ in itertools.count()
        )

        def run(count):
            for batch in itertools.islice(batches, count):
                optimiser.zero_grad()
                loss(model(self.inputs[batch]), self.labels[batch]).backward()
                optimiser.step()

        return run


class Vmap:
    """torch.func: the gradients of networks of one width by vmap, on batches of their own."""

    def __init__(self, grid, inputs, labels):
        self.inputs, self.labels = inputs, labels
        self.runs = [self.prepare(sizes, grid.count(sizes)) for sizes in dict.fromkeys(grid)]

    def prepare(self, sizes, copies):
        networks = [network(sizes) for _ in range(copies)]
        parameters, _ = torch.func.stack_module_state(networks)
        optimiser = torch.optim.Adam(parameters.values(), LR, fused=True)

        def loss(parameters, x, y):
            return nn.functional.cross_entropy(torch.func.functional_call(networks[0], parameters, x), y)

        gradients = torch.func.vmap(torch.func.grad(loss))

        def batches():
            while True:
                order = torch.stack([torch.randperm(len(self.inputs)) for _ in range(copies)])
                yield from order.split(BATCH, dim=1)

        rows = batches()

        def run(count):
            for batch in itertools.islice(rows, count):
                found = gradients(parameters, self.inputs[batch], self.labels[batch])
                for name, parameter in parameters.items():
                    parameter.grad = found[name]
                optimiser.step()

        return run

    def seconds_per_step(self, count):
        return sum(timed(lambda run=run: run(count)) for run in self.runs) / count


def replica(sizes, seed, order, data):
    recipe = Recipe(steps=10**9, batch_size=BATCH, optimiser=Adam(LR))
    return Replica(seed, network(sizes), recipe, data, order_seed=order)


class Engine:
    """Ours: one stack or several, each through the same number of steps."""

    def __init__(self, grid, inputs, labels, shared=False):
        data = {"train": Examples(inputs, labels)}
        replicas = [replica(sizes, r, 0 if shared else r, data) for r, sizes in enumerate(grid)]
        self.runs = [started([replicas[r] for r in members]) for members in stacks(replicas)]

    def seconds_per_step(self, count):
        return sum(timed(lambda run=run: advance(run, count)) for run in self.runs) / count

    def probe(self, examples):
        """Coherence of every replica, by layer, on its first examples."""
        for run in self.runs:
            run.measure(GradientCoherence(examples=examples))


class EngineOneByOne(OneAfterAnother):
    """The engine with a single replica at a time."""

    def prepare(self, sizes):
        run = started([replica(sizes, 0, 0, {"train": Examples(self.inputs, self.labels)})])
        return lambda count: advance(run, count)


def started(replicas):
    return StackRun(replicas, range(len(replicas)), [], torch.device("cpu"), Records(), {})


def advance(run, count):
    for _ in range(count):
        run.advance()


BUILD = {
    "dataloader": DataLoaderLoop,
    "indexing": Indexing,
    "vmap": Vmap,
    "one-after-another": EngineOneByOne,
    "ours": Engine,
    "ours-shared": lambda *args: Engine(*args, shared=True),
}


def measure(replicas, rounds, budget, only=None):
    """The rows of the table; every round goes through all grids and methods."""
    chosen = {name: grid for name, grid in grids(replicas).items() if only is None or name in only}
    runners = {(g, m): BUILD[m](grid, *data_for(grid[0])) for g, grid in chosen.items() for m in METHODS}
    counts = {}
    for key, runner in runners.items():
        runner.seconds_per_step(2)
        counts[key] = max(2, min(40, int(budget / runner.seconds_per_step(2))))
    times = {key: [] for key in runners}
    peaks = []
    for _ in range(rounds):
        peaks.append(peak(budget))
        for key, runner in runners.items():
            times[key].append(runner.seconds_per_step(counts[key]))
    print(f"peak of a large product: {statistics.median(peaks) / 1e9:.0f} G multiply-adds/s", file=sys.stderr)
    rows = []
    for (name, method), seconds in times.items():
        step = statistics.median(seconds)
        work = sum(chosen[name].count(sizes) * multiply_adds(sizes) for sizes in dict.fromkeys(chosen[name]))
        rows.append(
            {
                "grid": name,
                "method": method,
                "replicas": len(chosen[name]),
                "steps a second": round(len(chosen[name]) / step, 1),
                "speedup": round(statistics.median(times[name, "dataloader"]) / step, 2),
                "share of peak": round(work / step / statistics.median(peaks), 4),
            }
        )
    return rows


def measure_probe(replicas, rounds, only=None, points=20, steps=16_000):
    """Time of coherence at `points` steps of a run, over the time of its `steps` steps."""
    rows = []
    for name, grid in grids(replicas).items():
        if only is not None and name not in only:
            continue
        for method in ("ours", "ours-shared"):
            engine = BUILD[method](grid, *data_for(grid[0]))
            times = {count: [] for count in (None, 1000, 4000)}
            engine.seconds_per_step(3)
            for _ in range(rounds):
                times[None].append(engine.seconds_per_step(20))
                for count in (1000, 4000):
                    times[count].append(timed(lambda e=engine, n=count: e.probe(n)))
            step, few, all_ = (statistics.median(seconds) for seconds in times.values())
            shares = {"1000": points * few / (steps * step), "4000": points * all_ / (steps * step)}
            rows += [
                {"grid": name, "method": method, "examples": int(n), "share of time": round(share, 4)}
                for n, share in shares.items()
            ]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON alone")
    parser.add_argument("--csv", action="store_true", help="print the rows as CSV alone")
    parser.add_argument("--probe", action="store_true", help="time a coherence probe at 20 of 16,000 steps")
    parser.add_argument("--replicas", type=int, default=64, help="of each of the six nets (64)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all grids and methods (5)")
    parser.add_argument("--budget", type=float, default=0.25, help="seconds for a method in a round (0.25)")
    parser.add_argument("--threads", type=int, default=1, help="threads (1)")
    parser.add_argument("--only", nargs="*", help="names of grids")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.probe:
        rows = measure_probe(arguments.replicas, arguments.rounds, arguments.only)
    else:
        rows = measure(arguments.replicas, arguments.rounds, arguments.budget, arguments.only)
    if arguments.csv:
        table = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return
    if arguments.json:
        json.dump(rows, sys.stdout, indent=1)
        print()
        return
    if arguments.probe:
        for row in rows:
            print(f"{row['grid']:<12}{row['method']:<14}{row['examples']:>6}{row['share of time']:>9.1%}")
        return
    print(f"{'grid':<12}{'method':<20}{'replicas':>9}{'steps/s':>12}{'speedup':>9}{'of peak':>9}")
    for row in rows:
        print(
            f"{row['grid']:<12}{row['method']:<20}{row['replicas']:>9}{row['steps a second']:>12,.0f}"
            f"{row['speedup']:>9.2f}{row['share of peak']:>9.3f}"
        )


if __name__ == "__main__":
    main()
