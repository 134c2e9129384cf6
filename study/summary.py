"""What a person reads after a run."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from study import runfolder
from study.runfolder import Run

# Column, words, format.
_ROWS = (
    ("price_usd", "coin price, USD", ",.0f"),
    ("hashrate_ehs", "hashrate, EH/s", ",.1f"),
    ("hashprice_usd_ph_day", "hashprice, USD/PH/day", ",.2f"),
    ("asic_price_usd_th", "machine price, USD/TH", ",.2f"),
    ("efficiency_j_th", "efficiency, J/TH", ",.1f"),
    ("power_gw", "power, GW", ",.2f"),
    ("top_nation_share", "largest nation's share", ".1%"),
)
_NATIONS = 5


def print_summary(console: Console, folder: Path) -> None:
    """Print what happened in the run that a folder holds."""
    run = runfolder.read(folder)
    console.print(_heading(run), highlight=False, markup=False)
    console.print(_paths(run))
    console.print(_nations(run))
    for line in _lines(run):
        console.print(line, highlight=False, markup=False)


def print_ensemble(console: Console, folders: Sequence[Path]) -> None:
    """Print the spread of the headline metrics over the runs of an ensemble."""
    runs = [runfolder.read(folder) for folder in folders]
    table = Table("at the end", "lowest", "mean", "highest", title=f"{len(runs)} replicates")
    for name, words, form in _ROWS:
        ends = pl.Series([_ends(run.series, name)[1] for run in runs], dtype=pl.Float64)
        table.add_row(
            words, *(_shown(value, form) for value in (ends.min(), ends.mean(), ends.max()))
        )
    console.print(table)
    outcomes = pl.Series([run.facts["outcome"]["name"] for run in runs]).value_counts(sort=True)
    for name, count in outcomes.iter_rows():
        console.print(f"outcome {name}: {count} of {len(runs)}", highlight=False)


def _heading(run: Run) -> str:
    facts = run.facts
    title = facts["title"] or facts["name"]
    return (
        f"{title}: {facts['start_date']} to {facts['end_date']}, seed {facts['seed']}, "
        f"{facts['days']} days in {facts['wall_seconds']:.1f} s\n{facts['question']}"
    )


def _paths(run: Run) -> Table:
    """Start, end, lowest and highest value of the main series."""
    table = Table("series", "start", "end", "lowest", "on", "highest", "on")
    for name, words, form in _ROWS:
        first, last = _ends(run.series, name)
        low, low_day = _extreme(run.series, name, highest=False)
        high, high_day = _extreme(run.series, name, highest=True)
        shown = [_shown(value, form) for value in (first, last, low, high)]
        table.add_row(words, *shown[:3], low_day, shown[3], high_day)
    return table


def _nations(run: Run) -> Table:
    """The largest nations on the first and on the last day that shares were taken."""
    nations = run.shares.filter(pl.col("grouping") == "nation")
    table = Table("rank", "nation at the start", "share", "nation at the end", "share")
    if nations.is_empty():
        return table
    first, last = (_largest(nations, day) for day in (nations["date"].min(), nations["date"].max()))
    for rank in range(max(len(first), len(last))):
        table.add_row(str(rank + 1), *_member(first, rank), *_member(last, rank))
    return table


def _largest(nations: pl.DataFrame, day: object) -> list[tuple[str, float]]:
    on_day = nations.filter((pl.col("date") == day) & (pl.col("share") > 0))
    ranked = on_day.sort("share", descending=True).head(_NATIONS)
    return list(ranked.select("member", "share").iter_rows())


def _member(ranked: list[tuple[str, float]], rank: int) -> tuple[str, str]:
    return (ranked[rank][0], f"{ranked[rank][1]:.1%}") if rank < len(ranked) else ("", "")


def _lines(run: Run) -> list[str]:
    bankruptcies = run.series["bankruptcies"].sum() or 0
    outcome = run.facts["outcome"]
    return [
        f"bankruptcies: {bankruptcies:,.0f}",
        f"outcome: {outcome['class']}, {outcome['name']}",
        f"written to {run.folder}",
    ]


def _ends(series: pl.DataFrame, name: str) -> tuple[float | None, float | None]:
    return series[name][0], series[name][-1]


def _extreme(series: pl.DataFrame, name: str, highest: bool) -> tuple[float | None, str]:
    column = series[name]
    place = column.arg_max() if highest else column.arg_min()
    if place is None:
        return None, ""
    day: datetime.date = series["date"][place]
    return column[place], day.isoformat()


def _shown(value: object, form: str) -> str:
    return format(value, form) if isinstance(value, float) else "undefined"
