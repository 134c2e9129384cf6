"""How the maker plans, builds and prices machines, and keeps its book of what it could not sell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.markets import hardware, maker

if TYPE_CHECKING:
    from model.world import World

CLEARANCE_COST = 0.2  # unsold machines go for as little as a fifth of what they cost to make
LEAST_STOCK_THS = 100.0
DAYS_PER_MONTH = 30.4375
MOST_MONTHS = 23  # of the pipeline that are told apart


def build_machines(world: World) -> np.ndarray:
    """What the maker builds this month, by generation, plus what it has in stock, TH/s."""
    makers, efficiency = world.makers, world.generations.efficiency_j_th
    plan = plan_output(world)
    makers["capacity_mw"] = plan.capacity_mw
    makers["tobin_q"] = plan.tobin_q
    stock_mw = (world.book.inventory * efficiency).sum() * 1e-6
    output_mw = max(plan.output_mw - stock_mw, 0.0)
    built = hardware.output_hashrate_ths(output_mw, world.output_weights, efficiency)
    makers["output_ths"] = built.sum()
    world.output_mw = output_mw
    world.book.built = built
    world.book.produced += built
    return np.asarray(world.book.inventory + built)


def plan_output(world: World) -> maker.OutputPlan:
    """The maker's plan for this month."""
    rule = world.case.machines
    efficiency = hardware.output_efficiency(world.output_weights, world.generations.efficiency_j_th)
    return maker.plan_output(
        output_rule(world, efficiency),
        float(world.makers["capacity_mw"][0]),
        world.hashrate_ths,
        pipeline_ths(world),
        world.hashprice,
        rule.reference_power_price_usd_mwh * efficiency * 24e-6,
        rule.cost_usd_j_th * efficiency,
        efficiency,
        world.decline,
    )


def output_rule(world: World, efficiency: float) -> maker.OutputRule:
    """How fast the maker can move, from the scenario."""
    rule, frozen = world.case.machines, world.case.machines.output_frozen_from
    return maker.OutputRule(
        eagerness=rule.eagerness,
        retirement_month=rule.retirement_month,
        growth_month=rule.output_growth_month,
        decline_month=rule.output_decline_month,
        growth_step_mw=5e-4 * world.case.start.hashrate_ehs * efficiency,
        ceiling_mw=rule.output_ceiling_mw_month,
        rate_month=rule.discount_rate_month,
        frozen=frozen is not None and world.today >= frozen,
    )


def pipeline_ths(world: World) -> np.ndarray:
    """Machines on their way to a first seat, by month of delivery, TH/s."""
    fleets = world.fleets
    due = (fleets["ready_on"] - world.day) / DAYS_PER_MONTH
    months = np.clip(np.floor(due), 0, MOST_MONTHS).astype(np.int64)
    waiting = fleets.alive & (fleets["born"] > world.day) & (due > 0)
    total = np.bincount(months[waiting], weights=fleets["hashrate"][waiting], minlength=1)
    return np.asarray(total)


def list_prices(world: World, rows: np.ndarray) -> np.ndarray:
    """What the maker asks for some generations, USD/TH; what lies in stock is cleared."""
    rule, built = world.case.machines, world.book.built[rows]
    stale = world.book.inventory[rows] > 0.5 * np.maximum(built, LEAST_STOCK_THS)
    cost = world.generations.cost_usd_th[rows]
    asked = maker.list_price(
        world.hashprice,
        world.decline,
        world.generations.efficiency_j_th[rows],
        np.where(stale, CLEARANCE_COST * cost, cost),
        float(world.makers["pricing_power"][0]),
        rule.reference_power_price_usd_mwh,
        rule.least_margin,
        rule.discount_rate_month,
    )
    return np.asarray(asked)


def close_book(world: World, left: np.ndarray, unfilled_mw: float) -> None:
    """Keep what was not sold, and let the maker's pricing power follow its order book."""
    makers = world.makers
    world.book.inventory = left
    makers["pricing_power"] = maker.pricing_power_after(
        float(makers["pricing_power"][0]),
        float((left * world.generations.efficiency_j_th).sum()) * 1e-6,
        world.case.machines.stock_wanted_months
        * max(world.output_mw, 0.5 * float(makers["capacity_mw"][0])),
        unfilled_mw,
    )
