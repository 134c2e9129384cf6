"""Runs scored against observed months, with naive baselines beside every score."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from rich.table import Table

from model import geography
from model.known import DATA
from model.recorder import Recorder
from model.scenario import Scenario
from study.engines import engine

Task = TypeVar("Task")
Result = TypeVar("Result")

FIRST_SHARES = "2019-09"
LAST_TRAINING_MONTH = "2021-04"
ITEMISED = ("CAN", "CHN", "IRN", "KAZ", "MYS", "RUS", "USA")
GROUPS = (*ITEMISED, geography.REST)
PROVINCES = ("Sichuan", "Xinjiang")
LEAST_DAYS = 15  # a month with fewer days of a run is left out
SLOPES_MONTHS = (12, 28)
LEAST_SPREAD = 1e-9  # percentage points; rounding alone gives a constant less

HASHRATE = "hashrate_ehs"
EFFICIENCY = "efficiency_cambridge_j_th"
ELECTRICITY = "electricity_share_of_opex"


def share_column(group: str) -> str:
    """Column of a nation's share of the hashrate, percent."""
    return f"share_{group}"


def province_column(province: str) -> str:
    """Column of a province's share of China's hashrate, percent."""
    return f"china_{province}"


# Tables of months. Observed and modelled ones have the same columns: month ("2019-09"),
# hashrate_ehs, share_CAN ... share_OTH, china_Sichuan, china_Xinjiang, efficiency_cambridge_j_th,
# and a modelled one electricity_share_of_opex; null or absent where nothing is known.


def observed_months(last: str = LAST_TRAINING_MONTH) -> pl.DataFrame:
    """The months of the data folder up to `last`."""
    network = geography.load_monthly(DATA, "network").select("month", HASHRATE)
    efficiency = geography.load_monthly(DATA, "fleet_efficiency").select(
        "month", pl.col("estimate_j_th").alias(EFFICIENCY)
    )
    nations = geography.load_monthly(DATA, "nation_share").rename({"share_pct": "share"})
    provinces = geography.load_monthly(DATA, "china_province_share").select(
        "month",
        pl.col("province").alias("group"),
        pl.col("share_of_china_pct").cast(pl.Float64).alias("share"),
    )
    tables = (
        wide_shares(nations.with_columns(group=group_of("nation")), "month", GROUPS, share_column),
        wide_shares(provinces, "month", PROVINCES, province_column),
        efficiency,
    )
    for table in tables:
        network = network.join(table, on="month", how="left")
    return network.filter(pl.col("month") <= last).sort("month")


def modelled_months(series: pl.DataFrame, shares: pl.DataFrame) -> pl.DataFrame:
    """Monthly means of a run's series and shares, as the recorder or a run's folder has them."""
    month = pl.col("date").dt.strftime("%Y-%m").alias("month")
    daily = series.select(month, HASHRATE, EFFICIENCY, ELECTRICITY)
    monthly = daily.group_by("month").agg(pl.all().mean(), days=pl.len())
    monthly = monthly.filter(pl.col("days") >= LEAST_DAYS).drop("days")
    for table in (nation_shares(shares), province_shares(shares)):
        dated = table.with_columns(month).drop("date").group_by("month").agg(pl.all().mean())
        monthly = monthly.join(dated, on="month", how="left")
    return monthly.sort("month")


def nation_shares(shares: pl.DataFrame) -> pl.DataFrame:
    """Share of each group of nations on each recorded day, by what miners report, percent."""
    percent = 100.0 * pl.col("share")
    reported = shares.filter(pl.col("grouping") == "reported_nation").select(
        "date", group_of("member").alias("group"), percent.alias("share")
    )
    return wide_shares(reported, "date", GROUPS, share_column)


def province_shares(shares: pl.DataFrame) -> pl.DataFrame:
    """Share of China's hashrate by province on each recorded day, percent."""
    prefix = f"{geography.CHINA}-"
    percent = 100.0 * pl.col("share") / pl.col("share").sum().over("date")
    inside = shares.filter(
        (pl.col("grouping") == "place") & pl.col("member").str.starts_with(prefix)
    ).select(
        "date",
        pl.col("member").str.strip_prefix(prefix).alias("group"),
        percent.alias("share"),
    )
    return wide_shares(inside, "date", PROVINCES, province_column)


def group_of(column: str) -> pl.Expr:
    """Nations as they are scored: itemised, or merged with the two that proxies inflate."""
    name = pl.col(column)
    return pl.when(name.is_in(ITEMISED)).then(name).otherwise(pl.lit(geography.REST))


def wide_shares(
    long: pl.DataFrame, key: str, groups: Sequence[str], name: Callable[[str], str]
) -> pl.DataFrame:
    """Rows of key, group, share as one row a key; a group without a row has no hashrate."""
    columns = [
        pl.col("share").filter(pl.col("group") == group).sum().cast(pl.Float64).alias(name(group))
        for group in groups
    ]
    return long.group_by(key).agg(columns).sort(key)


def live(case: Scenario) -> Recorder:
    """The record of a scenario lived through in memory."""
    # Only here, so that reading observations does not compile the model.
    from model.world import World

    world = World(case)
    while world.running:
        world.step()
    return world.recorder


def in_order(run: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> list[Result]:
    """Results of a function in the order of its tasks; an error of one stops all."""
    found: dict[int, Result] = {}
    for done in engine(min(workers, len(tasks)) or 1).map(run, tasks):
        if done.error is not None:
            raise RuntimeError(f"a run failed:\n{done.error}")
        found[done.position] = done.result
    return [found[position] for position in range(len(tasks))]


def run_months(case: Scenario) -> pl.DataFrame:
    """Monthly means of a scenario lived through in memory."""
    record = live(case)
    return modelled_months(record.series(), record.shares())


# Scores


@dataclass(frozen=True)
class Scores:
    """How near a run is to the observed months; NaN where there is nothing to compare.

    Attributes
    ----------
    months : months compared
    hashrate_log_error : mean absolute error of the log of the monthly hashrate
    hashrate_end_residual : log of modelled over observed hashrate in the last month
    shares_error_points : mean absolute error over months and groups of nations, percentage points
    sichuan_correlation, xinjiang_correlation : of the monthly share of China's hashrate
    efficiency_error : mean absolute error of the Cambridge-like efficiency, relative
    electricity_share : mean share of electricity in cash operating cost
    """

    months: float
    hashrate_log_error: float
    hashrate_end_residual: float
    shares_error_points: float
    sichuan_correlation: float
    xinjiang_correlation: float
    efficiency_error: float
    electricity_share: float


def score(found: pl.DataFrame, seen: pl.DataFrame) -> Scores:
    """Scores of one table of months against another, over the months that both have."""
    both = found.join(seen, on="month", how="inner", suffix="_seen").sort("month")
    ratio = _log_ratio(both, HASHRATE)
    sichuan, xinjiang = (
        _correlation(*_pair(both, province_column(province))) for province in PROVINCES
    )
    return Scores(
        months=float(len(both)),
        hashrate_log_error=_mean(np.abs(ratio)),
        hashrate_end_residual=float(ratio[-1]) if ratio.size else math.nan,
        shares_error_points=_mean(_share_errors(both)),
        sichuan_correlation=sichuan,
        xinjiang_correlation=xinjiang,
        efficiency_error=_mean(np.abs(np.expm1(_log_ratio(both, EFFICIENCY)))),
        electricity_share=_mean(_present(both, ELECTRICITY)),
    )


def mean_scores(runs: Sequence[Scores]) -> Scores:
    """The mean of each score over runs."""
    return _over_runs(runs, lambda values: float(np.mean(values)))


def spread_of_scores(runs: Sequence[Scores]) -> Scores:
    """The standard deviation of each score over runs; NaN of a single run."""
    return _over_runs(
        runs, lambda values: float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    )


def _over_runs(runs: Sequence[Scores], summary: Callable[[list[float]], float]) -> Scores:
    fields = [field.name for field in dataclasses.fields(Scores)]
    return Scores(**{name: summary([getattr(run, name) for run in runs]) for name in fields})


def _pair(both: pl.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Found and seen values of a column in the months that have both."""
    if not {column, f"{column}_seen"} <= set(both.columns):
        return np.zeros(0), np.zeros(0)
    known = both.select(column, f"{column}_seen").drop_nulls()
    return known[column].to_numpy(), known[f"{column}_seen"].to_numpy()


def _present(both: pl.DataFrame, column: str) -> np.ndarray:
    return both[column].drop_nulls().to_numpy() if column in both.columns else np.zeros(0)


def _log_ratio(both: pl.DataFrame, column: str) -> np.ndarray:
    found, seen = _pair(both, column)
    # A network without any hashrate would be infinitely wrong, which no mean survives.
    return np.asarray(np.log(np.maximum(found, 1e-9) / seen))


def _share_errors(both: pl.DataFrame) -> np.ndarray:
    pairs = [_pair(both, share_column(group)) for group in GROUPS]
    return np.concatenate([np.abs(found - seen) for found, seen in pairs])


def _correlation(found: np.ndarray, seen: np.ndarray) -> float:
    if found.size < 3 or min(found.std(), seen.std()) < LEAST_SPREAD:
        return math.nan
    return float(np.corrcoef(found, seen)[0, 1])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else math.nan


# Naive baselines


def naive_months(seen: pl.DataFrame, cutoff: str, months: Sequence[str]) -> dict[str, pl.DataFrame]:
    """What somebody without a model would say after a cut-off: one table of months a baseline.

    No change holds everything at its last observation, so all nations keep their shares. Where
    shares are observed from a later month on, a model too is given that month's. The slopes draw
    the log of the hashrate on from its level 12 or 28 months earlier.
    """
    return {
        "no change": unchanged(seen, cutoff, months),
        **{
            f"{length}-month slope": sloped(seen, cutoff, months, length)
            for length in SLOPES_MONTHS
        },
    }


def unchanged(seen: pl.DataFrame, cutoff: str, months: Sequence[str]) -> pl.DataFrame:
    """Every column at its last known value up to the cut-off, or else at its first."""
    values = {name: _last_known(seen, name, cutoff) for name in seen.columns if name != "month"}
    return pl.DataFrame({"month": list(months)}, schema={"month": pl.String}).with_columns(
        **{name: pl.lit(value, dtype=pl.Float64) for name, value in values.items()}
    )


def sloped(seen: pl.DataFrame, cutoff: str, months: Sequence[str], length: int) -> pl.DataFrame:
    """The hashrate drawn on at the slope of its log over the months before the cut-off."""
    levels = dict(seen.select("month", HASHRATE).drop_nulls().iter_rows())
    earlier = shifted(cutoff, -length)
    if not {cutoff, earlier} <= levels.keys():
        return pl.DataFrame(schema={"month": pl.String})
    slope = math.log(levels[cutoff] / levels[earlier]) / length
    path = [levels[cutoff] * math.exp(slope * months_from(cutoff, month)) for month in months]
    return pl.DataFrame({"month": list(months), HASHRATE: path})


def naive_scores(
    known: pl.DataFrame, cutoff: str, months: Sequence[str], seen: pl.DataFrame | None = None
) -> dict[str, Scores]:
    """Scores of every naive baseline over the observed months among `months`.

    The baselines know the table `known` up to the cut-off; they are scored against `seen`, or
    against the later months of the same table.
    """
    wanted = (known if seen is None else seen).filter(pl.col("month").is_in(list(months)))
    tables = naive_months(known, cutoff, months)
    return {name: score(table, wanted) for name, table in tables.items()}


def _last_known(seen: pl.DataFrame, column: str, cutoff: str) -> float | None:
    known = seen.select("month", column).drop_nulls().sort("month")
    before = known.filter(pl.col("month") <= cutoff)[column]
    values = before if len(before) else known[column][:1].reverse()
    return float(values[-1]) if len(values) else None


def months_from(first: str, last: str) -> int:
    """Months from one month to another, negative if the second is the earlier."""
    return _number(last) - _number(first)


def shifted(month: str, months: int) -> str:
    """The month some months later."""
    year, index = divmod(_number(month) + months, 12)
    return f"{year:04d}-{index + 1:02d}"


def month_range(first: str, last: str) -> list[str]:
    """Every month from one to another, both included."""
    return [shifted(first, step) for step in range(months_from(first, last) + 1)]


def _number(month: str) -> int:
    return 12 * int(month[:4]) + int(month[5:7]) - 1


# Goals in sample, and tables for people

# Expected value and tolerance of each score.
GOALS = {
    "hashrate_log_error": (0.0, 0.10),
    "shares_error_points": (0.0, 2.5),
    "sichuan_correlation": (1.0, 0.2),
    "xinjiang_correlation": (1.0, 0.2),
    "efficiency_error": (0.0, 0.15),
    "electricity_share": (0.80, 0.05),
}

# Words and format of each score.
WORDS = {
    "months": ("months compared", ".0f"),
    "hashrate_log_error": ("hashrate, mean absolute log error", ".3f"),
    "hashrate_end_residual": ("hashrate, log residual of the last month", "+.3f"),
    "shares_error_points": ("nation shares, mean absolute error, points", ".2f"),
    "sichuan_correlation": ("Sichuan's share of China, correlation", ".2f"),
    "xinjiang_correlation": ("Xinjiang's share of China, correlation", ".2f"),
    "efficiency_error": ("Cambridge-like efficiency, mean relative error", ".3f"),
    "electricity_share": ("electricity over cash operating cost", ".3f"),
}


def score_table(title: str, columns: Mapping[str, Scores], goals: bool = True) -> Table:
    """Scores side by side, the goals in sample beside them if wanted."""
    table = Table("score", *(["goal"] if goals else []), *columns, title=title)
    for name, (words, form) in WORDS.items():
        values = [shown(getattr(scores, name), form) for scores in columns.values()]
        table.add_row(words, *([goal_in_words(name)] if goals else []), *values)
    return table


def goal_in_words(name: str) -> str:
    """A goal as a person reads it."""
    if name not in GOALS:
        return ""
    expected, tolerance = GOALS[name]
    if expected == 0.0:
        return f"at most {tolerance:g}"
    if expected == 1.0:
        return f"at least {expected - tolerance:g}"
    return f"{expected - tolerance:g} to {expected + tolerance:g}"


def shown(value: float, form: str) -> str:
    """A number as a person reads it, a dash where it is undefined."""
    return "-" if math.isnan(value) else format(value, form)
