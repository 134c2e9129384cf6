"""Costs besides power: the eight expenses, capital, repair, contracts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.markets import costs
from study.static_limit import electricity_spread, unit_cost_besides_power

MEGAWATTS = st.floats(1e-3, 5e3)
DUTIES = st.floats(0.05, 1.0)


def test_eight_expenses_by_size():
    sizes = np.array([0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0])
    found = costs.fixed_costs_usd_mwh(sizes, 0.95)
    np.testing.assert_allclose(found, [9.60, 9.60, 9.60, 9.02, 6.73, 5.19, 3.29, 1.52], rtol=0.01)


def test_eight_expenses_against_the_formula_item_by_item():
    generator = np.random.default_rng(5)
    sizes, duties = generator.lognormal(2, 3, 200), generator.uniform(0.1, 1, 200)
    expected = np.zeros(200)
    for in_house, outsourced in costs.FIXED_EXPENSES.values():
        own = in_house * np.maximum(sizes, 1.0) ** 0.35 / (sizes * 8766 * duties)
        expected += np.minimum(own, outsourced)
    np.testing.assert_allclose(costs.fixed_costs_usd_mwh(sizes, duties), expected, rtol=1e-12)
    np.testing.assert_allclose(costs.fixed_costs_usd_mwh(sizes, duties, 2.0), 2 * expected)


def test_a_firm_without_power_pays_the_outsourced_price():
    assert costs.fixed_costs_usd_mwh(0.0, 0.0) == pytest.approx(9.6)


@settings(deadline=None)
@given(st.floats(1.0, 5e3), st.floats(1.0, 10.0), DUTIES)
def test_unit_cost_does_not_rise_with_the_firm(firm, factor, duty):
    small, large = costs.operating_cost_usd_mwh(
        np.array([1.0, 1.0]), np.array([firm, firm * factor]), duty
    )
    assert large <= small + 1e-9
    small, large = unit_cost_besides_power(np.array([firm, firm * factor]), np.full(2, duty))
    assert large <= small + 1e-9


def test_electricity_share_of_cash_operating_cost():
    sizes = np.array([1.0, 3.0, 10.0, 30.0, 100.0, 300.0])
    other = costs.operating_cost_usd_mwh(sizes, sizes, 0.95)
    found = costs.electricity_share(45.0, other)
    np.testing.assert_allclose(found, [0.761, 0.761, 0.769, 0.800, 0.823, 0.852], atol=6e-4)


def test_break_even_electricity_spread_by_size():
    expected = {
        0.0035: 6.96,
        0.01: 3.56,
        0.05: 21.68,
        0.1: 10.2,
        0.3: 1.82,
        1: 11.46,
        3: 9.4,
        10: 7.17,
        30: 3.73,
        300: -1.9,
        1000: -3.67,
    }
    found = electricity_spread(np.array(list(expected)))
    np.testing.assert_allclose(found, list(expected.values()), atol=6e-3)
    assert unit_cost_besides_power(100.0, 0.95) == pytest.approx(42.44, abs=5e-3)
    found = electricity_spread(np.array([0.0035, 0.1, 1.0, 10.0]), 0.85)
    np.testing.assert_allclose(found, [7.5, 11.2, 12.0, 7.6], atol=0.06)


def test_scale_advantage_stretches_the_distance_from_the_reference_size():
    sizes = np.array([1.0, 100.0, 300.0])
    plain = costs.operating_cost_usd_mwh(sizes, sizes, 0.95)
    none = costs.operating_cost_usd_mwh(sizes, sizes, 0.95, scale_advantage=0.0)
    double = costs.operating_cost_usd_mwh(sizes, sizes, 0.95, scale_advantage=2.0)
    np.testing.assert_allclose(none, plain[1])
    np.testing.assert_allclose(double - plain[1], 2 * (plain - plain[1]))
    assert costs.operating_cost_usd_mwh(1000.0, 1000.0, 0.95, scale_advantage=16.0) == 0.0


def test_small_sites_are_cheap_to_develop_and_to_keep():
    sizes = np.array([0.01, 0.03, 0.05, 0.4, 0.5])
    np.testing.assert_array_equal(costs.site_cost_usd(sizes), [500, 5000, 50e3, 50e3, 50e3])
    np.testing.assert_array_equal(costs.site_cost_usd(sizes, 0.0), np.zeros(5))
    np.testing.assert_array_equal(costs.maintenance_usd_mwh(sizes), [0, 0, 0, 0, 4.5])
    np.testing.assert_array_equal(
        costs.infrastructure_usd_mw(sizes), [100e3, 100e3, 350e3, 350e3, 350e3]
    )


def test_capital_cost_repays_the_investment():
    yearly = costs.capital_cost_usd_mwh(10.0, 0.95, 8e5, 0.16) * 8766 * 0.95
    machines = 8e5 * 0.16 / (1 - 1.16**-4)
    building = 355e3 * 0.12 / (1 - 1.12**-10)
    assert yearly == pytest.approx(machines + building)


@settings(deadline=None)
@given(st.floats(10, 500), st.floats(0, 0.5), st.floats(0.01, 1.0))
def test_repair_threshold_is_unique_and_falls_with_hashprice(machine_ths, margin, failure):
    threshold = float(costs.repair_threshold_machines(machine_ths, margin, failure))
    machines = np.array([0.01, 0.5, 0.999, 1.001, 2.0, 3.7, 10.0, 100.0, 1e4]) * threshold
    in_house = costs.repairs_in_house(machines, machine_ths, margin, failure)
    np.testing.assert_array_equal(in_house, [False] * 3 + [True] * 6)
    assert costs.repair_threshold_machines(machine_ths, margin + 0.1, failure) < threshold


def test_repair_threshold_by_hand():
    found = costs.repair_threshold_machines(200.0, 0.02, 0.08)
    assert found == pytest.approx(90e3 / (0.08 * (310 - 80 + 27 * 4.0)))
    np.testing.assert_array_equal(costs.repair_days(np.array([True, False])), [3.0, 30.0])


def test_hedging_scales_the_variance_and_costs_a_premium():
    generator = np.random.default_rng(3)
    spot = generator.lognormal(3.5, 0.4, 10_000)
    forward = spot.mean()
    for hedged in (0.0, 0.25, 0.5, 1.0):
        paid = costs.hedged_price(spot, forward, hedged)
        assert paid.var() == pytest.approx((1 - hedged) ** 2 * spot.var(), abs=1e-9)
        assert paid.mean() == pytest.approx(forward * (1 + 0.02 * hedged))
    np.testing.assert_array_equal(costs.hedge_ratio(np.array([29.0, 30.0]), 0.5), [0.0, 0.5])


def test_contracts():
    np.testing.assert_array_equal(costs.contract_discount(np.array([1.0, 1e3])), [0.0, 0.0])
    found = costs.contract_discount(np.array([1.0, 1e3]), 0.03)
    np.testing.assert_allclose(found, [0.03 * np.log(2), 0.15])
    np.testing.assert_allclose(costs.take_or_pay_mwh(np.array([10.0, 90.0]), 100.0), [60.0, 90.0])


def test_demand_response_pays_the_loads_that_stand_by():
    found = costs.demand_response_credit(np.array([50.0, 50.0, -5.0]), [False, True, True])
    np.testing.assert_allclose(found, [0.0, 4.0, 0.0])
