"""The frictionless long run against an independent computation, and its extremes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study import static_limit
from study.static_limit import Limit, SiteType

KINDS = {kind.name: kind for kind in static_limit.load_site_types()}


def world(seed: int = 0, **changes: object) -> static_limit.Cells:
    kinds = [replace(kind, **changes) for kind in KINDS.values()]
    return static_limit.draw_cells(kinds, seed)


def plain(**changes: object) -> SiteType:
    """One type with sites of every size and the same power price at each."""
    base = SiteType(
        "plain", 400.0, 0.001, 1000.0, 1.0, 40.0, 0.0, 0.0, 0.0, 0.95, False, True, False
    )
    return replace(base, **changes)


def test_every_number_of_the_reference_computation():
    table = static_limit.static_limit_table()
    assert len(table) > 40
    assert [row for row in table if not row.holds] == []


def test_the_table_fails_on_another_population():
    kinds = [replace(kind, transmission_usd_mwh=0.0) for kind in KINDS.values()]
    failed = [row.name for row in static_limit.static_limit_table(2, kinds) if not row.holds]
    assert "base: grid" in failed


def test_hashprice_pays_the_full_cost_of_every_miner_and_of_no_one_else():
    cells, limit = world(), Limit()
    rows, power = static_limit.mining_cells(cells, limit)
    outcome = static_limit.equilibrium(cells, limit)
    needed = static_limit.unit_cost(cells, limit) * limit.efficiency_j_th * 24e-6 * 1e3
    assert needed[rows].max() <= outcome.hashprice_usd_ph_day
    idle = np.setdiff1d(np.arange(cells.size_mw.size), rows)
    # The next cell would pay before its entry, at most by the fall that its own size brings.
    step = outcome.hashprice_usd_ph_day * cells.capacity_mw.max() / power.sum()
    assert needed[idle].min() > outcome.hashprice_usd_ph_day - step
    revenue = 144 * limit.reward_btc * limit.price_usd
    spent = outcome.hashprice_usd_ph_day * outcome.hashrate_ehs * 1e3
    assert spent == pytest.approx(revenue)


def test_without_scale_advantage_and_with_dearer_large_power_the_smallest_win():
    cells = static_limit.draw_cells([plain()], 4)
    rows, _ = static_limit.mining_cells(cells, Limit(scale_advantage=0.0))
    idle = np.setdiff1d(np.arange(cells.size_mw.size), rows)
    assert 0 < rows.size < cells.size_mw.size / 2
    assert cells.size_mw[rows].max() < cells.size_mw[idle].min()


@pytest.mark.parametrize("advantage", [0.5, 1.0, 4.0])
def test_with_equal_power_prices_and_scale_advantage_the_largest_win(advantage):
    cells = static_limit.draw_cells([plain(alpha=0.8)], 4)
    limit = Limit(size_gradient_usd_mwh=0.0, scale_advantage=advantage, price_usd=40_000.0)
    rows, _ = static_limit.mining_cells(cells, limit)
    idle = np.setdiff1d(np.arange(cells.size_mw.size), rows)
    assert 0 < rows.size < cells.size_mw.size / 2
    assert cells.size_mw[rows].min() > cells.size_mw[idle].max()
    assert cells.size_mw[rows].min() > 100.0


def test_distribution_falls_with_scale_advantage_and_rises_with_wires_and_gradient():
    cells = world()

    def under_10mw(**changes: float) -> float:
        return static_limit.equilibrium(cells, replace(Limit(), **changes)).under_10mw

    by_advantage = [under_10mw(scale_advantage=x) for x in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)]
    assert (np.diff(by_advantage) < 0).all()
    by_wires = [under_10mw(transmission_scale=x) for x in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert (np.diff(by_wires) > 0).all()
    by_gradient = [under_10mw(size_gradient_usd_mwh=x) for x in (0.0, 4.5, 9.0)]
    assert (np.diff(by_gradient) > 0).all()


def test_the_answer_flips_near_seven_and_a_half_times_the_scale_advantage():
    worlds = [world(seed) for seed in range(4)]
    low, _ = static_limit.outcomes(worlds, Limit(scale_advantage=7.0))
    high, _ = static_limit.outcomes(worlds, Limit(scale_advantage=8.5))
    assert low.under_10mw > 0.5 > high.under_10mw


def test_no_price_no_miners():
    with pytest.raises(ValueError, match="no site"):
        static_limit.equilibrium(world(), Limit(price_usd=1.0))


@pytest.mark.parametrize(
    ("costs", "shares"),
    [
        ((0.03, 0.04, 0.05, 0.06, 0.08), (0.5, 0.3333, 0.1667, 0.0, 0.0)),
        ((0.8, 1.0, 1.0, 1.0), (0.3684, 0.2105, 0.2105, 0.2105)),
        ((0.06, 0.08, 0.03, 0.05, 0.04), (0.0, 0.0, 0.5, 0.1667, 0.3333)),
    ],
)
def test_contest_shares(costs, shares):
    np.testing.assert_allclose(static_limit.contest_shares(np.array(costs)), shares, atol=5e-5)


def test_contest_price_and_concentration():
    costs = np.array([0.03, 0.04, 0.05, 0.06, 0.08])
    assert static_limit.contest_price(costs) == pytest.approx(0.06)
    assert (static_limit.contest_shares(costs) ** 2).sum() == pytest.approx(0.3889, abs=5e-5)
    with pytest.raises(ValueError, match="two miners"):
        static_limit.contest_price(np.array([1.0]))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.1, 4.0), min_size=2, max_size=8))
def test_contest_agrees_with_best_responses(values):
    costs = np.array(values)
    hashrate = best_response_path(costs)
    shares = hashrate / hashrate.sum()
    np.testing.assert_allclose(static_limit.contest_shares(costs), shares, atol=1e-6)
    assert static_limit.contest_shares(costs).sum() == pytest.approx(1.0)
    assert hashrate.sum() == pytest.approx(1.0 / static_limit.contest_price(costs), rel=1e-6)


def best_response_path(costs: np.ndarray) -> np.ndarray:
    """Hashrate of each miner after damped simultaneous best responses to a reward of 1."""
    # Undamped replies overshoot: two miners at a cost ratio r need a step below 8 r / (r + 1)^2.
    step = 0.1
    hashrate = np.full(costs.size, 0.1 / costs.size)
    for _ in range(20_000):
        rivals = hashrate.sum() - hashrate
        reply = np.maximum(np.sqrt(rivals / costs) - rivals, 0.0)
        if np.abs(reply - hashrate).max() < 1e-10 * hashrate.sum():
            break
        hashrate = hashrate + step / costs.size * (reply - hashrate)
    return hashrate
