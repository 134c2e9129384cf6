"""What the size of a site costs, and which sizes developers build where that is not as today.

The sizes that are built at today's costs are the density of each type of site. Where advantages of
scale, the size gradient of generation or the cost of a site differ from today's, developers choose
among the sizes of that density by what each costs more, as they choose among kinds of site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
LEAST_USD_MWH = 1.0  # nobody generates for less


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
    stretched there (`costs.operating_cost_usd_mwh`); a firm of one site bears both, which is what
    the static limit has. Bulk orders and finance are the firm's too where lam is one; what the
    multiplier adds to them is charged by site, or sites of any size would do for a large firm.
    """
    stretch = world.case.firms.scale_advantage - 1.0
    if stretch == 0.0:
        return np.zeros(size_mw.size)
    reference = cost_of_size(world, np.full(size_mw.size, REFERENCE_MW), duty)
    return stretch * (cost_of_size(world, size_mw, duty) - reference)


def upkeep_usd_mwh(world: World, size_mw: np.ndarray, duty: np.ndarray) -> np.ndarray:
    """Operation and maintenance of sites, with what stretched advantages add; at least 0."""
    return np.maximum(plain_upkeep(world, size_mw) + stretched_usd_mwh(world, size_mw, duty), 0.0)


def plain_upkeep(world: World, size_mw: np.ndarray) -> np.ndarray:
    """Operation and maintenance of sites at today's advantages of scale, USD/MWh."""
    firms = world.case.firms
    return costs.maintenance_usd_mwh(size_mw, firms.om_usd_mwh, firms.own_time_usd_mwh)


def as_today(world: World) -> bool:
    """Whether sizes cost what they do today, so that the density of each type holds."""
    energy, firms = world.case.energy, world.case.firms
    today = 1.0, TODAY_GRADIENT, TODAY_SITE_USD
    return (firms.scale_advantage, energy.size_gradient_usd_mwh, firms.site_cost_usd) == today


def excess_usd_mwh(world: World, cell: int, size_mw: np.ndarray) -> np.ndarray:
    """What sizes at a cell cost more, or less, than they do today, as miners pay it, USD/MWh."""
    table, energy, firms = world.cells, world.case.energy, world.case.firms
    duty = np.full(size_mw.size, 0.5 * (table.duty[cell] + table.dry_duty[cell]))
    upkeep = upkeep_usd_mwh(world, size_mw, duty) - plain_upkeep(world, size_mw)
    mean_log = world.atlas.mean_log_size[table.type[cell]]
    usual = 0.5 * (table.gen_usd_mwh[cell] + table.dry_gen_usd_mwh[cell])
    generation, today = (
        np.maximum(usual + electricity.size_gradient(size_mw, mean_log, gradient), LEAST_USD_MWH)
        for gradient in (energy.size_gradient_usd_mwh, TODAY_GRADIENT)
    )
    development = costs.development_usd_mw(size_mw, firms.site_cost_usd - TODAY_SITE_USD)
    terms = costs.CapitalCosts()
    yearly = development * capital_recovery(terms.infra_rate, terms.infra_years)
    return upkeep + generation - today + yearly / (HOURS_PER_YEAR * np.maximum(duty, LEAST_DUTY))


def weights_of_sizes(world: World, cell: int) -> np.ndarray:
    """How much more developers want each size at a cell than its density says, at `CHANCES`."""
    types, kind = world.types, world.cells.type[cell]
    sizes = electricity.capacity_quantile(
        CHANCES, types.alpha[kind], types.size_min_mw[kind], types.size_max_mw[kind]
    )
    more = excess_usd_mwh(world, cell, sizes)
    return np.asarray(np.exp(-np.clip(more / world.case.energy.cost_scale_usd_mwh, -50.0, 50.0)))


class WantedSizes(NamedTuple):
    """Which sizes developers want where they do not cost what they do today, a row a cell.

    Attributes
    ----------
    below : share of the capacity wanted below each edge of equal steps of the density's chance
    excess : what new sites cost more than today at these sizes, USD/MWh

    Notes
    -----
    The excess is -s ln E[exp(-x/s)] over the density: a logit choice among sizes inside a logit
    choice among cells has this as its cost (McFadden 1978).
    """

    below: np.ndarray
    excess: np.ndarray


def wanted_sizes(world: World) -> WantedSizes | None:
    """The sizes that developers want at each cell; None where sizes cost what they do today."""
    if as_today(world):
        return None
    weights = np.array([weights_of_sizes(world, cell) for cell in range(len(world.cells))])
    below = np.pad(np.cumsum(weights, axis=1), ((0, 0), (1, 0)))
    excess = -world.case.energy.cost_scale_usd_mwh * np.log(weights.mean(axis=1))
    return WantedSizes(below / below[:, -1:], excess)


def tilted(world: World, cells: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Chances of the density of each cell's type at which the sizes that developers want lie."""
    wanted = world.wanted_sizes
    if wanted is None:
        return chance
    edges = np.linspace(0.0, 1.0, CHANCES.size + 1)
    found = chance.copy()
    for cell in np.unique(cells):
        mine = cells == cell
        found[mine] = np.interp(chance[mine], wanted.below[cell], edges)
    return found


def excess_of_cells(world: World) -> np.ndarray:
    """What new sites of each cell cost more than today, at the sizes that are wanted, USD/MWh."""
    wanted = world.wanted_sizes
    return np.zeros(len(world.cells)) if wanted is None else wanted.excess
