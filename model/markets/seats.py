"""Seats for machines: who looks where, what a seat is worth, and who gets it.

Decisions are simultaneous: fleets and firms *propose* in parallel, seats are *admitted* in a fair
random order, and the owner of the tables *settles*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from model.streams import uniform
from model.units import DAYS_PER_MONTH

MWH_PER_JOULE_PER_TH_DAY = 24e-6
MW_PER_JOULE_PER_TH = 1e-6
LEAST_SEAT_MW = 1e-6  # less is what rounding leaves of a full site


class Seats(NamedTuple):
    """Sites with vacant power as a searcher sees them, rows sorted by nation.

    Attributes
    ----------
    row : site rows, grouped by nation
    cumulative : MW vacant up to each position, one entry longer than `row`
    first : offsets of the nations into `row`, one entry longer than the nations
    guide : where to begin the search for a draw; as many entries a nation as it has rows, then
        as many for the world
    """

    row: np.ndarray
    cumulative: np.ndarray
    first: np.ndarray
    guide: np.ndarray


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
    row = np.flatnonzero(vacant_mw > LEAST_SEAT_MW)
    row = row[np.argsort(nation[row], kind="stable")]
    cumulative = np.concatenate(([0.0], np.cumsum(vacant_mw[row])))
    first = np.zeros(nations + 1, dtype=np.int64)
    np.cumsum(np.bincount(nation[row], minlength=nations), out=first[1:])
    return Seats(row, cumulative, first, _guide(cumulative, first))


@njit(cache=True)
def _guide(cumulative: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Position at which each of equally long steps of a nation's, then the world's, MW begins.

    The indexed search of Chen and Asau (1974): a draw is found in constant expected time.
    """
    rows, nations = cumulative.size - 1, first.size - 1
    guide = np.zeros(2 * rows, dtype=np.int64)
    for nation in range(nations + 1):
        low, high = (first[nation], first[nation + 1]) if nation < nations else (0, rows)
        start = low if nation < nations else rows
        span, position = cumulative[high] - cumulative[low], low
        for step in range(high - low):
            reached = cumulative[low] + span * step / (high - low)
            while position + 1 < high and cumulative[position + 1] <= reached:
                position += 1
            guide[start + step] = position
    return guide


@njit(cache=True)
def find_seat(seats: Seats, nation: int, draw: float) -> int:
    """A vacant site of a nation (-1: of the world), likelier where more is vacant; -1 if none."""
    low = seats.first[nation] if nation >= 0 else 0
    high = seats.first[nation + 1] if nation >= 0 else seats.row.size
    base = seats.cumulative[low]
    span = seats.cumulative[high] - base
    if span <= 1e-9:
        return -1
    wanted = base + draw * span
    start = low if nation >= 0 else seats.row.size
    position = seats.guide[start + int(draw * (high - low))]
    while position > low and seats.cumulative[position] > wanted:
        position -= 1
    while position + 1 < high and seats.cumulative[position + 1] <= wanted:
        position += 1
    return seats.row[position]


@njit(cache=True)
def find_seats(seats: Seats, nation: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """`find_seat` for each searcher: nation (-1: the world) and draw; -1 where none is vacant."""
    found = np.empty(nation.size, dtype=np.int64)
    for searcher in range(nation.size):
        found[searcher] = find_seat(seats, nation[searcher], draw[searcher])
    return found


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


class Worth(NamedTuple):
    """What a seat is worth, prepared so that one look costs the same however far firms look ahead.

    Attributes
    ----------
    sheet : a row a site: USD/MWh at the machines, USD/TH/day after tax, log of the J/TH at which
        nothing is left in the first month, share of the time there is power, nation, import duty
    revenue, burden : present value of 1 USD/TH/day now, and of a cost of 1 USD/TH/day, over the
        first months, by nation and number of months
    per_log : months until the hashprice has fallen by a factor e
    months : months looked ahead
    """

    sheet: np.ndarray
    revenue: np.ndarray
    burden: np.ndarray
    per_log: float
    months: int


COST, PRICE, LOG_BREAKEVEN, DUTY, NATION, IMPORT_DUTY = range(6)
RATE_OF_MOVES = 0.01


def worth_of_seats(terms: SiteTerms, outlook: Outlook, nations: int, rate: float) -> Worth:
    """Prepare `seat_value` for many looks at one discount rate."""
    keep, months = 1.0 - outlook.decline, np.arange(1, outlook.months + 1)
    hazard = np.zeros(nations)
    hazard[terms.nation] = terms.hazard
    factor = (1.0 / (1.0 + rate + hazard))[:, None] ** months * DAYS_PER_MONTH
    none = np.zeros((nations, 1))
    sheet = np.empty((terms.nation.size, 8))  # one line of the cache a site
    sheet[:, COST] = (terms.power_price + terms.upkeep + outlook.idle_cost) * terms.pue
    sheet[:, PRICE] = outlook.hashprice * (1.0 - terms.revenue_tax)
    with np.errstate(divide="ignore"):
        breakeven = sheet[:, PRICE] / (sheet[:, COST] * MWH_PER_JOULE_PER_TH_DAY)
        sheet[:, LOG_BREAKEVEN] = np.log(breakeven)
    sheet[:, DUTY], sheet[:, NATION] = terms.duty, terms.nation
    sheet[:, IMPORT_DUTY] = terms.import_duty
    return Worth(
        sheet,
        np.concatenate((none, np.cumsum(factor * keep**months, axis=1)), axis=1),
        np.concatenate((none, np.cumsum(factor, axis=1)), axis=1),
        -1.0 / np.log(keep) if keep < 1.0 else np.inf,
        outlook.months,
    )


@njit(cache=True, inline="always")
def _look_up(worth: Worth, site: int, efficiency: float, log_efficiency: float) -> float:
    """`seat_value` by table, USD/TH."""
    sheet = worth.sheet[site]
    paying = (sheet[LOG_BREAKEVEN] - log_efficiency) * worth.per_log
    if not paying > 0.0:
        return 0.0
    months = int(min(paying, worth.months))
    nation = int(sheet[NATION])
    cost = sheet[COST] * efficiency * MWH_PER_JOULE_PER_TH_DAY
    revenue = sheet[PRICE] * worth.revenue[nation, months]
    return (revenue - cost * worth.burden[nation, months]) * sheet[DUTY]


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
    worth = worth_of_seats(terms, outlook, seats.first.size - 1, RATE_OF_MOVES)
    return _propose_moves(
        key, day, seeking, site, home, efficiency, machine_price, seats, worth, moving
    )


@njit(cache=True, parallel=True)
def _propose_moves(
    key: np.uint64,
    day: int,
    seeking: np.ndarray,
    site: np.ndarray,
    home: np.ndarray,
    efficiency: np.ndarray,
    machine_price: np.ndarray,
    seats: Seats,
    worth: Worth,
    moving: MoveTerms,
) -> tuple[np.ndarray, np.ndarray]:
    target = np.full(seeking.size, -1, dtype=np.int64)
    downtime = np.zeros(seeking.size)
    for i in prange(seeking.size):
        row = seeking[i]
        here, nation = site[row], home[row]
        joules, log_joules = efficiency[row], np.log(efficiency[row])
        watt = joules * MW_PER_JOULE_PER_TH
        stay = _look_up(worth, here, joules, log_joules) if here >= 0 else 0.0
        best = 0.0
        for look in range(moving.looks):
            native = uniform(key, day, row, 3 * look) < moving.home_bias
            found = find_seat(seats, nation if native else -1, uniform(key, day, row, 3 * look + 1))
            if found < 0 or found == here:
                continue
            spread = uniform(key, day, row, 3 * look + 2)
            if worth.sheet[found, NATION] != nation:
                days = moving.abroad_days_low + spread * (
                    moving.abroad_days_high - moving.abroad_days_low
                )
                duty = worth.sheet[found, IMPORT_DUTY] * machine_price[row]
                cost = moving.abroad_usd_mw * watt + duty
            else:
                days = moving.home_days_low + spread * (
                    moving.home_days_high - moving.home_days_low
                )
                cost = moving.home_usd_mw * watt
            lost = days / DAYS_PER_MONTH / worth.months
            value = _look_up(worth, found, joules, log_joules) * (1.0 - min(lost, 1.0))
            gain = value - stay - moving.trigger * cost
            if gain > best:
                best = gain
                target[i] = found
                downtime[i] = days
    return target, downtime


def admit(
    target: np.ndarray, need_mw: np.ndarray, vacant_mw: np.ndarray, priority: np.ndarray
) -> np.ndarray:
    """Share of each proposal that finds a seat, first come first served in order of `priority`.

    `vacant_mw` is drawn down in place. A proposal without a target gets nothing.
    """
    return _admit(target, need_mw, vacant_mw, np.argsort(priority))  # NumPy's sort is the faster


@njit(cache=True)
def _admit(
    target: np.ndarray, need_mw: np.ndarray, vacant_mw: np.ndarray, queue: np.ndarray
) -> np.ndarray:
    granted = np.zeros(target.size)
    for i in queue:
        wanted = target[i]
        if wanted < 0 or need_mw[i] <= 0.0:
            continue
        share = min(1.0, max(vacant_mw[wanted], 0.0) / need_mw[i])
        granted[i] = share
        vacant_mw[wanted] -= share * need_mw[i]
    return granted
