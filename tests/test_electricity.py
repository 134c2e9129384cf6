"""Power prices: size distribution, delivered price, season, supply curve, lead times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.site import Site
from model.markets import electricity

EXPONENTS = st.floats(0.2, 2.5)
SIZES = st.tuples(st.floats(1e-3, 10.0), st.floats(1.5, 1e4)).map(lambda p: (p[0], p[0] * p[1]))


@pytest.mark.parametrize(
    ("exponent", "below"),
    [
        (0.8, (0.094, 0.242, 0.477)),
        (1.0, (0.233, 0.465, 0.698)),
        (1.2, (0.428, 0.698, 0.869)),
    ],
)
def test_capacity_shares_of_a_truncated_pareto_population(exponent, below):
    found = electricity.capacity_share_below(np.array([1.0, 10.0, 100.0]), exponent, 0.1, 2000.0)
    np.testing.assert_allclose(found, below, atol=6e-4)


@given(EXPONENTS, SIZES, st.floats(0.0, 1.0))
def test_quantile_inverts_the_distribution(exponent, sizes, probability):
    size = electricity.capacity_quantile(probability, exponent, *sizes)
    assert sizes[0] * (1 - 1e-9) <= size <= sizes[1] * (1 + 1e-9)
    found = electricity.capacity_share_below(size, exponent, *sizes)
    np.testing.assert_allclose(found, probability, atol=1e-6)


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.2])
def test_sites_drawn_by_number_carry_the_capacity_distribution(exponent):
    generator = np.random.default_rng(11)
    # By number sites are rarer by one more power of their size.
    sizes = electricity.capacity_quantile(generator.random(400_000), 1 + exponent, 0.1, 2000.0)
    small = np.where(sizes < 10.0, sizes, 0.0)
    ratio = small.sum() / sizes.sum()
    error = np.std(small - ratio * sizes) / (sizes.mean() * np.sqrt(sizes.size))
    expected = electricity.capacity_share_below(10.0, exponent, 0.1, 2000.0)
    assert abs(ratio - expected) < 3 * error


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.2])
def test_mean_log_size_is_the_mean_over_capacity(exponent):
    middle = (np.arange(200_000) + 0.5) / 200_000
    logs = np.log(electricity.capacity_quantile(middle, exponent, 5.0, 1000.0))
    assert electricity.mean_log_size(exponent, 5.0, 1000.0) == pytest.approx(logs.mean(), abs=1e-5)
    assert electricity.size_gradient(np.exp(logs), logs.mean(), 4.5).mean() == pytest.approx(0.0)


def test_gradient_is_linear_in_log_size():
    gradient = electricity.size_gradient(np.array([1.0, np.e, np.e**2]), 1.0, 9.0)
    np.testing.assert_allclose(gradient, [-9.0, 0.0, 9.0], atol=1e-12)


@pytest.mark.parametrize(("least", "most"), [(0.0, 1.0), (2.0, 2.0), (3.0, 1.0)])
def test_impossible_size_ranges_are_refused(least, most):
    with pytest.raises(ValueError, match="least < most"):
        electricity.capacity_quantile(0.5, 1.0, least, most)


def test_delivered_price_adds_its_components_and_behind_the_meter_there_are_no_wires():
    sites = {
        "generation_wet": np.array([20.0, 20.0]),
        "generation_dry": np.array([40.0, 40.0]),
        "transmission": np.array([18.0, 0.0]),
    }
    Site.price_power(sites, 0.25, 0.9, 1.1, np.full(2, 3.0), np.full(2, 2.0))
    rest = 35.0 * 0.9 + 3.0 - 2.0
    np.testing.assert_allclose(sites["power_price"], [rest + 18.0 * 1.1, rest])


def test_wet_season_is_full_from_june_to_october_and_half_the_year():
    weight = electricity.season_weight(np.arange(1, 366))
    assert (weight[151:304] == 1.0).all()
    assert (weight[:121] == 0.0).all()
    assert (weight[335:] == 0.0).all()
    assert (np.diff(weight[:200]) >= 0).all()
    assert (np.diff(weight[200:]) <= 0).all()
    assert np.abs(np.diff(weight)).max() < 0.06
    assert weight.mean() == pytest.approx(0.5, abs=0.01)


def test_seasonal_price_lies_between_wet_and_dry():
    price = electricity.seasonal(25.0, 55.0, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(price, [55.0, 40.0, 25.0])


@given(st.lists(st.tuples(st.floats(-50, 300), st.floats(0, 1e4)), min_size=1, max_size=60))
def test_supply_curve_is_monotone_and_integrates_to_the_potential(sites):
    cost, capacity = np.array(sites).T
    order, sorted_cost, cumulative = electricity.merit_order(cost, capacity)
    assert sorted(order.tolist()) == list(range(len(sites)))
    assert (np.diff(sorted_cost) >= 0).all()
    assert (np.diff(cumulative) >= 0).all()
    assert cumulative[-1] == pytest.approx(capacity.sum())
    prices = np.linspace(-60, 310, 25)
    expected = [capacity[cost <= price].sum() for price in prices]
    found = electricity.supply(prices, sorted_cost, cumulative)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_supply_curve_refuses_negative_capacity():
    with pytest.raises(ValueError, match="negative"):
        electricity.merit_order(np.array([1.0]), np.array([-1.0]))


def test_lead_times_by_type_and_size():
    months = electricity.lead_time_months(
        np.array([electricity.LEAD_MONTHS[t] for t in ("grid_industrial",) * 2 + ("btm_nuclear",)]),
        np.array([99.0, 100.0, 500.0]),
        np.array([True, True, False]),
        scale=2.0,
    )
    np.testing.assert_allclose(months, [36.0, 72.0, 18.0])
