"""Every parameter of a scenario: unit in its name, default, bounds, meaning."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of a scenario file; frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def number(default: Any, low: float, high: float, doc: str) -> Any:
    """A bounded parameter with its meaning."""
    return Field(default, ge=low, le=high, description=doc)


def text(default: Any, doc: str) -> Any:
    """A parameter that is a name, a switch or a list, with its meaning."""
    return Field(default, description=doc)


class Start(Section):
    """The world on its first day."""

    height: int = number(592_704, 0, 6_000_000, "block height")
    difficulty_e12: float = number(10.7, 1e-6, 1e6, "difficulty, in units of 1e12")
    hashrate_ehs: float = number(82.0, 1e-3, 1e5, "network hashrate on the first day")
    fleet: str = text(
        "fleet_2019_09.csv", "machines of the day: a file of scenarios/data, or 'cohorts'"
    )
    mean_efficiency_j_th: float = number(0.0, 0, 2000, "tilt the fleet to this mean; 0 leaves it")
    shares_month: str = text("2019-09", "month whose nation and province shares are used")
    us_share: float = number(
        0.0, 0, 1, "share of the hashrate in the USA; 0 leaves the month's share"
    )
    miners: int = number(600, 10, 200_000, "firms on the first day")
    sites: int = number(1200, 10, 1_000_000, "rows of sites on the first day")
    capacity_margin: float = number(1.15, 1, 3, "energised capacity over load")
    seasonal_margin: float = number(
        1.05, 1, 3, "the same over the year's highest load, in Chinese provinces"
    )
    public_share: float = number(0.02, 0, 1, "share of the hashrate with public firms")
    home_share: float = number(0.03, 0, 1, "share of the hashrate with home miners")
    state_share: float = number(0.01, 0, 1, "share of the hashrate with state miners")
    cash_months: float = number(4.0, 0, 60, "cash, in months of operating cost")
    treasury_months: float = number(1.0, 0, 60, "coins held, in months of revenue")
    public_loan_to_value: float = number(
        0.2, 0, 1, "debt of public firms times capital-market depth"
    )
    private_loan_to_value: float = number(0.1, 0, 1, "debt of private firms")
    machine_output_mw_month: float = number(325.0, 0, 1e5, "machines delivered a month, MW")
    fab_capacity_mw_month: float = number(
        0.0, 0, 1e5, "machines the fabs could build a month, MW; 0: as many as are delivered"
    )
    site_pipeline_month: float = number(
        0.03, 0, 1, "sites in hand: capacity that comes on line a month, over existing"
    )
    hash_growth_month: float = number(0.0, -0.5, 0.5, "expected growth of the hashrate a month")


class ChainRules(Section):
    """The consensus rules and how blocks are drawn."""

    blocks: Literal["poisson_day", "event"] = text(
        "poisson_day", "draw blocks by the hour or one by one"
    )
    off_by_one: bool = text(True, "Bitcoin's retarget over 2015 of 2016 intervals")
    payout: Literal["shared", "solo", "pools"] = text(
        "shared", "revenue by work, by blocks won, or by the scheme of each miner's pool"
    )
    propagation_s: float = number(1.0, 0, 60, "block propagation time; sets the natural stale rate")


class Price(Section):
    """The exogenous path of the coin price."""

    mode: Literal["historical", "gbm", "jump", "path"] = text("historical", "how the price moves")
    start_usd: float = number(83_000.0, 1e-3, 1e9, "price on the first day, unless historical")
    drift_yr: float = number(0.15, -5, 5, "expected growth of the price a year")
    volatility_yr: float = number(0.60, 0, 5, "standard deviation of log returns a year")
    jumps_yr: float = number(2.0, 0, 100, "jumps a year")
    jump_mean: float = number(-0.05, -2, 2, "mean of the log jump")
    jump_sd: float = number(0.20, 0, 2, "standard deviation of the log jump")
    path: tuple[tuple[date, float], ...] = text((), "dates and prices in USD, joined log-linearly")


class Fees(Section):
    """Transaction fees."""

    mode: Literal["historical", "autoregressive"] = text(
        "historical", "observed months, then AR(1)"
    )
    median_btc_block: float = number(0.03, 1e-6, 100, "median transaction fees per block")
    persistence_day: float = number(0.97, 0, 0.9999, "AR(1) coefficient of the log")
    volatility_day: float = number(0.15, 0, 2, "standard deviation of the daily log shock")
    congestion: float = number(1.0, 0, 5, "exponent on the mean interval of the last 144 blocks")


class Machines(Section):
    """ASIC generations, their maker and the used market."""

    frontier_j_th: float = number(11.0, 1, 1000, "frontier at 2025.5, after the listed machines")
    frontier_decline_yr: float = number(
        0.18, 0, 1, "log decline of the frontier a year, after 2025.5"
    )
    frontier_floor_j_th: float = number(
        5.0, 0.1, 100, "lowest efficiency that physics and fabs allow"
    )
    generation_months: int = number(15, 3, 60, "months between generations after the listed ones")
    availability_months: float = number(2.0, 0, 24, "from release to shipping")
    diffusion_months: float = number(
        3.0, 0.1, 36, "from first shipping to its full share of output"
    )
    sold_after_successor_months: float = number(
        12.0, 0, 60, "a generation sells this long after its successor"
    )
    lag_months_before_2021: int = number(3, 0, 24, "from order to delivery")
    lag_months_from_2021: int = number(6, 0, 24, "from order to delivery, from 2021-01 on")
    output_growth_month: float = number(0.153, 0, 1, "highest growth of fab capacity a month")
    output_decline_month: float = number(0.03, 0, 1, "highest decline of fab capacity a month")
    output_ceiling_mw_month: float = number(1e6, 0, 1e6, "ceiling on machines built a month, MW")
    output_frozen_from: date | None = text(None, "no growth of fab capacity after this date")
    eagerness: float = number(
        0.83, 0, 5, "gamma_s: investment per unit of Tobin's q above one, a year"
    )
    retirement_month: float = number(
        0.02, 0, 0.2, "share of machines the maker expects to be replaced a month"
    )
    cost_usd_j_th: float = number(0.75, 0.01, 10, "manufacturing cost, USD/TH per J/TH")
    least_margin: float = number(0.10, 0, 5, "lowest margin over manufacturing cost")
    pricing_power: float = number(
        0.6, 0, 1, "psi: share of a machine's present value the maker asks"
    )
    stock_wanted_months: float = number(
        1.0, 0.05, 6, "unsold machines, in months of output, above which the maker cuts prices"
    )
    discount_size_exponent: float = number(0.04, 0, 1, "phi: order-size discount")
    discount_most: float = number(0.30, 0, 0.95, "largest order-size discount")
    reference_power_price_usd_mwh: float = number(
        45.0, 0, 500, "the maker's idea of its buyers' power price"
    )
    discount_rate_month: float = number(0.01, 0, 0.2, "discount rate in present values")
    failure_yr: float = number(0.08, 0, 2, "failures per machine a year")
    overclock_failure_yr: float = number(
        0.04, 0, 2, "more of them at twice the clock, in proportion to the clock above nominal"
    )
    life_years: float = number(7.0, 0.5, 30, "wear-out age")
    idle_scrap_month: float = number(0.04, 0, 1, "share of idle machines scrapped a month")
    scrap_usd_th: float = number(0.3, 0, 100, "scrap value")
    used_horizon_months: int = number(36, 1, 120, "horizon in used-market bids")
    used_freight_usd_th: float = number(0.5, 0, 50, "freight and installation of a used machine")
    used_market: bool = text(True, "monthly call auction of used machines")
    clocking: bool = text(False, "over- and underclocking everywhere, not only under the sun")


class Energy(Section):
    """Sites, power prices and the supply of both."""

    size_gradient_usd_mwh: float = number(
        4.5, 0, 50, "xi: dearer generation per e-fold of site size"
    )
    transmission_scale: float = number(
        1.0, 0, 5, "multiplies transmission and distribution charges"
    )
    large_load_cut: float = number(0.0, 0, 1, "cut of transmission charges from 20 MW on")
    pue: float = number(1.10, 1, 2, "site load over IT load")
    pue_hydro_cooled: float = number(1.03, 1, 2, "the same for hydro-cooled and home sites")
    idle_cost_usd_mwh: float = number(0.5, 0, 50, "variable operating cost besides power")
    potential_scale: float = number(1.0, 0, 100, "multiplies the potential of every site type")
    site_growth_month: float = number(
        0.04,
        0,
        1,
        "growth of energised capacity a month, world, per unit of q above one",
    )
    place_growth_month: float = number(
        0.10, 0, 2, "highest growth of energised capacity a month, one place"
    )
    china_growth: float = number(
        0.33, 0, 5, "attraction of new sites in China against other places"
    )
    momentum: float = number(
        0.40, 0, 1, "weight of recent additions against existing capacity in new sites"
    )
    cost_scale_usd_mwh: float = number(
        22.0, 0.5, 200, "power price difference that changes attraction e-fold"
    )
    lead_time_scale: float = number(1.0, 0, 10, "multiplies the lead times of new sites")
    large_grid_growth_yr: float = number(
        0.03, 0, 1, "highest growth of grid sites >= 100 MW a year"
    )
    price_volatility: float = number(0.08, 0, 1, "standard deviation of log grid prices by nation")
    price_persistence_month: float = number(0.8, 0, 0.99, "AR(1) coefficient of log grid prices")
    vacancy_wanted: float = number(0.05, 0, 1, "vacant share below which sites are started")
    generation_trend_yr: float = number(-0.015, -0.2, 0.2, "real growth of generation cost a year")
    transmission_trend_yr: float = number(
        0.015, -0.2, 0.2, "real growth of transmission charges a year"
    )
    dr_credit_share: float = number(
        0.08, 0, 1, "demand-response credit over energy cost, where offered"
    )
    spike_days_yr: float = number(
        12.0, 0, 366, "days a year on which a nation with demand response runs short of power"
    )
    spike_hours: int = number(4, 0, 24, "hours of such a day in which its large loads stand still")
    spike_usd_mwh: float = number(
        1000.0, 0, 20_000, "spot price in those hours, which hedged loads earn by standing still"
    )
    bargains_yr: float = number(
        0.5, 0, 20, "large sites with cheap power found a year in each region of the world"
    )


class Solar(Section):
    """Clipped and curtailed sunshine."""

    curtailed_2025: float = number(0.03, 0, 1, "share of solar output curtailed in 2025")
    curtailed_2035: float = number(0.15, 0, 1, "the same in 2035, linear between")
    inverter_ratio: float = number(1.3, 1, 3, "DC over AC capacity")


class Heat(Section):
    """Sale of waste heat."""

    sold: bool = text(True, "heat sites sell their heat")
    latitude_from_deg: float = number(0.0, 0, 90, "only north or south of this latitude")
    adoption_scale: float = number(1.0, 0, 100, "multiplies the potential of heat sites")


class Compute(Section):
    """AI and other computation bidding for sites."""

    bidders: bool = text(True, "AI bidders compete for large sites")
    from_date: date = text(date(2023, 1, 1), "first day of their bids")
    half_size_mw: float = number(
        50.0, 1, 10_000, "site size at which they win half as often as at most"
    )
    width: float = number(0.6, 0.01, 10, "width of the logistic in log size")
    most: float = number(0.9, 0, 1, "highest chance to win a site")
    backlog_mw: float = number(2000.0, 0, 1e6, "unserved demand per large nation on the first day")
    backlog_growth_yr: float = number(0.20, -1, 5, "growth of that demand a year")
    half_size_decline_yr: float = number(0.0, 0, 1, "H_AI_SCALEDOWN: yearly fall of the half size")
    offers_yr: float = number(
        0.1, 0, 12, "share of the existing sites a year that they ask for, if they may bid"
    )


class Firms(Section):
    """Costs, capital and decisions of miners."""

    scale_advantage: float = number(
        1.0, 0, 50, "lam: multiplies the scale advantages in non-energy cost"
    )
    fixed_cost_scale: float = number(1.0, 0, 10, "multiplies the eight scale-indifferent expenses")
    om_usd_mwh: float = number(4.5, 0, 50, "site operation and maintenance, sites >= 0.5 MW")
    own_time_usd_mwh: float = number(
        0.0, 0, 1000, "H_OWN_TIME: the same below 0.5 MW, where it is the owner's own time"
    )
    site_cost_usd: float = number(50_000.0, 0, 1e8, "development cost of a site")
    infra_usd_mw: float = number(350_000.0, 0, 1e7, "infrastructure of a site")
    infra_home_usd_mw: float = number(100_000.0, 0, 1e7, "the same below 50 kW")
    wacc_large: float = number(0.12, 0, 1, "yearly cost of capital: public, or >= 50 MW")
    wacc_mid: float = number(0.16, 0, 1, "yearly cost of capital: 1 to 50 MW")
    wacc_home: float = number(0.10, 0, 1, "yearly cost of capital: home")
    expectation_month: float = number(0.3, 0, 1, "weight of the last month in expected hash growth")
    pipeline_weight: float = number(
        0.5, 0, 1, "weight of the announced orders, against adaptive expectation, in hash growth"
    )
    pipeline_noise: float = number(0.15, 0, 1, "standard deviation of the log of announced orders")
    decline_weight: float = number(
        0.012, 0, 1, "how much of the expected hash growth buyers take off the hashprice"
    )
    offers: int = number(5, 1, 50, "site offers a miner looks at a month")
    choice_temperature: float = number(0.05, 1e-4, 10, "softmax temperature on NPV over capital")
    spend_share_month: float = number(
        0.36, 0, 1, "share of cash and credit spent on machines a month"
    )
    home_bias: float = number(0.8, 0, 1, "share of offers from the miner's own nation")
    holding_share: float = number(0.2, 0, 1, "share of coins mined that holders of treasuries keep")
    idle_days_to_vacate: int = number(45, 1, 1000, "idle days after which a fleet leaves its seat")
    attention_month: float = number(
        0.25, 0, 1, "share of settled fleets whose owner looks for a better seat in a month"
    )
    relocation_gain: float = number(1.3, 0, 10, "gain over cost that triggers a move")
    relocation_abroad_usd_mw: float = number(90_000.0, 0, 1e7, "move to another nation")
    relocation_home_usd_mw: float = number(10_000.0, 0, 1e7, "move within a nation")
    abroad_days_low: float = number(60.0, 0, 1000, "shortest downtime of a move abroad")
    abroad_days_high: float = number(150.0, 0, 1000, "longest downtime of a move abroad")
    domestic_days_low: float = number(5.0, 0, 1000, "shortest downtime of a move within a nation")
    domestic_days_high: float = number(15.0, 0, 1000, "longest downtime of a move within a nation")
    bond_loan_to_value: float = number(
        0.5, 0, 1, "most debt over assets of a public firm, times depth"
    )
    bank_loan_to_value: float = number(0.2, 0, 1, "most debt over machines of a private firm")
    equity_quarter: float = number(
        0.15, 0, 1, "most equity a quarter over market value, times depth"
    )
    capital_depth_scale: float = number(
        1.0, 0, 10, "multiplies every nation's capital-market depth"
    )
    haircut: float = number(0.5, 0, 1, "debt forgiven on leaving restructuring")
    hedge_share: float = number(0.5, 0, 1, "share of the load that firms hedge if they can")
    hedge_least_mw: float = number(30.0, 0, 1e6, "size of a firm with a finance team of its own")
    seizure_yr: float = number(0.08, 0, 5, "seizure hazard where law rules least")
    halt_yr: float = number(0.25, 0, 5, "halt hazard where law rules least")
    bankruptcy: bool = text(True, "firms can fail")
    hazards: bool = text(True, "seizures and halts happen")
    relocation: bool = text(True, "fleets can move")
    entry: bool = text(True, "machines can be bought")
    entrants_yr: float = number(0.05, 0, 5, "new firms a year, over existing")


class Bans(Section):
    """What becomes of a banned fleet; not identified before 2021, so priors, varied in reports."""

    evasion: float = number(0.20, 0, 1, "share that goes underground")
    surviving: float = number(0.90, 0, 1, "share of displaced machines that are ever used again")


class Record(Section):
    """What is written, and what is checked while running."""

    shares_every_days: int = number(7, 1, 7, "days between rows of shares")
    ledger_every_days: int = number(30, 1, 100_000, "days between checks of the accounts")
