"""Which first-day features of firms go with their survival: shares of explained deviance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from study.claim import FloatArray
from study.experiments import PUBLIC, Course

STATE = 3
FEATURES = (
    "power_usd_mwh", "efficiency_j_th", "machines_mw", "debt_usd_mw", "rule_of_law",
    "capital_depth",
)  # fmt: skip
LOGGED = ("power_usd_mwh", "efficiency_j_th", "machines_mw")


class Deviance:
    """What a logistic regression of survival explains.

    Attributes
    ----------
    firms, lost : how many there were, and which share did not survive
    explained : share of the deviance that all features explain
    alone : by feature, what it explains alone over what all explain
    dropped : by feature, what the others fail to explain without it, over the same
    """

    def __init__(self, features: dict[str, FloatArray], survived: FloatArray) -> None:
        self.firms, self.lost = survived.size, 1.0 - float(survived.mean())
        null = logistic_deviance(np.empty((survived.size, 0)), survived)
        whole = logistic_deviance(_columns(features, tuple(features)), survived)
        self.explained = (null - whole) / null
        gained = null - whole
        self.alone = {
            name: (null - logistic_deviance(_columns(features, (name,)), survived)) / gained
            for name in features
        }
        self.dropped = {
            name: (
                logistic_deviance(_columns(features, tuple(set(features) - {name})), survived)
                - whole
            )
            / gained
            for name in features
        }

    def leads(self, name: str) -> bool:
        """Whether a feature explains more than half alone and is missed most if dropped."""
        return self.alone[name] > 0.5 and largest_parts(self.dropped)[0][0] == name

    def trails(self, name: str) -> bool:
        """Whether another feature explains more alone, and another is missed more if dropped."""
        return all(largest_parts(parts)[0][0] != name for parts in (self.alone, self.dropped))


def largest_parts(parts: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda row: -row[1])


def survival(courses: Sequence[Course], month: int) -> Deviance:
    """Survival to a month of the firms of the first day; states, which never give up, left out."""
    parts: dict[str, list[FloatArray]] = {name: [] for name in (*FEATURES, "listed")}
    survived = []
    for course in courses:
        chosen = (course.firms["form"] != STATE) & (course.work[0] > 0.0)
        survived.append((course.alive[month] & chosen)[chosen].astype(np.float64))
        for name in FEATURES:
            values = course.firms[name][chosen]
            parts[name].append(np.log(np.maximum(values, 1e-3)) if name in LOGGED else values)
        parts["listed"].append((course.firms["form"][chosen] == PUBLIC).astype(np.float64))
    return Deviance(
        {name: np.concatenate(each) for name, each in parts.items()}, np.concatenate(survived)
    )


def _columns(features: dict[str, FloatArray], names: tuple[str, ...]) -> FloatArray:
    """Features and their squares, standardised; a constant one becomes zeros."""
    wanted = [features[name] for name in sorted(names)]
    columns = [(v - v.mean()) / max(float(v.std()), 1e-9) for v in wanted]
    return np.column_stack([*columns, *(v**2 for v in columns)]) if columns else np.empty((0, 0))


def logistic_deviance(columns: FloatArray, outcome: FloatArray, ridge: float = 1e-3) -> float:
    """Least deviance of a logistic regression with a constant, twice its negative log-likelihood.

    The ridge keeps coefficients finite where a feature separates the outcomes.
    """
    design = np.column_stack([np.ones(outcome.size), *columns.reshape(outcome.size, -1).T])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        score = design @ weights
        deviance = np.logaddexp(0.0, score).sum() - outcome @ score
        slope = design.T @ (expit(score) - outcome)
        return float(deviance + 0.5 * ridge * weights @ weights), slope + ridge * weights

    best = minimize(loss, np.zeros(design.shape[1]), jac=True, method="BFGS").x
    score = design @ best
    return float(2.0 * (np.logaddexp(0.0, score).sum() - outcome @ score))
