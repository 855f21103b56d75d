"""What is refused, and how it is said."""

import pytest
import torch
from torch import nn

from genbook.gradients import coherence, el2n, gradient_norms, gram
from genbook.models import mlp, stack

LOSS = nn.CrossEntropyLoss()


def problem(m=6):
    return mlp((4, 5, 3)), LOSS, torch.randn(m, 4), torch.randint(0, 3, (m,))


@pytest.mark.parametrize("function", [coherence, gram, gradient_norms])
class TestEveryFunction:
    def test_empty_batch(self, function):
        with pytest.raises(ValueError, match="inputs are empty"):
            function(*problem(0))

    def test_lengths_that_differ(self, function):
        model, loss, x, y = problem()
        with pytest.raises(ValueError, match=r"inputs \(6, 4\) and targets \(5,\) must begin alike"):
            function(model, loss, x, y[:5])

    def test_nan_in_the_inputs(self, function):
        model, loss, x, y = problem()
        x[3, 1] = torch.nan
        with pytest.raises(ValueError, match="the loss of example 3 is not finite"):
            function(model, loss, x, y)

    def test_infinite_gradients_of_finite_losses(self, function):
        model = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(model.weight)
        x = torch.ones(4, 2)
        x[2] = 1e30
        with pytest.raises(ValueError, match="the gradient of example 2 is not finite"):
            function(model, nn.MSELoss(), x, torch.ones(4, 1))

    def test_integers_into_a_dense_layer(self, function):
        model, loss, x, y = problem()
        with pytest.raises(TypeError, match=r"inputs reach the layer 0 \(Linear\) as torch\.int64"):
            function(model, loss, x.long(), y)

    def test_batch_norm_in_training_mode(self, function):
        model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))
        with pytest.raises(ValueError, match=r"model has 1 \(BatchNorm1d\) in training mode.*not defined.*model.eval"):
            function(model, *problem()[1:])

    def test_batch_norm_without_running_statistics(self, function):
        model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3)).eval()
        with pytest.raises(ValueError, match="without running statistics"):
            function(model, *problem()[1:])

    def test_dropout_in_training_mode(self, function):
        model = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.1), nn.Linear(5, 3))
        with pytest.raises(ValueError, match=r"model has 1 \(Dropout\) in training mode"):
            function(model, *problem()[1:])
        function(model.eval(), *problem()[1:])

    def test_nothing_to_train(self, function):
        model, *rest = problem()
        with pytest.raises(ValueError, match="no parameter that requires a gradient"):
            function(model.requires_grad_(False), *rest)

    def test_not_a_module(self, function):
        with pytest.raises(TypeError, match=r"model is function; it must be a torch\.nn\.Module"):
            function(lambda x: x, *problem()[1:])

    def test_inputs_that_are_no_tensor(self, function):
        model, loss, x, y = problem()
        with pytest.raises(TypeError, match="inputs is ndarray; it must be a tensor, a tuple of several arguments"):
            function(model, loss, x.numpy(), y)

    def test_a_model_that_loses_the_batch(self, function):
        class Mean(nn.Module):
            def __init__(self):
                super().__init__()
                self.dense = nn.Linear(4, 3)

            def forward(self, x):
                return self.dense(x).mean(0)

        with pytest.raises(ValueError, match=r"model returned \(3,\) for inputs \(6, 4\)"):
            function(Mean(), *problem()[1:])

    def test_a_stack_needs_its_replicas(self, function):
        model, loss, x, y = problem()
        stacked = stack([model] * 2)
        with pytest.raises(ValueError, match=r"inputs have 6 replicas, the model 2; .*expand"):
            function(stacked, loss, x.view(6, 1, 4), y.view(6, 1))
        with pytest.raises(ValueError, match="must begin alike, with the 2 replicas and the number of examples"):
            function(stacked, loss, x, y)


@pytest.mark.parametrize("size", [0, -2, 1.5])
def test_chunk_size(size):
    with pytest.raises(ValueError, match="chunk_size is"):
        coherence(*problem(), chunk_size=size)


@pytest.mark.parametrize(
    ("groups", "names", "error", "message"),
    [
        ([0, 1], None, ValueError, r"groups have the shape \[2\]; they need one label per example, \[6\]"),
        (torch.zeros(6), None, TypeError, "groups hold float32; labels are booleans, integers"),
        ([0, 1, 0, 1, 0, -1], None, ValueError, "groups hold the label -1"),
        ([0, 1, 2, 1, 0, 1], ("a", "b"), ValueError, "group_names has 2 names, but groups hold labels up to 2"),
        (list("ababac"), ("a", "b"), ValueError, r"groups has the labels \['c'\], which are not in group_names"),
        (None, ("a", "b"), ValueError, "group_names are given without groups"),
    ],
)
def test_groups(groups, names, error, message):
    with pytest.raises(error, match=message):
        coherence(*problem(), groups=groups, group_names=names)


def test_el2n_needs_classes():
    model, _, x, y = problem()
    with pytest.raises(TypeError, match="EL2N needs class indices"):
        el2n(model, x, y.float())
    with pytest.raises(ValueError, match="one row of logits per example"):
        el2n(nn.Unflatten(1, (2, 2)), x, y)


def test_not_finite_values_may_stay():
    model, loss, x, y = problem()
    x[3] = torch.inf
    c = coherence(model, loss, x, y, allow_nonfinite=True)
    assert c.m_coherence.isnan()
    assert c.norms.isfinite().sum() == 5
    torch.testing.assert_close(gradient_norms(model, loss, x, y, allow_nonfinite=True), c.norms, equal_nan=True)
