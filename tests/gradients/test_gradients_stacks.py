"""A stack of replicas against its replicas one by one, and against one backward pass per example."""

import pytest
import torch
from per_example import flat, gradients
from torch import Tensor, nn

from genbook import gradients as lens
from genbook.models import mlp, resnet18, small_cnn, stack

R, M = 3, 9
EXACT = {"rtol": 1e-10, "atol": 1e-12}


class Sentences(nn.Module):
    """Embedding, LayerNorm, dense layer on a sequence, convolution over time."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4, padding_idx=0)
        self.norm = nn.LayerNorm(4)
        self.dense = nn.Linear(4, 4)
        self.conv = nn.Conv1d(4, 4, 2)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.dense(self.norm(self.embed(tokens))).mT
        return self.head(
            nn.functional.pad(self.conv(hidden).relu(), (1, 0)).mT.sum(-2)[..., :3] @ torch.ones(3, 4).double()
        )


class Normalised(nn.Module):
    """BatchNorm in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.norm(self.first(inputs)).relu())


NETWORKS = {
    "mlp": (lambda: mlp((5, 6, 6, 3)), (5,)),
    "mlp without bias": (lambda: mlp((5, 6, 3), "tanh", bias=False), (5,)),
    "cnn": (lambda: small_cnn(1, 2, 3, 8), (1, 8, 8)),
    "resnet": (lambda: resnet18(2, 3), (3, 32, 32)),
    "sentences": (Sentences, None),
    "batch norm": (Normalised, (5,)),
    "ghost batches": (lambda: mlp((5, 6, 6, 3), norm="batch", ghost=4), (5,)),
}


def problem(network, shape, shared=False):
    torch.manual_seed(1)
    models = [network().double().eval() for _ in range(R)]
    lead = (1 if shared else R, M)
    x = torch.randint(0, 7, (*lead, 5)) if shape is None else torch.randn(*lead, *shape, dtype=torch.float64)
    return models, stack(models).eval(), x.expand(R, *x.shape[1:]), torch.randint(0, 3, (R, M))


@pytest.mark.parametrize(("case", "shared"), [*((case, False) for case in NETWORKS), ("mlp", True), ("cnn", True)])
def test_stack_equals_its_replicas(case, shared):
    network, shape = NETWORKS[case]
    models, stacked, x, y = problem(network, shape, shared)
    loss = nn.CrossEntropyLoss()
    for chunk_size in (None, 4):
        together = lens.coherence(stacked, loss, x, y, chunk_size=chunk_size)
        for r, model in enumerate(models):
            g = flat(gradients(model, loss, x[r], y[r]))
            torch.testing.assert_close(together.norms[r], g.norm(dim=1), **EXACT)
            torch.testing.assert_close(together.alignments[r], g @ g.mean(0), **EXACT)
            torch.testing.assert_close(together.m_coherence[r], g.sum(0).square().sum() / g.square().sum(), **EXACT)
    gram = lens.gram(stacked, loss, x, y)
    torch.testing.assert_close(gram.matrix[R - 1], g @ g.T, **EXACT)


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_groups_of_a_stack(sizes, chunk_size):
    models, stacked, x, y = problem(*NETWORKS["mlp"])
    if sizes == "equal":
        groups = torch.stack([torch.randperm(M) % 3 for _ in range(R)])
    else:
        groups = torch.tensor([[0, 1, 2, 0, 1, 2, 0, 1, 2], [2, 2, 2, 2, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0, 0]])
    names = ("easy", "middling", "hard")
    together = lens.coherence(
        stacked, nn.CrossEntropyLoss(), x, y, groups=groups, group_names=names, chunk_size=chunk_size
    )
    for r, model in enumerate(models):
        alone = lens.coherence(model, nn.CrossEntropyLoss(), x[r], y[r], groups=groups[r], group_names=names)
        for quantity in ("m_coherence", "off_diagonal", "between", "cosines", "descent_fraction", "squared_norm_share"):
            torch.testing.assert_close(
                getattr(together.groups, quantity)[r], getattr(alone.groups, quantity), **EXACT, equal_nan=True
            )
        torch.testing.assert_close(together.norms[r], alone.norms, **EXACT)
        torch.testing.assert_close(together.alignments[r], alone.alignments, **EXACT)
        torch.testing.assert_close(together.losses[r], alone.losses, **EXACT)


@pytest.mark.parametrize(
    "make",
    [lens.Mean, lens.MedianOfMeans, lambda: lens.Winsorized(2), lambda: lens.Clipped(0.3)],
    ids=["mean", "median of means", "winsorized", "clipped"],
)
@pytest.mark.parametrize("case", ["mlp", "sentences"])
def test_averages_of_a_stack(make, case):
    models, stacked, x, y = problem(*NETWORKS[case])
    loss = nn.CrossEntropyLoss()
    losses = make().backward(stacked, loss, x, y)
    for r, model in enumerate(models):
        alone = make().backward(model, loss, x[r], y[r])
        torch.testing.assert_close(losses[r], alone, **EXACT)
        for (name, whole), single in zip(stacked.named_parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(whole.grad[r], single.grad, **EXACT, msg=name)


def test_a_diverged_replica_leaves_the_others_alone():
    _, stacked, x, y = problem(*NETWORKS["mlp"])
    expected = lens.coherence(stacked, nn.CrossEntropyLoss(), x, y).m_coherence
    with torch.no_grad():
        stacked[0].weight[1] = torch.inf
    with pytest.raises(ValueError, match="loss of replica 1, example 0 is not finite"):
        lens.coherence(stacked, nn.CrossEntropyLoss(), x, y)
    c = lens.coherence(stacked, nn.CrossEntropyLoss(), x, y, allow_nonfinite=True)
    assert c.m_coherence[1].isnan()
    assert c.m_coherence[[0, 2]].equal(expected[[0, 2]])


def test_scores_of_a_stack_are_means_over_its_replicas():
    models, stacked, x, y = problem(*NETWORKS["mlp"], shared=True)
    labels = y[:1].expand(R, M)
    loss = nn.CrossEntropyLoss()
    norms = torch.stack([flat(gradients(model, loss, x[0], y[0])).norm(dim=1) for model in models])
    torch.testing.assert_close(lens.grand(stacked, loss, x, labels), norms.mean(0), **EXACT)
    torch.testing.assert_close(lens.gradient_norms(stacked, loss, x, labels, chunk_size=4), norms, **EXACT)
    with torch.no_grad():
        errors = torch.stack([model(x[0]).softmax(-1) - nn.functional.one_hot(y[0], 3) for model in models])
    torch.testing.assert_close(lens.el2n(stacked, x, labels, chunk_size=4), errors.norm(dim=-1).mean(0), **EXACT)
    torch.testing.assert_close(lens.el2n(models[0], x[0], y[0]), errors[0].norm(dim=-1), **EXACT)


def test_a_parameter_outside_of_the_stacked_layers_is_refused():
    class Reusing(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(4, 4)

        def forward(self, inputs):
            return self.dense(inputs) @ self.dense.weight

    stacked = stack([Reusing(), Reusing()])
    with pytest.raises(ValueError, match=r"model uses dense\.weight outside of its stacked layers"):
        lens.coherence(stacked, nn.CrossEntropyLoss(), torch.randn(2, 5, 4), torch.zeros(2, 5, dtype=torch.long))
