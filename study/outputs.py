"""What a study keeps of a run: headline figures, readings of series, and the outcome."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from model.chain.outcome import NAMES
from model.complaint import ScenarioError, nearest_to
from model.recorder import SERIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.recorder import Recorder
    from model.world import World

CLASS = "class"
SPLIT = "split"
HEADLINE = "headline"
READINGS = ("end", "mean", "lowest", "highest", "first", "day")
OTHERS = ("class", "passage", "events")
ALLOWED = (
    "a headline figure of run.json, end:COLUMN, mean:COLUMN, lowest:COLUMN, highest:COLUMN, "
    "first:COLUMN>NUMBER, first:COLUMN<NUMBER, day:COLUMN@DAY, events:KIND, "
    "passage:MILESTONE, class:O3, class or split"
)
COURSE = "course:"

_NAME = re.compile(r"[a-z][A-Za-z0-9_]*")
_FIRST = re.compile(r"([a-z0-9_]+)\s*([<>])\s*([-+0-9.eE]+)")
_DAY = re.compile(r"([a-z0-9_]+)@([0-9]{1,5})")


@dataclass(frozen=True)
class Output:
    """One thing that is kept of a run.

    Attributes
    ----------
    name : as the study writes it; the name of its column
    kind : "headline", "split", one of READINGS or one of OTHERS
    of : the headline figure, column, class, milestone or kind of event
    sense, bound : of a first passage
    day : counted from the first day, of a reading on one day
    """

    name: str
    kind: str
    of: str
    sense: str = ""
    bound: float = 0.0
    day: int = 0

    @property
    def dtype(self) -> type[pl.DataType]:
        """What its column holds: the class is a word, all else is a number."""
        return pl.String if self.kind == CLASS and not self.of else pl.Float64


def parse(name: str, key: str = "outputs") -> Output:
    """An output from its name, or a complaint about the key that holds it."""
    kind, colon, of = name.partition(":")
    if not colon:
        if not _NAME.fullmatch(name):
            raise ScenarioError(key, f'"{name}"', ALLOWED)
        return Output(name, name if name in (CLASS, SPLIT) else HEADLINE, _of(name))
    if kind not in (*READINGS, *OTHERS):
        nearest = nearest_to(kind, [*READINGS, *OTHERS])
        raise ScenarioError(key, f'"{name}"', ALLOWED, nearest)
    if kind in READINGS:
        return _reading(name, kind, of, key)
    if not of:
        raise ScenarioError(key, f'"{name}"', ALLOWED)
    if kind == "class" and not any(code.startswith(of) for code in NAMES):
        raise ScenarioError(key, f'"{name}"', f"one of class:{', class:'.join(NAMES)}")
    return Output(name, kind, of)


def _of(name: str) -> str:
    return "" if name == CLASS else name


def _reading(name: str, kind: str, of: str, key: str) -> Output:
    """A reading of a series."""
    patterns = {"first": _FIRST, "day": _DAY}
    if kind not in patterns:
        return Output(name, kind, column(of, key))
    match = patterns[kind].fullmatch(of)
    if match is None:
        form = "first:COLUMN>NUMBER or first:COLUMN<NUMBER" if kind == "first" else "day:COLUMN@DAY"
        raise ScenarioError(key, f'"{name}"', form)
    if kind == "day":
        return Output(name, kind, column(match[1], key), day=int(match[2]))
    return Output(name, kind, column(match[1], key), match[2], _number(match[3], name, key))


def _number(text: str, name: str, key: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScenarioError(key, f'"{name}"', "a number behind < or >") from None


def column(name: str, key: str = "course") -> str:
    """The name of a daily column, if there is one of that name."""
    known = [series.name for series in SERIES]
    if name in known:
        return name
    # Only here, since the economies beside bitcoin's take a second to import.
    from model import subeconomies

    known += [series.name for one in subeconomies.SERIES.values() for series in one]
    if name not in known:
        raise ScenarioError(
            key, f'"{name}"', "a column of series.csv (docs/ODD.md)", nearest_to(name, known)
        )
    return name


# Measuring


def measured(
    outputs: Sequence[Output], world: World, from_day: int = 0
) -> dict[str, float | str | None]:
    """Every output of a world that has been lived through, by name.

    What a run does not tell is None: a headline figure of directives in a run without any, a level
    that was never passed. Series are read, and days counted, from day `from_day` on.
    """
    headline, outcome = world.summary(), world.outcome()
    return {
        output.name: _finite(_measure(output, world.recorder, headline, outcome, from_day))
        for output in outputs
    }


def _measure(
    output: Output,
    recorder: Recorder,
    headline: Mapping[str, float | str],
    outcome: Mapping[str, Any],
    from_day: int,
) -> float | str | None:
    """One output of a run."""
    if output.kind in READINGS:
        return read_series(output, series_of(recorder, output.of)[from_day:])
    if output.kind == HEADLINE:
        told = headline.get(output.of)
        return None if isinstance(told, str) else told
    if output.kind == "class":
        code = str(outcome["class"])
        return float(code.startswith(output.of)) if output.of else code
    if output.kind == SPLIT:
        return float(outcome["base"] is not None)
    if output.kind == "events":
        return float((recorder.events()["kind"] == output.of).sum())
    passed = outcome["first_passage"].get(output.of)
    if passed is None:
        return None
    return float((datetime.date.fromisoformat(passed) - recorder.start).days - from_day)


def series_of(recorder: Recorder, name: str) -> NDArray[np.float64]:
    """A series of the run; no day of it where the run has no such series."""
    if name not in {series.name for series in recorder.columns}:
        return np.empty(0)
    return recorder[name]


def read_series(output: Output, values: NDArray[np.float64]) -> float | None:
    """A reading of a series' days, or None where there is nothing to read."""
    known = values[~np.isnan(values)]
    if output.kind == "first":
        beyond = values > output.bound if output.sense == ">" else values < output.bound
        return float(np.argmax(beyond)) if beyond.any() else None
    if output.kind == "day":
        return float(values[output.day]) if output.day < values.size else None
    if known.size == 0:
        return None
    if output.kind == "end":
        return float(values[-1])
    if output.kind == "mean":
        return float(known.mean())
    return float(known.min() if output.kind == "lowest" else known.max())


def _finite(value: float | str | None) -> float | str | None:
    """A value as a table holds it; what is not a number is null."""
    if value is None or isinstance(value, str):
        return value
    return float(value) if np.isfinite(value) else None


def course(names: Sequence[str], recorder: Recorder) -> dict[str, list[Any]]:
    """The named series at the end of each month and of the run, and the dates, as lists."""
    days = recorder.written
    dates = [recorder.start + datetime.timedelta(days=day) for day in range(days)]
    kept = [
        day for day in range(days) if day == days - 1 or dates[day].month != dates[day + 1].month
    ]
    told: dict[str, list[Any]] = {f"{COURSE}date": [dates[day] for day in kept]}
    for name in names:
        values = series_of(recorder, name)
        read = [_finite(values[day]) if values.size else None for day in kept]
        told[f"{COURSE}{name}"] = read
    return told


def course_schema(names: Sequence[str]) -> dict[str, pl.DataType]:
    """Types of the columns of `course`; nothing where nothing is asked for."""
    if not names:
        return {}
    dates: dict[str, pl.DataType] = {f"{COURSE}date": pl.List(pl.Date)}
    return dates | {f"{COURSE}{name}": pl.List(pl.Float64) for name in names}
