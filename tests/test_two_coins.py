"""Hashrate between two coins: published tables, Kwon's split, conservation, Bitcoin Cash."""

from __future__ import annotations

import csv
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model.chain.branch import Rule, SplitChain
from model.chain.chain import Chain
from model.chain.two_coins import (
    COMPLIANT,
    FREE,
    Behaviour,
    Offer,
    Pair,
    Payment,
    automatic_share,
    better_is_free,
    income,
    mine_two_coins,
    offers,
    split_hash,
    static_share,
)
from model.streams import Streams
from model.units import HALVING_BLOCKS, equilibrium_difficulty

unhurried = settings(deadline=None)

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"
HASHRATE_THS = 82e6
DIFFICULTY = equilibrium_difficulty(HASHRATE_THS)
# An epoch that starts after the last subsidy, so that over-issue brings no halving: the closed
# forms hold the block reward constant.
HEIGHT = 2_016 * 6_667
LOYAL = 0.005


def pair_of(seed, rule, height=HEIGHT, free_difficulty=None):
    streams = Streams(seed)
    parent = Chain(height, DIFFICULTY, streams.key("parent"), mode="event")
    compliant = SplitChain(parent, streams.key("compliant"), Rule.EPOCHS)
    return compliant, SplitChain(parent, streams.key("free"), rule, free_difficulty)


def owners(fickle=0.0, automatic=0.0, loyal_free=LOYAL, coerced=0.0):
    """Hashrate by hour and behaviour; whoever is left is loyal to the compliant coin."""
    by_behaviour = np.zeros(len(Behaviour))
    by_behaviour[Behaviour.FICKLE] = fickle
    by_behaviour[Behaviour.AUTOMATIC] = automatic
    by_behaviour[Behaviour.LOYAL_FREE] = loyal_free
    by_behaviour[Behaviour.COERCED] = coerced
    by_behaviour[Behaviour.LOYAL_COMPLIANT] = 1.0 - by_behaviour.sum()
    return np.tile(HASHRATE_THS * by_behaviour, (24, 1))


def paid(price_ratio, fees_btc=3.0):
    return Payment(1.0, price_ratio, fees_btc, fees_btc)


def follow(seed, rule, price_ratio, hashrate, days=365, temperature=0.02):
    """Daily share of the hashrate on the free coin, its blocks over target, daily incomes."""
    compliant, free = pair_of(seed, rule)
    payment = paid(price_ratio)
    on_free = better_is_free(compliant, free, payment)
    shares, paying = [], []
    for day in range(days):
        found = mine_two_coins(day, compliant, free, hashrate, payment, on_free, temperature)
        on_free = found.fickle_on_free
        shares.append(found.hashrate_ths[FREE].sum() / HASHRATE_THS)
        pair = Pair(compliant.branch, free.branch, on_free)
        paying.append([income(offer) for offer in offers(pair, payment)])
    return np.array(shares), (free.height - HEIGHT) / (144 * days), np.array(paying)


@pytest.mark.parametrize("price_ratio", [0.1, 0.25])
def test_under_bitcoins_rule_the_free_coin_freezes(price_ratio):
    """F8: only loyal miners stay, and the first retarget is 2,800 days away."""
    shares, issued, _ = follow(1, Rule.EPOCHS, price_ratio, owners(fickle=0.5))
    np.testing.assert_allclose(shares, LOYAL, rtol=1e-9)
    assert abs(issued - LOYAL) < 3 * math.sqrt(LOYAL / (365 * 144))
    assert 14 / LOYAL == 2_800


@pytest.mark.parametrize(
    ("rule", "price_ratio", "fickle", "share", "spread", "issued"),
    [
        (Rule.EMERGENCY, 0.1, 0.5, (0.183, 0.008), 0.241, (5.54, 0.16)),
        (Rule.EMERGENCY, 0.25, 0.5, (0.221, 0.006), 0.248, (3.58, 0.10)),
        (Rule.EMERGENCY, 0.1, 0.15, (0.111, 0.002), 0.068, (3.04, 0.10)),
        (Rule.CONTINUOUS, 0.1, 0.5, (0.0867, 0.0003), 0.185, (0.981, 0.001)),
        (Rule.CONTINUOUS, 0.25, 0.5, (0.1863, 0.0019), 0.241, (0.987, 0.001)),
        (Rule.CONTINUOUS, 0.1, 0.15, (0.0866, 0.0008), None, (0.981, 0.001)),
    ],
)
def test_fickle_miners_between_two_coins(rule, price_ratio, fickle, share, spread, issued):
    """F8: share of the hashrate, its spread in time and over-issue, four deviations of a run."""
    runs = [follow(seed, rule, price_ratio, owners(fickle=fickle)) for seed in range(6)]
    mean = np.mean([run[0].mean() for run in runs])
    assert abs(mean - share[0]) < 4 * share[1]
    assert abs(np.mean([run[1] for run in runs]) - issued[0]) < 4 * issued[1]
    if spread is not None:
        # Fickle miners are on the coin or not, all together.
        on = (mean - LOYAL) / fickle
        assert fickle * math.sqrt(on * (1 - on)) == pytest.approx(spread, abs=0.003)


@pytest.mark.parametrize("price_ratio", [0.1, 0.25])
def test_a_continuous_rule_holds_fickle_miners_near_the_static_split(price_ratio):
    """F8: within 7 % once the old difficulty is gone, and within 2 % of the blocks due."""
    runs = [follow(seed, Rule.CONTINUOUS, price_ratio, owners(fickle=0.5)) for seed in range(6)]
    settled = np.mean([run[0][30:].mean() for run in runs])
    assert settled == pytest.approx(static_share(price_ratio), rel=0.07)
    assert np.mean([run[1] for run in runs]) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("price_ratio", [0.03, 0.1, 0.25, 0.5])
def test_many_automatic_miners_make_both_coins_pay_the_same(price_ratio):
    """T-F9 and Kwon's split, x/(1 + x), for a continuous rule."""
    shares, _, paying = follow(1, Rule.CONTINUOUS, price_ratio, owners(automatic=0.99))
    compliant, free = paying[90:].mean(axis=0)
    assert free / compliant == pytest.approx(1.0, abs=0.03)
    assert shares[90:].mean() == pytest.approx(static_share(price_ratio), rel=0.03)


def test_bitcoins_rule_beside_a_continuous_one_swings_the_longer_the_closer_the_values():
    """The difficulty of one epoch drives hashrate to the other coin, and so eases the next."""
    left = {}
    for price_ratio in (0.3, 0.7):
        compliant, free = pair_of(1, Rule.CONTINUOUS)
        seen = []
        for day in range(90):
            found = mine_two_coins(
                day, compliant, free, owners(automatic=0.99), paid(price_ratio), False
            )
            if found.compliant.retargets:
                seen.append(compliant.difficulty / DIFFICULTY - 1 / (1 + price_ratio))
        left[price_ratio] = np.array(seen[:5])
    assert (left[0.7][1:] * left[0.7][:-1] < 0).all()
    assert np.abs(left[0.7]).min() > 2 * np.abs(left[0.3]).max()


@unhurried
@given(
    some.lists(some.floats(0, 1e9), min_size=5, max_size=5),
    some.floats(0, 1e6),
    some.floats(0, 1e6),
    some.floats(1, 1e14),
    some.floats(1, 1e14),
    some.booleans(),
    some.floats(0, 1),
)
def test_hash_is_conserved_and_the_loyal_stay(
    given_ths, one_usd, other_usd, one, other, on_free, temperature
):
    """T-F8."""
    hashrate = np.array(given_ths)
    compliant, free = Offer(one_usd, one), Offer(other_usd, other)
    placed = split_hash(hashrate, compliant, free, on_free, temperature)
    assert (placed >= 0.0).all()
    np.testing.assert_allclose(placed.sum(axis=0), hashrate, rtol=1e-12)
    for stays in (Behaviour.LOYAL_COMPLIANT, Behaviour.COERCED):
        assert placed[COMPLIANT, stays] == hashrate[stays]
    assert placed[FREE, Behaviour.LOYAL_FREE] == hashrate[Behaviour.LOYAL_FREE]
    assert placed[int(on_free), Behaviour.FICKLE] == hashrate[Behaviour.FICKLE]


@pytest.mark.parametrize("rule", list(Rule))
def test_hash_is_conserved_over_a_day_of_blocks(rule):
    compliant, free = pair_of(1, rule)
    hashrate = owners(fickle=0.3, automatic=0.3, coerced=0.2)
    hashrate *= 1 + 0.5 * np.sin(np.arange(24))[:, None]
    for day in range(20):
        found = mine_two_coins(day, compliant, free, hashrate, paid(0.4), False)
        np.testing.assert_allclose(found.hashrate_ths.sum(axis=0), hashrate.mean(axis=0), rtol=1e-9)
        assert found.hashrate_ths[FREE, Behaviour.COERCED] == 0.0


@unhurried
@given(some.floats(1e-3, 1e3), some.floats(0, 1), some.floats(1.0, 3.0))
def test_automatic_miners_go_where_a_hash_earns_more(ratio, temperature, better):
    compliant, free = Offer(1.0, 1.0), Offer(ratio, ratio)
    assert automatic_share(compliant, free, temperature) == pytest.approx(static_share(ratio))
    easier = Offer(ratio, ratio / better)
    share = automatic_share(compliant, easier, temperature)
    assert share >= automatic_share(compliant, free, temperature) - 1e-12
    if better > 1.0:
        assert automatic_share(compliant, easier, 0.0) == 1.0
        assert automatic_share(Offer(1.0, 1.0 / better), free, 0.0) == 0.0


def test_a_coin_that_pays_nothing_has_no_automatic_miners():
    nothing, something = Offer(0.0, 1.0), Offer(1.0, 1.0)
    for temperature in (0.0, 0.02):
        assert automatic_share(something, nothing, temperature) == 0.0
        assert automatic_share(nothing, something, temperature) == 1.0
        assert automatic_share(nothing, nothing, temperature) == 0.0


@pytest.mark.parametrize("rule", list(Rule))
def test_loyal_miners_mine_each_coin_as_if_the_other_were_not_there(rule):
    together, apart = pair_of(3, rule), pair_of(3, rule)
    hashrate = owners(loyal_free=0.3)
    for day in range(30):
        found = mine_two_coins(day, *together, hashrate, paid(0.4), False)
        for coin, blocks, share in zip(apart, found[:2], (0.7, 0.3), strict=True):
            alone = coin.mine(day, np.full(24, share * HASHRATE_THS), 3.0)
            np.testing.assert_allclose(alone.block_times_s, blocks.block_times_s, atol=1e-3)
            assert alone.reward_sat == blocks.reward_sat


def test_fickle_miners_look_up_only_when_a_difficulty_changes():
    compliant, free = pair_of(1, Rule.EPOCHS)
    dear = paid(1.5)
    assert not better_is_free(compliant, free, paid(1.0))
    assert better_is_free(compliant, free, dear)
    found = mine_two_coins(0, compliant, free, owners(fickle=0.5), dear, False)
    assert not found.fickle_on_free
    # A continuous rule changes difficulty at the first block.
    compliant, free = pair_of(1, Rule.CONTINUOUS)
    found = mine_two_coins(0, compliant, free, owners(fickle=0.5, loyal_free=0.1), dear, False)
    assert found.hashrate_ths[FREE, Behaviour.FICKLE] > 0.1 * HASHRATE_THS


def test_over_issue_brings_the_halving_forward():
    compliant, free = pair_of(1, Rule.EMERGENCY, height=HALVING_BLOCKS * 3 - 2_016 * 10)
    payment, on_free = paid(0.25, fees_btc=0.0), False
    for day in range(120):
        found = mine_two_coins(day, compliant, free, owners(fickle=0.5), payment, on_free)
        on_free = found.fickle_on_free
    assert free.subsidy_sat * 2 == compliant.subsidy_sat


def test_the_draws_of_two_coins_depend_on_keys_and_day_alone():
    runs = [follow(7, Rule.CONTINUOUS, 0.25, owners(fickle=0.5), days=5) for _ in range(2)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    other = follow(8, Rule.CONTINUOUS, 0.25, owners(fickle=0.5), days=5)
    assert not np.array_equal(runs[0][0], other[0])


@pytest.mark.parametrize(
    ("hashrate", "payment", "temperature", "says"),
    [
        (np.ones((24, 4)), paid(0.1), 0.02, "shape"),
        (np.full((24, 5), -1.0), paid(0.1), 0.02, "hashrate"),
        (np.full((24, 5), math.nan), paid(0.1), 0.02, "hashrate"),
        (np.ones((24, 5)), paid(math.nan), 0.02, "prices"),
        (np.ones((24, 5)), paid(0.1), -0.1, "temperature"),
    ],
)
def test_a_day_that_makes_no_sense_is_refused(hashrate, payment, temperature, says):
    with pytest.raises(ValueError, match=says):
        mine_two_coins(0, *pair_of(1, Rule.EPOCHS), hashrate, payment, False, temperature)
    with pytest.raises(ValueError, match="ratio"):
        static_share(-1.0)


# Bitcoin Cash, the two coins there were.


def rows(name):
    with (DATA / name).open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def bitcoin_cash():
    """Weeks, price ratio, observed ratio of hashrates, and Bitcoin's fees a block, in BTC."""
    weeks = rows("bch_split_weekly.csv")
    fees = {row["month"]: row["fees_btc_per_day"] for row in rows("fees_monthly.csv")}
    starts = [date.fromisoformat(row["week"]) for row in weeks]
    share = np.array([float(row["hashrate_share"]) for row in weeks])
    a_block = np.array([float(fees[f"{start:%Y-%m}"]) / 144 for start in starts])
    prices = np.array([float(row["price_ratio"]) for row in weeks])
    return starts, prices, share / (1 - share), a_block


def replay(hashrate):
    """Weekly ratio of hashrates that the model gives for the ratio of prices."""
    starts, prices, _, fees = bitcoin_cash()
    # The height is that of 2017-11, one halving before that of 2020-05.
    compliant, free = pair_of(1, Rule.CONTINUOUS, 495_000, DIFFICULTY * static_share(prices[0]))
    on_free, ratios = False, []
    for week in range(len(starts)):
        payment = Payment(1.0, prices[week], fees[week], 0.0)
        work = np.zeros(2)
        for day in range(7 * week, 7 * week + 7):
            found = mine_two_coins(day, compliant, free, hashrate, payment, on_free)
            on_free = found.fickle_on_free
            work += found.hashrate_ths.sum(axis=1)
        ratios.append(work[FREE] / work[COMPLIANT])
    return np.log(prices), np.log(ratios)


def slope_and_correlation(prices, hashrates):
    return np.polyfit(prices, hashrates, 1)[0], np.corrcoef(prices, hashrates)[0, 1]


def test_the_hashrate_of_bitcoin_cash_follows_its_price():
    starts, prices, observed, _ = bitcoin_cash()
    assert starts[0] >= date(2017, 11, 13)
    fact = slope_and_correlation(np.log(prices), np.log(observed))
    assert fact == pytest.approx((0.95, 0.98), abs=0.02)
    logs, modelled = replay(owners(fickle=0.1, automatic=0.4))
    slope, correlation = slope_and_correlation(logs, modelled)
    assert slope == pytest.approx(0.95, abs=0.05)
    assert correlation > 0.95
    assert np.abs(modelled - np.log(observed)).mean() < 0.12


def test_too_few_miners_who_switch_could_not_follow_it():
    slope, _ = slope_and_correlation(*replay(owners(automatic=0.05)))
    assert slope < 0.6
