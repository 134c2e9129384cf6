"""Scores against observed months, restarts from cut-offs, and the search for parameters."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import geography, parameters
from model.known import DATA
from model.recorder import SERIES, Recorder
from model.scenario import Scenario, load
from study import calibration, history, rolling
from study.calibration import PARAMETERS, Evaluation

BASE = load("china_ban_2021")
NETWORK = geography.load_monthly(DATA, "network")


def months(**columns: list[float]) -> pl.DataFrame:
    length = len(next(iter(columns.values())))
    names = history.month_range("2020-01", history.shifted("2020-01", length - 1))
    return pl.DataFrame({"month": names, **columns})


# Months of a run


def short_record() -> Recorder:
    """Two months: hashrate 1 then 2 EH/s; the ban moves Chinese miners to say they are German."""
    first = datetime.date(2020, 1, 1)
    record = Recorder(60, first)
    names = [column.name for column in SERIES if column.default is None]
    for day in range(60):
        value = 1.0 if day < 31 else 2.0
        record.write(day, dict.fromkeys(names, value))
    for day in (0, 7, 31):
        reported = [0.75, 0.25] if day < 31 else [0.4, 0.6]
        record.share(day, "reported_nation", ["CHN", "DEU"], np.array(reported))
        record.share(day, "nation", ["CHN"], np.array([1.0]))
    record.share(0, "place", ["CHN-Sichuan", "CHN-Yunnan", "USA-TX"], np.array([0.3, 0.3, 0.4]))
    record.share(7, "place", ["CHN-Xinjiang", "CHN-Yunnan"], np.array([0.2, 0.2]))
    return record


def test_months_of_a_run_are_means_of_days_and_of_recorded_shares() -> None:
    record = short_record()
    found = history.modelled_months(record.series(), record.shares())
    assert found["month"].to_list() == ["2020-01", "2020-02"]
    assert found["hashrate_ehs"].to_list() == [1.0, 2.0]
    assert found["share_CHN"].to_list() == pytest.approx([75.0, 40.0])
    assert found["share_OTH"].to_list() == pytest.approx([25.0, 60.0])
    assert found["share_KAZ"].to_list() == [0.0, 0.0]
    # Sichuan has half of China on one day and nothing on the other.
    assert found["china_Sichuan"].to_list() == [pytest.approx(25.0), None]
    assert found["china_Xinjiang"].to_list() == [pytest.approx(25.0), None]


def test_a_month_with_few_days_is_left_out() -> None:
    record = short_record()
    series = record.series().head(31 + history.LEAST_DAYS - 1)
    assert history.modelled_months(series, record.shares())["month"].to_list() == ["2020-01"]


def test_observed_months_end_with_training_and_have_whole_shares() -> None:
    seen = history.observed_months()
    assert seen["month"].max() == "2021-04"
    first, last = (seen.filter(pl.col("month") == month) for month in ("2019-09", "2021-04"))
    assert first["hashrate_ehs"].item() == 88.39
    assert last["share_USA"].item() == 16.9
    assert last["share_OTH"].item() == pytest.approx(5.9 + 2.8 + 2.3)
    assert last["china_Xinjiang"].item() == 54.4
    assert first["efficiency_cambridge_j_th"].item() == 85.8
    groups = seen.select(map(history.share_column, history.GROUPS)).drop_nulls()
    assert groups.height == 20
    np.testing.assert_allclose(groups.sum_horizontal(), 100.0, atol=0.31)
    assert seen.filter(pl.col("month") < "2019-09")["share_CHN"].null_count() == 44


# Scores


def test_a_perfect_run_has_no_error() -> None:
    seen = history.observed_months()
    scores = history.score(seen, seen)
    assert (scores.hashrate_log_error, scores.hashrate_end_residual) == (0.0, 0.0)
    assert (scores.shares_error_points, scores.efficiency_error) == (0.0, 0.0)
    assert scores.sichuan_correlation == pytest.approx(1.0)
    assert math.isnan(scores.electricity_share)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=12))
@settings(deadline=None, max_examples=30)
def test_a_common_factor_is_the_error_and_the_residual(levels: list[float]) -> None:
    seen = months(hashrate_ehs=levels, share_USA=[20.0] * len(levels))
    found = months(hashrate_ehs=[0.8 * level for level in levels], share_USA=[17.0] * len(levels))
    scores = history.score(found, seen)
    assert scores.hashrate_log_error == pytest.approx(-math.log(0.8))
    assert scores.hashrate_end_residual == pytest.approx(math.log(0.8))
    assert scores.shares_error_points == pytest.approx(3.0)
    assert scores.months == len(levels)


def test_only_months_that_both_have_are_scored() -> None:
    seen = months(hashrate_ehs=[1.0, 1.0, 1.0], efficiency_cambridge_j_th=[50.0, None, 100.0])
    found = months(hashrate_ehs=[2.0, 2.0], efficiency_cambridge_j_th=[55.0, 60.0])
    scores = history.score(found, seen)
    assert scores.months == 2
    assert scores.efficiency_error == pytest.approx(0.1)
    assert math.isnan(scores.shares_error_points)


def test_means_and_spreads_are_over_runs() -> None:
    seen = months(hashrate_ehs=[1.0])
    runs = [history.score(months(hashrate_ehs=[level]), seen) for level in (math.e, math.e**3)]
    assert history.mean_scores(runs).hashrate_log_error == pytest.approx(2.0)
    assert history.spread_of_scores(runs).hashrate_log_error == pytest.approx(math.sqrt(2.0))
    assert math.isnan(history.spread_of_scores(runs[:1]).hashrate_log_error)


def test_naive_baselines_of_a_steady_growth() -> None:
    levels = [math.exp(0.05 * step) for step in range(45)]
    seen = months(hashrate_ehs=levels, share_USA=[float(step) for step in range(45)])
    cutoff = seen["month"][28]
    ahead = history.month_range(seen["month"][29], seen["month"][42])
    naive = history.naive_scores(seen, cutoff, ahead)
    assert naive["12-month slope"].hashrate_log_error == pytest.approx(0.0, abs=1e-12)
    assert naive["28-month slope"].hashrate_log_error == pytest.approx(0.0, abs=1e-12)
    assert naive["no change"].hashrate_log_error == pytest.approx(0.05 * 7.5)
    assert naive["no change"].shares_error_points == pytest.approx(7.5)
    assert math.isnan(naive["12-month slope"].shares_error_points)


def test_a_baseline_knows_nothing_after_its_cutoff() -> None:
    seen = history.observed_months()
    ahead = history.month_range("2020-04", "2021-04")
    later = pl.col("month") > "2020-03"
    blind = seen.with_columns(
        pl.when(later).then(pl.col(name) * 7).otherwise(pl.col(name)).alias(name)
        for name in seen.columns
        if name != "month"
    )
    tables = (history.naive_months(table, "2020-03", ahead) for table in (seen, blind))
    for one, other in zip(*(table.values() for table in tables), strict=True):
        assert one.equals(other)


def test_a_slope_without_earlier_months_is_undefined() -> None:
    naive = history.naive_scores(history.observed_months(), "2015-12", ["2016-01", "2016-02"])
    assert math.isnan(naive["12-month slope"].hashrate_log_error)
    assert naive["no change"].hashrate_log_error > 0


@given(st.integers(0, 3000), st.integers(-40, 40))
def test_months_shift_there_and_back(start: int, step: int) -> None:
    month = history.shifted("1900-01", start)
    assert history.shifted(history.shifted(month, step), -step) == month
    assert history.months_from(month, history.shifted(month, step)) == step


# Restarts


@pytest.mark.parametrize("cutoff", rolling.CUT_OFFS)
def test_a_restart_begins_after_its_cutoff_and_ends_in_training(cutoff: str) -> None:
    case = rolling.anchored(BASE, cutoff)
    assert case.start_date == rolling.first_day(history.shifted(cutoff, 1))
    assert case.end_date == rolling.last_day(rolling.months_ahead(cutoff)[-1])
    assert case.end_date <= datetime.date(2021, 4, 30)
    assert Scenario.model_validate(case.model_dump()) == case
    observed = NETWORK.filter(pl.col("month") == cutoff)
    assert case.start.hashrate_ehs == pytest.approx(observed["hashrate_ehs"].item(), rel=0.11)
    assert all(case.start_date <= event.date <= case.end_date for event in case.events)
    # Nothing but the start, its dates and its events differs from the base.
    same = {"name", "start_date", "end_date", "events", "start"}
    assert case.model_dump(exclude=same) == BASE.model_dump(exclude=same)


def test_six_cutoffs_have_fourteen_months_but_for_the_last_two() -> None:
    assert [len(rolling.months_ahead(cutoff)) for cutoff in rolling.CUT_OFFS] == [
        14, 14, 14, 14, 13, 8,
    ]  # fmt: skip


@pytest.mark.parametrize("cutoff", rolling.CUT_OFFS)
def test_a_restart_uses_no_hashrate_or_difficulty_after_its_cutoff(cutoff: str) -> None:
    later = pl.col("month") > cutoff
    blind = NETWORK.with_columns(
        pl.when(later).then(pl.col(name) * 3).otherwise(pl.col(name)).alias(name)
        for name in ("hashrate_ehs", "difficulty_e12")
    )
    assert rolling.anchored(BASE, cutoff, observed=blind) == rolling.anchored(BASE, cutoff)


def test_counted_blocks_put_the_halving_on_its_day() -> None:
    height = rolling.height_on("2020-05", NETWORK)
    days = (630_000 - height) / (NETWORK.filter(pl.col("month") == "2020-05")["blocks"].item() / 31)
    # 2020-05-11 by the clock of the chain; blocks came faster before the halving than after it.
    assert 10.0 < days < 12.5
    assert rolling.height_on("2019-09", NETWORK) == 592_704
    # Block 420,000, the halving of 2016, came on 2016-07-09.
    july = rolling.height_on("2016-07", NETWORK)
    assert 7.0 < (420_000 - july) / 144 < 10.0


def test_the_outlook_restarts_like_a_cutoff() -> None:
    outlook = load("outlook_2021")
    case = rolling.anchored(outlook, "2021-04", outlook.end_date)
    assert (case.start_date, case.end_date) == (outlook.start_date, outlook.end_date)
    assert case.start.height == pytest.approx(outlook.start.height, abs=200)
    assert case.start.hashrate_ehs == pytest.approx(outlook.start.hashrate_ehs, rel=0.03)
    assert case.start.difficulty_e12 == pytest.approx(outlook.start.difficulty_e12, rel=0.05)
    assert case.events == outlook.events


def test_the_calibrated_start_is_what_a_restart_would_choose() -> None:
    case = rolling.anchored(BASE, "2019-08")
    assert case.start.hashrate_ehs == pytest.approx(BASE.start.hashrate_ehs, rel=0.06)
    assert case.start.difficulty_e12 == pytest.approx(BASE.start.difficulty_e12, rel=0.06)
    assert case.start.machine_output_mw_month == pytest.approx(325, rel=0.15)


def test_output_counts_replacement_and_no_negative_additions() -> None:
    case = rolling.anchored(BASE, "2019-08")
    efficiency = rolling.efficiency_on_sale(case)
    flat = pl.DataFrame({"hashrate_ehs": [50.0] * 7})
    assert rolling.machine_output_mw_month(case, flat) == pytest.approx(efficiency)
    falling = pl.DataFrame({"hashrate_ehs": [64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0]})
    assert rolling.machine_output_mw_month(case, falling) == 0.0


def test_fabs_remember_their_best_quarter_and_forget_slowly() -> None:
    case = rolling.anchored(BASE, "2019-08")
    boom = np.concatenate([np.full(20, 40.0), [44.0, 48.0, 52.0]])
    slump = np.concatenate([boom, [30.0, 30.0, 30.0]])
    peak, later = (
        rolling.fab_capacity_mw_month(case, pl.DataFrame({"hashrate_ehs": levels}))
        for levels in (boom, slump)
    )
    kept = 1.0 - case.machines.output_decline_month
    assert peak == pytest.approx((4.0 + 0.02 * 44.0) * rolling.efficiency_on_sale(case))
    assert later == pytest.approx(peak * kept**3)


def test_firms_have_learnt_a_steady_growth() -> None:
    past = pl.DataFrame({"hashrate_ehs": [math.exp(0.04 * step) for step in range(20)]})
    assert rolling.learnt_growth(past, 0.3) == pytest.approx(0.04)
    leap = pl.DataFrame({"hashrate_ehs": [1.0] * 12 + [10.0]})
    assert 0.0 < rolling.learnt_growth(leap, 0.3) < rolling.MOST_GROWTH_MONTH


def test_an_origin_is_scored_by_a_run_of_the_model() -> None:
    base = load("china_ban_2021", ["start.miners=60", "start.sites=150"])
    scores = rolling.score_origin(base, "2020-08", 3)
    assert scores.months == 8
    assert 0.0 < scores.hashrate_log_error < 1.0
    assert abs(scores.hashrate_end_residual) < 1.5


# Calibration


def test_parameters_exist_and_their_bounds_are_allowed() -> None:
    for each in PARAMETERS:
        section, name = each.key.split(".")
        field = getattr(parameters, section.capitalize()).model_fields[name]
        lowest, highest = (bound for bound in map(_bound, field.metadata) if bound is not None)
        assert lowest <= each.low < each.prior < each.high <= highest
        assert each.low <= calibration.present(BASE, each.key) <= each.high


def _bound(limit: Any) -> float | None:
    return getattr(limit, "ge", getattr(limit, "le", None))


@given(st.floats(0.0, 1.0), st.sampled_from(PARAMETERS))
def test_positions_and_values_agree(position: float, each: calibration.Parameter) -> None:
    assert each.position(each.value(position)) == pytest.approx(position, abs=1e-3)
    assert each.low <= each.value(position) <= each.high
    assert each.surprise(each.prior) == 0.0


def test_a_point_becomes_a_scenario_inside_the_training_months() -> None:
    values = calibration.prior_values() | {"energy.momentum": 0.25}
    case = calibration.scenario_at(values)
    assert case.energy.momentum == 0.25
    assert case.firms.idle_days_to_vacate == 45
    assert (case.start.miners, case.end_date) == (600, datetime.date(2021, 4, 30))
    calibration.require_training_months_only()


def test_calibration_stops_if_a_run_would_reach_later_months(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rolling, "months_ahead", lambda cutoff: ["2021-05"])
    with pytest.raises(RuntimeError, match="must not look beyond 2021-04-30"):
        calibration.require_training_months_only()


def bowl(values: dict[str, float]) -> Evaluation:
    """As if the errors grew with the distance from a point that no prior is at."""
    positions = [each.position(values[each.key]) for each in PARAMETERS]
    error = float(np.mean([(position - 0.3) ** 2 for position in positions]))
    return Evaluation(values, origins=(error,) * 6, training=error, shares=error)


def test_the_search_comes_closer_than_its_starts_and_is_repeatable() -> None:
    found = calibration.search(bowl, 120, seed=1, workers=1)
    assert len(found) <= 120
    assert found[0].values == calibration.present_values()
    assert found[1].values == calibration.prior_values()
    best, screened = calibration.best_of(found), calibration.best_of(found[:60])
    assert best.objective < 0.7 * screened.objective
    assert best.objective == min(one.objective for one in found)
    again = calibration.search(bowl, 120, seed=1, workers=1)
    assert [one.values for one in again] == [one.values for one in found]
    assert calibration.search(bowl, 6, seed=2, workers=1)[2].values != found[2].values


def test_a_run_that_breaks_down_is_a_bad_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(case: Scenario) -> pl.DataFrame:
        raise ValueError("no seats")

    monkeypatch.setattr(history, "run_months", fails)
    found = calibration.evaluate(calibration.prior_values(), [1])
    assert found.objective == calibration.FAILED
    assert found.failure == "ValueError: no seats"


def test_evaluations_become_rows_and_the_best_a_scenario(tmp_path: Any) -> None:
    found = calibration.search(bowl, 4, seed=1, workers=1)
    rows = calibration.as_rows([*found, Evaluation(calibration.prior_values(), failure="broken")])
    assert rows.height == 5
    assert rows["objective"][:4].to_list() == [one.objective for one in found]
    assert rows["rolling"][4] is None
    target = tmp_path / "fitted.toml"
    best = calibration.best_of(found)
    target.write_text('extends = "china_ban_2021"\n' + calibration.as_toml(best.values))
    case = load(target)
    assert {each.key: calibration.present(case, each.key) for each in PARAMETERS} == best.values
