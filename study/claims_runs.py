"""Economic claims of the founding essay that only runs of the model can measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from model.markets import finance, sunshine
from model.units import (
    DAYS_PER_YEAR,
    HOURS_PER_YEAR,
    WATTS_PER_MW,
    breakeven_power_price_usd_mwh,
)
from study.claim import Claim, Finding, FloatArray, Interval, Results, interval, verdict
from study.claims_costs import flip, hashprice, of_kind, world_of_cells
from study.experiments import PUBLIC, RUSSIAN_LAW, SUPERCHEAP_USD_MWH, Course
from study.static_limit import Limit, equilibrium, mining_cells

STATE = 3
AMERICAN_LAW = 0.70
SUBSTANTIAL = 0.1  # part of the hashrate
HALT_DAYS = 105.0  # mean of 30 to 180
NODES = (10_000.0, 20_000.0, 100_000.0)  # reachable nodes of Bitcoin: an assumption, low and high


def paired(first: Sequence[Course], second: Sequence[Course], name: str, year: float) -> Interval:
    """Difference of a series between runs that share their seeds, over the year up to some year."""
    pairs = zip(first, second, strict=True)
    return interval([one.over_year(name, year) - two.over_year(name, year) for one, two in pairs])


def mean_at(courses: Sequence[Course], name: str, year: float) -> float:
    """Mean over seeds of a series some years on."""
    return float(np.mean([course.at(name, year) for course in courses]))


def by_sign(difference: Interval) -> tuple[bool, bool]:
    """Whether an interval lies above zero, and whether below."""
    return difference.low > 0.0, difference.high < 0.0


def _noise(found: Interval, what: str) -> str:
    """A caveat where an interval does not tell the sign."""
    told = found.low > 0.0 or found.high < 0.0
    return "" if told else f"; {what} is within the noise of {found.size} seeds"


# Capital and law


def capital_for_the_large(results: Results) -> Finding:
    """What listed firms gain by capital markets, and by how much American ones are deeper."""
    deep, none = results["five years"], results["no capital market"]
    public = paired(deep, none, "public", 5.0)
    largest = interval(
        [
            growth_of_largest(one) - growth_of_largest(two)
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
        + _noise(public, "that they gain")
        + (
            ""
            if largest.low > 0.0
            else "; the five largest firms, listed or not, gain nothing by it"
        ),
    )


def growth_of_largest(course: Course, months: int = 60) -> float:
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
        "outweighs it" + _noise(lost, "that it shows after five years"),
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


# Power and size


def behind_the_meter(results: Results) -> Finding:
    """Share behind the meter over time, and where wires cost twice as much."""
    usual, dear = results["steady rise"], results["wires twice"]
    rise = interval(
        [course.at("behind_meter", 10) - course.at("behind_meter", 0) for course in usual]
    )
    wires = paired(dear, usual, "behind_meter", 10.0)
    cells = world_of_cells()

    def limit_share(scale: float) -> float:
        rows, power = mining_cells(cells, replace(Limit(), transmission_scale=scale))
        return float(power[~cells.on_grid[rows]].sum() / power.sum())

    half = flip(lambda scale: limit_share(scale) - 0.5, 0.0, 2.0)
    bound = f"from charges x{half:.2f} on" if np.isfinite(half) else "even without any charge"
    shares = ", ".join(f"{limit_share(scale):.2f}" for scale in (0.0, 1.0, 2.0))
    more, less = by_sign(rise)
    return Finding(
        verdict(more and wires.low > 0.0, less),
        f"in ten years from {mean_at(usual, 'behind_meter', 0):.2f} to "
        f"{mean_at(usual, 'behind_meter', 10):.2f} ({rise.words()}); wires twice as dear: "
        f"{wires.words()}; static limit at wires x0, x1, x2: {shares}",
        "on dear wires only in part: it rises at today's charges, for where cheap power is "
        "found; in "
        f"the static limit it is above one half {bound}"
        + _noise(wires, "that dearer wires add to it"),
    )


def computation_outbids(results: Results) -> Finding:
    """Share of large sites with and without AI bidders, in the limit and in runs."""
    cells = world_of_cells()
    with_ai, without = (
        equilibrium(cells, replace(Limit(), ai_bidders=bid)).over_100mw for bid in (True, False)
    )
    lost = paired(results["without AI"], results["five years"], "over_100mw", 5.0)
    holds, fails = by_sign(lost)
    return Finding(
        verdict(holds and without > with_ai, fails),
        f"hashrate at sites above 100 MW in the static limit {without:.3f} without AI bidders, "
        f"{with_ai:.3f} with; in runs after five years, without less with: {lost.words()}, of "
        f"{mean_at(results['without AI'], 'over_100mw', 5):.2f}",
        "by construction of the bidder (it takes half as many sites as at most at 50 MW and pays "
        "far above the power price); how much is left to miners follows",
    )


PATHS = {
    "one price": "flat price",
    "steady rise": "15 % a year",
    "half a million": "500,000 USD",
}


def either_way(results: Results) -> Finding:
    """Share of hashrate at sites below 10 MW, whatever the price does."""
    found = {
        words: [
            interval([course.at("under_10mw", year) for course in results[name]])
            for year in (10.0, 19.75)
        ]
        for name, words in PATHS.items()
    }
    first = mean_at(results["one price"], "under_10mw", 0)
    rises = [words for words, (ten, _) in found.items() if ten.low > first]
    passes = [words for words, (_, twenty) in found.items() if twenty.low > 0.5]
    table = "; ".join(
        f"{words} {' and '.join(_bounds(each) for each in pair)}" for words, pair in found.items()
    )
    limit = [_small_in_limit(1.0, usd) for usd in (2e4, 8.3e4, 5e5)]
    flips = [
        flip(lambda lam, at=usd: _small_in_limit(lam, at) - 0.5, 0.0, 32.0)  # type: ignore[misc]
        for usd in (8.3e4, 5e5)
    ]
    return Finding(
        verdict(len(passes) == len(PATHS), not rises and not passes),
        f"hashrate at sites below 10 MW after 10 and 20 years, from {first:.2f}: {table}; static "
        f"limit at 20, 83, 500 thousand USD: {', '.join(f'{share:.2f}' for share in limit)}",
        f"on time, price and frictions: it rises on {len(rises)} of {len(PATHS)} paths and passes "
        f"one half within 20 years on {len(passes)} ({', '.join(passes) or 'none'}); in the "
        f"frictionless limit it is above one half until scale advantages are {flips[0]:.1f} times "
        f"as large ({flips[1]:.1f} times at 500,000 USD)",
    )


def _small_in_limit(scale_advantage: float, price_usd: float) -> float:
    """Share of the static limit's hashrate at sites below 10 MW."""
    terms = replace(Limit(), scale_advantage=scale_advantage, price_usd=price_usd)
    return equilibrium(world_of_cells(), terms).under_10mw


def _bounds(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


SHORT_MONTHS, LONG_MONTHS = 24.0, 48.0


def short_margins(results: Results) -> Finding:
    """Months until half of a doubled price's gain in hashprice is gone."""
    still = results["one price, five years"]
    grown, frozen = (
        [_half_life(*pair) for pair in zip(results[name], still, strict=True)]
        for name in ("doubled price", "doubled, maker frozen")
    )
    words = [
        f"{np.median(months):.0f} ({', '.join(_months(month) for month in sorted(months))})"
        for months in (grown, frozen)
    ]
    return Finding(
        verdict(max(grown) <= SHORT_MONTHS, min(grown) > LONG_MONTHS),
        f"a doubled price loses half of its gain in hashprice in {words[0]} months (median, "
        f"seeds), with the maker's capacity frozen in {words[1]}",
        f"on calling {np.median(grown):.0f} months short, on fabs that may grow, and on the "
        "halving of 2028, 36 months in, which ends the better times of many a machine; with free "
        "entry, one technology and no halving the closed form has 18 to 30 months to a half (the "
        "test)",
    )


def _gain(doubled: Course, still: Course) -> FloatArray:
    """What is left of a doubled price's gain in hashprice, by month."""
    months = doubled.monthly["hashprice"].size
    return np.asarray(doubled.monthly["hashprice"] / still.monthly["hashprice"][:months] - 1.0)


def _half_life(doubled: Course, still: Course) -> float:
    gain = _gain(doubled, still)[2:]
    below = np.flatnonzero(gain <= 0.5)
    return float(below[0] + 1) if below.size else float("inf")


def _months(months: float) -> str:
    return f"{months:.0f}" if np.isfinite(months) else "never in five years"


def supercheap_days_numbered(results: Results) -> Finding:
    """Cheap power at large sites over time, where mining grows and where it does not."""
    growing, flat = results["half a million"], results["one price"]
    falls = interval(
        [course.at("large_cheap", 10) - course.at("large_cheap", 0) for course in growing]
    )
    stays = interval(
        [course.at("large_cheap", 10) - course.at("large_cheap", 0) for course in flat]
    )
    contrast = paired(growing, flat, "large_cheap", 10.0)
    megawatts = interval(
        [course.at("large_cheap_gw", 10) - course.at("large_cheap_gw", 0) for course in growing]
    )
    bidders = paired(results["five years"], results["without AI"], "large_cheap", 5.0)
    gone = megawatts.high < 0.0
    return Finding(
        verdict(falls.high < 0.0 and gone, falls.low > 0.0),
        f"hashrate at sites above 100 MW at {SUPERCHEAP_USD_MWH:.0f} USD/MWh or less, ten years "
        f"on: {falls.words()} where the price goes to 500,000 USD and mining grows "
        f"({mean_at(growing, 'hashrate_ehs', 10):,.0f} EH/s), {stays.words()} where it stays "
        f"({mean_at(flat, 'hashrate_ehs', 10):,.0f} EH/s), growth less no growth "
        f"{contrast.words()}; in GW where it grows: {megawatts.words('+.1f')}; AI bidders: "
        f"{bidders.words()}",
        "on growth, and as a share only: where mining grows the share falls because the rest "
        "grows, while the power itself is not given up; where it does not grow the share rises"
        if megawatts.high >= 0.0 else "on growth: where mining does not grow the share rises",
    )  # fmt: skip


def follows_the_sun(results: Results) -> Finding:
    """Spare sunshine against the hours a machine needs, and what follows the sun in runs."""
    needs = {"new": (16.0, 17.5, 4.0), "used": (7.0, 21.5, 3.0), "old": (3.0, 29.5, 2.0)}
    least = {
        name: float(sunshine.least_duty(price, joules, years, 0.12, hashprice()))
        for name, (price, joules, years) in needs.items()
    }
    hours = {curtailed: sunny_hours(curtailed) for curtailed in (0.0, 0.03, 0.15)}
    enough = flip(lambda part: sunny_hours(0.15, part) - least["new"], 0.01, 0.5)
    usual, sunnier = (
        interval([course.at("sunny", 10) for course in results[name]])
        for name in ("steady rise", "more sun")
    )
    most = [course.at("sunny", 10) for runs in results.values() for course in runs]
    cells = world_of_cells()
    rows, power = mining_cells(cells)
    sun = of_kind("btm_solar_wind", "home_solar")
    limit = float(power[sun[rows]].sum() / power.sum())
    return Finding(
        verdict(usual.low > SUBSTANTIAL, max(usual.high, sunnier.high) < SUBSTANTIAL),
        "least share of hours at free power and the hashprice of 2025-04: "
        f"{', '.join(f'{name} {duty:.2f}' for name, duty in least.items())}; a miner of a tenth "
        "of a plant at 30 degrees gets "
        f"{', '.join(f'{h:.2f} ({c:.0%} curtailed)' for c, h in hours.items())}; sunny sites "
        f"carry {usual.mean:.1%} [{usual.low:.1%}, {usual.high:.1%}] of the hashrate after ten "
        f"years, {sunnier.mean:.1%} [{sunnier.low:.1%}, {sunnier.high:.1%}] with twice the "
        f"curtailed sun and clocks free, {limit:.1%} in the static limit (new machines only)",
        "on written-off machines or much curtailed sun: clipping alone never carries a new "
        f"machine, 15 % curtailed does up to {enough:.0%} of the plant (spread evenly over the "
        "day, as the model has it); a substantial part is a tenth here, and no run has more than "
        f"{max(most):.1%}",
    )


def sunny_hours(curtailed: float, part: float = 0.1, latitude: float = 30.0) -> float:
    """Share of a clear year's energy that a miner of some part of a plant gets for nothing."""
    days = [
        np.minimum(
            sunshine.free_solar_share(latitude, 0.0, float(day), 1.3, curtailed), part
        ).mean()
        for day in range(1, 366, 7)
    ]
    return float(np.mean(days)) / part


# Firms


def brownfield(results: Results) -> Finding:
    """What the USA gains in the year after a ban, with idle connections and without."""
    idle, none = results["ban, brownfield"], results["ban"]
    gains = [
        interval([course.at("usa", 14 / 12) - course.at("usa", 0) for course in runs])
        for runs in (idle, none)
    ]
    effect = paired(idle, none, "usa", 14 / 12)
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


FEATURES = (
    "power_usd_mwh", "efficiency_j_th", "machines_mw", "debt_usd_mw", "rule_of_law",
    "capital_depth",
)  # fmt: skip
LOGGED = ("power_usd_mwh", "efficiency_j_th", "machines_mw")


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
        ", ".join(f"{name} {part:.0%}" for name, part in _largest(parts)[:4])
        for parts in (deviance.alone, deviance.dropped)
    )
    return (
        f"{deviance.firms} firms, {deviance.lost:.0%} lost, {deviance.explained:.0%} of the "
        f"deviance explained; alone {alone}; missed if dropped {dropped}"
    )


def _largest(parts: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda row: -row[1])


class Deviance:
    """What a logistic regression of survival explains.

    Attributes
    ----------
    firms, lost : how many there were, and which share did not survive
    explained : share of the deviance that all features explain
    alone : by feature, what it explains alone over what all explain
    dropped : by feature, what the others fail to explain without it, over the same
    """

    def __init__(self, features: dict[str, FloatArray], survived: FloatArray) -> None:
        self.firms, self.lost = survived.size, 1.0 - float(survived.mean())
        null = logistic_deviance(np.empty((survived.size, 0)), survived)
        whole = logistic_deviance(_columns(features, tuple(features)), survived)
        self.explained = (null - whole) / null
        gained = null - whole
        self.alone = {
            name: (null - logistic_deviance(_columns(features, (name,)), survived)) / gained
            for name in features
        }
        self.dropped = {
            name: (
                logistic_deviance(_columns(features, tuple(set(features) - {name})), survived)
                - whole
            )
            / gained
            for name in features
        }

    def leads(self, name: str) -> bool:
        """Whether a feature explains more than half alone and is missed most if dropped."""
        return self.alone[name] > 0.5 and _largest(self.dropped)[0][0] == name

    def trails(self, name: str) -> bool:
        """Whether another feature explains more alone, and another is missed more if dropped."""
        return all(_largest(parts)[0][0] != name for parts in (self.alone, self.dropped))


def survival(courses: Sequence[Course], month: int) -> Deviance:
    """Survival to a month of the firms of the first day; states, which never give up, left out."""
    parts: dict[str, list[FloatArray]] = {name: [] for name in (*FEATURES, "listed")}
    survived = []
    for course in courses:
        chosen = (course.firms["form"] != STATE) & (course.work[0] > 0.0)
        survived.append((course.alive[month] & chosen)[chosen].astype(np.float64))
        for name in FEATURES:
            values = course.firms[name][chosen]
            parts[name].append(np.log(np.maximum(values, 1e-3)) if name in LOGGED else values)
        parts["listed"].append((course.firms["form"][chosen] == PUBLIC).astype(np.float64))
    return Deviance(
        {name: np.concatenate(each) for name, each in parts.items()}, np.concatenate(survived)
    )


def _columns(features: dict[str, FloatArray], names: tuple[str, ...]) -> FloatArray:
    """Features and their squares, standardised; a constant one becomes zeros."""
    wanted = [features[name] for name in sorted(names)]
    columns = [(v - v.mean()) / max(float(v.std()), 1e-9) for v in wanted]
    return np.column_stack([*columns, *(v**2 for v in columns)]) if columns else np.empty((0, 0))


def logistic_deviance(columns: FloatArray, outcome: FloatArray, ridge: float = 1e-3) -> float:
    """Least deviance of a logistic regression with a constant, twice its negative log-likelihood.

    The ridge keeps coefficients finite where a feature separates the outcomes.
    """
    design = np.column_stack([np.ones(outcome.size), *columns.reshape(outcome.size, -1).T])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        score = design @ weights
        deviance = np.logaddexp(0.0, score).sum() - outcome @ score
        slope = design.T @ (expit(score) - outcome)
        return float(deviance + 0.5 * ridge * weights @ weights), slope + ridge * weights

    best = minimize(loss, np.zeros(design.shape[1]), jac=True, method="BFGS").x
    score = design @ best
    return float(2.0 * (np.logaddexp(0.0, score).sum() - outcome @ score))


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
        "C21", "mining moves behind the meter",
        "wires in the delivered price",
        "test_static_limit.py::test_distribution_falls_with_scale_advantage_and_rises_with_wires_and_gradient",
        behind_the_meter, ("steady rise", "wires twice"),
    ),
    Claim(
        "C24", "other computation outbids miners at large sites",
        "`win_probability`, `agents/leasing.py`",
        "test_firms.py::test_bidders_for_computation_win_large_sites",
        computation_outbids, ("five years", "without AI"),
    ),
    Claim(
        "C26", "a good part of the hashrate follows the sun, overclocked or on old machines",
        "`least_duty`, `free_solar_share` of `model/markets/sunshine.py`",
        "test_sunshine.py::test_only_depreciated_machines_live_on_a_solar_duty",
        follows_the_sun, ("steady rise", "more sun"),
    ),
    Claim(
        "C29", "whether the price stays, rises or leaps, mining ends up distributed",
        "static limit, sites and their prices",
        "test_static_limit.py::test_the_answer_flips_near_seven_and_a_half_times_the_scale_advantage",
        either_way, ("one price", "steady rise", "half a million"),
    ),
    Claim(
        "C30", "times of high margins are short",
        "`plan_output` of `model/markets/maker.py`",
        "test_hardware.py::test_margins_halve_in_two_years_and_free_entry_restores_the_hashprice",
        short_margins, ("one price, five years", "doubled price", "doubled, maker frozen"),
    ),
    Claim(
        "C57", "idle connections of old industry and West Texas drew mining after the ban",
        "`brownfield_mw` of nations, offered as sites",
        "test_claims.py::test_idle_connections_are_sites_half_a_year_later",
        brownfield, ("ban, brownfield", "ban"),
    ),
    Claim(
        "C58", "the days of very cheap power at large scale are numbered, if mining keeps growing",
        "size gradient, AI bidders, growth of sites",
        "test_firms.py::test_large_grid_sites_keep_to_the_room_of_their_nation",
        supercheap_days_numbered, ("half a million", "one price", "five years", "without AI"),
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
