"""Counting: machines, coins and money, and the laws that must hold of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents import banking, building, buying
from agents.fleet import Fleet
from agents.joining import join_first_pools
from agents.miner import HOME, PUBLIC, STATE
from agents.site import Site
from model import inputs, ledger, observing, paying, subeconomies
from model.markets import finance
from model.supply import price_power
from model.units import DAYS_PER_MONTH, SATOSHI_PER_COIN

if TYPE_CHECKING:
    from model.world import World

MWH_TO_JOULE = 3.6e9


@dataclass
class MachineBook:
    """What was ever made and this month, by generation, TH/s; what is in stock or scrapped."""

    produced: np.ndarray
    built: np.ndarray
    inventory: np.ndarray
    scrapped: np.ndarray

    @classmethod
    def of(cls, generations: int) -> MachineBook:
        """An empty book."""
        return cls(*(np.zeros(generations) for _ in range(4)))


def endow(world: World) -> None:
    """First-day prices, seats, cash, coins and debt, and the orders already under way."""
    world.market_sat = world.chain.supply_sat
    price_power(world)
    world.count_seats()
    Site.supply_power(world.sites, 0, world.wet, world.places["available"][world.sites["place"]])
    world.hashprice = world.chain.hashprice(world.price_usd, world.fees_btc)
    world.hashrate_ths = world.case.start.hashrate_ehs * 1e6
    world.used_price = np.full(len(world.generations), world.case.machines.scrap_usd_th)
    world.sale_price = world.used_price
    observing.price_used(world)
    match_hashrate(world)
    fund(world)
    fill_pipeline(world)
    hold_reserves(world)
    join_first_pools(world)
    paying.open_pools(world)
    world.fleets["idle_days"] = 0  # the trials on the way here are no days


def hold_reserves(world: World) -> None:
    """Coins that nations hold from the first day on."""
    reserves = inputs.reserves_sat(world.case, world.atlas, world.market_sat)
    world.nations["reserve_sat"] = reserves
    world.market_sat -= int(reserves.sum())


def match_hashrate(world: World) -> None:
    """Scale the installed machines so that those that run add up to the observed hashrate."""
    for _ in range(30):
        world.run_machines()
        banking.measure_firms(world)
        world.run_machines()
        factor = world.case.start.hashrate_ehs * 1e6 / max(world.hashrate_ths, 1e-9)
        factor = float(np.clip(factor, 0.8, 1.25))
        world.fleets["hashrate"] *= factor
        world.book.produced *= factor
        world.book.scrapped *= factor
        world.count_seats()
        if abs(factor - 1.0) < 1e-9:
            break


def fund(world: World) -> None:
    """Cash, coins and debt of every firm, in proportion to its bills and revenue."""
    miners, start = world.miners, world.case.start
    world.run_machines()
    bills = miners["power_bill"] + world.services_bill
    cash = start.cash_months * DAYS_PER_MONTH * bills
    world.accounts.receive(miners["cash"], slice(None), cash, "endowment")
    revenue_sat = miners["work"] * world.hashprice / world.price_usd * SATOSHI_PER_COIN
    coins = np.floor(start.treasury_months * DAYS_PER_MONTH * revenue_sat).astype(np.int64)
    miners["treasury_sat"] = coins
    world.market_sat -= int(coins.sum())
    depth = world.depth[miners["nation"]]
    listed = miners["form"] == PUBLIC
    ratio = np.where(listed, start.public_loan_to_value * depth, start.private_loan_to_value)
    ratio = np.where(np.isin(miners["form"], (HOME, STATE)), 0.0, ratio)
    miners["debt"] = np.minimum(ratio * banking.assets_usd(world), banking.credit_limit(world))
    miners["holding_share"] = world.case.firms.holding_share


def fill_pipeline(world: World) -> None:
    """Machines and sites already ordered before the first day, at the maker's first pace."""
    building.prime(world)
    price_power(world)
    world.count_seats()
    for month in range(1, world.lag_months + 1):
        buying.buy_ahead(world, round((month - 0.5) * DAYS_PER_MONTH))
    banking.measure_firms(world)


def monthly_rate(world: World) -> np.ndarray:
    """Cost of capital of each firm a month."""
    firms, miners = world.case.firms, world.miners
    yearly = finance.wacc(
        miners["form"],
        miners["power_mw"],
        large=firms.wacc_large,
        mid=firms.wacc_mid,
        home=firms.wacc_home,
    )
    return finance.monthly_rate(yearly)


def tidy(world: World) -> None:
    """Merge fleets that have become alike."""
    Fleet.consolidate(world.fleets, world.day)
    world.seats_changed = True


def check_laws(world: World) -> None:
    """Raise if a conservation law is broken."""
    ledger.check_coinbase(world.chain)
    reserves = (world.nations["reserve_sat"], world.pools["reserve_sat"])
    held = np.append(np.concatenate(reserves), world.market_sat)
    ledger.check_balances(world.chain.supply_sat, held, world.miners["treasury_sat"])
    split = world.politics.split
    if split is not None:
        ledger.check_coinbase(split.free)
        free_sat = world.miners["free_sat"]
        ledger.check_balances(split.free.supply_sat, np.array([split.free_market_sat]), free_sat)
    subeconomies.check(world)
    check_machines(world)
    ledger.check_hash(world.miners["work"].sum(), world.hashrate_by_hour.mean())
    sites = world.sites
    heat = sites["energy_mwh"] * MWH_TO_JOULE
    ledger.check_energy(heat, heat, sites["energy_mwh"] / 24.0, sites["available_mw"])
    ledger.check_money(
        0.0, world.accounts.total_usd(world.miners["cash"]), world.accounts.moved_usd
    )
    if world.nation_shares.any():
        ledger.check_shares(world.nation_shares)


def check_machines(world: World) -> None:
    """Every machine ever made runs, stands idle, is under way, in stock or scrapped."""
    fleets, generations = world.fleets, len(world.generations)
    rows = fleets.rows
    installed = np.bincount(
        fleets["generation"][rows], weights=fleets["hashrate"][rows], minlength=generations
    )
    ledger.check_machines(world.book.produced, installed, world.book.inventory, world.book.scrapped)
