"""The law of the day: how dated events fold into it, end, and reach the sites."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.building import built_by_place
from model.events import Ban, Cap, Curtail, Duty, Note, Outage, SeasonalBan, Subsidy, Tariff, Tax
from model.law import Law, Statutes
from model.world import World
from tests.test_world import lived, small_case

PLACES = ("AAA-North", "AAA-South", "BBB", "CCC")
NATIONS = ("AAA", "AAA", "BBB", "CCC")
DAY = date(2021, 3, 1)
LATER = date(2021, 6, 1)


def law_of(*events: Any, day: date = DAY, evasion: float = 0.2) -> Law:
    statutes = Statutes(events, PLACES, NATIONS, evasion)
    statutes.changed(day)
    return statutes.law()


def same(one: Law, other: Law) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(Law)
    )


def ban(place: str = "AAA", **terms: Any) -> Ban:
    return Ban(kind="ban", place=place, **({"date": DAY} | terms))


def tax(place: str = "AAA", **terms: Any) -> Tax:
    return Tax(kind="tax", place=place, **({"date": DAY} | terms))


def outage(place: str, available: float, until: date = LATER) -> Outage:
    return Outage(kind="outage", date=DAY, until=until, place=place, available=available)


# --- whom an event concerns ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows"),
    [("AAA-South", [1]), ("AAA", [0, 1]), ("BBB", [2]), ("WORLD", [0, 1, 2, 3]), ("ZZZ", [])],
)
def test_a_name_covers_a_place_a_nation_or_the_world(name: str, rows: list[int]):
    assert Statutes((), PLACES, NATIONS, 0.0).places_of(name).tolist() == rows


def test_without_events_nothing_binds():
    law = law_of()
    assert same(law, Law.free(4))
    assert law.available.tolist() == [1.0] * 4
    assert np.isinf(law.capacity_cap).all()


# --- folding ---------------------------------------------------------------------------------


def test_bans_of_parts_leave_what_neither_hits():
    law = law_of(ban("AAA", affected=0.5), ban("AAA-South", affected=0.4))
    assert law.banned == pytest.approx([0.5, 0.7, 0.0, 0.0])


def test_a_ban_states_its_evasion_or_takes_the_usual_one():
    law = law_of(ban("AAA"), ban("BBB", evasion=0.6), evasion=0.15)
    assert law.evasion.tolist() == [0.15, 0.15, 0.6, 0.0]


def test_charges_add_and_subsidies_subtract():
    law = law_of(
        tax("AAA", power_usd_mwh=5.0, revenue_share=0.1),
        tax("WORLD", power_usd_mwh=1.0, revenue_share=0.05),
        Tariff(kind="tariff", date=DAY, place="BBB", power_usd_mwh=7.0),
        Subsidy(kind="subsidy", date=DAY, place="AAA-South", power_usd_mwh=20.0),
        Duty(kind="duty", date=DAY, place="CCC", machine_share=0.25),
    )
    assert law.power_charge == pytest.approx([6.0, -14.0, 8.0, 1.0])
    assert law.revenue_tax == pytest.approx([0.15, 0.15, 0.05, 0.05])
    assert law.import_duty == pytest.approx([0.0, 0.0, 0.0, 0.25])


def test_outages_and_curtailment_multiply():
    law = law_of(
        outage("AAA", 0.5),
        outage("AAA-South", 0.2),
        Curtail(kind="curtail", date=DAY, until=LATER, place="AAA", affected=0.1),
    )
    assert law.available == pytest.approx([0.45, 0.09, 1.0, 1.0])


def test_the_tightest_cap_binds_and_a_nations_is_split_among_its_places():
    law = law_of(
        Cap(kind="cap", date=DAY, place="AAA", capacity_mw=100.0, site_mw=10.0),
        Cap(kind="cap", date=DAY, place="AAA-North", capacity_mw=20.0),
        Cap(kind="cap", date=DAY, place="BBB", capacity_mw=0.0),
    )
    assert law.capacity_cap.tolist() == [20.0, 50.0, 0.0, np.inf]
    assert law.site_cap.tolist() == [10.0, 10.0, np.inf, np.inf]


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    places=st.lists(st.sampled_from((*PLACES, *NATIONS, "WORLD")), min_size=5, max_size=5),
    random=st.randoms(),
)
def test_the_order_of_laws_does_not_matter(shares: list[float], places: list[str], random: Any):
    events = [
        event
        for share, place in zip(shares, places, strict=False)
        for event in (
            ban(place, affected=share),
            outage(place, 1.0 - share),
            tax(place, revenue_share=share / 5),
        )
    ]
    law = law_of(*events)
    assert ((law.banned >= 0.0) & (law.banned <= 1.0)).all()
    assert ((law.available >= 0.0) & (law.available <= 1.0)).all()
    random.shuffle(events)
    shuffled = law_of(*events)
    for field in fields(Law):
        np.testing.assert_allclose(
            getattr(shuffled, field.name), getattr(law, field.name), atol=1e-12
        )


def test_a_ban_of_no_site_changes_no_law():
    usual = law_of(ban("AAA", evasion=0.5))
    assert same(law_of(ban("AAA", evasion=0.5), ban("AAA", affected=0.0, evasion=0.0)), usual)


# --- beginning and ending --------------------------------------------------------------------


def test_a_ban_closes_after_its_lead_time_and_ends_on_its_last_day():
    law = ban(lead_days=10, until=LATER)
    banned = [
        law_of(law, day=DAY + timedelta(days=days)).banned[0] for days in (-1, 0, 9, 10, 91, 92)
    ]
    assert banned == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_a_seasonal_ban_binds_in_its_months_even_across_the_new_year():
    law = SeasonalBan(
        kind="seasonal_ban", date=date(2020, 1, 1), until=date(2022, 1, 10), place="BBB",
        from_month_day="11-15", to_month_day="03-15", affected=0.8,
    )  # fmt: skip
    for day, banned in (
        ("2020-01-01", 0.8), ("2020-03-14", 0.8), ("2020-03-15", 0.0), ("2020-11-14", 0.0),
        ("2020-11-15", 0.8), ("2021-02-01", 0.8), ("2021-12-31", 0.8), ("2022-01-10", 0.0),
    ):  # fmt: skip
        assert law_of(law, day=date.fromisoformat(day)).banned[2] == banned


def test_changes_are_told_once():
    first, second = (
        outage("AAA", 0.5, until=DAY + timedelta(days=5)),
        tax(date=DAY, revenue_share=0.1),
    )
    statutes = Statutes(
        (first, second, Note(kind="note", date=DAY, what="a fact")), PLACES, NATIONS, 0.2
    )
    assert statutes.changed(DAY - timedelta(days=1)) in (None, [])
    assert statutes.changed(DAY) == [(first, True), (second, True)]
    assert statutes.changed(DAY + timedelta(days=4)) is None
    assert statutes.changed(DAY + timedelta(days=5)) == [(first, False)]
    assert statutes.law().available.tolist() == [1.0] * 4
    assert statutes.law().revenue_tax.tolist() == [0.1, 0.1, 0.0, 0.0]


def test_when_all_laws_have_ended_nothing_binds():
    events = (ban(until=LATER), outage("BBB", 0.0), tax("WORLD", until=LATER, revenue_share=0.3))
    assert not same(law_of(*events), Law.free(4))
    assert same(law_of(*events, day=LATER), Law.free(4))


# --- in a world ------------------------------------------------------------------------------

BEGINS, ENDS = date(2019, 9, 9), date(2019, 9, 23)  # days 8 and 22, Mondays: prices are weekly


def watch(events: tuple[Any, ...], days: int = 25) -> tuple[World, list[dict[str, np.ndarray]]]:
    """A small world with steady grid prices, and its sites at the end of each day."""
    steady = "energy.price_volatility=0"
    world = World(small_case("china_ban_2021", days, steady, events=events))
    seen = []
    while world.running:
        world.step()
        names = ("power_price", "available_mw", "tenant", "energy_mwh")
        seen.append({name: world.sites[name].copy() for name in names})
    return world, seen


def places_in(world: World, nation: str) -> np.ndarray:
    rows = np.flatnonzero(np.asarray(world.atlas.place_nations) == nation)
    return np.isin(world.sites["place"], rows)


def test_a_tax_on_power_raises_the_delivered_price_while_it_lasts():
    event = Tax(kind="tax", date=BEGINS, until=ENDS, place="USA", power_usd_mwh=25.0)
    world, seen = watch((event,))
    _, free = watch(())
    usa = places_in(world, "USA")
    # A demand-response credit is a share of the price, tax included.
    response = 1.0 - world.case.energy.dr_credit_share
    for day in (7, 8, 21, 22):
        rise = (seen[day]["power_price"] - free[day]["power_price"])[: usa.size][usa]
        if day in (8, 21):
            assert ((rise > 25.0 * response - 1e-9) & (rise < 25.0 + 1e-9)).all()
        else:
            assert rise == pytest.approx(0.0, abs=1e-9)


def test_an_outage_takes_power_away_while_it_lasts():
    event = Outage(kind="outage", date=BEGINS, until=ENDS, place="RUS", available=0.25)
    world, seen = watch((event,))
    _, free = watch(())
    russia = places_in(world, "RUS")
    for day, share in ((7, 1.0), (8, 0.25), (21, 0.25), (22, 1.0)):
        left = seen[day]["available_mw"][russia]
        assert left == pytest.approx(share * free[day]["available_mw"][russia], abs=1e-9)
        assert (seen[day]["energy_mwh"][russia] <= 24 * left * (1 + 1e-9)).all()


def test_sites_close_and_reopen_with_a_ban():
    event = Ban(kind="ban", date=BEGINS, until=ENDS, place="KAZ", evasion=0.0)
    world, seen = watch((event,))
    there = places_in(world, "KAZ")
    assert [bool((seen[day]["tenant"][there] == 2).all()) for day in (7, 8, 21, 22)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert seen[7]["energy_mwh"][there].sum() > 0.0
    assert seen[21]["energy_mwh"][there].sum() == 0.0
    told = world.recorder.events().filter(pl.col("kind") == "ban")["date"].to_list()
    assert told == [BEGINS, ENDS]


def test_a_revenue_tax_is_paid():
    event = Tax(kind="tax", date=BEGINS, place="WORLD", revenue_share=0.2)
    world = lived("china_ban_2021", 20, events=(event,))
    free = lived("china_ban_2021", 20, events=())
    paid = world.accounts.balances_usd["tax"] - free.accounts.balances_usd["tax"]
    revenue = (world.recorder["hashrate_ehs"] * 1e6 * world.recorder["hashprice_usd_ph_day"] / 1e3)[
        8:
    ].sum()
    assert paid == pytest.approx(0.2 * revenue, rel=0.02)


def test_a_law_of_the_first_day_is_in_force_from_the_first_day():
    events = (
        Ban(kind="ban", date=date(2019, 9, 1), place="KAZ", evasion=0.0),
        Tax(kind="tax", date=date(2019, 9, 1), place="USA", power_usd_mwh=25.0),
    )
    world, seen = watch(events, 3)
    assert (world.places["banned"] == (world.atlas.place_nations == np.array("KAZ"))).all()
    assert (seen[0]["tenant"][places_in(world, "KAZ")] == 2).all()
    assert seen[0]["energy_mwh"][places_in(world, "KAZ")].sum() == 0.0
    assert set(world.places["power_charge"]) == {0.0, 25.0}
    told = world.recorder.events().filter(pl.col("kind").is_in(["ban", "tax"]))
    assert told["date"].to_list() == [date(2019, 9, 1)] * 2


def test_a_cap_stops_new_sites():
    event = Cap(kind="cap", date=date(2019, 9, 10), place="WORLD", capacity_mw=0.0)
    world = World(small_case("china_ban_2021", 200, events=(event,)))
    for _ in range(15):
        world.step()
    before = built_by_place(world).copy()
    while world.running:
        world.step()
    # Flare wells yield less with time; nothing is added.
    assert (built_by_place(world) <= before + 1e-9).all()
    free = lived("china_ban_2021", 200, events=())
    assert built_by_place(free).sum() > before.sum()


def test_new_sites_stay_within_a_cap():
    event = Cap(kind="cap", date=date(2019, 9, 10), place="USA", capacity_mw=300.0, site_mw=5.0)
    # Fine rows, so that chance alone hardly ever leaves the nation without a new site.
    world = World(small_case("china_ban_2021", 400, "start.sites=600", events=(event,)))
    for _ in range(15):
        world.step()
    usa = np.asarray(world.atlas.place_nations) == "USA"
    before, rows = built_by_place(world)[usa].sum(), world.sites.size
    while world.running:
        world.step()
    assert 0.0 < built_by_place(world)[usa].sum() - before <= 300.0
    new = world.sites["size_mw"][rows:][places_in(world, "USA")[rows:]]
    assert new.size > 0
    assert new.max() <= 5.0
