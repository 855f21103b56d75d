"""Networks by width: statistics on tables with known answers, the table against its schema, a net against a loop."""

import contextlib

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook import studies
from genbook.experiments import Labels
from genbook.experiments.run import Drawn
from genbook.models import mlp
from genbook.studies.descent.network_descent import claims
from genbook.studies.descent.network_descent.design import NetworkDescentSpec, design
from genbook.studies.descent.shared import at_equal_memory, stopped_error
from genbook.tables.readings import final
from genbook.training.stacks import program_for, stacks
from genbook.training.wide import WideProgram
from tests.known import Answer, Known, in_halves
from tests.sums import UP_TO_SUMS, AnotherOrderOfSums

STUDY = studies.get("network_descent")
WIDTHS = (2, 4, 8, 16, 32)
TINY = {
    "n_train": 60,
    "widths": [2, 4, 8, 16],
    "batch_size": 30,
    "steps": 40,
    "n_measurements": 6,
    "coherence_examples": 50,
}


def run(spec, seeds):
    return design(spec).run(seeds, "cpu")


def replicas_of(spec, seed, drawn):
    return [drawn.replica(condition, seed) for condition in design(spec).conditions]


def statistic(claim, table):
    chosen = next(one for one in STUDY.claims if one.id == claim)
    return chosen.statistic(table, NetworkDescentSpec())


def known_table(errors=(0.4, 0.2, 0.5, 0.3, 0.1), coherent=1.0, norm=2.0, fitted=8):
    """Three seeds; at step s, width w has loss 2.3 exp(-s w / 400) and error 0.1 + 0.5 (1 - loss / 2.3) / w.

    So at equal loss, and at an equal fraction of wrong labels memorised, the wider network errs less. At the end stand
    the given errors, the weights' norm is ``norm`` times as large at width 8, and training error is zero from the
    width ``fitted``.
    """
    rows = []
    for seed in range(3):
        for width, error in zip(WIDTHS, errors, strict=True):
            for step in (0, 25, 50, 75, 100):
                loss = 2.3 * np.exp(-step * width / 400)
                shown = error if step == 100 else 0.1 + 0.5 * (1 - loss / 2.3) / width
                rows += [
                    (seed, width, step, "train loss", "all", loss),
                    (seed, width, step, "test accuracy", "all", 1 - shown),
                    (seed, width, step, "train accuracy", "all", 1.0 if width >= fitted and step else 0.5),
                    (seed, width, step, "train accuracy", "corrupted", 1 - loss / 2.3),
                    (seed, width, step, "test loss", "all", 4 * shown + 0.01 * seed),
                    (seed, width, step, "m-coherence", "all", 2 + coherent * shown),
                ]
            rows.append((seed, width, 100, "weight norm", "all", (norm if width == 8 else 1.0) + 0.01 * seed))
    return in_halves(pd.DataFrame(rows, columns=["seed", "width", "step", "quantity", "group", "value"]))


SPEC = NetworkDescentSpec.build(widths=list(WIDTHS))
#: Errors at the end: the same function of the loss as on the way, and one that only falls with the width.
ON_THE_WAY = tuple(0.1 + 0.5 * (1 - np.exp(-width / 4)) / width for width in WIDTHS)
FALLING = (0.5, 0.4, 0.3, 0.2, 0.1)


def answer(values, *arguments, **changes):
    return Answer(known_table(*arguments, **changes), values, SPEC)


def ordered(values, table):
    """Of an order: the step of a rank correlation is that of the ten widths that the study has."""
    return Answer(table, values, NetworkDescentSpec())


def norms(norm):
    return [(norm + 0.01 * seed) / (1 + 0.01 * seed) for seed in range(3)]


def against_width(table):
    """The table with its accuracies mirrored: at equal loss the wider network errs more."""
    tested = table["quantity"] == "test accuracy"
    return table.assign(value=table["value"].where(~tested, 1.5 - table["value"]))


KNOWN = {
    "width-peak": Known(holds=answer([0.3] * 3), fails=answer([-0.1] * 3, FALLING)),
    "width-peak-in-loss": Known(
        holds=answer([(2 + 0.01 * s) / (0.8 + 0.01 * s) for s in range(3)]),
        fails=answer([(1.6 + 0.01 * s) / (2 + 0.01 * s) for s in range(3)], FALLING),
    ),
    "peak-at-threshold": Known(holds=answer([1.0] * 3), fails=answer([4.0] * 3, fitted=2)),
    "wide-beats-narrow": Known(holds=answer([0.5] * 3), fails=answer([3.0] * 3, (0.4, 0.1, 0.5, 0.4, 0.3))),
    "stopping-levels-peak": Known(
        holds=answer([0.3] * 3), fails=answer([ON_THE_WAY[1] - ON_THE_WAY[0]] * 3, ON_THE_WAY)
    ),
    "wider-at-equal-loss": Known(
        holds=ordered([-1.0] * 3, known_table(ON_THE_WAY)),
        fails=ordered([1.0] * 3, against_width(known_table(ON_THE_WAY))),
    ),
    "wider-at-equal-memory": Known(
        holds=ordered([-1.0] * 3, known_table(ON_THE_WAY)),
        fails=ordered([1.0] * 3, against_width(known_table(ON_THE_WAY))),
    ),
    "coherence-orders-widths": Known(
        holds=ordered([1.0] * 3, known_table(ON_THE_WAY, -1.0)), fails=ordered([-1.0] * 3, known_table(ON_THE_WAY))
    ),
    "norm-peaks": Known(holds=answer(norms(2.0)), fails=answer(norms(1.05), norm=1.05)),
}


def test_stopped_early_the_known_networks_have_no_peak():
    """At every width the best step is one before the end, where the error falls with the width."""
    stopped = stopped_error(known_table(), "width")
    assert (np.diff(stopped.to_numpy(), axis=1) <= 1e-12).all()
    assert (statistic("stopping-levels-peak", known_table()) >= 0.3).all()


def test_a_network_that_does_not_fit_has_no_threshold():
    table = known_table()
    table.loc[(table["quantity"] == "train accuracy") & (table["seed"] == 1), "value"] = 0.5
    assert claims.threshold(table).isna().tolist() == [False, True, False]


def test_at_equal_loss_values_are_read_off_between_measurements():
    """Where a quantity is a function of the loss, what is read off is that function, whatever the width."""
    table = known_table()
    losses = table[table["quantity"] == "train loss"]
    table = pd.concat([table, losses.assign(quantity="root", value=np.sqrt(losses["value"]))])
    read = claims.at_equal_loss(table, "root")
    assert read.to_numpy() == pytest.approx(np.sqrt(read.index.get_level_values("loss")))
    assert read.index.get_level_values("loss").max() == pytest.approx(claims.LEARNED * 2.3)
    reached = read.groupby(level="width").size()
    assert reached.is_monotonic_increasing
    assert reached.iloc[-1] == 3 * claims.LEVELS


def test_coherence_of_groups_at_equal_loss_is_their_mean():
    table = known_table()
    losses = table[table["quantity"] == "train loss"]
    parts = [
        losses.assign(quantity="m-coherence at equal size", group=group, value=value)
        for group, value in (("clean", 4.0), ("corrupted", losses["width"].astype(float)))
    ]
    assert claims.coherence_of_groups(table) == {}
    found = claims.coherence_of_groups(pd.concat([table, *parts]))
    assert found["clean"]["value"].to_numpy() == pytest.approx(4.0)
    assert found["corrupted"]["value"].to_numpy() == pytest.approx(found["corrupted"]["width"].to_numpy())


def test_at_equal_memory_a_network_has_no_value_where_it_never_comes():
    """At the end width w has memorised 1 - exp(-w / 4) of the wrong labels: the narrowest less than half."""
    read = at_equal_memory(known_table(), "test accuracy", "width").unstack("width")
    left = read.index.get_level_values("loss")
    assert read[2].notna().tolist() == (left >= np.exp(-0.5)).tolist()
    assert read[32].notna().all()
    without = known_table().query("group != 'corrupted'")
    assert at_equal_memory(without, "test accuracy", "width").empty
    assert statistic("wider-at-equal-memory", without).isna().all()


def test_clean_and_corrupted_examples_are_told_apart():
    table = run(NetworkDescentSpec.build(**TINY), [0, 1])
    coherence = table[table["quantity"] == "m-coherence"]
    assert {"clean", "corrupted", "all"} == set(coherence["group"])


def test_networks_of_one_seed_train_as_one_wide_network_on_the_same_noisy_labels():
    spec = NetworkDescentSpec.build(**TINY)
    drawn = Drawn()
    replicas = [r for seed in (0, 1) for r in replicas_of(spec, seed, drawn)]
    (together,) = stacks(replicas)
    assert isinstance(program_for([replicas[r] for r in together], torch.device("cpu")), WideProgram)
    train = replicas[0].data["train"]
    assert float((train.labels != train.true_labels).double().mean()) == pytest.approx(spec.noise)
    mine = [r.data["train"] for r in replicas[: len(spec.widths)]]
    assert all(r.inputs is train.inputs and r.labels.equal(train.labels) for r in mine)


def test_sharpness_at_the_end_is_that_of_the_explicit_hessian():
    spec = NetworkDescentSpec.build(**{**TINY, "widths": [1, 2, 3, 4], "steps": 20})
    table = run(spec, [0])
    measured = final(table, "sharpness", "width").loc[0, 1]
    replica = Drawn().replica(design(spec).conditions[0], 0)
    from genbook.training import train

    model = train([replica]).model(0).double()
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    examples = replica.data["train"]

    def loss(vector):
        parts = vector.split([s.numel() for s in shapes])
        values = {n: part.view(s) for n, part, s in zip(names, parts, shapes, strict=True)}
        outputs = torch.func.functional_call(model, values, examples.inputs.double())
        return nn.functional.cross_entropy(outputs, examples.labels)

    top = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))[-1]
    assert measured == pytest.approx(float(top), rel=3e-2)


def test_negative_controls_change_what_they_say():
    main = NetworkDescentSpec.build(**TINY)
    first = {
        name: design(STUDY.changed(main, changes)).conditions for name, changes in {"": {}, **STUDY.controls}.items()
    }
    labels = {name: conditions[0].images.labels for name, conditions in first.items()}
    decay = {name: conditions[0].recipe.optimiser.weight_decay for name, conditions in first.items()}
    widths = {name: [condition.columns["width"] for condition in conditions] for name, conditions in first.items()}
    assert labels == {
        "": Labels().wrong(0.2),
        "no noise": Labels().wrong(0),
        "weight decay": Labels().wrong(0.2),
        "shuffled labels": Labels().shuffled().wrong(0.2),
        "shuffled labels, wide": Labels().shuffled().wrong(0),
    }
    assert {name for name, found in decay.items() if found} == {"weight decay"}
    assert widths.pop("shuffled labels, wide") == [64, 90, 128, 180]
    assert all(found == TINY["widths"] for found in widths.values())


def test_widths_must_grow():
    with pytest.raises(ValueError, match="want values that grow"):
        NetworkDescentSpec.build(widths=[8, 4, 2, 1])


def test_width_counts_parameters():
    spec = NetworkDescentSpec.build(**TINY)
    counted = final(run(spec, [0]), "parameters", "width").loc[0]
    assert counted[4] == sum(p.numel() for p in mlp((64, 4, 10)).parameters())


@pytest.mark.parametrize("order", [contextlib.nullcontext, AnotherOrderOfSums])
def test_the_rows_of_a_seed_are_the_same_alone_and_among_others(order):
    spec = NetworkDescentSpec(**TINY)
    alone = run(spec, [1])
    with order():
        among = run(spec, [0, 1, 2])
    among = among[among["seed"] == 1].reset_index(drop=True)
    labels = [column for column in alone if column != "value"]
    pd.testing.assert_frame_equal(among[labels], alone[labels], check_exact=True)
    np.testing.assert_allclose(among["value"], alone["value"], **UP_TO_SUMS[torch.float32])
    assert order is contextlib.nullcontext or not among["value"].equals(alone["value"])
