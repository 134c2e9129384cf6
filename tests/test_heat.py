"""Waste heat: seasons, customers, credit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.markets import heat

POSITIVE = st.floats(1e-4, 1e3)
# Numbers too small for full precision are no prices.
VALUE = st.floats(0, 200, allow_subnormal=False)


@pytest.mark.parametrize(
    ("fuel", "value"), [("resistive", 120.0), ("gas", 44.4), ("heat_pump", 40.0)]
)
def test_worth_of_displaced_fuels(fuel, value):
    assert heat.fuel_value(fuel) == pytest.approx(value, abs=0.05)


def test_half_useful_heat_in_place_of_resistive_heating_earns_sixty():
    assert heat.heat_credit(2.0, 1.0, heat.fuel_value("resistive")) == pytest.approx(60.0)


@given(POSITIVE, POSITIVE, VALUE, POSITIVE, st.floats(1.0, 100.0))
def test_credit_does_not_rise_with_size(load, demand, value, sink, factor):
    small = heat.heat_credit(load, demand, value, sink)
    large = heat.heat_credit(load * factor, demand, value, sink)
    assert large <= small + 1e-9


@given(POSITIVE, POSITIVE, VALUE, POSITIVE)
def test_heat_above_the_sink_earns_nothing(load, demand, value, sink):
    most = value * min(demand, sink)
    earned = heat.heat_credit(load, demand, value, sink) * load
    assert earned <= most * (1 + 1e-9)
    if load >= min(demand, sink):
        assert earned == pytest.approx(most)


def test_hours_with_heat_demand_rise_towards_the_poles():
    hours = heat.heating_hours(np.arange(0.0, 91.0, 2.0))
    assert (np.diff(hours) >= 0).all()
    assert hours[0] == 0.0
    assert hours[-1] == 365 * 24
    np.testing.assert_allclose(
        heat.heating_hours(np.array([-50.0])), heat.heating_hours(np.array([50.0])), atol=48
    )


def test_hemispheres_are_half_a_year_out_of_phase():
    days = np.arange(1, 366)
    warmest_north = days[heat.ambient_temperature(50.0, days).argmax()]
    warmest_south = days[heat.ambient_temperature(-50.0, days).argmax()]
    assert warmest_north - warmest_south == pytest.approx(365.25 / 2, abs=2)


def test_temperatures_at_known_places():
    assert heat.ambient_temperature(0.0, 77) == pytest.approx(28.0)
    assert heat.ambient_temperature(60.0, 200) == pytest.approx(28.0 - 27.0 + 18.0)
    assert heat.heat_demand(8.0, 0.001, 0.002) == pytest.approx(0.012)
    assert heat.heat_demand(25.0, 0.001) == 0.0


@given(st.floats(-90, 90), st.integers(1, 366), POSITIVE, st.floats(0, 0.1), st.floats(-50, 200))
def test_a_miner_who_sells_heat_is_never_worse_off(latitude, day, load, conductance, value):
    temperature = heat.ambient_temperature(latitude, day)
    demand = heat.heat_demand(temperature, conductance)
    credit = heat.heat_credit(load, demand, value)
    assert 0.0 <= credit <= max(value, 0.0)


@given(POSITIVE, st.floats(0, 1e3))
def test_heat_sold_is_at_most_heat_made(load, demand):
    assert 0.0 <= heat.useful_fraction(demand, load) * load <= load * (1 + 1e-12)


def test_a_site_that_is_off_makes_no_division_by_zero():
    np.testing.assert_array_equal(
        heat.useful_fraction(np.array([1.0, 1.0]), np.array([0.0, 2.0])), [1.0, 0.5]
    )
