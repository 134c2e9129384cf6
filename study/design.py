"""The study file: which scenarios are run, what is varied in them and how, and what is kept."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from model.complaint import ScenarioError, nearest_to
from model.known import SCENARIOS
from model.scenario import Scenario, allowed_values, load, parameter_hash, with_days
from model.scenario import resolved as plain
from study import factors, outputs
from study.factors import Factor, Table, Value, count, several

STUDIES = SCENARIOS / "studies"
DEFAULT_SIZE = "laptop"
MOST_RUNS = 10_000_000
MORRIS_LEVELS = 4
SCENARIO = "scenario"
FIXED_COLUMNS = ("position", "point", "replicate", "seed")
Designs = Literal["grid", "latin_hypercube", "sobol", "morris"]


class Size(Table):
    """What differs in a study of another size."""

    design: Designs | None = Field(None, description="how points are chosen")
    points: int | None = count(1, "points of a sample")
    levels: int | None = count(2, "values of each factor")
    trajectories: int | None = count(2, "trajectories of a Morris design")
    replicates: int | None = count(1, "runs of each point, under different seeds")
    days: int | None = Field(None, ge=1, description="days of each run")
    set: tuple[str, ...] = several('changes besides, such as "start.miners=200"')


class Study(Table):
    """One experiment: scenarios, factors, seeds and outputs."""

    question: str = Field(min_length=1, description="the question the study asks, in one line")
    scenario: str | None = Field(None, description="scenario that is varied")
    scenarios: tuple[str, ...] = several("several of them, each run at every point")
    design: Designs = Field("grid", description="how points are chosen")
    points: int | None = count(1, "points of a sample; of Sobol's, before their combinations")
    levels: int | None = count(2, "values of each factor that has a range, in a grid")
    trajectories: int | None = count(2, "trajectories of a Morris design")
    replicates: int = Field(1, ge=1, le=MOST_RUNS, description="runs of each point")
    seed: int = Field(1, ge=0, le=2**32 - 1, description="seed of the first replicate")
    days: int | None = Field(None, ge=1, description="days of each run; all of them if absent")
    paired: bool = Field(False, description="beside each run its twin without directives")
    set: tuple[str, ...] = several('changes of every scenario, such as "start.miners=200"')
    outputs: tuple[str, ...] = several("what is kept of a run")
    course: tuple[str, ...] = several("series whose monthly course is kept besides")
    factors: tuple[Factor, ...] = several("what is varied")
    sizes: dict[str, Size] = Field({}, description="what differs in a study of another size")

    @property
    def names(self) -> tuple[str, ...]:
        """The scenarios, as the file names them."""
        return self.scenarios or ((self.scenario,) if self.scenario else ())


class Plan:
    """A study of one size, checked against its scenarios: every run by its position.

    Positions count replicates fastest, then scenarios, then points. Replicate r has the same seed
    at every point and in every scenario, so that runs are paired.
    """

    def __init__(self, study: Study, name: str, size: str, beside: Path = Path()) -> None:
        self.study, self.name, self.size = study, name, size
        self._beside = beside
        self.outputs = _parsed_outputs(study)
        self._whole = {label: self._load(label) for label in study.names}
        self.cases = {label: self._cut(case) for label, case in self._whole.items()}
        fields = [self._field(place) for place in range(len(study.factors))]
        self.points = Points(study, fields)
        if self.runs > MOST_RUNS:
            raise ScenarioError("design", f"{self.runs:,} runs", f"at most {MOST_RUNS:,}")
        self._check_ends()

    @property
    def runs(self) -> int:
        """How many runs the study has."""
        return len(self.points) * len(self.cases) * self.study.replicates

    @property
    def keys(self) -> list[str]:
        """Keys of the factors."""
        return [factor.key for factor in self.study.factors]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Columns of results.parquet and their types."""
        fixed = dict.fromkeys(FIXED_COLUMNS, pl.Int64) | {SCENARIO: pl.String}
        kinds = map(factors.column_type, self.points.kinds)
        varied = dict(zip(self.keys, kinds, strict=True))
        return fixed | varied | {output.name: output.dtype for output in self.outputs}

    @cached_property
    def hash(self) -> str:
        """Hash of all that determines the results besides the code and the data files."""
        held = self.resolved() | {label: parameter_hash(case) for label, case in self.cases.items()}
        # Words alone make no other study.
        del held["question"]
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()

    def resolved(self) -> dict[str, Any]:
        """The study at this size as plain data that JSON can hold."""
        return self.study.model_dump(mode="json", exclude={"sizes"})

    def parameters(self) -> dict[str, dict[str, Any]]:
        """Every parameter of every scenario before the factors, as plain data."""
        return {label: plain(case) for label, case in self.cases.items()}

    def row(self, position: int) -> dict[str, Any]:
        """What is known of a run before it is run: the first columns of its row."""
        rest, replicate = divmod(position, self.study.replicates)
        point, place = divmod(rest, len(self.cases))
        return {
            "position": position,
            "point": point,
            "replicate": replicate,
            "seed": self.study.seed + replicate,
            SCENARIO: self.study.names[place],
        } | dict(zip(self.keys, self.points[point], strict=True))

    def case(self, row: Mapping[str, Any]) -> Scenario:
        """The scenario of a run before its seed is set; an impossible one is refused."""
        values = {place: row[key] for place, key in enumerate(self.keys)}
        return self._changed(row[SCENARIO], values)

    def _load(self, label: str, changes: Sequence[str] = ()) -> Scenario:
        """A scenario of the study by its name, or by a path that may begin beside the study."""
        near = self._beside / label
        found = near if label.endswith(".toml") and near.is_file() else label
        return load(found, [*self.study.set, *changes])

    def _cut(self, case: Scenario) -> Scenario:
        """The scenario over the study's days."""
        try:
            return case if self.study.days is None else with_days(case, self.study.days)
        except ScenarioError as error:
            error.key = "days"
            raise

    def _changed(self, label: str, values: Mapping[int, Value]) -> Scenario:
        """A scenario in which some factors, by their number, have these values."""
        changes = []
        for place, value in values.items():
            factor = self.study.factors[place]
            changes.append(f"{self._path(factor.key, label)}={factors.as_toml(value)}")
            if factor.offset_by is not None:
                rest = self._value(label, factor.offset_by) + self._value(label, factor.key) - value
                path = self._path(factor.offset_by, label)
                # What is left over of rounding would be a share below zero.
                changes.append(f"{path}={round(rest, 12)}")
        return self._cut(self._load(label, changes))

    def _path(self, key: str, label: str) -> str:
        return factors.declared(key, self._whole[label], "key")[0]

    def _value(self, label: str, key: str) -> Any:
        """Value of a parameter before the factors."""
        value: Any = self._whole[label]
        for part in self._path(key, label).split("."):
            value = value[int(part)] if part.isdecimal() else getattr(value, part)
        return value

    def _field(self, place: int) -> FieldInfo:
        """Declaration of a factor's parameter, its values checked against it."""
        factor, where = self.study.factors[place], f"factors.{place}"
        for label, case in self._whole.items():
            path, field = factors.declared(factor.key, case, f"{where}.key")
            _check_in_time(factor, path, case, self.cases[label], where)
            if factor.offset_by is not None:
                _, other = factors.declared(factor.offset_by, case, f"{where}.offset_by")
                if not (factors.is_number(field) and factors.is_number(other)):
                    allowed = "a number, to a key that is one"
                    raise ScenarioError(f"{where}.offset_by", f'"{factor.offset_by}"', allowed)
        factors.check_values(factor, field, where)
        return field

    def _check_ends(self) -> None:
        """Refuse values that a scenario does not allow, each factor by itself."""
        for label in self.cases:
            for place, factor in enumerate(self.study.factors):
                for end in factor.ends:
                    value = factors.typed(self.points.kinds[place], end)
                    try:
                        self._changed(label, {place: value})
                    except ScenarioError as error:
                        found = f"{factors.as_toml(value)}, but then {error.key} is {error.found}"
                        where = f"factors.{place} ({factor.key})"
                        raise ScenarioError(where, found, error.allowed, error.nearest) from None


class Points(Sequence[tuple[Any, ...]]):
    """The points of a design: values of the factors, made when they are asked for."""

    def __init__(self, study: Study, fields: Sequence[FieldInfo]) -> None:
        self._factors = study.factors
        self.kinds = [factors.kind_of(*pair) for pair in zip(study.factors, fields, strict=True)]
        sampled = study.design != "grid"
        self._sample = unit_sample(study) if sampled else None
        self._choices = [] if sampled else self._grid(study)

    def __len__(self) -> int:
        if self._sample is not None:
            return len(self._sample)
        return math.prod(len(choices) for choices in self._choices)

    def __getitem__(self, point: Any) -> Any:
        if not 0 <= point < len(self):
            raise IndexError(point)
        if self._sample is not None:
            chosen = zip(self.kinds, self._factors, self._sample[point], strict=True)
            return tuple(factors.typed(kind, one.at(float(unit))) for kind, one, unit in chosen)
        places = np.unravel_index(point, [len(choices) for choices in self._choices])
        return tuple(
            choices[place] for choices, place in zip(self._choices, map(int, places), strict=True)
        )

    def _grid(self, study: Study) -> list[tuple[Value, ...]]:
        """Values of each factor in a grid."""
        found = []
        for place, factor in enumerate(study.factors):
            levels, where = factor.levels or study.levels, f"factors.{place}.levels"
            if not factor.values and levels is None:
                allowed = "a whole number from 2 on, or values, in a grid"
                raise ScenarioError(where, "nothing", allowed)
            steps = [step / (levels - 1) for step in range(levels)] if levels else []
            values = factor.values or [factor.at(unit) for unit in steps]
            choices = tuple(factors.typed(self.kinds[place], value) for value in values)
            if len(set(choices)) < len(choices):
                allowed = f"as many as there are whole numbers from {choices[0]} to {choices[-1]}"
                raise ScenarioError(where, levels, allowed)
            found.append(choices)
        return found


# Samples


def unit_sample(study: Study) -> NDArray[np.float64]:
    """The points of a sampled design in the unit cube, one row each, as SALib draws them.

    An analysis by SALib takes these rows and the bounds 0 and 1; factors are functions of them.
    """
    from SALib.sample import latin, morris, sobol

    problem = problem_of(study)
    if study.design == "morris":
        number, levels = _needed(study, "trajectories"), study.levels or MORRIS_LEVELS
        if levels % 2:
            raise ScenarioError("levels", levels, "an even number in a Morris design")
        return np.asarray(morris.sample(problem, number, num_levels=levels, seed=study.seed))
    number = _needed(study, "points")
    if study.design == "latin_hypercube":
        return np.asarray(latin.sample(problem, number, seed=study.seed))
    if number & (number - 1):
        raise ScenarioError("points", number, "a power of two in a Sobol design")
    return np.asarray(sobol.sample(problem, number, calc_second_order=False, seed=study.seed))


def problem_of(study: Study) -> dict[str, Any]:
    """The factors of a study as SALib has them, each from 0 to 1."""
    if not study.factors:
        raise ScenarioError("factors", "nothing", f"one or more [[factors]] for {study.design}")
    names = [factor.key for factor in study.factors]
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _needed(study: Study, name: str) -> int:
    """A count that the design cannot do without."""
    number: int | None = getattr(study, name)
    if number is None:
        raise ScenarioError(name, "nothing", f'a whole number where design = "{study.design}"')
    return number


# Files


def read(name_or_path: str | Path, size: str = DEFAULT_SIZE) -> Plan:
    """A study by name or path, at a size, checked against its scenarios."""
    path = _locate(str(name_or_path))
    try:
        table = _table(path)
        return Plan(sized(from_table(table), size), path.stem, size, path.parent)
    except ScenarioError as error:
        error.file = error.file or _label(path)
        raise


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise ScenarioError("file", reason, "a readable TOML file") from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError("TOML", f"{error}", "valid TOML") from None


def from_table(table: Mapping[str, Any]) -> Study:
    """A study from the table of its file."""
    if not table:
        allowed = "a question, a scenario, [[factors]] and outputs"
        raise ScenarioError("study", "an empty file", allowed)
    try:
        study = Study.model_validate(table)
    except ValidationError as error:
        raise _explained(error) from None
    _check_study(study)
    return study


def sized(study: Study, size: str) -> Study:
    """The study with what differs at a size; one without sizes has one size."""
    if size in study.sizes:
        given = study.sizes[size].model_dump(exclude_none=True, exclude={"set"})
        return study.model_copy(update=given | {"set": (*study.set, *study.sizes[size].set)})
    if size != DEFAULT_SIZE:
        known = [*study.sizes] or [DEFAULT_SIZE]
        allowed = f"one of {', '.join(known)}"
        raise ScenarioError("--size", f'"{size}"', allowed, nearest_to(size, known))
    return study


def _locate(name_or_path: str) -> Path:
    """Path of a study given by its name or by the path of its file."""
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return Path(name_or_path)
    names = [file.stem for file in sorted(STUDIES.glob("*.toml"))]
    if name_or_path not in names:
        allowed = f"one of {', '.join(names)}, or the path of a TOML file"
        near = nearest_to(name_or_path, names)
        raise ScenarioError("study", f'"{name_or_path}"', allowed, near)
    return STUDIES / f"{name_or_path}.toml"


def _label(path: Path) -> str:
    """The path as a person wrote it, or relative to the scenarios' parent folder."""
    try:
        return str(path.resolve().relative_to(SCENARIOS.parent))
    except ValueError:
        return str(path)


def _explained(error: ValidationError) -> ScenarioError:
    """The first complaint of pydantic, in the words of study files."""
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    key = ".".join(str(part) for part in location)
    known = _model_at(location[:-1]).model_fields
    if first["type"] == "extra_forbidden":
        allowed = f"one of {', '.join(known)}"
        near = nearest_to(str(location[-1]), list(known))
        return ScenarioError(key, "an unknown key", allowed, near)
    field = known.get(str(location[-1]))
    allowed = first["msg"] if field is None else f"{allowed_values(field)} ({field.description})"
    return ScenarioError(key, "nothing" if first["type"] == "missing" else first["input"], allowed)


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The table that a key path leads into."""
    inner: dict[str, type[BaseModel]] = {"factors": Factor, "sizes": Size}
    return inner.get(str(location[0]), Study) if len(location) == 2 else Study


# What no single key of a study can tell


def _check_study(study: Study) -> None:
    if study.scenario and study.scenarios:
        found = f"{len(study.scenarios)} besides scenario"
        raise ScenarioError("scenarios", found, "one of the two keys")
    if not study.names:
        allowed = "the name of a scenario, or scenarios with several"
        raise ScenarioError("scenario", "nothing", allowed)
    if len(set(study.scenarios)) < len(study.scenarios):
        raise ScenarioError("scenarios", "one of them twice", "different scenarios")
    if not study.factors and len(study.names) < 2:
        raise ScenarioError("factors", "nothing", "one or more [[factors]], or several scenarios")
    if not study.outputs:
        raise ScenarioError("outputs", "nothing", f"a list of {outputs.ALLOWED}")
    keys = [factor.key for factor in study.factors]
    for place, factor in enumerate(study.factors):
        if factor.key in keys[:place]:
            raise ScenarioError(f"factors.{place}.key", f'"{factor.key}"', "each parameter once")
        factors.check_range(factor, f"factors.{place}")


def _parsed_outputs(study: Study) -> tuple[outputs.Output, ...]:
    """Outputs of a study, each told once; the series whose course is kept are checked too."""
    for place, name in enumerate(study.course):
        outputs.column(name, f"course.{place}")
    for key, names in (("course", study.course), ("outputs", study.outputs)):
        if len(set(names)) < len(names):
            raise ScenarioError(key, "one of them twice", "each name once")
    return tuple(
        outputs.parse(name, f"outputs.{place}") for place, name in enumerate(study.outputs)
    )


def _check_in_time(factor: Factor, path: str, whole: Scenario, cut: Scenario, where: str) -> None:
    """Refuse a factor of an event that comes after the study's last day."""
    if path.startswith("events."):
        event = whole.events[int(path.split(".")[1])]
        if event.date > cut.end_date:
            allowed = f"an event up to {cut.end_date}, the last of the study's days"
            raise ScenarioError(f"{where}.key", f'"{factor.key}" on {event.date}', allowed)
