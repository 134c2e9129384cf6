"""What two coins are worth: fixed points, paths, total value, dumps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.integrate import solve_ivp

from model.chain import coin_values
from model.chain.coin_values import Holders, fixed_points, holders, opening_share, settle
from model.units import DAYS_PER_YEAR

UNIT = some.floats(0.0, 1.0)
EVEN = Holders(np.ones(1), np.zeros(1), np.zeros(1, np.bool_))


def after_years(share, years, groups, network_effect, tau=2.5, steps_a_day=1):
    """Value share at the end of each year, by steps of a day or less."""
    path = [share]
    steps = round(DAYS_PER_YEAR * steps_a_day)
    for _ in range(years):
        for _ in range(steps):
            share = settle(share, groups, network_effect, tau, days=DAYS_PER_YEAR / steps)
        path.append(share)
    return path


@pytest.mark.parametrize(
    ("network_effect", "points"),
    [
        (0, [0.5]),
        (2, [0.5]),
        (3.99, [0.5]),
        (4, [0.5]),
        (4.1, [0.3661, 0.5, 0.6339]),
        (5, [0.1448, 0.5, 0.8552]),
        (6, [0.0707, 0.5, 0.9293]),
        (8, [0.0212, 0.5, 0.9788]),
    ],
)
def test_symmetric_holders_part_at_a_network_effect_of_four(network_effect, points):
    """F6."""
    assert fixed_points(EVEN, network_effect) == pytest.approx(points, abs=5e-5)


def test_just_above_the_pitchfork_the_points_part_as_the_root_of_the_distance():
    distances = np.array([1e-3, 4e-3])
    gaps = [np.ptp(fixed_points(EVEN, 4 + distance)) for distance in distances]
    assert gaps[1] / gaps[0] == pytest.approx(2.0, rel=0.01)
    assert gaps[0] == pytest.approx(math.sqrt(3 * distances[0] / 4), rel=0.01)


@pytest.mark.parametrize(
    ("network_effect", "point"), [(0, 0.4559), (2, 0.4404), (4, 0.4100), (6, 0.3350)]
)
def test_where_default_holders_settle(network_effect, point):
    """F6, C06."""
    assert fixed_points(holders(), network_effect) == pytest.approx([point], abs=5e-5)


@pytest.mark.parametrize(
    ("freedom", "point"),
    [
        (0.1, 0.1434),
        (0.2, 0.2617),
        (0.3, 0.4100),
        (0.4, 0.5745),
        (0.5, 0.7232),
        (0.6, 0.8375),
        (0.7, 0.9216),
    ],
)
def test_the_weight_of_freedom_seekers_decides(freedom, point):
    """F6."""
    groups = holders(freedom, 0.75 - freedom)
    assert fixed_points(groups, 4.0) == pytest.approx([point], abs=5e-5)


@given(UNIT, UNIT, some.floats(0, 8), some.floats(0, 1))
def test_fixed_points_are_where_demand_is_value_and_odd_in_number(one, other, effect, hashrate):
    freedom, custodians = one * 0.9, (1 - one * 0.9) * other
    groups = holders(freedom, custodians, 1.0 - freedom - custodians)
    points = fixed_points(groups, effect, hashrate)
    assert len(points) % 2 == 1
    for point in points:
        wanted = coin_values.demand_share(groups, point, effect, hashrate)
        assert wanted == pytest.approx(point, abs=1e-9)


def test_the_path_from_even_values():
    """F6, C07: yearly values with a time constant of 2.5 years."""
    oracle = [0.5, 0.4839, 0.4707, 0.4598, 0.4508, 0.4434, 0.4374, 0.4324, 0.4283, 0.4250, 0.4223]
    assert after_years(0.5, 10, holders(), 4.0) == pytest.approx(oracle, abs=6e-5)


def test_the_size_of_a_step_does_not_matter():
    day = after_years(0.5, 10, holders(), 4.0, tau=1.67)
    tenth = after_years(0.5, 10, holders(), 4.0, tau=1.67, steps_a_day=10)
    assert day == pytest.approx(tenth, abs=1e-11)
    exact = solve_ivp(
        lambda _, share: (coin_values.demand_share(holders(), share[0], 4.0) - share) / 1.67,
        (0, 10),
        [0.5],
        rtol=1e-12,
        atol=1e-13,
    )
    assert day[-1] == pytest.approx(exact.y[0, -1], abs=1e-10)


def test_a_longer_time_constant_is_slower():
    """Sign table: tau_v up, slower."""
    quick, slow = (
        after_years(0.5, 5, holders(), 4.0, tau=coin_values.settling_years(years))
        for years in (5.0, 10.0)
    )
    assert (np.array(slow[1:]) > np.array(quick[1:])).all()
    assert slow[5] - 0.41 > 1.3 * (quick[5] - 0.41)


@given(UNIT, some.floats(0, 8), some.floats(0.5, 10), UNIT, some.floats(0.1, 30))
def test_a_value_share_stays_one_and_moves_towards_demand(share, effect, tau, hashrate, days):
    later = settle(share, holders(), effect, tau, hashrate, days=days)
    assert 0.0 <= later <= 1.0
    wanted = coin_values.demand_share(holders(), share, effect, hashrate)
    assert (later - share) * (wanted - share) >= 0.0


@given(some.floats(0, 0.7), some.floats(0, 0.7), some.floats(0, 6))
def test_more_custodians_lower_the_free_coin(one, other, effect):
    """Sign table: custodian weight up, free coin down."""
    low, high = sorted((one, other))
    few, many = (holders(0.75 - weight, weight) for weight in (low, high))
    assert opening_share(many, effect) <= opening_share(few, effect) + 1e-12
    assert fixed_points(many, effect)[0] <= fixed_points(few, effect)[0] + 1e-9


@given(UNIT, UNIT)
def test_hashrate_on_the_free_coin_adds_to_its_demand(one, other):
    low, high = sorted((one, other))
    assert opening_share(holders(), 4.0, low) <= opening_share(holders(), 4.0, high)
    # One unit of log-odds between none and all of the hashrate.
    gain = opening_share(EVEN, 4.0, 1.0)
    assert gain == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_reserves_and_treasuries_join_with_their_own_minds():
    joined = coin_values.with_reserves(holders(), np.array([0.05, 0.02]), np.array([-50.0, 1.5]))
    assert joined.weight.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(joined.weight[:3], 0.93 * holders().weight)
    assert not joined.custody[3:].any()
    expected = 0.93 * opening_share(holders(), 4.0) + 0.02 / (1 + math.exp(-1.5))
    assert opening_share(joined, 4.0) == pytest.approx(expected)
    with pytest.raises(ValueError, match="reserves"):
        coin_values.with_reserves(holders(), np.array([0.6, 0.5]), np.zeros(2))


def test_a_dump_lowers_the_free_coin_and_a_freeze_does_not():
    """C10."""
    supply = 19.8e6
    sold = coin_values.dumped_coins(holders(), supply, 0.8, "sell")
    assert sold == pytest.approx(0.5 * 0.8 * 0.45 * supply)
    assert coin_values.dumped_coins(holders(), supply, 0.8, "freeze") == 0.0
    shift = -0.5 * 0.03 * math.sqrt(sold / 300e3)
    opening = opening_share(holders(), 4.0)
    dumped = coin_values.shifted_share(opening, shift)
    assert dumped < opening
    # The other coin keeps its price, and the free coin's falls by the shift.
    fall = math.log(dumped / (1 - dumped)) - math.log(opening / (1 - opening))
    assert fall == pytest.approx(shift)
    assert coin_values.shifted_share(opening, 0.0) == pytest.approx(opening)


def test_what_a_dump_took_comes_back_where_holders_have_one_mind():
    """C60: the threat lasts for a time, half of it for 3.4 years; tau is 2.5 years."""
    opening = opening_share(holders(), 4.0)
    dumped = coin_values.shifted_share(opening, -0.1)
    free, sold = (after_years(share, 10, holders(), 4.0) for share in (opening, dumped))
    gap = np.array(free) - np.array(sold)
    assert (np.diff(gap) < 0).all()
    half_life = 10 * math.log(2) / math.log(gap[0] / gap[10])
    assert half_life == pytest.approx(3.4, abs=0.1)


def test_what_a_dump_took_stays_lost_where_two_outcomes_were_open():
    """C60 fails: a network effect above 4, and a dump across the point between."""
    low, middle, high = fixed_points(EVEN, 6.0)
    just_above = middle + 0.01
    dumped = coin_values.shifted_share(just_above, -0.1)
    assert after_years(just_above, 60, EVEN, 6.0)[-1] == pytest.approx(high, abs=1e-3)
    assert after_years(dumped, 60, EVEN, 6.0)[-1] == pytest.approx(low, abs=1e-3)


@pytest.mark.parametrize(
    ("exponent", "values"),
    [
        (1.0, [1.0, 1.0, 1.0]),
        (1.25, [0.9328, 0.8747, 0.8409]),
        (1.5, [0.8854, 0.7745, 0.7071]),
        (2.0, [0.82, 0.625, 0.5]),
    ],
)
def test_total_value_by_share_and_exponent(exponent, values):
    """F7."""
    found = [
        coin_values.total_value_usd(1.0, share, exponent, censored=False)
        for share in (0.1, 0.25, 0.5)
    ]
    assert found == pytest.approx(values, abs=5e-5)


@given(UNIT, some.floats(1, 2), some.floats(0, 0.4), some.booleans())
def test_a_split_creates_no_value(share, exponent, weakening, censored):
    """F7, C08."""
    total = coin_values.total_value_usd(1.0, share, exponent, weakening, censored)
    assert 0.0 <= total <= 1.0 + 1e-12
    uncensored = coin_values.total_value_usd(1.0, share, exponent, weakening, False)
    assert total == pytest.approx(uncensored * (1 - weakening * censored * (1 - share)))
    if 0.05 < share < 0.95 and exponent > 1.05:
        assert uncensored < 1.0


@given(UNIT, some.floats(1, 1e13))
def test_prices_add_up_to_the_total_value(share, total):
    compliant, free = coin_values.coin_prices_usd(total, share, 2e7)
    assert (compliant + free) * 2e7 == pytest.approx(total)
    assert free * 2e7 == pytest.approx(share * total)


def test_the_ends_of_the_value_share_are_safe():
    for share in (0.0, 1.0):
        assert coin_values.shifted_share(share, -5.0) == share
        assert coin_values.total_value_usd(1.0, share, censored=False) == 1.0
        assert 0.0 <= settle(share, holders(), 4.0, 2.5) <= 1.0


@pytest.mark.parametrize(
    ("weight", "attachment"), [([0.5, 0.6], [0, 0]), ([-0.1, 1.1], [0, 0]), ([1.0], [math.nan])]
)
def test_holders_that_cannot_be_are_refused(weight, attachment):
    with pytest.raises(ValueError, match=r"add up|not a number"):
        Holders(np.array(weight), np.array(attachment), np.zeros(len(weight), np.bool_))


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="one weight"):
        Holders(np.ones(1), np.zeros(2), np.zeros(1, np.bool_))
    with pytest.raises(ValueError, match="settles"):
        settle(1.1, holders(), 4.0, 2.5)
    with pytest.raises(ValueError, match="settles"):
        settle(0.5, holders(), 4.0, 0.0)
    with pytest.raises(ValueError, match="creates no value"):
        coin_values.total_value_usd(1.0, 0.5, 0.9)
    with pytest.raises(ValueError, match="supply"):
        coin_values.coin_prices_usd(1.0, 0.5, 0.0)
