"""What a community agrees on without law: a norm that founders may break, and votes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


# A norm that nothing enforces


def honouring_gain(boost: float, airdrop: float) -> float:
    """What a founder gains by giving a part away, over what the chain is worth by itself.

    ``(1 + b)(1 - a) - 1``: to be supported is worth b, and costs the part a of the whole.
    """
    return (1.0 + boost) * (1.0 - airdrop) - 1.0


def boost_needed(airdrop: float) -> float:
    """Least boost at which honouring pays: a quarter for a part of a fifth."""
    return airdrop / (1.0 - airdrop)


def community_share(boost: float) -> float:
    """Part of a supported chain's value that is its community's: what its founder would lose."""
    return boost / (1.0 + boost)


def support(boost: float, reputation: float, feedback: float) -> float:
    """What the community adds while it believes that founders honour with some chance.

    Parameters
    ----------
    boost : what it adds if all do.
    reputation : the chance that it believes in.
    feedback : 0, support does not depend on it, to 1, it is in proportion to it.
    """
    return boost * (1.0 - feedback + feedback * reputation)


def chance_honoured(gain: float, noise: float) -> float:
    """Chance that a founder honours: to most it is worth its gain, to each a little more or less.

    Without noise a founder honours if it gains or loses nothing.
    """
    if noise == 0.0:
        return 1.0 if gain >= 0.0 else 0.0
    return float(ndtr(gain / noise))


class Launch(NamedTuple):
    """A new chain: its value and whether its founder honoured the norm."""

    value_usd: float
    honoured: bool


@dataclass
class Norm:
    """That new chains give a part to PTS holders and a part to AGS holders.

    Attributes
    ----------
    boost, airdrop, feedback, noise : see `support`, `honouring_gain` and `chance_honoured`.
    gain : weight of the latest launch in the reputation.
    reputation : chance that a founder honours, as the community believes.
    """

    boost: float
    airdrop: float
    feedback: float
    noise: float
    gain: float
    reputation: float
    launches: int = 0
    honoured: int = 0

    @property
    def support(self) -> float:
        """What the community adds to a chain that honours the norm now."""
        return support(self.boost, self.reputation, self.feedback)

    @property
    def holds(self) -> bool:
        """Whether it is believed of most founders that they honour it."""
        return self.reputation >= 0.5

    def launch(self, alone_usd: float, taste: float) -> Launch:
        """A chain is launched, and everybody sees whether its founder honours the norm.

        Parameters
        ----------
        alone_usd : its value without support.
        taste : standard normal; how much more than others this founder likes to honour.
        """
        boost = self.support
        honours = honouring_gain(boost, self.airdrop) + self.noise * taste >= 0.0
        self.launches += 1
        self.honoured += honours
        self.reputation += self.gain * (honours - self.reputation)
        return Launch(alone_usd * (1.0 + boost) if honours else alone_usd, honours)


# Votes


def weighted_median(points: ArrayLike, weights: ArrayLike) -> float:
    """The lowest point that half of the weight does not lie above; NaN without any weight."""
    places, held = np.asarray(points, np.float64), np.asarray(weights, np.float64)
    if held.sum() <= 0.0:
        return math.nan
    order = np.argsort(places, kind="stable")
    reached = np.cumsum(held[order])
    row = int(np.searchsorted(reached, 0.5 * reached[-1]))
    return float(places[order][row])


def ideal_points(mined_usd: ArrayLike, earned_usd: ArrayLike) -> Floats:
    """What each wants to be paid to miners, from 0, holders only, to 1, miners only.

    Parameters
    ----------
    mined_usd : shape (n,), worth of what each mines in a day.
    earned_usd : shape (n,), what each may expect of airdrops to its stake in a day.

    Returns
    -------
    The part of each one's income that comes from mining; 0 for who has none.
    """
    mined, earned = np.asarray(mined_usd, np.float64), np.asarray(earned_usd, np.float64)
    income = mined + earned
    return np.divide(mined, income, out=np.zeros_like(income), where=income > 0.0)


def blended_votes(work: Floats, stake: Floats, miner_vote: float) -> Floats:
    """Votes by work and votes by stake, each as shares of its kind, in a weighted mean."""
    return miner_vote * work + (1.0 - miner_vote) * stake
