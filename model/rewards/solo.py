"""Revenue of whoever finds the block, and what its variance costs."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.rewards.scheme import Income, RewardScheme, Settlement
from model.sharing import total_work
from model.streams import uniforms
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCKS_PER_YEAR = BLOCKS_PER_DAY * DAYS_PER_YEAR


@njit(cache=True)
def _rows_at(cumulative: Floats, draws: Floats) -> Integers:
    """Row that each uniform draw falls to; a row without work covers no part of the line."""
    total = cumulative[-1]
    rows = np.searchsorted(cumulative, draws * total, side="right")
    # A draw just below one times the total may round up to the total itself.
    last = np.searchsorted(cumulative, total)
    within: Integers = np.minimum(rows, last)
    return within


def winners(work: Floats, blocks: int, key: np.uint64, day: int) -> Integers:
    """Who finds each block, with chances in proportion to work.

    Parameters
    ----------
    work : shape (n,), not negative.
    blocks : how many to draw; block k of a day has the same draw whatever their number.
    key, day : the draws depend on these alone.

    Returns
    -------
    Rows of `work`, shape (blocks,).
    """
    if blocks == 0:
        return np.zeros(0, np.int64)
    if total_work(work) == 0.0:
        raise ValueError("there are blocks and no work to find them")
    rows: Integers = _rows_at(np.cumsum(work), uniforms(key, day, blocks))
    return rows


def solo(work: Floats, block_rewards_sat: Integers, key: np.uint64, day: int) -> Integers:
    """Payouts when each block's reward goes to its finder, satoshi, one per row of `work`."""
    payouts = np.zeros(work.size, np.int64)
    np.add.at(payouts, winners(work, block_rewards_sat.size, key, day), block_rewards_sat)
    return payouts


def solo_relative_variance(share: float, blocks: float) -> float:
    """Squared coefficient of variation of solo revenue over a number of network blocks.

    With share h of the work and N blocks the blocks won are binomial, hence (1 - h) / (N h):
    for a small share, one over the expected number of blocks.
    """
    if share == 0.0 or blocks == 0.0:
        return math.inf
    return (1.0 - share) / (blocks * share)


def days_to_first_block(share: float) -> float:
    """Expected days until a solo miner finds a block, with blocks on target."""
    return math.inf if share == 0.0 else 1.0 / (share * BLOCKS_PER_DAY)


def chance_of_a_block(share: float, years: float) -> float:
    """Chance that a solo miner finds at least one block in some years, with blocks on target."""
    return -math.expm1(-share * BLOCKS_PER_YEAR * years)


def risk_premium(
    expected_usd: float, wealth_usd: float, relative_variance: float, risk_aversion: float = 2.0
) -> float:
    """Part of expected revenue that a miner would give up to be rid of its variance.

    Parameters
    ----------
    expected_usd : expected revenue over the miner's horizon.
    wealth_usd : liquid wealth; with none the premium has no bound.
    relative_variance : squared coefficient of variation of revenue over the horizon.
    risk_aversion : relative risk aversion.

    Notes
    -----
    The second-order (Arrow-Pratt) premium: half of risk aversion times variance over wealth.
    Above one the miner would not mine on these terms at all.
    """
    if relative_variance == 0.0 or expected_usd == 0.0:
        return 0.0
    if wealth_usd <= 0.0:
        return math.inf
    return 0.5 * risk_aversion * expected_usd / wealth_usd * relative_variance


class Solo(RewardScheme):
    """Each block to its finder: nobody runs it, promises anything or takes a cut."""

    def settle(self, income: Income) -> Settlement:
        """Pay the finders."""
        payouts = np.zeros(income.work.size, np.int64)
        np.add.at(payouts, income.finders, income.rewards_sat)
        return Settlement(payouts)

    def relative_variance(self, share: float, pool_share: float, blocks: float) -> float:
        """That of the blocks won, whoever else mines alone."""
        return solo_relative_variance(share, blocks)

    def expected_part(self, fair_subsidy_sat: float, fair_fees_sat: float) -> float:
        """All: there is no operator."""
        return 1.0
