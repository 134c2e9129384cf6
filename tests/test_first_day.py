"""The first day: machines, sites and firms add up to what was observed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import spearmanr

from agents.miner import HOME, PRIVATE, PUBLIC, STATE
from model import first_day
from model.scenario import load, with_days
from model.world import World
from tests.test_world import small_case

NAMES = ("china_ban_2021", "history", "outlook_2021", "baseline_2025")


@cache
def fresh(name: str, full: bool = False) -> World:
    """A world on its first morning."""
    return World(with_days(load(name), 2) if full else small_case(name, 2))


def running(world: World) -> np.ndarray:
    """TH/s of each fleet that runs as the day begins."""
    world.run_machines()
    return world.effective * world.fleets["load"]


def held(world: World) -> np.ndarray:
    """TH/s of each firm's machines in place."""
    fleets = world.fleets
    here = fleets.alive & (fleets["ready_on"] <= 0)
    return np.bincount(
        fleets["miner"][here], weights=fleets["hashrate"][here], minlength=world.miners.size
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_machines_that_run_make_the_observed_hashrate(name: str):
    world = fresh(name)
    running(world)
    assert world.hashrate_ths / 1e6 == pytest.approx(world.case.start.hashrate_ehs, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_places_have_their_observed_shares(name: str):
    world = fresh(name)
    work = running(world)
    placed = world.fleets["site"] >= 0
    place = world.sites["place"][world.fleets["site"][placed]]
    share = np.bincount(place, work[placed], world.places.size) / work.sum()
    assert world.first_shares.sum() == pytest.approx(1.0)
    assert np.abs(share - world.first_shares).max() < 0.01


@pytest.mark.parametrize("full", [False, True])
def test_efficiency_and_power_of_september_2019(full: bool):
    world = fresh("china_ban_2021", full)
    work = running(world)
    efficiency = np.average(world.fleets["efficiency"], weights=work)
    assert efficiency == pytest.approx(85.8, abs=8.0)
    assert work.sum() * efficiency * 1e-6 / 1e3 == pytest.approx(7.6, abs=0.8)


def test_the_fleet_of_2025_is_tilted_to_its_mean():
    world = fresh("baseline_2025")
    installed = np.average(world.fleets["efficiency"], weights=held_by_fleet(world))
    assert installed == pytest.approx(world.case.start.mean_efficiency_j_th, rel=0.02)
    mix = world.first_mix
    assert mix @ world.generations.efficiency_j_th == pytest.approx(
        world.case.start.mean_efficiency_j_th, rel=1e-6
    )


def held_by_fleet(world: World) -> np.ndarray:
    return np.where(world.fleets["ready_on"] <= 0, world.fleets["hashrate"], 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_both_margins_are_met_and_old_machines_are_on_cheap_power(name: str):
    world = fresh(name)
    table = first_day.spread_generations(world, world.first_shares)
    total = world.case.start.hashrate_ehs * 1e6
    np.testing.assert_allclose(table.sum(axis=1), world.first_shares * total, atol=1e-6 * total)
    np.testing.assert_allclose(table.sum(axis=0), world.first_mix * total, atol=1e-6 * total)
    assert (table >= 0.0).all()
    here = table.sum(axis=1) > 0.0
    mean = table[here] @ world.generations.efficiency_j_th / table[here].sum(axis=1)
    assert spearmanr(mean, world.place_prices()[here]).statistic < -0.9


@pytest.mark.parametrize("name", NAMES)
def test_no_site_holds_more_than_its_capacity(name: str):
    world = fresh(name)
    world.count_seats()
    sites = world.sites
    booked = sites["used_mw"] + sites["reserved_mw"]
    assert (booked / sites["capacity_mw"]).max() <= 1.0 + 1e-6


def test_capacity_is_load_and_a_margin():
    world = fresh("china_ban_2021")
    sites, start = world.sites, world.case.start
    capacity = sites["capacity_mw"][(sites["energised_on"] <= 0) & ~world.in_china[sites["place"]]]
    power = world.fleets["hashrate"] * world.fleets["efficiency"] * 1e-6 * world.case.energy.pue
    in_place = (world.fleets["ready_on"] <= 0) & (world.fleets["site"] >= 0)
    abroad = in_place & ~world.in_china[sites["place"][world.fleets["site"]]]
    assert capacity.sum() == pytest.approx(start.capacity_margin * power[abroad].sum(), rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_each_place_pays_its_delivered_price_on_average(name: str):
    world = fresh(name)
    sites, energised = world.sites, world.sites["energised_on"] <= 0
    plain = sites["generation_wet"] + sites["transmission"]
    weight = sites["capacity_mw"] * energised
    place = sites["place"]
    total = np.bincount(place, weight, world.places.size)
    mean = np.bincount(place, weight * plain, world.places.size) / np.maximum(total, 1e-12)
    wet, _ = world.place_prices_by_season()
    there = total > 1.0
    # Few prices are cut at the least price, which lifts the mean of the cheapest places a little.
    assert np.abs(mean - wet)[there].max() < 1.5


# --- firms -----------------------------------------------------------------------------------


def test_sizes_of_firms_follow_zipfs_law_within_a_nation():
    world = fresh("china_ban_2021", full=True)
    size, nation = held(world), world.miners["nation"]
    for code in ("CHN", "USA", "RUS"):
        mine = np.sort(size[nation == world.nation_names.index(code)])[::-1]
        rank = np.arange(1, mine.size + 1)
        assert mine.size > 15
        np.testing.assert_allclose(mine * rank, mine[0], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_firms_are_spread_over_nations_by_hashrate(name: str):
    world = fresh(name, full=True)
    firms = np.bincount(world.miners["nation"], minlength=world.nations.size)
    share = np.bincount(world.places["nation"], world.first_shares, world.nations.size)
    assert (firms >= (share > 0)).all()
    large = share > 0.02
    expected = share[large] * world.case.start.miners
    np.testing.assert_allclose(firms[large], expected, rtol=0.15, atol=2)


@pytest.mark.parametrize("name", NAMES)
def test_forms_have_their_shares_of_the_hashrate(name: str):
    world = fresh(name, full=True)
    start, size, form = world.case.start, held(world), world.miners["form"]
    total = size.sum()
    for kind, share in (
        (PUBLIC, start.public_share), (STATE, start.state_share), (HOME, start.home_share),
    ):  # fmt: skip
        mine = form == kind
        # Right but for half of the firm that straddles the boundary.
        error = 0.5 * max(size[mine].max(initial=0.0), size[~mine].min()) / total + 1e-3
        assert size[mine].sum() / total == pytest.approx(share, abs=max(error, 0.005))
    assert (form[size > 0] == PRIVATE).any()


def test_households_share_rows_and_others_stand_for_themselves():
    world = fresh("china_ban_2021", full=True)
    homes = world.miners["form"] == HOME
    each = world.miners["power_mw"] / world.miners["multiplicity"]
    assert each[homes].max() < 0.02
    assert (world.miners["multiplicity"][~homes] == 1).all()


def test_firms_have_cash_coins_and_debt_in_proportion():
    world = fresh("china_ban_2021")
    miners, start = world.miners, world.case.start
    running(world)
    active = miners["work"] > 0
    months = miners["cash"] / (30.4375 * (miners["power_bill"] + world.services_bill))
    assert np.median(months[active]) == pytest.approx(start.cash_months, rel=0.05)
    sat = miners["work"] * world.hashprice / world.price_usd * 1e8 * 30.4375
    coins = miners["treasury_sat"] / np.maximum(start.treasury_months * sat, 1.0)
    assert np.median(coins[active]) == pytest.approx(1.0, rel=0.02)
    assert miners["treasury_sat"].sum() == pytest.approx(sat.sum(), rel=0.02)
    assert (miners["debt"][(miners["form"] == HOME) | (miners["form"] == STATE)] == 0.0).all()
    assert miners["debt"][miners["form"] == PRIVATE].sum() > 0.0


# --- seasons and seeds -----------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_machines_on_seasonal_water_have_a_seat_for_the_dry_season(full: bool):
    world = fresh("china_ban_2021", full)
    sites, fleets = world.sites, world.fleets
    seasonal = sites["duty_wet"] - sites["duty_dry"] > 0.2
    paired = np.flatnonzero(fleets.alive & (fleets["second_site"] >= 0))
    here, there = fleets["site"][paired], fleets["second_site"][paired]
    assert (seasonal[here] != seasonal[there]).all()
    assert world.in_china[sites["place"][np.concatenate((here, there))]].all()
    on_water = fleets.alive & (fleets["site"] >= 0) & (fleets["ready_on"] <= 0)
    on_water &= seasonal[fleets["site"]] & world.in_china[sites["place"][fleets["site"]]]
    hashrate = fleets["hashrate"]
    assert hashrate[paired].sum() > 0.5 * hashrate[on_water].sum()


def test_ages_lie_between_the_first_shipping_and_today():
    world = fresh("china_ban_2021")
    fleets = world.fleets
    old = fleets.rows[fleets["ready_on"][fleets.rows] <= 0]
    shipped = world.generations.shipping - world.first_ordinal
    oldest = np.minimum(shipped, -30)[fleets["generation"][old]]
    assert (fleets["born"][old] <= 0.0).all()
    assert (fleets["born"][old] >= oldest).all()


def test_seeds_differ_and_a_seed_repeats():
    one, again, other = (World(small_case("china_ban_2021", 2), rng=seed) for seed in (1, 1, 2))
    assert one.sites["generation_wet"].tolist() == again.sites["generation_wet"].tolist()
    assert one.fleets["hashrate"].tolist() == again.fleets["hashrate"].tolist()
    assert one.sites["generation_wet"].tolist() != other.sites["generation_wet"].tolist()


def test_orders_under_way_are_the_makers_first_output():
    world = fresh("china_ban_2021", full=True)
    fleets = world.fleets
    waiting = fleets.alive & (fleets["ready_on"] > 0)
    power = (fleets["hashrate"] * fleets["efficiency"])[waiting].sum() * 1e-6
    lag, output = world.lag_months, world.case.start.machine_output_mw_month
    assert 0.6 * lag * output < power <= lag * output * (1 + 1e-9)
    assert fleets["ready_on"][waiting].max() <= (lag + 1) * 31
