"""What the size of a site costs, and which sizes developers build where that is not as today.

The sizes that are built at today's costs are the density of each type of site. Where advantages of
scale, the size gradient of generation or the cost of a site differ from today's, developers choose
among the sizes of that density by what each costs more, as they choose among kinds of site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.miner import HOME, PRIVATE
from model.markets import costs, electricity, finance, maker
from model.parameters import Energy, Firms
from model.units import HOURS_PER_YEAR, capital_recovery

if TYPE_CHECKING:
    from model.world import World

REFERENCE_MW = 100.0
# A new machine of 2025, of which the advantages of scale are reckoned.
LIST_USD_TH, J_TH = 16.0, 17.5
TODAY_GRADIENT, TODAY_SITE_USD = Energy().size_gradient_usd_mwh, Firms().site_cost_usd
CHANCES = (np.arange(256) + 0.5) / 256.0
LEAST_DUTY = 0.01


def cost_of_size(world: World, size_mw: np.ndarray, duty: np.ndarray) -> np.ndarray:
    """What a site of a size costs besides power and its firm's eight expenses, USD/MWh.

    Parameters
    ----------
    size_mw, duty : of the sites, MW and share of the year with power

    Notes
    -----
    Upkeep, infrastructure, development, and machines at the discount for an order of that size,
    financed as a firm of one such site finances itself.
    """
    machines, firms = world.case.machines, world.case.firms
    price = maker.order_price(
        LIST_USD_TH, 0.0, size_mw, machines.discount_size_exponent, machines.discount_most
    )
    form = np.where(size_mw < 1.0, HOME, PRIVATE)
    rate = finance.wacc(
        form, size_mw, large=firms.wacc_large, mid=firms.wacc_mid, home=firms.wacc_home
    )
    capital = costs.CapitalCosts(firms.site_cost_usd, firms.infra_usd_mw, firms.infra_home_usd_mw)
    return costs.capital_cost_usd_mwh(
        size_mw, np.maximum(duty, LEAST_DUTY), costs.machine_usd_mw(price, J_TH), rate, capital
    ) + costs.maintenance_usd_mwh(size_mw, firms.om_usd_mwh, firms.own_time_usd_mwh)


def stretched_usd_mwh(world: World, size_mw: np.ndarray, duty: np.ndarray) -> np.ndarray:
    """What sites cost more than today's, since advantages of scale are not today's, USD/MWh.

    Notes
    -----
    (lam - 1) (c(Q) - c(100 MW)), c the `cost_of_size`. The eight expenses are the firm's, and are
    stretched there (`costs.operating_cost_usd_mwh`); a firm of one site bears both.
    """
    stretch = world.case.firms.scale_advantage - 1.0
    if stretch == 0.0:
        return np.zeros(size_mw.size)
    reference = cost_of_size(world, np.full(size_mw.size, REFERENCE_MW), duty)
    return stretch * (cost_of_size(world, size_mw, duty) - reference)


def upkeep_usd_mwh(world: World, size_mw: np.ndarray, duty: np.ndarray) -> np.ndarray:
    """Operation and maintenance of new sites, with what stretched advantages add; at least 0."""
    firms = world.case.firms
    upkeep = costs.maintenance_usd_mwh(size_mw, firms.om_usd_mwh, firms.own_time_usd_mwh)
    return np.maximum(upkeep + stretched_usd_mwh(world, size_mw, duty), 0.0)


def excess_usd_mwh(world: World, kind: int, size_mw: np.ndarray, duty: float) -> np.ndarray:
    """What sizes of a type cost more, or less, than they do today, USD/MWh."""
    energy, firms = world.case.energy, world.case.firms
    hours = np.full(size_mw.size, max(duty, LEAST_DUTY))
    gradient = energy.size_gradient_usd_mwh - TODAY_GRADIENT
    site = costs.site_cost_usd(size_mw, firms.site_cost_usd)
    site -= costs.site_cost_usd(size_mw, TODAY_SITE_USD)
    yearly = site / size_mw * capital_recovery(0.12, 10.0)
    return (
        stretched_usd_mwh(world, size_mw, hours)
        + electricity.size_gradient(size_mw, world.atlas.mean_log_size[kind], gradient)
        + yearly / (HOURS_PER_YEAR * hours)
    )


def as_today(world: World) -> bool:
    """Whether sizes cost what they do today, so that the density of each type holds."""
    energy, firms = world.case.energy, world.case.firms
    today = 1.0, TODAY_GRADIENT, TODAY_SITE_USD
    return (firms.scale_advantage, energy.size_gradient_usd_mwh, firms.site_cost_usd) == today


def kinds_of_cells(world: World) -> tuple[list[tuple[int, float]], np.ndarray]:
    """Types and shares of the year with power that cells have, and which of them each has."""
    table = world.cells
    pairs = np.column_stack((table.type, 0.5 * (table.duty + table.dry_duty)))
    found, which = np.unique(pairs, axis=0, return_inverse=True)
    return [(int(kind), float(duty)) for kind, duty in found], which.reshape(-1)


def weights_of_sizes(world: World, kind: int, duty: float) -> np.ndarray:
    """How much more developers want each size of a type than its density says, at `CHANCES`."""
    types = world.types
    sizes = electricity.capacity_quantile(
        CHANCES, types.alpha[kind], types.size_min_mw[kind], types.size_max_mw[kind]
    )
    more = excess_usd_mwh(world, kind, sizes, duty)
    return np.asarray(np.exp(-np.clip(more / world.case.energy.cost_scale_usd_mwh, -50.0, 50.0)))


def tilted(world: World, cells: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Chances of the density of each cell's type at which the sizes that developers want lie."""
    if as_today(world):
        return chance
    kinds, which = kinds_of_cells(world)
    found = chance.copy()
    edges = np.linspace(0.0, 1.0, CHANCES.size + 1)
    for row, (kind, duty) in enumerate(kinds):
        mine = which[cells] == row
        below = np.concatenate(([0.0], np.cumsum(weights_of_sizes(world, kind, duty))))
        found[mine] = np.interp(chance[mine], below / below[-1], edges)
    return found


def excess_of_cells(world: World) -> np.ndarray:
    """What new sites of each cell cost more than today, at the sizes that are wanted, USD/MWh.

    Notes
    -----
    -s ln E[exp(-x/s)] over the density of sizes: a logit choice among sizes inside a logit choice
    among cells has this as its cost (McFadden 1978).
    """
    if as_today(world):
        return np.zeros(len(world.cells))
    kinds, which = kinds_of_cells(world)
    mean = np.array([weights_of_sizes(world, kind, duty).mean() for kind, duty in kinds])
    return np.asarray(-world.case.energy.cost_scale_usd_mwh * np.log(mean)[which])
