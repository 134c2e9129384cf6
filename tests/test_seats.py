"""Seats for machines: who looks where, what a seat is worth, who gets it, what is ordered."""

from __future__ import annotations

import inspect
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.markets import hardware, maker, seats
from model.streams import Streams

KEY = Streams(1).key("test")
GRID = (np.arange(20_000) + 0.5) / 20_000


def site_terms(nation: Any, **given: Any) -> seats.SiteTerms:
    """Terms of sites: 40 USD/MWh, no tax, always on, unless told otherwise."""
    nation = np.asarray(nation, dtype=np.int64)
    usual = {"power_price": 40.0, "pue": 1.0, "duty": 1.0} | given
    columns = {
        name: np.broadcast_to(np.asarray(usual.get(name, 0.0), np.float64), nation.shape).copy()
        for name in seats.SiteTerms._fields
    }
    return seats.SiteTerms(**(columns | {"nation": nation}))


def vacancies(nation: Any, vacant: Any, nations: int = 3) -> seats.Seats:
    return seats.vacant_seats(np.asarray(nation), np.asarray(vacant, np.float64), nations)


def outlook(hashprice: float = 0.1, decline: float = 0.02, months: int = 36) -> seats.Outlook:
    return seats.Outlook(hashprice, decline, months, 0.5)


# --- finding a seat --------------------------------------------------------------------------


def test_vacant_seats_are_found_in_proportion_to_their_megawatts():
    nation, vacant = [2, 0, 1, 0, 2, 1], [4.0, 1.0, 0.0, 3.0, 0.0, 2.0]
    market = vacancies(nation, vacant)
    found = np.array([seats.find_seat(market, -1, draw) for draw in GRID])
    np.testing.assert_allclose(
        np.bincount(found, minlength=6) / GRID.size, np.array(vacant) / 10.0, atol=1e-4
    )
    at_home = np.array([seats.find_seat(market, 0, draw) for draw in GRID])
    np.testing.assert_allclose(
        np.bincount(at_home, minlength=6) / GRID.size, [0, 0.25, 0, 0.75, 0, 0], atol=1e-4
    )


def test_where_nothing_is_vacant_nothing_is_found():
    market = vacancies([0, 1, 1], [0.0, 2.0, 0.0])
    assert seats.find_seat(market, 0, 0.5) == -1
    assert seats.find_seat(market, 2, 0.5) == -1
    assert seats.find_seat(vacancies([0, 1], [0.0, 0.0]), -1, 0.5) == -1


@settings(deadline=None)
@given(
    vacant=st.lists(st.floats(0, 1e4).map(lambda mw: mw if mw > 1e-3 else 0.0), min_size=1),
    nation=st.integers(-1, 2),
    draw=st.one_of(st.just(0.0), st.just(1 - 2**-53), st.floats(0, 1, exclude_max=True)),
)
def test_a_seat_found_is_in_the_nation_asked_for(vacant: list[float], nation: int, draw: float):
    nations = np.arange(len(vacant)) % 3
    found = seats.find_seat(vacancies(nations, vacant), nation, draw)
    there = (nations == nation) | (nation < 0)
    assert (found == -1) == (np.array(vacant)[there].sum() == 0.0)
    assert found == -1 or there[found]


# --- what a seat is worth --------------------------------------------------------------------


@settings(deadline=None)
@given(
    hashprice=st.floats(0.001, 1.0),
    decline=st.floats(0.0, 0.2),
    power=st.floats(0.0, 150.0),
    upkeep=st.floats(0.0, 10.0),
    efficiency=st.floats(5.0, 200.0),
    tax=st.floats(0.0, 0.9),
    duty=st.floats(0.0, 1.0),
    months=st.integers(0, 60),
    rate=st.floats(0.0, 0.05),
)
def test_a_seat_is_worth_the_present_value_of_its_margins(
    hashprice, decline, power, upkeep, efficiency, tax, duty, months, rate
):
    terms = site_terms([0], power_price=power, upkeep=upkeep, pue=1.1, revenue_tax=tax, duty=duty)
    value = seats.seat_value(terms, 0, efficiency, outlook(hashprice, decline, months), rate)
    cost = hardware.power_cost_usd_ths_day((power + upkeep + 0.5) * 1.1, efficiency)
    expected = duty * hardware.present_value(hashprice * (1 - tax), decline, cost, months, rate)
    assert value == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


# --- admission -------------------------------------------------------------------------------

proposals = st.lists(
    st.tuples(st.integers(-1, 3), st.floats(0, 50), st.floats(0, 1)), min_size=1, max_size=40
)


@settings(deadline=None)
@given(proposals=proposals, vacant=st.lists(st.floats(0, 60), min_size=4, max_size=4))
def test_admission_never_overbooks_and_leaves_no_seat_that_is_wanted(proposals, vacant):
    target, need, priority = (np.array(column) for column in zip(*proposals, strict=True))
    before, after = np.array(vacant), np.array(vacant)
    granted = seats.admit(target.astype(np.int64), need, after, priority)
    assert ((granted >= 0.0) & (granted <= 1.0)).all()
    assert (granted[target < 0] == 0.0).all()
    assert (after >= -1e-9).all()
    for site in range(4):
        mine = target == site
        given_out = (granted * need)[mine].sum()
        assert given_out == pytest.approx(before[site] - after[site], abs=1e-9)
        assert given_out == pytest.approx(min(need[mine].sum(), before[site]), abs=1e-9)


def test_first_come_first_served_and_one_at_most_in_part():
    granted = seats.admit(
        np.array([0, 0, 0]), np.array([2.0, 2.0, 2.0]), np.array([3.0]), np.array([0.9, 0.1, 0.5])
    )
    assert granted == pytest.approx([0.0, 1.0, 0.5])


def test_random_priorities_are_fair():
    draw, served = np.random.default_rng(3), np.zeros(10)
    target, need = np.zeros(10, dtype=np.int64), np.ones(10)
    rounds = 4000
    for _ in range(rounds):
        served += seats.admit(target, need, np.array([3.0]), draw.random(10))
    error = np.sqrt(0.3 * 0.7 / rounds)
    assert np.abs(served / rounds - 0.3).max() < 3.5 * error
    assert served.sum() == pytest.approx(3 * rounds)


# --- moves -----------------------------------------------------------------------------------


def moves(trigger: float = 1.3, home_bias: float = 0.5) -> seats.MoveTerms:
    return seats.MoveTerms(10e3, 90e3, 5.0, 15.0, 60.0, 150.0, trigger, home_bias, 8)


def propose(
    seeking: np.ndarray, power_price: Any, move: seats.MoveTerms, **given: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Moves of 400 fleets that stand at site 0 of nation 0; sites 1 and 2 are vacant."""
    count = 400
    terms = site_terms([0, 0, 1], power_price=power_price, **given)
    return seats.propose_moves(
        KEY, 5, seeking,
        np.zeros(count, dtype=np.int32), np.zeros(count, dtype=np.int64),
        np.full(count, 60.0), np.full(count, 20.0),
        vacancies([0, 0, 1], [0.0, 10.0, 10.0], 2), terms, outlook(), move,
    )  # fmt: skip


EVERY = np.arange(400)


def test_machines_move_only_to_cheaper_power():
    target, days = propose(EVERY, [60.0, 61.0, 62.0], moves())
    assert (target == -1).all()
    target, days = propose(EVERY, [60.0, 30.0, 62.0], moves(home_bias=1.0))
    assert set(target) == {1}
    assert ((days >= 5.0) & (days <= 15.0)).all()
    target, days = propose(EVERY, [60.0, 60.0, 20.0], moves(home_bias=0.0))
    # Eight looks at two vacant seats miss the better one once in 256 times.
    assert (target == 2).mean() > 0.97
    assert (target != 1).all()
    days = days[target == 2]
    assert ((days >= 60.0) & (days <= 150.0)).all()


def test_no_gain_pays_for_a_move_that_costs_without_bound():
    target, _ = propose(EVERY, [60.0, 0.0, 0.0], moves(trigger=1e6))
    assert (target == -1).all()


def test_a_duty_keeps_machines_at_home():
    free, _ = propose(EVERY, [60.0, 60.0, 40.0], moves(home_bias=0.0))
    taxed, _ = propose(EVERY, [60.0, 60.0, 40.0], moves(home_bias=0.0), import_duty=[0, 0, 2.0])
    assert (free == 2).sum() > 300
    assert (taxed == 2).sum() == 0


def test_what_one_fleet_wants_depends_on_no_other_and_on_no_thread():
    price = [60.0, 40.0, 30.0]
    results = []
    for count in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(count)
        target, days = propose(EVERY, price, moves())
        results.append(target.tobytes() + days.tobytes())
    assert results[0] == results[1]
    some = EVERY[7::13]
    alone, alone_days = propose(some, price, moves())
    assert alone.tolist() == target[some].tolist()
    assert alone_days.tolist() == days[some].tolist()


# --- orders ----------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    price=st.floats(0.1, 200.0),
    cost=st.floats(0.1, 200.0),
    order_mw=st.floats(1e-6, 1e4),
    exponent=st.floats(0.0, 0.2),
    most=st.floats(0.0, 0.9),
)
def test_the_discount_of_an_order_is_the_makers(price, cost, order_mw, exponent, most):
    paid = seats.discounted(price, cost, order_mw, exponent, most)
    asked = maker.order_price(price, min(cost, price), order_mw, exponent, most)
    assert paid == pytest.approx(float(asked), rel=1e-12)
    assert seats.REFERENCE_ORDER_MW == maker.RETAIL_ORDER_MW


GOODS = seats.Catalogue(
    np.array([4, 5]), np.array([30.0, 50.0]), np.array([40.0, 25.0]), np.array([20.0, 15.0])
)
POWER = np.array([60.0, 35.0, 50.0])
INFRA_USD_MW = 350e3


def buy_terms(temperature: float) -> seats.BuyTerms:
    """Firms that look at many offers, all at home."""
    usual = {
        "offers": 24, "most_offers": 24, "temperature": temperature, "home_bias": 1.0,
        "size_exponent": 0.04, "discount_most": 0.3, "relocation_usd_mw": 90e3,
    }  # fmt: skip
    return seats.BuyTerms(**{name: usual.get(name, 0.0) for name in seats.BuyTerms._fields})


def order(
    buyers: np.ndarray,
    budget: float,
    *,
    temperature: float = 1e-9,
    fleets: tuple[list[int], list[float], list[float]] | None = None,
    hashprice: float = 0.2,
    vacant: Any = (20.0, 20.0, 20.0),
) -> tuple[np.ndarray, ...]:
    """Orders of firms of nation 0 among three vacant sites; `fleets` belong to firm 0."""
    firms = int(buyers.max()) + 1
    site, hashrate, efficiency = fleets or ([], [], [])
    first = np.full(firms + 1, len(site), dtype=np.int64)
    first[0] = 0
    columns = (
        KEY, 3, buyers, np.zeros(firms, dtype=np.int64), np.full(firms, budget),
        np.zeros(firms), np.full(firms, 0.01), first, np.arange(len(site)),
        np.array(site, dtype=np.int32), np.array(hashrate, dtype=np.float64),
        np.array(efficiency, dtype=np.float64),
        vacancies([0, 0, 0], vacant, 1), np.array(vacant, dtype=np.float64),
        site_terms([0, 0, 0], power_price=POWER, infra=INFRA_USD_MW), GOODS,
        outlook(hashprice, 0.02, 48), buy_terms(temperature),
    )  # fmt: skip
    assert len(columns) == len(inspect.signature(seats.propose_orders.py_func).parameters)
    return seats.propose_orders(*columns)


def worth(site: int, item: int, budget: float) -> float:
    """Net present value over capital of a machine at a vacant site, from closed forms."""
    watt = GOODS.efficiency[item] * 1e-6
    size = min(budget / GOODS.price[item] * watt, 20.0)
    paid = float(maker.order_price(GOODS.price[item], GOODS.cost[item], size, 0.04, 0.3))
    capital = paid + INFRA_USD_MW * watt
    cost = hardware.power_cost_usd_ths_day(POWER[site] + 0.5, GOODS.efficiency[item])
    value = float(hardware.present_value(0.2, 0.02, cost, 48, 0.01))
    return (value - capital) / capital


def test_a_small_buyer_takes_the_best_seat_and_machine():
    budget = 1e5
    site, item, hashrate, spend, replaced = order(np.array([0]), budget)
    best = max(
        ((at, kind) for at in range(3) for kind in range(2)), key=lambda c: worth(*c, budget)
    )
    funded = np.flatnonzero(site[0] >= 0)
    assert funded.size == 1
    assert (site[0, funded[0]], item[0, funded[0]]) == best
    assert (replaced == -1).all()
    assert spend.sum() == pytest.approx(budget)
    watt = GOODS.efficiency[best[1]] * 1e-6
    paid = maker.order_price(
        GOODS.price[best[1]], GOODS.cost[best[1]], budget / GOODS.price[best[1]] * watt, 0.04, 0.3
    )
    assert hashrate.sum() == pytest.approx(budget / (float(paid) + INFRA_USD_MW * watt))


def test_a_large_buyer_goes_down_its_ranking_within_its_budget_and_the_seats():
    budget = 1e9
    site, item, hashrate, spend, _ = order(np.array([0]), budget)
    funded = np.flatnonzero(site[0] >= 0)
    assert set(site[0, funded]) == {0, 1, 2}
    assert spend.sum() <= budget * (1 + 1e-12)
    assert (hashrate[0] * GOODS.efficiency[item[0]] * 1e-6 <= 20.0 * (1 + 1e-12)).all()
    # Offers are looked at one by one; of each seat the best machine is wanted.
    for look in funded:
        at, kind = int(site[0, look]), int(item[0, look])
        assert worth(at, kind, budget) == max(worth(at, other, budget) for other in range(2))


def test_nobody_orders_what_does_not_pay():
    site, _, hashrate, spend, _ = order(np.arange(20), 1e6, hashprice=0.01)
    assert (site == -1).all()
    assert hashrate.sum() == spend.sum() == 0.0


def test_an_old_fleet_makes_room_only_for_clearly_better_machines():
    full = (0.0, 0.0, 0.0)
    old = ([1, 2], [1e5, 1e5], [98.0, 32.0])
    site, item, hashrate, _, replaced = order(np.array([0]), 1e9, fleets=old, vacant=full)
    taken = replaced[0][site[0] >= 0]
    assert set(taken) == {0}
    assert set(site[0][site[0] >= 0]) == {1}
    # No more than the seats of the old fleet hold.
    watts = hashrate[0] * GOODS.efficiency[item[0]]
    assert watts.max() <= 1e5 * 98.0 * (1 + 1e-12)


def test_noise_makes_buyers_differ_and_threads_do_not():
    buyers, results = np.arange(300), []
    for count in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(count)
        result = order(buyers, 2e5, temperature=2.0)
        results.append(b"".join(part.tobytes() for part in result))
    assert results[0] == results[1]
    site, _, _, spend, _ = result
    first = np.array([site[firm, np.argmax(spend[firm])] for firm in buyers])
    assert set(first) >= {0, 1, 2}
    assert (spend.sum(axis=1) <= 2e5 * (1 + 1e-12)).all()
