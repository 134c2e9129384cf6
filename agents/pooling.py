"""How miners choose between pools, and between being in one and mining alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp, softmax

from agents import complying
from agents.joining import HOME_PULL, would_join_covenant
from agents.pool import SOLO
from model.parameters_pools import COVENANT
from model.rewards.covenant import graduates
from model.rewards.solo import risk_premium
from model.streams import uniforms
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR, SATOSHI_PER_COIN

if TYPE_CHECKING:
    from model.world import World

# Rounds in which brands are fitted to the shares of the first day; they settle in about twenty.
ROUNDS = 60
NO_OPTION = -np.inf
LEAST_SHARE = 1e-9  # of the hashrate, for a pool of which nobody was a member


def choose_pools(world: World) -> None:
    """Weekly: miners who look at their pool again take the best for them, by their tastes.

    The options are the pools, in the order of their rows, and mining alone, the last.
    """
    if not world.case.pools.choice:
        return
    miners, pools = world.miners, world.pools
    key = world.streams.key("pool choice")
    week = uniforms(key, 2 * world.day, miners.size)
    looks = miners.alive & (miners["work"] > 0.0) & (week < world.case.pools.attention_week)
    rows = np.flatnonzero(looks)
    if rows.size == 0:
        return
    if np.isnan(pools["brand"]).any():
        fit_brands(world)
    utility = worth(world, rows) - dislike(world, rows)
    chance = chances(world, utility, np.append(pools["brand"], 0.0))
    taste = uniforms(key, 2 * world.day + 1, miners.size)[rows]
    choice = (np.cumsum(chance, axis=1) < taste[:, None]).sum(axis=1)
    miners["pool"][rows] = np.where(choice < pools.size, choice, SOLO)


def graduate(world: World) -> None:
    """Weekly: members of the feeder who find blocks often enough mine in the covenant pool."""
    terms, miners = world.case.pools, world.miners
    if not terms.covenant_feeder or terms.graduation_days == 0.0:
        return
    share = miners["work"] / max(float(miners["work"].sum()), 1e-300)
    feeder = world.pool_names.index(terms.covenant_feeder)
    leave = (miners["pool"] == feeder) & graduates(share, terms.graduation_days)
    miners["pool"][leave] = world.pool_names.index(COVENANT)


def chances(world: World, utility: np.ndarray, brands: np.ndarray) -> np.ndarray:
    """Chance that each miner takes each option, [miner, option].

    Notes
    -----
    Tastes differ by a Gumbel draw whose scale is the temperature: the logit of utilities that
    are shares of revenue.
    """
    return np.asarray(softmax((utility + brands) / world.case.pools.temperature, axis=1))


def operated(world: World) -> np.ndarray:
    """Whether each option has an operator."""
    return np.append(world.pools["operated"], False)


def worth(world: World, rows: np.ndarray) -> np.ndarray:
    """What each option is worth to each of some miners, over fair revenue, but for its brand.

    Expected payouts, less the price of risk, and the pull of one's own nation; minus infinity
    where the option is closed to the miner.
    """
    miners, terms = world.miners, world.case.pools
    utility = expected_part(world) - risk_premiums(world, rows)
    at_home = np.append(world.pools["nation"], -1) == miners["nation"][rows, None]
    utility += terms.temperature * np.log(HOME_PULL) * (at_home & operated(world))
    covenant = ~operated(world)
    covenant[SOLO] = False
    closed = np.append(world.pools["ruined"], False) | (
        covenant & ~would_join_covenant(world)[rows, None]
    )
    return np.where(closed, NO_OPTION, utility)


def dislike(world: World, rows: np.ndarray) -> np.ndarray:
    """What each miner dislikes of options whose templates filter, over fair revenue."""
    miners, terms = world.miners, world.case.pools
    each = terms.filter_dislike * np.maximum(miners["ideology"][rows], 0.0)
    return each[:, None] * (filtering(world) & ~miners["own_templates"][rows, None])


def expected_part(world: World) -> np.ndarray:
    """Expected payouts of each option over what the work is worth."""
    schemes = (*world.pooling.schemes, world.pooling.alone)
    subsidy = world.chain.work_share * world.chain.subsidy_sat
    fees = world.fees_btc * SATOSHI_PER_COIN
    return np.array([scheme.expected_part(subsidy, fees) for scheme in schemes])


def filtering(world: World) -> np.ndarray:
    """Whether each option's templates leave transactions out."""
    live = world.politics.live
    pools = [complying.reached_pools(world, each) for each in live]
    return np.append(np.any(pools, axis=0) if pools else np.zeros(world.pools.size, bool), False)


def risk_premiums(world: World, rows: np.ndarray) -> np.ndarray:
    """What each miner would give up to be rid of each option's variance, over fair revenue."""
    miners, terms = world.miners, world.case.pools
    network = max(float(miners["work"].sum()), 1e-300)
    blocks = terms.horizon_years * DAYS_PER_YEAR * BLOCKS_PER_DAY
    revenue = miners["work"] * world.hashprice * DAYS_PER_YEAR * terms.horizon_years
    wealth = wealth_usd(world)
    premium = np.empty((rows.size, world.pools.size + 1))
    for place, row in enumerate(rows):
        share = float(miners["work"][row]) / network
        for option, variance in enumerate(variances(world, int(row), share, network, blocks)):
            premium[place, option] = risk_premium(
                float(revenue[row]), float(wealth[row]), variance, terms.risk_aversion
            )
    # Above the whole revenue nobody mines on such terms, however much it is.
    return np.minimum(premium, 1.0)


def wealth_usd(world: World) -> np.ndarray:
    """What each miner could lay hands on: cash, coins, and machines less debt."""
    miners = world.miners
    coins_usd = miners["treasury_sat"] * (world.price_usd / SATOSHI_PER_COIN)
    machines = np.maximum(miners["machine_value"] - miners["debt"], 0.0)
    return np.maximum(miners["cash"], 0.0) + coins_usd + machines


def variances(world: World, row: int, share: float, network: float, blocks: float) -> list[float]:
    """Squared coefficient of variation of one miner's revenue under each option."""
    pool_of, pools = world.miners["pool"][row], world.pools
    held = pools["hashrate"] / network
    found = []
    for pool, scheme in enumerate(world.pooling.schemes):
        together = min(float(held[pool]) + (0.0 if pool == pool_of else share), 1.0)
        found.append(scheme.relative_variance(share, max(together, share), blocks))
    return [*found, world.pooling.alone.relative_variance(share, share, blocks)]


def fit_brands(world: World) -> None:
    """What draws miners to operators beside payouts: as much as explains their first shares.

    Notes
    -----
    The contraction of Berry, Levinsohn and Pakes (1995): a pool that the model gives too little
    is made dearer to everybody by the log of the shortfall, until the expected shares are those
    observed.  The covenant pool has no history: to those who would join it it is worth as much
    as the choice between all operators, so that cuts and risk alone decide.  Filters in force
    are no part of a brand, or it would make up for them for ever; nor is a ruin.
    """
    miners, pools = world.miners, world.pools
    rows = np.flatnonzero(miners.alive & (miners["work"] > 0.0))
    weight = miners["work"][rows] / miners["work"][rows].sum()
    target = np.append(pools["first_share"], 1.0 - pools["first_share"].sum())
    target, runs = np.maximum(target, LEAST_SHARE), np.append(pools["operated"], True)
    fitted = runs & ~np.append(pools["ruined"], False)
    brands, spread = np.zeros(pools.size + 1), world.case.pools.temperature
    utility = worth(world, rows)
    for _ in range(ROUNDS):
        expected = weight @ chances(world, utility, brands)
        step = spread * np.log(target / np.maximum(expected, LEAST_SHARE))
        brands = np.where(fitted, brands + step, brands)
        brands -= brands[SOLO]
        brands[~runs] = spread * logsumexp(brands[:-1][world.pools["operated"]] / spread)
    pools["brand"] = brands[:-1]
