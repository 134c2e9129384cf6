"""What the months before the ban cannot tell: priors, varied (`python -m study.priors`).

The share that goes underground, how many displaced machines are ever used again, how long moves
take, how machines wear out and how strong the wet season is leave no trace before 2021-05. They
are priors, and every reported result of `china_ban_2021` comes with this spread.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
from rich.console import Console
from rich.table import Table

from model.scenario import load
from study import history
from study.summary import largest_fall

BASE = "china_ban_2021"


class Prior(NamedTuple):
    """A prior: what it is, and the settings of its low and its high end."""

    name: str
    low: tuple[str, ...]
    high: tuple[str, ...]


PRIORS = (
    Prior("share underground 0 / 0.4", ("bans.evasion=0",), ("bans.evasion=0.4",)),
    Prior("machines used again 0.7 / 1", ("bans.surviving=0.7",), ("bans.surviving=1",)),
    Prior(
        "days of a move abroad 30-90 / 90-360",
        ("firms.abroad_days_low=30", "firms.abroad_days_high=90"),
        ("firms.abroad_days_low=90", "firms.abroad_days_high=360"),
    ),
    Prior("wear-out age 5 / 9 years", ("machines.life_years=5",), ("machines.life_years=9",)),
    Prior(
        "idle machines scrapped a month 0.02 / 0.08",
        ("machines.idle_scrap_month=0.02",),
        ("machines.idle_scrap_month=0.08",),
    ),
    Prior(
        "retirement the maker expects 0.01 / 0.03",
        ("machines.retirement_month=0.01",),
        ("machines.retirement_month=0.03",),
    ),
    Prior(
        "delivery lag 2 / 5 months before 2021",
        ("machines.lag_months_before_2021=2",),
        ("machines.lag_months_before_2021=5",),
    ),
    Prior(
        "lead times of sites x 0.2 / 0.6",
        ("energy.lead_time_scale=0.2",),
        ("energy.lead_time_scale=0.6",),
    ),
)


class Spread(NamedTuple):
    """Scores up to 2021-04 and headlines after, of one setting, means over seeds."""

    hashrate_error: float
    shares_error: float
    fall_percent: float
    recovered: str
    usa_end: float


def measure(job: tuple[tuple[str, ...], int]) -> Spread:
    """One run."""
    settings, seed = job
    case = load(BASE, list(settings)).model_copy(update={"seed": seed})
    record = history.live(case)
    series, shares = record.series(), record.shares()
    scores = history.score(history.modelled_months(series, shares), history.observed_months())
    fall = largest_fall(series.filter(pl.col("date") >= pl.date(2021, 5, 1)))
    usa = shares.filter((pl.col("grouping") == "nation") & (pl.col("member") == "USA"))
    return Spread(
        scores.hashrate_log_error,
        scores.shares_error_points,
        fall.percent if fall else 0.0,
        f"{fall.recovered:%Y-%m}" if fall and fall.recovered else "not by the end",
        100.0 * float(usa["share"][-1]),
    )


def table(rows: Sequence[tuple[str, Sequence[Spread]]]) -> Table:
    """A line a setting."""
    heads = ("setting", "hashrate error", "shares, points", "fall, %", "recovered", "USA at end, %")
    found = Table(*heads, title="what the months before the ban cannot tell")
    for name, runs in rows:
        means = [sum(column) / len(runs) for column in zip(*[r[:3] for r in runs], strict=True)]
        usa = sum(run.usa_end for run in runs) / len(runs)
        dates = sorted(run.recovered for run in runs)
        when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        found.add_row(
            name, f"{means[0]:.3f}", f"{means[1]:.2f}", f"{means[2]:.0f}", when, f"{usa:.0f}"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every prior's ends beside the base and print the table."""
    parser = argparse.ArgumentParser(prog="python -m study.priors", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(arguments)
    settings: list[tuple[str, tuple[str, ...]]] = [("as it is", ())]
    for prior in PRIORS:
        settings += [(f"{prior.name}: low", prior.low), (f"{prior.name}: high", prior.high)]
    seeds = range(1, asked.seeds + 1)
    jobs = [(changes, seed) for _, changes in settings for seed in seeds]
    found = history.in_order(measure, jobs, asked.workers)
    count = len(seeds)
    rows = [
        (name, found[position * count : (position + 1) * count])
        for position, (name, _) in enumerate(settings)
    ]
    Console().print(table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
