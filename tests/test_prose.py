"""What stands on a page in words."""

import math

import pytest

from genbook.results import chapter, pages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"right on {math.nan:.0%} of them", "right on (not measured) of them"),
        (
            f"{math.nan:.2f}, then {-math.nan:+.1f}; {math.nan:.1%}.",
            "(not measured), then (not measured); (not measured).",
        ),
        (f"**{math.nan:.3g}** times", "**(not measured)** times"),
        ("Nan and the dominant nanometre, `np.nanmean`", "Nan and the dominant nanometre, `np.nanmean`"),
        (f"{0.25:.0%} of 3", "25% of 3"),
        (f"{3643:.2g} and {-1e6:.0e}, {0.0000213:.2g}", "3,600 and −1,000,000, 2.1 × 10⁻⁵"),
        ("2e-06, 1e+09; `1e-3`", "2 × 10⁻⁶, 1 × 10⁹; `1e-3`"),
    ],
)
def test_a_number_that_is_none_is_said_in_words(text, said):
    assert pages.in_words(text) == said


def test_prose_captions_and_alt_texts_hold_no_number_that_is_none(monkeypatch):
    shown = []
    monkeypatch.setattr(chapter, "display", lambda what: shown.append(what.data))
    monkeypatch.setattr(chapter.figures, "show", lambda figure, **words: shown.extend([words["caption"], words["alt"]]))
    page = chapter.Chapter("02_random_vs_real_labels", profile="smoke")
    page.say(f"It is {math.nan:.0%}.")
    page.show(None, name="fig", caption=f"C {math.nan:.1f}", alt=f"A {math.nan:.1f}", tables=[])
    assert shown == ["It is (not measured).", "C (not measured)", "A (not measured)"]
