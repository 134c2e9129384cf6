"""Firms' money: bills, coins sold, debt, equity, distress, seizure and growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.building import built_by_place
from agents.failing import LIQUIDATED, liquidate
from agents.joining import join_pools
from agents.miner import PUBLIC, Miner
from agents.moving import scrap
from model.markets import costs, finance
from model.markets.dispatch import divide_among
from model.streams import uniforms
from model.units import DAYS_PER_MONTH, SATOSHI_PER_COIN

if TYPE_CHECKING:
    from model.world import World

AMORTISATION_MONTHS = 36.0


def settle_day(world: World) -> None:
    """Sell coins, pay the day's bills."""
    miners = world.miners
    settle_hedges(world)
    bills = miners["power_bill"] + world.services_bill + world.revenue_tax_bill
    price_sat = world.price_usd / SATOSHI_PER_COIN
    sold = Miner.coins_to_sell(miners, bills, price_sat)
    everyone = slice(None)
    miners["treasury_sat"] -= sold
    world.market_sat += int(sold.sum())
    world.accounts.receive(miners["cash"], everyone, sold * price_sat, "exchange")
    world.accounts.pay(miners["cash"], everyone, miners["power_bill"], "utility")
    world.accounts.pay(miners["cash"], everyone, world.services_bill, "services")
    world.accounts.pay(miners["cash"], everyone, world.revenue_tax_bill, "tax")


def settle_hedges(world: World) -> None:
    """Add to the power bills what hedged load pays over the day's price, or gets back.

    A hedged load that stands still while power is short sells what it has bought ahead.
    """
    miners, sites = world.miners, world.sites
    if not (miners["hedged"] > 0).any():
        return
    fixed = costs.hedged_price(sites["power_price"], sites["contract_price"], 1.0)
    energy = world.effective * world.joules * world.fleets["load"]
    paid_over = by_miner(world, sites["energy_mwh"] * (fixed - sites["power_price"]), energy)
    miners["power_bill"] = np.maximum(miners["power_bill"] + miners["hedged"] * paid_over, 0.0)
    if world.power.called.size:
        sold = miners["hedged"] * by_miner(world, sold_into_spikes(world), energy)
        world.accounts.receive(miners["cash"], slice(None), sold, "utility")


def sold_into_spikes(world: World) -> np.ndarray:
    """What a hedged load at each site earns today by standing still in dear hours, USD.

    It resells, at the spot price, what it has bought ahead for the hours in which it would run.
    """
    sites, power = world.sites, world.power
    hours = power.called_hours
    stood_mwh = np.where(power.called, sites["energy_mwh"], 0.0) * hours / max(24 - hours, 1)
    bought = costs.hedged_price(sites["power_price"], sites["contract_price"], 1.0)
    return stood_mwh * np.maximum(world.case.energy.spike_usd_mwh - bought, 0.0)


def choose_hedges(world: World) -> None:
    """Quarterly: firms with a finance team of their own fix the price of part of their load."""
    miners, firms = world.miners, world.case.firms
    size = miners["power_mw"] / miners["multiplicity"]
    miners["hedged"] = costs.hedge_ratio(size, firms.hedge_share, firms.hedge_least_mw)


def by_miner(world: World, site_amounts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Amounts of sites divided among the firms there by the weights of their fleets, per firm."""
    if not site_amounts.any():
        return np.zeros(world.miners.size)
    fleets = world.fleets
    return np.asarray(
        divide_among(fleets["site"], fleets["miner"], weights, site_amounts, world.miners.size)
    )


def measure_firms(world: World) -> None:
    """Monthly: the size, overhead and machine value of every firm."""
    fleets, miners, firms = world.fleets, world.miners, world.case.firms
    owner = np.maximum(fleets["miner"], 0)
    placed = (fleets["site"] >= 0) & (fleets["ready_on"] <= world.day)
    watts = fleets["hashrate"] * fleets["efficiency"] * 1e-6 * world.case.energy.pue
    size = np.bincount(owner, weights=watts * placed, minlength=miners.size)
    value = fleets["hashrate"] * world.used_price[fleets["generation"]]
    miners["power_mw"] = size
    miners["machine_value"] = np.bincount(owner, weights=value, minlength=miners.size)
    each = size / miners["multiplicity"]
    use = 0.95
    overhead = costs.operating_cost_usd_mwh(
        each, each, use,
        scale_advantage=firms.scale_advantage,
        fixed_cost_scale=firms.fixed_cost_scale,
        om_usd_mwh=0.0,
    )  # fmt: skip
    miners["overhead"] = overhead
    miners["overhead_usd_day"] = overhead * size * 24.0 * use
    world.repair_days = repair_days(world, each)


def repair_days(world: World, size_mw: np.ndarray) -> np.ndarray:
    """Days that a failed machine of each firm is away; by the size of one household."""
    machines = world.case.machines
    unit_ths = world.frontier_unit_ths
    count = size_mw * 1e6 / world.mean_efficiency / unit_ths
    margin = max(world.outlook.hashprice - world.reference_price * world.mean_efficiency * 24e-6, 0)
    in_house = costs.repairs_in_house(count, unit_ths, margin, machines.failure_yr)
    return costs.repair_days(in_house)


def credit_limit(world: World) -> np.ndarray:
    """Most debt each firm could have, USD."""
    miners, firms = world.miners, world.case.firms
    assets = assets_usd(world)
    return finance.debt_limit_usd(
        miners["form"],
        assets,
        miners["machine_value"],
        world.depth[miners["nation"]],
        bond_loan_to_value=firms.bond_loan_to_value,
        bank_loan_to_value=firms.bank_loan_to_value,
    )


def assets_usd(world: World) -> np.ndarray:
    """Cash, coins and machines of each firm, USD."""
    miners = world.miners
    coins = miners["treasury_sat"] * (world.price_usd / SATOSHI_PER_COIN)
    return np.asarray(np.maximum(miners["cash"] + coins + miners["machine_value"], 0.0))


def service_debt(world: World) -> None:
    """Monthly: interest and amortisation, except of firms in restructuring."""
    miners = world.miners
    assets = np.maximum(assets_usd(world), 1e-9)
    rate = finance.borrowing_rate(
        miners["form"], world.depth[miners["nation"]], np.minimum(miners["debt"] / assets, 1.0)
    )
    pays = finance.pays_interest(miners["status"])
    interest = np.where(pays, miners["debt"] * rate / 12.0, 0.0)
    repaid = np.where(pays, miners["debt"] / AMORTISATION_MONTHS, 0.0)
    world.accounts.pay(miners["cash"], slice(None), interest + repaid, "lenders")
    miners["debt"] -= repaid


def borrow(world: World) -> None:
    """Monthly: firms that spent more than they had draw on their credit."""
    miners = world.miners
    room = finance.credit_room_usd(credit_limit(world), miners["debt"])
    needed = np.maximum(DAYS_PER_MONTH * miners["overhead_usd_day"] - miners["cash"], 0.0)
    drawn = np.where(miners["status"] == 0, np.minimum(needed, room), 0.0)
    lend(world, drawn)


def lend(world: World, amount: np.ndarray) -> None:
    """Pay out loans."""
    world.accounts.receive(world.miners["cash"], slice(None), amount, "lenders")
    world.miners["debt"] += amount


def issue_equity(world: World) -> None:
    """Quarterly: public firms issue shares while they are valued above their assets."""
    miners, firms = world.miners, world.case.firms
    assets = assets_usd(world)
    miners["market_value"] = np.where(
        miners["form"] == PUBLIC, world.valuation * np.maximum(assets - miners["debt"], 0.0), 0.0
    )
    room = finance.equity_room_usd(
        miners["form"],
        miners["market_value"],
        np.maximum(assets - miners["debt"], 0.0),
        world.depth[miners["nation"]],
        share_quarter=firms.equity_quarter,
    )
    wanted = np.where((miners["status"] <= 1) & (world.makers["tobin_q"][0] > 1.0), room, 0.0)
    impact = finance.equity_price_impact(wanted, miners["market_value"])
    # Those who hold the old shares, former creditors too, are diluted by the new ones.
    old = miners["market_value"]
    miners["creditors_share"] *= old / np.maximum(old + wanted, 1e-9)
    miners["market_value"] *= 1.0 + impact
    proceeds = finance.equity_proceeds_usd(wanted)
    world.accounts.receive(miners["cash"], slice(None), proceeds, "shareholders")


def check_solvency(world: World) -> None:
    """Daily: distress, restructuring and liquidation."""
    miners = world.miners
    short = miners["cash"] < 60.0 * miners["overhead_usd_day"]
    troubled = short | (miners["status"] == 1) | (miners["status"] == 2)
    if not world.case.firms.bankruptcy or not troubled.any():
        return
    key = world.streams.key("solvency")
    room = finance.credit_room_usd(credit_limit(world), miners["debt"])
    coins = miners["treasury_sat"] * (world.price_usd / SATOSHI_PER_COIN)
    step = finance.step_solvency(
        miners["status"],
        miners["cash"] + coins,
        miners["overhead_usd_day"],
        room,
        miners["form"],
        world.rule_of_law[miners["nation"]],
        np.maximum(miners["status_until"] - world.day, 0) / DAYS_PER_MONTH,
        uniforms(key, 2 * world.day, miners.size),
        uniforms(key, 2 * world.day + 1, miners.size),
        haircut=world.case.firms.haircut,
    )
    apply_solvency(world, step)


def apply_solvency(world: World, step: finance.SolvencyStep) -> None:
    """Carry out what the state machine decided."""
    miners = world.miners
    alive = miners.alive
    lend(world, np.where(alive, step.refinance_usd, 0.0))
    miners["status"] = np.where(alive, step.state, miners["status"])
    entering = np.flatnonzero(step.newly_restructuring & alive)
    until = world.day + np.ceil(step.months_left[entering] * DAYS_PER_MONTH)
    miners["status_until"][entering] = until.astype(np.int32)
    forgiven = miners["debt"] * (1.0 - step.debt_factor)
    miners["debt"] -= forgiven
    # Who takes a firm over settles its unpaid bills.
    owed = np.where(step.creditors_take_over & alive, np.maximum(-miners["cash"], 0.0), 0.0)
    world.accounts.receive(miners["cash"], slice(None), owed, "lenders")
    miners["creditors_share"][step.creditors_take_over & alive] = 1.0
    for row in entering:
        world.tell(
            "restructuring", world.firm_name(int(row)), "files for protection, machines run on"
        )
    failed = np.flatnonzero(step.newly_liquidated & alive)
    world.failures_today = int(failed.size + entering.size)
    if failed.size:
        liquidate(world, failed)


def suffer_law(world: World) -> None:
    """Daily: halts of firms and seizures of sites where law is weak."""
    firms, miners, sites = world.case.firms, world.miners, world.sites
    if not firms.hazards:
        return
    key = world.streams.key("hazards")
    halt = finance.event_probability(finance.halt_hazard_yr(world.rule_of_law, firms.halt_yr))
    # A regulator's stop hits firms of some size; nobody hears a household.
    hit = uniforms(key, 3 * world.day, miners.size) < halt[miners["nation"]]
    heard = miners["power_mw"] > miners["multiplicity"] * 1.0
    rows = np.flatnonzero(hit & miners.alive & (miners["status"] < 3) & heard)
    if rows.size:
        days = finance.uniform_days(uniforms(key, 3 * world.day + 1, miners.size)[rows], 30, 180)
        miners["halted_until"][rows] = world.day + days - 1  # today is the first
        for row in rows:
            megawatts = miners["power_mw"][row]
            world.tell(
                "halt", world.firm_name(int(row)), f"{megawatts:.1f} MW stopped by a regulator"
            )
    share = world.nation_shares
    seize = finance.event_probability(
        finance.seizure_hazard_yr(world.rule_of_law, share, firms.seizure_yr)
    )
    taken = uniforms(key, 3 * world.day + 2, sites.size) < seize[sites["nation"]]
    seized = np.flatnonzero(taken & sites.alive & (sites["used_mw"] > 0) & (sites["tenant"] == 0))
    if seized.size:
        seize_sites(world, seized)


def seize_sites(world: World, seized: np.ndarray) -> None:
    """A state takes the machines at a site: they are lost to the network."""
    fleets = world.fleets
    taken = np.zeros(world.sites.size, dtype=bool)
    taken[seized] = True
    here = (fleets["site"][fleets.rows] >= 0) & (fleets["ready_on"][fleets.rows] <= world.day)
    rows = fleets.rows[here & taken[fleets["site"][fleets.rows]]]
    for site in seized:
        name = world.place_names[world.sites["place"][site]]
        world.tell(
            "seizure", name, f"a site of {world.sites['capacity_mw'][site]:.1f} MW is seized"
        )
    scrap(world, rows, np.ones(rows.size), paid=False)


def grow_up(world: World) -> None:
    """Monthly: homes become private firms, private firms go public."""
    miners = world.miners
    each = miners["power_mw"] / miners["multiplicity"]
    form = finance.growth_path(
        miners["form"], each, world.depth[miners["nation"]], np.full(miners.size, world.momentum)
    )
    listed = np.flatnonzero((form == PUBLIC) & (miners["form"] != PUBLIC) & miners.alive)
    miners["form"] = form
    for row in listed:
        world.tell("listing", world.firm_name(int(row)), "goes public")


def found_firms(world: World) -> None:
    """Monthly: new firms with outside capital where machines pay."""
    firms, miners = world.case.firms, world.miners
    draw = world.streams.generator("entry")
    pull = float(np.clip(world.makers["tobin_q"][0] - 1.0, 0.0, 3.0)) * firms.entry
    trading = int((miners["status"][miners.rows] < LIQUIDATED).sum())
    count = int(draw.poisson(firms.entrants_yr * pull * trading / 12.0))
    if count == 0:
        return
    # Capital comes where lawful sites are and where capital markets and law let it.
    lawful = built_by_place(world) * (1.0 - world.places["banned"])
    built = np.bincount(world.places["nation"], weights=lawful)
    pull_of_nations = np.sqrt(built) * world.rule_of_law**2 * (0.1 + world.depth)
    if not pull_of_nations.any():
        return
    chance = pull_of_nations / pull_of_nations.sum()
    home = draw.choice(chance.size, size=count, p=chance)
    rows = miners.add(count=count, nation=home, holding_share=firms.holding_share)
    join_pools(world, rows)
    typical = float(np.median(np.maximum(miners["cash"][miners.rows], 1e4)))
    capital = typical * draw.lognormal(0.0, 1.0, count)
    world.accounts.receive(miners["cash"], rows, capital, "shareholders")
