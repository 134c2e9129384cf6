"""Pools that somebody operates: paid by the share, or by work before each block."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from model.rewards.scheme import Income, RewardScheme, Settlement, Terms
from model.rewards.variance import last_shares_relative_variance, paid_shares_relative_variance
from model.sharing import shared, total_work

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# An operator draws nothing until its reserve is so many times what it began with.
SAVED_UP = 2.0
# Work is remembered in steps of about this part of the window, or longer ones.
FINEST_STEP = 0.01


def reserve_for_ruin(block_reward: float, cut: float, chance: float) -> float:
    """Reserve with which an operator who pays every share is ever ruined with a given chance.

    Parameters
    ----------
    block_reward : B, in any unit; the reserve is in the same.
    cut : phi, the operator cut that is saved; without one no reserve is enough.
    chance : delta, above 0 and at most 1.

    Notes
    -----
    ``B ln(1/delta) / (2 phi)``, to first order in the cut: the luck of the pool is taken for a
    diffusion.  The pool's size does not matter; a larger pool only gets there sooner.

    References
    ----------
    Rosenfeld 2011, "Analysis of Bitcoin Pooled Mining Reward Systems".
    """
    if not 0.0 < chance <= 1.0:
        raise ValueError(f"a chance lies above 0 and at most at 1, not at {chance}")
    if cut == 0.0:
        return math.inf
    return block_reward * math.log(1.0 / chance) / (2.0 * cut)


def ruin_chance(reserve: float, block_reward: float, cut: float) -> float:
    """Chance that an operator who pays every share is ever ruined, if it saves its cut.

    Parameters
    ----------
    reserve, block_reward : in the same unit.
    cut : operator cut, below 1.

    Notes
    -----
    Shares drain the reserve steadily, ``1 - phi`` rewards a block on average, and blocks come as
    a Poisson process.  The chance is ``exp(-theta R / B)`` with the positive root of
    ``1 - exp(-theta) = (1 - phi) theta``; to first order theta is ``2 phi``, which gives
    `reserve_for_ruin`.

    References
    ----------
    The dual of the classical model of an insurer's ruin (Cramér and Lundberg).
    """
    if cut <= 0.0:
        return 1.0

    def excess(theta: float) -> float:
        return -math.expm1(-theta) / theta - (1.0 - cut)

    theta: float = brentq(excess, cut, 1.0 / (1.0 - cut) + 1.0, xtol=1e-14)
    return math.exp(-theta * reserve / block_reward)


def with_rows(values: Floats, rows: int) -> Floats:
    """Work of members, with zeros for those added since."""
    if values.size > rows:
        raise ValueError(f"{values.size} members cannot become {rows}: rows are only added")
    return np.pad(values, (0, rows - values.size))


def _by_work(work: Floats, finders: Integers, amount_sat: int) -> Integers:
    """Split by work; by blocks found where nobody's work is known."""
    if work.any():
        return shared(work, amount_sat)
    return shared(np.bincount(finders, minlength=work.size).astype(np.float64), amount_sat)


class PayPerShare(RewardScheme):
    """Work paid at once at the fair subsidy less the cut, whatever the pool's luck; PPS.

    Notes
    -----
    All that blocks bring goes to the operator's reserve, transaction fees too, and all that is
    owed for work comes out of it.  The operator saves its cut there until the reserve is
    `SAVED_UP` times what it began with; what then lies above is the cut that it draws, so that
    over time it draws the posted cut of all work, the transaction fees and its luck.  (If it
    drew the posted cut at once, its reserve would have no drift and ruin would be certain.)

    When the reserve cannot pay what is owed, all of it goes to members by work, and the operator
    is ruined.  From then on its pool is a proportional one: what comes in, less the posted cut,
    goes to work since the last block that paid.
    """

    operated = True
    holds_reserve = True

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._most_reserve_sat = math.floor(SAVED_UP * terms.reserve_sat)
        self._ruined = False
        # Work that is not paid yet, once the operator is ruined.
        self._waiting: Floats = np.zeros(0)

    @property
    def ruined(self) -> bool:
        """Whether shares are no longer paid whatever happens."""
        return self._ruined

    def promised_sat(self, fair_subsidy_sat: float, fair_fees_sat: float) -> float:
        """What a block's worth of work is paid before the cut, of blocks that pay so much."""
        return fair_subsidy_sat

    def settle(self, income: Income) -> Settlement:
        """Pay for the work of the period, out of the reserve if blocks do not suffice."""
        if self._ruined:
            return self._settle_ruined(income)
        promised_sat = self.promised_sat(income.fair_subsidy_sat, income.fair_fees_sat)
        owed_sat = math.floor((1.0 - self.terms.cut) * promised_sat * total_work(income.work))
        available_sat = self.reserve_sat + income.total_sat
        self._ruined = owed_sat > available_sat
        payouts = shared(income.work, min(owed_sat, available_sat))
        left_sat = available_sat - int(payouts.sum())
        kept_sat = min(left_sat, self._most_reserve_sat)
        change_sat = kept_sat - self.reserve_sat
        self.reserve_sat = kept_sat
        return Settlement(payouts, left_sat - kept_sat, change_sat)

    def _settle_ruined(self, income: Income) -> Settlement:
        """Pay what blocks bring, and no more."""
        waiting = with_rows(self._waiting, income.work.size) + income.work
        cut_sat = math.floor(self.terms.cut * income.total_sat)
        payouts = _by_work(waiting, income.finders, income.total_sat - cut_sat)
        self._waiting = waiting if income.finders.size == 0 else np.zeros(0)
        return Settlement(payouts, cut_sat)

    def relative_variance(self, share: float, pool_share: float, blocks: float) -> float:
        """The noise of shares alone; with a ruined operator also the luck of the pool."""
        difficulty = self.terms.share_difficulty
        if self._ruined:
            return last_shares_relative_variance(share, pool_share, blocks, difficulty)
        return paid_shares_relative_variance(share, blocks, difficulty)

    def expected_part(self, fair_subsidy_sat: float, fair_fees_sat: float) -> float:
        """What is promised, less the cut; of a ruined operator whatever comes in, less the cut."""
        fair_sat = fair_subsidy_sat + fair_fees_sat
        promised_sat = self.promised_sat(fair_subsidy_sat, fair_fees_sat)
        part = 1.0 if self._ruined or fair_sat == 0.0 else promised_sat / fair_sat
        return (1.0 - self.terms.cut) * part


class FullPayPerShare(PayPerShare):
    """As PPS, with the mean transaction fees of recent blocks paid too; FPPS."""

    def promised_sat(self, fair_subsidy_sat: float, fair_fees_sat: float) -> float:
        """What a block's worth of work is paid before the cut, of blocks that pay so much."""
        return fair_subsidy_sat + fair_fees_sat


class PayPerLastShares(RewardScheme):
    """Each block, less the cut, split by the last `terms.window_blocks` of work; PPLNS.

    Notes
    -----
    The window is counted in work, so that it neither pays twice nor forgets when blocks come
    quickly or slowly; as long as there has been less, all work so far is paid.  Members are taken
    to work evenly through a period, and its blocks to come at the ends of equal parts of it: one
    period of many blocks pays what as many periods of one block and equal work do.  Work of
    periods much shorter than the window is remembered in steps of `FINEST_STEP` of it.

    References
    ----------
    Rosenfeld 2011, "Analysis of Bitcoin Pooled Mining Reward Systems".
    """

    operated = True

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        if not terms.window_blocks > 0.0:
            raise ValueError(f"PPLNS needs a window, not one of {terms.window_blocks} blocks")
        # Work of each member, step by step, the last step last; together at least the window.
        self._steps: list[Floats] = []

    def settle(self, income: Income) -> Settlement:
        """Pay each block of the period by the work before it."""
        self._steps = [with_rows(step, income.work.size) for step in self._steps]
        total_work(income.work)
        cut_sat = math.floor(self.terms.cut * income.total_sat)
        due = self._due(income)
        self._remember(income.work)
        return Settlement(_by_work(due, income.finders, income.total_sat - cut_sat), cut_sat)

    def _due(self, income: Income) -> Floats:
        """What members get of all blocks before the cut, shape (n,), satoshi but for rounding."""
        blocks = income.finders.size
        if blocks == 0 or not (income.work.any() or self._steps):
            return np.zeros(income.work.size)
        steps = np.array([*self._steps, income.work])
        done = np.arange(1, blocks + 1) / blocks
        seen = self._in_window(steps.sum(axis=1), done)
        counted = seen @ steps
        return (income.rewards_sat / counted.sum(axis=1)) @ counted

    def _in_window(self, work: Floats, done: Floats) -> Floats:
        """Part of each step that lies in the window of each block, shape (b, steps).

        Parameters
        ----------
        work : shape (steps,), of all members in each step, the present period last.
        done : shape (b,), part of the present period that is over when each block is found.
        """
        past = np.tile(work, (done.size, 1))
        past[:, -1] *= done
        later = np.cumsum(past[:, ::-1], axis=1)[:, ::-1] - past
        taken = np.clip(self.terms.window_blocks - later, 0.0, past)
        return np.divide(taken, work, out=np.zeros_like(taken), where=work > 0.0)

    def _remember(self, work: Floats) -> None:
        """Add a period's work, and drop what no window reaches any more."""
        total = work.sum()
        if total == 0.0:
            return
        finest = FINEST_STEP * self.terms.window_blocks
        if self._steps and self._steps[-1].sum() + total <= finest:
            self._steps[-1] = self._steps[-1] + work
        else:
            self._steps.append(work.copy())
        later = np.cumsum([step.sum() for step in reversed(self._steps)])
        kept = 1 + int(np.searchsorted(later, self.terms.window_blocks))
        self._steps = self._steps[-kept:]

    def relative_variance(self, share: float, pool_share: float, blocks: float) -> float:
        """The luck of the pool and the noise of shares."""
        difficulty = self.terms.share_difficulty
        return last_shares_relative_variance(share, pool_share, blocks, difficulty)
