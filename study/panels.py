"""Panels of a run or an ensemble: paths, bands over the runs, shares of the runs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from model.metrics import wilson_interval
from study import frames
from study import page as pages
from study.page import COLUMN_GAP, DATES, EDGE, HEADING, LEFT, NAME_ROW, RIGHT, Key, Sheet
from study.quantities import Quantity, quantity
from study.wording import nation_names

# Inches that one and two columns of a journal are wide, and the panels beside each other in them.
WIDTHS = {1: 3.5, 2: 7.2}
ACROSS = {1: 2, 2: 3}
PANEL_HEIGHT = 0.72
HEADROOM = 0.06
# The same hue thrice: the line, the middle half of the runs, nine tenths of them.
LINE_COLOUR, HALF_COLOUR, MOST_COLOUR = pages.MODEL_COLOUR, "#7FB8D8", "#CCE3F0"
MAIN = (
    "price_usd",
    "hashrate_ehs",
    "hashprice_usd_ph_day",
    "asic_price_usd_th",
    "power_gw",
    "power_cost_usd_mwh",
    "efficiency_j_th",
    "electricity_share_of_opex",
    "top_nation_share",
    "top_template_share",
    "share_under_10mw",
    "share_over_100mw",
)
NATIONS = 12
ROW = 0.30  # of a share of runs, with its words
Label = tuple[str, float, float, float, str]


@dataclass(frozen=True)
class Cell:
    """A panel: its name, its heading, and who draws it on axes so many inches wide."""

    name: str
    heading: str
    draw: Callable[[Axes, float], None]


# One run, or many


def run_figure(folder: Path, names: Sequence[str], columns: int) -> Figure | None:
    """A panel for each series of a run; none if none has a value."""
    table = frames.frame(folder)
    cells = [
        _path_cell(table, name) for name in names if name in table.columns and table[name].count()
    ]
    words = f"Means of {pages.SMOOTHED_DAYS} days."
    return _sheet(folder, columns, cells, (), words) if cells else None


def bands_figure(folder: Path, names: Sequence[str], columns: int) -> Figure | None:
    """A panel for each series of an ensemble, with bands over its runs."""
    known = set(frames.lazy(folder).collect_schema().names())
    spread = frames.bands(folder, [name for name in names if name in known], pages.SMOOTHED_DAYS)
    cells = []
    for name in names:
        table = spread.filter((pl.col("series") == name) & (pl.col("runs") > 0))
        if not table.is_empty():
            cells.append(_band_cell(quantity(name), table))
    words = f"{_counted(folder)}, means of {pages.SMOOTHED_DAYS} days."
    return _sheet(folder, columns, cells, BAND_KEYS, words) if cells else None


def nations_figure(folder: Path, columns: int) -> Figure | None:
    """The largest nations' shares of the hashrate, by site, with bands over the runs."""
    spread = nation_bands(folder)
    if spread.is_empty():
        return None
    names = nation_names()
    reached = spread.group_by("member").agg(pl.col("p50").max())
    largest = reached.sort(["p50", "member"], descending=[True, False]).head(NATIONS)["member"]
    cells = [
        _band_cell(
            Quantity(nation, _capital(names.get(nation, nation)), "%", 100.0),
            spread.filter(pl.col("member") == nation),
        )
        for nation in largest
    ]
    words = f"Share of the hashrate by site; {_counted(folder)}. Each nation has its own scale."
    return _sheet(folder, columns, cells, BAND_KEYS, words)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def nation_bands(folder: Path) -> pl.DataFrame:
    """The spread of nations' shares over runs: date, member, runs, mean and quantiles."""
    held = frames.shares(folder).filter(pl.col("grouping") == "nation")
    runs, days = held.select("seed").unique(), held.select("date").unique()
    whole = runs.join(days, how="cross").join(held.select("member").unique(), how="cross")
    # A nation without hashrate has no row.
    share = whole.join(held, ["seed", "date", "member"], "left").fill_null(0.0)
    part = pl.col("share")
    spread = [part.quantile(at, "linear").alias(word) for word, at in frames.QUANTILES.items()]
    table = share.group_by("date", "member").agg(
        part.len().alias("runs"), part.mean().alias("mean"), *spread
    )
    return table.sort("member", "date")


BAND_KEYS = (
    Key("median", "\N{EM DASH}", LINE_COLOUR, "#000000"),
    Key("half of the runs", "\N{BLACK SQUARE}", HALF_COLOUR, "#000000"),
    Key("nine tenths", "\N{BLACK SQUARE}", MOST_COLOUR, "#000000"),
)


def _counted(folder: Path) -> str:
    runs = len(frames.run_folders(folder))
    return f"{runs} run{'s' if runs > 1 else ''}"


def _path_cell(table: pl.DataFrame, name: str) -> Cell:
    told = quantity(name).scaled(highest(table[name]))
    value = (told.factor * pl.col(name)).alias("value")
    path = table.select("date", value).with_columns(value=pages.smoothed(pl.col("value")))

    def draw(axes: Axes, width: float) -> None:
        pages.draw_line(axes, path)
        pages.set_dates(axes, *_ends(path), width)
        _set_scale(axes, told)

    return Cell(name, told.label, draw)


def _band_cell(plain: Quantity, table: pl.DataFrame) -> Cell:
    told = plain.scaled(highest(table["p95"]))
    levels = table.select("date", pl.col(*frames.QUANTILES) * told.factor)

    def draw(axes: Axes, width: float) -> None:
        days = levels["date"].to_numpy()
        for low, high, colour in (("p05", "p95", MOST_COLOUR), ("p25", "p75", HALF_COLOUR)):
            axes.fill_between(
                days, levels[low].to_numpy(), levels[high].to_numpy(), color=colour, linewidth=0.0
            )
        pages.draw_line(axes, levels.select("date", value=pl.col("p50")))
        # Without width, so that the scale reaches over the bands.
        for edge in ("p05", "p95"):
            axes.plot(days, levels[edge].to_numpy(), color=MOST_COLOUR, linewidth=0.0)
        pages.set_dates(axes, *_ends(levels), width)
        _set_scale(axes, told)

    return Cell(plain.name, told.label, draw)


def _set_scale(axes: Axes, told: Quantity) -> None:
    """A share is linear from zero, however small it once was."""
    pages.set_scale(axes, HEADROOM, np.inf if told.unit == "%" else pages.LOG_RATIO)


def highest(column: pl.Series) -> float:
    known = column.drop_nulls().abs().to_numpy()
    return float(known.max(initial=0.0))


def _ends(table: pl.DataFrame) -> tuple[datetime.date, datetime.date]:
    return table["date"][0], table["date"][-1]


def _sheet(
    folder: Path, columns: int, cells: Sequence[Cell], keys: Sequence[Key], words: str
) -> Figure:
    """Panels in rows, below a title, with what their colours are."""
    sheet = Sheet(WIDTHS[columns])
    sheet.title(frames.stamp(folder).title)
    if keys:
        _write_keys(sheet, keys)
    fill(sheet, cells, min(ACROSS[columns], len(cells)))
    sheet.footer(words)
    return sheet.figure


def _write_keys(sheet: Sheet, keys: Sequence[Key]) -> None:
    """What signs stand for, in a line from the left."""
    left = EDGE
    for key in keys:
        sheet.write(key.sign, pages.TEXT_SIZE, colour=key.colour, left=left)
        left += pages.width_of(key.sign) + pages.SIGN_GAP / pages.POINTS_PER_INCH
        sheet.write(key.words, pages.TEXT_SIZE, colour=key.words_colour, left=left)
        left += pages.width_of(key.words) + 2.0 * pages.KEY_GAP / pages.POINTS_PER_INCH
    sheet.skip(HEADING)


def fill(sheet: Sheet, cells: Sequence[Cell], across: int) -> None:
    """Panels of one width, up to so many in a row, each with its heading."""
    across, size = _fitting(sheet.width, [cell.heading for cell in cells], across)
    pitch = _pitch(sheet.width, across)
    width = pitch - COLUMN_GAP
    for begin in range(0, len(cells), across):
        row = cells[begin : begin + across]
        for place, cell in enumerate(row):
            sheet.write(cell.heading, size, left=EDGE + place * pitch)
        sheet.skip(NAME_ROW)
        for place, cell in enumerate(row):
            cell.draw(sheet.place(cell.name, LEFT + place * pitch, width, PANEL_HEIGHT), width)
        sheet.skip(PANEL_HEIGHT + DATES + 0.04)


def _pitch(width: float, across: int) -> float:
    """Inches from one panel to the next, the gap between them included."""
    return (width - LEFT - RIGHT + COLUMN_GAP) / across


def _fitting(width: float, headings: Sequence[str], across: int) -> tuple[int, float]:
    """How many panels beside each other, and the size of letters, leave room for headings."""
    sizes = (pages.TEXT_SIZE, pages.SMALL_SIZE)
    choices = [(number, size) for number in range(across, 0, -1) for size in sizes]
    for number, size in choices:
        room = _pitch(width, number) - pages.WORD_GAP
        if all(pages.width_of(words, size) < room for words in headings):
            return number, size
    return choices[-1]


# Shares of runs


def outcomes_figure(folder: Path, columns: int) -> Figure:
    """How many runs of an ensemble ended in each class of outcome, with intervals."""
    sheet = Sheet(WIDTHS[columns])
    sheet.title(frames.stamp(folder).title)
    counted = outcome_shares(folder)
    rows = [
        (f"{row['outcome']}, {row['outcome_name']}", 100.0 * row["low"], 100.0 * row["share"],
         100.0 * row["high"], f"{row['runs']} of {row['of']}")
        for row in counted.iter_rows(named=True)
    ]  # fmt: skip
    sheet.write("Share of the runs by their outcome, %", pages.TEXT_SIZE, weight="bold")
    sheet.skip(NAME_ROW)
    draw_labelled(sheet, "outcomes", rows, (0.0, 100.0))
    sheet.footer(f"{_counted(folder)}; bars are 95 % intervals (Wilson).")
    return sheet.figure


def outcome_shares(folder: Path) -> pl.DataFrame:
    """Classes of outcome by their share of the runs, with 95 % intervals (Wilson)."""
    counts = frames.runs(folder).group_by("outcome", "outcome_name").agg(pl.len().alias("runs"))
    of = int(counts["runs"].sum())
    bounds = [wilson_interval(runs, of) for runs in counts["runs"]]
    return counts.with_columns(
        of=pl.lit(of),
        share=pl.col("runs") / of,
        low=pl.Series([low for low, _ in bounds], dtype=pl.Float64),
        high=pl.Series([high for _, high in bounds], dtype=pl.Float64),
    ).sort("outcome")


def draw_labelled(
    sheet: Sheet, name: str, rows: Sequence[Label], scale: tuple[float, float]
) -> None:
    """Dots with intervals, one below another, each with its words above and a note at the end."""
    tall = ROW * len(rows)
    axes = sheet.place(name, EDGE + RIGHT, sheet.width - 2.0 * (EDGE + RIGHT), tall)
    for place, (words, low, middle, high, note) in enumerate(rows):
        axes.plot([middle], [place], "o", color=LINE_COLOUR, markersize=3.5, clip_on=False)
        axes.plot([low, high], [place, place], color=LINE_COLOUR, linewidth=1.1, clip_on=False)
        for x, text, side in ((0.0, words, "left"), (1.0, note, "right")):
            axes.annotate(
                text, (x, place), (0.0, 3.5), ("axes fraction", "data"), "offset points",
                ha=side, va="bottom", size=pages.SMALL_SIZE,
            )  # fmt: skip
    # The first row needs room for its words above it.
    axes.set_ylim(len(rows) - 0.7, -0.7)
    axes.set_xlim(*scale)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    sheet.skip(tall + DATES + 0.04)
