"""Charts as text: SVG written by hand, small enough to be sent anew with every frame."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#7F7F7F", "#222222"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GREY, BLACK)
# In units of half a pixel, so that whole numbers are fine enough.
WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 92, 14, 16, 44
HALF_LETTER = 6.0  # of the size that labels have
HALF_LETTER = 6.0  # of the size that labels have
MOST_POINTS = 220
MOST_TICKS = 5
NOTHING = 1e-6  # what rounding leaves
# Dashes tell lines apart without their colours.
DASHES = ("", "14 8", "4 6", "18 6 4 6")


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name, and one value a day (NaN where there is none)."""

    name: str
    values: np.ndarray
    colour: str = BLUE


@dataclass(frozen=True)
class Span:
    """The days of a chart, counted from a date."""

    start: datetime.date
    days: int

    def x(self, day: float | np.ndarray) -> np.ndarray:
        """Where a day lies."""
        width = WIDTH - LEFT - RIGHT
        return np.asarray(LEFT + width * np.asarray(day) / max(self.days - 1, 1))


def picked(size: int, most: int = MOST_POINTS) -> np.ndarray:
    """Rows of a series to draw: all of them, or evenly spread ones, the last among them."""
    if size <= most:
        return np.arange(size)
    return np.unique(np.linspace(0, size - 1, most).astype(np.int64))


# Axes


def nice_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers between two bounds."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [step * each for each in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two bounds of a logarithmic axis."""
    if high < 4.0 * low:
        return nice_ticks(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [10.0**decade * step for decade in decades for step in steps]
        inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(inside) <= MOST_TICKS + 1:
            break
    return inside if len(inside) > 1 else [low, high]


def date_ticks(span: Span) -> list[tuple[int, str]]:
    """Days of an axis and their names: years, or months where there are few."""
    months = span.days / 30.44
    every = next((each for each in (1, 2, 3, 6, 12, 24, 60, 120, 240) if months / each <= 5), 600)
    ticks, year, month = [], span.start.year, span.start.month
    while True:
        month += 1
        if month > 12:
            year, month = year + 1, 1
        day = (datetime.date(year, month, 1) - span.start).days
        if day >= span.days:
            break
        if (12 * year + month - 1) % every == 0:
            name = str(year) if every >= 12 else f"{datetime.date(year, month, 1):%b %Y}"
            ticks.append((day, name))
    return ticks or [(0, f"{span.start:%d %b %Y}")]


def number(value: float) -> str:
    """A number in at most four digits, thousands in words of their own."""
    if not math.isfinite(value):
        return "none"
    size = abs(value)
    if size < NOTHING:
        return "0"
    for least, unit in ((1e12, "T"), (1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if size >= least:
            return f"{value / (1e3 if unit == 'k' else least):.3g} {unit}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"


# Pieces


def text(x: float, y: float, words: str, anchor: str = "middle", kind: str = "") -> str:
    """Words at a place."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def polyline(x: np.ndarray, y: np.ndarray) -> str:
    """The data of a path through points; gaps where there is no number."""
    pieces, pen = [], "M"
    for across, down in zip(x.tolist(), y.tolist(), strict=True):
        if math.isfinite(down):
            pieces.append(f"{pen}{across:.0f} {down:.0f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(pieces)


def framed(title: str, alternative: str, body: str, keys: str = "", unit: str = "") -> str:
    """A figure: heading, unit, key, and the drawing with its alternative text."""
    return (
        f'<figure class="panel"><figcaption><b>{escape(title)}</b>'
        f'<span class="unit">{escape(unit)}</span>{keys}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alternative)}">'
        f"{body}</svg></figure>"
    )


def key(named: Sequence[tuple[str, str]], dashed: bool = False) -> str:
    """What the colours of a figure mean."""
    items = []
    for row, (name, colour) in enumerate(named):
        dash = DASHES[row % len(DASHES)] if dashed else ""
        mark = (
            f'<svg class="swatch" viewBox="0 0 36 12" aria-hidden="true"><path d="M0 6H36" '
            f'stroke="{colour}" stroke-width="5" stroke-dasharray="{dash}"/></svg>'
            if dashed
            else f'<i class="swatch" style="background:{colour}"></i>'
        )
        items.append(f"<span>{mark}{escape(name)}</span>")
    return f'<span class="key">{"".join(items)}</span>'


def axes(span: Span, ticks: Sequence[tuple[float, str]]) -> str:
    """Grid lines with their numbers, and dates below."""
    base = HEIGHT - BOTTOM
    pieces = [
        f'<path class="grid" d="{"".join(f"M{LEFT} {y:.0f}H{WIDTH - RIGHT}" for y, _ in ticks)}"/>'
    ]
    pieces += [text(LEFT - 8, y + 8, words, "end") for y, words in ticks]
    for day, words in date_ticks(span):
        x = float(span.x(day))
        pieces.append(f'<path class="tick" d="M{x:.0f} {base}v8"/>')
        # The last date stays on the panel.
        pieces.append(text(min(x, WIDTH - HALF_LETTER * len(words)), base + 32, words))
    return "".join(pieces)


def marked(span: Span, days: Sequence[int]) -> str:
    """Upright lines on days on which something happened."""
    inside = [day for day in days if 0 <= day < span.days]
    path = "".join(f"M{float(span.x(day)):.0f} {TOP}V{HEIGHT - BOTTOM}" for day in inside)
    return f'<path class="mark" d="{path}"/>' if path else ""


# Charts


def empty(title: str, words: str, unit: str = "") -> str:
    """A figure that has nothing to show yet."""
    return framed(
        title, f"{title}: {words}", text(WIDTH / 2, HEIGHT / 2, words, kind="none"), "", unit
    )


def lines(
    title: str,
    unit: str,
    span: Span,
    drawn: Sequence[Line],
    log: bool = False,
    low: float | None = None,
    high: float | None = None,
    marks: Sequence[int] = (),
) -> str:
    """A chart of lines over dates.

    Parameters
    ----------
    log : whether equal steps are equal factors.
    low, high : ends of the axis; as the values have them, if absent.
    marks : days with an upright line.
    """
    rows = [picked(each.values.size) for each in drawn]
    shown = [each.values[row] for each, row in zip(drawn, rows, strict=True)]
    every = np.concatenate(shown) if shown else np.zeros(0)
    every = every[np.isfinite(every) & (every > 0 if log else True)]
    if every.size == 0:
        return empty(title, "nothing yet", unit)
    bottom, top = _ends(every, low, high, log)
    ticks = log_ticks(bottom, top) if log else nice_ticks(bottom, top)
    pieces = [
        axes(span, [(float(_y(np.array([t]), bottom, top, log)[0]), number(t)) for t in ticks]),
        marked(span, marks),
    ]
    for place, (each, row, values) in enumerate(zip(drawn, rows, shown, strict=True)):
        path = polyline(span.x(row), _y(values, bottom, top, log))
        dash = DASHES[place % len(DASHES)] if len(drawn) > 1 else ""
        pieces.append(
            f'<path class="line" stroke="{each.colour}" stroke-dasharray="{dash}" d="{path}"/>'
        )
    keys = key([(each.name, each.colour) for each in drawn], True) if len(drawn) > 1 else ""
    return framed(title, _alternative(title, unit, drawn), "".join(pieces), keys, unit)


def _ends(
    values: np.ndarray, low: float | None, high: float | None, log: bool
) -> tuple[float, float]:
    bottom = float(values.min()) if low is None else low
    top = float(values.max()) if high is None else max(high, float(values.max()))
    if log:
        return bottom / 1.1, top * 1.1
    room = 0.06 * (top - bottom) or abs(top) * 0.05 or 1.0
    return bottom - room * (low is None), top + room * (high is None)


def _y(values: np.ndarray, bottom: float, top: float, log: bool) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = (
            np.log(values / bottom) / np.log(top / bottom)
            if log
            else (values - bottom) / (top - bottom)
        )
    scaled = np.where(np.isfinite(scaled), np.clip(scaled, -0.02, 1.02), np.nan)
    return np.asarray(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * scaled)


def _alternative(title: str, unit: str, drawn: Sequence[Line]) -> str:
    told = []
    for each in drawn:
        seen = each.values[np.isfinite(each.values)]
        if seen.size:
            told.append(f"{each.name} {number(float(seen[-1]))}, at first {number(float(seen[0]))}")
    return f"{title}, {unit}: {'; '.join(told)}"


def areas(
    title: str, unit: str, span: Span, names: Sequence[str], shares: np.ndarray,
    marks: Sequence[int] = (),
) -> str:  # fmt: skip
    """Shares that add up to one, as bands over dates; `shares` is [day, band]."""
    if len(shares) == 0:
        return empty(title, "nothing yet", unit)
    rows = picked(len(shares), MOST_POINTS // 2)
    edges = np.concatenate((np.zeros((rows.size, 1)), np.cumsum(shares[rows], axis=1)), axis=1)
    x, heights = span.x(rows), _y(edges, 0.0, 1.0, False)
    pieces = []
    for band in range(shares.shape[1]):
        over, under = polyline(x, heights[:, band + 1]), polyline(x[::-1], heights[::-1, band])
        colour = PALETTE[band % len(PALETTE)]
        pieces.append(f'<path fill="{colour}" d="{over}L{under[1:]}z"/>')
    levels = _y(np.array([0.0, 0.5, 1.0]), 0.0, 1.0, False).tolist()
    ticks = list(zip(levels, ("0", "50 %", "100 %"), strict=True))
    pieces += [axes(span, ticks), marked(span, marks)]
    order = np.argsort(-shares[-1], kind="stable")
    now = ", ".join(f"{names[band]} {shares[-1, band]:.0%}" for band in order)
    keys = key([(name, PALETTE[band % len(PALETTE)]) for band, name in enumerate(names)])
    return framed(title, f"{title}: {now}", "".join(pieces), keys, unit)
