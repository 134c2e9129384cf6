"""The story of a run with a directive, a filter or a fork: what happened, when, and to what end."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model.chain.outcome import NAMES
from model.ending import ANNIVERSARIES
from model.units import DAYS_PER_YEAR
from study.runfolder import Run
from study.wording import nation_names, plain_table, rounded

# A run in which one of these happened has a story.
CAUSES = ("directive", "filter", "fork", "split")
# What the scenario says in its own words: each of these is told by itself.
SCENARIO = ("directive", "filter", "fork")
KINDS = (
    *SCENARIO,
    "adoption",
    "first_orphan",
    "majority_enforces",
    "all_comply",
    "pool_exit",
    "fork_proposed",
    "split",
    "pinned",
    "wipeout",
    "split_reverted",
    "custody",
    "attack_feasible",
    "difficulty_rule",
    "defence",
    "reserve_sale",
)
ENDS = "ends: "
LISTED = 4
LEAST_SHARE = 0.005
ONE_DAY = datetime.timedelta(days=1)
FLAGS = {
    "voluntary_filtering": "blacklisted payments were left out unasked, under no directive",
    "filtering": "blacklisted payments were left out under a directive",
    "compliant_wiped_out": "the compliant side of a split was undone",
    "wiped_out": "the free side of a split, which was not pinned, was undone",
    "split_reverted": "a split that had been final healed",
    "checkpoints": "the compliant side follows signed checkpoints",
    "free_worthless": "the free coin is worth next to nothing",
    "compliant_worthless": "the compliant coin is worth next to nothing",
}
# Put before and after what an event says.
ROUND_ABOUT = {
    "majority_enforces": ("from now on a majority: ", ""),
    "pinned": ("", ": it can no longer be undone"),
}


@dataclass(frozen=True)
class Line:
    """What happened on a day, in words."""

    date: datetime.date
    words: str


@dataclass(frozen=True)
class Worth:
    """What both coins of a split were worth on a day, USD, and the free coin's part of it."""

    when: str
    date: datetime.date
    compliant_usd: float
    free_usd: float
    free_share: float


@dataclass(frozen=True)
class Splits:
    """The days on which the chain split, and those on which it was one chain again."""

    begun: tuple[datetime.date, ...]
    undone: tuple[datetime.date, ...]

    @property
    def alive(self) -> bool:
        """Whether there are two coins at the end."""
        return len(self.begun) > len(self.undone)


def is_told(run: Run) -> bool:
    """Whether there was anything to tell: a directive, a filter, a fork or a split."""
    return bool(run.events["kind"].is_in(CAUSES).any())


def parts(run: Run) -> list[RenderableType]:
    """The dated lines, what a reader asks about them, and what the coins were worth."""
    told = Table.grid(padding=(0, 2, 0, 0))
    for line in lines(run):
        told.add_row(Text(str(line.date), style="bold"), Text(line.words))
    asked = Table.grid(padding=(0, 2, 0, 0))
    for question, answer in answers(run):
        asked.add_row(Text(question, style="bold"), Text(answer))
    coins = worth(run)
    return [told, asked, *([_worth_table(run, coins)] if coins else [])]


def outcome(run: Run) -> RenderableType:
    """The class of the run, whether two coins live, and what else a reader should know."""
    found = run.facts["outcome"]
    notes = Table.grid(padding=(0, 2, 0, 0))
    if found["base"] not in (None, found["class"]):
        notes.add_row("  two coins live", f"{found['base']}, {NAMES[found['base']]}")
    for flag in found["flags"]:
        notes.add_row(f"  {flag}", FLAGS.get(flag, flag.replace("_", " ")))
    heading = Text.assemble("outcome: ", (f"{found['class']}, {found['name']}", "bold"))
    return Group(heading, notes) if notes.row_count else heading


# Dated lines


def lines(run: Run) -> list[Line]:
    """What happened, one line a milestone, by date; what came again is in its first line."""
    events = run.events.filter(pl.col("kind").is_in(KINDS))
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events.iter_rows(named=True):
        groups.setdefault(_milestone(event), []).append(event)
    names, parted = nation_names(), splits(run)
    told = [
        Line(group[0]["date"], _told(run, kind, group, names, parted))
        for (kind, _), group in groups.items()
        if not _said_already(kind, group[0], run.events)
    ]
    again = groups.get(("split", ""), [])[1:]
    if again and parted.alive:
        told.append(Line(again[-1]["date"], _sentence(again[-1], names)))
    return sorted(told, key=lambda line: line.date)


def splits(run: Run) -> Splits:
    """When the chain split, and when each split was undone."""
    begun, undone = (
        tuple(run.events.filter(pl.col("kind") == kind)["date"]) for kind in ("split", "wipeout")
    )
    return Splits(begun, undone)


def _milestone(event: dict[str, Any]) -> tuple[str, str]:
    """What events have in common that are told in one line."""
    if event["kind"] in SCENARIO:
        return event["kind"], event["what"]
    return event["kind"], ""


def _said_already(kind: str, event: dict[str, Any], events: pl.DataFrame) -> bool:
    """Whether the scenario's own words, or the reaction to a directive, say the same that day."""
    cause = {"majority_enforces": "directive", "split": "fork"}.get(kind, "")
    that_day = events.filter((pl.col("date") == event["date"]) & (pl.col("kind") == cause))
    return bool((that_day["what"] != "").any()) or (kind == "fork" and not event["what"])


def _told(
    run: Run, kind: str, group: Sequence[dict[str, Any]], names: dict[str, str], parted: Splits
) -> str:
    first = group[0]
    words = _sentence(first, names)
    if kind == "adoption" and len(group) > 1:
        return _adopted([names.get(each["subject"], each["subject"]) for each in group], group)
    if kind in ("directive", "filter") and not first["what"].startswith(ENDS):
        return f"{words}. {reaction(run, first['date'])}"
    if kind == "wipeout" and len(parted.undone) > 1:
        return f"{words}; split and undone {len(parted.undone)} times until {parted.undone[-1]}"
    if kind != "split" and len(group) > 1:
        return f"{words}; {len(group)} times until {group[-1]['date']}"
    return words


def _sentence(event: dict[str, Any], names: dict[str, str]) -> str:
    """An event in words, with its subject if the words have none."""
    kind, subject = event["kind"], event["subject"]
    name = names.get(subject, subject)
    words = re.sub(r"(?<=\d)%", " %", event["what"])
    if not words:
        words = kind.replace("_", " ") + (f": {name}" if subject != "WORLD" else "")
    elif kind == "pool_exit":
        words = f"{words}, for {subject}"
    elif kind in ROUND_ABOUT:
        words = words.join(ROUND_ABOUT[kind])
    elif kind not in SCENARIO and subject != "WORLD":
        words = f"{name} {words}"
    return words[0].upper() + words[1:]


def _adopted(nations: Sequence[str], group: Sequence[dict[str, Any]]) -> str:
    """Nations that follow one after another."""
    named, more = list(nations[:LISTED]), len(nations) - LISTED
    if more > 0:
        named.append(f"{more} more")
    until = f", until {group[-1]['date']}" if group[-1]["date"] != group[0]["date"] else ""
    return f"{', '.join(named[:-1])} and {named[-1]} make the directive their law{until}"


def reaction(run: Run, day: datetime.date) -> str:
    """What the hashrate did on a day, in one sentence."""
    found = run.series.filter(pl.col("date") == day)
    enforcing, filtering = found["enforcing_share"][0], found["filtering_share"][0]
    shares = (
        (enforcing, "enforces it"),
        (filtering, "only leaves the payments out" if enforcing else "leaves the payments out"),
        (1.0 - enforcing - filtering, "includes them" if enforcing + filtering else "includes all"),
    )
    said = [f"{share:.0%} {does}" for share, does in shares if share >= LEAST_SHARE]
    said[0] = said[0].replace("%", "% of the hashrate", 1)
    return f"That day {', '.join(said)}".replace("%", " %")


# What a reader asks


def answers(run: Run) -> list[tuple[str, str]]:
    """Questions and answers, as far as the run has any."""
    asked = [
        ("who complies", complying(run)),
        ("blocks orphaned", orphaned(run)),
        ("payments waited", waited(run)),
        ("bribes", bribed(run)),
        ("the chain", parting(run)),
        ("original rules", _original(run)),
        ("value", valued(run)),
    ]
    return [(question, answer) for question, answer in asked if answer]


def bribed(run: Run) -> str:
    """What it would cost to buy an inclusion, or to keep enforcers enforcing."""
    users, nation = (
        run.facts["headline"].get(f"{name}_btc_block")
        for name in ("bribe_of_users", "subsidy_of_nation")
    )
    if nation is None:
        return ""
    bought = (
        "no bribe buys an inclusion" if users is None else f"an inclusion costs {users:.2f} BTC"
    )
    kept = f"enforcers need {nation:.2f} BTC a block" if nation > 0.0 else "enforcers need nothing"
    return f"{bought}, {kept} (a few days in)"


def complying(run: Run) -> str:
    """The part of the hashrate that does as a directive or a filter asks, and where it is."""
    share = pl.col("enforcing_share") + pl.col("filtering_share")
    path = run.series.select("date", share=share)
    if path["share"].max() == 0.0:
        return ""
    highest = path["share"].arg_max() or 0
    most, day = path["share"][highest], path["date"][highest]
    names = nation_names()
    by_nation = [
        f"{names.get(key[-3:], key[-3:])} {100.0 * value:.0f}"
        for key, value in run.facts["headline"].items()
        if key.startswith("complying_share_")
    ]
    words = f"{100.0 * path['share'][-1]:.0f} % of the hashrate at the end"
    if most > path["share"][-1] + LEAST_SHARE:
        words += f", {100.0 * most:.0f} % on {day}"
    return f"{words}; of each nation's, %: {', '.join(by_nation)}" if by_nation else words


def orphaned(run: Run) -> str:
    """How many blocks were orphaned, and when most were."""
    count = run.facts["headline"].get("blocks_orphaned")
    if count is None or run.series.filter(_one_chain_censored()).is_empty():
        return ""
    if count == 0:
        return "none"
    highest = run.series["orphan_rate"].arg_max() or 0
    rate, day = run.series["orphan_rate"][highest], run.series["date"][highest]
    return f"{count:,.0f}; most in the 14 days up to {day}: {100.0 * rate:.1f} % of those found"


def waited(run: Run) -> str:
    """How long a blacklisted payment waited, on days with one chain."""
    wait, rate = pl.col("forbidden_wait_hours"), pl.col("inclusion_rate")
    inside = rate.is_null() | (rate > 0.0)
    days = run.series.filter(_one_chain_censored())
    with_any = days["forbidden_wait_hours"].count()
    said = []
    if with_any:
        hours = run.facts["headline"]["forbidden_wait_hours_median"]
        said.append(f"{_duration(hours)} until one got in, median of {_days(with_any)}")
    for what, found in (
        ("none got in on", days.filter(wait.is_null() & ~inside)),
        ("branches were in dispute on", days.filter(wait.is_null() & inside)),
    ):
        if found.height:
            said.append(f"{what} {_days(found.height)}")
    return "; ".join(said)


def _days(count: int) -> str:
    return f"{count:,} day{'s' if count > 1 else ''}"


def _duration(hours: float) -> str:
    return f"{rounded(hours)} hours" if hours >= 1.0 else f"{60.0 * hours:.0f} minutes"


def parting(run: Run) -> str:
    """Whether the chain split, how often, and whether there are two coins at the end."""
    parted = splits(run)
    if not parted.begun:
        return "did not split"
    count, since = len(parted.begun), parted.begun[-1]
    if not parted.alive:
        often = "once" if count == 1 else f"{count} times"
        return f"split {often} from {parted.begun[0]}; one chain again since {parted.undone[-1]}"
    before = f" after {count - 1} splits that were undone" if count > 1 else ""
    return f"two coins since {since}{before}"


def _original(run: Run) -> str:
    """The coin that keeps the original rules, and why."""
    headline = run.facts["headline"]
    if not splits(run).alive or "original_rules" not in headline:
        return ""
    if headline["split_by"] == "new_algorithm":
        return "the compliant coin; the free one has a new algorithm"
    if headline["split_by"] == "checkpoints":
        return "the free coin; the compliant one lives by signed checkpoints"
    if headline["split_by"] == "miners" and headline["original_rules"] == "compliant":
        return "the compliant coin: it left with less work, and has more since the split"
    return f"the {headline['original_rules']} coin, of more work since the split"


def valued(run: Run) -> str:
    """What the directive did to the value of all coins, where a run without it was made."""
    ratio = run.facts["headline"].get("value_over_paired_run")
    if ratio is None:
        return ""
    return f"all coins are worth {rounded(ratio)} times what they are without the directive"


def _one_chain_censored() -> pl.Expr:
    """Days of one chain on which anybody enforced or filtered."""
    under = (pl.col("enforcing_share") + pl.col("filtering_share")) > 0.0
    return under & pl.col("free_price_usd").is_null()


# What the coins were worth


def worth(run: Run) -> list[Worth]:
    """Both coins some years after the last split, and at the end if both live."""
    parted, headline = splits(run), run.facts["headline"]
    if not parted.begun:
        return []
    found = [
        Worth(
            f"after {years} year{'s' if years > 1 else ''}",
            _years_after(parted.begun[-1], years),
            headline[f"compliant_price_usd_after_{years}_years"],
            headline[f"free_price_usd_after_{years}_years"],
            headline[f"free_coin_value_share_after_{years}_years"],
        )
        for years in ANNIVERSARIES
        if f"free_coin_value_share_after_{years}_years" in headline
    ]
    if parted.alive:
        last = run.series.row(-1, named=True)
        found.append(
            Worth("at the end", last["date"], last["compliant_price_usd"],
                  last["free_price_usd"], last["free_coin_value_share"])
        )  # fmt: skip
    return found


def _years_after(day: datetime.date, years: int) -> datetime.date:
    return day + round(years * DAYS_PER_YEAR) * ONE_DAY


def _worth_table(run: Run, coins: Sequence[Worth]) -> Table:
    since = splits(run).begun[-1]
    columns = ("on", "compliant coin, USD", "free coin, USD", "its share, %")
    table = plain_table("since the split", *columns)
    before = run.series.filter(pl.col("date") == since - ONE_DAY)["price_usd"]
    if len(before):
        table.add_row("one coin before", str(since - ONE_DAY), rounded(before[0]), "", "")
    for coin in coins:
        table.add_row(
            coin.when, str(coin.date), rounded(coin.compliant_usd), rounded(coin.free_usd),
            f"{100.0 * coin.free_share:.1f}",
        )  # fmt: skip
    return table
