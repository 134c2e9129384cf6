"""The figure of a directive, a filter or a fork: who obeys, what it does to the chain and coins."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study import page as pages
from study import story
from study.page import Key, Mark, Page, Placed, Span
from study.runfolder import Run

NAME = "chain"
COMPLIANT_COLOUR, FREE_COLOUR = pages.MODEL_COLOUR, "#D55E00"
ENFORCE_COLOUR, FILTER_COLOUR, INCLUDE_COLOUR = "#0072B2", "#E69F00", "#D9D9D9"
LINE_COLOUR = "#B0B0B0"
BLACK, LINE, BAND = "#000000", "\N{EM DASH}", "\N{BLACK SQUARE}"
HEADROOM = 0.06
# What happens within weeks can't be seen in a run of years: it is drawn again, by itself.
BEFORE, AFTER = datetime.timedelta(days=14), datetime.timedelta(days=120)
LONG_DAYS = 480
ROWS = 4  # of words above the first panel
# Shares of the axis within which what happened is one mark, from the first that leaves room.
GROUPED_SPANS = (0.015, 0.04, 0.1, 0.2, 1.0)
NATURAL = 1e-2  # orphan rate below which nothing but delay may be its cause
OF_TWO = ("free_coin_value_share", "free_coin_hashrate_share", "free_price_usd")
SMOOTHED = (
    "enforcing_share",
    "filtering_share",
    "inclusion_rate",
    "orphan_rate",
    "hashrate_ehs",
    "free_coin_hashrate_share",
    "blocks",
)
TOLD = {"directive": "directive", "filter": "filter", "fork_proposed": "fork asked for"}


@dataclass(frozen=True)
class Panel:
    """A panel: its name, heading and height, what its colours are, and who draws it."""

    name: str
    heading: str
    height: float
    keys: tuple[Key, ...]
    draw: Callable[[Axes, pl.DataFrame], None]
    # Whether days have anything to show.
    shows: Callable[[pl.DataFrame], bool]


def chain(run: Run) -> Figure:
    """All panels over the whole run, and beside them the weeks after the first cause."""
    whole: Span = (run.case.start_date, run.series["date"][-1])
    near = close_up(run)
    spans = [whole] if near is None else [whole, near]
    page = Page(run, len(spans))
    page.title(str(run.facts["title"] or run.facts["name"]))
    if near is not None:
        page.heading("The whole run, means of 7 days", "Around the beginning, day by day")
    placed = [arranged(moments(run, span), span) for span in spans]
    levels = max((mark.row for marked in placed for mark in marked), default=-1) + 1
    shown = [panel for panel in panels(run) if panel.shows(_days(run.series, whole, False))]
    for row, panel in enumerate(shown):
        _draw_row(page, panel, spans, placed if row == 0 else None, levels)
    page.footer(_sources(run))
    return page.figure


def close_up(run: Run) -> Span | None:
    """The weeks around the first cause, if the run is so long that they would not be seen."""
    first, last = run.case.start_date, run.series["date"][-1]
    if (last - first).days < LONG_DAYS:
        return None
    causes = run.events.filter(pl.col("kind").is_in(story.CAUSES))["date"]
    begins = max(causes[0] - BEFORE, first)
    return begins, min(begins + BEFORE + AFTER, last)


def _draw_row(
    page: Page,
    panel: Panel,
    spans: Sequence[Span],
    placed: Sequence[Sequence[Placed]] | None,
    levels: int,
) -> None:
    """One panel over every span in which it has anything to show; marks above the first."""
    long = len(spans) > 1
    days = [_days(page.run.series, span, long and span is spans[0]) for span in spans]
    shown = [span if panel.shows(each) else None for span, each in zip(spans, days, strict=True)]
    page.heading(panel.heading)
    page.skip(levels * pages.MARK_ROW if placed else 0.0)
    row = page.beside(panel.name, panel.height, shown)
    for column, axes in enumerate(row):
        if axes is None:
            continue
        panel.draw(axes, days[column])
        _draw_dates(axes, page.run, spans[column])
        if placed:
            pages.draw_marks(axes, placed[column], panel.height)
    above = pages.HEADING + (levels * pages.MARK_ROW if placed else 0.0)
    if panel.keys:
        pages.draw_key(next(axes for axes in row if axes is not None), above, panel.keys)
    page.skip(pages.DATES)


def _days(series: pl.DataFrame, span: Span, smooth: bool) -> pl.DataFrame:
    """The days of a span, each a mean over the days around it if asked for."""
    # A free coin's part is one by default where there is none; means reach over its last days.
    two = pl.col("free_price_usd") > 0.0
    masked = [pl.when(two).then(pl.col(name)).alias(name) for name in OF_TWO]
    series = series.with_columns(masked)
    if smooth:
        series = series.with_columns(pages.smoothed(pl.col(name)) for name in SMOOTHED)
        series = series.with_columns(masked)
    return series.filter(pl.col("date").is_between(*span))


# Panels


def panels(run: Run) -> list[Panel]:
    """From who obeys to what the coins are worth."""
    comparable = run.facts["headline"].get("split_by") != "new_algorithm"
    coins = (Key("compliant coin", LINE, COMPLIANT_COLOUR, BLACK),
             Key("free coin", LINE, FREE_COLOUR, BLACK))  # fmt: skip
    parted = bool(story.splits(run).begun)
    both = coins if parted and comparable else ()
    return [
        Panel("shares", "What the hashrate does, %", 0.95, (
            Key("enforces", BAND, ENFORCE_COLOUR, BLACK),
            Key("filters", BAND, FILTER_COLOUR, BLACK),
            Key("includes", BAND, INCLUDE_COLOUR, BLACK),
        ), _draw_shares, _is_censored),
        Panel("inclusion", "Forbidden payments let in, % of normal", 0.55, (),
              _percent("inclusion_rate"), _is_censored),
        Panel("orphans", "Blocks orphaned, % of those found in 14 days", 0.55, (),
              _percent("orphan_rate"), _is_orphaned),
        Panel("hashrate", "Hashrate, EH/s", 0.85, (
            Key("both coins", LINE, BLACK, BLACK), coins[1]) if both else (),
            _hashrate(bool(both)), _always),
        Panel("blocks", "Blocks a day", 0.6, (), _draw_blocks, _always),
        Panel("difficulty", "Difficulty, trillions", 0.6, (), _draw_difficulty, _always),
        Panel("prices", "Price, thousand USD", 0.95, coins if parted else (),
              _draw_prices, _always),
        Panel("value", "Free coin, % of the value of both", 0.55, (), _draw_value, _has_parted),
    ]  # fmt: skip


def _always(days: pl.DataFrame) -> bool:
    return not days.is_empty()


def _is_censored(days: pl.DataFrame) -> bool:
    return bool(((days["enforcing_share"] + days["filtering_share"]) > 0.0).any())


def _is_orphaned(days: pl.DataFrame) -> bool:
    return bool((days["orphan_rate"] > NATURAL).any())


def _has_parted(days: pl.DataFrame) -> bool:
    return days["free_price_usd"].count() > 0


def _draw_shares(axes: Axes, days: pl.DataFrame) -> None:
    """Bands of the hashrate by what it does."""
    enforcing, filtering = (
        100.0 * days[name].to_numpy() for name in ("enforcing_share", "filtering_share")
    )
    bands = [enforcing, filtering, np.maximum(100.0 - enforcing - filtering, 0.0)]
    colours = [ENFORCE_COLOUR, FILTER_COLOUR, INCLUDE_COLOUR]
    axes.stackplot(days["date"].to_numpy(), bands, colors=colours, linewidth=0.0)
    _set_percent(axes, 100.0)


def _percent(name: str) -> Callable[[Axes, pl.DataFrame], None]:
    """Draws a share on its own scale."""

    def draw_share(axes: Axes, days: pl.DataFrame) -> None:
        pages.draw_line(axes, days.select("date", value=100.0 * pl.col(name)), BLACK)
        # A day without a value has no part in the scale.
        known = days[name].drop_nulls().to_numpy()
        _set_percent(axes, 100.0 * float(known.max(initial=0.0)))

    return draw_share


def _draw_value(axes: Axes, days: pl.DataFrame) -> None:
    share = 100.0 * pl.col("free_coin_value_share")
    pages.draw_line(axes, days.select("date", value=share), FREE_COLOUR)
    _set_percent(axes, 100.0)


def _hashrate(both: bool) -> Callable[[Axes, pl.DataFrame], None]:
    """Draws the hashrate, and the part of it on the free coin if that can be compared."""

    def draw_hashrate(axes: Axes, days: pl.DataFrame) -> None:
        pages.draw_line(axes, days.select("date", value=pl.col("hashrate_ehs")), BLACK)
        if both and _has_parted(days):
            part = pl.col("hashrate_ehs") * pl.col("free_coin_hashrate_share")
            pages.draw_line(axes, days.select("date", value=part), FREE_COLOUR)
        pages.set_scale(axes, HEADROOM, np.inf)

    return draw_hashrate


def _draw_blocks(axes: Axes, days: pl.DataFrame) -> None:
    pages.draw_line(axes, days.select("date", value=pl.col("blocks")), COMPLIANT_COLOUR)
    pages.set_scale(axes, HEADROOM, np.inf)


def _draw_difficulty(axes: Axes, days: pl.DataFrame) -> None:
    level = pl.col("difficulty") / 1e12
    pages.draw_line(axes, days.select("date", value=level), COMPLIANT_COLOUR)
    pages.set_scale(axes, HEADROOM, np.inf)


def _draw_prices(axes: Axes, days: pl.DataFrame) -> None:
    """Prices of one coin, then of two, on a logarithmic axis."""
    pages.draw_line(axes, days.select("date", value=pl.col("price_usd") / 1e3), COMPLIANT_COLOUR)
    if _has_parted(days):
        free = pl.col("free_price_usd") / 1e3
        pages.draw_line(axes, days.select("date", value=free), FREE_COLOUR)
    pages.set_scale(axes, HEADROOM, pages.LEAST_LOG_RATIO)


def _set_percent(axes: Axes, highest: float) -> None:
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0.0, max(highest, 1.0))
    # A line along the top would be cut in half.
    axes.set_ylim(0.0, 1.02 * ticks[-1])
    axes.set_yticks(ticks)


# Marks


def moments(run: Run, span: Span) -> list[tuple[datetime.date, str]]:
    """What happened within some dates that changes the chain, by date."""
    parted = story.splits(run)
    found = [(day, "split") for day in parted.begun] + [(day, "undone") for day in parted.undone]
    found += [
        (event["date"], TOLD[event["kind"]])
        for event in run.events.iter_rows(named=True)
        if event["kind"] in TOLD and not event["what"].startswith(story.ENDS)
    ]
    inside = [moment for moment in found if span[0] <= moment[0] <= span[1]]
    return sorted(inside, key=lambda moment: moment[0])


def arranged(happened: Sequence[tuple[datetime.date, str]], span: Span) -> list[Placed]:
    """Marks with room for their words, of which each may be of several moments."""
    placed: list[Placed] = []
    for part in GROUPED_SPANS:
        marks = [_mark(group) for group in pages.grouped(happened, part * (span[1] - span[0]))]
        placed = pages.arranged(marks, *span, rows=ROWS)
        if len(placed) == len(marks):
            break
    return placed


def _mark(group: Sequence[tuple[datetime.date, str]]) -> Mark:
    dates = tuple(day for day, _ in group)
    counts = Counter(what for _, what in group)
    words = [what if n == 1 else f"{n}\N{MULTIPLICATION SIGN} {what}" for what, n in counts.items()]
    return Mark(dates, f"{', '.join(words)}\n{pages.span_words(dates[0], dates[-1])}")


def _draw_dates(axes: Axes, run: Run, span: Span) -> None:
    """A thin line through the panel at each moment."""
    for day, _ in moments(run, span):
        axes.axvline(pages.number(day), color=LINE_COLOUR, linewidth=0.5, zorder=1.5)


def _sources(run: Run) -> str:
    facts = run.facts
    words = [f"Scenario {facts['name']}, seed {facts['seed']}, Hashatlas {facts['version']}."]
    if story.splits(run).begun:
        words.append(
            "After a split, payments, blocks and difficulty are those of the compliant coin."
        )
    if facts["headline"].get("split_by") == "new_algorithm":
        words.append("The free coin's hashrate is of another algorithm and is left out.")
    return " ".join(words)
