"""The difficulty rules of the sides of a split, and a side as a chain."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model.chain.branch import (
    LEAST_DIFFICULTY,
    Anchor,
    Rule,
    SplitChain,
    add_to_branch,
    continuous_difficulty,
    is_emergency,
)
from model.chain.chain import Chain
from model.ledger import check_coinbase
from model.streams import Streams
from model.units import EPOCH_BLOCKS, SECONDS_PER_DAY, equilibrium_difficulty

unhurried = settings(deadline=None)

HASHRATE_THS = 82e6
STEADY = np.full(24, HASHRATE_THS)
DIFFICULTY = equilibrium_difficulty(HASHRATE_THS)
HEIGHT = 592_704
DAY_S = SECONDS_PER_DAY


def side(rule, seed=1, height=HEIGHT, **settings_):
    streams = Streams(seed)
    parent = Chain(height, DIFFICULTY, streams.key("parent"), mode="event")
    return SplitChain(parent, streams.key("side"), rule, **settings_)


def test_a_side_that_keeps_bitcoins_rule_is_the_chain_itself():
    alone = Chain(HEIGHT, DIFFICULTY, Streams(1).key("side"), mode="event")
    split = side(Rule.EPOCHS)
    for day in range(40):
        one, other = alone.mine(day, STEADY / 2, 0.2), split.mine(day, STEADY / 2, 0.2)
        np.testing.assert_array_equal(one.block_times_s, other.block_times_s)
        np.testing.assert_array_equal(one.block_rewards_sat, other.block_rewards_sat)
    assert split.retargets == 1
    assert split.tip == alone.tip


@pytest.mark.parametrize("rule", list(Rule))
def test_every_coin_is_claimed_on_every_side(rule):
    split = side(rule, height=630_000 - 500)
    for day in range(10):
        found = split.mine(day, STEADY, 0.2)
        assert found.subsidy_sat == found.block_rewards_sat.sum() - found.fees_sat
    check_coinbase(split)
    assert split.height > 630_000


@pytest.mark.parametrize("rule", list(Rule))
def test_work_is_the_difficulty_of_every_block_since_the_split(rule):
    split = side(rule, work=5.0 * DIFFICULTY)
    for day in range(30):
        split.mine(day, STEADY / 10, 0.0)
    branch, total = side(rule).branch, 5.0 * DIFFICULTY
    for day in range(30):
        _, times = branch.mine_day(day, STEADY / 10, Streams(1).key("side"))
        for time_s in times:
            total += branch.tip.difficulty
            branch = add_to_branch(branch, time_s)
    assert split.work == pytest.approx(total, rel=1e-12)
    # A tenth of the hashrate does a tenth of the work, whatever the rule makes of it.
    done = split.work / DIFFICULTY - 5.0
    assert abs(done - 432) < 3 * math.sqrt(432)


@unhurried
@given(some.integers(0, 10**6), some.floats(-50, 50))
def test_the_continuous_rule_halves_for_two_days_of_delay(blocks, late_days):
    anchor = Anchor(1_000, 5e4, 1e20)
    time_s = anchor.time_s + 600.0 * blocks + late_days * DAY_S
    found = continuous_difficulty(anchor, anchor.height + blocks, time_s)
    assert found == pytest.approx(1e20 * 2.0 ** (-late_days / 2), rel=1e-6)


def test_no_rule_falls_below_the_least_difficulty():
    late = Anchor(1_000, 0.0, 1e6)
    assert continuous_difficulty(late, 1_001, 1e4 * DAY_S) == LEAST_DIFFICULTY
    split = side(Rule.EMERGENCY, difficulty=1.1)
    branch = split.branch
    for block in range(1, 30):
        branch = add_to_branch(branch, block * DAY_S)
    assert branch.tip.difficulty == LEAST_DIFFICULTY


@pytest.mark.parametrize("share", [0.1, 1.0, 3.0])
def test_the_continuous_rule_keeps_its_schedule_whatever_the_hashrate(share):
    split, days = side(Rule.CONTINUOUS), 200
    for day in range(days):
        split.mine(day, share * STEADY, 0.0)
    # The delay in hand is what holds difficulty at the hashrate: two days for every halving.
    expected = 144 * (days + 2 * math.log2(share))
    # About the schedule blocks scatter by the square root of those in the rule's memory.
    memory = 144 * 2 / math.log(2) / 2
    assert abs(split.height - HEIGHT - expected) < 3 * math.sqrt(memory) + 1
    assert split.difficulty == pytest.approx(share * DIFFICULTY, rel=0.2)


@unhurried
@given(some.lists(some.floats(0, 5 * 3_600), min_size=17, max_size=17))
def test_an_emergency_is_told_by_medians_of_eleven_blocks(gaps):
    times = np.cumsum(gaps)
    gap_s = np.median(times[-11:]) - np.median(times[-17:-6])
    assert is_emergency(times[-12:]) == (gap_s > 12 * 3_600)


def test_an_emergency_takes_a_fifth_at_each_block_until_blocks_come_again():
    branch, steps, now_s = side(Rule.EMERGENCY).branch, [], 0.0
    for _ in range(12):
        before, now_s = branch.tip.difficulty, now_s + 3 * 3_600
        branch = add_to_branch(branch, now_s)
        steps.append(branch.tip.difficulty / before)
    # The medians lie five and eleven blocks back: after nine slow blocks four slow intervals and
    # two of ten minutes are between them, more than twelve hours.
    assert steps[:8] == [1.0] * 8
    assert steps[8:] == pytest.approx([0.8] * 4)


def test_the_emergency_rule_retargets_beside():
    split = side(Rule.EMERGENCY)
    days = 0
    while not split.retargets:
        split.mine(days, 3 * STEADY, 0.0)
        days += 1
    assert days <= 6
    assert split.difficulty == pytest.approx(3 * DIFFICULTY, rel=0.1)


def test_a_retarget_takes_the_place_of_an_emergency():
    branch = side(Rule.EMERGENCY, height=HEIGHT + EPOCH_BLOCKS - 20).branch
    for block in range(1, 21):
        before = branch.tip
        branch = add_to_branch(branch, block * DAY_S / 8)
    assert branch.tip.height == HEIGHT + EPOCH_BLOCKS
    assert before.difficulty < 0.2 * DIFFICULTY
    span_s = 600 * (EPOCH_BLOCKS - 21) + 20 * DAY_S / 8
    expected = before.difficulty * EPOCH_BLOCKS * 600 / span_s
    assert branch.tip.difficulty == pytest.approx(expected, rel=1e-12)


def test_a_minority_recovers_in_days_under_the_continuous_rule_and_in_weeks_under_bitcoins():
    blocks = {}
    for rule in Rule:
        split = side(rule)
        for day in range(60):
            split.mine(day, STEADY / 20, 0.0)
        blocks[rule] = split.height - HEIGHT
    assert blocks[Rule.EPOCHS] < 0.06 * 60 * 144
    assert blocks[Rule.EMERGENCY] > 0.5 * 60 * 144
    assert blocks[Rule.CONTINUOUS] > 0.8 * 60 * 144


def test_a_branch_is_not_changed_by_mining_on_it():
    branch = side(Rule.EMERGENCY).branch
    kept = branch.recent_s.copy()
    one, times = branch.mine_day(3, STEADY, Streams(1).key("side"))
    again, same = branch.mine_day(3, STEADY, Streams(1).key("side"))
    np.testing.assert_array_equal(branch.recent_s, kept)
    np.testing.assert_array_equal(times, same)
    assert one.tip == again.tip
    assert one.tip.height == HEIGHT + times.size


def test_a_side_goes_on_from_its_parent():
    parent = Chain(HEIGHT + 700, DIFFICULTY, Streams(1).key("parent"), mode="event")
    for day in range(3):
        parent.mine(day, STEADY / 2, 0.1)
    split = SplitChain(parent, Streams(1).key("side"), Rule.EPOCHS)
    assert split.tip == parent.tip
    assert split.mean_interval_s == parent.mean_interval_s
    left = EPOCH_BLOCKS - parent.height % EPOCH_BLOCKS
    assert split.blocks_to_retarget == left
    assert (split.work, split.coinbase_sat) == (0.0, 0)


def test_a_side_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="difficulty"):
        side(Rule.EPOCHS, difficulty=0.0)
    with pytest.raises(ValueError, match="hashrate"):
        side(Rule.EPOCHS).mine(0, np.full(24, math.nan), 0.0)
