"""What every reward scheme promises, whatever it is, and what each promises besides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from model.rewards.pool import FullPayPerShare, PayPerLastShares, PayPerShare
from model.rewards.scheme import CovenantTerms, Income, RewardScheme, Terms
from model.rewards.schemes import SCHEMES
from model.rewards.solo import Solo
from model.streams import Streams
from model.units import BLOCKS_PER_DAY

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
every_scheme = pytest.mark.parametrize("name", SCHEMES)

SUBSIDY_SAT = 312_500_000
FEES_SAT = 3_000_000
BLOCK_S = 600.0


def income(work, finders, fees=None, *, begins_s=0.0, fair_fees_sat=FEES_SAT, subsidy=SUBSIDY_SAT):
    """A period in which blocks are found every ten minutes; arrays that nobody may change."""
    finders = np.array(finders, np.int64)
    fees = [FEES_SAT] * finders.size if fees is None else fees
    arrays = (
        np.array(work, float),
        finders,
        np.full(finders.size, subsidy),
        np.array(fees, np.int64),
        begins_s + BLOCK_S * np.arange(1, finders.size + 1),
    )
    for array in arrays:
        array.flags.writeable = False
    return Income(*arrays, float(subsidy), float(fair_fees_sat))


@some.composite
def histories(draw):
    """A few periods of one pool, which members join but never leave; some have no work.

    Work is in parts of a block that sum without rounding.
    """
    members, periods = draw(some.integers(1, 4)), []
    for period in range(draw(some.integers(1, 5))):
        members += draw(some.integers(0, 2))
        work = draw(some.lists(some.integers(0, 2048), min_size=members, max_size=members))
        finders = draw(some.lists(some.integers(0, members - 1), max_size=4))
        fees = [draw(some.integers(0, 10**8)) for _ in finders]
        begins = period * 10 * BLOCK_S
        periods.append(income(np.array(work) / 1024, finders, fees, begins_s=begins))
    return periods


covenants = some.builds(
    CovenantTerms,
    window=some.sampled_from(["count", "time", "range"]),
    blocks=some.integers(1, 8),
    seconds=some.floats(600.0, 20_000.0),
    range_s=some.sampled_from([(0.0, 6_000.0), (1_200.0, 9_000.0)]),
    shared=some.sampled_from([0.0, 0.5, 0.75, 143 / 144, 1.0]),
    bootstrap=some.sampled_from(["equal", "forward", "coordinated"]),
    weights=some.sampled_from(["plain", "ewma"]),
    dust_sat=some.sampled_from([0, 330, 10**7]),
    payout_cost_sat=some.sampled_from([0, 200]),
    choice=some.sampled_from(["fixed", "per_block"]),
).filter(lambda terms: terms.choice == "fixed" or terms.window != "range")
all_terms = some.builds(
    Terms,
    cut=some.sampled_from([0.0, 0.01, 0.04, 0.5]),
    reserve_sat=some.sampled_from([0, SUBSIDY_SAT, 100 * SUBSIDY_SAT]),
    window_blocks=some.sampled_from([0.1, 2.0, 5.0]),
    covenant=covenants,
)


def settled(scheme, periods):
    return [scheme.settle(period) for period in periods]


def moved(periods, order):
    """The same periods, with the members of the last one in another order."""
    place = np.argsort(order)
    padded = [np.pad(each.work, (0, order.size - each.work.size)) for each in periods]
    return [
        replace(each, work=work[order], finders=place[each.finders])
        for each, work in zip(periods, padded, strict=True)
    ]


# What every scheme promises


@every_scheme
def test_a_scheme_is_what_the_table_says(name):
    scheme = SCHEMES[name](Terms())
    assert isinstance(scheme, RewardScheme)
    assert SCHEMES[name].operated == (name in {"pps", "fpps", "pplns"})
    assert scheme.ruined is False


@every_scheme
@unhurried
@given(histories(), all_terms)
def test_all_that_comes_in_is_paid_out_or_kept_to_the_satoshi(name, periods, terms):
    scheme = SCHEMES[name](terms)
    for period in periods:
        before = scheme.reserve_sat
        paid = scheme.settle(period)
        assert paid.payouts_sat.dtype == np.int64
        assert paid.payouts_sat.shape == period.work.shape
        assert (paid.payouts_sat >= 0).all()
        assert paid.cut_sat >= 0
        assert scheme.reserve_sat >= 0
        assert scheme.reserve_sat - before == paid.reserve_change_sat
        assert paid.cost_sat >= 0
        kept = paid.cut_sat + paid.reserve_change_sat + paid.cost_sat
        assert int(paid.payouts_sat.sum()) + kept == period.total_sat


@every_scheme
@unhurried
@given(histories(), all_terms, some.randoms(use_true_random=False))
def test_payouts_move_with_the_members_up_to_ties(name, periods, terms, random):
    order = np.array(random.sample(range(periods[-1].work.size), periods[-1].work.size))
    # All members are there from the beginning, without work, so that they can change places.
    here = settled(SCHEMES[name](terms), moved(periods, np.arange(order.size)))
    there = settled(SCHEMES[name](terms), moved(periods, order))
    for period, one, other in zip(periods, here, there, strict=True):
        # Of those who tie some get a satoshi more, at most one in each block.
        ties = max(1, period.finders.size)
        assert np.abs(one.payouts_sat[order] - other.payouts_sat).max() <= ties
        assert abs(one.cut_sat - other.cut_sat) <= ties


@every_scheme
@unhurried
@given(histories(), all_terms)
def test_the_same_income_is_paid_the_same(name, periods, terms):
    once, twice = (settled(SCHEMES[name](terms), periods) for _ in range(2))
    for one, other in zip(once, twice, strict=True):
        assert np.array_equal(one.payouts_sat, other.payouts_sat)
        assert (one.cut_sat, one.reserve_change_sat) == (other.cut_sat, other.reserve_change_sat)


@every_scheme
@unhurried
@given(histories(), all_terms, some.integers(1, 3))
def test_members_who_join_and_do_nothing_change_nothing(name, periods, terms, newcomers):
    more = [
        replace(period, work=np.pad(period.work, (0, newcomers * row)))
        for row, period in enumerate(moved(periods, np.arange(periods[-1].work.size)))
    ]
    without = settled(SCHEMES[name](terms), periods)
    beside = settled(SCHEMES[name](terms), more)
    for period, few, many in zip(periods, without, beside, strict=True):
        members = period.work.size
        # Sums of more rows may round otherwise: a satoshi a block.
        difference = np.abs(few.payouts_sat - many.payouts_sat[:members])
        assert difference.max() <= max(1, period.finders.size)
        assert not many.payouts_sat[members:].any()


@every_scheme
def test_periods_without_blocks_or_members(name):
    scheme = SCHEMES[name](Terms(reserve_sat=10**12))
    assert scheme.settle(income([], [])).payouts_sat.size == 0
    for _ in range(3):
        paid = scheme.settle(income([0.0, 0.0], []))
        assert not paid.payouts_sat.any()
        assert (paid.cut_sat, paid.reserve_change_sat) == (0, 0)
    for _ in range(3):
        paid = scheme.settle(income([0.5, 0.0, 0.1], []))
        # Only who pays every share pays without a block, and from its reserve.
        assert paid.payouts_sat.any() == (name in {"pps", "fpps"})
        assert int(paid.payouts_sat.sum()) == -paid.reserve_change_sat


@every_scheme
def test_in_the_long_run_payouts_are_in_proportion_to_work(name):
    generator = Streams(5).generator(f"long run of {name}")
    share = np.array([0.10, 0.15, 0.25])
    terms = Terms(cut=0.02, reserve_sat=10**13, covenant=CovenantTerms(blocks=12, shared=0.75))
    scheme, days = SCHEMES[name](terms), 400
    paid = np.zeros((days, 3))
    for day in range(days):
        blocks = generator.binomial(BLOCKS_PER_DAY, share.sum())
        finders = generator.choice(3, blocks, p=share / share.sum())
        one_day = income(share * BLOCKS_PER_DAY, finders, begins_s=day * BLOCKS_PER_DAY * BLOCK_S)
        paid[day] = scheme.settle(one_day).payouts_sat
    part = scheme.expected_part(SUBSIDY_SAT, FEES_SAT)
    fair = share * BLOCKS_PER_DAY * (SUBSIDY_SAT + FEES_SAT) * part
    blocks = days * BLOCKS_PER_DAY
    for member in range(3):
        variance = scheme.relative_variance(share[member], share.sum(), blocks)
        # A satoshi of rounding a day, and at most a window of a covenant at either end.
        slack = 1.0 / fair[member] + (12 / (share.sum() * blocks) if name == "covenant" else 0.0)
        error = abs(paid[:, member].mean() / fair[member] - 1.0)
        assert error <= 3.0 * math.sqrt(variance) + slack


@pytest.mark.parametrize(
    ("name", "part"),
    [("solo", 1.0), ("pps", 0.98 * 0.99), ("fpps", 0.98), ("pplns", 0.98), ("covenant", 1.0)],
)
def test_who_takes_which_part_of_what_work_is_worth(name, part):
    scheme = SCHEMES[name](Terms(cut=0.02))
    assert scheme.expected_part(99.0, 1.0) == pytest.approx(part)


# Mining alone


def test_a_block_goes_to_its_finder():
    paid = Solo(Terms(cut=0.02)).settle(income([0.3, 0.3, 0.4], [2, 0, 2], [10, 20, 30]))
    assert paid.payouts_sat.tolist() == [SUBSIDY_SAT + 20, 0, 2 * SUBSIDY_SAT + 40]
    assert (paid.cut_sat, paid.reserve_change_sat) == (0, 0)


# Every share paid


@pytest.mark.parametrize("name", ["pps", "fpps"])
def test_shares_are_paid_whether_blocks_are_found_or_not(name):
    scheme = SCHEMES[name](Terms(cut=0.03, reserve_sat=100 * SUBSIDY_SAT))
    fair = SUBSIDY_SAT + (FEES_SAT if name == "fpps" else 0)
    owed = [0.97 * 2.0 * fair, 0.97 * 1.0 * fair, 0.0]
    for finders in ([], [0, 1], [2] * 30):
        payouts = scheme.settle(income([2.0, 1.0, 0.0], finders)).payouts_sat
        assert payouts == pytest.approx(owed, abs=1.0)


def test_transaction_fees_stay_with_an_operator_that_does_not_promise_them():
    work, finders = [1.5, 0.5], [0, 1]
    pps = PayPerShare(Terms(cut=0.02, reserve_sat=10**12)).settle(income(work, finders))
    fpps = FullPayPerShare(Terms(cut=0.02, reserve_sat=10**12)).settle(income(work, finders))
    assert pps.reserve_change_sat == pytest.approx(0.02 * 2 * SUBSIDY_SAT + 2 * FEES_SAT, abs=1)
    assert fpps.reserve_change_sat == pytest.approx(0.02 * 2 * (SUBSIDY_SAT + FEES_SAT), abs=1)


def test_promised_transaction_fees_are_the_mean_and_not_those_of_the_block():
    scheme = FullPayPerShare(Terms(reserve_sat=10**12))
    paid = scheme.settle(income([1.0], [0], [9 * FEES_SAT], fair_fees_sat=FEES_SAT))
    assert paid.payouts_sat.tolist() == [SUBSIDY_SAT + FEES_SAT]
    assert paid.reserve_change_sat == 8 * FEES_SAT


def test_an_operator_saves_before_it_draws():
    scheme = PayPerShare(Terms(cut=0.02, reserve_sat=SUBSIDY_SAT))
    lucky = income([1.0], [0, 0], [0, 0])
    first, second = scheme.settle(lucky), scheme.settle(lucky)
    saved = SUBSIDY_SAT + SUBSIDY_SAT // 50
    assert (first.cut_sat, first.reserve_change_sat) == (saved - SUBSIDY_SAT, SUBSIDY_SAT)
    assert (second.cut_sat, second.reserve_change_sat) == (saved, 0)


def test_over_time_an_operator_draws_the_posted_cut():
    generator = Streams(3).generator("draws")
    scheme, days, share = FullPayPerShare(Terms(cut=0.04, reserve_sat=3 * 10**10)), 1500, 0.3
    drawn, found = 0, 0
    for _ in range(days):
        blocks = generator.binomial(BLOCKS_PER_DAY, share)
        found += blocks
        paid = scheme.settle(income([share * BLOCKS_PER_DAY], np.zeros(blocks)))
        drawn += paid.cut_sat
    assert not scheme.ruined
    reward, worked = SUBSIDY_SAT + FEES_SAT, days * share * BLOCKS_PER_DAY
    luck = (found - worked) * reward
    saved = scheme.reserve_sat - 3 * 10**10
    # One satoshi of rounding a day.
    assert drawn + saved - luck == pytest.approx(0.04 * worked * reward, abs=days)
    assert abs(luck) <= 3.0 * reward * math.sqrt(worked * (1.0 - share))


@pytest.mark.parametrize("name", ["pps", "fpps"])
def test_a_reserve_that_is_too_small_ruins_the_operator(name):
    scheme = SCHEMES[name](Terms(cut=0.02, reserve_sat=SUBSIDY_SAT))
    owing = scheme.settle(income([2.0, 1.0, 1.0], [], []))
    assert scheme.ruined
    assert owing.payouts_sat.tolist() == [SUBSIDY_SAT // 2, SUBSIDY_SAT // 4, SUBSIDY_SAT // 4]
    assert (owing.cut_sat, owing.reserve_change_sat) == (0, -SUBSIDY_SAT)
    assert scheme.reserve_sat == 0


def test_a_ruined_operator_pays_what_comes_in_by_work_since_the_last_block():
    scheme = PayPerShare(Terms(cut=0.02, reserve_sat=0))
    scheme.settle(income([1.0, 1.0], []))
    assert scheme.ruined
    assert not scheme.settle(income([3.0, 0.0], [])).payouts_sat.any()
    paid = scheme.settle(income([0.0, 1.0], [1], [FEES_SAT]))
    reward = SUBSIDY_SAT + FEES_SAT
    assert paid.cut_sat == math.floor(0.02 * reward)
    assert paid.payouts_sat == pytest.approx([0.98 * reward * 0.75, 0.98 * reward * 0.25], abs=1)
    again = scheme.settle(income([0.0, 1.0, 1.0], [1, 1]))
    assert again.payouts_sat[0] == 0
    assert scheme.reserve_sat == 0


@unhurried
@given(histories(), all_terms)
def test_an_operator_never_pays_more_than_it_has(periods, terms):
    scheme = PayPerShare(terms)
    for period in periods:
        ruined, before = scheme.ruined, scheme.reserve_sat
        paid = int(scheme.settle(period).payouts_sat.sum())
        assert paid <= period.total_sat + before
        assert scheme.ruined >= ruined
        if ruined:
            assert paid <= (1.0 - terms.cut) * period.total_sat + 1
            assert scheme.reserve_sat == before == 0


def test_who_is_paid_by_a_ruined_operator_bears_the_luck_of_the_pool():
    sound, ruined = (PayPerShare(Terms(reserve_sat=reserve)) for reserve in (10**12, 0))
    ruined.settle(income([1.0], []))
    assert ruined.expected_part(99.0, 1.0) == 1.0 > sound.expected_part(99.0, 1.0)
    last = PayPerLastShares(Terms())
    assert ruined.relative_variance(0.01, 0.2, 1000) == last.relative_variance(0.01, 0.2, 1000)
    assert sound.relative_variance(0.01, 0.2, 1000) < 1e-4 * ruined.relative_variance(
        0.01, 0.2, 1000
    )


# The last shares


def by_last_shares(periods, window_blocks, cut=0.0):
    """What PPLNS pays, by counting: periods of one block each, all work in small pieces."""
    members, pieces = periods[-1].work.size, []
    payouts = np.zeros(members)
    for period in periods:
        work = np.pad(period.work, (0, members - period.work.size))
        pieces.append(work)
        for reward in period.rewards_sat:
            left, due = window_blocks, np.zeros(members)
            for piece in reversed(pieces):
                taken = min(left, piece.sum())
                due += piece * (taken / piece.sum() if piece.any() else 0.0)
                left -= taken
            payouts += (1.0 - cut) * reward * due / due.sum()
    return payouts


@unhurried
@given(
    some.lists(
        some.tuples(some.lists(some.integers(0, 900), min_size=3, max_size=3).filter(any),
                    some.integers(0, 2)),
        min_size=1, max_size=12,
    ),
    some.sampled_from([0.05, 0.7, 2.0, 50.0]),
)  # fmt: skip
def test_each_block_is_split_by_the_last_work(rounds, window_blocks):
    periods = [income(np.array(work) / 1000, [finder]) for work, finder in rounds]
    scheme = PayPerLastShares(Terms(cut=0.01, window_blocks=window_blocks))
    paid = sum(each.payouts_sat for each in settled(scheme, periods))
    # Work of 1 % of the window may be dated to the middle of a step, nothing else differs.
    tolerance = 0.03 * SUBSIDY_SAT * len(rounds) if window_blocks == 50.0 else 2 * len(rounds)
    assert paid == pytest.approx(by_last_shares(periods, window_blocks, 0.01), abs=tolerance)


@pytest.mark.parametrize("window_blocks", [0.2, 3.0, 40.0, 1000.0])
def test_a_day_is_paid_as_its_blocks_are(window_blocks):
    generator = Streams(7).generator("days")
    joined = np.array([[0.1, 0.2, 0.0], [0.1, 0.1, 0.1], [0.0, 0.1, 0.4]])
    by_day, by_block = (PayPerLastShares(Terms(window_blocks=window_blocks)) for _ in range(2))
    for share in joined:
        finders = generator.choice(3, 50, p=share / share.sum())
        day = by_day.settle(income(share * 100, finders)).payouts_sat
        blocks = [by_block.settle(income(share * 2, [finder])).payouts_sat for finder in finders]
        assert day == pytest.approx(sum(blocks), abs=50)


def test_periods_without_blocks_count_as_work():
    quiet, busy = (PayPerLastShares(Terms(window_blocks=2.0)) for _ in range(2))
    for _ in range(10):
        quiet.settle(income([0.1, 0.0], []))
    paid = quiet.settle(income([0.0, 1.0], [1])).payouts_sat
    assert paid[0] == pytest.approx(paid[1], abs=1)
    assert busy.settle(income([0.0, 1.0], [1])).payouts_sat[0] == 0


def test_work_leaves_the_window_behind_a_member_that_left():
    scheme = PayPerLastShares(Terms(window_blocks=3.0))
    scheme.settle(income([1.0, 1.0], [0, 1]))
    parts = []
    for _ in range(5):
        payouts = scheme.settle(income([0.0, 1.0], [1])).payouts_sat
        parts.append(payouts[0] / payouts.sum())
    assert parts == pytest.approx([1 / 3, 1 / 6, 0, 0, 0], abs=1e-8)


def test_the_cut_of_last_shares_is_taken_from_blocks_alone():
    scheme = PayPerLastShares(Terms(cut=0.01))
    assert scheme.settle(income([1.0], [])).cut_sat == 0
    reward = SUBSIDY_SAT + FEES_SAT
    assert scheme.settle(income([1.0], [0, 0])).cut_sat == math.floor(0.02 * reward)


def test_memory_is_bounded_however_short_the_periods():
    scheme = PayPerLastShares(Terms(window_blocks=5.0))
    for _ in range(1200):
        scheme.settle(income([2e-3, 2e-3], []))
    assert len(scheme._steps) < 250
    assert scheme.settle(income([1.0, 0.0], [0])).payouts_sat[1] == pytest.approx(
        0.4 * (SUBSIDY_SAT + FEES_SAT), rel=1e-9
    )


def test_a_pool_of_last_shares_needs_a_window():
    with pytest.raises(ValueError, match="window"):
        PayPerLastShares(Terms(window_blocks=0.0))


def test_members_are_never_removed():
    scheme = PayPerLastShares(Terms())
    scheme.settle(income([1.0, 1.0], [0]))
    with pytest.raises(ValueError, match="rows are only added"):
        scheme.settle(income([1.0], [0]))
