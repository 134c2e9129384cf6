"""A scenario as the text of a file that loads to the same scenario."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel

from model.parameters import Section
from model.scenario import Scenario, allowed_values, is_table


def lines(case: Scenario) -> Iterator[str]:
    """The scenario as lines of a TOML file, with meanings and bounds as comments."""
    yield from _keys(case)
    for name in type(case).model_fields:
        section = getattr(case, name)
        if isinstance(section, Section):
            yield from ("", f"[{name}]", *_keys(section))
    for event in case.events:
        yield from ("", "[[events]]", *_keys(event))


def _keys(section: BaseModel) -> Iterator[str]:
    """Every key of a table that is no table itself, with its meaning and what it may be."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value is not None and not is_table(value):
            comment = "; ".join(filter(None, (field.description, allowed_values(field))))
            yield f"{name} = {toml_value(value)}  # {comment}"


def toml_value(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, str):
        # JSON leaves DEL as it is; TOML does not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value).lower() if isinstance(value, bool) else str(value)
