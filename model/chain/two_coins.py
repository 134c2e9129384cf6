"""How hashrate divides between two coins of one algorithm, block by block."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit

from model.chain.blocks import Floats, _store, subsidy_sat, work_needed
from model.chain.branch import Branch, SplitChain, add_to_branch
from model.chain.chain import DayOfBlocks
from model.units import (
    HOURS_PER_DAY,
    SATOSHI_PER_COIN,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    blocks_per_second,
    logistic,
)

_ROOM_FOR_BLOCKS = 256

# Rows of every array that tells the coins apart.
COMPLIANT, FREE, NEITHER = 0, 1, -1
TEMPERATURE = 0.02


class Behaviour(IntEnum):
    """How the owner of a hash chooses between the two coins."""

    LOYAL_COMPLIANT = 0
    LOYAL_FREE = 1
    COERCED = 2
    FICKLE = 3
    AUTOMATIC = 4


class Payment(NamedTuple):
    """What a block of either coin pays today, beside its subsidy.

    Attributes
    ----------
    compliant_price_usd, free_price_usd : USD per coin.
    compliant_fees_btc, free_fees_btc : transaction fees of a block, in coins.
    """

    compliant_price_usd: float
    free_price_usd: float
    compliant_fees_btc: float
    free_fees_btc: float


class Offer(NamedTuple):
    """What a coin offers its miners.

    Attributes
    ----------
    reward_usd : subsidy and transaction fees of the next block.
    difficulty : of the next block.
    """

    reward_usd: float
    difficulty: float


class Pair(NamedTuple):
    """Both sides of a split, and the coin that fickle miners are on."""

    compliant: Branch
    free: Branch
    fickle_on_free: bool


class DayOfTwoCoins(NamedTuple):
    """What one day of mining brought on both sides of a split.

    Attributes
    ----------
    compliant, free : blocks of either side.
    hashrate_ths : shape (2, 5), the day's mean on each coin (`COMPLIANT`, `FREE`) by
        `Behaviour`; over the coins it adds up to the hashrate given.
    fickle_on_free : where fickle miners are at the end of the day.
    """

    compliant: DayOfBlocks
    free: DayOfBlocks
    hashrate_ths: Floats
    fickle_on_free: bool


def static_share(value_ratio: float) -> float:
    """Share of the hashrate on the free coin that leaves nobody a reason to switch, x/(1 + x).

    Parameters
    ----------
    value_ratio : price times block reward of the free coin over that of the other.

    References
    ----------
    Kwon, Kim, Shin and Kim 2019, "Bitcoin vs. Bitcoin Cash: Coexistence or Downfall of Bitcoin
    Cash?", section 4.
    """
    if not value_ratio >= 0.0:
        raise ValueError(f"a ratio of values is not negative, unlike {value_ratio}")
    return value_ratio / (1.0 + value_ratio) if value_ratio < math.inf else 1.0


@njit(cache=True)
def income(offer: Offer) -> float:
    """What a hash on a coin earns, in USD per unit of difficulty."""
    return offer.reward_usd / offer.difficulty


@njit(cache=True)
def automatic_share(compliant: Offer, free: Offer, temperature: float) -> float:
    """Share of automatic hashrate on the free coin.

    Parameters
    ----------
    compliant, free : what either coin offers.
    temperature : of the logit, relative to the mean income; 0 sends everyone to the better coin.

    Notes
    -----
    A logit with a size term, the log of what a block is worth: a coin twice the size holds twice
    as many miners who find it as good as the other.  Without the term, half of the hashrate would
    go to either coin at equal incomes, and the small coin would pay less for ever.

    References
    ----------
    McFadden 1978, "Modelling the choice of residential location", on aggregated alternatives.
    """
    gain = income(free) - income(compliant)
    if free.reward_usd == 0.0 or compliant.reward_usd == 0.0:
        return 1.0 if free.reward_usd > 0.0 else 0.0
    scale = temperature * (income(free) + income(compliant)) / 2.0
    if scale > 0.0:
        return logistic(gain / scale + math.log(free.reward_usd / compliant.reward_usd))
    if gain == 0.0:
        return free.reward_usd / (free.reward_usd + compliant.reward_usd)
    return 1.0 if gain > 0.0 else 0.0


@njit(cache=True)
def split_hash(
    hashrate_ths: Floats,
    compliant: Offer,
    free: Offer,
    fickle_on_free: bool,
    temperature: float,
) -> Floats:
    """Hashrate on each coin.

    Parameters
    ----------
    hashrate_ths : shape (5,), TH/s by `Behaviour`.
    compliant, free : what either coin offers.
    fickle_on_free : the coin that fickle miners chose when a difficulty last changed.
    temperature : of automatic miners' logit, relative to the mean income.

    Returns
    -------
    Shape (2, 5), TH/s on the compliant and on the free coin; the coins add up to what was given.
    """
    moved = np.zeros(hashrate_ths.size)
    moved[Behaviour.LOYAL_FREE] = 1.0
    moved[Behaviour.FICKLE] = 1.0 if fickle_on_free else 0.0
    moved[Behaviour.AUTOMATIC] = automatic_share(compliant, free, temperature)
    placed = np.empty((2, hashrate_ths.size))
    placed[FREE] = moved * hashrate_ths
    placed[COMPLIANT] = hashrate_ths - placed[FREE]
    return placed


@njit(cache=True)
def _offer(branch: Branch, price_usd: float, fees_btc: float) -> Offer:
    reward_btc = subsidy_sat(branch.tip.height) / SATOSHI_PER_COIN + fees_btc
    return Offer(reward_btc * price_usd, branch.tip.difficulty)


@njit(cache=True)
def offers(pair: Pair, payment: Payment) -> tuple[Offer, Offer]:
    """What the next block of the compliant and of the free coin offers."""
    return (
        _offer(pair.compliant, payment.compliant_price_usd, payment.compliant_fees_btc),
        _offer(pair.free, payment.free_price_usd, payment.free_fees_btc),
    )


@njit(cache=True)
def choose(pair: Pair, payment: Payment) -> Pair:
    """Fickle miners move to the better coin; they stay where they are when both pay the same."""
    compliant, free = offers(pair, payment)
    on_free = pair.fickle_on_free
    if income(free) != income(compliant):
        on_free = income(free) > income(compliant)
    return Pair(pair.compliant, pair.free, on_free)


@njit(cache=True)
def _add_to_pair(pair: Pair, coin: int, time_s: float, payment: Payment) -> Pair:
    """The pair after a block of one coin; fickle miners look up if its difficulty changed."""
    compliant, free, fickle_on_free = pair
    before = compliant.tip.difficulty, free.tip.difficulty
    if coin == FREE:
        free = add_to_branch(free, time_s)
    else:
        compliant = add_to_branch(compliant, time_s)
    pair = Pair(compliant, free, fickle_on_free)
    unchanged = before == (compliant.tip.difficulty, free.tip.difficulty)
    return pair if unchanged else choose(pair, payment)


@njit(cache=True)
def _rates(pair: Pair, placed_ths: Floats) -> Floats:
    """Blocks per second of the compliant and of the free coin."""
    rates = np.empty(2)
    rates[COMPLIANT] = blocks_per_second(placed_ths[COMPLIANT].sum(), pair.compliant.tip.difficulty)
    rates[FREE] = blocks_per_second(placed_ths[FREE].sum(), pair.free.tip.difficulty)
    return rates


@njit(cache=True)
def _next_block(needed: Floats, rates: Floats, left_s: float) -> tuple[int, float]:
    """The coin of the next block and the wait for it; neither if none comes in what is left."""
    coin, wait_s = NEITHER, left_s
    for candidate in (COMPLIANT, FREE):
        if needed[candidate] < rates[candidate] * wait_s:
            coin, wait_s = candidate, needed[candidate] / rates[candidate]
    return coin, wait_s


@njit(cache=True)
def find_on_both(
    pair: Pair,
    hashrate_ths_by_hour: Floats,
    payment: Payment,
    temperature: float,
    day: int,
    keys: tuple[np.uint64, np.uint64],
) -> tuple[Pair, Floats, Floats, Floats]:
    """Find the blocks of both coins in a day, one after the other.

    Automatic miners divide anew at every block of either coin and when the price or the
    hashrate changes, fickle ones only when a difficulty does.

    Parameters
    ----------
    pair : as the day before left it.
    hashrate_ths_by_hour : shape (24, 5), TH/s by `Behaviour`.
    payment : of the day.
    temperature : of automatic miners' logit, relative to the mean income.
    day, keys : the draws of the compliant and of the free coin depend on these alone.

    Returns
    -------
    The pair at the end of the day; the times of the day's blocks in seconds since day 0, and the
    coin of each; and the mean hashrate on each coin by behaviour, shape (2, 5).
    """
    times, coins = np.empty(_ROOM_FOR_BLOCKS), np.empty(_ROOM_FOR_BLOCKS)
    found = np.zeros(2, np.int64)
    needed = np.array([work_needed(keys[COMPLIANT], day, 0), work_needed(keys[FREE], day, 0)])
    worked = np.zeros((2, hashrate_ths_by_hour.shape[1]))
    now_s = day * SECONDS_PER_DAY
    for hour in range(HOURS_PER_DAY):
        end_s = day * SECONDS_PER_DAY + (hour + 1) * SECONDS_PER_HOUR
        coin = COMPLIANT
        while coin != NEITHER:
            compliant, free = offers(pair, payment)
            placed = split_hash(
                hashrate_ths_by_hour[hour], compliant, free, pair.fickle_on_free, temperature
            )
            rates = _rates(pair, placed)
            coin, wait_s = _next_block(needed, rates, end_s - now_s)
            worked += placed * wait_s
            needed -= rates * wait_s
            now_s += wait_s
            if coin != NEITHER:
                pair = _add_to_pair(pair, coin, now_s, payment)
                times = _store(times, found.sum(), now_s)
                coins = _store(coins, found.sum(), coin)
                found[coin] += 1
                needed[coin] = work_needed(keys[coin], day, found[coin])
        now_s = end_s
    blocks = found.sum()
    return pair, times[:blocks].copy(), coins[:blocks].copy(), worked / SECONDS_PER_DAY


def better_is_free(compliant: SplitChain, free: SplitChain, payment: Payment) -> bool:
    """Where fickle miners are when a split begins: on the better coin, at a tie where they were."""
    return bool(choose(Pair(compliant.branch, free.branch, False), payment).fickle_on_free)


def mine_two_coins(
    day: int,
    compliant: SplitChain,
    free: SplitChain,
    hashrate_ths_by_hour: Floats,
    payment: Payment,
    fickle_on_free: bool,
    temperature: float = TEMPERATURE,
) -> DayOfTwoCoins:
    """Find a day's blocks on both sides of a split and claim their coins.

    Parameters
    ----------
    hashrate_ths_by_hour : shape (24, 5), TH/s by `Behaviour`.
    payment : prices and transaction fees of the day.
    fickle_on_free : where yesterday left fickle miners; `better_is_free` on the first day.
    temperature : of automatic miners' logit, relative to the mean income; 0 sends all of them to
        the better coin.
    """
    _check(hashrate_ths_by_hour, payment, temperature)
    pair = Pair(compliant.branch, free.branch, fickle_on_free)
    pair, times, coins, mean_ths = find_on_both(
        pair, hashrate_ths_by_hour, payment, temperature, day, (compliant.key, free.key)
    )
    of_compliant, of_free = times[coins == COMPLIANT], times[coins == FREE]
    return DayOfTwoCoins(
        compliant.accept(day, pair.compliant, of_compliant, payment.compliant_fees_btc),
        free.accept(day, pair.free, of_free, payment.free_fees_btc),
        mean_ths,
        bool(pair.fickle_on_free),
    )


def _check(hashrate_ths_by_hour: Floats, payment: Payment, temperature: float) -> None:
    shape = (HOURS_PER_DAY, len(Behaviour))
    if hashrate_ths_by_hour.shape != shape:
        raise ValueError(f"hashrates have shape {shape}, not {hashrate_ths_by_hour.shape}")
    # Written so that NaN fails too: it would otherwise find no block and say nothing.
    if not (hashrate_ths_by_hour.min() >= 0.0 and hashrate_ths_by_hour.max() < math.inf):
        raise ValueError("hashrate must be finite and not negative in every hour")
    if not all(0.0 <= paid < math.inf for paid in payment):
        raise ValueError(f"prices and transaction fees are finite and not negative: {payment}")
    if not 0.0 <= temperature < math.inf:
        raise ValueError(f"temperature must be finite and not negative, not {temperature}")
