"""Scenarios beside each other under the same seeds: what a policy changes, with intervals."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text
from scipy.stats import t as student

from model.complaint import ScenarioError
from model.scenario import Scenario, load, parameter_hash, with_days
from study import outputs, runfolder
from study.claim import Interval, interval
from study.engines import Engine
from study.ensemble import lived
from study.outputs import Output
from study.wording import plain_table, rounded

DEFAULT_OUTPUTS = (
    "mean:price_usd",
    "mean:hashrate_ehs",
    "mean:power_gw",
    "mean:power_cost_usd_mwh",
    "end:efficiency_j_th",
    "end:hhi_nation",
    "end:hhi_pool",
    "end:share_under_10mw",
    "end:share_over_100mw",
    "end:share_behind_meter",
    "end:share_public_firms",
    "mean:inclusion_rate",
    "mean:co2_mt_yr",
)
DEFAULT_WIDTH = 0.10
MOST_WIDTH = 200
LEGEND = (
    "first: mean of the first scenario; change: mean of the differences under the same seed, with "
    "its 95 % interval (Student); up: pairs in which the figure rises; seeds: how many make the "
    "interval as wide as "
)
MOST_REPLICATES = 10_000_000
FACTS, DIFFERENCES, VALUES = "compare.json", "differences.csv", "values.csv"

Values = Mapping[str, float | str | None]


@dataclass(frozen=True)
class Run:
    """One run of a comparison: which scenario it is of, and what is read of it."""

    case: Scenario
    place: int
    outputs: tuple[Output, ...]
    from_day: int


class Difference(NamedTuple):
    """What a scenario changes in one figure, over all seeds.

    Attributes
    ----------
    figure : headline figure or output
    baseline : its mean in the first scenario
    change : of the other scenario from the first, seed by seed; no interval from one pair
    pairs, above, below : pairs in which both tell the figure, and in which it rises or falls
    needed : replicates that make the interval as narrow as is wanted; none where the baseline's
        mean is zero and the change is not
    """

    figure: str
    baseline: float
    change: Interval | None
    pairs: int
    above: int
    below: int
    needed: int | None


@dataclass(frozen=True)
class Comparison:
    """Scenarios beside each other, seed by seed.

    Attributes
    ----------
    cases : the scenarios, over the days that are compared
    values : what each run told, by seed and by the scenario's place; without failed runs
    failed : error of each failed run
    """

    cases: tuple[Scenario, ...]
    first_day: datetime.date
    width: float
    seeds: tuple[int, ...]
    values: Mapping[tuple[int, int], Values]
    failed: Mapping[tuple[int, int], str]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the scenarios, numbered where two are alike."""
        names = [case.name for case in self.cases]
        return tuple(
            f"{name} ({place + 1})" if names.count(name) > 1 else name
            for place, name in enumerate(names)
        )

    def differences(self, place: int) -> list[Difference]:
        """Differences of the scenario at a place from the first, one a figure."""
        pairs = self._pairs(place)
        figures = dict.fromkeys(name for pair in pairs for values in pair for name in values)
        told = (difference(name, pairs, self.width) for name in figures)
        return [one for one in told if one is not None]

    def classes(self, place: int) -> Counter[tuple[str, str]]:
        """How often a run of one class in the first scenario is of another in this one."""
        return Counter(
            (str(one[outputs.CLASS]), str(other[outputs.CLASS]))
            for one, other in self._pairs(place)
        )

    def _pairs(self, place: int) -> list[tuple[Values, Values]]:
        """What both scenarios told, under each seed under which both came to their end."""
        return [
            (self.values[seed, 0], self.values[seed, place])
            for seed in self.seeds
            if (seed, 0) in self.values and (seed, place) in self.values
        ]


# Statistics


def difference(
    figure: str, pairs: Sequence[tuple[Values, Values]], width: float = DEFAULT_WIDTH
) -> Difference | None:
    """What changes in a figure from the first to the second of each pair; None if it is words."""
    both = [(one.get(figure), other.get(figure)) for one, other in pairs]
    numbers = [
        (one, other) for one, other in both if isinstance(one, float) and isinstance(other, float)
    ]
    if not numbers:
        return None
    changes = [other - one for one, other in numbers]
    baseline = math.fsum(one for one, _ in numbers) / len(numbers)
    return Difference(
        figure,
        baseline,
        interval(changes) if len(changes) > 1 else None,
        len(changes),
        sum(change > 0.0 for change in changes),
        sum(change < 0.0 for change in changes),
        replicates_needed(changes, width * abs(baseline)),
    )


def replicates_needed(changes: Sequence[float], width: float) -> int | None:
    """Pairs after which the 95 % interval of the mean change is at most so wide, from end to end.

    The spread of the changes is taken to be that of all pairs to come (Student's t). None if no
    number would do, or if there are too few pairs to tell.
    """
    if len(changes) < 2:
        return None
    # In exact arithmetic, so that equal changes have no spread at all.
    deviation = statistics.stdev(changes)
    if deviation == 0.0:
        return 2
    low, high = 1, 2
    while _width(deviation, high) > width:
        low, high = high, 2 * high
        if high > MOST_REPLICATES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _width(deviation, middle) > width else (low, middle)
    return high


def _width(deviation: float, pairs: int) -> float:
    """Width of the 95 % interval of a mean of so many values."""
    if pairs < 2:
        return math.inf
    return 2.0 * float(student.ppf(0.975, pairs - 1)) * deviation / math.sqrt(pairs)


# Running


def common(
    names: Sequence[str], changes: Sequence[str] = (), days: int | None = None
) -> tuple[tuple[Scenario, ...], datetime.date]:
    """The scenarios, cut at the earliest end of them, and the first day that all of them have."""
    if len(names) < 2:
        raise ScenarioError("compare", f"{len(names)} scenario", "two scenarios or more")
    cases = [load(name, changes) for name in names]
    first, last = max(case.start_date for case in cases), min(case.end_date for case in cases)
    if first > last:
        found = f"none: one begins on {first}, another ends on {last}"
        raise ScenarioError("days in common", found, "scenarios that share days")
    if days is not None:
        last = min(last, first + datetime.timedelta(days=days - 1))
    cut = (with_days(case, (last - case.start_date).days + 1) for case in cases)
    return tuple(cut), first


def wanted_outputs(extra: Sequence[str] = ()) -> tuple[Output, ...]:
    """What is read of every run besides its headline figures."""
    names = dict.fromkeys((outputs.CLASS, *DEFAULT_OUTPUTS, *extra))
    return tuple(outputs.parse(name, "--output") for name in names)


def compare(
    cases: Sequence[Scenario],
    first_day: datetime.date,
    replicates: int,
    engine: Engine,
    wanted: tuple[Output, ...],
    width: float = DEFAULT_WIDTH,
    advance: Callable[[int], object] = lambda _: None,
) -> Comparison:
    """Run every scenario under the same seeds, those of the first one."""
    seeds = tuple(range(cases[0].seed, cases[0].seed + replicates))
    values: dict[tuple[int, int], Values] = {}
    failed: dict[tuple[int, int], str] = {}
    runs = _runs(cases, first_day, seeds, wanted)
    for number, done in enumerate(engine.map(read_run, runs), start=1):
        key = seeds[done.position // len(cases)], done.position % len(cases)
        if done.error is None:
            values[key] = done.result
        else:
            failed[key] = done.error.strip().splitlines()[-1]
        advance(number)
    return Comparison(tuple(cases), first_day, width, seeds, values, failed)


def _runs(
    cases: Sequence[Scenario],
    first_day: datetime.date,
    seeds: Sequence[int],
    wanted: tuple[Output, ...],
) -> Iterator[Run]:
    """Every run: all scenarios under the first seed, then under the next."""
    for seed in seeds:
        for place, case in enumerate(cases):
            from_day = (first_day - case.start_date).days
            yield Run(case.model_copy(update={"seed": seed}), place, wanted, from_day)


def read_run(run: Run) -> dict[str, float | str | None]:
    """Live through one scenario; its headline figures that are numbers, then its outputs."""
    world = lived(run.case)
    told = {
        name: float(value) for name, value in world.summary().items() if not isinstance(value, str)
    }
    finite = {name: value for name, value in told.items() if math.isfinite(value)}
    return finite | outputs.measured(run.outputs, world, run.from_day)


# Telling


def days_in_words(found: Comparison) -> str:
    """Which days are compared, and what holds where scenarios begin on different days."""
    last = found.cases[0].end_date
    words = f"{found.first_day} to {last}, {len(found.seeds)} seeds from {found.seeds[0]} on"
    if len({case.start_date for case in found.cases}) == 1:
        return words
    return (
        f"{words}; scenarios begin on different days: series are read over the days that all "
        "have, headline figures over all days of each run up to that last one"
    )


def show(console: Console, found: Comparison) -> None:
    """Print the differences of every scenario from the first."""
    labels = found.labels
    console.print(Text(days_in_words(found)))
    for place in range(1, len(labels)):
        table = _table(found, place)
        console.print(Text(f"\n{labels[place]} less {labels[0]}\n"))
        # A figure cut off in a narrow window is worse than a line that is too long.
        width = console.measure(table, options=console.options.update(width=MOST_WIDTH)).maximum
        console.print(table, width=width, crop=False, soft_wrap=True)
        for (one, other), times in sorted(found.classes(place).items()):
            arrow = f"outcome {one}" if one == other else f"outcome {one} becomes {other}"
            console.print(Text(f"{arrow}: {times} of {len(found.seeds)} pairs"))
    console.print(Text(f"\n{LEGEND}{100.0 * found.width:g} % of that mean"))


def _table(found: Comparison, place: int) -> Table:
    """Differences of one scenario from the first."""
    table = plain_table("figure", "first", "change", "low", "high", "up", "seeds", gap=1)
    for row in found.differences(place):
        change = row.change
        told = ("", "", "") if change is None else tuple(rounded(part) for part in change[:3])
        pairs = f"{row.above}/{row.pairs}"
        needed = "" if row.needed is None else f"{row.needed:,}"
        table.add_row(row.figure, rounded(row.baseline), *told, pairs, needed)
    return table


def facts(found: Comparison) -> dict[str, Any]:
    """The comparison as plain data that JSON can hold."""
    labels = found.labels
    return {
        "scenarios": [
            {"name": label, "parameter_hash": parameter_hash(case)}
            for label, case in zip(labels, found.cases, strict=True)
        ],
        "from": found.first_day.isoformat(),
        "to": found.cases[0].end_date.isoformat(),
        "days": days_in_words(found),
        "seeds": list(found.seeds),
        "width": found.width,
        "version": runfolder.version(),
        "git_revision": runfolder.git_revision(),
        "libraries": runfolder.libraries(),
        "differences": _plain_rows(found),
        "outcomes": [
            {"scenario": labels[place], "first": one, "other": other, "pairs": times}
            for place in range(1, len(labels))
            for (one, other), times in sorted(found.classes(place).items())
        ],
        "failed": [
            {"scenario": labels[place], "seed": seed, "error": error}
            for (seed, place), error in sorted(found.failed.items())
        ],
    }


def _plain_rows(found: Comparison) -> list[dict[str, Any]]:
    """One row a scenario and figure."""
    return [
        {
            "scenario": found.labels[place],
            "figure": row.figure,
            "baseline": row.baseline,
            "difference": row.change.mean if row.change else None,
            "low": row.change.low if row.change else None,
            "high": row.change.high if row.change else None,
            "pairs": row.pairs,
            "above": row.above,
            "below": row.below,
            "replicates_needed": row.needed,
        }
        for place in range(1, len(found.cases))
        for row in found.differences(place)
    ]


def prepare(folder: Path, force: bool = False) -> None:
    """Make the folder, unless it holds a comparison, a run, or cannot be written."""
    if (folder / FACTS).exists() and not force:
        raise ScenarioError("--out", f"a comparison in {folder}", "another folder, or --force")
    runfolder.prepare(folder, force)


def write(folder: Path, found: Comparison) -> None:
    """Write compare.json, differences.csv and values.csv, compare.json last."""
    (folder / FACTS).unlink(missing_ok=True)
    rows = _plain_rows(found)
    values = [
        {"scenario": found.labels[place], "seed": seed} | dict(told)
        for (seed, place), told in sorted(found.values.items(), key=lambda item: item[0][::-1])
    ]
    for name, table in ((DIFFERENCES, rows), (VALUES, values)):
        frame = pl.DataFrame(table, infer_schema_length=None)
        runfolder.atomically(folder / name, frame.write_csv)
    content = json.dumps(facts(found), indent=1, allow_nan=False) + "\n"
    runfolder.atomically(folder / FACTS, lambda file: file.write(content.encode()))
