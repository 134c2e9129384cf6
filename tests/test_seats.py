"""Seats for machines: who looks where, what a seat is worth, who gets it, what is ordered."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.markets import hardware, maker, orders, seats
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


@settings(deadline=None)
@given(
    hashprice=st.floats(0.001, 1.0),
    decline=st.floats(0.0, 0.05),
    power=st.one_of(st.just(0.0), st.floats(1.0, 150.0)),
    efficiency=st.floats(5.0, 200.0),
    tax=st.floats(0.0, 0.9),
    hazard=st.floats(0.0, 0.05),
    months=st.integers(1, 60),
)
def test_the_table_for_many_looks_holds_the_same_worth(
    hashprice, decline, power, efficiency, tax, hazard, months
):
    terms = site_terms([1, 0], power_price=power, revenue_tax=tax, hazard=hazard, duty=0.9)
    expects = outlook(hashprice, decline, months)
    table = seats.worth_of_seats(terms, expects, 2, seats.RATE_OF_MOVES)
    looked_up = seats._look_up(table, 0, efficiency, np.log(efficiency))
    value = seats.seat_value(terms, 0, efficiency, expects, seats.RATE_OF_MOVES)
    assert looked_up == pytest.approx(value, rel=1e-9, abs=1e-9)


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
    paid = orders.discounted(price, cost, order_mw, exponent, most)
    asked = maker.order_price(price, min(cost, price), order_mw, exponent, most)
    assert paid == pytest.approx(float(asked), rel=1e-12)
    assert orders.REFERENCE_ORDER_MW == maker.RETAIL_ORDER_MW


GOODS = orders.Catalogue(
    np.array([4, 5]), np.array([30.0, 50.0]), np.array([40.0, 25.0]), np.array([20.0, 15.0])
)
POWER = np.array([60.0, 35.0, 50.0])
INFRA_USD_MW = 350e3
SEAT_MW = 20.0


def buy_terms(temperature: float) -> orders.BuyTerms:
    """Firms that look at many offers, all at home."""
    usual = {
        "offers": 24, "most_offers": 24, "temperature": temperature, "home_bias": 1.0,
        "size_exponent": 0.04, "discount_most": 0.3, "relocation_usd_mw": 90e3,
    }  # fmt: skip
    return orders.BuyTerms(**{name: usual.get(name, 0.0) for name in orders.BuyTerms._fields})


def order(
    count: int,
    budget: float,
    *,
    temperature: float = 1e-9,
    fleets: tuple[list[int], list[float], list[float]] = ([], [], []),
    hashprice: float = 0.2,
    vacant_mw: float = SEAT_MW,
) -> tuple[np.ndarray, ...]:
    """Orders of firms of nation 0 for seats at three sites; `fleets` belong to the first firm."""
    vacant, old = np.full(3, vacant_mw), len(fleets[0])
    first = np.full(count + 1, old, dtype=np.int64)
    first[0] = 0
    return orders.propose_orders(
        orders.Draws(KEY, 3),
        orders.Firms(
            np.arange(count), np.zeros(count, dtype=np.int64), np.full(count, budget),
            np.zeros(count), np.full(count, 0.01),
        ),
        orders.Holdings(
            first, np.arange(old), np.array(fleets[0], dtype=np.int32),
            np.array(fleets[1], dtype=np.float64), np.array(fleets[2], dtype=np.float64),
        ),
        vacancies([0, 0, 0], vacant, 1), vacant,
        site_terms([0, 0, 0], power_price=POWER, infra=INFRA_USD_MW),
        GOODS, outlook(hashprice, 0.02, 48), buy_terms(temperature),
    )  # fmt: skip


def capital(item: int, budget: float) -> float:
    """Machine and infrastructure of 1 TH/s at a vacant seat, USD."""
    watt = GOODS.efficiency[item] * 1e-6
    size = min(budget / GOODS.price[item] * watt, SEAT_MW)
    paid = float(maker.order_price(GOODS.price[item], GOODS.cost[item], size, 0.04, 0.3))
    return paid + INFRA_USD_MW * watt


def worth(site: int, item: int, budget: float) -> float:
    """Net present value over capital of a machine at a vacant seat, from closed forms."""
    cost = hardware.power_cost_usd_ths_day(POWER[site] + 0.5, GOODS.efficiency[item])
    value = float(hardware.present_value(0.2, 0.02, cost, 48, 0.01))
    return value / capital(item, budget) - 1.0


def spent(item: np.ndarray, hashrate: np.ndarray, budget: float) -> np.ndarray:
    """USD that each firm's orders come to."""
    price = np.array([capital(kind, budget) for kind in range(2)])
    return (price[item] * hashrate).sum(axis=1)


def test_a_small_buyer_takes_the_best_seat_and_machine():
    budget = 1e5
    site, item, hashrate, replaced = order(1, budget)
    choices = [(at, kind) for at in range(3) for kind in range(2)]
    best = max(choices, key=lambda choice: worth(*choice, budget))
    funded = np.flatnonzero(site[0] >= 0)
    assert funded.size == 1
    assert (site[0, funded[0]], item[0, funded[0]]) == best
    assert (replaced == -1).all()
    assert spent(item, hashrate, budget) == pytest.approx(budget)


def test_a_large_buyer_goes_down_its_ranking_within_its_budget_and_the_seats():
    budget = 1e9
    site, item, hashrate, _ = order(1, budget)
    funded = np.flatnonzero(site[0] >= 0)
    assert set(site[0, funded]) == {0, 1, 2}
    assert spent(item, hashrate, budget)[0] <= budget * (1 + 1e-12)
    assert (hashrate[0] * GOODS.efficiency[item[0]] * 1e-6 <= SEAT_MW * (1 + 1e-12)).all()
    # Of each seat looked at, the best machine is wanted.
    for look in funded:
        at, kind = int(site[0, look]), int(item[0, look])
        assert worth(at, kind, budget) == max(worth(at, other, budget) for other in range(2))


def test_nobody_orders_what_does_not_pay():
    site, _, hashrate, _ = order(20, 1e6, hashprice=0.01)
    assert (site == -1).all()
    assert hashrate.sum() == 0.0


def test_an_old_fleet_makes_room_only_for_clearly_better_machines():
    old = ([1, 2], [1e5, 1e5], [98.0, 32.0])
    site, item, hashrate, replaced = order(1, 1e9, fleets=old, vacant_mw=0.0)
    ordered = site[0] >= 0
    assert set(replaced[0][ordered]) == {0}
    assert set(site[0][ordered]) == {1}
    # No more than the seats of the old fleet hold.
    watts = hashrate[0] * GOODS.efficiency[item[0]]
    assert watts.max() <= 1e5 * 98.0 * (1 + 1e-12)


def test_noise_makes_buyers_differ_and_threads_do_not():
    count, budget, results = 300, 2e5, []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        result = order(count, budget, temperature=2.0)
        results.append(b"".join(part.tobytes() for part in result))
    assert results[0] == results[1]
    site, item, hashrate, _ = result
    first = site[np.arange(count), np.argmax(hashrate, axis=1)]
    assert set(first) >= {0, 1, 2}
    assert (spent(item, hashrate, budget) <= budget * (1 + 1e-12)).all()


def test_noise_makes_a_softmax_choice_of_the_ranking():
    scores, temperature, rows = np.array([0.10, 0.05, 0.0, -0.2]), 0.05, 40_000
    chances = np.random.default_rng(6).random((rows, scores.size))
    noise = np.array([orders.gumbel(chance) for chance in chances.ravel()]).reshape(chances.shape)
    chosen = np.argmax(scores + temperature * noise, axis=1)
    expected = np.exp(scores / temperature) / np.exp(scores / temperature).sum()
    found = np.bincount(chosen, minlength=scores.size) / rows
    error = np.sqrt(expected * (1 - expected) / rows)
    assert (np.abs(found - expected) < 3 * error).all()
