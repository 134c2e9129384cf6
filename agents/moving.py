"""How machines change places: seasons, bans, better seats, warehouses and the scrap heap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.buying import split_off
from agents.fleet import NEVER, NOWHERE, Fleet
from agents.site import Site
from model.markets import electricity, hardware, seats
from model.streams import uniforms
from model.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from model.parameters import Firms
    from model.world import World

LOOKS = 8  # vacant seats an owner looks at in a search
LOOK_AHEAD_DAYS = 25  # the season is known some weeks ahead


def move_terms(firms: Firms) -> seats.MoveTerms:
    """What moves cost and when they pay, from the scenario."""
    return seats.MoveTerms(
        firms.relocation_home_usd_mw,
        firms.relocation_abroad_usd_mw,
        firms.domestic_days_low,
        firms.domestic_days_high,
        firms.abroad_days_low,
        firms.abroad_days_high,
        firms.relocation_gain,
        firms.home_bias,
        LOOKS,
    )


def margins(world: World, site: np.ndarray) -> np.ndarray:
    """What 1 TH/s of each fleet would earn a day at a site, looking some weeks ahead, USD/TH."""
    sites, efficiency = world.sites, world.fleets["efficiency"]
    ahead = electricity.season_weight(
        (world.calendar.day_of_year(world.day) + LOOK_AHEAD_DAYS - 1) % 365 + 1
    )
    shift = (ahead - world.wet) * (sites["generation_wet"] - sites["generation_dry"])
    duty = sites["duty_dry"] + ahead * (sites["duty_wet"] - sites["duty_dry"])
    price = (sites["power_price"] + shift)[site] + world.case.energy.idle_cost_usd_mwh
    hashprice = world.outlook.hashprice * (1.0 - world.terms.revenue_tax[site])
    cost = price * sites["pue"][site] * efficiency * 24e-6
    share = duty[site] * world.places["available"][sites["place"][site]]
    return np.asarray(np.maximum(hashprice - cost, 0.0) * share)


def change_season(world: World) -> None:
    """Fleets with two seats follow the water."""
    fleets, firms = world.fleets, world.case.firms
    if not (fleets["second_site"] >= 0).any() or not firms.relocation:
        return
    key = world.streams.key("season")
    span = firms.domestic_days_high - firms.domestic_days_low
    days = firms.domestic_days_low + span * uniforms(key, 2 * world.day, fleets.size)
    movers = Fleet.change_season(
        fleets,
        world.day,
        margins(world, fleets["site"]),
        margins(world, fleets["second_site"]),
        firms.relocation_home_usd_mw,
        firms.relocation_gain,
        days,
        uniforms(key, 2 * world.day + 1, fleets.size),
    )
    freight(world, movers, np.full(movers.size, firms.relocation_home_usd_mw))
    world.seats_changed |= movers.size > 0


def freight(world: World, rows: np.ndarray, usd_mw: np.ndarray) -> None:
    """Charge the owners of moving machines for the freight."""
    megawatts = world.fleets["hashrate"][rows] * world.fleets["efficiency"][rows] * 1e-6
    world.pay(world.fleets["miner"][rows], megawatts * usd_mw, "freight")


def close_sites(world: World, closed: np.ndarray, lasting: np.ndarray) -> None:
    """Empty sites that the law has just shut: machines there, on their way there or due there.

    Machines that hold a lawful seat for the other season go there, all others to the warehouse.
    Where the ban is to last (`lasting`, per site) a share of them is never used again.
    """
    fleets = world.fleets
    shut = np.zeros(world.sites.size, dtype=bool)
    shut[closed] = True
    here = fleets.rows[shut[fleets["site"][fleets.rows]] & (fleets["site"][fleets.rows] >= 0)]
    later = fleets.rows[
        shut[fleets["second_site"][fleets.rows]] & (fleets["second_site"][fleets.rows] >= 0)
    ]
    fleets["second_site"][later] = NOWHERE
    arrived = here[(fleets["ready_on"][here] <= world.day) & (lasting[fleets["site"][here]] > 0)]
    heirs = here[fleets["second_site"][here] >= 0] if world.case.firms.relocation else here[:0]
    seat = fleets["second_site"][heirs].copy()
    fleets.do("clear_seats", here)
    retreat(world, heirs, seat)
    scrap(world, arrived, np.full(arrived.size, 1.0 - world.case.bans.surviving))
    world.seats_changed = True


def retreat(world: World, rows: np.ndarray, seat: np.ndarray) -> None:
    """Send machines of shut sites to the seats they hold for the other season."""
    fleets, firms = world.fleets, world.case.firms
    chance = uniforms(world.streams.key("retreat"), world.day, fleets.size)[rows]
    days = firms.domestic_days_low
    days = days + chance * (firms.domestic_days_high - firms.domestic_days_low)
    leaves = np.maximum(fleets["ready_on"][rows], world.day)
    fleets["site"][rows] = seat
    fleets["ready_on"][rows] = leaves + np.ceil(days).astype(np.int32)
    freight(world, rows, np.full(rows.size, firms.relocation_home_usd_mw))


def scrap(world: World, rows: np.ndarray, share: np.ndarray, paid: bool = True) -> None:
    """Scrap a share of fleets; the scrap value goes to their owners, if to anybody."""
    fleets = world.fleets
    lost = fleets["hashrate"][rows] * share
    fleets["hashrate"][rows] -= lost
    world.book.scrapped += np.bincount(
        fleets["generation"][rows], weights=lost, minlength=len(world.generations)
    )
    world.earn(fleets["miner"][rows], paid * lost * world.case.machines.scrap_usd_th, "scrap")
    gone = rows[fleets["hashrate"][rows] <= 1e-3]
    if gone.size:
        world.book.scrapped += np.bincount(
            fleets["generation"][gone],
            weights=fleets["hashrate"][gone],
            minlength=len(world.generations),
        )
        fleets.remove(gone)
    # Fewer machines need no new seating: nothing runs where nothing is left.


def age_machines(world: World) -> None:
    """A month of wear: the oldest are worn out, idle stock is scrapped little by little."""
    fleets, machines = world.fleets, world.case.machines
    worn = fleets.rows[
        hardware.worn_out(world.day - fleets["born"][fleets.rows], machines.life_years)
    ]
    scrap(world, worn, np.ones(worn.size))
    idle = fleets.rows[
        (fleets["site"][fleets.rows] < 0) & (fleets["ready_on"][fleets.rows] <= world.day)
    ]
    share = hardware.idle_scrap_share(machines.idle_scrap_month, DAYS_PER_MONTH)
    scrap(world, idle, np.full(idle.size, share))


def leave_seats(world: World) -> None:
    """Fleets whose successors have come, and fleets idle for too long, give up their seats."""
    fleets = world.fleets
    due = fleets.rows[
        (fleets["leaves_on"][fleets.rows] <= world.day)
        | (fleets["idle_days"][fleets.rows] > world.case.firms.idle_days_to_vacate)
    ]
    # A fleet with a seat for the other season waits for it.
    due = due[(fleets["second_site"][due] < 0) | (fleets["leaves_on"][due] <= world.day)]
    # The seating is brought up to date before the next decision; until then they don't run.
    fleets.do("clear_seats", due)


def seek_seats(world: World, seeking: np.ndarray) -> None:
    """Let fleets look for a better seat: propose, admit in a fair order, settle."""
    if seeking.size == 0 or not world.case.firms.relocation:
        return
    fleets, sites = world.fleets, world.sites
    vacant = Site.vacant_mw(sites, world.day)
    target, downtime = seats.propose_moves(
        world.streams.key("moves"),
        world.day,
        seeking,
        fleets["site"],
        fleets["nation"].astype(np.int64),
        fleets["efficiency"],
        world.used_price[fleets["generation"]],
        seats.vacant_seats(sites["nation"].astype(np.int64), vacant, world.nations.size),
        world.terms,
        world.outlook,
        move_terms(world.case.firms),
    )
    goes = np.flatnonzero(target >= 0)
    seeking, target, downtime = seeking[goes], target[goes], downtime[goes]
    need = (
        fleets["hashrate"][seeking] * fleets["efficiency"][seeking] * 1e-6 * world.terms.pue[target]
    )
    chance = world.streams.generator("move admission").random(goes.size)
    share = seats.admit(target, need, vacant, chance)
    settle_moves(world, seeking, target, downtime, share)


def settle_moves(
    world: World, rows: np.ndarray, target: np.ndarray, downtime: np.ndarray, share: np.ndarray
) -> None:
    """Ship the machines that found a seat; what found none stays where it is."""
    fleets, firms = world.fleets, world.case.firms
    # Part of a fleet moves only if the part is worth a truck.
    megawatts = share * Fleet.power_mw(fleets)[rows]
    admitted = (share > 0.999) | (megawatts > world.least_lot_mw)
    rows, target, downtime = rows[admitted], target[admitted], downtime[admitted]
    share = share[admitted]
    partly = share < 0.999
    split_off(world, rows[partly], 1.0 - share[partly])
    nation = world.sites["nation"][target]
    abroad = nation != fleets["nation"][rows]
    freight(
        world, rows, np.where(abroad, firms.relocation_abroad_usd_mw, firms.relocation_home_usd_mw)
    )
    value = fleets["hashrate"][rows] * world.used_price[fleets["generation"][rows]]
    duty = np.where(abroad, world.terms.import_duty[target], 0.0) * value
    world.pay(fleets["miner"][rows], duty, "tax")
    fleets["site"][rows] = target
    fleets["second_site"][rows] = NOWHERE
    fleets["leaves_on"][rows] = NEVER
    fleets["nation"][rows] = nation
    fleets["idle_days"][rows] = 0
    fleets["load"][rows] = 0.0
    fleets["ready_on"][rows] = world.day + np.ceil(downtime).astype(np.int32)
    world.seats_changed |= rows.size > 0


def warehoused(world: World) -> np.ndarray:
    """Fleets that have no seat and are at hand."""
    fleets = world.fleets
    rows = fleets.rows
    stored = (fleets["site"][rows] < 0) & (fleets["ready_on"][rows] <= world.day)
    return np.asarray(rows[stored])


def redeploy(world: World) -> None:
    """Stored machines look for a seat, every week."""
    seek_seats(world, warehoused(world))


def relocate(world: World) -> None:
    """Machines in place look for a better seat, every month; those of the other season wait."""
    fleets = world.fleets
    rows = fleets.rows
    settled = (fleets["site"][rows] >= 0) & (fleets["ready_on"][rows] <= world.day)
    settled &= (fleets["second_site"][rows] < 0) & (fleets["leaves_on"][rows] == NEVER)
    chance = uniforms(world.streams.key("attention"), world.day, fleets.size)[rows]
    settled &= chance < world.case.firms.attention_month
    seek_seats(world, rows[settled])


def reserve_seats(world: World) -> None:
    """Fleets on seasonal hydro look for a second seat in their nation, for the dry season."""
    fleets, sites = world.fleets, world.sites
    steady = sites["duty_wet"] - sites["duty_dry"] < 0.2
    rows = fleets.rows
    wanting = rows[(fleets["site"][rows] >= 0) & (fleets["second_site"][rows] < 0)]
    wanting = wanting[~steady[fleets["site"][wanting]] & (fleets["leaves_on"][wanting] == NEVER)]
    if wanting.size == 0 or not world.case.firms.relocation:
        return
    vacant = np.where(steady, Site.vacant_mw(sites, world.day), 0.0)
    nation = sites["nation"].astype(np.int64)
    market = seats.vacant_seats(nation, vacant, world.nations.size)
    chance = uniforms(world.streams.key("second seats"), world.day, fleets.size)
    target = seats.find_seats(market, fleets["nation"][wanting].astype(np.int64), chance[wanting])
    need = fleets["hashrate"][wanting] * fleets["efficiency"][wanting] * 1e-6
    share = seats.admit(target, need * world.case.energy.pue, vacant, chance[wanting])
    found = share > 0.5
    # A fleet that finds room for part of itself keeps the rest where it is.
    part = found & (share < 0.999)
    split_off(world, wanting[part], 1.0 - share[part])
    fleets["second_site"][wanting[found]] = target[found]
    world.seats_changed = True
