"""The checks behind every claim: closed forms, conservation laws, history, forecasts.

`main()` prints them as tables and says by its exit status whether all hold. `main(FILE)` scores
runs against a file of observed months instead, and asserts nothing.

A file of observed months is a CSV table with a column `month` (2021-05) and any of

- `hashrate_ehs`: mean hashrate of the month, EH/s;
- `efficiency_j_th`: Cambridge's estimate of the efficiency of profitable machines, J/TH;
- `share_USA`, `share_KAZ`, ...: share of the hashrate by nation (ISO alpha-3, OTH for all
  other), percent; or instead, with one row a nation and month, the columns `nation` and
  `share_pct`.

Empty cells are unknown; lines that begin with # are comments. Seven nations are scored (CAN, CHN,
IRN, KAZ, MYS, RUS, USA); all others, DEU and IRL among them, are merged into OTH, which is scored
in the months that have all seven.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from model.chain.chain import Chain
from model.chain.difficulty import epoch_lengths_days
from model.chain.patience import Patience
from model.chain.races import race_keys, split_by_walk
from model.complaint import ScenarioError, nearest_to
from model.known import column
from model.markets import clocking, maker, sunshine
from model.rewards.solo import chance_of_a_block, days_to_first_block
from model.scenario import Scenario, catalogue, load, with_days
from model.streams import Streams
from model.units import (
    DAYS_PER_YEAR,
    EPOCH_BLOCKS,
    TERAHASH_PER_EXAHASH,
    TERAHASH_PER_PETAHASH,
    breakeven_power_price_usd_mwh,
    equilibrium_difficulty,
    hashprice_usd_ths_day,
)
from study import fork_curve, history, rolling, runfolder, static_limit
from study.engines import Done, engine
from study.history import Scores

CALIBRATED = "china_ban_2021"
SEEDS_IN_SAMPLE = 8
SEEDS_OF_FORECASTS = 4
SEEDS_OF_SCORES = 4
FORECAST_GOAL = 0.15
QUICK_DAYS = 120
QUICK_SIZE = ("start.miners=200", "start.sites=500")
FIGURES = Path("out") / "validate"
# Share that enforces, chance of a final split within 52,596 blocks at constant difficulty: from an
# independent simulation of 200 runs.
SPLIT_CHANCES = {0.45: 1.0, 0.49: 1.0, 0.50: 0.96, 0.505: 0.505, 0.51: 0.135, 0.55: 0.0}
ORACLE_RUNS = 200
SCORED_RUNS = (CALIBRATED, "history", "outlook_2021")


class Check(NamedTuple):
    """One line of a table of checks; `beside` holds naive baselines, or what went wrong."""

    name: str
    expected: float
    found: float
    tolerance: float
    beside: str = ""

    @property
    def holds(self) -> bool:
        """Whether what was found is within the tolerance; an undefined number never is."""
        return abs(self.found - self.expected) <= self.tolerance


Section = Callable[[bool, int], list[Check]]


def main(
    observed: Path | None = None,
    quick: bool = False,
    console: Console | None = None,
    runs: Sequence[str] = SCORED_RUNS,
    workers: int | None = None,
) -> int:
    """Print all checks, or the scores of runs against a file; 1 if a check fails, else 0.

    Parameters
    ----------
    observed : file of observed months, to score runs against instead of checking
    quick : short runs of small worlds under fewer seeds
    console : where to print
    runs : what to score: names or paths of scenarios, or folders of finished runs
    workers : processes; one a processor unless told
    """
    console = console or Console()
    workers = workers or os.cpu_count() or 1
    if observed is not None:
        for table in score_file(observed, runs, quick, workers):
            console.print(table)
        return 0
    failed = 0
    for title, section in SECTIONS.items():
        with console.status(title):
            checks = section(quick, workers)
        console.print(check_table(title, checks))
        failed += sum(not check.holds for check in checks)
    console.print(f"{failed} checks fail" if failed else "all checks hold", highlight=False)
    return 1 if failed else 0


def check_table(title: str, checks: Sequence[Check]) -> Table:
    """Name, expected, found, tolerance and verdict of each check."""
    table = Table(title=title)
    for head in ("check", "expected", "found", "tolerance", "ok"):
        table.add_column(head)
    notes = any(check.beside for check in checks)
    if notes:
        table.add_column("beside")
    for check in checks:
        numbers = (f"{value:.5g}" for value in (check.expected, check.found, check.tolerance))
        verdict = "[green]yes[/]" if check.holds else "[bold red]NO[/]"
        table.add_row(check.name, *numbers, verdict, *([check.beside] if notes else []))
    return table


# Closed forms


def closed_forms(quick: bool = False, workers: int = 1) -> list[Check]:
    """Kernels against published or independently computed numbers."""
    del quick, workers  # they take a second
    return [
        *hashprice_checks(),
        *chain_checks(),
        *machine_checks(),
        *sun_checks(),
        *contest_checks(),
        *(Check(*row) for row in static_limit.static_limit_table()),
    ]


def hashprice_checks() -> list[Check]:
    """Revenue of a hash at 850 EH/s and 3.155 BTC a block, and what power it can pay for."""
    difficulty = equilibrium_difficulty(850 * TERAHASH_PER_EXAHASH)
    published = {
        83_000.0: (
            44.36,
            {13.5: 136.9, 17.5: 105.6, 21.5: 86.0, 29.5: 62.7, 38.0: 48.6, 98.0: 18.9},
        ),
        500_000.0: (267.25, {17.5: 636.0, 29.5: 377.0, 38.0: 293.0, 98.0: 113.6}),
    }
    checks = []
    for price_usd, (per_ph, machines) in published.items():
        hashprice = float(hashprice_usd_ths_day(difficulty, 3.155, price_usd))
        name = f"hashprice at {price_usd:,.0f} USD, USD/PH/day"
        checks.append(_relative(name, per_ph, hashprice * TERAHASH_PER_PETAHASH, 0.005))
        for efficiency, expected in machines.items():
            name = f"break-even of {efficiency:g} J/TH at {price_usd:,.0f} USD, USD/MWh"
            found = float(breakeven_power_price_usd_mwh(hashprice, efficiency))
            checks.append(_relative(name, expected, found, 0.005))
    return checks


def chain_checks() -> list[Check]:
    """Block intervals, epochs after a loss of hashrate, and the luck of a solo miner."""
    lengths = {0.5: (28, 14, 14), 0.25: (56, 14), 0.1: (140, 35, 14), 0.05: (280, 70, 17.5, 14)}
    epochs = [
        Check(f"epoch {number} with {share:.0%} of the hashrate, days", days, found, 0.01)
        for share, expected in lengths.items()
        for number, (days, found) in enumerate(
            zip(expected, epoch_lengths_days(share, len(expected)), strict=True), start=1
        )
    ]
    share = 200.0 / (850 * TERAHASH_PER_EXAHASH)
    years, chance = days_to_first_block(share) / DAYS_PER_YEAR, chance_of_a_block(share, 4)
    return [
        Check("block interval at a constant hashrate, s", 600.596, simulated_interval_s(), 0.7),
        *epochs,
        _relative("solo miner of 200 TH/s, years to a block", 80.8, years, 0.005),
        _relative("the same, chance of a block in 4 years", 0.0483, chance, 0.005),
    ]


def simulated_interval_s(epochs: int = 4000) -> float:
    """Mean block interval of a chain with Bitcoin's retarget at a constant hashrate."""
    hashrate_ths = 82.0 * TERAHASH_PER_EXAHASH
    key = Streams(1).key("blocks")
    chain = Chain(294 * EPOCH_BLOCKS, equilibrium_difficulty(hashrate_ths), key)
    hours = np.full(24, hashrate_ths)
    days = [chain.mine(day, hours, 0.0).block_times_s for day in range(14 * epochs)]
    found = np.concatenate(days)
    whole = EPOCH_BLOCKS * ((found.size - 1) // EPOCH_BLOCKS)
    return float((found[whole] - found[0]) / whole)


def machine_checks() -> list[Check]:
    """Discounts of large orders, and the clock that earns most."""
    discounts = {0.0035: 0.0, 1.0: 0.20, 10.0: 0.27, 26.0: 0.30, 500.0: 0.30}
    ratios = (0.4, 0.5, 1.0, 1.5, 2.0, 2.4, 3.0, 4.0)
    clocks = (0.0, 0.5, 0.5774, 0.7559, 0.8997, 1.0, 1.1339, 1.3)
    paid = maker.order_price(1.0, 0.0, list(discounts), 0.04, 0.30)
    best = clocking.clock_factor(ratios, linear_share=0.3, lowest=0.5, highest=1.3)
    return [
        *(
            Check(f"discount on an order of {megawatts:g} MW", expected, 1.0 - float(price), 0.005)
            for (megawatts, expected), price in zip(discounts.items(), paid, strict=True)
        ),
        *(
            Check(f"best clock at {ratio:g} times its power cost", expected, float(clock), 5e-5)
            for ratio, expected, clock in zip(ratios, clocks, best, strict=True)
        ),
    ]


def sun_checks() -> list[Check]:
    """Sunshine that inverters cannot pass, by DC over AC capacity."""
    lost = {1.05: 0.0098, 1.1: 0.0260, 1.2: 0.0647, 1.3: 0.1058, 1.4: 0.1461, 1.5: 0.1846}
    return [
        _relative(f"clipped at {ratio:g} DC over AC", expected, float(found), 0.01)
        for (ratio, expected), found in zip(
            lost.items(), sunshine.clipped_fraction(list(lost)), strict=True
        )
    ]


def contest_checks() -> list[Check]:
    """Shares and the price of hash where miners know their weight (Arnosti and Weinberg 2022)."""
    costs = np.array([0.03, 0.04, 0.05, 0.06, 0.08])
    expected = (0.5, 1 / 3, 1 / 6, 0.0, 0.0)
    return [
        Check("contest: price of hash", 0.06, float(static_limit.contest_price(costs)), 1e-9),
        *(
            Check(f"contest: share at cost {cost:g}", share, float(found), 1e-9)
            for cost, share, found in zip(
                costs, expected, static_limit.contest_shares(costs), strict=True
            )
        ),
    ]


def _relative(name: str, expected: float, found: float, tolerance: float) -> Check:
    return Check(name, expected, found, tolerance * abs(expected))


# Conservation


def conservation(quick: bool = False, workers: int = 1) -> list[Check]:
    """Days of each scenario on which every conservation law held, against its days."""
    cases = [_checked_daily(name, quick) for name, _ in catalogue()]
    ended = sorted(engine(workers).map(lawful_days, cases), key=lambda done: done.position)
    return [_lived(case, done) for case, done in zip(cases, ended, strict=True)]


def _lived(case: Scenario, done: Done) -> Check:
    reason = done.error.strip().splitlines()[-1] if done.error else ""
    found = math.nan if done.error else float(done.result)
    return Check(f"{case.name}: days within the laws", float(case.days), found, 0.0, reason)


def _checked_daily(name: str, quick: bool) -> Scenario:
    case = load(name, ["record.ledger_every_days=1", *(QUICK_SIZE if quick else ())])
    return with_days(case, QUICK_DAYS) if quick and case.days > QUICK_DAYS else case


def lawful_days(case: Scenario) -> int:
    """Days lived through; the accounts are checked on each, and a broken law stops the run."""
    return history.live(case).written


# History and forecasts


def in_sample(quick: bool = False, workers: int = 1) -> list[Check]:
    """Scores over the training months against the goals, the naive baselines beside them."""
    case = training_case(quick)
    scores = history.mean_scores(training_scores(case, quick, workers))
    naive = naive_before(case, history.observed_months())
    notes = {name: beside(name, naive) for name in history.GOALS}
    # Errors that cancel look like skill, so the end of the training months stands by itself.
    notes["hashrate_log_error"] += f"; last month alone {scores.hashrate_end_residual:+.3f}"
    return [
        Check(history.WORDS[name][0], expected, getattr(scores, name), tolerance, notes[name])
        for name, (expected, tolerance) in history.GOALS.items()
    ]


def training_case(quick: bool = False) -> Scenario:
    """The calibrated scenario up to the last training month."""
    case = load(CALIBRATED, QUICK_SIZE if quick else ())
    last = rolling.last_day(history.LAST_TRAINING_MONTH)
    return with_days(case, (last - case.start_date).days + 1)


def training_scores(case: Scenario, quick: bool, workers: int) -> list[Scores]:
    """Scores of each seed's run over the training months."""
    seeds = range(1, (2 if quick else SEEDS_IN_SAMPLE) + 1)
    cases = [case.model_copy(update={"seed": seed}) for seed in seeds]
    seen = history.observed_months()
    return [
        history.score(run, seen) for run in history.in_order(history.run_months, cases, workers)
    ]


def naive_before(case: Scenario, seen: pl.DataFrame) -> dict[str, Scores]:
    """Naive baselines from the month before a scenario begins."""
    first = case.start_date.strftime("%Y-%m")
    months = history.month_range(first, case.end_date.strftime("%Y-%m"))
    return history.naive_scores(seen, history.shifted(first, -1), months)


def beside(name: str, naive: Mapping[str, Scores]) -> str:
    """The same score of each naive baseline that has one."""
    form = history.WORDS[name][1]
    known = {label: getattr(scores, name) for label, scores in naive.items()}
    return ", ".join(
        f"{label} {format(value, form)}" for label, value in known.items() if not math.isnan(value)
    )


def forecasts(quick: bool = False, workers: int = 1) -> list[Check]:
    """Error of the hashrate in the months after each cut-off; only their mean has a goal."""
    seeds = range(1, (1 if quick else SEEDS_OF_FORECASTS) + 1)
    found = rolling.rolling_scores(training_case(quick), list(seeds), workers)
    naive = ", ".join(f"{name} {error:.3f}" for name, error in found.naive.items())
    each = "; ".join(f"{one.cutoff} {one.error:.3f} ({one.months} months)" for one in found.origins)
    name = "hashrate after six cut-offs, mean absolute log error"
    return [Check(name, 0.0, found.error, FORECAST_GOAL, f"{naive}. By cut-off: {each}")]


def splits(quick: bool = False, workers: int = 1) -> list[Check]:
    """The chance that a directive splits the chain within a year; the figure is written too."""
    shares = fork_curve.FEW_SHARES if quick else fork_curve.SHARES
    runs, kernel_runs = (4, 60) if quick else (24, 200)
    points = fork_curve.curve(shares, runs, kernel_runs, workers)
    path = fork_curve.save(points, FIGURES)
    checks = [
        Check(
            f"chance of a split, {point.share:.1%} enforcing, whole model",
            point.by_tree,
            point.chance,
            fork_curve.spread(point, kernel_runs),
            f"median day {point.median_days:.0f}; at constant difficulty {point.by_walk:.2f}",
        )
        for point in points
    ]
    keys, never = race_keys(2, kernel_runs), Patience("inf")
    for share, expected in SPLIT_CHANCES.items():
        found = split_by_walk(share, never, keys).chance
        error = math.sqrt(expected * (1 - expected) * (1 / kernel_runs + 1 / ORACLE_RUNS))
        name = f"the same at {share:.1%}, race at constant difficulty"
        checks.append(Check(name, expected, found, 3.0 * error + 1.0 / kernel_runs))
    checks[-1] = checks[-1]._replace(beside=f"figure: {path}")
    return checks


SECTIONS: dict[str, Section] = {
    "closed forms": closed_forms,
    "splits by a directive within a year": splits,
    "conservation laws": conservation,
    f"history, {history.FIRST_SHARES} to {history.LAST_TRAINING_MONTH}": in_sample,
    "forecasts inside the training months": forecasts,
}


# Scores against a file


def score_file(
    observed: Path, runs: Sequence[str] = SCORED_RUNS, quick: bool = False, workers: int = 1
) -> Iterator[Table]:
    """A table of scores for each run, and for the months before and after calibration ended."""
    seen = read_observed(observed)
    periods = {
        f"up to {history.LAST_TRAINING_MONTH}": pl.col("month") <= history.LAST_TRAINING_MONTH,
        f"after {history.LAST_TRAINING_MONTH}": pl.col("month") > history.LAST_TRAINING_MONTH,
    }
    scored = 0
    for name in runs:
        tables = run_tables(name, list(seen["month"]), quick, workers)
        for words, inside in periods.items():
            months = seen.filter(inside & pl.col("month").is_in(_months_of(tables)))
            if not months.is_empty():
                scored += 1
                title = f"{name}, {words}, mean over runs: {len(tables)}"
                yield history.score_table(title, columns_of(tables, months), goals=False)
    if not scored:
        span = " to ".join(sorted(seen["month"])[:: max(len(seen) - 1, 1)])
        raise ScenarioError("month", span, "months of the runs that are scored", file=str(observed))


def columns_of(tables: Sequence[pl.DataFrame], seen: pl.DataFrame) -> dict[str, Scores]:
    """Mean and spread of the runs' scores, and the naive baselines'.

    The baselines know the months before the run, or all training months when later ones are
    scored; they never see the file.
    """
    each = [history.score(table, seen) for table in tables]
    months = sorted(seen["month"])
    before = history.shifted(min(_months_of(tables)), -1)
    later = months[0] > history.LAST_TRAINING_MONTH
    cutoff = history.LAST_TRAINING_MONTH if later else before
    return {
        "model": history.mean_scores(each),
        "over seeds, sd": history.spread_of_scores(each),
        **history.naive_scores(history.observed_months(), cutoff, months, seen),
    }


def run_tables(name: str, months: Sequence[str], quick: bool, workers: int) -> list[pl.DataFrame]:
    """Months of the runs in a folder, or of a scenario under several seeds up to the last month.

    No run is started for a scenario that has none of the months.
    """
    if Path(name).is_dir():
        return [
            history.modelled_months(run.series, run.shares)
            for run in map(runfolder.read, _run_folders(Path(name)))
        ]
    case = load(name, QUICK_SIZE if quick else ())
    span = (case.start_date.strftime("%Y-%m"), case.end_date.strftime("%Y-%m"))
    inside = [month for month in months if span[0] <= month <= span[1]]
    if not inside:
        return []
    days = (min(rolling.last_day(max(inside)), case.end_date) - case.start_date).days + 1
    seeds = range(1, (1 if quick else SEEDS_OF_SCORES) + 1)
    cases = [with_days(case, days).model_copy(update={"seed": seed}) for seed in seeds]
    return history.in_order(history.run_months, cases, workers)


def _run_folders(folder: Path) -> list[Path]:
    found = [folder] if (folder / runfolder.RUN).exists() else runfolder.finished(folder)
    if not found:
        raise ScenarioError("run", str(folder), "a scenario, or a folder with finished runs")
    return found


def _months_of(tables: Sequence[pl.DataFrame]) -> list[str]:
    return sorted({month for table in tables for month in table["month"]})


# Reading the file

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_SHARE = "share_"
_LONG = ("nation", "share_pct")
_VALUES = {"hashrate_ehs": history.HASHRATE, "efficiency_j_th": history.EFFICIENCY}
_MOST = {"hashrate_ehs": 1e6, "efficiency_j_th": 1e4}
_ROUNDING_POINTS = 1.5  # by which rounded shares may exceed 100 in sum


class _Cell(NamedTuple):
    """Where a value stands, for complaints."""

    file: Path
    line: int
    column: str

    def refuse(self, found: str, allowed: str, nearest: str | None = None) -> ScenarioError:
        where = f"line {self.line}, {self.column}"
        return ScenarioError(where, found or "nothing", allowed, nearest, str(self.file))


def read_observed(path: Path) -> pl.DataFrame:
    """A file of observed months as a table of months; see the top of this module for its form."""
    header, rows = _read_rows(path)
    _check_header(path, header)
    values: dict[str, dict[str, float]] = defaultdict(dict)
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for line, row in rows:
        month = _month(_Cell(path, line, "month"), row["month"])
        for name, word in _given(row):
            nation = row["nation"] if name in _LONG else name.removeprefix(_SHARE)
            target, key = (values, _VALUES[name]) if name in _VALUES else (shares, nation)
            _put(
                target[month], key, _number(_Cell(path, line, name), word), _Cell(path, line, name)
            )
    months = sorted({*values, *shares})
    if not months:
        raise ScenarioError("rows", "no value", "at least one observed month", file=str(path))
    _check_shares(path, shares)
    return pl.DataFrame(
        [{"month": month, **values[month], **_grouped(shares[month])} for month in months],
        schema={"month": pl.String} | dict.fromkeys(_columns(), pl.Float64),
    )


def _columns() -> list[str]:
    return [*_VALUES.values(), *map(history.share_column, history.GROUPS)]


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Column names, and each row with its line number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ScenarioError("file", reason, "a readable CSV file", file=str(path)) from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1)
             if line.strip() and not line.startswith("#")]  # fmt: skip
    try:
        cells = [(number, next(csv.reader([line]))) for number, line in lines]
    except csv.Error as error:
        raise ScenarioError("file", f"{error}", "a CSV table", file=str(path)) from None
    if not cells:
        raise ScenarioError("header", "nothing", "a line of column names", file=str(path))
    header = [name.strip() for name in cells[0][1]]
    for number, row in cells[1:]:
        if len(row) != len(header):
            found = f"{len(row)} cells"
            raise ScenarioError(f"line {number}", found, f"{len(header)} cells", file=str(path))
    return header, [
        (number, {name: cell.strip() for name, cell in zip(header, row, strict=True)})
        for number, row in cells[1:]
    ]


def _check_header(path: Path, header: Sequence[str]) -> None:
    """Refuse columns that are unknown, come twice, or lack their partner."""
    nations = [f"{_SHARE}{nation}" for nation in _nations()]
    allowed = ["month", *_VALUES, *_LONG, *nations]
    for name in header:
        if name not in allowed or header.count(name) > 1:
            near = nearest_to(name, [one for one in allowed if one != name])
            words = (
                f"each once: month, {', '.join(_VALUES)}, nation, share_pct, share_USA and so on"
            )
            raise ScenarioError("column", name or "no name", words, near, str(path))
    both = [name in header for name in _LONG]
    if "month" not in header or any(both) != all(both) or len(header) < 2:
        words = "month and a column besides; nation and share_pct only together"
        raise ScenarioError("columns", ", ".join(header), words, file=str(path))


def _nations() -> list[str]:
    return list(dict.fromkeys([*column("nations.csv", "iso3"), *history.GROUPS, "DEU", "IRL"]))


def _given(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The cells of a row that hold numbers."""
    for name, word in row.items():
        if word and name not in ("month", "nation"):
            yield name, word


def _month(cell: _Cell, word: str) -> str:
    if not _MONTH.fullmatch(word):
        raise cell.refuse(word, "a month such as 2021-05")
    return word


def _number(cell: _Cell, word: str) -> float:
    most = _MOST.get(cell.column, 100.0)
    share = cell.column not in _MOST
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not (value <= most and (value >= 0.0 if share else value > 0.0)):
        kind = "a number of percent from 0" if share else "a number above 0"
        raise cell.refuse(word, f"{kind}, at most {most:g}")
    return value


def _put(held: dict[str, float], key: str, value: float, cell: _Cell) -> None:
    """Keep a value, unless the month has another one already."""
    if key not in (*_VALUES.values(), *_nations()):
        allowed = "a nation (ISO alpha-3) of the model, or OTH"
        raise cell.refuse(key, allowed, nearest_to(key, _nations()))
    if held.setdefault(key, value) != value:
        raise cell.refuse(f"{value:g} after {held[key]:g}", "one value a month")


def _check_shares(path: Path, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Refuse shares that cannot be percent of one whole."""
    for month, by_nation in shares.items():
        total = sum(by_nation.values())
        if total > 100.0 + _ROUNDING_POINTS:
            found = f"{total:g} percent in all"
            raise ScenarioError(f"shares of {month}", found, "at most 100", file=str(path))
    given = [share for by_nation in shares.values() for share in by_nation.values()]
    if given and max(given) <= 1.0:
        found = "no share above 1"
        raise ScenarioError("shares", found, "percent, not fractions", file=str(path))


def _grouped(by_nation: Mapping[str, float]) -> dict[str, float]:
    """Shares as they are scored: what the itemised nations leave is the rest."""
    itemised = {nation: by_nation[nation] for nation in history.ITEMISED if nation in by_nation}
    if len(itemised) == len(history.ITEMISED):
        itemised[history.GROUPS[-1]] = max(100.0 - sum(itemised.values()), 0.0)
    return {history.share_column(nation): share for nation, share in itemised.items()}
