"""What sizes of sites cost, and which ones developers build where that is not as today."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents import building, sizing
from model.markets import costs
from model.scenario import load, with_days
from model.units import HOURS_PER_YEAR, capital_recovery
from model.world import World
from study import static_limit

SMALL = ("start.miners=60", "start.sites=120", "record.ledger_every_days=100000")
SIZES = np.array([0.0035, 0.01, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0])


def world_of(*sets: str) -> World:
    return World(with_days(load("baseline_2025", (*SMALL, *sets)), 2))


@pytest.fixture(scope="module")
def today() -> World:
    return world_of()


@pytest.fixture(scope="module")
def eightfold() -> World:
    return world_of("firms.scale_advantage=8")


def test_at_todays_costs_the_density_of_each_type_holds_to_the_bit(today):
    cells = np.arange(len(today.cells))
    chance = np.random.default_rng(1).random(cells.size)
    assert np.array_equal(sizing.tilted(today, cells, chance), chance)
    assert not sizing.excess_of_cells(today).any()
    assert not sizing.stretched_usd_mwh(today, SIZES, np.full(SIZES.size, 0.9)).any()


def test_a_firm_of_one_site_bears_what_the_static_limit_says(today):
    # Above 1 MW the limit's infrastructure is the model's; its firm's expenses come on top.
    sizes, duty = SIZES[3:], np.full(SIZES[3:].size, 0.95)
    whole = sizing.cost_of_size(today, sizes, duty) + costs.fixed_costs_usd_mwh(sizes, duty)
    assert whole == pytest.approx(static_limit.unit_cost_besides_power(sizes, duty))


@pytest.mark.parametrize("advantage", [0.0, 0.5, 2.0, 8.0])
def test_site_and_firm_together_stretch_the_whole_difference(advantage):
    world = world_of(f"firms.scale_advantage={advantage}")
    sizes, duty = SIZES[3:], np.full(SIZES[3:].size, 0.95)
    limit = static_limit.Limit(scale_advantage=advantage)
    once = static_limit.unit_cost_besides_power(sizes, duty)
    reference = static_limit.unit_cost_besides_power(100.0, duty)
    wanted = (advantage - 1.0) * (once - reference)
    firm = costs.scaled_advantage(
        costs.fixed_costs_usd_mwh(sizes, duty), costs.fixed_costs_usd_mwh(100.0, duty),
        limit.scale_advantage,
    ) - costs.fixed_costs_usd_mwh(sizes, duty)  # fmt: skip
    assert sizing.stretched_usd_mwh(world, sizes, duty) + firm == pytest.approx(wanted)


def test_upkeep_is_never_negative_and_dearer_at_small_sites_where_scale_pays(eightfold):
    none = world_of("firms.scale_advantage=0")
    duty = np.full(SIZES.size, 0.9)
    assert sizing.upkeep_usd_mwh(none, SIZES, duty).min() >= 0.0
    dear = sizing.upkeep_usd_mwh(eightfold, SIZES, duty)
    assert (np.diff(dear[3:8]) < 0.0).all()
    sites = eightfold.sites
    rows = sites.rows[np.abs(sites["size_mw"][sites.rows] - 1.5) < 0.5]
    assert rows.size
    assert (sites["upkeep"][rows] > 30.0).all()


def test_a_cost_tilts_sizes_as_the_logit_has_it(eightfold):
    """Capacity by size: its density times exp(-excess / scale), against a histogram of draws."""
    cells = np.full(200_000, int(np.argmax(eightfold.cells.type == 0)))
    chance = np.random.default_rng(3).random(cells.size)
    found = sizing.tilted(eightfold, cells, chance)
    weight = sizing.weights_of_sizes(eightfold, int(cells[0]))
    bins = np.histogram(found, bins=16, range=(0.0, 1.0))[0] / cells.size
    wanted = weight.reshape(16, -1).sum(axis=1) / weight.sum()
    error = np.sqrt(wanted * (1.0 - wanted) / cells.size)
    assert (np.abs(bins - wanted) < 4.0 * error).all()
    assert np.array_equal(np.argsort(found), np.argsort(chance))


def test_developers_build_larger_where_scale_pays_and_smaller_where_large_power_is_dear():
    def mean_log_size(*sets: str) -> float:
        world = world_of(*sets)
        cells = np.repeat(np.arange(len(world.cells)), 20)
        chance = sizing.tilted(world, cells, np.random.default_rng(5).random(cells.size))
        return float(np.log(building.sizes_at(world, cells, chance)).mean())

    today = mean_log_size()
    assert mean_log_size("firms.scale_advantage=4") > today + 0.2
    assert mean_log_size("firms.scale_advantage=0") < today
    assert mean_log_size("energy.size_gradient_usd_mwh=9") < today
    assert mean_log_size("energy.size_gradient_usd_mwh=0") > today
    assert mean_log_size("firms.site_cost_usd=500000") > today


def test_a_cell_counts_at_its_best_sizes(eightfold):
    """Between the cheapest size and the mean over the density (Jensen)."""
    found, scale = sizing.excess_of_cells(eightfold), eightfold.case.energy.cost_scale_usd_mwh
    for cell in range(len(eightfold.cells)):
        excess = -scale * np.log(sizing.weights_of_sizes(eightfold, cell))
        assert excess.min() - 1e-9 <= found[cell] <= excess.mean() + 1e-9


@pytest.mark.parametrize(
    "setting",
    ["firms.scale_advantage=0", "firms.scale_advantage=3", "energy.size_gradient_usd_mwh=9",
     "energy.size_gradient_usd_mwh=0", "firms.site_cost_usd=250000"],
)  # fmt: skip
def test_developers_reckon_with_what_miners_will_pay(setting):
    """The excess of every size is the difference of two sites that differ in nothing else."""
    today, world = world_of(), world_of(setting)

    def paid(of: World, cell: int, size: float) -> float:
        columns = building.draw_sites(
            of, np.array([cell]), np.array([size]), np.zeros(1), np.random.default_rng(7)
        )
        table, firms = of.cells, of.case.firms
        duty = 0.5 * (table.duty[cell] + table.dry_duty[cell])
        seat = costs.development_usd_mw(size, firms.site_cost_usd)
        capital = seat * capital_recovery(0.12, 10.0) / (HOURS_PER_YEAR * duty)
        return float(columns["generation_wet"][0] + columns["upkeep"][0] + capital)

    # Without the noise of sites, and where wet and dry seasons cost the same.
    for each in (today, world):
        each.cells = replace(each.cells, gen_sd=np.zeros(len(each.cells)))
    even = np.flatnonzero(world.cells.gen_usd_mwh == world.cells.dry_gen_usd_mwh)
    # The first site of each type.
    kinds = even[np.unique(world.cells.type[even], return_index=True)[1]]
    for cell in kinds:
        kind = world.cells.type[cell]
        sizes = np.geomspace(world.types.size_min_mw[kind], world.types.size_max_mw[kind], 5)
        wanted = [paid(world, cell, size) - paid(today, cell, size) for size in sizes]
        assert sizing.excess_usd_mwh(world, int(cell), sizes) == pytest.approx(wanted, abs=1e-9)


def test_the_first_day_is_the_observed_one_whatever_scale_pays(today, eightfold):
    for name in ("size_mw", "capacity_mw", "transmission"):
        started = today.sites["energised_on"][today.sites.rows] == 0
        other = eightfold.sites["energised_on"][eightfold.sites.rows] == 0
        one = today.sites[name][today.sites.rows][started]
        assert np.array_equal(one, eightfold.sites[name][eightfold.sites.rows][other])
