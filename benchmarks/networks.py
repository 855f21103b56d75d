"""From 1 to 4,096 networks: the replica engine beside its peers, interleaved in one run.

    python benchmarks/networks.py                         # a table
    python benchmarks/networks.py --json                  # the rows alone, on standard output; --csv: as CSV
    python benchmarks/networks.py --networks 1 64 --rounds 3

N networks MLP 40-64-10 on 4,000 examples of MNIST-1D, batch 100, Adam, float32. Besides the methods of
`benchmarks/replicas.py`:

    jax-vmap       JAX: vmap of grad over the networks, each on batches of its own, the step and Adam in one jitted
                   program whose memory is donated; compiled before it is timed, left out where JAX is not installed
    parallel-mlps  the scheme of ParallelMLPs (Farias et al., 2023): one wide network, all on the same batches; hidden
                   units times output weights element by element, sums scattered to their networks; autograd, fused Adam

`steps a second` counts steps times networks. `with probes` is the same with an m-coherence of every network on
1,000 examples at 20 of 16,000 steps, which the engine alone has. `share of peak` is as in `benchmarks/replicas.py`.
"""

import argparse
import csv
import importlib.util
import json
import os
import statistics
import sys

import torch
from replicas import BATCH, BUILD, LR, multiply_adds, peak, timed
from torch import nn

from genbook.data import load
from genbook.models import mlp

SIZES = (40, 64, 10)
NETWORKS = (1, 4, 16, 64, 256, 1024, 4096)
#: Products of hidden units and output weights that the scheme of ParallelMLPs writes down fill the memory beyond this.
MOST_SCATTERED = 1024


class ParallelMLPs:
    """One hidden layer of all networks, element by element times the output weights, scattered to the networks."""

    def __init__(self, grid, inputs, labels):
        count, (entering, width, leaving) = len(grid), grid[0]
        first, last = nn.Linear(entering, count * width), nn.Linear(width, count * leaving)
        weight = nn.Parameter(torch.randn(leaving, count * width) / width**0.5)
        bias = nn.Parameter(last.bias.detach().view(leaving, count))
        optimiser = torch.optim.Adam([*first.parameters(), weight, bias], LR, fused=True)
        owner = torch.arange(count).repeat_interleave(width)

        def batches():
            while True:
                yield from torch.randperm(len(inputs)).split(BATCH)

        self.rows = batches()

        def step():
            rows = next(self.rows)
            optimiser.zero_grad()
            hidden = torch.relu(first(inputs[rows])).T  # [N·h, B]: sums along the batch are the quick ones
            products = weight.unsqueeze(2) * hidden  # [C, N·h, B]
            outputs = products.new_zeros(leaving, count, len(rows)).index_add(1, owner, products) + bias.unsqueeze(2)
            wanted = labels[rows].expand(count, -1)
            (nn.functional.cross_entropy(outputs.transpose(0, 1), wanted, reduction="sum") / BATCH).backward()
            optimiser.step()

        self.step = step

    def seconds_per_step(self, count):
        return timed(lambda: [self.step() for _ in range(count)]) / count


class JaxVmap:
    """JAX: one jitted program for gather, vmap of grad, and Adam."""

    def __init__(self, grid, inputs, labels):
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        if torch.get_num_threads() == 1:
            os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
        import jax
        from jax import numpy as jnp

        x, y = jnp.asarray(inputs.numpy()), jnp.asarray(labels.numpy())
        networks = [mlp(grid[0]) for _ in grid]
        stacked, _ = torch.func.stack_module_state(networks)
        self.parameters = [jnp.asarray(values.detach().numpy()) for values in stacked.values()]
        self.averages = [jnp.zeros_like(p) for p in self.parameters], [jnp.zeros_like(p) for p in self.parameters]
        self.count = 0

        def loss(parameters, rows):
            hidden = x[rows]
            for place in range(0, len(parameters), 2):
                hidden = hidden @ parameters[place].T + parameters[place + 1]
                hidden = jax.nn.relu(hidden) if place + 2 < len(parameters) else hidden
            chosen = jnp.take_along_axis(jax.nn.log_softmax(hidden), y[rows][:, None], 1)
            return -chosen.mean()

        def step(parameters, averages, rows, count):
            gradients = jax.vmap(jax.grad(loss))(parameters, rows)
            means = [0.9 * m + 0.1 * g for m, g in zip(averages[0], gradients, strict=True)]
            squares = [0.999 * v + 0.001 * g * g for v, g in zip(averages[1], gradients, strict=True)]
            first, second = 1 - 0.9**count, 1 - 0.999**count
            parameters = [
                p - LR * (m / first) / (jnp.sqrt(v / second) + 1e-8)
                for p, m, v in zip(parameters, means, squares, strict=True)
            ]
            return parameters, (means, squares)

        self.step = jax.jit(step, donate_argnums=(0, 1))

        def batches():
            while True:
                order = torch.stack([torch.randperm(len(inputs)) for _ in grid])
                yield from (rows.numpy() for rows in order.split(BATCH, dim=1))

        self.rows = batches()

    def seconds_per_step(self, count):
        def run():
            for _ in range(count):
                self.count += 1
                self.parameters, self.averages = self.step(
                    self.parameters, self.averages, next(self.rows), float(self.count)
                )
            self.parameters[0].block_until_ready()

        return timed(run) / count


PEERS = {**BUILD, "jax-vmap": JaxVmap, "parallel-mlps": ParallelMLPs}


def measure(networks, rounds, budget, points=20, steps=16_000):
    """The rows of the table; every round goes through all numbers of networks and methods."""
    data = load("mnist1d")
    inputs, labels = torch.tensor(data.train_inputs), torch.tensor(data.train_labels)
    methods = [m for m in PEERS if m != "jax-vmap" or importlib.util.find_spec("jax")]
    times, probes, peaks = {}, {}, []
    for count in networks:  # one number of networks at a time: thousands fill the memory
        runners = {m: PEERS[m]([SIZES] * count, inputs, labels) for m in methods if fits(m, count)}
        counts = {}
        for method, runner in runners.items():
            runner.seconds_per_step(2)
            counts[method] = max(2, min(200, int(budget / runner.seconds_per_step(2))))
        for _ in range(rounds):
            peaks.append(peak(budget))
            for method, runner in runners.items():
                times.setdefault((count, method), []).append(runner.seconds_per_step(counts[method]))
                if hasattr(runner, "probe"):
                    seconds = timed(lambda r=runner: r.probe(1000))
                    probes.setdefault((count, method), []).append(seconds * points / steps)
        print(f"{count} networks", file=sys.stderr)
    top = statistics.median(peaks)
    print(f"peak of a large product: {top / 1e9:.0f} G multiply-adds/s", file=sys.stderr)
    rows = []
    for (count, method), seconds in times.items():
        step, probe = statistics.median(seconds), statistics.median(probes.get((count, method), [0]))
        rows.append(
            {
                "networks": count,
                "method": method,
                "steps a second": round(count / step, 1),
                "with probes": round(count / (step + probe), 1) if probe else "",
                "share of peak": round(count * multiply_adds(SIZES) / step / top, 4),
            }
        )
    return rows


def fits(method, count):
    """Whether a method's memory for so many networks is within reason."""
    return method != "parallel-mlps" or count <= MOST_SCATTERED


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON alone")
    parser.add_argument("--csv", action="store_true", help="print the rows as CSV alone")
    parser.add_argument("--networks", type=int, nargs="*", default=NETWORKS, help="how many (1 to 4096, fourfold)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all methods (3)")
    parser.add_argument("--budget", type=float, default=0.2, help="seconds for a method in a round (0.2)")
    parser.add_argument("--threads", type=int, default=1, help="threads (1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = measure(arguments.networks, arguments.rounds, arguments.budget)
    if arguments.json:
        json.dump(rows, sys.stdout, indent=1)
        print()
    elif arguments.csv:
        table = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    else:
        print(f"{'networks':>9} {'method':<20}{'networks x steps/s':>20}{'with probes':>13}{'of peak':>9}")
        for row in rows:
            print(
                f"{row['networks']:>9} {row['method']:<20}{row['steps a second']:>20,.0f}"
                f"{row['with probes'] or 0:>13,.0f}{row['share of peak']:>9.3f}"
            )


if __name__ == "__main__":
    main()
