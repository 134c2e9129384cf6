"""How concentrated a network is: pure functions of sizes or shares.

Sizes need not sum to one, must not be negative, and NaN counts as nothing.  An empty network
(no members, or none with anything) has index 0, effective number 0, Nakamoto number 0, Gini 0
and entropy 0, and no shares.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Rounding of a sum of equal shares must not decide whether a coalition passes its threshold.
_ROUNDING = 1e-12
# Standard normal quantile of a two-sided 95 % interval.
_NORMAL_95 = 1.959963984540054


def normalised(sizes: Floats) -> Floats:
    """Sizes as shares of their total; zeros if the total is zero."""
    sizes = np.asarray(sizes, np.float64)
    total = sizes.sum()
    if np.isnan(total):
        sizes = np.where(np.isnan(sizes), 0.0, sizes)
        total = sizes.sum()
    return sizes / total if total > 0.0 else np.zeros_like(sizes)


def hhi(sizes: Floats) -> float:
    """Herfindahl-Hirschman index: the sum of squared shares, from 1/n to 1."""
    return float(np.square(normalised(sizes)).sum())


def effective_number(sizes: Floats) -> float:
    """Number of equal members with the same index, 1/HHI."""
    index = hhi(sizes)
    return 1.0 / index if index > 0.0 else 0.0


def nakamoto(sizes: Floats, threshold: float = 0.5) -> int:
    """Fewest members who together hold more than `threshold` of the total."""
    held = np.cumsum(np.sort(normalised(sizes))[::-1])
    if held.size == 0 or held[-1] == 0.0:
        return 0
    enough = int(np.searchsorted(held, threshold + _ROUNDING, side="right")) + 1
    return min(enough, held.size)


def entropy(sizes: Floats) -> float:
    """Shannon entropy of the shares, in nats; log n if n members are equal."""
    shares = normalised(sizes)
    held = shares[shares > 0.0]
    return float(-(held * np.log(held)).sum()) + 0.0


def lorenz(values: Floats, multiplicity: Floats | None = None) -> tuple[Floats, Floats]:
    """Lorenz curve: share of members from the smallest up, and the share of the total they hold.

    Parameters
    ----------
    values : shape (n,), what each member holds.
    multiplicity : shape (n,), how many members a row stands for; one each unless told.

    Returns
    -------
    Two arrays of shape (n + 1,), from 0 to 1; the second is the diagonal if nothing is held.
    """
    values = np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
    members = np.ones(values.size) if multiplicity is None else np.asarray(multiplicity, float)
    order = np.argsort(values, kind="stable")
    count = _cumulative_share(members[order])
    held = _cumulative_share((members * values)[order])
    return count, held if held[-1] > 0.0 else count


def _cumulative_share(sizes: Floats) -> Floats:
    cumulative = np.concatenate(([0.0], np.cumsum(sizes)))
    return cumulative / cumulative[-1] if cumulative[-1] > 0.0 else cumulative


def gini(values: Floats, multiplicity: Floats | None = None) -> float:
    """Gini coefficient of members: one minus twice the area under the Lorenz curve.

    For n members it runs from 0 to (n - 1)/n, with no small-sample correction.
    """
    count, held = lorenz(values, multiplicity)
    area = np.sum(np.diff(count) * (held[1:] + held[:-1])) / 2.0
    return max(0.0, 1.0 - 2.0 * float(area)) if count[-1] > 0.0 else 0.0


def wilson_interval(successes: int, runs: int, quantile: float = _NORMAL_95) -> tuple[float, float]:
    """Interval for a proportion (Wilson 1927), 95 % unless told; (0, 1) without runs."""
    if not 0 <= successes <= runs:
        raise ValueError(f"{successes} successes in {runs} runs")
    if runs == 0:
        return 0.0, 1.0
    rate, spread = successes / runs, quantile**2 / runs
    centre = rate + spread / 2.0
    half = quantile * math.sqrt(rate * (1.0 - rate) / runs + spread / (4.0 * runs))
    # At the ends one bound is exact, and rounding would put it just outside [0, 1].
    low = 0.0 if successes == 0 else (centre - half) / (1.0 + spread)
    high = 1.0 if successes == runs else (centre + half) / (1.0 + spread)
    return low, high


def shares_by(labels: Integers, sizes: Floats, n_labels: int) -> Floats:
    """Share of the total with each label, shape (n_labels,); rows labelled -1 are left out."""
    labels = np.asarray(labels)
    known = labels >= 0
    totals = np.bincount(labels[known], np.asarray(sizes)[known], minlength=n_labels)
    return normalised(totals.astype(np.float64))
