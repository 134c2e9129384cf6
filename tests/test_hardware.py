"""ASIC generations, their maker, the used market and clocking against closed forms and oracles."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr

from model.markets import clocking, hardware, maker, used

JAN_2020 = date(2020, 1, 1).toordinal()


def listed(efficiency=(98.0, 126.0, 45.0, 30.0), months=(0, 6, 24, 40), lag=2.0):
    """A short list of machines released `months` after 2020-01-01."""
    released = [JAN_2020 + round(30.4375 * month) for month in months]
    names = [f"model {row}" for row in range(len(released))]
    return hardware.list_generations(names, released, [13.0] * len(names), efficiency, lag, 0.75)


# --- generations -----------------------------------------------------------------------------


def test_generations_ship_after_the_lag_and_cost_dollars_per_watt():
    machines = hardware.list_generations(["b", "a"], [200, 100], [200, 13.5], [17.5, 98], 2.0, 0.75)
    assert machines.name == ("a", "b")
    assert list(machines.shipping - machines.released) == [61, 61]
    assert machines.cost_usd_th == pytest.approx([73.5, 13.125])


def test_listed_machines_with_a_wrong_length_or_sign_are_refused():
    with pytest.raises(ValueError, match="every listed machine"):
        hardware.list_generations(["a"], [1, 2], [1], [1], 0, 1)
    with pytest.raises(ValueError, match="positive"):
        hardware.list_generations(["a"], [1], [1], [0], 0, 1)


def test_the_frontier_declines_and_stops_at_its_floor():
    july = date(2025, 7, 2).toordinal()
    today = hardware.list_generations(["last"], [july], [500], [11.0], 2.0, 0.75)
    until = date(2045, 1, 1).toordinal()
    future = hardware.extend_frontier(today, until, 11.0, 0.18, 5.0, 15)
    years_later = (future.released[1] - july) / 365.2425
    assert future.efficiency_j_th[1] == pytest.approx(11 * np.exp(-0.18 * years_later), rel=1e-3)
    assert np.all(np.diff(future.efficiency_j_th) < 0)
    assert future.efficiency_j_th[-1] == 5.0
    # ln(11/5)/.18 = 4.38 years: reached by the fourth generation of 15 months.
    assert len(future) == 5
    power_w = future.unit_hashrate_ths * future.efficiency_j_th
    assert power_w == pytest.approx(5500.0)
    assert future.cost_usd_th == pytest.approx(0.75 * future.efficiency_j_th)


def test_no_generation_is_released_after_the_end():
    future = hardware.extend_frontier(listed(), JAN_2020 + 3000, 11.0, 0.1, 5.0, 12)
    assert future.released.max() <= JAN_2020 + 3000
    assert len(future) > len(listed())


def test_a_less_efficient_machine_succeeds_nobody():
    succeeded = hardware.succeeded_on(listed())
    machines = listed()
    assert succeeded[0] == machines.shipping[2]
    assert succeeded[1] == machines.shipping[2]
    assert succeeded[3] == np.inf


def test_output_moves_to_the_successor_within_a_year():
    machines = listed(efficiency=(98.0, 45.0), months=(0, 24))
    ships = int(machines.shipping[1])
    weights = [
        hardware.output_weights(machines, ships + day, 6.0, 12.0) for day in (-1, 0, 91, 183, 366)
    ]
    assert weights[0] == pytest.approx([1, 0])
    assert weights[1] == pytest.approx([1, 0])
    # a quarter after shipping: ramped to a half, the older faded to three quarters
    assert weights[2][1] == pytest.approx(0.5 / (0.5 + 0.75), abs=0.005)
    assert weights[3][1] == pytest.approx(1 / (1 + 0.5), abs=0.005)
    assert weights[4] == pytest.approx([0, 1])


@given(day=st.integers(0, 4000), diffusion=st.floats(0.1, 36), sold=st.floats(0, 60))
def test_output_shares_sum_to_one_once_anything_ships(day, diffusion, sold):
    machines = listed()
    weights = hardware.output_weights(machines, JAN_2020 + day, diffusion, sold)
    shipped = JAN_2020 + day >= machines.shipping[0]
    assert weights.sum() == pytest.approx(1.0 if shipped else 0.0)
    assert np.all(weights >= 0)
    assert np.all(weights[machines.shipping > JAN_2020 + day] == 0)


def test_output_in_megawatts_yields_more_hashrate_from_better_machines():
    weights, efficiency = np.array([0.25, 0.75]), np.array([100.0, 20.0])
    hashrate = hardware.output_hashrate_ths(10.0, weights, efficiency)
    assert hashrate == pytest.approx([25_000, 375_000])
    mean = hardware.output_efficiency(weights, efficiency)
    assert hashrate.sum() * mean == pytest.approx(10e6)


# --- values ----------------------------------------------------------------------------------


def test_annuity_over_48_months_at_three_percent():
    assert hardware.annuity(0.03, 48) == pytest.approx(25.2667, abs=1e-4)
    assert hardware.annuity(0.0, 48) == 48


def test_present_value_is_an_annuity_when_nothing_declines():
    value = hardware.present_value(0.05, 0.0, 0.02, 24, 0.01)
    assert value == pytest.approx(0.03 * 30.4375 * hardware.annuity(0.01, 24))


@settings(deadline=None)  # the first call compiles
@given(
    hashprice=st.floats(0.001, 1),
    decline=st.floats(0, 0.3),
    cost=st.floats(0, 1),
    months=st.integers(0, 60),
    rate=st.floats(0, 0.1),
)
def test_present_value_is_the_sum_of_its_months(hashprice, decline, cost, months, rate):
    k = np.arange(1, months + 1)
    margin = np.maximum(hashprice * (1 - decline) ** k - cost, 0)
    direct = np.sum(margin * 365.25 / 12 / (1 + rate) ** k)
    value = hardware.present_value(hashprice, decline, cost, months, rate)
    assert value == pytest.approx(direct, rel=1e-9, abs=1e-9)


def test_present_value_broadcasts():
    value = hardware.present_value(0.05, 0.02, np.array([[0.0], [0.02]]), [12, 24, 36], 0.01)
    assert value.shape == (2, 3)
    assert value[1, 2] == hardware.present_value(0.05, 0.02, 0.02, 36, 0.01)
    assert np.all(np.diff(value, axis=1) >= 0)
    assert np.all(value[0] > value[1])


# --- the maker: free entry after a doubled price ------------------------------------------------

COST, EFFICIENCY, RETIREMENT = 14.0, 18.0, 0.02
RUNNING = float(hardware.power_cost_usd_ths_day(45.0, EFFICIENCY))
ENTRY_HASHPRICE = RUNNING + COST / (365.25 / 12 * hardware.annuity(0.03, 48))


def free_entry_path(rule, lag, months, price_ratio=2.0, aware=True):
    """Hashrate and q of a closed economy, month by month, after its price jumps once.

    Constant technology, unlimited identical sites, everything produced sold at once; the economy
    rests at free entry with 1 TH/s before the jump.
    """
    hashrate, capacity = 1.0, RETIREMENT * EFFICIENCY / 1e6
    pipeline = [RETIREMENT] * lag
    path, value_over_cost = [], []
    for _ in range(months):
        hashprice = price_ratio * ENTRY_HASHPRICE / hashrate
        seen = pipeline if aware else []
        plan = maker.plan_output(
            rule, capacity, hashrate, seen, hashprice, RUNNING, COST, EFFICIENCY
        )
        path.append(hashrate)
        q = maker.tobin_q(hashprice, 0.0, RUNNING, COST, 0.01, RETIREMENT)
        value_over_cost.append(q)
        capacity = plan.capacity_mw
        pipeline.append(plan.output_mw * 1e6 / EFFICIENCY)
        hashrate = hashrate * (1 - RETIREMENT) + pipeline.pop(0)
    return np.array(path), np.array(value_over_cost)


def reference_rule(growth, **changes):
    """The rule of the published half-lives: eagerness 1/2, capacity falls as fast as wanted."""
    step_mw = 5e-4 * EFFICIENCY / 1e6
    terms = {"eagerness": 0.5, "decline_month": 1.0, "growth_step_mw": step_mw, **changes}
    return maker.OutputRule(growth_month=growth, **terms)


@pytest.mark.parametrize(
    ("growth", "lag", "half_life"),
    [(0.04, 3, 24), (0.04, 6, 27), (0.04, 9, 30), (0.08, 3, 18), (0.08, 6, 21), (0.08, 9, 24)],
)
def test_margins_halve_in_two_years_and_free_entry_restores_the_hashprice(growth, lag, half_life):
    hashrate, q = free_entry_path(reference_rule(growth), lag, 150)
    decay = (q - 1) / (q[0] - 1)
    assert q[0] == pytest.approx(3.07, abs=0.005)
    assert np.argmax(decay <= 0.5) == half_life
    assert 40 <= np.argmax(decay <= 0.05) <= 53
    assert hashrate[-1] == pytest.approx(2.0, abs=0.001)
    assert hashrate.max() < 2.001
    assert np.all(np.abs(2 / hashrate[60:] - 1) < 0.03)


@pytest.mark.parametrize("lag", [3, 6, 9])
def test_free_entry_holds_under_the_default_rule(lag):
    rule = maker.OutputRule(growth_step_mw=5e-4 * EFFICIENCY / 1e6)
    hashrate, _ = free_entry_path(rule, lag, 150)
    assert np.all(np.abs(hashrate[60:] - 2) < 0.03)
    assert np.all(np.abs(2 / hashrate[60:] - 1) < 0.03)


def test_a_maker_blind_to_its_pipeline_builds_a_cobweb():
    rule = maker.OutputRule(growth_step_mw=5e-4 * EFFICIENCY / 1e6)
    aware, _ = free_entry_path(rule, 9, 200)
    blind, _ = free_entry_path(rule, 9, 200, aware=False)
    assert crossings(aware - 2) == 0
    assert crossings(blind - 2) >= 5
    assert blind.max() > 2.5
    assert np.any(np.abs(blind[60:] - 2) > 0.06)


def crossings(gap):
    """How often a path that is more than a rounding error away from zero changes its sign."""
    signs = np.sign(gap[np.abs(gap) > 1e-4])
    return int(np.count_nonzero(np.diff(signs)))


def test_output_rests_at_replacement_in_free_entry():
    hashrate, q = free_entry_path(maker.OutputRule(), 6, 24, price_ratio=1.0)
    assert hashrate == pytest.approx(1.0, rel=1e-9)
    assert q == pytest.approx(1.0, rel=1e-9)


def plan(**changes):
    """A month's plan from a common starting point, boom or not."""
    given_terms = {
        "rule": maker.OutputRule(),
        "capacity_mw": 300.0,
        "hashrate_ths": 80e6,
        "pipeline_ths": [3e6] * 6,
        "hashprice": 0.15,
        "power_cost_usd_ths_day": 0.04,
        "cost_usd_th": 30.0,
        "efficiency_j_th": 40.0,
        **changes,
    }
    return maker.plan_output(**given_terms)


def test_a_boom_meets_the_growth_limit_the_ceiling_and_the_freeze():
    assert plan().output_mw == pytest.approx(336.0)
    assert plan(rule=maker.OutputRule(growth_step_mw=4.0)).output_mw == pytest.approx(340.0)
    assert plan(rule=maker.OutputRule(ceiling_mw=310.0)).output_mw == 310.0
    assert plan(rule=maker.OutputRule(frozen=True)).output_mw == 300.0
    assert plan().tobin_q > 1
    assert plan().wanted_mw > 336


def test_a_slump_shrinks_capacity_slowly_and_output_at_once():
    slump = plan(hashprice=0.05)
    assert slump.tobin_q < 0.5
    assert slump.output_mw == 0.0
    assert slump.capacity_mw == pytest.approx(291.0)


def test_buyers_who_expect_a_decline_want_fewer_machines():
    wanted = [plan(hashprice_decline_month=decline).wanted_mw for decline in (0, 0.02, 0.05)]
    assert wanted[0] > wanted[1] > wanted[2]


def test_expected_hashrate_counts_what_survives_of_the_pipeline():
    expected = maker.expected_hashrate_ths(100.0, [10.0, 20.0], 0.1)
    assert expected == pytest.approx((100 * 0.9 + 10) * 0.9 + 20)


# --- prices ----------------------------------------------------------------------------------


def test_list_price_is_a_share_of_value_and_never_below_cost_plus_margin():
    cost = np.array([13.125, 73.5])
    prices = maker.list_price(0.0444, 0.0, [17.5, 98.0], cost, 0.6)
    value = (0.0444 - 45 * 17.5 * 24e-6) * 30.4375 * hardware.annuity(0.01, 24)
    assert prices[0] == pytest.approx(max(0.6 * value, 1.1 * 13.125))
    assert prices[1] == pytest.approx(1.1 * 73.5)


def test_pricing_power_follows_the_book():
    assert maker.pricing_power_after(0.6, 200, 100, 0) == pytest.approx(0.54)
    assert maker.pricing_power_after(0.6, 50, 100, 0) == 0.6
    assert maker.pricing_power_after(0.6, 0, 100, 5) == pytest.approx(0.63)
    assert maker.pricing_power_after(0.89, 0, 100, 5) == 0.9
    assert maker.pricing_power_after(0.6, 5, 0, 0) == 0.2


def test_large_orders_pay_less_down_to_thirty_percent():
    discount = 1 - maker.order_price(20.0, 1.0, [0.0035, 1.0, 10.0, 26.0, 500.0], 0.04, 0.30) / 20
    assert discount == pytest.approx([0, 0.20, 0.27, 0.30, 0.30], abs=0.005)
    assert maker.order_price(20.0, 17.0, 500.0, 0.04, 0.30) == 17.0
    assert maker.order_price(20.0, 1.0, 0.0, 0.04, 0.30) == 20.0


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=20))
def test_order_price_never_rises_with_size(sizes):
    prices = maker.order_price(20.0, 5.0, np.sort(sizes), 0.04, 0.3)
    assert np.all(np.diff(prices) <= 0)


def test_scarce_output_goes_pro_rata_to_prepaid_power():
    granted = maker.ration([10, 10, 10, 10], [30, 10, 0, 0], 16)
    assert granted == pytest.approx([10, 6, 0, 0])
    assert maker.ration([10, 10, 10, 10], [30, 10, 0, 0], 26) == pytest.approx([10, 10, 3, 3])
    assert maker.ration([5, 5], [1, 0], 11) == pytest.approx([5, 5])


@given(
    rows=st.lists(
        st.tuples(st.floats(0, 100), st.one_of(st.just(0.0), st.floats(0.01, 50))),
        min_size=1,
        max_size=30,
    ),
    available=st.floats(0, 2000),
)
def test_rationing_grants_all_there_is_and_no_more_than_ordered(rows, available):
    orders, priority = np.array(rows).T
    granted = maker.ration(orders, priority, available)
    assert granted.sum() == pytest.approx(min(orders.sum(), available), rel=1e-9, abs=1e-9)
    assert np.all(granted <= orders * (1 + 1e-12))
    assert np.all(granted >= 0)
    # nobody with priority goes short while somebody gets more for each unit of priority
    paid = priority > 0
    short = paid & (granted < orders * (1 - 1e-9))
    if short.any():
        level = (granted[paid] / priority[paid]).max()
        assert granted[short] / priority[short] == pytest.approx(level, rel=1e-6, abs=1e-9)


# --- wear and surveys --------------------------------------------------------------------------


def test_machines_fail_wear_out_and_are_scrapped():
    failures = hardware.failures_yr(0.08, [0.6, 1.0, 1.5], overclock_yr=0.04)
    assert failures == pytest.approx([0.08, 0.08, 0.10])
    assert hardware.share_working(failures, 36.525) == pytest.approx([0.992, 0.992, 0.99])
    assert list(hardware.worn_out([2556, 2557], 7.0)) == [False, True]
    assert hardware.idle_scrap_share(0.04, 365.25) == pytest.approx(1 - 0.96**12)


def test_the_survey_mean_counts_models_that_pay_at_five_cents():
    released = [100, 200, 3000, 3100, 9000]
    efficiency = [300.0, 120.0, 98.0, 50.0, 20.0]
    # at hashprice .12 a machine pays at 50 USD/MWh below 100 J/TH
    seen = hardware.cambridge_efficiency(released, efficiency, 0.12, 3200, life_years=50)
    assert seen == pytest.approx((98 + 50) / 2)
    old = hardware.cambridge_efficiency(released, efficiency, 1.0, 2100, life_years=5.21)
    assert old == pytest.approx(120.0)
    none = hardware.cambridge_efficiency(released, efficiency, 1e-6, 3200, last_value_j_th=77.0)
    assert none == 77.0


# --- running and clocking ----------------------------------------------------------------------


def test_a_machine_runs_while_its_next_hash_pays():
    breakeven = 0.04436 / (17.5 * 24e-6)
    assert breakeven == pytest.approx(105.62, abs=0.01)
    running = clocking.runs(0.04436, [breakeven - 0.51, breakeven - 0.49], 0.5, 17.5)
    assert list(running) == [True, False]


@given(st.floats(0.001, 1), st.floats(0, 1))
def test_higher_hashprice_never_switches_a_machine_off(hashprice, more):
    efficiency = np.array([15.0, 30.0, 98.0, 150.0])
    before = clocking.runs(hashprice, 40.0, 0.5, efficiency)
    after = clocking.runs(hashprice + more, 40.0, 0.5, efficiency)
    assert np.all(after >= before)


@pytest.mark.parametrize(
    ("ratio", "clock"),
    [
        (0.4, 0),
        (0.5, 0.5),
        (1, 0.5774),
        (1.5, 0.7559),
        (2, 0.8997),
        (2.4, 1),
        (3, 1.1339),
        (4, 1.3),
    ],
)
def test_best_clock(ratio, clock):
    best = clocking.clock_factor(ratio, linear_share=0.3, lowest=0.5, highest=1.3)
    assert best == pytest.approx(clock, abs=5e-5)


def test_underclocking_extends_the_shutdown_point():
    shutdown = 0.3 + 0.7 * 0.5**2
    ratios = [shutdown - 1e-6, shutdown + 1e-6]
    clocks = clocking.clock_factor(ratios, linear_share=0.3, lowest=0.5, highest=1.3)
    assert list(clocks) == [0.0, 0.5]


def test_free_power_is_overclocked():
    ratio = clocking.margin_ratio(0.05, [0.0, 50.0], 30.0)
    assert ratio[0] == np.inf
    assert ratio[1] == pytest.approx(0.05 / (50 * 30 * 24e-6))
    assert clocking.clock_factor(ratio)[0] == 1.2


@given(st.floats(0.01, 20), st.floats(0.1, 0.9))
def test_no_clock_in_range_earns_more_than_the_best(ratio, linear_share):
    grid = np.concatenate(([0.0], np.linspace(0.6, 1.2, 301)))
    best = clocking.clock_factor(ratio, linear_share)
    earned = ratio * best - clocking.clock_power(best, linear_share)
    assert earned >= (ratio * grid - clocking.clock_power(grid, linear_share)).max() - 1e-12


def schedule_value(schedule, margin, before, restart_cost):
    """Margin of a schedule less its starts."""
    starts = np.count_nonzero(np.diff(np.concatenate(([before], schedule)).astype(int)) == 1)
    return float(margin @ schedule) - restart_cost * starts


def allowed(schedule, before, least_hours):
    """Whether every state entered within the horizon lasts long enough, or to its end."""
    states = np.concatenate(([before], schedule))
    changes = np.flatnonzero(np.diff(states.astype(int)))
    return bool(np.all(np.diff(changes) >= least_hours))


@pytest.mark.parametrize("least_hours", [1, 2, 3])
@pytest.mark.parametrize("before", [False, True])
def test_switching_schedule_beats_every_other_schedule(least_hours, before):
    rng = np.random.default_rng(5)
    margin = np.round(rng.normal(0, 0.03, (12, 8)), 3)
    schedules = clocking.switching_schedule(margin, np.full(12, before), 0.02, least_hours)
    options = [np.array(option) for option in itertools.product([False, True], repeat=8)]
    options = [option for option in options if allowed(option, before, least_hours)]
    for row in range(12):
        best = max(schedule_value(option, margin[row], before, 0.02) for option in options)
        assert allowed(schedules[row], before, least_hours)
        value = schedule_value(schedules[row], margin[row], before, 0.02)
        assert value == pytest.approx(best, abs=1e-12)


# --- used market -------------------------------------------------------------------------------


def test_bids_and_asks_of_a_used_machine():
    value = used.used_value(0.05, 0.0, [20.0, 60.0], 30.0, [60, 10], 0.01, uptime=0.9)
    margin = 0.05 - np.array([20.5, 60.5]) * 30 * 24e-6
    annuities = np.array([hardware.annuity(0.01, 36), hardware.annuity(0.01, 10)])
    assert value == pytest.approx(0.9 * margin * 30.4375 * annuities)
    assert used.used_bid(value, 0.5) == pytest.approx(value - 0.5)
    assert used.used_ask([0.1, 4.0], 0.3) == pytest.approx([0.3, 4.0])


def test_the_auction_clears_at_the_crossing():
    price, bought, sold = used.call_auction([10, 8, 8, 4], [5, 6, 2, 9], [3, 7, 7, 9], [4, 3, 3, 8])
    # 10 offered at up to 8, 13 wanted at 8 or more: the two bids at 8 share 5 as 6 to 2
    assert price == 7.5
    assert bought == pytest.approx([5, 3.75, 1.25, 0])
    assert sold == pytest.approx([4, 3, 3, 0])


def test_no_trade_without_a_crossing_or_a_side():
    for sides in [([3.0], [1.0], [4.0], [1.0]), ([], [], [4.0], [1.0]), ([3.0], [0.0], [1.0], [1])]:
        price, bought, sold = used.call_auction(*sides)
        assert np.isnan(price)
        assert bought.sum() == sold.sum() == 0


orders = st.lists(st.tuples(st.integers(0, 20), st.floats(0, 50)), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)  # the first call compiles
@given(bids=orders, asks=orders)
def test_auction_laws(bids, asks):
    bid_price, bid_quantity = np.array(bids, dtype=float).T
    ask_price, ask_quantity = np.array(asks, dtype=float).T
    price, bought, sold = used.call_auction(bid_price, bid_quantity, ask_price, ask_quantity)
    assert bought.sum() == pytest.approx(sold.sum(), rel=1e-12, abs=1e-9)
    assert np.all((bought >= 0) & (bought <= bid_quantity))
    assert np.all((sold >= 0) & (sold <= ask_quantity))
    assert np.all(bid_price[bought > 0] >= price)
    assert np.all(ask_price[sold > 0] <= price)
    # the trade is the most that any price allows, by counting at every price
    most = max(
        min(bid_quantity[bid_price >= p].sum(), ask_quantity[ask_price <= p].sum())
        for p in range(21)
    )
    assert bought.sum() == pytest.approx(most, rel=1e-9, abs=1e-9)


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(8)
    bids, asks = rng.integers(1, 30, 200).astype(float), rng.integers(1, 30, 200).astype(float)
    demand, supply = rng.random(200), rng.random(200)
    price, bought, sold = used.call_auction(bids, demand, asks, supply)
    rows = rng.permutation(200)
    again, bought_again, sold_again = used.call_auction(
        bids[rows], demand[rows], asks[rows], supply[rows]
    )
    assert again == price
    assert bought_again == pytest.approx(bought[rows])
    assert sold_again == pytest.approx(sold[rows])


def auctioned_assignment(power_price, efficiency, hashprice=0.5):
    """Sell machines one by one, the least efficient first, to sites with one seat each."""
    values = used.used_value(hashprice, 0.0, power_price[:, None], efficiency[None, :], 99, 0.01)
    free = np.ones(len(power_price))
    site_of = np.empty(len(efficiency), dtype=int)
    for machine in np.argsort(-efficiency):
        bids = used.used_bid(values[:, machine], 0.0)
        _, bought, _ = used.call_auction(bids, free, [used.used_ask(0.0, 0.3)], [1.0])
        site_of[machine] = int(np.argmax(bought))
        free -= bought
    return site_of, values


@pytest.mark.parametrize("size", [2, 12])
def test_without_frictions_the_least_efficient_machine_goes_to_the_cheapest_power(size):
    rng = np.random.default_rng(11)
    power_price, efficiency = rng.uniform(10, 90, size), rng.uniform(15, 110, size)
    site_of, values = auctioned_assignment(power_price, efficiency)
    assert list(np.argsort(power_price)) == list(site_of[np.argsort(-efficiency)])
    best = values[linear_sum_assignment(values, maximize=True)].sum()
    assert values[site_of, np.arange(size)].sum() == pytest.approx(best)


def test_monthly_auctions_with_freight_sort_old_machines_to_cheap_power():
    rng = np.random.default_rng(3)
    seats, kinds, hashprice = 300, np.array([98.0, 60.0, 30.0, 17.5]), 0.12
    power_price = rng.uniform(15, 55, seats)
    kind = rng.integers(0, 4, seats)
    kind[rng.random(seats) < 0.1] = -1
    values = used.used_value(hashprice, 0.01, power_price[:, None], kinds[None, :], 60, 0.01)
    start = correlation(kinds, kind, power_price)
    last_price = values.mean(axis=0)
    for _ in range(24):
        surplus = used.used_bid(values, 0.5) - last_price
        target = np.argmax(surplus, axis=1)
        for row in range(4):
            buyers = np.flatnonzero((kind < 0) & (target == row))
            sellers = np.flatnonzero(kind == row)
            price, bought, sold = used.call_auction(
                used.used_bid(values[buyers, row], 0.5),
                np.ones(len(buyers)),
                used.used_ask(values[sellers, row], 0.3),
                np.ones(len(sellers)),
            )
            kind[buyers[bought > 0.5]] = row
            kind[sellers[sold > 0.5]] = -1
            last_price[row] = last_price[row] if np.isnan(price) else price
    assert abs(start) < 0.12
    assert correlation(kinds, kind, power_price) < -0.2


def correlation(kinds, kind, power_price):
    """Rank correlation of efficiency and power price over occupied seats."""
    seated = kind >= 0
    return float(spearmanr(kinds[kind[seated]], power_price[seated]).statistic)
