"""The map: one SVG that never changes, and one style that is rewritten with every frame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.geography import REST

if TYPE_CHECKING:
    from model.world import World

MAP = Path(__file__).with_name("world.svg")
# Lower ends of the steps, as shares of the hashrate, and light to dark blues that print in grey.
STEPS = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
COLOURS = ("#e3f1e6", "#c0e4c9", "#8fd0c4", "#4fb3cc", "#2b8cbe", "#0f5ea8", "#082f6b")
NONE_COLOUR = "#ffffff"
ORDERED = "#D55E00"


@lru_cache(maxsize=1)
def drawing() -> str:
    """The map as SVG text."""
    return MAP.read_text(encoding="utf-8")


def step_of(share: float) -> int:
    """Step of the scale that a share is in; -1 below the first."""
    return int(np.searchsorted(STEPS, share, side="right")) - 1


def colour_of(share: float) -> str:
    """Colour of a share of the hashrate."""
    step = step_of(share)
    return COLOURS[step] if step >= 0 else NONE_COLOUR


def shares_of(world: World) -> dict[str, float]:
    """Share of the hashrate at sites of each nation."""
    return dict(zip(world.nation_names, world.nation_shares.tolist(), strict=True))


def ordered_nations(world: World) -> list[str]:
    """Nations whose law a directive is today."""
    adopted = np.zeros(world.nations.size, dtype=bool)
    for live in world.politics.live:
        if live.is_law:
            adopted |= live.adopted
    return [world.nation_names[row] for row in np.flatnonzero(adopted)]


def style(shares: Mapping[str, float], ordered: list[str]) -> str:
    """The rules that colour the map and put a border round nations with a directive."""
    by_colour: dict[str, list[str]] = {}
    for nation, share in shares.items():
        if nation != REST:
            by_colour.setdefault(colour_of(share), []).append(_selector(nation))
    rules = [f"{','.join(chosen)}{{fill:{colour}}}" for colour, chosen in by_colour.items()]
    if ordered:
        chosen = ",".join(_selector(nation) for nation in ordered)
        rules.append(f"{chosen}{{stroke:{ORDERED};stroke-width:16;stroke-dasharray:40 14}}")
    return "".join(rules)


def _selector(nation: str) -> str:
    return f".atlas-map [data-nation={nation}]"


def legend() -> list[dict[str, str]]:
    """Colour and words of every step."""
    ends = [f"{100 * share:g}" for share in STEPS]
    words = [f"{low} to {high} %" for low, high in pairwise(ends)]
    named = [f"under {ends[0]} %", *words, f"over {ends[-1]} %"]
    colours = (NONE_COLOUR, *COLOURS)
    return [{"colour": colour, "words": name} for colour, name in zip(colours, named, strict=True)]
