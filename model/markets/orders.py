"""Orders of new machines: what a firm looks at, how it ranks it, and how far its money goes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from model.markets.seats import (
    MW_PER_JOULE_PER_TH,
    Outlook,
    Seats,
    SiteTerms,
    find_seat,
    seat_value,
)
from model.streams import uniform

REFERENCE_ORDER_MW = 0.0035  # one machine of 200 TH/s at 17.5 J/TH
NO_SITE = -1
BETTER = 1.15  # a machine is worth replacing by one that needs so many times less energy
LEAST_LEFT = 1e-9  # share of a budget; less is what rounding leaves of one that is spent


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


class Firms(NamedTuple):
    """Buyers (rows of firms) and, of all firms: nation row, USD to spend, MW, monthly rate."""

    buyers: np.ndarray
    home: np.ndarray
    budget: np.ndarray
    power_mw: np.ndarray
    rate: np.ndarray


class Holdings(NamedTuple):
    """Fleets grouped by firm (`order`, `first`), and site, TH/s and J/TH of all fleets."""

    first: np.ndarray
    order: np.ndarray
    site: np.ndarray
    hashrate: np.ndarray
    efficiency: np.ndarray


class Draws(NamedTuple):
    """Where random numbers come from: the key of the stream and the day."""

    key: np.uint64
    day: int


@njit(cache=True)
def discounted(price: float, cost: float, order_mw: float, exponent: float, most: float) -> float:
    """Price of a machine in an order of a given size, USD/TH, never below its cost."""
    if order_mw <= REFERENCE_ORDER_MW:
        return price
    factor = (order_mw / REFERENCE_ORDER_MW) ** -exponent
    return max(min(cost, price), price * max(1.0 - most, factor))


@njit(cache=True)
def look(
    draws: Draws,
    firm: int,
    number: int,
    firms: Firms,
    held: Holdings,
    seats: Seats,
    buying: BuyTerms,
) -> tuple[int, int]:
    """A site the firm looks at and the fleet of its own there that would make room, or -1."""
    draw = uniform(draws.key, draws.day, firm, 4 * number)
    owned = held.first[firm + 1] - held.first[firm]
    if owned > 0 and number % 2 == 1:
        old = held.order[held.first[firm] + min(int(draw * owned), owned - 1)]
        return held.site[old], old
    native = uniform(draws.key, draws.day, firm, 4 * number + 1) < buying.home_bias
    return find_seat(seats, firms.home[firm] if native else -1, draw), -1


@njit(cache=True)
def room_mw(site: int, old: int, held: Holdings, vacant_mw: np.ndarray, terms: SiteTerms) -> float:
    """Site load that fits: what is vacant, or what the old fleet leaves."""
    if old < 0:
        return vacant_mw[site]
    return held.hashrate[old] * held.efficiency[old] * MW_PER_JOULE_PER_TH * terms.pue[site]


@njit(cache=True)
def capital_usd_ths(
    item: int,
    site: int,
    old: int,
    firm: int,
    order_mw: float,
    goods: Catalogue,
    firms: Firms,
    terms: SiteTerms,
    buying: BuyTerms,
) -> float:
    """Machine, duty, infrastructure and freight of 1 TH/s of a generation at a site."""
    watt = goods.efficiency[item] * MW_PER_JOULE_PER_TH
    paid = discounted(
        goods.price[item], goods.cost[item], order_mw, buying.size_exponent, buying.discount_most
    )
    capital = paid * (1.0 + terms.import_duty[site])
    if old < 0:
        capital += terms.infra[site] * watt * terms.pue[site]
    if terms.nation[site] != firms.home[firm]:
        capital += buying.relocation_usd_mw * watt
    return capital


@njit(cache=True)
def best_machine(
    firm: int,
    site: int,
    old: int,
    seat_mw: float,
    noise: float,
    goods: Catalogue,
    firms: Firms,
    held: Holdings,
    terms: SiteTerms,
    outlook: Outlook,
    buying: BuyTerms,
) -> tuple[float, int, float]:
    """Score (net present value over capital, with noise), item and capital of the best machine."""
    score, best, price = -1.0, 0, 0.0
    for item in range(goods.generation.size):
        efficiency = goods.efficiency[item]
        if old >= 0 and held.efficiency[old] < BETTER * efficiency:
            continue
        watt = efficiency * MW_PER_JOULE_PER_TH
        order_mw = min(firms.budget[firm] / max(goods.price[item], 1e-9) * watt, seat_mw)
        capital = capital_usd_ths(item, site, old, firm, order_mw, goods, firms, terms, buying)
        value = seat_value(terms, site, efficiency, outlook, firms.rate[firm])
        if old >= 0:
            kept = seat_value(terms, site, held.efficiency[old], outlook, firms.rate[firm])
            value -= kept * efficiency / held.efficiency[old]
        worth = (value - capital) / capital + buying.temperature * noise
        if worth > score:
            score, best, price = worth, item, capital
    return score, best, price


@njit(cache=True)
def gumbel(chance: float) -> float:
    """Noise that makes the highest score a softmax choice."""
    return -np.log(-np.log(min(max(chance, 1e-12), 1.0 - 1e-12)))


@njit(cache=True, parallel=True)
def propose_orders(
    draws: Draws,
    firms: Firms,
    held: Holdings,
    seats: Seats,
    vacant_mw: np.ndarray,
    terms: SiteTerms,
    goods: Catalogue,
    outlook: Outlook,
    buying: BuyTerms,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What each buyer would order, and for which seats.

    A buyer looks at vacant seats, mostly at home, and at seats of its own that hold old machines;
    it ranks seat and machine by present value over capital, with noise, and spends its budget from
    the best down.

    Returns
    -------
    site, item, hashrate, replaced : arrays [buyer, offer]: site row (-1 none), row in the
        catalogue, TH/s, and the fleet row that makes room (-1 if the seat is vacant)
    """
    shape = (firms.buyers.size, buying.most_offers)
    site = np.full(shape, NO_SITE, dtype=np.int64)
    item = np.zeros(shape, dtype=np.int64)
    hashrate = np.zeros(shape)
    replaced = np.full(shape, NO_SITE, dtype=np.int64)
    for i in prange(firms.buyers.size):
        firm = firms.buyers[i]
        size = firms.power_mw[firm]
        looks = min(buying.most_offers, int(buying.offers * (1.0 + size / 50.0)))
        score = np.full(buying.most_offers, -1.0)
        room = np.zeros(buying.most_offers)
        price = np.zeros(buying.most_offers)
        for number in range(looks):
            found, old = look(draws, firm, number, firms, held, seats, buying)
            if found < 0:
                continue
            seat_mw = room_mw(found, old, held, vacant_mw, terms)
            # A small firm may order little, a seat may not be split into splinters.
            if seat_mw <= 0.0 or seat_mw < min(buying.least_lot_mw, 0.1 * size):
                continue
            noise = gumbel(uniform(draws.key, draws.day, firm, 4 * number + 2))
            score[number], best, price[number] = best_machine(
                firm, found, old, seat_mw, noise, goods, firms, held, terms, outlook, buying
            )
            site[i, number], item[i, number], replaced[i, number] = found, best, old
            watt = goods.efficiency[best] * MW_PER_JOULE_PER_TH
            room[number] = seat_mw / (watt * terms.pue[found])
        left = firms.budget[firm]
        for number in np.argsort(-score):
            if score[number] <= 0.0 or left <= 0.0:
                site[i, number] = NO_SITE
                continue
            hashrate[i, number] = min(room[number], left / price[number])
            left -= hashrate[i, number] * price[number]
            left = left if left > LEAST_LEFT * firms.budget[firm] else 0.0
    return site, item, hashrate, replaced
