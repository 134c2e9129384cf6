"""How firms order machines, and how the maker plans, prices and rations them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents import making
from agents.fleet import NEVER, NOWHERE
from agents.site import Site
from model.markets import hardware, maker, seats
from model.markets import orders as market
from model.streams import uniforms
from model.units import SATOSHI_PER_COIN

if TYPE_CHECKING:
    from model.world import World

DAYS_PER_MONTH = 30.4375
LEAST_ORDER_USD = 500.0
MOST_OFFERS = 10
ROUNDS = 6
TYPICAL_J_TH = 50.0  # turns a lot in MW into a lot in TH/s, roughly
RAREST = 0.1  # a firm that can pay for less than a lot shops now and then, at least so often
PAST_BUDGET_USD = 1e10  # more than a month of output can cost, so that it is all sold


class Orders(NamedTuple):
    """Orders of a month, one entry an order.

    Attributes
    ----------
    firm, site, item, replaced : rows; `item` in the catalogue, `replaced` a fleet or -1
    hashrate : TH/s
    """

    firm: np.ndarray
    site: np.ndarray
    item: np.ndarray
    replaced: np.ndarray
    hashrate: np.ndarray

    def only(self, keep: np.ndarray) -> Orders:
        """The orders that a mask or list of positions names."""
        return Orders(*(column[keep] for column in self))

    def scaled(self, factor: np.ndarray) -> Orders:
        """The orders cut to a share each."""
        return self._replace(hashrate=self.hashrate * factor)


def buy_machines(world: World) -> None:
    """The month's market for new machines: plan, price, order, ration, seat, pay."""
    world.miners["spent"] = 0.0
    supply = making.build_machines(world)
    arrival = world.day + round(world.lag_months * DAYS_PER_MONTH)
    unfilled = sell(world, supply, budgets(world), arrival) if world.case.firms.entry else 0.0
    making.close_book(world, supply, unfilled)


def sell(world: World, supply: np.ndarray, budget: np.ndarray, arrival: int) -> float:
    """Sell from `supply` (TH/s by generation, drawn down in place); returns MW of unfilled orders.

    The best machines go first. Buyers that get none of them, or not enough, order again from what
    is left, until nothing is left or nobody wants it.
    """
    efficiency = world.generations.efficiency_j_th * 1e-6
    on_sale, offered = supply > making.LEAST_STOCK_THS, float((supply * efficiency).sum())
    unfilled = 0.0
    for rnd in range(ROUNDS):
        goods = catalogue(world, on_sale)
        wanted = propose(world, goods, budget, rnd)
        if wanted.firm.size == 0:
            break
        served = in_lots(world, goods, wanted, ration(wanted, goods, supply))
        served = ration(served, goods, supply)  # lots may have been rounded up beyond what there is
        scarce = scarce_items(goods, wanted, supply)
        on_sale[goods.generation[scarce]] = False
        orders = admit(world, goods, served)
        spent = settle(world, goods, orders, arrival)
        budget = np.maximum(budget - spent, 0.0)
        sold = np.bincount(
            goods.generation[orders.item], weights=orders.hashrate, minlength=supply.size
        )
        supply -= np.minimum(sold, supply)
        asked = float((wanted.hashrate * goods.efficiency[wanted.item]).sum()) * 1e-6
        unfilled = max(unfilled, asked - offered)
        world.count_seats()
        if scarce.size == 0:
            break
    return unfilled


def catalogue(world: World, on_sale: np.ndarray) -> market.Catalogue:
    """Machines that can be had, with their list prices."""
    rows = np.flatnonzero(on_sale)
    return market.Catalogue(
        rows.astype(np.int64),
        world.generations.efficiency_j_th[rows],
        making.list_prices(world, rows),
        world.generations.cost_usd_th[rows],
    )


def budgets(world: World) -> np.ndarray:
    """What each firm can spend on machines this month, USD."""
    miners, firms = world.miners, world.case.firms
    coins = miners["treasury_sat"] * (world.price_usd / SATOSHI_PER_COIN)
    free = miners["cash"] + coins + world.credit_room()
    free -= DAYS_PER_MONTH * miners["overhead_usd_day"]
    able = miners.alive & (miners["status"] == 0) & (miners["halted_until"] < world.day)
    return np.where(able, np.maximum(firms.spend_share_month * free, 0.0), 0.0)


def buying_terms(world: World) -> market.BuyTerms:
    """The rules of buying, from the scenario."""
    firms, machines = world.case.firms, world.case.machines
    return market.BuyTerms(
        firms.offers,
        MOST_OFFERS,
        firms.choice_temperature,
        firms.home_bias,
        machines.discount_size_exponent,
        machines.discount_most,
        firms.relocation_abroad_usd_mw,
        world.least_lot_mw,
    )


def no_orders() -> Orders:
    """Nobody buys."""
    none = np.zeros(0, dtype=np.int64)
    return Orders(none, none, none, none, np.zeros(0))


def propose(world: World, goods: market.Catalogue, budget: np.ndarray, rnd: int) -> Orders:
    """Ask every firm with money what it would order."""
    lot_usd = world.lot_mw * 1e6 * float(goods.price.min(initial=1.0)) / TYPICAL_J_TH
    chance = uniforms(world.streams.key("shopping"), ROUNDS * world.day + rnd, budget.size)
    shops = chance < np.clip(budget / max(lot_usd, 1e-9), RAREST, 1.0)
    buyers = np.flatnonzero((budget > LEAST_ORDER_USD) & shops)
    if buyers.size == 0 or goods.generation.size == 0:
        return no_orders()
    fleets, miners = world.fleets, world.miners
    order, first = group_by_owner(world)
    horizon = world.day + round(world.lag_months * DAYS_PER_MONTH)
    vacant = Site.vacant_mw(world.sites, horizon)
    nation = world.sites["nation"].astype(np.int64)
    site, item, hashrate, replaced = market.propose_orders(
        market.Draws(world.streams.key("orders"), ROUNDS * world.day + rnd),
        market.Firms(
            buyers,
            miners["nation"].astype(np.int64),
            budget,
            miners["power_mw"],
            world.monthly_rate(),
        ),
        market.Holdings(first, order, fleets["site"], fleets["hashrate"], fleets["efficiency"]),
        seats.vacant_seats(nation, vacant, world.nations.size),
        vacant,
        world.terms,
        goods,
        world.purchase_outlook,
        buying_terms(world),
    )
    rows, columns = np.nonzero((site >= 0) & (hashrate > 0.0))
    place = rows, columns
    return Orders(buyers[rows], site[place], item[place], replaced[place], hashrate[place])


def group_by_owner(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Fleets that could be replaced, grouped by owner: rows and offsets."""
    fleets = world.fleets
    placed = np.flatnonzero(
        fleets.alive & (fleets["site"] >= 0) & (fleets["leaves_on"] == NEVER)
        & (fleets["ready_on"] <= world.day)
    )  # fmt: skip
    owner = fleets["miner"][placed]
    first = np.zeros(world.miners.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=world.miners.size), out=first[1:])
    return placed[np.argsort(owner, kind="stable")], first


def ration(orders: Orders, goods: market.Catalogue, supply: np.ndarray) -> Orders:
    """Cut orders to what there is of each generation, pro rata to prepaid power."""
    factor = np.ones(orders.hashrate.size)
    for item, generation in enumerate(goods.generation):
        mine = orders.item == item
        if mine.any():
            megawatts = orders.hashrate[mine] * goods.efficiency[item] * 1e-6
            available = supply[generation] * goods.efficiency[item] * 1e-6
            served = maker.ration(megawatts, megawatts, available)
            factor[mine] = np.minimum(served / np.maximum(megawatts, 1e-300), 1.0)
    return orders.scaled(factor)


def scarce_items(goods: market.Catalogue, orders: Orders, supply: np.ndarray) -> np.ndarray:
    """Rows of the catalogue of which more was ordered than there is."""
    asked = np.bincount(orders.item, weights=orders.hashrate, minlength=goods.generation.size)
    return np.flatnonzero(asked > supply[goods.generation])


def in_lots(world: World, goods: market.Catalogue, wanted: Orders, served: Orders) -> Orders:
    """Round what is served to lots at random, so that on average nothing is lost."""
    efficiency = goods.efficiency[wanted.item] * 1e-6
    lot = np.minimum(world.lot_mw / efficiency, wanted.hashrate)
    share = served.hashrate / np.maximum(lot, 1e-300)
    chance = world.streams.generator("lots").random(share.size)
    rounded = np.where(chance < share, lot, 0.0)
    kept = served._replace(hashrate=np.where(share < 1.0, rounded, served.hashrate))
    return kept.only(kept.hashrate > 0.0)


def admit(world: World, goods: market.Catalogue, orders: Orders) -> Orders:
    """Give seats in a fair random order; each old fleet makes room once."""
    chance = world.streams.generator("order admission").random(orders.firm.size)
    need = orders.hashrate * goods.efficiency[orders.item] * 1e-6 * world.terms.pue[orders.site]
    horizon = world.day + round(world.lag_months * DAYS_PER_MONTH)
    vacant = Site.vacant_mw(world.sites, horizon)
    target = np.where(orders.replaced < 0, orders.site, -1)
    share = seats.admit(target.astype(np.int64), need, vacant, chance)
    first = np.zeros(orders.firm.size, dtype=bool)
    first[np.unique(orders.replaced, return_index=True)[1]] = True
    share = np.where(orders.replaced >= 0, first.astype(np.float64), share)
    return orders.scaled(share).only((share > 1e-3) & (orders.hashrate * share > 1e-3))


def settle(world: World, goods: market.Catalogue, orders: Orders, arrival: int) -> np.ndarray:
    """Pay for the machines and put them on their way; returns what each firm spent, USD."""
    spent = bill(world, goods, orders)
    # A successor also takes over the seat for the other season.
    heir = orders.replaced >= 0
    second = np.full(orders.firm.size, NOWHERE)
    second[heir] = world.fleets["second_site"][orders.replaced[heir]]
    make_room(world, goods, orders)
    generation = goods.generation[orders.item]
    # Shipments of a month arrive spread over a month.
    spread = world.streams.generator("shipping").uniform(-0.5, 0.5, orders.firm.size)
    lands = np.maximum(arrival + np.round(spread * DAYS_PER_MONTH), world.day + 1)
    lands = np.maximum(lands, world.sites["energised_on"][orders.site]).astype(np.int32)
    world.fleets["leaves_on"][orders.replaced[heir]] = lands[heir]
    world.fleets.add(
        miner=orders.firm,
        site=orders.site,
        second_site=second,
        nation=world.sites["nation"][orders.site],
        generation=generation,
        hashrate=orders.hashrate,
        efficiency=goods.efficiency[orders.item],
        born=lands,
        ready_on=lands,
    )
    world.seats_changed = True
    return spent


def bill(world: World, goods: market.Catalogue, orders: Orders) -> np.ndarray:
    """Pay machines, infrastructure, duty and freight from the firms' cash; USD by firm."""
    firms, machines, sites = world.case.firms, world.case.machines, world.sites
    watt = goods.efficiency[orders.item] * 1e-6
    order_mw = orders.hashrate * watt
    list_price = goods.price[orders.item]
    paid = maker.order_price(
        list_price,
        np.minimum(goods.cost[orders.item], list_price),
        order_mw,
        machines.discount_size_exponent,
        machines.discount_most,
    )
    value = orders.hashrate * paid
    vacant = orders.replaced < 0
    infra = (
        np.where(vacant, world.terms.infra[orders.site], 0.0) * order_mw * sites["pue"][orders.site]
    )
    abroad = sites["nation"][orders.site] != world.miners["nation"][orders.firm]
    freight = np.where(abroad, firms.relocation_abroad_usd_mw, 0.0) * order_mw
    duty = value * world.terms.import_duty[orders.site]
    for account, amount in (
        ("manufacturer", value),
        ("builders", infra),
        ("freight", freight),
        ("tax", duty),
    ):
        world.pay(orders.firm, amount, account)
    total = value + infra + freight + duty
    spent = np.bincount(orders.firm, weights=total, minlength=world.miners.size)
    world.miners["spent"] += spent
    return spent


def make_room(world: World, goods: market.Catalogue, orders: Orders) -> None:
    """Old machines leave when their successors arrive; a partly replaced fleet splits."""
    fleets = world.fleets
    mine = orders.replaced >= 0
    rows = orders.replaced[mine]
    if rows.size == 0:
        return
    new_mw = orders.hashrate[mine] * goods.efficiency[orders.item[mine]]
    old_mw = fleets["hashrate"][rows] * fleets["efficiency"][rows]
    share = np.minimum(new_mw / np.maximum(old_mw, 1e-300), 1.0)
    split_off(world, rows[share < 0.999], 1.0 - share[share < 0.999])
    fleets["second_site"][rows] = -1


def split_off(world: World, rows: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Move a share of each fleet to a row of its own, alike in all else; returns those rows."""
    return carve(world, rows, world.fleets["hashrate"][rows] * share)


def carve(world: World, rows: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Cut amounts (TH/s) out of fleets, a fleet maybe several times; returns rows of the parts."""
    fleets = world.fleets
    names = fleets.agent_type.columns()
    copied = {name: fleets[name][rows].copy() for name in names}
    copied["hashrate"] = np.asarray(amount, dtype=np.float64)
    np.subtract.at(fleets["hashrate"], rows, amount)
    parts = np.asarray(fleets.add(count=rows.size, **copied))
    spent = np.unique(rows)
    fleets.remove(spent[fleets["hashrate"][spent] <= 1e-6])
    world.seats_changed = True
    return parts


def pour(left: np.ndarray, right: np.ndarray) -> list[tuple[int, int, float]]:
    """Match two lists of amounts with equal sums, in order: (row left, row right, amount)."""
    edges = np.union1d(np.cumsum(left), np.cumsum(right))
    edges = edges[np.concatenate(([True], np.diff(edges) > 1e-9 * edges[-1]))]
    starts = np.concatenate(([0.0], edges[:-1]))
    middle = 0.5 * (starts + edges)
    rows_left = np.minimum(np.searchsorted(np.cumsum(left), middle), left.size - 1)
    rows_right = np.minimum(np.searchsorted(np.cumsum(right), middle), right.size - 1)
    return list(
        zip(rows_left.tolist(), rows_right.tolist(), (edges - starts).tolist(), strict=True)
    )


def buy_ahead(world: World, arrival: int) -> None:
    """Orders of before the first day, paid by the past, delivered on a given day."""
    efficiency = world.generations.efficiency_j_th
    output = world.case.start.machine_output_mw_month
    built = hardware.output_hashrate_ths(output, world.output_weights, efficiency)
    left = built.copy()
    before = world.miners["cash"].copy()
    size = world.miners["power_mw"] / max(float(world.miners["power_mw"].sum()), 1e-9)
    sell(world, left, PAST_BUDGET_USD * size, arrival)
    world.book.produced += built - left
    paid = before - world.miners["cash"]
    world.accounts.receive(world.miners["cash"], slice(None), paid, "endowment")
    world.miners["spent"] = 0.0
