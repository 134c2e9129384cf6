"""A pool without an operator: each block pays the finders of earlier blocks of the pool."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.rewards.scheme import CovenantTerms, Income, RewardScheme, Settlement, Terms
from model.rewards.solo import risk_premium, solo_relative_variance
from model.rewards.variance import covenant_relative_variance
from model.units import BLOCK_TARGET_S, BLOCKS_PER_DAY

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A percent is a whole number of so many parts, which sums and splits without rounding.
WHOLE = 1_000_000
# Up to so many distinct weights, sums kept for each are cheaper than a visit to every entry.
MOST_CLASSES = 16
# Virtual size of one payout, and what a tree of transactions that pays many adds to it.
PAYOUT_VB, TREE_OVERHEAD = 43.0, 1.3


# Equations


def payout_cost_sat(feerate_sat_vb: float) -> int:
    """Transaction fees that one payee's output costs, satoshi, at satoshi per virtual byte."""
    return math.ceil(PAYOUT_VB * TREE_OVERHEAD * feerate_sat_vb)


def window_to_smooth(pool_share: float, horizon_s: float) -> float:
    """Blocks that a window needs to smooth revenue over a horizon: those the pool finds in it."""
    return pool_share * horizon_s / BLOCK_TARGET_S


def payout_delay_s(window_blocks: float, pool_share: float) -> float:
    """Mean time from a block to the payouts that it earns its finder, with blocks on target."""
    return 0.5 * window_blocks * BLOCK_TARGET_S / pool_share


def cost_of_withholding_sat(reward_sat: float, shared: float, future_sat: float) -> float:
    """What a member loses that withholds a full block: the part it keeps, and what it would earn.

    Parameters
    ----------
    reward_sat : of the block.
    shared : sigma, the part that would go to the window.
    future_sat : what later blocks would pay for this one.
    """
    return (1.0 - shared) * reward_sat + future_sat


def expected_share_sat(
    subsidy_sat: Floats, fair_fees_sat: float, times_s: Floats, lifetime_s: float, halving_s: float
) -> Floats:
    """What later blocks are expected to pay for a block, over the part of it that is shared.

    Parameters
    ----------
    subsidy_sat, times_s : shape (b,), of each block.
    fair_fees_sat : expected transaction fees of a block.
    lifetime_s : how long a block stays in the window; its payouts are spread evenly over it.
    halving_s : when the subsidy halves; a block found later is as any other.

    Notes
    -----
    In a pool at rest each block takes the place of one that leaves, so that it earns as much as a
    block is expected to pay while it is in the window.
    """
    later = np.clip((times_s + lifetime_s - halving_s) / lifetime_s, 0.0, 1.0)
    halved = np.where(times_s < halving_s, later, 0.0)
    return subsidy_sat * (1.0 - 0.5 * halved) + fair_fees_sat


def highest_reward_shared(rewards_sat: Floats, benefit_sat: float) -> float:
    """Largest reward shared once finders have learnt what shared blocks pay.

    Parameters
    ----------
    rewards_sat : shape (b,), of many blocks, equally likely.
    benefit_sat : what a finder gives up for smoother payouts.

    Notes
    -----
    Finders keep rewards above the mean of those that are shared, and the benefit.  That lowers
    the mean, until nobody who still shares would rather keep, as in a market for lemons.

    References
    ----------
    Akerlof 1970, "The Market for 'Lemons'".
    """
    ordered = np.sort(rewards_sat)
    means = np.cumsum(ordered) / np.arange(1, ordered.size + 1)
    shared = ordered.size
    while True:
        # Nobody keeps a reward for what a sum rounds.
        worth = (1.0 + 1e-12) * (means[shared - 1] + benefit_sat)
        left = int(np.searchsorted(ordered[:shared], worth, "right"))
        if left == shared:
            return float(ordered[shared - 1])
        shared = left


def risk_benefit(
    share: float,
    pool_share: float,
    blocks: float,
    terms: CovenantTerms,
    expected_usd: float,
    wealth_usd: float,
) -> float:
    """Part of its revenue that a member gives up at most to mine in the pool and not alone.

    Parameters
    ----------
    share, pool_share : of the network's work.
    blocks : network blocks of the member's horizon.
    terms : of the pool; its window counts blocks.
    expected_usd, wealth_usd : revenue over the horizon, and liquid wealth.
    """
    alone = solo_relative_variance(share, blocks)
    pooled = covenant_relative_variance(share, pool_share, blocks, terms.blocks, terms.shared)
    premium = risk_premium(expected_usd, wealth_usd, alone)
    return premium - risk_premium(expected_usd, wealth_usd, pooled)


# Who leaves a feeder


def graduation_share(wait_days: float) -> float:
    """Share of the network's work at which a block is expected every so many days."""
    return 1.0 / (BLOCKS_PER_DAY * wait_days)


def graduates(shares: Floats, wait_days: float) -> Bools:
    """Which members of a feeder would mine in the covenant pool themselves.

    Parameters
    ----------
    shares : shape (n,), of the network's work.
    wait_days : longest wait for a block, and so for a place in the window, that they bear.
    """
    return np.asarray(shares > graduation_share(wait_days))


@dataclass
class Feeder:
    """A pool that is one member of the covenant pool, and pays members by a scheme of its own.

    Attributes
    ----------
    row : of the feeder among the members of the covenant pool
    scheme : by which it pays its own members
    """

    row: int
    scheme: RewardScheme

    def settle(self, work: Floats, paid: Settlement, time_s: float) -> Settlement:
        """Pay on what the covenant pool paid for a period that ended at a time.

        Parameters
        ----------
        work : shape (m,), of the feeder's own members, in network blocks.
        """
        payout = paid.payouts_sat[self.row : self.row + 1]
        came = payout[payout > 0]
        none = np.zeros_like(came)
        times = np.full(came.size, time_s)
        return self.scheme.settle(Income(work, none, came, none, times, 0.0, 0.0))


# Kernels


@njit(cache=True, inline="always", error_model="numpy")
def _part(amount: int, weight: int, total: int) -> int:
    """Amount * weight / total rounded down, for amounts to 1e14 and totals to 4e18.

    A division of whole numbers takes most of the time there is; one of floats is off by one at
    most, and the remainder, however both products overflow, tells.
    """
    part = int(amount / total * weight)
    rest = amount * weight - part * total
    if rest < 0:
        part -= 1
    elif rest >= total:
        part += 1
    return part


@njit(cache=True)
def classified(weights: Integers, most: int) -> tuple[Integers, Integers]:
    """The class of each weight and the weight of each class; no classes where there are more."""
    kinds = np.zeros(weights.size, np.int64)
    known = np.zeros(most, np.int64)
    count = 0
    for row in range(weights.size):
        kind = 0
        while kind < count and known[kind] != weights[row]:
            kind += 1
        if kind == count:
            if count == most:
                return kinds, known[:0]
            known[count] = weights[row]
            count += 1
        kinds[row] = kind
    return kinds, known[:count]


@njit(cache=True)
def smoothed(finders: Integers, parts: Integers, averages: Floats, kept: float) -> Integers:
    """Each block's weight: the moving average over its finder's blocks of what they share.

    `averages` hold a member's average so far, NaN before its first block; they are moved on.
    """
    weights = np.empty_like(parts)
    for block in range(finders.size):
        finder = finders[block]
        before = averages[finder]
        if np.isnan(before):
            before = float(parts[block])
        averages[finder] = kept * before + (1.0 - kept) * parts[block]
        weights[block] = round(averages[finder])
    return weights


@njit(cache=True, error_model="numpy")
def pay_by_class(
    finders: Integers,
    pots: Integers,
    head: Integers,
    tail: Integers,
    entry_finders: Integers,
    entry_classes: Integers,
    class_weights: Integers,
    payouts: Integers,
) -> None:
    """Split each block's pot among its window; what does not divide goes to its finder.

    Parameters
    ----------
    finders, pots, head, tail : shape (b,), the block's finder, what it shares (satoshi), and the
        window, entries from `head` to before `tail`; neither ever moves back.
    entry_finders, entry_classes : shape (e,), of every entry, in order.
    class_weights : shape (c,), the weight of each class.
    payouts : shape (n,), satoshi, added to.

    Notes
    -----
    What an entry is paid depends on its weight and on nothing else of it.  A sum of the payouts to
    an entry of each class runs through all blocks, and an entry earns what it grew by between
    entering and leaving.
    """
    grown = np.zeros(class_weights.size, np.int64)
    counts = np.zeros(class_weights.size, np.int64)
    before = np.zeros(entry_finders.size, np.int64)
    first, last, total = 0, 0, 0
    for block in range(finders.size):
        while last < tail[block]:
            kind = entry_classes[last]
            before[last] = grown[kind]
            counts[kind] += 1
            total += class_weights[kind]
            last += 1
        while first < head[block]:
            kind = entry_classes[first]
            payouts[entry_finders[first]] += grown[kind] - before[first]
            counts[kind] -= 1
            total -= class_weights[kind]
            first += 1
        pot = pots[block]
        if pot == 0:
            continue
        left = pot
        for kind in range(class_weights.size):
            each = _part(pot, class_weights[kind], total) if total > 0 else pot // (last - first)
            grown[kind] += each
            left -= each * counts[kind]
        payouts[finders[block]] += left
    for entry in range(first, last):
        payouts[entry_finders[entry]] += grown[entry_classes[entry]] - before[entry]


@njit(cache=True, error_model="numpy")
def pay_each(
    finders: Integers,
    pots: Integers,
    head: Integers,
    tail: Integers,
    entry_finders: Integers,
    entry_weights: Integers,
    dust_sat: int,
    cost_sat: int,
    payouts: Integers,
) -> int:
    """The same by visits to every entry of every window; returns what payouts cost, satoshi.

    A payee gets the sum of its entries less the cost of its output.  Where that is below the dust
    limit, or nothing, there is no output and the sum goes to the block's finder, which needs no
    output of its own.
    """
    spent = 0
    due = np.zeros(payouts.size, np.int64)
    for block in range(finders.size):
        pot, first, last = pots[block], head[block], tail[block]
        if pot == 0:
            continue
        total = 0
        for entry in range(first, last):
            total += entry_weights[entry]
        left = pot
        for entry in range(first, last):
            share = _part(pot, entry_weights[entry], total) if total > 0 else pot // (last - first)
            due[entry_finders[entry]] += share
            left -= share
        for entry in range(first, last):
            payee = entry_finders[entry]
            amount, due[payee] = due[payee], 0
            if amount == 0:
                continue
            if payee == finders[block] or amount - cost_sat < max(dust_sat, 1):
                left += amount
            else:
                payouts[payee] += amount - cost_sat
                spent += cost_sat
        payouts[finders[block]] += left
    return spent


# The pool


@dataclass
class _Entries:
    """Qualified blocks that are paid or may still be: finder, weight in parts, and time."""

    finders: Integers
    weights: Integers
    times_s: Floats

    def with_more(self, finders: Integers, weights: Integers, times_s: Floats) -> _Entries:
        """These and further ones."""
        return _Entries(
            np.concatenate((self.finders, finders)),
            np.concatenate((self.weights, weights)),
            np.concatenate((self.times_s, times_s)),
        )

    def since(self, first: int) -> _Entries:
        """Those from a row on."""
        return _Entries(self.finders[first:], self.weights[first:], self.times_s[first:])


@dataclass
class _Blocks:
    """Blocks of a period: finder, reward, what is shared, and the window as rows of entries.

    Where a pool has just begun, `missing` entries are wanting until the window is full.
    """

    finders: Integers
    rewards_sat: Integers
    pots_sat: Integers
    qualified: Bools
    head: Integers
    tail: Integers
    missing: Integers


class Covenant(RewardScheme):
    """A pool of blocks that each pay the finders of earlier ones, as all commit to; no operator.

    Notes
    -----
    The finder of a block keeps ``1 - sigma`` of its reward and pays the rest to the window, by the
    percents that its blocks shared (all alike if none did), rounded down; it keeps what does not
    divide.  With an empty window it keeps all.  Its own block then enters the window.  A member
    enters by finding a block and by nothing else, and one that leaves is still paid for the blocks
    that it has in the window.

    A window of seconds holds what was found so long before the paying block; one between two times
    is paid by all later blocks.  While the window is not yet full, "equal" blocks pay whoever is
    there; "forward" ones hold the parts of those who are missing, and each further finder gets its
    part of what is held; "coordinated" ones share nothing.

    Members share every block of theirs, or by choice those whose reward is at most what later
    blocks are expected to pay for it and the benefit of smoother payouts.  A block that its finder
    keeps does not qualify.

    Attributes
    ----------
    halving_s : when the subsidy halves next, on the clock of blocks; whoever knows sets it.
    """

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        _check(terms.covenant)
        # Nobody stands behind it: all that it ever holds is for future finders.
        self.reserve_sat = 0
        self.halving_s = math.inf
        self._parts: Integers = np.zeros(0, np.int64)
        self._averages: Floats = np.zeros(0)
        self._entries = _Entries(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        self._began_s = math.inf

    @property
    def window(self) -> Integers:
        """Finder of each block in the window or still to be in it, the oldest first."""
        return self._entries.finders.copy()

    def agree(self, percents: Floats) -> None:
        """Take on the part of its blocks that each member shares from now on, between 0 and 1."""
        if not ((percents >= 0.0) & (percents <= 1.0)).all():
            raise ValueError("a member shares between none and all of a block")
        self._add_members(percents.size)
        self._parts[: percents.size] = np.rint(WHOLE * percents)

    def settle(self, income: Income) -> Settlement:
        """Pay for the blocks of a period, in their order."""
        self._add_members(income.work.size)
        blocks = self._qualify(income)
        held = self.reserve_sat
        bonus = self._hold(blocks)
        kept = blocks.rewards_sat - blocks.pots_sat + bonus
        payouts = np.zeros(income.work.size, np.int64)
        _add(payouts, blocks.finders, kept)
        cost = self._pay(blocks, payouts)
        self._forget(income.times_s)
        return Settlement(payouts, 0, self.reserve_sat - held, cost)

    def _add_members(self, members: int) -> None:
        """Rows for members who have joined; they share what the pool proposes."""
        joined = members - self._parts.size
        if joined < 0:
            raise ValueError(f"{self._parts.size} members cannot become {members}")
        if joined > 0:
            proposed = round(WHOLE * self.terms.covenant.shared)
            self._parts = np.concatenate((self._parts, np.full(joined, proposed)))
            self._averages = np.concatenate((self._averages, np.full(joined, np.nan)))

    def _qualify(self, income: Income) -> _Blocks:
        """Which blocks share how much with which window; those that share enter it."""
        rewards, finders = income.rewards_sat, income.finders
        shares = self.shared_blocks(income)
        parts = self._parts[finders]
        pots = rewards - _parts(rewards, WHOLE - parts)
        present = self._entries.finders.size
        enters = shares & self._inside(income.times_s)
        tail = present + np.cumsum(enters) - enters
        self._enter(income, enters, parts)
        head = self._head(income.times_s, tail)
        missing = self._missing(income.times_s, tail - head)
        pots[~shares | ((tail == head) & (missing == 0))] = 0
        return _Blocks(finders, rewards, pots, shares, head, tail, missing)

    def _inside(self, times_s: Floats) -> Bools:
        """Whether a block found at a time is ever paid."""
        terms = self.terms.covenant
        if terms.window != "range":
            return np.ones(times_s.size, np.bool_)
        return (times_s >= terms.range_s[0]) & (times_s <= terms.range_s[1])

    def _enter(self, income: Income, enters: Bools, parts: Integers) -> None:
        """Add qualified blocks to the entries."""
        finders, parts, times = income.finders[enters], parts[enters], income.times_s[enters]
        terms = self.terms.covenant
        if terms.weights == "ewma":
            parts = smoothed(finders, parts, self._averages, terms.ewma_kept)
        self._entries = self._entries.with_more(finders, parts, times)
        if times.size > 0:
            self._began_s = min(self._began_s, float(times[0]))

    def _head(self, times_s: Floats, tail: Integers) -> Integers:
        """First entry that each block pays."""
        terms = self.terms.covenant
        if terms.window == "count":
            return np.maximum(tail - terms.blocks, 0)
        if terms.window == "range":
            return np.zeros_like(tail)
        oldest = np.searchsorted(self._entries.times_s, times_s - terms.seconds)
        return np.minimum(oldest, tail)

    def _missing(self, times_s: Floats, present: Integers) -> Integers:
        """Entries that a window still lacks; of a window of seconds, at the rate so far."""
        terms = self.terms.covenant
        if terms.bootstrap == "equal" or terms.window == "range":
            return np.zeros_like(present)
        if terms.window == "count":
            return np.maximum(terms.blocks - present, 0)
        since = np.clip(times_s - self._began_s, 0.0, terms.seconds)
        until = terms.seconds - since
        # The first block knows no rate: for its window a block every ten minutes is wanting.
        at_target = terms.seconds / BLOCK_TARGET_S
        rate = np.divide(present, since, out=np.full(since.size, np.nan), where=since > 0.0)
        return np.ceil(np.where(since > 0.0, rate * until, at_target)).astype(np.int64)

    def _hold(self, blocks: _Blocks) -> Integers:
        """Take from pots what is for missing entries; what finders get of what was held."""
        bonus = np.zeros_like(blocks.pots_sat)
        if self.terms.covenant.bootstrap == "coordinated":
            blocks.pots_sat[blocks.missing > 0] = 0
        if self.terms.covenant.bootstrap != "forward":
            return bonus
        for block in np.flatnonzero(blocks.qualified).tolist():
            missing = int(blocks.missing[block])
            if missing == 0 and self.reserve_sat == 0:
                continue
            bonus[block] = self.reserve_sat // (missing + 1)
            pot, present = int(blocks.pots_sat[block]), int(blocks.tail[block] - blocks.head[block])
            held = pot * missing // max(present + missing, 1)
            blocks.pots_sat[block] -= held
            # Held parts are neither shared by this block nor kept by its finder.
            self.reserve_sat += held - int(bonus[block])
            bonus[block] -= held
        return bonus

    def _pay(self, blocks: _Blocks, payouts: Integers) -> int:
        """Pay pots to windows; returns what that cost."""
        terms, entries = self.terms.covenant, self._entries
        spans = blocks.finders, blocks.pots_sat, blocks.head, blocks.tail, entries.finders
        if terms.dust_sat == 0 and terms.payout_cost_sat == 0:
            kinds, classes = classified(entries.weights, MOST_CLASSES)
            if classes.size > 0:
                pay_by_class(*spans, kinds, classes, payouts)
                return 0
        dust, cost = terms.dust_sat, terms.payout_cost_sat
        return int(pay_each(*spans, entries.weights, dust, cost, payouts))

    def _forget(self, times_s: Floats) -> None:
        """Drop the entries that no later block can pay."""
        if times_s.size > 0:
            end = np.array([self._entries.finders.size])
            self._entries = self._entries.since(int(self._head(times_s[-1:], end)[0]))

    def shared_blocks(self, income: Income) -> Bools:
        """Which blocks of a period that is not settled yet their finders share."""
        terms = self.terms.covenant
        if terms.choice == "fixed":
            return np.ones(income.finders.size, np.bool_)
        expected = expected_share_sat(
            income.subsidy_sat.astype(np.float64),
            income.fair_fees_sat,
            income.times_s,
            self._lifetime_s(income.times_s),
            self.halving_s,
        )
        return np.asarray(income.rewards_sat <= (1.0 + terms.risk_benefit) * expected)

    def _lifetime_s(self, times_s: Floats) -> float:
        """How long a block stays in the window, as fast as the pool finds them."""
        terms = self.terms.covenant
        if terms.window == "time":
            return terms.seconds
        seen = np.concatenate((self._entries.times_s, times_s))
        span = float(seen[-1] - seen[0]) if seen.size > 1 else 0.0
        interval = span / (seen.size - 1) if span > 0.0 else BLOCK_TARGET_S
        return terms.blocks * interval

    def window_blocks(self, pool_share: float) -> float:
        """Blocks in a full window of a pool with a share of the network's work."""
        terms = self.terms.covenant
        if terms.window == "count":
            return float(terms.blocks)
        first, last = (0.0, terms.seconds) if terms.window == "time" else terms.range_s
        return window_to_smooth(pool_share, last - first)

    def relative_variance(self, share: float, pool_share: float, blocks: float) -> float:
        """From a full window on; of a window between two times, as long as it moves."""
        window, shared = self.window_blocks(pool_share), self.terms.covenant.shared
        return covenant_relative_variance(share, pool_share, blocks, window, shared)

    def expected_part(self, fair_subsidy_sat: float, fair_fees_sat: float) -> float:
        """All of it, less what outputs to the members now in the window cost."""
        payees = np.unique(self._entries.finders).size
        reward = fair_subsidy_sat + fair_fees_sat
        cost = self.terms.covenant.payout_cost_sat * payees
        return max(1.0 - cost / reward, 0.0) if reward > 0.0 else 1.0


def _check(terms: CovenantTerms) -> None:
    """Refuse terms that mean nothing."""
    if terms.blocks < 1 or not terms.seconds > 0.0 or not terms.range_s[0] <= terms.range_s[1]:
        raise ValueError("a window holds a block at least, and ends after it begins")
    if not (0.0 <= terms.shared <= 1.0 and 0.0 <= terms.ewma_kept < 1.0):
        raise ValueError("a part lies between 0 and 1")
    if terms.dust_sat < 0 or terms.payout_cost_sat < 0:
        raise ValueError("dust and costs are not negative")
    if terms.choice == "per_block" and terms.window == "range":
        raise ValueError("a choice per block needs a window that moves")


def _parts(amounts: Integers, parts: Integers) -> Integers:
    """Amounts times parts of the whole, rounded down."""
    return amounts // WHOLE * parts + amounts % WHOLE * parts // WHOLE


@njit(cache=True)
def _add(payouts: Integers, finders: Integers, amounts: Integers) -> None:
    """Add each block's amount to its finder's payout."""
    for block in range(finders.size):
        payouts[finders[block]] += amounts[block]
