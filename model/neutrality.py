"""What the price loses when one party comes near control of the chain."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Measure = Literal["max_share", "root_hhi", "adversaries"]
MEASURES: tuple[str, ...] = get_args(Measure)


class Discount(NamedTuple):
    """How the price falls with concentration; all three are assumptions to be swept.

    Attributes
    ----------
    depth : share of the price that complete control destroys, 0 to 1.
    steepness : of the logistic fall, per unit of share.
    midpoint : concentration at which half of the depth is lost.
    """

    depth: float = 0.6
    steepness: float = 20.0
    midpoint: float = 0.5


@njit(cache=True, error_model="numpy")
def neutrality(concentration: float, discount: Discount) -> float:
    """Price over the price of a neutral coin, 1 - depth * L(steepness * (m - midpoint)).

    Parameters
    ----------
    concentration : m, the attack-relevant share of one party, scalar or array.
    discount : with a depth of 0 the result is exactly 1.
    """
    fallen = 1.0 / (1.0 + np.exp(-discount.steepness * (concentration - discount.midpoint)))
    return 1.0 - discount.depth * fallen


@njit(cache=True, error_model="numpy")
def smoothed(
    before: float, latest: float, days: float = 1.0, half_life_days: float = 90.0
) -> float:
    """Exponential moving average after `days` at the latest value, exact in any step."""
    return latest + (before - latest) * 2.0 ** (-days / half_life_days)


def bloc_weights(measure: Measure, alliances: ArrayLike) -> Floats:
    """Whose shares count together: row times shares is the share of one bloc.

    Parameters
    ----------
    measure : "adversaries" puts together the adversaries of each nation, weighted by how adverse
        they are; the other measures take each nation by itself.
    alliances : shape (n, n), from -1 (adversary) to 1 (ally).

    Returns
    -------
    Shape (n, n), not negative.

    Raises
    ------
    ValueError
        when the measure is unknown
    """
    if measure not in MEASURES:
        raise ValueError(f"concentration is measured by one of {', '.join(MEASURES)}")
    ties = np.asarray(alliances, dtype=np.float64)
    return np.maximum(-ties, 0.0) if measure == "adversaries" else np.eye(len(ties))


def concentration(shares: ArrayLike, measure: Measure, alliances: ArrayLike) -> float:
    """Concentration of shares by nation: the largest, the root of the HHI, or an adverse bloc's.

    Parameters
    ----------
    shares : shape (n,), of the whole hashrate; what belongs to no nation may be left out.
    measure : "max_share", "root_hhi" or "adversaries", the largest share that the adversaries of
        any one nation hold.
    alliances : shape (n, n), from -1 to 1; only "adversaries" reads more than its size.
    """
    held = np.asarray(shares, dtype=np.float64)
    if not (np.isfinite(held).all() and (held >= 0).all() and held.sum() <= 1.0 + 1e-9):
        raise ValueError("shares must not be negative, nor sum to more than 1")
    blocs = bloc_weights(measure, alliances) @ held
    return float(np.sqrt((blocs**2).sum()) if measure == "root_hhi" else blocs.max(initial=0.0))


def attack_concentration(
    nation_shares: ArrayLike,
    template_shares: ArrayLike,
    alliances: ArrayLike,
    measure: Measure = "max_share",
    nation_weight: float = 1.0,
    template_weight: float = 0.8,
) -> float:
    """Concentration that the market watches, over machines and over the makers of templates.

    Parameters
    ----------
    nation_shares : shape (n,), share of the hashrate that each nation's law reaches.
    template_shares : shape (n,), share whose templates are made under each nation's law.
    nation_weight, template_weight : how much each of the two alarms the market.
    """
    machines = nation_weight * concentration(nation_shares, measure, alliances)
    templates = template_weight * concentration(template_shares, measure, alliances)
    return max(machines, templates)
