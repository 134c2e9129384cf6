"""Price paths: endpoints, interpolation, and the law of the expected price."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.markets import price

MONDAY = 737_000


def test_weekly_means_stand_on_thursdays():
    path = price.historical_path([MONDAY, MONDAY + 7, MONDAY + 14], [100, 400, 200], MONDAY, 21)
    assert list(path[[3, 10, 17]]) == [100.0, 400.0, 200.0]
    assert path[:3] == pytest.approx(100.0)
    assert path[18:] == pytest.approx(200.0)
    assert np.diff(np.log(path[3:11])) == pytest.approx(np.log(4) / 7)


def test_a_history_that_does_not_cover_the_days_is_refused():
    weeks = [MONDAY, MONDAY + 7]
    assert len(price.historical_path(weeks, [1, 2], MONDAY, 14)) == 14
    with pytest.raises(ValueError, match="ends before"):
        price.historical_path(weeks, [1, 2], MONDAY, 15)
    with pytest.raises(ValueError, match="begins after"):
        price.historical_path(weeks, [1, 2], MONDAY - 1, 3)


def test_a_steady_rise_is_a_straight_line_in_logs():
    path = price.piecewise_path([100, 465], [50_000.0, 500_000.0], 90, 400)
    assert path[0] == path[10] == 50_000.0
    assert path[375] == path[-1] == 500_000.0
    assert np.diff(np.log(path[10:376])) == pytest.approx(np.log(10) / 365)


def test_a_crash_may_happen_overnight():
    path = price.piecewise_path([0, 9, 10], [100.0, 100.0, 30.0], 0, 12)
    assert list(path[9:]) == [100.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("dates", "prices"), [([], []), ([1, 1], [1, 2]), ([2, 1], [1, 2]), ([1, 2], [1])]
)
def test_bad_dates_are_refused(dates, prices):
    with pytest.raises(ValueError, match="increasing dates"):
        price.piecewise_path(dates, prices, 0, 3)


def test_prices_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="positive"):
        price.piecewise_path([1, 2], [1, 0], 0, 3)


@given(
    prices=st.lists(st.floats(1, 1e6), min_size=1, max_size=8),
    gaps=st.lists(st.integers(1, 90), min_size=8, max_size=8),
)
def test_paths_pass_through_their_points_and_stay_between(prices, gaps):
    dates = np.cumsum(gaps[: len(prices)])
    path = price.piecewise_path(dates, prices, 0, int(dates[-1]) + 5)
    assert list(path[dates]) == prices
    assert path.min() >= min(prices) * (1 - 1e-12)
    assert path.max() <= max(prices) * (1 + 1e-12)


def test_the_same_stream_gives_the_same_path_and_a_longer_run_the_same_start():
    paths = [
        price.jump_path(83_000, 0.15, 0.6, 2, -0.05, 0.2, days, np.random.default_rng(9))
        for days in (400, 400, 900)
    ]
    assert np.array_equal(paths[0], paths[1])
    assert np.array_equal(paths[0], paths[2][:400])
    assert len(paths[2]) == 900
    assert paths[0][0] == 83_000


def test_jumps_leave_the_diffusion_alone():
    smooth = price.gbm_path(100, 0.1, 0.5, 300, np.random.default_rng(2))
    jumpy = price.jump_path(100, 0.1, 0.5, 3, 0.0, 0.4, 300, np.random.default_rng(2))
    change = np.diff(np.log(jumpy)) - np.diff(np.log(smooth))
    jumps = np.abs(change - np.median(change)) > 1e-9
    assert 0 < jumps.sum() < 12


def test_without_volatility_the_price_grows_by_its_drift():
    path = price.gbm_path(100.0, 0.10, 0.0, 1462, np.random.default_rng(1))
    assert path[-1] == pytest.approx(100 * np.exp(0.10 * 4), rel=1e-9)


@pytest.mark.parametrize("jumps_yr", [0.0, 2.0, 6.0])
def test_the_expected_price_grows_by_its_drift_whatever_the_jumps(jumps_yr):
    rng = np.random.default_rng(17)
    ends = np.array(
        [price.jump_path(1.0, 0.15, 0.6, jumps_yr, -0.05, 0.2, 366, rng)[-1] for _ in range(4000)]
    )
    expected = np.exp(0.15 * 365 / 365.25)
    assert abs(ends.mean() - expected) < 3 * ends.std(ddof=1) / np.sqrt(len(ends))


def test_log_returns_have_the_variance_of_diffusion_and_jumps():
    rng = np.random.default_rng(23)
    path = price.jump_path(1.0, 0.15, 0.6, 50.0, -0.05, 0.2, 200_001, rng)
    returns = np.diff(np.log(path))
    variance = (0.6**2 + 50 * (0.05**2 + 0.2**2)) / 365.25
    squared = (returns - returns.mean()) ** 2
    assert abs(squared.mean() - variance) < 3 * squared.std() / np.sqrt(len(returns))


def test_one_day_is_the_starting_price():
    assert list(price.gbm_path(5.0, 0.1, 0.5, 1, np.random.default_rng(1))) == [5.0]


def test_dumping_two_hundred_thousand_coins_moves_the_price_little():
    assert -price.flow_impact(200e3) == pytest.approx(-0.0122, abs=5e-5)
    assert -price.flow_impact(200e3, volume_btc_day=30e3) == pytest.approx(-0.039, abs=5e-4)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_impact_is_concave_odd_and_rising(one, other):
    both = price.flow_impact(one + other)
    assert both <= price.flow_impact(one) + price.flow_impact(other) + 1e-15
    assert both >= max(price.flow_impact(one), price.flow_impact(other))
    assert price.flow_impact(-one) == -price.flow_impact(one)
    half = price.flow_impact((one + other) / 2)
    assert half >= (price.flow_impact(one) + price.flow_impact(other)) / 2 - 1e-15


def test_half_of_an_impact_wears_off_by_its_half_life():
    impact = price.absorb_flow(price.FlowImpact(), 300e3)
    assert impact.total == pytest.approx(0.015, abs=1e-15)
    for _ in range(30):
        impact = price.absorb_flow(impact, 0.0)
    assert impact.permanent == pytest.approx(0.0075, abs=1e-15)
    assert impact.fading == pytest.approx(0.00375, abs=1e-12)


def test_buying_back_at_once_undoes_a_sale():
    impact = price.absorb_flow(price.FlowImpact(), 5e3, half_life_days=float("inf"))
    assert price.absorb_flow(impact, -5e3, half_life_days=float("inf")).total == 0.0


@given(st.floats(1e-3, 1e7), st.floats(0.01, 1))
def test_the_outside_price_is_met_bit_for_bit_when_nothing_moves_it(outside, neutrality):
    impact = price.FlowImpact()
    for _ in range(3):
        impact = price.absorb_flow(impact, 0.0)
    assert price.endogenous_price(outside, neutrality, neutrality, impact) == outside


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 1e6))
def test_what_destroys_value_never_raises_the_price(one, other, sold):
    low, high = sorted((one, other))
    impact = price.absorb_flow(price.FlowImpact(), sold)
    assert price.endogenous_price(100.0, low, 1.0) <= price.endogenous_price(100.0, high, 1.0)
    assert price.endogenous_price(100.0, high, 1.0, impact) <= 100.0 * high
    halved = price.endogenous_price(100.0, high, 1.0, fork_factor=0.5)
    assert halved == pytest.approx(50.0 * high)
