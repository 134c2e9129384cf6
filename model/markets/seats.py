"""Seats for machines: who looks where, what a seat is worth, and who gets it.

Decisions are simultaneous: fleets and firms *propose* in parallel, seats are *admitted* in a fair
random order, and the owner of the tables *settles*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from model.streams import uniform

MWH_PER_JOULE_PER_TH_DAY = 24e-6
DAYS_PER_MONTH = 30.4375
MW_PER_JOULE_PER_TH = 1e-6


class Seats(NamedTuple):
    """Sites as a searcher sees them, rows sorted by nation.

    Attributes
    ----------
    row : site rows, grouped by nation
    cumulative : MW vacant up to each position, one entry longer than `row`
    first : offsets of the nations into `row`, one entry longer than the nations
    """

    row: np.ndarray
    cumulative: np.ndarray
    first: np.ndarray


class SiteTerms(NamedTuple):
    """What each site costs and pays, one entry a row.

    Attributes
    ----------
    power_price, upkeep : USD/MWh delivered and of operation
    pue, duty, revenue_tax, import_duty : shares
    nation : nation row
    infra : USD/MW of a new seat
    hazard : chance a month that law takes the site or stops it
    """

    power_price: np.ndarray
    upkeep: np.ndarray
    pue: np.ndarray
    duty: np.ndarray
    revenue_tax: np.ndarray
    nation: np.ndarray
    import_duty: np.ndarray
    infra: np.ndarray
    hazard: np.ndarray


class Outlook(NamedTuple):
    """What a firm expects: USD/TH/day now, its monthly decline, months looked ahead, idle cost."""

    hashprice: float
    decline: float
    months: int
    idle_cost: float


class MoveTerms(NamedTuple):
    """What moving machines costs: USD/MW, days lost, and the gain over cost that triggers it."""

    home_usd_mw: float
    abroad_usd_mw: float
    home_days_low: float
    home_days_high: float
    abroad_days_low: float
    abroad_days_high: float
    trigger: float
    home_bias: float
    looks: int


def vacant_seats(nation: np.ndarray, vacant_mw: np.ndarray, nations: int) -> Seats:
    """Index vacant MW by nation for searchers."""
    row = np.argsort(nation, kind="stable")
    cumulative = np.concatenate(([0.0], np.cumsum(np.maximum(vacant_mw[row], 0.0))))
    first = np.zeros(nations + 1, dtype=np.int64)
    np.cumsum(np.bincount(nation, minlength=nations), out=first[1:])
    return Seats(row, cumulative, first)


@njit(cache=True)
def find_seat(seats: Seats, nation: int, draw: float) -> int:
    """A vacant site of a nation (-1: of the world), likelier where more is vacant; -1 if none."""
    low = seats.first[nation] if nation >= 0 else 0
    high = seats.first[nation + 1] if nation >= 0 else seats.row.size
    base = seats.cumulative[low]
    span = seats.cumulative[high] - base
    if span <= 1e-9:
        return -1
    position = np.searchsorted(seats.cumulative, base + draw * span, side="right") - 1
    return seats.row[min(max(position, low), high - 1)]


@njit(cache=True)
def seat_value(
    terms: SiteTerms, site: int, efficiency: float, outlook: Outlook, rate: float
) -> float:
    """Present value of running 1 TH/s at a site, switched off whenever it doesn't pay, USD/TH."""
    cost = (
        (terms.power_price[site] + terms.upkeep[site] + outlook.idle_cost)
        * terms.pue[site]
        * efficiency
        * MWH_PER_JOULE_PER_TH_DAY
    )
    hashprice = outlook.hashprice * (1.0 - terms.revenue_tax[site])
    discount = 1.0
    value = 0.0
    for _ in range(outlook.months):
        hashprice *= 1.0 - outlook.decline
        discount /= 1.0 + rate + terms.hazard[site]
        margin = hashprice - cost
        if margin <= 0.0 and outlook.decline >= 0.0:
            break
        value += max(margin, 0.0) * discount
    return value * DAYS_PER_MONTH * terms.duty[site]


@njit(cache=True, parallel=True)
def propose_moves(
    key: np.uint64,
    day: int,
    seeking: np.ndarray,
    site: np.ndarray,
    home: np.ndarray,
    efficiency: np.ndarray,
    machine_price: np.ndarray,
    seats: Seats,
    terms: SiteTerms,
    outlook: Outlook,
    moving: MoveTerms,
) -> tuple[np.ndarray, np.ndarray]:
    """Where each seeking fleet would rather run, if the gain pays for the move.

    Parameters
    ----------
    key, day : stream key and day of the draws
    seeking : rows of the fleets that look around
    site, home : each fleet's site (-1 in the warehouse) and its nation now, all fleets
    efficiency, machine_price : J/TH and USD/TH of each fleet, all fleets
    seats, terms, outlook, moving : what is vacant, what it costs, what is expected

    Returns
    -------
    target : site row wanted, -1 to stay, per seeking fleet
    downtime : days the move takes, per seeking fleet
    """
    target = np.full(seeking.size, -1, dtype=np.int64)
    downtime = np.zeros(seeking.size)
    for i in prange(seeking.size):
        row = seeking[i]
        here = site[row]
        watt = efficiency[row] * MW_PER_JOULE_PER_TH
        stay = seat_value(terms, here, efficiency[row], outlook, 0.01) if here >= 0 else 0.0
        best = 0.0
        for look in range(moving.looks):
            native = uniform(key, day, row, 3 * look) < moving.home_bias
            found = find_seat(
                seats, home[row] if native else -1, uniform(key, day, row, 3 * look + 1)
            )
            if found < 0 or found == here:
                continue
            abroad = terms.nation[found] != home[row]
            spread = uniform(key, day, row, 3 * look + 2)
            if abroad:
                days = moving.abroad_days_low + spread * (
                    moving.abroad_days_high - moving.abroad_days_low
                )
                cost = moving.abroad_usd_mw * watt + terms.import_duty[found] * machine_price[row]
            else:
                days = moving.home_days_low + spread * (
                    moving.home_days_high - moving.home_days_low
                )
                cost = moving.home_usd_mw * watt
            lost = days / DAYS_PER_MONTH / outlook.months
            value = seat_value(terms, found, efficiency[row], outlook, 0.01) * (
                1.0 - min(lost, 1.0)
            )
            gain = value - stay - moving.trigger * cost
            if gain > best:
                best = gain
                target[i] = found
                downtime[i] = days
    return target, downtime


@njit(cache=True)
def admit(
    target: np.ndarray, need_mw: np.ndarray, vacant_mw: np.ndarray, priority: np.ndarray
) -> np.ndarray:
    """Share of each proposal that finds a seat, first come first served in order of `priority`.

    `vacant_mw` is drawn down in place. A proposal without a target gets nothing.
    """
    granted = np.zeros(target.size)
    for i in np.argsort(priority):
        wanted = target[i]
        if wanted < 0 or need_mw[i] <= 0.0:
            continue
        share = min(1.0, max(vacant_mw[wanted], 0.0) / need_mw[i])
        granted[i] = share
        vacant_mw[wanted] -= share * need_mw[i]
    return granted


class Catalogue(NamedTuple):
    """Machines on sale: generation rows, J/TH, list price and manufacturing cost in USD/TH."""

    generation: np.ndarray
    efficiency: np.ndarray
    price: np.ndarray
    cost: np.ndarray


class BuyTerms(NamedTuple):
    """How firms buy: offers, temperature, home bias, order-size discount, least lot in MW."""

    offers: int
    most_offers: int
    temperature: float
    home_bias: float
    size_exponent: float
    discount_most: float
    relocation_usd_mw: float
    least_lot_mw: float


REFERENCE_ORDER_MW = 0.0035  # one machine of 200 TH/s at 17.5 J/TH


@njit(cache=True, inline="always")
def discounted(price: float, cost: float, order_mw: float, exponent: float, most: float) -> float:
    """Price of a machine in an order of a given size, USD/TH, never below its cost."""
    if order_mw <= REFERENCE_ORDER_MW:
        return price
    factor = (order_mw / REFERENCE_ORDER_MW) ** -exponent
    return max(min(cost, price), price * max(1.0 - most, factor))


@njit(cache=True, parallel=True)
def propose_orders(
    key: np.uint64,
    day: int,
    buyers: np.ndarray,
    home: np.ndarray,
    budget: np.ndarray,
    firm_mw: np.ndarray,
    rate: np.ndarray,
    fleet_first: np.ndarray,
    fleet_order: np.ndarray,
    fleet_site: np.ndarray,
    fleet_hashrate: np.ndarray,
    fleet_efficiency: np.ndarray,
    seats: Seats,
    vacant_mw: np.ndarray,
    terms: SiteTerms,
    catalogue: Catalogue,
    outlook: Outlook,
    buying: BuyTerms,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What each buyer would order, and for which seats.

    A buyer looks at vacant seats, mostly at home, and at seats of its own that hold old machines;
    it ranks seat and machine by present value over capital, with noise, and spends its budget from
    the best down.

    Parameters
    ----------
    buyers : rows of the firms that can spend
    home, budget, firm_mw, rate : nation row, USD, MW run, discount rate a month; all firms
    fleet_first, fleet_order : fleets grouped by firm
    fleet_site, fleet_hashrate, fleet_efficiency : of all fleets
    seats, vacant_mw, terms : vacant seats and their cost
    catalogue, outlook, buying : machines on sale, expectations, rules

    Returns
    -------
    site, generation, hashrate, spend, replaced : arrays [buyer, offer]: site row (-1 none), row in
        the catalogue, TH/s, USD, and the fleet row that makes room (-1 if the seat is vacant)
    """
    shape = (buyers.size, buying.most_offers)
    site = np.full(shape, -1, dtype=np.int64)
    generation = np.zeros(shape, dtype=np.int64)
    hashrate = np.zeros(shape)
    spend = np.zeros(shape)
    replaced = np.full(shape, -1, dtype=np.int64)
    for i in prange(buyers.size):
        firm = buyers[i]
        looks = min(buying.most_offers, int(buying.offers * (1.0 + firm_mw[firm] / 50.0)))
        score = np.full(buying.most_offers, -1.0)
        room = np.zeros(buying.most_offers)
        price = np.zeros(buying.most_offers)
        owned = fleet_first[firm + 1] - fleet_first[firm]
        for look in range(looks):
            draw = uniform(key, day, firm, 4 * look)
            old = -1
            if owned > 0 and look % 2 == 1:
                old = fleet_order[fleet_first[firm] + min(int(draw * owned), owned - 1)]
                found = fleet_site[old]
            else:
                native = uniform(key, day, firm, 4 * look + 1) < buying.home_bias
                found = find_seat(seats, home[firm] if native else -1, draw)
            if found < 0:
                continue
            seat_mw = vacant_mw[found]
            if old >= 0:
                seat_mw = (
                    fleet_hashrate[old]
                    * fleet_efficiency[old]
                    * MW_PER_JOULE_PER_TH
                    * terms.pue[found]
                )
            # A small firm may order little, a seat may not be split into splinters.
            if seat_mw <= 0.0 or seat_mw < min(buying.least_lot_mw, 0.1 * firm_mw[firm]):
                continue
            chance = uniform(key, day, firm, 4 * look + 2)
            noise = -np.log(-np.log(min(max(chance, 1e-12), 1.0 - 1e-12)))
            for item in range(catalogue.generation.size):
                efficiency = catalogue.efficiency[item]
                if old >= 0 and fleet_efficiency[old] < 1.15 * efficiency:
                    continue
                watt = efficiency * MW_PER_JOULE_PER_TH
                listed = catalogue.price[item]
                order_mw = min(budget[firm] / max(listed, 1e-9) * watt, seat_mw)
                paid = discounted(
                    listed,
                    catalogue.cost[item],
                    order_mw,
                    buying.size_exponent,
                    buying.discount_most,
                )
                capital = paid * (1.0 + terms.import_duty[found])
                value = seat_value(terms, found, efficiency, outlook, rate[firm])
                if old >= 0:
                    kept = seat_value(terms, found, fleet_efficiency[old], outlook, rate[firm])
                    value -= kept * efficiency / fleet_efficiency[old]
                else:
                    capital += terms.infra[found] * watt * terms.pue[found]
                if terms.nation[found] != home[firm]:
                    capital += buying.relocation_usd_mw * watt
                worth = (value - capital) / capital + buying.temperature * noise
                if worth > score[look]:
                    score[look] = worth
                    site[i, look] = found
                    generation[i, look] = item
                    replaced[i, look] = old
                    room[look] = seat_mw / (watt * terms.pue[found])
                    price[look] = capital
        left = budget[firm]
        for look in np.argsort(-score):
            if score[look] <= 0.0 or site[i, look] < 0 or left <= 0.0:
                site[i, look] = -1
                continue
            hashrate[i, look] = min(room[look], left / price[look])
            spend[i, look] = hashrate[i, look] * price[look]
            left -= spend[i, look]
    return site, generation, hashrate, spend, replaced
