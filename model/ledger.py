"""Accounts and the laws of conservation that every day must obey."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Holds = NDArray[np.bool_]
Rows = NDArray[np.integer] | slice

# Floats are compared up to the rounding of long sums; coins are compared exactly.
_ROUNDING = 1e-9


class BrokenLaw(Exception):  # noqa: N818, a broken law is what it is
    """A conservation law does not hold."""

    def __init__(self, law: str, message: str) -> None:
        super().__init__(f"{law}: {message}")
        self.law = law


class Issuance(Protocol):
    """What a chain must tell for its coinbases to be checked, in satoshi since the start."""

    @property
    def coinbase_sat(self) -> int: ...
    @property
    def issued_sat(self) -> int: ...
    @property
    def fees_sat(self) -> int: ...


def check_coinbase(chain: Issuance) -> None:
    """Coinbases claim the subsidy of their heights and the transaction fees, exactly."""
    due = chain.issued_sat + chain.fees_sat
    if chain.coinbase_sat != due:
        raise BrokenLaw("coinbase", f"{chain.coinbase_sat} sat claimed, {due} sat due")


def check_balances(supply_sat: int, *holdings_sat: ArrayLike) -> None:
    """Everything held of a coin is its supply, exactly."""
    held = sum(_whole("balances", holding) for holding in holdings_sat)
    if held != supply_sat:
        raise BrokenLaw("balances", f"{held} sat held of a supply of {supply_sat} sat")


def check_hash(allocated_ths: ArrayLike, active_ths: ArrayLike) -> None:
    """Hashrate at work on all coins is that of the machines switched on."""
    allocated, active = float(np.sum(allocated_ths)), float(np.sum(active_ths))
    if not _close(allocated, active):
        raise BrokenLaw("hash", f"{allocated} TH/s allocated, {active} TH/s switched on")


def check_machines(produced: ArrayLike, *whereabouts: ArrayLike) -> None:
    """Machines made of each generation are active, idle, in transit or scrapped."""
    made = np.asarray(produced, np.float64)
    found = np.sum([np.broadcast_to(part, made.shape) for part in whereabouts], axis=0)
    _require("machines", _close(made, found), "machines made differ from those accounted for")


def check_energy(
    heat_mwh: ArrayLike,
    electricity_mwh: ArrayLike,
    load_mw: ArrayLike,
    capacity_mw: ArrayLike,
    heat_sold_mwh: ArrayLike = 0.0,
) -> None:
    """Heat out is electricity in, no more heat is sold than made, no load exceeds its capacity."""
    _require("energy", _close(heat_mwh, electricity_mwh), "heat out differs from electricity in")
    _require("energy", _at_most(heat_sold_mwh, heat_mwh), "more heat is sold than produced")
    _require("energy", _at_most(load_mw, capacity_mw), "load exceeds capacity")


def check_money(total_before_usd: float, total_after_usd: float, scale_usd: float) -> None:
    """Money changes hands and is neither made nor lost, up to the rounding of `scale_usd`."""
    change = total_after_usd - total_before_usd
    if not abs(change) <= _ROUNDING * abs(scale_usd):
        raise BrokenLaw("money", f"the total changed by {change} USD of {scale_usd} USD moved")


def check_pool(
    payouts_sat: ArrayLike, revenue_sat: int, reserve_change_sat: int, cut_sat: int
) -> None:
    """Payouts, what goes to the reserve and the operator's cut are the pool's revenue, exactly."""
    spent = _whole("pool", payouts_sat) + reserve_change_sat + cut_sat
    if spent != revenue_sat:
        raise BrokenLaw("pool", f"{spent} sat accounted for of a revenue of {revenue_sat} sat")


def check_shares(shares: ArrayLike) -> None:
    """Shares lie in [0, 1], sum to one, and their squares to between 1/n and one."""
    held = np.asarray(shares, np.float64)
    if not (held.size and (held >= 0.0).all() and (held <= 1.0 + _ROUNDING).all()):
        raise BrokenLaw("shares", "there are none, or one is outside [0, 1]")
    if not _close(held.sum(), 1.0):
        raise BrokenLaw("shares", f"they sum to {held.sum()}")
    index = float(np.square(held).sum())
    if not 1.0 / held.size - _ROUNDING <= index <= 1.0 + _ROUNDING:
        raise BrokenLaw("shares", f"the index {index} of {held.size} members is impossible")


class Accounts:
    """The outside world's side of every payment: one balance per named external account.

    Agents hold cash in arrays of their own.  What they pay enters an account and what they
    receive leaves one, so cash and accounts together never change.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.balances_usd = dict.fromkeys(names, 0.0)
        self.moved_usd = 0.0

    def pay(self, cash_usd: Floats, rows: Rows, amounts_usd: ArrayLike, to: str) -> None:
        """Take an amount from each of some rows of cash (a row may come twice) to an account."""
        self._move(cash_usd, rows, -np.asarray(amounts_usd, np.float64), to)

    def receive(self, cash_usd: Floats, rows: Rows, amounts_usd: ArrayLike, source: str) -> None:
        """Pay an amount from an account to each of some rows of cash."""
        self._move(cash_usd, rows, np.asarray(amounts_usd, np.float64), source)

    def total_usd(self, *cash_usd: Floats) -> float:
        """All money: the agents' cash and the external accounts."""
        return float(sum(cash.sum() for cash in cash_usd)) + sum(self.balances_usd.values())

    def _move(self, cash_usd: Floats, rows: Rows, amounts_usd: Floats, account: str) -> None:
        if account not in self.balances_usd:
            raise KeyError(f"no account {account!r}; there are {sorted(self.balances_usd)}")
        amounts_usd = np.broadcast_to(amounts_usd, cash_usd[rows].shape)
        if isinstance(rows, slice):
            cash_usd[rows] += amounts_usd
        else:
            np.add.at(cash_usd, rows, amounts_usd)
        self.balances_usd[account] -= float(amounts_usd.sum())
        self.moved_usd += float(np.abs(amounts_usd).sum())


def _whole(law: str, coins_sat: ArrayLike) -> int:
    """Exact sum of coins; a float among them has already lost satoshi."""
    coins = np.asarray(coins_sat)
    if coins.size == 0:
        return 0
    if coins.dtype.kind not in "iu":
        raise BrokenLaw(law, f"coins are counted in whole satoshi, not {coins.dtype}")
    return int(coins.sum())


def _close(left: ArrayLike, right: ArrayLike) -> Holds:
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    return np.asarray(np.abs(left - right) <= _ROUNDING * np.maximum(np.abs(left), np.abs(right)))


def _at_most(low: ArrayLike, high: ArrayLike) -> Holds:
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return np.asarray(low - high <= _ROUNDING * np.abs(high))


def _require(law: str, holds: Holds, message: str) -> None:
    if not holds.all():
        raise BrokenLaw(law, f"row {int(np.argmin(holds))}: {message}")
