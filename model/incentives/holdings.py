"""Who holds what on a chain with virtual mining, and the auction in which units change hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from model.incentives.routes import BITCOIN, PTS
from model.ledger import BrokenLaw
from model.sharing import LARGEST_REWARD_SAT, shared
from model.units import SATOSHI_PER_COIN

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CENTS_PER_USD = 100
# A unit of PTS, AGS or bitcoin is divided alike.
UNITS = SATOSHI_PER_COIN
# A price moves by no more than this factor in a day, and never below a millionth of a cent.
MOST_MOVE = 10.0
LEAST_PRICE_USD = 1e-8


@dataclass
class Holdings:
    """Accounts in whole cents and in units of 1e-8: one row an agent, then developers and fund.

    Attributes
    ----------
    usd, coins, ags : shape (n + 2,), (2, n + 2), (n + 2,); coins by row are bitcoin and PTS.
    issued_pts, issued_ags, bought_sat : units that came in since the start.
    suppliers, bitcoin_sellers, outside : cents paid to who supplies work, to who sells bitcoin
        (net, as are the satoshi bought), and by who buys parts of new chains from holders.
    fund_got_usd, fund_paid_usd : cents of such parts that came to the fund, and left it.
    donated, paid_out, donated_again : shape (2,), by coin; the last is part of the first.
    """

    usd: Integers
    coins: Integers
    ags: Integers
    issued_pts: int = 0
    issued_ags: int = 0
    bought_sat: int = 0
    suppliers: int = 0
    bitcoin_sellers: int = 0
    outside: int = 0
    fund_got_usd: int = 0
    fund_paid_usd: int = 0
    donated: Integers = field(default_factory=lambda: np.zeros(2, np.int64))
    paid_out: Integers = field(default_factory=lambda: np.zeros(2, np.int64))
    donated_again: Integers = field(default_factory=lambda: np.zeros(2, np.int64))

    def __post_init__(self) -> None:
        self.agents = self.usd.size - 2
        self.developers, self.fund = self.agents, self.agents + 1
        self._usd_start = int(self.usd.sum())
        self._coins_start = self.coins.sum(axis=1)

    @property
    def pts(self) -> Integers:
        """PTS of all rows, a view."""
        return self.coins[PTS]

    @property
    def supply(self) -> float:
        """PTS that exist."""
        return float(self.pts.sum()) / UNITS

    def fund_usd(self, coin_usd: Floats) -> float:
        """Worth of the fund at the prices of bitcoin and PTS."""
        cash = self.usd[self.fund] / CENTS_PER_USD
        return float(cash + coin_usd @ self.coins[:, self.fund] / UNITS)

    def buy_work(self, cents: Integers) -> None:
        """Agents pay suppliers of work."""
        self.usd[: self.agents] -= cents
        self.suppliers += int(cents.sum())

    def buy_bitcoin(self, sat: Integers, cents: Integers) -> None:
        """Agents buy bitcoin outside, or sell it where both are below zero."""
        self.usd[: self.agents] -= cents
        self.coins[BITCOIN, : self.agents] += sat
        self.bitcoin_sellers += int(cents.sum())
        self.bought_sat += int(sat.sum())

    def donate(self, units: Integers) -> None:
        """Agents and developers give coins to the fund; `units` is of shape (2, n + 2)."""
        self.coins -= units
        given = units.sum(axis=1)
        self.coins[:, self.fund] += given
        self.donated += given
        self.donated_again += units[:, self.developers]

    def pay_out(self, share: float) -> Integers:
        """The fund pays a share of all it has to developers; the coins paid, by coin."""
        units = (share * self.coins[:, self.fund]).astype(np.int64)
        cents = int(share * self.usd[self.fund])
        self.coins[:, self.fund] -= units
        self.coins[:, self.developers] += units
        self.usd[self.fund] -= cents
        self.usd[self.developers] += cents
        self.paid_out += units
        self.fund_paid_usd += cents
        return units

    def issue(self, pts: Integers, ags: Integers) -> None:
        """New units of both kinds, shape (n + 2,)."""
        self.coins[PTS] += pts
        self.ags += ags
        self.issued_pts += int(pts.sum())
        self.issued_ags += int(ags.sum())

    def trade(self, bought: Integers, sold: Integers, cents: int) -> None:
        """PTS change hands between agents for so many cents in all, at one price."""
        self.coins[PTS, : self.agents] += bought - sold
        if cents > 0:
            self.usd[: self.agents] -= shared(bought.astype(np.float64), cents)
            self.usd[: self.agents] += shared(sold.astype(np.float64), cents)

    def airdrop(self, held: Integers, usd: float) -> None:
        """Holders of one kind of unit get so much by what they hold, and sell it outside."""
        cents = min(int(usd * CENTS_PER_USD), LARGEST_REWARD_SAT)
        if cents == 0 or not held.any():
            return
        payouts = shared(held.astype(np.float64), cents)
        self.usd += payouts
        self.outside += cents
        self.fund_got_usd += int(payouts[self.fund])

    def check(self) -> None:
        """Raise unless every unit that was issued is held and every cent paid was received."""
        if min(self.usd.min(), self.coins.min(), self.ags.min()) < 0:
            raise BrokenLaw("virtual mining", "somebody holds less than nothing")
        came = np.array([self.bought_sat, self.issued_pts])
        fund = self.coins[:, self.fund]
        spent = self.suppliers + self.bitcoin_sellers
        balances = {
            "bitcoin and PTS held": (self.coins.sum(axis=1), self._coins_start + came),
            "AGS held": (self.ags.sum(), self.issued_ags),
            "donated": (self.donated, fund + self.paid_out),
            "paid out": (self.paid_out, self.coins[:, self.developers] + self.donated_again),
            "the fund's USD": (self.fund_got_usd, self.usd[self.fund] + self.fund_paid_usd),
            "USD": (self.usd.sum() + spent, self._usd_start + self.outside),
        }
        for what, (found, due) in balances.items():
            if not np.array_equal(found, due):
                raise BrokenLaw("virtual mining", f"{what}: {found}, and not {due}")


def bitcoin_cents(sat: Integers, btc_usd: float) -> Integers:
    """What bitcoin costs, in cents, rounded up; below zero what it brings, rounded down."""
    return np.ceil(sat * (btc_usd * CENTS_PER_USD / UNITS)).astype(np.int64)


# The auction


class Orders(NamedTuple):
    """What each agent brings to the day's auction.

    Attributes
    ----------
    held : PTS it has.
    worth_usd : what it thinks a PTS is worth.
    stake : PTS it wants to hold at that price; none for who sells all he has.
    donation_usd : PTS it wants to give away, by their worth.
    cash_usd : the most it may pay.
    """

    held: Floats
    worth_usd: Floats
    stake: Floats
    donation_usd: Floats
    cash_usd: Floats

    def excess(self, price_usd: float, elasticity: float) -> Floats:
        """PTS that each would buy at a price, or, below zero, sell."""
        stake = self.stake * (self.worth_usd / price_usd) ** elasticity
        wanted = stake + self.donation_usd / price_usd - self.held
        return np.clip(wanted, -self.held, self.cash_usd / price_usd)


def clearing_price(orders: Orders, last_usd: float, elasticity: float) -> float:
    """The price at which as much is bought as sold, within a day's largest move, USD.

    What all want falls with the price, so there is one such price, or a range of which any will
    do; where even the largest move does not clear the market, it is the price.
    """

    def demand(log_price: float) -> float:
        return float(orders.excess(float(np.exp(log_price)), elasticity).sum())

    low = np.log(max(last_usd / MOST_MOVE, LEAST_PRICE_USD))
    high = max(np.log(last_usd * MOST_MOVE), low)
    if demand(low) <= 0.0:
        return float(np.exp(low))
    if demand(high) >= 0.0:
        return float(np.exp(high))
    return float(np.exp(brentq(demand, low, high, xtol=1e-10)))


def matched(excess: Floats) -> tuple[Integers, Integers]:
    """Units bought and sold, shape (n,) each, of equal sum: the longer side is rationed.

    Parameters
    ----------
    excess : shape (n,), PTS that each would buy or, below zero, sell.
    """
    # Of more than a million PTS a day the exact split would not be known to the unit.
    units = np.clip(excess * UNITS, -LARGEST_REWARD_SAT, LARGEST_REWARD_SAT).astype(np.int64)
    buys, sells = np.maximum(units, 0), np.maximum(-units, 0)
    volume = min(int(buys.sum()), int(sells.sum()), LARGEST_REWARD_SAT)
    return _rationed(buys, volume), _rationed(sells, volume)


def _rationed(units: Integers, volume: int) -> Integers:
    """Orders cut in proportion to a volume that is no more than their sum."""
    if volume == int(units.sum()):
        return units
    # Near the whole, rounding may give somebody a unit more than he asked for.
    cut = np.minimum(shared(units.astype(np.float64), volume), units)
    cut[np.flatnonzero(cut < units)[: volume - int(cut.sum())]] += 1
    return cut
