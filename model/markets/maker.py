"""The maker of machines: how many it builds, at what price, and who gets them when short."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from model.markets.hardware import (
    Floats,
    power_cost_usd_ths_day,
    present_value,
    present_value_ths,
)
from model.units import WATTS_PER_MW

# One machine of 2023 draws about 3.5 kW: the size of a retail order.
RETAIL_ORDER_MW = 0.0035
# The maker looks four years ahead when it invests, two when it sets a price.
INVESTMENT_MONTHS = 48
PRICING_MONTHS = 24


def tobin_q(
    hashprice: float,
    decline_month: float,
    power_cost_usd_ths_day: float,
    cost_usd_th: float,
    rate_month: float,
    retirement_month: float,
) -> float:
    """Value of a machine to its buyer over its manufacturing cost, four years ahead."""
    value = present_value_ths(
        float(hashprice),
        float(decline_month),
        float(power_cost_usd_ths_day),
        float(INVESTMENT_MONTHS),
        float(rate_month + retirement_month),
    )
    return float(value / cost_usd_th)


@dataclass(frozen=True)
class OutputRule:
    """How the maker adjusts its output; shares a month unless the name says otherwise."""

    eagerness: float = 1.0
    retirement_month: float = 0.02
    growth_month: float = 0.12
    decline_month: float = 0.03
    growth_step_mw: float = 0.0
    ceiling_mw: float = np.inf
    rate_month: float = 0.01
    frozen: bool = False


@dataclass(frozen=True)
class OutputPlan:
    """What the maker decides in one month."""

    output_mw: float
    capacity_mw: float
    wanted_mw: float
    tobin_q: float
    expected_hashrate_ths: float


def expected_hashrate_ths(
    hashrate_ths: float, pipeline_ths: ArrayLike, retirement_month: float
) -> float:
    """Hashrate when the last order in the pipeline has arrived (TH/s).

    `pipeline_ths` holds one entry a month, the next delivery first; what is installed and what
    arrives early is thinned by retirement.
    """
    pipeline = np.asarray(pipeline_ths, dtype=np.float64)
    staying = (1.0 - retirement_month) ** np.arange(len(pipeline), -1, -1.0)
    return float(hashrate_ths * staying[0] + pipeline @ staying[1:])


def wanted_hashrate_ths(tobin_q: float, expected_ths: float, rule: OutputRule) -> float:
    """Output the maker would like to build this month (TH/s).

    Replacement plus investment in proportion to q - 1 above one; below one, replacement that
    shrinks to nothing at q = 1/2.
    """
    replacement = rule.retirement_month * expected_ths
    if tobin_q >= 1:
        return replacement + rule.eagerness * (tobin_q - 1) * expected_ths / 12
    return replacement * max(0.0, 1 + 2 * (tobin_q - 1))


def next_capacity_mw(capacity_mw: float, wanted_mw: float, rule: OutputRule) -> float:
    """Fab capacity after a month of moving towards what is wanted, within the rule's limits."""
    if wanted_mw <= capacity_mw:
        return max(wanted_mw, capacity_mw * (1 - rule.decline_month))
    if rule.frozen:
        return capacity_mw
    reach = capacity_mw * (1 + rule.growth_month) + rule.growth_step_mw
    return max(min(wanted_mw, reach, rule.ceiling_mw), min(capacity_mw, rule.ceiling_mw))


def plan_output(
    rule: OutputRule,
    capacity_mw: float,
    hashrate_ths: float,
    pipeline_ths: ArrayLike,
    hashprice: float,
    power_cost_usd_ths_day: float,
    cost_usd_th: float,
    efficiency_j_th: float,
    hashprice_decline_month: float = 0.0,
) -> OutputPlan:
    """The maker's decision of one month: first capacity moves, then it builds.

    The hashprice is discounted by the hashrate still in the pipeline: a maker that looks at
    today's hashprice only builds a cobweb. Capacity counts in MW of machines, so that a better
    efficiency yields more hashrate by itself.

    Parameters
    ----------
    rule : limits and propensities
    capacity_mw : fab capacity of last month
    hashrate_ths : network hashrate now
    pipeline_ths : orders not yet delivered, one entry a month, next delivery first
    hashprice : USD per TH/s a day, now
    power_cost_usd_ths_day : what the buyers' power costs
    cost_usd_th, efficiency_j_th : of the machines on offer
    hashprice_decline_month : decline of hashprice that buyers expect beyond the pipeline
    """
    expected = expected_hashrate_ths(hashrate_ths, pipeline_ths, rule.retirement_month)
    value_over_cost = tobin_q(
        hashprice * (hashrate_ths / expected if expected > 0 else 1.0),
        hashprice_decline_month,
        power_cost_usd_ths_day,
        cost_usd_th,
        rule.rate_month,
        rule.retirement_month,
    )
    wanted = wanted_hashrate_ths(value_over_cost, expected, rule) * efficiency_j_th / WATTS_PER_MW
    capacity = next_capacity_mw(capacity_mw, wanted, rule)
    return OutputPlan(min(wanted, capacity), capacity, wanted, value_over_cost, expected)


def list_price(
    hashprice: float,
    decline_month: float,
    efficiency_j_th: ArrayLike,
    cost_usd_th: ArrayLike,
    pricing_power: float,
    power_price_usd_mwh: float = 45.0,
    least_margin: float = 0.10,
    rate_month: float = 0.01,
) -> Floats:
    """Price the maker asks for each generation (USD/TH).

    A share of the present value of two years of mining, never below cost plus the least margin.
    """
    running = power_cost_usd_ths_day(power_price_usd_mwh, efficiency_j_th)
    value = present_value(hashprice, decline_month, running, PRICING_MONTHS, rate_month)
    cost = np.asarray(cost_usd_th, dtype=np.float64)
    return np.asarray(np.maximum(pricing_power * value, cost * (1 + least_margin)))


def pricing_power_after(
    pricing_power: float,
    inventory_mw: float,
    output_mw: float,
    unfilled_mw: float,
    lowest: float = 0.2,
    highest: float = 0.9,
) -> float:
    """The maker's share of value next month: down with unsold stock, up with unfilled orders."""
    if unfilled_mw > 0:
        return max(pricing_power, min(highest, pricing_power * 1.05))
    if inventory_mw <= output_mw:
        return pricing_power
    excess = inventory_mw / output_mw - 1 if output_mw > 0 else np.inf
    return min(pricing_power, max(lowest, pricing_power * (1 - 0.1 * excess)))


def order_price(
    list_price_usd_th: ArrayLike,
    cost_usd_th: ArrayLike,
    order_mw: ArrayLike,
    exponent: float,
    most: float,
) -> Floats:
    """Price of an order after the discount for its size, never below manufacturing cost."""
    size = np.maximum(np.asarray(order_mw, dtype=np.float64) / RETAIL_ORDER_MW, 1.0)
    paid_share = np.maximum(1.0 - most, size**-exponent)
    price = np.asarray(list_price_usd_th, dtype=np.float64)
    return np.asarray(np.maximum(np.asarray(cost_usd_th, dtype=np.float64), price * paid_share))


def ration(orders_mw: ArrayLike, priority: ArrayLike, available_mw: float) -> Floats:
    """What each order gets of a scarce output: pro rata to its priority, no more than ordered.

    Output that the orders with priority leave goes pro rata to the orders without any. The
    grants sum to the smaller of the orders and the output. Priority is prepaid MW.
    """
    orders = np.asarray(orders_mw, dtype=np.float64)
    weight = np.asarray(priority, dtype=np.float64)
    if orders.sum() <= available_mw:
        return orders.copy()
    first = weight > 0
    granted = np.zeros_like(orders)
    granted[first] = _fill_to_level(orders[first], weight[first], available_mw)
    rest = orders[~first]
    if rest.sum() > 0:
        left = max(0.0, available_mw - granted.sum())
        granted[~first] = rest * min(1.0, left / rest.sum())
    return granted


def _fill_to_level(orders: Floats, weight: Floats, available: float) -> Floats:
    """min(order, level x weight), with the level at which the grants use up what is available."""
    if orders.sum() <= available:
        return orders
    rows = np.argsort(orders / weight, kind="stable")
    filled_before = np.concatenate(([0.0], np.cumsum(orders[rows])[:-1]))
    weight_left = np.cumsum(weight[rows][::-1])[::-1]
    level = np.maximum(available - filled_before, 0.0) / weight_left
    short = orders[rows] / weight[rows] > level
    if not short.any():  # by a rounding error only
        return orders
    return np.asarray(np.minimum(orders, level[np.argmax(short)] * weight))
