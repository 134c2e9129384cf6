"""The chain against Bitcoin's rules, closed forms and published figures."""

import math
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats
from scipy.special import lambertw

from model.chain.blocks import poisson, subsidy_sat, supply_sat
from model.chain.chain import Chain
from model.chain.difficulty import (
    LARGEST_STEP,
    epoch_lengths_days,
    mean_interval_s,
    recovery_days,
    retarget,
)
from model.chain.fees import TransactionFees, fees_per_block_btc, fill_gaps
from model.ledger import check_coinbase
from model.streams import Streams, uniform
from model.units import EPOCH_BLOCKS, EPOCH_TARGET_S, SECONDS_PER_DAY, equilibrium_difficulty

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None)

HASHRATE_THS = 82e6
STEADY = np.full(24, HASHRATE_THS)
DIFFICULTY = equilibrium_difficulty(HASHRATE_THS)
EPOCH_START = 592_704
MODES = ["poisson_day", "event"]


def new_chain(seed=1, height=EPOCH_START, difficulty=DIFFICULTY, **settings_):
    return Chain(height, difficulty, Streams(seed).key("blocks"), **settings_)


def follow(chain, days, hashrate=lambda day: STEADY):
    """Times at which epochs ended, in seconds, and the difficulty after each."""
    ends, difficulties = [], []
    for day in range(days):
        found = chain.mine(day, hashrate(day), 0.2)
        if found.retargets:
            last = EPOCH_BLOCKS - 1 - found.first_height % EPOCH_BLOCKS
            ends.append(found.block_times_s[last])
            difficulties.append(chain.difficulty)
    return np.array(ends), np.array(difficulties)


def batch_error(values, batches=40):
    """Standard error of a mean of correlated values, from the means of long batches."""
    means = [part.mean() for part in np.array_split(values, batches)]
    return np.std(means, ddof=1) / math.sqrt(batches)


@pytest.fixture(scope="module")
def long_runs():
    """4,000 epochs and more at a constant hashrate, with Bitcoin's retarget and a plain one."""
    return {
        off_by_one: follow(new_chain(off_by_one=off_by_one), 4_030 * 14)
        for off_by_one in (True, False)
    }


@pytest.mark.parametrize(("off_by_one", "oracle"), [(True, 600.5958), (False, 600.2978)])
def test_mean_interval_at_a_constant_hashrate(long_runs, off_by_one, oracle):
    ends, _ = long_runs[off_by_one]
    intervals = np.diff(ends) / EPOCH_BLOCKS
    assert len(intervals) >= 4_000
    assert abs(intervals.mean() - oracle) < 3 * batch_error(intervals)
    assert mean_interval_s(off_by_one) == pytest.approx(oracle, abs=1e-4)


def test_spread_of_difficulty_at_a_constant_hashrate(long_runs):
    _, difficulties = long_runs[True]
    steps = difficulties[1:] / difficulties[:-1]
    # A standard deviation has a relative error of 1/sqrt(2n), and more when neighbours correlate.
    error = 1 / math.sqrt(2 * len(steps))
    assert np.log(difficulties).std() == pytest.approx(0.0223, rel=3 * error)
    assert steps.std() == pytest.approx(0.0315, rel=3 * error * math.sqrt(1.5))


@pytest.mark.parametrize(("growth_day", "oracle"), [(0.002, 583.9), (0.005, 561.9)])
def test_mean_interval_under_exponential_growth(growth_day, oracle):
    hours = np.arange(24) / 24

    def growing(day):
        return HASHRATE_THS * np.exp(growth_day * (day + hours))

    ends, _ = follow(new_chain(off_by_one=False), 28_000, growing)
    intervals = np.diff(ends[5:]) / EPOCH_BLOCKS
    # In units of the target the mean solves x = bias * exp(-14 growth x); the published figures
    # leave out the bias of 2016/2015 that even an exactly measured timespan has.
    assert 600 * lambertw(14 * growth_day).real / (14 * growth_day) == pytest.approx(
        oracle, abs=0.05
    )
    bias = EPOCH_BLOCKS / (EPOCH_BLOCKS - 1)
    expected = 600 * lambertw(14 * growth_day * bias).real / (14 * growth_day)
    assert abs(intervals.mean() - expected) < 3 * batch_error(intervals)


@pytest.mark.parametrize(
    ("share", "days"),
    [
        (0.5, [28, 14, 14]),
        (0.25, [56, 14]),
        (0.10, [140, 35, 14]),
        (0.05, [280, 70, 17.5, 14]),
        (0.01, [1400, 350, 87.5, 21.875, 14]),
    ],
)
def test_expected_epoch_lengths_after_a_hash_shock(share, days):
    assert epoch_lengths_days(share, len(days)) == pytest.approx(days)


@pytest.mark.parametrize(
    ("share", "days"), [(0.5, [28, 14]), (0.25, [56]), (0.1, [140, 35, 14]), (0.05, [280, 70])]
)
def test_simulated_epoch_lengths_after_a_hash_shock(share, days):
    runs, epochs = 30, len(days)
    lengths = np.empty((runs, epochs))
    for run in range(runs):
        chain = new_chain(run, off_by_one=False)
        ends, _ = follow(chain, int(1.2 * sum(days)) + 5, lambda day: share * STEADY)
        lengths[run] = np.diff(ends[:epochs], prepend=0.0) / SECONDS_PER_DAY
    error = lengths.std(axis=0, ddof=1) / math.sqrt(runs)
    assert (np.abs(lengths.mean(axis=0) - days) < 3 * error).all()


@pytest.mark.parametrize(
    ("share", "days"), [(0.5, 28), (0.25, 56), (0.2, 87.5), (0.1, 175), (0.05, 367.5), (1.0, 0)]
)
def test_days_to_full_recovery_of_a_minority_branch(share, days):
    assert recovery_days(share) == pytest.approx(days)


def test_the_retarget_of_july_2021():
    """The largest fall so far, with Bitcoin's own integer arithmetic on targets beside ours."""
    before, after = 19_932_791_027_262, 14_363_025_673_659
    largest_target = 0xFFFF << 208

    def compact(target):
        shift = 8 * ((target.bit_length() + 8) // 8 - 3)
        return target >> shift << shift

    def difficulty(target):
        return round(largest_target / target)

    old = compact(largest_target // before)
    assert abs(difficulty(old) - before) / before < 2e-6
    expected_s = EPOCH_TARGET_S * before / after
    span_s = next(
        span
        for span in range(int(expected_s) - 5, int(expected_s) + 6)
        if abs(difficulty(compact(old * span // 1_209_600)) - after) / after < 2e-6
    )
    assert retarget(float(before), float(span_s)) == pytest.approx(after, rel=5e-6)
    change = retarget(float(before), float(span_s)) / before - 1
    assert round(100 * change, 2) == -27.94


@unhurried
@given(some.floats(1e-3, 1e20), some.floats(0.0, 1e12))
def test_a_retarget_never_changes_difficulty_more_than_fourfold(difficulty, timespan_s):
    step = retarget(difficulty, timespan_s) / difficulty
    assert (1 - 1e-12) / LARGEST_STEP <= step <= LARGEST_STEP * (1 + 1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_wild_hashrate_moves_difficulty_fourfold_at_most(mode):
    chain = new_chain(mode=mode)
    seen = [chain.difficulty]
    for day in range(60):
        chain.mine(day, STEADY * 10.0 ** (3 * math.sin(day)), 0.0)
        steps = LARGEST_STEP ** (chain.retargets - len(seen) + 1)
        assert seen[-1] / steps * 0.999 <= chain.difficulty <= seen[-1] * steps * 1.001
        seen += [chain.difficulty] * (chain.retargets - len(seen) + 1)
    assert max(seen) / min(seen) > 100


def test_off_by_one_measures_from_the_first_block_of_the_epoch():
    chain, plain = new_chain(mode="event"), new_chain(mode="event", off_by_one=False)
    times = []
    while not chain.retargets:
        found = chain.mine(len(times), STEADY, 0.0)
        plain.mine(len(times), STEADY, 0.0)
        times.append(found.block_times_s)
    times = np.concatenate(times)[:EPOCH_BLOCKS]
    span_s = times[-1] - times[0]
    assert chain.difficulty == pytest.approx(DIFFICULTY * EPOCH_TARGET_S / span_s, rel=1e-12)
    assert plain.difficulty == pytest.approx(DIFFICULTY * EPOCH_TARGET_S / times[-1], rel=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_an_epoch_already_running_is_taken_to_be_on_target(mode):
    left = 100
    chain = new_chain(height=EPOCH_START + EPOCH_BLOCKS - left, mode=mode)
    found = chain.mine(0, STEADY, 0.0)
    assert chain.blocks_to_retarget == EPOCH_BLOCKS + left - found.blocks
    span_s = found.block_times_s[left - 1] + 600 * (EPOCH_BLOCKS - left - 1)
    assert chain.difficulty == pytest.approx(DIFFICULTY * EPOCH_TARGET_S / span_s, rel=1e-12)
    told = new_chain(height=EPOCH_START + EPOCH_BLOCKS - left, mode=mode, epoch_elapsed_s=2e6)
    told.mine(0, STEADY, 0.0)
    assert told.difficulty < 0.65 * DIFFICULTY


def test_both_ways_of_drawing_blocks_agree_in_a_day_with_a_profile():
    profile = STEADY * (1 + 0.8 * np.sin(np.arange(24) * math.pi / 12))
    days = 600
    for mode in MODES:
        counts, hours, moments = [], np.zeros(24), []
        for day in range(days):
            found = new_chain(mode=mode).mine(day, profile, 0.0)
            counts.append(found.blocks)
            moments.append(found.block_times_s % 3_600 / 3_600)
            hours += np.bincount((found.block_times_s % 86_400 // 3_600).astype(int), minlength=24)
        assert abs(mean(counts) - 144) < 3 * 12 / math.sqrt(days)
        # The variance of a Poisson count of mean 144 has this error.
        assert abs(np.var(counts) - 144) < 3 * 144 * math.sqrt(2 / days + 1 / (144 * days))
        assert stats.kstest(np.concatenate(moments), "uniform").pvalue > 1e-3
        expected = 6 * days * profile / HASHRATE_THS
        assert stats.chisquare(hours, expected * hours.sum() / expected.sum()).pvalue > 1e-3


def test_both_ways_of_drawing_blocks_have_exponential_intervals():
    for mode in MODES:
        chain = new_chain(mode=mode)
        times = np.concatenate([chain.mine(day, STEADY, 0.0).block_times_s for day in range(13)])
        assert (np.diff(times) >= 0).all()
        assert stats.kstest(np.diff(times) / 600, "expon").pvalue > 1e-3


def test_both_ways_of_drawing_blocks_agree_through_retargets_inside_an_hour():
    """At a thousandth of the difficulty a day holds several retargets, each inside an hour."""
    runs, logs = 80, {}
    for mode in MODES:
        chains = [new_chain(seed, difficulty=DIFFICULTY / 1e3, mode=mode) for seed in range(runs)]
        heights = [chain.mine(0, STEADY, 0.0).blocks for chain in chains]
        assert all(chain.retargets >= 3 for chain in chains)
        logs[mode] = np.array([heights, [math.log(chain.difficulty) for chain in chains]])
    for one, other in zip(*logs.values(), strict=True):
        error = math.sqrt((one.var(ddof=1) + other.var(ddof=1)) / runs)
        assert abs(one.mean() - other.mean()) < 3 * error


@pytest.mark.parametrize("mode", MODES)
def test_draws_depend_on_key_and_day_alone(mode):
    first, again = new_chain(mode=mode), new_chain(mode=mode)
    one, same = first.mine(7, STEADY, 0.2), again.mine(7, STEADY, 0.2)
    np.testing.assert_array_equal(one.block_times_s, same.block_times_s)
    assert one.stale == same.stale
    other_day = new_chain(mode=mode).mine(8, STEADY, 0.2).block_times_s - SECONDS_PER_DAY
    other_seed = new_chain(2, mode=mode).mine(7, STEADY, 0.2).block_times_s
    for other in (other_day, other_seed):
        assert not np.array_equal(one.block_times_s[:50], other[:50])


def test_more_hashrate_late_in_the_day_leaves_the_morning_alone():
    evening = STEADY.copy()
    evening[18:] *= 3
    usual, more = new_chain().mine(0, STEADY, 0.0), new_chain().mine(0, evening, 0.0)
    morning = np.searchsorted(usual.block_times_s, 18 * 3_600)
    np.testing.assert_array_equal(usual.block_times_s[:morning], more.block_times_s[:morning])
    assert more.blocks > usual.blocks


@unhurried
@given(some.floats(0, 590), some.floats(0, 590), some.integers(0, 10_000))
def test_a_higher_mean_never_draws_fewer_blocks(one, other, day):
    key = Streams(3).key("blocks")
    low, high = sorted((one, other))
    assert poisson(low, key, day, 0, 0)[0] <= poisson(high, key, day, 0, 0)[0]


@pytest.mark.parametrize("average", [0.3, 6.0, 60.0])
def test_poisson_draws_are_the_quantiles_of_their_uniform_draws(average):
    key = Streams(4).key("blocks")
    drawn = [poisson(average, key, day, 0, 0)[0] for day in range(2_000)]
    chances = [uniform(key, day, 0, 0) for day in range(2_000)]
    np.testing.assert_array_equal(drawn, stats.poisson.ppf(chances, average))


def test_large_poisson_draws_made_in_parts_have_the_right_moments():
    average, key, runs = 1_500.0, Streams(4).key("blocks"), 4_000
    drawn = np.array([poisson(average, key, day, 0, 0)[0] for day in range(runs)])
    assert abs(drawn.mean() - average) < 3 * math.sqrt(average / runs)
    error = math.sqrt((2 * average**2 + average) / runs)
    assert abs(drawn.var() - average) < 3 * error


@pytest.mark.parametrize("mode", MODES)
def test_no_hashrate_no_blocks(mode):
    chain = new_chain(mode=mode)
    found = chain.mine(0, np.zeros(24), 0.2)
    assert (found.blocks, found.reward_sat, found.stale) == (0, 0, 0)
    assert chain.height == EPOCH_START
    dark = STEADY.copy()
    dark[6:12] = 0.0
    hours = chain.mine(1, dark, 0.2).block_times_s % 86_400 / 3_600
    assert hours.size > 50
    assert not ((hours >= 6) & (hours < 12)).any()


@pytest.mark.parametrize("wrong", [np.full(23, 1.0), np.full(24, -1.0), np.full(24, math.nan)])
def test_a_hashrate_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="hashrate"):
        new_chain().mine(0, wrong, 0.2)


@pytest.mark.parametrize(("height", "difficulty"), [(-1, 1.0), (0, 0.0), (0, math.nan)])
def test_a_chain_that_cannot_be_is_refused(height, difficulty):
    with pytest.raises(ValueError, match="no chain"):
        new_chain(height=height, difficulty=difficulty)


def test_all_the_coins_there_will_ever_be():
    assert supply_sat(6_930_000) == 2_099_999_997_690_000
    assert supply_sat(6_929_999) == supply_sat(6_930_000) - 1
    assert supply_sat(50_000_000) == supply_sat(6_930_000)
    assert subsidy_sat(6_930_000) == subsidy_sat(10**9) == 0


@unhurried
@given(some.integers(0, 7_000_000))
def test_each_block_adds_its_subsidy_to_the_supply(height):
    assert supply_sat(height + 1) - supply_sat(height) == subsidy_sat(height)


@pytest.mark.parametrize(
    ("height", "coins"), [(209_999, 50), (210_000, 25), (630_000, 6.25), (840_000, 3.125)]
)
def test_subsidies_at_the_halvings(height, coins):
    assert subsidy_sat(height) == coins * 10**8


@pytest.mark.parametrize("mode", MODES)
def test_a_halving_inside_a_day(mode):
    chain = new_chain(height=840_000 - 50, mode=mode)
    found = chain.mine(0, STEADY, 0.25)
    assert (found.block_rewards_sat[:50] == 650_000_000).all()
    assert (found.block_rewards_sat[50:] == 337_500_000).all()
    assert found.subsidy_sat == 50 * 625_000_000 + (found.blocks - 50) * 312_500_000
    assert found.fees_sat == found.blocks * 25_000_000
    assert found.reward_sat == found.block_rewards_sat.sum()
    assert chain.subsidy_sat == 312_500_000


@settings(deadline=None, max_examples=60)
@given(
    height=some.integers(0, 34)
    .map(lambda era: 210_000 * era)
    .flatmap(lambda halving: some.integers(max(0, halving - 300), halving + 300)),
    strength=some.lists(some.floats(0.0, 20.0), min_size=1, max_size=4),
    fees=some.floats(0.0, 50.0),
    mode=some.sampled_from(MODES),
    off_by_one=some.booleans(),
)
def test_coinbases_claim_what_their_heights_allow(height, strength, fees, mode, off_by_one):
    chain = new_chain(height=height, mode=mode, off_by_one=off_by_one)
    heights = 0
    for day, factor in enumerate(strength):
        heights += chain.mine(day, STEADY * factor, fees).blocks
        check_coinbase(chain)
    assert chain.height == height + heights
    by_block = sum(int(subsidy_sat(height + block)) for block in range(heights))
    assert chain.coinbase_sat == by_block + chain.fees_sat
    assert chain.supply_sat == supply_sat(height) + by_block


def test_mean_interval_of_the_last_144_blocks():
    chain = new_chain()
    assert chain.mean_interval_s == 600.0
    times = [600.0 * np.arange(-144, 1)]
    for day in range(3):
        found = chain.mine(day, 0.5 * STEADY, 0.0)
        times.append(found.block_times_s)
        recent = np.concatenate(times)[-145:]
        assert found.mean_interval_s == pytest.approx(np.diff(recent).mean())
    assert 900 < chain.mean_interval_s < 1_500


def test_hashprice_of_a_chain():
    chain = new_chain(height=889_056, difficulty=equilibrium_difficulty(850e6))
    assert 1e3 * chain.hashprice(83_000, 0.03) == pytest.approx(44.363, rel=1e-4)


def test_natural_stale_blocks():
    stale = blocks = 0
    chain = new_chain(propagation_s=10.0)
    for day in range(500):
        found = chain.mine(day, STEADY, 0.0)
        stale, blocks = stale + found.stale, blocks + found.blocks
    chance = 1 - math.exp(-10 / 600)
    assert abs(stale / blocks - chance) < 3 * math.sqrt(chance / blocks)
    assert new_chain().stale_chance == pytest.approx(0.00166, abs=1e-5)


def fees_of(seed, **settings_):
    return TransactionFees(np.random.default_rng(seed), **settings_)


def test_without_congestion_fees_are_an_autoregression():
    fees, days = fees_of(5, congestion=0.0), 400
    path = np.array([fees.next(0, 100.0 + day) for day in range(days)])
    shocks = 0.15 * np.random.default_rng(5).standard_normal(days)
    weights = 0.97 ** np.arange(days)
    expected = [shocks[: day + 1][::-1] @ weights[: day + 1] for day in range(days)]
    np.testing.assert_allclose(np.log(path / 0.03), expected, atol=1e-12)


def test_fees_have_their_stationary_moments():
    fees, days = fees_of(6), 40_000
    logs = np.log([fees.next(0, 600.0) for _ in range(days)][500:])
    spread = 0.15 / math.sqrt(1 - 0.97**2)
    # Days are correlated: this many are worth one independent draw.
    worth = (1 + 0.97) / (1 - 0.97)
    assert abs(logs.mean() - math.log(0.03)) < 3 * spread * math.sqrt(worth / days)
    mean_fees = np.exp(logs).mean()
    assert mean_fees == pytest.approx(
        0.03 * math.exp(spread**2 / 2), rel=3 * math.sqrt(worth / days)
    )
    assert logs.std() == pytest.approx(spread, rel=3 * math.sqrt(worth / 2 / days))


def test_slow_blocks_raise_fees():
    usual, slow = fees_of(7).next(0, 600.0), fees_of(7).next(0, 1_200.0)
    assert slow == pytest.approx(2 * usual)
    assert fees_of(7, congestion=2.0).next(0, 1_200.0) == pytest.approx(4 * usual)


def test_observed_fees_come_first_and_the_autoregression_carries_on_from_them():
    observed = fees_per_block_btc(np.array([144.0, math.nan, 576.0]), np.full(3, 144.0))
    np.testing.assert_allclose(observed, [1.0, 2.0, 4.0])
    fees = fees_of(8, observed_btc_block=observed, volatility_day=0.0)
    assert [fees.next(month, 900.0) for month in (0, 1, 2)] == pytest.approx([1.0, 2.0, 4.0])
    after = math.log(0.03) + 0.97 * math.log(4.0 / 0.03)
    assert fees.next(3, 600.0) == pytest.approx(math.exp(after))
    with pytest.raises(IndexError):
        fees.next(-1, 600.0)


def test_history_does_not_shift_later_shocks():
    with_history = fees_of(9, observed_btc_block=np.array([0.03]))
    without = fees_of(9)
    with_history.next(0, 600.0), without.next(0, 600.0)
    first, second = (math.log(process.next(1, 600.0)) for process in (with_history, without))
    shocks = 0.15 * np.random.default_rng(9).standard_normal(2)
    assert first == pytest.approx(math.log(0.03) + shocks[1])
    assert second - first == pytest.approx(0.97 * shocks[0])


def test_gaps_at_the_ends_are_held():
    filled = fill_gaps(np.array([math.nan, 3.0, math.nan, 12.0, math.nan]))
    np.testing.assert_allclose(filled, [3.0, 3.0, 6.0, 12.0, 12.0])
    with pytest.raises(ValueError, match="positive"):
        fill_gaps(np.array([math.nan, math.nan]))
