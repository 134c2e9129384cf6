"""The figure of the covenant pool: what sharing blocks smooths, and what it can't in the long run.

The published picture of a hundred miners, drawn again from the model's own accounts with the
run's seed, window and percent; and beside it what the picture is too short to show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from model.rewards.covenant import Covenant
from model.rewards.pool import PayPerLastShares
from model.rewards.scheme import CovenantTerms, Income, RewardScheme, Terms
from model.rewards.solo import Solo, solo_relative_variance
from model.rewards.variance import covenant_relative_variance, last_shares_relative_variance
from model.streams import Streams
from model.units import BLOCK_TARGET_S, BLOCKS_PER_DAY
from study import page as pages
from study.page import (
    DATES,
    EDGE,
    HEADING,
    LEFT,
    MARK_COLOUR,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDE,
    WIDTH,
    Key,
    Sheet,
)
from study.runfolder import Run
from study.wording import rounded

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NAME = "covenant"
SHARING_COLOUR, ALONE_COLOUR, PPLNS_COLOUR = pages.MODEL_COLOUR, "#D55E00", "#009E73"
LINE = "\N{EM DASH}"
HEIGHT, AXIS_TITLE = 1.15, 0.13
MEMBERS, POWER = 100, 2.0
REWARD_SAT = 312_500_000
# Periods to a window, or to so many blocks of the pool if it is shorter, for members must find
# some; windows in the left panels, of the longest simulated horizon, and of the curves.
PARTS, LEAST_BLOCKS, SHOWN_WINDOWS, LONGEST, CURVES = 32, 200, 5, 8, 64
# Periods that are lived through: samples of the longest horizon, fewer where windows are long.
SAMPLES = 24
PERIODS, MOST_POOL_BLOCKS = SAMPLES * LONGEST * PARTS, 1_000_000
LEAST_PERIODS = SHOWN_WINDOWS * PARTS
# Scales of the left panels in percent, of which the first that holds most of the lines is taken.
SCALES, MOST = ((80.0, 120.0), (50.0, 150.0), (0.0, 200.0), (0.0, 300.0)), 0.95
LEAST_PERCENT = 1e-4


@dataclass(frozen=True)
class Setting:
    """The pool that is drawn, and how finely.

    Attributes
    ----------
    pool_share : of the network's work
    window_blocks, shared : L and sigma
    share_difficulty : of the pool that pays the last shares instead
    period_blocks : network blocks of a period
    periods : how many are simulated
    """

    pool_share: float
    window_blocks: int
    shared: float
    share_difficulty: float
    period_blocks: int
    periods: int

    @property
    def window_days(self) -> float:
        """Days in which the pool finds a window."""
        return self.window_blocks / self.pool_share / BLOCKS_PER_DAY

    @property
    def period_days(self) -> float:
        """Days of a period."""
        return self.period_blocks / BLOCKS_PER_DAY


@dataclass(frozen=True)
class Lived:
    """A simulated pool.

    Attributes
    ----------
    part : shape (n,), of the pool's work
    paid : by way of paying, shape (periods, n), payouts over what the work is worth on average
    """

    part: Floats
    paid: dict[str, Floats]


def is_drawn(run: Run) -> bool:
    """Whether there is a covenant pool in the run."""
    terms = getattr(run.case, "pools", None)
    return terms is not None and terms.covenant_share > 0.0


def covenant(run: Run) -> Figure:
    """Each member's revenue, sharing and alone; beside them deviations by horizon."""
    setting = setting_of(run)
    lived = live(setting, run.case.seed)
    sheet = Sheet(2 * WIDTH)
    sheet.title(str(run.facts["title"] or run.facts["name"]))
    shown = min(SHOWN_WINDOWS * PARTS, setting.periods)
    sheet.write("Revenue so far, sharing blocks, % of expected", TEXT_SIZE, weight="bold")
    sheet.write("Deviation, % of expected", TEXT_SIZE, weight="bold", left=EDGE + WIDTH)
    sheet.skip(HEADING)
    paths = {name: so_far(paid[:shown]) for name, paid in lived.paid.items()}
    sharing, alone = _place(sheet, "sharing", 0), paths["solo"]
    _draw_paths(sharing, paths["covenant"], setting, SHARING_COLOUR)
    _draw_deviations(_place(sheet, "deviation", 1), lived, setting)
    sheet.skip(HEIGHT + DATES)
    sheet.write("The same members alone, with the same blocks", TEXT_SIZE, weight="bold")
    words = "Deviation in a pool over that of mining alone, %"
    sheet.write(words, TEXT_SIZE, weight="bold", left=EDGE + WIDTH)
    sheet.skip(HEADING)
    below, ratio = _place(sheet, "alone", 0), _place(sheet, "ratio", 1)
    _draw_paths(below, alone, setting, ALONE_COLOUR)
    for axes in (sharing, below):
        _set_percent(axes, *scale_of(alone))
    _draw_window(sharing, setting, named=setting.window_days > 0.02 * sharing.get_xlim()[1])
    _draw_ratios(ratio, lived, setting)
    for axes, title in ((below, "days"), (ratio, "horizon, days")):
        axes.set_xlabel(title, labelpad=1.0, size=SMALL_SIZE)
    sheet.skip(HEIGHT + DATES + AXIS_TITLE)
    sheet.footer(_sources(run, setting))
    return sheet.figure


def _place(sheet: Sheet, name: str, column: int) -> Axes:
    return sheet.place(name, LEFT + column * WIDTH, WIDE, HEIGHT)


# The pool


def setting_of(run: Run) -> Setting:
    """The pool of the run's scenario, with a period of a small part of a window."""
    terms = run.case.pools
    pool_share, window = terms.covenant_share, window_of(run)
    period = max(round(max(window, LEAST_BLOCKS) / pool_share / PARTS), 1)
    periods = int(MOST_POOL_BLOCKS / (period * pool_share))
    return Setting(
        pool_share=pool_share,
        window_blocks=window,
        shared=terms.covenant_shared,
        share_difficulty=terms.share_difficulty,
        period_blocks=period,
        periods=min(max(periods, LEAST_PERIODS), PERIODS),
    )


def window_of(run: Run) -> int:
    """Blocks of the run's window, of one in days those that the pool finds in them."""
    terms = run.case.pools
    days = {
        "time": terms.covenant_window_days,
        "range": terms.covenant_range_days[1] - terms.covenant_range_days[0],
    }
    if terms.covenant_window == "count":
        return terms.covenant_window_blocks
    return max(round(days[terms.covenant_window] * BLOCKS_PER_DAY * terms.covenant_share), 1)


def live(setting: Setting, seed: int) -> Lived:
    """Settle the same blocks by each way of paying, from a full window on."""
    generator = Streams(seed).generator("covenant figure")
    size = generator.power(POWER, MEMBERS)
    part = size / size.sum()
    bounds = np.cumsum(part) / part.sum()
    found = generator.binomial(setting.period_blocks, setting.pool_share, setting.periods)
    terms = Terms(
        share_difficulty=setting.share_difficulty,
        covenant=CovenantTerms(blocks=setting.window_blocks, shared=setting.shared),
    )
    # Ways of paying other than the covenant need no window to begin with.
    schemes = {"covenant": Covenant(terms), "solo": Solo(terms), "pplns": PayPerLastShares(terms)}
    work = part * setting.pool_share * setting.period_blocks
    first = _found(generator.random(setting.window_blocks), bounds)
    schemes["covenant"].settle(_income(work, first))
    paid = {name: np.empty((setting.periods, MEMBERS)) for name in schemes}
    for period, blocks in enumerate(found):
        income = _income(work, _found(generator.random(blocks), bounds))
        for name, scheme in schemes.items():
            paid[name][period] = _relative(scheme, income)
    return Lived(part, paid)


def _found(draws: Floats, bounds: Floats) -> Integers:
    rows: Integers = np.searchsorted(bounds[:-1], draws, side="right")
    return rows


def _income(work: Floats, finders: Integers) -> Income:
    """Blocks without transaction fees, found in turn."""
    fees = np.zeros(finders.size, np.int64)
    times = BLOCK_TARGET_S * np.arange(1.0, finders.size + 1.0)
    return Income(work, finders, fees + REWARD_SAT, fees, times, float(REWARD_SAT), 0.0)


def _relative(scheme: RewardScheme, income: Income) -> Floats:
    """Payouts over what the work is worth."""
    relative: Floats = scheme.settle(income).payouts_sat / (income.work * REWARD_SAT)
    return relative


# Deviations


def simulated(lived: Lived, setting: Setting, name: str) -> tuple[Floats, Floats]:
    """Horizons in days, and the deviation of a member's revenue over each, weighted by work."""
    days, deviations = [], []
    length = 1
    while setting.periods // length >= SAMPLES:
        samples = setting.periods // length
        paid = lived.paid[name][: samples * length].reshape(samples, length, -1).mean(axis=1)
        days.append(length * setting.period_days)
        deviations.append(math.sqrt(float((((paid - 1.0) ** 2) @ lived.part).mean())))
        length *= 2
    return np.array(days), np.array(deviations)


def closed(lived: Lived, setting: Setting, name: str, days: Floats) -> Floats:
    """The same in closed form."""
    return np.array([_closed(lived, setting, name, day * BLOCKS_PER_DAY) for day in days])


def _closed(lived: Lived, setting: Setting, name: str, blocks: float) -> float:
    pool, window, shared = setting.pool_share, setting.window_blocks, setting.shared
    shares = (lived.part * pool).tolist()
    if name == "covenant":
        each = [covenant_relative_variance(h, pool, blocks, window, shared) for h in shares]
    elif name == "pplns":
        easy = setting.share_difficulty
        each = [last_shares_relative_variance(h, pool, blocks, easy) for h in shares]
    else:
        each = [solo_relative_variance(h, blocks) for h in shares]
    return math.sqrt(float(lived.part @ np.array(each)))


# Panels


def so_far(paid: Floats) -> Floats:
    """What each member was paid up to the end of each period, % of what it could expect."""
    so_far: Floats = 100.0 * np.cumsum(paid, axis=0) / np.arange(1, len(paid) + 1)[:, None]
    return so_far


def scale_of(paths: Floats) -> tuple[float, float]:
    """The narrowest scale that holds most of all lines."""
    for low, high in SCALES:
        if np.mean((paths >= low) & (paths <= high)) >= MOST:
            break
    return low, high


def _draw_paths(axes: Axes, paths: Floats, setting: Setting, colour: str) -> None:
    """A line a member."""
    days = np.arange(1, len(paths) + 1) * setting.period_days
    axes.plot(days, paths, color=colour, linewidth=0.4, alpha=0.35)
    axes.axhline(100.0, color=MARK_COLOUR, linewidth=0.5, zorder=3)
    axes.set_xlim(0.0, days[-1])
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    _draw_window(axes, setting)


def _set_percent(axes: Axes, low: float, high: float) -> None:
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _draw_deviations(axes: Axes, lived: Lived, setting: Setting) -> None:
    """Curves in closed form and simulated points of three ways of paying."""
    horizons = _horizons(setting)
    lowest = 100.0
    for name, colour in (
        ("solo", ALONE_COLOUR), ("covenant", SHARING_COLOUR), ("pplns", PPLNS_COLOUR),
    ):  # fmt: skip
        curve = 100.0 * closed(lived, setting, name, horizons)
        days, points = simulated(lived, setting, name)
        axes.plot(horizons, curve, color=colour, linewidth=1.0)
        axes.plot(days, 100.0 * points, "o", color=colour, markersize=2.2, markeredgewidth=0)
        lowest = min(lowest, float(curve.min()))
    axes.set_yscale("log")
    axes.set_ylim(0.8 * max(lowest, LEAST_PERCENT), 1.6 * _highest(axes))
    _set_log(axes, horizons)
    _draw_window(axes, setting, named=True)
    pages.draw_key(axes, HEADING, _keys())


def _keys() -> Sequence[Key]:
    return [
        Key("alone", LINE, ALONE_COLOUR, ALONE_COLOUR),
        Key("covenant", LINE, SHARING_COLOUR, SHARING_COLOUR),
        Key("PPLNS", LINE, PPLNS_COLOUR, PPLNS_COLOUR),
    ]


def _draw_ratios(axes: Axes, lived: Lived, setting: Setting) -> None:
    """What is left of a lone miner's deviation."""
    horizons = _horizons(setting)
    for name, colour in (("covenant", SHARING_COLOUR), ("pplns", PPLNS_COLOUR)):
        curve = closed(lived, setting, name, horizons) / closed(lived, setting, "solo", horizons)
        days, points = simulated(lived, setting, name)
        alone = simulated(lived, setting, "solo")[1]
        axes.plot(horizons, 100.0 * curve, color=colour, linewidth=1.0)
        ratio = 100.0 * points / alone
        axes.plot(days, ratio, "o", color=colour, markersize=2.2, markeredgewidth=0)
    axes.axhline(100.0, color=ALONE_COLOUR, linewidth=1.0)
    axes.set_ylim(0.0, 120.0)
    axes.yaxis.set_major_locator(FixedLocator([0.0, 50.0, 100.0]))
    _set_log(axes, horizons)
    _draw_window(axes, setting)


def _horizons(setting: Setting) -> Floats:
    """Days along the curves, farther than the points go."""
    first = setting.period_days
    return np.geomspace(first / 1.25, CURVES * PARTS * first, 60)


def _highest(axes: Axes) -> float:
    return max(float(np.max(np.asarray(line.get_ydata(), dtype=float))) for line in axes.lines)


def _set_log(axes: Axes, horizons: Floats) -> None:
    """Powers of ten, or 1, 2 and 5 times them where those are few."""
    axes.set_xscale("log")
    axes.set_xlim(horizons[0], horizons[-1])
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_minor_locator(NullLocator())
        if axis.get_scale() == "log":
            ticks = log_ticks(low, high)
            axis.set_ticks(ticks, [f"{tick:,g}" for tick in ticks])


def log_ticks(low: float, high: float) -> list[float]:
    """Numbers on a logarithmic axis: few enough to be read, and at least two."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= 3:
            break
    return inside


def _draw_window(axes: Axes, setting: Setting, named: bool = False) -> None:
    """A line where a horizon is a window long, if that is in view."""
    days = setting.window_days
    low, high = axes.get_xlim()
    if not low < days < high:
        return
    axes.axvline(days, color=MARK_COLOUR, linewidth=0.5, dashes=(4, 2), zorder=1.5)
    if named:
        axes.annotate(
            f"window: {rounded(days)} days", (days, 1.0), (2.5, -1.0),
            ("data", "axes fraction"), "offset points",
            va="top", size=SMALL_SIZE, color=MARK_COLOUR, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5},
        )  # fmt: skip


def _sources(run: Run, setting: Setting) -> str:
    facts = run.facts
    return " ".join((
        f"Scenario {facts['name']}, seed {run.case.seed}, Hashatlas {facts['version']}.",
        f"A pool with {100 * setting.pool_share:.3g} % of the hashrate and {MEMBERS} members of",
        f"unequal size, from a full window ({setting.window_blocks:,} blocks) on;",
        f"{100 * setting.shared:.3g} % of each block is shared.",
        "Left: a line a member.",
        "Right: mean over members by work; curves are closed forms, points are simulated;",
        "PPLNS is what a pool with shares easier than blocks would do.",
    ))  # fmt: skip
