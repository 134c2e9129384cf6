"""The laws of conservation hold every day of every scenario, and a breach is noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from agents.site import Site
from model import accounting, ledger
from model.chain.blocks import supply_sat
from model.events import Ban, Curtail, Outage, Tax
from model.ledger import BrokenLaw
from model.scenario import catalogue
from model.world import World
from tests.test_world import live, lived, small_case

DAYS = 120
SCENARIOS = [name for name, _ in catalogue()]
TROUBLE = (
    Ban(kind="ban", date=date(2019, 9, 20), place="CHN-Sichuan", evasion=0.3, affected=0.6),
    Outage(
        kind="outage", date=date(2019, 9, 25), until=date(2019, 10, 12), place="RUS", available=0.1
    ),
    Curtail(kind="curtail", date=date(2019, 10, 3), until=date(2019, 11, 1), place="USA"),
    Tax(kind="tax", date=date(2019, 10, 5), place="KAZ", power_usd_mwh=10.0, revenue_share=0.3),
    Ban(kind="ban", date=date(2019, 11, 1), until=date(2019, 12, 1), place="IRN", lead_days=5),
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_laws_hold_in_every_scenario(name: str):
    world = lived(name, DAYS)
    assert world.case.record.ledger_every_days == 1
    assert world.recorder.written == DAYS
    check_by_hand(world)


@pytest.mark.parametrize(
    "sets",
    [
        (),
        ('chain.payout="solo"',),
        ('chain.blocks="event"',),
        ("machines.used_market=false", "firms.relocation=false"),
        ("firms.entry=false",),
        ("start.cash_months=0", "start.treasury_months=0", "start.public_share=0.05"),
        ("firms.halt_yr=5", "firms.seizure_yr=5", "bans.surviving=0"),
    ],
)
def test_the_laws_hold_in_trouble(sets: tuple[str, ...]):
    world = lived("china_ban_2021", DAYS, *sets, events=TROUBLE)
    kinds = set(world.recorder.events()["kind"])
    assert {"ban", "outage", "curtail", "tax"} <= kinds
    check_by_hand(world)


def check_by_hand(world: World) -> None:
    """The same laws, counted anew from the world's tables."""
    miners, fleets, sites = world.miners, world.fleets, world.sites
    assert world.chain.supply_sat == supply_sat(world.chain.height)
    reserves = int(world.nations["reserve_sat"].sum() + world.pools["reserve_sat"].sum())
    held = world.market_sat + reserves + int(miners["treasury_sat"].sum())
    assert held == world.chain.supply_sat
    assert (miners["treasury_sat"] >= 0).all()
    assert (fleets["hashrate"][fleets.rows] >= 0.0).all()
    accounts = sum(world.accounts.balances_usd.values()) + float(miners["cash"].sum())
    assert abs(accounts) < 1e-6 * world.accounts.moved_usd
    installed = np.bincount(
        fleets["generation"][fleets.rows],
        weights=fleets["hashrate"][fleets.rows],
        minlength=len(world.generations),
    )
    found = installed + world.book.inventory + world.book.scrapped
    np.testing.assert_allclose(found, world.book.produced, rtol=1e-9)
    assert (sites["energy_mwh"] / 24 <= sites["available_mw"] * (1 + 1e-9)).all()
    assert world.miners["work"].sum() == pytest.approx(world.hashrate_by_hour.mean(), rel=1e-9)
    for column in ("hashrate_ehs", "power_gw"):
        assert (world.recorder[column] >= 0.0).all()
    shares = world.recorder.shares().group_by("date", "grouping").agg(total=_sum_of_share())
    np.testing.assert_allclose(shares["total"].to_numpy(), 1.0, rtol=1e-9)


def _sum_of_share() -> Any:
    import polars as pl

    return pl.col("share").sum()


@pytest.mark.parametrize("payout", ["shared", "solo"])
def test_payouts_of_a_day_are_the_rewards_of_its_blocks(payout: str):
    world = World(small_case("china_ban_2021", 15, f'chain.payout="{payout}"'))
    while world.running:
        world.step()
        assert int(world.miners["earned_sat"].sum()) == world.blocks.reward_sat
        assert world.blocks.reward_sat == int(world.blocks.block_rewards_sat.sum())
        ledger.check_pool(world.miners["earned_sat"], world.blocks.reward_sat, 0, 0)


@pytest.mark.parametrize("name", ["china_ban_2021", "baseline_2025"])
def test_no_seat_is_given_twice(name: str):
    world = World(small_case(name, DAYS))
    excess = []
    while world.running:
        world.step()
        if world.seats_changed:
            world.count_seats()
        booked = world.sites["used_mw"] + world.sites["reserved_mw"]
        over = np.maximum(booked - world.sites["capacity_mw"], 0.0)
        excess.append(float(over.sum() / world.sites["capacity_mw"].sum()))
    assert max(excess) < 1e-6


def test_no_machine_is_in_two_places_or_nowhere_and_running():
    world = lived("china_ban_2021", DAYS, events=TROUBLE)
    fleets, sites = world.fleets, world.sites
    rows = fleets.rows
    stored = rows[fleets["site"][rows] < 0]
    assert (fleets["load"][stored] == 0.0).all()
    placed = rows[fleets["site"][rows] >= 0]
    assert (fleets["nation"][placed] == sites["nation"][fleets["site"][placed]]).all()
    assert sites.alive[fleets["site"][placed]].all()
    closed = sites["tenant"][fleets["site"][placed]] != 0
    assert (fleets["load"][placed][closed] == 0.0).all()
    efficiency = world.generations.efficiency_j_th[fleets["generation"][rows]]
    assert (fleets["efficiency"][rows] == efficiency).all()
    assert world.miners.alive[fleets["miner"][rows]].all()
    assert (world.miners["status"][fleets["miner"][rows]] < 3).all()


# --- breaches --------------------------------------------------------------------------------


def add_coins(world: World) -> None:
    world.miners["treasury_sat"][3] += 1


def lose_market_coins(world: World) -> None:
    world.market_sat -= 1


def claim_too_much(world: World) -> None:
    world.chain.coinbase_sat += 1


def print_money(world: World) -> None:
    world.miners["cash"][2] += 1e-6 * world.accounts.moved_usd


def pay_nobody(world: World) -> None:
    world.accounts.balances_usd["utility"] += 1e-6 * world.accounts.moved_usd


def conjure_machines(world: World) -> None:
    world.fleets["hashrate"][world.fleets.rows[5]] *= 1.01


def lose_machines(world: World) -> None:
    world.fleets.remove(world.fleets.rows[:1])


def count_work_twice(world: World) -> None:
    world.miners["work"] *= 1.0 + 1e-6


def overload(world: World) -> None:
    row = int(np.argmax(world.sites["energy_mwh"]))
    world.sites["energy_mwh"][row] = 24.001 * world.sites["available_mw"][row]


def shift_shares(world: World) -> None:
    world.nation_shares = world.nation_shares * 1.001


@pytest.mark.parametrize(
    ("breach", "law"),
    [
        (add_coins, "balances"), (lose_market_coins, "balances"), (claim_too_much, "coinbase"),
        (print_money, "money"), (pay_nobody, "money"), (conjure_machines, "machines"),
        (lose_machines, "machines"), (count_work_twice, "hash"), (overload, "energy"),
        (shift_shares, "shares"),
    ],
)  # fmt: skip
def test_a_breach_of_each_law_is_noticed(breach: Callable[[World], None], law: str):
    world = World(small_case("china_ban_2021", 12))
    for _ in range(10):
        world.step()
    accounting.check_laws(world)
    breach(world)
    with pytest.raises(BrokenLaw) as noticed:
        accounting.check_laws(world)
    assert noticed.value.law == law


def test_a_breach_inside_a_run_ends_it(monkeypatch: pytest.MonkeyPatch):
    original = Site.supply_power.function
    world = World(small_case("china_ban_2021", 12))

    def leaky(sites: Any, *given: Any) -> None:
        original(sites, *given)
        if world.day == 5:
            world.miners["treasury_sat"][0] += 1

    monkeypatch.setattr(Site.supply_power, "function", leaky)
    with pytest.raises(BrokenLaw):
        live(world)
    assert world.day == 5


def test_laws_are_checked_as_often_as_asked(monkeypatch: pytest.MonkeyPatch):
    days: list[int] = []
    monkeypatch.setattr(accounting, "check_laws", lambda world: days.append(world.day))
    live(World(small_case("china_ban_2021", 11, "record.ledger_every_days=5")))
    assert days == [0, 5, 10]
