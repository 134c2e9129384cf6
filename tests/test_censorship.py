"""What three parts of the hashrate lose by censorship: tables, laws, and a chain block by block."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from model.chain.censorship import (
    OrphanRates,
    Shares,
    believed_patience,
    bribes,
    enforcing_subsidy_btc_day,
    offence_chance,
    orphan_rates,
    premium_needed,
    shares_of,
    steady_state,
    tipping_share,
)
from model.chain.patience import CONFIRMATIONS, LAG, Patience, parse_patience
from model.chain.race import race
from model.streams import Streams, uniform

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None)

NEVER = Patience("inf")
# Subsidy of the fifth epoch and usual transaction fees, in coins.
REWARD_BTC = 3.125 + 0.03
PRICE_USD = 83_000

# With nobody filtering and every includer's block an offence: enforcing share, lag, share of the
# includers' and of the enforcers' blocks orphaned, includers' share of the main chain, main-chain
# blocks per block found.
STEADY = [
    (0.25, 2, 0.044, 0.297, 0.803, 0.893),
    (0.25, 6, 0.0296, 0.7295, 0.9150, 0.7954),
    (0.40, 6, 0.188, 0.500, 0.709, 0.687),
    (0.45, 6, 0.313, 0.372, 0.572, 0.661),
    (0.45, 100, 0.039, 0.942, 0.953, 0.555),
    (0.50, 6, 0.476, 0.238, 0.407, 0.643),
    (0.55, 6, 0.650, 0.127, 0.247, 0.638),
    (0.60, 6, 0.798, 0.055, 0.125, 0.648),
    (0.75, 6, 0.985, 0.001, 0.005, 0.753),
]
# Enforcing and including share, lag, chance that an includer's block offends, orphan rates of
# enforcers, filterers and includers.
THREE_PARTS = [
    (0.25, 0.50, 6, 1.00, 0.683, 0.0136, 0.0348),
    (0.40, 0.30, 6, 0.75, 0.408, 0.108, 0.198),
    (0.60, 0.20, 100, 1.00, 0.0, 0.667, 1.0),
    (0.45, 0.20, 144, 1.00, 0.954, 0.024, 0.031),
    (0.50, 0.20, 144, 1.00, 0.325, 0.644, 0.661),
    (0.55, 0.20, 144, 1.00, 0.0, 0.80, 1.0),
    (0.60, 0.20, 144, 1.00, 0.0, 0.667, 1.0),
]
TIPPING = {2: 0.570, 3: 0.500, 4: 0.484, 6: 0.4772, 7: 0.4771, 10: 0.479, 24: 0.4878, 144: 0.4975}
# Premium from which a lone includer gains, by enforcing share and patience.
RARE = {
    0.10: {"conf:1": 0.0101, "lag:6": 0.0125},
    0.20: {"conf:1": 0.0417, "lag:6": 0.0666},
    0.25: {"conf:1": 0.0667, "lag:6": 0.1245},
    0.30: {"conf:1": 0.0989, "lag:6": 0.2217},
    0.40: {"conf:1": 0.1905, "lag:6": 0.6947},
    0.45: {"conf:1": 0.2539, "lag:6": 1.2825},
    0.50: {"conf:1": 0.3333, "lag:6": 2.5},
}

parts = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(
    lambda cut: Shares(min(cut), max(cut) - min(cut), 1.0 - max(cut))
)
patiences = st.one_of(
    st.builds(Patience, st.just("lag"), st.integers(1, 144)),
    st.builds(Patience, st.just("confirmations"), st.integers(1, 20)),
)
chances = st.floats(0.0, 1.0)


def lag(blocks):
    return Patience("lag", blocks)


def three_parts(enforcing, including):
    return Shares(enforcing, 1.0 - enforcing - including, including)


@pytest.mark.parametrize(("enforcing", "blocks", "lost", "wasted", "share", "main"), STEADY)
def test_steady_state_of_endless_offences(enforcing, blocks, lost, wasted, share, main):
    state = steady_state(shares_of(enforcing), lag(blocks))
    found = [
        state.orphaned.including,
        state.orphaned.enforcing,
        state.main_chain.including,
        state.main_chain_blocks,
    ]
    np.testing.assert_allclose(found, [lost, wasted, share, main], rtol=0, atol=0.51e-3)


@pytest.mark.parametrize("enforcing", [0.51, 0.6, 0.75, 0.9])
def test_a_majority_that_never_gives_up_leaves_the_others_nothing(enforcing):
    state = steady_state(shares_of(enforcing), NEVER)
    assert state.orphaned.including == pytest.approx(1.0, abs=1e-12)
    assert state.orphaned.enforcing == 0.0
    assert state.main_chain.including == pytest.approx(0.0, abs=1e-12)
    # All rewards after the retarget: a gain by the reciprocal of their share.
    assert state.main_chain.enforcing == pytest.approx(1.0, abs=1e-12)
    assert state.main_chain_blocks == pytest.approx(enforcing, rel=1e-12)


def test_below_one_half_offending_blocks_fill_the_main_chain():
    for blocks, share in ((2, 0.803), (6, 0.915)):
        state = steady_state(shares_of(0.25), lag(blocks))
        assert state.main_chain.including == pytest.approx(share, abs=0.51e-3)
    assert state.main_chain.enforcing == pytest.approx(0.085, abs=0.51e-3)


def test_what_a_nation_pays_to_keep_enforcers_enforcing():
    quarter = shares_of(0.25)
    after = enforcing_subsidy_btc_day(quarter, lag(6), REWARD_BTC, retargeted=True)
    before = enforcing_subsidy_btc_day(quarter, lag(6), REWARD_BTC, retargeted=False)
    assert after == pytest.approx(75, abs=0.5)
    assert before == pytest.approx(82.9, abs=0.05)
    assert after * PRICE_USD == pytest.approx(6.2e6, abs=0.05e6)
    assert after * PRICE_USD * 365.25 == pytest.approx(2.3e9, abs=0.05e9)
    majority = shares_of(0.6)
    assert enforcing_subsidy_btc_day(majority, NEVER, REWARD_BTC, retargeted=True) == 0.0


@pytest.mark.parametrize(
    ("enforcing", "including", "blocks", "offending", "wasted", "filtered", "lost"), THREE_PARTS
)
def test_orphan_rates_of_three_parts(
    enforcing, including, blocks, offending, wasted, filtered, lost
):
    rates = orphan_rates(three_parts(enforcing, including), lag(blocks), offending)
    np.testing.assert_allclose(rates, [wasted, filtered, lost], rtol=0, atol=0.51e-3)


@pytest.mark.parametrize("blocks", TIPPING)
def test_enforcing_share_that_tips_the_others(blocks):
    tip = tipping_share(lag(blocks))
    assert tip == pytest.approx(TIPPING[blocks], abs=0.002)
    for including, offending in ((0.01, 1.0), (0.3, 0.5), (0.5, 0.01)):
        below = orphan_rates(three_parts(tip - 1e-3, including), lag(blocks), offending)
        above = orphan_rates(three_parts(tip + 1e-3, including), lag(blocks), offending)
        assert below.enforcing > below.filtering
        assert above.enforcing < above.filtering


def test_the_lowest_tipping_share():
    assert min(range(2, 40), key=lambda blocks: tipping_share(lag(blocks))) == 7
    assert tipping_share(NEVER) == 0.5
    assert tipping_share(lag(6), "tie_join") < tipping_share(lag(6))
    for never_races in (lag(1), Patience("confirmations", 1)):
        with pytest.raises(ValueError, match="impatient"):
            tipping_share(never_races)


@pytest.mark.parametrize("enforcing", RARE)
def test_premium_of_a_lone_offence(enforcing):
    for rule, oracle in RARE[enforcing].items():
        nobody = shares_of(enforcing, 1.0 - enforcing)
        rates = orphan_rates(nobody, parse_patience(rule))
        assert premium_needed(rates) == pytest.approx(oracle, abs=0.51e-4)
        won = race(enforcing, parse_patience(rule)).won
        assert premium_needed(rates, 0.02) == pytest.approx(0.98 / (1.0 - won) - 1.0, rel=1e-6)


def test_premium_where_includers_protect_each_other():
    for including, oracle, near in ((0.75, 0.0156, 1e-4), (0.3, 0.033, 5e-4), (0.1, 0.064, 5e-4)):
        rates = orphan_rates(three_parts(0.25, including), lag(6))
        assert premium_needed(rates) == pytest.approx(oracle, abs=near)
    alone = orphan_rates(three_parts(0.25, 0.0), lag(6))
    assert premium_needed(alone) == pytest.approx(0.1245, abs=0.51e-4)
    assert premium_needed(orphan_rates(three_parts(0.25, 0.001), lag(6))) == pytest.approx(
        0.123, abs=0.51e-3
    )
    assert premium_needed(OrphanRates(0.0, 0.5, 1.0)) == math.inf


def test_bribes_and_the_longer_purse():
    quarter = shares_of(0.25)
    paid = bribes(quarter, lag(6), REWARD_BTC, nation_budget_btc=0.6, users_budget_btc=0.5)
    assert paid.users_btc == pytest.approx(0.1245 * REWARD_BTC, rel=1e-3)
    assert paid.nation_btc * 144 == pytest.approx(
        enforcing_subsidy_btc_day(quarter, lag(6), REWARD_BTC, retargeted=True), rel=1e-12
    )
    assert paid.sustained
    for nation, users in ((0.5, 0.5), (0.4, 0.5)):
        assert not bribes(
            quarter, lag(6), REWARD_BTC, nation_budget_btc=nation, users_budget_btc=users
        ).sustained
    free = bribes(shares_of(0.6), NEVER, REWARD_BTC, nation_budget_btc=0.0, users_budget_btc=0.0)
    assert (free.users_btc, free.nation_btc) == (math.inf, 0.0)


def test_patience_that_miners_reckon_with():
    assert believed_patience(NEVER, 0.5) == lag(144)
    assert believed_patience(NEVER, 0.51) == NEVER
    assert believed_patience(lag(6), 0.9) == lag(6)
    assert believed_patience(lag(4_000), 0.9) == lag(144)
    assert believed_patience(Patience("confirmations", 2), 0.1) == Patience("confirmations", 2)
    with pytest.raises(ValueError, match="no steady state"):
        orphan_rates(shares_of(0.5), NEVER)


@unhurried
@given(parts, patiences, chances)
def test_orphan_rates_are_shares_and_includers_lose_most(shares, patience, offending):
    rates = orphan_rates(shares, patience, offending)
    assert all(0.0 <= rate <= 1.0 for rate in rates)
    assert rates.including >= rates.filtering
    state = steady_state(shares, patience, offending)
    assert sum(state.main_chain) == pytest.approx(1.0, abs=1e-9)
    lost = sum(share * rate for share, rate in zip(shares, rates, strict=True))
    assert state.main_chain_blocks == pytest.approx(1.0 - lost, abs=1e-9)
    # Of the two branches of a race one is orphaned, so the main chain has at least half.
    assert state.main_chain_blocks >= 0.5 - 1e-9


@unhurried
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.98), patiences, chances, chances)
def test_more_offences_orphan_more_of_all_but_includers(enforcing, cut, patience, one, other):
    shares = three_parts(enforcing, cut * (1.0 - enforcing))
    few, many = sorted((one, other))
    less, more = orphan_rates(shares, patience, few), orphan_rates(shares, patience, many)
    assert more.enforcing >= less.enforcing - 1e-12
    assert more.filtering >= less.filtering - 1e-12
    assert orphan_rates(shares, patience, 0.0) == (0.0, 0.0, 0.0)


@unhurried
@given(st.floats(0.05, 0.95), patiences)
def test_a_part_that_nobody_has_is_a_limit(including, patience):
    for whole, nearly in (
        (Shares(0.0, 1 - including, including), Shares(1e-6, 1 - including - 1e-6, including)),
        (shares_of(1.0), Shares(1.0 - 2e-6, 1e-6, 1e-6)),
        (shares_of(including, 1 - including), Shares(including, 1 - including - 1e-7, 1e-7)),
    ):
        np.testing.assert_allclose(
            orphan_rates(whole, patience), orphan_rates(nearly, patience), atol=0.005
        )


def test_shares_and_chances_are_checked():
    assert shares_of(0.25, 0.25) == Shares(0.25, 0.25, 0.5)
    for enforcing, filtering in ((-0.1, 0.0), (0.6, 0.5), (math.nan, 0.0)):
        with pytest.raises(ValueError, match="no hashrate has"):
            shares_of(enforcing, filtering)
    with pytest.raises(ValueError, match="a chance lies"):
        orphan_rates(shares_of(0.2), lag(6), 1.5)
    with pytest.raises(ValueError, match="no chance"):
        offence_chance(0.0, 0.0)


@njit(cache=True)
def walked_waits(arrivals_block, including, key, blocks):
    """How many of the includers' blocks hold a forbidden transaction, event by event."""
    pending = offences = found = draw = 0
    while found < blocks:
        # The next event is a transaction or a block, whichever process is quicker.
        if uniform(key, 0, 0, draw) < arrivals_block / (arrivals_block + 1.0):
            pending += 1
        elif uniform(key, 0, 1, draw) < including:
            found += 1
            offences += pending > 0
            pending = 0
        draw += 1
    return offences / found


@pytest.mark.parametrize("including", [1.0, 0.3, 0.05])
def test_chance_that_an_includers_block_offends(including):
    blocks, expected = 200_000, offence_chance(200, including)
    found = walked_waits(200 / 144, including, Streams(5).key("waits"), blocks)
    assert abs(found - expected) < 3 * math.sqrt(expected * (1 - expected) / blocks)
    # Were blocks found every ten minutes sharp, more of them would hold one.
    assert expected < 1.0 - math.exp(-200 / 144 / including)


def test_chance_that_an_includers_block_offends_rises_to_one():
    assert 1.0 - math.exp(-200 / 144) == pytest.approx(0.75, abs=0.51e-2)
    assert offence_chance(200, 1.0) == pytest.approx(0.581, abs=0.51e-3)
    assert offence_chance(200, 0.014) == pytest.approx(0.99, abs=0.51e-3)
    assert offence_chance(200, 0.0) == 1.0
    assert offence_chance(1e6, 1.0) > 0.999


ENFORCER, FILTERER, INCLUDER = 0, 1, 2


@njit(cache=True)
def walked_chain(enforcing, filtering, code, blocks, joining, offending, key, cycles):
    """Blocks found and orphaned by each part, from one race's end to the next one's."""
    found, orphaned = np.zeros((cycles, 3)), np.zeros((cycles, 3))
    heaviest, refused = np.zeros(3), np.zeros(3)
    for cycle in range(cycles):
        heaviest[:], refused[:] = 0.0, 0.0
        racing, running, draw = False, True, 0
        while running:
            toss = uniform(key, 0, cycle, draw)
            who = ENFORCER if toss < enforcing else INCLUDER
            if enforcing <= toss < enforcing + filtering:
                who = FILTERER
            found[cycle, who] += 1
            if not racing:
                racing = who == INCLUDER and uniform(key, 1, cycle, draw) < offending
                if racing:
                    refused[who] += 1
            elif who == ENFORCER:
                heaviest[who] += 1
            else:
                refused[who] += 1
            draw += 1
            if racing:
                behind, confirmations = refused.sum() - heaviest.sum(), refused.sum() - 1
                if behind < joining:
                    orphaned[cycle] = refused
                    running = False
                elif (code == LAG and behind >= blocks) or (
                    code == CONFIRMATIONS and confirmations >= blocks
                ):
                    orphaned[cycle] = heaviest
                    running = False
    return found, orphaned


def ratio_and_error(part, whole):
    """Ratio of two sums over independent cycles, and its standard error."""
    ratio = part.sum() / whole.sum()
    spread = np.sqrt(((part - ratio * whole) ** 2).sum())
    return ratio, spread / whole.sum()


@pytest.mark.parametrize(
    ("enforcing", "including", "rule", "offending", "tip"),
    [(s, i, f"lag:{z}", p, "heaviest") for s, i, z, p, *_ in THREE_PARTS]
    + [(s, 1.0 - s, f"lag:{z}", 1.0, "heaviest") for s, z, *_ in STEADY]
    + [
        (0.30, 0.40, "conf:1", 0.75, "heaviest"),
        (0.45, 0.20, "conf:6", 1.0, "heaviest"),
        (0.60, 0.30, "inf", 1.0, "heaviest"),
        (0.35, 0.40, "lag:6", 0.9, "tie_join"),
        (0.45, 0.25, "conf:6", 0.9, "tie_join"),
        (0.60, 0.30, "inf", 0.9, "tie_join"),
    ],
)
def test_a_chain_walked_block_by_block(enforcing, including, rule, offending, tip):
    shares, patience = three_parts(enforcing, including), parse_patience(rule)
    key = Streams(21).key(f"{shares} {rule}")
    joining = 1 if tip == "tie_join" else 0
    found, orphaned = walked_chain(
        *shares[:2], patience.code, patience.blocks, joining, offending, key, 20_000
    )
    rates = orphan_rates(shares, patience, offending, tip)
    for part in (ENFORCER, FILTERER, INCLUDER):
        if shares[part] > 1e-9:
            ratio, error = ratio_and_error(orphaned[:, part], found[:, part])
            assert abs(ratio - rates[part]) <= 3 * error + 1e-9
    kept = found - orphaned
    state = steady_state(shares, patience, offending, tip)
    for part, whole, expected in (
        (kept[:, INCLUDER], kept.sum(axis=1), state.main_chain.including),
        (kept.sum(axis=1), found.sum(axis=1), state.main_chain_blocks),
    ):
        ratio, error = ratio_and_error(part, whole)
        assert abs(ratio - expected) <= 3 * error + 1e-9
