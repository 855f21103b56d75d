"""On a pretended accelerator: studies and public functions give the CPU's numbers, and a step costs what it may.

Run by `tests/test_accelerator.py`, in a process of its own: PyTorch knows the pretended device until its process ends.
"""

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models, studies
from genbook.curvature import Hessian, top_eigenpairs
from genbook.gradients import coherence, gradient_norms, gram
from genbook.probes import Every, GradientCoherence
from genbook.training import SGD, Adam, Augmentation, Average, Examples, Recipe, Replica, programs, train
from genbook.training.transfer import Answer
from tests.accelerator import DEVICE, Accelerator, settings_that_differ

#: One study of each way to compute: the written engine, probes of a study's own, curvature.
SAMPLE = ("sample_descent", "coherence_laws", "edge_of_stability")


@pytest.mark.parametrize("name", SAMPLE)
def test_a_study_gives_the_tables_of_the_cpu(name):
    assert settings_that_differ(studies.get(name), only=("discovery",)) == []


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.LayerNorm(48), nn.Linear(48, 4)).double()


def batch():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(9, 1, 6, 6, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(4, (9,), generator=generator)


FUNCTIONS = {
    "coherence": lambda *of: coherence(*of).alignments,
    "coherence in chunks": lambda *of: coherence(*of, chunk_size=4).m_coherence,
    "gram": lambda *of: gram(*of).matrix,
    "norms": gradient_norms,
    "hessian": lambda *of: Hessian(*of) @ torch.ones(1, Hessian(*of).size, dtype=torch.float64, device=of[2].device),
    "eigenvalues": lambda *of: top_eigenpairs(Hessian(*of), 2).values,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_gives_the_numbers_of_the_cpu(name):
    model, (inputs, labels) = network(), batch()
    expected = FUNCTIONS[name](model, nn.CrossEntropyLoss(), inputs, labels)
    with Accelerator():
        found = FUNCTIONS[name](model.to(DEVICE), nn.CrossEntropyLoss(), inputs.to(DEVICE), labels.to(DEVICE)).cpu()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("hessian", "eigenvalues")])
def test_examples_come_to_the_device_of_the_model(name):
    model, (inputs, labels) = network(), batch()
    expected = FUNCTIONS[name](model, nn.CrossEntropyLoss(), inputs, labels)
    loader = [(inputs[:5], labels[:5]), (inputs[5:], labels[5:])]
    groups = labels % 2
    by_group = coherence(model, nn.CrossEntropyLoss(), inputs, labels, groups=groups).groups.between
    with Accelerator():
        model = model.to(DEVICE)
        for data in ((inputs, labels), (loader,)):
            found = FUNCTIONS[name](model, nn.CrossEntropyLoss(), *data).cpu()
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
            found = coherence(model, nn.CrossEntropyLoss(), *data, groups=groups).groups.between.cpu()
            torch.testing.assert_close(found, by_group, rtol=1e-12, atol=1e-14)


def grid(rates=(0.1,) * 4, sizes=(5, 8, 8, 3), steps=10, **recipe):
    generator = torch.Generator().manual_seed(0)
    data = {"train": Examples(torch.randn(24, 5, generator=generator), torch.randint(3, (24,), generator=generator))}
    optimiser = recipe.pop("optimiser", SGD)
    made = [Recipe(steps, optimiser(rate), 7, **recipe) for rate in rates]
    return [Replica(seed, models.mlp(sizes), one, data) for seed, one in enumerate(made)]


def of_a_step(**settings):
    """Launches and waits of one step: what twenty steps more cost, divided by twenty."""
    counts = []
    for steps in (20, 40):
        with Accelerator() as counted:
            train(grid(steps=steps, **settings), device=str(DEVICE))
        counts.append((counted.launches.total(), counted.waits.total()))
    return [(more - less) / 20 for less, more in zip(*counts, strict=True)]


RATES = (0.05, 0.1, 0.15, 0.2, 0.25)


@pytest.mark.parametrize(
    ("settings", "launches"),
    [
        ({}, 23),
        ({"sizes": (5, 8, 3)}, 19),
        ({"optimiser": Adam}, 24),
        ({"rates": RATES}, 23),
        ({"rates": RATES, "optimiser": lambda lr: SGD(lr, momentum=0.9, weight_decay=lr)}, 26),
        ({"rates": RATES, "optimiser": Adam}, 26),
        ({"average": Average("winsorised", 1), "sizes": (5, 8, 3)}, 34),
    ],
    ids=["MLP", "one hidden layer", "Adam", "five rates", "five rates, momentum", "five rates, Adam", "winsorised"],
)
def test_a_step_launches_no_more_than_it_may_and_waits_for_nothing(settings, launches):
    found = of_a_step(**settings)
    assert found[0] <= launches
    assert found[1] == 0


@pytest.mark.parametrize(
    "planted", [lambda tensor: tensor.sum().item(), lambda tensor: tensor.cpu()], ids=["item", "cpu"]
)
def test_a_wait_that_is_planted_in_a_step_is_counted(planted, monkeypatch):
    compute, usual = programs.WrittenProgram.compute_gradient, of_a_step()

    def waiting(program, batches, step):
        compute(program, batches, step)
        planted(program.gradient)

    monkeypatch.setattr(programs.WrittenProgram, "compute_gradient", waiting)
    assert of_a_step()[1] == usual[1] + 1


def test_an_answer_that_is_read_at_once_is_a_wait():
    with Accelerator() as counted:
        number = torch.ones((), device=DEVICE)
        first = Answer(number)
        number.add_(1)
        assert first.read() == 1.0
        assert counted.waits.total() == 0
        assert Answer(number).read() == 2.0
        assert counted.waits.total() == 1


@pytest.mark.parametrize("settings", [{"average": Average("winsorised", 1)}, {"rates": RATES}, {"rates": (0.1, 1e12)}])
def test_a_grid_trains_to_the_networks_of_the_cpu(settings):
    grid_of = {"steps": 50, "loss": "squared", **settings}
    expected = train(grid(**grid_of))
    with Accelerator():
        found = train(grid(**grid_of), device=str(DEVICE))
    assert found.endings.diverged_step.equals(expected.endings.diverged_step)
    for theirs, ours in zip(expected.states, found.states, strict=True):
        for key, value in theirs.items():
            torch.testing.assert_close(ours[key], value, rtol=1e-5, atol=1e-6)


def test_examples_may_lie_on_the_device_already():
    expected = train(grid())
    with Accelerator():
        replicas = grid()
        data = {"train": Examples(*(part.to(DEVICE) for part in batch_of(replicas[0])))}
        found = train([Replica(r.seed, r.model, r.recipe, data) for r in replicas], device=str(DEVICE))
    for key, value in expected.states[0].items():
        torch.testing.assert_close(found.states[0][key].cpu(), value, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["cnn", "cnn1d"])
def test_convolutional_networks_train_and_are_measured_as_on_the_cpu(name):
    generator = torch.Generator().manual_seed(0)
    model = models.small_cnn(1, 2, 3, image=8) if name == "cnn" else models.cnn1d(1, 3, 3, length=16)
    model = nn.Sequential(*model[:-1], models.Dropout(0.3), model[-1])
    inputs = torch.randn(24, *((1, 8, 8) if name == "cnn" else (1, 16)), generator=generator, dtype=torch.float64)
    data = {"train": Examples(inputs, torch.randint(3, (24,), generator=generator))}
    augmentation = Augmentation(1, flip=True) if name == "cnn" else None
    recipe = Recipe(10, SGD(0.1), 7, augmentation=augmentation)
    replicas = [Replica(seed, model, recipe, data) for seed in range(3)]
    probes = [GradientCoherence(at=Every(5))]
    expected = train(replicas, probes)
    with Accelerator():
        found = train(replicas, probes, device=str(DEVICE))
    np.testing.assert_allclose(found.table.value, expected.table.value, rtol=1e-10)
    for key, value in expected.states[2].items():
        torch.testing.assert_close(found.states[2][key].cpu(), value, rtol=1e-10, atol=1e-12)


def batch_of(replica):
    return replica.data["train"].inputs, replica.data["train"].labels


def test_devices_are_not_mixed_and_the_line_is_named():
    with Accelerator() as counted:
        there = torch.ones(3, device=DEVICE)
        with pytest.raises(RuntimeError, match=r"tensors on elsewhere:0 and on cpu, of shape \(3,\)"):
            there + torch.ones(3)
        before = counted.launches.total(), counted.waits.total()
        assert there.view(3, 1).T.shape == (1, 3), "a view is no launch"
        assert (counted.launches.total(), counted.waits.total()) == before
        assert (there * 2).sum().item() == 6.0
        assert counted.waits.total() == before[1] + 1
        assert there[[0, 2]].tolist() == [1.0, 1.0]
