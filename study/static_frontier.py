"""When small sites win in the static limit: the grid, the line of even shares, what matters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from model.metrics import wilson_interval
from study import sensitivity
from study.history import in_order
from study.logistic import Crossing, resampled_crossings
from study.static_limit import (
    CELLS_PER_TYPE,
    Cells,
    FloatArray,
    Limit,
    draw_cells,
    electricity_spread,
    equilibrium,
    load_site_types,
)

# The grid of the central question.
SCALE_ADVANTAGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # the last for the line to lie inside
SIZE_GRADIENTS = (0.0, 4.5, 9.0)
TRANSMISSION_SCALES = (0.0, 0.5, 1.0, 1.5, 2.0)
SITE_COSTS = (25e3, 50e3, 250e3, 1e6)
PRICES = (20e3, 83e3, 500e3)
SMALL_MW = 10.0
HIGHEST_ADVANTAGE = 64.0
UTILISATION = 0.95

SCALES: Mapping[str, str] = MappingProxyType(
    {
        "scale_advantage": "log of one more",
        "size_gradient_usd_mwh": "linear",
        "transmission_scale": "linear",
        "site_cost_usd": "log",
    }
)
CENTRE: Mapping[str, float] = MappingProxyType(
    {"size_gradient_usd_mwh": 4.5, "transmission_scale": 1.0, "site_cost_usd": 50e3}
)

# What is plausible of each number of the static limit: the ranges of the parameter registry.
# Scale advantages come from expenses that the registry varies between half and twice.
PLAUSIBLE: sensitivity.Bounds = MappingProxyType(
    {
        "scale_advantage": (0.5, 2.0),
        "size_gradient_usd_mwh": (0.0, 9.0),
        "transmission_scale": (5.0 / 18.0, 45.0 / 18.0),
        "ai_bidders": (0.0, 1.0),
        "price_usd": (20e3, 500e3),
        "site_cost_usd": (25e3, 1e6),
        "infra_usd_mw": (200e3, 1e6),
        "machine_years": (3.0, 5.0),
        "efficiency_j_th": (11.0, 25.0),
        "list_price_usd_th": (8.0, 24.0),
        "discount_size_exponent": (0.0, 0.08),
        "discount_most": (0.15, 0.40),
        "heat_credit_usd_mwh": (40.0, 120.0),
        "grid_industrial": (30.0, 120.0),
        "btm_hydro": (2.0, 15.0),
        "btm_gas": (4.0, 30.0),
        "btm_solar_wind": (10.0, 100.0),
        "btm_nuclear": (0.0, 8.0),
        "flare": (5.0, 30.0),
        "landfill_dairy": (1.0, 6.0),
        "home_solar": (5.0, 60.0),
        "heat_demand": (5.0, 80.0),
    }
)
# Factors that span orders of magnitude are drawn on a logarithmic scale.
LOGARITHMIC = ("scale_advantage", "price_usd", "site_cost_usd", "infra_usd_mw")
SURVIVORS = 12
ROWS_OF_A_JOB = 64


# Worlds


@lru_cache(maxsize=4)
def world(seed: int) -> Cells:
    """The potentials of a seed."""
    return draw_cells(load_site_types(), seed)


def cost_difference_usd_mwh(cells: Cells, limit: Limit) -> float:
    """Other costs of sites under 10 MW above those of the reference size, USD/MWh.

    The mean of L.1's break-even spread over the energy that such sites could use, at the same
    95 % of the hours for both: power at small sites must be cheaper by as much.
    """
    small = cells.size_mw < SMALL_MW
    spread = electricity_spread(cells.size_mw[small], UTILISATION, limit)
    energy = (cells.capacity_mw * cells.duty)[small]
    return float(limit.scale_advantage * np.average(spread, weights=energy))


def settings(values: Mapping[str, float], base: Limit | None = None) -> Limit:
    """The static limit with some numbers changed; those of site types are not its own."""
    limit = Limit() if base is None else base
    own: dict[str, Any] = {}
    capital: dict[str, float] = {}
    for name, value in values.items():
        if name == "ai_bidders":
            own[name] = bool(value >= 0.5)
        elif hasattr(limit, name):
            own[name] = value
        elif hasattr(limit.capital, name):
            capital[name] = value
    return replace(limit, **own, capital=replace(limit.capital, **capital))


def with_potentials(cells: Cells, values: Mapping[str, float]) -> Cells:
    """The same cells with other world potentials (GW) of some site types."""
    kinds = load_site_types()
    potential = np.array([values.get(kind.name, kind.potential_gw) for kind in kinds])
    capacity = np.repeat(potential * 1e3 / CELLS_PER_TYPE, CELLS_PER_TYPE)
    return replace(cells, capacity_mw=capacity)


def small_share(cells: Cells, limit: Limit) -> float:
    """Share of the hashrate at sites under 10 MW; the estimand D in the long run."""
    return equilibrium(cells, limit).under_10mw


# The grid


class Slice(NamedTuple):
    """One seed of the grid at one price, with or without AI bidders."""

    seed: int
    price_usd: float
    ai_bidders: bool


def grid(seeds: int, workers: int = 1) -> pl.DataFrame:
    """Shares at every point of the grid and in every seed, one row each."""
    slices = [Slice(*each) for each in itertools.product(range(seeds), PRICES, (False, True))]
    frames = in_order(slice_of_grid, slices, workers)
    return pl.concat(frames)


def slice_of_grid(part: Slice) -> pl.DataFrame:
    """The points of one slice, in the order of the grid."""
    cells, rows = world(part.seed), []
    points = itertools.product(SCALE_ADVANTAGES, SIZE_GRADIENTS, TRANSMISSION_SCALES, SITE_COSTS)
    for point, values in enumerate(points):
        named = dict(zip(SCALES, values, strict=True))
        base = Limit(price_usd=part.price_usd, ai_bidders=part.ai_bidders)
        found = equilibrium(cells, settings(named, base))
        rows.append({"point": point, **part._asdict(), **named, **found._asdict()})
    return pl.DataFrame(rows)


# Where shares are even


def even_advantage(cells: Cells, limit: Limit) -> float:
    """Multiplier of scale advantages at which sites under 10 MW have half of the hashrate.

    0 where they have less without any advantage of scale, infinite where they have more even at
    `HIGHEST_ADVANTAGE`.
    """

    def excess(advantage: float) -> float:
        return small_share(cells, replace(limit, scale_advantage=advantage)) - 0.5

    low, high = 0.0, HIGHEST_ADVANTAGE
    if excess(low) <= 0.0:
        return 0.0
    if excess(high) > 0.0:
        return math.inf
    # On the logarithm of one more: the line is looked for between 0 and 64.
    for _ in range(14):
        middle = math.expm1(0.5 * (math.log1p(low) + math.log1p(high)))
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return math.expm1(0.5 * (math.log1p(low) + math.log1p(high)))


class Line(NamedTuple):
    """The line of even shares along the transmission charges, at one price.

    Attributes
    ----------
    price_usd, ai_bidders : of the worlds
    transmission_scale : [place]
    advantage : [place], the multiplier of scale advantages where shares are even, seeds' mean
    spread : [place], its standard deviation between seeds
    """

    price_usd: float
    ai_bidders: bool
    transmission_scale: FloatArray
    advantage: FloatArray
    spread: FloatArray


class LineJob(NamedTuple):
    """A line to compute, over how many seeds."""

    price_usd: float
    ai_bidders: bool
    seeds: int


def lines(seeds: int, workers: int = 1, prices: Sequence[float] = PRICES) -> list[Line]:
    """The line of even shares at each price, with and without AI bidders."""
    jobs = [LineJob(price, ai, seeds) for price in prices for ai in (True, False)]
    return in_order(line, jobs, workers)


def line(job: LineJob) -> Line:
    """One line, computed point by point."""
    scales = np.linspace(TRANSMISSION_SCALES[0], TRANSMISSION_SCALES[-1], 9)
    base = Limit(price_usd=job.price_usd, ai_bidders=job.ai_bidders)
    found = np.array(
        [
            [
                even_advantage(world(seed), replace(base, transmission_scale=scale))
                for scale in scales
            ]
            for seed in range(job.seeds)
        ]
    )
    with np.errstate(invalid="ignore"):
        spread = found.std(axis=0, ddof=1) if job.seeds > 1 else np.zeros(scales.size)
    return Line(job.price_usd, job.ai_bidders, scales, found.mean(axis=0), spread)


def surface_crossings(
    points: pl.DataFrame, price_usd: float, ai_bidders: bool, transmission: Sequence[float]
) -> list[Crossing] | None:
    """The same line by a logistic surface through the grid, with 90 % bands over its points.

    None where hardly a point is won, or hardly one lost.
    """
    chosen = points.filter(
        (pl.col("price_usd") == price_usd) & (pl.col("ai_bidders") == ai_bidders)
    )
    won = (chosen["under_10mw"] > 0.5).to_numpy()
    if not 0.02 < won.mean() < 0.98:
        return None
    columns = {name: chosen[name].to_numpy() for name in SCALES}
    at = [{**CENTRE, "transmission_scale": scale} for scale in transmission]
    return resampled_crossings(
        columns, won, SCALES, chosen["point"].to_numpy(), "scale_advantage", at
    )


# Which factors matter


@dataclass(frozen=True)
class Screening:
    """What moves the share of small sites in the plausible box.

    Attributes
    ----------
    morris : every factor, see `sensitivity.morris_indices`
    sobol : the factors that moved it most, see `sensitivity.sobol_indices`
    trajectories, base : sizes of both designs
    """

    morris: pl.DataFrame
    sobol: pl.DataFrame
    trajectories: int
    base: int


class Rows(NamedTuple):
    """Some points of a design, to be evaluated by one worker."""

    names: tuple[str, ...]
    values: FloatArray
    seed: int


def screening(trajectories: int = 20, base: int = 1024, workers: int = 1) -> Screening:
    """Morris over all factors of the static limit, Sobol over those that matter most."""
    bounds = scaled(PLAUSIBLE)
    design = sensitivity.morris_design(bounds, trajectories)
    morris = sensitivity.morris_indices(bounds, design, shares_at(tuple(bounds), design, workers))
    kept = {name: bounds[name] for name in bounds if name in morris["factor"][:SURVIVORS].to_list()}
    points = sensitivity.sobol_design(kept, base)
    sobol = sensitivity.sobol_indices(kept, shares_at(tuple(kept), points, workers))
    return Screening(morris, sobol, trajectories, base)


def scaled(bounds: sensitivity.Bounds) -> dict[str, tuple[float, float]]:
    """Bounds on the scale on which factors are drawn."""
    return {
        name: (math.log(low), math.log(high)) if name in LOGARITHMIC else (low, high)
        for name, (low, high) in bounds.items()
    }


def shares_at(
    names: tuple[str, ...], design: FloatArray, workers: int = 1, seed: int = 0
) -> FloatArray:
    """Share of small sites at each point of a design on the scale of `scaled`."""
    pieces = np.array_split(design, max(1, math.ceil(len(design) / ROWS_OF_A_JOB)))
    jobs = [Rows(names, piece, seed) for piece in pieces]
    return np.concatenate(in_order(shares_of_rows, jobs, workers))


def shares_of_rows(rows: Rows) -> FloatArray:
    """The same for the points of one job."""
    found = []
    for row in rows.values:
        values = {
            name: math.exp(value) if name in LOGARITHMIC else float(value)
            for name, value in zip(rows.names, row, strict=True)
        }
        cells = with_potentials(world(rows.seed), values)
        found.append(small_share(cells, settings(values)))
    return np.array(found)


class Plausible(NamedTuple):
    """How much of the plausible box small sites lose, with its 95 % interval (Wilson)."""

    lost: int
    worlds: int
    share: float
    low: float
    high: float
    quartiles: tuple[float, float, float]

    @property
    def falsified(self) -> bool:
        """Whether the founding claim fails in more than half of the box."""
        return self.share > 0.5


def of_shares(shares: FloatArray) -> Plausible:
    """How many of some worlds small sites lose."""
    lost = int((shares <= 0.5).sum())
    low, high = wilson_interval(lost, shares.size)
    first, middle, last = np.quantile(shares, [0.25, 0.5, 0.75]).tolist()
    return Plausible(lost, shares.size, lost / shares.size, low, high, (first, middle, last))


def plausible_box(worlds: int = 1024, workers: int = 1) -> Plausible:
    """Share of the plausible box in which small sites have less than half of the hashrate."""
    bounds = scaled(PLAUSIBLE)
    draw = np.random.default_rng(1)
    ends = np.array(list(bounds.values()))
    # A Latin hypercube: each factor once in each of as many equal parts of its range.
    parts = np.column_stack([draw.permutation(worlds) for _ in bounds])
    design = ends[:, 0] + (parts + draw.random(parts.shape)) / worlds * (ends[:, 1] - ends[:, 0])
    return of_shares(shares_at(tuple(bounds), design, workers))
