"""The worlds on which levers are tried, and the sign that each is expected to move figures by."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from model.events import Tax
from study.fork_curve import FROZEN

if TYPE_CHECKING:
    from model.world import World

USA = "USA"
Change = Callable[["World"], None]


# Stages


@dataclass(frozen=True)
class Stage:
    """A small world on which levers are tried.

    Attributes
    ----------
    scenario, sets, days : of the runs
    starts : shares of the hashrate in the USA on the first day; a reading is the mean over them
    directive_day : day on which the USA give a directive without end of patience, if they do
    keeps_laws : whether the scenario's own events stay
    patience : of those who enforce
    change : of the world before its first day, in both arms
    """

    scenario: str
    sets: tuple[str, ...]
    days: int
    starts: tuple[float, ...]
    directive_day: int | None = None
    keeps_laws: bool = True
    patience: str = "inf"
    change: Change | None = None


NO_DISCOUNT = "neutrality.discount=0"
# Nothing is lost by a split or by censorship.
NOTHING_LOST = ("holders.network_exponent=1", "holders.censored_loss=0")
LISTED = ("record.ledger_every_days=100000", 'hypotheses.jurisdiction="site"')
SMALL = ("start.miners=120", "start.sites=240")
# As in steady_rise, and whatever nations fear, nothing moves it.
RISING = (
    "neutrality.priced=false",
    'price.mode="path"',
    "price.path=[[2025-04-04, 83000], [2035-04-03, 335500]]",
)
STAND_BY = ('hypotheses.fork="none"',)
ONE_YEAR, TWO_YEARS, THREE_YEARS, FOUR_YEARS, SIX_YEARS, TEN_YEARS = (
    366, 731, 1096, 1461, 2192, 3653,
)  # fmt: skip
FIVE_YEARS, NINE_YEARS = 1826, 3287
ENOUGH = ("start.miners=400", "start.sites=400", "record.ledger_every_days=100000")
# Comparative statics: a tenth of the network grows to its size where cheap sites are few, nothing
# holds it up, and developers build where power is cheapest. What stood on the first day is
# forgotten by the end.
LIMIT = (
    "start.hashrate_ehs=85", "start.difficulty_e12=11.376", "start.machine_output_mw_month=50",
    "hypotheses.friction=0", "energy.large_grid_growth_yr=1", "energy.potential_scale=0.6",
    "energy.cost_scale_usd_mwh=5", "compute.bidders=false",
)  # fmt: skip
GROWING = ("start.miners=200", "start.sites=300", *LISTED, *STAND_BY, *NOTHING_LOST, *LIMIT)

# Miners who mind nothing but their reward unless a row says so.
_FROZEN = tuple(
    each for each in FROZEN if not each.startswith(("censorship.ideology", "start.miners"))
)
_STILL = (*_FROZEN, "start.miners=60", NO_DISCOUNT, *NOTHING_LOST, "censorship.estimate_sd=0")
_INCLUDE = ("censorship.ideology_mean=2", "censorship.ideology_sd=0")


def price_times(factor: float) -> tuple[str]:
    """The rising price of the scenario, from the second month on so many times as high."""
    return (
        "price.path=[[2025-04-04, 83000], [2025-05-04, 83000],"
        f" [2025-05-05, {83_000 * factor}], [2035-04-03, {335_500 * factor}]]",
    )


def american_land(world: World, times: float, grid_only: bool = False) -> None:
    """Give sites in the USA so many times the power, so that they may come to half of all."""
    cells = world.places["nation"][world.cells.place] == world.nation_names.index(USA)
    if grid_only:
        cells &= world.types.on_grid[world.cells.type]
    world.potential_mw = np.where(cells, times, 1.0) * world.potential_mw


_THREEFOLD = partial(american_land, times=3.0)
_FIVEFOLD = partial(american_land, times=5.0)
_GRID_TENFOLD = partial(american_land, times=10.0, grid_only=True)

STAGES: Mapping[str, Stage] = MappingProxyType(
    {
        # An economy that lives, and a directive in its fourth year.
        "economy": Stage(
            "steady_rise", (*SMALL, *LISTED, *STAND_BY, NO_DISCOUNT, *NOTHING_LOST),
            FOUR_YEARS, (0.47, 0.50, 0.53, 0.56, 0.59, 0.62), THREE_YEARS,
        ),
        # Much of the hashrate with firms that can issue shares and begin with little else, until
        # the halving of 2028.
        "listed": Stage(
            "steady_rise",
            (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST, "start.public_share=0.6",
             "start.cash_months=1", "start.treasury_months=0", "compute.bidders=false"),
            THREE_YEARS, (0.30, 0.36, 0.42),
        ),
        # The economy as it is calibrated, beyond the halving of 2028.
        "six years": Stage(
            "steady_rise", (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST), SIX_YEARS, (0.36,)
        ),
        # The same where law stops firms and takes sites four times as often, and most are American.
        "six years, harsh": Stage(
            "steady_rise",
            (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST, "firms.halt_yr=1", "firms.seizure_yr=0.3"),
            SIX_YEARS, (0.60,),
        ),
        # The year after the halving of 2028.
        "four years": Stage(
            "steady_rise", (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST), FOUR_YEARS, (0.36,)
        ),
        "long run": Stage(
            "steady_rise", (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST, *LIMIT), TEN_YEARS, (0.36,)
        ),
        # The same for six years, with fewer firms.
        "growing": Stage("steady_rise", (*GROWING, NO_DISCOUNT), SIX_YEARS, (0.36,)),
        # For ten years, with a directive, where the grid of the USA may feed half of the hashrate.
        "long run, order": Stage(
            "steady_rise", (*GROWING, NO_DISCOUNT), TEN_YEARS, (0.60, 0.80), NINE_YEARS,
            change=_GRID_TENFOLD,
        ),
        # Capital is short after a leap of the price; before the halving, which indebted firms fear.
        "bull": Stage(
            "steady_rise",
            (*SMALL, *LISTED, *STAND_BY, NO_DISCOUNT, *NOTHING_LOST, *price_times(2.0)),
            850, (0.47, 0.49, 0.51, 0.53, 0.55, 0.57, 0.59, 0.61), 550,
        ),
        # Nations with reserves. The USA's rent from mining is such that they cap it where dominance
        # costs most of the value, and else don't; a cap binds while much is begun.
        "restrained": Stage(
            "reserves_race", (*GROWING, *RISING, "nations.rent_yr=0.5"), SIX_YEARS,
            (0.60, 0.80), FIVE_YEARS, change=_FIVEFOLD,
        ),
        # Dominance that grows, and nations that do nothing about it.
        "dominated": Stage(
            "steady_rise",
            (*ENOUGH, *NOTHING_LOST, "compute.bidders=false", "neutrality.midpoint=0.4"),
            THREE_YEARS, (0.36,), change=_FIVEFOLD,
        ),
        # Nations that stand together against a leader long before it has half, and pay all that
        # mining at home may cost them, under a price that nothing moves.
        "guarded": Stage(
            "reserves_race",
            (*SMALL, *LISTED, *STAND_BY, *NOTHING_LOST, *RISING, "neutrality.discount=0.9",
             "neutrality.midpoint=0.25", "nations.lead_months=3",
             "nations.purchase_gdp_share=0", "nations.rent_yr=0",
             "nations.loss_if_blacklisted=0", "nations.cost_markup=3", "nations.damping=1",
             "hypotheses.alliance_joint=true"),
            THREE_YEARS - 6, (0.48, 0.50, 0.52, 0.54, 0.56), TWO_YEARS,
        ),
        # Hashrate that still finds its places, a leader with more than half of it who does not
        # restrain itself, and nations that may pay half of a hash's power to bring it down.
        "guarded, long run": Stage(
            "reserves_race",
            (*GROWING, *RISING, "neutrality.discount=0.6", "neutrality.steepness=10",
             "neutrality.midpoint=0.4", "nations.purchase_gdp_share=0",
             "nations.loss_if_blacklisted=0", "nations.cost_markup=0.5", "nations.damping=0.7",
             "hypotheses.alliance_joint=true"),
            FIVE_YEARS, (0.55, 0.60, 0.65, 0.70, 0.75), FOUR_YEARS, change=_THREEFOLD,
        ),
        # No directive: what is about directives must change nothing at all.
        "calm": Stage(
            "steady_rise", (*SMALL, NO_DISCOUNT, *NOTHING_LOST), TWO_YEARS, (0.36,)
        ),
        # The same where markets do not feel dominance, and no nation decides by it.
        "calm, unmoved": Stage(
            "steady_rise", (*SMALL, *NOTHING_LOST, "neutrality.priced=false"), TWO_YEARS, (0.36,)
        ),
        # Nothing moves but blocks and minds, on both sides of one half.
        "still": Stage(
            "baseline_2025", (*_STILL, *_INCLUDE), ONE_YEAR, (0.40, 0.60), 0, keeps_laws=False
        ),
        "minority": Stage(
            "baseline_2025", (*_STILL, *_INCLUDE), TWO_YEARS, (0.40,), 0, keeps_laws=False
        ),
        "even": Stage(
            "baseline_2025", (*_STILL, "censorship.ideology_sd=0.01"), TWO_YEARS, (0.49,), 0,
            keeps_laws=False,
        ),
        # Whom the law reaches decides on which side of one half it stands.
        "reach": Stage(
            "baseline_2025", _STILL, ONE_YEAR, (0.36,), 0, keeps_laws=False
        ),
        # The same in the second year, when difficulties have followed, and nobody moves between
        # coins: who moves after every retarget slows both of Bitcoin's difficulty rules down.
        "reach, settled": Stage(
            "baseline_2025", (*_STILL, "forks.automatic_share=0", "forks.fickle_share=0"),
            TWO_YEARS, (0.36,), 0, keeps_laws=False,
        ),
        # Only templates are compelled, and half of the hashrate is in the USA.
        "templates": Stage(
            "baseline_2025", (*_STILL, 'hypotheses.jurisdiction="template"'), ONE_YEAR, (0.52,), 0,
            keeps_laws=False,
        ),
        # The same where enforcers give up, and users may fork.
        "users": Stage(
            "baseline_2025",
            (*_STILL, *_INCLUDE, 'hypotheses.fork="new_algorithm"', "forks.activist_share=0.3"),
            FOUR_YEARS, (0.20,), 0, keeps_laws=False, patience="lag:6",
        ),
    }
)  # fmt: skip


# Levers


@dataclass(frozen=True)
class Arm:
    """What is changed on a stage: parameters, laws, and the world before its first day."""

    sets: tuple[str, ...] = ()
    laws: tuple[Tax, ...] = ()
    change: Change | None = None


def shallow_american_capital(world: World) -> None:
    """The capital market of the USA is as shallow as those of most nations."""
    set_american_depth(world, 0.1)


def deep_american_capital(world: World) -> None:
    """The capital market of the USA is the deepest."""
    set_american_depth(world, 1.0)


def set_american_depth(world: World, depth: float) -> None:
    """Give the USA another depth of their capital market."""
    row = world.nation_names.index(USA)
    world.nations["capital_depth"][row] = depth
    world.depth[row] = depth


def weak_american_law(world: World) -> None:
    """The rule of law of the USA is a weak one's."""
    world.rule_of_law[world.nation_names.index(USA)] = 0.34


def strong_american_law(world: World) -> None:
    """The rule of law of the USA is a strong one's."""
    world.rule_of_law[world.nation_names.index(USA)] = 0.89


def _still_price(usd: float) -> tuple[str]:
    return (f"price.path=[[2025-04-04, {usd}]]",)


_TAX = Tax(kind="tax", date=datetime.date(2025, 4, 4), until=None, place=USA, power_usd_mwh=15.0,
           what="the USA tax miners' power", source="assumption")  # fmt: skip


class Contrast(NamedTuple):
    """Two arms of a lever on a stage, and the sign expected of each figure; 0 expects nothing.

    `by_chance` are figures of which nothing is expected, but which chance moves in each pair: the
    blocks of two coins are drawn otherwise than those of one.
    """

    row: str
    stage: str
    low: Arm
    high: Arm
    signs: Mapping[str, int]
    by_chance: tuple[str, ...] = ()


def _none(*columns: str) -> dict[str, int]:
    return dict.fromkeys(columns, 0)


def _arms(low: tuple[str, ...], high: tuple[str, ...]) -> tuple[Arm, Arm]:
    return Arm(low), Arm(high)


_MARKET = ("hashrate", "hashprice", "us_share", "nations", "over_100mw", "behind_meter")
_POLITICS = ("captured", "split", "free_value")
# Both arms of each lever.
_DEPTH = Arm(change=shallow_american_capital), Arm(change=deep_american_capital)
_LAW = Arm(change=weak_american_law), Arm(change=strong_american_law)
_WIRES_FOURFOLD = _arms((), ("energy.transmission_scale=4",))
# Charges four times as high spread nations less.
_WIRES_TWICE = _arms((), ("energy.transmission_scale=2",))
_SCALE = _arms((), ("firms.scale_advantage=8",))
_BIDDERS = _arms(("compute.bidders=false",), ())
_TAXED = Arm(), Arm(laws=(_TAX,))
_DELTA = _arms(("neutrality.discount=0.1",), ("neutrality.discount=0.9",))
_IDEOLOGY = _arms(("censorship.ideology_mean=0",), ("censorship.ideology_mean=0.5",))
_CUSTODIANS = _arms(
    ("holders.custodian_weight=0.30", "holders.neutral_weight=0.40"),
    ("holders.custodian_weight=0.60", "holders.neutral_weight=0.10"),
)
_ADJUSTMENT = _arms(
    ("holders.adjustment_years_low=5", "holders.adjustment_years_high=5"),
    ("holders.adjustment_years_low=10", "holders.adjustment_years_high=10"),
)
_FABS = _arms(("machines.output_growth_month=0.02",), ("machines.output_growth_month=0.20",))
_NO_RESERVES = ("nations.reserves_scale=0", "nations.reserves_btc=[]")
HOLDERS = ("CAN", "NOR", "ARE", "KAZ", "RUS", "MYS", "PRY", "OMN", "BRA", "AUS", "SAU", "DEU")
_HELD = ", ".join(f'["{name}", 300000.0]' for name in HOLDERS)
_RESERVES = ("nations.reserves_scale=0", f"nations.reserves_btc=[{_HELD}]")
_OWN_TEMPLATES = ("pools.own_templates=0.9", "pools.own_templates_first=0.9")
_COVENANT = ("pools.covenant_share=0.75",)
_ANY = ('hypotheses.jurisdiction="any"',)

CONTRASTS: tuple[Contrast, ...] = (
    Contrast("price up", "long run", *_arms(price_times(0.5), price_times(4.0)),
             {"hashrate": 1, "hashprice": 1, "over_100mw": 1, "behind_meter": -1}),
    Contrast("price up", "six years", *_arms((), price_times(2.0)), {"nations": 1}),
    Contrast("price up", "still", *_arms(_still_price(5e5), _still_price(1e6)),
             _none(*_POLITICS)),
    Contrast("transmission charges up", "long run", *_WIRES_FOURFOLD,
             {"hashrate": -1, "hashprice": 1, "us_share": -1, "over_100mw": -1,
              "behind_meter": 1}),
    Contrast("transmission charges up", "long run", *_WIRES_TWICE, {"nations": 1}),
    Contrast("transmission charges up", "long run, order", *_WIRES_FOURFOLD, {"captured": -1}),
    Contrast("scale advantages up", "six years", *_SCALE,
             {"hashrate": -1, "hashprice": 1, "over_100mw": 1, "behind_meter": -1}),
    Contrast("scale advantages up", "growing", *_SCALE, {"us_share": 1, "nations": -1}),
    Contrast("scale advantages up", "economy", *_SCALE, {"captured": 1}),
    Contrast("AI bidders", "six years", *_BIDDERS,
             {"hashrate": -1, "hashprice": 1, "nations": 1, "over_100mw": -1,
              "behind_meter": 1}),
    Contrast("AI bidders", "economy", *_BIDDERS, {"captured": -1}),
    Contrast("capital depth of the USA up", "listed", *_DEPTH,
             {"hashrate": 1, "hashprice": -1, "us_share": 1, "nations": -1, "over_100mw": 1,
              "behind_meter": -1}),
    Contrast("capital depth of the USA up", "bull", *_DEPTH, {"captured": 1}),
    Contrast("capital depth of the USA up", "still", *_DEPTH, _none("free_value")),
    Contrast("rule of law of the USA up", "six years, harsh", *_LAW,
             {"hashrate": 1, "hashprice": -1, "us_share": 1}),
    Contrast("rule of law of the USA up", "still", *_LAW,
             _none("behind_meter", "split", "free_value")),
    Contrast("delta up", "dominated", *_DELTA, {"hashrate": -1}),
    Contrast("delta up", "restrained", *_DELTA, {"us_share": -1, "nations": 1, "captured": -1}),
    Contrast("delta up", "calm, unmoved", *_DELTA,
             _none("hashprice", "over_100mw", "behind_meter")),
    Contrast("delta up", "still", *_DELTA, _none("split", "free_value")),
    Contrast("reserves of others up", "guarded", *_arms(_NO_RESERVES, _RESERVES),
             {"hashrate": 1, "hashprice": -1}),
    Contrast("reserves of others up", "guarded, long run", *_arms(_NO_RESERVES, _RESERVES),
             {"us_share": -1, "nations": 1, "captured": -1, "split": 1}),
    Contrast("reserves of others up", "still",
             *_arms((), ("nations.reserves_scale=10",)), _none("over_100mw", "behind_meter")),
    Contrast("enforcing share through one half", "reach", *_arms((), _ANY),
             {"captured": 1, "split": -1, "free_value": -1,
              **_none(*(each for each in _MARKET if each != "hashprice"))}),
    Contrast("enforcing share through one half", "reach, settled", *_arms((), _ANY),
             _none("hashprice"), by_chance=("hashprice",)),
    Contrast("enforcing share through one half", "users",
             *_arms(("start.us_share=0.20",), ("start.us_share=0.60",)), {"split": 1}),
    Contrast("ideology up", "even", *_IDEOLOGY, {"captured": -1, "split": 1, "free_value": 1}),
    Contrast("ideology up", "calm", *_IDEOLOGY, _none(*_MARKET)),
    Contrast("weight of custodians up", "minority", *_CUSTODIANS,
             {"free_value": -1, **_none("captured", "split")}),
    Contrast("weight of custodians up", "calm", *_CUSTODIANS, _none(*_MARKET)),
    Contrast("time to adjust up", "minority", *_ADJUSTMENT,
             {"free_shift": -1, **_none("captured", "split")}),
    Contrast("time to adjust up", "calm", *_ADJUSTMENT, _none(*_MARKET)),
    Contrast("templates of miners' own up", "reach", *_arms(_ANY, (*_ANY, *_OWN_TEMPLATES)),
             {"captured": -1}),
    Contrast("templates of miners' own up", "calm", *_arms((), _OWN_TEMPLATES),
             {"templates": 1, **_none(*_MARKET, "split", "free_value")}),
    Contrast("covenant pool up", "reach", *_arms(_ANY, (*_ANY, *_COVENANT)), {"captured": -1}),
    Contrast("covenant pool up", "calm", *_arms((), _COVENANT),
             {"templates": 1, **_none(*_MARKET, "split", "free_value")}),
    Contrast("growth of fabs up", "economy", *_FABS, {"hashrate": 1, "hashprice": -1}),
    Contrast("growth of fabs up", "still", *_FABS, _none("behind_meter", *_POLITICS)),
    Contrast("tax in the USA up", "six years", *_TAXED,
             {"hashrate": -1, "hashprice": 1, "us_share": -1, "nations": 1}),
    Contrast("tax in the USA up", "economy", *_TAXED, {"captured": -1}),
)  # fmt: skip
ROWS: tuple[str, ...] = tuple(dict.fromkeys(contrast.row for contrast in CONTRASTS))
# Cells of the table on stages where they need not hold: what the economy does as it is calibrated.
ELSEWHERE: tuple[Contrast, ...] = (
    Contrast("price up", "six years", *_arms((), price_times(2.0)),
             {"hashrate": 1, "nations": 1, "over_100mw": 1, "behind_meter": -1}),
    Contrast("transmission charges up", "six years", *_WIRES_FOURFOLD,
             {"hashrate": -1, "us_share": -1, "nations": 1, "over_100mw": -1, "behind_meter": 1}),
    Contrast("scale advantages up", "six years", *_SCALE, {"us_share": 1, "nations": -1}),
    Contrast("scale advantages up", "growing", *_SCALE, {"hashrate": -1, "hashprice": 1}),
    Contrast("capital depth of the USA up", "four years", *_DEPTH, {"us_share": 1}),
    Contrast("rule of law of the USA up", "six years", *_LAW,
             {"hashrate": 1, "hashprice": -1, "us_share": 1}),
    Contrast("delta up", "dominated", *_DELTA, {"us_share": -1, "nations": 1}),
    Contrast("delta up", "still", *_DELTA, _none("hashprice")),
    Contrast("reserves of others up", "guarded", *_arms(_NO_RESERVES, _RESERVES),
             {"us_share": -1, "nations": 1}),
    Contrast("reserves of others up", "guarded, long run", *_arms(_NO_RESERVES, _RESERVES),
             {"hashrate": 1, "hashprice": -1}),
    Contrast("enforcing share through one half", "reach", *_arms((), _ANY), _none("hashprice")),
    Contrast("templates of miners' own up", "templates", *_arms((), _OWN_TEMPLATES),
             {"captured": -1}),
)  # fmt: skip
