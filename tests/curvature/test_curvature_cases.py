"""Hessians of the cases that others' suites have, whole and in batches, against double backward passes in float64."""

import functools
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from genbook.curvature import Hessian
from genbook.gradients import Refused
from genbook.models import mlp, stack
from tests.cases import CASES, CHUNK, WEIGHTS, called

EXACT = {"rtol": 1e-10, "atol": 1e-12}
curved = [pytest.param(c, id=c.name) for c in CASES if c.curved and not c.refused and not c.limit]


def product(model, loss, x, y, vector):
    """H v by two backward passes over the model's own parameters."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    pieces = [v.view_as(p) for v, p in zip(vector.split([p.numel() for p in parameters]), parameters, strict=True)]
    with sdpa_kernel(SDPBackend.MATH):
        value = loss(called(model, x), y)
    gradients = torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True, materialize_grads=True)
    along = sum((g * v).sum() for g, v in zip(gradients, pieces, strict=True))
    found = torch.autograd.grad(along, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in found])


@pytest.mark.parametrize("case", curved)
def test_products(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, loss, x, y = case.drawn()
        whole = Hessian(model, loss, x, y)
        vector = torch.randn(whole.point.shape, dtype=torch.float64)
        expected = product(model, loss, x, y, vector[0])
        torch.testing.assert_close((whole @ vector)[0], expected, **EXACT)
        parts = Hessian(model, loss, x, y, batch_size=CHUNK + 1)
        torch.testing.assert_close((parts @ vector)[0], expected, **EXACT)


IGNORING = functools.partial(functional.cross_entropy, ignore_index=1)
LOSSES = {
    "mean": nn.CrossEntropyLoss(),
    "sum": nn.CrossEntropyLoss(reduction="sum"),
    "class weights": nn.CrossEntropyLoss(WEIGHTS),
    "ignored": nn.CrossEntropyLoss(ignore_index=1),
    "ignored, class weights": nn.CrossEntropyLoss(WEIGHTS, ignore_index=1),
    "ignored by a function": IGNORING,
    "a sum of one's own": lambda o, t: functional.cross_entropy(o, t, reduction="sum"),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("replicas", [None, 3])
def test_batches_weigh_what_the_loss_says(loss, replicas):
    draw = torch.Generator().manual_seed(0)
    models = [mlp((4, 3, 3), "tanh").double() for _ in range(replicas or 1)]
    shape = (11,) if replicas is None else (replicas, 11)
    x, y = torch.randn(*shape, 4, dtype=torch.float64, generator=draw), torch.randint(0, 3, shape, generator=draw)
    y[..., :4] = 1  # a batch of which nothing counts, where this class is ignored
    model = models[0] if replicas is None else stack(models)
    whole, parts = (Hessian(model, LOSSES[loss], x, y, batch_size) for batch_size in (None, 4))
    torch.testing.assert_close(parts.dense(), whole.dense(), **EXACT)


def test_what_has_no_common_hessian_is_refused():
    x, y = torch.randn(10, 4, dtype=torch.float64), torch.randint(0, 3, (10,))
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)).double()
    with pytest.raises(Refused, match="another output in another batch, as BatchNorm does"):
        Hessian(model, nn.CrossEntropyLoss(), x, y, batch_size=4)
    Hessian(model, nn.CrossEntropyLoss(), x, y)
    plain = mlp((4, 3, 3), "tanh").double()
    with pytest.raises(Refused, match="do not add up to the loss of all examples"):
        Hessian(plain, lambda o, t: (o @ o.T).logsumexp(1).mean(), x, y, batch_size=4)
    dropping = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3)).double()
    with pytest.raises(Refused, match=r"1 \(Dropout\) that draws random numbers.*a Hessian is of one network"):
        Hessian(dropping, nn.CrossEntropyLoss(), x, y)
    Hessian(dropping.eval(), nn.CrossEntropyLoss(), x, y)


def test_what_pytorch_cannot_do_is_refused():
    x, y = torch.randint(0, 9, (10, 4)), torch.randint(0, 3, (10,))
    model = nn.Sequential(nn.EmbeddingBag(9, 3), nn.Tanh())
    hessian = Hessian(model, nn.CrossEntropyLoss(), x, y)
    with pytest.raises(Refused, match="no second derivative of a part of the model"):
        hessian @ torch.ones_like(hessian.point)
    with pytest.raises(Refused, match="model is a DataParallel, which takes no other parameters"):
        Hessian(nn.DataParallel(model), nn.CrossEntropyLoss(), x, y)


def test_what_is_no_module_or_tensor_is_refused():
    x, y = torch.randn(10, 4), torch.randint(0, 3, (10,))
    with pytest.raises(TypeError, match=r"model is function; it must be a torch\.nn\.Module"):
        Hessian(lambda x: x, nn.CrossEntropyLoss(), x, y)
    with pytest.raises(TypeError, match=r"inputs\['x'\] is ndarray; it must be a tensor"):
        Hessian(mlp((4, 3)), nn.CrossEntropyLoss(), {"x": x.numpy()}, y)
