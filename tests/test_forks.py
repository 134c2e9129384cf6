"""Who asks for a fork, who can mine it, and which side survives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model.chain import forks
from model.chain.coin_values import holders, settle
from model.chain.forks import ForkKind
from model.streams import Streams

unhurried = settings(deadline=None)

KEY = Streams(1).key("forks")
DRAWS = 4_000


def uniform_between(drawn, low, high):
    """Whether draws have the mean and the range of a uniform law, three standard errors."""
    error = (high - low) / math.sqrt(12 * drawn.size)
    inside = drawn.min() >= low and drawn.max() <= high
    return inside and abs(drawn.mean() - (low + high) / 2) < 3 * error


def test_what_holders_bear_is_drawn_in_its_ranges():
    tolerance = forks.draw_tolerance(KEY, DRAWS)
    assert uniform_between(tolerance.censored_share, 0.05, 0.95)
    assert uniform_between(tolerance.days, 30, 180)
    assert abs(np.corrcoef(tolerance)[0, 1]) < 3 / math.sqrt(DRAWS)
    few = forks.draw_tolerance(KEY, 3)
    np.testing.assert_array_equal(few.days, tolerance.days[:3])


def test_a_lead_is_drawn_for_each_fork():
    leads = np.array([forks.lead_days(KEY, fork) for fork in range(DRAWS)])
    assert uniform_between(leads, 90, 365)


def test_holders_ask_after_censorship_they_do_not_bear_has_lasted():
    group = holders()
    tolerance = forks.Tolerance(np.array([0.2, 0.2, 0.6]), np.array([30.0, 60.0, 30.0]))
    days, asked = np.zeros(3), []
    for _ in range(90):
        days = forks.days_over(days, 0.5, tolerance)
        asked.append(forks.activist_share(group.weight, group.freedom, days, tolerance))
    freedom_seekers, custodians = group.weight[:2] * group.freedom[:2]
    assert asked[29] == 0.0
    assert asked[30] == asked[59] == pytest.approx(freedom_seekers)
    assert asked[60] == asked[-1] == pytest.approx(freedom_seekers + custodians)
    assert forks.is_proposed(asked[30])
    assert not forks.is_proposed(asked[29])
    # Custodians alone, nearly half of the supply, ask too little for anybody to propose.
    assert not forks.is_proposed(float(custodians))


def test_a_break_starts_the_count_anew():
    tolerance = forks.draw_tolerance(KEY, 5)
    days = forks.days_over(np.full(5, 500.0), 0.04, tolerance)
    np.testing.assert_array_equal(days, 0.0)
    np.testing.assert_array_equal(forks.days_over(days, 0.96, tolerance, 30.0), 30.0)
    with pytest.raises(ValueError, match="share of blocks"):
        forks.days_over(days, 1.1, tolerance)


@given(some.floats(0, 1), some.floats(0, 1))
def test_more_censorship_never_makes_fewer_holders_ask(one, other):
    tolerance, group = forks.draw_tolerance(KEY, 3), holders()

    def asking(censored):
        days = forks.days_over(np.full(3, 400.0), censored, tolerance)
        return forks.activist_share(group.weight, group.freedom, days, tolerance)

    low, high = sorted((one, other))
    assert asking(low) <= asking(high)


def test_a_new_algorithm_leaves_old_machines_nothing():
    """C09."""
    hashrate = np.array([3.0, 5.0, 7.0])
    rejected = np.array([False, True, False])
    usable = {kind: forks.usable_hashrate(kind, hashrate, rejected) for kind in ForkKind}
    assert usable[ForkKind.NEW_ALGORITHM].sum() == 0.0
    np.testing.assert_array_equal(usable[ForkKind.INVALIDATION], [3.0, 0.0, 7.0])
    np.testing.assert_array_equal(usable[ForkKind.CHECKPOINTS], hashrate)


@given(some.floats(1, 1e6), some.floats(0.01, 50), some.floats(1e-6, 1e3))
def test_a_dollar_buys_the_same_security_on_any_algorithm(price, reward, cost):
    hashrate = forks.commodity_hashrate_ths(price, reward, cost)
    assert hashrate * cost == pytest.approx(144 * reward * price)


def test_hashrate_that_costs_nothing_is_refused():
    with pytest.raises(ValueError, match="cost"):
        forks.commodity_hashrate_ths(1.0, 3.0, 0.0)


def test_bad_actors_are_recognised_and_others_mistaken_at_their_rates():
    government = np.arange(2 * DRAWS) % 2 == 0
    rejected = forks.rejected_owners(government, KEY)
    for group, chance in ((government, 0.95), (~government, 0.02)):
        error = math.sqrt(chance * (1 - chance) / DRAWS)
        assert abs(rejected[group].mean() - chance) < 3 * error
    swapped = forks.rejected_owners(~government, KEY)
    # Who is listed as a bystander would be listed as a bad actor too.
    assert swapped[rejected & ~government].all()


def test_a_government_attacks_with_what_is_not_recognised():
    hashrate = np.array([10.0, 30.0, 4.0, 6.0])
    government = np.array([True, True, False, False])
    reached = forks.reach(hashrate, government, np.array([True, False, True, False]))
    assert reached == (6.0, 4.0, 30.0)
    assert forks.can_attack(reached.anonymous_ths, reached.honest_ths)
    known = forks.reach(hashrate, government, government)
    assert known == (10.0, 0.0, 0.0)
    assert not forks.can_attack(known.anonymous_ths, known.honest_ths)


def test_the_original_rules_stay_with_the_work_unless_checkpoints_replaced_it():
    assert forks.compliant_is_original(None, 2.0, 1.0)
    assert not forks.compliant_is_original(None, 1.0, 1.0)
    assert forks.compliant_is_original(ForkKind.INVALIDATION, 2.0, 1.0)
    assert not forks.compliant_is_original(ForkKind.CHECKPOINTS, 2.0, 1.0)
    assert forks.compliant_is_original(ForkKind.NEW_ALGORITHM, 1.0, 2.0)


def test_the_free_side_pins_itself_nine_times_in_ten_within_a_month():
    days = np.array(
        [forks.pin_day(None, 50.0, Streams(seed).key("forks")) for seed in range(DRAWS)]
    )
    pinned = np.isfinite(days)
    assert abs(pinned.mean() - 0.9) < 3 * math.sqrt(0.09 / DRAWS)
    assert uniform_between(days[pinned], 51.0, 80.0)
    for kind in (ForkKind.NEW_ALGORITHM, ForkKind.INVALIDATION):
        assert forks.pin_day(kind, 50.0, KEY, chance=0.0) == 50.0
    assert forks.pin_day(ForkKind.CHECKPOINTS, 50.0, KEY, chance=0.0) == math.inf


@given(some.floats(0, 1e20), some.floats(0, 1e20))
def test_a_pinned_side_cannot_be_wiped_out(compliant, free):
    assert not forks.is_wiped_out(compliant, free, True)
    assert forks.is_wiped_out(compliant, free, False) == (compliant > free)


def test_an_unpinned_free_side_loses_a_day_of_lead_in_146_days():
    """F.13: hashrate follows values, which settle from even to 41 % for the free coin."""
    free, compliant, share, day = 144.0, 0.0, 0.5, 0
    while not forks.is_wiped_out(compliant, free, False):
        before, share, day = share, settle(share, holders(), 4.0, 2.5), day + 1
        mean = (before + share) / 2
        free, compliant = free + 144 * mean, compliant + 144 * (1 - mean)
    assert day == 146
