"""The figure of a run: its history beside what was observed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model import geography
from model.known import DATA
from model.scenario import Scenario
from model.units import HALVING_BLOCKS
from study import page as pages
from study.page import (
    CALIBRATION_COLOUR,
    DATES,
    HEADING,
    MARK_ROW,
    NAME_ROW,
    OBSERVED_COLOUR,
    POINTS_PER_INCH,
    Key,
    Mark,
    Page,
)
from study.runfolder import Run
from study.wording import nation_names

NAME = "history"
WIDE_HEIGHT, SMALL_HEIGHT = 1.35, 0.56
DAYS_PER_MONTH = 30.4
NATIONS = 7
HEADROOM, ROOM_FOR_WORDS = 0.05, 0.16
GROUPED_SPAN = 0.05  # bans closer than this share of the axis are one mark


@dataclass(frozen=True)
class Observed:
    """What was observed in the days of a run: columns date, value and date, member, share."""

    hashrate: pl.DataFrame
    shares: pl.DataFrame


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


# Panels


def _draw_hashrate(page: Page, observed: Observed, happened: Sequence[Mark]) -> None:
    """The top panel, with the marks and the words about calibration."""
    page.heading("Hashrate, EH/s")
    placed = pages.arranged(happened, page.first, page.last)
    levels = max((mark.row for mark in placed), default=-1) + 1
    page.skip(levels * MARK_ROW)
    axes = page.axes("hashrate", WIDE_HEIGHT)
    compared, end = not observed.hashrate.is_empty(), page.run.case.calibration_end
    _draw_key(axes, levels * MARK_ROW, compared)
    pages.draw_path(axes, page.run.series, "hashrate_ehs")
    _draw_points(axes, observed.hashrate, end)
    pages.set_scale(axes, ROOM_FOR_WORDS if compared else HEADROOM)
    pages.draw_marks(axes, placed, WIDE_HEIGHT)
    if compared:
        _draw_calibration_end(axes, end)
        _write_calibration(axes, end, page.first, page.last)
    page.skip(DATES)


def _draw_hashprice(page: Page) -> None:
    page.heading("Hashprice, USD/PH/day")
    axes = page.axes("hashprice", 0.7 * WIDE_HEIGHT)
    pages.draw_path(axes, page.run.series, "hashprice_usd_ph_day")
    pages.set_scale(axes, HEADROOM)
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
    pages.draw_line(axes, model.select("date", value=100.0 * pl.col(nation)))
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


def _draw_points(axes: Axes, points: pl.DataFrame, end: datetime.date | None) -> None:
    """Observed months: full where calibration used them, else hollow."""
    used = pl.col("date") <= (end or datetime.date.min)
    # Dots of neighbouring months touch rather than cover each other.
    first, last = axes.get_xlim()
    month = (
        POINTS_PER_INCH * pages.WIDTH * axes.get_position().width * DAYS_PER_MONTH / (last - first)
    )
    for part, face in ((points.filter(used), OBSERVED_COLOUR), (points.filter(~used), "white")):
        if not part.is_empty():
            axes.plot(
                part["date"].to_numpy(), part["value"].to_numpy(), "o",
                markersize=np.clip(month, 1.0, 2.2), markerfacecolor=face,
                markeredgecolor=OBSERVED_COLOUR, markeredgewidth=0.4,
            )  # fmt: skip


def _draw_key(axes: Axes, above: float, compared: bool) -> None:
    """What line and dots are, in the line of the heading."""
    colour = pages.MODEL_COLOUR
    keys = [Key(f"model, {pages.SMOOTHED_DAYS}-day mean", "\N{EM DASH}", colour, colour)]
    if compared:
        keys.append(Key("observed month", "\N{BULLET}", OBSERVED_COLOUR, OBSERVED_COLOUR))
    pages.draw_key(axes, above + HEADING, keys)


def _draw_calibration_end(axes: Axes, end: datetime.date | None) -> None:
    """A line where calibration ends, if that is in view."""
    low, high = axes.get_xlim()
    if end is not None and low < pages.number(end) < high:
        line = axes.axvline(
            pages.number(end), color=CALIBRATION_COLOUR, linewidth=0.7, dashes=(4, 2)
        )
        line.set_gid("calibration end")


def _write_calibration(
    axes: Axes, end: datetime.date | None, first: datetime.date, last: datetime.date
) -> None:
    """Say beside the line what was used for calibration and what was not."""
    place = float(np.clip(pages.fraction(end or first, first, last), 0.0, 1.0))
    sides = (
        ("right", -3.0, place, ("used for calibration", "used")),
        ("left", 3.0, 1.0 - place, ("not used for calibration", "not used")),
    )
    for side, offset, room, choices in sides:
        fitting = [words for words in choices if pages.width_of(words) + 0.06 < room * pages.WIDE]
        if fitting:
            axes.annotate(
                fitting[0], (place, 1), (offset, -1.0), "axes fraction", "offset points",
                ha=side, va="top", color=CALIBRATION_COLOUR,
            )  # fmt: skip


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
    found = halvings(run) + [_ban(group) for group in pages.grouped(bans, near)]
    return sorted(found, key=lambda mark: mark.dates)


def halvings(run: Run) -> list[Mark]:
    """The days on which the subsidy halved."""
    start = run.case.start.height
    height = start + run.series["blocks"].fill_null(0).cum_sum().to_numpy()
    eras = np.concatenate(([start], height)) // HALVING_BLOCKS
    days = [run.series["date"][int(row)] for row in np.flatnonzero(np.diff(eras))]
    return [Mark((day,), f"halving\n{pages.day_words(day)}") for day in days]


def _ban(group: Sequence[tuple[datetime.date, str]]) -> Mark:
    dates = tuple(day for day, _ in group)
    where = ", ".join(dict.fromkeys(name for _, name in group))
    when = pages.span_words(dates[0], dates[-1])
    return Mark(dates, f"{'bans' if len(group) > 1 else 'ban'}: {where}\n{when}")


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
