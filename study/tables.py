"""The tables of a run, an ensemble or a sweep, as a paper or a report has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from model.metrics import wilson_interval
from model.scenario import Scenario
from study import effects, frames
from study.claim import interval
from study.differences import baseline_of, changes
from study.panels import MAIN, outcome_shares
from study.provenance import Stamp
from study.quantities import quantity
from study.runfolder import Run
from study.wording import nation_names, rounded

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{EN DASH}": "--",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MIDDLE DOT}": r"$\cdot$",
}
_NUMBER = re.compile(r"[-+]?[\d,]+(\.\d+)?(e[-+]\d+)?")


@dataclass(frozen=True)
class Table:
    """Words in rows: the first columns to the left, those of numbers to the right."""

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


# A run


def run_tables(run: Run) -> list[Table]:
    """Headline figures, where the main series went, and what was set."""
    return [
        headline_table(run.facts["headline"]),
        paths_table(run.series),
        parameters_table(run.case),
    ]


def headline_table(headline: dict[str, Any]) -> Table:
    """The headline figures of a run, with their units."""
    names = nation_names()
    rows = []
    for key, value in headline.items():
        told = quantity(key)
        shown = told.told(value) if not isinstance(value, str) else names.get(value, value)
        rows.append((told.words, shown.replace("_", " "), told.unit))
    return Table("headline", "Headline figures", ("Figure", "Value", "Unit"), tuple(rows))


def paths_table(series: pl.DataFrame) -> Table:
    """First, last, lowest and highest value of the main series, with dates."""
    rows = []
    for name in [name for name in MAIN if name in series.columns]:
        told = quantity(name)
        path = series.select("date", value=pl.col(name)).drop_nulls()
        if path.is_empty():
            continue
        values, dates = path["value"], path["date"]
        low, high = values.arg_min() or 0, values.arg_max() or 0
        shown = [told.told(values[row]) for row in (0, -1, low)]
        rows.append(
            (told.label, *shown, str(dates[low]), told.told(values[high]), str(dates[high]))
        )
    headings = ("Series", "Start", "End", "Lowest", "On", "Highest", "On")
    return Table("series", "Main series", headings, tuple(rows))


def parameters_table(case: Scenario) -> Table:
    """The parameters that differ from those of the scenario's parent, or of the baseline."""
    before = baseline_of(case.name)
    rows = tuple((one.key, one.before, one.after) for one in changes(before, case))
    headings = ("Parameter", before.name, case.name)
    title = f"Parameters that differ from {before.name}"
    return Table("parameters", title, headings, rows, words=3)


# An ensemble


def ensemble_tables(folder: Path, case: Scenario) -> list[Table]:
    """Where the main series ended, headline figures, outcomes and first passages."""
    found = [
        ends_table(folder),
        spread_table(folder),
        outcomes_table(folder),
        passages_table(folder),
        parameters_table(case),
    ]
    return [table for table in found if table.rows]


SPREAD = ("Mean", "95 % interval", "Median", "25 to 75 %", "5 to 95 %")


def ends_table(folder: Path) -> Table:
    """The main series on the last day, over the runs."""
    last = frames.lazy(folder).group_by("seed", maintain_order=True).last().collect()
    rows = [
        _spread_row(quantity(name).label, name, last[name]) for name in MAIN if last[name].count()
    ]
    title = f"Main series on {last['date'][0]}, {last.height} runs"
    return Table("ends", title, ("Series", *SPREAD), tuple(rows))


def spread_table(folder: Path) -> Table:
    """The headline figures, over the runs that tell them."""
    runs = frames.runs(folder)
    rows = [
        _spread_row(quantity(name).label, name, runs[name])
        for name in runs.columns
        if name != "seed" and runs[name].dtype.is_numeric() and runs[name].count()
    ]
    return Table(
        "headline", f"Headline figures, {runs.height} runs", ("Figure", *SPREAD), tuple(rows)
    )


def _spread_row(words: str, name: str, column: pl.Series) -> tuple[str, ...]:
    """Mean with its interval, and the quantiles, in the unit it is told in."""
    told, values = quantity(name), column.drop_nulls().cast(pl.Float64)
    between = "\N{EN DASH}"
    if len(values) > 1:
        found = interval(values.to_list())
        bounds = f"{told.told(found.low)}{between}{told.told(found.high)}"
    else:
        bounds = between
    parts = {key: told.told(values.quantile(at, "linear")) for key, at in frames.QUANTILES.items()}
    return (
        words,
        told.told(values.mean()),  # type: ignore[arg-type]
        bounds,
        parts["p50"],
        f"{parts['p25']}{between}{parts['p75']}",
        f"{parts['p05']}{between}{parts['p95']}",
    )


def outcomes_table(folder: Path) -> Table:
    """Classes of outcome, with the share of the runs that ended in each."""
    rows = tuple(
        (f"{row['outcome']}, {row['outcome_name']}", f"{row['runs']} of {row['of']}",
         percent(row["share"]), f"{percent(row['low'])}\N{EN DASH}{percent(row['high'])}")
        for row in outcome_shares(folder).iter_rows(named=True)
    )  # fmt: skip
    headings = ("Outcome", "Runs", "Share, %", "95 % interval (Wilson)")
    return Table("outcomes", "Outcomes", headings, rows)


def passages_table(folder: Path) -> Table:
    """What was passed for the first time, by how many runs, and when."""
    runs = frames.runs(folder)
    rows = []
    for name in [name for name in runs.columns if name.startswith("first_")]:
        days = runs[name].drop_nulls().sort()
        low, high = wilson_interval(len(days), runs.height)
        rows.append(
            (quantity(name.removeprefix("first_")).words, f"{len(days)} of {runs.height}",
             percent(len(days) / runs.height), f"{percent(low)}\N{EN DASH}{percent(high)}",
             str(days[0]), str(days[(len(days) - 1) // 2]), str(days[-1]))
        )  # fmt: skip
    headings = ("Event", "Runs", "Share, %", "95 % interval (Wilson)", "First", "Median", "Last")
    return Table("passages", "First passages", headings, tuple(rows))


def percent(share: float) -> str:
    """A share in percent, to one digit."""
    return f"{100.0 * share:.1f}"


# A sweep


def sweep_tables(folder: Path) -> list[Table]:
    """One table an output: its mean at each value of each factor, with intervals."""
    factors = effects.varied(folder)
    return [_effects_table(output, factors) for output in effects.outputs_of(folder)]


def effects_frame(folder: Path) -> pl.DataFrame:
    """The same, tidy: output, unit, factor, value, runs, mean, low, high."""
    found = [
        effects.levels(column, output).select(
            pl.lit(output.name).alias("output"),
            pl.lit(output.told.unit).alias("unit"),
            pl.lit(factor).alias("factor"),
            pl.col("at").cast(pl.String).alias("value"),
            "runs",
            *(pl.col(name).cast(pl.Float64) for name in ("mean", "low", "high")),
        )
        for output in effects.outputs_of(folder)
        for factor, column in effects.varied(folder).items()
    ]
    return pl.concat(found)


def _effects_table(output: effects.Output, factors: Mapping[str, pl.Series]) -> Table:
    rows = []
    for factor, column in factors.items():
        for row in effects.levels(column, output).iter_rows(named=True):
            at = _value(row["at"])
            bounds = (row["low"], row["high"])
            known = all(bound is not None for bound in bounds)
            shown = (
                "\N{EN DASH}".join(rounded(bound) for bound in bounds) if known else "\N{EN DASH}"
            )
            rows.append((factor, at, str(row["runs"]), rounded(row["mean"]), shown))
    kind = "Wilson" if output.counted else "Student"
    headings = ("Factor", "Value", "Runs", output.told.unit or "Mean", f"95 % interval ({kind})")
    return Table(slug(output.name), output.told.label, headings, tuple(rows))


def _value(value: object) -> str:
    """A value of a factor."""
    if isinstance(value, bool):
        return str(value).lower()
    return rounded(value) if isinstance(value, int | float) else str(value)


def slug(name: str) -> str:
    """A name that a file can have."""
    spelt = name.replace(">", "_above_").replace("<", "_below_")
    return re.sub(r"[^\w.-]+", "_", spelt).strip("._")


# LaTeX


def tex(table: Table, stamp: Stamp) -> str:
    """A table as LaTeX with booktabs, to be put inside a table environment."""
    left, right = table.words, len(table.headings) - table.words
    body = [_row(row, table.words) for row in table.rows]
    comments = [f"{table.title}.", "Needs \\usepackage{booktabs}.", *_told(stamp.facts())]
    return "\n".join(
        [
            *(f"% {' '.join(line.split())}" for line in comments),
            rf"\begin{{tabular}}{{{'l' * left}{'r' * right}}}",
            r"\toprule",
            _row(table.headings, len(table.headings)),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _told(facts: dict[str, str]) -> Iterable[str]:
    return (f"{name}: {value}" for name, value in facts.items())


def _row(cells: Sequence[str], words: int) -> str:
    """Cells of a row, of which the first so many are words."""
    shown = [escaped(cell) if place < words else _numbers(cell) for place, cell in enumerate(cells)]
    return " & ".join(shown) + r" \\"


def escaped(words: str) -> str:
    """Words as LaTeX prints them."""
    plain = " ".join(words.split())
    return "".join(_TEX.get(letter, letter) for letter in plain)


def _numbers(words: str) -> str:
    """A number, or two with a dash between them, with signs and powers as mathematics has them."""
    parts = words.split("\N{EN DASH}")
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return escaped(words)
    if len(parts) == 2 and any(part.startswith("-") for part in parts):
        return f"[{_number(parts[0])}, {_number(parts[1])}]"
    return "--".join(_number(part) for part in parts)


def _number(words: str) -> str:
    mantissa, _, power = words.partition("e")
    if power:
        return rf"${mantissa.replace(',', '{,}')} \times 10^{{{int(power)}}}$"
    return f"${mantissa.replace(',', '{,}')}$" if mantissa.startswith("-") else mantissa
