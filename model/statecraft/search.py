"""The highest point of a function of one variable, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]
GRID_POINTS = 400


def highest_point(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a function is highest on an interval: a global grid, refined around its best point.

    A higher point that is narrower than a step of the grid may be missed; at equal height the
    lowest argument is taken.
    """
    if not low <= high:
        raise ValueError(f"an interval cannot begin at {low} and end at {high}")
    grid = np.linspace(low, high, GRID_POINTS)
    heights = [value(point) for point in grid]
    best = int(np.argmax(heights))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, GRID_POINTS - 1)])
    found = minimize_scalar(
        lambda point: -value(point), bounds=around, method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x if -found.fun > heights[best] else grid[best])
