"""The world on its first day: sites, machines and firms that add up to what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.building import add_sites, sizes_at
from agents.buying import carve, pour
from agents.miner import HOME, PRIVATE, PUBLIC, STATE
from model.markets import electricity
from model.units import DAYS_PER_YEAR

if TYPE_CHECKING:
    from model.world import World

LISTED_IN = ("USA", "CAN", "GBR")
STATE_MINERS_IN = ("IRN", "VEN", "BTN", "ETH", "RUS", "KAZ", "CHN")
HOUSEHOLD_MW = 0.01
LEAST_IDLE = 1e-3  # a generation with less idle hashrate, over what runs, is left out
STORING_FIRMS = 100
MOST_TILT = 50.0


def build(world: World) -> None:
    """Fill the empty populations of a world."""
    share = world.first_shares
    by_generation = spread_generations(world, share)
    load = by_generation @ world.generations.efficiency_j_th * 1e-6 * world.case.energy.pue
    # Machines that were switched off have left their seats, and the seats are still there.
    stored = world.first_idle @ world.generations.efficiency_j_th
    held = 1.0 + stored / (world.first_mix @ world.generations.efficiency_j_th)
    build_sites(world, held * first_capacity(world, load))
    chunks = fill_sites(world, by_generation)
    owners = build_miners(world, chunks)
    add_fleets(world, chunks, owners)
    store_idle(world)
    pair_seasons(world)


def spread_generations(world: World, share: np.ndarray) -> np.ndarray:
    """Hashrate by place and generation, old machines on cheap power, TH/s.

    Iterative proportional fitting (Deming and Stephan 1940) of both margins.
    """
    total = world.case.start.hashrate_ehs * 1e6
    mix = world.first_mix
    price = world.place_prices()
    tilt = -0.5 * np.outer(
        _standardised(price, share), _standardised(world.generations.efficiency_j_th, mix)
    )
    # Machines that nobody has any more lie far outside the range.
    seed = np.exp(np.clip(tilt, -MOST_TILT, MOST_TILT))
    table = seed * np.outer(share > 0, mix > 0)
    for _ in range(200):
        table *= (mix / np.maximum(table.sum(axis=0), 1e-300))[None, :]
        table *= (share / np.maximum(table.sum(axis=1), 1e-300))[:, None]
    return table * total / table.sum()


def _standardised(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.average(values, weights=weights)
    deviation = np.sqrt(np.average((values - mean) ** 2, weights=weights))
    return (values - mean) / max(float(deviation), 1e-9)


def first_capacity(world: World, load_mw: np.ndarray) -> np.ndarray:
    """Energised capacity of each place, MW: load and a margin, in China by the year's peak."""
    start = world.case.start
    capacity = start.capacity_margin * load_mw
    china = world.in_china
    peak = load_mw[china].sum() * world.seasonal_peak[china]
    capacity[china] = np.maximum(start.seasonal_margin * peak, load_mw[china] * 1.02)
    return capacity


def build_sites(world: World, capacity: np.ndarray) -> None:
    """Energised sites of every cell, drawn by size until they make up its capacity."""
    cells = world.cells
    by_cell = np.minimum(capacity[cells.place] * cells.energised_share, np.inf)
    world.block_mw = by_cell.sum() / world.case.start.sites
    draw = world.streams.generator("sites")
    rows, sizes, capacities = [], [], []
    for cell in np.flatnonzero(by_cell > 1e-6):
        left = by_cell[cell]
        while left > 1e-9:
            size = min(float(sizes_at(world, np.array([cell]), draw.random(1))[0]), left)
            row = min(max(size, world.block_mw), left)
            row = left if left - row < 0.25 * world.block_mw else row
            rows.append(cell)
            sizes.append(min(size, row))
            capacities.append(row)
            left -= row
    energised = np.zeros(len(rows), dtype=np.int64)
    add_sites(
        world, np.array(rows), np.array(capacities), np.array(sizes), energised,
        world.streams.generator("sites"),
    )  # fmt: skip
    recentre_prices(world)


def recentre_prices(world: World) -> None:
    """Shift generation costs so that each place pays its delivered price on average."""
    sites, places = world.sites, world.places
    place, weight = sites["place"], sites["capacity_mw"]
    wet, dry = world.place_prices_by_season()
    total = np.maximum(np.bincount(place, weights=weight, minlength=places.size), 1e-12)
    for column, target in (("generation_wet", wet), ("generation_dry", dry)):
        delivered = weight * (sites[column] + sites["transmission"])
        mean = np.bincount(place, weights=delivered, minlength=places.size) / total
        sites[column] = np.maximum(sites[column] + (target - mean)[place], 1.0)


def fill_sites(world: World, by_generation: np.ndarray) -> dict[str, np.ndarray]:
    """Spread each place's machines over its sites, evenly full; returns chunks of machines."""
    sites, draw = world.sites, world.streams.generator("first day")
    site_list, generation_list, hash_list = [], [], []
    efficiency = world.generations.efficiency_j_th
    for place in np.flatnonzero(by_generation.sum(axis=1) > 0):
        here = np.flatnonzero(sites["place"] == place)
        here = draw.permutation(here)
        room = sites["capacity_mw"][here] / sites["pue"][here]
        kinds = draw.permutation(np.flatnonzero(by_generation[place] > 0))
        power = by_generation[place, kinds] * efficiency[kinds] * 1e-6
        room = room * power.sum() / room.sum()
        for seat, kind, mw in pour(room, power):
            site_list.append(here[seat])
            generation_list.append(kinds[kind])
            hash_list.append(mw * 1e6 / efficiency[kinds[kind]])
    return {
        "site": np.array(site_list),
        "generation": np.array(generation_list),
        "hashrate": np.array(hash_list),
    }


def build_miners(world: World, chunks: dict[str, np.ndarray]) -> np.ndarray:
    """Firms by nation, their sizes by Zipf's law; splits the chunks among them, returns owners."""
    sites, draw = world.sites, world.streams.generator("first day")
    nation = sites["nation"][chunks["site"]].astype(np.int64)
    hashes = np.bincount(nation, weights=chunks["hashrate"], minlength=world.nations.size)
    counts = firms_by_nation(world.case.start.miners, hashes)
    parts: list[dict[str, np.ndarray]] = []
    owners: list[np.ndarray] = []
    for home in np.flatnonzero(counts):
        mine = draw.permutation(np.flatnonzero(nation == home))
        sizes = 1.0 / np.arange(1, counts[home] + 1)
        sizes *= chunks["hashrate"][mine].sum() / sizes.sum()
        sizes = draw.permutation(sizes)
        first = world.miners.size
        split = pour(chunks["hashrate"][mine], sizes)
        rows = mine[[row for row, _, _ in split]]
        part = {name: chunks[name][rows] for name in ("site", "generation")}
        part["hashrate"] = np.array([amount for _, _, amount in split])
        owners.append(first + np.array([firm for _, firm, _ in split]))
        parts.append(part)
        world.miners.add(count=int(counts[home]), nation=home)
    for name in chunks:
        chunks[name] = np.concatenate([part[name] for part in parts])
    owner = np.concatenate(owners)
    choose_forms(world, owner, chunks)
    return owner


def firms_by_nation(firms: int, hashes: np.ndarray) -> np.ndarray:
    """Firms of each nation in proportion to its hashrate, at least one where there is any."""
    share = hashes / hashes.sum()
    return np.where(hashes > 0, np.maximum(np.round(share * firms), 1), 0).astype(np.int64)


def choose_forms(world: World, owner: np.ndarray, chunks: dict[str, np.ndarray]) -> None:
    """Mark public, state and home miners until each form has its share of the hashrate."""
    start, miners = world.case.start, world.miners
    size = np.bincount(owner, weights=chunks["hashrate"], minlength=miners.size)
    iso = np.asarray(world.nation_names)[miners["nation"]]
    largest, smallest = np.argsort(-size), np.argsort(size)
    _mark(miners, largest[np.isin(iso[largest], LISTED_IN)], size, start.public_share, PUBLIC)
    _mark(
        miners, largest[np.isin(iso[largest], STATE_MINERS_IN)][20:], size, start.state_share, STATE
    )
    _mark(miners, smallest, size, start.home_share, HOME)
    watts = chunks["hashrate"] * world.generations.efficiency_j_th[chunks["generation"]] * 1e-6
    power = np.bincount(owner, weights=watts, minlength=miners.size)
    households = np.maximum(1, np.round(power / HOUSEHOLD_MW)).astype(np.int32)
    miners["multiplicity"] = np.where(miners["form"] == HOME, households, 1)


def _mark(miners: object, rows: np.ndarray, size: np.ndarray, share: float, form: np.int8) -> None:
    table = miners["form"]  # type: ignore[index]
    rows = rows[table[rows] == PRIVATE]
    taken = np.cumsum(size[rows]) - 0.5 * size[rows] <= share * size.sum()
    table[rows[taken]] = form


def add_fleets(world: World, chunks: dict[str, np.ndarray], owner: np.ndarray) -> None:
    """Put the machines in place, their ages uniform since their generation first shipped."""
    draw = world.streams.generator("first day")
    generation = chunks["generation"]
    oldest = np.minimum(world.generations.shipping - world.first_ordinal, -30).astype(float)
    oldest = np.maximum(oldest, -0.8 * world.case.machines.life_years * DAYS_PER_YEAR)
    world.fleets.add(
        miner=owner,
        site=chunks["site"],
        nation=world.sites["nation"][chunks["site"]],
        generation=generation,
        hashrate=chunks["hashrate"],
        efficiency=world.generations.efficiency_j_th[generation],
        born=oldest[generation] * draw.random(generation.size),
    )
    world.book.produced += np.bincount(
        generation, weights=chunks["hashrate"], minlength=len(world.generations)
    )


def store_idle(world: World) -> None:
    """Put the idle machines of the day into the warehouses of the largest firms, by their size."""
    fleets, idle = world.fleets, world.first_idle
    kinds = np.flatnonzero(idle > LEAST_IDLE)
    if kinds.size == 0:
        return
    rows = fleets.rows
    size = np.bincount(fleets["miner"][rows], weights=fleets["hashrate"][rows])
    owners = np.argsort(-size, kind="stable")[:STORING_FIRMS]
    owners = owners[size[owners] > 0]
    share = size[owners] / size[owners].sum()
    total = idle[kinds] * world.case.start.hashrate_ehs * 1e6
    generation = np.repeat(kinds, owners.size)
    hashrate = np.outer(total, share).ravel()
    fleets.add(
        miner=np.tile(owners, kinds.size),
        nation=np.tile(world.miners["nation"][owners], kinds.size),
        generation=generation,
        hashrate=hashrate,
        efficiency=world.generations.efficiency_j_th[generation],
        born=-365.0,
    )
    world.book.produced += np.bincount(
        generation, weights=hashrate, minlength=len(world.generations)
    )


def pair_seasons(world: World) -> None:
    """Give fleets of China's provinces a seat for the other season, as far as seats stand empty.

    Who has cheap power in one season has it in the other.
    """
    sites, fleets, draw = world.sites, world.fleets, world.streams.generator("first day")
    world.count_seats()
    hydro = sites["duty_wet"] - sites["duty_dry"] > 0.2
    wet = electricity.season_weight(world.calendar.day_of_year(0)) > 0.5
    china = world.in_china[sites["place"]]
    there = np.flatnonzero(china & (~hydro if wet else hydro))
    here = np.flatnonzero(china & (hydro if wet else ~hydro))
    usable = np.maximum(sites["duty_wet"], sites["duty_dry"])[there]
    spare = np.maximum(usable * sites["capacity_mw"][there] - sites["used_mw"][there], 0.0)
    movers = draw.permutation(fleets.rows[np.isin(fleets["site"][fleets.rows], here)])
    need = fleets["hashrate"][movers] * fleets["efficiency"][movers] * 1e-6 * world.case.energy.pue
    lucky = np.cumsum(need) <= spare.sum()
    movers, need = movers[lucky], need[lucky]
    price = sites["generation_wet"] + sites["transmission"]
    by_price = np.argsort(price[fleets["site"][movers]], kind="stable")
    movers, need = movers[by_price], need[by_price]
    cheap = np.argsort(price[there], kind="stable")
    there, spare = there[cheap], spare[cheap]
    lots = pour(np.append(need, max(spare.sum() - need.sum(), 0.0)), spare)
    lots = [lot for lot in lots if lot[0] < need.size]
    owner, seat = (np.array([lot[k] for lot in lots], dtype=np.int64) for k in (0, 1))
    share = np.array([lot[2] for lot in lots]) / need[owner]
    movers = carve(world, movers[owner], share * fleets["hashrate"][movers[owner]])
    fleets["second_site"][movers] = there[seat]
    # Where the second seat is cheaper today already, it is the first.
    here, there = fleets["site"][movers], fleets["second_site"][movers]
    swap = movers[sites["generation_wet"][there] + sites["transmission"][there] < price[here]] \
        if wet else movers[:0]  # fmt: skip
    fleets["site"][swap], fleets["second_site"][swap] = (
        fleets["second_site"][swap].copy(),
        fleets["site"][swap].copy(),
    )
