"""Which machines run, hour by hour: the cheapest joules first, as far as the site's power goes."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

# Sums run over fixed chunks of sites, so that the bits don't depend on the number of threads.
CHUNK = 256
HOURS = 24
MWH_PER_JOULE_PER_TH_DAY = 24e-6


@njit(cache=True)
def seat_order(site: np.ndarray, rank: np.ndarray, sites: int) -> tuple[np.ndarray, np.ndarray]:
    """Fleets grouped by site, most efficient first.

    Counted twice instead of compared (a radix sort): by efficiency, then by site.

    Parameters
    ----------
    site : int array, the row of each fleet's site, -1 if in the warehouse
    rank : int array, place of each fleet's efficiency among all efficiencies, best first
    sites : number of site rows

    Returns
    -------
    order : rows of the fleets with a seat; `order[first[s]:first[s + 1]]` are those at site `s`
    first : int array of `sites + 1` offsets
    """
    seated = np.flatnonzero(site >= 0)
    by_rank, _ = _counted(seated, rank, rank.max() + 1 if rank.size else 0)
    return _counted(by_rank, site, sites)


@njit(cache=True)
def _counted(rows: np.ndarray, label: np.ndarray, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows grouped by label, in their order within a label, and the offsets of the labels."""
    first = np.zeros(labels + 1, dtype=np.int64)
    for row in rows:
        first[label[row] + 1] += 1
    for group in range(labels):
        first[group + 1] += first[group]
    following = first[:-1].copy()
    grouped = np.empty_like(rows)
    for row in rows:
        grouped[following[label[row]]] = row
        following[label[row]] += 1
    return grouped, first


@njit(cache=True)
def in_working_order(
    alive: np.ndarray,
    site: np.ndarray,
    ready_on: np.ndarray,
    owner: np.ndarray,
    nation: np.ndarray,
    operating: np.ndarray,
    halted: np.ndarray,
    home: np.ndarray,
    day: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Which fleets could run today, and which have an owner who may run them.

    Parameters
    ----------
    alive, site, ready_on, owner, nation : of the fleets; site -1 is the warehouse
    operating, halted, home : of the owners; a halt stops a firm in its home nation only
    day : today

    Returns
    -------
    ready, working : bool arrays over the fleets
    """
    ready = np.empty(site.size, dtype=np.bool_)
    working = np.empty(site.size, dtype=np.bool_)
    for row in range(site.size):
        firm = owner[row]
        stopped = halted[firm] and nation[row] == home[firm]
        working[row] = operating[firm] and not stopped
        ready[row] = working[row] and alive[row] and site[row] >= 0 and ready_on[row] <= day
    return ready, working


@njit(cache=True)
def clocked_rows(
    site: np.ndarray,
    generation: np.ndarray,
    hourly: np.ndarray,
    clockable: np.ndarray,
    all_of: bool,
) -> np.ndarray:
    """Fleets whose clock is chosen: under the sun, or all, where the generation allows it."""
    chosen = np.empty(site.size, dtype=np.int64)
    count = 0
    for row in range(site.size):
        place = site[row]
        if place >= 0 and clockable[generation[row]] and (all_of or hourly[place] >= 0):
            chosen[count] = row
            count += 1
    return chosen[:count].copy()


@njit(cache=True, inline="always")
def _fill(
    order: np.ndarray,
    start: int,
    stop: int,
    power_left: float,
    worth: float,
    running_cost: float,
    pue: float,
    ready: np.ndarray,
    hashrate: np.ndarray,
    efficiency: np.ndarray,
    share_of_day: float,
    load: np.ndarray,
) -> float:
    """Switch on a site's fleets for a share of the day; returns the hashrate that runs, TH/s."""
    running = 0.0
    for position in range(start, stop):
        row = order[position]
        if not ready[row]:
            continue
        if worth <= running_cost * efficiency[row] * MWH_PER_JOULE_PER_TH_DAY:
            break  # the rest of the site is less efficient still
        need = hashrate[row] * efficiency[row] * 1e-6 * pue
        if need <= 0.0:
            continue
        share = min(1.0, power_left / need)
        if share <= 0.0:
            break
        load[row] += share * share_of_day
        running += share * hashrate[row]
        power_left -= share * need
    return running


@njit(cache=True, parallel=True)
def dispatch(
    order: np.ndarray,
    first: np.ndarray,
    hashrate: np.ndarray,
    efficiency: np.ndarray,
    ready: np.ndarray,
    hashprice: np.ndarray,
    power_price: np.ndarray,
    power_mw: np.ndarray,
    pue: np.ndarray,
    hourly_row: np.ndarray,
    hourly_power: np.ndarray,
    idle_cost: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Run every machine whose next hash pays for its power.

    Parameters
    ----------
    order, first : fleets by site, most efficient first (`seat_order`)
    hashrate, efficiency : TH/s installed and J/TH of each fleet
    ready : whether the fleet is on site and in working order
    hashprice : USD/TH/day net of cuts and taxes, per site
    power_price, power_mw, pue : USD/MWh delivered, MW available, site over IT load, per site
    hourly_row : row of `hourly_power` for sites whose power varies within the day, else -1
    hourly_power : share of `power_mw` there is in each UTC hour, [row, 24]
    idle_cost : USD/MWh of variable cost besides power

    Returns
    -------
    load : share of the day and of the fleet that ran, per fleet
    hashrate_by_hour : TH/s in each UTC hour
    """
    sites = first.size - 1
    load = np.zeros(hashrate.size)
    chunks = (sites + CHUNK - 1) // CHUNK
    partial = np.zeros((max(chunks, 1), HOURS))
    for chunk in prange(chunks):
        for site in range(chunk * CHUNK, min(sites, (chunk + 1) * CHUNK)):
            start, stop = first[site], first[site + 1]
            if start == stop:
                continue
            cost = (power_price[site] + idle_cost) * pue[site]
            if hourly_row[site] < 0:
                running = _fill(
                    order, start, stop, power_mw[site], hashprice[site], cost, pue[site],
                    ready, hashrate, efficiency, 1.0, load,
                )  # fmt: skip
                for hour in range(HOURS):
                    partial[chunk, hour] += running
            else:
                for hour in range(HOURS):
                    power = power_mw[site] * hourly_power[hourly_row[site], hour]
                    partial[chunk, hour] += _fill(
                        order, start, stop, power, hashprice[site], cost, pue[site],
                        ready, hashrate, efficiency, 1.0 / HOURS, load,
                    )  # fmt: skip
    return load, _sum_rows(partial)


@njit(cache=True)
def _sum_rows(partial: np.ndarray) -> np.ndarray:
    total = np.zeros(partial.shape[1])
    for row in range(partial.shape[0]):
        for column in range(partial.shape[1]):
            total[column] += partial[row, column]
    return total


@njit(cache=True)
def divide_among(
    site: np.ndarray, owner: np.ndarray, weight: np.ndarray, amount: np.ndarray, owners: int
) -> np.ndarray:
    """Amounts of sites divided among the owners of the fleets there, by weight; per owner.

    Parameters
    ----------
    site, owner, weight : rows of each fleet's site (-1 in the warehouse) and owner, its weight
    amount : per site
    """
    total = np.zeros(amount.size)
    for row in range(site.size):
        if weight[row] > 0.0 and site[row] >= 0:
            total[site[row]] += weight[row]
    divided = np.zeros(owners)
    for row in range(site.size):
        if weight[row] > 0.0 and site[row] >= 0:
            place = site[row]
            divided[owner[row]] += weight[row] / total[place] * amount[place]
    return divided


@njit(cache=True)
def tally(
    owner: np.ndarray,
    site: np.ndarray,
    hashrate: np.ndarray,
    efficiency: np.ndarray,
    load: np.ndarray,
    power_price: np.ndarray,
    upkeep: np.ndarray,
    pue: np.ndarray,
    owners: int,
    sites: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A day's work and bills by owner, and its energy by site.

    Parameters
    ----------
    owner, site : rows of each fleet's miner and site (-1 in the warehouse)
    hashrate, efficiency, load : TH/s, J/TH and the share that ran
    power_price, upkeep, pue : USD/MWh, USD/MWh and site over IT load, per site

    Returns
    -------
    work : TH/s averaged over the day, per owner
    power_cost : USD, per owner
    upkeep_cost : USD, per owner
    energy_mwh : per site
    site_work : TH/s averaged over the day, per site
    """
    work = np.zeros(owners)
    power_cost = np.zeros(owners)
    upkeep_cost = np.zeros(owners)
    energy = np.zeros(sites)
    site_work = np.zeros(sites)
    for row in range(owner.size):
        if load[row] <= 0.0:
            continue
        running = hashrate[row] * load[row]
        place = site[row]
        used = running * efficiency[row] * pue[place] * MWH_PER_JOULE_PER_TH_DAY
        work[owner[row]] += running
        site_work[place] += running
        energy[place] += used
        power_cost[owner[row]] += used * power_price[place]
        upkeep_cost[owner[row]] += used * upkeep[place]
    return work, power_cost, upkeep_cost, energy, site_work
