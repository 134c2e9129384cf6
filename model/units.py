"""Constants of Bitcoin and of time, and the conversions between units."""

from __future__ import annotations

import math
from typing import Final

from numba import njit

SATOSHI_PER_COIN: Final = 100_000_000
HASHES_PER_DIFFICULTY: Final = 2.0**32
HASHES_PER_TERAHASH: Final = 1e12

SECONDS_PER_HOUR: Final = 3_600.0
SECONDS_PER_DAY: Final = 86_400.0
HOURS_PER_DAY: Final = 24
DAYS_PER_YEAR: Final = 365.25
DAYS_PER_MONTH: Final = DAYS_PER_YEAR / 12
HOURS_PER_YEAR: Final = 8_766.0

BLOCK_TARGET_S: Final = 600.0
BLOCKS_PER_DAY: Final = 144
EPOCH_BLOCKS: Final = 2_016
EPOCH_TARGET_S: Final = EPOCH_BLOCKS * BLOCK_TARGET_S
HALVING_BLOCKS: Final = 210_000
FIRST_SUBSIDY_SAT: Final = 50 * SATOSHI_PER_COIN

WATTS_PER_MW: Final = 1e6
TERAHASH_PER_PETAHASH: Final = 1e3
TERAHASH_PER_EXAHASH: Final = 1e6


@njit(cache=True)
def blocks_per_second(hashrate_ths: float, difficulty: float) -> float:
    """Blocks found per second: hashes per second over the expected hashes per block.

    Parameters
    ----------
    hashrate_ths : TH/s, scalar or array.
    difficulty : Bitcoin's units; a block takes difficulty * 2**32 hashes on average.

    References
    ----------
    Rosenfeld 2011, "Analysis of Bitcoin Pooled Mining Reward Systems", section 1.
    """
    return hashrate_ths * HASHES_PER_TERAHASH / (difficulty * HASHES_PER_DIFFICULTY)


@njit(cache=True)
def hashprice_usd_ths_day(difficulty: float, reward_btc: float, price_usd: float) -> float:
    """Revenue of one TH/s in a day, USD; it follows difficulty, whatever the hashrate does.

    Parameters
    ----------
    difficulty : Bitcoin's units.
    reward_btc : subsidy and transaction fees of one block.
    price_usd : USD per coin.
    """
    hashes_a_day = SECONDS_PER_DAY * HASHES_PER_TERAHASH
    return hashes_a_day / (difficulty * HASHES_PER_DIFFICULTY) * reward_btc * price_usd


@njit(cache=True)
def equilibrium_hashprice(hashrate_ths: float, reward_btc: float, price_usd: float) -> float:
    """Hashprice, USD/TH/day, once difficulty has caught up with the hashrate."""
    return BLOCKS_PER_DAY * reward_btc * price_usd / hashrate_ths


@njit(cache=True)
def breakeven_power_price_usd_mwh(hashprice: float, efficiency_j_th: float) -> float:
    """Power price, USD/MWh, at which a machine's revenue just pays for its power.

    Parameters
    ----------
    hashprice : USD/TH/day.
    efficiency_j_th : J/TH, scalar or array.
    """
    return hashprice / (efficiency_j_th * HOURS_PER_DAY / WATTS_PER_MW)


@njit(cache=True)
def equilibrium_difficulty(hashrate_ths: float) -> float:
    """Difficulty at which a constant hashrate finds a block every ten minutes on average."""
    return hashrate_ths * HASHES_PER_TERAHASH * BLOCK_TARGET_S / HASHES_PER_DIFFICULTY


@njit(cache=True)
def capital_recovery(rate: float, years: float) -> float:
    """Yearly payment that repays one unit of capital over `years` at interest `rate` a year."""
    if rate == 0.0:
        return 1.0 / years
    return -rate / math.expm1(-years * math.log1p(rate))


@njit(cache=True)
def logistic(score: float) -> float:
    """The logistic function of a score, between 0 and 1."""
    if score >= 0.0:
        return 1.0 / (1.0 + math.exp(-score))
    odds = math.exp(score)
    return odds / (1.0 + odds)
