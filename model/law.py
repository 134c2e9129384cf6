"""The law of the day: what the dated events in force mean at each place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date

import numpy as np

from model.events import (
    Ban,
    Cap,
    Curtail,
    Duty,
    Event,
    Outage,
    SeasonalBan,
    Subsidy,
    Tariff,
    Tax,
)


@dataclass(frozen=True, eq=False)
class Law:
    """What binds at each place, one array entry a place.

    Attributes
    ----------
    power_charge : USD/MWh, taxes and tariffs less subsidies
    revenue_tax, import_duty : shares of revenue and of machine value
    available : share of power left by outages and curtailment
    banned, evasion : share of sites banned, share of those that goes underground
    lasting : 1 where a ban has no end, else 0
    capacity_cap, site_cap : MW, most new capacity and largest new site
    """

    power_charge: np.ndarray
    revenue_tax: np.ndarray
    import_duty: np.ndarray
    available: np.ndarray
    banned: np.ndarray
    evasion: np.ndarray
    lasting: np.ndarray
    capacity_cap: np.ndarray
    site_cap: np.ndarray

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        )

    @classmethod
    def free(cls, places: int) -> Law:
        """No law at all."""
        zero = {field.name: np.zeros(places) for field in fields(cls)}
        none = {"available": np.ones(places)}
        limits = {name: np.full(places, np.inf) for name in ("capacity_cap", "site_cap")}
        return cls(**(zero | none | limits))


def _ban(law: Law, event: Ban | SeasonalBan, rows: np.ndarray, evasion: float) -> None:
    if event.affected == 0.0:
        return
    stated = event.evasion if isinstance(event, Ban) else None
    share = evasion if stated is None else stated
    # Of two bans the stricter one is enforced, whichever stands first in the file.
    first = law.banned[rows] == 0.0
    law.evasion[rows] = np.where(first, share, np.minimum(law.evasion[rows], share))
    law.banned[rows] = 1.0 - (1.0 - law.banned[rows]) * (1.0 - event.affected)
    if event.until is None:
        law.lasting[rows] = 1.0


def _apply(law: Law, event: Event, rows: np.ndarray, evasion: float) -> None:
    """Fold one event into the law of the day."""
    match event:
        case Ban() | SeasonalBan():
            _ban(law, event, rows, evasion)
        case Tax():
            law.power_charge[rows] += event.power_usd_mwh
            law.revenue_tax[rows] += event.revenue_share
        case Tariff():
            law.power_charge[rows] += event.power_usd_mwh
        case Subsidy():
            law.power_charge[rows] -= event.power_usd_mwh
        case Duty():
            law.import_duty[rows] += event.machine_share
        case Outage():
            law.available[rows] *= event.available
        case Curtail():
            law.available[rows] *= 1.0 - event.affected
        case Cap():
            share = event.capacity_mw / rows.size
            law.capacity_cap[rows] = np.minimum(law.capacity_cap[rows], share)
            if event.site_mw is not None:
                law.site_cap[rows] = np.minimum(law.site_cap[rows], event.site_mw)


class Statutes:
    """The dated events of a scenario and of its nations, read out day by day."""

    def __init__(
        self,
        events: Iterable[Event],
        place_names: Sequence[str],
        place_nations: Sequence[str],
        evasion: float,
    ) -> None:
        self._names = np.asarray(place_names)
        self._nations = np.asarray(place_nations)
        self._evasion = evasion
        events = tuple(events)
        self.events = tuple(event for event in events if hasattr(event, "place"))
        self._facts = tuple(event for event in events if not hasattr(event, "place"))
        self._rows = [self.places_of(event.place) for event in self.events]
        self._active: tuple[int, ...] | None = None

    def enact(self, event: Event) -> None:
        """Add an event that nobody had on the calendar; it is read out when its day comes."""
        if not hasattr(event, "place"):
            raise ValueError(f"a {event.kind} binds nobody, so it cannot be enacted")
        self.events = (*self.events, event)
        self._rows.append(self.places_of(event.place))

    def facts(self, today: date) -> list[Event]:
        """Events of the day that bind nobody: notes and shocks."""
        return [event for event in self._facts if event.effective == today]

    def places_of(self, place: str) -> np.ndarray:
        """Rows of the places that a name covers: a place, a nation or the world."""
        if place == "WORLD":
            return np.arange(self._names.size)
        return np.flatnonzero((self._names == place) | (self._nations == place))

    def changed(self, today: date) -> list[tuple[Event, bool]] | None:
        """Events that began (True) or ended (False) since the last call; None if nothing did."""
        active = tuple(i for i, event in enumerate(self.events) if event.in_force(today))
        if active == self._active:
            return None
        before, self._active = set(self._active or ()), active
        begun = [(self.events[i], True) for i in active if i not in before]
        ended = [(self.events[i], False) for i in sorted(before.difference(active))]
        return begun + ended

    def law(self) -> Law:
        """The law in force since the last change."""
        law = Law.free(self._names.size)
        for i in self._active or ():
            _apply(law, self.events[i], self._rows[i], self._evasion)
        return law
