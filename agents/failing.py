"""How firms end: liquidated by creditors, or wound up by owners whose machines others want more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.miner import STATE
from agents.moving import scrap
from agents.trading import worth
from model.markets import finance
from model.units import DAYS_PER_MONTH, SATOSHI_PER_COIN, capital_recovery

if TYPE_CHECKING:
    from model.world import World

LIQUIDATED = 3
MONTHS_TO_LEAVE = 6
FORCED_SALES = 5  # firms that each machine of a failed firm is offered to, one after another


def liquidate(world: World, failed: np.ndarray) -> None:
    """Sell a failed firm's machines where they stand, and close its books.

    Machines go in place to solvent firms of the same nation, at a forced sale's discount; what
    nobody can pay for is scrapped.
    """
    fleets, miners = world.fleets, world.miners
    gone = np.zeros(miners.size, dtype=bool)
    gone[failed] = True
    rows = fleets.rows[gone[fleets["miner"][fleets.rows]]]
    for _ in range(FORCED_SALES):
        price = finance.liquidation_value(world.used_price[fleets["generation"][rows]])
        sold, _ = sell_in_place(world, rows, gone, price, "lenders")
        rows = rows[~sold]
    # What no firm can pay for goes to the highest bidder outside: as scrap.
    scrap(world, rows, np.ones(rows.size))
    close_books(world, failed)
    for row in failed:
        world.tell(
            "bankruptcy", world.firm_name(int(row)), f"{miners['power_mw'][row]:.1f} MW liquidated"
        )


def sell_in_place(
    world: World, rows: np.ndarray, gone: np.ndarray, price: np.ndarray, account: str
) -> tuple[np.ndarray, np.ndarray]:
    """Offer each fleet of leaving firms, at USD/TH, to one solvent firm that pays to an account.

    Returns whether that firm could pay for it, and the bill, USD, one entry a fleet.
    """
    fleets, miners = world.fleets, world.miners
    buyer = buyers_in_nation(world, fleets["nation"][rows], gone)
    bill = price * fleets["hashrate"][rows]
    sold = affordable(buyer, bill, miners["cash"])
    world.pay(buyer[sold], bill[sold], account)
    fleets["miner"][rows[sold]] = buyer[sold]
    return sold, bill


def affordable(buyer: np.ndarray, bill: np.ndarray, cash: np.ndarray) -> np.ndarray:
    """Which bills each buyer can pay, the smallest first, until its cash runs out; none for -1."""
    order = np.lexsort((bill, buyer))
    ranked, due = buyer[order], np.cumsum(bill[order])
    first = np.searchsorted(ranked, ranked)
    due_of_buyer = due - due[first] + bill[order][first]
    paid = np.zeros(buyer.size, dtype=bool)
    paid[order] = (ranked >= 0) & (due_of_buyer <= np.maximum(cash[ranked], 0.0))
    return paid


def price_in_place(world: World, rows: np.ndarray) -> np.ndarray:
    """What seated machines fetch where they are, USD/TH: second-hand value, or less on a bad seat.

    Who would rather have them elsewhere buys in the used market.
    """
    fleets = world.fleets
    here = worth(world, fleets["site"][rows], fleets["efficiency"][rows])
    return np.minimum(world.sale_price[fleets["generation"][rows]], here)


def gain_of_leaving(world: World) -> np.ndarray:
    """What the owners of each firm gain by selling its machines instead of mining on, USD.

    Mining on is worth the present value of what the machines earn where they are, less overhead;
    machines without a seat can be sold or seated later just as well as now.
    """
    fleets, miners, machines = world.fleets, world.miners, world.case.machines
    rows = fleets.rows[fleets["site"][fleets.rows] >= 0]
    kept = worth(world, fleets["site"][rows], fleets["efficiency"][rows])
    price = np.minimum(world.sale_price[fleets["generation"][rows]], kept)
    gain = (price - kept) * fleets["hashrate"][rows]
    months = 1.0 / capital_recovery(machines.discount_rate_month, machines.used_horizon_months)
    saved = DAYS_PER_MONTH * months * miners["overhead_usd_day"]
    return np.bincount(fleets["miner"][rows], weights=gain, minlength=miners.size) + saved


def wind_up(world: World) -> None:
    """Monthly: owners sell out where their machines fetch more than mining on would bring.

    Machines go in place to solvent firms of the same nation; what nobody can pay for stays until
    the next month. States mine on.
    """
    fleets, miners = world.fleets, world.miners
    free = miners.alive & (miners["status"] <= 1) & (miners["form"] != STATE)
    leaving = free & (miners["power_mw"] > 0.0) & (gain_of_leaving(world) > 0.0)
    if not (world.case.firms.entry and leaving.any()):
        return
    rows = fleets.rows[leaving[fleets["miner"][fleets.rows]] & (fleets["site"][fleets.rows] >= 0)]
    for _ in range(FORCED_SALES):
        seller = fleets["miner"][rows].copy()
        sold, bill = sell_in_place(world, rows, leaving, price_in_place(world, rows), "traders")
        world.earn(seller[sold], bill[sold], "traders")
        rows = rows[~sold]
    empty = leaving.copy()
    empty[fleets["miner"][fleets.rows]] = False
    miners["months_empty"][empty] = MONTHS_TO_LEAVE


def leave_business(world: World) -> None:
    """Monthly: firms that have sold their last machine close, if they buy none within half a year.

    A machine is sold when somebody's bid exceeds what it is worth where it is, so a firm whose
    machines are worth more to others ends up without any.
    """
    fleets, miners = world.fleets, world.miners
    held = np.bincount(fleets["miner"][fleets.rows], minlength=miners.size)
    trading = miners.alive & (miners["status"] < LIQUIDATED)
    miners["months_empty"] = np.where(trading & (held == 0), miners["months_empty"] + 1, 0)
    leaving = np.flatnonzero(miners["months_empty"] > MONTHS_TO_LEAVE)
    if leaving.size == 0:
        return
    repay(world, leaving)
    close_books(world, leaving, miners["creditors_share"][leaving])
    miners["status"][leaving] = LIQUIDATED
    for row in leaving:
        world.tell("exit", world.firm_name(int(row)), "has sold its machines and closes")


def repay(world: World, rows: np.ndarray) -> None:
    """Pay back what firms owe, as far as their cash goes."""
    miners = world.miners
    paid = np.minimum(miners["debt"][rows], np.maximum(miners["cash"][rows], 0.0))
    world.pay(rows, paid, "lenders")
    miners["debt"][rows] -= paid


def buyers_in_nation(world: World, nation: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """A solvent firm for each lot, with chances by cash, of the same nation if there is one."""
    miners, draw = world.miners, world.streams.generator("liquidation")
    means = np.where(miners.alive & (miners["status"] == 0) & ~gone, miners["cash"], 0.0)
    means = np.maximum(means, 0.0)
    chosen = np.full(nation.size, -1, dtype=np.int64)
    chance = draw.random(nation.size)
    for here in np.unique(nation):
        local = np.flatnonzero((miners["nation"] == here) & (means > 0))
        solvent = local if local.size else np.flatnonzero(means > 0)
        if solvent.size:
            cumulative = np.cumsum(means[solvent]) / means[solvent].sum()
            mine = nation == here
            spot = np.searchsorted(cumulative, chance[mine])
            chosen[mine] = solvent[np.minimum(spot, solvent.size - 1)]
    return chosen


def close_books(
    world: World, closed: np.ndarray, creditors_share: np.ndarray | float = 1.0
) -> None:
    """Coins and cash of closed firms go to creditors and owners by share; unpaid debt is lost."""
    miners = world.miners
    price_sat = world.price_usd / SATOSHI_PER_COIN
    coins = miners["treasury_sat"][closed]
    world.market_sat += int(coins.sum())
    world.accounts.receive(miners["cash"], closed, coins * price_sat, "exchange")
    miners["treasury_sat"][closed] = 0
    to_creditors = miners["cash"][closed] * creditors_share
    world.accounts.pay(miners["cash"], closed, to_creditors, "lenders")
    world.accounts.pay(miners["cash"], closed, miners["cash"][closed], "shareholders")
    miners["debt"][closed] = 0.0
    miners["overhead_usd_day"][closed] = 0.0
