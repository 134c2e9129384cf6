"""Small runs whose monthly course claims are measured from, by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from model.events import Ban
from model.scenario import Scenario, load, with_days
from study import history, nations_seen
from study.claim import FloatArray, Interval, interval

if TYPE_CHECKING:
    from model.world import World

SEEDS, SEEDS_OF_LONG_RUNS = 5, 4
SIZE = ("start.miners=200", "start.sites=500")
SUPERCHEAP_USD_MWH = 30.0
SUNNY = ("btm_solar_wind", "home_solar")
PUBLIC = 2
TWENTY_YEARS, TEN_YEARS, FIVE_YEARS, THIRTY_MONTHS = 7305, 3653, 1827, 912
# Lead time of idle connections, and the size in which they are offered.
BROWNFIELD_DAYS, BROWNFIELD_MW = 183, 50.0
RUSSIAN_LAW = 0.34


@dataclass(frozen=True)
class Experiment:
    """A scenario, what is changed in it, and what is done to its world after the first day."""

    scenario: str
    sets: tuple[str, ...] = ()
    days: int = TEN_YEARS
    events: tuple[Ban, ...] | None = None
    change: Callable[[World], None] | None = None

    @property
    def seeds(self) -> range:
        """The seeds it is run under."""
        return range(1, 1 + (SEEDS_OF_LONG_RUNS if self.days > FIVE_YEARS else SEEDS))

    def case(self, seed: int) -> Scenario:
        """The scenario to run under a seed."""
        case = with_days(load(self.scenario, (*SIZE, *self.sets)), self.days)
        held = case.events if self.events is None else self.events
        return case.model_copy(update={"seed": seed, "events": held})


@dataclass(frozen=True)
class Course:
    """What is kept of a run.

    Attributes
    ----------
    monthly : series, one entry at the end of the first day and of the same day of each month
    firms : columns of the firms of the first day, on that day
    alive : [month, firm of the first day]
    work : [month, firm of the first day], TH/s
    ended : class, milestones and headline figures of the run, and its events by kind
    """

    monthly: Mapping[str, FloatArray]
    firms: Mapping[str, FloatArray]
    alive: FloatArray
    work: FloatArray
    ended: Mapping[str, Any]

    def at(self, name: str, year: float) -> float:
        """A series some years after the start."""
        return float(self.monthly[name][round(12 * year)])

    def over_year(self, name: str, year: float) -> float:
        """Mean of a series over the year that ends some years after the start."""
        last = round(12 * year)
        return float(self.monthly[name][max(last - 11, 0) : last + 1].mean())


# What is done to worlds


def weaken_american_law(world: World) -> None:
    """The rule of law of the USA falls to Russia's."""
    world.rule_of_law[world.nation_names.index("USA")] = RUSSIAN_LAW


def offer_brownfield(world: World) -> None:
    """Each nation's idle connections come on line as grid sites half a year from now."""
    from agents.building import add_sites  # after numba has its number of threads

    grid = world.cells.type == world.types.row("grid_industrial")
    nation = world.places["nation"][world.cells.place]
    potential = np.where(grid, world.potential_mw, 0.0)
    total = np.bincount(nation, weights=potential, minlength=world.nations.size)
    idle = world.nations["brownfield_mw"][nation] * potential / np.maximum(total[nation], 1e-9)
    cells = np.flatnonzero(idle > 0.0)
    ready = np.full(cells.size, world.day + BROWNFIELD_DAYS)
    size = np.full(cells.size, BROWNFIELD_MW)
    # A generator of its own leaves the draws of all other sites as they are.
    add_sites(world, cells, idle[cells], size, ready, np.random.default_rng(world.seed))


def ruin_listed_firms(world: World) -> None:
    """Listed firms lose all they have and owe more than anybody lends."""
    miners = world.miners
    firms = np.flatnonzero(miners["form"] == PUBLIC)
    world.market_sat += int(miners["treasury_sat"][firms].sum())
    miners["treasury_sat"][firms] = 0
    world.pay(firms, miners["cash"][firms] + 1e9, "lenders")
    miners["debt"][firms] = 1e15


def ruin_where_law_rules(world: World) -> None:
    """Listed firms fail under law."""
    world.rule_of_law = np.full(world.nations.size, 0.9)
    ruin_listed_firms(world)


def ruin_where_no_law_rules(world: World) -> None:
    """Listed firms fail without it."""
    world.rule_of_law = np.full(world.nations.size, 0.1)
    ruin_listed_firms(world)


# The register of experiments

_CALM = ("firms.hazards=false", "compute.bidders=false")
_RUIN = (*_CALM, "firms.entry=false", "start.public_share=0.04")


def _path(*points: tuple[str, float]) -> tuple[str, str]:
    rows = ", ".join(f"[{day}, {usd}]" for day, usd in points)
    return 'price.mode="path"', f"price.path=[{rows}]"


_DOUBLED = _path(("2025-04-04", 83e3), ("2025-05-04", 83e3), ("2025-05-05", 166e3),
                 ("2045-04-04", 166e3))  # fmt: skip
# Prices of its own keep pairs of runs from parting by the draws of the price.
_RISING = _path(("2025-04-04", 83e3), ("2045-04-03", 83e3 * 1.15**20))
# The last observed week before the ban, and its fees; nothing later is used.
_SPRING_2021 = (
    *_path(("2021-05-01", 55_640.0), ("2022-07-01", 55_640.0)),
    'fees.mode="autoregressive"',
    "fees.median_btc_block=1.0",
)
_BAN = (
    Ban(
        kind="ban",
        date=datetime.date(2021, 6, 20),
        until=None,
        place="CHN",
        evasion=0.2,
        what="supposed ban",
    ),
)
_AFTER_BAN_DAYS = 428
_NO_FORK = ('hypotheses.fork="none"',)
_BY_SITE = ('hypotheses.jurisdiction="site"',)
_HASH_WAR = ('hypotheses.payoff="hashwar"',)

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "one price": Experiment("stagnation", days=TWENTY_YEARS),
        "steady rise": Experiment("steady_rise", _RISING, days=TWENTY_YEARS),
        "half a million": Experiment("bull_500k", days=TWENTY_YEARS),
        "wires twice": Experiment("steady_rise", (*_RISING, "energy.transmission_scale=2.0")),
        "more sun": Experiment("solar_path_2035", _RISING),
        "five years": Experiment("steady_rise", _RISING, FIVE_YEARS),
        "without AI": Experiment(
            "steady_rise", (*_RISING, "compute.bidders=false"), FIVE_YEARS
        ),
        "law of Russia": Experiment(
            "steady_rise", _RISING, FIVE_YEARS, change=weaken_american_law
        ),
        "no capital market": Experiment(
            "steady_rise", (*_RISING, "firms.capital_depth_scale=0"), FIVE_YEARS
        ),
        "one price, five years": Experiment("stagnation", days=FIVE_YEARS),
        "doubled price": Experiment("stagnation", _DOUBLED, FIVE_YEARS),
        "doubled, maker frozen": Experiment(
            "stagnation", (*_DOUBLED, "machines.output_frozen_from=2025-04-04"), FIVE_YEARS
        ),
        "ban": Experiment("outlook_2021", _SPRING_2021, days=_AFTER_BAN_DAYS, events=_BAN),
        "ban, brownfield": Experiment(
            "outlook_2021", _SPRING_2021, _AFTER_BAN_DAYS, _BAN, offer_brownfield
        ),
        "ruin under law": Experiment(
            "china_ban_2021", _RUIN, 190, (), ruin_where_law_rules
        ),
        "ruin without law": Experiment(
            "china_ban_2021", _RUIN, 190, (), ruin_where_no_law_rules
        ),
        "up to the ban": Experiment("china_ban_2021", days=608),
        "sixty percent": Experiment("us_60_2028", days=THIRTY_MONTHS),
        "sixty percent, no fork": Experiment("us_60_2028", _NO_FORK, THIRTY_MONTHS),
        "a quarter": Experiment("us_25", _BY_SITE, THIRTY_MONTHS),
        "a quarter, three maps": Experiment("us_25", days=THIRTY_MONTHS),
        "China orders": Experiment("symmetric_attackers", days=608),
        "made in the USA": Experiment("made_in_usa", days=FIVE_YEARS),
        "from 2025": Experiment("baseline_2025", days=FIVE_YEARS),
        "sanctioned energy": Experiment("sanctions_iran_russia", _RISING, FIVE_YEARS),
        "race for reserves": Experiment("reserves_race", _RISING, FIVE_YEARS),
        "nobody defends": Experiment("reserves_race_undefended", _RISING, FIVE_YEARS),
        "dominance prized": Experiment("reserves_race", (*_RISING, *_HASH_WAR), FIVE_YEARS),
    }
)  # fmt: skip


# Running them


def results(names: Iterable[str], workers: int = 1) -> dict[str, list[Course]]:
    """Courses of the named experiments, one a seed."""
    jobs = [(name, seed) for name in dict.fromkeys(names) for seed in EXPERIMENTS[name].seeds]
    found: dict[str, list[Course]] = {name: [] for name, _ in jobs}
    for (name, _), course in zip(jobs, history.in_order(course_of, jobs, workers), strict=True):
        found[name].append(course)
    return found


def course_of(job: tuple[str, int]) -> Course:
    """The course of one experiment under one seed."""
    # Only here, so that closed forms are measured without compiling the model.
    from model.world import World

    name, seed = job
    experiment = EXPERIMENTS[name]
    world = World(experiment.case(seed))
    world.step()
    firms = first_firms(world)
    seen = [observe(world, firms["form"].size)]
    if experiment.change is not None:
        experiment.change(world)
    while world.running:
        observed = world.today.day == world.case.start_date.day
        world.step()
        if observed:
            seen.append(observe(world, firms["form"].size))
    columns = {
        key: np.array([entry[key] for entry in seen])
        for key in seen[0]
        if key not in ("alive", "work")
    }
    alive, work = (np.array([entry[key] for entry in seen]) for key in ("alive", "work"))
    return Course(columns, firms, alive, work, nations_seen.ended(world))


def first_firms(world: World) -> dict[str, FloatArray]:
    """What might decide which firms survive, by firm, on the first day."""
    miners, fleets, sites = world.miners, world.fleets, world.sites
    seated = fleets.rows[fleets["site"][fleets.rows] >= 0]
    owner, site = fleets["miner"][seated], fleets["site"][seated]
    hashrate = fleets["hashrate"][seated]
    watts = hashrate * fleets["efficiency"][seated]
    price = sites["power_price"][site] * sites["pue"][site]

    def total(weights: FloatArray) -> FloatArray:
        summed = np.bincount(owner, weights=weights, minlength=miners.size)
        return np.asarray(summed, dtype=np.float64)

    held = np.maximum(total(watts), 1e-9)
    return {
        "form": miners["form"].astype(np.float64),
        "multiplicity": miners["multiplicity"].astype(np.float64),
        "machines_mw": held / 1e6 / miners["multiplicity"],
        "power_usd_mwh": total(watts * price) / held,
        "efficiency_j_th": held / np.maximum(total(hashrate), 1e-9),
        "debt_usd_mw": miners["debt"] / (held / 1e6),
        "rule_of_law": world.rule_of_law[miners["nation"]].astype(np.float64),
        "capital_depth": world.depth[miners["nation"]].astype(np.float64),
    }


def observe(world: World, firms: int) -> dict[str, Any]:
    """The entries of one month."""
    sites, miners, work = world.sites, world.miners, world.site_work
    total = max(float(work.sum()), 1e-9)
    # Sites that were started since the day was run have no work yet.
    ran, latest = slice(work.size), world.recorder.latest
    cheap = sites["power_price"][ran] <= SUPERCHEAP_USD_MWH
    large_cheap = cheap & (sites["size_mw"][ran] > 100.0)
    sunny = np.isin(sites["kind"][ran], [world.types.row(name) for name in SUNNY])
    each = miners["work"] / miners["multiplicity"]
    fleets = world.fleets
    return {
        "under_10mw": latest["share_under_10mw"],
        "over_100mw": latest["share_over_100mw"],
        "behind_meter": latest["share_behind_meter"],
        "public": latest["share_public_firms"],
        "hashrate_ehs": latest["hashrate_ehs"],
        "hashprice": latest["hashprice_usd_ph_day"],
        "power_gw": latest["power_gw"],
        "usa": float(world.nation_shares[world.nation_names.index("USA")]),
        "large_cheap": float(work[large_cheap].sum()) / total,
        "large_cheap_gw": float(sites["energy_mwh"][ran][large_cheap].sum()) / 24e3,
        "sunny": float(work[sunny].sum()) / total,
        "heads": float(miners["multiplicity"][miners["work"] > 0].sum()),
        "firms": float((miners["work"] > 0).sum()),
        "effective": total**2 / max(float((miners["multiplicity"] * each**2).sum()), 1e-9),
        "installed": float(fleets["hashrate"][fleets.rows].sum()),
        "alive": miners["status"][:firms] < 3,
        "work": miners["work"][:firms].copy(),
        **nations_seen.nations_of(world),
    }


# Comparing them


def paired(first: Sequence[Course], second: Sequence[Course], name: str, year: float) -> Interval:
    """Difference of a series between runs that share their seeds, over the year up to some year."""
    pairs = zip(first, second, strict=True)
    return interval([one.over_year(name, year) - two.over_year(name, year) for one, two in pairs])


def mean_at(courses: Sequence[Course], name: str, year: float) -> float:
    """Mean over seeds of a series some years on."""
    return float(np.mean([course.at(name, year) for course in courses]))


def by_sign(difference: Interval) -> tuple[bool, bool]:
    """Whether an interval lies above zero, and whether below."""
    return difference.low > 0.0, difference.high < 0.0


def noise(found: Interval, what: str) -> str:
    """A caveat where an interval does not tell the sign."""
    told = found.low > 0.0 or found.high < 0.0
    return "" if told else f"; {what} is within the noise of {found.size} seeds"
