"""The central question: the static limit's line, the full model's sweep, and the extremes."""

from __future__ import annotations

import datetime
import math
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from study import frontier, frontier_figure, full_frontier, static_frontier
from study.claim import interval
from study.static_limit import Limit

# The static limit


def test_small_sites_other_costs_grow_with_the_multiplier():
    cells, limit = static_frontier.world(0), Limit()
    once = static_frontier.cost_difference_usd_mwh(cells, limit)
    # Economies of scale are typically worth 4 to 16 USD/MWh.
    assert 4.0 < once < 16.0
    fourfold = replace(limit, scale_advantage=4.0)
    assert static_frontier.cost_difference_usd_mwh(cells, fourfold) == pytest.approx(4.0 * once)
    costly = static_frontier.settings({"site_cost_usd": 1e6})
    assert static_frontier.cost_difference_usd_mwh(cells, costly) > 2.0 * once


def test_shares_are_even_near_seven_and_a_half_times_the_scale_advantages():
    found = [
        static_frontier.even_advantage(static_frontier.world(seed), Limit()) for seed in range(3)
    ]
    assert np.mean(found) == pytest.approx(7.5, abs=0.6)
    for advantage, seed in zip(found, range(3), strict=True):
        at = replace(Limit(), scale_advantage=advantage)
        share = static_frontier.small_share(static_frontier.world(seed), at)
        assert share == pytest.approx(0.5, abs=0.01)


def test_dear_wires_and_bidders_for_large_sites_move_the_line_up():
    cells = static_frontier.world(0)

    def even(**changes: object) -> float:
        return static_frontier.even_advantage(cells, replace(Limit(), **changes))

    assert even(transmission_scale=0.0) < even() < even(transmission_scale=2.0)
    assert even(ai_bidders=False) < even()
    # Half a million dollars and nobody else who wants large sites: they win without advantages.
    assert even(ai_bidders=False, price_usd=500e3) == 0.0


def test_a_line_that_is_never_reached_is_infinite(monkeypatch):
    monkeypatch.setattr(static_frontier, "HIGHEST_ADVANTAGE", 2.0)
    assert static_frontier.even_advantage(static_frontier.world(0), Limit()) == math.inf


def test_a_slice_of_the_grid_holds_every_point_once(monkeypatch):
    for name in ("SIZE_GRADIENTS", "TRANSMISSION_SCALES"):
        monkeypatch.setattr(static_frontier, name, getattr(static_frontier, name)[::2])
    monkeypatch.setattr(static_frontier, "SITE_COSTS", (50e3,))
    found = static_frontier.slice_of_grid(static_frontier.Slice(0, 83e3, True))
    assert found.height == 7 * 2 * 3
    assert found.select(*static_frontier.SCALES).is_unique().all()
    base = found.filter((pl.col("scale_advantage") == 1.0) & (pl.col("transmission_scale") == 1.0))
    assert base["under_10mw"].is_between(0.7, 0.9).all()
    by_advantage = found.filter(
        (pl.col("size_gradient_usd_mwh") == 9.0) & (pl.col("transmission_scale") == 1.0)
    ).sort("scale_advantage")["under_10mw"]
    assert (by_advantage.diff().drop_nulls() < 0).all()


def test_settings_and_potentials_reach_the_limit():
    values = {"ai_bidders": 0.2, "price_usd": 20e3, "machine_years": 5.0, "flare": 1.0}
    limit = static_frontier.settings(values)
    assert (limit.ai_bidders, limit.price_usd) == (False, 20e3)
    assert limit.capital.machine_years == 5.0
    cells = static_frontier.world(0)
    fewer = static_frontier.with_potentials(cells, values)
    assert cells.capacity_mw.sum() - fewer.capacity_mw.sum() == pytest.approx(14e3)
    assert np.array_equal(static_frontier.with_potentials(cells, {}).capacity_mw, cells.capacity_mw)


def test_every_plausible_factor_moves_something_that_exists():
    limit, kinds = Limit(), {kind.name for kind in static_frontier.load_site_types()}
    for name, (low, high) in static_frontier.PLAUSIBLE.items():
        known = hasattr(limit, name) or hasattr(limit.capital, name) or name in kinds
        assert known, name
        middle = getattr(limit, name, getattr(limit.capital, name, None))
        assert middle is None or low <= middle <= high, name
        assert name not in static_frontier.LOGARITHMIC or low > 0.0


def test_the_price_matters_more_than_the_sun_at_homes():
    bounds = static_frontier.scaled(static_frontier.PLAUSIBLE)
    design = static_frontier.sensitivity.morris_design(bounds, 4)
    shares = static_frontier.shares_at(tuple(bounds), design)
    found = static_frontier.sensitivity.morris_indices(bounds, design, shares)
    size = dict(zip(found["factor"], found["size"], strict=True))
    assert size["price_usd"] > 0.1 > size["home_solar"]


def test_losing_half_of_the_box_falsifies_and_an_empty_loss_does_not():
    box = static_frontier.of_shares(np.array([0.4, 0.3, 0.6]))
    assert box.falsified
    assert "S1 is falsified" in frontier.box_words(box)
    kept = static_frontier.of_shares(np.full(40, 0.9))
    assert (kept.lost, kept.low, kept.falsified) == (0, 0.0, False)
    assert kept.high == pytest.approx(0.0876, abs=1e-4)


# The full model's sweep


def test_the_full_size_is_that_of_the_fidelity_ladder():
    plan = full_frontier.plan(full_frontier.FULL)
    assert len(plan.points) * len(plan.study.names) == 240
    assert plan.runs == 480
    assert "start.miners=300" in plan.study.set
    small = full_frontier.plan(full_frontier.LAPTOP)
    assert small.runs == 144
    assert small.hash != plan.hash
    assert {full_frontier.D_10, full_frontier.D_END, full_frontier.REVERSAL} <= set(
        small.study.outputs
    )


def sweep_results(slope: float, points: int = 150) -> pl.DataFrame:
    """Results as a sweep would write them, of a world with a known surface."""
    draw = np.random.default_rng(8)
    values = {
        "firms.scale_advantage": [0.0, 0.5, 1.0, 2.0, 4.0, 8.0],
        "energy.size_gradient_usd_mwh": [0.0, 4.5, 9.0],
        "energy.transmission_scale": [0.0, 0.5, 1.0, 1.5, 2.0],
        "compute.bidders": [True, False],
        "firms.site_cost_usd": [25e3, 50e3, 250e3],
        "firms.capital_depth_scale": [0.5, 1.0, 2.0],
    }
    rows = []
    for point in range(points):
        chosen = {key: draw.choice(each).item() for key, each in values.items()}
        for scenario in full_frontier.END_PRICES:
            odds = 3.0 - slope * math.log1p(chosen["firms.scale_advantage"])
            won = draw.random() < expit(odds)
            rows.append(
                {"position": len(rows), "point": point, "scenario": scenario, **chosen,
                 full_frontier.D_10: 0.3 + 0.3 * won, full_frontier.D_END: 0.4 + 0.3 * won,
                 full_frontier.REVERSAL: 4000.0 if won else None}
            )  # fmt: skip
    return full_frontier.priced(pl.DataFrame(rows))


def test_the_line_of_a_planted_sweep_is_found():
    results = sweep_results(slope=2.0)
    surface = full_frontier.surface(results)
    assert surface is not None
    assert surface.coefficients[1] == pytest.approx(-2.0, abs=0.8)
    found = full_frontier.crossings(results, [{}])[0]
    true = math.expm1(3.0 / 2.0)
    assert found.low < true < found.high
    answer = frontier.FullAnswer(results, pl.DataFrame(), [], full_frontier.LAPTOP)
    assert "shares are even at" in frontier.crossing_words(answer)


def test_a_sweep_without_a_line_says_so():
    level = sweep_results(slope=0.0, points=40)
    answer = frontier.FullAnswer(level, pl.DataFrame(), [], full_frontier.LAPTOP)
    assert "too flat" in frontier.crossing_words(answer)
    few = sweep_results(slope=2.0, points=4)
    assert 0 < (few[full_frontier.D_END] > 0.5).sum() < few.height
    assert "No line of even shares" in frontier.crossing_words(replace(answer, results=few))
    won = level.with_columns(pl.lit(0.9).alias(full_frontier.D_END))
    answer = replace(answer, results=won)
    assert full_frontier.surface(won) is None
    assert "same side" in frontier.crossing_words(answer)


def test_reversals_count_runs_that_end_before_as_waiting():
    results = sweep_results(slope=2.0, points=40)
    curve = full_frontier.reversals(results, 7306)
    won = results[full_frontier.REVERSAL].is_not_null().mean()
    assert curve["waiting"][-1] == pytest.approx(1.0 - won)
    assert curve["days"].to_list() == [0.0, 4000.0]


def test_the_plausible_part_leaves_out_extreme_multipliers():
    results = full_frontier.plausible(sweep_results(slope=1.0, points=60))
    assert set(results["firms.scale_advantage"]) == {0.5, 1.0, 2.0}
    assert 0.0 not in set(results["energy.transmission_scale"])


def test_an_effect_is_the_mean_of_paired_differences():
    one = [full_frontier.Shares(0.5, 0.7), full_frontier.Shares(0.4, 0.6)]
    other = [full_frontier.Shares(0.4, 0.5), full_frontier.Shares(0.3, 0.3)]
    found = full_frontier.effect("change", one, other)
    assert found.after_10.mean == pytest.approx(0.1)
    assert found.after_end == interval([0.7 - 0.5, 0.6 - 0.3])
    assert "| change | +0.100" in frontier.effects_table([found], 20)


def test_tables_and_figure_tell_all_paths(tmp_path):
    results = sweep_results(slope=2.0, points=20)
    first = datetime.date(2025, 4, 4)
    course = pl.DataFrame(
        [{"position": position, "date": first + datetime.timedelta(days=365 * year),
          "share_under_10mw": 0.02 * year + 0.001 * position}
         for position in range(results.height) for year in range(20)]
    )  # fmt: skip
    scale = np.linspace(0.0, 2.0, 5)
    lines = [
        static_frontier.Line(83e3, True, scale, 3.0 + 4.0 * scale, np.full(5, 0.2)),
        static_frontier.Line(500e3, False, scale, np.zeros(5), np.zeros(5)),
    ]
    figure = frontier_figure.draw(lines, 7.25, results, course)
    left, right = figure.axes
    assert len(left.lines) == 1
    assert len(right.lines) == 4
    assert left.get_ylim()[1] > 7.25 * 11.0
    answer = frontier.FullAnswer(results, course, [], full_frontier.LAPTOP)
    told = frontier.full_table(answer)
    assert all(path in told for path in full_frontier.END_PRICES)
    written = frontier_figure.save(lines, 7.25, results, course, tmp_path)
    assert written.stat().st_size > 10_000
    assert (tmp_path / "frontier.svg").exists()


# The extremes


@pytest.fixture(scope="module")
def start() -> full_frontier.Extreme:
    return full_frontier.Extreme(full_frontier.SCALE_PAYS, 0.0, seed=1, years=5)


@pytest.mark.parametrize(("option", "value"), [("--points", "1"), ("--effect-seeds", "-1")])
def test_a_size_that_is_none_is_refused_before_anything_runs(option, value, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["frontier", option, value])
    monkeypatch.setattr(frontier, "static_answer", None)
    with pytest.raises(SystemExit) as ended:
        frontier.main()
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


def test_power_costs_the_same_everywhere_in_a_level_world(start):
    case = full_frontier.extreme_case(start)
    sites = full_frontier.level_world(case).sites
    price = sites["generation_wet"][sites.rows] + sites["transmission"][sites.rows]
    assert price == pytest.approx(full_frontier.LEVEL_USD_MWH)
    assert np.ptp(sites["infra"][sites.rows]) == 0.0


def test_where_power_is_equally_dear_and_scale_pays_the_largest_win(start):
    found = full_frontier.live_extreme(start)
    assert found.small_firms[0] > 0.4
    assert found.small_firms[1] < 0.2
    assert found.large_firms[1] > found.large_firms[0] + 0.3
    assert found.firms[1] < 0.3 * found.firms[0]
    assert found.small_sites[0] > 0.15
    assert found.small_sites[1] < 0.02
    assert found.large_sites[1] > 0.5


def test_where_scale_pays_nothing_and_large_power_is_dear_small_sites_win(start):
    dear = start._replace(
        scale_advantage=0.0, size_gradient_usd_mwh=full_frontier.LARGE_IS_DEAR, years=12
    )
    found = full_frontier.live_extreme(dear)
    assert found.small_sites[0] < 0.4
    assert found.small_sites[1] > 0.75
    assert found.large_sites[1] < 0.1 * found.large_sites[0]
