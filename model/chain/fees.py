"""Transaction fees per block: observed months first, a mean-reverting log after them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model.units import BLOCK_TARGET_S

Floats = NDArray[np.float64]


def fill_gaps(values: Floats) -> Floats:
    """The series with its gaps (NaN) interpolated in logs, and its ends held."""
    known = np.flatnonzero(np.isfinite(values))
    if known.size == 0 or not (values[known] > 0.0).all():
        raise ValueError("a series to fill needs positive values, at least one")
    return np.exp(np.interp(np.arange(values.size), known, np.log(values[known])))


def fees_per_block_btc(fees_btc_day: Floats, blocks_day: Floats) -> Floats:
    """Transaction fees per block by month, gaps filled; `blocks_day` may be 144 throughout."""
    return fill_gaps(np.asarray(fees_btc_day, np.float64) / np.asarray(blocks_day, np.float64))


def congestion_factor(mean_interval_s: float, exponent: float) -> float:
    """How much slow blocks raise the transaction fees of each block."""
    return float((mean_interval_s / BLOCK_TARGET_S) ** exponent)


class TransactionFees:
    """Daily transaction fees per block, BTC.

    After the observed months the log follows a first-order autoregression,
    ``log F = (1 - persistence) log median + persistence log F' + volatility * normal``,
    and the fees are F times the congestion factor.  Observed months hold their own congestion.

    Parameters
    ----------
    generator : the stream of this process; it gives one draw a day in every mode.
    observed_btc_block : one value a month, gaps filled; empty for no history.
    """

    def __init__(
        self,
        generator: np.random.Generator,
        *,
        median_btc_block: float = 0.03,
        persistence_day: float = 0.97,
        volatility_day: float = 0.15,
        congestion: float = 1.0,
        observed_btc_block: Floats | None = None,
    ) -> None:
        self._generator = generator
        self._log_median = math.log(median_btc_block)
        self._persistence = persistence_day
        self._volatility = volatility_day
        self._congestion = congestion
        self._observed = () if observed_btc_block is None else tuple(observed_btc_block.tolist())
        self._log_level = self._log_median

    def next(self, month: int, mean_interval_s: float) -> float:
        """Today's transaction fees per block, BTC.

        Parameters
        ----------
        month : index into the observed months; beyond them the autoregression carries on from
            the last observed value.
        mean_interval_s : of the last 144 blocks.
        """
        if month < 0:
            raise IndexError(f"month {month} lies before the first observed month")
        shock = self._volatility * self._generator.standard_normal()
        if month < len(self._observed):
            self._log_level = math.log(self._observed[month])
            return float(self._observed[month])
        pull = (1.0 - self._persistence) * (self._log_median - self._log_level)
        self._log_level += pull + shock
        return math.exp(self._log_level) * congestion_factor(mean_interval_s, self._congestion)
