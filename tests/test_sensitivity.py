"""Bands, chances, first passages, indices, boxes and surfaces against what is known of them."""

from __future__ import annotations

import datetime
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from study import discovery, logistic, sensitivity
from study.design import Factor, Plan, Study

# Weeks in remission under 6-MP, and whether it ended (Freireich et al. 1963), and the estimate
# that textbooks print of it.
REMISSION = ((6, 1), (6, 1), (6, 1), (6, 0), (7, 1), (9, 0), (10, 1), (10, 0), (11, 0), (13, 1),
             (16, 1), (17, 0), (19, 0), (20, 0), (22, 1), (23, 1), (25, 0), (32, 0), (32, 0),
             (34, 0), (35, 0))  # fmt: skip
PRINTED = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
PI = math.pi
ISHIGAMI = dict.fromkeys(("one", "two", "three"), (-PI, PI))


def ensemble(runs: int = 5, days: int = 4) -> pl.DataFrame:
    first = datetime.date(2025, 4, 4)
    return pl.DataFrame(
        [
            {"date": first + datetime.timedelta(days=day), "seed": run, "price": run * 10.0 + day}
            for run in range(runs)
            for day in range(days)
        ]
    )


# Ensembles


def test_bands_are_quantiles_over_runs():
    found = sensitivity.bands(ensemble(), "price", quantiles=(0.0, 0.5, 1.0))
    assert found["runs"].to_list() == [5] * 4
    assert found["q50"].to_list() == [20.0, 21.0, 22.0, 23.0]
    assert found["q00"].to_list() == [0.0, 1.0, 2.0, 3.0]
    assert found["q100"].to_list() == [40.0, 41.0, 42.0, 43.0]


def test_bands_leave_out_runs_in_which_a_series_is_undefined():
    frame = ensemble().with_columns(
        price=pl.when(pl.col("seed") == 4).then(math.nan).otherwise(pl.col("price"))
    )
    found = sensitivity.bands(frame, "price")
    assert found["runs"].to_list() == [4] * 4
    assert found["q50"].to_list() == [15.0, 16.0, 17.0, 18.0]


def test_bands_refuse_what_is_no_quantile():
    with pytest.raises(ValueError, match="quantiles"):
        sensitivity.bands(ensemble(), "price", quantiles=(5.0,))


def test_chances_of_each_class_by_group_with_wilsons_interval():
    frame = pl.DataFrame({"share": [0.4] * 100 + [0.6] * 50, "end": ["O1"] * 100 + ["O3"] * 50})
    found = sensitivity.probabilities(frame, "end", by=["share"])
    never = found.filter((pl.col("share") == 0.4) & (pl.col("end") == "O3")).row(0, named=True)
    assert (never["count"], never["runs"], never["low"]) == (0, 100, 0.0)
    assert never["high"] == pytest.approx(0.0370, abs=5e-5)
    sums = found.group_by("share").agg(pl.col("chance").sum())["chance"]
    assert sums.to_list() == pytest.approx([1.0, 1.0])
    assert sensitivity.probabilities(frame, "end")["count"].to_list() == [100, 50]


def test_means_over_replicates_stand_in_the_order_of_points():
    results = pl.DataFrame({"point": [2, 0, 2, 0], "seed": [1, 1, 2, 2], "win": [1, 0, 0, 0]})
    assert sensitivity.point_means(results, "win").rows() == [(0, 0.0), (2, 0.5)]


# First passages


def test_first_passage_is_what_textbooks_print():
    days, happened = np.array(REMISSION).T
    curve = sensitivity.first_passage(days, happened.astype(bool))
    found = dict(zip(curve["days"].to_list(), curve["waiting"].to_list(), strict=True))
    assert {day: found[day] for day in PRINTED} == pytest.approx(PRINTED, abs=5e-4)
    # Its 95 % interval at week 10, by the same method: .503 to .890 in print.
    tenth = curve.filter(pl.col("days") == 10).row(0, named=True)
    assert (tenth["low"], tenth["high"]) == pytest.approx((0.503, 0.889), abs=2e-3)
    assert sensitivity.passage_day(curve) == 23.0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_without_censoring_it_is_the_share_of_runs_that_wait(days):
    times = np.array(days, dtype=float)
    curve = sensitivity.first_passage(times, np.ones(times.size, bool))
    for row in curve.iter_rows(named=True):
        assert row["waiting"] == pytest.approx((times > row["days"]).mean())
        assert row["low"] <= row["waiting"] + 1e-12
        assert row["waiting"] <= row["high"] + 1e-12


def test_passages_are_read_off_series_and_runs_that_end_before_are_censored():
    found = sensitivity.passages(ensemble(runs=3, days=6), "price", 12.5)
    assert found.rows() == [(0, 5.0, False), (1, 3.0, True), (2, 0.0, True)]
    curve = sensitivity.first_passage(found["days"].to_numpy(), found["passed"].to_numpy())
    assert sensitivity.passage_day(curve, 0.5) == 3.0
    assert math.isnan(sensitivity.passage_day(curve, 0.9))
    with pytest.raises(ValueError, match="0 runs"):
        sensitivity.first_passage(np.zeros(0), np.zeros(0, bool))


# Which factors matter


def test_sobol_indices_of_ishigamis_function():
    design = sensitivity.sobol_design(ISHIGAMI, 2048)
    one, two, three = design.T
    output = np.sin(one) + 7.0 * np.sin(two) ** 2 + 0.1 * three**4 * np.sin(one)
    found = sensitivity.sobol_indices(ISHIGAMI, output)
    first = dict(zip(found["factor"], found["first"], strict=True))
    total = dict(zip(found["factor"], found["total"], strict=True))
    assert first == pytest.approx({"one": 0.3139, "two": 0.4424, "three": 0.0}, abs=0.02)
    assert total == pytest.approx({"one": 0.5576, "two": 0.4424, "three": 0.2437}, abs=0.02)
    assert found["factor"][0] == "one"
    for row in found.iter_rows(named=True):
        assert row["total_low"] < total[row["factor"]] < row["total_high"]
    again = sensitivity.sobol_indices(ISHIGAMI, output)
    assert found.equals(again)
    assert np.array_equal(design, sensitivity.sobol_design(ISHIGAMI, 2048))


def test_morris_of_a_linear_function_is_its_slopes():
    bounds = {"a": (0.0, 2.0), "b": (-1.0, 3.0), "idle": (0.0, 1.0)}
    design = sensitivity.morris_design(bounds, 12)
    assert design.shape == (12 * 4, 3)
    found = sensitivity.morris_indices(bounds, design, 5.0 + 3.0 * design[:, 0] - design[:, 1])
    effects = dict(zip(found["factor"], found["mean"], strict=True))
    assert effects == pytest.approx({"a": 6.0, "b": -4.0, "idle": 0.0}, abs=1e-9)
    assert found["deviation"].to_list() == pytest.approx([0.0] * 3, abs=1e-9)
    assert found["factor"].to_list() == ["a", "b", "idle"]


def test_morris_sees_that_factors_work_together():
    bounds = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
    design = sensitivity.morris_design(bounds, 20)
    found = sensitivity.morris_indices(bounds, design, design[:, 0] * design[:, 1])
    assert (found["deviation"] > 0.1).all()
    assert (found["low"] <= found["size"]).all()
    assert (found["size"] <= found["high"]).all()


def test_what_never_moves_is_moved_by_nothing_and_what_is_undefined_is_refused():
    bounds = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
    design = sensitivity.morris_design(bounds, 3)
    still = np.full(9, 7.0)
    assert sensitivity.morris_indices(bounds, design, still)["size"].to_list() == [0.0, 0.0]
    assert sensitivity.sobol_indices(bounds, np.full(16, 7.0))["total"].to_list() == [0.0, 0.0]
    with pytest.raises(ValueError, match="undefined"):
        sensitivity.morris_indices(bounds, design, np.full(9, math.nan))
    with pytest.raises(ValueError, match="leave no room"):
        sensitivity.morris_design({"a": (1.0, 1.0)}, 3)
    with pytest.raises(ValueError, match="power of two"):
        sensitivity.sobol_design(bounds, 100)
    with pytest.raises(ValueError, match="rounds of 4"):
        sensitivity.sobol_indices(bounds, np.arange(9.0))
    with pytest.raises(ValueError, match="seed of 0"):
        sensitivity.sobol_design(bounds, 8, seed=0)


def sweep_of(design: str, **size: int) -> tuple[Plan, pl.DataFrame]:
    """A plan of two factors, and results that its sweep might have: twice the first's place."""
    keys = ("firms.scale_advantage", "firms.site_cost_usd")
    factors = (
        Factor(key=keys[0], low=0.0, high=8.0),
        Factor(key=keys[1], low=1e4, high=1e6, log=True),
    )
    study = Study(
        question="?", scenario="stagnation", design=design, replicates=2, factors=factors,
        outputs=("end:share_under_10mw",), **size,
    )  # fmt: skip
    plan = Plan(study, "two", "laptop")
    rows = [plan.row(position) for position in range(plan.runs)]
    frame = pl.DataFrame(rows).with_columns(
        (pl.col(keys[0]) / 4.0 + pl.col("replicate")).alias("out")
    )
    return plan, frame


def test_indices_of_a_sweep_are_those_of_its_design():
    plan, results = sweep_of("morris", trajectories=6)
    found = sensitivity.sweep_indices(plan, results, "out")
    assert dict(zip(found["factor"], found["mean"], strict=True)) == pytest.approx(
        {"firms.scale_advantage": 2.0, "firms.site_cost_usd": 0.0}, abs=1e-9
    )
    plan, results = sweep_of("sobol", points=64)
    found = sensitivity.sweep_indices(plan, results, "out")
    assert found["factor"][0] == "firms.scale_advantage"
    assert found["total"].to_list() == pytest.approx([1.0, 0.0], abs=0.05)
    with pytest.raises(ValueError, match="has not ended"):
        sensitivity.sweep_indices(plan, results.head(20), "out")
    plan, results = sweep_of("latin_hypercube", points=8)
    with pytest.raises(ValueError, match="allowed: sobol or morris"):
        sensitivity.sweep_indices(plan, results, "out")


# Scenario discovery


def planted(runs: int = 1000) -> pl.DataFrame:
    draw = np.random.default_rng(5)
    points = pl.DataFrame({name: draw.random(runs) for name in ("share", "patience", "idle")})
    return points.with_columns(law=pl.Series(draw.choice(["any", "site", "seat"], runs)))


def test_discovery_finds_the_planted_box():
    points = planted()
    inside = (points["share"] > 0.6) & (points["patience"] < 0.5) & (points["law"] != "seat")
    found = discovery.boxes(points, inside.to_numpy(), density=0.95)
    best = found[0]
    assert best.density >= 0.95
    assert best.coverage > 0.9
    edges = {edge.factor: edge for edge in best.edges}
    assert edges["share"].low == pytest.approx(0.6, abs=0.03)
    assert edges["share"].high is None
    assert edges["patience"].high == pytest.approx(0.5, abs=0.03)
    assert edges["law"].members == ("any", "site")
    assert edges["share"].low_chance is not None
    assert edges["share"].low_chance < 1e-6
    lies = (points["share"] >= edges["share"].low) & (points["patience"] <= edges["patience"].high)
    assert best.runs == pytest.approx((lies & (points["law"] != "seat")).sum(), rel=0.1)
    assert "share >= 0." in best.words()


def test_discovery_finds_no_box_in_noise():
    points = planted(400)
    noise = np.random.default_rng(1).random(400) < 0.3
    assert discovery.boxes(points, noise, density=0.9, least_mass=0.1) == []
    assert discovery.boxes(points, np.zeros(400, bool)) == []
    with pytest.raises(ValueError, match="400 points"):
        discovery.boxes(points, noise[:10])


# The line of even chances

TRUE = {"lam": -3.0, "wires": 2.0}
SCALES = {"lam": "log of one more", "wires": "linear"}


def outcomes(seed: int, runs: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    draw = np.random.default_rng(seed)
    points = {"lam": draw.uniform(0.0, 8.0, runs), "wires": draw.uniform(0.0, 2.0, runs)}
    odds = 2.0 + TRUE["lam"] * np.log1p(points["lam"]) + TRUE["wires"] * points["wires"]
    return points, draw.random(runs) < expit(odds)


def true_crossing(wires: float | np.ndarray) -> float | np.ndarray:
    return np.expm1((2.0 + TRUE["wires"] * wires) / -TRUE["lam"])


def test_a_planted_surface_is_found_again():
    points, won = outcomes(3, 6000)
    surface = logistic.fit(points, won, SCALES)
    errors = np.sqrt(np.diag(surface.covariance))
    assert (np.abs(surface.coefficients - [2.0, -3.0, 2.0]) < 3.0 * errors).all()
    assert (errors < 0.2).all()
    for wires in (0.0, 1.0, 2.0):
        found = surface.crossing("lam", {"wires": wires})
        assert found.low < true_crossing(wires) < found.high
        even = surface.chance({"lam": np.array([found.value]), "wires": np.array([wires])})
        assert even[0] == pytest.approx(0.5)
    sides = (points["lam"] < true_crossing(points["wires"])) == won
    assert surface.right == pytest.approx(sides.mean(), abs=0.01)


def test_the_band_holds_the_true_line_as_often_as_it_says():
    held = 0
    for seed in range(100):
        points, won = outcomes(seed, 300)
        found = logistic.fit(points, won, SCALES).crossing("lam", {"wires": 1.0}, band=0.90)
        held += found.low < true_crossing(1.0) < found.high
    # Three standard errors of 100 draws at 0.90.
    assert abs(held - 90) <= 9


def test_resampled_bands_agree_with_the_delta_method():
    points, won = outcomes(7, 800)
    delta = logistic.fit(points, won, SCALES).crossing("lam", {"wires": 1.0})
    drawn = logistic.resampled_crossings(
        points, won, SCALES, np.arange(800), "lam", [{"wires": 1.0}], resamples=200
    )[0]
    assert drawn.value == delta.value
    assert drawn.high - drawn.low == pytest.approx(delta.high - delta.low, rel=0.3)


def test_few_points_make_no_band():
    points = {"lam": np.array([0.0, 8.0] * 6), "wires": np.repeat([0.0, 2.0], 6)}
    won, clusters = points["lam"] < 4.0, np.repeat([0, 1], 6)
    with pytest.raises(ValueError, match="2 points are too few"):
        logistic.resampled_crossings(points, won, SCALES, clusters, "lam", [{"wires": 1.0}])
    together = {"lam": points["lam"], "wires": np.log1p(points["lam"])}
    with pytest.raises(ValueError, match="tell the factors apart"):
        logistic.fit(together, won, SCALES)


@pytest.mark.parametrize(("won", "runs"), [(0, 10), (3, 10), (10, 10)])
def test_firths_constant_is_the_log_odds_with_half_a_case_more_of_each(won, runs):
    points = {"any": np.zeros(runs)}
    surface = logistic.fit(points, np.arange(runs) < won, {})
    assert surface.coefficients[0] == pytest.approx(math.log((won + 0.5) / (runs - won + 0.5)))


def test_outcomes_that_a_line_separates_still_have_a_finite_surface():
    lam = np.linspace(0.0, 8.0, 41)
    surface = logistic.fit({"lam": lam}, lam < 5.1, {"lam": "linear"})
    assert np.isfinite(surface.coefficients).all()
    found = surface.crossing("lam", {})
    assert found.value == pytest.approx(5.1, abs=0.1)
    assert surface.right == 1.0


def test_a_surface_does_not_hang_on_units():
    points, won = outcomes(11, 400)
    scaled = {"lam": points["lam"], "wires": 18.0 * points["wires"]}
    one = logistic.fit(points, won, SCALES).crossing("lam", {"wires": 1.0})
    two = logistic.fit(scaled, won, SCALES).crossing("lam", {"wires": 18.0})
    assert one == pytest.approx(two)


def test_a_surface_through_nothing_is_refused():
    with pytest.raises(ValueError, match="too few"):
        logistic.fit({"lam": np.zeros(2)}, np.zeros(2, bool), {"lam": "linear"})
    with pytest.raises(ValueError, match="lam is the same"):
        logistic.fit({"lam": np.ones(9)}, np.arange(9) > 4, {"lam": "linear"})
