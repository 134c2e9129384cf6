"""What firms learn, what is recorded, and what a run says at its end."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from agents import making
from agents.joining import SCHEME_NAMES, count_pools
from agents.miner import FORMS, PUBLIC
from agents.pool import SOLO
from model import ending, metrics, paying, pricing, subeconomies
from model.events import Event
from model.geography import INFLATED_BY_PROXIES, REST
from model.markets import finance, hardware
from model.units import DAYS_PER_YEAR

if TYPE_CHECKING:
    from model.world import World

SIZE_BINS = ("under 1 MW", "1-10 MW", "10-100 MW", "over 100 MW")
USED_DISCOUNT = 0.6  # share of a used machine's value that sellers get where no auction has cleared
# Carbon intensity of sites off the grid, t/MWh; the methane that a flare or landfill site keeps
# from escaping is not credited here. Assumptions in the range of generator efficiencies.
CO2_OFF_GRID = {"flare": 0.6, "btm_gas": 0.5, "landfill_dairy": 0.0}


def begin(world: World) -> None:
    """Set up what is remembered between days."""
    world.nation_shares = np.zeros(world.nations.size)
    world.hashprice_history = []
    world.month_hashrate = world.case.start.hashrate_ehs * 1e6
    world.hashrate_sum, world.hashrate_days = 0.0, 0
    world.listed_models = list_models(world)
    world.auction_price = np.full(len(world.generations), np.nan)


def list_models(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Release (ordinal) and J/TH of every listed model, and of the frontier after the list."""
    table = world.atlas.models
    released = [date.fromisoformat(f"{month[:7]}-01" if len(month) >= 7 else f"{month}-07-01")
                for month in table["released"]]  # fmt: skip
    later = world.generations.released > max(when.toordinal() for when in released)
    return (
        np.concatenate(([d.toordinal() for d in released], world.generations.released[later])),
        np.concatenate(
            (table["efficiency_j_th"].to_numpy(), world.generations.efficiency_j_th[later])
        ),
    )


def learn(world: World) -> None:
    """Monthly: firms update the growth they expect of the hashrate, and feel the price's mood."""
    weight = world.case.firms.expectation_month
    if world.hashrate_days > 5:
        mean = world.hashrate_sum / world.hashrate_days
        before, now = max(world.month_hashrate, 1e-9), max(mean, 1e-9)
        growth = float(np.clip(np.log(now / before), -0.2, 0.2))
        world.growth = float(finance.expected_growth(world.growth, growth, weight))
        world.month_hashrate = mean
    world.hashrate_sum, world.hashrate_days = 0.0, 0
    hear_of_orders(world)
    past = world.recorder["price_usd"][max(world.day - 90, 0)]
    world.momentum = float(np.log(world.price_usd / past))
    world.valuation = float(np.clip(1.0 + world.momentum, 0.5, 3.0))


def hear_of_orders(world: World) -> None:
    """Monthly: an estimate of all orders goes round, and with it the growth they will bring."""
    machines, noise = world.case.machines, world.case.firms.pipeline_noise
    draw = float(world.streams.generator("announced orders").standard_normal())
    announced = making.pipeline_ths(world).sum() * np.exp(noise * draw)
    coming = float(np.log1p(announced / max(world.hashrate_ths, 1e-9))) / max(world.lag_months, 1)
    world.announced_growth = coming - machines.retirement_month


def price_used(world: World) -> None:
    """Monthly: second-hand value of each generation, from the last auction or its revenue."""
    rule = world.case.machines
    running = hardware.power_cost_usd_ths_day(
        rule.reference_power_price_usd_mwh, world.generations.efficiency_j_th
    )
    value = hardware.present_value(
        world.hashprice, world.outlook.decline, running, rule.used_horizon_months, 0.02
    )
    fair = np.maximum(USED_DISCOUNT * value, rule.scrap_usd_th)
    world.used_price = np.where(np.isfinite(world.auction_price), world.auction_price, fair)
    # Nobody pays last month's price for what has become worth less since.
    world.sale_price = np.minimum(world.used_price, fair)
    world.auction_price = np.full(len(world.generations), np.nan)


def tell_changes(world: World, changes: list[tuple[Event, bool]]) -> None:
    """Put laws that begin or end into the record."""
    for event, begins in changes:
        what = event.what if begins else f"ends: {event.what}"
        world.tell(event.kind, event.subject, what)


def report_from(world: World) -> None:
    """Where miners say they are: underground sites name another nation."""
    sites = world.sites
    elsewhere = [world.nation_names.index(code) for code in (*INFLATED_BY_PROXIES, REST)]
    choice = np.minimum((sites["law_draw"] * 997.0 % 1.0 * 3).astype(np.int64), 2)
    claimed = np.asarray(elsewhere)[choice]
    sites["reported_nation"] = np.where(sites["underground"], claimed, sites["nation"])


def record_day(world: World) -> None:
    """Write the day's row."""
    sites = world.sites
    work = world.site_work
    world.hashrate_sum += world.hashrate_ths
    world.hashrate_days += 1
    world.hashprice_history = [*world.hashprice_history[-13:], world.hashprice]
    by_nation = _sum(sites["nation"], work, world.nations.size)
    world.nations["hashrate"] = by_nation
    world.places["hashrate"] = np.bincount(
        sites["place"], weights=work, minlength=world.places.size
    )
    world.nation_shares = metrics.normalised(by_nation)
    count_pools(world)
    pricing.watch_concentration(world)
    pricing.absorb_sales(world)
    row = market_row(world) | energy_row(world) | concentration_row(world, by_nation)
    row |= paying.pool_row(world) | ending.politics_row(world)
    row |= subeconomies.live(world)
    world.recorder.write(world.day, row)


def market_row(world: World) -> dict[str, float]:
    """Coin, chain and machine columns of a day."""
    released, efficiency = world.listed_models
    world.cambridge = hardware.cambridge_efficiency(
        released,
        efficiency,
        float(np.mean(world.hashprice_history)),
        world.first_ordinal + world.day,
        last_value_j_th=getattr(world, "cambridge", 100.0),
    )
    weights = world.output_weights
    newest = int(np.argmax(np.where(weights > 0, world.generations.shipping, -1)))
    return {
        "price_usd": world.price_usd,
        "hashrate_ehs": world.hashrate_ths / 1e6,
        "difficulty": world.chain.difficulty,
        "blocks": world.blocks.blocks,
        "hashprice_usd_ph_day": world.hashprice * 1e3,
        "fees_btc": world.blocks.fees_sat / 1e8,
        "efficiency_cambridge_j_th": world.cambridge,
        "asic_price_usd_th": float(making.list_prices(world, np.array([newest]))[0]),
        "neutrality_discount": pricing.neutrality_factor(world),
        "orphan_rate": world.chain.stale_chance,
        "tobin_q": float(world.makers["tobin_q"][0]),
        "machine_output_mw": world.output_mw,
        "bankruptcies": world.failures_today,
        "firms": int((world.miners["status"] < 3).sum()),
    }


def energy_row(world: World) -> dict[str, float]:
    """Energy columns of a day."""
    sites, fleets = world.sites, world.fleets
    energy = sites["energy_mwh"]
    total = max(float(energy.sum()), 1e-9)
    bill = float(world.miners["power_bill"].sum())
    ran = world.effective * fleets["load"]
    energised = (sites["tenant"] == 0) & (sites["energised_on"] <= world.day)
    capacity = float(sites["capacity_mw"][energised].sum())
    held = float(fleets["hashrate"][fleets.alive & (fleets["ready_on"] <= world.day)].sum())
    return {
        "power_gw": total / 24.0 / 1e3,
        "energy_twh_yr": total * DAYS_PER_YEAR / 1e6,
        "efficiency_j_th": float((ran * world.joules).sum() / max(ran.sum(), 1e-9)),
        "electricity_share_of_opex": bill / max(bill + float(world.services_bill.sum()), 1e-9),
        "power_cost_usd_mwh": bill / total,
        "co2_mt_yr": float((energy * world.emission_factor()).sum()) * DAYS_PER_YEAR / 1e6,
        "site_capacity_gw": capacity / 1e3,
        "utilisation": total / 24.0 / max(capacity, 1e-9),
        "vacancy": 1.0 - float(sites["used_mw"][energised].sum()) / max(capacity, 1e-9),
        "machines_idle_share": 1.0 - float(ran.sum()) / max(held, 1e-9),
    }


def concentration_row(world: World, by_nation: np.ndarray) -> dict[str, float]:
    """Who holds the hashrate, columns of a day."""
    sites, work = world.sites, world.site_work
    total = max(float(work.sum()), 1e-9)
    size = sites["size_mw"]
    public = world.miners["work"][world.miners["form"] == PUBLIC].sum()
    return {
        "hhi_nation": metrics.hhi(by_nation),
        "hhi_pool": metrics.hhi(held_by_pools(world)),
        "nakamoto_nation": metrics.nakamoto(by_nation),
        "top_nation_share": float(by_nation.max()) / total,
        "share_under_10mw": float(work[size < 10.0].sum()) / total,
        "share_over_100mw": float(work[size > 100.0].sum()) / total,
        "share_grid": float(work[sites["grid"]].sum()) / total,
        "share_behind_meter": float(work[~sites["grid"]].sum()) / total,
        "share_public_firms": float(public) / total,
    }


def held_by_pools(world: World) -> np.ndarray:
    """Hashrate of every operator, then of every miner without one."""
    miners, pools = world.miners, world.pools
    without = (miners["pool"] == SOLO) | ~pools["operated"][miners["pool"]]
    return np.append(pools["hashrate"][pools["operated"]], miners["work"][without])


def record_shares(world: World) -> None:
    """Write the week's shares by every grouping."""
    sites, miners, work = world.sites, world.miners, world.site_work
    nations = list(world.nation_names)
    size_bin = np.digitize(sites["size_mw"], (1.0, 10.0, 100.0))
    place_members = list(world.place_names)
    groups: list[tuple[str, list[str], np.ndarray]] = [
        ("nation", nations, _sum(sites["nation"], work, len(nations))),
        ("reported_nation", nations, _sum(sites["reported_nation"], work, len(nations))),
        ("place", place_members, _sum(sites["place"], work, len(place_members))),
        ("template", nations, world.nations["template_hashrate"]),
        ("headquarters", nations, _sum(miners["nation"], miners["work"], len(nations))),
        ("size", list(SIZE_BINS), _sum(size_bin, work, len(SIZE_BINS))),
        ("energy", list(world.types.name), _sum(sites["kind"], work, len(world.types))),
        ("owner", list(FORMS), _sum(miners["form"], miners["work"], len(FORMS))),
    ]
    groups += firm_shares(world)
    for grouping, members, held in groups:
        shares = metrics.normalised(held)
        seen = shares > 0
        names = [member for member, there in zip(members, seen, strict=True) if there]
        world.recorder.share(world.day, grouping, names, shares[seen])


def _sum(labels: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(labels, weights=weights, minlength=count).astype(np.float64)


def firm_shares(world: World) -> list[tuple[str, list[str], np.ndarray]]:
    """The twenty largest firms and the rest; pools, who makes templates, and by what scheme."""
    work = world.miners["work"]
    top = np.argsort(-work, kind="stable")[:20]
    names = [f"miner {row}" for row in top] + ["others"]
    held = np.append(work[top], work.sum() - work[top].sum())
    pools = world.pools["hashrate"]
    alone = max(work.sum() - pools.sum(), 0.0)
    made = world.pools["template_hashrate"]
    own = float(work.sum() - made.sum())
    return [
        ("firm", names, np.maximum(held, 0.0)),
        ("pool", [*world.pool_names, "alone"], np.append(pools, alone)),
        ("template_maker", [*world.pool_names, "own templates"], np.append(made, max(own, 0.0))),
        ("scheme", list(SCHEME_NAMES), _sum(paying.scheme_of(world), work, len(SCHEME_NAMES))),
    ]


def summary(world: World) -> dict[str, float | str]:
    """Headline figures of a run."""
    seen = world.recorder
    hashrate = seen["hashrate_ehs"]
    told: dict[str, float | str] = {
        "hashrate_start_ehs": float(hashrate[0]),
        "hashrate_end_ehs": float(hashrate[-1]),
        "hashrate_highest_ehs": float(hashrate.max()),
        "hashrate_lowest_ehs": float(hashrate.min()),
        "power_end_gw": float(seen["power_gw"][-1]),
        "hashprice_end_usd_ph_day": float(seen["hashprice_usd_ph_day"][-1]),
        "electricity_share_of_opex_mean": float(np.mean(seen["electricity_share_of_opex"])),
        "bankruptcies": float(seen["bankruptcies"].sum()),
        "top_nation": str(world.nation_names[int(np.argmax(world.nation_shares))]),
        "top_nation_share": float(world.nation_shares.max()),
    }
    return told | paying.story(world) | subeconomies.story(world) | ending.story(world)


def emission_factor(world: World) -> np.ndarray:
    """Carbon intensity of each site's power, t/MWh: the grid's, or that of its own source."""
    sites = world.sites
    own = np.array([CO2_OFF_GRID.get(kind, 0.0) for kind in world.types.name])
    grid = world.nations["grid_co2"][sites["nation"]]
    return np.asarray(np.where(sites["grid"], grid, own[sites["kind"]]))
