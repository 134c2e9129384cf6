"""Which worlds end in some way: boxes of factors in which most of them do."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Edge:
    """What a box asks of one factor.

    Attributes
    ----------
    low, high : ends of its range, None where the box leaves that end open
    members : the values of a factor that is a name or a switch; empty for numbers
    low_chance, high_chance : quasi-p value of each end: how likely chance alone had the part that
        it keeps so rich in worlds of the kind sought; None where the end is open
    """

    factor: str
    low: float | None = None
    high: float | None = None
    members: tuple[Any, ...] = ()
    low_chance: float | None = None
    high_chance: float | None = None

    def words(self) -> str:
        """The edge as a person reads it."""
        if self.members:
            return f"{self.factor} in {{{', '.join(map(str, self.members))}}}"
        if self.low is None:
            return f"{self.factor} <= {self.high:.4g}"
        if self.high is None:
            return f"{self.factor} >= {self.low:.4g}"
        return f"{self.low:.4g} <= {self.factor} <= {self.high:.4g}"


@dataclass(frozen=True)
class Box:
    """A part of the factors' space.

    Attributes
    ----------
    density : share of its worlds that are of the kind sought
    coverage : share of all worlds of that kind that lie in it
    mass : share of all worlds that lie in it
    runs : worlds in it
    edges : of each factor that it restricts
    """

    density: float
    coverage: float
    mass: float
    runs: int
    edges: tuple[Edge, ...]

    def words(self) -> str:
        """The box as a person reads it."""
        where = " and ".join(edge.words() for edge in self.edges) or "everywhere"
        return f"{where}: density {self.density:.2f}, coverage {self.coverage:.2f}"


def boxes(
    points: pl.DataFrame,
    sought: Bools,
    density: float = 0.8,
    least_mass: float = 0.05,
    most: int = 3,
) -> list[Box]:
    """Boxes in which at least a share of the worlds is of the kind sought, best coverage first.

    Parameters
    ----------
    points : one row a run, one column a factor: numbers, or names and switches
    sought : [run], whether it ended that way
    density : share asked of a box
    least_mass : smallest share of all runs that makes a box
    most : boxes looked for, each among the runs that those before it left

    Returns
    -------
    boxes, of each found sequence of nested ones the widest that is dense enough; none where no
    part of the space is

    Notes
    -----
    The patient rule induction method (Friedman and Fisher 1999) with the quasi-p values of
    Bryant and Lempert 2010, as the Exploratory Modeling Workbench has it.
    """
    kind = np.asarray(sought, dtype=bool)
    if kind.size != points.height:
        raise ValueError(f"{points.height} points and {kind.size} outcomes")
    if not kind.any() or points.width == 0:
        return []
    search = _search(points, kind, density, least_mass)
    found = []
    for _ in range(most):
        box = search.find_box()
        chosen = _widest(box, density) if box is not None else None
        if chosen is None:
            break
        box.select(chosen)
        found.append(_read(box, chosen, search.box_init))
    return found


def _search(points: pl.DataFrame, kind: Bools, density: float, least_mass: float) -> Any:
    """PRIM over the points; its library is loaded only here, since it takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ema_workbench.analysis import prim

        logging.getLogger("EMA").setLevel(logging.WARNING)
        return prim.Prim(_frame(points), kind.astype(int), threshold=density, mass_min=least_mass)


def _frame(points: pl.DataFrame) -> pandas.DataFrame:
    """Points as the library reads them: numbers as floats, all else as names."""
    import pandas

    return pandas.DataFrame(
        {
            name: column.cast(pl.Float64).to_numpy()
            if column.dtype.is_numeric()
            else pandas.Series([str(value) for value in column], dtype=object)
            for name, column in zip(points.columns, points.get_columns(), strict=True)
        }
    )


def _widest(box: Any, density: float) -> int | None:
    """Of the nested boxes of a search, the one with the best coverage that is dense enough."""
    path = box.peeling_trajectory
    good = np.flatnonzero(path["density"].to_numpy() >= density)
    if good.size == 0:
        return None
    return int(good[np.argmax(path["coverage"].to_numpy()[good])])


def _read(box: Any, chosen: int, whole: Any) -> Box:
    """A box in words of this module."""
    limits, chances = box.box_lims[chosen], box.qp[chosen]
    edges = [
        edge
        for name in limits.columns
        if (edge := _edge(name, limits[name], whole[name], chances.get(name))) is not None
    ]
    row = box.peeling_trajectory.iloc[chosen]
    return Box(
        float(row["density"]), float(row["coverage"]), float(row["mass"]), int(row["n"]),
        tuple(edges),
    )  # fmt: skip


def _edge(name: str, limit: Any, whole: Any, chances: Any) -> Edge | None:
    """What a box asks of a factor; None where it asks nothing."""
    low, high = limit.iloc[0], limit.iloc[1]
    if isinstance(low, (set, frozenset)):
        if low == whole.iloc[0]:
            return None
        chance = float(chances[0]) if chances else None
        return Edge(name, members=tuple(sorted(low)), low_chance=chance)
    cut = (low > whole.iloc[0], high < whole.iloc[1])
    if not any(cut):
        return None
    given = [
        float(value) if cut[side] and value >= 0.0 else None
        for side, value in enumerate(chances or (-1.0, -1.0))
    ]
    return Edge(
        name,
        float(low) if cut[0] else None,
        float(high) if cut[1] else None,
        low_chance=given[0],
        high_chance=given[1],
    )
