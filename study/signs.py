"""The table of signs: what each lever does to each headline figure, seed by seed.

    python -m study.signs [--workers W] [--seeds N] [--rows NAME ...] [--elsewhere] [--out FILE]

A cell that expects a sign holds if the mean difference of paired runs has it with p below .01. A
cell that expects nothing holds if every pair of runs agrees to the last bit, on a stage where the
economy, or politics, cannot carry the lever's effect to the figure by a detour: it says that the
lever has no way of its own to the figure, not that the world around it has none. One such cell,
whose blocks are other blocks, holds if its mean is within a hundredth and nothing but chance.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.stats import binomtest, ttest_1samp

from model.events import Directive, Tax
from model.scenario import Scenario, load, with_days
from study.claim import FloatArray, Interval, interval
from study.fork_curve import FROZEN
from study.history import in_order

if TYPE_CHECKING:
    from model.world import World

LEVEL = 0.01
SEEDS = 20
# The stages were chosen with seeds from 1 on; they are judged on others.
FIRST_SEED = 101
# Of what chance moves in each pair, this much of it is nothing.
NOTHING = 0.01
USA = "USA"
CAPTURED = "O3"
WINDOW_DAYS = 365

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "hashrate": "H",
        "hashprice": "hp",
        "us_share": "US share",
        "nations": "N_eff nation",
        "templates": "N_eff template",
        "over_100mw": "share >100 MW",
        "behind_meter": "BTM share",
        "captured": "P(O3)",
        "split": "P(split)",
        "free_value": "v_F",
        "free_shift": "way of v_F in a year",
    }
)
COUNTED = ("captured", "split")
Verdict = Literal["holds", "not told", "fails"]
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


def rich_american_land(world: World) -> None:
    """Five times as much power for sites in the USA, so that they may come to half of all."""
    american = world.places["nation"][world.cells.place] == world.nation_names.index(USA)
    world.potential_mw = np.where(american, 5.0, 1.0) * world.potential_mw


STAGES: Mapping[str, Stage] = MappingProxyType(
    {
        # An economy that lives, and a directive in its fourth year.
        "economy": Stage(
            "steady_rise", (*SMALL, *LISTED, *STAND_BY, NO_DISCOUNT, *NOTHING_LOST),
            FOUR_YEARS, (0.48, 0.54, 0.60), THREE_YEARS,
        ),
        # Much of the hashrate with firms that can issue shares, until the halving of 2028.
        "listed": Stage(
            "steady_rise",
            (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST, "start.public_share=0.6",
             "compute.bidders=false"),
            THREE_YEARS, (0.36,),
        ),
        # The economy as it is calibrated, beyond the halving of 2028.
        "six years": Stage(
            "steady_rise", (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST), SIX_YEARS, (0.36,)
        ),
        # The year after the halving of 2028.
        "four years": Stage(
            "steady_rise", (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST), FOUR_YEARS, (0.36,)
        ),
        "long run": Stage(
            "steady_rise", (*ENOUGH, NO_DISCOUNT, *NOTHING_LOST, *LIMIT), TEN_YEARS, (0.36,)
        ),
        # The same with a directive, where the USA may have half of the hashrate.
        "long run, order": Stage(
            "steady_rise",
            ("start.miners=200", "start.sites=300", *LISTED, *STAND_BY, NO_DISCOUNT,
             *NOTHING_LOST, *LIMIT),
            TEN_YEARS, (0.36, 0.60), NINE_YEARS, change=rich_american_land,
        ),
        # Capital is short after a leap of the price; before the halving, which indebted firms fear.
        "bull": Stage(
            "steady_rise",
            (*SMALL, *LISTED, *STAND_BY, NO_DISCOUNT, *NOTHING_LOST, *price_times(2.0)),
            850, (0.51, 0.53, 0.55, 0.57, 0.59), 550,
        ),
        # Nations with reserves, the USA among them, which may cap mining at home; six years, since
        # sites begun before a cap go on.
        "restrained": Stage(
            "reserves_race", (*SMALL, *LISTED, *STAND_BY, *NOTHING_LOST, *RISING),
            SIX_YEARS, (0.62, 0.74, 0.86), FIVE_YEARS,
        ),
        # Dominance that grows, and nations that do nothing about it.
        "dominated": Stage(
            "steady_rise",
            (*ENOUGH, *NOTHING_LOST, "compute.bidders=false", "neutrality.midpoint=0.4"),
            THREE_YEARS, (0.36,), change=rich_american_land,
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
        # No directive: what is about directives must change nothing at all.
        "calm": Stage(
            "steady_rise", (*SMALL, NO_DISCOUNT, *NOTHING_LOST), TWO_YEARS, (0.36,)
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
_WIRES = _arms((), ("energy.transmission_scale=2",))
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
    Contrast("transmission charges up", "long run", *_WIRES,
             {"hashrate": -1, "hashprice": 1, "us_share": -1, "nations": 1, "over_100mw": -1,
              "behind_meter": 1}),
    Contrast("transmission charges up", "long run, order",
             *_arms((), ("energy.transmission_scale=4",)), {"captured": -1}),
    Contrast("scale advantages up", "six years", *_SCALE,
             {"hashrate": -1, "hashprice": 1, "us_share": 1, "nations": -1, "over_100mw": 1,
              "behind_meter": -1}),
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
    Contrast("rule of law of the USA up", "six years", *_LAW,
             {"hashrate": 1, "hashprice": -1, "us_share": 1}),
    Contrast("rule of law of the USA up", "still", *_LAW,
             _none("behind_meter", "split", "free_value")),
    Contrast("delta up", "dominated", *_DELTA, {"hashrate": -1}),
    Contrast("delta up", "restrained", *_DELTA, {"us_share": -1, "nations": 1, "captured": -1}),
    Contrast("delta up", "still", *_DELTA,
             _none("hashprice", "over_100mw", "behind_meter", "split", "free_value")),
    Contrast("reserves of others up", "guarded", *_arms(_NO_RESERVES, _RESERVES),
             {"hashrate": 1, "hashprice": -1, "us_share": -1, "nations": 1, "captured": -1,
              "split": 1}),
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
    Contrast("transmission charges up", "six years", *_WIRES,
             {"hashrate": -1, "us_share": -1, "nations": 1, "over_100mw": -1, "behind_meter": 1}),
    Contrast("capital depth of the USA up", "four years", *_DEPTH, {"us_share": 1}),
    Contrast("delta up", "dominated", *_DELTA, {"us_share": -1, "nations": 1}),
    Contrast("enforcing share through one half", "reach", *_arms((), _ANY), _none("hashprice")),
    Contrast("templates of miners' own up", "templates", *_arms((), _OWN_TEMPLATES),
             {"captured": -1}),
)  # fmt: skip


# Runs


class Job(NamedTuple):
    """One run: a stage, an arm, the share of the USA at the start, and a seed."""

    stage: str
    arm: Arm
    start: float
    seed: int


def case_of(job: Job) -> Scenario:
    """The scenario of a job."""
    stage = STAGES[job.stage]
    given = any(each.startswith("start.us_share") for each in job.arm.sets)
    start = () if given else (f"start.us_share={job.start}",)
    case = with_days(load(stage.scenario, (*stage.sets, *start, *job.arm.sets)), stage.days)
    events = (*(case.events if stage.keeps_laws else ()), *job.arm.laws)
    if stage.directive_day is not None:
        events = (*events, directive(case.start_date, stage))
    return case.model_copy(update={"seed": job.seed, "events": events})


def directive(start: datetime.date, stage: Stage) -> Directive:
    """The order of the USA to build on no block that holds a blacklisted payment."""
    day = datetime.timedelta(days=stage.directive_day or 0)
    return Directive(
        kind="directive",
        date=start + day,
        until=None,
        place=USA,
        level="enforce",
        patience=stage.patience,
        what="the USA order miners to enforce",
        source="assumption",
    )


def live(job: Job) -> dict[str, float]:
    """Live through a job; every figure of the table."""
    # Only here, so that nothing else compiles the model.
    from model.world import World

    world = World(case_of(job))
    for change in (STAGES[job.stage].change, job.arm.change):
        if change is not None:
            change(world)
    while world.running:
        world.step()
    return readings(world, STAGES[job.stage])


def readings(world: World, stage: Stage) -> dict[str, float]:
    """The figures of a run: economic ones over the year before the directive, or the last."""
    last = stage.directive_day or world.days
    window = slice(max(last - WINDOW_DAYS, 0), last)
    record = world.recorder

    def mean(name: str) -> float:
        return float(record[name][window].mean())

    return {
        "hashrate": mean("hashrate_ehs"),
        "hashprice": mean("hashprice_usd_ph_day"),
        "us_share": american_share(record.shares(), world, window),
        "nations": float((1.0 / record["hhi_nation"][window]).mean()),
        "templates": float((1.0 / record["hhi_template"][window]).mean()),
        "over_100mw": mean("share_over_100mw"),
        "behind_meter": mean("share_behind_meter"),
    } | politics(world)


def american_share(shares: pl.DataFrame, world: World, window: slice) -> float:
    """Mean share of the hashrate at sites in the USA, over the weeks of a window."""
    first, last = (world.case.date_of(day) for day in (window.start, window.stop - 1))
    held = shares.filter(
        (pl.col("grouping") == "nation")
        & (pl.col("member") == USA)
        & pl.col("date").is_between(first, last)
    )
    return float(held["share"].mean() or 0.0)  # type: ignore[arg-type]


def politics(world: World) -> dict[str, float]:
    """What became of the chain.

    `free_value` is the value share of the free coin: all of it where no directive rules the only
    coin there is, nothing where one does. `free_shift` is how far it went in a year from where it
    began, 0 without a split.
    """
    end = world.outcome()
    held = world.recorder["free_coin_value_share"]
    parted = held < 1.0
    captured = end["class"] == CAPTURED
    alone = 0.0 if captured else 1.0
    opening = int(np.argmax(parted))
    year = min(opening + WINDOW_DAYS, held.size - 1)
    apart = bool(parted[-1])
    return {
        "captured": float(captured),
        "split": float(apart),
        "free_value": float(held[-1]) if apart else alone,
        "free_shift": float(abs(held[year] - held[opening])) if apart else 0.0,
    }


# Cells


class Cell(NamedTuple):
    """What was measured of one cell of the table.

    Attributes
    ----------
    row, column, stage, sign : what is expected where
    difference : high arm minus low arm, seed by seed
    chance : p-value of the difference; 1 where all pairs agree
    unequal : pairs that differ at all
    verdict : "holds", "fails", or "not told" where the direction is right within the noise
    """

    row: str
    column: str
    stage: str
    sign: int
    difference: Interval
    chance: float
    unequal: int
    verdict: Verdict


def cell(contrast: Contrast, column: str, low: FloatArray, high: FloatArray) -> Cell:
    """Judge one cell from the readings of both arms, one entry a seed."""
    sign = contrast.signs[column]
    difference = high - low
    chance = chance_of(difference, column in COUNTED)
    nothing = NOTHING * float(np.abs(low).mean()) if column in contrast.by_chance else 0.0
    return Cell(
        contrast.row, column, contrast.stage, sign, interval(difference.tolist()), chance,
        int((high != low).sum()),
        judged(sign, difference, chance, nothing),
    )  # fmt: skip


def chance_of(difference: FloatArray, counted: bool) -> float:
    """Two-sided p-value of paired differences: sign test where runs are counted, else Student."""
    if not difference.any():
        return 1.0
    if counted:
        up, down = int((difference > 0.0).sum()), int((difference < 0.0).sum())
        return float(binomtest(up, up + down).pvalue)
    if np.ptp(difference) == 0.0:
        return 0.0
    return float(ttest_1samp(difference, 0.0).pvalue)


def judged(sign: int, difference: FloatArray, chance: float, nothing: float = 0.0) -> Verdict:
    """Whether differences have the sign that is expected of them.

    Where nothing is expected they must be exactly nothing; or, where chance moves each pair, no
    more than chance makes, with a 95 % interval within `nothing` of zero.
    """
    if sign == 0:
        found = interval(difference.tolist())
        by_chance = chance >= LEVEL and max(-found.low, found.high) < nothing
        return "holds" if by_chance or not difference.any() else "fails"
    if chance < LEVEL:
        return "holds" if float(difference.mean()) * sign > 0.0 else "fails"
    return "not told"


def measure(
    contrasts: Sequence[Contrast] = CONTRASTS, seeds: int = SEEDS, workers: int = 1
) -> list[Cell]:
    """Every cell of some contrasts; runs that several cells share are run once."""
    wanted = [
        job
        for each in contrasts
        for arm in (each.low, each.high)
        for job in jobs(each.stage, arm, seeds)
    ]
    runs = list(dict.fromkeys(wanted))
    found = dict(zip(runs, in_order(live, runs, workers), strict=True))

    def read(each: Contrast, arm: Arm, column: str) -> FloatArray:
        return by_seed(each.stage, arm, seeds, found, column)

    return [
        cell(each, column, read(each, each.low, column), read(each, each.high, column))
        for each in contrasts
        for column in each.signs
    ]


def jobs(stage: str, arm: Arm, seeds: int) -> list[Job]:
    """The runs of an arm, all starts of a seed together; one start where the arm sets it."""
    starts = STAGES[stage].starts
    if any(each.startswith("start.us_share") for each in arm.sets):
        starts = starts[:1]
    return [
        Job(stage, arm, start, seed)
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        for start in starts
    ]


def by_seed(
    stage: str, arm: Arm, seeds: int, found: Mapping[Job, Mapping[str, float]], column: str
) -> FloatArray:
    """A figure by seed, the mean over the starts of the stage."""
    values = np.array([found[job][column] for job in jobs(stage, arm, seeds)])
    return np.asarray(values.reshape(seeds, -1).mean(axis=1))


# Telling it


def table(cells: Sequence[Cell]) -> str:
    """The cells as a Markdown table, one line a cell."""
    lines = [
        "| lever | figure | stage | expected | high less low, 95 % | p | pairs that differ | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in cells:
        sign = {1: "+", -1: "-", 0: "0"}[one.sign]
        centre, low, high = (f"{value:+.4g}" for value in one.difference[:3])
        chance = "" if one.chance == 1.0 else f"{one.chance:.1g}"
        lines.append(
            f"| {one.row} | {COLUMNS[one.column]} | {one.stage} | {sign} | {centre} [{low}, {high}]"
            f" | {chance} | {one.unequal}/{one.difference.size} | {one.verdict} |"
        )
    return "\n".join(lines)


def summary(cells: Sequence[Cell]) -> str:
    """How many cells hold, and which do not."""
    count = {
        name: sum(one.verdict == name for one in cells) for name in ("holds", "not told", "fails")
    }
    told = [f"{count['holds']} of {len(cells)} cells hold, {count['not told']} are not told from "
            f"chance, {count['fails']} fail"]  # fmt: skip
    told += [f"- {one.row}, {COLUMNS[one.column]} ({one.stage}): {one.verdict}, "
             f"{one.difference.words('+.4g')}, p {one.chance:.2g}"
             for one in cells if one.verdict != "holds"]  # fmt: skip
    return "\n".join(told)


def main() -> None:
    """Measure the table, or some rows of it, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=ROWS)
    parser.add_argument(
        "--elsewhere",
        action="store_true",
        help="instead, some cells on stages where they need not hold",
    )
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error("--seeds: two or more")
    known = ELSEWHERE if given.elsewhere else CONTRASTS
    chosen = [each for each in known if each.row in given.rows]
    if not chosen:
        parser.error("--rows: none of these is measured elsewhere")
    cells = measure(chosen, given.seeds, given.workers)
    text = f"{table(cells)}\n\n{summary(cells)}\n"
    print(text, end="")
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
