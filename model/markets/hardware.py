"""ASIC generations: what is on offer, what a machine is worth, how it wears, how surveys see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from model.units import DAYS_PER_MONTH, DAYS_PER_YEAR, HOURS_PER_DAY, WATTS_PER_MW

Floats = NDArray[np.float64]
Ordinals = NDArray[np.int64]

MWH_PER_DAY_AND_WATT = HOURS_PER_DAY / WATTS_PER_MW
GREGORIAN_YEAR_DAYS = 365.2425


@dataclass(frozen=True)
class Generations:
    """The machines that have been or will be built, one row each, ordered by release."""

    name: tuple[str, ...]
    released: Ordinals
    shipping: Ordinals
    efficiency_j_th: Floats
    unit_hashrate_ths: Floats
    cost_usd_th: Floats

    def __len__(self) -> int:
        return len(self.name)


def list_generations(
    names: Sequence[str],
    released: ArrayLike,
    unit_hashrate_ths: ArrayLike,
    efficiency_j_th: ArrayLike,
    availability_months: float,
    cost_usd_j_th: float,
) -> Generations:
    """Generations from listed machines, which ship `availability_months` after their release."""
    release = np.asarray(released, dtype=np.int64)
    hashrate = np.asarray(unit_hashrate_ths, dtype=np.float64)
    efficiency = np.asarray(efficiency_j_th, dtype=np.float64)
    if not len(names) == len(release) == len(hashrate) == len(efficiency):
        raise ValueError("every listed machine needs a name, a release, a hashrate, an efficiency")
    if np.any(hashrate <= 0) or np.any(efficiency <= 0):
        raise ValueError("hashrate and efficiency of a listed machine must be positive")
    rows = np.argsort(release, kind="stable")
    return Generations(
        name=tuple(names[row] for row in rows),
        released=release[rows],
        shipping=release[rows] + round(availability_months * DAYS_PER_MONTH),
        efficiency_j_th=efficiency[rows],
        unit_hashrate_ths=hashrate[rows],
        cost_usd_th=cost_usd_j_th * efficiency[rows],
    )


def frontier_efficiency(
    year: float, frontier_j_th: float, at_year: float, decline_yr: float, floor_j_th: float
) -> float:
    """Best efficiency on offer in a (fractional) year: exponential decline down to a floor."""
    return max(floor_j_th, frontier_j_th * math.exp(-decline_yr * (year - at_year)))


def extend_frontier(
    generations: Generations,
    until_ordinal: int,
    frontier_j_th: float,
    decline_yr: float,
    floor_j_th: float,
    interval_months: float,
    at_year: float = 2025.5,
) -> Generations:
    """Append future generations, one every `interval_months`, until a date or the floor.

    Availability lag, cost per J/TH and power per machine are those of the last listed machine.
    """
    grown = generations
    released = _next_release(grown, interval_months)
    while released <= until_ordinal and grown.efficiency_j_th[-1] > floor_j_th:
        year = 1 + (released - 1) / GREGORIAN_YEAR_DAYS
        efficiency = frontier_efficiency(year, frontier_j_th, at_year, decline_yr, floor_j_th)
        grown = _with_generation(grown, released, efficiency)
        released = _next_release(grown, interval_months)
    return grown


def _next_release(generations: Generations, interval_months: float) -> int:
    return int(generations.released[-1]) + max(1, round(interval_months * DAYS_PER_MONTH))


def _with_generation(known: Generations, released: int, efficiency_j_th: float) -> Generations:
    scale = efficiency_j_th / known.efficiency_j_th[-1]
    lag = known.shipping[-1] - known.released[-1]
    return replace(
        known,
        name=(*known.name, f"frontier {date.fromordinal(released):%Y-%m}"),
        released=np.append(known.released, released),
        shipping=np.append(known.shipping, released + lag),
        efficiency_j_th=np.append(known.efficiency_j_th, efficiency_j_th),
        unit_hashrate_ths=np.append(known.unit_hashrate_ths, known.unit_hashrate_ths[-1] / scale),
        cost_usd_th=np.append(known.cost_usd_th, known.cost_usd_th[-1] * scale),
    )


def succeeded_on(generations: Generations) -> Floats:
    """First day a later machine at least as efficient ships; infinite where none does."""
    shipping = generations.shipping
    efficiency = generations.efficiency_j_th
    better = (shipping[None, :] > shipping[:, None]) & (efficiency[None, :] <= efficiency[:, None])
    successors = np.where(better, shipping[None, :].astype(np.float64), np.inf)
    return np.asarray(successors.min(axis=1))


def output_weights(
    generations: Generations,
    today: int,
    diffusion_months: float,
    sold_after_successor_months: float,
) -> Floats:
    """Share of the maker's output, in MW, that each generation takes today.

    A new machine ramps up linearly over the diffusion time. From the day a successor (shipped
    later, at least as efficient) is there, a machine fades linearly, to nothing when
    `sold_after_successor_months` have passed. The shares sum to 1 once anything has shipped.
    """
    age = (today - generations.shipping).astype(np.float64)
    ramp = np.clip(age / (diffusion_months * DAYS_PER_MONTH), 0.0, 1.0)
    selling_days = max(sold_after_successor_months * DAYS_PER_MONTH, 1e-9)
    fade = np.clip(1.0 - (today - succeeded_on(generations)) / selling_days, 0.0, 1.0)
    weights = ramp * fade
    total = weights.sum()
    if total > 0:
        return np.asarray(weights / total)
    return _all_on_newest(age)


def _all_on_newest(age_days: Floats) -> Floats:
    """The whole output on the machines shipped last, for the day on which nothing has ramped."""
    shipped = age_days >= 0
    if not shipped.any():
        return np.zeros_like(age_days)
    newest = age_days == age_days[shipped].min()
    return np.asarray(newest / newest.sum())


def output_efficiency(weights: Floats, efficiency_j_th: Floats) -> float:
    """Efficiency of one MW of output (J/TH): the harmonic mean under shares in MW."""
    return float(1.0 / np.sum(weights / efficiency_j_th))


def output_hashrate_ths(output_mw: float, weights: Floats, efficiency_j_th: Floats) -> Floats:
    """Hashrate of the output, per generation (TH/s)."""
    return output_mw * WATTS_PER_MW * weights / efficiency_j_th


def annuity(rate_month: float, months: float) -> float:
    """Present value of one unit a month, paid at the end of each month."""
    if rate_month == 0:
        return float(months)
    return float((1.0 - (1.0 + rate_month) ** -months) / rate_month)


@njit(cache=True)
def present_value_ths(
    hashprice: float, decline_month: float, power_cost: float, months: float, rate_month: float
) -> float:
    """Kernel of `present_value`, for one machine."""
    income = hashprice
    discount = 1.0
    value = 0.0
    for _ in range(int(months)):
        income *= 1.0 - decline_month
        discount /= 1.0 + rate_month
        if income <= power_cost:
            break
        value += (income - power_cost) * discount
    return value * DAYS_PER_MONTH


@njit(cache=True)
def _present_values(
    hashprice: Floats, decline_month: Floats, power_cost: Floats, months: Floats, rate: Floats
) -> Floats:
    values = np.empty(len(hashprice))
    for row in range(len(values)):
        values[row] = present_value_ths(
            hashprice[row], decline_month[row], power_cost[row], months[row], rate[row]
        )
    return values


def present_value(
    hashprice: ArrayLike,
    decline_month: ArrayLike,
    power_cost_usd_ths_day: ArrayLike,
    months: ArrayLike,
    rate_month: ArrayLike,
) -> Floats:
    """Present value of mining with 1 TH/s until its margin vanishes (USD per TH/s).

    sum over k = 1..months of max(0, hashprice (1 - decline)^k - power cost) days / (1 + rate)^k

    Parameters
    ----------
    hashprice : USD per TH/s a day, now
    decline_month : expected decline of the hashprice a month, in [0, 1)
    power_cost_usd_ths_day : cost of running 1 TH/s for a day, USD
    months : horizon in whole months
    rate_month : discount rate a month

    All arguments broadcast; the result has their common shape.
    """
    given = (hashprice, decline_month, power_cost_usd_ths_day, months, rate_month)
    columns = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in given))
    values = _present_values(*(column.ravel() for column in columns))
    return np.asarray(values.reshape(columns[0].shape))


def power_cost_usd_ths_day(price_usd_mwh: ArrayLike, efficiency_j_th: ArrayLike) -> Floats:
    """What the power of 1 TH/s costs a day (USD)."""
    price = np.asarray(price_usd_mwh, dtype=np.float64)
    return np.asarray(price * np.asarray(efficiency_j_th, dtype=np.float64) * MWH_PER_DAY_AND_WATT)


def failures_yr(failure_yr: float, clock_factor: ArrayLike, overclock_yr: float) -> Floats:
    """Failures per machine a year at a clock; at twice the clock `overclock_yr` more."""
    overclock = np.maximum(np.asarray(clock_factor, dtype=np.float64) - 1.0, 0.0)
    return np.asarray(failure_yr + overclock_yr * overclock)


def share_working(failures: ArrayLike, repair_days: ArrayLike) -> Floats:
    """Share of machines not away for repair, given failures a year and the days each takes."""
    return np.asarray(1.0 - np.asarray(failures) * np.asarray(repair_days) / DAYS_PER_YEAR)


def worn_out(age_days: ArrayLike, life_years: float) -> NDArray[np.bool_]:
    """Which machines have reached the age at which they wear out."""
    return np.asarray(np.asarray(age_days) >= life_years * DAYS_PER_YEAR)


def idle_scrap_share(scrap_month: float, days: float) -> float:
    """Share of idle machines scrapped in `days`."""
    return float(1.0 - (1.0 - scrap_month) ** (days / DAYS_PER_MONTH))


def cambridge_efficiency(
    released: ArrayLike,
    efficiency_j_th: ArrayLike,
    hashprice: float,
    today: int,
    power_price_usd_mwh: float = 50.0,
    life_years: float = 5.0,
    last_value_j_th: float = np.nan,
) -> float:
    """Fleet efficiency as the Cambridge index estimates it (J/TH): a mean of models, not machines.

    The unweighted mean over all listed models released by today, no older than `life_years`, and
    profitable at 5 c/kWh. Pass the mean hashprice of the last 14 days. When no model is
    profitable, the last defined value is carried on.

    Against the published monthly estimates from 2019-09 to 2021-04, with observed difficulty,
    price and transaction fees, the mean absolute log error is 6 % with Cambridge's own list of
    models and 4 % with other public lists added; the least efficient profitable model is within
    4 %.

    Source: Cambridge Bitcoin Electricity Consumption Index, methodology.
    """
    release = np.asarray(released, dtype=np.int64)
    efficiency = np.asarray(efficiency_j_th, dtype=np.float64)
    listed = (release <= today) & (release > today - life_years * DAYS_PER_YEAR)
    counted = listed & (power_cost_usd_ths_day(power_price_usd_mwh, efficiency) < hashprice)
    return float(efficiency[counted].mean()) if counted.any() else last_value_j_th
