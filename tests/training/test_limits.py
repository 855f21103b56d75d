"""Memory estimates and the progress bar."""

import pytest
import torch

from genbook import models
from genbook.training import SGD, Adam, Examples, Recipe, Replica, TrainingError, memory
from genbook.training.memory import data_bytes, free_bytes, refuse_too_many, replica_bytes

CPU = torch.device("cpu")


def replicas(count, optimiser, dtype=torch.float32, width=64):
    data = {"train": Examples(torch.zeros(100, 20, dtype=dtype), torch.zeros(100, dtype=torch.long))}
    recipe = Recipe(steps=1, batch_size=10, optimiser=optimiser)
    return [Replica(seed, models.mlp((20, width, 5)), recipe, data) for seed in range(count)]


def test_what_a_replica_holds_is_counted_layer_by_layer():
    weights = 20 * 64 + 64 + 64 * 5 + 5
    activations = 10 * (20 + 2 * (64 + 64 + 5))
    labels = 8 * 100 * 3  # the labels, and an epoch's batches with theirs
    for optimiser, states in ((SGD(0.1), 0), (SGD(0.1, momentum=0.9), 1), (Adam(0.1), 2)):
        assert replica_bytes(replicas(1, optimiser)[0]) == 4 * ((8 + 3 * states) * weights + activations) + labels
    assert replica_bytes(replicas(1, Adam(0.1), torch.float64)[0]) == 8 * (14 * weights + activations) + labels
    assert data_bytes(replicas(3, SGD(0.1))) == 4 * 100 * 20


def test_more_replicas_than_memory_holds_are_refused_with_the_size_of_a_shard():
    grid = replicas(8, Adam(0.1))
    each, shared = replica_bytes(grid[0]), data_bytes(grid)
    refuse_too_many(grid, CPU, free=8 * each + shared)
    with pytest.raises(TrainingError, match=r"8 replicas need about .* GiB .* shards of at most 4"):
        refuse_too_many(grid, CPU, free=int(4 * each / 0.9) + shared + 100)
    with pytest.raises(TrainingError, match="one alone does not fit"):
        refuse_too_many(grid, CPU, free=shared)
    refuse_too_many(grid, CPU)


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"meminfo": "MemTotal:  900 kB\nMemFree:  100 kB\nMemAvailable:  300 kB\n"}, 300 * 1024),
        ({"meminfo": "MemAvailable:  300 kB\n", "max": "max\n", "current": "5\n"}, 300 * 1024),
        ({"meminfo": "MemAvailable:  300 kB\n", "max": "200000\n", "current": "50000\n"}, 150_000),
        ({"meminfo": "MemAvailable:  100 kB\n", "max": "200000\n", "current": "50000\n"}, 100 * 1024),
        ({"max": "200000\n", "current": "50000\n"}, 150_000),
    ],
    ids=["unknown", "machine alone", "no limit", "limit is nearer", "machine is nearer", "limit alone"],
)
def test_free_memory_is_what_the_machine_has_within_the_limit_of_the_process(tmp_path, monkeypatch, files, free):
    where = {"meminfo": "proc/meminfo", "max": "sys/fs/cgroup/memory.max", "current": "sys/fs/cgroup/memory.current"}
    for name, content in files.items():
        file = tmp_path / where[name]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    monkeypatch.setattr(memory, "Path", lambda name: tmp_path / name.removeprefix("/"))
    assert free_bytes(CPU) == free


def test_a_grid_is_refused_where_this_machine_has_no_memory_for_it(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1)
    with pytest.raises(TrainingError, match=r"cpu has .* GiB free; one alone does not fit"):
        refuse_too_many(replicas(1, SGD(0.1)), CPU)
