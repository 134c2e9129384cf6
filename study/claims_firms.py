"""Economic claims about firms that only runs of the model can measure."""

from __future__ import annotations

import numpy as np

from model.markets import finance
from model.units import (
    DAYS_PER_YEAR,
    HOURS_PER_YEAR,
    WATTS_PER_MW,
    breakeven_power_price_usd_mwh,
)
from study.claim import Claim, Finding, FloatArray, Results, interval, verdict
from study.claims_costs import hashprice, world_of_cells
from study.experiments import PUBLIC, RUSSIAN_LAW, Course, by_sign, mean_at, noise, paired
from study.static_limit import mining_cells
from study.survival import Deviance, largest_parts, survival

AMERICAN_LAW = 0.70
HALT_DAYS = 105.0  # mean of 30 to 180
NODES = (10_000.0, 20_000.0, 100_000.0)  # reachable nodes of Bitcoin: an assumption, low and high


def capital_for_the_large(results: Results) -> Finding:
    """What listed firms gain by capital markets, and by how much American ones are deeper."""
    deep, none = results["five years"], results["no capital market"]
    public = paired(deep, none, "public", 5.0)
    largest = interval(
        [
            growth_oflargest_parts(one) - growth_oflargest_parts(two)
            for one, two in zip(deep, none, strict=True)
        ]
    )
    forms = np.array([0, 1, 2])
    room = finance.equity_room_usd(forms, 1.0, 1.0, np.array([1.0, 1.0, 1.0]))
    rates = finance.borrowing_rate(np.array([2, 2, 1]), np.array([1.0, 0.15, 1.0]), 0.3)
    holds, fails = by_sign(public)
    return Finding(
        verdict(holds and largest.low > 0.0, fails),
        f"listed firms' share of the hashrate, from {mean_at(deep, 'public', 0):.2f}, after five "
        f"years {mean_at(deep, 'public', 5):.2f} with capital markets and "
        f"{mean_at(none, 'public', 5):.2f} without, difference {public.words()}; what the five "
        f"largest firms of the first day gain, likewise {largest.words()}; equity a quarter over "
        f"market value: home {room[0]:.2f}, private {room[1]:.2f}, listed {room[2]:.2f}; bonds at "
        f"{rates[0]:.1%} in the USA and {rates[1]:.1%} in Russia, bank loans {rates[2]:.0%}",
        "on being listed, not on size: who may issue, and the depth of markets, which is 1 in "
        "the USA, are by construction; at depth 0 the gain of listed firms is gone"
        + noise(public, "that they gain")
        + (
            ""
            if largest.low > 0.0
            else "; the five largest firms, listed or not, gain nothing by it"
        ),
    )


def growth_oflargest_parts(course: Course, months: int = 60) -> float:
    """Share of the hashrate of the first day's five largest firms, later less at first."""
    top = np.argsort(-course.work[0])[:5]
    network = course.monthly["hashrate_ehs"] * 1e6
    return float(
        course.work[months][top].sum() / network[months] - course.work[0][top].sum() / network[0]
    )


def rule_of_law(results: Results) -> Finding:
    """What the USA would lose with Russia's law, and what law is worth in power prices."""
    lawful, lawless = results["five years"], results["law of Russia"]
    lost = paired(lawful, lawless, "usa", 5.0)
    law = np.array([AMERICAN_LAW, RUSSIAN_LAW])
    standing = float(-np.diff(finance.halt_hazard_yr(law) * HALT_DAYS / DAYS_PER_YEAR)[0])
    seized = float(-np.diff(finance.seizure_hazard_yr(law, 0.3))[0])
    revenue = float(breakeven_power_price_usd_mwh(hashprice(), 25.0))
    machines = 16.0 * WATTS_PER_MW / 17.5
    worth = -standing * revenue - seized * machines / (HOURS_PER_YEAR * 0.95)
    holds, fails = by_sign(lost)
    return Finding(
        verdict(holds, fails),
        f"US share of the hashrate after five years under its own law ({AMERICAN_LAW:.2f}) less "
        f"under Russia's ({RUSSIAN_LAW:.2f}), all else equal: {lost.words()}, of "
        f"{mean_at(lawful, 'usa', 5):.2f}; by the hazards alone that law is worth {worth:.1f} "
        "USD/MWh",
        f"on power prices: a nation whose power is cheaper by more than {worth:.0f} USD/MWh "
        "outweighs it" + noise(lost, "that it shows after five years"),
    )


def bankrupt_miners_run_on(results: Results) -> Finding:
    """Hashrate that ruined listed firms keep half a year on, under law and without."""
    lawful, lawless = results["ruin under law"], results["ruin without law"]
    kept = [interval([_kept(course) for course in runs]) for runs in (lawful, lawless)]
    lost = interval(
        [
            (one.monthly["installed"][-1] - two.monthly["installed"][-1]) / _listed(one)[0]
            for one, two in zip(lawful, lawless, strict=True)
        ]
    )
    law = np.linspace(0.0, 1.0, 101)
    state = finance.step_solvency(0, -1.0, 1.0, 0.0, PUBLIC, law, 0.0, 0.5, 0.5).state
    least = float(law[np.argmax(state == finance.Solvency.RESTRUCTURING)])
    return Finding(
        verdict(kept[0].low > 0.5 > kept[1].high, kept[0].high < 0.5),
        f"hashrate of ruined listed firms six months later over that before: {kept[0].mean:.2f} "
        f"[{kept[0].low:.2f}, {kept[0].high:.2f}] under law, {kept[1].mean:.2f} without; the "
        f"network loses {lost.mean:.2f} [{lost.low:.2f}, {lost.high:.2f}] TH/s of machines for "
        "each TH/s that would have run on",
        f"on restructuring law: by construction from a rule of law of {least:.2f} on and for "
        "listed firms only, and while the hashprice pays for the power",
    )


def _listed(course: Course) -> FloatArray:
    """Hashrate of the first day's listed firms by month."""
    return np.asarray(course.work[:, course.firms["form"] == PUBLIC].sum(axis=1))


def _kept(course: Course) -> float:
    work = _listed(course)
    return float(work[-1] / work[0])


def brownfield(results: Results) -> Finding:
    """What the USA gains in the year after a ban, with idle connections and without."""
    idle, none = results["ban, brownfield"], results["ban"]
    risen = [
        [course.at("usa", 14 / 12) - course.at("usa", 0) for course in runs]
        for runs in (idle, none)
    ]
    gains = [interval(values) for values in risen]
    effect = interval([one - two for one, two in zip(*risen, strict=True)])
    holds, fails = by_sign(effect)
    return Finding(
        verdict(holds, fails),
        "gain of the USA's share in the 14 months from May 2021, after a supposed ban of all "
        f"China at a flat price: {gains[0].words()} with idle connections (3 GW in the USA) "
        f"on line after half a year, {gains[1].words()} without, difference "
        f"{effect.words()}",
        "by construction (how much stands idle is assumed, offered as sites of 50 MW), and not "
        f"alone: {gains[1].mean / gains[0].mean:.0%} of the gain comes without it, from other "
        "sites and capital",
    )


def electricity_decides(results: Results) -> Finding:
    """Share of the explained deviance of survival that is due to power prices."""
    studies = {
        "2019-09 to 2021-04": (results["up to the ban"], 19),
        "five years from 2025": (results["five years"], 60),
    }
    found = {name: survival(courses, month) for name, (courses, month) in studies.items()}
    words = "; ".join(f"{name}: {told(deviance)}" for name, deviance in found.items())
    return Finding(
        verdict(
            all(each.leads("power_usd_mwh") for each in found.values()),
            all(each.trails("power_usd_mwh") for each in found.values()),
        ),
        f"{words}; shares are of the deviance that all explain",
        "on the years, and on what else is counted: old machines stand on cheap power and firms "
        "on cheap power are large, so that power, size and machines tell much the same; cash, "
        "four months of cost for all at first, cannot tell firms apart; to support it needs "
        "power to explain over half alone and to be missed most when dropped",
    )


def told(deviance: Deviance) -> str:
    """What a regression found, in words."""
    alone, dropped = (
        ", ".join(f"{name} {part:.0%}" for name, part in largest_parts(parts)[:4])
        for parts in (deviance.alone, deviance.dropped)
    )
    return (
        f"{deviance.firms} firms, {deviance.lost:.0%} lost, {deviance.explained:.0%} of the "
        f"deviance explained; alone {alone}; missed if dropped {dropped}"
    )


def as_plentiful_as_nodes(results: Results) -> Finding:
    """Miners by head and by weight against the number of nodes."""
    courses, years = results["steady rise"], (0, 5, 10)
    heads = [mean_at(courses, "heads", year) for year in years]
    weight = [mean_at(courses, "effective", year) for year in years]
    last = [course.at("heads", years[-1]) for course in courses]
    cells = world_of_cells()
    rows, power = mining_cells(cells)
    site_mw = cells.size_mw[rows] * cells.duty[rows]
    limit_heads = float((power / site_mw).sum())
    limit_weight = float(power.sum() ** 2 / (power * site_mw).sum())
    low, nodes, high = NODES
    return Finding(
        verdict(min(last) > high, max(last) < low and limit_heads < low),
        "miners that run, households one by one, at first and after 5 and 10 years: "
        f"{', '.join(f'{head:,.0f}' for head in heads)} (last {min(last):,.0f} to "
        f"{max(last):,.0f} over {len(last)} seeds); effective number by hashrate "
        f"{', '.join(f'{w:.0f}' for w in weight)}; against {nodes:,.0f} nodes (assumed, "
        f"{low:,.0f} to {high:,.0f}); static limit with a firm a site: {limit_heads:,.0f} by "
        f"head, {limit_weight:,.0f} by weight",
        "on counting heads, and on frictions: by head there are as many as nodes while "
        f"households hold {0.02 * nodes / heads[0]:.1%} of the hashrate (2 % at first, of 10 kW "
        "each, by construction), and in the frictionless limit; by weight there are fewer than "
        f"{max(weight) + 0.5:.0f} in runs",
    )


CLAIMS = (
    Claim(
        "C15", "only large firms can issue shares and bonds, best in the USA",
        "`equity_room_usd`, `debt_limit_usd` of `model/markets/finance.py`",
        "test_firms.py::test_without_capital_markets_the_largest_firms_grow_less",
        capital_for_the_large, ("five years", "no capital market"),
    ),
    Claim(
        "C16", "the rule of law draws mining",
        "halts, seizures, founding of firms", "test_finance.py::test_hazards_by_rule_of_law",
        rule_of_law, ("five years", "law of Russia"),
    ),
    Claim(
        "C17", "a bankrupt listed miner runs its fleet on",
        "`step_solvency`", "test_firms.py::test_restructuring_keeps_hash_that_liquidation_loses",
        bankrupt_miners_run_on, ("ruin under law", "ruin without law"),
    ),
    Claim(
        "C57", "idle connections of old industry and West Texas drew mining after the ban",
        "`brownfield_mw` of nations, offered as sites",
        "test_claims.py::test_idle_connections_are_sites_half_a_year_later",
        brownfield, ("ban, brownfield", "ban"),
    ),
    Claim(
        "C61", "electricity decides who survives, little else parts firms",
        "`agents/failing.py`, costs",
        "test_claims.py::test_a_regression_finds_what_decides_survival",
        electricity_decides, ("up to the ban", "five years"),
    ),
    Claim(
        "C62", "miners as plentiful as nodes",
        "firms and households of a run",
        "test_claims.py::test_effective_number_of_miners_counts_households_one_by_one",
        as_plentiful_as_nodes, ("steady rise",),
    ),
)  # fmt: skip
