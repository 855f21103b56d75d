"""Moving figures: at every state they draw what is in the table; with scripts and without, by keyboard and pointer."""

import html
import json
import re
from dataclasses import replace

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from genbook import figures
from genbook.base import stats
from genbook.base.files import repository
from genbook.figures import controls, grammar, moving
from genbook.figures.moving import Choice, Live, Moving, Panel, Slider, Table, Ticks
from tests.test_figures import ABOUT, notebook_of, shown

STEPS, SEEDS, WIDTHS = (0, 10, 100), (0, 1, 2), (2, 8, 32)


def measured():
    """Accuracies of each seed, width and step, none alike and some of them at the end of the scale."""
    rng = np.random.default_rng(7)
    index = pd.MultiIndex.from_product([SEEDS, WIDTHS, STEPS], names=["seed", "width", "step"])
    values = rng.uniform(0.2, 0.9, len(index))
    values[index.get_level_values("step") == 10] = 1
    return pd.DataFrame({"accuracy": values}, index=index).reset_index()


STOP = Slider("stop", "stopped after", STEPS, [f"{step} steps" for step in STEPS])
TICKED = Ticks("seeds", "seeds", {seed: str(seed) for seed in SEEDS})
AXIS = Choice("axis", "axis", {"linear": "linear", "none": "none"})


def a_figure(table=None):
    stop, seeds, scale = STOP, TICKED, AXIS
    table = measured() if table is None else table
    rows = moving.chart("rows").transform_filter(seeds.has("seed")).transform_filter("datum.step == stop")
    means = grammar.over_seeds(rows, "accuracy", ["width"], "logit", 0.001)
    drawn = means.mark_point().encode(x="width:Q", y="estimate:Q").properties(name="seen")
    lines = moving.chart("rows").mark_line().encode(x="step:Q", y="accuracy:Q", detail="seed:N")
    words = means.transform_filter("datum.width == 8").transform_calculate(
        words="'at ' + stop + ' steps ' + format(datum.estimate, '.3f')"
    )
    columns = [("width", "units", ""), ("estimate", "accuracy", ".3f"), ("low", "from", ".3f"), ("high", "to", ".3f")]
    return Moving(
        {"rows": table},
        [Panel(drawn, "by width"), Panel(lines, "in time", moves=stop)],
        [stop, seeds, scale],
        words.mark_text().encode(text="words:N"),
        Table("seen", columns),
    )


def numbers_of(table, step, seeds=SEEDS):
    """The rows that the figure's table of numbers must have, computed without it."""
    rows = []
    for width in WIDTHS:
        picked = (table["width"] == width) & (table["step"] == step) & table["seed"].isin(seeds)
        found = stats.t_interval(table.loc[picked, "accuracy"].round(4), "logit", continuity=0.001)
        ends = (found.low, found.high) if found.n > 1 else (found.estimate,) * 2
        rows.append([str(width), *(f"{value:.3f}" for value in (found.estimate, *ends))])
    return rows


# --- without a browser ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("continuity", [None, 0.02])
@pytest.mark.parametrize("scale", ["identity", "log", "logit"])
def test_intervals_in_a_specification_are_those_of_the_book(scale, continuity):
    table = measured().assign(accuracy=lambda rows: rows["accuracy"].clip(upper=0.95))
    table.loc[table["step"] == 100, "accuracy"] = 0.5  # without any spread
    drawn = grammar.over_seeds(moving.chart("rows"), "accuracy", ["width", "step"], scale, continuity)
    sentence = "[datum.width, datum.step, datum.estimate, datum.low, datum.high]"
    spec = moving._compiled(drawn.transform_calculate(t=f"join({sentence}, ' ')").mark_text().encode(text="t:N"), [])
    told = [[float(x) for x in text.split()] for text in moving._texts(moving._svg(spec, {"rows": rows_of(table)}))]
    assert len(told) == len(WIDTHS) * len(STEPS)
    for width, step, *drawn_there in told:
        values = table.loc[(table["width"] == width) & (table["step"] == step), "accuracy"]
        expected = stats.t_interval(values, scale, continuity=continuity)
        ends = (expected.low, expected.high)
        if np.isnan(expected.low):
            ends = (expected.estimate,) * 2  # of what has no spread, a page draws no band
        assert drawn_there == pytest.approx([expected.estimate, *ends], rel=1e-5)


def rows_of(table):
    return table.to_dict(orient="records")


def texts_of(drawn, rows, controls=()):
    """What a chart of text marks says of rows."""
    spec = moving._compiled(drawn, controls)
    return moving._texts(moving._svg(spec, {"rows": rows_of(rows)}))


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ({"step": STOP}, lambda rows: rows["step"] == STEPS[-1]),
        ({"step": 10}, lambda rows: rows["step"] == 10),
        ({"seed": Ticks("seeds", "seeds", {0: "0", 1: "1", 2: "2"}, [0, 2])}, lambda rows: rows["seed"] != 1),
        (
            {"width": Choice("of", "of", {"8": "8", "2": "2"}), "step": 0},
            lambda rows: rows.eval("width == 8 & step == 0"),
        ),
    ],
)
def test_rows_stand_where_the_controls_do(place, kept):
    table = measured()
    drawn = grammar.label(grammar.rows("rows", **place), grammar.x("step"), grammar.y("width"), "{accuracy:.6f}")
    said = texts_of(drawn, table, [control for control in place.values() if not isinstance(control, int)])
    told = [text for text in said if re.fullmatch(r"\d\.\d{6}", text)]
    assert sorted(told) == sorted(f"{value:.6f}" for value in table.loc[kept(table), "accuracy"])


def test_a_sentence_is_filled_as_python_would_and_steps_are_counted():
    table = pd.DataFrame({"a name": ["real", "random"], "value": [0.25, 1234.5], "step": [1, 2000]})
    drawn = grammar.spoken(
        grammar.rows("rows"), "{a name}: {value:,.1f} 'after' {step:steps}", first="So ", between=";", last="."
    )
    assert texts_of(drawn, table) == ["So real: 0.3 'after' 1 step;", "random: 1,234.5 'after' 2,000 steps."]
    by_name = grammar.spoken(grammar.rows("rows"), {"random": "only {value:.0f}"}, by="a name")
    assert texts_of(by_name, table) == ["only 1235"]


def test_the_ends_of_lines_are_their_last_rows_or_their_first():
    table = measured().query("seed == 0")
    across = grammar.x("step")
    for first, step in ((False, 100), (True, 0)):
        drawn = grammar.ends(grammar.rows("rows"), across, of=["width"], first=first)
        told = texts_of(grammar.spoken(drawn, "{width} {step}"), table)
        assert told == [f"{width} {step}" for width in WIDTHS]


def test_an_axis_is_held_and_marked_within_its_domain_and_one_without_data_is_free():
    axis = grammar.x("loss", "loss", [10, 0.1], (100, 10, 1, 0.01), log=True).to_dict()
    assert (axis["scale"]["domain"], axis["scale"]["type"]) == ([10, 0.1], "log")
    assert axis["axis"]["values"] == [10, 1]
    assert "domain" not in grammar.y("loss", None, [np.nan, 1]).to_dict()["scale"]


def test_an_axis_writes_its_ticks_as_they_are():
    ticks = (0, 0.25, 0.5, 0.75, 1)
    drawn = grammar.points(grammar.rows("rows"), grammar.x("accuracy", None, [0, 1], ticks), grammar.y("step"), "test")
    assert {"0", "0.25", "0.5", "0.75", "1"} <= set(texts_of(drawn.properties(width=400), measured()))


def test_powers_of_ten_are_written_as_powers():
    axis = grammar.y("accuracy", None, [1e-12, 1e4], (1e-12, 1, 1e4), log=True, format="powers")
    drawn = grammar.points(grammar.rows("rows"), grammar.x("step"), axis, "test")
    assert {"10⁻¹²", "10⁰", "10⁴"} <= set(texts_of(drawn.properties(width=400), measured()))


def test_labels_move_aside_where_they_would_lie_on_each_other():
    near = pd.DataFrame({"x": [1.0] * 3, "y": [1, 1.01, 1.02], "name": ["first", "second", "third"]})
    across, up = grammar.x("x", None, [0, 2]), grammar.y("y", None, [0, 2])
    drawn = grammar.label(grammar.rows("rows"), across, up, "{name}", align="left", dx=5)
    svg = moving._svg(moving._compiled(drawn, []), {"rows": rows_of(near)})
    found = re.findall(r'<text text-anchor="(\w+)" transform="translate\(([\d.]+),([\d.]+)\)"[^>]*>(\w+)</text>', svg)
    boxes = {}
    for anchor, left, below, name in found:
        if name in set(near["name"]):
            start = float(left) - (6 * len(name) if anchor == "end" else 0)
            boxes[name] = (start, start + 6 * len(name), float(below) - 9, float(below))
    assert set(boxes) == set(near["name"])
    for one, other in (("first", "second"), ("first", "third"), ("second", "third")):
        (a, b, c, d), (e, f, g, h) = boxes[one], boxes[other]
        assert b <= e + 3 or f <= a + 3 or d <= g + 3 or h <= c + 3, (one, other)


def test_marks_take_inks_columns_and_properties_by_their_names():
    band = grammar.band(
        grammar.rows("rows"), grammar.x("step"), grammar.y("estimate"), grammar.inks("of", {"a": "test", "b": "clean"})
    ).to_dict()
    area, line = (layer["encoding"] for layer in band["layer"])
    assert (area["y"]["field"], area["y2"]["field"], line["y"]["field"]) == ("low", "high", "estimate")
    assert line["color"]["scale"]["range"] == [moving.ink("test"), moving.ink("clean")]
    dots = grammar.points(grammar.rows("rows"), grammar.x("step"), grammar.y("low"), "test", size=9, detail="of:N")
    assert dots.to_dict()["mark"] == {"type": "point", "opacity": 1, "size": 9, "color": moving.ink("test")}
    assert dots.to_dict()["encoding"]["detail"]["field"] == "of"


def test_words_set_controls_to_what_comes_nearest_and_tasks_know_what_is_right():
    words = moving.link("fig-try", "at once & for all", (STOP, 12), (TICKED, [1]), (AXIS, "none"))
    state = {"stop_index": 1, "seeds_0": False, "seeds_1": True, "seeds_2": False, "axis": "none"}
    (told,) = re.findall('data-state="([^"]*)"', words)
    assert json.loads(html.unescape(told)) == state
    assert words.startswith('<span class="sets" data-figure="fig-try"')
    assert words.endswith(">at once &amp; for all</span>")
    alone = Slider("one", "one", [5], ["five"])
    assert 'data-state="{}"' in moving.link("fig-try", "five", (alone, 5))
    task = moving.task("fig-try", (STOP, [0, 100]), (AXIS, ["none"]))
    (right,) = re.findall('data-right="([^"]*)"', task)
    assert json.loads(html.unescape(right)) == {"stop_index": [0, 2], "axis": ["none"]}
    assert moving.task("fig-try", (STOP, [])) == ""
    with pytest.raises(ValueError, match="choice axis: 'log' is none of linear, none"):
        AXIS.at("log")


def test_a_table_by_columns_is_the_table_to_four_digits():
    table = pd.DataFrame(
        {
            "seed": [0] * 6 + [1] * 6,
            "name": ["real", "random"] * 6,
            "value": [0.123456, 12345.678, np.nan, 1e-9, *range(8)],
            "kept": [True, False] * 6,
        }
    )
    columns = moving.columnar(table)
    assert columns["name"] == {"of": ["real", "random"], "at": [0, 1] * 6}
    back = pd.DataFrame(moving.whole(columns))
    assert back["name"].tolist() == table["name"].tolist()
    assert back["kept"].tolist() == table["kept"].tolist()
    assert back["value"][:4].tolist() == pytest.approx([0.1235, 12350, np.nan, 1e-9], nan_ok=True)
    assert json.loads(json.dumps(columns)) == columns


def test_the_page_has_what_is_seen_without_a_script():
    page = a_figure().html("fig-try", "What is seen.")
    (panels,) = re.findall(
        r'<div class="panels" role="img" aria-label="What is seen\.">(.*?)<fieldset', page, re.DOTALL
    )
    assert panels.count("<svg") == 2
    assert ">by width<" in panels
    first = numbers_of(measured(), STEPS[-1])[1][1]
    assert f'<p class="seen" role="status">at 100 steps {first}</p>' in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_every_input_has_a_label_and_waits_for_its_script():
    page = a_figure().html("fig-try", "What is seen.")
    (inside,) = re.findall(r'<fieldset class="controls"[^>]* disabled>(.*)</fieldset><p class="seen"', page, re.DOTALL)
    for tag in re.findall(r"<input [^>]*>", inside):
        named = re.search(r'\bid="([^"]+)"', tag)
        assert (f'<label for="{named[1]}">' in inside) if named else (f"<label>{tag}" in inside), tag
    assert 'aria-valuetext="100 steps"' in inside
    assert inside.count("<legend>") == 2


def test_data_do_not_end_the_element_that_they_stand_in():
    table = measured().assign(note="</script><!--")
    page = a_figure(table).html("fig-try", "What is seen.")
    inside = page.partition('<script type="application/json">')[2].partition("</script>")
    assert json.loads(inside[0])["data"]["rows"]["note"]["of"] == ["</script><!--"]
    assert inside[2].endswith("</div>")


def test_a_cloud_of_dots_is_one_path_that_has_every_place():
    rng = np.random.default_rng(3)
    cloud = pd.DataFrame({"x": rng.random(50), "y": rng.random(50)})
    drawn = moving.chart("rows").mark_point(color=moving.ink("test")).encode(x="x:Q", y="y:Q")
    spec = moving._compiled(drawn, [])
    dots = re.findall(
        r'<path transform="translate\(([-\d.]+),([-\d.]+)\)" d="M', moving._svg(spec, {"rows": rows_of(cloud)})
    )
    still = moving._still(spec, {"rows": rows_of(cloud)}, "fig-try-0")
    (path,) = re.findall(r'<path d="([^"]+)" fill="none" stroke="var\(--fig-test, #54459C\)"', still)
    places = np.array(re.findall(r"M([-\d.]+),([-\d.]+)h0", path), dtype=float)
    assert places == pytest.approx(np.array(dots, dtype=float), abs=0.01)


def test_a_still_shortens_places_and_no_number_that_is_read():
    small = pd.DataFrame({"x": [0.001, 0.002], "y": [1, 2]})
    drawn = moving.chart("rows").mark_point().encode(x=alt.X("x:Q").axis(values=[0.001, 0.002]), y="y:Q")
    spec = moving._compiled(drawn, [])
    still = moving._still(spec, {"rows": rows_of(small)}, "fig-try-0")
    assert {"0.001", "0.002"} <= {text.rstrip("0") for text in moving._texts(still)}
    assert not re.search(r"<[^>]*\d\.\d{3}", still)


def test_more_data_than_a_page_bears_are_refused():
    many = pd.concat([measured().assign(noise=np.random.default_rng(k).random(27)) for k in range(900)])
    with pytest.raises(ValueError, match=r"fig-try: \d+ kB of data; a page bears 150"):
        a_figure(many).html("fig-try", "What is seen.")
    with pytest.raises(ValueError, match="a page bears 150"):
        Live("toy", ["d3.js"], "<svg></svg>", [], "words", ["x" * 150_000]).html("fig-try", "What is seen.")


def test_a_slider_has_words_for_its_values_and_one_value_needs_none():
    with pytest.raises(ValueError, match="slider stop: 1 values and 2 words"):
        Slider("stop", "stopped after", [1], ["one", "two"])
    alone = controls.group(
        [Slider("stop", "stopped after", [1], ["one"]), Ticks("seeds", "seeds", {0: "0"})], "a", "all"
    )
    assert alone == ""
    both = controls.group(
        [Slider("stop", "stopped after", [1], ["one"]), Choice("axis", "axis", {"a": "a", "b": "b"})], "a", ""
    )
    assert "stopped after" not in both
    assert both.count("<input") == 2


def test_a_control_does_not_take_a_name_that_vega_has_for_itself():
    figure = a_figure()
    with pytest.raises(ValueError, match="cannot be called 'width', which Vega has for itself"):
        replace(figure, controls=[*figure.controls, Slider("width", "width", [1, 2], ["1", "2"])])


def test_jupyterlab_gets_a_specification_with_inputs_and_colours_that_it_knows():
    (spec,) = a_figure().outputs().values()
    assert "var(--" not in json.dumps(spec)
    bound = {parameter["name"]: parameter["bind"]["input"] for parameter in spec["params"] if "bind" in parameter}
    ticks = {f"seeds_{k}": "checkbox" for k in range(3)}
    assert bound == {"stop_index": "range", **ticks, "axis": "radio"}
    assert len(spec["datasets"]["rows"]) == len(measured())
    # as the Vega-Lite that JupyterLab 4 has draws it
    drawn = moving._texts(vl_convert.vegalite_to_svg(spec, vl_version="5.20"))
    assert {"by width", "in time"} <= set(drawn)


def test_the_book_gets_the_page_and_the_notebook_the_specification(monkeypatch):
    outputs = shown(monkeypatch, figure=a_figure())
    assert moving.MIME in outputs[0]["data"]
    annotated = figures.annotate(notebook_of(outputs))
    (output,) = annotated.cells[0].outputs
    assert output.data["text/html"].startswith('<div class="moving" data-draw="grammar"')
    assert output.data["text/plain"] == output.metadata["genbook"]["alt"]
    assert output.metadata["genbook"]["notebook"] == outputs[0]["data"]
    assert annotated.cells[0].metadata["mystnb"]["figure"]["name"] == ABOUT["name"]
    assert figures.annotate(annotated) == annotated


# --- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """A page with one figure, beside the book's own scripts."""
    folder = tmp_path_factory.mktemp("moving")
    (folder / "assets").symlink_to(repository() / "book" / "assets")

    def made(figure, name, text=""):
        body = f'<p>{text}</p><figure id="{name}">{figure.html(name, "What is seen.")}</figure>'
        script = '<script src="assets/moving.js" defer></script>'
        style = '<link rel="stylesheet" href="assets/moving.css">'
        page = f"<!doctype html><html lang='en'><head><title>t</title>{style}{script}</head><main>{body}</main></html>"
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
        return (folder / f"{name}.html").as_uri()

    return made


def numbers_on(page):
    page.eval_on_selector("details.seen-numbers", "box => { box.open = true }")
    page.wait_for_selector("table.numbers")
    return page.eval_on_selector_all(
        "table.numbers tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )


def test_at_every_state_the_numbers_are_the_tables(running, page_of):
    page = running.new_page()
    page.goto(page_of(a_figure(), "fig-try"))
    page.wait_for_selector(".moving[data-alive]")
    assert numbers_on(page) == numbers_of(measured(), 100)
    page.focus("input[type=range]")
    for key, step in (("ArrowLeft", 10), ("ArrowLeft", 0), ("End", 100), ("Home", 0)):
        page.keyboard.press(key)
        told = f"at {step} steps {numbers_of(measured(), step)[1][1]}"
        page.wait_for_function("told => document.querySelector('.seen').textContent === told", arg=told)
        assert page.get_attribute("input[type=range]", "aria-valuetext") == f"{step} steps"
        assert page.text_content("output") == f"{step} steps"
        assert numbers_on(page) == numbers_of(measured(), step)
    boxes = page.locator("input[type=checkbox]")
    boxes.nth(1).uncheck()
    page.wait_for_function("told => document.querySelector('.seen').textContent === told", arg=seen(0, (0, 2)))
    assert numbers_on(page) == numbers_of(measured(), 0, (0, 2))
    boxes.nth(2).uncheck()
    page.wait_for_function("told => document.querySelector('.seen').textContent === told", arg=seen(0, (0,)))
    assert numbers_on(page) == numbers_of(measured(), 0, (0,))
    boxes.nth(0).click()  # the last one stays
    assert boxes.nth(0).is_checked()
    assert numbers_on(page) == numbers_of(measured(), 0, (0,))
    page.close()


def seen(step, seeds):
    return f"at {step} steps {numbers_of(measured(), step, seeds)[1][1]}"


def test_pointing_into_a_panel_moves_its_slider(running, page_of):
    page = running.new_page()
    page.goto(page_of(a_figure(), "fig-try"))
    page.wait_for_selector(".moving[data-alive]")
    box = page.locator(".panel").nth(1).bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    assert page.input_value("input[type=range]") == "2"
    page.mouse.move(box["x"] + 0.05 * box["width"], box["y"] + 0.5 * box["height"])
    assert page.input_value("input[type=range]") == "0"
    page.mouse.up()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    assert page.input_value("input[type=range]") == "0"
    page.close()


def set_by(page, words):
    """What the figure says once the words have been pressed by the keyboard and it has come to rest."""
    page.focus(f"text={words}")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.seen').getAttribute('aria-busy') === null", timeout=5000)
    page.wait_for_timeout(100)
    return page.text_content(".seen")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_words_in_the_text_set_the_figure(running, page_of, motion):
    early = moving.link("fig-words", "early on", (STOP, 0))
    alone = moving.link("fig-words", "one seed at the end", (STOP, 100), (TICKED, [1]))
    address = page_of(a_figure(), "fig-words", f"Stop it {early} or {alone}; {moving.link('fig-none', 'nowhere')}.")
    context = running.new_context(reduced_motion=motion)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".moving[data-alive]")
    passed = "window.passed = []; document.querySelector('.moving').addEventListener('redrawn', () => "
    page.evaluate(passed + "passed.push(document.querySelector('input[type=range]').value))")
    assert set_by(page, "early on") == seen(0, SEEDS)
    assert page.evaluate("document.activeElement.textContent") == "early on"
    assert page.input_value("input[type=range]") == "0"
    assert ("1" in page.evaluate("passed")) == (motion == "no-preference")  # on its way it passes what lies between
    assert set_by(page, "one seed at the end") == seen(100, (1,))
    assert [page.locator("input[type=checkbox]").nth(k).is_checked() for k in range(3)] == [False, True, False]
    assert page.locator("button.sets").count() == 2
    assert page.locator("p").first.inner_text() == "Stop it early on or one seed at the end; nowhere."
    context.close()


def test_a_task_tells_whether_it_is_done_when_it_is_asked(running, page_of):
    page = running.new_page()
    task = moving.task("fig-task", (STOP, [10]), (AXIS, ["none"]))
    page.goto(page_of(a_figure(), "fig-task", f"Stop it at ten steps, without an axis. {task}"))
    told = page.locator(".task [role=status]")
    page.click("text=Is it so?")
    page.wait_for_selector(".task .not-yet")
    assert told.inner_text().startswith("Not there")
    page.focus("input[type=range]")
    page.keyboard.press("ArrowLeft")
    page.click("text=Is it so?")
    page.wait_for_timeout(100)
    assert told.inner_text().startswith("Not there")  # one of the two controls is not enough
    page.check("input[type=radio][value=none]")
    page.click("text=Is it so?")
    page.wait_for_selector(".task .right")
    assert told.inner_text().startswith("Yes")
    page.close()


def test_without_scripts_words_are_words_and_no_task_is_set(running, page_of):
    text = f"Stop it {moving.link('fig-plain', 'early on', (STOP, 0))}. {moving.task('fig-plain', (STOP, [10]))}"
    context = running.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_of(a_figure(), "fig-plain", text))
    assert page.locator("p").first.inner_text().strip() == "Stop it early on."
    assert not page.locator("button:visible").count()
    context.close()


def test_without_scripts_and_in_print_the_figure_is_there_and_no_control(running, page_of):
    address = page_of(a_figure(), "fig-try")
    context = running.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".panel svg").count() == 2
    assert all(page.locator(".panel svg").nth(k).is_visible() for k in range(2))
    assert not page.locator(".controls").is_visible()
    context.close()
    page = running.new_page()
    page.goto(address)
    page.wait_for_selector(".moving[data-alive]")
    page.emulate_media(media="print")
    assert all(page.locator(".panel svg").nth(k).is_visible() for k in range(2))
    assert not page.locator(".controls").is_visible()
    page.close()


def test_what_a_script_draws_is_what_was_drawn_when_the_book_was_built(running, page_of):
    """The page's Vega is a little newer than the one that drew the SVG: they must write and place the same."""
    page = running.new_page()
    page.route("**/vega.js", lambda route: route.abort())
    page.goto(page_of(a_figure(), "fig-try"))
    texts = "panels => panels.map(p => [...p.querySelectorAll('text')].map(t => t.textContent))"
    paths = (
        "panels => panels.map(p => [...p.querySelectorAll('.mark-symbol path')].map(t => t.getAttribute('transform')))"
    )
    before = [page.eval_on_selector_all(".panel", what) for what in (texts, paths)]
    page.unroute("**/vega.js")
    page.reload()
    page.wait_for_selector(".moving[data-alive]")
    text_after, paths_after = (page.eval_on_selector_all(".panel", what) for what in (texts, paths))
    assert text_after == before[0]
    for one, other in zip(paths_after, before[1], strict=True):
        numbers = [[float(x) for x in re.findall(r"[\d.]+", path)] for path in (*one, *other)]
        assert np.allclose(numbers[: len(one)], numbers[len(one) :], atol=0.02)
    page.close()


def test_live_drawings_get_their_data_and_their_controls(running, page_of, tmp_path):
    stop = Slider("stop", "stopped after", [1, 2], ["one step", "two steps"])
    figure = Live("toy", ["d3.js"], "<svg></svg>", [stop], "Two steps.", {"answer": 41})
    page = running.new_page()
    draws = """const toy = (element, data) => genbook.controls(element, state => {
      element.querySelector('.seen').textContent = d3.sum([data.answer, state.stop_index]);
    });
    window.genbook = {live: {toy}};"""
    page.add_init_script(draws)
    page.goto(page_of(figure, "fig-live"))
    page.wait_for_selector(".moving[data-alive]")
    assert page.text_content(".seen") == "42"
    page.focus("input[type=range]")
    page.keyboard.press("Home")
    assert page.text_content(".seen") == "41"
    page.close()


def test_what_moving_figures_load_is_not_too_much():
    folder = repository() / "book" / "assets"
    sizes = {path.name: path.stat().st_size for path in [folder / "moving.js", *(folder / "moving").glob("*.js")]}
    assert sizes["vega.js"] + sizes["grammar.js"] + sizes["moving.js"] + sizes["d3.js"] < 850_000
    told = (folder / "moving" / "README.md").read_text(encoding="utf-8")
    version = re.search(rb'version="(\d+\.\d+\.\d+)"', (folder / "moving" / "vega.js").read_bytes())
    for name in sizes:
        assert f"`{name}`" in told or name == "moving.js", name
    assert version is None or version[1].decode() in told
