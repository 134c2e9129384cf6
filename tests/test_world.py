"""The world as a whole: prices from outside, bans, seasons, Mesa, and scenarios that cannot be."""

from __future__ import annotations

import gc
import inspect
import warnings
import weakref
from datetime import date
from functools import cache
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import polars as pl
import pytest
from mesa.batchrunner import batch_run
from mesa.datacollection import DataCollector
from scipy.stats import spearmanr

from agents.fleet import Fleet
from agents.holder import HolderGroup
from agents.manufacturer import Manufacturer
from agents.miner import Miner
from agents.nation import Nation, Place
from agents.pool import Pool
from agents.site import Site
from model.complaint import ScenarioError
from model.events import Ban, PriceShock
from model.markets import orders, price
from model.scenario import Scenario, load, with_days
from model.streams import Streams
from model.world import World

SMALL = ("start.miners=60", "start.sites=150", "record.ledger_every_days=1")
BAN_DAY = date(2019, 9, 2)
NO_DELIVERIES = (
    "firms.entry=false",
    "start.machine_output_mw_month=0",
    "firms.hazards=false",
)


def small_case(
    name: str, days: int, *sets: str, events: tuple[Any, ...] | None = None, seed: int = 1
) -> Scenario:
    """A scenario cut to a few days and a small world, its events replaced if any are given."""
    case = with_days(load(name, [*SMALL, *sets]), days).model_copy(update={"seed": seed})
    return case if events is None else case.model_copy(update={"events": events})


def live(world: World) -> World:
    """The world at the end of its run, on one thread: small worlds are faster so."""
    numba.set_num_threads(1)
    while world.running:
        world.step()
    return world


@cache
def lived(
    name: str, days: int, *sets: str, events: tuple[Any, ...] | None = None, seed: int = 1
) -> World:
    """A run that tests may read; made once."""
    return live(World(small_case(name, days, *sets, events=events, seed=seed)))


def ban(place: str = "CHN", day: date = BAN_DAY, **terms: Any) -> Ban:
    return Ban(kind="ban", date=day, place=place, **terms)


def nation_row(world: World, code: str) -> int:
    return list(world.nation_names).index(code)


# --- prices from outside ---------------------------------------------------------------------


def test_without_directives_the_price_is_the_observed_one_to_the_bit():
    world = lived("china_ban_2021", 200)
    weekly = world.atlas.table("price_weekly.csv")
    weeks = [date.fromisoformat(week).toordinal() for week in weekly["week"]]
    first = world.case.start_date.toordinal()
    path = price.historical_path(weeks, weekly["price_usd"].to_numpy(), first, 200)
    assert world.recorder["price_usd"].tobytes() == np.ascontiguousarray(path).tobytes()


def test_without_directives_a_drawn_price_is_its_own_stream_to_the_bit():
    world = lived("baseline_2025", 60, "neutrality.discount=0")
    rule, draw = world.case.price, Streams(world.seed).generator("price")
    path = price.gbm_path(rule.start_usd, rule.drift_yr, rule.volatility_yr, 60, draw)
    assert world.recorder["price_usd"].tolist() == path.tolist()


def test_a_price_shock_multiplies_the_price_while_it_lasts():
    shock = PriceShock(
        kind="price_shock", date=date(2019, 9, 11), until=date(2019, 9, 21), factor=0.5
    )
    shocked = lived("china_ban_2021", 30, events=(shock,)).recorder["price_usd"]
    calm = lived("china_ban_2021", 30, events=()).recorder["price_usd"]
    factor = np.ones(30)
    factor[10:20] = 0.5
    np.testing.assert_allclose(shocked, calm * factor, rtol=1e-12)


# --- bans ------------------------------------------------------------------------------------


def test_a_ban_idles_its_share_at_once_and_stretches_the_epoch():
    ratios, expected = [], []
    for seed in range(1, 5):
        banned = World(
            small_case("china_ban_2021", 40, events=(ban(affected=0.4, evasion=0.0),), seed=seed)
        )
        free = World(small_case("china_ban_2021", 40, events=(), seed=seed))
        banned.step()
        sites = banned.sites
        hit = (sites["law_draw"] < 0.4) & (sites["nation"] == nation_row(banned, "CHN"))
        share = banned.site_work[hit].sum() / banned.site_work.sum()
        banned.step()
        free.step()
        free.step()
        assert 1.0 - banned.hashrate_ths / free.hashrate_ths == pytest.approx(share, abs=0.01)
        # The epoch began on the first day; the ban came a day later.
        rest = time_of_first_retarget_after(banned), time_of_first_retarget_after(free)
        ratios.append((rest[0] - 1.0) / (rest[1] - 1.0))
        expected.append(1.0 / (1.0 - share))
    assert 0.1 < 1.0 - 1.0 / np.mean(expected) < 0.7
    assert np.mean(ratios) == pytest.approx(np.mean(expected), rel=0.06)


def time_of_first_retarget_after(world: World) -> float:
    """Days from the start until the first retarget of a world that has lived for some days."""
    left = world.chain.blocks_to_retarget
    assert world.chain.retargets == 0
    while True:
        world.step()
        if world.blocks.blocks >= left:
            return float(world.blocks.block_times_s[left - 1]) / 86_400
        left -= world.blocks.blocks


def outside_china(world: World) -> tuple[list[float], list[float]]:
    """TH/s in place and ready outside China at the end of each day; all seats taken there."""
    fleets, china = world.fleets, nation_row(world, "CHN")
    ready, seated = [], []
    while world.running:
        world.step()
        abroad = fleets.alive & (fleets["site"] >= 0) & (fleets["nation"] != china)
        there = abroad & (fleets["ready_on"] <= world.day)
        seated.append(float(fleets["hashrate"][abroad].sum()))
        ready.append(float(fleets["hashrate"][there].sum()))
    return ready, seated


@pytest.fixture(scope="module")
def after_a_ban() -> dict[str, tuple[list[float], list[float]]]:
    """What stands outside China after all of China is banned, under several rules of moving."""
    rules = {
        "default": (),
        "slow": ("firms.abroad_days_low=120", "firms.abroad_days_high=180"),
        "dear": ("firms.relocation_abroad_usd_mw=1e7",),
        "fixed": ("firms.relocation=false",),
    }
    return {
        name: outside_china(
            World(
                small_case("china_ban_2021", 170, *NO_DELIVERIES, *sets, events=(ban(evasion=0.0),))
            )
        )
        for name, sets in rules.items()
    }


def test_banned_machines_reappear_only_after_the_lead_time(after_a_ban):
    ready, seated = after_a_ban["default"]
    there_before = after_a_ban["fixed"][1][0]
    assert max(seated) > 1.2 * there_before
    assert max(ready[:61]) <= 1.001 * there_before
    assert ready[-1] > 1.1 * there_before
    slow, _ = after_a_ban["slow"]
    assert max(slow[:121]) <= 1.001 * there_before
    assert slow[-1] > slow[120]


def test_fewer_banned_machines_reappear_if_moving_is_slow_or_dear(after_a_ban):
    back = {name: ready[-1] for name, (ready, _) in after_a_ban.items()}
    assert back["fixed"] < back["dear"] < back["default"]
    assert back["slow"] < back["default"]


def test_without_relocation_no_banned_machine_reappears(after_a_ban):
    ready, seated = after_a_ban["fixed"]
    assert max(ready) <= ready[0]
    assert max(seated) <= seated[0]


def test_without_relocation_not_even_the_used_market_moves_a_banned_machine():
    world = World(
        small_case(
            "china_ban_2021", 70, "firms.relocation=false", "firms.hazards=false",
            "start.machine_output_mw_month=0", events=(ban(evasion=0.0),),
        )
    )  # fmt: skip
    china, fleets = nation_row(world, "CHN"), world.fleets
    live(world)
    old = fleets.alive & (fleets["born"] < 0) & (fleets["site"] >= 0)
    moved = old & (fleets["nation"] != china) & (fleets["ready_on"] > 1)
    assert fleets["hashrate"][moved].sum() == 0.0


def test_evaders_run_on_and_report_another_nation():
    half = lived("china_ban_2021", 20, events=(ban(evasion=0.5),))
    free = lived("china_ban_2021", 20, events=())
    sites, china = half.sites, nation_row(half, "CHN")
    hidden = sites["underground"]
    assert set(sites["nation"][hidden]) == {china}
    assert (sites["reported_nation"][hidden] != china).all()
    assert (sites["reported_nation"][~hidden] == sites["nation"][~hidden]).all()
    shut = (sites["nation"] == china) & ~hidden
    assert half.site_work[shut].sum() == 0.0
    kept = half.site_work[hidden].sum() / free.site_work[free.sites["nation"] == china].sum()
    assert 0.25 < kept < 0.75
    by_site, claimed = last_share(half, "nation", "CHN"), last_share(half, "reported_nation", "CHN")
    assert by_site > 0.2
    assert claimed == 0.0


def last_share(world: World, grouping: str, member: str) -> float:
    """A member's share on the last day of shares."""
    shares = world.recorder.shares().filter(pl.col("grouping") == grouping)
    last = shares.filter(pl.col("date") == shares["date"].max())
    return float(last.filter(pl.col("member") == member)["share"].sum())


def test_a_world_without_a_running_machine_lives_on():
    world = lived("china_ban_2021", 60, events=(ban("WORLD", evasion=0.0),))
    assert (world.recorder["hashrate_ehs"][1:] == 0.0).all()
    assert world.recorder["blocks"][1:].sum() == 0.0


# --- seasons ---------------------------------------------------------------------------------


def share_of_china(world: World, province: str, month: str) -> float:
    """Mean share of a province in China's hashrate over a month."""
    shares = world.recorder.shares().filter(pl.col("grouping") == "place")
    shares = shares.filter(pl.col("date").dt.strftime("%Y-%m") == month)
    china = shares.filter(pl.col("member").str.starts_with("CHN"))
    mine = china.filter(pl.col("member") == f"CHN-{province}")
    return float(mine["share"].sum() / china["share"].sum())


def test_machines_follow_the_water():
    world = lived("china_ban_2021", 365, events=())
    sichuan = [
        share_of_china(world, "Sichuan", month) for month in ("2019-09", "2020-02", "2020-08")
    ]
    xinjiang = [
        share_of_china(world, "Xinjiang", month) for month in ("2019-09", "2020-02", "2020-08")
    ]
    assert sichuan[1] < 0.5 * sichuan[0]
    assert sichuan[2] > 1.5 * sichuan[1]
    assert xinjiang[1] > 1.3 * xinjiang[0]
    assert xinjiang[2] < xinjiang[1]


def test_after_two_years_old_machines_stand_on_cheap_power():
    world = lived("china_ban_2021", 730, events=())
    fleets = world.fleets
    active = fleets.alive & (fleets["load"] > 0.0)
    rank = spearmanr(
        fleets["efficiency"][active], world.sites["power_price"][fleets["site"][active]]
    )
    assert rank.statistic < 0.0
    assert rank.pvalue < 0.01


# --- Mesa ------------------------------------------------------------------------------------


def test_every_population_is_reached_through_its_type():
    world = lived("china_ban_2021", 30, events=())
    held = {
        Nation: world.nations, Place: world.places, Site: world.sites,
        Miner: world.miners, Fleet: world.fleets, Manufacturer: world.makers,
        Pool: world.pools, HolderGroup: world.holders,
    }  # fmt: skip
    for kind, population in held.items():
        assert world.agents_by_type[kind] is population
    assert len(world.agents) == sum(len(population) for population in held.values())


def test_a_data_collector_reads_views_of_the_world():
    world = World(small_case("china_ban_2021", 5))
    collector = DataCollector(
        model_reporters={"hashrate": lambda model: model.hashrate_ths},
        agenttype_reporters={Miner: {"work": "work"}, Site: {"energy": "energy_mwh"}},
    )
    for _ in range(3):
        world.step()
        collector.collect(world)
    totals = collector.get_model_vars_dataframe()["hashrate"].to_numpy()
    work = collector.get_agenttype_vars_dataframe(Miner)["work"].groupby(level=0).sum()
    np.testing.assert_allclose(work.to_numpy(), totals, rtol=1e-9)
    energy = collector.get_agenttype_vars_dataframe(Site)["energy"].groupby(level=0).sum()
    np.testing.assert_allclose(energy.to_numpy(), world.recorder["power_gw"] * 24e3, rtol=1e-9)


def test_batch_run_takes_a_world():
    case = small_case("china_ban_2021", 5)
    given: dict[str, Any] = {"case": [case]}
    # Seeds are a parameter of the model on Mesa 3.3 and an argument of their own from 3.4 on.
    own = {"rng": [1, 2]} if "rng" in inspect.signature(batch_run).parameters else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = batch_run(
            World, given | ({} if own else {"rng": [1, 2]}), display_progress=False, **own
        )
    last = {row["RunId"]: row["hashrate_ehs"] for row in rows}
    expected = {live(World(case, rng=seed)).recorder["hashrate_ehs"][-1] for seed in (1, 2)}
    assert set(last.values()) == expected
    assert len(expected) == 2


def test_twenty_worlds_leave_nothing_behind():
    case = small_case("china_ban_2021", 2, "start.miners=10", "start.sites=10")

    def one_world() -> weakref.ref[World]:
        return weakref.ref(live(World(case)))

    worlds = [one_world() for _ in range(20)]
    gc.collect()
    assert [world for world in worlds if world() is not None] == []


def test_two_worlds_share_nothing():
    case = small_case("china_ban_2021", 40)
    first, second = World(case), World(case)
    for one, other in zip(columns(first), columns(second), strict=True):
        assert not np.shares_memory(one, other)
    while second.running:
        first.step()
        second.step()
    alone = lived("china_ban_2021", 40)
    assert first.recorder.series().equals(alone.recorder.series())
    assert second.recorder.series().equals(alone.recorder.series())


def columns(world: World) -> list[np.ndarray]:
    """Every column of every population, and the arrays that rules write to."""
    populations = (world.nations, world.places, world.sites, world.miners, world.fleets)
    held = [table[name] for table in populations for name in table.agent_type.columns()]
    return [*held, world.book.produced, world.potential_mw, world.prices, world.rule_of_law]


# --- scenarios that cannot be, and scenarios that merely look odd ----------------------------


@pytest.mark.parametrize("mean", [1500.0, 6.0])
def test_a_mean_that_no_mix_of_cohorts_has_is_told(mean: float):
    with pytest.raises(ScenarioError, match="mean_efficiency_j_th"):
        World(
            small_case(
                "baseline_2025", 5, 'start.fleet="cohorts"', f"start.mean_efficiency_j_th={mean}"
            )
        )


@pytest.mark.parametrize(
    "sets",
    [
        ("energy.lead_time_scale=0", "energy.site_growth_month=1", "energy.place_growth_month=2"),
        ("machines.lag_months_before_2021=0",),
        ("machines.lag_months_before_2021=24",),
        ("start.miners=10", "start.sites=10"),
        ("start.capacity_margin=1", "start.seasonal_margin=1"),
        ("start.public_share=1",),
        ("start.home_share=1",),
        ("start.cash_months=0", "start.treasury_months=0"),
        ("energy.potential_scale=0",),
        ("start.machine_output_mw_month=100000", "start.cash_months=60"),
        ("firms.home_bias=1", "firms.choice_temperature=10", "firms.offers=50"),
        ("machines.idle_scrap_month=1", "machines.life_years=0.5"),
        ("firms.halt_yr=5", "firms.seizure_yr=5", "firms.entrants_yr=5"),
        ("machines.failure_yr=2", "energy.pue=2"),
        ("firms.holding_share=1", "firms.idle_days_to_vacate=1"),
    ],
)
def test_odd_scenarios_live_and_keep_the_laws(sets: tuple[str, ...]):
    world = lived("china_ban_2021", 65, *sets)
    assert world.recorder.written == 65
    assert (world.recorder["hashrate_ehs"] > 0.0).all()


def test_buyers_only_see_sites_whose_terms_are_known(monkeypatch: pytest.MonkeyPatch):
    known = []
    original = orders.propose_orders

    def watched(*given: Any) -> Any:
        _, _, _, market, _, terms, *_ = given
        known.append(market.row.max(initial=-1) < terms.power_price.size)
        return original(*given)

    monkeypatch.setattr(orders, "propose_orders", watched)
    quick = ("energy.lead_time_scale=0", "energy.site_growth_month=1")
    live(World(small_case("china_ban_2021", 130, *quick, "energy.place_growth_month=2")))
    assert len(known) > 4
    assert all(known)


def test_the_decline_firms_expect_is_a_clipped_share_of_the_growth_they_learnt():
    case = load("baseline_2025", ["firms.decline_weight=0.5"])
    learnt = [SimpleNamespace(case=case, growth=growth) for growth in (-0.1, 0.04, 0.2)]
    assert [World.decline.fget(firms) for firms in learnt] == [0.0, 0.02, 0.05]


def test_a_price_near_zero_stops_every_machine():
    world = lived("china_ban_2021", 10, 'price.mode="path"', "price.path=[[2019-09-01, 0.001]]")
    assert (world.recorder["hashrate_ehs"] == 0.0).all()


def test_own_time_is_priced_at_small_sites_only() -> None:
    """H_OWN_TIME: priced time is upkeep of the sites too small for paid hands."""
    free, priced = (
        World(small_case("baseline_2025", 1, *sets)).sites
        for sets in ((), ("firms.own_time_usd_mwh=9",))
    )
    small = priced["size_mw"] < 0.5
    assert small.any()
    assert not small.all()
    assert set(free["upkeep"][small]) == {0.0}
    assert set(priced["upkeep"][small]) == {9.0}
    assert set(free["upkeep"][~small]) == set(priced["upkeep"][~small]) == {4.5}


def test_overclocked_machines_are_more_often_in_repair() -> None:
    """Their hazard takes hashrate from the machines above their nominal clock, from no others."""
    world = live(World(small_case("solar_path_2035", 3, "machines.clocking=true")))
    owner = np.maximum(world.fleets["miner"], 0)

    def working(hazard: float) -> np.ndarray:
        terms = world.case.machines.model_copy(update={"overclock_failure_yr": hazard})
        world.case = world.case.model_copy(update={"machines": terms})
        return world.clock_machines(owner)[0]

    calm, wild = working(0.0), working(2.0)
    hashrate = world.fleets["hashrate"]
    fast, slow = calm > hashrate, calm < 0.9 * hashrate
    assert fast.any()
    assert slow.any()
    assert np.all(wild[fast] < calm[fast])
    np.testing.assert_array_equal(wild[slow], calm[slow])
