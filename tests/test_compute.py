"""AI bidders for sites."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.markets import compute


def test_availability_by_size():
    sizes = np.array([1.0, 10.0, 50.0, 100.0, 300.0])
    found = compute.availability(sizes)
    np.testing.assert_allclose(found, [0.999, 0.942, 0.55, 0.316, 0.143], atol=1e-3)


@given(st.floats(1e-3, 1e4), st.floats(1.0, 100.0))
def test_larger_sites_are_more_often_lost(size, factor):
    assert compute.win_probability(size * factor) >= compute.win_probability(size)


def test_nobody_bids_without_a_backlog_or_where_bids_are_not_possible():
    assert compute.win_probability(300.0, 0.0) == 0.0
    found = compute.availability(np.array([300.0, 300.0]), np.array([True, False]))
    assert found[0] < 0.2
    assert found[1] == 1.0


def test_backlog_starts_on_its_day_and_grows():
    found = compute.backlog(np.array([-0.1, 0.0, 2.0]), start_mw=2000.0, growth_yr=0.2)
    np.testing.assert_allclose(found, [0.0, 2000.0, 2880.0])


def test_half_size_declines_only_if_asked():
    years = np.array([-1.0, 0.0, 10.0])
    np.testing.assert_array_equal(compute.half_size(years), [50.0, 50.0, 50.0])
    found = compute.half_size(years, decline_yr=0.10)
    np.testing.assert_allclose(found, [50.0, 50.0, 50.0 * 0.9**10])
    shrunk = compute.availability(np.array([10.0]), half_size_mw=float(found[2]))
    assert shrunk < compute.availability(np.array([10.0]))


def test_bids_are_far_above_the_power_price():
    bids = compute.bid_price(45.0, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(bids, [105.0, 275.0, 445.0])


def test_chance_is_half_of_the_most_at_the_half_size():
    found = compute.win_probability(80.0, half_size_mw=80.0, most=0.7)
    assert found == pytest.approx(0.35)
