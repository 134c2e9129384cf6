"""What many runs say together: bands, chances, first passages, and which factors matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.metrics import wilson_interval
from study.design import MORRIS_LEVELS, unit_sample

if TYPE_CHECKING:
    from study.design import Plan

FloatArray = NDArray[np.float64]
Bools = NDArray[np.bool_]
# Lowest and highest value of each factor, by its name.
Bounds = Mapping[str, tuple[float, float]]

BAND = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_95 = 1.959963984540054
RESAMPLES = 400


# Ensembles


def bands(
    frame: pl.DataFrame, column: str, by: str = "date", quantiles: Sequence[float] = BAND
) -> pl.DataFrame:
    """Quantiles over runs of a series, one row a day.

    Parameters
    ----------
    frame : one row a day and run, with `by` and `column`
    column : the series; days on which it is undefined in a run count without that run
    quantiles : of the runs, by linear interpolation between them

    Returns
    -------
    frame with `by`, `runs`, and a column such as `q05` for each quantile
    """
    if not quantiles or min(quantiles) < 0.0 or max(quantiles) > 1.0:
        raise ValueError(f"quantiles from 0 to 1, not {list(quantiles)}")
    known = frame.filter(pl.col(column).is_not_null() & pl.col(column).is_not_nan())
    wanted = [
        pl.col(column).quantile(share, interpolation="linear").alias(f"q{100 * share:02.0f}")
        for share in quantiles
    ]
    return known.group_by(by).agg(pl.len().cast(pl.Int64).alias("runs"), *wanted).sort(by)


def probabilities(frame: pl.DataFrame, outcome: str, by: Sequence[str] = ()) -> pl.DataFrame:
    """How often runs end in each class, with 95 % intervals (Wilson), by groups of runs.

    Returns
    -------
    frame with `by`, `outcome`, `runs`, `count`, `chance`, `low`, `high`; a class that does not
    occur in a group stands there with count 0
    """
    classes = frame[outcome].unique().sort().to_list()
    groups = frame.group_by(list(by), maintain_order=True) if by else [((), frame)]
    rows: list[dict[str, Any]] = []
    for key, group in groups:
        for name in classes:
            count = int((group[outcome] == name).sum())
            low, high = wilson_interval(count, group.height)
            told = {outcome: name, "runs": group.height, "count": count}
            told |= {"chance": count / group.height, "low": low, "high": high}
            rows.append(dict(zip(by, key, strict=True)) | told)
    return pl.DataFrame(rows).sort([*by, outcome])


def point_means(results: pl.DataFrame, output: str, point: str = "point") -> pl.DataFrame:
    """Mean of an output over the replicates of each point, in the order of points."""
    means = results.group_by(point).agg(pl.col(output).cast(pl.Float64).mean())
    return means.select(point, output).sort(point)


# First passages


def passages(
    frame: pl.DataFrame, column: str, threshold: float, run: str = "seed", day: str = "date"
) -> pl.DataFrame:
    """First day on which a series exceeds a threshold in each run, from that run's first day.

    Returns
    -------
    frame with `run`, `days` to the passage or to the end of the run, and whether it `passed`
    """
    first = pl.col(day).min()
    passed = pl.col(day).filter(pl.col(column) > threshold).min()
    found = frame.group_by(run).agg(
        (passed - first).alias("at"), (pl.col(day).max() - first).alias("end")
    )
    days = pl.coalesce("at", "end")
    if frame[day].dtype.is_temporal():
        days = days.dt.total_days()
    passed_at_all = pl.col("at").is_not_null().alias("passed")
    return found.select(run, days.cast(pl.Float64).alias("days"), passed_at_all).sort(run)


def first_passage(days: FloatArray, passed: Bools) -> pl.DataFrame:
    """Share of runs that have passed by each day, runs that ended before counted as censored.

    Parameters
    ----------
    days : [run], until the passage, or until the end of a run without one
    passed : [run], whether there was one

    Returns
    -------
    frame with one row a day of passage, after one for day 0: `days`, `at_risk`, `passages`,
    `waiting` (share that has not passed), `low` and `high` (its 95 % interval)

    Notes
    -----
    Kaplan and Meier 1958, S(t) = product over t_i <= t of 1 - d_i / n_i. Greenwood's variance on
    log(-log S) keeps the interval within 0 and 1; once nobody waits the last upper bound stays.
    """
    time, happened = np.asarray(days, np.float64), np.asarray(passed, bool)
    if time.size == 0 or time.shape != happened.shape:
        raise ValueError(f"days of {time.size} runs and passages of {happened.size}")
    rows = [(0.0, time.size, 0, 1.0, 1.0, 1.0)]
    waiting, variance, high = 1.0, 0.0, 1.0
    for moment in np.unique(time[happened]):
        at_risk = int((time >= moment).sum())
        now = int((happened & (time == moment)).sum())
        waiting *= 1.0 - now / at_risk
        if waiting > 0.0:
            variance += now / (at_risk * (at_risk - now))
            low, high = _survival_interval(waiting, variance)
        else:
            low = 0.0
        rows.append((float(moment), at_risk, now, waiting, low, high))
    names = ("days", "at_risk", "passages", "waiting", "low", "high")
    return pl.DataFrame(rows, schema=names, orient="row")


def _survival_interval(waiting: float, variance: float) -> tuple[float, float]:
    """The interval of a share that still waits, on the scale of log(-log)."""
    width = NORMAL_95 * math.sqrt(variance) / abs(math.log(waiting))
    return waiting ** math.exp(width), waiting ** math.exp(-width)


def passage_day(curve: pl.DataFrame, share: float = 0.5) -> float:
    """First day by which that share of the runs has passed; NaN if it never has."""
    there = curve.filter(pl.col("waiting") <= 1.0 - share + 1e-12)
    return float(there["days"][0]) if there.height else math.nan


# Which factors matter


def problem(bounds: Bounds) -> dict[str, Any]:
    """Factors and their bounds as SALib reads them."""
    for name, (low, high) in bounds.items():
        if not low < high:
            raise ValueError(f"{name}: bounds {low} and {high} leave no room")
    return {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [list(ends) for ends in bounds.values()],
    }


def morris_design(bounds: Bounds, trajectories: int, seed: int = 1) -> FloatArray:
    """Points of random one-at-a-time trajectories, [trajectories * (factors + 1), factor]."""
    from SALib.sample import morris

    return np.asarray(morris.sample(problem(bounds), trajectories, seed=_usable(seed)))


def morris_indices(
    bounds: Bounds, points: FloatArray, output: FloatArray, seed: int = 1, levels: int = 4
) -> pl.DataFrame:
    """Elementary effects of each factor on an output, largest first.

    Parameters
    ----------
    points, output : the points of `morris_design` in its order, and what came out at each
    levels : of the design

    Returns
    -------
    frame with `factor`, `mean` effect of crossing a factor's whole range, mean of its `size`
    without sign with a 95 % interval (`low`, `high`), and `deviation` between trajectories, which
    is zero where the output is linear in the factor and in no other one's company

    Notes
    -----
    Morris 1991; Campolongo, Cariboni and Saltelli 2007 for the mean without sign.
    """
    from SALib.analyze import morris

    values = _whole(output)
    names = list(bounds)
    if values.std() == 0.0:
        return _unmoved(names, ("mean", "size", "low", "high", "deviation"))
    found = morris.analyze(
        problem(bounds), np.asarray(points, np.float64), values,
        num_resamples=RESAMPLES, num_levels=levels, seed=_usable(seed),
    )  # fmt: skip
    size, half = np.asarray(found["mu_star"], float), np.asarray(found["mu_star_conf"], float)
    frame = pl.DataFrame(
        {
            "factor": names,
            "mean": np.asarray(found["mu"], float),
            "size": size,
            "low": np.maximum(size - half, 0.0),
            "high": size + half,
            "deviation": np.asarray(found["sigma"], float),
        }
    )
    return frame.sort("size", descending=True)


def sobol_design(bounds: Bounds, base: int, seed: int = 1) -> FloatArray:
    """Points of Saltelli's scheme without second orders, [base * (factors + 2), factor].

    `base` is a power of two, for the sequence to be balanced.
    """
    from SALib.sample import sobol

    if base < 2 or base & (base - 1):
        raise ValueError(f"a base of {base} points; allowed: a power of two")
    return np.asarray(
        sobol.sample(problem(bounds), base, calc_second_order=False, seed=_usable(seed))
    )


def sobol_indices(bounds: Bounds, output: FloatArray, seed: int = 1) -> pl.DataFrame:
    """Shares of an output's variance that factors cause, largest total first.

    Parameters
    ----------
    output : what came out at each point of `sobol_design`, in its order

    Returns
    -------
    frame with `factor`, `first` (alone) and `total` (with all interactions), each with its 95 %
    bootstrap interval (`first_low`, `first_high`, `total_low`, `total_high`)

    Notes
    -----
    Saltelli et al. 2010. Estimates scatter around their values, so a small one may be negative.
    """
    from SALib.analyze import sobol

    values = _whole(output)
    names = list(bounds)
    columns = ("first", "first_low", "first_high", "total", "total_low", "total_high")
    if values.std() == 0.0:
        return _unmoved(names, columns)
    if values.size % (len(names) + 2):
        raise ValueError(f"{values.size} outputs do not make rounds of {len(names) + 2} points")
    found = sobol.analyze(
        problem(bounds), values, calc_second_order=False,
        num_resamples=RESAMPLES, seed=_usable(seed),
    )  # fmt: skip
    told: dict[str, Any] = {"factor": names}
    for name, key in (("first", "S1"), ("total", "ST")):
        centre, half = np.asarray(found[key], float), np.asarray(found[f"{key}_conf"], float)
        told |= {name: centre, f"{name}_low": centre - half, f"{name}_high": centre + half}
    return pl.DataFrame(told).sort("total", descending=True)


def sweep_indices(plan: Plan, results: pl.DataFrame, output: str) -> pl.DataFrame:
    """Indices of a finished sweep's output, by the design that it has: Morris or Sobol.

    Parameters
    ----------
    plan : of the sweep, one scenario
    results : its rows, or those of one scenario; replicates are averaged
    output : a column of numbers

    Returns
    -------
    the frame of `morris_indices` or `sobol_indices`, factors by their keys; a factor counts as
    crossing its range evenly on the scale on which the study draws it
    """
    study = plan.study
    means = point_means(results, output)
    if means["point"].to_list() != list(range(len(plan.points))):
        raise ValueError(f"{means.height} of {len(plan.points)} points: the sweep has not ended")
    bounds = {factor.key: (0.0, 1.0) for factor in study.factors}
    values, seed = means[output].to_numpy(), max(study.seed, 1)
    if study.design == "sobol":
        return sobol_indices(bounds, values, seed)
    if study.design == "morris":
        levels = study.levels or MORRIS_LEVELS
        return morris_indices(bounds, unit_sample(study), values, seed, levels)
    raise ValueError(f"a {study.design} design has no indices; allowed: sobol or morris")


def _usable(seed: int) -> int:
    """SALib takes a seed of zero for none, and draws anew each time."""
    if seed < 1:
        raise ValueError(f"a seed of {seed}; allowed: 1 or more")
    return seed


def _whole(output: FloatArray) -> FloatArray:
    values = np.asarray(output, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("an output is undefined at some points")
    return values


def _unmoved(names: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """What is the same everywhere is moved by no factor."""
    zeros = {column: np.zeros(len(names)) for column in columns}
    return pl.DataFrame({"factor": list(names), **zeros})
