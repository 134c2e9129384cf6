"""The figure of a register paid by royalties: records, what miners earn, blocks and shares."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study import page as pages
from study.page import Key, Page
from study.runfolder import Run

NAME = "royalties"
BLACK, LINE, DASHES = "#000000", "\N{EM DASH}", "\N{EN DASH} \N{EN DASH}"
HEADROOM = 0.08
SMALL, TALL = 0.62, 1.25
KEY_ROW, KEY_GAP = 0.14, 0.03
MONTH_DAYS = 30
# Miners' income is spread over so many powers of ten at most: less of it is not seen.
DECADES = 4.0


class Earning(NamedTuple):
    """A source of miners' income: its column, name and colour."""

    column: str
    words: str
    colour: str


EARNINGS = (
    Earning("royalty_miners_usd_day", "royalties", "#0072B2"),
    Earning("block_sales_usd_day", "blocks sold", "#E69F00"),
    Earning("mining_share_income_usd_day", "shares", "#009E73"),
    Earning("escrow_income_usd_day", "escrow", "#CC79A7"),
    Earning("merge_mined_usd_day", "other chains", "#56B4E9"),
)
COST = Earning("royalty_miner_cost_usd_day", "cost", BLACK)


class Small(NamedTuple):
    """A small panel: its column, name and factor, and what is drawn of its days."""

    column: str
    words: str
    factor: float = 1.0
    of_days: Literal["each", "mean", "sum"] = "each"


RECORDS = (
    Small("royalty_issues_day", "issues", 1.0, "mean"),
    Small("royalty_transfers_day", "transfers", 1.0, "mean"),
)
BLOCKS = (
    Small("royalty_block_npv_ltc", "new block, 0.001 LTC", 1e3),
    Small("royalty_blocks_sold_day", "sold in 30 days, thousand", 1e-3, "sum"),
)
SHARES = (
    Small("mining_share_price_usd", "price, 0.001 USD", 1e3, "mean"),
    Small("mining_shares_active", "active, thousand", 1e-3),
)


def is_drawn(run: Run) -> bool:
    """Whether a run had a register paid by royalties."""
    terms = getattr(run.case, "royalties", None)
    return terms is not None and bool(terms.on)


def royalties(run: Run) -> Figure:
    """Records, miners' income, blocks as property and mining shares, on one time axis."""
    page = Page(run)
    page.title(str(run.facts["title"] or run.facts["name"]))
    _draw_pair(page, "Records a day, means of 7 days", RECORDS)
    _draw_earnings(page)
    _draw_pair(page, "Blocks as property", BLOCKS)
    _draw_pair(page, "Mining shares, price as means of 7 days", SHARES)
    page.footer(_sources(run))
    return page.figure


# Panels


def _draw_earnings(page: Page) -> None:
    """What miners earn by source and what mining costs them, on a logarithmic axis."""
    series = page.run.series
    shown = [earning for earning in EARNINGS if (series[earning.column].fill_null(0.0) > 0.0).any()]
    page.heading(f"What miners earn, USD a day, means of {MONTH_DAYS} days")
    keys = [Key(each.words, LINE, each.colour, BLACK) for each in shown]
    rows = _in_rows([*keys, Key(COST.words, DASHES, COST.colour, BLACK)])
    page.skip(KEY_ROW * len(rows))
    axes = page.axes("earnings", TALL)
    for earning in shown:
        pages.draw_line(axes, _monthly_mean(series, earning.column), earning.colour)
    pages.draw_line(axes, _monthly_mean(series, COST.column), COST.colour)
    axes.lines[-1].set_dashes((3.0, 2.0))
    for row, keys in enumerate(rows):
        pages.draw_key(axes, KEY_ROW * (len(rows) - row) + KEY_GAP, keys)
    _set_log(axes)
    page.skip(pages.DATES)


def _in_rows(keys: list[Key]) -> list[list[Key]]:
    """Keys in as many rows as they need."""
    rows: list[list[Key]] = [[]]
    for key in keys:
        if sum(map(_width, [*rows[-1], key])) > pages.WIDE:
            rows.append([])
        rows[-1].append(key)
    return rows


def _width(key: Key) -> float:
    """Inches that a key takes with the room beside it."""
    points = pages.SIGN_GAP + pages.KEY_GAP
    words = pages.width_of(key.words) + pages.width_of(key.sign)
    return words + points / pages.POINTS_PER_INCH


def _monthly_mean(series: pl.DataFrame, column: str) -> pl.DataFrame:
    """The mean over the month before each day; none where nothing was earned."""
    mean = pl.col(column).fill_null(0.0).rolling_mean(MONTH_DAYS, min_samples=1)
    value = pl.when(mean > 1e-12).then(mean)
    return series.select("date", value=value)


def _set_log(axes: Axes) -> None:
    """A logarithmic axis that leaves out what is thousands of times less than the most."""
    pages.set_scale(axes, HEADROOM, pages.LEAST_LOG_RATIO)
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(max(low, high / 10.0**DECADES), high)


def _draw_pair(page: Page, heading: str, pair: tuple[Small, Small]) -> None:
    """Two panels side by side, each with its own scale and its name above it."""
    page.heading(heading)
    page.skip(pages.NAME_ROW)
    for column, small in enumerate(pair):
        axes = page.axes(small.column, SMALL, column, len(pair))
        axes.annotate(small.words, (0, 1), (2, 1.5), "axes fraction", "offset points", va="bottom")
        _draw_small(axes, page.run.series, small)
    page.skip(pages.DATES)


def _draw_small(axes: Axes, series: pl.DataFrame, small: Small) -> None:
    scaled = series.select("date", value=small.factor * pl.col(small.column).fill_null(0.0))
    value = pl.col("value")
    drawn = {
        "each": value,
        "mean": pages.smoothed(value),
        "sum": value.rolling_sum(MONTH_DAYS, min_samples=1),
    }
    pages.draw_line(axes, scaled.select("date", value=drawn[small.of_days]))
    pages.set_scale(axes, HEADROOM, np.inf)


def _sources(run: Run) -> str:
    facts = run.facts
    return (
        f"Scenario {facts['name']}, seed {facts['seed']}, Hashatlas {facts['version']}. Income is "
        "of all miners together; blocks sold pay royalties to their buyers from then on."
    )
