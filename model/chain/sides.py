"""Who refuses whose blocks, and the sides that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.chain.blocks import Floats, Integers, Tip
from model.chain.branches import Records
from model.chain.patience import Patience


@dataclass(frozen=True, slots=True, eq=False)
class Stances:
    """By which rules each party mines: one entry a party.

    Attributes
    ----------
    refuses : bits of the directives whose offending blocks it will not build on.
    offends : bits of the directives that its blocks offend when a forbidden transaction waits.
    patience : how long it keeps away from a branch that it refuses.
    refuses_from : height of the first block that it may refuse.
    """

    refuses: Sequence[int]
    offends: Sequence[int]
    patience: Sequence[Patience]
    refuses_from: Sequence[int] | None = None

    def __post_init__(self) -> None:
        for refused, offended in zip(self.refuses, self.offends, strict=True):
            if refused & offended:
                raise ValueError(
                    f"a party refuses what its own blocks do: bits {refused & offended}"
                )
        if len(self.patience) != len(self.refuses):
            raise ValueError(f"{len(self.refuses)} parties, patience of {len(self.patience)}")

    def write(self, parties: Records) -> None:
        """Fill in the rules of `PARTY` records."""
        if parties.size != len(self.refuses):
            raise ValueError(f"the tree has {parties.size} parties, not {len(self.refuses)}")
        parties["refuses"], parties["offends"] = self.refuses, self.offends
        parties["refuses_from"] = 0 if self.refuses_from is None else self.refuses_from
        parties["patience"] = [each.code for each in self.patience]
        parties["patience_blocks"] = [each.blocks for each in self.patience]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a disagreement: a tip that somebody mines on, and what stands on it.

    Attributes
    ----------
    tip : height, difficulty and epoch start; all that a chain needs to go on alone.
    parties : rows of the parties that mine on it.
    offences : bits of the directives that its pending blocks offend.
    work : difficulty of its blocks since the branches parted, summed.
    block_times_s, block_rewards_sat, block_parties : its blocks that are not yet settled.
    coinbase_sat, issued_sat, fees_sat : of all its blocks since the tree began.
    """

    tip: Tip
    parties: Integers
    offences: int
    work: float
    block_times_s: Floats
    block_rewards_sat: Integers
    block_parties: Integers
    coinbase_sat: int
    issued_sat: int
    fees_sat: int

    def owed_sat(self, parties: int) -> Integers:
        """Coinbases that are the finders' once this side is a coin of its own, by party."""
        owed = np.zeros(parties, np.int64)
        np.add.at(owed, self.block_parties, self.block_rewards_sat)
        return owed
