"""The tree of blocks as arrays, and which of its tips each party mines on: kernels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.chain.blocks import Tip, add_block, subsidy_sat
from model.chain.patience import CONFIRMATIONS, INF, gives_up

Records = NDArray[Any]
Record = Any

NOBODY = -1
# Work is summed block by block, so a lead of six blocks may come out a little under six.
ROUNDING_BLOCKS = 1e-6

BLOCK = np.dtype(
    [
        ("parent", np.int64),  # row of the block it builds on; -1 at the root
        ("run", np.int64),  # row of the first block of its unforked run
        ("children", np.int64),
        ("party", np.int64),  # who found it; -1 at the root
        ("height", np.int64),  # blocks so far, this one included
        ("difficulty", np.float64),  # of the next block
        ("epoch_start_s", np.float64),
        ("work", np.float64),  # difficulty of all blocks so far, summed
        ("time_s", np.float64),
        ("agreed_s", np.float64),  # when all who mine had come to build on it; NaN before
        ("reward_sat", np.int64),  # subsidy and transaction fees
        ("fees_sat", np.int64),
        ("offences", np.int64),  # bits of the directives it offends
        ("refused", np.int64),  # bits of the parties that refuse this very block
        ("rejected", np.int64),  # bits of the parties that refuse it or a block below it
    ]
)
PARTY = np.dtype(
    [
        ("tip", np.int64),  # row of the block it mines on
        ("resubmits", np.int64),  # bits of directives whose transaction lost its block
        ("refuses", np.int64),  # bits of the directives whose offending blocks it refuses
        ("refuses_from", np.int64),  # height of the first block that it may refuse
        ("offends", np.int64),  # bits of the directives that its blocks may offend
        ("patience", np.int64),  # code of a `Patience`
        ("patience_blocks", np.int64),
    ]
)
RACE = np.dtype(
    [
        ("count", np.int64),  # rows of blocks in use
        ("best", np.int64),  # row of the block with most work
        ("first", np.int64),  # row of the block that began the race; or CALM or DECIDED
        ("races", np.int64),  # that have ended
        ("won", np.int64),  # by those who refused the first block
        ("reverts", np.int64),  # final splits that healed
        ("longest_reorg", np.int64),  # today, in blocks
        ("final_s", np.float64),  # since when the split is final; NaN if none is
    ]
)
CALM, DECIDED = -1, -2

_ROOM_FOR_BLOCKS = 512


class Tree(NamedTuple):
    """The blocks that are not yet settled, on top of the last one that is, and who mines them.

    Attributes
    ----------
    blocks : `BLOCK` records, parents before children; the root in row 0 is settled.
    parties : `PARTY` records.
    race : one `RACE` record.
    """

    blocks: Records
    parties: Records
    race: Records


def plant(tip: Tip, parties: int, now_s: float) -> Tree:
    """A tree of one settled block, on which every party stands."""
    blocks, race = np.zeros(_ROOM_FOR_BLOCKS, BLOCK), np.zeros(1, RACE)
    root = blocks[0]
    root["parent"] = root["party"] = NOBODY
    root["height"], root["difficulty"], root["epoch_start_s"] = tip
    root["time_s"] = root["agreed_s"] = now_s
    race["count"], race["first"], race["final_s"] = 1, CALM, math.nan
    return Tree(blocks, np.zeros(parties, PARTY), race)


@njit(cache=True)
def with_room(blocks: Records, count: int) -> Records:
    """The blocks with room for one more."""
    if count < blocks.size:
        return blocks
    roomier = np.empty(2 * blocks.size, blocks.dtype)
    roomier[:count] = blocks
    return roomier


@njit(cache=True)
def common_ancestor(blocks: Records, one: int, other: int) -> int:
    """Row of the last block that two blocks have below them or are."""
    while blocks[one].run != blocks[other].run:
        # A run cannot be below one that began before it.
        if blocks[one].run > blocks[other].run:
            one = blocks[blocks[one].run].parent
        else:
            other = blocks[blocks[other].run].parent
    return min(one, other)


@njit(cache=True)
def offences_between(blocks: Records, ancestor: int, block: int) -> int:
    """Bits of the directives that the blocks above an ancestor, up to a block, offend."""
    offences = 0
    while block != ancestor:
        offences |= blocks[block].offences
        block = blocks[block].parent
    return offences


@njit(cache=True)
def lead_blocks(blocks: Records, ahead: int, behind: int) -> float:
    """Work by which one tip leads another, in blocks of the difficulty before they parted."""
    difficulty = blocks[common_ancestor(blocks, ahead, behind)].difficulty
    return (blocks[ahead].work - blocks[behind].work) / difficulty


@njit(cache=True)
def _refusing(parties: Records, offences: int, height: int) -> int:
    """Bits of the parties that refuse a block with these offences at this height."""
    refusing = 0
    for party in range(parties.size):
        if offences & parties[party].refuses and height >= parties[party].refuses_from:
            refusing |= 1 << party
    return refusing


@njit(cache=True)
def put(
    blocks: Records,
    parties: Records,
    race: Record,
    party: int,
    offences: int,
    time_s: float,
    fees_sat: int,
    off_by_one: bool,
) -> int:
    """Add the block that a party has found on its tip; the block's row."""
    row, parent = race.count, parties[party].tip
    below, block = blocks[parent], blocks[row]
    tip = add_block(Tip(below.height, below.difficulty, below.epoch_start_s), time_s, off_by_one)
    block.parent, block.party, block.children = parent, party, 0
    block.run = row if below.children else below.run
    block.height, block.difficulty, block.epoch_start_s = tip
    block.work = below.work + below.difficulty
    block.time_s, block.agreed_s = time_s, math.nan
    block.fees_sat, block.reward_sat = fees_sat, subsidy_sat(below.height) + fees_sat
    block.offences = offences
    block.refused = _refusing(parties, offences, below.height) if offences else 0
    block.rejected = below.rejected | block.refused
    below.children += 1
    race.count += 1
    if block.work > blocks[race.best].work:
        race.best = row
    return row


@njit(cache=True)
def _move(blocks: Records, parties: Records, race: Record, party: int, block: int) -> None:
    """Let a party mine on a block, and take back to its template what it loses by that."""
    stands = parties[party]
    ancestor = common_ancestor(blocks, stands.tip, block)
    reorg = blocks[stands.tip].height - blocks[ancestor].height
    race.longest_reorg = max(race.longest_reorg, reorg)
    lost = offences_between(blocks, ancestor, stands.tip)
    stands.resubmits |= lost
    stands.resubmits &= ~offences_between(blocks, ancestor, block)
    stands.tip = block


@njit(cache=True)
def _joins(blocks: Records, tip: int, block: int) -> bool:
    """Whether an outsider leaves its tip for an equal one that fewer parties reject."""
    here, there = blocks[tip].rejected, blocks[block].rejected
    return blocks[block].work == blocks[tip].work and here != there and here | there == here


@njit(cache=True)
def follow(blocks: Records, parties: Records, race: Record, block: int, tie_join: bool) -> None:
    """Let every party that accepts a new block mine on it if it has more work than its tip."""
    for party in range(parties.size):
        tip = parties[party].tip
        if not blocks[block].rejected >> party & 1 and (
            blocks[block].work > blocks[tip].work or (tie_join and _joins(blocks, tip, block))
        ):
            if blocks[block].parent == tip:
                parties[party].tip = block
                parties[party].resubmits &= ~blocks[block].offences
            else:
                _move(blocks, parties, race, party, block)


@njit(cache=True)
def reconsider(blocks: Records, parties: Records, race: Record, party: int) -> None:
    """Judge every block anew for one party, and let it mine on what it accepts of most work."""
    bit = 1 << party
    choice = parties[party].tip
    for row in range(1, race.count):
        block = blocks[row]
        refusing = (block.refused | blocks[block.parent].rejected) & bit
        block.rejected = block.rejected & ~bit | refusing
        if not refusing and block.work > blocks[choice].work:
            choice = row
    if choice != parties[party].tip:
        _move(blocks, parties, race, party, choice)


@njit(cache=True)
def _outlasted(blocks: Records, parties: Records, race: Record, party: int) -> bool:
    """Whether the best branch, which a party rejects, has outlasted its patience."""
    best = race.best
    behind = lead_blocks(blocks, best, parties[party].tip) + ROUNDING_BLOCKS
    confirmations = 0
    if parties[party].patience == CONFIRMATIONS:
        row = best
        while blocks[row].rejected >> party & 1:
            row = blocks[row].parent
        confirmations = blocks[best].height - blocks[row].height - 1
    return gives_up(parties[party].patience, parties[party].patience_blocks, behind, confirmations)


@njit(cache=True)
def _accept_best(blocks: Records, parties: Records, race: Record, party: int) -> None:
    """Let a party give up on every block that it has refused on the best branch, and join it."""
    row = race.best
    while blocks[row].rejected >> party & 1:
        blocks[row].refused &= ~(1 << party)
        row = blocks[row].parent
    reconsider(blocks, parties, race, party)


@njit(cache=True)
def lose_patience(blocks: Records, parties: Records, race: Record) -> None:
    """Let every party whose patience with the best branch has ended join it."""
    best = race.best
    if not blocks[best].rejected:
        return
    for party in range(parties.size):
        if (
            parties[party].patience != INF
            and blocks[best].rejected >> party & 1
            and _outlasted(blocks, parties, race, party)
        ):
            _accept_best(blocks, parties, race, party)


@njit(cache=True)
def lift(blocks: Records, parties: Records, race: Record) -> None:
    """Forget refusals whose directive is no longer in force for a party."""
    lifted = 0
    for row in range(1, race.count):
        block = blocks[row]
        if block.refused:
            for party in range(parties.size):
                if block.refused >> party & 1 and not block.offences & parties[party].refuses:
                    block.refused &= ~(1 << party)
                    lifted |= 1 << party
    for party in range(parties.size):
        if lifted >> party & 1:
            reconsider(blocks, parties, race, party)
