"""The published simulation of a covenant pool, as it was and with its worst faults mended.

What its numbers depend on is kept: the order of its random draws, its seed and its constants.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.rewards.variance import covenant_variance_per_block
from model.units import BLOCK_TARGET_S, BLOCKS_PER_DAY

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# By what the script divides its metric, without a reason; the sum of its hashrates is near it.
MAGIC = 70.0


@dataclass(frozen=True)
class Script:
    """Constants and faults of the script; those by default are as it was run.

    Attributes
    ----------
    miners, chance_of_sharing, blocks : how many miners, who of them shares, and blocks after
        those of the bootstrap
    lookback_s : seconds after which a block leaves the window
    shared : sigma of all who share; the script's own default, 143/144, was not used
    power : exponent of the distribution of hashrates
    reward : of a block
    seed : of NumPy's legacy generator
    arrivals : whole seconds drawn from a Poisson distribution of mean 600, whose deviation is 24
        seconds, or times as they are
    bootstrap : whether blocks that share nothing fill the window before the rest until there is
        one (the condition was inverted), until the window is full, or not at all
    one_exit : whether a block that enters lets one other leave at most
    burns : whether what is shared with an empty window is lost
    """

    miners: int = 100
    chance_of_sharing: float = 0.5
    blocks: int = 100_000
    lookback_s: float = 3.0 * BLOCKS_PER_DAY * BLOCK_TARGET_S
    shared: float = 1.0
    power: float = 2.0
    reward: float = 12.5
    seed: int = 0
    arrivals: Literal["poisson", "exponential"] = "poisson"
    bootstrap: Literal["none", "one", "full"] = "one"
    one_exit: bool = True
    burns: bool = True


class Pair(NamedTuple):
    """A number of those who share and of those who mine alone."""

    sharing: float
    solo: float


@dataclass(frozen=True)
class Replication:
    """What a run of the script shows.

    Attributes
    ----------
    pool_share, sharers : of the hashrate, and how many share
    metric : the script's own: root of the mean over all miners of the variance of a miner's
        revenue of a block, where the other group counts as none, over `MAGIC`
    deviation : mean over a group's miners of the deviation of revenue of a block
    formula : the same by the formula, with the window at its last length
    cumulative : deviation among a group's miners of total revenue over what is expected
    norms : what revenue was divided by
    window_blocks : mean length of the window, and the last
    bootstrap_blocks : blocks of the bootstrap
    burnt : revenue that nobody got
    """

    pool_share: float
    sharers: int
    metric: Pair
    deviation: Pair
    formula: Pair
    cumulative: Pair
    norms: Floats
    window_blocks: tuple[float, int]
    bootstrap_blocks: int
    burnt: float

    @property
    def ratio(self) -> float:
        """The metric of those who share over that of the others."""
        return self.metric.sharing / self.metric.solo


def literal(script: Script | None = None) -> Replication:
    """The script as it was."""
    return run(script or Script())


def corrected(script: Script | None = None) -> Replication:
    """With exponential times, a bootstrap until the window is full, and nothing burnt.

    One exit an entry stays, as in the numbers reported for it, so that the window only grows.
    """
    mended = replace(script or Script(), arrivals="exponential", bootstrap="full", burns=False)
    return run(mended)


def run(script: Script) -> Replication:
    """Draw everything in the script's order, settle all blocks and measure."""
    # The legacy generator alone gives the script's draws again.
    draw = np.random.RandomState(script.seed)
    hashrate = draw.power(script.power, script.miners)
    sharers = np.asarray(draw.random_sample(script.miners) < script.chance_of_sharing)
    share = hashrate / hashrate.sum()
    finders, times_s, first = _find_blocks(draw, share, sharers, script)
    sums, squares, lengths, burnt = _settle(
        finders, times_s, sharers, first, script.shared, script.reward, script.lookback_s,
        script.one_exit, script.burns,
    )  # fmt: skip
    rows = finders.size
    variance = squares / rows - (sums / rows) ** 2
    window = (float(lengths.mean()), int(lengths[-1])) if lengths.size else (0.0, 0)
    norms = np.maximum(share, 1.0)
    groups = sharers, ~sharers
    totals = sums / (share * script.reward * rows)
    return Replication(
        pool_share=float(share[sharers].sum()),
        sharers=int(sharers.sum()),
        metric=Pair(*(_metric(variance / norms**2, group) for group in groups)),
        deviation=Pair(*(float(np.sqrt(variance[group]).mean()) for group in groups)),
        formula=_formula(share, sharers, window[1], script),
        cumulative=Pair(*(float(totals[group].std()) for group in groups)),
        norms=norms,
        window_blocks=window,
        bootstrap_blocks=first,
        burnt=burnt,
    )


def _metric(variance: Floats, group: Bools) -> float:
    return float(np.sqrt(variance[group].sum() / variance.size)) / MAGIC


def _formula(share: Floats, sharers: Bools, window: int, script: Script) -> Pair:
    """Mean deviations of revenue of a block in closed form."""
    pool = float(share[sharers].sum())
    sharing = [covenant_variance_per_block(h, pool, window, script.shared) for h in share[sharers]]
    alone = share[~sharers] * (1.0 - share[~sharers])
    return Pair(*(script.reward * float(np.sqrt(each).mean()) for each in (sharing, alone)))


def _find_blocks(
    draw: np.random.RandomState, share: Floats, sharers: Bools, script: Script
) -> tuple[Integers, Floats, int]:
    """Finder and time of each block, the bootstrap's first, and how many those are.

    For each block its finder is drawn and then its interval.
    """
    # As a weighted choice of one miner draws: one uniform number against cumulated chances.
    chances = np.cumsum(share)
    bounds = (chances / chances[-1]).tolist()
    interval = draw.exponential if script.arrivals == "exponential" else draw.poisson
    finders: list[int] = []
    times: list[float] = []

    def find(time_s: float) -> float:
        finders.append(bisect_right(bounds, draw.random_sample()))
        times.append(time_s + float(interval(BLOCK_TARGET_S)))
        return times[-1]

    time_s, began_s = 0.0, np.inf
    while _is_bootstrap(script, time_s - began_s):
        time_s = find(time_s)
        if sharers[finders[-1]]:
            began_s = min(began_s, time_s)
    first = len(finders)
    for _ in range(script.blocks):
        time_s = find(time_s)
    return np.array(finders), np.array(times), first


def _is_bootstrap(script: Script, since_first_s: float) -> bool:
    """Whether the bootstrap goes on so long after the first entry; minus infinity before it."""
    if script.bootstrap == "none":
        return False
    return since_first_s <= (script.lookback_s if script.bootstrap == "full" else -np.inf)


@njit(cache=True)
def _pay(
    finder: int, own: float, pot: float, weights: Floats, sums: Floats, squares: Floats
) -> None:
    """Pay a finder its own part, and a pot by weights if there are any."""
    total = weights.sum()
    for miner in range(weights.size):
        paid = own if miner == finder else 0.0
        if total > 0.0:
            paid += pot * weights[miner] / total
        sums[miner] += paid
        squares[miner] += paid**2


@njit(cache=True)
def _settle(
    finders: Integers,
    times_s: Floats,
    sharers: Bools,
    first: int,
    shared: float,
    reward: float,
    lookback_s: float,
    one_exit: bool,
    burns: bool,
) -> tuple[Floats, Floats, Integers, float]:
    """Sums and sums of squares of each miner's revenue of a block, the window's length after each
    shared block, and what was burnt.

    Blocks before `first` pay their finders all, and enter the window as having shared nothing.
    """
    miners, blocks = sharers.size, finders.size
    sums, squares = np.zeros(miners), np.zeros(miners)
    weights, entries = np.zeros(miners), np.zeros(miners)
    queue, lengths = np.empty(blocks, np.int64), np.empty(blocks, np.int64)
    head, tail, pool_blocks, burnt = 0, 0, 0, 0.0
    for block in range(blocks):
        finder = finders[block]
        if not sharers[finder] or block < first:
            sums[finder] += reward
            squares[finder] += reward**2
            if sharers[finder]:
                queue[tail] = block
                tail += 1
                entries[finder] += 1.0
            continue
        pot = shared * reward if tail > head else 0.0
        lost = shared * reward - pot if burns else 0.0
        burnt += lost
        due = weights if weights.sum() > 0.0 else entries
        _pay(finder, reward - pot - lost, pot, due, sums, squares)
        queue[tail] = block
        tail += 1
        entries[finder] += 1.0
        weights[finder] += shared
        while times_s[block] - times_s[queue[head]] > lookback_s:
            gone = queue[head]
            head += 1
            entries[finders[gone]] -= 1.0
            if gone >= first:
                weights[finders[gone]] -= shared
            if one_exit:
                break
        lengths[pool_blocks] = tail - head
        pool_blocks += 1
    return sums, squares, lengths[:pool_blocks], burnt
