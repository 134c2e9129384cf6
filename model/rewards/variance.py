"""How much a member's revenue varies under each scheme: the closed forms."""

from __future__ import annotations

import math

from model.rewards.solo import solo_relative_variance


def share_noise(share: float, blocks: float, share_difficulty: float) -> float:
    """Squared coefficient of variation of the number of shares that a member finds.

    Parameters
    ----------
    share : of the network's work, the member's.
    blocks : network blocks of the period.
    share_difficulty : difficulty of a share over that of a block.

    Notes
    -----
    Shares found are Poisson, so that this is one over their expected number.
    """
    if share == 0.0 or blocks == 0.0:
        return math.inf
    return share_difficulty / (blocks * share)


def paid_shares_relative_variance(share: float, blocks: float, share_difficulty: float) -> float:
    """Squared coefficient of variation under PPS and FPPS: the operator bears all but shares."""
    return share_noise(share, blocks, share_difficulty)


def last_shares_relative_variance(
    share: float, pool_share: float, blocks: float, share_difficulty: float
) -> float:
    """Squared coefficient of variation under PPLNS.

    The luck of the pool, as of one miner with all its work, and the noise of shares.
    """
    pool = solo_relative_variance(pool_share, blocks)
    return pool + share_noise(share, blocks, share_difficulty)


def covenant_variance_per_block(
    share: float, pool_share: float, window_blocks: float, shared: float
) -> float:
    """Variance of what one network block pays a member of a covenant pool, in squared rewards.

    Parameters
    ----------
    share, pool_share : of the network's work: the member's, and the whole pool's with it.
    window_blocks : L, pool blocks that a block pays; a window of less than one block is as of one.
    shared : sigma, the part of a block that is paid to the window.

    Notes
    -----
    With S the pool's share and p the member's part of the pool, a pool block (chance S) pays the
    member ``(1 - sigma)`` if it found it and sigma times its part of the window, whose mean is p
    and whose variance p (1 - p) / L.
    """
    if share == 0.0:
        return 0.0
    window = max(window_blocks, 1.0)
    part, kept = share / pool_share, 1.0 - shared
    squared_part = part**2 + part * (1.0 - part) / window
    second_moment = kept**2 * part + 2.0 * shared * kept * part**2 + shared**2 * squared_part
    return pool_share * second_moment - share**2


def squared_claims(pool_blocks: float, window_blocks: float, shared: float) -> float:
    """Sum, over all blocks, of the square of what each earns its finder in a period, in rewards.

    Parameters
    ----------
    pool_blocks : M, blocks that the pool finds in the period; between whole numbers the line.
    window_blocks : L, pool blocks that a block pays.
    shared : sigma, the part of a block that is paid to the window.

    Notes
    -----
    A block of the period keeps ``1 - sigma`` and gets ``sigma / L`` from each of the L blocks
    that follow it within the period; so does each of the L blocks before the period.  With
    ``K = min(L, M)``, blocks before it add ``sigma**2 / L**2`` times the squares of 1 to K and
    ``L - K`` times that of K; of its own blocks the last K add the squares of
    ``1 - sigma + sigma t / L`` for t below K, the others one each.  At ``sigma = 1`` the sum is
    ``M - L/3 + 1/(3 L)`` for M of L or more, else ``M**2/L - (M**3 - M)/(3 L**2)``.
    """
    whole = math.floor(pool_blocks)
    left = pool_blocks - whole
    below = _squared_claims(whole, window_blocks, shared)
    return below + left * (_squared_claims(whole + 1, window_blocks, shared) - below)


def _squared_claims(blocks: int, window_blocks: float, shared: float) -> float:
    """The sum for a whole number of blocks."""
    window, kept = max(window_blocks, 1.0), 1.0 - shared
    cut_off = min(window, float(blocks))
    each = shared / window
    before = each**2 * (_squares(cut_off) + (window - cut_off) * cut_off**2)
    last = cut_off * kept**2 + kept * each * cut_off * (cut_off - 1.0)
    last += each**2 * _squares(cut_off - 1.0)
    return before + last + blocks - cut_off


def _squares(last: float) -> float:
    """Sum of the squares of 1 to `last`."""
    return last * (last + 1.0) * (2.0 * last + 1.0) / 6.0


def covenant_relative_variance(
    share: float, pool_share: float, blocks: float, window_blocks: float, shared: float
) -> float:
    """Squared coefficient of variation of a covenant member's revenue, from a full window on.

    Parameters
    ----------
    share, pool_share : of the network's work: the member's, and the whole pool's with it.
    blocks : N, network blocks of the period.
    window_blocks : L, pool blocks that a block pays.
    shared : sigma, the part of a block that is paid to the window.

    Notes
    -----
    Who found the blocks that pay in the period, ``p (1 - p) squared_claims(N S)``, and how many
    the pool finds, ``h**2 N (1 - S) / S`` as under PPLNS, over ``(N h)**2``.  After one network
    block it is `covenant_variance_per_block`; over many windows it comes to that of mining alone.
    """
    if share == 0.0 or blocks == 0.0:
        return math.inf
    part = share / pool_share
    finders = part * (1.0 - part) * squared_claims(blocks * pool_share, window_blocks, shared)
    return finders / (blocks * share) ** 2 + solo_relative_variance(pool_share, blocks)
