"""The levers of the page, and the scenario that they make: what a browser says is never trusted."""

from __future__ import annotations

import datetime
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from model.complaint import ScenarioError
from model.events import Directive
from model.known import column
from model.scenario import Scenario, catalogue, load

Value = str | float | bool
Values = dict[str, Value]

OFF = "off"
# As scenarios/covenant_pool.toml has it: the pool needs members who choose and are paid by pools.
WITH_COVENANT = {"pools.choice": True, "chain.payout": "pools"}
RISE_YR = 0.15
LONGEST_TEXT = 100
DAYS_TO_DIRECTIVE = 182  # from the first day, where a scenario has no directive of its own


@dataclass(frozen=True)
class Lever:
    """One control: its name, words, and what it may be.

    `parameter` is the parameter of a scenario that it sets, if it sets just one.
    """

    key: str
    group: str
    label: str
    kind: str  # "choice", "number", "range", "switch", "date" or "text"
    help: str
    parameter: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    low: float = 0.0
    high: float = 1.0
    step: float = 0.05
    unit: str = ""


PRICES = (
    ("own", "scenario's own"),
    ("wander", "wanders"),
    ("jump", "wanders and jumps"),
    ("flat", "stays as it is"),
    ("rise", "rises 15 % a year"),
)
PATIENCE = (
    ("inf", "never give up"),
    ("lag:1", "1 block behind"),
    ("lag:6", "6 blocks behind"),
    ("lag:144", "144 blocks behind"),
    ("conf:1", "1 confirmation"),
    ("conf:6", "6 confirmations"),
)
REACH = (
    ("any", "any of these"),
    ("site", "site"),
    ("headquarters", "miner's seat"),
    ("template", "template"),
)
LEVELS = ((OFF, "off"), ("filter", "filter"), ("enforce", "enforce"))


@lru_cache(maxsize=1)
def levers() -> tuple[Lever, ...]:
    """All levers, in the order of the page."""
    names = tuple((name, name) for name, _ in catalogue())
    nations = tuple(zip(column("nations.csv", "iso3"), column("nations.csv", "name"), strict=True))
    ordered = tuple(sorted(nations, key=lambda each: each[1].casefold()))
    return (
        Lever("scenario", "Scenario", "Scenario", "choice", "what the world begins with",
              choices=names),
        Lever("seed", "Scenario", "Seed", "text", "of every random draw; a whole number"),
        Lever("end", "Scenario", "Last day", "date", "of the run", "end_date"),
        Lever("price", "Coin price", "Price path", "choice", "how the coin price moves",
              choices=PRICES),
        Lever("drift", "Coin price", "Growth", "range", "expected growth, if it wanders",
              "price.drift_yr", low=-0.5, high=1.0, unit="a year"),
        Lever("volatility", "Coin price", "Volatility", "range", "of log returns, if it wanders",
              "price.volatility_yr", low=0.0, high=1.5, unit="a year"),
        Lever("directive", "Directive", "Directive", "choice",
              "filter: miners and pools leave forbidden payments out; enforce: they also "
              "build on no block that holds one", choices=LEVELS),
        Lever("nation", "Directive", "Of", "choice", "the nation that gives the order",
              choices=tuple(each for each in ordered if each[0] != "OTH")),
        Lever("date", "Directive", "From", "date", "first day of the order"),
        Lever("patience", "Directive", "Patience", "choice",
              "when enforcers give their branch up", choices=PATIENCE),
        Lever("reach", "Directive", "Binds by", "choice", "by what a nation can compel hashrate",
              "hypotheses.jurisdiction", choices=REACH),
        Lever("contagion", "Directive", "Spreads to allies", "switch",
              "other nations adopt the directive along alliances", "nations.adoption"),
        Lever("threshold", "Directive", "Resistance to it", "range",
              "pressure at which a nation adopts it; low spreads far",
              "nations.adoption_threshold", low=0.0, high=2.0),
        Lever("transmission", "Miners", "Transmission charge", "range",
              "multiplies transmission and distribution charges", "energy.transmission_scale",
              low=0.0, high=5.0, step=0.1, unit="\N{MULTIPLICATION SIGN}"),
        Lever("scale", "Miners", "Scale advantage", "range",
              "multiplies what size saves besides energy", "firms.scale_advantage",
              low=0.0, high=10.0, step=0.25, unit="\N{MULTIPLICATION SIGN}"),
        Lever("bidders", "Miners", "AI bids for sites", "switch",
              "AI and other computation compete for large sites", "compute.bidders"),
        Lever("covenant", "Miners", "Covenant pool", "range",
              "share of the hashrate whose owners would mine in it", "pools.covenant_share",
              unit="of hashrate"),
        Lever("reserves", "Nations", "Reserves", "number",
              "multiplies the coins that every nation holds", "nations.reserves_scale",
              low=0.0, high=1000.0, step=0.5, unit="\N{MULTIPLICATION SIGN}"),
        Lever("strategic", "Nations", "Defensive mining", "switch",
              "nations mine, buy, sell and defend by their own interest", "nations.strategic"),
    )  # fmt: skip


def described(own: str) -> list[dict[str, Any]]:
    """All levers as plain data for the browser, a scenario of one's own among the choices."""
    told = [asdict(lever) for lever in levers()]
    listed = told[0]["choices"]
    if own not in dict(listed):
        told[0]["choices"] = ((own, own), *listed)
    return told


def values_of(case: Scenario) -> Values:
    """Where the levers stand in a scenario that nobody has touched."""
    order = first_directive(case)
    begins = case.start_date + datetime.timedelta(days=DAYS_TO_DIRECTIVE)
    own: Values = {
        "scenario": case.name,
        "seed": str(case.seed),
        "price": "own",
        "directive": OFF if order is None else order.level,
        "nation": "USA" if order is None else order.place,
        "date": (min(begins, case.end_date) if order is None else order.date).isoformat(),
        "patience": "inf" if order is None else order.patience,
    }
    for lever in levers():
        if lever.parameter:
            found = parameter(case, lever.parameter)
            own[lever.key] = found.isoformat() if isinstance(found, datetime.date) else found
    return own


def parameter(case: Scenario, path: str) -> Any:
    """A parameter by its path."""
    found: Any = case
    for part in path.split("."):
        found = getattr(found, part)
    return found


def first_directive(case: Scenario) -> Directive | None:
    """The first order of a scenario, if it has one."""
    return next((event for event in case.events if isinstance(event, Directive)), None)


def opened(name: object, own: str) -> tuple[str, Values]:
    """A scenario, and where its levers stand.

    Parameters
    ----------
    name : as the browser has it: one that comes with the model, or `own`.
    own : the name or path that the server was started with.
    """
    names = list(dict.fromkeys([own, *(known for known, _ in catalogue())]))
    # A name that is a path would read any file of the machine.
    if name not in names:
        raise ScenarioError("scenario", _short(name), f"one of {', '.join(names)}")
    return str(name), values_of(load(str(name))) | {"scenario": str(name)}


def checked(values: Mapping[str, object]) -> Values:
    """The values of a page, each of the kind its lever has; the scenario judges the bounds."""
    known = {lever.key: lever for lever in levers()}
    for key in values:
        if key not in known:
            raise ScenarioError(_short(key), "an unknown lever", f"one of {', '.join(known)}")
    return {key: _checked(known[key], value) for key, value in values.items()}


def _checked(lever: Lever, value: object) -> Value:
    if lever.kind == "switch":
        if isinstance(value, bool):
            return value
        raise ScenarioError(lever.label, _short(value), "on or off")
    if lever.kind in ("number", "range"):
        return _number(lever, value)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ScenarioError(lever.label, _short(value), "a short text")
    listed = [choice for choice, _ in lever.choices]
    # A file of one's own may have an order that the list lacks.
    if lever.kind == "choice" and value not in listed and lever.key not in ("scenario", "patience"):
        raise ScenarioError(lever.label, _short(value), f"one of {', '.join(listed)}")
    if lever.kind == "date":
        _date(lever, value)
    if lever.key == "seed" and not (value.isascii() and value.isdigit()):
        raise ScenarioError(lever.label, _short(value), "a whole number from 0 to 2^63 - 1")
    return value


def _number(lever: Lever, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ScenarioError(
        lever.label, _short(value), f"a number from {lever.low:g} to {lever.high:g}"
    )


def _date(lever: Lever, value: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise ScenarioError(lever.label, _short(value), "a date (YYYY-MM-DD)") from None


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


# From levers to a scenario, by the words that the command line takes


def overrides(base: str, values: Mapping[str, object]) -> list[str]:
    """What differs from the scenario, as the values of --set.

    Parameters
    ----------
    base : name, or path, of the scenario.
    values : the levers, as they are in the browser.

    Raises
    ------
    ScenarioError
        Where a value is of the wrong kind.
    """
    case = load(base)
    own, wanted = values_of(case), checked(values)
    changed = {key: value for key, value in wanted.items() if value != own[key]}
    told: dict[str, Any] = {}
    if "seed" in changed:
        told["seed"] = int(str(changed["seed"]))
    for lever in levers():
        if lever.parameter and lever.key in changed:
            told[lever.parameter] = _plain(lever, changed[lever.key])
    if "price" in changed:
        told |= price_path(case, str(changed["price"]), _last_day(case, wanted))
    if told.get("pools.covenant_share", 0.0) > 0.0 and not case.pools.choice:
        told |= WITH_COVENANT
    if changed.keys() & {"directive", "nation", "date", "patience"}:
        told["events"] = events(case, own | wanted)
    return [f"{key}={toml(value)}" for key, value in told.items()]


def case_of(base: str, values: Mapping[str, object]) -> Scenario:
    """The scenario that the levers make of another, or what is wrong with it."""
    return load(base, overrides(base, values))


def _plain(lever: Lever, value: Value) -> Any:
    return _date(lever, str(value)) if lever.kind == "date" else value


def _last_day(case: Scenario, values: Values) -> datetime.date:
    return datetime.date.fromisoformat(str(values.get("end", case.end_date.isoformat())))


def price_path(case: Scenario, path: str, last: datetime.date) -> dict[str, Any]:
    """The parameters of a price path that is not the scenario's own."""
    if path in ("wander", "jump"):
        mode = "gbm" if path == "wander" else "jump"
        return {"price.mode": mode, "price.start_usd": first_price(case)}
    first, growth = first_price(case), RISE_YR if path == "rise" else 0.0
    years = (last - case.start_date).days / 365.25
    ends = [[case.start_date, first], [last, round(first * (1.0 + growth) ** years, 2)]]
    return {"price.mode": "path", "price.path": ends}


def first_price(case: Scenario) -> float:
    """Coin price of the first day, USD."""
    if case.price.mode == "path":
        return case.price.path[0][1]
    if case.price.mode != "historical":
        return case.price.start_usd
    weeks = zip(column("price_weekly.csv", "week"), column("price_weekly.csv", "price_usd"),
                strict=True)  # fmt: skip
    return max((w, float(usd)) for w, usd in weeks if w <= case.start_date.isoformat())[1]


def events(case: Scenario, values: Values) -> list[dict[str, Any]]:
    """The scenario's events, its first directive as the levers have it; none at all if off."""
    before, off = first_directive(case), values["directive"] == OFF
    kept = [
        event
        for event in case.events
        if not (isinstance(event, Directive) if off else event is before)
    ]
    told = [event.model_dump(exclude_defaults=True) for event in kept]
    return told if off else [*told, order(values)]


def order(values: Values) -> dict[str, Any]:
    """The directive that the levers describe."""
    names = dict(zip(column("nations.csv", "iso3"), column("nations.csv", "name"), strict=True))
    nation, level = str(values["nation"]), str(values["directive"])
    asked = "leave out blacklisted payments"
    if level == "enforce":
        asked = "build on no block that holds a blacklisted payment"
    return {
        "kind": "directive",
        "date": datetime.date.fromisoformat(str(values["date"])),
        "place": nation,
        "level": level,
        "patience": str(values["patience"]),
        "what": f"{names.get(nation, nation)}: miners and pools must {asked}",
        "source": "a lever of the page",
    }


def toml(value: Any) -> str:
    """A value as one line of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON leaves DEL as it is; TOML does not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, Mapping):
        pairs = (f"{key} = {toml(item)}" for key, item in value.items() if item is not None)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(toml(item) for item in value)}]"
    return value.isoformat() if isinstance(value, datetime.date) else repr(value)


def command(base: str, changes: Sequence[str], days: int | None) -> str:
    """The line that makes the same run again."""
    words = ["python", "run.py", "run", base]
    seed = next((change for change in changes if change.startswith("seed=")), None)
    if seed is not None:
        words += ["--seed", seed.removeprefix("seed=")]
    if days is not None:
        words += ["--days", str(days)]
    for change in changes:
        if change != seed:
            words += ["--set", change]
    return shlex.join(words)
