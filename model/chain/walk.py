"""The race of two branches as a walk in their difference, at a constant difficulty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.chain.blocks import Integers
from model.chain.contest import FINAL_AGE_S, FINAL_LEAD_BLOCKS
from model.chain.patience import LAG, Patience
from model.streams import uniform
from model.units import BLOCK_TARGET_S

Keys = NDArray[np.uint64]
Flags = NDArray[np.bool_]

# Nobody is in a race when the enforcers' branch is the longer one: it is everybody's.
CALM = -1
NEVER = 2**62
_DRAWS = 1_024
FINAL_AGE_EVENTS = int(FINAL_AGE_S / BLOCK_TARGET_S)


class Walk(NamedTuple):
    """What came of a walk.

    Attributes
    ----------
    events : blocks found, by anybody.
    lead : of the offending branch at the end, in blocks; -1 outside a race.
    races, races_won : races that ended, and those that the enforcers won.
    orphans_enforcing, orphans_offending : blocks lost in the races that ended.
    final_event : number of the event at which the split was final; -1 if it never was.
    """

    events: int
    lead: int
    races: int
    races_won: int
    orphans_enforcing: int
    orphans_offending: int
    final_event: int


def lag_limit(patience: Patience) -> int:
    """Lead of the offending branch at which enforcers give up."""
    if patience.kind == "confirmations":
        raise ValueError("the walk knows leads, not confirmations: take the block tree")
    return patience.blocks if patience.code == LAG else NEVER


@njit(cache=True)
def next_lead(lead: int, by_enforcers: bool, give_up_at: int) -> int:
    """Lead of the offending branch after one block more; -1 when the race is over.

    Every block of the others offends.  One found outside a race begins one, with a lead of one.
    """
    # Sums rather than branches, which a processor cannot foresee here.
    lead += (lead == CALM) + 1 - 2 * by_enforcers
    return CALM if lead >= give_up_at else lead


@njit(cache=True)
def _draw_finders(by_enforcers: Flags, share_enforcing: float, key: np.uint64, event: int) -> None:
    """Who finds the next blocks; many draws at once keep the processor's lanes full."""
    for place in range(by_enforcers.size):
        by_enforcers[place] = uniform(key, 0, 0, event + place) < share_enforcing


@njit(cache=True)
def walk(share_enforcing: float, give_up_at: int, events: int, key: np.uint64) -> Walk:
    """Follow the races of enforcers and includers until a split is final or the events are over.

    Parameters
    ----------
    share_enforcing : of the hashrate; everybody else's blocks offend.
    give_up_at : lead at which enforcers join the offending branch; `NEVER` for never.
    events : blocks to find.
    key : the draws depend on this alone.
    """
    by_enforcers = np.empty(_DRAWS, np.bool_)
    lead, began, final_event, event = CALM, 0, -1, 0
    races = won = lost_enforcing = lost_offending = 0
    while event < events and final_event < 0:
        place = event % _DRAWS
        if place == 0:
            _draw_finders(by_enforcers, share_enforcing, key, event)
        before = lead
        began = event if before == CALM else began
        lead = next_lead(before, by_enforcers[place], give_up_at)
        event += 1
        if lead == CALM and before != CALM:
            races += 1
            won += before == 0
            lost_offending += (event - began - 1) // 2 if before == 0 else 0
            lost_enforcing += (event - began - give_up_at) // 2 if before > 0 else 0
        if lead >= FINAL_LEAD_BLOCKS and event - began >= FINAL_AGE_EVENTS:
            final_event = event
    return Walk(event, lead, races, won, lost_enforcing, lost_offending, final_event)


@njit(cache=True)
def final_events(share_enforcing: float, give_up_at: int, events: int, keys: Keys) -> Integers:
    """Event at which the split of each of many walks is final; -1 where it never is."""
    found = np.empty(keys.size, np.int64)
    for run in range(keys.size):
        found[run] = walk(share_enforcing, give_up_at, events, keys[run]).final_event
    return found
