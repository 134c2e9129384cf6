"""The accounts of a covenant pool: the kernels, and a plain loop of the same rules.

Run with `python -m benchmarks.covenant`. Both pay the same satoshi to everybody, or no ratio is
shown. The kernel's time is that of a whole settlement, the loop's that of its accounts alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.columns import seconds
from model.rewards.covenant import WHOLE, Covenant
from model.rewards.scheme import Income, Terms
from model.streams import Streams
from model.units import BLOCK_TARGET_S

BLOCKS, MEMBERS, WINDOW = 100_000, 100, 432
SUBSIDY_SAT, MOST_FEES_SAT = 312_500_000, 10_000_000
PERCENTS = (0.25, 0.5, 0.75, 1.0)
GOAL_RATIO, GOAL_MS = 500.0, 30.0
PLAIN_RUNS = 2


def make_income(blocks: int, members: int, seed: int = 1) -> Income:
    """Blocks found by members of unequal work."""
    draw = Streams(seed).generator("covenant benchmark")
    work = draw.power(2.0, members)
    return Income(
        work=work / work.sum() * blocks,
        finders=draw.choice(members, blocks, p=work / work.sum()),
        subsidy_sat=np.full(blocks, SUBSIDY_SAT),
        fees_sat=draw.integers(0, MOST_FEES_SAT, blocks),
        times_s=np.cumsum(draw.exponential(BLOCK_TARGET_S, blocks)),
        fair_subsidy_sat=SUBSIDY_SAT,
        fair_fees_sat=MOST_FEES_SAT / 2,
    )


def make_percents(members: int, seed: int = 1) -> np.ndarray:
    """What each member shares of its blocks."""
    return Streams(seed).generator("covenant percents").choice(PERCENTS, members)


def by_kernel(income: Income, percents: np.ndarray) -> np.ndarray:
    """Payouts as the model settles them."""
    pool = Covenant(Terms())
    pool.agree(percents)
    return pool.settle(income).payouts_sat


def plain(finders: list[int], rewards: list[int], parts: list[int], most: int) -> list[int]:
    """Payouts by a loop over every entry of every window."""
    payouts = [0] * len(parts)
    window: deque[tuple[int, int]] = deque()
    for finder, reward in zip(finders, rewards, strict=True):
        own = reward * (WHOLE - parts[finder]) // WHOLE
        left = reward - own if window else 0
        payouts[finder] += reward - left
        total = sum(weight for _, weight in window)
        pot = left
        for payee, weight in window:
            share = pot * weight // total if total else pot // len(window)
            payouts[payee] += share
            left -= share
        payouts[finder] += left
        window.append((finder, parts[finder]))
        while len(window) > most:
            window.popleft()
    return payouts


def by_loop(income: Income, percents: np.ndarray) -> np.ndarray:
    """The same payouts by the plain loop."""
    parts = np.rint(WHOLE * percents).astype(int).tolist()
    found = income.finders.tolist(), income.rewards_sat.tolist()
    return np.array(plain(*found, parts, WINDOW))


def benchmark(blocks: int = BLOCKS, members: int = MEMBERS) -> dict[str, Any]:
    """Milliseconds of each, for members who share alike and by percents of their own."""
    income, found = make_income(blocks, members), {}
    for name, percents in (("alike", np.ones(members)), ("own", make_percents(members))):
        paid, plain_s = by_kernel(income, percents), np.inf
        for _ in range(PLAIN_RUNS):
            start = time.perf_counter()
            looped = by_loop(income, percents)
            plain_s = min(plain_s, time.perf_counter() - start)
        if not np.array_equal(paid, looped) or paid.sum() != income.total_sat:
            raise AssertionError("the kernel and the plain loop pay differently")
        kernel_s = seconds(partial(by_kernel, income, percents), 1.0)
        found[name] = {
            "kernel_ms": kernel_s * 1e3,
            "plain_ms": plain_s * 1e3,
            "ratio": plain_s / kernel_s,
        }
    return {
        "threads": 1,
        "blocks": blocks,
        "members": members,
        "window": WINDOW,
        "percents": found,
        "kernel_ms": max(row["kernel_ms"] for row in found.values()),
        "ratio": min(row["ratio"] for row in found.values()),
    }


def table(found: dict[str, Any]) -> Table:
    """Milliseconds beside each other."""
    shown = Table(
        title=f"Settling {found['blocks']:,} blocks of a covenant pool on one thread",
        caption=f"{found['members']} members, a window of {found['window']} blocks",
    )
    for heading in ("percents", "kernel ms", "plain loop ms", "faster by"):
        shown.add_column(heading, justify="left" if heading == "percents" else "right")
    for name, words in (("alike", "all alike"), ("own", "a member's own")):
        row = found["percents"][name]
        shown.add_row(
            words, f"{row['kernel_ms']:.2f}", f"{row['plain_ms']:,.0f}", f"{row['ratio']:,.0f} x"
        )
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
