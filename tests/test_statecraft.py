"""Reserves, netback, policies, the spread of directives, jurisdictions and idle power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.markets.price import flow_impact
from model.neutrality import Discount
from model.statecraft import adoption, brownfield, jurisdiction, netback, policy, reserves
from model.statecraft.contest import contest, outcome
from model.statecraft.dominance import settle
from model.statecraft.policy import Policy
from model.statecraft.reserves import Reserve

UNIT = st.floats(0, 1)


# Reserves


def test_the_risk_of_being_blacklisted_by_who_makes_templates():
    ties = np.array([[0.0, -0.5, 1.0], [-0.5, 0.0, 0.0], [1.0, 0.0, 0.0]])
    sanctions = np.zeros((3, 3))
    sanctions[0, 1] = 0.8
    found = reserves.blacklist_risk(ties, [0.5, 0.0, 0.5], sanctions)
    assert found == pytest.approx([0.0, 0.5 * 0.8 * 0.5, 0.0], abs=1e-12)
    certain = reserves.blacklist_risk(-np.ones((3, 3)), np.ones(3), np.ones((3, 3)))
    assert (certain == 1.0).all()


@given(UNIT, UNIT, UNIT)
def test_more_templates_of_an_adversary_never_sell_fewer_coins(one, other, hostility):
    ties, sanctions = -np.ones((2, 2)), np.full((2, 2), hostility)
    sold = []
    for share in sorted((one, other)):
        risk = reserves.blacklist_risk(ties, [share, 0.0], sanctions)
        plan = reserves.plan_reserves([0.0, 1e5], 0.0, risk, 0.0, -np.inf)
        sold.append(-plan.change_btc[1])
    assert 0 <= sold[0] <= sold[1]
    assert flow_impact(sold[0]) <= flow_impact(sold[1])


def test_fractions_dumped_and_bought():
    loss = reserves.expected_loss([0.0, 0.05 / 0.7, 0.2, 0.5, 1.0])
    assert reserves.dump_fraction(loss) == pytest.approx([0, 0, 0.3, 1, 1], abs=1e-12)
    assert reserves.buy_fraction(0.5, loss) == pytest.approx([0.45, 0.425, 0.38, 0.275, 0.1])
    assert reserves.buy_fraction(0.05, 0.0) == 0.0


@given(UNIT, UNIT, UNIT, UNIT)
def test_reserves_rise_with_sanctions_and_fall_with_the_risk(mild, harsh, low, high):
    mild, harsh, low, high = *sorted((mild, harsh)), *sorted((low, high))
    change = reserves.plan_reserves(
        np.full(4, 1e5), 1e4, [low, low, high, high], [mild, harsh, mild, harsh], -np.inf
    ).change_btc
    assert change[0] <= change[1] + 1e-9
    assert change[2] <= change[0] + 1e-9
    assert change[3] <= change[1] + 1e-9


def test_each_nation_chooses_what_is_worth_most():
    risk, sanctioned = [0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 0.9]
    gain = [-5.0, 10.0, 1e6, -np.inf]
    plan = reserves.plan_reserves([100.0, 1e4, 1e4, 0.0], 500.0, risk, sanctioned, gain)
    assert list(plan.choice) == [Reserve.HOLD, Reserve.DUMP, Reserve.DEFEND, Reserve.BUY]
    assert plan.change_btc == pytest.approx([0.0, -1e4, 0.0, 0.85 * 500])


def test_a_prescribed_reaction_binds_those_who_are_threatened():
    risk, gain = [0.0, 0.5, 0.5], [1.0, -3.0, -np.inf]
    inputs = ([1e4] * 3, 0.0, risk, 0.0, gain)
    plan = {name: list(reserves.plan_reserves(*inputs, name).choice) for name in reserves.REACTIONS}
    assert plan["endogenous"] == [Reserve.DEFEND, Reserve.DUMP, Reserve.DUMP]
    assert plan["defend"] == [Reserve.DEFEND, Reserve.DEFEND, Reserve.DUMP]
    assert plan["dump"] == [Reserve.DEFEND, Reserve.DUMP, Reserve.DUMP]
    assert list(reserves.plan_reserves([1e4], 0.0, 0.5, 0.0, 1e9, "dump").choice) == [Reserve.DUMP]
    with pytest.raises(ValueError, match="one of endogenous, defend, dump"):
        reserves.plan_reserves(*inputs, "panic")


# Netback


@given(UNIT, UNIT, st.floats(0, 200), st.floats(0, 50), st.floats(-50, 150))
def test_sanctions_never_reduce_what_a_state_mines(mild, harsh, world, lift, margin):
    mild, harsh = sorted((mild, harsh))
    easy, hard = (netback.netback_usd_mwh(each, world, lift) for each in (mild, harsh))
    assert 0 <= hard <= easy
    mined = [netback.state_mining_mw(margin, each, 100.0) for each in (easy, hard)]
    assert mined[0] <= mined[1]
    assert netback.netback_usd_mwh(1.0, world, lift) == 0.0


def test_the_share_mined_rises_with_sanctions_and_private_hashrate_falls():
    """Fifty fields of one nation, from cheap to dear to bring to the market."""
    lift = np.linspace(0, 60, 50)
    margin = netback.mining_margin_usd_mwh(0.04, 25.0, 20.0, 5.0)
    assert margin == pytest.approx(0.04 / 600e-6 - 25)
    mined = [
        netback.state_mining_mw(margin, netback.netback_usd_mwh(each, 100.0, lift), 20.0).sum()
        for each in np.linspace(0, 0.4, 7)
    ]
    assert (np.diff(mined) > 0).all()
    private = [
        outcome(contest([1.0], 1.0, elsewhere=1.0), np.array([power / 1e4])).private_left
        for power in mined
    ]
    assert (np.diff(private) < 0).all()


def test_a_state_under_sanctions_mines_where_a_private_miner_would_not():
    sold = netback.netback_usd_mwh([0.9, 0.0], 60.0, 5.0)
    assert sold == pytest.approx([1.0, 55.0])
    assert list(netback.mines_at_a_loss(20.0, sold, 50.0)) == [True, False]
    assert not netback.mines_at_a_loss(60.0, 1.0, 50.0)


def test_iran_in_2021_monetised_what_it_could_not_sell():
    """600 MW of S9-like machines at 4.5 % of 160 EH/s earned about a billion USD a year."""
    power = float(
        netback.state_mining_mw(
            netback.mining_margin_usd_mwh(0.30, 85.0, 40.0, 8.0),
            netback.netback_usd_mwh(0.9, 60.0, 5.0),
            600.0,
        )
    )
    assert power == 600.0
    revenue_usd_yr = power * 1e6 / 85.0 * 0.30 * 365.25
    assert revenue_usd_yr == pytest.approx(1e9, rel=0.5)
    assert power * 1e6 / 85.0 / 160e6 == pytest.approx(0.045, rel=0.1)


# Policy


def test_leads_are_the_quantiles_of_their_draws():
    draws = (np.arange(20_000) + 0.5) / 20_000
    days = policy.lead_days(9.0, draws)
    assert np.median(days) == pytest.approx(9 * 365.25 / 12, abs=1)
    assert np.log(days).std() == pytest.approx(0.6, rel=5e-3)
    assert policy.lead_days(1.0, 0.0) == 0
    np.testing.assert_array_equal(policy.lead_days(9.0, draws), days)


def test_a_ban_by_decree_is_quick_and_a_subsidy_slow():
    kinds = np.array(list(Policy))
    assert list(policy.lead_median_months(kinds, False)) == [12, 18, 9, 9, 9, 9]
    assert list(policy.lead_median_months(kinds, True)) == [12, 18, 1, 9, 9, 9]


def test_proposals_come_at_the_hazard_of_their_salience():
    draws = np.random.default_rng(3).random(200_000)
    found = policy.proposed(2.0, draws, 91.3125).mean()
    expected = 1 - np.exp(-0.2 / 4)
    assert abs(found - expected) < 3 * np.sqrt(expected * (1 - expected) / draws.size)
    assert not policy.proposed(0.0, draws, 1e4).any()
    less, more = policy.proposed(1.0, draws, 30.0), policy.proposed(1.5, draws, 30.0)
    assert (more | ~less).all()


@pytest.mark.parametrize("kind", ["power_tax", "revenue_tax"])
def test_a_tax_drives_hashrate_out_of_its_nation(kind):
    shares = []
    for rate in (0.0, 0.05, 0.1, 0.2, 0.3):
        tax = {"power_tax": 0.0, "revenue_tax": 0.0} | {kind: rate}
        costs = [policy.taxed_cost(1.0, 0.7, **tax), 1.0, 1.1]
        game = contest(costs, 2.0, displacement=0.0, discount=Discount(0.0))
        profile = settle(game, np.full(3, 0.1)).profile
        shares.append(profile[0] / profile.sum())
    assert (np.diff(shares) < 0).all()


def test_a_tax_on_all_revenue_is_refused():
    assert policy.taxed_cost(2.0, 0.5, 0.1, 0.2) == pytest.approx(2 * 1.05 / 0.8)
    with pytest.raises(ValueError, match="leave some"):
        policy.taxed_cost(1.0, 0.5, 0.0, 1.0)


# Directives


def alliance_graph(seed, least=-1.0):
    random = np.random.default_rng(seed)
    ties = random.uniform(least, 1, (9, 9))
    weights = random.random(9)
    return (ties + ties.T) / 2, weights / weights.sum(), random.random(9) < 0.3


def test_a_nation_follows_its_allies_but_for_its_adversaries_and_its_stake():
    ties = np.array([[0, 1, 0.8, 0], [1, 0, 0, -1], [0.8, 0, 0, 0], [0, -1, 0, 0]])
    weights, first = [0.6, 0.1, 0.1, 0.2], np.array([True, False, False, False])
    threshold = adoption.adoption_threshold([0, 0, 0, 0])
    assert adoption.support(ties, weights, first) == pytest.approx([0, 0.6, 0.48, 0])
    assert list(adoption.cascade(ties, weights, first, threshold).round) == [0, 1, -1, -1]
    with_adversary = np.array([True, False, False, True])
    assert not adoption.cascade(ties, weights, with_adversary, threshold).adopted[1]
    held = adoption.adoption_threshold([0, 0.5, 0, 0])
    assert held[1] == pytest.approx(0.65)
    assert not adoption.cascade(ties, weights, first, held).adopted[1]


def test_a_directive_spreads_from_ally_to_ally():
    ties = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    found = adoption.cascade(ties, np.full(4, 0.25), [True, False, False, False], np.full(4, 0.2))
    assert list(found.round) == [0, 1, 2, 3]


@given(st.integers(0, 10_000), st.integers(0, 8))
def test_among_allies_more_first_adopters_never_lose_followers(seed, extra):
    ties, weights, first = alliance_graph(seed, least=0.0)
    wider = first | (np.arange(9) == extra)
    threshold = np.full(9, 0.25)
    fewer, more = (adoption.cascade(ties, weights, who, threshold) for who in (first, wider))
    assert (more.adopted | ~fewer.adopted).all()
    assert (fewer.adopted | ~first).all()
    assert (adoption.cascade(ties, weights, first, threshold + 0.1).adopted <= fewer.adopted).all()


@given(st.integers(0, 10_000), st.permutations(range(9)))
def test_the_order_of_nations_decides_nothing(seed, order):
    ties, weights, first = alliance_graph(seed)
    # Coarse numbers, so that some nations stand exactly at their threshold.
    ties, weights = np.round(4 * ties) / 4, np.round(16 * weights) / 16
    order = list(order)
    usual = adoption.cascade(ties, weights, first, np.full(9, 0.125))
    other = adoption.cascade(
        ties[np.ix_(order, order)], weights[order], first[order], np.full(9, 0.125)
    )
    np.testing.assert_array_equal(other.round, usual.round[order])


# Jurisdiction


def test_whose_law_reaches_a_machine():
    site, seat, template = [0, 1, 1, 1, 2], [1, 0, 1, 1, -1], [1, 1, 0, 1, -1]
    nation = [True, False, False]
    by = {
        name: list(jurisdiction.coercible(site, seat, template, nation, name))
        for name in jurisdiction.JURISDICTIONS
    }
    assert by["site"] == [True, False, False, False, False]
    assert by["hq"] == [False, True, False, False, False]
    assert by["template"] == [False, False, True, False, False]
    assert by["any"] == [True, True, True, False, False]
    shares = jurisdiction.coercible_shares([1, 2, 3, 4, 0], site, seat, template, nation)
    assert shares == pytest.approx((0.1, 0.2, 0.3, 0.6))
    with pytest.raises(ValueError, match="one of site, hq"):
        jurisdiction.coercible(site, seat, template, nation, "flag")


@given(st.integers(0, 10_000))
def test_the_union_reaches_no_less_than_a_map_and_no_more_than_all_three(seed):
    random = np.random.default_rng(seed)
    maps = random.integers(-1, 5, (3, 30))
    hashrate, nations = random.random(30), random.random(5) < 0.4
    found = jurisdiction.coercible_shares(hashrate, *maps, nations)
    assert max(found[:3]) <= found.any <= min(sum(found[:3]), 1) + 1e-12
    wider = jurisdiction.coercible_shares(hashrate, *maps, nations | (np.arange(5) == 2))
    assert all(more >= less for more, less in zip(wider, found, strict=True))
    by_nation = jurisdiction.shares_by_nation(hashrate, maps[0], 5)
    assert by_nation[nations].sum() == pytest.approx(found.site, abs=1e-12)


def test_no_hashrate_cannot_be_coerced():
    nobody = jurisdiction.coercible_shares([0.0], [0], [0], [0], [True])
    assert nobody == (0, 0, 0, 0)
    assert list(jurisdiction.shares_by_nation([0.0], [0], 2)) == [0, 0]


# Idle power


@given(st.integers(0, 10_000))
def test_idle_power_is_offered_once_and_in_proportion(seed):
    random = np.random.default_rng(seed)
    idle, wanted = random.uniform(0, 100, 4), random.uniform(0, 60, 12)
    rows = random.integers(0, 4, 12)
    found = brownfield.take_brownfield(idle, rows, wanted)
    taken = np.bincount(rows, weights=found.offered_mw, minlength=4)
    np.testing.assert_allclose(taken + found.left_mw, idle, atol=1e-9)
    assert (found.left_mw >= 0).all()
    assert (found.offered_mw <= wanted + 1e-12).all()
    short = found.left_mw[rows] <= 0
    part = found.offered_mw / wanted
    assert (part[~short] == 1.0).all()
    for nation in range(4):
        assert len(np.unique(np.round(part[rows == nation], 9))) <= 1


def test_without_idle_power_nothing_is_offered():
    found = brownfield.take_brownfield([0.0, 5.0], [0, 0, 1], [3.0, 4.0, 0.0])
    assert list(found.offered_mw) == [0, 0, 0]
    assert list(found.left_mw) == [0, 5]
    with pytest.raises(ValueError, match="negative"):
        brownfield.take_brownfield([-1.0], [0], [1.0])
