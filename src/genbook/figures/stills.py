"""Pictures of what a figure that is computed in the page shows at first: for print, and for who has no scripts."""

from __future__ import annotations

import base64
import io

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from genbook.figures import labels, style
from genbook.figures.images import compressed


def still(figure: Figure) -> str:
    """Return a finished figure as HTML with its image in it, and close it; its words are those of the moving figure."""
    labels.spread_labels(figure)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=style.DPI, metadata={"Software": None})
    width, height = (round(inches * style.DPI / 2) for inches in figure.get_size_inches())
    plt.close(figure)
    data = base64.b64encode(compressed(image.getvalue())).decode()
    source = f"data:image/png;base64,{data}"
    return f'<div class="panel wide"><img class="turn" alt="" width="{width}" height="{height}" src="{source}"></div>'
