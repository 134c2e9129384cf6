"""Claims about the covenant pool: what it smooths, what leaves it, and who feeds it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.rewards.covenant import (
    Covenant,
    Feeder,
    graduation_share,
    highest_reward_shared,
    risk_benefit,
)
from model.rewards.covenant_script import Pair, Replication, corrected, literal
from model.rewards.pool import PayPerLastShares
from model.rewards.scheme import CovenantTerms, Income, Terms
from model.rewards.solo import risk_premium, solo_relative_variance
from model.rewards.variance import (
    covenant_relative_variance,
    last_shares_relative_variance,
    share_noise,
)
from model.streams import Streams
from model.units import BLOCK_TARGET_S as BLOCK_S
from model.units import (
    BLOCKS_PER_DAY,
    DAYS_PER_YEAR,
    SATOSHI_PER_COIN,
)
from study.claim import Claim, Finding, Results, verdict
from study.claims_chain import word
from study.claims_costs import HASHRATE_EHS, flip
from study.claims_pools import (
    BLOCK_USD,
    COVENANT_SHARE,
    POSTED_CUT,
    WEALTH_USD_EHS,
    WINDOW_BLOCKS,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MEMBER_SHARE = 0.01  # of the network, of a member that is looked at
TERMS = CovenantTerms(blocks=WINDOW_BLOCKS)
YEAR_BLOCKS = BLOCKS_PER_DAY * DAYS_PER_YEAR
WINDOW_DAYS = WINDOW_BLOCKS / COVENANT_SHARE / BLOCKS_PER_DAY
SUBSIDY_SAT = 312_500_000
# Deviation of the log of transaction fees over time, of the model's own process (A.4).
FEES_BTC, FEES_SPREAD = 0.03, 0.15 / math.sqrt(1.0 - 0.97**2)
FEE_BLOCKS = 20_000
FEEDER_SHARE = 0.05
MACHINE_J_TH = 17.5  # of new machines; a J/TH at an EH/s is a megawatt


# Smoothing


def deviation_left(days: float, shared: float = 1.0) -> float:
    """Deviation of a member's revenue over some days, over that of mining alone."""
    blocks = days * BLOCKS_PER_DAY
    pooled = covenant_relative_variance(MEMBER_SHARE, COVENANT_SHARE, blocks, WINDOW_BLOCKS, shared)
    return math.sqrt(pooled / solo_relative_variance(MEMBER_SHARE, blocks))


@cache
def scripts() -> tuple[Replication, Replication]:
    """The published script as it was and with its worst faults mended."""
    return literal(), corrected()


def less_variance(_: Results) -> Finding:
    """How much deviation sharing takes away, over a block, a window, a month and a year."""
    horizons = (1.0 / BLOCKS_PER_DAY, 1.0, WINDOW_DAYS, 30.0, DAYS_PER_YEAR)
    left = [deviation_left(days) for days in horizons]
    shares = last_shares_relative_variance(MEMBER_SHARE, COVENANT_SHARE, YEAR_BLOCKS, 1e-7)
    easy = math.sqrt(shares / solo_relative_variance(MEMBER_SHARE, YEAR_BLOCKS))
    half = flip(lambda days: deviation_left(days) - 0.5, 0.01, 100.0)
    most = flip(lambda days: deviation_left(days) - 0.95, 0.01, 1000.0)
    was, mended = scripts()
    return Finding(
        verdict(left[-1] < 0.5, left[0] > 0.9),
        f"with {MEMBER_SHARE:.0%} of the network in a pool of {COVENANT_SHARE:.0%} and a window of "
        f"{WINDOW_BLOCKS} blocks ({WINDOW_DAYS:.0f} days) a member has {word(left)} of a lone "
        "miner's deviation over a block, a day, a window, a month, a year; with shares easier than "
        f"blocks {easy:.2f} over a year; the published script, run again, has {was.ratio:.3f} over "
        f"a block ({mended.ratio:.3f} mended), but {_both(was.cumulative)} (mended "
        f"{_both(mended.cumulative)}) of all revenue in the end, sharing and alone",
        f"on the horizon: half of the deviation goes up to {half:.1f} days, less than a twentieth "
        f"from {most:.0f} days on; to smooth a horizon the window must hold the blocks that the "
        "pool finds in it",
    )


def _both(pair: Pair) -> str:
    return f"{pair.sharing:.4f} and {pair.solo:.4f}"


# What leaves


@cache
def fees_sat() -> Floats:
    """Transaction fees of many blocks, as the model's own process spreads them over time."""
    draw = Streams(1).generator("fees of covenant blocks")
    logs = FEES_SPREAD * draw.standard_normal(FEE_BLOCKS)
    return np.floor(FEES_BTC * SATOSHI_PER_COIN * np.exp(logs)).astype(np.float64)


def part_kept(benefit: float, fees: Floats, halving_s: float = math.inf) -> Floats:
    """One for each of these blocks that leaves a pool in which finders may choose, else nought."""
    terms = replace(TERMS, choice="per_block", risk_benefit=benefit)
    pool = Covenant(Terms(covenant=terms))
    pool.halving_s = halving_s
    whole = np.zeros(fees.size, np.int64)
    times = BLOCK_S * np.arange(1.0, fees.size + 1.0)
    found = Income(
        np.ones(1), whole, whole + SUBSIDY_SAT, fees.astype(np.int64), times,
        float(SUBSIDY_SAT), float(fees.mean()),
    )  # fmt: skip
    return (~pool.shared_blocks(found)).astype(np.float64)


def kept_before_halving(benefit: float) -> float:
    """Part of the last window before a halving that leaves; its fees are all alike."""
    fees = np.full(2 * WINDOW_BLOCKS, FEES_BTC * SATOSHI_PER_COIN)
    halving_s = BLOCK_S * (fees.size + 0.5)
    return float(part_kept(benefit, fees, halving_s)[-WINDOW_BLOCKS:].mean())


def part_still_shared(benefit: float) -> float:
    """Part of the blocks that are shared once finders have learnt which ones are."""
    rewards = fees_sat() + SUBSIDY_SAT
    highest = highest_reward_shared(rewards, benefit * float(rewards.mean()))
    return float((rewards <= highest).mean())


def benefit_of(size_ehs: float) -> float:
    """Part of its revenue that smoothing within a window is worth to a miner of a size."""
    share, blocks = size_ehs / HASHRATE_EHS, WINDOW_DAYS * BLOCKS_PER_DAY
    revenue, wealth = share * blocks * BLOCK_USD, WEALTH_USD_EHS * size_ehs
    return risk_benefit(share, COVENANT_SHARE, blocks, TERMS, revenue, wealth)


def a_choice_per_block(_: Results) -> Finding:
    """Which blocks are not shared if each finder chooses."""
    fees = fees_sat()
    sizes = (10.0, 1.0, 0.1)
    benefits = [0.0, *(benefit_of(size) for size in sizes)]
    leave = [float(part_kept(benefit, fees).mean()) for benefit in benefits]
    before = [kept_before_halving(benefit) for benefit in benefits]
    learnt = [part_still_shared(benefit) for benefit in benefits]
    stay = flip(lambda benefit: part_still_shared(benefit) - 0.5, 0.0, 0.1)
    half = flip(lambda benefit: kept_before_halving(benefit) - 0.5, 0.0, 1.0)
    return Finding(
        verdict(max(learnt) < 0.5, max(leave[0], before[0]) < 0.05),
        f"smoothing within a window is worth {word([100 * b for b in benefits[1:]], '.2f')} % of "
        f"revenue to miners of {word(sizes, 'g')} EH/s; without any benefit and with these, "
        f"{word([100 * part for part in leave], '.0f')} % of blocks leave for their transaction "
        f"fees, {word([100 * part for part in learnt], '.0f')} % are shared once finders have "
        f"learnt that the poorer ones are, and {word([100 * part for part in before], '.0f')} % of "
        "the last window before a halving leave",
        "on a choice per block (members of the default pool share all), and on what smoothing is "
        f"worth: from {100 * stay:.1f} % of a block on most blocks stay shared, from "
        f"{100 * half:.0f} % on most of those before a halving",
    )


# Feeders


def in_feeder(share: float, blocks: float) -> float:
    """Squared deviation, relative, of who has a share of the network in a feeder that shares.

    What the covenant pays the feeder, and the noise of the member's own shares.
    """
    feeder = covenant_relative_variance(
        FEEDER_SHARE, COVENANT_SHARE, blocks, WINDOW_BLOCKS, TERMS.shared
    )
    return feeder + share_noise(share, blocks, Terms().share_difficulty)


def worth_of_staying(size_ehs: float) -> float:
    """Part of a year's revenue that a feeder's smoothness is worth, over the covenant's."""
    share, wealth = size_ehs / HASHRATE_EHS, WEALTH_USD_EHS * size_ehs
    revenue = share * YEAR_BLOCKS * BLOCK_USD
    direct = covenant_relative_variance(
        share, COVENANT_SHARE, YEAR_BLOCKS, WINDOW_BLOCKS, TERMS.shared
    )
    premiums = [
        risk_premium(revenue, wealth, variance)
        for variance in (direct, in_feeder(share, YEAR_BLOCKS))
    ]
    return premiums[0] - premiums[1]


@cache
def fed(members: int = 50, months: int = 240) -> tuple[float, float]:
    """Simulated deviation of a member's month in a feeder and alone, in the pools themselves.

    The feeder is one member of the covenant pool, with equal members of its own.
    """
    draw, work = Streams(1).generator("feeder"), np.full(members, 1.0 / members)
    others = round(COVENANT_SHARE / FEEDER_SHARE)
    covenant = Covenant(Terms(covenant=TERMS))
    feeder = Feeder(0, PayPerLastShares(Terms()))
    blocks = 30 * BLOCKS_PER_DAY
    found = draw.binomial(blocks, COVENANT_SHARE, months + 1)
    paid, alone = np.zeros(months + 1), np.zeros((months + 1, members))
    for month, count in enumerate(found):
        finders = draw.integers(0, others, count)
        settled = covenant.settle(_equal_blocks(finders, others))
        paid[month] = feeder.settle(work, settled, 0.0).payouts_sat[0]
        own = draw.integers(0, members, np.count_nonzero(finders == 0))
        alone[month] = np.bincount(own, minlength=members)
    # The first month fills the window.
    each = FEEDER_SHARE * blocks / members
    pooled = np.sqrt(np.mean((paid[1:] / (each * SUBSIDY_SAT) - 1.0) ** 2))
    return float(pooled), float(np.sqrt(np.mean((alone[1:] / each - 1.0) ** 2)))


def _equal_blocks(finders: Integers, members: int) -> Income:
    """Blocks without transaction fees."""
    none = np.zeros(finders.size, np.int64)
    times = BLOCK_S * np.arange(1.0, finders.size + 1.0)
    return Income(np.zeros(members), finders, none + SUBSIDY_SAT, none, times, SUBSIDY_SAT, 0.0)


def trusted_feeders(_: Results) -> Finding:
    """When members of a feeder mine in the covenant pool themselves, and what they lose by it."""
    waits = (1.0, 7.0, 30.0)
    sizes = [graduation_share(days) * HASHRATE_EHS for days in waits]
    power = [size * MACHINE_J_TH for size in sizes]
    inside, alone = fed()
    worth = [worth_of_staying(size) for size in sizes]
    leaves = flip(lambda size: worth_of_staying(size) - POSTED_CUT, 1e-3, 100.0)
    wait = 1.0 / (leaves / HASHRATE_EHS * BLOCKS_PER_DAY)
    return Finding(
        verdict(inside < 0.5 * alone and max(worth) < POSTED_CUT, inside > 0.9 * alone),
        f"who waits at most {word(waits, '.0f')} days for a block graduates at "
        f"{word(sizes)} EH/s ({word(power, '.0f')} MW of new machines); a thousandth of the "
        f"network in a feeder of {FEEDER_SHARE:.0%} has a month's deviation of {inside:.2f}, alone "
        f"{alone:.2f} (simulated); at those sizes the feeder's smoothness over a year is worth "
        f"{word([100 * each for each in worth])} % of revenue more than the covenant's own",
        f"on the operator cut ({POSTED_CUT:.0%}): in the covenant pool a miner fares over a year "
        f"as alone, so that with wealth of 100 million USD an EH/s only those from {leaves:.1f} "
        f"EH/s on, who wait {wait:.1f} days or less, gain by graduating",
    )


CLAIMS = (
    Claim(
        "C39", "sharing blocks reduces the variance that a miner is exposed to",
        "`covenant_relative_variance`, `model/rewards/covenant_script.py`",
        "test_covenant.py::test_over_many_windows_a_member_fares_as_alone",
        less_variance,
    ),
    Claim(
        "C63", "sharing is a choice per block: the better blocks may leave, and those before a "
        "halving",
        "`Covenant` with a choice per block, `highest_reward_shared`",
        "test_covenant.py::test_blocks_before_a_halving_leave_and_those_after_it_return",
        a_choice_per_block,
    ),
    Claim(
        "C64", "pools that must be trusted feed the covenant pool: members leave as they grow",
        "`Feeder`, `graduates` of `model/rewards/covenant.py`",
        "test_covenant.py::test_a_feeder_pays_its_members_all_that_the_covenant_pays_it",
        trusted_feeders,
    ),
)  # fmt: skip
