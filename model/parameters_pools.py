"""Parameters of mining pools: what operators post, and how miners choose between them."""

from __future__ import annotations

from typing import Literal

from model.parameters import Section, number, text

COVENANT = "covenant pool"  # the name it goes by among pools
SchemeName = Literal["pps", "fpps", "pplns"]


class Pools(Section):
    """Operators, the covenant pool, and who makes the templates."""

    choice: bool = text(False, "miners choose their scheme and operator every week")
    scheme: SchemeName = text("fpps", "scheme of operators that pools.schemes does not name")
    schemes: tuple[tuple[str, SchemeName], ...] = text((), "schemes that differ: pool and scheme")
    cut_pps: float = number(0.03, 0, 0.5, "operator cut of a pay-per-share pool")
    cut_fpps: float = number(0.025, 0, 0.5, "the same where shares of transaction fees are paid")
    cut_pplns: float = number(0.01, 0, 0.5, "the same of a pool that pays the last shares")
    reserve_btc: float = number(
        600.0, 0, 1e6, "what an operator that pays every share has behind its promise"
    )
    pplns_blocks: float = number(
        5.0, 0.01, 1e5, "network blocks of work over which PPLNS looks back"
    )
    share_difficulty: float = number(
        1e-7, 1e-15, 1, "difficulty of a share over the network's difficulty"
    )
    risk_aversion: float = number(2.0, 0, 20, "relative risk aversion of miners")
    horizon_years: float = number(1.0, 0.01, 10, "time over which a miner weighs its variance")
    temperature: float = number(
        0.005, 1e-5, 1, "spread of tastes between pools, as a share of revenue"
    )
    attention_week: float = number(
        0.1, 0, 1, "share of miners that look at their pool again in a week"
    )
    filter_dislike: float = number(
        1.0, 0, 100, "dislike of a pool that filters, over what including is worth to a miner"
    )
    own_templates: float = number(
        0.0, 0, 1, "Stratum V2: share of the hashrate that comes to make its own templates"
    )
    own_templates_first: float = number(0.0, 0, 1, "the same share on the first day")
    own_templates_years: float = number(0.0, 0, 50, "time from the first share to the last")
    covenant_share: float = number(
        0.0, 0, 1, "share of the hashrate whose owners would mine in the covenant pool"
    )
    covenant_window: Literal["count", "time", "range"] = text(
        "count",
        "what a covenant block pays: the last blocks, those of the last days, or of a range",
    )
    covenant_window_blocks: int = number(
        432, 1, 1_000_000, "blocks of the covenant pool that each of its blocks pays, by count"
    )
    covenant_window_days: float = number(3.0, 0.01, 3650, "the same by time")
    covenant_range_days: tuple[float, float] = text(
        (0.0, 3.0), "the same by range: from and to, in days of the run"
    )
    covenant_bootstrap: Literal["equal", "forward", "coordinated"] = text(
        "equal", "how its first blocks are paid: alike, held for future finders, or by agreement"
    )
    covenant_spread: float = number(
        0.0, 0, 1, "members share less than covenant_shared by up to so much, each its own part"
    )
    covenant_feeder: str = text("", "pool that mines as one member of the covenant pool")
    graduation_days: float = number(
        0.0, 0, 36_525, "members of the feeder who wait no longer for a block leave it; 0: none"
    )
    covenant_choice: Literal["fixed", "per_block"] = text(
        "fixed", "members share every block, or each block that is worth less to them alone"
    )
    covenant_risk_benefit: float = number(
        0.0, 0, 1, "part of a block that a finder who may choose gives up for smoother payouts"
    )
    covenant_dust_sat: int = number(330, 0, 10**8, "a payout below it is left to the finder")
    covenant_payee_sat: int = number(0, 0, 10**8, "what the output of each payee costs a block")
    covenant_shared: float = number(
        1.0, 0, 1, "sigma: part of a block that the covenant pool shares"
    )
    withholding_attacker: str = text("", "pool that infiltrates another and withholds its blocks")
    withholding_victim: str = text("", "pool that is infiltrated")
    withholding_share: float = number(
        0.0, 0, 1, "share of the attacker's hashrate that infiltrates"
    )
