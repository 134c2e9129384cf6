"""The same seed gives the same bytes on any threads; mechanisms leave others' draws alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from model.events import Note, Outage
from model.scenario import with_days
from model.streams import uniforms
from model.world import World
from study import runfolder
from tests.test_world import ban, lived, small_case

DAYS = 65
ROOT = Path(runfolder.__file__).resolve().parent.parent
PRINT_HASH = """
import hashlib, sys
from tests.test_world import live, small_case
from model.world import World
world = World(small_case(sys.argv[1], int(sys.argv[2])))
while world.running:
    world.step()
csv = world.recorder.series().write_csv() + world.recorder.shares().write_csv()
print(hashlib.sha256(csv.encode()).hexdigest())
"""


def bytes_of(world: World) -> str:
    """Everything a run writes, as one hash."""
    csv = world.recorder.series().write_csv() + world.recorder.shares().write_csv()
    return hashlib.sha256(csv.encode()).hexdigest()


def run(case: Any, threads: int = 1) -> World:
    world = World(case)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    while world.running:
        world.step()
    numba.set_num_threads(1)
    return world


def days_alike(one: World, other: World) -> int:
    """Days from the first on which all series of two runs agree to the bit."""
    left, right = (world.recorder.series().drop("date").to_numpy() for world in (one, other))
    same = ((left == right) | (np.isnan(left) & np.isnan(right))).all(axis=1)
    return int(np.argmin(same)) if not same.all() else same.size


# --- seeds and threads -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["china_ban_2021", "baseline_2025"])
def test_the_same_seed_writes_the_same_bytes(name: str, tmp_path: Path):
    files = []
    for copy in ("one", "two"):
        case = small_case(name, DAYS)
        world = run(case)
        (tmp_path / copy).mkdir()
        runfolder.write(tmp_path / copy, case, world.recorder, 0.0)
        files.append([(tmp_path / copy / name).read_bytes() for name in
                      ("series.csv", "shares.csv", "events.csv")])  # fmt: skip
    assert files[0] == files[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_a_bit(threads: int):
    environment = os.environ | {"NUMBA_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PRINT_HASH, "china_ban_2021", str(DAYS)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == bytes_of(lived("china_ban_2021", DAYS))


def test_seeds_differ():
    hashes = {bytes_of(lived("china_ban_2021", DAYS, seed=seed)) for seed in (1, 2, 3)}
    assert len(hashes) == 3


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    case = small_case("baseline_2025", DAYS)
    short = run(with_days(case, 40))
    assert days_alike(short, run(with_days(case, 40))) == 40
    long = lived("baseline_2025", DAYS).recorder.series().head(40)
    assert short.recorder.series().equals(long)


def test_a_scenarios_seed_may_be_replaced():
    case = small_case("china_ban_2021", 20, seed=1)
    assert World(case, rng=3).seed == 3
    replaced, own = World(case, rng=3), World(case.model_copy(update={"seed": 3}))
    for _ in range(20):
        replaced.step()
        own.step()
    assert days_alike(replaced, own) == 20


# --- mechanisms leave the draws of others alone ----------------------------------------------

SWITCHES = (
    "machines.used_market=false",
    "firms.hazards=false",
    "compute.bidders=false",
    "firms.bankruptcy=false",
    "firms.relocation=false",
    "firms.entry=false",
)


def outside_draws(world: World) -> list[tuple[float, float, float]]:
    """Price, transaction fees and the blocks' key of every day."""
    seen = []
    while world.running:
        world.step()
        seen.append((world.price_usd, world.fees_btc, float(world.chain.key)))
    return seen


# What happens inside moves neither price nor transaction fees.
OUTSIDE = ("fees.congestion=0", "firms.halt_yr=2", "neutrality.discount=0")


@pytest.fixture(scope="module")
def usual() -> tuple[World, list[tuple[float, float, float]]]:
    world = World(small_case("baseline_2025", DAYS, *OUTSIDE))
    return world, outside_draws(world)


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_leaves_price_and_transaction_fees_alone(switch: str, usual: Any):
    with_it, expected = usual
    case = small_case("baseline_2025", DAYS, *OUTSIDE, switch)
    without = World(case)
    assert outside_draws(without) == expected
    for name in ("price", "transaction fees"):
        states = [world.streams.generator(name).bit_generator.state for world in (with_it, without)]
        assert states[0] == states[1]
    key = without.streams.key("hazards")
    assert key == with_it.streams.key("hazards")
    assert uniforms(key, 9, 50).tolist() == uniforms(with_it.streams.key("hazards"), 9, 50).tolist()


def events_on(world: World, kinds: tuple[str, ...]) -> list[int]:
    """Days on which something of these kinds happened."""
    rows = world.recorder.events().iter_rows(named=True)
    return [(row["date"] - world.case.start_date).days for row in rows if row["kind"] in kinds]


def test_hazards_change_nothing_before_the_first_of_them():
    sets = ("firms.halt_yr=0.1", "firms.seizure_yr=0.02")
    with_them = lived("china_ban_2021", 200, *sets, events=())
    without = lived("china_ban_2021", 200, *sets, "firms.hazards=false", events=())
    first = min(events_on(with_them, ("halt", "seizure")))
    assert 0 < first < 200
    assert first <= days_alike(with_them, without) < 200


def test_the_used_market_changes_nothing_before_its_first_auction():
    # Auctions are held on the first day of a month; a ban in mid-month fills the warehouses.
    law = (ban("CHN", date(2019, 9, 16), evasion=0.0),)
    with_it = lived("china_ban_2021", 90, "firms.attention_month=0", events=law)
    without = lived(
        "china_ban_2021", 90, "firms.attention_month=0", "machines.used_market=false", events=law
    )
    assert 1 <= days_alike(with_it, without) < 90


def test_bidders_for_computation_change_nothing_before_their_first_day():
    with_them = lived("china_ban_2021", 200, events=())
    without = lived("china_ban_2021", 200, "compute.bidders=false", events=())
    assert days_alike(with_them, without) == 200


def test_bankruptcy_changes_nothing_while_no_firm_is_short():
    rich = ("start.cash_months=60", "start.treasury_months=60")
    with_it = lived("china_ban_2021", DAYS, *rich)
    without = lived("china_ban_2021", DAYS, *rich, "firms.bankruptcy=false")
    assert not np.isin(with_it.miners["status"], (1, 2)).any()
    assert with_it.recorder["bankruptcies"].sum() == 0
    assert days_alike(with_it, without) == DAYS


# --- events that never act -------------------------------------------------------------------

DAY = date(2019, 9, 19)  # a Thursday


@pytest.mark.parametrize(
    "event",
    [
        ban("USA", DAY, affected=0.0),
        ban("USA", DAY, lead_days=3000),
        Note(kind="note", date=DAY, what="nothing"),
        Outage(kind="outage", date=DAY, until=DAY + timedelta(days=3), place="CHN", available=1.0),
    ],
    ids=["ban of no site", "ban after the end", "note", "outage of nothing"],
)
def test_an_event_that_never_acts_changes_nothing(event: Any):
    without = lived("china_ban_2021", DAYS, events=())
    assert days_alike(lived("china_ban_2021", DAYS, events=(event,)), without) == DAYS


def test_an_event_changes_nothing_before_its_day():
    without = lived("china_ban_2021", DAYS, events=())
    banned = lived("china_ban_2021", DAYS, events=(ban("CHN", DAY),))
    assert days_alike(banned, without) == (DAY - date(2019, 9, 1)).days
