"""Stranded energy that a nation under sanctions mines with because it cannot sell it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def netback_usd_mwh(
    sanctioned: ArrayLike, world_netback_usd_mwh: ArrayLike, lift_cost_usd_mwh: ArrayLike
) -> Floats:
    """What a nation earns by selling its energy instead of mining with it, never below 0.

    Parameters
    ----------
    sanctioned : intensity of the sanctions on it, 0 to 1; the share of the world's netback lost.
    world_netback_usd_mwh : of the same energy sold by a nation under no sanctions.
    lift_cost_usd_mwh : of bringing it to the market.
    """
    sold = (1.0 - np.asarray(sanctioned, dtype=np.float64)) * np.asarray(world_netback_usd_mwh)
    return np.maximum(sold - np.asarray(lift_cost_usd_mwh), 0.0)


def mining_margin_usd_mwh(
    hashprice_usd_ths_day: ArrayLike,
    efficiency_j_th: ArrayLike,
    capital_usd_mwh: ArrayLike,
    operation_usd_mwh: ArrayLike,
) -> Floats:
    """What mining brings for a MWh after machines and operation, before the energy itself."""
    mwh_ths_day = 24e-6 * np.asarray(efficiency_j_th, dtype=np.float64)
    revenue = np.asarray(hashprice_usd_ths_day) / mwh_ths_day
    return np.asarray(revenue - np.asarray(capital_usd_mwh) - np.asarray(operation_usd_mwh))


def state_mining_mw(
    margin_usd_mwh: ArrayLike, netback_usd_mwh: ArrayLike, stranded_mw: ArrayLike
) -> Floats:
    """Stranded power that a nation mines with: all of it where mining brings more than selling.

    Arrays may have one entry a field rather than one a nation, with a lift cost of its own each.
    """
    worth = np.asarray(margin_usd_mwh) > np.asarray(netback_usd_mwh)
    return np.where(worth, np.asarray(stranded_mw, dtype=np.float64), 0.0)


def mines_at_a_loss(
    margin_usd_mwh: ArrayLike, netback_usd_mwh: ArrayLike, retail_usd_mwh: ArrayLike
) -> Flags:
    """Whether a nation mines where a private miner, who pays for the power, would not."""
    margin = np.asarray(margin_usd_mwh)
    return np.asarray((margin > netback_usd_mwh) & (margin < retail_usd_mwh))
