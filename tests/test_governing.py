"""Nations in the running world: stranded energy, idle connections, policy, directives."""

from __future__ import annotations

from datetime import date, timedelta
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents import banking, building, governing, guarding
from model import world as world_module
from model.events import Ban, Note, Subsidy, Tax
from model.law import Statutes
from model.statecraft.brownfield import INFRASTRUCTURE_USD_MW
from model.statecraft.policy import Policy
from model.units import DAYS_PER_MONTH
from model.world import World
from tests.test_world import live, lived, nation_row, small_case

EVERYTHING = (
    "nations.strategic=true",
    "nations.sanctioned_mining=true",
    "nations.brownfield=true",
    "nations.adoption=true",
    "nations.policy=true",
    "nations.proposals_yr=2",
)
RARELY = "record.ledger_every_days=30"
DECISIONS = (
    governing.mine_stranded_energy,
    guarding.guard,
    governing.legislate,
    governing.adopt_directives,
)


def small_world(days: int = 100, *sets: str, lived_days: int = 3, seed: int = 1) -> World:
    """A world of 2025 that has lived for some days."""
    world = World(small_case("baseline_2025", days, *sets, seed=seed))
    for _ in range(lived_days):
        world.step()
    return world


def told(world: World, kind: str) -> list[tuple[str, str]]:
    """Subject and words of the events of a kind."""
    events = world.recorder.events()
    return list(events.filter(events["kind"] == kind).select("subject", "what").iter_rows())


def traces(world: World) -> list[bytes]:
    """What a run leaves behind, to the bit."""
    series = ("price_usd", "hashrate_ehs", "power_gw", "power_cost_usd_mwh", "top_nation_share")
    columns = [world.miners["cash"], world.miners["treasury_sat"], world.sites["power_price"]]
    columns += [world.nations["reserve_sat"], world.sites["infra"]]
    recorded = [world.recorder[name].tobytes() for name in series]
    return recorded + [column.tobytes() for column in columns]


# --- all together ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["baseline_2025", "china_ban_2021"])
def test_nations_that_decide_nothing_change_nothing_to_the_bit(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    with_calls = live(World(small_case(name, 130, RARELY)))
    assert set(DECISIONS) <= set(world_module.QUARTERLY)
    without = (banking.issue_equity, banking.choose_hedges)
    monkeypatch.setattr(world_module, "QUARTERLY", without)
    assert traces(with_calls) == traces(live(World(small_case(name, 130, RARELY))))


@pytest.mark.parametrize("switch", EVERYTHING[:5])
def test_until_a_nation_first_decides_a_switch_changes_nothing(switch: str):
    days = (date(2025, 7, 1) - date(2025, 4, 4)).days
    on = lived("baseline_2025", days + 1, switch, "energy.site_growth_month=0")
    off = lived("baseline_2025", days + 1, "energy.site_growth_month=0")
    for name in ("price_usd", "hashrate_ehs", "power_cost_usd_mwh"):
        assert on.recorder[name].tolist() == off.recorder[name].tolist()


@pytest.mark.parametrize("name", ["baseline_2025", "china_ban_2021", "reserves_race"])
def test_the_ledgers_hold_every_day_while_all_nations_decide(name: str):
    world = lived(name, 430, *EVERYTHING)
    assert world.case.record.ledger_every_days == 1
    assert world.recorder.written == 430
    assert (world.nations["reserve_sat"] >= 0).all()
    assert (world.nations["stranded_mw"] >= 0.0).all()
    assert (world.nations["brownfield_mw"] >= 0.0).all()
    kinds = set(world.recorder.events()["kind"])
    assert {"state_mining", "reserve_purchase", "proposal"} <= kinds


def test_the_same_seed_decides_the_same():
    case = small_case("reserves_race", 300, *EVERYTHING, RARELY)
    one, other = live(World(case)), live(World(case))
    assert traces(one) == traces(other)
    assert one.recorder.events().equals(other.recorder.events())
    assert traces(one) != traces(live(World(case, rng=2)))


@pytest.mark.parametrize(("joint", "most_s"), [("false", 0.030), ("true", 0.200)])
def test_the_decisions_of_a_quarter_are_quick(joint: str, most_s: float):
    sets = (*EVERYTHING, f"hypotheses.alliance_joint={joint}", "start.us_share=0.6")
    world = small_world(100, *sets)
    world.politics = SimpleNamespace(live=[directive(world, "USA")])
    spent = []
    for _ in range(4):  # the first call may compile
        begins = perf_counter()
        for decide in DECISIONS:
            decide(world)
        spent.append(perf_counter() - begins)
    assert world.nations.size >= 48
    assert min(spent) < most_s


# --- stranded energy -------------------------------------------------------------------------


def test_a_state_under_sanctions_opens_part_of_its_stranded_energy_at_the_netback():
    world = small_world(100, "nations.sanctioned_mining=true")
    before, rows = world.nations["stranded_mw"].copy(), set(world.sites.rows.tolist())
    governing.mine_stranded_energy(world)
    opened = before - world.nations["stranded_mw"]
    code, russia = nation_row(world, "IRN"), nation_row(world, "RUS")
    assert opened[code] == pytest.approx(0.5 * before[code], rel=0.1)
    assert (opened[world.nations["sanctioned"] == 0.0] == 0.0).all()
    assert ("IRN", f"opens {opened[code]:.1f} MW on energy it cannot sell, at 0.0 USD/MWh") in told(
        world, "state_mining"
    )
    new = np.array(sorted(set(world.sites.rows.tolist()) - rows))
    sites = world.sites
    capacity = np.bincount(
        sites["nation"][new], weights=sites["capacity_mw"][new], minlength=before.size
    )
    np.testing.assert_allclose(capacity, opened, rtol=1e-12)
    # A netback of (1 - s) * 60 - 10 USD/MWh, never below 0.
    at_home = new[sites["nation"][new] == code]
    abroad = new[sites["nation"][new] == russia]
    assert (sites["generation_wet"][at_home] == 0.0).all()
    np.testing.assert_allclose(sites["generation_dry"][abroad], 0.3 * 60.0 - 10.0)
    assert (sites["transmission"][new] == 0.0).all()
    lead = world.cells.lead_months[sites["cell"][new]]
    np.testing.assert_allclose(sites["energised_on"][new], world.day + np.round(lead * 30.44))


def test_it_opens_nothing_where_selling_pays_more():
    world = small_world(100, "nations.sanctioned_mining=true")
    world.hashprice = 0.0
    before = world.nations["stranded_mw"].copy()
    governing.mine_stranded_energy(world)
    assert (world.nations["stranded_mw"] == before).all()
    assert told(world, "state_mining") == []


def test_the_netback_decides_who_mines_when_mining_pays_little():
    world = small_world(100, "nations.sanctioned_mining=true")
    margin = governing.margin_of_new_machine(world)
    # Lower the revenue of a MWh until mining brings 12 USD: above Russia's 8, below Venezuela's 14.
    efficiency = 1.0 / np.sum(world.output_weights / world.generations.efficiency_j_th)
    world.hashprice -= (margin - 12.0) * 24e-6 * efficiency
    assert governing.margin_of_new_machine(world) == pytest.approx(12.0)
    governing.mine_stranded_energy(world)
    assert {subject for subject, _ in told(world, "state_mining")} == {"IRN", "RUS"}


def test_fields_of_a_state_are_not_wells_that_run_dry():
    world = small_world(100, "nations.sanctioned_mining=true")
    governing.mine_stranded_energy(world)
    sites = world.sites
    fields = sites.rows[sites["size_mw"][sites.rows] == building.FIELD_MW]
    wells = sites.rows[
        (sites["kind"][sites.rows] == world.types.row("flare"))
        & (sites["size_mw"][sites.rows] < 11)
    ]
    before = sites["capacity_mw"].copy()
    building.exhaust_wells(world)
    assert fields.size
    assert wells.size
    assert (sites["capacity_mw"][fields] == before[fields]).all()
    assert (sites["capacity_mw"][wells] < before[wells]).all()


def mined_under(sanctions: float, seed: int) -> tuple[float, float]:
    """Share of Iran, alone under sanctions of some intensity, and the others' EH/s, at a fixed
    price."""
    sets = ("nations.sanctioned_mining=true", "neutrality.discount=0", RARELY)
    world = World(small_case("baseline_2025", 400, *sets, seed=seed))
    row = nation_row(world, "IRN")
    world.nations["sanctioned"] = np.where(np.arange(world.nations.size) == row, sanctions, 0.0)
    hashrate = live(world).nations["hashrate"]
    return float(hashrate[row] / hashrate.sum()), float(hashrate.sum() - hashrate[row]) / 1e6


def test_the_share_mined_rises_with_sanctions_and_others_are_pushed_out():
    found = np.array([[mined_under(s, seed) for s in (0.0, 0.3, 0.9)] for seed in range(1, 5)])
    share, others = found[..., 0], found[..., 1]
    assert (np.diff(share.mean(axis=0)) > 0.0).all()
    gained, lost = share[:, 2] - share[:, 0], others[:, 2] - others[:, 0]
    for change, sign in ((gained, 1.0), (lost, -1.0)):
        error = change.std(ddof=1) / np.sqrt(change.size)
        assert sign * change.mean() > 3.0 * error


# --- idle connections ------------------------------------------------------------------------


def industrial_cell(world: World, code: str) -> np.ndarray:
    nation = world.places["nation"][world.cells.place]
    fits = world.cells.type == world.types.row("grid_industrial")
    return np.flatnonzero(fits & (nation == nation_row(world, code)))[:1]


def test_idle_connections_are_quick_cheap_and_used_up():
    world = small_world(100, "nations.brownfield=true")
    cell, size = industrial_cell(world, "USA"), np.array([90.0])
    draw = np.random.default_rng(1)
    usual = building.lead_days(world, cell, size)
    idle = building.take_idle_connections(world, cell, size)
    assert idle.tolist() == [1.0]
    assert world.nations["brownfield_mw"][nation_row(world, "USA")] == 3000.0 - 90.0
    lead = building.lead_days(world, cell, size, idle)
    assert lead[0] == round(6 * 30.44) < usual[0]
    rows = building.add_sites(world, cell, size, size, world.day + lead, draw, idle)
    np.testing.assert_allclose(world.sites["infra"][rows], INFRASTRUCTURE_USD_MW)
    # The rest goes to those who ask in proportion, and then there is none.
    more = building.take_idle_connections(world, np.repeat(cell, 2), np.array([4000.0, 1820.0]))
    np.testing.assert_allclose(more, 0.5)
    assert told(world, "brownfield") == [("USA", "all idle connections of old industry are taken")]
    assert building.take_idle_connections(world, cell, size).tolist() == [0.0]


def test_half_of_a_connection_halves_what_it_saves():
    world = small_world(100, "nations.brownfield=true")
    cell, size = industrial_cell(world, "DEU"), np.array([90.0])
    usual, whole, half = (
        building.lead_days(world, cell, size, share)[0] for share in (0.0, 1.0, 0.5)
    )
    assert half == pytest.approx(0.5 * (usual + whole), abs=1.0)


def test_only_industry_has_idle_connections_and_only_if_they_are_offered():
    world = small_world(100, "nations.brownfield=true")
    other = np.flatnonzero(world.cells.type == world.types.row("btm_gas"))
    size = np.full(other.size, 10.0)
    assert not building.take_idle_connections(world, other, size).any()
    shut = small_world(100)
    cell = industrial_cell(shut, "USA")
    assert not building.take_idle_connections(shut, cell, np.array([90.0])).any()
    assert shut.nations["brownfield_mw"][nation_row(shut, "USA")] == 3000.0


def sites_begun(brownfield: str) -> tuple[World, np.ndarray]:
    """A world and the rows of the sites that a month of building begins in industrial cells."""
    world = small_world(100, f"nations.brownfield={brownfield}")
    fits = world.cells.type == world.types.row("grid_industrial")
    existing = building.built_mw(world)
    rows = building.start_sites(world, np.where(fits, 0.2 * existing, 0.0), existing)
    return world, rows


def test_sites_started_on_idle_connections_have_power_sooner_and_nothing_else_changes():
    on, rows = sites_begun("true")
    off, same = sites_begun("false")
    assert (rows == same).all()
    sooner = on.sites["energised_on"][rows] < off.sites["energised_on"][rows]
    offered = off.nations["brownfield_mw"][on.sites["nation"][rows]] > 0.0
    assert (sooner == offered).all()
    assert sooner.any()
    assert not sooner.all()
    cheaper = on.sites["infra"][rows] < off.sites["infra"][rows]
    assert (cheaper == offered).all()
    for column in ("capacity_mw", "size_mw", "generation_wet", "transmission", "law_draw"):
        assert (on.sites[column] == off.sites[column]).all()
    used = off.nations["brownfield_mw"] - on.nations["brownfield_mw"]
    begun = np.bincount(
        on.sites["nation"][rows], weights=on.sites["capacity_mw"][rows], minlength=used.size
    )
    np.testing.assert_allclose(used, np.minimum(begun, off.nations["brownfield_mw"]))


# --- laws made on the way --------------------------------------------------------------------


def test_an_enacted_law_binds_from_its_day_to_its_last():
    statutes = Statutes((), ("A", "B"), ("AAA", "BBB"), 0.2)
    day = date(2026, 1, 1)
    assert statutes.changed(day) == []
    tax = Tax(
        kind="tax", date=date(2026, 2, 1), until=date(2026, 3, 1), place="BBB", power_usd_mwh=7.0
    )
    statutes.enact(tax)
    assert statutes.changed(date(2026, 1, 31)) is None
    assert statutes.changed(date(2026, 2, 1)) == [(tax, True)]
    assert statutes.law().power_charge.tolist() == [0.0, 7.0]
    assert statutes.changed(date(2026, 3, 1)) == [(tax, False)]
    assert statutes.law().power_charge.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="cannot be enacted"):
        statutes.enact(Note(kind="note", date=day, what="nothing"))


# --- policy ----------------------------------------------------------------------------------


def test_mining_is_on_the_mind_of_small_economies_with_much_of_it():
    world = small_world()
    concern = governing.salience(world)
    assert concern[nation_row(world, "KAZ")] == governing.MOST_SALIENCE
    assert 0.0 < concern[nation_row(world, "DEU")] < 1.0
    assert (concern[world.nations["hashrate"] == 0.0] == 0.0).all()
    shares = world.nation_shares / np.maximum(world.nations["gdp_share"], 1e-12)
    assert concern[nation_row(world, "USA")] == pytest.approx(shares[nation_row(world, "USA")])


@pytest.mark.parametrize(
    ("concern", "rule_of_law", "mood", "means", "kind"),
    [
        (1.0, 0.7, 0.49, 0.6, Policy.TAX),
        (1.0, 0.7, 0.49, 0.8, Policy.BAN),
        (1.0, 0.7, 0.51, 0.8, Policy.SUBSIDY),
        (4.0, 0.7, 0.79, 0.6, Policy.TAX),
        (0.0, 0.7, 0.0, 0.6, Policy.SUBSIDY),
    ],
)
def test_what_weighs_much_is_restrained_and_by_decree_where_law_is_weak(
    concern: float, rule_of_law: float, mood: float, means: float, kind: Policy
):
    assert governing.kind_of_policy(concern, rule_of_law, mood, means) == kind


@pytest.mark.parametrize(
    ("kind", "made", "months"), [(Policy.TAX, Tax, 12), (Policy.SUBSIDY, Subsidy, 18)]
)
def test_a_proposal_is_law_after_its_lead(kind: Policy, made: type, months: float):
    world = small_world(100, "nations.policy=true")
    governing.propose(world, nation_row(world, "NOR"), kind, 0.5)
    event = world.statutes.events[-1]
    assert isinstance(event, made)
    assert event.date == world.today + timedelta(days=round(months * DAYS_PER_MONTH))
    assert (event.place, event.power_usd_mwh) == ("NOR", 10.0)
    assert event.until == event.date + timedelta(days=round(5 * 365.25))
    assert told(world, "proposal") == [
        ("NOR", f"a {event.kind} on mining, in force from {event.date}")
    ]
    # One of a kind is enough.
    laws = len(world.statutes.events)
    governing.propose(world, nation_row(world, "NOR"), kind, 0.4)
    assert len(world.statutes.events) == laws


def test_a_ban_by_decree_closes_sites_within_weeks():
    world = small_world(60, "nations.policy=true")
    row = nation_row(world, "IRN")
    assert world.nations["rule_of_law"][row] < governing.DECREED_BELOW
    before = world.nations["hashrate"][row]
    governing.propose(world, row, Policy.BAN, 0.5)
    event = world.statutes.events[-1]
    assert isinstance(event, Ban)
    assert event.date == world.today + timedelta(days=30)
    live(world)
    assert world.nations["hashrate"][row] < 0.5 * before
    assert any(subject == "IRN" for subject, _ in told(world, "ban"))


def test_proposals_come_more_often_where_they_are_made_more_often():
    counted = []
    for yearly in ("0", "1", "4"):
        world = small_world(100, "nations.policy=true", f"nations.proposals_yr={yearly}")
        governing.legislate(world)
        counted.append({subject for subject, _ in told(world, "proposal")})
    assert counted[0] == set()
    assert counted[1] < counted[2]


def taxed_share(tax: float, seed: int) -> float:
    """Share of Kazakhstan after 250 days of a tax on power."""
    law = Tax(kind="tax", date=date(2025, 4, 10), place="KAZ", power_usd_mwh=tax)
    world = live(World(small_case("baseline_2025", 250, RARELY, events=(law,), seed=seed)))
    return float(world.nation_shares[nation_row(world, "KAZ")])


def test_the_share_of_a_nation_falls_with_its_tax():
    found = [[taxed_share(tax, seed) for tax in (0.0, 30.0, 90.0)] for seed in (1, 2)]
    assert (np.diff(np.mean(found, axis=0)) < 0.0).all()
    assert (np.array(found)[:, 2] < np.array(found)[:, 0]).all()


# --- directives ------------------------------------------------------------------------------


def directive(world: World, *codes: str) -> Any:
    """A directive in force in some nations."""
    adopted = np.isin(np.array(world.nation_names), codes)
    return SimpleNamespace(adopted=adopted, pending=np.full(adopted.size, -1))


def test_allies_follow_a_directive_and_adversaries_do_not():
    world = small_world(100, "nations.adoption=true", "nations.adoption_threshold=0.21")
    first = directive(world, "USA").adopted
    follows = governing.would_follow(world, first)
    assert follows[nation_row(world, "CAN")]
    assert follows[nation_row(world, "USA")]
    assert not follows[nation_row(world, "RUS")]
    # A stake in the coin makes a nation slower to follow.
    assert world.nations["reserve_sat"][nation_row(world, "GBR")] > 0
    assert not follows[nation_row(world, "GBR")]
    world.nations["reserve_sat"][nation_row(world, "GBR")] = 0
    assert governing.would_follow(world, first)[nation_row(world, "GBR")]


def test_followers_decide_once_and_wait_for_their_lead():
    world = small_world(100, "nations.adoption=true", "nations.adoption_threshold=0.2")
    one = directive(world, "USA")
    world.politics = SimpleNamespace(live=[one])
    governing.adopt_directives(world)
    joins = one.pending != -1
    assert (joins == (governing.would_follow(world, one.adopted) & ~one.adopted)).all()
    assert joins.any()
    assert (one.pending[joins] > world.day).all()
    assert len(set(one.pending[joins].tolist())) > 1
    assert {subject for subject, _ in told(world, "adoption")} == {
        code for code, join in zip(world.nation_names, joins, strict=True) if join
    }
    decided = one.pending.copy()
    governing.adopt_directives(world)
    assert (one.pending == decided).all()


@pytest.mark.parametrize("switch", ["true", "false"])
def test_without_directives_or_the_switch_nobody_follows(switch: str):
    world = small_world(100, f"nations.adoption={switch}", "nations.adoption_threshold=0")
    governing.adopt_directives(world)
    world.politics = SimpleNamespace(live=[])
    governing.adopt_directives(world)
    one = directive(world, "USA")
    world.politics = SimpleNamespace(live=[one])
    governing.adopt_directives(world)
    assert (one.pending != -1).any() == (switch == "true")
