"""Nations that mine themselves against closed forms and the published equilibria."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.neutrality import MEASURES, Discount
from model.statecraft.alliance import divide, joint_response
from model.statecraft.contest import contest, most_hashrate, outcome, payoffs, seen_from_outside
from model.statecraft.dominance import best_responses, settle
from model.statecraft.search import highest_point

DISCOUNT = Discount()
NO_DISCOUNT = Discount(depth=0.0)
# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None, max_examples=25)


def rest(costs, start=0.1, most=3.0, **terms):
    """Share of the first nation, and the outcome, where a contest of states alone comes to rest."""
    game = contest(costs, most, **({"displacement": 0.0} | terms))
    found = settle(game, np.full(len(costs), start))
    assert found.converged
    result = outcome(game, found.profile)
    return found.profile / result.total, result


@pytest.mark.parametrize(
    ("costs", "shares", "total"),
    [
        ((1.0, 1.2, 1.4), (0.4444444, 0.3333333, 0.2222222), 0.5555556),
        ((1.0, 2.0), (0.6666667, 0.3333333), 0.3333333),
    ],
)
def test_without_a_discount_shares_are_those_of_tullock(costs, shares, total):
    found, result = rest(costs, discount=NO_DISCOUNT)
    assert found == pytest.approx(shares, abs=1e-5)
    assert result.total == pytest.approx(total, abs=1e-5)


@unhurried
@given(st.lists(st.floats(1.0, 1.2), min_size=2, max_size=6))
def test_any_tullock_contest_in_closed_form(costs):
    found, _ = rest(costs, discount=NO_DISCOUNT)
    several, total = len(costs), sum(costs)
    assert found == pytest.approx(1 - (several - 1) * np.array(costs) / total, abs=1e-5)


def leader(own=0.0, followers=0.0, discount=DISCOUNT):
    shares, result = rest(
        (0.5, 1.2, 1.2, 1.2, 1.2), reserves_btc=[own] + [followers] * 4, discount=discount
    )
    return shares[0], result


def test_the_leader_restrains_itself_even_without_reserves():
    assert leader(discount=NO_DISCOUNT)[0] == pytest.approx(0.6226, abs=5e-5)
    share, result = leader()
    # From the first-order conditions, solved apart from this code; .383 in the published oracle.
    assert share == pytest.approx(0.3829498, abs=1e-6)
    assert result.neutrality == pytest.approx(0.947, abs=5e-4)


@pytest.mark.parametrize(
    ("reserves", "share"),
    [(0.25, 0.3768), (0.5, 0.3715), (1, 0.3627), (2, 0.3497), (5, 0.3261), (10, 0.3045)],
)
def test_reserves_of_the_followers_press_the_leader(reserves, share):
    assert leader(followers=reserves)[0] == pytest.approx(share, abs=5e-5)


def test_reserves_of_the_followers_raise_all_hashrate():
    assert leader(followers=0.25)[1].total == pytest.approx(0.781, abs=5e-4)
    assert leader(followers=10.0)[1].total == pytest.approx(1.277, abs=5e-4)


@pytest.mark.parametrize(
    ("reserves", "share"), [(0.5, 0.3470), (1, 0.3264), (2, 0.3009), (5, 0.2622), (10, 0.2309)]
)
def test_its_own_reserves_restrain_the_leader(reserves, share):
    found, result = leader(own=reserves)
    assert found == pytest.approx(share, abs=5e-5)
    assert result.total < leader()[1].total


@pytest.mark.parametrize(
    ("reserves", "share"), [(0.5, 0.3418), (1, 0.3202), (2, 0.2944), (5, 0.2562)]
)
def test_reserves_of_everyone_bring_shares_together(reserves, share):
    assert leader(reserves, reserves)[0] == pytest.approx(share, abs=5e-5)


@pytest.mark.parametrize(
    ("reserves", "share"), [(0.0, 0.4123), (0.5, 0.3724), (1.0, 0.3502), (5.0, 0.2825)]
)
def test_one_state_against_a_fixed_rest(reserves, share):
    terms = {"most": 9.0, "reserves_btc": reserves, "elsewhere": 1.0}
    assert rest((0.1,), **terms)[0][0] == pytest.approx(share, abs=5e-5)
    free = rest((0.1,), **terms, discount=NO_DISCOUNT)[0][0]
    assert free == pytest.approx(1 - np.sqrt(0.1), abs=1e-5)


def test_no_nation_mines_a_majority_when_states_are_strategic():
    for depth in (0.3, 0.6, 0.9):
        assert leader(discount=Discount(depth=depth))[1].concentration < 0.5


def random_contest(seed, nations=6, **changes):
    random = np.random.default_rng(seed)
    ties = random.uniform(-1, 1, (nations, nations))
    terms = {
        "reserves_btc": random.uniform(0, 2, nations),
        "private": random.uniform(0, 0.2, nations),
        "private_cost_usd_yr": 1.0,
        "issuance_btc_yr": 3.0,
        "alliances": (ties + ties.T) / 2,
    }
    return random.uniform(0.8, 1.2, nations), 1.0, terms | changes


def reordered(terms, order):
    """The terms of a contest with its nations in another order."""
    moved = {}
    for key, value in terms.items():
        array = np.asarray(value)
        moved[key] = array[np.ix_(*[order] * array.ndim)] if array.ndim else value
    return moved


@unhurried
@given(st.integers(0, 10_000), st.sampled_from(MEASURES), st.permutations(range(6)))
def test_responses_do_not_depend_on_the_order_of_nations(seed, measure, order):
    costs, most, terms = random_contest(seed, measure=measure)
    game = contest(costs, most, **terms)
    mixed = contest(costs[list(order)], most, **reordered(terms, list(order)))
    profile = np.random.default_rng(seed).uniform(0, 0.2, 6)
    found = best_responses(game, profile)
    np.testing.assert_allclose(
        best_responses(mixed, profile[list(order)]), found[list(order)], atol=1e-6
    )
    np.testing.assert_array_equal(best_responses(game, profile), found)


@unhurried
@given(st.integers(0, 10_000), st.sampled_from(MEASURES), st.booleans())
def test_nobody_does_better_than_by_its_best_response(seed, measure, free_entry):
    costs, most, terms = random_contest(seed, measure=measure, free_entry=free_entry)
    game = contest(costs, most, **terms, displacement=0.5, prize_usd_yr=0.2)
    random = np.random.default_rng(seed)
    profile = random.uniform(0, 0.3, 6)
    best = best_responses(game, profile)
    assert ((best >= 0) & (best <= most)).all()
    for nation in range(6):
        chosen, other = profile.copy(), profile.copy()
        chosen[nation] = best[nation]
        value = payoffs(game, chosen)[nation]
        for hashrate in random.uniform(0, 1, 20):
            other[nation] = hashrate
            assert payoffs(game, other)[nation] <= value + 1e-6


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("displacement", [0.0, 1.0])
def test_where_it_says_it_rests_nobody_wants_to_move(measure, displacement):
    costs, most, terms = random_contest(3, 12, measure=measure, displacement=displacement)
    game = contest(costs, most, **terms)
    found = settle(game, np.full(12, 0.01))
    assert found.converged
    gap = np.abs(best_responses(game, found.profile) - found.profile)
    assert gap.max() <= 1e-6 * found.profile.mean()


def test_states_push_out_private_hashrate_one_for_one_or_not_at_all():
    terms = {"private": [0.0, 0.6], "elsewhere": 0.4, "state": [0.1, 0.0]}
    for chi, left in ((1.0, 0.8), (0.5, 0.9), (0.0, 1.0)):
        result = outcome(contest([1, 1], 1, **terms, displacement=chi), np.array([0.3, 0.0]))
        assert result.private_left == pytest.approx(left)
        assert result.total == pytest.approx(0.3 + left)
    assert outcome(contest([1, 1], 2, **terms), np.array([1.5, 0.0])).private_left == 0.0


def test_payoffs_add_reserves_blocks_and_tax_less_cost():
    game = contest(
        [2.0, 1.0],
        1.0,
        reserves_btc=[5.0, 0.0],
        private=[0.3, 0.5],
        private_cost_usd_yr=[1.5, 0.5],
        prize_usd_yr=7.0,
        displacement=0.0,
        issuance_btc_yr=10.0,
        price_usd=3.0,
    )
    result = outcome(game, np.array([0.2, 0.0]))
    price, income = 3.0 * result.neutrality, 30.0 * result.neutrality
    assert result.concentration == pytest.approx(0.5)
    first = 5 * price + 0.2 * income + 0.2 * 0.3 * (income - 1.5) - 2.0 * 0.2
    found = payoffs(game, np.array([0.2, 0.0]))
    assert found == pytest.approx([first, 0.2 * 0.5 * (income - 0.5)])
    assert payoffs(game, np.array([0.21, 0.0]))[0] > first + 6


def test_a_race_for_dominance_ends_above_half_where_neutrality_ends_below():
    costs = (0.4, 0.1, 0.1, 0.1)
    most = [2.0, 0.05, 0.05, 0.05]
    neutral, _ = rest(costs, most=most, reserves_btc=0.2, elsewhere=0.3)
    race, _ = rest(costs, most=most, reserves_btc=0.2, elsewhere=0.3, prize_usd_yr=1.0)
    assert neutral[0] < 0.5 < race[0] < 0.51


def test_a_race_without_end_is_reported():
    game = contest([1.0] * 4, 5.0, displacement=0.0, prize_usd_yr=0.5)
    found = settle(game, np.full(4, 0.1), most_sweeps=40)
    assert (found.converged, found.sweeps) == (False, 40)


def test_what_a_nation_can_mine_bounds_what_it_does():
    found, _ = rest((1.0, 1.0, 1.0), most=[0.05, 1.0, 1.0], discount=NO_DISCOUNT, start=0.5)
    assert found[0] < found[1]
    free = settle(contest([1.0] * 3, [0.05, 1, 1], displacement=0.0), np.full(3, 0.5))
    assert free.profile[0] == pytest.approx(0.05, abs=1e-9)
    np.testing.assert_allclose(
        most_hashrate([10.0, 10.0], [1.0, 1.0], 20.0, [1e9, 3.0]), [10.0 + 5e4, 13.0]
    )


def test_allies_together_gain_at_least_what_each_gains_alone():
    costs, most, terms = random_contest(5)
    game, allies = contest(costs, most, **terms), np.arange(6) < 3
    alone = settle(game, np.full(6, 0.05)).profile
    joint = joint_response(game, allies, alone)
    assert (joint[3:] == alone[3:]).all()
    assert payoffs(game, joint)[:3].sum() >= payoffs(game, alone)[:3].sum()
    # No member alone could serve all of them better, nor two by moving hashrate between them.
    random = np.random.default_rng(5)
    for _ in range(2_000):
        other = joint.copy()
        other[:3] = np.clip(other[:3] + random.normal(0, random.choice([1e-3, 0.1]), 3), 0, most)
        assert payoffs(game, other)[:3].sum() <= payoffs(game, joint)[:3].sum() + 1e-9


@given(st.floats(0, 4), st.permutations(range(4)))
def test_the_cheapest_allies_mine_first(total, order):
    room, cost = np.array([1.0, 0.5, 1.0, 0.8]), np.array([1.0, 1.0, 2.0, 0.5])
    given_ = divide(total, room, cost)
    assert given_.sum() == pytest.approx(min(total, room.sum()), abs=1e-12)
    assert given_[0] == pytest.approx(2 * given_[1], abs=1e-12)
    assert given_[2] == pytest.approx(np.clip(total - 2.3, 0, 1), abs=1e-12)
    order = list(order)
    np.testing.assert_array_equal(divide(total, room[order], cost[order]), given_[order])


def test_shares_are_seen_with_an_error_of_a_tenth():
    draws = np.random.default_rng(1).standard_normal(40_000)
    seen = seen_from_outside(np.full(draws.size, 5.0), draws)
    error = seen.std() / np.sqrt(draws.size)
    assert abs(seen.mean() - 5.0) < 3 * error
    assert abs(seen.std() / 5 - 0.1003) < 3 * 0.1003 / np.sqrt(2 * draws.size)
    np.testing.assert_array_equal(seen_from_outside([5.0], [1.0], spread=0.0), [5.0])


def test_thirty_nations_settle_in_a_moment():
    costs, most, terms = random_contest(1, 30, displacement=0.0)
    game = contest(costs, most, **terms)
    settle(game, np.full(30, 0.01))
    taken = []
    for _ in range(5):
        began = time.process_time()
        assert settle(game, np.full(30, 0.01)).converged
        taken.append(time.process_time() - began)
    assert min(taken) < 0.02


def test_a_contest_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="reserves_btc: found 3 values for 2 nations"):
        contest([1, 1], 1, reserves_btc=[1, 2, 3])
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="most: a value is negative or not finite"):
            contest([1, 1], wrong)


def test_the_search_finds_the_higher_of_two_hills_and_the_corners():
    assert highest_point(lambda x: -((x - 0.3) ** 2), 0, 1) == pytest.approx(0.3, abs=1e-8)
    assert highest_point(lambda x: np.sin(9 * x) + x, 0, 2) == pytest.approx(1.5832, abs=1e-3)
    assert highest_point(lambda x: x, 0, 2) == 2.0
    assert highest_point(lambda x: 1.0, 0, 2) == 0.0
    with pytest.raises(ValueError, match="interval"):
        highest_point(lambda x: x, 1, 0)
