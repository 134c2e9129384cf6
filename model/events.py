"""Dated events: the laws, shocks and facts that a scenario puts on the calendar."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from model.chain.patience import parse_patience
from model.parameters import Section, number, text

WORLD = "WORLD"
FIRST_DAY = datetime.date(2009, 1, 3)
LAST_DAY = datetime.date(2200, 1, 1)

Share = Annotated[float, Field(ge=0, le=1)]


def _month_and_day(value: str) -> str:
    """Accept "11-15", refuse what no year has."""
    try:
        # A leap year, so that 29 February is a day.
        return datetime.datetime.strptime(f"2000-{value}", "%Y-%m-%d").strftime("%m-%d")
    except ValueError:
        raise ValueError('a month and a day, such as "11-15"') from None


MonthDay = Annotated[str, AfterValidator(_month_and_day)]


class Dated(Section):
    """What every event has: its day, and where the knowledge of it comes from."""

    date: datetime.date = Field(ge=FIRST_DAY, le=LAST_DAY, description="first day in force")
    what: str = text("", "the event in words, for events.csv")
    source: str = text("", "where it is known from")

    @property
    def effective(self) -> datetime.date:
        """First day on which the event changes anything."""
        return self.date

    @property
    def subject(self) -> str:
        """Place the event concerns, or the whole world."""
        return str(getattr(self, "place", WORLD))

    def in_force(self, day: datetime.date) -> bool:
        """Whether the event holds on `day`: from its effective day to the day before `until`."""
        until = getattr(self, "until", None)
        return self.effective <= day and (until is None or day < until)


class Placed(Dated):
    """An event at a nation (ISO alpha-3), a place of the data, or "WORLD"."""

    place: str = Field(description='nation (ISO alpha-3), place, or "WORLD"')


class Ending(Dated):
    """An event that may end."""

    until: datetime.date | None = Field(
        None, le=LAST_DAY, description="first day no longer in force; never, if absent"
    )

    @field_validator("until")
    @classmethod
    def _ends_after_it_begins(
        cls, until: datetime.date | None, info: ValidationInfo
    ) -> datetime.date | None:
        begins = info.data.get("date")
        if until is not None and begins is not None and until <= begins:
            raise ValueError(f"a date after {begins}, the event's first day")
        return until


class Lasting(Placed, Ending):
    """An event at a place that may end."""


class Ban(Lasting):
    """Mining becomes unlawful at a place; its sites close `lead_days` after `date`."""

    kind: Literal["ban"]
    lead_days: int = number(0, 0, 3650, "days from the announcement on `date` to closure")
    evasion: Share | None = text(None, "share that goes underground; [bans].evasion if absent")
    affected: float = number(1.0, 0, 1, "share of the place's sites")

    @field_validator("lead_days")
    @classmethod
    def _closes_before_it_ends(cls, lead_days: int, info: ValidationInfo) -> int:
        begins, until = info.data.get("date"), info.data.get("until")
        if begins is not None and until is not None and lead_days >= (until - begins).days:
            raise ValueError(f"fewer than the {(until - begins).days} days from `date` to `until`")
        return lead_days

    @property
    def effective(self) -> datetime.date:
        """Day on which sites close."""
        return self.date + datetime.timedelta(days=self.lead_days)


class SeasonalBan(Lasting):
    """Mining is unlawful at a place in one season of each year."""

    kind: Literal["seasonal_ban"]
    until: datetime.date = Field(le=LAST_DAY, description="first day no longer in force")
    from_month_day: MonthDay = text(..., 'first day of the season, such as "11-15"')
    to_month_day: MonthDay = text(..., 'first day after the season, such as "03-15"')
    affected: float = number(1.0, 0, 1, "share of the place's sites")

    def in_force(self, day: datetime.date) -> bool:
        """Whether the law stands and `day` lies in its season, which may span the new year."""
        here, first, after = day.strftime("%m-%d"), self.from_month_day, self.to_month_day
        within = first <= here < after if first <= after else here >= first or here < after
        return within and super().in_force(day)


class Tax(Lasting):
    """A tax on miners' electricity, on their revenue, or on both."""

    kind: Literal["tax"]
    power_usd_mwh: float = number(0.0, 0, 10_000, "tax on electricity")
    revenue_share: float = number(0.0, 0, 1, "tax on revenue")


class Tariff(Lasting):
    """A surcharge on the power price of miners."""

    kind: Literal["tariff"]
    power_usd_mwh: float = number(..., 0, 10_000, "surcharge on the power price")


class Subsidy(Lasting):
    """A reduction of the power price of miners."""

    kind: Literal["subsidy"]
    power_usd_mwh: float = number(..., 0, 10_000, "reduction of the power price")


class Duty(Placed):
    """An import duty on machines."""

    kind: Literal["duty"]
    machine_share: float = number(..., 0, 2, "duty, as a share of the machine price")


class Cap(Lasting):
    """A ceiling on the capacity that is added at a place, and on that of each new site."""

    kind: Literal["cap"]
    capacity_mw: float = number(..., 0, 1e7, "most capacity added at the place from `date` on")
    site_mw: Annotated[float, Field(ge=0, le=1e6)] | None = text(
        None, "largest new site; no limit if absent"
    )


class Outage(Lasting):
    """Part of a place's power fails."""

    kind: Literal["outage"]
    until: datetime.date = Field(le=LAST_DAY, description="first day of full power")
    available: float = number(..., 0, 1, "share of the capacity that still has power")


class Curtail(Lasting):
    """Miners at a place are ordered off the grid."""

    kind: Literal["curtail"]
    until: datetime.date = Field(le=LAST_DAY, description="first day back on the grid")
    affected: float = number(1.0, 0, 1, "share of the place's sites")


def _patience(value: str) -> str:
    """Accept what `parse_patience` does."""
    parse_patience(value)
    return value


class Directive(Lasting):
    """A nation orders those it can compel to leave out forbidden transactions, or to do more."""

    kind: Literal["directive"]
    level: Literal["filter", "enforce"] = text(
        "enforce", "leave them out; or also build on no block that holds one"
    )
    patience: Annotated[str, AfterValidator(_patience)] = text(
        "inf", 'when enforcers give their branch up: "inf", "lag:6" or "conf:1"'
    )


class PoolFilter(Ending):
    """A pool leaves forbidden transactions out of its own accord, and builds on any block."""

    kind: Literal["filter"]
    pool: str = Field(min_length=1, description="the pool, as scenarios/data/pools.csv names it")


class Fork(Dated):
    """Users fork the chain: from this day on there are two coins."""

    kind: Literal["fork"]
    fork: Literal["new_algorithm", "invalidate", "rules"] = text(
        "rules", "a new algorithm, blocks of bad actors refused, or rules that both sides mine by"
    )
    difficulty_rule: Literal["bitcoin", "eda", "asert"] | None = text(
        None, "of the free coin; [forks].difficulty_rule if absent"
    )
    asert_from: datetime.date | None = Field(
        None, le=LAST_DAY, description="day from which the free coin has the continuous rule"
    )
    free_value_share: Share | None = text(
        None, "value share of the free coin on the first day; as holders demand it, if absent"
    )


class PriceShock(Ending):
    """The coin price is multiplied by a factor."""

    kind: Literal["price_shock"]
    factor: float = Field(gt=0, le=1000, description="factor on the coin price")


class Note(Dated):
    """A dated fact that changes nothing and is written to events.csv."""

    kind: Literal["note"]
    what: str = Field(min_length=1, description="the fact in words")


Event = Annotated[
    Ban
    | SeasonalBan
    | Tax
    | Tariff
    | Subsidy
    | Duty
    | Cap
    | Outage
    | Curtail
    | Directive
    | PoolFilter
    | Fork
    | PriceShock
    | Note,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Dated]] = {
    "ban": Ban,
    "seasonal_ban": SeasonalBan,
    "tax": Tax,
    "tariff": Tariff,
    "subsidy": Subsidy,
    "duty": Duty,
    "cap": Cap,
    "outage": Outage,
    "curtail": Curtail,
    "directive": Directive,
    "filter": PoolFilter,
    "fork": Fork,
    "price_shock": PriceShock,
    "note": Note,
}
