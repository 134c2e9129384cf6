"""Outputs of a sweep against its factors, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from model.metrics import wilson_interval
from study import frames
from study import page as pages
from study.claim import interval
from study.page import NAME_ROW, Sheet
from study.panels import ACROSS, HEADROOM, LINE_COLOUR, WIDTHS, Cell, draw_labelled, fill, highest
from study.quantities import Quantity, quantity
from study.wording import rounded

# Up to so many values of a factor each is a dot; more are put together in so many parts.
MOST_LEVELS, BINS = 12, 8


@dataclass(frozen=True)
class Output:
    """A column of a sweep's results, or one word of a column of words, as numbers of each run.

    Where each run either is or isn't, its mean is a share of the runs and is counted.
    """

    name: str
    told: Quantity
    values: pl.Series
    counted: bool


def outputs_of(folder: Path) -> list[Output]:
    """What can be drawn of a sweep's outputs."""
    results = frames.frame(folder)
    found = [
        output
        for name in frames.outputs(folder)
        if results[name].count()
        for output in _outputs(name, results[name])
    ]
    # A study may keep both the class and whether it is a certain one.
    return list({output.name: output for output in found}.values())


def _outputs(name: str, column: pl.Series) -> list[Output]:
    """A column of numbers as one output, a column of words as one for each word."""
    if column.dtype == pl.String:
        return [
            _share(f"{name}:{each}", column == each)
            for each in sorted(column.drop_nulls().unique())
        ]
    if column.dtype == pl.Boolean:
        return [_share(name, column)]
    if not column.dtype.is_numeric():
        return []
    values = column.cast(pl.Float64).fill_nan(None)
    # A class that no run ended in is still a share of the runs.
    if name.startswith("class:") or name == "split" or set(values.drop_nulls()) == {0.0, 1.0}:
        return [_share(name, values)]
    # By its mean, as a few extreme runs say little about the scale of means.
    told = quantity(name).scaled(float(values.abs().mean() or 0.0))  # type: ignore[arg-type]
    return [Output(name, told, values, counted=False)]


def _share(name: str, column: pl.Series) -> Output:
    told = quantity(name)._replace(unit="% of the runs", factor=100.0)
    return Output(name, told, column.cast(pl.Float64), counted=True)


def levels(factor: pl.Series, output: Output) -> pl.DataFrame:
    """Mean of an output, with its 95 % interval, at each value of a factor or near it.

    Columns are at, runs, mean, low, high. The interval is Wilson's where each run either is or
    isn't, else Student's; it is missing for a single run. All other factors are averaged over.
    """
    table = pl.DataFrame({"at": factor, "value": output.told.factor * output.values}).drop_nulls()
    if factor.dtype.is_numeric() and table["at"].n_unique() > MOST_LEVELS:
        order = table.sort("at").with_row_index()
        part = (pl.col("index") * BINS // max(table.height, 1)).alias("part")
        table = order.with_columns(pl.col("at").mean().over(part))
    rows = [
        {"at": at, **_mean(part["value"].to_numpy(), output)}
        for (at,), part in table.sort("at").group_by("at", maintain_order=True)
    ]
    return pl.DataFrame(rows)


def _mean(values: Any, output: Output) -> dict[str, float | int | None]:
    """A mean with its interval."""
    if output.counted:
        hits = round(float(values.sum()) / output.told.factor)
        low, high = (output.told.factor * bound for bound in wilson_interval(hits, len(values)))
        return {"runs": len(values), "mean": float(values.mean()), "low": low, "high": high}
    if len(values) < 2:
        return {"runs": len(values), "mean": float(values.mean()), "low": None, "high": None}
    found = interval(values)
    return {"runs": found.size, "mean": found.mean, "low": found.low, "high": found.high}


def varied(folder: Path) -> dict[str, pl.Series]:
    """The factors that have more than one value, dates as years with a fraction."""
    results = frames.frame(folder)
    found = {name: results[name] for name in frames.factors(folder)}
    return {name: _years(column) for name, column in found.items() if column.n_unique() > 1}


def _years(column: pl.Series) -> pl.Series:
    if column.dtype != pl.Date:
        return column
    return column.dt.year() + (column.dt.ordinal_day() - 1) / 365.25


def output_figure(folder: Path, output: Output, columns: int) -> Figure:
    """One output of a sweep against each of its factors, all on one scale."""
    sheet = Sheet(WIDTHS[columns])
    sheet.title(frames.stamp(folder).title)
    sheet.write(output.told.label, pages.TEXT_SIZE, weight="bold")
    sheet.skip(NAME_ROW)
    factors = varied(folder)
    shown = {name: levels(column, output) for name, column in factors.items()}
    scale = _scale(pl.concat(table.select("mean", "low", "high") for table in shown.values()))
    numbers = [name for name, column in factors.items() if column.dtype.is_numeric()]
    if numbers:
        cells = [_factor_cell(name, shown[name], scale) for name in numbers]
        fill(sheet, cells, min(ACROSS[columns], len(cells)))
    for name in [name for name in factors if name not in numbers]:
        _draw_names(sheet, name, shown[name], scale)
    sheet.footer(_explained(output, list(factors.values())))
    return sheet.figure


def _scale(table: pl.DataFrame) -> tuple[float, float]:
    """Ends of the axis: from zero, or wider than all intervals where that would hide them."""
    known = np.concatenate([table[name].drop_nulls().to_numpy() for name in table.columns])
    low, high = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
    if low >= 0.0 and low < 0.6 * high:
        low = 0.0
    room = HEADROOM * (high - low) or 0.5 * abs(high) or 0.5
    return (low if low == 0.0 else low - room), high + room


def _factor_cell(name: str, table: pl.DataFrame, scale: tuple[float, float]) -> Cell:
    told = Quantity(name, name, "").scaled(highest(table["at"]))
    known = table.drop_nulls("mean").with_columns(pl.col("at") * told.factor)

    def draw(axes: Axes, width: float) -> None:
        at, mean = known["at"].to_numpy(), known["mean"].to_numpy()
        axes.plot(at, mean, "o-", color=LINE_COLOUR, markersize=3.0, linewidth=0.6, clip_on=False)
        for row in known.drop_nulls().iter_rows(named=True):
            ends = [row["low"], row["high"]]
            axes.plot([row["at"]] * 2, ends, color=LINE_COLOUR, linewidth=1.1, clip_on=False)
        axes.set_ylim(*scale)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        _set_factor(axes, at, width)

    return Cell(name, told.label, draw)


def _set_factor(axes: Axes, at: Any, width: float) -> None:
    """A scale below a factor: logarithmic where its values lie far apart."""
    low, high = float(at.min()), float(at.max())
    if low > 0.0 and high / low > pages.LOG_RATIO:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.15, high * 1.15)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,), numticks=6))
    else:
        room = 0.05 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    _tick_at(axes, at, width)


def _tick_at(axes: Axes, at: Any, width: float) -> None:
    """Numbers at the values themselves where there is room for them."""
    words = [f"{value:,g}" for value in at]
    first, last = axes.transData.transform([(at.min(), 0.0), (at.max(), 0.0)])[:, 0]
    places = axes.transData.transform([(value, 0.0) for value in at])[:, 0]
    inches = (places - first) / max(last - first, 1e-9) * 0.9 * width
    needed = [pages.width_of(word, pages.SMALL_SIZE) for word in words]
    fits = all(
        inches[n + 1] - inches[n] > (needed[n] + needed[n + 1]) / 2.0 + pages.WORD_GAP
        for n in range(len(words) - 1)
    )
    if fits:
        axes.set_xticks(at, words)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))


def _draw_names(sheet: Sheet, name: str, table: pl.DataFrame, scale: tuple[float, float]) -> None:
    """An output at each of a factor's names, one below another."""
    sheet.write(name, pages.TEXT_SIZE)
    sheet.skip(NAME_ROW)
    rows = [
        (str(row["at"]).lower() if isinstance(row["at"], bool) else str(row["at"]),
         row["mean"] if row["low"] is None else row["low"], row["mean"],
         row["mean"] if row["high"] is None else row["high"], rounded(row["mean"]))
        for row in table.iter_rows(named=True)
    ]  # fmt: skip
    draw_labelled(sheet, name, rows, scale)


def _explained(output: Output, factors: Sequence[pl.Series]) -> str:
    """What dots and bars are."""
    kind, runs = "Wilson" if output.counted else "Student", output.values.count()
    over = f"{runs:,} runs" + (" and all other factors" if len(factors) > 1 else "")
    words = [f"Means over {over}; bars: 95 % intervals ({kind})."]
    if any(each.dtype.is_numeric() and each.n_unique() > MOST_LEVELS for each in factors):
        words.append(f"A factor of many values is in {BINS} parts of as many runs each.")
    return " ".join(words)
