"""What a run is given from outside: the coin price, transaction fees, machines and their mix."""

from __future__ import annotations

from datetime import date

import numpy as np

from model import geography
from model.atlas import Atlas
from model.chain.fees import TransactionFees, fees_per_block_btc
from model.complaint import ScenarioError
from model.markets import hardware, price
from model.scenario import Scenario
from model.streams import Streams
from model.units import BLOCKS_PER_DAY, SATOSHI_PER_COIN

MONTHS_PER_YEAR = 12
RESERVES_FROM = date(2024, 1, 1)  # the tabled reserves say nothing about earlier years
FIRST_COHORT = (2014, 7)
COHORT_RETIREMENT_MONTH = 0.02
FROM_STOCK = 0.5  # share of growth that stored machines meet, while there are any


def price_path(case: Scenario, atlas: Atlas, streams: Streams) -> np.ndarray:
    """Coin price of every day of a run, USD: the path of the scenario and its dated shocks."""
    path = price_without_shocks(case, atlas, streams)
    for event in case.events:
        if event.kind == "price_shock":
            begins = (event.effective - case.start_date).days
            ends = case.days if event.until is None else (event.until - case.start_date).days
            path[begins:ends] *= event.factor
    return path


def price_without_shocks(case: Scenario, atlas: Atlas, streams: Streams) -> np.ndarray:
    """The path of the scenario's price mode, USD a day."""
    rule, days, first = case.price, case.days, case.start_date.toordinal()
    draw = streams.generator("price")
    if rule.mode == "historical":
        weekly = atlas.table("price_weekly.csv")
        weeks = [date.fromisoformat(week).toordinal() for week in weekly["week"]]
        return price.historical_path(weeks, weekly["price_usd"].to_numpy(), first, days)
    if rule.mode == "path":
        dates = [when.toordinal() for when, _ in rule.path]
        return price.piecewise_path(dates, [usd for _, usd in rule.path], first, days)
    drift, volatility = rule.drift_yr, rule.volatility_yr
    if rule.mode == "gbm":
        return price.gbm_path(rule.start_usd, drift, volatility, days, draw)
    jumps = (rule.jumps_yr, rule.jump_mean, rule.jump_sd)
    return price.jump_path(rule.start_usd, drift, volatility, *jumps, days, draw)


def transaction_fees(case: Scenario, atlas: Atlas, streams: Streams) -> TransactionFees:
    """The process of transaction fees, with the observed months that the run begins in."""
    rule = case.fees
    observed = None
    if rule.mode == "historical":
        monthly = atlas.monthly("fees")
        daily = monthly["fees_btc_per_day"].cast(float).fill_null(float("nan")).to_numpy()
        behind = months_between(str(monthly["month"][0]), case.start_date)
        if behind < 0:
            raise geography.DataError(
                f"fees_monthly.csv: begins in {monthly['month'][0]}, after {case.start_date}"
            )
        calendar = months_between(str(monthly["month"][0]), date.fromisoformat(
            f"{monthly['month'][-1]}-01")) + 1  # fmt: skip
        filled = np.full(calendar, np.nan)
        for month, value in zip(monthly["month"], daily, strict=True):
            when = date.fromisoformat(f"{month}-01")
            filled[months_between(str(monthly["month"][0]), when)] = value
        observed = fees_per_block_btc(filled, np.full(calendar, float(BLOCKS_PER_DAY)))[behind:]
    return TransactionFees(
        streams.generator("transaction fees"),
        median_btc_block=rule.median_btc_block,
        persistence_day=rule.persistence_day,
        volatility_day=rule.volatility_day,
        congestion=rule.congestion,
        observed_btc_block=observed,
    )


def alliances(case: Scenario, atlas: Atlas) -> np.ndarray:
    """Alliances of nations, [nation, nation] from -1 to 1, as tabled and as the scenario has it."""
    held = atlas.relations.alliances.copy()
    for one, other, weight in case.nations.alliances:
        rows = atlas.nations.row(one), atlas.nations.row(other)
        held[rows] = held[rows[::-1]] = weight
    return held


def reserves_sat(case: Scenario, atlas: Atlas, most_sat: int) -> np.ndarray:
    """Coins of each nation on the first day, satoshi; together no more than there may be."""
    known = case.start_date >= RESERVES_FROM
    btc = atlas.means.reserves_btc * case.nations.reserves_scale * known
    for nation, amount in case.nations.reserves_btc:
        btc[atlas.nations.row(nation)] = amount
    wanted = np.floor(btc * SATOSHI_PER_COIN)
    share = min(1.0, most_sat / max(float(wanted.sum()), 1.0))
    return np.floor(share * wanted).astype(np.int64)


def months_between(month: str, when: date) -> int:
    """Calendar months from a month such as "2019-09" to the month of a date."""
    year, number = (int(part) for part in month.split("-"))
    return (when.year - year) * MONTHS_PER_YEAR + when.month - number


def generations(case: Scenario, atlas: Atlas) -> hardware.Generations:
    """Listed machines and, after them, the frontier as the scenario has it."""
    rule, listed = case.machines, atlas.listed
    known = hardware.list_generations(
        listed.name,
        listed.released,
        listed.hashrate_ths,
        listed.efficiency_j_th,
        rule.availability_months,
        rule.cost_usd_j_th,
    )
    return hardware.extend_frontier(
        known,
        case.end_date.toordinal(),
        rule.frontier_j_th,
        rule.frontier_decline_yr,
        rule.frontier_floor_j_th,
        rule.generation_months,
    )


def first_machines(
    case: Scenario, atlas: Atlas, known: hardware.Generations
) -> tuple[np.ndarray, np.ndarray]:
    """Machines of the first day by generation: those that run and those that lie idle.

    Both as shares of the hashrate that runs; the first sums to 1 and is tilted to the mean
    efficiency asked for.
    """
    if case.start.fleet == "cohorts":
        mix, idle = cohorts(case, atlas, known)
    else:
        listed = geography.load_fleet(atlas.folder, case.start.fleet, atlas.listed)
        mix, idle = np.zeros(len(known)), np.zeros(len(known))
        mix[[known.name.index(name) for name in atlas.listed.name]] = listed
    wanted = case.start.mean_efficiency_j_th
    return (tilted(mix, known.efficiency_j_th, wanted) if wanted > 0 else mix), idle


def cohorts(
    case: Scenario, atlas: Atlas, known: hardware.Generations
) -> tuple[np.ndarray, np.ndarray]:
    """Machines of the day, rebuilt from the growth of the hashrate and the dates of release.

    When the hashrate falls the least efficient machines are switched off and stored; stock is
    scrapped little by little. When it grows, half of the growth comes from stock, the best first,
    and the rest in machines then on sale, as does the replacement of what wears out. Uses observed
    months up to the start only, and from the last of them a log-linear path to the start's level.
    """
    months, hashrate = observed_path(case, atlas)
    rule, efficiency = case.machines, known.efficiency_j_th
    running, idle = np.zeros(len(known)), np.zeros(len(known))
    for when, level in zip(months, hashrate, strict=True):
        idle *= 1.0 - rule.idle_scrap_month
        running -= least_efficient(running, COHORT_RETIREMENT_MONTH * running.sum(), efficiency)
        off = least_efficient(running, running.sum() - level, efficiency)
        running, idle = running - off, idle + off
        growth = max(level - running.sum(), 0.0)
        back = least_efficient(idle, FROM_STOCK * growth, -efficiency)
        running, idle = running + back, idle - back
        weights = hardware.output_weights(
            known, when.toordinal(), rule.diffusion_months, rule.sold_after_successor_months
        )
        bought = weights / efficiency
        if bought.sum() > 0:
            running += max(level - running.sum(), 0.0) * bought / bought.sum()
    return running / running.sum(), idle / running.sum()


def observed_path(case: Scenario, atlas: Atlas) -> tuple[list[date], np.ndarray]:
    """Month by month hashrate up to the start, EH/s, from first machines to the start's level."""
    monthly = atlas.monthly("network")
    known = {
        date.fromisoformat(f"{month}-15"): float(level)
        for month, level in zip(monthly["month"], monthly["hashrate_ehs"], strict=True)
    }
    points = {when: level for when, level in known.items() if when < case.start_date}
    points[case.start_date] = case.start.hashrate_ehs
    first = date(*FIRST_COHORT, 15)
    points.setdefault(first, 0.1 * min(points.values()))
    dates = sorted(points)
    months = [
        date(first.year + (first.month - 1 + step) // 12, (first.month - 1 + step) % 12 + 1, 15)
        for step in range(months_between("2014-07", case.start_date))
    ] + [case.start_date]
    ordinals = [when.toordinal() for when in dates]
    logs = np.log([points[when] for when in dates])
    return months, np.exp(np.interp([when.toordinal() for when in months], ordinals, logs))


def least_efficient(stock: np.ndarray, amount: float, efficiency: np.ndarray) -> np.ndarray:
    """An amount taken out of a stock by generation, the highest J/TH first."""
    order = np.argsort(-efficiency, kind="stable")
    before = np.concatenate(([0.0], np.cumsum(stock[order])[:-1]))
    taken = np.zeros(stock.size)
    taken[order] = np.clip(max(amount, 0.0) - before, 0.0, stock[order])
    return taken


def tilted(mix: np.ndarray, efficiency: np.ndarray, mean: float) -> np.ndarray:
    """Shares tilted exponentially in J/TH until their mean is as asked.

    Raises
    ------
    ValueError
        when no tilt of these machines has that mean.
    """
    present = efficiency[mix > 0]
    if not present.min() <= mean <= present.max():
        allowed = f"0, or a mean of {present.min():g} to {present.max():g} J/TH"
        raise ScenarioError("start.mean_efficiency_j_th", mean, allowed)
    low, high = -1.0, 1.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        weights = mix * np.exp(np.clip(middle * (efficiency - mean), -50, 50))
        low, high = (middle, high) if weights @ efficiency < mean * weights.sum() else (low, middle)
    return weights / weights.sum()


def reward_btc(subsidy_sat: int, fees_btc: float) -> float:
    """Subsidy and transaction fees of a block, BTC."""
    return subsidy_sat / SATOSHI_PER_COIN + fees_btc


def first_shares(case: Scenario, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the hashrate by place on the first day, and at each Chinese province's peak.

    The second holds shares of China's own hashrate.
    """
    start = case.start
    given = (atlas.folder, atlas.nations, atlas.places, start.shares_month, start.us_share)
    shares = geography.place_shares(*given)
    china = shares[atlas.in_china].sum()
    peak = geography.seasonal_peak_shares(*given) / max(float(china), 1e-12)
    return shares, peak


def potentials_mw(case: Scenario, atlas: Atlas) -> np.ndarray:
    """Most capacity of each kind of site at each place, MW."""
    scale = np.full(len(atlas.cells), case.energy.potential_scale)
    heated = atlas.cells.type == atlas.types.row("heat_demand")
    north = np.abs(atlas.places.latitude_deg[atlas.cells.place]) >= case.heat.latitude_from_deg
    scale[heated] *= case.heat.adoption_scale * north[heated] * case.heat.sold
    return np.asarray(1000.0 * scale * atlas.cells.potential_gw)
