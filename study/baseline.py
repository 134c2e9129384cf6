"""Figures of a few short runs, pinned so that no change of results goes unseen.

`make baseline` computes them anew and rewrites `tests/baseline.json`; nothing else may.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from model.scenario import load, with_days
from model.world import World
from study import runfolder

FILE = runfolder.ROOT / "tests" / "baseline.json"
SMALL = ("start.miners=200", "start.sites=400")
TOP_NATIONS = 5
SERIES = (
    "price_usd",
    "hashrate_ehs",
    "power_gw",
    "efficiency_j_th",
    "hashprice_usd_ph_day",
    "power_cost_usd_mwh",
    "asic_price_usd_th",
    "site_capacity_gw",
)
# Only these compute; another version may round the last digit of a sum otherwise.
COMPUTING = ("numpy", "numba", "scipy")
SAME_LIBRARIES = 1e-9
OTHER_LIBRARIES = 1e-6

Figures = dict[str, float]


class Pinned(NamedTuple):
    """A short run and the days on which it is looked at."""

    name: str
    days: tuple[int, ...]
    changes: tuple[str, ...] = SMALL
    seed: int = 1


# Nearly everything happens in one of them: water, bans and moves, drawn prices, hedges, bids of AI.
RUNS = (
    Pinned("china_ban_2021", (1, 100, 200)),
    Pinned("outlook_2021", (30, 80, 160)),
    Pinned("baseline_2025", (1, 60, 120)),
)


class Move(NamedTuple):
    """A figure that is not what it was; None where it was not or is not there."""

    figure: str
    old: float | None
    new: float | None


def compute(runs: Sequence[Pinned] = RUNS) -> Figures:
    """The figures of all runs, named `scenario/day/figure`."""
    return {name: value for pinned in runs for name, value in live(pinned).items()}


def live(pinned: Pinned) -> Figures:
    """The figures of one run after each of its days."""
    case = with_days(load(pinned.name, list(pinned.changes)), max(pinned.days))
    world = World(case, rng=pinned.seed)
    figures: Figures = {}
    while world.running:
        world.step()
        if world.day in pinned.days:
            today = look(world)
            figures |= {f"{pinned.name}/{world.day}/{name}": today[name] for name in today}
    return figures


def look(world: World) -> Figures:
    """The figures of a world today."""
    failures = int(world.recorder["bankruptcies"].sum())
    return (
        {name: float(world.recorder[name][-1]) for name in SERIES}
        | top_nations(world)
        | {
            "cash_usd": float(world.miners["cash"].sum()),
            "debt_usd": float(world.miners["debt"].sum()),
            "firms": len(world.miners),
            "fleets": len(world.fleets),
            "sites": len(world.sites),
            "bankruptcies": failures,
        }
    )


def top_nations(world: World) -> Figures:
    """Shares of the nations with most of the hashrate."""
    hashrate = world.nations["hashrate"]
    rows = np.argsort(-hashrate, kind="stable")[:TOP_NATIONS]
    shares = hashrate / hashrate.sum()
    return {f"share_{world.nation_names[row]}": float(shares[row]) for row in rows}


def moved(old: Mapping[str, float], new: Mapping[str, float], tolerance: float) -> list[Move]:
    """Figures that differ by more than a share of the old one, or that only one side has."""
    return [
        Move(name, old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if not alike(old.get(name), new.get(name), tolerance)
    ]


def alike(old: float | None, new: float | None, tolerance: float) -> bool:
    """Whether two figures agree; an undefined one agrees with nothing."""
    return old is not None and new is not None and abs(new - old) <= tolerance * abs(old)


def tolerance(libraries: Mapping[str, str]) -> float:
    """How far figures made with these libraries may be from those made with the installed ones."""
    here = runfolder.libraries()
    same = all(libraries.get(name) == here[name] for name in COMPUTING)
    return SAME_LIBRARIES if same else OTHER_LIBRARIES


def read(file: Path = FILE) -> dict[str, Any]:
    """The libraries and the figures of the file; nothing of either if there is no file."""
    if not file.is_file():
        return {"libraries": {}, "figures": {}}
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return held


def write(figures: Figures, file: Path = FILE) -> None:
    """Pin the figures, with the libraries they were made with."""
    libraries = {name: runfolder.libraries()[name] for name in ("python", *COMPUTING)}
    content = {"libraries": libraries, "figures": figures}
    file.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def as_table(moves: Sequence[Move]) -> Table:
    """Old and new values beside one another."""
    table = Table(title="moved figures")
    table.add_column("figure")
    for word in ("old", "new", "change, %"):
        table.add_column(word, justify="right")
    for figure, old, new in moves:
        change = f"{100 * (new / old - 1):+.3g}" if old and new is not None else ""
        table.add_row(figure, *("" if v is None else f"{v:.10g}" for v in (old, new)), change)
    return table


def main(file: Path = FILE, console: Console | None = None) -> int:
    """Compute the figures, show what moved, and pin them."""
    screen = console or Console()
    old, new = read(file)["figures"], compute()
    moves = moved(old, new, 0.0)
    write(new, file)
    if moves:
        screen.print(as_table(moves))
    screen.print(f"{len(moves)} of {len(new)} figures moved; written to {file}", highlight=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
