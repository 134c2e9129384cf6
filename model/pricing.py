"""The coin price of the day: the path from outside, moved by what happens inside the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from model import metrics
from model.markets.price import FlowImpact, absorb_flow, endogenous_price
from model.neutrality import Discount, Measure, attack_concentration, neutrality, smoothed

if TYPE_CHECKING:
    from model.world import World

MEASURES: dict[str, Measure] = {
    "largest": "max_share",
    "hhi": "root_hhi",
    "adversarial": "adversaries",
}


@dataclass
class Sentiment:
    """What the market remembers: concentration, smoothed and on the first day, and past sales.

    Attributes
    ----------
    concentration, first_concentration : attack-relevant share; NaN before anything was seen
    impact : of sales and purchases by nations and custodians
    sold_btc : today so far, by them
    """

    concentration: float = float("nan")
    first_concentration: float = float("nan")
    impact: FlowImpact = field(default_factory=FlowImpact)
    sold_btc: float = 0.0


def discount(world: World) -> Discount:
    """How the price falls with concentration, from the scenario."""
    rule = world.case.neutrality
    return Discount(rule.discount, rule.steepness, rule.midpoint)


def neutrality_factor(world: World) -> float:
    """Price over that at the first day's concentration."""
    mood = world.sentiment
    if np.isnan(mood.concentration):
        return 1.0
    rule = discount(world)
    now, first = (neutrality(m, rule) for m in (mood.concentration, mood.first_concentration))
    return float(now / first)


def outside_price(world: World) -> float:
    """The price without a split, USD; an observed path holds what concentration did to it."""
    outside = float(world.prices[world.day])
    felt = world.case.neutrality.priced and world.case.price.mode != "historical"
    moved = neutrality_factor(world) if felt else 1.0
    return endogenous_price(outside, moved, 1.0, world.sentiment.impact)


def watch_concentration(world: World) -> None:
    """Daily: the market takes note of who could rule the chain."""
    rule, mood = world.case.neutrality, world.sentiment
    seen = attack_concentration(
        metrics.normalised(world.nations["hashrate"]),
        metrics.normalised(world.nations["template_hashrate"]),
        world.alliances,
        MEASURES[world.case.hypotheses.concentration],
        rule.nation_weight,
        rule.template_weight,
    )
    if np.isnan(mood.concentration):
        mood.concentration = mood.first_concentration = seen
    mood.concentration = float(
        smoothed(mood.concentration, seen, half_life_days=rule.half_life_days)
    )


def absorb_sales(world: World) -> None:
    """Daily: the price takes in what nations and custodians sold."""
    rule, mood = world.case.neutrality, world.sentiment
    mood.impact = absorb_flow(
        mood.impact,
        mood.sold_btc,
        half_life_days=rule.impact_half_life_days,
        strength=rule.impact,
        volatility_day=rule.volatility_day,
        volume_btc_day=rule.volume_btc_day,
    )
    mood.sold_btc = 0.0
