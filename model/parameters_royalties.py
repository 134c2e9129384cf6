"""Parameters of mining paid by royalties on transfers, in a coin other than bitcoin."""

from __future__ import annotations

from typing import Literal

from model.parameters import Section, number, text


class Royalties(Section):
    """A register of property whose blocks pay their owners, and the shares its miners earn."""

    on: bool = text(False, "a register that pays its miners by royalties runs beside bitcoin")

    # The register
    block_s: float = number(120.0, 1, 3600, "block interval wanted, seconds")
    epoch_blocks: int = number(200, 2, 100_000, "blocks between retargets")
    largest_step: float = number(4.0, 1, 1000, "most that difficulty changes by at a retarget")
    orphan_share: float = number(0.01, 0, 0.5, "blocks with a rival that is orphaned")
    issues_month: float = number(60_000.0, 0, 1e7, "properties issued a month")
    transfers_month: float = number(250.0, 0, 1e6, "transfers a month")
    copies_month: float = number(
        0.0, 0, 1e6, "additional copies a month, paid for like a transfer that moves nothing"
    )
    transfers_follow: Literal["volume", "stock"] = text(
        "volume", "transfers a month are as told, or grow with the records there are"
    )
    hazard_yr: float = number(
        0.003846, 0, 100, "transfers a year per record, where they follow the stock"
    )
    start_stock_months: float = number(
        13.0, 0, 240, "records there are on the first day, in months of issues"
    )
    popularity_sd: float = number(
        1.5, 0, 3, "standard deviation of the log of a property's chance to be transferred"
    )

    # Payments
    ltc_usd: float = number(32.0, 1e-6, 1e6, "price of the coin of payment on the first day")
    ltc_follows_coin: float = number(
        1.0, -5, 5, "change of the log of that price with the log of bitcoin's since the first day"
    )
    payment_ltc: float = number(0.001, 1e-8, 100, "payment to a payee of a transfer")
    fee_reading: Literal["per_payee", "single_001", "single_002"] = text(
        "per_payee",
        "H_FEE: that payment to the owners of the issue's and of the last transfer's block, or "
        "once or twice that payment to the first alone",
    )
    spending_vbytes: float = number(148.0, 0, 10_000, "size of spending one payment received")
    spending_ltc_kb: float = number(0.001, 0, 1, "transaction fees of the coin of payment")

    # Blocks as property
    seller_discount_yr: float = number(0.40, 0.001, 10, "median discount rate of miners")
    buyer_discount_yr: float = number(0.20, 0.001, 10, "median discount rate of buyers of blocks")
    discount_sd: float = number(0.30, 0, 3, "standard deviation of the log of both")
    seller_part: float = number(0.5, 0, 1, "part of the gain from a sale that the seller gets")
    investors: int = number(10, 0, 10_000, "buyers of blocks")

    # Miners
    miners: int = number(200, 1, 10_000, "who may mine")
    stewards: int = number(2, 0, 10_000, "of them, who mine whatever it pays")
    cpus_mean: float = number(4.0, 0.01, 1e5, "mean number of processors of a miner")
    cpus_sd: float = number(1.0, 0, 3, "standard deviation of its log")
    cpu_watts: float = number(60.0, 0, 10_000, "power of a processor that mines, over idle")
    cpu_other_usd_day: float = number(0.02, 0, 100, "other cost of a processor that mines")
    power_price_ratio: float = number(
        2.0, 0, 20, "median power price of these miners over that of bitcoin's"
    )
    power_price_sd: float = number(0.30, 0, 3, "standard deviation of the log of that ratio")
    merge_mined_usd_block: float = number(
        0.0, 0, 100, "earned beside each block on chains mined along with it"
    )

    # Mining shares
    share_compare: Literal[">", ">="] = text(
        ">", "H_SHARE_CMP: a balance above, or at least at, a record's need verifies it at once"
    )
    share_use: Literal["gate", "burn", "escrow"] = text(
        "gate", "H_SHARE_USE: shares are held, spent, or locked and returned"
    )
    share_maturity_blocks: int = number(100, 0, 100_000, "blocks until a share is active")
    share_lock_days: int = number(1, 1, 365, "days that an escrowed share is locked")

    # Users
    users: int = number(2000, 1, 1_000_000, "who issue and transfer on the first day")
    new_users_month: float = number(100.0, 0, 1e6, "new users a month; their first record is free")
    activity_sd: float = number(1.0, 0, 3, "standard deviation of the log of a user's records")
    record_bytes: float = number(400.0, 1, 1e6, "median length of a record")
    record_sd: float = number(0.5, 0, 3, "standard deviation of its log")
    wait_minutes: float = number(10.0, 0, 10_000, "verification without shares or hashcash")
    speed_usd: float = number(0.01, 0, 1000, "median of what users would pay to skip the wait")
    speed_sd: float = number(1.0, 0, 5, "standard deviation of its log")
    hashcash_usd: float = number(
        0.001, 0, 1000, "cost of the hashcash that verifies a record at once"
    )
    user_discount_yr: float = number(0.20, 0.001, 10, "discount rate of users who hold shares")

    # Miners as escrow agents
    escrow: bool = text(False, "miners hold the money of a sale until the buyer has the property")
    escrow_cut: float = number(0.005, 0, 1, "what they take of the price")
    fraud_share: float = number(0.02, 0, 1, "sales in which a buyer without escrow is cheated")
    fraud_escrow_share: float = number(
        0.05, 0, 1, "of these frauds, what escrow does not make good"
    )
    sale_usd: float = number(20.0, 0, 1e7, "median price of a property that changes hands")
    sale_sd: float = number(1.5, 0, 5, "standard deviation of its log")
