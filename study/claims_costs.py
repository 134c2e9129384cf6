"""Economic claims of the founding essay that closed forms and the static limit can measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from model.markets import compute, costs, hardware, heat, maker
from model.markets.electricity import size_gradient
from model.units import (
    HOURS_PER_YEAR,
    TERAHASH_PER_EXAHASH,
    TERAHASH_PER_PETAHASH,
    WATTS_PER_MW,
    breakeven_power_price_usd_mwh,
    capital_recovery,
    equilibrium_hashprice,
)
from study.claim import Bools, Claim, Finding, FloatArray, Results, verdict
from study.static_limit import (
    Cells,
    Limit,
    draw_cells,
    equilibrium,
    load_site_types,
    mining_cells,
    unit_cost_besides_power,
)

# The network on the day the essay came out.
PRICE_USD, HASHRATE_EHS, REWARD_BTC = 83_000.0, 850.0, 3.155
FLEET_J_TH, POWER_USD_MWH, PUE = 25.0, 45.0, 1.10
WORLD_TWH = 25_560.0  # Cambridge puts 138 TWh at 0.54 % of the world's electricity
USE = 0.95
NEW_MACHINE_J_TH, NEW_MACHINE_THS, NEW_MACHINE_USD_TH = 17.5, 200.0, 16.0
MAKING_USD_J_TH = 0.75
OFTEN = 0.25  # what happens to less than a quarter does not happen often


def hashprice(price_usd: float = PRICE_USD) -> float:
    """Hashprice at the essay's hashrate, USD/TH/day."""
    hashrate_ths = HASHRATE_EHS * TERAHASH_PER_EXAHASH
    return float(equilibrium_hashprice(hashrate_ths, REWARD_BTC, price_usd))


@cache
def world_of_cells() -> Cells:
    """The potentials of the static limit, one draw."""
    return draw_cells(load_site_types(), seed=0)


@cache
def kinds() -> NDArray[np.int64]:
    """Row of the site type of each cell."""
    cells = world_of_cells()
    types = len(load_site_types())
    return np.repeat(np.arange(types), cells.size_mw.size // types)


def of_kind(*names: str) -> Bools:
    """Which cells are of the named site types."""
    rows = [row for row, kind in enumerate(load_site_types()) if kind.name in names]
    return np.asarray(np.isin(kinds(), rows))


def power_price(cells: Cells, limit: Limit | None = None) -> FloatArray:
    """Delivered power price of each cell, less what its heat earns, USD/MWh."""
    terms = limit or Limit()
    gradient = size_gradient(cells.size_mw, cells.log_size_mean, terms.size_gradient_usd_mwh)
    wires = cells.transmission_usd_mwh * terms.transmission_scale
    heated = np.where(cells.sells_heat, terms.heat_credit_usd_mwh, 0.0)
    return np.asarray(cells.generation_usd_mwh + gradient + wires - heated)


def share_that_mines(chosen: Bools, cells: Cells, limit: Limit | None = None) -> float:
    """Share of the hashrate of the static limit at the chosen cells."""
    rows, power = mining_cells(cells, limit or Limit())
    return float(power[chosen[rows]].sum() / power.sum())


def flip(difference: Callable[[float], float], low: float, high: float) -> float:
    """Where a difference changes its sign between two ends; NaN if it has one sign at both."""
    if difference(low) * difference(high) > 0.0:
        return float("nan")
    return float(brentq(difference, low, high, xtol=1e-4 * max(abs(high), 1.0)))


# Economies of scale


def economies_of_scale(_: Results) -> Finding:
    """Unit cost besides power by size."""
    sizes = np.array([1.0, 10.0, 100.0, 1000.0])
    cost = unit_cost_besides_power(sizes, USE)
    expenses = costs.fixed_costs_usd_mwh(sizes, USE)
    small = np.array([0.01, 0.3])
    below = unit_cost_besides_power(small, USE) - cost[2]
    falls = bool((np.diff(cost) < 0).all())
    return Finding(
        "supports" if falls else "contradicts",
        f"besides power {', '.join(f'{c:.1f}' for c in cost)} USD/MWh at 1, 10, 100, 1000 MW; of "
        f"the {cost[0] - cost[2]:.1f} between 1 and 100 MW the eight expenses are "
        f"{expenses[0] - expenses[2]:.1f}, machines and capital the rest; a 10 kW home pays "
        f"{below[0]:+.1f}, a 0.3 MW site {below[1]:+.1f} against 100 MW",
        "by construction, and only from 1 MW up: below, unpaid labour and cheap buildings take "
        "most of the advantage away",
    )


def scale_indifferent_expenses(_: Results) -> Finding:
    """How a firm's yearly bill for the eight expenses grows with its size."""
    size = np.logspace(0, 3.3, 2000)
    bill = costs.fixed_costs_usd_mwh(size, USE) * size
    elasticity = np.gradient(np.log(bill), np.log(size))
    first = size[np.argmax(elasticity < 0.999)]
    last = size[np.argmax(elasticity < 0.351)]
    total = costs.fixed_costs_usd_mwh(np.array([1.0, 10.0, 100.0, 1000.0]), USE)
    grown = np.diff(np.log10(total)) + 1.0
    return Finding(
        verdict(grown.max() < 0.5, grown.min() > 0.5),
        f"{', '.join(f'{value:.2f}' for value in total)} USD/MWh at 1, 10, 100, 1000 MW; ten "
        f"times the size multiplies the yearly bill by {', '.join(f'{10**g:.1f}' for g in grown)}",
        "on a firm large enough for teams of its own: the first of the eight comes in-house at "
        f"{first:.0f} MW, the last at {last:.0f} MW; a smaller one buys them by the MWh, so that "
        f"they grow with it and weigh {total[0]:.1f} USD/MWh at most. Amounts by construction",
    )


def repair_in_house(_: Results) -> Finding:
    """The size from which a repair technician of one's own pays."""
    margin = hashprice() - float(hardware.power_cost_usd_ths_day(POWER_USD_MWH, NEW_MACHINE_J_TH))
    machines = np.array(
        [float(costs.repair_threshold_machines(NEW_MACHINE_THS, each)) for each in (margin, 0.0)]
    )
    megawatts = machines * NEW_MACHINE_THS * NEW_MACHINE_J_TH * PUE / WATTS_PER_MW
    small, large = costs.repairs_in_house(
        np.array([0.1, 10.0]) * machines[0], NEW_MACHINE_THS, margin
    )
    return Finding(
        "supports" if large and not small else "contradicts",
        f"own technicians pay from {machines[0]:,.0f} machines ({megawatts[0]:.0f} MW) at the "
        f"hashprice of 2025-04, from {machines[1]:,.0f} ({megawatts[1]:.0f} MW) where machines "
        "earn nothing",
        "by construction (wage, prices and days away are assumed); the size follows",
    )


def order_discounts(_: Results) -> Finding:
    """What a large order saves, with and without the maker's floor under its price."""
    making = MAKING_USD_J_TH * NEW_MACHINE_J_TH
    listed = float(maker.list_price(hashprice(), 0.0, NEW_MACHINE_J_TH, making, 0.6))
    orders = np.array([1.0, 100.0])
    free = maker.order_price(1.0, 0.0, orders, 0.04, 0.30)
    bound = maker.order_price(listed, making, orders, 0.04, 0.30) / listed
    annuity = capital_recovery(0.12, 4.0) * WATTS_PER_MW / NEW_MACHINE_J_TH / (HOURS_PER_YEAR * USE)
    worth = float(free[0] - free[1]) * NEW_MACHINE_USD_TH * annuity
    needed = flip(lambda at: _list_price(at, making) * float(free[0]) - making, 0.02, 0.3)
    differs = bool(bound[0] - bound[1] > 1e-9)
    return Finding(
        "supports" if differs else "conditional",
        f"before the floor an order of 1 MW saves {1 - free[0]:.0%}, one of 100 MW "
        f"{1 - free[1]:.0%}, worth {worth:.1f} USD/MWh between them; but at the hashprice of "
        f"2025-04 the list price of {listed:.1f} USD/TH is so near the making cost of "
        f"{making:.1f} that both save {1 - bound[0]:.0%}",
        f"on fat margins: 100 MW buys cheaper than 1 MW only while the list price is above "
        f"{1 / free[0]:.2f} times the making cost, which takes a hashprice of "
        f"{needed * TERAHASH_PER_PETAHASH:.0f} USD/PH/day. Discount by construction",
    )


def _list_price(at_hashprice: float, making: float) -> float:
    return float(maker.list_price(at_hashprice, 0.0, NEW_MACHINE_J_TH, making, 0.6))


# Electricity


def electricity_in_operating_cost(_: Results) -> Finding:
    """Electricity over cash cost and over full cost."""
    sizes = np.array([1.0, 10.0, 30.0, 100.0, 300.0])
    other = costs.fixed_costs_usd_mwh(sizes, USE) + costs.maintenance_usd_mwh(sizes)
    cash = costs.electricity_share(POWER_USD_MWH, other)
    full = float(costs.electricity_share(POWER_USD_MWH, unit_cost_besides_power(100.0, USE)))
    cells = world_of_cells()
    rows, power = mining_cells(cells)
    mined = Cells(*(getattr(cells, name)[rows] for name in Cells.__dataclass_fields__))
    paid = np.maximum(power_price(mined), 0.0)
    besides = costs.fixed_costs_usd_mwh(mined.size_mw, mined.duty)
    besides = besides + costs.maintenance_usd_mwh(mined.size_mw)
    long_run = float(np.average(paid, weights=power) / np.average(paid + besides, weights=power))
    return Finding(
        "supports" if abs(float(cash[1:4].mean()) - 0.80) <= 0.05 else "contradicts",
        f"{', '.join(f'{c:.2f}' for c in cash)} of cash cost at 1, 10, 30, 100, 300 MW and 45 "
        f"USD/MWh; {full:.2f} of full cost at 100 MW; {long_run:.2f} of cash cost in the static "
        "limit",
        f"calibrated (0.80 is a goal of the fit), and cash only: with capital electricity is "
        f"{full:.0%}. Below {3 * other[2]:.0f} USD/MWh a firm of 30 MW is under 0.75",
    )


def yearly_twh(hashrate_ehs: float, efficiency_j_th: float) -> float:
    """Energy of a fleet's machines in a year, without cooling, TWh."""
    return hashrate_ehs * TERAHASH_PER_EXAHASH * efficiency_j_th / 1e12 * HOURS_PER_YEAR


def world_electricity(_: Results) -> Finding:
    """Share of the world's electricity, and what one percent would take."""
    used = yearly_twh(HASHRATE_EHS, FLEET_J_TH)
    share, with_cooling = used / WORLD_TWH, PUE * used / WORLD_TWH
    needed = FLEET_J_TH * 0.01 / share
    cells, one_percent_gw = world_of_cells(), 0.01 * WORLD_TWH / HOURS_PER_YEAR * 1e3
    price = flip(
        lambda usd: equilibrium(cells, replace(Limit(), price_usd=usd)).power_gw - one_percent_gw,
        2e4, 5e5,
    )  # fmt: skip
    return Finding(
        "supports" if with_cooling > 0.01 else "contradicts",
        f"{share:.2%} of {WORLD_TWH:,.0f} TWh at {HASHRATE_EHS:.0f} EH/s and {FLEET_J_TH:.0f} "
        f"J/TH, {with_cooling:.2%} with cooling",
        f"it would take a fleet of {needed:.1f} J/TH ({needed / PUE:.1f} with cooling), or in the "
        f"static limit a price of {price:,.0f} USD at {Limit().efficiency_j_th} J/TH",
    )


def generation_a_minority(_: Results) -> Finding:
    """Share of generation in the delivered price of grid power."""
    cells = world_of_cells()
    rows = of_kind("grid_industrial")
    wires = cells.transmission_usd_mwh[rows]
    generation = power_price(cells)[rows] - wires
    share = float(generation.mean() / (generation + wires).mean())
    minority = float((generation < wires).mean())
    needed = float(np.median(generation / np.maximum(wires, 1e-9)))
    return Finding(
        verdict(minority >= 0.5, minority < OFTEN),
        f"generation is {share:.0%} of the delivered price of industrial grid power and less than "
        f"half at {minority:.1%} of the capacity",
        f"wires would have to cost {needed:.1f} times as much for half of the capacity; charges "
        "are assumed from the US average, where generation is 65 %; homes, which pay 70 USD/MWh "
        "for wires, are not in the count",
    )


def cheapest_power_operates(_: Results) -> Finding:
    """Whether those who mine in the static limit are those with the cheapest electricity."""
    cells = world_of_cells()
    overlap, steady = _overlap(cells, cells.duty > 0.0), _overlap(cells, cells.duty >= 0.8)
    sun = of_kind("btm_solar_wind")

    def sun_mines(duty: float) -> float:
        changed = replace(cells, duty=np.where(sun, duty, cells.duty))
        rows, _ = mining_cells(changed)
        return float(sun[rows].sum() / sun.sum()) - 0.5

    idle = 1.0 - (sun_mines(0.25) + 0.5)
    needed = flip(sun_mines, 0.1, 0.95)
    return Finding(
        verdict(overlap > 0.9, steady < 0.75),
        f"ranking by power price alone finds {overlap:.0%} of the mining of the static limit, "
        f"{steady:.0%} among sites that have power 80 % of the time; {idle:.0%} of sun and wind at "
        f"{float(np.mean(power_price(cells)[sun])):.0f} USD/MWh and a duty of 0.25 does not mine",
        f"on power around the clock: the cheapest power mines only from a duty of {needed:.2f} "
        "on, since entry pays for machines too. Who stays switched on is by construction "
        "whoever's power costs less than its hashes earn, by machine",
    )


def _overlap(cells: Cells, among: Bools) -> float:
    """Share of what mines that would also be chosen by power price alone, at the same power."""
    rows, power = mining_cells(cells)
    inside = among[rows]
    total = power[inside].sum()
    usable = cells.capacity_mw * cells.duty
    usable = usable * compute.availability(cells.size_mw, cells.ai_may_bid)
    order = np.flatnonzero(among)[np.argsort(power_price(cells)[among], kind="stable")]
    chosen = order[np.cumsum(usable[order]) <= total]
    both = np.isin(rows[inside], chosen)
    return float(power[inside][both].sum() / total)


CHEAP_USD_MWH = 30.0


def cheap_power_is_small(_: Results) -> Finding:
    """Cheap power by size of site, under several size gradients."""
    cells = world_of_cells()
    energy = cells.capacity_mw * cells.duty / 1e3
    steady = cells.duty >= 0.8

    def cheap(gradient: float, chosen: Bools) -> float:
        price = power_price(cells, replace(Limit(), size_gradient_usd_mwh=gradient))
        return float(energy[chosen & (price <= CHEAP_USD_MWH) & ~cells.sells_heat].sum())

    small, large = cells.size_mw < 10.0, cells.size_mw > 100.0
    found = {xi: (cheap(xi, small), cheap(xi, large)) for xi in (0.0, 4.5, 9.0)}
    firm = (cheap(4.5, small & steady), cheap(4.5, large & steady))
    holds = [below > above for below, above in found.values()]
    table = "; ".join(f"{xi:g}: {a:.1f} and {b:.1f}" for xi, (a, b) in found.items())
    return Finding(
        verdict(all(holds), not any(holds)),
        f"GW (mean over the year) at {CHEAP_USD_MWH:.0f} USD/MWh or less below 10 MW and above "
        f"100 MW, by size gradient in USD/MWh per e-fold: {table}; with power 80 % of the time "
        f"{firm[0]:.1f} and {firm[1]:.1f}",
        "by construction (potentials and sizes of sites are assumed), hardly by the gradient: it "
        f"would take {found[4.5][0] / found[4.5][1]:.0f} times the potential above 100 MW to flip "
        "it",
    )


def nobody_outbids_at_a_flare(_: Results) -> Finding:
    """What AI bidders would take of flare sites if nothing but size kept them away."""
    cells = world_of_cells()
    flare = of_kind("flare")
    size = cells.size_mw[flare]

    def lost(half_size_mw: float) -> float:
        return float(np.mean(compute.win_probability(size, half_size_mw=half_size_mw)))

    now = lost(50.0)
    half = flip(lambda mw: lost(mw) - 0.05, 0.5, 50.0)
    years = float(np.log(half / 50.0) / np.log(0.9))
    return Finding(
        "supports" if now < 0.05 else "contradicts",
        "if AI could bid for flares (in the model it may not), its taste for size alone would "
        f"cost miners {now:.1%} of their capacity, {float(compute.win_probability(1.0)):.2%} of 1 "
        "MW sites",
        f"by construction of the bidder; 5 % would be lost once its half size fell from 50 to "
        f"{half:.1f} MW, {years:.0f} years at 10 % a year",
    )


# Heat


def heat_pays(_: Results) -> Finding:
    """What heat earns, by size and latitude, and how much of the network it carries."""
    cells = world_of_cells()
    load = np.array([0.005, 0.5, 5.0, 50.0])
    credit = heat.heat_credit(load, 5.0, heat.fuel_value("resistive"), sink_mw=5.0)
    hours = heat.heating_hours(np.array([0.0, 30.0, 50.0, 65.0]))
    warm = of_kind("heat_demand")
    resistive = heat.fuel_value("resistive")
    fuels = {
        "no heat sold": 0.0,
        "gas displaced": heat.fuel_value("gas"),
        "half of resistive": resistive / 2.0,
        "all resistive": resistive,
    }
    shares = {
        name: share_that_mines(warm, cells, replace(Limit(), heat_credit_usd_mwh=value))
        for name, value in fuels.items()
    }
    needed = flip(
        lambda usd: share_that_mines(warm, cells, replace(Limit(), heat_credit_usd_mwh=usd)) - 0.01,
        0.0, 120.0,
    )  # fmt: skip
    sign = bool((credit >= 0).all() and (np.diff(credit) <= 0).all() and (np.diff(hours) > 0).all())
    return Finding(
        "supports" if sign else "contradicts",
        f"at a 5 MW sink {', '.join(f'{c:.0f}' for c in credit)} USD/MWh for loads of 0.005, 0.5, "
        f"5, 50 MW; heating hours {', '.join(f'{h:,.0f}' for h in hours)} a year at 0, 30, 50, 65 "
        "degrees; heat sites' share of the static limit: "
        f"{', '.join(f'{n} {s:.1%}' for n, s in shares.items())}",
        "sign by construction; of weight only where it displaces dear heat: a share of 1 % takes "
        f"{needed:.0f} USD per MWh of electricity, as heat sites run 45 % of the time on retail "
        "power",
    )


# Price


def half_a_million(_: Results) -> Finding:
    """Which machines pay at 500,000 USD, at impact and after entry."""
    at_impact = hashprice(500_000.0)
    entered = equilibrium(world_of_cells(), replace(Limit(), price_usd=500_000.0))
    after = entered.hashprice_usd_ph_day / TERAHASH_PER_PETAHASH
    machines = np.array([17.5, 29.5, 38.0, 98.0])
    pays, later = (breakeven_power_price_usd_mwh(each, machines) for each in (at_impact, after))
    retail = 193.0  # US households, 2025-03: scenarios/data/electricity_prices.csv
    least = float(breakeven_power_price_usd_mwh(at_impact, 1.0)) / retail
    every = bool((pays > retail).all())
    none = bool((pays <= retail).all())
    return Finding(
        "supports" if every else "contradicts" if none else "conditional",
        f"17.5, 29.5, 38 and 98 J/TH pay up to {', '.join(f'{p:.0f}' for p in pays)} USD/MWh at "
        f"{HASHRATE_EHS:.0f} EH/s, and up to {', '.join(f'{p:.0f}' for p in later)} after the "
        f"entry of the static limit ({entered.hashrate_ehs:,.0f} EH/s)",
        f"on machines of {least:.0f} J/TH or better (at US household power, {retail:.0f} "
        "USD/MWh), and on the time before the hashrate follows the price",
    )


CLAIMS = (
    Claim(
        "C11", "mining is a textbook case of economies of scale",
        "eight expenses, order discounts, cost of capital (`model/markets/costs.py`)",
        "test_costs.py::test_unit_cost_does_not_rise_with_the_firm", economies_of_scale,
    ),
    Claim(
        "C12", "eight expenses hardly grow with a firm",
        "`fixed_costs_usd_mwh`", "test_costs.py::test_eight_expenses_by_size",
        scale_indifferent_expenses,
    ),
    Claim(
        "C13", "a repair team of one's own pays once one is large enough",
        "`repair_threshold_machines`",
        "test_costs.py::test_repair_threshold_is_unique_and_falls_with_hashprice", repair_in_house,
    ),
    Claim(
        "C14", "larger orders of machines cost less a machine",
        "`order_price` of `model/markets/maker.py`",
        "test_hardware.py::test_order_price_never_rises_with_size", order_discounts,
    ),
    Claim(
        "C18", "electricity is often four fifths of operating expenses",
        "`electricity_share`", "test_costs.py::test_electricity_share_of_cash_operating_cost",
        electricity_in_operating_cost,
    ),
    Claim(
        "C19", "mining uses more than 1 % of the world's electricity",
        "hashrate times efficiency; static limit",
        "test_claims.py::test_one_percent_of_the_worlds_electricity_takes_a_worse_fleet",
        world_electricity,
    ),
    Claim(
        "C20", "generation is often the smaller part of what electricity costs",
        "generation and wires of `scenarios/data/site_types.csv`",
        "test_electricity.py::test_delivered_price_adds_its_components_and_behind_the_meter_there_are_no_wires",
        generation_a_minority,
    ),
    Claim(
        "C22", "only those with the cheapest electricity will operate",
        "merit order of the static limit",
        "test_static_limit.py::test_hashprice_pays_the_full_cost_of_every_miner_and_of_no_one_else",
        cheapest_power_operates,
    ),
    Claim(
        "C23", "cheap power is plenty at small sites and scarce at 100 MW and more",
        "size gradient and Pareto sizes",
        "test_electricity.py::test_capacity_shares_of_a_truncated_pareto_population",
        cheap_power_is_small,
    ),
    Claim(
        "C25", "at a flare site nobody will outbid a miner, at least for now",
        "`win_probability` of `model/markets/compute.py`",
        "test_compute.py::test_availability_by_size", nobody_outbids_at_a_flare,
    ),
    Claim(
        "C27", "sold heat makes mining more profitable, at small scale, in the far north and south",
        "`heat_credit` of `model/markets/heat.py`",
        "test_heat.py::test_a_miner_who_sells_heat_is_never_worse_off", heat_pays,
    ),
    Claim(
        "C28", "at 500,000 USD every machine pays on any power",
        "`breakeven_power_price_usd_mwh`", "test_units.py::test_breakeven_power_prices",
        half_a_million,
    ),
)  # fmt: skip
