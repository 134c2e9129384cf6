"""What is told of a directive, a filter or a fork, against runs whose story is known."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from agents import complying
from agents.complying import Choice
from model import ending
from model.recorder import SERIES, Recorder
from model.scenario import Scenario, load, with_days
from model.world import World
from study import runfolder, story, summary

REQUIRED = [column.name for column in SERIES if column.default is None]
START = datetime.date(2028, 1, 1)
ORDER = "Nobody shall build on such a block"
Told = tuple[int, str, str, str]
DIRECTIVE: Told = (10, "directive", "USA", ORDER)


def date(day: int) -> datetime.date:
    return START + datetime.timedelta(days=day)


def write(
    folder: Path,
    told: Sequence[Told] = (),
    two_coins: Sequence[tuple[int, int]] = (),
    days: int = 100,
    headline: Mapping[str, float | str] | None = None,
    outcome: Mapping[str, Any] | None = None,
    waits: Mapping[int, float] | None = None,
) -> runfolder.Run:
    """A finished run with these events, and two coins from each first day to before the second.

    From day 10 on 60 % of the hashrate enforces, 10 % filters and nothing forbidden gets in,
    except on the days that waits, in hours, name.
    """
    case = Scenario.model_validate(
        {
            "name": "tiny",
            "title": "A small story",
            "question": "Is it told?",
            "start_date": START,
            "end_date": date(days - 1),
            "price": {"path": [[START, 40_000.0]]},
        }
    )
    recorder = Recorder(case.days, START)
    obeyed = any(kind in ("directive", "filter") for _, kind, _, _ in told)
    for day in range(days):
        row = dict.fromkeys(REQUIRED, 1.0) | {"price_usd": 40_000.0, "orphan_rate": 0.001}
        if obeyed and day >= 10:
            hours = (waits or {}).get(day)
            row |= {"enforcing_share": 0.6, "filtering_share": 0.1, "inclusion_rate": 0.0}
            row |= {} if hours is None else {"forbidden_wait_hours": hours, "inclusion_rate": 0.2}
        if day == 20:
            row["orphan_rate"] = 0.25
        if any(first <= day < after for first, after in two_coins):
            row |= {"compliant_price_usd": 30_000.0, "free_price_usd": 10_000.0}
            row["free_coin_value_share"] = 0.25
        recorder.write(day, row)
    for event in told:
        recorder.event(*event)
    folder.mkdir(parents=True)
    runfolder.write(folder, case, recorder, 1.0, outcome, headline)
    return runfolder.read(folder)


def printed(run: runfolder.Run) -> str:
    file = io.StringIO()
    summary.print_summary(Console(file=file, width=80), run.folder)
    return file.getvalue()


def words(run: runfolder.Run) -> list[tuple[int, str]]:
    """The lines with the number of their day."""
    return [((line.date - START).days, line.words) for line in story.lines(run)]


def test_without_a_directive_a_filter_or_a_fork_nothing_is_told(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [(3, "ban", "CHN", "no more mining"), (4, "note", "WORLD", "so")])
    assert not story.is_told(run)
    said = printed(run)
    assert "who complies" not in said
    assert "outcome: O0, no attack\n" in said


def test_lines_are_in_order_with_names_and_what_the_hashrate_did(tmp_path: Path) -> None:
    told = [
        (30, "fork_proposed", "WORLD", "holders of 12% of the value ask for a fork"),
        DIRECTIVE,
        (10, "pool_exit", "AntPool", "8.6% of the hashrate leaves pools that comply"),
        (12, "defence", "RUS", "mines 3 EH/s"),
        (12, "bankruptcy", "USA miner 3", "12.5 MW liquidated"),
        (90, "directive", "USA", f"ends: {ORDER}"),
    ]
    assert words(write(tmp_path / "run", told)) == [
        (10, f"{ORDER}. That day 60 % of the hashrate enforces it, 10 % only leaves the payments "
             "out, 30 % includes them"),
        (10, "8.6 % of the hashrate leaves pools that comply, for AntPool"),
        (12, "Russia mines 3 EH/s"),
        (30, "Holders of 12 % of the value ask for a fork"),
        (90, f"Ends: {ORDER}"),
    ]  # fmt: skip


def test_a_majority_is_told_unless_the_directive_begins_with_it(tmp_path: Path) -> None:
    majority = (12, "majority_enforces", "WORLD", "60% of the hashrate enforces")
    later = words(write(tmp_path / "later", [DIRECTIVE, majority]))
    assert later[1:] == [(12, "From now on a majority: 60 % of the hashrate enforces")]
    at_once = words(write(tmp_path / "at once", [DIRECTIVE, (10, *majority[1:])]))
    assert [day for day, _ in at_once] == [10]


def test_nations_that_follow_are_one_line(tmp_path: Path) -> None:
    law = "makes the directive of United States its law"
    nations = ("CAN", "GBR", "AUS", "DEU", "NOR", "SWE")
    told = [DIRECTIVE, *((20 + n, "adoption", nation, law) for n, nation in enumerate(nations))]
    assert words(write(tmp_path / "run", told))[1:] == [
        (20, "Canada, United Kingdom, Australia, Germany and 2 more make the directive their law, "
             f"until {date(25)}")
    ]  # fmt: skip
    alone = words(write(tmp_path / "alone", told[:2]))
    assert alone[1:] == [(20, "Canada makes the directive of United States its law")]


def test_what_comes_again_is_folded_into_its_first_line(tmp_path: Path) -> None:
    left = "9.0% of the hashrate leaves pools that comply"
    told = [DIRECTIVE, *((day, "pool_exit", "AntPool", left) for day in (11, 15, 40))]
    assert words(write(tmp_path / "run", told))[1:] == [
        (
            11,
            "9.0 % of the hashrate leaves pools that comply, for AntPool; "
            f"3 times until {date(40)}",
        )
    ]


SPLIT = "miners have split the chain: the free branch leads"
UNDONE = [
    DIRECTIVE,
    (20, "split", "WORLD", SPLIT),
    (30, "wipeout", "WORLD", "the free side is undone"),
    (40, "split", "WORLD", SPLIT),
    (45, "wipeout", "WORLD", "the free side is undone"),
    (50, "split", "WORLD", SPLIT),
]
LAST = (60, "wipeout", "WORLD", "the free side is undone")


def test_splits_that_are_undone_are_folded(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [*UNDONE, LAST], [(20, 30), (40, 45), (50, 60)])
    assert story.splits(run).undone == (date(30), date(45), date(60))
    assert words(run)[1:] == [
        (20, SPLIT.capitalize()),
        (30, f"The free side is undone; split and undone 3 times until {date(60)}"),
    ]
    answers = dict(story.answers(run))
    assert (
        answers["the chain"] == f"split 3 times from {date(20)}; one chain again since {date(60)}"
    )
    assert "original rules" not in answers
    assert story.worth(run) == []


def test_a_last_split_that_lives_has_a_line_of_its_own(tmp_path: Path) -> None:
    run = write(tmp_path / "run", UNDONE, [(20, 30), (40, 45), (50, 100)])
    assert [day for day, _ in words(run)] == [10, 20, 30, 50]
    assert words(run)[2][1].endswith(f"split and undone 2 times until {date(45)}")
    chain = dict(story.answers(run))["the chain"]
    assert chain == f"two coins since {date(50)} after 2 splits that were undone"


@pytest.mark.parametrize("what", ["", "The exchange of August"])
def test_a_dated_fork_is_told_once(tmp_path: Path, what: str) -> None:
    told = [
        (20, "split", "WORLD", "users fork the chain: other rules"),
        (20, "fork", "WORLD", what),
        (20, "pinned", "WORLD", "the free side refuses the other's first block"),
    ]
    assert words(write(tmp_path / "run", told, [(20, 100)])) == [
        (20, what or "Users fork the chain: other rules"),
        (20, "The free side refuses the other's first block: it can no longer be undone"),
    ]


HEADLINE = {
    "blocks_orphaned": 1234.0,
    "forbidden_wait_hours_median": 2.5,
    "complying_share_USA": 0.987,
    "complying_share_RUS": 0.124,
    "original_rules": "free",
    "split_by": "miners",
    "value_over_paired_run": 0.87,
}


def test_what_a_reader_asks_is_answered(tmp_path: Path) -> None:
    told = [DIRECTIVE, (90, "split", "WORLD", SPLIT)]
    waits = {11: 2.0, 12: 2.5, 13: 40.0}
    run = write(tmp_path / "run", told, [(90, 100)], headline=HEADLINE, waits=waits)
    assert dict(story.answers(run)) == {
        "who complies": "70 % of the hashrate at the end; of each nation's, %: "
        "United States 99, Russia 12",
        "blocks orphaned": f"1,234; most in the 14 days up to {date(20)}: 25.0 % of those found",
        "payments waited": "2.50 hours until one got in, median of 3 days; none got in on 77 days",
        "the chain": f"two coins since {date(90)}",
        "original rules": "the free coin, of more work since the split",
        "value": "all coins are worth 0.870 times what they are without the directive",
    }


SOON = dict.fromkeys(range(10, 100), 0.4)


@pytest.mark.parametrize(
    ("waits", "hours", "answer"),
    [
        ({}, None, "none got in on 90 days"),
        (SOON, 0.4, "24 minutes until one got in, median of 90 days"),
        ({99: float("nan")}, None, "none got in on 89 days; branches were in dispute on 1 day"),
    ],
)  # fmt: skip
def test_waits_are_told_as_far_as_they_were_seen(
    tmp_path: Path, waits: dict[int, float], hours: float | None, answer: str
) -> None:
    headline = {} if hours is None else {"forbidden_wait_hours_median": hours}
    run = write(tmp_path / "run", [DIRECTIVE], headline=headline, waits=waits)
    assert story.waited(run) == answer


def test_no_orphans_are_none_and_a_fork_alone_orphans_nothing(tmp_path: Path) -> None:
    none = {"blocks_orphaned": 0.0}
    assert story.orphaned(write(tmp_path / "a", [DIRECTIVE], headline=none)) == "none"
    fork = [(20, "fork", "WORLD", "so"), (20, "split", "WORLD", "two")]
    run = write(tmp_path / "b", fork, [(20, 100)], headline=none | {"original_rules": "compliant",
                "split_by": "new_algorithm"})  # fmt: skip
    assert dict(story.answers(run)) == {
        "the chain": f"two coins since {date(20)}",
        "original rules": "the compliant coin; the free one has a new algorithm",
    }


def test_coins_are_valued_on_anniversaries_and_at_the_end(tmp_path: Path) -> None:
    headline = HEADLINE | {
        "compliant_price_usd_after_1_years": 50_000.0,
        "free_price_usd_after_1_years": 20_000.0,
        "free_coin_value_share_after_1_years": 0.2857,
    }
    told = [DIRECTIVE, (20, "split", "WORLD", SPLIT)]
    run = write(tmp_path / "run", told, [(20, 500)], days=500, headline=headline)
    assert story.worth(run) == [
        story.Worth("after 1 year", date(385), 50_000.0, 20_000.0, 0.2857),
        story.Worth("at the end", date(499), 30_000.0, 10_000.0, 0.25),
    ]
    said = " ".join(printed(run).split())
    assert "since the split on compliant coin, USD free coin, USD its share, %" in said
    assert f"one coin before {date(19)} 40,000" in said
    assert f"after 1 year {date(385)} 50,000 20,000 28.6" in said
    assert f"at the end {date(499)} 30,000 10,000 25.0" in said


def test_the_outcome_is_told_with_its_base_and_flags(tmp_path: Path) -> None:
    outcome = {
        "class": "O6",
        "name": "free coin collapsed",
        "base": "O5",
        "flags": ["filtering", "new_flag"],
        "first_passage": {},
    }
    run = write(tmp_path / "run", UNDONE, [(20, 30), (40, 45), (50, 100)], outcome=outcome,
                headline=HEADLINE)  # fmt: skip
    said = printed(run)
    end = [line.split() for line in said[said.index("outcome:") :].splitlines()]
    assert [" ".join(line) for line in end[:4]] == [
        "outcome: O6, free coin collapsed",
        "two coins live O5, compliant coin opted out",
        "filtering blacklisted payments were left out under a directive",
        "new_flag new flag",
    ]
    lines = said.splitlines()
    assert max(len(line) for line in lines if "written to" not in line) <= 80
    assert not any("…" in line for line in lines)


def test_a_price_of_a_million_leaves_dates_whole(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [DIRECTIVE])
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["outcome"] == runfolder.NO_ATTACK
    million = run.series.with_columns(price_usd=1.57e6, hashprice_usd_ph_day=1.23e6)
    million.write_parquet(run.folder / "series.parquet")
    said = printed(run)
    assert "…" not in said
    assert "1.57e+06" in said


# What the model records for it


@pytest.fixture(scope="module")
def world() -> World:
    """Three weeks of a small world, with a directive from the fifth day on."""
    case = load("us_25", ["start.miners=60", "start.sites=150"])
    day = case.start_date + datetime.timedelta(days=5)
    events = tuple(
        event.model_copy(update={"date": day}) if event.kind == "directive" else event
        for event in case.events
    )
    world = World(with_days(case.model_copy(update={"events": events}), 20))
    for _ in range(20):
        world.step()
    return world


def test_shares_that_comply_by_nation_add_up_to_those_of_the_hashrate(world: World) -> None:
    live = world.politics.live
    work = complying.divide_work(world, live)
    complying.parties(world, live, work)
    held = np.bincount(
        world.sites["nation"][world.fleets["site"]],
        weights=world.effective * world.fleets["load"] * (world.fleets["site"] >= 0),
        minlength=world.nations.size,
    )
    shares = complying.complying_shares(world, 0)
    assert np.isnan(shares[held == 0.0]).all()
    mines = held > 0.0
    total = (shares[mines] * held[mines]).sum() / held.sum()
    assert total == pytest.approx(live[0].shares.enforcing + live[0].shares.filtering)
    obedient = live[0].bound[world.miners.alive] != Choice.INCLUDE
    assert obedient.any()


def test_headlines_tell_who_complies_and_how_many_blocks_were_orphaned(world: World) -> None:
    told = ending.story(world)
    nations = [name for name in told if name.startswith("complying_share_")]
    assert len(nations) == ending.TOLD_NATIONS
    assert "complying_share_USA" in nations
    assert all(0.0 <= told[name] <= 1.0 for name in nations)
    assert told["blocks_orphaned"] == sum(world.politics.orphaned)
    if world.politics.split is not None:
        assert told["original_rules"] in ("compliant", "free")
        assert told["splits"] == world.politics.splits


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({}, ""),
        (
            {"subsidy_of_nation_btc_block": 0.0},
            "no bribe buys an inclusion, enforcers need nothing",
        ),
        (
            {"bribe_of_users_btc_block": 0.746, "subsidy_of_nation_btc_block": 0.562},
            "an inclusion costs 0.75 BTC, enforcers need 0.56 BTC a block",
        ),
    ],
)
def test_what_bribes_would_cost(figures, words):
    run = SimpleNamespace(facts={"headline": figures})
    told = story.bribed(run)
    assert told.startswith(words)
    assert bool(told) == bool(words)
