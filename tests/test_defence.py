"""Defending neutrality: who begins, where it ends, and what a hegemon without reserves does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.neutrality import Discount, neutrality
from model.statecraft.contest import outcome, payoffs
from model.statecraft.defence import (
    defence_contest,
    defence_gain,
    defence_threshold_yr,
    defend_alone,
    defend_together,
    hegemon_cap,
    searched_threshold_yr,
)
from model.statecraft.dominance import best_responses
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR

MARKUP = 0.4
ISSUANCE_BTC_YR = BLOCKS_PER_DAY * DAYS_PER_YEAR * 3.125
unhurried = settings(deadline=None, max_examples=40)


def concentration(reserves, start, **changes):
    """Largest share where defenders come to rest, and their shares."""
    game = defence_contest(reserves, MARKUP, **changes)
    found = defend_alone(game, start)
    assert found.converged
    return outcome(game, found.profile).concentration, found.profile[:-1]


@unhurried
@given(st.floats(0, 5), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_share_pays_reserves_less_markup_at_the_price_it_makes(reserves, markup, one, other):
    game = defence_contest([reserves, 1.0], markup)
    largest = max(1 - one - other, one, other)
    expected = neutrality(largest, Discount()) * (reserves - markup * one)
    assert payoffs(game, np.array([one, other, 0.0]))[0] == pytest.approx(expected, abs=1e-12)


def test_the_threshold_in_years_of_issuance_and_in_coins():
    assert defence_threshold_yr(1.0) == pytest.approx(1.1667, abs=1e-4)
    assert defence_threshold_yr(MARKUP) == pytest.approx(0.4667, abs=5e-5)
    assert pytest.approx(164_362, abs=0.5) == ISSUANCE_BTC_YR
    coins = defence_threshold_yr(MARKUP) * ISSUANCE_BTC_YR
    assert coins == pytest.approx(76_700, abs=50)


def test_defending_at_the_threshold_costs_a_fifth_of_the_issuance():
    # 1.91 billion USD a year, at the price of half a neutral coin's discount, .7 * 83,000 USD.
    cost = MARKUP * 0.5 * ISSUANCE_BTC_YR * 83_000 * neutrality(0.5, Discount())
    assert cost == pytest.approx(1.91e9, rel=2e-3)


@pytest.mark.parametrize(
    ("discount", "oracle"),
    [
        (Discount(0.1), 9.50),
        (Discount(0.3), 2.83),
        (Discount(0.6), 1.167),
        (Discount(0.9), 0.611),
        (Discount(0.1, midpoint=0.35), 95),
        (Discount(0.3, midpoint=0.35), 25.1),
        (Discount(0.6, midpoint=0.35), 7.53),
        (Discount(0.9, midpoint=0.35), 1.67),
        (Discount(0.6, steepness=10.0), 1.1825),
        (Discount(0.6, steepness=40.0), 1.1667),
    ],
)
def test_thresholds_in_closed_form_and_by_search(discount, oracle):
    closed = defence_threshold_yr(1.0, discount)
    assert closed == pytest.approx(oracle, rel=5e-3)
    # At a depth of .9 a lone defender begins a little earlier, with a little less than half.
    assert searched_threshold_yr(MARKUP, discount) == pytest.approx(MARKUP * closed, rel=1e-3)


def test_without_a_discount_nobody_defends():
    never = Discount(depth=0.0)
    assert defence_threshold_yr(MARKUP, never) == float("inf")
    assert searched_threshold_yr(MARKUP, never) == float("inf")


@unhurried
@given(st.floats(0.05, 2), st.floats(0, 6))
def test_a_lone_defender_mines_exactly_half_or_nothing(markup, reserves):
    threshold = defence_threshold_yr(markup)
    found = best_responses(defence_contest(reserves, markup), np.zeros(2))[0]
    if abs(reserves / threshold - 1) > 1e-2:
        assert found == pytest.approx(0.5 if reserves > threshold else 0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("reserves", "oracle"), [(0.42, 0.399), (0.5, 0.386), (1, 0.340), (2, 0.336)]
)
def test_two_defenders_bring_the_largest_share_below_half(reserves, oracle):
    found, shares = concentration([reserves, reserves], 1 / 3)
    if reserves < 2:
        assert found == pytest.approx(oracle, abs=5e-4)
    else:
        # Each is then as large as what is left of the fringe: a third, to the last digit.
        assert found == pytest.approx(1 / 3, abs=1e-6)
    assert shares[0] == pytest.approx(shares[1], abs=1e-9)


@pytest.mark.parametrize(
    ("several", "oracle"), [(2, 0.3398), (3, 0.3372), (5, 0.3352), (10, 0.3338)]
)
def test_many_defenders_do_little_more_than_two(several, oracle):
    found, _ = concentration([1.0] * several, 1 / (several + 1))
    assert found == pytest.approx(oracle, abs=5e-5)


def test_two_defenders_below_the_threshold_play_an_assurance_game():
    reserves = [0.9 * defence_threshold_yr(MARKUP)] * 2
    nobody, _ = concentration(reserves, 0.0)
    assert nobody == 1.0
    game = defence_contest(reserves, MARKUP)
    together = defend_together(game)
    assert outcome(game, together).concentration < 0.4
    stayed, kept = concentration(reserves, together[:-1])
    assert stayed < 0.5
    assert (kept > 0.25).all()


def test_an_alliance_shares_its_task_as_suits_it_best():
    game = defence_contest([1.0, 1.0, 1.0], [0.2, 0.4, 0.8])
    found = defend_together(game)
    # Against every other division on a grid.
    grid = np.linspace(0, 0.5, 26)
    best = max(
        payoffs(game, np.array([one, two, three, 0.0])).sum()
        for one in grid
        for two in grid
        for three in grid
        if one + two + three <= 1
    )
    assert payoffs(game, found).sum() >= best - 1e-9


def test_a_large_holder_defends_by_the_same_rule_as_a_nation():
    holder = 1.2 * defence_threshold_yr(MARKUP)
    found, shares = concentration([0.1, holder], 0.0)
    assert found == pytest.approx(0.5, abs=1e-6)
    assert shares == pytest.approx([0.0, 0.5], abs=1e-6)


def test_sites_and_machines_bound_a_defence():
    reserves = 2 * defence_threshold_yr(MARKUP)
    _, few = concentration([reserves], 0.0, most_share=0.02)
    assert few[0] == 0.0
    _, some = concentration([reserves] * 4, 0.2, most_share=[0.2, 0.2, 0.2, 0.01])
    assert some[3] <= 0.01


def test_what_a_defence_is_worth():
    game = defence_contest([1.0], MARKUP)
    gain = defence_gain(game, np.array([0.5, 0.0]))
    expected = neutrality(0.5, Discount()) * 0.8 - neutrality(1.0, Discount())
    assert gain == pytest.approx([expected, 0.0])
    at_threshold = defence_contest([defence_threshold_yr(MARKUP)], MARKUP)
    assert defence_gain(at_threshold, np.array([0.5, 0.0]))[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("reserves", "cap"), [(0.0, 1.0), (0.1, 0.365), (0.5, 0.294), (1.0, 0.260)]
)
def test_a_hegemon_with_reserves_caps_its_own_miners(reserves, cap):
    assert hegemon_cap(reserves) == pytest.approx(cap, abs=5e-4)


def test_without_reserves_it_does_only_if_control_destroys_enough():
    assert hegemon_cap(0.0, discount=Discount(depth=0.622)) == 1.0
    restrained = hegemon_cap(0.0, discount=Discount(depth=0.624))
    assert restrained == pytest.approx(0.43, abs=5e-3)
    shares = np.linspace(0.3, 0.6, 300_001)
    values = shares * neutrality(shares, Discount())
    assert values.max() == pytest.approx(0.379, abs=5e-4)
    assert shares[values.argmax()] == pytest.approx(0.4345, abs=5e-5)
    assert neutrality(1.0, Discount()) == pytest.approx(0.400, abs=5e-4)


@unhurried
@given(st.floats(0.05, 3), st.floats(0, 3))
def test_more_reserves_never_loosen_the_cap(reserves, more):
    assert hegemon_cap(reserves + more) <= hegemon_cap(reserves) + 1e-6


# --- a hegemon among others ------------------------------------------------------------------


def test_a_hegemon_holds_back_no_further_than_others_let_the_price_rise():
    alone = hegemon_cap(1.0)
    assert hegemon_cap(1.0, others=alone - 0.1) == pytest.approx(alone, abs=1e-6)
    assert hegemon_cap(1.0, others=0.4) == pytest.approx(0.4, abs=1e-6)


def test_a_prize_of_dominance_undoes_restraint():
    assert hegemon_cap(1.0, prize_yr=0.0) < 0.3
    assert 0.5 < hegemon_cap(1.0, prize_yr=1.0) < 0.51
    assert hegemon_cap(20.0, prize_yr=1.0) < 0.3
