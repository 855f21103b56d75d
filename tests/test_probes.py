"""Probes against direct computation on each plain network, in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models
from genbook.base.errors import TrainingError
from genbook.gradients import coherence
from genbook.probes import (
    Accuracy,
    AtEnd,
    AtEpochs,
    AtSteps,
    DistanceFromInitialisation,
    Epochs,
    Every,
    ExampleScores,
    GradientCoherence,
    HessianTrace,
    LargestGradient,
    LogSpaced,
    LossSpread,
    Margin,
    MeanLoss,
    Measurement,
    PathNorm,
    Probe,
    Sharpness,
    WeightNorm,
)
from genbook.probes.mlp import mlp_coherence
from genbook.probes.scores import auc
from genbook.training import LOSSES, SGD, Examples, Recipe, Replica, train
from genbook.training.programs import initial_model

LOSS = nn.functional.cross_entropy


def grid(widths=(4, 4), steps=6, **recipe):
    """Two seeds with an own training set each: the first third corrupted in one replica, nothing in the other."""
    replicas = []
    test_draw = torch.Generator().manual_seed(99)
    test = Examples(torch.randn(11, 5, generator=test_draw, dtype=torch.float64), torch.arange(11) % 3)
    for seed, width in enumerate(widths):
        draw = torch.Generator().manual_seed(seed)
        inputs = torch.randn(18, 5, generator=draw, dtype=torch.float64)
        true = torch.randint(3, (18,), generator=draw)
        given = torch.where(torch.arange(18) < 6, (true + 1) % 3, true) if seed == 0 else true
        groups = {"clean": given == true, "corrupted": given != true}
        data = {"train": Examples(inputs, given, true, groups), "test": test}
        settings = {"steps": steps, "batch_size": 6, "optimiser": SGD(0.3), **recipe}
        replicas.append(Replica(seed, models.mlp((5, width, 3), "tanh"), Recipe(**settings), data))
    return replicas


def rows(result, **labels):
    table = result.table
    for column, value in labels.items():
        table = table[table[column] == value]
    return table


def test_accuracy_and_loss_by_group_and_by_labels():
    replicas = grid()
    probes = [
        p(on, labels, at=AtEnd())
        for p in (Accuracy, MeanLoss)
        for on in ("train", "test")
        for labels in ("given", "true")
    ]
    result = train(replicas, probes)
    for r, replica in enumerate(replicas):
        model = result.model(r)
        for on, examples in replica.data.items():
            outputs = model(examples.inputs)
            true = examples.labels if examples.true_labels is None else examples.true_labels
            masks = {"all": torch.ones(len(examples), dtype=bool), **examples.groups}
            for labels, y in (("given", examples.labels), ("true", true)):
                for group, mask in masks.items():
                    for quantity, values in (
                        ("accuracy", (outputs.argmax(1) == y).double()),
                        ("loss", LOSS(outputs, y, reduction="none")),
                    ):
                        found = rows(result, replica=r, on=on, labels=labels, group=group, quantity=quantity)
                        if mask.any():
                            assert found.value.item() == pytest.approx(values[mask].mean().item(), rel=1e-12)
                        else:
                            assert found.empty
    assert rows(result, replica=0, group="corrupted").shape[0] == 4
    assert rows(result, replica=1, group="corrupted").empty


def test_a_tie_between_outputs_is_no_answer():
    replicas = grid(init_scale=0.0, steps=1)
    first = train(replicas, [Accuracy(at=AtSteps((0,)))]).table
    assert (first.value == 0).all()


def test_norms_and_distances():
    replicas = grid()
    result = train(replicas, [WeightNorm(at=Every(3)), DistanceFromInitialisation(at=Every(3))])
    for r, replica in enumerate(replicas):
        start = initial_model(replica).state_dict()
        end = result.states[r]
        at_start, at_end = (rows(result, replica=r, step=s) for s in (0, 6))
        assert (at_start[at_start.quantity == "distance"].value == 0).all()
        for table, state, quantity in (
            (at_start, start, "weight norm"),
            (at_end, end, "weight norm"),
            (at_end, {k: end[k] - start[k] for k in end}, "distance"),
        ):
            found = table[table.quantity == quantity].set_index("layer").value
            for key, value in state.items():
                assert found[key] == pytest.approx(value.norm().item(), rel=1e-12)
            whole = torch.cat([v.flatten() for v in state.values()]).norm().item()
            assert found["all"] == pytest.approx(whole, rel=1e-12)


def gradients(model, examples, count):
    """Per-example gradients [m, P] by one backward pass each."""
    found = []
    for x, y in zip(examples.inputs[:count], examples.labels[:count], strict=True):
        loss = LOSS(model(x[None]), y[None])
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
    return torch.stack(found).detach()


@pytest.mark.parametrize("widths", [(4, 4), (4, 3)])
def test_coherence_in_all_by_layer_and_by_group(widths):
    replicas = grid(widths)
    result = train(replicas, [GradientCoherence(examples=15, groups=("clean", "corrupted"), at=AtEnd())])
    for r, replica in enumerate(replicas):
        g = gradients(result.model(r), replica.data["train"], 15)
        values = rows(result, replica=r).set_index(["quantity", "group", "layer"]).value

        def m_coherence(g):
            return (g.sum(0).square().sum() / g.square().sum()).item()

        assert values["m-coherence", "all", "all"] == pytest.approx(m_coherence(g), rel=1e-10)
        first = 6 * widths[r]
        for layer, part in (("0", g[:, :first]), ("2", g[:, first:])):
            assert values["m-coherence", "all", layer] == pytest.approx(m_coherence(part), rel=1e-10)
            assert values["norm fraction", "all", layer] == pytest.approx(
                (part.square().sum() / g.square().sum()).item(), rel=1e-10
            )
        mask = replica.data["train"].groups["corrupted"][:15]
        assert values["m-coherence", "clean", "all"] == pytest.approx(m_coherence(g[~mask]), rel=1e-10)
        total = g.sum(0)
        share = (g[~mask].sum(0) @ total / (total @ total)).item()
        assert values["descent fraction", "clean", "all"] == pytest.approx(share, rel=1e-10)
        if mask.any():
            assert values["m-coherence", "corrupted", "all"] == pytest.approx(m_coherence(g[mask]), rel=1e-10)
            cosine = torch.cosine_similarity(g[~mask].sum(0), g[mask].sum(0), dim=0).item()
            assert values["gradient cosine", "clean, corrupted", "all"] == pytest.approx(cosine, rel=1e-10)
        else:
            assert "corrupted" not in values.index.get_level_values("group")


@pytest.mark.parametrize("activation", ["relu", "tanh", "squared-relu", "identity"])
@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_written_coherence_is_that_of_the_lens(activation, loss, grouped, monkeypatch):
    monkeypatch.setattr("genbook.models.written._ENTRIES", 12 * 16)  # chunks of 16 examples, the last one shorter
    plain = [models.initialise(models.mlp((5, 6, 4, 3), activation).double(), np.random.default_rng(s)) for s in (0, 1)]
    stacked = models.stack(plain)
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 50, 5, generator=draw, dtype=torch.float64)
    labels = torch.randint(3, (2, 50), generator=draw)
    targets = torch.stack([LOSSES[loss].targets(row, 3, inputs.dtype) for row in labels])
    groups = torch.randint(3, (2, 50), generator=draw) if grouped else None
    names = ("a", "b", "c") if grouped else ()
    found = mlp_coherence(stacked, LOSSES[loss], inputs, targets, groups, names)
    expected = coherence(stacked, LOSSES[loss].module(), inputs, targets, groups=groups, group_names=names or None)
    for name in ("m_coherence", "alpha", "off_diagonal", "gradient_norm", "norms", "losses", "m"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-10, atol=1e-12)
    for layer in expected.layers:
        torch.testing.assert_close(found.layers[layer].m_coherence, expected.layers[layer].m_coherence)
        torch.testing.assert_close(found.layers[layer].fraction, expected.layers[layer].fraction)
    if grouped:
        for name in ("m_coherence", "off_diagonal", "between", "cosines", "descent_fraction", "counts"):
            torch.testing.assert_close(getattr(found.groups, name), getattr(expected.groups, name), check_dtype=False)


def dense_hessian(model, examples):
    names, values = zip(*model.named_parameters(), strict=True)
    shapes = [v.shape for v in values]

    def loss(flat):
        parts = [p.view(s) for p, s in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]
        outputs = torch.func.functional_call(model, dict(zip(names, parts, strict=True)), examples.inputs)
        return LOSS(outputs, examples.labels)

    return torch.autograd.functional.hessian(loss, torch.cat([v.detach().flatten() for v in values]))


def test_sharpness_and_trace_are_those_of_the_dense_hessian():
    replicas = grid()
    size = models.parameter_count(replicas[0].model)
    probes = [Sharpness(eigenvalues=2, tolerance=1e-8, at=AtEnd()), HessianTrace(samples=size, at=AtEnd())]
    result = train(replicas, probes)
    for r, replica in enumerate(replicas):
        hessian = dense_hessian(result.model(r), replica.data["train"])
        values = rows(result, replica=r).set_index("quantity").value
        top = torch.linalg.eigvalsh(hessian).flip(0)
        assert values["sharpness"] == pytest.approx(top[0].item(), rel=1e-6)
        assert values["eigenvalue 2"] == pytest.approx(top[1].item(), rel=1e-6)
        assert values["Hessian trace"] == pytest.approx(hessian.trace().item(), rel=1e-8)


def test_probes_leave_the_training_as_it_is():
    probes = [GradientCoherence(at=Every(1)), Sharpness(at=Every(2)), MeanLoss(at=Every(1))]
    watched, alone = train(grid(), probes), train(grid())
    for a, b in zip(watched.states, alone.states, strict=True):
        assert all(torch.equal(a[k], b[k]) for k in a)


def test_schedules():
    assert Every(4).due(10, 3) == {0, 4, 8}
    assert Epochs(2).due(10, 3) == {0, 6}
    assert AtEpochs((0, 1, 4)).due(10, 3) == {0, 3}
    assert AtSteps((1, 10, 11)).due(10, 3) == {1, 10}
    assert AtEnd().due(10, 3) == set()
    steps = sorted(LogSpaced(5).due(10_000, 3))
    assert steps == [0, 1, 10, 100, 1000, 10_000]
    assert LogSpaced(50).due(10, 3) == set(range(11))


def test_a_probe_measures_once_at_the_end_and_only_where_it_is_due():
    seen = []

    class Counter(Probe):
        def measure(self, view):
            seen.append((view.step, len(view.replicas)))
            yield Measurement("ones", torch.ones(len(view.replicas)))

    train(grid(), [Counter(at=AtSteps((2, 6), end=True))])
    assert seen == [(2, 2), (6, 2)]


def test_bad_groups_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"groups has 'noisy'; the examples 'train' have clean, corrupted"):
        train(grid(), [GradientCoherence(groups=("noisy",))])
    replicas = grid()
    for replica in replicas:
        replica.data["train"].groups["easy"] = torch.ones(18, dtype=torch.bool)
    with pytest.raises(ValueError, match="overlap"):
        train(replicas, [GradientCoherence(groups=("clean", "easy"))])


def test_summed_gradients_of_groups_and_the_spread_of_losses():
    """Against one backward pass for each group, in the whole network and in its first layer."""
    replica = grid(widths=(4,))[0]
    result = train(
        [replica], [LossSpread(at=AtEnd()), GradientCoherence(groups=("clean", "corrupted"), sums=True, at=AtEnd())]
    )
    model, examples = result.model(0), replica.data["train"]
    losses = LOSS(model(examples.inputs), examples.labels, reduction="none")
    (spread,) = rows(result, quantity="loss spread")["value"]
    assert spread == pytest.approx(losses.std().item(), rel=1e-10)
    for layer, parameters in {"all": list(model.parameters()), "0": list(model[0].parameters())}.items():
        sums = {
            name: nn.utils.parameters_to_vector(torch.autograd.grad(losses[mask].sum(), parameters, retain_graph=True))
            for name, mask in examples.groups.items()
        }
        sums["all"] = sums["clean"] + sums["corrupted"]
        told = rows(result, layer=layer).set_index(["quantity", "group"])["value"]
        for name, own in sums.items():
            assert told["descent", name] == pytest.approx((own @ sums["all"]).item(), rel=1e-9)
            if name != "all":
                assert told["gradient length", name] == pytest.approx(own.norm().item(), rel=1e-9)
        cosine = torch.cosine_similarity(sums["clean"], sums["corrupted"], dim=0).item()
        assert told["gradient cosine", "clean, corrupted"] == pytest.approx(cosine, rel=1e-9)


@pytest.mark.parametrize("examples", [None, 7])
def test_largest_gradient_is_the_longest_of_the_examples_own(examples):
    result = train(grid(), [LargestGradient(examples=examples, at=AtEnd())])
    for place, replica in enumerate(result.replicas):
        model, data = result.model(place), replica.data["train"]
        losses = LOSS(model(data.inputs), data.labels, reduction="none")[:examples]
        own = [torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses]
        longest = max(nn.utils.parameters_to_vector(gradient).norm().item() for gradient in own)
        (told,) = rows(result, seed=replica.seed)["value"]
        assert told == pytest.approx(longest, rel=1e-10)


def test_the_auc_is_the_fraction_of_pairs_in_order_with_ties_counting_half():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (3, 40)).astype(float)
    positive = rng.random((3, 40)) < 0.3
    for row in range(3):
        above, below = scores[row][positive[row]], scores[row][~positive[row]]
        pairs = (above[:, None] > below) + 0.5 * (above[:, None] == below)
        assert auc(scores, positive)[row] == pytest.approx(pairs.mean(), abs=1e-12)
    assert np.isnan(auc(scores, np.zeros_like(positive))).all()


def test_scores_tell_corrupted_examples_as_each_example_by_itself_says():
    replica = grid()[0]
    result = train([replica], [ExampleScores(at=AtEnd())])
    found = rows(result, group="corrupted").set_index("quantity")["value"]
    model, examples = result.model(0), replica.data["train"]
    scores = {"AUC of EL2N": [], "AUC of gradient norm": [], "AUC of loss": []}
    for x, y in zip(examples.inputs, examples.labels, strict=True):
        outputs = model(x)
        loss = LOSS(outputs.unsqueeze(0), y.unsqueeze(0))
        gradient = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
        one_hot = nn.functional.one_hot(y, 3)
        error = (outputs.softmax(0) - one_hot).norm()
        scores["AUC of EL2N"].append(error.item())
        scores["AUC of gradient norm"].append(float(sum(g.square().sum() for g in gradient).sqrt()))
        scores["AUC of loss"].append(loss.item())
    corrupted = examples.groups["corrupted"].numpy()
    assert set(found.index) == set(scores)
    for name, values in scores.items():
        assert found[name] == pytest.approx(auc(np.array([values]), corrupted[None])[0])


def test_a_diverged_replica_leaves_the_scores_of_the_others_alone():
    tame = replace(grid()[0], model=models.mlp((5, 4, 3)))
    replicas = [replace(tame, recipe=replace(tame.recipe, optimiser=SGD(1e200))), tame]
    probes = [ExampleScores(at=Every(1)), LargestGradient(at=Every(1))]
    both, alone = (rows(train(some, probes)) for some in (replicas, replicas[1:]))
    assert both.loc[both.replica == 0, "value"].isna().any()
    np.testing.assert_allclose(both.loc[both.replica == 1, "value"], alone["value"], rtol=1e-12)


def relu_grid():
    """Two trained ReLU networks of two hidden layers, on the examples of `grid`."""
    data = [replica.data for replica in grid()]
    recipe = Recipe(6, SGD(0.3), 6)
    return [Replica(seed, models.mlp((5, 4, 3, 3)), recipe, sets) for seed, sets in enumerate(data)]


def path_norm(model):
    """Every path from an input or a bias, one by one."""
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]

    def below(place, unit):
        if place < 0:
            return 1.0
        layer = layers[place]
        paths = sum(layer.weight[unit, k].item() ** 2 * below(place - 1, k) for k in range(layer.in_features))
        return paths + layer.bias[unit].item() ** 2

    return sum(below(len(layers) - 1, unit) for unit in range(layers[-1].out_features)) ** 0.5


def test_margin_and_path_norm_against_each_example_and_each_path():
    replicas = relu_grid()
    result = train(replicas, [Margin(at=AtEnd()), PathNorm(at=AtEnd())])
    for place, replica in enumerate(replicas):
        model, examples = result.model(place), replica.data["train"]
        margins = []
        for output, label in zip(model(examples.inputs), examples.labels.tolist(), strict=True):
            others = [value.item() for k, value in enumerate(output) if k != label]
            margins.append(output[label].item() - max(others))
        seen = rows(result, seed=replica.seed).set_index("quantity")["value"]
        assert seen["margin"] == pytest.approx(sorted(margins)[(len(margins) - 1) // 2], rel=1e-12)
        assert seen["path norm"] == pytest.approx(path_norm(model), rel=1e-12)


def test_a_path_norm_of_other_units_is_refused():
    with pytest.raises(TrainingError, match="ReLU"):
        train(grid(), [PathNorm(at=AtEnd())])
