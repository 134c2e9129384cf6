"""Forecasts from cut-offs inside the training months, each restarted from what was then known.

Tashman (2000, International Journal of Forecasting 16) calls this a rolling-origin evaluation.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from model import geography, inputs
from model.atlas import load_atlas
from model.known import DATA
from model.markets import hardware
from model.scenario import Scenario, with_days
from study import history
from study.history import Scores

CUT_OFFS = ("2018-06", "2018-11", "2019-04", "2019-10", "2020-03", "2020-08")
MONTHS_AHEAD = (
    14  # fewer after the last two cut-offs: 13 and 8 months are left of the training ones
)
# Blocks are counted from the difficulty period that began on this day.
COUNTED_FROM, COUNTED_HEIGHT = "2019-09", 592_704
TRAILING_MONTHS = 6
REPLACEMENT_MONTH = 0.02
MOST_GROWTH_MONTH = 0.2  # what firms learn from one month in the model is clipped there too
LEARNING_MONTHS = 12
MEMORY_MONTHS = 24


def months_ahead(cutoff: str, last: str = history.LAST_TRAINING_MONTH) -> list[str]:
    """The months that a forecast from a cut-off is scored on."""
    end = min(history.shifted(cutoff, MONTHS_AHEAD), last)
    return history.month_range(history.shifted(cutoff, 1), end)


# Restarting from an observed month


def anchored(
    base: Scenario,
    cutoff: str,
    end: datetime.date | None = None,
    observed: pl.DataFrame | None = None,
) -> Scenario:
    """The base scenario restarted on the first day after a month, from what that month shows.

    Hashrate, difficulty, machines, their output, growth expectations and shares come from months
    up to the cut-off. The height comes from counting blocks, which were countable then too.
    Events of the base after the restart are kept; laws already in force are not, since the base
    scenarios have none before 2021-05.

    Parameters
    ----------
    base : gives every parameter that no observation sets
    cutoff : last month that is known, such as "2020-03"
    end : last day; by default `MONTHS_AHEAD` months on, but inside the training months
    observed : table network_monthly of the data folder
    """
    network = geography.load_monthly(DATA, "network") if observed is None else observed
    first = first_day(history.shifted(cutoff, 1))
    last = end or last_day(months_ahead(cutoff)[-1])
    past = network.filter(pl.col("month") <= cutoff).sort("month")
    start = base.start.model_copy(
        update={
            "height": height_on(history.shifted(cutoff, 1), network),
            "difficulty_e12": drawn_on(past["difficulty_e12"].to_numpy()),
            "hashrate_ehs": drawn_on(past[history.HASHRATE].to_numpy()),
            "fleet": "cohorts",
            "mean_efficiency_j_th": 0.0,
            "shares_month": cutoff,
            "us_share": 0.0,
            "hash_growth_month": learnt_growth(past, base.firms.expectation_month),
        }
    )
    events = tuple(event for event in base.events if event.date >= first)
    case = base.model_copy(
        update={
            "name": f"{base.name}_from_{first}",
            "start_date": first,
            "events": events,
            "start": start,
        }
    )
    output_mw = machine_output_mw_month(case, past)
    fabs_mw = fab_capacity_mw_month(case, past)
    start = start.model_copy(
        update={"machine_output_mw_month": output_mw, "fab_capacity_mw_month": fabs_mw}
    )
    return with_days(case.model_copy(update={"start": start}), (last - first).days + 1)


def drawn_on(levels: np.ndarray) -> float:
    """A monthly mean carried half a month on, to the end of its month, at its latest growth."""
    growth = np.clip(np.log(levels[-1] / levels[-2]), -MOST_GROWTH_MONTH, MOST_GROWTH_MONTH)
    return float(levels[-1] * np.exp(0.5 * growth))


def height_on(month: str, network: pl.DataFrame) -> int:
    """Height on the first day of a month, from the blocks of all months between it and the base."""
    early, late = sorted((month, COUNTED_FROM))
    between = network.filter((pl.col("month") >= early) & (pl.col("month") < late))
    blocks = int(between["blocks"].sum())
    return COUNTED_HEIGHT + (blocks if month >= COUNTED_FROM else -blocks)


def learnt_growth(past: pl.DataFrame, weight: float) -> float:
    """Growth of the hashrate that firms expect, learnt month by month as they do in the model."""
    steps = np.diff(np.log(past[history.HASHRATE].to_numpy()))[-LEARNING_MONTHS:]
    steps = np.clip(steps, -MOST_GROWTH_MONTH, MOST_GROWTH_MONTH)
    growth = float(steps.mean())
    for step in steps:
        growth += weight * (float(step) - growth)
    return growth


def machine_output_mw_month(case: Scenario, past: pl.DataFrame) -> float:
    """Machines that came on line a month lately, MW: growth and replacement, at today's J/TH.

    A month in which the hashrate fell counts as one without additions, not as negative ones:
    machines switched off are still there.
    """
    levels = past[history.HASHRATE].to_numpy()[-TRAILING_MONTHS - 1 :]
    added = np.maximum(np.diff(levels) + REPLACEMENT_MONTH * levels[:-1], 0.0)
    return float(added.mean() * efficiency_on_sale(case))


def fab_capacity_mw_month(case: Scenario, past: pl.DataFrame) -> float:
    """Machines that the fabs could build a month, MW: their best quarter, faded since.

    Capacity that is not used is given up at the rate the maker has in the model, so a slump
    shorter than that leaves most of it in place.
    """
    levels = past[history.HASHRATE].to_numpy()[-MEMORY_MONTHS - 1 :]
    added = np.maximum(np.diff(levels) + REPLACEMENT_MONTH * levels[:-1], 0.0)
    quarters = np.convolve(added, np.full(3, 1.0 / 3.0), mode="valid")
    fading = (1.0 - case.machines.output_decline_month) ** np.arange(quarters.size)[::-1]
    return float((quarters * fading).max() * efficiency_on_sale(case))


def efficiency_on_sale(case: Scenario) -> float:
    """Mean J/TH of the machines on sale on a scenario's first day; EH/s times it gives MW."""
    atlas = load_atlas(places_file=case.places_file)
    known = inputs.generations(case, atlas)
    weights = hardware.output_weights(
        known,
        case.start_date.toordinal(),
        case.machines.diffusion_months,
        case.machines.sold_after_successor_months,
    )
    return hardware.output_efficiency(weights, known.efficiency_j_th)


def first_day(month: str) -> datetime.date:
    """The first day of a month."""
    return datetime.date.fromisoformat(f"{month}-01")


def last_day(month: str) -> datetime.date:
    """The last day of a month."""
    return first_day(history.shifted(month, 1)) - datetime.timedelta(days=1)


# Scoring the restarts


@dataclass(frozen=True)
class Origin:
    """One cut-off: how far off the hashrate was after it, modelled and by the naive baselines.

    Attributes
    ----------
    cutoff : last month known
    months : months scored
    runs : scores of each seed's run
    naive : mean absolute log error of the monthly hashrate of each baseline
    """

    cutoff: str
    months: int
    runs: tuple[Scores, ...]
    naive: dict[str, float]

    @property
    def error(self) -> float:
        """Mean absolute log error of the monthly hashrate, mean over the seeds."""
        return history.mean_scores(self.runs).hashrate_log_error

    @property
    def end_residual(self) -> float:
        """Log of modelled over observed hashrate in the last month, mean over the seeds."""
        return history.mean_scores(self.runs).hashrate_end_residual


@dataclass(frozen=True)
class Rolling:
    """The forecasts from every cut-off."""

    origins: tuple[Origin, ...]

    @property
    def error(self) -> float:
        """Mean over the cut-offs of the mean absolute log error of the monthly hashrate."""
        return float(np.mean([origin.error for origin in self.origins]))

    @property
    def naive(self) -> dict[str, float]:
        """The same of each baseline."""
        names = self.origins[0].naive
        return {name: float(np.mean([one.naive[name] for one in self.origins])) for name in names}


def score_origin(base: Scenario, cutoff: str, seed: int | None = None) -> Scores:
    """Scores of the months after a cut-off, of a run restarted there."""
    case = anchored(base, cutoff)
    case = case if seed is None else case.model_copy(update={"seed": seed})
    found = history.run_months(case)
    seen = history.observed_months().filter(pl.col("month").is_in(months_ahead(cutoff)))
    return history.score(found, seen)


def rolling_scores(base: Scenario, seeds: Sequence[int], workers: int = 1) -> Rolling:
    """Forecasts from all cut-offs under several seeds, with the naive baselines."""
    jobs = [(base, cutoff, seed) for cutoff in CUT_OFFS for seed in seeds]
    runs = history.in_order(_score_job, jobs, workers)
    seen, count = history.observed_months(), len(seeds)
    return Rolling(
        tuple(
            _origin(cutoff, runs[position * count : (position + 1) * count], seen)
            for position, cutoff in enumerate(CUT_OFFS)
        )
    )


def _score_job(job: tuple[Scenario, str, int]) -> Scores:
    return score_origin(*job)


def _origin(cutoff: str, runs: Sequence[Scores], seen: pl.DataFrame) -> Origin:
    months = months_ahead(cutoff)
    naive = history.naive_scores(seen, cutoff, months)
    return Origin(
        cutoff=cutoff,
        months=len(months),
        runs=tuple(runs),
        naive={name: scores.hashrate_log_error for name, scores in naive.items()},
    )
