"""What became of the chain: the record that the classifier reads, and the political columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from agents import complying, holding
from model.chain.censorship import Shares
from model.chain.forks import ForkKind, compliant_is_original
from model.chain.outcome import Outcome, Record, SplitKind, classify
from model.chain.tree import DayOfTree
from model.units import DAYS_PER_YEAR

if TYPE_CHECKING:
    from agents.complying import LiveDirective
    from model.politics import Split
    from model.world import World

ANNIVERSARIES = (1, 5, 10)
EPOCH_DAYS = 14
RECENT_DAYS = 90
TOLD_NATIONS = 5


def outcome(world: World) -> Outcome:
    """The class of the run so far."""
    return classify(record(world))


def record(world: World) -> Record:
    """All that the classifier looks at."""
    politics = world.politics
    split = politics.split or politics.ended
    # Of several splits the last one counts: an earlier one that was undone does not undo it.
    undone = politics.split is None
    compliant, free = resistance(world)
    return Record(
        directive_effective=politics.effective,
        filtering=politics.filtered,
        split=split.by if split else None,
        split_day=float(split.day) if split else None,
        free_wiped_out=undone and politics.ended is not None,
        reverted=undone and politics.reverted,
        compliant_resistance=compliant,
        free_resistance=free,
        compliant_original=split is None
        or compliant_is_original(split.kind, politics.compliant_work, politics.free_work),
        value_ratio=value_ratio(world),
        compliant_checkpoints=split is not None and split.kind == ForkKind.CHECKPOINTS,
        new_algorithm=split is not None and split.kind == ForkKind.NEW_ALGORITHM,
        rejects_by_rule=split is not None and split.kind == ForkKind.INVALIDATION,
        compliant_work=politics.compliant_work,
        free_work=politics.free_work,
        free_value_share=split.coins.free_share if split else None,
        free_value_share_after=anniversaries(split) if split else {},
        first_passage=dict(politics.first),
    )


def value_ratio(world: World) -> float | None:
    """Value of all coins over that in the paired run without directives; none before one.

    Where there is no such run, over that of one coin in the same run, had nobody split it.
    """
    politics = world.politics
    if not politics.effective:
        return None
    reference = world.outside_usd if politics.paired_usd is None else politics.paired_usd
    return float(sum(world.coin_prices) / reference)


def anniversaries(split: Split) -> dict[int, float]:
    """Value share of the free coin some years after the split, where the run reaches so far."""
    history = split.coins.history
    days = {years: round(years * DAYS_PER_YEAR) for years in ANNIVERSARIES}
    return {years: history[day] for years, day in days.items() if day < len(history)}


def resistance(world: World) -> tuple[float, float]:
    """Censorship resistance of the compliant and of the free coin; the same without a split."""
    politics = world.politics
    split = politics.split
    if split is None or not politics.live:
        alone = 1.0 - holding.censored_share(world, RECENT_DAYS)
        return alone, alone if split is None else 1.0
    # Whom a directive that parts the coins reaches mines the compliant one: what is left to
    # hold up payments on the free coin are the directives that both keep.
    free = min(
        (let_through(live.shares) for live in split.kept if in_force(world, live)), default=1.0
    )
    return compliant_includers(world, split), free


def in_force(world: World, live: LiveDirective) -> bool:
    """Whether a directive has not ended."""
    return any(live is other for other in world.politics.live)


def compliant_includers(world: World, split: Split) -> float:
    """Share of the compliant coin's blocks that let a forbidden transaction through.

    After a split by miners, or by checkpoints, nobody on that side builds on such a block. After
    a fork by users those who include stay.
    """
    if split.by == SplitKind.MINERS or split.kind == ForkKind.CHECKPOINTS:
        return 0.0
    return let_through(most_enforcing(world))


def let_through(shares: Shares) -> float:
    """Share of blocks that hold a forbidden transaction: a majority that enforces orphans them."""
    return 0.0 if shares.enforcing > 0.5 else shares.including


def most_enforced(live: list[LiveDirective]) -> int:
    """Position of the directive that most of the hashrate enforces."""
    return max(
        range(len(live)),
        key=lambda bit: (live[bit].shares.enforcing, live[bit].shares.filtering),
    )


def most_enforcing(world: World) -> Shares:
    """Shares of the hashrate under the directive that most of it enforces."""
    live = world.politics.live
    return live[most_enforced(live)].shares if live else Shares(0.0, 0.0, 1.0)


def politics_row(world: World) -> dict[str, float]:
    """Political columns of a day."""
    politics = world.politics
    if not politics.live and politics.split is None:
        return {}
    shares = most_enforcing(world)
    row = {"enforcing_share": shares.enforcing, "filtering_share": shares.filtering}
    row["inclusion_rate"] = 1.0 - holding.censored_share(world, EPOCH_DAYS)
    if isinstance(world.blocks, DayOfTree) and world.blocks.blocks == 0:
        row["inclusion_rate"] = math.nan  # all of the day's blocks are in dispute
    if politics.split is not None:
        row["inclusion_rate"] = resistance(world)[0]
    if isinstance(world.blocks, DayOfTree):
        found, orphaned = (sum(days[-EPOCH_DAYS:]) for days in (politics.found, politics.orphaned))
        row["orphan_rate"] = min(orphaned / max(found, 1), 1.0)
        row["blocks"] = politics.found[-1]
        row["forbidden_wait_hours"] = politics.wait_hours
    if politics.split is not None:
        row["free_coin_value_share"] = politics.split.coins.free_share
        row["free_coin_hashrate_share"] = holding.hash_share(politics.split)
        row["compliant_price_usd"], row["free_price_usd"] = world.coin_prices
    return row


def story(world: World) -> dict[str, float | str]:
    """What a reader asks of a run with a directive, as headline figures."""
    politics = world.politics
    if not (politics.effective or politics.filtered or politics.split or politics.ended):
        return {}
    told: dict[str, float | str] = {
        "enforcing_share_highest": float(world.recorder["enforcing_share"].max()),
        "inclusion_rate_end": float(world.recorder["inclusion_rate"][-1]),
        "orphan_rate_highest": float(world.recorder["orphan_rate"].max()),
        "blocks_orphaned": float(sum(politics.orphaned)),
        "forbidden_wait_hours_median": wait_median(world),
    }
    if politics.bribes is not None:
        told["bribe_of_users_btc_block"] = politics.bribes.users_btc
        told["subsidy_of_nation_btc_block"] = politics.bribes.nation_btc
    if politics.paired_usd is not None:
        told["value_over_paired_run"] = value_ratio(world) or 0.0
    split = politics.split or politics.ended
    told |= compliance(world) | ({} if split is None else two_coins(world, split))
    return {name: value for name, value in told.items() if is_told(value)}


def is_told(value: float | str) -> bool:
    """Whether a figure is a number, or words; no bribe buys a majority that never gives up."""
    return isinstance(value, str) or math.isfinite(value)


def compliance(world: World) -> dict[str, float | str]:
    """Shares of the largest nations' hashrate that comply with what most of it enforces."""
    politics, held = world.politics, world.nation_shares
    if not politics.live:
        return {}
    bit = most_enforced(politics.live)
    # Who was founded since the last block has not thought about it yet.
    complying.fit(world, politics.live[bit])
    shares = complying.complying_shares(world, bit)
    largest = np.argsort(-held, kind="stable")[:TOLD_NATIONS]
    return {f"complying_share_{world.nation_names[row]}": float(shares[row]) for row in largest}


def two_coins(world: World, split: Split) -> dict[str, float | str]:
    """How often the chain split, who did it last, and what became of the two coins."""
    politics = world.politics
    original = compliant_is_original(split.kind, politics.compliant_work, politics.free_work)
    told: dict[str, float | str] = {
        "splits": float(politics.splits),
        "split_by": split.by.value if split.kind is None else split.kind.value,
        "original_rules": "compliant" if original else "free",
    }
    for years, share in anniversaries(split).items():
        told[f"free_coin_value_share_after_{years}_years"] = share
        day = split.day + round(years * DAYS_PER_YEAR)
        for coin in ("compliant", "free"):
            price = float(world.recorder[f"{coin}_price_usd"][min(day, world.day - 1)])
            told[f"{coin}_price_usd_after_{years}_years"] = price
    return told


def wait_median(world: World) -> float:
    """Median over days of the mean wait of forbidden transactions, hours; NaN if none got in."""
    waits = world.recorder["forbidden_wait_hours"]
    seen = waits[~np.isnan(waits)]
    return float(np.median(seen)) if seen.size else math.nan
