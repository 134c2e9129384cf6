"""Parameters of nations, directives, forks and the price, and the switches between hypotheses."""

from __future__ import annotations

from typing import Literal

from model.parameters import Section, number, text


class Neutrality(Section):
    """What the coin loses in value when somebody could rule over it."""

    discount: float = number(0.6, 0, 0.9, "delta: share of the value lost under full dominance")
    steepness: float = number(20.0, 0, 100, "k: how sharply the loss sets in")
    midpoint: float = number(0.5, 0.05, 0.95, "x0: share of the hashrate at which half is lost")
    priced: bool = text(True, "the market feels it, and not only the nations that reckon with it")
    half_life_days: float = number(90.0, 1, 3650, "half-life of the smoothing of concentration")
    nation_weight: float = number(1.0, 0, 1, "weight of the largest nation's share, by site")
    template_weight: float = number(
        0.8, 0, 1, "weight of the largest share of templates made under one jurisdiction"
    )
    impact: float = number(
        0.5, 0, 5, "Y: price impact of a sale of a day's volume, in volatilities"
    )
    volatility_day: float = number(0.03, 0, 1, "daily volatility in the law of impact")
    volume_btc_day: float = number(300_000.0, 1, 1e9, "daily volume in the law of impact")
    impact_half_life_days: float = number(30.0, 0.1, 3650, "half-life of what decays of an impact")


class Censorship(Section):
    """Forbidden transactions, and what it costs to include them or not."""

    forbidden_day: float = number(200.0, 0, 1e6, "forbidden transactions that arrive a day")
    premium: float = number(
        0.001, 0, 1, "transaction fees that they pay a block, as a share of its reward"
    )
    fine: float = number(50.0, 0, 1e6, "J: what a detected breach costs, in the block's reward")
    detection_public: float = number(1.0, 0, 1, "chance that a public firm's breach is detected")
    detection_private: float = number(0.5, 0, 1, "chance that a private firm's is")
    detection_home: float = number(0.05, 0, 1, "chance that a home miner's is")
    ideology_mean: float = number(
        0.02, -0.1, 2, "mean worth of neutrality to a miner, as a share of the block's reward"
    )
    ideology_sd: float = number(0.05, 0, 1, "its standard deviation between miners")
    estimate_sd: float = number(0.1, 0, 1, "error of the announced enforcing share, relative")


class Holders(Section):
    """Who holds the coin, and which side of a split they favour."""

    freedom_weight: float = number(0.30, 0, 1, "share of the supply with seekers of freedom")
    custodian_weight: float = number(0.45, 0, 1, "share of the supply with custodians and funds")
    neutral_weight: float = number(0.25, 0, 1, "share of the supply with everybody else")
    freedom_attachment: float = number(2.5, -20, 20, "log-odds for the free coin")
    custodian_attachment: float = number(-2.0, -20, 20, "log-odds for the free coin")
    neutral_attachment: float = number(0.0, -20, 20, "log-odds for the free coin")
    network: float = number(4.0, 0, 20, "beta: pull of a coin's own value share")
    hashrate_pull: float = number(1.0, 0, 20, "pull of a coin's share of the hashrate")
    adjustment_years_low: float = number(5.0, 0.1, 50, "shortest time to adjust 95 % of the way")
    adjustment_years_high: float = number(10.0, 0.1, 50, "longest time to adjust 95 % of the way")
    network_exponent: float = number(
        1.25, 1, 2, "mu: value of a network as a power of its size; 1 loses nothing by a split"
    )
    censored_loss: float = number(0.15, 0, 1, "omega: value lost where the coin is censored")
    dumped_share: float = number(
        0.5, 0, 1, "share of clients' free coins that custodians sell at once if they sell"
    )


class Forks(Section):
    """Forks that users ask for, and what becomes of the side that is not pinned."""

    activist_share: float = number(0.10, 0, 1, "value share of discontent holders that starts one")
    tolerance_low: float = number(0.05, 0, 1, "least censored share that anybody minds")
    tolerance_high: float = number(0.95, 0, 1, "censored share that everybody minds")
    patience_days_low: float = number(30.0, 0, 3650, "shortest time that holders wait")
    patience_days_high: float = number(180.0, 0, 3650, "longest time that holders wait")
    lead_days_low: float = number(90.0, 0, 3650, "shortest time from proposal to fork")
    lead_days_high: float = number(365.0, 0, 3650, "longest time from proposal to fork")
    identified: float = number(0.95, 0, 1, "share of bad actors' hashrate that nodes identify")
    false_positive: float = number(0.02, 0, 1, "share of others' hashrate taken for theirs")
    pinned: float = number(0.9, 0, 1, "chance that the free side rejects the other's first block")
    pin_days: float = number(30.0, 1, 3650, "longest time until it does")
    difficulty_rule: Literal["bitcoin", "eda", "asert"] = text(
        "bitcoin", "difficulty rule of the free coin: Bitcoin's, with EDA beside it, or ASERT"
    )
    fickle_share: float = number(
        0.1, 0, 1, "hashrate that changes coins when a difficulty does, of what is free to"
    )
    automatic_share: float = number(0.4, 0, 1, "hashrate that always mines what pays more")
    loyal_share: float = number(
        0.005, 0, 1, "hashrate that mines the free coin whatever it pays, where no law divides it"
    )
    switching_temperature: float = number(
        0.02, 1e-4, 10, "logit temperature of automatic miners, in the reward of a hash"
    )


class Nations(Section):
    """Nations that decide: mining of their own, reserves, adoption of directives."""

    strategic: bool = text(False, "nations mine, buy, sell and defend by their own interest")
    sanctioned_mining: bool = text(
        False, "nations under sanctions mine with energy they can't sell"
    )
    brownfield: bool = text(False, "idle power infrastructure is offered to miners")
    adoption: bool = text(False, "directives spread along alliances")
    adoption_threshold: float = number(0.5, 0, 5, "theta: pressure at which a nation adopts one")
    stake_resistance: float = number(0.3, 0, 5, "what a stake in the coin adds to the threshold")
    lead_months: float = number(9.0, 0, 120, "median months from a decision to its effect")
    lead_sd: float = number(0.6, 0, 3, "standard deviation of the log of that time")
    damping: float = number(0.5, 0.01, 1, "share of the way to the best response in a quarter")
    observation_sd: float = number(0.1, 0, 1, "relative error of the hashrate shares nations see")
    cost_markup: float = number(
        0.4, 0, 5, "kappa: what a state's hash costs above the market's, relative"
    )
    loss_if_blacklisted: float = number(0.7, 0, 1, "lambda_b: loss of a blacklisted reserve")
    alternative_return: float = number(0.05, 0, 1, "r_alt: yearly return of another reserve")
    reserves_scale: float = number(1.0, 0, 1000, "multiplies every nation's reserve")
    reserves_btc: tuple[tuple[str, float], ...] = text(
        (), "reserves that differ from nations.csv: nation and BTC"
    )
    alliances: tuple[tuple[str, str, float], ...] = text(
        (), "alliances that differ from relations.csv: two nations and a weight from -1 to 1"
    )
    energy_price_usd_mwh: float = number(
        60.0, 0, 1000, "world price of the energy that sanctions keep from the market, electricity"
    )
    lifting_cost_usd_mwh: float = number(10.0, 0, 1000, "what it costs to have that energy at all")
    world_product_usd_bn: float = number(110_000.0, 1, 1e7, "product of the whole world a year")
    purchase_gdp_share: float = number(
        0.001, 0, 0.1, "most that a nation spends on coins a year, as a share of its product"
    )
    large_holder_share: float = number(
        0.04, 0, 1, "share of the market's coins with holders so large that they may defend it"
    )
    rent_yr: float = number(
        0.1, 0, 10, "rho: rent of all hashrate at home, in years of issuance a year"
    )
    dominance_prize_yr: float = number(
        1.0, 0, 1000, "what dominance is worth a year to who prizes it, in years of issuance"
    )
    policy: bool = text(False, "nations propose taxes, subsidies and bans of their own")
    proposals_yr: float = number(
        0.1, 0, 10, "proposals a year where mining is as much of the world's as the economy is"
    )
    policy_usd_mwh: float = number(10.0, 0, 1000, "size of a proposed tax or subsidy")
    policy_years: float = number(5.0, 0.1, 100, "how long such a policy stands")


class Hypotheses(Section):
    """Switches between readings of the founding texts, the default first."""

    jurisdiction: Literal["any", "site", "headquarters", "template"] = text(
        "any", "H_JURIS: by what a nation can compel hashrate"
    )
    tip: Literal["heaviest", "tie_join"] = text(
        "heaviest", "H_TIP: outsiders mine on the heaviest tip, or join enforcers at a tie"
    )
    concentration: Literal["largest", "hhi", "adversarial"] = text(
        "largest", "H_CONC: the concentration that the price discounts"
    )
    payoff: Literal["nondominance", "hashwar"] = text(
        "nondominance", "H_PAYOFF: nations lose by dominance, or prize it"
    )
    alliance_joint: bool = text(False, "H_ALLIANCE_JOINT: allies defend as one")
    reaction: Literal["endogenous", "defend", "dump"] = text(
        "endogenous", "H_REACTION: what a threatened holder of reserves does"
    )
    internalise: Literal["state_only", "none", "all"] = text(
        "state_only", "H_INTERNALISE: who reckons with what dominance does to the price"
    )
    fork: Literal["new_algorithm", "invalidate", "none"] = text(
        "new_algorithm", "H_FORKTYPE: the fork that discontent holders make"
    )
    minority: Literal["work", "checkpoints"] = text(
        "work", "enforcers who are outnumbered rely on work, or opt out by signed checkpoints"
    )
    custody: Literal["freeze", "sell"] = text(
        "freeze", "H_CUSTODY: what custodians do with the coin they must not credit"
    )
    energy: Literal["ccaf", "essay"] = text(
        "ccaf", "H_ENERGY: the fleet that surveys see, or one that uses 1 % of all electricity"
    )
    transmission: Literal["surveyed", "essay"] = text(
        "surveyed", "H_TD: charges as tabled, or generation as 40 % of the delivered price"
    )
    expectations: Literal["adaptive", "myopic"] = text(
        "adaptive", "H_EXPECT: whether buyers expect the hashprice to decline"
    )
    friction: float = number(
        1.0, 0, 1, "H_FRICTION: multiplies costs and times of moves, lead times and legal hazards"
    )
