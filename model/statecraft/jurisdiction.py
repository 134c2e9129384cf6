"""Whose law reaches hashrate: where it stands, who owns it, or who makes its template."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Jurisdiction = Literal["site", "hq", "template", "any"]
JURISDICTIONS: tuple[str, ...] = get_args(Jurisdiction)


def coercible(
    site: ArrayLike,
    headquarters: ArrayLike,
    template: ArrayLike,
    nations: ArrayLike,
    jurisdiction: Jurisdiction = "any",
) -> Flags:
    """Which units of hashrate a set of nations can coerce.

    Parameters
    ----------
    site, headquarters, template : rows of the nations where each unit stands, where its owner has
        its seat or listing, and where the controller of its template is; -1 where there is none.
    nations : shape (n,), whether each nation is in the set.
    jurisdiction : the map that counts; "any" of the three reaches a unit, but what only the
        template reaches leaves within a day.

    Raises
    ------
    ValueError
        when the jurisdiction is unknown
    """
    if jurisdiction not in JURISDICTIONS:
        raise ValueError(f"a jurisdiction is one of {', '.join(JURISDICTIONS)}")
    maps = {"site": site, "hq": headquarters, "template": template}
    counted = maps.values() if jurisdiction == "any" else [maps[jurisdiction]]
    reach = np.append(np.asarray(nations, dtype=np.bool_), False)
    return np.any([reach[np.asarray(rows, dtype=np.int64)] for rows in counted], axis=0)


class CoercibleShares(NamedTuple):
    """Share of the hashrate that a set of nations can coerce, by each map and by any of them."""

    site: float
    hq: float
    template: float
    any: float


def coercible_shares(
    hashrate: ArrayLike,
    site: ArrayLike,
    headquarters: ArrayLike,
    template: ArrayLike,
    nations: ArrayLike,
) -> CoercibleShares:
    """Share of the hashrate that a set of nations can coerce; 0 where there is no hashrate."""
    held = np.asarray(hashrate, dtype=np.float64)
    total = float(held.sum())

    def share(jurisdiction: Jurisdiction) -> float:
        reached = coercible(site, headquarters, template, nations, jurisdiction)
        return float(held[reached].sum()) / total if total > 0.0 else 0.0

    return CoercibleShares(share("site"), share("hq"), share("template"), share("any"))


def shares_by_nation(hashrate: ArrayLike, nation: ArrayLike, nations: int) -> Floats:
    """Share of all hashrate in each of `nations` nations, by one of the maps; -1 is in none."""
    held, rows = np.asarray(hashrate, dtype=np.float64), np.asarray(nation, dtype=np.int64)
    total = held.sum()
    inside = rows >= 0
    counted = np.bincount(rows[inside], weights=held[inside], minlength=nations)
    return np.asarray(counted / total if total > 0.0 else counted, dtype=np.float64)
