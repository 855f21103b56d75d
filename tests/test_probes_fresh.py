"""Probes of coherence with fresh examples, against a backward pass for each example in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models
from genbook.gradients import alignments, coherence
from genbook.probes import AtEnd, Every, FreshCoherence, FreshScores, MeanLoss
from genbook.probes.scores import auc
from genbook.training import SGD, Examples, Recipe, Replica, train

LOSS = nn.functional.cross_entropy


def replicas(kind, steps=4, learning_rate=0.2, batch_size=None):
    """Two networks, each on a training set of its own with a third of the labels wrong, and fresh examples."""
    shape, model = ((5,), models.mlp((5, 4, 3), "tanh")) if kind == "mlp" else ((1, 6, 6), models.small_cnn(1, 2, 3, 6))
    made = []
    for seed in (0, 1):
        draw = torch.Generator().manual_seed(seed)
        inputs, fresh = (torch.randn(n, *shape, generator=draw, dtype=torch.float64) for n in (15, 8))
        true, other = (torch.randint(3, (n,), generator=draw) for n in (15, 8))
        given = torch.where(torch.arange(15) < 5, (true + 1) % 3, true)
        data = {
            "train": Examples(inputs, given, true, {"corrupted": given != true}),
            "held-out": Examples(fresh, other),
        }
        made.append(Replica(seed, model, Recipe(steps, SGD(learning_rate), batch_size), data))
    return made


def gradients(model, examples, count=None):
    """Per-example gradients [m, P], by one backward pass each."""
    found = []
    for x, y in zip(examples.inputs[:count], examples.labels[:count], strict=True):
        of = torch.autograd.grad(LOSS(model(x[None]), y[None]), list(model.parameters()))
        found.append(torch.cat([g.flatten() for g in of]))
    return torch.stack(found).detach()


def places(model):
    """By layer, which entries of the flat gradient are its own."""
    names, sizes = zip(*((n.rpartition(".")[0], p.numel()) for n, p in model.named_parameters()), strict=True)
    where = np.repeat(names, sizes)
    return {"all": torch.ones(len(where), dtype=torch.bool)} | {
        layer: torch.from_numpy(where == layer) for layer in dict.fromkeys(names)
    }


@pytest.mark.parametrize("examples", [None, 9])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_fresh_coherence_is_that_of_mean_gradients_of_single_examples(kind, examples):
    result = train(replicas(kind), [FreshCoherence(examples=examples, at=AtEnd())])
    for r, replica in enumerate(result.replicas):
        model = result.model(r)
        own, fresh = gradients(model, replica.data["train"], examples), gradients(model, replica.data["held-out"])
        told = result.table[result.table["replica"] == r].set_index(["quantity", "layer"])["value"]
        assert len(told) == 2 * len(places(model))
        for layer, mine in places(model).items():
            mean, other = own[:, mine].mean(0), fresh[:, mine].mean(0)
            assert told["fresh coherence", layer] == pytest.approx((other @ mean / (mean @ mean)).item(), rel=1e-9)
            cosine = torch.cosine_similarity(mean, other, dim=0).item()
            assert told["fresh cosine", layer] == pytest.approx(cosine, rel=1e-9)


def test_it_is_the_slope_of_fresh_loss_against_training_loss_in_small_steps():
    """dL'/dL under gradient flow, by the losses before and after one small step on all examples."""
    probes = [FreshCoherence(at=Every(1)), MeanLoss("train", at=Every(1)), MeanLoss("held-out", at=Every(1))]
    table = train(replicas("mlp", steps=1, learning_rate=1e-6), probes).table
    for _, rows in table[table["layer"].isin(["", "all"]) & (table["group"] == "all")].groupby("replica"):
        told = rows.set_index(["quantity", "on", "step"])["value"]
        fall = {on: told["loss", on, 1] - told["loss", on, 0] for on in ("train", "held-out")}
        assert fall["held-out"] / fall["train"] == pytest.approx(told["fresh coherence", "train", 0], rel=1e-4)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_alignments_tell_corrupted_examples_as_each_example_by_itself_says(kind):
    result = train(replicas(kind), [FreshScores(at=AtEnd())])
    for r, replica in enumerate(result.replicas):
        model = result.model(r)
        own, fresh = gradients(model, replica.data["train"]), gradients(model, replica.data["held-out"])
        wanted = {
            "AUC of fresh alignment": own @ fresh.mean(0),
            "AUC of training alignment": (own @ own.T).fill_diagonal_(0).sum(1),
        }
        told = result.table[result.table["replica"] == r].set_index("quantity")["value"]
        corrupted = replica.data["train"].groups["corrupted"].numpy()[None]
        assert set(told.index) == set(wanted)
        for name, values in wanted.items():
            assert told[name] == pytest.approx(auc(-values.numpy()[None], corrupted)[0], abs=1e-12)


@pytest.mark.parametrize("chunk_size", [None, 4])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_alignments_with_others_are_products_of_gradients(kind, chunk_size):
    replica = replicas(kind)[0]
    model = models.initialise(replica.model.double(), np.random.default_rng(0))
    own, fresh = (replica.data[on] for on in ("train", "held-out"))
    of = model, nn.CrossEntropyLoss(), own.inputs, own.labels
    found = alignments(*of, (fresh.inputs, fresh.labels), chunk_size=chunk_size)
    wanted = gradients(model, own) @ gradients(model, fresh).mean(0)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(
        alignments(*of, (own.inputs, own.labels), chunk_size=chunk_size), coherence(*of).alignments, rtol=1e-10, atol=0
    )


def test_alignments_name_the_example_whose_gradient_is_not_finite():
    model, inputs, labels = nn.Linear(2, 3), torch.ones(4, 2), torch.zeros(4, dtype=torch.long)
    spoilt = inputs.clone()
    spoilt[2] = torch.inf
    with pytest.raises(ValueError, match="example 2 is not finite"):
        alignments(model, nn.CrossEntropyLoss(), spoilt, labels, (inputs, labels))
    left = alignments(model, nn.CrossEntropyLoss(), spoilt, labels, (inputs, labels), allow_nonfinite=True, check=0)
    assert left.isfinite().tolist() == [True, True, False, True]
