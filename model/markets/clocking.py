"""When one machine runs, and how fast: the run rule, switching costs, over- and underclocking."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from model.markets.hardware import Floats, power_cost_usd_ths_day


def runs(
    hashprice_net: ArrayLike,
    power_price_usd_mwh: ArrayLike,
    idle_cost_usd_mwh: float,
    efficiency_j_th: ArrayLike,
) -> NDArray[np.bool_]:
    """Whether the next hash pays for its power and the variable cost besides."""
    price = np.asarray(power_price_usd_mwh, dtype=np.float64) + idle_cost_usd_mwh
    return np.asarray(np.asarray(hashprice_net) > power_cost_usd_ths_day(price, efficiency_j_th))


def margin_ratio(
    hashprice: ArrayLike, power_price_usd_mwh: ArrayLike, efficiency_j_th: ArrayLike
) -> Floats:
    """Revenue over power cost at the nominal clock; infinite where power is free."""
    cost = power_cost_usd_ths_day(power_price_usd_mwh, efficiency_j_th)
    revenue = np.broadcast_to(np.asarray(hashprice, dtype=np.float64), cost.shape)
    ratio = np.full(cost.shape, np.inf)
    np.divide(revenue, cost, out=ratio, where=cost > 0)
    return ratio


def clock_power(clock_factor: ArrayLike, linear_share: float) -> Floats:
    """Power over nominal power at a clock factor: part grows linearly, part with its cube."""
    clock = np.asarray(clock_factor, dtype=np.float64)
    return np.asarray(linear_share * clock + (1 - linear_share) * clock**3)


def clock_factor(
    ratio: ArrayLike, linear_share: float = 0.6, lowest: float = 0.6, highest: float = 1.2
) -> Floats:
    """Clock over nominal clock that maximises a machine's margin; 0 where none pays.

    Revenue grows with the clock f, power with a f + (1 - a) f^3, so that the best clock is
    sqrt((m - a) / (3 (1 - a))), kept within what the machine can do.

    Parameters
    ----------
    ratio : m, revenue over power cost at the nominal clock (`margin_ratio`)
    linear_share : a, in [0, 1)
    lowest, highest : range of the clock over its nominal value
    """
    margin = np.asarray(ratio, dtype=np.float64)
    best = np.sqrt(np.maximum(margin - linear_share, 0.0) / (3 * (1 - linear_share)))
    clock = np.clip(best, lowest, highest)
    return np.where(margin * clock > clock_power(clock, linear_share), clock, 0.0)


@njit(cache=True)
def switching_schedule(
    margin_usd: np.ndarray, running_before: np.ndarray, restart_cost_usd: float, least_hours: int
) -> np.ndarray:
    """Best hours to run, when each start costs money and each state lasts some hours.

    Backward induction over the hours ahead, whose margins are known. The end of the horizon may
    cut the last state short.

    Parameters
    ----------
    margin_usd : margin of running, [machine, hour]
    running_before : whether each machine runs before the first hour
    restart_cost_usd : cost of each start
    least_hours : a machine switched on or off stays so for at least this long

    Returns
    -------
    bool array [machine, hour]
    """
    machines, hours = margin_usd.shape
    schedule = np.zeros((machines, hours), dtype=np.bool_)
    for machine in range(machines):
        margin = margin_usd[machine]
        start, stop = _switching_values(margin, restart_cost_usd, least_hours)
        running = running_before[machine]
        hour = 0
        while hour < hours:
            switch = stop[hour] if running else start[hour]
            length = 1
            if switch:
                running = not running
                length = least_hours
            for ahead in range(hour, min(hours, hour + length)):
                schedule[machine, ahead] = running
            hour += length
    return schedule


@njit(cache=True)
def _switching_values(
    margin: np.ndarray, restart_cost: float, least_hours: int
) -> tuple[np.ndarray, np.ndarray]:
    """In which hours a machine that is off should start, and one that is on should stop."""
    hours = len(margin)
    total = np.zeros(hours + 1)
    for hour in range(hours):
        total[hour + 1] = total[hour] + margin[hour]
    on = np.zeros(hours + 1)
    off = np.zeros(hours + 1)
    start = np.zeros(hours, dtype=np.bool_)
    stop = np.zeros(hours, dtype=np.bool_)
    for hour in range(hours - 1, -1, -1):
        free = min(hours, hour + least_hours)
        started = total[free] - total[hour] + on[free] - restart_cost
        start[hour] = started > off[hour + 1]
        stop[hour] = off[free] > margin[hour] + on[hour + 1]
        off[hour] = max(off[hour + 1], started)
        on[hour] = max(margin[hour] + on[hour + 1], off[free])
    return start, stop
