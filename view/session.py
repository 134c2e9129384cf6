"""A world of one's own: built, stepped in slices, drawn and written out, by one thread only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.geography import REST
from model.scenario import Scenario, load, with_days
from model.world import World
from study import runfolder, scenario_file
from view import levers, panels, words, worldmap
from view import nation as nations
from view.memory import Memory

SLICE_S = 0.08  # of those who have the worker to themselves


class Session:
    """One run of one scenario, as far as somebody has let it go."""

    def __init__(self, base: str, changes: list[str]) -> None:
        self.base, self.changes = base, changes
        self.case: Scenario = load(base, changes)
        began = time.perf_counter()
        self.world: World = World(self.case)
        self.memory = Memory(self.world.days, len(self.world.types))
        self.wall_s = time.perf_counter() - began
        # A world in which nothing has run yet has nothing to show.
        self.advance(1)

    @property
    def day(self) -> int:
        """Days lived."""
        return self.world.day

    @property
    def over(self) -> bool:
        """Whether the last day has been lived."""
        return not (self.world.running and self.world.day < self.world.days)

    def advance(self, goal: int, slice_s: float = SLICE_S) -> None:
        """Live on to a day, or as far as a slice of time goes, but at least one day."""
        began = time.perf_counter()
        while self.day < goal and not self.over:
            self.world.step()
            self.memory.see(self.world)
            if time.perf_counter() - began > slice_s:
                break
        self.wall_s += time.perf_counter() - began

    # What the page shows

    def frame(self, nation: str) -> dict[str, Any]:
        """All that changes from day to day, as plain data."""
        world = self.world
        shares = worldmap.shares_of(world)
        return {
            "day": self.day,
            "date": world.calendar.date_of(self.day - 1).isoformat(),
            "days": world.days,
            "over": self.over,
            "status": words.status(world),
            "style": worldmap.style(shares, worldmap.ordered_nations(world)),
            "shares": {code: words.percent(share) for code, share in shares.items()},
            "rest": worldmap.colour_of(shares[REST]),
            "panels": panels.all_panels(world, self.memory),
            "nation": nations.describe(world, nation) if nation else "",
        }

    # What somebody takes home

    @property
    def cut(self) -> int | None:
        """Days of the run, if it has not come to its end."""
        return None if self.over else self.day

    def command(self) -> str:
        """The line that makes this run again, as far as it has come."""
        return levers.command(self.base, self.changes, self.cut)

    def write(self, folder: Path) -> None:
        """Write the run so far as the folder that the command line would write."""
        folder.mkdir(parents=True)
        case = self.case if self.over else with_days(self.case, self.day)
        world = self.world
        outcome, headline = world.outcome(), world.summary()
        runfolder.write(folder, case, world.recorder, self.wall_s, outcome, headline)
        (folder / "command.txt").write_text(f"{self.command()}\n", encoding="utf-8")
        told = "\n".join(scenario_file.lines(self.case))
        (folder / "scenario.toml").write_text(f"{told}\n", encoding="utf-8")

    @property
    def name(self) -> str:
        """What the folder is called."""
        return f"{self.case.name}-{self.case.seed}-day-{self.day}"


def begin(base: str, values: Mapping[str, object]) -> Session:
    """A session on the scenario that the levers make of another."""
    return Session(base, levers.overrides(base, values))
