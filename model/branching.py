"""How the day's blocks are found: on one chain, on a tree of rival branches, or on two coins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from agents import complying, holding
from agents.complying import STANCES, LiveDirective
from agents.miner import Miner
from model.chain.branch import Rule, SplitChain
from model.chain.censorship import offence_chance
from model.chain.chain import Chain
from model.chain.compliance import Choice
from model.chain.forks import (
    ForkKind,
    can_attack,
    is_wiped_out,
    pin_day,
    reach,
    rejected_owners,
)
from model.chain.outcome import SplitKind
from model.chain.patience import Patience
from model.chain.sides import Stances
from model.chain.tree import BlockTree, DayOfTree
from model.chain.two_coins import (
    COMPLIANT,
    FREE,
    Behaviour,
    Payment,
    better_is_free,
    mine_two_coins,
)
from model.rewards.shared import shared
from model.rewards.solo import solo
from model.units import (
    BLOCK_TARGET_S,
    HASHES_PER_DIFFICULTY,
    HOURS_PER_DAY,
    SATOSHI_PER_COIN,
    SECONDS_PER_DAY,
)

if TYPE_CHECKING:
    from model.chain.chain import DayOfBlocks
    from model.events import Fork
    from model.world import World

NO_DAY = -1
DATED_FORKS = {
    "new_algorithm": ForkKind.NEW_ALGORITHM,
    "invalidate": ForkKind.INVALIDATION,
    "rules": ForkKind.OTHER_RULES,
}
RULES = {"bitcoin": Rule.EPOCHS, "eda": Rule.EMERGENCY, "asert": Rule.CONTINUOUS}
RECENT_DAYS = 90


@dataclass
class Split:
    """Two coins, of which the one that complies is `world.chain` too.

    Attributes
    ----------
    compliant, free : their chains
    coins : what they are worth
    kind, by : what the free side changed (none if miners split the chain), and who split it
    day : of the split
    pinned_on : day from which the free side refuses the other's first block
    fickle_on_free : where fickle miners are
    hashrate_ths : on each coin by behaviour, [2, 5], of yesterday
    free_market_sat : free coins that neither miners nor nations hold
    rejected : miners whose blocks the free coin's nodes refuse
    """

    compliant: SplitChain
    free: SplitChain
    coins: holding.Coins
    kind: ForkKind | None
    by: SplitKind
    day: int
    pinned_on: float
    fickle_on_free: bool = False
    hashrate_ths: np.ndarray = field(default_factory=lambda: np.zeros((2, len(Behaviour))))
    free_market_sat: int = 0
    rejected: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))


@dataclass
class Politics:
    """What governments, pools and users have made of the chain so far.

    Attributes
    ----------
    live : directives and filters in force
    tree : rival branches, while anything is in force and there is one coin
    work : of each miner by party, TH/s, today
    split : two coins, from the day of a split on
    ended : the last split, if it was undone
    found, orphaned : blocks found and orphaned on each day with a tree
    included, pending : main-chain blocks with a forbidden transaction, and found while one was
        pending, of the last 90 days
    wait_hours : mean wait of the forbidden transactions that got in today; NaN if none did
    first : name of a milestone to the date on which it was first passed
    effective, filtered : whether a directive was ever in force, whether anybody ever filtered
    splits : so far
    reverted : whether there is one chain again after a split that was final
    compliant_work, free_work : since the split, in units of difficulty
    """

    live: list[LiveDirective] = field(default_factory=list)
    tree: BlockTree | None = None
    work: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    split: Split | None = None
    ended: Split | None = None
    found: list[int] = field(default_factory=list)
    orphaned: list[int] = field(default_factory=list)
    included: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    wait_hours: float = math.nan
    first: dict[str, str] = field(default_factory=dict)
    effective: bool = False
    filtered: bool = False
    splits: int = 0
    reverted: bool = False
    compliant_work: float = 0.0
    free_work: float = 0.0

    def passed(self, milestone: str, world: World, what: str = "", subject: str = "WORLD") -> bool:
        """Note the first passage of a milestone; whether this is it."""
        if milestone in self.first:
            return False
        self.first[milestone] = world.today.isoformat()
        if what:
            world.tell(milestone, subject, what)
        return True


# Directives that begin and end


def follow_law(world: World) -> None:
    """Daily: put directives and filters into force, or out of it."""
    politics = world.politics
    for event in world.case.events:
        if event.kind not in ("directive", "filter"):
            continue
        running = [live for live in politics.live if live.event is event]
        if event.in_force(world.today) and not running:
            politics.live.append(complying.begin(world, event))
            politics.filtered = True
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
    """Pay what the blocks of a branch owe to the parties that found them, into treasuries."""
    world.miners["treasury_sat"] += divided(world.politics.work, owed_sat)


def divided(work: np.ndarray, owed_sat: np.ndarray) -> np.ndarray:
    """Divide what each party is owed among its members by work; all of it, satoshi by miner."""
    payouts = np.zeros(work.shape[0], dtype=np.int64)
    everyone = work.sum(axis=1)
    for party in np.flatnonzero(owed_sat):
        members = work[:, party] if work[:, party].any() else everyone
        payouts += shared(members, int(owed_sat[party]))
    return payouts


# The day's blocks


def find_blocks(world: World) -> DayOfBlocks | DayOfTree:
    """Find the blocks of the day and pay for them."""
    politics = world.politics
    if politics.split is not None:
        return mine_two(world, politics.split)
    if politics.tree is not None:
        return mine_tree(world, politics.tree)
    return mine_alone(world)


def mine_alone(world: World) -> DayOfBlocks:
    """One chain that nobody disputes."""
    blocks = world.chain.mine(world.day, world.hashrate_by_hour, world.fees_btc)
    if world.case.chain.payout == "solo":
        key = world.streams.key("winners")
        payouts = solo(world.miners["work"], blocks.block_rewards_sat, key, world.day)
    else:
        payouts = shared(world.miners["work"], blocks.reward_sat)
    # Whoever transacts pays the transaction fees out of the coins the market holds.
    world.market_sat -= blocks.fees_sat
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
    if day.split_is_final:
        split_by_miners(world, tree)
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
    politics.wait_hours = float(day.waits_s.mean() / 3600.0) if day.waits_s.size else math.nan
    hit = int((day.block_offences > 0).sum())
    chance = max(
        offence_chance(world.case.censorship.forbidden_day, max(live.shares.including, 1e-9))
        for live in politics.live
    )
    politics.included.append(hit)
    # Outside races a block finds a transaction pending with this chance, whoever mines it.
    politics.pending.append(max(hit, round(chance * day.blocks)))
    racing = day.races > 0 or day.lead_blocks != 0.0
    for bit, live in enumerate(politics.live):
        enforcing = day.found_by // STANCES**bit % STANCES == Choice.ENFORCE
        if racing:
            live.estimate = live.estimate.after_races(int(enforcing.sum()), int((~enforcing).sum()))
    politics.reverted |= day.reverts > 0
    tell_milestones(world, day)


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


# Two coins


def split_by_miners(world: World, tree: BlockTree) -> None:
    """Rival branches have parted for good: each is a coin."""
    politics = world.politics
    sides = tree.branches()
    compliant = next((side for side in sides if side.offences == 0), sides[-1])
    free = next(side for side in sides if side is not compliant)
    fees = tree.fees_sat
    before = world.chain
    holdings = world.miners["treasury_sat"].copy(), world.market_sat
    lone = before.copy_at(free.tip, free.block_times_s)
    pay_branch(world, compliant.owed_sat(politics.work.shape[1]))
    world.chain.settle(
        compliant.tip, compliant.block_times_s, compliant.block_rewards_sat,
        compliant.fees_sat - fees,
    )  # fmt: skip
    world.market_sat -= compliant.fees_sat - fees
    owed = divided(politics.work, free.owed_sat(politics.work.shape[1]))
    world.miners["free_sat"] = holdings[0] + owed
    # Nations' free coins lie with the market: what they do with them is not told apart.
    market = holdings[1] + int(world.nations["reserve_sat"].sum())
    begin_split(world, lone, None, SplitKind.MINERS, compliant.work, free.work)
    assert politics.split is not None
    politics.split.free_market_sat = market - (free.fees_sat - fees)
    world.tell("split", "WORLD", f"miners have split the chain: the free branch leads by "
               f"{free.work / max(compliant.work, 1e-300):.1f} times the work")  # fmt: skip


def split_by_users(world: World, kind: ForkKind, rule: Rule | None = None) -> None:
    """Users fork: from today there are two coins with the same past."""
    politics = world.politics
    if politics.tree is not None:
        take_best_branch(world)
    world.miners["free_sat"] = world.miners["treasury_sat"].copy()
    market = world.market_sat + int(world.nations["reserve_sat"].sum())
    begin_split(
        world, world.chain.copy_at(world.chain.tip, np.zeros(0)), kind, SplitKind.USERS, 0, 0, rule
    )
    assert politics.split is not None
    politics.split.free_market_sat = market
    words = kind.value.replace("_", " ")
    world.tell("split", "WORLD", f"users fork the chain: {words}")


def begin_split(
    world: World,
    free: Chain,
    kind: ForkKind | None,
    by: SplitKind,
    compliant_work: float,
    free_work: float,
    rule: Rule | None = None,
) -> None:
    """Set up both chains, what they are worth, and who holds them."""
    politics, forks = world.politics, world.case.forks
    politics.tree, politics.splits = None, politics.splits + 1
    key = world.streams.key(f"fork {politics.splits}")
    rule = RULES[forks.difficulty_rule] if rule is None else rule
    compliant = SplitChain(
        world.chain, world.streams.key("blocks"), Rule.EPOCHS, None, compliant_work
    )
    split = Split(
        compliant,
        SplitChain(free, world.streams.key("free blocks"), rule, None, free_work),
        holding.open_market(world),
        kind,
        by,
        world.day,
        pin_day(kind, float(world.day), key, forks.pinned, (1.0, forks.pin_days)),
    )
    split.hashrate_ths[COMPLIANT, Behaviour.AUTOMATIC] = world.hashrate_ths
    world.chain, politics.split = compliant, split
    politics.passed("split", world)
    if kind == ForkKind.INVALIDATION:
        refuse_known(world, split)
    if kind == ForkKind.NEW_ALGORITHM:
        start_anew(world, split, free, rule)


def start_anew(world: World, split: Split, parent: Chain, rule: Rule) -> None:
    """A new algorithm begins at the difficulty that fits the hardware it can rent."""
    world.coin_prices = holding.prices_now(world, split.coins)
    hashrate = holding.commodity_hashrate(world, split)
    difficulty = max(hashrate * 1e12 * BLOCK_TARGET_S / HASHES_PER_DIFFICULTY, 1.0)
    split.free = SplitChain(parent, split.free.key, rule, difficulty)


def refuse_known(world: World, split: Split) -> None:
    """Nodes of the free coin refuse the blocks of those they know to mine for a government."""
    politics, forks = world.politics, world.case.forks
    parts = complying.divide_work(world, politics.live)
    government = parts[:, 1:].sum(axis=1) > 0.5 * parts.sum(axis=1)
    split.rejected = rejected_owners(
        government, world.streams.key("fork"), forks.identified, forks.false_positive
    )
    reached = reach(parts.sum(axis=1), government, split.rejected)
    if can_attack(reached.anonymous_ths, reached.honest_ths):
        politics.passed("attack_feasible", world, "hashrate told to could attack the free coin")


def fork_if_due(world: World) -> None:
    """Begin the fork that users have proposed, or that the scenario dates."""
    dated = [event for event in world.case.events if event.kind == "fork"]
    if world.politics.split is None and any(event.date == world.today for event in dated):
        event = dated[0]
        rule = None if event.difficulty_rule is None else RULES[event.difficulty_rule]
        split_by_users(world, DATED_FORKS[event.fork], rule)
    elif holding.fork_due(world):
        world.discontent.activation_day = NO_DAY
        split_by_users(world, holding.KINDS[world.case.hypotheses.fork])
    change_rule(world, dated)


def change_rule(world: World, dated: list[Fork]) -> None:
    """A free coin may change its difficulty rule on a later day."""
    split = world.politics.split
    if split is not None and any(event.asert_from == world.today for event in dated):
        split.free = SplitChain(split.free, split.free.key, Rule.CONTINUOUS, None, split.free.work)
        world.tell("difficulty_rule", "WORLD", "the free coin takes the continuous rule")


def behaviours(world: World, split: Split) -> np.ndarray:
    """Work of each miner by how it chooses between the coins, TH/s, [miner, 5]."""
    politics, forks = world.politics, world.case.forks
    by_miner = np.zeros((world.miners.size, len(Behaviour)))
    work, coerced, staunch = world.miners["work"], 0.0, np.zeros(world.miners.size, dtype=bool)
    if politics.live:
        politics.work = complying.take_sides(world, politics.live, world.blocks.retargets > 0)
        coerced = complying.divide_work(world, politics.live)[:, 1:].sum(axis=1)
        # Nobody enforces who is not told to, or is no worse off by it.
        staunch = np.all([live.free != Choice.ENFORCE for live in politics.live], axis=0)
    own = np.maximum(work - coerced, 0.0)
    # To whom neutrality is worth a whole block's reward, no other coin pays better.
    devoted = staunch & (complying.convictions(world) >= 1.0)
    by_miner[:, Behaviour.COERCED] = coerced
    by_miner[:, Behaviour.FICKLE] = np.where(devoted, 0.0, forks.fickle_share * own)
    by_miner[:, Behaviour.AUTOMATIC] = np.where(devoted, 0.0, forks.automatic_share * own)
    loyal = own - by_miner[:, Behaviour.FICKLE] - by_miner[:, Behaviour.AUTOMATIC]
    by_miner[:, Behaviour.LOYAL_FREE] = loyal * staunch
    by_miner[:, Behaviour.LOYAL_COMPLIANT] = loyal * ~staunch
    refused = np.flatnonzero(split.rejected[: world.miners.size])
    by_miner[refused] = 0.0
    by_miner[refused, Behaviour.LOYAL_COMPLIANT] = work[refused]
    return by_miner


def mine_two(world: World, split: Split) -> DayOfBlocks:
    """Two coins, whose miners choose between them."""
    if split.kind == ForkKind.NEW_ALGORITHM:
        return mine_apart(world, split)
    by_miner = behaviours(world, split)
    total = by_miner.sum(axis=0)
    hours = world.hashrate_by_hour / max(world.hashrate_ths, 1e-300)
    payment = Payment(*world.coin_prices, world.fees_btc, world.fees_btc)
    if split.day == world.day:
        split.fickle_on_free = better_is_free(split.compliant, split.free, payment)
    day = mine_two_coins(
        world.day,
        split.compliant,
        split.free,
        hours[:, None] * total[None, :],
        payment,
        split.fickle_on_free,
        world.case.forks.switching_temperature,
    )
    split.fickle_on_free, split.hashrate_ths = day.fickle_on_free, day.hashrate_ths
    share = day.hashrate_ths / np.maximum(total, 1e-300)
    pay_coin(world, by_miner @ share[COMPLIANT], day.compliant.reward_sat, "compliant")
    world.market_sat -= day.compliant.fees_sat
    pay_coin(world, by_miner @ share[FREE], day.free.reward_sat, "free")
    split.free_market_sat -= day.free.fees_sat
    watch_work(world, split)
    return day.compliant


def mine_apart(world: World, split: Split) -> DayOfBlocks:
    """The free coin has a new algorithm: no machine of the old one has any hashrate on it."""
    if world.politics.live:
        complying.take_sides(world, world.politics.live, world.blocks.retargets > 0)
    blocks = mine_alone(world)
    hashrate = holding.commodity_hashrate(world, split)
    free = split.free.mine(world.day, np.full(HOURS_PER_DAY, hashrate), world.fees_btc)
    # Its miners are nobody that the model knows; they sell what they earn.
    split.free_market_sat += free.subsidy_sat
    split.hashrate_ths[FREE, Behaviour.AUTOMATIC] = hashrate
    watch_work(world, split)
    return blocks


def pay_coin(world: World, work: np.ndarray, reward_sat: int, coin: str) -> None:
    """Divide a coin's reward of the day among those who mined it; free coins are sold at once."""
    if work.sum() <= 0.0:
        work = world.miners["work"]
    payouts = shared(work, reward_sat)
    if coin == "compliant":
        Miner.take_payouts(world.miners, payouts)
        return
    split = world.politics.split
    assert split is not None
    split.free_market_sat += int(payouts.sum())
    usd = payouts * (world.coin_prices[1] / SATOSHI_PER_COIN)
    world.accounts.receive(world.miners["cash"], slice(None), usd, "exchange")


def watch_work(world: World, split: Split) -> None:
    """The side with less work that does not refuse the other's blocks is undone."""
    politics = world.politics
    compliant = split.compliant
    politics.compliant_work, politics.free_work = compliant.work, split.free.work
    pinned = split.pinned_on <= world.day
    if pinned:
        politics.passed("pinned", world, "the free side refuses the other's first block")
    if split.kind == ForkKind.NEW_ALGORITHM:
        return
    if is_wiped_out(compliant.work, split.free.work, pinned):
        wipe_out(world, split)


def wipe_out(world: World, split: Split) -> None:
    """The free side's blocks since the split go stale: there is one chain again."""
    politics = world.politics
    politics.ended, politics.split, politics.reverted = split, None, True
    world.miners["free_sat"] = 0
    politics.passed("wipeout", world, "the free side, unpinned, falls behind and is undone")
    plant_tree(world)


# What everyone sees of it


def revenue_usd_ths_day(world: World) -> float:
    """Revenue of 1 TH/s in a day, over both coins if there are two, USD."""
    politics = world.politics
    if politics.split is None:
        return hashprice(world, world.price_usd)
    compliant, free = world.coin_prices
    own = world.chain.hashprice(compliant, world.fees_btc)
    if politics.split.kind == ForkKind.NEW_ALGORITHM:
        return own
    other = politics.split.free.hashprice(free, world.fees_btc)
    on_coin = politics.split.hashrate_ths.sum(axis=1)
    return float((on_coin[COMPLIANT] * own + on_coin[FREE] * other) / max(on_coin.sum(), 1e-300))


def hashprice(world: World, price_usd: float) -> float:
    """Revenue of 1 TH/s in a day on the branch of most work, before what is orphaned, USD."""
    tree = world.politics.tree
    if tree is None:
        return world.chain.hashprice(price_usd, world.fees_btc)
    return world.chain.hashprice_at(tree.tip.difficulty, price_usd, world.fees_btc)
