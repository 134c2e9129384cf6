"""Idle power infrastructure of old industry, which miners take up faster than they can build."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
LEAD_MONTHS: Final = 6.0
INFRASTRUCTURE_USD_MW: Final = 200_000.0


class Taken(NamedTuple):
    """What miners take of the idle infrastructure.

    Attributes
    ----------
    offered_mw : to each miner that asked.
    left_mw : idle in each nation afterwards.
    """

    offered_mw: Floats
    left_mw: Floats


def take_brownfield(idle_mw: ArrayLike, nation: ArrayLike, wanted_mw: ArrayLike) -> Taken:
    """Offer each nation's idle infrastructure to those who want it, in proportion if it is short.

    Parameters
    ----------
    idle_mw : shape (n,), by nation.
    nation, wanted_mw : one a miner that asks, row of the nation and MW.

    Raises
    ------
    ValueError
        when a power is negative
    """
    idle, wanted = (np.asarray(power, dtype=np.float64) for power in (idle_mw, wanted_mw))
    if not ((idle >= 0.0).all() and (wanted >= 0.0).all()):
        raise ValueError("idle and wanted power must not be negative")
    rows = np.asarray(nation, dtype=np.int64)
    asked = np.bincount(rows, weights=wanted, minlength=idle.size)
    part = np.divide(idle, asked, out=np.ones(idle.size), where=asked > idle)
    return Taken(wanted * part[rows], idle - np.minimum(asked, idle))
