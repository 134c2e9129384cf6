"""Conversions between units, against figures worked out by hand and elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model import units

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None)

HASHRATE_THS = 850e6
REWARD_BTC = 3.155

# USD/MWh by efficiency in J/TH, at 850 EH/s and 3.155 BTC a block; the last row is the S9.
BREAKEVEN_AT_83K = {13.5: 136.9, 17.5: 105.6, 21.5: 86.0, 29.5: 62.7, 38: 48.6, 98: 18.9}
BREAKEVEN_AT_500K = {17.5: 636, 29.5: 377, 38: 293, 98: 113.6}


def hashprice_at(price_usd: float) -> float:
    difficulty = units.equilibrium_difficulty(HASHRATE_THS)
    return units.hashprice_usd_ths_day(difficulty, REWARD_BTC, price_usd)


def test_a_block_takes_ten_minutes_at_the_equilibrium_difficulty():
    difficulty = units.equilibrium_difficulty(82e6)
    assert units.blocks_per_second(82e6, difficulty) == pytest.approx(1 / 600)
    # 2**32 hashes at difficulty 1 by one terahash a second.
    assert units.blocks_per_second(1.0, 1.0) == pytest.approx(232.83064365)


@pytest.mark.parametrize(("price_usd", "usd_ph_day"), [(83_000, 44.36), (500_000, 267.25)])
def test_hashprice(price_usd, usd_ph_day):
    assert 1e3 * hashprice_at(price_usd) == pytest.approx(usd_ph_day, rel=5e-4)


def test_hashprice_follows_difficulty_and_meets_the_equilibrium_formula():
    at_difficulty = hashprice_at(83_000)
    in_equilibrium = units.equilibrium_hashprice(HASHRATE_THS, REWARD_BTC, 83_000)
    assert at_difficulty == pytest.approx(in_equilibrium, rel=1e-12)


@pytest.mark.parametrize(
    ("price_usd", "table"), [(83_000, BREAKEVEN_AT_83K), (500_000, BREAKEVEN_AT_500K)]
)
def test_breakeven_power_prices(price_usd, table):
    efficiency = np.array(list(table), dtype=float)
    breakeven = units.breakeven_power_price_usd_mwh(hashprice_at(price_usd), efficiency)
    np.testing.assert_allclose(breakeven, list(table.values()), rtol=5e-3)


def test_capital_recovery():
    assert units.capital_recovery(0.10, 10.0) == pytest.approx(0.16274539, rel=1e-7)
    assert units.capital_recovery(0.0, 4.0) == 0.25
    assert units.capital_recovery(1e-12, 4.0) == pytest.approx(0.25, rel=1e-9)


@unhurried
@given(some.floats(1e-4, 1.0), some.integers(1, 40))
def test_capital_recovery_repays_the_debt(rate, years):
    payment = units.capital_recovery(rate, float(years))
    worth = sum(payment / (1 + rate) ** year for year in range(1, years + 1))
    assert worth == pytest.approx(1.0)


@unhurried
@given(some.floats(-1e4, 1e4))
def test_logistic_is_bounded_and_odd_about_a_half(score):
    assert 0.0 <= units.logistic(score) <= 1.0
    assert units.logistic(score) + units.logistic(-score) == pytest.approx(1.0)


def test_logistic_at_log_odds():
    assert units.logistic(math.log(3.0)) == pytest.approx(0.75)


def test_time():
    assert units.HOURS_PER_YEAR == units.DAYS_PER_YEAR * units.HOURS_PER_DAY
    assert units.EPOCH_TARGET_S == 14 * units.SECONDS_PER_DAY
