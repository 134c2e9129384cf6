"""The frictionless long run: which sites mine when entry is free and instant.

It is a limit to compare the model with, never a forecast: potentials are assumptions, and
lead times, capital and search are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.known import DATA
from model.markets.compute import availability
from model.markets.costs import (
    CapitalCosts,
    break_even_spread,
    machine_usd_mw,
    non_energy_cost,
    scaled_advantage,
)
from model.markets.electricity import (
    capacity_quantile,
    mean_log_size,
    merit_order,
    size_gradient,
)
from model.markets.finance import Form, wacc
from model.markets.maker import order_price
from model.units import (
    HOURS_PER_DAY,
    TERAHASH_PER_EXAHASH,
    TERAHASH_PER_PETAHASH,
    WATTS_PER_MW,
    equilibrium_hashprice,
)

FloatArray = NDArray[np.float64]
Numbers = float | NDArray[Any]

SITE_TYPES_FILE = DATA / "site_types.csv"
CELLS_PER_TYPE = 4000


@dataclass(frozen=True)
class SiteType:
    """One kind of site: its world potential, sizes, cost, and hours with power."""

    name: str
    potential_gw: float
    size_min_mw: float
    size_max_mw: float
    alpha: float
    generation_usd_mwh: float
    generation_sd: float
    transmission_usd_mwh: float
    transmission_sd: float
    duty: float
    ai_may_bid: bool
    on_grid: bool
    sells_heat: bool


def load_site_types(path: Path = SITE_TYPES_FILE) -> tuple[SiteType, ...]:
    """Site types from a table with comment lines."""
    rows = pl.read_csv(path, comment_prefix="#").to_dicts()
    return tuple(
        SiteType(
            name=row["type"],
            potential_gw=float(row["potential_gw"]),
            size_min_mw=float(row["size_min_mw"]),
            size_max_mw=float(row["size_max_mw"]),
            alpha=float(row["alpha"]),
            generation_usd_mwh=float(row["gen_usd_mwh"]),
            generation_sd=float(row["gen_sd"]),
            transmission_usd_mwh=float(row["td_usd_mwh"]),
            transmission_sd=float(row["td_sd"]),
            duty=float(row["duty"]),
            ai_may_bid=bool(row["ai_may_bid"]),
            on_grid=bool(row["on_grid"]),
            sells_heat=row["type"] == "heat_demand",
        )
        for row in rows
    )


@dataclass(frozen=True)
class Cells:
    """The world's potential in pieces of equal capacity within each type, one row each."""

    size_mw: FloatArray
    log_size_mean: FloatArray
    capacity_mw: FloatArray
    generation_usd_mwh: FloatArray
    transmission_usd_mwh: FloatArray
    duty: FloatArray
    ai_may_bid: NDArray[np.bool_]
    on_grid: NDArray[np.bool_]
    sells_heat: NDArray[np.bool_]


def draw_cells(types: Sequence[SiteType], seed: int, cells: int = CELLS_PER_TYPE) -> Cells:
    """Sizes from the capacity density and costs from normals cut at zero, `cells` a type."""
    generator = np.random.default_rng(seed)
    drawn = [_draw_type(kind, generator, cells) for kind in types]
    columns = [np.concatenate(column) for column in zip(*drawn, strict=True)]

    def spread(values: Sequence[float | bool]) -> NDArray[np.generic]:
        return np.repeat(np.asarray(values), cells)

    return Cells(
        size_mw=columns[0],
        generation_usd_mwh=columns[1],
        transmission_usd_mwh=columns[2],
        log_size_mean=np.asarray(
            spread([mean_log_size(t.alpha, t.size_min_mw, t.size_max_mw) for t in types])
        ),
        capacity_mw=np.asarray(spread([t.potential_gw * 1e3 / cells for t in types])),
        duty=np.asarray(spread([t.duty for t in types])),
        ai_may_bid=np.asarray(spread([t.ai_may_bid for t in types])),
        on_grid=np.asarray(spread([t.on_grid for t in types])),
        sells_heat=np.asarray(spread([t.sells_heat for t in types])),
    )


def _draw_type(
    kind: SiteType, generator: np.random.Generator, cells: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    size = capacity_quantile(
        generator.random(cells), kind.alpha, kind.size_min_mw, kind.size_max_mw
    )
    generation = generator.normal(kind.generation_usd_mwh, kind.generation_sd, cells)
    transmission = generator.normal(kind.transmission_usd_mwh, kind.transmission_sd, cells)
    return size, np.maximum(generation, 0.0), np.maximum(transmission, 0.0)


# Below 1 MW a site is taken to need no more than a warehouse or a home does.
_LIMIT_CAPITAL = CapitalCosts(infra_home_below_mw=1.0)


@dataclass(frozen=True)
class Limit:
    """Settings of the static limit: one machine, one price, no frictions."""

    price_usd: float = 83_000.0
    reward_btc: float = 3.155
    efficiency_j_th: float = 17.5
    list_price_usd_th: float = 16.0
    discount_size_exponent: float = 0.04
    discount_most: float = 0.30
    scale_advantage: float = 1.0
    reference_mw: float = 100.0
    size_gradient_usd_mwh: float = 4.5
    transmission_scale: float = 1.0
    ai_bidders: bool = True
    heat_credit_usd_mwh: float = 60.0
    capital: CapitalCosts = _LIMIT_CAPITAL

    def with_site_cost(self, site_cost_usd: float) -> Limit:
        """The same settings with another development cost of a site."""
        return replace(self, capital=replace(self.capital, site_cost_usd=site_cost_usd))


_BASE = Limit()


def unit_cost_besides_power(
    size_mw: Numbers, utilisation: Numbers, limit: Limit = _BASE
) -> FloatArray:
    """Full unit cost besides power of a one-site firm, USD/MWh.

    Firms below 1 MW finance themselves as homes do, larger ones as firms, so that the cost
    steps at 1 and 50 MW.
    """
    size = np.asarray(size_mw, dtype=np.float64)
    # No floor at manufacturing cost here: the long run prices machines by the list alone.
    price = order_price(
        limit.list_price_usd_th, 0.0, size, limit.discount_size_exponent, limit.discount_most
    )
    form = np.where(size < 1.0, Form.HOME, Form.PRIVATE)
    machines = machine_usd_mw(price, limit.efficiency_j_th)
    return non_energy_cost(size, utilisation, machines, wacc(form, size), capital=limit.capital)


def electricity_spread(
    size_mw: Numbers, utilisation: float = 0.95, limit: Limit = _BASE
) -> FloatArray:
    """Power saving that a size needs to match the reference size, USD/MWh."""
    return break_even_spread(
        unit_cost_besides_power(size_mw, utilisation, limit),
        unit_cost_besides_power(limit.reference_mw, utilisation, limit),
    )


def unit_cost(cells: Cells, limit: Limit = _BASE) -> FloatArray:
    """Full unit cost of each cell, power included, USD/MWh."""
    own = unit_cost_besides_power(cells.size_mw, cells.duty, limit)
    reference = unit_cost_besides_power(limit.reference_mw, cells.duty, limit)
    besides = scaled_advantage(own, reference, limit.scale_advantage)
    gradient = size_gradient(cells.size_mw, cells.log_size_mean, limit.size_gradient_usd_mwh)
    wires = cells.transmission_usd_mwh * limit.transmission_scale
    heat = np.where(cells.sells_heat, limit.heat_credit_usd_mwh, 0.0)
    return np.asarray(cells.generation_usd_mwh + gradient + wires + besides - heat)


class Outcome(NamedTuple):
    """The static equilibrium: totals, and shares of the hashrate; `grid` is without heat sites."""

    hashrate_ehs: float
    hashprice_usd_ph_day: float
    power_gw: float
    over_100mw: float
    under_10mw: float
    under_1mw: float
    grid: float


def mining_cells(cells: Cells, limit: Limit = _BASE) -> tuple[NDArray[np.intp], FloatArray]:
    """Cells that mine in the free-entry equilibrium, and the mean power of each.

    Notes
    -----
    Cells enter in the order of unit cost while the hashprice, after their entry, still pays
    their full cost: revenue per hash equals the cost of the marginal cell.

    Returns
    -------
    rows : cells that mine, cheapest first
    power_mw : mean power of each over the year
    """
    usable = cells.capacity_mw * cells.duty
    if limit.ai_bidders:
        usable = usable * availability(cells.size_mw, cells.ai_may_bid)
    order, cost, power = merit_order(unit_cost(cells, limit), usable)
    hashprice = _hashprice(power, limit)
    needed = cost * limit.efficiency_j_th * HOURS_PER_DAY / WATTS_PER_MW
    entered = int(np.searchsorted(needed - hashprice, 0.0, side="right"))
    return order[:entered], usable[order[:entered]]


def _hashprice(power_mw: FloatArray, limit: Limit) -> FloatArray:
    hashrate = np.maximum(power_mw, 1e-12) * WATTS_PER_MW / limit.efficiency_j_th
    return np.asarray(equilibrium_hashprice(hashrate, limit.reward_btc, limit.price_usd))


def equilibrium(cells: Cells, limit: Limit = _BASE) -> Outcome:
    """Totals and size shares of the free-entry equilibrium."""
    rows, power = mining_cells(cells, limit)
    total = float(power.sum())
    if total <= 0.0:
        raise ValueError("no site can mine at this price")
    size = cells.size_mw[rows]

    def share(chosen: NDArray[np.bool_]) -> float:
        return float(power[chosen].sum() / total)

    hashrate_ths = total * WATTS_PER_MW / limit.efficiency_j_th
    hashprice = equilibrium_hashprice(hashrate_ths, limit.reward_btc, limit.price_usd)
    return Outcome(
        hashrate_ehs=hashrate_ths / TERAHASH_PER_EXAHASH,
        hashprice_usd_ph_day=hashprice * TERAHASH_PER_PETAHASH,
        power_gw=total / 1e3,
        over_100mw=share(size > 100.0),
        under_10mw=share(size < 10.0),
        under_1mw=share(size < 1.0),
        grid=share((cells.on_grid & ~cells.sells_heat)[rows]),
    )


def outcomes(worlds: Sequence[Cells], limit: Limit = _BASE) -> tuple[Outcome, Outcome]:
    """Mean and standard deviation of the equilibrium over several drawn worlds, two at least."""
    found = np.array([equilibrium(cells, limit) for cells in worlds])
    deviation = found.std(axis=0, ddof=1)
    return Outcome(*found.mean(axis=0).tolist()), Outcome(*deviation.tolist())


class Row(NamedTuple):
    """One line of a table of checks."""

    name: str
    expected: float
    found: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the number found is within the tolerance of the expected one."""
        return abs(self.found - self.expected) <= self.tolerance


# Independent computation of the same equilibrium: 20-seed means and their one-seed deviation.
_REFERENCE_BASE = Outcome(1104.0, 34.14, 19.3, 0.0253, 0.820, 0.493, 0.113)
_ONE_SEED_SD = Outcome(1.5, 0.05, 0.04, 0.0013, 0.006, 0.006, 0.006)
# Shares of the same computation over eight seeds, by the multiplier of scale advantages.
_REFERENCE_ADVANTAGE = {
    0.0: (0.007, 0.870),
    0.5: (0.014, 0.849),
    1.0: (0.025, 0.821),
    2.0: (0.056, 0.753),
    4.0: (0.153, 0.603),
    8.0: (0.287, 0.493),
    16.0: (0.371, 0.373),
}
# From here on over one seed each.
_REFERENCE_SITE_COST = {
    0.0: (0.537, 0.019),
    25e3: (0.515, 0.021),
    50e3: (0.492, 0.023),
    100e3: (0.448, 0.026),
    250e3: (0.297, 0.041),
    1e6: (0.053, 0.075),
}
_REFERENCE_TRANSMISSION = {0.0: (0.386, 0.677), 1.0: (0.118, 0.820), 2.0: (0.033, 0.861)}
_REFERENCE_AI = {False: 0.092, True: 0.023}
_REFERENCE_PRICE = {
    20e3: (0.029, 0.002, 0.961, 5.7),
    83e3: (0.118, 0.023, 0.820, 19.4),
}


def static_limit_table(seeds: int = 8, types: Sequence[SiteType] | None = None) -> list[Row]:
    """The static limit against an independent computation of it.

    Parameters
    ----------
    seeds : worlds drawn for each mean; the base alone takes 20, as the reference did
    types : site types, by default those of the scenario data

    Returns
    -------
    rows : name, expected, found, tolerance: 5 % of a share (3 standard errors for totals), or
        three standard errors and half a unit of the last printed digit if that is more, which
        binds for the smallest shares and those whose reference is a single draw
    """
    kinds = load_site_types() if types is None else types
    worlds = [draw_cells(kinds, seed) for seed in range(max(20, seeds))]
    few = worlds[:seeds]
    return [
        *_base_rows(worlds[:20]),
        *_advantage_rows(few),
        *_site_cost_rows(few),
        *_transmission_rows(few),
        *_ai_rows(few),
        *_price_rows(few),
    ]


def _share_row(
    name: str, expected: float, found: float, deviation: float, published: int, drawn: int
) -> Row:
    sampling = 3.0 * deviation * np.sqrt(1.0 / published + 1.0 / drawn)
    return Row(name, expected, found, float(max(0.05 * expected, sampling + 0.0005)))


def _base_rows(worlds: Sequence[Cells]) -> list[Row]:
    found, _ = outcomes(worlds)
    rows = []
    for field in Outcome._fields:
        expected, deviation = getattr(_REFERENCE_BASE, field), getattr(_ONE_SEED_SD, field)
        digit = 0.5 if expected > 1000.0 else 0.05 if field == "power_gw" else 0.0005
        error = 3.0 * deviation * np.sqrt(2.0 / 20.0)
        rows.append(Row(f"base: {field}", expected, getattr(found, field), float(error + digit)))
    return rows


def _rows(
    worlds: Sequence[Cells],
    label: str,
    published: Mapping[float, tuple[float, ...]],
    fields: tuple[str, ...],
    change: Callable[[float], Limit],
    seeds: int = 1,
) -> list[Row]:
    rows = []
    for value, expected in published.items():
        found, deviation = outcomes(worlds, change(value))
        for field, number in zip(fields, expected, strict=True):
            name = f"{label} {value:g}: {field}"
            mean, spread = getattr(found, field), getattr(deviation, field)
            rows.append(_share_row(name, number, mean, spread, seeds, len(worlds)))
    return rows


def _advantage_rows(worlds: Sequence[Cells]) -> list[Row]:
    return _rows(
        worlds,
        "scale advantage",
        _REFERENCE_ADVANTAGE,
        ("over_100mw", "under_10mw"),
        lambda value: replace(_BASE, scale_advantage=value),
        seeds=8,
    )


def _site_cost_rows(worlds: Sequence[Cells]) -> list[Row]:
    return _rows(
        worlds,
        "site cost",
        _REFERENCE_SITE_COST,
        ("under_1mw", "over_100mw"),
        _BASE.with_site_cost,
    )


def _transmission_rows(worlds: Sequence[Cells]) -> list[Row]:
    return _rows(
        worlds,
        "transmission x",
        _REFERENCE_TRANSMISSION,
        ("grid", "under_10mw"),
        lambda value: replace(_BASE, transmission_scale=value),
    )


def _ai_rows(worlds: Sequence[Cells]) -> list[Row]:
    published = {float(on): (share,) for on, share in _REFERENCE_AI.items()}
    return _rows(
        worlds,
        "AI bidders",
        published,
        ("over_100mw",),
        lambda value: replace(_BASE, ai_bidders=bool(value)),
    )


def _price_rows(worlds: Sequence[Cells]) -> list[Row]:
    return _rows(
        worlds,
        "price",
        _REFERENCE_PRICE,
        ("grid", "over_100mw", "under_10mw", "power_gw"),
        lambda value: replace(_BASE, price_usd=value),
    )


def contest_shares(costs: Numbers) -> FloatArray:
    """Shares of a mining contest among miners of different unit cost.

    Parameters
    ----------
    costs : [miner], cost per hash, positive, two miners at least

    Returns
    -------
    [miner], shares of the hashrate in the order given, summing to 1

    Notes
    -----
    x_i = max(1 - c_i / c*, 0) with c* such that the shares sum to 1; the hashrate is the
    reward over c*. Arnosti and Weinberg 2022, "Bitcoin: A Natural Oligopoly".
    """
    cost = np.asarray(costs, dtype=np.float64)
    return np.asarray(np.maximum(1.0 - cost / contest_price(cost), 0.0))


def contest_price(costs: Numbers) -> float:
    """Reward per hash in equilibrium: the cost at which a miner is just kept out.

    Among the n cheapest it is their sum over n - 1, for the largest n that all of them afford.
    """
    cost = np.sort(np.asarray(costs, dtype=np.float64))
    if cost.ndim != 1 or cost.size < 2 or cost[0] <= 0.0:
        raise ValueError("a contest takes the positive costs of two miners at least")
    active = np.arange(2, cost.size + 1)
    price = np.cumsum(cost)[1:] / (active - 1)
    # The two cheapest always enter: c2 < c1 + c2.
    return float(price[np.flatnonzero(cost[1:] < price)[-1]])
