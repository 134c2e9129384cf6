"""A nation looked into: its agents themselves, as Mesa shows them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.miner import FORMS, Miner
from agents.nation import Nation, Place
from agents.population import Population, RowAgent
from agents.site import Site
from model.units import SATOSHI_PER_COIN
from view.charts import number
from view.panels import ENERGY_NAMES
from view.words import percent

if TYPE_CHECKING:
    from model.world import World

MOST_ROWS = 12
TENANTS = ("miners", "AI", "closed by law")
STATUS = ("solvent", "distressed", "restructuring", "liquidated")
NO_LIMIT = "none"

Rows = list[list[str]]


def describe(world: World, code: str) -> str:
    """What there is to know of a nation, as HTML; nothing if there is no such nation."""
    if code not in world.nation_names:
        return ""
    row = world.nation_names.index(code)
    nation = world.agents_by_type[Nation][row]
    name = world.atlas.nations.name[row]
    share = float(world.nation_shares[row])
    head = f"{percent(share)} of the hashrate, {number(nation.hashrate / 1e6)} EH/s"
    return (
        f'<h2 tabindex="-1">{escape(name)}</h2><p>{head}</p>'
        + _table("Policies and places", _PLACE_HEAD, places(world, row))
        + _list("Laws in force", laws(world, code))
        + _table(*sites(world, row))
        + _table(*firms(world, row))
        + _table("The nation itself", ("what", "value", "unit"), attributes(nation))
    )


# Its places and the law there

_PLACE_HEAD = ("place", "price, USD/MWh", "charge, USD/MWh", "revenue tax", "duty", "power left",
               "banned", "new capacity, MW", "hashrate, EH/s")  # fmt: skip


def places(world: World, nation: int) -> Rows:
    """The law of the day at every place, and the mean delivered price there."""
    found = _of_nation(world.agents_by_type[Place], nation)
    return [
        [
            world.place_names[place.row],
            _price(world, place.row),
            number(place.power_charge),
            percent(place.revenue_tax),
            percent(place.import_duty),
            percent(place.available),
            percent(place.banned),
            number(place.capacity_cap) if np.isfinite(place.capacity_cap) else NO_LIMIT,
            number(place.hashrate / 1e6),
        ]
        for place in found
    ]


def _price(world: World, place: int) -> str:
    sites = world.sites
    there = sites.alive & (sites["place"] == place)
    weights = sites["capacity_mw"][there]
    if not weights.sum() > 0.0:
        return "no site"
    return number(float(np.average(sites["power_price"][there], weights=weights)))


def laws(world: World, code: str) -> list[str]:
    """Events that bind the nation, a place of it, or the world, and hold today."""
    today = world.today if world.running else world.calendar.date_of(world.day - 1)
    names = {code, "WORLD", *_place_names(world, code)}
    told = [event for event in world.statutes.events if event.place in names]
    return [f"{event.date}: {event.what or event.kind}" for event in told if event.in_force(today)]


def _place_names(world: World, code: str) -> Iterable[str]:
    nations = world.atlas.place_nations
    return (name for name, nation in zip(world.place_names, nations, strict=True) if nation == code)


# Its sites and firms


def sites(world: World, nation: int) -> tuple[str, Sequence[str], Rows]:
    """The largest sites by capacity, one agent a row."""
    everyone = world.agents_by_type[Site]
    rows = _largest(everyone, nation, "capacity_mw")
    shown = [
        [
            world.place_names[site.place],
            ENERGY_NAMES.get(world.types.name[site.kind], world.types.name[site.kind]),
            number(site.capacity_mw),
            number(site.size_mw),
            number(site.power_price),
            number(site.used_mw),
            TENANTS[site.tenant] + (", underground" if site.underground else ""),
        ]
        for site in (everyone[row] for row in rows[:MOST_ROWS])
    ]
    head = ("place", "energy", "capacity, MW", "size of each, MW", "power price, USD/MWh",
            "used, MW", "held by")  # fmt: skip
    return _title("sites", shown, rows), head, shown


def firms(world: World, nation: int) -> tuple[str, Sequence[str], Rows]:
    """The firms seated there with most hashrate, one agent a row."""
    everyone = world.agents_by_type[Miner]
    rows = _largest(everyone, nation, "work")
    shown = [
        [
            world.firm_name(firm.row),
            FORMS[firm.form],
            number(firm.work / 1e6),
            number(firm.power_mw),
            number(firm.cash / 1e6),
            number(firm.debt / 1e6),
            number(firm.treasury_sat / SATOSHI_PER_COIN),
            STATUS[firm.status],
        ]
        for firm in (everyone[row] for row in rows[:MOST_ROWS])
    ]
    head = ("firm", "form", "hashrate, EH/s", "load, MW", "cash, million USD",
            "debt, million USD", "coins, BTC", "state")  # fmt: skip
    return _title("firms", shown, rows), head, shown


def _title(what: str, shown: Rows, rows: np.ndarray) -> str:
    most = f", the largest {len(shown)}" if len(shown) < rows.size else ""
    return f"Its {rows.size} {what}{most}"


def _largest(population: Population, nation: int, column: str) -> np.ndarray:
    """Rows of a nation's agents, the largest first."""
    rows = np.flatnonzero(population.alive & (population["nation"] == nation))
    return rows[np.argsort(-population[column][rows], kind="stable")]


def _of_nation(population: Population, nation: int) -> list[Any]:
    rows = np.flatnonzero(population.alive & (population["nation"] == nation))
    return [population[row] for row in rows]


def attributes(agent: RowAgent) -> Rows:
    """Every column of an agent with its meaning and unit, as declared."""
    return [
        [column.doc or name, _value(getattr(agent, name)), column.unit]
        for name, column in type(agent).columns().items()
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(float(value))


# As HTML


def _table(title: str, head: Sequence[str], rows: Rows) -> str:
    if not rows:
        return f"<h3>{escape(title)}</h3><p>none</p>"
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f'<h3>{escape(title)}</h3><div class="wide" tabindex="0" role="region" '
        f'aria-label="{escape(title)}"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _list(title: str, items: Sequence[str]) -> str:
    body = "".join(f"<li>{escape(item)}</li>" for item in items) or "<li>none</li>"
    return f"<h3>{escape(title)}</h3><ul>{body}</ul>"
