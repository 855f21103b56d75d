"""Figures of one look: a style, drawing primitives on tidy tables, and the way a figure gets on to the page."""

from genbook.figures.axes import layer, log_axis, percent_axis, ticks
from genbook.figures.draw import band, dots, intervals, points, reference, theory
from genbook.figures.html import claims_table, verdict_badge
from genbook.figures.labels import end_label, spread_labels
from genbook.figures.page import annotate, show
from genbook.figures.style import COLORS, LINES, color, graded, subplots, use

__all__ = [
    "COLORS",
    "LINES",
    "annotate",
    "band",
    "claims_table",
    "color",
    "dots",
    "end_label",
    "graded",
    "intervals",
    "layer",
    "log_axis",
    "percent_axis",
    "points",
    "reference",
    "show",
    "spread_labels",
    "subplots",
    "theory",
    "ticks",
    "use",
    "verdict_badge",
]
