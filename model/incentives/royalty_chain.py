"""The register: its blocks and who finds them, and the records that transfers pay for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.incentives.royalty_payments import NOBODY, Split, payment_parts
from model.streams import uniform
from model.units import SECONDS_PER_DAY

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Indices = NDArray[np.int32]
Bools = NDArray[np.bool_]

_ROOM = 1024
# Draws after which the last property drawn is taken, whatever its popularity.
_MOST_DRAWS = 10_000


# Blocks


class Rules(NamedTuple):
    """When blocks come: interval wanted, blocks between retargets, largest step of difficulty."""

    block_s: float
    epoch_blocks: int
    largest_step: float


class Tip(NamedTuple):
    """The end of the chain: height of the next block, its difficulty, start of the epoch.

    Difficulty is in seconds that one processor takes for a block on average.
    """

    height: int
    difficulty_cpu_s: float
    epoch_start_s: float


@njit(cache=True)
def retarget(difficulty_cpu_s: float, timespan_s: float, rules: Rules) -> float:
    """Difficulty of the next epoch, from how long the past one took.

    Parameters
    ----------
    difficulty_cpu_s : seconds of one processor.
    timespan_s : over all intervals of the epoch; held within the largest step of its target.
    """
    target_s = rules.block_s * rules.epoch_blocks
    low, high = target_s / rules.largest_step, target_s * rules.largest_step
    return difficulty_cpu_s * target_s / min(max(timespan_s, low), high)


@njit(cache=True)
def find_blocks(
    tip: Tip, cpus: float, start_s: float, key: np.uint64, day: int, rules: Rules
) -> tuple[Tip, Floats]:
    """Find the blocks of the day that starts at `start_s`; the tip after them and their times.

    The interval running when the day ends is drawn afresh the next day, which changes nothing:
    the process has no memory.
    """
    height, difficulty, epoch_start_s = tip
    times, found, now_s, end_s = np.empty(_ROOM), 0, start_s, start_s + SECONDS_PER_DAY
    while cpus > 0.0:
        now_s -= math.log1p(-uniform(key, day, found, 0)) * difficulty / cpus
        if now_s >= end_s:
            break
        if found == times.size:
            roomier = np.empty(2 * found)
            roomier[:found] = times
            times = roomier
        times[found] = now_s
        found += 1
        height += 1
        if height % rules.epoch_blocks == 0:
            difficulty = retarget(difficulty, now_s - epoch_start_s, rules)
            epoch_start_s = now_s
    return Tip(height, difficulty, epoch_start_s), times[:found].copy()


# Miners


def entrants(cost_usd_cpu_day: Floats, cpus: Floats, income_usd_day: float, stewards: int) -> Bools:
    """Who mines: from the cheapest on, whoever the income still pays for when it is shared.

    Parameters
    ----------
    cost_usd_cpu_day, cpus : shape (n,), of each miner.
    income_usd_day : of the whole network, whatever its size.
    stewards : the first so many miners mine whatever it pays.
    """
    mines = np.arange(cpus.size) < stewards
    order = np.argsort(cost_usd_cpu_day, kind="stable")
    order = order[~mines[order]]
    together = cpus[mines].sum() + np.cumsum(cpus[order])
    mines[order] = income_usd_day >= cost_usd_cpu_day[order] * together
    return mines


def at_random(weights: Floats, draws: Floats) -> Integers:
    """Row that each uniform draw falls to, with chances in proportion to weights."""
    cumulative = np.cumsum(weights)
    rows = np.searchsorted(cumulative, draws * cumulative[-1], side="right")
    # A draw just below one times the total may round up to the total itself.
    return np.minimum(rows, np.searchsorted(cumulative, cumulative[-1])).astype(np.int64)


# Records


class Growing:
    """A column that grows at its end; `all` is a view of what is there."""

    def __init__(self, dtype: type) -> None:
        self._room: NDArray[Any] = np.zeros(_ROOM, dtype)
        self.size = 0

    @property
    def all(self) -> NDArray[Any]:
        """The values so far; writing to them writes to the column."""
        return self._room[: self.size]

    def extend(self, values: NDArray[Any]) -> None:
        """Add values at the end."""
        size = self.size + values.size
        if size > self._room.size:
            roomier = np.zeros(max(size, 2 * self._room.size), self._room.dtype)
            roomier[: self.size] = self.all
            self._room = roomier
        self._room[self.size : size] = values
        self.size = size


class Registry:
    """Properties by the block of their issue and of their last transfer, and blocks by owner.

    Parameters
    ----------
    owners : miners and buyers of blocks, together.
    popularity : chance of each class of properties to be transferred, mean 1.

    Attributes
    ----------
    issue_block, last_block, popularity_class : one value a property; the block of the last
        transfer is -1 while there is none.
    owner : one value a block.
    fresh, moved : properties of each class that were never transferred, and that were.
    """

    def __init__(self, owners: int, popularity: Floats) -> None:
        self.owners = owners
        self.popularity = popularity
        self.issue_block = Growing(np.int32)
        self.last_block = Growing(np.int32)
        self.popularity_class = Growing(np.int8)
        self.owner = Growing(np.int32)
        self.fresh = np.zeros(popularity.size, np.int64)
        self.moved = np.zeros(popularity.size, np.int64)

    @property
    def properties(self) -> int:
        """Properties issued so far."""
        return self.issue_block.size

    @property
    def blocks(self) -> int:
        """Blocks so far, which is the number of the next one."""
        return self.owner.size

    def add_blocks(self, finders: Integers) -> None:
        """Blocks belong to their finders at first."""
        self.owner.extend(finders)

    def issue(self, blocks: Integers, draws: Floats) -> None:
        """New properties in some blocks, in their order, of classes that uniform draws decide."""
        classes = (draws * self.popularity.size).astype(np.int8)
        self.issue_block.extend(blocks)
        self.last_block.extend(np.full(blocks.size, NOBODY, np.int32))
        self.popularity_class.extend(classes)
        self.fresh += np.bincount(classes, minlength=self.popularity.size)

    def transfer(
        self,
        blocks: Integers,
        moves: Bools,
        split: Split,
        received: Integers,
        outputs: Integers,
        key: np.uint64,
        day: int,
    ) -> Integers:
        """Transfer properties in some blocks, in their order, and pay for it.

        Parameters
        ----------
        blocks, moves : shape (n,), of each transfer, and whether it moves the property or is
            paid for a copy.
        received, outputs : shape (owners,), litoshi and payments, added to.
        key, day : which properties are transferred depends on these.

        Returns
        -------
        The properties; -1 where there was none before the block, and nothing is transferred.
        """
        known = np.searchsorted(self.issue_block.all, blocks)
        picked: Integers = _transfer(
            blocks, moves, known, self.issue_block.all, self.last_block.all,
            self.popularity_class.all, self.owner.all, self.popularity / self.popularity.max(),
            self.fresh, self.moved, split, received, outputs, key, day,
        )  # fmt: skip
        return picked

    def portfolios(self) -> tuple[Integers, Integers, Integers]:
        """Fresh, moved and last records of every owner and class, shape (owners, classes)."""
        owner = self.owner.all
        kinds = self.popularity_class.all
        shape = (self.owners, self.popularity.size)

        def counted(blocks: NDArray[Any], chosen: Bools) -> Integers:
            cells = owner[blocks[chosen]] * shape[1] + kinds[chosen]
            return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)

        moved = self.last_block.all >= 0
        issued = self.issue_block.all
        return counted(issued, ~moved), counted(issued, moved), counted(self.last_block.all, moved)

    def blocks_by_owner(self) -> Integers:
        """Blocks that each owner has."""
        return np.bincount(self.owner.all, minlength=self.owners)

    def pass_on(self, new_owner: Integers) -> None:
        """Give all blocks of each owner to another, or leave them where they are."""
        self.owner.all[:] = new_owner[self.owner.all]


@njit(cache=True)
def _transfer(
    blocks: Integers,
    moves: Bools,
    known: Integers,
    issue_block: Indices,
    last_block: Indices,
    classes: NDArray[np.int8],
    owner: Indices,
    acceptance: Floats,
    fresh: Integers,
    moved: Integers,
    split: Split,
    received: Integers,
    outputs: Integers,
    key: np.uint64,
    day: int,
) -> Integers:
    picked = np.full(blocks.size, -1, np.int64)
    for row in range(blocks.size):
        if known[row] == 0:
            continue
        item = _pick(known[row], classes, acceptance, key, day, row)
        picked[row] = item
        first = owner[issue_block[item]]
        before = last_block[item]
        second = owner[before] if before >= 0 else -1
        to_first, to_second = payment_parts(split, first, second)
        received[first] += to_first
        outputs[first] += 1
        if to_second > 0:
            received[second] += to_second
            outputs[second] += 1
        if moves[row]:
            last_block[item] = blocks[row]
            if before < 0:
                fresh[classes[item]] -= 1
                moved[classes[item]] += 1
    return picked


@njit(cache=True)
def _pick(
    known: int,
    classes: NDArray[np.int8],
    acceptance: Floats,
    key: np.uint64,
    day: int,
    row: int,
) -> int:
    """One of the first properties, with a chance in proportion to its popularity."""
    item = 0
    for draw in range(_MOST_DRAWS):
        item = int(uniform(key, day, row, 2 * draw) * known)
        if uniform(key, day, row, 2 * draw + 1) < acceptance[classes[item]]:
            break
    return item
