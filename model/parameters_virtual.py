"""Parameters of virtual mining: a chain whose units are mined, given for donations, or bought."""

from __future__ import annotations

from typing import Literal

from model.parameters import Section, number, text


class VirtualMining(Section):
    """A second chain that issues one unit for work and its like for donations."""

    on: bool = text(False, "let a chain with virtual mining live beside bitcoin")
    replaces: float = number(
        0.0, 0, 1, "nu: share of bitcoin's issuance that goes to donors instead of miners"
    )

    # What the chain issues.
    pts_issue_day: float = number(5000.0, 1, 1e5, "PTS issued to miners a day")
    ags_issue_day: float = number(5000.0, 1, 1e5, "AGS issued to donors a day, or to each address")
    issue_reading: Literal["total", "per_address"] = text(
        "total", "H_AGS_ISSUE: one issue for all donors, or one for each of two addresses"
    )
    donation_days: int = number(200, 1, 100_000, "days on which donations are rewarded")
    pts_start: float = number(1e6, 1e3, 1e7, "PTS that are held on the first day")

    # Who takes part.
    agents: int = number(200, 3, 10_000, "agents who mine, donate, buy and sell")
    professional_share: float = number(
        0.3, 0, 1, "share of agents who mine with rigs, sell at once and hold nothing"
    )
    professional_edge: float = number(
        0.05, 0, 0.9, "how much less the same work costs a professional"
    )
    cost_dispersion: float = number(
        0.03, 0, 2, "standard deviation of the log cost of work between agents"
    )
    power_cost_share: float = number(
        0.6, 0, 1, "share of power in the cost of work, at the reference price"
    )
    reference_power_usd_mwh: float = number(
        50.0, 1, 1000, "power price at which a unit of work costs one USD on average"
    )
    wealth_median_usd: float = number(150_000.0, 100, 1e7, "median wealth of an agent at the start")
    wealth_log_sd: float = number(0.8, 0, 2, "standard deviation of log wealth")
    bitcoin_wealth_share: float = number(
        0.5, 0, 0.95, "share of liquid wealth that agents keep in bitcoin"
    )
    spending_share_day: float = number(
        0.05, 1e-4, 0.3, "most of its money that an agent spends on one route in a day"
    )

    # What they believe.
    equivalence: float = number(
        0.9, 0.01, 1, "ell: worth of an AGS, which can't be sold, over that of a PTS"
    )
    equivalence_dispersion: float = number(
        0.02, 0, 1, "standard deviation of its log between agents"
    )
    honour_dispersion: float = number(
        0.1, 0, 2, "standard deviation of the log of what agents think a PTS is worth"
    )
    discount_yr: float = number(0.25, 0.01, 2, "discount rate of airdrops to come")
    noise: float = number(
        0.05, 0, 1, "standard deviation of a day's log error in value and in profit"
    )
    damping: float = number(
        0.3, 0.01, 1, "part of the way to break-even that spending goes in a day, in logs"
    )
    pts_donation_share: float = number(
        0.3, 0, 1, "share of donations in PTS where both addresses share one issue"
    )
    elasticity: float = number(
        2.0, 0.2, 20, "fall of the PTS that holders want with a rise of the price"
    )

    # The community's fund.
    fund_payout_day: float = number(0.01, 0, 1, "share of the fund paid out to developers a day")
    recycled: float = number(
        0.1, 0, 1, "r_c: share of what developers get that they donate again for AGS"
    )

    # New chains and the norm.
    dacs_yr: float = number(4.0, 0, 365, "new chains (DAC) launched a year")
    dac_value_usd: float = number(6e6, 1, 1e9, "median value of a DAC by itself")
    dac_value_log_sd: float = number(1.0, 0, 2, "standard deviation of its log")
    airdrop_pts: float = number(0.10, 0, 0.45, "share of an honouring DAC that PTS holders get")
    airdrop_ags: float = number(0.10, 0, 0.45, "share of an honouring DAC that AGS holders get")
    community_boost: float = number(
        0.3, 0, 10, "b: what the community's support adds to an honouring DAC's value"
    )
    norm_feedback: float = number(
        1.0, 0, 1, "how far that support weakens as founders stop honouring; 0: not at all"
    )
    founder_noise: float = number(
        0.01, 0, 1, "standard deviation of what honouring is worth besides, over a DAC's value"
    )
    reputation_start: float = number(
        0.9, 0, 1, "chance, as believed at first, that a founder honours"
    )
    reputation_gain: float = number(
        0.2, 0.001, 1, "weight of the latest DAC in the norm's reputation"
    )

    # Who decides.
    miner_vote: float = number(
        0.0, 0, 1, "omega: weight of votes by work; the rest is votes by stake"
    )
