"""The price inside the world: what concentration, history and a split make of the path outside."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from model import metrics
from model.events import Ban, Fork
from model.markets import price
from model.neutrality import Discount, neutrality
from model.pricing import MEASURES, attack_concentration, neutrality_factor
from model.streams import Streams
from model.world import World
from tests.test_politics import directive, frozen, frozen_case
from tests.test_world import live, lived, small_case

TINY = ("start.miners=20", "start.sites=40")
START_USD = 83_000.0


def drawn_path(world: World) -> np.ndarray:
    rule, days = world.case.price, world.days
    draw = Streams(world.seed).generator("price")
    return price.gbm_path(rule.start_usd, rule.drift_yr, rule.volatility_yr, days, draw)


# --- the path from outside -------------------------------------------------------------------


@pytest.mark.parametrize("concentration", ["largest", "hhi", "adversarial"])
def test_without_a_discount_the_drawn_price_is_untouched_to_the_bit(concentration: str):
    """P1-19, T-G1: delta = 0, whatever the concentration does and however it is measured."""
    bans = tuple(
        Ban(kind="ban", date=date(2025, 4, 20), place=place, evasion=0.0)
        for place in ("RUS", "CAN", "CHN", "KAZ")
    )
    sets = ("neutrality.discount=0", f'hypotheses.concentration="{concentration}"')
    world = live(World(small_case("baseline_2025", 60, *TINY, *sets, events=bans)))
    shares = world.recorder["top_nation_share"]
    assert shares[-1] > shares[0] + 0.1
    assert world.recorder["price_usd"].tobytes() == drawn_path(world).tobytes()
    assert (world.recorder["neutrality_discount"] == 1.0).all()


def test_history_is_the_observed_path_whatever_happens():
    events = (
        Ban(kind="ban", date=date(2019, 9, 10), place="USA", evasion=0.0),
        directive("CHN", date(2019, 9, 20)),
        Fork(kind="fork", date=date(2019, 10, 20), fork="rules"),
    )
    sets = ("neutrality.discount=0.9", 'hypotheses.custody="sell"', *TINY)
    world = live(World(small_case("china_ban_2021", 70, *sets, events=events)))
    assert world.politics.split is not None
    assert world.recorder["price_usd"].tobytes() == world.prices.tobytes()
    split = slice(49, None)
    compliant, free = (world.recorder[f"{coin}_price_usd"][split] for coin in ("compliant", "free"))
    assert compliant.tolist() == world.prices[split].tolist()
    value = world.recorder["free_coin_value_share"][split]
    np.testing.assert_allclose(free / (free + compliant), value, rtol=1e-12)


# --- concentration ---------------------------------------------------------------------------


def concentrating(*sets: str, ban: bool = True) -> World:
    """Half of the world is banned outside the USA, at a flat price outside."""
    places = ("RUS", "CAN", "CHN", "KAZ", "MYS", "IRN", "DEU", "IRL") if ban else ()
    bans = tuple(Ban(kind="ban", date=date(2025, 4, 20), place=each, evasion=0.0)
                 for each in places)  # fmt: skip
    return frozen(150, *sets, us_share=0.45, events=bans)


def test_the_price_falls_when_one_nation_comes_to_dominate():
    """T-G2, at the default discount."""
    calm, dominated = concentrating(ban=False), concentrating()
    share = dominated.recorder["top_nation_share"]
    assert share[0] == pytest.approx(0.45, abs=0.02)
    assert share[30] > 0.6
    price_usd, factor = (dominated.recorder[name] for name in ("price_usd", "neutrality_discount"))
    assert (calm.recorder["price_usd"][30:] > price_usd[30:]).all()
    assert price_usd[-1] < 0.9 * START_USD
    assert (np.diff(price_usd[18:]) < 0.0).all()
    # The factor of yesterday's concentration makes today's price.
    np.testing.assert_allclose(price_usd[1:], START_USD * factor[:-1], rtol=1e-12)
    assert price_usd[0] == START_USD


def test_a_market_that_does_not_feel_dominance_leaves_the_price_alone():
    felt, unfelt = concentrating(), concentrating("neutrality.priced=false")
    assert (unfelt.recorder["price_usd"] == START_USD).all()
    assert (felt.recorder["price_usd"][30:] < START_USD).all()
    # Nations see the dominance all the same.
    assert unfelt.recorder["neutrality_discount"][-1] < 0.9


def test_the_discount_is_that_of_the_smoothed_share():
    """By hand: EMA of max(largest nation, 0.8 of the largest template), half-life 90 days."""
    case = frozen_case(100, us_share=0.45, events=concentrating().case.events)
    world, seen = World(case), []
    while world.running:
        world.step()
        templates = metrics.normalised(world.nations["template_hashrate"])
        seen.append(max(world.nation_shares.max(), 0.8 * templates.max()))
    mood = seen[0]
    for each in seen:
        mood = each + (mood - each) * 0.5 ** (1.0 / 90.0)
    assert world.sentiment.concentration == pytest.approx(mood, rel=1e-12)
    rule = Discount(0.6, 20.0, 0.5)
    expected = neutrality(mood, rule) / neutrality(seen[0], rule)
    assert neutrality_factor(world) == pytest.approx(expected, rel=1e-12)
    assert world.recorder["neutrality_discount"][-1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reading", ["largest", "hhi", "adversarial"])
def test_each_reading_of_concentration_is_its_formula(reading: str):
    world = frozen(1, f'hypotheses.concentration="{reading}"', us_share=0.45)
    sites = metrics.normalised(world.nations["hashrate"])
    templates = metrics.normalised(world.nations["template_hashrate"])

    def measure(shares: np.ndarray) -> float:
        if reading == "largest":
            return float(shares.max())
        if reading == "hhi":
            return float(np.sqrt((shares**2).sum()))
        hostile = np.maximum(-world.alliances, 0.0)
        return max(float((row * shares).sum()) for row in hostile)

    expected = max(measure(sites), 0.8 * measure(templates))
    assert expected > 0.0
    assert world.sentiment.concentration == pytest.approx(expected, rel=1e-12)
    given = (sites, templates, world.alliances, MEASURES[reading])
    assert attack_concentration(*given) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("depth", [0.1, 0.3, 0.6, 0.9])
def test_a_deeper_discount_takes_more(depth: float):
    world = concentrating(f"neutrality.discount={depth}")
    first, last = world.sentiment.first_concentration, world.sentiment.concentration
    rule = Discount(depth, 20.0, 0.5)
    expected = neutrality(last, rule) / neutrality(first, rule)
    assert world.recorder["neutrality_discount"][-1] == pytest.approx(expected, rel=1e-12)
    assert 1.0 - expected > 0.2 * depth


def test_sales_press_the_price_by_the_law_of_impact():
    """ORACLE G1: 200,000 coins in a day cost 1.22 %, half of it for a time."""
    world = World(frozen_case(70, "neutrality.discount=0"))
    for _ in range(5):
        world.step()
    world.sentiment.sold_btc = 200_000.0
    live(world)
    lost = -np.log(world.recorder["price_usd"] / START_USD)
    assert (lost[:6] == 0.0).all()
    assert lost[6] == pytest.approx(0.5 * 0.03 * np.sqrt(200 / 300), rel=1e-9)
    assert lost[36] == pytest.approx(0.75 * lost[6], rel=1e-9)
    assert world.sentiment.sold_btc == 0.0


# --- two coins -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rules", "new_algorithm", "invalidate"])
def test_a_split_divides_the_price_and_creates_no_value(kind: str):
    """F.9, G.5: P_F = v V and P_G = (1 - v) V with V <= V_pre, on every day of two coins."""
    events: tuple[Any, ...] = (
        directive(level="filter"), Fork(kind="fork", date=date(2025, 4, 24), fork=kind),
    )  # fmt: skip
    world = frozen(60, "neutrality.discount=0", events=events)
    check_two_prices(world, 20)
    value = world.recorder["free_coin_value_share"][20:]
    power = value**1.25 + (1.0 - value) ** 1.25
    total = world.recorder["price_usd"][20:] + world.recorder["free_price_usd"][20:]
    np.testing.assert_allclose(total, START_USD * power * (1.0 - 0.15 * (1.0 - value)), rtol=1e-12)


def test_two_coins_of_miners_have_two_prices_from_the_first_day():
    sets = ('hypotheses.jurisdiction="site"', 'hypotheses.fork="none"', "neutrality.discount=0",
            "censorship.ideology_mean=2", "censorship.ideology_sd=0")  # fmt: skip
    world = frozen(60, *sets, events=(directive(),))
    assert world.politics.split is not None
    check_two_prices(world, world.politics.split.day)
    # Demand opens as the hashrate stands: three to one for the free coin.
    day = world.politics.split.day
    assert world.recorder["free_coin_hashrate_share"][day] == pytest.approx(0.75, abs=0.01)


def check_two_prices(world: World, day: int) -> None:
    compliant, free = (world.recorder[f"{coin}_price_usd"] for coin in ("compliant", "free"))
    value = world.recorder["free_coin_value_share"]
    assert np.isnan(compliant[:day]).all()
    assert np.isnan(free[:day]).all()
    assert (value[:day] == 1.0).all()
    assert (world.recorder["price_usd"][day:] == compliant[day:]).all()
    total = compliant[day:] + free[day:]
    assert (total < world.prices[day:]).all()
    np.testing.assert_allclose(free[day:] / total, value[day:], rtol=1e-12)


def test_a_run_without_politics_has_the_constants_of_one_coin():
    world = lived("china_ban_2021", 30, events=())
    for name, value in (("free_coin_value_share", 1.0), ("free_coin_hashrate_share", 1.0),
                        ("enforcing_share", 0.0), ("filtering_share", 0.0)):  # fmt: skip
        assert (world.recorder[name] == value).all()
    for name in ("compliant_price_usd", "free_price_usd", "forbidden_wait_hours"):
        assert np.isnan(world.recorder[name]).all()
