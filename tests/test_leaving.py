"""Who leaves mining, who takes the seats, and who stands still for a while."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from agents import banking, building, failing, leasing, making
from agents.miner import PUBLIC, STATE
from agents.site import AI, MINERS, Site
from model import observing
from model.supply import call_loads
from model.units import DAYS_PER_YEAR
from model.world import World
from tests.test_firms import CALM, held, ruined_world
from tests.test_world import lived, small_case


def young_world(*sets: str, name: str = "china_ban_2021", days: int = 40) -> World:
    """A calm world after its first day, and not yet at its first monthly decisions."""
    world = World(small_case(name, days, *CALM, *sets, events=()))
    world.step()
    return world


def burden(world: World, firms: np.ndarray) -> None:
    """Give firms an overhead that eats all they could ever earn."""
    world.miners["overhead_usd_day"][firms] = 1e9


# --- selling out -----------------------------------------------------------------------------


def test_owners_sell_out_whose_machines_fetch_more_than_mining_on_brings():
    world = young_world()
    miners, fleets = world.miners, world.fleets
    size = held(world)
    firms = np.flatnonzero((size > 0) & (miners["form"] != STATE) & (miners["power_mw"] > 0))
    few = firms[np.argsort(size[firms])[:5]]
    world.sale_price = np.full(len(world.generations), 1e-3)
    calm = failing.gain_of_leaving(world)[few].copy()
    burden(world, few)
    assert (failing.gain_of_leaving(world)[few] > calm).all()
    machines, cash = held(world).sum(), miners["cash"].sum()
    failing.wind_up(world)
    assert not np.isin(fleets["miner"][fleets.rows], few).any()
    assert held(world).sum() == pytest.approx(machines)
    assert miners["cash"].sum() == pytest.approx(cash)
    failing.leave_business(world)
    assert (miners["status"][few] == failing.LIQUIDATED).all()
    told = world.recorder.events().filter(pl.col("kind") == "exit")["subject"].to_list()
    assert {world.firm_name(int(row)) for row in few} <= set(told)


def test_owners_mine_on_who_earn_more_than_their_machines_fetch():
    world = young_world()
    world.sale_price = np.zeros(len(world.generations))
    world.miners["overhead_usd_day"][:] = 0.0
    before = held(world)
    failing.wind_up(world)
    np.testing.assert_array_equal(held(world), before)


def test_states_do_not_sell_out():
    world = young_world("start.state_share=0.1")
    states = np.flatnonzero((world.miners["form"] == STATE) & (held(world) > 0))
    assert states.size > 0
    burden(world, states)
    before = held(world)[states]
    failing.wind_up(world)
    assert (held(world)[states] >= before).all()


def test_the_gain_of_leaving_is_price_less_worth_and_the_overhead_saved():
    world = young_world()
    miners = world.miners
    before = failing.gain_of_leaving(world)
    miners["overhead_usd_day"] += 100.0
    # 100 USD a day for 36 months at 1 % a month.
    saved = 100.0 * 30.4375 * sum(1.01**-k for k in range(1, 37))
    np.testing.assert_allclose(failing.gain_of_leaving(world) - before, saved, rtol=1e-6)
    # A seat's worth caps the price: at any higher price only the overhead is saved.
    world.sale_price = np.full(len(world.generations), 1e9)
    placed = miners["power_mw"] > 0
    saved = months_of_overhead(world)
    np.testing.assert_allclose(failing.gain_of_leaving(world)[placed], saved[placed], rtol=1e-6)


def months_of_overhead(world: World) -> np.ndarray:
    """Present value of 36 months of overhead at 1 % a month, USD."""
    return world.miners["overhead_usd_day"] * 30.4375 * sum(1.01**-k for k in range(1, 37))


# --- creditors who own -----------------------------------------------------------------------


def test_creditors_take_the_shares_of_firms_they_restructured():
    world, firms = ruined_world(0.9, "firms.equity_quarter=0", days=460)
    miners = world.miners
    assert (miners["creditors_share"] == 0.0).all()
    miners["debt"][firms] = 1e6
    while world.running:
        world.step()
        if (miners["status"][firms] == 2).any():
            world.earn(firms, np.full(firms.size, 1e4), "endowment")
    reborn = firms[miners["status"][firms] != failing.LIQUIDATED]
    liquidated = firms[miners["status"][firms] == failing.LIQUIDATED]
    assert reborn.size > 0
    assert (miners["creditors_share"][reborn] == 1.0).all()
    assert (miners["creditors_share"][liquidated] == 0.0).all()


def test_new_shares_dilute_the_creditors():
    world = young_world("start.public_share=0.2")
    miners = world.miners
    firms = np.flatnonzero(miners["form"] == PUBLIC)
    miners["creditors_share"][firms] = 1.0
    miners["market_value"][firms] = 0.0
    world.makers["tobin_q"] = 2.0
    world.valuation = 2.0
    cash = miners["cash"].copy()
    assets = banking.assets_usd(world) - miners["debt"]
    banking.issue_equity(world)
    raised = (miners["cash"] - cash) / 0.95  # the banks' cut is 5 %
    issuing = firms[raised[firms] > 0]
    assert issuing.size > 0
    value = 2.0 * assets[issuing]
    np.testing.assert_allclose(
        miners["creditors_share"][issuing], value / (value + raised[issuing]), rtol=1e-9
    )


def test_what_a_closed_firm_leaves_is_divided_by_share():
    world = young_world()
    firm, miners = np.array([3]), world.miners
    world.earn(firm, 1e6 - miners["cash"][firm], "endowment")
    world.market_sat += int(miners["treasury_sat"][firm].sum())
    miners["treasury_sat"][firm] = 0
    before = dict(world.accounts.balances_usd)
    failing.close_books(world, firm, np.array([0.25]))
    after = world.accounts.balances_usd
    assert after["lenders"] - before["lenders"] == pytest.approx(0.25e6)
    assert after["shareholders"] - before["shareholders"] == pytest.approx(0.75e6)
    assert miners["cash"][3] == pytest.approx(0.0, abs=1e-6)


# --- computation that asks for sites ---------------------------------------------------------


def bid_world(*sets: str) -> World:
    """A world whose bidders ask for every site they may have."""
    sets = ("compute.offers_yr=12", "compute.most=1.0", "compute.half_size_mw=1", *sets)
    world = World(small_case("baseline_2025", 40, "firms.hazards=false", *sets, events=()))
    world.nations["ai_backlog"] = np.where(world.nations["large_ai"], 1e9, 0.0)
    world.step()
    return world


def test_bidders_pay_miners_what_they_ask_and_get_the_site():
    world = bid_world()
    miners, sites, fleets = world.miners, world.sites, world.fleets
    before, paid = miners["cash"].copy(), world.accounts.balances_usd["computation"]
    leasing.bid_for_sites(world)
    won = np.flatnonzero(sites["tenant"] == AI)
    assert won.size > 10
    assert not np.isin(fleets["site"][fleets.rows], won).any()
    assert world.types.ai_may_bid[sites["kind"][won]].all()
    assert world.nations["large_ai"][sites["nation"][won]].all()
    earned = paid - world.accounts.balances_usd["computation"]
    assert earned > 0.0
    # Freight of machines with a second seat aside, what bidders paid is what miners got.
    assert (miners["cash"] - before).sum() == pytest.approx(earned, rel=1e-9)


def test_bidders_leave_miners_alone_who_earn_more_than_they_would_pay(monkeypatch):
    world = bid_world()
    monkeypatch.setattr(leasing, "premium_usd", lambda world, rows: np.zeros(rows.size))
    taken = world.sites["used_mw"] > 0
    leasing.bid_for_sites(world)
    assert (world.sites["tenant"][taken] == MINERS).all()


def test_a_seat_costs_at_least_the_move_and_more_where_power_is_cheap():
    world = bid_world()
    fleets = world.fleets
    rows = fleets.rows[fleets["site"][fleets.rows] >= 0]
    asked = leasing.reservation_usd(world, rows)
    megawatts = fleets["hashrate"][rows] * fleets["efficiency"][rows] * 1e-6
    firms = world.case.firms
    least = firms.relocation_gain * firms.relocation_home_usd_mw * megawatts
    assert (asked >= least * (1 - 1e-12)).all()
    price = world.terms.power_price.copy()
    world.power.terms = world.terms._replace(power_price=price - 10.0)
    assert (leasing.reservation_usd(world, rows) >= asked).all()
    assert leasing.reservation_usd(world, rows).sum() > asked.sum()


def test_without_offers_or_backlog_nobody_asks():
    for sets, backlog in ((("compute.offers_yr=0",), 1e9), ((), 0.0)):
        world = bid_world(*sets)
        world.nations["ai_backlog"] = np.where(world.nations["large_ai"], backlog, 0.0)
        tenants = world.sites["tenant"].copy()
        leasing.bid_for_sites(world)
        np.testing.assert_array_equal(world.sites["tenant"], tenants)


def test_all_halls_of_a_site_draw_alike_and_sites_draw_apart():
    world = bid_world()
    rows = world.sites.rows
    names, inverse = np.unique(world.sites["offer_draw"][rows], return_inverse=True)
    drawn = leasing.draws_of_sites(world, rows, 0)
    for group in range(names.size):
        assert np.unique(drawn[inverse == group]).size == 1
    alone = np.array([drawn[inverse == group][0] for group in range(names.size)])
    assert alone.mean() == pytest.approx(0.5, abs=3 * np.sqrt(1 / 12 / alone.size))
    assert np.unique(alone).size == alone.size


# --- large cheap sites -----------------------------------------------------------------------


def test_bargains_are_large_cheap_and_as_many_as_their_rate_says():
    sets = ("energy.bargains_yr=6", "energy.large_grid_growth_yr=1.0", "compute.bidders=false")
    world = young_world(*sets, name="baseline_2025")
    world.makers["tobin_q"] = 2.0
    world.nations["large_room"][:] = 1e9
    world.potential_mw = world.potential_mw * 1e3
    world.block_mw = 1e9
    before, months = world.sites.rows.size, 120
    for month in range(months):
        world.day = month * 31
        building.find_bargains(world)
    new = world.sites.rows[before:]
    assert (world.sites["size_mw"][new] >= 100.0).all()
    regions = len(set(world.atlas.places.region))
    expected = 6 / 12 * months * regions * with_large_potential(world)
    assert new.size == pytest.approx(expected, abs=3 * np.sqrt(expected))
    table, cells = world.cells, world.sites["cell"][new]
    mean = table.gen_usd_mwh[cells] + gradient_of(world, new)
    saved = mean + world.places["offset"][table.place[cells]] - world.sites["generation_wet"][new]
    error = (table.gen_sd[cells]).std() / np.sqrt(new.size) + table.gen_sd[cells].mean() / np.sqrt(
        new.size
    )
    assert saved.mean() == pytest.approx(table.gen_sd[cells].mean(), abs=3 * error)


def with_large_potential(world: World) -> float:
    """Share of the regions in which large sites can be found."""
    weights = building.large_potential_of_cells(world)
    region = np.array(world.atlas.places.region)[world.cells.place]
    return float(np.mean([weights[region == name].sum() > 0 for name in np.unique(region)]))


def gradient_of(world: World, rows: np.ndarray) -> np.ndarray:
    """What the size of sites adds to their generation cost, USD/MWh."""
    sizes, kind = world.sites["size_mw"][rows], world.sites["kind"][rows]
    slope = world.case.energy.size_gradient_usd_mwh
    return slope * (np.log(sizes) - world.atlas.mean_log_size[kind])


def test_bargains_wait_for_profit_law_and_grid():
    def found(world: World) -> np.ndarray:
        before = world.sites.rows.size
        for month in range(24):
            world.day = month * 31
            building.find_bargains(world)
        return world.sites.rows[before:]

    sets = ("energy.bargains_yr=6",)
    poor = young_world(*sets, name="baseline_2025")
    poor.makers["tobin_q"] = 0.9
    assert found(poor).size == 0
    banned = young_world(*sets, name="baseline_2025")
    banned.makers["tobin_q"] = 2.0
    banned.places["banned"][:] = 1.0
    assert found(banned).size == 0
    full = young_world(*sets, name="baseline_2025")
    full.makers["tobin_q"] = 2.0
    full.nations["large_room"][:] = 0.0
    rows = found(full)
    assert rows.size > 0
    assert not full.types.on_grid[full.sites["kind"][rows]].any()
    # A young industry has no use for what alone is more than it builds in a month.
    small = young_world(*sets, "energy.site_growth_month=0.001", name="baseline_2025")
    small.makers["tobin_q"] = 2.0
    assert 0.001 * building.built_mw(small).sum() < building.LARGE_MW
    assert found(small).size == 0


# --- loads that stand still ------------------------------------------------------------------


def spiky_world(days_yr: float, hedge: float = 0.5) -> World:
    sets = (
        f"energy.spike_days_yr={days_yr}", f"firms.hedge_share={hedge}", "firms.hedge_least_mw=0",
        "energy.spike_hours=4", "start.us_share=0.5",
    )  # fmt: skip
    return World(small_case("baseline_2025", 10, *CALM, *sets, events=()))


def test_large_loads_of_the_grid_stand_still_in_the_evening_when_power_is_short():
    calm, short = spiky_world(0.0), spiky_world(366)
    calm.step()
    short.step()
    called = short.power.called
    assert called.any()
    sites = short.sites
    assert (sites["size_mw"][called] >= 10.0).all()
    assert (sites["grid"][called]).all()
    usa = list(short.nation_names).index("USA")
    assert (sites["nation"][called] == usa).all()
    np.testing.assert_allclose(
        sites["energy_mwh"][called], calm.sites["energy_mwh"][called] * 20 / 24, rtol=1e-9
    )
    np.testing.assert_allclose(
        sites["energy_mwh"][~called], calm.sites["energy_mwh"][~called], rtol=1e-9
    )
    lost = calm.hashrate_by_hour - short.hashrate_by_hour
    # The centre of the USA lies at 98 degrees west: 17:00 there is about 23:30 UTC.
    assert np.flatnonzero(lost > 1e-6).tolist() == [0, 1, 2, 3]


def test_hedged_loads_sell_what_they_bought_ahead():
    earned = []
    for hedge in (0.0, 0.5, 1.0):
        world = spiky_world(366, hedge)
        banking.choose_hedges(world)
        received = world.accounts.balances_usd["utility"]
        world.step()
        spent = world.miners["power_bill"].sum()
        earned.append(received - world.accounts.balances_usd["utility"] + spent)
    assert earned[0] == pytest.approx(0.0, abs=1e-3)
    assert earned[1] > 0.0
    assert earned[2] == pytest.approx(2.0 * earned[1], rel=1e-6)


def test_power_is_short_as_often_as_the_scenario_says():
    world = lived("baseline_2025", 300, *CALM, "energy.spike_days_yr=36.525")
    rows = []
    for day in range(300):
        world.day = day
        call_loads(world)
        rows.append(world.power.called.any())
    chance = 36.525 / DAYS_PER_YEAR
    error = np.sqrt(chance * (1 - chance) / 300)
    assert np.mean(rows) == pytest.approx(chance, abs=3 * error)


# --- what buyers know ------------------------------------------------------------------------


def test_buyers_hear_of_orders_with_noise():
    exact, noisy = (young_world(f"firms.pipeline_noise={noise}") for noise in (0, 0.15))
    observing.hear_of_orders(exact)
    orders = making.pipeline_ths(exact).sum()
    expected = np.log1p(orders / exact.hashrate_ths) / exact.lag_months
    assert exact.announced_growth == pytest.approx(
        expected - exact.case.machines.retirement_month, rel=1e-12
    )
    heard = []
    for _ in range(400):
        observing.hear_of_orders(noisy)
        growth = noisy.announced_growth + noisy.case.machines.retirement_month
        heard.append(np.log(np.expm1(growth * noisy.lag_months) * noisy.hashrate_ths / orders))
    assert np.mean(heard) == pytest.approx(0.0, abs=3 * 0.15 / 20)
    assert np.std(heard) == pytest.approx(0.15, rel=3 / np.sqrt(2 * 400))


def test_buyers_who_hear_of_more_orders_expect_less():
    world = young_world("firms.decline_weight=0.5")
    world.growth = 0.02
    declines = []
    for growth in (0.0, 0.05):
        world.announced_growth = growth
        declines.append(world.purchase_outlook.decline)
    assert declines == pytest.approx([0.005, 0.0175])
    assert world.outlook.decline == pytest.approx(0.01)  # the maker's view, and of those who move


# --- terms over the year ---------------------------------------------------------------------


def test_a_year_counts_each_season_by_the_power_there_is():
    world = young_world("heat.sold=false")
    sites = world.sites
    wet, dry = sites["duty_wet"], sites["duty_dry"]
    mean = (wet * sites["generation_wet"] + dry * sites["generation_dry"]) / (wet + dry)
    price = mean + sites["transmission"] + world.places["power_charge"][sites["place"]]
    steady = ~world.nations["demand_response"][sites["nation"]] & sites.alive
    np.testing.assert_allclose(world.terms.power_price[steady], price[steady], rtol=1e-3)
    hydro = steady & (wet - dry > 0.3)
    assert hydro.any()
    middle = 0.5 * (sites["generation_wet"] + sites["generation_dry"]) + sites["transmission"]
    assert (world.terms.power_price[hydro] < middle[hydro]).all()
    assert (Site.vacant_mw(sites, 0) >= 0).all()
