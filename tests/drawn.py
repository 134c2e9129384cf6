"""What a figure shows in words, and where: for tests of every figure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def texts(figure: Figure) -> Iterator[Text]:
    """Every text that is drawn."""
    yield from figure.texts
    for axes in figure.axes:
        yield from axes.texts
        for axis, view in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            yield axis.label
            for tick in axis.get_major_ticks():
                if tick.label1.get_visible() and view[0] <= tick.get_loc() <= view[1]:
                    yield tick.label1


def boxes(figure: Figure) -> dict[str, Bbox]:
    """Where each text stands."""
    shown = [text for text in texts(figure) if text.get_text().strip()]
    return {f"{n} {text.get_text()}": text.get_window_extent() for n, text in enumerate(shown)}


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that lie on each other."""
    found = boxes(figure)
    return [
        (one, other)
        for one, other in itertools.combinations(found, 2)
        if Bbox.intersection(found[one], found[other]) is not None
    ]


def outside(figure: Figure) -> list[str]:
    """Texts that leave the page."""
    page = figure.bbox
    return [
        words
        for words, box in boxes(figure).items()
        if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1
    ]
