"""How a run ended: one class for every record, and nothing but the record decides it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

RESISTED_FROM = 0.90
CAPTURED_BELOW = 0.01
ABANDONED_BELOW = 0.10
COLLAPSED_SHARE = 0.01
WORTHLESS_SHARE = 1e-4

NAMES = {
    "O0": "no attack",
    "O1": "resisted",
    "O2": "soft censorship",
    "O3": "captured",
    "O4a": "free coin with a new algorithm",
    "O4b": "free coin by invalidation",
    "O5": "compliant coin opted out",
    "O6": "free coin collapsed",
    "O7": "compliant coin collapsed",
    "O8": "abandoned",
}


class SplitKind(StrEnum):
    """Who made two coins of one."""

    MINERS = "miners"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Record:
    """All that the classifier looks at.

    Attributes
    ----------
    directive_effective : whether a directive was ever in force.
    filtering : whether anybody left forbidden transactions out, by order or by choice.
    split : who made two coins of one; none if it never came to a split that was final.
    split_day : on which it was final or activated.
    compliant_wiped_out, free_wiped_out : whether a side's blocks since the split went stale.
    reverted : whether there is one chain again after a split that was final.
    compliant_resistance, free_resistance : `censorship_resistance` of either coin over the last
        90 days; the same number twice without a split.
    compliant_original : whether the compliant side runs the original rules.
    value_ratio : value of all coins at the end over that of the paired run without the
        directive; none without such a run.
    compliant_checkpoints : whether the compliant side follows signed checkpoints.
    new_algorithm, rejects_by_rule : whether the free side changed the algorithm; whether it
        refuses blocks by a rule on who made them.
    compliant_work, free_work : of the blocks since the split, in units of difficulty.
    free_value_share : of the value of both coins, at the end; none without a split.
    free_value_share_after : years since the split (1, 5, 10) to that share then, if reached.
    first_passage : name of a milestone to the date on which it was first passed.
    """

    directive_effective: bool = False
    filtering: bool = False
    split: SplitKind | None = None
    split_day: float | None = None
    compliant_wiped_out: bool = False
    free_wiped_out: bool = False
    reverted: bool = False
    compliant_resistance: float = 1.0
    free_resistance: float = 1.0
    compliant_original: bool = True
    value_ratio: float | None = None
    compliant_checkpoints: bool = False
    new_algorithm: bool = False
    rejects_by_rule: bool = False
    compliant_work: float = 0.0
    free_work: float = 0.0
    free_value_share: float | None = None
    free_value_share_after: Mapping[int, float] = field(default_factory=dict)
    first_passage: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.split is None) != (self.free_value_share is None):
            raise ValueError("a record has a value share of the free coin if the chain split")
        for name in ("compliant_resistance", "free_resistance", "free_value_share"):
            share = getattr(self, name)
            if share is not None and not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} lies between 0 and 1, unlike {share}")
        for name in ("value_ratio", "compliant_work", "free_work"):
            amount = getattr(self, name)
            if amount is not None and not 0.0 <= amount < math.inf:
                raise ValueError(f"{name} is finite and not negative, unlike {amount}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The class of a run, and what else a reader of it should know.

    Attributes
    ----------
    code : "O0" to "O8".
    name : the same in words.
    base : "O4a", "O4b" or "O5" if two coins are alive, whatever they are worth; else none.
    flags : what the class does not tell, in a fixed order.
    first_passage : name of a milestone to the date on which it was first passed.
    """

    code: str
    name: str
    base: str | None
    flags: tuple[str, ...]
    first_passage: Mapping[str, str]

    def facts(self) -> dict[str, Any]:
        """The outcome as a run's folder holds it."""
        return {
            "class": self.code,
            "name": self.name,
            "base": self.base,
            "flags": list(self.flags),
            "first_passage": dict(self.first_passage),
        }


def censorship_resistance(included: int, pending: float) -> float:
    """Share of blocks that let a forbidden transaction through when they could.

    Parameters
    ----------
    included : main-chain blocks of the last 90 days that hold a forbidden transaction.
    pending : main-chain blocks of the last 90 days found while one was pending; where that is
        only expected, chance may give a few more to `included`.

    Returns
    -------
    included/pending, at most 1, and 1 if none was ever pending; 1 - s if a share s of miners
    filters.
    """
    return min(included / pending, 1.0) if pending else 1.0


def original_resistance(record: Record) -> float:
    """Censorship resistance of the coin that runs the original rules."""
    if record.compliant_original:
        return record.compliant_resistance
    return record.free_resistance


def is_live(record: Record) -> bool:
    """Whether two coins are alive at the end: neither undone, neither worthless."""
    if record.free_value_share is None or record.reverted:
        return False
    smaller = min(record.free_value_share, 1.0 - record.free_value_share)
    wiped_out = record.compliant_wiped_out or record.free_wiped_out
    return not wiped_out and smaller >= WORTHLESS_SHARE


def censored_class(resistance: float) -> str:
    """Class of one chain under a directive."""
    if resistance >= RESISTED_FROM:
        return "O1"
    if resistance >= CAPTURED_BELOW:
        return "O2"
    return "O3"


def split_base(record: Record) -> str:
    """Class of two coins by what the free one had to change."""
    if record.new_algorithm:
        return "O4a"
    if record.rejects_by_rule and record.compliant_work >= record.free_work:
        return "O4b"
    return "O5"


def flags_of(record: Record) -> tuple[str, ...]:
    """What a reader should know beside the class."""
    share = record.free_value_share
    raised = {
        "voluntary_filtering": record.filtering and not record.directive_effective,
        "filtering": record.filtering and record.directive_effective,
        "compliant_wiped_out": record.compliant_wiped_out,
        "wiped_out": record.free_wiped_out,
        "split_reverted": record.reverted,
        "checkpoints": record.compliant_checkpoints,
        "free_worthless": share is not None and share < WORTHLESS_SHARE,
        "compliant_worthless": share is not None and 1.0 - share < WORTHLESS_SHARE,
    }
    return tuple(flag for flag, up in raised.items() if up)


def class_and_base(record: Record) -> tuple[str, str | None]:
    """The code of a record, and that of its two coins if both are alive."""
    base = split_base(record) if is_live(record) else None
    share = record.free_value_share
    if record.value_ratio is not None and record.value_ratio < ABANDONED_BELOW:
        return "O8", base
    if not record.directive_effective:
        return "O0", base
    if base is None or share is None:
        return censored_class(original_resistance(record)), None
    if share < COLLAPSED_SHARE:
        return "O6", base
    if share > 1.0 - COLLAPSED_SHARE:
        return "O7", base
    return base, base


def classify(record: Record) -> Outcome:
    """The one outcome of a record; total and without memory."""
    code, base = class_and_base(record)
    return Outcome(code, NAMES[code], base, flags_of(record), record.first_passage)
