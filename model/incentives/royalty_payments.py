"""Royalties on transfers: who is paid, what a block is worth for it, and what collecting costs."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.special import exp1, ndtr, ndtri

from model.units import BLOCK_TARGET_S, BLOCKS_PER_DAY, DAYS_PER_MONTH

Floats = NDArray[np.float64]

LITOSHI_PER_LTC: Final = 100_000_000
BYTES_PER_KB: Final = 1000.0
MONTHS_PER_YEAR: Final = 12.0
NOBODY: Final = -1
# From here on exp(x) E1(x) is 1/x to a part in ten thousand, and exp(x) near overflow.
_LARGE_RATIO: Final = 500.0


# Who is paid


class Split(NamedTuple):
    """What a transfer pays, litoshi.

    Attributes
    ----------
    issue_block : to the owner of the block in which the property was issued, at every transfer.
    first_time : to the same owner besides, if the property has never been transferred.
    last_block : to the owner of the block of the last transfer, if there is one.
    """

    issue_block: int
    first_time: int
    last_block: int


def split_of(reading: str, payment_ltc: float) -> Split:
    """The split by one of three readings of the sources: "per_payee", "single_001", "single_002".

    The e-mails name .001 LTC a transfer in one place and .002 in another: .001 to each of two
    payees, unless the payment is single.
    """
    payment = round(payment_ltc * LITOSHI_PER_LTC)
    splits = {
        "per_payee": Split(payment, payment, payment),
        "single_001": Split(payment, 0, 0),
        "single_002": Split(2 * payment, 0, 0),
    }
    return splits[reading]


@njit(cache=True)
def payment_parts(split: Split, issue_owner: int, last_owner: int) -> tuple[int, int]:
    """What a transfer pays to the owners of the issue's block and of the last transfer's, litoshi.

    Parameters
    ----------
    split : what is paid.
    issue_owner : owner of the block in which the property was issued.
    last_owner : owner of the block of its last transfer; -1 if it was never transferred.

    Returns
    -------
    Two payments; the second is 0 without a last transfer, and where both owners are the same,
    since the two are merged into one.
    """
    if last_owner < 0:
        return split.issue_block + split.first_time, 0
    if last_owner == issue_owner:
        return split.issue_block + split.last_block, 0
    return split.issue_block, split.last_block


def payees(split: Split, issue_owner: int, last_owner: int | None) -> dict[int, int]:
    """Payees of one transfer and what each receives, litoshi."""
    first, second = payment_parts(split, issue_owner, NOBODY if last_owner is None else last_owner)
    paid = {issue_owner: first}
    if second and last_owner is not None:
        paid[last_owner] = second
    return paid


# What the e-mails say


class Told(NamedTuple):
    """The numbers of the e-mails."""

    issues_month: float = 60_000.0
    transfers_month: float = 250.0
    yield_ltc_day: float = 0.0132
    received_ltc: float = 6.48


class Volumes(NamedTuple):
    """What the told yields amount to in transfers, beside the told number of transfers.

    Attributes
    ----------
    transfers_day, transfers_30_days, transfers_month, transfers_quarter : that the told daily
        yield pays for; months of a twelfth of a year, quarters of 92 days.
    told_transfers_day, told_yield_ltc_day, told_yield_30_ltc_day : of the told monthly number;
        the last with months of 30 days.
    discrepancy : by how much the told daily yield falls short of the told monthly number.
    transfers_since_launch : that all that was received pays for.
    months_at_told, days_at_yield, months_at_yield : how long these took, at the told number and
        at the told yield.
    transfers_per_issue : of a month.
    records_day, records_block : issues and transfers.
    yield_block_ltc_day : the daily yield over a day's blocks.
    """

    transfers_day: float
    transfers_30_days: float
    transfers_month: float
    transfers_quarter: float
    told_transfers_day: float
    told_yield_ltc_day: float
    told_yield_30_ltc_day: float
    discrepancy: float
    transfers_since_launch: float
    months_at_told: float
    days_at_yield: float
    months_at_yield: float
    transfers_per_issue: float
    records_day: float
    records_block: float
    yield_block_ltc_day: float


def volumes(transfer_ltc: float, told: Told | None = None, blocks_day: float = 720.0) -> Volumes:
    """The arithmetic of the e-mails if a transfer pays `transfer_ltc` in all, as it is."""
    told = told or Told()
    a_day = told.yield_ltc_day / transfer_ltc
    told_a_day = told.transfers_month / DAYS_PER_MONTH
    since_launch = told.received_ltc / transfer_ltc
    records = (told.issues_month + told.transfers_month) / DAYS_PER_MONTH
    return Volumes(
        transfers_day=a_day,
        transfers_30_days=30.0 * a_day,
        transfers_month=DAYS_PER_MONTH * a_day,
        transfers_quarter=92.0 * a_day,
        told_transfers_day=told_a_day,
        told_yield_ltc_day=told_a_day * transfer_ltc,
        told_yield_30_ltc_day=told.transfers_month / 30.0 * transfer_ltc,
        discrepancy=1.0 - told.yield_ltc_day / (told_a_day * transfer_ltc),
        transfers_since_launch=since_launch,
        months_at_told=since_launch / told.transfers_month,
        days_at_yield=since_launch / a_day,
        months_at_yield=since_launch / a_day / DAYS_PER_MONTH,
        transfers_per_issue=told.transfers_month / told.issues_month,
        records_day=records,
        records_block=records / blocks_day,
        yield_block_ltc_day=told.yield_ltc_day / blocks_day,
    )


def blocks_a_day(block_s: float) -> float:
    """Blocks a day at an interval."""
    return BLOCKS_PER_DAY * BLOCK_TARGET_S / block_s


# What records and blocks are worth


class Values(NamedTuple):
    """Present value of the payments to a block for one record, LTC.

    Attributes
    ----------
    fresh : issued in the block and never transferred.
    moved : issued in the block and transferred since.
    last : of a property whose last transfer is in the block.
    """

    fresh: Floats
    moved: Floats
    last: Floats


def record_values(
    hazard_yr: ArrayLike, rate_yr: float, split: Split, spending_ltc: float = 0.0
) -> Values:
    """What a block is worth for each record in it, to an owner with a discount rate.

    Parameters
    ----------
    hazard_yr : transfers a year of one property, scalar or array.
    rate_yr : discount rate, continuous.
    split : what a transfer pays.
    spending_ltc : cost of spending one payment received; smaller payments are worth nothing.

    Notes
    -----
    With hazard h and rate r an income at every transfer is worth h/r of it, one at the next
    transfer h/(h + r), and one at every transfer but the next the difference.
    """
    hazard = np.asarray(hazard_yr, np.float64)
    ever, once = hazard / rate_yr, hazard / (hazard + rate_yr)
    every, first, last = (
        max(litoshi / LITOSHI_PER_LTC - spending_ltc, 0.0)
        for litoshi in (split.issue_block, split.issue_block + split.first_time, split.last_block)
    )
    return Values(first * once + every * (ever - once), every * ever, last * once)


def block_value_ltc(
    issues: float, transfers: float, values: Values, popularity: Floats | None = None
) -> float:
    """Present value of a new block with some issues and transfers, LTC.

    Parameters
    ----------
    values : of a record, or of a record of each of equally large classes of properties.
    popularity : of each class; in proportion to it a transfer is of the class.
    """
    last = np.average(values.last, weights=popularity)
    return float(issues * np.mean(values.fresh) + transfers * last)


def diluted_perpetuity(hazard_yr: float, rate_yr: float, growth_yr: float) -> float:
    """Payments at every transfer, in payments, if more records share the same transfers.

    Parameters
    ----------
    hazard_yr : of one record today.
    rate_yr : discount rate, continuous.
    growth_yr : records added a year over the records there are; 0 leaves hazard/rate.

    Notes
    -----
    The hazard falls as 1/(1 + g t), whose present value is (h/g) exp(r/g) E1(r/g).
    """
    if growth_yr <= rate_yr / _LARGE_RATIO:
        return hazard_yr / rate_yr
    ratio = rate_yr / growth_yr
    return hazard_yr / growth_yr * math.exp(ratio) * float(exp1(ratio))


def interest(payments_ltc_yr: float, value_ltc: float) -> float:
    """Payments of a year over the present value of all to come: what blocks yield."""
    return payments_ltc_yr / value_ltc if value_ltc > 0.0 else math.nan


def block_price(
    seller_value: float, buyer_value: float, cost: float = 0.0, seller_part: float = 0.5
) -> float | None:
    """Price at which blocks change hands; none if they are not worth more to the buyer.

    Parameters
    ----------
    seller_value, buyer_value : at their own discount rates, any unit.
    cost : of receiving the price, borne by the seller.
    seller_part : part of the gain that goes to the seller.
    """
    gain = buyer_value - seller_value - cost
    return seller_value + cost + seller_part * gain if gain > 0.0 else None


def popularities(sd: float, classes: int) -> Floats:
    """Chances to be transferred, mean 1, of equally large classes of a log-normal population.

    Parameters
    ----------
    sd : standard deviation of the log of the chance.
    classes : number of classes, each with the mean of its members.
    """
    ends = ndtri(np.linspace(0.0, 1.0, classes + 1))
    return np.asarray(classes * np.diff(ndtr(ends - sd)))


def hazards_yr(transfers_yr: float, records: Floats, popularity: Floats) -> Floats:
    """Transfers a year of a property of each class, given how many there are of each."""
    weight = float(records @ popularity)
    return popularity * (transfers_yr / weight) if weight > 0.0 else np.zeros_like(popularity)


def yearly(a_month: float) -> float:
    """A monthly number by the year."""
    return MONTHS_PER_YEAR * a_month


# What collecting costs, and escrow


def spending_ltc(vbytes: float, ltc_kb: float) -> float:
    """Transaction fees of spending one payment received, LTC."""
    return vbytes / BYTES_PER_KB * ltc_kb


def consolidation_share(payment_ltc: float, vbytes: float, ltc_kb: float) -> float:
    """Part of a payment that spending it costs; 1 if it is not worth spending."""
    return min(spending_ltc(vbytes, ltc_kb) / payment_ltc, 1.0)


def escrow_gain_usd(
    sale_usd: ArrayLike, fraud_share: float, unprotected_share: float, cut: float, fixed_usd: float
) -> Floats:
    """What a buyer gains by having a miner hold the money, for each sale.

    Parameters
    ----------
    sale_usd : price of the property.
    fraud_share : chance to be cheated without escrow.
    unprotected_share : of such a loss, what escrow does not make good.
    cut, fixed_usd : of the miner, as a share of the price, and of moving the money once more.
    """
    avoided = fraud_share * (1.0 - unprotected_share)
    return np.asarray((avoided - cut) * np.asarray(sale_usd, np.float64) - fixed_usd)


def least_escrowed_sale_usd(
    fraud_share: float, unprotected_share: float, cut: float, fixed_usd: float
) -> float:
    """Price from which on a buyer is better off with escrow; infinite if the cut is too large."""
    margin = fraud_share * (1.0 - unprotected_share) - cut
    return fixed_usd / margin if margin > 0.0 else math.inf
