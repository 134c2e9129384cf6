"""One day's decision of every fleet: in columns, and as plain Mesa agents.

Run with `python -m benchmarks.columns`. Both sides do the same arithmetic with the same result.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mesa
import numpy as np
from rich.console import Console
from rich.table import Table

from agents.population import Column, Population, RowAgent, columnar

SIZES = (1_000, 10_000, 100_000, 1_000_000)
HASHPRICE_USD_TH_DAY = 0.05
POWER_COST_USD_MWH = 60.0
MWH_PER_J_TH_DAY = 24e-6


class Fleet(RowAgent):
    """A fleet kept in columns."""

    hashrate_ths = Column("TH/s", doc="installed")
    efficiency_j_th = Column("J/TH", doc="energy per hash")
    load = Column("1", doc="share switched on")

    @columnar
    def curtail(fleets: Any, hashprice: float, power_cost: float) -> None:
        """Run the fleets whose hashes pay for their power."""
        cost = fleets["efficiency_j_th"] * (MWH_PER_J_TH_DAY * power_cost)
        fleets["load"] = hashprice > cost


class PlainFleet(mesa.Agent):
    """The same fleet as Mesa keeps it."""

    def __init__(self, model: mesa.Model, hashrate_ths: float, efficiency_j_th: float) -> None:
        super().__init__(model)
        self.hashrate_ths = hashrate_ths
        self.efficiency_j_th = efficiency_j_th
        self.load = 0.0

    def curtail(self, hashprice: float, power_cost: float) -> None:
        """Run if a hash pays for its power."""
        cost = self.efficiency_j_th * MWH_PER_J_TH_DAY * power_cost
        self.load = 1.0 if hashprice > cost else 0.0


@dataclass(frozen=True)
class Measured:
    """What one way of keeping fleets costs."""

    create_s: float
    step_s: float
    bytes_each: float
    running: float


def in_columns(hashrate: np.ndarray, efficiency: np.ndarray) -> Any:
    """A world of fleets in columns."""
    fleets = Population(mesa.Model(rng=1), Fleet)
    fleets.add(hashrate_ths=hashrate, efficiency_j_th=efficiency)
    return fleets.model


def as_objects(hashrate: np.ndarray, efficiency: np.ndarray) -> Any:
    """A world of fleets as plain Mesa agents."""
    model = mesa.Model(rng=1)
    PlainFleet.create_agents(model, len(hashrate), hashrate.tolist(), efficiency.tolist())
    return model


def seconds(work: Callable[[], Any], at_least: float = 0.2) -> float:
    """The shortest of as many runs as fit into a while."""
    best, begun = np.inf, time.perf_counter()
    while time.perf_counter() - begun < at_least or np.isinf(best):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def traced_bytes(make: Callable[[], Any]) -> int:
    """Memory that stays allocated after making something."""
    tracemalloc.start()
    kept = make()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return size


def measure(make: Callable[..., Any], agent_type: type, count: int) -> Measured:
    """Time and memory of one way of keeping `count` fleets."""
    generator = np.random.default_rng(1)
    inputs = generator.uniform(1, 100, count), generator.uniform(10, 100, count)
    create_s = seconds(lambda: make(*inputs), at_least=0.0)
    size = traced_bytes(lambda: make(*inputs))
    model = make(*inputs)
    fleets = model.agents_by_type[agent_type]
    step_s = seconds(lambda: fleets.do("curtail", HASHPRICE_USD_TH_DAY, POWER_COST_USD_MWH))
    return Measured(create_s, step_s, size / count, fleets.agg("load", sum))


def table(sizes: tuple[int, ...]) -> Table:
    """Both ways beside each other at each size."""
    shown = Table(title="One decision of every fleet, columns against plain Mesa agents")
    for heading in ("fleets", "kept as", "create ms", "step ms", "ns an agent", "bytes an agent"):
        shown.add_column(heading, justify="right")
    shown.add_column("step is faster by", justify="right")
    for count in sizes:
        plain = measure(as_objects, PlainFleet, count)
        columns = measure(in_columns, Fleet, count)
        if columns.running != plain.running:
            raise RuntimeError(
                f"{columns.running} fleets run in columns, {plain.running} as objects."
            )
        shown.add_row(*row(count, "objects", plain), "")
        shown.add_row(*row(count, "columns", columns), f"{plain.step_s / columns.step_s:,.0f} x")
    return shown


def row(count: int, kept_as: str, measured: Measured) -> list[str]:
    """One line of the table."""
    return [
        f"{count:,}",
        kept_as,
        f"{measured.create_s * 1e3:,.2f}",
        f"{measured.step_s * 1e3:,.3f}",
        f"{measured.step_s / count * 1e9:,.1f}",
        f"{measured.bytes_each:,.0f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N")
    Console().print(table(tuple(parser.parse_args().sizes)))


if __name__ == "__main__":
    main()
