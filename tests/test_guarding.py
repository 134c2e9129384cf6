"""Nations in the running world: reserves, defence against dominance, and holding back."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from agents import building, guarding
from agents.site import Site
from model import accounting, pricing
from model.events import Cap
from model.markets.price import flow_impact
from model.neutrality import Discount
from model.statecraft.defence import defence_threshold_yr
from model.supply import price_power
from model.units import SATOSHI_PER_COIN
from model.world import World
from tests.test_governing import small_world, told
from tests.test_world import live, lived, nation_row

EXACT = ("nations.strategic=true", "nations.observation_sd=0")
MARKUP = 0.4


def endow(world: World, code: str, btc: float) -> None:
    """Give a nation so many coins, taken from the market or given back to it."""
    row, coins = nation_row(world, code), round(btc * SATOSHI_PER_COIN)
    world.market_sat += int(world.nations["reserve_sat"][row]) - coins
    world.nations["reserve_sat"][row] = coins


def poor_world(*sets: str, codes: tuple[str, ...] = (), btc: float = 0.0) -> World:
    """A world in which only some nations hold coins, and see exactly what there is."""
    world = small_world(100, *EXACT, *sets)
    for code in world.nation_names:
        endow(world, code, btc if code in codes else 0.0)
    return world


def shares(world: World, given: dict[str, float]) -> np.ndarray:
    """Hashrate by nation, as told."""
    held = np.zeros(world.nations.size)
    for code, share in given.items():
        held[nation_row(world, code)] = share * 1e9
    return held


# --- reserves --------------------------------------------------------------------------------


def sold_by_russia(american: float, *sets: str) -> float:
    """BTC that Russia sells of 100,000 when so many of all templates are made in the USA."""
    world = poor_world(*sets, codes=("RUS",), btc=1e5)
    world.nations["template_hashrate"] = shares(world, {"USA": american, "KAZ": 1.0 - american})
    world.nations["hashrate"] = shares(world, {"USA": 0.3, "KAZ": 0.3, "OTH": 0.4})
    guarding.guard(world)
    accounting.check_laws(world)
    left = int(world.nations["reserve_sat"][nation_row(world, "RUS")])
    return 1e5 - left / SATOSHI_PER_COIN


def test_a_nation_sells_the_more_the_more_templates_an_adversary_makes():
    sold = [sold_by_russia(share) for share in (0.3, 0.45, 0.5, 0.55, 0.7)]
    assert (np.diff(np.maximum(sold, 0.0)) >= 0.0).all()
    assert sold[0] < 0.0  # under sanctions and not threatened, it buys
    # Risk .7 * .8 * .5 at half of the templates, of which .7 is lost, beyond a hurdle of .05.
    assert sold[2] == pytest.approx(1e5 * (0.7 * 0.28 - 0.05) / 0.3, rel=5e-3)
    assert sold[4] == 1e5


def test_what_a_threatened_nation_does_may_be_prescribed():
    assert sold_by_russia(0.44, 'hypotheses.reaction="dump"') > 0.0
    assert sold_by_russia(0.44) < 0.0
    assert sold_by_russia(0.7, 'hypotheses.reaction="defend"') == 0.0


def test_sanctions_make_nations_buy_and_no_others():
    world = poor_world()
    world.nations["template_hashrate"] = shares(world, {"OTH": 1.0})
    guarding.guard(world)
    bought = world.nations["reserve_sat"]
    assert (bought[world.nations["sanctioned"] <= 0.05] == 0).all()
    iran = nation_row(world, "IRN")
    budget = 0.001 * 110e12 * world.nations["gdp_share"][iran] / 4.0 / world.price_usd
    assert bought[iran] / SATOSHI_PER_COIN == pytest.approx(budget * (0.9 - 0.05), rel=1e-3)
    assert ("IRN", f"buys {bought[iran] / 1e8:.1f} BTC") in told(world, "reserve_purchase")
    accounting.check_laws(world)


def test_a_sale_moves_the_price_by_the_law_of_impact():
    sold, market = (small_world(100, *EXACT) for _ in range(2))
    change = np.zeros(sold.nations.size)
    change[nation_row(sold, "USA")] = -50_000.0
    guarding.trade_reserves(sold, change)
    for world in (sold, market):
        world.step()
    assert sold.price_usd == market.price_usd  # it is felt when the day is over
    for world in (sold, market):
        world.step()
    drop = np.log(market.price_usd / sold.price_usd)
    assert drop == pytest.approx(flow_impact(50_000.0), rel=1e-9)
    assert told(sold, "reserve_sale") == [("USA", "sells 50000.0 BTC")]


def test_nobody_sells_more_than_it_has_nor_buys_more_than_there_is():
    world = small_world(100, *EXACT)
    change = np.zeros(world.nations.size)
    usa, iran, russia = (nation_row(world, code) for code in ("USA", "IRN", "RUS"))
    change[[usa, iran, russia]] = -1e9, 40e6, 20e6
    before = world.market_sat
    guarding.trade_reserves(world, change)
    held = world.nations["reserve_sat"]
    assert held[usa] == 0
    assert held[iran] + held[russia] <= before
    assert held[iran] == pytest.approx(2 * held[russia], rel=1e-9)
    assert world.market_sat >= 0
    accounting.check_laws(world)


# --- what nations see and reckon with --------------------------------------------------------


def test_nations_see_shares_with_an_error_and_without_one_as_they_are():
    world = small_world(100, "nations.strategic=true")
    seen, again = guarding.look_around(world), guarding.look_around(world)
    exact = guarding.look_around(small_world(100, *EXACT))
    np.testing.assert_allclose(exact.mined, world.nation_shares)
    assert seen.mined.sum() == pytest.approx(1.0)
    assert (seen.mined != again.mined).any()
    some = world.nation_shares > 0.0
    error = np.log(seen.mined[some] / world.nation_shares[some])
    assert 0.03 < error.std() < 0.2


def test_whose_coins_count():
    worlds = {
        who: small_world(100, *EXACT, f'hypotheses.internalise="{who}"')
        for who in ("none", "state_only", "all")
    }
    coins = {who: guarding.coins_at_stake(world) for who, world in worlds.items()}
    assert not coins["none"].any()
    held = worlds["all"].nations["reserve_sat"] / SATOSHI_PER_COIN
    np.testing.assert_allclose(coins["state_only"], held)
    treasuries = float(worlds["all"].miners["treasury_sat"].sum()) / SATOSHI_PER_COIN
    large = 0.04 * worlds["all"].market_sat / SATOSHI_PER_COIN
    assert (coins["all"] - held).sum() == pytest.approx(treasuries + large)


def test_no_nation_can_draw_more_than_sites_and_machines_of_a_year_allow():
    world = small_world(100, *EXACT)
    none = np.zeros(world.nations.size)
    most = guarding.reach(world, none)
    assert ((most >= 0.0) & (most <= 1.0)).all()
    assert most[nation_row(world, "CHN")] == 0.0  # all new mining there is banned
    assert most[nation_row(world, "USA")] > most[nation_row(world, "NOR")] > 0.0
    ran = np.full(none.size, 0.01)
    np.testing.assert_allclose(guarding.reach(world, ran), np.minimum(most + 0.01, 1.0))
    world.output_mw = 0.0
    assert not guarding.reach(world, none).any()


# --- defence ---------------------------------------------------------------------------------


def wanted(world: World, leader: str = "USA") -> np.ndarray:
    """Shares that nations want when one has all the hashrate and any may have all."""
    world.nations["hashrate"] = shares(world, {leader: 1.0})
    world.nations["template_hashrate"] = np.zeros(world.nations.size)
    game = guarding.contest_of(world, guarding.look_around(world))
    risk = np.zeros(world.nations.size)
    return guarding.wanted_shares(world, game, risk)


@pytest.fixture
def _room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "reach", lambda world, drawn: np.ones(drawn.size))


def threshold_btc(world: World) -> float:
    """Reserve above which one nation defends alone, BTC."""
    rule = Discount(*pricing.discount(world))
    return defence_threshold_yr(MARKUP, rule) * guarding.issuance_btc_yr(world)


@pytest.mark.usefixtures("_room_for_all")
@pytest.mark.parametrize(("part", "share"), [(0.9, 0.0), (0.99, 0.0), (1.01, 0.5), (3.0, 0.5)])
def test_one_nation_defends_above_the_threshold_and_then_holds_half(part: float, share: float):
    world = poor_world()
    endow(world, "KAZ", part * threshold_btc(world))
    found = wanted(world)
    kazakh = nation_row(world, "KAZ")
    assert found[kazakh] == pytest.approx(share, abs=1e-4)
    assert not np.delete(found, kazakh).any()


@pytest.mark.usefixtures("_room_for_all")
def test_the_threshold_is_that_of_the_closed_form_in_coins():
    # At a markup of .4: .4667 years of issuance (SPEC E4).
    world = poor_world()
    years = threshold_btc(world) / guarding.issuance_btc_yr(world)
    assert years == pytest.approx(1.1667 * MARKUP, abs=1e-4)


@pytest.mark.usefixtures("_room_for_all")
@pytest.mark.parametrize("switch", ['hypotheses.internalise="none"', "neutrality.discount=0"])
def test_who_loses_nothing_by_dominance_defends_nothing(switch: str):
    world = poor_world(switch, codes=("KAZ",), btc=1e6)
    assert not wanted(world).any()


@pytest.mark.usefixtures("_room_for_all")
@pytest.mark.parametrize(("joint", "defended"), [("false", False), ("true", True)])
def test_allies_below_the_threshold_defend_only_as_one(joint: str, defended: bool):
    world = poor_world(f"hypotheses.alliance_joint={joint}")
    for code in ("CAN", "GBR"):
        endow(world, code, 0.9 * threshold_btc(world))
    found = wanted(world, leader="RUS")
    assert (found.sum() > 0.4) == defended
    members = [nation_row(world, code) for code in ("CAN", "GBR")]
    assert np.delete(found, members).sum() == 0.0


@pytest.mark.usefixtures("_room_for_all")
def test_a_race_for_dominance_needs_no_reserves():
    calm = wanted(poor_world())
    race = wanted(poor_world('hypotheses.payoff="hashwar"'))
    assert not calm.any()
    assert race.max() > 0.5


@pytest.mark.usefixtures("_room_for_all")
def test_a_nation_above_the_threshold_begins_to_pay_and_one_below_does_not():
    for part, pays in ((0.9, False), (1.5, True)):
        world = poor_world()
        endow(world, "KAZ", part * threshold_btc(world))
        world.nations["hashrate"] = shares(world, {"USA": 1.0})
        world.nations["template_hashrate"] = shares(world, {"OTH": 0.5, "KAZ": 0.5})
        guarding.guard(world)
        kazakh = nation_row(world, "KAZ")
        before = guarding.power_price_at_home(world)[kazakh]
        assert (world.nations["defence_usd_mwh"][kazakh] > 0.0) == pays
        assert [subject for subject, _ in told(world, "defence")] == ["KAZ"] * pays
        if pays:
            # Half of the way to its markup on the price of power.
            paid = world.nations["defence_usd_mwh"][kazakh]
            assert paid == pytest.approx(0.5 * MARKUP * (before - paid))


def test_payments_follow_the_gap_and_never_pass_the_markup():
    world = small_world(100, *EXACT)
    kazakh = nation_row(world, "KAZ")
    want, drawn = (np.zeros(world.nations.size) for _ in range(2))
    most = MARKUP * guarding.power_price_at_home(world)[kazakh]
    want[kazakh] = 0.2
    paid = []
    for had in (0.0, 0.1, 0.1, 0.4, 0.2):
        drawn[kazakh] = had
        guarding.pay_for_mining(world, want, drawn)
        paid.append(float(world.nations["defence_usd_mwh"][kazakh]) / most)
        price_power(world)
    # Sites that cost nothing already get nothing, so the mean price moves a little.
    assert paid == pytest.approx([0.5, 0.75, 1.0, 0.75, 0.75], rel=5e-3)
    guarding.pay_for_mining(world, np.zeros(want.size), drawn)
    assert world.nations["defence_usd_mwh"][kazakh] == pytest.approx(0.25 * most, rel=2e-2)
    guarding.pay_for_mining(world, np.zeros(want.size), drawn)
    assert world.nations["defence_usd_mwh"][kazakh] == 0.0
    begins, ends = told(world, "defence")
    assert "to draw 20.0% of all hashrate" in begins[1]
    assert ends == ("KAZ", "no longer pays for mining at home")


def test_what_a_nation_pays_lowers_the_price_of_its_power_and_never_below_nothing():
    world = small_world(100, *EXACT)
    sites, kazakh = world.sites, nation_row(world, "KAZ")
    home = sites.alive & (sites["nation"] == kazakh)
    price_power(world)
    before, terms = sites["power_price"].copy(), world.terms.power_price.copy()
    cells = building.cell_prices(world)
    world.nations["defence_usd_mwh"][kazakh] = 15.0
    price_power(world)
    np.testing.assert_allclose(sites["contract_price"][home], np.maximum(before[home] - 15.0, 0.0))
    assert (sites["power_price"][~home] == before[~home]).all()
    np.testing.assert_allclose(
        world.terms.power_price[home], np.maximum(terms[home] - 15.0, 0.0), atol=1e-9
    )
    there = world.places["nation"][world.cells.place] == kazakh
    np.testing.assert_allclose(building.cell_prices(world)[there], cells[there] - 15.0)
    world.nations["defence_usd_mwh"][kazakh] = 1e4
    price_power(world)
    assert (sites["power_price"][home] >= 0.0).all()
    world.step()  # and the accounts hold


def share_defended(paid: float, seed: int) -> float:
    """Share of the USA after 300 days of paying for mining there, at a fixed price."""
    sets = ("record.ledger_every_days=30", "neutrality.discount=0")
    world = small_world(300, *sets, lived_days=1, seed=seed)
    usa = nation_row(world, "USA")
    world.nations["defence_usd_mwh"][usa] = paid
    return float(live(world).nation_shares[usa])


def test_payments_draw_hashrate():
    drawn = np.array([share_defended(15.0, s) - share_defended(0.0, s) for s in range(1, 5)])
    assert drawn.mean() > 3.0 * drawn.std(ddof=1) / np.sqrt(drawn.size)


def test_hashrate_that_came_since_a_nation_pays_counts_as_drawn():
    world = small_world(100, *EXACT)
    kazakh, mined = nation_row(world, "KAZ"), world.nation_shares
    assert not guarding.drawn_shares(world, mined).any()
    world.nations["defence_usd_mwh"][kazakh] = 5.0
    more = mined.copy()
    more[kazakh] += 0.07
    drawn = guarding.drawn_shares(world, more)
    assert drawn[kazakh] == pytest.approx(0.07)
    assert drawn.sum() == drawn[kazakh]
    world.nations["defence_usd_mwh"][kazakh] = 0.0
    assert not guarding.drawn_shares(world, more).any()


# --- alliances -------------------------------------------------------------------------------


def test_ties_join_holders_into_groups_that_share_nobody():
    ties = np.zeros((6, 6))
    for one, other, weight in ((0, 1, 0.9), (1, 2, 0.6), (3, 4, 0.5), (4, 5, 0.4), (0, 3, -0.8)):
        ties[one, other] = ties[other, one] = weight
    everyone = np.ones(6, dtype=bool)
    groups = [np.flatnonzero(group).tolist() for group in guarding.alliances_of(ties, everyone)]
    assert groups == [[0, 1, 2], [3, 4], [5]]
    without = everyone & (np.arange(6) != 1)
    groups = [np.flatnonzero(group).tolist() for group in guarding.alliances_of(ties, without)]
    assert groups == [[0], [2], [3, 4], [5]]


# --- holding back ----------------------------------------------------------------------------


def restrained(leader: float, *sets: str, btc: float = 200_000.0) -> World:
    """A world whose largest nation, the USA, has so many coins and such a share, after a New Year's
    decision."""
    world = poor_world(*sets, codes=("USA",), btc=btc)
    others = dict.fromkeys(("RUS", "CAN", "KAZ", "OTH"), (1.0 - leader) / 4.0)
    world.nations["hashrate"] = shares(world, {"USA": leader} | others)
    world.nations["template_hashrate"] = shares(world, {"OTH": 0.3, "KAZ": 0.3, "CAN": 0.4})
    guarding.hold_back(world, guarding.look_around(world))
    return world


@pytest.mark.parametrize(
    ("leader", "sets", "btc", "capped"),
    [
        (0.6, (), 200_000.0, True),
        (0.6, (), 0.0, False),  # without reserves total dominance pays
        (0.31, (), 200_000.0, False),  # templates make the market watchful whatever it does
        (0.6, ('hypotheses.internalise="none"',), 200_000.0, False),
        (0.6, ("neutrality.discount=0",), 200_000.0, False),
        (0.6, ("neutrality.nation_weight=0",), 200_000.0, False),
        (0.6, ('hypotheses.payoff="hashwar"', "nations.dominance_prize_yr=10"), 2e5, True),
        (0.49, ('hypotheses.payoff="hashwar"', "nations.dominance_prize_yr=10"), 2e5, False),
    ],
)
def test_a_hegemon_holds_back_if_its_coins_lose_more_than_it_gains(
    leader: float, sets: tuple[str, ...], btc: float, capped: bool
):
    world = restrained(leader, *sets, btc=btc)
    caps = [event for event in world.statutes.events if event.kind == "cap"]
    mine = [event for event in caps if event.place == "USA"]
    assert bool(mine) == capped
    assert [subject for subject, _ in told(world, "own_cap")] == ["USA"] * capped
    if capped:
        law = mine[0]
        assert isinstance(law, Cap)
        assert law.capacity_mw == 0.0
        assert (law.date - world.today).days == 1
        assert law.until == law.date.replace(year=law.date.year + 1)


def american_mw(world: World) -> float:
    here = world.places["nation"] == nation_row(world, "USA")
    return float(building.built_by_place(world)[here].sum())


def test_a_hegemon_that_holds_back_builds_nothing_for_as_long_as_it_does():
    sets = ("record.ledger_every_days=30", "start.us_share=0.6", "firms.hazards=false")
    world = lived("baseline_2025", 700, *EXACT, *sets)
    told_of = told(world, "own_cap")
    assert len(told_of) == 2
    assert all(subject == "USA" for subject, _ in told_of)
    here = world.places["nation"] == nation_row(world, "USA")
    assert np.isfinite(world.places["capacity_cap"][here]).all()
    # The second year's cap counts from the same capacity as the first year's. Sites start whole,
    # by chance, where wells that run dry leave room for a part of one.
    assert american_mw(world) <= 1.02 * world.places["capped_from"][here].sum()
    free = lived("baseline_2025", 700, *sets)
    assert american_mw(free) > 1.1 * world.places["capped_from"][here].sum()
    assert np.isinf(free.places["capacity_cap"][here]).all()
    usa = nation_row(world, "USA")
    assert world.nation_shares[usa] < free.nation_shares[usa]


def test_a_cap_is_decided_at_new_year_only(monkeypatch: pytest.MonkeyPatch):
    days: list[date] = []
    monkeypatch.setattr(guarding, "hold_back", lambda world, view: days.append(world.today))
    world = small_world(300, *EXACT, "record.ledger_every_days=30")
    live(world)
    assert days == [date(2026, 1, 1)]


def test_vacant_seats_are_part_of_what_a_nation_can_reach():
    world = small_world(100, *EXACT)
    none = np.zeros(world.nations.size)
    before = guarding.reach(world, none)
    kazakh = nation_row(world, "KAZ")
    rows = world.sites.rows[world.sites["nation"][world.sites.rows] == kazakh]
    vacant = Site.vacant_mw(world.sites, world.day + 365)[rows].sum()
    world.sites["used_mw"][rows] = 0.0
    world.sites["reserved_mw"][rows] = 0.0
    more: Any = guarding.reach(world, none)
    assert vacant < world.sites["capacity_mw"][rows].sum()
    assert more[kazakh] > before[kazakh]
