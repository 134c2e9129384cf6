"""Who complies: the published tables, the tipping, and what must hold of a best reply."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from model.chain.censorship import Shares, believed_patience, orphan_rates
from model.chain.compliance import (
    Choice,
    Directive,
    EnforcingEstimate,
    comply,
    ideology,
    shares_by_choice,
)
from model.chain.patience import Patience

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None)

NEVER = Patience("inf")
OUTSIDERS = 4_000
# Share of the hashrate that does not include, the coerced counted, by lag and coerced share: from
# a network that includes, and from one that filters.
COMPLIANT = {
    (6, 0.10): (0.362, 0.362),
    (6, 0.20): (0.494, 0.494),
    (6, 0.25): (0.599, 0.599),
    (6, 0.30): (0.9992, 0.9992),
    (144, 0.10): (0.348, 0.348),
    (144, 0.20): (0.422, 0.422),
    (144, 0.25): (0.460, 0.460),
    (144, 0.30): (0.498, 0.498),
    (144, 0.35): (0.537, 1.0),
    (144, 0.40): (0.576, 1.0),
    (144, 0.45): (0.616, 1.0),
}


def lag(blocks):
    return Patience("lag", blocks)


def codes(*values):
    return np.array(values, dtype=np.int8)


def settled(*columns, previous, **terms):
    """Call at retarget after retarget until nobody moves any more."""
    for _ in range(1_000):
        reply = comply(*columns, previous, **terms)
        if reply.settled:
            return reply
        previous = reply.choice
    raise AssertionError("no rest in a thousand retargets")


def network(coerced, blocks, start):
    """Outsiders at the quantiles of ideology beside one coerced controller."""
    middles = (np.arange(OUTSIDERS) + 0.5) / OUTSIDERS
    columns = (
        np.append(np.full(OUTSIDERS, (1.0 - coerced) / OUTSIDERS), coerced),
        np.append(stats.norm(0.02, 0.05).ppf(middles), 0.0),
        np.append(np.zeros(OUTSIDERS, np.int8), codes(Directive.ENFORCE)),
        np.ones(OUTSIDERS + 1),
    )
    previous = np.append(np.full(OUTSIDERS, start, np.int8), codes(Choice.ENFORCE))
    terms = {"enforcing_believed": coerced, "patience": lag(blocks), "premium": 0.01}
    return columns, previous, terms


def compliant(coerced, blocks, start):
    """Share that does not include, once the network has come to rest."""
    columns, previous, terms = network(coerced, blocks, start)
    return 1.0 - settled(*columns, previous=previous, **terms).shares.including


@pytest.mark.parametrize(("blocks", "coerced"), COMPLIANT)
def test_share_that_does_not_include(blocks, coerced):
    including, filtering = COMPLIANT[blocks, coerced]
    # Half a unit of the last digit, and the hashrate of one outsider either way.
    near = (0.5e-4 if including > 0.99 else 0.5e-3) + 1.0 / OUTSIDERS
    assert compliant(coerced, blocks, Choice.INCLUDE) == pytest.approx(including, abs=near)
    assert compliant(coerced, blocks, Choice.FILTER) == pytest.approx(filtering, abs=near)


@pytest.mark.parametrize(("start", "oracle"), [(Choice.INCLUDE, 0.290), (Choice.FILTER, 0.281)])
def test_coerced_share_from_which_nearly_all_filter(start, oracle):
    assert compliant(oracle - 0.5e-3, 6, start) < 0.99 < compliant(oracle + 0.5e-3, 6, start)


@pytest.mark.parametrize("blocks", [6, 144])
def test_at_one_quarter_outsiders_go_on_including(blocks):
    columns, previous, terms = network(0.25, blocks, Choice.INCLUDE)
    reply = comply(*columns, previous, **terms)
    assert reply.settled
    assert reply.shares.including / 0.75 > 0.5
    assert reply.shares.enforcing == pytest.approx(0.25, abs=1e-12)


def outsiders(values, **terms):
    """Controllers of equal hashrate whom no directive binds, all including before."""
    values = np.asarray(values, dtype=np.float64)
    terms = {"previous": np.zeros(values.size, np.int8), "patience": NEVER} | terms
    return comply(
        np.ones(values.size),
        values,
        np.zeros(values.size, np.int8),
        np.zeros(values.size),
        terms.pop("previous"),
        **terms,
    )


@pytest.mark.parametrize("enforcing", [0.501, 0.55, 0.75])
def test_a_majority_that_never_gives_up_makes_all_comply_at_once(enforcing):
    values = [-0.1, 0.0, 0.02, 0.5, 0.999, 1.001, math.inf]
    reply = outsiders(values, enforcing_believed=enforcing)
    # Who holds including dearer than a whole block goes on; nobody else can.
    assert (reply.choice[:5] == Choice.ENFORCE).all()
    assert (reply.choice[5:] == Choice.INCLUDE).all()


@pytest.mark.parametrize(("blocks", "tip"), [(6, 0.4772), (24, 0.4878), (144, 0.4975)])
def test_above_the_tipping_share_outsiders_enforce(blocks, tip):
    values = np.linspace(-0.1, 0.1, 21)
    below = outsiders(values, enforcing_believed=tip - 0.002, patience=lag(blocks))
    above = outsiders(values, enforcing_believed=tip + 0.002, patience=lag(blocks))
    assert not (below.choice == Choice.ENFORCE).any()
    assert (above.choice == Choice.ENFORCE).all()


def test_below_the_tipping_share_patience_without_end_is_believed_to_last_a_day():
    values = np.linspace(-0.1, 0.1, 21)
    for enforcing in (0.3, 0.49, 0.499):
        endless = outsiders(values, enforcing_believed=enforcing)
        day = outsiders(values, enforcing_believed=enforcing, patience=lag(144))
        np.testing.assert_array_equal(endless.choice, day.choice)


def test_a_directive_binds_as_far_as_disobedience_is_found_out():
    directive = codes(0, 1, 2, 2, 2, 1)
    detection = np.array([1.0, 1.0, 1.0, 0.0, 0.5, 0.0])
    reply = comply(
        np.ones(6),
        np.full(6, 0.05),
        directive,
        detection,
        np.zeros(6, np.int8),
        enforcing_believed=0.2,
        patience=lag(6),
    )
    expected = [0, 1, 2, 0, 2, 0]
    np.testing.assert_array_equal(reply.choice, expected)
    assert reply.shares == pytest.approx(Shares(2 / 6, 1 / 6, 3 / 6))


def test_a_small_fine_is_not_worth_what_enforcers_lose():
    # One controller is told to enforce beside others who include whatever it costs.
    for fine, choice in ((0.1, Choice.FILTER), (1.0, Choice.ENFORCE)):
        reply = comply(
            np.array([1.0, 3.0]),
            np.array([-0.1, math.inf]),
            codes(Directive.ENFORCE, Directive.NONE),
            np.ones(2),
            np.zeros(2, np.int8),
            enforcing_believed=0.25,
            patience=lag(6),
            fine=fine,
        )
        assert reply.choice[0] == choice


def test_who_is_hard_to_catch_flouts_the_law():
    flouting = []
    for detection in (0.0, 0.001, 0.002, 0.005, 0.05, 1.0):
        reply = comply(
            np.ones(500),
            ideology((np.arange(500) + 0.5) / 500),
            np.full(500, Directive.FILTER, np.int8),
            np.full(500, detection),
            np.zeros(500, np.int8),
            enforcing_believed=0.1,
            patience=lag(6),
        )
        flouting.append(reply.shares.including)
    assert (np.diff(flouting) <= 0.0).all()
    assert flouting[0] > 0.5 > flouting[2] > flouting[-1] == 0.0


def test_ties_keep_the_choice():
    # Where nobody includes there are no races, and filterers and enforcers earn the same.
    for choice in (Choice.FILTER, Choice.ENFORCE):
        previous = np.full(9, choice, np.int8)
        reply = outsiders(np.full(9, -0.5), enforcing_believed=0.3, previous=previous)
        np.testing.assert_array_equal(reply.choice, previous)
        assert (reply.settled, reply.sweeps) == (True, 1)
    indifferent = outsiders([0.0], enforcing_believed=0.0, premium=0.0, previous=codes(1))
    assert indifferent.choice[0] == Choice.FILTER


controllers = st.integers(1, 2**32 - 1)
beliefs = st.floats(0.0, 1.0)
lags = st.one_of(st.just(NEVER), st.builds(lag, st.integers(1, 144)))


def drawn(seed, rows=60):
    draw = np.random.default_rng(seed)
    return (
        draw.pareto(1.2, rows) + 0.01,
        ideology(draw.random(rows)),
        draw.integers(0, 3, rows).astype(np.int8),
        draw.choice([0.0, 0.05, 0.5, 1.0], rows),
        draw.integers(0, 3, rows).astype(np.int8),
    )


@unhurried
@given(controllers, beliefs, lags, st.floats(0.0, 0.2), st.sampled_from([0.0, 0.02, 1.0, 50.0]))
def test_a_settled_choice_is_a_best_reply(seed, enforcing, patience, premium, fine):
    hashrate, value, directive, detection, previous = drawn(seed)
    terms = {"enforcing_believed": enforcing, "patience": patience}
    reply = comply(
        hashrate, value, directive, detection, previous, premium=premium, fine=fine, **terms
    )
    assert reply.sweeps <= 20
    assert reply.shares == pytest.approx(shares_by_choice(reply.choice, hashrate))
    assert sum(reply.shares) == pytest.approx(1.0)
    if not reply.settled:
        return
    including = min(reply.shares.including, 1.0 - enforcing)
    seen = Shares(enforcing, 1.0 - enforcing - including, including)
    rates = orphan_rates(seen, believed_patience(patience, enforcing))
    cost = detection * fine
    payoffs = np.stack(
        [
            (1 - rates.including) * (1 + premium) + value - cost * (directive >= 1),
            1 - rates.filtering - cost * (directive == 2),
            np.full(len(cost), 1 - rates.enforcing),
        ]
    )
    chosen = payoffs[reply.choice, np.arange(len(cost))]
    assert (chosen >= payoffs.max(axis=0) - 1e-9).all()
    again = comply(
        hashrate, value, directive, detection, reply.choice, premium=premium, fine=fine, **terms
    )
    np.testing.assert_array_equal(again.choice, reply.choice)


@unhurried
@given(controllers, beliefs, lags)
def test_neither_the_order_nor_the_unit_of_controllers_matters(seed, enforcing, patience):
    columns = drawn(seed)
    # Dyadic hashrates, so that their sums are exact in any order.
    columns = (np.ceil(columns[0]), *columns[1:])
    terms = {"enforcing_believed": enforcing, "patience": patience}
    order = np.random.default_rng(seed).permutation(len(columns[0]))
    reply = comply(*columns, **terms)
    permuted = comply(*(column[order] for column in columns), **terms)
    np.testing.assert_array_equal(permuted.choice, reply.choice[order])
    scaled = comply(4.0 * columns[0], *columns[1:], **terms)
    np.testing.assert_array_equal(scaled.choice, reply.choice)


@unhurried
@given(controllers, st.floats(0.0, 0.47), st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_a_higher_premium_never_makes_fewer_include(seed, enforcing, one, other):
    columns = drawn(seed)
    start = {"previous": np.zeros(60, np.int8), "patience": lag(6)}
    low, high = (
        settled(*columns[:4], premium=premium, enforcing_believed=enforcing, **start)
        for premium in sorted((one, other))
    )
    assert high.shares.including >= low.shares.including


@unhurried
@given(controllers, st.floats(0.0, 0.47))
def test_from_an_including_network_the_shares_move_one_way(seed, enforcing):
    columns, choice = drawn(seed)[:4], np.zeros(60, np.int8)
    including = 1.0
    for _ in range(6):
        reply = comply(*columns, choice, enforcing_believed=enforcing, patience=lag(6))
        assert reply.shares.including <= including + 1e-12
        including, choice = reply.shares.including, reply.choice


def test_believed_enforcers_cannot_be_seen_including():
    # Four fifths include, whatever is believed; where half is believed to enforce, half can.
    enforcing, patience = 0.5, lag(2)
    needs = []
    for including in (0.5, 0.8):
        rates = orphan_rates(Shares(enforcing, 0.0, including), patience)
        needs.append(1.0 - min(rates[:2]) - (1.0 - rates.including))
    between = sum(needs) / 2
    assert abs(needs[0] - needs[1]) > 0.005
    reply = comply(
        np.array([4.0, 1e-6, 1.0]),
        np.array([math.inf, between, -math.inf]),
        codes(0, 0, 0),
        np.zeros(3),
        codes(0, 0, 1),
        enforcing_believed=enforcing,
        patience=patience,
        premium=0.0,
    )
    assert (reply.choice[1] == Choice.INCLUDE) == (needs[0] < between)


def test_where_includers_crowd_each_other_out_the_share_stays_where_it_turns():
    premium, offending, enforcing, rows = 0.1, 0.35, 0.62, 2_000
    values = ideology((np.arange(rows) + 0.5) / rows, mean=0.25, spread=0.01)

    def surplus(including):
        """How much more of the hashrate would include than does."""
        seen = Shares(enforcing, 1.0 - enforcing - including, including)
        rates = orphan_rates(seen, lag(6), offending)
        need = 1.0 - min(rates.enforcing, rates.filtering) - (1 - rates.including) * (1 + premium)
        return (values > need).mean() - including

    turn = optimize.brentq(surplus, 0.0, 1.0 - enforcing, xtol=1e-9)
    assert surplus(turn - 0.01) > 0.01 > -0.01 > surplus(turn + 0.01)
    choice = np.zeros(rows, np.int8)
    for _ in range(5):
        reply = outsiders(
            values,
            previous=choice,
            enforcing_believed=enforcing,
            patience=lag(6),
            premium=premium,
            offending=offending,
        )
        choice = reply.choice
        assert reply.shares.including == pytest.approx(turn, abs=2 / rows)


def test_a_slow_approach_goes_on_at_the_next_retarget():
    columns, choice, terms = network(0.291, 6, Choice.INCLUDE)
    including = []
    for _ in range(4):
        reply = comply(*columns, choice, **terms)
        assert (reply.settled, reply.sweeps) == (False, 20)
        choice = reply.choice
        including.append(reply.shares.including)
    assert (np.diff(including) < 0.0).all()
    assert including[0] > 0.2 > 0.01 > including[-1]


def test_choices_do_not_touch_what_they_were_given():
    columns = drawn(3)
    before = [column.copy() for column in columns]
    first = comply(*columns, enforcing_believed=0.3, patience=lag(6))
    for column, copy in zip(columns, before, strict=True):
        np.testing.assert_array_equal(column, copy)
    second = comply(*columns, enforcing_believed=0.3, patience=lag(6))
    np.testing.assert_array_equal(first.choice, second.choice)


def test_a_few_thousand_controllers_take_less_than_five_milliseconds():
    columns = drawn(4, rows=4_000)
    comply(*columns, enforcing_believed=0.3, patience=lag(144))
    lengths = []
    for _ in range(5):
        start = time.perf_counter()
        comply(*columns, enforcing_believed=0.29, patience=lag(144))
        lengths.append(time.perf_counter() - start)
    assert min(lengths) < 5e-3


def test_ideology_is_a_normal_cut_off_below():
    draws = np.random.default_rng(7).random(200_000)
    values = ideology(draws)
    expected = stats.truncnorm(-2.4, math.inf, loc=0.02, scale=0.05)
    error = expected.std() / math.sqrt(draws.size)
    assert abs(values.mean() - expected.mean()) < 3 * error
    assert values.min() >= -0.1
    np.testing.assert_allclose(values[:50], expected.ppf(draws[:50]), atol=1e-9)
    np.testing.assert_array_equal(ideology(draws[:3], mean=0.4, spread=0.0), np.full(3, 0.4))
    assert ideology(np.zeros(1))[0] == pytest.approx(-0.1)


def test_the_estimate_starts_at_the_announcement_and_learns_from_races():
    announced = EnforcingEstimate.announced(0.4, noise=-1.0, weight=50.0)
    assert announced.share == pytest.approx(0.36)
    assert EnforcingEstimate.announced(0.95, noise=3.0, weight=50.0).share == 1.0
    seen = announced.after_races(enforcers=30, others=20)
    assert seen.share == pytest.approx((0.36 * 50 + 30) / 100)
    step_by_step = announced.after_races(10, 15).after_races(20, 5)
    assert step_by_step == pytest.approx(seen)
    assert announced.after_races(0, 0) == announced


def test_the_estimate_comes_to_the_true_share():
    truth, blocks = 0.3, 20_000
    estimate = EnforcingEstimate.announced(0.5, noise=0.0, weight=20.0)
    enforcers = int(np.random.default_rng(9).binomial(blocks, truth))
    learned = estimate.after_races(enforcers, blocks - enforcers).share
    bias = 20.0 * (0.5 - truth) / (blocks + 20.0)
    assert abs(learned - truth - bias) < 3 * math.sqrt(truth * (1 - truth) / blocks)


def test_announcements_scatter_by_a_tenth():
    noise = np.random.default_rng(10).standard_normal(4_000)
    shares = [EnforcingEstimate.announced(0.4, draw, 50.0).share for draw in noise]
    assert abs(np.mean(shares) - 0.4) < 3 * 0.04 / math.sqrt(4_000)
    assert np.std(shares) == pytest.approx(0.04, rel=3 / math.sqrt(2 * 4_000))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hashrate": np.zeros(2)}, "some hashrate"),
        ({"hashrate": np.array([1.0, -1.0])}, "some hashrate"),
        ({"value": np.array([math.nan, 0.0])}, "must be a number"),
        ({"detection": np.array([0.0, 1.5])}, "lie in"),
        ({"directive": codes(0, 3)}, "codes 0, 1 and 2"),
        ({"previous": codes(-1, 0)}, "codes 0, 1 and 2"),
        ({"previous": codes(0)}, "one of each"),
        ({"enforcing_believed": 1.1}, "between 0 and 1"),
        ({"premium": -0.1}, "not negative"),
        ({"fine": math.inf}, "not negative"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    arguments = {
        "hashrate": np.ones(2),
        "value": np.zeros(2),
        "directive": codes(0, 0),
        "detection": np.ones(2),
        "previous": codes(0, 0),
        "enforcing_believed": 0.2,
        "patience": NEVER,
    } | changes
    columns = [
        arguments.pop(name) for name in ("hashrate", "value", "directive", "detection", "previous")
    ]
    with pytest.raises(ValueError, match=message):
        comply(*columns, **arguments)


@pytest.mark.parametrize(("coerced", "weight"), [(1.2, 10.0), (0.5, 0.0), (math.nan, 1.0)])
def test_bad_announcements_are_refused(coerced, weight):
    with pytest.raises(ValueError, match="no announcement"):
        EnforcingEstimate.announced(coerced, 0.0, weight)
    with pytest.raises(ValueError, match="no race"):
        EnforcingEstimate(1.0, 1.0).after_races(-1, 0)
