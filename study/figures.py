"""The figure of a run: its history beside what was observed."""

from __future__ import annotations

import datetime
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from model import geography
from model.atlas import DATA
from model.scenario import Scenario
from model.units import HALVING_BLOCKS
from study import runfolder
from study.runfolder import Run
from study.wording import nation_names

NAME = "history"
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
WIDE_HEIGHT, SMALL_HEIGHT = 1.35, 0.56
HEADING, DATES, NAME_ROW = 0.19, 0.20, 0.17
COLUMN_GAP = 0.40
MARK_ROW, MARK_ROWS, MOST_MARKS, WORD_GAP = 0.21, 3, 8, 0.06
POINTS_PER_INCH = 72.0
ONE_DAY = datetime.timedelta(days=1)
# Months between dates on an axis, and inches that a date takes with the room beside it.
TICK_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 300, 600)
SHORT_DAYS = 62
DAYS_PER_MONTH = 30.4
LABEL_WIDTHS = {"%Y-%m-%d": 0.62, "%Y-%m": 0.42, "%Y": 0.30}

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 8.0, 6.8, 5.8
NATIONS = 7
SMOOTHED_DAYS = 7
# From this ratio of the highest to the lowest value on, a linear axis hides the low ones.
LOG_RATIO = 20.0
HEADROOM, ROOM_FOR_WORDS = 0.05, 0.16
GROUPED_SPAN = 0.05  # bans closer than this share of the axis are one mark

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
    "svg.hashsalt": NAME,
}


@dataclass(frozen=True)
class Observed:
    """What was observed in the days of a run: columns date, value and date, member, share."""

    hashrate: pl.DataFrame
    shares: pl.DataFrame


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


def draw(folder: Path) -> list[Path]:
    """Draw the history of the finished run in a folder into that folder; return the files."""
    run = runfolder.read(folder)
    with matplotlib.rc_context(STYLE):
        figure = history(run, observe(run.case))
        return [_save(figure, folder / f"{NAME}.{suffix}") for suffix in FORMATS]


def observe(case: Scenario, data: Path = DATA) -> Observed:
    """The monthly observations that a scenario is comparable with, each in mid-month.

    None where the coin price was not the historical one: that world never was.
    """
    comparable = case.price.mode == "historical"
    first, last = (case.start_date, case.end_date) if comparable else (datetime.date.max,) * 2
    month = (pl.col("month") + "-15").str.to_date().alias("date")
    within = pl.col("date").is_between(first, last)
    network = geography.load_monthly(data, "network")
    nations = geography.load_monthly(data, "nation_share")
    hashrate = network.select(month, value=pl.col("hashrate_ehs").cast(pl.Float64))
    shares = nations.select(
        month, member=pl.col("nation"), share=pl.col("share_pct").cast(pl.Float64) / 100.0
    )
    return Observed(hashrate.filter(within).drop_nulls(), shares.filter(within).drop_nulls())


def history(run: Run, observed: Observed) -> Figure:
    """Hashrate, hashprice if nothing was observed, and nations' shares, on one time axis."""
    page = Page(run)
    shares = _nation_shares(run, observed)
    shown = largest_nations(shares, observed.shares)
    page.title(str(run.facts["title"] or run.facts["name"]))
    _draw_hashrate(page, observed, marks(run, shown))
    if observed.hashrate.is_empty():
        _draw_hashprice(page)
    if shown:
        _draw_nations(page, shares, observed.shares, shown)
    page.footer(_sources(run, observed))
    return page.figure


class Page:
    """A figure of fixed width that is filled from the top down."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.figure = Figure(figsize=(WIDTH, WIDTH), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(self.figure)
        self.first, self.last = run.case.start_date, run.series["date"][-1]
        self._used = EDGE
        self._places: list[tuple[Axes, float, float, float, float]] = []

    def skip(self, inches: float) -> None:
        """Leave room."""
        self._used += inches

    def axes(self, name: str, height: float, column: int = 0, columns: int = 1) -> Axes:
        """Axes of one column below what is there; the last column moves on."""
        width = (WIDTH - LEFT - RIGHT - (columns - 1) * COLUMN_GAP) / columns
        left = LEFT + column * (width + COLUMN_GAP)
        axes = self.figure.add_axes((left / WIDTH, 0.1, width / WIDTH, 0.1), label=name)
        self._places.append((axes, left, self._used, width, height))
        if column == columns - 1:
            self._used += height
        _set_dates(axes, self.first, self.last, width)
        return axes

    def title(self, words: str) -> None:
        """The title, in as many lines as it needs."""
        lines = textwrap.wrap(words, 50)
        self._write("\n".join(lines), TITLE_SIZE, weight="bold")
        self.skip(0.15 * len(lines) + 0.06)

    def footer(self, words: str) -> None:
        """Small print; afterwards the page has its height."""
        lines = textwrap.wrap(words, 74)
        self._write("\n".join(lines), SMALL_SIZE, colour=MARK_COLOUR)
        self.skip(0.105 * len(lines) + EDGE)
        self._settle()

    def heading(self, words: str) -> None:
        """A line above the axes that follow."""
        self._write(words, TEXT_SIZE, weight="bold")
        self.skip(HEADING)

    def _write(
        self, words: str, size: float, weight: str = "normal", colour: str = "black"
    ) -> None:
        text = self.figure.text(
            EDGE / WIDTH, self._used, words, size=size, weight=weight, color=colour, va="top"
        )
        text.set_linespacing(1.15)

    def _settle(self) -> None:
        """Give the page its height, and what was measured from the top its place."""
        height = self._used
        self.figure.set_size_inches(WIDTH, height)
        for text in self.figure.texts:
            text.set_y(1.0 - text.get_position()[1] / height)
        for axes, left, top, width, tall in self._places:
            axes.set_position(
                (left / WIDTH, 1.0 - (top + tall) / height, width / WIDTH, tall / height)
            )


# Panels


def _draw_hashrate(page: Page, observed: Observed, happened: Sequence[Mark]) -> None:
    """The top panel, with the marks and the words about calibration."""
    page.heading("Hashrate, EH/s")
    placed = arranged(happened, page.first, page.last)
    levels = max((mark.row for mark in placed), default=-1) + 1
    page.skip(levels * MARK_ROW)
    axes = page.axes("hashrate", WIDE_HEIGHT)
    compared, end = not observed.hashrate.is_empty(), page.run.case.calibration_end
    _draw_key(axes, levels * MARK_ROW, compared)
    _draw_path(axes, page.run.series, "hashrate_ehs")
    _draw_points(axes, observed.hashrate, end)
    _set_scale(axes, ROOM_FOR_WORDS if compared else HEADROOM)
    _draw_marks(axes, placed)
    if compared:
        _draw_calibration_end(axes, end)
        _write_calibration(axes, end, page.first, page.last)
    page.skip(DATES)


def _draw_hashprice(page: Page) -> None:
    page.heading("Hashprice, USD/PH/day")
    axes = page.axes("hashprice", 0.7 * WIDE_HEIGHT)
    _draw_path(axes, page.run.series, "hashprice_usd_ph_day")
    _set_scale(axes, HEADROOM)
    page.skip(DATES)


def _draw_nations(
    page: Page, shares: pl.DataFrame, observed: pl.DataFrame, shown: Sequence[str]
) -> None:
    """One small panel a nation, two in a row, and the rest of the world."""
    way = "by site" if observed.is_empty() else "as miners report it"
    page.heading(f"Share of the hashrate {way}, %")
    model, points = _merged(shares, shown).fill_null(0.0), _merged(observed, shown)
    names = nation_names() | {geography.REST: "Other"}
    panels = [nation for nation in (*shown, geography.REST) if nation in model.columns]
    for place, nation in enumerate(panels):
        # An odd one takes the whole row.
        columns = 1 if place == len(panels) - 1 and place % 2 == 0 else 2
        page.skip(NAME_ROW if place % 2 == 0 else 0.0)
        axes = page.axes(nation, SMALL_HEIGHT, place % 2, columns)
        _draw_nation(axes, nation, names.get(nation, nation), model, points, page.run.case)
        if place < len(panels) - 2:
            axes.tick_params(labelbottom=False)
    page.skip(DATES + 0.02)


def _draw_nation(
    axes: Axes, nation: str, name: str, model: pl.DataFrame, points: pl.DataFrame, case: Scenario
) -> None:
    axes.annotate(name, (0, 1), (2, 1.5), "axes fraction", "offset points", va="bottom")
    _draw_line(axes, model.select("date", value=100.0 * pl.col(nation)))
    if nation in points.columns:
        seen = points.select("date", value=100.0 * pl.col(nation)).drop_nulls()
        _draw_points(axes, seen, case.calibration_end)
        _draw_calibration_end(axes, case.calibration_end)
    ticks = MaxNLocator(3, steps=[1, 2, 4, 5, 10]).tick_values(
        0.0, 1.03 * max(axes.dataLim.y1, 0.1)
    )
    axes.set_ylim(0.0, ticks[-1])
    axes.set_yticks(ticks)


# What panels are made of


def _draw_line(axes: Axes, path: pl.DataFrame) -> None:
    # A line of one point would not be seen.
    alone = path.height == 1
    axes.plot(
        path["date"].to_numpy(), path["value"].to_numpy(), "o" if alone else "-",
        color=MODEL_COLOUR, linewidth=1.1, markersize=3.0, clip_on=not alone,
    )  # fmt: skip


def _draw_path(axes: Axes, series: pl.DataFrame, name: str) -> None:
    """A daily series, as a mean over the days around each day."""
    smooth = pl.col(name).rolling_mean(SMOOTHED_DAYS, min_samples=1, center=True)
    _draw_line(axes, series.select("date", value=smooth))


def _draw_points(axes: Axes, points: pl.DataFrame, end: datetime.date | None) -> None:
    """Observed months: full where calibration used them, else hollow."""
    used = pl.col("date") <= (end or datetime.date.min)
    # Dots of neighbouring months touch rather than cover each other.
    first, last = axes.get_xlim()
    month = POINTS_PER_INCH * WIDTH * axes.get_position().width * DAYS_PER_MONTH / (last - first)
    for part, face in ((points.filter(used), OBSERVED_COLOUR), (points.filter(~used), "white")):
        if not part.is_empty():
            axes.plot(
                part["date"].to_numpy(), part["value"].to_numpy(), "o",
                markersize=np.clip(month, 1.0, 2.2), markerfacecolor=face,
                markeredgecolor=OBSERVED_COLOUR, markeredgewidth=0.4,
            )  # fmt: skip


def _draw_key(axes: Axes, above: float, compared: bool) -> None:
    """What line and dots are, in the line of the heading."""
    words = [(f"model, {SMOOTHED_DAYS}-day mean", MODEL_COLOUR, "\N{EM DASH} ")]
    if compared:
        words.append(("observed month", OBSERVED_COLOUR, "\N{BULLET} "))
    right = 0.0
    for text, colour, sign in reversed(words):
        offset = (right, POINTS_PER_INCH * (above + HEADING) - 1.0)
        axes.annotate(
            sign + text, (1, 1), offset, "axes fraction", "offset points",
            ha="right", va="top", color=colour,
        )  # fmt: skip
        right -= _width(sign + text) * POINTS_PER_INCH + 7.0


def _draw_calibration_end(axes: Axes, end: datetime.date | None) -> None:
    """A line where calibration ends, if that is in view."""
    low, high = axes.get_xlim()
    if end is not None and low < _number(end) < high:
        line = axes.axvline(_number(end), color=CALIBRATION_COLOUR, linewidth=0.7, dashes=(4, 2))
        line.set_gid("calibration end")


def _write_calibration(
    axes: Axes, end: datetime.date | None, first: datetime.date, last: datetime.date
) -> None:
    """Say beside the line what was used for calibration and what was not."""
    place = float(np.clip(_fraction(end or first, first, last), 0.0, 1.0))
    sides = (
        ("right", -3.0, place, ("used for calibration", "used")),
        ("left", 3.0, 1.0 - place, ("not used for calibration", "not used")),
    )
    for side, offset, room, choices in sides:
        fitting = [words for words in choices if _width(words) + 0.06 < room * _wide_width()]
        if fitting:
            axes.annotate(
                fitting[0], (place, 1), (offset, -1.0), "axes fraction", "offset points",
                ha=side, va="top", color=CALIBRATION_COLOUR,
            )  # fmt: skip


def _draw_marks(axes: Axes, placed: Sequence[Placed]) -> None:
    """A triangle at each date, and the words above with a thin line down to the first."""
    across = axes.get_xaxis_transform()
    for mark in placed:
        days = np.array([_number(date) for date in mark.dates])
        height = 1.0 + (mark.row * MARK_ROW + 0.04) / WIDE_HEIGHT
        for dates, heights, sign in (
            (days, [1.0] * len(days), "v"),
            (days[[0, 0]], [1.0, height], "-"),
        ):
            axes.plot(
                dates, heights, sign, transform=across, clip_on=False,
                color=MARK_COLOUR, markersize=2.5, markeredgewidth=0, linewidth=0.4,
            )  # fmt: skip
        axes.text(
            (mark.left - LEFT) / _wide_width(), height, mark.words, transform=axes.transAxes,
            size=SMALL_SIZE, va="bottom", linespacing=1.05, color=MARK_COLOUR,
        )  # fmt: skip


def _set_dates(axes: Axes, first: datetime.date, last: datetime.date, width: float) -> None:
    """Real dates on the time axis, few enough to be read."""
    axes.set_xlim(_number(first), _number(max(last, first + ONE_DAY)))
    dates, form = date_ticks(first, last, width)
    axes.set_xticks([_number(date) for date in dates], [f"{date:{form}}" for date in dates])


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


def _set_scale(axes: Axes, headroom: float) -> None:
    """Linear from zero, or logarithmic where values differ too much for that."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    if low > 0 and high / low > LOG_RATIO:
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


# Nations


def _nation_shares(run: Run, observed: Observed) -> pl.DataFrame:
    """The model's shares, as miners report them where the observed ones are reported."""
    grouping = "nation" if observed.shares.is_empty() else "reported_nation"
    return run.shares.filter(pl.col("grouping") == grouping).drop("grouping")


def largest_nations(shares: pl.DataFrame, observed: pl.DataFrame) -> list[str]:
    """Nations by the largest share they reach; of what was observed, only those itemised."""
    merged = (geography.REST, *geography.INFLATED_BY_PROXIES)
    reached = pl.concat([shares, observed.select(shares.columns)])
    if not observed.is_empty():
        reached = reached.filter(pl.col("member").is_in(observed["member"].unique().to_list()))
        reached = reached.filter(~pl.col("member").is_in(merged))
    reached = reached.filter(pl.col("member") != geography.REST)
    ranked = reached.group_by("member").agg(pl.col("share").max())
    ranked = ranked.sort(["share", "member"], descending=[True, False]).head(NATIONS)
    return list(ranked["member"])


def _merged(shares: pl.DataFrame, shown: Sequence[str]) -> pl.DataFrame:
    """One column a nation that is shown, and one for all others."""
    member = pl.when(pl.col("member").is_in(list(shown))).then(pl.col("member"))
    table = shares.with_columns(member=member.otherwise(pl.lit(geography.REST)))
    wide = table.group_by("date", "member").agg(pl.col("share").sum())
    return wide.pivot("member", index="date", values="share").sort("date")


# Marks


def marks(run: Run, shown: Sequence[str]) -> list[Mark]:
    """Halvings, and the bans that begin during the run in nations that are shown, by date."""
    first, last = run.case.start_date, run.series["date"][-1]
    names = nation_names()
    bans = sorted(
        (event.effective, names.get(nation, nation))
        for event in run.case.events
        if event.kind == "ban" and first < event.effective <= last
        for nation in [event.subject.split("-")[0]]
        if nation in shown
    )
    near = datetime.timedelta(days=GROUPED_SPAN * (last - first).days)
    found = halvings(run) + [_ban(group) for group in _grouped(bans, near)]
    return sorted(found, key=lambda mark: mark.dates)


def halvings(run: Run) -> list[Mark]:
    """The days on which the subsidy halved."""
    start = run.case.start.height
    height = start + run.series["blocks"].fill_null(0).cum_sum().to_numpy()
    eras = np.concatenate(([start], height)) // HALVING_BLOCKS
    days = [run.series["date"][int(row)] for row in np.flatnonzero(np.diff(eras))]
    return [Mark((day,), f"halving\n{_day(day)}") for day in days]


def _grouped(
    bans: Sequence[tuple[datetime.date, str]], near: datetime.timedelta
) -> list[list[tuple[datetime.date, str]]]:
    """Bans in groups that follow each other closely."""
    groups: list[list[tuple[datetime.date, str]]] = []
    for ban in bans:
        if groups and ban[0] - groups[-1][-1][0] <= near:
            groups[-1].append(ban)
        else:
            groups.append([ban])
    return groups


def _ban(group: Sequence[tuple[datetime.date, str]]) -> Mark:
    dates = tuple(day for day, _ in group)
    where = ", ".join(dict.fromkeys(name for _, name in group))
    when = _day(dates[0])
    if dates[-1] != dates[0]:
        when = f"{dates[0].day} {dates[0]:%b}\N{EN DASH}{_day(dates[-1])}"
        if dates[0].year != dates[-1].year:
            when = f"{_day(dates[0])}\N{EN DASH}{_day(dates[-1])}"
    return Mark(dates, f"{'bans' if len(group) > 1 else 'ban'}: {where}\n{when}")


def _day(date: datetime.date) -> str:
    return f"{date.day} {date:%b %Y}"


def arranged(happened: Sequence[Mark], first: datetime.date, last: datetime.date) -> list[Placed]:
    """Marks with room for their words; as many of them, in order, as find room."""
    for count in range(min(len(happened), MOST_MARKS), 0, -1):
        choices = [_choices(mark, first, last) for mark in happened[:count]]
        placed = _fitted(choices, [])
        if placed is not None:
            return placed
    return []


def _choices(mark: Mark, first: datetime.date, last: datetime.date) -> list[Placed]:
    """Every row, and in it words centred on the mark, ending at it and beginning at it."""
    line = LEFT + _fraction(mark.dates[0], first, last) * _wide_width()
    width = _width(mark.words, SMALL_SIZE)
    latest = WIDTH - EDGE - width
    lefts = [min(max(line - part * width, EDGE), latest) for part in (0.5, 1.0, 0.0)]
    return [
        Placed(mark.dates, mark.words, row, line, left, left + width)
        for row in range(MARK_ROWS)
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


def _fraction(day: datetime.date, first: datetime.date, last: datetime.date) -> float:
    return (day - first) / max(last - first, ONE_DAY)


def _number(date: datetime.date) -> float:
    """A date as the time axis counts it."""
    return float(date2num(date))  # type: ignore[no-untyped-call]


def _wide_width() -> float:
    return WIDTH - LEFT - RIGHT


@lru_cache(maxsize=1024)
def _width(words: str, size: float = TEXT_SIZE) -> float:
    """Width in inches of the longest line."""
    font = FontProperties(family=FONT)
    paths = (TextPath((0, 0), line, size=size, prop=font) for line in words.split("\n"))
    return float(max(path.get_extents().x1 for path in paths)) / POINTS_PER_INCH


# Words and files


def _sources(run: Run, observed: Observed) -> str:
    facts = run.facts
    words = [f"Scenario {facts['name']}, seed {facts['seed']}, Hashatlas {facts['version']}."]
    if not observed.hashrate.is_empty():
        words.append("Observed hashrate: block headers by way of Coin Metrics.")
    if not observed.shares.is_empty():
        words.append(
            "Observed shares: Cambridge; Germany and Ireland, inflated by proxies, are in Other."
        )
    if not run.shares.is_empty():
        words.append("Each nation has its own scale.")
    return " ".join(words)


def _save(figure: Figure, target: Path) -> Path:
    """Write under a temporary name and rename, so that no reader sees half a picture."""
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        figure.savefig(
            temporary, dpi=DOTS_PER_INCH, metadata={"Date": None} if target.suffix == ".svg" else {}
        )
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
