"""Capital of firms: what it costs, how much of it there is, what it buys, and how it is lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.units import DAYS_PER_MONTH, DAYS_PER_YEAR

FloatArray = NDArray[np.float64]
Numbers = float | NDArray[Any]
BoolArray = NDArray[np.bool_]
CodeArray = NDArray[np.int8]


class Form(IntEnum):
    """Legal form of a mining firm."""

    HOME = 0
    PRIVATE = 1
    PUBLIC = 2
    STATE = 3


class Solvency(IntEnum):
    """Where a firm stands with its creditors."""

    SOLVENT = 0
    DISTRESSED = 1
    RESTRUCTURING = 2
    LIQUIDATED = 3


# Cost and amount of capital.


def wacc(
    form: Numbers,
    size_mw: Numbers,
    *,
    large: float = 0.12,
    mid: float = 0.16,
    home: float = 0.10,
    large_from_mw: float = 50.0,
) -> FloatArray:
    """Yearly cost of capital: home, or public or large, or anyone between."""
    code = np.asarray(form)
    cheap = (code == Form.PUBLIC) | (np.asarray(size_mw) >= large_from_mw)
    return np.where(code == Form.HOME, home, np.where(cheap, large, mid))


def equity_room_usd(
    form: Numbers,
    market_cap_usd: Numbers,
    net_assets_usd: Numbers,
    depth: Numbers,
    *,
    share_quarter: float = 0.15,
    least_valuation: float = 0.8,
) -> FloatArray:
    """Most equity that a firm can issue in a quarter.

    Parameters
    ----------
    form : `Form` codes; only public firms issue
    market_cap_usd, net_assets_usd : a firm valued below `least_valuation` of its assets cannot
    depth : capital-market depth of the firm's nation, in [0, 1]
    share_quarter : of the market value, in the deepest market
    """
    value = np.maximum(np.asarray(market_cap_usd, dtype=np.float64), 0.0)
    listed = np.asarray(form) == Form.PUBLIC
    valued = value >= least_valuation * np.asarray(net_assets_usd)
    return np.where(listed & valued, share_quarter * np.asarray(depth) * value, 0.0)


def equity_proceeds_usd(issued_usd: Numbers, cost: float = 0.05) -> FloatArray:
    """Cash left of an issue after the banks' cut."""
    return np.asarray((1.0 - cost) * np.asarray(issued_usd, dtype=np.float64))


def equity_price_impact(
    issued_usd: Numbers, market_cap_usd: Numbers, slope: float = 0.5
) -> FloatArray:
    """Relative change of a share price on an issue; never below -1."""
    value = np.maximum(np.asarray(market_cap_usd, dtype=np.float64), 1e-9)
    return np.maximum(-slope * np.asarray(issued_usd) / value, -1.0)


def debt_limit_usd(
    form: Numbers,
    assets_usd: Numbers,
    machines_usd: Numbers,
    depth: Numbers,
    *,
    bond_loan_to_value: float = 0.5,
    bank_loan_to_value: float = 0.2,
) -> FloatArray:
    """Most debt of a firm: bonds on all assets if public, a bank loan on machines if private.

    Homes and states borrow nothing.
    """
    code = np.asarray(form)
    bonds = bond_loan_to_value * np.asarray(depth) * np.asarray(assets_usd, dtype=np.float64)
    loan = bank_loan_to_value * np.asarray(machines_usd, dtype=np.float64)
    limit = np.where(code == Form.PUBLIC, bonds, np.where(code == Form.PRIVATE, loan, 0.0))
    return np.maximum(limit, 0.0)


def credit_room_usd(limit_usd: Numbers, debt_usd: Numbers) -> FloatArray:
    """Debt that a firm can still take on."""
    return np.maximum(np.asarray(limit_usd, dtype=np.float64) - debt_usd, 0.0)


def bond_spread(depth: Numbers, loan_to_value: Numbers) -> FloatArray:
    """Yearly spread of a bond: dearer in shallow markets and for indebted firms."""
    leverage = np.asarray(loan_to_value, dtype=np.float64)
    return np.asarray(0.03 + 0.10 * (1.0 - np.asarray(depth)) + 0.12 * leverage**2)


def borrowing_rate(
    form: Numbers,
    depth: Numbers,
    loan_to_value: Numbers,
    *,
    risk_free: float = 0.04,
    bank_rate: float = 0.16,
) -> FloatArray:
    """Yearly interest on debt: riskless rate and spread if public, the bank's rate otherwise."""
    bonds = risk_free + bond_spread(depth, loan_to_value)
    return np.where(np.asarray(form) == Form.PUBLIC, bonds, bank_rate)


def growth_path(
    form: Numbers,
    fleet_mw: Numbers,
    depth: Numbers,
    price_momentum: Numbers,
    *,
    private_from_mw: float = 0.05,
    public_from_mw: float = 50.0,
    least_depth: float = 0.3,
) -> CodeArray:
    """Form of each firm after a month: homes become private, private firms go public.

    Parameters
    ----------
    form : `Form` codes
    fleet_mw : power of the firm's machines
    depth : capital-market depth of its nation
    price_momentum : recent change of the coin price; listings need a rising one

    Returns
    -------
    int8 codes; one step of the path at a time
    """
    code = np.asarray(form)
    size = np.asarray(fleet_mw)
    window = (np.asarray(depth) > least_depth) & (np.asarray(price_momentum) > 0.0)
    founded = (code == Form.HOME) & (size > private_from_mw)
    listed = (code == Form.PRIVATE) & (size > public_from_mw) & window
    grown = np.where(listed, Form.PUBLIC, np.where(founded, Form.PRIVATE, code))
    return grown.astype(np.int8)


# Failure.


@dataclass(frozen=True)
class SolvencyStep:
    """What the state machine of bankruptcy decided for each firm."""

    state: CodeArray
    months_left: FloatArray
    refinance_usd: FloatArray
    debt_factor: FloatArray
    newly_liquidated: BoolArray
    newly_restructuring: BoolArray
    creditors_take_over: BoolArray


def step_solvency(
    state: Numbers,
    cash_usd: Numbers,
    fixed_cost_usd_day: Numbers,
    refinance_room_usd: Numbers,
    form: Numbers,
    rule_of_law: Numbers,
    months_left: Numbers,
    length_draw: Numbers,
    exit_draw: Numbers,
    *,
    elapsed_months: float = 1.0 / DAYS_PER_MONTH,
    buffer_days: float = 60.0,
    least_law: float = 0.6,
    months_low: float = 6.0,
    months_high: float = 14.0,
    survive: float = 0.8,
    haircut: float = 0.5,
) -> SolvencyStep:
    """One step of every firm through distress, restructuring and liquidation.

    Parameters
    ----------
    state : `Solvency` codes
    cash_usd : may be negative, which means bills are due that cannot be paid
    fixed_cost_usd_day : cost that does not stop when the machines do
    refinance_room_usd : equity and credit that can be raised now
    form : `Form` codes
    rule_of_law : of the firm's nation, in [0, 1]
    months_left : of a restructuring under way
    length_draw, exit_draw : uniform in [0, 1): how long a restructuring is, how it ends
    elapsed_months : since the last step

    Returns
    -------
    SolvencyStep
        new state and months left; cash to raise (`refinance_usd`, within the room); factor on
        debt (1, or 1 - haircut on leaving restructuring); firms liquidated or taken into
        restructuring in this step; firms whose equity passes to the creditors

    Notes
    -----
    A firm short of `buffer_days` of fixed cost is distressed. It raises what is missing if it
    can; if it cannot, it lives on until its cash is gone, and is then insolvent. A public firm
    under law restructures, keeps its machines and pays no interest; any other is liquidated.
    """
    before = np.asarray(state)
    cash = np.asarray(cash_usd, dtype=np.float64)
    room = np.asarray(refinance_room_usd, dtype=np.float64)
    shortfall = np.maximum(buffer_days * np.asarray(fixed_cost_usd_day) - cash, 0.0)
    trading = (before == Solvency.SOLVENT) | (before == Solvency.DISTRESSED)
    short = trading & (shortfall > 0.0)
    rescued = short & (room >= shortfall)
    insolvent = short & ~rescued & (cash < 0.0)
    protected = (np.asarray(form) == Form.PUBLIC) & (np.asarray(rule_of_law) >= least_law)
    remaining = np.asarray(months_left, dtype=np.float64) - elapsed_months
    leaving = (before == Solvency.RESTRUCTURING) & (remaining <= 0.0)
    reborn = leaving & (np.asarray(exit_draw) < survive)
    entering = insolvent & protected
    closing = (insolvent & ~protected) | (leaving & ~reborn)
    after = np.where(trading, Solvency.SOLVENT, before)
    after = np.where(short & ~rescued, Solvency.DISTRESSED, after)
    after = np.where(entering, Solvency.RESTRUCTURING, after)
    after = np.where(reborn, Solvency.SOLVENT, np.where(closing, Solvency.LIQUIDATED, after))
    length = months_low + (months_high - months_low) * np.asarray(length_draw)
    staying = (before == Solvency.RESTRUCTURING) & ~leaving
    return SolvencyStep(
        state=after.astype(np.int8),
        months_left=np.where(entering, length, np.where(staying, remaining, 0.0)),
        refinance_usd=np.where(rescued, shortfall, 0.0),
        debt_factor=np.where(reborn, 1.0 - haircut, 1.0),
        newly_liquidated=closing,
        newly_restructuring=entering,
        creditors_take_over=reborn,
    )


def pays_interest(state: Numbers) -> BoolArray:
    """Whether a firm services its debt: interest stays while it restructures."""
    code = np.asarray(state)
    return np.asarray((code == Solvency.SOLVENT) | (code == Solvency.DISTRESSED))


def liquidation_value(used_value_usd: Numbers, haircut: float = 0.25) -> FloatArray:
    """What machines bring in a forced sale."""
    return np.asarray((1.0 - haircut) * np.asarray(used_value_usd, dtype=np.float64))


# Hazards of the law.


def seizure_hazard_yr(
    rule_of_law: Numbers, share_in_nation: Numbers, base_yr: float = 0.08
) -> FloatArray:
    """Hazard a year that a site is seized: rises where law is weak and mining conspicuous."""
    lawless = 1.0 - np.asarray(rule_of_law, dtype=np.float64)
    return np.asarray(base_yr * lawless**2 * (1.0 + 2.0 * np.asarray(share_in_nation)))


def halt_hazard_yr(rule_of_law: Numbers, base_yr: float = 0.25) -> FloatArray:
    """Hazard a year that a regulator stops a firm in a nation for a while."""
    return np.asarray(base_yr * (1.0 - np.asarray(rule_of_law, dtype=np.float64)))


def event_probability(hazard_yr: Numbers, days: float = 1.0) -> FloatArray:
    """Probability of at least one event of a hazard within some days."""
    return np.asarray(-np.expm1(-np.asarray(hazard_yr, dtype=np.float64) * days / DAYS_PER_YEAR))


def uniform_days(draw: Numbers, low: Numbers, high: Numbers) -> NDArray[np.int64]:
    """Whole days, from a uniform draw: halts last 30 to 180 days."""
    span = np.asarray(high, dtype=np.float64) - low
    days: NDArray[np.int64] = np.rint(low + span * np.asarray(draw)).astype(np.int64)
    return days


# Giving up.


def expected_growth(
    expected_month: Numbers, observed_month: Numbers, weight: float = 0.3
) -> FloatArray:
    """Adaptive expectation of hashrate growth a month."""
    old = np.asarray(expected_month, dtype=np.float64)
    return np.asarray(old + weight * (np.asarray(observed_month) - old))


def expected_decline(growth_month: float, weight: float, most: float = 0.05) -> float:
    """Decline of the hashprice a month that goes with an expected growth of the hashrate."""
    return min(max(weight * growth_month, 0.0), most)


def monthly_rate(rate_yr: Numbers) -> FloatArray:
    """Compound monthly rate of a yearly one."""
    return np.asarray((1.0 + np.asarray(rate_yr, dtype=np.float64)) ** (1.0 / 12.0) - 1.0)
