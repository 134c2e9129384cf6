"""What a person reads after a run."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from study import fortunes, runfolder, story
from study.runfolder import Run
from study.wording import nation_names, plain_table, rounded

FALL_DAYS = 14
ROUNDING = 1e-9  # of a mean over days
MOVERS = 4
LEAST_MOVE_POINTS = 0.5
MOST_WIDTH = 80
# Column, words, factor to the unit of the words.
PATHS = (
    ("price_usd", "coin price, USD", 1.0),
    ("hashrate_ehs", "hashrate, EH/s", 1.0),
    ("hashprice_usd_ph_day", "hashprice, USD/PH/day", 1.0),
    ("asic_price_usd_th", "machines, USD/TH", 1.0),
    ("power_cost_usd_mwh", "power price, USD/MWh", 1.0),
    ("efficiency_j_th", "efficiency, J/TH", 1.0),
    ("electricity_share_of_opex", "electricity, % of cost", 100.0),
    ("power_gw", "power, GW", 1.0),
    ("top_nation_share", "largest nation, %", 100.0),
)
# Kind of an event, words.
LOSSES = (
    ("bankruptcy", "bankruptcies"),
    ("restructuring", "restructurings"),
    ("halt", "halts by a regulator"),
    ("seizure", "sites seized"),
)


@dataclass(frozen=True)
class Fall:
    """The largest fall of a series from a peak, and when the peak was reached again."""

    peak: float
    peak_day: datetime.date
    trough: float
    trough_day: datetime.date
    recovered: datetime.date | None

    @property
    def percent(self) -> float:
        """The fall in percent of the peak."""
        return 100.0 * (1.0 - self.trough / self.peak)


@dataclass(frozen=True)
class Move:
    """A nation's share of the hashrate on two days, percent."""

    nation: str
    before: float
    after: float

    @property
    def points(self) -> float:
        """The change in percentage points."""
        return self.after - self.before


@dataclass(frozen=True)
class Losses:
    """How often firms or sites were hit by one kind of event, when, and the largest one."""

    count: int
    first: datetime.date
    last: datetime.date
    largest_mw: float | None
    largest: str


def print_summary(console: Console, folder: Path) -> None:
    """Print what happened in the run that a folder holds."""
    run = runfolder.read(folder)
    fall = largest_fall(run.series)
    width = min(console.width, MOST_WIDTH)
    political = story.is_told(run)
    parts = [_heading(run), _fallen(run, fall), _moved(run, fall), _lost(run), _paths(run)]
    if political:
        parts[1:1] = story.parts(run)
    parts.extend(fortunes.parts(run))
    for part in parts:
        console.print(part, width=width)
        console.print()
    console.print(story.outcome(run) if political else _outcome(run), width=width)
    # A path is not broken over lines, so that it can be copied.
    console.print(Text(f"written to {run.folder}"), soft_wrap=True)


def print_ensemble(console: Console, folders: Sequence[Path]) -> None:
    """Print the spread of the headline metrics over the runs of an ensemble."""
    runs = [runfolder.read(folder) for folder in folders]
    table = plain_table(f"{len(runs)} replicates, at the end", "lowest", "mean", "highest")
    for name, words, factor in PATHS:
        ends = [run.series[name][-1] for run in runs]
        table.add_row(words, *_spread([factor * end for end in ends if end is not None]))
    falls = [fall for fall in (largest_fall(run.series) for run in runs) if fall is not None]
    table.add_row("largest fall of hashrate, %", *_spread([fall.percent for fall in falls]))
    console.print(table, width=min(console.width, MOST_WIDTH))
    recovered = sum(fall.recovered is not None for fall in falls)
    console.print(Text(f"hashrate back at its earlier peak: {recovered} of {len(runs)}"))
    outcomes = pl.Series([run.facts["outcome"]["name"] for run in runs]).value_counts(sort=True)
    for name, count in outcomes.iter_rows():
        console.print(Text(f"outcome {name}: {count} of {len(runs)}"))


# What happened


def largest_fall(
    series: pl.DataFrame, column: str = "hashrate_ehs", days: int = FALL_DAYS
) -> Fall | None:
    """The largest fall, as a share of the peak before it, of the mean over the past `days` days.

    None if the series is shorter, or its mean never falls.
    """
    path = series.select("date", mean=pl.col(column).rolling_mean(days)).drop_nulls()
    path = path.with_columns(peak=pl.col("mean").cum_max()).filter(pl.col("peak") > 0)
    path = path.with_columns(level=pl.col("mean") / pl.col("peak"))
    lowest = path["level"].arg_min()
    if lowest is None or path["level"][lowest] > 1.0 - ROUNDING:
        return None
    peak = path["peak"][lowest]
    top = path["mean"].head(lowest).arg_max() or 0
    again = path.slice(lowest).filter(pl.col("mean") >= peak)["date"]
    return Fall(
        peak=peak,
        peak_day=path["date"][top],
        trough=path["mean"][lowest],
        trough_day=path["date"][lowest],
        recovered=None if again.is_empty() else again[0],
    )


def moves(shares: pl.DataFrame, before: datetime.date) -> list[Move]:
    """Change of nations' shares, by site, from the last record up to a day to the last record.

    Ordered from the largest gain to the largest loss.
    """
    nations = shares.filter(pl.col("grouping") == "nation")
    if nations.is_empty():
        return []
    earlier = nations.filter(pl.col("date") <= before)["date"]
    start = nations["date"].min() if earlier.is_empty() else earlier.max()
    end = nations["date"].max()
    first, last = (
        dict(nations.filter(pl.col("date") == day).select("member", "share").iter_rows())
        for day in (start, end)
    )
    found = [
        Move(nation, 100.0 * first.get(nation, 0.0), 100.0 * last.get(nation, 0.0))
        for nation in first.keys() | last.keys()
    ]
    return sorted(found, key=lambda move: (-move.points, move.nation))


def losses(events: pl.DataFrame, kind: str) -> Losses | None:
    """All events of one kind; None if there was none."""
    size = pl.col("what").str.extract(r"(\d+(?:\.\d+)?) MW").cast(pl.Float64)
    hit = events.filter(pl.col("kind") == kind).with_columns(size_mw=size)
    if hit.is_empty():
        return None
    largest = hit["size_mw"].arg_max()
    return Losses(
        count=hit.height,
        first=hit["date"].min(),  # type: ignore[arg-type]
        last=hit["date"].max(),  # type: ignore[arg-type]
        largest_mw=None if largest is None else hit["size_mw"][largest],
        largest="" if largest is None else hit["subject"][largest],
    )


# How it is said


def _heading(run: Run) -> RenderableType:
    facts = run.facts
    return Group(
        Text(facts["title"] or facts["name"], style="bold"),
        Text(
            f"{facts['start_date']} to {facts['end_date']}, seed {facts['seed']}: "
            f"{facts['days']} days in {facts['wall_seconds']:.1f} s"
        ),
        Text(facts["question"], style="italic"),
    )


def _fallen(run: Run, fall: Fall | None) -> Text:
    """How far the hashrate fell, when, and when it was back."""
    if run.series.height < FALL_DAYS:
        return Text(f"The run is too short for a {FALL_DAYS}-day mean of the hashrate.")
    if fall is None:
        return Text(f"The hashrate, as a {FALL_DAYS}-day mean, never fell.")
    back = "It had not reached the earlier peak again by the end."
    if fall.recovered is not None:
        days = (fall.recovered - fall.peak_day).days
        back = f"It was back at the earlier peak on {fall.recovered}, {days} days after it."
    return Text.assemble(
        "Largest fall of the hashrate: ",
        (f"{rounded(fall.percent)} %", "bold"),
        f", from {rounded(fall.peak)} EH/s on {fall.peak_day} to {rounded(fall.trough)} EH/s on "
        f"{fall.trough_day} (means of the {FALL_DAYS} days up to each). {back}",
    )


def _moved(run: Run, fall: Fall | None) -> RenderableType:
    """Where the hashrate went: the nations that gained and lost most."""
    before = run.series["date"][0] if fall is None else fall.peak_day
    found = [move for move in moves(run.shares, before) if abs(move.points) >= LEAST_MOVE_POINTS]
    start = "start" if fall is None else "peak"
    if not found:
        least = f"{LEAST_MOVE_POINTS} points"
        return Text(f"No nation's share moved by {least} between the {start} and the end.")
    names = nation_names()
    table = plain_table("where it went (by site)", f"at the {start}, %", "at the end, %", "points")
    gains = [move for move in found if move.points > 0]
    drops = [move for move in found if move.points < 0]
    for move in (*gains[:MOVERS], *drops[-MOVERS:]):
        name = names.get(move.nation, move.nation)
        table.add_row(name, f"{move.before:.1f}", f"{move.after:.1f}", f"{move.points:+.1f}")
    return table


def _paths(run: Run) -> Table:
    """Start, end, lowest and highest value of the main series, with dates."""
    table = plain_table("", "start", "end", "lowest", "on", "highest", "on", gap=1)
    for name, words, factor in PATHS:
        path = run.series.select("date", value=factor * pl.col(name)).drop_nulls()
        if path.is_empty():
            continue
        values, dates = path["value"], path["date"]
        low, high = values.arg_min() or 0, values.arg_max() or 0
        table.add_row(
            words,
            *(rounded(value) for value in (values[0], values[-1])),
            *(rounded(values[low]), str(dates[low])),
            *(rounded(values[high]), str(dates[high])),
        )
    return table


def _lost(run: Run) -> RenderableType:
    """Who went bankrupt, was halted or seized."""
    found = [(words, losses(run.events, kind)) for kind, words in LOSSES]
    if all(lost is None for _, lost in found):
        return Text("No bankruptcies, no halts, no seizures.")
    table = plain_table("firms and sites", "count", "first", "last", "largest")
    for words, lost in found:
        if lost is None:
            table.add_row(words, "0")
            continue
        largest = ""
        if lost.largest_mw is not None:
            largest = f"{lost.largest}, {rounded(lost.largest_mw)} MW"
        table.add_row(words, f"{lost.count:,}", str(lost.first), str(lost.last), largest)
    return table


def _outcome(run: Run) -> Text:
    outcome = run.facts["outcome"]
    flags = f" ({', '.join(outcome['flags'])})" if outcome["flags"] else ""
    return Text(f"outcome: {outcome['class']}, {outcome['name']}{flags}")


def _spread(values: Sequence[float]) -> tuple[str, str, str]:
    if not values:
        return ("undefined",) * 3
    return rounded(min(values)), rounded(sum(values) / len(values)), rounded(max(values))
