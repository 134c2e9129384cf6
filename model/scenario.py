"""The typed scenario: load, extend, override, reject."""

from __future__ import annotations

import datetime
import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from model.agreement import LONGEST_DAYS, agreed
from model.complaint import ScenarioError, nearest_to, shown
from model.events import FIRST_DAY, KINDS, LAST_DAY, Event
from model.known import SCENARIOS, label
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
from model.parameters_pools import Pools
from model.parameters_royalties import Royalties
from model.parameters_virtual import VirtualMining

# Words and the seed: two scenarios that differ in nothing else have the same parameters.
_NOT_HASHED = {"name", "title", "question", "predicts", "sources", "seed"}
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"


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
        return agreed(_validated(table))
    except ScenarioError as error:
        by_hand = any(error.key.startswith(key) or key.startswith(error.key) for key in changed)
        error.file = error.file or ("--set" if by_hand else label(path))
        raise


def with_days(case: Scenario, days: int) -> Scenario:
    """The scenario cut or stretched to `days` days; events after its new end are left out."""
    if not 1 <= days <= LONGEST_DAYS:
        raise ScenarioError("--days", days, f"a whole number from 1 to {LONGEST_DAYS}")
    end = case.start_date + datetime.timedelta(days=days - 1)
    events = tuple(event for event in case.events if event.date <= end)
    try:
        return agreed(case.model_copy(update={"end_date": end, "events": events}))
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
        nearest = nearest_to(name_or_path, names)
        allowed = f"one of {', '.join(names)}"
        raise ScenarioError("scenario", shown(name_or_path), allowed, nearest)
    return path


def _read(path: Path) -> dict[str, Any]:
    """One TOML file as a table."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise ScenarioError("file", reason, "a readable TOML file", file=label(path)) from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError("TOML", f"{error}", "valid TOML", file=label(path)) from None


def _read_with_parents(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    """One file's table, over the tables of the scenarios it extends."""
    table = _read(path)
    chain = (*children, path.resolve())
    if path.resolve() in children:
        cycle = " -> ".join(file.stem for file in chain)
        raise ScenarioError("extends", cycle, "no circle of scenarios", file=label(path))
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
        raise ScenarioError(key, shown(value), allowed, file=label(path))
    return value


def _parent_path(parent: str, child: Path) -> Path:
    """The parent beside its child, or else among the scenarios that come with the model."""
    beside = child.parent / (parent if parent.endswith(".toml") else f"{parent}.toml")
    if beside.is_file():
        return beside
    try:
        return _locate(parent)
    except ScenarioError as error:
        error.key, error.file = "extends", label(child)
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
            "--set", shown(assignment), "KEY=VALUE, such as energy.pue=1.2", file="command line"
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
    raise ScenarioError("--set", shown(key), "the path of a parameter", file="command line")


def _put(node: Any, last: str, value: Any, key: str) -> None:
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list) and last.isdecimal() and int(last) < len(node):
        node[int(last)] = value
    else:
        raise ScenarioError("--set", shown(key), "the path of a parameter", file="command line")


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
        return ScenarioError(key, "an unknown key", allowed, nearest_to(str(parts[-1]), names))
    if kind.startswith("union_tag"):
        tag = str(found.get("kind", "none")) if isinstance(found, dict) else "none"
        allowed = f"one of {', '.join(KINDS)}"
        return ScenarioError(f"{key}.kind", shown(tag), allowed, nearest_to(tag, list(KINDS)))
    field = _field_at(first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    allowed = allowed_values(field) if field and kind != "value_error" else reason
    return ScenarioError(key, "nothing" if kind == "missing" else shown(found), allowed)


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


if __name__ == "__main__":
    write_schema()
