"""Figures that are computed in the page: their formulas are those of the studies, and at every state they say so."""

import itertools

import numpy as np
import pandas as pd
import pytest

from genbook import figures
from genbook.base.files import repository
from genbook.book import pictures
from genbook.studies.coherence.two_data_sets import figure as toys
from genbook.studies.coherence.two_data_sets import theory as shared
from genbook.studies.coherence.two_data_sets.run import m_coherence
from genbook.studies.descent.linear_teacher import figure as students
from genbook.studies.descent.linear_teacher import theory as linear
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec
from genbook.studies.noise.changing_answers import figure as answering
from genbook.studies.noise.changing_answers.run import run
from genbook.studies.noise.changing_answers.spec import ChangingAnswersSpec
from genbook.studies.steps.benign_oscillation import figure as orbits
from genbook.studies.steps.benign_oscillation import theory as bouncing


@pytest.fixture(scope="module")
def opened(running, tmp_path_factory):
    """A page with one live figure, alive: by its name, what it is and what it must say of its sliders' places."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "assets").symlink_to(repository() / "book" / "assets")
    figures.use()
    pages = {}

    def page(figure, name):
        if name not in pages:
            head = '<meta charset="utf-8"><script src="assets/moving.js" defer></script>'
            head += '<link rel="stylesheet" href="assets/moving.css">'
            body = f'<main><figure id="{name}">{figure.html(name, "What is seen.")}</figure></main>'
            (folder / f"{name}.html").write_text(f"<!doctype html><title>t</title>{head}{body}", encoding="utf-8")
            pages[name] = running.new_page()
            pages[name].on("pageerror", lambda error: pytest.fail(f"{name}: {error}"))
            pages[name].goto((folder / f"{name}.html").as_uri())
            pages[name].wait_for_selector(".moving[data-alive]")
        return pages[name]

    return page


def said(page, **places):
    """What is seen in words once the sliders have been put to places of their lists."""
    for name, place in places.items():
        page.eval_on_selector(
            f"[data-name={name}_index]",
            "(input, at) => { input.value = at; input.dispatchEvent(new Event('input', {bubbles: true})); }",
            place,
        )
    return page.text_content(".seen")


def numbers(page):
    """The rows of the table of what is seen."""
    page.eval_on_selector("details.seen-numbers", "box => { box.open = true }")
    page.wait_for_selector("table.numbers")
    return page.eval_on_selector_all(
        "table.numbers tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )


def student_table(spec):
    """A table in which the students follow the formula exactly, but for a seed's factor."""
    rows = [
        (seed, spec.inputs[-1], ratio, at, "test error, small start", factor * float(error))
        for seed, factor in ((0, 0.5), (1, 2.0))
        for ratio in spec.samples_per_weight
        for at, error in zip((0.1, 10.0, 1e5), linear.student_error(spec, ratio, (0.1, 10.0, 1e5)), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "size", "ratio", "at", "quantity", "value"])


def test_the_toys_formulas_are_the_studys(opened):
    page = opened(toys.toy(0.1), "toy")
    for m, s, step, rate in itertools.product((1, 4, 12), (0.0, 0.3, 2.0), (0, 1, 60), (0.05, 0.1)):
        found = page.evaluate(
            "([m, s, step, rate]) => { const {toy} = genbook.formulas;"
            "return [toy.coherence(m, s), toy.sharedPart(m, s), toy.trainingOutput(step, m, s, rate),"
            "...toy.weights(step, m, s, rate)]; }",
            [m, s, step, rate],
        )
        output = float(shared.training_output(step, m, s, rate))
        expected = [shared.coherence(m, s), shared.shared_part(m, s), output, output / (1 + m * s * s)]
        assert found[:4] == pytest.approx([float(value) for value in expected], abs=1e-12)
        assert found[3] + s * found[4] == pytest.approx(output, abs=1e-12)


def test_the_toy_says_what_its_sliders_ask(opened):
    page = opened(toys.toy(0.1), "toy")
    for s, m, step in ((10, 3, 60), (0, 0, 1), (20, 11, 7)):
        expected = toys.toy_in_words(toys.STRENGTHS[s], toys.SIZES[m], toys.STEPS[step], 0.1)
        assert said(page, strength=s, examples=m, step=step) == expected
        strength, size, at = toys.STRENGTHS[s], toys.SIZES[m], toys.STEPS[step]
        output = float(shared.training_output(at, size, strength, 0.1))
        own, part = output / (1 + size * strength**2), float(shared.shared_part(size, strength))
        told = [float(shared.coherence(size, strength)), own, size * strength * own, output, part * output]
        assert [float(value) for _, value in numbers(page)] == pytest.approx(told, abs=5.1e-4)


def test_m_coherence_of_arrows_is_the_studys(opened):
    page = opened(pictures.six_gradients(), "arrows")
    rng = np.random.default_rng(0)
    for arrows in (rng.normal(size=(6, 2)), rng.normal(1, 1, size=(6, 2)), pictures.ARROWS):
        found = page.evaluate("all => genbook.formulas.arrows.measure(all)", arrows.tolist())
        assert found["coherence"] == pytest.approx(float(m_coherence(arrows)), rel=1e-12)
        assert found["alpha"] == pytest.approx(float(m_coherence(arrows)) / 6, rel=1e-12)
        assert found["helped"] == int((arrows @ arrows.sum(0) > 0).sum())


def test_arrows_are_turned_by_choices_sliders_and_the_pointer(opened):
    page = opened(pictures.six_gradients(), "arrows")
    assert page.text_content(".seen") == pictures.arrows_in_words(pictures.ARROWS)
    for name, (_, arrows) in pictures.SETS.items():
        page.check(f"input[value={name}]")
        assert page.text_content(".seen") == pictures.arrows_in_words(arrows.round(3))
    page.check("input[value=alike]")
    page.check("[data-name=arrow][value='3']")
    expected = np.tile([1.0, 0.0], (6, 1))
    angle, length = pictures.ANGLES.index(90), pictures.LENGTHS.index(0.5)
    expected[2] = [0, 0.5]
    assert said(page, angle=angle, length=length) == pictures.arrows_in_words(expected)
    *each, total = numbers(page)
    assert [[float(value) for value in row[1:]] for row in each] == pytest.approx(
        np.column_stack([expected, expected @ expected.sum(0)]), abs=5.1e-3
    )
    assert [float(value) for value in total[1:3]] == pytest.approx(expected.sum(0), abs=5.1e-3)
    page.check("input[value=some]")
    before, tip = page.text_content(".seen"), page.locator(".panel circle[fill=transparent]").nth(4)
    box = tip.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 30, steps=4)
    page.mouse.up()
    assert page.text_content(".seen") != before
    assert page.is_checked("[data-name=arrow][value='5']")


def test_the_recursion_is_the_studys(opened):
    page = opened(orbits.cobweb(0.1), "cobweb")
    assert page.evaluate("genbook.formulas.bounce.escapes") == pytest.approx(bouncing.ESCAPES, rel=1e-15)
    for rate, output in itertools.product((0.05, 0.25, 0.39), (0.02, 0.7, 1.3)):
        found = page.evaluate(
            "([rate, output]) => genbook.formulas.bounce.recursion(output, genbook.formulas.bounce.curvature(rate))",
            [rate, output],
        )
        assert found == pytest.approx(float(bouncing.recursion(output, bouncing.curvature(rate))), rel=1e-12)
    for rate, visits in ((0.2, 500), (0.26, 500), (0.3, 20)):  # what is chaotic later
        found = page.evaluate(
            "([rate, start, visits]) => genbook.formulas.bounce.orbit(rate, 0.1, start, visits)",
            [rate, orbits.START, visits],
        )
        outputs, grown = orbits.orbit(rate, 0.1, visits)
        assert found["outputs"] == pytest.approx(outputs.tolist(), rel=1e-6)
        assert found["grown"] == pytest.approx(grown.tolist(), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("rate", [0.05, 0.24, 0.26, 0.41])
def test_the_cobweb_says_whether_the_orbit_settles_bounces_or_escapes(opened, rate):
    page = opened(orbits.cobweb(0.1), "cobweb")
    words = said(page, rate=orbits.RATES.index(rate))
    assert words == orbits.cobweb_in_words(rate, 0.1)
    outputs, grown = orbits.orbit(rate, 0.1, orbits.VISITS[-1])
    rows = numbers(page)
    assert "escapes" in words or len(rows) == 41  # visits that are shown at first, and the start
    for visit, output, growth in rows[:20]:  # what is chaotic later
        assert float(output) == pytest.approx(outputs[int(visit)], abs=2e-3)
        assert float(growth) == pytest.approx(grown[int(visit)], abs=1e-3)
    kind = "settles" if rate < 0.25 else "escapes" if rate > bouncing.rate_of(bouncing.ESCAPES) else "goes on"
    assert kind in words


def test_the_students_error_is_the_studys(opened):
    spec = LinearTeacherSpec()
    page = opened(students.student(student_table(spec), spec), "student")
    for ratio, time, snr, decay in itertools.product((0.3, 0.9, 1, 1.5, 4), (0.1, 10, 1e4), (1, 20), (0, 0.05)):
        found = page.evaluate("of => genbook.formulas.student.error(...of)", [ratio, time, snr, decay])
        expected = float(linear.generalization_error(ratio, time, snr, 0.0, decay)[0])
        assert found == pytest.approx(expected, rel=2e-3), (ratio, time, snr, decay)
    for ratio in (0.5, 1.0, 2.0):
        middle = 1 + ratio
        found = page.evaluate("of => genbook.formulas.student.density(...of)", [ratio, middle])
        assert found == pytest.approx(np.sqrt(4 * ratio) / (2 * np.pi * middle), rel=1e-12)


def test_the_student_shows_what_was_measured_where_noise_and_ridge_are_the_studys(opened):
    spec = LinearTeacherSpec()
    page = opened(students.student(student_table(spec), spec), "student")
    dots = "() => document.querySelectorAll('.panel circle').length"
    for time, at in enumerate((0.1, 10.0, 1e5)):
        words = said(page, time=time, ratio=students.RATIOS.index(0.5))
        assert words == students.student_in_words(at, 0.5, spec)
        assert page.evaluate(dots) == len(spec.samples_per_weight) + 1
    errors = linear.generalization_error(1.5, 1e5, spec.snr, 0.0, spec.weight_decay)
    measured = {row[0]: row[1:] for row in numbers(page)}
    assert float(measured["1.5"][0]) == pytest.approx(float(errors[0]), rel=3e-3)
    trained = {float(ratio) for ratio, (_, error) in measured.items() if error}
    assert sorted(trained) == pytest.approx(sorted(spec.samples_per_weight))
    for ratio in spec.samples_per_weight:
        expected = float(linear.student_error(spec, ratio, (1e5,))[0])
        assert float(measured[f"{ratio:.4g}"][1]) == pytest.approx(expected, rel=1e-3)
    said(page, snr=0)
    assert page.evaluate(dots) == 1
    assert not any(error for *_, error in numbers(page))


@pytest.fixture(scope="module")
def told():
    spec = ChangingAnswersSpec(
        n_train=60, noise_levels=(0.0, 0.4, 1.0), hidden=(16,), steps=300, n_measurements=8, watched=30, batch_size=20
    )
    return answering.Told.of(run(spec, [1], "cpu"), spec, 1)


TILES = """tiles => tiles.map(t => [t.querySelector('.label').textContent, t.querySelector('.answer').textContent,
    t.querySelector('.answer').className.split(' ')[1]])"""


def test_twenty_images_say_what_the_table_has_at_every_place_of_the_sliders(opened, told):
    page = opened(answering.twenty(told), "twenty")
    for level, step in itertools.product(range(3), (0, 3, len(told.steps) - 1)):
        words = said(page, noise=level, step=step)
        assert words == answering.twenty_in_words(told, level, step, 20)
        expected = [
            [f"labelled {given}", f"says {answer}", answering.kind(answer, given, true)]
            for given, answer, true in zip(told.given[level], told.answers[level, step], told.true[:20], strict=False)
        ]
        assert page.eval_on_selector_all(".digit", TILES) == expected
        bars = page.eval_on_selector_all(".meter .value", "all => all.map(value => value.textContent)")
        assert bars == [f"{told.train[level, step]:.0%}", f"{told.test[level, step]:.0%}"]


def test_mislabelled_images_follow_the_slider_and_are_told_as_a_table(opened, told):
    page = opened(answering.mislabelled(told), "mislabelled")
    assert page.text_content(".seen") == answering.mislabelled_in_words(told, 1, answering.telling_step(told, 1))
    wrong = np.flatnonzero(told.given[1] != told.true)[:10]
    page.eval_on_selector("details.seen-numbers", "box => { box.open = true }")
    for step in (0, 4, len(told.steps) - 1):
        assert said(page, step=step) == answering.mislabelled_in_words(told, 1, step)
        page.wait_for_selector("table.numbers")
        rows = page.eval_on_selector_all(
            "table.numbers tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
        )
        assert rows == [
            [str(k + 1), str(told.given[1, at]), str(told.true[at]), str(told.answers[1, step, at])]
            for k, at in enumerate(wrong)
        ]


def test_the_course_under_an_image_has_a_field_for_every_measured_step(told):
    html = answering.mislabelled(told).still
    wrong = np.flatnonzero(told.given[1] != told.true)[:10]
    assert html.count('<svg class="course"') == len(wrong)
    for name, words in (("is-true", "true"), ("is-given", "given"), ("is-other", "other")):
        fields = sum(
            answering.kind(answer, told.given[1, at], told.true[at]) == name
            for at in wrong
            for answer in told.answers[1, :, at]
        )
        assert html.count(f'<rect class="{name}"') == fields, words
