"""The race of two branches: the compiled walk, the block tree, and a plain loop of the same rules.

Run with `python -m benchmarks.race`. The plain loop draws the same random numbers in whole-number
arithmetic and must end with the same counts; it is also timed with the draws handed to it, which
leaves nothing but the rules.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.columns import seconds
from model.chain.blocks import Tip
from model.chain.contest import FINAL_LEAD_BLOCKS
from model.chain.patience import Patience
from model.chain.sides import Stances
from model.chain.tree import BlockTree
from model.chain.walk import CALM, FINAL_AGE_EVENTS, Walk, walk
from model.streams import Streams, uniform
from model.units import HOURS_PER_DAY, equilibrium_difficulty

BLOCKS = 50_000_000
PLAIN_BLOCKS = 200_000
TREE_DAYS = 3_652
GOAL_PER_S = 1e7
GOAL_RATIO = 100.0
SHARE, GIVE_UP_AT = 0.4, 6
HASHRATE_THS = 850e6

WORD = 2**64 - 1
GOLDEN, MIX_A, MIX_B = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(word: int) -> int:
    """The finalizer of splitmix64 on whole numbers."""
    word = ((word ^ (word >> 30)) * MIX_A) & WORD
    word = ((word ^ (word >> 27)) * MIX_B) & WORD
    return word ^ (word >> 31)


def plain_uniform(row_word: int, draw: int) -> float:
    """The draw that `uniform` makes, once key, day and row are mixed."""
    return float(mix((row_word + GOLDEN * (draw + 1)) & WORD) >> 11) * 2.0**-53


def plain_row(key: int) -> int:
    """Key, day 0 and row 0, mixed."""
    return mix((mix((key + GOLDEN) & WORD) + GOLDEN) & WORD)


def drawing_walk(share: float, give_up_at: int, events: int, key: int) -> Walk:
    """The walk in plain Python, with its own draws."""
    row = plain_row(key)
    return plain_walk(share, give_up_at, (plain_uniform(row, draw) for draw in range(events)))


def plain_walk(share: float, give_up_at: int, draws: Any) -> Walk:
    """The walk in plain Python."""
    lead, began, event, final = CALM, 0, 0, -1
    races = won = lost_enforcing = lost_offending = 0
    for draw in draws:
        event += 1
        if lead == CALM:
            if draw >= share:
                began = event - 1
                lead = 1 if give_up_at > 1 else CALM
        elif draw < share:
            lead -= 1
            if lead == CALM:
                races, won = races + 1, won + 1
                lost_offending += (event - began - 1) // 2
        else:
            lead += 1
            if lead >= give_up_at:
                lead = CALM
                races += 1
                lost_enforcing += (event - began - give_up_at) // 2
        if lead >= FINAL_LEAD_BLOCKS and event - began >= FINAL_AGE_EVENTS:
            final = event
            break
    return Walk(event, lead, races, won, lost_enforcing, lost_offending, final)


def require_same(events: int = 20_000) -> None:
    """Stop unless the plain loop and the kernel count the same."""
    key = Streams(1).key("race")
    for share, give_up_at in ((0.25, 2), (0.4, 6), (0.49, 200), (0.6, 2**62), (0.1, 1)):
        compiled = walk(share, give_up_at, events, key)
        if drawing_walk(share, give_up_at, events, int(key)) != compiled:
            raise AssertionError(f"the walks differ at a share of {share}: {compiled}")


def tree_blocks_per_s(days: int) -> tuple[float, float]:
    """Blocks per second of the block tree with a directive always in force, and seconds."""
    tip = Tip(889_056, equilibrium_difficulty(HASHRATE_THS), 0.0)
    tree = BlockTree(tip, Streams(1).key("blocks"), 3)
    never = Patience("inf")
    stances = Stances((1, 0, 0), (0, 0, 1), (Patience("lag", GIVE_UP_AT), never, never))
    hashrate_ths = np.outer((SHARE, 0.2, 0.4), np.full(HOURS_PER_DAY, HASHRATE_THS))
    tree.mine(0, hashrate_ths, stances, [1.0], 0.03)
    start = time.perf_counter()
    for day in range(1, days):
        tree.mine(day, hashrate_ths, stances, [1.0], 0.03)
    taken = time.perf_counter() - start
    return float(tree.found.sum()) / taken, taken


def benchmark(blocks: int = BLOCKS, plain: int = PLAIN_BLOCKS) -> dict[str, Any]:
    """Blocks per second of each, and how many times faster the kernel is than plain Python."""
    require_same()
    key = Streams(1).key("race")
    draws = [uniform(key, 0, 0, draw) for draw in range(plain)]
    compiled = blocks / seconds(lambda: walk(SHARE, GIVE_UP_AT, blocks, key))
    drawing = plain / seconds(lambda: drawing_walk(SHARE, GIVE_UP_AT, plain, int(key)))
    handed = plain / seconds(lambda: plain_walk(SHARE, GIVE_UP_AT, draws))
    tree, ten_years_s = tree_blocks_per_s(TREE_DAYS)
    return {
        "threads": 1,
        "blocks_per_s": {"walk": compiled, "plain": drawing, "handed": handed, "tree": tree},
        "ratio": compiled / drawing,
        "ratio_handed": compiled / handed,
        "ten_years_s": ten_years_s,
    }


def table(found: dict[str, Any]) -> Table:
    """Blocks per second beside each other."""
    rate = found["blocks_per_s"]
    shown = Table(
        title="Races of two branches on one thread",
        caption=f"ten years in the block tree take {found['ten_years_s']:.2f} s",
    )
    for heading in ("way", "million blocks/s", "walk is faster by"):
        shown.add_column(heading, justify="left" if heading == "way" else "right")
    for way, name in (
        ("compiled walk", "walk"),
        ("plain Python", "plain"),
        ("plain Python, draws handed over", "handed"),
        ("block tree, with difficulty and work", "tree"),
    ):
        shown.add_row(way, f"{rate[name] / 1e6:,.3g}", f"{rate['walk'] / rate[name]:,.3g}")
    return shown


def main() -> None:
    """Print the table, or the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    found = benchmark()
    if options.json:
        print(json.dumps(found))
        return
    Console().print(table(found))


if __name__ == "__main__":
    main()
