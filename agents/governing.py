"""What nations decide at home: to mine with stranded energy, to legislate, to follow others."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from agents import building
from model import metrics
from model.events import Ban, Event, Subsidy, Tax
from model.markets import hardware
from model.statecraft.adoption import NEVER, adoption_threshold, would_adopt
from model.statecraft.netback import mining_margin_usd_mwh, netback_usd_mwh, state_mining_mw
from model.statecraft.policy import Policy, lead_days, lead_median_months, proposed
from model.streams import uniform, uniforms
from model.units import DAYS_PER_YEAR, HOURS_PER_YEAR

if TYPE_CHECKING:
    from model.world import World

QUARTER_DAYS = DAYS_PER_YEAR / 4.0
LEAST_FIELD_MW = 1.0  # less stranded power is left alone
STRANDED_KINDS = ("flare", "btm_gas")  # where the stranded gas is, and where else if there is none
MOST_SALIENCE = 5.0  # mining beyond so many times the economy's weight upsets nobody further
DECREED_BELOW = 0.5  # rule of law below which a ban needs no parliament
KINDS = {Policy.TAX: Tax, Policy.SUBSIDY: Subsidy, Policy.BAN: Ban}


# Sanctions


def mine_stranded_energy(world: World) -> None:
    """Quarterly: nations under sanctions open sites on energy that mining pays better for.

    Each goes part of the way a quarter. Whoever mines there pays the state what selling the energy
    would have brought it.
    """
    rule, nations = world.case.nations, world.nations
    if not rule.sanctioned_mining:
        return
    netback = netback_usd_mwh(
        nations["sanctioned"], rule.energy_price_usd_mwh, rule.lifting_cost_usd_mwh
    )
    stranded = np.where(nations["sanctioned"] > 0.0, nations["stranded_mw"], 0.0)
    worth = state_mining_mw(margin_of_new_machine(world), netback, stranded)
    amount = stranded_fields(world, rule.damping * worth)
    cells = np.flatnonzero(amount)
    if cells.size:
        open_fields(world, cells, amount[cells], netback)


def margin_of_new_machine(world: World) -> float:
    """What the newest machines bring for a MWh after their capital and upkeep, USD."""
    efficiency = hardware.output_efficiency(world.output_weights, world.generations.efficiency_j_th)
    duty = world.cells.duty[stranded_cells(world, STRANDED_KINDS[0])].mean()
    capital = building.CAPITAL_USD_MW_YR / (HOURS_PER_YEAR * duty)
    upkeep = world.case.firms.om_usd_mwh + world.case.energy.idle_cost_usd_mwh
    return float(mining_margin_usd_mwh(world.hashprice, efficiency, capital, upkeep))


def stranded_cells(world: World, kind: str) -> np.ndarray:
    """Cells of one kind of site."""
    return np.flatnonzero(world.cells.type == world.types.row(kind))


def stranded_fields(world: World, wanted: np.ndarray) -> np.ndarray:
    """Power to open in each cell, MW: what each nation wants, by the room of its fields."""
    left = np.maximum(world.potential_mw - building.built_mw(world), 0.0)
    nation = world.places["nation"][world.cells.place]
    amount = np.zeros(left.size)
    for kind in STRANDED_KINDS:
        cells = stranded_cells(world, kind)
        room = np.bincount(nation[cells], weights=left[cells], minlength=wanted.size)
        taken = np.minimum(wanted, room)
        share = np.divide(taken, room, out=np.zeros(room.size), where=taken >= LEAST_FIELD_MW)
        amount[cells] = share[nation[cells]] * left[cells]
        # The second kind is for nations that have none of the first.
        wanted = np.where(np.bincount(nation[cells], minlength=wanted.size) > 0, 0.0, wanted)
    return amount


def open_fields(world: World, cells: np.ndarray, amount: np.ndarray, netback: np.ndarray) -> None:
    """Begin the states' own sites, at the price that their energy would fetch elsewhere."""
    draw = world.streams.generator("state sites")
    size = np.full(cells.size, building.FIELD_MW)
    ready = world.day + building.lead_days(world, cells, size)
    rows = building.add_sites(world, cells, amount, size, ready, draw)
    sites, home = world.sites, world.places["nation"][world.cells.place[cells]]
    for season in ("generation_wet", "generation_dry"):
        sites[season][rows] = netback[sites["nation"][rows]]
    sites["transmission"][rows] = 0.0
    opened = np.bincount(home, weights=amount, minlength=netback.size)
    world.nations["stranded_mw"] = np.maximum(world.nations["stranded_mw"] - opened, 0.0)
    world.seats_changed = True
    for row in np.flatnonzero(opened):
        what = f"opens {opened[row]:.1f} MW on energy it cannot sell, at {netback[row]:.1f} USD/MWh"
        world.tell("state_mining", world.nation_names[row], what)


# Policy


def salience(world: World) -> np.ndarray:
    """How much mining is on each nation's mind: its weight in the world's over the economy's."""
    mined, economy = metrics.normalised(world.nations["hashrate"]), world.nations["gdp_share"]
    weight = np.divide(mined, economy, out=np.full(mined.size, np.inf), where=economy > 0.0)
    return np.where(mined > 0.0, np.minimum(weight, MOST_SALIENCE), 0.0)


def legislate(world: World) -> None:
    """Quarterly: nations propose to tax, subsidise or ban mining; the law follows after a lead."""
    rule, nations = world.case.nations, world.nations
    if not rule.policy:
        return
    key, concern = world.streams.key("proposals"), salience(world)
    chance = uniforms(key, world.day, nations.size)
    rows = np.flatnonzero(proposed(concern, chance, QUARTER_DAYS, rule.proposals_yr))
    for row in rows:
        draws = [uniform(key, world.day, int(row), draw) for draw in (1, 2, 3)]
        kind = kind_of_policy(concern[row], nations["rule_of_law"][row], draws[0], draws[1])
        propose(world, int(row), kind, draws[2])


def kind_of_policy(concern: float, rule_of_law: float, mood: float, means: float) -> Policy:
    """Mining that weighs much is restrained, by decree where law is weak; else it is welcome.

    Parameters
    ----------
    mood, means : uniform draws in [0, 1)
    """
    if mood >= concern / (1.0 + concern):
        return Policy.SUBSIDY
    return Policy.BAN if means >= rule_of_law else Policy.TAX


def propose(world: World, row: int, kind: Policy, draw: float) -> None:
    """Put a policy on the calendar, unless one of its kind stands or is on its way."""
    rule, place = world.case.nations, world.nation_names[row]
    decree = world.nations["rule_of_law"][row] < DECREED_BELOW
    # The usual leads of kinds keep their proportion to the scenario's.
    scale = rule.lead_months / 9.0
    median = scale * lead_median_months(kind, decree)
    lead = max(int(lead_days(median, draw, rule.lead_sd)), 1)
    begins = world.today + timedelta(days=lead)
    name = kind.name.lower()
    if standing(world, place, name, begins):
        return
    terms = {} if kind == Policy.BAN else {"power_usd_mwh": rule.policy_usd_mwh}
    until = begins + timedelta(days=round(DAYS_PER_YEAR * rule.policy_years))
    what = f"{place}: {name} proposed on {world.today}"
    world.statutes.enact(
        KINDS[kind](kind=name, date=begins, until=until, place=place, what=what, **terms)
    )
    world.tell("proposal", place, f"a {name} on mining, in force from {begins}")


def standing(world: World, place: str, kind: str, day: date) -> bool:
    """Whether a nation has a law of this kind, or will have before a day and until after it."""

    def holds(event: Event) -> bool:
        until = getattr(event, "until", None)
        return event.kind == kind and event.subject == place and (until is None or until > day)

    return any(holds(event) for event in world.statutes.events)


# Directives


def would_follow(world: World, adopted: np.ndarray) -> np.ndarray:
    """Who would adopt a directive of others: whom allies convince more than adversaries deter.

    Parameters
    ----------
    adopted : whether each nation has adopted it

    Returns
    -------
    Whether each nation has adopted it or now would.
    """
    rule, nations = world.case.nations, world.nations
    stake = metrics.normalised(nations["reserve_sat"])
    threshold = adoption_threshold(stake, rule.adoption_threshold, rule.stake_resistance)
    return would_adopt(world.alliances, nations["gdp_share"], adopted, threshold)


def adoption_leads(world: World, directive: int) -> np.ndarray:
    """Days from today to the force of a directive that each nation decides to adopt today."""
    rule, key = world.case.nations, world.streams.key("adoption leads")
    draws = [uniform(key, world.day, row, directive) for row in range(world.nations.size)]
    return np.maximum(lead_days(rule.lead_months, draws, rule.lead_sd), 1)


def adopt_directives(world: World) -> None:
    """Quarterly: nations decide whether to follow the directives in force elsewhere."""
    politics = getattr(world, "politics", None)
    if politics is None or not world.case.nations.adoption:
        return
    for number, live in enumerate(politics.live):
        begins = world.day + adoption_leads(world, number)
        joins = would_follow(world, live.adopted) & ~live.adopted & (live.pending == NEVER)
        live.pending[joins] = begins[joins]
        for row in np.flatnonzero(joins):
            what = (
                f"decides to adopt a directive, in force from {world.calendar.date_of(begins[row])}"
            )
            world.tell("adoption", world.nation_names[row], what)
