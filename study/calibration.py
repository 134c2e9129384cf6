"""The fit of the free parameters to the months up to 2021-04; run it with `make calibrate`.

A point is judged by forecasts from cut-offs inside those months as much as by its fit to them,
because a better fit in sample has gone with worse forecasts. The search is a Latin hypercube over
the bounds, and then the method of Nelder and Mead (1965) from its best points. Its result depends
on the seed alone, not on the number of workers.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy import optimize
from scipy.stats import qmc

from model.known import SCENARIOS
from model.scenario import Scenario, load, with_days
from study import history, rolling

BASE = "china_ban_2021"
# Changes of the base while searching; shares depend on the size of the world, so it keeps its own.
SMALLER: tuple[str, ...] = ()
LOG = SCENARIOS.parent / "docs" / "calibration.csv"

POINTS_PER_LOG_ERROR = 25.0  # 2.5 points of shares weigh as much as 0.10 of log hashrate
PRIOR_WEIGHT = 0.005  # of the mean squared distance from the priors, in their standard deviations
SCREENED = 0.5  # share of the evaluations that the hypercube takes
POLISHED = 2  # points from which the search goes on
SIMPLEX = 0.12  # edge of the first simplex, over the width between the bounds
FAILED = 10.0  # the objective where a run breaks down

Vector = np.ndarray


class Parameter(NamedTuple):
    """A free parameter: where it may lie, where it is believed to lie, and how firmly.

    `prior_sd` is in the units of the scale: natural logarithms, or the parameter's own.
    """

    key: str
    prior: float
    low: float
    high: float
    scale: Literal["log", "linear"]
    prior_sd: float

    def value(self, position: float) -> float:
        """The parameter at a position from 0 (its lowest value) to 1 (its highest)."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        scaled = low + (high - low) * min(max(position, 0.0), 1.0)
        found = math.exp(scaled) if self.scale == "log" else scaled
        # Five digits are more than the data tell, and they survive the way through a file.
        return min(max(float(f"{found:.5g}"), self.low), self.high)

    def position(self, value: float) -> float:
        """Where a value lies between the bounds, from 0 to 1."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(min(max(value, self.low), self.high)) - low) / (high - low)

    def surprise(self, value: float) -> float:
        """Squared distance from the prior, in its standard deviations."""
        return ((self._scaled(value) - self._scaled(self.prior)) / self.prior_sd) ** 2

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.scale == "log" else value


# Site growth, machines and money trade off against one another: the priors, not the data, tell
# them apart. What only a ban could show is not fitted at all.
PARAMETERS = (
    Parameter("energy.site_growth_month", 0.10, 0.04, 0.25, "log", 0.5),
    Parameter("energy.place_growth_month", 0.25, 0.10, 0.60, "log", 0.5),
    Parameter("energy.china_growth", 0.3, 0.05, 1.5, "log", 0.7),
    Parameter("energy.momentum", 0.5, 0.1, 0.9, "linear", 0.25),
    Parameter("energy.cost_scale_usd_mwh", 15.0, 5.0, 50.0, "log", 0.6),
    Parameter("start.site_pipeline_month", 0.03, 0.005, 0.10, "log", 0.6),
    Parameter("machines.output_growth_month", 0.12, 0.06, 0.20, "log", 0.3),
    Parameter("machines.diffusion_months", 6.0, 2.0, 12.0, "log", 0.4),
    Parameter("machines.eagerness", 1.0, 0.5, 2.0, "log", 0.4),
    Parameter("firms.spend_share_month", 0.35, 0.15, 0.60, "log", 0.5),
    Parameter("firms.decline_weight", 0.25, 0.0, 0.8, "linear", 0.2),
)
WHOLE = {"firms.idle_days_to_vacate"}


def prior_values() -> dict[str, float]:
    """The priors."""
    return {each.key: each.prior for each in PARAMETERS}


def present_values() -> dict[str, float]:
    """The values that the base scenario has now."""
    case = load(BASE)
    return {each.key: present(case, each.key) for each in PARAMETERS}


def point_of(values: dict[str, float]) -> Vector:
    """The point of the unit cube with these parameters, each inside its bounds."""
    return np.array([each.position(values[each.key]) for each in PARAMETERS])


def present(case: Scenario, key: str) -> float:
    """The value of a parameter in a scenario."""
    section, name = key.split(".")
    return float(getattr(getattr(case, section), name))


def values_at(point: Vector) -> dict[str, float]:
    """Parameters at a point of the unit cube."""
    found = {each.key: each.value(at) for each, at in zip(PARAMETERS, point, strict=True)}
    return {key: float(round(value)) if key in WHOLE else value for key, value in found.items()}


def scenario_at(values: dict[str, float], changes: Sequence[str] = SMALLER) -> Scenario:
    """The base scenario with these parameters, up to the last training month."""
    settings = [f"{key}={int(value) if key in WHOLE else value}" for key, value in values.items()]
    case = load(BASE, [*changes, *settings])
    last = rolling.last_day(history.LAST_TRAINING_MONTH)
    return with_days(case, (last - case.start_date).days + 1)


# Judging a point


@dataclass(frozen=True)
class Evaluation:
    """A point and how well it does; errors are means over the seeds.

    Attributes
    ----------
    values : the parameters
    origins : mean absolute log error of the hashrate after each cut-off
    training : the same over the training months, of a free run from 2019-09
    shares : mean absolute error of nation shares over them, percentage points
    failure : why a run broke down; empty if none did
    """

    values: dict[str, float]
    origins: tuple[float, ...] = ()
    training: float = math.nan
    shares: float = math.nan
    failure: str = ""

    @property
    def rolling(self) -> float:
        """Mean error over the cut-offs."""
        return float(np.mean(self.origins)) if self.origins else math.nan

    @property
    def penalty(self) -> float:
        """What distance from the priors costs."""
        return PRIOR_WEIGHT * float(
            np.mean([each.surprise(self.values[each.key]) for each in PARAMETERS])
        )

    @property
    def objective(self) -> float:
        """What the search makes as small as it can."""
        if self.failure:
            return FAILED
        return self.rolling + self.training + self.shares / POINTS_PER_LOG_ERROR + self.penalty


def evaluate(values: dict[str, float], seeds: Sequence[int]) -> Evaluation:
    """Run a point freely and from every cut-off; a run that breaks down makes it a bad point."""
    case = scenario_at(values)
    seen = history.observed_months()
    try:
        free = [history.score(history.run_months(_seeded(case, seed)), seen) for seed in seeds]
        restarts = [
            [
                rolling.score_origin(case, cutoff, seed).hashrate_log_error
                for cutoff in rolling.CUT_OFFS
            ]
            for seed in seeds
        ]
    except (ArithmeticError, LookupError, ValueError) as error:
        return Evaluation(values, failure=f"{type(error).__name__}: {error}")
    mean = history.mean_scores(free)
    return Evaluation(
        values,
        origins=tuple(float(error) for error in np.mean(restarts, axis=0)),
        training=mean.hashrate_log_error,
        shares=mean.shares_error_points,
    )


def _seeded(case: Scenario, seed: int) -> Scenario:
    return case.model_copy(update={"seed": seed})


def require_training_months_only() -> None:
    """Stop if any run or observation reaches beyond the last training month."""
    last = rolling.last_day(history.LAST_TRAINING_MONTH)
    case = scenario_at(prior_values())
    runs = [case, *(rolling.anchored(case, cutoff) for cutoff in rolling.CUT_OFFS)]
    late = [run.name for run in runs if run.end_date > last]
    if late or history.observed_months()["month"].max() != history.LAST_TRAINING_MONTH:
        raise RuntimeError(f"calibration must not look beyond {last}: {late}")


# Searching

Measure = Callable[[dict[str, float]], Evaluation]


class Climb(NamedTuple):
    """A search from one point: the point, how many evaluations, and how to judge."""

    start: Vector
    evaluations: int
    measure: Measure


def search(measure: Measure, evaluations: int, seed: int, workers: int) -> list[Evaluation]:
    """Evaluations of a whole search, in the order in which they were asked for.

    The first two are the present values and the priors.
    """
    screened = max(round(SCREENED * evaluations), 2)
    drawn = [values_at(point) for point in spread_points(screened - 2, seed)]
    found = history.in_order(measure, [present_values(), prior_values(), *drawn], workers)
    left = (evaluations - len(found)) // POLISHED
    if left > 0:
        best = np.argsort([one.objective for one in found], kind="stable")[:POLISHED]
        climbs = [Climb(point_of(found[row].values), left, measure) for row in best]
        for more in history.in_order(climb, climbs, workers):
            found += more
    return found


def spread_points(count: int, seed: int) -> list[Vector]:
    """Points of a Latin hypercube."""
    if count < 1:
        return []
    return list(qmc.LatinHypercube(len(PARAMETERS), rng=np.random.default_rng(seed)).random(count))


def climb(task: Climb) -> list[Evaluation]:
    """The method of Nelder and Mead from one point, inside the bounds."""
    found: list[Evaluation] = []

    def objective(point: Vector) -> float:
        found.append(task.measure(values_at(point)))
        return found[-1].objective

    optimize.minimize(
        objective,
        task.start,
        method="Nelder-Mead",
        bounds=[(0.0, 1.0)] * len(PARAMETERS),
        options={
            "maxfev": task.evaluations,
            "initial_simplex": first_simplex(task.start),
            "adaptive": True,
        },
    )
    return found


def first_simplex(start: Vector) -> np.ndarray:
    """The start and one step along every axis, away from the nearer bound."""
    steps = np.where(start > 0.5, -SIMPLEX, SIMPLEX)
    return np.vstack([start, start + np.diag(steps)])


def best_of(found: Sequence[Evaluation]) -> Evaluation:
    """The evaluation with the smallest objective."""
    return min(found, key=lambda one: one.objective)


# Reporting


def parameter_table(best: Evaluation) -> Table:
    """Priors, bounds, present and fitted values."""
    table = Table("parameter", "prior", "lowest", "highest", "now", "fitted", title="parameters")
    case = load(BASE)
    for each in PARAMETERS:
        numbers = (each.prior, each.low, each.high, present(case, each.key), best.values[each.key])
        table.add_row(each.key, *(f"{number:.5g}" for number in numbers))
    return table


def error_table(columns: dict[str, Evaluation]) -> Table:
    """Errors by cut-off and in sample, the naive ones beside them."""
    seen = history.observed_months()
    naive = {
        cutoff: history.naive_scores(seen, cutoff, rolling.months_ahead(cutoff))
        for cutoff in rolling.CUT_OFFS
    }
    names = list(naive[rolling.CUT_OFFS[0]])
    table = Table("error", *columns, *names, title="mean absolute log errors of the hashrate")
    by_name: dict[str, list[float]] = defaultdict(list)
    for row, cutoff in enumerate(rolling.CUT_OFFS):
        errors = [one.origins[row] if one.origins else math.nan for one in columns.values()]
        others = [naive[cutoff][name].hashrate_log_error for name in names]
        for name, value in zip(names, others, strict=True):
            by_name[name].append(value)
        table.add_row(f"after {cutoff}", *_three_digits([*errors, *others]))
    means = [one.rolling for one in columns.values()]
    table.add_row("mean", *_three_digits([*means, *(float(np.mean(by_name[n])) for n in names)]))
    for words, name in (("training months", "training"), ("nation shares, points", "shares")):
        table.add_row(words, *_three_digits([getattr(one, name) for one in columns.values()]))
    table.add_row("objective", *_three_digits([one.objective for one in columns.values()]))
    return table


def _three_digits(numbers: Sequence[float]) -> list[str]:
    return [history.shown(number, ".3f") for number in numbers]


def as_rows(found: Sequence[Evaluation]) -> pl.DataFrame:
    """Every evaluation as a row: its parameters, its errors, its objective."""
    return pl.DataFrame(
        [
            {
                "evaluation": number,
                **one.values,
                **{
                    f"after_{cutoff}": one.origins[row] if one.origins else None
                    for row, cutoff in enumerate(rolling.CUT_OFFS)
                },
                "rolling": one.rolling,
                "training": one.training,
                "shares_points": one.shares,
                "penalty": one.penalty,
                "objective": one.objective,
                "failure": one.failure,
            }
            for number, one in enumerate(found, start=1)
        ],
        infer_schema_length=None,
    ).fill_nan(None)


def as_toml(values: dict[str, float]) -> str:
    """Parameters as tables of a scenario file."""
    sections: dict[str, list[str]] = defaultdict(list)
    for key, value in values.items():
        section, name = key.split(".")
        sections[section].append(f"{name} = {int(value) if key in WHOLE else value}")
    return "\n".join("\n".join([f"[{section}]", *lines, ""]) for section, lines in sections.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, print what was found, and write every evaluation to a file."""
    asked = _parser().parse_args(arguments)
    require_training_months_only()
    console = Console()
    seeds = range(1, asked.seeds + 1)
    measure = Judge(tuple(seeds))
    count = 2 if asked.start_only else asked.evaluations
    found = search(measure, count, asked.seed, asked.workers)
    best = best_of(found)
    console.print(parameter_table(best))
    console.print(error_table({"now": found[0], "priors": found[1], "best": best}))
    for failure in sorted({one.failure for one in found if one.failure}):
        console.print(f"a run broke down: {failure}", markup=False)
    if not asked.start_only:
        as_rows(found).write_csv(asked.log)
        console.print(f"{len(found)} evaluations written to {asked.log}", highlight=False)
    if asked.out:
        asked.out.write_text(as_toml(best.values), encoding="utf-8")
    else:
        console.print(as_toml(best.values), highlight=False, markup=False)
    return 0


@dataclass(frozen=True)
class Judge:
    """How points are judged: under these seeds. Can be sent to another process."""

    seeds: tuple[int, ...]

    def __call__(self, values: dict[str, float]) -> Evaluation:
        """Evaluate one point."""
        return evaluate(values, self.seeds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m study.calibration",
        description="Fit the free parameters to the months up to 2021-04.",
    )
    parser.add_argument("--evaluations", type=_positive, default=120, help="points to try")
    parser.add_argument("--workers", type=_positive, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seeds", type=_positive, default=1, help="runs of each point")
    parser.add_argument("--seed", type=int, default=2021, help="of the search itself")
    parser.add_argument(
        "--start-only", action="store_true", help="judge the present values and the priors only"
    )
    parser.add_argument("--log", type=Path, default=LOG, help="file of all evaluations")
    parser.add_argument("--out", type=Path, help="file for the best point; printed if not given")
    return parser


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"found {word}; allowed: a whole number from 1 on")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
