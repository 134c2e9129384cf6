"""The figure of a chain with virtual mining: three routes, waste, a norm, and votes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from study import page as pages
from study.chain_figure import BAND, BLACK, LINE, LINE_COLOUR, Panel, arranged
from study.page import Key, Page, Placed, Span
from study.runfolder import Run

NAME = "virtual_mining"
MINE_COLOUR, DONATE_COLOUR, BUY_COLOUR = "#D55E00", "#0072B2", "#000000"
LOOP_COLOUR = "#56B4E9"
NEXT_COLOUR = "#E69F00"
HONOURED, BROKEN = "\N{BLACK CIRCLE}", "\N{MULTIPLICATION SIGN}"
THOUSAND, HEADROOM = 1e3, 0.06
# What happens while donations are rewarded would not be seen in a run that is much longer.
AFTER = datetime.timedelta(days=40)
LONG = 2.5
TOLD = {
    "routes_equal": "routes equal",
    "donations_end": "donations end",
    "norm_broken": "norm broken",
    "norm_restored": "norm restored",
}
SMOOTHED = (
    "pts_price_usd",
    "mine_cost_usd",
    "donate_cost_usd",
    "route_spread",
    "pts_mining_spend_usd_day",
    "ags_donations_usd_day",
    "ags_recycled_usd_day",
)


def is_drawn(run: Run) -> bool:
    """Whether a chain with virtual mining lived in the run."""
    terms = getattr(run.case, "virtual_mining", None)
    return terms is not None and terms.on and run.series["pts_price_usd"].count() > 0


def virtual_mining(run: Run) -> Figure:
    """All panels over the whole run, and beside them the days of donations if it is long."""
    whole: Span = (run.case.start_date, run.series["date"][-1])
    near = days_of_donations(run)
    spans = [whole] if near is None else [whole, near]
    page = Page(run, len(spans))
    page.title(str(run.facts["title"] or run.facts["name"]))
    if near is not None:
        page.heading("The whole run", "While donations are rewarded")
    placed = [arranged(moments(run, span), span) for span in spans]
    levels = max((mark.row for marked in placed for mark in marked), default=-1) + 1
    series = smooth(run.series)
    shown = [panel for panel in panels() if panel.shows(series)]
    for row, panel in enumerate(shown):
        _draw_row(page, panel, series, spans, placed if row == 0 else None, levels)
    page.footer(_sources(run))
    return page.figure


def days_of_donations(run: Run) -> Span | None:
    """From the first donation to some weeks after the last, if the run is much longer."""
    given = run.series.filter(pl.col("ags_donations_usd_day") > 0.0)["date"]
    if given.is_empty():
        return None
    first, last = given[0], given[-1] + AFTER
    whole = run.series["date"][-1] - run.case.start_date
    return (first, last) if whole > LONG * (last - first) else None


def smooth(series: pl.DataFrame) -> pl.DataFrame:
    """Days of the run, what differs by chance from day to day as a mean over days around."""
    means = [_mean(pl.col(name)).alias(name) for name in SMOOTHED]
    launched, honoured = (_new(name) for name in ("dacs_launched", "dacs_honouring"))
    return series.with_columns(*means, launched=launched, honoured=honoured)


def _mean(column: pl.Expr) -> pl.Expr:
    """The mean over days around, but not over days on which there was no such thing."""
    there = pl.when(column > 0.0)
    return there.then(pages.smoothed(there.then(column))).otherwise(column)


def _new(name: str) -> pl.Expr:
    """How many more a day has than the day before."""
    return pl.col(name) - pl.col(name).shift(1, fill_value=0.0)


def _draw_row(
    page: Page,
    panel: Panel,
    series: pl.DataFrame,
    spans: Sequence[Span],
    placed: Sequence[Sequence[Placed]] | None,
    levels: int,
) -> None:
    """One panel over every span; marks above the first."""
    raised = levels * pages.MARK_ROW if placed else 0.0
    page.heading(panel.heading)
    page.skip(raised)
    row = page.beside(panel.name, panel.height, spans)
    for column, axes in enumerate(row):
        if axes is None:
            continue
        panel.draw(axes, series.filter(pl.col("date").is_between(*spans[column])))
        for day, _ in moments(page.run, spans[column]):
            axes.axvline(pages.number(day), color=LINE_COLOUR, linewidth=0.5, zorder=1.5)
        if placed:
            pages.draw_marks(axes, placed[column], panel.height)
        if column == 0 and panel.keys:
            pages.draw_key(axes, pages.HEADING + raised, panel.keys)
    page.skip(pages.DATES)


# Panels


def panels() -> list[Panel]:
    """From what a unit costs to who decides."""
    return [
        Panel("routes", "What a unit costs, USD", 0.95, (
            _key("mined", MINE_COLOUR), _key("donated for", DONATE_COLOUR),
            _key("bought", BUY_COLOUR),
        ), _draw_routes, _has("pts_price_usd")),
        Panel("spread", "Dearest less cheapest route, % of the price", 0.5, (),
              _percent(("route_spread", BLACK)), _has("route_spread")),
        Panel("spending", "Spent, thousand USD a day", 0.85, (
            _key("wasted", MINE_COLOUR, BAND), _key("kept", DONATE_COLOUR, BAND),
            _key("given again", LOOP_COLOUR, BAND),
        ), _draw_spending, _is_longer_than_a_day),
        Panel("norm", "Founders expected to honour, %", 0.7, (
            _key("honoured", DONATE_COLOUR, HONOURED), _key("did not", MINE_COLOUR, BROKEN),
        ), _draw_norm, _has("norm_reputation")),
        Panel("professionals", "Who mines and sells at once, %", 0.6, (
            _key("of the work", MINE_COLOUR), _key("of the stake", DONATE_COLOUR),
        ), _percent(("professional_work_share", MINE_COLOUR),
                    ("professional_stake_share", DONATE_COLOUR)),
              _has("professional_work_share")),
        Panel("votes", "Votes give miners, %", 0.7, (
            _key("by work", MINE_COLOUR), _key("by stake", DONATE_COLOUR),
            _key("as counted", NEXT_COLOUR),
        ), _draw_votes, _has("vote")),
        Panel("concentration", "Fewest agents with over half", 0.6, (
            _key("of the work", MINE_COLOUR), _key("of the stake", DONATE_COLOUR),
        ), _draw_nakamoto, _has("work_nakamoto")),
    ]  # fmt: skip


def _key(words: str, colour: str, sign: str = LINE) -> Key:
    return Key(words, sign, colour, BLACK)


def _has(name: str) -> Callable[[pl.DataFrame], bool]:
    """Whether any day has a value."""
    return lambda days: days[name].count() > 0


def _is_longer_than_a_day(days: pl.DataFrame) -> bool:
    """Whether a band has any width."""
    return days.height > 1


def _draw_routes(axes: Axes, days: pl.DataFrame) -> None:
    for name, colour in (
        ("pts_price_usd", BUY_COLOUR),
        ("mine_cost_usd", MINE_COLOUR),
        ("donate_cost_usd", DONATE_COLOUR),
    ):
        pages.draw_line(axes, days.select("date", value=pl.col(name)), colour)
    pages.set_scale(axes, HEADROOM)


def _draw_spending(axes: Axes, days: pl.DataFrame) -> None:
    """Bands of what is spent on work, kept, and kept only as a loop."""
    work, given, loop = (
        days[name].fill_null(0.0).to_numpy() / THOUSAND
        for name in ("pts_mining_spend_usd_day", "ags_donations_usd_day", "ags_recycled_usd_day")
    )
    bands = [work, np.maximum(given - loop, 0.0), loop]
    colours = [MINE_COLOUR, DONATE_COLOUR, LOOP_COLOUR]
    axes.stackplot(days["date"].to_numpy(), bands, colors=colours, linewidth=0.0)
    axes.set_ylim(0.0, float((work + given).max(initial=0.0)) / (1.0 - HEADROOM) or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))


def _draw_norm(axes: Axes, days: pl.DataFrame) -> None:
    """What is expected of founders, and on it what each did who launched a chain."""
    _draw_percent(axes, days, ("norm_reputation", BLACK))
    for kept, sign, colour in ((True, "o", DONATE_COLOUR), (False, "x", MINE_COLOUR)):
        held = pl.col("honoured") > 0 if kept else pl.col("launched") > pl.col("honoured")
        seen = days.filter(held)
        axes.plot(
            seen["date"].to_numpy(), 100.0 * seen["norm_reputation"].to_numpy(), sign,
            color=colour, markersize=3.0, clip_on=False,
        )  # fmt: skip
    _set_percent(axes, 100.0)


def _draw_votes(axes: Axes, days: pl.DataFrame) -> None:
    """Outcomes by each weighting; what counts is drawn broad, below the others."""
    counted = days.select("date", value=100.0 * pl.col("vote"))
    axes.plot(
        counted["date"].to_numpy(), counted["value"].to_numpy(), color=NEXT_COLOUR, linewidth=3.0
    )
    _draw_percent(axes, days, ("vote_by_work", MINE_COLOUR), ("vote_by_stake", DONATE_COLOUR))
    _set_percent(axes, 100.0)


def _draw_nakamoto(axes: Axes, days: pl.DataFrame) -> None:
    for name, colour in (("work_nakamoto", MINE_COLOUR), ("stake_nakamoto", DONATE_COLOUR)):
        pages.draw_line(axes, days.select("date", value=pl.col(name)), colour)
    pages.set_scale(axes, HEADROOM, np.inf)


def _percent(*named: tuple[str, str]) -> Callable[[Axes, pl.DataFrame], None]:
    """Draws shares, each of a colour, on a scale of their own."""

    def draw_shares(axes: Axes, days: pl.DataFrame) -> None:
        _draw_percent(axes, days, *named)
        highest = max((float(days[name].max() or 0.0) for name, _ in named), default=0.0)  # type: ignore[arg-type]
        _set_percent(axes, 100.0 * highest)

    return draw_shares


def _draw_percent(axes: Axes, days: pl.DataFrame, *named: tuple[str, str]) -> None:
    for name, colour in named:
        pages.draw_line(axes, days.select("date", value=100.0 * pl.col(name)), colour)


def _set_percent(axes: Axes, highest: float) -> None:
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0.0, max(highest, 1.0))
    # A line along an edge would be cut in half.
    axes.set_ylim(-0.02 * ticks[-1], 1.03 * ticks[-1])
    axes.set_yticks(ticks)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))


# What happened


def moments(run: Run, span: Span) -> list[tuple[datetime.date, str]]:
    """What happened on the chain within some dates, by date; launches have signs of their own."""
    found = [
        (event["date"], TOLD[event["kind"]])
        for event in run.events.iter_rows(named=True)
        if event["kind"] in TOLD and span[0] <= event["date"] <= span[1]
    ]
    return sorted(found, key=lambda moment: moment[0])


def _sources(run: Run) -> str:
    facts = run.facts
    days = pages.SMOOTHED_DAYS
    return (
        f"Scenario {facts['name']}, seed {facts['seed']}, Hashatlas {facts['version']}. Costs and "
        f"spending are means of {days} days. A unit is a PTS, or AGS thought worth one. Given "
        "again: donated out of what the community's fund had paid."
    )
