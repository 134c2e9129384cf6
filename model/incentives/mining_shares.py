"""Mining shares: a share for each transaction in a block, what it is good for, and its price."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from model.ledger import BrokenLaw
from model.sharing import shared
from model.units import DAYS_PER_YEAR

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Rents beyond a century count for nothing.
_FAR_DAYS = 36_525


# What a record needs


def need(length_bytes: ArrayLike) -> Integers:
    """Shares that a record of a length needs: one for each 1,024 bytes begun."""
    return np.asarray((np.asarray(length_bytes, np.int64) + 1023) >> 10)


def least_balance(needed: ArrayLike, strict: bool) -> Integers:
    """Smallest balance that verifies a record at once, by its need.

    Parameters
    ----------
    needed : shares, as `need` has them; an empty record needs none.
    strict : the balance must exceed the need, not only reach it.
    """
    return np.asarray(np.asarray(needed, np.int64) + int(strict))


@njit(cache=True)
def serve(
    users: Integers, needed: Integers, balances: Integers, strict: bool, debited: bool
) -> Bools:
    """Which records are verified at once, in their order.

    Parameters
    ----------
    users, needed : shape (n,), whose record it is and the shares it needs.
    balances : shape (users,); what a record needs is taken from it if `debited`.
    strict : a balance must exceed the need.
    """
    at_once = np.zeros(users.size, np.bool_)
    for record in range(users.size):
        user = users[record]
        if balances[user] - int(strict) >= needed[record]:
            at_once[record] = True
            if debited:
                balances[user] -= needed[record]
    return at_once


# What a share is worth


def worth_of_speed_usd(speed_usd: ArrayLike, hashcash_usd: float) -> Floats:
    """The most a user pays to have a record verified at once: he may wait, or make hashcash."""
    return np.minimum(np.asarray(speed_usd, np.float64), hashcash_usd)


def worth_per_share_usd(worth_day_usd: ArrayLike, wanted: ArrayLike) -> Floats:
    """A day's worth of speed to each user for each share that it takes; 0 if it takes none."""
    worth, shares = np.asarray(worth_day_usd, np.float64), np.asarray(wanted, np.float64)
    return np.divide(worth, shares, out=np.zeros_like(worth), where=shares > 0.0)


def clearing_price_usd(supply: ArrayLike, values_usd: ArrayLike, wanted: ArrayLike) -> Floats:
    """Price at which a supply of shares is taken; zero if there are more than anybody wants.

    Parameters
    ----------
    supply : shares, scalar or any shape.
    values_usd, wanted : shape (n,), what each user would pay for a share, and for how many.

    Returns
    -------
    The value of the user who takes the last share, shaped like `supply`; without supply that of
    who values shares most.
    """
    values, shares = np.asarray(values_usd, np.float64), np.asarray(wanted, np.float64)
    order = np.argsort(-values, kind="stable")
    place = np.searchsorted(np.cumsum(shares[order]), supply)
    return np.asarray(np.append(values[order], 0.0)[place])


def held_price_usd(
    supply: float,
    flow_day: float,
    rents_usd_day: ArrayLike,
    wanted: ArrayLike,
    discount_yr: float,
) -> float:
    """Price of a share that using does not spend: its rents until supply has outgrown demand.

    Parameters
    ----------
    supply, flow_day : shares there are, and new ones a day.
    rents_usd_day, wanted : shape (n,), a day's worth of a share to each user, and the shares
        that each holds if any.
    discount_yr : of who holds shares.

    Notes
    -----
    The rent of a day clears that day's supply, and buyers know how supply will grow.  If nothing
    is ever spent and shares keep coming, the rent is zero from some day on.
    """
    if flow_day <= 0.0:
        rent = float(clearing_price_usd(supply, rents_usd_day, wanted))
        return rent * DAYS_PER_YEAR / discount_yr
    left = (float(np.sum(wanted)) - supply) / flow_day
    if left < 0.0:
        return 0.0
    ahead = np.arange(min(int(left) + 1, _FAR_DAYS))
    rents = clearing_price_usd(supply + flow_day * ahead, rents_usd_day, wanted)
    return float(rents @ np.exp(-discount_yr / DAYS_PER_YEAR * ahead))


def takers(supply: int, values_usd: Floats, wanted: Integers) -> Integers:
    """How many shares each user gets of a supply, who values them most first."""
    order = np.argsort(-values_usd, kind="stable")
    before = np.cumsum(wanted[order]) - wanted[order]
    taken = np.zeros(wanted.size, np.int64)
    taken[order] = np.clip(supply - before, 0, wanted[order])
    return taken


# Who has them


class ShareLedger:
    """Every share there ever was: pending, held, locked, spent or vanished.

    Parameters
    ----------
    miners, users : how many of each.
    maturity_blocks : blocks on top of a block until its shares are active.

    Attributes
    ----------
    miners, users : active shares of each, int64.
    issued, spent, vanished : since the start.
    """

    def __init__(self, miners: int, users: int, maturity_blocks: int) -> None:
        self.miners = np.zeros(miners, np.int64)
        self.users = np.zeros(users, np.int64)
        self.issued = self.spent = self.vanished = 0
        self._maturity = maturity_blocks
        self._heights = np.zeros(0, np.int64)
        self._finders = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.int64)
        self._locks: list[tuple[int, Integers]] = []

    @property
    def pending(self) -> int:
        """Shares that are not active yet."""
        return int(self._counts.sum())

    @property
    def escrowed(self) -> int:
        """Shares that are locked."""
        return int(self.locked.sum())

    @property
    def locked(self) -> Integers:
        """Shares of each user that are locked."""
        locked = np.zeros(self.users.size, np.int64)
        for _, amounts in self._locks:
            locked[: amounts.size] += amounts
        return locked

    @property
    def active(self) -> int:
        """Shares that somebody holds or gets back."""
        return int(self.miners.sum() + self.users.sum()) + self.escrowed

    def join(self, users: int) -> None:
        """More users, who hold nothing."""
        self.users = np.concatenate((self.users, np.zeros(users, np.int64)))

    def credit(self, heights: Integers, finders: Integers, transactions: Integers) -> None:
        """Credit blocks' finders with a share for each transaction in them."""
        self.issued += int(transactions.sum())
        self._heights = np.concatenate((self._heights, heights))
        self._finders = np.concatenate((self._finders, finders))
        self._counts = np.concatenate((self._counts, transactions))

    def orphan_last(self, blocks: int) -> None:
        """Take back the shares of the last so many blocks credited: they lost to their rivals."""
        self._vanish(np.arange(self._counts.size) >= self._counts.size - blocks)

    def orphan_above(self, height: int) -> None:
        """Take back the shares of all pending blocks above a height that a reorg goes back to."""
        self._vanish(self._heights > height)

    def mature(self, tip: int) -> int:
        """Activate the shares of blocks that lie deep enough below the tip; how many."""
        due = self._heights + self._maturity <= tip
        np.add.at(self.miners, self._finders[due], self._counts[due])
        activated = int(self._counts[due].sum())
        self._keep(~due)
        return activated

    def sell(self, bought: Integers) -> Integers:
        """Give users what they bought; what each miner sold of it, in proportion to holdings."""
        sold = shared(self.miners.astype(np.float64), int(bought.sum()))
        self.miners -= sold
        self.users += bought
        return sold

    def spend(self, before: Integers) -> None:
        """Count as spent what users' balances have fallen by since `before`."""
        self.spent += int((before - self.users).sum())

    def lock(self, before: Integers, until_day: int) -> None:
        """Lock what users' balances have fallen by since `before`."""
        self._locks.append((until_day, before - self.users))

    def release(self, day: int) -> None:
        """Return what was locked until this day."""
        for until, amounts in self._locks:
            if until <= day:
                self.users[: amounts.size] += amounts
        self._locks = [(until, amounts) for until, amounts in self._locks if until > day]

    def check(self) -> None:
        """Raise unless every share issued is somewhere."""
        found = self.pending + self.active + self.spent + self.vanished
        if found != self.issued:
            raise BrokenLaw("mining shares", f"{self.issued} issued, {found} accounted for")
        parts = (self.miners, self.users, self._counts, *(amounts for _, amounts in self._locks))
        if any(part.size and part.min() < 0 for part in parts):
            raise BrokenLaw("mining shares", "somebody holds fewer than none")

    def _vanish(self, rows: Bools) -> None:
        self.vanished += int(self._counts[rows].sum())
        self._keep(~rows)

    def _keep(self, rows: Bools) -> None:
        self._heights = self._heights[rows]
        self._finders = self._finders[rows]
        self._counts = self._counts[rows]
