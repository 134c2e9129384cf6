"""What nations have and how they stand to one another, and who runs the pools: read from tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.geography import DataError, Nations, load_monthly, read_table
from model.relations import Relations, load_relations

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Means:
    """What nations can bring to bear, in the order of nations.csv; zeros where nothing is told.

    Attributes
    ----------
    gdp_share : of the world's product.
    reserves_btc : coins of the nation.
    sanctioned : how much of its trade sanctions keep from the market, 0 to 1.
    stranded_mw, brownfield_mw : power from gas that is flared; idle connections of old industry.
    """

    gdp_share: Floats
    reserves_btc: Floats
    sanctioned: Floats
    stranded_mw: Floats
    brownfield_mw: Floats


@dataclass(frozen=True, eq=False)
class Operators:
    """Pools, the nation row of each operator, and the share of blocks of each; the rest is solo."""

    name: tuple[str, ...]
    nation: Rows
    share: Floats

    def __len__(self) -> int:
        return len(self.name)


def load_means(folder: Path, nations: Nations) -> Means:
    """The means of nation_means.csv, spread over all nations."""
    path = folder / "nation_means.csv"
    table = read_table(path)
    rows = _nation_rows(table["iso3"].to_list(), nations, path)

    def spread(column: str, factor: float = 1.0) -> Floats:
        values = np.zeros(len(nations))
        values[rows] = factor * table[column].cast(pl.Float64).to_numpy()
        return values

    return Means(
        gdp_share=spread("gdp_share_pct", 0.01),
        reserves_btc=spread("reserves_btc"),
        sanctioned=spread("sanctioned"),
        stranded_mw=spread("stranded_mw"),
        brownfield_mw=spread("brownfield_mw"),
    )


def load_alliances(folder: Path, nations: Nations) -> Relations:
    """Alliances and sanctions of relations.csv."""
    return load_relations(read_table(folder / "relations.csv").iter_rows(named=True), nations.iso3)


def load_operators(folder: Path, nations: Nations, month: str) -> Operators:
    """Pools of a month such as "2019-09": the first observed before, assumed ones after."""
    seen = load_monthly(folder, "pool_share")
    month = max(month, str(seen["month"].min()))
    if month > str(seen["month"].max()):
        table = read_table(folder / "pool_share_assumed.csv")
    else:
        table = seen.filter(pl.col("month") == month)
    path = folder / "pools.csv"
    seats = read_table(path)
    seat = dict(zip(seats["pool"].to_list(), seats["nation"].to_list(), strict=True))
    names = tuple(table["pool"].to_list())
    unknown = [name for name in names if name not in seat]
    if unknown:
        raise DataError(f'{path}: lacks the pool "{unknown[0]}"')
    share = table["share_pct"].cast(pl.Float64).to_numpy() / 100.0
    return Operators(
        names,
        _nation_rows([seat[name] for name in names], nations, path),
        share / max(1.0, float(share.sum())),
    )


def _nation_rows(codes: Sequence[str], nations: Nations, path: Path) -> Rows:
    unknown = [code for code in codes if code not in nations.iso3]
    if unknown:
        raise DataError(f'{path}: "{unknown[0]}" is not a nation of nations.csv')
    return np.array([nations.row(code) for code in codes], dtype=np.int64)
