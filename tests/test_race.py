"""The race of two branches: published tables, identities, and a walk block by block."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numba import njit

from model.chain.patience import CONFIRMATIONS, LAG, Patience, gives_up, parse_patience
from model.chain.race import (
    double_spend_chance,
    inclusion_blocks,
    offences_undone,
    race,
    reorg_chance,
    split_chance,
)
from model.streams import Streams, uniform

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None)

NEVER = Patience("inf")


def read(table):
    """Columns of a table by their heads, each a dictionary by enforcing share."""
    head, *rows = (line.split() for line in table.strip().splitlines())
    return {
        rule: {float(row[0]): float(row[column]) for row in rows}
        for column, rule in enumerate(head)
        if column > 0
    }


# Chance that the offending block is orphaned, by patience and enforcing share.
ORPHANED = read("""
share   lag:2   lag:6  lag:12 lag:100     inf  conf:1  conf:2  conf:3  conf:6 conf:12
0.1   .010989 .012345 .012346 .012346 .012346 .010000 .011800 .012205 .012342 .012346
0.2   .047619 .062443 .062500 .062500 .062500 .040000 .052800 .057920 .061868 .062480
0.25  .076923 .110704 .111111 .111111 .111111 .062500 .085938 .096924 .107848 .110834
0.29  .105906 .165249 .166825 .166832 .166832 .084100 .118732 .136559 .157294 .165360
0.35  .158576 .280498 .289714 .289941 .289941 .122500 .178237 .209938 .253768 .279038
0.4   .210526 .409908 .441575 .444444 .444444 .160000 .236800 .282880 .352958 .403260
0.45  .269103 .561891 .643147 .669421 .669421 .202500 .302738 .364759 .464478 .545894
0.49  .320091 .685178 .810383 .921730 .923106 .240100 .360102 .435073 .557749 .662079
0.5   .333333 .714286 .846154 .980198       1 .250000 .375000 .453125 .581055 .690038
0.51  .346754 .742253 .877887 .998509       1 .260100 .390098 .471314 .604209 .717230
0.55  .401993 .839368 .960750       1       1 .302500 .452238 .544888 .693850 .815471
0.6   .473684 .922292 .993544       1       1 .360000 .532800 .636480 .794156 .907335
0.75  .692308 .996340 .999995       1       1 .562500 .773438 .872314 .970631 .997508
""")
# Blocks until a forbidden transaction is safe, nobody filtering.
INCLUSION = read("""
share     lag:1     lag:2     lag:6    lag:12
0             1         2         6        12
0.1   1.1111111  2.345679 7.3437503  14.84375
0.25  1.3333333 3.1111111 11.001372 23.000002
0.4   1.6666667 4.4444444 20.877915 50.077073
0.45  1.8181818 5.1239669 28.499307 79.049584
0.5           2         6        42       156
0.55  2.2222222 7.1604938 68.342751  436.1739
0.6         2.5      8.75 125.85937 1871.1951
0.75          4        20      2172   1594296
""")
shares = st.floats(0.001, 0.999)
patiences = st.one_of(
    st.builds(Patience, st.just("lag"), st.integers(1, 40)),
    st.builds(Patience, st.just("confirmations"), st.integers(1, 12)),
)


def lag(blocks):
    return Patience("lag", blocks)


@pytest.mark.parametrize("rule", ORPHANED)
def test_chance_that_the_offending_block_is_orphaned(rule):
    for share, oracle in ORPHANED[rule].items():
        assert race(share, parse_patience(rule)).won == pytest.approx(oracle, rel=0, abs=0.51e-6)


@unhurried
@given(shares, st.integers(1, 150))
def test_lag_has_the_gamblers_closed_form(share, blocks):
    assume(abs(share - 0.5) > 1e-4)
    odds = share / (1.0 - share)
    # Powers of the odds below one, so that none overflows.
    if odds < 1.0:
        expected = (odds**2 - odds ** (blocks + 1)) / (1.0 - odds ** (blocks + 1))
    else:
        expected = (1.0 - odds ** (1 - blocks)) / (1.0 - odds ** (-blocks - 1))
    assert race(share, lag(blocks)).won == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("blocks", [1, 2, 6, 144])
def test_lag_at_one_half(blocks):
    found = race(0.5, lag(blocks))
    assert found.won == pytest.approx((blocks - 1) / (blocks + 1), abs=1e-12)
    assert found.events == pytest.approx(2 * (blocks - 1), rel=1e-12)


@unhurried
@given(st.floats(0.01, 0.99), st.integers(1, 30))
def test_feather_fork_that_gives_up_some_blocks_behind(share, behind):
    assume(abs(share - 0.5) > 1e-3)
    odds = (1.0 - share) / share
    expected = (odds ** (behind - 1) - 1.0) / (odds ** (behind + 1) - 1.0)
    assert race(share, lag(behind)).won == pytest.approx(expected, rel=1e-8)
    assert race(share, Patience("confirmations", 1)).won == pytest.approx(share**2, rel=1e-12)


@unhurried
@given(shares, patiences)
def test_an_offence_is_orphaned_more_often_by_more_or_more_patient_enforcers(share, patience):
    found = race(share, patience)
    assert 0.0 <= found.won <= 1.0 + 1e-12
    assert race(min(share + 0.01, 1.0), patience).won >= found.won - 1e-12
    longer = Patience(patience.kind, patience.blocks + 1)
    assert found.won - 1e-12 <= race(share, longer).won <= race(share, NEVER).won + 1e-12


@unhurried
@given(shares, st.integers(2, 144))
def test_every_block_of_a_race_is_kept_or_orphaned(share, blocks):
    found = race(share, lag(blocks))
    # The lead is a walk with a drift: where it stops on average tells how long it went on.
    mean_end = blocks * (1.0 - found.won) - found.won
    drift = 1.0 - 2.0 * share
    assert mean_end == pytest.approx(1.0 + drift * found.events, rel=1e-9, abs=1e-9)
    # Winners have mined two blocks more than were orphaned; the rest was orphaned.
    ups = (1.0 - share) * found.events
    downs = share * found.events
    kept_ups, kept_downs = ups - found.others_orphaned, downs - found.enforcers_orphaned
    assert kept_downs == pytest.approx(found.others_orphaned + 2.0 * found.won, rel=1e-9, abs=1e-9)
    short = (blocks - 1.0) * (1.0 - found.won)
    assert kept_ups == pytest.approx(found.enforcers_orphaned + short, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("share", [0.2, 0.45, 0.55, 0.8])
def test_patience_without_end_is_the_limit_of_patience(share):
    endless, long = race(share, NEVER), race(share, lag(2_000))
    assert long.won == pytest.approx(endless.won, abs=1e-12)
    assert long.others_orphaned == pytest.approx(endless.others_orphaned, rel=1e-9)
    if share > 0.5:
        assert long.events == pytest.approx(endless.events, rel=1e-9)
        assert endless.enforcers_orphaned == 0.0
    else:
        assert endless.events == math.inf


@pytest.mark.parametrize(
    ("share", "events", "lost"),
    [(0.51, 100, 50), (0.55, 20, 10), (0.6, 10, 5), (0.75, 4, 2), (0.9, 2.5, 1.25)],
)
def test_races_against_a_majority_that_never_gives_up(share, events, lost):
    found = race(share, NEVER)
    assert found.won == 1.0
    assert found.events == pytest.approx(events, rel=1e-12)
    assert found.blocks_lost == pytest.approx(lost, rel=1e-12)


@pytest.mark.parametrize(
    ("share", "split", "undone"),
    [
        (0.1, 0.988, 0.0125),
        (0.25, 0.889, 0.125),
        (0.4, 0.556, 0.8),
        (0.45, 0.331, 2.02),
        (0.49, 0.077, 12.0),
    ],
)
def test_without_a_majority_the_chain_splits(share, split, undone):
    assert split_chance(share) == pytest.approx(split, abs=0.51e-3)
    assert offences_undone(share) == pytest.approx(undone, rel=2.5e-3)
    assert (split_chance(0.5), offences_undone(0.6)) == (0.0, math.inf)


@pytest.mark.parametrize(("share", "expected"), [(0.10, 0.111), (0.25, 0.332), (0.40, 0.635)])
def test_others_who_join_at_a_tie_help_the_enforcers(share, expected):
    assert race(share, lag(6), "tie_join").won == pytest.approx(expected, abs=0.51e-3)
    odds = share / (1.0 - share)
    assert race(share, NEVER, "tie_join").won == pytest.approx(odds, rel=1e-12)
    assert race(1.0 - share, NEVER, "tie_join").won == 1.0


def test_a_reorg_from_behind():
    assert reorg_chance(0.45, 100) == pytest.approx(1.6e-9, rel=0.02)
    assert reorg_chance(0.49, 100) == pytest.approx(0.018, abs=0.51e-3)
    # Drawing level from z behind: the catch-up of Nakamoto's paper.
    assert reorg_chance(0.1, 5 - 1) == pytest.approx((0.1 / 0.9) ** 5, rel=1e-12)
    assert reorg_chance(0.5, 1_000) == 1.0


def test_double_spends():
    assert double_spend_chance(0.1, 5) == pytest.approx(0.0017818, abs=0.51e-7)
    assert double_spend_chance(0.3, 10) == pytest.approx(0.0651067, abs=0.51e-7)
    for share, needed in [(0.10, 6), (0.15, 9), (0.20, 13), (0.25, 20), (0.30, 32)]:
        assert double_spend_chance(share, needed) < 1e-3 < double_spend_chance(share, needed - 1)
    assert double_spend_chance(0.5, 6) == double_spend_chance(0.1, 0) == 1.0


@pytest.mark.parametrize("rule", INCLUSION)
def test_blocks_until_a_forbidden_transaction_is_safe(rule):
    for share, oracle in INCLUSION[rule].items():
        found = inclusion_blocks(1.0 - share, share, parse_patience(rule))
        assert found == pytest.approx(oracle, rel=1e-7)


def test_filtering_delays_and_enforcing_delays_more():
    for filtering in (0.0, 0.25, 0.75):
        # Filterers alone: a geometric wait.
        assert inclusion_blocks(1 - filtering, 0.0, lag(1)) == pytest.approx(1 / (1 - filtering))
        assert inclusion_blocks(1 - filtering, filtering, lag(1)) == pytest.approx(
            1 / (1 - filtering)
        )
    assert inclusion_blocks(0.5, 0.25, lag(6)) == pytest.approx(11.75, abs=0.51e-2)
    assert inclusion_blocks(0.0, 0.25, lag(6)) == math.inf
    assert inclusion_blocks(0.4, 0.6, NEVER) == math.inf


@unhurried
@given(shares)
def test_confirmations_race_counts_every_block(share):
    """One confirmation: two blocks at most, so all fields can be written out."""
    found = race(share, Patience("confirmations", 1))
    assert found.events == pytest.approx(1.0 + share, rel=1e-12)
    assert found.others_orphaned == 0.0
    assert found.enforcers_orphaned == pytest.approx(share * (1.0 - share), rel=1e-12)


@njit(cache=True)
def walked_race(share, code, blocks, key, row, lengths):
    """Walk one race block by block; the lengths of the two branches and who won it."""
    offending, enforced, draw = 1, 0, 0
    while True:
        behind, confirmations = offending - enforced, offending - 1
        if (code == LAG and behind >= blocks) or (
            code == CONFIRMATIONS and confirmations >= blocks
        ):
            lengths[:] = offending, enforced
            return False
        if enforced > offending:
            lengths[:] = offending, enforced
            return True
        if uniform(key, 0, row, draw) < share:
            enforced += 1
        else:
            offending += 1
        draw += 1


@njit(cache=True)
def walked_races(share, code, blocks, key, races):
    """Winner, events, and orphans of either side in each of many races."""
    seen = np.zeros((races, 4))
    lengths = np.zeros(2, np.int64)
    for row in range(races):
        won = walked_race(share, code, blocks, key, row, lengths)
        offending, enforced = lengths
        seen[row, 0] = won
        seen[row, 1] = offending - 1 + enforced
        seen[row, 2] = offending - 1 if won else 0
        seen[row, 3] = 0 if won else enforced
    return seen


@pytest.mark.parametrize("rule", ["lag:2", "lag:6", "lag:24", "conf:1", "conf:6"])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.4, 0.5, 0.6])
def test_races_walked_block_by_block(rule, share):
    patience, races = parse_patience(rule), 50_000
    key = Streams(11).key(f"{rule} {share}")
    seen = walked_races(share, patience.code, patience.blocks, key, races)
    errors = seen.std(axis=0, ddof=1) / math.sqrt(races)
    assert (np.abs(seen.mean(axis=0) - race(share, patience)) <= 3 * errors).all()


@pytest.mark.parametrize("share", [0.51, 0.6, 0.75])
def test_no_offence_survives_a_majority_that_never_gives_up(share):
    seen = walked_races(share, NEVER.code, 0, Streams(12).key("majority"), 20_000)
    assert seen[:, 0].all()
    error = seen[:, 1].std() / math.sqrt(len(seen))
    assert abs(seen[:, 1].mean() - race(share, NEVER).events) < 3 * error


@njit(cache=True)
def walked_inclusions(including, enforcing, blocks, key, transactions):
    """Blocks found until each forbidden transaction is safe, one after the other."""
    waits = np.zeros(transactions)
    lengths = np.zeros(2, np.int64)
    for transaction in range(transactions):
        attempt, orphaned = 0, True
        while orphaned:
            row = transaction * 10_000 + attempt
            waits[transaction] += 1
            draw = 0
            while uniform(key, 1, row, draw) >= including:
                waits[transaction] += 1
                draw += 1
            orphaned = walked_race(enforcing, LAG, blocks, key, row, lengths)
            waits[transaction] += lengths.sum() - 1
            attempt += 1
    return waits


@pytest.mark.parametrize(
    ("including", "enforcing", "blocks"),
    [(0.75, 0.25, 6), (0.5, 0.25, 6), (0.5, 0.5, 6), (0.4, 0.6, 6), (0.6, 0.4, 12), (0.3, 0.7, 1)],
)
def test_inclusions_walked_block_by_block(including, enforcing, blocks):
    waits = walked_inclusions(including, enforcing, blocks, Streams(13).key("waits"), 20_000)
    error = waits.std(ddof=1) / math.sqrt(len(waits))
    assert abs(waits.mean() - inclusion_blocks(including, enforcing, lag(blocks))) < 3 * error


def test_patience_is_read_from_a_scenario():
    assert parse_patience("inf") == NEVER
    assert parse_patience("lag:6") == lag(6)
    assert parse_patience("conf:1") == Patience("confirmations", 1)
    assert len({parse_patience(text).code for text in ("inf", "lag:6", "conf:6")}) == 3
    for text in ("", "lag", "lag:0", "lag:-1", "lag:1.5", "Inf", "conf:x", "conf: 1 "):
        with pytest.raises(ValueError, match="patience is"):
            parse_patience(text)
    with pytest.raises(ValueError, match="at least one block"):
        Patience("lag", 0)
    with pytest.raises(ValueError, match="count no blocks"):
        Patience("inf", 3)
    with pytest.raises(ValueError, match="not 'never'"):
        Patience("never")


def test_when_enforcers_give_up():
    assert gives_up(lag(1).code, 1, 1.0, 0)
    assert not gives_up(lag(6).code, 6, 5.9, 100)
    assert gives_up(lag(6).code, 6, 6.0, 5)
    assert not gives_up(CONFIRMATIONS, 1, 50.0, 0)
    assert gives_up(CONFIRMATIONS, 1, 0.0, 1)
    assert not gives_up(NEVER.code, 0, 1e9, 1_000_000)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_shares_of_the_hashrate_are_checked(share):
    for asked in (
        lambda: race(share, NEVER),
        lambda: reorg_chance(share, 1),
        lambda: double_spend_chance(share, 6),
        lambda: inclusion_blocks(share, 0.0, NEVER),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            asked()
    with pytest.raises(ValueError, match="more than the whole"):
        inclusion_blocks(0.6, 0.6, NEVER)


@pytest.mark.parametrize("patience", [lag(6), Patience("confirmations", 6)])
def test_races_at_the_ends_of_the_scale(patience):
    nobody, everybody = race(0.0, patience), race(1.0, patience)
    assert (nobody.won, nobody.others_orphaned, nobody.enforcers_orphaned) == (0.0, 0.0, 0.0)
    assert everybody == (1.0, 2.0, 0.0, 0.0)
