"""One named random stream per process, so that adding a process leaves the others' draws alone."""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit

# The 64-bit mixing constants of splitmix64 (Steele, Lea and Flood 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_UNIT = 2.0**-53


class Streams:
    """The random streams of one run, each named after the process that draws from it."""

    def __init__(self, seed: int) -> None:
        self.seed = int(seed)
        self._generators: dict[str, np.random.Generator] = {}

    def key(self, name: str) -> np.uint64:
        """Key of the named stream for counter-based draws inside kernels."""
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return np.uint64(int.from_bytes(digest, "little"))

    def generator(self, name: str) -> np.random.Generator:
        """The named stream as a NumPy generator; the same object at every call."""
        if name not in self._generators:
            self._generators[name] = np.random.default_rng([self.seed, int(self.key(name))])
        return self._generators[name]


@njit(cache=True, inline="always")
def _mix(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> np.uint64(30))) * _MIX_A
    word = (word ^ (word >> np.uint64(27))) * _MIX_B
    return word ^ (word >> np.uint64(31))


@njit(cache=True)
def uniform(key: np.uint64, day: int, row: int, draw: int) -> float:
    """Uniform draw in [0, 1), a function of its four arguments only.

    Whichever thread asks for it, and in whichever order, it is the same number.
    """
    word = _mix(key + _GOLDEN * np.uint64(day + 1))
    word = _mix(word + _GOLDEN * np.uint64(row + 1))
    word = _mix(word + _GOLDEN * np.uint64(draw + 1))
    return float(word >> np.uint64(11)) * _UNIT


@njit(cache=True)
def uniforms_of(key: np.uint64, day: int, names: np.ndarray, draw: int) -> np.ndarray:
    """One uniform draw in [0, 1) for each name, a whole number; equal names draw alike."""
    drawn = np.empty(names.size)
    for place in range(names.size):
        drawn[place] = uniform(key, day, names[place], draw)
    return drawn


@njit(cache=True)
def uniforms(key: np.uint64, day: int, rows: int) -> np.ndarray:
    """One uniform draw in [0, 1) for each of `rows` rows on one day."""
    drawn = np.empty(rows)
    for row in range(rows):
        drawn[row] = uniform(key, day, row, 0)
    return drawn
