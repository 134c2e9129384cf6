"""Which pool a miner points its machines to, and whose law its templates are made under."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.pool import SOLO
from model.chain.compliance import ideology
from model.parameters_pools import COVENANT
from model.rewards.schemes import SCHEMES
from model.streams import uniforms

if TYPE_CHECKING:
    from model.parameters_pools import Pools
    from model.world import World

HOME_PULL = 4.0  # a pool of one's own nation is so many times as likely as its size says
SCHEME_NAMES = tuple(SCHEMES)


class Adoption(NamedTuple):
    """Who adopts something first: every miner has a draw, and those with the lowest come first.

    Attributes
    ----------
    draws : of the miners of the first day, in order, and 1 at the end.
    reached : share of the hashrate of that day up to each draw, from 0 to 1.
    """

    draws: np.ndarray
    reached: np.ndarray

    @classmethod
    def among(cls, draws: np.ndarray, hashrate: np.ndarray) -> Adoption:
        """The order of adoption among miners of some hashrate."""
        order = np.argsort(draws, kind="stable")
        reached = np.cumsum(hashrate[order]) / max(float(hashrate.sum()), 1e-300)
        return cls(
            np.concatenate(([0.0], draws[order], [1.0])), np.concatenate(([0.0], reached, [1.0]))
        )

    def threshold(self, share: float) -> float:
        """The draw below which miners have adopted it once a share of the hashrate has."""
        if share <= 0.0 or share >= 1.0:
            # Who had no work on the first day reached nothing, and must not come first.
            return float(share >= 1.0)
        return float(np.interp(share, self.reached, self.draws))


# The pools of the first day


def found_pools(world: World) -> None:
    """Put the operators of the day on the table, and the covenant pool if anybody wants it."""
    operators, terms = world.operators, world.case.pools
    names = dict(terms.schemes)
    schemes = [names.get(name, terms.scheme) for name in operators.name]
    world.pools.add(
        nation=operators.nation,
        first_share=operators.share * (1.0 - terms.covenant_share),
        scheme=[SCHEME_NAMES.index(scheme) for scheme in schemes],
        cut=[posted_cut(terms, scheme) for scheme in schemes],
    )
    world.pool_names = operators.name
    if terms.covenant_share > 0.0 or terms.covenant_feeder:
        world.pools.add(
            nation=[world.nation_names.index("OTH")],
            first_share=[terms.covenant_share],
            operated=[False],
            scheme=[SCHEME_NAMES.index("covenant")],
        )
        world.pool_names = (*operators.name, COVENANT)


def posted_cut(terms: Pools, scheme: str) -> float:
    """Operator cut of a scheme that operators may post."""
    return {"pps": terms.cut_pps, "fpps": terms.cut_fpps, "pplns": terms.cut_pplns}[scheme]


def join_first_pools(world: World) -> None:
    """Fill the pools of the first day to their shares of the hashrate, the largest miners first."""
    miners, pools = world.miners, world.pools
    hashrate = miners["work"]
    order_adoption(world)
    willing = would_join_covenant(world)
    miners["pool"][willing] = pools.size - 1
    room = np.append(np.where(pools["operated"], pools["first_share"], 0.0), 0.0) * hashrate.sum()
    room[SOLO] = hashrate[~willing].sum() - room.sum()
    draws = world.streams.generator("first pools").random(miners.size)
    nation = np.append(pools["nation"], SOLO)
    for row in np.argsort(-hashrate, kind="stable"):
        if willing[row]:
            continue
        pull = np.maximum(room, 0.0) * np.where(nation == miners["nation"][row], HOME_PULL, 1.0)
        if not pull.any():
            break
        choice = int(np.searchsorted(np.cumsum(pull) / pull.sum(), draws[row]))
        miners["pool"][row] = choice if choice < pools.size else SOLO
        room[choice] -= hashrate[row]
    adopt_templates(world)
    settle_minds(world, miners.rows)


def join_pools(world: World, rows: np.ndarray) -> None:
    """New miners join pools by their size, or mine alone; some would mine in the covenant pool."""
    miners, pools = world.miners, world.pools
    alone = miners["work"][miners["pool"] == SOLO].sum()
    open_to_all = np.where(pools["operated"] & ~pools["ruined"], pools["hashrate"], 0.0)
    pull = np.append(open_to_all, alone) + 1e-9
    chance = world.streams.generator("pools of new miners").random(rows.size)
    choice = np.searchsorted(np.cumsum(pull) / pull.sum(), chance)
    miners["pool"][rows] = np.where(choice < pools.size, choice, SOLO)
    willing = would_join_covenant(world)[rows]
    miners["pool"][rows[willing]] = pools.size - 1
    adopt_templates(world)
    settle_minds(world, rows)


def settle_minds(world: World, rows: np.ndarray) -> None:
    """Draw what including forbidden transactions is worth to miners, once for all."""
    terms = world.case.censorship
    draw = uniforms(world.streams.key("ideology"), 0, world.miners.size)[rows]
    world.miners["ideology"][rows] = ideology(draw, terms.ideology_mean, terms.ideology_sd)


# What spreads among miners


def order_adoption(world: World) -> None:
    """Who comes to the covenant pool, and to templates of its own, before whom."""
    hashrate = world.miners["work"]
    world.adoption = {
        "covenant": Adoption.among(covenant_draws(world), hashrate),
        "templates": Adoption.among(template_draws(world), hashrate),
    }


def covenant_draws(world: World) -> np.ndarray:
    """Each miner's place in the order in which they come to the covenant pool, in [0, 1)."""
    return uniforms(world.streams.key("covenant adopters"), 0, world.miners.size)


def template_draws(world: World) -> np.ndarray:
    """Each miner's place in the order in which they come to make templates, in [0, 1)."""
    return uniforms(world.streams.key("template adopters"), 0, world.miners.size)


def would_join_covenant(world: World) -> np.ndarray:
    """Miners to whom the covenant pool is open, by their own choice."""
    threshold = world.adoption["covenant"].threshold(world.case.pools.covenant_share)
    return covenant_draws(world) < threshold


def adopt_templates(world: World) -> None:
    """Miners who have come to declare their own jobs by today (Stratum V2)."""
    terms = world.case.pools
    years = world.day / 365.25
    way = 1.0 if years >= terms.own_templates_years else years / terms.own_templates_years
    share = terms.own_templates_first + way * (terms.own_templates - terms.own_templates_first)
    threshold = world.adoption["templates"].threshold(share)
    world.miners["own_templates"] = template_draws(world) < threshold


# Who makes templates


def makes_templates(world: World) -> np.ndarray:
    """Miners who make their own: those alone, in the covenant pool, or with jobs of their own."""
    miners, pools = world.miners, world.pools
    alone = miners["pool"] == SOLO
    return np.asarray(alone | ~pools["operated"][miners["pool"]] | miners["own_templates"])


def template_nation(world: World) -> np.ndarray:
    """Nation whose law binds the maker of each miner's templates: its pool's, or its own."""
    miners = world.miners
    own = makes_templates(world)
    return np.where(own, miners["nation"], world.pools["nation"][miners["pool"]])


def count_pools(world: World) -> None:
    """Hashrate of each pool, and of each nation by whose law binds those who make templates."""
    miners, pools = world.miners, world.pools
    member, own = miners["pool"] != SOLO, makes_templates(world)
    for column, rows in (("hashrate", member), ("template_hashrate", member & ~own)):
        pools[column] = np.bincount(
            miners["pool"][rows], weights=miners["work"][rows], minlength=pools.size
        )
    world.nations["template_hashrate"] = np.bincount(
        template_nation(world), weights=miners["work"], minlength=world.nations.size
    )
