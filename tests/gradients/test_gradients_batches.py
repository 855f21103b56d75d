"""An iterable of batches gives what all of its examples at once give, in the order in which it gives them first."""

import pytest
import torch
from per_example import flat, gradients
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from genbook.gradients import (
    Refused,
    Shared,
    coherence,
    el2n,
    gradient_norms,
    gram,
    grand,
    signal_to_noise,
)
from genbook.models import mlp, stack
from tests.cases import Both, Sentences, padded

LOSS = nn.CrossEntropyLoss()
EXACT = {"rtol": 1e-10, "atol": 1e-12}
M = 11


def problem(m=M):
    torch.manual_seed(0)
    return mlp((4, 6, 3)).double(), torch.randn(m, 4, dtype=torch.float64), torch.randint(0, 3, (m,))


def in_order(model, seen):
    """The gradients in the order of the batches that were given first."""
    x, y = (torch.cat(column) for column in zip(*seen, strict=True))
    return flat(gradients(model, LOSS, x, y))


class Seen:
    """Batches, and those that have been given."""

    def __init__(self, loader):
        self.loader, self.given = loader, []

    def __iter__(self):
        for batch in self.loader:
            self.given.append(batch)
            yield batch


@pytest.mark.parametrize("chunk_size", [None, 3])
def test_a_loader_gives_what_all_examples_give(chunk_size):
    model, x, y = problem()
    loader = DataLoader(TensorDataset(x, y), batch_size=4)
    whole, c = coherence(model, LOSS, x, y), coherence(model, LOSS, loader, chunk_size=chunk_size)
    for name in ("m_coherence", "norms", "alignments", "cosines", "losses", "off_diagonal"):
        torch.testing.assert_close(getattr(c, name), getattr(whole, name), **EXACT)
    assert c.m == M
    assert c.layers.keys() == whole.layers.keys()
    torch.testing.assert_close(c.layers["2"].m_coherence, whole.layers["2"].m_coherence, **EXACT)
    expected = gram(model, LOSS, x, y, layers=True)
    found = gram(model, LOSS, loader, layers=True)
    torch.testing.assert_close(found.matrix, expected.matrix, **EXACT)
    torch.testing.assert_close(found.by_layer["2"], expected.by_layer["2"], **EXACT)
    for function in (gradient_norms, grand, signal_to_noise):
        torch.testing.assert_close(
            function(model, LOSS, loader, chunk_size=chunk_size), function(model, LOSS, x, y), **EXACT
        )
    torch.testing.assert_close(el2n(model, loader), el2n(model, x, y), **EXACT)


def test_a_loader_that_shuffles_keeps_its_first_order():
    model, x, y = problem()
    before = torch.get_rng_state()
    for generator in (None, torch.Generator().manual_seed(3)):
        loader = Seen(DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True, generator=generator))
        loader.generator = generator
        c = coherence(model, LOSS, loader)
        assert len(loader.given) == 6  # twice
        g = in_order(model, loader.given[:3])
        torch.testing.assert_close(c.norms, g.norm(dim=1), **EXACT)
        torch.testing.assert_close(c.alignments, g @ g.mean(0), **EXACT)
        coherence(model, LOSS, DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True, generator=generator))
    # The stream of random numbers goes on as after one pass.
    after = torch.get_rng_state()
    torch.set_rng_state(before)
    list(DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True))
    list(DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True))
    list(DataLoader(TensorDataset(x, y), batch_size=4, generator=generator))
    assert torch.get_rng_state().equal(after)


class Noisy(Dataset):
    """Images that are drawn anew whenever they are asked for."""

    def __init__(self, x, y, draw):
        self.x, self.y, self.draw = x, y, draw

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i] + self.draw(), self.y[i]


def test_augmentation_repeats_itself_or_is_refused():
    model, x, y = problem()
    loader = Seen(DataLoader(Noisy(x, y, lambda: torch.randn(4, dtype=torch.float64)), batch_size=4))
    c = coherence(model, LOSS, loader)
    g = in_order(model, loader.given[:3])
    torch.testing.assert_close(c.alignments, g @ g.mean(0), **EXACT)

    own = torch.Generator().manual_seed(0)
    other = DataLoader(Noisy(x, y, lambda: torch.randn(4, dtype=torch.float64, generator=own)), batch_size=4)
    with pytest.raises(Refused, match=r"inputs \(DataLoader\) give other examples, or in another order"):
        coherence(model, LOSS, other)
    coherence(model, LOSS, other, alignments=False)
    gradient_norms(model, LOSS, other)


def test_fewer_batches_the_second_time_are_refused():
    model, x, y = problem()

    class Fewer:
        left = 3

        def __iter__(self):
            self.left -= 1
            return iter([(x, y)] * self.left)

    with pytest.raises(Refused, match=r"inputs \(Fewer\) give other examples"):
        coherence(model, LOSS, Fewer())


def test_what_gives_its_batches_once():
    model, x, y = problem()
    halves = lambda: iter([(x[:7], y[:7]), (x[7:], y[7:])])  # noqa: E731
    with pytest.raises(ValueError, match=r"list_iterator, an iterator that gives its batches once, and alignments"):
        coherence(model, LOSS, halves())
    expected = coherence(model, LOSS, x, y)
    once = coherence(model, LOSS, halves(), alignments=False)
    torch.testing.assert_close(once.m_coherence, expected.m_coherence, **EXACT)
    torch.testing.assert_close(gradient_norms(model, LOSS, halves()), expected.norms, **EXACT)


def test_groups_over_batches():
    model, x, y = problem()
    labels = ["b", "a", "b", "b", "c", "a", "a", "b", "b", "b", "b"]  # a batch without a "c", and without an "a"
    loader = [(x[rows], y[rows]) for rows in (slice(0, 4), slice(4, 7), slice(7, M))]
    whole, c = (coherence(model, LOSS, *data, groups=labels) for data in ((x, y), (loader,)))
    for name in ("between", "off_diagonal", "descent_fraction", "squared_norm_share", "counts"):
        torch.testing.assert_close(getattr(c.groups, name), getattr(whole.groups, name), **EXACT)
    torch.testing.assert_close(c.alignments, whole.alignments, **EXACT)
    torch.testing.assert_close(c.norms, whole.norms, **EXACT)
    for wrong in (labels[:-1], labels[:4], [*labels, "a"]):
        with pytest.raises(ValueError, match="they need one label per example"):
            coherence(model, LOSS, loader, groups=wrong)


def test_one_group_alone():
    model, x, y = problem()
    c = coherence(model, LOSS, x, y, groups=torch.zeros(M, dtype=torch.long))
    torch.testing.assert_close(c.groups.between, c.off_diagonal.view(1, 1), **EXACT)


def test_a_stack_over_batches():
    models = [problem()[0] for _ in range(2)]
    _, x, y = problem()
    inputs, targets = x.expand(2, M, 4), torch.stack([y, (y + 1) % 3])
    loader = [(inputs[:, rows], targets[:, rows]) for rows in (slice(0, 6), slice(6, M))]
    for groups in (None, torch.stack([y == 0, y == 1])):
        whole, c = (coherence(stack(models), LOSS, *data, groups=groups) for data in ((inputs, targets), (loader,)))
        torch.testing.assert_close(c.alignments, whole.alignments, **EXACT)
        torch.testing.assert_close(c.m_coherence, whole.m_coherence, **EXACT)
    torch.testing.assert_close(
        gram(stack(models), LOSS, loader).matrix, gram(stack(models), LOSS, inputs, targets).matrix, **EXACT
    )


def test_batches_padded_to_lengths_of_their_own():
    """Hugging Face's collators pad each batch to its longest sentence."""
    torch.manual_seed(0)
    model = Sentences()
    batches, rows = [], []
    for length in (3, 5, 6):
        inputs, y = padded(length=length)()
        batches.append({**inputs, "labels": y})
        rows.append(flat(gradients(model, LOSS, inputs, y)))
    g = torch.cat(rows)
    c = coherence(model, LOSS, batches)
    torch.testing.assert_close(c.alignments, g @ g.mean(0), **EXACT)
    torch.testing.assert_close(gram(model, LOSS, batches).matrix, g @ g.T, **EXACT)
    alone = coherence(model, LOSS, batches[1])
    torch.testing.assert_close(alone.norms, rows[1].norm(dim=1), **EXACT)


def test_a_parameter_that_a_batch_does_not_use():
    class Early(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 3)
            self.double()

        def forward(self, x):
            return self.first(x) if x.dim() == 2 else self.second(self.first(x).tanh()).mean(1)

    model, m = Early(), 4
    short = torch.randn(m, 4, dtype=torch.float64)
    loader = [(short, torch.arange(m) % 3), (torch.randn(m, 2, 4, dtype=torch.float64), torch.arange(m) % 3)]
    g = torch.cat([flat(gradients(model, LOSS, x, y)) for x, y in loader])
    torch.testing.assert_close(gram(model, LOSS, loader).matrix, g @ g.T, **EXACT)
    torch.testing.assert_close(coherence(model, LOSS, loader).alignments, g @ g.mean(0), **EXACT)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (torch.ones(3, 4), TypeError, "targets are missing, and inputs is Tensor"),
        (3, TypeError, "targets are missing, and inputs is int"),
        ([], ValueError, "inputs are empty"),
        ([torch.ones(3, 4)], TypeError, r"batch 0 is Tensor; it must be a pair \(inputs, targets\)"),
        ([(torch.ones(3, 4),) * 3], TypeError, "batch 0 has 3 parts; it must be a pair"),
        ([{"x": torch.ones(3, 4)}], TypeError, "batch 0 is a mapping without 'labels' but with 'x'"),
        ({"x": torch.ones(3, 4)}, TypeError, "inputs is a mapping without 'labels' but with 'x'"),
        ([(torch.ones(3, 4), [0, 1, 2])], TypeError, "targets is list; it must be a tensor"),
    ],
)
def test_what_is_no_batch(inputs, error, message):
    for function in (coherence, gradient_norms, gram):
        with pytest.raises(error, match=message):
            function(problem()[0], LOSS, inputs)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (
            {"x": torch.ones(6, 4), "z": torch.ones(1, 3)},
            ValueError,
            r"inputs\['z'\] \(1, 3\) and targets \(6,\) must begin alike.*what all examples share is given as Shared",
        ),
        ((torch.ones(6, 4), torch.ones(4, 3)), ValueError, r"inputs\[1\] \(4, 3\) and targets \(6,\)"),
        ({"x": torch.ones(6, 4), "z": [1.0]}, TypeError, r"inputs\['z'\] is list; it must be a tensor with a row"),
        ({"x": Shared(torch.ones(6, 4)), "z": None}, TypeError, "inputs hold no tensor with a row for each example"),
    ],
)
def test_arguments_that_do_not_fit(inputs, error, message):
    for function in (coherence, gradient_norms, gram):
        with pytest.raises(error, match=message):
            function(Both().float(), LOSS, inputs, torch.zeros(6, dtype=torch.long))
