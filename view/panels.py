"""The panels beside and below the map, each an SVG drawn from the world as it stands."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from model.observing import SIZE_BINS
from view import chain_panel, charts
from view.charts import BLUE, GREEN, ORANGE, PURPLE, RED, Line, Span
from view.words import percent

if TYPE_CHECKING:
    from model.world import World
    from view.memory import Memory

MOST_LEADERS = 7
LEAST_DAYS = 60  # an axis shorter than this would run away
ENERGY_NAMES = {
    "grid_industrial": "grid",
    "btm_hydro": "hydro",
    "btm_gas": "gas",
    "btm_solar_wind": "sun and wind",
    "btm_nuclear": "nuclear",
    "flare": "flare gas",
    "landfill_dairy": "landfill and dairy",
    "home_solar": "homes",
    "heat_demand": "heat sold",
}


def all_panels(world: World, memory: Memory) -> dict[str, str]:
    """Every panel by name, as SVG text."""
    return {
        "hashrate": hashrate(world, memory),
        "price": price(world, memory),
        "chain": chain_panel.draw(world, memory),
        "order": order(world, memory),
        "concentration": concentration(world, memory),
        "coins": coins(world),
        "energy": energy(world, memory),
        "sizes": sizes(world, memory),
        "hashprice": hashprice(world),
        "machines": machines(world),
        "power": power(world),
        "leaders": leaders(world),
        "events": events(world, memory),
    }


def span_of(world: World) -> Span:
    """The days so far."""
    return Span(world.case.start_date, max(world.recorder.written, LEAST_DAYS))


def _series(world: World, name: str) -> np.ndarray:
    return world.recorder[name]


def hashrate(world: World, memory: Memory) -> str:
    """Hashrate of the network."""
    drawn = [Line("hashrate", _series(world, "hashrate_ehs"))]
    return charts.lines("Hashrate", "EH/s", span_of(world), drawn, low=0.0, marks=memory.turns)


def price(world: World, memory: Memory) -> str:
    """Coin price on a logarithmic axis."""
    drawn = [Line("coin price", _series(world, "price_usd"), GREEN)]
    title = "Coin price" if world.politics.split is None else "Price of the compliant coin"
    return charts.lines(title, "USD, log", span_of(world), drawn, log=True, marks=memory.turns)


def order(world: World, memory: Memory) -> str:
    """Who obeys, and what it does to the chain."""
    names = (
        ("templates that enforce", "enforcing_share", BLUE),
        ("that filter", "filtering_share", ORANGE),
        ("blocks orphaned", "orphan_rate", RED),
        ("forbidden payments included", "inclusion_rate", GREEN),
    )
    drawn = [Line(name, 100.0 * _series(world, series), colour) for name, series, colour in names]
    return charts.lines(
        "Censorship", "%", span_of(world), drawn, low=0.0, high=100.0, marks=memory.turns
    )


def concentration(world: World, memory: Memory) -> str:
    """Herfindahl indices of nations, templates, pools and firms."""
    drawn = [
        Line("nation", _series(world, "hhi_nation"), BLUE),
        Line("template", _series(world, "hhi_template"), RED),
        Line("pool", _series(world, "hhi_pool"), GREEN),
        Line("firm", memory.hhi_firm, PURPLE),
    ]
    return charts.lines(
        "Concentration",
        "Herfindahl index, 0 to 1",
        span_of(world),
        drawn,
        low=0.0,
        marks=memory.turns,
    )


def coins(world: World) -> str:
    """What either coin is worth after a fork."""
    both = [_series(world, f"{coin}_price_usd") for coin in ("compliant", "free")]
    if not any(np.isfinite(each).any() for each in both):
        return charts.empty("Coin values after a fork", "one coin so far", "USD, log")
    drawn = [Line("compliant coin", both[0], BLUE), Line("free coin", both[1], GREEN)]
    begins = int(np.argmax(np.isfinite(both[0]) | np.isfinite(both[1])))
    # A year before the fork is past enough to see it by.
    first = max(begins - 30, 0)
    span = Span(world.calendar.date_of(first), max(world.recorder.written - first, LEAST_DAYS))
    cut = [Line(each.name, each.values[first:], each.colour) for each in drawn]
    return charts.lines("Coin values after a fork", "USD, log", span, cut, log=True)


def energy(world: World, memory: Memory) -> str:
    """Hashrate by the kind of site."""
    names = [ENERGY_NAMES.get(kind, kind) for kind in world.types.name]
    return charts.areas("Energy mix", "share of hashrate", span_of(world), names, memory.energy)


def sizes(world: World, memory: Memory) -> str:
    """Hashrate by the size of site."""
    return charts.areas("Site sizes", "share of hashrate", span_of(world), SIZE_BINS, memory.sizes)


def hashprice(world: World) -> str:
    """What hashing earns."""
    drawn = [Line("hashprice", _series(world, "hashprice_usd_ph_day"), PURPLE)]
    return charts.lines("Hashprice", "USD/PH/day, log", span_of(world), drawn, log=True)


def machines(world: World) -> str:
    """What a new machine costs."""
    drawn = [Line("newest machine", _series(world, "asic_price_usd_th"), RED)]
    return charts.lines("Machine price", "USD/TH, log", span_of(world), drawn, log=True)


def power(world: World) -> str:
    """Power of all mining sites."""
    drawn = [Line("power", _series(world, "power_gw"), ORANGE)]
    return charts.lines("Power", "GW", span_of(world), drawn, low=0.0)


def leaders(world: World) -> str:
    """The nations with most of the hashrate, by site and by whose templates are made."""
    shares = world.nation_shares
    made = world.nations["template_hashrate"]
    templates = made / max(float(made.sum()), 1e-9)
    rows = []
    for row in np.argsort(-np.maximum(shares, templates), kind="stable")[:MOST_LEADERS]:
        by_site, by_template = float(shares[row]), float(templates[row])
        rows.append(
            f"<tr><th scope='row'>{escape(world.atlas.nations.name[row])}</th>"
            f"<td>{_bar(by_site, BLUE)}</td><td>{_bar(by_template, RED)}</td></tr>"
        )
    head = "<tr><th></th><th scope='col'>sites</th><th scope='col'>templates</th></tr>"
    return (
        '<figure class="panel leaders"><figcaption><b>Nations today</b><span class="unit">'
        f"share of hashrate</span></figcaption><table>{head}{''.join(rows)}</table></figure>"
    )


def _bar(share: float, colour: str) -> str:
    wide = f"width:{70 * min(share, 1.0):.1f}%;background:{colour}"
    return f'<i style="{wide}"></i>{percent(share)}'


def events(world: World, memory: Memory) -> str:
    """The last things that happened, newest first."""
    rows = [
        f"<li><time>{world.calendar.date_of(day).isoformat()}</time> "
        f"<b>{escape(kind.replace('_', ' '))}</b> {escape(_words(subject, what))}</li>"
        for day, kind, subject, what in memory.latest
    ]
    body = "".join(rows) or "<li>nothing yet</li>"
    return (
        '<figure class="panel told"><figcaption><b>What happened</b></figcaption>'
        f"<ul>{body}</ul></figure>"
    )


def _words(subject: str, what: str) -> str:
    if not what:
        return "" if subject == "WORLD" else subject
    return what if subject == "WORLD" or subject in what else f"{subject}: {what}"
