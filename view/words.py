"""What is happening, in one sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from model.geography import REST
from model.politics import Split

if TYPE_CHECKING:
    from model.world import World


def status(world: World) -> str:
    """The day, who enforces, what is orphaned, and whether there is one coin."""
    told = "; ".join((obeying(world), orphaned(world), coins(world)))
    return f"day {world.recorder.written:,}: {told}"


def obeying(world: World) -> str:
    """Which share of the templates enforces or filters."""
    latest = world.recorder
    enforcing = float(latest["enforcing_share"][-1])
    filtering = float(latest["filtering_share"][-1])
    if not world.politics.live:
        return f"no directive in force; {leader(world)}"
    parts = [f"{percent(enforcing)} of templates enforce"]
    if filtering > 0.001:
        parts.append(f"{percent(filtering)} filter")
    return ", ".join(parts)


def leader(world: World) -> str:
    """The nation with most of the hashrate."""
    shares = world.nation_shares
    row = int(shares.argmax())
    name = world.atlas.nations.name[row]
    holder = "rest of the world" if world.nation_names[row] == REST else name
    return f"largest: {holder}, {percent(float(shares[row]))} of the hashrate"


def orphaned(world: World) -> str:
    """The share of blocks that were orphaned."""
    rate = float(world.recorder["orphan_rate"][-1])
    return "all blocks in dispute" if math.isnan(rate) else f"{percent(rate)} of blocks orphaned"


def coins(world: World) -> str:
    """Whether the chain has split, and what the free coin has."""
    politics = world.politics
    split: Split | None = politics.split
    if split is not None:
        value, work = (float(world.recorder[f"free_coin_{each}_share"][-1])
                       for each in ("value", "hashrate"))  # fmt: skip
        since = world.calendar.date_of(split.day).isoformat()
        return (
            f"two coins since {since}, split by {split.by.value}: the free one has "
            f"{percent(value)} of the value and {percent(work)} of the hashrate"
        )
    if politics.tree is not None and len(politics.tree.branches()) > 1:
        return "two rival branches, no split yet"
    if politics.ended is not None:
        return "no split any more: one chain again"
    return "no split"


def percent(share: float) -> str:
    """A share in per cent, with a decimal where it is small."""
    hundred = 100.0 * share
    if 0.0 < hundred < 0.05:
        return "under 0.1 %"
    return f"{hundred:.1f} %" if 0.0 < hundred < 9.95 else f"{hundred:.0f} %"
