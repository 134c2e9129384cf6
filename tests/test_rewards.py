"""Splitting rewards by work or by luck, and the price of luck."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model.rewards.solo import (
    chance_of_a_block,
    days_to_first_block,
    risk_premium,
    solo,
    solo_relative_variance,
    winners,
)
from model.sharing import LARGEST_REWARD_SAT, shared
from model.streams import Streams

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None)

KEY = Streams(1).key("winners")
NETWORK_EHS = 850
BLOCK_USD = 262e3
BLOCKS_A_YEAR = 52_596

# Whole numbers, so that the order of a sum does not matter.
works = some.lists(some.integers(0, 10**6), min_size=1, max_size=60).filter(any)
rewards = some.integers(0, 10**12)


@unhurried
@given(some.lists(some.floats(0.0, 1e12), min_size=1, max_size=60), rewards)
def test_every_satoshi_is_shared_by_work(work, reward_sat):
    work = np.array(work)
    if work.sum() == 0.0:
        return
    payouts = shared(work, reward_sat)
    assert payouts.sum() == reward_sat
    assert (payouts[work == 0.0] == 0).all()
    parts = work / work.sum() * reward_sat
    assert (np.abs(payouts - parts) < 1 + 1e-15 * reward_sat).all()


@unhurried
@given(works, rewards)
def test_more_work_is_never_paid_less(work, reward_sat):
    work = np.array(work, float)
    payouts = shared(work, reward_sat)
    order = np.argsort(work)
    distinct = np.diff(work[order]) > 0
    assert (np.diff(payouts[order])[distinct] >= 0).all()
    for amount in np.unique(work):
        assert np.ptp(payouts[work == amount]) <= 1


@unhurried
@given(works, rewards, some.randoms(use_true_random=False))
def test_payouts_move_with_the_rows_up_to_ties(work, reward_sat, random):
    work = np.array(work, float)
    order = np.array(random.sample(range(work.size), work.size))
    payouts, moved = shared(work, reward_sat), shared(work[order], reward_sat)
    for amount in np.unique(work):
        np.testing.assert_array_equal(
            np.sort(payouts[work == amount]), np.sort(moved[work[order] == amount])
        )


def test_the_largest_remainders_get_what_is_left_over():
    votes = np.array([47.0, 16.0, 15.8, 12.0, 6.1, 3.1])
    np.testing.assert_array_equal(shared(votes, 10), [5, 2, 1, 1, 1, 0])
    np.testing.assert_array_equal(shared(np.ones(3), 8), [3, 3, 2])


def test_a_large_network_shares_exactly():
    work = np.random.default_rng(1).pareto(1.1, 200_000)
    assert shared(work, LARGEST_REWARD_SAT).sum() == LARGEST_REWARD_SAT
    assert shared(work, 47_123_456_789).sum() == 47_123_456_789


def test_sharing_what_cannot_be_shared_is_refused():
    assert (shared(np.zeros(3), 0) == 0).all()
    assert shared(np.zeros(0), 0).size == 0
    with pytest.raises(ValueError, match="no work"):
        shared(np.zeros(3), 1)
    for work in ([-1.0, 2.0], [math.nan, 1.0], [math.inf, 1.0]):
        with pytest.raises(ValueError, match="finite"):
            shared(np.array(work), 1)
    for reward_sat in (-1, LARGEST_REWARD_SAT + 1):
        with pytest.raises(ValueError, match="cannot split"):
            shared(np.ones(2), reward_sat)


@unhurried
@given(works, some.lists(some.integers(0, 10**10), max_size=300), some.integers(0, 10_000))
def test_every_block_goes_to_one_finder_with_work(work, block_rewards_sat, day):
    work, block_rewards = np.array(work, float), np.array(block_rewards_sat, np.int64)
    payouts = solo(work, block_rewards, KEY, day)
    assert payouts.sum() == block_rewards.sum()
    assert (payouts[work == 0.0] == 0).all()


def test_winners_depend_on_key_and_day_alone():
    work = np.array([1.0, 2.0, 3.0])
    drawn = winners(work, 100, KEY, 5)
    np.testing.assert_array_equal(drawn[:40], winners(work, 40, KEY, 5))
    np.testing.assert_array_equal(drawn, winners(10 * work, 100, KEY, 5))
    assert not np.array_equal(drawn, winners(work, 100, KEY, 6))
    assert winners(np.zeros(3), 0, KEY, 5).size == 0
    with pytest.raises(ValueError, match="no work"):
        winners(np.zeros(3), 1, KEY, 5)


@pytest.mark.parametrize("miners", [1, 2, 10])
def test_equal_miners_have_equal_chances(miners):
    blocks = 30_000
    found = np.bincount(winners(np.ones(miners), blocks, KEY, 0), minlength=miners)
    error = math.sqrt(blocks * (1 - 1 / miners) / miners)
    assert (np.abs(found - blocks / miners) <= 3 * error).all()


def test_solo_revenue_has_the_variance_of_the_formula():
    work, days, blocks = np.array([0.1, 0.05, 0.85]), 3_000, 144
    rewards_sat = np.full(blocks, 5)
    revenue = np.array([solo(work, rewards_sat, KEY, day)[:2] for day in range(days)])
    for share, drawn in zip(work, revenue.T, strict=False):
        variance = solo_relative_variance(share, blocks)
        assert abs(drawn.mean() / (5 * blocks * share) - 1) < 3 * math.sqrt(variance / days)
        assert drawn.var() / drawn.mean() ** 2 == pytest.approx(
            variance, rel=3 * math.sqrt(2.5 / days)
        )


def test_relative_deviation_of_a_small_miner_is_one_over_the_root_of_expected_blocks():
    share, blocks = 1e-5, 52_596
    deviation = math.sqrt(solo_relative_variance(share, blocks))
    assert deviation == pytest.approx(1 / math.sqrt(share * blocks), rel=1e-5)
    assert solo_relative_variance(0.0, blocks) == math.inf
    assert solo_relative_variance(1.0, blocks) == 0.0


def test_one_home_machine_may_wait_a_lifetime():
    share = 200 / (NETWORK_EHS * 1e6)
    assert share == pytest.approx(2.353e-7, rel=1e-3)
    assert share * BLOCKS_A_YEAR == pytest.approx(0.01238, rel=1e-3)
    assert days_to_first_block(share) / 365.25 == pytest.approx(80.8, rel=1e-3)
    assert chance_of_a_block(share, 4) == pytest.approx(0.0483, rel=2e-3)


@pytest.mark.parametrize(
    ("hashrate_ehs", "days"), [(0.001, 5903), (0.1, 59.0), (1, 5.90), (10, 0.590)]
)
def test_days_to_the_first_block(hashrate_ehs, days):
    assert days_to_first_block(hashrate_ehs / NETWORK_EHS) == pytest.approx(days, rel=1e-3)
    assert days_to_first_block(0.0) == math.inf


def premium(hashrate_ehs, wealth_usd):
    share = hashrate_ehs / NETWORK_EHS
    variance = solo_relative_variance(share, BLOCKS_A_YEAR)
    return risk_premium(share * BLOCKS_A_YEAR * BLOCK_USD, wealth_usd, variance)


@pytest.mark.parametrize(
    ("hashrate_ehs", "wealth_usd", "part"),
    [(0.0002, 5e4, 5.24), (0.01, 1e6, 0.26), (0.1, 1e7, 0.026), (1, 1e8, 0.0026), (10, 1e9, 26e-5)],
)
def test_risk_premium_of_mining_alone(hashrate_ehs, wealth_usd, part):
    assert premium(hashrate_ehs, wealth_usd) == pytest.approx(part, rel=0.02)


@pytest.mark.parametrize(("cut", "hashrate_ehs"), [(0.02, 0.13), (0.01, 0.26)])
def test_where_mining_alone_becomes_worth_its_risk(cut, hashrate_ehs):
    assert premium(0.97 * hashrate_ehs, 0.97 * hashrate_ehs * 1e8) > cut
    assert premium(1.04 * hashrate_ehs, 1.04 * hashrate_ehs * 1e8) < cut


def test_risk_premium_at_its_ends():
    assert risk_premium(1e6, 0.0, 0.1) == math.inf
    assert risk_premium(1e6, 1e6, 0.0) == risk_premium(0.0, 1e6, math.inf) == 0.0
    assert risk_premium(1e6, 1e6, 0.1, risk_aversion=4.0) == pytest.approx(0.2)
