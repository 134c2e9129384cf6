"""What pools do for variance, what they cost who runs them, and what withholding does to them."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numba import njit
from scipy.optimize import brentq, minimize_scalar

from model.rewards.pool import (
    FullPayPerShare,
    PayPerLastShares,
    PayPerShare,
    reserve_for_ruin,
    ruin_chance,
)
from model.rewards.scheme import Income, Terms
from model.rewards.solo import Solo, risk_premium, solo_relative_variance
from model.rewards.variance import (
    covenant_relative_variance,
    covenant_variance_per_block,
    last_shares_relative_variance,
    paid_shares_relative_variance,
    squared_claims,
)
from model.rewards.withholding import (
    best_attack,
    best_infiltration,
    covenant_revenue,
    last_shares_revenue,
    operator_margin,
    paid_shares_revenue,
    ruinous_infiltration,
    victim_revenue,
)
from model.streams import Streams
from study import claims_pools

REWARD_SAT = 315_500_000
NETWORK_EHS, BLOCK_USD, BLOCKS_A_YEAR = 850.0, 262e3, 52_596
USD_PER_EHS = 1e8  # wealth of a miner for its hashrate

parts = some.floats(0.001, 0.999)
windows = some.integers(1, 60)


def period(work, finders, reward_sat=REWARD_SAT):
    """What comes in when blocks pay all the same."""
    finders = np.asarray(finders, np.int64)
    return Income(
        np.asarray(work, float), finders, np.full(finders.size, reward_sat),
        np.zeros(finders.size, np.int64), np.arange(finders.size) * 600.0, float(reward_sat), 0.0,
    )  # fmt: skip


def errors(sample):
    """Variance of a sample and its standard error."""
    spread = sample - sample.mean()
    variance = (spread**2).mean()
    return variance, math.sqrt(((spread**4).mean() - variance**2) / sample.size)


# Ruin of who pays every share


def test_the_reserve_of_the_oracle():
    assert reserve_for_ruin(3.155, 0.02, 0.001) == pytest.approx(545.0, abs=0.5)
    assert reserve_for_ruin(3.155, 0.02, 1.0) == 0.0
    assert reserve_for_ruin(3.155, 0.0, 0.5) == math.inf
    with pytest.raises(ValueError, match="chance"):
        reserve_for_ruin(3.155, 0.02, 0.0)


@given(some.floats(1e-5, 0.01), some.floats(1e-6, 0.9))
def test_the_reserve_is_right_to_first_order_in_the_cut(cut, chance):
    reserve = reserve_for_ruin(1.0, cut, chance)
    assert ruin_chance(reserve, 1.0, cut) == pytest.approx(chance ** (1.0 + 2.0 / 3.0 * cut), 1e-3)


@given(some.floats(0.0, 500.0), some.floats(1e-4, 0.8))
def test_ruin_is_less_likely_with_more_reserve_or_cut(reserve, cut):
    chance = ruin_chance(reserve, 1.0, cut)
    assert 0.0 <= chance <= 1.0
    assert ruin_chance(reserve + 1.0, 1.0, cut) <= chance
    assert ruin_chance(reserve, 1.0, cut + 0.1) <= chance
    assert ruin_chance(reserve, 1.0, 0.0) == 1.0


@njit
def ruined_paths(generator, paths, reserve, cut, enough):
    """How many reserves, in rewards, that pay shares steadily are ever empty."""
    ruined = 0
    for _ in range(paths):
        left = reserve
        while left < enough:
            left -= (1.0 - cut) * generator.standard_exponential()
            if left <= 0.0:
                ruined += 1
                break
            left += 1.0
    return ruined


@pytest.mark.parametrize(("cut", "chance"), [(0.05, 0.05), (0.04, 0.2), (0.10, 0.01)])
def test_ruin_of_an_operator_that_saves_its_cut(cut, chance):
    paths, reserve = 12_000, reserve_for_ruin(1.0, cut, chance)
    generator = Streams(17).generator(f"ruin at {cut}")
    # From there the chance of ruin is below one in ten thousand.
    enough = reserve_for_ruin(1.0, cut, 1e-4)
    found = ruined_paths(generator, paths, reserve, cut, enough) / paths
    exact = ruin_chance(reserve, 1.0, cut)
    assert abs(found - exact) <= 3.0 * math.sqrt(exact * (1.0 - exact) / paths) + 1e-4
    # The formula is on the safe side, and not by much.
    assert exact < chance < exact ** (1.0 - cut)


def test_ruin_of_pools_before_they_draw_their_cut():
    pools, cut, reserve = 900, 0.1, 6.0
    generator = Streams(23).generator("ruined pools")
    terms = Terms(cut=cut, reserve_sat=int(reserve * REWARD_SAT))
    ruined = 0
    for _ in range(pools):
        scheme = PayPerShare(terms)
        for _ in range(2000):
            # From block to block; the reserve is looked at when a block has come.
            drawn = scheme.settle(period([generator.exponential()], [0])).cut_sat
            if scheme.ruined or drawn > 0:
                break
        assert scheme.ruined or drawn > 0
        ruined += scheme.ruined
    # Optional stopping: what is owed beyond the reserve is exponential, which gives one reward
    # more to lose; when the cut is drawn the reserve passes its double by at most a reward.
    start, ruin = ruin_chance(reserve, 1.0, cut), 1.0 / ruin_chance(1.0, 1.0, cut)
    tops = [ruin_chance(2.0 * reserve + past, 1.0, cut) for past in (0.0, 1.0)]
    low, high = ((start - top) / (ruin - top) for top in tops)
    error = 3.0 * math.sqrt(high * (1.0 - high) / pools)
    assert low - error <= ruined / pools <= high + error


@pytest.mark.parametrize("scheme", [PayPerShare, FullPayPerShare])
def test_reserves_of_the_oracle_last_for_ten_years(scheme):
    generator, share = Streams(29).generator("ten years"), 0.3
    reserve = reserve_for_ruin(REWARD_SAT, 0.02, 0.001)
    pool = scheme(Terms(cut=0.02, reserve_sat=int(reserve)))
    for _ in range(520):
        blocks = generator.binomial(1008, share)
        pool.settle(period([share * 1008], np.zeros(blocks)))
    assert not pool.ruined
    assert pool.reserve_sat > 0.5 * reserve


@njit
def ruined_feeders(generator, paths, reserve, cut, part, window, enough):
    """As `ruined_paths`, of an operator whose members' blocks are a covenant pool's."""
    ruined, ring = 0, np.zeros(window)
    for _ in range(paths):
        own, oldest, left = 0.0, 0, reserve
        for place in range(window):
            ring[place] = 1.0 if generator.random() < part else 0.0
            own += ring[place]
        while left < enough:
            left -= (1.0 - cut) * part * generator.standard_exponential()
            if left <= 0.0:
                ruined += 1
                break
            left += own / window
            own -= ring[oldest]
            ring[oldest] = 1.0 if generator.random() < part else 0.0
            own += ring[oldest]
            oldest = (oldest + 1) % window
    return ruined


def test_feeding_a_covenant_spares_an_operator_little_of_its_reserve():
    cut, chance, part, paths = 0.05, 0.05, 0.1, 1500
    reserve = reserve_for_ruin(1.0, cut, chance)
    enough = reserve_for_ruin(1.0, cut, 1e-4)
    generator = Streams(31).generator("feeders")
    found = ruined_feeders(generator, paths, reserve, cut, part, 432, enough) / paths
    error = 3.0 * math.sqrt(found * (1.0 - found) / paths)
    # As much as if it had a fifth more behind it, at most; a window that lasts for the time in
    # which a reserve is lost spares much more.
    assert found + error > ruin_chance(1.2 * reserve, 1.0, cut)
    long = ruined_feeders(generator, paths, reserve, cut, part, 6000, enough) / paths
    assert long < ruin_chance(1.2 * reserve, 1.0, cut)


# Variance


@pytest.mark.parametrize(
    ("member", "pool", "window", "given_away", "ratio"),
    [
        (0.01, 0.5, 432, 1.0, 0.1113),
        (0.05, 0.5, 432, 0.75, 0.3363),
        (0.01, 1.0, 432, 1.0, 0.0481),
        (0.001, 0.5, 432, 1.0, 0.0576),
        (0.01, 0.5, 144, 143 / 144, 0.1301),
    ],
)
def test_deviation_of_a_block_under_a_covenant_over_that_alone(
    member, pool, window, given_away, ratio
):
    variance = covenant_variance_per_block(member, pool, window, given_away)
    alone = member * (1.0 - member)
    assert math.sqrt(variance / alone) == pytest.approx(ratio, abs=5e-5)


@pytest.mark.parametrize(
    ("blocks", "covenant", "alone", "last_shares"),
    [
        (432, 1.8072, 4.277, 0.0432),
        (4320, 39.9456, 42.77, 0.432),
        (52560, 517.5216, 520.3, 5.256),
    ],
)
def test_variances_of_the_oracle(blocks, covenant, alone, last_shares):
    member, pool = 0.01, 0.5
    mean = blocks * member
    found = covenant_relative_variance(member, pool, blocks, 432, 1.0) * mean**2
    assert found == pytest.approx(covenant, abs=5e-5)
    assert solo_relative_variance(member, blocks) * mean**2 == pytest.approx(alone, rel=2e-4)
    pooled = last_shares_relative_variance(member, pool, blocks, 0.0) * mean**2
    assert pooled == pytest.approx(last_shares, rel=1e-9)


def test_relative_deviations_of_the_oracle():
    short, long = (
        [math.sqrt(covenant_relative_variance(0.01, 0.5, blocks, 432, 1.0)),
         math.sqrt(solo_relative_variance(0.01, blocks)),
         math.sqrt(last_shares_relative_variance(0.01, 0.5, blocks, 0.0))]
        for blocks in (432, 4320)
    )  # fmt: skip
    assert short == pytest.approx([0.311, 0.479, 0.048], abs=5e-4)
    assert long == pytest.approx([0.146, 0.151, 0.0152], abs=5e-4)


def test_variances_of_the_oracle_when_a_quarter_is_kept():
    member, blocks = 0.05, 4320
    mean = blocks * member
    found = [
        covenant_relative_variance(member, 0.5, blocks, 432, 0.75) * mean**2,
        solo_relative_variance(member, blocks) * mean**2,
        last_shares_relative_variance(member, 0.5, blocks, 0.0) * mean**2,
    ]
    assert found == pytest.approx([190.6, 205.2, 10.8], abs=0.05)


def counted(pool_blocks, window, given_away):
    """The sum of squared claims, block by block."""
    claims = []
    for block in range(1 - window, pool_blocks + 1):
        after = min(block + window, pool_blocks) - max(block + 1, 1) + 1
        claims.append((1.0 - given_away) * (block >= 1) + given_away * max(after, 0) / window)
    return sum(claim**2 for claim in claims)


@given(some.integers(0, 150), windows, some.floats(0.0, 1.0))
def test_the_closed_sum_is_the_sum(pool_blocks, window, given_away):
    expected = counted(pool_blocks, window, given_away)
    assert squared_claims(pool_blocks, window, given_away) == pytest.approx(expected, abs=1e-9)


@given(some.integers(1, 150), windows)
def test_the_sum_when_all_is_shared(blocks, window):
    if blocks >= window:
        closed = blocks - window / 3 + 1 / (3 * window)
    else:
        closed = blocks**2 / window - (blocks**3 - blocks) / (3 * window**2)
    assert squared_claims(blocks, window, 1.0) == pytest.approx(closed, rel=1e-12)


@given(parts, parts, windows, some.floats(0.0, 1.0))
def test_one_block_is_the_shortest_period(pool, part, window, given_away):
    member = pool * part
    one = covenant_variance_per_block(member, pool, window, given_away)
    long = covenant_relative_variance(member, pool, 1, window, given_away) * member**2
    assert long == pytest.approx(one, rel=1e-9, abs=1e-15)
    closed = member**2 * (1.0 - pool) / pool + member * (1.0 - part) / window
    assert covenant_variance_per_block(member, pool, window, 1.0) == pytest.approx(closed)


@given(parts, parts, windows, some.floats(0.0, 1.0), some.integers(1, 3000))
def test_a_covenant_lies_between_last_shares_and_mining_alone(
    pool, part, window, given_away, blocks
):
    member = pool * part
    found = covenant_relative_variance(member, pool, blocks, window, given_away)
    assert found >= last_shares_relative_variance(member, pool, blocks, 0.0) * (1.0 - 1e-9)
    assert found <= solo_relative_variance(member, blocks) * (1.0 + 1e-9)


def test_sharing_nothing_is_mining_alone_and_over_many_windows_sharing_all_comes_to_it():
    alone = solo_relative_variance(0.02, 5000)
    assert covenant_relative_variance(0.02, 0.4, 5000, 30, 0.0) == pytest.approx(alone)
    assert covenant_relative_variance(0.02, 0.4, 10**7, 432, 1.0) == pytest.approx(
        solo_relative_variance(0.02, 10**7), rel=1e-4
    )


def test_who_finds_nothing_varies_without_bound():
    assert covenant_relative_variance(0.0, 0.4, 5000, 30, 0.0) == math.inf
    assert covenant_variance_per_block(0.0, 0.0, 30, 1.0) == 0.0
    assert paid_shares_relative_variance(0.0, 100, 1e-7) == math.inf
    assert last_shares_relative_variance(0.1, 0.2, 0, 1e-7) == math.inf


@njit
def simulated_revenues(generator, rounds, blocks, member, pool, window, given_away):
    """Revenue of a member alone, by last shares and under a covenant, block by block."""
    part, ring = member / pool, np.zeros(window)
    revenue = np.zeros((3, rounds))
    for row in range(rounds):
        own, oldest = 0.0, 0
        for place in range(window):
            ring[place] = 1.0 if generator.random() < part else 0.0
            own += ring[place]
        for _ in range(blocks):
            draw = generator.random()
            if draw >= pool:
                continue
            found = 1.0 if draw < member else 0.0
            revenue[0, row] += found
            revenue[1, row] += part
            revenue[2, row] += (1.0 - given_away) * found + given_away * own / window
            own += found - ring[oldest]
            ring[oldest] = found
            oldest = (oldest + 1) % window
    return revenue


@pytest.mark.parametrize(
    ("rounds", "blocks", "member", "given_away"),
    [(30_000, 432, 0.01, 1.0), (5_000, 4320, 0.01, 1.0), (600, 52_560, 0.01, 1.0),
     (5_000, 4320, 0.05, 0.75)],
)  # fmt: skip
def test_simulated_variances_are_those_of_the_formulas(rounds, blocks, member, given_away):
    generator = Streams(37).generator(f"{blocks} blocks at {given_away}")
    pool, window = 0.5, 432
    revenue = simulated_revenues(generator, rounds, blocks, member, pool, window, given_away)
    expected = (
        solo_relative_variance(member, blocks),
        last_shares_relative_variance(member, pool, blocks, 0.0),
        covenant_relative_variance(member, pool, blocks, window, given_away),
    )
    for sample, relative in zip(revenue, expected, strict=True):
        variance, error = errors(sample)
        assert abs(variance - relative * (blocks * member) ** 2) <= 3.0 * error
        assert abs(sample.mean() - blocks * member) <= 3.0 * math.sqrt(variance / rounds)


@pytest.mark.parametrize("scheme", [Solo, PayPerShare, PayPerLastShares])
def test_payouts_vary_as_their_scheme_says(scheme):
    generator = Streams(41).generator(f"variance of {scheme.__name__}")
    member, pool, blocks, rounds = 0.04, 0.2, 200, 3000
    terms = Terms(reserve_sat=10**14, window_blocks=4.0, share_difficulty=0.02)
    made, paid = scheme(terms), np.zeros(rounds)
    for row in range(rounds):
        finders = generator.random(generator.binomial(blocks, pool)) * pool >= member
        work = np.array([member, pool - member]) * blocks
        if scheme is PayPerShare:
            work = generator.poisson(work / terms.share_difficulty) * terms.share_difficulty
        paid[row] = made.settle(period(work, finders)).payouts_sat[0]
    relative = made.relative_variance(member, pool, blocks)
    if scheme is PayPerLastShares:
        # Here work is known, and has no noise of shares.
        relative = last_shares_relative_variance(member, pool, blocks, 0.0)
    variance, error = errors(paid / (blocks * member * REWARD_SAT))
    assert abs(variance - relative) <= 3.0 * error


# Who joins a pool


def least_alone(scheme, cut, pool=0.3):
    """Hashrate, EH/s, from which mining alone is better than a pool, by its cut and risk."""
    alone, joined = Solo(Terms()), scheme(Terms(cut=cut))

    def gain(hashrate):
        share, wealth = hashrate / NETWORK_EHS, hashrate * USD_PER_EHS
        premium = [
            risk_premium(
                share * BLOCKS_A_YEAR * BLOCK_USD, wealth,
                each.relative_variance(share, pool, BLOCKS_A_YEAR),
            )
            for each in (alone, joined)
        ]  # fmt: skip
        return cut - (premium[0] - premium[1])

    return brentq(gain, 1e-3, 10.0)


@pytest.mark.parametrize("scheme", [PayPerShare, FullPayPerShare, PayPerLastShares])
@pytest.mark.parametrize(("cut", "hashrate_ehs"), [(0.02, 0.131), (0.01, 0.262)])
def test_where_the_risk_of_mining_alone_is_worth_less_than_the_cut(scheme, cut, hashrate_ehs):
    assert least_alone(scheme, cut) == pytest.approx(hashrate_ehs, rel=2e-3)


@pytest.mark.parametrize(
    ("hashrate_ehs", "wealth_usd", "part"),
    [
        (0.0002, 5e4, 5.24),
        (0.01, 1e6, 0.26),
        (0.1, 1e7, 0.026),
        (1, 1e8, 0.0026),
        (10, 1e9, 2.6e-4),
    ],
)
def test_what_a_miner_gains_by_a_pool(hashrate_ehs, wealth_usd, part):
    share = hashrate_ehs / NETWORK_EHS
    expected = share * BLOCKS_A_YEAR * BLOCK_USD
    schemes = Solo(Terms()), PayPerLastShares(Terms()), PayPerShare(Terms())
    alone, last, paid = (
        risk_premium(expected, wealth_usd, scheme.relative_variance(share, 0.3, BLOCKS_A_YEAR))
        for scheme in schemes
    )
    # The oracle gives two digits, and its last one leaves out that the miner wins 1.2 % of blocks.
    assert alone == pytest.approx(part, rel=0.02)
    assert paid < last < 0.05 * alone


# Withholding


@pytest.mark.parametrize(
    ("attacker", "victim", "infiltration", "gain", "loss"),
    [
        (0.1, 0.2, 0.0109, 0.0053, 0.041),
        (0.2, 0.3, 0.0361, 0.0173, 0.074),
        (0.05, 0.3, 0.0078, 0.0039, 0.018),
    ],
)
def test_withholding_by_the_oracle(attacker, victim, infiltration, gain, loss):
    found = best_attack(attacker, victim)
    assert found.infiltration == pytest.approx(infiltration, rel=0.02)
    assert found.gain == pytest.approx(gain, rel=0.02)
    assert found.victim_loss == pytest.approx(loss, rel=0.02)


@pytest.mark.parametrize(
    ("attacker", "victim", "infiltration", "percent"),
    [(0.1, 0.2, 0.0109, 0.5325), (0.2, 0.3, 0.0361, 1.734), (0.05, 0.3, 0.0078, 0.3877)],
)
def test_withholding_by_the_finer_oracle(attacker, victim, infiltration, percent):
    found = best_attack(attacker, victim)
    assert found.infiltration == pytest.approx(infiltration, abs=5e-5)
    assert 100 * found.gain == pytest.approx(percent, abs=6e-4)


some_cuts = some.sampled_from([0.0, 0.01, 0.05, 0.3])


@given(parts, parts, some_cuts)
def test_nothing_pays_an_infiltrator_more_than_the_best(attacker, left, cut):
    victim = (1.0 - attacker) * left
    best = best_infiltration(attacker, victim, cut)
    assert 0.0 <= best <= attacker

    def loss(infiltration):
        return -last_shares_revenue(attacker, victim, infiltration, cut)

    searched = minimize_scalar(loss, bounds=(0.0, attacker), method="bounded")
    assert loss(best) <= searched.fun + 1e-12
    assert loss(best) <= loss(0.0) == -attacker
    assert (best > 0.0) == (cut < attacker)


@given(parts, parts, parts)
def test_what_an_infiltrator_gains_the_honest_lose(attacker, left, withheld):
    victim = (1.0 - attacker) * left
    infiltration = attacker * withheld
    others = 1.0 - attacker - victim
    revenues = (
        last_shares_revenue(attacker, victim, infiltration),
        victim_revenue(victim, infiltration),
        others / (1.0 - infiltration),
    )
    assert sum(revenues) == pytest.approx(1.0)
    assert victim_revenue(victim, infiltration) < victim


@given(parts, some.floats(1e-6, 0.999))
def test_withholding_gains_nothing_where_only_blocks_are_paid(attacker, withheld):
    assert covenant_revenue(attacker, 0.0) == attacker
    assert covenant_revenue(attacker, attacker * withheld) < attacker


@given(parts, parts, parts, some_cuts)
def test_a_payer_of_shares_loses_what_withholding_gains(attacker, left, withheld, cut):
    victim = (1.0 - attacker) * left
    infiltration = attacker * withheld
    others = 1.0 - attacker - victim
    honest = (1.0 - cut) * victim / (1.0 - infiltration)
    total = (
        paid_shares_revenue(attacker, infiltration, cut)
        + honest
        + operator_margin(victim, infiltration, cut)
        + others / (1.0 - infiltration)
    )
    assert total == pytest.approx(1.0)
    limit = ruinous_infiltration(victim, cut)
    assert operator_margin(victim, limit, cut) == pytest.approx(0.0, abs=1e-12)
    assert (paid_shares_revenue(attacker, infiltration, cut) > attacker) == (attacker > cut)


def attacked(days, attacker, victim, infiltration, generator):
    """Blocks of each day by finder (the attacker alone, honest members, others) and work done.

    Every draw is a block that somebody found; the infiltrator's vanish, and difficulty is such
    that 144 a day are left, so that a block's worth of work is what finds one block of all.
    """
    draws = np.array([attacker - infiltration, victim, infiltration])
    chances = np.append(draws, 1.0 - draws.sum())
    needed = int(days * 144 / (1.0 - infiltration) * 1.02)
    found = generator.choice(4, needed, p=chances)
    kept = found[found != 2][: days * 144].reshape(days, 144)
    work = np.array([victim, infiltration]) * 144 / (1.0 - infiltration)
    return kept, work


ATTACK = (0.3, 0.4, best_infiltration(0.3, 0.4))


def test_withholding_in_a_pool_of_last_shares_earns_what_the_formula_says():
    attacker, victim, infiltration = ATTACK
    days = 4000
    kept, work = attacked(days, *ATTACK, Streams(43).generator("withholding"))
    pool, revenue, honest = PayPerLastShares(Terms(window_blocks=5.0)), np.zeros(days), 0.0
    for day, blocks in enumerate(kept):
        paid = pool.settle(period(work, np.zeros((blocks == 1).sum()))).payouts_sat / REWARD_SAT
        revenue[day] = ((blocks == 0).sum() + paid[1]) / 144
        honest += paid[0] / 144 / days
    error = revenue.std() / math.sqrt(days)
    expected = last_shares_revenue(attacker, victim, infiltration)
    assert abs(revenue.mean() - expected) <= 3.0 * error
    # The gain is not within the noise, nor is the victim's loss.
    assert revenue.mean() > attacker + 6.0 * error
    assert abs(honest - victim_revenue(victim, infiltration)) <= 3.0 * error
    assert honest < victim - 6.0 * error


@pytest.mark.parametrize("cut", [0.02, 0.25])
def test_withholding_in_a_pool_that_pays_every_share_costs_the_operator(cut):
    attacker, victim, infiltration = ATTACK
    days = 2000
    kept, work = attacked(days, *ATTACK, Streams(47).generator("paid shares"))
    pool = PayPerShare(Terms(cut=cut, reserve_sat=10**14))
    revenue, margin = np.zeros(days), np.zeros(days)
    for day, blocks in enumerate(kept):
        settled = pool.settle(period(work, np.zeros((blocks == 1).sum())))
        paid = settled.payouts_sat[1] / REWARD_SAT
        revenue[day] = ((blocks == 0).sum() + paid) / 144
        margin[day] = (settled.reserve_change_sat + settled.cut_sat) / REWARD_SAT / 144
    for sample, expected in (
        (revenue, paid_shares_revenue(attacker, infiltration, cut)),
        (margin, operator_margin(victim, infiltration, cut)),
    ):
        assert abs(sample.mean() - expected) <= 3.0 * sample.std() / math.sqrt(days)
    # It takes a cut of more than the withheld part of the pool's work.
    assert (
        (margin.mean() > 0.0) == (infiltration < ruinous_infiltration(victim, cut)) == (cut > 0.2)
    )


def test_withholding_ruins_an_operator_whose_cut_is_smaller_than_it():
    kept, work = attacked(60, *ATTACK, Streams(53).generator("ruinous"))
    reserve = int(reserve_for_ruin(REWARD_SAT, 0.02, 0.001))
    attacked_pool = PayPerShare(Terms(cut=0.02, reserve_sat=reserve))
    for blocks in kept:
        attacked_pool.settle(period(work, np.zeros((blocks == 1).sum())))
    assert attacked_pool.ruined


# What claims say of it


def test_who_needs_an_operator_beside_a_covenant_depends_on_how_far_it_looks():
    alone = [claims_pools.least_without_operator(0.01, days) for days in (1.0, 365.25)]
    assert alone == pytest.approx([0.262, 0.262], rel=2e-3)
    beside = [claims_pools.least_without_operator(0.01, days, 432) for days in (1.0, 30.0, 365.25)]
    assert beside == sorted(beside)
    assert beside[0] < 0.2 * alone[0]
    assert beside[-1] > 0.99 * alone[1]


def test_a_reserve_is_the_same_for_pools_of_all_sizes_and_a_feeders_nearly_so():
    small, large = (claims_pools.reserve_needed_by_feeder(pool, 432) for pool in (0.001, 0.1))
    assert 0.99 < large < small < 1.0
    assert claims_pools.reserve_needed_by_feeder(0.01, 10**6) < 0.5


def test_members_of_a_small_pool_give_up_more_but_little():
    premiums = [claims_pools.premium_in_pool(size) for size in (0.5, 5.0, 50.0)]
    assert premiums == sorted(premiums, reverse=True)
    assert premiums[0] < 0.01
    # As one miner of the pool's size would give up that is as wealthy for its hashrate.
    assert premiums[1] == pytest.approx(0.0026 / 5, rel=0.02)


@pytest.mark.parametrize("claim", claims_pools.CLAIMS, ids=lambda claim: claim.id)
def test_claims_are_measured(claim):
    found = claim.measure({})
    expected = {"C40": "supports", "C41": "supports", "C42": "conditional"}
    assert found.verdict == expected[claim.id]
    assert not re.search(r"\b(nan|inf)\b", found.measured + found.condition)


def test_waits_of_the_claim():
    measured = claims_pools.a_block_to_enter({}).measured
    assert "80.8 years" in measured
    assert "4.83%" in measured
    assert "5903, 59.03, 5.903, 0.5903 days" in measured
