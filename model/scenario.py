"""The typed scenario: load, extend, override, reject."""

from __future__ import annotations

import csv
import datetime
import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from model.events import FIRST_DAY, KINDS, LAST_DAY, WORLD, Event
from model.parameters import (
    Bans,
    ChainRules,
    Compute,
    Energy,
    Fees,
    Firms,
    Heat,
    Machines,
    Price,
    Record,
    Section,
    Solar,
    Start,
    text,
)
from model.parameters_politics import (
    Censorship,
    Forks,
    Holders,
    Hypotheses,
    Nations,
    Neutrality,
)
from model.parameters_pools import COVENANT, Pools
from model.parameters_royalties import Royalties
from model.parameters_virtual import VirtualMining

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
DATA = SCENARIOS / "data"
LONGEST_DAYS = 36_525
ESSAY_J_TH = 34.3  # a fleet that needs 1 % of the world's electricity at 850 EH/s
SHORTEST_INTERVAL_S = 10.0
LONGEST_INTERVAL_S = 86_400.0
MOST_AT_ONCE = 3  # directives and filters

# Words and the seed: two scenarios that differ in nothing else have the same parameters.
_NOT_HASHED = {"name", "title", "question", "predicts", "sources", "seed"}
_SHARE_KINDS = ("monthly", "assumed")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"


class ScenarioError(Exception):
    """Bad input: where it stands, what was found, what is allowed, and the nearest valid name."""

    def __init__(
        self, key: str, found: object, allowed: str, nearest: str | None = None, file: str = ""
    ) -> None:
        super().__init__(key, found, allowed, nearest, file)
        self.key = key
        self.found = found if isinstance(found, str) else _shown(found)
        self.allowed = allowed
        self.nearest = nearest
        self.file = file

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.key) if part)
        hint = f' (did you mean "{self.nearest}"?)' if self.nearest else ""
        return f"{where}: found {self.found}; allowed: {self.allowed}{hint}"


class Scenario(Section):
    """One possible world: its dates, its parameters and its events."""

    name: str = Field(pattern=_NAME, description="name of the run's folder; the file's by default")
    title: str = text("", "title of figures")
    question: str = Field(min_length=1, description="the question the scenario asks, in one line")
    predicts: str = text("", "what the founding essay or another source predicts")
    sources: tuple[str, ...] = text((), "where the choices come from")
    start_date: datetime.date = Field(ge=FIRST_DAY, le=LAST_DAY, description="first day")
    end_date: datetime.date = Field(ge=FIRST_DAY, le=LAST_DAY, description="last day")
    seed: int = Field(1, ge=0, le=2**63 - 1, description="seed of every random stream")
    calibration_end: datetime.date | None = text(None, "last day whose observations set parameters")
    places_file: str = Field(
        "places.csv", pattern=r"^[\w-]+\.csv$", description="places: a file of scenarios/data"
    )
    start: Start = Start()
    chain: ChainRules = ChainRules()
    price: Price = Price()
    fees: Fees = Fees()
    machines: Machines = Machines()
    energy: Energy = Energy()
    solar: Solar = Solar()
    heat: Heat = Heat()
    compute: Compute = Compute()
    firms: Firms = Firms()
    bans: Bans = Bans()
    neutrality: Neutrality = Neutrality()
    nations: Nations = Nations()
    censorship: Censorship = Censorship()
    holders: Holders = Holders()
    forks: Forks = Forks()
    hypotheses: Hypotheses = Hypotheses()
    pools: Pools = Pools()
    virtual_mining: VirtualMining = VirtualMining()
    royalties: Royalties = Royalties()
    record: Record = Record()
    events: tuple[Event, ...] = text((), "dated events")

    @property
    def days(self) -> int:
        """Days of the run, the first and the last included."""
        return (self.end_date - self.start_date).days + 1

    def date_of(self, day: int) -> datetime.date:
        """Calendar date of day `day`, counted from 0."""
        return self.start_date + datetime.timedelta(days=day)


def load(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario by name or path, apply "key.path=value" overrides, and check it."""
    path = _locate(str(name_or_path))
    table = _read_with_parents(path, ())
    table.setdefault("name", path.stem)
    changed = [_override(table, assignment) for assignment in overrides]
    try:
        return _checked(_validated(table))
    except ScenarioError as error:
        by_hand = any(error.key.startswith(key) or key.startswith(error.key) for key in changed)
        error.file = error.file or ("--set" if by_hand else _label(path))
        raise


def with_days(case: Scenario, days: int) -> Scenario:
    """The scenario cut or stretched to `days` days; events after its new end are left out."""
    if not 1 <= days <= LONGEST_DAYS:
        raise ScenarioError("--days", days, f"a whole number from 1 to {LONGEST_DAYS}")
    end = case.start_date + datetime.timedelta(days=days - 1)
    events = tuple(event for event in case.events if event.date <= end)
    try:
        return _checked(case.model_copy(update={"end_date": end, "events": events}))
    except ScenarioError as error:
        error.key = "--days"
        raise


def catalogue() -> list[tuple[str, str]]:
    """Name and question of every scenario that comes with the model."""
    tables = {path.stem: _read_with_parents(path, ()) for path in sorted(SCENARIOS.glob("*.toml"))}
    return [(name, str(table.get("question", ""))) for name, table in tables.items()]


def resolved(case: Scenario) -> dict[str, Any]:
    """Every parameter of the scenario as plain data that JSON can hold."""
    return case.model_dump(mode="json")


def parameter_hash(case: Scenario) -> str:
    """Hash of all that determines a run besides its seed, the code and the data files."""
    held = {key: value for key, value in resolved(case).items() if key not in _NOT_HASHED}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def write_schema(path: Path | None = None) -> Path:
    """Write the JSON schema of scenario files, for editors; return where."""
    target = path or SCENARIOS / "schema.json"
    target.write_text(schema_text(), encoding="utf-8")
    return target


def schema_text() -> str:
    """The JSON schema of scenario files."""
    schema = Scenario.model_json_schema()
    # A file that extends another may leave out any key.
    del schema["required"]
    schema["properties"] |= {
        "extends": {"type": "string", "description": "scenario whose values this one overrides"},
        "replace_events": {
            "type": "boolean",
            "default": False,
            "description": "drop the parent's events instead of adding to them",
        },
    }
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


# Files and inheritance


def _locate(name_or_path: str) -> Path:
    """Path of a scenario given by its name or by the path of its file."""
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return Path(name_or_path)
    path = SCENARIOS / f"{name_or_path}.toml"
    names = [file.stem for file in sorted(SCENARIOS.glob("*.toml"))]
    if name_or_path not in names:
        nearest = _nearest(name_or_path, names)
        allowed = f"one of {', '.join(names)}"
        raise ScenarioError("scenario", _shown(name_or_path), allowed, nearest)
    return path


def _label(path: Path) -> str:
    """The path as a person wrote it, or relative to the scenarios' parent folder."""
    try:
        return str(path.resolve().relative_to(SCENARIOS.parent))
    except ValueError:
        return str(path)


def _read(path: Path) -> dict[str, Any]:
    """One TOML file as a table."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise ScenarioError("file", reason, "a readable TOML file", file=_label(path)) from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError("TOML", f"{error}", "valid TOML", file=_label(path)) from None


def _read_with_parents(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    """One file's table, over the tables of the scenarios it extends."""
    table = _read(path)
    chain = (*children, path.resolve())
    if path.resolve() in children:
        cycle = " -> ".join(file.stem for file in chain)
        raise ScenarioError("extends", cycle, "no circle of scenarios", file=_label(path))
    replace_events = _pop(table, "replace_events", bool, False, path)
    parent = _pop(table, "extends", str, None, path)
    if parent is None:
        return table
    inherited = _read_with_parents(_parent_path(parent, path), chain)
    # A name is never inherited: it would send the child's runs to the parent's folder.
    inherited.pop("name", None)
    return _merged(inherited, table, replace_events)


def _pop(table: dict[str, Any], key: str, kind: type, default: Any, path: Path) -> Any:
    value = table.pop(key, default)
    if value is not default and not isinstance(value, kind):
        allowed = "true or false" if kind is bool else "the name of a scenario"
        raise ScenarioError(key, _shown(value), allowed, file=_label(path))
    return value


def _parent_path(parent: str, child: Path) -> Path:
    """The parent beside its child, or else among the scenarios that come with the model."""
    beside = child.parent / (parent if parent.endswith(".toml") else f"{parent}.toml")
    if beside.is_file():
        return beside
    try:
        return _locate(parent)
    except ScenarioError as error:
        error.key, error.file = "extends", _label(child)
        raise


def _merged(parent: dict[str, Any], child: dict[str, Any], replace_events: bool) -> dict[str, Any]:
    """The child's values over the parent's, table by table; events are added or replaced."""
    merged = parent | child
    for key, value in child.items():
        if isinstance(value, dict) and isinstance(parent.get(key), dict):
            merged[key] = _merged(parent[key], value, False)
    events = [table.get("events", []) for table in (parent, child)]
    if not replace_events and "events" in merged and all(isinstance(e, list) for e in events):
        merged["events"] = events[0] + events[1]
    if replace_events:
        merged["events"] = child.get("events", [])
    return merged


# Overrides


def _override(table: dict[str, Any], assignment: str) -> str:
    """Set one "key.path=value" in the table; return the key path."""
    key, equals, value = assignment.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        raise ScenarioError(
            "--set", _shown(assignment), "KEY=VALUE, such as energy.pue=1.2", file="command line"
        )
    *parents, last = key.split(".")
    node: Any = table
    for part in parents:
        node = _step(node, part, key)
    _put(node, last, _parsed(value.strip()), key)
    return key


def _step(node: Any, part: str, key: str) -> Any:
    """The table or list under `part`, made if a table lacks it."""
    if isinstance(node, dict):
        return node.setdefault(part, {})
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    raise ScenarioError("--set", _shown(key), "the path of a parameter", file="command line")


def _put(node: Any, last: str, value: Any, key: str) -> None:
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list) and last.isdecimal() and int(last) < len(node):
        node[int(last)] = value
    else:
        raise ScenarioError("--set", _shown(key), "the path of a parameter", file="command line")


def _parsed(value: str) -> Any:
    """The value as TOML reads it; bare words are text."""
    try:
        table = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return value
    return table["value"] if set(table) == {"value"} else value


# Validation


def _validated(table: dict[str, Any]) -> Scenario:
    """The table as a Scenario, or the first thing that is wrong with it."""
    try:
        return Scenario.model_validate(_with_tuples(table), strict=True)
    except ValidationError as error:
        raise _explained(error) from None


def _with_tuples(value: Any) -> Any:
    """TOML's lists as tuples, which is what frozen parameters hold."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    return value


def _explained(error: ValidationError) -> ScenarioError:
    """The first complaint of pydantic, in the words of scenario files."""
    first = error.errors(include_url=False)[0]
    kind, found = first["type"], first["input"]
    parts = _without_tags(first["loc"])
    key = ".".join(str(part) for part in parts)
    if kind == "extra_forbidden":
        names = _names_at(first["loc"][:-1])
        allowed = f"one of {', '.join(names)}"
        return ScenarioError(key, "an unknown key", allowed, _nearest(str(parts[-1]), names))
    if kind.startswith("union_tag"):
        tag = str(found.get("kind", "none")) if isinstance(found, dict) else "none"
        allowed = f"one of {', '.join(KINDS)}"
        return ScenarioError(f"{key}.kind", _shown(tag), allowed, _nearest(tag, list(KINDS)))
    field = _field_at(first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    allowed = allowed_values(field) if field and kind != "value_error" else reason
    return ScenarioError(key, "nothing" if kind == "missing" else _shown(found), allowed)


def _without_tags(location: tuple[int | str, ...]) -> list[int | str]:
    """A key path without the kind that pydantic puts behind an event's number."""
    tagged = len(location) > 2 and location[0] == "events" and location[2] in KINDS
    return [part for place, part in enumerate(location) if not (tagged and place == 2)]


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The section or event that a key path leads into."""
    if not location:
        return Scenario
    if location[0] == "events" and len(location) == 3:
        return KINDS.get(str(location[2]))
    field = Scenario.model_fields.get(str(location[0])) if len(location) == 1 else None
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _names_at(location: tuple[int | str, ...]) -> list[str]:
    model = _model_at(location)
    return list(model.model_fields) if model else []


def _field_at(location: tuple[int | str, ...]) -> FieldInfo | None:
    """The declaration of the parameter at a key path; none for what lies inside a list."""
    model = _model_at(location[:-1])
    return model.model_fields.get(str(location[-1])) if model else None


def allowed_values(field: FieldInfo) -> str:
    """What a parameter may be, in words, from its declaration."""
    annotation = field.annotation
    choices = getattr(annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return "one of " + ", ".join(f'"{choice}"' for choice in choices)
    noun = next((words for kind, words in _NOUNS.items() if kind in str(annotation)), "a table")
    bounds = {name: value for limit in field.metadata for name, value in _limits(limit)}
    if "ge" in bounds and "le" in bounds:
        return f"{noun} from {bounds['ge']} to {bounds['le']}"
    if "gt" in bounds:
        return f"{noun} above {bounds['gt']}, at most {bounds['le']}"
    if "pattern" in bounds:
        return f"{noun} that matches {bounds['pattern']}"
    return noun


# In this order: a list may hold numbers, and "date" must not be taken for another word.
_NOUNS = {
    "tuple": "a list",
    "date": "a date (YYYY-MM-DD)",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
}


def is_table(value: object) -> bool:
    """Whether a parameter is a table or a list of tables, which have lines of their own."""
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, BaseModel) for item in items)


def _limits(limit: object) -> Iterator[tuple[str, object]]:
    for name in ("ge", "gt", "le", "pattern"):
        value = getattr(limit, name, None)
        if value is not None:
            yield name, f"{value:.10g}" if isinstance(value, float) else value


def _shown(value: object) -> str:
    """A value as a scenario file would have it, short."""
    if isinstance(value, BaseModel | dict):
        return "a table"
    if isinstance(value, tuple | list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _number(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _number(value: object) -> str:
    try:
        return str(value)
    except ValueError:
        return "a number of too many digits"


def _nearest(word: str, names: list[str]) -> str | None:
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[near[0]] if near else None


# What no single parameter can tell


def _checked(case: Scenario) -> Scenario:
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
                _shown(event.subject),
                'a nation (ISO alpha-3), a place of the data, or "WORLD"',
                _nearest(event.subject, places),
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
            raise ScenarioError(key, _shown(one), "two different nations")
        if not -1 <= weight <= 1:
            raise ScenarioError(key, weight, "a weight from -1 (adversary) to 1 (ally)")


def _check_nation(key: str, code: str, known: list[str]) -> None:
    if code not in known:
        nearest = _nearest(code, known)
        raise ScenarioError(key, _shown(code), "a nation (ISO alpha-3) of nations.csv", nearest)


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
        raise ScenarioError(key, _shown(pool), allowed, _nearest(pool, known))


def _check_pools(case: Scenario) -> None:
    """Refuse pools that nobody knows, and rules of paying that contradict one another."""
    named = [pool for pool, _ in case.pools.schemes]
    for position, pool in enumerate(named):
        _check_pool(f"pools.schemes.{position}", pool, case.start_date)
        if pool in named[:position]:
            raise ScenarioError(f"pools.schemes.{position}", _shown(pool), "each pool once")
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
        raise ScenarioError("pools.covenant_window", _shown("range"), allowed)
    first, last = terms.covenant_range_days
    if not 0.0 <= first < last <= LONGEST_DAYS:
        allowed = f"two days in order, from 0 to {LONGEST_DAYS}"
        raise ScenarioError("pools.covenant_range_days", f"{first:g} to {last:g}", allowed)
    feeder = terms.covenant_feeder
    if feeder:
        _check_pool("pools.covenant_feeder", feeder, case.start_date)
        if dict(terms.schemes).get(feeder, terms.scheme) != "pplns":
            allowed = "a pool that pays the last shares (pplns): it has only what it is paid"
            raise ScenarioError("pools.covenant_feeder", _shown(feeder), allowed)


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
            "pools.withholding_victim", _shown(victim), "another pool than the attacker"
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
            raise ScenarioError("chain.payout", _shown(case.chain.payout), allowed)


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
        raise ScenarioError("hypotheses.reaction", _shown("defend"), f"{allowed} with dominance")
    if chosen.internalise == "none" and chosen.alliance_joint:
        allowed = 'false where hypotheses.internalise = "none": nobody defends'
        raise ScenarioError("hypotheses.alliance_joint", True, allowed)
    if chosen.energy == "essay" and case.start.mean_efficiency_j_th not in (0.0, ESSAY_J_TH):
        allowed = f"0 or {ESSAY_J_TH} where hypotheses.energy is the essay's"
        found = case.start.mean_efficiency_j_th
        raise ScenarioError("start.mean_efficiency_j_th", found, allowed)
    if chosen.fork == "none" and any(event.kind == "fork" for event in case.events):
        allowed = "no fork among the events, or another reading"
        raise ScenarioError("hypotheses.fork", _shown("none"), allowed)


def _check_fleet(start: Start) -> None:
    """Refuse an unknown fleet, and a mean that no mix of its machines can have."""
    files = [path.name for path in sorted(DATA.glob("fleet_[0-9]*.csv"))]
    if start.fleet not in [*files, "cohorts"]:
        allowed = f"one of {', '.join(files)}, cohorts"
        nearest = _nearest(start.fleet, files)
        raise ScenarioError("start.fleet", _shown(start.fleet), allowed, nearest)
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
        raise ScenarioError("start.shares_month", _shown(month), allowed)


def known_places(places_file: str = "places.csv") -> list[str]:
    """Every name that an event's `place` may be."""
    nations = dict.fromkeys(column(places_file, "nation"))
    return list(dict.fromkeys([WORLD, *nations, *column(places_file, "place")]))


def known_pools(start: datetime.date) -> list[str]:
    """Every name that a filter's `pool` may be: those with a share in the run's first month."""
    months, pools = (
        column("pool_share_monthly.csv", "month"),
        column("pool_share_monthly.csv", "pool"),
    )
    month = max(f"{start:%Y-%m}", min(months))
    if month > max(months):
        return column("pool_share_assumed.csv", "pool")
    return [pool for pool, seen in zip(pools, months, strict=True) if seen == month]


def price_history() -> tuple[datetime.date, datetime.date]:
    """First and last day of the observed weekly prices."""
    weeks = [datetime.date.fromisoformat(week) for week in column("price_weekly.csv", "week")]
    return min(weeks), max(weeks) + datetime.timedelta(days=6)


def column(file: str, name: str) -> list[str]:
    """One column of a file of scenarios/data; lines that begin with # are its header."""
    path = DATA / file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = csv.DictReader(line for line in lines if line and not line.startswith("#"))
        return [row[name] for row in rows]
    except (OSError, KeyError) as error:
        found = "no such file" if isinstance(error, OSError) else "no such column"
        raise ScenarioError(name, found, "a data file with it", file=_label(path)) from None


if __name__ == "__main__":
    write_schema()
