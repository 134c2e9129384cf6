"""Claims of the e-mails about mining paid by royalties, as closed forms and quick registers."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import ndtr

from model.incentives import royalty_payments as pay
from model.incentives.mining_shares import least_balance, need
from model.incentives.royalties import CLASSES, RoyaltiesEconomy
from model.incentives.royalty_chain import Registry
from model.parameters_royalties import Royalties
from model.streams import Streams, uniforms
from model.units import DAYS_PER_MONTH
from study.claim import Claim, Finding, FloatArray, Results, verdict
from study.claims_chain import word
from study.claims_costs import flip

TERMS = Royalties()
SPLIT = pay.split_of(TERMS.fee_reading, TERMS.payment_ltc)
RATE_YR = TERMS.buyer_discount_yr
READINGS = ("per_payee", "single_001", "single_002")
# Records there were when the e-mails were written.
STOCK_MONTHS = 13.0
COLLECTING_LTC = pay.spending_ltc(TERMS.spending_vbytes, TERMS.spending_ltc_kb)
BTC_USD, POWER_USD_MWH = 10_000.0, 50.0
LTC_USD = TERMS.ltc_usd


def hazard_yr() -> float:
    """Transfers a year of one property, at the told volumes."""
    return pay.yearly(TERMS.transfers_month) / (STOCK_MONTHS * TERMS.issues_month)


def block_ltc(rate_yr: float, spending_ltc: float = 0.0) -> float:
    """Present value of an average block, by the told volumes."""
    told = pay.volumes(2.0 * TERMS.payment_ltc)
    transfers = told.told_transfers_day / pay.blocks_a_day(TERMS.block_s)
    values = pay.record_values(hazard_yr(), rate_yr, SPLIT, spending_ltc)
    return pay.block_value_ltc(told.records_block - transfers, transfers, values)


# Royalties


def followed(popularity_sd: float, blocks: int = 2000, each: int = 20) -> float:
    """Correlation of what owners of a block receive with the popularity of what it issued."""
    registry = Registry(blocks, pay.popularities(popularity_sd, CLASSES))
    registry.add_blocks(np.arange(blocks))
    streams = Streams(48)
    draws = uniforms(streams.key("popularity"), 0, blocks * each)
    registry.issue(np.repeat(np.arange(blocks), each), draws)
    popularity = registry.popularity[registry.popularity_class.all].reshape(blocks, each)
    received, outputs = np.zeros((2, blocks + 1), np.int64)
    # Somebody else owns the block in which all transfers take place.
    registry.owners += 1
    registry.add_blocks(np.array([blocks]))
    where = np.full(blocks * each, blocks)
    registry.transfer(where, where > 0, SPLIT, received, outputs, streams.key("transfers"), 0)
    return float(np.corrcoef(popularity.sum(axis=1), received[:blocks])[0, 1])


def popular_properties(_: Results) -> Finding:
    """Whether owners of blocks earn by the popularity of what was issued in them."""
    deviations = (0.0, 0.5, 1.5, 2.5)
    seen = [followed(sd) for sd in deviations]
    hazards = hazard_yr() * pay.popularities(TERMS.popularity_sd, CLASSES)
    top, middle = pay.record_values(hazards, RATE_YR, SPLIT).fresh[[-1, CLASSES // 2]]
    return Finding(
        verdict(seen[2] > 0.5, seen[2] < 0.1),
        f"royalties of a block and popularity of its properties correlate {word(seen)} where the "
        f"log of popularity varies by {word(deviations, 'g')}; a property of the most popular "
        f"sixteenth is worth {top:.2e} LTC, {top / middle:.0f} times the middle one, which is "
        f"{top * LTC_USD:.4f} USD at 250 transfers a month",
        "by construction (payments follow transfers), and on properties that differ: if all were "
        f"as popular, owners would live on luck ({seen[0]:+.2f}); how much they differ is assumed",
    )


def more_records(_: Results) -> Finding:
    """What one more record in a block is worth, and what all together gain by more records."""
    worth = [
        float(pay.record_values(hazard_yr(), RATE_YR, split).fresh)
        for split in (pay.split_of(reading, TERMS.payment_ltc) for reading in READINGS)
    ]
    diluted = worth[0] * pay.diluted_perpetuity(
        hazard_yr(), RATE_YR, pay.yearly(1.0) / STOCK_MONTHS
    ) / (hazard_yr() / RATE_YR)  # fmt: skip
    block = block_ltc(RATE_YR)
    together = _worth_of_all(1.1) / _worth_of_all(1.0) - 1.0
    return Finding(
        verdict(min(worth) > 0.0, max(worth) <= 0.0),
        f"a property issued is worth {word(worth, '.2e')} LTC for .001 to each of two payees, "
        f".001 and .002 to one; the first is {worth[0] * LTC_USD:.4f} USD, and a block of "
        f"{pay.volumes(0.002).records_block:.2f} records {block:.3e} LTC or "
        f"{block * LTC_USD:.4f} USD; a tenth more records add {together:.1%} to what all blocks "
        "are worth if transfers stay 250 a month",
        "in sign only: a record is worth "
        f"{worth[0] / COLLECTING_LTC:.2f} of what it costs to spend one payment, and on transfers "
        f"growing with the records: if their number stays, a record is worth {diluted:.2e} LTC",
    )


def _worth_of_all(scale: float) -> float:
    """Present value of so many times the records, which share the same transfers."""
    records = scale * STOCK_MONTHS * TERMS.issues_month
    hazard = pay.yearly(TERMS.transfers_month) / records
    values = pay.record_values(hazard, RATE_YR, SPLIT)
    # In a register where everything was transferred once.
    return records * float(values.moved + values.last)


def sell_a_block(_: Results) -> Finding:
    """When a miner gets money at once for blocks."""
    rates = (0.10, RATE_YR, 0.30, TERMS.seller_discount_yr, 0.50)
    seller = TERMS.seller_discount_yr
    prices = [_lot_price(1, seller, rate, 0.0) for rate in rates]
    alone = _lot_price(1, seller, RATE_YR, COLLECTING_LTC)
    least = next(
        (n for n in range(1, 10_000) if _lot_price(n, seller, RATE_YR, COLLECTING_LTC)), None
    )
    growth = pay.yearly(1.0) / STOCK_MONTHS
    diluted = pay.diluted_perpetuity(hazard_yr(), RATE_YR, growth) / (hazard_yr() / RATE_YR)
    traded = [rate for rate, price in zip(rates, prices, strict=True) if price is not None]
    day = pay.blocks_a_day(TERMS.block_s) * (prices[1] or 0.0)
    return Finding(
        verdict(alone is not None and max(traded) < seller, not traded or least is None),
        f"a miner who discounts at {seller:.0%} sells to buyers at {word(traded, '.0%')} of "
        f"{word(rates, '.0%')}, at the default {RATE_YR:.0%} for {prices[1]:.2e} LTC a block: "
        f"all blocks of a day bring {day:.3f} LTC or {day * LTC_USD:.2f} USD; the price of one "
        f"block is {(prices[1] or 0.0) / COLLECTING_LTC:.2f} of what spending it costs",
        f"on a buyer who discounts less than the seller, and on lots of {least} blocks or more, "
        "as the price must be spent once; a buyer who takes the transfers per record to last "
        f"pays {1.0 / diluted:.1f} times what they are worth if their number stays",
    )


def _lot_price(blocks: int, seller_yr: float, buyer_yr: float, cost: float) -> float | None:
    """Price of some blocks, LTC, after what it costs to spend the payments and the price."""
    kept, offered = (blocks * block_ltc(rate, cost) for rate in (seller_yr, buyer_yr))
    return pay.block_price(kept, offered, cost, TERMS.seller_part)


def told_yields(_: Results) -> Finding:
    """Whether the told yields agree with the told number of transfers."""
    double, single = pay.volumes(2.0 * TERMS.payment_ltc), pay.volumes(TERMS.payment_ltc)
    return Finding(
        verdict(abs(double.discrepancy) < 0.05, abs(double.discrepancy) > 0.10),
        f"at .002 LTC a transfer {double.transfers_day:.1f} a day or "
        f"{double.transfers_month:.1f} a month pay .0132 LTC a day; 250 a month pay "
        f"{double.told_yield_ltc_day:.5f}: the yield is {double.discrepancy:.1%} short; 6.48 LTC "
        f"are {double.transfers_since_launch:,.0f} transfers, {double.months_at_told:.2f} months "
        f"at 250 or {double.months_at_yield:.1f} at the yield",
        f"on 250 being {double.transfers_month:.0f}, within which the rest agrees; with .001 LTC "
        f"a transfer the yield is of {single.transfers_month:.0f} a month and the total of "
        f"{single.months_at_told:.1f} months, so .002 is what is paid in all",
    )


# Shares and escrow


@cache
def share_prices(use: str, record_bytes: float = TERMS.record_bytes) -> FloatArray:
    """Price of a mining share on each day of a new register, USD."""
    terms = TERMS.model_copy(
        update={"share_use": use, "record_bytes": record_bytes, "start_stock_months": 0.0}
    )
    register = RoyaltiesEconomy(terms, Streams(52))
    days = range(60)
    return np.array(
        [register.step(day, BTC_USD, POWER_USD_MWH)["mining_share_price_usd"] for day in days]
    )


def mining_shares(_: Results) -> Finding:
    """What mining shares are worth once they have been issued for a month."""
    uses = ("gate", "burn", "escrow")
    late = {use: float(share_prices(use)[30:].mean()) for use in uses}
    gone = {use: int(np.argmax(share_prices(use) == 0.0)) for use in ("gate", "escrow")}
    longer = float(share_prices("burn", 1500.0)[30:].mean())
    supply = pay.volumes(2.0 * TERMS.payment_ltc).records_day
    income, royalties = late["burn"] * supply, pay.volumes(0.002).told_yield_ltc_day * LTC_USD
    hurried, needed = _hurried(), _mean_need()
    holding = int(least_balance(need(TERMS.record_bytes), TERMS.share_compare == ">"))
    return Finding(
        verdict(min(late.values()) > 0.0, max(late.values()) == 0.0),
        f"supply is {supply:,.0f} a day; if shares are held ({holding} a user) or locked, their "
        f"price is zero from day {gone['gate']} or {gone['escrow']} on; if they are spent, it is "
        f"{late['burn']:.5f} USD in the second month, {income:.2f} USD a day against "
        f"{royalties:.2f} of royalties; {longer:.5f} where the median record has 1,500 bytes",
        "on shares being spent, on hashcash (0.001 USD, assumed), which caps the price of what a "
        "record needs, and on need reaching supply: a record that needs one share asks for no "
        f"more than mining it made; records need {needed:.3f} on average, so that the price is "
        f"zero if fewer than {1.0 / needed:.1%} of them use shares ({hurried:.1%} would rather "
        "pay for hashcash than wait)",
    )


def _mean_need() -> float:
    """Shares that a record needs on average, by the distribution of lengths."""
    ends = 1024.0 * np.arange(1, 200)
    beyond = 1.0 - ndtr(np.log(ends / TERMS.record_bytes) / TERMS.record_sd)
    return 1.0 + float(beyond.sum())


def _hurried() -> float:
    """Share of users to whom speed is worth what hashcash costs."""
    return float(ndtr(np.log(TERMS.speed_usd / TERMS.hashcash_usd) / TERMS.speed_sd))


def miner_as_escrow(_: Results) -> Finding:
    """When buyers gain by having a miner hold their money, and what it brings miners."""
    fixed = COLLECTING_LTC * LTC_USD
    least = _least_sale(TERMS.fraud_share)
    protected = 1.0 - float(ndtr(np.log(least / TERMS.sale_usd) / TERMS.sale_sd))
    gains = [float(_gain(sale)) for sale in (0.1, 1.0, TERMS.sale_usd, 1000.0)]
    median = flip(lambda fraud: float(_gain(TERMS.sale_usd, fraud)), 1e-4, 0.5)
    value = TERMS.sale_usd * np.exp(TERMS.sale_sd**2 / 2.0)
    day = TERMS.transfers_month / DAYS_PER_MONTH * TERMS.escrow_cut * value
    return Finding(
        verdict(min(gains) >= 0.0, max(gains) < 0.0),
        f"a cut of {TERMS.escrow_cut:.1%} and {fixed:.4f} USD to move the money once more cost "
        f"less than the fraud avoided from a sale of {least:.2f} USD on ({protected:.1%} of "
        f"them); buyers gain {word(gains, '+.4f')} USD at 0.1, 1, {TERMS.sale_usd:g}, 1000 USD; "
        f"250 sales a month bring miners {day:.2f} USD a day",
        f"on fraud (assumed: {TERMS.fraud_share:.0%} of sales): below {median:.2%} the median "
        f"sale of {TERMS.sale_usd:g} USD loses by it, below "
        f"{TERMS.escrow_cut / (1.0 - TERMS.fraud_escrow_share):.2%} every sale does",
    )


def _least_sale(fraud: float) -> float:
    return pay.least_escrowed_sale_usd(
        fraud, TERMS.fraud_escrow_share, TERMS.escrow_cut, COLLECTING_LTC * LTC_USD
    )


def _gain(sale_usd: float, fraud: float = TERMS.fraud_share) -> FloatArray:
    return pay.escrow_gain_usd(
        sale_usd, fraud, TERMS.fraud_escrow_share, TERMS.escrow_cut, COLLECTING_LTC * LTC_USD
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C48", "properties that are transferred often reward the owners of their blocks",
        "`Registry.transfer` of `model/incentives/royalty_chain.py`",
        "test_royalties.py::test_owners_earn_by_the_popularity_of_what_they_issued",
        popular_properties,
    ),
    Claim(
        "C49", "the more records are in a block, the more it may bring its miner",
        "`record_values` of `model/incentives/royalty_payments.py`",
        "test_royalties.py::test_present_values_of_records_and_blocks",
        more_records,
    ),
    Claim(
        "C50", "a miner who wants money at once can sell the block",
        "`block_price`, monthly sales of `model/incentives/royalties.py`",
        "test_royalties.py::test_a_block_is_sold_only_to_who_discounts_less",
        sell_a_block,
    ),
    Claim(
        "C51", "royalties bring .0132 LTC a day and have brought 6.48 LTC",
        "`volumes` of `model/incentives/royalty_payments.py`",
        "test_royalties.py::test_arithmetic_of_the_emails",
        told_yields,
    ),
    Claim(
        "C52", "mining shares make mining attractive",
        "`share_market` of `model/incentives/royalty_users.py`",
        "test_royalties.py::test_shares_keep_a_price_only_where_they_are_spent",
        mining_shares,
    ),
    Claim(
        "C66", "a miner can be an automatic escrow that protects buyers",
        "`escrow_gain_usd` of `model/incentives/royalty_payments.py`",
        "test_royalties.py::test_escrow_pays_where_the_fraud_avoided_exceeds_its_cost",
        miner_as_escrow,
    ),
)  # fmt: skip
