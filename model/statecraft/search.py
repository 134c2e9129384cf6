"""The highest point of a function of one variable, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar

GRID_POINTS: Final = 400


def highest_point(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a function is highest on an interval: every hill of a global grid, refined.

    A hill narrower than a step of the grid may be missed; of equal heights the lowest argument
    is taken.
    """
    if not low <= high:
        raise ValueError(f"an interval cannot begin at {low} and end at {high}")
    grid = np.linspace(low, high, GRID_POINTS)
    heights = np.array([value(float(point)) for point in grid])
    fenced = np.concatenate(([-np.inf], heights, [-np.inf]))
    fenced_grid = np.concatenate((grid[:1], grid, grid[-1:]))
    # The left end of a plateau counts, its inside does not.
    hills = np.flatnonzero((heights > fenced[:-2]) & (heights >= fenced[2:]))
    ends = [(float(fenced_grid[hill]), float(fenced_grid[hill + 2])) for hill in hills]
    candidates = np.sort(np.concatenate((grid[hills], [_top(value, *pair) for pair in ends])))
    return float(candidates[np.argmax([value(float(point)) for point in candidates])])


def _top(value: Callable[[float], float], low: float, high: float) -> float:
    found = minimize_scalar(
        lambda point: -value(point), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x)
