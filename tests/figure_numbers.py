"""What the book's moving figures must show at a state of their controls: computed from the stored tables, row by row.

Each function is handed ``table(study, setting)`` and the state, by the controls' names as the figure's specification
has them, and returns ``{what tells the row apart: {field: number}}``. None uses the data or the code of a figure.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter

from genbook.base.stats import t_interval
from genbook.results import published
from genbook.studies import get
from genbook.studies.stopping.early_stopping import design as stopping
from genbook.tables import readings


def interval(values, **options):
    """Estimate and interval as a page has them: one value alone, or values without spread, are their own ends."""
    found = t_interval(np.asarray(values, dtype=float), **options)
    ends = (found.low, found.high) if np.isfinite(found.low) else (found.estimate,) * 2
    return {"estimate": found.estimate, "low": ends[0], "high": ends[1]}


def full(table, study, setting):
    """A setting's table as it is published of the profile 'full', where it is."""
    told = get(study)
    name = published.name_of("full", setting)
    return (published.table(told, name) if name in published.names(told) else None) or table(study, setting)


def known_by(rows, step, *by):
    """The last value of each network that was measured up to a step."""
    return rows[rows["step"] <= step].sort_values("step").groupby(["seed", *by])["value"].last().dropna()


def labels_move(table, state):
    """Accuracy on given labels and on new images, by fraction of random labels, of the chosen images at the step."""
    settings = [table("random_labels", "discovery"), table("random_labels", "replication")]
    settings.append(published.table(get("random_labels"), "mnist1d-discovery"))
    (chosen,) = [one.frame for one in settings if one.spec.dataset == state["images"]]
    found = {}
    for on in ("train", "test"):
        rows = readings.rows(chosen, quantity=f"{on} accuracy", network="base")
        for noise, values in known_by(rows, state["after"], "noise").groupby("noise"):
            found[noise, on] = interval(values)
    return found


def stop_here(table, state):
    """Four accuracies at the chosen step."""
    rows = table("early_stopping", "discovery").frame
    rows = rows[(rows["step"] == state["stop"]) & (rows["layer"] == "all")]
    curves = {
        "new images": ("test accuracy", "all"),
        "clean, given label": ("train accuracy", "clean"),
        "corrupted, given label": ("train accuracy", "corrupted"),
        "corrupted, true label": ("train accuracy on true labels", "corrupted"),
    }
    assert set(stopping.GROUPS) == {"clean", "corrupted"}
    return {
        (name,): interval(rows[(rows["quantity"] == quantity) & (rows["group"] == group)]["value"])
        for name, (quantity, group) in curves.items()
    }


def noise_move(table, state):
    """Accuracies on the labels given, at the chosen level of noise and step; what has stopped knows what it knew."""
    rows = table("noise_sweep", "discovery").frame
    rows = rows[(rows["noise"] == state["anew"]) & (rows["trained on"] == "labels as given")]
    found = {}
    for of, quantity, group in (
        ("clean", "train accuracy", "clean"),
        ("corrupted", "train accuracy", "corrupted"),
        ("new images", "test accuracy", "all"),
    ):
        values = known_by(rows[(rows["quantity"] == quantity) & (rows["group"] == group)], state["after"])
        if len(values):
            found[of,] = interval(values)
    return found


def where_move(table, state):
    """Test error of the chosen learning rate over the smallest rate's, at the training loss at which one asks."""
    names = {
        "digits": "digits",
        "mnist1d": "MNIST-1D",
        "fashion-mnist": "Fashion-MNIST",
        "fashion-small": "a part of Fashion-MNIST",
    }
    settings = [table("large_steps", "discovery"), table("large_steps", "replication")]
    settings.append(published.table(get("large_steps"), "fashion-mnist-discovery"))
    found = {}
    for one in settings:
        rows = one.frame[(one.frame["noise"] == float(state["labels"])) & (one.frame["run"] == "constant")]
        losses, accuracies = (readings.curve(rows, name, "learning rate") for name in ("train loss", "test accuracy"))
        error = (1 - readings.at_crossing(accuracies, losses, state["at"])).unstack("learning rate")
        rates = sorted(one.frame.loc[one.frame["run"] == "constant", "learning rate"].unique())
        ratio = (error[rates[state["rung"]]] / error[rates[0]]).dropna()
        if len(ratio) > 1:
            found[names[one.spec.dataset],] = interval(ratio, scale="log")
    return found


def net_stop(table, state):
    """Test error by width at the step at which all stop, over the seeds that are ticked."""
    rows = table("network_descent", "discovery").frame
    seeds = [seed for k, seed in enumerate(sorted(rows["seed"].unique())) if state[f"seeds_{k}"]]
    rows = readings.rows(rows[rows["seed"].isin(seeds)], quantity="test accuracy", step=state["stop"])
    return {
        (width,): interval(1 - values, scale="logit", continuity=0.001)
        for width, values in rows.groupby("width")["value"]
    }


def net_runs(table, state):
    """One network at one step."""
    rows = table("network_descent", "discovery").frame
    width, seed = sorted({*zip(rows["width"], rows["seed"], strict=True)})[state["run"]]
    mine = readings.rows(rows, width=width, seed=seed, step=state["step"])
    values = mine.set_index("quantity")["value"]
    numbers = {
        "loss": values["train loss"],
        "train": 1 - values["train accuracy"],
        "error": 1 - values["test accuracy"],
    }
    return {(width, seed, state["step"]): numbers}


def interventions(table, state):
    """Test loss against features per example, in every setting of what is changed: geometric means."""
    families = ["ridge", "private features"] if state["knob"] == "ridge, private features" else [state["knob"]]
    rows = table("random_features", "discovery").frame
    rows = rows[(rows["quantity"] == "test loss") & rows["family"].isin(families)]
    rows = rows[rows["group"].isin(("optimiser", "problem"))]
    return {key: interval(mine, scale="log") for key, mine in rows.groupby(["setting", "width"])["value"]}


def xor_steps(table, state):
    """Accuracy on new points in every cell of the map, at the chosen step."""
    rows = table("xor_clusters", "discovery").frame
    rows = rows[(rows["run"] == "diagram") & (rows["quantity"] == "test accuracy") & (rows["step"] == state["step"])]
    return {key: interval(mine) for key, mine in rows.groupby(["dimension", "strength"])["value"]}


def batches_move(table, state):
    """Test error at the end of each training, of the chosen images; however its course is counted."""
    settings = [full(table, "large_batches", setting) for setting in ("discovery", "replication")]
    (chosen,) = [one.frame for one in settings if one.spec.dataset == state["images"]]
    names = {
        "small": "small batches",
        "large": "large",
        "scaled": "large, larger steps",
        "long": "large, as many updates",
    }
    rows = readings.rows(chosen, quantity="test accuracy")
    found = {}
    for run, mine in rows[rows["run"].isin(names)].groupby("run"):
        found[(names[run],)] = interval(1 - mine[mine["step"] == mine["step"].max()]["value"])
    return found


def stable_rates(table, state):
    """Largest learning rates whose loss ends below the chosen multiple of the loss before, by optimiser and size."""
    scored = published.table(get("batch_learning_rates"), "full-discovery") or table(
        "batch_learning_rates", "discovery"
    )
    losses = scored.frame[scored.frame["quantity"] == "train loss"]
    before = losses[losses["run"] == "curvature"].set_index("seed")["value"]
    edges = {}
    for (seed, name, size), mine in losses[losses["run"] != "curvature"].groupby(["seed", "run", "batch size"]):
        ends = mine.set_index("learning rate")["value"].reindex(scored.spec.tried(name))
        best = int(np.nanargmin(ends)) if ends.notna().any() else 0
        stable = (ends < state["told"] * before[seed]).to_numpy()
        last = best
        while last < len(ends) and stable[last]:
            last += 1
        if best < last < len(ends):
            edges.setdefault((name, size), []).append(ends.index[last - 1])
    rung = {name: np.log(np.divide(*scored.spec.tried(name)[1::-1])) / 2 for name in ("SGD", "Adam")}
    return {
        key: interval(values, scale="log", continuity=rung[key[0]]) for key, values in edges.items() if len(values) > 1
    }


def draw_the_line(table, state):
    """What a threshold on memorisation takes of the first seed's examples."""
    scored = published.table(get("memorisation_scores"), "full-discovery") or table("memorisation_scores", "discovery")
    rows = scored.frame[(scored.frame["labels"] == state["world"]) & (scored.frame["quantity"] == "memorisation")]
    rows = rows[rows["seed"] == rows["seed"].min()]
    taken, wrong = rows["value"].to_numpy() >= state["cut"], rows["group"].to_numpy() == "corrupted"
    found = {("taken, of all",): {"value": taken.mean()}}
    if taken.any():
        found["corrupted, of those taken",] = {"value": wrong[taken].mean()}
    if wrong.any():
        found["taken, of the corrupted",] = {"value": taken[wrong].mean()}
    return found


def noise_signal(table, state):
    """What is left of a signal's square after the last hidden layer, from the norms of the layers' weights."""
    scored = full(table, "gradient_noise", "discovery")
    rows = scored.frame[(scored.frame["quantity"] == "weight norm") & (scored.frame["step"] == state["at"])]
    names = {
        ("poor", "none"): "poor start",
        ("poor", "annealed"): "poor, annealed noise",
        ("poor", "constant"): "poor, constant noise",
        ("good", "none"): "good start",
        ("good", "annealed"): "good, annealed noise",
    }
    hidden = [f"{2 * layer}.weight" for layer in range(1, scored.spec.depth)]
    found = {}
    for run, mine in rows.groupby(["start", "noise"]):
        norms = mine.pivot(index="seed", columns="layer", values="value")[hidden]
        left = (norms**2 / (2 * scored.spec.width)).prod(axis=1, skipna=False)
        left = left[np.isfinite(left)]
        if len(left):
            found[(names[run],)] = interval(left, scale="log")
    return found


def momentum_rates(table, state):
    """Effective learning rates of the chosen batches or images at the step: η / ‖w‖² of the hidden weights."""
    usual = full(table, "projected_momentum", "discovery")
    settings = [usual, *(full(table, "projected_momentum", name) for name in ("small batches", "replication"))]
    of = {}
    for one in settings:
        images = "" if one.spec.dataset == usual.spec.dataset else f"{one.spec.dataset}, "
        of[f"{images}batches of {one.spec.batch_size}"] = one
    chosen = of[state["setting"]]
    rows = chosen.frame[(chosen.frame["quantity"] == "weight norm") & (chosen.frame["step"] == state["at"])]
    rows = rows[rows["layer"].isin(chosen.spec.hidden_weights)]
    found = {}
    for run, mine in rows.groupby("run"):
        found[(run,)] = interval(
            chosen.spec.learning_rate / (mine["value"] ** 2).groupby(mine["seed"]).sum(), scale="log"
        )
    return found


def refined_move(table, state):
    """Where the refined schedule of a batch is highest on average over the seeds, and how high."""
    study = get("learning_rate_schedules")
    scheduled = published.table(study, "full-discovery") or table("learning_rate_schedules", "discovery")
    rows = scheduled.frame
    each, mean = (
        rows[rows["quantity"] == name].pivot(index="seed", columns="step", values="value")
        for name in ("mean of squared norms", "squared norm of the mean")
    )
    squares = mean + (each - mean) / state["batch"]
    odd = 2 * int(scheduled.spec.window * squares.shape[1] / 2) + 1
    weights = 1 / median_filter(squares, size=(1, odd), mode="reflect")
    weights = pd.DataFrame(weights, squares.index, squares.columns)
    later = weights.iloc[:, ::-1].cumsum(axis=1).iloc[:, ::-1].shift(-1, axis=1)
    shapes = (weights * later).ffill(axis=1)
    shapes = shapes.div(shapes.max(axis=1), axis=0).iloc[:, ::2]
    highest = shapes.mean().idxmax()
    return {(state["batch"], highest): interval(shapes[highest])}


def noise_regimes_move(table, state):
    """Test error of the networks of the chosen images, scale and temperature, and how many answers have changed."""
    study = get("noise_regimes")
    both = [
        published.table(study, f"full-{setting}") or table("noise_regimes", setting)
        for setting in ("discovery", "replication")
    ]
    (chosen,) = [one for one in both if one.spec.dataset == state["images"]]
    frame = chosen.frame
    place = (frame["model"] == "network") & (frame["size"] == chosen.spec.diagram_size)
    place &= frame["scale"] == chosen.spec.scales[int(state["rung"])]
    place &= frame["temperature"] == chosen.spec.diagram_temperatures[int(state["warmth"])]
    values = {
        quantity: frame[place & (frame["quantity"] == quantity)]["value"]
        for quantity in ("test error", "flipped units")
    }
    told = (state["rung"], state["warmth"])
    found = interval(values["test error"].dropna())
    return {told: {**found, "low": max(found["low"], 0), "flipped": values["flipped units"].mean()}}


def hessian_move(table, state):
    """The largest eigenvalues over the very largest, with the chosen images and number of classes."""
    both = [full(table, "hessian_outliers", setting) for setting in ("discovery", "replication")]
    (chosen,) = [one for one in both if one.spec.dataset == state["images"]]
    rows = chosen.frame[(chosen.frame["quantity"] == "eigenvalue") & (chosen.frame["data"] == "images")]
    rows = rows[(rows["width"] == chosen.spec.width) & (rows["classes"] == state["classes"])]
    values = rows.pivot(index="seed", columns="place", values="value")
    over = values.div(values[1.0], axis=0)
    return {(int(rank),): interval(over[rank], scale="log") for rank in over if 1 < rank <= 25}


def sharpness_move(table, state):
    """The largest eigenvalue of the networks of both methods, rescaled by the chosen factor."""
    both = [full(table, "sharpness_aware", setting) for setting in ("discovery", "replication")]
    (chosen,) = [one for one in both if one.spec.dataset == state["images"]]
    factor = sorted({1.0, *chosen.spec.scales})[int(state["rung"])]
    frame = chosen.frame
    rows = frame[(frame["quantity"] == "sharpness") & (frame["noise"] == 0) & (frame["scale"] == factor)]
    rows = rows[rows["method"].isin(["SGD", "SAM"])]
    return {(method,): interval(mine["value"], scale="log") for method, mine in rows.groupby("method")}


def matching_move(table, state):
    """Test error at the chosen place of the path between networks of the chosen width, by the order of units."""
    settings = [full(table, "mode_connectivity", setting) for setting in ("discovery", "replication")]
    (chosen,) = [one.frame for one in settings if one.spec.dataset == state["images"]]
    rows = chosen[(chosen["width"] == state["wide"]) & (chosen["place"] == state["place"])]
    rows = rows[rows["quantity"] == "test error"]
    names = {"as trained": "as trained", "matched": "units matched"}
    return {(names[order],): interval(mine["value"]) for order, mine in rows.groupby("order")}


def degeneracy_move(table, state):
    """Test accuracy at the chosen fraction of random labels, and the mean of the chosen measure there."""
    settings = [full(table, "degeneracy", setting) for setting in ("discovery", "replication")]
    (chosen,) = [one for one in settings if one.spec.dataset == state["images"]]
    rows = chosen.frame[(chosen.frame["when"] == "fitted") & (chosen.frame["noise"] == state["noise"])]
    first, *_ = layers = [str(place) for place in range(len(chosen.spec.hidden))]

    def mean(quantity, *of):
        mine = rows[(rows["quantity"] == quantity) & rows["layer"].isin(of or ("all",))]
        return mine["value"].mean()

    values = {
        "dependent directions": (mean("dependent activations", *layers) + mean("dependent gradients", first)) / 2,
        "units that fire alike": mean("firing alike", *layers),
        "effective parameters": mean("effective parameters"),
        "sharpness": mean("sharpness"),
    }
    found = interval(rows[rows["quantity"] == "test accuracy"]["value"])
    return {(state["measured"],): {**found, "value": values[state["measured"]]}}


#: By figure: its chapter, what its rows are told apart by, what is computed, and a change of its controls: for each of
#: their inputs a part of the way through what it can be, an option, or whether it is ticked.
FIGURES = {
    "fig-labels-move": ("02", ("noise", "on"), labels_move, {"fraction_index": 0.3, "after_index": 0.4}),
    "fig-stop-here": ("03", ("curve",), stop_here, {"stop_index": 0.2}),
    "fig-noise-move": ("04", ("of",), noise_move, {"anew_index": 0.0, "after_index": 0.5}),
    "fig-where-move": ("05", ("set",), where_move, {"at_index": 0.3, "rung_index": 0.5}),
    "fig-net-stop": ("06", ("width",), net_stop, {"stop_index": 0.5, "seeds_0": False}),
    "fig-net-runs": ("06", ("width", "seed", "step"), net_runs, {"run_index": 0.8, "step_index": 0.4}),
    "fig-interventions-move": ("06", ("setting", "width"), interventions, {"knob": "ridge, private features"}),
    "fig-xor-steps": ("07", ("dimension", "strength"), xor_steps, {"step_index": 0.4}),
    "fig-draw-the-line": ("08", ("part",), draw_the_line, {"cut_index": 0.8}),
    "fig-stable-rates": ("09", ("optimiser", "size"), stable_rates, {"told_index": 0.8}),
    "fig-refined-move": ("09", ("batch", "step"), refined_move, {"batch_index": 0.0}),
    "fig-noise-start": ("09", ("run",), noise_signal, {"at_index": 0.3}),
    "fig-momentum-move": ("09", ("run",), momentum_rates, {"at_index": 0.4, "setting": "batches of 10"}),
    "fig-noise-regimes-move": (
        "09",
        ("rung", "warmth"),
        noise_regimes_move,
        {"images": "fashion-small", "rung_index": 0.4, "warmth_index": 0.7},
    ),
    "fig-hessian-move": ("10", ("rank",), hessian_move, {"images": "fashion-small", "classes_index": 0.5}),
    "fig-sharpness-move": ("10", ("method",), sharpness_move, {"images": "fashion-small", "rung_index": 0.2}),
    "fig-matching-move": (
        "10",
        ("units",),
        matching_move,
        {"images": "fashion-small", "wide_index": 0.0, "place_index": 0.25},
    ),
    "fig-degeneracy-move": (
        "10",
        ("measured",),
        degeneracy_move,
        {"measured": "sharpness", "images": "fashion-small", "noise_index": 0.5},
    ),
    "fig-batches-move": ("09", ("run",), batches_move, {"counted": "updates", "images": "fashion-small"}),
}


def shown(page, name):
    """What a figure on a page draws now: its state, and the rows of what its table of numbers tells."""
    state = page.evaluate(
        """name => {
          const figure = document.getElementById(name).querySelector(".moving"), found = {};
          for (const key of Object.keys(figure.hand.state)) {
            const named = key.replace(/_index$/, "");
            for (const view of figure.views) try { found[named] = view.signal(named); } catch {}
          }
          return found;
        }""",
        name,
    )
    rows = page.evaluate("name => document.getElementById(name).querySelector('.moving').seen()", name)
    return state, rows


def change(page, name, changes):
    """Move a figure's controls."""
    page.evaluate(
        """([name, changes]) => {
          const figure = document.getElementById(name).querySelector(".moving");
          for (const [key, to] of Object.entries(changes)) {
            const input = figure.querySelector(`input[data-name='${key}']`);
            if (!input) continue;
            figure.hand.move(key, input.type === "range" ? Math.round(to * input.max) : to);
          }
          return figure.drawn();
        }""",
        [name, changes],
    )


def differences(rows, keys, expected):
    """Where what is drawn is not what was computed, to the four digits that a page has."""
    # what is no number has no mark that could be seen
    seen = [row for row in rows if row.get("value", row.get("estimate", row.get("error"))) is not None]
    drawn = {tuple(row[key] for key in keys): row for row in seen}
    wrong = [f"{key} is drawn, and is not there" for key in set(drawn) - set(expected)]
    wrong += [f"{key} is not drawn" for key in set(expected) - set(drawn)]
    for key in set(drawn) & set(expected):
        for field, value in expected[key].items():
            there = drawn[key][field]
            if there is None:  # an end of an interval without width
                there = drawn[key]["estimate"]
            if not np.isclose(there, value, rtol=2e-3, atol=2e-4):
                wrong.append(f"{key}: {field} is drawn as {there}, and is {value}")
    return wrong


def tables(profile):
    """``table(study, setting)`` of a profile, each read once."""
    kept = {}

    def table(study, setting):
        from genbook.results.requests import Request

        if (study, setting) not in kept:
            kept[study, setting] = Request.build(get(study), profile).table(setting)
        return kept[study, setting]

    return table
