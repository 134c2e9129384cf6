"""How AI and other computation take sites from miners: new ones, and those that miners hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents import moving
from agents.fleet import Fleet
from agents.nation import Nation
from agents.site import AI, MINERS
from agents.trading import worth
from model.markets import compute
from model.streams import uniforms_of
from model.units import DAYS_PER_MONTH, DAYS_PER_YEAR, HOURS_PER_DAY, capital_recovery

if TYPE_CHECKING:
    from model.world import World

MONTHS_PER_YEAR = 12.0
WORTH_TELLING_MW = 50.0


def win_chance(world: World, rows: np.ndarray) -> np.ndarray:
    """Chance that a bidder with a backlog outbids miners for each site; 0 where none may bid."""
    terms, sites = world.case.compute, world.sites
    if not terms.bidders or world.today < terms.from_date:
        return np.zeros(rows.size)
    half = compute.half_size(
        (world.today - terms.from_date).days / DAYS_PER_YEAR,
        start_mw=terms.half_size_mw,
        decline_yr=terms.half_size_decline_yr,
    )
    chance = compute.win_probability(
        sites["size_mw"][rows],
        world.nations["ai_backlog"][sites["nation"][rows]],
        half_size_mw=float(half),
        width=terms.width,
        most=terms.most,
    )
    return chance * world.types.ai_may_bid[sites["kind"][rows]]


def hand_over(world: World, rows: np.ndarray) -> None:
    """Give sites to computation."""
    sites = world.sites
    sites["tenant"][rows] = AI
    np.subtract.at(world.nations["ai_backlog"], sites["nation"][rows], sites["capacity_mw"][rows])


def offer_new_sites(world: World, rows: np.ndarray) -> None:
    """Let bidders take large new sites, while they have a backlog; all halls of a site or none."""
    hand_over(world, rows[world.sites["offer_draw"][rows] < win_chance(world, rows)])


def bid_for_sites(world: World) -> None:
    """Monthly: bidders ask for sites that miners hold, and get them where they pay enough.

    Miners leave for `firms.relocation_gain` times what the seat was worth to them; a bidder pays
    as long as that is less than its own premium over the power price, for as long as miners look
    ahead. Sites without miners cost it nothing.
    """
    sites = world.sites
    rows = sites.rows[(sites["tenant"][sites.rows] == MINERS) & ~sites["underground"][sites.rows]]
    chance = win_chance(world, rows) * world.case.compute.offers_yr / MONTHS_PER_YEAR
    if not chance.any():
        return
    rows = rows[draws_of_sites(world, rows, 0) < chance]
    asked, leaving = asked_by_miners(world, rows)
    accepted = asked <= premium_usd(world, rows)
    won = rows[accepted]
    leaving = leaving[np.isin(world.fleets["site"][leaving], won)]
    owner = world.fleets["miner"][leaving]
    world.earn(owner, reservation_usd(world, leaving), "computation")
    hand_over(world, won)
    moving.close_sites(world, won, np.zeros(sites.size))
    for row in won[sites["capacity_mw"][won] >= WORTH_TELLING_MW]:
        name, megawatts = world.place_names[sites["place"][row]], sites["capacity_mw"][row]
        world.tell("lease", name, f"a site of {megawatts:.1f} MW goes to computation")


def draws_of_sites(world: World, rows: np.ndarray, draw: int) -> np.ndarray:
    """Uniform draws of the month, one a site: all halls of a site have the same."""
    key, day = world.streams.key("site bids"), world.day
    names = (world.sites["offer_draw"][rows] * 2.0**53).astype(np.int64)
    return np.asarray(uniforms_of(key, day, names, draw))


def premium_usd(world: World, rows: np.ndarray) -> np.ndarray:
    """Present value of what a bidder would pay over the power price at each site, USD."""
    sites, machines = world.sites, world.case.machines
    over = compute.bid_price(0.0, draws_of_sites(world, rows, 1))
    months = 1.0 / capital_recovery(machines.discount_rate_month, machines.used_horizon_months)
    hours = HOURS_PER_DAY * DAYS_PER_MONTH * months
    return np.asarray(over * sites["capacity_mw"][rows] * world.terms.duty[rows] * hours)


def asked_by_miners(world: World, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the miners at each site together ask for leaving it, USD, and their fleets there."""
    fleets = world.fleets
    wanted = np.zeros(world.sites.size, dtype=bool)
    wanted[rows] = True
    seated = fleets.rows[fleets["site"][fleets.rows] >= 0]
    there = seated[wanted[fleets["site"][seated]]]
    asked = np.bincount(
        fleets["site"][there], weights=reservation_usd(world, there), minlength=world.sites.size
    )
    return asked[rows], there


def reservation_usd(world: World, fleets: np.ndarray) -> np.ndarray:
    """Least that the owner of each seated fleet takes for its seat, USD."""
    columns, firms = world.fleets, world.case.firms
    here = worth(world, columns["site"][fleets], columns["efficiency"][fleets])
    elsewhere = world.used_price[columns["generation"][fleets]]
    lost = np.maximum(here - elsewhere, 0.0) * columns["hashrate"][fleets]
    freight = Fleet.power_mw(columns)[fleets] * firms.relocation_home_usd_mw
    return np.asarray(firms.relocation_gain * (lost + freight))


def grow_backlog(world: World) -> None:
    """Monthly: demand for computation grows by its yearly rate; what was met stays met."""
    terms = world.case.compute
    years = (world.today - max(terms.from_date, world.case.start_date)).days / DAYS_PER_YEAR
    demand = compute.backlog(years, start_mw=terms.backlog_mw, growth_yr=terms.backlog_growth_yr)
    grown = ((1.0 + terms.backlog_growth_yr) ** (1 / MONTHS_PER_YEAR) - 1.0) * float(demand)
    Nation.grow_backlog(world.nations, grown)
