"""The monthly market for used machines: from dear power and warehouses to cheap power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents import buying
from agents.fleet import NEVER, Fleet
from agents.moving import settle_moves
from agents.site import Site
from model.markets import seats, used
from model.streams import uniforms

if TYPE_CHECKING:
    from model.world import World

LOOKS = 4  # seats a buyer of used machines looks at in a month


def trade_used(world: World) -> None:
    """A call auction for each generation; bidders hold vacant seats, askers hold machines."""
    firms = world.case.firms
    if not (world.case.machines.used_market and firms.entry and firms.relocation):
        return
    bidder, site, room_mw, money = bidders(world)
    if bidder.size == 0:
        return
    asks, kept = offers(world)
    for generation in np.argsort(-world.generations.efficiency_j_th):
        rows = asks[world.fleets["generation"][asks] == generation]
        if rows.size:
            clear(world, int(generation), rows, kept, bidder, site, room_mw, money)


def bidders(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Firms with money, the vacant seats each looks at, the MW there and the USD for it."""
    miners, sites = world.miners, world.sites
    vacant = Site.vacant_mw(sites, world.day)
    nation = sites["nation"].astype(np.int64)
    market = seats.vacant_seats(nation, vacant, world.nations.size)
    money = 0.5 * buying.budgets(world)
    firms = np.flatnonzero(money > buying.LEAST_ORDER_USD)
    key, bias = world.streams.key("used"), world.case.firms.home_bias
    found = []
    for look in range(LOOKS):
        native = uniforms(key, 2 * (LOOKS * world.day + look), miners.size) < bias
        chance = uniforms(key, 2 * (LOOKS * world.day + look) + 1, miners.size)
        home = np.where(native, miners["nation"], -1)
        found.append(seats.find_seats(market, home[firms], chance[firms]))
    site = np.concatenate(found)
    bidder = np.tile(firms, LOOKS)
    seen = site >= 0
    site, bidder = site[seen], bidder[seen]
    # Of several firms that look at a seat, one bids for it.
    lot = world.streams.generator("used bidders").permutation(site.size)
    lot = lot[np.unique(site[lot], return_index=True)[1]]
    site, bidder = site[lot], bidder[lot]
    return bidder, site, vacant[site], money[bidder] / LOOKS


def offers(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Fleets for sale, and what each is worth to its owner where it is, USD/TH."""
    fleets, rule = world.fleets, world.case.machines
    free = fleets.alive & (fleets["ready_on"] <= world.day) & (fleets["leaves_on"] == NEVER)
    free &= (fleets["second_site"] < 0) & (Fleet.power_mw(fleets) > world.least_lot_mw)
    rows = np.flatnonzero(free)
    kept = np.full(fleets.size, rule.scrap_usd_th)
    placed = rows[fleets["site"][rows] >= 0]
    kept[placed] = used.used_ask(
        worth(world, fleets["site"][placed], fleets["efficiency"][placed]), rule.scrap_usd_th
    )
    return rows, kept


def worth(world: World, site: np.ndarray, efficiency: np.ndarray) -> np.ndarray:
    """Value of 1 TH/s of used machines at a site, USD/TH."""
    terms, outlook = world.terms, world.outlook
    return used.used_value(
        outlook.hashprice * (1.0 - terms.revenue_tax[site]),
        outlook.decline,
        (terms.power_price[site] + terms.upkeep[site] + outlook.idle_cost) * terms.pue[site],
        efficiency,
        world.case.machines.used_horizon_months,
        0.01,
        idle_cost_usd_mwh=0.0,
        horizon_months=world.case.machines.used_horizon_months,
        uptime=terms.duty[site],
    )


def clear(
    world: World,
    generation: int,
    asks: np.ndarray,
    kept: np.ndarray,
    bidder: np.ndarray,
    site: np.ndarray,
    room_mw: np.ndarray,
    money: np.ndarray,
) -> None:
    """One generation's auction; draws down the bidders' room and money in place."""
    fleets, rule = world.fleets, world.case.machines
    efficiency = float(world.generations.efficiency_j_th[generation])
    value = worth(world, site, np.full(site.size, efficiency))
    firms = world.case.firms
    # Sellers are not known yet: most are of the bidder's nation, the others abroad.
    freight_usd_mw = firms.home_bias * firms.relocation_home_usd_mw
    freight_usd_mw += (1.0 - firms.home_bias) * firms.relocation_abroad_usd_mw
    moving = freight_usd_mw * efficiency * 1e-6
    bid = used.used_bid(value, rule.used_freight_usd_th + moving)
    room = room_mw * 1e6 / (efficiency * world.terms.pue[site])
    quantity = np.minimum(room, money / np.maximum(bid, rule.scrap_usd_th))
    least = world.least_lot_mw * 1e6 / efficiency
    quantity = np.where((bid > rule.scrap_usd_th) & (quantity >= least), quantity, 0.0)
    price, bought, sold = used.call_auction(bid, quantity, kept[asks], fleets["hashrate"][asks])
    if not np.isfinite(price):
        return
    world.auction_price[generation] = price
    room_mw -= bought * efficiency * world.terms.pue[site] * 1e-6
    money -= bought * price
    hand_over(world, asks, sold, bidder, site, bought, price)


def hand_over(
    world: World,
    asks: np.ndarray,
    sold: np.ndarray,
    bidder: np.ndarray,
    site: np.ndarray,
    bought: np.ndarray,
    price: float,
) -> None:
    """Match what was sold with what was bought, pay, and ship."""
    fleets = world.fleets
    sellers, buyers = np.flatnonzero(sold > 0), np.flatnonzero(bought > 0)
    lots = buying.pour(sold[sellers], bought[buyers])
    rows = asks[sellers[[seller for seller, _, _ in lots]]]
    winners = buyers[[buyer for _, buyer, _ in lots]]
    amount = np.array([quantity for _, _, quantity in lots])
    parts = buying.carve(world, rows, amount)
    owner = fleets["miner"][parts].copy()
    world.pay(bidder[winners], amount * price, "traders")
    world.earn(owner, amount * price, "traders")
    fleets["miner"][parts] = bidder[winners]
    abroad = world.sites["nation"][site[winners]] != fleets["nation"][parts]
    firms, draw = world.case.firms, world.streams.generator("used downtime")
    chance = draw.random(parts.size)
    low = np.where(abroad, firms.abroad_days_low, firms.domestic_days_low)
    high = np.where(abroad, firms.abroad_days_high, firms.domestic_days_high)
    settle_moves(world, parts, site[winners], low + chance * (high - low), np.ones(parts.size))
