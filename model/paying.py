"""How the blocks of a day are paid for: by work, to their finders, or by each pool's scheme."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import gammaln

from agents.joining import SCHEME_NAMES, makes_templates
from agents.pool import SOLO
from agents.pooling import expected_part
from model import ledger, metrics
from model.chain.blocks import subsidy_sat
from model.rewards.covenant import Covenant, Feeder
from model.rewards.pool import with_rows
from model.rewards.scheme import CovenantTerms, Income, RewardScheme, Settlement, Terms
from model.rewards.schemes import SCHEMES
from model.rewards.solo import solo, winners
from model.sharing import shared
from model.streams import uniforms
from model.units import (
    BLOCK_TARGET_S,
    BLOCKS_PER_DAY,
    HALVING_BLOCKS,
    SATOSHI_PER_COIN,
    SECONDS_PER_DAY,
    blocks_per_second,
)

if TYPE_CHECKING:
    from model.chain.chain import DayOfBlocks
    from model.parameters_pools import Pools
    from model.world import World

# Length of the periods over which payouts are compared with work, and the least of each, days.
HORIZONS = {"month": 28, "year": 365}
# Miners count whose work at its highest was less than so many times its lowest in a period.
STEADY = 2.0
NO_POOL = -2


class Expected(NamedTuple):
    """What the day's hashrate is worth at the day's difficulty.

    Attributes
    ----------
    blocks : that it finds on average, all of it honest.
    subsidy_sat, fees_sat : of a block, to proof of work.
    halving_s : when the next halving comes if blocks come on target, in seconds since day 0.
    """

    blocks: float
    subsidy_sat: float
    fees_sat: float
    halving_s: float


class Infiltration(NamedTuple):
    """Work of each miner that finds blocks, and that pretends to in a victim pool, TH/s."""

    honest: np.ndarray
    pretended: np.ndarray
    victim: int


@dataclass
class Deviations:
    """How far payouts were from what the work was worth, over periods of one length.

    Attributes
    ----------
    least_days : of a period that counts.
    paid_sat, fair_sat : of each miner in the period so far.
    scheme : that paid each miner when the period began.
    days : of the period so far.
    least_sat, most_sat : of what each miner's work was worth on a day of the period.
    sums : over the periods that ended, [what, scheme], of what was fair, times 1, times payouts
        over it, their distance from what is promised, and the distance that mining alone would
        have on average.
    """

    least_days: int
    paid_sat: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fair_sat: np.ndarray = field(default_factory=lambda: np.zeros(0))
    days: int = 0
    least_sat: np.ndarray = field(default_factory=lambda: np.zeros(0))
    most_sat: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scheme: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sums: np.ndarray = field(default_factory=lambda: np.zeros((4, len(SCHEME_NAMES))))

    def add(self, paid_sat: np.ndarray, fair_sat: np.ndarray, scheme: np.ndarray) -> None:
        """A day's payouts, what the day's work was worth, and the scheme that paid."""
        size = fair_sat.size
        if self.days == 0:
            self.scheme = scheme
        self.paid_sat = with_rows(self.paid_sat, size) + paid_sat
        self.fair_sat = with_rows(self.fair_sat, size) + fair_sat
        least = with_rows(self.least_sat, size) if self.days else fair_sat
        self.least_sat = np.minimum(least, fair_sat)
        self.most_sat = np.maximum(with_rows(self.most_sat, size), fair_sat)
        self.days += 1

    def close(self, scheme: np.ndarray, promised: np.ndarray, block_sat: float) -> None:
        """End a period, of miners paid by a scheme that promises a part of what is fair.

        Who changed its scheme or its work much within it does not count: a scheme that pays late
        pays for work that is not there any more, and that is no risk.
        """
        if self.days >= self.least_days:
            seen = self.most_sat < STEADY * self.least_sat
            seen[: self.scheme.size] &= scheme[: self.scheme.size] == self.scheme
            seen[self.scheme.size :] = False
            fair = self.fair_sat[seen]
            ratio = self.paid_sat[seen] / fair
            swing = np.abs(ratio - promised[seen])
            alone = poisson_swing(fair / block_sat)
            for row, value in enumerate((1.0, ratio, swing, alone)):
                self.sums[row] += np.bincount(
                    scheme[seen], weights=fair * value, minlength=len(SCHEME_NAMES)
                )
        for name in ("paid_sat", "fair_sat", "least_sat", "most_sat"):
            setattr(self, name, np.zeros(0))
        self.days = 0

    def relative(self) -> dict[str, Fortune]:
        """What became of those paid by each scheme in use."""
        return {
            name: Fortune.of(self.sums[:, row])
            for row, name in enumerate(SCHEME_NAMES)
            if self.sums[0, row] > 0.0
        }


class Fortune(NamedTuple):
    """Payouts of a scheme over what was fair, over periods of one length, weighted by work.

    Attributes
    ----------
    mean : payouts over what was fair.
    swing : mean distance from what the scheme promises.
    over_alone : that distance over the one which the same miners would have on average alone.
    """

    mean: float
    swing: float
    over_alone: float

    @classmethod
    def of(cls, sums: np.ndarray) -> Fortune:
        """From the sums of `Deviations`."""
        weight, paid, swing, alone = sums
        return cls(float(paid / weight), float(swing / weight), float(swing / alone))


def poisson_swing(blocks: np.ndarray) -> np.ndarray:
    """Mean relative distance of a Poisson number of blocks from its mean.

    Notes
    -----
    De Moivre's formula: E|N - n| = 2 exp(-n) n**(k + 1) / k! with k the whole part of n.
    """
    whole = np.floor(blocks)
    log_swing = -blocks + (whole + 1.0) * np.log(blocks) - gammaln(whole + 1.0)
    return 2.0 * np.exp(log_swing) / blocks


@dataclass
class Pooling:
    """The schemes at work, and what has become of those who are paid by them.

    Attributes
    ----------
    schemes : of each pool, in the order of its rows.
    alone : the scheme of those who mine alone.
    feeder : the pool that is one member of the covenant pool, if one is.
    deviations : by horizon.
    earned_sat, worth_sat : of each pool's members over the whole run, own hashrate that
        infiltrates other pools included: payouts, and what their work was worth.
    block_sat : what a block paid on the last day that schemes were at work.
    """

    schemes: list[RewardScheme]
    alone: RewardScheme
    feeder: Feeder | None
    deviations: dict[str, Deviations]
    earned_sat: np.ndarray
    worth_sat: np.ndarray
    block_sat: float = 0.0


def open_pools(world: World) -> None:
    """Make every pool's scheme from what it posts, and give operators their reserves."""
    terms, pools = world.case.pools, world.pools
    paid = world.case.chain.payout == "pools"
    reserve = round(terms.reserve_btc * SATOSHI_PER_COIN) if paid else 0
    schemes = []
    for row, cut in zip(pools["scheme"], pools["cut"], strict=True):
        kind = SCHEMES[SCHEME_NAMES[row]]
        posted = Terms(
            float(cut),
            reserve if kind.holds_reserve else 0,
            terms.pplns_blocks,
            terms.share_difficulty,
            covenant=covenant_terms(terms),
        )
        schemes.append(kind(posted))
    fed = feeder_row(world)
    feeder = None if fed == NO_POOL else Feeder(0, schemes[fed])
    periods = {name: Deviations(least) for name, least in HORIZONS.items()}
    world.pooling = Pooling(
        schemes, SCHEMES["solo"](Terms()), feeder, periods,
        np.zeros(pools.size), np.zeros(pools.size),
    )  # fmt: skip
    pools["reserve_sat"] = [scheme.reserve_sat for scheme in schemes]
    world.market_sat -= int(pools["reserve_sat"].sum())


def covenant_terms(terms: Pools) -> CovenantTerms:
    """What the blocks of the covenant pool commit to."""
    first, last = terms.covenant_range_days
    return CovenantTerms(
        window=terms.covenant_window,
        blocks=terms.covenant_window_blocks,
        seconds=terms.covenant_window_days * SECONDS_PER_DAY,
        range_s=(first * SECONDS_PER_DAY, last * SECONDS_PER_DAY),
        shared=terms.covenant_shared,
        bootstrap=terms.covenant_bootstrap,
        dust_sat=terms.covenant_dust_sat,
        payout_cost_sat=terms.covenant_payee_sat,
        choice=terms.covenant_choice,
        risk_benefit=terms.covenant_risk_benefit,
    )


def expected(world: World) -> Expected:
    """What today's hashrate is worth before its blocks are found.

    On the day of a halving, the mean subsidy of the blocks to be expected.
    """
    chain = world.chain
    blocks = blocks_per_second(world.hashrate_ths, chain.difficulty) * SECONDS_PER_DAY
    left = HALVING_BLOCKS - chain.height % HALVING_BLOCKS
    later = max(blocks - left, 0.0) / max(blocks, 1e-300)
    halved = int(subsidy_sat(chain.height + left))
    subsidy = (1.0 - later) * chain.subsidy_sat + later * halved
    return Expected(
        blocks,
        subsidy * chain.work_share,
        world.fees_btc * SATOSHI_PER_COIN,
        world.day * SECONDS_PER_DAY + left * BLOCK_TARGET_S,
    )


def pay_for(world: World, blocks: DayOfBlocks, fair: Expected) -> np.ndarray:
    """Payouts of the day's blocks, satoshi by miner."""
    rewards = mined_rewards_sat(world, blocks)
    key, work = world.streams.key("winners"), world.miners["work"]
    if world.case.chain.payout == "solo":
        return solo(work, rewards, key, world.day)
    if world.case.chain.payout == "shared":
        return shared(work, int(rewards.sum()))
    return pay_by_scheme(world, blocks, rewards, fair)


def mined_rewards_sat(world: World, blocks: DayOfBlocks) -> np.ndarray:
    """What each block pays to proof of work, satoshi: in a hybrid, donors get the rest."""
    each_fees = blocks.fees_sat // max(blocks.blocks, 1)
    subsidy = blocks.block_rewards_sat - each_fees
    donated = np.floor(world.case.virtual_mining.replaces * subsidy).astype(np.int64)
    return blocks.block_rewards_sat - donated


def donors_sat(world: World, blocks: DayOfBlocks) -> int:
    """What the day's blocks pay to donors in place of proof of work, satoshi."""
    return blocks.reward_sat - int(mined_rewards_sat(world, blocks).sum())


def pay_by_scheme(
    world: World, blocks: DayOfBlocks, rewards_sat: np.ndarray, fair: Expected
) -> np.ndarray:
    """Every pool settles what its members found by its scheme; who mines alone keeps blocks."""
    miners, pooling, work = world.miners, world.pooling, infiltration(world)
    finders = winners(work.honest, rewards_sat.size, world.streams.key("winners"), world.day)
    share_percents(world)
    for scheme in pooling.schemes:
        if isinstance(scheme, Covenant):
            scheme.halving_s = fair.halving_s
    payouts, fed = np.zeros(miners.size, np.int64), feeder_row(world)
    for row, scheme in enumerate((*pooling.schemes, pooling.alone)):
        pool = row if row < len(pooling.schemes) else SOLO
        if pool == fed:
            continue
        income = income_of(world, pool, work, finders, rewards_sat, blocks, fair)
        if pooling.feeder is not None and isinstance(scheme, Covenant):
            other = income_of(world, fed, work, finders, rewards_sat, blocks, fair)
            payouts += settle_fed(world, pool, income, other)
        else:
            payouts += settle(world, pool, scheme, income)
    # Difficulty falls by the blocks that are withheld: a hash is worth as much as before.
    block_sat = fair.subsidy_sat + fair.fees_sat
    worth = blocks_a_ths(world, fair) * honest_share(world) * block_sat
    watch_fortunes(world, payouts, worth, block_sat)
    return payouts


def blocks_a_ths(world: World, fair: Expected) -> float:
    """Blocks that 1 TH/s finds today on average."""
    return fair.blocks / max(float(world.miners["work"].sum()), 1e-300)


def income_of(
    world: World,
    pool: int,
    work: Infiltration,
    finders: np.ndarray,
    rewards_sat: np.ndarray,
    blocks: DayOfBlocks,
    fair: Expected,
) -> Income:
    """What comes in to one pool today, or to those who mine alone."""
    pool_of = world.miners["pool"]
    shown = np.where(pool_of == pool, work.honest, 0.0)
    if pool == work.victim:
        shown += work.pretended
    own = pool_of[finders] == pool
    fees = np.full(int(own.sum()), blocks.fees_sat // max(blocks.blocks, 1))
    return Income(
        shown * blocks_a_ths(world, fair),
        finders[own],
        rewards_sat[own] - fees,
        fees,
        blocks.block_times_s[own],
        fair.subsidy_sat,
        fair.fees_sat,
    )


def infiltration(world: World) -> Infiltration:
    """Who withholds blocks in whose pool, if anybody does."""
    work, terms = world.miners["work"], world.case.pools
    if terms.withholding_share == 0.0:
        return Infiltration(work, np.zeros(work.size), NO_POOL)
    attacker = world.pool_names.index(terms.withholding_attacker)
    own = world.miners["pool"] == attacker
    pretended = np.where(own, terms.withholding_share * work, 0.0)
    victim = world.pool_names.index(terms.withholding_victim)
    return Infiltration(work - pretended, pretended, victim)


def honest_share(world: World) -> float:
    """Share of the hashrate whose blocks are published."""
    total = float(world.miners["work"].sum())
    return float(infiltration(world).honest.sum()) / total if total > 0.0 else 1.0


def settle(world: World, pool: int, scheme: RewardScheme, income: Income) -> np.ndarray:
    """One scheme pays for the day; payouts by miner."""
    ended = scheme.settle(income)
    account(world, income.total_sat, ended)
    enter(world, pool, scheme, ended)
    return ended.payouts_sat


def account(world: World, revenue_sat: int, ended: Settlement) -> None:
    """Raise, on days on which accounts are checked, if a pool's books do not balance."""
    if world.day % world.case.record.ledger_every_days == 0:
        given = ended.cut_sat + ended.cost_sat
        ledger.check_pool(ended.payouts_sat, revenue_sat, ended.reserve_change_sat, given)


def enter(world: World, pool: int, scheme: RewardScheme, ended: Settlement) -> None:
    """What an operator earns is sold; what payouts cost is transaction fees, from the market."""
    world.market_sat += ended.cut_sat + ended.cost_sat
    if pool == SOLO:
        return
    pools = world.pools
    pools["reserve_sat"][pool] += ended.reserve_change_sat
    if scheme.ruined and not pools["ruined"][pool]:
        pools["ruined"][pool] = True
        world.tell("ruin", world.pool_names[pool], "its reserve is gone: it can't pay shares")


# The covenant pool


def feeder_row(world: World) -> int:
    """Row of the pool that mines as one member of the covenant pool."""
    name = world.case.pools.covenant_feeder
    return world.pool_names.index(name) if name else NO_POOL


def share_percents(world: World) -> None:
    """Tell the covenant pool which part of its blocks each member shares."""
    terms = world.case.pools
    if terms.covenant_spread == 0.0:
        return
    draws = uniforms(world.streams.key("covenant percents"), 0, world.miners.size)
    percents = np.maximum(terms.covenant_shared - terms.covenant_spread * draws, 0.0)
    if world.pooling.feeder is not None:
        percents = np.concatenate(([terms.covenant_shared], percents))
    for scheme in world.pooling.schemes:
        if isinstance(scheme, Covenant):
            scheme.agree(percents)


def settle_fed(world: World, pool: int, own: Income, fed: Income) -> np.ndarray:
    """The covenant pool settles the blocks of its members and of the feeder, its first member.

    The feeder pays its own members by its own scheme, out of what it is paid.
    """
    covenant, feeder = world.pooling.schemes[pool], world.pooling.feeder
    assert feeder is not None
    order = np.argsort(np.concatenate((own.times_s, fed.times_s)), kind="stable")

    def merged(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        return np.concatenate((ours, theirs))[order]

    ended = covenant.settle(
        Income(
            np.concatenate(([fed.work.sum()], own.work)),
            merged(own.finders + 1, np.zeros_like(fed.finders)),
            merged(own.subsidy_sat, fed.subsidy_sat),
            merged(own.fees_sat, fed.fees_sat),
            merged(own.times_s, fed.times_s),
            own.fair_subsidy_sat,
            own.fair_fees_sat,
        )
    )
    account(world, own.total_sat + fed.total_sat, ended)
    enter(world, pool, covenant, ended)
    within = feeder.settle(fed.work, ended, (world.day + 1) * SECONDS_PER_DAY)
    account(world, int(ended.payouts_sat[feeder.row]), within)
    enter(world, feeder_row(world), feeder.scheme, within)
    return ended.payouts_sat[1:] + within.payouts_sat


# What the schemes did to their members


def watch_fortunes(
    world: World, payouts_sat: np.ndarray, fair_sat_a_ths: float, block_sat: float
) -> None:
    """Note how far payouts are from what the work was worth."""
    pooling, miners = world.pooling, world.miners
    fair = miners["work"] * fair_sat_a_ths
    member = miners["pool"] != SOLO
    for total, amounts in ((pooling.earned_sat, payouts_sat), (pooling.worth_sat, fair)):
        total += np.bincount(miners["pool"][member], weights=amounts[member], minlength=total.size)
    for deviations in pooling.deviations.values():
        deviations.add(payouts_sat, fair, scheme_of(world))
    pooling.block_sat = block_sat


def end_periods(world: World) -> None:
    """Monthly: months and, in January, years end, whether or not blocks were in dispute."""
    ends = {"month": True, "year": world.calendar.due(world.day).year}
    for horizon, deviations in world.pooling.deviations.items():
        if ends[horizon]:
            deviations.close(scheme_of(world), promised_part(world), world.pooling.block_sat)


def scheme_of(world: World) -> np.ndarray:
    """Row of the scheme that pays each miner."""
    miners, pools = world.miners, world.pools
    alone = SCHEME_NAMES.index("solo")
    return np.where(miners["pool"] == SOLO, alone, pools["scheme"][miners["pool"]])


def promised_part(world: World) -> np.ndarray:
    """Payouts over what is fair that each miner is promised on average."""
    parts = expected_part(world)
    return parts[world.miners["pool"]]


def pool_row(world: World) -> dict[str, float]:
    """What the day's pools tell: columns of a day."""
    work, pools = world.miners["work"], world.pools
    total = max(float(work.sum()), 1e-9)
    own = makes_templates(world)
    makers = held_by_makers(world)
    return {
        "hhi_template": metrics.hhi(makers),
        "top_template_share": float(makers.max()) / total,
        "own_templates_share": float(work[own].sum()) / total,
        "covenant_share": float(pools["hashrate"][~pools["operated"]].sum()) / total,
    }


def held_by_makers(world: World) -> np.ndarray:
    """Hashrate whose templates each operator makes, then of every miner that makes its own."""
    own = world.miners["work"][makes_templates(world)]
    return np.append(world.pools["template_hashrate"], own)


def story(world: World) -> dict[str, float | str]:
    """What a reader asks of pools and of who is paid, as headline figures."""
    told = security_told(world)
    if world.case.chain.payout != "pools" and world.case.pools == type(world.case.pools)():
        return told
    for name in ("top_template_share", "own_templates_share", "hhi_pool", "hhi_template"):
        told[f"{name}_end"] = float(world.recorder[name][-1])
    if (~world.pools["operated"]).any():
        told["covenant_share_end"] = float(world.recorder["covenant_share"][-1])
    if world.case.chain.payout != "pools":
        return told
    for horizon, deviations in world.pooling.deviations.items():
        for scheme, fortune in deviations.relative().items():
            told[f"payout_over_fair_{horizon}_{scheme}"] = fortune.mean
            told[f"payout_swing_{horizon}_{scheme}"] = fortune.swing
            told[f"payout_swing_over_alone_{horizon}_{scheme}"] = fortune.over_alone
    told["operators_ruined"] = float(world.pools["ruined"].sum())
    return told | withholding_told(world)


def security_told(world: World) -> dict[str, float | str]:
    """In a hybrid: what proof of work is paid, and what it would be if donors were paid nothing."""
    if world.case.virtual_mining.replaces == 0.0:
        return {}
    fees, subsidy = world.fees_btc, world.chain.subsidy_sat / SATOSHI_PER_COIN
    daily_usd = BLOCKS_PER_DAY * world.price_usd
    paid, whole = world.chain.work_share * subsidy + fees, subsidy + fees
    return {
        "security_budget_usd_day_end": paid * daily_usd,
        "security_budget_over_whole_end": paid / whole,
        "donors_btc_day_end": (whole - paid) * BLOCKS_PER_DAY,
    }


def withholding_told(world: World) -> dict[str, float | str]:
    """What withholding brought the attacker and cost the victim, over what their work is worth.

    The luck of the blocks they find leaves each figure a standard error of about one over the
    root of their number.
    """
    terms = world.case.pools
    if terms.withholding_share == 0.0:
        return {}
    told: dict[str, float | str] = {}
    for role in ("attacker", "victim"):
        row = world.pool_names.index(getattr(terms, f"withholding_{role}"))
        worth = max(float(world.pooling.worth_sat[row]), 1e-9)
        told[f"withholding_{role}_gain"] = float(world.pooling.earned_sat[row]) / worth - 1.0
        blocks = worth / max(world.pooling.block_sat, 1e-9)
        told[f"withholding_{role}_error"] = 1.0 / max(blocks, 1.0) ** 0.5
    return told
