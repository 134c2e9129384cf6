"""Dated events: what they accept, and when they hold."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from model.events import KINDS, Ban, Dated, Event, SeasonalBan

ADAPTER: TypeAdapter[Dated] = TypeAdapter(Event)
DAY = datetime.date(2021, 5, 21)
LEAST = {
    "ban": {},
    "seasonal_ban": {
        "until": DAY.replace(year=2031),
        "from_month_day": "11-15",
        "to_month_day": "03-15",
    },
    "tax": {},
    "tariff": {"power_usd_mwh": 5.0},
    "subsidy": {"power_usd_mwh": 5.0},
    "duty": {"machine_share": 0.25},
    "cap": {"capacity_mw": 100.0},
    "outage": {"until": DAY.replace(month=6), "available": 0.5},
    "curtail": {"until": DAY.replace(month=6)},
    "directive": {},
    "filter": {"pool": "F2Pool"},
    "fork": {},
    "price_shock": {"factor": 0.5},
    "note": {"what": "block 630000"},
}
PLACELESS = {"price_shock", "note", "filter", "fork"}


def build(kind: str, **values: object) -> Dated:
    place = {} if kind in PLACELESS else {"place": "CHN"}
    table = {"kind": kind, "date": DAY, **place, **LEAST[kind], **values}
    return ADAPTER.validate_python(table, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_built_from_its_required_keys(kind: str) -> None:
    event = build(kind)
    assert type(event) is KINDS[kind]
    assert event.effective == DAY
    assert not event.in_force(DAY - datetime.timedelta(days=1))
    assert event.subject == ("WORLD" if kind in PLACELESS else "CHN")


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_keys_are_refused(kind: str) -> None:
    with pytest.raises(ValidationError):
        build(kind, colour="red")


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_frozen(kind: str) -> None:
    with pytest.raises(ValidationError):
        build(kind).what = "changed"


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("ban", {"lead_days": -1}),
        ("ban", {"evasion": 1.5}),
        ("ban", {"affected": -0.1}),
        ("ban", {"until": DAY}),
        ("tax", {"revenue_share": 1.1}),
        ("tariff", {"power_usd_mwh": -1.0}),
        ("duty", {"machine_share": 2.5}),
        ("outage", {"available": float("nan")}),
        ("outage", {"until": None}),
        ("price_shock", {"factor": 0.0}),
        ("price_shock", {"until": DAY}),
        ("seasonal_ban", {"from_month_day": "02-30"}),
        ("note", {"what": ""}),
        ("directive", {"patience": "lag:0"}),
        ("directive", {"level": "obey"}),
        ("filter", {"pool": ""}),
        ("fork", {"free_value_share": 1.5}),
    ],
)
def test_values_out_of_bounds_are_refused(kind: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        build(kind, **wrong)


def test_a_ban_closes_sites_lead_days_after_it_is_announced() -> None:
    ban = build("ban", lead_days=30)
    assert isinstance(ban, Ban)
    assert ban.effective == datetime.date(2021, 6, 20)
    assert not ban.in_force(datetime.date(2021, 6, 19))
    assert ban.in_force(datetime.date(2021, 6, 20))


@given(st.dates(DAY, datetime.date(2022, 12, 31)))
def test_until_is_the_first_day_no_longer_in_force(day: datetime.date) -> None:
    until = datetime.date(2021, 9, 22)
    assert build("tax", until=until).in_force(day) == (day < until)


@given(st.dates(DAY, datetime.date(2035, 1, 1)))
def test_a_winter_ban_spans_the_new_year_until_its_law_ends(day: datetime.date) -> None:
    ban = build("seasonal_ban")
    assert isinstance(ban, SeasonalBan)
    winter = (day.month, day.day) >= (11, 15) or (day.month, day.day) < (3, 15)
    assert ban.in_force(day) == (winter and day < ban.until)


@given(st.dates(DAY, datetime.date(2030, 1, 1)))
def test_a_summer_ban_stays_within_its_year(day: datetime.date) -> None:
    ban = build("seasonal_ban", from_month_day="06-01", to_month_day="09-01")
    assert ban.in_force(day) == (6 <= day.month < 9)
