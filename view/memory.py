"""What the page keeps of days gone by: single blocks, events, and what no series tells."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.complying import STANCES
from model import metrics
from model.chain.compliance import Choice
from model.chain.tree import DayOfTree
from model.observing import SIZE_BINS
from model.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from model.world import World

DAYS_OF_BLOCKS = 4  # drawn one by one
SIZE_EDGES_MW = (1.0, 10.0, 100.0)
TOLD_EVENTS = 8  # the last ones that are listed, of either kind
# What happens to somebody every other day, and would leave no room for what concerns everybody.
COMMON = ("seizure", "halt", "exit", "bankruptcy", "lease", "listing")
# What changes the rules of the game, and gets an upright line in the panels.
TURNS = ("directive", "split", "fork", "wipeout")
# Columns of the day's counts.
PLAIN, CENSORED, ORPHANED, FREE = range(4)

Told = tuple[int, str, str, str]


@dataclass(frozen=True)
class Blocks:
    """Blocks found on one day.

    Attributes
    ----------
    day : when.
    times_s : seconds since day 0.
    censors : whether whoever made it leaves forbidden payments out.
    enforces : whether whoever made it builds on no block that holds one.
    disputed : whether it stands on a tree on which it may yet be orphaned.
    stale : others that lost to propagation; nobody knows when they were found.
    free_s : blocks of the free coin after a split.
    """

    day: int
    times_s: np.ndarray
    censors: np.ndarray
    enforces: np.ndarray
    disputed: bool
    stale: int
    free_s: np.ndarray


class Memory:
    """Blocks of the last days, and daily rows of what no series of the record has."""

    def __init__(self, days: int, kinds: int) -> None:
        self.blocks: deque[Blocks] = deque(maxlen=DAYS_OF_BLOCKS)
        self.settled: deque[tuple[int, np.ndarray]] = deque(maxlen=DAYS_OF_BLOCKS)
        self.days = 0
        self.first_split: int | None = None
        self._counts = np.zeros((days, 4), dtype=np.float32)
        self._hhi_firm = np.full(days, np.nan)
        self._energy = np.zeros((days, kinds), dtype=np.float32)
        self._sizes = np.zeros((days, len(SIZE_BINS)), dtype=np.float32)
        self._free_height = -1
        self._told = 0
        self.turns: list[int] = []
        self._common: deque[Told] = deque(maxlen=TOLD_EVENTS)
        self._rare: deque[Told] = deque(maxlen=TOLD_EVENTS)

    @property
    def counts(self) -> np.ndarray:
        """Blocks of each day: plain, censored, orphaned, and of the free coin."""
        return self._counts[: self.days]

    @property
    def latest(self) -> list[Told]:
        """The last events: day, kind, subject and words, the newest first."""
        return sorted([*self._rare, *self._common], key=lambda told: -told[0])

    @property
    def hhi_firm(self) -> np.ndarray:
        """Herfindahl index of firms on each day."""
        return self._hhi_firm[: self.days]

    @property
    def energy(self) -> np.ndarray:
        """Share of the hashrate at each kind of site, [day, kind]."""
        return self._energy[: self.days]

    @property
    def sizes(self) -> np.ndarray:
        """Share of the hashrate at sites of each size, [day, size]."""
        return self._sizes[: self.days]

    def see(self, world: World) -> None:
        """Note the day that the world has just lived through."""
        day = world.day - 1
        found = self._found(world, day)
        self.blocks.append(found)
        self._count(world, found, day)
        # Sites that the evening's decisions added have not run yet.
        work = world.site_work
        kind, size_mw = (world.sites[name][: work.size] for name in ("kind", "size_mw"))
        self._hhi_firm[day] = metrics.hhi(world.miners["work"])
        self._energy[day] = _shares(kind, work, self._energy.shape[1])
        bins = np.digitize(size_mw, SIZE_EDGES_MW)
        self._sizes[day] = _shares(bins, work, len(SIZE_BINS))
        self.days = day + 1
        self._hear(world)

    def _hear(self, world: World) -> None:
        """Take in the events since the last look."""
        news = world.recorder.news(self._told)
        self._told += len(news)
        self._common.extend(told for told in news if told[1] in COMMON)
        self._rare.extend(told for told in news if told[1] not in COMMON)
        self.turns += [day for day, kind, _, _ in news if kind in TURNS]

    def _found(self, world: World, day: int) -> Blocks:
        blocks = world.blocks
        free = self._free_blocks(world, day)
        if isinstance(blocks, DayOfTree):
            self.settled.append((day, blocks.block_times_s))
            by, live = blocks.found_by, len(world.politics.live)
            enforces = censoring(by, live, Choice.ENFORCE)
            return Blocks(day, blocks.found_times_s, censoring(by, live), enforces, True, 0, free)
        censors = spread_over(blocks.blocks, leaving_out(world))
        return Blocks(day, blocks.block_times_s, censors, censors, False, blocks.stale, free)

    def _free_blocks(self, world: World, day: int) -> np.ndarray:
        """Times of the free coin's blocks of the day; where they are not known, evenly spread."""
        split = world.politics.split
        if split is None:
            self._free_height = -1
            return np.zeros(0)
        self.first_split = split.day
        before = self._free_height if self._free_height >= 0 else split.free.start_height
        self._free_height = split.free.height
        self._counts[day, FREE] = max(split.free.height - before, 0)
        found, begin_s = split.free.height - before, day * SECONDS_PER_DAY
        recent = split.free.recent_s[split.free.recent_s >= begin_s]
        # A chain remembers so many times and no more: those of a fast day's first blocks are lost.
        first_s = recent[0] if recent.size else begin_s + SECONDS_PER_DAY
        lost = np.linspace(begin_s, first_s, max(found - recent.size, 0), endpoint=False)
        return np.concatenate((lost, recent))

    def _count(self, world: World, found: Blocks, day: int) -> None:
        censored = int(found.censors.sum())
        orphaned = found.stale
        if found.disputed and isinstance(world.blocks, DayOfTree):
            orphaned = int(world.blocks.orphaned.sum())
        self._counts[day, [PLAIN, CENSORED, ORPHANED]] = (
            found.times_s.size - censored, censored, orphaned,
        )  # fmt: skip


def censoring(found_by: np.ndarray, directives: int, least: Choice = Choice.FILTER) -> np.ndarray:
    """Whether the party that found each block does so much or more; a digit a directive tells."""
    digits = [found_by // STANCES**bit % STANCES for bit in range(directives)]
    return np.any([digit >= least for digit in digits], axis=0) if digits else found_by < 0


def leaving_out(world: World) -> float:
    """Share of the blocks of one coin, or of the compliant one, that leave anything out."""
    if not world.politics.live:
        return 0.0
    included = float(world.recorder["inclusion_rate"][-1])
    return 1.0 if math.isnan(included) else 1.0 - included


def spread_over(count: int, share: float) -> np.ndarray:
    """A share of some blocks, evenly spread: which of them they are nobody has drawn."""
    steps = np.floor(share * np.arange(count + 1) + 1e-9)
    return np.diff(steps) > 0


def _shares(labels: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    held = np.bincount(labels, weights=weights, minlength=count)[:count]
    return metrics.normalised(held.astype(np.float64))
