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
