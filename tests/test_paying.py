"""How a day's blocks are paid for in the running world, and what becomes of coins on the way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import poisson

from agents.joining import SCHEME_NAMES
from agents.pool import SOLO
from model import paying
from model.rewards.withholding import last_shares_revenue, victim_revenue
from model.units import SATOSHI_PER_COIN
from model.world import World
from tests.test_politics import frozen_case
from tests.test_world import live

DAILY = "record.ledger_every_days=1"
BY_SCHEME = 'chain.payout="pools"'
MIXED = (
    'pools.schemes=[["AntPool", "pps"], ["F2Pool", "pplns"], ["ViaBTC", "pplns"]]',
    "pools.covenant_share=0.3", "pools.choice=true", "pools.own_templates=0.3",
    "pools.covenant_spread=0.6",
)  # fmt: skip


@cache
def world_of(days: int, *sets: str) -> World:
    return live(World(frozen_case(days, "start.miners=120", BY_SCHEME, *sets)))


def test_every_coin_is_somewhere_every_day():
    """I2, I7: supply is what miners, operators, nations and the market hold, to the satoshi."""
    world = World(frozen_case(80, "start.miners=120", DAILY, BY_SCHEME, *MIXED))
    live(world)  # the ledger is checked daily, and raises
    held = world.pools["reserve_sat"].sum() + world.miners["treasury_sat"].sum()
    held += world.nations["reserve_sat"].sum() + world.market_sat
    assert held == world.chain.supply_sat
    schemes = [scheme.reserve_sat for scheme in world.pooling.schemes]
    assert schemes == list(world.pools["reserve_sat"])


def test_payouts_of_a_day_are_its_blocks_less_cuts_and_reserves():
    world = World(frozen_case(30, "start.miners=120", BY_SCHEME, *MIXED))
    while world.running:
        reserves, before = int(world.pools["reserve_sat"].sum()), world.market_sat
        world.observe_markets()
        world.obey_law()
        world.receive_deliveries()
        world.run_machines()
        world.find_blocks()
        paid = int(world.miners["earned_sat"].sum())
        # No coin has been sold yet: the market has paid transaction fees and got the cuts.
        cuts = world.market_sat - before + world.blocks.fees_sat
        kept = int(world.pools["reserve_sat"].sum()) - reserves
        assert paid + kept + cuts == world.blocks.reward_sat
        assert cuts >= 0
        assert (world.miners["earned_sat"] >= 0).all()
        world.settle_accounts()
        world.record()
        for decide in world.decisions_due():
            decide(world)
        world.day += 1
        world.running = world.day < world.days


def test_schemes_pay_what_they_promise():
    """FPPS pays all but its cut whatever the luck; others pay on average what was fair."""
    world = world_of(370, *MIXED[:1], "pools.covenant_share=0.3")
    told = world.pooling.deviations["month"].relative()
    assert told["fpps"].mean == pytest.approx(1.0 - world.case.pools.cut_fpps, abs=1e-3)
    assert told["fpps"].swing < 1e-3
    assert told["fpps"].over_alone < 0.02
    assert told["pps"].mean < 1.0 - world.case.pools.cut_pps
    assert told["covenant"].over_alone > 5.0 * told["fpps"].over_alone
    assert told["solo"].over_alone == pytest.approx(1.0, abs=0.2)


def test_a_year_of_covenant_is_as_uncertain_as_a_year_alone():
    """H.4, insight 1, in the running world: a month is smoother than alone, years hardly are."""
    sets = ("pools.covenant_share=0.3", "pools.covenant_window_blocks=2000")
    months, years = (
        world_of(1200, *sets).pooling.deviations[each].relative() for each in ("month", "year")
    )
    # 2,000 blocks of a pool with .3 of all are 46 days.
    assert months["covenant"].over_alone < 0.75
    assert years["covenant"].over_alone > months["covenant"].over_alone + 0.1
    assert years["covenant"].over_alone == pytest.approx(1.0, abs=0.35)


def test_withholding_pays_as_the_closed_form_says():
    """H.6: what the attacker and its victim earn over fair, within three standard errors.

    That the attacker gains at all, through the scheme itself, test_pools.py shows at shares
    at which its gain is larger than luck.
    """
    sets = (
        'pools.scheme="pplns"', "pools.cut_pplns=0", "pools.withholding_share=0.25",
        'pools.withholding_attacker="AntPool"', 'pools.withholding_victim="Foundry USA"',
    )  # fmt: skip
    world = world_of(700, *sets)
    work, pool = world.miners["work"], world.miners["pool"]
    rows = {role: world.pool_names.index(name)
            for role, name in (("attacker", "AntPool"), ("victim", "Foundry USA"))}  # fmt: skip
    share = {role: float(work[pool == row].sum() / work.sum()) for role, row in rows.items()}
    infiltrating = 0.25 * share["attacker"]
    expected = {
        "attacker": last_shares_revenue(share["attacker"], share["victim"], infiltrating),
        "victim": victim_revenue(share["victim"], infiltrating),
    }
    blocks = world.chain.height - world.chain.start_height
    for role in rows:
        gain = world.summary()[f"withholding_{role}_gain"]
        error = 3.0 / np.sqrt(share[role] * blocks)
        assert gain == pytest.approx(expected[role] / share[role] - 1.0, abs=error)
        assert world.summary()[f"withholding_{role}_error"] == pytest.approx(error / 3.0, rel=0.3)
    assert world.summary()["withholding_victim_gain"] < -0.03


def test_withholding_in_the_covenant_pool_brings_nothing():
    sets = (
        "pools.covenant_share=0.4", "pools.withholding_share=0.25",
        'pools.withholding_attacker="AntPool"', 'pools.withholding_victim="covenant pool"',
        "pools.cut_fpps=0",
    )  # fmt: skip
    told = world_of(200, *sets).summary()
    # FPPS pays the honest part in full: what infiltrates is lost, but for the lower difficulty.
    assert told["withholding_attacker_gain"] < -0.15


def test_finders_who_may_choose_keep_blocks_before_a_halving():
    """H.5b: a block whose window lies behind the halving is worth half to share."""
    sets = (
        'pools.covenant_choice="per_block"', "pools.covenant_share=0.999",
        "pools.covenant_risk_benefit=0.2", "start.height=1049000",
        "pools.covenant_window_blocks=3000",
    )  # fmt: skip
    world = World(frozen_case(12, "start.miners=30", DAILY, BY_SCHEME, *sets))
    scheme = world.pooling.schemes[-1]
    sizes = []
    while world.running:
        world.step()
        sizes.append((world.chain.height, len(scheme.window)))
    before = [size for height, size in sizes if height < 1_050_000]
    after = [size for height, size in sizes if height >= 1_050_000]
    # More than half of the next 3,000 blocks lie behind the halving.
    assert before[-1] - before[0] < 0.1 * (1_050_000 - sizes[0][0])
    assert after[-1] - after[0] > 300


def test_a_feeder_pays_its_members_what_the_covenant_pool_pays_it():
    """H.5b: a pool as one member of the covenant pool; every satoshi is accounted for daily."""
    sets = (
        'pools.scheme="pplns"', "pools.cut_pplns=0", "pools.covenant_share=0.2",
        'pools.covenant_feeder="AntPool"', DAILY, "pools.covenant_spread=0.5",
    )  # fmt: skip
    world = world_of(400, *sets)
    pooling, row = world.pooling, world.pool_names.index("AntPool")
    assert pooling.earned_sat[row] / pooling.worth_sat[row] == pytest.approx(1.0, abs=0.05)
    covenant = pooling.schemes[-1]
    # The feeder is the first of the covenant pool's members and finds its part of the blocks.
    work, pool = world.miners["work"], world.miners["pool"]
    fed, own = work[pool == row].sum(), work[pool == world.pools.size - 1].sum()
    found = float((np.array(covenant.window) == 0).mean())
    assert found == pytest.approx(fed / (fed + own), abs=0.15)


def test_a_halving_is_expected_to_the_block():
    """On the day of a halving PPS and FPPS pay the mean of both subsidies."""
    world = World(frozen_case(3, "start.miners=30", BY_SCHEME, "start.height=1049900"))
    fair = paying.expected(world)
    blocks = fair.blocks
    assert 100 < blocks < 200
    mean = (100 * 3.125e8 + (blocks - 100) * 1.5625e8) / blocks
    assert fair.subsidy_sat == pytest.approx(mean)
    assert fair.halving_s == 100 * 600.0
    world.step()
    assert paying.expected(world).subsidy_sat == 156_250_000


def test_what_payouts_cost_leaves_the_pool_and_no_coin_is_lost():
    sets = ("pools.covenant_share=0.9", "pools.covenant_payee_sat=1000")
    free, dear = (
        live(World(frozen_case(20, "start.miners=40", DAILY, BY_SCHEME, *each)))
        for each in (sets[:1], sets)
    )
    assert dear.miners["earned_sat"].sum() < free.miners["earned_sat"].sum()


def test_hybrid_pays_donors_their_part():
    """I.7: proof of work is paid (1 - nu) of the subsidy, and expects no more."""
    whole, half = (
        live(World(frozen_case(12, "start.miners=60", DAILY, f"virtual_mining.replaces={share}")))
        for share in (0.0, 0.5)
    )
    assert half.blocks.reward_sat > 0
    paid = int(half.miners["earned_sat"].sum())
    blocks = half.blocks
    assert paid == blocks.reward_sat - blocks.subsidy_sat // 2
    assert paying.donors_sat(half, blocks) == blocks.subsidy_sat // 2
    assert half.chain.supply_sat == half.miners["treasury_sat"].sum() + (
        half.market_sat + half.nations["reserve_sat"].sum() + half.pools["reserve_sat"].sum()
    )
    subsidy = whole.chain.subsidy_sat / SATOSHI_PER_COIN
    ratio = half.recorder["hashprice_usd_ph_day"][0] / whole.recorder["hashprice_usd_ph_day"][0]
    first_fees = whole.recorder["fees_btc"][0] / whole.recorder["blocks"][0]
    assert ratio == pytest.approx((0.5 * subsidy + first_fees) / (subsidy + first_fees), rel=1e-6)
    told, fees = half.summary()["security_budget_over_whole_end"], half.fees_btc
    assert told == pytest.approx((0.5 * subsidy + fees) / (subsidy + fees), rel=1e-6)


def test_the_swing_of_mining_alone_is_that_of_poisson_numbers():
    """Against sums over the distribution."""
    for mean in (0.02, 0.5, 1.0, 3.7, 40.0):
        number = np.arange(400)
        chance = poisson.pmf(number, mean)
        expected = (chance * np.abs(number / mean - 1.0)).sum()
        assert paying.poisson_swing(np.array([mean]))[0] == pytest.approx(expected, rel=1e-9)


def test_who_mines_alone_is_paid_by_its_own_scheme():
    world = world_of(40)
    assert (
        paying.scheme_of(world)[world.miners["pool"] == SOLO] == SCHEME_NAMES.index("solo")
    ).all()
