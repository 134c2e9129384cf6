"""Each conservation law holds where it should, and says so where it does not."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model import ledger
from model.chain.chain import Chain
from model.ledger import Accounts, BrokenLaw
from model.sharing import shared
from model.streams import Streams
from model.units import equilibrium_difficulty

# A busy machine is no failure.
unhurried = settings(deadline=None)


def mined_chain():
    chain = Chain(839_900, equilibrium_difficulty(82e6), Streams(1).key("blocks"))
    for day in range(3):
        chain.mine(day, np.full(24, 82e6), 0.123456785)
    return chain


def test_coinbases_of_a_chain_through_a_halving():
    ledger.check_coinbase(mined_chain())


@pytest.mark.parametrize("name", ["coinbase_sat", "fees_sat", "issued_sat"])
def test_one_satoshi_too_many_in_a_coinbase(name):
    chain = mined_chain()
    told = {kind: getattr(chain, kind) for kind in ("coinbase_sat", "fees_sat", "issued_sat")}
    told[name] += 1
    with pytest.raises(BrokenLaw, match="coinbase"):
        ledger.check_coinbase(SimpleNamespace(**told))


@unhurried
@given(some.lists(some.integers(0, 10**14), min_size=1, max_size=20))
def test_balances_are_the_supply_to_the_satoshi(held):
    supply_sat = sum(held) + 7
    ledger.check_balances(supply_sat, np.array(held, np.int64), 7)
    with pytest.raises(BrokenLaw, match="balances"):
        ledger.check_balances(supply_sat + 1, np.array(held, np.int64), 7)


def test_coins_held_as_floats_are_refused():
    with pytest.raises(BrokenLaw, match="whole satoshi"):
        ledger.check_balances(3, np.array([1.0, 2.0]))


def test_hash_is_conserved():
    ledger.check_hash(np.array([[1e8, 0.0], [2e8, 3e8]]), np.array([1e8, 5e8]))
    with pytest.raises(BrokenLaw, match="hash"):
        ledger.check_hash(np.array([1e8, 5e8]), 6e8 + 10)


def test_machines_are_somewhere():
    produced = np.array([100.0, 0.0, 50.0])
    active, scrapped = np.array([60.0, 0.0, 49.0]), np.array([30.0, 0.0, 1.0])
    ledger.check_machines(produced, active, np.array([10.0, 0.0, 0.0]), 0.0, scrapped)
    with pytest.raises(BrokenLaw, match="row 0"):
        ledger.check_machines(produced, active, 0.0, 0.0, scrapped)
    # Two generations that err in opposite directions do not make up for each other.
    with pytest.raises(BrokenLaw, match="machines"):
        ledger.check_machines(np.array([1.0, 2.0]), np.array([2.0, 1.0]))


ENERGY = {
    "heat_mwh": np.array([24.0, 0.0]),
    "electricity_mwh": np.array([24.0, 0.0]),
    "load_mw": np.array([1.0, 0.0]),
    "capacity_mw": np.array([1.0, 2.0]),
    "heat_sold_mwh": np.array([3.0, 0.0]),
}


def test_energy_is_conserved():
    ledger.check_energy(**ENERGY)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("heat_mwh", "heat out"),
        ("electricity_mwh", "heat out"),
        ("load_mw", "capacity"),
        ("heat_sold_mwh", "sold"),
    ],
)
def test_each_breach_of_energy_is_named(name, message):
    wrong = ENERGY | {name: ENERGY[name] + np.array([0.0, 30.0])}
    with pytest.raises(BrokenLaw, match=message):
        ledger.check_energy(**wrong)


def test_money_is_conserved_up_to_rounding():
    ledger.check_money(5.0, 5.0 + 1e-4, 1e6)
    for after in (5.01, float("nan")):
        with pytest.raises(BrokenLaw, match="money"):
            ledger.check_money(5.0, after, 1e6)


@unhurried
@given(some.integers(0, 10**11), some.integers(0, 10**9), some.integers(-(10**9), 10**9))
def test_a_pool_accounts_for_its_revenue(revenue_sat, cut_sat, reserve_change_sat):
    owed_sat = max(0, revenue_sat - cut_sat - reserve_change_sat)
    payouts = shared(np.array([3.0, 1.0, 2.0]), owed_sat)
    cut_sat = revenue_sat - owed_sat - reserve_change_sat
    ledger.check_pool(payouts, revenue_sat, reserve_change_sat, cut_sat)
    with pytest.raises(BrokenLaw, match="pool"):
        ledger.check_pool(payouts, revenue_sat, reserve_change_sat, cut_sat + 1)


@pytest.mark.parametrize("shares", [[1.0], [0.5, 0.5], [0.7, 0.2, 0.1, 0.0]])
def test_shares_that_are_shares(shares):
    ledger.check_shares(np.array(shares))


@pytest.mark.parametrize(
    "shares", [[], [0.5, 0.4], [1.2, -0.2], [float("nan"), 1.0], [0.5, 0.5, 0.001]]
)
def test_shares_that_are_not(shares):
    with pytest.raises(BrokenLaw, match="shares"):
        ledger.check_shares(np.array(shares))


payments = some.lists(
    some.tuples(
        some.booleans(),
        some.sampled_from(["utility", "tax"]),
        some.lists(some.tuples(some.integers(0, 9), some.floats(0, 1e9)), max_size=20),
    ),
    max_size=10,
)


@unhurried
@given(payments)
def test_payments_conserve_money(moves):
    cash, accounts = np.linspace(0.0, 1e6, 10), Accounts(["utility", "tax"])
    before, expected = accounts.total_usd(cash), cash.copy()
    for pays, account, lines in moves:
        rows = np.array([row for row, _ in lines], np.int64)
        amounts = np.array([amount for _, amount in lines])
        if pays:
            accounts.pay(cash, rows, amounts, to=account)
        else:
            accounts.receive(cash, rows, amounts, source=account)
        for row, amount in lines:
            expected[row] += -amount if pays else amount
    scale = accounts.moved_usd + before
    ledger.check_money(before, accounts.total_usd(cash), scale)
    np.testing.assert_allclose(cash, expected, atol=1e-9 * scale)


def test_payments_reach_their_account():
    cash, accounts = np.array([10.0, 20.0, 30.0]), Accounts(["utility", "heat"])
    accounts.pay(cash, np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0]), to="utility")
    accounts.receive(cash, slice(None), 5.0, source="heat")
    np.testing.assert_array_equal(cash, [11.0, 25.0, 33.0])
    assert accounts.balances_usd == {"utility": 6.0, "heat": -15.0}
    assert accounts.moved_usd == 21.0
    assert accounts.total_usd(cash) == 60.0


def test_an_unknown_account_is_refused_before_money_moves():
    cash, accounts = np.array([10.0]), Accounts(["utility"])
    with pytest.raises(KeyError, match="no account 'utilty'"):
        accounts.pay(cash, np.array([0]), np.array([1.0]), to="utilty")
    assert cash[0] == 10.0
