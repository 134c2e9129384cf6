"""The central question as a figure: the line of even shares, and small sites over the years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import matplotlib
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.page import (
    CALIBRATION_COLOUR,
    DOTS_PER_INCH,
    FORMATS,
    MODEL_COLOUR,
    SMALL_SIZE,
    STYLE,
    WIDTH,
)
from study.sensitivity import bands
from study.static_frontier import Line

GREEN = "#009E73"  # of Okabe and Ito's palette, as the others
GRID_CHARGE_USD_MWH = 18.0
NORMAL_90 = 1.645
PRICES: Mapping[float, tuple[str, str]] = MappingProxyType(
    {
        20e3: ("20,000 USD", GREEN),
        83e3: ("83,000 USD", MODEL_COLOUR),
        500e3: ("500,000 USD", CALIBRATION_COLOUR),
    }
)
PATHS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "stagnation": ("constant 83,000 USD", MODEL_COLOUR),
        "steady_rise": ("rising 15 % a year to 2035", GREEN),
        "bull_500k": ("500,000 USD", CALIBRATION_COLOUR),
    }
)


def draw(
    lines: Sequence[Line], unit_usd_mwh: float, results: pl.DataFrame, course: pl.DataFrame
) -> Figure:
    """Two panels: the static limit, and the full model.

    Parameters
    ----------
    lines : of even shares, by price and AI bidders
    unit_usd_mwh : cost difference of small sites at a multiplier of one
    results, course : of the full model's sweep
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2 * WIDTH, 2.9), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        draw_lines(left, lines, unit_usd_mwh)
        draw_course(right, results, course)
    return figure


def draw_lines(axes: Axes, lines: Sequence[Line], unit_usd_mwh: float) -> None:
    """Cost difference at which shares are even against transmission charges, with 90 % bands."""
    axes.set_title("long run without frictions", loc="left")
    highest, absent = 0.0, list[str]()
    for line in lines:
        finite = np.isfinite(line.advantage) & (line.advantage > 0.0)
        words, colour = PRICES[line.price_usd]
        if not finite.any():
            absent.append(words + ("" if line.ai_bidders else " without AI bidders"))
            continue
        charge = GRID_CHARGE_USD_MWH * line.transmission_scale[finite]
        middle = unit_usd_mwh * line.advantage[finite]
        half = NORMAL_90 * unit_usd_mwh * line.spread[finite]
        style = "-" if line.ai_bidders else "--"
        axes.plot(charge, middle, style, color=colour, linewidth=1.1)
        axes.fill_between(charge, middle - half, middle + half, color=colour, alpha=0.2, lw=0)
        highest = max(highest, float((middle + half).max()))
        axes.annotate(
            words + ("" if line.ai_bidders else ", no AI"), (charge[-1], middle[-1]),
            xytext=(3, 0), textcoords="offset points", va="center", color=colour,
            fontsize=SMALL_SIZE, annotation_clip=False,
        )  # fmt: skip
    # Above the lines room for words, right of them for names.
    axes.set_xlim(0.0, 2.0 * GRID_CHARGE_USD_MWH)
    axes.set_ylim(0.0, 1.3 * highest)
    told = ["Above a line sites from 10 MW have most of the hashrate,", "below it smaller ones do."]
    told += [f"At {each} larger ones always do." for each in absent]
    axes.text(0.02, 0.99, "\n".join(told), va="top", transform=axes.transAxes, fontsize=SMALL_SIZE)
    axes.set_xlabel("transmission and distribution of industrial grids, USD/MWh")
    axes.set_ylabel("other costs of sites under 10 MW\nabove those at 100 MW, USD/MWh")


def draw_course(axes: Axes, results: pl.DataFrame, course: pl.DataFrame) -> None:
    """Share of small sites over the years by price path: median and 90 % of the runs."""
    axes.set_title("full model, from April 2025 on", loc="left")
    known = course.join(results.select("position", "scenario"), on="position")
    for row, (path, (words, colour)) in enumerate(PATHS.items()):
        chosen = known.filter(pl.col("scenario") == path)
        if chosen.is_empty():
            continue
        band = bands(chosen, "share_under_10mw")
        dates = band["date"].to_numpy()
        axes.plot(dates, 100 * band["q50"].to_numpy(), color=colour, linewidth=1.1)
        low, high = (100 * band[name].to_numpy() for name in ("q05", "q95"))
        axes.fill_between(dates, low, high, color=colour, alpha=0.15, lw=0)
        axes.text(0.03, 0.97 - 0.075 * row, words, color=colour, va="top", transform=axes.transAxes)
    axes.axhline(50.0, color="black", linewidth=0.6, linestyle=":")
    axes.set_ylim(0.0, 100.0)
    axes.set_xlim(known["date"].min(), known["date"].max())  # type: ignore[arg-type]
    axes.set_ylabel("hashrate at sites under 10 MW, %\nmedian and 90 % of the runs")


def save(
    lines: Sequence[Line],
    unit_usd_mwh: float,
    results: pl.DataFrame,
    course: pl.DataFrame,
    folder: Path,
) -> Path:
    """Write the figure as PNG and SVG; return the PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = draw(lines, unit_usd_mwh, results, course)
    for suffix in reversed(FORMATS):
        path = folder / f"frontier.{suffix}"
        figure.savefig(path, dpi=DOTS_PER_INCH)
    return path
