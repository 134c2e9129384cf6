"""Pools in the economy: who joins which, who makes templates, and what choice makes of it."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from agents import joining, pooling
from agents.joining import SCHEME_NAMES, Adoption, makes_templates
from agents.pool import SOLO
from model.complaint import ScenarioError
from model.parameters_pools import COVENANT
from model.rewards.solo import risk_premium, solo_relative_variance
from model.scenario import load
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR
from model.world import World
from tests.test_politics import directive, frozen_case, pool_filter
from tests.test_world import live, nation_row, small_case

BY_SCHEME = ('chain.payout="pools"', "pools.choice=true")
# The price discounts concentrated templates, so that they move everything unless it does not.
DAILY = "record.ledger_every_days=1"
PRICED_ALIKE = "neutrality.discount=0"
CALM = ("pools.attention_week=1", *BY_SCHEME)


@cache
def world_of(days: int, *sets: str) -> World:
    """A world without events; read only."""
    return live(World(frozen_case(days, "start.miners=120", *sets)))


def shares(world: World) -> np.ndarray:
    held = np.append(world.pools["hashrate"], 0.0)
    held[SOLO] = world.miners["work"].sum() - held.sum()
    return held / held.sum()


# --- the order of adoption -------------------------------------------------------------------


def test_adopters_have_the_share_asked_for():
    draws = np.array([0.7, 0.1, 0.4, 0.9])
    order = Adoption.among(draws, np.array([2.0, 1.0, 3.0, 4.0]))
    for share, adopters in ((0.0, 0), (0.1, 1), (0.4, 2), (0.6, 3), (1.0, 4)):
        assert (draws < order.threshold(share) + 1e-12).sum() == adopters


def test_without_adoption_nobody_comes_first():
    """Miners without work on the first day reach nothing, however low their draw."""
    order = Adoption.among(np.array([0.1, 0.5]), np.array([0.0, 1.0]))
    assert order.threshold(0.0) == 0.0


def test_more_adoption_only_adds_adopters():
    held = [world_of(2, f"pools.covenant_share={share}") for share in (0.0, 0.3, 0.6, 1.0)]
    members = [world.miners["pool"] == world.pools.size - 1 for world in held[1:]]
    for fewer, more in pairwise(members):
        assert (more | ~fewer).all()
        assert more.sum() > fewer.sum()
    assert held[0].pool_names[-1] != COVENANT
    assert members[-1].all()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_covenant_pool_has_about_the_share_asked_for(share: float):
    world = world_of(2, f"pools.covenant_share={share}")
    largest = world.miners["work"].max() / world.miners["work"].sum()
    assert world.recorder["covenant_share"][0] == pytest.approx(share, abs=largest)


def test_nobody_can_be_told_what_the_covenant_pool_builds():
    everyone = world_of(2, "pools.covenant_share=1")
    assert everyone.recorder["own_templates_share"][-1] == 1.0
    work = everyone.miners["work"]
    own = np.bincount(everyone.miners["nation"], weights=work, minlength=everyone.nations.size)
    assert np.allclose(everyone.nations["template_hashrate"], own)
    assert everyone.recorder["hhi_pool"][-1] == pytest.approx(np.square(work / work.sum()).sum())


# --- own templates (Stratum V2) --------------------------------------------------------------


def test_own_templates_leave_pools_and_sites_as_they_are():
    """SPEC V: more own templates disperse templates, and move no hashrate."""
    none, most = (
        world_of(40, PRICED_ALIKE, f"pools.own_templates={share}") for share in (0.0, 0.9)
    )
    assert np.array_equal(none.recorder["hashrate_ehs"], most.recorder["hashrate_ehs"])
    assert np.array_equal(none.recorder["hhi_pool"], most.recorder["hhi_pool"])
    assert np.array_equal(none.recorder["hhi_nation"], most.recorder["hhi_nation"])
    assert most.recorder["hhi_template"][-1] < 0.7 * none.recorder["hhi_template"][-1]
    assert none.recorder["hhi_template"][-1] == none.recorder["hhi_pool"][-1]


def test_own_templates_come_over_years():
    world = live(World(frozen_case(
        400, "pools.own_templates_first=0.2", "pools.own_templates=1", "pools.own_templates_years=1"
    )))  # fmt: skip
    seen = world.recorder["own_templates_share"]
    assert seen[-1] == pytest.approx(1.0)
    assert (np.diff(seen[::30]) > -0.02).all()
    assert seen[0] < 0.6 < seen[-30]


def test_a_directive_to_pools_does_not_reach_own_templates():
    """H.2: whose jobs are its own is told what its own nation tells, not what its pool's does."""
    sets = ('hypotheses.jurisdiction="template"', "start.miners=120")
    usa = {}
    for share in (0.0, 1.0):
        case = frozen_case(8, f"pools.own_templates={share}", *sets, events=(directive(),))
        world = live(World(case))
        row = nation_row(world, "USA")
        usa[share] = world.recorder["enforcing_share"][6]
        if share == 1.0:
            work = world.miners["work"]
            own = work[world.miners["nation"] == row].sum() / work.sum()
            assert usa[share] == pytest.approx(own, abs=0.01)
    assert usa[0.0] > usa[1.0] + 0.05


# --- choice ----------------------------------------------------------------------------------


def test_brands_explain_the_first_shares():
    """With everybody choosing, expected shares of the first week are those observed."""
    world = world_of(8, *CALM)
    rows = np.flatnonzero(world.miners["work"] > 0.0)
    weight = world.miners["work"][rows] / world.miners["work"][rows].sum()
    brands = np.append(world.pools["brand"], 0.0)
    expected = weight @ pooling.chances(world, pooling.worth(world, rows), brands)
    target = np.append(world.pools["first_share"], 1.0 - world.pools["first_share"].sum())
    assert expected == pytest.approx(target, abs=0.01)


def test_without_choice_nobody_moves():
    still, moving = world_of(30), world_of(30, *CALM)
    first = World(frozen_case(30, "start.miners=120")).miners["pool"]
    assert np.array_equal(still.miners["pool"], first)
    assert not np.array_equal(moving.miners["pool"], first)


def test_choice_of_pools_moves_no_other_draw():
    """SPEC 0.4: the draws of a choice that nobody makes leave everything as it was."""
    still = world_of(60, 'chain.payout="pools"')
    asked = world_of(60, *BY_SCHEME, "pools.attention_week=0")
    for series in still.recorder.columns:
        assert np.array_equal(
            still.recorder[series.name], asked.recorder[series.name], equal_nan=True
        )


def test_a_dearer_pool_loses_members():
    """Nobody pays a cut ten spreads above all others' for long."""
    dear = live(World(frozen_case(
        60, "start.miners=120", *CALM, 'pools.schemes=[["Foundry USA", "pps"]]', "pools.cut_pps=0.2"
    )))  # fmt: skip
    # The brand explains the first shares whatever the cut; a cut raised later does not.
    foundry = dear.pool_names.index("Foundry USA")
    before = shares(dear)[foundry]
    dear.pooling.schemes[foundry] = type(dear.pooling.schemes[foundry])(
        dear.pooling.schemes[foundry].terms.__class__(cut=0.3)
    )
    pooling.choose_pools(dear)
    joining.count_pools(dear)
    assert before > 0.1
    assert shares(dear)[foundry] < 0.05


def test_who_dislikes_filtering_leaves_a_pool_that_filters():
    sets = ("start.miners=120", *CALM, "censorship.ideology_mean=0.05", "censorship.ideology_sd=0")
    ended = {
        events: shares(live(World(frozen_case(40, *sets, events=events))))
        for events in ((), (pool_filter(),))
    }
    foundry = world_of(2).pool_names.index("Foundry USA")
    assert ended[()][foundry] > 0.15
    assert ended[(pool_filter(),)][foundry] < 0.1 * ended[()][foundry]


def test_a_brand_does_not_make_up_for_a_filter():
    """Whether a pool began to filter before or after the first choice, it ends where it ends."""
    sets = ("start.miners=120", *CALM, "pools.filter_dislike=100", "censorship.ideology_sd=0")
    brands = []
    for day in (date(2025, 4, 5), date(2025, 4, 20)):
        world = live(World(frozen_case(30, *sets, events=(pool_filter(day=day),))))
        brands.append(world.pools["brand"][world.pool_names.index("Foundry USA")])
        assert shares(world)[world.pool_names.index("Foundry USA")] < 0.05
    assert brands[0] == pytest.approx(brands[1], rel=1e-3)


def test_members_of_a_feeder_graduate():
    """H.5b: who finds a block often enough mines in the covenant pool itself."""
    sets = ("start.miners=120", 'chain.payout="pools"', 'pools.scheme="pplns"',
            'pools.covenant_feeder="Foundry USA"', DAILY)  # fmt: skip
    stay = live(World(frozen_case(20, *sets)))
    leave = live(World(frozen_case(20, *sets, "pools.graduation_days=2")))
    feeder = stay.pool_names.index("Foundry USA")
    work = leave.miners["work"] / leave.miners["work"].sum()
    assert stay.recorder["covenant_share"][-1] == 0.0
    assert leave.recorder["covenant_share"][-1] > 0.05
    inside = leave.miners["pool"] == feeder
    assert inside.any()
    # 144 blocks a day: an expected wait of two days is a share of 1/288.
    assert work[inside].max() < 1.05 / 288


def test_small_miners_do_not_mine_in_the_covenant_pool():
    """A.7, H.4: in the long run it is as risky as mining alone, so that who fears risk leaves."""
    calm, afraid = (
        world_of(60, *CALM, "pools.covenant_share=0.5", f"pools.risk_aversion={aversion}")
        for aversion in (0, 20)
    )
    members = [world.miners["pool"] == world.pools.size - 1 for world in (calm, afraid)]
    work = afraid.miners["work"]
    left = members[0] & ~members[1] & (work > 0.0)
    assert members[1].sum() < 0.8 * members[0].sum()
    assert work[members[1]].mean() > 2.0 * work[left].mean()


def test_the_price_of_risk_is_that_of_the_closed_form():
    world = world_of(8, *CALM)
    row = int(np.argmax(world.miners["work"]))
    premium = pooling.risk_premiums(world, np.array([row]))[0, SOLO]
    share = world.miners["work"][row] / world.miners["work"].sum()
    revenue = world.miners["work"][row] * world.hashprice * DAYS_PER_YEAR
    variance = solo_relative_variance(float(share), BLOCKS_PER_DAY * DAYS_PER_YEAR)
    wealth = float(pooling.wealth_usd(world)[row])
    assert premium == pytest.approx(min(risk_premium(revenue, wealth, variance), 1.0))
    assert 0.0 < premium < 1.0


def test_a_ruined_operator_has_no_members():
    """An operator without a reserve is ruined within weeks, and nobody is left in its pool."""
    world = live(World(frozen_case(90, "start.miners=120", *CALM, "pools.reserve_btc=0.5")))
    ruined = np.flatnonzero(world.pools["ruined"])
    assert ruined.size > 0
    assert world.recorder.events().filter(world.recorder.events()["kind"] == "ruin").height == (
        ruined.size
    )
    gone = [row for row in ruined if world.pooling.schemes[row].ruined]
    assert gone == list(ruined)
    pooling.choose_pools(world)
    assert not np.isin(world.miners["pool"][world.miners["work"] > 0.0], ruined).any()


def test_shares_tell_who_makes_templates_and_by_which_scheme():
    world = world_of(15, *CALM, "pools.covenant_share=0.5", "pools.own_templates=0.5")
    seen = world.recorder.shares()
    last = seen.filter(seen["date"] == seen["date"].max())
    for grouping in ("pool", "template_maker", "scheme"):
        assert last.filter(last["grouping"] == grouping)["share"].sum() == pytest.approx(1.0)
    made = last.filter((last["grouping"] == "template_maker") & (last["member"] == "own templates"))
    own = makes_templates(world)
    work = world.miners["work"]
    assert made["share"][0] == pytest.approx(work[own].sum() / work.sum(), abs=0.05)
    schemes = last.filter(last["grouping"] == "scheme")["member"].to_list()
    assert set(schemes) <= set(SCHEME_NAMES)
    assert {"fpps", "covenant"} <= set(schemes)


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sets", "key", "hint"),
    [
        (['pools.schemes=[["Fundry USA", "pps"]]'], "pools.schemes.0", "Foundry USA"),
        (['pools.schemes=[["Luxor", "pps"], ["Luxor", "fpps"]]'], "pools.schemes.1", "once"),
        (['pools.scheme="fppps"'], "pools.scheme", "fpps"),
        (["pools.covenant_share=1.2"], "pools.covenant_share", "1"),
        (["pools.withholding_share=0.1"], "pools.withholding_attacker", "one of"),
        (["pools.covenant_range_days=[3, 2]"], "pools.covenant_range_days", "in order"),
        (
            ['pools.covenant_window="range"', 'pools.covenant_choice="per_block"'],
            "pools.covenant_window", "count",
        ),
        (
            ["pools.withholding_share=0.1", 'pools.withholding_attacker="Luxor"',
             'pools.withholding_victim="Luxor"'],
            "pools.withholding_victim", "another pool",
        ),
        (
            ["pools.withholding_share=0.1", 'pools.withholding_attacker="Luxor"',
             'pools.withholding_victim="AntPool"'],
            "chain.payout", '"pools"',
        ),
        (["pools.choice=true"], "chain.payout", '"pools"'),
        (['pools.schemes=[["Luxor", "pps"]]'], "chain.payout", '"pools"'),
        (['pools.withholding_attacker="Luxor"'], "pools.withholding_share", "above 0"),
        (
            ['chain.payout="pools"', 'pools.covenant_feeder="Luxor"'],
            "pools.covenant_feeder", "pplns",
        ),
        (
            ['chain.payout="pools"', 'pools.covenant_feeder="Lucsor"', 'pools.scheme="pplns"'],
            "pools.covenant_feeder", "Luxor",
        ),
    ],
)  # fmt: skip
def test_bad_pools_are_refused(sets: list[str], key: str, hint: str):
    with pytest.raises(ScenarioError) as refused:
        load("baseline_2025", sets)
    assert refused.value.key.startswith(key)
    assert hint in str(refused.value)


@pytest.mark.parametrize("name", ["us_25", "filter_only_2023", "bch_2017"])
def test_a_hybrid_has_no_disputed_blocks(name: str):
    with pytest.raises(ScenarioError, match=r"virtual_mining\.replaces"):
        load(name, ["virtual_mining.replaces=0.5"])


@pytest.mark.parametrize("name", ["covenant_pool", "stratum_v2", "pool_withholding"])
def test_scenarios_run(name: str):
    world = live(World(small_case(name, 40, "record.ledger_every_days=1")))
    assert world.day == 40
