"""When small sites win in the full model: a sweep, paired effects, and the extremes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from model.atlas import Atlas
from model.scenario import Scenario, load, with_days
from model.units import DAYS_PER_YEAR
from study import design, sensitivity, sweep
from study.claim import FloatArray, Interval, interval
from study.engines import engine
from study.history import in_order
from study.logistic import Crossing, Surface, fit, resampled_crossings
from study.static_frontier import UTILISATION

if TYPE_CHECKING:
    from model.world import World

STUDY = "scale_frontier"
D_10, D_END = "day:share_under_10mw@3652", "end:share_under_10mw"
REVERSAL = "first:share_under_10mw>0.5"
TEN_YEARS, TWENTY_YEARS = 3653, 7306


@dataclass(frozen=True)
class Size:
    """How large the experiment is.

    Attributes
    ----------
    points, seeds : of the Latin hypercube, each point under every price path, and of each run
    effect_seeds : of each paired comparison
    miners, sites, days : of each world
    """

    points: int
    seeds: int
    effect_seeds: int
    miners: int
    sites: int
    days: int = TWENTY_YEARS

    @property
    def sets(self) -> tuple[str, ...]:
        """The changes that make a world of this size."""
        return (
            f"start.miners={self.miners}",
            f"start.sites={self.sites}",
            "record.ledger_every_days=100000",
        )


# Three price paths a point: 144 worlds, and the 240 of the fidelity ladder.
LAPTOP = Size(points=48, seeds=1, effect_seeds=6, miners=300, sites=600)
FULL = Size(points=80, seeds=2, effect_seeds=20, miners=300, sites=900)

# What each price path ends at, for it to be a number.
END_PRICES: Mapping[str, float] = MappingProxyType(
    {"stagnation": 83e3, "steady_rise": 335.5e3, "bull_500k": 500e3}
)
SURFACE: Mapping[str, str] = MappingProxyType(
    {
        "firms.scale_advantage": "log of one more",
        "energy.size_gradient_usd_mwh": "linear",
        "energy.transmission_scale": "linear",
        "firms.site_cost_usd": "log",
        "firms.capital_depth_scale": "linear",
        "compute.bidders": "linear",
        "end_price_usd": "log",
    }
)
CENTRE: Mapping[str, float] = MappingProxyType(
    {
        "firms.scale_advantage": 1.0, "energy.size_gradient_usd_mwh": 4.5,
        "energy.transmission_scale": 1.0, "firms.site_cost_usd": 50e3,
        "firms.capital_depth_scale": 1.0, "compute.bidders": 1.0,
        "end_price_usd": END_PRICES["steady_rise"],
    }
)  # fmt: skip
# The plausible part of the study's values: scale advantages between half and twice what is
# reckoned, charges from about the lowest of any industry on.
PLAUSIBLE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"firms.scale_advantage": (0.5, 2.0), "energy.transmission_scale": (0.25, 2.0)}
)


class Change(NamedTuple):
    """One change of a world: a scenario and parameters, against others."""

    scenario: str
    sets: tuple[str, ...]
    against: str
    other_sets: tuple[str, ...]


EFFECTS: Mapping[str, Change] = MappingProxyType(
    {
        "AI bidders, against none":
            Change("steady_rise", (), "steady_rise", ("compute.bidders=false",)),
        "transmission charges, twice against once":
            Change("steady_rise", ("energy.transmission_scale=2",), "steady_rise", ()),
        "transmission charges, none against once":
            Change("steady_rise", ("energy.transmission_scale=0",), "steady_rise", ()),
        "price, rising against constant": Change("steady_rise", (), "stagnation", ()),
        "price, 500,000 USD against constant": Change("bull_500k", (), "stagnation", ()),
        "capital depth, as it is against none":
            Change("steady_rise", (), "steady_rise", ("firms.capital_depth_scale=0",)),
        "scale advantages, eightfold against none":
            Change("steady_rise", ("firms.scale_advantage=8",),
                   "steady_rise", ("firms.scale_advantage=0",)),
        "size gradient, 9 against 0 USD/MWh":
            Change("steady_rise", ("energy.size_gradient_usd_mwh=9",),
                   "steady_rise", ("energy.size_gradient_usd_mwh=0",)),
        "development cost of a site, 250,000 against 25,000 USD":
            Change("steady_rise", ("firms.site_cost_usd=250000",),
                   "steady_rise", ("firms.site_cost_usd=25000",)),
        "friction, whole against a quarter":
            Change("steady_rise", (), "steady_rise", ("hypotheses.friction=0.25",)),
    }
)  # fmt: skip


# The sweep


def plan(size: Size) -> design.Plan:
    """The study of the scale frontier at a size of this module: a sample of its values."""
    study = design.read(STUDY).study
    changed = {
        "design": "latin_hypercube", "points": size.points, "replicates": size.seeds,
        "days": size.days, "set": size.sets, "sizes": {},
    }  # fmt: skip
    name = "full" if size == FULL else "laptop"
    return design.Plan(study.model_copy(update=changed), STUDY, name)


def swept(size: Size, folder: Path, workers: int = 1, anew: bool = False) -> pl.DataFrame:
    """Results of the sweep in a folder; runs that it holds are not run again unless told."""
    chosen = plan(size)
    resume = (folder / sweep.STUDY).exists() and not anew
    sweep.prepare(chosen, folder, resume=resume, force=anew)
    tally = sweep.sweep(chosen, folder, engine(workers), sweep.unfinished(chosen, folder))
    if tally.unwritten is not None:
        raise OSError(tally.unwritten)
    sweep.gather(chosen, folder, tally)
    if tally.failed:
        raise RuntimeError(f"runs failed, see {folder / sweep.FAILURES}")
    return sweep.results(folder)


def priced(results: pl.DataFrame) -> pl.DataFrame:
    """Results with the price that each path ends at."""
    price = pl.col("scenario").replace_strict(END_PRICES, return_dtype=pl.Float64)
    return results.with_columns(price.alias("end_price_usd"))


def plausible(results: pl.DataFrame) -> pl.DataFrame:
    """The runs that lie in the plausible part of the study's values."""
    for name, (low, high) in PLAUSIBLE.items():
        results = results.filter(pl.col(name).is_between(low, high))
    return results


def reversals(results: pl.DataFrame, days: int) -> pl.DataFrame:
    """Share of runs in which small sites have not yet had more than half, by day."""
    first = results[REVERSAL]
    passed = first.is_not_null().to_numpy()
    return sensitivity.first_passage(first.fill_null(float(days)).to_numpy(), passed)


# The line of even shares


def surface(results: pl.DataFrame, output: str = D_END) -> Surface | None:
    """The logistic surface of "small sites have more than half"; None if all or no runs agree."""
    won = (results[output] > 0.5).to_numpy()
    return None if won.all() or not won.any() else fit(_columns(results), won, SURFACE)


def crossings(
    results: pl.DataFrame,
    at: Iterable[Mapping[str, float]],
    factor: str = "firms.scale_advantage",
    output: str = D_END,
) -> list[Crossing]:
    """Where small sites have half, with 90 % bands from resampled points of the sweep."""
    won = (results[output] > 0.5).to_numpy()
    return resampled_crossings(
        _columns(results), won, SURFACE, results["point"].to_numpy(), factor,
        [{**CENTRE, **place} for place in at],
    )  # fmt: skip


def _columns(results: pl.DataFrame) -> dict[str, FloatArray]:
    return {name: results[name].cast(pl.Float64).to_numpy() for name in SURFACE}


# Paired effects


class Run(NamedTuple):
    """One run of a comparison."""

    scenario: str
    sets: tuple[str, ...]
    seed: int
    days: int


class Shares(NamedTuple):
    """Share of the hashrate at sites under 10 MW, over the year up to the tenth and the last."""

    after_10: float
    after_end: float


class Effect(NamedTuple):
    """A paired comparison: its name, and what the change does to the share of small sites."""

    name: str
    after_10: Interval
    after_end: Interval


def live(run: Run) -> Shares:
    """Live through a run; the share of small sites in it."""
    # Only here, so that nothing else compiles the model.
    from model.world import World

    case = with_days(load(run.scenario, run.sets), run.days)
    lived = World(case.model_copy(update={"seed": run.seed}))
    while lived.running:
        lived.step()
    small = lived.recorder["share_under_10mw"]
    year = round(DAYS_PER_YEAR)
    ten = min(TEN_YEARS, small.size)
    return Shares(float(small[max(ten - year, 0) : ten].mean()), float(small[-year:].mean()))


def effects(size: Size, workers: int = 1) -> list[Effect]:
    """What one change does to the share of small sites, seed by seed."""
    seeds = range(1, size.effect_seeds + 1)
    arms = {
        name: [
            [Run(scenario, (*size.sets, *sets), seed, size.days) for seed in seeds]
            for scenario, sets in ((each.scenario, each.sets), (each.against, each.other_sets))
        ]
        for name, each in EFFECTS.items()
    }
    runs = list(dict.fromkeys(run for both in arms.values() for arm in both for run in arm))
    found = dict(zip(runs, in_order(live, runs, workers), strict=True))
    return [effect(name, *([found[run] for run in arm] for arm in both))
            for name, both in arms.items()]  # fmt: skip


def effect(name: str, one: Sequence[Shares], other: Sequence[Shares]) -> Effect:
    """The differences of paired runs."""
    pairs = list(zip(one, other, strict=True))
    return Effect(
        name,
        interval([first.after_10 - second.after_10 for first, second in pairs]),
        interval([first.after_end - second.after_end for first, second in pairs]),
    )


# The extremes

LEVEL_USD_MWH = 45.0  # at sites of this size where it differs with size
LEVEL_MW = 10.0
FIRM_CLASSES = (10.0, 100.0)  # MW
SCALE_PAYS = 4.0  # times today's advantages
LARGE_IS_DEAR = 9.0  # USD/MWh for each e-fold of size
# A twentieth of the network, so that firms of every size stand at the start; its coin is worth a
# twentieth, and goes on being worth that: a price that rises feeds sites of every size. Nothing
# but size tells sites or firms apart, and developers see to it.
_LEVEL = (
    "start.hashrate_ehs=42.5", "start.difficulty_e12=5.688", "start.machine_output_mw_month=25",
    "price.path=[[2025-04-04, 4150.0]]", "start.miners=200", "start.sites=240",
    "energy.cost_scale_usd_mwh=5", "compute.bidders=false", "energy.transmission_scale=0",
    "energy.price_volatility=0", "energy.dr_credit_share=0", "energy.spike_days_yr=0",
    "energy.bargains_yr=0", "energy.generation_trend_yr=0", "energy.large_grid_growth_yr=1",
    "firms.hazards=false", "firms.own_time_usd_mwh=4.5", "firms.infra_home_usd_mw=350000",
    "heat.sold=false", "record.ledger_every_days=100000",
)  # fmt: skip


class Extreme(NamedTuple):
    """A world in which size alone decides: scale advantages, dearer power of large sites."""

    scale_advantage: float
    size_gradient_usd_mwh: float
    seed: int
    years: int


class Winners(NamedTuple):
    """Who has the hashrate, over the first month and over the last year.

    Attributes
    ----------
    small_firms, large_firms : share of firms under 10 MW, and of 100 MW and more
    small_sites, large_sites : share of sites under 10 MW, and above 100 MW
    firms : alive
    """

    small_firms: tuple[float, float]
    large_firms: tuple[float, float]
    small_sites: tuple[float, float]
    large_sites: tuple[float, float]
    firms: tuple[float, float]


def extreme_case(extreme: Extreme) -> Scenario:
    """The scenario of a world in which size alone decides."""
    sets = (
        *_LEVEL,
        f"firms.scale_advantage={extreme.scale_advantage}",
        f"energy.size_gradient_usd_mwh={extreme.size_gradient_usd_mwh}",
    )
    case = with_days(load("steady_rise", sets), math.ceil(extreme.years * DAYS_PER_YEAR))
    return case.model_copy(update={"seed": extreme.seed, "events": ()})


def live_extreme(extreme: Extreme) -> Winners:
    """Live through such a world; who has the hashrate at its beginning and at its end."""
    lived = level_world(extreme_case(extreme))
    firms = []
    while lived.running:
        lived.step()
        firms.append(shares_of_firms(lived))
    shares, record = np.array(firms), lived.recorder

    def ends(daily: FloatArray) -> tuple[float, float]:
        # A day on which nobody mines says nothing of who does.
        return float(np.nanmean(daily[:30])), float(np.nanmean(daily[-round(DAYS_PER_YEAR) :]))

    return Winners(
        ends(shares[:, 0]), ends(shares[:, -1]), ends(record["share_under_10mw"]),
        ends(record["share_over_100mw"]), ends(record["firms"]),
    )  # fmt: skip


def shares_of_firms(lived: World) -> FloatArray:
    """Share of the hashrate with firms of each class of size; NaN if nobody mines."""
    miners = lived.miners
    each = miners["power_mw"] / np.maximum(miners["multiplicity"], 1)
    held = np.bincount(
        np.digitize(each, FIRM_CLASSES), weights=miners["work"], minlength=len(FIRM_CLASSES) + 1
    )
    total = held.sum()
    return np.asarray(held / total if total > 0.0 else np.full(held.size, np.nan))


def level_world(case: Scenario) -> World:
    """A world in which power costs the same at every place and all the year."""
    # Only here, so that nothing else compiles the model.
    from model.world import World

    class LevelAtlas(Atlas):
        """A gradient of power by size that is one for all kinds of site."""

        @property
        def mean_log_size(self) -> FloatArray:  # type: ignore[override]
            """Ln of the size at which power costs what it does on average."""
            return np.full(len(self.types), math.log(LEVEL_MW))

    class LevelWorld(World):
        """Power, hours and infrastructure without differences between kinds and places."""

        def _take_inputs(self) -> None:
            super()._take_inputs()
            atlas = self.atlas
            cells, places = len(atlas.cells), len(atlas.places)
            price, none = np.full(cells, LEVEL_USD_MWH), np.zeros(cells)
            always = np.full(cells, UTILISATION)
            self.cells = replace(
                atlas.cells, gen_usd_mwh=price, dry_gen_usd_mwh=price, gen_sd=none,
                td_usd_mwh=none, td_sd=none, duty=always, dry_duty=always,
            )  # fmt: skip
            self.types = replace(atlas.types, infra_usd_mw=np.full(len(atlas.types), 350e3))
            level = np.full(places, LEVEL_USD_MWH)
            tables = {each.name: getattr(atlas, each.name) for each in fields(atlas)}
            tables["cells"], tables["types"] = self.cells, self.types
            tables["places"] = replace(
                atlas.places, wet_price_usd_mwh=level, dry_price_usd_mwh=level,
                offset_usd_mwh=np.zeros(places),
            )  # fmt: skip
            self.atlas = LevelAtlas(**tables)

    return LevelWorld(case)


class Contest(NamedTuple):
    """The extremes over several seeds: the level world, with advantages, with dearer power."""

    level: list[Winners]
    advantages: list[Winners]
    gradient: list[Winners]


def extremes(seeds: int = 6, years: int = 12, workers: int = 1) -> Contest:
    """Both extremes beside the world in which size makes no difference, seed by seed."""
    kinds = ((0.0, 0.0), (SCALE_PAYS, 0.0), (0.0, LARGE_IS_DEAR))
    worlds = [Extreme(*kind, seed, years) for kind in kinds for seed in range(1, seeds + 1)]
    found = in_order(live_extreme, worlds, workers)
    return Contest(found[:seeds], found[seeds : 2 * seeds], found[2 * seeds :])


def paired_difference(one: Sequence[Winners], other: Sequence[Winners], name: str) -> Interval:
    """Difference of a share of the last year between paired worlds."""
    pairs = zip(one, other, strict=True)
    return interval([getattr(first, name)[1] - getattr(second, name)[1] for first, second in pairs])
