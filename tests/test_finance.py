"""Capital, failure, hazards, moving and investment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.markets import finance
from model.markets.finance import Form, Solvency

UNIT = st.floats(0.0, 1.0)


def test_cost_of_capital_by_form_and_size():
    form = np.array([Form.HOME, Form.PRIVATE, Form.PRIVATE, Form.PUBLIC, Form.STATE])
    size = np.array([0.01, 10.0, 50.0, 1.0, 10.0])
    np.testing.assert_array_equal(finance.wacc(form, size), [0.10, 0.16, 0.12, 0.12, 0.16])


def test_equity_is_for_public_firms_that_the_market_values():
    form = np.array([Form.PUBLIC, Form.PUBLIC, Form.PRIVATE, Form.HOME])
    cap = np.array([1e9, 1e9, 1e9, 1e9])
    assets = np.array([1.25e9, 1.26e9, 1.0, 1.0])
    room = finance.equity_room_usd(form, cap, assets, 0.8)
    np.testing.assert_allclose(room, [0.12e9, 0.0, 0.0, 0.0])
    assert finance.equity_proceeds_usd(100.0) == pytest.approx(95.0)
    assert finance.equity_price_impact(1.5e8, 1e9) == pytest.approx(-0.075)
    assert finance.equity_price_impact(1e9, 0.0) == -1.0


def test_debt_limits_and_rates():
    form = np.array([Form.PUBLIC, Form.PRIVATE, Form.HOME, Form.STATE])
    limit = finance.debt_limit_usd(form, 100.0, 60.0, 0.6)
    np.testing.assert_allclose(limit, [30.0, 12.0, 0.0, 0.0])
    np.testing.assert_allclose(finance.credit_room_usd(limit, 20.0), [10.0, 0.0, 0.0, 0.0])
    assert finance.bond_spread(0.6, 0.3) == pytest.approx(0.03 + 0.04 + 0.0108)
    rates = finance.borrowing_rate(form, 1.0, 0.0)
    np.testing.assert_allclose(rates, [0.07, 0.16, 0.16, 0.16])


@given(UNIT, UNIT, UNIT)
def test_deeper_markets_lend_more_and_cheaper(shallow, deep, leverage):
    shallow, deep = min(shallow, deep), max(shallow, deep)
    form = np.array(Form.PUBLIC)
    assert finance.bond_spread(deep, leverage) <= finance.bond_spread(shallow, leverage)
    for room in (finance.equity_room_usd, finance.debt_limit_usd):
        assert room(form, 100.0, 90.0, deep) >= room(form, 100.0, 90.0, shallow)


def grown_share(depth: float) -> float:
    """Share of hashrate of five public firms two years into a doubled price."""
    machines = np.concatenate([np.full(5, 100.0), np.full(50, 10.0)])
    form = np.concatenate([np.full(5, Form.PUBLIC), np.full(50, Form.PRIVATE)])
    debt = np.zeros(55)
    for _ in range(8):
        value = 2.0 * machines
        equity = finance.equity_room_usd(form, value, machines, depth)
        limit = finance.debt_limit_usd(form, value, machines, depth)
        credit = finance.credit_room_usd(limit, debt)
        debt = debt + credit
        machines = machines + 0.05 * machines + finance.equity_proceeds_usd(equity) + credit
    return float(machines[:5].sum() / machines.sum())


def test_public_firms_compound_with_the_depth_of_their_market():
    shares = [grown_share(depth) for depth in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert (np.diff(shares) > 0).all()
    assert shares[0] < 0.5 < shares[-1]


def test_growth_path_takes_one_step_at_a_time():
    form = np.array([Form.HOME, Form.HOME, Form.PRIVATE, Form.PRIVATE, Form.PRIVATE, Form.STATE])
    fleet = np.array([0.05, 100.0, 51.0, 51.0, 50.0, 900.0])
    depth = np.array([1.0, 1.0, 1.0, 0.3, 1.0, 1.0])
    grown = finance.growth_path(form, fleet, depth, 0.1)
    expected = [Form.HOME, Form.PRIVATE, Form.PUBLIC, Form.PRIVATE, Form.PRIVATE, Form.STATE]
    np.testing.assert_array_equal(grown, expected)
    assert grown.dtype == np.int8
    np.testing.assert_array_equal(finance.growth_path(form[2:3], 51.0, 1.0, -0.1), [Form.PRIVATE])


def step(state, cash, **changes):
    inputs = {
        "fixed_cost_usd_day": 1.0,
        "refinance_room_usd": 0.0,
        "form": Form.PRIVATE,
        "rule_of_law": 0.7,
        "months_left": 0.0,
        "length_draw": 0.5,
        "exit_draw": 0.5,
    } | changes
    return finance.step_solvency(np.array([state]), np.array([cash]), **inputs)


@pytest.mark.parametrize(
    ("state", "cash", "changes", "after"),
    [
        (Solvency.SOLVENT, 60.0, {}, Solvency.SOLVENT),
        (Solvency.SOLVENT, 59.0, {}, Solvency.DISTRESSED),
        (Solvency.DISTRESSED, 60.0, {}, Solvency.SOLVENT),
        (Solvency.SOLVENT, 59.0, {"refinance_room_usd": 1.0}, Solvency.SOLVENT),
        (Solvency.DISTRESSED, -1.0, {"refinance_room_usd": 61.0}, Solvency.SOLVENT),
        (Solvency.DISTRESSED, -1.0, {}, Solvency.LIQUIDATED),
        (Solvency.DISTRESSED, -1.0, {"form": Form.PUBLIC}, Solvency.RESTRUCTURING),
        (
            Solvency.DISTRESSED,
            -1.0,
            {"form": Form.PUBLIC, "rule_of_law": 0.59},
            Solvency.LIQUIDATED,
        ),
        (Solvency.RESTRUCTURING, -9.0, {"months_left": 1.0}, Solvency.RESTRUCTURING),
        (Solvency.RESTRUCTURING, -9.0, {"months_left": 0.01}, Solvency.SOLVENT),
        (
            Solvency.RESTRUCTURING,
            9e9,
            {"months_left": 0.01, "exit_draw": 0.8},
            Solvency.LIQUIDATED,
        ),
        (Solvency.LIQUIDATED, 9e9, {"refinance_room_usd": 9e9}, Solvency.LIQUIDATED),
    ],
)
def test_every_transition_of_the_state_machine(state, cash, changes, after):
    found = step(state, cash, **changes)
    assert found.state[0] == after
    assert found.newly_liquidated[0] == (after == Solvency.LIQUIDATED != state)
    assert found.newly_restructuring[0] == (after == Solvency.RESTRUCTURING != state)


def test_refinancing_fills_the_buffer_exactly():
    found = step(Solvency.DISTRESSED, -5.0, refinance_room_usd=100.0)
    assert found.refinance_usd[0] == 65.0
    assert step(Solvency.SOLVENT, 100.0, refinance_room_usd=100.0).refinance_usd[0] == 0.0


def test_restructuring_lasts_six_to_fourteen_months_and_halves_debt():
    lengths = [
        step(Solvency.SOLVENT, -1.0, form=Form.PUBLIC, length_draw=draw).months_left[0]
        for draw in (0.0, 0.5, 1.0)
    ]
    np.testing.assert_allclose(lengths, [6.0, 10.0, 14.0])
    during = step(Solvency.RESTRUCTURING, 0.0, months_left=6.0)
    assert during.months_left[0] == pytest.approx(6.0 - 12 / 365.25)
    assert during.debt_factor[0] == 1.0
    leaving = step(Solvency.RESTRUCTURING, 0.0, months_left=0.0)
    assert leaving.debt_factor[0] == 0.5
    assert leaving.creditors_take_over[0]


@given(
    st.integers(0, 3),
    st.floats(-1e6, 1e6),
    st.floats(0, 1e4),
    st.floats(0, 1e6),
    st.integers(0, 3),
    UNIT,
    st.floats(0, 14),
    UNIT,
    UNIT,
)
def test_state_machine_never_raises_more_than_there_is(
    state, cash, fixed, room, form, law, left, length, leave
):
    found = finance.step_solvency(
        np.array([state]), cash, fixed, room, form, law, left, length, leave
    )
    assert found.state[0] in list(Solvency)
    assert 0.0 <= found.refinance_usd[0] <= room
    assert (found.months_left[0] > 0) <= (found.state[0] == Solvency.RESTRUCTURING)
    if found.state[0] == Solvency.LIQUIDATED or found.debt_factor[0] < 1:
        assert found.refinance_usd[0] == 0.0


def surviving_hash(form: int, law: float, debt_service: float, power_cost: float) -> float:
    """Share of the hash of 400 alike firms still running half a year after a halved price."""
    firms, hashprice, energy = 400, 0.5, power_cost
    generator = np.random.default_rng(8)
    state = np.zeros(firms, dtype=np.int8)
    cash = generator.uniform(10.0, 60.0, firms)
    left = np.zeros(firms)
    for _ in range(183):
        margin = np.where(state != Solvency.LIQUIDATED, hashprice - energy, 0.0)
        cash = cash + margin - debt_service * finance.pays_interest(state)
        draws = generator.random((2, firms))
        found = finance.step_solvency(
            state, cash, debt_service, 0.0, np.full(firms, form), law, left, *draws
        )
        state, left = found.state, found.months_left
    return float((state != Solvency.LIQUIDATED).mean())


def test_restructuring_keeps_hash_that_liquidation_loses():
    restructured = surviving_hash(Form.PUBLIC, 0.7, 0.5, 0.3)
    liquidated = surviving_hash(Form.PRIVATE, 0.7, 0.5, 0.3)
    lawless = surviving_hash(Form.PUBLIC, 0.4, 0.5, 0.3)
    assert restructured == 1.0
    assert liquidated == lawless < 0.5
    assert surviving_hash(Form.PRIVATE, 0.7, 0.0, 0.2) == 1.0


def test_only_solvent_firms_pay_interest_and_forced_sales_lose_a_quarter():
    np.testing.assert_array_equal(finance.pays_interest(np.arange(4)), [True, True, False, False])
    assert finance.liquidation_value(100.0) == 75.0


def test_hazards_by_rule_of_law():
    law = np.array([0.89, 0.70, 0.34])
    np.testing.assert_allclose(
        finance.seizure_hazard_yr(law, 0.5), 0.16 * (1 - law) ** 2, rtol=1e-12
    )
    np.testing.assert_allclose(finance.halt_hazard_yr(law), 0.25 * (1 - law))
    assert finance.event_probability(0.25, 365.25) == pytest.approx(1 - np.exp(-0.25))
    assert finance.event_probability(0.0) == 0.0


def test_mean_number_of_daily_seizures_follows_the_hazard():
    hazard = float(finance.seizure_hazard_yr(0.34, 0.2))
    draws = np.random.default_rng(4).random((2000, 731))
    found = (draws < finance.event_probability(hazard)).sum()
    expected = 2000 * 731 / 365.25 * hazard
    assert abs(found - expected) < 3 * np.sqrt(expected)


def test_expectation_adapts_by_its_weight():
    assert finance.expected_growth(0.02, 0.12) == pytest.approx(0.05)
    assert finance.monthly_rate(0.12) == pytest.approx(0.0094887929, rel=1e-8)
