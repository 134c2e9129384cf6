"""How blocks are found on one chain, or on a tree of branches whose miners refuse each other's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from agents import complying
from agents.complying import STANCES, LiveDirective
from agents.miner import Miner
from model import paying
from model.chain.censorship import bribes, offence_chance
from model.chain.compliance import Choice, Directive
from model.chain.patience import Patience
from model.chain.sides import Stances
from model.chain.tree import BlockTree, DayOfTree
from model.sharing import shared
from model.units import SATOSHI_PER_COIN, SECONDS_PER_DAY

if TYPE_CHECKING:
    from model.chain.chain import DayOfBlocks
    from model.world import World


DAYS_TO_TELL = 3  # by then members have left pools that comply
NOTICED = 0.001  # of the hashrate, from which filtering is one


# Directives that begin and end


def follow_law(world: World) -> None:
    """Daily: put directives and filters into force, or out of it."""
    politics = world.politics
    for event in world.case.events:
        if event.kind not in ("directive", "filter"):
            continue
        if event.kind == "filter" and world.case.censorship.forbidden_day == 0.0:
            continue  # there is nothing to leave out
        running = [live for live in politics.live if live.event is event]
        if event.in_force(world.today) and not running:
            politics.live.append(complying.begin(world, event))
            if event.kind == "directive":
                politics.effective = True
                politics.passed("directive", world)
            plant_tree(world)
        elif running and not event.in_force(world.today):
            politics.live.remove(running[0])
            plant_tree(world)


def plant_tree(world: World) -> None:
    """Begin a new tree on the settled chain, with parties for the directives in force.

    What is pending on a tree before it is lost or settled with its best branch.
    """
    politics = world.politics
    if politics.split is not None:
        return
    if politics.tree is not None:
        take_best_branch(world)
    if not politics.live:
        return
    politics.tree = BlockTree(
        world.chain.tip,
        world.streams.key("blocks"),
        STANCES ** len(politics.live),
        len(politics.live),
        tip_rule=world.case.hypotheses.tip,
        off_by_one=world.case.chain.off_by_one,
        start_s=float(world.day) * SECONDS_PER_DAY,
        recent_s=world.chain.recent_s,
    )


def take_best_branch(world: World) -> None:
    """End a tree: the branch of most work is the chain, and its blocks are paid."""
    politics = world.politics
    assert politics.tree is not None
    best = politics.tree.branches()[0]
    pay_branch(world, best.owed_sat(politics.work.shape[1]))
    world.chain.settle(best.tip, best.block_times_s, best.block_rewards_sat,
                       best.fees_sat - politics.tree.fees_sat)  # fmt: skip
    world.market_sat -= best.fees_sat - politics.tree.fees_sat
    politics.tree = None


def pay_branch(world: World, owed_sat: np.ndarray) -> None:
    """Pay what the blocks of a branch owe to the parties that found them, into treasuries.

    Miners who were founded since the parties last mined are owed nothing.
    """
    payouts = divided(world.politics.work, owed_sat)
    world.miners["treasury_sat"][: payouts.size] += payouts


def divided(work: np.ndarray, owed_sat: np.ndarray) -> np.ndarray:
    """Divide what each party is owed among its members by work; all of it, satoshi by miner."""
    payouts = np.zeros(work.shape[0], dtype=np.int64)
    everyone = work.sum(axis=1)
    for party in np.flatnonzero(owed_sat):
        members = work[:, party] if work[:, party].any() else everyone
        payouts += shared(members, int(owed_sat[party]))
    return payouts


# The day's blocks


def mine_alone(world: World) -> DayOfBlocks:
    """One chain that nobody disputes."""
    fair = paying.expected(world)
    published = world.hashrate_by_hour * paying.honest_share(world)
    blocks = world.chain.mine(world.day, published, world.fees_btc)
    payouts = paying.pay_for(world, blocks, fair)
    # Whoever transacts pays the transaction fees out of the coins the market holds.
    world.market_sat -= blocks.fees_sat
    world.market_sat += paying.donors_sat(world, blocks)
    Miner.take_payouts(world.miners, payouts)
    return blocks


def mine_tree(world: World, tree: BlockTree) -> DayOfTree:
    """One coin whose miners may refuse each other's blocks; rewards are paid when settled."""
    politics = world.politics
    politics.work = complying.take_sides(world, politics.live, world.blocks.retargets > 0)
    share = politics.work.sum(axis=0) / max(politics.work.sum(), 1e-300)
    chances = [
        offence_chance(world.case.censorship.forbidden_day, max(live.shares.including, 1e-9))
        for live in politics.live
    ]
    day = tree.mine(
        world.day,
        share[:, None] * world.hashrate_by_hour,
        stances_of_parties(politics.live),
        chances,
        world.fees_btc,
    )
    owed = np.bincount(day.block_parties, weights=day.block_rewards_sat, minlength=share.size)
    Miner.take_payouts(world.miners, divided(politics.work, owed.astype(np.int64)))
    world.chain.settle(tree.settled_tip, day.block_times_s, day.block_rewards_sat, day.fees_sat)
    world.market_sat -= day.fees_sat
    observe_tree(world, day)
    complying.leave_pools(world, politics.live)
    return day


def stances_of_parties(directives: list[LiveDirective]) -> Stances:
    """The rules of every party: its number holds a stance a directive, base 3."""
    refuses, offends, patience = [], [], []
    for party in range(STANCES ** len(directives)):
        digits = [party // STANCES**bit % STANCES for bit in range(len(directives))]
        refuses.append(sum(1 << bit for bit, own in enumerate(digits) if own == Choice.ENFORCE))
        offends.append(sum(1 << bit for bit, own in enumerate(digits) if own == Choice.INCLUDE))
        patience.append(least_patience(directives, digits))
    return Stances(refuses, offends, patience)


def least_patience(directives: list[LiveDirective], digits: list[int]) -> Patience:
    """Who enforces several directives gives up as the least patient of them does."""
    found = [
        live.patience for live, own in zip(directives, digits, strict=True) if own == Choice.ENFORCE
    ]
    bounded = [each for each in found if each.kind != "inf"]
    return min(bounded or found or [Patience("inf")], key=lambda each: (each.kind, each.blocks))


def observe_tree(world: World, day: DayOfTree) -> None:
    """Note what was orphaned, who waited, and what miners learn from races."""
    politics = world.politics
    politics.found.append(int(day.found_by.size))
    politics.orphaned.append(int(day.orphaned.sum()))
    politics.wait_hours = mean_wait_hours(day, world.case.censorship.forbidden_day)
    hit = int((day.block_offences > 0).sum())
    chance = max(
        offence_chance(world.case.censorship.forbidden_day, max(live.shares.including, 1e-9))
        for live in politics.live
    )
    politics.included.append(hit)
    # Outside races a block finds a transaction pending with this chance, whoever mines it.
    politics.pending.append(chance * day.blocks)
    racing = day.races > 0 or day.lead_blocks != 0.0
    for bit, live in enumerate(politics.live):
        enforcing = day.found_by // STANCES**bit % STANCES == Choice.ENFORCE
        if racing:
            live.estimate = live.estimate.after_races(int(enforcing.sum()), int((~enforcing).sum()))
    politics.reverted |= day.reverts > 0
    politics.filtered |= any(1.0 - live.shares.including > NOTICED for live in politics.live)
    tell_milestones(world, day)
    price_bribes(world)


def price_bribes(world: World) -> None:
    """Some days into an order to enforce: what it would cost to buy either side."""
    politics = world.politics
    for live in politics.live:
        old = (world.today - live.event.date).days >= DAYS_TO_TELL
        if politics.bribes is None and old and live.level == Directive.ENFORCE:
            reward_btc = world.chain.subsidy_sat / SATOSHI_PER_COIN + world.fees_btc
            politics.bribes = bribes(
                live.shares, live.patience, reward_btc, nation_budget_btc=0.0, users_budget_btc=0.0
            )


def mean_wait_hours(day: DayOfTree, arrivals_day: float) -> float:
    """Mean wait of the forbidden transactions that got in today, hours; NaN if none did.

    The tree counts from the last one that got in; until the next arrives nobody waits.
    """
    if day.waits_s.size == 0 or arrivals_day == 0.0:
        return math.nan
    return max(float(day.waits_s.mean()) / 3600.0 - 24.0 / arrivals_day, 0.0)


def tell_milestones(world: World, day: DayOfTree) -> None:
    """Tell what happens for the first time."""
    politics = world.politics
    if day.offences_orphaned.any():
        politics.passed("first_orphan", world, "a block with a forbidden transaction is orphaned")
    shares = max((live.shares for live in politics.live), key=lambda each: each.enforcing)
    if shares.enforcing > 0.5:
        politics.passed(
            "majority_enforces", world, f"{shares.enforcing:.0%} of the hashrate enforces"
        )
    if shares.including < 0.01:
        politics.passed("all_comply", world, "less than 1 % of the hashrate still includes")
    if politics.reverted:
        politics.passed("split_reverted", world, "a split that was final heals")


def hashprice(world: World, price_usd: float) -> float:
    """Revenue of 1 TH/s in a day on the branch of most work, before what is orphaned, USD."""
    tree = world.politics.tree
    if tree is None:
        return world.chain.hashprice(price_usd, world.fees_btc)
    return world.chain.hashprice_at(tree.tip.difficulty, price_usd, world.fees_btc)
