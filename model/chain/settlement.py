"""What becomes final in the tree of blocks at the end of a day, and what leaves it: kernels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.chain.blocks import Floats, Integers
from model.chain.branches import (
    DECIDED,
    NOBODY,
    Record,
    Records,
    Tree,
    common_ancestor,
    lead_blocks,
    reconsider,
)

# An idle party's tip is forgotten when it is further behind.
STALE_BLOCKS = 1_008

Flags = NDArray[np.bool_]


class Settlement(NamedTuple):
    """What left the tree.

    Attributes
    ----------
    settled : `BLOCK` records of those that are on the chain for good, in order.
    orphaned : of those that nobody will build on.
    waits_s, wait_directives : how long forbidden transactions waited for a block that stays, and
        the directive each offends; the next arrives when the last has one.
    """

    settled: Records
    orphaned: Records
    waits_s: Floats
    wait_directives: Integers


@njit(cache=True)
def _rivals(blocks: Records, tip: int, best: int) -> bool:
    """Whether a tip on which nobody mines for now may still beat the best one."""
    return not blocks[tip].children and lead_blocks(blocks, best, tip) <= STALE_BLOCKS


@njit(cache=True)
def _hold(blocks: Records, parties: Records, race: Record, mining: int) -> tuple[Flags, int]:
    """Blocks that may still end on the chain, and the last one below all live tips.

    Everyone stands on the heaviest block it accepts and leaves it for a heavier one only, so a
    tip without anybody on it is dead, however little it is behind.
    """
    held = np.zeros(race.count, np.bool_)
    root = NOBODY
    for party in range(parties.size):
        tip = parties[party].tip
        if mining >> party & 1 or _rivals(blocks, tip, race.best):
            root = tip if root == NOBODY else common_ancestor(blocks, root, tip)
            while tip != NOBODY and not held[tip]:
                held[tip] = True
                tip = blocks[tip].parent
    return held, root


@njit(cache=True)
def _take(blocks: Records, rows: Integers) -> Records:
    taken = np.empty(rows.size, blocks.dtype)
    for place in range(rows.size):
        taken[place] = blocks[rows[place]]
    return taken


@njit(cache=True)
def path(blocks: Records, ancestor: int, block: int) -> Records:
    """The blocks above an ancestor, up to and with a block, in order."""
    length = blocks[block].height - blocks[ancestor].height
    rows = np.empty(length, np.int64)
    for place in range(length - 1, -1, -1):
        rows[place] = block
        block = blocks[block].parent
    return _take(blocks, rows)


@njit(cache=True)
def _waits(settled: Records, since_s: Floats, end_s: float) -> tuple[Floats, Integers]:
    """How long each forbidden transaction waited that is now in for good."""
    directives = since_s.size
    waits = np.empty(settled.size * directives)
    which = np.empty(waits.size, np.int64)
    ended = 0
    for place in range(settled.size):
        block = settled[place]
        if math.isnan(block.agreed_s):
            block.agreed_s = end_s
        for directive in range(directives):
            wait_s = block.agreed_s - since_s[directive]
            # Blocks that a race settles together hold the same transaction's successors.
            if block.offences >> directive & 1 and wait_s > 0.0:
                waits[ended], which[ended] = wait_s, directive
                since_s[directive] = block.agreed_s
                ended += 1
    return waits[:ended].copy(), which[:ended].copy()


@njit(cache=True)
def _decide_race(race: Record, held: Flags, root: int) -> None:
    """Count the race as ended for its first block, if that has left the tree."""
    if race.first >= 0 and (race.first <= root or not held[race.first]):
        race.races += 1
        race.won += not held[race.first]
        race.first = DECIDED


@njit(cache=True)
def _keep(blocks: Records, race: Record, held: Flags, root: int) -> Integers:
    """Move what is held above the root together; the new row of each old one, or -1."""
    count = race.count
    moved = np.full(count, NOBODY, np.int64)
    kept = 0
    for row in range(root, count):
        if held[row]:
            moved[row] = kept
            blocks[kept] = blocks[row]
            block = blocks[kept]
            below = moved[block.parent] if kept else NOBODY
            block.parent, block.children, block.run = below, 0, kept
            if kept:
                if not blocks[below].children:
                    block.run = blocks[below].run
                blocks[below].children += 1
            kept += 1
    blocks[0].refused = blocks[0].rejected = 0
    race.count = kept
    return moved


@njit(cache=True)
def _repoint(blocks: Records, parties: Records, race: Record, moved: Integers) -> None:
    """Let parties and race point at the new rows."""
    if race.first >= 0:
        race.first = moved[race.first]
    race.best = moved[race.best]
    if race.best == NOBODY:
        race.best = np.argmax(blocks["work"][: race.count])
    for party in range(parties.size):
        row = moved[parties[party].tip]
        parties[party].tip = max(row, 0)
        if row == NOBODY:
            reconsider(blocks, parties, race, party)


@njit(cache=True)
def settle(tree: Tree, waiting_since_s: Floats, mining: int, end_s: float) -> Settlement:
    """Take out of the tree what is settled and what is orphaned, in place.

    Parameters
    ----------
    waiting_since_s : since when a forbidden transaction waits, one entry a directive; renewed.
    mining : bits of the parties that mine; if none does, nothing is settled.
    end_s : now, in seconds since day 0.
    """
    blocks, parties, race = tree.blocks, tree.parties, tree.race[0]
    held, root = _hold(blocks, parties, race, mining)
    if not mining:
        held[:], root = True, 0
    settled = path(blocks, 0, root)
    orphaned = _take(blocks, np.flatnonzero(~held))
    waits_s, wait_directives = _waits(settled, waiting_since_s, end_s)
    if orphaned.size or root:
        _decide_race(race, held, root)
        _repoint(blocks, parties, race, _keep(blocks, race, held, root))
    return Settlement(settled, orphaned, waits_s, wait_directives)
