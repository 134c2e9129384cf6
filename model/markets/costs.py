"""What mining costs besides power, and how much of it falls with size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numba import vectorize
from numpy.typing import NDArray

from model.units import HOURS_PER_YEAR, capital_recovery

FloatArray = NDArray[np.float64]
Numbers = float | NDArray[Any]
BoolArray = NDArray[np.bool_]

# The founding essay's eight expenses that hardly grow with a firm: a team of one's own in USD a
# year for a firm of up to 1 MW, and what an outside contractor asks in USD/MWh. Assumptions.
FIXED_EXPENSES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "power expertise": (180e3, 1.2),
        "power equipment": (60e3, 1.5),
        "control systems expertise": (160e3, 0.8),
        "machine repair expertise": (90e3, 3.0),
        "cooling expertise": (120e3, 0.6),
        "cooling facilities": (50e3, 1.0),
        "legal expertise": (220e3, 0.8),
        "finance expertise": (250e3, 0.7),
    }
)
_IN_HOUSE_USD_YR = tuple(in_house for in_house, _ in FIXED_EXPENSES.values())
_OUTSOURCED_USD_MWH = tuple(outsourced for _, outsourced in FIXED_EXPENSES.values())
_TEAM_GROWTH = 0.35
_LEAST_MW = 1e-9
_LEAST_DEVELOPED_MW = 0.5
LEAST_RESPONSE_MW = 10.0  # smaller loads are not asked to stand still


@vectorize(cache=True)
def _fixed_cost(firm_mw: float, utilisation: float) -> float:
    size = max(firm_mw, _LEAST_MW)
    energy_mwh = size * HOURS_PER_YEAR * max(utilisation, _LEAST_MW)
    team = max(1.0, size) ** _TEAM_GROWTH / energy_mwh
    total = 0.0
    for item in range(len(_IN_HOUSE_USD_YR)):
        total += min(_IN_HOUSE_USD_YR[item] * team, _OUTSOURCED_USD_MWH[item])
    return total


@vectorize(cache=True)
def _yearly_payment(rate: float, years: float) -> float:
    payment: float = capital_recovery(rate, years)
    return payment


def fixed_costs_usd_mwh(firm_mw: Numbers, utilisation: Numbers, scale: float = 1.0) -> FloatArray:
    """The eight scale-indifferent expenses per MWh, each in-house or outsourced, the cheaper.

    Parameters
    ----------
    firm_mw : array, all the sites of the firm together, MW
    utilisation : share of the year that they run
    scale : multiplies all eight

    Returns
    -------
    array of the broadcast shape, USD/MWh, not rising in `firm_mw` and at most 9.6 * scale

    Notes
    -----
    Sum over items of min(in-house * max(1, Q)^.35 / (Q * 8766 u), outsourced).
    """
    costs = _fixed_cost(
        np.asarray(firm_mw, dtype=np.float64), np.asarray(utilisation, dtype=np.float64)
    )
    return np.asarray(scale * costs, dtype=np.float64)


def maintenance_usd_mwh(
    size_mw: Numbers, om_usd_mwh: float = 4.5, own_time_usd_mwh: float = 0.0
) -> FloatArray:
    """Site operation and maintenance; below 0.5 MW the owner's own time, by default unpriced."""
    small = np.asarray(size_mw, dtype=np.float64) < 0.5
    return np.asarray(np.where(small, own_time_usd_mwh, om_usd_mwh), dtype=np.float64)


def scaled_advantage(cost: Numbers, reference_cost: Numbers, scale_advantage: float) -> FloatArray:
    """A cost whose distance from the cost of the reference size is stretched or shrunk."""
    reference = np.asarray(reference_cost, dtype=np.float64)
    return np.asarray(reference + scale_advantage * (np.asarray(cost) - reference))


def operating_cost_usd_mwh(
    size_mw: Numbers,
    firm_mw: Numbers,
    utilisation: Numbers,
    *,
    scale_advantage: float = 1.0,
    fixed_cost_scale: float = 1.0,
    om_usd_mwh: float = 4.5,
    reference_mw: float = 100.0,
) -> FloatArray:
    """Cash cost besides power per MWh: the eight expenses of the firm and its site's upkeep.

    Parameters
    ----------
    size_mw, firm_mw : of the site, and of all sites of its firm, MW
    utilisation : share of the year
    scale_advantage : stretches the distance from a firm of `reference_mw`; the result stays >= 0

    Returns
    -------
    array of the broadcast shape, USD/MWh
    """
    cost = fixed_costs_usd_mwh(firm_mw, utilisation, fixed_cost_scale)
    cost = cost + maintenance_usd_mwh(size_mw, om_usd_mwh)
    reference = fixed_costs_usd_mwh(reference_mw, utilisation, fixed_cost_scale)
    reference = reference + maintenance_usd_mwh(reference_mw, om_usd_mwh)
    return np.maximum(scaled_advantage(cost, reference, scale_advantage), 0.0)


def electricity_share(power_price_usd_mwh: Numbers, other_usd_mwh: Numbers) -> FloatArray:
    """Share of power in cash operating cost."""
    power = np.asarray(power_price_usd_mwh, dtype=np.float64)
    return np.asarray(power / (power + other_usd_mwh))


def site_cost_usd(size_mw: Numbers, site_cost: float = 50_000.0) -> FloatArray:
    """Development cost of one site: much less for homes, which need no developer."""
    size = np.asarray(size_mw, dtype=np.float64)
    home = min(500.0, site_cost)
    workshop = min(5_000.0, site_cost)
    return np.asarray(np.where(size < 0.02, home, np.where(size < 0.05, workshop, site_cost)))


def development_usd_mw(size_mw: Numbers, site_cost: float = 50_000.0) -> FloatArray:
    """Development cost of a site per MW, as miners pay it for a seat; small sites share one."""
    return np.asarray(site_cost / np.maximum(size_mw, _LEAST_DEVELOPED_MW))


def infrastructure_usd_mw(
    size_mw: Numbers,
    infra_usd_mw: float = 350_000.0,
    infra_home_usd_mw: float = 100_000.0,
    home_below_mw: float = 0.05,
) -> FloatArray:
    """Buildings, transformers and cooling per MW of a site."""
    small = np.asarray(size_mw, dtype=np.float64) < home_below_mw
    return np.asarray(np.where(small, infra_home_usd_mw, infra_usd_mw), dtype=np.float64)


def machine_usd_mw(price_usd_th: Numbers, efficiency_j_th: Numbers) -> FloatArray:
    """What the machines for a MW cost."""
    return np.asarray(np.asarray(price_usd_th, dtype=np.float64) * 1e6 / efficiency_j_th)


@dataclass(frozen=True)
class CapitalCosts:
    """What a new site and its machines cost, and over how long it is paid off."""

    site_cost_usd: float = 50_000.0
    infra_usd_mw: float = 350_000.0
    infra_home_usd_mw: float = 100_000.0
    infra_home_below_mw: float = 0.05
    infra_rate: float = 0.12
    infra_years: float = 10.0
    machine_years: float = 4.0


_CAPITAL = CapitalCosts()


def capital_cost_usd_mwh(
    size_mw: Numbers,
    utilisation: Numbers,
    machines_usd_mw: Numbers,
    wacc: Numbers,
    capital: CapitalCosts = _CAPITAL,
) -> FloatArray:
    """Machines, infrastructure and site development as an annuity per MWh.

    Parameters
    ----------
    size_mw, utilisation : of the site
    machines_usd_mw : price of the machines at the buyer's discount
    wacc : yearly cost of capital, for the machines

    Notes
    -----
    [machines crf(wacc, 4) + (infrastructure + site / Q) crf(.12, 10)] / (8766 u).
    """
    size = np.asarray(size_mw, dtype=np.float64)
    infra = infrastructure_usd_mw(
        size, capital.infra_usd_mw, capital.infra_home_usd_mw, capital.infra_home_below_mw
    )
    building = infra + site_cost_usd(size, capital.site_cost_usd) / size
    yearly = np.asarray(machines_usd_mw) * _yearly_payment(wacc, capital.machine_years)
    yearly = yearly + building * capital_recovery(capital.infra_rate, capital.infra_years)
    return np.asarray(yearly / (HOURS_PER_YEAR * np.asarray(utilisation, dtype=np.float64)))


def non_energy_cost(
    size_mw: Numbers,
    utilisation: Numbers,
    machines_usd_mw: Numbers,
    wacc: Numbers,
    *,
    firm_mw: Numbers | None = None,
    capital: CapitalCosts = _CAPITAL,
    fixed_cost_scale: float = 1.0,
    om_usd_mwh: float = 4.5,
) -> FloatArray:
    """Full unit cost besides power: the eight expenses, upkeep and capital.

    Parameters
    ----------
    size_mw, utilisation : of the site, MW and share of the year
    machines_usd_mw, wacc : see `capital_cost_usd_mwh`
    firm_mw : all sites of the firm, MW; a firm of one site by default

    Returns
    -------
    array of the broadcast shape, USD/MWh of load
    """
    firm = size_mw if firm_mw is None else firm_mw
    cash = fixed_costs_usd_mwh(firm, utilisation, fixed_cost_scale)
    cash = cash + maintenance_usd_mwh(size_mw, om_usd_mwh)
    return cash + capital_cost_usd_mwh(size_mw, utilisation, machines_usd_mw, wacc, capital)


def break_even_spread(cost_usd_mwh: Numbers, reference_cost_usd_mwh: Numbers) -> FloatArray:
    """How much cheaper the power of a size must be to make up for its other costs, USD/MWh.

    A site beats the reference size exactly if its saving on power plus its heat exceeds this.
    """
    return np.asarray(np.asarray(cost_usd_mwh, dtype=np.float64) - reference_cost_usd_mwh)


# Repair: USD and days of a failure, and what a technician of one's own costs and handles.
_OUTSOURCED_REPAIR_USD = 310.0
_OUTSOURCED_REPAIR_DAYS = 30.0
_OWN_REPAIR_USD = 80.0
_OWN_REPAIR_DAYS = 3.0
_TECHNICIAN_USD_YR = 90e3
_TECHNICIAN_REPAIRS_YR = 2500.0


def _repair_saving_usd(machine_ths: Numbers, margin_usd_ths_day: Numbers) -> FloatArray:
    lost = np.maximum(np.asarray(margin_usd_ths_day, dtype=np.float64), 0.0) * machine_ths
    days = _OUTSOURCED_REPAIR_DAYS - _OWN_REPAIR_DAYS
    return np.asarray(_OUTSOURCED_REPAIR_USD - _OWN_REPAIR_USD + days * lost)


def repair_threshold_machines(
    machine_ths: Numbers, margin_usd_ths_day: Numbers, failure_yr: Numbers = 0.08
) -> FloatArray:
    """Machines from which a firm hires its own repair technician.

    Parameters
    ----------
    machine_ths : hashrate of one machine, TH/s
    margin_usd_ths_day : net hashprice less power, lost while a machine is away, USD/TH/day
    failure_yr : failures per machine a year

    Notes
    -----
    Technician's wage over failures times what each saves; unique, since a technician who is
    worth the wage at the first failures is worth it at every later one.
    """
    saved_yr = np.asarray(failure_yr) * _repair_saving_usd(machine_ths, margin_usd_ths_day)
    return np.asarray(_TECHNICIAN_USD_YR / saved_yr)


def repairs_in_house(
    machines: Numbers,
    machine_ths: Numbers,
    margin_usd_ths_day: Numbers,
    failure_yr: Numbers = 0.08,
) -> BoolArray:
    """Whether a firm's own technicians, as many as it needs, save more than their wages."""
    failures_yr = np.asarray(machines, dtype=np.float64) * failure_yr
    technicians = np.maximum(np.ceil(failures_yr / _TECHNICIAN_REPAIRS_YR), 1.0)
    saved_usd = failures_yr * _repair_saving_usd(machine_ths, margin_usd_ths_day)
    return np.asarray(saved_usd > technicians * _TECHNICIAN_USD_YR)


def repair_days(in_house: Numbers) -> FloatArray:
    """Days that a failed machine is away."""
    return np.asarray(
        np.where(in_house, _OWN_REPAIR_DAYS, _OUTSOURCED_REPAIR_DAYS), dtype=np.float64
    )


def contract_discount(size_mw: Numbers, slope: float = 0.0, most: float = 0.15) -> FloatArray:
    """Discount of a power contract for its size; none by default.

    It would count the firm's expertise twice and works against the size gradient of generation.
    """
    return np.minimum(slope * np.log1p(np.asarray(size_mw, dtype=np.float64)), most)


def take_or_pay_mwh(used_mwh: Numbers, contracted_mwh: Numbers, share: float = 0.6) -> FloatArray:
    """Energy billed under a contract that is paid whether or not it is used."""
    return np.asarray(np.maximum(used_mwh, share * np.asarray(contracted_mwh)), dtype=np.float64)


def hedge_ratio(firm_mw: Numbers, wanted: Numbers, least_mw: float = 30.0) -> FloatArray:
    """Share of the load bought ahead; only firms with finance experts of their own can."""
    able = np.asarray(firm_mw, dtype=np.float64) >= least_mw
    return np.asarray(np.where(able, wanted, 0.0), dtype=np.float64)


def hedged_price(
    spot_usd_mwh: Numbers, forward_usd_mwh: Numbers, hedged: Numbers, premium: float = 0.02
) -> FloatArray:
    """Power price of a load partly bought ahead at a premium.

    Notes
    -----
    (1 - h) spot + h forward (1 + premium): the variance falls to (1 - h)^2 of the spot's, and
    the mean rises by the premium on what is hedged.
    """
    share = np.asarray(hedged, dtype=np.float64)
    return np.asarray(
        (1.0 - share) * spot_usd_mwh + share * np.asarray(forward_usd_mwh) * (1.0 + premium)
    )


def demand_response_credit(
    energy_cost_usd_mwh: Numbers, stands_by: Numbers, share: float = 0.08
) -> FloatArray:
    """What the grid pays a load for standing by, USD/MWh; 0 for loads that do not."""
    credit = share * np.maximum(np.asarray(energy_cost_usd_mwh, dtype=np.float64), 0.0)
    return np.asarray(np.where(np.asarray(stands_by, dtype=bool), credit, 0.0))
