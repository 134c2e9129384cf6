"""A chain with virtual mining: agents mine, donate or buy, day by day."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model import metrics
from model.incentives import consensus, routes
from model.incentives.holdings import (
    CENTS_PER_USD,
    LEAST_PRICE_USD,
    UNITS,
    Holdings,
    Orders,
    bitcoin_cents,
    clearing_price,
    matched,
)
from model.incentives.routes import BITCOIN, PTS
from model.parameters_virtual import VirtualMining
from model.recorder import Series
from model.sharing import shared
from model.streams import Streams
from model.units import DAYS_PER_YEAR

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Who leaves a route goes on watching it with a thousandth of an equal part, and so may return;
# up to twice of that is not spent.
WATCHED = 1e-3
# Within this of break-even on every route, on average over a month, prices are at rest.
AT_REST = 0.05
REST_DAYS = 30

_SERIES = (
    ("pts_price_usd", "USD/PTS", "price of a PTS in the day's auction"),
    ("pts_fundamental_usd", "USD/PTS", "present value of the airdrops that a PTS may expect"),
    ("mine_cost_usd", "USD/PTS", "spent on work for each PTS mined"),
    ("donate_cost_usd", "USD/PTS", "donated for what is worth one PTS, AGS at agents' belief"),
    ("route_spread", "1", "dearest less cheapest of the three routes, over the price"),
    ("pts_mining_spend_usd_day", "USD/day", "spent on work, all to suppliers outside"),
    ("pts_work_usd_day", "USD/day", "work done, at what it costs at the reference power price"),
    ("ags_donations_usd_day", "USD/day", "donated in bitcoin and PTS, loops included"),
    ("ags_recycled_usd_day", "USD/day", "donated out of what the fund had paid"),
    ("community_fund_usd", "USD", "worth of the community's fund"),
    ("virtual_waste_share", "1", "spent on work, over work and donations"),
    ("virtual_retained_share", "1", "donations over work and donations"),
    ("net_retained_share", "1", "donations that are no loop, over work and donations"),
    ("pts_ratio", "1", "worth of the PTS mined over what was spent on work"),
    ("ags_ratio", "1", "worth of the AGS issued, at agents' belief, over what was donated"),
    ("norm_reputation", "1", "chance that a founder honours the norm, as believed"),
    ("dacs_launched", "1", "new chains since the start"),
    ("dacs_honouring", "1", "those whose founder honoured the norm"),
    ("stake_hhi", "1", "Herfindahl index of agents' PTS"),
    ("work_hhi", "1", "Herfindahl index of agents' work"),
    ("stake_nakamoto", "1", "fewest agents with more than half of the PTS of all"),
    ("work_nakamoto", "1", "fewest agents with more than half of the work"),
    ("professional_work_share", "1", "work of those who mine and sell at once"),
    ("professional_stake_share", "1", "their part of agents' PTS"),
    ("vote_by_work", "1", "what votes by work decide to pay miners, 0 to 1"),
    ("vote_by_stake", "1", "what votes by stake decide to pay miners, 0 to 1"),
    ("vote", "1", "what both decide together at the weight of miners' votes"),
)
SERIES: tuple[Series, ...] = tuple(Series(*column, default=math.nan) for column in _SERIES)


@dataclass(frozen=True)
class People:
    """What does not change about agents, one entry each.

    Attributes
    ----------
    professional : who mines with rigs and sells at once.
    cost : USD of a unit of work at the reference power price.
    belief : worth of an AGS over a PTS; 0 for professionals, who could not sell it.
    optimism : factor on what a PTS is worth by expected airdrops.
    stake : share of all PTS that it wants to hold at the price it thinks right.
    """

    professional: Flags
    cost: Floats
    belief: Floats
    optimism: Floats
    stake: Floats


def people(terms: VirtualMining, wealth: Floats, random: np.random.Generator) -> People:
    """Agents whose costs and beliefs are drawn around those of the terms."""
    normals = random.standard_normal((3, terms.agents))
    professional = np.zeros(terms.agents, np.bool_)
    # Two agents at least hold what others sell.
    many = min(round(terms.professional_share * terms.agents), terms.agents - 2)
    professional[random.permutation(terms.agents)[:many]] = True
    cost = np.exp(terms.cost_dispersion * normals[0])
    belief = terms.equivalence * np.exp(terms.equivalence_dispersion * normals[1])
    return People(
        professional,
        np.where(professional, 1.0 - terms.professional_edge, 1.0) * cost,
        np.where(professional, 0.0, np.minimum(belief, 1.0)),
        np.exp(terms.honour_dispersion * normals[2]),
        metrics.normalised(np.where(professional, 0.0, wealth)),
    )


def power_factor(power_usd_mwh: float, reference_usd_mwh: float, power_share: float) -> float:
    """Cost of work over its cost at the reference power price; power below zero costs nothing.

    Never less than a hundredth, so that work that is all power has a price on any day.
    """
    power = power_share * max(power_usd_mwh, 0.0) / reference_usd_mwh
    return max(1.0 - power_share + power, 0.01)


@dataclass(frozen=True)
class Plan:
    """What agents set out to do today, shape (n,) and, by coin, (2, n)."""

    work_cents: Integers
    donation_usd: Floats
    bought_sat: Integers
    bitcoin_cents: Integers


class Today(NamedTuple):
    """What a day came to, in USD and whole coins; donations include what is donated again."""

    worth_usd: float
    mining_usd: float
    donated_usd: float
    recycled_usd: float
    pts: float
    ags: float


class Voters(NamedTuple):
    """Agents as voters, shape (n,): what each wants, and shares of work and of stake."""

    ideal: Floats
    work: Floats
    stake: Floats

    def decide(self, miner_vote: float) -> float:
        """What is paid to miners, 0 to 1, at a weight of votes by work."""
        votes = consensus.blended_votes(self.work, self.stake, miner_vote)
        return consensus.weighted_median(self.ideal, votes)


class VirtualMiningEconomy:
    """A chain that issues PTS to miners and AGS to donors, who choose between them and buying.

    Each day agents look at yesterday's price, work and donations; trade in one auction; pay for
    work and donate; and get what is issued, in proportion.  New chains arrive whose founders may
    give a part to the holders of both.

    Parameters
    ----------
    terms : of the chain and its people.
    streams : of the run; the chain draws from streams of its own.
    """

    def __init__(self, terms: VirtualMining, streams: Streams) -> None:
        self.terms = terms
        self._random = streams.generator("virtual mining")
        self._founders = streams.generator("virtual mining founders")
        draws = streams.generator("virtual mining people")
        normals = draws.standard_normal(terms.agents)
        self._wealth_usd = terms.wealth_median_usd * np.exp(terms.wealth_log_sd * normals)
        self.people = people(terms, self._wealth_usd, draws)
        self.norm = consensus.Norm(
            terms.community_boost,
            terms.airdrop_pts + terms.airdrop_ags,
            terms.norm_feedback,
            terms.founder_noise,
            terms.reputation_gain,
            terms.reputation_start,
        )
        self.price_usd = self._worth_usd(terms.pts_start)
        self.tell: list[tuple[str, str]] = []
        self._first_day = self._day = 0
        self._book: Holdings | None = None
        self._log_ratios: deque[Floats] = deque(maxlen=REST_DAYS)
        self._rested = False
        self._broken = 0
        self._totals = {"mining": 0.0, "donated": 0.0, "recycled": 0.0}
        self._latest: dict[str, float] = {}
        self._open_routes()

    def step(self, day: int, btc_usd: float, power_usd_mwh: float) -> dict[str, float]:
        """Live through a day; the day's value of every series, NaN where there is none.

        Parameters
        ----------
        day : of the run; donations end so many days after the first day that is lived through.
        btc_usd, power_usd_mwh : the day's prices.
        """
        self.tell = []
        self._day = day
        self._begin(btc_usd)
        self._balance(btc_usd)
        again = self._pay_developers()
        plan = self._plan(btc_usd)
        worth_usd = self._worth_usd(self.book.supply)
        self._trade(plan, worth_usd)
        coin_usd = np.array([btc_usd, self.price_usd])
        self._spend(plan, again, coin_usd)
        today = self._issue(worth_usd)
        self._launch()
        self._latest = self._observed(today, power_usd_mwh, coin_usd)
        self._add(today)
        return self._latest

    @property
    def book(self) -> Holdings:
        """Who holds what, from the first day on."""
        if self._book is None:
            raise RuntimeError("nobody holds anything before the first day")
        return self._book

    @property
    def donors_are_rewarded(self) -> bool:
        """Whether AGS are issued today."""
        return self._day - self._first_day < self.terms.donation_days

    def check(self) -> None:
        """Raise unless units and money balance; see `Holdings.check`."""
        if self._book is not None:
            self._book.check()

    # The beginning

    def _open_routes(self) -> None:
        """Spending of everybody on the first day: what a route is worth, by wealth."""
        terms, folk = self.terms, self.people
        one = terms.issue_reading == "total"
        share = terms.pts_donation_share
        self._by_coin = np.array([1.0 - share, share]) if one else np.ones(2)
        # The issue that donors of each coin have a part in.
        self._pot_of = np.array([0, 0 if one else 1])
        donors = ~folk.professional
        self._mining = self._mining_prize() * metrics.normalised(self._wealth_usd)
        given = self._donation_prize() * folk.belief * folk.stake
        self._donating = np.outer(self._by_coin, given)
        self._least_mining = np.full(terms.agents, WATCHED / terms.agents)
        self._least_donating = np.outer(self._by_coin, donors * WATCHED / terms.agents)
        self._spent = self._mining.copy()
        self._pots = np.zeros((routes.addresses(terms.issue_reading), terms.agents + 2))
        np.add.at(self._pots[:, :-2], self._pot_of, self._donating)

    def _begin(self, btc_usd: float) -> None:
        """On the first day wealth becomes cash and bitcoin at the day's price."""
        if self._book is not None:
            return
        self._first_day = self._day
        terms = self.terms
        usd = np.append(self._wealth_usd * (1.0 - terms.bitcoin_wealth_share), [0.0, 0.0])
        coins = np.zeros((2, usd.size))
        coins[BITCOIN, :-2] = self._wealth_usd * terms.bitcoin_wealth_share / btc_usd
        coins[PTS, :-2] = terms.pts_start * self.people.stake
        self._book = Holdings(
            (usd * CENTS_PER_USD).astype(np.int64),
            (coins * UNITS).astype(np.int64),
            np.zeros(usd.size, np.int64),
        )

    def _worth_usd(self, supply: float) -> float:
        """What a PTS is worth by the airdrops it may expect."""
        issue_yr = self.terms.pts_issue_day * DAYS_PER_YEAR
        worth = routes.price_of_claims(
            self._airdrops_usd_yr(), self.terms.discount_yr, supply, issue_yr
        )
        return max(worth, LEAST_PRICE_USD)

    def _airdrops_usd_yr(self) -> float:
        """What all PTS together may expect in a year of founders who honour the norm."""
        terms, norm = self.terms, self.norm
        mean = terms.dac_value_usd * math.exp(0.5 * terms.dac_value_log_sd**2)
        honouring = terms.dacs_yr * norm.reputation
        return honouring * terms.airdrop_pts * (1.0 + norm.support) * mean

    def _mining_prize(self) -> float:
        return self.price_usd * self.terms.pts_issue_day

    def _donation_prize(self) -> float:
        """Worth of a day's issue of AGS to who thinks it as good as PTS."""
        return self.price_usd * self.terms.ags_issue_day

    # Choosing

    def _balance(self, btc_usd: float) -> None:
        """Agents keep a share of their liquid wealth in bitcoin: who is short of cash sells it."""
        agents = self.book.agents
        cash = self.book.usd[:agents] / CENTS_PER_USD
        held = self.book.coins[BITCOIN, :agents] * (btc_usd / UNITS)
        wanted = self.terms.bitcoin_wealth_share * (cash + held)
        sat = np.floor((wanted - held) / btc_usd * UNITS).astype(np.int64)
        sat = np.maximum(sat, -self.book.coins[BITCOIN, :agents])
        self.book.buy_bitcoin(sat, bitcoin_cents(sat, btc_usd))

    def _plan(self, btc_usd: float) -> Plan:
        """Spending after a look at yesterday, as far as money goes."""
        self._look_at_mining()
        self._look_at_donations()
        agents, share = self.book.agents, self.terms.spending_share_day
        cash = self.book.usd[:agents] / CENTS_PER_USD
        sat = self.book.coins[BITCOIN, :agents]
        work = np.minimum(self._worth_it(self._mining, self._least_mining), share * cash)
        donation = self._worth_it(self._donating, self._least_donating)
        most = share * np.stack((cash + sat * btc_usd / UNITS, cash))
        donation = np.minimum(donation, most) * self.donors_are_rewarded
        wanted = (donation[BITCOIN] / btc_usd * UNITS).astype(np.int64)
        bought = np.maximum(wanted - sat, 0)
        cents = (work * CENTS_PER_USD).astype(np.int64)
        return Plan(cents, donation, bought, bitcoin_cents(bought, btc_usd))

    def _worth_it(self, spending: Floats, least: Floats) -> Floats:
        return np.where(spending > 2.0 * self._mining_prize() * least, spending, 0.0)

    def _errors(self) -> Floats:
        draws = self._random.standard_normal(self.terms.agents)
        return np.exp(self.terms.noise * draws)

    def _look_at_mining(self) -> None:
        """Move spending on work towards break-even by yesterday's price and work."""
        prize, cost = self._mining_prize(), self.people.cost
        work = self._spent / cost
        total = work.sum()
        own = _over(work, total, 0.0)
        back = _over(prize * (1.0 - own), cost * total, np.inf)
        self._mining = routes.next_spending(
            self._mining, back * self._errors(), self.terms.damping,
            prize * self._least_mining, prize,
        )  # fmt: skip

    def _look_at_donations(self) -> None:
        """Move donations towards break-even by yesterday's price and donations."""
        prize, errors = self._donation_prize(), self._errors()
        totals = self._pots.sum(axis=1, keepdims=True)
        own = _over(self._pots[:, : self.terms.agents], totals, 0.0)
        back = _over(prize * self.people.belief * (1.0 - own), totals, np.inf)
        self._donating = routes.next_spending(
            self._donating, back[self._pot_of] * errors, self.terms.damping,
            self._mining_prize() * self._least_donating, prize,
        )  # fmt: skip

    # The day

    def _pay_developers(self) -> Integers:
        """The fund pays developers; what they give back, in units by coin."""
        paid = self.book.pay_out(self.terms.fund_payout_day)
        return (self.terms.recycled * self.donors_are_rewarded * paid).astype(np.int64)

    def _trade(self, plan: Plan, worth_usd: float) -> None:
        """The auction: holders, donors of PTS and sellers meet at one price."""
        book, folk, terms = self.book, self.people, self.terms
        mood = math.exp(terms.noise * self._random.standard_normal())
        # Payments are rounded to the cent, so a cent or two must stay.
        left = book.usd[: book.agents] - plan.work_cents - plan.bitcoin_cents - 2
        most = terms.spending_share_day * book.usd[: book.agents]
        orders = Orders(
            held=book.pts[: book.agents] / UNITS,
            worth_usd=worth_usd * mood * folk.optimism,
            stake=book.supply * folk.stake,
            donation_usd=plan.donation_usd[PTS],
            cash_usd=np.clip(left, 0, most) / CENTS_PER_USD,
        )
        self.price_usd = clearing_price(orders, self.price_usd, terms.elasticity)
        bought, sold = matched(orders.excess(self.price_usd, terms.elasticity))
        usd = float(bought.sum()) / UNITS * self.price_usd
        book.trade(bought, sold, int(usd * CENTS_PER_USD))

    def _spend(self, plan: Plan, again: Integers, coin_usd: Floats) -> None:
        """Work is paid for; agents donate what they have of it, developers donate again."""
        book, agents = self.book, self.book.agents
        book.buy_work(plan.work_cents)
        book.buy_bitcoin(plan.bought_sat, plan.bitcoin_cents)
        units = np.zeros_like(book.coins)
        wanted = plan.donation_usd / coin_usd[:, None] * UNITS
        units[:, :agents] = np.minimum(wanted, book.coins[:, :agents])
        units[:, book.developers] = again
        book.donate(units)
        self._spent = plan.work_cents / CENTS_PER_USD
        self._pots = np.zeros_like(self._pots)
        np.add.at(self._pots, self._pot_of, units * coin_usd[:, None] / UNITS)

    def _issue(self, worth_usd: float) -> Today:
        """PTS by work and AGS by donations; what nobody works or gives for is not issued."""
        terms, book = self.terms, self.book
        pts = _issued(np.append(self._spent / self.people.cost, [0.0, 0.0]), terms.pts_issue_day)
        ags = np.sum([_issued(pot, terms.ags_issue_day) for pot in self._pots], axis=0)
        book.issue(pts, ags)
        return Today(
            worth_usd,
            float(self._spent.sum()),
            float(self._pots.sum()),
            float(self._pots[:, book.developers].sum()),
            float(pts.sum()) / UNITS,
            float(ags.sum()) / UNITS,
        )

    def _launch(self) -> None:
        """New chains of the day, each with a founder who honours the norm or does not."""
        terms, random = self.terms, self._founders
        for _ in range(random.poisson(terms.dacs_yr / DAYS_PER_YEAR)):
            held_before = self.norm.holds
            alone = terms.dac_value_usd * math.exp(
                terms.dac_value_log_sd * random.standard_normal()
            )
            chain = self.norm.launch(alone, random.standard_normal())
            if chain.honoured:
                self.book.airdrop(self.book.pts, terms.airdrop_pts * chain.value_usd)
                self.book.airdrop(self.book.ags, terms.airdrop_ags * chain.value_usd)
            self._tell_launch(chain, held_before)

    # What is seen

    def _tell_launch(self, chain: consensus.Launch, held_before: bool) -> None:
        does = "gives holders their part" if chain.honoured else "gives holders nothing"
        self.tell.append(
            ("dac_launched", f"worth {chain.value_usd / 1e6:,.1f} million USD, {does}")
        )
        believed = f"{self.norm.reputation:.0%} of founders are expected to honour it"
        if held_before and not self.norm.holds:
            self._broken += 1
            self.tell.append(("norm_broken", believed))
        elif self.norm.holds and not held_before:
            self.tell.append(("norm_restored", believed))

    def _observed(self, today: Today, power_usd_mwh: float, coin_usd: Floats) -> dict[str, float]:
        """Every series of the day."""
        terms = self.terms
        prices = self._prices(today)
        power = power_factor(power_usd_mwh, terms.reference_power_usd_mwh, terms.power_cost_share)
        return {
            "pts_price_usd": self.price_usd,
            "pts_fundamental_usd": today.worth_usd,
            "pts_mining_spend_usd_day": today.mining_usd,
            "pts_work_usd_day": today.mining_usd / power,
            "ags_donations_usd_day": today.donated_usd,
            "ags_recycled_usd_day": today.recycled_usd,
            "community_fund_usd": self.book.fund_usd(coin_usd),
            "norm_reputation": self.norm.reputation,
            "dacs_launched": float(self.norm.launches),
            "dacs_honouring": float(self.norm.honoured),
            **prices,
            **waste_shares(today.mining_usd, today.donated_usd, today.recycled_usd),
            **self._votes(),
        }

    def _prices(self, today: Today) -> dict[str, float]:
        """Unit costs of the three routes, and worth over cost of two."""
        price, belief = self.price_usd, self.terms.equivalence
        costs = routes.unit_costs(
            today.mining_usd, today.pts, today.donated_usd, today.ags, belief, price
        )
        return {
            "mine_cost_usd": float(costs[0]),
            "donate_cost_usd": float(costs[1]),
            "route_spread": routes.spread(costs),
            "pts_ratio": routes.value_over_cost(price * today.pts, today.mining_usd),
            "ags_ratio": routes.value_over_cost(belief * price * today.ags, today.donated_usd),
        }

    def voters(self) -> Voters:
        """Who would vote today, and for what."""
        agents = self.book.agents
        work = metrics.normalised(self._spent / self.people.cost)
        stake = self.book.pts[:agents].astype(np.float64)
        mined_usd_day = self._mining_prize() * work
        airdrops_usd_day = self._airdrops_usd_yr() / DAYS_PER_YEAR * stake / self.book.pts.sum()
        ideal = consensus.ideal_points(mined_usd_day, airdrops_usd_day)
        return Voters(ideal, work, metrics.normalised(stake))

    def _votes(self) -> dict[str, float]:
        """How concentrated work and stake are, and what votes by them decide."""
        voters, professional = self.voters(), self.people.professional
        _, work, stake = voters
        return {
            "stake_hhi": metrics.hhi(stake),
            "work_hhi": metrics.hhi(work),
            "stake_nakamoto": float(metrics.nakamoto(stake)),
            "work_nakamoto": float(metrics.nakamoto(work)),
            "professional_work_share": float(work[professional].sum()),
            "professional_stake_share": float(stake[professional].sum()),
            "vote_by_work": voters.decide(1.0),
            "vote_by_stake": voters.decide(0.0),
            "vote": voters.decide(self.terms.miner_vote),
        }

    def _add(self, today: Today) -> None:
        """Add the day to the totals, and tell what came to rest or to an end."""
        self._totals["mining"] += today.mining_usd
        self._totals["donated"] += today.donated_usd
        self._totals["recycled"] += today.recycled_usd
        ratios = np.array([self._latest["pts_ratio"], self._latest["ags_ratio"]])
        self._log_ratios.append(np.log(ratios))
        if not self._rested and self._is_at_rest():
            self._rested = True
            words = f"for {REST_DAYS} days no route was {AT_REST:.0%} dearer or cheaper"
            self.tell.append(("routes_equal", words))
        if self._day - self._first_day == self.terms.donation_days - 1:
            self.tell.append(("donations_end", "no more AGS are issued"))

    def _is_at_rest(self) -> bool:
        """Whether a month of donations and work was at break-even, up to chance."""
        if len(self._log_ratios) < REST_DAYS:
            return False
        return bool((np.abs(np.mean(self._log_ratios, axis=0)) < AT_REST).all())

    def summary(self) -> dict[str, float | str]:
        """What the chain wasted, what the community kept, whether the norm held, who decides."""
        mining, donated, recycled = self._totals.values()
        kept = ("pts_price_usd", "community_fund_usd", "work_hhi", "stake_hhi", "work_nakamoto",
                "stake_nakamoto", "professional_work_share", "professional_stake_share",
                "vote_by_work", "vote_by_stake", "vote")  # fmt: skip
        return {
            "mining_spend_usd": mining,
            "donated_usd": donated,
            "donated_again_usd": recycled,
            **waste_shares(mining, donated, recycled),
            "norm": self._norm_words(),
            "norm_reputation": self.norm.reputation,
            "dacs_launched": float(self.norm.launches),
            "dacs_honouring": float(self.norm.honoured),
            **{name: self._latest.get(name, math.nan) for name in kept},
        }

    def _norm_words(self) -> str:
        if self.norm.launches == 0:
            return "untried"
        if not self.norm.holds:
            return "broken"
        return "restored" if self._broken else "held"


def waste_shares(mining_usd: float, donated_usd: float, recycled_usd: float) -> dict[str, float]:
    """Of what is spent: wasted on work, kept by the community, and kept without loops.

    What is left of one after waste and net retention is the loop: paid by the fund and given back.
    """
    spent = mining_usd + donated_usd
    return {
        "virtual_waste_share": routes.value_over_cost(mining_usd, spent),
        "virtual_retained_share": routes.value_over_cost(donated_usd, spent),
        "net_retained_share": routes.value_over_cost(donated_usd - recycled_usd, spent),
    }


def _over(part: Floats, whole: Floats, without: float) -> Floats:
    """A quotient, or a given value where the whole is zero."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, without), where=whole > 0.0)


def _issued(by: Floats, coins: float) -> Integers:
    """A day's issue in units, in proportion; none where nobody did anything for it."""
    return shared(by, round(coins * UNITS) if by.any() else 0)
