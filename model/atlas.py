"""Everything a run reads from the data folder, read once and put into arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from model import geography, political_map
from model.known import DATA
from model.markets import electricity
from model.relations import Relations


@dataclass(frozen=True)
class Atlas:
    """Nations and their relations, places, kinds of site and listed machines of the folder."""

    folder: Path
    nations: geography.Nations
    places: geography.Places
    types: geography.SiteTypes
    cells: geography.SiteCells
    listed: geography.ListedGenerations
    means: political_map.Means
    relations: Relations

    @cached_property
    def in_china(self) -> np.ndarray:
        """Whether each place is a province of China."""
        return np.asarray(self.places.nation == self.nations.row(geography.CHINA))

    @cached_property
    def place_nations(self) -> tuple[str, ...]:
        """ISO code of each place's nation."""
        return tuple(self.nations.iso3[row] for row in self.places.nation)

    @cached_property
    def mean_log_size(self) -> np.ndarray:
        """Mean of ln(MW) over the capacity of each site type."""
        ends = zip(self.types.alpha, self.types.size_min_mw, self.types.size_max_mw, strict=True)
        return np.array([electricity.mean_log_size(*end) for end in ends])

    @cached_property
    def models(self) -> pl.DataFrame:
        """The machines that Cambridge's list or other public lists name, with J/TH."""
        table = geography.read_table(self.folder / "machines_listed.csv")
        return table.filter(pl.col("efficiency_j_th").is_not_null())

    def operators(self, month: str) -> political_map.Operators:
        """The pools of a month."""
        return political_map.load_operators(self.folder, self.nations, month)

    def monthly(self, name: str) -> pl.DataFrame:
        """An observed monthly table."""
        return geography.load_monthly(self.folder, name)

    def table(self, name: str) -> pl.DataFrame:
        """A file of the data folder."""
        return geography.read_table(self.folder / name)


@lru_cache(maxsize=4)
def load_atlas(folder: Path = DATA, places_file: str = "places.csv") -> Atlas:
    """Read the data folder; the second call of a process returns the same arrays."""
    nations = geography.load_nations(folder)
    places = geography.load_places(folder, nations, places_file)
    types = geography.load_site_types(folder)
    return Atlas(
        folder=folder,
        nations=nations,
        places=places,
        types=types,
        cells=geography.load_site_cells(folder, places, types),
        listed=geography.load_generations(folder),
        means=political_map.load_means(folder, nations),
        relations=political_map.load_alliances(folder, nations),
    )
