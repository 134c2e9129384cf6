"""What the data files know: places, pools, days that have a price."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

from model.complaint import ScenarioError
from model.events import WORLD

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
DATA = SCENARIOS / "data"


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


def known_fleets() -> list[str]:
    """Every file that may be the machines of the first day."""
    return [path.name for path in sorted(DATA.glob("fleet_[0-9]*.csv"))]


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
        raise ScenarioError(name, found, "a data file with it", file=label(path)) from None


def label(path: Path) -> str:
    """The path as a person wrote it, or relative to the scenarios' parent folder."""
    try:
        return str(path.resolve().relative_to(SCENARIOS.parent))
    except ValueError:
        return str(path)
