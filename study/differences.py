"""In what a scenario differs from another, which assumptions that touches, and how to run it."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.complaint import ScenarioError
from model.known import SCENARIOS
from model.parameters import Section
from model.scenario import Scenario, load, parameter_hash, with_days
from study.provenance import stretches
from study.runfolder import ROOT
from study.scenario_file import lines, toml_value

BASELINE = "baseline_2025"
ASSUMPTIONS = ROOT / "docs" / "ASSUMPTIONS.md"
WORDS = ("name", "title", "question", "predicts", "sources", "seed")


@dataclass(frozen=True)
class Change:
    """A parameter that two scenarios have at different values."""

    key: str
    before: str
    after: str
    meaning: str


@dataclass(frozen=True)
class Assumption:
    """A row of docs/ASSUMPTIONS.md."""

    what: str
    value: str
    range: str
    source: str
    key: str


def baseline_of(name: str) -> Scenario:
    """The scenario that one extends, or else the baseline."""
    path = SCENARIOS / f"{name}.toml"
    own = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return load(str(own.get("extends", BASELINE)))


def changes(before: Scenario, after: Scenario) -> list[Change]:
    """Every parameter at another value; words, the seed and events are left out."""
    found = []
    for key, field, value in leaves(after):
        earlier = _at(before, key)
        if earlier != value and key not in WORDS:
            found.append(Change(key, _shown(earlier), _shown(value), field.description or ""))
    return found


def new_events(before: Scenario, after: Scenario) -> list[Any]:
    """Events of one scenario that another does not have, notes left out."""
    return [event for event in after.events if event not in before.events and event.kind != "note"]


def leaves(case: Scenario) -> Iterator[tuple[str, Any, Any]]:
    """Key path, declaration and value of each parameter, events left out."""
    for name, field in type(case).model_fields.items():
        value = getattr(case, name)
        if isinstance(value, Section):
            for key, inner in type(value).model_fields.items():
                yield f"{name}.{key}", inner, getattr(value, key)
        elif name != "events":
            yield name, field, value


def _at(case: Scenario, key: str) -> Any:
    value: Any = case
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _shown(value: object) -> str:
    """A value as a scenario file has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


# Assumptions


def assumptions(keys: Sequence[str], file: Path = ASSUMPTIONS) -> list[Assumption]:
    """The assumptions that set one of some parameters; none where the document is missing."""
    if not file.is_file():
        return []
    rows = (
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    )
    wanted = set(keys)
    return [
        Assumption(row[0], row[1], row[2], row[3], key)
        for row in rows
        if len(row) == 5
        for key in re.findall(r"`([^`]+)`", row[4])
        if key in wanted
    ]


# How to run it again


@dataclass(frozen=True)
class Recipe:
    """The commands that give the same runs again, and the scenario file they need, if any."""

    commands: tuple[str, ...]
    file: str = ""
    content: str = ""


def recipe(case: Scenario, seeds: Sequence[int], paired: bool = False) -> Recipe:
    """How to run a scenario again, the same to the bit, under some seeds.

    By the name of a scenario that comes with the model and what was set by hand, if that gives the
    same parameters; otherwise by a file that holds all of them.
    """
    arguments = _by_name(case)
    if arguments is not None:
        return Recipe(tuple(_command(case.name, arguments, seeds, paired)))
    file = f"{case.name}.toml"
    return Recipe(tuple(_command(file, [], seeds, paired)), file, "\n".join(lines(case)) + "\n")


def _command(
    name: str, arguments: Sequence[str], seeds: Sequence[int], paired: bool
) -> Iterator[str]:
    """A command for each stretch of seeds that follow one another."""
    for first, last in stretches(seeds):
        words = ["python", "run.py", "run", name, "--seed", str(first)]
        words += ["--replicates", str(last - first + 1)] if last > first else []
        yield shlex.join([*words, *arguments, *(["--paired"] if paired else [])])


def _by_name(case: Scenario) -> list[str] | None:
    """Arguments by which the scenario of that name becomes this one, if there are such."""
    try:
        plain = load(case.name)
        days = [] if plain.end_date == case.end_date else ["--days", str(case.days)]
        settings = [
            f"{key}={toml_value(_at(case, key))}"
            for key, _, value in leaves(case)
            if key not in (*WORDS, "end_date") and value != _at(plain, key) and value is not None
        ]
        again = load(case.name, settings)
        again = with_days(again, case.days) if days else again
    except ScenarioError:
        return None
    same = parameter_hash(again) == parameter_hash(case)
    return [word for each in settings for word in ("--set", each)] + days if same else None
