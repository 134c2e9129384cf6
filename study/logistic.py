"""A logistic surface through outcomes that are won or lost, and the line where chances are even."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

FloatArray = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]
Points = Mapping[str, FloatArray]

LEAST_STEP = 1e-10
LEAST_USABLE = 0.5  # of the resamples of a band
MOST_STEPS = 200
LONGEST_STEP = 5.0  # in standardised coefficients, so that separated outcomes are approached slowly


class Scale(NamedTuple):
    """How a factor enters the surface, and the way back."""

    forward: Callable[[FloatArray], FloatArray]
    back: Callable[[FloatArray], FloatArray]


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "linear": Scale(lambda value: value, lambda value: value),
        "log": Scale(np.log, np.exp),
        # A logarithm that takes zero.
        "log of one more": Scale(np.log1p, np.expm1),
    }
)


class Crossing(NamedTuple):
    """Where chances are even along one factor, in its own unit, and the band around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Surface:
    """log odds = coefficients . (1, factors on their scales).

    Attributes
    ----------
    scales : of each factor, by name, in the order of the coefficients after the constant
    coefficients, covariance : [1 + factors], [1 + factors, 1 + factors]
    runs, right : outcomes it was fitted to, and the share on the side that it puts them
    """

    scales: Mapping[str, str]
    coefficients: FloatArray
    covariance: FloatArray
    runs: int
    right: float

    def odds(self, points: Points) -> FloatArray:
        """Log odds at points, given in units of the factors."""
        return np.asarray(_matrix(points, self.scales) @ self.coefficients)

    def chance(self, points: Points) -> FloatArray:
        """Chance to win at points, given in units of the factors."""
        return np.asarray(expit(self.odds(points)))

    def crossing(
        self, factor: str, at: Mapping[str, float], band: float = 0.90, chance: float = 0.5
    ) -> Crossing:
        """Value of a factor at which the chance is met, the others given; delta method.

        The band is that of the value on the factor's scale, -g / b with g the log odds without
        the factor and b its coefficient, brought back to its unit.
        """
        names = list(self.scales)
        place = 1 + names.index(factor)
        row = _matrix({name: np.array([at.get(name, 1.0)]) for name in names}, self.scales)[0]
        row[place] = 0.0
        slope = self.coefficients[place]
        value = (float(logit(chance)) - float(row @ self.coefficients)) / slope
        gradient = -row / slope
        gradient[place] = -value / slope
        half = norm.ppf(0.5 + band / 2.0) * np.sqrt(gradient @ self.covariance @ gradient)
        back = SCALES[self.scales[factor]].back
        with np.errstate(over="ignore"):  # a flat surface puts its line out of all reach
            ends = back(np.array([value, value - half, value + half]))
        return Crossing(*ends.tolist())


def _matrix(points: Points, scales: Mapping[str, str]) -> FloatArray:
    """A column of ones and the factors on their scales."""
    columns = [SCALES[scale].forward(np.asarray(points[name], float))
               for name, scale in scales.items()]  # fmt: skip
    ones = np.ones(np.shape(columns[0]) if columns else np.size(next(iter(points.values()))))
    return np.column_stack([ones, *columns])


def fit(points: Points, won: Bools, scales: Mapping[str, str]) -> Surface:
    """The logistic surface through outcomes, with Firth's penalty.

    Parameters
    ----------
    points : by factor, [run], in its unit
    won : [run]
    scales : how each factor enters: "linear", "log" or "log of one more"

    Notes
    -----
    Maximises log likelihood + log det(information) / 2 by Newton steps (Firth 1993). The penalty
    takes off the bias of few runs and keeps coefficients finite where a plane separates all
    outcomes that were won from all that were lost (Heinze and Schemper 2002), as it does where
    chance hardly matters. It does not depend on the units of the factors.
    """
    outcome = np.asarray(won, dtype=np.float64)
    raw = _matrix(points, scales)
    if outcome.size != raw.shape[0] or outcome.size <= raw.shape[1]:
        raise ValueError(f"{outcome.size} outcomes at {raw.shape[0]} points are too few")
    centre, spread = raw.mean(axis=0), raw.std(axis=0)
    centre[0], spread[0] = 0.0, 1.0
    if (spread == 0.0).any():
        same = [name for name, width in zip(scales, spread[1:], strict=True) if width == 0.0]
        raise ValueError(f"{', '.join(same)} is the same at all points")
    if np.linalg.matrix_rank(raw) < raw.shape[1]:
        raise ValueError("the points do not tell the factors apart")
    coefficients, covariance = _newton((raw - centre) / spread, outcome)
    # Back from standardised columns: divide by their spread, move the constant.
    back = np.diag(1.0 / spread)
    back[0, 1:] = -centre[1:] / spread[1:]
    found, covariance = back @ coefficients, back @ covariance @ back.T
    right = float((((raw @ found) > 0.0) == (outcome > 0.5)).mean())
    return Surface(dict(scales), found, covariance, outcome.size, right)


def _newton(rows: FloatArray, outcome: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients of the greatest penalised likelihood, and their covariance."""
    coefficients = np.zeros(rows.shape[1])
    for _ in range(MOST_STEPS):
        chance = expit(rows @ coefficients)
        weight = np.maximum(chance * (1.0 - chance), 1e-12)
        covariance = np.linalg.inv(rows.T @ (rows * weight[:, None]))
        leverage = weight * np.einsum("ij,jk,ik->i", rows, covariance, rows)
        score = rows.T @ (outcome - chance + leverage * (0.5 - chance))
        step = covariance @ score
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        step = _shortened(rows, outcome, coefficients, step)
        coefficients = coefficients + step
        if float(np.abs(step).max()) < LEAST_STEP:
            break
    return coefficients, covariance


def _shortened(
    rows: FloatArray, outcome: FloatArray, coefficients: FloatArray, step: FloatArray
) -> FloatArray:
    """The step, halved until it raises the penalised likelihood."""
    before = _likelihood(rows, outcome, coefficients)
    for _ in range(40):
        if _likelihood(rows, outcome, coefficients + step) >= before - 1e-12 * abs(before):
            return step
        step = 0.5 * step
    return np.zeros_like(step)


def _likelihood(rows: FloatArray, outcome: FloatArray, coefficients: FloatArray) -> float:
    """Log likelihood with Firth's penalty."""
    odds = rows @ coefficients
    chance = expit(odds)
    weight = np.maximum(chance * (1.0 - chance), 1e-12)
    penalty = 0.5 * np.linalg.slogdet(rows.T @ (rows * weight[:, None]))[1]
    return float((outcome * odds - np.logaddexp(0.0, odds)).sum() + penalty)


def resampled_crossings(
    points: Points,
    won: Bools,
    scales: Mapping[str, str],
    clusters: Integers,
    factor: str,
    at: Sequence[Mapping[str, float]],
    *,
    band: float = 0.90,
    resamples: int = 200,
    seed: int = 1,
) -> list[Crossing]:
    """The line of even chances at several settings, with bands from resampled clusters of runs.

    Parameters
    ----------
    clusters : [run], what is drawn as a whole, with replacement: the replicates of a point, or
        all points of a seed
    at : settings of the other factors, one for each crossing wanted
    """
    whole = fit(points, won, scales)
    centre = [whole.crossing(factor, place).value for place in at]
    generator = np.random.default_rng(seed)
    labels = np.unique(clusters)
    members = [np.flatnonzero(clusters == label) for label in labels]
    drawn = []
    for _ in range(resamples):
        chosen = generator.integers(labels.size, size=labels.size)
        rows = np.concatenate([members[i] for i in chosen])
        part = {name: np.asarray(values)[rows] for name, values in points.items()}
        try:
            surface = fit(part, np.asarray(won)[rows], scales)
        except ValueError:
            continue  # few clusters may leave a factor without two values
        drawn.append([surface.crossing(factor, place).value for place in at])
    if len(drawn) < LEAST_USABLE * resamples:
        raise ValueError(f"{labels.size} points are too few for a band")
    ends = np.quantile(np.array(drawn), [(1 - band) / 2, (1 + band) / 2], axis=0)
    return [Crossing(*row) for row in zip(centre, ends[0].tolist(), ends[1].tolist(), strict=True)]
