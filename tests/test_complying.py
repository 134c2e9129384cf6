"""Whom a directive reaches, who obeys, and how long forbidden transactions wait."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from agents.miner import STATE
from agents.pool import SOLO
from model.chain.censorship import Shares, orphan_rates
from model.chain.compliance import Choice
from model.chain.patience import parse_patience
from model.chain.race import inclusion_blocks
from model.chain.tree import DayOfTree
from model.units import SECONDS_PER_DAY
from model.world import World
from tests.test_politics import (
    BY_SITE,
    DEVOTED,
    directive,
    frozen,
    frozen_case,
    pool_filter,
)
from tests.test_world import live, nation_row

FIRST = 6  # the day of the directive
READINGS = ("site", "headquarters", "template", "any")
EVERY_BLOCK = "censorship.forbidden_day=1e6"


def scattered(days: int, *sets: str, events: tuple[Any, ...] = ()) -> World:
    """Every third miner has its seat in the USA or in Germany, wherever it mines; no homes."""
    case = frozen_case(days, "start.home_share=0", *sets, us_share=0.4, events=events)
    world = World(case)
    world.miners["nation"][::6] = nation_row(world, "USA")
    world.miners["nation"][3::6] = nation_row(world, "DEU")
    return live(world)


@cache
def on_the_first_day(reading: str, *sets: str) -> World:
    """A world at the end of the first day of a directive of the USA."""
    sets = (f'hypotheses.jurisdiction="{reading}"', *DEVOTED, *sets)
    return scattered(FIRST + 1, *sets, events=(directive(),))


def told_to(world: World) -> dict[str, np.ndarray]:
    """By hand: TH/s of each fleet whose site, owner's seat or template is in the USA."""
    fleets, miners, usa = world.fleets, world.miners, nation_row(world, "USA")
    owner = np.maximum(fleets["miner"], 0)
    # Pools as they were before the members left overnight: nobody of these joined one since.
    alone, pool = before_leaving(world)
    maker = np.where(alone, miners["nation"], world.pools["nation"][pool])
    site = (fleets["site"] >= 0) & (world.sites["nation"][fleets["site"]] == usa)
    reached = {
        "site": site,
        "headquarters": miners["nation"][owner] == usa,
        "template": maker[owner] == usa,
    }
    return reached | {"any": np.any(list(reached.values()), axis=0)}


@cache
def pools_of_the_eve() -> np.ndarray:
    return scattered(FIRST, *DEVOTED).miners["pool"].copy()


def before_leaving(world: World) -> tuple[np.ndarray, np.ndarray]:
    pool = pools_of_the_eve()
    assert pool.size == world.miners.size
    return pool == SOLO, pool


# --- the three maps of jurisdiction ----------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
def test_a_directive_reaches_what_its_map_says(reading: str):
    """E.9: by site, by seat, by template, or by any; all who are told obey, no one else."""
    world = on_the_first_day(reading)
    running = world.effective * world.fleets["load"]
    expected = running[told_to(world)[reading]].sum() / running.sum()
    assert world.recorder["enforcing_share"][-1] == pytest.approx(expected, rel=1e-9)
    assert world.recorder["filtering_share"][-1] == 0.0
    assert 0.1 < expected < 0.9


def test_the_union_of_the_maps_reaches_most():
    share = {each: on_the_first_day(each).recorder["enforcing_share"][-1] for each in READINGS}
    assert share["any"] > max(share["site"], share["headquarters"], share["template"])
    assert share["any"] < share["site"] + share["headquarters"] + share["template"]
    assert len(set(share.values())) == 4


def test_members_who_would_include_leave_pools_that_comply_overnight():
    world = on_the_first_day("template")
    left = pools_of_the_eve() != world.miners["pool"]
    usa = nation_row(world, "USA")
    assert (world.pools["nation"][pools_of_the_eve()[left]] == usa).all()
    assert left.any()
    joined = world.miners["pool"][left]
    assert ((joined == SOLO) | (world.pools["nation"][joined] != usa)).all()
    events = world.recorder.events()
    assert events.filter(events["kind"] == "pool_exit").height == 1
    sets = ('hypotheses.jurisdiction="template"', *DEVOTED)
    world = scattered(FIRST + 2, *sets, events=(directive(),))
    alone = (world.miners["pool"] == SOLO) & (world.miners["nation"] == usa)
    share = world.miners["work"][alone].sum() / world.miners["work"].sum()
    assert world.recorder["enforcing_share"][-1] == pytest.approx(share, abs=1e-9)
    assert world.recorder["enforcing_share"][-1] < world.recorder["enforcing_share"][-2]


def test_miners_whom_the_law_reaches_anyway_stay_in_their_pools():
    world = on_the_first_day("any")
    reached = told_to(world)["headquarters"] | told_to(world)["site"]
    owner = np.maximum(world.fleets["miner"], 0)
    running = world.effective * world.fleets["load"] * ~reached
    loose = np.bincount(owner, weights=running, minlength=world.miners.size) > 0.0
    stayed = pools_of_the_eve() == world.miners["pool"]
    assert stayed[~loose].all()
    usa = world.pools["nation"] == nation_row(world, "USA")
    held = loose & (pools_of_the_eve() != SOLO) & usa[pools_of_the_eve()]
    assert held.any()
    assert not stayed[held].any()
    # Templates go on being made in the USA.
    assert world.nations["template_hashrate"][nation_row(world, "USA")] > 0.0


# --- who obeys -------------------------------------------------------------------------------


def test_without_a_penalty_nobody_obeys_against_his_conviction():
    """C53: more flout the law where breaches are found less often."""
    shares = []
    for chance in (0.0, 0.01, 0.03, 1.0):
        found = (f"censorship.detection_{form}={chance}" for form in ("private", "public", "home"))
        world = on_the_first_day("site", "start.state_share=0", *found)
        shares.append(world.recorder["enforcing_share"][-1])
    assert shares[0] == shares[1] == shares[2] == 0.0  # 50 rewards, found in 3 of 100: 1.5 < 2
    assert shares[3] > 0.3


def test_states_under_sanctions_include_whatever_it_costs_and_obey_their_own_law():
    shares = {}
    for issuer in ("USA", "RUS"):
        exact = (*BY_SITE, "censorship.estimate_sd=0")
        case = frozen_case(FIRST + 1, *exact, us_share=0.6, events=(directive(issuer),))
        private, state = World(case), World(case)
        for world in (private, state):
            world.miners["ideology"][:] = 0.0
        russian = state.miners["nation"] == nation_row(state, "RUS")
        state.miners["form"][russian] = STATE
        mined = [live(world).recorder["enforcing_share"][-1] for world in (private, state)]
        held = state.miners["work"][russian].sum() / state.miners["work"].sum()
        shares[issuer] = (*mined, held)
    private, state, held = shares["USA"]
    # Above one half everybody else complies.
    assert private == pytest.approx(1.0)
    assert held > 0.01
    assert state == pytest.approx(1.0 - held, abs=1e-9)
    assert shares["RUS"][1] == pytest.approx(shares["RUS"][0], abs=0.01)
    assert shares["RUS"][1] > 0.01


def test_who_is_told_may_not_ignore_a_filter():
    world = frozen(FIRST + 1, *BY_SITE, *DEVOTED, us_share=0.4, events=(directive(level="filter"),))
    assert world.recorder["enforcing_share"][-1] == 0.0
    assert world.recorder["filtering_share"][-1] == pytest.approx(0.4, abs=0.02)


# --- waits and orphans -----------------------------------------------------------------------


class Seen:
    """What a tree of blocks brought, day by day."""

    def __init__(self, world: World, skip: int = 28) -> None:
        self.waits: list[np.ndarray] = []
        self.found, self.orphaned, self.shares = [], [], []
        while world.running:
            world.step()
            day = world.blocks
            if world.day <= skip:
                continue
            assert isinstance(day, DayOfTree)
            parties = day.orphaned.size
            self.found.append(np.bincount(day.found_by, minlength=parties))
            self.orphaned.append(day.orphaned)
            self.shares.append(world.politics.live[0].shares)
            # In blocks found, of the day: difficulty and hashrate drift.
            self.waits.append(day.waits_s * day.found_by.size / SECONDS_PER_DAY)

    @property
    def all_waits(self) -> np.ndarray:
        return np.concatenate(self.waits)

    def agrees(self, expected: float) -> bool:
        """Whether the mean wait is as expected, within three standard errors."""
        waits = self.all_waits
        return bool(abs(waits.mean() - expected) < 3.0 * waits.std() / np.sqrt(waits.size))

    def orphan_share(self, party: int) -> tuple[float, float]:
        """Share of a party's blocks that were orphaned, and its standard error by weeks."""
        found = np.array(self.found)[:, party]
        lost = np.array(self.orphaned)[:, party]
        weeks = found.size // 7
        pairs = [each[: 7 * weeks].reshape(weeks, 7).sum(axis=1) for each in (found, lost)]
        rate = pairs[1].sum() / pairs[0].sum()
        rest = pairs[1] - rate * pairs[0]
        return rate, float(rest.std() * np.sqrt(weeks) / pairs[0].sum())


def test_a_filtering_pool_delays_and_orphans_nobody():
    """F.6: with a share q that only filters the wait is 1/(1 - q) blocks."""
    world = World(frozen_case(300, EVERY_BLOCK, events=(pool_filter(),)))
    seen = Seen(world)
    share = float(np.mean([each.filtering for each in seen.shares]))
    assert 0.1 < share < 0.8
    assert seen.agrees(float(np.mean([1.0 / (1.0 - each.filtering) for each in seen.shares])))
    assert seen.agrees(inclusion_blocks(1.0 - share, 0.0, parse_patience("lag:1")))
    assert not seen.agrees(1.1 / (1.0 - share))
    assert np.sum(seen.orphaned) == 0
    assert (world.recorder["orphan_rate"][FIRST:] == 0.0).all()
    assert (world.recorder["enforcing_share"] == 0.0).all()
    assert world.recorder["inclusion_rate"][-90:].mean() == pytest.approx(1.0 - share, abs=0.02)
    outcome = world.outcome()
    assert outcome["class"] == "O0"
    assert outcome["flags"] == ["voluntary_filtering"]


@cache
def feather(patience: str) -> tuple[World, Seen]:
    """A year of a quarter that enforces with patience against devoted outsiders."""
    case = frozen_case(400, *BY_SITE, *DEVOTED, EVERY_BLOCK, events=(directive(patience=patience),))
    world = World(case)
    return world, Seen(world)


@pytest.mark.parametrize("patience", ["lag:6", "lag:2", "conf:1"])
def test_waits_under_enforcement_are_those_of_the_race(patience: str):
    """F.6, ORACLE F5: 11.0 blocks at s = .25 and z = 6."""
    world, seen = feather(patience)
    assert world.outcome()["class"] in ("O1", "O2")
    rule = parse_patience(patience)
    expected = np.mean([inclusion_blocks(s.including, s.enforcing, rule) for s in seen.shares])
    if patience == "lag:6":
        assert expected == pytest.approx(11.0, abs=0.3)
    assert seen.agrees(float(expected))
    assert not seen.agrees(1.1 * float(expected))


@pytest.mark.parametrize("patience", ["lag:6", "lag:2", "conf:1"])
def test_orphans_under_enforcement_are_those_of_the_steady_state(patience: str):
    """F.4: shares of blocks lost by enforcers and by those who include."""
    _, seen = feather(patience)
    mean = Shares(*np.mean(seen.shares, axis=0))
    expected = orphan_rates(mean, parse_patience(patience))
    for party, rate in ((Choice.ENFORCE, expected.enforcing), (Choice.INCLUDE, expected.including)):
        found, error = seen.orphan_share(int(party))
        assert 0.0 < error < 0.1 * rate
        assert abs(found - rate) < 3.0 * error


def test_a_filtering_minority_leaves_the_chain_to_the_others():
    world = live(World(frozen_case(120, *BY_SITE, *DEVOTED, events=(directive(level="filter"),))))
    assert world.outcome()["class"] == "O2"
    assert 1.0 - world.recorder["inclusion_rate"][-90:].mean() == pytest.approx(0.25, abs=0.03)
