"""Which pool a miner points its machines to, and whose law its templates are made under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.pool import SOLO
from model.chain.compliance import ideology
from model.streams import uniforms

if TYPE_CHECKING:
    from model.world import World

HOME_PULL = 4.0  # a pool of one's own nation is so many times as likely as its size says


def join_first_pools(world: World) -> None:
    """Fill the pools of the first day to their shares of the hashrate, the largest miners first."""
    miners, pools = world.miners, world.pools
    hashrate = miners["work"]
    room = np.append(pools["first_share"], 0.0) * hashrate.sum()
    room[SOLO] = hashrate.sum() - room.sum()
    draws = world.streams.generator("first pools").random(miners.size)
    nation = np.append(pools["nation"], SOLO)
    for row in np.argsort(-hashrate, kind="stable"):
        pull = np.maximum(room, 0.0) * np.where(nation == miners["nation"][row], HOME_PULL, 1.0)
        if not pull.any():
            break
        choice = int(np.searchsorted(np.cumsum(pull) / pull.sum(), draws[row]))
        miners["pool"][row] = choice if choice < pools.size else SOLO
        room[choice] -= hashrate[row]
    settle_minds(world, miners.rows)


def join_pools(world: World, rows: np.ndarray) -> None:
    """New miners join pools by their size, or mine alone."""
    miners, pools = world.miners, world.pools
    alone = miners["work"][miners["pool"] == SOLO].sum()
    pull = np.append(pools["hashrate"], alone) + 1e-9
    chance = world.streams.generator("pools of new miners").random(rows.size)
    choice = np.searchsorted(np.cumsum(pull) / pull.sum(), chance)
    miners["pool"][rows] = np.where(choice < pools.size, choice, SOLO)
    settle_minds(world, rows)


def settle_minds(world: World, rows: np.ndarray) -> None:
    """Draw what including forbidden transactions is worth to miners, once for all."""
    terms = world.case.censorship
    draw = uniforms(world.streams.key("ideology"), 0, world.miners.size)[rows]
    world.miners["ideology"][rows] = ideology(draw, terms.ideology_mean, terms.ideology_sd)


def count_pools(world: World) -> None:
    """Hashrate of each pool, and of each nation by whose law binds those who make templates."""
    miners, pools = world.miners, world.pools
    member = miners["pool"] != SOLO
    pools["hashrate"] = np.bincount(
        miners["pool"][member], weights=miners["work"][member], minlength=pools.size
    )
    world.nations["template_hashrate"] = np.bincount(
        template_nation(world), weights=miners["work"], minlength=world.nations.size
    )


def template_nation(world: World) -> np.ndarray:
    """Nation whose law binds the maker of each miner's templates: its pool's, or its own."""
    miners = world.miners
    return np.where(miners["pool"] == SOLO, miners["nation"], world.pools["nation"][miners["pool"]])
