"""Claims about pools that operators run, and what they say of pools that nobody runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from model.rewards.pool import reserve_for_ruin
from model.rewards.solo import (
    chance_of_a_block,
    days_to_first_block,
    risk_premium,
    solo_relative_variance,
)
from model.rewards.variance import (
    covenant_relative_variance,
    last_shares_relative_variance,
    squared_claims,
)
from model.rewards.withholding import (
    best_attack,
    covenant_revenue,
    last_shares_revenue,
    operator_margin,
    ruinous_infiltration,
)
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR, TERAHASH_PER_EXAHASH
from study.claim import Claim, Finding, Results, verdict
from study.claims_costs import HASHRATE_EHS, NEW_MACHINE_THS, PRICE_USD, REWARD_BTC, flip

BLOCK_USD = REWARD_BTC * PRICE_USD
BLOCKS_PER_YEAR = BLOCKS_PER_DAY * DAYS_PER_YEAR
MACHINE_YEARS = 4.0
WEALTH_USD_EHS = 1e8  # liquid wealth of a miner for its hashrate, assumed
# The covenant pool that claims suppose: half of the network, three days of all blocks.
COVENANT_SHARE, WINDOW_BLOCKS = 0.5, 432
POSTED_CUT = 0.01  # of PPLNS pools
OPERATOR_CUT, RUIN_CHANCE = 0.02, 0.001  # of a pool that pays every share


def word(values: Sequence[float], form: str = ".2f") -> str:
    """Numbers in a row."""
    return ", ".join(format(value, form) for value in values)


# Who gets in


def a_block_to_enter(_: Results) -> Finding:
    """How long a miner waits until it finds the block that lets it in."""
    machine = NEW_MACHINE_THS / TERAHASH_PER_EXAHASH / HASHRATE_EHS
    sizes_ehs = (0.001, 0.1, 1.0, 10.0)
    days = [days_to_first_block(size / HASHRATE_EHS) for size in sizes_ehs]
    years = days_to_first_block(machine) / DAYS_PER_YEAR
    chance = chance_of_a_block(machine, MACHINE_YEARS)
    life_ehs = HASHRATE_EHS / (BLOCKS_PER_YEAR * MACHINE_YEARS)
    window_ehs = HASHRATE_EHS * COVENANT_SHARE / WINDOW_BLOCKS
    return Finding(
        verdict(years > MACHINE_YEARS, years < 1.0),
        f"{word([size * 1000 for size in sizes_ehs], 'g')} PH/s wait {word(days, '.4g')} days for "
        f"their first block at {HASHRATE_EHS:.0f} EH/s, one machine of {NEW_MACHINE_THS:.0f} TH/s "
        f"{years:.1f} years: with chance {chance:.2%} it finds one in {MACHINE_YEARS:.0f} years",
        "on size, by the rule that only blocks are paid: the wait is as long as a machine lives at "
        f"{life_ehs * 1000:.1f} PH/s; a block every {WINDOW_BLOCKS} of a pool with half of the "
        f"hashrate, which keeps a member in the window, takes {window_ehs:.2f} EH/s",
    )


# Withholding


def covenants_end_withholding(_: Results) -> Finding:
    """What withholding earns where an operator shares blocks or pays shares, and where none is."""
    pairs = ((0.1, 0.2), (0.2, 0.3), (0.05, 0.3))
    attacks = [best_attack(*pair) for pair in pairs]
    gains = [attack.gain for attack in attacks]
    withheld = np.linspace(0.0, 1.0, 101)[1:]
    covenant = [
        max(covenant_revenue(attacker, attacker * part) / attacker - 1.0 for part in withheld)
        for attacker, _ in pairs
    ]
    margin = operator_margin(0.2, attacks[0].infiltration, OPERATOR_CUT)
    limit = ruinous_infiltration(0.2, OPERATOR_CUT)
    with_cut = [best_attack(*pair, OPERATOR_CUT).gain for pair in pairs]
    at_once = _before_retarget(*pairs[0], attacks[0].infiltration)
    return Finding(
        verdict(max(covenant) < 0.0 < min(gains), max(covenant) > 0.0),
        f"an attacker with {word([100 * pair[0] for pair in pairs], 'g')} % of the hashrate gains "
        f"{word([100 * gain for gain in gains])} % by withholding in a PPLNS pool of "
        f"{word([100 * pair[1] for pair in pairs], 'g')} %, whose members lose "
        f"{word([100 * attack.victim_loss for attack in attacks], '.1f')} %; a PPS operator with "
        f"20 % and a cut of {OPERATOR_CUT:.0%} keeps {100 * margin:.2f} % of the network's revenue "
        f"instead of {100 * operator_margin(0.2, 0.0, OPERATOR_CUT):.2f} %; under a covenant "
        f"withholding loses whatever its size, {word([-100 * best for best in covenant])} % where "
        "only a hundredth of the attacker's hashrate does it",
        "by construction, as only blocks are paid; where an operator shares, on its cut being "
        f"smaller than the attacker's part of the hashrate (at {OPERATOR_CUT:.0%} the gains are "
        f"{word([100 * gain for gain in with_cut])} %) and on difficulty: until it follows, "
        f"the first attacker loses {-100 * at_once:.2f} %; that PPS operator is ruined for sure "
        f"from {limit:.2%} of the hashrate withheld",
    )


def _before_retarget(attacker: float, victim: float, infiltration: float) -> float:
    """Gain by the same infiltration while difficulty is what it was."""
    later = last_shares_revenue(attacker, victim, infiltration)
    return later * (1.0 - infiltration) / attacker - 1.0


# Pools that somebody runs, beside one that nobody does


def premium(hashrate_ehs: float, relative_variance: float, days: float) -> float:
    """Part of its revenue that a miner gives up for its variance over some days."""
    blocks = BLOCKS_PER_DAY * days
    expected_usd = hashrate_ehs / HASHRATE_EHS * blocks * BLOCK_USD
    return risk_premium(expected_usd, hashrate_ehs * WEALTH_USD_EHS, relative_variance)


def premium_in_pool(pool_ehs: float, days: float = DAYS_PER_YEAR) -> float:
    """That of any member of a PPLNS pool of a given size, whose shares are fine."""
    blocks, pool = BLOCKS_PER_DAY * days, pool_ehs / HASHRATE_EHS
    return premium(1.0, last_shares_relative_variance(pool, pool, blocks, 0.0), days)


def least_without_operator(cut: float, days: float, window_blocks: int = 0) -> float:
    """Hashrate, EH/s, from which a member does better without an operator that takes a cut.

    Parameters
    ----------
    days : over which revenue is to be smooth.
    window_blocks : of a covenant pool that it turns to; without one it mines alone.
    """
    blocks = BLOCKS_PER_DAY * days

    def gain(hashrate_ehs: float) -> float:
        share = hashrate_ehs / HASHRATE_EHS
        variance = solo_relative_variance(share, blocks)
        if window_blocks > 0:
            variance = covenant_relative_variance(
                share, COVENANT_SHARE, blocks, window_blocks, shared=1.0
            )
        return cut - premium(hashrate_ehs, variance, days)

    return flip(gain, 1e-3, 10.0)


def reserve_needed_by_feeder(pool: float, window_blocks: float) -> float:
    """Reserve that a PPS operator needs whose members' blocks are a covenant's, over that alone.

    Notes
    -----
    A reserve is lost, if it is, within some ``ln(1/delta) / (2 phi**2)`` blocks of the pool; what
    matters is how far the luck of so many is evened out by the window.
    """
    own_blocks = math.log(1.0 / RUIN_CHANCE) / (2.0 * OPERATOR_CUT**2)
    covenant_blocks = own_blocks * COVENANT_SHARE / pool
    return squared_claims(covenant_blocks, window_blocks, 1.0) / covenant_blocks


def trusted_pools(_: Results) -> Finding:
    """What a pool with an operator bears by its size, and who still needs one."""
    pools_ehs = (0.5, 5.0, 50.0, 250.0)
    premiums = [premium_in_pool(size) for size in pools_ehs]
    reserve_btc = reserve_for_ruin(REWARD_BTC, OPERATOR_CUT, RUIN_CHANCE)
    cuts_btc_yr = [
        OPERATOR_CUT * REWARD_BTC * BLOCKS_PER_YEAR * e / HASHRATE_EHS for e in pools_ehs
    ]
    days = (1.0, 7.0, 30.0, DAYS_PER_YEAR)
    alone = least_without_operator(POSTED_CUT, DAYS_PER_YEAR)
    with_covenant = [least_without_operator(POSTED_CUT, d, WINDOW_BLOCKS) for d in days]
    feeder = reserve_needed_by_feeder(0.01, WINDOW_BLOCKS)
    small, safer = premiums[1] < POSTED_CUT, feeder < 0.9
    horizon = flip(lambda d: _spared(alone, d), 1.0, DAYS_PER_YEAR)
    half = flip(lambda blocks: reserve_needed_by_feeder(0.01, blocks) - 0.5, 1.0, 1e7)
    return Finding(
        verdict(small and safer, not small and not safer),
        f"of pools with {word(pools_ehs, 'g')} EH/s a PPS operator needs the same "
        f"{reserve_btc:.0f} BTC (cut {OPERATOR_CUT:.0%}, chance of ruin {RUIN_CHANCE:.1%}), "
        f"{word([reserve_btc / cut for cut in cuts_btc_yr], '.1f')} years of its cut, and "
        f"{feeder:.2%} of it if a pool of 1 % feeds a covenant; in PPLNS pools of these sizes "
        f"members bear the risk, and give up {word([100 * each for each in premiums], '.3f')} % of "
        f"revenue for it; an operator that takes {POSTED_CUT:.0%} is needed below "
        f"{alone:.3f} EH/s by who would mine alone, and beside a covenant below "
        f"{word(with_covenant, '.3f')} by who counts in days, weeks, months, years",
        "on the scheme and on the horizon: small pools do where members bear the luck, not where "
        "an operator pays every share, whose reserve grows with the reward and not with the pool; "
        f"the covenant spares it half from a window of {half:,.0f} blocks on "
        f"({half / COVENANT_SHARE / BLOCKS_PER_YEAR:.0f} years), and takes a tenth of the members' "
        f"sizes off operators where they look ahead {horizon:.0f} days or less; wealth of "
        f"{WEALTH_USD_EHS / TERAHASH_PER_EXAHASH:.0f} USD/TH is assumed",
    )


def _spared(alone_ehs: float, days: float) -> float:
    """Least size that does without an operator beside a covenant, above nine tenths of alone."""
    return least_without_operator(POSTED_CUT, days, WINDOW_BLOCKS) - 0.9 * alone_ehs


CLAIMS = (
    Claim(
        "C40", "who would be paid by the covenant pool must first mine a block",
        "`days_to_first_block`, `chance_of_a_block` of `model/rewards/solo.py`",
        "test_rewards.py::test_days_to_the_first_block",
        a_block_to_enter,
    ),
    Claim(
        "C41", "the covenant pool does away with block withholding",
        "`model/rewards/withholding.py`",
        "test_pools.py::test_withholding_gains_nothing_where_only_blocks_are_paid",
        covenants_end_withholding,
    ),
    Claim(
        "C42", "pools that must be trusted would be smaller and bear less risk",
        "`reserve_for_ruin` of `model/rewards/pool.py`, `model/rewards/variance.py`",
        "test_pools.py::test_feeding_a_covenant_spares_an_operator_little_of_its_reserve",
        trusted_pools,
    ),
)  # fmt: skip
