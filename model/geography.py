"""Where mining can happen: nations, places, site types and the observed months, from data files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.complaint import nearest_to

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

CHINA = "CHN"
USA = "USA"
REST = "OTH"
# Cambridge says that proxies inflate these two; their hashrate may be anywhere.
INFLATED_BY_PROXIES = ("DEU", "IRL")
FIRST_OBSERVED = "2019-09"


class DataError(ValueError):
    """A data file that cannot be used: names the file, the key and what was found."""


@dataclass(frozen=True)
class Nations:
    """Nations, one row each: coordinates, institutions, grid."""

    iso3: tuple[str, ...]
    name: tuple[str, ...]
    latitude_deg: Floats
    longitude_deg: Floats
    rule_of_law: Floats
    capital_depth: Floats
    generation_share: Floats
    grid_co2_t_mwh: Floats
    demand_response: Floats
    large_ai: Flags

    def __len__(self) -> int:
        return len(self.iso3)

    def row(self, iso3: str) -> int:
        """Row of a nation."""
        return _row_of(iso3, self.iso3, "nations.csv", "iso3")


@dataclass(frozen=True)
class Places:
    """Places, one row each: a nation, or a part of China, Russia or the USA."""

    name: tuple[str, ...]
    nation: Rows
    latitude_deg: Floats
    longitude_deg: Floats
    reference_share: Floats
    wet_price_usd_mwh: Floats
    dry_price_usd_mwh: Floats
    wet_duty: Floats
    dry_duty: Floats
    offset_usd_mwh: Floats
    region: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.name)

    def row(self, name: str) -> int:
        """Row of a place."""
        return _row_of(name, self.name, "places.csv", "place")

    def of_nation(self, nation_row: int) -> Rows:
        """Rows of a nation's places."""
        return np.flatnonzero(self.nation == nation_row)


@dataclass(frozen=True)
class SiteTypes:
    """Kinds of site, one row each, with their world potentials."""

    name: tuple[str, ...]
    potential_gw: Floats
    size_min_mw: Floats
    size_max_mw: Floats
    alpha: Floats
    gen_usd_mwh: Floats
    gen_sd: Floats
    td_usd_mwh: Floats
    td_sd: Floats
    duty: Floats
    ai_may_bid: Flags
    on_grid: Flags
    lead_months: Floats
    infra_usd_mw: Floats

    def __len__(self) -> int:
        return len(self.name)

    def row(self, name: str) -> int:
        """Row of a site type."""
        return _row_of(name, self.name, "site_types.csv", "type")


@dataclass(frozen=True)
class SiteCells:
    """Sites of one type at one place, one row each."""

    place: Rows
    type: Rows
    potential_gw: Floats
    energised_share: Floats
    gen_usd_mwh: Floats
    gen_sd: Floats
    td_usd_mwh: Floats
    td_sd: Floats
    dry_gen_usd_mwh: Floats
    duty: Floats
    dry_duty: Floats
    lead_months: Floats

    def __len__(self) -> int:
        return self.place.size


@dataclass(frozen=True)
class ListedGenerations:
    """Generations of machines as released, ordered by release; `released` holds day ordinals."""

    name: tuple[str, ...]
    released: Rows
    hashrate_ths: Floats
    efficiency_j_th: Floats

    def __len__(self) -> int:
        return len(self.name)


# Reading


def read_table(path: Path) -> pl.DataFrame:
    """A data file as a table; lines that begin with # are its header."""
    try:
        return pl.read_csv(path, comment_prefix="#", infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a readable table ({error})") from None


def load_monthly(folder: Path, name: str) -> pl.DataFrame:
    """The observed table `name`_monthly.csv, its column `month` as "2019-09"."""
    path = Path(folder) / f"{name}_monthly.csv"
    table = read_table(path)
    _texts(table, "month", path)
    return table


def load_nations(folder: Path) -> Nations:
    """The nations of nations.csv."""
    path = Path(folder) / "nations.csv"
    table = read_table(path)
    return Nations(
        iso3=_keys(table, "iso3", path),
        name=_texts(table, "name", path),
        large_ai=_flags(table, "large_ai", path),
        **_floats(table, Nations, path),
    )


def load_places(folder: Path, nations: Nations, file: str = "places.csv") -> Places:
    """The places of places.csv, each in one of the nations."""
    path = Path(folder) / file
    table = read_table(path)
    return Places(
        name=_keys(table, "place", path),
        nation=_rows(table, "nation", nations.iso3, path),
        region=_texts(table, "region", path),
        **_floats(table, Places, path),
    )


def load_site_types(folder: Path) -> SiteTypes:
    """The site types of site_types.csv."""
    path = Path(folder) / "site_types.csv"
    table = read_table(path)
    return SiteTypes(
        name=_keys(table, "type", path),
        ai_may_bid=_flags(table, "ai_may_bid", path),
        on_grid=_flags(table, "on_grid", path),
        **_floats(table, SiteTypes, path),
    )


def load_site_cells(folder: Path, places: Places, types: SiteTypes) -> SiteCells:
    """The sites of sites.csv, each at one of the places and of one of the types."""
    path = Path(folder) / "sites.csv"
    table = read_table(path)
    return SiteCells(
        place=_rows(table, "place", places.name, path),
        type=_rows(table, "type", types.name, path),
        **_floats(table, SiteCells, path),
    )


def load_generations(folder: Path) -> ListedGenerations:
    """The representative machines of generations.csv, released on the first of their month."""
    path = Path(folder) / "generations.csv"
    table = read_table(path)
    _texts(table, "released", path)
    table = table.sort("released", maintain_order=True)
    released = [_first_day(month, "released", path) for month in table["released"]]
    return ListedGenerations(
        name=_keys(table, "name", path),
        released=np.array([day.toordinal() for day in released], dtype=np.int64),
        hashrate_ths=_numbers(table, "hashrate_th", path),
        efficiency_j_th=_numbers(table, "efficiency_j_th", path),
    )


def load_fleet(folder: Path, file: str, generations: ListedGenerations) -> Floats:
    """Share of the hashrate by generation, from a fleet file."""
    path = Path(folder) / file
    table = read_table(path)
    shares = np.zeros(len(generations))
    shares[_rows(table, "generation", generations.name, path)] = _numbers(table, "share", path)
    return _normalised(shares)


# Shares


def observed_nation_shares(folder: Path, month: str) -> dict[str, float]:
    """Share of the hashrate by itemised nation in a month; the rest is OTH; sums to 1.

    DEU and IRL are part of OTH, because proxies inflate them. Months before the first observed
    one have its shares; a start after the last one takes nation_share_assumed.csv.
    """
    _first_day(month, "month", Path(folder) / "nation_share_monthly.csv")
    observed = load_monthly(folder, "nation_share")
    wanted = max(month, FIRST_OBSERVED)
    if wanted > str(observed["month"].max()):
        observed = read_table(Path(folder) / "nation_share_assumed.csv")
    rows = observed.filter(pl.col("month") == wanted)
    if rows.is_empty():
        known = ", ".join(sorted(set(observed["month"])))
        raise DataError(f'{folder}: no nation shares of month "{month}"; known after it: {known}')
    shares: dict[str, float] = {}
    for nation, percent in zip(rows["nation"], rows["share_pct"], strict=True):
        key = REST if nation in INFLATED_BY_PROXIES else str(nation)
        shares[key] = shares.get(key, 0.0) + float(percent)
    total = sum(shares.values())
    return {nation: percent / total for nation, percent in shares.items()}


def province_shares(folder: Path, places: Places, nations: Nations, month: str) -> Floats:
    """Share of China's hashrate by place in a month, 0 outside China; sums to 1."""
    table = load_monthly(folder, "china_province_share")
    return _profile(table, _province_month(table, month), places, nations)


def place_shares(
    folder: Path, nations: Nations, places: Places, month: str, us_share: float = 0.0
) -> Floats:
    """Share of the world's hashrate by place in a month; sums to 1.

    Chinese provinces divide China's share as observed, the places of other nations in the
    proportions of `reference_share`, and the nations that are not itemised the rest. A positive
    `us_share` is given to the USA, the others keeping their proportions.
    """
    itemised = observed_nation_shares(folder, month)
    within = _within_groups(nations, places, tuple(itemised))
    provinces = province_shares(folder, places, nations, month)
    within = np.where(places.nation == nations.row(CHINA), provinces, within)
    group = [_group(nations.iso3[row], itemised) for row in places.nation]
    shares = _normalised(within * np.array([itemised[name] for name in group]))
    if us_share > 0:
        shares = rescaled(shares, places.nation == nations.row(USA), us_share)
    return shares


def seasonal_peak_shares(
    folder: Path, nations: Nations, places: Places, month: str, us_share: float = 0.0
) -> Floats:
    """Highest share of the world's hashrate over a year by place; Chinese provinces peak apart.

    A province's peak is China's share of the month times the province's highest share of China
    over twelve observed months (from `month` on, where a year is observed, else the last or the
    first twelve), so the result sums to more than 1. Elsewhere it is the share of the month.
    """
    shares = place_shares(folder, nations, places, month, us_share)
    table = load_monthly(folder, "china_province_share")
    months = sorted(set(table["month"]))
    latest_start = max(len(months) - 12, 0)
    start = min(int(np.searchsorted(months, month)), latest_start)
    profiles = [_profile(table, each, places, nations) for each in months[start : start + 12]]
    in_china = places.nation == nations.row(CHINA)
    peak = np.max(profiles, axis=0) * shares[in_china].sum()
    return np.asarray(np.where(in_china, np.maximum(peak, shares), shares), dtype=np.float64)


def rescaled(shares: Floats, members: Flags, total: float) -> Floats:
    """Shares of which `members` together have `total`, proportions kept on both sides."""
    if not 0 <= total <= 1:
        raise ValueError(f"share {total}: need 0 to 1")
    inside, outside = shares[members].sum(), shares[~members].sum()
    scaled = np.where(members, shares / inside * total, shares / outside * (1.0 - total))
    return np.asarray(scaled, dtype=np.float64)


def _group(iso3: str, itemised: dict[str, float]) -> str:
    return iso3 if iso3 in itemised else REST


def _within_groups(nations: Nations, places: Places, itemised: Sequence[str]) -> Floats:
    """Each place's part of its itemised nation, or of all that are not itemised."""
    rest = len(nations)
    codes = [row if iso3 in itemised and iso3 != REST else rest for row, iso3 in _rows_of(nations)]
    group = np.array(codes)[places.nation]
    totals = np.bincount(group, weights=places.reference_share, minlength=rest + 1)
    return np.asarray(places.reference_share / totals[group])


def _rows_of(nations: Nations) -> list[tuple[int, str]]:
    return list(enumerate(nations.iso3))


def _province_month(table: pl.DataFrame, month: str) -> str:
    """The month itself if observed, else the nearest observed one of the same calendar month."""
    months: list[str] = sorted(set(table["month"]))
    if month in months:
        return month
    same_season: list[str] = [each for each in months if each[5:] == month[5:]]
    return same_season[0] if month < months[0] else same_season[-1]


def _profile(table: pl.DataFrame, month: str, places: Places, nations: Nations) -> Floats:
    """China's hashrate by place in an observed month, as shares that sum to 1."""
    rows = table.filter(pl.col("month") == month)
    shares = np.zeros(len(places))
    for province, percent in zip(rows["province"], rows["share_of_china_pct"], strict=True):
        shares[places.row(f"{CHINA}-{province}")] = percent
    return _normalised(shares)


def _normalised(shares: Floats) -> Floats:
    return np.asarray(shares / shares.sum(), dtype=np.float64)


# Columns


def _first_day(month: str, key: str, path: Path) -> date:
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        message = f'{path}: {key}: found "{month}"; allowed: a month such as "2019-09"'
        raise DataError(message) from None


def _column(table: pl.DataFrame, key: str, path: Path) -> pl.Series:
    if key not in table.columns:
        raise DataError(f"{path}: {key}: no such column; found {', '.join(table.columns)}")
    column = table[key]
    if column.null_count():
        raise DataError(f"{path}: {key}: row {column.is_null().arg_max()} is empty")
    return column


def _numbers(table: pl.DataFrame, key: str, path: Path) -> Floats:
    column = _column(table, key, path)
    if not column.dtype.is_numeric():
        raise DataError(f"{path}: {key}: not all of its rows are numbers")
    return np.array(column.to_numpy(), dtype=np.float64)


def _floats(table: pl.DataFrame, record: type[Any], path: Path) -> dict[str, Any]:
    """Every field of a dataclass that holds floats, from the column of its name."""
    names = [field.name for field in fields(record) if field.type == "Floats"]
    return {name: _numbers(table, name.removesuffix("_deg"), path) for name in names}


def _flags(table: pl.DataFrame, key: str, path: Path) -> Flags:
    values = _numbers(table, key, path)
    if not np.isin(values, (0.0, 1.0)).all():
        raise DataError(f"{path}: {key}: neither 0 nor 1 in some row")
    return np.asarray(values == 1.0)


def _texts(table: pl.DataFrame, key: str, path: Path) -> tuple[str, ...]:
    return tuple(str(value) for value in _column(table, key, path))


def _keys(table: pl.DataFrame, key: str, path: Path) -> tuple[str, ...]:
    """A column whose values name the rows."""
    values = _texts(table, key, path)
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise DataError(f"{path}: {key}: more than one row of {', '.join(twice)}")
    return values


def _rows(table: pl.DataFrame, key: str, names: Sequence[str], path: Path) -> Rows:
    """A column that refers to the rows of another table, as row numbers."""
    found = [_row_of(value, names, str(path), key) for value in _texts(table, key, path)]
    return np.array(found, dtype=np.int64)


def _row_of(name: str, names: Sequence[str], file: str, key: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        near = nearest_to(name, names)
        hint = f' (did you mean "{near}"?)' if near else ""
        raise DataError(f'{file}: {key}: found "{name}"; not among the known ones{hint}') from None
