"""What no single parameter can tell: whether the parts of a scenario agree."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.complaint import ScenarioError, nearest_to, shown
from model.events import Event
from model.known import column, known_fleets, known_places, known_pools, price_history
from model.parameters import Start
from model.parameters_politics import Forks, Holders, Nations
from model.parameters_pools import COVENANT

if TYPE_CHECKING:
    from model.scenario import Scenario

LONGEST_DAYS = 36_525
ESSAY_J_TH = 34.3  # a fleet that needs 1 % of the world's electricity at 850 EH/s
SHORTEST_INTERVAL_S = 10.0
LONGEST_INTERVAL_S = 86_400.0
MOST_AT_ONCE = 3  # directives and filters
_SHARE_KINDS = ("monthly", "assumed")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def agreed(case: Scenario) -> Scenario:
    """The scenario, if its parts agree with one another and with the data files."""
    _check_dates(case)
    _check_events(case)
    _check_price(case)
    _check_interval(case.start)
    _check_names(case)
    _check_politics(case)
    _check_pools(case)
    return case


def _check_dates(case: Scenario) -> None:
    if case.end_date < case.start_date:
        raise ScenarioError("end_date", case.end_date, f"a date from {case.start_date} on")
    if case.days > LONGEST_DAYS:
        raise ScenarioError("end_date", case.end_date, f"at most {LONGEST_DAYS} days of run")


def _check_events(case: Scenario) -> None:
    for position, event in enumerate(case.events):
        if not case.start_date <= event.date <= case.end_date:
            allowed = f"a day of the run, {case.start_date} to {case.end_date}"
            raise ScenarioError(f"events.{position}.date", event.date, allowed)


def _check_price(case: Scenario) -> None:
    if case.price.mode == "historical":
        _check_history(case)
    dates = [point for point, _ in case.price.path]
    if case.price.mode == "path" and not dates:
        raise ScenarioError("price.path", "no point", "at least one [date, price in USD]")
    for position, (point, price) in enumerate(case.price.path):
        key = f"price.path.{position}"
        if position and point <= dates[position - 1]:
            raise ScenarioError(key, point, f"a date after {dates[position - 1]}")
        if not 0 < price <= 1e9:
            raise ScenarioError(key, price, "a price above 0, at most 1e9")


def _check_history(case: Scenario) -> None:
    first, last = price_history()
    if case.start_date < first:
        raise ScenarioError("start_date", case.start_date, f"historical prices begin on {first}")
    if case.end_date > last:
        raise ScenarioError("end_date", case.end_date, f"historical prices end on {last}")


def _check_names(case: Scenario) -> None:
    """Check every name that stands for a row or a file of the data."""
    places = known_places(case.places_file) if case.events else []
    for position, event in enumerate(case.events):
        if event.subject not in places:
            raise ScenarioError(
                f"events.{position}.place",
                shown(event.subject),
                'a nation (ISO alpha-3), a place of the data, or "WORLD"',
                nearest_to(event.subject, places),
            )
    _check_fleet(case.start)
    _check_month(case.start.shares_month)


def _check_politics(case: Scenario) -> None:
    """Refuse holders that don't add up, unknown allies, negative reserves, impossible readings."""
    _check_holders(case.holders)
    _check_behaviours(case.forks)
    _check_ranges(case)
    _check_relations(case.nations)
    _check_directives(case)
    _check_crowd(case.events)
    _check_hypotheses(case)


def _check_holders(holders: Holders) -> None:
    names = ("freedom_weight", "custodian_weight", "neutral_weight")
    total = sum(getattr(holders, name) for name in names)
    if abs(total - 1.0) > 1e-9:
        keys = ", ".join(f"holders.{name}" for name in names)
        raise ScenarioError(keys, f"a sum of {total:g}", "shares that add up to 1")


def _check_behaviours(forks: Forks) -> None:
    total = forks.fickle_share + forks.automatic_share
    if total > 1.0 + 1e-9:
        keys = "forks.fickle_share, forks.automatic_share"
        raise ScenarioError(keys, f"a sum of {total:g}", "shares that add up to at most 1")


def _check_ranges(case: Scenario) -> None:
    """Refuse ranges whose lower end lies above the upper one."""
    for section in ("holders", "forks"):
        values = getattr(case, section)
        for name in type(values).model_fields:
            if name.endswith("_low"):
                low, high = getattr(values, name), getattr(values, f"{name[:-4]}_high")
                if low > high:
                    key = f"{section}.{name}"
                    raise ScenarioError(key, low, f"at most {section}.{name[:-4]}_high = {high:g}")


def _check_relations(nations: Nations) -> None:
    known = column("nations.csv", "iso3")
    for position, (nation, btc) in enumerate(nations.reserves_btc):
        key = f"nations.reserves_btc.{position}"
        _check_nation(key, nation, known)
        if not 0 <= btc <= 21e6:
            raise ScenarioError(key, btc, "a reserve from 0 to 21 million BTC")
    for position, (one, other, weight) in enumerate(nations.alliances):
        key = f"nations.alliances.{position}"
        _check_nation(key, one, known)
        _check_nation(key, other, known)
        if one == other:
            raise ScenarioError(key, shown(one), "two different nations")
        if not -1 <= weight <= 1:
            raise ScenarioError(key, weight, "a weight from -1 (adversary) to 1 (ally)")


def _check_nation(key: str, code: str, known: list[str]) -> None:
    if code not in known:
        nearest = nearest_to(code, known)
        raise ScenarioError(key, shown(code), "a nation (ISO alpha-3) of nations.csv", nearest)


def _check_directives(case: Scenario) -> None:
    known = column("nations.csv", "iso3")
    forks = [position for position, event in enumerate(case.events) if event.kind == "fork"]
    if len(forks) > 1:
        raise ScenarioError(f"events.{forks[1]}", "a second fork", "one fork a run")
    for position, event in enumerate(case.events):
        if event.kind == "directive":
            _check_nation(f"events.{position}.place", event.place, known)
        if event.kind == "filter":
            _check_pool(f"events.{position}.pool", event.pool, case.start_date)
        if event.kind == "fork" and event.asert_from and event.asert_from < event.date:
            key = f"events.{position}.asert_from"
            raise ScenarioError(key, event.asert_from, f"a date from {event.date} on")


def _check_pool(key: str, pool: str, start: datetime.date, *others: str) -> None:
    known = [*known_pools(start), *others]
    if pool not in known:
        allowed = f"one of {', '.join(known)}"
        raise ScenarioError(key, shown(pool), allowed, nearest_to(pool, known))


def _check_pools(case: Scenario) -> None:
    """Refuse pools that nobody knows, and rules of paying that contradict one another."""
    named = [pool for pool, _ in case.pools.schemes]
    for position, pool in enumerate(named):
        _check_pool(f"pools.schemes.{position}", pool, case.start_date)
        if pool in named[:position]:
            raise ScenarioError(f"pools.schemes.{position}", shown(pool), "each pool once")
    _check_covenant(case)
    _check_withholding(case)
    _check_unpaid(case)
    disputed = [event for event in case.events if event.kind in ("directive", "filter", "fork")]
    if case.virtual_mining.replaces > 0.0 and disputed:
        allowed = "0 where blocks are in dispute: who is paid on rival branches is not told"
        raise ScenarioError("virtual_mining.replaces", case.virtual_mining.replaces, allowed)


def _check_covenant(case: Scenario) -> None:
    """Refuse windows that can't be, and a feeder that promises more than it is paid."""
    terms = case.pools
    if terms.covenant_window == "range" and terms.covenant_choice == "per_block":
        allowed = '"count" or "time" where finders choose: a range of times pays no later block'
        raise ScenarioError("pools.covenant_window", shown("range"), allowed)
    first, last = terms.covenant_range_days
    if not 0.0 <= first < last <= LONGEST_DAYS:
        allowed = f"two days in order, from 0 to {LONGEST_DAYS}"
        raise ScenarioError("pools.covenant_range_days", f"{first:g} to {last:g}", allowed)
    feeder = terms.covenant_feeder
    if feeder:
        _check_pool("pools.covenant_feeder", feeder, case.start_date)
        if dict(terms.schemes).get(feeder, terms.scheme) != "pplns":
            allowed = "a pool that pays the last shares (pplns): it has only what it is paid"
            raise ScenarioError("pools.covenant_feeder", shown(feeder), allowed)


def _check_withholding(case: Scenario) -> None:
    """Refuse an attack that is half told, or of a pool on itself."""
    terms = case.pools
    attacker, victim = terms.withholding_attacker, terms.withholding_victim
    if terms.withholding_share == 0.0:
        if attacker or victim:
            allowed = "a share above 0 where a pool attacks"
            raise ScenarioError("pools.withholding_share", 0.0, allowed)
        return
    covenant = (COVENANT,) if terms.covenant_share > 0.0 else ()
    _check_pool("pools.withholding_attacker", attacker, case.start_date)
    _check_pool("pools.withholding_victim", victim, case.start_date, *covenant)
    if attacker == victim:
        raise ScenarioError(
            "pools.withholding_victim", shown(victim), "another pool than the attacker"
        )


def _check_unpaid(case: Scenario) -> None:
    """Refuse choices, schemes and attacks where nobody is paid by a scheme."""
    terms = case.pools
    unpaid = {
        "choice": terms.choice,
        "schemes": bool(terms.schemes),
        "covenant_feeder": bool(terms.covenant_feeder),
        "withholding_share": terms.withholding_share > 0.0,
    }
    for key, found in unpaid.items():
        if found and case.chain.payout != "pools":
            allowed = f'"pools" where pools.{key} is set: otherwise nobody is paid by a scheme'
            raise ScenarioError("chain.payout", shown(case.chain.payout), allowed)


def _check_crowd(events: Sequence[Event]) -> None:
    """Refuse more directives and filters at once than a tree of blocks has parties for."""
    for position, event in enumerate(events):
        if event.kind in ("directive", "filter"):
            others = [other for other in events if other.kind in ("directive", "filter")]
            if sum(other.in_force(event.date) for other in others) > MOST_AT_ONCE:
                allowed = f"at most {MOST_AT_ONCE} directives and filters in force at once"
                raise ScenarioError(f"events.{position}", f"more on {event.date}", allowed)


def _check_hypotheses(case: Scenario) -> None:
    """Refuse readings that contradict one another or what the scenario sets."""
    chosen = case.hypotheses
    if chosen.internalise == "none" and chosen.reaction == "defend":
        allowed = '"endogenous" or "dump" where hypotheses.internalise = "none": nobody reckons'
        raise ScenarioError("hypotheses.reaction", shown("defend"), f"{allowed} with dominance")
    if chosen.internalise == "none" and chosen.alliance_joint:
        allowed = 'false where hypotheses.internalise = "none": nobody defends'
        raise ScenarioError("hypotheses.alliance_joint", True, allowed)
    if chosen.energy == "essay" and case.start.mean_efficiency_j_th not in (0.0, ESSAY_J_TH):
        allowed = f"0 or {ESSAY_J_TH} where hypotheses.energy is the essay's"
        found = case.start.mean_efficiency_j_th
        raise ScenarioError("start.mean_efficiency_j_th", found, allowed)
    if chosen.fork == "none" and any(event.kind == "fork" for event in case.events):
        allowed = "no fork among the events, or another reading"
        raise ScenarioError("hypotheses.fork", shown("none"), allowed)


def _check_fleet(start: Start) -> None:
    """Refuse an unknown fleet, and a mean that no mix of its machines can have."""
    files = known_fleets()
    if start.fleet not in [*files, "cohorts"]:
        allowed = f"one of {', '.join(files)}, cohorts"
        nearest = nearest_to(start.fleet, files)
        raise ScenarioError("start.fleet", shown(start.fleet), allowed, nearest)
    mean = start.mean_efficiency_j_th
    if mean and start.fleet in files:
        machines = set(column(start.fleet, "generation"))
        listed = column("generations.csv", "name"), column("generations.csv", "efficiency_j_th")
        present = [float(value) for name, value in zip(*listed, strict=True) if name in machines]
        if not min(present) <= mean <= max(present):
            allowed = f"0, or a mean of the fleet's {min(present):g} to {max(present):g} J/TH"
            raise ScenarioError("start.mean_efficiency_j_th", mean, allowed)


def _check_interval(start: Start) -> None:
    """Refuse a difficulty at which the first hashrate finds blocks absurdly fast or slowly."""
    interval_s = start.difficulty_e12 * 1e12 * 2**32 / (start.hashrate_ehs * 1e18)
    if not SHORTEST_INTERVAL_S <= interval_s <= LONGEST_INTERVAL_S:
        each = start.difficulty_e12 / interval_s
        allowed = f"{each * SHORTEST_INTERVAL_S:.4g} to {each * LONGEST_INTERVAL_S:.4g}"
        words = f"{allowed} at start.hashrate_ehs = {start.hashrate_ehs:g}"
        raise ScenarioError("start.difficulty_e12", start.difficulty_e12, words)


def _check_month(month: str) -> None:
    """Refuse a month without shares; months before the observed ones take the first of them."""
    observed, assumed = (column(f"nation_share_{kind}.csv", "month") for kind in _SHARE_KINDS)
    early = bool(_MONTH.fullmatch(month)) and month < min(observed)
    if not early and month not in {*observed, *assumed}:
        later = ", ".join(sorted(set(assumed)))
        allowed = f"a month (YYYY-MM) up to {max(observed)}, or {later}"
        raise ScenarioError("start.shares_month", shown(month), allowed)
