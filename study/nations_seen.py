"""What runs behind claims keep of nations: by site, seat and templates, and how a run ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model import metrics

if TYPE_CHECKING:
    from model.world import World

UNDER_SANCTIONS = 0.5  # of a nation's trade kept from the market
LISTED = 2
COINS = 1e-8  # of a satoshi


def nations_of(world: World) -> dict[str, float]:
    """The entries of one month."""
    from agents import governing  # after numba has its number of threads

    miners, nations = world.miners, world.nations
    place = world.nation_names.index("USA")
    at_home = miners["nation"] == place
    work = miners["work"]
    total = max(float(work.sum()), 1e-9)
    under = nations["sanctioned"] >= UNDER_SANCTIONS
    shares, templates = world.nation_shares, metrics.normalised(nations["template_hashrate"])
    return {
        "usa_seat": float(work[at_home].sum()) / total,
        "usa_listed": float(work[at_home & (miners["form"] == LISTED)].sum()) / total,
        "usa_templates": float(templates[place]),
        "largest": float(shares.max()),
        "sanctioned": float(shares[under].sum()),
        "sanctioned_btc": float(nations["reserve_sat"][under].sum()) * COINS,
        "reserves_btc": float(nations["reserve_sat"].sum()) * COINS,
        "stranded_mw": float(nations["stranded_mw"][nations["sanctioned"] > 0.0].sum()),
        "margin_usd_mwh": governing.margin_of_new_machine(world),
        "price": world.price_usd,
    }


def ended(world: World) -> Mapping[str, Any]:
    """How a run ended: its class and milestones, its headline figures, its events by kind."""
    from model import ending  # after numba has its number of threads

    split = world.politics.split or world.politics.ended
    free = {} if split is None else {"free_share": split.coins.free_share}
    kinds = world.recorder.events()["kind"].to_list()
    told = {kind: kinds.count(kind) for kind in set(kinds)}
    return {**world.outcome(), **ending.story(world), **free, "told": told}
