"""The market for used machines: what buyers bid, what owners ask, and a monthly call auction."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from model.markets.hardware import Floats, power_cost_usd_ths_day, present_value


def used_value(
    hashprice: ArrayLike,
    decline_month: ArrayLike,
    power_price_usd_mwh: ArrayLike,
    efficiency_j_th: ArrayLike,
    remaining_months: ArrayLike,
    rate_month: ArrayLike,
    idle_cost_usd_mwh: float = 0.5,
    horizon_months: int = 36,
    uptime: ArrayLike = 1.0,
) -> Floats:
    """Present value of 1 TH/s of a used machine where it runs (USD/TH).

    The horizon is shorter than for a new machine, and never longer than the life that is left.
    """
    price = np.asarray(power_price_usd_mwh, dtype=np.float64) + idle_cost_usd_mwh
    months = np.minimum(horizon_months, np.asarray(remaining_months, dtype=np.float64))
    running = power_cost_usd_ths_day(price, efficiency_j_th)
    value = present_value(hashprice, decline_month, running, months, rate_month)
    return np.asarray(np.asarray(uptime, dtype=np.float64) * value)


def used_bid(value_usd_th: ArrayLike, freight_usd_th: float) -> Floats:
    """Most a site pays for a used machine: its value there less freight and installation."""
    return np.asarray(np.asarray(value_usd_th, dtype=np.float64) - freight_usd_th)


def used_ask(kept_value_usd_th: ArrayLike, scrap_usd_th: float) -> Floats:
    """Least an owner takes for a machine: its value if kept, or as scrap."""
    return np.maximum(np.asarray(kept_value_usd_th, dtype=np.float64), scrap_usd_th)


def call_auction(
    bid_price: ArrayLike, bid_quantity: ArrayLike, ask_price: ArrayLike, ask_quantity: ArrayLike
) -> tuple[float, Floats, Floats]:
    """One uniform price for all bids and asks of a generation.

    As much is traded as the highest bids and the lowest asks allow. The price lies midway between
    the last bid and the last ask that trade; who stands at either margin shares what is left pro
    rata to quantity, so that the order of the rows does not matter.

    Parameters
    ----------
    bid_price, bid_quantity : USD/TH and TH/s, one row a bid
    ask_price, ask_quantity : the same of the asks

    Returns
    -------
    price : USD/TH, NaN without trade
    bought, sold : TH/s per bid and per ask; their sums are equal
    """
    bids = np.asarray(bid_price, dtype=np.float64)
    asks = np.asarray(ask_price, dtype=np.float64)
    demand = np.asarray(bid_quantity, dtype=np.float64)
    supply = np.asarray(ask_quantity, dtype=np.float64)
    by_bid = np.argsort(-bids, kind="stable")
    by_ask = np.argsort(asks, kind="stable")
    last_bid, last_ask, traded = _crossing(
        bids[by_bid], demand[by_bid], asks[by_ask], supply[by_ask]
    )
    if traded <= 0:
        return np.nan, np.zeros_like(bids), np.zeros_like(asks)
    bought = _fill(demand, bids > last_bid, bids == last_bid, traded)
    sold = _fill(supply, asks < last_ask, asks == last_ask, traded)
    return (last_bid + last_ask) / 2, bought, sold


@njit(cache=True)
def _crossing(
    bids: np.ndarray, demand: np.ndarray, asks: np.ndarray, supply: np.ndarray
) -> tuple[float, float, float]:
    """Last bid and last ask that trade, and how much is traded; both sides sorted best first."""
    bid, ask, traded = 0, 0, 0.0
    last_bid, last_ask = np.nan, np.nan
    wanted = demand[0] if len(bids) else 0.0
    offered = supply[0] if len(asks) else 0.0
    while bid < len(bids) and ask < len(asks) and bids[bid] >= asks[ask]:
        step = min(wanted, offered)
        if step > 0:
            traded += step
            last_bid, last_ask = bids[bid], asks[ask]
        wanted -= step
        offered -= step
        if wanted <= 0:
            bid += 1
            wanted = demand[bid] if bid < len(bids) else 0.0
        if offered <= 0:
            ask += 1
            offered = supply[ask] if ask < len(asks) else 0.0
    return last_bid, last_ask, traded


def _fill(quantity: Floats, inside: np.ndarray, marginal: np.ndarray, traded: float) -> Floats:
    """Everything inside the margin, and the rest of what is traded pro rata at the margin."""
    filled = np.where(inside, quantity, 0.0)
    at_margin = quantity[marginal].sum()
    if at_margin <= 0.0:  # bids of nothing at the margin
        return filled
    share = min(max((traded - filled.sum()) / at_margin, 0.0), 1.0)
    filled[marginal] = quantity[marginal] * share
    return filled
