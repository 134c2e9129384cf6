"""What figures are made of: a page filled from the top down, dates, scales, marks and lines."""

from __future__ import annotations

import datetime
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from study.runfolder import Run

Span = tuple[datetime.date, datetime.date]

FORMATS = ("png", "svg")
DOTS_PER_INCH = 250

# Okabe and Ito's palette, which colour-blind readers can tell apart.
MODEL_COLOUR = "#0072B2"
OBSERVED_COLOUR = "#000000"
CALIBRATION_COLOUR = "#D55E00"
MARK_COLOUR = "#404040"

# Inches: one column of a journal.
WIDTH = 3.5
LEFT, RIGHT, EDGE = 0.42, 0.20, 0.06
WIDE = WIDTH - LEFT - RIGHT
HEADING, DATES, NAME_ROW = 0.19, 0.20, 0.17
COLUMN_GAP = 0.40
MARK_ROW, MARK_ROWS, MOST_MARKS, WORD_GAP = 0.21, 3, 8, 0.06
POINTS_PER_INCH = 72.0
SIGN_GAP, KEY_GAP = 4.0, 7.0  # points
ONE_DAY = datetime.timedelta(days=1)
# Months between dates on an axis, and inches that a date takes with the room beside it.
TICK_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 300, 600)
SHORT_DAYS = 62
LABEL_WIDTHS = {"%Y-%m-%d": 0.62, "%Y-%m": 0.42, "%Y": 0.30}

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 8.0, 6.8, 5.8
STAMP_SIZE, STAMP_COLOUR = 5.0, "#707070"
SMOOTHED_DAYS = 7
# From this ratio of the highest to the lowest value on, a linear axis hides the low ones.
LOG_RATIO = 20.0
LEAST_LOG_RATIO = 3.0  # below it a logarithmic axis could be left without any number

FONT = "DejaVu Sans"
STYLE: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": TEXT_SIZE,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "ytick.minor.size": 1.0,
    # The same run gives the same bytes.
    "svg.hashsalt": "hashatlas",
    # Journals refuse fonts that are drawn rather than embedded.
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Mark:
    """Something that happened on one day or a few, in one or two short lines."""

    dates: tuple[datetime.date, ...]
    words: str


@dataclass(frozen=True)
class Placed(Mark):
    """A mark with its row above the axes and, in inches, its line and the ends of its words."""

    row: int
    line: float
    left: float
    right: float


class Key(NamedTuple):
    """What a sign of a colour stands for."""

    words: str
    sign: str
    colour: str
    words_colour: str


class Sheet:
    """A figure so many inches wide that is filled from the top down."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.figure = Figure(figsize=(self.width, WIDTH), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(self.figure)
        self._used = EDGE
        self._places: list[tuple[Axes, float, float, float, float]] = []

    def skip(self, inches: float) -> None:
        """Leave room."""
        self._used += inches

    def place(self, name: str, left: float, width: float, height: float) -> Axes:
        """Axes below what is there; what follows is beside them until room is left for them."""
        place = (left / self.width, 0.1, width / self.width, 0.1)
        axes = self.figure.add_axes(place, label=name)
        self._places.append((axes, left, self._used, width, height))
        return axes

    def title(self, words: str) -> None:
        """The title, in as many lines as it needs."""
        lines = textwrap.wrap(words, round(50 * self.width / WIDTH))
        self.write("\n".join(lines), TITLE_SIZE, weight="bold")
        self.skip(0.15 * len(lines) + 0.06)

    def footer(self, words: str) -> None:
        """Small print; afterwards the page has its height."""
        lines = textwrap.wrap(words, round(74 * self.width / WIDTH))
        self.write("\n".join(lines), SMALL_SIZE, colour=MARK_COLOUR)
        self.skip(0.105 * len(lines) + EDGE)
        self._settle()

    def write(
        self,
        words: str,
        size: float,
        weight: str = "normal",
        colour: str = "black",
        left: float = EDGE,
    ) -> None:
        """Words below what is there; no room is left for them."""
        text = self.figure.text(
            left / self.width, self._used, words, size=size, weight=weight, color=colour, va="top"
        )
        text.set_linespacing(1.15)
        # A title may speak of dollars.
        text.set_parse_math(False)

    def _settle(self) -> None:
        """Give the page its height, and what was measured from the top its place."""
        height = self._used
        self.figure.set_size_inches(self.width, height)
        for text in self.figure.texts:
            text.set_y(1.0 - text.get_position()[1] / height)
        for axes, left, top, width, tall in self._places:
            axes.set_position(
                (left / self.width, 1 - (top + tall) / height, width / self.width, tall / height)
            )


class Page(Sheet):
    """The figure of a run, one or two columns of a journal wide."""

    def __init__(self, run: Run, columns: int = 1) -> None:
        super().__init__(columns * WIDTH)
        self.run = run
        self.first, self.last = run.case.start_date, run.series["date"][-1]

    def axes(self, name: str, height: float, column: int = 0, columns: int = 1) -> Axes:
        """Axes in a part of the first column below what is there; the last part moves on."""
        width = (WIDE - (columns - 1) * COLUMN_GAP) / columns
        axes = self.place(name, LEFT + column * (width + COLUMN_GAP), width, height)
        if column == columns - 1:
            self._used += height
        set_dates(axes, self.first, self.last, width)
        return axes

    def beside(self, name: str, height: float, spans: Sequence[Span | None]) -> list[Axes | None]:
        """Axes side by side, one a column, each with its own dates; none where it has none."""
        row: list[Axes | None] = []
        for column, span in enumerate(spans):
            if span is None:
                row.append(None)
                continue
            axes = self.place(f"{name} {column}", LEFT + column * WIDTH, WIDE, height)
            set_dates(axes, *span, WIDE)
            row.append(axes)
        self._used += height
        return row

    def heading(self, *words: str) -> None:
        """A line above the axes that follow, in each column."""
        for column, each in enumerate(words):
            self.write(each, TEXT_SIZE, weight="bold", left=EDGE + column * WIDTH)
        self.skip(HEADING)


def stretched(figure: Figure, width: float) -> None:
    """Make a finished figure so many inches wide; margins and words keep their size."""
    before, height = figure.get_size_inches()
    scale = (width - LEFT - RIGHT) / (before - LEFT - RIGHT)

    def moved(inches: float) -> float:
        """What stands at a margin stays there, all else moves with the panels."""
        return inches if inches <= LEFT else LEFT + (inches - LEFT) * scale

    for text in figure.texts:
        text.set_x(moved(text.get_position()[0] * before) / width)
    for axes in figure.axes:
        place = axes.get_position()
        left, right = moved(place.x0 * before), moved(place.x1 * before)
        axes.set_position((left / width, place.y0, (right - left) / width, place.height))
    figure.set_size_inches(width, height)


def stamped(figure: Figure, words: str) -> None:
    """Put small grey words below a finished figure, which grows by as much."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(words, round(96 * width / WIDTH))
    taller = height + 0.09 * len(lines) + 0.02
    for text in figure.texts:
        text.set_y(1.0 - (1.0 - text.get_position()[1]) * height / taller)
    for axes in figure.axes:
        place = axes.get_position()
        bottom = 1.0 - (1.0 - place.y0) * height / taller
        axes.set_position((place.x0, bottom, place.width, place.height * height / taller))
    figure.set_size_inches(width, taller)
    foot = figure.text(
        EDGE / width, 0.04 / taller, "\n".join(lines), size=STAMP_SIZE, color=STAMP_COLOUR,
        va="bottom", linespacing=1.1, parse_math=False,
    )  # fmt: skip
    foot.set_gid("stamp")


# Lines


def draw_line(axes: Axes, path: pl.DataFrame, colour: str = MODEL_COLOUR) -> None:
    """A line through dates and values."""
    # A line of one point would not be seen.
    alone = path.height == 1
    axes.plot(
        path["date"].to_numpy(), path["value"].to_numpy(), "o" if alone else "-",
        color=colour, linewidth=1.1, markersize=3.0, clip_on=not alone,
    )  # fmt: skip


def draw_path(axes: Axes, series: pl.DataFrame, name: str) -> None:
    """A daily series, as a mean over the days around each day."""
    draw_line(axes, series.select("date", value=smoothed(pl.col(name))))


def smoothed(column: pl.Expr) -> pl.Expr:
    """The mean over the days around each day."""
    return column.rolling_mean(SMOOTHED_DAYS, min_samples=1, center=True)


def draw_key(axes: Axes, above: float, keys: Sequence[Key]) -> None:
    """What signs stand for, in a line so many inches above the axes, from the right."""
    right = 0.0
    for key in reversed(keys):
        for words, colour, gap in (
            (key.words, key.words_colour, SIGN_GAP),
            (key.sign, key.colour, KEY_GAP),
        ):
            axes.annotate(
                words, (1, 1), (right, POINTS_PER_INCH * above - 1.0), "axes fraction",
                "offset points", ha="right", va="top", color=colour,
            )  # fmt: skip
            right -= width_of(words) * POINTS_PER_INCH + gap


def draw_marks(axes: Axes, placed: Sequence[Placed], tall: float) -> None:
    """A triangle at each date on axes so many inches tall, and words above the first."""
    across = axes.get_xaxis_transform()
    for mark in placed:
        days = np.array([number(date) for date in mark.dates])
        height = 1.0 + (mark.row * MARK_ROW + 0.04) / tall
        for dates, heights, sign in (
            (days, [1.0] * len(days), "v"),
            (days[[0, 0]], [1.0, height], "-"),
        ):
            axes.plot(
                dates, heights, sign, transform=across, clip_on=False,
                color=MARK_COLOUR, markersize=2.5, markeredgewidth=0, linewidth=0.4,
            )  # fmt: skip
        # Measured from the line, so that words stay with it when the figure is made wider.
        axes.annotate(
            mark.words, ((mark.line - LEFT) / WIDE, height),
            (POINTS_PER_INCH * (mark.left - mark.line), 0.0), "axes fraction", "offset points",
            size=SMALL_SIZE, va="bottom", linespacing=1.05, color=MARK_COLOUR,
            annotation_clip=False,
        )  # fmt: skip


def set_dates(axes: Axes, first: datetime.date, last: datetime.date, width: float) -> None:
    """Real dates on the time axis, few enough to be read."""
    axes.set_xlim(number(first), number(max(last, first + ONE_DAY)))
    dates, form = date_ticks(first, last, width)
    axes.set_xticks([number(date) for date in dates], [f"{date:{form}}" for date in dates])


def date_ticks(
    first: datetime.date, last: datetime.date, width: float
) -> tuple[list[datetime.date], str]:
    """Dates to write below an axis so many inches wide, and their format."""
    if (last - first).days < SHORT_DAYS:
        form = "%Y-%m-%d"
        return _spread_days(first, (last - first).days, int(width / LABEL_WIDTHS[form])), form
    for months in TICK_MONTHS:
        form = "%Y-%m" if months < 12 else "%Y"
        dates = _month_starts(first, last, months)
        if len(dates) <= width / LABEL_WIDTHS[form]:
            break
    return dates, form


def _spread_days(first: datetime.date, days: int, most: int) -> list[datetime.date]:
    """Days at equal distances in the middle of a few."""
    step = -(-(days + 1) // most)
    count = (days + 1) // step
    # A date at the right end would be written beyond it.
    count -= count > 1 and (days - step * (count - 1)) // 2 == 0
    start = (days - step * (count - 1)) // 2
    return [first + (start + step * place) * ONE_DAY for place in range(count)]


def _month_starts(first: datetime.date, last: datetime.date, step: int) -> list[datetime.date]:
    """First days of every `step`-th month between two dates."""
    # Counted from year 0, so that steps of years fall on round years.
    numbers = range(12 * first.year // step * step, 12 * last.year + 12, step)
    starts = [datetime.date(number // 12, number % 12 + 1, 1) for number in numbers]
    return [date for date in starts if first <= date <= last]


def set_scale(axes: Axes, headroom: float, ratio: float = LOG_RATIO) -> None:
    """Linear from zero, or logarithmic where values differ by more than a ratio."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    if low > 0 and high / low > ratio:
        axes.set_yscale("log")
        low *= 0.8
        axes.set_ylim(low, low * (high / low) ** (1.0 / (1.0 - headroom)))
        # Over less than two decades powers of ten alone would leave one number, or none.
        subs = (1.0,) if high / low > 300 else (1.0, 2.0, 5.0)
        axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=9))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0.0, high / (1.0 - headroom))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))


# Marks


def day_words(date: datetime.date) -> str:
    """A date as the marks have it."""
    return f"{date.day} {date:%b %Y}"


def span_words(first: datetime.date, last: datetime.date) -> str:
    """Two dates as the marks have them; one if they are the same."""
    if first == last:
        return day_words(first)
    begins = day_words(first)
    if first.year == last.year:
        begins = str(first.day) if first.month == last.month else f"{first.day} {first:%b}"
    return f"{begins}\N{EN DASH}{day_words(last)}"


def grouped(
    moments: Sequence[tuple[datetime.date, str]], near: datetime.timedelta
) -> list[list[tuple[datetime.date, str]]]:
    """What happened, with words, in groups that follow each other closely."""
    groups: list[list[tuple[datetime.date, str]]] = []
    for moment in moments:
        if groups and moment[0] - groups[-1][-1][0] <= near:
            groups[-1].append(moment)
        else:
            groups.append([moment])
    return groups


def arranged(
    happened: Sequence[Mark], first: datetime.date, last: datetime.date, rows: int = MARK_ROWS
) -> list[Placed]:
    """Marks with room for their words; as many of them, in order, as find room."""
    for count in range(min(len(happened), MOST_MARKS), 0, -1):
        choices = [_choices(mark, first, last, rows) for mark in happened[:count]]
        placed = _fitted(choices, [])
        if placed is not None:
            return placed
    return []


def _choices(mark: Mark, first: datetime.date, last: datetime.date, rows: int) -> list[Placed]:
    """Every row, and in it words centred on the mark, ending at it and beginning at it."""
    line = LEFT + fraction(mark.dates[0], first, last) * WIDE
    width = width_of(mark.words, SMALL_SIZE)
    latest = WIDTH - EDGE - width
    lefts = [min(max(line - part * width, EDGE), latest) for part in (0.5, 1.0, 0.0)]
    return [
        Placed(mark.dates, mark.words, row, line, left, left + width)
        for row in range(rows)
        for left in lefts
    ]


def _fitted(choices: Sequence[Sequence[Placed]], placed: list[Placed]) -> list[Placed] | None:
    """The first choice for each mark such that none clash, if there is one."""
    if len(placed) == len(choices):
        return placed
    for choice in choices[len(placed)]:
        if not any(_clash(choice, other) for other in placed):
            found = _fitted(choices, [*placed, choice])
            if found is not None:
                return found
    return None


def _clash(one: Placed, other: Placed) -> bool:
    """Whether the words of two marks, or the line of one and the words of the other, meet."""
    if one.row == other.row:
        return one.left < other.right + WORD_GAP and other.left < one.right + WORD_GAP
    lower, upper = sorted((one, other), key=lambda placed: placed.row)
    return lower.left - WORD_GAP / 2 < upper.line < lower.right + WORD_GAP / 2


def fraction(day: datetime.date, first: datetime.date, last: datetime.date) -> float:
    """How far a day lies between two others."""
    return (day - first) / max(last - first, ONE_DAY)


def number(date: datetime.date) -> float:
    """A date as the time axis counts it."""
    return float(date2num(date))  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def width_of(words: str, size: float = TEXT_SIZE) -> float:
    """Width in inches of the longest line."""
    font = FontProperties(family=FONT)
    paths = (TextPath((0, 0), line, size=size, prop=font) for line in words.split("\n"))
    return float(max(path.get_extents().x1 for path in paths)) / POINTS_PER_INCH


# Files


def save(figure: Figure, target: Path, facts: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Write under a temporary name and rename, so that no reader sees half a picture.

    The facts are about what is shown, by names that the format knows.
    """
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(target.suffix, {})
    try:
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata=undated | dict(facts))
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
