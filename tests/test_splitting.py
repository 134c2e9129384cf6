"""Races, splits, wipe-outs and forks in the running world: the ledgers hold through all of them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from agents import banking
from model import ending, ledger, splitting
from model.chain.blocks import supply_sat
from model.chain.forks import ForkKind
from model.chain.outcome import SplitKind
from model.chain.tree import DayOfTree
from model.chain.two_coins import COMPLIANT, FREE, Behaviour
from model.events import Outage
from model.units import SATOSHI_PER_COIN
from model.world import World
from tests.test_politics import (
    BY_SITE,
    DAY,
    DEVOTED,
    START,
    directive,
    fork,
    frozen_case,
    pool_filter,
)

ENDS = DAY + timedelta(days=12)
KINDS = ("new_algorithm", "invalidate", "rules")
# The free side is never pinned, and nobody wants its coin.
HELPLESS = (
    "forks.pinned=0", "forks.automatic_share=0.9", "holders.freedom_attachment=-6",
    "holders.neutral_attachment=-6", "holders.custodian_attachment=-6",
)  # fmt: skip


def watched(case: Any, days: int | None = None) -> World:
    """Live through a run, and check every day by hand what was paid and who holds what."""
    world = World(case)
    while world.running and (days is None or world.day < days):
        split = world.politics.split
        market = None if split is None else split.free_market_sat
        free_sat = world.miners["free_sat"].copy()
        world.step()
        check_coins(world)
        check_payouts(world)
        if split is not None and world.politics.split is split:
            check_free_payouts(world, market, free_sat)
    assert world.case.record.ledger_every_days == 1
    return world


def check_coins(world: World) -> None:
    """Both coins, to the satoshi: the supply of their height is what somebody holds."""
    held = world.market_sat + int(world.nations["reserve_sat"].sum())
    held += int(world.miners["treasury_sat"].sum())
    assert held == world.chain.supply_sat == supply_sat(world.chain.height)
    assert (world.miners["treasury_sat"] >= 0).all()
    split = world.politics.split
    if split is not None:
        assert world.chain is split.compliant
        free_sat = world.miners["free_sat"]
        assert split.free_market_sat + int(free_sat.sum()) == split.free.supply_sat
        assert (free_sat >= 0).all()
        assert split.free_market_sat >= 0
    else:
        assert (world.miners["free_sat"] == 0).all()


def check_payouts(world: World) -> None:
    """Payouts of the day are the rewards of the blocks that were settled."""
    assert int(world.miners["earned_sat"].sum()) == world.blocks.reward_sat
    assert world.blocks.reward_sat == int(world.blocks.block_rewards_sat.sum())
    ledger.check_pool(world.miners["earned_sat"], world.blocks.reward_sat, 0, 0)


def check_free_payouts(world: World, market: int, free_sat: np.ndarray) -> None:
    """New free coins are sold at once, so the market holds the subsidy of the day's blocks."""
    split = world.politics.split
    issued = split.free_market_sat - market
    assert issued >= 0
    assert issued % split.free.subsidy_sat == 0
    assert (world.miners["free_sat"][: free_sat.size] == free_sat).all()


def kinds(world: World) -> list[str]:
    """Kinds of events in order."""
    return world.recorder.events()["kind"].to_list()


# --- ledgers ---------------------------------------------------------------------------------


@cache
def split_by_miners() -> World:
    """Race, miner-led split and pin."""
    return watched(frozen_case(60, *BY_SITE, *DEVOTED, events=(directive(),)))


def test_the_ledgers_hold_through_a_race_a_split_and_a_pin():
    world = split_by_miners()
    told = kinds(world)
    assert told.index("directive") < told.index("split") < told.index("pinned")
    split = world.politics.split
    assert (split.by, split.kind) == (SplitKind.MINERS, None)
    assert split.free.height > split.compliant.height
    # Every miner of the day of the split holds what it had then on both coins, and more.
    assert (world.miners["free_sat"] > 0).any()


@cache
def wiped_out() -> World:
    return watched(
        frozen_case(60, *BY_SITE, *HELPLESS, us_share=0.4, events=(directive(),)), days=40
    )


def test_the_ledgers_hold_through_wipe_outs_and_second_splits():
    world = wiped_out()
    told = kinds(world)
    assert {"wipeout", "split_reverted"} <= set(told)
    assert told.count("split") >= 2
    assert world.politics.splits == told.count("split")
    assert told.index("split") < told.index("wipeout")


@pytest.mark.parametrize("days", [1, 2, 3, 4, 5])
def test_a_chain_that_survived_a_wipe_out_mines_on(days: int):
    """The directive ends with a tree on the chain that was one of two."""
    first = wiped_out().politics.first["wipeout"]
    ends = date.fromisoformat(first) + timedelta(days=days)
    case = frozen_case(45, *BY_SITE, *HELPLESS, us_share=0.4, events=(directive(until=ends),))
    world = watched(case)
    assert world.politics.tree is None
    assert world.politics.split is None
    assert world.chain.height > world.case.start.height + 30 * 100
    assert world.outcome()["flags"] == ["filtering", "wiped_out", "split_reverted"]


def test_outnumbered_enforcers_opt_out_by_checkpoints_once():
    """Nobody pins the free side: it is undone, and the checkpointed chain goes on alone."""
    sets = (*BY_SITE, 'hypotheses.minority="checkpoints"')
    order = directive(patience="lag:6")
    world = watched(frozen_case(150, *sets, events=(order,)))
    told = kinds(world)
    assert told.count("split") == told.count("wipeout") == world.politics.splits == 1
    opted_out = date.fromisoformat(world.politics.first["split"])
    assert opted_out - order.date == timedelta(days=splitting.MINORITY_DAYS)
    assert world.price_usd == world.outside_usd
    assert world.outcome()["flags"][-3:] == ["wiped_out", "split_reverted", "checkpoints"]


def test_a_directive_that_both_coins_keep_censors_both():
    """Two nations forbid different payments: the smaller one's part, the larger one's do not."""
    orders = (directive("USA"), directive("RUS", DAY + timedelta(days=1)))
    world = watched(frozen_case(60, *BY_SITE, us_share=0.7, events=orders))
    split = world.politics.split
    assert split is not None
    (american, russian) = world.politics.live
    assert split.kept == [american]
    assert split.parts(russian)
    assert ending.resistance(world) == (0.0, 0.0)


def test_a_later_split_is_alive_though_an_earlier_one_was_undone():
    world = wiped_out()
    case = frozen_case(60, *BY_SITE, *HELPLESS, us_share=0.4, events=(directive(),))
    again = World(case)
    while again.politics.splits < 2:
        again.step()
    outcome = again.outcome()
    assert again.politics.ended is not None
    assert again.politics.split is not None
    assert outcome["base"] == "O5"
    assert "wiped_out" not in outcome["flags"]
    assert "wipeout" in outcome["first_passage"]
    while again.politics.split is not None:
        again.step()
    assert again.outcome()["base"] is None
    assert "wiped_out" in again.outcome()["flags"]
    assert world.politics.first == again.politics.first


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["filter", "enforce"])
@pytest.mark.parametrize("us_share", [0.25, 0.6])
def test_the_ledgers_hold_through_users_forks(kind: str, level: str, us_share: float):
    events = (directive(level=level, until=DAY + timedelta(days=40)),
              fork(kind, DAY + timedelta(days=3)))  # fmt: skip
    world = watched(
        frozen_case(60, *DEVOTED, 'hypotheses.custody="sell"', us_share=us_share, events=events)
    )
    split = world.politics.split
    assert split.by == SplitKind.USERS
    assert split.day == (DAY - START).days + 3
    assert split.pinned_on == split.day
    assert not world.politics.live


@pytest.mark.parametrize("us_share", [0.25, 0.45, 0.6])
@pytest.mark.parametrize("days", [1, 2, 5])
def test_the_ledgers_hold_when_a_directive_ends_with_or_without_rivals(us_share: float, days: int):
    ends = DAY + timedelta(days=days)
    case = frozen_case(40, *BY_SITE, *DEVOTED, us_share=us_share, events=(directive(until=ends),))
    world = World(case)
    while world.today < ends:
        world.step()
    rivals = len(world.politics.tree.branches())
    assert rivals == 2 or us_share == 0.6
    watched(case)


@pytest.mark.parametrize("rule", ["bitcoin", "eda", "asert"])
def test_the_ledgers_hold_under_every_difficulty_rule(rule: str):
    event = fork("rules", difficulty_rule=rule, asert_from=DAY + timedelta(days=30),
                 free_value_share=0.07)  # fmt: skip
    world = watched(frozen_case(90, events=(event,)))
    assert world.recorder["free_coin_value_share"][6] == pytest.approx(0.07)
    assert "difficulty_rule" in kinds(world)


def test_several_directives_may_begin_and_end_on_one_day():
    events = (
        directive(until=ENDS), directive("CHN", level="filter", until=ENDS),
        pool_filter("AntPool", until=ENDS),
    )  # fmt: skip
    world = watched(frozen_case(40, us_share=0.6, events=events))
    assert not world.politics.live
    assert world.politics.tree is None


def test_a_directive_may_end_the_day_after_firms_were_founded():
    for events in (
        (directive(until=date(2025, 5, 2)),),
        (directive(), fork("rules", date(2025, 5, 2))),
        (directive(), fork("invalidate", date(2025, 5, 2))),
    ):
        entry = ("firms.entry=true", "firms.entrants_yr=5")
        case = frozen_case(40, *BY_SITE, *entry, us_share=0.6, events=events)
        world = World(case)
        while world.today < date(2025, 5, 2):
            world.step()
        before = world.miners.size
        world.makers["tobin_q"] = 4.0
        banking.found_firms(world)
        assert world.miners.size > before
        while world.running:
            world.step()
            check_coins(world)


def test_coins_are_whole_after_a_blackout_in_a_race():
    outage = Outage(kind="outage", date=DAY + timedelta(days=2), until=DAY + timedelta(days=5),
                    place="WORLD", available=0.0)  # fmt: skip
    for ends in (1, 3, 4, 9):
        events = (directive(until=DAY + timedelta(days=ends)), outage)
        watched(frozen_case(25, *BY_SITE, *DEVOTED, events=events))


# --- users' forks ----------------------------------------------------------------------------


@cache
def forked(kind: str, *sets: str) -> World:
    events = (directive(), fork(kind, DAY + timedelta(days=3)))
    return watched(frozen_case(40, *BY_SITE, *sets, us_share=0.6, events=events))


def test_old_machines_have_no_hashrate_on_a_new_algorithm():
    """C09: all of them mine the other coin, and are paid by it alone."""
    world = forked("new_algorithm")
    split = world.politics.split
    assert split.kind == ForkKind.NEW_ALGORITHM
    on_free = split.hashrate_ths[FREE]
    assert on_free[Behaviour.AUTOMATIC] > 0.0
    assert (np.delete(on_free, Behaviour.AUTOMATIC) == 0.0).all()
    assert int(world.miners["earned_sat"].sum()) == world.blocks.reward_sat
    own = split.compliant.hashprice(world.coin_prices[COMPLIANT], world.fees_btc)
    assert splitting.revenue_usd_ths_day(world) == own
    # The coin finds blocks though no machine in the model mines it.
    assert split.free.height > split.compliant.start_height + 30 * 100


def test_the_free_coin_of_a_new_algorithm_begins_on_target():
    """Commodity hardware enters freely: blocks come on target from the first day."""
    world = forked("new_algorithm")
    split = world.politics.split
    days = world.day - split.day
    blocks = split.free.height - split.free.start_height
    assert blocks == pytest.approx(144 * days, abs=4.0 * np.sqrt(144 * days) + 0.05 * 144 * days)


def test_invalidation_keeps_those_told_off_the_free_coin():
    world = forked("invalidate")
    split = world.politics.split
    share = world.miners["work"][split.rejected].sum() / world.miners["work"].sum()
    assert 0.4 < share < 0.75
    on_free = split.hashrate_ths[FREE].sum() / split.hashrate_ths.sum()
    assert 0.0 < on_free < 1.0 - share + 0.01
    assert split.hashrate_ths[FREE, Behaviour.LOYAL_COMPLIANT] == 0.0


def test_a_fork_may_fall_on_the_first_and_on_the_last_day():
    for kind in KINDS:
        for day in (START, START + timedelta(days=9)):
            world = watched(frozen_case(10, events=(fork(kind, day),)))
            assert world.politics.split.day == (day - START).days


def test_custodians_who_sell_lower_the_opening_share_for_a_time():
    """C10, C60: against custodians who freeze; the shift decays as holders settle."""
    sets = ('hypotheses.fork="new_algorithm"', "neutrality.volume_btc_day=30000")
    freeze, sell = (
        watched(
            frozen_case(
                400, *sets, f'hypotheses.custody="{custody}"', us_share=0.6,
                events=(directive(level="filter"), fork("rules", DAY + timedelta(days=1))),
            )
        ).recorder["free_coin_value_share"][7:]
        for custody in ("freeze", "sell")
    )  # fmt: skip
    assert sell[0] < freeze[0] - 1e-3
    gap = freeze - sell
    assert (gap > 0.0).all()
    assert gap[-1] < 0.8 * gap[0]


def test_custodians_sell_a_share_of_what_adopters_hold():
    world = forked("rules", 'hypotheses.custody="sell"')
    groups = world.politics.split.coins.groups
    told = world.nations["gdp_share"][world.politics.live[0].adopted].sum()
    event = world.recorder.events()
    words = event.filter(event["kind"] == "custody")["what"][0]
    supply = supply_sat(world.chain.start_height) / SATOSHI_PER_COIN
    expected = 0.5 * told * supply * groups.weight[groups.custody].sum()
    assert f"{expected:,.0f}" in words


def test_discontent_holders_ask_for_a_fork_and_get_it():
    """F.8: enough censorship for long enough, a lead, and then two coins."""
    sets = (
        "forks.tolerance_low=0", "forks.tolerance_high=0.2", "forks.patience_days_low=10",
        "forks.patience_days_high=20", "forks.lead_days_low=20", "forks.lead_days_high=20",
        'hypotheses.jurisdiction="site"', 'hypotheses.fork="new_algorithm"',
    )  # fmt: skip
    world = watched(frozen_case(110, *sets, us_share=0.6, events=(directive(),)))
    proposed = date.fromisoformat(world.politics.first["fork_proposed"])
    split = date.fromisoformat(world.politics.first["split"])
    assert split - proposed == timedelta(days=20)
    assert world.outcome()["class"] == "O4a"
    none = watched(frozen_case(110, *sets, 'hypotheses.fork="none"', us_share=0.6,
                               events=(directive(),)))  # fmt: skip
    assert none.politics.splits == 0
    assert none.outcome()["class"] == "O3"


# --- columns ---------------------------------------------------------------------------------


def test_blocks_of_a_day_are_those_found():
    """On days with a tree the orphans too, on others those of the coin that complies."""
    for case in (
        frozen_case(45, *BY_SITE, *DEVOTED, events=(directive(until=ENDS),)),
        frozen_case(25, *BY_SITE, *HELPLESS, us_share=0.4, events=(directive(),)),
    ):
        world, found = World(case), []
        while world.running:
            world.step()
            day = world.blocks
            found.append(day.found_by.size if isinstance(day, DayOfTree) else day.blocks)
        assert world.recorder["blocks"].tolist() == found
        assert np.isfinite(world.recorder["orphan_rate"]).all()


def test_machines_that_are_told_stay_on_the_compliant_coin():
    """F.11: coerced hashrate is loyal by law; the others add up to the rest."""
    world = split_by_miners()
    placed = world.politics.split.hashrate_ths
    assert placed[FREE, Behaviour.COERCED] == 0.0
    assert placed[COMPLIANT, Behaviour.LOYAL_FREE] == 0.0
    assert placed.sum() == pytest.approx(world.hashrate_ths, rel=1e-9)
    coerced = placed[COMPLIANT, Behaviour.COERCED] / placed.sum()
    shares = world.recorder["enforcing_share"][-1]
    assert coerced == pytest.approx(shares, abs=0.02)
