"""Nations' alliances and sanctions: a graph from a table, read out as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from model.complaint import nearest_to

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Relations:
    """How nations stand to one another, in the order of their codes.

    Attributes
    ----------
    nations : codes.
    alliances : shape (n, n), symmetric, from -1 (adversary) over 0 to 1 (ally); 0 on the diagonal.
    sanctions : shape (n, n), intensity of the row's sanctions on the column, 0 to 1.
    """

    nations: tuple[str, ...]
    alliances: Floats
    sanctions: Floats

    def __len__(self) -> int:
        return len(self.nations)


def load_relations(rows: Iterable[Mapping[str, Any]], nations: Sequence[str]) -> Relations:
    """Relations of the nations from a table that names each pair at most once.

    Parameters
    ----------
    rows : nation_a, nation_b, alliance, sanctions_by_a (on b) and sanctions_by_b (on a).
    nations : codes of all nations; pairs without a row are indifferent to one another.

    Raises
    ------
    ValueError
        when a code is unknown, a pair is there twice or no pair, or a number is out of range
    """
    alliances, sanctions = nx.Graph(), nx.DiGraph()
    for graph in (alliances, sanctions):
        graph.add_nodes_from(nations)
    for row in rows:
        one, other = (_known(str(row[key]), nations) for key in ("nation_a", "nation_b"))
        if one == other or alliances.has_edge(one, other):
            raise ValueError(f"relations: {one} and {other} are one nation, or there twice")
        alliances.add_edge(one, other, weight=_within(row, "alliance", -1.0))
        sanctions.add_edge(one, other, weight=_within(row, "sanctions_by_a", 0.0))
        sanctions.add_edge(other, one, weight=_within(row, "sanctions_by_b", 0.0))
    return Relations(
        nations=tuple(nations),
        alliances=nx.to_numpy_array(alliances, nodelist=list(nations)),
        sanctions=nx.to_numpy_array(sanctions, nodelist=list(nations)),
    )


def _known(code: str, nations: Sequence[str]) -> str:
    if code in nations:
        return code
    near = nearest_to(code, nations)
    hint = f' (did you mean "{near}"?)' if near else ""
    raise ValueError(f'relations: found "{code}"; not among the nations{hint}')


def _within(row: Mapping[str, Any], key: str, least: float) -> float:
    """A number of the row, from `least` to 1."""
    value = float(row[key])
    if not least <= value <= 1.0:
        pair = f"{row['nation_a']}-{row['nation_b']}"
        raise ValueError(f"relations: {key} of {pair} is {value}; it lies from {least:g} to 1")
    return value
