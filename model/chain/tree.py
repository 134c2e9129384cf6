"""A coin whose miners may disagree about its blocks: branches, races and splits, day by day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from model.chain.blocks import Floats, Integers, Tip, supply_sat
from model.chain.branches import NOBODY, Record, Records, common_ancestor, lead_blocks, plant
from model.chain.contest import Day, mine_day, mining_parties, rival_tips
from model.chain.settlement import Settlement, path, settle
from model.chain.sides import Side, Stances
from model.units import (
    BLOCK_TARGET_S,
    BLOCKS_PER_DAY,
    EPOCH_BLOCKS,
    HOURS_PER_DAY,
    SATOSHI_PER_COIN,
    SECONDS_PER_DAY,
)

TipRule = Literal["heaviest", "tie_join"]

MOST_PARTIES = 32
MOST_DIRECTIVES = 16


@dataclass(frozen=True, slots=True, eq=False)
class DayOfTree:
    """What one day of mining on a tree brought.

    Attributes
    ----------
    first_height : height of the first block settled today.
    block_times_s, block_rewards_sat, block_parties, block_offences : one entry a block settled
        today on the chain, in order: when it was found, subsidy and transaction fees, who found
        it, and bits of the directives that it offends.
    subsidy_sat, fees_sat : totals of the settled blocks.
    mean_interval_s : over the last 144 blocks of the best branch, at the end of the day.
    retargets : epochs whose last block was settled today.
    found_times_s, found_by, found_offences : the same of every block found today, on any branch.
    orphaned : blocks given up today, one entry a party.
    offences_found, offences_settled, offences_orphaned : blocks that offend, by directive.
    waits_s, wait_directives : how long forbidden transactions waited for a block that stays, each
        arriving when the one before is in, and the directive that it offends.
    lead_blocks : work by which the offending branch leads the enforcers', in blocks of the
        difficulty before they parted; negative if it trails, 0 if there is one branch.
    split_final_s : since when the split is final; NaN if there is none.
    reverts : final splits that healed today.
    races, races_won : races that ended today, and those that the enforcers won.
    live_tips : tips that somebody mines on.
    longest_reorg : most blocks that a party left behind at once today.
    pending : blocks found that are neither settled nor orphaned.
    """

    first_height: int
    block_times_s: Floats
    block_rewards_sat: Integers
    block_parties: Integers
    block_offences: Integers
    subsidy_sat: int
    fees_sat: int
    mean_interval_s: float
    retargets: int
    found_times_s: Floats
    found_by: Integers
    found_offences: Integers
    orphaned: Integers
    offences_found: Integers
    offences_settled: Integers
    offences_orphaned: Integers
    waits_s: Floats
    wait_directives: Integers
    lead_blocks: float
    split_final_s: float
    reverts: int
    races: int
    races_won: int
    live_tips: int
    longest_reorg: int
    pending: int

    @property
    def blocks(self) -> int:
        """Blocks settled today."""
        return self.block_times_s.size

    @property
    def reward_sat(self) -> int:
        """Subsidy and transaction fees of the blocks settled today."""
        return self.subsidy_sat + self.fees_sat

    @property
    def split_is_final(self) -> bool:
        """Whether the offending branch is far enough ahead for long enough."""
        return not math.isnan(self.split_final_s)


class BlockTree:
    """A coin mined day by day by parties that may refuse each other's blocks.

    Every party mines on the block of most work that it accepts.  A block's coinbase is settled
    when nobody is left on a rival branch; until then it is pending, afterwards an orphan's is
    void.  A tip without a party is dead at once: parties leave a block only for a heavier one, so
    nobody comes back.  The tip of a party that is idle all day counts until it is 1,008 blocks of
    work behind.

    Parameters
    ----------
    tip : the settled chain that all parties stand on.
    key : key of the stream that blocks are drawn from; a lone chain gets the same blocks as from
        `find_one_by_one`.
    parties, directives : how many there are.
    tip_rule : "heaviest" keeps the tip it is on at a tie; with "tie_join" outsiders go over to
        the tip that fewer parties reject.
    off_by_one : retarget over 2,015 of 2,016 intervals, as Bitcoin does.
    start_s : time of the tip, seconds since day 0.
    recent_s : times of the blocks before, the tip's last; on target unless told.
    """

    def __init__(
        self,
        tip: Tip,
        key: np.uint64,
        parties: int,
        directives: int = 1,
        *,
        tip_rule: TipRule = "heaviest",
        off_by_one: bool = True,
        start_s: float = 0.0,
        recent_s: Floats | None = None,
    ) -> None:
        _check_size(parties, directives, tip_rule)
        self.key, self.directives = key, directives
        self.tie_join, self.off_by_one = tip_rule == "tie_join", off_by_one
        self.start_height = tip.height
        self.coinbase_sat = self.fees_sat = 0
        self.found, self.settled, self.orphaned = np.zeros((3, parties), np.int64)
        self._tree = plant(tip, parties, start_s)
        self._waiting_since_s = np.full(directives, start_s)
        self._mining = (1 << parties) - 1
        intervals = np.arange(-float(BLOCKS_PER_DAY), 1.0)
        self._recent_s = start_s + BLOCK_TARGET_S * intervals if recent_s is None else recent_s

    @property
    def tip(self) -> Tip:
        """The tip of most work."""
        return self._tip(self._tree.race[0]["best"])

    @property
    def settled_tip(self) -> Tip:
        """The last settled block."""
        return self._tip(0)

    @property
    def pending(self) -> Integers:
        """Blocks found that are neither settled nor orphaned, by party."""
        return self.found - self.settled - self.orphaned

    @property
    def issued_sat(self) -> int:
        """Subsidy that the settled blocks entitle to, satoshi, in closed form."""
        return self._issued_sat(self.settled_tip.height)

    @property
    def difficulty_by_party(self) -> Floats:
        """Difficulty of the next block of each party."""
        difficulty: Floats = self._tree.blocks["difficulty"][self._tree.parties["tip"]]
        return difficulty

    @property
    def split_final_s(self) -> float:
        """Since when the split is final, seconds since day 0; NaN if there is none."""
        return float(self._tree.race[0]["final_s"])

    def mine(
        self,
        day: int,
        hashrate_ths: Floats,
        stances: Stances,
        offence_chance: Sequence[float],
        transaction_fees_btc_block: float,
    ) -> DayOfTree:
        """Let every party mine for a day on the tip that it accepts.

        Parameters
        ----------
        hashrate_ths : shape (parties, 24), TH/s by party and UTC hour.
        stances : the rules that the parties mine by today.
        offence_chance : chance that a block of an offending party holds a forbidden transaction,
            one entry a directive; it is one while a transaction that lost its block waits.
        transaction_fees_btc_block : of every block.

        Returns
        -------
        What was found, settled and orphaned; the draws depend on (key, day) only.
        """
        self._check(hashrate_ths, stances, offence_chance)
        self._mining = int(mining_parties(hashrate_ths))
        stances.write(self._tree.parties)
        chance = np.array(offence_chance, np.float64)
        fees_sat = round(transaction_fees_btc_block * SATOSHI_PER_COIN)
        before, rows = self._tree.race[0].copy(), self._tree.race[0]["count"]
        args = (day, self.key, hashrate_ths, chance, fees_sat, self.off_by_one, self.tie_join)
        self._tree = mine_day(self._tree, Day(*args))
        found = self._tree.blocks[rows : self._tree.race[0]["count"]].copy()
        mean_interval_s = self._mean_interval_s()
        first_height = self.settled_tip.height
        end_s = (day + 1) * SECONDS_PER_DAY
        gone = settle(self._tree, self._waiting_since_s, self._mining, end_s)
        self._count(found, gone)
        return self._report(first_height, found, gone, before, mean_interval_s)

    def branches(self) -> tuple[Side, ...]:
        """Every tip that somebody mines on, that of most work first.

        After a final split each of them is a coin: what its pending blocks claim is due.
        """
        blocks = self._tree.blocks
        tips = self._mined_tips()
        parted = blocks["work"][
            reduce(lambda one, other: common_ancestor(blocks, one, other), tips)
        ]
        return tuple(self._branch(row, parted) for row in tips)

    def _mined_tips(self) -> list[int]:
        stands = self._tree.parties["tip"].tolist()
        tips = {row for party, row in enumerate(stands) if self._mining >> party & 1} or {0}
        return sorted(tips, key=lambda row: (-self._tree.blocks["work"][row], row))

    def _tip(self, row: int) -> Tip:
        block = self._tree.blocks[row]
        return Tip(int(block["height"]), float(block["difficulty"]), float(block["epoch_start_s"]))

    def _issued_sat(self, height: int) -> int:
        return int(supply_sat(height)) - int(supply_sat(self.start_height))

    def _branch(self, row: int, parted: float) -> Side:
        blocks, tip = path(self._tree.blocks, 0, row), self._tip(row)
        stands = self._tree.parties["tip"] == row
        mining = self._mining >> np.arange(stands.size) & 1 == 1
        return Side(
            tip=tip,
            parties=np.flatnonzero(stands & mining),
            offences=int(np.bitwise_or.reduce(blocks["offences"], initial=0)),
            work=float(self._tree.blocks["work"][row] - parted),
            block_times_s=blocks["time_s"],
            block_rewards_sat=blocks["reward_sat"],
            block_parties=blocks["party"],
            coinbase_sat=self.coinbase_sat + int(blocks["reward_sat"].sum()),
            issued_sat=self._issued_sat(tip.height),
            fees_sat=self.fees_sat + int(blocks["fees_sat"].sum()),
        )

    def _mean_interval_s(self) -> float:
        pending = path(self._tree.blocks, 0, self._tree.race[0]["best"])["time_s"]
        recent = np.concatenate((self._recent_s, pending))[-BLOCKS_PER_DAY - 1 :]
        return float(recent[-1] - recent[0]) / (recent.size - 1)

    def _count(self, found: Records, gone: Settlement) -> None:
        for total, blocks in (
            (self.found, found),
            (self.settled, gone.settled),
            (self.orphaned, gone.orphaned),
        ):
            total += np.bincount(blocks["party"], minlength=total.size)
        self.coinbase_sat += int(gone.settled["reward_sat"].sum())
        self.fees_sat += int(gone.settled["fees_sat"].sum())
        times = np.concatenate((self._recent_s, gone.settled["time_s"]))
        self._recent_s = times[-BLOCKS_PER_DAY - 1 :]

    def _report(
        self, first: int, found: Records, gone: Settlement, before: Record, interval_s: float
    ) -> DayOfTree:
        race, settled = self._tree.race[0], gone.settled
        fees_sat = int(settled["fees_sat"].sum())
        return DayOfTree(
            first_height=first,
            block_times_s=settled["time_s"],
            block_rewards_sat=settled["reward_sat"],
            block_parties=settled["party"],
            block_offences=settled["offences"],
            subsidy_sat=int(settled["reward_sat"].sum()) - fees_sat,
            fees_sat=fees_sat,
            mean_interval_s=interval_s,
            retargets=self.settled_tip.height // EPOCH_BLOCKS - first // EPOCH_BLOCKS,
            found_times_s=found["time_s"],
            found_by=found["party"],
            found_offences=found["offences"],
            orphaned=np.bincount(gone.orphaned["party"], minlength=self.found.size),
            offences_found=self._by_directive(found),
            offences_settled=self._by_directive(settled),
            offences_orphaned=self._by_directive(gone.orphaned),
            waits_s=gone.waits_s,
            wait_directives=gone.wait_directives,
            lead_blocks=self._lead_blocks(),
            split_final_s=float(race["final_s"]),
            reverts=int(race["reverts"] - before["reverts"]),
            races=int(race["races"] - before["races"]),
            races_won=int(race["won"] - before["won"]),
            live_tips=len(self._mined_tips()),
            longest_reorg=int(race["longest_reorg"]),
            pending=int(race["count"]) - 1,
        )

    def _by_directive(self, blocks: Records) -> Integers:
        bits = blocks["offences"][:, None] >> np.arange(self.directives) & 1
        by_directive: Integers = bits.sum(axis=0)
        return by_directive

    def _lead_blocks(self) -> float:
        tree = self._tree
        offending, enforcing = rival_tips(tree.blocks, tree.parties, self._mining)
        if offending == NOBODY:
            return 0.0
        return float(lead_blocks(tree.blocks, offending, enforcing))

    def _check(
        self, hashrate_ths: Floats, stances: Stances, offence_chance: Sequence[float]
    ) -> None:
        if hashrate_ths.shape != (self.found.size, HOURS_PER_DAY):
            raise ValueError(f"{self.found.size} parties mine 24 hours, not {hashrate_ths.shape}")
        # Written so that NaN fails too: it would otherwise find no block and say nothing.
        if not (hashrate_ths.min() >= 0.0 and hashrate_ths.max() < math.inf):
            raise ValueError("hashrate must be finite and not negative in every hour")
        if len(offence_chance) != self.directives:
            raise ValueError(f"{self.directives} directives, not {len(offence_chance)} chances")
        if not all(0.0 <= chance <= 1.0 for chance in offence_chance):
            raise ValueError(f"a chance is between 0 and 1: {list(offence_chance)}")
        for bits in (*stances.refuses, *stances.offends):
            if not 0 <= bits < 1 << self.directives:
                raise ValueError(f"bits {bits} name a directive beyond {self.directives}")


def _check_size(parties: int, directives: int, tip_rule: str) -> None:
    if not 1 <= parties <= MOST_PARTIES:
        raise ValueError(f"a tree has 1 to {MOST_PARTIES} parties, not {parties}")
    if not 1 <= directives <= MOST_DIRECTIVES:
        raise ValueError(f"a tree has 1 to {MOST_DIRECTIVES} directives, not {directives}")
    if tip_rule not in ("heaviest", "tie_join"):
        raise ValueError(f"the tip rule is 'heaviest' or 'tie_join', not {tip_rule!r}")
