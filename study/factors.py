"""What a study varies: parameters of scenarios, their ranges and values, checked."""

from __future__ import annotations

import datetime
import json
import types
from typing import Annotated, Any, Union, get_args, get_origin

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from model.complaint import ScenarioError, nearest_to
from model.events import KINDS
from model.parameters import Section
from model.scenario import Scenario, allowed_values

# What names or seeds a run, and what is reached by keys of its own.
_NOT_VARIED = {"name", "title", "question", "predicts", "sources", "seed", "events"}
Value = float | int | bool | str | datetime.date


class Table(Section):
    """A table of a study file; TOML's lists are held as tuples, and nothing else is converted."""

    model_config = ConfigDict(strict=True)


def several(doc: str) -> Any:
    """A list of a study file; it is held as a tuple."""
    return Field((), strict=False, description=doc)


def count(least: int, doc: str) -> Any:
    """A whole number of a study file that may be left out."""
    return Field(None, ge=least, le=10_000_000, description=doc)


class Factor(Table):
    """One thing that is varied: a parameter, and either its range or its values."""

    key: str = Field(min_length=1, description="parameter, as --set writes it")
    low: float | None = Field(None, description="lowest value")
    high: float | None = Field(None, description="highest value")
    log: bool = Field(False, description="spread evenly over the logarithm")
    levels: int | None = count(2, "values of a grid from low to high")
    values: tuple[Any, ...] = several("every value, instead of a range")
    offset_by: str | None = Field(
        None, description="parameter that falls by as much as this one rises, where shares add up"
    )

    @property
    def ends(self) -> tuple[Any, ...]:
        """All values of a factor that has a list of them, and else the ends of its range."""
        return self.values or (self.low, self.high)

    def at(self, unit: float) -> Any:
        """Value at a place between 0 and 1 of the range, or of the list of values."""
        if self.values:
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        low, high = self.low or 0.0, self.high or 0.0
        # The ends exactly, whatever rounding does between them.
        if unit in (0.0, 1.0):
            return high if unit else low
        value = low * (high / low) ** unit if self.log else low + (high - low) * unit
        return min(max(value, low), high)


def check_range(factor: Factor, where: str) -> None:
    """Refuse a factor with neither or both of a range and values, and a range reversed."""
    if factor.values:
        if (factor.low, factor.high, factor.levels, factor.log) != (None, None, None, False):
            allowed = "values, or low and high with log and levels"
            raise ScenarioError(where, "values besides a range", allowed)
        if len({repr(value) for value in factor.values}) < len(factor.values):
            raise ScenarioError(f"{where}.values", "one of them twice", "different values")
        return
    for name in ("low", "high"):
        if getattr(factor, name) is None:
            allowed = f"a number, or values = [...], for {factor.key}"
            raise ScenarioError(f"{where}.{name}", "nothing", allowed)
    low, high = factor.ends
    if low >= high:
        allowed = f"below high = {high:g}; the bounds are reversed or equal"
        raise ScenarioError(f"{where}.low", low, allowed)
    if factor.log and low <= 0.0:
        raise ScenarioError(f"{where}.low", low, "above 0 where log = true")


# Parameters


def known_keys() -> list[str]:
    """Every parameter that may be varied, events left out."""
    found = []
    for name, field in Scenario.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            found += [f"{name}.{key}" for key in kind.model_fields]
        elif name not in _NOT_VARIED:
            found.append(name)
    return found


def declared(key: str, case: Scenario, where: str) -> tuple[str, FieldInfo]:
    """The key as --set takes it for a scenario, and the declaration of what it names."""
    if key.startswith("events."):
        return _event(key, case, where)
    names = known_keys()
    if key not in names:
        allowed = "a parameter of a scenario (docs/ASSUMPTIONS.md), or events.KIND.KEY"
        raise ScenarioError(where, f'"{key}"', allowed, nearest_to(key, names))
    *section, last = key.split(".")
    holder: type[BaseModel] = type(getattr(case, section[0])) if section else Scenario
    field = holder.model_fields[last]
    if any(get_origin(kind) is tuple for kind in _flat(field.annotation)):
        raise ScenarioError(where, f'"{key}"', "a parameter that holds one value, not a list")
    return key, field


def _event(key: str, case: Scenario, where: str) -> tuple[str, FieldInfo]:
    """An event's parameter, which names the event by number, or by kind where one has the kind."""
    parts = key.split(".")
    kinds = [str(event.kind) for event in case.events]
    if len(parts) != 3:
        raise ScenarioError(where, f'"{key}"', "events.KIND.KEY or events.NUMBER.KEY")
    _, event, name = parts
    if event.isdecimal() and int(event) < len(kinds):
        number = int(event)
    elif kinds.count(event) == 1:
        number = kinds.index(event)
    else:
        raise _no_single_event(key, event, case.name, kinds, where)
    keys = dict(KINDS[kinds[number]].model_fields)
    del keys["kind"]
    if name not in keys:
        allowed = f"one of {', '.join(keys)} behind events.{event}"
        raise ScenarioError(where, f'"{key}"', allowed, nearest_to(name, list(keys)))
    return f"events.{number}.{name}", keys[name]


def _no_single_event(
    key: str, event: str, name: str, kinds: list[str], where: str
) -> ScenarioError:
    """The complaint that no event, or more than one, is of a kind or has a number."""
    numbers = [f"events.{number}" for number, kind in enumerate(kinds) if kind == event]
    if numbers:
        allowed = f"one of {', '.join(numbers)}, since {name} has several"
        return ScenarioError(where, f'"{key}"', allowed)
    single = [kind for kind in dict.fromkeys(kinds) if kinds.count(kind) == 1]
    told = f"a number below {len(kinds)}, or a kind of which {name} has one event"
    allowed = f"{told}: {', '.join(single) or 'none'}"
    return ScenarioError(where, f'"{key}"', allowed, nearest_to(event, single))


def check_values(factor: Factor, field: FieldInfo, where: str) -> None:
    """Refuse values that the parameter cannot have."""
    if not factor.values and not is_number(field):
        allowed = f"values = [...], since {factor.key} is {allowed_values(field)}"
        raise ScenarioError(f"{where}.low", factor.low, allowed)
    # Made at run time of the annotation and its bounds, whatever they are.
    accepted: Any = Annotated[(field.annotation, "parameter", *field.metadata)]
    adapter: TypeAdapter[Any] = TypeAdapter(accepted)
    names = [f"values.{place}" for place in range(len(factor.values))] or ["low", "high"]
    for name, value in zip(names, factor.ends, strict=True):
        asked = value if factor.values else typed(kind_of(factor, field), value)
        try:
            adapter.validate_python(asked, strict=True)
        except ValidationError:
            allowed = f"{allowed_values(field)}, as {factor.key}"
            raise ScenarioError(f"{where}.{name}", value, allowed) from None


def is_number(field: FieldInfo) -> bool:
    """Whether a parameter is a number, whole or not."""
    return bool({int, float} & set(_flat(field.annotation)))


def _flat(annotation: Any) -> list[Any]:
    """The types that a declaration allows, without their bounds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flat(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _flat(part)]
    return [annotation]


# Values


def kind_of(factor: Factor, field: FieldInfo) -> type:
    """Python's type of a factor's values."""
    kinds = _flat(field.annotation)
    if float in kinds:
        return float
    return int if int in kinds else type(factor.values[0])


def typed(kind: type, value: Any) -> Any:
    """A value as its parameter takes it: whole numbers are rounded, where a range is sampled."""
    if kind is int and isinstance(value, float):
        return round(value)
    return float(value) if kind is float else value


def column_type(kind: type) -> Any:
    """Type of a factor's column."""
    known = {float: pl.Float64, int: pl.Int64, bool: pl.Boolean, datetime.date: pl.Date}
    return known.get(kind, pl.String)


def as_toml(value: Value) -> str:
    """A value as --set takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)
