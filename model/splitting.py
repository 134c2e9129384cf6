"""Two coins after a split: how they begin, who mines which, and how one may be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents import complying, holding
from agents.miner import Miner
from model import branching, pricing
from model.branching import divided, mine_alone, pay_branch, take_best_branch
from model.chain.branch import Rule, SplitChain
from model.chain.chain import Chain
from model.chain.compliance import Choice, Directive
from model.chain.forks import (
    ForkKind,
    can_attack,
    is_wiped_out,
    pin_day,
    reach,
    rejected_owners,
)
from model.chain.outcome import SplitKind
from model.chain.tree import BlockTree, DayOfTree
from model.chain.two_coins import (
    COMPLIANT,
    FREE,
    Behaviour,
    Payment,
    better_is_free,
    mine_two_coins,
)
from model.politics import Split
from model.sharing import shared
from model.units import (
    BLOCK_TARGET_S,
    HASHES_PER_DIFFICULTY,
    HOURS_PER_DAY,
    SATOSHI_PER_COIN,
)

if TYPE_CHECKING:
    from model.chain.chain import DayOfBlocks
    from model.events import Fork
    from model.world import World

NO_DAY = -1
MINORITY_DAYS = 30  # after which enforcers know that they are outnumbered
DATED_FORKS = {
    "new_algorithm": ForkKind.NEW_ALGORITHM,
    "invalidate": ForkKind.INVALIDATION,
    "rules": ForkKind.OTHER_RULES,
}
FORKED = {
    ForkKind.NEW_ALGORITHM: "users fork the chain: new algorithm",
    ForkKind.INVALIDATION: "users fork the chain: invalidation of known bad actors' blocks",
    ForkKind.OTHER_RULES: "users fork the chain: other rules",
    ForkKind.CHECKPOINTS: "enforcers, outnumbered, leave the chain by signed checkpoints",
}
RULES = {"bitcoin": Rule.EPOCHS, "eda": Rule.EMERGENCY, "asert": Rule.CONTINUOUS}


def find_blocks(world: World) -> DayOfBlocks | DayOfTree:
    """Find the blocks of the day and pay for them."""
    politics = world.politics
    if politics.tree is None:
        politics.rest()
    if politics.split is not None:
        return mine_two(world, politics.split)
    if politics.tree is None:
        return mine_alone(world)
    tree = politics.tree
    day = branching.mine_tree(world, tree)
    if day.split_is_final:
        split_by_miners(world, tree)
    return day


# How a split begins


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
    market = holdings[1] + reserves_sat(world)
    on_free, on_compliant = (
        float(politics.work[:, side.parties].sum()) for side in (free, compliant)
    )
    free_hash = on_free / max(on_free + on_compliant, 1e-300)
    # Nobody changed a rule, the difficulty's least of all.
    work = (compliant.work, free.work)
    split = begin_split(world, lone, None, SplitKind.MINERS, work, free_hash, Rule.EPOCHS)
    split.free_market_sat = market - (free.fees_sat - fees)
    broken = free.offences & ~compliant.offences
    split.kept = [live for bit, live in enumerate(politics.live) if not broken >> bit & 1]
    # From this day on there are two prices, though the day's machines ran for the old one.
    world.coin_prices = holding.value_coins(world, split)
    world.price_usd = world.coin_prices[COMPLIANT]
    world.tell("split", "WORLD", f"miners have split the chain: the free branch has "
               f"{free.work / max(compliant.work, 1e-300):.1f} times the work")  # fmt: skip


def split_by_users(world: World, kind: ForkKind, rule: Rule | None = None) -> None:
    """Users, or enforcers by checkpoints, fork: from today two coins have the same past."""
    politics = world.politics
    if politics.tree is not None:
        take_best_branch(world)
    world.miners["free_sat"] = world.miners["treasury_sat"].copy()
    market = world.market_sat + reserves_sat(world)
    free = world.chain.copy_at(world.chain.tip, np.zeros(0))
    split = begin_split(world, free, kind, SplitKind.USERS, rule=rule)
    split.free_market_sat = market
    world.tell("split", "WORLD", FORKED[kind])


def reserves_sat(world: World) -> int:
    """Coins of nations and of operators, whose free coins lie with the market after a split.

    What they do with them is not told apart.
    """
    return int(world.nations["reserve_sat"].sum() + world.pools["reserve_sat"].sum())


def begin_split(
    world: World,
    free: Chain,
    kind: ForkKind | None,
    by: SplitKind,
    work: tuple[float, float] = (0.0, 0.0),
    free_hash: float | None = None,
    rule: Rule | None = None,
) -> Split:
    """Set up both chains, with their work so far, and what they are worth.

    Nobody knows yet how hashrate divides (`free_hash`) where users fork.
    """
    politics, forks = world.politics, world.case.forks
    politics.tree, politics.splits = None, politics.splits + 1
    # Every split draws for itself whether its free side pins itself, and when.
    key = np.uint64((int(world.streams.key("pins")) + politics.splits) % 2**64)
    rule = RULES[forks.difficulty_rule] if rule is None else rule
    compliant = SplitChain(
        world.chain, world.streams.key("blocks"), Rule.EPOCHS, None, work[COMPLIANT]
    )
    split = Split(
        compliant,
        SplitChain(free, world.streams.key("free blocks"), rule, None, work[FREE]),
        holding.open_market(world, holding.EVEN if free_hash is None else free_hash),
        kind,
        by,
        world.day,
        pin_day(kind, float(world.day), key, forks.pinned, (1.0, forks.pin_days)),
    )
    on_free = free_hash or 0.0
    split.hashrate_ths[:, Behaviour.AUTOMATIC] = world.hashrate_ths * np.array(
        [1.0 - on_free, on_free]
    )
    world.chain, politics.split = compliant, split
    politics.passed("split", world)
    if kind == ForkKind.NEW_ALGORITHM:
        start_anew(world, split, free, rule)
    return split


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
    due = any(event.date == world.today for event in dated) or world.discontent.is_due(world.day)
    if world.politics.split is not None and due:
        world.discontent.activation_day = NO_DAY
        world.tell("fork_refused", "WORLD", "a fork is due while there are two coins already")
    if world.politics.split is None and any(event.date == world.today for event in dated):
        event = dated[0]
        rule = None if event.difficulty_rule is None else RULES[event.difficulty_rule]
        split_by_users(world, DATED_FORKS[event.fork], rule)
    elif outnumbered(world):
        world.politics.opted_out = True
        split_by_users(world, ForkKind.CHECKPOINTS)
    elif holding.fork_due(world):
        world.discontent.activation_day = NO_DAY
        split_by_users(world, holding.KINDS[world.case.hypotheses.fork])
    change_rule(world, dated)


def outnumbered(world: World) -> bool:
    """Whether enforcers, fewer than half after a month, opt out by checkpoints of their own.

    They do so once: where the others come back to their chain, it goes on by checkpoints.
    """
    politics = world.politics
    if world.case.hypotheses.minority != "checkpoints":
        return False
    if politics.opted_out or politics.split is not None:
        return False
    return any(
        live.level == Directive.ENFORCE
        and 0.0 < live.shares.enforcing < 0.5
        and (world.today - live.event.date).days >= MINORITY_DAYS
        for live in politics.live
    )


def change_rule(world: World, dated: list[Fork]) -> None:
    """A free coin may change its difficulty rule on a later day."""
    split = world.politics.split
    if split is not None and any(event.asert_from == world.today for event in dated):
        split.free = SplitChain(split.free, split.free.key, Rule.CONTINUOUS, None, split.free.work)
        world.tell("difficulty_rule", "WORLD", "the free coin takes the continuous rule")


# The day's blocks of both


def behaviours(world: World, split: Split) -> np.ndarray:
    """Work of each miner by how it chooses between the coins, TH/s, [miner, 5]."""
    politics, forks = world.politics, world.case.forks
    by_miner = np.zeros((world.miners.size, len(Behaviour)))
    work, coerced = world.miners["work"], 0.0
    staunch = np.full(world.miners.size, bool(politics.live))
    if politics.live:
        politics.work = complying.take_sides(world, politics.live, world.blocks.retargets > 0)
        parts = complying.divide_work(world, politics.live)
        parting = [bit for bit, live in enumerate(politics.live) if split.parts(live)]
        reached = np.arange(parts.shape[1]) & sum(1 << bit for bit in parting) != 0
        coerced = parts[:, reached].sum(axis=1)
        # Nobody enforces who is not told to, or is no worse off by it.
        for bit in parting:
            staunch &= politics.live[bit].free != Choice.ENFORCE
    own = np.maximum(work - coerced, 0.0)
    # To whom neutrality is worth a whole block's reward, no other coin pays better.
    devoted = staunch & (complying.convictions(world) >= 1.0)
    by_miner[:, Behaviour.COERCED] = coerced
    by_miner[:, Behaviour.FICKLE] = np.where(devoted, 0.0, forks.fickle_share * own)
    by_miner[:, Behaviour.AUTOMATIC] = np.where(devoted, 0.0, forks.automatic_share * own)
    # Where all hashrate is fickle or automatic, rounding leaves a little less than none.
    moving = by_miner[:, Behaviour.FICKLE] + by_miner[:, Behaviour.AUTOMATIC]
    loyal = np.maximum(own - moving, 0.0)
    convinced = np.minimum(forks.loyal_share * own, loyal)
    by_miner[:, Behaviour.LOYAL_FREE] = np.where(staunch, loyal, convinced)
    by_miner[:, Behaviour.LOYAL_COMPLIANT] = loyal - by_miner[:, Behaviour.LOYAL_FREE]
    refused = np.flatnonzero(split.rejected[: world.miners.size])
    by_miner[refused] = 0.0
    by_miner[refused, Behaviour.LOYAL_COMPLIANT] = work[refused]
    return by_miner


def mine_two(world: World, split: Split) -> DayOfBlocks:
    """Two coins, whose miners choose between them."""
    if split.kind == ForkKind.NEW_ALGORITHM:
        return mine_apart(world, split)
    if split.kind == ForkKind.INVALIDATION and split.day == world.day:
        refuse_known(world, split)
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
    politics.passed("wipeout", world)
    world.tell("wipeout", "WORLD", "the free side, unpinned, falls behind and is undone")
    branching.plant_tree(world)


def set_prices(world: World) -> None:
    """The coin price of the day, USD, and those of both coins after a split."""
    split = world.politics.split
    world.outside_usd = pricing.outside_price(world)
    world.coin_prices = (world.outside_usd, 0.0)
    if split is not None:
        world.coin_prices = holding.value_coins(world, split)
    world.price_usd = world.coin_prices[0]


def revenue_usd_ths_day(world: World) -> float:
    """Revenue of 1 TH/s in a day, over both coins if there are two, USD."""
    politics = world.politics
    if politics.split is None:
        return branching.hashprice(world, world.price_usd)
    compliant, free = world.coin_prices
    own = world.chain.hashprice(compliant, world.fees_btc)
    if politics.split.kind == ForkKind.NEW_ALGORITHM:
        return own
    other = politics.split.free.hashprice(free, world.fees_btc)
    on_coin = politics.split.hashrate_ths.sum(axis=1)
    return float((on_coin[COMPLIANT] * own + on_coin[FREE] * other) / max(on_coin.sum(), 1e-300))
