"""The page that says how to add a reward scheme, followed to the letter."""

from __future__ import annotations

import re
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from agents import joining, pooling
from model import observing, paying
from model.rewards.scheme import RewardScheme
from model.rewards.schemes import SCHEMES
from model.world import World
from study import fortunes
from tests import test_schemes as promises
from tests.test_politics import frozen_case
from tests.test_world import live

PAGE = Path(__file__).resolve().parent.parent / "docs" / "SCENARIOS.md"
NAME = "proportional"
PROMISES = (
    promises.test_all_that_comes_in_is_paid_out_or_kept_to_the_satoshi,
    promises.test_payouts_move_with_the_members_up_to_ties,
    promises.test_the_same_income_is_paid_the_same,
    promises.test_members_who_join_and_do_nothing_change_nothing,
    promises.test_periods_without_blocks_or_members,
    promises.test_in_the_long_run_payouts_are_in_proportion_to_work,
)


@cache
def on_the_page() -> type[RewardScheme]:
    """The class as the page has it."""
    section = PAGE.read_text(encoding="utf-8").split("## Adding a reward scheme")[1]
    block = re.search(r"^```python\n(.*?)^```", section, re.M | re.S)
    assert block is not None
    found: dict[str, Any] = {}
    exec(compile(block[1], str(PAGE), "exec"), found)
    scheme: type[RewardScheme] = found["Proportional"]
    return scheme


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table with one line more, everywhere it is read."""
    table = {**SCHEMES, NAME: on_the_page()}
    for room in (promises, paying):
        monkeypatch.setattr(room, "SCHEMES", table)
    for room in (joining, paying, observing):
        monkeypatch.setattr(room, "SCHEME_NAMES", tuple(table))


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_the_scheme_of_the_page_keeps_the_promises(promise: Any):
    promise(NAME)


@pytest.mark.usefixtures("added")
def test_a_world_mines_with_the_scheme_of_the_page(monkeypatch: pytest.MonkeyPatch):
    """Step 3: the name and the cut are posted; what was paid is told after the run."""
    monkeypatch.setattr(joining, "posted_cut", lambda terms, scheme: {NAME: 0.02}[scheme])
    case = frozen_case(
        100, "start.miners=120", 'chain.payout="pools"', "record.ledger_every_days=1",
        "pools.choice=true",
    )  # fmt: skip
    posted = case.pools.model_copy(update={"scheme": NAME})
    world = live(World(case.model_copy(update={"pools": posted})))
    fortune = world.pooling.deviations["month"].relative()[NAME]
    assert fortune.mean == pytest.approx(0.98, abs=0.03)
    assert 0.0 < fortune.over_alone < 0.7
    assert np.isfinite(pooling.variances(world, 0, 0.01, 1.0, 1000.0)).all()
    headline: dict[str, Any] = dict(world.summary())
    run: Any = SimpleNamespace(facts={"headline": headline}, case=world.case)
    screen = Console(file=StringIO(), width=100)
    for part in fortunes.parts(run):
        screen.print(part)
    assert NAME in screen.file.getvalue()  # type: ignore[attr-defined]


def test_the_page_tells_where_names_and_cuts_are():
    """Its steps name the files and the words that are there."""
    page = PAGE.read_text(encoding="utf-8").split("## Adding a reward scheme")[1]
    for file, word in (
        ("model/rewards/schemes.py", "SCHEMES"),
        ("model/parameters_pools.py", "SchemeName"),
        ("agents/joining.py", "posted_cut"),
    ):
        assert file in page
        assert word in (PAGE.parent.parent / file).read_text(encoding="utf-8")
