"""Figures: colours that stay apart, intervals as drawn, labels that do not collide, and what reaches the page."""

import dataclasses
import io
import math
import re
import subprocess
import sys
from itertools import combinations, pairwise

import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from scipy import stats as scipy_stats
from scipy.optimize import lsq_linear

from genbook import figures
from genbook.base.claims import NOT_RUN, Claim, Judgement
from genbook.base.files import repository
from genbook.figures import axes, html, labels, page, style

# --- colours, as seen by colour-blind readers and on either ground -------------------------------------------------

#: Simulations of Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
DARK_GROUND = np.array(mpl.colors.to_rgb(style.GROUND))


def linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(linear_rgb):
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    xyz = np.array(to_xyz) @ linear_rgb / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(first, second, vision):
    seen = [lab(np.clip(VISION[vision] @ linear(np.array(mpl.colors.to_rgb(c))), 0, 1)) for c in (first, second)]
    return np.linalg.norm(seen[0] - seen[1])


def contrast(first, second):
    darker, lighter = sorted(linear(np.asarray(rgb)) @ [0.2126, 0.7152, 0.0722] for rgb in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("vision", VISION)
def test_colours_that_meet_in_a_figure_stay_apart(vision):
    for group in style.TOGETHER:
        for k, first in enumerate(group):
            for second in group[:k]:
                assert distance(style.COLORS[first], style.COLORS[second], vision) > 15, (first, second)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("kind", ["random fraction", "width", "learning rate", "sequence"])
def test_neighbours_on_a_ramp_of_five_stay_apart(kind, vision):
    ramp = list(figures.graded([0.0, 0.25, 0.5, 0.75, 1.0], kind).values())
    assert min(distance(a, b, vision) for a, b in pairwise(ramp)) > 8


def test_colours_stand_on_white_and_their_counterparts_on_the_dark_page():
    ramps = [figures.graded(range(5), kind).values() for kind in ("width", "learning rate", "sequence")]
    fractions = figures.graded([0, 0.25, 0.5, 0.75, 1], "random fraction").values()
    for color in [*style.COLORS.values(), *fractions, *(color for ramp in ramps for color in ramp)]:
        assert contrast(mpl.colors.to_rgb(color), (1, 1, 1)) > 2.9, color
        assert contrast(mpl.colors.to_rgb(style.on_dark(color)), DARK_GROUND) > 2.9, color


@pytest.mark.parametrize("vision", VISION)
def test_colours_that_meet_stay_apart_on_the_dark_page_too(vision):
    for group in style.TOGETHER:
        for first, second in combinations(group, 2):
            assert distance(style.DARK[first], style.DARK[second], vision) > 15, (first, second)


def test_the_dark_pages_colours_are_seen_and_its_letters_are_legible():
    assert list(style.DARK) == [*style.COLORS, *style.FRAME]
    for name, color in style.DARK.items():
        least = {"grid": 1.5}.get(name, style.LEGIBLE)
        assert contrast(mpl.colors.to_rgb(color), DARK_GROUND) > least, name


def test_the_style_sheet_has_the_figures_colours_for_both_themes():
    sheet = (repository() / "book" / "assets" / "book.css").read_text(encoding="utf-8")
    for theme, colors in (("light", {**style.COLORS, **style.FRAME}), ("dark", style.DARK)):
        (block,) = [
            rules
            for heads, rules in re.findall(r"([^{}]*)\{([^}]*)\}", sheet)
            if heads.endswith(f'"{theme}"] ') and "--fig-" in rules
        ]
        said = dict(re.findall(r"--fig-([\w-]+): (#\w+);", block))
        assert {name: color.upper() for name, color in said.items()} == colors


def test_the_ends_of_the_random_fraction_are_real_and_random():
    ends = {0: style.COLORS["real"].lower(), 1: style.COLORS["random"].lower()}
    assert figures.graded([0, 1], "random fraction") == ends


def test_wrong_names_are_refused_with_the_right_ones():
    with pytest.raises(KeyError, match=r"corupted.*did you mean 'corrupted'"):
        figures.color("corupted")
    with pytest.raises(ValueError, match="random fraction, width"):
        figures.graded([1], "breadth")
    with pytest.raises(ValueError, match="between 0 and 1"):
        figures.graded([0, 25], "random fraction")


# --- what is drawn -------------------------------------------------------------------------------------------------


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rows = [
        (seed, labels, step, "accuracy", value)
        for labels in ("real", "random")
        for seed in range(5)
        for step, value in zip((1, 10, 100), rng.uniform(0.2, 0.9, 3), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "labels", "step", "quantity", "value"])


def test_intervals_are_student_t_over_seeds(table):
    real = table[table["labels"] == "real"]
    summary = figures.intervals(real, "step", "accuracy")
    assert list(summary.index) == sorted(set(real["step"]))
    for step, row in summary.iterrows():
        values = real.loc[real["step"] == step, "value"]
        expected = scipy_stats.t.interval(0.95, 4, values.mean(), scipy_stats.sem(values))
        assert (row["low"], row["high"]) == pytest.approx(expected)
        assert row["estimate"] == pytest.approx(values.mean())


def test_rows_of_one_seed_are_averaged_before_the_interval(table):
    doubled = pd.concat([table.assign(value=table["value"] + 0.1), table.assign(value=table["value"] - 0.1)])
    pd.testing.assert_frame_equal(
        figures.intervals(doubled, "step", "accuracy"), figures.intervals(table, "step", "accuracy")
    )


def test_band_draws_mean_and_interval_in_the_things_colour(ax, table):
    figures.band(ax, table, "step", "accuracy", "labels")
    assert [line.get_color() for line in ax.lines] == [style.COLORS["real"], style.COLORS["random"]]
    summary = figures.intervals(table[table["labels"] == "random"], "step", "accuracy")
    np.testing.assert_allclose(ax.lines[1].get_ydata(), summary["estimate"])
    band = ax.collections[1].get_paths()[0].vertices
    assert {band[:, 1].min(), band[:, 1].max()} == {summary["low"].min(), summary["high"].max()}
    assert [text.get_text() for text in ax.texts] == ["real", "random"]


def test_one_seed_gives_a_line_without_a_band(ax, table):
    figures.band(ax, table[table["seed"] == 0], "step", "accuracy", "labels")
    assert len(ax.lines) == 2
    assert not ax.collections


def test_labels_stand_at_the_right_end_of_an_inverted_axis(ax, table):
    ax.invert_xaxis()
    figures.band(ax, table, "step", "accuracy", "labels")
    assert {text.xy[0] for text in ax.texts} == {1}


def test_each_seed_can_be_drawn(ax, table):
    figures.band(ax, table, "step", "accuracy", "labels", per_seed=True)
    assert len(ax.lines) == 2 * (1 + 5)


def test_points_carry_the_interval_as_bars(ax, table):
    figures.points(ax, table, "step", "accuracy", "labels")
    bars = ax.containers[0].lines[2][0].get_segments()
    summary = figures.intervals(table[table["labels"] == "real"], "step", "accuracy")
    np.testing.assert_allclose([segment[:, 1] for segment in bars], summary[["low", "high"]])


def test_dots_keep_the_order_asked_for(ax, table):
    figures.dots(ax, table[table["step"] == 100], "labels", "accuracy", order=["random", "real"], names={"real": "R"})
    assert [label.get_text() for label in ax.get_xticklabels()] == ["random", "R"]
    centres = {c.lines[0].get_color(): c.lines[0].get_xdata()[0] for c in ax.containers}
    assert centres == {style.COLORS["random"]: 0, style.COLORS["real"]: 1}


def test_small_multiples_share_their_scales(table):
    fig = figures.layer(table, "labels", lambda ax, rows: figures.band(ax, rows, "step", "accuracy"))
    try:
        assert [ax.get_title(loc="left") or ax.get_title() for ax in fig.axes] == ["real", "random"]
        assert fig.axes[0].get_ylim() == fig.axes[1].get_ylim()
    finally:
        plt.close(fig)


def test_what_the_table_does_not_have_is_named(ax, table):
    with pytest.raises(KeyError, match=r"quantity 'acuracy'.*accuracy"):
        figures.band(ax, table, "step", "acuracy")
    with pytest.raises(KeyError, match=r"column 'epoch'.*step"):
        figures.band(ax, table, "epoch", "accuracy")
    with pytest.raises(ValueError, match="no value"):
        figures.intervals(table.assign(value=np.nan), "step", "accuracy")
    with pytest.raises(ValueError, match="shapes"):
        figures.theory(ax, [1, 2], [1])


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.5, 20)), min_size=1, max_size=8))
def test_spread_is_the_nearest_arrangement_with_the_gaps(pairs):
    positions = np.sort([position for position, _ in pairs])
    gaps = np.array([gap for _, gap in pairs][1:])
    moved = labels.spread(positions, gaps)
    assert (np.diff(moved) >= gaps - 1e-9).all()
    # brute force: a first position, and every distance beyond its gap not negative
    steps = np.tril(np.ones((len(pairs), len(pairs))))
    shift = np.r_[0, np.cumsum(gaps)]
    best = lsq_linear(steps, positions - shift, (np.r_[-np.inf, np.zeros(len(gaps))], np.inf), tol=1e-12).x
    cost, least = (np.sum((arrangement - positions) ** 2) for arrangement in (moved, steps @ best + shift))
    assert cost <= least + 1e-6 * (1 + least)


def test_labels_at_line_ends_do_not_cover_each_other(ax):
    for k, end in enumerate((0.5, 0.501, 0.502, 0.9)):
        ax.plot([0, 1], [0, end])
        figures.end_label(ax, 1, end, f"line {k}" if k else "line\nzero", "black")
    figures.reference(ax, 0.5, "chance")
    figures.spread_labels(ax.figure)
    ax.figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == 5
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
    assert len({round(box.x0) for box in boxes}) == 1
    assert max(box.x1 for box in boxes) <= ax.figure.bbox.x1


@pytest.mark.parametrize("start", np.linspace(0, 8, 9))
def test_labels_stand_in_the_order_of_their_lines_wherever_these_end_on_the_page(start):
    """Ends three points apart keep their order; of those within half a point the first drawn is on top."""
    assert labels._upwards([start + 3, start, start + 6]) == [1, 0, 2]
    assert labels._upwards([start, start + 0.3, start + 0.2]) == [2, 1, 0]
    assert labels._upwards([start + 9, start, start + 0.3]) == [2, 1, 0]


def test_a_figure_without_labels_is_laid_out_once_and_is_then_at_rest(ax, monkeypatch):
    layouts, engine = [], ax.figure.get_layout_engine()
    monkeypatch.setattr(engine, "execute", layouts.append)
    ax.plot([0, 1])
    figures.spread_labels(ax.figure)
    ax.figure.savefig(io.BytesIO(), format="svg")
    assert len(layouts) == 1


@pytest.mark.parametrize("zero", [None, 1])
def test_a_log_axis_has_the_same_limits_before_the_lines_are_labelled_and_after(zero):
    told = pd.DataFrame(
        {"seed": 0, "step": [0, 1, 10, 1000] if zero else [1, 10, 100, 1000], "value": [0.1, 0.2, 0.3, 0.4]}
    )
    limits = []
    for first in (True, False):
        _, ax = figures.subplots()
        if first:
            figures.log_axis(ax, zero=zero)
        figures.band(ax, told, "step", "value", labels="a line")
        if not first:
            figures.log_axis(ax, zero=zero)
        limits.append(ax.get_xlim())
    assert limits[0] == pytest.approx(limits[1])
    assert limits[0][0] > -1


def test_log_axis_writes_plain_numbers():
    assert [axes.plain_number(v) for v in (0, 0.01, 1, 1000, 1e6, 2e-5)] == [
        *("0", "0.01", "1", "1,000", "$10^{6}$", r"$2\times 10^{-5}$")
    ]


# --- what reaches the page -----------------------------------------------------------------------------------------

ABOUT = {
    "name": "fig-fit",
    "caption": "The loss\n falls as $t^{-1}$.",
    "alt": "Line plot of loss against $\\eta t$, falling.",
    "provenance": "study · quick",
    "rerun": "genbook run 02",
    "tables": [("rows.csv", "../tables/rows.csv")],
}


def shown(monkeypatch, figure=None, **changes):
    """Return the outputs that `show` leaves in its cell."""
    outputs = []
    monkeypatch.setattr(
        page,
        "display",
        lambda data, metadata, raw: outputs.append(
            nbformat.v4.new_output("display_data", data=data, metadata=nbformat.from_dict(metadata))
        ),
    )
    fig = figure or figures.subplots()[0]
    figures.show(fig, **{**ABOUT, **changes})
    assert figure or not plt.fignum_exists(fig.number)
    return outputs


def notebook_of(*cells):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("draw()", outputs=list(out)) for out in cells])


def test_the_image_is_as_wide_as_the_column(monkeypatch):
    image, _ = shown(monkeypatch)
    opening = re.search("<svg [^>]*>", image["data"]["image/svg+xml"])[0]
    assert 'width="660" height="360"' in opening
    assert "data:" not in image["data"]["image/svg+xml"]


def test_in_the_book_an_image_has_its_colours_for_both_themes(monkeypatch):
    cell = figures.annotate(notebook_of(shown(monkeypatch))).cells[0]
    assert "prefers-color-scheme: dark" in cell.outputs[0]["data"]["image/svg+xml"]


def test_alt_text_is_plain(monkeypatch):
    image, _ = shown(monkeypatch)
    assert image["metadata"]["genbook"]["alt"] == "Line plot of loss against eta t, falling."


def test_the_footer_says_in_the_notebook_what_the_legend_says_in_the_book(monkeypatch):
    outputs = shown(monkeypatch)
    text = outputs[1]["data"]["text/markdown"]
    assert "The loss falls as $t^{-1}$." in text
    cell = figures.annotate(notebook_of(outputs)).cells[0]
    caption, box, *legend = cell.metadata["mystnb"]["figure"]["caption"].split("\n\n")
    assert caption == "The loss falls as $t^{-1}$."
    assert box.endswith(":class: behind dropdown")
    assert legend[-1].endswith("\n:::")
    for part in ("study · quick", "```sh\ngenbook run 02\n```", "{download}`rows.csv <../tables/rows.csv>`"):
        assert part in "\n\n".join(legend)


def test_annotating_writes_the_figure_and_drops_the_footer(monkeypatch):
    notebook = notebook_of(shown(monkeypatch), [])
    notebook.cells[0].metadata["mystnb"] = {"number_source_lines": True}
    result = figures.annotate(notebook)
    nbformat.validate(result)
    metadata = result.cells[0].metadata["mystnb"]
    assert metadata["figure"]["name"] == "fig-fit"
    assert metadata["image"]["alt"] == "Line plot of loss against eta t, falling."
    assert metadata["number_source_lines"] is True
    assert [list(output["data"]) for output in result.cells[0].outputs] == [["image/svg+xml", "text/plain"]]
    assert len(notebook.cells[0].outputs) == 2, "the notebook given is left as it was"
    assert figures.annotate(result) == result


def test_other_outputs_of_a_figure_cell_stay_but_outside_the_figure(monkeypatch):
    stream = nbformat.v4.new_output("stream", text="epoch 1")
    other = nbformat.v4.new_output("execute_result", data={"text/plain": "3"}, execution_count=1)
    first, second = figures.annotate(notebook_of([stream, *shown(monkeypatch), other])).cells
    assert [output.output_type for output in first.outputs] == ["stream", "display_data"]
    assert second.outputs == [other]
    assert second.metadata["tags"] == ["remove-input"]


def test_what_a_figures_cell_shows_besides_is_on_the_page(monkeypatch, tmp_path):
    said = nbformat.v4.new_output("display_data", data={"text/markdown": "Said beside it."})
    notebook = figures.annotate(notebook_of([*shown(monkeypatch), said]))
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# A page"))
    nbformat.write(notebook, tmp_path / "index.ipynb")
    (tmp_path / "conf.py").write_text('extensions = ["myst_nb"]\nnb_execution_mode = "off"\nhtml_theme = "basic"\n')
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(tmp_path), str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    assert "Said beside it." in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Fit curves"}, "'fig-'"),
        ({"caption": " "}, "caption and an alt"),
        ({"alt": ""}, "caption and an alt"),
        ({"alt": ABOUT["caption"]}, "repeats its caption"),
    ],
)
def test_figures_that_a_reader_could_not_use_are_refused(monkeypatch, changes, message):
    with pytest.raises(ValueError, match=message):
        shown(monkeypatch, **changes)
    plt.close("all")


def test_figures_of_one_name_or_alt_text_or_cell_are_refused(monkeypatch):
    one = shown(monkeypatch)
    with pytest.raises(ValueError, match=r"cells 1 and 2 have the same name 'fig-fit'"):
        figures.annotate(notebook_of(one, one))
    with pytest.raises(ValueError, match="same alt"):
        figures.annotate(notebook_of(one, shown(monkeypatch, name="fig-other")))
    with pytest.raises(ValueError, match="cell 1 shows 2 figures"):
        figures.annotate(notebook_of([*one, *shown(monkeypatch, name="fig-other")]))


# --- badges and claims ---------------------------------------------------------------------------------------------

CLAIM = Claim(
    id="real-above-chance",
    statement="Real labels are predicted <better> than $1/k$.",
    source="zhang-et-al-2017",
    statistic=lambda table, spec: table,
    relation=">",
    threshold=0.5,
    control="shuffled",
)
CELLS = {
    "Replication": html.Cell(NOT_RUN, ("mnist1d",)),
    "Discovery": html.Cell(Judgement(0.9812, 0.977, 0.985, "holds"), ("digits & <more>",)),
}
SHOWN = html.Shown(
    CLAIM,
    CELLS,
    control=Judgement(0.101, 0.098, 0.104, "fails"),
    anchor=html.anchor_of("some_study", CLAIM.id),
    links={"its figure": "#fig-some", "its <statistic>": "../evidence/some_study.html"},
    again="genbook claims some_study",
    fate="not run",
)


def claimed(row=SHOWN, **changes):
    return figures.claims_table([dataclasses.replace(row, claim=dataclasses.replace(CLAIM, **changes))])


def test_badges():
    assert figures.verdict_badge("not judged") == '<span class="verdict not-judged">not judged</span>'
    with pytest.raises(ValueError, match="holds, fails"):
        figures.verdict_badge("true")


def test_claims_table_shows_every_setting():
    text = figures.claims_table([SHOWN], root="over/")
    assert "&lt;better&gt;" in text
    assert r'<span class="math notranslate nohighlight">\(1/k\)</span>' in text
    assert '<a href="over/references.html#zhang-et-al-2017">Zhang et al. 2017</a>' in text
    places = [text.index(figures.verdict_badge(verdict)) for verdict in ("not run", "holds")]
    assert places == sorted(places)
    assert text.count('<span class="numbers">') == 1, "what was not run has no number"
    assert "digits &amp; &lt;more&gt;" in text
    assert 'holds if&nbsp;<span class="wanted">&gt;\u00a00.5</span>' in text
    assert "\n\n" not in text, "a blank line would end the block of HTML in a Markdown page"


def test_a_claim_can_be_pointed_at_and_leads_to_its_figure_and_its_statistic():
    text = claimed()
    assert '<tr id="claim-some_study-real-above-chance"' in text
    assert (
        '<a href="#fig-some">its figure</a> · <a href="../evidence/some_study.html">its &lt;statistic&gt;</a>' in text
    )
    assert "<code>genbook claims some_study</code>" in text
    assert "<tr id" not in claimed(dataclasses.replace(SHOWN, anchor=""))


def test_a_control_that_fails_as_it_must_is_told_quietly_and_any_other_loudly():
    text = claimed()
    assert "Control, <em>shuffled</em>: 0.101" in text
    assert "fails, as it must" in text
    assert figures.verdict_badge("fails") not in text
    held = claimed(dataclasses.replace(SHOWN, control=Judgement(0.7, 0.6, 0.8, "holds")))
    assert f"{figures.verdict_badge('holds')}, where it must fail" in held
    assert "<em>shuffled</em>: not run" in claimed(dataclasses.replace(SHOWN, control=NOT_RUN))


def test_a_row_carries_the_numbers_by_which_a_script_judges_it_anew():
    text = claimed()
    assert (
        'data-relation="&gt;" data-scale="identity" data-threshold="0.5" data-origin="ours" data-fate="not run"' in text
    )
    assert '<td data-label="Discovery" data-low="0.977" data-high="0.985">' in text
    assert '<td data-label="Replication">' in text
    censored = html.Cell(Judgement(0.9, 0.8, 0.95, "undecided", censored=1))
    assert "data-low" not in claimed(dataclasses.replace(SHOWN, cells={"Replication": censored})), (
        "more than its ends decide"
    )


def test_claims_table_says_all_that_a_claim_does():
    assert "&gt;\u00a00.333</span> left" in claimed(threshold=1 / 3, threshold_text="left")
    assert "reported there: 5 &lt; 6" in claimed(reported="5 < 6")
    assert r'Smaller than <span class="math notranslate nohighlight">\(n\)</span>' in claimed(note="Smaller than $n$")
    assert "this book&#39;s own, after <a href" in claimed(origin="ours")
    assert "follows from <a href" in claimed(origin="consequence")
    assert "<li><a href" in claimed(origin="paper")
    assert '<td data-label="Published"></td>' in claimed(dataclasses.replace(SHOWN, cells={**CELLS, "Published": None}))


def test_a_brief_claims_table_has_a_column_for_each_table_and_notes():
    here = html.Cell(Judgement(0.9812, 0.977, 0.985, "holds", n=5))
    there = html.Cell(Judgement(0.31, 0.29, 0.33, "fails", n=18, censored=2), ("2 of 20 not observed",))
    found = {"this page": here, "larger <set>": there, "old": html.Cell(NOT_RUN)}
    claim = dataclasses.replace(CLAIM, reported="0.9", note="a note")
    text = figures.claims_table([html.Shown(claim, found)], ["from & to"], brief=True)
    places = [text.index(figures.verdict_badge(verdict)) for verdict in ("holds", "fails", "not run")]
    assert places == sorted(places)
    assert text.count("<td ") == 3
    assert 'data-label="larger &lt;set&gt;"' in text
    assert "2 of 20 not observed" in text
    assert '<tfoot><tr><th colspan="4"><details' in text
    assert "<li>from &amp; to</li>" in text
    assert not any(words in text for words in ("reported there", "a note", "Zhang"))
    assert "\n\n" not in text


def test_an_overview_leads_to_every_row():
    text = html.overview([SHOWN])
    assert '<a href="#claim-some_study-real-above-chance">Real labels' in text
    assert [verdict for verdict in ("not run", "holds") if figures.verdict_badge(verdict) in text] == [
        "not run",
        "holds",
    ]
    assert "\n\n" not in text


def test_bars_and_squares_say_in_words_what_they_show():
    counts = {"replicated": 3, "not run": 0, "fails in discovery": 1}
    bar = html.fates_bar(counts)
    assert 'aria-label="3 replicated, 1 fails in discovery"' in bar
    assert re.findall(r'<span class="([\w-]+)" style="flex-grow: (\d+)">', bar) == [
        ("replicated", "3"),
        ("fails-in-discovery", "1"),
    ]
    assert 'aria-label="nothing judged"' in html.fates_bar({"replicated": 0})
    row = html.squares("A <title>", [("not run", "#claim-a-b", "It is > 1: not run.")])
    assert "A &lt;title&gt;" in row
    assert 'class="not-run" href="#claim-a-b" title="It is &gt; 1: not run." aria-label=' in row
    assert '<li><span class="not-run"></span>not run</li>' in html.fates_legend(["not run"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.98123, "0.981"),
        (15.27, "15.3"),
        (271.4, "271"),
        (-0.51, "−0.510"),
        (0, "0"),
        (1.23e-5, "1.2\u00a0×\u00a010<sup>−5</sup>"),
        (float("inf"), "∞"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_numbers(value, text):
    assert html.number(value) == text


def test_intervals_share_their_decimals():
    assert html.interval(0.101, 0.098, 0.104) == '0.101 <span class="interval">[0.098, 0.104]</span>'
    assert html.interval(1.0, 1.0, 1.0) == "1.00"
    assert html.interval(-0.0611, -0.121, -0.00093) == '−0.0611 <span class="interval">[−0.1210, −0.0009]</span>'
    assert html.interval(-6.9e-18, -0.258, 0.258) == '0 <span class="interval">[−0.258, 0.258]</span>'
    assert html.interval(2.0, -math.inf, 1e-12) == '2.00 <span class="interval">[−∞, 0]</span>'
    assert html.interval(0.001, 8.4e-5, 0.0102).startswith("0.001")
    assert "8.4" in html.interval(0.001, 8.4e-5, 0.0102)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("zhang-et-al-2017", "Zhang et al. 2017"),
        ("chatterjee-2020", "Chatterjee 2020"),
        ("chatterjee-zielinski-2022", "Chatterjee & Zielinski 2022"),
        ("some_key", "some_key"),
    ],
)
def test_keys_read_as_citations(key, text):
    assert html.citation(key) == text


def test_ticks_are_marked_only_where_they_lie_on_the_axis():
    _, ax = figures.subplots()
    ax.set(xlim=(1, 50))
    figures.ticks(ax, [0.5, 3, 10, 100])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3", "10"]
    assert ax.get_xlim() == (1, 50)


def test_labels_are_as_dark_as_letters_must_be_and_keep_their_hue():
    assert style.contrast("#767676") == pytest.approx(4.54, abs=0.01)  # the lightest grey that passes
    assert style.contrast("white") == 1
    for name, color in style.COLORS.items():
        shown = style.legible(name)
        assert style.contrast(shown) >= style.LEGIBLE
        assert shown == mpl.colors.to_hex(color) or style.contrast(shown) < style.LEGIBLE + 0.3, name
