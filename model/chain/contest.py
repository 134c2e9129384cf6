"""A day of mining on several tips, block by block: kernels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from model.chain.blocks import Floats, work_needed
from model.chain.branches import (
    CALM,
    NOBODY,
    ROUNDING_BLOCKS,
    Record,
    Records,
    Tree,
    common_ancestor,
    follow,
    lift,
    lose_patience,
    put,
    with_room,
)
from model.streams import uniform
from model.units import (
    HOURS_PER_DAY,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    blocks_per_second,
    equilibrium_difficulty,
)

# A split is final when it is this old and the offending branch leads by this much work.
FINAL_LEAD_BLOCKS = 144
FINAL_AGE_S = 7 * SECONDS_PER_DAY

# Rows of the chain's stream after those of `blocks`; directives take one each from the last on.
_ROW_FINDER = 26
_ROW_OFFENCE = 27


class Day(NamedTuple):
    """What a day of mining depends on beside the tree and the parties.

    Attributes
    ----------
    day, key : the draws depend on these alone.
    hashrate_ths : shape (parties, 24).
    offence_chance : chance that a block of an offending party offends, one entry a directive.
    fees_sat : transaction fees of each block.
    off_by_one : retarget as Bitcoin does.
    tie_join : outsiders join the enforcers' tip at a tie.
    """

    day: int
    key: np.uint64
    hashrate_ths: Floats
    offence_chance: Floats
    fees_sat: int
    off_by_one: bool
    tie_join: bool


@njit(cache=True)
def mining_parties(hashrate_ths: Floats) -> int:
    """Bits of the parties that mine at some hour of the day."""
    mining = 0
    for party in range(hashrate_ths.shape[0]):
        if hashrate_ths[party].max() > 0.0:
            mining |= 1 << party
    return mining


@njit(cache=True)
def _rates(
    blocks: Records, parties: Records, hashrate_ths: Floats, hour: int, rates: Floats
) -> float:
    """Blocks per second of every party at its tip's difficulty, and of all together."""
    easiest, hardest, hashrate = math.inf, 0.0, 0.0
    for party in range(rates.size):
        difficulty = blocks[parties[party].tip].difficulty
        rates[party] = blocks_per_second(hashrate_ths[party, hour], difficulty)
        hashrate += hashrate_ths[party, hour]
        if rates[party] > 0.0:
            easiest, hardest = min(easiest, difficulty), max(hardest, difficulty)
    if easiest == hardest:
        # The rounding of one division: a lone chain's blocks come when `find_one_by_one` says.
        return blocks_per_second(hashrate, hardest)
    return float(rates.sum())


@njit(cache=True)
def _finder(rates: Floats, draw: float) -> int:
    """The party that finds the next block, with a chance in proportion to its rate."""
    left, finder = draw * rates.sum(), NOBODY
    for party in range(rates.size):
        if rates[party] > 0.0:
            finder = party
            left -= rates[party]
            if left < 0.0:
                break
    return finder


@njit(cache=True)
def _draw_offences(finder: Record, chance: Floats, key: np.uint64, day: int, found: int) -> int:
    """Bits of the directives that a block offends."""
    offences = 0
    for directive in range(chance.size if finder.offends else 0):
        bit = 1 << directive
        if finder.offends & bit and (
            finder.resubmits & bit
            or uniform(key, day, _ROW_OFFENCE + directive, found) < chance[directive]
        ):
            offences |= bit
    return offences


@njit(cache=True)
def _agree(blocks: Records, parties: Records, mining: int, now_s: float) -> int:
    """Note the blocks that all who mine have come to build on; row of the tip they share, or -1."""
    agreed, together = NOBODY, True
    for party in range(parties.size):
        if mining >> party & 1:
            tip = parties[party].tip
            together = together and agreed in (NOBODY, tip)
            agreed = tip if agreed == NOBODY else common_ancestor(blocks, agreed, tip)
    if agreed != NOBODY:
        row = agreed
        while math.isnan(blocks[row].agreed_s):
            blocks[row].agreed_s = now_s
            row = blocks[row].parent
    return agreed if together else NOBODY


@njit(cache=True)
def _end_race(blocks: Records, race: Record, tip: int) -> None:
    """Count a race as ended now that everybody mines on one tip."""
    if race.first >= 0:
        race.races += 1
        race.won += common_ancestor(blocks, race.first, tip) != race.first
    race.first = CALM
    if not math.isnan(race.final_s):
        race.reverts += 1
        race.final_s = math.nan


@njit(cache=True)
def rival_tips(blocks: Records, parties: Records, mining: int) -> tuple[int, int]:
    """Rows of the offending tip of most work that is mined on and of the enforcers' best tip.

    The enforcers are the parties that mine and reject the offending tip; -1 twice if none does.
    """
    offending, enforcing = NOBODY, NOBODY
    for party in range(parties.size):
        tip = parties[party].tip
        if (
            mining >> party & 1
            and blocks[tip].rejected & mining
            and (offending == NOBODY or blocks[tip].work > blocks[offending].work)
        ):
            offending = tip
    enforcers = blocks[offending].rejected & mining if offending != NOBODY else 0
    for party in range(parties.size):
        tip = parties[party].tip
        if enforcers >> party & 1 and (
            enforcing == NOBODY or blocks[tip].work > blocks[enforcing].work
        ):
            enforcing = tip
    return offending, enforcing


@njit(cache=True)
def _parted_s(blocks: Records, offending: int, enforcing: int) -> float:
    """When the first block of the offending branch was found."""
    ancestor = common_ancestor(blocks, offending, enforcing)
    while blocks[offending].parent != ancestor:
        offending = blocks[offending].parent
    return float(blocks[offending].time_s)


@njit(cache=True)
def _watch_split(
    blocks: Records, parties: Records, race: Record, mining: int, usual: float, now_s: float
) -> None:
    """Note since when the split is final.

    Races lost before may have left the branches a difficulty far below the one that all the
    hashrate would settle at: then a lead counts in blocks of the latter, or every lost race would
    make the next split easier.
    """
    offending, enforcing = rival_tips(blocks, parties, mining)
    if offending == NOBODY:
        return
    before = blocks[common_ancestor(blocks, offending, enforcing)].difficulty
    lead = (blocks[offending].work - blocks[enforcing].work) / max(before, usual)
    if (
        lead >= FINAL_LEAD_BLOCKS - ROUNDING_BLOCKS
        and now_s - _parted_s(blocks, offending, enforcing) >= FINAL_AGE_S
    ):
        race.final_s = now_s


@njit(cache=True)
def _respond(
    blocks: Records,
    parties: Records,
    race: Record,
    block: int,
    mining: int,
    usual: float,
    tie_join: bool,
) -> None:
    """Let everyone choose a tip after a block, and see what that does to the race."""
    now_s = blocks[block].time_s
    follow(blocks, parties, race, block, tie_join)
    lose_patience(blocks, parties, race)
    shared = _agree(blocks, parties, mining, now_s)
    if shared != NOBODY:
        _end_race(blocks, race, shared)
        return
    if race.first == CALM and blocks[block].refused:
        race.first = block
    if math.isnan(race.final_s):
        _watch_split(blocks, parties, race, mining, usual, now_s)


@njit(cache=True)
def mine_day(tree: Tree, day: Day) -> Tree:
    """The tree after a day in which every party mines on its own tip.

    Blocks come one after the other with exponential intervals.  After each of them every party
    moves to the block of most work that it accepts (staying where it is at a tie), and those who
    have waited long enough accept what they refused.

    References
    ----------
    Rosenfeld 2014, "Analysis of Hashrate-Based Double Spending", for the race of two branches.
    """
    blocks, parties, race = tree.blocks, tree.parties, tree.race[0]
    hashrate_ths, mining = day.hashrate_ths, mining_parties(day.hashrate_ths)
    usual = equilibrium_difficulty(hashrate_ths.sum() / HOURS_PER_DAY)
    rates = np.empty(parties.size)
    now_s = day.day * SECONDS_PER_DAY
    race.longest_reorg = 0
    lift(blocks, parties, race)
    _agree(blocks, parties, mining, now_s)
    found = 0
    needed = work_needed(day.key, day.day, 0)
    for hour in range(HOURS_PER_DAY):
        end_s = day.day * SECONDS_PER_DAY + (hour + 1) * SECONDS_PER_HOUR
        rate = _rates(blocks, parties, hashrate_ths, hour, rates)
        while needed < rate * (end_s - now_s):
            now_s += needed / rate
            blocks = with_room(blocks, race.count)
            party = _finder(rates, uniform(day.key, day.day, _ROW_FINDER, found))
            offences = _draw_offences(parties[party], day.offence_chance, day.key, day.day, found)
            block = put(blocks, parties, race, party, offences, now_s, day.fees_sat, day.off_by_one)
            _respond(blocks, parties, race, block, mining, usual, day.tie_join)
            found += 1
            needed = work_needed(day.key, day.day, found)
            rate = _rates(blocks, parties, hashrate_ths, hour, rates)
        needed -= rate * (end_s - now_s)
        now_s = end_s
    return Tree(blocks, parties, tree.race)
