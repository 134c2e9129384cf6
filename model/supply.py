"""Power of the day: what each site pays, and the hours it has power in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from agents.site import Site
from model.markets import costs, finance, heat, seats, sunshine
from model.streams import uniforms
from model.units import DAYS_PER_YEAR

if TYPE_CHECKING:
    from model.world import World

SUN_KINDS = ("btm_solar_wind", "home_solar")
ROOM_TEMPERATURE_C = 18.0
COLD_C = (
    15.0  # degrees below room temperature at which all heat of a site sized to its sink is used
)
PROCESS_HEAT = 0.3  # share of the heat that greenhouses, pools and baths take all year
HALT_DAYS = 105.0
EVENING = 17.0  # local time at which power runs short
NOBODY = np.zeros(0, dtype=bool)
SAMPLE_DAYS = tuple(range(15, 365, 30))


@dataclass
class PowerOfTheDay:
    """Hourly profiles of the sites under the sun, and the yearly terms every searcher sees.

    Attributes
    ----------
    hourly, scale : share of the power there is by hour, and what brings it to the site's duty
    terms : what searchers see of every site
    called : sites whose large loads stand still in some hours of today; empty if none do
    called_hours : number of those hours
    """

    hourly: np.ndarray = field(default_factory=lambda: np.zeros((1, 24)))
    scale: np.ndarray = field(default_factory=lambda: np.zeros(0))
    terms: seats.SiteTerms = None  # type: ignore[assignment]
    called: np.ndarray = field(default_factory=lambda: NOBODY)
    called_hours: int = 0


def price_power(world: World) -> None:
    """Weekly: delivered price of every site, its hours, and the terms that searchers see."""
    place, sites, energy = world.sites["place"], world.sites, world.case.energy
    years = world.day / DAYS_PER_YEAR
    charge = world.places["power_charge"][place]
    generation = (1.0 + energy.generation_trend_yr) ** years
    transmission = (1.0 + energy.transmission_trend_yr) ** years
    heating = heat_credits(world, world.calendar.day_of_year(world.day))
    Site.price_power(sites, world.wet, generation, transmission, charge, heating)
    # A nation that pays for mining at home pays the bill, and no more than the bill.
    defence = world.nations["defence_usd_mwh"][sites["nation"]]
    sites["power_price"] -= np.minimum(defence, np.maximum(sites["power_price"], 0.0))
    response = demand_response(world, sites["power_price"])
    sites["contract_price"] = np.maximum(sites["power_price"] - response, 0.0)
    shock = np.exp(world.nations["power_shock"])[sites["nation"]]
    sites["power_price"] = sites["contract_price"] * np.where(sites["grid"], shock, 1.0)
    follow_sun(world)
    world.power.terms = yearly_terms(world, generation, transmission, charge - defence)


def shake_prices(world: World) -> None:
    """Monthly: grid prices of each nation wander about their mean, AR(1) in the logarithm."""
    energy, nations = world.case.energy, world.nations
    draw = world.streams.generator("power prices").standard_normal(nations.size)
    spread = energy.price_volatility * np.sqrt(1.0 - energy.price_persistence_month**2)
    nations["power_shock"] *= energy.price_persistence_month
    nations["power_shock"] += spread * draw


def call_loads(world: World) -> None:
    """Daily: nations that run short of power ask large loads on the grid to stand still."""
    power, nations = world.power, world.nations
    draw = uniforms(world.streams.key("price spikes"), world.day, nations.size)
    short = nations["demand_response"] & (draw < world.case.energy.spike_days_yr / DAYS_PER_YEAR)
    power.called = stands_by(world) & short[world.sites["nation"]] if short.any() else NOBODY
    power.called_hours = world.case.energy.spike_hours


def hours_of_the_day(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Row of the hourly profile of each site today (-1: flat), and the profiles."""
    sites, power = world.sites, world.power
    if power.called.size == 0:
        return sites["hourly"], power.hourly
    longitude = world.atlas.nations.longitude_deg
    evening = (np.arange(24)[None, :] + longitude[:, None] / 15.0 - EVENING) % 24.0
    profiles = np.where(evening < power.called_hours, 0.0, 1.0)
    row = np.where(power.called, len(power.hourly) + sites["nation"], sites["hourly"])
    return row.astype(np.int32), np.concatenate((power.hourly, profiles))


def stands_by(world: World) -> np.ndarray:
    """Sites on the grid of a nation with demand response whose load is large enough for it."""
    sites = world.sites
    offered = world.nations["demand_response"][sites["nation"]] & sites["grid"]
    return offered & (sites["size_mw"] >= costs.LEAST_RESPONSE_MW)


def demand_response(world: World, price: np.ndarray) -> np.ndarray:
    """Credit for loads that switch off on request, USD/MWh."""
    share = world.case.energy.dr_credit_share
    return costs.demand_response_credit(price, stands_by(world), share=share)


def heat_credits(world: World, day_of_year: int) -> np.ndarray:
    """What heat sites earn for their heat, USD/MWh of electricity; 0 elsewhere."""
    sites = world.sites
    heated = sites["kind"] == world.types.row("heat_demand")
    credit = np.zeros(sites.size)
    if not (heated.any() and world.case.heat.sold):
        return credit
    cold = ROOM_TEMPERATURE_C - heat.ambient_temperature(sites["latitude"][heated], day_of_year)
    size = sites["size_mw"][heated]
    wanted = size * np.clip(PROCESS_HEAT + (1 - PROCESS_HEAT) * cold / COLD_C, PROCESS_HEAT, 1.0)
    fuel = np.where(size < 0.05, heat.fuel_value("resistive"), heat.fuel_value("gas"))
    credit[heated] = heat.heat_credit(size, wanted, fuel)
    return credit


def follow_sun(world: World) -> None:
    """Hourly profiles of sites that live on clipped and curtailed sunshine."""
    sites, power = world.sites, world.power
    sunny = np.isin(sites["kind"], [world.types.row(kind) for kind in SUN_KINDS]) & sites.alive
    rows = np.flatnonzero(sunny)
    if rows.size == 0:
        return
    if power.scale.size != rows.size:
        sites["hourly"][rows] = np.arange(rows.size)
        power.scale = sites["duty_wet"][rows] / mean_free_share(world, rows)
    today = free_share(world, rows, world.calendar.day_of_year(world.day), world.year)
    power.hourly = np.minimum(today * power.scale[:, None], 1.0)


def free_share(world: World, rows: np.ndarray, day_of_year: int, year: float) -> np.ndarray:
    """Free energy over capacity of each sunny site by hour."""
    solar, sites = world.case.solar, world.sites
    curtailed = sunshine.curtailed_share(year, solar.curtailed_2025, solar.curtailed_2035)
    return sunshine.free_solar_share(
        sites["latitude"][rows], sites["longitude"][rows], day_of_year,
        solar.inverter_ratio, curtailed,
    )  # fmt: skip


def mean_free_share(world: World, rows: np.ndarray) -> np.ndarray:
    """The same averaged over the first year; machines are sized to reach their duty then."""
    shares = [free_share(world, rows, day, 2025.0).mean(axis=1) for day in SAMPLE_DAYS]
    return np.maximum(np.mean(shares, axis=0), 1e-3)


def yearly_terms(
    world: World, generation: float, transmission: float, charge: np.ndarray
) -> seats.SiteTerms:
    """What a newcomer would pay at each site over a year, half of it wet.

    Prices of the seasons count by the power there is in each.
    """
    sites, firms = world.sites, world.case.firms
    heating = np.mean([heat_credits(world, day) for day in (15, 105, 196, 288)], axis=0)
    wet = sites["duty_wet"] / np.maximum(sites["duty_wet"] + sites["duty_dry"], 1e-9)
    mean = wet * sites["generation_wet"] + (1.0 - wet) * sites["generation_dry"]
    price = mean * generation + sites["transmission"] * transmission + charge - heating
    price = np.maximum(price - demand_response(world, price), 0.0)
    place = sites["place"]
    return seats.SiteTerms(
        power_price=price,
        upkeep=sites["upkeep"].copy(),
        pue=sites["pue"].copy(),
        duty=0.5 * (sites["duty_wet"] + sites["duty_dry"]),
        revenue_tax=world.places["revenue_tax"][place],
        nation=sites["nation"].astype(np.int64),
        import_duty=world.places["import_duty"][place],
        hazard=legal_risk(world)[sites["nation"]],
        infra=sites["infra"] + costs.development_usd_mw(sites["size_mw"], firms.site_cost_usd),
    )


def legal_risk(world: World) -> np.ndarray:
    """Chance a month that law takes a site of each nation, or stops its firm for its share of time.

    A halt of about 105 days costs less than a third of what a seizure takes in a year.
    """
    firms = world.case.firms
    seizure = finance.seizure_hazard_yr(world.rule_of_law, world.nation_shares, firms.seizure_yr)
    halt = finance.halt_hazard_yr(world.rule_of_law, firms.halt_yr) * HALT_DAYS / DAYS_PER_YEAR
    return np.asarray((seizure + halt) / 12.0)
