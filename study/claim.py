"""What a claim of the founding essay is, and what measuring it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

FloatArray = NDArray[np.float64]
Bools = NDArray[np.bool_]
Verdict = Literal["supports", "contradicts", "conditional"]


class Finding(NamedTuple):
    """What a measurement says of a claim.

    Attributes
    ----------
    verdict : supports, contradicts or conditional
    measured : the numbers, in words that a person reads
    condition : on what the verdict depends, with the value that flips it where there is one
    """

    verdict: Verdict
    measured: str
    condition: str = ""


def verdict(supports: bool, contradicts: bool) -> Verdict:
    """The verdict of two thresholds; conditional between them."""
    if supports and contradicts:
        raise ValueError("a finding cannot both support and contradict a claim")
    return "supports" if supports else "contradicts" if contradicts else "conditional"


# Results of experiments by name, one entry a seed.
Results = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Claim:
    """One claim: what is said, by what the model has it, how it is tested and measured.

    Attributes
    ----------
    id : of the register, such as C11
    phrase : the claim in few words
    mechanism : where the model has what it is about
    test : a test that covers it, FILE::NAME
    measure : from the results of its experiments to a finding
    runs : experiments it needs; without any it is a closed form and takes less than a second
    """

    id: str
    phrase: str
    mechanism: str
    test: str
    measure: Callable[[Results], Finding]
    runs: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that measures it."""
        return f"python -m study.claims {self.id}"


class Interval(NamedTuple):
    """Mean of a sample, its 95 % interval (Student), and how many of it lie above zero."""

    mean: float
    low: float
    high: float
    above_zero: int
    size: int

    def words(self, form: str = "+.3f") -> str:
        """Mean, interval and sign count in words."""
        low, high = format(self.low, form), format(self.high, form)
        return f"{self.mean:{form}} [{low}, {high}], above 0 in {self.above_zero}/{self.size}"


def interval(values: Sequence[float]) -> Interval:
    """The 95 % interval of the mean of two or more independent values."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < 2:
        raise ValueError("an interval takes two values at least")
    error = float(sample.std(ddof=1)) / sample.size**0.5
    half = float(student.ppf(0.975, sample.size - 1)) * error
    mean = float(sample.mean())
    return Interval(mean, mean - half, mean + half, int((sample > 0).sum()), sample.size)
