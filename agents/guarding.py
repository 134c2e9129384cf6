"""How nations guard their reserves and the coin's neutrality: sell, buy, defend, hold back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents import building
from agents.site import Site
from model import metrics, pricing
from model.chain.blocks import subsidy_sat
from model.events import Cap
from model.markets import hardware
from model.neutrality import concentration, neutrality
from model.statecraft.alliance import joint_response
from model.statecraft.contest import Contest, contest, most_hashrate, payoffs, seen_from_outside
from model.statecraft.defence import defence_gain, hegemon_cap
from model.statecraft.dominance import best_responses
from model.statecraft.reserves import (
    Reserve,
    ReservePlan,
    blacklist_risk,
    dump_fraction,
    expected_loss,
    plan_reserves,
)
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR, SATOSHI_PER_COIN

if TYPE_CHECKING:
    from model.world import World

ALLY = 0.5  # weight of a tie from which allies decide as one
MONTHS_PER_YEAR = 12.0
QUARTERS_PER_YEAR = 4.0
WORTH_TELLING_BTC = 1.0


class View(NamedTuple):
    """What nations see of the hashrate, as shares by nation.

    Attributes
    ----------
    mined : by where it stands.
    templates : by whose law reaches those who make the templates.
    """

    mined: np.ndarray
    templates: np.ndarray


def guard(world: World) -> None:
    """Quarterly: each nation holds, sells, buys or defends; yearly, the largest may hold back."""
    if not world.case.nations.strategic:
        return
    view = look_around(world)
    game = contest_of(world, view)
    risk = blacklist_risk(world.alliances, view.templates, world.atlas.relations.sanctions)
    wanted = wanted_shares(world, game, risk)
    plan = plan_quarter(world, game, wanted, risk)
    trade_reserves(world, plan.change_btc)
    defends = plan.choice == Reserve.DEFEND
    pay_for_mining(world, np.where(defends, wanted, 0.0), game.state)
    if world.today.month == 1:
        hold_back(world, view)


# What nations see


def look_around(world: World) -> View:
    """Shares of the hashrate by nation, as all nations estimate them."""
    nations, spread = world.nations, world.case.nations.observation_sd
    draws = world.streams.generator("shares seen by nations").standard_normal((2, nations.size))
    true = nations["hashrate"], nations["template_hashrate"]
    seen = (seen_from_outside(held, draw, spread) for held, draw in zip(true, draws, strict=True))
    return View(*(metrics.normalised(held) for held in seen))


def issuance_btc_yr(world: World) -> float:
    """Subsidy and transaction fees of a year that mining earns."""
    subsidy = world.chain.work_share * subsidy_sat(world.chain.height)
    reward = subsidy / SATOSHI_PER_COIN + world.fees_btc
    return float(BLOCKS_PER_DAY * DAYS_PER_YEAR * reward)


def prize_of_dominance_yr(world: World) -> float:
    """What dominance is worth in itself, years of issuance a year; nothing to who prizes none."""
    race = world.case.hypotheses.payoff == "hashwar"
    return world.case.nations.dominance_prize_yr if race else 0.0


def coins_at_stake(world: World) -> np.ndarray:
    """Coins whose value each nation reckons with when it decides about mining, BTC.

    Those of large holders count for the nation they live in: where the capital is.
    """
    nations, rule = world.nations, world.case.nations
    who = world.case.hypotheses.internalise
    coins = nations["reserve_sat"] * float(who != "none")
    if who == "all":
        wealth = nations["gdp_share"] * np.minimum(nations["capital_depth"], 1.0)
        coins = coins + rule.large_holder_share * world.market_sat * metrics.normalised(wealth)
        holders = world.miners["treasury_sat"] * world.miners.alive
        coins += np.bincount(world.miners["nation"], weights=holders, minlength=nations.size)
    return np.asarray(coins / SATOSHI_PER_COIN)


def drawn_shares(world: World, mined: np.ndarray) -> np.ndarray:
    """Share of the hashrate that came to each nation since it began to pay for it."""
    nations = world.nations
    pays = nations["defence_usd_mwh"] > 0.0
    nations["undefended_share"] = np.where(pays, nations["undefended_share"], mined)
    return np.maximum(mined - nations["undefended_share"], 0.0)


def reach(world: World, drawn: np.ndarray) -> np.ndarray:
    """Most of the hashrate that sites and machines of a year let each nation draw, as shares."""
    sites, places, cells = world.sites, world.places, world.cells
    vacant = Site.vacant_mw(sites, world.day + round(DAYS_PER_YEAR))
    existing = building.built_mw(world)
    left = np.maximum(world.potential_mw - existing, 0.0)
    new = building.within_limits(world, left, existing)
    new = MONTHS_PER_YEAR * new * (1.0 - places["banned"])[cells.place]
    room = np.bincount(sites["nation"], weights=vacant, minlength=drawn.size)
    room += np.bincount(places["nation"][cells.place], weights=new, minlength=drawn.size)
    efficiency = hardware.output_efficiency(world.output_weights, world.generations.efficiency_j_th)
    machines = MONTHS_PER_YEAR * world.output_mw * 1e6 / efficiency
    total = max(world.hashrate_ths, 1e-9)
    return np.minimum(most_hashrate(drawn * total, room, efficiency, machines) / total, 1.0)


def contest_of(world: World, view: View) -> Contest:
    """The contest for the hashrate, in shares of it, as nations see it.

    Private miners have entered until they earn what they pay, so all hashrate costs what is
    issued, and a nation's costs more by its markup.
    """
    rule, names = world.case.neutrality, world.case.hypotheses
    nations, discount = world.nations, pricing.discount(world)
    issued = issuance_btc_yr(world)
    neutral_usd = world.price_usd / neutrality(world.sentiment.concentration, discount)
    measure, drawn = pricing.MEASURES[names.concentration], drawn_shares(world, view.mined)
    templates = concentration(view.templates, measure, world.alliances)
    game = contest(
        np.full(nations.size, (1.0 + world.case.nations.cost_markup) * issued * neutral_usd),
        reach(world, drawn),
        reserves_btc=coins_at_stake(world),
        state=drawn,
        private=view.mined - drawn,
        private_cost_usd_yr=issued * neutral_usd,
        tax=0.0,
        prize_usd_yr=prize_of_dominance_yr(world) * issued * neutral_usd,
        issuance_btc_yr=issued,
        price_usd=neutral_usd,
        free_entry=True,
        template_concentration=rule.template_weight * templates,
        measure=measure,
        alliances=world.alliances,
        discount=discount,
    )
    return game._replace(blocs=rule.nation_weight * game.blocs)


# What they want


def wanted_shares(world: World, game: Contest, risk: np.ndarray) -> np.ndarray:
    """Share of the hashrate that each nation would best draw by its payments.

    Allies decide as one if the scenario says so, and so do nations that are bound to defend.
    """
    best = best_responses(game, game.state)
    for members in leagues(world, game.reserves_btc, risk):
        best[members] = joint_response(game, members, game.state)[members]
    return best


def leagues(world: World, coins_btc: np.ndarray, risk: np.ndarray) -> list[np.ndarray]:
    """Nations that decide as one, a mask for each league of two or more."""
    names = world.case.hypotheses
    found = alliances_of(world.alliances, coins_btc > 0.0) if names.alliance_joint else []
    if names.reaction == "defend":
        found = [*found, threatened(world, risk)]
    return [members for members in found if members.sum() > 1]


def alliances_of(alliances: np.ndarray, holders: np.ndarray) -> list[np.ndarray]:
    """Groups of nations with coins that ties of allies join, whoever else they know."""
    ties = (alliances >= ALLY) & np.outer(holders, holders)
    left, groups = holders.copy(), []
    while left.any():
        group = np.zeros(left.size, dtype=bool)
        group[int(np.argmax(left))] = True
        while (wider := group | (ties & group).any(axis=1)).sum() > group.sum():
            group = wider
        groups.append(group)
        left &= ~group
    return groups


def threatened(world: World, risk: np.ndarray) -> np.ndarray:
    """Nations to which dumping their reserve would be worth something."""
    rule = world.case.nations
    loss = expected_loss(risk, rule.loss_if_blacklisted)
    worth = dump_fraction(loss, rule.alternative_return) > 0.0
    return np.asarray(worth & (world.nations["reserve_sat"] > 0))


def gains_of_defence(
    world: World, game: Contest, wanted: np.ndarray, risk: np.ndarray
) -> np.ndarray:
    """What the wanted hashrate is worth to each nation a year, BTC; -inf to those who cannot mine.

    A league shares what it gains by the coins that its members hold.
    """
    gains = defence_gain(game, wanted)
    for members in leagues(world, game.reserves_btc, risk):
        without = np.where(members, 0.0, wanted)
        change = payoffs(game, wanted)[members].sum() - payoffs(game, without)[members].sum()
        gains[members] = change * metrics.normalised(game.reserves_btc[members])
    return np.where(game.most > 0.0, gains / game.terms.price_usd, -np.inf)


def plan_quarter(world: World, game: Contest, wanted: np.ndarray, risk: np.ndarray) -> ReservePlan:
    """What each nation does this quarter, and the coins it buys or sells."""
    rule, nations = world.case.nations, world.nations
    product = rule.world_product_usd_bn * 1e9 * nations["gdp_share"]
    budget = rule.purchase_gdp_share * product / QUARTERS_PER_YEAR / world.price_usd
    return plan_reserves(
        nations["reserve_sat"] / SATOSHI_PER_COIN,
        budget,
        risk,
        nations["sanctioned"],
        gains_of_defence(world, game, wanted, risk),
        world.case.hypotheses.reaction,
        loss_if_blacklisted=rule.loss_if_blacklisted,
        hurdle=rule.alternative_return,
    )


# What they do


def trade_reserves(world: World, change_btc: np.ndarray) -> None:
    """Move coins between reserves and the market, and let the price feel it.

    The square-root law is one of whole orders, however they are spread over days, so a quarter's
    coins enter it on one day.
    """
    nations = world.nations
    wanted = np.trunc(change_btc * SATOSHI_PER_COIN)
    sold = np.minimum(np.maximum(-wanted, 0.0).astype(np.int64), nations["reserve_sat"])
    bought = np.maximum(wanted, 0.0)
    there = min(1.0, world.market_sat / max(float(bought.sum()), 1.0))
    change = np.floor(there * bought).astype(np.int64) - sold
    nations["reserve_sat"] += change
    world.market_sat -= int(change.sum())
    world.sentiment.sold_btc -= float(change.sum()) / SATOSHI_PER_COIN
    for row in np.flatnonzero(np.abs(change) >= WORTH_TELLING_BTC * SATOSHI_PER_COIN):
        kind, verb = ("reserve_sale", "sells") if change[row] < 0 else ("reserve_purchase", "buys")
        coins = abs(int(change[row])) / SATOSHI_PER_COIN
        world.tell(kind, world.nation_names[row], f"{verb} {coins:.1f} BTC")


def power_price_at_home(world: World) -> np.ndarray:
    """Delivered price at each nation's sites before what it pays for mining there, USD/MWh."""
    sites, nations = world.sites, world.nations
    weights = sites["available_mw"]
    total = np.bincount(sites["nation"], weights=weights, minlength=nations.size)
    bill = np.bincount(
        sites["nation"], weights=weights * sites["power_price"], minlength=nations.size
    )
    usual = np.full(nations.size, world.reference_price)
    mean = np.divide(bill, total, out=usual, where=total > 0.0) + nations["defence_usd_mwh"]
    return np.maximum(mean, 0.0)


def pay_for_mining(world: World, wanted: np.ndarray, drawn: np.ndarray) -> None:
    """Raise or lower what each nation pays for mining at home towards what draws the wanted share.

    It pays at most its markup on the power of a hash, and moves part of that way in a quarter.
    """
    nations, rule = world.nations, world.case.nations
    most = rule.cost_markup * power_price_at_home(world)
    larger = np.maximum(wanted, drawn)
    gap = np.divide(wanted - drawn, larger, out=np.zeros(larger.size), where=larger > 0.0)
    # Who wants none stops paying, whether or not anybody came.
    gap = np.where(wanted > 0.0, gap, -1.0)
    before = nations["defence_usd_mwh"].copy()
    now = np.clip(before + rule.damping * most * gap, 0.0, most)
    nations["defence_usd_mwh"] = now
    for row in np.flatnonzero((before > 0.0) != (now > 0.0)):
        what = "no longer pays for mining at home"
        if now[row] > 0.0:
            what = f"pays for mining at home, to draw {wanted[row]:.1%} of all hashrate"
        world.tell("defence", world.nation_names[row], what)


def best_share_of(world: World, view: View, leader: int) -> float:
    """Share of the hashrate that is best for the nation with most, rent and reserve together."""
    rule, discount = world.case.neutrality, pricing.discount(world)
    weight = rule.nation_weight
    if weight == 0.0:
        return 1.0
    # The discount as a function of the share by site, which may weigh less than all.
    by_site = discount._replace(
        steepness=weight * discount.steepness, midpoint=discount.midpoint / weight
    )
    templates = rule.template_weight * float(view.templates.max()) / weight
    others = max(float(np.delete(view.mined, leader).max()), templates)
    coins = coins_at_stake(world)[leader] / issuance_btc_yr(world)
    rent = world.case.nations.rent_yr
    return hegemon_cap(coins, rent, by_site, min(others, 1.0), prize_of_dominance_yr(world))


def hold_back(world: World, view: View) -> None:
    """Yearly: the nation with most hashrate caps new mining for a year, if it is better off so."""
    leader = int(np.argmax(view.mined))
    own, best = view.mined[leader], best_share_of(world, view, leader)
    if own <= best:
        return
    name = world.nation_names[leader]
    begins = world.today + timedelta(days=1)
    what = (
        f"{name}: has {own:.1%} of the hashrate, is best off with {best:.1%}, and caps new mining"
    )
    until = begins.replace(year=begins.year + 1)
    world.statutes.enact(
        Cap(kind="cap", date=begins, until=until, place=name, capacity_mw=0.0, what=what)
    )
    world.tell("own_cap", name, what)
