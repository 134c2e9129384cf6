"""Users of the register: what they send, and how they get it verified."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.incentives.mining_shares import (
    ShareLedger,
    clearing_price_usd,
    held_price_usd,
    least_balance,
    need,
    serve,
    takers,
    worth_of_speed_usd,
    worth_per_share_usd,
)
from model.incentives.royalty_chain import at_random
from model.parameters_royalties import Royalties
from model.units import DAYS_PER_MONTH, SECONDS_PER_DAY

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

SECONDS_PER_MINUTE = 60.0
_LONGEST_RECORD_BYTES = 2.0**40


class Records(NamedTuple):
    """What users send in a day, in the order of time, shape (n,).

    Attributes
    ----------
    made_s : when it is sent.
    user : whose it is.
    issues, moves : whether it issues a property, or transfers one; a copy does neither.
    needed : mining shares that verify it at once.
    """

    made_s: Floats
    user: Integers
    issues: Bools
    moves: Bools
    needed: Integers


class Verified(NamedTuple):
    """When records are verified, and which of them at once: by shares or by hashcash."""

    ready_s: Floats
    by_shares: Bools
    by_hashcash: Bools


class Market(NamedTuple):
    """A day's market of mining shares: its price, and what each user buys."""

    price_usd: float
    bought: Integers


class Population:
    """Who uses the register: what speed is worth to each, and how active they are.

    Attributes
    ----------
    speed_usd : what a user would pay to skip the wait of one record.
    activity : in proportion to the records that a user sends.
    is_new : who came after the start and has not issued anything yet.
    """

    def __init__(self, terms: Royalties, generator: np.random.Generator) -> None:
        self._terms = terms
        self._generator = generator
        self.speed_usd, self.activity = np.zeros(0), np.zeros(0)
        self.is_new = np.zeros(0, np.bool_)
        self.join(terms.users)
        self.is_new[:] = False

    def join(self, users: int) -> None:
        """More users, drawn from the same population."""
        terms, normal = self._terms, self._generator.standard_normal
        speed = terms.speed_usd * np.exp(terms.speed_sd * normal(users))
        activity = np.exp(terms.activity_sd * normal(users))
        self.speed_usd = np.concatenate((self.speed_usd, speed))
        self.activity = np.concatenate((self.activity, activity))
        self.is_new = np.concatenate((self.is_new, np.ones(users, np.bool_)))

    def send(self, start_s: float, transfers: float, generator: np.random.Generator) -> Records:
        """What is sent in the day that starts at `start_s`, with so many transfers expected."""
        terms = self._terms
        means = (
            terms.issues_month / DAYS_PER_MONTH,
            transfers,
            terms.copies_month / DAYS_PER_MONTH,
        )
        kind = np.repeat((0, 1, 2), [int(generator.poisson(mean)) for mean in means])
        generator.shuffle(kind)
        made = start_s + SECONDS_PER_DAY * np.sort(generator.random(kind.size))
        user = at_random(self.activity, generator.random(kind.size))
        length = terms.record_bytes * np.exp(terms.record_sd * generator.standard_normal(kind.size))
        needed = need(np.ceil(np.minimum(length, _LONGEST_RECORD_BYTES)))
        return Records(made, user, kind == 0, kind == 1, needed)

    def free(self, records: Records) -> Bools:
        """Which records are the first issue of a new user, who is new no longer."""
        free = np.zeros(records.user.size, np.bool_)
        due = np.flatnonzero(records.issues & self.is_new[records.user])
        users, first = np.unique(records.user[due], return_index=True)
        free[due[first]] = True
        self.is_new[users] = False
        return free


# Mining shares


def share_market(
    terms: Royalties, population: Population, ledger: ShareLedger, records: Records
) -> Market:
    """Sell the shares that miners hold to the users who value them most.

    Where shares are spent, users buy what the records of the day take, and the price clears what
    is for sale.  Where shares are held or locked, users want a stock for the records they expect,
    and the price is what the last share of all there are will save its holder.
    """
    worth = worth_of_speed_usd(population.speed_usd, terms.hashcash_usd)
    held, for_sale = ledger.users + ledger.locked, int(ledger.miners.sum())
    if terms.share_use == "burn":
        worth_day, wanted = _wanted_today(terms, worth, records)
        missing = np.maximum(wanted - held, 0)
        values = worth_per_share_usd(worth_day, missing)
        price = float(clearing_price_usd(for_sale, values, missing))
    else:
        worth_day, wanted = _wanted_stock(terms, worth, population.activity)
        missing = np.maximum(wanted - held, 0)
        values = worth_per_share_usd(worth_day, wanted)
        price = held_price_usd(
            ledger.active, records_a_day(terms), values, wanted, terms.user_discount_yr
        )
    return Market(price, takers(for_sale, values, missing))


def _wanted_today(terms: Royalties, worth: Floats, records: Records) -> tuple[Floats, Integers]:
    """What speed is worth to each user today, and the shares that it takes."""
    sent = np.bincount(records.user, minlength=worth.size)
    needed = np.bincount(records.user, records.needed, minlength=worth.size).astype(np.int64)
    least = least_balance(needed, terms.share_compare == ">")
    return worth * sent, np.where(sent > 0, least, 0)


def _wanted_stock(terms: Royalties, worth: Floats, activity: Floats) -> tuple[Floats, Integers]:
    """What speed is worth to each user a day, and the shares to hold for it."""
    a_day = activity / activity.sum() * records_a_day(terms)
    each = int(need(terms.record_bytes))
    if terms.share_use == "gate":
        needed = np.full(worth.size, each)
    else:
        needed = np.ceil(a_day * each * terms.share_lock_days).astype(np.int64)
    return worth * a_day, least_balance(needed, terms.share_compare == ">")


def records_a_day(terms: Royalties) -> float:
    """Issues, transfers and copies expected in a day, with the told volumes."""
    return (terms.issues_month + terms.transfers_month + terms.copies_month) / DAYS_PER_MONTH


def verify(
    terms: Royalties,
    population: Population,
    ledger: ShareLedger,
    records: Records,
    age: int,
) -> Verified:
    """Verify each record by shares if its user has enough, else by hashcash or by waiting.

    Whoever would pay more for speed than hashcash costs makes hashcash; the others wait.
    """
    free = population.free(records)
    paying = np.flatnonzero(~free)
    before = ledger.users.copy()
    by_shares = np.zeros(free.size, np.bool_)
    by_shares[paying] = serve(
        records.user[paying], records.needed[paying], ledger.users,
        terms.share_compare == ">", terms.share_use != "gate",
    )  # fmt: skip
    if terms.share_use == "burn":
        ledger.spend(before)
    elif terms.share_use == "escrow":
        ledger.lock(before, age + terms.share_lock_days)
    hurried = population.speed_usd[records.user] > terms.hashcash_usd
    by_hashcash = hurried & ~by_shares & ~free
    waits = ~(by_shares | by_hashcash | free)
    ready = records.made_s + np.where(waits, SECONDS_PER_MINUTE * terms.wait_minutes, 0.0)
    return Verified(ready, by_shares, by_hashcash)
