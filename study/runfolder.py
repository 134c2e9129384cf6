"""The folder of one run: written whole or not at all, and read back."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import secrets
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from model.complaint import ScenarioError
from model.recorder import Recorder
from model.scenario import Scenario, parameter_hash, resolved

ROOT = Path(__file__).resolve().parent.parent
RUN = "run.json"
NO_ATTACK: dict[str, Any] = {
    "class": "O0",
    "name": "no attack",
    "base": None,
    "flags": [],
    "first_passage": {},
}

EVENTS_SCHEMA = {"date": pl.Date, "kind": pl.String, "subject": pl.String, "what": pl.String}

_LIBRARIES = ("mesa", "numba", "numpy", "polars", "pydantic", "scipy")


@dataclass(frozen=True)
class Run:
    """A finished run, read back from its folder."""

    folder: Path
    facts: dict[str, Any]
    series: pl.DataFrame
    shares: pl.DataFrame
    events: pl.DataFrame

    @property
    def case(self) -> Scenario:
        """The scenario that was run, seed included."""
        return Scenario.model_validate_json(json.dumps(self.facts["parameters"]), strict=True)


def prepare(folder: Path, force: bool = False) -> None:
    """Make the folder, unless it holds another run or cannot be written."""
    refuse_finished(folder, force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError("--out", f"{folder} ({reason})", "a folder to write to") from None


def refuse_finished(folder: Path, force: bool = False) -> None:
    """Refuse a folder that is, or that contains, a finished run."""
    holds = (folder / RUN, *sorted(folder.glob(f"*/{RUN}")))
    place = next((file.parent for file in holds if file.exists()), None)
    if place is not None and not force:
        raise ScenarioError("--out", f"a finished run in {place}", "another folder, or --force")


def write(
    folder: Path,
    case: Scenario,
    recorder: Recorder,
    wall_seconds: float,
    outcome: Mapping[str, Any] | None = None,
    headline: Mapping[str, float | str] | None = None,
) -> dict[str, Any]:
    """Write a run's files, run.json last; return what run.json holds."""
    series, shares, events = recorder.series(), recorder.shares(), recorder.events()
    facts = describe(case, wall_seconds, outcome or NO_ATTACK, headline or {})
    content = json.dumps(facts, indent=1, allow_nan=False) + "\n"
    # Without run.json a folder is unfinished, so no reader sees new tables beside old facts.
    (folder / RUN).unlink(missing_ok=True)
    for name, frame in (("series", series), ("shares", shares)):
        atomically(folder / f"{name}.parquet", frame.write_parquet)
        atomically(folder / f"{name}.csv", frame.write_csv)
    atomically(folder / "events.csv", events.write_csv)
    atomically(folder / RUN, lambda file: file.write(content.encode()))
    return facts


def describe(
    case: Scenario,
    wall_seconds: float,
    outcome: Mapping[str, Any],
    headline: Mapping[str, float | str],
) -> dict[str, Any]:
    """What run.json says of a run."""
    facts = {
        "name": case.name,
        "title": case.title,
        "question": case.question,
        "parameters": resolved(case),
        "parameter_hash": parameter_hash(case),
        "seed": case.seed,
        "version": version(),
        "git_revision": git_revision(),
        "libraries": libraries(),
        "start_date": case.start_date.isoformat(),
        "end_date": case.end_date.isoformat(),
        "days": case.days,
        "wall_seconds": round(wall_seconds, 3),
        "outcome": dict(outcome),
        "headline": dict(headline),
    }
    plain: dict[str, Any] = _plain(facts)
    return plain


def read(folder: Path) -> Run:
    """Read a finished run."""
    if not (folder / RUN).is_file():
        raise ScenarioError("run", str(folder), "the folder of a finished run")
    return Run(
        folder=folder,
        facts=json.loads((folder / RUN).read_text(encoding="utf-8")),
        series=pl.read_parquet(folder / "series.parquet"),
        shares=pl.read_parquet(folder / "shares.parquet"),
        events=pl.read_csv(folder / "events.csv", schema=EVENTS_SCHEMA),
    )


def finished(folder: Path) -> list[Path]:
    """Folders of the finished runs of an ensemble, in the order of their seeds."""
    places = [file.parent for file in folder.glob(f"*/{RUN}")]
    return sorted(places, key=lambda place: (len(place.name), place.name))


def version() -> str:
    """Version of this checkout."""
    declared = ROOT / "pyproject.toml"
    if declared.is_file():
        return str(tomllib.loads(declared.read_text(encoding="utf-8"))["project"]["version"])
    return importlib.metadata.version("hashatlas")


def git_revision() -> str | None:
    """Revision of this checkout, ending in "-dirty" if files were changed; None without git."""
    # A copy without .git may lie inside somebody else's repository.
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def libraries() -> dict[str, str]:
    """Versions of Python and of the libraries that results may depend on."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {"python": platform.python_version()} | versions


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: NumPy numbers as numbers, undefined ones as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def atomically(target: Path, write_to: Callable[[Any], object]) -> None:
    """Write a file under a temporary name, flush it to disk, and rename it."""
    # Two machines of a cluster may have processes of the same number.
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            write_to(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
