"""Folders of results as frames and data sets: whole, with units, or refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model.complaint import ScenarioError
from model.incentives import virtual_mining
from model.recorder import SERIES
from study import frames, runfolder
from tests import folders


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.ensemble(tmp_path_factory.mktemp("ensemble"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.sweep(tmp_path_factory.mktemp("sweep"))


# Frames


def test_the_frame_of_a_run_is_its_series_with_scenario_and_seed(ensemble: Path) -> None:
    stored = runfolder.read(ensemble / "2")
    table = frames.frame(ensemble / "2")
    assert table.columns[:3] == ["scenario", "seed", "date"]
    assert table.select(stored.series.columns).equals(stored.series)
    assert table.select("scenario", "seed").unique().rows() == [("china_ban_2021", 2)]


def test_the_frame_of_an_ensemble_has_a_row_for_each_day_of_each_run(ensemble: Path) -> None:
    table = frames.frame(str(ensemble))
    assert table.height == 5 * folders.DAYS
    assert not table.select("seed", "date").is_duplicated().any()
    assert table["seed"].is_sorted()
    for seed in (1, 5):
        stored = runfolder.read(ensemble / str(seed)).series
        assert table.filter(pl.col("seed") == seed)["hashrate_ehs"].equals(stored["hashrate_ehs"])


def test_shares_and_events_have_their_run(ensemble: Path) -> None:
    held, stored = frames.shares(ensemble), runfolder.read(ensemble / "3")
    assert held.columns == ["scenario", "seed", "date", "grouping", "member", "share"]
    of_third = held.filter(pl.col("seed") == 3).select(stored.shares.columns)
    assert of_third.equals(stored.shares)
    told = frames.events(ensemble)
    assert told["seed"].to_list() == [1, 2, 3, 4, 5]
    assert told["what"][0] == 'a firm of 20 MW, "gone"'


def test_a_row_a_run_tells_outcomes_headlines_and_first_passages(ensemble: Path) -> None:
    table = frames.runs(ensemble)
    assert table["outcome"].to_list() == ["O3", "O0", "O3", "O0", "O3"]
    assert table["first_directive"].null_count() == 2
    assert str(table["first_directive"][4]) == "2019-09-05"
    assert table["bankruptcies"].to_list() == [1.0] * 5


def test_bands_are_the_quantiles_of_the_runs(ensemble: Path) -> None:
    spread = frames.bands(ensemble, ["hashrate_ehs", "power_gw"])
    runs = [runfolder.read(ensemble / str(seed)).series for seed in range(1, 6)]
    values = np.array([run["power_gw"].to_numpy() for run in runs])
    found = spread.filter(pl.col("series") == "power_gw")
    for name, part in frames.QUANTILES.items():
        np.testing.assert_allclose(found[name], np.quantile(values, part, axis=0))
    np.testing.assert_allclose(found["mean"], values.mean(axis=0))
    assert found["runs"].unique().to_list() == [5]


def test_bands_of_means_are_narrower(ensemble: Path) -> None:
    width = [
        frames.bands(ensemble, ["power_gw"], days).select(pl.col("p95") - pl.col("p05")).mean()
        for days in (1, 7)
    ]
    assert width[1].item() < 0.6 * width[0].item()


def test_the_frame_of_a_sweep_is_its_results(sweep: Path) -> None:
    assert frames.frame(sweep).equals(pl.read_parquet(sweep / "results.parquet"))
    assert frames.factors(sweep) == [*folders.FACTORS, "scenario"]
    assert frames.outputs(sweep) == list(folders.OUTPUTS)


# Data sets


def test_the_data_set_of_runs_has_seeds_and_dates_units_and_long_names(ensemble: Path) -> None:
    data = frames.dataset(ensemble)
    assert dict(data.sizes)["seed"] == 5
    assert dict(data.sizes)["date"] == folders.DAYS
    table = frames.frame(ensemble)
    for column in SERIES:
        found = data[column.name]
        assert found.dims == ("seed", "date")
        assert found.attrs == {"units": column.unit, "long_name": column.doc}
    third = table.filter(pl.col("seed") == 3)["price_usd"].to_numpy()
    np.testing.assert_array_equal(data["price_usd"].sel(seed=3), third)
    assert np.isnan(data["free_price_usd"]).all()
    assert data.attrs["parameter_hash"] == frames.stamp(ensemble).parameter_hash
    assert data.attrs["seeds"] == "1-5"


def test_shares_are_variables_over_their_members(ensemble: Path) -> None:
    data = frames.dataset(ensemble)
    nations = data["share_nation"]
    assert nations.dims == ("seed", "share_date", "nation")
    np.testing.assert_allclose(nations.sum("nation"), 1.0)
    # Who was not recorded on a day had nothing.
    assert nations.sel(nation="KAZ")[:, 1:].max() == 0.0
    assert set(data["pool"].values) == {"F2Pool", "AntPool"}
    held = frames.shares(ensemble)
    one = held.filter(
        (pl.col("seed") == 2) & (pl.col("grouping") == "nation") & (pl.col("member") == "USA")
    )
    np.testing.assert_array_equal(nations.sel(seed=2, nation="USA"), one["share"])


def test_a_single_run_has_the_same_dimensions(ensemble: Path) -> None:
    data = frames.dataset(ensemble / "4")
    assert data["price_usd"].dims == ("seed", "date")
    assert data["seed"].values.tolist() == [4]
    assert data["price_usd"].equals(frames.dataset(ensemble)["price_usd"].sel(seed=[4]))


def test_columns_of_economies_beside_bitcoins_have_units_too(tmp_path: Path) -> None:
    extended = (*SERIES, *virtual_mining.SERIES)
    data = frames.dataset(folders.run(tmp_path, folders.case(), series=extended))
    assert data["pts_price_usd"].attrs["units"] == "USD/PTS"


def test_a_data_set_can_be_stored(ensemble: Path) -> None:
    # netCDF takes numbers and words as attributes, and nothing else.
    data = frames.dataset(ensemble)
    assert all(isinstance(value, str) for value in data.attrs.values())
    assert data.to_dict()["coords"]["date"]["dims"] == ("date",)


def test_the_data_set_of_a_sweep_has_points_with_their_factors(sweep: Path) -> None:
    data, table = frames.dataset(sweep), frames.frame(sweep)
    assert dict(data.sizes) == {"scenario": 2, "point": 12, "replicate": 3}
    one = table.filter(
        (pl.col("scenario") == "bull_500k") & (pl.col("point") == 7) & (pl.col("replicate") == 2)
    ).row(0, named=True)
    found = data.sel(scenario="bull_500k", point=7, replicate=2)
    assert float(found["end:share_under_10mw"]) == one["end:share_under_10mw"]
    assert str(found["class"].values) == one["class"]
    assert float(found["firms.scale_advantage"]) == one["firms.scale_advantage"]
    assert int(found["seed"]) == one["seed"] == 3
    assert np.isnan(data["passage:split"].sel(replicate=0)).all()


def test_a_run_that_failed_is_missing_and_nothing_else(tmp_path: Path) -> None:
    place = folders.sweep(tmp_path)
    table = frames.frame(place)
    table.filter(pl.col("position") != 4).write_parquet(place / "results.parquet")
    data = frames.dataset(place)
    gone = data.sel(point=0, scenario="bull_500k", replicate=1)
    assert np.isnan(gone["mean:price_usd"])
    assert str(gone["class"].values) == ""
    assert int(np.isnan(data["mean:price_usd"]).sum()) == 1


# What is refused


def broken(ensemble: Path, place: Path, how: str) -> Path:
    """A folder that something is wrong with."""
    shutil.copytree(ensemble / "1", place)
    if how == "half written":
        (place / "series.parquet").unlink()
    elif how == "torn":
        whole = (place / "series.parquet").read_bytes()
        (place / "series.parquet").write_bytes(whole[: len(whole) // 2])
    elif how == "no json":
        (place / "run.json").write_text("{")
    elif how == "other json":
        (place / "run.json").write_text("[1]")
    elif how == "lacking":
        (place / "run.json").write_text(json.dumps({"name": "x"}))
    elif how == "no table":
        (place / "series.parquet").write_text("not a table")
    return place


HOW = ("half written", "torn", "no json", "other json", "lacking", "no table")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("call", [frames.frame, frames.dataset])
def test_what_cannot_be_read_is_told_in_one_line(
    ensemble: Path, tmp_path: Path, how: str, call: object
) -> None:
    place = broken(ensemble, tmp_path / "broken", how)
    with pytest.raises(ScenarioError) as caught:
        call(place)  # type: ignore[operator]
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_unreadable_run_of_many_is_named(ensemble: Path, tmp_path: Path) -> None:
    shutil.copytree(ensemble, tmp_path / "copy")
    (tmp_path / "copy" / "3" / "series.parquet").write_text("torn")
    with pytest.raises(ScenarioError, match="copy/3"):
        frames.frame(tmp_path / "copy")


def test_empty_missing_and_mixed_folders_are_refused(ensemble: Path, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no finished run"):
        frames.frame(tmp_path)
    (tmp_path / "baseline_2025").mkdir()
    with pytest.raises(ScenarioError, match='did you mean "baseline_2025"'):
        frames.frame(tmp_path / "baselin_2025")
    folders.run(tmp_path / "1", folders.case(1))
    folders.run(tmp_path / "2", folders.case(2, days=30))
    with pytest.raises(ScenarioError, match="2 different sets of parameters"):
        frames.frame(tmp_path)


def test_a_sweep_without_results_and_shares_of_a_sweep_are_refused(tmp_path: Path) -> None:
    place = folders.sweep(tmp_path)
    for call in (frames.shares, frames.events):
        with pytest.raises(ScenarioError, match="a run or an ensemble"):
            call(place)
    (place / "results.parquet").unlink()
    with pytest.raises(ScenarioError, match="--resume"):
        frames.frame(place)
