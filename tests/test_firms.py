"""Firms in the world: growth, failure, machines bought and sold, and who is outbid."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

from agents import banking, building, buying, failing, leasing, moving, trading
from agents.fleet import NEVER
from agents.miner import HOME, PRIVATE, PUBLIC, STATE
from agents.site import AI
from model.markets import compute, used
from model.world import World
from tests.test_world import ban, lived, nation_row, small_case

SOLVENT, RESTRUCTURING, LIQUIDATED = 0, 2, 3
CALM = ("firms.hazards=false", "compute.bidders=false")


def held(world: World) -> np.ndarray:
    """TH/s of each firm, under way included."""
    fleets = world.fleets
    return np.bincount(
        fleets["miner"][fleets.rows],
        weights=fleets["hashrate"][fleets.rows],
        minlength=world.miners.size,
    )


def ruin(world: World, firms: np.ndarray) -> None:
    """Take all a firm has and leave it more debt than anybody lends on."""
    miners = world.miners
    world.market_sat += int(miners["treasury_sat"][firms].sum())
    miners["treasury_sat"][firms] = 0
    world.pay(firms, miners["cash"][firms] + 1e9, "lenders")
    miners["debt"][firms] = 1e15


def ruined_world(law: float, *sets: str, days: int = 160) -> tuple[World, np.ndarray]:
    """A world on its third day, all of whose public firms have just failed, and their rows."""
    case = small_case(
        "china_ban_2021", days, *CALM, "firms.entry=false", "start.public_share=0.04", *sets,
        events=(),
    )  # fmt: skip
    world = World(case)
    world.rule_of_law = np.full(world.nations.size, law)
    world.step()
    firms = np.flatnonzero(world.miners["form"] == PUBLIC)
    assert firms.size > 1
    ruin(world, firms)
    world.step()
    return world, firms


# --- capital ---------------------------------------------------------------------------------

BULL = (
    'price.mode="path"',
    "price.path=[[2025-04-04, 83000.0], [2025-06-01, 166000.0], [2027-12-31, 166000.0]]",
)


@cache
def after_a_bull_run(depth: float, seed: int) -> tuple[float, float]:
    """Growth of the five largest firms, and of the firms that were public at the start."""
    size = ("start.miners=300", "start.sites=450", "record.ledger_every_days=30")
    case = small_case(
        "baseline_2025", 400, *BULL, *CALM, *size, "firms.bankruptcy=false",
        f"firms.capital_depth_scale={depth}", seed=seed,
    )  # fmt: skip
    world = World(case)
    before, public = held(world), np.flatnonzero(world.miners["form"] == PUBLIC)
    while world.running:
        world.step()
    after, top = held(world), np.argsort(-before)[:5]
    return (
        float(after[top].sum() / before[top].sum()),
        float(after[public].sum() / before[public].sum()),
    )


def test_without_capital_markets_the_largest_firms_grow_less():
    shallow, deep = (
        np.mean([after_a_bull_run(depth, seed) for seed in (1, 2, 3)], axis=0) for depth in (0, 1)
    )
    assert shallow[0] < deep[0]
    assert shallow[1] < deep[1]


def test_public_firms_compound_with_the_depth_of_their_market():
    growth = [after_a_bull_run(depth, 1)[1] for depth in (0, 0.5, 1)]
    assert growth[0] < growth[1] < growth[2]


# --- failure ---------------------------------------------------------------------------------


def test_under_law_a_public_firm_restructures_and_mines_on():
    world, firms = ruined_world(law=0.9)
    miners = world.miners
    assert (miners["status"][firms] == RESTRUCTURING).all()
    work = miners["work"][firms].sum()
    assert work > 0.0
    left = miners["status_until"][firms] - world.day
    assert ((left > 5.9 * 30.4) & (left < 14.1 * 30.5)).all()
    debt = miners["debt"][firms].copy()
    while world.running:
        world.step()
    assert miners["work"][firms].sum() > 0.8 * work
    # Its creditors wait: no interest, no repayment.
    assert miners["debt"][firms].tolist() == debt.tolist()


def test_without_law_it_is_liquidated():
    world, firms = ruined_world(law=0.1)
    miners, fleets = world.miners, world.fleets
    assert (miners["status"][firms] == LIQUIDATED).all()
    assert not np.isin(fleets["miner"][fleets.rows], firms).any()
    assert world.recorder["bankruptcies"][-1] == firms.size
    kinds = world.recorder.events()["kind"].to_list()
    assert kinds.count("bankruptcy") == firms.size
    world.step()
    assert (miners["work"][firms] == 0.0).all()


def test_restructuring_keeps_hash_that_liquidation_loses():
    kept = []
    for law in (0.9, 0.1):
        world, firms = ruined_world(law)
        abroad = np.isin(world.miners["nation"], np.unique(world.miners["nation"][firms]))
        while world.running:
            world.step()
        kept.append(held(world)[abroad].sum())
    assert kept[0] > kept[1]


def test_a_bankrupt_firm_mines_exactly_while_hashes_pay_their_power():
    drop = (
        'price.mode="path"',
        "price.path=[[2019-09-01, 9600.0], [2019-09-09, 9600.0], [2019-09-10, 3000.0]]",
    )
    world, firms = ruined_world(0.9, *drop, days=12)
    seen = []
    while world.running:
        world.step()
        seen.append(runs_as_it_should(world, firms))
    paying = np.concatenate([pays for pays, _ in seen])
    running = np.concatenate([runs for _, runs in seen])
    assert paying.tolist() == running.tolist()
    assert 0.1 < paying.mean() < 0.9


def runs_as_it_should(world: World, firms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each machine of bankrupt firms where power is to spare: does it pay, does it run."""
    fleets, sites = world.fleets, world.sites
    assert (world.miners["status"][firms] == RESTRUCTURING).all()
    placed = fleets.alive & (fleets["site"] >= 0) & (fleets["ready_on"] <= world.day - 1)
    need = fleets["hashrate"] * fleets["efficiency"] * 1e-6 * sites["pue"][fleets["site"]]
    wanted = np.bincount(fleets["site"][placed], need[placed], sites.size)
    roomy = (sites["hourly"] < 0) & (wanted < sites["available_mw"])
    rows = np.flatnonzero(
        placed & np.isin(fleets["miner"], firms) & roomy[fleets["site"]]
        & (fleets["ready_on"] < world.day - 1)
    )  # fmt: skip
    cost = (sites["power_price"] + world.case.energy.idle_cost_usd_mwh) * sites["pue"]
    pays = world.hashprice > cost[fleets["site"][rows]] * fleets["efficiency"][rows] * 24e-6
    return pays, fleets["load"][rows] > 0.0


def test_half_the_price_leaves_cheap_miners_without_debt_alone():
    crash = (
        'price.mode="path"',
        "price.path=[[2019-09-01, 9600.0], [2019-10-01, 9600.0], [2019-10-02, 4800.0]]",
    )
    poor = ("start.cash_months=0.5", "start.treasury_months=0")
    world = World(
        small_case("china_ban_2021", 200, *CALM, *crash, *poor, "firms.entry=false", events=())
    )
    world.miners["debt"][:] = 0.0
    world.step()
    fleets, sites, miners = world.fleets, world.sites, world.miners
    # All of a cheap miner's machines pay at half the hashprice and a quarter less again.
    cost = (sites["power_price"] + 0.5) * sites["pue"]
    placed = fleets.rows[fleets["site"][fleets.rows] >= 0]
    running = cost[fleets["site"][placed]] * fleets["efficiency"][placed] * 24e-6
    dearest = np.zeros(miners.size)
    np.maximum.at(dearest, fleets["miner"][placed], running)
    cheap = (dearest > 0) & (dearest < 0.375 * world.hashprice) & (miners["form"] != HOME)
    assert cheap.sum() >= 3
    before = held(world)[cheap].sum()
    while world.running:
        world.step()
    assert (miners["status"][cheap] == SOLVENT).all()
    assert held(world)[cheap].sum() > 0.9 * before


def test_liquidated_machines_stay_where_they_are_or_are_scrapped():
    case = small_case("china_ban_2021", 4, *CALM, "firms.entry=false", events=())
    world = World(case)
    world.step()
    fleets, miners = world.fleets, world.miners
    firms = np.flatnonzero(
        (miners["form"] == PRIVATE) & (miners["nation"] == nation_row(world, "USA"))
    )[:3]
    lost = held(world)[firms].sum()
    others, scrapped = np.delete(held(world), firms).sum(), world.book.scrapped.sum()
    site_before = np.bincount(
        np.maximum(fleets["site"], 0), fleets["hashrate"] * (fleets["site"] >= 0), world.sites.size
    )
    rows = fleets.rows[np.isin(fleets["miner"][fleets.rows], firms)]
    failing.liquidate(world, firms)
    gained = held(world).sum() - others
    assert gained + world.book.scrapped.sum() - scrapped == pytest.approx(lost)
    still = rows[fleets.alive[rows]]
    assert (miners["status"][fleets["miner"][still]] == SOLVENT).all()
    site_after = np.bincount(
        np.maximum(fleets["site"], 0), fleets["hashrate"] * (fleets["site"] >= 0), world.sites.size
    )
    assert (site_after <= site_before * (1 + 1e-12)).all()


def test_a_liquidated_fleet_that_was_to_make_room_still_does():
    world = World(small_case("china_ban_2021", 40, *CALM, events=()))
    for _ in range(35):
        world.step()
    fleets = world.fleets
    leaving = fleets.rows[
        (fleets["leaves_on"][fleets.rows] != NEVER) & (fleets["site"][fleets.rows] >= 0)
    ]
    assert leaving.size > 0
    world.count_seats()
    booked = (world.sites["used_mw"] + world.sites["reserved_mw"]).copy()
    failing.liquidate(world, np.unique(fleets["miner"][leaving])[:5])
    world.count_seats()
    more = world.sites["used_mw"] + world.sites["reserved_mw"] - booked
    assert more.max() < 1e-9


def test_a_failed_firm_keeps_nothing():
    world, firms = ruined_world(law=0.1)
    for column in ("cash", "debt", "treasury_sat"):
        assert np.abs(world.miners[column][firms]).max() < 1e-3


# --- machines --------------------------------------------------------------------------------


def test_without_entry_no_machine_is_added():
    world = World(small_case("china_ban_2021", 200, "firms.entry=false", events=()))
    ever = held(world).sum() + world.book.scrapped.sum()
    firms = len(world.miners)
    while world.running:
        world.step()
    assert held(world).sum() + world.book.scrapped.sum() == pytest.approx(ever, rel=1e-9)
    assert len(world.miners) == firms
    buys = lived("china_ban_2021", 200, events=())
    assert held(buys).sum() + buys.book.scrapped.sum() > 1.05 * ever


def capacities(*sets: str) -> list[float]:
    """The maker's capacity month by month in a boom."""
    boom = ('price.mode="path"', "price.path=[[2019-09-01, 9600.0], [2019-12-01, 40000.0]]")
    world, seen = World(small_case("china_ban_2021", 200, *boom, *sets, events=())), []
    while world.running:
        world.step()
        seen.append(float(world.makers["capacity_mw"][0]))
    return seen


def test_a_frozen_maker_never_grows():
    frozen = capacities("machines.output_frozen_from=2019-09-01")
    assert np.all(np.diff(frozen) <= 0.0)
    assert frozen[0] <= 325.0
    free = capacities()
    assert free[-1] > 1.2 * frozen[-1]


def test_a_maker_frozen_later_grows_until_then():
    seen = capacities("machines.output_frozen_from=2019-12-01")
    day = 91  # 2019-12-01
    assert max(seen[:day]) > seen[0]
    assert max(seen[day:]) <= seen[day - 1]


def test_electricity_is_four_fifths_of_operating_cost():
    world = lived("baseline_2025", 65)
    assert world.recorder["electricity_share_of_opex"].mean() == pytest.approx(0.80, abs=0.05)


def test_firms_can_be_measured_after_fleets_were_split():
    world = World(small_case("china_ban_2021", 3))
    world.step()
    before = world.miners["power_mw"].copy()
    rows = world.fleets.rows
    buying.split_off(world, rows, np.full(rows.size, 0.5))
    banking.measure_firms(world)
    assert world.miners["power_mw"].sum() == pytest.approx(before.sum(), rel=0.05)


def test_what_the_used_market_clears_changes_hands_and_is_paid(monkeypatch: pytest.MonkeyPatch):
    cleared, handed, paid, earned = [], [], [], []
    # Machines that a ban has put into warehouses are for sale.
    world = World(small_case("china_ban_2021", 100, events=(ban(evasion=0.0),), seed=2))
    auction, settle, pay, earn = used.call_auction, trading.settle_moves, world.pay, world.earn

    def watch_auction(*sides: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        result = auction(*sides)
        cleared.append(float(result[1].sum()))
        return result

    def watch_moves(world: World, rows: np.ndarray, *given: np.ndarray) -> None:
        handed.append(float(world.fleets["hashrate"][rows].sum()))
        settle(world, rows, *given)

    def watch_pay(rows: np.ndarray, amounts: np.ndarray, account: str) -> None:
        paid.extend(amounts if account == "traders" else ())
        pay(rows, amounts, account)

    def watch_earn(rows: np.ndarray, amounts: np.ndarray, account: str) -> None:
        earned.extend(amounts if account == "traders" else ())
        earn(rows, amounts, account)

    monkeypatch.setattr(used, "call_auction", watch_auction)
    monkeypatch.setattr(trading, "settle_moves", watch_moves)
    monkeypatch.setattr(world, "pay", watch_pay)
    monkeypatch.setattr(world, "earn", watch_earn)
    while world.running:
        world.step()
    assert sum(paid) == pytest.approx(sum(earned), rel=1e-12)
    assert sum(cleared) > 0.0
    # Splinters too small for a truck may be left.
    assert 0.8 * sum(cleared) < sum(handed) <= sum(cleared) * (1 + 1e-9)


# --- law and other bidders -------------------------------------------------------------------


def test_a_halted_firm_stops_and_starts_again():
    world = World(small_case("china_ban_2021", 12, "firms.hazards=false", events=()))
    world.step()
    firm = int(np.argmax(world.miners["work"]))
    work = float(world.miners["work"][firm])
    world.miners["halted_until"][firm] = 4
    seen = []
    for _ in range(7):
        world.step()
        seen.append(float(world.miners["work"][firm]))
    assert seen[:4] == [0.0] * 4
    assert seen[4] > 0.7 * work


def test_a_seized_site_loses_its_machines():
    world = World(small_case("china_ban_2021", 5, "firms.hazards=false", events=()))
    world.step()
    site = int(np.argmax(world.site_work))
    total, scrapped = held(world).sum(), world.book.scrapped.sum()
    banking.seize_sites(world, np.array([site]))
    lost = total - held(world).sum()
    assert lost > 0.0
    assert world.book.scrapped.sum() - scrapped == pytest.approx(lost)
    world.step()
    assert world.site_work[site] == 0.0


def test_large_grid_sites_keep_to_the_room_of_their_nation():
    world = World(small_case("baseline_2025", 5))
    grid, sizes = world.types.on_grid[world.cells.type], np.full(len(world.cells), 150.0)
    # What was in hand on the first day has taken some of a year's growth.
    year = world.case.energy.large_grid_growth_yr * building.large_potential(world)
    assert (world.nations["large_room"] <= year * (1 + 1e-12)).all()
    assert world.nations["large_room"].sum() > 0.5 * year.sum()
    world.nations["large_room"][:] = 149.0
    assert (building.ration_large(world, sizes) == np.where(grid, 99.0, 150.0)).all()
    world.nations["large_room"][:] = 200.0
    assert (building.ration_large(world, sizes) == 150.0).all()
    cell = np.flatnonzero(grid)[:1]
    building.spend_large(world, cell, sizes[cell], sizes[cell])
    nation = world.places["nation"][world.cells.place[cell[0]]]
    assert world.nations["large_room"][nation] == 50.0


def test_bidders_for_computation_win_large_sites():
    world = World(small_case("baseline_2025", 5))
    cell = next(
        row
        for row in range(len(world.cells.place))
        if world.types.name[world.cells.type[row]] == "grid_industrial"
        and world.nations["large_ai"][world.places["nation"][world.cells.place[row]]]
    )
    size = np.geomspace(0.5, 800.0, 6000)
    world.block_mw = 1e9
    rows = building.add_sites(
        world, np.full(size.size, cell), size, size, np.full(size.size, 100, dtype=np.int64),
        np.random.default_rng(1),
    )  # fmt: skip
    assert rows.size == size.size
    world.nations["ai_backlog"][:] = 1e12
    leasing.offer_new_sites(world, rows)
    won = world.sites["tenant"][rows] == AI
    terms = world.case.compute
    chance = compute.win_probability(
        size, half_size_mw=terms.half_size_mw, width=terms.width, most=terms.most
    )
    for part in np.array_split(np.arange(size.size), 6):
        mean = chance[part].mean()
        error = np.sqrt(mean * (1 - mean) / part.size)
        assert won[part].mean() == pytest.approx(mean, abs=3.5 * error + 1e-3)
    assert won[size < 5.0].mean() < 0.02
    assert won[size > 300.0].mean() > 0.8


def test_bidders_for_computation_stop_when_they_have_enough():
    world = World(small_case("baseline_2025", 5))
    backlog = world.nations["ai_backlog"].copy()
    assert backlog.sum() > 0.0
    world.nations["ai_backlog"][:] = 0.0
    rows = np.flatnonzero(world.types.ai_may_bid[world.sites["kind"]] > 0)
    leasing.offer_new_sites(world, rows)
    assert (world.sites["tenant"][rows] != AI).all()


def test_demand_for_computation_grows_by_its_yearly_rate():
    sets = ("compute.backlog_growth_yr=1.0", "compute.most=0.0")
    world = World(small_case("baseline_2025", 366, *sets, "record.ledger_every_days=60"))
    before = float(world.nations["ai_backlog"].sum())
    while world.running:
        world.step()
    assert world.nations["ai_backlog"].sum() == pytest.approx(2.0 * before, rel=0.1)


def test_homes_and_states_do_not_borrow():
    world = lived("china_ban_2021", 200, events=())
    outside = np.isin(world.miners["form"], (HOME, STATE))
    assert outside.any()
    assert world.miners["debt"][outside].max() == 0.0


def test_a_firm_that_has_sold_its_last_machine_closes_and_pays_its_owners():
    world = World(small_case("china_ban_2021", 300, *CALM, "firms.entry=false", events=()))
    miners, fleets = world.miners, world.fleets
    row = int(np.flatnonzero((miners["form"] == PRIVATE) & (miners["debt"] > 0))[0])
    world.step()
    moving.scrap(world, fleets.rows[fleets["miner"][fleets.rows] == row], np.ones(1))
    world.earn(np.array([row]), np.array([1e9]), "endowment")
    debt, paid = miners["debt"][row], world.accounts.balances_usd["shareholders"]
    assert debt > 0
    while world.running:
        world.step()
    assert miners["status"][row] == 3
    assert (miners["cash"][row], miners["debt"][row], miners["treasury_sat"][row]) == (0.0, 0.0, 0)
    assert world.accounts.balances_usd["shareholders"] - paid > 0.9e9
    told = world.recorder.events().filter(pl.col("kind") == "exit")
    assert told["subject"].to_list().count(world.firm_name(row)) == 1
