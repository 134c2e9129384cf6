"""What a reward scheme is given, what it gives, and what it promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class CovenantTerms:
    """What the blocks of a covenant pool commit to.

    Attributes
    ----------
    window : which earlier blocks a block pays: the last so many, those of the last so many
        seconds, or those found between two times
    blocks, seconds, range_s : the size of each kind of window
    shared : sigma, the part of a block that is paid to the window, if its finder shares
    bootstrap : how the first blocks are paid: all alike, held for future finders, or by finders
        who agreed once to wait until the window is full
    weights : the percent that a block shared, or its moving average over a finder's blocks
    ewma_kept : part of that average that each further block leaves of it
    dust_sat : a payout below this is not worth an output: the finder of the block keeps it
    payout_cost_sat : transaction fees that each distinct payee of a block pays for its output
    choice : whether members share every block, or each finder the blocks worth less to it alone
    risk_benefit : part of what a block is expected to pay that a finder who may choose gives up
        for smoother payouts
    """

    window: Literal["count", "time", "range"] = "count"
    blocks: int = 432
    seconds: float = 259_200.0
    range_s: tuple[float, float] = (0.0, 259_200.0)
    shared: float = 1.0
    bootstrap: Literal["equal", "forward", "coordinated"] = "equal"
    weights: Literal["plain", "ewma"] = "plain"
    ewma_kept: float = 0.9
    dust_sat: int = 0
    payout_cost_sat: int = 0
    choice: Literal["fixed", "per_block"] = "fixed"
    risk_benefit: float = 0.0


@dataclass(frozen=True)
class Terms:
    """What a pool has posted.

    Attributes
    ----------
    cut : the operator cut, a part of what members would get without it
    reserve_sat : what the operator has behind its promise to pay every share
    window_blocks : work, in network blocks, over which PPLNS looks back
    share_difficulty : difficulty of a share over that of a block
    covenant : read by the covenant pool alone
    """

    cut: float = 0.0
    reserve_sat: int = 0
    window_blocks: float = 5.0
    share_difficulty: float = 1e-7
    covenant: CovenantTerms = field(default_factory=CovenantTerms)


@dataclass(frozen=True)
class Income:
    """What comes in over a period: the work of members, and the blocks that they found.

    Attributes
    ----------
    work : shape (n,), of each member, in network blocks that it is worth on average
    finders : shape (b,), the member that found each block of the pool, in order
    subsidy_sat, fees_sat : shape (b,), what each of these blocks pays
    times_s : shape (b,), when each was found, seconds, in order
    fair_subsidy_sat, fair_fees_sat : what a block is expected to pay, for schemes that pay shares
    """

    work: Floats
    finders: Integers
    subsidy_sat: Integers
    fees_sat: Integers
    times_s: Floats
    fair_subsidy_sat: float
    fair_fees_sat: float

    @property
    def rewards_sat(self) -> Integers:
        """What each block pays, satoshi."""
        return self.subsidy_sat + self.fees_sat

    @property
    def total_sat(self) -> int:
        """What all blocks pay, satoshi."""
        return int(self.rewards_sat.sum())


@dataclass(frozen=True)
class Settlement:
    """What goes out: all that came in, to the satoshi, with what payouts cost on the way.

    Attributes
    ----------
    payouts_sat : shape (n,), of each member, never negative
    cut_sat : to the operator, never negative
    reserve_change_sat : what the reserve gained, or lost to members if negative
    cost_sat : transaction fees that payees gave up to be paid, to whoever mines them
    """

    payouts_sat: Integers
    cut_sat: int = 0
    reserve_change_sat: int = 0
    cost_sat: int = 0


class RewardScheme(ABC):
    """How a pool's income becomes payouts.

    A scheme is made from its `Terms`; it may remember earlier periods.  Whatever it is, it
    pays out what came in, plus or minus what it declares to have moved from or to its reserve;
    no payout is negative; relabelling members relabels payouts; it draws no random numbers.
    """

    # Whether somebody runs it, who makes the members' templates and takes a cut.
    operated: ClassVar[bool] = False
    # Whether it promises more than blocks bring in, and holds a reserve for it.
    holds_reserve: ClassVar[bool] = False

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        # Held for members or by the operator at the end of the last period, satoshi.
        self.reserve_sat = terms.reserve_sat

    @abstractmethod
    def settle(self, income: Income) -> Settlement:
        """Pay for a period.  Members may have been added since the last one, as rows at the end."""

    @abstractmethod
    def relative_variance(self, share: float, pool_share: float, blocks: float) -> float:
        """Squared coefficient of variation of a member's revenue.

        Parameters
        ----------
        share, pool_share : of the network's work: the member's, and the whole pool's with it.
        blocks : network blocks of the period.
        """

    def expected_part(self, fair_subsidy_sat: float, fair_fees_sat: float) -> float:
        """Expected payouts of a member over what its work is worth, of blocks that pay so much."""
        return 1.0 - self.terms.cut

    @property
    def ruined(self) -> bool:
        """Whether it can't keep its promise any more."""
        return False
