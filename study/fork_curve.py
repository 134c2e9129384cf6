"""How often a directive splits the chain within a year: the whole world with economics frozen.

Beside it the kernels: the race at constant difficulty, and the tree of blocks whose branches
retarget. Shares are of the hashrate that enforces, with patience without end; everybody else
includes, and every block of theirs offends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.chain.patience import Patience
from model.chain.races import race_keys, split_by_tree, split_by_walk
from model.metrics import wilson_interval
from model.scenario import Scenario, load, with_days
from model.world import World
from study import history
from study.figures import CALIBRATION_COLOUR, MODEL_COLOUR, OBSERVED_COLOUR, STYLE

SHARES = (0.30, 0.45, 0.48, 0.49, 0.50, 0.505, 0.51, 0.53, 0.60)
FEW_SHARES = (0.45, 0.50, 0.53)
YEAR_DAYS = 366
# Nothing moves but blocks: no market, no law, no water, no chance but that of mining.
FROZEN = (
    "start.miners=24", "start.sites=30", "firms.entry=false", "firms.relocation=false",
    "firms.hazards=false", "firms.bankruptcy=false", "machines.used_market=false",
    "machines.failure_yr=0", "compute.bidders=false", "energy.price_volatility=0",
    "energy.spike_days_yr=0", "energy.bargains_yr=0", "heat.sold=false", 'price.mode="path"',
    "price.path=[[2025-04-04, 500000.0]]", 'hypotheses.jurisdiction="site"',
    'hypotheses.fork="none"', "censorship.ideology_mean=2", "censorship.ideology_sd=0",
    "censorship.fine=1e6", "censorship.forbidden_day=1e6", "record.ledger_every_days=100000",
    "start.home_share=0", "start.state_share=0", "start.machine_output_mw_month=0",
    "start.site_pipeline_month=0", "machines.life_years=30", "machines.idle_scrap_month=0",
)  # fmt: skip


class Frozen(NamedTuple):
    """One year of the frozen world: the share that enforced, and the day of the split if any."""

    share: float
    day: float


class Point(NamedTuple):
    """Chance of a final split within a year at one share, by the world and by both kernels."""

    share: float
    runs: int
    splits: int
    median_days: float
    by_tree: float
    by_walk: float

    @property
    def chance(self) -> float:
        """Share of the runs with a split."""
        return self.splits / self.runs


def frozen_case(share: float, seed: int) -> Scenario:
    """A year in which the USA, with a share of the hashrate, enforces without end."""
    sets = [*FROZEN, f"start.us_share={share}"]
    case = with_days(load("baseline_2025", sets), YEAR_DAYS)
    directive = load("us_60_2028").events[-1].model_copy(update={"date": case.start_date})
    return case.model_copy(update={"events": (directive,), "seed": seed})


def live_frozen(case: Scenario) -> Frozen:
    """Live through the year, or up to the split."""
    world = World(case)
    while world.running and world.politics.split is None:
        world.step()
    share = float(np.mean(world.recorder["enforcing_share"]))
    return Frozen(share, float(world.day) if world.politics.split else math.nan)


def curve(
    shares: Sequence[float] = SHARES, runs: int = 24, kernel_runs: int = 400, workers: int = 1
) -> list[Point]:
    """The chance at each share by the world, and by the kernels at the share that it had."""
    cases = [frozen_case(share, seed) for share in shares for seed in range(1, runs + 1)]
    lived = list(history.in_order(live_frozen, cases, workers))
    keys, never = race_keys(1, kernel_runs), Patience("inf")
    points = []
    for first in range(0, len(lived), runs):
        group = lived[first : first + runs]
        share = float(np.mean([one.share for one in group]))
        days = np.array([one.day for one in group])
        points.append(
            Point(
                share, runs, int((~np.isnan(days)).sum()),
                float(np.median(days[~np.isnan(days)])) if (~np.isnan(days)).any() else math.nan,
                split_by_tree(share, never, keys).chance,
                split_by_walk(share, never, keys).chance,
            )
        )  # fmt: skip
    return points


def spread(point: Point, kernel_runs: int) -> float:
    """Three standard errors of the difference between the world and the tree of blocks."""
    # A chance that was never met may still be one in as many runs.
    least = 1.0 / max(point.runs, kernel_runs)
    chance = min(max(point.by_tree, least), 1.0 - least)
    return 3.0 * math.sqrt(chance * (1.0 - chance) * (1.0 / point.runs + 1.0 / kernel_runs))


def draw(points: Sequence[Point]) -> Figure:
    """The curve as a figure of one column: the world with its intervals, both kernels beside."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5, 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        share = [100 * point.share for point in points]
        for name, colour, style in (
            ("by_walk", CALIBRATION_COLOUR, "--"), ("by_tree", OBSERVED_COLOUR, "-"),
        ):  # fmt: skip
            chances = [100 * getattr(point, name) for point in points]
            axes.plot(share, chances, style, color=colour, linewidth=0.9)
        bounds = np.array([wilson_interval(point.splits, point.runs) for point in points])
        centre = np.array([point.chance for point in points])
        error = 100 * np.abs(bounds.T - centre)
        axes.errorbar(
            share, 100 * centre, yerr=error, fmt="o", color=MODEL_COLOUR, markersize=3,
            linewidth=0.8, capsize=1.5,
        )  # fmt: skip
        axes.set_xlabel("hashrate that enforces without end, %")
        axes.set_ylabel("final split within a year, % of runs")
        axes.set_ylim(-4, 104)
        label(axes)
    return figure


def label(axes: matplotlib.axes.Axes) -> None:
    """Say what is what where there is room: below the curve, left of the fall."""
    words = (
        ("whole model, 95 % interval", MODEL_COLOUR),
        ("tree of blocks, branches retarget", OBSERVED_COLOUR),
        ("race at constant difficulty", CALIBRATION_COLOUR),
    )
    for row, (text, colour) in enumerate(words):
        axes.text(0.03, 0.30 - 0.09 * row, text, color=colour, transform=axes.transAxes)


def save(points: Sequence[Point], folder: Path) -> Path:
    """Write the figure as PNG and SVG; return the PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = draw(points)
    for suffix in ("svg", "png"):
        path = folder / f"fork_curve.{suffix}"
        figure.savefig(path, dpi=250)
    return path
