"""How new sites come: developers follow profit, existing clusters and recent additions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents import leasing, sizing
from agents.site import MINERS, Site
from model.markets import electricity
from model.statecraft.brownfield import INFRASTRUCTURE_USD_MW, LEAD_MONTHS, take_brownfield
from model.units import HOURS_PER_YEAR

if TYPE_CHECKING:
    from model.world import World

MONTHS_PER_YEAR = 12.0
LARGE_MW = 100.0
WELL_DECLINE_YR = 0.15
MOST_SIGNAL = 3.0  # profit beyond this pulls no more sites
SMALLEST_CLUSTER_MW = 5.0  # a place without sites may grow as if it had this much
CAPITAL_USD_MW_YR = 350e3  # machines at 0.8 USD/W over four years, a hall over ten
ROW_GROWTH = 1.3  # rows of new sites are coarser once the world is so much larger
HOME_MW = 0.05  # below it a home
INFRA_OF_TYPES_USD_MW = 350e3  # what the table of site types reckons with
GENERATION_OF_ESSAY = 0.4  # share of generation in a delivered price, where it is "a minority"
FIELD_MW = 50.0  # a plant on a whole field of gas; no single well is so large
LARGEST_OF_PLACE = 0.5  # no new site is larger than this share of what a place has


def built_mw(world: World) -> np.ndarray:
    """Capacity of each cell, energised or under construction, whoever holds it."""
    sites = world.sites
    return np.bincount(
        sites["cell"][sites.rows],
        weights=sites["capacity_mw"][sites.rows],
        minlength=len(world.cells.place),
    )


def exhaust_wells(world: World) -> None:
    """Monthly: flare wells yield less and less gas; their machines look for other seats.

    Sites larger than any well live on whole fields, where new wells make up for old ones.
    """
    sites = world.sites
    wells = sites.alive & (sites["kind"] == world.types.row("flare"))
    wells &= sites["size_mw"] < FIELD_MW
    sites["capacity_mw"][wells] *= (1.0 - WELL_DECLINE_YR) ** (1.0 / MONTHS_PER_YEAR)


def open_mw(world: World) -> float:
    """Capacity that miners have or wait for: without what the law closed and other bidders won."""
    sites, rows = world.sites, world.sites.rows
    weights = sites["capacity_mw"][rows] * (sites["tenant"][rows] == MINERS)
    by_cell = np.bincount(sites["cell"][rows], weights=weights, minlength=len(world.cells.place))
    return float(by_cell.sum())


def develop_sites(world: World) -> None:
    """Start a month's new sites, and hand over large ones that AI bidders win."""
    energy = world.case.energy
    existing = built_mw(world)
    world.nations["large_room"] += (
        energy.large_grid_growth_yr / MONTHS_PER_YEAR * large_potential(world)
    )
    # Rows grow with the world, so that their number does not.
    grain = existing.sum() / world.case.start.sites
    world.block_mw = grain if grain > ROW_GROWTH * world.block_mw else world.block_mw
    growth = energy.site_growth_month * profit_signal(world) * scarcity(world)
    amount = growth * open_mw(world) * cell_shares(world, existing)
    amount = within_limits(world, amount, existing)
    world.places["recent"] *= 1.0 - 1.0 / MONTHS_PER_YEAR
    np.add.at(world.places["recent"], world.cells.place, amount / MONTHS_PER_YEAR)
    leasing.offer_new_sites(world, start_sites(world, amount, existing))


def find_bargains(world: World) -> None:
    """Large sites with cheap power turn up now and then in each region, and are built if they pay.

    Each costs a standard deviation less than its kind does on average.
    """
    draw = world.streams.generator("bargains")
    regions, row = np.unique(world.atlas.places.region, return_inverse=True)
    found = draw.poisson(world.case.energy.bargains_yr / MONTHS_PER_YEAR, regions.size)
    if found.sum() == 0 or profit_signal(world) <= 0.0:
        return
    weights = large_potential_of_cells(world) * (built_mw(world) < world.potential_mw)
    region = row[world.cells.place]
    chances = [weights * (region == at) for at in np.repeat(np.arange(regions.size), found)]
    cells = np.array(
        [draw.choice(chance.size, p=chance / chance.sum()) for chance in chances if chance.any()],
        dtype=np.int64,
    )
    start_bargains(world, cells, draw)


def start_bargains(world: World, cells: np.ndarray, draw: np.random.Generator) -> None:
    """Begin a large cheap site of each given cell, where law and grid leave room for it."""
    types, kind, place = world.types, world.cells.type[cells], world.cells.place[cells]
    ends = zip(draw.random(cells.size), types.alpha[kind], types.size_max_mw[kind], strict=True)
    sizes = np.array([
        float(electricity.capacity_quantile(chance, alpha, LARGE_MW, top))
        for chance, alpha, top in ends
    ])  # fmt: skip
    places = world.places
    room = places["capacity_cap"] + places["capped_from"] - built_by_place(world)
    allowed = (sizes <= room[place]) & (sizes <= places["site_cap"][place])
    # Nobody has use for a site larger than all that miners would build in a month.
    allowed &= sizes <= world.case.energy.site_growth_month * built_mw(world).sum()
    allowed &= draw.random(cells.size) >= places["banned"][place]
    grid = types.on_grid[kind]
    nation = places["nation"][place]
    allowed &= ~grid | (world.nations["large_room"][nation] >= sizes)
    cells, sizes = cells[allowed], sizes[allowed]
    spend_large(world, cells, sizes, sizes)
    idle = take_idle_connections(world, cells, sizes)
    ready = world.day + lead_days(world, cells, sizes, idle)
    rows = add_sites(world, cells, sizes, sizes, ready, draw, idle)
    discount = world.cells.gen_sd[world.sites["cell"][rows]]
    for season in ("generation_wet", "generation_dry"):
        world.sites[season][rows] = np.maximum(world.sites[season][rows] - discount, 1.0)
    leasing.offer_new_sites(world, rows)


def profit_signal(world: World) -> float:
    """How many times its cost a new machine is worth beyond its cost, from 0 to `MOST_SIGNAL`."""
    return float(np.clip(world.makers["tobin_q"][0] - 1.0, 0.0, MOST_SIGNAL))


def scarcity(world: World) -> float:
    """From 1, when no seat is free now or soon, to 0, when twice the wanted share is."""
    sites = world.sites
    vacant = Site.vacant_mw(sites, world.day + 10_000).sum()
    total = sites["capacity_mw"][sites["tenant"] == MINERS].sum()
    wanted = max(2.0 * world.case.energy.vacancy_wanted * total, 1e-9)
    return float(np.clip(1.0 - vacant / wanted, 0.0, 1.0))


def cell_shares(world: World, existing: np.ndarray) -> np.ndarray:
    """How developers spread over cells: momentum, existing clusters, power prices, law."""
    energy, cells, places = world.case.energy, world.cells, world.places
    by_place = np.bincount(cells.place, weights=existing, minlength=places.size)
    recent = places["recent"]
    mix = (1.0 - energy.momentum) * by_place / max(by_place.sum(), 1e-9)
    mix += energy.momentum * recent / max(recent.sum(), 1e-9)
    mix *= np.where(world.in_china, energy.china_growth, 1.0) * (1.0 - places["banned"])
    price = cell_prices(world)
    room = np.clip(1.0 - existing / np.maximum(world.potential_mw, 1e-9), 0.0, 1.0)
    appeal = room * np.exp(-(price - price.min()) / energy.cost_scale_usd_mwh)
    # Within a place developers choose among kinds of site; a floor lets unused kinds begin.
    kind = np.maximum(existing, 0.02 * by_place[cells.place]) * appeal
    within = np.bincount(cells.place, weights=kind, minlength=places.size)
    base = np.maximum(
        np.bincount(cells.place, weights=existing + 1e-9, minlength=places.size), 1e-9
    )
    pull = mix * np.minimum(within / base, 5.0)
    share = pull[cells.place] * kind / np.maximum(within[cells.place], 1e-12)
    return share / max(share.sum(), 1e-12)


def cell_prices(world: World) -> np.ndarray:
    """Full cost of power at a new site of each cell over a year, USD/MWh.

    Besides the delivered price it holds the yearly cost of machines and infrastructure per MWh,
    so that power which is there for few hours of the day counts as dear.
    """
    cells, places = world.cells, world.places
    season = 0.5 * (cells.gen_usd_mwh + cells.dry_gen_usd_mwh)
    transmission = transmission_charges(world) * world.case.energy.transmission_scale
    charge = places["power_charge"] - world.nations["defence_usd_mwh"][places["nation"]]
    delivered = season + transmission + (charge + places["offset"])[cells.place]
    duty = 0.5 * (cells.duty + cells.dry_duty)
    capital = CAPITAL_USD_MW_YR / (HOURS_PER_YEAR * np.maximum(duty, sizing.LEAST_DUTY))
    return delivered + capital + sizing.excess_of_cells(world)


def within_limits(world: World, amount: np.ndarray, existing: np.ndarray) -> np.ndarray:
    """Cut a month's starts to the growth a place, the law and the resource allow."""
    energy, cells, places = world.case.energy, world.cells, world.places
    by_place = np.bincount(cells.place, weights=existing, minlength=places.size)
    most = energy.place_growth_month * np.maximum(by_place, SMALLEST_CLUSTER_MW)
    room = np.maximum(places["capacity_cap"] + places["capped_from"] - by_place, 0.0)
    asked = np.bincount(cells.place, weights=amount, minlength=places.size)
    scale = np.minimum(1.0, np.minimum(most, room) / np.maximum(asked, 1e-12))
    left = np.maximum(world.potential_mw - existing, 0.0)
    return np.minimum(amount * scale[cells.place], left)


def take_idle_connections(world: World, cells: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Let new industrial sites have the idle connections of their nation; returns the share had.

    Those who build in one month share what there is in proportion to what they build.
    """
    share = np.zeros(cells.size)
    nations, place = world.nations, world.cells.place[cells]
    fits = world.cells.type[cells] == world.types.row("grid_industrial")
    if not (world.case.nations.brownfield and fits.any()):
        return share
    before = nations["brownfield_mw"].copy()
    taken = take_brownfield(before, world.places["nation"][place[fits]], capacity[fits])
    nations["brownfield_mw"] = taken.left_mw
    share[fits] = taken.offered_mw / capacity[fits]
    for row in np.flatnonzero((before > 0.0) & (taken.left_mw == 0.0)):
        what = "all idle connections of old industry are taken"
        world.tell("brownfield", world.nation_names[row], what)
    return share


def lead_days(
    world: World, cells: np.ndarray, size_mw: np.ndarray, idle_share: np.ndarray | float = 0.0
) -> np.ndarray:
    """Days from the start of sites to their first power, the mean of new and idle connections."""
    scale = world.case.energy.lead_time_scale
    months = electricity.lead_time_months(
        world.cells.lead_months[cells],
        size_mw,
        world.types.on_grid[world.cells.type[cells]],
        scale=scale,
    )
    months -= idle_share * np.maximum(months - LEAD_MONTHS * scale, 0.0)
    return np.maximum(np.round(months * 30.44), 1.0).astype(np.int64)


def start_sites(
    world: World, amount: np.ndarray, existing: np.ndarray, energised_on: int | None = None
) -> np.ndarray:
    """Begin sites of drawn sizes, as many as make up the amounts on average; returns their rows.

    They have power after their lead time, or from the day given.
    """
    draw = world.streams.generator("sites")
    cells = np.arange(amount.size)
    sizes = sizes_at(world, cells, sizing.tilted(world, cells, draw.random(cells.size)))
    by_place = np.bincount(world.cells.place, weights=existing, minlength=world.places.size)
    largest = np.maximum(LARGEST_OF_PLACE * by_place, SMALLEST_CLUSTER_MW)[world.cells.place]
    sizes = ration_large(world, np.minimum(sizes, largest))
    capacity = np.maximum(np.maximum(sizes, world.block_mw), amount)
    begun = draw.random(amount.size) < amount / np.maximum(capacity, 1e-12)
    cells = np.flatnonzero(begun & (amount > 0.0))
    spend_large(world, cells, sizes[cells], capacity[cells])
    if energised_on is not None:
        ready = np.full(cells.size, energised_on)
        return add_sites(world, cells, capacity[cells], sizes[cells], ready, draw)
    idle = take_idle_connections(world, cells, capacity[cells])
    ready = world.day + lead_days(world, cells, sizes[cells], idle)
    return add_sites(world, cells, capacity[cells], sizes[cells], ready, draw, idle)


def large_potential_of_cells(world: World) -> np.ndarray:
    """Potential of sites of 100 MW and more by cell, MW."""
    types = world.types
    above = np.zeros(len(types))
    for kind in np.flatnonzero(types.size_max_mw > LARGE_MW):
        ends = types.alpha[kind], types.size_min_mw[kind], types.size_max_mw[kind]
        above[kind] = 1.0 - electricity.capacity_share_below(LARGE_MW, *ends)
    return np.asarray(world.potential_mw * above[world.cells.type])


def large_potential(world: World) -> np.ndarray:
    """Potential of grid sites of 100 MW and more by nation, MW."""
    nation = world.places["nation"][world.cells.place]
    weights = large_potential_of_cells(world) * world.types.on_grid[world.cells.type]
    return np.bincount(nation, weights=weights, minlength=world.nations.size)


def ration_large(world: World, sizes: np.ndarray) -> np.ndarray:
    """Keep new grid sites below 100 MW where the nation's grid has no room for larger ones."""
    nation = world.places["nation"][world.cells.place]
    grid = world.types.on_grid[world.cells.type]
    refused = grid & (sizes >= LARGE_MW) & (world.nations["large_room"][nation] < sizes)
    return np.where(refused, 0.99 * LARGE_MW, sizes)


def spend_large(world: World, cells: np.ndarray, sizes: np.ndarray, capacity: np.ndarray) -> None:
    """Take large grid sites off their nation's room."""
    large = world.types.on_grid[world.cells.type[cells]] & (sizes >= LARGE_MW)
    nation = world.places["nation"][world.cells.place[cells]]
    np.subtract.at(world.nations["large_room"], nation[large], capacity[large])


def sizes_at(world: World, cells: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Size of one site of each given cell at a chance of the capacity density of its type, MW."""
    types, cap = world.types, world.places["site_cap"][world.cells.place[cells]]
    sizes = np.zeros(cells.size)
    for kind in np.unique(world.cells.type[cells]):
        mine = world.cells.type[cells] == kind
        low, high = types.size_min_mw[kind], types.size_max_mw[kind]
        in_china = world.in_china[world.cells.place[cells[mine]]]
        top = np.where(in_china, np.minimum(high, max(100.0, low * 2)), high)
        sizes[mine] = electricity.capacity_quantile(chance[mine], types.alpha[kind], low, high)
        sizes[mine] = np.minimum(sizes[mine], top)
    return np.minimum(sizes, np.maximum(cap, 1e-3))


def add_sites(
    world: World,
    cells: np.ndarray,
    capacity: np.ndarray,
    size: np.ndarray,
    energised_on: np.ndarray,
    draw: np.random.Generator,
    idle_share: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Add sites of given cells, capacity and size; returns their rows.

    Power prices are drawn. A site larger than `world.block_mw` takes several rows, its halls,
    which share everything. `idle_share` of its connections are those of old industry, and cheap.
    """
    columns = draw_sites(world, cells, size, energised_on, draw)
    old = INFRASTRUCTURE_USD_MW * (world.case.firms.infra_usd_mw / INFRA_OF_TYPES_USD_MW)
    columns["infra"] -= idle_share * np.maximum(columns["infra"] - old, 0.0)
    halls = np.maximum(np.ceil(capacity / world.block_mw - 0.5), 1).astype(np.int64)
    spread = {name: np.repeat(values, halls) for name, values in columns.items()}
    return world.sites.add(
        None, capacity_mw=np.repeat(capacity / halls, halls), hourly=-1, **spread
    )


def transmission_charges(world: World) -> np.ndarray:
    """Transmission and distribution of each cell, USD/MWh, as tabled or as the essay has it."""
    table = world.cells
    if world.case.hypotheses.transmission == "surveyed":
        return table.td_usd_mwh
    mean = 0.5 * (table.gen_usd_mwh + table.dry_gen_usd_mwh)
    essay = mean * (1.0 - GENERATION_OF_ESSAY) / GENERATION_OF_ESSAY
    return np.where(world.types.on_grid[table.type], essay, table.td_usd_mwh)


def draw_sites(
    world: World,
    cells: np.ndarray,
    size: np.ndarray,
    energised_on: np.ndarray,
    draw: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Columns of new sites, one entry a site."""
    table, types, energy, firms = world.cells, world.types, world.case.energy, world.case.firms
    place, kind = table.place[cells], table.type[cells]
    noise, wander = draw.standard_normal((2, cells.size))
    gradient = electricity.size_gradient(
        size, world.atlas.mean_log_size[kind], energy.size_gradient_usd_mwh
    )
    shift = table.gen_sd[cells] * noise + gradient + world.places["offset"][place]
    cut = np.where(size >= 20.0, 1.0 - energy.large_load_cut, 1.0) * energy.transmission_scale
    charge = transmission_charges(world)[cells]
    transmission = np.maximum(charge + table.td_sd[cells] * wander, 0.0)
    latitude, longitude = world.geography_of(place)
    infra = types.infra_usd_mw[kind] * (firms.infra_usd_mw / INFRA_OF_TYPES_USD_MW)
    # Nobody builds where a partial ban reaches: new sites are of the share it leaves alone.
    banned = world.places["banned"][place]
    return {
        "place": place,
        "nation": world.places["nation"][place],
        "reported_nation": world.places["nation"][place],
        "cell": cells,
        "kind": kind,
        "latitude": latitude + draw.normal(0.0, 1.5, cells.size),
        "longitude": longitude + draw.normal(0.0, 3.0, cells.size),
        "size_mw": size,
        "generation_wet": np.maximum(table.gen_usd_mwh[cells] + shift, sizing.LEAST_USD_MWH),
        "generation_dry": np.maximum(table.dry_gen_usd_mwh[cells] + shift, sizing.LEAST_USD_MWH),
        "transmission": transmission * cut,
        "duty_wet": table.duty[cells],
        "duty_dry": table.dry_duty[cells],
        "pue": np.where(size < HOME_MW, energy.pue_hydro_cooled, energy.pue),
        "upkeep": sizing.upkeep_usd_mwh(
            world, size, 0.5 * (table.duty[cells] + table.dry_duty[cells])
        ),
        "infra": np.where(size < HOME_MW, firms.infra_home_usd_mw, infra),
        "grid": types.on_grid[kind],
        "energised_on": energised_on,
        "law_draw": banned + (1.0 - banned) * draw.random(cells.size),
        "evasion_draw": draw.random(cells.size),
        "offer_draw": draw.random(cells.size),
    }


def built_by_place(world: World) -> np.ndarray:
    """Capacity of each place, energised or under construction, MW."""
    return np.bincount(world.cells.place, weights=built_mw(world), minlength=world.places.size)


def prime(world: World) -> None:
    """Projects in hand on the first day: sites that come on line in the months ahead."""
    rate = world.case.start.site_pipeline_month
    world.nations["large_room"] = world.case.energy.large_grid_growth_yr * large_potential(world)
    existing = built_mw(world)
    world.places["recent"] = (
        np.bincount(world.cells.place, weights=existing, minlength=world.places.size) * rate
    )
    cells = np.arange(len(world.cells))
    lead = lead_days(world, cells, world.types.size_min_mw[world.cells.type])
    for month in range(1, int(lead.max() / 30.44) + 1):
        share = cell_shares(world, existing) * (lead >= month * 30)
        amount = within_limits(world, rate * existing.sum() * share, existing)
        start_sites(world, amount, existing, month * 30)
