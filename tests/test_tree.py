"""The block tree against closed forms of the race, a walk, and what must never change."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model.chain.blocks import Tip, find_one_by_one
from model.chain.forks import is_wiped_out
from model.chain.patience import Patience, parse_patience
from model.chain.sides import Stances
from model.chain.tree import BlockTree
from model.chain.walk import CALM, NEVER, next_lead
from model.ledger import check_coinbase
from model.streams import Streams
from model.units import SECONDS_PER_DAY, equilibrium_difficulty

# Kernels compile at their first call, which no deadline should count.
unhurried = settings(deadline=None, max_examples=40)

HASHRATE_THS = 850e6
EPOCH_START = 889_056
TIP = Tip(EPOCH_START, equilibrium_difficulty(HASHRATE_THS), 0.0)
INF = Patience("inf")
ENFORCES, FILTERS, INCLUDES = 0, 1, 2


def new_tree(seed=1, parties=3, directives=1, **options):
    return BlockTree(TIP, Streams(seed).key("blocks"), parties, directives, **options)


def stances(patience, **options):
    """One directive: a party enforces it, one filters and one includes."""
    return Stances((1, 0, 0), (0, 0, 1), (parse_patience(patience), INF, INF), **options)


def hashrate(*shares):
    return np.outer(shares, np.full(24, HASHRATE_THS))


def follow(tree, days, shares, rules, offence_chance=1.0, fees_btc=0.03):
    """What each of many days at constant shares brought."""
    steady = hashrate(*shares)
    return [tree.mine(day, steady, rules, [offence_chance], fees_btc) for day in range(days)]


def total(reports, name):
    return sum(getattr(report, name) for report in reports)


# One chain.


@pytest.mark.parametrize("parties", [1, 3, 7])
def test_a_lone_chain_has_the_blocks_of_find_one_by_one(parties):
    draw, tree, tip = np.random.default_rng(parties), new_tree(parties=parties), TIP
    agree = Stances((0,) * parties, (0,) * parties, (INF,) * parties)
    for day in range(40):
        hourly = draw.uniform(0.0, 2.0 * HASHRATE_THS / parties, (parties, 24))
        found = tree.mine(day, hourly, agree, [1.0], 0.03)
        tip, times = find_one_by_one(tip, hourly.sum(axis=0), day, tree.key, True)
        np.testing.assert_array_equal(found.block_times_s, times)
        np.testing.assert_array_equal(found.found_times_s, times)
        assert tree.tip == tree.settled_tip == tip
        assert (found.live_tips, found.pending, found.lead_blocks) == (1, 0, 0.0)
        assert found.block_offences.sum() == found.orphaned.sum() == 0


def test_blocks_go_to_who_finds_them():
    tree = new_tree()
    follow(tree, 400, (0.2, 0.3, 0.5), stances("inf"), offence_chance=0.0)
    blocks = tree.settled.sum()
    errors = np.sqrt(np.array([0.16, 0.21, 0.25]) / blocks)
    np.testing.assert_array_less(np.abs(tree.settled / blocks - (0.2, 0.3, 0.5)), 3 * errors)


def test_rewards_retargets_and_intervals_of_settled_blocks():
    tree = new_tree()
    reports = follow(tree, 60, (0.0, 0.5, 0.5), stances("inf"))
    times = np.concatenate([report.block_times_s for report in reports])
    rewards = np.concatenate([report.block_rewards_sat for report in reports])
    assert (rewards == 312_500_000 + 3_000_000).all()
    assert total(reports, "retargets") == times.size // 2016
    assert reports[-1].mean_interval_s == pytest.approx(np.diff(times[-145:]).mean())
    assert total(reports, "reward_sat") == tree.coinbase_sat == rewards.sum()
    assert total(reports, "fees_sat") == tree.fees_sat == 3_000_000 * times.size


# Races.


def lag_chance(share, lag):
    ratio = share / (1 - share)
    if ratio == 1:
        return (lag - 1) / (lag + 1)
    return 1 - (1 - ratio**2) / (1 - ratio ** (lag + 1))


def confirmation_chance(share, confirmations):
    """Chance to win with n blocks against m, before the offending block is confirmed."""

    def ahead(theirs, ours):
        if ours == theirs + 1:
            return 1.0
        if theirs == confirmations + 1:
            return 0.0
        return share * ahead(theirs, ours + 1) + (1 - share) * ahead(theirs + 1, ours)

    return ahead(1, 0)


@pytest.mark.parametrize(
    ("patience", "share", "oracle"),
    [
        ("lag:2", 0.1, 0.0109890),
        ("lag:2", 0.25, 0.0769231),
        ("lag:2", 0.5, 0.3333333),
        ("lag:6", 0.25, 0.1107045),
        ("lag:6", 0.4, 0.4099077),
        ("lag:6", 0.49, 0.6851781),
        ("lag:6", 0.6, 0.9222924),
        ("conf:1", 0.2, 0.04),
        ("conf:1", 0.4, 0.16),
        ("conf:2", 0.25, 0.0859375),
        ("conf:3", 0.4, 0.28288),
        ("conf:6", 0.25, 0.1078479),
        ("conf:6", 0.5, 0.5810547),
        ("conf:6", 0.6, 0.7941559),
    ],
)
def test_races_won_by_enforcers(patience, share, oracle):
    limit = parse_patience(patience)
    closed = lag_chance if limit.kind == "lag" else confirmation_chance
    assert closed(share, limit.blocks) == pytest.approx(oracle, abs=1e-6)
    reports = follow(new_tree(), 500, (share, 0.0, 1 - share), stances(patience))
    races, won = total(reports, "races"), total(reports, "races_won")
    assert races > 3_000
    assert abs(won / races - oracle) < 3 * math.sqrt(oracle * (1 - oracle) / races)


@pytest.mark.parametrize(("share", "oracle"), [(0.1, 0.111), (0.25, 0.332), (0.4, 0.635)])
def test_outsiders_who_join_at_a_tie_help_the_enforcers(share, oracle):
    tree = new_tree(tip_rule="tie_join")
    reports = follow(tree, 500, (share, 0.0, 1 - share), stances("lag:6"))
    races, won = total(reports, "races"), total(reports, "races_won")
    error = math.sqrt(oracle * (1 - oracle) / races)
    assert abs(won / races - oracle) < 3 * error + 5e-4  # printed to three digits


def test_impatient_enforcers_never_race():
    tree = new_tree()
    reports = follow(tree, 100, (0.4, 0.0, 0.6), stances("lag:1"))
    assert total(reports, "races") == tree.orphaned.sum() == 0
    assert max(report.longest_reorg for report in reports) == 0


def orphan_shares(shares, patience, offence_chance=1.0, runs=12, days=300):
    """Orphan share of each party's decided blocks and its standard error, over many runs."""
    lost = []
    for seed in range(runs):
        tree = new_tree(seed)
        follow(tree, days, shares, stances(patience), offence_chance)
        lost.append(tree.orphaned / np.maximum(tree.orphaned + tree.settled, 1))
    return np.mean(lost, axis=0), np.std(lost, axis=0, ddof=1) / math.sqrt(runs)


@pytest.mark.parametrize(
    ("share", "lag", "includers", "enforcers"),
    [
        (0.25, 2, 0.0439560, 0.2967033),
        (0.25, 6, 0.0296477, 0.7295106),
        (0.40, 6, 0.1876732, 0.5000276),
        (0.45, 100, 0.0385531, 0.9424084),
        (0.50, 6, 0.4761905, 0.2380953),
        (0.60, 6, 0.7978734, 0.0552973),
    ],
)
def test_orphan_shares_of_two_camps(share, lag, includers, enforcers):
    lost, errors = orphan_shares((share, 0.0, 1 - share), f"lag:{lag}")
    assert abs(lost[INCLUDES] - includers) < 3 * errors[INCLUDES]
    assert abs(lost[ENFORCES] - enforcers) < 3 * errors[ENFORCES]


def race_from_one(share, lag):
    """Chance that enforcers win, and events of a race, from linear equations in its lead."""
    states = np.arange(0, lag)
    step = np.zeros((lag, lag))
    for lead in states:
        if lead > 0:
            step[lead, lead - 1] = share
        if lead < lag - 1:
            step[lead, lead + 1] = 1 - share
    win = np.where(states == 0, share, 0.0)
    solved = np.linalg.solve(np.eye(lag) - step, np.column_stack((win, np.ones(lag))))
    return solved[1]


@pytest.mark.parametrize(
    ("shares", "lag", "offence_chance", "oracle"),
    [
        ((0.25, 0.25, 0.50), 6, 1.0, (0.6829715, 0.0136316, 0.0348188)),
        ((0.40, 0.30, 0.30), 6, 0.75, (0.4080290, 0.1078931, 0.1983944)),
        ((0.60, 0.20, 0.20), 100, 1.0, (0.0, 0.6666667, 1.0)),
    ],
)
def test_orphan_shares_of_three_camps(shares, lag, offence_chance, oracle):
    lost, errors = orphan_shares(shares, f"lag:{lag}", offence_chance)
    won, length = race_from_one(shares[ENFORCES], lag)
    # The published figures let every race begin at one rate; after a lost one the transaction is
    # back, and the next block that may offend does.
    begin, again = 1 / (shares[INCLUDES] * offence_chance), 1 / shares[INCLUDES]
    cycle = (begin + length) / ((1 - won) * begin + won * again + length)
    expected = np.array(oracle) * cycle
    if offence_chance == 1.0:
        assert cycle == 1.0
    np.testing.assert_array_less(np.abs(lost - expected), 3 * errors + 1e-9)


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_a_patient_majority_leaves_the_others_with_nothing(share):
    tree = new_tree()
    reports = follow(tree, 1_000, (share, 0.0, 1 - share), stances("inf"))
    assert total(reports, "offences_found").sum() > 10_000
    assert total(reports, "offences_settled").sum() == 0
    assert tree.settled[INCLUDES] == tree.orphaned[ENFORCES] == 0
    # All but the race still open is decided, and the chain grows by the enforcers' blocks alone.
    assert tree.pending.sum() == reports[-1].pending
    assert tree.settled[ENFORCES] + tree.pending[ENFORCES] == tree.found[ENFORCES]
    lost = tree.orphaned[INCLUDES] / total(reports, "races")
    length = 1 + 2 * (1 - share) / (2 * share - 1)
    error = math.sqrt(2 * share * (1 - share) / (2 * share - 1) ** 3 / total(reports, "races"))
    assert abs(lost - length) < 3 * error


def test_the_tree_is_the_walk_while_the_difficulty_is_constant():
    for seed, share in enumerate((0.3, 0.45, 0.5, 0.55)):
        for limit, patience in ((NEVER, "inf"), (6, "lag:6"), (100, "lag:100")):
            tree, lead = new_tree(seed), CALM
            # Thirteen days end before the first retarget.
            for report in follow(tree, 13, (share, 0.0, 1 - share), stances(patience)):
                for finder in report.found_by:
                    lead = next_lead(lead, finder == ENFORCES, limit)
                assert report.lead_blocks == pytest.approx(max(lead, 0), abs=1e-6)
                assert report.live_tips == (1 if lead == CALM else 2)


class Side:
    """A branch in plain Python: Bitcoin's rules, and the work since the branches parted."""

    def __init__(self, height, difficulty, epoch_start_s):
        self.height, self.difficulty, self.epoch_start_s = height, difficulty, epoch_start_s
        self.work = 0.0

    def copy(self):
        return Side(self.height, self.difficulty, self.epoch_start_s)

    def add(self, time_s):
        if self.height % 2016 == 0:
            self.epoch_start_s = time_s
        self.work += self.difficulty
        self.height += 1
        if self.height % 2016 == 0:
            timespan_s = min(max(time_s - self.epoch_start_s, 1_209_600 / 4), 1_209_600 * 4)
            self.difficulty *= 1_209_600 / timespan_s
            self.epoch_start_s = time_s


def replay(times_s, finders, share):
    """What two patient camps make of given finds, and how likely each find was."""
    enforcing = offending = Side(*TIP)
    now_s, waits, odds, final_s = 0.0, [], [], math.nan
    for time_s, finder in zip(times_s, finders, strict=True):
        rates = [share / enforcing.difficulty, (1 - share) / offending.difficulty]
        waits.append((time_s - now_s) * sum(rates) * TIP.difficulty / 600)
        odds.append(rates[0] / sum(rates))
        now_s = time_s
        if finder == INCLUDES and enforcing is offending:
            offending, parted_s, before = enforcing.copy(), time_s, enforcing.difficulty
            enforcing.work = 0.0
        (enforcing if finder == ENFORCES else offending).add(time_s)
        lead = offending.work - enforcing.work if offending is not enforcing else 0.0
        if lead < -1e-6 * TIP.difficulty:
            offending, lead, final_s = enforcing, 0.0, math.nan
        counted = lead / max(before, TIP.difficulty) if lead else 0.0
        if counted >= 144 - 1e-6 and time_s - parted_s >= 604_800 and math.isnan(final_s):
            final_s = time_s
    return enforcing, offending, np.array(waits), np.array(odds), final_s


@pytest.mark.parametrize("share", [0.47, 0.5, 0.52])
def test_the_tree_is_a_plain_replay_of_two_branches_with_their_own_difficulty(share):
    for seed in range(3):
        tree, rules = new_tree(seed, 3), stances("inf")
        reports = follow(tree, 150, (share, 0.0, 1 - share), rules)
        times = np.concatenate([report.found_times_s for report in reports])
        finders = np.concatenate([report.found_by for report in reports])
        enforcing, offending, waits, odds, final_s = replay(times, finders, share)
        own = tree.difficulty_by_party[[ENFORCES, INCLUDES]]
        np.testing.assert_allclose(own, [enforcing.difficulty, offending.difficulty], rtol=1e-12)
        np.testing.assert_equal(reports[-1].split_final_s, final_s)
        tips = {side.tip.height for side in tree.branches()}
        assert tips == {enforcing.height, offending.height}
        # Each wait is a unit exponential draw, each find a toss at the odds of the moment.
        assert abs(waits.mean() - 1) < 3 / math.sqrt(waits.size)
        surprise = (finders == ENFORCES) - odds
        assert abs(surprise.sum()) < 3 * math.sqrt((odds * (1 - odds)).sum())


def test_a_minority_branch_needs_weeks_for_its_first_retarget():
    share, days = 0.25, 70
    retargeted = []
    for seed in range(6):
        tree = new_tree(seed, 2)
        rules = Stances((1, 0), (0, 1), (INF, INF))
        for day in range(days):
            tree.mine(day, hashrate(share, 1 - share), rules, [1.0], 0.0)
            if tree.difficulty_by_party[0] != TIP.difficulty:
                break
        retargeted.append(day + 0.5)
        assert tree.difficulty_by_party[0] == pytest.approx(share * TIP.difficulty, rel=0.1)
        assert tree.difficulty_by_party[1] == pytest.approx((1 - share) * TIP.difficulty, rel=0.15)
    # 2,016 exponential intervals, give or take the half day of not looking.
    error = 14 / share / math.sqrt(2016) / math.sqrt(6) + 0.5
    assert abs(np.mean(retargeted) - 56) < 3 * error


# Inclusion.


@pytest.mark.parametrize(
    ("shares", "lag", "oracle"),
    [
        ((0.1, 0.0, 0.9), 1, 1.1111111),
        ((0.4, 0.0, 0.6), 1, 1.6666667),
        ((0.1, 0.0, 0.9), 6, 7.3437503),
        ((0.25, 0.0, 0.75), 6, 11.0013717),
        ((0.4, 0.0, 0.6), 6, 20.8779150),
        ((0.4, 0.0, 0.6), 2, 4.4444444),
        ((0.25, 0.25, 0.5), 6, 11.75),
    ],
)
def test_how_long_a_forbidden_transaction_waits(shares, lag, oracle):
    tree, days = new_tree(), 600
    reports = follow(tree, days, shares, stances(f"lag:{lag}"))
    waits = np.concatenate([report.waits_s for report in reports])
    event_s = days * SECONDS_PER_DAY / tree.found.sum()
    error = waits.std() / event_s / math.sqrt(waits.size)
    assert abs(waits.mean() / event_s - oracle) < 3 * error + 0.005 * (oracle == 11.75)


def test_a_transaction_that_lost_its_block_goes_into_the_next_one():
    tree = new_tree()
    reports = follow(tree, 2_000, (0.9, 0.0, 0.1), stances("inf"), offence_chance=0.01)
    found = np.concatenate([report.found_offences for report in reports])
    by = np.concatenate([report.found_by for report in reports])
    theirs = found[by == INCLUDES]
    first = int(np.argmax(theirs))
    assert first > 0
    # It is never in for good: each race begins with it, and brings a quarter of a block more.
    expected = (1 + 0.25 * 0.01) / 1.25
    error = math.sqrt(expected * (1 - expected) / theirs[first:].size)
    assert abs(theirs[first:].mean() - expected) < 3 * error
    assert total(reports, "offences_settled").sum() == 0


# Splits.


def split_days(tree, shares, rules, days=60):
    """Days until the split is final."""
    for day in range(days):
        report = tree.mine(day, hashrate(*shares), rules, [1.0], 0.03)
        if report.split_is_final:
            return day, report
    raise AssertionError("no split")


def test_a_split_becomes_final_and_both_sides_are_credited():
    tree = new_tree()
    day, report = split_days(tree, (0.25, 0.25, 0.5), stances("inf"))
    assert day in (7, 8)
    assert report.lead_blocks >= 144
    assert report.split_final_s >= 7 * SECONDS_PER_DAY
    offending, enforcing = tree.branches()
    assert list(offending.parties) == [FILTERS, INCLUDES]
    assert list(enforcing.parties) == [ENFORCES]
    assert (offending.offences, enforcing.offences) == (1, 0)
    assert (offending.work - enforcing.work) / TIP.difficulty == pytest.approx(report.lead_blocks)
    for side in (offending, enforcing):
        check_coinbase(side)
        assert side.tip.height == tree.settled_tip.height + side.block_times_s.size
        assert side.owed_sat(3).sum() == side.block_rewards_sat.sum()
        assert (np.diff(side.block_times_s) > 0).all()
    assert enforcing.owed_sat(3)[ENFORCES] == enforcing.block_rewards_sat.sum()
    assert tree.pending.sum() == offending.block_times_s.size + enforcing.block_times_s.size
    assert not is_wiped_out(enforcing.work, offending.work, free_is_pinned=False)
    assert is_wiped_out(offending.work, enforcing.work, free_is_pinned=False)


def test_a_final_split_can_heal():
    tree, rules = new_tree(), stances("inf")
    first, _ = split_days(tree, (0.25, 0.25, 0.5), rules)
    reports = [
        tree.mine(day, hashrate(0.9, 0.05, 0.05), rules, [1.0], 0.03)
        for day in range(first + 1, first + 60)
    ]
    assert total(reports, "reverts") == 1
    assert not reports[-1].split_is_final
    assert max(report.longest_reorg for report in reports) > 900
    assert total(reports, "offences_orphaned").sum() > 400
    assert tree.settled[ENFORCES] > 0
    assert tree.settled[INCLUDES] == 0
    check_coinbase(tree)


def test_impatient_or_lone_sides_never_split():
    for shares, patience in (((0.45, 0.0, 0.55), "lag:100"), ((0.0, 0.5, 0.5), "inf")):
        reports = follow(new_tree(), 100, shares, stances(patience))
        assert not any(report.split_is_final for report in reports)
        assert total(reports, "offences_settled").sum() > 0


# Directives come, go, and concern only what follows.


def test_a_directive_does_not_look_back():
    tree = new_tree()
    later = TIP.height + 500
    reports = follow(tree, 10, (0.3, 0.2, 0.5), stances("inf", refuses_from=(later, 0, 0)))
    heights = [
        height for r in reports for height in range(r.first_height, r.first_height + r.blocks)
    ]
    offended = np.concatenate([report.block_offences for report in reports])
    assert offended.sum() > 0
    assert max(np.array(heights)[offended == 1]) < later
    offending, enforcing = tree.branches()
    assert len(heights) + TIP.height in (later, later + 1, later + 2, later + 3, later + 4)
    assert offending.offences == 1
    assert enforcing.offences == 0


def test_when_a_directive_is_lifted_everybody_joins_the_heaviest_tip():
    tree = new_tree()
    follow(tree, 5, (0.3, 0.2, 0.5), stances("inf"))
    assert len(tree.branches()) == 2
    free = Stances((0, 0, 0), (0, 0, 1), (INF, INF, INF))
    report = tree.mine(5, hashrate(0.3, 0.2, 0.5), free, [1.0], 0.03)
    assert (report.live_tips, report.pending) == (1, 0)
    assert report.orphaned[ENFORCES] > 0
    assert report.orphaned[[FILTERS, INCLUDES]].sum() == 0


def test_idle_enforcers_hold_up_nobody():
    tree = new_tree()
    reports = follow(tree, 30, (0.0, 0.4, 0.6), stances("inf"))
    assert [report.pending for report in reports] == [0] * 30
    assert tree.orphaned.sum() == 0


def test_a_branch_that_rests_is_dropped_after_a_week_of_work():
    tree, rules = new_tree(2), stances("inf")
    # Blocks before its last day keep the enforcers' branch a branch.
    follow(tree, 3, (0.3, 0.2, 0.5), rules)
    waiting = [
        tree.mine(day, hashrate(0.0, 0.4, 0.6), rules, [1.0], 0.03).pending for day in range(3, 14)
    ]
    held = np.flatnonzero(waiting)
    assert 4 <= held[-1] <= 7
    assert held.size == held[-1] + 1
    assert tree.orphaned[ENFORCES] > 0


def test_two_directives_make_two_kinds_of_enforcers():
    rules = Stances((1, 2, 0, 0), (2, 1, 3, 0), (INF, INF, INF, INF))
    tree = new_tree(parties=4, directives=2)
    for day in range(12):
        report = tree.mine(day, hashrate(0.2, 0.2, 0.4, 0.2), rules, [0.5, 0.5], 0.03)
    assert report.live_tips == 3
    sides = {int(side.parties[0]): side for side in tree.branches()}
    assert not sides[0].offences & 1
    assert not sides[1].offences & 2
    for side in sides.values():
        check_coinbase(side)
    assert report.offences_found.shape == (2,)


# What must never change.


def kinds():
    lag = some.integers(1, 8).map(lambda blocks: Patience("lag", blocks))
    confirmations = some.integers(1, 8).map(lambda blocks: Patience("confirmations", blocks))
    return some.one_of(some.just(INF), lag, confirmations)


@some.composite
def party(draw, directives):
    refuses = draw(some.integers(0, 2**directives - 1))
    offends = draw(some.integers(0, 2**directives - 1)) & ~refuses
    return refuses, offends, draw(kinds())


@some.composite
def histories(draw):
    """Days of parties that change their hashrate and their minds."""
    parties, directives = draw(some.integers(1, 5)), draw(some.integers(1, 3))
    days = []
    for _ in range(draw(some.integers(1, 8))):
        each = [draw(party(directives)) for _ in range(parties)]
        share = [draw(some.sampled_from([0.0, 0.1, 0.3, 1.0])) for _ in range(parties)]
        chance = [draw(some.sampled_from([0.0, 0.3, 1.0])) for _ in range(directives)]
        days.append((Stances(*zip(*each, strict=True)), share, chance))
    height = draw(some.sampled_from([EPOCH_START - 100, 840_000 - 300, EPOCH_START + 7]))
    return parties, directives, height, draw(some.sampled_from(["heaviest", "tie_join"])), days


def live(history, seed):
    parties, directives, height, tip_rule, days = history
    tip = Tip(height, TIP.difficulty, -600.0 * (height % 2016))
    key = Streams(seed).key("blocks")
    tree = BlockTree(tip, key, parties, directives, tip_rule=tip_rule)
    for day, (rules, share, chance) in enumerate(days):
        yield tree, tree.mine(day, hashrate(*share), rules, chance, 0.25)


@unhurried
@given(histories(), some.integers(0, 5))
def test_every_block_is_settled_orphaned_or_pending(history, seed):
    found = settled = orphaned = 0
    height = history[2]
    for tree, report in live(history, seed):
        parties = tree.found.size
        found += np.bincount(report.found_by, minlength=parties)
        settled += np.bincount(report.block_parties, minlength=parties)
        orphaned += report.orphaned
        np.testing.assert_array_equal(tree.found, found)
        np.testing.assert_array_equal(tree.settled, settled)
        np.testing.assert_array_equal(tree.orphaned, orphaned)
        assert (tree.pending >= 0).all()
        assert report.pending == tree.pending.sum()
        assert report.first_height == height
        height += report.blocks
        assert tree.settled_tip.height == height
        assert (np.diff(report.block_times_s) > 0).all()
        assert (report.offences_orphaned <= total_offences(report, tree)).all()
        check_coinbase(tree)
        for side in tree.branches():
            check_coinbase(side)
            assert side.tip.height == height + side.block_times_s.size


def total_offences(report, tree):
    """No more can be orphaned than were ever found and not settled."""
    return np.full(tree.directives, tree.found.sum() - tree.settled.sum())


@unhurried
@given(histories(), some.integers(0, 5))
def test_the_same_seed_gives_the_same_tree(history, seed):
    for (one, first), (other, second) in zip(live(history, seed), live(history, seed), strict=True):
        np.testing.assert_array_equal(first.block_times_s, second.block_times_s)
        np.testing.assert_array_equal(first.found_by, second.found_by)
        np.testing.assert_array_equal(one.orphaned, other.orphaned)
        assert one.tip == other.tip


@unhurried
@given(some.lists(some.integers(0, 7), min_size=2, max_size=5), some.data())
def test_who_never_gives_up_never_builds_on_what_it_refuses(refuses, data):
    offends = [data.draw(some.integers(0, 7)) & ~bits for bits in refuses]
    rules = Stances(refuses, offends, [INF] * len(refuses))
    tree = new_tree(parties=len(refuses), directives=3)
    for day in range(4):
        report = tree.mine(day, hashrate(*[1 / len(refuses)] * len(refuses)), rules, [0.4] * 3, 0.0)
        sides = tree.branches()
        assert sum(side.parties.size for side in sides) == len(refuses)
        assert report.live_tips == len(sides)
        assert [side.work for side in sides] == sorted((s.work for s in sides), reverse=True)
        for side in sides:
            assert all(not side.offences & refuses[party] for party in side.parties)
        assert not np.bitwise_or.reduce(report.block_offences, initial=0) & refuses[0]


def test_parties_in_another_order_fare_the_same():
    order = [INCLUDES, ENFORCES, FILTERS]
    shares, patience = (0.3, 0.3, 0.4), (Patience("lag", 6), INF, INF)
    refuses, offends = (1, 0, 0), (0, 0, 1)

    def lost(arranged):
        rules = Stances(*([each[row] for row in arranged] for each in (refuses, offends, patience)))
        runs = []
        for seed in range(12):
            tree = new_tree(seed)
            follow(tree, 300, [shares[row] for row in arranged], rules)
            runs.append((tree.orphaned / tree.found)[np.argsort(arranged)])
        return np.array(runs)

    one, other = lost([0, 1, 2]), lost(order)
    errors = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / 12)
    np.testing.assert_array_less(np.abs(one.mean(axis=0) - other.mean(axis=0)), 3 * errors)


def test_a_party_in_two_halves_changes_nothing():
    whole, halves = new_tree(parties=2), new_tree(parties=3)
    patient = Patience("lag", 6)
    for day in range(60):
        one = whole.mine(
            day, hashrate(0.375, 0.625), Stances((1, 0), (0, 1), (patient, INF)), [1.0], 0.0
        )
        other = halves.mine(
            day,
            hashrate(0.375, 0.3125, 0.3125),
            Stances((1, 0, 0), (0, 1, 1), (patient, INF, INF)),
            [1.0],
            0.0,
        )
        np.testing.assert_allclose(one.block_times_s, other.block_times_s, rtol=1e-12)
        np.testing.assert_array_equal(one.block_parties, np.minimum(other.block_parties, 1))
    assert halves.found[1] > 0
    assert halves.found[2] > 0


def test_ten_years_under_a_directive_take_no_more_memory_than_one():
    tree, rules, steady = new_tree(), stances("lag:6"), hashrate(0.4, 0.2, 0.4)
    held = []
    tracemalloc.start()
    for day in range(3_653):
        tree.mine(day, steady, rules, [1.0], 0.03)
        if day in (365, 3_652):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert tree.found.sum() > 525_000
    assert held[1] < held[0] + 10_000
    assert tree.pending.sum() < 100
    check_coinbase(tree)


# Bad arguments.


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="parties"):
        new_tree(parties=33)
    with pytest.raises(ValueError, match="directives"):
        new_tree(directives=0)
    with pytest.raises(ValueError, match="tip rule"):
        new_tree(tip_rule="race_aware")
    with pytest.raises(ValueError, match="refuses what"):
        Stances((1,), (1,), (INF,))
    with pytest.raises(ValueError, match="patience of"):
        Stances((1, 0), (0, 1), (INF,))
    good = stances("inf")
    for shares, rules, chance, message in (
        ((0.5, 0.5), good, [1.0], "24 hours"),
        ((0.5, 0.5, -0.1), good, [1.0], "hashrate"),
        ((0.5, 0.5, math.nan), good, [1.0], "hashrate"),
        ((0.5, 0.5, 0.1), good, [1.0, 1.0], "directives"),
        ((0.5, 0.5, 0.1), good, [1.1], "chance"),
        ((0.5, 0.5, 0.1), Stances((2, 0, 0), (0, 0, 1), (INF,) * 3), [1.0], "beyond"),
        ((0.5, 0.5, 0.1), Stances((1, 0), (0, 1), (INF,) * 2), [1.0], "parties"),
    ):
        with pytest.raises(ValueError, match=message):
            new_tree().mine(0, hashrate(*shares), rules, chance, 0.03)
