"""How often a directive splits the chain within a year: by the walk and by the block tree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from model.chain.blocks import Floats, Tip
from model.chain.branches import Tree, plant
from model.chain.contest import Day, mine_day
from model.chain.patience import Patience
from model.chain.settlement import settle
from model.chain.sides import Stances
from model.chain.walk import Keys, final_events, lag_limit
from model.streams import Streams
from model.units import (
    BLOCK_TARGET_S,
    BLOCKS_PER_DAY,
    DAYS_PER_YEAR,
    HOURS_PER_DAY,
    SECONDS_PER_DAY,
    equilibrium_difficulty,
)

HASHRATE_THS = 850e6
START_HEIGHT = 889_056
MOST_RUNS = 1_000_000
EVENTS_PER_YEAR = round(DAYS_PER_YEAR * SECONDS_PER_DAY / BLOCK_TARGET_S)


@dataclass(frozen=True, slots=True, eq=False)
class SplitChance:
    """How often the split was final within a year.

    Attributes
    ----------
    share_enforcing : of the hashrate.
    days : until the split was final, one entry a run; NaN where it was not within a year.
    """

    share_enforcing: float
    days: Floats

    @property
    def runs(self) -> int:
        """Years simulated."""
        return self.days.size

    @property
    def chance(self) -> float:
        """Share of the runs with a final split."""
        return float(np.mean(~np.isnan(self.days)))

    @property
    def median_days(self) -> float:
        """Until the split was final, where it was; NaN if it never was."""
        final = self.days[~np.isnan(self.days)]
        return float(np.median(final)) if final.size else math.nan


def race_keys(seed: int, runs: int) -> Keys:
    """One key a run."""
    seeds = range(MOST_RUNS * seed, MOST_RUNS * seed + runs)
    return np.array([Streams(each).key("race") for each in seeds], np.uint64)


def split_by_walk(share_enforcing: float, patience: Patience, keys: Keys) -> SplitChance:
    """The chance of a final split within 52,596 blocks at a constant difficulty."""
    _check_share(share_enforcing)
    events = final_events(share_enforcing, lag_limit(patience), EVENTS_PER_YEAR, keys)
    return SplitChance(share_enforcing, np.where(events < 0, math.nan, events / BLOCKS_PER_DAY))


def split_by_tree(share_enforcing: float, patience: Patience, keys: Keys) -> SplitChance:
    """The chance of a final split within a year when every branch retargets by itself.

    Both sides begin at an epoch's start, at the difficulty that suits all the hashrate; every
    block of those who do not enforce offends, and nobody changes sides.
    """
    _check_share(share_enforcing)
    shares = np.array([share_enforcing, 1.0 - share_enforcing])
    hashrate_ths = np.outer(shares, np.full(HOURS_PER_DAY, HASHRATE_THS))
    stances = Stances(refuses=(1, 0), offends=(0, 1), patience=(patience, Patience("inf")))
    days = [_final_day(_planted(stances), hashrate_ths, key) for key in keys]
    return SplitChance(share_enforcing, np.array(days))


def _check_share(share: float) -> None:
    if not 0.0 < share <= 1.0:
        raise ValueError(f"enforcers have a share of the hashrate above 0, up to 1, not {share}")


def _planted(stances: Stances) -> Tree:
    tree = plant(Tip(START_HEIGHT, equilibrium_difficulty(HASHRATE_THS), 0.0), 2, 0.0)
    stances.write(tree.parties)
    return tree


@njit(cache=True)
def _final_day(tree: Tree, hashrate_ths: Floats, key: np.uint64) -> float:
    """Days until the split is final; NaN if it is not within a year."""
    always, waiting_since_s = np.ones(1), np.zeros(1)
    for day in range(math.ceil(DAYS_PER_YEAR)):
        tree = mine_day(tree, Day(day, key, hashrate_ths, always, 0, True, False))
        if not math.isnan(tree.race[0].final_s):
            days = float(tree.race[0].final_s / SECONDS_PER_DAY)
            return days if days <= DAYS_PER_YEAR else math.nan
        settle(tree, waiting_since_s, 3, (day + 1) * SECONDS_PER_DAY)
    return math.nan
