"""What holders want: a fork when too much is censored, and one coin or the other after a split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from agents.holder import GROUPS, PARTS
from model.chain.coin_values import (
    Holders,
    coin_prices_usd,
    dumped_coins,
    opening_share,
    settle,
    settling_years,
    shifted_share,
    total_value_usd,
    with_reserves,
)
from model.chain.forks import (
    ForkKind,
    Tolerance,
    activist_share,
    commodity_hashrate_ths,
    days_over,
    draw_tolerance,
    is_proposed,
    lead_days,
)
from model.chain.outcome import censorship_resistance
from model.markets.price import FlowImpact, absorb_flow
from model.streams import uniform
from model.units import DAYS_PER_MONTH, SATOSHI_PER_COIN

if TYPE_CHECKING:
    from model.politics import Split
    from model.world import World

KINDS = {"new_algorithm": ForkKind.NEW_ALGORITHM, "invalidate": ForkKind.INVALIDATION}
EVEN = 0.5


@dataclass
class Discontent:
    """Holders' plans for a fork.

    Attributes
    ----------
    activation_day : of the fork that is proposed, -1 if none is
    proposals : forks proposed so far
    """

    activation_day: int = -1
    proposals: int = 0

    def is_due(self, day: int) -> bool:
        """Whether the fork that is proposed begins by this day."""
        return 0 <= self.activation_day <= day


@dataclass
class Coins:
    """What the two coins of a split are worth.

    Attributes
    ----------
    groups : who holds the coin from before the split
    free_share : the free coin's share of the value of both
    years : time constant of its changes
    impact : of custodians' sales on the free coin's price
    history : free share on each day since the split
    """

    groups: Holders
    free_share: float
    years: float
    impact: FlowImpact = field(default_factory=FlowImpact)
    history: list[float] = field(default_factory=list)


def gather(world: World) -> None:
    """The holders of the first day: three groups, each in parts that bear more or less."""
    terms, forks = world.case.holders, world.case.forks
    weights = (terms.freedom_weight, terms.custodian_weight, terms.neutral_weight)
    attachments = (
        terms.freedom_attachment, terms.custodian_attachment, terms.neutral_attachment,
    )  # fmt: skip
    bears = draw_tolerance(
        world.streams.key("holders"),
        len(GROUPS) * PARTS,
        (forks.tolerance_low, forks.tolerance_high),
        (forks.patience_days_low, forks.patience_days_high),
    )
    world.holders.add(
        group=np.repeat(np.arange(len(GROUPS)), PARTS),
        weight=np.repeat(weights, PARTS) / PARTS,
        attachment=np.repeat(attachments, PARTS),
        custody=np.repeat([name == "custodians" for name in GROUPS], PARTS),
        tolerance=bears.censored_share,
        patience_days=bears.days,
    )


# A fork that users ask for


def weigh_fork(world: World) -> None:
    """Monthly: holders who have borne too much for too long ask for a fork."""
    politics, plan, holders = world.politics, world.discontent, world.holders
    if not politics.live:
        holders["days_over"] = 0.0
    if not politics.live or politics.split is not None or world.case.hypotheses.fork == "none":
        return
    bears = Tolerance(holders["tolerance"], holders["patience_days"])
    holders["days_over"] = days_over(
        holders["days_over"], censored_share(world, 30), bears, DAYS_PER_MONTH
    )
    freedom = 1.0 / (1.0 + np.exp(-holders["attachment"]))
    share = activist_share(holders["weight"], freedom, holders["days_over"], bears)
    if plan.activation_day >= 0 or not is_proposed(share, world.case.forks.activist_share):
        return
    forks = world.case.forks
    lead = lead_days(
        world.streams.key("fork"), plan.proposals, forks.lead_days_low, forks.lead_days_high
    )
    plan.activation_day, plan.proposals = world.day + round(lead), plan.proposals + 1
    words = world.case.hypotheses.fork.replace("_", " ")
    politics.passed(
        "fork_proposed", world,
        f"holders of {share:.0%} of the value ask for a fork ({words}) in {lead:.0f} days",
    )  # fmt: skip


def fork_due(world: World) -> bool:
    """Whether the fork that users have proposed begins today."""
    return world.discontent.is_due(world.day) and world.politics.split is None


def censored_share(world: World, days: int) -> float:
    """Share of the last days' blocks that could have held a forbidden transaction and don't."""
    politics = world.politics
    return 1.0 - censorship_resistance(
        sum(politics.included[-days:]), sum(politics.pending[-days:])
    )


# Two coins


def holders_of_both(world: World) -> Holders:
    """Who holds the coin at a split: groups, nations' reserves, miners' treasuries."""
    holders, terms = world.holders, world.case.holders
    groups = Holders(
        holders["weight"] / holders["weight"].sum(), holders["attachment"], holders["custody"]
    )
    supply = float(world.chain.supply_sat)
    adopted = adopters(world)
    against = (world.alliances[:, adopted] < 0.0).any(axis=1)
    attachment = np.where(
        adopted, terms.custodian_attachment, np.where(against, terms.freedom_attachment, 0.0)
    )
    share = np.append(world.nations["reserve_sat"], world.miners["treasury_sat"].sum()) / supply
    return with_reserves(groups, share, np.append(attachment, 0.0))


def adopters(world: World) -> np.ndarray:
    """Nations whose law any directive in force is."""
    adopted = np.zeros(world.nations.size, dtype=bool)
    for live in world.politics.live:
        adopted |= live.adopted
    return adopted


def open_market(world: World, free_hash: float) -> Coins:
    """The first day of two coins: demand opens the price, custodians may sell.

    The free coin has the share `free_hash` of the hashrate.
    """
    terms = world.case.holders
    groups = holders_of_both(world)
    low, high = terms.adjustment_years_low, terms.adjustment_years_high
    draw = float(uniform(world.streams.key("holders"), 1, 0, 0))
    dated = (event for event in world.case.events if event.kind == "fork")
    given = next((event.free_value_share for event in dated if event.date == world.today), None)
    share = (
        opening_share(groups, terms.network, free_hash, terms.hashrate_pull)
        if given is None
        else given
    )
    coins = Coins(groups, share, settling_years(low + (high - low) * draw))
    sell_in_custody(world, coins)
    return coins


def sell_in_custody(world: World, coins: Coins) -> None:
    """Custodians in adopting nations sell what they must not credit, if they do not freeze it."""
    adopted = adopters(world)
    told = float(world.nations["gdp_share"][adopted].sum())
    dumped = dumped_coins(
        coins.groups,
        world.chain.supply_sat / SATOSHI_PER_COIN,
        min(told, 1.0),
        world.case.hypotheses.custody,
        world.case.holders.dumped_share,
    )
    press(world, coins, dumped)
    if dumped > 0.0:
        world.tell("custody", "WORLD", f"custodians sell {dumped:,.0f} free coins at once")


def press(world: World, coins: Coins, sold_btc: float) -> None:
    """Sales of free coins move their price; half of it wears off."""
    rule = world.case.neutrality
    before = coins.impact.total
    coins.impact = absorb_flow(
        coins.impact,
        sold_btc,
        half_life_days=rule.impact_half_life_days,
        strength=rule.impact,
        volatility_day=rule.volatility_day,
        volume_btc_day=rule.volume_btc_day,
    )
    coins.free_share = shifted_share(coins.free_share, before - coins.impact.total)


def value_coins(world: World, split: Split) -> tuple[float, float]:
    """Daily: prices of the compliant and of the free coin, USD, as holders adjust."""
    terms, coins = world.case.holders, split.coins
    if world.day > split.day:
        press(world, coins, 0.0)
        coins.free_share = settle(
            coins.free_share, coins.groups, terms.network, coins.years,
            hash_share(split), terms.hashrate_pull,
        )  # fmt: skip
    coins.history.append(coins.free_share)
    world.holders["free_demand"] = coins.free_share
    return prices_now(world, coins)


def prices_now(world: World, coins: Coins) -> tuple[float, float]:
    """Prices of the compliant and of the free coin at today's value shares, USD."""
    terms, free_share = world.case.holders, coins.free_share
    if world.case.price.mode == "historical":
        # What was observed is the price of the coin that went on under the old name.
        return world.outside_usd, world.outside_usd * free_share / max(1.0 - free_share, 1e-9)
    total = total_value_usd(
        world.outside_usd, free_share, terms.network_exponent, terms.censored_loss,
        censored=bool(world.politics.live),
    )  # fmt: skip
    return coin_prices_usd(total, free_share, 1.0)


def hash_share(split: Split) -> float:
    """The free coin's share of the hashrate; even where the algorithms cannot be compared."""
    if split.kind == ForkKind.NEW_ALGORITHM:
        return EVEN
    on_coin = split.hashrate_ths.sum(axis=1)
    return float(on_coin[1] / max(on_coin.sum(), 1e-300))


def commodity_hashrate(world: World, split: Split) -> float:
    """Hashrate of a coin with a new algorithm, in units of the old one's cost of a hash, TH/s."""
    reward_btc = split.free.subsidy_sat / SATOSHI_PER_COIN + world.fees_btc
    cost = max(world.reference_price * world.mean_efficiency * 24e-6, 1e-12)
    return commodity_hashrate_ths(world.coin_prices[1], reward_btc, cost)
