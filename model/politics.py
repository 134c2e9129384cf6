"""What governments, pools and users have made of the chain so far: the state that rooms share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from agents.complying import LiveDirective
from agents.holding import Coins
from model.chain.branch import SplitChain
from model.chain.censorship import Bribes
from model.chain.forks import ForkKind
from model.chain.outcome import SplitKind
from model.chain.tree import BlockTree
from model.chain.two_coins import Behaviour

if TYPE_CHECKING:
    from model.world import World


@dataclass
class Split:
    """Two coins, of which the one that complies is `world.chain` too.

    Attributes
    ----------
    compliant, free : their chains
    coins : what they are worth
    kind, by : what the free side changed (none if miners split the chain), and who split it
    day : of the split
    pinned_on : day from which the free side refuses the other's first block
    fickle_on_free : where fickle miners are
    hashrate_ths : on each coin by behaviour, [2, 5], of yesterday
    free_market_sat : free coins that neither miners nor nations hold
    rejected : miners whose blocks the free coin's nodes refuse
    kept : directives that the free coin's miners follow too; others part the two
    """

    compliant: SplitChain
    free: SplitChain
    coins: Coins
    kind: ForkKind | None
    by: SplitKind
    day: int
    pinned_on: float
    fickle_on_free: bool = False
    hashrate_ths: np.ndarray = field(default_factory=lambda: np.zeros((2, len(Behaviour))))
    free_market_sat: int = 0
    rejected: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    kept: list[LiveDirective] = field(default_factory=list)

    def parts(self, live: LiveDirective) -> bool:
        """Whether a directive is followed on the compliant coin only."""
        return not any(live is other for other in self.kept)


@dataclass
class Politics:
    """What governments, pools and users have made of the chain so far.

    Attributes
    ----------
    live : directives and filters in force
    tree : rival branches, while anything is in force and there is one coin
    work : of each miner by party, TH/s, today
    split : two coins, from the day of a split on
    ended : the last split, if it was undone
    found, orphaned : blocks found and orphaned on each day with a tree, 0 without
    included, pending : main-chain blocks with a forbidden transaction, and those expected to be
        found while one was pending, on the same days
    wait_hours : mean wait of the forbidden transactions that got in today; NaN if none did
    first : name of a milestone to the date on which it was first passed
    effective, filtered : whether a directive was ever in force, whether anybody ever filtered
    bribes : per block that users and a nation would have to pay, some days into a directive
    splits : so far
    opted_out : whether enforcers who were outnumbered have turned to checkpoints
    reverted : whether there is one chain again after a split that was final
    compliant_work, free_work : since the split, in units of difficulty
    paired_usd : value of all coins at the end of the run without directives, if there was one
    """

    live: list[LiveDirective] = field(default_factory=list)
    tree: BlockTree | None = None
    work: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    split: Split | None = None
    ended: Split | None = None
    found: list[int] = field(default_factory=list)
    orphaned: list[int] = field(default_factory=list)
    included: list[int] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)
    wait_hours: float = math.nan
    first: dict[str, str] = field(default_factory=dict)
    effective: bool = False
    filtered: bool = False
    bribes: Bribes | None = None
    splits: int = 0
    opted_out: bool = False
    reverted: bool = False
    compliant_work: float = 0.0
    free_work: float = 0.0
    paired_usd: float | None = None

    def rest(self) -> None:
        """Note a day on which nobody could hold up a transaction: there is no tree."""
        for days in (self.found, self.orphaned, self.included, self.pending):
            days.append(0)

    def passed(self, milestone: str, world: World, what: str = "", subject: str = "WORLD") -> bool:
        """Note the first passage of a milestone; whether this is it."""
        if milestone in self.first:
            return False
        self.first[milestone] = world.today.isoformat()
        if what:
            world.tell(milestone, subject, what)
        return True
