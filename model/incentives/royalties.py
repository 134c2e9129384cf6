"""A register of property whose miners live on royalties: blocks that pay whoever owns them.

Properties are issued for hashcash and pay nothing; a transfer pays the owners of the blocks in
which the property was issued and last transferred.  Blocks can be sold, and miners earn shares
that verify records at once.  Processors mine it, and all it has of bitcoin's world is the price
of power and, behind the coin it is paid in, the price of bitcoin.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from model.incentives import royalty_payments as pay
from model.incentives.mining_shares import ShareLedger
from model.incentives.royalty_chain import (
    Registry,
    Rules,
    Tip,
    at_random,
    entrants,
    find_blocks,
)
from model.incentives.royalty_payments import LITOSHI_PER_LTC
from model.incentives.royalty_users import (
    SECONDS_PER_MINUTE,
    Population,
    Records,
    Verified,
    share_market,
    verify,
)
from model.ledger import BrokenLaw
from model.parameters_royalties import Royalties
from model.recorder import Series
from model.streams import Streams, uniforms
from model.units import (
    DAYS_PER_MONTH,
    DAYS_PER_YEAR,
    HOURS_PER_DAY,
    SECONDS_PER_DAY,
    WATTS_PER_MW,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

CLASSES = 16  # of popularity
DECISION_DAYS = WINDOW_DAYS = 30
SOURCES = ("royalties", "block sales", "mining shares", "escrow")
ROYALTIES, SALES, SHARES, ESCROW = range(len(SOURCES))

SERIES: tuple[Series, ...] = (
    Series("royalty_issues_day", "1", "properties issued in the day", math.nan),
    Series("royalty_transfers_day", "1", "transfers and copies paid for in the day", math.nan),
    Series("royalty_blocks_day", "1", "blocks of the register found in the day", math.nan),
    Series("royalties_ltc_day", "LTC", "royalties paid in the day, to all block owners", math.nan),
    Series("royalty_miners_usd_day", "USD", "royalties of the day that miners received", math.nan),
    Series("block_sales_usd_day", "USD", "what miners received for blocks", math.nan),
    Series("mining_share_income_usd_day", "USD", "what miners received for shares", math.nan),
    Series("escrow_income_usd_day", "USD", "what miners received for holding money", math.nan),
    Series("merge_mined_usd_day", "USD", "what miners received from other chains", math.nan),
    Series("royalty_miner_income_usd_day", "USD", "all that miners received in the day", math.nan),
    Series("royalty_miner_cost_usd_day", "USD", "what mining cost them in the day", math.nan),
    Series("royalty_cpus", "1", "processors that mine", math.nan),
    Series("royalty_block_npv_ltc", "LTC", "present value of a new block to a buyer", math.nan),
    Series("royalty_blocks_sold_day", "1", "blocks sold in the day", math.nan),
    Series(
        "royalty_yield_yr", "1/yr", "royalties of 30 days over the present value of all", math.nan
    ),
    Series("royalty_top_owner_share", "1", "blocks of the largest owner, over all", math.nan),
    Series("royalty_earning_share", "1", "properties that were ever transferred", math.nan),
    Series("mining_share_price_usd", "USD", "price of a mining share", math.nan),
    Series("mining_shares_active", "1", "mining shares held, or locked by their users", math.nan),
    Series("mining_shares_used_share", "1", "records verified at once by shares", math.nan),
    Series("royalty_hashcash_share", "1", "records verified at once by hashcash", math.nan),
    Series("royalty_wait_min", "min", "mean wait of the day's records until verified", math.nan),
)


class Sent(NamedTuple):
    """Records on their way into blocks: when each is ready, and its kind."""

    ready_s: Floats
    kind: NDArray[np.int8]


class Transferred(NamedTuple):
    """Transfers and copies of a day: who found their blocks, and whether a property moved."""

    finders: Integers
    moved: Bools


ISSUE, TRANSFER, COPY = range(3)


class RoyaltiesEconomy:
    """The register on its days, from the first on which it is stepped.

    Parameters
    ----------
    terms : the section of the scenario.
    streams : of the run; every process here draws from streams of its own names.

    Attributes
    ----------
    tell : what happened on the day, as kind and words.
    registry, shares : who owns which blocks, and who holds mining shares.
    received : litoshi by owner and source since the first day; miners first, then buyers.
    paid : litoshi by source, as those who pay count it.
    received_before_ltc : royalties paid before the first day.
    """

    def __init__(self, terms: Royalties, streams: Streams) -> None:
        self._terms = terms
        self._streams = streams
        self._split = pay.split_of(terms.fee_reading, terms.payment_ltc)
        self._rules = Rules(terms.block_s, terms.epoch_blocks, terms.largest_step)
        self._blocks_day = pay.blocks_a_day(terms.block_s)
        owners = terms.miners + terms.investors
        self._draw_miners(streams.generator("royalty miners"))
        self.users = Population(terms, streams.generator("royalty users"))
        self.registry = Registry(owners, pay.popularities(terms.popularity_sd, CLASSES))
        self.shares = ShareLedger(terms.miners, terms.users, terms.share_maturity_blocks)
        self.received = np.zeros((owners, len(SOURCES)), np.int64)
        self.paid = np.zeros(len(SOURCES), np.int64)
        self.outputs = np.zeros(owners, np.int64)
        self.blocks_owned = np.zeros(owners, np.int64)
        self.received_before_ltc = 0.0
        self.tell: list[tuple[str, str]] = []
        self._age = 0
        self._tip = Tip(0, 0.0, 0.0)
        self._mines = np.zeros(terms.miners, np.bool_)
        self._queue = Sent(np.zeros(0), np.zeros(0, np.int8))
        self._recent: deque[tuple[float, float]] = deque(maxlen=WINDOW_DAYS)
        self._sums = dict.fromkeys((column.name for column in SERIES), 0.0)
        self._share_price_usd = 0.0
        self._was_worthless = False
        self._first_btc_usd = math.nan

    def _draw_miners(self, generator: np.random.Generator) -> None:
        """What miners and buyers differ in: processors, price of power, discount rates."""
        terms, normal = self._terms, generator.standard_normal
        sd = terms.cpus_sd
        self._cpus = terms.cpus_mean * np.exp(sd * normal(terms.miners) - sd**2 / 2.0)
        self._power_ratio = terms.power_price_ratio * np.exp(
            terms.power_price_sd * normal(terms.miners)
        )
        self._seller_rate = terms.seller_discount_yr * np.exp(
            terms.discount_sd * normal(terms.miners)
        )
        self._buyer_rate = terms.buyer_discount_yr * np.exp(
            terms.discount_sd * normal(terms.investors)
        )

    # One day

    def step(self, day: int, btc_usd: float, power_usd_mwh: float) -> dict[str, float]:
        """One day of the register.

        Parameters
        ----------
        day : index of the day in the run, which keys the draws.
        btc_usd : price of bitcoin, which that of the coin of payment follows.
        power_usd_mwh : what bitcoin's miners pay for power; the register's pay a multiple.

        Returns
        -------
        The day's value of every one of `SERIES`.
        """
        self.tell = []
        before = self.received.copy()
        ltc_usd = self._ltc_usd(btc_usd)
        costs = self._costs_usd_cpu_day(power_usd_mwh)
        # Who mines, and who sells blocks
        sold = self._decide(day, ltc_usd, costs)
        times, finders = self._find(day)
        # What users send, and what they pay for speed
        records = self._send()
        self._trade_shares(records, ltc_usd)
        verified = verify(self._terms, self.users, self.shares, records, self._age)
        # What gets into blocks, and who is paid for it
        blocks, kinds = self._confirm(times, records, verified)
        transferred = self._register(day, finders, blocks, kinds)
        self._hold_money(day, transferred.finders[transferred.moved], ltc_usd)
        self._credit_shares(day, finders, blocks)
        row = self._row(self.received - before, ltc_usd, costs, times.size)
        row |= self._speed(records, verified) | {
            "royalty_issues_day": float((kinds == ISSUE).sum()),
            "royalty_transfers_day": float(transferred.moved.size),
            "royalty_blocks_sold_day": float(sold),
        }
        self._remember(row)
        return row

    def _ltc_usd(self, btc_usd: float) -> float:
        """Price of the coin of payment: a power of bitcoin's since the first day."""
        if self._age == 0:
            self._first_btc_usd = btc_usd
        return self._terms.ltc_usd * (btc_usd / self._first_btc_usd) ** self._terms.ltc_follows_coin

    def _costs_usd_cpu_day(self, power_usd_mwh: float) -> Floats:
        """What a processor that mines costs each miner a day."""
        mwh = self._terms.cpu_watts * HOURS_PER_DAY / WATTS_PER_MW
        return mwh * power_usd_mwh * self._power_ratio + self._terms.cpu_other_usd_day

    # Monthly decisions

    def _decide(self, day: int, ltc_usd: float, costs: Floats) -> int:
        """Every thirty days: miners sell their blocks, come and go; how many blocks are sold."""
        if self._age == 0:
            self._begin(day, ltc_usd, costs)
            return 0
        if self._age % DECISION_DAYS:
            return 0
        sold = self._sell_blocks(day)
        self._choose_miners(ltc_usd, costs)
        return sold

    def _begin(self, day: int, ltc_usd: float, costs: Floats) -> None:
        """The register as it is on its first day here: its properties, miners, blocks, owners."""
        terms, draw = self._terms, self._streams.generator("royalty past")
        days = terms.start_stock_months * DAYS_PER_MONTH
        # Whole epochs, so that the first one here is not measured by a part.
        blocks = int(days * self._blocks_day) // terms.epoch_blocks * terms.epoch_blocks
        issues = round(terms.start_stock_months * terms.issues_month) if blocks else 0
        issued = np.sort((draw.random(issues) * blocks).astype(np.int64))
        self.registry.issue(issued, draw.random(issues))
        self._choose_miners(ltc_usd, costs)
        self._tip = Tip(blocks, terms.block_s * max(self._mining_cpus(), 1.0), 0.0)
        # If mining does not pay now, it may have paid anybody once.
        finders = self._cpus * (self._mines if self._mines.any() else 1.0)
        self._own(at_random(finders, draw.random(blocks)))
        self._transfer_past(day, blocks, draw)

    def _transfer_past(self, day: int, blocks: int, draw: np.random.Generator) -> None:
        """The transfers before the first day, which leave owners paid outside these accounts."""
        follows = self._terms.transfers_follow == "stock"
        # A stock that grows steadily is half of its last size on average, and most of it is late.
        number = self._transfers_a_day() * blocks / self._blocks_day / (2.0 if follows else 1.0)
        places = draw.random(int(number)) ** (0.5 if follows else 1.0)
        received, outputs = np.zeros_like(self.outputs), np.zeros_like(self.outputs)
        where = np.sort((places * blocks).astype(np.int64))
        self.registry.transfer(
            where, where >= 0, self._split, received, outputs,
            self._streams.key("royalty past transfers"), day,
        )  # fmt: skip
        self.received_before_ltc = float(received.sum()) / LITOSHI_PER_LTC

    def _choose_miners(self, ltc_usd: float, costs: Floats) -> None:
        """Miners for whom the expected income pays mine until the next decision."""
        income = self.expected_income_usd_day(ltc_usd)
        self._mines = entrants(costs, self._cpus, income, self._terms.stewards)

    def expected_income_usd_day(self, ltc_usd: float) -> float:
        """What all miners expect a day, if today's prices and transfers stay.

        A block's worth is what a buyer at the median discount rate pays, or if he pays less than
        it is worth to a miner, that; both after the cost of spending the payments.  From shares
        and escrow they expect what the last month brought.
        """
        terms = self._terms
        cost = pay.spending_ltc(terms.spending_vbytes, terms.spending_ltc_kb)
        kept, offered = (
            self._new_block_ltc(rate, cost)
            for rate in (terms.seller_discount_yr, terms.buyer_discount_yr)
        )
        price = pay.block_price(kept, offered, 0.0, terms.seller_part) if terms.investors else None
        block_usd = (kept if price is None else price) * ltc_usd + terms.merge_mined_usd_block
        besides_usd = float(np.mean([usd for _, usd in self._recent])) if self._recent else 0.0
        return self._blocks_day * block_usd + besides_usd

    def _new_block_ltc(self, rate_yr: float, spending_ltc: float = 0.0) -> float:
        """Present value of a new block, LTC."""
        values = pay.record_values(self.hazards_yr(), rate_yr, self._split, spending_ltc)
        issues = self._terms.issues_month / DAYS_PER_MONTH / self._blocks_day
        transfers = self._transfers_a_day() / self._blocks_day
        return pay.block_value_ltc(issues, transfers, values, self.registry.popularity)

    def hazards_yr(self) -> Floats:
        """Transfers a year of a property of each class of popularity, as of today."""
        registry = self.registry
        if self._terms.transfers_follow == "stock":
            return self._terms.hazard_yr * registry.popularity
        known = (registry.fresh + registry.moved).astype(np.float64)
        return pay.hazards_yr(pay.yearly(self._terms.transfers_month), known, registry.popularity)

    def _transfers_a_day(self) -> float:
        registry = self.registry
        if self._terms.transfers_follow == "stock":
            known = (registry.fresh + registry.moved) @ registry.popularity
            return float(known) * self._terms.hazard_yr / DAYS_PER_YEAR
        return self._terms.transfers_month / DAYS_PER_MONTH

    def _sell_blocks(self, day: int) -> int:
        """Each miner offers all blocks to one buyer, met by chance; how many are sold."""
        terms = self._terms
        if terms.investors == 0:
            return 0
        met = uniforms(self._streams.key("royalty buyers"), day, terms.miners) * terms.investors
        lots = self.registry.portfolios()
        new_owner = np.arange(self.outputs.size)
        for seller in np.flatnonzero(self.blocks_owned[: terms.miners]):
            buyer = int(met[seller])
            price = self._lot_price(lots, int(seller), buyer)
            if price is not None:
                new_owner[seller] = terms.miners + buyer
                self.received[seller, SALES] += price
                self.paid[SALES] += price
        sold = int(self.blocks_owned[new_owner != np.arange(new_owner.size)].sum())
        self._pass_on(new_owner, sold)
        return sold

    def _lot_price(
        self, lots: tuple[Integers, Integers, Integers], seller: int, buyer: int
    ) -> int | None:
        """Price of all blocks of a seller, litoshi; none if the buyer would not pay enough."""
        terms, hazards = self._terms, self.hazards_yr()
        cost = pay.spending_ltc(terms.spending_vbytes, terms.spending_ltc_kb)

        def worth_ltc(rate_yr: float) -> float:
            values = pay.record_values(hazards, rate_yr, self._split, cost)
            return sum(float(held[seller] @ each) for held, each in zip(lots, values, strict=True))

        kept, offered = worth_ltc(self._seller_rate[seller]), worth_ltc(self._buyer_rate[buyer])
        price = pay.block_price(kept, offered, cost, terms.seller_part)
        return None if price is None else round(price * LITOSHI_PER_LTC)

    def _pass_on(self, new_owner: Integers, sold: int) -> None:
        """Blocks go to their new owners, and with them all that transfers will pay."""
        if sold == 0:
            return
        if self._sums["royalty_blocks_sold_day"] == 0.0:
            self.tell.append(("blocks_sold", f"miners sell blocks for the first time, {sold:,}"))
        self.registry.pass_on(new_owner)
        self.blocks_owned = np.bincount(
            new_owner, self.blocks_owned, minlength=new_owner.size
        ).astype(np.int64)

    # Blocks and records

    def _mining_cpus(self) -> float:
        return float(self._cpus[self._mines].sum())

    def _find(self, day: int) -> tuple[Floats, Integers]:
        """Times and finders of the day's blocks, which belong to them."""
        start_s = self._age * SECONDS_PER_DAY
        key = self._streams.key("royalty blocks")
        self._tip, times = find_blocks(
            self._tip, self._mining_cpus(), start_s, key, day, self._rules
        )
        draws = uniforms(self._streams.key("royalty finders"), day, times.size)
        finders = at_random(self._cpus * self._mines, draws)
        self._own(finders)
        return times, finders

    def _own(self, finders: Integers) -> None:
        self.registry.add_blocks(finders)
        self.blocks_owned += np.bincount(finders, minlength=self.blocks_owned.size)

    def _send(self) -> Records:
        """What users send today; new ones come first."""
        draw = self._streams.generator("royalty records")
        new = int(draw.poisson(self._terms.new_users_month / DAYS_PER_MONTH))
        self.users.join(new)
        self.shares.join(new)
        return self.users.send(self._age * SECONDS_PER_DAY, self._transfers_a_day(), draw)

    def _confirm(
        self, times: Floats, records: Records, verified: Verified
    ) -> tuple[Integers, NDArray[np.int8]]:
        """Blocks that records get into, in their order, and their kinds; what is late waits."""
        kind = np.where(records.issues, ISSUE, np.where(records.moves, TRANSFER, COPY))
        ready_s = np.concatenate((self._queue.ready_s, verified.ready_s))
        kind = np.concatenate((self._queue.kind, kind.astype(np.int8)))
        place = np.searchsorted(times, ready_s)
        late = place == times.size
        self._queue = Sent(ready_s[late], kind[late])
        order = np.argsort(place[~late], kind="stable")
        return self.registry.blocks - times.size + place[~late][order], kind[~late][order]

    def _register(
        self, day: int, finders: Integers, blocks: Integers, kinds: NDArray[np.int8]
    ) -> Transferred:
        """Issue and transfer properties, and pay royalties."""
        issues = kinds == ISSUE
        draws = uniforms(self._streams.key("royalty popularity"), day, int(issues.sum()))
        self.registry.issue(blocks[issues], draws)
        royalties = np.zeros_like(self.outputs)
        moves = kinds[~issues] == TRANSFER
        picked = self.registry.transfer(
            blocks[~issues], moves, self._split, royalties, self.outputs,
            self._streams.key("royalty transfers"), day,
        )  # fmt: skip
        self.received[:, ROYALTIES] += royalties
        done = picked >= 0
        number = int(done.sum())
        if number and self.paid[ROYALTIES] == 0:
            owners = int((royalties > 0).sum())
            self.tell.append(("royalty_paid", f"first royalties, {number} to {owners} owners"))
        # What those who transfer pay, whoever receives it.
        self.paid[ROYALTIES] += number * (self._split.issue_block + self._split.last_block)
        places = blocks[~issues][done] - (self.registry.blocks - finders.size)
        return Transferred(finders[places], moves[done])

    def _hold_money(self, day: int, finders: Integers, ltc_usd: float) -> None:
        """Miners hold the money of the sales for which escrow pays its buyer."""
        terms = self._terms
        if not terms.escrow or finders.size == 0:
            return
        draws = uniforms(self._streams.key("royalty sales"), day, finders.size)
        # The middle of a draw's last digit, since a draw may be zero.
        sale_usd = terms.sale_usd * np.exp(terms.sale_sd * ndtri(draws + 2.0**-54))
        fixed = pay.spending_ltc(terms.spending_vbytes, terms.spending_ltc_kb) * ltc_usd
        gain = pay.escrow_gain_usd(
            sale_usd, terms.fraud_share, terms.fraud_escrow_share, terms.escrow_cut, fixed
        )
        cut_ltc = terms.escrow_cut * sale_usd[gain >= 0.0] / ltc_usd
        cut = np.rint(cut_ltc * LITOSHI_PER_LTC).astype(np.int64)
        np.add.at(self.received[:, ESCROW], finders[gain >= 0.0], cut)
        self.paid[ESCROW] += int(cut.sum())

    # Mining shares

    def _trade_shares(self, records: Records, ltc_usd: float) -> None:
        """Return what was locked, and swap miners' shares for the coin of payment."""
        self.shares.release(self._age)
        market = share_market(self._terms, self.users, self.shares, records)
        each = round(market.price_usd / ltc_usd * LITOSHI_PER_LTC)
        sold = self.shares.sell(market.bought)
        self.received[: self._terms.miners, SHARES] += sold * each
        self.paid[SHARES] += int(market.bought.sum()) * each
        if market.price_usd == 0.0 < self._share_price_usd and not self._was_worthless:
            active = f"{self.shares.active:,}"
            self.tell.append(("share_price", f"{active} mining shares are worth nothing"))
            self._was_worthless = True
        self._share_price_usd = market.price_usd

    def _credit_shares(self, day: int, finders: Integers, blocks: Integers) -> None:
        """Shares for today's blocks and their rivals, which are orphaned; old ones turn active."""
        first = self.registry.blocks - finders.size
        counts = np.bincount(blocks - first, minlength=finders.size).astype(np.int64)
        heights = np.arange(first, self.registry.blocks)
        self.shares.credit(heights, finders, counts)
        draws = uniforms(self._streams.key("royalty orphans"), day, finders.size)
        rivalled = draws < self._terms.orphan_share
        draws = uniforms(self._streams.key("royalty rivals"), day, int(rivalled.sum()))
        rivals = at_random(self._cpus * self._mines, draws)
        self.shares.credit(heights[rivalled], rivals, counts[rivalled])
        self.shares.orphan_last(draws.size)
        self.shares.mature(self._tip.height)

    # What is told of the day

    def _row(self, today: Integers, ltc_usd: float, costs: Floats, blocks: int) -> dict[str, float]:
        """The day's receipts, costs and values."""
        terms = self._terms
        usd = ltc_usd / LITOSHI_PER_LTC
        royalties, sales, shares, escrow = (usd * today[: terms.miners].sum(axis=0)).tolist()
        merged = blocks * terms.merge_mined_usd_block
        paid_ltc = float(today[:, ROYALTIES].sum()) / LITOSHI_PER_LTC
        self._recent.append((paid_ltc, shares + escrow))
        registry = self.registry
        return {
            "royalty_blocks_day": float(blocks),
            "royalties_ltc_day": paid_ltc,
            "royalty_miners_usd_day": royalties,
            "block_sales_usd_day": sales,
            "mining_share_income_usd_day": shares,
            "escrow_income_usd_day": escrow,
            "merge_mined_usd_day": merged,
            "royalty_miner_income_usd_day": royalties + sales + shares + escrow + merged,
            "royalty_miner_cost_usd_day": float((costs * self._cpus)[self._mines].sum()),
            "royalty_cpus": self._mining_cpus(),
            "royalty_block_npv_ltc": self._new_block_ltc(terms.buyer_discount_yr),
            "royalty_yield_yr": self._yield_yr(),
            "royalty_top_owner_share": _ratio(self.blocks_owned.max(), registry.blocks),
            "royalty_earning_share": _ratio(registry.moved.sum(), registry.properties),
            "mining_share_price_usd": self._share_price_usd,
            "mining_shares_active": float(self.shares.active),
        }

    def _yield_yr(self) -> float:
        """Royalties of the last month, by the year, over the present value of all to come."""
        values = pay.record_values(self.hazards_yr(), self._terms.buyer_discount_yr, self._split)
        registry = self.registry
        worth = registry.fresh @ values.fresh + registry.moved @ (values.moved + values.last)
        paid = float(np.mean([ltc for ltc, _ in self._recent]))
        return pay.interest(DAYS_PER_YEAR * paid, float(worth))

    @staticmethod
    def _speed(records: Records, verified: Verified) -> dict[str, float]:
        """How fast the day's records were verified."""
        wait_s = (verified.ready_s - records.made_s).sum()
        return {
            "mining_shares_used_share": _ratio(verified.by_shares.sum(), records.user.size),
            "royalty_hashcash_share": _ratio(verified.by_hashcash.sum(), records.user.size),
            "royalty_wait_min": _ratio(wait_s / SECONDS_PER_MINUTE, records.user.size),
        }

    def _remember(self, row: dict[str, float]) -> None:
        for name, value in row.items():
            self._sums[name] += value if math.isfinite(value) else 0.0
        self._age += 1

    def summary(self) -> dict[str, float | str]:
        """What a miner earns and from what, over all days so far, and what the e-mails add up to.

        Amounts by the day and by the block found are of all miners together; what they received
        for blocks includes those found before the first day, LTC at the day's price.
        """
        if self._age == 0:
            return {}
        days, total = float(self._age), self._sums
        blocks = total["royalty_blocks_day"]
        earned = {
            "royalties": total["royalty_miners_usd_day"],
            "block sales": total["block_sales_usd_day"],
            "mining shares": total["mining_share_income_usd_day"],
            "escrow": total["escrow_income_usd_day"],
            "merge mining": total["merge_mined_usd_day"],
        }
        by_source = {
            f"royalty_from_{name.replace(' ', '_')}_usd_day": usd / days
            for name, usd in earned.items()
        }
        ltc = self.received[: self._terms.miners].sum() / LITOSHI_PER_LTC
        spent = self.outputs.sum() * pay.spending_ltc(
            self._terms.spending_vbytes, self._terms.spending_ltc_kb
        )
        told = pay.volumes(2.0 * self._terms.payment_ltc, blocks_day=self._blocks_day)
        return {
            "royalties_ltc_day": total["royalties_ltc_day"] / days,
            "royalties_ltc_block": _ratio(total["royalties_ltc_day"], blocks),
            "royalty_miner_income_ltc_day": float(ltc) / days,
            "royalty_miner_income_ltc_block": _ratio(ltc, blocks),
            "royalty_miner_income_usd_day": sum(earned.values()) / days,
            "royalty_miner_income_usd_block": _ratio(sum(earned.values()), blocks),
            "royalty_miner_cost_usd_day": total["royalty_miner_cost_usd_day"] / days,
            **by_source,
            "royalty_main_source": max(earned, key=lambda name: earned[name])
            if any(earned.values())
            else "none",
            "royalty_cpus": total["royalty_cpus"] / days,
            "royalty_block_npv_ltc": self._new_block_ltc(self._terms.buyer_discount_yr),
            "royalty_blocks_sold": total["royalty_blocks_sold_day"],
            "royalty_blocks_before": float(self.registry.blocks) - blocks,
            "royalty_earning_share": _ratio(self.registry.moved.sum(), self.registry.properties),
            "royalty_spending_share": _ratio(spent, total["royalties_ltc_day"]),
            "mining_share_price_usd": self._share_price_usd,
            "royalty_told_yield_shortfall": told.discrepancy,
        }

    def check(self) -> None:
        """Raise unless what was paid was received, and every property, block and share is there."""
        for source, (paid, got) in enumerate(
            zip(self.paid, self.received.sum(axis=0), strict=True)
        ):
            if paid != got:
                raise BrokenLaw(SOURCES[source], f"{paid} litoshi paid, {got} received")
        registry = self.registry
        fresh, moved, last = (held.sum(axis=0) for held in registry.portfolios())
        if not (
            np.array_equal(fresh, registry.fresh)
            and np.array_equal(moved, registry.moved)
            and np.array_equal(last, registry.moved)
        ):
            raise BrokenLaw("properties", "those transferred differ from those counted")
        if not np.array_equal(registry.blocks_by_owner(), self.blocks_owned):
            raise BrokenLaw("blocks", "those of an owner differ from those counted")
        self.shares.check()


def _ratio(part: float, whole: float) -> float:
    """A part of a whole; undefined if there is none."""
    return float(part) / float(whole) if whole else math.nan
